//! What of a scan goes from the disk when it is deleted, where it is on an overlay.
//!
//! What lies in a lower layer stays: only a mark that hides it is made in the upper layer.

use super::inodes::Inode;
use super::space::Space;
use crate::fs::{InUpper, UpperFiles, UpperSource};
use crate::graph::Rows;
use std::collections::{HashMap, HashSet};

/// Whether files are on an overlay, and what of them goes when it is deleted.
#[derive(Clone, Debug, Default)]
pub enum Overlay {
    /// They are on none.
    #[default]
    No,
    /// They are on one, and what is in its upper layer goes.
    Upper(Box<Upper>),
    /// They are on one; what is in its upper layer is not known, for this reason.
    Unknown(String),
}

/// What of a scan is in the upper layer of an overlay. Sizes are in bytes.
#[derive(Clone, Debug, Default)]
pub struct Upper {
    /// What goes with each path alone of inodes that have no other name anywhere, and
    /// directories: those of the scan's `usages`, then `others`.
    pub own: Vec<Space>,
    /// Whether each of the scan's `inodes` is there.
    pub inodes: Vec<bool>,
    /// What unused links of `.links` take there.
    pub unused_links: Space,
    /// Whether blocks say what its files take.
    pub blocks: bool,
    /// Whether it has all that the store shows.
    pub all: bool,
    /// What of each path is there; not in snapshots.
    places: Vec<Place>,
    /// Numbers of inodes that are, of paths that are in part.
    numbers: HashSet<u64>,
}

/// What of a path is in the upper layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    All,
    Some,
    Nothing,
}

/// What of paths and inodes is in the upper layer. `paths` are their names, and what goes with
/// each if all of it is there; `names` the inodes of each; `unused_links` those of `.links` with
/// no other name.
pub(super) fn overlay<'n>(
    upper: UpperSource,
    paths: impl Iterator<Item = (&'n [u8], Space)>,
    (inodes, names): (&[Inode], &Rows),
    unused_links: &[Inode],
) -> Overlay {
    match upper {
        UpperSource::All => Overlay::No,
        UpperSource::Unknown(why) => Overlay::Unknown(why),
        UpperSource::Files(files) => {
            match Upper::new(&files, paths, (inodes, names), unused_links) {
                Some(upper) => Overlay::Upper(Box::new(upper)),
                None => Overlay::Unknown(MIXED_LINKS.to_owned()),
            }
        }
    }
}

/// Why it is not known what goes with unused links.
const MIXED_LINKS: &str = "of its directories of links one lies in the upper layer and another \
                           does not";

impl Upper {
    /// `None` if it is not known of links whether they are there.
    fn new<'n>(
        files: &UpperFiles,
        paths: impl Iterator<Item = (&'n [u8], Space)>,
        (inodes, names): (&[Inode], &Rows),
        unused_links: &[Inode],
    ) -> Option<Self> {
        let in_part = |of: &InUpper| matches!(of, InUpper::Some(_));
        // Only these are looked for by number.
        let numbers: HashMap<u64, usize> = match files.entries.values().any(in_part) {
            true => (inodes.iter().enumerate())
                .filter(|(_, inode)| inode.device == 0)
                .map(|(at, inode)| (inode.ino, at))
                .collect(),
            false => HashMap::new(),
        };
        let mut upper = Self {
            inodes: vec![false; inodes.len()],
            blocks: files.blocks,
            all: files.all,
            ..Self::default()
        };
        for (path, (name, space)) in (0u32..).zip(paths) {
            let (place, own) = match files.entries.get(name) {
                None => (Place::Nothing, Space::default()),
                Some(InUpper::All) => {
                    for &inode in names.row(path) {
                        upper.inodes[inode as usize] = true;
                    }
                    (Place::All, space)
                }
                Some(InUpper::Some(some)) => {
                    let mut own = Space::default();
                    for file in some {
                        upper.numbers.insert(file.ino);
                        match numbers.get(&file.ino) {
                            Some(&inode) => upper.inodes[inode] = true,
                            None => own += Space::inode(file.disk_size),
                        }
                    }
                    // It may be written to meanwhile.
                    let disk_size = own.disk_size.min(space.disk_size);
                    (Place::Some, Space::blocks(disk_size, own.inodes.min(space.inodes)))
                }
            };
            upper.places.push(place);
            upper.own.push(own);
        }
        upper.add_links(files, &numbers, unused_links).then_some(upper)
    }

    /// Adds what is in the directories of links, if it is known of each link whether it is
    /// there.
    fn add_links(
        &mut self,
        files: &UpperFiles,
        numbers: &HashMap<u64, usize>,
        unused_links: &[Inode],
    ) -> bool {
        // In which directory a link is is not known: all are there only where all of each is.
        let (mut all, mut any_all) = (true, false);
        let mut some = HashSet::new();
        for name in super::LINKS_DIRECTORIES {
            match files.entries.get(name) {
                Some(InUpper::All) => any_all = true,
                Some(InUpper::Some(files)) => {
                    all = false;
                    some.extend(files.iter().map(|file| file.ino));
                }
                None => all &= !files.nothing.contains(name),
            }
        }
        for number in &some {
            if let Some(&inode) = numbers.get(number) {
                self.inodes[inode] = true;
            }
        }
        let is_there = |inode: &&Inode| all || inode.device == 0 && some.contains(&inode.ino);
        let there: Vec<_> = unused_links.iter().filter(is_there).collect();
        self.unused_links = there.iter().map(|inode| Space::inode(inode.disk_size())).sum();
        !any_all || there.len() == unused_links.len()
    }

    /// What is left of it in a scan of some paths alone, which keeps these inodes.
    pub(super) fn restrict(&self, paths: &[u32], inodes: &[u32]) -> Self {
        let of = |path: &u32| *path as usize;
        Self {
            own: paths.iter().map(|path| self.own[of(path)]).collect(),
            inodes: inodes.iter().map(|inode| self.inodes[of(inode)]).collect(),
            unused_links: Space::default(),
            blocks: self.blocks,
            all: self.all,
            places: paths.iter().filter_map(|path| self.places.get(of(path)).copied()).collect(),
            numbers: self.numbers.clone(),
        }
    }

    /// Whether an inode with one name, which is in a path, is in the upper layer. A snapshot
    /// does not know it.
    pub(crate) fn has(&self, path: usize, number: Option<u64>) -> bool {
        match self.places.get(path) {
            Some(Place::All) => true,
            Some(Place::Some) => number.is_some_and(|number| self.numbers.contains(&number)),
            Some(Place::Nothing) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Stat, UpperFile};

    /// A link of a directory that lies below is not taken for one of another that does not.
    #[test]
    fn links_go_only_where_their_directory_is_in_the_upper_layer() {
        let unused = [5, 6].map(|ino| {
            let stat = Stat {
                dev: 1,
                ino,
                size: 4096,
                disk_size: 4096,
                mtime: 1,
                mtime_nsec: 0,
                ctime: 1,
                ctime_nsec: 0,
                nlink: 1,
                mode: 0o100_444,
                uid: 0,
                gid: 0,
            };
            Inode::new(0, &stat)
        });
        let freed = |of: [Option<InUpper>; 2], shown: [bool; 2]| {
            let mut files = UpperFiles::default();
            for ((name, of), shown) in super::super::LINKS_DIRECTORIES.iter().zip(of).zip(shown) {
                match of {
                    Some(of) => drop(files.entries.insert(name.to_vec(), of)),
                    None if shown => drop(files.nothing.insert(name.to_vec())),
                    None => {}
                }
            }
            let inodes: (&[Inode], &Rows) = (&[], &Rows::default());
            let source = UpperSource::Files(files);
            match overlay(source, std::iter::empty(), inodes, &unused) {
                Overlay::Upper(upper) => Some(upper.unused_links.inodes),
                Overlay::Unknown(_) => None,
                Overlay::No => panic!(),
            }
        };
        let some = |inos: &[u64]| {
            let file = |&ino| UpperFile { ino, disk_size: 4096 };
            Some(InUpper::Some(inos.iter().map(file).collect()))
        };
        let all = || Some(InUpper::All);
        assert_eq!(freed([all(), None], [true, false]), Some(2));
        assert_eq!(freed([all(), all()], [true; 2]), Some(2));
        assert_eq!(freed([None, None], [true; 2]), Some(0));
        assert_eq!(freed([some(&[5]), None], [true; 2]), Some(1));
        assert_eq!(freed([all(), None], [true; 2]), None);
        assert_eq!(freed([all(), some(&[6])], [true; 2]), None);
        assert_eq!(freed([some(&[5, 6]), all()], [true; 2]), Some(2));
    }
}
