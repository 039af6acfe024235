//! The demo store of a checkout, for a machine that has no store to examine.

use super::args::StoreArgs;
use super::exit::{Failure, say};
use crate::catalog;
use crate::fs::{self, Tree};
use crate::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreLocation};
use std::path::{Path, PathBuf};

/// The demo store, if there is one and this machine's own store is meant but
/// has nothing to show.
pub(super) fn instead_of(
    args: &StoreArgs,
    location: &StoreLocation,
    current: &Path,
) -> Result<Option<(Tree, StoreLocation)>, Failure> {
    if is_default(args, location)
        && let Some(demo) = find_demo(current)
        && let Some(lack) = nothing_to_examine(location)
    {
        let name = demo.to_string_lossy();
        say(format_args!("note: {lack}; examining the demo store {name}"));
        let tree = Tree::live(&demo).map_err(|e| Failure::failed(format!("{name}: {e}")))?;
        let location = fs::locate(&tree, DEFAULT_STORE_DIR, Path::new(DEFAULT_STATE_DIR))
            .map_err(|e| Failure::because(&e))?;
        return Ok(Some((tree, location)));
    }
    Ok(None)
}

/// Whether this machine's own store is meant, at its usual place.
fn is_default(args: &StoreArgs, location: &StoreLocation) -> bool {
    args.root.is_none()
        && args.db.is_none()
        && args.registration.is_none()
        && args.path_info.is_none()
        && !args.scan
        && args.store.is_none()
        && location.store_dir == DEFAULT_STORE_DIR
        && location.state_dir == Path::new(DEFAULT_STATE_DIR)
}

/// Why this machine's store has nothing to show, if that is so.
fn nothing_to_examine(location: &StoreLocation) -> Option<&'static str> {
    /// More than the database of a store with no path takes.
    const EMPTY: u64 = 1 << 20;
    if !location.database.exists() && !location.real_store_dir.exists() {
        return Some("this machine has no Nix store");
    }
    let small = location.database.metadata().is_ok_and(|meta| meta.len() < EMPTY);
    (small && catalog::load(location).is_ok_and(|catalog| catalog.is_empty()))
        .then_some("this machine's Nix store holds no valid path (--root / examines it)")
}

/// The demo store of a checkout: above the current directory, or above the
/// program in `target/`.
fn find_demo(current: &Path) -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    (current.ancestors().chain(program.iter().flat_map(|p| p.ancestors())))
        .map(|dir| dir.join("testdata/demo"))
        .find(|demo| demo.join("nix/var/nix/db/db.sqlite").is_file())
}
