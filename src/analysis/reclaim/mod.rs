//! Getting space back: what can be done, what each thing brings, and what is
//! enough.
//!
//! | file | holds |
//! |---|---|
//! | `ladder` | what can be done, and what each thing still brings |
//! | `makers` | who made a link, by the shape of its place |
//! | `commands` | what a person would run |
//! | `document` | the ladder for printing |
//! | `need` | how much is to come free |
//! | `outside` | what lies outside the store, for printing |
//! | `smallest` | the smallest set of roots whose removal is enough |

mod commands;
mod document;
mod ladder;
mod makers;
mod need;
mod outside;
mod smallest;

pub use commands::Manager;
pub use ladder::{Action, ActionKind, AskOptimise, Bound, LadderOptions, Reclaim};
pub use makers::Maker;
pub use need::{Measure, Need};
pub(in crate::analysis) use outside::Printed;
pub use smallest::{Proof, SmallestOptions, SmallestSet, Tier};
