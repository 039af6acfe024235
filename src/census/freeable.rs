//! What deleting sets of paths gives back to the disk.
//!
//! An inode goes when all its names go. Its name in `.links` goes with the
//! last of the others, since the collector deletes entries of `.links` that
//! are their inode's only name. A name outside the store stays, and with it
//! the inode. Names in entries of the store directory that are not valid paths
//! go in any collection, unless a running Nix asked to keep them.

use crate::disk::{DiskScan, Space, Usage};
use crate::graph::{NodeSet, Rows};
use std::collections::HashMap;

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
        let mut freeable = Self {
            own_sizes: disk.usages[..paths].iter().map(Usage::private).collect(),
            invalid_size: (disk.others.iter().zip(kept))
                .filter(|(_, kept)| !**kept)
                .map(|((_, usage), _)| usage.private())
                .sum(),
            ..Self::default()
        };
        let holders = disk.names.transpose(disk.inodes.len());
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut valid: Vec<u32> = Vec::new();
        for (inode, names) in disk.inodes.iter().zip(holders.iter()) {
            let stays =
                |&holder: &u32| kept.get((holder as usize).wrapping_sub(paths)) == Some(&true);
            if inode.names_outside_links() as usize > names.len() || names.iter().any(stays) {
                continue;
            }
            valid.clear();
            valid.extend(names.iter().filter(|&&holder| (holder as usize) < paths));
            valid.dedup();
            match valid[..] {
                // Known from `.links` alone: the collector leaves it.
                [] if names.is_empty() => {}
                [] => freeable.invalid_size += Space::inode(inode.disk_size()),
                [path] => freeable.own_sizes[path as usize] += Space::inode(inode.disk_size()),
                _ => {
                    let next = freeable.class_sizes.len() as u32;
                    let class = match numbers.get(&valid) {
                        Some(&class) => class,
                        None => {
                            numbers.insert(valid.clone(), next);
                            freeable.class_sizes.push(Space::default());
                            next
                        }
                    };
                    freeable.class_sizes[class as usize] += Space::inode(inode.disk_size());
                }
            }
        }
        let mut of_class = vec![&[][..]; freeable.class_sizes.len()];
        for (holders, class) in &numbers {
            of_class[*class as usize] = holders;
        }
        freeable.classes = Rows::from_lists(&of_class).transpose(paths);
        freeable
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
