//! The integration tests, in one binary.

mod disk;
mod report;
mod stores;
mod support;
