//! The census of a Nix store: what is in it, what it costs on disk, why it is
//! there, and what removing it would gain.
//!
//! A **census** joins two sources: what the store's database says (the
//! [`catalog`]) and what its disk says (the [`disk`]). Every question is one
//! module of [`analysis`] over it, and every answer is printed by [`output`].
//! Nothing here writes to the store it examines, and nothing spawns Nix.
//!
//! Open a [`Catalog`](catalog::Catalog) from where a store lies, take a
//! [`Census`](census::Census) of it, and ask: a
//! [`Report`](analysis::report::Report) has a row a path, an
//! [`Overview`](analysis::overview::Overview) the sums. What could not be read
//! is among the census's [`warnings`](census::Census::warnings).
//!
//! What the database says, here of a store made on the spot:
//!
//! ```
//! # let root = tempfile::tempdir()?;
//! # let state = root.path().join("nix/var/nix/db");
//! # std::fs::create_dir_all(&state)?;
//! # std::fs::write(state.join("schema"), "10")?;
//! # rusqlite::Connection::open(state.join("db.sqlite"))?.execute_batch(
//! #     "CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY, path TEXT, hash TEXT,
//! #         registrationTime INTEGER, deriver TEXT, narSize INTEGER, ultimate INTEGER,
//! #         sigs TEXT, ca TEXT);
//! #      CREATE TABLE Refs (referrer INTEGER, reference INTEGER);
//! #      INSERT INTO ValidPaths (id, path, narSize) VALUES
//! #         (1, '/nix/store/00000000000000000000000000000001-hello-1.0', 120),
//! #         (2, '/nix/store/00000000000000000000000000000002-world-2.0', 120);
//! #      INSERT INTO Refs VALUES (2, 1);",
//! # )?;
//! use nix_census::catalog::{self, PathId};
//! use nix_census::fs::{self, Tree};
//! use nix_census::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR};
//!
//! let tree = Tree::live(root.path())?;
//! let location = fs::locate(&tree, DEFAULT_STORE_DIR, DEFAULT_STATE_DIR.as_ref())?;
//! let catalog = catalog::load(&location)?;
//! assert_eq!(catalog.store_path(PathId::new(0)).name(), "hello-1.0");
//! assert_eq!(catalog.nar_size(PathId::new(0)), Some(120));
//! assert!(catalog.refers(PathId::new(1), PathId::new(0)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What all of it costs, printed as JSON; the demo store lies in the
//! project's sources:
//!
//! ```
//! use nix_census::analysis::overview::Overview;
//! use nix_census::census::{self, Census, Examine};
//! use nix_census::disk::{Progress, ScanOptions};
//! use nix_census::fs::{self, StoreFiles, Tree};
//! use nix_census::output::{self, Format, Style};
//! use nix_census::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR};
//! use std::path::Path;
//! use std::time::Instant;
//!
//! let start = Instant::now();
//! let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo");
//! let tree = Tree::live(&root)?;
//! let location = fs::locate(&tree, DEFAULT_STORE_DIR, DEFAULT_STATE_DIR.as_ref())?;
//! let catalog = nix_census::catalog::load(&location)?;
//! let files = StoreFiles::of(&location)?;
//! let (all, options) = (Examine::All, ScanOptions::default());
//! let scan = census::scan(&files, &catalog, &all, &options, &Progress::default())?;
//! let census = Census::new(catalog, &all, Some(scan))?;
//!
//! let whole = census.whole().expect("all paths are examined");
//! let overview = Overview::new(whole, start.elapsed());
//! assert!(overview.paths > 0 && overview.disk.is_some());
//! let mut json = Vec::new();
//! output::write(overview.document(&census, &location), Format::Json, &Style::default(), &mut json)?;
//! # let json: serde_json::Value = serde_json::from_slice(&json)?;
//! # assert_eq!(json["paths"], overview.paths);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Data flows one way, each room knowing only those above it:
//!
//! | room | holds |
//! |---|---|
//! | `arrange` | sorting by code that all types share |
//! | [`warning`] | what makes an answer incomplete, collected instead of lost |
//! | `threads` | as many threads as the system gives, at last the caller's own |
//! | `locks` | which files processes hold locked |
//! | `text` | sizes, times and names as people read them |
//! | [`glob`] | names and paths matched as shells do, directory by directory |
//! | [`store`] | names and places: store paths, where a store lies |
//! | [`fs`] | the room through which every examined file is reached: live directories, trees in memory |
//! | [`kinds`] | what files are for, by one table of rules: place, name, first bytes |
//! | `nar` | NAR size arithmetic, NAR hashes, nix32 |
//! | [`graph`] | pure algorithms over rows of `u32`: closures, closure sizes, dominators, shortest paths |
//! | [`disk`] | the parallel walk, the usage of each path, inodes with several names |
//! | [`catalog`] | path infos as columns indexed by a `u32` id, references in both directions; one file a source |
//! | [`roots`] | the garbage collector’s roots and settings, found without Nix |
//! | [`outside`] | what Nix keeps outside the store: free pages of the database, logs, caches, `/boot` |
//! | [`census`] | catalog and disk joined, targets resolved |
//! | [`snapshot`] | a census in a file, and back |
//! | [`answer`] | what an answer is made of: documents, sections, typed columns, cells; which rows are chosen |
//! | [`analysis`] | one module a question: typed answers, sizes in bytes |
//! | [`output`] | one module a format: table, JSON, CSV, Markdown, JUnit XML, annotations of GitHub Actions, a page for a browser |
//! | `cli` | arguments, progress, exit status |
//!
//! Words that have one meaning everywhere:
//!
//! | word | meaning |
//! |---|---|
//! | store path | what Nix made and registered, one entry of the store directory; *valid* while the database lists it |
//! | base name | the name of that entry: `<hash part>-<name>` |
//! | hash part | the first 32 characters of a base name; Nix finds references by searching files for them |
//! | NAR size | the length of the path written as a NAR: contents, names and padding; every name of a hard link counts again |
//! | apparent size | `st_size`, the length of the contents |
//! | disk size | the blocks that `stat` reports, times 512; of a set of paths, each inode once |
//! | closure | a path and everything it refers to, transitively |
//! | retained | what a path alone keeps in the examined set: the sizes of all that would go if every reference to it were cut |
//! | examined set | the paths that a census is of: all, the closure of some, or some alone |
//! | GC root | what the garbage collector starts from: a symlink, a file named after a path, or a process |
//! | link of `.links` | an entry of the directory through which Nix hard-links equal files, named by the hash of its contents |
//! | finding | something that `audit` has to say against the store; a *warning* is about the answer: what could not be read |
//! | budget | what `check` compares a closure with; broken, kept, or unknown |
//! | kind | what a file is for (man page, header, program, …); of a finding, warning or root: which sort it is. A stable name in JSON |

// The library alone has helpers that only the command line uses.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]
// Held in CI, where warnings are errors. Tests may do without what other tests need.
#![cfg_attr(not(test), warn(unused_crate_dependencies))]

pub mod analysis;
pub mod answer;
mod arrange;
pub mod catalog;
pub mod census;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod disk;
pub mod fs;
pub mod glob;
pub mod graph;
pub mod kinds;
mod locks;
mod nar;
pub mod output;
pub mod outside;
pub mod roots;
#[cfg(test)]
#[path = "../tests/it/support/skip.rs"]
mod skip;
pub mod snapshot;
pub mod store;
mod text;
mod threads;
pub mod warning;

/// What benches, integration tests and fuzz targets need and no other program:
/// it may change in any version.
#[doc(hidden)]
pub mod internals {
    pub use crate::catalog::open::{Database, read as read_database};
    pub use crate::catalog::path_info::load as load_path_info;
    pub use crate::catalog::registration::load as load_registration;
    pub use crate::disk::engine::Walker;
    pub use crate::disk::walk::{
        EntryStat, Listed, Top, Visitor, WalkDirectory, WalkEntry, Walked,
    };
    pub use crate::graph::closure::closure;
    pub use crate::graph::closure_sizes::{ClosureSizes, closure_sizes};
    pub use crate::graph::dominators::{Dominator, Dominators, roots};
    pub use crate::graph::node_set::NodeSet;
    pub use crate::graph::weights::Weight;
    pub use crate::nar::hash::{Algorithm, Hash};
    pub use crate::nar::nix32;
    pub use crate::snapshot::{sealed as sealed_snapshot, unsealed as unsealed_snapshot};

    /// The input derivations and sources of a derivation's text.
    pub fn derivation_inputs(text: &[u8]) -> Option<Vec<Vec<u8>>> {
        crate::catalog::derivation::inputs(text)
    }

    /// The outputs of a derivation and their hashes; `read` gives the text of each
    /// derivation by its path.
    pub fn derivation_outputs(
        drv: &[u8],
        read: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<Vec<(String, String)>> {
        crate::catalog::derivation::Modulo::new(read).of_outputs(drv)
    }

    /// A database's bytes with its write-ahead log applied, or else with its rollback
    /// journal undone.
    ///
    /// # Errors
    /// If the log or journal is none, or is not this database's.
    pub fn replay(mut image: Vec<u8>, log: &[u8], ahead: bool) -> std::io::Result<Vec<u8>> {
        let apply = match ahead {
            true => crate::catalog::open::apply_log,
            false => crate::catalog::open::roll_back,
        };
        apply(&mut image, log).map(|()| image)
    }

    /// The hash part of the store path without references that has this content address
    /// and this name.
    pub fn content_address_hash_part(content_address: &str, name: &str) -> Option<String> {
        let parsed = crate::nar::content_address::ContentAddress::parse(content_address)?;
        parsed.hash_part(crate::store::DEFAULT_STORE_DIR, name, &[], false)
    }

    /// Where a store URI says that its store lies; `None` if that is the default.
    ///
    /// # Errors
    /// If it is no store on this machine.
    pub fn store_uri_root(uri: &std::ffi::OsStr) -> Result<Option<std::path::PathBuf>, String> {
        let parsed = crate::store::StoreUri::parse(uri, std::path::Path::new("/here"));
        parsed.map(|parsed| parsed.root).map_err(|e| e.to_string())
    }
}
