//! The demo store, which comes with the program: for `--demo`, and for a machine
//! that has no store to examine.

use super::args::{RootKindArg, StoreArgs};
use super::exit::Failure;
use crate::catalog;
use crate::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreLocation};
use flate2::read::GzDecoder;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// `testdata/demo`, made by `tests/it/demo.rs`: modes and times are those of a store.
const ARCHIVE: &[u8] = include_bytes!("../../testdata/demo.tar.gz");

/// Where it lies while the program runs.
static UNPACKED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The demo store in a directory that is removed with this.
#[derive(Debug)]
pub(super) struct Demo(());

impl Demo {
    /// Unpacks it where `TMPDIR` says.
    fn unpack() -> io::Result<(Self, PathBuf)> {
        let dir = tempfile::Builder::new().prefix("nix-census-demo-").tempdir()?.keep();
        let demo = Self(());
        *UNPACKED.lock().unwrap_or_else(PoisonError::into_inner) = Some(dir.clone());
        let mut archive = tar::Archive::new(GzDecoder::new(ARCHIVE));
        archive.set_preserve_permissions(true);
        archive.set_preserve_mtime(true);
        archive.unpack(&dir)?;
        // Unpacking what is in them has touched the directories.
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1));
        for entry in walkdir::WalkDir::new(dir.join("nix/store")).min_depth(1) {
            let entry = entry?;
            if entry.file_type().is_dir() {
                File::open(entry.path())?.set_times(times)?;
            }
        }
        Ok((demo, dir))
    }

    /// Lets the arguments mean the demo store.
    pub(super) fn choose(args: &mut StoreArgs) -> Result<Self, Failure> {
        let unpacked = Self::unpack();
        let (demo, dir) =
            unpacked.map_err(|e| Failure::failed("cannot unpack the demo store").cause(e))?;
        args.root = Some(dir);
        args.root_kind = Some(RootKindArg::Image);
        Ok(demo)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        remove();
    }
}

/// Removes what was unpacked.
pub(super) fn remove() {
    if let Some(dir) = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // Who is not root cannot remove from the store's directories as they are.
        for entry in walkdir::WalkDir::new(&dir).into_iter().flatten() {
            if entry.file_type().is_dir() {
                let _ = fs::set_permissions(entry.path(), Permissions::from_mode(0o755));
            }
        }
        let _ = fs::remove_dir_all(&dir);
    }
}

/// Whether this machine's own store is meant, at its usual place.
pub(super) fn is_default(args: &StoreArgs, location: &StoreLocation) -> bool {
    args.root.is_none()
        && args.db.is_none()
        && args.registration.is_none()
        && args.path_info.is_none()
        && !args.scan
        && args.store.is_none()
        && args.lower.is_none()
        && location.store_dir == DEFAULT_STORE_DIR
        && location.state_dir == Path::new(DEFAULT_STATE_DIR)
}

/// Why this machine's store has nothing to show, if that is so.
pub(super) fn nothing_to_examine(location: &StoreLocation) -> Option<&'static str> {
    /// More than the database of a store with no path takes.
    const EMPTY: u64 = 1 << 20;
    if !location.database.exists() && !location.real_store_dir.exists() {
        return Some("this machine has no Nix store");
    }
    let small = location.database.metadata().is_ok_and(|meta| meta.len() < EMPTY);
    (small && catalog::load(location).is_ok_and(|catalog| catalog.is_empty()))
        .then_some("this machine's Nix store holds no valid path (--root / examines it)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        store: StoreArgs,
    }

    #[test]
    fn the_default_store_is_meant_where_nothing_else_is() {
        let location = StoreLocation {
            root: PathBuf::from("/"),
            store_dir: DEFAULT_STORE_DIR.to_owned(),
            real_store_dir: PathBuf::from(DEFAULT_STORE_DIR),
            state_dir: PathBuf::from(DEFAULT_STATE_DIR),
            real_state_dir: PathBuf::from(DEFAULT_STATE_DIR),
            database: PathBuf::from(DEFAULT_STATE_DIR).join("db/db.sqlite"),
        };
        let is_default =
            |args: &[&str]| is_default(&Line::parse_from([&["x"], args].concat()).store, &location);
        assert!(is_default(&[]) && is_default(&["--no-disk"]));
        for other in ["--root", "--lower", "--store", "--db", "--registration", "--path-info"] {
            assert!(!is_default(&[other, "/x"]), "{other}");
        }
    }
}
