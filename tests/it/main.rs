//! The integration tests, in one binary.

mod cli;
mod cost;
mod disk;
mod faults;
mod graph;
mod live;
mod report;
mod roots;
mod stores;
mod support;
