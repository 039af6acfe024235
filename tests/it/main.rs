//! The integration tests, in one binary.

mod disk;
mod graph;
mod optimise;
mod report;
mod stores;
mod support;
