//! Sorting by code that all types share.
//!
//! The standard library's sorts are compiled anew for each type and each comparison, some
//! 10 KB of machine code each time: they were a sixth of the program, and of the time of
//! building it. These compile to a few hundred bytes each, and pay for it with a call for each
//! comparison. They are for lists that are sorted once; where sorting takes time that
//! was measured, and for plain numbers, the standard library's are used.

use std::cmp::Ordering;

/// Up to so many are put in order one by one, without memory.
const FEW: usize = 16;

/// Sorts as the methods of slices do whose names begin with `sort`: what is equal stays in its order.
pub(crate) trait Arrange<T> {
    /// As `sort_by`.
    fn arrange_by(&mut self, compare: impl FnMut(&T, &T) -> Ordering);

    /// As `sort_by_key`.
    #[inline]
    fn arrange_by_key<K: Ord>(&mut self, mut key: impl FnMut(&T) -> K) {
        self.arrange_by(|a, b| key(a).cmp(&key(b)));
    }

    /// As `sort_by_cached_key`.
    fn arrange_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K);

    /// As `sort_by_key`, by numbers: for long lists.
    fn arrange_by_number(&mut self, key: impl FnMut(&T) -> u64);

    /// As `sort`.
    #[inline]
    fn arrange(&mut self)
    where
        T: Ord,
    {
        self.arrange_by(T::cmp);
    }
}

impl<T> Arrange<T> for [T] {
    fn arrange_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        if self.len() > FEW {
            let places = places(self.len(), &mut |a, b| compare(&self[a], &self[b]));
            return put(self, places);
        }
        for next in 1..self.len() {
            let mut at = next;
            while at > 0 && compare(&self[at], &self[at - 1]).is_lt() {
                self.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn arrange_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K) {
        let keys: Vec<K> = self.iter().map(key).collect();
        put(self, places(keys.len(), &mut |a, b| keys[a].cmp(&keys[b])));
    }

    fn arrange_by_number(&mut self, key: impl FnMut(&T) -> u64) {
        let keys = self.iter().map(key).zip(0..).collect();
        if let Some(places) = places_by_number(keys) {
            put(self, places);
        }
    }
}

/// The numbers of so many things in their order.
fn places(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|&a, &b| compare(a, b));
    places
}

/// The numbers of things in the order of their keys, which come with them; none if they are
/// in that order.
fn places_by_number(mut keys: Vec<(u64, usize)>) -> Option<Vec<usize>> {
    if keys.is_sorted_by_key(|&(key, _)| key) {
        return None;
    }
    radsort::sort_by_key(&mut keys, |&(key, _)| key);
    Some(keys.into_iter().map(|(_, place)| place).collect())
}

/// Puts at each place what was at the one named there.
pub(crate) fn put<T>(items: &mut [T], mut places: Vec<usize>) {
    for start in 0..items.len() {
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut places[at], at);
            if from == start || from == at {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_the_standard_library(items in prop::collection::vec((0u8..9, any::<u16>()), 0..70)) {
            let mut expected = items.clone();
            expected.sort();
            let mut sorted = items.clone();
            sorted.arrange();
            prop_assert_eq!(&sorted, &expected);
            // What is equal stays in its order.
            expected.clone_from(&items);
            expected.sort_by_key(|item| item.0);
            sorted.clone_from(&items);
            sorted.arrange_by_key(|item| item.0);
            prop_assert_eq!(&sorted, &expected);
            sorted.clone_from(&items);
            sorted.arrange_by_cached_key(|item| item.0.to_string());
            prop_assert_eq!(&sorted, &expected);
            sorted.clone_from(&items);
            sorted.arrange_by_number(|item| u64::from(item.0) << 40);
            prop_assert_eq!(&sorted, &expected);
            expected.sort_by_key(|item| std::cmp::Reverse(item.0));
            sorted.arrange_by(|a, b| b.0.cmp(&a.0));
            prop_assert_eq!(&sorted, &expected);
        }
    }
}
