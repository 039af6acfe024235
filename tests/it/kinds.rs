//! Kinds of files: against a walk of their own, and du.
#![allow(clippy::unwrap_used)]

use crate::support::store_in_code::{self, Made};
use crate::support::{TestEnv, du, have, nobody, root, run, tempdir};
use nix_census::analysis::kinds::{Kinds, KindsOptions};
use nix_census::catalog::{Builder, Record};
use nix_census::census::{self, Census, Examine};
use nix_census::disk::{KindScan, Progress, ScanOptions};
use nix_census::fs::{FileType, StoreFiles, Tree};
use nix_census::kinds::{FileKind, Head, Named, Place, RULES};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const PATHS: usize = 4;

pub(crate) fn base(path: usize) -> String {
    format!("{path:032}-p")
}

/// A census of what lies in a directory, and the kinds in it.
pub(crate) fn examine(store: &Path, names: &[String]) -> (Census, KindScan) {
    let mut builder = Builder::new("/nix/store");
    for name in names {
        let path = format!("/nix/store/{name}");
        builder.add(&Record { path: path.as_bytes(), ..Record::default() }).unwrap();
    }
    let catalog = builder.finish().unwrap();
    let files = StoreFiles::open(&Tree::live(store).unwrap(), Path::new("/")).unwrap();
    let options = ScanOptions { threads: Some(3), ..ScanOptions::default() };
    let (scan, kinds) =
        census::scan_kinds(&files, &catalog, &Examine::All, &options, &Progress::default())
            .unwrap();
    (Census::new(catalog, &Examine::All, Some(scan)).unwrap(), kinds)
}

/// Files that the store is made of: directory, name, contents, mode.
const DIRECTORIES: &[&str] =
    &["", "bin", "share/man/man1", "share/doc/x", "include", "lib/python3/tests", "share/x", "etc"];
const NAMES: &[&str] = &["a", "a.h", "liba.so.1", "a.py", "a.1.gz", "README", "x.tar.gz"];
const CONTENTS: &[&[u8]] = &[b"", b"#!/bin/sh\n", b"text", b"\x7fELF\x02\x01\x01", b"MZ"];

/// What is made at a place: a file of some contents, a symlink, or another
/// name of what was made before.
#[derive(Clone, Copy, Debug)]
enum Make {
    File(usize, bool),
    Symlink,
    Link(usize),
}

fn make(store: &Path, files: &[(usize, usize, usize, Make)]) {
    let mut made: Vec<PathBuf> = Vec::new();
    for path in 0..PATHS {
        fs::create_dir(store.join(base(path))).unwrap();
    }
    for &(path, directory, name, make) in files {
        let directory = store.join(base(path)).join(DIRECTORIES[directory]);
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join(NAMES[name]);
        if file.symlink_metadata().is_ok() {
            continue;
        }
        match make {
            Make::File(contents, executable) => {
                fs::write(&file, CONTENTS[contents].repeat(1000)).unwrap();
                let mode = if executable { 0o555 } else { 0o444 };
                fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            }
            Make::Symlink => symlink("nowhere", &file).unwrap(),
            Make::Link(_) if made.is_empty() => continue,
            Make::Link(to) => fs::hard_link(&made[to % made.len()], &file).unwrap(),
        }
        made.push(file);
    }
}

/// The kind of an entry, with its whole contents at hand.
fn kind(store: &Path, entry: &walkdir::DirEntry) -> FileKind {
    let below: PathBuf = entry.path().strip_prefix(store).unwrap().components().skip(1).collect();
    let bytes = below.as_os_str().as_bytes();
    let parent = below.parent().map_or(&b""[..], |p| p.as_os_str().as_bytes());
    let meta = entry.metadata().unwrap();
    let (place, file_type) = match (meta.is_dir(), meta.is_symlink()) {
        (true, _) => (Place::of(bytes), FileType::Directory),
        (_, true) => (Place::of(parent), FileType::Symlink),
        _ => (Place::of(parent), FileType::Regular),
    };
    match place.named(entry.file_name().as_bytes(), file_type, meta.mode() & 0o100 != 0) {
        Named::Kind(kind) => kind,
        Named::NeedsHead => place.with_head(Head::of(&fs::read(entry.path()).unwrap())),
    }
}

fn check(store: &Path, names: &[String]) {
    let (census, scan) = examine(store, names);
    let kinds = Kinds::new(&census, &scan, &KindsOptions::default());
    // Each inode once, for the last kind that a name of it is of.
    let mut of_inode: HashMap<u64, (FileKind, u64)> = HashMap::new();
    let mut entries: BTreeMap<FileKind, u64> = BTreeMap::new();
    for name in names {
        for entry in walkdir::WalkDir::new(store.join(name)) {
            let entry = entry.unwrap();
            let (kind, meta) = (kind(store, &entry), entry.metadata().unwrap());
            *entries.entry(kind).or_default() += 1;
            let of = of_inode.entry(meta.ino()).or_insert((kind, meta.blocks() * 512));
            of.0 = of.0.max(kind);
        }
    }
    let mut expected: BTreeMap<FileKind, (u64, u64)> =
        entries.into_iter().map(|(kind, n)| (kind, (n, 0))).collect();
    for (kind, blocks) in of_inode.into_values() {
        expected.get_mut(&kind).unwrap().1 += blocks;
    }
    let found: BTreeMap<FileKind, (u64, u64)> = (kinds.kinds.iter())
        .map(|row| (row.kind, (row.sums.entries, row.sums.disk_size)))
        .collect();
    assert_eq!(found, expected);
    // The kinds sum to what the paths take, to the byte.
    let union = census.shared().unwrap().union(census.indexes());
    let (disk, apparent) = (union.disk_size, union.apparent_size);
    assert_eq!((kinds.total.disk_size, kinds.total.apparent_size), (disk, apparent));
    let sum: u64 = kinds.kinds.iter().map(|row| row.sums.disk_size).sum();
    assert_eq!(sum, disk);
    for path in census.indexes() {
        let usage = census.usage(path).unwrap();
        let rows = kinds.by_path.iter().filter(|row| row.path == path);
        let (disk, nar) =
            rows.fold((0, 0), |(d, n), row| (d + row.sums.disk_size, n + row.sums.nar_size));
        assert_eq!((disk, nar), (usage.disk_size, usage.nar_size));
    }
}

proptest! {
    #[test]
    fn each_entry_is_of_one_kind_and_the_kinds_sum_to_the_disk_size(
        files in prop::collection::vec(
            (
                0..PATHS,
                0..DIRECTORIES.len(),
                0..NAMES.len(),
                prop_oneof![
                    (0..CONTENTS.len(), any::<bool>()).prop_map(|(c, x)| Make::File(c, x)),
                    Just(Make::Symlink),
                    (0..64usize).prop_map(Make::Link),
                ],
            ),
            0..60,
        )
    ) {
        let dir = tempdir();
        make(dir.path(), &files);
        check(dir.path(), &(0..PATHS).map(base).collect::<Vec<_>>());
    }
}

#[test]
fn the_kinds_of_the_demo_store_sum_to_what_du_says() {
    if !have(&["du"]) {
        return;
    }
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo/nix/store");
    let names =
        fs::read_dir(&store).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.len() > 33).collect();
    names.sort();
    let (census, scan) = examine(&store, &names);
    let kinds = Kinds::new(&census, &scan, &KindsOptions::default());
    let paths: Vec<PathBuf> = names.iter().map(|name| store.join(name)).collect();
    assert_eq!(kinds.total.disk_size, du(&paths));
    let of = |kind| kinds.kinds.iter().find(|row| row.kind == kind).map_or(0, |r| r.sums.disk_size);
    assert!(of(FileKind::Man) > 0 && of(FileKind::Sources) > 0 && of(FileKind::Modules) > 0);
}

#[test]
fn all_of_a_tree_of_nixpkgs_is_sources() {
    let dir = tempdir();
    let tree = dir.path().join(base(0)).join("nixos");
    for directory in ["lib", "nixos", "pkgs/by-name/he/hello", "doc"] {
        fs::create_dir_all(tree.join(directory)).unwrap();
    }
    for file in ["default.nix", "pkgs/by-name/he/hello/man.1", "doc/logo.png", "nixos/a.h"] {
        fs::write(tree.join(file), "x").unwrap();
    }
    // Not a tree of nixpkgs: one of the names is missing.
    fs::create_dir_all(dir.path().join(base(1)).join("pkgs")).unwrap();
    fs::create_dir_all(dir.path().join(base(1)).join("nixos")).unwrap();
    fs::write(dir.path().join(base(1)).join("pkgs/a.h"), "x").unwrap();
    let (census, scan) = examine(dir.path(), &[base(0), base(1)]);
    let kinds = Kinds::new(&census, &scan, &KindsOptions::default());
    let of: BTreeMap<&str, u64> =
        kinds.kinds.iter().map(|row| (row.kind.key(), row.sums.entries)).collect();
    assert_eq!(of, BTreeMap::from([("directories", 5), ("headers", 1), ("sources", 11)]));
}

#[test]
fn a_file_whose_first_bytes_cannot_be_read_makes_the_answer_incomplete() {
    if !root() {
        return;
    }
    let env = TestEnv::new();
    let (store, _) = Made::sound(&env, "store");
    let tool = store.store.join(store_in_code::base(3, "tree")).join("tool");
    fs::write(&tool, "#!/bin/sh").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o111)).unwrap();
    let run = run(nobody(&env).args(store.args(["kinds", "tree", "--verbose"])));
    assert_eq!(run.status, 3, "{run:?}");
    assert!(run.stderr.contains("tool: its kind is not known: Permission denied"), "{run:?}");
}

#[test]
fn the_command_prints_kinds_and_asks_for_the_disk() {
    let env = TestEnv::new();
    let (store, _) = Made::sound(&env, "store");
    let (answer, run) = store.json(&env, ["kinds", "tree"]);
    assert_eq!(run.status, 0, "{run:?}");
    let kinds: Vec<(&str, u64)> = (answer["kinds"].as_array().unwrap().iter())
        .map(|row| (row["kind"].as_str().unwrap(), row["entries"].as_u64().unwrap()))
        .collect();
    assert_eq!(kinds, [("other", 3), ("directories", 1)]);
    let (report, _) = store.json(&env, ["report", "tree"]);
    for key in ["disk_size", "apparent_size", "nar_size"] {
        assert_eq!(answer["total"][key], report["total"][key]);
    }
    assert_eq!(store.run(&env, ["kinds", "tree", "--no-disk"]).status, 2);
    assert_eq!(store.run(&env, ["kinds", "tree", "--kind", "nothing"]).status, 2);
}

#[test]
fn the_help_of_kinds_has_the_whole_table() {
    let env = TestEnv::new();
    let help = env.ok(["help", "kinds"]);
    let words: Vec<&str> = help.split_whitespace().collect();
    for rule in RULES {
        assert!(words.contains(&&*format!("{}:", rule.kind.key())), "{}", rule.kind.key());
        for text in rule.places.iter().chain(rule.names).chain(rule.tops) {
            assert!(words.iter().any(|word| word.trim_end_matches(',') == *text), "{text}");
        }
    }
}
