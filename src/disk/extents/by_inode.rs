//! What inodes take in extents one by one, for questions about less than a path.

use super::ExtentSizes;
use super::numbers::Numbers;
use crate::graph::Rows;
use std::collections::HashMap;

/// The extents of a scan by inode, of the store's own file system. Each inode has a place
/// among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExtentsByInode {
    numbers: Numbers,
    /// The owner of each, as [`Extents::owners`](super::Extents::owners) has it.
    owners: Vec<u32>,
    /// What each takes that no other does, and nothing outside holds.
    own: Vec<ExtentSizes>,
    groups: Vec<SharedExtents>,
    /// The places of those that use each group, ascending.
    users: Rows,
    /// Where inodes begin among owners.
    paths: u32,
}

/// Extents that the same inodes use together, or that something outside holds. Sizes are in
/// bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SharedExtents {
    physical_size: u64,
    uncompressed_size: u64,
    /// Whether something outside the scan refers to them.
    pub(crate) held: bool,
}

impl SharedExtents {
    pub(crate) fn sizes(&self) -> ExtentSizes {
        let Self { physical_size, uncompressed_size, .. } = *self;
        ExtentSizes { physical_size, uncompressed_size, ..ExtentSizes::default() }
    }
}

/// Whose an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InodeOwner {
    /// It has one name, in this path: a number as in [`Extents::own`](super::Extents::own).
    Path(u32),
    /// It has several names: the scan's index of it.
    Inode(u32),
}

/// No path or inode of the scan: an unused link of `.links`, or what was left out.
const NOBODY: u32 = u32::MAX;

impl ExtentsByInode {
    /// The place of the inode of this number.
    pub(crate) fn place(&self, ino: u64) -> Option<u32> {
        self.numbers.place(ino)
    }

    /// Whose the inode at each place is; nobody's where it is not of the scan.
    pub(crate) fn owners(&self) -> impl ExactSizeIterator<Item = Option<InodeOwner>> + '_ {
        self.owners.iter().map(|&owner| match owner.checked_sub(self.paths) {
            _ if owner == NOBODY => None,
            None => Some(InodeOwner::Path(owner)),
            Some(inode) => Some(InodeOwner::Inode(inode)),
        })
    }

    /// What the inode at each place takes that no other does, and nothing outside holds.
    pub(crate) fn own(&self) -> &[ExtentSizes] {
        &self.own
    }

    /// All other extents, each with the places of the inodes that use it.
    pub(crate) fn shared(&self) -> impl Iterator<Item = (&SharedExtents, &[u32])> {
        self.groups.iter().zip(self.users.iter())
    }

    /// What some inodes take together, by place.
    pub(crate) fn union(&self, counts: &[bool]) -> ExtentSizes {
        let mut sum = ExtentSizes::default();
        let own = self.own.iter().zip(counts).filter(|(_, counts)| **counts);
        own.for_each(|(sizes, _)| sum.add(*sizes));
        for (extents, users) in self.shared() {
            if users.iter().any(|&user| counts[user as usize]) {
                sum.add(extents.sizes());
            }
        }
        sum
    }

    /// What goes with each of some inodes, given by number, once it goes and those before it:
    /// extents that nothing else uses. Sizes are in bytes; nothing of inodes that are not here.
    pub(super) fn going(&self, gone: &[u64]) -> Vec<u64> {
        // When the inode at each place goes.
        let mut goes: Vec<Option<usize>> = vec![None; self.own.len()];
        let mut sizes = vec![0u64; gone.len()];
        for (at, &ino) in gone.iter().enumerate() {
            if let Some(place) = self.place(ino)
                && goes[place as usize].is_none()
            {
                goes[place as usize] = Some(at);
                sizes[at] = self.own[place as usize].physical_size;
            }
        }
        for (extents, users) in self.shared().filter(|(extents, _)| !extents.held) {
            let last = users.iter().map(|&user| goes[user as usize]).collect::<Option<Vec<_>>>();
            if let Some(at) = last.and_then(|all| all.into_iter().max()) {
                sizes[at] = sizes[at].saturating_add(extents.physical_size);
            }
        }
        sizes
    }

    /// The same where owners have other numbers, or none; `paths` is how many paths have.
    pub(super) fn restrict(&self, paths: u32, number: impl Fn(u32) -> Option<u32>) -> Self {
        let renumber = |&owner: &u32| match owner {
            NOBODY => NOBODY,
            owner => number(owner).unwrap_or(NOBODY),
        };
        let owners: Vec<u32> = self.owners.iter().map(renumber).collect();
        let mut restricted = Self {
            numbers: self.numbers.clone(),
            own: self.own.clone(),
            groups: Vec::new(),
            users: Rows::default(),
            owners,
            paths,
        };
        for (extents, users) in self.shared() {
            let mut left = users.to_vec();
            left.retain(|&user| restricted.owners[user as usize] != NOBODY);
            if !left.is_empty() {
                let held = extents.held || left.len() < users.len();
                restricted.groups.push(SharedExtents { held, ..*extents });
                restricted.users.push(&left);
            }
        }
        restricted
    }
}

/// Extents by inode as they come.
pub(super) struct Building {
    found: ExtentsByInode,
    /// The group of each set of inodes, held and not.
    groups: HashMap<(Vec<u32>, bool), usize>,
    users: Vec<u32>,
}

impl Building {
    /// `own` is what inodes take without extents.
    pub(super) fn new(
        paths: u32,
        numbers: Numbers,
        owners: Vec<u32>,
        own: Vec<ExtentSizes>,
    ) -> Self {
        let found = ExtentsByInode { numbers, owners, own, paths, ..ExtentsByInode::default() };
        Self { found, groups: HashMap::new(), users: Vec::new() }
    }

    pub(super) fn owner(&self, place: u32) -> u32 {
        self.found.owners[place as usize]
    }

    /// Adds an extent that the inodes at these places refer to.
    pub(super) fn add(
        &mut self,
        places: impl Iterator<Item = u32>,
        physical_size: u64,
        uncompressed_size: u64,
        held: bool,
    ) {
        let Self { found, groups, users } = self;
        users.clear();
        users.extend(places.filter(|&place| found.owners[place as usize] != NOBODY));
        users.sort_unstable();
        users.dedup();
        let extent = SharedExtents { physical_size, uncompressed_size, held };
        match (&users[..], held) {
            ([], _) => {}
            (&[place], false) => found.own[place as usize].add(extent.sizes()),
            (users, _) => {
                let next = found.groups.len();
                let at = *groups.entry((users.to_vec(), held)).or_insert(next);
                if at == next {
                    found.groups.push(extent);
                    found.users.push(users);
                    return;
                }
                // Checked to fit: these are parts of the sum of all.
                let group = &mut found.groups[at];
                group.physical_size += physical_size;
                group.uncompressed_size += uncompressed_size;
            }
        }
    }

    pub(super) fn finish(self) -> ExtentsByInode {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_inodes_share_goes_with_the_last_of_them() {
        let numbers = Numbers::from_ascending(10..14);
        let own = vec![ExtentSizes::default(); 4];
        // The last is an unused link.
        let mut building = Building::new(1, numbers, vec![0, 0, 1, NOBODY], own);
        building.add([0].into_iter(), 4096, 4096, false);
        building.add([0, 1].into_iter(), 8192, 8192, false);
        building.add([1, 3].into_iter(), 16_384, 16_384, false);
        building.add([1, 2].into_iter(), 32_768, 32_768, false);
        building.add([0].into_iter(), 65_536, 65_536, true);
        let found = building.finish();
        assert_eq!(found.going(&[10]), [4096]);
        assert_eq!(found.going(&[11, 10]), [16_384, 4096 + 8192]);
        assert_eq!(found.going(&[12, 11, 10]), [0, 16_384 + 32_768, 4096 + 8192]);
        // One that is not here, and one again.
        assert_eq!(found.going(&[99, 10, 10]), [0, 4096, 0]);
    }
}
