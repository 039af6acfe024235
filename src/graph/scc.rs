//! Strongly connected components: the cycles of a graph, and its order once
//! each cycle is taken as one node.

use super::Rows;

/// How far the walk is with a node.
#[derive(Clone, Copy)]
enum State {
    /// It was not met.
    Unseen,
    /// It was met, and of what it reaches and whose component is not known yet,
    /// this was found first: a count of the nodes found before.
    Open(u32),
    /// Its component is known.
    Done,
}

impl State {
    /// It reaches what was found then.
    fn reach(&mut self, reached: u32) {
        if let Self::Open(lowest) = self {
            *lowest = reached.min(*lowest);
        }
    }
}

/// The strongly connected components, numbered so that every component comes
/// after all that it refers to (the order in which a depth-first walk leaves
/// them, so that what is close in the graph gets close numbers).
#[derive(Clone, Debug)]
pub(crate) struct Components {
    of: Vec<u32>,
    count: u32,
}

impl Components {
    /// Finds the components (Tarjan 1972, with an explicit stack), beginning
    /// the walk at the given nodes in turn, then at all others in turn.
    ///
    /// # Panics
    /// If a node of `first` is not below `rows.len()`.
    pub(crate) fn new<I: IntoIterator<Item = u32>>(rows: &Rows, first: I) -> Self {
        let nodes = rows.len();
        let mut state = vec![State::Unseen; nodes];
        let mut of = vec![0u32; nodes];
        let mut count = 0u32;
        let mut found = 0u32;
        // Nodes found whose component is not known yet.
        let mut open: Vec<u32> = Vec::new();
        // The walk: node, next entry of its row, how many were found before it.
        let mut walk: Vec<(u32, u32, u32)> = Vec::new();
        for start in first.into_iter().chain(0..nodes as u32) {
            let State::Unseen = state[start as usize] else { continue };
            walk.push((start, 0, found));
            state[start as usize] = State::Open(found);
            open.push(start);
            found += 1;
            while let Some((node, at, when)) = walk.last_mut() {
                let node = *node;
                if let Some(&next) = rows.row(node).get(*at as usize) {
                    *at += 1;
                    match state[next as usize] {
                        State::Unseen => {
                            walk.push((next, 0, found));
                            state[next as usize] = State::Open(found);
                            open.push(next);
                            found += 1;
                        }
                        State::Done => {}
                        State::Open(reached) => state[node as usize].reach(reached),
                    }
                    continue;
                }
                let when = *when;
                walk.pop();
                let State::Open(reached) = state[node as usize] else { continue };
                // It reaches nothing found before it: all that is open from it
                // on is one component. What it refers to was numbered before it.
                if reached == when {
                    while let Some(member) = open.pop() {
                        state[member as usize] = State::Done;
                        of[member as usize] = count;
                        if member == node {
                            break;
                        }
                    }
                    count += 1;
                } else if let Some(&(parent, ..)) = walk.last() {
                    state[parent as usize].reach(reached);
                }
            }
        }
        Self { of, count }
    }

    /// The number of components.
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// The component of a node.
    ///
    /// # Panics
    /// If there is no such node.
    pub(crate) fn of(&self, node: u32) -> u32 {
        self.of[node as usize]
    }

    /// The component of every node.
    pub(crate) fn as_slice(&self) -> &[u32] {
        &self.of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_one_component_and_references_come_first() {
        // 0 → 1 ⇄ 2 → 3, 4 → 4
        let rows = Rows::from_lists(&[vec![1], vec![2], vec![1, 3], vec![], vec![4]]);
        let components = Components::new(&rows, []);
        assert_eq!(components.len(), 4);
        assert_eq!(components.of(1), components.of(2));
        for (node, row) in (0..).zip(rows.iter()) {
            for &reference in row {
                assert!(components.of(reference) <= components.of(node));
            }
        }
        assert_eq!(Components::new(&Rows::default(), []).len(), 0);
    }
}
