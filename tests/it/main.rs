//! The integration tests, in one binary.

mod disk;
mod garbage;
mod graph;
mod report;
mod roots;
mod stores;
mod support;
