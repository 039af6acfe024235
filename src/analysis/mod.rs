//! One module a question. Each gives a typed answer, sizes in bytes, and
//! turns it into a [`Document`](crate::output::Document) for printing.

pub mod garbage;
pub mod liveness;
pub mod overview;
pub mod report;
pub mod roots;
