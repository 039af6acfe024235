//! What deleting sets of paths gives back to the disk.
//!
//! An inode goes when all its names go. Its name in `.links` goes with the
//! last of the others, since the collector deletes entries of `.links` that
//! are their inode's only name. A name outside the store stays, and with it
//! the inode. Names in entries of the store directory that are not valid paths
//! go in any collection, unless a running Nix asked to keep them. An extent that several
//! use goes as an inode with several names does.

use super::shared::{Classes, paths_of_inodes};
use crate::disk::{DiskScan, Space};
use crate::graph::{NodeSet, Rows};

/// What goes with which paths.
#[derive(Clone, Debug, Default)]
pub struct Freeable {
    /// Each path's classes, ascending: a class is the inodes that one set of
    /// several paths holds together, and goes when the last of them goes.
    pub classes: Rows,
    /// What each class gives back.
    pub class_sizes: Vec<Space>,
    /// What each path gives back that is in no class.
    pub own_sizes: Vec<Space>,
    /// What entries that are not valid paths give back; entries of `.links`
    /// apart.
    pub invalid_size: Space,
}

impl Freeable {
    /// Gathers them from a scan of the whole store whose first `paths` paths
    /// are the valid ones; `kept` says which of the other entries stay.
    pub fn new(disk: &DiskScan, paths: usize, kept: &[bool]) -> Self {
        let others = kept.iter().enumerate().filter(|(_, kept)| !**kept);
        let mut invalid_size: Space = others.map(|(other, _)| disk.own_space(paths + other)).sum();
        let stays = |&holder: &u32| kept.get((holder as usize).wrapping_sub(paths)) == Some(&true);
        let owners = paths_of_inodes(disk, disk.names.len());
        // Names elsewhere keep an inode.
        let inodes = owners.iter().zip(disk.named_elsewhere()).enumerate();
        let inodes = inodes.filter(|(_, (_, elsewhere))| !elsewhere);
        let inodes = inodes.map(|(at, (owners, _))| (owners, disk.inode_space(at)));
        let users = disk.groups_to_free();
        let groups = disk.extents().into_iter().flat_map(|extents| &extents.groups);
        let groups = groups.zip(users.iter()).map(|(group, users)| {
            let physical_size = group.physical_size;
            (users, Space { physical_size, ..Space::default() })
        });
        let mut classes = Classes::new((0..paths).map(|path| disk.own_space(path)).collect());
        for (users, space) in inodes.chain(groups) {
            // What is known from `.links` alone the collector leaves.
            if users.is_empty() || users.iter().any(stays) {
                continue;
            }
            // With the last of the valid paths, or in any collection where there is none.
            let valid = users.partition_point(|&user| (user as usize) < paths);
            *classes.size_of(&users[..valid]).unwrap_or(&mut invalid_size) += space;
        }
        let (classes, class_sizes, own_sizes) = classes.finish();
        Self { classes, class_sizes, own_sizes, invalid_size }
    }

    /// What deleting these paths alone, by number, gives back: a class only if
    /// all its paths are among them.
    pub fn freed(&self, gone: &NodeSet) -> Space {
        let mut whole = vec![true; self.class_sizes.len()];
        let mut freed = Space::default();
        for (path, classes) in (0u32..).zip(self.classes.iter()) {
            if gone.contains(path) {
                freed += self.own_sizes[path as usize];
            } else {
                classes.iter().for_each(|&class| whole[class as usize] = false);
            }
        }
        let classes = self.class_sizes.iter().zip(whole);
        freed + classes.filter(|(_, whole)| *whole).map(|(&size, _)| size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Progress, ScanOptions, scan};
    use crate::fs::StoreFiles;
    use std::fs;

    #[test]
    fn an_inode_goes_with_the_last_of_its_paths_unless_something_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        for name in ["a", "b", "gone", "kept", ".links"] {
            fs::create_dir_all(store.join(name)).unwrap();
        }
        for names in [
            // A class of two paths, one that `a` has alone twice, two that go with it.
            &["a/1", "b/1"][..],
            &["a/2", "a/2-again"],
            &["a/3", "gone/3"],
            &["a/4", ".links/4"],
            // With nothing, as they are kept: from outside, by what is no valid path.
            &["a/5", "../5", ".links/5"],
            &["a/6", "kept/6"],
            // In any collection; the last is one of `.links` alone.
            &["gone/7", "gone/7-again"],
            &[".links/8", "../8"],
        ] {
            fs::write(store.join(names[0]), "x").unwrap();
            for name in &names[1..] {
                fs::hard_link(store.join(names[0]), store.join(name)).unwrap();
            }
        }
        let files = StoreFiles::live(&store, "/".as_ref()).unwrap();
        let options = ScanOptions { whole: true, ..ScanOptions::default() };
        let disk = scan(&files, &["a", "b"], &options, &Progress::default()).unwrap();
        let kept: Vec<_> = disk.others.iter().map(|(name, _)| &name[..] == b"kept").collect();
        assert_eq!(kept.iter().filter(|kept| **kept).count(), 1);
        let found = Freeable::new(&disk, 2, &kept);
        let inodes = |sizes: &[Space]| sizes.iter().map(|size| size.inodes).collect::<Vec<_>>();
        // Directories go too.
        assert_eq!(inodes(&found.own_sizes), [1 + 3, 1]);
        assert_eq!(inodes(&found.class_sizes), [1]);
        assert_eq!(found.classes, Rows::from_lists(&[[0], [0]]));
        assert_eq!(found.invalid_size.inodes, 1 + 1);
        let gone = |paths: &[u32]| {
            let mut gone = NodeSet::new(2);
            paths.iter().for_each(|&path| _ = gone.insert(path));
            found.freed(&gone).inodes
        };
        assert_eq!((gone(&[0]), gone(&[0, 1])), (4, 6));
    }
}
