//! Strongly connected components: the cycles of a graph, and its order once
//! each cycle is taken as one node.

use super::Rows;

const UNSEEN: u32 = u32::MAX;

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
        // When a node was found; once its component is known, UNSEEN - 1.
        const DONE: u32 = UNSEEN - 1;
        let mut low = vec![UNSEEN; nodes];
        let mut of = vec![0u32; nodes];
        let mut count = 0u32;
        let mut found = 0u32;
        // Nodes found whose component is not known yet.
        let mut open: Vec<u32> = Vec::new();
        // The walk: node, next entry of its row, when it was found.
        let mut walk: Vec<(u32, u32, u32)> = Vec::new();
        for start in first.into_iter().chain(0..nodes as u32) {
            if low[start as usize] != UNSEEN {
                continue;
            }
            walk.push((start, 0, found));
            low[start as usize] = found;
            open.push(start);
            found += 1;
            while let Some((node, at, when)) = walk.last_mut() {
                let node = *node;
                if let Some(&next) = rows.row(node).get(*at as usize) {
                    *at += 1;
                    match low[next as usize] {
                        UNSEEN => {
                            walk.push((next, 0, found));
                            low[next as usize] = found;
                            open.push(next);
                            found += 1;
                        }
                        DONE => {}
                        reached => low[node as usize] = low[node as usize].min(reached),
                    }
                    continue;
                }
                let when = *when;
                walk.pop();
                let reached = low[node as usize];
                // It reaches nothing found before it: all that is open from it
                // on is one component. What it refers to was numbered before it.
                if reached == when {
                    while let Some(member) = open.pop() {
                        low[member as usize] = DONE;
                        of[member as usize] = count;
                        if member == node {
                            break;
                        }
                    }
                    count += 1;
                } else if let Some(&(parent, ..)) = walk.last() {
                    low[parent as usize] = low[parent as usize].min(reached);
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
