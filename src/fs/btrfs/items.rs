//! Items of btrfs trees (Linux: `include/uapi/linux/btrfs_tree.h`). Nothing in
//! them is trusted; all numbers are little-endian.

use super::super::extents::{Chunk, Compression, ExtentItem, damaged};
use std::io;

/// `BTRFS_EXTENT_DATA_KEY` and others.
pub(super) const EXTENT_DATA: u8 = 108;
pub(super) const ROOT_ITEM: u8 = 132;
pub(super) const ROOT_BACKREF: u8 = 144;
pub(super) const CHUNK_ITEM: u8 = 228;

/// Where in an `EXTENT_DATA` inline contents begin, or the extent's address.
const INLINE: usize = 21;

fn u64_at(item: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(item.get(at..at + 8)?.try_into().ok()?))
}

fn u16_at(item: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(item.get(at..at + 2)?.try_into().ok()?))
}

/// What a `btrfs_file_extent_item` says; `None` for a hole.
pub(super) fn extent(item: &[u8]) -> io::Result<Option<ExtentItem>> {
    const SHORT: &str = "an item of a file's contents is too short";
    let short = || damaged(SHORT);
    let uncompressed_size = u64_at(item, 8).ok_or_else(short)?;
    let (Some(compression), Some(kind)) = (item.get(16), item.get(20)) else {
        return Err(short());
    };
    let compression = match compression {
        0 => Compression::None,
        1 => Compression::Zlib,
        2 => Compression::Lzo,
        3 => Compression::Zstd,
        _ => return Err(damaged("an extent is compressed in a way that is not known")),
    };
    let compression = match kind {
        0 => {
            let size = item.len().checked_sub(INLINE).ok_or_else(short)? as u64;
            return Ok(Some(ExtentItem::Inline { compression, size, uncompressed_size }));
        }
        1 => compression,
        2 => Compression::Prealloc,
        _ => return Err(damaged("an extent is of a type that is not known")),
    };
    let word = |at| u64_at(item, at).ok_or_else(short);
    let (start, disk_size) = (word(INLINE)?, word(INLINE + 8)?);
    let (offset, referenced_size) = (word(INLINE + 16)?, word(INLINE + 24)?);
    if start == 0 {
        return Ok(None);
    }
    // Of what is not compressed, some kernels wrote a wrong uncompressed size.
    let compressed = !matches!(compression, Compression::None | Compression::Prealloc);
    let uncompressed_size = if compressed { uncompressed_size } else { disk_size };
    let within = offset.checked_add(referenced_size).is_some_and(|end| end <= uncompressed_size);
    if disk_size == 0 || start.checked_add(disk_size).is_none() || !within {
        return Err(damaged("an extent has sizes that it cannot have"));
    }
    let extent =
        ExtentItem::Extent { start, disk_size, uncompressed_size, referenced_size, compression };
    Ok(Some(extent))
}

/// What a `btrfs_root_item` says of a subvolume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) generation: u64,
    pub(super) deleted: bool,
    pub(super) snapshot: bool,
}

/// Reads a `btrfs_root_item`; those of long ago end before the UUIDs.
pub(super) fn root(item: &[u8]) -> io::Result<Root> {
    let short = || damaged("a subvolume's item is too short");
    let flags = u64_at(item, 208).ok_or_else(short)?;
    let refs = item.get(216..220).ok_or_else(short)?;
    Ok(Root {
        generation: u64_at(item, 160).ok_or_else(short)?,
        // `BTRFS_ROOT_SUBVOL_DEAD`
        deleted: refs == [0; 4] || flags & (1 << 48) != 0,
        snapshot: item.get(263..279).is_some_and(|parent| parent != [0; 16]),
    })
}

/// The directory in the tree above that a `btrfs_root_ref` leads to, and its name there.
pub(super) fn back_reference(item: &[u8]) -> io::Result<(u64, &[u8])> {
    let short = || damaged("the name of a subvolume is too short");
    let directory = u64_at(item, 0).ok_or_else(short)?;
    let length = u16_at(item, 16).ok_or_else(short)?;
    let name = item.get(18..18 + usize::from(length)).ok_or_else(short)?;
    Ok((directory, name))
}

/// How a `btrfs_chunk` that begins at `start` lies on devices.
pub(super) fn chunk(start: u64, item: &[u8]) -> io::Result<Chunk> {
    let short = || damaged("the item of a chunk is too short");
    let length = u64_at(item, 0).ok_or_else(short)?;
    let kind = u64_at(item, 24).ok_or_else(short)?;
    let stripes = u64::from(u16_at(item, 44).ok_or_else(short)?);
    // `BTRFS_BLOCK_GROUP_RAID1` and others.
    let (raw, data) = match kind & 0x7f8 {
        // One of each, also striped over devices.
        0 | 0x8 => (1, 1),
        // RAID1, DUP, RAID10
        0x10 | 0x20 | 0x40 => (2, 1),
        // RAID5 and RAID6: of each stripe one or two hold no data.
        0x80 if stripes > 1 => (stripes, stripes - 1),
        0x100 if stripes > 2 => (stripes, stripes - 2),
        // RAID1 of 3 and 4 copies
        0x200 => (3, 1),
        0x400 => (4, 1),
        _ => return Err(damaged("a chunk has a profile that is not known")),
    };
    Ok(Chunk { start, length, raw, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An item of an extent: uncompressed size, compression, type, address, size on
    /// the disk, offset and referenced size.
    fn item(ram: u64, compression: u8, kind: u8, words: [u64; 4]) -> Vec<u8> {
        let mut item = vec![0; 8];
        item.extend(ram.to_le_bytes());
        item.extend([compression, 0, 0, 0, kind]);
        words.iter().for_each(|word| item.extend(word.to_le_bytes()));
        item
    }

    #[test]
    fn extents_are_read() {
        let of = |compression, start| ExtentItem::Extent {
            start,
            disk_size: 4096,
            uncompressed_size: 131_072,
            referenced_size: 8192,
            compression,
        };
        let words = [1 << 20, 4096, 65_536, 8192];
        assert_eq!(
            extent(&item(131_072, 3, 1, words)).unwrap(),
            Some(of(Compression::Zstd, 1 << 20))
        );
        // Of what is not compressed, the size on the disk is that of the contents.
        let Some(ExtentItem::Extent { uncompressed_size, compression, .. }) =
            extent(&item(131_072, 0, 2, [1 << 20, 65_536, 4096, 8192])).unwrap()
        else {
            panic!("an extent")
        };
        assert_eq!((uncompressed_size, compression), (65_536, Compression::Prealloc));
        assert_eq!(extent(&item(4096, 0, 1, [0, 0, 0, 4096])).unwrap(), None);
        let mut inline = item(1000, 1, 0, [0; 4]);
        inline.truncate(INLINE + 70);
        inline.resize(INLINE + 70, 0);
        let (compression, size) = (Compression::Zlib, 70);
        let expected = ExtentItem::Inline { compression, size, uncompressed_size: 1000 };
        assert_eq!(extent(&inline).unwrap(), Some(expected));
    }

    #[test]
    fn what_no_extent_says_is_refused() {
        let fine = [1 << 20, 4096, 0, 4096];
        assert!(extent(&item(4096, 0, 1, fine)).is_ok());
        for (ram, compression, kind, words) in [
            (4096, 9, 1, fine),
            (4096, 0, 7, fine),
            (4096, 0, 1, [1 << 20, 0, 0, 4096]),
            (4096, 0, 1, [u64::MAX, 4096, 0, 4096]),
            (4096, 0, 1, [1 << 20, 4096, 1, 4096]),
            (4096, 0, 1, [1 << 20, 4096, u64::MAX, 4096]),
        ] {
            let error = extent(&item(ram, compression, kind, words)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn copies_of_a_chunk_are_those_of_its_profile() {
        let of = |profile: u64, stripes: u16| {
            let mut item = vec![0; 80];
            item[..8].copy_from_slice(&(1u64 << 30).to_le_bytes());
            item[24..32].copy_from_slice(&(1 | profile).to_le_bytes());
            item[44..46].copy_from_slice(&stripes.to_le_bytes());
            chunk(4096, &item).map(|chunk| (chunk.raw, chunk.data)).ok()
        };
        assert_eq!(
            (of(0, 1), of(0x20, 2), of(0x10, 2)),
            (Some((1, 1)), Some((2, 1)), Some((2, 1)))
        );
        assert_eq!(
            (of(0x80, 3), of(0x100, 4), of(0x400, 4)),
            (Some((3, 2)), Some((4, 2)), Some((4, 1)))
        );
        assert_eq!((of(0x80, 1), of(0x30, 2)), (None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(item in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = (extent(&item), root(&item), back_reference(&item), chunk(0, &item));
        }
    }
}
