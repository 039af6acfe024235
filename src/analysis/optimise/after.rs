//! The layout as it is when some paths have been deleted.

use std::collections::HashMap;

use super::gathered::GatheredTree;
use crate::census::Census;
use crate::disk::DiskScan;
use crate::graph::{Node, NodeSet};

/// What a collection deletes before the store is optimised.
#[derive(Clone, Copy, Debug)]
pub struct Deleted<'a> {
    /// The valid paths, by index.
    pub paths: &'a NodeSet,
    /// For each of the scan's `others`: whether it goes.
    pub others: &'a [bool],
}

/// Takes them out of a layout: their names, and the entries of `.links` that
/// nothing uses then, which the collector deletes.
pub(super) fn delete(tree: &mut GatheredTree, census: &Census, deleted: Deleted<'_>) {
    let Some(disk) = &census.disk else { return };
    let names = names_gone(disk, census.len(), deleted);
    let layout = &mut tree.layout;
    for (inode, number) in layout.inodes.iter_mut().zip(&tree.numbers) {
        let gone = names.get(number).copied().unwrap_or(0);
        inode.nlink = inode.nlink.saturating_sub(gone);
    }
    for (path, entry) in (0u32..).zip(&mut layout.paths) {
        if deleted.paths.contains(path) {
            *entry = None;
        }
    }
    let mut first_entry: Vec<Option<Node>> = vec![None; tree.first_entry.len()];
    for (entry, inode) in tree.names_of_inodes() {
        if !deleted.paths.contains(tree.path_of(entry)) {
            first_entry[inode as usize].get_or_insert(Node::new(entry));
        }
    }
    // What has no name left but in `.links` is no file to be compared.
    tree.first_entry = first_entry;
    let layout = &mut tree.layout;
    layout.missing = tree.missing.iter().copied().find(|&path| !deleted.paths.contains(path));
    let inodes = &layout.inodes;
    tree.named_links.retain(|link| inodes[link.inode as usize].nlink > 1);
}

/// How many names of each inode of the store's device go.
fn names_gone(disk: &DiskScan, paths: usize, deleted: Deleted<'_>) -> HashMap<u64, u32> {
    let mut names: HashMap<u64, u32> = HashMap::new();
    for (holder, row) in disk.names.iter().enumerate() {
        let gone = match holder.checked_sub(paths) {
            None => deleted.paths.contains(holder as u32),
            Some(other) => deleted.others.get(other) == Some(&true),
        };
        for inode in row.iter().filter(|_| gone).map(|&inode| &disk.inodes[inode as usize]) {
            if inode.device == 0 {
                *names.entry(inode.ino).or_default() += 1;
            }
        }
    }
    names
}
