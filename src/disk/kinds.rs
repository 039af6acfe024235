//! What of each path is of which kind, found in the walk that sums.

mod extents;

pub(crate) use extents::{ExtentsByKind, KindUser};

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::engine::PART;
use super::observe::{Observed, Observer, Shared};
use super::stamps::Gathered;
use super::walk::{EntryStat, WalkDirectory, WalkEntry};
use super::{DiskError, DiskScan, ExtentsByInode, Progress, ScanOptions, scan_observed};
use crate::arrange::Arrange as _;
use crate::fs::{FileType, StoreFiles};
use crate::kinds::{FileKind, Head, Place};
use crate::nar::{name_in_nar, size};
use crate::store::without_hash_part;
use crate::warning::{WarningKind, Warnings};

/// Sums over entries of one kind, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSums {
    /// Names of files and symlinks, and directories.
    pub entries: u64,
    /// What they take in a NAR, where every name of an inode counts. Over all
    /// kinds of a path this sums to its NAR size.
    pub nar_size: u64,
    /// `st_size` of regular files and symlinks, each inode once.
    pub apparent_size: u64,
    /// Blocks, each inode once.
    pub disk_size: u64,
}

impl AddAssign for KindSums {
    /// Stops at the largest number.
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.entries, other.entries),
            (&mut self.nar_size, other.nar_size),
            (&mut self.apparent_size, other.apparent_size),
            (&mut self.disk_size, other.disk_size),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// A name of an inode that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedName {
    /// The index into [`DiskScan::inodes`].
    pub inode: u32,
    /// The kind that this name is of.
    pub kind: FileKind,
}

/// A file of the store's own file system that has blocks and no other name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileOfKind {
    pub(crate) ino: u64,
    pub(crate) kind: FileKind,
}

/// Sums of a path and a kind.
type OwnOfKind = (u32, FileKind, KindSums);

/// The kinds of what a scan met.
#[derive(Clone, Debug, Default)]
pub struct KindScan {
    /// By path and kind, ascending. Without the sizes of inodes with several names.
    own: Vec<OwnOfKind>,
    /// By path, then inode, then kind; one for each name.
    names: Vec<(u32, SharedName)>,
    /// By path: files with one name, where extents are known by inode.
    files: Vec<(u32, FileOfKind)>,
    /// Of a snapshot, extents by kind, if it has them.
    pub(crate) kept_extents: Option<ExtentsByKind>,
    /// What kept kinds from being known.
    pub(crate) warnings: Warnings,
}

/// Of each path and kind, then of each path and name.
type KindParts<'a> = (&'a [OwnOfKind], &'a [(u32, SharedName)]);

impl KindScan {
    /// Sums by path and kind, and names by path, inode and kind.
    pub(crate) fn parts(&self) -> KindParts<'_> {
        (&self.own, &self.names)
    }

    /// A scan of such parts; `None` if they are out of order.
    pub(crate) fn from_parts(
        own: Vec<OwnOfKind>,
        names: Vec<(u32, SharedName)>,
        warnings: Warnings,
    ) -> Option<Self> {
        let key = |&(path, kind, _): &OwnOfKind| (path, kind);
        let fits = own.windows(2).all(|w| key(&w[0]) < key(&w[1])) && names.is_sorted();
        fits.then_some(Self { own, names, warnings, ..Self::default() })
    }

    /// Adds what is known of other paths, in any order.
    pub(super) fn add(
        &mut self,
        own: Vec<OwnOfKind>,
        names: Vec<(u32, SharedName)>,
        files: Vec<(u32, FileOfKind)>,
    ) {
        self.own.extend(own);
        self.names.extend(names);
        self.files.extend(files);
        in_order(&mut self.own, &mut self.names, &mut self.files);
    }

    /// Extents by kind: made of those by inode where these are known, or those of a snapshot.
    pub(crate) fn extents(
        &self,
        by_inode: Option<&ExtentsByInode>,
    ) -> Option<Cow<'_, ExtentsByKind>> {
        match by_inode {
            Some(extents) => Some(Cow::Owned(ExtentsByKind::new(self, extents))),
            None => self.kept_extents.as_ref().map(Cow::Borrowed),
        }
    }

    /// Moves what kept kinds from being known to the warnings of the scan.
    pub(crate) fn warn_in(&mut self, scan: &mut DiskScan) {
        scan.warnings.extend(std::mem::take(&mut self.warnings));
        scan.warnings.sort();
    }

    /// The kinds of some paths alone, as [`DiskScan::restrict`] has them: by their
    /// places in `scan`, ascending and distinct. Names of inodes that the paths have
    /// no names of, as a forged snapshot may hold, are left out.
    pub(crate) fn restrict(&self, scan: &DiskScan, paths: &[u32]) -> Self {
        let (_, renumbered) = scan.inodes_of(paths);
        let (mut own, mut names, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &path) in (0u32..).zip(paths) {
            files.extend(self.files(path).map(|file| (place, file)));
            own.extend(self.own(path).map(|(kind, sums)| (place, kind, *sums)));
            names.extend(self.names(path).filter_map(|SharedName { inode, kind }| {
                let inode = renumbered[inode as usize]?.node();
                Some((place, SharedName { inode, kind }))
            }));
        }
        names.sort_unstable();
        let kept_extents = self.kept_extents.as_ref().map(|extents| {
            let place = |path| paths.binary_search(&path).ok().map(|place| place as u32);
            extents.restrict(place, |inode| Some(renumbered[inode as usize]?.node()))
        });
        Self { own, names, files, kept_extents, warnings: self.warnings.clone() }
    }

    /// For the path at this place in [`DiskScan::usages`] each kind of what is
    /// in it, ascending: without the apparent and disk sizes of inodes with
    /// several names, which are [`KindScan::names`].
    #[inline]
    pub fn own(&self, path: u32) -> impl Iterator<Item = (FileKind, &KindSums)> + Clone {
        let start = self.own.partition_point(|&(of, ..)| of < path);
        let of_path = self.own[start..].iter().take_while(move |&&(of, ..)| of == path);
        of_path.map(|(_, kind, sums)| (*kind, sums))
    }

    /// The names that inodes with several have in a path, by inode and kind.
    #[inline]
    pub fn names(&self, path: u32) -> impl Iterator<Item = SharedName> + Clone + '_ {
        let start = self.names.partition_point(|&(of, _)| of < path);
        self.names[start..].iter().take_while(move |&&(of, _)| of == path).map(|&(_, name)| name)
    }

    /// The kind of a name that an inode with several has in a path.
    pub(super) fn kind_of(&self, path: u32, inode: u32) -> Option<FileKind> {
        let of = |&(path, SharedName { inode, .. }): &(u32, SharedName)| (path, inode);
        let at = self.names.partition_point(|name| of(name) < (path, inode));
        self.names.get(at).filter(|name| of(name) == (path, inode)).map(|(_, name)| name.kind)
    }

    /// The files of a path that have no other name, where extents are known by inode.
    pub(crate) fn files(&self, path: u32) -> impl Iterator<Item = FileOfKind> + Clone + '_ {
        let start = self.files.partition_point(|&(of, _)| of < path);
        self.files[start..].iter().take_while(move |&&(of, _)| of == path).map(|&(_, file)| file)
    }
}

/// Scans paths as [`scan`](super::scan) does, and finds what of them is of
/// which kind. The first bytes of files that no rule decides by name are read.
///
/// # Errors
/// As [`scan`](super::scan).
pub fn scan_kinds<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
) -> Result<(DiskScan, KindScan), DiskError> {
    let (mut scan, mut kinds) = scan_kinds_apart(files, names, options, progress)?;
    kinds.warn_in(&mut scan);
    Ok((scan, kinds))
}

/// The same; what kept kinds from being known is among the warnings of the kinds
/// alone.
///
/// # Errors
/// As [`scan`](super::scan).
pub(crate) fn scan_kinds_apart<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
) -> Result<(DiskScan, KindScan), DiskError> {
    let sorter = Sorter::new(options);
    let (scan, observed) = scan_observed(files, names, options, progress, &sorter)?;
    Ok((scan, found(observed)))
}

/// By path and kind, by path and inode, and by path and inode number.
fn in_order(
    own: &mut [OwnOfKind],
    names: &mut [(u32, SharedName)],
    files: &mut [(u32, FileOfKind)],
) {
    own.arrange_by_number(|&(path, kind, _)| u64::from(path) << 8 | kind as u64);
    names.sort_unstable();
    files.arrange_by_number(|(_, file)| file.ino);
    files.arrange_by_number(|&(path, _)| path.into());
}

/// The kinds that were found, and what kept others from being known.
pub(super) fn found(observed: Observed<Sorted>) -> KindScan {
    let Observed { states, renumbered, .. } = observed;
    let (mut own, mut names, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut warnings = Warnings::new();
    for mut state in states {
        own.extend(state.unsettled());
        own.extend(state.settled);
        names.extend(state.names.iter().map(|&(path, number, kind)| {
            (path, SharedName { inode: renumbered.index(number), kind })
        }));
        files.append(&mut state.files);
        warnings.extend(state.warnings);
    }
    in_order(&mut own, &mut names, &mut files);
    own.dedup_by(|next, kept| {
        let same = (next.0, next.1) == (kept.0, kept.1);
        if same {
            kept.2 += next.2;
        }
        same
    });
    warnings.sort();
    KindScan { own, names, files, warnings, ..KindScan::default() }
}

/// What is known of an inode that `stat` was not called for.
pub(crate) trait KnownInode: Copy {
    /// Whether its owner may execute it.
    fn executable(self) -> bool;

    /// A number that stands for it, so that its first bytes are read once.
    fn number(self) -> Option<u32>;
}

impl KnownInode for Shared {
    fn executable(self) -> bool {
        self.executable
    }

    fn number(self) -> Option<u32> {
        Some(Self::number(self))
    }
}

/// `stat` is called for every entry.
impl KnownInode for () {
    fn executable(self) -> bool {
        false
    }

    fn number(self) -> Option<u32> {
        None
    }
}

/// Finds out in a walk of which kind each entry is.
#[derive(Debug, Default)]
pub(crate) struct KindFinder {
    /// The first bytes of inodes with several names, by number: read once.
    heads: Mutex<HashMap<u32, Head>>,
}

/// A directory's [`Place`], passed on from directory to directory in a walk. The
/// default is a store path's.
#[derive(Debug, Default)]
pub(crate) struct WalkPlace {
    by_name: Place,
    /// Whether it was found to be a tree of nixpkgs when it was shown.
    nixpkgs: AtomicBool,
}

impl WalkPlace {
    fn place(&self) -> Place {
        match self.nixpkgs.load(Ordering::Acquire) {
            true => Place::all(FileKind::Sources),
            false => self.by_name,
        }
    }

    /// That of the directory `name` in this one, which has been shown.
    pub(crate) fn entered(&self, name: &[u8]) -> Self {
        Self { by_name: self.place().entered(name), nixpkgs: AtomicBool::new(false) }
    }
}

impl KindFinder {
    /// The kind of a store path itself. What cannot be read is `other`, and
    /// warned of.
    pub(crate) fn top<T: KnownInode, C>(
        &self,
        warnings: &mut Warnings,
        directory: &WalkDirectory<'_, C>,
        entry: &WalkEntry<'_, T>,
    ) -> FileKind {
        let name = without_hash_part(entry.name());
        self.kind(warnings, Place::default(), name, directory, entry)
    }

    /// Shows each entry of a directory, which is `at`, with its kind. To be
    /// called for each directory before those in it, as a walk does.
    pub(crate) fn directory<'e, T: KnownInode, C>(
        &self,
        warnings: &mut Warnings,
        at: &WalkPlace,
        directory: &WalkDirectory<'_, C>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, T>> + Clone,
        mut each: impl FnMut(&WalkEntry<'e, T>, FileKind),
    ) {
        // Of a large directory only a part is shown.
        let has = |wanted: &str| {
            let there = entries.clone().any(|e| e.name() == wanted.as_bytes());
            let whole = directory.position() == 0 && entries.len() < PART;
            let name = std::ffi::CString::new(wanted).unwrap_or_default();
            there || !whole && directory.files().stat(&name).is_ok()
        };
        let place = at.by_name.holding(directory.depth().saturating_sub(1), has);
        if place != at.by_name {
            at.nixpkgs.store(true, Ordering::Release);
        }
        for entry in entries {
            // A directory that is a place is of that kind itself.
            let of_entry = match entry.file_type {
                FileType::Directory => place.entered(entry.name()),
                _ => place,
            };
            let kind = self.kind(warnings, of_entry, entry.name(), directory, &entry);
            each(&entry, kind);
        }
    }

    fn kind<T: KnownInode, C>(
        &self,
        warnings: &mut Warnings,
        place: Place,
        name: &[u8],
        directory: &WalkDirectory<'_, C>,
        entry: &WalkEntry<'_, T>,
    ) -> FileKind {
        let executable = match entry.stat {
            EntryStat::Stat(meta) => meta.executable(),
            EntryStat::Known(inode) => inode.executable(),
            EntryStat::Failed => return FileKind::Other,
        };
        let head = || self.head(directory, entry);
        place.kind_of(name, entry.file_type, executable, head).unwrap_or_else(|error| {
            let message = format!("its kind is not known: {error}");
            directory.warn(warnings, WarningKind::of_error(&error), entry.name(), message);
            FileKind::Other
        })
    }

    fn head<T: KnownInode, C>(
        &self,
        directory: &WalkDirectory<'_, C>,
        entry: &WalkEntry<'_, T>,
    ) -> io::Result<Head> {
        let number = match entry.stat {
            EntryStat::Known(inode) => inode.number(),
            _ => None,
        };
        if let Some(number) = number
            && let Some(&head) = lock(&self.heads).get(&number)
        {
            return Ok(head);
        }
        let head = Head::read(&directory.open_file(entry)?)?;
        if let Some(number) = number {
            lock(&self.heads).insert(number, head);
        }
        Ok(head)
    }
}

/// The observer that sorts entries into kinds.
pub(super) struct Sorter {
    use_case_hack: bool,
    inode_extents: bool,
    /// Whether stamps are gathered, too.
    stamps: bool,
    finder: KindFinder,
}

impl Sorter {
    pub(super) fn new(options: &ScanOptions) -> Self {
        Self {
            use_case_hack: options.use_case_hack,
            inode_extents: options.inode_extents,
            stamps: false,
            finder: KindFinder::default(),
        }
    }

    /// The same, which gathers stamps, too.
    pub(super) fn with_stamps(options: &ScanOptions) -> Self {
        Self { stamps: true, ..Self::new(options) }
    }
}

/// What one thread gathers.
pub(super) struct Sorted {
    /// The path at hand, and what was summed of it since it is.
    path: u32,
    sums: [KindSums; FileKind::COUNT],
    settled: Vec<(u32, FileKind, KindSums)>,
    /// Path, number of the inode, kind: one a name.
    names: Vec<(u32, u32, FileKind)>,
    /// The device whose files with one name are noted, if any are.
    device: Option<u64>,
    files: Vec<(u32, FileOfKind)>,
    /// Stamps, if they are gathered.
    gathered: Option<Gathered>,
    warnings: Warnings,
}

impl Sorted {
    /// The stamps that were gathered.
    pub(super) fn take_stamps(&mut self) -> Gathered {
        self.gathered.take().unwrap_or_default()
    }

    fn turn_to(&mut self, path: u32) {
        if self.path != path {
            let settled: Vec<_> = self.unsettled().collect();
            self.settled.extend(settled);
            self.sums = [KindSums::default(); FileKind::COUNT];
            self.path = path;
        }
    }

    fn unsettled(&self) -> impl Iterator<Item = (u32, FileKind, KindSums)> + '_ {
        let all = FileKind::ALL.iter().zip(&self.sums);
        all.filter(|(_, sums)| sums.entries > 0).map(|(&kind, &sums)| (self.path, kind, sums))
    }

    /// Counts an entry; `in_nar`: what its NAR has beside its node.
    fn count(&mut self, entry: &WalkEntry<'_, Shared>, kind: FileKind, in_nar: u64) {
        let sums = &mut self.sums[kind as usize];
        let mut more = KindSums { entries: 1, ..KindSums::default() };
        match entry.stat {
            EntryStat::Known(shared) => {
                more.nar_size = shared.node + in_nar;
                self.names.push((self.path, shared.number, kind));
            }
            EntryStat::Stat(meta) => {
                let node = size::node(entry.file_type, meta.size, meta.executable()).unwrap_or(0);
                more.nar_size = node.saturating_add(in_nar);
                more.disk_size = meta.disk_size;
                if matches!(entry.file_type, FileType::Regular | FileType::Symlink) {
                    more.apparent_size = meta.size;
                }
                if self.device == Some(meta.dev) && meta.disk_size > 0 {
                    self.files.push((self.path, FileOfKind { ino: meta.ino, kind }));
                }
            }
            EntryStat::Failed => return,
        }
        *sums += more;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Sorter {
    type State = Sorted;
    type Context = WalkPlace;

    fn state(&self, device: Option<u64>) -> Sorted {
        Sorted {
            path: u32::MAX,
            sums: [KindSums::default(); FileKind::COUNT],
            settled: Vec::new(),
            names: Vec::new(),
            device: device.filter(|_| self.inode_extents),
            files: Vec::new(),
            gathered: self.stamps.then(Gathered::default),
            warnings: Warnings::new(),
        }
    }

    fn top(
        &self,
        sorted: &mut Sorted,
        directory: &WalkDirectory<'_, WalkPlace>,
        entry: &WalkEntry<'_, Shared>,
    ) {
        sorted.turn_to(directory.path());
        let kind = self.finder.top(&mut sorted.warnings, directory, entry);
        sorted.count(entry, kind, size::NAR);
        if let Some(gathered) = &mut sorted.gathered {
            gathered.top(directory.path(), entry, kind);
        }
    }

    fn directory<'e>(
        &self,
        sorted: &mut Sorted,
        directory: &WalkDirectory<'_, WalkPlace>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>> + Clone,
    ) {
        let Some(at) = directory.context() else { return };
        sorted.turn_to(directory.path());
        // Taken out for the call, to count beside it.
        let mut warnings = std::mem::take(&mut sorted.warnings);
        self.finder.directory(&mut warnings, at, directory, entries, |entry, kind| {
            let in_nar = match entry.file_type < FileType::Other {
                true => size::entry(name_in_nar(entry.name(), self.use_case_hack).len() as u64),
                false => 0,
            };
            sorted.count(entry, kind, in_nar);
            if let Some(gathered) = &mut sorted.gathered {
                gathered.entry((directory.path(), directory.identity().1), entry, kind);
            }
        });
        sorted.warnings = warnings;
    }

    fn descend(&self, directory: &WalkDirectory<'_, WalkPlace>, name: &[u8]) -> Option<WalkPlace> {
        Some(directory.context().map_or_else(WalkPlace::default, |at| at.entered(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_of_inodes_that_the_paths_do_not_have_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a", "b"] {
            fs::create_dir(dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join("a/x"), "x").unwrap();
        fs::hard_link(dir.path().join("a/x"), dir.path().join("a/y")).unwrap();
        let files = StoreFiles::live(dir.path(), "/".as_ref()).unwrap();
        let options = ScanOptions::default();
        let scanned = scan_kinds(&files, &["a", "b"], &options, &Progress::default());
        let (scan, kinds) = scanned.unwrap();
        assert_eq!(kinds.restrict(&scan, &[0]).names(0).count(), 2);
        // As no scan has it: what `b` has a name of is in `a` alone.
        let name = SharedName { inode: 0, kind: FileKind::Other };
        let forged = KindScan::from_parts(Vec::new(), vec![(1, name)], Warnings::new()).unwrap();
        assert_eq!(forged.names(1).count(), 1);
        assert_eq!(forged.restrict(&scan, &[1]).names(0).count(), 0);
    }
}
