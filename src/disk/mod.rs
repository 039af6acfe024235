//! What the disk says: the parallel walk, the usage of each path, and the
//! inodes with several names.
//!
//! Three things are offered. [`scan`] answers what paths cost: a [`Usage`] for
//! each, and the [`Inode`]s with several names so that sums over any set of
//! paths count each inode once. [`Walker`] with a [`Visitor`] is the walk
//! underneath, for questions that need the entries themselves. [`Progress`]
//! shows another thread how far either is.
//!
//! The walk is bound by the kernel, and the floor is one `statx` an entry. It
//! goes below that floor by examining each inode once: directories hold inode
//! numbers, so further names of an inode cost nothing. In an optimised store
//! most entries are such names.
//!
//! ```
//! use nix_census::disk::{self, Progress, ScanOptions};
//! use nix_census::fs::{StoreFiles, Tree};
//!
//! let tree = Tree::memory([("/nix/store/a-path/file", "contents")]);
//! let files = StoreFiles::open(&tree, "/nix/store".as_ref())?;
//!
//! let scan = disk::scan(&files, &["a-path"], &ScanOptions::default(), &Progress::default())?;
//! assert_eq!(scan.usages[0].files, 1);
//! assert_eq!(scan.usages[0].apparent_size, 8);
//! assert_eq!(scan.usages[0].nar_size, 24 + 72 + (88 + 8) + (88 + 8));
//! assert!(scan.warnings.complete());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod devices;
pub(crate) mod engine;
mod erased;
mod extents;
mod inodes;
mod kinds;
mod largest;
mod links;
mod observe;
mod overlay;
mod progress;
mod reading;
mod references;
mod scan;
mod since;
mod space;
mod stamps;
mod summing;
mod usage;
pub(crate) mod walk;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use engine::Walker;
pub use extents::{
    CompressionSizes, ExtentGroup, ExtentSizes, Extents, ExtentsOption, Holder, Physical,
};
pub(crate) use extents::{
    EXTENTS_BY_PATH, EqualExtents, ExtentsByInode, Going, GoingExtents, GoingInodes, InodeOwner,
    going, kind_of, physical_unknown, physical_without_files, warn_if_asked,
};
pub(crate) use inodes::ByNumber;
pub use inodes::Inode;
pub(crate) use kinds::{ExtentsByKind, KindFinder, KindUser, WalkPlace, scan_kinds_apart};
pub use kinds::{KindScan, KindSums, SharedName, scan_kinds};
pub(crate) use largest::{LargestFiles, scan_contents};
pub use links::Links;
pub(crate) use links::{LINKS_DIRECTORIES, LinksPlace, LinksReader, is_shard_name, read_links};
pub(crate) use observe::{Observed, Observer, Shared};
pub use overlay::{Overlay, Upper};
pub use progress::{Progress, StageProgress, Total};
pub(crate) use reading::Reading;
pub(crate) use references::{HashParts, each_candidate, find_references};
pub(crate) use scan::scan_observed;
pub use scan::{DiskScan, ScanOptions, scan};
pub(crate) use since::{Before, WholeScan, scan_kinds_since, scan_since, scan_whole};
pub use space::Space;
pub(crate) use stamps::{FileStamp, LinksStamp, PathStamps, Single, Stamp, StoreStamp};
pub use usage::Usage;
pub(crate) use walk::{EntryStat, Top, Visitor, WalkDirectory, WalkEntry};

/// Why a walk could not begin. What goes wrong later becomes a warning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The store directory cannot be read.
    #[error("cannot read the store directory {}", path.display())]
    StoreDirectory {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The threads cannot be started.
    #[error("cannot start the threads of the walk")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

impl DiskError {
    /// The store directory at `path` cannot be read.
    pub(crate) fn store_directory(path: &Path, source: io::Error) -> Self {
        Self::StoreDirectory { path: path.to_owned(), source }
    }
}
