//! A graph drawn as a tree: each node's references once, later ones marked.

use crate::graph::{NodeSet, Rows};

/// Levels drawn; deeper ones are told by number.
const DRAWN: usize = 48;

/// One line of a drawn graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The node.
    pub node: u32,
    /// Whose reference it is drawn as; none at the top.
    pub parent: Option<u32>,
    /// How many levels below the top.
    pub depth: u32,
    /// Whether it stood further up already, with its own references.
    pub repeated: bool,
}

/// Draws a graph from some tops: every node's references stand below it the
/// first time it is met, so each reference makes one line. `children` are a
/// node's references in the order wanted; self references are left out.
pub(super) fn draw(
    nodes: usize,
    tops: &[u32],
    depth: Option<u32>,
    mut children: impl FnMut(u32) -> Vec<u32>,
) -> Vec<Line> {
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
        lines.push(Line { node, parent, depth: level, repeated });
        if !repeated && depth.is_none_or(|depth| level < depth) {
            seen.insert(node);
            let mut below = children(node);
            below.retain(|&child| child != node);
            walk.push((below.into_iter(), Some(node)));
        }
    }
    lines
}

/// What stands before each line's name: the branches.
pub(super) fn branches(lines: &[Line]) -> Vec<String> {
    // Whether a level has another line further down, from the last line up.
    let mut open: Vec<bool> = Vec::new();
    let mut drawn: Vec<String> = (lines.iter().rev())
        .map(|line| {
            let depth = line.depth as usize;
            let more = open.get(depth).copied().unwrap_or(false);
            open.resize(depth + 1, false);
            open[depth] = true;
            if depth == 0 {
                return String::new();
            }
            if depth > DRAWN {
                return format!("{}… level {depth}: ", "    ".repeat(DRAWN));
            }
            let above = open[1..depth].iter().map(|&open| if open { "│   " } else { "    " });
            above.chain([if more { "├───" } else { "└───" }]).collect()
        })
        .collect();
    drawn.reverse();
    drawn
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
        let lines = draw(rows.len(), &[0], depth, |node| row_of(&rows, node));
        let mark = |line: &Line| if line.repeated { " [...]" } else { "" };
        let drawn = lines.iter().zip(branches(&lines));
        drawn.map(|(line, before)| format!("{before}{}{}", line.node, mark(line))).collect()
    }

    #[test]
    fn draws_each_reference_once() {
        let lists = [vec![1, 2], vec![3], vec![0, 2, 3], vec![4], vec![]];
        let expected = ["0", "├───1", "│   └───3", "│       └───4", "└───2"];
        let tail = ["    ├───0 [...]", "    └───3 [...]"];
        assert_eq!(text(&lists, None), [&expected[..], &tail].concat());
        assert_eq!(text(&lists, Some(1)), ["0", "├───1", "└───2"]);
    }

    #[test]
    fn as_many_chains_as_two_to_the_forty_are_drawn_at_once() {
        // Forty diamonds in a row: 0 → 1, 2 → 3 → 4, 5 → 6 …
        let row = |i: u32| match i % 3 {
            0 => vec![i + 1, i + 2],
            1 => vec![i + 2],
            _ => vec![i + 1],
        };
        let lists: Vec<_> = (0..120).map(row).chain([vec![]]).collect();
        assert_eq!(text(&lists, None).len(), 1 + 160);
    }

    #[test]
    fn a_very_deep_graph_is_no_quadratic_drawing() {
        let lists: Vec<Vec<u32>> = (1..=100_000).map(|i| vec![i]).chain([vec![]]).collect();
        let drawn = text(&lists, None);
        assert_eq!(drawn.len(), 100_001);
        assert!(drawn[100_000].ends_with("level 100000: 100000"));
    }
}
