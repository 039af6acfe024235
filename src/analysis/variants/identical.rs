//! Files that paths have in common: the same contents, whatever they are called.

use crate::arrange::Arrange as _;
use crate::census::{Census, PathIndex};
use crate::disk::{
    DiskError, EntryStat, Progress, Reading, Top, Visitor, WalkDirectory, WalkEntry, Walker,
};
use crate::fs::{FileType, StoreFiles};
use crate::threads;
use crate::threads::Pool;
use crate::warning::{WarningKind, Warnings};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};

/// Files that a thread has open at most: one, and the directory that it is in.
const FILES_OF_THREAD: usize = 2;

/// What a path has in common with other builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identical {
    /// Bytes of contents: `st_size` of such files, each inode once.
    pub size: u64,
    /// How many files, each inode once.
    pub files: u64,
}

/// A file of a path.
struct File {
    path: u32,
    size: u64,
    executable: bool,
    inode: Identity,
    /// Below the store directory.
    name: Vec<u8>,
}

/// An inode: its device and number.
type Identity = (u64, u64);

/// What stands for a file's contents.
type Hash = [u8; 32];

/// The inodes of equal files, by path.
type InodesOfPaths = BTreeMap<u32, BTreeSet<Identity>>;

#[derive(Default)]
struct Found {
    files: Vec<File>,
}

struct Finder;

impl Finder {
    fn add(
        found: &mut Found,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, ()>,
        above: &[u8],
    ) {
        let EntryStat::Stat(stat) = entry.stat else { return };
        if entry.file_type != FileType::Regular || stat.size == 0 {
            return;
        }
        let mut name = above.to_vec();
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(entry.name());
        found.files.push(File {
            path: directory.path(),
            size: stat.size,
            executable: stat.executable(),
            inode: stat.identity(),
            name,
        });
    }
}

impl Visitor for Finder {
    type State = Found;
    type Tag = ();
    type Context = ();

    fn state(&self) -> Found {
        Found::default()
    }

    fn top(&self, found: &mut Found, directory: &WalkDirectory<'_>, entry: &WalkEntry<'_, ()>) {
        Self::add(found, directory, entry, b"");
    }

    fn directory<'e>(
        &self,
        found: &mut Found,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
    ) {
        let above = directory.relative_path();
        for entry in entries {
            Self::add(found, directory, &entry, &above);
        }
    }

    // The walk warns of what it cannot read.
    fn failed(&self, _: &mut Found, _: u32) {}
}

/// For each build of each group what it has in common with another build of
/// its group. Files of equal size are read.
///
/// # Errors
/// If the store directory cannot be read.
pub(super) fn find(
    census: &Census,
    files: &StoreFiles,
    groups: &[Vec<PathIndex>],
    threads: Option<usize>,
    warnings: &mut Warnings,
) -> Result<HashMap<PathIndex, Identical>, DiskError> {
    let mut group_of: BTreeMap<u32, u32> = BTreeMap::new();
    for (number, builds) in (0u32..).zip(groups) {
        group_of.extend(builds.iter().map(|build| (build.node(), number)));
    }
    let tops: Vec<Top<'_>> = (group_of.keys())
        .map(|&path| {
            let name = census.catalog.base_name(census.id(PathIndex::new(path))).as_bytes();
            Top::named(name, path)
        })
        .collect();
    let walked = Walker::new(files, threads)?.walk(&tops, &Finder, &Progress::default());
    warnings.extend(walked.warnings);
    // Only a file of the same size in another build of the group can be equal.
    let mut by_size: HashMap<(u32, u64, bool), Vec<File>> = HashMap::new();
    for file in walked.states.into_iter().flat_map(|state| state.files) {
        let group = group_of[&file.path];
        by_size.entry((group, file.size, file.executable)).or_default().push(file);
    }
    by_size.retain(|_, like| like.iter().any(|file| file.path != like[0].path));
    let hashes = hash_all(files, by_size.values(), threads, warnings)?;
    let mut found: HashMap<PathIndex, Identical> = HashMap::new();
    for ((_, size, _), like) in by_size {
        let inodes: BTreeSet<Identity> = like.iter().map(|file| file.inode).collect();
        let mut classes: HashMap<Hash, InodesOfPaths> = HashMap::new();
        for file in &like {
            // One inode alone needs no reading.
            let hash = match inodes.len() {
                1 => Some([0; 32]),
                _ => hashes.get(&file.inode).copied(),
            };
            if let Some(hash) = hash {
                let paths = classes.entry(hash).or_default();
                paths.entry(file.path).or_default().insert(file.inode);
            }
        }
        for paths in classes.into_values().filter(|paths| paths.len() > 1) {
            for (path, inodes) in paths {
                let identical = found.entry(PathIndex::new(path)).or_default();
                let number = inodes.len() as u64;
                identical.files += number;
                identical.size = identical.size.saturating_add(size.saturating_mul(number));
            }
        }
    }
    Ok(found)
}

/// Reads one file of each inode of those groups that have several, by as many
/// threads as walk. A warning where one cannot be read.
fn hash_all<'f>(
    files: &StoreFiles,
    groups: impl Iterator<Item = &'f Vec<File>>,
    threads: Option<usize>,
    warnings: &mut Warnings,
) -> Result<HashMap<Identity, Hash>, DiskError> {
    let several = groups.filter(|like| like.iter().any(|file| file.inode != like[0].inode));
    let mut to_read: Vec<&File> = several.flatten().collect();
    // In an order of their own, so that warnings always are too.
    to_read.arrange_by(|a, b| (a.inode, &a.name).cmp(&(b.inode, &b.name)));
    to_read.dedup_by_key(|file| file.inode);
    if to_read.is_empty() {
        return Ok(HashMap::new());
    }
    let Reading { threads, .. } = Reading::of(files, threads, FILES_OF_THREAD);
    let pool = Pool::new(threads, "compare").map_err(DiskError::Threads)?;
    let read: Vec<io::Result<Hash>> = pool.install(|| {
        let hash = |at: usize, buffer: &mut Vec<u8>| hash(files, to_read[at], buffer);
        threads::map_with(to_read.len(), 1, Vec::new, hash)
    });
    let mut hashes = HashMap::new();
    for (file, hash) in to_read.into_iter().zip(read) {
        match hash {
            Ok(hash) => drop(hashes.insert(file.inode, hash)),
            Err(error) => {
                let message = format!("not compared: {error}");
                warnings.push(WarningKind::of_error(&error), files.path_of(&file.name), message);
            }
        }
    }
    Ok(hashes)
}

/// What stands for a file's contents.
fn hash(files: &StoreFiles, file: &File, buffer: &mut Vec<u8>) -> io::Result<Hash> {
    let (directory, name) = files.directory().pass_to(&file.name)?;
    let mut opened = directory.open_file(&name)?;
    let mut hasher = blake3::Hasher::new();
    buffer.resize(128 * 1024, 0);
    let mut left = file.size;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(buffer.len()).min(buffer.len());
        match opened.read(&mut buffer[..want])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                hasher.update(&buffer[..read]);
                left -= read as u64;
            }
        }
    }
    Ok(hasher.finalize().into())
}
