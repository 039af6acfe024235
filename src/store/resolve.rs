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

/// The store path that `name` (absolute: from the root) means to Nix: symlinks
/// at its end are followed while the name as written is outside `store_dir`,
/// the store directory as the system under the root names it (nix:
/// `Store::followLinksToStore`). Where Nix finds no store path, it is the one
/// below `real_store_dir` (a name inside the root) that holds the file.
///
/// # Errors
/// See [`ResolveError`].
pub fn follow_links_to_store(
    root: &Path,
    name: &Path,
    store_dir: &Path,
    real_store_dir: &Path,
) -> Result<Place, ResolveError> {
    let mut at = plain_path(name);
    for _ in 0..=MAX_SYMLINKS {
        if let Some(place) = below(&at, store_dir) {
            return Ok(place);
        }
        let Some(target) = link_target(root, &at)? else { break };
        at = plain_path(&at.parent().unwrap_or(Path::new("/")).join(target));
    }
    walk(root, name, Some(real_store_dir), Stop::AtStorePath)
}

/// The target of a symlink, resolved but for its last component; `None` where
/// there is no symlink.
fn link_target(root: &Path, name: &Path) -> Result<Option<PathBuf>, ResolveError> {
    let (Some(parent), Some(last)) = (name.parent(), name.file_name()) else { return Ok(None) };
    let real = match walk(root, parent, None, Stop::InStore) {
        Ok(Place::File(directory)) => directory.join(last),
        // Told again, if it matters, where the whole name is followed.
        Ok(Place::StorePath { .. }) | Err(_) => return Ok(None),
    };
    let at = || name.to_owned();
    match std::fs::symlink_metadata(&real) {
        Ok(meta) if meta.is_symlink() => {}
        _ => return Ok(None),
    }
    let target = std::fs::read_link(&real);
    target.map(Some).map_err(|source| ResolveError::Io { at: at(), source })
}

/// The store path that a name means by its text alone.
fn below(name: &Path, store_dir: &Path) -> Option<Place> {
    let mut inside = name.strip_prefix(store_dir).ok()?.components();
    let base_name = inside.next()?.as_os_str().to_owned();
    Some(Place::StorePath { base_name, inside: inside.as_path().to_owned() })
}

/// An absolute name without `.`, `..` and doubled slashes, by its text alone
/// (nix: `canonPath`).
pub fn plain_path(path: &Path) -> PathBuf {
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

/// Where a walk ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// As soon as it is in the store.
    InStore,
    /// At a store path, even one that is a symlink; what leads on inside a
    /// store path is followed.
    AtStorePath,
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

    fn target(root: &Path, name: &str) -> Result<Place, ResolveError> {
        let store = Path::new("/nix/store");
        follow_links_to_store(root, Path::new(name), store, store)
    }

    /// As `nix-store -q` of 2.8, 2.26 and 2.34 takes them.
    #[test]
    fn a_target_is_what_its_last_link_leads_to() {
        let dir = root();
        let at = |name: &str| dir.path().join(name);
        for path in ["nix/store/x-system", "nix/store/x-vim/bin", "run", "nix/store/x-coreutils"] {
            std::fs::create_dir_all(at(path)).unwrap();
        }
        std::fs::create_dir_all(at("nix/store/x-env/bin")).unwrap();
        std::fs::write(at("nix/store/x-vim/bin/vim"), "").unwrap();
        std::fs::write(at("nix/store/x-coreutils/coreutils"), "").unwrap();
        for (link, to) in [
            ("run/current", "/nix/store/x-system"),
            ("nix/store/x-system/sw", "/nix/store/x-env"),
            ("nix/store/x-env/bin/vim", "/nix/store/x-vim/bin/vim"),
            ("nix/store/x-env/core", "/nix/store/x-coreutils"),
            ("nix/store/x-coreutils/ls", "coreutils"),
            ("nix/store/x-env/bin/gone", "/nix/store/x-gone/bin/gone"),
            ("nix/store/x-env/bin/host", "/etc/passwd"),
            ("nix/store/x-alias", "/etc/passwd"),
            ("alias", "/nix/store"),
        ] {
            symlink(to, at(link)).unwrap();
        }
        let target = |name: &str| target(dir.path(), name).unwrap();
        assert_eq!(target("/run/current"), entry("x-system", ""));
        assert_eq!(target("/run/current/sw"), entry("x-env", ""));
        assert_eq!(target("/run/current/sw/bin/vim"), entry("x-vim", "bin/vim"));
        assert_eq!(target("/run/current/sw/bin/gone"), entry("x-gone", "bin/gone"));
        // Inside the store nothing is followed, nor looked at.
        assert_eq!(target("/nix/store/x-env/bin/vim"), entry("x-env", "bin/vim"));
        assert_eq!(target("/nix/./store//x-env/../x-vim"), entry("x-vim", ""));
        assert_eq!(target("/nix/store/x-alias"), entry("x-alias", ""));
        // Nix refuses these: the store path that holds the file.
        assert_eq!(target("/run/current/sw/core/ls"), entry("x-coreutils", "coreutils"));
        assert_eq!(target("/run/current/sw/bin"), entry("x-env", "bin"));
        assert_eq!(target("/alias/x-vim/bin"), entry("x-vim", "bin"));
        assert_eq!(target("/alias/x-gone/bin"), entry("x-gone", ""));
        // It leads out of the store again.
        assert_eq!(target("/run/current/sw/bin/host"), Place::File(at("etc/passwd")));
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
