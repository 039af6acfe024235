//! The integration tests, in one binary.

mod cli;
mod disk;
mod faults;
mod graph;
mod live;
mod report;
mod roots;
mod stores;
mod support;
