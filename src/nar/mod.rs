//! The Nix archive format: its size from sizes alone, its hash, and nix32.
//!
//! | file | holds |
//! |---|---|
//! | `size` | the size of a NAR from what `stat` says |
//! | `stream` | the NAR of a tree, written out in large pieces |
//! | `hash` | hashes in each way Nix writes them |
//! | `leaf` | the NAR of one file or symlink, as optimising hashes them |
//! | `nix32` | Nix's alphabet of 32 characters |
//! | `content_address` | content addresses, and the store path that follows from one |

pub mod content_address;
pub mod hash;
mod leaf;
pub mod nix32;
pub mod size;
pub mod stream;

pub use leaf::{FileHasher, hash_symlink};
pub(crate) use stream::Opener;
