//! The integration tests, in one binary.

mod disk;
mod graph;
mod report;
mod stores;
mod support;
