//! What running processes use (nix: `src/libstore/local-gc.cc`,
//! `findRuntimeRootsUnchecked`), and temporary roots (`findTempRoots`).
//!
//! Only names are read, nothing is opened that could block, and no lock is
//! taken. The reading process itself is left out: it will be gone by the time
//! anything is collected. What processes use is found in the one file that
//! Linux alone builds, `linux`.

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod linux;
#[cfg(not(all(target_os = "linux", not(nix_census_portable))))]
mod portable;

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
use linux as native;
#[cfg(not(all(target_os = "linux", not(nix_census_portable))))]
use portable as native;

use super::gcroots::list;
use super::{FoundRoots, Root, RootKind, Stays, TemporaryEntry, in_store};
use crate::catalog::Catalog;
use crate::fs::{FileType, Resolved, Tree};
use crate::locks::{self, FileLock};
use crate::store::StoreLocation;
use crate::warning::WarningKind;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// No file of temporary roots is longer; a longer one is odd.
const MAX_FILE: u64 = 256 << 20;

/// Finds the roots that processes hold.
pub(super) fn find(
    tree: &Tree,
    location: &StoreLocation,
    catalog: &Catalog,
    found: &mut FoundRoots,
) {
    let mut finder = Finder { store_dir: &location.store_dir, catalog, found };
    let running = native::processes(&mut finder);
    finder.temporary(tree, &location.state_dir.join("temproots"), running.as_ref());
}

/// Says that there are processes which could not be examined, if so. `strict`: a
/// single one makes the answer incomplete.
pub(super) fn warn_of_hidden(strict: bool, found: &mut FoundRoots) {
    if found.hidden_processes > 0 {
        let message = format!(
            "{} running processes may not be examined by this user: \
             what only they use is not among the roots",
            found.hidden_processes
        );
        let kind = if strict { WarningKind::Unreadable } else { WarningKind::Note };
        found.warnings.push(kind, "/proc", message);
    }
}

struct Finder<'a> {
    store_dir: &'a str,
    catalog: &'a Catalog,
    found: &'a mut FoundRoots,
}

impl Finder<'_> {
    /// Takes a name that something running holds, if it is in the store and
    /// its path is valid; others are passed over, as Nix does.
    fn take(&mut self, kind: RootKind, pid: Option<u32>, link: &[u8], target: &[u8]) {
        let Some(Ok(path)) = in_store(self.store_dir, target) else { return };
        let Some(path) = self.catalog.find(path.base_name()) else { return };
        // A library is mapped in several pieces, one after the other.
        if let Some(last) = self.found.roots.last()
            && (last.path, &*last.link) == (path, link)
        {
            return;
        }
        let link = link.to_vec();
        self.found.roots.push(Root {
            kind,
            link,
            via: None,
            path,
            time: None,
            pid,
            generation: None,
        });
    }

    /// Temporary roots: a file for each Nix process, named by its number, held
    /// locked as long as the process lives.
    fn temporary(&mut self, tree: &Tree, dir: &Path, running: Option<&HashSet<u32>>) {
        let unreadable = |found: &mut FoundRoots, path: &Path, e: &io::Error| {
            let message = format!("temporary roots cannot be read: {e}");
            found.warnings.push(WarningKind::Unreadable, path.as_os_str().as_bytes(), message);
        };
        let listed = tree.open_directory(dir).and_then(|directory| {
            let entries = list(&directory)?;
            Ok((directory, entries))
        });
        let (directory, entries) = match listed {
            Ok(listed) => listed,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            Err(e) => return unreadable(self.found, dir, &e),
        };
        let locks = locks::list().map(|locks| flocked(&locks)).ok();
        for (name, _) in entries {
            if name.to_bytes().starts_with(b".") {
                continue;
            }
            let path = dir.join(OsStr::from_bytes(name.to_bytes()));
            let pid = name.to_str().ok().and_then(|n| n.parse::<u32>().ok());
            let file = match directory.open_file(&name) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => {
                    unreadable(self.found, &path, &e);
                    continue;
                }
            };
            // Where processes cannot be listed, it may be alive.
            let alive = running.is_none_or(|running| pid.is_some_and(|p| running.contains(&p)));
            let locked = match &locks {
                Some(locks) => locks.contains(&file.stat().ino),
                None => alive,
            };
            // Without a lock it was left behind: Nix removes it.
            if !locked {
                continue;
            }
            let mut text = Vec::new();
            if let Err(e) = file.take(MAX_FILE).read_to_end(&mut text) {
                unreadable(self.found, &path, &e);
            }
            let link = [b"{temp:", name.to_bytes(), b"}"].concat();
            // What follows the last NUL is being written.
            let end = text.iter().rposition(|&b| b == 0).unwrap_or(0);
            for target in text[..end].split(|&b| b == 0) {
                match in_store(self.store_dir, target) {
                    Some(Ok(path)) if self.catalog.find(path.base_name()).is_none() => {
                        let part = path.hash_part().to_owned();
                        self.found.temporary_hash_parts.insert(part);
                    }
                    _ => self.take(RootKind::Temporary, pid, &link, target),
                }
            }
        }
    }
}

/// The inodes that are locked as Nix locks.
fn flocked(locks: &[FileLock]) -> HashSet<u64> {
    locks.iter().filter(|lock| lock.flock).map(|lock| lock.inode).collect()
}

/// What is called `tmp-…` in the store directory, and whether it stays there
/// (nix: `deleteFromStore` in `src/libstore/gc.cc`). Who has locked it is only
/// asked if `ask`.
pub(super) fn temporary_entries(
    tree: &Tree,
    location: &StoreLocation,
    ask: bool,
    list_locks: impl Fn() -> io::Result<Vec<FileLock>>,
) -> Vec<TemporaryEntry> {
    let store_dir = location.inside(&location.real_store_dir);
    let entries = tree.open_directory(&store_dir).and_then(|directory| list(&directory));
    let mut locks = None;
    let mut found = Vec::new();
    for (name, _) in entries.unwrap_or_default() {
        if !name.to_bytes().starts_with(b"tmp-") {
            continue;
        }
        let file = OsStr::from_bytes(name.to_bytes());
        // Nix opens what a link leads to.
        let directory = match tree.resolve(&store_dir.join(file), None) {
            Ok(Resolved::Entry(entry)) => {
                Some(entry.stat).filter(|stat| stat.file_type() == FileType::Directory)
            }
            _ => None,
        };
        let stays = match directory {
            None => Stays::Always,
            Some(_) if !ask => Stays::Never,
            Some(stat) => {
                match locks.get_or_insert_with(|| list_locks().map(|locks| flocked(&locks))) {
                    Ok(locks) if locks.contains(&stat.ino) => Stays::Locked,
                    Ok(_) => Stays::Never,
                    Err(e) => Stays::Unknown(e.to_string()),
                }
            }
        };
        found.push(TemporaryEntry { name: name.into_bytes(), stays });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_directories_in_use_and_other_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        for name in ["tmp-free", "tmp-locked", "other"] {
            std::fs::create_dir_all(store.join(name)).unwrap();
        }
        std::fs::write(store.join("tmp-file"), "").unwrap();
        std::os::unix::fs::symlink("/nowhere", store.join("tmp-link")).unwrap();
        let inode =
            std::os::unix::fs::MetadataExt::ino(&store.join("tmp-locked").metadata().unwrap());
        let lock = |flock| FileLock { inode, flock, bytes: (0, None) };
        let unknown = || Err(io::Error::from(io::ErrorKind::Unsupported));
        let state = dir.path().join("state");
        let tree = Tree::live(Path::new("/")).unwrap();
        let location = crate::fs::locate(&tree, store.to_str().unwrap(), &state).unwrap();
        let names = |runtime, locks: &dyn Fn() -> io::Result<Vec<FileLock>>| {
            let mut found = FoundRoots { runtime, ..FoundRoots::default() };
            let entries = temporary_entries(&tree, &location, runtime, locks);
            found.keep_temporary_entries(&location, &entries);
            let mut names: Vec<_> = found.temporary_entries.iter().cloned().collect();
            names.sort();
            let names = String::from_utf8(names.join(&b' ')).unwrap();
            (names, found.warnings.complete())
        };
        let (file, locked) = ("tmp-file tmp-link", "tmp-file tmp-link tmp-locked");
        assert_eq!(names(true, &|| Ok(vec![lock(true)])), (locked.to_owned(), true));
        assert_eq!(names(false, &|| Ok(vec![lock(true)])), (file.to_owned(), true));
        // One of `fcntl` is not Nix's.
        let (free, complete) = names(true, &|| Ok(vec![lock(false)]));
        assert_eq!((&*free, complete), (file, true));
        // Without the list of locks nothing can be promised.
        let (all, complete) = names(true, &unknown);
        assert_eq!((&*all, complete), ("tmp-file tmp-free tmp-link tmp-locked", false));
    }
}
