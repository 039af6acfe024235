//! Which store paths a path names: Nix's own scan for references
//! (`scanForReferences` in Nix's `references.cc`), which looks for hash parts
//! in file contents, symlink targets and names.
//!
//! Files are read, not mapped: a mapped file that is cut short by someone else
//! would end the program.

use super::DiskError;
use super::engine::Walker;
use super::progress::{Progress, Total};
use super::scan::ScanOptions;
use super::walk::{EntryStat, Top, Visitor, WalkDirectory, WalkEntry};
use crate::fs::{FileType, StoreFiles};
use crate::nar::{name_in_nar, nix32, size};
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;
use std::io::{self, Read};

/// The length of a hash part.
const LENGTH: usize = 32;
const BUFFER: usize = 256 << 10;
/// The filter looks at so many characters of 5 bits: 128 KiB.
const FILTER_DIGITS: usize = 4;

/// Calls `on` with place and text of all in `bytes` that may be a hash part: 32
/// of its characters, wherever they begin. Looks at the last byte of each place
/// first: any byte that can be in no hash part rules out all places up to it, so
/// most bytes are never looked at.
#[inline]
pub(crate) fn each_candidate(bytes: &[u8], mut on: impl FnMut(usize, &[u8; LENGTH])) {
    let mut start = 0;
    // All from `start` up to here are digits.
    let mut good = 0;
    'window: while let Some(window) = bytes[start..].first_chunk::<LENGTH>() {
        let end = start + LENGTH;
        let mut at = end;
        while at > good {
            at -= 1;
            if !nix32::is_digit(bytes[at]) {
                start = at + 1;
                good = end.max(start);
                continue 'window;
            }
        }
        on(start, window);
        start += 1;
        good = end;
    }
}

/// The hash parts to look for, numbered in the order given.
#[derive(Debug)]
pub(crate) struct HashParts {
    numbers: HashMap<[u8; LENGTH], u32>,
    /// One bit for each way in which a hash part may end. Most texts that
    /// could be hash parts are none, and this shows it quickly.
    filter: Vec<u64>,
}

impl HashParts {
    /// Hash parts of 32 characters each; others are never found.
    pub(crate) fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut numbers = HashMap::new();
        let mut filter = vec![0u64; (1 << (FILTER_DIGITS * 5)) / 64];
        for (part, number) in parts.into_iter().zip(0u32..) {
            let Ok(part) = <[u8; LENGTH]>::try_from(part.as_bytes()) else { continue };
            let at = Self::end(&part);
            filter[at / 64] |= 1 << (at % 64);
            numbers.entry(part).or_insert(number);
        }
        Self { numbers, filter }
    }

    #[inline]
    fn end(window: &[u8; LENGTH]) -> usize {
        let last = &window[LENGTH - FILTER_DIGITS..LENGTH];
        last.iter().fold(0, |all, &b| all << 5 | usize::from(nix32::value(b) & 31))
    }

    /// Calls `found` with the number of each hash part in `bytes`, as often as
    /// it occurs.
    #[inline]
    pub(crate) fn find(&self, bytes: &[u8], mut found: impl FnMut(u32)) {
        each_candidate(bytes, |_, window| {
            let at = Self::end(window);
            if self.filter[at / 64] & (1 << (at % 64)) != 0
                && let Some(&number) = self.numbers.get(window)
            {
                found(number);
            }
        });
    }

    /// The same for all that `input` gives; how many bytes that was.
    ///
    /// # Errors
    /// Those of the input.
    pub(crate) fn find_in(
        &self,
        mut input: impl Read,
        buffer: &mut Vec<u8>,
        mut found: impl FnMut(u32),
    ) -> io::Result<u64> {
        buffer.resize(BUFFER, 0);
        let (mut kept, mut total) = (0, 0);
        loop {
            let read = match input.read(&mut buffer[kept..]) {
                Ok(0) => return Ok(total),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            total += read as u64;
            let filled = kept + read;
            self.find(&buffer[..filled], &mut found);
            // A hash part may go on in what is read next.
            kept = filled.min(LENGTH - 1);
            buffer.copy_within(filled - kept..filled, 0);
        }
    }
}

/// What a scan for references found.
#[derive(Debug)]
pub(crate) struct References {
    /// For each path: the numbers of the hash parts it holds, ascending; its
    /// own may be among them.
    pub references: Vec<Vec<u32>>,
    /// The NAR size of each path in bytes; `None` where something of it could
    /// not be read or is in no NAR.
    pub nar_sizes: Vec<Option<u64>>,
    /// How many bytes of file contents were searched.
    pub bytes: u64,
    /// What could not be read.
    pub warnings: Warnings,
}

/// Searches the paths called `names` in the store directory for hash parts.
///
/// # Errors
/// When the store directory cannot be read or threads not be started.
pub(crate) fn find_references<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    parts: &HashParts,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<References, DiskError> {
    let walker = Walker::new(files, options.threads)?;
    let tops = Top::numbered(names);
    progress.begin("searching for references", Total::Paths(tops.len() as u64));
    let searcher = Searcher { parts, progress, use_case_hack: options.use_case_hack };
    let walked = walker.walk(&tops, &searcher, progress);
    let mut result = References {
        references: vec![Vec::new(); names.len()],
        nar_sizes: vec![Some(size::NAR); names.len()],
        bytes: 0,
        warnings: walked.warnings,
    };
    let mut present = vec![false; names.len()];
    for state in walked.states {
        result.bytes += state.bytes;
        result.warnings.extend(state.warnings);
        for (path, found) in state.paths {
            let at = path as usize;
            present[at] = true;
            result.references[at].extend(found.found);
            let sum = &mut result.nar_sizes[at];
            *sum = sum.filter(|_| found.whole).map(|s| s.saturating_add(found.nar_size));
        }
    }
    for (at, present) in present.into_iter().enumerate() {
        if !present {
            result.nar_sizes[at] = None;
        }
        result.references[at].sort_unstable();
        result.references[at].dedup();
    }
    result.warnings.sort();
    Ok(result)
}

struct Searcher<'a> {
    parts: &'a HashParts,
    progress: &'a Progress,
    use_case_hack: bool,
}

#[derive(Default)]
struct State {
    paths: HashMap<u32, OfPath>,
    buffer: Vec<u8>,
    bytes: u64,
    warnings: Warnings,
}

struct OfPath {
    /// Numbers, each once for as long as the list is short.
    found: Vec<u32>,
    nar_size: u64,
    whole: bool,
}

impl Searcher<'_> {
    fn entry(&self, state: &mut State, directory: &WalkDirectory<'_>, entry: &WalkEntry<'_, ()>) {
        let State { paths, buffer, bytes, warnings } = state;
        let of = paths.entry(directory.path()).or_insert_with(|| OfPath {
            found: Vec::new(),
            nar_size: 0,
            whole: true,
        });
        let found = &mut of.found;
        let mut add = |number: u32| {
            if !found.contains(&number) {
                found.push(number);
            }
        };
        let mut failed = |kind: WarningKind, message: String| {
            directory.warn(warnings, kind, entry.name(), message);
            of.whole = false;
        };
        let EntryStat::Stat(meta) = entry.stat else {
            of.whole = false;
            return;
        };
        let node = match entry.file_type {
            FileType::Directory => size::DIRECTORY,
            FileType::Symlink => {
                match directory.read_link(entry) {
                    Ok(target) => self.parts.find(&target, add),
                    Err(e) => failed(WarningKind::of_error(&e), e.to_string()),
                }
                size::symlink(meta.size)
            }
            FileType::Regular => {
                let file = directory.open_file(entry);
                match file.and_then(|file| self.parts.find_in(file, buffer, &mut add)) {
                    Ok(read) => {
                        *bytes += read;
                        self.progress.add_bytes(read);
                    }
                    Err(e) => failed(WarningKind::of_error(&e), e.to_string()),
                }
                size::file(meta.size, meta.executable())
            }
            FileType::Other | FileType::Unknown => {
                failed(WarningKind::UnsupportedFile, "is in no NAR".to_owned());
                0
            }
        };
        of.nar_size = of.nar_size.saturating_add(node);
    }
}

impl Visitor for Searcher<'_> {
    type State = State;
    type Tag = ();
    type Context = ();

    fn state(&self) -> State {
        State::default()
    }

    fn top(&self, state: &mut State, directory: &WalkDirectory<'_>, entry: &WalkEntry<'_, ()>) {
        self.entry(state, directory, entry);
    }

    fn directory<'e>(
        &self,
        state: &mut State,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
    ) {
        for entry in entries {
            self.entry(state, directory, &entry);
            if let Some(of) = state.paths.get_mut(&directory.path()) {
                self.parts.find(entry.name(), |number| of.found.push(number));
                let name = name_in_nar(entry.name(), self.use_case_hack);
                of.nar_size = of.nar_size.saturating_add(size::entry(name.len() as u64));
            }
        }
    }

    fn failed(&self, state: &mut State, path: u32) {
        let of = OfPath { found: Vec::new(), nar_size: 0, whole: true };
        state.paths.entry(path).or_insert(of).whole = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "0c5b8vw40dy178xlpddw65q9gf1h2186";
    const B: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

    fn found(bytes: &[u8]) -> Vec<u32> {
        let mut all = Vec::new();
        HashParts::new([A, B, "short"]).find(bytes, |n| all.push(n));
        all
    }

    #[test]
    fn finds_them_wherever_they_stand() {
        assert_eq!(found(A.as_bytes()), [0]);
        assert_eq!(found(format!("x{A}").as_bytes()), [0]);
        assert_eq!(found(format!("/nix/store/{A}-name {B}").as_bytes()), [0, 1]);
        assert_eq!(found(format!("{A}{A}").as_bytes()), [0, 0]);
        assert_eq!(found(format!("{B}z").as_bytes()), [1, 1]);
        assert_eq!(found(format!("{}e{}", &A[..16], &A[16..]).as_bytes()), [0u32; 0]);
        assert_eq!(found(&A.as_bytes()[..31]), [0u32; 0]);
        assert_eq!(found(b""), [0u32; 0]);
    }

    #[test]
    fn finds_them_across_reads() {
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.1.min(self.0.len()).min(buffer.len());
                buffer[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let text = format!("{}{A}--{A}{}{B}", "ab".repeat(70), "-".repeat(40));
        for step in 1..100 {
            let mut all = Vec::new();
            let parts = HashParts::new([A, B]);
            let read = parts.find_in(Slow(text.as_bytes(), step), &mut Vec::new(), |n| all.push(n));
            all.dedup();
            assert_eq!((read.unwrap(), all), (text.len() as u64, vec![0, 1]), "{step}");
        }
    }

    proptest! {
        /// Against the plainest search there is.
        #[test]
        fn as_a_plain_search(text in "[0ze\\- ]{0,200}", at in 0usize..100) {
            let mut text = text.into_bytes();
            let at = at.min(text.len());
            text.splice(at..at, B.bytes());
            let plain = (0..text.len()).filter(|&i| text[i..].starts_with(B.as_bytes())).count();
            prop_assert_eq!(found(&text).len(), plain);
        }
    }
}
