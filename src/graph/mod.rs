//! Pure algorithms over rows of `u32`: no store, no disk, no I/O.
//!
//! A graph is [`Rows`]: row `u` lists the nodes that `u` refers to, each below
//! the number of rows. Cycles, self references and repeated entries may occur
//! (a hostile database may hold them) and harm nothing; no algorithm here
//! recurses. Where an algorithm walks against the references, hand it the
//! [transposed](Rows::transpose) rows.

pub(crate) mod closure;
pub(crate) mod closure_sizes;
pub(crate) mod dominators;
mod node;
pub(crate) mod node_set;
mod rows;
mod scc;
mod shortest_path;
pub(crate) mod weights;

pub(crate) use closure::{Cuts, closure, reachable};
pub(crate) use closure_sizes::closure_sizes;
pub(crate) use dominators::{Dominator, Dominators, roots};
pub(crate) use node::{Node, node_number};
pub(crate) use node_set::NodeSet;
pub use rows::Rows;
pub(crate) use scc::Components;
pub(crate) use shortest_path::{ShortestPaths, between};
pub use weights::TooHeavy;
pub(crate) use weights::{Weight, saturating_add, saturating_sum, weight};
