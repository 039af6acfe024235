//! The files of one store.

use super::{Directory, Facts, Stat, Tree, UpperSource};
use crate::store::StoreLocation;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The files of a store: its directory, opened in a tree.
///
/// Questions that need more than sizes (contents, targets of symlinks, extended
/// attributes) are given one of these.
#[derive(Debug)]
pub struct StoreFiles {
    tree: Tree,
    directory: Directory,
    stat: Stat,
    facts: Facts,
    path: PathBuf,
    /// Found out when it is asked for.
    has_lower_layers: OnceLock<bool>,
}

impl StoreFiles {
    /// Opens the store directory by its name inside the tree's root.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(tree: &Tree, store_dir: &Path) -> io::Result<Self> {
        let directory = tree.open_directory(store_dir)?.with_layers();
        let stat = directory.stat(c"")?;
        let facts = directory.facts();
        // For messages alone: what the name leads to at this moment.
        let resolved = tree.resolve(store_dir, None).ok().and_then(super::Resolved::into_entry);
        let inside = resolved.map_or_else(|| store_dir.to_owned(), |entry| entry.path);
        let path = tree.display_path(&inside);
        let has_lower_layers = OnceLock::new();
        Ok(Self { tree: tree.clone(), directory, stat, facts, path, has_lower_layers })
    }

    /// The store at `store_dir` below the directory `root` of this machine.
    ///
    /// # Errors
    /// Those of the system.
    pub fn live(root: &Path, store_dir: &Path) -> io::Result<Self> {
        Self::open(&Tree::live(root)?, store_dir)
    }

    /// The files of the store at a location of this machine.
    ///
    /// # Errors
    /// Those of the system.
    pub fn of(location: &StoreLocation) -> io::Result<Self> {
        // Resolved inside the root already, but for what changed since.
        Self::live(&location.root, &location.inside(&location.real_store_dir))
    }

    /// The tree that it lies in.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The store directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What `stat` said of the store directory when it was opened.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// What holds for the store's file system.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Whether files may be in lower layers of an overlay, which copies them before they are
    /// linked.
    pub(crate) fn has_lower_layers(&self) -> bool {
        let has = || match self.directory.upper() {
            UpperSource::All => false,
            UpperSource::Files(files) => !files.alone,
            UpperSource::Unknown(_) => true,
        };
        self.facts.copies_up && *self.has_lower_layers.get_or_init(has)
    }

    /// The store directory as this machine names it, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What has that name in it, as this machine names it, for messages.
    pub(crate) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        [self.path.as_os_str().as_bytes(), b"/", name].concat()
    }
}
