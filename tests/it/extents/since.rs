//! `--since` and snapshots: what is taken over has its extents by kind as if all were walked.

use super::kinds::application;
use super::{FileSystem, Kind, btrfs, random, reflink, reflink_range, zeros};
use crate::support::store_in_code;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Two paths of an application, and others: one whose files share extents and inodes with it,
/// one of many files, so that its directory has blocks on XFS, and a path that is a file.
fn store(system: &FileSystem) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(&system.made.database).unwrap();
    db.execute_batch(store_in_code::SCHEMA).unwrap();
    let [app, lib] = application(system);
    let links = system.made.store.join(".links");
    fs::create_dir(&links).unwrap();
    let shares = system.place(3, "shares");
    fs::create_dir_all(shares.join("share/info")).unwrap();
    reflink(&lib.join("share/man/man1/lib.1"), &shares.join("tool.py"));
    reflink_range(&app.join("include/app.h"), &shares.join("data"), [8192, 0, 16_384]);
    fs::hard_link(app.join("share/man/man1/app.1"), links.join("page")).unwrap();
    fs::hard_link(app.join("include/app.h"), shares.join("share/info/app.info")).unwrap();
    let many = system.place(4, "many");
    fs::create_dir(&many).unwrap();
    (0..300).for_each(|n| fs::write(many.join(format!("{n:0>40}.h")), random(50)).unwrap());
    fs::write(many.join("page.html"), zeros(300_000)).unwrap();
    fs::write(system.place(5, "file.patch"), random(40_000)).unwrap();
    for (id, name) in [(1, "app"), (2, "lib"), (3, "shares"), (4, "many"), (5, "file.patch")] {
        store_in_code::insert(&db, id, store_in_code::path(id, name).as_bytes(), None);
    }
    for (from, to) in [(1, 2), (1, 3), (2, 4), (3, 5)] {
        store_in_code::refer(&db, from, to);
    }
    register(system, &db);
    db
}

/// Gives all paths the NAR sizes that they have.
fn register(system: &FileSystem, db: &rusqlite::Connection) {
    for row in system.rows().values() {
        let (size, path) = (row["disk_nar_size"].as_i64(), row["path"].as_str());
        db.execute("UPDATE ValidPaths SET narSize = ?1 WHERE path = ?2", (size, path)).unwrap();
    }
}

/// Paths come, go and change.
fn change(system: &FileSystem, db: &rusqlite::Connection) {
    let [app, lib, shares] =
        [(1, "app"), (2, "lib"), (3, "shares")].map(|(id, name)| system.place(id, name));
    // What shares an extent with a path that stays as it is, of another kind.
    let new = system.place(6, "new");
    fs::create_dir_all(new.join("share/doc")).unwrap();
    reflink(&system.place(4, "many/page.html"), &new.join("share/doc/page"));
    fs::hard_link(app.join("lib/libapp.so"), new.join("libapp.so")).unwrap();
    store_in_code::insert(db, 6, store_in_code::path(6, "new").as_bytes(), None);
    store_in_code::refer(db, 1, 6);
    // Inodes of `app` have one name less, or one left.
    fs::remove_dir_all(&shares).unwrap();
    fs::remove_file(system.made.store.join(".links/page")).unwrap();
    db.execute_batch("DELETE FROM Refs WHERE referrer = 3 OR reference = 3").unwrap();
    db.execute_batch("DELETE FROM ValidPaths WHERE id = 3").unwrap();
    fs::remove_file(lib.join("include/lib.h")).unwrap();
    fs::write(lib.join("include/other.h"), random(20_000)).unwrap();
    // An entry that is no path.
    fs::create_dir(system.place(7, "stray")).unwrap();
    fs::write(system.place(7, "stray/a.h"), random(10_000)).unwrap();
    register(system, db);
}

const QUESTIONS: &[&[&str]] = &[
    &["kinds", "--all"],
    &["kinds", "lib", "--no-closure"],
    &["report", "--all", "--group-by", "kind"],
    &["report", "--all"],
    &["suggest", "app"],
    &["suggest", "app", "many", "--min-size", "1"],
    &["what-if", "app", "--drop-kind", "man"],
    &["what-if", "app", "--drop-kind", "headers,doc", "--remove", "lib", "--drop-kind", "man,doc"],
    &["what-if", "--all", "--drop-kind", "locale", "--drop-kind", "headers,scripts,data,sources"],
];

/// An answer, which is complete and knows extents.
fn answer(system: &FileSystem, how: &[&str], question: &[&str]) -> Value {
    let args = [how, question, &["--json"]].concat();
    let ran = match how.first() {
        Some(&"--snapshot") => system.env.run(args),
        _ => system.made.run(&system.env, args),
    };
    assert_eq!(ran.status, 0, "{how:?} {question:?} {}", ran.stderr);
    let mut answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["physical_size_is"], "exact", "{how:?} {question:?} {answer:#}");
    answer.as_object_mut().unwrap().remove("snapshot");
    answer
}

/// Asserts that each question is answered by `how` as by looking at all.
fn assert_same(system: &FileSystem, how: &[&str]) {
    for question in QUESTIONS {
        let full = answer(system, &[], question);
        assert_eq!(answer(system, how, question), full, "{how:?} {question:?}");
    }
}

/// A snapshot is taken with these options, then the store changes.
fn compare(kind: Kind, mkfs: &[&str], mount: &str, options: &[&str]) {
    let Some(system) = FileSystem::new(kind, mkfs, mount) else { return };
    let db = store(&system);
    let [before, after, updated] = ["before", "after", "updated"]
        .map(|name| system.env.join(name).to_str().unwrap().to_owned());
    let take = |args: &[&str]| {
        system.sync();
        let taken = system.made.run(&system.env, args);
        assert_eq!(taken.status, 0, "{args:?} {}", taken.stderr);
    };
    take(&[&["snapshot", "-o", &before], options].concat());
    assert_same(&system, &["--since", &before]);
    change(&system, &db);
    system.sync();
    assert_same(&system, &["--since", &before]);
    // A snapshot that was taken since another, and one that was updated, alone or beside an
    // answer that asks nothing of kinds.
    take(&["--since", &before, "snapshot", "-o", &after]);
    assert_same(&system, &["--snapshot", &after]);
    for how in [&["snapshot"][..], &["report", "--all"], &["kinds", "--all"]] {
        fs::copy(&before, &updated).unwrap();
        take(&[&["--since", &updated, "--update"], how].concat());
        assert_same(&system, &["--snapshot", &updated]);
    }
    // And from that again.
    fs::remove_dir_all(system.place(6, "new")).unwrap();
    db.execute_batch("DELETE FROM Refs WHERE reference = 6; DELETE FROM ValidPaths WHERE id = 6")
        .unwrap();
    system.sync();
    assert_same(&system, &["--since", &updated]);
    take(&["--since", &updated, "--update", "snapshot"]);
    assert_same(&system, &["--snapshot", &updated]);
}

#[test]
fn extents_by_kind_are_those_of_a_full_census() {
    compare(Kind::Btrfs, &[], "loop,compress=zstd", &[]);
}

#[test]
fn extents_by_kind_are_known_since_a_snapshot_without_extents() {
    compare(Kind::Btrfs, &[], "loop,compress=zstd", &["--extents", "never"]);
}

/// By kind as by file: a step that drops files of a name makes it ask each file.
#[test]
fn dropping_kinds_is_dropping_their_files() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let _db = store(&btrfs);
    btrfs.sync();
    let mut gains = 0;
    for kinds in ["man", "headers", "man,libraries,info", "libraries,doc", "scripts,data,locale"] {
        let by_kind = ["what-if", "--all", "--drop-kind", kinds];
        let by_file = [&by_kind[..], &["--drop-files", "share/locale"]].concat();
        let step = |args: &[&str]| answer(&btrfs, &[], args)["steps"][1].clone();
        let (by_kind, by_file) = (step(&by_kind), step(&by_file));
        assert_eq!(by_kind, by_file, "{kinds}");
        gains += u64::from(by_kind["physical_change"].as_i64().unwrap() < 0);
    }
    assert!(gains > 2, "{gains}");
}

/// Where directories have blocks, too.
#[test]
fn extents_by_kind_are_those_of_a_full_census_on_xfs() {
    compare(Kind::Xfs, &["-m", "reflink=1,rmapbt=1"], "loop", &[]);
}

/// A mode is seen by a walk alone, and a program is told by it.
#[test]
fn kinds_of_what_did_not_change_are_taken_over() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let _db = store(&btrfs);
    btrfs.sync();
    let kept = btrfs.env.join("kept");
    let kept = kept.to_str().unwrap();
    let taken = btrfs.made.run(&btrfs.env, ["snapshot", "-o", kept]);
    assert_eq!(taken.status, 0, "{}", taken.stderr);
    let kinds = |how: &[&str]| {
        let (answer, ran) = btrfs.made.json(&btrfs.env, [how, QUESTIONS[0]].concat());
        (answer["kinds"].clone(), ran.status)
    };
    let before = kinds(&[]);
    let page = btrfs.place(4, "many/page.html");
    fs::set_permissions(page, Permissions::from_mode(0o755)).unwrap();
    btrfs.sync();
    assert_eq!((&kinds(&["--since", kept]), before.1), (&before, 0));
    let after = kinds(&[]);
    assert!(after.0 != before.0 && after.1 == 3, "{after:?}");
}
