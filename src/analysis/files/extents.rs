//! What entries take in extents, and what goes with them.

use super::above_both;
use super::gather::Listing;
use crate::census::Census;
use crate::disk::{DiskScan, ExtentSizes, ExtentsByInode, InodeOwner};
use crate::graph::{Rows, saturating_add};

/// Extents that the same entries use together.
pub(super) struct Used<'a> {
    /// Those entries, by node: all names of each inode.
    pub(super) nodes: &'a [u32],
    pub(super) sizes: ExtentSizes,
    /// Whether they go when all these names go.
    goes: bool,
}

/// What each entry takes with all that is in it, by node.
#[derive(Debug)]
pub(super) struct NodeExtents {
    /// Each extent once.
    pub(super) sizes: Vec<ExtentSizes>,
    /// Bytes of extents that go with it; those that are used elsewhere too do not.
    pub(super) reclaimable: Vec<u64>,
}

impl NodeExtents {
    /// `None` where there are no extents to tell of; `names` are the nodes of each inode.
    pub(super) fn new(census: &Census, listing: &Listing, names: &Rows) -> Option<Self> {
        let nodes = &listing.nodes;
        let mut sums = Self {
            sizes: vec![ExtentSizes::default(); nodes.len()],
            reclaimable: vec![0; nodes.len()],
        };
        // What several entries add to a directory itself, as often as it has some of them.
        let mut once = vec![ExtentSizes::default(); nodes.len()];
        let mut counted = vec![0u32; nodes.len()];
        let mut number = 0;
        each(census, listing, names, |used| {
            let mut common = used.nodes[0];
            if let &[node] = used.nodes {
                sums.sizes[node as usize].add(used.sizes);
            } else {
                number += 1;
                for &node in used.nodes {
                    let mut at = node as usize;
                    while std::mem::replace(&mut counted[at], number) != number {
                        once[at].add(used.sizes);
                        at = nodes[at].parent as usize;
                    }
                    common = above_both(nodes, common, node);
                }
            }
            if used.goes {
                let sum = &mut sums.reclaimable[common as usize];
                saturating_add(sum, used.sizes.physical_size);
            }
        })?;
        // What is below comes after what it is in.
        for at in (1..nodes.len()).rev() {
            let parent = nodes[at].parent as usize;
            let (sizes, reclaimable) = (sums.sizes[at], sums.reclaimable[at]);
            sums.sizes[parent].add(sizes);
            saturating_add(&mut sums.reclaimable[parent], reclaimable);
        }
        sums.sizes.iter_mut().zip(once).for_each(|(sizes, once)| sizes.add(once));
        Some(sums)
    }
}

/// Shows all extents of the listing by who uses them; `None` where there are none to tell of.
pub(super) fn each(
    census: &Census,
    listing: &Listing,
    names: &Rows,
    mut show: impl FnMut(Used<'_>),
) -> Option<()> {
    let disk = census.disk.as_ref()?;
    let extents: &ExtentsByInode = disk.extents().and_then(|extents| extents.by_inode())?;
    let owners: Vec<Option<InodeOwner>> = extents.owners().collect();
    let mut single: Vec<Option<u32>> = vec![None; owners.len()];
    for &(node, ino) in &listing.numbers {
        if let Some(place) = extents.place(ino) {
            single[place as usize] = Some(node);
        }
    }
    let mut nodes = Vec::new();
    let mut show = |users: &[u32], sizes, held: bool| {
        nodes.clear();
        let mut goes = !held;
        for &place in users {
            match owners[place as usize] {
                Some(InodeOwner::Inode(inode)) => {
                    let here = names.row(inode);
                    nodes.extend_from_slice(here);
                    goes &= all_names(disk, inode, here);
                }
                _ => match single[place as usize] {
                    Some(node) => nodes.push(node),
                    None => goes = false,
                },
            }
        }
        if !nodes.is_empty() && sizes != ExtentSizes::default() {
            show(Used { nodes: &nodes, sizes, goes });
        }
    };
    for (place, sizes) in (0u32..).zip(extents.own()) {
        show(&[place], *sizes, false);
    }
    extents.shared().for_each(|(extents, users)| show(users, extents.sizes(), extents.held));
    Some(())
}

/// Whether these are all names of an inode, `.links` apart.
fn all_names(disk: &DiskScan, inode: u32, here: &[u32]) -> bool {
    here.len() as u32 >= disk.inodes[inode as usize].names_outside_links()
}
