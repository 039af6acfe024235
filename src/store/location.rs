//! Where a store lies.

use std::path::{Component, Path, PathBuf};

/// Nix's default store directory.
pub const DEFAULT_STORE_DIR: &str = "/nix/store";
/// Nix's default state directory.
pub const DEFAULT_STATE_DIR: &str = "/nix/var/nix";

/// Guix's store directory.
pub(crate) const GUIX_STORE_DIR: &str = "/gnu/store";
/// Guix's state directory.
pub(crate) const GUIX_STATE_DIR: &str = "/var/guix";

/// Where a store lies: the names it goes by, and where those are on this
/// machine. [`locate`](crate::fs::locate) finds that out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLocation {
    /// The directory that stands for `/`; `/` itself for this machine's store.
    pub root: PathBuf,
    /// The store directory as the database names it, such as `/nix/store`.
    pub store_dir: String,
    /// The state directory as the system under the root names it.
    pub state_dir: PathBuf,
    /// Where the store directory's files really are.
    pub real_store_dir: PathBuf,
    /// Where the state directory's files really are.
    pub real_state_dir: PathBuf,
    /// The database file.
    pub database: PathBuf,
}

impl StoreLocation {
    /// Whether it is a store of Guix, whose daemon comes of an early Nix.
    pub fn is_guix(&self) -> bool {
        self.store_dir == GUIX_STORE_DIR || self.state_dir == Path::new(GUIX_STATE_DIR)
    }

    /// The full name of a store path, as the database has it.
    pub fn path_of(&self, base_name: &str) -> String {
        format!("{}/{base_name}", self.store_dir)
    }

    /// The name inside the root of a path of this machine; `None` if it lies
    /// outside.
    pub fn inside_root(&self, real: &Path) -> Option<PathBuf> {
        real.strip_prefix(&self.root).ok().map(|inside| Path::new("/").join(inside))
    }

    /// The same; a path that lies outside is taken for a name inside the root.
    pub fn inside(&self, real: &Path) -> PathBuf {
        self.inside_root(real).unwrap_or_else(|| real.to_owned())
    }
}

/// An absolute name without `.`, `..` and doubled slashes, by its text alone
/// (nix: `canonPath`).
pub(crate) fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_spelled() {
        let plain = |name: &str| plain_path(Path::new(name));
        assert_eq!(plain("/a/b/c"), Path::new("/a/b/c"));
        assert_eq!(plain("/a/b/../../../c/./d/"), Path::new("/c/d"));
        assert_eq!(plain("/x//y"), Path::new("/x/y"));
        assert_eq!(plain("/a/./b//../c/"), Path::new("/a/c"));
        assert_eq!(plain("/.."), Path::new("/"));
    }
}
