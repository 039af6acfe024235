//! The Nix archive format: its size from sizes alone, its hash, and nix32.

mod leaf;
pub mod nix32;
pub mod size;

pub use leaf::{FileHasher, hash_symlink};
