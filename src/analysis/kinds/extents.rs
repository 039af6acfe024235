//! What kinds of files take beneath their blocks.

use super::KindSums;
use crate::census::Census;
use crate::disk::{ExtentSizes, ExtentsByKind, KindScan, KindUser, Physical};
use crate::kinds::FileKind;
use std::collections::HashMap;

/// What there is of each kind. An extent is of the last kind that a file which uses it is
/// of, in all or in a path.
#[derive(Debug)]
pub(super) struct KindExtents(Option<Known>);

#[derive(Debug)]
enum Known {
    /// Blocks.
    Blocks,
    Extents {
        by_kind: Vec<ExtentSizes>,
        by_path: HashMap<(u32, FileKind), ExtentSizes>,
    },
}

impl KindExtents {
    pub(super) fn new(census: &Census, scan: &KindScan) -> Self {
        let known = census.disk.as_ref().and_then(|disk| match &disk.physical {
            Physical::Unknown(_) => None,
            Physical::Blocks => Some(Known::Blocks),
            Physical::Extents(extents) => {
                Some(of_users(census, scan, &*scan.extents(extents.by_inode())?))
            }
        });
        Self(known)
    }

    /// Whether they are extents, which differ from blocks.
    pub(super) fn are_extents(&self) -> bool {
        matches!(self.0, Some(Known::Extents { .. }))
    }

    /// What there is of a kind, of such sums; `None` if that is not known.
    pub(super) fn of_kind(&self, kind: FileKind, sums: &KindSums) -> Option<ExtentSizes> {
        Some(match self.0.as_ref()? {
            Known::Blocks => ExtentSizes::blocks(sums.disk_size),
            Known::Extents { by_kind, .. } => by_kind[kind as usize],
        })
    }

    /// The same in one path.
    pub(super) fn of_path(
        &self,
        path: u32,
        kind: FileKind,
        sums: &KindSums,
    ) -> Option<ExtentSizes> {
        Some(match self.0.as_ref()? {
            Known::Blocks => ExtentSizes::blocks(sums.disk_size),
            Known::Extents { by_path, .. } => {
                by_path.get(&(path, kind)).copied().unwrap_or_default()
            }
        })
    }
}

/// The paths in which an inode is, each with the last kind that it is of there.
struct PathsOfInodes {
    /// Where those of each inode with several names begin in `paths`; one more for the end.
    starts: Vec<usize>,
    paths: Vec<(u32, FileKind)>,
}

impl PathsOfInodes {
    fn new(census: &Census, scan: &KindScan, inodes: usize) -> Self {
        let names = census.indexes().flat_map(|path| {
            let path = path.node();
            scan.names(path).map(move |name| (name.inode, path, name.kind))
        });
        let mut names: Vec<(u32, u32, FileKind)> = names.collect();
        names.sort_unstable();
        // The last kind is what is left of a path.
        names.reverse();
        names.dedup_by_key(|&mut (inode, path, _)| (inode, path));
        names.reverse();
        let start = |inode: usize| names.partition_point(|&(of, ..)| (of as usize) < inode);
        Self {
            starts: (0..=inodes).map(start).collect(),
            paths: names.into_iter().map(|(_, path, kind)| (path, kind)).collect(),
        }
    }

    fn of(&self, inode: u32) -> &[(u32, FileKind)] {
        let inode = inode as usize;
        &self.paths[self.starts[inode]..self.starts[inode + 1]]
    }
}

fn of_users(census: &Census, scan: &KindScan, extents: &ExtentsByKind) -> Known {
    let inodes = census.disk.as_ref().map_or(0, |disk| disk.inodes.len());
    let paths_of_inodes = PathsOfInodes::new(census, scan, inodes);
    let mut by_kind = vec![ExtentSizes::default(); FileKind::COUNT];
    let mut by_path: HashMap<(u32, FileKind), ExtentSizes> = HashMap::new();
    let mut paths: Vec<(u32, FileKind)> = Vec::new();
    for (users, sizes) in extents.groups() {
        paths.clear();
        for user in users {
            match *user {
                // Others are of entries that are no paths.
                KindUser::Path(path, kind) if (path as usize) < census.len() => {
                    paths.push((path, kind));
                }
                KindUser::Path(..) => {}
                KindUser::Inode(inode) => paths.extend(paths_of_inodes.of(inode)),
            }
        }
        if let Some(kind) = paths.iter().map(|&(_, kind)| kind).max() {
            by_kind[kind as usize].add(sizes);
        }
        paths.sort_unstable();
        for of_path in paths.chunk_by(|a, b| a.0 == b.0) {
            by_path.entry(of_path[of_path.len() - 1]).or_default().add(sizes);
        }
    }
    Known::Extents { by_kind, by_path }
}
