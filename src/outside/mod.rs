//! What Nix keeps outside the store: free pages of the database, its log, build
//! logs, the caches of users, and what lies in `/boot`. Read only, and inside
//! the examined root.
//!
//! | file | finds |
//! |---|---|
//! | `database` | free pages and the log of the database |
//! | `caches` | users' caches |
//! | `boot` | boot entries and the kernels they name |
//! | `walk` | what a directory takes |

mod boot;
mod caches;
mod database;
mod walk;

pub use boot::{Boot, BootEntry, BootFile, Loader};
pub use caches::{CacheKind, UserCache};
pub use database::DatabaseSpace;

use crate::disk::Space;
use crate::fs::{Capacity, Tree};
use crate::store::StoreLocation;
use crate::warning::{WarningKind, Warnings};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What Nix keeps outside the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outside {
    /// The database; `None` if there is no file of SQLite.
    pub database: Option<DatabaseSpace>,
    /// Build logs.
    pub logs: Option<Kept>,
    /// Users' caches, by directory.
    pub caches: Vec<UserCache>,
    /// How many homes this user may not look into: what their caches take is not
    /// counted.
    pub unread_homes: u64,
    /// Directories with boot entries, by name.
    pub boot: Vec<Boot>,
    /// Whether logs, caches and `/boot` were looked for.
    pub walked: bool,
    /// What could not be read; notes, as all of it is beside the store.
    pub warnings: Warnings,
}

/// A directory or file, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name inside the examined root.
    pub path: PathBuf,
    /// What it takes, each inode once.
    pub space: Space,
    /// When the newest file in it was changed, in seconds since 1970; `None` if
    /// there is none.
    pub newest: Option<i64>,
    /// The device that it is on.
    pub device: u64,
}

impl Outside {
    /// Looks for it. Where the walk is not wanted (`walk` is false), logs,
    /// caches and `/boot` are left out.
    pub fn find(tree: &Tree, location: &StoreLocation, walk: bool) -> Self {
        let mut outside = Self { walked: walk, ..Self::default() };
        if let Some(name) = location.inside_root(&location.database) {
            outside.database = database::find(tree, &name);
        }
        if walk {
            outside.logs = logs(tree, location, &mut outside.warnings);
            (outside.caches, outside.unread_homes) = caches::find(tree, &mut outside.warnings);
            outside.boot = boot::find(tree, &mut outside.warnings);
        }
        outside.warnings.sort();
        outside
    }

    /// What all caches take.
    pub fn caches_space(&self) -> Space {
        self.caches.iter().map(|cache| cache.kept.space).sum()
    }
}

/// The build logs (nix: `LocalFSStore::logDir`).
fn logs(tree: &Tree, location: &StoreLocation, warnings: &mut Warnings) -> Option<Kept> {
    let path = location.state_dir.parent()?.join("log/nix/drvs");
    let directory = found(tree.open_directory(&path), &path, warnings)?;
    Some(walk::directory(directory, &path, warnings))
}

/// What is there and can be read; says so where something is there and cannot.
fn found<T>(opened: io::Result<T>, name: &Path, warnings: &mut Warnings) -> Option<T> {
    match opened {
        Ok(opened) => Some(opened),
        Err(e) => {
            use io::ErrorKind::{NotADirectory, NotFound};
            if !matches!(e.kind(), NotFound | NotADirectory) {
                let message = format!("cannot be read, and is not counted: {e}");
                warnings.push(WarningKind::Note, name.as_os_str().as_bytes(), message);
            }
            None
        }
    }
}

/// What a file system has left, where that is known.
fn capacity(directory: &crate::fs::Directory) -> Option<Capacity> {
    directory.capacity().ok()
}

#[cfg(test)]
mod tests;
