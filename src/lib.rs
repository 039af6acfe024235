//! The census of a Nix store: what is in it, what it costs on disk, why it is
//! there, and what removing it would gain.
//!
//! A **census** joins two sources: what the store's database says (the
//! [`catalog`]) and what its disk says (the [`disk`]). Every question is one
//! module of [`analysis`] over it, and every answer is printed by [`output`].
//! Nothing here writes to the store it examines, and nothing spawns Nix.
//!
//! Data flows one way, each room knowing only those above it:
//!
//! | room | holds |
//! |---|---|
//! | [`warning`] | what makes an answer incomplete, collected instead of lost |
//! | [`store`] | names and places: store paths, where a store lies, symlinks resolved inside a root |
//! | [`nar`] | NAR size arithmetic, NAR hashes, nix32 |
//! | [`graph`] | pure algorithms over rows of `u32`: closures, closure sizes, dominators, shortest paths |
//! | [`catalog`] | path infos as columns indexed by a `u32` id, references in both directions; one file a source |
//! | [`roots`] | the garbage collector’s roots and settings, found without Nix |
//! | [`disk`] | the parallel walk, the usage of each path, inodes with several names |
//! | [`census`] | catalog and disk joined, targets resolved |
//! | [`analysis`] | one module a question: typed answers, sizes in bytes |
//! | [`output`] | one module a format: table, JSON, CSV |
//! | [`cli`] | arguments, progress, exit status |
pub mod analysis;
pub mod catalog;
pub mod census;
pub mod cli;
pub mod disk;
pub mod graph;
pub mod nar;
pub mod output;
pub mod roots;
pub mod store;
pub mod warning;
