//! The walk itself: one rayon job a directory, over any kind of tree.
//!
//! - A job holds its directory open only as long as a directory below it waits
//!   to be opened, so a deep tree needs few descriptors. Where too many would be
//!   open, jobs are made without one, and reopen the way down from the nearest
//!   directory above that is still open.
//! - rayon runs a thread's own jobs last in, first out, which keeps few
//!   directories open; others steal the oldest, which are the largest.
//! - A directory of many entries is read by one job; its entries are examined by many.
//! - On a disk that rotates one thread goes over all of it in the order of inode numbers.

use crate::arrange::Arrange as _;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rayon::Scope;
use rustix::io::Errno;

use crate::fs::{self, FileType, Stat, StoreFiles};
use crate::threads::Pool;
use crate::warning::{WarningKind, Warnings};

use super::DiskError;
use super::erased::{self, AnyState, Erased};
use super::progress::Progress;
use super::reading::{OTHER_FILES, Reading, open_files};
use super::walk::{
    EntryStat, Handle, Item, Listed, Top, Trail, Visitor, WalkDirectory, Walked, full_path,
    is_entry_name, warn_of,
};

/// Entries of a directory that one job stats; a larger directory is split.
pub(super) const PART: usize = 1024;
/// The same in the order of inodes, which is that of a part.
const ORDERED_PART: usize = 64 << 10;
/// Store paths that one job begins with.
const TOPS: usize = 16;
/// Files that a thread opens at once: a directory, the one below it, a file.
const FILES_OF_THREAD: usize = 3;

/// The threads that walk a store directory, any number of times.
pub struct Walker<'f> {
    pool: Pool,
    files: &'f StoreFiles,
    /// Whether it is walked in the order of inode numbers, as far as one thread does it.
    in_order: bool,
    /// Directories that may be open at once.
    budget: usize,
    open: Arc<AtomicUsize>,
}

impl<'f> Walker<'f> {
    /// Starts the threads, so many or else as many as are best for the disk. Fewer are
    /// started where the system does not give so many, or not enough open files for them.
    ///
    /// # Errors
    /// When no thread can be used, not even this one.
    pub fn new(files: &'f StoreFiles, threads: Option<usize>) -> Result<Self, DiskError> {
        Self::start(files, Reading::of(files, threads, FILES_OF_THREAD))
    }

    fn start(files: &'f StoreFiles, reading: Reading) -> Result<Self, DiskError> {
        let Reading { threads, in_order } = reading;
        let open_files = open_files();
        let pool = Pool::new(threads, "walk").map_err(DiskError::Threads)?;
        let spare = OTHER_FILES + FILES_OF_THREAD * pool.current_num_threads();
        let budget = (open_files / 2).min(open_files.saturating_sub(spare));
        Ok(Self { pool, files, in_order, budget, open: Arc::default() })
    }

    /// The files that are walked.
    pub fn files(&self) -> &'f StoreFiles {
        self.files
    }

    /// Does work on these threads.
    pub(super) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// The entries of the store directory in the order they are read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, DiskError> {
        let mut listed = Vec::new();
        let read = |directory: fs::Directory| {
            directory.read(&mut Vec::new(), |entry| {
                listed.push(Listed {
                    name: entry.name.to_bytes().to_vec(),
                    ino: entry.ino,
                    file_type: entry.file_type,
                });
            })
        };
        // Opened anew: a descriptor has one position, and others may read too.
        match self.files.directory().open_directory(c".").and_then(read) {
            Ok(()) => Ok(listed),
            Err(source) => Err(DiskError::store_directory(self.files.path(), source)),
        }
    }

    /// Walks `tops` and all below them. A top that does not exist is shown to
    /// nobody and warned of by nobody: the caller knows what it asked for. A
    /// name that no entry can have (`..`, or one with a slash) does not exist.
    pub fn walk<V: Visitor>(
        &self,
        tops: &[Top<'_>],
        visitor: &V,
        progress: &Progress,
    ) -> Walked<V::State> {
        let walked = self.walk_erased(tops, visitor, progress);
        Walked {
            states: walked.states.into_iter().map(erased::into_own::<V>).collect(),
            entries: walked.entries,
            stat_calls: walked.stat_calls,
            warnings: walked.warnings,
        }
    }

    fn walk_erased<T: Copy + Send, C: Send + Sync>(
        &self,
        tops: &[Top<'_>],
        visitor: &dyn Erased<T, C>,
        progress: &Progress,
    ) -> Walked<AnyState> {
        let walk = Walk {
            walker: self,
            visitor,
            progress,
            threads: (0..self.pool.current_num_threads())
                .map(|_| Mutex::new(Thread::new(visitor.state())))
                .collect(),
        };
        let sorted = self.in_order.then(|| self.sorted(tops));
        self.pool.scope(|scope| walk.tops(scope, sorted.as_deref().unwrap_or(tops)));
        let mut walked =
            Walked { states: Vec::new(), entries: 0, stat_calls: 0, warnings: Warnings::new() };
        for thread in walk.threads {
            let thread = thread.into_inner().unwrap_or_else(PoisonError::into_inner).gathered;
            walked.states.push(thread.state);
            walked.entries += thread.entries;
            walked.stat_calls += thread.stat_calls;
            walked.warnings.extend(thread.warnings);
        }
        walked.warnings.sort();
        walked
    }

    /// The same in the order of inode numbers, for which the store directory is read unless it
    /// was; what is not known there is at the beginning.
    fn sorted<'t>(&self, tops: &[Top<'t>]) -> Vec<Top<'t>> {
        let mut sorted = tops.to_vec();
        if sorted.iter().any(|top| top.ino == 0) {
            let numbers = self.numbers();
            sorted.arrange_by_cached_key(|top| numbers.get(top.name).copied());
        } else {
            sorted.arrange_by_key(|top| top.ino);
        }
        sorted
    }

    /// The inode numbers of the entries of the store directory, by name; none if it cannot be
    /// read.
    pub(crate) fn numbers(&self) -> HashMap<Vec<u8>, u64> {
        let listed = self.list().unwrap_or_default();
        listed.into_iter().map(|top| (top.name, top.ino)).collect()
    }

    /// Opens the directory a trail leads to, from the nearest one still open.
    fn reopen<C>(&self, trail: &Trail<C>) -> io::Result<fs::Directory> {
        // Upward to the nearest directory still open, downward from there one
        // name at a time: a whole path could be longer than PATH_MAX, and a
        // symlink put in its middle would be followed.
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
        let mut last: Option<fs::Directory> = None;
        while let Some(name) = names.pop() {
            let from = match (&last, &kept) {
                (Some(directory), _) => directory,
                (None, Some(handle)) => &handle.directory,
                (None, None) => self.files.directory(),
            };
            last = Some(if names.is_empty() {
                from.open_directory(name)?
            } else {
                from.pass_directory(name)?
            });
        }
        last.ok_or_else(|| Errno::NOENT.into())
    }
}

/// What one thread gathers, and its buffers.
struct Thread<T> {
    gathered: Gathered,
    buffer: Vec<u8>,
    names: Vec<u8>,
    items: Vec<Item<T>>,
}

/// What one thread gathers.
struct Gathered {
    state: AnyState,
    warnings: Warnings,
    entries: u64,
    stat_calls: u64,
}

impl<T> Thread<T> {
    fn new(state: AnyState) -> Self {
        Self {
            gathered: Gathered { state, warnings: Warnings::new(), entries: 0, stat_calls: 0 },
            buffer: Vec::new(),
            names: Vec::new(),
            items: Vec::new(),
        }
    }
}

/// One walk.
struct Walk<'w, T, C> {
    walker: &'w Walker<'w>,
    visitor: &'w dyn Erased<T, C>,
    progress: &'w Progress,
    /// One a thread, locked for a job at a time and so never waited for.
    threads: Vec<Mutex<Thread<T>>>,
}

/// A directory to be read.
struct Job<C> {
    trail: Arc<Trail<C>>,
    /// The directory above, unless too many are open.
    parent: Option<Arc<Handle>>,
    path: u32,
    dev: u64,
    ino: u64,
    /// Whether the inode numbers in it can be trusted.
    trusted: bool,
}

impl<T: Copy + Send, C: Send + Sync> Walk<'_, T, C> {
    fn thread(&self) -> MutexGuard<'_, Thread<T>> {
        let index = rayon::current_thread_index().unwrap_or(0);
        self.threads[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Halves the list until one job's worth is left, so that threads steal
    /// large parts, and begins in its order.
    fn tops<'s>(&'s self, scope: &Scope<'s>, tops: &'s [Top<'s>]) {
        let mut tops = tops;
        // What a job finds goes before the jobs that wait, its last directory first.
        let most = if self.walker.in_order { 1 } else { TOPS };
        while tops.len() > most {
            let (first, rest) = tops.split_at(tops.len() / 2);
            scope.spawn(move |scope| self.tops(scope, rest));
            tops = first;
        }
        let mut guard = self.thread();
        for top in tops {
            self.top(scope, &mut guard, top);
        }
    }

    fn top<'s>(&'s self, scope: &Scope<'s>, thread: &mut Thread<T>, top: &Top<'_>) {
        if !is_entry_name(top.name) {
            return self.progress.add_path();
        }
        thread.names.clear();
        thread.names.extend_from_slice(top.name);
        thread.names.push(0);
        let mut item = Item {
            start: 0,
            length: u16::try_from(top.name.len()).unwrap_or(0),
            file_type: top.file_type,
            ino: top.ino,
            stat: EntryStat::Failed,
        };
        // As in `entries`: an inode that is known already needs no `stat`.
        let trusted = self.trusts_numbers(self.walker.files.stat().dev);
        let known = trusted.then(|| self.known(&mut thread.gathered.state, &item));
        match known.flatten() {
            Some(tag) => item.stat = EntryStat::Known(tag),
            None => match self.walker.files.directory().stat(item.c_name(&thread.names)) {
                Ok(stat) => {
                    thread.gathered.stat_calls += 1;
                    self.stat_known(&mut thread.gathered.state, stat, &mut item);
                }
                // A top that is not there is the caller's to judge.
                Err(error) if is_missing(&error) => return self.progress.add_path(),
                Err(error) => {
                    self.warn(&mut thread.gathered.warnings, &error, None, top.name);
                    self.visitor.failed(&mut thread.gathered.state, top.path);
                    return self.progress.add_path();
                }
            },
        }
        thread.gathered.entries += 1;
        self.progress.add_entries(1);
        let directory = WalkDirectory {
            store_dir: self.walker.files.path(),
            trail: None,
            files: self.walker.files.directory(),
            path: top.path,
            dev: self.walker.files.stat().dev,
            ino: self.walker.files.stat().ino,
            position: 0,
        };
        self.visitor.top(&mut thread.gathered.state, &directory, &item.entry(&thread.names));
        match item.stat {
            EntryStat::Stat(stat) if item.file_type == FileType::Directory => {
                let Some(context) = self.visitor.descend(&directory, top.name) else {
                    return self.progress.add_path();
                };
                if stat.dev != self.walker.files.stat().dev {
                    self.warn_mount(&mut thread.gathered.warnings, None, top.name);
                }
                let name = item.c_name(&thread.names);
                let job = Job {
                    trail: Trail::top(name, context, self.progress.path_counter()),
                    parent: None,
                    path: top.path,
                    dev: stat.dev,
                    ino: stat.ino,
                    trusted: self.trusts_numbers(stat.dev),
                };
                scope.spawn(move |scope| self.directory(scope, job));
            }
            _ => self.progress.add_path(),
        }
    }

    /// Reads one directory.
    fn directory<'s>(&'s self, scope: &Scope<'s>, job: Job<C>) {
        let mut guard = self.thread();
        let thread = &mut *guard;
        let opened = match &job.parent {
            Some(parent) => parent.directory.open_directory(&job.trail.name),
            None => self.walker.reopen(&job.trail),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.warn(&mut thread.gathered.warnings, &error, Some(&job.trail), b"");
                return self.visitor.failed(&mut thread.gathered.state, job.path);
            }
        };
        // Counts as open until the last job that holds it is done.
        let handle = Handle::new(opened, &self.walker.open);
        let job = Job { parent: Some(Arc::clone(&handle)), ..job };

        thread.names.clear();
        thread.items.clear();
        let mut position = 0;
        let in_order = self.walker.in_order;
        let part_size = if in_order { ORDERED_PART } else { PART };
        // Taken out for the call, to fill the rest beside it.
        let mut buffer = mem::take(&mut thread.buffer);
        let read = handle.directory.read(&mut buffer, |entry| {
            // A full part becomes a job of its own while reading goes on, so
            // that a directory of a million entries keeps all threads busy.
            if thread.items.len() == part_size {
                let mut items = mem::replace(&mut thread.items, Vec::with_capacity(PART));
                let capacity = thread.names.capacity();
                let names = mem::replace(&mut thread.names, Vec::with_capacity(capacity));
                let part = Job { trail: Arc::clone(&job.trail), parent: job.parent.clone(), ..job };
                let handle = Arc::clone(&handle);
                scope.spawn(move |scope| {
                    let mut thread = self.thread();
                    // Those of the first part are examined already.
                    if position > 0 || in_order {
                        self.examine_all(&mut thread.gathered, &part, &handle, &names, &mut items);
                    }
                    self.show(
                        scope,
                        &mut thread.gathered,
                        &part,
                        &handle,
                        position,
                        &names,
                        &items,
                    );
                });
                position += part_size;
            }
            let name = entry.name.to_bytes_with_nul();
            thread.items.push(Item {
                start: thread.names.len() as u32,
                length: (name.len() - 1) as u16,
                file_type: entry.file_type,
                ino: entry.ino,
                stat: EntryStat::Failed,
            });
            thread.names.extend_from_slice(name);
            // Here the name is a C string as it is; from the buffer it would
            // have to be gone over again.
            if position == 0
                && !in_order
                && let Some(item) = thread.items.last_mut()
            {
                self.examine(&mut thread.gathered, &job, &handle, entry.name, item);
            }
        });
        thread.buffer = buffer;
        if let Err(error) = read {
            self.warn(&mut thread.gathered.warnings, &error, Some(&job.trail), b"");
            self.visitor.failed(&mut thread.gathered.state, job.path);
        }
        // Taken out for the call, to borrow them beside the rest.
        let names = mem::take(&mut thread.names);
        let mut items = mem::take(&mut thread.items);
        if position > 0 || in_order {
            self.examine_all(&mut thread.gathered, &job, &handle, &names, &mut items);
        }
        self.show(scope, &mut thread.gathered, &job, &handle, position, &names, &items);
        thread.names = names;
        thread.items = items;
    }

    /// Finds out what the entries of a part of a directory are.
    fn examine_all(
        &self,
        gathered: &mut Gathered,
        job: &Job<C>,
        handle: &Handle,
        names: &[u8],
        items: &mut [Item<T>],
    ) {
        if !self.walker.in_order {
            for item in items {
                self.examine(gathered, job, handle, item.c_name(names), item);
            }
            return;
        }
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.arrange_by_key(|&at| items[at].ino);
        for at in order {
            let item = &mut items[at];
            self.examine(gathered, job, handle, item.c_name(names), item);
        }
    }

    /// Finds out what an entry of a directory is.
    #[inline(always)]
    fn examine(
        &self,
        gathered: &mut Gathered,
        job: &Job<C>,
        handle: &Handle,
        name: &CStr,
        item: &mut Item<T>,
    ) {
        // The type is from the directory here; `stat` below replaces it.
        if job.trusted
            && let Some(tag) = self.known(&mut gathered.state, item)
        {
            item.stat = EntryStat::Known(tag);
            return;
        }
        match handle.directory.stat(name) {
            Ok(stat) => {
                gathered.stat_calls += 1;
                if !job.trusted && self.is_torn(&handle.directory, item.ino, &stat) {
                    let path = || self.path(Some(&job.trail), name.to_bytes());
                    let message = "overlayfs shows the names of one inode as several inodes";
                    warn_of(&mut gathered.warnings, WarningKind::Uncertain, message, path);
                }
                self.stat_known(&mut gathered.state, stat, item);
            }
            Err(error) => {
                self.warn(&mut gathered.warnings, &error, Some(&job.trail), name.to_bytes());
                self.visitor.failed(&mut gathered.state, job.path);
            }
        }
    }

    /// Notes what `stat` says of an entry, or what the visitor makes of it.
    #[inline(always)]
    fn stat_known(&self, state: &mut AnyState, stat: Stat, item: &mut Item<T>) {
        item.file_type = stat.file_type();
        item.ino = stat.ino;
        if item.file_type != FileType::Directory
            && let Some(tag) = self.visitor.met(state, &stat)
        {
            item.stat = EntryStat::Known(tag);
        } else {
            item.stat = EntryStat::Stat(stat);
        }
    }

    /// Shows the entries of one directory, or of a part of it, and makes jobs
    /// of the directories among them. All of the part was examined before: the
    /// visitor sees it once, in the order of the directory, failed entries included.
    #[allow(clippy::too_many_arguments)]
    fn show<'s>(
        &'s self,
        scope: &Scope<'s>,
        gathered: &mut Gathered,
        job: &Job<C>,
        handle: &Arc<Handle>,
        position: usize,
        names: &[u8],
        items: &[Item<T>],
    ) {
        gathered.entries += items.len() as u64;
        self.progress.add_entries(items.len());
        let directory = WalkDirectory {
            store_dir: self.walker.files.path(),
            trail: Some(&job.trail),
            files: &handle.directory,
            path: job.path,
            dev: job.dev,
            ino: job.ino,
            position,
        };
        self.visitor.directory(&mut gathered.state, &directory, items, names);
        if !items.iter().any(|item| item.file_type == FileType::Directory) {
            return;
        }

        // Only a guide, as other threads open directories meanwhile: the budget
        // is half of what may be open, so that there is room for that. Without
        // a handle the jobs below hold no descriptor while they wait.
        let keep = self.walker.open.load(Ordering::Relaxed) < self.walker.budget;
        if keep {
            // A part of a large directory may have set it already, to the same.
            let _ = job.trail.handle.set(Arc::downgrade(handle));
        }
        let descend = |item: &Item<T>| {
            let EntryStat::Stat(stat) = item.stat else { return };
            let name = item.entry(names).name();
            let Some(context) = self.visitor.descend(&directory, name) else { return };
            if stat.dev != job.dev {
                self.warn_mount(&mut gathered.warnings, Some(&job.trail), name);
            }
            let below = Job {
                trail: Trail::below(&job.trail, item.c_name(names), context),
                parent: keep.then(|| Arc::clone(handle)),
                path: job.path,
                dev: stat.dev,
                ino: stat.ino,
                trusted: self.trusts_numbers(stat.dev),
            };
            scope.spawn(move |scope| self.directory(scope, below));
        };
        let directories = items.iter().filter(|item| item.file_type == FileType::Directory);
        if self.walker.in_order {
            let mut directories: Vec<_> = directories.collect();
            // The last job is the first to be done.
            directories.arrange_by_key(|item| Reverse(item.ino));
            directories.into_iter().for_each(descend);
        } else {
            directories.for_each(descend);
        }
    }

    fn path(&self, trail: Option<&Trail<C>>, name: &[u8]) -> Vec<u8> {
        full_path(self.walker.files.path(), trail, name)
    }

    fn warn(
        &self,
        warnings: &mut Warnings,
        error: &io::Error,
        trail: Option<&Trail<C>>,
        name: &[u8],
    ) {
        let kind = WarningKind::of_error(error);
        warn_of(warnings, kind, error.to_string(), || self.path(trail, name));
    }

    fn warn_mount(&self, warnings: &mut Warnings, trail: Option<&Trail<C>>, name: &[u8]) {
        // Of a subvolume of btrfs the device is another, and nothing is mounted.
        let message = "another file system begins here, or a subvolume of the same";
        warn_of(warnings, WarningKind::MountPoint, message, || self.path(trail, name));
    }

    /// Whether inode numbers of a directory of that device say which inodes are
    /// meant: not where they may be wrong (overlayfs), nor on another file
    /// system, where the same number is another inode.
    fn trusts_numbers(&self, dev: u64) -> bool {
        self.walker.files.facts().trusted_inodes && dev == self.walker.files.stat().dev
    }

    /// Whether names of this inode may have other numbers: overlayfs keeps the
    /// number of a file that it copied to its upper layer, but where it finds the
    /// copy by another name it gives the copy's own, which directories have.
    #[cold]
    fn is_torn(&self, directory: &fs::Directory, ino: u64, stat: &Stat) -> bool {
        self.walker.files.facts().copies_up
            && stat.nlink > 1
            && stat.file_type() != FileType::Directory
            && !directory.agrees(ino, stat)
    }

    /// What the visitor knows of an entry by its inode number alone. Not asked
    /// for directories, as they are opened anyway.
    #[inline(always)]
    fn known(&self, state: &mut AnyState, item: &Item<T>) -> Option<T> {
        match item.file_type {
            FileType::Regular | FileType::Symlink => self.visitor.known(state, item.ino),
            _ => None,
        }
    }
}

/// Whether there is no such entry, or can be none of such a name.
fn is_missing(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NAMETOOLONG))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::walk::WalkEntry;

    /// Notes the inode number of each directory that is shown, and how many entries of it.
    struct Noting;

    impl Visitor for Noting {
        type State = Vec<(u64, usize)>;
        type Tag = ();
        type Context = ();

        fn state(&self) -> Self::State {
            Vec::new()
        }

        fn top(&self, _: &mut Self::State, _: &WalkDirectory<'_>, _: &WalkEntry<'_, ()>) {}

        fn directory<'e>(
            &self,
            state: &mut Self::State,
            directory: &WalkDirectory<'_>,
            entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>> + Clone,
        ) {
            assert!(entries.clone().all(|entry| matches!(entry.stat, EntryStat::Stat(_))));
            state.push((directory.ino, entries.len()));
        }

        fn failed(&self, _: &mut Self::State, _: u32) {}
    }

    #[test]
    fn in_order_directories_are_read_by_number() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        // Made in another order than that of names, and so numbered.
        let names: Vec<String> = (0..40).map(|n| format!("{:02}", n * 17 % 40)).collect();
        for name in &names {
            for below in ["b", "a", "c"] {
                std::fs::create_dir_all(store.join(name).join(below)).unwrap();
                std::fs::write(store.join(name).join(below).join("file"), "").unwrap();
            }
        }
        let files = StoreFiles::live(&store, "/".as_ref()).unwrap();
        let mut sorted = names.clone();
        sorted.sort();
        let tops = Top::numbered(&sorted);
        let number = |name: String| {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(store.join(name)).unwrap().ino()
        };
        let mut expected: Vec<(u64, Vec<u64>)> = (names.iter())
            .map(|name| {
                let mut below = ["a", "b", "c"].map(|below| number(format!("{name}/{below}")));
                below.sort_unstable();
                (number(name.clone()), below.to_vec())
            })
            .collect();
        expected.sort_unstable();
        let expected: Vec<(u64, usize)> = (expected.into_iter())
            .flat_map(|(top, below)| {
                std::iter::once((top, 3)).chain(below.into_iter().map(|ino| (ino, 1)))
            })
            .collect();
        let walked = |in_order| {
            let walker = Walker::start(&files, Reading { threads: 1, in_order }).unwrap();
            let walked = walker.walk(&tops, &Noting, &Progress::default());
            assert_eq!((walked.entries, walked.warnings.total()), (40 * 7, 0));
            walked.states.concat()
        };
        assert_eq!(walked(true), expected);
        let mut other = walked(false);
        assert_ne!(other, expected);
        other.sort_unstable();
        let mut all = expected;
        all.sort_unstable();
        assert_eq!(other, all);
    }

    #[test]
    fn in_order_large_directories_are_whole() {
        let names: Vec<String> = (0..3000).map(|n| format!("/store/a/{n}")).collect();
        let tree = crate::fs::Tree::memory(names.iter().map(|name| (name, b"".as_slice())));
        let count = |in_order| {
            let files = StoreFiles::open(&tree, "/store".as_ref()).unwrap();
            let walker = Walker::start(&files, Reading { threads: 1, in_order }).unwrap();
            let walked = walker.walk(&Top::numbered(&["a"]), &Noting, &Progress::default());
            walked.states.concat().iter().map(|shown| shown.1).collect::<Vec<_>>()
        };
        assert_eq!((count(true), count(false).iter().sum::<usize>()), (vec![3000], 3000));
    }
}
