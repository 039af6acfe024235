//! The walk's words: what a [`Visitor`] is shown, and the choice of engine.
//!
//! A walk goes over some entries of the store directory (mostly store paths)
//! and everything below them, in parallel, one job a directory. It keeps no
//! tree: each directory is shown to the visitor once its entries were read and
//! statted, then forgotten.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use rustix::fs::{FileType, Mode, OFlags};

use crate::warning::Warnings;

use super::DiskError;
#[cfg(target_os = "linux")]
use super::linux;
use super::portable;
pub(super) use super::progress::Progress;

/// What kind of file an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symlink. It is never followed.
    Symlink,
    /// A FIFO, socket or device, which no NAR can hold.
    Other,
    /// Not known: it could not be statted.
    Unknown,
}

impl Kind {
    pub(super) fn from_file_type(kind: FileType) -> Self {
        match kind {
            FileType::Directory => Self::Directory,
            FileType::RegularFile => Self::File,
            FileType::Symlink => Self::Symlink,
            FileType::Unknown => Self::Unknown,
            _ => Self::Other,
        }
    }

    pub(super) fn from_mode(mode: u32) -> Self {
        Self::from_file_type(FileType::from_raw_mode(mode as _))
    }
}

/// What `stat` says of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// The device: with `ino`, the identity of the inode.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// `st_size` in bytes; of a symlink, the length of its target.
    pub size: u64,
    /// Blocks in bytes: `st_blocks` × 512.
    pub disk_size: u64,
    /// Time of last modification, in seconds since 1970.
    pub mtime: i64,
    /// The rest of it, in nanoseconds.
    pub mtime_nsec: u32,
    /// The number of names of the inode.
    pub nlink: u32,
    /// `st_mode`: type and permissions.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Meta {
    /// Whether the owner may execute it: what a NAR calls executable.
    pub fn executable(&self) -> bool {
        self.mode & 0o100 != 0
    }
}

/// What is known of an entry beyond its name, number and kind.
#[derive(Clone, Copy, Debug)]
pub enum Seen<T> {
    /// It was statted.
    Stat(Meta),
    /// The visitor knew the inode, and says so with this tag.
    Known(T),
    /// It could not be statted (a warning says why).
    Failed,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a, T> {
    /// Its name: any bytes but `/` and NUL.
    pub name: &'a [u8],
    /// Its inode number; of an entry neither statted nor of a trusted number
    /// it may be wrong.
    pub ino: u64,
    /// Its kind.
    pub kind: Kind,
    /// What is known of it.
    pub seen: Seen<T>,
}

/// An entry as the engines keep it: the name is in a buffer beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<T> {
    pub(super) start: u32,
    pub(super) length: u16,
    pub(super) kind: Kind,
    pub(super) ino: u64,
    pub(super) seen: Seen<T>,
}

impl<T: Copy> Item<T> {
    pub(super) fn entry<'a>(&self, names: &'a [u8]) -> Entry<'a, T> {
        let start = self.start as usize;
        Entry {
            name: &names[start..start + usize::from(self.length)],
            ino: self.ino,
            kind: self.kind,
            seen: self.seen,
        }
    }

    /// The name with the NUL that follows it.
    pub(super) fn c_name<'a>(&self, names: &'a [u8]) -> &'a CStr {
        let start = self.start as usize;
        CStr::from_bytes_with_nul(&names[start..=start + usize::from(self.length)])
            .unwrap_or_default()
    }
}

/// An open directory, as a visitor is shown it.
pub struct Directory<'a> {
    pub(super) store_dir: &'a Path,
    pub(super) trail: Option<&'a Trail>,
    pub(super) place: Place<'a>,
    pub(super) path: u32,
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) position: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    #[cfg(target_os = "linux")]
    Open(BorrowedFd<'a>),
    At(&'a Path),
}

impl Directory<'_> {
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

    /// Its name relative to the store directory (empty for that one itself).
    pub fn relative_path(&self) -> Vec<u8> {
        self.trail.map(Trail::relative_path).unwrap_or_default()
    }

    /// The full path of an entry, for a warning.
    pub fn full_path(&self, name: &[u8]) -> Vec<u8> {
        full_path(self.store_dir, self.trail, name)
    }

    /// Opens a regular file of this directory to be read. Nothing else is ever
    /// opened for reading or waited for: not a FIFO, device or symlink.
    ///
    /// # Errors
    /// Those of the system, and `InvalidInput` where it is no regular file.
    pub fn open_file(&self, name: &[u8]) -> io::Result<File> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |dir: BorrowedFd<'_>| rustix::fs::openat(dir, name, flags, Mode::empty());
        let file = File::from(match self.place {
            #[cfg(target_os = "linux")]
            Place::Open(dir) => open(dir)?,
            Place::At(path) => open(File::open(path)?.as_fd())?,
        });
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
    }

    /// The target of a symlink of this directory.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        let read = |dir: BorrowedFd<'_>| rustix::fs::readlinkat(dir, name, Vec::new());
        let target = match self.place {
            #[cfg(target_os = "linux")]
            Place::Open(dir) => read(dir)?,
            Place::At(path) => read(File::open(path)?.as_fd())?,
        };
        Ok(target.into_bytes())
    }
}

/// What a walk does with what it meets. Its methods are called from many
/// threads at once, each with that thread's own state.
pub trait Visitor: Sync {
    /// What one thread gathers.
    type State: Send;
    /// What is known of an inode that need not be statted.
    type Tag: Copy + Send;

    /// The state a thread starts with.
    fn state(&self) -> Self::State;

    /// Whether the regular file or symlink with this inode number, in the
    /// store's own file system, need not be statted. Asked only where
    /// directories are known to tell inode numbers truly.
    fn known(&self, _state: &mut Self::State, _ino: u64) -> Option<Self::Tag> {
        None
    }

    /// Told of each entry but directories right after it was statted. A tag
    /// given here replaces the [`Meta`] in what [`Visitor::directory`] is shown.
    fn met(&self, _state: &mut Self::State, _kind: Kind, _meta: &Meta) -> Option<Self::Tag> {
        None
    }

    /// Whether to go into the directory `name` of `directory`.
    fn descend(&self, _directory: &Directory<'_>, _name: &[u8]) -> bool {
        true
    }

    /// Shown each store path itself: an entry of the store directory, which is
    /// `directory`.
    fn top(&self, state: &mut Self::State, directory: &Directory<'_>, entry: &Entry<'_, Self::Tag>);

    /// Shown the entries of each directory in the order they were read; a
    /// large one in parts ([`Directory::position`]).
    fn directory<'e>(
        &self,
        state: &mut Self::State,
        directory: &Directory<'_>,
        entries: impl ExactSizeIterator<Item = Entry<'e, Self::Tag>>,
    );

    /// Told that something of this path could not be read (a warning says what).
    fn failed(&self, state: &mut Self::State, path: u32);
}

/// An entry of the store directory to walk.
#[derive(Clone, Copy, Debug)]
pub struct Top<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The number the visitor is told: [`Directory::path`].
    pub path: u32,
    /// Its inode number where the store directory was read, else 0.
    pub ino: u64,
    /// Its kind where the store directory was read, else unknown.
    pub kind: Kind,
}

/// An entry found in the store directory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: Vec<u8>,
    /// Its inode number.
    pub ino: u64,
    /// Its kind, or unknown.
    pub kind: Kind,
}

/// What a walk gathered.
#[derive(Debug)]
pub struct Walked<S> {
    /// The state of each thread.
    pub states: Vec<S>,
    /// How many entries were met, the given ones included.
    pub entries: u64,
    /// How many of them were statted.
    pub statted: u64,
    /// What went wrong.
    pub warnings: Warnings,
}

/// Which engine walks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The fastest one for this system.
    #[default]
    Native,
    /// The one for any Unix, on the walkdir crate: one thread, paths from the
    /// store directory on.
    Portable,
}

/// A store directory opened to be walked, any number of times.
pub struct Walker(Inner);

enum Inner {
    #[cfg(target_os = "linux")]
    Linux(linux::Walker),
    Portable(portable::Walker),
}

impl Walker {
    /// Opens the store directory. `threads` defaults to four a core and at
    /// least eight: cold disks want more than cores.
    ///
    /// # Errors
    /// When the directory cannot be opened or the threads not started.
    pub fn open(
        store_dir: &Path,
        engine: Engine,
        threads: Option<usize>,
    ) -> Result<Self, DiskError> {
        Ok(Self(match engine {
            #[cfg(target_os = "linux")]
            Engine::Native => Inner::Linux(linux::Walker::open(store_dir, threads)?),
            _ => Inner::Portable(portable::Walker::open(store_dir)?),
        }))
    }

    /// What `stat` says of the store directory.
    pub fn meta(&self) -> &Meta {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Inner::Linux(w) => w.meta(),
            Inner::Portable(w) => w.meta(),
        }
    }

    /// The entries of the store directory in the order they are read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, DiskError> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Inner::Linux(w) => w.list(),
            Inner::Portable(w) => w.list(),
        }
    }

    /// Walks `tops` and all below them. A top that does not exist is shown to
    /// nobody and warned of by nobody: the caller knows what it asked for. A
    /// name that is no entry's (`..`, or one with a slash) does not exist.
    pub fn walk<V: Visitor>(
        &self,
        tops: &[Top<'_>],
        visitor: &V,
        progress: &Progress,
    ) -> Walked<V::State> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Inner::Linux(w) => w.walk(tops, visitor, progress),
            Inner::Portable(w) => w.walk(tops, visitor, progress),
        }
    }
}

/// A directory's name and those above it, for warnings and to open it anew.
pub(super) struct Trail {
    pub(super) parent: Option<Arc<Trail>>,
    pub(super) name: CString,
    /// Open while something below waits for it.
    pub(super) handle: OnceLock<Weak<Handle>>,
    /// Counted up when the last job below has ended; store paths only.
    pub(super) done: Option<Arc<AtomicU64>>,
}

impl Trail {
    pub(super) fn top(name: &CStr, done: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self {
            parent: None,
            name: name.to_owned(),
            handle: OnceLock::new(),
            done: Some(done),
        })
    }

    pub(super) fn below(parent: &Arc<Self>, name: &CStr) -> Arc<Self> {
        Arc::new(Self {
            parent: Some(Arc::clone(parent)),
            name: name.to_owned(),
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

impl Drop for Trail {
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
    pub(super) fd: OwnedFd,
    open: Arc<AtomicUsize>,
}

impl Handle {
    #[cfg(target_os = "linux")]
    pub(super) fn new(fd: OwnedFd, open: &Arc<AtomicUsize>) -> Arc<Self> {
        open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { fd, open: Arc::clone(open) })
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
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|&byte| byte == b'/' || byte == 0)
}

/// The full path of an entry, for a warning: `name` is empty for the directory
/// of `trail` itself.
pub(super) fn full_path(store_dir: &Path, trail: Option<&Trail>, name: &[u8]) -> Vec<u8> {
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
