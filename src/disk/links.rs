//! `.links`: one name for each file content of an optimised store
//! (`optimisePath_` in Nix's `optimise-store.cc`).

use super::devices::Devices;
use super::inodes::{Inode, InodeTable};
use super::walk::{Directory, Entry, Kind, Meta, Progress, Seen, Top, Visitor, Walker};
use crate::warning::Warnings;

/// The name of the directory in the store directory.
pub(super) const NAME: &[u8] = b".links";

/// What `.links` holds; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Its entries.
    pub entries: u64,
    /// Their apparent size, each inode once.
    pub apparent_size: u64,
    /// Their disk size, each inode once.
    pub disk_size: u64,
    /// The blocks of the directory itself.
    pub directory_disk_size: u64,
    /// Entries that are their inode's only name: a garbage collection would
    /// delete them.
    pub unused: u64,
    /// Their apparent size.
    pub unused_apparent_size: u64,
    /// Their disk size.
    pub unused_disk_size: u64,
    /// What hard linking saves in apparent size: Σ (nlink - 2) × size over the
    /// entries in use. Nix's collector prints it less the blocks of the
    /// directory (`removeUnusedLinks` in `gc.cc`).
    pub saved_apparent_size: u64,
    /// The same sum over disk sizes.
    pub saved_disk_size: u64,
}

/// What reading `.links` gave.
#[derive(Default)]
pub(super) struct LinksRead {
    pub(super) links: Option<Links>,
    /// The inodes with several names, sorted; distinct.
    pub(super) inodes: Vec<Inode>,
    pub(super) entries: u64,
    pub(super) statted: u64,
    pub(super) warnings: Warnings,
}

/// Stats all of `.links`.
pub(super) fn read(walker: &Walker, devices: &Devices, progress: &Progress) -> LinksRead {
    let walked = walker.walk(&[TOP], &Reader { devices }, progress);
    let mut read = LinksRead {
        entries: walked.entries,
        statted: walked.statted,
        warnings: walked.warnings,
        ..LinksRead::default()
    };
    let mut sums = Links::default();
    let mut directory = None;
    let mut inodes = Vec::with_capacity(walked.states.iter().map(|s| s.inodes.len()).sum());
    for state in walked.states {
        let of = state.links;
        sums.entries += of.entries;
        sums.unused += of.unused;
        sums.unused_apparent_size += of.unused_apparent_size;
        sums.unused_disk_size += of.unused_disk_size;
        sums.saved_apparent_size = sums.saved_apparent_size.saturating_add(of.saved_apparent_size);
        sums.saved_disk_size = sums.saved_disk_size.saturating_add(of.saved_disk_size);
        directory = directory.or(state.directory);
        inodes.extend(state.inodes);
    }
    let Some(directory) = directory else { return read };
    sums.directory_disk_size = directory;
    inodes.sort_unstable_by_key(Inode::key);
    inodes.dedup_by_key(|inode| inode.key());
    sums.apparent_size = sums.unused_apparent_size;
    sums.disk_size = sums.unused_disk_size;
    for inode in &mut inodes {
        inode.set_linked();
        sums.apparent_size = sums.apparent_size.saturating_add(inode.apparent_size());
        sums.disk_size = sums.disk_size.saturating_add(inode.disk_size());
    }
    read.links = Some(sums);
    read.inodes = inodes;
    read
}

/// The indexes of those inodes that have a name in `.links`; nothing is
/// statted where directories tell inode numbers truly.
pub(super) fn members(
    walker: &Walker,
    devices: &Devices,
    table: &InodeTable,
    progress: &Progress,
) -> (Vec<u32>, u64, u64, Warnings) {
    let walked = walker.walk(&[TOP], &Members { devices, table }, progress);
    (walked.states.concat(), walked.entries, walked.statted, walked.warnings)
}

const TOP: Top<'static> = Top { name: NAME, path: 0, ino: 0, kind: Kind::Unknown };

struct Reader<'a> {
    devices: &'a Devices,
}

#[derive(Default)]
struct ReaderState {
    links: Links,
    directory: Option<u64>,
    inodes: Vec<Inode>,
}

impl Visitor for Reader<'_> {
    type State = ReaderState;
    type Tag = ();

    fn state(&self) -> ReaderState {
        ReaderState::default()
    }

    fn descend(&self, _: &Directory<'_>, _: &[u8]) -> bool {
        false
    }

    fn top(&self, state: &mut ReaderState, _: &Directory<'_>, entry: &Entry<'_, ()>) {
        if let (Kind::Directory, Seen::Stat(meta)) = (entry.kind, entry.seen) {
            state.directory = Some(meta.disk_size);
        }
    }

    fn directory<'e>(
        &self,
        state: &mut ReaderState,
        _: &Directory<'_>,
        entries: impl ExactSizeIterator<Item = Entry<'e, ()>>,
    ) {
        for entry in entries {
            state.links.entries += 1;
            let Seen::Stat(meta) = entry.seen else { continue };
            if !matches!(entry.kind, Kind::File | Kind::Symlink) {
                continue;
            }
            if meta.nlink <= 1 {
                state.links.unused += 1;
                state.links.unused_apparent_size =
                    state.links.unused_apparent_size.saturating_add(meta.size);
                state.links.unused_disk_size =
                    state.links.unused_disk_size.saturating_add(meta.disk_size);
            } else {
                let names = u64::from(meta.nlink - 2);
                let saved = &mut state.links.saved_apparent_size;
                *saved = saved.saturating_add(names.saturating_mul(meta.size));
                let saved = &mut state.links.saved_disk_size;
                *saved = saved.saturating_add(names.saturating_mul(meta.disk_size));
                let device = self.devices.index(meta.dev);
                state.inodes.push(Inode::new(device, entry.kind, &meta));
            }
        }
    }

    fn failed(&self, _: &mut ReaderState, _: u32) {}
}

struct Members<'a> {
    devices: &'a Devices,
    table: &'a InodeTable,
}

impl Visitor for Members<'_> {
    type State = Vec<u32>;
    type Tag = ();

    fn state(&self) -> Vec<u32> {
        Vec::new()
    }

    fn descend(&self, _: &Directory<'_>, _: &[u8]) -> bool {
        false
    }

    fn known(&self, state: &mut Vec<u32>, ino: u64) -> Option<()> {
        state.extend(self.table.find(0, ino));
        Some(())
    }

    fn met(&self, state: &mut Vec<u32>, _: Kind, meta: &Meta) -> Option<()> {
        state.extend(self.table.find(self.devices.index(meta.dev), meta.ino));
        Some(())
    }

    fn top(&self, _: &mut Vec<u32>, _: &Directory<'_>, _: &Entry<'_, ()>) {}

    fn directory<'e>(
        &self,
        _: &mut Vec<u32>,
        _: &Directory<'_>,
        _: impl ExactSizeIterator<Item = Entry<'e, ()>>,
    ) {
    }

    fn failed(&self, _: &mut Vec<u32>, _: u32) {}
}
