//! Which files hold a reference, and where in them.
//!
//! Nix finds references by searching a path's NAR for hash parts, so they hide
//! in contents, in symlink targets and in file names; all three are searched
//! here, for all hash parts at once. Files are read in pieces into a buffer
//! that is used again: faster than mapping them where most are small, and a
//! file cut short meanwhile cannot hurt.

use crate::arrange::Arrange as _;
use crate::catalog::{Catalog, PathId};
use crate::disk::{
    DiskError, Progress, Top, Visitor, WalkDirectory, WalkEntry, Walker, each_candidate,
};
use crate::fs::{FileType, RegularFile, StoreFiles};
use crate::warning::{WarningKind, Warnings};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};

const HASH: usize = 32;

/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// How much of what stands before and after a hash part is shown, in bytes.
const BEFORE: u64 = 44;
const AFTER: u64 = 56;

/// What holds a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The contents of a regular file.
    Contents,
    /// The target of a symlink.
    Symlink,
    /// The name of an entry.
    Name,
}

impl Holder {
    fn name(self) -> &'static str {
        match self {
            Self::Contents => "contents",
            Self::Symlink => "symlink",
            Self::Name => "name",
        }
    }
}

/// A reference found in a file, by its first place there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceLocation {
    /// The path that refers.
    pub referrer: PathId,
    /// The path referred to.
    pub reference: PathId,
    /// The file in the referrer, relative to it; empty if it is the path itself.
    pub file: Vec<u8>,
    /// What of the file holds it.
    pub holder: Holder,
    /// Where the hash part begins, in bytes.
    pub offset: u64,
    /// The line, from 1, if what stands before it is text.
    pub line: Option<u64>,
    /// How many times it is in there.
    pub count: u64,
    /// What stands around it; other bytes than printable ASCII are dots.
    pub excerpt: String,
}

impl ReferenceLocation {
    /// The kind of holder: `contents`, `symlink` or `name`.
    pub fn kind(&self) -> &'static str {
        self.holder.name()
    }
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct ReferenceLocations {
    /// What holds the references, sorted.
    pub locations: Vec<ReferenceLocation>,
    /// References that no file of the referrer holds, though all were searched:
    /// (referrer, reference), ascending.
    pub without: Vec<(PathId, PathId)>,
}

/// Searches referrers for references: `edges` are pairs (referrer,
/// reference). What could not be read, or is not on disk, becomes a warning.
///
/// # Errors
/// If the store directory cannot be read.
pub fn find(
    files: &StoreFiles,
    catalog: &Catalog,
    edges: &[(PathId, PathId)],
    threads: Option<usize>,
    warnings: &mut Warnings,
) -> Result<ReferenceLocations, DiskError> {
    let mut wanted: BTreeMap<PathId, Needles> = BTreeMap::new();
    for &(referrer, reference) in edges {
        let mut hash = [0; HASH];
        hash.copy_from_slice(catalog.store_path(reference).hash_part().as_bytes());
        wanted.entry(referrer).or_default().insert(hash, reference);
    }
    let (ids, needles): (Vec<PathId>, Vec<Needles>) = wanted.into_iter().unzip();
    let tops = Top::numbered(ids.iter().map(|&id| catalog.base_name(id)));
    let walker = Walker::new(files, threads)?;
    let search = Search { ids: &ids, needles: &needles };
    let walked = walker.walk(&tops, &search, &Progress::default());
    warnings.extend(walked.warnings);
    let mut locations = Vec::new();
    let (mut present, mut partly) = (vec![false; ids.len()], vec![false; ids.len()]);
    for state in walked.states {
        locations.extend(state.locations);
        warnings.extend(state.warnings);
        state.present.into_iter().for_each(|path| present[path as usize] = true);
        state.partly.into_iter().for_each(|path| partly[path as usize] = true);
    }
    locations.arrange();
    let found: HashSet<(PathId, PathId)> =
        locations.iter().map(|f| (f.referrer, f.reference)).collect();
    let mut without = Vec::new();
    for (at, &id) in ids.iter().enumerate() {
        if !present[at] && !partly[at] {
            let message = "not on disk: its files could not be searched";
            warnings.push(WarningKind::MissingPath, catalog.path(id), message);
        } else if !partly[at] {
            let references = needles[at].values().map(|&reference| (id, reference));
            without.extend(references.filter(|edge| !found.contains(edge)));
        }
    }
    without.arrange();
    Ok(ReferenceLocations { locations, without })
}

/// Hash parts, and the ids of their paths.
type Needles = HashMap<[u8; HASH], PathId>;

struct Search<'a> {
    ids: &'a [PathId],
    needles: &'a [Needles],
}

#[derive(Default)]
struct State {
    locations: Vec<ReferenceLocation>,
    /// Referrers that are there, and those of which something could not be read.
    present: Vec<u32>,
    partly: Vec<u32>,
    warnings: Warnings,
    buffer: Vec<u8>,
}

impl Visitor for Search<'_> {
    type State = State;
    type Tag = ();
    type Context = ();

    fn state(&self) -> State {
        State::default()
    }

    fn top(&self, state: &mut State, directory: &WalkDirectory<'_>, entry: &WalkEntry<'_, ()>) {
        state.present.push(directory.path());
        self.entry(state, directory, entry, true);
    }

    fn directory<'e>(
        &self,
        state: &mut State,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
    ) {
        for entry in entries {
            self.entry(state, directory, &entry, false);
        }
    }

    fn failed(&self, state: &mut State, path: u32) {
        state.partly.push(path);
    }
}

impl Search<'_> {
    fn entry(
        &self,
        state: &mut State,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, ()>,
        top: bool,
    ) {
        let path = directory.path() as usize;
        let needles = &self.needles[path];
        let mut found: Vec<(Holder, PathId, FoundReference)> = Vec::new();
        // A store path's own name is not part of its NAR.
        if !top {
            let hits = in_bytes(entry.name(), needles);
            found.extend(hits.into_iter().map(|(id, hit)| (Holder::Name, id, hit)));
        }
        let read = match entry.file_type {
            FileType::Regular => directory.open_file(entry).and_then(|mut file| {
                let hits = in_file(&mut file, needles, &mut state.buffer)?;
                found.extend(hits.into_iter().map(|(id, hit)| (Holder::Contents, id, hit)));
                Ok(())
            }),
            FileType::Symlink => directory.read_link(entry).map(|target| {
                let hits = in_bytes(&target, needles);
                found.extend(hits.into_iter().map(|(id, hit)| (Holder::Symlink, id, hit)));
            }),
            _ => Ok(()),
        };
        if let Err(e) = read {
            state.partly.push(directory.path());
            let kind = WarningKind::of_error(&e);
            directory.warn(&mut state.warnings, kind, entry.name(), e.to_string());
        }
        for (holder, reference, found) in found {
            let file = if top { Vec::new() } else { inside(directory, entry.name()) };
            state.locations.push(ReferenceLocation {
                referrer: self.ids[path],
                reference,
                file,
                holder,
                offset: found.offset,
                line: found.line,
                count: found.count,
                excerpt: found.excerpt,
            });
        }
    }
}

/// An entry's name relative to its store path.
fn inside(directory: &WalkDirectory<'_>, name: &[u8]) -> Vec<u8> {
    [&directory.prefix_in_path(), name].concat()
}

/// Where a hash part was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FoundReference {
    offset: u64,
    line: Option<u64>,
    count: u64,
    excerpt: String,
}

fn in_bytes(bytes: &[u8], needles: &Needles) -> Vec<(PathId, FoundReference)> {
    let mut first: BTreeMap<PathId, (u64, u64)> = BTreeMap::new();
    scan(bytes, needles, |at, id| first.entry(id).or_insert((at as u64, 0)).1 += 1);
    let found = first.into_iter().map(|(id, (offset, count))| {
        let around = bytes.get(offset.saturating_sub(BEFORE) as usize..).unwrap_or_default();
        let length = (BEFORE.min(offset) + HASH as u64 + AFTER) as usize;
        let excerpt = printable(&around[..length.min(around.len())]);
        (id, FoundReference { offset, line: None, count, excerpt })
    });
    found.collect()
}

fn in_file(
    file: &mut RegularFile,
    needles: &Needles,
    buffer: &mut Vec<u8>,
) -> io::Result<Vec<(PathId, FoundReference)>> {
    buffer.resize(PIECE, 0);
    let mut first: BTreeMap<PathId, (u64, u64)> = BTreeMap::new();
    // Bytes kept from the piece before, and where in the file the buffer begins.
    let (mut kept, mut start) = (0, 0u64);
    loop {
        let read = match file.read(&mut buffer[kept..]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            break;
        }
        let filled = kept + read;
        scan(&buffer[..filled], needles, |at, id| {
            first.entry(id).or_insert((start + at as u64, 0)).1 += 1;
        });
        kept = filled.min(HASH - 1);
        buffer.copy_within(filled - kept..filled, 0);
        start += (filled - kept) as u64;
    }
    let found = first.into_iter().map(|(id, (offset, count))| {
        let line = line_of(file, offset, buffer)?;
        let excerpt = excerpt(file, offset, line.is_some())?;
        Ok((id, FoundReference { offset, line, count, excerpt }))
    });
    found.collect()
}

/// The line an offset is in, if there is no NUL before it.
fn line_of(file: &RegularFile, offset: u64, buffer: &mut [u8]) -> io::Result<Option<u64>> {
    let (mut at, mut lines) = (0, 1);
    while at < offset {
        let length = (offset - at).min(buffer.len() as u64) as usize;
        let read = file.read_at(&mut buffer[..length], at)?;
        if read == 0 || buffer[..read].contains(&0) {
            return Ok(None);
        }
        lines += buffer[..read].iter().filter(|&&b| b == b'\n').count() as u64;
        at += read as u64;
    }
    Ok(Some(lines))
}

/// What stands around an offset; of text, no more than its line.
fn excerpt(file: &RegularFile, offset: u64, text: bool) -> io::Result<String> {
    let start = offset.saturating_sub(BEFORE);
    let mut around = vec![0; (offset - start + HASH as u64 + AFTER) as usize];
    let filled = file.fill_at(&mut around, start)?;
    let at = ((offset - start) as usize).min(filled);
    let (mut from, mut to) = (0, filled);
    if text {
        from = around[..at].iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        to = around[at..filled].iter().position(|&b| b == b'\n').map_or(filled, |i| at + i);
    }
    Ok(printable(&around[from..to]))
}

fn printable(bytes: &[u8]) -> String {
    let shown = |&b: &u8| if b.is_ascii_graphic() || b == b' ' { char::from(b) } else { '.' };
    bytes.iter().map(shown).collect::<String>().trim().to_owned()
}

/// Calls `hit` with place and id for each hash part in `bytes`.
fn scan(bytes: &[u8], needles: &Needles, mut hit: impl FnMut(usize, PathId)) {
    each_candidate(bytes, |at, part| {
        if let Some(&id) = needles.get(part) {
            hit(at, id);
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fs::Tree;

    const A: &[u8; HASH] = b"0c5b8vw40dy178xlpddw65q9gf1h2186";
    const B: &[u8; HASH] = b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn needles() -> Needles {
        HashMap::from([(*A, PathId::new(1)), (*B, PathId::new(2))])
    }

    fn file(contents: &[u8]) -> Vec<(PathId, FoundReference)> {
        let mut file = Tree::memory([("/file", contents)]).open_file("/file".as_ref()).unwrap();
        in_file(&mut file, &needles(), &mut Vec::new()).unwrap()
    }

    #[test]
    fn tells_line_excerpt_and_count() {
        let text = [b"#!/bin/sh\nexec /nix/store/".as_slice(), A, b"-x/bin/x\n", A, b"\n"].concat();
        let found = file(&text);
        let excerpt = format!("exec /nix/store/{}-x/bin/x", std::str::from_utf8(A).unwrap());
        assert_eq!(
            found,
            [(PathId::new(1), FoundReference { offset: 26, line: Some(2), count: 2, excerpt })]
        );
        let binary = [b"\x7fELF\0".as_slice(), A].concat();
        assert_eq!(file(&binary)[0].1.line, None);
        assert!(file(b"").is_empty() && file(&A[1..]).is_empty());
    }

    #[test]
    fn a_hash_part_across_two_pieces_is_found_once() {
        for before in PIECE - 40..PIECE + 3 {
            let contents = [vec![b'-'; before], A.to_vec(), vec![b'-'; 50]].concat();
            let found = file(&contents);
            assert_eq!(found.len(), 1, "{before}");
            assert_eq!((found[0].1.offset, found[0].1.count), (before as u64, 1));
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            parts in prop::collection::vec(prop_oneof![
                Just(A.to_vec()),
                Just(B.to_vec()),
                Just(B[..20].to_vec()),
                Just(A[5..].to_vec()),
                prop::collection::vec(any::<u8>(), 0..40),
                "[a-z0-9]{0,70}".prop_map(String::into_bytes),
            ], 0..12),
        ) {
            let bytes = parts.concat();
            let mut found = Vec::new();
            scan(&bytes, &needles(), |at, id| found.push((at, id)));
            let plain = bytes.windows(HASH).enumerate().filter_map(|(at, window)| {
                Some((at, *needles().get(window)?))
            });
            prop_assert_eq!(found, plain.collect::<Vec<_>>());
        }
    }
}
