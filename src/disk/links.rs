//! `.links`: one name for each file content of an optimised store
//! (`optimisePath_` in Nix's `optimise-store.cc`).
//!
//! A later Nix may keep links in `.links-b3`, by BLAKE3 (NixOS/nix#15204), or
//! in directories below `.links` (NixOS/nix#15590). Such links are read too.

use std::ops::AddAssign;

use super::devices::Devices;
use super::engine::Walker;
use super::inodes::{self, Inode, InodeTable};
use super::progress::Progress;
use super::space::Space;
use super::walk::{EntryStat, Top, Visitor, WalkDirectory, WalkEntry, Walked};
use crate::fs::{FileType, Stat};
use crate::warning::{WarningKind, Warnings};

/// The directories of links in the store directory.
pub(crate) const LINKS_DIRECTORIES: [&[u8]; 2] = [b".links", b".links-b3"];

/// How many directories deep links may be: `.links/sha256/0ab`.
const DEPTH: u32 = 3;

/// Whether a later Nix may give that name to a directory below `.links`:
/// `sha256`, `overflow` or the first digits of a hash.
pub(crate) fn is_shard_name(name: &[u8]) -> bool {
    let digit = |b: &u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    matches!(name, b"sha256" | b"overflow")
        || (1..=3).contains(&name.len()) && name.iter().all(digit)
}

/// What somebody wants to know of the entries of `.links`: shown them by
/// [`read_links`], from many threads at once, each with that thread's own state.
pub(crate) trait LinksReader: Sync {
    /// What one thread gathers.
    type State: Send + 'static;

    /// The state a thread starts with.
    fn state(&self) -> Self::State;

    /// As [`Visitor::known`]: whether the link with this inode number needs no
    /// `stat`.
    fn known(&self, _state: &mut Self::State, _ino: u64) -> bool {
        false
    }

    /// Shown what `stat` says of a link, right after the call.
    fn met(&self, _state: &mut Self::State, _stat: &Stat) {}

    /// Whether a directory of that name is one of links; else it is shown as if
    /// it were a link.
    fn is_shard(&self, _name: &[u8]) -> bool {
        true
    }

    /// Shown each directory of links; no `stat` where that failed.
    fn directory(&self, _state: &mut Self::State, _at: &LinksPlace<'_>, _stat: Option<&Stat>) {}

    /// Shown what else there is: links, and whatever should not be there.
    fn link(&self, _: &mut Self::State, _: &LinksPlace<'_>, _: &WalkEntry<'_, ()>) {}
}

/// Where in `.links` something is.
pub(crate) struct LinksPlace<'a> {
    /// The directory it is in, relative to the store directory; empty for the
    /// topmost directories of links.
    pub(crate) directory: &'a [u8],
    /// The device of that directory.
    pub(crate) device: u64,
    /// Its name in there.
    pub(crate) name: &'a [u8],
}

impl LinksPlace<'_> {
    /// Whether it is in `.links` itself, where each Nix has its links.
    pub(crate) fn in_links(&self) -> bool {
        self.directory == LINKS_DIRECTORIES[0]
    }
}

/// Shows a reader all directories of links and what is in them.
pub(crate) fn read_links<R: LinksReader>(
    walker: &Walker<'_>,
    reader: &R,
    progress: &Progress,
) -> Walked<R::State> {
    walker.walk(&Top::numbered(LINKS_DIRECTORIES), &LinksVisitor(reader), progress)
}

/// The walk over the directories of links.
struct LinksVisitor<'r, R>(&'r R);

impl<R: LinksReader> Visitor for LinksVisitor<'_, R> {
    type State = R::State;
    type Tag = ();
    type Context = ();

    fn state(&self) -> R::State {
        self.0.state()
    }

    fn known(&self, state: &mut R::State, ino: u64) -> Option<()> {
        self.0.known(state, ino).then_some(())
    }

    fn met(&self, state: &mut R::State, stat: &Stat) -> Option<()> {
        self.0.met(state, stat);
        None
    }

    fn descend(&self, directory: &WalkDirectory<'_>, name: &[u8]) -> Option<()> {
        let depth = directory.depth();
        (depth == 0 || depth < DEPTH && self.0.is_shard(name)).then_some(())
    }

    fn top(&self, state: &mut R::State, directory: &WalkDirectory<'_>, entry: &WalkEntry<'_, ()>) {
        if let (FileType::Directory, EntryStat::Stat(stat)) = (entry.file_type, &entry.stat) {
            let device = directory.identity().0;
            let at = LinksPlace { directory: b"", device, name: entry.name() };
            self.0.directory(state, &at, Some(stat));
        }
    }

    fn directory<'e>(
        &self,
        state: &mut R::State,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
    ) {
        let place = directory.relative_path();
        for entry in entries {
            let device = directory.identity().0;
            let at = LinksPlace { directory: &place, device, name: entry.name() };
            if entry.file_type == FileType::Directory
                && self.descend(directory, entry.name()).is_some()
            {
                let stat = match &entry.stat {
                    EntryStat::Stat(stat) => Some(stat),
                    EntryStat::Known(()) | EntryStat::Failed => None,
                };
                self.0.directory(state, &at, stat);
            } else {
                self.0.link(state, &at, &entry);
            }
        }
    }

    fn failed(&self, _: &mut R::State, _: u32) {}
}

/// What `.links` holds; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Its entries.
    pub entries: u64,
    /// Those of them in `.links-b3` or in directories below `.links`, which no
    /// Nix up to 2.36 knows.
    pub later: u64,
    /// Their apparent size, each inode once.
    pub apparent_size: u64,
    /// Their disk size, each inode once.
    pub disk_size: u64,
    /// The blocks of the directories themselves.
    pub directory_disk_size: u64,
    /// How many directories those are.
    pub directories: u64,
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

impl Links {
    /// Counts the inode of an entry: unused, or what its further names save.
    pub(crate) fn count(&mut self, nlink: u32, size: u64, disk_size: u64) {
        let (sums, times) = match nlink {
            0 | 1 => {
                self.unused += 1;
                ([&mut self.unused_apparent_size, &mut self.unused_disk_size], 1)
            }
            n => ([&mut self.saved_apparent_size, &mut self.saved_disk_size], u64::from(n) - 2),
        };
        for (sum, size) in sums.into_iter().zip([size, disk_size]) {
            *sum = sum.saturating_add(size.saturating_mul(times));
        }
    }

    fn add_directory(&mut self, stat: Option<&Stat>) {
        if let Some(stat) = stat {
            self.directory_disk_size = self.directory_disk_size.saturating_add(stat.disk_size);
            self.directories += 1;
        }
    }

    /// Notes that some are as only a later Nix makes them.
    fn note_later(&self, warnings: &mut Warnings) {
        if self.later > 0 {
            let message = format!(
                "{} links as only a later Nix makes them: counted as links, but a Nix that does \
                 not know them does not mind them, and its collector deletes .links-b3",
                self.later
            );
            warnings.push(WarningKind::Note, LINKS_DIRECTORIES[0], message);
        }
    }

    /// The same entries, of which nothing is summed.
    pub(super) fn unsummed(&self) -> Self {
        let Self { entries, later, directory_disk_size, directories, .. } = *self;
        Self { entries, later, directory_disk_size, directories, ..Self::default() }
    }

    /// Sums an inode with so many names in `.links`.
    pub(super) fn sum(&mut self, inode: &Inode, links: u32) {
        let (size, disk_size) = (inode.apparent_size(), inode.disk_size());
        (0..links).for_each(|_| self.count(inode.nlink, size, disk_size));
        self.apparent_size = self.apparent_size.saturating_add(size);
        self.disk_size = self.disk_size.saturating_add(disk_size);
    }

    /// What its unused entries take.
    pub fn unused_space(&self) -> Space {
        Space::blocks(self.unused_disk_size, self.unused)
    }
}

impl AddAssign for Links {
    /// Stops at the largest number.
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.entries, other.entries),
            (&mut self.later, other.later),
            (&mut self.apparent_size, other.apparent_size),
            (&mut self.disk_size, other.disk_size),
            (&mut self.directory_disk_size, other.directory_disk_size),
            (&mut self.directories, other.directories),
            (&mut self.unused, other.unused),
            (&mut self.unused_apparent_size, other.unused_apparent_size),
            (&mut self.unused_disk_size, other.unused_disk_size),
            (&mut self.saved_apparent_size, other.saved_apparent_size),
            (&mut self.saved_disk_size, other.saved_disk_size),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// What reading `.links` gave.
#[derive(Default)]
pub(super) struct LinksRead {
    /// `None` if there are none.
    pub(super) links: Option<Links>,
    /// The inodes with several names that `stat` was called for.
    pub(super) inodes: Vec<Inode>,
    /// Those of one name.
    pub(super) unused: Vec<Inode>,
    /// The numbers of the inodes that are known, one for each of their names here.
    pub(super) known: Vec<u64>,
    pub(super) entries: u64,
    pub(super) stat_calls: u64,
    pub(super) warnings: Warnings,
}

/// Stats all of `.links`. The inodes are sorted, and distinct.
pub(super) fn read(walker: &Walker<'_>, devices: &Devices, progress: &Progress) -> LinksRead {
    let mut read = read_but(&InodeTable::default(), walker, devices, progress);
    let Some(sums) = &mut read.links else {
        return LinksRead { inodes: Vec::new(), ..read };
    };
    inodes::in_order(&mut read.inodes, Inode::key);
    read.inodes.dedup_by(|again, inode| {
        let same = again.key() == inode.key();
        if same {
            inode.add_link();
        }
        same
    });
    sums.apparent_size = sums.unused_apparent_size;
    sums.disk_size = sums.unused_disk_size;
    for inode in &mut read.inodes {
        inode.add_link();
        sums.apparent_size = sums.apparent_size.saturating_add(inode.apparent_size());
        sums.disk_size = sums.disk_size.saturating_add(inode.disk_size());
    }
    read
}

/// Reads all of `.links`, and calls `stat` for what is not among those that are known;
/// of the others each name gives an inode.
pub(super) fn read_but(
    known: &InodeTable,
    walker: &Walker<'_>,
    devices: &Devices,
    progress: &Progress,
) -> LinksRead {
    let walked = read_links(walker, &LinksSummer { devices, known }, progress);
    let mut read = LinksRead {
        inodes: Vec::with_capacity(walked.states.iter().map(|s| s.inodes.len()).sum()),
        entries: walked.entries,
        stat_calls: walked.stat_calls,
        warnings: walked.warnings,
        ..LinksRead::default()
    };
    let mut sums = Links::default();
    for state in walked.states {
        sums += state.links;
        read.inodes.extend(state.inodes);
        read.unused.extend(state.unused);
        read.known.extend(state.known);
    }
    sums.note_later(&mut read.warnings);
    read.links = Some(sums).filter(|sums| sums.directories > 0);
    read
}

/// The indexes of those inodes that have a name in `.links`; nothing is
/// examined with `stat` where inode numbers in directories can be trusted.
pub(super) fn members(
    walker: &Walker<'_>,
    devices: &Devices,
    table: &InodeTable,
    progress: &Progress,
) -> (Vec<u32>, u64, u64, Warnings) {
    let walked = read_links(walker, &Members { devices, table }, progress);
    (walked.states.concat(), walked.entries, walked.stat_calls, walked.warnings)
}

struct LinksSummer<'a> {
    devices: &'a Devices,
    known: &'a InodeTable,
}

#[derive(Default)]
struct LinksState {
    links: Links,
    inodes: Vec<Inode>,
    unused: Vec<Inode>,
    known: Vec<u64>,
}

impl LinksReader for LinksSummer<'_> {
    type State = LinksState;

    fn state(&self) -> LinksState {
        LinksState::default()
    }

    fn known(&self, _: &mut LinksState, ino: u64) -> bool {
        self.known.find(0, ino).is_some()
    }

    fn directory(&self, state: &mut LinksState, _: &LinksPlace<'_>, stat: Option<&Stat>) {
        state.links.add_directory(stat);
    }

    fn link(&self, state: &mut LinksState, at: &LinksPlace<'_>, entry: &WalkEntry<'_, ()>) {
        if let (FileType::Directory, EntryStat::Stat(stat)) = (entry.file_type, &entry.stat) {
            return self.directory(state, at, Some(stat));
        }
        state.links.entries += 1;
        state.links.later += u64::from(!at.in_links());
        let meta = match entry.stat {
            EntryStat::Stat(meta) => meta,
            EntryStat::Known(()) => return state.known.push(entry.ino),
            EntryStat::Failed => return,
        };
        if !matches!(entry.file_type, FileType::Regular | FileType::Symlink) {
            return;
        }
        state.links.count(meta.nlink, meta.size, meta.disk_size);
        let inode = Inode::new(self.devices.index(meta.dev), &meta);
        if meta.nlink > 1 { state.inodes.push(inode) } else { state.unused.push(inode) }
    }
}

/// Finds which inodes of a table have a name in `.links`.
struct Members<'a> {
    devices: &'a Devices,
    table: &'a InodeTable,
}

impl LinksReader for Members<'_> {
    type State = Vec<u32>;

    fn state(&self) -> Vec<u32> {
        Vec::new()
    }

    fn known(&self, state: &mut Vec<u32>, ino: u64) -> bool {
        state.extend(self.table.find(0, ino));
        true
    }

    fn met(&self, state: &mut Vec<u32>, meta: &Stat) {
        state.extend(self.table.find(self.devices.index(meta.dev), meta.ino));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{ScanOptions, scan};
    use super::*;
    use crate::fs::StoreFiles;

    #[test]
    fn sums_stop_at_the_largest_number() {
        // What several threads found, each two files of a half of all bytes.
        let mut one = Links::default();
        let half = 1 << 63;
        for nlink in [1, 1, 3, 3] {
            one.count(nlink, half, half);
        }
        one.directory_disk_size = half;
        let mut sums = Links::default();
        for _ in 0..3 {
            sums += one;
        }
        let sizes = [
            sums.unused_apparent_size,
            sums.unused_disk_size,
            sums.saved_apparent_size,
            sums.saved_disk_size,
            sums.directory_disk_size,
        ];
        assert_eq!((sizes, sums.unused), ([u64::MAX; 5], 6));
    }

    #[test]
    fn links_of_a_later_nix_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        for name in [".links/sha256/0ab", ".links-b3", "path"] {
            fs::create_dir_all(place(name)).unwrap();
        }
        for (name, link) in [("path/a", ".links/0a"), ("path/b", ".links/sha256/0ab/0b")] {
            fs::write(place(name), name).unwrap();
            fs::hard_link(place(name), place(link)).unwrap();
        }
        fs::hard_link(place("path/a"), place(".links-b3/0a-r")).unwrap();
        fs::write(place(".links-b3/unused-r"), "unused").unwrap();

        let files = StoreFiles::live(dir.path(), "/".as_ref()).unwrap();
        let options = ScanOptions { whole: true, ..ScanOptions::default() };
        let whole = scan(&files, &["path"], &options, &Progress::default()).unwrap();
        assert!(whole.others.is_empty(), "directories of links are not leftovers");
        let links = whole.links.unwrap();
        assert_eq!((links.entries, links.later, links.unused), (4, 3, 1));
        let warnings: Vec<_> = whole.warnings.iter().map(|w| w.kind).collect();
        assert_eq!(warnings, [WarningKind::Note]);
        // The closure of a path finds the same names.
        let alone = scan(&files, &["path"], &ScanOptions::default(), &Progress::default());
        for scan in [whole, alone.unwrap()] {
            let outside: Vec<_> = scan.inodes.iter().map(Inode::names_outside_links).collect();
            assert_eq!(outside, [1, 1]);
        }
    }
}
