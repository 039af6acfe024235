//! What would go if every reference to a path were cut.

use crate::census::Census;
use crate::graph::{Dominators, NodeSet, Rows, TooHeavy, Weights, roots};

/// What each examined path retains within the examined set: itself and all
/// that only it keeps.
///
/// It is the sum over the path's subtree in the dominator tree from the set's
/// roots. An inode with names in several paths is a node of its own, so that
/// it goes exactly when all those paths go.
#[derive(Clone, Debug)]
pub struct Retained {
    /// NAR size and disk size in bytes, by index; disk sizes are 0 where the
    /// disk was not asked.
    pub sizes: Vec<Weights<2>>,
    /// The tree: nodes are indexes of paths, then classes of shared inodes.
    pub dominators: Dominators,
}

impl Retained {
    /// What each path of a census retains. The roots are the targets; where
    /// all paths are examined, those that nothing else refers to.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(census: &Census) -> Result<Self, TooHeavy> {
        let (graph, weights) = weighted(census);
        Self::of(&graph, &weights, &examined_roots(census), census.len())
    }

    /// What the first `paths` nodes of a graph retain.
    pub(super) fn of(
        graph: &Rows,
        weights: &[Weights<2>],
        roots: &[u32],
        paths: usize,
    ) -> Result<Self, TooHeavy> {
        let dominators = Dominators::new(graph, roots);
        let mut sizes = dominators.retained(weights)?;
        sizes.truncate(paths);
        Ok(Self { sizes, dominators })
    }
}

/// The roots of the examined set, by index.
pub(super) fn examined_roots(census: &Census) -> Vec<u32> {
    if census.targets.is_empty() {
        let all = NodeSet::from_nodes(census.len(), 0..census.len() as u32);
        roots(census.references(), &all)
    } else {
        census.targets.iter().filter_map(|&id| census.index_of(id)).collect()
    }
}

/// The examined graph with a node for each class of shared inodes after the
/// paths, and NAR and disk size of each node.
pub(super) fn weighted(census: &Census) -> (Rows, Vec<Weights<2>>) {
    let paths = 0..census.len() as u32;
    match census.shared() {
        None => {
            let weights = paths.map(|i| [census.nar_size(i), 0]).collect();
            (census.references().clone(), weights)
        }
        Some(shared) => {
            let own = paths.map(|i| [census.nar_size(i), shared.own_disk_sizes[i as usize]]);
            let classes = shared.disk_sizes.iter().map(|&size| [0, size]);
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
    let name = |&id: &u32| census.catalog.store_path(id).name();
    let mut names: Vec<&str> = census.targets.iter().take(NAMED).map(name).collect();
    let more = format!("{} more", census.targets.len().saturating_sub(NAMED));
    if census.targets.len() > NAMED {
        names.push(&more);
    }
    format!("Retained: within the closure of {}.", names.join(", "))
}
