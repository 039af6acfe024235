//! Following symlinks inside a root, as `openat2(RESOLVE_IN_ROOT)` does, but
//! stopping as soon as the walk enters the store.
//!
//! An image's links are not trusted: an absolute target starts again at the
//! root given, and `..` never leaves it. Only `lstat` and `readlink` are used,
//! so nothing is opened, and a FIFO cannot block.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Linux gives up after as many symlinks (`MAXSYMLINKS`).
const MAX_SYMLINKS: usize = 40;

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into the store: the first component below the store directory, and
    /// what follows it (may be empty).
    StorePath {
        /// The base name.
        base_name: OsString,
        /// The rest of the name, inside the store path, not resolved.
        inside: PathBuf,
    },
    /// To a file or directory elsewhere; the path on this machine, with no
    /// symlink in it.
    File(PathBuf),
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Something on the way does not exist.
    #[error("{} does not exist", at.display())]
    Missing {
        /// What is missing, as a path inside the root, with no symlink in it.
        at: PathBuf,
        /// What of the name was still to come.
        rest: PathBuf,
    },
    /// Symlinks lead in circles, or there are too many of them.
    #[error("too many levels of symlinks at {}", at.display())]
    Loop {
        /// Where it gave up, as a path inside the root.
        at: PathBuf,
    },
    /// Something on the way is no directory.
    #[error("{} is not a directory", at.display())]
    NotADirectory {
        /// What is not, as a path inside the root.
        at: PathBuf,
    },
    /// Something on the way could not be read.
    #[error("cannot read {}", at.display())]
    Io {
        /// What could not be read, as a path inside the root.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Follows `name` (absolute: from the root) through every symlink, never
/// leaving `root`; stops below `store_dir` (a name inside the root), if given.
///
/// # Errors
/// See [`ResolveError`].
pub fn resolve(root: &Path, name: &Path, store_dir: Option<&Path>) -> Result<Place, ResolveError> {
    walk(root, name, store_dir, Stop::InStore)
}

/// The store path that a name means by its text alone.
fn below(name: &Path, store_dir: &Path) -> Option<Place> {
    let mut inside = name.strip_prefix(store_dir).ok()?.components();
    let base_name = inside.next()?.as_os_str().to_owned();
    Some(Place::StorePath { base_name, inside: inside.as_path().to_owned() })
}

/// Where a walk ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// As soon as it is in the store.
    InStore,
}

fn walk(
    root: &Path,
    name: &Path,
    store_dir: Option<&Path>,
    stop: Stop,
) -> Result<Place, ResolveError> {
    let mut pending: VecDeque<OsString> = VecDeque::new();
    prepend(&mut pending, name);
    // Components below the root, with no symlink among them.
    let mut at: Vec<OsString> = Vec::new();
    let mut links = 0;
    let store: Option<Vec<&OsStr>> =
        store_dir.map(|d| d.components().filter_map(normal).collect::<Vec<_>>());
    while let Some(part) = pending.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        if let Some(store) = &store
            && at.len() == store.len()
            && at.iter().zip(store).all(|(a, b)| a == b)
            && (stop == Stop::InStore || pending.is_empty())
        {
            return Ok(Place::StorePath { base_name: part, inside: pending.iter().collect() });
        }
        at.push(part);
        let real = real_path(root, &at);
        let logical = || real_path(Path::new("/"), &at);
        let meta = match std::fs::symlink_metadata(&real) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if let Some(place) = store_dir.and_then(|dir| below(&logical(), dir)) {
                    return Ok(place);
                }
                let rest = pending.iter().collect();
                return Err(ResolveError::Missing { at: logical(), rest });
            }
            Err(e) => return Err(ResolveError::Io { at: logical(), source: e }),
        };
        if meta.file_type().is_symlink() {
            links += 1;
            if links > MAX_SYMLINKS {
                return Err(ResolveError::Loop { at: logical() });
            }
            let target = std::fs::read_link(&real)
                .map_err(|source| ResolveError::Io { at: logical(), source })?;
            at.pop();
            if target.is_absolute() {
                at.clear();
            }
            prepend(&mut pending, &target);
        } else if !meta.is_dir() && !pending.is_empty() {
            return Err(ResolveError::NotADirectory { at: logical() });
        }
    }
    if let Some(place) = store_dir.and_then(|dir| below(&real_path(Path::new("/"), &at), dir)) {
        return Ok(place);
    }
    Ok(Place::File(real_path(root, &at)))
}

fn normal(c: Component<'_>) -> Option<&OsStr> {
    match c {
        Component::Normal(part) => Some(part),
        _ => None,
    }
}

fn prepend(pending: &mut VecDeque<OsString>, name: &Path) {
    for part in name.as_os_str().as_bytes().rsplit(|&b| b == b'/') {
        if !part.is_empty() && part != b"." {
            pending.push_front(OsStr::from_bytes(part).to_owned());
        }
    }
}

fn real_path(root: &Path, at: &[OsString]) -> PathBuf {
    let mut path = root.to_owned();
    path.extend(at);
    path
}
