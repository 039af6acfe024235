//! Compressed sparse rows.

/// A list of rows of `u32`, stored end to end: row `i` is the neighbours of
/// node `i` in a graph, or the members of group `i`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    offsets: Vec<u32>,
    targets: Vec<u32>,
}

impl Rows {
    /// Rows from (row, target) pairs, `rows` of them; each row keeps the order
    /// in which its pairs come. Two passes over the pairs.
    ///
    /// # Panics
    /// If a pair's row is not below `rows`, or there are 2^32 pairs or more.
    pub fn from_pairs<I>(rows: usize, pairs: I) -> Self
    where
        I: Iterator<Item = (u32, u32)> + Clone,
    {
        let mut offsets = vec![0u32; rows + 1];
        let mut total = 0u32;
        pairs.clone().for_each(|(row, _)| {
            offsets[row as usize + 1] += 1;
            total = total.checked_add(1).expect("fewer than 2^32 entries");
        });
        for i in 0..rows {
            offsets[i + 1] += offsets[i];
        }
        let mut targets = vec![0u32; total as usize];
        let mut next = offsets.clone();
        pairs.for_each(|(row, target)| {
            let at = &mut next[row as usize];
            targets[*at as usize] = target;
            *at += 1;
        });
        Self { offsets, targets }
    }

    /// Rows from lists.
    pub fn from_lists<L: AsRef<[u32]>>(lists: &[L]) -> Self {
        let mut rows = Self { offsets: vec![0], targets: Vec::new() };
        for list in lists {
            rows.push(list.as_ref());
        }
        rows
    }

    /// Rows that lie end to end in `targets`, by where each begins and the last
    /// ends.
    ///
    /// # Panics
    /// If they do not.
    pub(crate) fn from_parts(offsets: Vec<u32>, targets: Vec<u32>) -> Self {
        assert!(offsets.first() == Some(&0) && offsets.is_sorted());
        assert_eq!(offsets.last().map(|&end| end as usize), Some(targets.len()));
        Self { offsets, targets }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// If there would be 2^32 entries or more.
    pub fn push(&mut self, row: &[u32]) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.targets.extend_from_slice(row);
        self.offsets.push(u32::try_from(self.targets.len()).expect("fewer than 2^32 entries"));
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries in all rows.
    pub fn entries(&self) -> usize {
        self.targets.len()
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If there is no row `i`.
    #[inline]
    pub fn row(&self, i: u32) -> &[u32] {
        let i = i as usize;
        &self.targets[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }

    /// Row `i`, to sort or change in place.
    ///
    /// # Panics
    /// If there is no row `i`.
    pub fn row_mut(&mut self, i: u32) -> &mut [u32] {
        let i = i as usize;
        &mut self.targets[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> + '_ {
        self.offsets.windows(2).map(|w| &self.targets[w[0] as usize..w[1] as usize])
    }

    /// The rows turned round: row `t` of the answer (one of `columns`) lists
    /// the rows that hold `t`, ascending.
    pub fn transpose(&self, columns: usize) -> Self {
        let mut offsets = vec![0u32; columns + 1];
        for &t in &self.targets {
            offsets[t as usize + 1] += 1;
        }
        for i in 0..columns {
            offsets[i + 1] += offsets[i];
        }
        let mut next = offsets.clone();
        let mut targets = vec![0u32; self.targets.len()];
        for (i, row) in (0u32..).zip(self.iter()) {
            for &t in row {
                let at = &mut next[t as usize];
                targets[*at as usize] = i;
                *at += 1;
            }
        }
        Self { offsets, targets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_lists_and_transpose_agree() {
        let pairs = [(0, 2), (2, 0), (0, 1), (2, 2)];
        let rows = Rows::from_pairs(3, pairs.iter().copied());
        assert_eq!(rows, Rows::from_lists(&[vec![2, 1], vec![], vec![0, 2]]));
        assert_eq!(rows.transpose(3), Rows::from_lists(&[vec![2], vec![0], vec![0, 2]]));
        assert_eq!((rows.len(), rows.entries()), (3, 4));
    }
}
