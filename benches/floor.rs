//! The floor that the walk is measured against: read every directory, `statx`
//! every entry, and do nothing else.
//!
//! `cargo bench --bench floor -- DIR [--threads N]` prints the number of
//! entries; time it as a process. No sums, names or inodes are kept.

mod tree;

use rustix::fs::{AtFlags, StatxFlags};
use std::ffi::CString;
use std::path::PathBuf;

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
    let directory = CString::new(directory.into_os_string().into_encoded_bytes()).expect("a path");
    let entries = tree::each_entry(&directory, threads, &|directory, name, _| {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let stat = rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS);
        std::hint::black_box(stat.expect("an entry that exists"));
    });
    println!("{entries} entries");
}
