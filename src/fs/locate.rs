//! Where a store lies: its names resolved in a tree.

use super::{ResolveError, Resolved, Tree};
use crate::store::{GUIX_STATE_DIR, GUIX_STORE_DIR, StoreLocation};
use std::path::{Path, PathBuf};

/// The store at `store_dir` and `state_dir` (absolute names, as the system in
/// the tree sees them), with every symlink resolved inside the tree's root.
///
/// # Errors
/// If a name leads in circles or cannot be read. A directory that does not
/// exist is not an error here: the database may be elsewhere.
pub fn locate(
    tree: &Tree,
    store_dir: &str,
    state_dir: &Path,
) -> Result<StoreLocation, ResolveError> {
    let store_dir = match store_dir.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    };
    let real_store_dir = real(tree, Path::new(store_dir))?;
    let real_state_dir = real(tree, state_dir)?;
    let database = real(tree, &state_dir.join("db/db.sqlite"))?;
    Ok(StoreLocation {
        root: tree.path().unwrap_or(Path::new("/")).to_owned(),
        store_dir: store_dir.to_owned(),
        state_dir: state_dir.to_owned(),
        real_store_dir,
        real_state_dir,
        database,
    })
}

/// A store of `tree` (that of `/`) whose files are elsewhere than its name
/// says, as those of a chroot store are (`nix --store DIR`). All but
/// `store_dir` are names in the tree, where Nix follows links too.
///
/// # Errors
/// As for [`locate`].
pub(crate) fn locate_elsewhere(
    tree: &Tree,
    store_dir: &str,
    real_store_dir: &Path,
    state_dir: &Path,
) -> Result<StoreLocation, ResolveError> {
    let real = locate(tree, &real_store_dir.to_string_lossy(), state_dir)?;
    let named = locate(tree, store_dir, state_dir);
    let store_dir = named.map_or_else(|_| store_dir.to_owned(), |named| named.store_dir);
    Ok(StoreLocation { store_dir, ..real })
}

/// Guix's store in the same tree, if there is one and no Nix's where
/// `location` says.
pub(crate) fn locate_guix(tree: &Tree, location: &StoreLocation) -> Option<StoreLocation> {
    let exists = |location: &StoreLocation| {
        [&location.real_store_dir, &location.database]
            .iter()
            .any(|real| tree.resolve(&location.inside(real), None).is_ok())
    };
    if exists(location) {
        return None;
    }
    let guix = locate(tree, GUIX_STORE_DIR, Path::new(GUIX_STATE_DIR)).ok()?;
    exists(&guix).then_some(guix)
}

/// Where a name leads, as this machine names it.
fn real(tree: &Tree, name: &Path) -> Result<PathBuf, ResolveError> {
    match tree.resolve(name, None) {
        Ok(Resolved::Entry(entry)) => Ok(tree.display_path(&entry.path)),
        Ok(Resolved::StorePath { .. }) => unreachable!("no store directory was given"),
        // Where it would be; never by the links that led there, which the
        // kernel would follow out of the root.
        Err(ResolveError::Missing { at, rest }) => {
            let mut path = tree.display_path(&at);
            path.extend(&rest);
            Ok(path)
        }
        Err(e) => Err(e),
    }
}
