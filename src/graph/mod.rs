//! Pure algorithms over rows of `u32`: no store, no disk, no I/O.
//!
//! A graph is [`Rows`]: row `u` lists the nodes that `u` refers to, each below
//! the number of rows. Cycles, self references and repeated entries may occur
//! (a hostile database may hold them) and harm nothing; no algorithm here
//! recurses. Where an algorithm walks against the references, hand it the
//! [transposed](Rows::transpose) rows.

mod closure;
mod closure_sizes;
mod dominators;
mod node;
mod node_set;
mod rows;
mod scc;
mod shortest_path;
mod weights;

pub use closure::{Cuts, closure, reachable};
pub use closure_sizes::{ClosureSizes, closure_sizes};
pub use dominators::{Dominator, Dominators, roots};
pub(crate) use node::node_number;
pub use node_set::NodeSet;
pub use rows::Rows;
pub use scc::Components;
pub use shortest_path::{ShortestPaths, between};
pub use weights::{TooHeavy, Weights, saturating_add, saturating_sum};
