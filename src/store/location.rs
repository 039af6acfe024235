//! Where a store lies.

use super::resolve::{Place, ResolveError, resolve};
use std::path::{Path, PathBuf};

/// Nix's default store directory.
pub const DEFAULT_STORE_DIR: &str = "/nix/store";
/// Nix's default state directory.
pub const DEFAULT_STATE_DIR: &str = "/nix/var/nix";

/// Guix's store directory.
pub const GUIX_STORE_DIR: &str = "/gnu/store";
/// Guix's state directory.
pub const GUIX_STATE_DIR: &str = "/var/guix";

/// Where a store lies: the names it goes by, and where those are on this machine.
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
    /// The store at `store_dir` and `state_dir` (absolute names, as the system
    /// under `root` sees them), with every symlink resolved inside `root`.
    ///
    /// # Errors
    /// If a name leads in circles or cannot be read. A directory that does not
    /// exist is no error here: the database may be elsewhere.
    pub fn new(root: &Path, store_dir: &str, state_dir: &Path) -> Result<Self, ResolveError> {
        let store_dir = match store_dir.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        };
        let real = |logical: &Path| match resolve(root, logical, None) {
            Ok(Place::File(path)) => Ok(path),
            Ok(Place::StorePath { .. }) => unreachable!("no store directory was given"),
            // Where it would be; never by the links that led there, which the
            // kernel would follow out of the root.
            Err(ResolveError::Missing { at, rest }) => {
                let mut path = root.join(at.strip_prefix("/").unwrap_or(&at));
                path.extend(&rest);
                Ok(path)
            }
            Err(e) => Err(e),
        };
        let real_store_dir = real(Path::new(store_dir))?;
        let real_state_dir = real(state_dir)?;
        let database = real(&state_dir.join("db/db.sqlite"))?;
        Ok(Self {
            root: root.to_owned(),
            store_dir: store_dir.to_owned(),
            state_dir: state_dir.to_owned(),
            real_store_dir,
            real_state_dir,
            database,
        })
    }

    /// A store whose files are elsewhere than its name says, as those of a
    /// chroot store are (`nix --store DIR`). All but `store_dir` are names on
    /// this machine, where Nix follows links too, so the root is `/`.
    ///
    /// # Errors
    /// As for [`StoreLocation::new`].
    pub fn elsewhere(
        store_dir: &str,
        real_store_dir: &Path,
        state_dir: &Path,
    ) -> Result<Self, ResolveError> {
        let real = Self::new(Path::new("/"), &real_store_dir.to_string_lossy(), state_dir)?;
        let named = Self::new(Path::new("/"), store_dir, state_dir);
        let store_dir = named.map_or_else(|_| store_dir.to_owned(), |named| named.store_dir);
        Ok(Self { store_dir, ..real })
    }

    /// Whether it is a store of Guix, whose daemon comes of an early Nix.
    pub fn is_guix(&self) -> bool {
        self.store_dir == GUIX_STORE_DIR || self.state_dir == Path::new(GUIX_STATE_DIR)
    }

    /// Guix's store under the same root, if there is one and no Nix's at the
    /// places of this location.
    pub fn guix_instead(&self) -> Option<Self> {
        let exists = |path: &Path| path.symlink_metadata().is_ok();
        if exists(&self.real_store_dir) || exists(&self.database) {
            return None;
        }
        let guix = Self::new(&self.root, GUIX_STORE_DIR, Path::new(GUIX_STATE_DIR)).ok()?;
        (exists(&guix.real_store_dir) || exists(&guix.database)).then_some(guix)
    }

    /// The full name of a store path, as the database has it.
    pub fn path_of(&self, base_name: &str) -> String {
        format!("{}/{base_name}", self.store_dir)
    }
}
