//! Weights of nodes, several columns at once.
//!
//! The one rule for sums that do not fit in 64 bits, which only forged sizes
//! reach: a source whose NAR sizes do not fit is refused, algorithms over a
//! graph refuse with [`TooHeavy`], and all other sums stop at the largest
//! number ([`saturating_sum`]). Where sizes of the disk may do that, the census
//! has a warning, which makes the answer incomplete.

/// The weights of one node in `W` columns, such as NAR bytes and disk bytes.
pub(crate) type Weights<const W: usize> = [u64; W];

/// A column of weights sums to 2^64 or more, so sums over it do not fit.
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
pub(super) fn check<const W: usize>(weights: &[Weights<W>]) -> Result<(), TooHeavy> {
    let mut total = [0u64; W];
    for weight in weights {
        for (sum, w) in total.iter_mut().zip(weight) {
            *sum = sum.checked_add(*w).ok_or(TooHeavy)?;
        }
    }
    Ok(())
}

/// Adds `weight` to `sum`, column by column. It wraps, so that a sum may be
/// reached by subtracting from a larger one.
#[inline]
pub(super) fn add<const W: usize>(sum: &mut Weights<W>, weight: &Weights<W>) {
    for (s, w) in sum.iter_mut().zip(weight) {
        *s = s.wrapping_add(*w);
    }
}

/// Subtracts, as [`add`] adds.
#[inline]
pub(super) fn subtract<const W: usize>(sum: &mut Weights<W>, weight: &Weights<W>) {
    for (s, w) in sum.iter_mut().zip(weight) {
        *s = s.wrapping_sub(*w);
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
