//! The examined paths as the simulation wants them: all entries in the order in
//! which Nix would read them, in flat lists of small numbers.

use super::reader::Hash;
#[cfg(test)]
use super::simulate::LayoutEntry;
use super::simulate::{Layout, LayoutInode};
use crate::disk::Links;
use crate::fs::{FileType, Stat};
use crate::graph::Node;

/// What is known of an inode beside what the simulation needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    const SYMLINK: u8 = 1;
    const EXECUTABLE: u8 = 2;
    const LINKED: u8 = 4;
    const TOUCHED: u8 = 8;
    const HASHED: u8 = 16;

    /// How many kinds there are.
    pub(super) const KINDS: u32 = 3;

    pub(super) fn new(meta: &Stat) -> Self {
        let mut flags = 0;
        if meta.file_type() == FileType::Symlink {
            flags |= Self::SYMLINK;
        } else if meta.executable() {
            flags |= Self::EXECUTABLE;
        }
        // Nix sets the times of all that it stores to 1; some images have 0.
        if meta.mtime > 1 || meta.mtime_nsec != 0 {
            flags |= Self::TOUCHED;
        }
        Self(flags)
    }

    /// The same inode, with a name in `.links`.
    pub(super) fn with_link(self) -> Self {
        Self(self.0 | Self::LINKED)
    }

    /// The same inode, once its contents were hashed.
    pub(super) fn with_hash(self) -> Self {
        Self(self.0 | Self::HASHED)
    }

    pub(super) fn symlink(self) -> bool {
        self.0 & Self::SYMLINK != 0
    }

    pub(super) fn executable(self) -> bool {
        self.0 & Self::EXECUTABLE != 0
    }

    /// Whether it has a name in `.links`.
    pub(super) fn linked(self) -> bool {
        self.0 & Self::LINKED != 0
    }

    /// Whether its hash is in [`GatheredTree::hashed`].
    pub(super) fn hashed(self) -> bool {
        self.0 & Self::HASHED != 0
    }

    /// Whether its time of modification is not what Nix sets: its contents may
    /// have been changed.
    pub(super) fn touched(self) -> bool {
        self.0 & Self::TOUCHED != 0
    }

    /// What makes two inodes of equal size and bytes different: the kind, below [`Self::KINDS`].
    pub(super) fn kind(self) -> u32 {
        u32::from(self.0 & (Self::SYMLINK | Self::EXECUTABLE))
    }
}

/// An entry of `.links` whose name is a hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedLink {
    /// The SHA-256 that is its name.
    pub(super) hash: [u8; 32],
    /// Its inode, an index.
    pub(super) inode: u32,
}

/// Where a directory is.
#[derive(Clone, Copy, Debug)]
pub(super) struct DirectoryPlace {
    /// The entry that leads to it.
    pub(super) entry: u32,
    /// The directory that entry is in.
    pub(super) parent: u32,
    /// The index of the path it belongs to.
    pub(super) path: u32,
}

/// All entries of the examined paths.
#[derive(Debug, Default)]
pub(super) struct GatheredTree {
    pub(super) layout: Layout,
    pub(super) flags: Vec<Flags>,
    /// Inode numbers, which show where on a disk contents may lie.
    pub(super) numbers: Vec<u64>,
    /// An entry that leads to each inode; none for one only in `.links`.
    pub(super) first_entry: Vec<Option<Node>>,
    /// The entries of `.links` whose names are hashes, by hash. Of a closure
    /// that stands alone: those that a file of it is a name of.
    pub(super) named_links: Vec<NamedLink>,
    /// Of all of `.links`; zero of a closure that stands alone.
    pub(super) links: Links,
    /// Where the directories are. The first directory is the store directory,
    /// its entries the paths; it is not among them.
    pub(super) places: Vec<DirectoryPlace>,
    /// The indexes of the paths that are there.
    pub(super) tops: Vec<u32>,
    /// The indexes of those that are not on disk, ascending.
    pub(super) missing: Vec<u32>,
    /// Of each entry: where its name begins.
    pub(super) name_of: Vec<u32>,
    /// Of each entry: the directory it is in; 0 is the store directory.
    pub(super) directory_of: Vec<u32>,
    pub(super) names: Names,
    /// How many entries were met, in `.links` too.
    pub(super) entries: u64,
    /// What small files were hashed as they were met; empty where `.links` has hashes.
    pub(super) hashed: Vec<(Hash, u32)>,
    /// How many bytes of files were read for that.
    pub(super) bytes_read: u64,
}

impl GatheredTree {
    /// The directory an entry is in; 0 is the store directory.
    pub(super) fn directory_of(&self, entry: u32) -> u32 {
        self.directory_of[entry as usize]
    }

    /// Where a directory, not the first, is.
    pub(super) fn place(&self, directory: u32) -> DirectoryPlace {
        self.places[directory as usize - 1]
    }

    /// The index of the path that an entry belongs to.
    pub(super) fn path_of(&self, entry: u32) -> u32 {
        match self.directory_of(entry) {
            0 => self.tops[entry as usize],
            directory => self.place(directory).path,
        }
    }

    /// The last part of an entry's name.
    pub(super) fn base_name(&self, entry: u32) -> &[u8] {
        self.names.get(self.name_of[entry as usize])
    }

    /// The name of a directory, not the first, below the store directory, put
    /// into `out`.
    pub(super) fn directory_name(&self, directory: u32, out: &mut Vec<u8>) {
        self.name(self.place(directory).entry, out);
    }

    /// The name of an entry below the store directory, put into `out`.
    pub(super) fn name(&self, entry: u32, out: &mut Vec<u8>) {
        out.clear();
        let length = self.way_up(entry).map(|name| name.len() + 1).sum::<usize>();
        out.resize(length.saturating_sub(1), b'/');
        // From the end to the start.
        let mut end = out.len();
        for name in self.way_up(entry) {
            out[end - name.len()..end].copy_from_slice(name);
            end = end.saturating_sub(name.len() + 1);
        }
    }

    /// The names of an entry and the directories above it, below the store directory.
    fn way_up(&self, entry: u32) -> impl Iterator<Item = &[u8]> {
        let first = Some((entry, self.directory_of(entry)));
        let above = |&(_, directory): &(u32, u32)| {
            let place = (directory != 0).then(|| self.place(directory))?;
            Some((place.entry, place.parent))
        };
        std::iter::successors(first, above).map(|(entry, _)| self.base_name(entry))
    }

    /// A tree of nothing but these names, each an inode of its own.
    #[cfg(test)]
    pub(super) fn of_names(names: &[&str]) -> Self {
        let mut tree = Self::default();
        tree.names.starts.push(0);
        tree.names.of_threads.push(Vec::new());
        for (i, name) in (0..).zip(names) {
            let of_thread = &mut tree.names.of_threads[0];
            tree.name_of.push(of_thread.len() as u32);
            tree.directory_of.push(0);
            Names::push(of_thread, name.as_bytes());
            tree.layout.entries.push(LayoutEntry::inode(i));
        }
        tree.layout.directories.push((0, names.len() as u32));
        tree
    }

    /// All entries that lead to inodes.
    pub(super) fn names_of_inodes(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let entries = (0u32..).zip(&self.layout.entries);
        entries.filter_map(|(entry, to)| to.as_inode().map(|inode| (entry, inode)))
    }
}

/// Names as the threads kept them: a length, then the bytes. The length is a
/// byte, or 255 and two more: some file systems allow names of more than 255.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) of_threads: Vec<Vec<u8>>,
    /// Where those of each thread begin.
    pub(super) starts: Vec<u32>,
}

impl Names {
    const LONG: u8 = u8::MAX;

    /// Puts a name at the end of a thread's names.
    pub(super) fn push(names: &mut Vec<u8>, name: &[u8]) {
        debug_assert!(u16::try_from(name.len()).is_ok(), "the walk counts names in 16 bits");
        match u8::try_from(name.len()) {
            Ok(length) if length != Self::LONG => names.push(length),
            _ => {
                names.push(Self::LONG);
                names.extend((name.len() as u16).to_le_bytes());
            }
        }
        names.extend_from_slice(name);
    }

    fn get(&self, name: u32) -> &[u8] {
        let thread = self.starts.partition_point(|&start| start <= name).saturating_sub(1);
        let names = &self.of_threads[thread];
        let at = (name - self.starts[thread]) as usize;
        match &names[at..] {
            [Self::LONG, low, high, rest @ ..] => {
                &rest[..usize::from(u16::from_le_bytes([*low, *high]))]
            }
            [length, rest @ ..] => &rest[..usize::from(*length)],
            [] => &[],
        }
    }
}

/// What the simulation knows of an inode.
pub(super) fn inode(meta: &Stat) -> LayoutInode {
    LayoutInode {
        size: meta.size,
        disk_size: meta.disk_size,
        nlink: meta.nlink,
        class: None,
        writable: meta.file_type() == FileType::Regular && meta.mode & 0o200 != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_more_than_255_bytes_are_kept_whole() {
        let names = [0, 1, 254, 255, 256, 300, 510, 1021].map(|length| "n".repeat(length));
        let tree = GatheredTree::of_names(&names.each_ref().map(String::as_str));
        for (entry, name) in (0..).zip(&names) {
            assert_eq!(tree.base_name(entry), name.as_bytes());
        }
    }
}
