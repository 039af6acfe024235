//! The floor that `audit --contents` is measured against: the SHA-256 of bytes that are
//! in memory already, on all cores, by the code that hashes NARs.
//!
//! `cargo bench --bench hashing -- [BYTES] [--threads N] [--read DIR]` hashes so many bytes
//! in all (by default 4 GB) and prints how many that were a second; time it as a process.
//! With `--read` it first reads all files below a directory, and does nothing with them:
//! that and the hashing is what no audit can do without.

mod tree;

use rustix::fs::{FileType, OFlags};
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[allow(dead_code, unused_imports, reason = "what ends a hash is not needed here, nor its tests")]
#[path = "../src/nar/sha256.rs"]
mod sha256;

/// Blocks of each message between two looks at how much is left: as `audit` reads.
const BLOCKS: usize = (128 << 10) / 64;

fn main() {
    let mut bytes = 4_000_000_000usize;
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut read = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--threads" => {
                let value = arguments.next().expect("--threads N");
                threads = value.parse().expect("a number of threads");
            }
            "--read" => read = arguments.next(),
            number => bytes = number.parse().expect("a number of bytes"),
        }
    }
    if let Some(directory) = read {
        let start = Instant::now();
        read_all(&CString::new(directory).expect("a path"), threads);
        println!("{:.2} s to read the files", start.elapsed().as_secs_f64());
    }
    let width = sha256::width();
    let turn = width * BLOCKS * 64;
    let begun = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let begun = &begun;
            scope.spawn(move || {
                let message = |i: usize| vec![[(thread * 7 + i) as u8; 64]; BLOCKS];
                let messages: Vec<Vec<sha256::Block>> = (0..width).map(message).collect();
                let mut states = vec![sha256::BEGIN; width];
                while begun.fetch_add(turn, Ordering::Relaxed) < bytes {
                    let mut all: Vec<_> =
                        states.iter_mut().zip(&messages).map(|(s, m)| (s, &m[..])).collect();
                    sha256::take_in(&mut all);
                }
                std::hint::black_box(states);
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.2} GB/s, {threads} threads, {width} at once", bytes as f64 / 1e9 / seconds);
}

/// Reads all regular files below a directory.
fn read_all(directory: &CStr, threads: usize) {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BLOCKS * 64]);
    }
    tree::each_entry(directory, threads, &|directory, name, file_type| {
        if file_type != FileType::RegularFile {
            return;
        }
        let file = tree::open(directory, name, OFlags::empty());
        let mut left = rustix::fs::fstat(&file).expect("an open file").st_size;
        BUFFER.with_borrow_mut(|buffer| {
            while left > 0 {
                match rustix::io::read(&file, &mut buffer[..]).expect("a file that is read") {
                    0 => break,
                    read => left -= read as i64,
                }
            }
        });
    });
}
