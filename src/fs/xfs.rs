//! The extents of XFS, from its reverse mapping as root.
//!
//! `GETFSMAP` lists who owns which blocks of the disk, in the order of the disk: a few
//! calls for a whole file system. Files share ranges of blocks, not whole extents, so
//! what overlaps is cut into parts that each are shared as a whole.

#![allow(unsafe_code, reason = "rustix has no safe function for calls of one file system")]

use super::extents::{
    Calls, Compression, ExtentItem, ExtentReader, ExtentSource, FileExtents, Stretch, damaged,
};
use super::ioctl::{Direction, call};
use super::parts::{self, apart};
use rustix::fd::OwnedFd;
use std::io;
use std::mem::offset_of;

/// `XFS_IOC_FSGEOMETRY_V4` and `FS_IOC_GETFSMAP`.
const GEOMETRY: (Direction, u8, u8, usize) = (Direction::Read, b'X', 124, size_of::<Geometry>());
const GET_MAP: (Direction, u8, u8, usize) =
    (Direction::ReadWrite, b'X', 59, offset_of!(MapArgs, records));

/// Records that one call may fill: 64 KiB.
const RECORDS: usize = 1024;

/// A call takes as long as a walk over about 350 entries (measured: see `benches/README.md`) …
const ENTRIES_A_CALL: u64 = 350;
/// … and so many take no longer than one waits for any answer, less than half a second.
const CALLS: u64 = 256;

/// `struct xfs_fsop_geom_v4`, as `XFS_IOC_FSGEOMETRY_V4` gives it (`xfs_fs.h`).
#[repr(C)]
#[derive(Default)]
struct Geometry {
    block_size: u32,
    of_groups: [u32; 7],
    data_blocks: u64,
    realtime_blocks: u64,
    realtime_extents: u64,
    log_start: u64,
    uuid: [u8; 16],
    stripes: [u32; 2],
    version: u32,
    flags: u32,
    sizes: [u32; 4],
}

/// `XFS_FSOP_GEOM_FLAGS_RMAPBT` and `_REFLINK`.
const HAS_OWNERS: u32 = 1 << 19;
const HAS_SHARING: u32 = 1 << 20;

/// `struct fsmap` (`include/uapi/linux/fsmap.h`). Sizes and places are in bytes.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Record {
    device: u32,
    flags: u32,
    physical: u64,
    owner: u64,
    offset: u64,
    length: u64,
    unused: [u64; 3],
}

/// `FMR_OF_PREALLOC` and `FMR_OF_SPECIAL_OWNER`; of the latter, `FMR_OWN_FREE` and
/// `FMR_OWN_UNKNOWN`.
const PREALLOCATED: u32 = 1;
const SPECIAL: u32 = 16;
const NOT_KNOWN: u64 = 2;

/// `struct fsmap_head` with its records.
#[repr(C)]
struct MapArgs {
    flags: u32,
    found_flags: u32,
    count: u32,
    entries: u32,
    unused: [u64; 6],
    low: Record,
    high: Record,
    records: [Record; RECORDS],
}

/// A part of the disk that an inode owns, and whether it is only reserved.
type Part = parts::Part<bool>;

/// An XFS file system, by an open directory of it.
pub(super) struct Xfs {
    fd: OwnedFd,
    block_size: u64,
    calls: Calls,
}

impl Xfs {
    /// How it is found out what its files take of the disk.
    pub(super) fn source(fd: OwnedFd) -> ExtentSource {
        Self::ask(fd).unwrap_or_else(ExtentSource::Unknown)
    }

    /// An error says why it cannot be known.
    fn ask(fd: OwnedFd) -> Result<ExtentSource, String> {
        let said = |error: io::Error| format!("XFS does not say what it is: {error}");
        let mut geometry = Geometry::default();
        // SAFETY: the call fills this struct.
        unsafe { call(&fd, GEOMETRY, &mut geometry) }.map_err(said)?;
        if geometry.flags & HAS_SHARING == 0 {
            return Ok(ExtentSource::Blocks);
        }
        if geometry.realtime_blocks > 0 {
            return Err("XFS does not show who owns what in its real-time section".to_owned());
        }
        let block_size = geometry.block_size.into();
        let by_file = |why: &str| {
            ExtentSource::Files(FileExtents { why: why.to_owned(), block_size, exact: true })
        };
        if geometry.flags & HAS_OWNERS == 0 {
            return Ok(by_file("XFS shows who owns what only where it was made with rmapbt=1"));
        }
        let xfs = Self { fd, block_size, calls: Calls::unlimited(ENTRIES_A_CALL) };
        match xfs.records(Some(1), &mut |_| ()) {
            Ok(()) => Ok(ExtentSource::Extents(Box::new(xfs))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(by_file("XFS shows who owns what to root only"))
            }
            Err(error) => Err(format!("XFS does not show who owns what: {error}")),
        }
    }

    /// Shows all records of inodes, in the order of the disk, or those of the first calls.
    ///
    /// # Errors
    /// `QuotaExceeded` when that takes more calls than are left.
    fn records(&self, first: Option<usize>, each: &mut dyn FnMut(Part)) -> io::Result<()> {
        let highest = Record {
            device: u32::MAX,
            flags: u32::MAX,
            physical: u64::MAX,
            owner: u64::MAX,
            offset: u64::MAX,
            ..Record::default()
        };
        let mut args = Box::new(MapArgs {
            flags: 0,
            found_flags: 0,
            count: RECORDS as u32,
            entries: 0,
            unused: [0; 6],
            low: Record::default(),
            high: highest,
            records: [Record::default(); RECORDS],
        });
        let mut device = None;
        for _ in 0..first.unwrap_or(usize::MAX) {
            self.calls.take()?;
            // SAFETY: the call takes this struct, and fills no more records than `count`.
            unsafe { call(&self.fd, GET_MAP, &mut *args) }?;
            let found = args.records.get(..args.entries as usize);
            let found =
                found.ok_or_else(|| damaged("more owners are listed than were asked for"))?;
            for record in found {
                let Record { flags, physical, length, owner, .. } = *record;
                if flags & SPECIAL != 0 {
                    // Without the privilege there are no owners.
                    if owner == NOT_KNOWN {
                        return Err(io::ErrorKind::PermissionDenied.into());
                    }
                    continue;
                }
                if *device.get_or_insert(record.device) != record.device {
                    return Err(damaged("files lie on several devices"));
                }
                let end = physical.checked_add(length).filter(|_| length > 0);
                let end = end.ok_or_else(|| damaged("an extent has no length"))?;
                let of = flags & PREALLOCATED != 0;
                each(Part { start: physical, end, inode: owner, of });
            }
            let Some(last) = found.last().filter(|_| found.len() == RECORDS) else {
                return Ok(());
            };
            args.low = *last;
        }
        Ok(())
    }
}

/// There is one tree, and no count of its changes: a file of the store that changes
/// meanwhile has other blocks than `stat` reported. What is below a file system is not known
/// to it.
impl ExtentReader for Xfs {
    fn block_size(&self) -> u64 {
        self.block_size
    }

    fn allow_half_a_walk(&self, entries: u64) {
        self.calls.allow_half_a_walk(entries, CALLS);
    }

    fn spend(&self, entries: u64) -> io::Result<()> {
        self.calls.spend(entries)
    }

    /// All of it at once: blocks are in the order of the disk, and shared by any inodes.
    fn read(&self, _: &Stretch, each: &mut dyn FnMut(u64, ExtentItem)) -> io::Result<Vec<Stretch>> {
        let mut parts = Vec::new();
        self.records(None, &mut |part| parts.push(part))?;
        for Part { start, end, inode, of: preallocated } in apart(parts)? {
            let compression = if preallocated { Compression::Prealloc } else { Compression::None };
            each(inode, ExtentItem::whole(start, end - start, compression));
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_as_large_as_the_system_says() {
        assert_eq!((size_of::<Geometry>(), size_of::<Record>()), (112, 64));
        assert_eq!(offset_of!(MapArgs, records), 192);
    }
}
