//! The largest files of each path, found in the walk that sums.

use super::kinds::{self, KindScan, Sorted, Sorter, WalkPlace};
use super::observe::{Observed, Observer, Shared};
use super::walk::{EntryStat, WalkDirectory, WalkEntry};
use super::{DiskError, DiskScan, Progress, ScanOptions, scan_observed};
use crate::arrange::Arrange as _;
use crate::fs::{FileType, StoreFiles};
use crate::nar::size;
use std::cmp::Reverse;

/// A file of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LargeFile {
    /// Its name below its store path; empty where the path is the file. Of a file below
    /// very many directories only the last part, after `…/`.
    pub(crate) name: Vec<u8>,
    /// Its length in bytes.
    pub(crate) size: u64,
}

/// The largest files of each path.
#[derive(Clone, Debug, Default)]
pub(crate) struct LargestFiles {
    /// By path, largest first.
    files: Vec<(u32, LargeFile)>,
}

impl LargestFiles {
    /// How many are kept of a path.
    pub(crate) const KEPT: usize = 5;

    /// The largest files of the path at this place in [`DiskScan::usages`], largest
    /// first; of an inode with several names in the path only the first of them.
    pub(crate) fn of(&self, path: u32) -> impl Iterator<Item = &LargeFile> + Clone {
        let start = self.files.partition_point(|&(of, _)| of < path);
        self.files[start..].iter().take_while(move |&&(of, _)| of == path).map(|(_, file)| file)
    }
}

/// Scans paths as [`scan_kinds`](super::scan_kinds) does, and in the same walk finds
/// the largest files of each.
///
/// # Errors
/// As [`scan`](super::scan).
pub(crate) fn scan_contents<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
) -> Result<(DiskScan, KindScan, LargestFiles), DiskError> {
    let both = Contents { sorter: Sorter::new(options) };
    let (mut scan, observed) = scan_observed(files, names, options, progress, &both)?;
    let (sorted, largest) = observed.split();
    let largest = settle(&scan, &sorted, largest);
    let mut kinds = kinds::found(sorted);
    kinds.warn_in(&mut scan);
    Ok((scan, kinds, largest))
}

/// A file that may be one of the largest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    path: u32,
    /// The size of its node in a NAR: larger for larger files, and known without `stat`
    /// of every name.
    node: u64,
    /// The number of its inode, if it has several names.
    inode: Option<u32>,
    /// Its length, if it has one name.
    size: u64,
    name: Vec<u8>,
}

impl Candidate {
    fn order(&self) -> (u32, Reverse<u64>, &[u8]) {
        (self.path, Reverse(self.node), &self.name)
    }
}

/// Keeps of candidates of one path the largest, each inode once.
fn keep_largest(candidates: &mut Vec<Candidate>) {
    candidates.arrange_by(|a, b| a.order().cmp(&b.order()));
    let mut seen = Vec::new();
    candidates.retain(|candidate| match candidate.inode {
        _ if seen.len() >= LargestFiles::KEPT => false,
        Some(_) if seen.contains(&candidate.inode) => false,
        inode => {
            seen.push(inode);
            true
        }
    });
}

fn settle(
    scan: &DiskScan,
    observed: &Observed<impl Sized>,
    found: Vec<Candidates>,
) -> LargestFiles {
    let states = found.into_iter().flat_map(|mut state| {
        state.turn_to(u32::MAX);
        state.settled
    });
    let mut all: Vec<Candidate> = states.collect();
    all.arrange_by_key(|candidate| candidate.path);
    let mut files = Vec::new();
    // Several threads may have met parts of a path.
    for of_path in all.chunk_by(|a, b| a.path == b.path) {
        let mut of_path = of_path.to_vec();
        keep_largest(&mut of_path);
        files.extend(of_path.into_iter().map(|found| {
            let of_inode = |number| scan.inodes[observed.inode(number) as usize].apparent_size();
            let size = found.inode.map_or(found.size, of_inode);
            (found.path, LargeFile { name: found.name, size })
        }));
    }
    LargestFiles { files }
}

/// What one thread gathers.
struct Candidates {
    path: u32,
    /// Those of the path at hand.
    here: Vec<Candidate>,
    /// No file of the path at hand below this counts any more.
    least: u64,
    settled: Vec<Candidate>,
}

impl Candidates {
    fn new() -> Self {
        Self { path: u32::MAX, here: Vec::new(), least: 0, settled: Vec::new() }
    }

    fn turn_to(&mut self, path: u32) {
        if self.path != path {
            self.shrink();
            self.settled.append(&mut self.here);
            self.path = path;
            self.least = 0;
        }
    }

    fn shrink(&mut self) {
        keep_largest(&mut self.here);
        if self.here.len() == LargestFiles::KEPT {
            self.least = self.here.last().map_or(0, |last| last.node);
        }
    }

    fn meet(&mut self, entry: &WalkEntry<'_, Shared>, name: impl FnOnce() -> Vec<u8>) {
        const ROOM: usize = 64;
        if entry.file_type != FileType::Regular {
            return;
        }
        let (node, inode, size) = match entry.stat {
            EntryStat::Known(shared) => (shared.node, Some(shared.number()), 0),
            EntryStat::Stat(meta) => {
                let node = size::node(entry.file_type, meta.size, meta.executable());
                (node.unwrap_or(u64::MAX), None, meta.size)
            }
            EntryStat::Failed => return,
        };
        if node < self.least {
            return;
        }
        self.here.push(Candidate { path: self.path, node, inode, size, name: name() });
        if self.here.len() >= ROOM {
            self.shrink();
        }
    }

    fn directory<'e, C>(
        &mut self,
        directory: &WalkDirectory<'_, C>,
        entries: impl Iterator<Item = WalkEntry<'e, Shared>>,
    ) {
        // To write out the name of each directory takes the square of how deep they are.
        const DEEPEST: u32 = 100;
        self.turn_to(directory.path());
        let mut above: Option<Vec<u8>> = None;
        for entry in entries {
            self.meet(&entry, || {
                let above = above.get_or_insert_with(|| match directory.depth() > DEEPEST {
                    true => "…/".into(),
                    false => directory.prefix_in_path(),
                });
                [above.as_slice(), entry.name()].concat()
            });
        }
    }
}

/// The observer that sorts entries into kinds, and keeps the largest files.
struct Contents {
    sorter: Sorter,
}

impl Observer for Contents {
    type State = (Sorted, Candidates);
    type Context = WalkPlace;

    fn state(&self, device: Option<u64>) -> Self::State {
        (self.sorter.state(device), Candidates::new())
    }

    fn top(
        &self,
        (sorted, largest): &mut Self::State,
        directory: &WalkDirectory<'_, WalkPlace>,
        entry: &WalkEntry<'_, Shared>,
    ) {
        self.sorter.top(sorted, directory, entry);
        largest.turn_to(directory.path());
        largest.meet(entry, Vec::new);
    }

    fn directory<'e>(
        &self,
        (sorted, largest): &mut Self::State,
        directory: &WalkDirectory<'_, WalkPlace>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>> + Clone,
    ) {
        self.sorter.directory(sorted, directory, entries.clone());
        largest.directory(directory, entries);
    }

    fn descend(&self, directory: &WalkDirectory<'_, WalkPlace>, name: &[u8]) -> Option<WalkPlace> {
        self.sorter.descend(directory, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Tree;

    #[test]
    fn the_largest_first_and_no_more_than_are_kept() {
        let names: Vec<String> = (0..9).map(|n| format!("/nix/store/a-path/d/f{n}")).collect();
        let texts: Vec<String> = (0..9).map(|n| "x".repeat(100 * (n % 7 + 1))).collect();
        let mut all: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
        all.push(("/nix/store/b-file", "all of it"));
        let tree = Tree::memory(all);
        let files = StoreFiles::open(&tree, "/nix/store".as_ref()).unwrap();
        let options = ScanOptions::default();
        let scanned = scan_contents(&files, &["a-path", "b-file"], &options, &Progress::default());
        let (_, kinds, largest) = scanned.unwrap();
        let of = |path| -> Vec<(String, u64)> {
            let name = |file: &LargeFile| String::from_utf8(file.name.clone()).unwrap();
            largest.of(path).map(|file| (name(file), file.size)).collect()
        };
        let expected = [("d/f6", 700), ("d/f5", 600), ("d/f4", 500), ("d/f3", 400), ("d/f2", 300)];
        assert_eq!(of(0), expected.map(|(name, size)| (name.to_owned(), size)));
        assert_eq!(of(1), [(String::new(), 9)]);
        assert!(of(2).is_empty());
        assert!(kinds.own(0).next().is_some());
    }
}
