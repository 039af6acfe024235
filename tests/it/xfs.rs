//! What files take on XFS, where they share ranges of blocks, on file systems made on
//! the spot. These need root and a loop device; what deleting frees is the judge.

use crate::extents::{
    FileSystem, Kind, extents, freed, incomplete, random, reflink, reflink_range, sizes,
};
use crate::support::store_in_code::{SCHEMA, insert, path};
use crate::support::{have, run};
use nix_census::disk::Physical;
use nix_census::fs::Compression;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An XFS of its own by options of `mkfs.xfs -m`, and a store in it.
fn xfs(options: &str) -> Option<FileSystem> {
    FileSystem::new(Kind::Xfs, &["-m", options], "loop")
}

/// A tree whose inodes have blocks beside their contents: a directory, a long symlink, and
/// a file with more extents than an inode has room for. Path 2 is a link of that file.
fn tree_with_blocks_beside_contents(xfs: &FileSystem) -> PathBuf {
    let tree = xfs.place(1, "tree");
    fs::create_dir(&tree).unwrap();
    for n in 0..400 {
        fs::write(tree.join(format!("{n:0>60}")), format!("{n}")).unwrap();
    }
    symlink("x".repeat(900), tree.join("link")).unwrap();
    // Without every second block.
    let holes = tree.join("holes");
    fs::write(&holes, random(400 * 4096)).unwrap();
    xfs.sync();
    let punch = (0..200).flat_map(|n| ["-c".to_owned(), format!("fpunch {} 4096", n * 8192)]);
    run(Command::new("xfs_io").args(punch).arg(&holes)).ok();
    fs::hard_link(&holes, xfs.place(2, "again")).unwrap();
    assert!(fs::metadata(&tree).unwrap().blocks() > 0);
    tree
}

/// Paths that are files, of which those from number `first` on share with those before.
fn files_that_share(xfs: &FileSystem, first: u64) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for id in 1..first {
        let file = xfs.place(id as i64, &format!("file{id}"));
        fs::write(&file, random(20_480)).unwrap();
        files.push(file);
    }
    xfs.sync();
    for id in first..2 * first {
        let file = xfs.place(id as i64, &format!("share{id}"));
        reflink(&files[id as usize % files.len()], &file);
        let more = [4096 * (id % 4), 20_480, 8192];
        reflink_range(&files[(id as usize * 7) % files.len()], &file, more);
        files.push(file);
    }
    files
}

#[test]
fn ranges_of_blocks_go_with_the_last_file_that_has_them() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    let (a, b) = (xfs.place(1, "a"), xfs.place(2, "b"));
    fs::write(&a, random(1 << 20)).unwrap();
    xfs.sync();
    reflink_range(&a, &b, [0, 0, 262_144]);
    let rows = xfs.rows();
    assert_eq!(sizes(&rows["a"]), [1 << 20, 1 << 20, 1 << 20, 786_432]);
    assert_eq!(sizes(&rows["b"]), [262_144, 262_144, 262_144, 0]);
    let scan = xfs.scan();
    assert_eq!(extents(&scan).physical_size(), 1 << 20);
    assert_eq!(freed(&scan, &[0, 1]), 1 << 20);
    assert_eq!(xfs.delete_each(&[("a", 1), ("b", 2)]), [786_432, 262_144]);
}

#[test]
fn files_outside_the_store_keep_what_they_share() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    let (a, b) = (xfs.place(1, "a"), xfs.place(2, "b"));
    for file in [&a, &b] {
        fs::write(file, random(65_536)).unwrap();
    }
    xfs.sync();
    reflink_range(&a, &xfs.at.join("outside"), [16_384, 0, 16_384]);
    let scan = xfs.scan();
    assert_eq!((freed(&scan, &[0]), freed(&scan, &[1])), (49_152, 65_536));
    let holders = &extents(&scan).holders;
    assert_eq!(holders.len(), 1, "{holders:?}");
    assert!(holders[0].own && holders[0].path.is_empty());
    assert_eq!(xfs.delete_each(&[("a", 1), ("b", 2)]), [49_152, 65_536]);
}

/// What belongs to an inode on the disk but is not its contents goes with it: blocks of
/// directories, of attributes, of long symlinks and of lists of extents.
#[test]
fn where_nothing_is_shared_blocks_say_it_all() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    let tree = tree_with_blocks_beside_contents(&xfs);
    let rows = xfs.rows();
    for row in rows.values() {
        assert_eq!(row["disk_size"], row["physical_size"], "{row:#}");
    }
    let scan = xfs.scan();
    let extents = extents(&scan);
    let before = xfs.used();
    fs::remove_dir_all(&tree).unwrap();
    fs::remove_file(xfs.place(2, "again")).unwrap();
    let gone = before - xfs.used();
    // Blocks full of inodes, and of lists of what is free, are the file system's own.
    let physical = extents.physical_size();
    assert!((physical..physical + (1 << 20)).contains(&gone), "{gone} {physical}");
}

/// Directories too, which have blocks here.
#[test]
fn what_is_taken_over_since_a_snapshot_has_its_extents_read_again() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    let (made, env) = (&xfs.made, &xfs.env);
    let db = Connection::open(&made.database).unwrap();
    db.execute_batch(SCHEMA).unwrap();
    for id in 1..=3 {
        insert(&db, id, path(id, "tree").as_bytes(), None);
        let tree = xfs.place(id, "tree");
        fs::create_dir_all(tree.join("below")).unwrap();
        for n in 0..100 {
            fs::write(tree.join(format!("below/{n:0>60}")), "text".repeat(n)).unwrap();
        }
        assert!(fs::metadata(tree.join("below")).unwrap().blocks() > 0);
    }
    drop(db);
    xfs.sync();
    let file = env.join("store.census").to_str().unwrap().to_owned();
    made.run(env, ["snapshot", "-o", &file]);
    let whole = |more: &[&str]| {
        xfs.sync();
        let question = ["report", "--all", "--json", "--columns", "all"];
        made.run(env, [&question[..], more].concat()).stdout
    };
    assert_eq!(whole(&["--since", &file]), whole(&[]));
    let own = xfs.place(1, "tree").join("below/own");
    fs::write(own, random(9000)).unwrap();
    fs::write(xfs.place(9, "other"), "other").unwrap();
    assert_eq!(whole(&["--since", &file]), whole(&[]));
}

#[test]
fn what_is_reserved_is_told_from_what_is_written() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    let file = xfs.place(1, "reserved");
    run(Command::new("fallocate").args(["-l", "1M"]).arg(&file)).ok();
    let written = fs::OpenOptions::new().write(true).open(&file).unwrap();
    written.write_all_at(&random(65_536), 0).unwrap();
    let scan = xfs.scan();
    let shown = extents(&scan).totals.iter().map(|t| (t.compression, t.sizes.physical_size));
    let expected = [(Compression::None, 65_536), (Compression::Prealloc, 983_040)];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

/// All that the store takes, against what `xfs_io` lists of the same inodes.
#[test]
fn the_map_of_the_file_system_says_the_same() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    let files = files_that_share(&xfs, 30);
    let scan = xfs.scan();
    let inodes: BTreeSet<u64> =
        files.iter().map(|file| fs::metadata(file).unwrap().ino()).collect();
    let blocks = owned_blocks(&xfs.at, &inodes);
    assert_eq!(extents(&scan).physical_size(), blocks.len() as u64 * 512);
}

/// The sectors of 512 bytes that inodes own, as `xfs_io` prints them.
fn owned_blocks(at: &Path, inodes: &BTreeSet<u64>) -> BTreeSet<u64> {
    let text = run(Command::new("xfs_io").args(["-c", "fsmap"]).arg(at)).ok();
    let mut blocks = BTreeSet::new();
    for line in text.lines() {
        // 12: 7:0 [1024..1535]: inode 131 data 0..511 0 (1024..1535) 512
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["inode", number, ..] = words[3..] else { continue };
        let range = words[2].trim_matches(['[', ']', ':']).split_once("..").unwrap();
        // Of a tree of inodes there are blocks too.
        if number.parse().is_ok_and(|number: u64| inodes.contains(&number)) {
            blocks.extend(range.0.parse::<u64>().unwrap()..=range.1.parse().unwrap());
        }
    }
    blocks
}

#[test]
fn without_sharing_blocks_are_all_there_is() {
    let Some(xfs) = xfs("reflink=0") else { return };
    fs::write(xfs.place(1, "a"), random(65_536)).unwrap();
    assert!(matches!(xfs.scan().physical, Physical::Blocks));
    assert_eq!(sizes(&xfs.rows()["a"])[..2], [65_536; 2]);
}

/// Without a list of owners each file is asked, where that is wanted; who else shares a
/// range is not known then.
#[test]
fn where_owners_are_not_listed_files_say_it() {
    let Some(xfs) = xfs("reflink=1,rmapbt=0") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    tree_with_blocks_beside_contents(&xfs);
    let [a, b] = [(3, "a"), (4, "b")].map(|(id, name)| xfs.place(id, name));
    fs::write(&a, random(1 << 20)).unwrap();
    xfs.sync();
    reflink_range(&a, &b, [0, 0, 262_144]);
    fs::set_permissions(&b, fs::Permissions::from_mode(0o644)).unwrap();
    xfs.sync();
    let why = match xfs.scan().physical {
        Physical::Unknown(why) => why,
        other => panic!("{other:?}"),
    };
    assert!(why.contains("rmapbt=1") && why.contains("exact sizes"), "{why}");

    let as_nobody = |args: &[&str]| -> Value {
        let ran = xfs.as_nobody(args);
        assert_eq!(ran.status, 3, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
    };
    let args = ["--scan", "--extents", "exact", "report", "--all", "--json"];
    let report = as_nobody(&args);
    assert_eq!(report["physical_size_is"], "exact");
    assert_eq!(report["freed_physical_size_is"], "at least");
    assert_eq!(incomplete(&report), ["unchecked"]);
    let rows = report["paths"].as_array().unwrap();
    let row = |name| rows.iter().find(|row| row["name"] == name).unwrap();
    // Nothing of it is shared: its blocks are all.
    assert_eq!(row("tree")["physical_size"], row("tree")["disk_size"]);
    assert_eq!(sizes(row("a")), [1 << 20, 1 << 20, 1 << 20, 786_432]);
    assert_eq!(sizes(row("b")), [262_144, 262_144, 262_144, 0]);
    let all = row("tree")["disk_size"].as_u64().unwrap() + (1 << 20);
    assert_eq!(report["total"]["physical_size"], all);
    let of_all = |args: &[&str]| {
        as_nobody(&[&["--scan", "--extents", "exact"], args, &["--all", "--json"]].concat())
    };
    assert_eq!(of_all(&["kinds"])["total"]["physical_size"], all);
    let files = of_all(&["files"]);
    assert_eq!(files["total"]["physical_size"], all);
    assert_eq!(files["freed_physical_size_is"], "at least");
    let entries = of_all(&["files", "--tree"])["entries"].clone();
    for entry in entries.as_array().unwrap().iter().filter(|entry| entry["depth"] == 0) {
        let row = row(entry["path"].as_str().unwrap().rsplit('-').next().unwrap());
        assert_eq!(sizes(entry), sizes(row), "{entry:#}");
    }
    // More may come free than is said, so nothing is too little for certain.
    let need = |amount| {
        let args = ["--scan", "--extents", "exact", "garbage", "--no-runtime", "--json", "--need"];
        let garbage = as_nobody(&[&args[..], &[amount]].concat());
        let warnings = garbage["warnings"].to_string();
        let unknown = warnings.contains("whether removing roots is enough is not known");
        (garbage["need"]["proof"].clone(), unknown)
    };
    assert_eq!(need("1G"), ("unknown".into(), true));
    assert_eq!(need("1K"), ("smallest".into(), false));
    let overview = as_nobody(&["--scan", "--extents", "exact", "--json"]);
    let held = &overview["held_extents"][0];
    assert_eq!(held["physical_size"], 262_144, "{overview:#}");
    assert_eq!(held["holder"], "files that are not known, of the store or not");
    // What the file system says of each deletion is no less.
    let before = xfs.used();
    fs::remove_file(&a).unwrap();
    assert_eq!(before - xfs.used(), 786_432);

    // Where nothing is shared all is known.
    fs::remove_file(&b).unwrap();
    xfs.sync();
    let ran = xfs.as_nobody(&args);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.status, &report["freed_physical_size_is"]), (0, &"exact".into()), "{ran:?}");
    // But links of `.links` that nothing uses are not asked.
    let links = xfs.made.store.join(".links");
    fs::create_dir(&links).unwrap();
    fs::write(links.join("unused"), random(50_000)).unwrap();
    xfs.sync();
    let report = as_nobody(&args);
    assert_eq!(report["physical_size_is"], "exact");
    assert_eq!(report["freed_physical_size_is"], "at least");
    assert_eq!(incomplete(&report), ["unchecked"]);
}

/// The same store, asked of the file system by root and of its files by anybody.
#[test]
fn files_say_what_the_map_of_the_file_system_says() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    let files = files_that_share(&xfs, 20);
    let exact = xfs.rows();
    let ran = xfs.as_nobody(&["--scan", "--extents", "exact", "report", "--all", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let rows = report["paths"].as_array().unwrap();
    assert_eq!(rows.len(), files.len());
    for row in rows {
        let root = sizes(&exact[row["name"].as_str().unwrap()]);
        let any = sizes(row);
        assert_eq!(any[..3], root[..3], "{row:#}");
        assert!(any[3] <= root[3], "{row:#}");
    }
    let scan = xfs.scan();
    assert_eq!(report["total"]["physical_size"], extents(&scan).physical_size());
}

/// Owners are listed for all of the file system: no further by `auto` than the store is worth.
#[test]
fn far_more_than_the_store_is_read_only_when_asked() {
    let Some(xfs) = xfs("reflink=1,rmapbt=1") else { return };
    fs::write(xfs.place(1, "a"), random(65_536)).unwrap();
    // Each clone owns each of its parts.
    let parts = xfs.at.join("parts");
    let file = fs::File::create(&parts).unwrap();
    (0..5000).for_each(|n| file.write_all_at(b"part", n * 8192).unwrap());
    xfs.sync();
    let clone = |n: u32| reflink(&parts, &xfs.at.join(format!("clone{n}")));
    let physical = |how: &str| {
        xfs.sync();
        let args = ["--scan", "--extents", how, "report", "--all"];
        let (report, run) = xfs.made.json(&xfs.env, args);
        assert_eq!(run.status, 0, "{}", run.stderr);
        (report["paths"][0]["physical_size"].clone(), run.stderr.contains("far more than"))
    };
    (0..40).for_each(clone);
    assert_eq!(physical("auto"), (65_536.into(), false));
    (40..60).for_each(clone);
    // The same each time, as it goes by what is read and not by the clock.
    for _ in 0..2 {
        assert_eq!(physical("auto"), (Value::Null, true));
    }
    assert_eq!(physical("exact"), (65_536.into(), false));
}
