//! What is reached from a set of nodes, with or without some nodes and
//! references cut out.

use std::collections::HashSet;

use super::{NodeSet, Rows};

/// Nodes and single references to treat as removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cuts {
    /// Nodes that are never entered, even when asked for.
    pub nodes: NodeSet,
    /// References (from, to) that are never followed.
    pub edges: HashSet<(u32, u32)>,
}

/// The closure of some nodes: they and all they refer to, transitively,
/// ascending. Of the [transposed](Rows::transpose) rows: all that refers to
/// them.
///
/// # Panics
/// If a node is not below `rows.len()`.
pub fn closure<I: IntoIterator<Item = u32>>(rows: &Rows, from: I) -> Vec<u32> {
    reachable(rows, from, &Cuts::default()).iter().collect()
}

/// The nodes reached from some nodes once the cuts are removed.
///
/// # Panics
/// If a node is not below `rows.len()`.
pub(crate) fn reachable<I: IntoIterator<Item = u32>>(rows: &Rows, from: I, cuts: &Cuts) -> NodeSet {
    let mut seen = NodeSet::new(rows.len());
    let mut todo = Vec::new();
    for node in from {
        if !cuts.nodes.contains(node) && seen.insert(node) {
            todo.push(node);
        }
    }
    while let Some(node) = todo.pop() {
        for &next in rows.row(node) {
            let cut = cuts.nodes.contains(next)
                || (!cuts.edges.is_empty() && cuts.edges.contains(&(node, next)));
            if !cut && seen.insert(next) {
                todo.push(next);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 → 1 → 2 → 1, 0 → 3 → 3, 4 alone.
    fn rows() -> Rows {
        Rows::from_lists(&[vec![1, 3], vec![2], vec![1], vec![3], vec![]])
    }

    #[test]
    fn closures_with_cycles() {
        assert_eq!(closure(&rows(), [0]), [0, 1, 2, 3]);
        assert_eq!(closure(&rows(), [4, 2, 2]), [1, 2, 4]);
        assert_eq!(closure(&rows().transpose(5), [1]), [0, 1, 2]);
        assert_eq!(closure(&rows(), []), [0u32; 0]);
    }

    #[test]
    fn cut_nodes_and_references() {
        let nodes = NodeSet::from_nodes(5, [3]);
        let cuts = Cuts { nodes, edges: HashSet::from([(1, 2)]) };
        assert_eq!(reachable(&rows(), [0, 3], &cuts).iter().collect::<Vec<_>>(), [0, 1]);
    }
}
