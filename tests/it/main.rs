//! The integration tests, in one binary.

mod disk;
mod graph;
mod questions;
mod report;
mod stores;
mod support;
