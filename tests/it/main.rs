//! The integration tests: one binary, one module a topic.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod architecture;
mod audit;
mod cli;
mod columns;
mod content_addressed;
mod cost;
mod disk;
mod faults;
mod garbage;
mod graph;
mod images;
mod live;
mod names;
mod optimise;
mod profiles;
mod questions;
mod report;
mod roots;
mod sources;
mod stores;
mod story;
mod support;
