//! Contents against hashes: each path's NAR, each entry of `.links`, content
//! addresses. Largest first, so that all cores are busy to the end.

use super::sizes::link_hash;
use super::{Finding, FindingKind, Gathered, Subject};
use crate::catalog::{PathId, Source};
use crate::disk::{self, DiskError, LinksPlace, LinksReader, Total, WalkEntry, Walker};
use crate::fs::{Directory, FileType, StoreFiles};
use crate::nar::SelfReferenceHasher;
use crate::nar::content_address::{ContentAddress, Method};
use crate::nar::hash::{Algorithm, Hash, Hasher};
use crate::nar::nix32;
use crate::nar::stream::{NarError, NarProblem, NarWriter};
use crate::store::StorePath;
use crate::threads;
use crate::warning::WarningKind;
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Entries of `.links` that one job hashes.
const LINKS: usize = 64;

enum Job {
    /// A path, by id.
    Path(PathId),
    /// Entries of `.links`, from the first of these to before the second.
    Links(usize, usize),
}

struct Shared<'a> {
    subject: &'a Subject<'a>,
    files: &'a StoreFiles,
    /// The directories of links, with their names below the store directory.
    links_dirs: Vec<(Directory, Vec<u8>)>,
    /// Links, with the index of their directory.
    links: Vec<(usize, CString)>,
}

pub(super) fn check(subject: &Subject<'_>, files: &StoreFiles) -> Result<Gathered, DiskError> {
    let mut gathered = Gathered::default();
    let mut shared = Shared { subject, files, links_dirs: Vec::new(), links: Vec::new() };
    if subject.whole
        && subject.options.wants_any(&[FindingKind::LinkHash, FindingKind::LinkedToCorrupt])
    {
        read_links(&mut shared, &mut gathered)?;
    }
    let mut jobs: Vec<Job> = (0..shared.links.len().div_ceil(LINKS))
        .map(|n| Job::Links(n * LINKS, shared.links.len().min((n + 1) * LINKS)))
        .collect();
    if subject.options.wants_any(&[FindingKind::NarHash, FindingKind::ContentAddress]) {
        let mut ids = subject.ids.clone();
        ids.sort_by_key(|&id| subject.catalog.nar_size(id));
        jobs.extend(ids.into_iter().map(Job::Path));
    }
    jobs.reverse();
    let paths = jobs.iter().filter(|job| matches!(job, Job::Path(_))).count();
    subject.progress.begin("hashing contents", Total::Paths(paths as u64));
    if *subject.source == Source::Scan && subject.options.wants(FindingKind::UnknownHash) {
        let path = files.path().as_os_str().as_bytes();
        let message = "without a database there are no hashes to check contents against";
        gathered.warnings.push(WarningKind::Unchecked, path, message);
    }
    let wanted = threads::at_most(subject.options.threads.unwrap_or_else(threads::cores));
    let next = AtomicUsize::new(0);
    let parts: Vec<Gathered> = std::thread::scope(|scope| {
        let work = || {
            let mut gathered = Gathered::default();
            let mut writer = NarWriter::default();
            let canonical = &subject.options.canonical;
            writer.use_case_hack(canonical.use_case_hack);
            if subject.options.wants(FindingKind::Xattr) {
                let canonical = canonical.clone();
                writer.judge_xattrs(Box::new(move |names| canonical.odd_xattrs(names)));
            }
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let before = gathered.checked.bytes_hashed;
                match *job {
                    Job::Path(id) => {
                        shared.path(id, &mut writer, &mut gathered);
                        subject.progress.add_path();
                    }
                    Job::Links(from, to) => {
                        for (dir, name) in &shared.links[from..to] {
                            shared.link(*dir, name, &mut writer, &mut gathered);
                        }
                    }
                }
                subject.progress.add_bytes(gathered.checked.bytes_hashed - before);
            }
            gathered
        };
        let handles: Vec<_> = (1..wanted).map_while(|_| threads::start(scope, work)).collect();
        let mut parts = vec![work()];
        for handle in handles {
            match handle.join() {
                Ok(part) => parts.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    });
    for part in parts {
        gathered.extend(part);
    }
    Ok(gathered)
}

/// Finds the links whose names are hashes, and opens the directories they are in.
fn read_links(shared: &mut Shared<'_>, gathered: &mut Gathered) -> Result<(), DiskError> {
    let subject = shared.subject;
    let walker = Walker::new(shared.files, subject.options.threads)?;
    let walked = disk::read_links(&walker, &HashNames, subject.progress);
    gathered.warnings.extend(walked.warnings);
    let mut links = walked.states.concat();
    links.sort();
    for links in links.chunk_by(|(one, _), (other, _)| one == other) {
        let place = &links[0].0;
        let opened = shared.files.directory().pass_path(place);
        match opened.and_then(|directory| directory.open_directory(c".")) {
            Ok(directory) => {
                let index = shared.links_dirs.len();
                shared.links_dirs.push((directory, place.clone()));
                shared.links.extend(links.iter().map(|(_, name)| (index, name.clone())));
            }
            Err(e) => {
                let path = shared.files.path().join(OsStr::from_bytes(place));
                let (kind, message) = (WarningKind::of_error(&e), format!("cannot be read: {e}"));
                gathered.warnings.push(kind, path.as_os_str().as_bytes(), message);
            }
        }
    }
    Ok(())
}

/// Lists the links whose names are hashes, each with its directory; others are
/// found by their names alone.
struct HashNames;

impl LinksReader for HashNames {
    type State = Vec<(Vec<u8>, CString)>;

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
            found.push((at.directory.to_owned(), entry.c_name().to_owned()));
        }
    }
}

impl Shared<'_> {
    fn path(&self, id: PathId, writer: &mut NarWriter, gathered: &mut Gathered) {
        let catalog = self.subject.catalog;
        let address = catalog.content_address(id).and_then(ContentAddress::parse);
        let Some(expected) = catalog.hash(id) else {
            gathered.checked.unknown_hashes += 1;
            // Of a mere scan it was said of all.
            if *self.subject.source != Source::Scan {
                gathered.findings.push(Finding::new(
                    FindingKind::UnknownHash,
                    catalog.path(id),
                    "",
                    "",
                ));
            }
            if let Some(address) = address {
                self.address(id, &address, None, writer, gathered);
            }
            return;
        };
        let Ok(name) = CString::new(catalog.base_name(id)) else { return };
        let hashed = writer.hash(Algorithm::Sha256, self.files.directory(), &name);
        self.judged(id, writer, gathered);
        match hashed {
            Ok((size, hash)) => {
                gathered.checked.nar_hashes += 1;
                gathered.checked.bytes_hashed += size;
                if hash.bytes() != expected {
                    let expected = format!("sha256:{}", nix32::encode(expected));
                    let found = hash.to_string();
                    gathered.findings.push(Finding::new(
                        FindingKind::NarHash,
                        catalog.path(id),
                        expected,
                        found,
                    ));
                }
                if let Some(address) = address {
                    self.address(id, &address, Some(hash), writer, gathered);
                }
            }
            Err(e) => self.unread(id, &e, gathered),
        }
    }

    /// What was said of the extended attributes of the path that was hashed.
    fn judged(&self, id: PathId, writer: &mut NarWriter, gathered: &mut Gathered) {
        let judged = writer.take_judged();
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

    fn link(&self, dir: usize, name: &CStr, writer: &mut NarWriter, gathered: &mut Gathered) {
        let (dir, place) = &self.links_dirs[dir];
        let full = || {
            let store_dir = self.subject.catalog.store_dir().as_bytes();
            [store_dir, b"/", place, b"/", name.to_bytes()].concat()
        };
        let hashed = if place.starts_with(b".links-b3") {
            blake3_name(dir, name)
        } else {
            let hashed = writer.hash(Algorithm::Sha256, dir, name);
            // Reported where the store paths have the file.
            writer.take_judged();
            hashed.map(|(size, hash)| (size, nix32::encode(hash.bytes())))
        };
        match hashed {
            Ok((size, found)) => {
                gathered.checked.bytes_hashed += size;
                // Overflowing links have a number behind the hash.
                let expected = name.to_string_lossy();
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
        self.judged(id, writer, gathered);
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
