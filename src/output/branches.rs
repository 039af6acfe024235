//! The branches of a tree, drawn before the names of a graph's nodes.

use crate::answer::GraphLine;

/// Levels drawn where there is room for any; deeper ones are numbered.
pub(super) const DRAWN: usize = 48;

/// Columns of a level.
pub(super) const LEVEL: usize = 4;

/// What stands before each line's name: the branches of at most `drawn` levels.
pub(super) fn branches(lines: &[GraphLine], drawn: usize) -> Vec<String> {
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
            let fits = depth <= drawn;
            let levels = if fits { depth } else { drawn.max(1) };
            let mut branches = String::with_capacity((levels + 2) * "│   ".len());
            for &open in &open[1..levels] {
                branches.push_str(if open { "│   " } else { "    " });
            }
            match (fits, more) {
                (true, true) => branches.push_str("├── "),
                (true, false) => branches.push_str("└── "),
                (false, _) => branches.push_str(&format!("…{depth}: ")),
            }
            branches
        })
        .collect();
    drawn.reverse();
    drawn
}

/// What stands after the name of a node that is listed further up already.
pub(super) fn mark(line: &GraphLine) -> &'static str {
    if line.repeated { " [...]" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(lines: &[(u32, u32, bool)], levels: usize) -> Vec<String> {
        let line = |&(depth, node, repeated)| GraphLine { node, parent: None, depth, repeated };
        let lines: Vec<_> = lines.iter().map(line).collect();
        let drawn = lines.iter().zip(branches(&lines, levels));
        drawn.map(|(line, before)| format!("{before}{}{}", line.node, mark(line))).collect()
    }

    #[test]
    fn draws_what_is_below_what() {
        let lines = [(0, 0), (1, 1), (2, 3), (3, 4), (1, 2), (2, 0), (2, 3)];
        let lines: Vec<_> =
            lines.iter().enumerate().map(|(i, &(depth, node))| (depth, node, i > 4)).collect();
        let expected = ["0", "├── 1", "│   └── 3", "│       └── 4", "└── 2"];
        let tail = ["    ├── 0 [...]", "    └── 3 [...]"];
        assert_eq!(draw(&lines, DRAWN), [&expected[..], &tail].concat());
        assert_eq!(draw(&lines, 1)[..2], ["0", "├── 1"]);
        assert_eq!(draw(&lines[..4], 2)[2..], ["    └── 3", "    …3: 4"]);
    }

    #[test]
    fn a_very_deep_graph_is_not_drawn_in_quadratic_time() {
        let lines: Vec<_> = (0..=100_000).map(|i| (i, i, false)).collect();
        let drawn = draw(&lines, DRAWN);
        assert_eq!(drawn.len(), 100_001);
        assert!(drawn[100_000].ends_with("…100000: 100000"));
    }
}
