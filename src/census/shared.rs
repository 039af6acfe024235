//! Inodes with names in several paths, grouped by the set of those paths.
//!
//! Such an inode goes only when all those paths go, so for sums over sets of
//! paths it is a node of its own beside them. Inodes owned by the same paths
//! are one *class*: there are far fewer classes than inodes. Extents that several
//! paths use are in the class of those paths.

use super::PathIndex;
use crate::disk::{DiskScan, ExtentSizes, Space};
use crate::graph::{Rows, saturating_add};
use std::collections::HashMap;

/// The inodes with names in several examined paths and the extents that several use,
/// grouped into classes, and what is left to each path alone.
#[derive(Clone, Debug, Default)]
pub struct SharedInodes {
    /// Each path's classes, by index, ascending.
    pub classes: Rows,
    /// What each class takes.
    pub class_sizes: Vec<Union>,
    /// What each path takes without its classes, by index.
    pub own_sizes: Vec<Union>,
}

/// What a set of paths takes, each inode once. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Union {
    /// Blocks.
    pub disk_size: u64,
    /// `st_size` of regular files and symlinks.
    pub apparent_size: u64,
    /// How many inodes.
    pub inodes: u64,
    /// Extents, each once; blocks where these are all there is to tell, or [all that is
    /// known](DiskScan::knows_physical).
    pub extents: ExtentSizes,
}

impl Union {
    /// Blocks and inodes.
    pub fn space(self) -> Space {
        Space {
            disk_size: self.disk_size,
            physical_size: self.extents.physical_size,
            inodes: self.inodes,
        }
    }

    fn add(&mut self, other: Self) {
        saturating_add(&mut self.disk_size, other.disk_size);
        saturating_add(&mut self.apparent_size, other.apparent_size);
        self.inodes += other.inodes;
        self.extents.add(other.extents);
    }
}

impl SharedInodes {
    /// Groups the inodes that the first `paths` paths of a scan have names of.
    pub(super) fn new(disk: &DiskScan, paths: usize) -> Self {
        let own = |path: usize| Union {
            disk_size: disk.usages[path].private_disk_size,
            apparent_size: disk.usages[path].private_apparent_size,
            inodes: disk.usages[path].private_inodes,
            extents: disk.own_extents(path),
        };
        let owners = paths_of_inodes(disk, paths);
        let users = disk.extents().map(|extents| extents.paths_of_groups(&disk.names));
        let mut classes = Classes::new((0..paths).map(own).collect());
        for (at, (inode, owners)) in disk.inodes.iter().zip(owners.iter()).enumerate() {
            let (disk_size, apparent_size) = (inode.disk_size(), inode.apparent_size());
            let extents = disk.inode_extents(at);
            let union = Union { disk_size, apparent_size, inodes: 1, extents };
            if let Some(sum) = classes.size_of(owners) {
                sum.add(union);
            }
        }
        for (group, users) in disk
            .extents()
            .zip(users.as_ref())
            .into_iter()
            .flat_map(|(extents, users)| extents.groups.iter().zip(users.iter()))
        {
            // The first are those that are examined.
            let examined = users.partition_point(|&path| (path as usize) < paths);
            let union = Union { extents: group.sizes(), ..Union::default() };
            if let Some(sum) = classes.size_of(&users[..examined]) {
                sum.add(union);
            }
        }
        let (classes, class_sizes, own_sizes) = classes.finish();
        Self { classes, class_sizes, own_sizes }
    }

    /// The number of classes.
    pub fn len(&self) -> usize {
        self.class_sizes.len()
    }

    /// Whether no inode has names in several paths.
    pub fn is_empty(&self) -> bool {
        self.class_sizes.is_empty()
    }

    /// What a set of paths takes, each inode once.
    pub fn union(&self, paths: impl Iterator<Item = PathIndex>) -> Union {
        self.unite(paths, &mut vec![false; self.len()], |_| {})
    }

    /// What each of some sets of paths takes, each inode once in a set.
    pub fn unions<S: AsRef<[PathIndex]>>(&self, sets: &[S]) -> Vec<Union> {
        let mut seen = vec![false; self.len()];
        let mut met: Vec<usize> = Vec::new();
        let union = |set: &S| {
            let union = self.unite(set.as_ref().iter().copied(), &mut seen, |c| met.push(c));
            met.drain(..).for_each(|class| seen[class] = false);
            union
        };
        sets.iter().map(union).collect()
    }

    /// The same of classes not yet seen, which are then; `first` is called with each.
    fn unite(
        &self,
        paths: impl Iterator<Item = PathIndex>,
        seen: &mut [bool],
        mut first: impl FnMut(usize),
    ) -> Union {
        let mut union = Union::default();
        for path in paths {
            union.add(self.own_sizes[path.index()]);
            for class in self.classes.row(path.node()).iter().map(|&class| class as usize) {
                if !std::mem::replace(&mut seen[class], true) {
                    first(class);
                    union.add(self.class_sizes[class]);
                }
            }
        }
        union
    }

    /// The graph of `references` (by index) with each class as one more node
    /// after the paths, which the paths that own it refer to.
    pub(crate) fn extend(&self, references: &Rows) -> Rows {
        let paths = references.len() as u32;
        let mut graph = Rows::default();
        let mut row = Vec::new();
        for path in 0..paths {
            row.clear();
            row.extend_from_slice(references.row(path));
            row.extend(self.classes.row(path).iter().map(|c| c + paths));
            graph.push(&row);
        }
        for _ in 0..self.len() {
            graph.push(&[]);
        }
        graph
    }
}

/// For each inode of a scan which of the first `paths` paths have names of it.
pub(super) fn paths_of_inodes(disk: &DiskScan, paths: usize) -> Rows {
    let pairs = (0..paths as u32)
        .flat_map(|p| disk.names.row(p).chunk_by(|a, b| a == b).map(move |c| (c[0], p)));
    Rows::from_pairs(disk.inodes.len(), pairs)
}

/// Classes as they are made: what several paths have together, by set of paths.
pub(super) struct Classes<'r, T> {
    /// What each path has alone.
    own_sizes: Vec<T>,
    class_sizes: Vec<T>,
    /// The class of each set of paths.
    numbers: HashMap<&'r [u32], u32>,
}

impl<'r, T: Default> Classes<'r, T> {
    pub(super) fn new(own_sizes: Vec<T>) -> Self {
        Self { own_sizes, class_sizes: Vec::new(), numbers: HashMap::new() }
    }

    /// What these paths, ascending and distinct, have together; `None` of none.
    pub(super) fn size_of(&mut self, owners: &'r [u32]) -> Option<&mut T> {
        match owners {
            [] => None,
            &[path] => Some(&mut self.own_sizes[path as usize]),
            _ => {
                let class = *self.numbers.entry(owners).or_insert_with(|| {
                    self.class_sizes.push(T::default());
                    self.class_sizes.len() as u32 - 1
                });
                Some(&mut self.class_sizes[class as usize])
            }
        }
    }

    /// Each path's classes, ascending; what each class has; what each path has alone.
    pub(super) fn finish(self) -> (Rows, Vec<T>, Vec<T>) {
        let mut of_class = vec![&[][..]; self.class_sizes.len()];
        for (owners, class) in self.numbers {
            of_class[class as usize] = owners;
        }
        let classes = Rows::from_lists(&of_class).transpose(self.own_sizes.len());
        (classes, self.class_sizes, self.own_sizes)
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::{Builder, Record};
    use crate::census::{Census, Examine};
    use crate::disk::{DiskScan, Usage};
    use crate::graph::Rows;

    #[test]
    fn sums_that_do_not_fit_stop_at_the_largest_number_and_are_warned_of() {
        let census = |apparent_size: u64| {
            let mut builder = Builder::new("/nix/store");
            for n in 0..3 {
                let path = format!("/nix/store/{n:032}-sparse");
                let nar_size = Some(120);
                builder
                    .add(&Record { path: path.as_bytes(), nar_size, ..Record::default() })
                    .unwrap();
            }
            let usage = Usage { private_apparent_size: apparent_size, ..Usage::default() };
            let scan = DiskScan {
                usages: vec![usage; 3],
                names: Rows::from_lists(&[[0u32; 0]; 3]),
                ..DiskScan::empty()
            };
            Census::new(builder.finish().unwrap(), &Examine::All, Some(scan)).unwrap()
        };
        let union =
            |census: &Census| census.shared().unwrap().union(census.indexes()).apparent_size;
        let small = census(1 << 60);
        assert_eq!((union(&small), small.warnings.complete()), (3 << 60, true));
        let large = census(i64::MAX as u64);
        assert_eq!((union(&large), large.warnings.complete()), (u64::MAX, false));
    }
}
