//! Shortest chains of references, and all that lies between two sets of nodes.

use super::{Cuts, Node, NodeSet, Rows, reachable};

/// The shortest chains of references from some nodes to all they reach.
#[derive(Clone, Debug)]
pub(crate) struct ShortestPaths {
    /// The node before each on its chain, itself where the chain begins; none
    /// where no chain leads.
    before: Vec<Option<Node>>,
}

impl ShortestPaths {
    /// Finds a shortest chain from one of `from` to every node; of several, the
    /// one whose nodes are lowest, compared from the far end. Of the
    /// [transposed](Rows::transpose) rows: chains that lead to `from`.
    ///
    /// # Panics
    /// If a node of `from` is not below `rows.len()`.
    pub(crate) fn new(rows: &Rows, from: &[u32]) -> Self {
        let mut before = vec![None; rows.len()];
        let mut level: Vec<u32> = from.to_vec();
        for &node in from {
            before[node as usize] = Some(Node::new(node));
        }
        while !level.is_empty() {
            // Levels ascend, so each node is first reached from the lowest one.
            level.sort_unstable();
            let mut next = Vec::new();
            for &node in &level {
                for &reference in rows.row(node) {
                    if before[reference as usize].is_none() {
                        before[reference as usize] = Some(Node::new(node));
                        next.push(reference);
                    }
                }
            }
            level = next;
        }
        Self { before }
    }

    /// The chain to a node, both ends included; none if there is no chain.
    pub(crate) fn to(&self, node: u32) -> Option<Vec<u32>> {
        let mut chain = vec![node];
        let mut at = node;
        loop {
            let before = (*self.before.get(at as usize)?)?.node();
            if before == at {
                break;
            }
            chain.push(before);
            at = before;
        }
        chain.reverse();
        Some(chain)
    }
}

/// The nodes that lie on some chain from one of `from` to one of `to`: all that
/// the first reach and from which the second are reached. Chains are not
/// counted out, so it does not matter how many there are. `transposed` are the
/// same rows [turned round](Rows::transpose).
///
/// # Panics
/// If a node is not below `rows.len()`.
pub(crate) fn between(rows: &Rows, transposed: &Rows, from: &[u32], to: &[u32]) -> NodeSet {
    let forward = reachable(rows, from.iter().copied(), &Cuts::default());
    let backward = reachable(transposed, to.iter().copied(), &Cuts::default());
    NodeSet::from_nodes(rows.len(), forward.iter().filter(|&node| backward.contains(node)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::closure;

    /// 0 → 1 → 2 → 5, 0 → 4 → 3 → 5, 0 → 0, 5 → 6 → 5, 7 alone.
    fn rows() -> Rows {
        let lists = [vec![4, 1, 0], vec![2], vec![5], vec![5], vec![3], vec![6], vec![5], vec![]];
        Rows::from_lists(&lists)
    }

    #[test]
    fn the_lowest_of_the_shortest() {
        let to = |from: &[u32], to| ShortestPaths::new(&rows(), from).to(to);
        assert_eq!(to(&[0], 5), Some(vec![0, 1, 2, 5]));
        assert_eq!(to(&[3, 0, 1, 3], 5), Some(vec![3, 5]));
        assert_eq!(to(&[5], 5), Some(vec![5]));
        assert_eq!(to(&[1], 7), None);
        assert_eq!(to(&[], 0), None);
        assert_eq!(to(&[0], 8), None);
    }

    #[test]
    fn what_lies_between() {
        let transposed = rows().transpose(8);
        let between = |from: &[u32], to: &[u32]| -> Vec<u32> {
            super::between(&rows(), &transposed, from, to).iter().collect()
        };
        assert_eq!(between(&[1], &[5]), [1, 2, 5, 6]);
        assert_eq!(between(&[0], &[3]), [0, 3, 4]);
        assert_eq!(between(&[7], &[0]), [0u32; 0]);
    }

    #[test]
    fn as_many_chains_as_two_to_the_forty() {
        // Forty diamonds in a row.
        let row = |i: u32| match i % 3 {
            0 => vec![i + 1, i + 2],
            1 => vec![i + 2],
            _ => vec![i + 1],
        };
        let mut lists: Vec<_> = (0..120).map(row).collect();
        lists.push(vec![]);
        let rows = Rows::from_lists(&lists);
        let found = between(&rows, &rows.transpose(121), &[0], &[120]);
        assert_eq!(found.len(), 121);
        assert_eq!(ShortestPaths::new(&rows, &[0]).to(120).unwrap().len(), 81);
    }

    proptest! {
        #[test]
        fn chains_are_chains_and_none_is_shorter(
            nodes in 1u32..50,
            edges in prop::collection::vec((any::<u32>(), any::<u32>()), 0..120),
            ends in prop::collection::vec((any::<u32>(), any::<bool>()), 0..6),
        ) {
            let edges: Vec<_> = edges.iter().map(|&(a, b)| (a % nodes, b % nodes)).collect();
            let rows = Rows::from_pairs(nodes as usize, edges.iter().copied());
            let ends = |which| ends.iter().filter(move |e| e.1 == which).map(|e| e.0 % nodes);
            let from: Vec<u32> = ends(false).collect();
            // Bellman and Ford's way, one step a round.
            let mut steps = vec![usize::MAX; nodes as usize];
            from.iter().for_each(|&n| steps[n as usize] = 0);
            for _ in 0..nodes {
                for &(a, b) in &edges {
                    steps[b as usize] = steps[b as usize].min(steps[a as usize].saturating_add(1));
                }
            }
            let paths = ShortestPaths::new(&rows, &from);
            for node in 0..nodes {
                let found = paths.to(node);
                let shortest = Some(steps[node as usize]).filter(|&s| s != usize::MAX);
                prop_assert_eq!(found.as_ref().map(|chain| chain.len() - 1), shortest);
                if let Some(chain) = found {
                    prop_assert!(from.contains(&chain[0]) && chain[chain.len() - 1] == node);
                    prop_assert!(chain.windows(2).all(|w| rows.row(w[0]).contains(&w[1])));
                }
            }
            let to: Vec<u32> = ends(true).collect();
            let found = between(&rows, &rows.transpose(nodes as usize), &from, &to);
            let reached = closure(&rows, from);
            for node in 0..nodes {
                let on = reached.contains(&node) && to.iter().any(|t| closure(&rows, [node]).contains(t));
                prop_assert_eq!(found.contains(node), on);
            }
        }
    }
}
