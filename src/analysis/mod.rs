//! One module a question. Each gives a typed answer, sizes in bytes, and
//! turns it into a [`Document`](crate::answer::Document) for printing.

pub mod audit;
pub mod check;
pub mod derivers;
pub mod diff;
pub mod files;
pub mod garbage;
mod graph_changes;
mod graph_lines;
mod hard_links;
pub mod kinds;
pub(crate) mod liveness;
pub mod optimise;
pub mod overview;
pub(crate) mod page;
mod path_names;
mod physical;
pub mod reclaim;
pub mod reference_locations;
pub mod report;
pub mod retained;
pub mod roots;
pub mod suggest;
pub mod tree;
pub mod variants;
pub mod what_if;
pub mod why;

pub use graph_changes::Gain;
pub use physical::Held;

#[cfg(test)]
mod tests;
