//! How files are best read: by how many threads, and whether in the order of the disk.

use crate::fs::StoreFiles;
use crate::threads;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Open files to ask for; the system's hard limit may be lower.
const OPEN_FILES: u64 = 65_536;
/// Files that are open beside those of threads: standard input and output, the tree.
pub(super) const OTHER_FILES: usize = 10;

/// How the files of a store are best read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// By how many threads.
    pub(crate) threads: usize,
    /// Whether in the order of inode numbers, which is about that of the disk, and each file to
    /// its end before another: by one thread on a disk that rotates, as two that read in turn
    /// make it seek twice as often.
    pub(crate) in_order: bool,
}

impl Reading {
    /// By as many threads as are asked for. Else by four a core and at least 32, as cold disks
    /// want more than cores; but by one on disks that rotate. By no more than there may be open
    /// files for, where each has so many.
    pub(crate) fn of(files: &StoreFiles, asked: Option<usize>, files_of_thread: usize) -> Self {
        Self::new(files.directory().rotates(), asked, files_of_thread)
    }

    fn new(rotates: bool, asked: Option<usize>, files_of_thread: usize) -> Self {
        let in_order = rotates && asked.is_none_or(|threads| threads == 1);
        let best = || if in_order { 1 } else { threads::for_disk() };
        let most = open_files().saturating_sub(OTHER_FILES) / files_of_thread;
        Self { threads: asked.unwrap_or_else(best).min(most.max(1)), in_order }
    }
}

/// How many files may be open at once, having asked for more.
pub(super) fn open_files() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |hard| hard.min(OPEN_FILES));
    if limit.current.is_some_and(|soft| soft < wanted) {
        let raised = rustix::process::Rlimit { current: Some(wanted), ..limit };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit.current = Some(wanted);
        }
    }
    usize::try_from(limit.current.unwrap_or(OPEN_FILES)).unwrap_or(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_reads_a_disk_that_rotates_unless_others_are_asked_for() {
        let of = |rotates, asked| {
            let reading = Reading::new(rotates, asked, 3);
            (reading.threads, reading.in_order)
        };
        assert_eq!(of(true, None), (1, true));
        assert_eq!(of(true, Some(1)), (1, true));
        assert_eq!(of(true, Some(2)), (2, false));
        assert_eq!(of(false, Some(1)), (1, false));
        assert!(of(false, None).0 >= 1);
        assert!(!of(false, None).1);
    }
}
