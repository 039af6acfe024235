//! The integration tests, in one binary.

mod cli;
mod disk;
mod garbage;
mod graph;
mod optimise;
mod questions;
mod faults;
mod graph;
mod live;
mod report;
mod roots;
mod stores;
mod story;
mod support;
