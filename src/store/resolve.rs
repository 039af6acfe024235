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
        {
            return Ok(Place::StorePath { base_name: part, inside: pending.iter().collect() });
        }
        at.push(part);
        let real = real_path(root, &at);
        let logical = || real_path(Path::new("/"), &at);
        let meta = std::fs::symlink_metadata(&real).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                ResolveError::Missing { at: logical(), rest: pending.iter().collect() }
            }
            _ => ResolveError::Io { at: logical(), source: e },
        })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn root() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("nix/store/x-a/bin")).unwrap();
        std::fs::create_dir_all(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), "inside").unwrap();
        dir
    }

    fn store(root: &Path, name: &str) -> Result<Place, ResolveError> {
        resolve(root, Path::new(name), Some(Path::new("/nix/store")))
    }

    fn entry(base: &str, inside: &str) -> Place {
        Place::StorePath { base_name: base.into(), inside: inside.into() }
    }

    #[test]
    fn absolute_and_dotted_links_stay_inside() {
        let dir = root();
        symlink("/etc/passwd", dir.path().join("abs")).unwrap();
        symlink("../../../../../../etc/passwd", dir.path().join("up")).unwrap();
        let inside = Place::File(dir.path().join("etc/passwd"));
        assert_eq!(store(dir.path(), "/abs").unwrap(), inside);
        assert_eq!(store(dir.path(), "/up").unwrap(), inside);
        assert_eq!(store(dir.path(), "/../../etc/./passwd").unwrap(), inside);
    }

    #[test]
    fn stops_in_the_store_even_where_the_path_is_a_link() {
        let dir = root();
        symlink("/etc", dir.path().join("nix/store/x-link")).unwrap();
        symlink("/nix/store/x-link/passwd", dir.path().join("result")).unwrap();
        symlink("result", dir.path().join("again")).unwrap();
        assert_eq!(store(dir.path(), "/again").unwrap(), entry("x-link", "passwd"));
        assert_eq!(store(dir.path(), "/nix/store/x-a/bin/../x").unwrap(), entry("x-a", "bin/../x"));
        assert_eq!(store(dir.path(), "/nix/store/x-gone").unwrap(), entry("x-gone", ""));
    }

    #[test]
    fn follows_a_store_that_is_itself_behind_a_link() {
        let dir = root();
        symlink("nix", dir.path().join("other")).unwrap();
        assert_eq!(store(dir.path(), "/other/store/x-a").unwrap(), entry("x-a", ""));
    }

    #[test]
    fn loops_and_missing_end() {
        let dir = root();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert!(matches!(store(dir.path(), "/a"), Err(ResolveError::Loop { .. })));
        assert!(matches!(store(dir.path(), "/none/x"), Err(ResolveError::Missing { .. })));
        assert!(matches!(
            store(dir.path(), "/etc/passwd/x"),
            Err(ResolveError::NotADirectory { .. })
        ));
    }
}
