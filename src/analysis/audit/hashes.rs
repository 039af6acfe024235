//! Contents against hashes: each path's NAR, each entry of `.links`, content
//! addresses. Largest first, so that all cores are busy to the end; on a disk that rotates
//! in the order of inode numbers, by one thread.
use crate::arrange::Arrange as _;

use super::ahead::Ahead;
use super::sizes::{self, Faults, link_hash};
use super::{Finding, FindingKind, Gathered, Subject};
use crate::catalog::{PathId, Source};
use crate::disk::{self, DiskError, LinksPlace, LinksReader, Reading, Total, WalkEntry, Walker};
use crate::fs::{Directory, FileType, Stat, StoreFiles};
use crate::nar::SelfReferenceHasher;
use crate::nar::content_address::{ContentAddress, Method};
use crate::nar::hash::{Algorithm, Hash, Hasher};
use crate::nar::lanes::{self, Hashed, Jobs, Lanes};
use crate::nar::nix32;
use crate::nar::stream::{Judged, Look, NarError, NarProblem, NarWriter};
use crate::store::StorePath;
use crate::threads::{self, Reserve};
use crate::warning::WarningKind;
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Copy)]
enum Job {
    /// A path, by id.
    Path(PathId),
    /// An entry of `.links`, by index.
    Link(usize),
}

struct Shared<'a> {
    subject: &'a Subject<'a>,
    files: &'a StoreFiles,
    /// The paths to be hashed, in this order.
    paths: Vec<PathId>,
    /// Whether all is read in the order of the disk, one after another.
    in_order: bool,
    /// Reads paths ahead.
    ahead: Option<Ahead<'a>>,
    /// The directories of links, with their names below the store directory.
    links_dirs: Vec<(Directory, Vec<u8>)>,
    links: Vec<Link>,
    /// How many of all these were begun.
    begun: AtomicUsize,
    /// The owner that files should have.
    owner: Option<u32>,
    /// The threads beyond those that read what is in memory.
    reserve: Arc<Reserve>,
}

/// An entry of `.links`.
struct Link {
    /// The index of its directory.
    directory: usize,
    name: CString,
    file_type: FileType,
    ino: u64,
}

/// Hashes all; the paths of which all that `stat` shows was checked beside it, sorted.
pub(super) fn check(
    subject: &Subject<'_>,
    files: &StoreFiles,
) -> Result<(Gathered, Vec<PathId>), DiskError> {
    let mut gathered = Gathered::default();
    let reading = Reading::of(files, subject.options.threads, lanes::open_files());
    let threads = threads::at_most(reading.threads);
    let at_first = subject.options.threads.unwrap_or_else(threads::cores);
    let mut shared = Shared {
        subject,
        files,
        paths: Vec::new(),
        in_order: reading.in_order,
        ahead: None,
        links_dirs: Vec::new(),
        links: Vec::new(),
        begun: AtomicUsize::new(0),
        owner: sizes::common_owner(subject, files),
        reserve: Arc::new(Reserve::new(threads.saturating_sub(at_first))),
    };
    if subject.whole
        && subject.options.wants_any(&[FindingKind::LinkHash, FindingKind::LinkedToCorrupt])
    {
        read_links(&mut shared, &mut gathered)?;
    }
    if subject.options.wants_any(&[FindingKind::NarHash, FindingKind::ContentAddress]) {
        shared.paths = sorted_paths(&mut shared)?;
    }
    subject.progress.begin("hashing contents", Total::Paths(shared.paths.len() as u64));
    if *subject.source == Source::Scan && subject.options.wants(FindingKind::UnknownHash) {
        let path = files.path().as_os_str().as_bytes();
        let message = "without a database there are no hashes to check contents against";
        gathered.warnings.push(WarningKind::Unchecked, path, message);
    }
    let parts = work(&shared, at_first, threads);
    let mut checked = Vec::new();
    for (part, more) in parts {
        gathered.extend(part);
        checked.extend(more);
    }
    checked.sort_unstable();
    Ok((gathered, checked))
}

/// Has so many threads hash all, each of which reads and hashes by turns: while one waits for the
/// disk, others hash. Those beyond the ones at first are held back, until reads would wait.
fn work(shared: &Shared<'_>, at_first: usize, threads: usize) -> Vec<(Gathered, Vec<PathId>)> {
    let work = move |number| {
        let joins = number < at_first || shared.reserve.wait();
        let _until = shared.reserve.until_over();
        if joins { Worker::new(shared).work() } else { Default::default() }
    };
    std::thread::scope(|scope| {
        let start = |number| threads::start(scope, move || work(number));
        let handles: Vec<_> = (1..threads).map_while(start).collect();
        let mut parts = vec![work(0)];
        for handle in handles {
            match handle.join() {
                Ok(part) => parts.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    })
}

/// The paths in the order in which they are hashed; where that is the order of the disk, with
/// what reads them ahead.
fn sorted_paths(shared: &mut Shared<'_>) -> Result<Vec<PathId>, DiskError> {
    let subject = shared.subject;
    let mut paths = subject.ids.clone();
    let name = |id| subject.catalog.base_name(id);
    if shared.in_order {
        let names = paths.iter().map(|&id| name(id));
        let ahead = Ahead::new(shared.files, names, subject.progress)?;
        paths.arrange_by_key(|&id| ahead.place(name(id)));
        shared.ahead = Some(ahead);
    } else {
        paths.arrange_by_key(|&id| std::cmp::Reverse(subject.catalog.nar_size(id)));
    }
    Ok(paths)
}

/// Finds the links whose names are hashes, and opens the directories they are in.
fn read_links(shared: &mut Shared<'_>, gathered: &mut Gathered) -> Result<(), DiskError> {
    let subject = shared.subject;
    let walker = Walker::new(shared.files, subject.options.threads)?;
    let walked = disk::read_links(&walker, &HashNames, subject.progress);
    gathered.warnings.extend(walked.warnings);
    let mut links = walked.states.concat();
    links.arrange_by(|(one, (a, ..)), (other, (b, ..))| (one, a).cmp(&(other, b)));
    for links in links.chunk_by(|(one, _), (other, _)| one == other) {
        let place = &links[0].0;
        let opened = shared.files.directory().pass_path(place);
        match opened.and_then(|directory| directory.open_directory(c".")) {
            Ok(opened) => {
                let directory = shared.links_dirs.len();
                shared.links_dirs.push((opened, place.clone()));
                shared.links.extend(links.iter().map(|(_, (name, file_type, ino))| Link {
                    directory,
                    name: name.clone(),
                    file_type: *file_type,
                    ino: *ino,
                }));
            }
            Err(e) => {
                let (kind, message) = (WarningKind::of_error(&e), format!("cannot be read: {e}"));
                gathered.warnings.push(kind, shared.files.path_of(place), message);
            }
        }
    }
    if shared.in_order {
        shared.links.arrange_by_key(|link| link.ino);
    }
    Ok(())
}

/// Lists the links whose names are hashes, each with its directory; others are
/// found by their names alone.
struct HashNames;

impl LinksReader for HashNames {
    type State = Vec<(Vec<u8>, (CString, FileType, u64))>;

    fn state(&self) -> Self::State {
        Vec::new()
    }

    fn known(&self, _: &mut Self::State, _: u64) -> bool {
        true
    }

    fn is_shard(&self, name: &[u8]) -> bool {
        disk::is_shard_name(name)
    }

    fn link(&self, found: &mut Self::State, at: &LinksPlace<'_>, entry: &WalkEntry<'_, ()>) {
        if link_hash(at.directory, at.name).is_some() {
            found.push((
                at.directory.to_owned(),
                (entry.c_name().to_owned(), entry.file_type, entry.ino),
            ));
        }
    }
}

/// Looks at what `stat` says of the entries of one path.
#[derive(Clone)]
struct Looker {
    /// The owner that files should have.
    owner: Option<u32>,
    /// The store's device.
    device: u64,
    entries: u64,
    /// Of paths below the top.
    faults: HashMap<FindingKind, Faults>,
    /// Whether something of it lies on another device.
    elsewhere: bool,
}

impl Look for Looker {
    const LOOKS: bool = true;

    fn look(&mut self, stat: &Stat, depth: u32, place: impl Fn() -> Vec<u8>) {
        self.entries += 1;
        self.elsewhere |= stat.dev != self.device;
        for (kind, expected, found) in sizes::faults(stat, self.owner) {
            let finding = || Finding::new(kind, place(), expected, found);
            self.faults.entry(kind).or_default().add(depth, finding);
        }
    }
}

/// What one thread works with and gathers.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    /// For what is read once more.
    writer: NarWriter,
    gathered: Gathered,
    checked: Vec<PathId>,
    /// Up to which path all were read ahead.
    read_ahead: usize,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        let writer = shared.writer(());
        Self { shared, writer, gathered: Gathered::default(), checked: Vec::new(), read_ahead: 0 }
    }

    fn work(mut self) -> (Gathered, Vec<PathId>) {
        let looker = Looker {
            owner: self.shared.owner,
            device: self.shared.files.stat().dev,
            entries: 0,
            faults: HashMap::new(),
            elsewhere: false,
        };
        Lanes::new(self.shared.in_order, || self.shared.writer(looker.clone())).run(&mut self);
        (self.gathered, self.checked)
    }

    /// What was seen of a path that was read whole. One that has to be walked anyhow,
    /// to find what else there is, is left to that walk.
    fn looked(&mut self, id: PathId, size: u64, looker: Looker) {
        let subject = self.shared.subject;
        if !subject.options.disk || looker.elsewhere || self.shared.files.facts().copies_up {
            return;
        }
        let path = subject.catalog.path(id);
        self.checked.push(id);
        self.gathered.checked.entries += looker.entries;
        for (kind, faults) in looker.faults {
            for mut finding in faults.findings(kind, "") {
                finding.path = match &finding.path[..] {
                    b"" => path.clone().into(),
                    below => [path.as_bytes(), b"/", below].concat(),
                };
                self.gathered.findings.push(finding);
            }
        }
        self.gathered.findings.extend(sizes::other_nar_size(subject.catalog, id, size));
    }

    /// Has the path at that place been read ahead, where paths are, and some after it.
    fn read_ahead(&mut self, at: usize) {
        if let Some(ahead) = &self.shared.ahead
            && at >= self.read_ahead
        {
            let catalog = self.shared.subject.catalog;
            let paths = self.shared.paths[at..].iter();
            let size = |id| catalog.nar_size(id).unwrap_or(0);
            let paths = paths.map(|&id| (catalog.base_name(id), size(id)));
            self.read_ahead = at + ahead.read(paths);
        }
    }

    fn path_is_done(&mut self, bytes_before: u64) {
        let progress = self.shared.subject.progress;
        progress.add_path();
        progress.add_bytes(self.gathered.checked.bytes_hashed - bytes_before);
    }
}

impl Jobs for Worker<'_> {
    type Job = Job;
    type Look = Looker;

    fn next(&mut self, writer: &mut NarWriter<Looker>) -> Option<(Job, Result<(), NarError>)> {
        let shared = self.shared;
        loop {
            let at = shared.begun.fetch_add(1, Ordering::Relaxed);
            if let Some(&id) = shared.paths.get(at) {
                self.read_ahead(at);
                if shared.subject.catalog.hash(id).is_some() {
                    let Ok(name) = CString::new(shared.subject.catalog.base_name(id)) else {
                        continue;
                    };
                    let directory = shared.files.directory();
                    return Some((
                        Job::Path(id),
                        writer.begin(directory, &name, FileType::Unknown),
                    ));
                }
                let before = self.gathered.checked.bytes_hashed;
                shared.without_hash(id, &mut self.writer, &mut self.gathered);
                self.path_is_done(before);
            } else {
                let at = at - shared.paths.len();
                let link = shared.links.get(at)?;
                let (directory, place) = &shared.links_dirs[link.directory];
                if !place.starts_with(b".links-b3") {
                    let begun = writer.begin(directory, &link.name, link.file_type);
                    return Some((Job::Link(at), begun));
                }
                let named = blake3_name(directory, &link.name);
                shared.link(link, named, &mut self.gathered);
            }
        }
    }

    fn done(&mut self, job: Job, hashed: Hashed<Looker>) {
        let before = self.gathered.checked.bytes_hashed;
        match job {
            Job::Path(id) => {
                self.shared.judged(id, hashed.judged, &mut self.gathered);
                if let Ok((size, _)) = hashed.hash {
                    self.looked(id, size, hashed.looker);
                }
                self.shared.path(id, hashed.hash, &mut self.writer, &mut self.gathered);
                self.path_is_done(before);
            }
            // What was found of its attributes is told where store paths have the file.
            Job::Link(at) => {
                let named = hashed.hash.map(|(size, hash)| (size, nix32::encode(&hash)));
                self.shared.link(&self.shared.links[at], named, &mut self.gathered);
                let bytes = self.gathered.checked.bytes_hashed - before;
                self.shared.subject.progress.add_bytes(bytes);
            }
        }
    }
}

impl Shared<'_> {
    fn writer<L: Look>(&self, looker: L) -> NarWriter<L> {
        let mut writer = NarWriter::looking(looker);
        let canonical = &self.subject.options.canonical;
        writer.use_case_hack(canonical.use_case_hack);
        writer.call_when_it_waits(self.reserve.clone());
        if self.subject.options.wants(FindingKind::Xattr) {
            let canonical = canonical.clone();
            writer.judge_xattrs(Box::new(move |names| canonical.odd_xattrs(names)));
        }
        writer
    }

    /// A path whose hash the database does not know.
    fn without_hash(&self, id: PathId, writer: &mut NarWriter, gathered: &mut Gathered) {
        let catalog = self.subject.catalog;
        gathered.checked.unknown_hashes += 1;
        // Of a mere scan it was said of all.
        if *self.subject.source != Source::Scan {
            let kind = FindingKind::UnknownHash;
            gathered.findings.push(Finding::new(kind, catalog.path(id), "", ""));
        }
        if let Some(address) = catalog.content_address(id).and_then(ContentAddress::parse) {
            self.address(id, &address, None, writer, gathered);
        }
    }

    fn path(
        &self,
        id: PathId,
        hashed: Result<(u64, [u8; 32]), NarError>,
        writer: &mut NarWriter,
        gathered: &mut Gathered,
    ) {
        let catalog = self.subject.catalog;
        let (size, hash) = match hashed {
            Ok(hashed) => hashed,
            Err(e) => return self.unread(id, &e, gathered),
        };
        gathered.checked.nar_hashes += 1;
        gathered.checked.bytes_hashed += size;
        if let Some(expected) = catalog.hash(id)
            && hash != *expected
        {
            let named = |hash| format!("sha256:{}", nix32::encode(hash));
            gathered.findings.push(Finding::new(
                FindingKind::NarHash,
                catalog.path(id),
                named(expected),
                named(&hash),
            ));
        }
        if let Some(address) = catalog.content_address(id).and_then(ContentAddress::parse) {
            let hash = Hash::new(Algorithm::Sha256, hash);
            self.address(id, &address, hash, writer, gathered);
        }
    }

    /// What was said of the extended attributes of the path that was hashed.
    fn judged(&self, id: PathId, judged: Judged, gathered: &mut Gathered) {
        let path = |below: &[u8]| {
            let mut path = self.subject.catalog.path(id).into_bytes();
            if !below.is_empty() {
                path.push(b'/');
                path.extend(below);
            }
            path
        };
        for (below, said) in judged.said {
            gathered.findings.push(Finding::new(FindingKind::Xattr, path(&below), "", said));
        }
        for (below, errno) in judged.failed {
            let error = io::Error::from(errno);
            let message = format!("its extended attributes cannot be read: {error}");
            gathered.warnings.push(WarningKind::of_error(&error), path(&below), message);
        }
    }

    /// Something could not be read.
    fn unread(&self, id: PathId, error: &NarError, gathered: &mut Gathered) {
        let base = self.subject.catalog.base_name(id);
        let mut path = self.files.path().join(base);
        if !error.path.is_empty() {
            path.push(std::ffi::OsStr::from_bytes(&error.path));
        }
        let path = path.as_os_str().as_bytes();
        match error.problem {
            // Both are reported by `sizes` too, in the same words.
            NarProblem::Io(Errno::NOENT) if error.path.is_empty() => {
                let path = self.subject.catalog.path(id);
                gathered.findings.push(Finding::new(FindingKind::MissingPath, path, "", ""));
            }
            NarProblem::Unsupported => {}
            NarProblem::Io(errno) => {
                let error = io::Error::from(errno);
                gathered.warnings.push(WarningKind::of_error(&error), path, error.to_string());
            }
            NarProblem::Collision => {
                let expected = match self.subject.catalog.hash(id) {
                    Some(hash) => format!("sha256:{}", nix32::encode(hash)),
                    None => String::new(),
                };
                let path = self.subject.catalog.path(id);
                let found = error.to_string();
                gathered.findings.push(Finding::new(FindingKind::NarHash, path, expected, found));
            }
            NarProblem::Changed => {
                gathered.warnings.push(WarningKind::Vanished, path, error.problem.to_string());
            }
        }
    }

    /// An entry of `.links`, with its size and the name that it should have.
    fn link(&self, link: &Link, named: Result<(u64, String), NarError>, gathered: &mut Gathered) {
        let (_, place) = &self.links_dirs[link.directory];
        let full = || {
            let store_dir = self.subject.catalog.store_dir().as_bytes();
            [store_dir, b"/", place, b"/", link.name.to_bytes()].concat()
        };
        match named {
            Ok((size, found)) => {
                gathered.checked.bytes_hashed += size;
                // Overflowing links have a number behind the hash.
                let expected = link.name.to_string_lossy();
                let expected = expected.split('.').next().unwrap_or_default();
                if found != expected {
                    gathered.findings.push(Finding::new(
                        FindingKind::LinkHash,
                        full(),
                        expected,
                        found,
                    ));
                }
            }
            // Unused and gone, or no link at all, which is found elsewhere.
            Err(e)
                if matches!(e.problem, NarProblem::Io(Errno::NOENT) | NarProblem::Unsupported) => {}
            Err(NarError { problem: NarProblem::Io(errno), .. }) => {
                let error = io::Error::from(errno);
                gathered.warnings.push(WarningKind::of_error(&error), full(), error.to_string());
            }
            Err(e) => {
                gathered.warnings.push(WarningKind::Unreadable, full(), e.problem.to_string());
            }
        }
    }

    /// Recomputes a content address.
    fn address(
        &self,
        id: PathId,
        address: &ContentAddress,
        nar_hash: Option<Hash>,
        writer: &mut NarWriter,
        gathered: &mut Gathered,
    ) {
        let catalog = self.subject.catalog;
        let algorithm = address.hash.algorithm();
        let path: StorePath<'_> = catalog.store_path(id);
        let Ok(name) = CString::new(path.base_name()) else { return };
        let known = nar_hash.filter(|hash| hash.algorithm() == algorithm);
        // A path that holds its own name has one of two hashes.
        let found = match (address.method, known) {
            (Method::Git, _) => {
                let message = "its content address was not checked: it is one of Git";
                gathered.warnings.push(WarningKind::Unchecked, catalog.path(id), message);
                return;
            }
            (Method::Nar, _) if catalog.refers(id, id) => {
                let mut hasher = SelfReferenceHasher::new(algorithm, path.hash_part());
                let written =
                    writer.write(self.files.directory(), &name, |piece| hasher.update(piece));
                written.map(|size| (size, hasher.finish().to_vec()))
            }
            (Method::Nar, Some(hash)) => Ok((0, vec![hash])),
            (Method::Nar, None) => {
                let hashed = writer.hash(algorithm, self.files.directory(), &name);
                hashed.map(|(size, hash)| (size, vec![hash]))
            }
            (Method::Text | Method::Flat, _) => self.flat(algorithm, &name),
        };
        self.judged(id, writer.take_judged(), gathered);
        match found {
            Ok((size, found)) => {
                gathered.checked.bytes_hashed += size;
                if found.contains(&address.hash) {
                    return;
                }
                let found = match &found[..] {
                    [] => "not a regular file".to_owned(),
                    all => all.iter().map(Hash::to_string).collect::<Vec<_>>().join(" or "),
                };
                let expected = address.hash.to_string();
                let finding =
                    Finding::new(FindingKind::ContentAddress, catalog.path(id), expected, found);
                gathered.findings.push(finding);
            }
            Err(e) => self.unread(id, &e, gathered),
        }
    }

    /// The hash of the contents of a path that is one file; none if it is not.
    fn flat(&self, algorithm: Algorithm, name: &CStr) -> Result<(u64, Vec<Hash>), NarError> {
        let read = || -> io::Result<(u64, Vec<Hash>)> {
            let directory = self.files.directory();
            if directory.stat(name)?.file_type() != FileType::Regular {
                return Ok((0, Vec::new()));
            }
            let mut file = directory.open_file(name)?;
            let mut hasher = Hasher::new(algorithm);
            let total = in_pieces(&mut file, |piece| hasher.update(piece))?;
            Ok((total, vec![hasher.finish()]))
        };
        read().map_err(|e| NarError { path: Vec::new(), problem: e.into() })
    }
}

/// Reads to the end; how many bytes that were.
fn in_pieces(file: &mut impl Read, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
    let (mut buffer, mut total) = (vec![0; 1 << 17], 0);
    loop {
        match file.read(&mut buffer[..]) {
            Ok(0) => return Ok(total),
            Ok(n) => {
                take(&buffer[..n]);
                total += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The size of a link in `.links-b3` and the name it should have: the BLAKE3 of
/// its contents or target, and its kind.
fn blake3_name(dir: &Directory, name: &CStr) -> Result<(u64, String), NarError> {
    let read = || -> io::Result<(u64, String)> {
        let mut hasher = blake3::Hasher::new();
        let kind = match dir.stat(name)?.file_type() {
            FileType::Symlink => {
                hasher.update(&dir.read_link(name)?);
                's'
            }
            FileType::Regular => {
                let mut file = dir.open_file(name)?;
                let kind = if file.stat().executable() { 'x' } else { 'r' };
                in_pieces(&mut file, |piece| {
                    hasher.update(piece);
                })?;
                kind
            }
            // Found to be no link elsewhere.
            _ => return Err(Errno::NOENT.into()),
        };
        let hash = nix32::encode(hasher.finalize().as_bytes());
        Ok((hasher.count(), format!("{hash}-{kind}")))
    };
    read().map_err(|e| NarError { path: Vec::new(), problem: e.into() })
}
