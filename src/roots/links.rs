//! The walk of `gcroots` and `profiles`.
//!
//! The rules are those of `LocalStore::findRoots`: a directory is entered; a
//! link spelled as a name in the store is a root; any other link is followed
//! one more step, and is a root if that step is a link into the store; a
//! regular file is a root if its name is a valid path's. Names are compared as
//! they are spelled, as Nix does; directories on the way to a user's link are
//! resolved inside the examined root. Links that Nix does not follow to their
//! end keep nothing; they are listed with what they would keep.

use super::{FoundRoots, Root, RootKind, StaleReason, StaleRoot, in_store};
use crate::catalog::{Catalog, PathId};
use crate::store::{Place, ResolveError, StoreLocation, StorePath, resolve};
use crate::warning::WarningKind;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, open, readlinkat, statat};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// How many entries of a directory that Nix does not enter are looked through.
const MAX_LOOKED_THROUGH: usize = 10_000;

/// Directories that links were found in: their names inside the examined root,
/// and where they really are.
pub(super) type Dirs = HashMap<PathBuf, PathBuf>;

/// Finds the roots that lie in the state directory.
pub(super) fn find(location: &StoreLocation, catalog: &Catalog, found: &mut FoundRoots) -> Dirs {
    let mut finder = Finder {
        location,
        catalog,
        found,
        auto: location.state_dir.join("gcroots/auto"),
        dirs: Dirs::new(),
    };
    let mut any = false;
    for name in ["gcroots", "profiles"] {
        any |= finder.walk(&location.state_dir, &location.real_state_dir, OsStr::new(name));
    }
    if !any {
        let message = "there is neither gcroots nor profiles here, so no root can be found";
        let state_dir = location.state_dir.as_os_str().as_bytes();
        finder.found.warnings.push(WarningKind::Unreadable, state_dir, message);
    }
    finder.dirs
}

struct Finder<'a> {
    location: &'a StoreLocation,
    catalog: &'a Catalog,
    found: &'a mut FoundRoots,
    auto: PathBuf,
    dirs: Dirs,
}

/// What a directory entry is, as far as roots go.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    Directory,
    Link,
    File,
    Other,
}

impl Finder<'_> {
    /// Walks the entry `name` of a directory, given by its name inside the
    /// examined root and by where it really is; whether there is such an entry.
    fn walk(&mut self, logical: &Path, real: &Path, name: &OsStr) -> bool {
        let top = real.join(name);
        let entry = match statat(CWD, &top, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => entry_of(FileType::from_raw_mode(stat.st_mode)),
            Err(e) => {
                self.unreadable(&logical.join(name), e);
                return e != Errno::NOENT;
            }
        };
        let mut todo: Vec<(PathBuf, PathBuf)> = Vec::new();
        self.visit(logical, real, name, entry, &mut todo);
        while let Some((logical, real)) = todo.pop() {
            self.dirs.insert(logical.clone(), real.clone());
            match read_dir(&real) {
                Ok(entries) => {
                    for (name, entry) in entries {
                        self.visit(&logical, &real, OsStr::from_bytes(&name), entry, &mut todo);
                    }
                }
                Err(e) => self.unreadable(&logical, e),
            }
        }
        true
    }

    fn visit(
        &mut self,
        dir: &Path,
        real_dir: &Path,
        name: &OsStr,
        entry: Entry,
        todo: &mut Vec<(PathBuf, PathBuf)>,
    ) {
        match entry {
            Entry::Directory => todo.push((dir.join(name), real_dir.join(name))),
            Entry::Link => self.link(dir, real_dir, name),
            Entry::File => {
                let base = std::str::from_utf8(name.as_bytes()).ok();
                if let Some(path) = base.and_then(|b| self.catalog.find(b)) {
                    let time = modified(&real_dir.join(name));
                    self.root(RootKind::File, dir.join(name), None, path, time);
                }
            }
            Entry::Other => {}
        }
    }

    /// A link in `gcroots` or `profiles`.
    fn link(&mut self, dir: &Path, real_dir: &Path, name: &OsStr) {
        let (link, real) = (dir.join(name), real_dir.join(name));
        let target = match read_link(&real) {
            Ok(target) => target,
            Err(e) => return self.unreadable(&link, e),
        };
        if self.take_store_path(RootKind::Link, &link, &real, None, &target) {
            return;
        }
        let in_auto = link.starts_with(&self.auto);
        let next = canonical(dir, &target);
        // The top directory is no link.
        let (Some(next_dir), Some(next_name)) = (next.parent(), next.file_name()) else { return };
        let gone = |finder: &mut Self| {
            finder.stale(StaleReason::Missing, link.clone(), None, &target, Vec::new());
        };
        let real_next = match self.resolve(next_dir) {
            Ok(dir) => dir.join(next_name),
            Err(ResolveError::Missing { .. } | ResolveError::NotADirectory { .. }) => {
                return gone(self);
            }
            Err(ResolveError::Loop { .. }) => return self.unreadable(&link, Errno::LOOP),
            Err(ResolveError::Io { source, at }) => {
                let e = Errno::from_io_error(&source).unwrap_or(Errno::IO);
                return self.unreadable(&at, e);
            }
        };
        match statat(CWD, &real_next, AtFlags::SYMLINK_NOFOLLOW).map(|s| s.st_mode) {
            Ok(mode) if FileType::from_raw_mode(mode) == FileType::Symlink => {}
            Ok(_) => return self.not_followed(in_auto, link, None, &target, &next),
            Err(Errno::NOENT | Errno::NOTDIR) => return gone(self),
            Err(e) => return self.unreadable(&next, e),
        }
        let kind = if in_auto { RootKind::Auto } else { RootKind::Link };
        match read_link(&real_next) {
            Ok(target) => {
                if !self.take_store_path(kind, &next, &real_next, Some(&link), &target) {
                    let leads = next.clone();
                    self.not_followed(in_auto, next, Some(&link), &target, &leads);
                }
            }
            Err(e) => self.unreadable(&next, e),
        }
    }

    /// Takes a link if it is spelled as a name in the store.
    fn take_store_path(
        &mut self,
        kind: RootKind,
        link: &Path,
        real: &Path,
        via: Option<&Path>,
        target: &[u8],
    ) -> bool {
        let Some(path) = in_store(&self.location.store_dir, target) else { return false };
        match path.ok().and_then(|p| self.catalog.find(p.base_name())) {
            Some(path) => self.root(kind, link.to_owned(), via, path, modified(real)),
            None => self.stale(StaleReason::InvalidPath, link.to_owned(), via, target, Vec::new()),
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
        let mut top = None;
        if let Some(path) = self.end(name, &mut top) {
            return vec![path];
        }
        let walked = ["gcroots", "profiles"].map(|d| self.location.real_state_dir.join(d));
        let store = &self.location.real_store_dir;
        let mut found = BTreeSet::new();
        let mut todo: Vec<PathBuf> = top.into_iter().collect();
        let mut entries_left = MAX_LOOKED_THROUGH;
        while let Some(dir) = todo.pop() {
            if walked.iter().any(|w| dir.starts_with(w)) || dir.starts_with(store) {
                continue;
            }
            // What cannot be read keeps nothing today, and would not then.
            for (name, entry) in read_dir(&dir).unwrap_or_default() {
                if entries_left == 0 {
                    let message = format!(
                        "holds more than {MAX_LOOKED_THROUGH} entries: \
                         what its links would keep is not all listed"
                    );
                    let name = self.logical(&dir).into_os_string().into_vec();
                    self.found.warnings.push(WarningKind::Note, name, message);
                    return found.into_iter().collect();
                }
                entries_left -= 1;
                let real = dir.join(OsStr::from_bytes(&name));
                match entry {
                    Entry::Directory => todo.push(real),
                    Entry::Link => found.extend(self.end(&self.logical(&real), &mut None)),
                    Entry::File | Entry::Other => {}
                }
            }
        }
        found.into_iter().collect()
    }

    /// The valid path that a name leads to if all links are followed; `file` is
    /// where it leads outside the store.
    fn end(&self, name: &Path, file: &mut Option<PathBuf>) -> Option<PathId> {
        let store_dir = Path::new(&self.location.store_dir);
        let base_name = match resolve(&self.location.root, name, Some(store_dir)).ok()? {
            Place::StorePath { base_name, .. } => base_name,
            Place::File(real) => match real.strip_prefix(&self.location.real_store_dir) {
                Ok(below) => below.iter().next()?.to_owned(),
                Err(_) => {
                    *file = Some(real);
                    return None;
                }
            },
        };
        self.catalog.find(StorePath::parse(base_name.as_bytes()).ok()?.base_name())
    }

    /// The name inside the examined root.
    fn logical(&self, real: &Path) -> PathBuf {
        match real.strip_prefix(&self.location.root) {
            Ok(inside) => Path::new("/").join(inside),
            Err(_) => real.to_owned(),
        }
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

    /// Where a directory really is, resolved inside the examined root.
    fn resolve(&mut self, dir: &Path) -> Result<PathBuf, ResolveError> {
        if let Some(real) = self.dirs.get(dir) {
            return Ok(real.clone());
        }
        let real = match resolve(&self.location.root, dir, None)? {
            Place::File(real) => real,
            Place::StorePath { .. } => unreachable!("no store directory was given"),
        };
        self.dirs.insert(dir.to_owned(), real.clone());
        Ok(real)
    }

    fn unreadable(&mut self, link: &Path, error: Errno) {
        // What is not there is no root; the rest may hide some.
        if error != Errno::NOENT {
            let message = format!("cannot be read to look for roots: {error}");
            let name = link.as_os_str().as_bytes();
            self.found.warnings.push(WarningKind::Unreadable, name, message);
        }
    }
}

fn entry_of(file_type: FileType) -> Entry {
    match file_type {
        FileType::Directory => Entry::Directory,
        FileType::Symlink => Entry::Link,
        FileType::RegularFile => Entry::File,
        _ => Entry::Other,
    }
}

/// The entries of a directory that is no link.
pub(super) fn read_dir(real: &Path) -> Result<Vec<(Vec<u8>, Entry)>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut entries = Vec::new();
    for entry in Dir::new(open(real, flags, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let path = real.join(OsStr::from_bytes(name));
                match statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(e) => return Err(e),
                }
            }
            known => known,
        };
        entries.push((name.to_vec(), entry_of(kind)));
    }
    Ok(entries)
}

pub(super) fn read_link(real: &Path) -> Result<Vec<u8>, Errno> {
    Ok(readlinkat(CWD, real, Vec::new())?.into_bytes())
}

/// When a link was made; nobody changes a link in place.
pub(super) fn modified(real: &Path) -> Option<i64> {
    #[allow(clippy::useless_conversion, reason = "the field's type differs by architecture")]
    statat(CWD, real, AtFlags::SYMLINK_NOFOLLOW).ok().map(|stat| i64::from(stat.st_mtime))
}

/// A link's target as a name from the top, with `.` and `..` taken away by
/// spelling (nix: `absPath`, `canonPath`).
fn canonical(dir: &Path, target: &[u8]) -> PathBuf {
    let mut path = PathBuf::from("/");
    for part in dir.join(OsStr::from_bytes(target)).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::ParentDir => {
                path.pop();
            }
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_spelled() {
        let path = |target: &[u8]| canonical(Path::new("/a/b"), target);
        assert_eq!(path(b"c"), Path::new("/a/b/c"));
        assert_eq!(path(b"../../../c/./d/"), Path::new("/c/d"));
        assert_eq!(path(b"/x//y"), Path::new("/x/y"));
    }
}
