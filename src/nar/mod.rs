//! The Nix archive format: its size from sizes alone, its hash, and nix32.

pub mod size;
