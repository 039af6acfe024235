//! Why a path is dead or alive.

use super::{Fate, alive, staying};
use crate::analysis::liveness::{Keep, Keepers};
use crate::catalog::PathId;
use crate::census::WholeCensus;
use crate::graph::Rows;
use crate::roots::FoundRoots;

/// Why one path is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyAlive {
    /// The root nearest to it: an index into [`FoundRoots::roots`].
    pub root: u32,
    /// How many roots keep it.
    pub roots: u64,
    /// A shortest chain from the root's path to it, both included.
    pub chain: Vec<PathId>,
}

/// Why one path is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyDead {
    /// The step in which it goes, 0 now; `None` if Nix fails to delete it.
    pub step: Option<u32>,
    /// What would keep it were it alive, itself left out; all of it is dead.
    pub keepers: Vec<PathId>,
}

/// Why a path is alive, or why it is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyAnswer {
    /// It is alive.
    Alive(WhyAlive),
    /// It is dead.
    Dead(WhyDead),
}

/// Why a path is dead or alive.
#[derive(Clone, Debug)]
pub struct Why {
    /// The path.
    pub path: PathId,
    /// Why it is alive, or why it is dead.
    pub answer: WhyAnswer,
    /// Whether it is alive under each pair of settings: neither, `keep-derivations`,
    /// `keep-outputs`, both.
    pub under: [bool; 4],
}

impl Why {
    pub(super) fn new(
        census: WholeCensus<'_>,
        found: &FoundRoots,
        removed: &[Fate],
        graph: &Rows,
        goes: Fate,
        path: PathId,
    ) -> Self {
        let under = Keep::ALL
            .map(|k| alive(&census.catalog, k, staying(found, removed)).contains(path.node()));
        if goes != Fate::Stays {
            let keepers = (census.catalog.ids())
                .filter(|&id| id != path && graph.row(id.node()).contains(&path.node()))
                .collect();
            return Self {
                path,
                answer: WhyAnswer::Dead(WhyDead { step: goes.step(), keepers }),
                under,
            };
        }
        let chains = Keepers::new(graph, path);
        let keeping = (0u32..).zip(found.roots.iter().zip(removed));
        let mut chains: Vec<(u32, Vec<PathId>)> = keeping
            .filter(|(_, (_, fate))| **fate == Fate::Stays)
            .filter_map(|(index, (root, _))| Some((index, chains.chain(root.path)?)))
            .collect();
        let roots = chains.len() as u64;
        let nearest = (0..chains.len()).min_by_key(|&i| (chains[i].1.len(), chains[i].0));
        let (root, chain) = match nearest {
            Some(nearest) => chains.swap_remove(nearest),
            None => unreachable!("a path that stays is kept by a root that stays"),
        };
        Self { path, answer: WhyAnswer::Alive(WhyAlive { root, roots, chain }), under }
    }
}
