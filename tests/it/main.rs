//! The integration tests: one binary, one module a topic.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod architecture;
mod attacks;
mod audit;
mod cli;
mod columns;
mod concurrent_writer;
mod content_addressed;
mod cost;
mod demo;
mod disk;
mod files;
mod garbage;
mod generate;
mod graph;
mod habits;
mod hostile_database;
mod images;
mod kinds;
mod layers;
mod limits;
mod names;
mod optimise;
mod packaging;
mod profiles;
mod readme;
mod reclaim;
mod report;
mod roots;
mod sources;
mod stores;
mod story;
mod support;
mod tables;
mod variants;
mod why_tree_what_if;
