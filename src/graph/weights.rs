//! Weights of nodes: one size, or several that are summed side by side.
//!
//! The one rule for sums that do not fit in 64 bits, which only forged sizes
//! reach: a source whose NAR sizes do not fit is refused, algorithms over a
//! graph refuse with [`TooHeavy`], and all other sums stop at the largest
//! number ([`saturating_sum`]). Where sizes of the disk may do that, the census
//! has a warning, which makes the answer incomplete.

/// What a node weighs: one size, or several with names, each summed apart.
pub trait Weight: Copy + PartialEq + Send + Sync {
    /// The weight of nothing.
    const ZERO: Self;

    /// Each size of one weight and the same of another made into one.
    fn zip(self, other: Self, combine: impl FnMut(u64, u64) -> u64) -> Self;

    /// Adds. It wraps, so that a sum may be reached by subtracting from a
    /// larger one; that the sums fit is checked beforehand.
    #[inline]
    fn add(&mut self, weight: &Self) {
        *self = self.zip(*weight, u64::wrapping_add);
    }

    /// Subtracts, as [`add`](Self::add) adds.
    #[inline]
    fn subtract(&mut self, weight: &Self) {
        *self = self.zip(*weight, u64::wrapping_sub);
    }
}

impl Weight for u64 {
    const ZERO: Self = 0;

    #[inline]
    fn zip(self, other: Self, mut combine: impl FnMut(u64, u64) -> u64) -> Self {
        combine(self, other)
    }
}

/// Makes a weight of a type that has these sizes and nothing else.
macro_rules! weight {
    ($name:ident { $($size:ident),+ }) => {
        impl $crate::graph::Weight for $name {
            const ZERO: Self = Self { $($size: 0),+ };

            #[inline]
            fn zip(self, other: Self, mut combine: impl FnMut(u64, u64) -> u64) -> Self {
                Self { $($size: combine(self.$size, other.$size)),+ }
            }
        }
    };
}

pub(crate) use weight;

/// Weights sum to 2^64 or more, so sums over them do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sizes sum to 2^64 bytes or more")]
pub struct TooHeavy;

/// Adds, and stops at the largest number.
pub(crate) fn saturating_add(sum: &mut u64, size: u64) {
    *sum = sum.saturating_add(size);
}

/// The sum, or the largest number if it does not fit.
pub(crate) fn saturating_sum(sizes: impl IntoIterator<Item = u64>) -> u64 {
    sizes.into_iter().fold(0, u64::saturating_add)
}

/// Checks that every sum of some of the weights fits: what follows may then
/// add without checks.
pub(super) fn check<W: Weight>(weights: &[W]) -> Result<(), TooHeavy> {
    let (mut total, mut fit) = (W::ZERO, true);
    for &weight in weights {
        total = total.zip(weight, |sum, size| {
            let (sum, beyond) = sum.overflowing_add(size);
            fit &= !beyond;
            sum
        });
    }
    if fit { Ok(()) } else { Err(TooHeavy) }
}

/// Several sizes without names.
#[cfg(test)]
impl<const W: usize> Weight for [u64; W] {
    const ZERO: Self = [0; W];

    fn zip(self, other: Self, mut combine: impl FnMut(u64, u64) -> u64) -> Self {
        std::array::from_fn(|i| combine(self[i], other[i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_beyond_u64_is_refused() {
        assert_eq!(check(&[[u64::MAX, 1], [0, 1]]), Ok(()));
        assert_eq!(check(&[[u64::MAX, 1], [1, 1]]), Err(TooHeavy));
    }
}
