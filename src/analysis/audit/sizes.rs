//! What `stat` alone shows: one walk, one call for each inode.
//!
//! Nix gives every file canonical metadata (`canonicalisePathMetaData` in
//! `posix-fs-canonicalise.cc`): mode 0444 or 0555, modified at 1 second since
//! 1970, one owner, no extended attributes but a few.

use super::{Canonical, Finding, FindingKind, Gathered, Subject};
use crate::arrange::Arrange as _;
use crate::catalog::{Catalog, PathId};
use crate::disk::{
    self, DiskError, EntryStat, ExtentsOption, LinksPlace, LinksReader, ScanOptions, Top, Total,
    Visitor, WalkDirectory, WalkEntry, Walker,
};
use crate::fs::{FileType, Stat, StoreFiles};
use crate::nar::{name_in_nar, nix32, size, stream};
use crate::store::StorePath;
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many files of one path are named with the same fault; the others are counted.
const NAMED: usize = 5;
/// How many paths are asked for their owner.
const ASKED: usize = 1000;
const PRESENT: u8 = 1;
const PARTLY: u8 = 2;

/// What is known of an inode with several names that is as it should be.
type Known = (u64, bool);

struct Checker<'a> {
    store_dir: &'a str,
    /// By index: NAR sizes, and whether the path is there and was read whole.
    nar_sizes: Vec<AtomicU64>,
    states: Vec<AtomicU8>,
    /// The owner that files should have.
    owner: Option<u32>,
    device: u64,
    known: Vec<Mutex<HashMap<u64, Known>>>,
    xattrs: bool,
    canonical: &'a Canonical,
}

/// Files of one path with one fault: those least deep, of them the first by name,
/// and how many. Of a tree of directories in each other, the names of all would
/// take time with the square of its depth.
#[derive(Clone, Default)]
pub(super) struct Faults {
    /// Each with the depth of its directory.
    named: Vec<(u32, Finding)>,
    count: u64,
    /// Where enough are named: files deeper than this are counted alone.
    deepest: Option<u32>,
}

impl Faults {
    pub(super) fn add(&mut self, depth: u32, finding: impl FnOnce() -> Finding) {
        self.count += 1;
        if self.deepest.is_some_and(|deepest| depth > deepest) {
            return;
        }
        self.named.push((depth, finding()));
        if self.named.len() > 4 * NAMED {
            self.cut();
        }
    }

    /// The findings of a path: each file named, or how many more there are.
    pub(super) fn findings(mut self, kind: FindingKind, path: &str) -> Vec<Finding> {
        self.cut();
        let rest = self.count - self.named.len() as u64;
        let mut findings: Vec<_> = self.named.into_iter().map(|(_, finding)| finding).collect();
        if rest > 0 {
            findings.push(Finding::new(kind, path, "", format!("{rest} more files")));
        }
        findings
    }

    fn cut(&mut self) {
        self.named.arrange();
        self.named.truncate(NAMED);
        self.deepest = self.named.get(NAMED - 1).map(|&(depth, _)| depth);
    }
}

/// A fault of a file: of which kind, what was expected, and what was found.
pub(super) type Fault = (FindingKind, String, String);

/// What is wrong with a file by what `stat` says of it.
pub(super) fn faults(meta: &Stat, owner: Option<u32>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |kind, expected: &str, found: String| {
        faults.push((kind, expected.to_owned(), found));
    };
    let mode = meta.mode & 0o7777;
    let file_type = meta.file_type();
    match file_type {
        FileType::Other => {
            let kind = match meta.mode & 0o170_000 {
                0o010_000 => "FIFO",
                0o020_000 => "character device",
                0o060_000 => "block device",
                0o140_000 => "socket",
                _ => "unknown",
            };
            add(FindingKind::UnsupportedFile, "file, directory or symlink", kind.to_owned());
        }
        FileType::Regular | FileType::Directory => {
            // As Nix: who may execute a file is its owner's bit.
            let (expected, text) = match file_type {
                FileType::Regular if !meta.executable() => (0o444, "0444"),
                _ => (0o555, "0555"),
            };
            if mode != expected {
                let kind = match mode {
                    mode if mode & 0o7000 != 0 => FindingKind::Setuid,
                    mode if mode & 0o222 != 0 => FindingKind::Writable,
                    _ => FindingKind::Mode,
                };
                add(kind, text, format!("{mode:04o}"));
            }
        }
        FileType::Symlink | FileType::Unknown => {}
    }
    if meta.mtime != 1 || meta.mtime_nsec != 0 {
        add(FindingKind::Mtime, "1", time(meta));
    }
    if let Some(owner) = owner
        && meta.uid != owner
    {
        add(FindingKind::Owner, &owner.to_string(), meta.uid.to_string());
    }
    faults
}

/// What one thread gathers.
#[derive(Default)]
struct State {
    faults: HashMap<(u32, FindingKind), Faults>,
    warnings: Warnings,
}

/// Audits what `stat` says of paths but those of `checked`, which are sorted, and of the
/// store directory if all are audited.
pub(super) fn check(
    subject: &Subject<'_>,
    files: &StoreFiles,
    checked: &[PathId],
) -> Result<Gathered, DiskError> {
    let catalog = subject.catalog;
    let is_checked = |id: &PathId| checked.binary_search(id).is_ok();
    let names: Vec<&str> = subject.ids.iter().map(|&id| catalog.base_name(id)).collect();
    let walker = Walker::new(files, subject.options.threads)?;
    let checker = Checker {
        store_dir: catalog.store_dir(),
        nar_sizes: names.iter().map(|_| AtomicU64::new(0)).collect(),
        states: names.iter().map(|_| AtomicU8::new(0)).collect(),
        owner: common_owner(subject, files),
        device: files.stat().dev,
        known: (0..64).map(|_| Mutex::default()).collect(),
        xattrs: subject.options.wants(FindingKind::Xattr),
        canonical: &subject.options.canonical,
    };
    let mut tops = Top::numbered(names.iter().copied());
    tops.retain(|top| !is_checked(&subject.ids[top.path as usize]));
    subject.progress.begin("checking files", Total::Paths(tops.len() as u64));
    let walked = walker.walk(&tops, &checker, subject.progress);
    let mut gathered = Gathered { warnings: walked.warnings, ..Gathered::default() };
    gathered.checked.entries = walked.entries;
    let mut faults: HashMap<(u32, FindingKind), Faults> = HashMap::new();
    for state in walked.states {
        gathered.warnings.extend(state.warnings);
        for (key, more) in state.faults {
            let all = faults.entry(key).or_default();
            all.count += more.count;
            all.named.extend(more.named);
        }
    }
    for ((path, kind), all) in faults {
        let path = catalog.path(subject.ids[path as usize]);
        gathered.findings.extend(all.findings(kind, &path));
    }
    for (index, &id) in subject.ids.iter().enumerate().filter(|(_, id)| !is_checked(id)) {
        let state = checker.states[index].load(Ordering::Relaxed);
        if state == 0 {
            gathered.findings.push(Finding::new(
                FindingKind::MissingPath,
                catalog.path(id),
                "",
                "",
            ));
        }
        if state == PRESENT {
            let on_disk = checker.nar_sizes[index].load(Ordering::Relaxed);
            gathered.findings.extend(other_nar_size(catalog, id, on_disk));
        }
    }
    if subject.whole {
        gathered.extend(other_entries(subject, files, &walker, &names)?);
        gathered.extend(links(subject, &walker));
    }
    Ok(gathered)
}

/// What is found where a path's NAR has another size than the database says.
pub(super) fn other_nar_size(catalog: &Catalog, id: PathId, size: u64) -> Option<Finding> {
    let expected = catalog.nar_size(id).filter(|&expected| expected != size)?;
    let bytes = |size: u64| format!("{size} bytes");
    Some(Finding::new(FindingKind::NarSize, catalog.path(id), bytes(expected), bytes(size)))
}

/// The owner of most of the paths themselves.
pub(super) fn common_owner(subject: &Subject<'_>, files: &StoreFiles) -> Option<u32> {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    let step = subject.ids.len() / ASKED + 1;
    for &id in subject.ids.iter().step_by(step) {
        if let Ok(name) = CString::new(subject.catalog.base_name(id))
            && let Ok(stat) = files.directory().stat(&name)
        {
            *counts.entry(stat.uid).or_default() += 1;
        }
    }
    // Root where it is as common as another.
    counts.into_iter().max_by_key(|&(owner, count)| (count, std::cmp::Reverse(owner))).map(|c| c.0)
}

impl Checker<'_> {
    fn shard(&self, ino: u64) -> std::sync::MutexGuard<'_, HashMap<u64, Known>> {
        let shard = &self.known[(ino % self.known.len() as u64) as usize];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at an entry; the size of its node in the NAR, if it is in any.
    fn entry(
        &self,
        state: &mut State,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, Known>,
    ) -> Option<u64> {
        let (size, executable) = match &entry.stat {
            EntryStat::Stat(meta) => {
                let faults = self.faults(&mut state.warnings, directory, entry, meta);
                if faults.is_empty() {
                    if meta.nlink > 1
                        && meta.dev == self.device
                        && entry.file_type != FileType::Directory
                    {
                        self.shard(meta.ino).insert(meta.ino, (meta.size, meta.executable()));
                    }
                } else {
                    let path = directory.path();
                    for (kind, expected, found) in faults {
                        let finding = || {
                            let name = directory.full_path_in(self.store_dir, entry.name());
                            Finding::new(kind, name, expected, found)
                        };
                        let faults = state.faults.entry((path, kind)).or_default();
                        faults.add(directory.depth(), finding);
                    }
                }
                (meta.size, meta.executable())
            }
            EntryStat::Known(known) => *known,
            EntryStat::Failed => return None,
        };
        size::node(entry.file_type, size, executable)
    }

    fn faults(
        &self,
        warnings: &mut Warnings,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, Known>,
        meta: &Stat,
    ) -> Vec<Fault> {
        let mut faults = faults(meta, self.owner);
        let mode = meta.mode & 0o7777;
        // Asking costs as much as the walk. Where it matters most, in what can be
        // run, it is asked always; all files are asked where they are opened.
        let run = entry.file_type == FileType::Regular && mode & 0o111 != 0;
        if (run || entry.file_type == FileType::Directory && directory.depth() == 0)
            && self.xattrs
            && let Some(names) = self.xattrs(warnings, directory, entry)
        {
            faults.push((FindingKind::Xattr, String::new(), names));
        }
        faults
    }

    /// The names of extended attributes that Nix would have stripped.
    fn xattrs(
        &self,
        warnings: &mut Warnings,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, Known>,
    ) -> Option<String> {
        let judge = |names: &[u8]| self.canonical.odd_xattrs(names);
        let names = directory.files().xattrs(entry.c_name());
        stream::judge_xattrs(names, &judge).unwrap_or_else(|errno| {
            let error = io::Error::from(errno);
            let message = format!("its extended attributes cannot be read: {error}");
            directory.warn(warnings, WarningKind::of_error(&error), entry.name(), message);
            None
        })
    }
}

fn time(meta: &Stat) -> String {
    match meta.mtime_nsec {
        0 => meta.mtime.to_string(),
        nsec => format!("{}.{nsec:09}", meta.mtime),
    }
}

impl Visitor for Checker<'_> {
    type State = State;
    type Tag = Known;
    type Context = ();

    fn state(&self) -> State {
        State::default()
    }

    fn known(&self, _: &mut State, ino: u64) -> Option<Known> {
        self.shard(ino).get(&ino).copied()
    }

    fn top(&self, state: &mut State, directory: &WalkDirectory<'_>, entry: &WalkEntry<'_, Known>) {
        let path = directory.path() as usize;
        let node = self.entry(state, directory, entry);
        self.states[path].fetch_or(PRESENT, Ordering::Relaxed);
        self.add(path, node.map(|n| n.saturating_add(size::NAR)));
    }

    fn directory<'e>(
        &self,
        state: &mut State,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Known>>,
    ) {
        let mut sum = Some(0u64);
        for entry in entries {
            let node = self.entry(state, directory, &entry);
            let name = name_in_nar(entry.name(), self.canonical.use_case_hack);
            let entry = size::entry(name.len() as u64);
            sum = sum.and_then(|s| Some(s.saturating_add(node?).saturating_add(entry)));
        }
        self.add(directory.path() as usize, sum);
    }

    fn failed(&self, _: &mut State, path: u32) {
        self.states[path as usize].fetch_or(PARTLY, Ordering::Relaxed);
    }
}

impl Checker<'_> {
    /// Adds to a path's NAR size; `None` if it is not to be known.
    fn add(&self, path: usize, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => {
                let add = |sum: u64| Some(sum.saturating_add(bytes));
                let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
                let _ = self.nar_sizes[path].fetch_update(set, get, add);
            }
            None => {
                self.states[path].fetch_or(PARTLY, Ordering::Relaxed);
            }
        }
    }
}

/// Entries of the store directory that no row knows, each with its disk size.
fn other_entries(
    subject: &Subject<'_>,
    files: &StoreFiles,
    walker: &Walker<'_>,
    names: &[&str],
) -> Result<Gathered, DiskError> {
    let mut others: Vec<Vec<u8>> = (walker.list()?.into_iter())
        .map(|listed| listed.name)
        .filter(|name| {
            !disk::LINKS_DIRECTORIES.contains(&&**name) && name != b"nix-path-registration"
        })
        .filter(|name| names.binary_search_by(|n| n.as_bytes().cmp(name)).is_err())
        .collect();
    others.arrange();
    let mut gathered = Gathered::default();
    if others.is_empty() {
        return Ok(gathered);
    }
    // Their blocks are told, nothing beneath.
    let extents = ExtentsOption::Never;
    let options =
        ScanOptions { threads: subject.options.threads, extents, ..ScanOptions::default() };
    let scan = disk::scan(files, &others, &options, subject.progress)?;
    for (name, usage) in others.iter().zip(&scan.usages) {
        if !usage.present {
            // Gone since the directory was read: nothing to find.
            continue;
        }
        let mut path = format!("{}/", subject.catalog.store_dir()).into_bytes();
        path.extend(name);
        let found = format!("{} bytes on disk", usage.disk_size);
        gathered.findings.push(Finding::new(kind_of_entry(name), path, "", found));
    }
    Ok(gathered)
}

/// What an entry without a row is, by its name (see `LocalStore::collectGarbage`).
fn kind_of_entry(name: &[u8]) -> FindingKind {
    let text = String::from_utf8_lossy(name);
    if name == b"trash" {
        FindingKind::Trash
    } else if name.ends_with(b".lock") {
        FindingKind::Lock
    } else if name.starts_with(b"tmp-")
        || name.starts_with(b".tmp-link")
        || text.contains(".old-")
        || text.contains(".tmp-")
        || [".chroot", ".check", ".tmp"].iter().any(|end| text.ends_with(end))
    {
        FindingKind::Temporary
    } else if StorePath::parse(name).is_ok() {
        FindingKind::Orphan
    } else {
        FindingKind::UnknownEntry
    }
}

/// Looks at the entries of `.links`.
struct LinksChecker {
    store_dir: String,
    /// The names of the empty file, not executable and executable.
    empty: [String; 2],
    /// Its hash in `.links-b3`.
    empty_b3: String,
    wants_unused: bool,
}

impl LinksReader for LinksChecker {
    type State = (Vec<Finding>, u64);

    fn state(&self) -> Self::State {
        Self::State::default()
    }

    fn is_shard(&self, name: &[u8]) -> bool {
        disk::is_shard_name(name)
    }

    fn link(
        &self,
        (findings, count): &mut Self::State,
        at: &LinksPlace<'_>,
        entry: &WalkEntry<'_, ()>,
    ) {
        let EntryStat::Stat(meta) = &entry.stat else { return };
        *count += 1;
        let mut add = |kind, expected: &str, found: String| {
            let path = [self.store_dir.as_bytes(), at.directory, at.name].join(&b'/');
            findings.push(Finding::new(kind, path, expected, found));
        };
        let name = link_hash(at.directory, at.name);
        let hash = name.and_then(nix32::decode);
        let mut empty = self.empty.iter().chain([&self.empty_b3]);
        if !matches!(entry.file_type, FileType::Regular | FileType::Symlink) {
            add(FindingKind::CorruptLink, "file or symlink", "another type".to_owned());
        } else if hash.is_none() {
            let expected = "the hash of its contents as name";
            add(FindingKind::CorruptLink, expected, "no hash".to_owned());
        } else if entry.file_type == FileType::Regular
            && (meta.size == 0) != name.is_some_and(|n| empty.any(|e| e == n))
        {
            let expected = if meta.size == 0 { "contents" } else { "an empty file" };
            add(FindingKind::CorruptLink, expected, format!("{} bytes", meta.size));
        } else if meta.nlink <= 1 && self.wants_unused {
            add(FindingKind::UnusedLink, "", format!("{} bytes on disk", meta.disk_size));
        }
    }
}

/// The hash in the name of a link that is in the directory `place`.
pub(super) fn link_hash<'n>(place: &[u8], name: &'n [u8]) -> Option<&'n str> {
    let name = std::str::from_utf8(name).ok()?;
    let (hash, rest) = name.split_at_checked(52)?;
    let fits = match rest {
        "" => !place.starts_with(b".links-b3"),
        // By BLAKE3: a file, an executable or a symlink.
        "-r" | "-x" | "-s" => place.starts_with(b".links-b3"),
        // A further inode where the first has all the names that it may have.
        rest => place.ends_with(b"/overflow") && rest.starts_with('.'),
    };
    fits.then_some(hash)
}

fn links(subject: &Subject<'_>, walker: &Walker<'_>) -> Gathered {
    let checker = LinksChecker {
        store_dir: subject.catalog.store_dir().to_owned(),
        empty: [false, true].map(|executable| nix32::encode(&stream::empty_file_hash(executable))),
        empty_b3: nix32::encode(blake3::hash(b"").as_bytes()),
        wants_unused: subject.options.wants(FindingKind::UnusedLink),
    };
    subject.progress.begin("reading .links", Total::Unknown);
    let walked = disk::read_links(walker, &checker, subject.progress);
    let mut gathered = Gathered { warnings: walked.warnings, ..Gathered::default() };
    for (findings, count) in walked.states {
        gathered.findings.extend(findings);
        gathered.checked.links += count;
        gathered.checked.entries += count;
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_told_apart() {
        let kind = |name: &str| {
            kind_of_entry(name.replace('#', "0c5b8vw40dy178xlpddw65q9gf1h2186").as_bytes())
        };
        assert_eq!(kind("#-a"), FindingKind::Orphan);
        assert_eq!(kind("#-a.lock"), FindingKind::Lock);
        assert_eq!(kind("#-a.drv.chroot"), FindingKind::Temporary);
        assert_eq!(kind("#-a.old-123-4"), FindingKind::Temporary);
        assert_eq!(kind("tmp-1-2"), FindingKind::Temporary);
        assert_eq!(kind(".tmp-link-1-2"), FindingKind::Temporary);
        assert_eq!(kind("trash"), FindingKind::Trash);
        assert_eq!(kind("notes.txt"), FindingKind::UnknownEntry);
    }
}
