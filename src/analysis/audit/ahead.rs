//! Reading the files of a path in the order of the disk, before they are hashed in that of
//! their names: on a disk that rotates each step between distant places takes milliseconds.
//! Before that, the directories and inodes of all paths, which lie elsewhere.

use crate::disk::{
    DiskError, EntryStat, Progress, Top, Total, Visitor, WalkDirectory, WalkEntry, Walker,
};
use crate::fs::{FileType, StoreFiles};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files up to this size are read ahead: to find a larger one takes no longer than to read it.
const SMALL: u64 = 1 << 20;
/// How many bytes are read at once: they have to be in memory until they are hashed. A file
/// counts as a block at least.
const MOST: u64 = 256 << 20;
const BLOCK: u64 = 4096;
/// Files that lie deeper than this in a path, or in a directory with a longer name, are not read
/// ahead, as each is found by its name.
const DEEPEST: u32 = 64;
const LONGEST: usize = 4096;

/// Reads store paths ahead.
pub(super) struct Ahead<'f> {
    walker: Walker<'f>,
    /// The inode numbers of store paths, by name.
    numbers: HashMap<Vec<u8>, u64>,
}

impl<'f> Ahead<'f> {
    /// To read some paths.
    ///
    /// # Errors
    /// Those of [`Walker::new`].
    pub(super) fn new<'n>(
        files: &'f StoreFiles,
        paths: impl Iterator<Item = &'n str>,
        progress: &Progress,
    ) -> Result<Self, DiskError> {
        let walker = Walker::new(files, Some(1))?;
        let ahead = Self { numbers: walker.numbers(), walker };
        let tops: Vec<_> = paths.filter_map(|name| ahead.top(name)).collect();
        progress.begin("reading directories", Total::Paths(tops.len() as u64));
        ahead.walker.walk(&tops, &Small { left: AtomicU64::new(0) }, progress);
        Ok(ahead)
    }

    fn top<'n>(&self, name: &'n str) -> Option<Top<'n>> {
        Some(Top { ino: self.place(name)?, ..Top::named(name.as_bytes(), 0) })
    }

    /// Where a path begins on the disk, as far as its inode number tells.
    pub(super) fn place(&self, name: &str) -> Option<u64> {
        self.numbers.get(name.as_bytes()).copied()
    }

    /// Reads the first of these paths, each given with its size: how many of them. What cannot
    /// be read is for those to say who need it.
    pub(super) fn read<'n>(&self, paths: impl Iterator<Item = (&'n str, u64)>) -> usize {
        let mut tops = Vec::new();
        let (mut sum, mut count) = (0u64, 0);
        for (name, size) in paths {
            sum = sum.saturating_add(size);
            if count > 0 && sum > MOST {
                break;
            }
            count += 1;
            tops.extend(self.top(name));
        }
        let small = Small { left: AtomicU64::new(MOST) };
        let walked = self.walker.walk(&tops, &small, &Progress::default());
        let mut found: Vec<Found> = walked.states.into_iter().flatten().collect();
        found.sort_unstable();
        let mut buffer = vec![0; SMALL as usize];
        for (_, size, path) in found {
            if let Ok((directory, name)) = self.walker.files().directory().pass_to(&path) {
                _ = directory.read_file(&name, size, &mut buffer[..size]);
            }
        }
        count
    }
}

/// Finds small files, so many bytes of them.
struct Small {
    left: AtomicU64,
}

/// The inode number of a file, its size and its name below the store directory.
type Found = (u64, usize, Vec<u8>);

impl Visitor for Small {
    type State = Vec<Found>;
    type Tag = ();
    type Context = ();

    fn state(&self) -> Vec<Found> {
        Vec::new()
    }

    fn top(&self, _: &mut Vec<Found>, _: &WalkDirectory<'_>, _: &WalkEntry<'_, ()>) {}

    fn directory<'e>(
        &self,
        found: &mut Vec<Found>,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>> + Clone,
    ) {
        if self.left.load(Ordering::Relaxed) < BLOCK || directory.depth() > DEEPEST {
            return;
        }
        let place = directory.relative_path();
        if place.len() > LONGEST {
            return;
        }
        for entry in entries {
            let EntryStat::Stat(stat) = entry.stat else { continue };
            // One thread walks.
            let left = self.left.load(Ordering::Relaxed);
            let counts = stat.size.max(BLOCK);
            if stat.file_type() == FileType::Regular
                && (1..=SMALL).contains(&stat.size)
                && counts <= left
            {
                self.left.store(left - counts, Ordering::Relaxed);
                found.push((
                    stat.ino,
                    stat.size as usize,
                    [&place, &b"/"[..], entry.name()].concat(),
                ));
            }
        }
    }

    fn failed(&self, _: &mut Vec<Found>, _: u32) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{MemoryFile, Tree};
    use std::path::PathBuf;

    #[test]
    fn small_files_are_read_up_to_so_many_bytes() {
        let file = |name: String, size: usize| {
            let contents = vec![7; size];
            (PathBuf::from(name), MemoryFile::Regular { contents, executable: false })
        };
        let mut all = vec![
            file("/store/a/below/small".to_owned(), 100),
            file("/store/a/empty".to_owned(), 0),
            file("/store/a/limit".to_owned(), SMALL as usize),
            file("/store/a/large".to_owned(), SMALL as usize + 1),
            file("/store/b".to_owned(), 100),
            file(format!("/store/a/{}small", format!("{}/", "long".repeat(60)).repeat(20)), 100),
        ];
        all.extend((0..300).map(|n| file(format!("/store/many/{n}"), SMALL as usize)));
        let files = StoreFiles::open(&Tree::memory(all), "/store".as_ref()).unwrap();
        let names = ["a", "b", "none", "many"];
        let ahead = Ahead::new(&files, names.into_iter(), &Progress::default()).unwrap();
        let read = |names: &[&str], size| ahead.read(names.iter().map(|&name| (name, size)));
        assert_eq!(read(&names, 100), 4);
        assert_eq!(read(&names, MOST / 2), 2);
        assert_eq!(read(&names, u64::MAX), 1);
        assert_eq!(read(&[], 1), 0);
        let found = |name: &str| {
            let small = Small { left: AtomicU64::new(MOST) };
            let top = ahead.top(name).unwrap();
            ahead.walker.walk(&[top], &small, &Progress::default()).states.concat()
        };
        let mut names: Vec<_> =
            found("a").into_iter().map(|(_, size, name)| (name, size)).collect();
        names.sort();
        let expected = [(b"a/below/small".to_vec(), 100), (b"a/limit".to_vec(), SMALL as usize)];
        assert_eq!(names, expected);
        assert_eq!([found("b").len(), found("many").len()], [0, (MOST / SMALL) as usize]);
        assert!(ahead.place("a").is_some() && ahead.place("none").is_none());
    }
}
