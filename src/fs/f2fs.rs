//! What files of f2fs take of the disk.
//!
//! They share nothing, and their blocks are what `df` counts and what deleting them gives
//! back, but for two things. Small contents lie in the block of the inode itself, and count
//! among the blocks in units of 512 bytes: where inodes have no room for extended attributes,
//! as many as a block of its own would be. And of a compressed file the blocks that it would
//! take uncompressed stay reserved, so that it can be written to: they are in use, but for
//! nothing, until `F2FS_IOC_RELEASE_COMPRESS_BLOCKS` gives them back
//! (Linux: `Documentation/filesystems/f2fs.rst`, "Compression implementation").

#![allow(unsafe_code, reason = "rustix has no safe function for calls of one file system")]

use super::extents::{Compressed, ExtentSource, InodeBlocks};
use super::fiemap;
use super::ioctl::{Direction, call};
use super::stat::Stat;
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::io;

/// `F2FS_IOC_GET_FEATURES` and `F2FS_IOC_GET_COMPRESS_BLOCKS` (`include/uapi/linux/f2fs.h`).
const GET_FEATURES: (Direction, u8, u8, usize) = (Direction::Read, 0xf5, 12, size_of::<u32>());
const GET_RESERVED: (Direction, u8, u8, usize) = (Direction::Read, 0xf5, 17, size_of::<u64>());

/// `F2FS_FEATURE_COMPRESSION` (`fs/f2fs/f2fs.h`).
const COMPRESSION: u32 = 0x2000;

/// How it is found out what its files take of the disk, by an open directory and the options
/// by which it is mounted, if they are known.
pub(super) fn source(
    directory: impl AsFd,
    block_size: u64,
    options: Option<&[u8]>,
) -> ExtentSource {
    let mut features = 0u32;
    // SAFETY: the call fills this number.
    match unsafe { call(directory, GET_FEATURES, &mut features) } {
        Ok(()) => {
            let compresses = features & COMPRESSION != 0;
            ExtentSource::Inodes(InodeBlocks {
                block_size,
                compressed: (!compresses).then(Vec::new),
                large_inline: options.is_none_or(has_large_inline),
                inline: Vec::new(),
            })
        }
        Err(error) => {
            ExtentSource::Unknown(format!("f2fs does not say whether it compresses: {error}"))
        }
    }
}

/// Whether files that are made lie in their inodes with so many bytes that they count as many
/// blocks of 512 bytes as one block has: where no room is left in inodes for extended
/// attributes, or little. Files keep what was so when they were made.
fn has_large_inline(options: &[u8]) -> bool {
    // In numbers of 32 bits; 50 by default.
    const LEAST: u32 = 26;
    options.split(|&byte| byte == b',').any(|option| {
        let size = option.strip_prefix(b"inline_xattr_size=");
        let size = size.map(|size| str::from_utf8(size).ok().and_then(|size| size.parse().ok()));
        option == b"noinline_xattr" || size.is_some_and(|size: Option<u32>| size < Some(LEAST))
    })
}

/// How an open file is compressed, of which `stat` is known; `None` if nothing of it is.
///
/// # Errors
/// Those of the system, and `InvalidData` for what no file has.
pub(super) fn compressed(
    file: impl AsFd,
    stat: &Stat,
    block_size: u64,
) -> io::Result<Option<Compressed>> {
    let mut reserved = 0u64;
    // SAFETY: the call fills this number.
    match unsafe { call(&file, GET_RESERVED, &mut reserved) } {
        Ok(()) => {}
        Err(error) => {
            return match Errno::from_io_error(&error) {
                // Not one that may be compressed.
                Some(Errno::INVAL) => Ok(None),
                _ => Err(error),
            };
        }
    }
    let mut shown = (0u64, false);
    // What has fewer blocks than contents was released, or has holes.
    if reserved == 0 && stat.disk_size < stat.size {
        fiemap::read(&file, &mut |mapped| {
            shown.0 = shown.0.saturating_add(mapped.length);
            shown.1 |= mapped.compressed;
        })?;
    }
    Compressed::new(stat.disk_size, reserved.checked_mul(block_size), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_attributes_is_told_by_the_options_of_the_mount() {
        for (options, large) in [
            ("rw,lazytime,background_gc=on,inline_xattr,inline_data,inline_dentry", false),
            ("rw,inline_xattr,inline_xattr_size=50,inline_data", false),
            ("rw,inline_xattr,inline_xattr_size=26,inline_data", false),
            ("rw,inline_xattr,inline_xattr_size=25,inline_data", true),
            ("rw,inline_xattr_size=odd", true),
            ("rw,noinline_xattr,inline_data", true),
        ] {
            assert_eq!(has_large_inline(options.as_bytes()), large, "{options}");
        }
    }
}
