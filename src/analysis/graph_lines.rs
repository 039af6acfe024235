//! A graph listed so that it can be drawn as a tree.

use crate::answer::GraphLine;
use crate::graph::{NodeSet, Rows};

/// Lists a graph from some tops: every node's references stand below it the
/// first time it is met, so each reference makes one line. `children` are a
/// node's references in the order wanted; self references are left out.
pub(super) fn list(
    nodes: usize,
    tops: &[u32],
    depth: Option<u32>,
    mut children: impl FnMut(u32) -> Vec<u32>,
) -> Vec<GraphLine> {
    let mut seen = NodeSet::new(nodes);
    let mut lines = Vec::new();
    let tops: Vec<u32> = tops.into();
    let mut walk = vec![(tops.into_iter(), None)];
    while let Some((rest, parent)) = walk.last_mut() {
        let parent = *parent;
        let Some(node) = rest.next() else {
            walk.pop();
            continue;
        };
        let level = walk.len() as u32 - 1;
        let repeated = seen.contains(node);
        lines.push(GraphLine { node, parent, depth: level, repeated });
        if !repeated && depth.is_none_or(|depth| level < depth) {
            seen.insert(node);
            let mut below = children(node);
            below.retain(|&child| child != node);
            walk.push((below.into_iter(), Some(node)));
        }
    }
    lines
}

/// The row of a node as a list.
pub(super) fn row_of(rows: &Rows, node: u32) -> Vec<u32> {
    rows.row(node).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lists: &[Vec<u32>], depth: Option<u32>) -> Vec<String> {
        let rows = Rows::from_lists(lists);
        let lines = list(rows.len(), &[0], depth, |node| row_of(&rows, node));
        let mark = |line: &GraphLine| if line.repeated { " again" } else { "" };
        lines.iter().map(|line| format!("{} {}{}", line.depth, line.node, mark(line))).collect()
    }

    #[test]
    fn lists_each_reference_once() {
        let lists = [vec![1, 2], vec![3], vec![0, 2, 3], vec![4], vec![]];
        let expected = ["0 0", "1 1", "2 3", "3 4", "1 2", "2 0 again", "2 3 again"];
        assert_eq!(text(&lists, None), expected);
        assert_eq!(text(&lists, Some(1)), ["0 0", "1 1", "1 2"]);
    }

    #[test]
    fn as_many_chains_as_two_to_the_forty_are_listed_at_once() {
        // Forty diamonds in a row: 0 → 1, 2 → 3 → 4, 5 → 6 …
        let row = |i: u32| match i % 3 {
            0 => vec![i + 1, i + 2],
            1 => vec![i + 2],
            _ => vec![i + 1],
        };
        let lists: Vec<_> = (0..120).map(row).chain([vec![]]).collect();
        assert_eq!(text(&lists, None).len(), 1 + 160);
    }
}
