//! How many rows of several lists fit on one screen.

use crate::arrange::Arrange as _;

/// The least that is shown of the list that answers the question, and of others.
const MAIN: usize = 5;
const OTHER: usize = 3;

/// What a list would take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// Its rows.
    pub(super) rows: usize,
    /// Its other lines.
    pub(super) overhead: usize,
    /// Whether it answers the question.
    pub(super) main: bool,
}

/// How many rows of each list to show in so many lines; `None` for those that
/// have to do with one line.
pub(super) fn plan(lines: usize, demands: &[Demand]) -> Vec<Option<usize>> {
    let least = |d: &Demand| d.rows.min(if d.main { MAIN } else { OTHER });
    // A line says how many rows are left out.
    let cost = |d: &Demand, rows: usize| d.overhead + rows + usize::from(rows < d.rows);
    let all: usize = demands.iter().map(|d| cost(d, least(d))).sum();
    let has_main = demands.iter().any(|d| d.main);
    let collapse = all > lines && has_main;
    let shown = |d: &Demand| d.main || !collapse || d.rows == 0;
    let mut rows: Vec<Option<usize>> = demands.iter().map(|d| shown(d).then(|| least(d))).collect();
    let used = |rows: &[Option<usize>]| -> usize {
        demands.iter().zip(rows).map(|(d, rows)| rows.map_or(1, |rows| cost(d, rows))).sum()
    };
    // The main list first, then the others in turn.
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.arrange_by_key(|&i| !demands[i].main);
    let others = demands.iter().filter(|d| !d.main).count();
    for (turn, &i) in order.iter().enumerate() {
        let Some(now) = rows[i] else { continue };
        let left = lines.saturating_sub(used(&rows));
        // The main list leaves as much to each other one as it has at least.
        let keep = if turn == 0 && !collapse { (others * OTHER).min(left / 2) } else { 0 };
        let mut more = left.saturating_sub(keep).min(demands[i].rows - now);
        if now + more + 1 == demands[i].rows {
            // The line that says so takes as much as the last row itself.
            more += 1;
        }
        rows[i] = Some(now + more);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_list_takes_what_there_is() {
        let list = |rows| [Demand { rows, overhead: 2, main: true }];
        assert_eq!(plan(20, &list(10)), [Some(10)]);
        assert_eq!(plan(20, &list(100)), [Some(17)]);
        assert_eq!(plan(20, &list(18)), [Some(18)]);
        assert_eq!(plan(20, &list(19)), [Some(17)]);
        assert_eq!(plan(0, &list(100)), [Some(5)]);
    }

    #[test]
    fn other_lists_get_less_or_a_line() {
        let list = |rows, main| Demand { rows, overhead: 2, main };
        let lists = [list(100, true), list(100, false)];
        let rows: Vec<usize> = plan(30, &lists).into_iter().flatten().collect();
        assert!(rows[0] > rows[1] && rows[1] >= 3, "{rows:?}");
        assert!(rows[0] + rows[1] + 6 <= 30, "{rows:?}");
        assert_eq!(plan(12, &lists), [Some(8), None]);
    }
}
