//! The integration tests, in one binary.

mod disk;
mod garbage;
mod graph;
mod optimise;
mod questions;
mod report;
mod roots;
mod stores;
mod story;
mod support;
