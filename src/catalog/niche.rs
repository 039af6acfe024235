//! Sizes and times of which one value is never met, so that an option of them
//! takes no more room: a catalog has hundreds of thousands.

use std::num::{NonZeroI64, NonZeroU64};

/// A size in bytes, below 2^64 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(NonZeroU64);

impl Size {
    /// That size; none for the one that is absurd.
    pub(super) fn new(size: u64) -> Option<Self> {
        NonZeroU64::new(!size).map(Self)
    }

    pub(super) fn get(self) -> u64 {
        !self.0.get()
    }
}

/// Seconds since 1970, later than -2^63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(NonZeroI64);

impl Time {
    /// That time; none for the one that is absurd.
    pub(super) fn new(time: i64) -> Option<Self> {
        NonZeroI64::new(time ^ i64::MIN).map(Self)
    }

    pub(super) fn get(self) -> i64 {
        self.0.get() ^ i64::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_take_no_more_room_and_give_back_what_was_put_in() {
        assert_eq!((size_of::<Option<Size>>(), size_of::<Option<Time>>()), (8, 8));
        for size in [0, 1, u64::MAX - 1] {
            assert_eq!(Size::new(size).map(Size::get), Some(size));
        }
        for time in [0, -1, 1, i64::MIN + 1, i64::MAX] {
            assert_eq!(Time::new(time).map(Time::get), Some(time));
        }
        assert_eq!((Size::new(u64::MAX), Time::new(i64::MIN)), (None, None));
    }
}
