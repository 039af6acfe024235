//! The integration tests: one binary, one module a topic.

mod cli;
mod disk;
mod faults;
mod garbage;
mod graph;
mod live;
mod optimise;
mod questions;
mod report;
mod roots;
mod stores;
mod story;
mod support;
