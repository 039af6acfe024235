//! The checksums that btrfs keeps of all blocks of data, read from their tree: no data
//! is read for them. Of what is compressed they are of the compressed bytes.

#![allow(unsafe_code, reason = "rustix has no safe function for calls of one file system")]

use super::super::extents::{Calls, Checksums, damaged};
use super::super::ioctl::{Direction, call};
use super::search::{Key, MAGIC, search};
use sha2::{Digest, Sha256};
use std::io;
use std::os::fd::BorrowedFd;

/// `BTRFS_CSUM_TREE_OBJECTID`.
const CHECKSUM_TREE: u64 = 7;
/// `BTRFS_EXTENT_CSUM_OBJECTID`.
const OBJECT: u64 = 10u64.wrapping_neg();
/// `BTRFS_EXTENT_CSUM_KEY`.
const EXTENT_CSUM: u8 = 128;
/// `BTRFS_FS_INFO_FLAG_CSUM_INFO`: of Linux 5.10 and later.
const HAS_CHECKSUM_INFO: u64 = 1;

/// `struct btrfs_ioctl_fs_info_args`.
#[repr(C)]
pub(super) struct FsInfo {
    devices: [u64; 2],
    pub(super) fsid: [u8; 16],
    node_size: u32,
    sector_size: u32,
    clone_alignment: u32,
    checksum_type: u16,
    checksum_size: u16,
    flags: u64,
    rest: [u64; 121],
}

/// `BTRFS_IOC_FS_INFO`.
pub(super) fn fs_info(fd: BorrowedFd<'_>) -> io::Result<FsInfo> {
    let mut info = FsInfo {
        devices: [0; 2],
        fsid: [0; 16],
        node_size: 0,
        sector_size: 0,
        clone_alignment: 0,
        checksum_type: 0,
        checksum_size: 0,
        flags: HAS_CHECKSUM_INFO,
        rest: [0; 121],
    };
    const { assert!(size_of::<FsInfo>() == 1024) };
    let number = (Direction::Read, MAGIC, 31, size_of::<FsInfo>());
    // SAFETY: the call takes this struct.
    unsafe { call(fd, number, &mut info) }?;
    Ok(info)
}

/// How a file system keeps checksums.
#[derive(Clone, Copy)]
struct Kind {
    algorithm: &'static str,
    strong: bool,
    /// Bytes of a checksum.
    size: usize,
    /// Bytes of data that have one.
    block: u64,
    /// How many bytes of data an item covers at most.
    longest: u64,
}

impl Kind {
    /// `None` where the system does not say, or says something that is not known.
    fn of(info: &FsInfo) -> Option<Self> {
        if info.flags & HAS_CHECKSUM_INFO == 0 || info.sector_size == 0 {
            return None;
        }
        let (algorithm, strong, size) = match info.checksum_type {
            0 => ("crc32c", false, 4),
            1 => ("xxhash64", false, 8),
            2 => ("sha256", true, 32),
            3 => ("blake2b", true, 32),
            _ => return None,
        };
        let block = u64::from(info.sector_size);
        let longest = u64::from(info.node_size) / size as u64 * block;
        (usize::from(info.checksum_size) == size).then_some(Self {
            algorithm,
            strong,
            size,
            block,
            longest,
        })
    }
}

/// Reads the checksums of extents: address and length of each, ascending, none
/// overlapping another.
pub(super) fn checksums(
    (fd, calls): (BorrowedFd<'_>, &Calls),
    extents: &[(u64, u64)],
) -> io::Result<Option<Checksums>> {
    let Some(kind) = Kind::of(&fs_info(fd)?) else { return Ok(None) };
    let mut reading = Reading::new(kind, extents);
    for (first, last) in ranges(extents, kind.longest) {
        let key = |at| Key::new(OBJECT, EXTENT_CSUM, at);
        search((fd, calls), CHECKSUM_TREE, (key(first), key(last)), &mut |key, item| match (
            key.object, key.kind,
        ) {
            (OBJECT, EXTENT_CSUM) => reading.add(key.offset, item),
            _ => Ok(()),
        })?;
    }
    let Kind { algorithm, strong, .. } = kind;
    Ok(Some(Checksums { algorithm, strong, digests: reading.digests }))
}

/// Which addresses to search for the items that cover some extents. What lies a few items
/// apart is read in one go: a search more would take longer.
fn ranges(extents: &[(u64, u64)], longest: u64) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &(start, length) in extents {
        // An item may begin before the extent.
        let first = start.saturating_sub(longest);
        let last = start.saturating_add(length.saturating_sub(1));
        match ranges.last_mut() {
            Some(range) if first <= range.1.saturating_add(longest.saturating_mul(4)) => {
                range.1 = range.1.max(last);
            }
            _ => ranges.push((first, last)),
        }
    }
    ranges
}

/// Extents to whose checksums come item by item, in ascending order of address.
struct Reading<'a> {
    kind: Kind,
    extents: &'a [(u64, u64)],
    /// The extent whose checksums come next …
    at: usize,
    /// … those of its blocks up to here are hashed …
    covered: u64,
    /// … into this.
    hasher: Sha256,
    digests: Vec<Option<[u8; 32]>>,
}

impl<'a> Reading<'a> {
    fn new(kind: Kind, extents: &'a [(u64, u64)]) -> Self {
        let digests = vec![None; extents.len()];
        Self { kind, extents, at: 0, covered: 0, hasher: Sha256::new(), digests }
    }

    fn next(&mut self) {
        (self.at, self.covered) = (self.at + 1, 0);
        self.hasher = Sha256::new();
    }

    /// Takes the checksums of what lies from an address on.
    fn add(&mut self, start: u64, item: &[u8]) -> io::Result<()> {
        let Kind { size, block, .. } = self.kind;
        let end = (item.len() / size) as u64 * block;
        let odd = || damaged("its checksums are damaged");
        let end =
            start.checked_add(end).filter(|_| item.len().is_multiple_of(size)).ok_or_else(odd)?;
        while let Some(&(first, length)) = self.extents.get(self.at) {
            let last = first.saturating_add(length);
            let from = first.max(self.covered);
            if start > from
                || length == 0
                || ![first, length].iter().all(|at| at.is_multiple_of(block))
            {
                // A block that has none.
                self.next();
                continue;
            }
            let to = last.min(end);
            if to <= from {
                return Ok(());
            }
            let place = |at: u64| ((at - start) / block) as usize * size;
            self.hasher.update(&item[place(from)..place(to)]);
            self.covered = to;
            if to < last {
                return Ok(());
            }
            self.digests[self.at] = Some(self.hasher.clone().finalize().into());
            self.next();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: Kind =
        Kind { algorithm: "crc32c", strong: false, size: 4, block: 4096, longest: 1 << 14 };

    /// Which extents have equal checksums: each the first that is like it, or none.
    fn read(extents: &[(u64, u64)], items: &[(u64, &[u32])]) -> Vec<Option<usize>> {
        let mut reading = Reading::new(KIND, extents);
        for (start, sums) in items {
            let item: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
            reading.add(start * 4096, &item).unwrap();
        }
        let digests = &reading.digests;
        let first = |of: &Option<_>| of.and(digests.iter().position(|other| other == of));
        digests.iter().map(first).collect()
    }

    fn extents(blocks: &[(u64, u64)]) -> Vec<(u64, u64)> {
        blocks.iter().map(|&(start, length)| (start * 4096, length * 4096)).collect()
    }

    #[test]
    fn items_are_no_extents() {
        // One item that covers two extents and more; one extent of two items.
        let three = extents(&[(11, 2), (13, 2), (20, 2)]);
        let items: [(u64, &[u32]); 3] = [(10, &[9, 1, 2, 1, 2, 7]), (20, &[1]), (21, &[2, 5])];
        assert_eq!(read(&three, &items), [Some(0), Some(0), Some(0)]);
        let items: [(u64, &[u32]); 2] = [(10, &[9, 1, 2, 1, 3, 7]), (20, &[1, 3])];
        assert_eq!(read(&three, &items), [Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn what_lacks_a_checksum_has_none() {
        // Before it, within, at the end, of all of it.
        let four = extents(&[(1, 2), (10, 3), (20, 2), (30, 1), (40, 1)]);
        let items: [(u64, &[u32]); 5] = [(2, &[1]), (10, &[1]), (12, &[1]), (20, &[1]), (40, &[1])];
        assert_eq!(read(&four, &items), [None, None, None, None, Some(4)]);
    }

    #[test]
    fn what_lies_close_is_searched_at_once() {
        let (longest, far) = (1 << 24, 1 << 40);
        assert_eq!(
            ranges(&[(far, 4096), (far + (1 << 25), 4096), (far * 2, 8192)], longest),
            [(far - longest, far + (1 << 25) + 4095), (far * 2 - longest, far * 2 + 8191)]
        );
        assert_eq!(ranges(&[(4096, 4096), (u64::MAX, 1)], 1 << 24)[1].1, u64::MAX);
    }

    proptest! {
        #[test]
        fn any_items_are_read_or_refused(
            items in proptest::collection::vec((any::<u64>(), proptest::collection::vec(any::<u8>(), 0..64)), 0..8),
            extents in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..8),
        ) {
            let mut reading = Reading::new(KIND, &extents);
            for (start, item) in &items {
                let _ = reading.add(*start % (1 << 20), item);
                let _ = reading.add(*start, item);
            }
        }
    }
}
