//! The integration tests: one binary, one module a topic.

mod stores;
mod support;
