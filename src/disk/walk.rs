//! The terms of the walk: what a [`Visitor`] is shown of what it walks over.
//!
//! A walk goes over some entries of the store directory (mostly store paths)
//! and everything below them, in parallel, one job a directory. It keeps no
//! tree: each directory is shown to the visitor once its entries were read and
//! `stat` was called for them, then forgotten.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::fs::{self, FileType, RegularFile, Stat};
use crate::warning::{WarningKind, Warnings};

/// What is known of an entry beyond its name, number and type.
#[derive(Clone, Copy, Debug)]
pub enum EntryStat<T> {
    /// What `stat` says of it.
    Stat(Stat),
    /// The visitor knew the inode, and says so with this tag.
    Known(T),
    /// `stat` failed (a warning says why).
    Failed,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct WalkEntry<'a, T> {
    /// Its name with the NUL that ends it.
    name_with_nul: &'a [u8],
    /// Its inode number; without [`EntryStat::Stat`] and where directories do
    /// not report true numbers ([`fs::Facts`]) it may be wrong.
    pub ino: u64,
    /// Its type.
    pub file_type: FileType,
    /// What is known of it.
    pub stat: EntryStat<T>,
}

impl<'a, T> WalkEntry<'a, T> {
    /// Its name: any bytes but `/` and NUL.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.name_with_nul.split_last().map_or(&[], |(_, name)| name)
    }

    /// The same for the calls of [`WalkDirectory::files`].
    pub fn c_name(&self) -> &'a CStr {
        CStr::from_bytes_with_nul(self.name_with_nul).unwrap_or_default()
    }
}

/// An entry as the engine keeps it: the name is in a buffer beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<T> {
    pub(super) start: u32,
    pub(super) length: u16,
    pub(super) file_type: FileType,
    pub(super) ino: u64,
    pub(super) stat: EntryStat<T>,
}

impl<T: Copy> Item<T> {
    #[inline]
    pub(super) fn entry<'a>(&self, names: &'a [u8]) -> WalkEntry<'a, T> {
        let start = self.start as usize;
        WalkEntry {
            name_with_nul: &names[start..=start + usize::from(self.length)],
            ino: self.ino,
            file_type: self.file_type,
            stat: self.stat,
        }
    }

    /// The name with the NUL that follows it.
    pub(super) fn c_name<'a>(&self, names: &'a [u8]) -> &'a CStr {
        self.entry(names).c_name()
    }
}

/// An open directory, as a visitor is shown it.
pub struct WalkDirectory<'a, C = ()> {
    pub(super) store_dir: &'a Path,
    pub(super) trail: Option<&'a Trail<C>>,
    pub(super) files: &'a fs::Directory,
    pub(super) path: u32,
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) position: usize,
}

impl<C> WalkDirectory<'_, C> {
    /// The index of the store path it belongs to: [`Top::path`].
    pub fn path(&self) -> u32 {
        self.path
    }

    /// Its device and inode number, which name it among all directories.
    pub fn identity(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// How many entries of this directory, in the order they were read, come
    /// before those shown now: a large directory is shown in parts, in any order.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many directories it lies below the store directory; 0 for that one itself.
    pub fn depth(&self) -> u32 {
        self.trail.map_or(0, |trail| trail.depth)
    }

    /// What [`Visitor::descend`] gave for it; `None` for the store directory.
    pub fn context(&self) -> Option<&C> {
        self.trail.map(|trail| &trail.context)
    }

    /// The last part of its name; empty for the store directory.
    pub fn name(&self) -> &[u8] {
        self.trail.map_or(b"", |trail| trail.name.as_bytes())
    }

    /// Its name relative to the store directory (empty for that one itself).
    /// It may be of any length: putting it together for every directory takes
    /// the square of the depth. See [`WalkDirectory::context`].
    pub fn relative_path(&self) -> Vec<u8> {
        self.trail.map(Trail::relative_path).unwrap_or_default()
    }

    /// What its entries' names below their store path begin with: nothing, or its own
    /// name there and a slash. As long as [`WalkDirectory::relative_path`].
    pub(crate) fn prefix_in_path(&self) -> Vec<u8> {
        let relative = self.relative_path();
        match relative.iter().position(|&b| b == b'/') {
            Some(at) => [&relative[at + 1..], b"/"].concat(),
            None => Vec::new(),
        }
    }

    /// The full path of an entry in a store directory of that name: the database's
    /// may be another than this machine's.
    pub fn full_path_in(&self, store_dir: &str, name: &[u8]) -> Vec<u8> {
        full_path(Path::new(store_dir), self.trail, name)
    }

    /// Warns of an entry. Its full path on this machine is put together only where
    /// there is room for the warning.
    pub(crate) fn warn(
        &self,
        warnings: &mut Warnings,
        kind: WarningKind,
        name: &[u8],
        message: impl Into<String>,
    ) {
        warn_of(warnings, kind, message, || full_path(self.store_dir, self.trail, name));
    }

    /// The directory itself, to reach the files in it.
    pub fn files(&self) -> &fs::Directory {
        self.files
    }

    /// Opens a regular file of this directory.
    ///
    /// # Errors
    /// As [`fs::Directory::open_file`].
    pub fn open_file<T>(&self, entry: &WalkEntry<'_, T>) -> io::Result<RegularFile> {
        self.files.open_file(entry.c_name())
    }

    /// The target of a symlink of this directory.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read_link<T>(&self, entry: &WalkEntry<'_, T>) -> io::Result<Vec<u8>> {
        self.files.read_link(entry.c_name())
    }
}

/// What a walk does with what it meets. Its methods are called from many
/// threads at once, each with that thread's own state.
pub trait Visitor: Sync {
    /// What one thread gathers.
    type State: Send + 'static;
    /// What is known of an inode that needs no `stat`.
    type Tag: Copy + Send;
    /// What a directory passes on to each directory in it: what depends on its
    /// name, so that the name need not be put together.
    type Context: Default + Send + Sync;

    /// The state a thread starts with.
    fn state(&self) -> Self::State;

    /// Whether the regular file or symlink with this inode number, in the
    /// store's own file system, needs no `stat`. Asked only where
    /// inode numbers in directories are known to be right.
    fn known(&self, _state: &mut Self::State, _ino: u64) -> Option<Self::Tag> {
        None
    }

    /// Called for each entry but directories right after its `stat`. A tag
    /// given here replaces the [`Stat`] in what [`Visitor::directory`] is shown.
    fn met(&self, _state: &mut Self::State, _stat: &Stat) -> Option<Self::Tag> {
        None
    }

    /// Whether to go into the directory `name` of `directory`, which has been
    /// shown before; with what is passed on to it ([`WalkDirectory::context`]).
    fn descend(
        &self,
        _directory: &WalkDirectory<'_, Self::Context>,
        _name: &[u8],
    ) -> Option<Self::Context> {
        Some(Self::Context::default())
    }

    /// Shown each store path itself: an entry of the store directory, which is
    /// `directory`.
    fn top(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_, Self::Context>,
        entry: &WalkEntry<'_, Self::Tag>,
    );

    /// Shown the entries of each directory in the order they were read; a
    /// large one in parts ([`WalkDirectory::position`]).
    fn directory<'e>(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_, Self::Context>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Self::Tag>> + Clone,
    );

    /// Called when something of this path could not be read (a warning says what).
    fn failed(&self, state: &mut Self::State, path: u32);
}

/// An entry of the store directory to walk.
#[derive(Clone, Copy, Debug)]
pub struct Top<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The number that the visitor gets: [`WalkDirectory::path`].
    pub path: u32,
    /// Its inode number where the store directory was read, else 0.
    pub ino: u64,
    /// Its type where the store directory was read, else unknown.
    pub file_type: FileType,
}

impl<'a> Top<'a> {
    /// An entry of which only the name is known.
    pub const fn named(name: &'a [u8], path: u32) -> Self {
        Self { name, path, ino: 0, file_type: FileType::Unknown }
    }

    /// Such entries, numbered in this order from 0.
    pub fn numbered<N: AsRef<[u8]> + ?Sized + 'a>(
        names: impl IntoIterator<Item = &'a N>,
    ) -> Vec<Self> {
        (0..).zip(names).map(|(path, name)| Self::named(name.as_ref(), path)).collect()
    }
}

/// An entry found in the store directory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: Vec<u8>,
    /// Its inode number.
    pub ino: u64,
    /// Its type, or unknown.
    pub file_type: FileType,
}

/// What a walk gathered.
#[derive(Debug)]
pub struct Walked<S> {
    /// The state of each thread.
    pub states: Vec<S>,
    /// How many entries were met, the given ones included.
    pub entries: u64,
    /// How many calls of `stat` that took.
    pub stat_calls: u64,
    /// What went wrong.
    pub warnings: Warnings,
}

/// A directory's name and those above it, for warnings and to open it anew.
pub(super) struct Trail<C> {
    pub(super) parent: Option<Arc<Trail<C>>>,
    pub(super) name: CString,
    context: C,
    /// How many directories this one lies below the store directory; 1 for store paths.
    depth: u32,
    /// Open while something below waits for it.
    pub(super) handle: OnceLock<Weak<Handle>>,
    /// Counted up when the last job below has ended; store paths only.
    pub(super) done: Option<Arc<AtomicU64>>,
}

impl<C> Trail<C> {
    pub(super) fn top(name: &CStr, context: C, done: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self {
            parent: None,
            name: name.to_owned(),
            context,
            depth: 1,
            handle: OnceLock::new(),
            done: Some(done),
        })
    }

    pub(super) fn below(parent: &Arc<Self>, name: &CStr, context: C) -> Arc<Self> {
        Arc::new(Self {
            parent: Some(Arc::clone(parent)),
            name: name.to_owned(),
            context,
            depth: parent.depth.saturating_add(1),
            handle: OnceLock::new(),
            done: None,
        })
    }

    pub(super) fn relative_path(&self) -> Vec<u8> {
        let mut names = vec![self.name.as_bytes()];
        let mut at = self;
        while let Some(parent) = &at.parent {
            names.push(parent.name.as_bytes());
            at = parent;
        }
        names.reverse();
        names.join(&b'/')
    }
}

impl<C> Drop for Trail<C> {
    /// Without recursion: trails may be very long.
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done.fetch_add(1, Ordering::Relaxed);
        }
        let mut parent = self.parent.take();
        while let Some(trail) = parent {
            parent = Arc::into_inner(trail).and_then(|mut trail| trail.parent.take());
        }
    }
}

/// An open directory, counted.
pub(super) struct Handle {
    pub(super) directory: fs::Directory,
    open: Arc<AtomicUsize>,
}

impl Handle {
    pub(super) fn new(directory: fs::Directory, open: &Arc<AtomicUsize>) -> Arc<Self> {
        open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { directory, open: Arc::clone(open) })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether an entry of a directory can have this name; any other would lead
/// out of the directory, or nowhere.
pub(super) fn is_entry_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && name.len() <= usize::from(u16::MAX)
        && !name.iter().any(|&byte| byte == b'/' || byte == 0)
}

/// The full path of an entry: `name` is empty for the directory of `trail` itself.
pub(super) fn full_path<C>(store_dir: &Path, trail: Option<&Trail<C>>, name: &[u8]) -> Vec<u8> {
    let mut path = store_dir.as_os_str().as_bytes().to_vec();
    let below = trail.map(Trail::relative_path).unwrap_or_default();
    for part in [below.as_slice(), name] {
        if !part.is_empty() {
            path.push(b'/');
            path.extend_from_slice(part);
        }
    }
    path
}

/// Warns of what has that path, which may be long, where there is room for it.
pub(super) fn warn_of(
    warnings: &mut Warnings,
    kind: WarningKind,
    message: impl Into<String>,
    path: impl FnOnce() -> Vec<u8>,
) {
    match warnings.has_room(kind) {
        true => warnings.push(kind, path(), message),
        false => warnings.count(kind),
    }
}
