//! Following symlinks inside a root, over any tree: as `openat2` does with
//! `RESOLVE_IN_ROOT`, but stopping as soon as the way enters the store.
//!
//! A tree's links are not trusted: an absolute target starts again at the root
//! given, and `..` never leaves it. Each directory is opened from the one above
//! it without following a link, and nothing but directories is opened, so a
//! FIFO cannot block.

use super::{Directory, FileType, RegularFile, Stat, Tree};
use crate::store::plain_path;
use std::collections::VecDeque;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// Linux gives up after as many symlinks (`MAXSYMLINKS`).
const MAX_SYMLINKS: usize = 40;
/// Directories that may be open on the way: no entry point lies deeper.
const MAX_DEPTH: usize = 256;

/// Where a name leads.
#[derive(Debug)]
pub enum Resolved {
    /// Into the store: the first component below the store directory, and
    /// what follows it (may be empty).
    StorePath {
        /// The base name.
        base_name: OsString,
        /// The rest of the name, inside the store path, not resolved.
        inside: PathBuf,
    },
    /// To a file or directory elsewhere.
    Entry(ResolvedEntry),
}

/// A file or directory that a name led to.
#[derive(Debug)]
pub struct ResolvedEntry {
    /// Its name inside the root, with no symlink in it.
    pub path: PathBuf,
    /// What it is.
    pub stat: Stat,
    /// Where it is found, and its name there; the root is found in itself.
    parent: Directory,
    name: CString,
}

impl Resolved {
    /// The file or directory, unless it leads into the store.
    pub fn into_entry(self) -> Option<ResolvedEntry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::StorePath { .. } => None,
        }
    }
}

impl ResolvedEntry {
    /// Opens it as a directory.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open_directory(&self) -> io::Result<Directory> {
        self.parent.open_directory(&self.name)
    }

    /// Where it is found, and its name there; the root is found in itself.
    pub fn into_parent(self) -> (Directory, CString) {
        (self.parent, self.name)
    }

    /// Opens it as a directory that need not be readable: see
    /// [`Directory::pass_directory`].
    ///
    /// # Errors
    /// Those of the system.
    pub fn pass_directory(&self) -> io::Result<Directory> {
        self.parent.pass_directory(&self.name)
    }

    /// Opens it as a regular file.
    ///
    /// # Errors
    /// Those of the system, and `InvalidInput` for anything but a regular file.
    pub fn open_file(&self) -> io::Result<RegularFile> {
        self.parent.open_unknown_file(&self.name)
    }
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
    /// Something on the way is not a directory.
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

impl From<ResolveError> for io::Error {
    fn from(error: ResolveError) -> Self {
        let errno = match error {
            ResolveError::Missing { .. } => rustix::io::Errno::NOENT,
            ResolveError::Loop { .. } => rustix::io::Errno::LOOP,
            ResolveError::NotADirectory { .. } => rustix::io::Errno::NOTDIR,
            ResolveError::Io { source, .. } => return source,
        };
        errno.into()
    }
}

/// The way from the root to where the resolving is.
struct OpenPath {
    root: Directory,
    /// Names below the root, none of them a symlink, each with its directory.
    below: Vec<(OsString, Directory)>,
}

impl OpenPath {
    fn directory(&self) -> &Directory {
        self.below.last().map_or(&self.root, |(_, directory)| directory)
    }

    fn names(&self) -> impl ExactSizeIterator<Item = &OsString> {
        self.below.iter().map(|(name, _)| name)
    }

    fn path(&self, last: Option<&OsStr>) -> PathBuf {
        let mut path = PathBuf::from("/");
        path.extend(self.names());
        path.extend(last);
        path
    }
}

pub(super) fn resolve(
    tree: &Tree,
    name: &Path,
    store_dir: Option<&Path>,
) -> Result<Resolved, ResolveError> {
    if store_dir.is_none()
        && let Some(entry) = without_links(tree, name)
    {
        return Ok(Resolved::Entry(entry));
    }
    follow(tree, name, store_dir, Stop::InStore)
}

/// Where a name leads that has no symlink on its way and no `..`, as most have:
/// two calls of the system in all. `None` where it has to be followed, or fails.
fn without_links(tree: &Tree, name: &Path) -> Option<ResolvedEntry> {
    let Tree::Live(live) = tree else { return None };
    let mut path = PathBuf::from("/");
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::RootDir => {}
            _ => return None,
        }
    }
    let name = CString::new(path.file_name()?.as_bytes()).ok()?;
    let parent = live.pass_plain(path.parent()?)?;
    let stat = parent.stat(&name).ok()?;
    (stat.file_type() != FileType::Symlink).then_some(ResolvedEntry { path, stat, parent, name })
}

/// The store path that `name` (absolute: from the root) means to Nix: symlinks
/// at its end are followed while the name as written is outside `store_dir`,
/// the store directory as the system under the root names it (nix:
/// `Store::followLinksToStore`). Where Nix finds no store path, it is the one
/// below `real_store_dir` (a name inside the root) that holds the file.
pub(super) fn follow_links_to_store(
    tree: &Tree,
    name: &Path,
    store_dir: &Path,
    real_store_dir: &Path,
) -> Result<Resolved, ResolveError> {
    let mut at = plain_path(name);
    for _ in 0..=MAX_SYMLINKS {
        if let Some(path) = below(&at, store_dir) {
            return Ok(path);
        }
        let Some(target) = link_target(tree, &at)? else { break };
        at = plain_path(&at.parent().unwrap_or(Path::new("/")).join(target));
    }
    follow(tree, name, Some(real_store_dir), Stop::AtStorePath)
}

/// The target of a symlink, resolved but for its last component; `None` where
/// there is no symlink.
fn link_target(tree: &Tree, name: &Path) -> Result<Option<PathBuf>, ResolveError> {
    let (Some(parent), Some(last)) = (name.parent(), name.file_name()) else { return Ok(None) };
    let Ok(last) = CString::new(last.as_bytes()) else { return Ok(None) };
    // An error shows again, if it matters, where the whole name is followed.
    let Ok(directory) = tree.pass_directory(parent) else { return Ok(None) };
    match directory.stat(&last) {
        Ok(stat) if stat.file_type() == FileType::Symlink => {}
        _ => return Ok(None),
    }
    match directory.read_link(&last) {
        Ok(target) => Ok(Some(OsString::from_vec(target).into())),
        Err(source) => Err(ResolveError::Io { at: name.to_owned(), source }),
    }
}

/// The store path that a name means by its text alone.
fn below(name: &Path, store_dir: &Path) -> Option<Resolved> {
    let mut inside = name.strip_prefix(store_dir).ok()?.components();
    let base_name = inside.next()?.as_os_str().to_owned();
    Some(Resolved::StorePath { base_name, inside: inside.as_path().to_owned() })
}

/// Where following ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// As soon as it is in the store.
    InStore,
    /// At a store path, even one that is a symlink; what leads on inside a
    /// store path is followed.
    AtStorePath,
}

fn follow(
    tree: &Tree,
    name: &Path,
    store_dir: Option<&Path>,
    stop: Stop,
) -> Result<Resolved, ResolveError> {
    let store: Option<Vec<&OsStr>> =
        store_dir.map(|dir| dir.components().filter_map(normal).collect());
    let root = tree.root().map_err(|source| ResolveError::Io { at: "/".into(), source })?;
    let mut open_path = OpenPath { root, below: Vec::new() };
    let mut pending: VecDeque<OsString> = VecDeque::new();
    prepend(&mut pending, name);
    let mut links = 0;
    while let Some(part) = pending.pop_front() {
        if part == ".." {
            open_path.below.pop();
            continue;
        }
        if let Some(store) = &store
            && open_path.below.len() == store.len()
            && open_path.names().zip(store).all(|(a, b)| a == b)
            && (stop == Stop::InStore || pending.is_empty())
        {
            return Ok(Resolved::StorePath { base_name: part, inside: pending.iter().collect() });
        }
        let at = || open_path.path(Some(&part));
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => {
                ResolveError::Missing { at: at(), rest: pending.iter().collect() }
            }
            io::ErrorKind::NotADirectory => ResolveError::NotADirectory { at: at() },
            _ => ResolveError::Io { at: at(), source },
        };
        let c_name = CString::new(part.as_bytes())
            .map_err(|_| ResolveError::Missing { at: at(), rest: PathBuf::new() })?;
        let stat = match open_path.directory().stat(&c_name) {
            Ok(stat) => stat,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let inside = store_dir.and_then(|store_dir| below(&at(), store_dir));
                return inside.ok_or_else(|| failed(error));
            }
            Err(error) => return Err(failed(error)),
        };
        match stat.file_type() {
            FileType::Symlink => {
                links += 1;
                if links > MAX_SYMLINKS {
                    return Err(ResolveError::Loop { at: at() });
                }
                let target = open_path.directory().read_link(&c_name).map_err(failed)?;
                if target.starts_with(b"/") {
                    open_path.below.clear();
                }
                prepend(&mut pending, Path::new(OsStr::from_bytes(&target)));
            }
            FileType::Directory if !pending.is_empty() => {
                if open_path.below.len() == MAX_DEPTH {
                    return Err(failed(rustix::io::Errno::NAMETOOLONG.into()));
                }
                let directory = open_path.directory().pass_directory(&c_name).map_err(failed)?;
                open_path.below.push((part, directory));
            }
            _ if !pending.is_empty() => return Err(ResolveError::NotADirectory { at: at() }),
            _ => {
                let path = at();
                if let Some(inside) = store_dir.and_then(|store_dir| below(&path, store_dir)) {
                    return Ok(inside);
                }
                let parent =
                    open_path.below.pop().map_or(open_path.root, |(_, directory)| directory);
                return Ok(Resolved::Entry(ResolvedEntry { path, stat, parent, name: c_name }));
            }
        }
    }
    // It ended with `..`, or is the root itself.
    let path = open_path.path(None);
    if let Some(inside) = store_dir.and_then(|store_dir| below(&path, store_dir)) {
        return Ok(inside);
    }
    let parent = open_path.below.pop().map_or(open_path.root, |(_, directory)| directory);
    let failed = |source| ResolveError::Io { at: path.clone(), source };
    let stat = parent.stat(c"").map_err(failed)?;
    Ok(Resolved::Entry(ResolvedEntry { path, stat, parent, name: c".".to_owned() }))
}

fn normal(component: Component<'_>) -> Option<&OsStr> {
    match component {
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
