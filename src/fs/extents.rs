//! What files take of a disk where the blocks that `stat` reports do not say it:
//! extents, which a file system may compress and share between files.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// How an extent lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    /// As it is.
    None,
    /// Compressed with zlib.
    Zlib,
    /// Compressed with LZO.
    Lzo,
    /// Compressed with zstd.
    Zstd,
    /// Reserved, and not written to yet.
    Prealloc,
    /// Compressed, with what is not said; or it is not known whether it is.
    Unknown,
}

impl Compression {
    /// All of them, in the order in which they are above.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Zlib, Self::Lzo, Self::Zstd, Self::Prealloc, Self::Unknown];

    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zlib => "zlib",
            Self::Lzo => "lzo",
            Self::Zstd => "zstd",
            Self::Prealloc => "prealloc",
            Self::Unknown => "unknown",
        }
    }
}

/// What a size is: how it stands to the truth. Of several the last says what all are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SizeIs {
    /// The truth.
    #[default]
    Exact,
    /// No more than it.
    AtLeast,
    /// Near it: more or less.
    About,
}

impl SizeIs {
    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::About => "about",
            Self::AtLeast => "at least",
        }
    }
}

/// A range of a file that is mapped to the disk, as `FIEMAP` shows it to anybody. Sizes
/// are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// Where on the disk it begins.
    pub(crate) start: u64,
    /// How much of the file it shows.
    pub(crate) length: u64,
    pub(crate) place: Place,
    /// Whether it is compressed; what it takes on the disk is not told then.
    pub(crate) compressed: bool,
    /// Whether it is reserved, and not written to yet.
    pub(crate) preallocated: bool,
    /// Whether something refers to it too, be it the same file.
    pub(crate) shared: bool,
}

/// Where a range of a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the disk; its end there fits in 64 bits if it is not compressed.
    Disk,
    /// In the file system's metadata.
    Inline,
    /// Nowhere yet.
    Pending,
}

/// A file system that shows extents by file alone ([`Mapped`]).
#[derive(Clone, Debug)]
pub(crate) struct FileExtents {
    /// Why it does not show all of them.
    pub(crate) why: String,
    /// In what sizes it allocates, in bytes.
    pub(crate) block_size: u64,
    /// Whether files show all that they take: neither does it compress, nor is more kept
    /// of an extent than what they show.
    pub(crate) exact: bool,
}

/// A file system whose files share nothing, and whose blocks say what each takes of the disk
/// and gives back; but what lies in the metadata is among them, and what is reserved.
#[derive(Clone, Debug)]
pub(crate) struct InodeBlocks {
    /// In what sizes it allocates, in bytes: what is less lies in the metadata.
    pub(crate) block_size: u64,
    /// Files that are compressed, by inode; `None` where they have to be asked one by one, and
    /// were not.
    pub(crate) compressed: Option<Vec<(u64, Compressed)>>,
    /// Whether as much as a block takes may lie in the metadata: of that files have to be
    /// asked, too.
    pub(crate) large_inline: bool,
    /// What was found to lie there, by inode.
    pub(crate) inline: Vec<u64>,
}

impl InodeBlocks {
    /// What an inode has beside contents, in bytes: the least (Linux: `MAX_INLINE_DATA` in
    /// `fs/f2fs/f2fs.h`).
    const BESIDE_INLINE: u64 = 408;

    /// Whether a file or directory of this length and these blocks, both in bytes, may lie in
    /// the metadata although it has as many blocks as if it lay in one of its own.
    pub(crate) fn may_be_inline(&self, size: u64, disk_size: u64) -> bool {
        disk_size == self.block_size
            && size.div_ceil(512).checked_mul(512) == Some(self.block_size)
            && size <= self.block_size.saturating_sub(Self::BESIDE_INLINE)
    }
}

/// How a file is compressed. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compressed {
    /// How much of its blocks is kept free, so that it may be written uncompressed: taken by
    /// the file, but used for nothing.
    pub(crate) reserved: u64,
    /// What all of it would take uncompressed.
    pub(crate) uncompressed_size: u64,
}

impl Compressed {
    /// By its blocks in bytes, those of them in reserve (`None` if they are too many), and of how
    /// much of its contents a place on the disk is shown, and whether some is compressed.
    /// `None` if nothing of it is compressed.
    ///
    /// # Errors
    /// `InvalidData` for what no file has.
    pub(crate) fn new(
        disk_size: u64,
        reserved: Option<u64>,
        (shown, compressed): (u64, bool),
    ) -> io::Result<Option<Self>> {
        let reserved = reserved.filter(|&reserved| reserved <= disk_size);
        let reserved = reserved.ok_or_else(|| damaged("more is reserved for it than it takes"))?;
        let uncompressed_size = disk_size.max(shown);
        Ok((reserved > 0 || compressed).then_some(Self { reserved, uncompressed_size }))
    }
}

/// What tells apart what a tree of files holds, and orders it: the number of an inode, and
/// two more of one thing of it.
pub(crate) type TreeKey = (u64, u8, u64);

/// A stretch of a tree of files: what it holds from one key to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) tree: u64,
    pub(crate) first: TreeKey,
    pub(crate) last: TreeKey,
}

impl Stretch {
    const FIRST: TreeKey = (0, 0, 0);
    const LAST: TreeKey = (u64::MAX, u8::MAX, u64::MAX);

    /// A whole tree.
    pub(crate) fn whole(tree: u64) -> Self {
        Self { tree, first: Self::FIRST, last: Self::LAST }
    }

    /// Whether it goes on to the end of its tree, wherever that is.
    pub(super) fn is_open(&self) -> bool {
        self.last == Self::LAST
    }

    /// What is left of it from a key on, in two where it can be halved.
    pub(crate) fn halves(&self, from: TreeKey) -> Vec<Self> {
        let rest = Self { first: from, ..*self };
        match middle(from, self.last) {
            Some((before, middle)) => {
                vec![Self { last: before, ..rest }, Self { first: middle, ..rest }]
            }
            None if from <= self.last => vec![rest],
            None => Vec::new(),
        }
    }
}

/// The key halfway between two, above the first and not above the second, and the one before
/// it; `None` where there is none.
fn middle(first: TreeKey, last: TreeKey) -> Option<(TreeKey, TreeKey)> {
    let half = |more: u64| more / 2 + more % 2;
    let more = last.0.checked_sub(first.0)?;
    if more > 0 {
        let object = first.0 + half(more);
        return Some(((object - 1, u8::MAX, u64::MAX), (object, 0, 0)));
    }
    let more = last.1.checked_sub(first.1)?;
    if more > 0 {
        let kind = first.1 + half(more.into()) as u8;
        return Some(((first.0, kind - 1, u64::MAX), (first.0, kind, 0)));
    }
    let more = last.2.checked_sub(first.2).filter(|&more| more > 0)?;
    let offset = first.2 + half(more);
    Some(((first.0, first.1, offset - 1), (first.0, first.1, offset)))
}

/// Something that holds contents of a file. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtentItem {
    /// Contents that lie in the file system's metadata.
    Inline {
        compression: Compression,
        /// What they take there.
        size: u64,
        uncompressed_size: u64,
    },
    /// A reference to an extent, or to a part of it.
    Extent {
        /// Where it begins on the disk: what tells extents apart.
        start: u64,
        /// What the whole extent takes on the disk.
        disk_size: u64,
        /// The whole extent uncompressed.
        uncompressed_size: u64,
        /// How much of it this reference shows.
        referenced_size: u64,
        compression: Compression,
    },
}

impl ExtentItem {
    /// A reference to a whole extent that takes as much on the disk as uncompressed.
    pub(crate) fn whole(start: u64, size: u64, compression: Compression) -> Self {
        Self::Extent {
            start,
            disk_size: size,
            uncompressed_size: size,
            referenced_size: size,
            compression,
        }
    }
}

/// A tree of files that shares extents with others of its file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subvolume {
    pub(crate) id: u64,
    /// Its path below the file system's top level.
    pub(crate) path: Vec<u8>,
    /// Whether it was made as a snapshot.
    pub(crate) snapshot: bool,
    /// Whether it is deleted already, and cleaned up later.
    pub(crate) deleted: bool,
    /// Whether it stands for files of which nothing is known but that they share extents:
    /// of the store or not.
    pub(crate) unknown: bool,
    /// Whether it stands for the lower layers of an overlay, which stay as they are.
    pub(crate) lower: bool,
}

/// How many bytes of devices a range of the disk takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// So many bytes on devices …
    pub(crate) raw: u64,
    /// … for so many of data: 2 for 1 where all is there twice.
    pub(crate) data: u64,
}

/// What checksums say of some extents.
pub(crate) struct Checksums {
    /// Their name.
    pub(crate) algorithm: &'static str,
    /// Whether no two different contents are known to have the same.
    pub(crate) strong: bool,
    /// For each extent, a digest of the checksums of its blocks; `None` where a block has
    /// none.
    pub(crate) digests: Vec<Option<[u8; 32]>>,
}

/// How often a file system may still be asked.
#[derive(Debug)]
pub(super) struct Calls {
    /// A walk over so many entries takes as long as a call.
    entries_a_call: u64,
    /// A walk over so many takes as long as what is still allowed.
    left: AtomicU64,
}

impl Calls {
    /// As often as one likes.
    pub(super) const fn unlimited(entries_a_call: u64) -> Self {
        Self { entries_a_call, left: AtomicU64::new(u64::MAX) }
    }

    /// From now on allows what takes half as long as a walk over so many entries, and so many
    /// calls beside.
    pub(super) fn allow_half_a_walk(&self, entries: u64, calls: u64) {
        let left = calls.saturating_mul(self.entries_a_call).saturating_add(entries / 2);
        self.left.store(left, Ordering::Relaxed);
    }

    /// Takes one.
    ///
    /// # Errors
    /// `QuotaExceeded` where none is left.
    pub(super) fn take(&self) -> io::Result<()> {
        self.spend(self.entries_a_call)
    }

    /// Takes the part of one that showed so many parts of what one shows at most, and at least
    /// as much as a walk over an entry: so many calls that show little are as few that show
    /// much.
    ///
    /// # Errors
    /// `QuotaExceeded` where that is not left.
    pub(super) fn take_part(&self, shown: usize, most: usize) -> io::Result<()> {
        let part = self.entries_a_call.saturating_mul(shown as u64) / most.max(1) as u64;
        self.spend(part.max(1))
    }

    /// Counts something else, that takes as long as a walk over so many entries.
    ///
    /// # Errors
    /// `QuotaExceeded` where that is not left.
    pub(super) fn spend(&self, entries: u64) -> io::Result<()> {
        let less = |left: u64| left.checked_sub(entries);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(|_| ()).map_err(|_| io::ErrorKind::QuotaExceeded.into())
    }
}

/// The error of a file system that says what no intact one does.
pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads the extents of a file system. What need not be said is of one that has a single
/// tree of files, counts no changes and keeps no checksums.
///
/// Errors are those of the system, and `InvalidData` for what no intact file
/// system says.
pub(crate) trait ExtentReader: Send + Sync {
    /// The tree of files in which the store lies.
    fn own(&self) -> u64 {
        0
    }

    /// In what sizes the file system allocates, in bytes.
    fn block_size(&self) -> u64;

    /// From now on makes reading fail with `QuotaExceeded` once it took about half as long
    /// as a walk over so many entries. That goes by what is read, never by the clock.
    fn allow_half_a_walk(&self, _entries: u64) {}

    /// Counts, against what is [allowed](Self::allow_half_a_walk), what takes as long as a walk
    /// over so many entries and is done beside reading.
    fn spend(&self, _entries: u64) -> io::Result<()> {
        Ok(())
    }

    /// Gives it the inodes that a walk met, each with its blocks in bytes: of some there may be
    /// no more to know.
    fn met(&mut self, _inodes: &mut dyn Iterator<Item = (u64, u64)>) {}

    /// A number that changes when the store's tree was written to.
    fn generation(&self) -> io::Result<u64> {
        Ok(0)
    }

    /// All trees of files.
    fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
        Ok(vec![Subvolume { id: self.own(), ..Subvolume::default() }])
    }

    /// Whether another tree of files lies below a directory of the store's tree, by number.
    fn has_below(&self, _directory: u64) -> io::Result<bool> {
        Ok(false)
    }

    /// How data lie on devices, in ascending order, as far as that is known.
    fn chunks(&self) -> io::Result<Vec<Chunk>> {
        Ok(Vec::new())
    }

    /// What the store's files are in, to be [read](Self::read). Called anew each time that all
    /// of it is read.
    fn stretches(&self) -> io::Result<Vec<Stretch>> {
        Ok(vec![Stretch::whole(self.own())])
    }

    /// Shows what the inodes of a stretch hold: inodes ascending, contents of each in the order
    /// of the file. It may show the beginning alone, and gives what is left then, in order; how
    /// much that is goes by what the file system holds and by nothing else.
    fn read(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64, ExtentItem),
    ) -> io::Result<Vec<Stretch>>;

    /// Whether an inode that [`read`](Self::read) showed is known to be in a lower layer of an
    /// overlay, which stays as it is; `met` is whether the walk met it, so that it is the store's.
    fn is_lower(&self, _ino: u64, _met: bool) -> bool {
        false
    }

    /// Shows where the extents begin to which a stretch of another tree refers, by each
    /// reference, as [`read`](Self::read) does; not of the one that stands for
    /// [lower](Subvolume::lower) layers.
    fn read_starts(
        &self,
        _stretch: &Stretch,
        _each: &mut dyn FnMut(u64),
    ) -> io::Result<Vec<Stretch>> {
        Ok(Vec::new())
    }

    /// The checksums that the file system keeps of extents, which are given by address and
    /// size on the disk, in ascending order; `None` where it keeps none.
    fn checksums(&self, _extents: &[(u64, u64)]) -> io::Result<Option<Checksums>> {
        Ok(None)
    }

    /// How many bytes of metadata one more name of a file takes, about, of so many bytes; `None`
    /// where directories have blocks.
    fn name_size(&self, _length: u64) -> Option<u64> {
        None
    }

    /// What sizes of extents are.
    fn sizes_are(&self) -> SizeIs {
        SizeIs::Exact
    }

    /// What sizes are of that which is freed; `None` if that is not known.
    fn freed_sizes_are(&self) -> Option<SizeIs> {
        Some(SizeIs::Exact)
    }

    /// Whether it says of what is not written to the disk yet that it is nowhere, while `stat`
    /// counts its blocks.
    fn tells_unwritten(&self) -> bool {
        true
    }

    /// Whether it shows an inode of the store's tree.
    fn shows(&self, _ino: u64) -> bool {
        true
    }
}

/// How it is found out what files take of a disk.
pub(crate) enum ExtentSource {
    /// By the blocks that `stat` reports.
    Blocks,
    /// From the file system itself.
    Extents(Box<dyn ExtentReader>),
    /// From each file.
    Files(FileExtents),
    /// From the blocks that `stat` reports, with what files say of their compression.
    Inodes(InodeBlocks),
    /// Not at all, for this reason.
    Unknown(String),
    /// Not at all, as the system failed to say; by another try it may.
    Failed(String),
}

impl ExtentSource {
    /// Whether the files are needed for it that a walk meets.
    pub(crate) fn needs_files(&self) -> bool {
        matches!(self, Self::Extents(_) | Self::Files(_) | Self::Inodes(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Halves are next to each other and not empty, and hold all that is left; the larger
        /// the number that differs, the sooner they are small.
        #[test]
        fn halves_are_all_that_is_left(
            first in (0u64..3, 0u8..3, 0u64..3),
            more in (any::<u64>(), any::<u8>(), any::<u64>()),
            near in any::<bool>(),
        ) {
            let near = |more: u64| if near { more % 3 } else { more };
            let last = (first.0.saturating_add(near(more.0)), more.1, near(more.2));
            let of = Stretch { tree: 5, first: Stretch::FIRST, last };
            let halves = of.halves(first);
            prop_assert_eq!(halves.is_empty(), first > last);
            if let (Some(start), Some(end)) = (halves.first(), halves.last()) {
                prop_assert_eq!((start.first, end.last), (first, last));
                prop_assert_eq!(halves.len() == 1, first == last);
                prop_assert!(halves.iter().all(|half| half.first <= half.last && half.tree == 5));
            }
            if let [left, right] = halves[..] {
                let next = match left.last {
                    (object, u8::MAX, u64::MAX) => (object + 1, 0, 0),
                    (object, kind, u64::MAX) => (object, kind + 1, 0),
                    (object, kind, offset) => (object, kind, offset + 1),
                };
                prop_assert_eq!(next, right.first);
            }
        }
    }

    #[test]
    fn no_more_calls_are_made_than_are_allowed() {
        let calls = Calls::unlimited(38);
        assert!((0..10).all(|_| calls.take().is_ok()));
        let none = Err(io::ErrorKind::QuotaExceeded);
        let take = || [(); 4].map(|()| calls.take().map_err(|error| error.kind()));
        calls.allow_half_a_walk(75, 2);
        assert_eq!(take(), [Ok(()), Ok(()), none, none]);
        calls.allow_half_a_walk(76, 2);
        assert_eq!(take(), [Ok(()), Ok(()), Ok(()), none]);
        // Half of 76, and two calls.
        calls.allow_half_a_walk(76, 2);
        assert!(calls.spend(77).is_ok() && calls.spend(38).is_err() && calls.spend(37).is_ok());
        // Parts of calls.
        calls.allow_half_a_walk(78, 0);
        let part = |shown| calls.take_part(shown, 100).is_ok();
        assert_eq!([100, 0, 1].map(part), [true, true, false]);
        assert_eq!(take(), [none; 4]);
    }
}
