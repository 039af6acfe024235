//! Going over all entries of a tree, for the floors: descriptors of directories and one job a
//! directory, as the walk has them, and nothing kept.

use rayon::Scope;
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shows each entry below a directory to `each`, with the directory that it is in. `threads`
/// are as many as there are cores if they are 0. How many entries there are.
pub(crate) fn each_entry(
    directory: &CStr,
    threads: usize,
    each: &(impl Fn(&OwnedFd, &CStr, FileType) + Sync),
) -> u64 {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let directory = open(CWD, directory, OFlags::DIRECTORY);
    let entries = AtomicU64::new(0);
    pool.scope(|scope| read(scope, directory, each, &entries));
    entries.into_inner()
}

/// Opens a file, and no symlink.
pub(crate) fn open(at: impl AsFd, name: &CStr, more: OFlags) -> OwnedFd {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
    rustix::fs::openat(at, name, flags, Mode::empty()).expect("a file that can be read")
}

fn read<'s>(
    scope: &Scope<'s>,
    directory: OwnedFd,
    each: &'s (impl Fn(&OwnedFd, &CStr, FileType) + Sync),
    entries: &'s AtomicU64,
) {
    let directory = Arc::new(directory);
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut raw = RawDir::new(&*directory, buffer.spare_capacity_mut());
    let mut count = 0;
    while let Some(entry) = raw.next() {
        let entry = entry.expect("entries");
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        count += 1;
        each(&directory, name, entry.file_type());
        if entry.file_type() == FileType::Directory {
            let (above, name) = (Arc::clone(&directory), name.to_owned());
            scope.spawn(move |scope| {
                let below = open(&*above, &name, OFlags::DIRECTORY);
                drop(above);
                read(scope, below, each, entries);
            });
        }
    }
    entries.fetch_add(count, Ordering::Relaxed);
}
