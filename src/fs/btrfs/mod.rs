//! The extents of btrfs, read from its trees as root.
//!
//! One pass over the tree of a subvolume in the order of its keys shows what every
//! inode holds: a search by inode would be one call an inode. Stretches of it can be
//! read side by side. What is written but not yet given a place on the disk is in no tree.

mod checksums;
mod items;
mod search;

use super::extents::{Calls, Checksums, Chunk, ExtentItem, ExtentReader, Stretch, Subvolume};
use items::{CHUNK_ITEM, EXTENT_DATA, ROOT_BACKREF, ROOT_ITEM};
use search::{Key, Search, lookup, search};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// `BTRFS_ROOT_TREE_OBJECTID` and `BTRFS_CHUNK_TREE_OBJECTID`.
const ROOT_TREE: u64 = 1;
const CHUNK_TREE: u64 = 3;
/// The topmost subvolume (`BTRFS_FS_TREE_OBJECTID`).
const TOP_LEVEL: u64 = 5;
/// The numbers that subvolumes and files may have (`BTRFS_FIRST_FREE_OBJECTID`).
const FIRST_FREE: u64 = 256;
const LAST_FREE: u64 = 256u64.wrapping_neg();

/// What a leaf of a tree holds of each item beside it (`struct btrfs_item`), and the sizes of
/// `struct btrfs_dir_item` and `struct btrfs_inode_ref` without the name.
const ITEM: u64 = 25;
const DIRECTORY_ENTRY: u64 = 30;
const INODE_REFERENCE: u64 = 10;

/// A call shows the items of about 85 files, and takes as long as a walk over 38 of them
/// (measured: see `benches/README.md`) …
const ENTRIES_A_CALL: u64 = 38;
/// … and so many take no longer than one waits for any answer, less than half a second.
const CALLS: u64 = 2048;

/// How many calls read a stretch at once: what is left after these is halved, for one thread
/// or another to go on with. Numbers of inodes may be far apart, so it goes by what is there.
const CALLS_OF_STRETCH: usize = 8;

/// The UUID of the btrfs that an open directory is in. Anybody may ask for it.
pub(super) fn fsid(directory: impl AsFd) -> io::Result<[u8; 16]> {
    Ok(checksums::fs_info(directory.as_fd())?.fsid)
}

/// A btrfs file system, by an open directory of it.
pub(super) struct Btrfs {
    fd: OwnedFd,
    own: u64,
    block_size: u64,
    calls: Calls,
}

impl Btrfs {
    /// The file system of an open directory.
    ///
    /// # Errors
    /// `PermissionDenied` without the privilege to read trees.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        let (own, _) = lookup(&fd, 0, FIRST_FREE)?;
        let block_size = rustix::fs::fstatfs(&fd)?.f_bsize as u64;
        let btrfs = Self { fd, own, block_size, calls: Calls::unlimited(ENTRIES_A_CALL) };
        btrfs.generation()?;
        Ok(btrfs)
    }

    /// The items of subvolumes and what they say.
    fn roots(
        &self,
        objects: (u64, u64),
        each: &mut dyn FnMut(Key, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let first = Key::new(objects.0, ROOT_ITEM, 0);
        let last = Key::new(objects.1, ROOT_BACKREF, u64::MAX);
        search((&self.fd, &self.calls), ROOT_TREE, (first, last), each)
    }

    /// Shows what each inode of a stretch holds, as [`ExtentReader::read`] does.
    fn contents(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64, ExtentItem),
    ) -> io::Result<Vec<Stretch>> {
        let first = Key::of(stretch.first).max(Key::new(FIRST_FREE, 0, 0));
        let last = Key::of(stretch.last).min(Key::new(LAST_FREE, u8::MAX, u64::MAX));
        let mut search = Search::new((&self.fd, &self.calls), stretch.tree, last);
        let next = search.show(first, CALLS_OF_STRETCH, &mut |key, item| {
            // Items of all kinds come.
            if key.kind == EXTENT_DATA
                && let Some(item) = items::extent(item)?
            {
                each(key.object, item);
            }
            Ok(())
        })?;
        let Some(next) = next else { return Ok(Vec::new()) };
        let last = match stretch.is_open() {
            true => search.last_object(next, LAST_FREE)?,
            false => Some(last),
        };
        let rest = last.map(|last| Stretch { last: last.as_tree_key(), ..*stretch });
        Ok(rest.map_or_else(Vec::new, |rest| rest.halves(next.as_tree_key())))
    }

    /// The path of a subvolume below the top level, as far as it is known.
    fn path(&self, id: u64, places: &BTreeMap<u64, (u64, u64, Vec<u8>)>) -> Vec<u8> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut at = id;
        // Of damaged trees one may lie in itself.
        while let Some((parent, directory, name)) = places.get(&at)
            && parts.len() <= places.len()
        {
            let mut part = lookup(&self.fd, *parent, *directory).unwrap_or_default().1;
            part.extend(name);
            parts.push(part);
            at = *parent;
        }
        parts.reverse();
        parts.join(&b'/')
    }
}

impl ExtentReader for Btrfs {
    fn own(&self) -> u64 {
        self.own
    }

    fn block_size(&self) -> u64 {
        self.block_size
    }

    fn allow_half_a_walk(&self, entries: u64) {
        self.calls.allow_half_a_walk(entries, CALLS);
    }

    fn spend(&self, entries: u64) -> io::Result<()> {
        self.calls.spend(entries)
    }

    fn generation(&self) -> io::Result<u64> {
        let mut generation = None;
        self.roots((self.own, self.own), &mut |key, item| {
            if key.kind == ROOT_ITEM {
                generation = Some(items::root(item)?.generation);
            }
            Ok(())
        })?;
        generation.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
        let mut all: BTreeMap<u64, Subvolume> = BTreeMap::new();
        let mut places = BTreeMap::new();
        self.roots((TOP_LEVEL, LAST_FREE), &mut |key, item| {
            let id = key.object;
            if id != TOP_LEVEL && id < FIRST_FREE {
                return Ok(());
            }
            match key.kind {
                ROOT_ITEM => {
                    let root = items::root(item)?;
                    let subvolume = Subvolume {
                        id,
                        path: Vec::new(),
                        snapshot: root.snapshot,
                        deleted: root.deleted,
                        ..Subvolume::default()
                    };
                    all.insert(id, subvolume);
                }
                ROOT_BACKREF => {
                    let (directory, name) = items::back_reference(item)?;
                    places.insert(id, (key.offset, directory, name.to_vec()));
                }
                _ => {}
            }
            Ok(())
        })?;
        for subvolume in all.values_mut() {
            subvolume.path = self.path(subvolume.id, &places);
        }
        Ok(all.into_values().collect())
    }

    fn has_below(&self, directory: u64) -> io::Result<bool> {
        let subvolumes = self.subvolumes()?;
        let own = subvolumes.iter().find(|subvolume| subvolume.id == self.own);
        let mut above = own.ok_or(io::ErrorKind::NotFound)?.path.clone();
        if !above.is_empty() {
            above.push(b'/');
        }
        // It ends with a slash, unless it is the topmost.
        above.extend(lookup(&self.fd, self.own, directory)?.1);
        let below = |other: &&Subvolume| other.id != self.own && other.path.starts_with(&above);
        Ok(subvolumes.iter().filter(|other| !other.deleted).any(|other| below(&other)))
    }

    fn chunks(&self) -> io::Result<Vec<Chunk>> {
        let mut chunks = Vec::new();
        let first = Key::new(FIRST_FREE, CHUNK_ITEM, 0);
        let last = Key::new(FIRST_FREE, CHUNK_ITEM, u64::MAX);
        search((&self.fd, &self.calls), CHUNK_TREE, (first, last), &mut |key, item| {
            chunks.push(items::chunk(key.offset, item)?);
            Ok(())
        })?;
        Ok(chunks)
    }

    fn read(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64, ExtentItem),
    ) -> io::Result<Vec<Stretch>> {
        self.contents(stretch, each)
    }

    fn read_starts(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64),
    ) -> io::Result<Vec<Stretch>> {
        self.contents(stretch, &mut |_, item| {
            if let ExtentItem::Extent { start, .. } = item {
                each(start);
            }
        })
    }

    fn checksums(&self, extents: &[(u64, u64)]) -> io::Result<Option<Checksums>> {
        checksums::checksums((self.fd.as_fd(), &self.calls), extents)
    }

    /// Two entries of the directory, by hash and by place, and one of the inode. What is put
    /// into a tree in no order leaves its leaves full by about two thirds.
    fn name_size(&self, length: u64) -> Option<u64> {
        let items = 2 * (ITEM + DIRECTORY_ENTRY + length) + ITEM + INODE_REFERENCE + length;
        Some(items * 3 / 2)
    }
}
