//! What optimising would save, exactly, without touching the store.

#[cfg(test)]
mod cases;
pub mod simulate;
mod version;

pub use version::{NixRule, NixVersion, VersionError};
