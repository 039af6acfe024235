//! What would go if every reference to a path were cut.

use crate::catalog::PathId;
use crate::census::{Census, PathIndex, Union};
use crate::graph::{Dominator, Dominators, NodeSet, Rows, TooHeavy, roots, weight};

/// NAR size and disk size of a set of paths in bytes, and its inodes; each
/// inode once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The NAR size; unknown ones count as 0.
    pub nar: u64,
    /// The disk size; 0 where the disk was not asked.
    pub disk: u64,
    /// How many inodes; 0 where the disk was not asked.
    pub inodes: u64,
    /// Extents as they lie on the disk; blocks where extents are not known.
    pub physical: u64,
}

impl Sizes {
    /// The size of that kind.
    pub fn get(self, kind: SizeKind) -> u64 {
        match kind {
            SizeKind::Nar => self.nar,
            SizeKind::Disk => self.physical,
        }
    }
}

weight!(Sizes { nar, disk, inodes, physical });

/// Which size an answer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeKind {
    /// The NAR size.
    Nar,
    /// What is used on the disk: extents where they are known, else blocks.
    Disk,
}

impl SizeKind {
    /// The disk size if the disk was asked, else the NAR size.
    pub fn of(census: &Census) -> Self {
        if census.disk.is_some() { Self::Disk } else { Self::Nar }
    }
}

/// What each examined path retains within the examined set: itself and all
/// that only it keeps.
///
/// It is the sum over the path's subtree in the dominator tree from the set's
/// roots. An inode with names in several paths is a node of its own, so that
/// it goes exactly when all those paths go.
#[derive(Clone, Debug)]
pub struct Retained {
    /// What each path retains, by index.
    pub sizes: Vec<Sizes>,
    /// The tree: nodes are indexes of paths, then classes of shared inodes.
    pub dominators: Dominators,
    /// The paths that retain one of unknown NAR size, by index.
    unknown: NodeSet,
    /// Whether nothing is certain: a path that is not listed may refer to any.
    unlisted: bool,
    /// Whether the disk was asked.
    disk: bool,
    /// Whether it is known what files take beneath their blocks.
    physical: bool,
}

impl Retained {
    /// What each path of a census retains. The roots are the targets; where
    /// all paths are examined, those that nothing else refers to.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(census: &Census) -> Result<Self, TooHeavy> {
        let (graph, weights) = weighted(census);
        Self::of(census, &graph, &weights, &examined_roots(census))
    }

    /// The NAR size in bytes of what the path at `index` retains, if known.
    pub fn nar_size(&self, index: PathIndex) -> Option<u64> {
        let known = !self.unlisted && !self.unknown.contains(index.node());
        known.then(|| self.sizes[index.index()].nar)
    }

    /// The disk size in bytes of what the path at `index` retains, if known.
    pub fn disk_size(&self, index: PathIndex) -> Option<u64> {
        (self.disk && !self.unlisted).then(|| self.sizes[index.index()].disk)
    }

    /// The extents in bytes of what the path at `index` retains, if known.
    pub fn physical_size(&self, index: PathIndex) -> Option<u64> {
        (self.physical && !self.unlisted).then(|| self.sizes[index.index()].physical)
    }

    /// The inodes that the path at `index` retains, if known.
    pub fn inodes(&self, index: PathIndex) -> Option<u64> {
        (self.disk && !self.unlisted).then(|| self.sizes[index.index()].inodes)
    }

    /// What the paths of a census retain in a graph whose first nodes they are.
    pub(super) fn of(
        census: &Census,
        graph: &Rows,
        weights: &[Sizes],
        roots: &[u32],
    ) -> Result<Self, TooHeavy> {
        let dominators = Dominators::new(graph, roots);
        let mut sizes = dominators.retained(weights)?;
        sizes.truncate(census.len());
        let mut unknown = NodeSet::new(graph.len());
        if !census.sizes_known() {
            let paths = census.indexes();
            for path in paths.filter(|&i| census.catalog.nar_size(census.id(i)).is_none()) {
                let mut at = path.node();
                // What retains a node retains what that retains.
                while unknown.insert(at)
                    && let Dominator::Node(up) = dominators.of(at)
                {
                    at = up;
                }
            }
        }
        let unlisted = census.has_unlisted_references();
        let (disk, physical) = (census.disk.is_some(), census.knows_physical());
        Ok(Self { sizes, dominators, unknown, unlisted, disk, physical })
    }
}

/// The roots of the examined set, as nodes of its graph.
pub(super) fn examined_roots(census: &Census) -> Vec<u32> {
    if census.targets.is_empty() {
        let all = NodeSet::from_nodes(census.len(), 0..census.len() as u32);
        roots(census.references(), &all)
    } else {
        census.targets.iter().filter_map(|&id| Some(census.index_of(id)?.node())).collect()
    }
}

/// The examined graph with a node for each class of shared inodes after the
/// paths, and NAR size, disk size and inodes of each node.
pub(super) fn weighted(census: &Census) -> (Rows, Vec<Sizes>) {
    let paths = census.indexes();
    match census.shared() {
        None => {
            let nar = |i| Sizes { nar: census.nar_size(i), ..Sizes::default() };
            let weights = paths.map(nar).collect();
            (census.references().clone(), weights)
        }
        Some(shared) => {
            let sizes = |nar: u64, of: Union| Sizes {
                nar,
                disk: of.disk_size,
                inodes: of.inodes,
                physical: of.extents.physical_size,
            };
            let own = paths.map(|i| sizes(census.nar_size(i), shared.own_sizes[i.index()]));
            let classes = shared.class_sizes.iter().map(|&class| sizes(0, class));
            (shared.extend(census.references()), own.chain(classes).collect())
        }
    }
}

/// What is examined, within which sizes are retained: for people.
pub(super) fn within(census: &Census) -> String {
    const NAMED: usize = 3;
    if census.is_whole() {
        return "Retained: within the whole store.".to_owned();
    }
    let name = |&id: &PathId| census.catalog.store_path(id).name();
    let mut names: Vec<&str> = census.targets.iter().take(NAMED).map(name).collect();
    let more = format!("{} more", census.targets.len().saturating_sub(NAMED));
    if census.targets.len() > NAMED {
        names.push(&more);
    }
    format!("Retained: within the closure of {}.", names.join(", "))
}
