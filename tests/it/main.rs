//! The integration tests, in one binary.

mod audit;
mod disk;
mod graph;
mod report;
mod roots;
mod sources;
mod stores;
mod support;
