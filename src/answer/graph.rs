//! Graphs, listed so that they can be drawn as trees.

/// One line of a listed graph: a node below the one that it is a child of.
///
/// A node has its children below it only where it is listed first, so that
/// there is one line for each edge and one for each node at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphLine {
    /// The node.
    pub node: u32,
    /// Which node it is a child of; none at the top.
    pub parent: Option<u32>,
    /// How many levels below the top.
    pub depth: u32,
    /// Whether it is listed further up already, with its children.
    pub repeated: bool,
}
