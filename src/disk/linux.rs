//! The walk on Linux: `getdents64` and one `statx` (`fstatat` where there is
//! none) an entry relative to its directory, one rayon job a directory.
//!
//! - A job holds its directory's descriptor only as long as a directory below
//!   it waits to be opened, so a deep tree needs few. Where too many would be
//!   open, jobs are made without one, and reopen the way down from the nearest
//!   directory above that is still open.
//! - rayon runs a thread's own jobs last in, first out, which keeps few
//!   directories open; others steal the oldest, which are the largest.
//! - A directory of many entries is read by one job and statted by many.

use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rayon::{Scope, ThreadPool, ThreadPoolBuilder};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, Stat, Statx, StatxFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::warning::{WarningKind, Warnings};

use super::DiskError;
use super::walk::{
    Directory, Handle, Item, Kind, Listed, Meta, Place, Progress, Seen, Top, Trail, Visitor,
    Walked, full_path, is_entry_name,
};

/// Bytes that one getdents64 may fill; more gains nothing.
const BUFFER: usize = 32 * 1024;
/// Entries of a directory that one job stats; a larger directory is split.
const PART: usize = 1024;
/// Store paths that one job begins with.
const TOPS: usize = 16;
/// Open files to ask for; the system's hard limit may be lower.
const OPEN_FILES: u64 = 65_536;

/// A store directory opened to be walked.
pub(super) struct Walker {
    pool: ThreadPool,
    store_dir: PathBuf,
    store: OwnedFd,
    meta: Meta,
    /// Whether there is statx; else fstatat serves.
    statx: bool,
    /// Whether getdents64 tells the inode numbers that statx tells.
    trusted: bool,
    /// Directories that may be open at once.
    budget: usize,
    open: Arc<AtomicUsize>,
    noatime: AtomicBool,
}

impl Walker {
    pub(super) fn open(store_dir: &Path, threads: Option<usize>) -> Result<Self, DiskError> {
        let unreadable = |source: Errno| DiskError::StoreDirectory {
            path: store_dir.to_path_buf(),
            source: source.into(),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let store = rustix::fs::openat(CWD, store_dir, flags, Mode::empty()).map_err(unreadable)?;
        let here = rustix::fs::statx(&store, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS);
        let (meta, statx) = match here {
            Ok(statx) => (meta(&statx), true),
            // An old kernel, or a container's filter that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {
                (meta_of_stat(&rustix::fs::fstat(&store).map_err(unreadable)?), false)
            }
            Err(errno) => return Err(unreadable(errno)),
        };
        let trusted = tells_inodes_truly(&store, store_dir);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or((4 * cores).max(8)))
            .thread_name(|i| format!("walk-{i}"))
            .build()
            .map_err(DiskError::Threads)?;
        Ok(Self {
            pool,
            store_dir: store_dir.to_path_buf(),
            store,
            meta,
            statx,
            trusted,
            budget: open_files_budget(),
            open: Arc::default(),
            noatime: AtomicBool::new(true),
        })
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(super) fn list(&self) -> Result<Vec<Listed>, DiskError> {
        let read = || -> Result<Vec<Listed>, Errno> {
            let dir = self.open_directory(&self.store, c".")?;
            let mut buffer = Vec::with_capacity(BUFFER);
            let mut raw = RawDir::new(dir, buffer.spare_capacity_mut());
            let mut listed = Vec::new();
            while let Some(entry) = raw.next() {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    listed.push(Listed {
                        name: name.to_vec(),
                        ino: entry.ino(),
                        kind: Kind::from_file_type(entry.file_type()),
                    });
                }
            }
            Ok(listed)
        };
        read().map_err(|source| DiskError::StoreDirectory {
            path: self.store_dir.clone(),
            source: source.into(),
        })
    }

    pub(super) fn walk<V: Visitor>(
        &self,
        tops: &[Top<'_>],
        visitor: &V,
        progress: &Progress,
    ) -> Walked<V::State> {
        let walk = Walk {
            walker: self,
            visitor,
            progress,
            threads: (0..self.pool.current_num_threads())
                .map(|_| Mutex::new(Thread::new(visitor.state())))
                .collect(),
        };
        self.pool.scope(|scope| walk.tops(scope, tops));
        let mut walked =
            Walked { states: Vec::new(), entries: 0, statted: 0, warnings: Warnings::new() };
        for thread in walk.threads {
            let thread = thread.into_inner().unwrap_or_else(PoisonError::into_inner);
            walked.states.push(thread.state);
            walked.entries += thread.entries;
            walked.statted += thread.statted;
            walked.warnings.extend(thread.warnings);
        }
        walked.warnings.sort();
        walked
    }

    /// Opens a directory, and leaves its access time alone where we may.
    fn open_directory(&self, at: impl AsFd, name: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if self.noatime.load(Ordering::Relaxed) {
            match rustix::fs::openat(&at, name, flags | OFlags::NOATIME, Mode::empty()) {
                // Only an owner may ask for it.
                Err(Errno::PERM) => self.noatime.store(false, Ordering::Relaxed),
                other => return other,
            }
        }
        rustix::fs::openat(&at, name, flags, Mode::empty())
    }

    /// Opens the directory a trail leads to, from the nearest one still open.
    fn reopen(&self, trail: &Trail) -> Result<OwnedFd, Errno> {
        let mut names = vec![trail.name.as_c_str()];
        let mut at = trail;
        let mut kept = None;
        while let Some(parent) = at.parent.as_deref() {
            kept = parent.handle.get().and_then(Weak::upgrade);
            if kept.is_some() {
                break;
            }
            names.push(&parent.name);
            at = parent;
        }
        let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut last: Option<OwnedFd> = None;
        while let Some(name) = names.pop() {
            let from = match (&last, &kept) {
                (Some(fd), _) => fd.as_fd(),
                (None, Some(handle)) => handle.fd.as_fd(),
                (None, None) => self.store.as_fd(),
            };
            last = Some(if names.is_empty() {
                self.open_directory(from, name)?
            } else {
                rustix::fs::openat(from, name, path, Mode::empty())?
            });
        }
        last.ok_or(Errno::NOENT)
    }
}

/// What one thread gathers, and its buffers.
struct Thread<S, T> {
    state: S,
    warnings: Warnings,
    entries: u64,
    statted: u64,
    buffer: Vec<u8>,
    names: Vec<u8>,
    items: Vec<Item<T>>,
}

impl<S, T> Thread<S, T> {
    fn new(state: S) -> Self {
        Self {
            state,
            warnings: Warnings::new(),
            entries: 0,
            statted: 0,
            buffer: Vec::new(),
            names: Vec::new(),
            items: Vec::new(),
        }
    }
}

/// One walk.
struct Walk<'w, V: Visitor> {
    walker: &'w Walker,
    visitor: &'w V,
    progress: &'w Progress,
    /// One a thread, locked for a job at a time and so never waited for.
    threads: Vec<Mutex<Thread<V::State, V::Tag>>>,
}

/// A directory to be read.
struct Job {
    trail: Arc<Trail>,
    /// The directory above, unless too many are open.
    parent: Option<Arc<Handle>>,
    path: u32,
    dev: u64,
    ino: u64,
}

impl<'w, V: Visitor> Walk<'w, V> {
    fn thread(&self) -> MutexGuard<'_, Thread<V::State, V::Tag>> {
        let index = rayon::current_thread_index().unwrap_or(0);
        self.threads[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Halves the list until one job's worth is left, so that threads steal
    /// large parts, and begins in its order.
    fn tops<'s>(&'s self, scope: &Scope<'s>, tops: &'s [Top<'s>]) {
        let mut tops = tops;
        while tops.len() > TOPS {
            let (first, rest) = tops.split_at(tops.len() / 2);
            scope.spawn(move |scope| self.tops(scope, rest));
            tops = first;
        }
        let mut guard = self.thread();
        for top in tops {
            self.top(scope, &mut guard, top);
        }
    }

    fn top<'s>(&'s self, scope: &Scope<'s>, thread: &mut Thread<V::State, V::Tag>, top: &Top<'_>) {
        if !is_entry_name(top.name) {
            return self.progress.add_path();
        }
        thread.names.clear();
        thread.names.extend_from_slice(top.name);
        thread.names.push(0);
        let mut item = Item {
            start: 0,
            length: u16::try_from(top.name.len()).unwrap_or(0),
            kind: top.kind,
            ino: top.ino,
            seen: Seen::Failed,
        };
        let known = self.known(&mut thread.state, &item, self.walker.meta.dev);
        match known {
            Some(tag) => item.seen = Seen::Known(tag),
            None => match self.stat(thread.names.as_slice(), &self.walker.store, &mut item) {
                Ok(meta) => {
                    thread.statted += 1;
                    if item.kind != Kind::Directory
                        && let Some(tag) = self.visitor.met(&mut thread.state, item.kind, &meta)
                    {
                        item.seen = Seen::Known(tag);
                    }
                }
                Err(Errno::NOENT | Errno::NAMETOOLONG) => return self.progress.add_path(),
                Err(errno) => {
                    warn(&mut thread.warnings, errno, self.path(None, top.name));
                    self.visitor.failed(&mut thread.state, top.path);
                    return self.progress.add_path();
                }
            },
        }
        thread.entries += 1;
        self.progress.add_entries(1);
        let directory = Directory {
            store_dir: &self.walker.store_dir,
            trail: None,
            place: Place::Open(self.walker.store.as_fd()),
            path: top.path,
            dev: self.walker.meta.dev,
            ino: self.walker.meta.ino,
            position: 0,
        };
        self.visitor.top(&mut thread.state, &directory, &item.entry(&thread.names));
        match item.seen {
            Seen::Stat(meta) if item.kind == Kind::Directory => {
                if meta.dev != self.walker.meta.dev {
                    warn_mount(&mut thread.warnings, self.path(None, top.name));
                }
                let name = item.c_name(&thread.names);
                let job = Job {
                    trail: Trail::top(name, self.progress.path_counter()),
                    parent: None,
                    path: top.path,
                    dev: meta.dev,
                    ino: meta.ino,
                };
                scope.spawn(move |scope| self.directory(scope, job));
            }
            _ => self.progress.add_path(),
        }
    }

    /// Reads one directory.
    fn directory<'s>(&'s self, scope: &Scope<'s>, job: Job) {
        let mut guard = self.thread();
        let thread = &mut *guard;
        let opened = match &job.parent {
            Some(parent) => self.walker.open_directory(&parent.fd, &job.trail.name),
            None => self.walker.reopen(&job.trail),
        };
        let fd = match opened {
            Ok(fd) => fd,
            Err(errno) => {
                warn(&mut thread.warnings, errno, self.path(Some(&job.trail), b""));
                return self.visitor.failed(&mut thread.state, job.path);
            }
        };
        let handle = Handle::new(fd, &self.walker.open);
        let job = Job { parent: Some(Arc::clone(&handle)), ..job };

        thread.names.clear();
        thread.items.clear();
        thread.buffer.reserve(BUFFER);
        let mut raw = RawDir::new(&handle.fd, thread.buffer.spare_capacity_mut());
        let mut position = 0;
        loop {
            let entry = match raw.next() {
                None => break,
                Some(Ok(entry)) => entry,
                Some(Err(errno)) => {
                    warn(&mut thread.warnings, errno, self.path(Some(&job.trail), b""));
                    self.visitor.failed(&mut thread.state, job.path);
                    break;
                }
            };
            let name = entry.file_name().to_bytes_with_nul();
            if name == b".\0" || name == b"..\0" {
                continue;
            }
            if thread.items.len() == PART {
                let mut items = mem::replace(&mut thread.items, Vec::with_capacity(PART));
                let capacity = thread.names.capacity();
                let names = mem::replace(&mut thread.names, Vec::with_capacity(capacity));
                let part = Job { trail: Arc::clone(&job.trail), parent: job.parent.clone(), ..job };
                let handle = Arc::clone(&handle);
                scope.spawn(move |scope| {
                    let mut thread = self.thread();
                    self.entries(scope, &mut thread, &part, &handle, position, &names, &mut items);
                });
                position += PART;
            }
            thread.items.push(Item {
                start: thread.names.len() as u32,
                length: (name.len() - 1) as u16,
                kind: Kind::from_file_type(entry.file_type()),
                ino: entry.ino(),
                seen: Seen::Failed,
            });
            thread.names.extend_from_slice(name);
        }
        // Taken out for the call, to borrow them beside the rest.
        let names = mem::take(&mut thread.names);
        let mut items = mem::take(&mut thread.items);
        self.entries(scope, thread, &job, &handle, position, &names, &mut items);
        thread.names = names;
        thread.items = items;
    }

    /// Stats entries of one directory, shows them, and makes jobs of the
    /// directories among them.
    #[allow(clippy::too_many_arguments)]
    fn entries<'s>(
        &'s self,
        scope: &Scope<'s>,
        thread: &mut Thread<V::State, V::Tag>,
        job: &Job,
        handle: &Arc<Handle>,
        position: usize,
        names: &[u8],
        items: &mut [Item<V::Tag>],
    ) {
        let mut directories = 0;
        for item in &mut *items {
            if let Some(tag) = self.known(&mut thread.state, item, job.dev) {
                item.seen = Seen::Known(tag);
                continue;
            }
            match self.stat(names, &handle.fd, item) {
                Ok(meta) => {
                    thread.statted += 1;
                    if item.kind == Kind::Directory {
                        directories += 1;
                    } else if let Some(tag) = self.visitor.met(&mut thread.state, item.kind, &meta)
                    {
                        item.seen = Seen::Known(tag);
                    }
                }
                Err(errno) => {
                    let path = self.path(Some(&job.trail), item.entry(names).name);
                    warn(&mut thread.warnings, errno, path);
                    self.visitor.failed(&mut thread.state, job.path);
                }
            }
        }
        thread.entries += items.len() as u64;
        self.progress.add_entries(items.len());
        let directory = Directory {
            store_dir: &self.walker.store_dir,
            trail: Some(&job.trail),
            place: Place::Open(handle.fd.as_fd()),
            path: job.path,
            dev: job.dev,
            ino: job.ino,
            position,
        };
        let entries = items.iter().map(|item| item.entry(names));
        self.visitor.directory(&mut thread.state, &directory, entries);
        if directories == 0 {
            return;
        }

        let keep = self.walker.open.load(Ordering::Relaxed) < self.walker.budget;
        if keep {
            // A part of a large directory may have set it already, to the same.
            let _ = job.trail.handle.set(Arc::downgrade(handle));
        }
        for item in items.iter() {
            let (Kind::Directory, Seen::Stat(meta)) = (item.kind, item.seen) else { continue };
            if !self.visitor.descend(&directory, item.entry(names).name) {
                continue;
            }
            if meta.dev != job.dev {
                let path = self.path(Some(&job.trail), item.entry(names).name);
                warn_mount(&mut thread.warnings, path);
            }
            let below = Job {
                trail: Trail::below(&job.trail, item.c_name(names)),
                parent: keep.then(|| Arc::clone(handle)),
                path: job.path,
                dev: meta.dev,
                ino: meta.ino,
            };
            scope.spawn(move |scope| self.directory(scope, below));
        }
    }

    fn path(&self, trail: Option<&Trail>, name: &[u8]) -> Vec<u8> {
        full_path(&self.walker.store_dir, trail, name)
    }

    fn known(&self, state: &mut V::State, item: &Item<V::Tag>, dev: u64) -> Option<V::Tag> {
        (matches!(item.kind, Kind::File | Kind::Symlink)
            && self.walker.trusted
            && dev == self.walker.meta.dev)
            .then(|| self.visitor.known(state, item.ino))
            .flatten()
    }

    fn stat(&self, names: &[u8], at: &OwnedFd, item: &mut Item<V::Tag>) -> Result<Meta, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let name = item.c_name(names);
        let meta = if self.walker.statx {
            meta(&rustix::fs::statx(at, name, flags, StatxFlags::BASIC_STATS)?)
        } else {
            meta_of_stat(&rustix::fs::statat(at, name, flags)?)
        };
        item.kind = Kind::from_mode(meta.mode);
        item.ino = meta.ino;
        item.seen = Seen::Stat(meta);
        Ok(meta)
    }
}

fn warn(warnings: &mut Warnings, errno: Errno, path: Vec<u8>) {
    let error = io::Error::from(errno);
    warnings.push(WarningKind::of_error(&error), path, error.to_string());
}

fn warn_mount(warnings: &mut Warnings, path: Vec<u8>) {
    warnings.push(WarningKind::MountPoint, path, "another file system is mounted here");
}

fn meta(statx: &Statx) -> Meta {
    Meta {
        dev: rustix::fs::makedev(statx.stx_dev_major, statx.stx_dev_minor),
        ino: statx.stx_ino,
        size: statx.stx_size,
        disk_size: statx.stx_blocks.saturating_mul(512),
        mtime: statx.stx_mtime.tv_sec,
        mtime_nsec: statx.stx_mtime.tv_nsec,
        nlink: statx.stx_nlink,
        mode: u32::from(statx.stx_mode),
        uid: statx.stx_uid,
        gid: statx.stx_gid,
    }
}

#[allow(clippy::unnecessary_cast, clippy::cast_lossless)]
fn meta_of_stat(stat: &Stat) -> Meta {
    Meta {
        dev: stat.st_dev as u64,
        ino: stat.st_ino as u64,
        size: stat.st_size as u64,
        disk_size: (stat.st_blocks as u64).saturating_mul(512),
        mtime: stat.st_mtime as i64,
        mtime_nsec: stat.st_mtime_nsec as u32,
        nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        mode: stat.st_mode as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
    }
}

/// Whether directories of the store tell the inode numbers that statx tells.
///
/// Not so on overlayfs and others that make numbers up, nor where something is
/// mounted below: a directory tells the number of what is covered.
fn tells_inodes_truly(store: &OwnedFd, store_dir: &Path) -> bool {
    /// `f_type` of file systems known to: ext2, ext3 and ext4, xfs, btrfs,
    /// tmpfs, squashfs, erofs, f2fs, bcachefs, zfs.
    const TRUE: [u64; 9] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x0102_1994,
        0x7371_7368,
        0xe0f5_e1e2,
        0xf2f5_2010,
        0xca45_1a4e,
        0x2fc1_2fc1,
    ];
    let true_there = rustix::fs::fstatfs(store)
        .is_ok_and(|statfs| TRUE.contains(&(u64::from(statfs.f_type as u32))));
    let Ok(real) = std::fs::canonicalize(store_dir) else { return false };
    true_there
        && std::fs::read("/proc/self/mountinfo").is_ok_and(|mounts| !mounted_below(&mounts, &real))
}

/// Whether `/proc/self/mountinfo` tells of a mount below `dir`.
fn mounted_below(mountinfo: &[u8], dir: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    // In there, space, tab, newline and backslash are written in octal.
    let mut prefix = Vec::new();
    for &byte in dir.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => prefix.extend(format!("\\{byte:03o}").bytes()),
            _ => prefix.push(byte),
        }
    }
    if !prefix.ends_with(b"/") {
        prefix.push(b'/');
    }
    mountinfo
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .any(|point| point.starts_with(&prefix))
}

/// How many directories may be open at once: half of what the system lets us
/// open, having asked for more.
fn open_files_budget() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |hard| hard.min(OPEN_FILES));
    if limit.current.is_some_and(|soft| soft < wanted) {
        let raised = rustix::process::Rlimit { current: Some(wanted), ..limit };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit.current = Some(wanted);
        }
    }
    usize::try_from(limit.current.unwrap_or(OPEN_FILES) / 2).unwrap_or(512)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_calls_tell_the_same() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), vec![1; 70_000]).unwrap();
        std::fs::hard_link(dir.path().join("file"), dir.path().join("again")).unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
        let at = rustix::fs::open(dir.path(), OFlags::RDONLY, Mode::empty()).unwrap();
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        for name in [c"file", c"again", c"link", c"."] {
            let statx = rustix::fs::statx(&at, name, flags, StatxFlags::BASIC_STATS).unwrap();
            let stat = rustix::fs::statat(&at, name, flags).unwrap();
            assert_eq!(format!("{:?}", meta(&statx)), format!("{:?}", meta_of_stat(&stat)));
        }
    }

    #[test]
    fn mounts_below_a_directory() {
        let mountinfo = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n\
            23 22 254:0 /a /nix/store rw - ext4 /dev/vda rw\n\
            24 22 0:5 / /odd\\040name/x rw shared:1 - tmpfs tmpfs rw\n";
        assert!(!mounted_below(mountinfo, Path::new("/nix/store")));
        assert!(!mounted_below(mountinfo, Path::new("/nix/sto")));
        assert!(mounted_below(mountinfo, Path::new("/nix")));
        assert!(mounted_below(mountinfo, Path::new("/")));
        assert!(mounted_below(mountinfo, Path::new("/odd name")));
        assert!(!mounted_below(b"", Path::new("/")));
    }
}
