//! Finding a name without a search through all names.
//!
//! Names begin with a hash, so they are spread evenly and in the order of its
//! digits (nix32's alphabet ascends in ASCII). A table of where each value of
//! the first bits begins leaves a few names to compare.

use super::Strings;
use std::ops::Range;

/// Where names with each value of the first bits begin.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    shift: u32,
    starts: Vec<u32>,
}

/// Bits in a key: six digits of nix32.
const KEY_BITS: u32 = 30;

impl NameIndex {
    /// The index of names in ascending order.
    pub(super) fn new(names: &Strings) -> Self {
        // About four names share a value.
        let bits = (names.len() / 4).checked_ilog2().unwrap_or(0).min(KEY_BITS - 4);
        let shift = KEY_BITS - bits;
        let mut starts = vec![0u32; (1 << bits) + 1];
        for name in names.iter() {
            starts[(key(name).unwrap_or(0) >> shift) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Self { shift, starts }
    }

    /// Which names may equal `name`.
    pub(super) fn range(&self, name: &str) -> Range<usize> {
        key(name).map_or(0..0, |key| {
            let at = (key >> self.shift) as usize;
            self.starts[at] as usize..self.starts[at + 1] as usize
        })
    }
}

/// The first digits of a hash part as a number; `None` if they are none.
fn key(name: &str) -> Option<u32> {
    let digits = name.as_bytes().get(..(KEY_BITS / 5) as usize)?;
    digits.iter().try_fold(0, |key, &digit| {
        // 0-9, then the letters without e, o, t and u.
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'd' => digit - b'a' + 10,
            b'f'..=b'n' => digit - b'f' + 14,
            b'p'..=b's' => digit - b'p' + 23,
            b'v'..=b'z' => digit - b'v' + 27,
            _ => return None,
        };
        Some(key << 5 | u32::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_names() {
        let digits: Vec<String> =
            "0123456789abcdfghijklmnpqrsvwxyz".chars().map(|c| format!("00000{c}")).collect();
        let keys: Vec<u32> = digits.iter().map(|d| key(d).unwrap()).collect();
        assert_eq!(keys, (0..32).collect::<Vec<_>>());
        assert_eq!((key("00000e"), key("0000"), key("")), (None, None, None));
        assert_eq!(key("zzzzzz"), Some((1 << 30) - 1));
    }
}
