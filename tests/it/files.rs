//! What is inside paths: against brute force, du and find.
#![allow(clippy::unwrap_used)]

use crate::support::store_in_code::{Made, SCHEMA, base as base_of, insert, path as path_of};
use crate::support::{TestEnv, du, have, run, tempdir};
use nix_census::analysis::files::{self, Files, FilesOptions, GroupFilesBy, Listing, ShowFiles};
use nix_census::catalog::{Builder, Record};
use nix_census::census::{Census, Examine};
use nix_census::disk::{Progress, ScanOptions};
use nix_census::fs::{StoreFiles, Tree};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self as std_fs};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const LARGEST: FilesOptions =
    FilesOptions { show: ShowFiles::Largest, depth: None, min_size: 0, limit: None };

fn base(path: usize) -> String {
    format!("{path:032}-p")
}

fn list(store: &Path, names: &[String]) -> (Census, Listing) {
    let mut builder = Builder::new("/nix/store");
    for name in names {
        let path = format!("/nix/store/{name}");
        builder.add(&Record { path: path.as_bytes(), ..Record::default() }).unwrap();
    }
    let catalog = builder.finish().unwrap();
    let files = StoreFiles::open(&Tree::live(store).unwrap(), Path::new("/")).unwrap();
    let options = ScanOptions { threads: Some(3), ..ScanOptions::default() };
    let (scan, listing) =
        files::list(&files, &catalog, &Examine::All, &options, &Progress::default()).unwrap();
    (Census::new(catalog, &Examine::All, Some(scan)).unwrap(), listing)
}

/// An entry and all below it, from the disk.
fn below(path: &Path) -> Vec<(PathBuf, std_fs::Metadata)> {
    walkdir::WalkDir::new(path)
        .follow_root_links(false)
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.path().to_owned(), entry.metadata().unwrap())
        })
        .collect()
}

/// Disk, apparent, every name, reclaimable, entries: of an entry, each inode once.
fn sizes(path: &Path) -> [u64; 5] {
    let entries = below(path);
    let mut names: BTreeMap<u64, u64> = BTreeMap::new();
    let mut seen: BTreeMap<u64, &std_fs::Metadata> = BTreeMap::new();
    let mut every = 0;
    for (_, meta) in &entries {
        *names.entry(meta.ino()).or_default() += 1;
        seen.insert(meta.ino(), meta);
        every += meta.blocks() * 512;
    }
    let disk = seen.values().map(|meta| meta.blocks() * 512).sum();
    let apparent = seen.values().filter(|meta| !meta.is_dir()).map(|meta| meta.len()).sum();
    let all_here = |meta: &&&std_fs::Metadata| meta.is_dir() || names[&meta.ino()] == meta.nlink();
    let reclaimable = seen.values().filter(all_here).map(|meta| meta.blocks() * 512).sum();
    [disk, apparent, every, reclaimable, entries.len() as u64]
}

fn check(store: &Path, names: &[String]) {
    let (census, listing) = list(store, names);
    let files = Files::new(&census, listing.clone(), LARGEST);
    let found: BTreeMap<Vec<u8>, [u64; 5]> = (files.entries())
        .map(|(name, s)| {
            let sizes =
                [s.disk_size, s.apparent_size, s.copied_disk_size, s.reclaimable_size, s.entries];
            (name, sizes)
        })
        .collect();
    let mut expected = BTreeMap::new();
    for (path, _) in names.iter().flat_map(|name| below(&store.join(name))) {
        let name = path.strip_prefix(store).unwrap().as_os_str().as_bytes().to_vec();
        expected.insert(name, sizes(&path));
    }
    assert_eq!(found, expected);
    let union = census.shared().unwrap().union(census.indexes());
    assert_eq!(files.total.disk_size, union.disk_size);
    // Groups hold each inode once; those of paths each once within the path.
    for by in [GroupFilesBy::Kind, GroupFilesBy::Extension] {
        let options = FilesOptions { show: ShowFiles::Groups(by), ..LARGEST };
        let groups = Files::new(&census, listing.clone(), options).groups;
        let sum = |of: fn(&files::FileGroup) -> u64| groups.iter().map(of).sum::<u64>();
        assert_eq!(sum(|group| group.disk_size), union.disk_size, "{by:?}");
        assert_eq!(sum(|group| group.apparent_size), union.apparent_size, "{by:?}");
        assert_eq!(sum(|group| group.entries), files.total.entries, "{by:?}");
    }
    let options = FilesOptions { show: ShowFiles::Groups(GroupFilesBy::Path), ..LARGEST };
    let groups = Files::new(&census, listing, options).groups;
    for group in groups {
        let path = store.join(std::ffi::OsStr::from_bytes(&group.name));
        assert_eq!(group.disk_size, sizes(&path)[0]);
    }
}

#[derive(Clone, Copy, Debug)]
enum Make {
    File(u16),
    Symlink,
    Link(usize),
}

const DIRECTORIES: &[&str] = &["", "bin", "share/man/man1", "share/doc/x/y", "a", "a/b"];
const NAMES: &[&str] = &["a", "a.h", "b.so.1", "c.py", "d.PY"];

proptest! {
    #[test]
    fn sizes_of_every_entry_are_those_of_brute_force(
        made in prop::collection::vec(
            (
                0..3usize,
                0..DIRECTORIES.len(),
                0..NAMES.len(),
                prop_oneof![
                    (0..20_000u16).prop_map(Make::File),
                    Just(Make::Symlink),
                    (0..64usize).prop_map(Make::Link),
                ],
            ),
            0..40,
        )
    ) {
        let dir = tempdir();
        let mut names: Vec<PathBuf> = Vec::new();
        for path in 0..3 {
            std_fs::create_dir(dir.path().join(base(path))).unwrap();
        }
        for (path, directory, name, make) in made {
            let directory = dir.path().join(base(path)).join(DIRECTORIES[directory]);
            // Below a file there is no directory.
            if std_fs::create_dir_all(&directory).is_err() {
                continue;
            }
            let file = directory.join(NAMES[name]);
            if file.symlink_metadata().is_ok() {
                continue;
            }
            match make {
                Make::File(size) => std_fs::write(&file, vec![b'x'; size.into()]).unwrap(),
                Make::Symlink => symlink("nowhere", &file).unwrap(),
                Make::Link(_) if names.is_empty() => continue,
                Make::Link(to) => std_fs::hard_link(&names[to % names.len()], &file).unwrap(),
            }
            names.push(file);
        }
        check(dir.path(), &(0..3).map(base).collect::<Vec<_>>());
    }
}

#[test]
fn the_demo_store_is_as_du_and_find_have_it() {
    if !have(&["du", "find"]) {
        return;
    }
    let env = TestEnv::new();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
    let question = ["files", "systemd-255.6", "perl-5.38.2", "system-path", "--no-closure"];
    let answer = env.json([&["--root", root, "--format", "json"], &question[..]].concat());
    let paths: Vec<PathBuf> = (answer["directories"].as_array().unwrap().iter())
        .filter(|row| row["depth"] == 0)
        .map(|row| PathBuf::from(format!("{root}{}", row["path"].as_str().unwrap())))
        .collect();
    assert_eq!(paths.len(), 3);
    assert_eq!(answer["total"]["disk_size"], du(&paths));
    let every = run(Command::new("du").args(["-scl", "--block-size=1"]).args(&paths)).ok();
    let every: u64 =
        every.lines().last().unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(answer["total"]["copied_disk_size"], every);
    let found = run(Command::new("find").args(&paths)).ok();
    assert_eq!(answer["total"]["entries"], found.lines().count());
    // Each directory, and all files.
    for row in answer["directories"].as_array().unwrap() {
        let path = PathBuf::from(format!("{root}{}", row["path"].as_str().unwrap()));
        assert_eq!(row["disk_size"], du(&[path]));
    }
    let found = run(Command::new("find").args(&paths).args(["-not", "-type", "d"])).ok();
    let names: BTreeSet<String> =
        found.lines().map(|line| line.strip_prefix(root).unwrap().to_owned()).collect();
    let files: BTreeSet<String> = (answer["files"].as_array().unwrap().iter())
        .map(|row| row["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, names);
    // Where symlinks lead.
    let links = ["-type", "l", "-printf", "%p %l\n"];
    let found = run(Command::new("find").args(&paths).args(links)).ok();
    let found: BTreeSet<&str> =
        found.lines().map(|line| line.strip_prefix(root).unwrap()).collect();
    let ours: BTreeSet<String> = (answer["files"].as_array().unwrap().iter())
        .filter_map(|row| Some(format!("{} {}", row["path"].as_str()?, row["target"].as_str()?)))
        .collect();
    assert!(ours.len() > 50);
    assert_eq!(ours, found.into_iter().map(str::to_owned).collect());
}

#[test]
fn the_command_shows_lists_trees_and_groups() {
    let env = TestEnv::new();
    let (store, _) = Made::sound(&env, "store");
    let tree = store.store.join(crate::support::store_in_code::base(3, "tree"));
    let hello = store.store.join(crate::support::store_in_code::base(1, "hello-1.0"));
    std_fs::hard_link(&hello, tree.join("same")).unwrap();
    let json = |args: &[&str]| store.json(&env, args).0;
    let files = json(&["files", "tree"]);
    let rows = files["files"].as_array().unwrap();
    // The first name stands for both; the other path is shown.
    let row = rows.iter().find(|row| row["names"] == 2).unwrap();
    assert!(row["path"].as_str().unwrap().ends_with("hello-1.0"), "{row}");
    assert_eq!(row["linked_to"], "tree");
    assert_eq!(row["linked_paths"].as_array().unwrap().len(), 1);
    let alone = json(&["files", "tree", "--no-closure"]);
    let row = alone["files"].as_array().unwrap().iter().find(|row| row["names_elsewhere"] == 1);
    assert!(row.unwrap()["path"].as_str().unwrap().ends_with("tree/same"));
    let lines = json(&["files", "tree", "--no-closure", "--tree", "--depth", "0"]);
    assert_eq!(lines["entries"].as_array().unwrap().len(), 1);
    let groups = json(&["files", "tree", "--group-by", "path"]);
    assert_eq!(groups["groups"].as_array().unwrap().len(), 3);
    let kinds = json(&["files", "tree", "--group-by", "kind"]);
    let by_kind = json(&["kinds", "tree"]);
    let pairs = |answer: &Value, list: &str| -> BTreeMap<String, Value> {
        let rows = answer[list].as_array().unwrap().iter();
        rows.map(|row| (row["kind"].to_string(), row["disk_size"].clone())).collect()
    };
    assert_eq!(pairs(&kinds, "groups"), pairs(&by_kind, "kinds"));
    assert_eq!(store.run(&env, ["files", "tree", "--no-disk"]).status, 2);
    assert_eq!(store.run(&env, ["files", "tree", "--tree", "--group-by", "kind"]).status, 2);
}

#[test]
fn a_directory_in_a_deep_tree_and_one_of_thousands_of_files() {
    let dir = tempdir();
    let top = dir.path().join(base(0));
    std_fs::create_dir(&top).unwrap();
    let deep: PathBuf = std::iter::repeat_n("d", 200).collect();
    std_fs::create_dir_all(top.join(&deep)).unwrap();
    std_fs::write(top.join(&deep).join("f"), "x").unwrap();
    std_fs::create_dir(top.join("many")).unwrap();
    for n in 0..3000 {
        std_fs::write(top.join("many").join(n.to_string()), "x").unwrap();
    }
    let (census, listing) = list(dir.path(), &[base(0)]);
    let files = Files::new(&census, listing, LARGEST);
    assert_eq!(files.total.entries, 1 + 200 + 1 + 1 + 3000);
    let many = format!("{}/many", base(0)).into_bytes();
    let found = files.entries().find(|(name, _)| *name == many).unwrap();
    assert_eq!(found.1.entries, 3001);
}

/// What is said of hard links inside a path, against a copy made of it.
#[test]
fn hard_links_inside_a_path_are_pointed_out() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", SCHEMA);
    let path = made.store.join(base_of(1, "git-2.44"));
    std_fs::create_dir_all(path.join("bin")).unwrap();
    std_fs::write(path.join("bin/git"), "git".repeat(100_000)).unwrap();
    for name in 0..12 {
        std_fs::hard_link(path.join("bin/git"), path.join(format!("bin/git-{name}"))).unwrap();
    }
    insert(&db, 1, path_of(1, "git-2.44").as_bytes(), Some(1));
    let mut all = vec!["report", "--all", "--columns", "path,disk_nar_size"];
    let (answer, _) = made.json(&env, all.clone());
    let nar_size = answer["paths"][0]["disk_nar_size"].as_u64().unwrap();
    db.execute("UPDATE ValidPaths SET narSize = ?1", [nar_size as i64]).unwrap();
    drop(db);
    let copy = env.join("copy");
    run(Command::new("cp").args(["-R", "-P"]).arg(&path).arg(&copy)).ok();
    let (before, after) = (du(&[&path]), du(&[&copy]));
    assert!(after > 10 * before, "{before} {after}");
    let times = (nar_size as f64 / before as f64).round();
    let more = (after - before) as f64 / f64::from(1 << 20);
    let expected = format!(
        "Hard links inside git-2.44: its NAR is {times} times its disk size; copying it unpacks \
         {more:.1} MiB more, unless that store is optimised."
    );
    all.truncate(2);
    for args in [&[][..], &all, &["files", "git"], &["files", "git", "--tree"], &["tree", "git"]] {
        let text = made.run(&env, args).ok();
        assert!(text.contains(&expected), "{args:?}: {expected}\n{text}");
    }
    // Where the copies are, there is nothing to be said.
    for name in 0..12 {
        let name = path.join(format!("bin/git-{name}"));
        std_fs::remove_file(&name).unwrap();
        std_fs::copy(path.join("bin/git"), &name).unwrap();
    }
    assert!(!made.run(&env, all).ok().contains("Hard links inside"));
}

/// What is no valid path is not examined, also where it shares an inode with one.
#[test]
fn entries_of_the_store_that_are_no_paths_are_left_out() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    made.file(1, "file", &db);
    let junk = made.store.join("junk");
    std_fs::create_dir_all(junk.join("below")).unwrap();
    std_fs::write(junk.join("below/large"), vec![1; 100_000]).unwrap();
    std_fs::hard_link(made.store.join(base_of(1, "file")), junk.join("link")).unwrap();
    for how in [&[][..], &["--tree"], &["--group-by", "path"], &["--group-by", "kind"]] {
        let (answer, ran) = made.json(&env, [&["files", "--all"], how].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(!answer.to_string().contains("junk"), "{answer:#}");
        assert_eq!(answer["total"]["entries"], 1, "{answer:#}");
        assert_eq!(answer["total"]["apparent_size"], 8, "{answer:#}");
    }
    let (answer, _) = made.json(&env, ["files", "--all"]);
    let file = &answer["files"][0];
    assert_eq!((&file["names"], &file["names_elsewhere"]), (&1.into(), &1.into()), "{file:#}");
}
