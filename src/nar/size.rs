//! The size of a NAR in bytes, from what `stat` says: no content is read.
//!
//! A NAR is a sequence of strings, each written as its length in 8 bytes
//! (little endian), its bytes, and zeros up to a multiple of 8 (the manual's
//! "Nix Archive (NAR) format"; `dumpString` in Nix's `archive.cc`). So the size
//! depends on nothing but the tree's shape: the lengths of names, files and
//! symlink targets, and which files are executable.
//!
//! All functions saturate: a hostile `st_size` gives a wrong size, not a panic.

use crate::fs::FileType;

/// What a NAR adds around its topmost node: the string `nix-archive-1`.
pub(crate) const NAR: u64 = string(13);

/// A directory node without its entries.
pub(crate) const DIRECTORY: u64 = string(1) + string(4) + string(9) + string(1);

/// The size of a string of `length` bytes: 8 bytes of length, then the bytes
/// padded to a multiple of 8.
pub(crate) const fn string(length: u64) -> u64 {
    match length.checked_next_multiple_of(8) {
        Some(padded) => padded.saturating_add(8),
        None => u64::MAX,
    }
}

/// A regular file's node: `size` bytes of contents (`st_size`), and whether
/// its owner may execute it (mode & 0100).
pub(crate) const fn file(size: u64, executable: bool) -> u64 {
    // ( type regular [executable ""] contents <bytes> )
    const PLAIN: u64 = string(1) + string(4) + string(7) + string(8) + string(1);
    const EXECUTABLE: u64 = string(10) + string(0);
    string(size).saturating_add(PLAIN + if executable { EXECUTABLE } else { 0 })
}

/// A symlink's node: `target` is the length of its target, which is its `st_size`.
pub(crate) const fn symlink(target: u64) -> u64 {
    // ( type symlink target <bytes> )
    const AROUND: u64 = string(1) + string(4) + string(7) + string(6) + string(1);
    string(target).saturating_add(AROUND)
}

/// The node of an entry of `size` bytes (`st_size`); `None` for what no NAR can hold.
#[inline]
pub(crate) const fn node(file_type: FileType, size: u64, executable: bool) -> Option<u64> {
    match file_type {
        FileType::Directory => Some(DIRECTORY),
        FileType::Regular => Some(file(size, executable)),
        FileType::Symlink => Some(symlink(size)),
        FileType::Other | FileType::Unknown => None,
    }
}

/// What one entry adds to a directory besides its node: `name` is the length
/// of its name.
pub(crate) const fn entry(name: u64) -> u64 {
    // entry ( name <bytes> node … )
    const AROUND: u64 = string(5) + string(1) + string(4) + string(4) + string(1);
    string(name).saturating_add(AROUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_an_empty_file() {
        use crate::nar::size;
        // A directory with one empty file called "empty":
        let node = size::DIRECTORY + size::entry(5) + size::file(0, false);
        assert_eq!(size::NAR + node, 24 + 72 + (88 + 8) + 88);
    }

    #[test]
    fn as_nix_says() {
        // `nix path-info -s` of such paths.
        assert_eq!(NAR + file(0, false), 112);
        assert_eq!(NAR + file(0, true), 144);
        assert_eq!(NAR + DIRECTORY, 96);
        assert_eq!(NAR + file(1, false), 120);
        assert_eq!(NAR + file(8, false), 120);
        assert_eq!(NAR + file(9, false), 128);
    }

    #[test]
    fn saturates() {
        assert_eq!(file(u64::MAX, true), u64::MAX);
        assert_eq!(symlink(u64::MAX - 9), u64::MAX);
        assert_eq!(entry(u64::MAX), u64::MAX);
    }
}
