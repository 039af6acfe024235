//! The graph of a page: the examined paths, small ones folded.
//!
//! Where a page cannot name all paths, it names those that retain most. The rest is
//! folded: with a path goes all that it retains, so an unnamed path and all below it in
//! the dominator tree become one node, a *group*. Groups with the same referrers become
//! one too. Both are exact for whoever removes named paths or references between them:
//! what is retained by a path is reached exactly as long as that path is, and what has
//! the same referrers goes when they go.
use crate::arrange::Arrange as _;

use crate::analysis::retained::{Retained, SizeKind, Sizes};
use crate::census::{Census, PathIndex};
use crate::graph::{Dominator, NodeSet, Rows, saturating_add};
use std::cmp::Reverse;
use std::collections::HashMap;

/// A group of paths without names, or a class of shared inodes. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unnamed {
    /// NAR size; `None` if that of a path is not known.
    pub(super) nar: Option<u64>,
    /// Disk size of inodes that are in no class.
    pub(super) disk: u64,
    /// The extents of the same, and those that no other node has; blocks where extents
    /// are not known.
    pub(super) physical: u64,
    /// How many inodes.
    pub(super) inodes: u64,
    /// How many paths; 0 for a class.
    pub(super) paths: u64,
}

const NOTHING: Unnamed = Unnamed { nar: Some(0), disk: 0, physical: 0, inodes: 0, paths: 0 };

impl Unnamed {
    fn add(&mut self, other: Self) {
        self.nar = self.nar.zip(other.nar).map(|(a, b)| a.saturating_add(b));
        saturating_add(&mut self.disk, other.disk);
        saturating_add(&mut self.physical, other.physical);
        self.inodes += other.inodes;
        self.paths += other.paths;
    }
}

/// The nodes of a page: named paths, then groups, then classes of shared inodes.
#[derive(Debug)]
pub(super) struct Folded {
    /// The named paths, ascending.
    pub(super) named: Vec<PathIndex>,
    /// Groups of paths without names.
    pub(super) groups: Vec<Unnamed>,
    /// Classes of shared inodes.
    pub(super) classes: Vec<Unnamed>,
    /// Who refers to what; a class is referred to by the paths that have its inodes.
    pub(super) rows: Rows,
    /// The nodes that all is reached from.
    pub(super) roots: Vec<u32>,
}

impl Folded {
    /// The graph of a census with at most `most` named paths.
    pub(super) fn new(
        census: &Census,
        (graph, weights): (&Rows, &[Sizes]),
        retained: &Retained,
        roots: &[u32],
        most: usize,
    ) -> Self {
        let named = named(census, retained, roots, most);
        let mut whole = Nodes::new(census, graph, weights, retained, &named);
        if named.len() < census.len() {
            // What was merged may give others the same referrers.
            const ROUNDS: usize = 8;
            for _ in 0..ROUNDS {
                if !whole.merge(roots) {
                    break;
                }
            }
        }
        let mut roots: Vec<u32> = roots.iter().map(|&root| whole.of[root as usize]).collect();
        roots.sort_unstable();
        roots.dedup();
        let classes = whole.unnamed.split_off(whole.groups);
        let paths = named.iter().map(PathIndex::new);
        Self { named: paths.collect(), groups: whole.unnamed, classes, rows: whole.rows, roots }
    }

    /// The node of a named path.
    pub(super) fn node_of(&self, path: PathIndex) -> Option<u32> {
        self.named.binary_search(&path).ok().map(|at| at as u32)
    }
}

/// The paths to name: the roots of a closure, and those that retain most.
fn named(census: &Census, retained: &Retained, roots: &[u32], most: usize) -> NodeSet {
    let paths = census.len();
    if paths <= most {
        return NodeSet::from_nodes(paths, 0..paths as u32);
    }
    let weight = |path: u32| retained.sizes[path as usize].get(SizeKind::of(census));
    let targets = if census.targets.is_empty() { &[] } else { roots };
    let mut order: Vec<u32> = (0..paths as u32).collect();
    order.arrange_by_key(|&path| (Reverse(weight(path)), path));
    let mut named = NodeSet::from_nodes(paths, targets.iter().copied());
    for path in order {
        // With a path all that dominate it, so that what is not named hangs together.
        let mut above = vec![path];
        let mut at = path;
        while let Dominator::Node(up) = retained.dominators.of(at) {
            if named.contains(up) {
                break;
            }
            above.push(up);
            at = up;
        }
        if named.len() + above.len() > most {
            break;
        }
        above.into_iter().for_each(|path| {
            named.insert(path);
        });
    }
    named
}

/// Nodes while they are merged.
struct Nodes {
    /// By node of the examined graph.
    of: Vec<u32>,
    named: usize,
    groups: usize,
    /// Groups, then classes.
    unnamed: Vec<Unnamed>,
    rows: Rows,
}

impl Nodes {
    fn new(
        census: &Census,
        graph: &Rows,
        weights: &[Sizes],
        retained: &Retained,
        named: &NodeSet,
    ) -> Self {
        let paths = census.len();
        // The path whose group each path without a name is in: the topmost without one.
        let mut top: Vec<Option<u32>> = vec![None; paths];
        let mut climb = Vec::new();
        let mut find = |path: u32| {
            let mut at = path;
            let found = loop {
                if let Some(found) = top[at as usize] {
                    break found;
                }
                climb.push(at);
                match retained.dominators.of(at) {
                    Dominator::Node(up) if !named.contains(up) => at = up,
                    _ => break at,
                }
            };
            climb.drain(..).for_each(|below| top[below as usize] = Some(found));
            found
        };
        let mut of = vec![u32::MAX; graph.len()];
        for (node, path) in (0..).zip(named.iter()) {
            of[path as usize] = node;
        }
        let mut unnamed = Vec::new();
        let mut node_of_top: HashMap<u32, u32> = HashMap::new();
        for path in (0..paths as u32).filter(|&path| !named.contains(path)) {
            let node = *node_of_top.entry(find(path)).or_insert_with(|| {
                unnamed.push(NOTHING);
                (named.len() + unnamed.len()) as u32 - 1
            });
            of[path as usize] = node;
            let Sizes { disk, inodes, physical, .. } = weights[path as usize];
            let nar = census.known_nar_size(PathIndex::new(path));
            let own = Unnamed { nar, disk, physical, inodes, paths: 1 };
            unnamed[node as usize - named.len()].add(own);
        }
        let groups = unnamed.len();
        for class in paths..graph.len() {
            let Sizes { disk, inodes, physical, .. } = weights[class];
            let own = Unnamed { disk, physical, inodes, ..NOTHING };
            match retained.dominators.of(class as u32) {
                // It goes with a group.
                Dominator::Node(path) if !named.contains(path) => {
                    of[class] = of[path as usize];
                    unnamed[of[class] as usize - named.len()].add(own);
                }
                _ => {
                    unnamed.push(own);
                    of[class] = (named.len() + unnamed.len()) as u32 - 1;
                }
            }
        }
        let rows = mapped(graph, &of, named.len(), named.len() + unnamed.len());
        Self { of, named: named.len(), groups, unnamed, rows }
    }

    /// Makes one of those without a name that have the same referrers; whether there
    /// were such.
    fn merge(&mut self, roots: &[u32]) -> bool {
        let all = self.rows.len();
        let mut is_root = vec![false; all];
        roots.iter().for_each(|&root| is_root[self.of[root as usize] as usize] = true);
        let referrers = self.rows.transpose(all);
        let mut first: HashMap<(bool, bool, &[u32]), u32> = HashMap::new();
        let mut number: Vec<u32> = (0..self.named as u32).collect();
        let mut merged: Vec<Unnamed> = Vec::new();
        let mut groups = 0;
        for (node, is_root) in is_root.into_iter().enumerate().skip(self.named) {
            let is_class = node >= self.named + self.groups;
            let row = referrers.row(node as u32);
            let own = self.unnamed[node - self.named];
            let to = match row {
                // Only a group has these inodes: groups come first, so its number is known.
                &[group] if is_class && group as usize >= self.named => number[group as usize],
                _ => *first.entry((is_class, is_root, row)).or_insert_with(|| {
                    merged.push(NOTHING);
                    groups += usize::from(!is_class);
                    (self.named + merged.len()) as u32 - 1
                }),
            };
            merged[to as usize - self.named].add(own);
            number.push(to);
        }
        let any = merged.len() < self.unnamed.len();
        if any {
            self.rows = mapped(&self.rows, &number, self.named, self.named + merged.len());
            self.of.iter_mut().for_each(|node| *node = number[*node as usize]);
            (self.unnamed, self.groups) = (merged, groups);
        }
        any
    }
}

/// A graph with other numbers; what is not named does not refer to itself.
fn mapped(graph: &Rows, number: &[u32], named: usize, nodes: usize) -> Rows {
    let edges = (0..graph.len() as u32).flat_map(|node| {
        let from = number[node as usize];
        graph.row(node).iter().map(move |&to| (from, number[to as usize]))
    });
    let edges = edges.filter(|&(from, to)| from != to || (from as usize) < named);
    let wide = Rows::from_pairs(nodes, edges);
    let mut rows = Rows::default();
    let mut row = Vec::new();
    for wide in wide.iter() {
        row.clear();
        row.extend_from_slice(wide);
        row.sort_unstable();
        row.dedup();
        rows.push(&row);
    }
    rows
}
