//! The extents of one file, as `FIEMAP` shows them to anybody who may open it
//! (Linux: `Documentation/filesystems/fiemap.rst`).

#![allow(unsafe_code, reason = "rustix has no safe function for this call")]

use super::extents::{Mapped, Place, damaged};
use super::ioctl::{Direction, call};
use rustix::fd::AsFd;
use std::io;
use std::mem::offset_of;

/// `FS_IOC_FIEMAP`.
const FIEMAP: (Direction, u8, u8, usize) =
    (Direction::ReadWrite, b'f', 11, offset_of!(Args, extents));

/// Extents that one call may fill: most files have one.
const EXTENTS: usize = 64;

/// `struct fiemap_extent` (`include/uapi/linux/fiemap.h`).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    unused: [u64; 2],
    flags: u32,
    unused_too: [u32; 3],
}

/// `FIEMAP_EXTENT_LAST` and others.
const LAST: u32 = 1;
const UNKNOWN: u32 = 2;
const DELAYED: u32 = 4;
const ENCODED: u32 = 8;
const INLINE: u32 = 0x200;
const TAIL: u32 = 0x400;
const UNWRITTEN: u32 = 0x800;
const SHARED: u32 = 0x2000;

/// `struct fiemap` with its extents.
#[repr(C)]
struct Args {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    unused: u32,
    extents: [Extent; EXTENTS],
}

/// Shows the ranges of an open file that are mapped, in their order. It asks for nothing
/// to be written to the disk first.
///
/// # Errors
/// Those of the system, and `InvalidData` for what no file has: also where its extents
/// move meanwhile.
pub(super) fn read(file: impl AsFd, each: &mut dyn FnMut(Mapped)) -> io::Result<()> {
    let mut from = 0;
    loop {
        let mut args = Args {
            start: from,
            length: u64::MAX - from,
            // `FIEMAP_FLAG_SYNC` would write.
            flags: 0,
            mapped: 0,
            count: EXTENTS as u32,
            unused: 0,
            extents: [Extent::default(); EXTENTS],
        };
        // SAFETY: the call takes this struct, and fills no more extents than `count`.
        unsafe { call(&file, FIEMAP, &mut args) }?;
        match show(&args.extents, args.mapped, from, each)? {
            Some(next) => from = next,
            None => return Ok(()),
        }
    }
}

/// Shows what a call filled; where the next begins, if there may be more.
fn show(
    extents: &[Extent],
    mapped: u32,
    mut from: u64,
    each: &mut dyn FnMut(Mapped),
) -> io::Result<Option<u64>> {
    let odd = || damaged("its extents are in no order");
    let found = extents.get(..mapped as usize).ok_or_else(odd)?;
    for &Extent { logical, physical, length, flags, .. } in found {
        // Upward only, or the file could be read for ever.
        let end = logical.checked_add(length).filter(|_| length > 0 && logical >= from);
        from = end.ok_or_else(odd)?;
        let place = match flags {
            _ if flags & (UNKNOWN | DELAYED | TAIL) != 0 => Place::Pending,
            _ if flags & INLINE != 0 => Place::Inline,
            _ => Place::Disk,
        };
        if place == Place::Disk && physical.checked_add(length).is_none() {
            return Err(odd());
        }
        each(Mapped {
            start: physical,
            length,
            place,
            compressed: flags & ENCODED != 0,
            preallocated: flags & UNWRITTEN != 0,
            shared: flags & SHARED != 0,
        });
    }
    let last = found.last().filter(|_| found.len() == extents.len());
    Ok(last.filter(|last| last.flags & LAST == 0).map(|_| from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(logical: u64, physical: u64, length: u64, flags: u32) -> Extent {
        Extent { logical, physical, length, flags, ..Extent::default() }
    }

    fn shown(extents: &[Extent], mapped: u32, from: u64) -> Option<(Option<u64>, Vec<Mapped>)> {
        let mut all = Vec::new();
        let next = show(extents, mapped, from, &mut |mapped| all.push(mapped)).ok()?;
        Some((next, all))
    }

    #[test]
    fn extents_are_shown_upward_and_to_the_last() {
        let two = [extent(0, 4096, 4096, 0), extent(8192, 1 << 20, 4096, SHARED)];
        let (next, all) = shown(&two, 2, 0).unwrap();
        assert_eq!((next, all.len()), (Some(12_288), 2));
        assert!(all[1].shared && !all[0].shared);
        assert_eq!(shown(&two, 1, 0).unwrap().0, None);
        let last = [two[0], extent(8192, 1 << 20, 4096, LAST)];
        assert_eq!(shown(&last, 2, 0).unwrap().0, None);
        assert_eq!(shown(&two, 0, 0), Some((None, Vec::new())));
        let places = [extent(0, 0, 10, INLINE), extent(10, 0, 10, UNKNOWN | DELAYED)];
        let places = shown(&places, 2, 0).unwrap().1.into_iter().map(|mapped| mapped.place);
        assert_eq!(places.collect::<Vec<_>>(), [Place::Inline, Place::Pending]);
    }

    #[test]
    fn what_no_file_has_is_refused() {
        let fine = extent(0, 4096, 4096, 0);
        for odd in [
            // More than there is room for, the same again, no length, past the end.
            (vec![fine], 2, 0),
            (vec![fine, fine], 2, 0),
            (vec![fine], 1, 4096),
            (vec![extent(0, 4096, 0, 0)], 1, 0),
            (vec![extent(u64::MAX, 4096, 4096, 0)], 1, 0),
            (vec![extent(0, u64::MAX - 9, 4096, 0)], 1, 0),
        ] {
            assert_eq!(shown(&odd.0, odd.1, odd.2), None);
        }
    }

    #[test]
    fn structs_are_as_large_as_the_system_says() {
        assert_eq!((size_of::<Extent>(), offset_of!(Args, extents)), (56, 32));
    }
}
