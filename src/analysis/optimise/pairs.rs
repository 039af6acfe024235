//! Whose file is kept for whose: what equal files cost, by pair of packages. All sizes
//! are in bytes.
//!
//! Each name that is replaced counts in one pair: that of the package it is in, and of the
//! package of the first name, in Nix's order, of the inode that is kept. So the pairs sum
//! to what replacing saves in all, as the packages do.

use super::breakdown::Saving;
use super::gathered::GatheredTree;
use super::simulate::Event;
use crate::graph::Node;
use rayon::slice::ParallelSliceMut;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Two packages, or one and itself, and what is saved between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairSaving {
    /// The index of the first path of the package whose files are replaced.
    pub path: u32,
    /// The same of the package whose files are kept; `None` where the file is in
    /// `.links` alone, of no examined path.
    pub kept: Option<u32>,
    /// What would be saved.
    pub saving: Saving,
}

/// A name that becomes a name of another inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replaced {
    pub(super) path: u32,
    pub(super) inode: u32,
    pub(super) kept: u32,
    pub(super) last: bool,
}

/// The package of a file that is replaced, and that of the one that is kept.
type Pair = (u32, Option<u32>);

/// The names that are replaced, one after the other.
#[derive(Default)]
pub(super) struct Replacements(pub(super) Vec<Replaced>);

/// Equal files of one pair, of which some are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairFiles {
    /// The pair's place among those that are listed.
    pub(super) pair: u32,
    /// An entry of the replaced file; `None` if it has no name.
    pub(super) entry: Option<u32>,
    /// The size of each.
    pub(super) size: u64,
    /// What would be saved.
    pub(super) saving: Saving,
}

impl PairFiles {
    /// Larger savings come first.
    pub(super) fn order(&self) -> impl Ord + use<> {
        (self.saving.order(), Reverse(self.size), self.pair, self.entry)
    }
}

impl Replacements {
    pub(super) fn add(&mut self, event: Event) {
        if let Event::Replaced { path, inode, kept, last } = event {
            self.0.push(Replaced { path, inode, kept, last });
        }
    }

    /// The pairs, the largest saving first, and the files of each that save most:
    /// at most `limit` of both, the files in no order. `package_of` is the package of each path.
    pub(super) fn finish(
        &self,
        tree: &GatheredTree,
        physical_sizes: &[u64],
        package_of: &[u32],
        limit: usize,
    ) -> (Vec<PairSaving>, Vec<PairFiles>) {
        let mut first_path = HashMap::new();
        for (path, &package) in (0u32..).zip(package_of) {
            first_path.entry(package).or_insert(path);
        }
        let pair_of = |of: &Replaced| {
            let kept = tree.first_entry[of.kept as usize].map(|entry| tree.path_of(entry.node()));
            let kept = kept.map(|path| package_of[path as usize]);
            (package_of[of.path as usize], kept)
        };
        // By pair and by what is kept, as that is the same for all files that are equal;
        // then in the order of the replacements.
        let mut order: Vec<(Pair, u32, u32)> =
            (0u32..).zip(&self.0).map(|(at, of)| (pair_of(of), of.kept, at)).collect();
        order.par_sort_unstable();
        let mut listed: Vec<(Pair, PairSaving)> = Vec::new();
        let mut files: Vec<(Pair, u32, Saving)> = Vec::new();
        for of_pair in order.chunk_by(|a, b| a.0 == b.0) {
            let (pair, mut saving) = (of_pair[0].0, Saving::default());
            for equal in of_pair.chunk_by(|a, b| a.1 == b.1) {
                let mut file = Saving::default();
                for &(.., at) in equal {
                    file.add(&Saving::of(&self.0[at as usize], tree, physical_sizes));
                }
                saving.add(&file);
                files.push((pair, self.0[equal[0].2 as usize].inode, file));
            }
            let (path, kept) = (first_path[&pair.0], pair.1.map(|kept| first_path[&kept]));
            listed.push((pair, PairSaving { path, kept, saving }));
        }
        listed.sort_unstable_by_key(|(_, of)| (of.saving.order(), of.path, of.kept));
        listed.truncate(limit);
        let place: HashMap<_, u32> = listed.iter().map(|(pair, _)| *pair).zip(0..).collect();
        let mut files: Vec<PairFiles> = files
            .into_iter()
            .filter_map(|(pair, inode, saving)| {
                let entry = tree.first_entry[inode as usize].map(Node::node);
                let size = tree.layout.inodes[inode as usize].size;
                Some(PairFiles { pair: *place.get(&pair)?, entry, size, saving })
            })
            .collect();
        // Only pages need them in order.
        if files.len() > limit {
            files.sort_unstable_by_key(PairFiles::order);
            files.truncate(limit);
        }
        (listed.into_iter().map(|(_, pair)| pair).collect(), files)
    }
}
