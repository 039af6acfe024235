//! The kinds of the files of a gathered tree: the same that a walk finds.

use super::gathered::{DirectoryPlace, GatheredTree};
use crate::fs::{FileType, StoreFiles};
use crate::kinds::{FileKind, Head, Place};
use crate::store::without_hash_part;
use crate::warning::{WarningKind, Warnings};
use std::io;

/// Finds kinds of entries; the first bytes of files that need it are read.
pub(super) struct KindsOfEntries<'a> {
    tree: &'a GatheredTree,
    files: &'a StoreFiles,
    /// Of each directory, once it was asked for.
    places: Vec<Option<Place>>,
    pub(super) warnings: Warnings,
}

impl<'a> KindsOfEntries<'a> {
    /// For the files of a tree.
    pub(super) fn new(tree: &'a GatheredTree, files: &'a StoreFiles) -> Self {
        let places = vec![None; tree.layout.directories.len()];
        Self { tree, files, places, warnings: Warnings::new() }
    }

    /// The kind of an entry that is a file or symlink.
    pub(super) fn kind(&mut self, entry: u32, symlink: bool, executable: bool) -> FileKind {
        let (tree, files) = (self.tree, self.files);
        let base = tree.base_name(entry);
        let (place, name) = match tree.directory_of(entry) {
            0 => (Place::default(), without_hash_part(base)),
            directory => (self.place(directory), base),
        };
        let file_type = if symlink { FileType::Symlink } else { FileType::Regular };
        let head = || head(tree, files, entry);
        place.kind_of(name, file_type, executable, head).unwrap_or_else(|error| {
            let mut path = Vec::new();
            tree.name(entry, &mut path);
            let message = format!("its kind is not known: {error}");
            self.warnings.push(WarningKind::of_error(&error), files.path_of(&path), message);
            FileKind::Other
        })
    }

    /// What a directory, not the first, says of the files in it. Those above it
    /// are asked for once.
    fn place(&mut self, directory: u32) -> Place {
        let mut asked = vec![directory];
        let mut at = directory;
        while self.places[at as usize].is_none() && self.tree.place(at).parent != 0 {
            at = self.tree.place(at).parent;
            asked.push(at);
        }
        let mut place = Place::default();
        while let Some(at) = asked.pop() {
            place = match self.places[at as usize] {
                Some(known) => known,
                None => self.enter(place, at),
            };
            self.places[at as usize] = Some(place);
        }
        place
    }

    /// The place of a directory in one of that place.
    fn enter(&self, above: Place, directory: u32) -> Place {
        let tree = self.tree;
        let DirectoryPlace { entry, parent, .. } = tree.place(directory);
        // No tree of nixpkgs is looked for deeper than in a directory of a path.
        let (place, depth) = match parent {
            0 => (Place::default(), 0),
            parent => {
                let in_path = tree.place(parent).parent == 0;
                (above.entered(tree.base_name(entry)), if in_path { 1 } else { u32::MAX })
            }
        };
        let (start, end) = tree.layout.directories[directory as usize];
        place.holding(depth, |name| (start..end).any(|e| tree.base_name(e) == name.as_bytes()))
    }
}

fn head(tree: &GatheredTree, files: &StoreFiles, entry: u32) -> io::Result<Head> {
    let mut path = Vec::new();
    tree.name(entry, &mut path);
    let (directory, name) = files.directory().pass_to(&path)?;
    Head::read(&directory.open_file(&name)?)
}

#[cfg(test)]
mod tests {
    use super::super::gather::Gathering;
    use super::*;
    use crate::disk::{Progress, Walker};
    use crate::fs::{MemoryFile, Tree};
    use crate::kinds::NIXPKGS_TREE;
    use std::path::Path;

    #[test]
    fn kinds_are_those_of_the_one_table() {
        // The store path, what is in it, and the kind of each.
        let expected: &[(&str, &[(&str, &str)])] = &[
            ("p", &[("share/man/man1/a.1.gz", "man"), ("lib/libz.so.1.2", "libraries")]),
            ("q", &[("mybin/a.c", "sources"), ("README", "doc"), ("bin/a", "executables")]),
            ("p-1.25", &[("", "other")]),
            ("p.json", &[("", "data")]),
            // All of a tree of nixpkgs, in a path or one directory below it.
            ("n", &[("lib/a.h", "sources"), ("pkgs/include/a", "sources")]),
            ("channel", &[("nixos/a.1", "sources"), ("other/a.h", "headers")]),
            ("deep", &[("x/nixos/a.h", "headers")]),
        ];
        let base = |name: &str| format!("{}-{name}", "0".repeat(32));
        let mut files = Vec::new();
        for (path, below) in expected {
            for (name, kind) in *below {
                let name = Path::new("/nix/store").join(base(path)).join(name);
                let executable = *kind == "executables";
                let contents = b"MZ".to_vec();
                files.push((name, MemoryFile::Regular { contents, executable }));
            }
        }
        for top in ["n", "channel/nixos", "deep/x/nixos"] {
            for name in NIXPKGS_TREE {
                let name = Path::new("/nix/store").join(base(top)).join(name).join("x");
                files.push((name, MemoryFile::Directory));
            }
        }
        let files = StoreFiles::open(&Tree::memory(files), "/nix/store".as_ref()).unwrap();
        let walker = Walker::new(&files, Some(2)).unwrap();
        let names: Vec<String> = expected.iter().map(|(path, _)| base(path)).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable();
        let gathering =
            Gathering { names: &names, whole: true, link_limit: u32::MAX, early: false };
        let mut warnings = Warnings::new();
        let Ok(tree) = gathering.run(&walker, &Progress::default(), &mut warnings) else {
            panic!("a few files are too many");
        };
        let mut kinds = KindsOfEntries::new(&tree, &files);
        let mut name = Vec::new();
        let mut found = 0;
        for (entry, inode) in tree.names_of_inodes() {
            tree.name(entry, &mut name);
            let name = String::from_utf8(name.clone()).unwrap();
            let mut parts = name[33..].splitn(2, '/');
            let path = parts.next().unwrap();
            let below = parts.next().unwrap_or_default();
            let of_path = expected.iter().find(|(name, _)| *name == path).unwrap().1;
            let kind = of_path.iter().find(|(name, _)| *name == below).unwrap().1;
            let executable = tree.flags[inode as usize].executable();
            assert_eq!(kinds.kind(entry, false, executable).key(), kind, "{name}");
            found += 1;
        }
        assert_eq!(found, expected.iter().map(|(_, below)| below.len()).sum::<usize>());
        assert_eq!(kinds.warnings.total(), 0);
    }
}
