//! The walk of `gcroots` and `profiles`.
//!
//! The rules are those of `LocalStore::findRoots`: a directory is entered; a
//! link spelled as a name in the store is a root; any other link is followed
//! one more step, and is a root if that step is a link into the store; a
//! regular file is a root if its name is a valid path's. Names are compared as
//! they are spelled, as Nix does; directories on the way to a user's link are
//! resolved inside the examined root. Links that Nix does not follow to their
//! end keep nothing; they are listed with what they would keep.

use super::{FoundRoots, Root, RootKind, StaleReason, StaleRoot, c_name, in_store};
use crate::catalog::{Catalog, PathId};
use crate::fs::{Directory, FileType, ResolveError, Resolved, ResolvedEntry, Tree};
use crate::store::{StoreLocation, StorePath, plain_path};
use crate::warning::WarningKind;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How many entries of a directory that Nix does not enter are looked through.
const MAX_LOOKED_THROUGH: usize = 10_000;

/// Finds the roots that lie in the state directory.
pub(super) fn find(
    tree: &Tree,
    location: &StoreLocation,
    catalog: &Catalog,
    found: &mut FoundRoots,
) {
    let mut finder = Finder {
        tree,
        location,
        catalog,
        found,
        auto: location.state_dir.join("gcroots/auto"),
        last: None,
    };
    let mut any = false;
    match tree.pass_directory(&location.state_dir).map(Rc::new) {
        Ok(state_dir) => {
            for name in [c"gcroots", c"profiles"] {
                any |= finder.walk(&location.state_dir, &state_dir, name);
            }
        }
        Err(ResolveError::Missing { .. }) => {}
        Err(error) => {
            any = true;
            finder.unreadable(&location.state_dir, &error.into());
        }
    }
    if !any {
        let message = "there is neither gcroots nor profiles here, so no root can be found";
        let state_dir = location.state_dir.as_os_str().as_bytes();
        finder.found.warnings.push(WarningKind::Unreadable, state_dir, message);
    }
}

struct Finder<'a> {
    tree: &'a Tree,
    location: &'a StoreLocation,
    catalog: &'a Catalog,
    found: &'a mut FoundRoots,
    auto: PathBuf,
    /// The directory in which a link was looked for last, and its name:
    /// links that are registered together often lie together.
    last: Option<(PathBuf, Rc<Directory>)>,
}

/// A directory still to be read: its name inside the examined root, and where
/// it is found. What holds it open are the directories in it that are still
/// to be read.
struct Pending {
    path: PathBuf,
    parent: Rc<Directory>,
    name: CString,
}

/// A link: its name inside the examined root, and where it is found.
#[derive(Clone, Copy)]
struct RootEntry<'a> {
    path: &'a Path,
    parent: &'a Directory,
    name: &'a CStr,
}

impl Finder<'_> {
    /// Walks the entry `name` of a directory, given by its name inside the
    /// examined root; whether there is such an entry.
    fn walk(&mut self, path: &Path, directory: &Rc<Directory>, name: &CStr) -> bool {
        let file_type = match directory.stat(name) {
            Ok(stat) => stat.file_type(),
            Err(e) => {
                self.unreadable(&path.join(os(name)), &e);
                return e.kind() != io::ErrorKind::NotFound;
            }
        };
        let mut todo = Vec::new();
        self.visit(path, directory, name, file_type, &mut todo);
        while let Some(Pending { path, parent, name }) = todo.pop() {
            let listed = parent.open_directory(&name).and_then(|directory| {
                let entries = list(&directory)?;
                Ok((Rc::new(directory), entries))
            });
            // It may be the last that holds its parent open.
            drop(parent);
            match listed {
                Ok((directory, entries)) => {
                    for (name, file_type) in entries {
                        self.visit(&path, &directory, &name, file_type, &mut todo);
                    }
                }
                Err(e) => self.unreadable(&path, &e),
            }
        }
        true
    }

    fn visit(
        &mut self,
        dir: &Path,
        parent: &Rc<Directory>,
        name: &CStr,
        file_type: FileType,
        todo: &mut Vec<Pending>,
    ) {
        let path = dir.join(os(name));
        match file_type {
            FileType::Directory => {
                todo.push(Pending { path, parent: Rc::clone(parent), name: name.to_owned() });
            }
            FileType::Symlink => self.link(dir, RootEntry { path: &path, parent, name }),
            FileType::Regular => {
                if let Some(id) = name.to_str().ok().and_then(|base| self.catalog.find(base)) {
                    let time = modified(parent, name);
                    self.root(RootKind::File, path, None, id, time);
                }
            }
            FileType::Other | FileType::Unknown => {}
        }
    }

    /// A link in `gcroots` or `profiles`.
    fn link(&mut self, dir: &Path, link: RootEntry<'_>) {
        let target = match link.parent.read_link(link.name) {
            Ok(target) => target,
            Err(e) => return self.unreadable(link.path, &e),
        };
        if self.take_store_path(RootKind::Link, link, None, &target) {
            return;
        }
        let in_auto = link.path.starts_with(&self.auto);
        let next = target_path(dir, &target);
        // The top directory is not a link.
        let (Some(next_dir), Some(next_name)) = (next.parent(), next.file_name()) else { return };
        let gone = |finder: &mut Self| {
            finder.stale(StaleReason::Missing, link.path.to_owned(), None, &target, Vec::new());
        };
        let parent = match self.directory(next_dir) {
            Ok(parent) => parent,
            Err(ResolveError::Missing { .. } | ResolveError::NotADirectory { .. }) => {
                return gone(self);
            }
            Err(ResolveError::Io { source, at }) => return self.unreadable(&at, &source),
            Err(error @ ResolveError::Loop { .. }) => {
                return self.unreadable(link.path, &error.into());
            }
        };
        let found = c_name(next_name).and_then(|name| {
            let stat = parent.stat(&name)?;
            Ok((name, stat.file_type()))
        });
        let name = match found {
            Ok((name, FileType::Symlink)) => name,
            Ok(_) => return self.not_followed(in_auto, link.path.into(), None, &target, &next),
            Err(e) => match e.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return gone(self),
                _ => return self.unreadable(&next, &e),
            },
        };
        let kind = if in_auto { RootKind::Auto } else { RootKind::Link };
        match parent.read_link(&name) {
            Ok(target) => {
                let via = link.path;
                let link = RootEntry { path: &next, parent: &parent, name: &name };
                if !self.take_store_path(kind, link, Some(via), &target) {
                    self.not_followed(in_auto, next.clone(), Some(via), &target, &next);
                }
            }
            Err(e) => self.unreadable(&next, &e),
        }
    }

    /// Takes a link if it is spelled as a name in the store.
    fn take_store_path(
        &mut self,
        kind: RootKind,
        link: RootEntry<'_>,
        via: Option<&Path>,
        target: &[u8],
    ) -> bool {
        let Some(path) = in_store(&self.location.store_dir, target) else { return false };
        let name = link.path.to_owned();
        match path.ok().and_then(|p| self.catalog.find(p.base_name())) {
            Some(path) => self.root(kind, name, via, path, modified(link.parent, link.name)),
            None => self.stale(StaleReason::InvalidPath, name, via, target, Vec::new()),
        }
        true
    }

    fn root(
        &mut self,
        kind: RootKind,
        link: PathBuf,
        via: Option<&Path>,
        path: PathId,
        time: Option<i64>,
    ) {
        self.found.roots.push(Root {
            kind,
            link: link.into_os_string().into_vec(),
            via: via.map(|v| v.as_os_str().as_bytes().to_vec()),
            path,
            time,
            pid: None,
            generation: None,
        });
    }

    /// A link that leads to something, but not by one more link into the
    /// store. Where it keeps nothing even if followed to its end, only those
    /// in `gcroots/auto` are worth telling: others need not be roots.
    fn not_followed(
        &mut self,
        in_auto: bool,
        link: PathBuf,
        via: Option<&Path>,
        target: &[u8],
        leads: &Path,
    ) {
        let would_keep = self.at_the_end(leads);
        if in_auto || !would_keep.is_empty() {
            self.stale(StaleReason::Elsewhere, link, via, target, would_keep);
        }
    }

    /// The valid paths that a name leads to if all links are followed: one
    /// path, or those that the links in a directory lead to.
    fn at_the_end(&mut self, name: &Path) -> Vec<PathId> {
        let entry = match self.end(name) {
            End::Path(path) => return vec![path],
            End::Entry(entry) => entry,
            End::Nothing => return Vec::new(),
        };
        // What cannot be read keeps nothing today, and would not then.
        let Ok(top) = entry.open_directory() else { return Vec::new() };
        let state_dir = self.location.inside(&self.location.real_state_dir);
        let skipped = [
            state_dir.join("gcroots"),
            state_dir.join("profiles"),
            self.location.inside(&self.location.real_store_dir),
        ];
        let is_skipped = |path: &Path| skipped.iter().any(|skipped| path.starts_with(skipped));
        let mut found = BTreeSet::new();
        let mut entries_left = MAX_LOOKED_THROUGH;
        let mut todo = Vec::new();
        let mut next = Some((entry.path, top)).filter(|(path, _)| !is_skipped(path));
        while let Some((path, directory)) = next {
            let directory = Rc::new(directory);
            for (name, file_type) in list(&directory).unwrap_or_default() {
                if entries_left == 0 {
                    let message = format!(
                        "holds more than {MAX_LOOKED_THROUGH} entries: \
                         what its links would keep is not all listed"
                    );
                    let name = path.into_os_string().into_vec();
                    self.found.warnings.push(WarningKind::Note, name, message);
                    return found.into_iter().collect();
                }
                entries_left -= 1;
                let path = path.join(os(&name));
                match file_type {
                    FileType::Directory if !is_skipped(&path) => {
                        todo.push(Pending { path, parent: Rc::clone(&directory), name });
                    }
                    FileType::Symlink => {
                        if let End::Path(path) = self.end(&path) {
                            found.insert(path);
                        }
                    }
                    _ => {}
                }
            }
            drop(directory);
            next = None;
            while next.is_none()
                && let Some(Pending { path, parent, name }) = todo.pop()
            {
                next = parent.open_directory(&name).ok().map(|directory| (path, directory));
            }
        }
        found.into_iter().collect()
    }

    /// What a name leads to if all links are followed.
    fn end(&self, name: &Path) -> End {
        let store_dir = Path::new(&self.location.store_dir);
        let base_name = match self.tree.resolve(name, Some(store_dir)) {
            Ok(Resolved::StorePath { base_name, .. }) => base_name,
            Ok(Resolved::Entry(entry)) => {
                let real_store_dir = self.location.inside(&self.location.real_store_dir);
                match entry.path.strip_prefix(&real_store_dir) {
                    Ok(below) => match below.iter().next() {
                        Some(base_name) => base_name.to_owned(),
                        None => return End::Nothing,
                    },
                    Err(_) => return End::Entry(entry),
                }
            }
            Err(_) => return End::Nothing,
        };
        let path = StorePath::parse(base_name.as_bytes()).ok();
        let path = path.and_then(|path| self.catalog.find(path.base_name()));
        path.map_or(End::Nothing, End::Path)
    }

    fn stale(
        &mut self,
        reason: StaleReason,
        link: PathBuf,
        via: Option<&Path>,
        target: &[u8],
        would_keep: Vec<PathId>,
    ) {
        self.found.stale.push(StaleRoot {
            reason,
            link: link.into_os_string().into_vec(),
            via: via.map(|v| v.as_os_str().as_bytes().to_vec()),
            target: target.to_vec(),
            would_keep,
        });
    }

    /// Opens the directory in which a link is looked for.
    fn directory(&mut self, dir: &Path) -> Result<Rc<Directory>, ResolveError> {
        if let Some((path, directory)) = &self.last
            && path == dir
        {
            return Ok(Rc::clone(directory));
        }
        let directory = Rc::new(self.tree.pass_directory(dir)?);
        self.last = Some((dir.to_owned(), Rc::clone(&directory)));
        Ok(directory)
    }

    fn unreadable(&mut self, link: &Path, error: &io::Error) {
        // What is not there is no root; the rest may hide some.
        if error.kind() != io::ErrorKind::NotFound {
            let message = format!("cannot be read to look for roots: {error}");
            let name = link.as_os_str().as_bytes();
            self.found.warnings.push(WarningKind::Unreadable, name, message);
        }
    }
}

/// What a name leads to.
enum End {
    /// A valid path.
    Path(PathId),
    /// A file or directory outside of the store.
    Entry(ResolvedEntry),
    /// Neither.
    Nothing,
}

fn os(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// The entries of a directory and what they are.
pub(super) fn list(directory: &Directory) -> io::Result<Vec<(CString, FileType)>> {
    let mut entries = Vec::new();
    directory.read(&mut Vec::new(), |entry| {
        entries.push((entry.name.to_owned(), entry.file_type));
    })?;
    let mut failed = Ok(());
    entries.retain_mut(|(name, file_type)| {
        if *file_type == FileType::Unknown {
            match directory.stat(name) {
                Ok(stat) => *file_type = stat.file_type(),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return false,
                Err(e) => failed = Err(e),
            }
        }
        true
    });
    failed.map(|()| entries)
}

/// When a link was made; nobody changes a link in place.
pub(super) fn modified(parent: &Directory, name: &CStr) -> Option<i64> {
    parent.stat(name).ok().map(|stat| stat.mtime)
}

/// A link's target as a name from the top, with `.` and `..` taken away by
/// spelling (nix: `absPath`, `canonPath`).
pub(super) fn target_path(dir: &Path, target: &[u8]) -> PathBuf {
    plain_path(&dir.join(OsStr::from_bytes(target)))
}
