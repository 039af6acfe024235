//! Hypothetical changes of the reference graph, and the sizes that remain.

use super::retained::{Retained, SizeKind, Sizes, examined_roots};
use crate::catalog::PathId;
use crate::census::{Census, PathIndex};
use crate::disk::{DiskScan, ExtentsByInode, ExtentsByKind, InodeOwner, KindScan, KindUser};
use crate::graph::{Cuts, NodeSet, Rows, TooHeavy, reachable};
use crate::kinds::FileKind;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The sum of the NAR sizes of a set of paths, if it is known. `sizes` are
/// those of the set, which `measure` found.
pub(super) fn known_nar_size(census: &Census, paths: &NodeSet, sizes: Sizes) -> Option<u64> {
    let known =
        census.nar_sums_known() || !paths.iter().any(|i| is_unknown(census, PathIndex::new(i)));
    known.then_some(sizes.nar)
}

/// By how much the NAR size changes from one set of paths to another, if that
/// is known: what is in both need not be.
pub(super) fn known_nar_change(
    census: &Census,
    (before, before_sizes): (&NodeSet, Sizes),
    (after, after_sizes): (&NodeSet, Sizes),
    dropped: &Dropped<'_>,
) -> Option<i64> {
    let known = || {
        let gone = before.iter().filter(|&i| !after.contains(i));
        let mut changed = gone.chain(after.iter().filter(|&i| !before.contains(i)));
        !changed.any(|i| is_unknown(census, PathIndex::new(i)))
            && !dropped.paths.keys().any(|&i| is_unknown(census, i))
    };
    (census.nar_sums_known() || known()).then(|| change(before_sizes.nar, after_sizes.nar))
}

/// Whether the NAR size of a path, or of one with it, is not known.
fn is_unknown(census: &Census, index: PathIndex) -> bool {
    let unlisted = || !census.catalog.unlisted_references(census.id(index)).is_empty();
    census.known_nar_size(index).is_none() || unlisted()
}

/// The examined graph with changes made in thought. Its nodes are the indexes
/// of the examined paths.
#[derive(Clone, Debug)]
pub(super) struct Edited {
    pub(super) rows: Rows,
    pub(super) roots: Vec<u32>,
}

impl Edited {
    /// The examined graph as it is, held by `targets` (ids) or else by the
    /// roots of the examined set.
    pub(super) fn new(census: &Census, targets: &[PathId]) -> Self {
        let roots = match targets {
            [] => examined_roots(census),
            _ => targets.iter().filter_map(|&id| Some(census.index_of(id)?.node())).collect(),
        };
        Self { rows: census.references().clone(), roots }
    }

    /// What the roots still hold.
    pub(super) fn reached(&self) -> NodeSet {
        reachable(&self.rows, self.roots.iter().copied(), &Cuts::default())
    }

    /// Cuts every reference to these, and takes them from the roots.
    pub(super) fn remove(&mut self, paths: &[PathIndex]) {
        let gone = self.set(paths);
        self.roots.retain(|&root| !gone.contains(root));
        self.change(|_, to| (!gone.contains(to)).then_some(to));
    }

    /// Cuts single references.
    pub(super) fn cut(&mut self, edges: &[(PathIndex, PathIndex)]) {
        let edges: HashSet<(u32, u32)> =
            edges.iter().map(|(from, to)| (from.node(), to.node())).collect();
        self.change(|from, to| (!edges.contains(&(from, to))).then_some(to));
    }

    /// Turns every reference to one of `old` to `new` instead.
    pub(super) fn replace(&mut self, old: &[PathIndex], new: PathIndex) {
        let old = self.set(old);
        let turned = |to| if old.contains(to) { new.node() } else { to };
        self.roots.iter_mut().for_each(|root| *root = turned(*root));
        self.roots.sort_unstable();
        self.roots.dedup();
        // What is replaced goes on referring to itself, if it does.
        self.change(|from, to| Some(if from == to { to } else { turned(to) }));
    }

    fn set(&self, paths: &[PathIndex]) -> NodeSet {
        NodeSet::from_nodes(self.rows.len(), paths.iter().map(|path| path.node()))
    }

    fn change(&mut self, mut change: impl FnMut(u32, u32) -> Option<u32>) {
        let mut changed = Rows::default();
        let mut row = Vec::new();
        for (from, old) in (0u32..).zip(self.rows.iter()) {
            row.clear();
            for &to in old {
                row.extend(change(from, to));
            }
            // Most rows stay as they are, in order.
            if !row.is_sorted_by(|a, b| a < b) {
                row.sort_unstable();
                row.dedup();
            }
            changed.push(&row);
        }
        self.rows = changed;
    }

    /// What each path retains now.
    pub(super) fn retained(&self, census: &Census) -> Result<Retained, TooHeavy> {
        let (_, weights) = super::retained::weighted(census);
        match census.shared() {
            None => Retained::of(census, &self.rows, &weights, &self.roots),
            Some(shared) => Retained::of(census, &shared.extend(&self.rows), &weights, &self.roots),
        }
    }
}

/// Files taken out of paths in thought.
#[derive(Clone, Debug, Default)]
pub(super) struct Dropped<'a> {
    /// By path.
    pub(super) paths: HashMap<PathIndex, DroppedFrom>,
    /// How it is known what is left of extents.
    pub(super) extents: ExtentsLeft<'a>,
}

/// How it is known what is left of extents where files are taken out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum ExtentsLeft<'a> {
    /// By inode, where the census has them so.
    #[default]
    ByInode,
    /// By kind, if they are known so: whole kinds are taken out.
    ByKind(Option<&'a ExtentsByKind>),
}

/// What was taken out of one path. Sizes are in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct DroppedFrom {
    /// What its NAR loses.
    pub(super) nar_size: u64,
    /// Blocks of inodes with no other name anywhere, and of directories.
    pub(super) private_disk_size: u64,
    /// How many of those inodes and directories.
    pub(super) private_inodes: u64,
    /// The numbers of those of the store's own file system, where extents are known by inode.
    pub(super) private_numbers: Vec<u64>,
    /// The kinds that were taken out whole, where extents are known by kind.
    pub(super) kinds: Vec<FileKind>,
    /// Names taken of each inode with several, by the scan's index of it.
    pub(super) names: HashMap<u32, u32>,
}

impl DroppedFrom {
    /// Takes out all of some kinds that were not, by what a scan says of the path; how many
    /// entries that are.
    fn take_kinds(&mut self, scan: &KindScan, path: PathIndex, kinds: &[FileKind]) -> u64 {
        let (mut entries, mut shared) = (0, 0);
        for (_, own) in scan.own(path.node()).filter(|(kind, _)| kinds.contains(kind)) {
            self.nar_size = self.nar_size.saturating_add(own.nar_size);
            self.private_disk_size = self.private_disk_size.saturating_add(own.disk_size);
            entries += own.entries;
        }
        for name in scan.names(path.node()).filter(|name| kinds.contains(&name.kind)) {
            *self.names.entry(name.inode).or_default() += 1;
            shared += 1;
        }
        self.private_inodes += entries.saturating_sub(shared);
        self.kinds.extend(kinds);
        entries
    }
}

impl<'a> Dropped<'a> {
    /// Nothing yet, where whole kinds are to be taken out.
    pub(super) fn by_kind(extents: Option<&'a ExtentsByKind>) -> Self {
        Self { paths: HashMap::new(), extents: ExtentsLeft::ByKind(extents) }
    }

    /// Takes all of some kinds that were not out of a path; how many entries that are.
    pub(super) fn take_kinds(
        &mut self,
        scan: &KindScan,
        path: PathIndex,
        kinds: &[FileKind],
    ) -> u64 {
        if !scan.own(path.node()).any(|(kind, own)| kinds.contains(&kind) && own.entries > 0) {
            return 0;
        }
        self.paths.entry(path).or_default().take_kinds(scan, path, kinds)
    }

    /// Whether it is known what is left of extents: where files are dropped these have to
    /// be known by inode or by kind.
    pub(super) fn knows_physical(&self, census: &Census) -> bool {
        let known = || match self.extents {
            ExtentsLeft::ByInode => extents_by_inode(census).is_some(),
            ExtentsLeft::ByKind(extents) => extents.is_some(),
        };
        census.knows_physical() && (self.paths.is_empty() || !census.has_extents() || known())
    }

    /// What is left of the extents of some paths where files are dropped, in bytes; `inodes`
    /// are those of several names that are left in them. `None` where that is not known.
    fn physical_size(&self, census: &Census, paths: &NodeSet, inodes: &NodeSet) -> Option<u64> {
        if self.paths.is_empty() || !census.has_extents() {
            return None;
        }
        match self.extents {
            ExtentsLeft::ByInode => {
                Some(self.left_by_inode(extents_by_inode(census)?, paths, inodes))
            }
            ExtentsLeft::ByKind(extents) => Some(self.left_by_kind(extents?, paths, inodes)),
        }
    }

    fn left_by_inode(&self, extents: &ExtentsByInode, paths: &NodeSet, inodes: &NodeSet) -> u64 {
        let counts = |owner| match owner {
            Some(InodeOwner::Path(path)) => paths.contains(path),
            Some(InodeOwner::Inode(inode)) => inodes.contains(inode),
            None => false,
        };
        let mut counts: Vec<bool> = extents.owners().map(counts).collect();
        for number in self.paths.values().flat_map(|from| &from.private_numbers) {
            if let Some(place) = extents.place(*number) {
                counts[place as usize] = false;
            }
        }
        extents.union(&counts).physical_size
    }

    fn left_by_kind(&self, extents: &ExtentsByKind, paths: &NodeSet, inodes: &NodeSet) -> u64 {
        let is_left = |user: &KindUser| match *user {
            KindUser::Inode(inode) => inodes.contains(inode),
            KindUser::Path(path, kind) => {
                let gone = || self.paths.get(&PathIndex::new(path));
                paths.contains(path) && !gone().is_some_and(|from| from.kinds.contains(&kind))
            }
        };
        let left = extents.groups().filter(|(users, _)| users.iter().any(is_left));
        left.fold(0u64, |sum, (_, sizes)| sum.saturating_add(sizes.physical_size))
    }
}

fn extents_by_inode(census: &Census) -> Option<&ExtentsByInode> {
    census.disk.as_ref().and_then(DiskScan::extents)?.by_inode()
}

/// Extents by kind, where there are extents and they are known so.
pub(super) fn extents_by_kind<'a>(
    census: &Census,
    scan: &'a KindScan,
) -> Option<Cow<'a, ExtentsByKind>> {
    scan.extents(census.disk.as_ref().and_then(DiskScan::extents)?.by_inode())
}

/// How many changes may be tried on a graph, each of which goes over all of it: on
/// a closure of a few thousand paths all that anybody would try, on a graph of
/// millions of references some hundred, which take seconds.
pub(super) fn most_tries(census: &Census) -> usize {
    const MOST_STEPS: usize = 1 << 30;
    const LEAST: usize = 64;
    let graph = census.references();
    (MOST_STEPS / (graph.len() + graph.entries()).max(1)).max(LEAST)
}

/// What a change gains. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gain {
    /// NAR size; `None` if that of a path that goes is unknown.
    pub nar_size: Option<u64>,
    /// Disk size; `None` if the disk was not asked.
    pub disk_size: Option<u64>,
    /// Extents; `None` if they are not known.
    pub physical_size: Option<u64>,
    /// Inodes; `None` if the disk was not asked.
    pub inodes: Option<u64>,
}

impl Gain {
    /// What is gained from the first set of paths, with its sizes, to the second,
    /// whose sizes are those without the files dropped.
    pub(super) fn between(
        census: &Census,
        before: (&NodeSet, Sizes),
        after: (&NodeSet, Sizes),
        dropped: &Dropped<'_>,
    ) -> Self {
        let nar = known_nar_change(census, before, after, dropped);
        let on_disk =
            |before: u64, after: u64| census.disk.is_some().then_some(before.saturating_sub(after));
        Self {
            nar_size: nar.map(|change| change.min(0).unsigned_abs()),
            disk_size: on_disk(before.1.disk, after.1.disk),
            physical_size: dropped
                .knows_physical(census)
                .then(|| before.1.physical.saturating_sub(after.1.physical)),
            inodes: on_disk(before.1.inodes, after.1.inodes),
        }
    }

    /// What cutting every reference to a path gains.
    pub(super) fn of_path(retained: &Retained, path: PathIndex) -> Self {
        Self {
            nar_size: retained.nar_size(path),
            disk_size: retained.disk_size(path),
            physical_size: retained.physical_size(path),
            inodes: retained.inodes(path),
        }
    }

    /// The gain that answers go by: on disk if the disk was asked, else in NARs.
    pub(super) fn get(self, by: SizeKind) -> Option<u64> {
        match by {
            SizeKind::Nar => self.nar_size,
            SizeKind::Disk => self.physical_size.or(self.disk_size),
        }
    }
}

/// The sizes of a set of paths, without the files dropped; with their extents where [these
/// are not known](Dropped::knows_physical). Unknown NAR sizes count as 0: for orders; see
/// [`known_nar_size`].
pub(super) fn measure(census: &Census, paths: &NodeSet, dropped: &Dropped<'_>) -> Sizes {
    let (mut nar, mut disk, mut inodes) = (0u64, 0u64, 0u64);
    let several = census.disk.as_ref().map_or(0, |d| d.inodes.len());
    let mut seen = NodeSet::new(several);
    for path in paths.iter().map(PathIndex::new) {
        let gone = dropped.paths.get(&path);
        nar = nar.saturating_add(census.nar_size(path));
        nar = nar.saturating_sub(gone.map_or(0, |g| g.nar_size));
        let Some(scan) = &census.disk else { continue };
        disk = disk.saturating_add(scan.usages[path.index()].private_disk_size);
        disk = disk.saturating_sub(gone.map_or(0, |g| g.private_disk_size));
        inodes += scan.usages[path.index()].private_inodes;
        inodes = inodes.saturating_sub(gone.map_or(0, |g| g.private_inodes));
        for names in scan.names.row(path.node()).chunk_by(|a, b| a == b) {
            let taken = gone.and_then(|g| g.names.get(&names[0])).copied().unwrap_or(0);
            if (taken as usize) < names.len() && seen.insert(names[0]) {
                disk = disk.saturating_add(scan.inodes[names[0] as usize].disk_size());
                inodes += 1;
            }
        }
    }
    let without = dropped.physical_size(census, paths, &seen);
    let physical = match (without, census.shared().filter(|_| census.has_extents())) {
        (Some(left), _) => left,
        (None, Some(shared)) => {
            shared.union(paths.iter().map(PathIndex::new)).extents.physical_size
        }
        (None, None) => disk,
    };
    Sizes { nar, disk, inodes, physical }
}

/// The difference of two sizes in bytes.
pub(super) fn change(before: u64, after: u64) -> i64 {
    let magnitude = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    if after >= before { magnitude(after - before) } else { -magnitude(before - after) }
}
