//! What a directory takes, as `du -s` has it; not beyond its file system.

use super::Kept;
use crate::arrange::Arrange as _;
use crate::disk::Space;
use crate::fs::{Directory, FileType};
use crate::warning::{WarningKind, Warnings};
use std::collections::HashSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Sums what is met, each inode once.
#[derive(Default)]
pub(super) struct Sum {
    seen: HashSet<(u64, u64)>,
    space: Space,
    newest: Option<i64>,
    unreadable: u64,
}

/// A directory still to be gone through.
struct Pending {
    parent: Rc<Directory>,
    name: CString,
}

impl Sum {
    /// Adds an entry of a directory and, if that is one, all below it, as far as
    /// it is on the same file system. Nothing is followed.
    pub(super) fn add(&mut self, parent: &Rc<Directory>, name: &CStr) {
        let mut todo = vec![Pending { parent: Rc::clone(parent), name: name.to_owned() }];
        let mut device = None;
        let mut buffer = Vec::new();
        while let Some(Pending { parent, name }) = todo.pop() {
            let stat = match parent.stat(&name) {
                Ok(stat) => stat,
                Err(e) => {
                    self.unreadable += u64::from(e.kind() != std::io::ErrorKind::NotFound);
                    continue;
                }
            };
            let is_directory = stat.file_type() == FileType::Directory;
            // Of directories alone: on overlayfs a file has its layer's device.
            if is_directory && *device.get_or_insert(stat.dev) != stat.dev {
                continue;
            }
            if stat.nlink > 1 && !is_directory && !self.seen.insert(stat.identity()) {
                continue;
            }
            self.space += Space::inode(stat.disk_size);
            if !is_directory {
                self.newest = self.newest.max(Some(stat.mtime));
                continue;
            }
            let names = parent.open_directory(&name).and_then(|directory| {
                let mut names = Vec::new();
                directory.read(&mut buffer, |entry| names.push(entry.name.to_owned()))?;
                Ok((Rc::new(directory), names))
            });
            match names {
                Ok((directory, names)) => todo.extend(
                    names.into_iter().map(|name| Pending { parent: Rc::clone(&directory), name }),
                ),
                Err(_) => self.unreadable += 1,
            }
        }
    }

    /// What was summed, of `path` on a device.
    pub(super) fn finish(self, path: &Path, device: u64, warnings: &mut Warnings) -> Kept {
        if self.unreadable > 0 {
            let message =
                format!("{} entries cannot be read, and are not counted", self.unreadable);
            warnings.push(WarningKind::Note, path.as_os_str().as_bytes(), message);
        }
        Kept { path: path.to_owned(), space: self.space, newest: self.newest, device }
    }
}

/// What an open directory takes, itself included.
pub(super) fn directory(directory: Directory, path: &Path, warnings: &mut Warnings) -> Kept {
    let device = directory.stat(c"").map_or(0, |stat| stat.dev);
    let mut sum = Sum::default();
    sum.add(&Rc::new(directory), c".");
    sum.finish(path, device, warnings)
}

/// The names in a directory, sorted.
pub(super) fn names(directory: &Directory) -> std::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    directory.read(&mut Vec::new(), |entry| names.push(entry.name.to_owned()))?;
    names.arrange();
    Ok(names)
}

/// A name below another.
pub(super) fn below(dir: &Path, name: &CStr) -> PathBuf {
    dir.join(OsStr::from_bytes(name.to_bytes()))
}
