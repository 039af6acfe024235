//! A set of nodes, one bit each.

use fixedbitset::FixedBitSet;

/// A set of nodes of a graph of known size, one bit a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSet(FixedBitSet);

impl NodeSet {
    /// The empty set over nodes `0..nodes`.
    pub fn new(nodes: usize) -> Self {
        Self(FixedBitSet::with_capacity(nodes))
    }

    /// The set of the given nodes, all below `nodes`.
    ///
    /// # Panics
    /// If a node is not below `nodes`.
    pub fn from_nodes<I: IntoIterator<Item = u32>>(nodes: usize, members: I) -> Self {
        let mut set = Self::new(nodes);
        for node in members {
            set.insert(node);
        }
        set
    }

    /// Adds a node; whether it was new.
    ///
    /// # Panics
    /// If the node is outside the graph the set was made for.
    #[inline]
    pub fn insert(&mut self, node: u32) -> bool {
        !self.0.put(node as usize)
    }

    /// Removes a node; whether it was there.
    pub fn remove(&mut self, node: u32) -> bool {
        let was = self.contains(node);
        if was {
            self.0.remove(node as usize);
        }
        was
    }

    /// Whether the node is in the set. Nodes outside the graph are not.
    #[inline]
    pub fn contains(&self, node: u32) -> bool {
        self.0.contains(node as usize)
    }

    /// How many nodes are in the set.
    pub fn len(&self) -> usize {
        self.0.count_ones(..)
    }

    /// Whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_clear()
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.ones().map(|node| node as u32)
    }
}

/// The set bits of a word, ascending.
pub(super) struct Bits(pub(super) u64);

impl Iterator for Bits {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_out_ascending_and_once() {
        let mut set = NodeSet::from_nodes(200, [130, 0, 63, 64, 130]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 130]);
        assert_eq!(set.len(), 4);
        assert!(!set.insert(63) && set.insert(62));
        assert!(set.remove(64) && !set.remove(64) && !set.contains(64));
        assert!(!set.contains(5000) && !set.remove(5000));
        assert!(!set.is_empty() && NodeSet::new(200).is_empty() && NodeSet::new(0).is_empty());
    }
}
