//! The heaviest lines of a tree, and those that lead to them.
use crate::arrange::Arrange as _;

use crate::answer::{Cell, GraphLine, RowIter};
use std::cmp::Reverse;

/// Rows and lines of a tree.
type Lines<'a> = (Vec<Vec<Cell<'a>>>, Vec<GraphLine>);

/// At most so many lines of a tree, with how many there are: the heaviest with
/// all that is above them; the first where there is no weight.
pub(super) fn lines<'a>(
    rows: RowIter<'a>,
    lines: &[GraphLine],
    weight: Option<usize>,
    most: usize,
) -> (Vec<Vec<Cell<'a>>>, Vec<GraphLine>, usize) {
    let mut rows: Vec<Vec<Cell<'a>>> = rows.collect();
    let mut lines = lines.to_vec();
    let total = rows.len();
    keep(&mut rows, &mut lines, weight, most);
    (rows, lines, total)
}

/// Leaves at most so many lines.
pub(super) fn keep<'a>(
    rows: &mut Vec<Vec<Cell<'a>>>,
    lines: &mut Vec<GraphLine>,
    weight: Option<usize>,
    most: usize,
) {
    if rows.len() <= most {
        return;
    }
    let chosen = choose(rows, lines, weight, most);
    let (old_rows, old_lines): Lines<'a> = (std::mem::take(rows), std::mem::take(lines));
    for ((row, line), chosen) in old_rows.into_iter().zip(old_lines).zip(chosen) {
        if chosen {
            rows.push(row);
            lines.push(line);
        }
    }
}

fn choose(
    rows: &[Vec<Cell<'_>>],
    lines: &[GraphLine],
    weight: Option<usize>,
    most: usize,
) -> Vec<bool> {
    let size = |i: &usize| match weight.and_then(|at| rows[*i].get(at)) {
        Some(Cell::Size(n)) => *n,
        _ => 0,
    };
    // The line above each, that it is a child of.
    let mut above: Vec<Option<usize>> = Vec::with_capacity(lines.len());
    let mut open: Vec<usize> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        open.truncate(line.depth as usize);
        above.push(open.last().copied());
        open.push(i);
    }
    let mut order: Vec<usize> = (0..lines.len()).collect();
    if weight.is_some() {
        order.arrange_by_key(|i| (lines[*i].repeated, Reverse(size(i)), *i));
    }
    let (mut chosen, mut left) = (vec![false; lines.len()], most);
    for i in order {
        let way = std::iter::successors(Some(i), |&i| above[i]).take_while(|&i| !chosen[i]);
        // A longer one does not fit: how long it is, does not matter.
        let way: Vec<usize> = way.take(left + 1).collect();
        if way.len() <= left {
            left -= way.len();
            way.into_iter().for_each(|i| chosen[i] = true);
        }
        if left == 0 {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavy_are_shown_with_what_leads_to_them() {
        let line = |node, depth| GraphLine { node, parent: None, depth, repeated: false };
        let lines = [line(0, 0), line(1, 1), line(2, 2), line(3, 1), line(4, 2)];
        let sizes = [10, 5, 1, 4, 3];
        let rows: Vec<Vec<Cell<'_>>> = sizes.iter().map(|&n| vec![Cell::Size(n)]).collect();
        assert_eq!(choose(&rows, &lines, Some(0), 3), [true, true, false, true, false]);
        assert_eq!(choose(&rows, &lines, Some(0), 4), [true, true, false, true, true]);
        assert_eq!(choose(&rows, &lines, None, 3), [true, true, true, false, false]);
    }

    #[test]
    fn the_heaviest_of_a_long_chain_are_not_found_in_quadratic_time() {
        let line = |node| GraphLine { node, parent: None, depth: node, repeated: false };
        let lines: Vec<_> = (0..200_000).map(line).collect();
        let rows: Vec<Vec<Cell<'_>>> =
            lines.iter().map(|line| vec![Cell::Size(line.depth.into())]).collect();
        let chosen = choose(&rows, &lines, Some(0), 3);
        assert!(chosen.iter().enumerate().all(|(i, &chosen)| chosen == (i < 3)));
    }
}
