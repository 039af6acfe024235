//! A scan that shows what it meets to somebody else too.

use super::inodes::Inode;
use super::summing::{Summing, Tally};
use super::walk::{Visitor, WalkDirectory, WalkEntry};
use crate::fs::Stat;

/// A name of an inode with several names, as an [`Observer`] is shown it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    /// Its number during the walk; [`Observed::inode`] turns it into an index.
    pub(super) number: u32,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// The size of its node in a NAR, in bytes.
    pub node: u64,
}

impl Shared {
    /// A number that stands for the inode while the walk lasts.
    pub(crate) fn number(self) -> u32 {
        self.number
    }
}

/// Shown all that a scan sums, from many threads at once, each with that
/// thread's own state.
pub(crate) trait Observer: Sync {
    /// What one thread gathers.
    type State: Send + 'static;
    /// As [`Visitor::Context`].
    type Context: Default + Send + Sync;

    /// The state a thread starts with; `device` is the one whose extents are looked at
    /// later, if any are.
    fn state(&self, device: Option<u64>) -> Self::State;

    /// Shown each store path itself, before what is below it.
    fn top(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_, Self::Context>,
        entry: &WalkEntry<'_, Shared>,
    );

    /// Shown the entries of each directory, before those of directories in it.
    fn directory<'e>(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_, Self::Context>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>> + Clone,
    );

    /// As [`Visitor::descend`].
    fn descend(
        &self,
        _directory: &WalkDirectory<'_, Self::Context>,
        _name: &[u8],
    ) -> Option<Self::Context> {
        Some(Self::Context::default())
    }
}

/// Nobody: a scan without an observer.
pub(super) struct Unobserved;

impl Observer for Unobserved {
    type State = ();
    type Context = ();

    fn state(&self, _: Option<u64>) {}

    fn top(&self, (): &mut (), _: &WalkDirectory<'_>, _: &WalkEntry<'_, Shared>) {}

    fn directory<'e>(
        &self,
        (): &mut (),
        _: &WalkDirectory<'_>,
        _: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>> + Clone,
    ) {
    }
}

/// What the threads of an observed scan gathered.
#[derive(Debug)]
pub(crate) struct Observed<S> {
    /// The state of each thread.
    pub states: Vec<S>,
    /// By the number of an inode of a shard: its index in the scan.
    pub(super) renumbered: Renumbered,
    /// The inodes that have a name in `.links` and no other.
    pub(super) unused_links: Vec<Inode>,
}

impl<S> Observed<S> {
    /// The index into [`DiskScan::inodes`](super::DiskScan::inodes) of the
    /// inode with this [`Shared::number`].
    pub(crate) fn inode(&self, number: u32) -> u32 {
        self.renumbered.index(number)
    }
}

impl<A, B> Observed<(A, B)> {
    /// What each of two observers gathered.
    pub(super) fn split(self) -> (Observed<A>, Vec<B>) {
        let Self { states, renumbered, unused_links } = self;
        let (states, others) = states.into_iter().unzip();
        (Observed { states, renumbered, unused_links }, others)
    }
}

/// Numbers of inodes during the walk, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Renumbered {
    /// Numbers below this are indexes already.
    pub(super) linked: usize,
    /// By shard, then by index there.
    pub(super) shards: Vec<Vec<u32>>,
}

impl Renumbered {
    /// The same where indexes have been renumbered once more.
    pub(super) fn then(mut self, numbers: &[u32]) -> Self {
        self.shards.iter_mut().flatten().for_each(|index| *index = numbers[*index as usize]);
        self
    }

    pub(super) fn index(&self, number: u32) -> u32 {
        let Some(beyond) = (number as usize).checked_sub(self.linked) else { return number };
        self.shards[beyond % self.shards.len()][beyond / self.shards.len()]
    }
}

/// The visitor that sums, and shows all to an observer.
pub(super) struct Observing<'a, O> {
    pub(super) sums: &'a Summing<'a>,
    pub(super) observer: &'a O,
}

impl<O: Observer> Visitor for Observing<'_, O> {
    type State = (Tally, O::State);
    type Tag = Shared;
    type Context = O::Context;

    fn state(&self) -> Self::State {
        (self.sums.state(), self.observer.state(self.sums.device_of_extents()))
    }

    #[inline]
    fn known(&self, _: &mut Self::State, ino: u64) -> Option<Shared> {
        self.sums.known(ino)
    }

    #[inline]
    fn met(&self, _: &mut Self::State, meta: &Stat) -> Option<Shared> {
        self.sums.met(meta)
    }

    fn descend(
        &self,
        directory: &WalkDirectory<'_, Self::Context>,
        name: &[u8],
    ) -> Option<Self::Context> {
        self.observer.descend(directory, name)
    }

    fn top(
        &self,
        (tally, state): &mut Self::State,
        directory: &WalkDirectory<'_, Self::Context>,
        entry: &WalkEntry<'_, Shared>,
    ) {
        let told_apart = self.sums.mounts_below.then(|| self.sums.told_apart(*entry));
        let entry = told_apart.as_ref().unwrap_or(entry);
        self.sums.top(tally, directory, entry);
        self.observer.top(state, directory, entry);
    }

    fn directory<'e>(
        &self,
        (tally, state): &mut Self::State,
        directory: &WalkDirectory<'_, Self::Context>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>> + Clone,
    ) {
        if self.sums.mounts_below {
            let entries = entries.map(|entry| self.sums.told_apart(entry));
            self.sums.directory(tally, directory, entries.clone());
            return self.observer.directory(state, directory, entries);
        }
        self.sums.directory(tally, directory, entries.clone());
        self.observer.directory(state, directory, entries);
    }

    fn failed(&self, (tally, _): &mut Self::State, path: u32) {
        self.sums.failed(tally, path);
    }
}
