//! The floor that the walk is measured against: read every directory, `statx`
//! every entry, and do nothing else.
//!
//! `cargo bench --bench floor -- DIR [--threads N]` prints the number of
//! entries; time it as a process. Descriptors of directories and one job a
//! directory, as the walk has them, and no sums, names or inodes kept.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::Scope;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, StatxFlags};

fn main() {
    let mut directory = None;
    let mut threads = 0;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--threads" {
            let value = arguments.next().expect("--threads N");
            threads = value.to_string_lossy().parse().expect("a number of threads");
        } else if argument != "--bench" {
            directory = Some(PathBuf::from(argument));
        }
    }
    let Some(directory) = directory else {
        // `cargo bench` of all benches gives no directory.
        println!("floor: give a directory");
        return;
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let entries = AtomicU64::new(0);
    let root =
        open(CWD, &CString::new(directory.into_os_string().into_encoded_bytes()).expect("a path"));
    pool.scope(|scope| read(scope, root, &entries));
    println!("{} entries", entries.into_inner());
}

fn open(at: impl std::os::fd::AsFd, name: &CStr) -> OwnedFd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty()).expect("a directory that can be read")
}

fn read<'s>(scope: &Scope<'s>, directory: OwnedFd, entries: &'s AtomicU64) {
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
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let stat = rustix::fs::statx(&*directory, name, flags, StatxFlags::BASIC_STATS);
        std::hint::black_box(stat.expect("an entry that exists"));
        if entry.file_type() == FileType::Directory {
            let (above, name) = (Arc::clone(&directory), name.to_owned());
            scope.spawn(move |scope| {
                let below = open(&*above, &name);
                drop(above);
                read(scope, below, entries);
            });
        }
    }
    entries.fetch_add(count, Ordering::Relaxed);
}
