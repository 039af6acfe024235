//! The kinds of files by their names below the store directory: the same that
//! a walk finds.

use super::gathered::GatheredTree;
use crate::fs::{FileType, StoreFiles};
use crate::kinds::{FileKind, Head, NIXPKGS_TREE, Named, Place};
use crate::warning::{WarningKind, Warnings};
use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Finds kinds by name; the first bytes of files that need it are read.
pub(super) struct KindsOfNames<'a> {
    files: Option<&'a StoreFiles>,
    /// Trees of nixpkgs, by their names.
    nixpkgs: HashSet<Vec<u8>>,
    pub(super) warnings: Warnings,
}

impl<'a> KindsOfNames<'a> {
    /// For the files of a tree; without the store's files no first bytes are read.
    pub(super) fn new(tree: &GatheredTree, files: Option<&'a StoreFiles>) -> Self {
        Self { files, nixpkgs: nixpkgs(tree), warnings: Warnings::new() }
    }

    /// The kind of a file or symlink with that name below the store directory.
    pub(super) fn kind(&mut self, name: &[u8], symlink: bool, executable: bool) -> FileKind {
        let slashes = || name.iter().enumerate().filter(|&(_, &b)| b == b'/').map(|(at, _)| at);
        if slashes().take(2).any(|at| self.nixpkgs.contains(&name[..at])) {
            return FileKind::Sources;
        }
        let (place, base) = match (slashes().next(), slashes().next_back()) {
            (Some(first), Some(last)) => {
                (Place::of(name.get(first + 1..last).unwrap_or_default()), &name[last + 1..])
            }
            // The path itself: its name follows the hash part.
            _ => (Place::of(b""), name.get(33..).unwrap_or(name)),
        };
        let file_type = if symlink { FileType::Symlink } else { FileType::Regular };
        match (place.named(base, file_type, executable), self.files) {
            (Named::Kind(kind), _) => kind,
            (Named::NeedsHead, None) => place.with_head(Head::default()),
            (Named::NeedsHead, Some(files)) => match head(files, name) {
                Ok(head) => place.with_head(head),
                Err(error) => {
                    let path = [files.path().as_os_str().as_bytes(), b"/", name].concat();
                    let message = format!("its kind is not known: {error}");
                    self.warnings.push(WarningKind::of_error(&error), path, message);
                    FileKind::Other
                }
            },
        }
    }
}

fn head(files: &StoreFiles, name: &[u8]) -> io::Result<Head> {
    let (directory, base) = match name.iter().rposition(|&b| b == b'/') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (&b""[..], name),
    };
    let directory = files.directory().pass_path(directory)?;
    Head::read(&directory.open_file(&CString::new(base)?)?)
}

/// The trees of nixpkgs: paths, and directories in them.
fn nixpkgs(tree: &GatheredTree) -> HashSet<Vec<u8>> {
    let mut found = HashSet::new();
    // The first directory is the store directory.
    for (directory, &(start, end)) in (0u32..).zip(&tree.layout.directories).skip(1) {
        let parent = tree.place(directory).parent;
        if parent != 0 && tree.place(parent).parent != 0 {
            continue;
        }
        let has = |wanted: &&str| (start..end).any(|e| tree.base_name(e) == wanted.as_bytes());
        if NIXPKGS_TREE.iter().all(has) {
            let mut name = Vec::new();
            tree.directory_name(directory, &mut name);
            found.insert(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_one_table() {
        let tree = GatheredTree::of_names(&[]);
        let mut kinds = KindsOfNames::new(&tree, None);
        let hash = "0".repeat(32);
        let mut of =
            |name: &str| kinds.kind(format!("{hash}-{name}").as_bytes(), false, false).key();
        assert_eq!(of("p/share/man/man1/a.1.gz"), "man");
        assert_eq!(of("p/lib/libz.so.1.2"), "libraries");
        assert_eq!(of("p/mybin/a.c"), "sources");
        assert_eq!(of("p-1.25"), "other");
        assert_eq!(of("p.json"), "data");
        assert_eq!(of("p/README"), "doc");
        assert_eq!(kinds.kind(b"h-p/bin/a", true, false).key(), "symlinks");
    }
}
