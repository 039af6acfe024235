//! Inodes with several names, and finding them by number.

use crate::arrange::Arrange as _;
use crate::fs::{FileType, Stat};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// An inode that has several names, somewhere.
///
/// 32 bytes: a store may have millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// The inode number.
    pub ino: u64,
    /// Its `st_size` in bytes; of a symlink, the length of its target.
    pub size: u64,
    /// Its blocks, in units of 512 bytes, above [`Inode::FLAGS`] bits of flags.
    packed: u64,
    /// How many names it has, those outside the examined paths included.
    pub nlink: u32,
    /// Its device: an index into the scan's devices.
    pub device: u32,
}

impl Inode {
    const EXECUTABLE: u64 = 1;
    const SYMLINK: u64 = 2;
    const FILE: u64 = 4;
    /// How many of its names are in `.links`: two bits.
    const LINKS: u64 = 8 | 16;
    const LINK: u64 = 8;
    const FLAGS: u32 = 5;

    /// The inode that `stat` describes; its device is an index into a scan's devices.
    pub fn new(device: u32, meta: &Stat) -> Self {
        let mut packed = (meta.disk_size / 512) << Self::FLAGS;
        match meta.file_type() {
            FileType::Symlink => packed |= Self::SYMLINK,
            FileType::Regular => packed |= Self::FILE,
            _ => {}
        }
        if meta.executable() {
            packed |= Self::EXECUTABLE;
        }
        Self { ino: meta.ino, size: meta.size, packed, nlink: meta.nlink, device }
    }

    /// The bits that say what it is.
    pub(crate) fn flags(&self) -> u8 {
        (self.packed & ((1 << Self::FLAGS) - 1)) as u8
    }

    /// Its blocks, in units of 512 bytes.
    pub(crate) fn blocks(&self) -> u64 {
        self.packed >> Self::FLAGS
    }

    /// An inode with such flags and blocks; `None` if there can be none.
    pub(crate) fn from_parts(
        (device, ino): (u32, u64),
        size: u64,
        blocks: u64,
        flags: u8,
        nlink: u32,
    ) -> Option<Self> {
        let fits = blocks.leading_zeros() >= Self::FLAGS && flags >> Self::FLAGS == 0;
        let packed = blocks << Self::FLAGS | u64::from(flags);
        fits.then_some(Self { ino, size, packed, nlink, device })
    }

    /// Its blocks, in bytes.
    pub fn disk_size(&self) -> u64 {
        self.blocks().saturating_mul(512)
    }

    /// What it adds to an apparent size, in bytes: nothing unless it is a
    /// regular file or symlink.
    pub fn apparent_size(&self) -> u64 {
        if self.is_file() || self.is_symlink() { self.size } else { 0 }
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.packed & Self::FILE != 0
    }

    /// Whether it is a symlink.
    pub fn is_symlink(&self) -> bool {
        self.packed & Self::SYMLINK != 0
    }

    /// Whether its owner may execute it.
    pub fn executable(&self) -> bool {
        self.packed & Self::EXECUTABLE != 0
    }

    /// Whether one of its names is in `.links`.
    pub fn linked(&self) -> bool {
        self.packed & Self::LINKS != 0
    }

    /// How many of its names are in `.links` and `.links-b3`: 3 stands for more, too.
    pub(super) fn links(&self) -> u32 {
        ((self.packed & Self::LINKS) / Self::LINK) as u32
    }

    /// The same with so many names, of which so many are in `.links` and `.links-b3`.
    pub(super) fn named(self, nlink: u32, links: u32) -> Self {
        let mut named = Self { nlink, packed: self.packed & !Self::LINKS, ..self };
        (0..links).for_each(|_| named.add_link());
        named
    }

    /// How many names it has besides those in `.links` and `.links-b3`.
    pub fn names_outside_links(&self) -> u32 {
        self.nlink.saturating_sub(self.links())
    }

    /// Counts one more name in `.links` or `.links-b3`, up to three.
    pub(super) fn add_link(&mut self) {
        if self.packed & Self::LINKS != Self::LINKS {
            self.packed += Self::LINK;
        }
    }

    /// The order and identity of inodes.
    pub(crate) fn key(&self) -> (u32, u64) {
        (self.device, self.ino)
    }
}

/// By what [`Inode::key`] says of each: long lists of inodes, or of what stands for one.
pub(super) fn in_order<T>(items: &mut [T], key: impl Fn(&T) -> (u32, u64)) {
    // What is equal stays in its order, so what comes first goes last.
    items.arrange_by_number(|item| key(item).1);
    items.arrange_by_number(|item| key(item).0.into());
}

/// Inodes in a list, found by device and number: 6 to 12 bytes an inode beside
/// the inode itself.
#[derive(Debug, Default)]
pub(super) struct InodeTable {
    inodes: Vec<Inode>,
    indexes: HashTable<u32>,
}

impl InodeTable {
    /// A table of all of these, which are distinct.
    pub(super) fn from_distinct(inodes: Vec<Inode>) -> Self {
        let mut indexes = HashTable::with_capacity(inodes.len());
        for (i, inode) in (0u32..).zip(&inodes) {
            indexes.insert_unique(spread(inode.ino), i, |&i| spread(inodes[i as usize].ino));
        }
        Self { inodes, indexes }
    }

    /// The index of an inode.
    #[inline]
    pub(super) fn find(&self, device: u32, ino: u64) -> Option<u32> {
        let same = |&i: &u32| self.inodes[i as usize].key() == (device, ino);
        self.indexes.find(spread(ino), same).copied()
    }

    /// The index of an inode, which is put in where it is new.
    pub(super) fn find_or_insert(&mut self, inode: Inode) -> u32 {
        let inodes = &mut self.inodes;
        let same = |&i: &u32| inodes[i as usize].key() == inode.key();
        match self.indexes.entry(spread(inode.ino), same, |&i| spread(inodes[i as usize].ino)) {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(place) => {
                let index = u32::try_from(inodes.len()).expect("fewer than 2^32 inodes");
                place.insert(index);
                inodes.push(inode);
                index
            }
        }
    }

    /// The inode at an index.
    #[inline]
    pub(super) fn get(&self, index: u32) -> &Inode {
        &self.inodes[index as usize]
    }

    /// All of them.
    pub(super) fn inodes(&self) -> &[Inode] {
        &self.inodes
    }

    pub(super) fn into_inodes(self) -> Vec<Inode> {
        self.inodes
    }

    pub(super) fn len(&self) -> usize {
        self.inodes.len()
    }
}

/// Blocks of 512 bytes, as many as fit.
pub(super) fn blocks(bytes: u64) -> u32 {
    u32::try_from(bytes / 512).unwrap_or(u32::MAX)
}

/// Indexes by inode number, of one device.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByNumber(HashTable<(u64, u32)>);

impl ByNumber {
    /// The index of that number.
    #[inline]
    pub(crate) fn get(&self, number: u64) -> Option<u32> {
        self.0.find(spread(number), |&(other, _)| other == number).map(|&(_, index)| index)
    }

    /// The index of that number; this one where it is new.
    #[inline]
    pub(crate) fn get_or_insert(&mut self, number: u64, index: u32) -> u32 {
        let same = |&(other, _): &(u64, u32)| other == number;
        let entry = self.0.entry(spread(number), same, |&(other, _)| spread(other));
        entry.or_insert((number, index)).get().1
    }
}

/// Spreads an inode number over 64 bits (the finisher of splitmix64). Numbers
/// can be chosen to collide, but that only slows down the examination of the
/// disk that has them.
#[inline]
pub(super) fn spread(ino: u64) -> u64 {
    let mut x = ino.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inode(device: u32, ino: u64) -> Inode {
        Inode { ino, size: 1, packed: 8 << Inode::FLAGS, nlink: 2, device }
    }

    #[test]
    fn finds_what_was_put_in() {
        let mut table = InodeTable::default();
        assert_eq!(table.find(0, 1), None);
        for ino in 0..1000 {
            assert_eq!(table.find_or_insert(inode(0, ino * 7)), ino as u32);
            assert_eq!(table.find_or_insert(inode(0, ino * 7)), ino as u32);
        }
        assert_eq!(table.find_or_insert(inode(1, 7)), 1000);
        assert_eq!(
            (table.find(0, 7), table.find(1, 7), table.find(0, 8)),
            (Some(1), Some(1000), None)
        );
        let again = InodeTable::from_distinct(table.into_inodes());
        assert_eq!(
            (again.find(0, 7), again.find(1, 7), again.find(2, 7)),
            (Some(1), Some(1000), None)
        );
    }

    #[test]
    fn each_name_in_links_is_counted() {
        let mut inode = Inode { nlink: 5, ..inode(0, 1) };
        for outside in [4, 3, 2, 2] {
            inode.add_link();
            assert_eq!(inode.names_outside_links(), outside);
        }
        assert_eq!((inode.linked(), inode.disk_size()), (true, 4096));
    }

    #[test]
    fn is_small() {
        assert_eq!(size_of::<Inode>(), 32);
        assert_eq!(inode(0, 1).disk_size(), 4096);
    }
}
