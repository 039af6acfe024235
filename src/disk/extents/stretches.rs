//! Reading trees of files by several threads, stretch by stretch.
//!
//! Where a tree is cut goes by what is in it alone, and all of it is read even where a part
//! cannot be: what comes of it, and what is said, is the same by however many threads.

use super::numbers::Numbers;
use crate::fs::{ExtentItem, ExtentReader, Stretch};
use crate::threads;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came of the stretches that could be read, in their order; and why the others could
/// not: `QuotaExceeded` if that is why any could not, or else what the first of them says.
pub(super) struct ReadStretches<T> {
    pub(super) of_stretches: Vec<T>,
    error: Option<io::Error>,
}

impl<T: Send> ReadStretches<T> {
    /// Reads stretches and what is left of each: `read` gives that, and what came of what it
    /// read.
    pub(super) fn new(
        stretches: &[Stretch],
        read: &(impl Fn(&Stretch) -> io::Result<(T, Vec<Stretch>)> + Sync),
    ) -> Self {
        match stretches {
            [] => Self { of_stretches: Vec::new(), error: None },
            [stretch] => match read(stretch) {
                Err(error) => Self { of_stretches: Vec::new(), error: Some(error) },
                Ok((found, rest)) => {
                    let first = Self { of_stretches: vec![found], error: None };
                    first.and(Self::new(&rest, read))
                }
            },
            _ => {
                let (left, right) = stretches.split_at(stretches.len() / 2);
                let (left, right) =
                    threads::join(|| Self::new(left, read), || Self::new(right, read));
                left.and(right)
            }
        }
    }

    fn and(mut self, mut next: Self) -> Self {
        self.of_stretches.append(&mut next.of_stretches);
        self.error = match (self.error, next.error) {
            (Some(error), Some(next)) if exceeds(&next) && !exceeds(&error) => Some(next),
            (error, next) => error.or(next),
        };
        self
    }

    /// All of them.
    ///
    /// # Errors
    /// Where one could not be read.
    pub(super) fn all(self) -> io::Result<Vec<T>> {
        match self.error {
            None => Ok(self.of_stretches),
            Some(error) => Err(error),
        }
    }
}

/// Whether more would have to be read than is allowed.
pub(super) fn exceeds(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::QuotaExceeded
}

/// What is known of an inode that is shown.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    /// Its place among those that a walk met, if it did.
    pub(super) place: Option<u32>,
    /// Whether it is in a lower layer of an overlay.
    pub(super) is_lower: bool,
}

/// Reads all of the store's tree, and shows the contents of inodes in the order of that, those
/// of each stretch with something of its own; these, in their order. `met` are the numbers of
/// inodes that a walk met.
///
/// # Errors
/// Those of [`ExtentReader::read`].
pub(super) fn read_store<T: Default + Send>(
    reader: &dyn ExtentReader,
    met: &Numbers,
    each: &(impl Fn(&mut T, Shown, ExtentItem) + Sync),
) -> io::Result<Vec<T>> {
    let read = |stretch: &Stretch| {
        let mut found = T::default();
        let (mut hand, mut at) = (0, (None, Shown { place: None, is_lower: false }));
        let rest = reader.read(stretch, &mut |ino, item| {
            if at.0 != Some(ino) {
                let place = met.place_near(ino, &mut hand);
                let is_lower = reader.is_lower(ino, place.is_some());
                at = (Some(ino), Shown { place, is_lower });
            }
            each(&mut found, at.1, item);
        })?;
        Ok((found, rest))
    };
    ReadStretches::new(&reader.stretches()?, &read).all()
}

/// Adds to a sum of several threads, which stops at the largest number.
pub(super) fn add_to(sum: &AtomicU64, more: u64) {
    if more > 0 {
        let add = |sum: u64| Some(sum.saturating_add(more));
        let _ = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of the error of a tree of so many stretches, by what happens in some.
    fn error_of(kinds: &[Option<io::ErrorKind>]) -> Option<io::ErrorKind> {
        let stretch = |tree| Stretch::whole(tree as u64);
        let all: Vec<_> = (0..kinds.len()).map(stretch).collect();
        let read = |stretch: &Stretch| match kinds[stretch.tree as usize] {
            None => Ok((stretch.tree, Vec::new())),
            Some(kind) => Err(kind.into()),
        };
        let found = ReadStretches::new(&all, &read);
        assert_eq!(found.of_stretches.len(), kinds.iter().filter(|kind| kind.is_none()).count());
        assert!(found.of_stretches.is_sorted());
        found.all().err().map(|error| error.kind())
    }

    #[test]
    fn more_than_is_allowed_is_that_whatever_else_there_is() {
        let (damaged, more) =
            (Some(io::ErrorKind::InvalidData), Some(io::ErrorKind::QuotaExceeded));
        let gone = Some(io::ErrorKind::NotFound);
        for (kinds, expected) in [
            ([None; 4], None),
            ([None, gone, damaged, None], gone),
            ([damaged, gone, None, gone], damaged),
            ([damaged, None, more, gone], more),
            ([more, damaged, more, gone], more),
        ] {
            assert_eq!(error_of(&kinds), expected, "{kinds:?}");
        }
    }
}
