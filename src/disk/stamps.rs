//! Stamps: what shows a later scan which paths are as this one found them.
//!
//! Nix changes a store path after it is registered only by replacing files with hard
//! links, by repairing it and by deleting it. Whatever adds, removes or replaces an
//! entry changes the time of its directory (`ctime`, which nobody can set). So a path
//! whose directories are the same inodes with the same times has the same entries. What
//! no directory shows stays unseen: bytes written into a file, its mode.
//!
//! Numbers of names change without a trace in the directories of the other names. They
//! are counted anew, for which it has to be known whose every inode is: those of one
//! name too, as they may get more. Of which kind they are is kept with them, and with
//! directories: it says of which kind their extents are.

use super::Inode;
use super::inodes::blocks;
use super::observe::Shared;
use super::scan::DiskScan;
use super::walk::{EntryStat, WalkEntry};
use crate::fs::{FileType, Incomparable, Moment, Stat, StoreFiles};
use crate::kinds::FileKind;
use crate::warning::Warnings;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::time::Duration;

/// Which inode a directory is, and when it last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Its inode number.
    pub(crate) ino: u64,
    /// Its `ctime`, in seconds since 1970.
    pub(crate) seconds: i64,
    /// The rest of it.
    pub(crate) nanoseconds: u32,
}

/// How a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    /// Its device.
    pub(crate) device: u64,
    /// Its length in bytes.
    pub(crate) size: u64,
    pub(crate) stamp: Stamp,
}

impl FileStamp {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self { device: stat.dev, size: stat.size, stamp: Stamp::of(stat) }
    }
}

/// How far behind the clock the times of a file system may be: two ticks of the slowest
/// kernel; or two seconds where it keeps no parts of one.
const TICK: Duration = Duration::from_millis(20);
const WHOLE_SECONDS: Duration = Duration::from_secs(2);

impl Stamp {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self { ino: stat.ino, seconds: stat.ctime, nanoseconds: stat.ctime_nsec }
    }

    /// Whether what changed at that moment or later would have another stamp.
    pub(crate) fn is_settled(&self, moment: &Moment) -> bool {
        (self.seconds, self.nanoseconds) < moment.before(self.tick())
    }

    fn tick(&self) -> Duration {
        if self.nanoseconds == 0 { WHOLE_SECONDS } else { TICK }
    }
}

/// Where and when a scan was made, and how the store directory was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreStamp {
    /// When it began.
    pub(crate) moment: Moment,
    /// The device of the store directory.
    pub(crate) device: u64,
    /// The number of its file system ([`Directory::file_system`](crate::fs::Directory)).
    pub(crate) file_system: u64,
    /// Whether NAR sizes are those with Nix's setting `use-case-hack`.
    pub(crate) use_case_hack: bool,
    /// That of the store directory.
    pub(crate) store: Stamp,
    /// How `.links` was.
    pub(crate) links: LinksStamp,
}

/// How the directory of links was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinksStamp {
    /// There was none.
    Missing,
    /// `.links` was there, with all links in it.
    Directory(Stamp),
    /// What is in it has to be looked at each time: it could not be read whole, or a
    /// later Nix keeps links in other directories.
    Unknown,
}

impl LinksStamp {
    /// As [`Stamp::is_settled`].
    fn is_settled(self, moment: &Moment) -> bool {
        match self {
            Self::Directory(links) => links.is_settled(moment),
            Self::Missing => true,
            Self::Unknown => false,
        }
    }
}

/// Why a store is scanned as if it never was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unlike {
    #[error("it was taken on another machine")]
    Machine,
    #[error("the clock was set back since it was taken")]
    Clock,
    #[error("the store is on another file system than when it was taken")]
    FileSystem,
    #[error("the setting use-case-hack is another than when it was taken")]
    CaseHack,
    #[error("inode numbers cannot be relied on in the store's file system")]
    InodeNumbers,
}

/// The stamps of a store directory as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tops {
    store: Stamp,
    links: LinksStamp,
}

impl Tops {
    fn now(files: &StoreFiles) -> Option<Self> {
        let missing = |name: &CStr| {
            let found = files.directory().stat(name);
            found.is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
        };
        let links = match files.directory().stat(c".links") {
            _ if !missing(c".links-b3") => LinksStamp::Unknown,
            Ok(stat) if is_directory(&stat) => LinksStamp::Directory(Stamp::of(&stat)),
            Err(_) if missing(c".links") => LinksStamp::Missing,
            _ => LinksStamp::Unknown,
        };
        let store = files.directory().stat(c"").ok()?;
        Some(Self { store: Stamp::of(&store), links })
    }

    fn are_settled(&self, moment: &Moment) -> bool {
        self.links.is_settled(moment) && self.store.is_settled(moment)
    }
}

fn is_directory(stat: &Stat) -> bool {
    stat.file_type() == FileType::Directory
}

impl StoreStamp {
    /// How the store is before a scan; `None` where no later scan could rely on it.
    /// Waits until what changes from now on can be told from what changed before, which
    /// is a tick of the clock.
    pub(super) fn before_scan(files: &StoreFiles, use_case_hack: bool) -> Option<Self> {
        let facts = files.facts();
        if !facts.trusted_inodes || facts.mounts_below != Some(false) {
            return None;
        }
        let (mut moment, mut tops) = (Moment::now(), Tops::now(files)?);
        if !tops.are_settled(&moment) {
            std::thread::sleep(tops.store.tick() + TICK / 4);
            (moment, tops) = (Moment::now(), Tops::now(files)?);
        }
        Some(Self {
            moment,
            device: files.stat().dev,
            file_system: files.directory().file_system()?,
            use_case_hack,
            store: tops.store,
            links: tops.links,
        })
    }

    /// Whether anything that was found then can be taken over now.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn compare(
        &self,
        files: &StoreFiles,
        now: &Moment,
        use_case_hack: bool,
    ) -> Result<(), Unlike> {
        match self.moment.incomparable(now) {
            Some(Incomparable::Machine) => return Err(Unlike::Machine),
            Some(Incomparable::Clock) => return Err(Unlike::Clock),
            None => {}
        }
        let facts = files.facts();
        let same_file_system = self.device == files.stat().dev
            && files.directory().file_system() == Some(self.file_system)
            && self.store.ino == files.stat().ino;
        if !same_file_system {
            Err(Unlike::FileSystem)
        } else if !facts.trusted_inodes || facts.mounts_below != Some(false) {
            Err(Unlike::InodeNumbers)
        } else if self.use_case_hack != use_case_hack {
            Err(Unlike::CaseHack)
        } else {
            Ok(())
        }
    }

    /// Whether nothing was put into the store directory or `.links` since, or taken out.
    pub(crate) fn is_same(&self, files: &StoreFiles) -> bool {
        let then = Tops { store: self.store, links: self.links };
        then.are_settled(&self.moment) && Tops::now(files) == Some(then)
    }

    /// Whether nothing was put into `.links` since, or taken out.
    pub(super) fn has_same_links(&self, files: &StoreFiles) -> bool {
        self.links.is_settled(&self.moment)
            && Tops::now(files).is_some_and(|now| now.links == self.links)
    }
}

/// A directory of a path, with its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryStamp<'a> {
    /// How many directories of the path it lies in.
    pub(crate) depth: u32,
    pub(crate) stamp: Stamp,
    pub(crate) kind: FileKind,
    /// Its name with the NUL that ends it; nothing but that for the path itself.
    name: &'a [u8],
}

impl<'a> DirectoryStamp<'a> {
    /// Its name.
    pub(crate) fn name(&self) -> &'a [u8] {
        self.name.split_last().map_or(&[], |(_, name)| name)
    }
}

/// An inode that has one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Single {
    pub(crate) ino: u64,
    /// Its blocks, in units of 512 bytes; as many as fit.
    pub(crate) blocks: u32,
    pub(crate) kind: FileKind,
}

impl Single {
    pub(super) fn new(ino: u64, disk_size: u64, kind: FileKind) -> Self {
        Self { ino, blocks: blocks(disk_size), kind }
    }
}

/// The stamps of the directories of each path, and the inodes that have one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathStamps {
    /// Where the directories of each path end.
    directories_end: Vec<usize>,
    /// Each directory before those in it.
    depths: Vec<u32>,
    stamps: Vec<Stamp>,
    kinds: Vec<FileKind>,
    /// All names, each with a NUL, and where each ends.
    names: Vec<u8>,
    names_end: Vec<usize>,
    /// Where the inodes of one name of each path end.
    singles_end: Vec<usize>,
    /// Ascending in a path.
    singles: Vec<Single>,
    /// The inodes that have a name in `.links` and no other.
    pub(crate) unused_links: Vec<Inode>,
}

/// No stamps are kept of deeper paths: they are walked each time.
const DEEPEST: u32 = 200;

impl PathStamps {
    /// How many paths it has stamps of, or none.
    pub(crate) fn len(&self) -> usize {
        self.directories_end.len()
    }

    /// The directories of a path, each before those in it; none for a path that is to be
    /// walked again, whatever it looks like.
    pub(crate) fn directories(&self, path: u32) -> impl Iterator<Item = DirectoryStamp<'_>> {
        range(&self.directories_end, path).map(|at| DirectoryStamp {
            depth: self.depths[at],
            stamp: self.stamps[at],
            kind: self.kinds[at],
            name: &self.names[range(&self.names_end, at as u32)],
        })
    }

    /// The inodes of a path that have one name; none if it has no directories.
    pub(crate) fn singles(&self, path: u32) -> &[Single] {
        &self.singles[range(&self.singles_end, path)]
    }

    /// Adds a directory of the path at hand.
    pub(crate) fn push_directory(&mut self, depth: u32, stamp: Stamp, kind: FileKind, name: &[u8]) {
        self.depths.push(depth);
        self.stamps.push(stamp);
        self.kinds.push(kind);
        self.names.extend_from_slice(name);
        self.names.push(0);
        self.names_end.push(self.names.len());
    }

    /// Ends the path at hand, whose inodes of one name these are.
    pub(crate) fn end_path(&mut self, singles: impl IntoIterator<Item = Single>) {
        self.directories_end.push(self.depths.len());
        self.singles.extend(singles);
        self.singles_end.push(self.singles.len());
    }

    /// Whether the directories of a path are as they were; and how many calls of `stat`
    /// that took. Each is shown as it is now, with its kind.
    pub(super) fn is_same(
        &self,
        path: u32,
        moment: &Moment,
        files: &StoreFiles,
        name: &[u8],
        mut each: impl FnMut(&Stat, FileKind),
    ) -> (bool, u64) {
        let mut calls = 0;
        let mut open: Vec<crate::fs::Directory> = Vec::new();
        let mut directories = self.directories(path).peekable();
        if directories.peek().is_none() {
            return (false, calls);
        }
        let Ok(top) = CString::new(name) else { return (false, calls) };
        while let Some(DirectoryStamp { depth, stamp, kind, name }) = directories.next() {
            open.truncate(depth as usize);
            let name = match depth {
                0 => &*top,
                _ => CStr::from_bytes_with_nul(name).unwrap_or_default(),
            };
            let at = open.last().unwrap_or(files.directory());
            calls += 1;
            let Some(found) = at.stat(name).ok().filter(is_directory) else {
                return (false, calls);
            };
            if !stamp.is_settled(moment) || Stamp::of(&found) != stamp {
                return (false, calls);
            }
            each(&found, kind);
            if directories.peek().is_some_and(|next| next.depth > depth) {
                let Ok(directory) = at.pass_directory(name) else { return (false, calls) };
                open.push(directory);
            }
        }
        (true, calls)
    }
}

fn range(ends: &[usize], i: u32) -> std::ops::Range<usize> {
    let i = i as usize;
    let start = i.checked_sub(1).map_or(0, |before| ends[before]);
    start..ends[i]
}

/// What one thread of a walk gathers.
#[derive(Default)]
pub(super) struct Gathered {
    directories: Vec<Found>,
    /// By path: inodes of one name.
    singles: Vec<(u32, Single)>,
}

struct Found {
    path: u32,
    /// The inode number of the directory that it is in; 0 for a path itself.
    parent: u64,
    stamp: Stamp,
    kind: FileKind,
    name: Box<[u8]>,
}

impl Gathered {
    /// Takes note of a path itself.
    pub(super) fn top(&mut self, path: u32, entry: &WalkEntry<'_, Shared>, kind: FileKind) {
        if let (FileType::Directory, EntryStat::Stat(stat)) = (entry.file_type, &entry.stat) {
            self.directory((path, 0), stat, kind, b"");
        }
    }

    /// Takes note of an entry of the directory of that number, in a path.
    pub(super) fn entry(
        &mut self,
        (path, parent): (u32, u64),
        entry: &WalkEntry<'_, Shared>,
        kind: FileKind,
    ) {
        match (entry.file_type, &entry.stat) {
            (FileType::Directory, EntryStat::Stat(stat)) => {
                self.directory((path, parent), stat, kind, entry.name());
            }
            (_, EntryStat::Stat(stat)) => {
                self.singles.push((path, Single::new(stat.ino, stat.disk_size, kind)));
            }
            _ => {}
        }
    }

    fn directory(&mut self, (path, parent): (u32, u64), stat: &Stat, kind: FileKind, name: &[u8]) {
        let stamp = Stamp::of(stat);
        self.directories.push(Found { path, parent, stamp, kind, name: name.into() });
    }
}

/// Stamps of paths that were walked, by path.
pub(super) struct Walked {
    directories: Vec<Found>,
    singles: Vec<(u32, Single)>,
}

impl Walked {
    pub(super) fn new(states: impl IntoIterator<Item = Gathered>) -> Self {
        let (mut directories, mut singles) = (Vec::new(), Vec::new());
        for state in states {
            directories.extend(state.directories);
            singles.extend(state.singles);
        }
        directories.sort_unstable_by(|a, b| (a.path, &a.name).cmp(&(b.path, &b.name)));
        singles.sort_unstable();
        Self { directories, singles }
    }

    /// Adds the directories of a path in their order, and its inodes of one name; nothing
    /// where they do not make a tree, or one too deep.
    pub(super) fn put(&self, path: u32, stamps: &mut PathStamps) {
        let of = |found: &Found| found.path;
        let directories = of_path(&self.directories, path, of);
        let mut below: HashMap<u64, Vec<&Found>> = HashMap::new();
        for found in directories {
            below.entry(found.parent).or_default().push(found);
        }
        let (depths, names) = (stamps.depths.len(), stamps.names.len());
        let mut left: Vec<(u32, &Found)> =
            below.remove(&0).into_iter().flatten().map(|top| (0, top)).collect();
        let mut deepest = 0;
        while let Some((depth, found)) = left.pop() {
            stamps.push_directory(depth, found.stamp, found.kind, &found.name);
            deepest = deepest.max(depth);
            let below = below.remove(&found.stamp.ino).unwrap_or_default();
            left.extend(below.into_iter().rev().map(|found| (depth + 1, found)));
        }
        if !below.is_empty() || deepest > DEEPEST {
            stamps.depths.truncate(depths);
            stamps.stamps.truncate(depths);
            stamps.kinds.truncate(depths);
            stamps.names_end.truncate(depths);
            stamps.names.truncate(names);
        }
        let kept = stamps.depths.len() > depths;
        let singles = of_path(&self.singles, path, |&(path, _)| path);
        stamps.end_path(singles.iter().filter(|_| kept).map(|&(_, single)| single));
    }
}

/// Those of a path among some that are sorted by path.
fn of_path<T>(all: &[T], path: u32, of: impl Fn(&T) -> u32) -> &[T] {
    let start = all.partition_point(|one| of(one) < path);
    let end = all.partition_point(|one| of(one) <= path);
    &all[start..end]
}

/// The paths of a scan that have to be walked again each time: something was to be said
/// of them, or they hold an inode whose names do not add up. `None` if something was said
/// that may be about any. `names` are those of the paths that were asked for.
pub(super) fn to_walk_again<'w, N: AsRef<[u8]>>(
    scan: &DiskScan,
    warnings: impl IntoIterator<Item = &'w Warnings>,
    names: &[N],
    files: &StoreFiles,
    store: &mut StoreStamp,
) -> Option<Vec<bool>> {
    let mut again = vec![false; scan.names.len()];
    if scan.devices.len() > 1 || scan.inodes.iter().any(|inode| inode.links() > 2) {
        return None;
    }
    let prefix = files.path_of(b"");
    for warnings in warnings {
        if warnings.iter().count() as u64 != warnings.total() {
            return None;
        }
        for warning in warnings.iter() {
            let below = warning.path.strip_prefix(&*prefix).unwrap_or(&warning.path);
            let top = below.split(|&b| b == b'/').next().unwrap_or_default();
            if top.starts_with(b".links") {
                store.links = LinksStamp::Unknown;
                continue;
            }
            let path = find(names, &scan.others, top)?;
            again[path as usize] = true;
        }
    }
    if scan.links.is_some_and(|links| links.later > 0 || links.directories > 1) {
        store.links = LinksStamp::Unknown;
    }
    let steady = store.is_same(files);
    let counted = scan.count_names();
    let odd = |inode: usize| {
        let (names, nlink) = (counted[inode], scan.inodes[inode].nlink);
        names > nlink || !steady && names != nlink
    };
    if (0..counted.len()).any(|inode| scan.inodes[inode].linked() && odd(inode)) {
        store.links = LinksStamp::Unknown;
    }
    for (again, row) in again.iter_mut().zip(scan.names.iter()) {
        *again |= row.iter().any(|&inode| odd(inode as usize));
    }
    Some(again)
}

/// The number of the path of that name: of those asked for, then of the others.
pub(super) fn find<N: AsRef<[u8]>, T>(
    names: &[N],
    others: &[(Vec<u8>, T)],
    name: &[u8],
) -> Option<u32> {
    let asked = names.binary_search_by(|other| other.as_ref().cmp(name));
    let found = asked.or_else(|_| {
        let other = others.binary_search_by(|(other, _)| other.as_slice().cmp(name));
        other.map(|at| names.len() + at)
    });
    found.ok().map(|at| at as u32)
}
