//! Getting space back: what can be done, what each thing brings, and what is
//! enough.
//!
//! | file | holds |
//! |---|---|
//! | `need` | how much is to come free |
//! | `smallest` | the smallest set of roots whose removal is enough |

mod need;
mod smallest;

pub use need::{Measure, Need};
pub use smallest::{Proof, SmallestOptions, SmallestSet, Tier};
