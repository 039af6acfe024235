//! Extents of files that share nothing, made of the blocks that `stat` reports: one each, and
//! one more of what is reserved for a compressed file.

use crate::arrange::Arrange as _;
use crate::fs::{Compressed, Compression, ExtentItem, ExtentReader, InodeBlocks, Stretch};
use std::io;

/// What inodes take, as far as a walk met them.
pub(super) struct ByBlocks {
    block_size: u64,
    items: Vec<(u64, ExtentItem)>,
}

impl ByBlocks {
    /// Of inodes by number, each with its blocks in bytes.
    pub(super) fn new(source: InodeBlocks, inodes: impl Iterator<Item = (u64, u64)>) -> Self {
        let InodeBlocks { block_size, compressed, inline: mut in_inodes, .. } = source;
        // What a file is that is not known to be compressed.
        let plain = match compressed {
            Some(_) => Compression::None,
            None => Compression::Unknown,
        };
        let mut compressed = compressed.unwrap_or_default();
        compressed.arrange_by_number(|&(ino, _)| ino);
        in_inodes.sort_unstable();
        let mut inodes: Vec<(u64, u64)> = inodes.collect();
        inodes.arrange_by_number(|&(ino, _)| ino);
        // Should one have been met twice meanwhile.
        inodes.dedup_by_key(|&mut (ino, _)| ino);
        let (mut items, mut start) = (Vec::with_capacity(inodes.len()), 0u64);
        let mut add = |ino, disk_size, uncompressed_size, compression| {
            let referenced_size = if compression == Compression::Prealloc { 0 } else { disk_size };
            let sizes = ExtentItem::Extent {
                start,
                disk_size,
                uncompressed_size,
                referenced_size,
                compression,
            };
            // Where they lie is not asked: only that they are apart.
            start = start.saturating_add(disk_size);
            items.push((ino, sizes));
        };
        let mut inline = Vec::new();
        for &(ino, blocks) in &inodes {
            let size = match blocks == block_size && in_inodes.binary_search(&ino).is_ok() {
                true => blocks,
                false => blocks % block_size.max(1),
            };
            let disk_size = blocks - size;
            if size > 0 {
                inline.push((ino, size));
            }
            if disk_size == 0 {
                continue;
            }
            match compressed.binary_search_by_key(&ino, |&(ino, _)| ino) {
                Err(_) => add(ino, disk_size, disk_size, plain),
                Ok(at) => {
                    let Compressed { reserved, uncompressed_size } = compressed[at].1;
                    // Should it have been written to since.
                    let reserved = reserved.min(disk_size);
                    if disk_size > reserved {
                        let uncompressed_size = uncompressed_size.max(disk_size);
                        add(ino, disk_size - reserved, uncompressed_size, Compression::Unknown);
                    }
                    if reserved > 0 {
                        // What it would hold is counted above.
                        add(ino, reserved, 0, Compression::Prealloc);
                    }
                }
            }
        }
        items.extend(inline.into_iter().map(|(ino, size)| {
            let compression = Compression::None;
            (ino, ExtentItem::Inline { compression, size, uncompressed_size: size })
        }));
        Self { block_size, items }
    }
}

/// All is known by what `stat` said, so it agrees with that.
impl ExtentReader for ByBlocks {
    fn block_size(&self) -> u64 {
        self.block_size
    }

    fn read(&self, _: &Stretch, each: &mut dyn FnMut(u64, ExtentItem)) -> io::Result<Vec<Stretch>> {
        self.items.iter().for_each(|&(ino, item)| each(ino, item));
        Ok(Vec::new())
    }

    fn tells_unwritten(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::gather::{Found, Met, gather};
    use super::super::{ExtentSizes, Extents};
    use super::*;
    use crate::fs::SizeIs;
    use crate::graph::Rows;
    use crate::warning::Warnings;

    const MIB: u64 = 1 << 20;

    /// What two paths take, of one file with such blocks each, which are asked how they are
    /// compressed.
    fn told(blocks: [u64; 2], compressed: Vec<(u64, Compressed)>) -> (Extents, usize) {
        let (compressed, inline) = (Some(compressed), Vec::new());
        told_by(InodeBlocks { block_size: 4096, compressed, large_inline: false, inline }, blocks)
    }

    fn told_by(source: InodeBlocks, blocks: [u64; 2]) -> (Extents, usize) {
        let files =
            [(1, 11), (0, 10)].map(|(path, ino)| Found::new(path, ino, blocks[path as usize]));
        let met = Met {
            paths: 2,
            asked: 2,
            files: files.to_vec(),
            elsewhere: 0,
            entries: 2,
            inodes: &[],
            names: &Rows::from_lists(&[[0u32; 0]; 2]),
            unused_links: Vec::new(),
            by_inode: true,
        };
        let reader = ByBlocks::new(source, met.with_blocks());
        let mut warnings = Warnings::new();
        let extents = gather(&reader, &met, b"/nix/store", &mut warnings).unwrap();
        (extents, warnings.iter().count())
    }

    fn sizes(physical_size: u64, uncompressed_size: u64, inline_size: u64) -> ExtentSizes {
        let referenced_size = physical_size;
        ExtentSizes { physical_size, uncompressed_size, referenced_size, inline_size }
    }

    #[test]
    fn small_contents_lie_in_the_metadata() {
        // 3,452 bytes in an inode; and one block, beside 512 bytes.
        let (extents, warnings) = told([3584, 4608], Vec::new());
        assert_eq!(
            (&extents.own[..], warnings),
            (&[sizes(0, 0, 3584), sizes(4096, 4096, 512)][..], 0)
        );
        assert_eq!((extents.physical_size(), extents.groups.len()), (4096, 0));
        assert_eq!(extents.by_inode().unwrap().own()[1].physical_size, 4096);
    }

    #[test]
    fn as_much_as_a_block_lies_in_the_metadata_where_it_was_found_there() {
        let source = InodeBlocks {
            block_size: 4096,
            compressed: None,
            large_inline: true,
            inline: vec![11, 10],
        };
        let (extents, warnings) = told_by(source.clone(), [4096, 8192]);
        assert_eq!(
            (&extents.own[..], warnings),
            (&[sizes(0, 0, 4096), sizes(8192, 8192, 0)][..], 0)
        );
        // Nobody asked whether that is compressed.
        let totals: Vec<_> = extents
            .totals
            .iter()
            .map(|total| (total.compression, total.sizes.physical_size, total.sizes.inline_size))
            .collect();
        assert_eq!(totals, [(Compression::None, 0, 4096), (Compression::Unknown, 8192, 0)]);
        let may_be = [(3584, 4096), (3585, 4096), (3688, 4096), (3689, 4096), (3600, 8192)]
            .map(|(size, disk_size)| source.may_be_inline(size, disk_size));
        assert_eq!(may_be, [false, true, true, false, false]);
    }

    #[test]
    fn files_of_which_only_a_part_is_known_are_left_out() {
        let (extents, warnings) = told([4 << 40, 4096], Vec::new());
        assert_eq!((extents.physical_size(), warnings), (4096, 1));
        let are = (extents.sizes_are, extents.freed_sizes_are);
        assert_eq!(are, (SizeIs::AtLeast, Some(SizeIs::AtLeast)));
        let (extents, warnings) = told([(2 << 40) - 4096, 4096], Vec::new());
        assert_eq!((extents.physical_size(), warnings), (2 << 40, 0));
        assert_eq!(extents.sizes_are, SizeIs::Exact);
    }

    #[test]
    fn what_is_reserved_is_taken_and_goes_too() {
        // As F2FS says of 1 MiB of zeros: 256 blocks, 192 of them reserved.
        let fresh = Compressed { reserved: 192 * 4096, uncompressed_size: MIB };
        let released = Compressed { reserved: 0, uncompressed_size: MIB };
        let (extents, warnings) = told([MIB, 64 * 4096], vec![(11, released), (10, fresh)]);
        assert_eq!(warnings, 0);
        let own = extents.own.iter().map(|own| (own.physical_size, own.uncompressed_size));
        assert_eq!(own.collect::<Vec<_>>(), [(MIB, MIB), (64 * 4096, MIB)]);
        let totals =
            extents.totals.iter().map(|total| (total.compression, total.sizes.physical_size));
        let expected = [(Compression::Prealloc, 192 * 4096), (Compression::Unknown, 128 * 4096)];
        assert_eq!(totals.collect::<Vec<_>>(), expected);
        assert_eq!(extents.physical_size(), MIB + 64 * 4096);
    }

    #[test]
    fn what_files_say_is_believed_as_far_as_it_can_be_true() {
        let new = |disk_size, reserved, shown| {
            Compressed::new(disk_size, reserved, shown).map_err(|error| error.kind())
        };
        let odd = Err(io::ErrorKind::InvalidData);
        assert_eq!(new(MIB, Some(0), (0, false)), Ok(None));
        let of = |reserved| Ok(Some(Compressed { reserved, uncompressed_size: MIB }));
        assert_eq!(new(MIB, Some(4096), (0, false)), of(4096));
        assert_eq!(new(4096, Some(0), (MIB, true)), of(0));
        assert_eq!((new(MIB, None, (0, false)), new(MIB, Some(MIB + 1), (0, false))), (odd, odd));
        // Blocks that went since it was asked.
        let (extents, _) =
            told([4096, 0], vec![(10, Compressed { reserved: MIB, uncompressed_size: 0 })]);
        assert_eq!(extents.own[0].physical_size, 4096);
    }
}
