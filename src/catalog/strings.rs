//! Many strings in one allocation.

/// A column of strings, stored end to end.
#[derive(Clone, Debug)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Default for Strings {
    fn default() -> Self {
        Self::new()
    }
}

impl Strings {
    /// An empty column.
    pub(crate) fn new() -> Self {
        Self { text: String::new(), ends: Vec::new() }
    }

    /// A column of strings that lie end to end in `text`, by where each ends;
    /// `None` if they do not.
    pub(crate) fn from_parts(text: String, ends: Vec<u32>) -> Option<Self> {
        let last = ends.last().copied().unwrap_or(0);
        let fits = ends.is_sorted()
            && last as usize == text.len()
            && ends.iter().all(|&end| text.is_char_boundary(end as usize));
        fits.then_some(Self { text, ends })
    }

    /// All of them end to end.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Appends a string; `false` if the column would pass 4 GiB, and then
    /// nothing was appended.
    #[must_use]
    pub(crate) fn push(&mut self, s: &str) -> bool {
        let Ok(end) = u32::try_from(self.text.len() + s.len()) else { return false };
        self.text.push_str(s);
        self.ends.push(end);
        true
    }

    /// String number `i`.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn get(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start as usize..self.ends[i] as usize]
    }

    /// How many strings there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All strings in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The column with its strings in another order.
    pub(super) fn permuted(&self, order: &[u32]) -> Self {
        let mut text = String::with_capacity(self.text.len());
        let mut ends = Vec::with_capacity(order.len());
        for &i in order {
            text.push_str(self.get(i as usize));
            // Not longer than self.text, whose length fits.
            ends.push(text.len() as u32);
        }
        Self { text, ends }
    }
}
