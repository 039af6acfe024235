//! Finding numbers among many: inodes by number, extents by address.

use std::cmp::Ordering;

/// Distinct numbers, ascending; each has its place among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Vec<u64>);

impl Numbers {
    /// Those are ascending already; of equal ones there is one.
    pub(super) fn from_ascending(numbers: impl Iterator<Item = u64>) -> Self {
        let mut all: Vec<u64> = numbers.collect();
        debug_assert!(all.is_sorted());
        all.dedup();
        all.shrink_to_fit();
        Self(all)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The place of a number.
    pub(super) fn place(&self, number: u64) -> Option<u32> {
        self.0.binary_search(&number).ok().map(|place| place as u32)
    }

    /// The same, found soon where it is near the place at hand; from then on that is at hand
    /// where it is, or would be.
    pub(super) fn place_near(&self, number: u64, hand: &mut usize) -> Option<u32> {
        let is_below = |at: usize| self.0[at] < number;
        let start = (*hand).min(self.0.len());
        // All below `low` are less, none from `high` on is.
        let (mut low, mut high) = (0, self.0.len());
        let mut step = 1;
        if start < high && is_below(start) {
            low = start + 1;
            while low < high {
                let at = (low + step - 1).min(high - 1);
                if !is_below(at) {
                    high = at;
                    break;
                }
                (low, step) = (at + 1, step * 2);
            }
        } else {
            high = start;
            while low < high {
                let at = high.saturating_sub(step).max(low);
                if is_below(at) {
                    low = at + 1;
                    break;
                }
                (high, step) = (at, step * 2);
            }
        }
        *hand = low + self.0[low..high].partition_point(|&other| other < number);
        let found = self.0.get(*hand).map(|other| other.cmp(&number));
        (found == Some(Ordering::Equal)).then_some(*hand as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn from_wherever_one_looks_the_same_is_found(
            mut numbers in proptest::collection::vec(0u64..300, 0..60),
            wanted in proptest::collection::vec(0u64..310, 1..60),
            hand in 0usize..80,
        ) {
            numbers.sort_unstable();
            let all = Numbers::from_ascending(numbers.iter().copied());
            let mut hand = hand;
            for number in wanted {
                let place = all.place_near(number, &mut hand);
                prop_assert_eq!(place, all.place(number));
                prop_assert_eq!(place.is_some(), numbers.contains(&number));
                prop_assert_eq!(hand, all.0.partition_point(|&other| other < number));
            }
        }
    }
}
