//! Which node keeps which: the dominator tree, and what each node retains.

use super::weights::check;
use super::{Components, NodeSet, Rows, TooHeavy, Weight};

/// The dominator tree of what is reached from some roots.
///
/// A node dominates another when every chain from a root to the other passes
/// through it: cut all references to the one, and the other goes too. The roots
/// hang below a virtual root of their own.
///
/// Found by the Semi-NCA algorithm (Georgiadis 2005): semidominators as in
/// Lengauer and Tarjan's, then each immediate dominator as the nearest common
/// ancestor of parent and semidominator.
#[derive(Clone, Debug)]
pub struct Dominators {
    /// Number in depth-first preorder of each node, from 1; 0 where unreached.
    number: Vec<u32>,
    /// The node with each number; the virtual root has number 0.
    node: Vec<u32>,
    /// The number of the immediate dominator of each number.
    dominator: Vec<u32>,
}

/// The immediate dominator of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dominator {
    /// No root reaches the node.
    Unreached,
    /// Nothing but the set of roots as a whole keeps the node.
    Roots,
    /// This node does.
    Node(u32),
}

impl Dominators {
    /// Builds the tree.
    ///
    /// # Panics
    /// If a root is not below `rows.len()`.
    pub fn new(rows: &Rows, roots: &[u32]) -> Self {
        let mut number = vec![0u32; rows.len()];
        // Number 0 is no node of the graph: whoever takes it for one goes out of bounds.
        let mut node = vec![u32::MAX];
        let mut parent = vec![0u32];
        // Depth-first: a number and the next entry of its node's row.
        let mut walk: Vec<(u32, u32)> = Vec::new();
        for &root in roots {
            let mut found = Some((0, root));
            while let Some((from, next)) = found {
                if number[next as usize] == 0 {
                    number[next as usize] = node.len() as u32;
                    walk.push((node.len() as u32, 0));
                    node.push(next);
                    parent.push(from);
                }
                found = None;
                while let Some((from, entry)) = walk.last_mut() {
                    if let Some(&next) = rows.row(node[*from as usize]).get(*entry as usize) {
                        *entry += 1;
                        found = Some((*from, next));
                        break;
                    }
                    walk.pop();
                }
            }
        }

        let referrers = referrers(rows, roots, &number, &node);
        let mut ancestor = parent.clone();
        // The lowest semidominator on the compressed chain above each number.
        let mut lowest: Vec<u32> = (0..node.len() as u32).collect();
        let mut semi = vec![0u32; node.len()];
        let mut chain = Vec::new();
        // From the last number to the first: the semidominator of `v` depends on
        // those of higher numbers, and `compress` may only look at these.
        for v in (1..node.len() as u32).rev() {
            let mut best = v;
            for &u in referrers.row(v) {
                best = best.min(if u <= v {
                    u
                } else {
                    compress(u, v, &mut ancestor, &mut lowest, &mut chain)
                });
            }
            semi[v as usize] = best;
            lowest[v as usize] = best;
        }

        let mut dominator = parent;
        for v in 1..node.len() {
            let mut d = dominator[v];
            // Lower numbers have their dominator by now, so this climbs the tree.
            while d > semi[v] {
                d = dominator[d as usize];
            }
            dominator[v] = d;
        }
        Self { number, node, dominator }
    }

    /// The immediate dominator of a node.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn of(&self, node: u32) -> Dominator {
        match self.number[node as usize] {
            0 => Dominator::Unreached,
            number => match self.dominator[number as usize] {
                0 => Dominator::Roots,
                dominator => Dominator::Node(self.node[dominator as usize]),
            },
        }
    }

    /// The number of nodes that the roots reach.
    pub fn reached(&self) -> usize {
        self.node.len() - 1
    }

    /// The weight that each node retains: its own and that of every node it
    /// dominates. Zero where unreached.
    ///
    /// # Errors
    /// [`TooHeavy`] if sizes sum to 2^64 or more.
    ///
    /// # Panics
    /// If there is not one weight a node.
    pub fn retained<W: Weight>(&self, weights: &[W]) -> Result<Vec<W>, TooHeavy> {
        assert_eq!(weights.len(), self.number.len(), "one weight a node");
        check(weights)?;
        let mut retained = vec![W::ZERO; weights.len()];
        // A dominator has a lower number than what it dominates, so each sum is
        // whole before it is added to the one above.
        for (v, &node) in self.node.iter().enumerate().skip(1).rev() {
            let node = node as usize;
            retained[node].add(&weights[node]);
            let dominator = self.dominator[v];
            if dominator != 0 {
                let sum = retained[node];
                retained[self.node[dominator as usize] as usize].add(&sum);
            }
        }
        Ok(retained)
    }
}

/// Who refers to each number, by number; 0 is the virtual root.
fn referrers(rows: &Rows, roots: &[u32], number: &[u32], node: &[u32]) -> Rows {
    let from_roots = roots.iter().map(|&root| (number[root as usize], 0));
    let from_nodes = (1u32..).zip(&node[1..]).flat_map(|(from, &node)| {
        rows.row(node).iter().map(move |&to| (number[to as usize], from))
    });
    Rows::from_pairs(node.len(), from_roots.chain(from_nodes))
}

/// The lowest semidominator on the chain of ancestors of `u` numbered above
/// `v`, shortening that chain on the way.
fn compress(u: u32, v: u32, ancestor: &mut [u32], lowest: &mut [u32], chain: &mut Vec<u32>) -> u32 {
    let mut top = u;
    while ancestor[top as usize] > v {
        chain.push(top);
        top = ancestor[top as usize];
    }
    // `top` is the last one above v: its ancestor is v or lower.
    while let Some(below) = chain.pop() {
        let above = ancestor[below as usize];
        lowest[below as usize] = lowest[below as usize].min(lowest[above as usize]);
        ancestor[below as usize] = ancestor[top as usize];
    }
    lowest[u as usize]
}

/// The roots of a set of nodes: those that nothing else in the set refers to,
/// and of each cycle that nothing else in the set refers to, the lowest.
/// Ascending. All of the set is reached from them.
pub fn roots(rows: &Rows, set: &NodeSet) -> Vec<u32> {
    let components = Components::new(rows, []);
    // A component outside the set may lie on a cycle with it only if the set
    // is not a closure; then the cycle still has one representative.
    let mut referred = vec![false; components.len()];
    for node in set.iter() {
        for &reference in rows.row(node) {
            if components.of(reference) != components.of(node) {
                referred[components.of(reference) as usize] = true;
            }
        }
    }
    set.iter()
        .filter(|&node| !std::mem::replace(&mut referred[components.of(node) as usize], true))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::{Cuts, closure, reachable};

    #[test]
    fn a_diamond_keeps_its_foot_by_its_head() {
        // 0 → 1, 2; 1 → 3; 2 → 3; 3 → 3, 4; 5 → 4
        let lists = [vec![1, 2], vec![3], vec![3], vec![3, 4], vec![], vec![4]];
        let rows = Rows::from_lists(&lists);
        let dominators = Dominators::new(&rows, &[0]);
        let of: Vec<_> = (0..6).map(|node| dominators.of(node)).collect();
        let node = Dominator::Node;
        assert_eq!(
            of,
            [Dominator::Roots, node(0), node(0), node(0), node(3), Dominator::Unreached]
        );
        let weights: Vec<_> = (0..6).map(|i| [1 << i]).collect();
        let retained = dominators.retained(&weights).unwrap();
        assert_eq!(retained, [[31], [2], [4], [24], [16], [0]]);

        // With a second root that reaches 4, nobody alone keeps it.
        let both = Dominators::new(&rows, &[0, 5, 5]);
        assert_eq!(both.of(4), Dominator::Roots);
        assert_eq!((dominators.reached(), both.reached()), (5, 6));
        assert_eq!(Dominators::new(&rows, &[]).reached(), 0);
    }

    #[test]
    fn roots_of_cycles_and_self_references() {
        // 0 → 0, 1; 2 ⇄ 3 → 1; 4 → 5 ⇄ 6
        let lists = [vec![0, 1], vec![], vec![3], vec![2, 1], vec![5], vec![6], vec![5]];
        let rows = Rows::from_lists(&lists);
        let all = NodeSet::from_nodes(7, 0..7);
        assert_eq!(roots(&rows, &all), [0, 2, 4]);
        assert_eq!(roots(&rows, &NodeSet::from_nodes(7, [1, 5, 6])), [1, 5]);
        assert_eq!(roots(&rows, &NodeSet::new(7)), [0u32; 0]);
    }

    fn graph() -> impl Strategy<Value = Rows> {
        (1u32..60).prop_flat_map(|nodes| {
            prop::collection::vec((0..nodes, 0..nodes), 0..200)
                .prop_map(move |edges| Rows::from_pairs(nodes as usize, edges.iter().copied()))
        })
    }

    proptest! {
        #[test]
        fn retained_is_what_goes_when_the_node_is_cut(
            rows in graph(),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let roots: Vec<u32> = picks.iter().map(|pick| pick.index(rows.len()) as u32).collect();
            let weights: Vec<_> = (0..rows.len() as u64).map(|i| [1 + i * i, 1]).collect();
            let retained = Dominators::new(&rows, &roots).retained(&weights).unwrap();
            let all = closure(&rows, roots.iter().copied());
            for node in 0..rows.len() as u32 {
                let nodes = NodeSet::from_nodes(rows.len(), [node]);
                let left = reachable(&rows, roots.iter().copied(), &Cuts { nodes, ..Cuts::default() });
                let mut gone = [0, 0];
                for &lost in all.iter().filter(|&&n| !left.contains(n)) {
                    gone.add(&weights[lost as usize]);
                }
                prop_assert_eq!(retained[node as usize], gone);
            }
        }

        #[test]
        fn dominators_and_components_equal_petgraphs(rows in graph()) {
            let mut other = petgraph::graph::DiGraph::<(), ()>::new();
            let nodes: Vec<_> = (0..rows.len()).map(|_| other.add_node(())).collect();
            for (node, row) in rows.iter().enumerate() {
                for &reference in row {
                    other.add_edge(nodes[node], nodes[reference as usize], ());
                }
            }
            let expected = petgraph::algo::dominators::simple_fast(&other, nodes[0]);
            let found = Dominators::new(&rows, &[0]);
            for &node in &nodes {
                let reached = node == nodes[0] || expected.immediate_dominator(node).is_some();
                let expected = match expected.immediate_dominator(node) {
                    Some(dominator) => Dominator::Node(dominator.index() as u32),
                    None if reached => Dominator::Roots,
                    None => Dominator::Unreached,
                };
                prop_assert_eq!(found.of(node.index() as u32), expected);
            }
            let components = Components::new(&rows, []);
            let expected = petgraph::algo::tarjan_scc(&other);
            prop_assert_eq!(components.len(), expected.len());
            for members in expected {
                let component = components.of(members[0].index() as u32);
                prop_assert!(members.iter().all(|m| components.of(m.index() as u32) == component));
            }
        }

        #[test]
        fn every_node_is_reached_from_the_roots_and_no_root_is_to_spare(rows in graph()) {
            let all = NodeSet::from_nodes(rows.len(), 0..rows.len() as u32);
            let found = roots(&rows, &all);
            prop_assert_eq!(closure(&rows, found.iter().copied()).len(), rows.len());
            for &spare in &found {
                let others = found.iter().copied().filter(|&root| root != spare);
                prop_assert!(closure(&rows, others).len() < rows.len());
            }
        }
    }
}
