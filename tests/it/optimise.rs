//! `optimise` against real Nix: what it predicts of a store, and what
//! `nix-store --optimise` then reports and the disk then gains.

use crate::support::nix::{self, Nix, Store};
use crate::support::store_in_code::{self, Made};
use crate::support::{
    TestEnv, du_inodes, have, program, root, run, scratch, skip, store_with_roots,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

fn answer(env: &TestEnv, store: &Store, more: &[&str]) -> Value {
    let mut args = store.args();
    args.extend(["optimise", "--format", "json"].map(Into::into));
    args.extend(more.iter().map(Into::into));
    env.json(args)
}

/// `du -s --block-size=1`, and the blocks of the directory `.links`.
fn disk_size(store: &Store) -> (u64, u64) {
    let du = run(Command::new("du").args(["-s", "--block-size=1"]).arg(&store.real_store_dir));
    let size = du.ok().split_whitespace().next().unwrap().parse().unwrap();
    let links = fs::metadata(store.real_store_dir.join(".links"));
    (size, links.map_or(0, |meta| meta.blocks() * 512))
}

/// Checks a copy of the store with each version of Nix; the answer for the first.
#[track_caller]
fn check_each(env: &TestEnv, store: &Store) -> Value {
    let mut first = None;
    nix::each(|nix| {
        let copy = Store { nix, ..store.copy(env, "copy") };
        let answer = check(env, &copy);
        store_with_roots::remove(&copy.dir);
        first.get_or_insert(answer);
    });
    first.unwrap()
}

/// The answer for a store, checked against what Nix then does to it.
#[track_caller]
fn check(env: &TestEnv, store: &Store) -> Value {
    let answer = answer(env, store, &["--nix-version", &store.nix.version]);
    let (before, links_before) = disk_size(store);
    let inodes_before = du_inodes(&[&store.real_store_dir]);
    let links_directory = u64::from(!store.real_store_dir.join(".links").exists());
    let nix = store.try_nix("nix-store", ["--optimise"]);
    let (after, links_after) = disk_size(store);
    assert_eq!(nix.status, 0, "{}", nix.stderr);
    let line = nix.stderr.lines().last().unwrap_or_default();
    assert_eq!(answer["nix_report"]["line"], line, "{answer:#}");
    let gain = before as i64 - after as i64 + (links_after as i64 - links_before as i64);
    assert_eq!(answer["disk_freed"].as_i64(), Some(gain), "{answer:#}");
    let gain = inodes_before + links_directory - du_inodes(&[&store.real_store_dir]);
    assert_eq!(answer["inodes_freed"], gain, "{answer:#}");
    answer
}

/// The paths `p0` to `p4`, valid and empty directories, in a store of their own.
struct Empty {
    env: TestEnv,
    store: Store,
}

const PATHS: usize = 5;

impl Empty {
    fn new(env: TestEnv, nix: &'static Nix) -> Self {
        let store = Store::root(nix, env.join("empty"));
        fs::create_dir_all(store.dir.join("conf")).unwrap();
        for i in 0..PATHS {
            let source = env.join(format!("p{i}"));
            fs::create_dir(&source).unwrap();
            store.nix("nix-store", ["--add".into(), source.into_os_string()]);
        }
        Self { env, store }
    }

    fn copy(&self, name: &str) -> Shape {
        let store = self.store.copy(&self.env, name);
        let mut paths: Vec<PathBuf> = fs::read_dir(&store.real_store_dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir() && path.file_name().unwrap().len() == 35)
            .collect();
        paths.sort();
        assert_eq!(paths.len(), PATHS);
        Shape { store, paths }
    }
}

/// A store to be changed: files are put into its valid paths.
struct Shape {
    store: Store,
    paths: Vec<PathBuf>,
}

impl Shape {
    /// Makes a path's directory and those above the file writable.
    fn place(&self, path: usize, name: &str) -> PathBuf {
        let file = self.paths[path].join(name);
        let mut dir = self.paths[path].clone();
        open(&dir);
        for part in Path::new(name).parent().unwrap() {
            dir.push(part);
            fs::create_dir_all(&dir).unwrap();
            open(&dir);
        }
        file
    }

    fn file(&self, path: usize, name: &str, contents: &[u8], executable: bool) -> PathBuf {
        let file = self.place(path, name);
        fs::write(&file, contents).unwrap();
        let mode = if executable { 0o555 } else { 0o444 };
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        file
    }

    fn symlink(&self, path: usize, name: &str, target: &str) -> PathBuf {
        let link = self.place(path, name);
        symlink(target, &link).unwrap();
        link
    }

    fn hard_link(&self, from: &Path, path: usize, name: &str) -> PathBuf {
        let file = self.place(path, name);
        fs::hard_link(from, &file).unwrap();
        file
    }

    /// Sets modes of directories and all times as Nix does.
    fn seal(&self) {
        for path in &self.paths {
            seal(path);
        }
    }

    fn links(&self) -> Vec<PathBuf> {
        let links = fs::read_dir(self.store.real_store_dir.join(".links")).unwrap();
        let mut links: Vec<PathBuf> = links.map(|entry| entry.unwrap().path()).collect();
        links.sort();
        links
    }

    fn optimise(&self) {
        assert_eq!(self.store.try_nix("nix-store", ["--optimise"]).status, 0);
    }
}

fn open(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
}

/// Sets the time of modification to 1, as Nix does.
fn touch(path: &Path) {
    let file = File::open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
}

fn seal(path: &Path) {
    let meta = fs::symlink_metadata(path).unwrap();
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            seal(&entry.unwrap().path());
        }
        fs::set_permissions(path, Permissions::from_mode(0o555)).unwrap();
    }
    if meta.is_dir() || meta.is_file() {
        touch(path);
    }
}

#[track_caller]
fn empty_in(dir: &Path) -> Option<Empty> {
    let nix = have(&["du", "cp"]).then(nix::first).flatten()?;
    Some(Empty::new(TestEnv::on(dir), nix))
}

#[track_caller]
fn empty() -> Option<Empty> {
    empty_in(scratch())
}

#[test]
fn real_stores_fresh_and_optimised() {
    nix::each_stores(real_stores);
}

fn real_stores(stores: &'static nix::Stores) {
    let env = TestEnv::new();
    let fresh = stores.root.copy(&env, "fresh");
    let first = check(&env, &fresh);
    assert!(first["nix_report"]["files_linked"].as_u64() > Some(1000));
    for list in ["by_path", "by_package", "by_pair", "by_kind", "groups"] {
        for key in ["disk_freed", "files_linked", "bytes_freed", "apparent_freed"] {
            let rows = first[list].as_array().unwrap();
            let sum: u64 = rows.iter().map(|row| row[key].as_u64().unwrap()).sum();
            let whole = if key.ends_with("freed") && key != "bytes_freed" {
                &first[key]
            } else {
                &first["nix_report"][key]
            };
            assert_eq!(Some(sum), whole.as_u64(), "{list} {key}");
        }
    }
    // Optimised now; then with some of `.links` gone, then with new paths.
    let again = check(&env, &fresh)["nix_report"]["files_linked"].as_u64().unwrap();
    // Since 2.23 other names of an inode that was replaced are left for the next
    // time; whether there are any depends on the order of directories.
    assert!(again <= if fresh.nix.since("2.23") { 8 } else { 0 }, "{again}");
    let links = fresh.real_store_dir.join(".links");
    for (i, entry) in fs::read_dir(&links).unwrap().enumerate() {
        if i % 3 == 0 {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    check(&env, &fresh);
    let source = fresh.real_path(&fresh.find("twin-1.0"));
    let copy = env.join("another-twin");
    run(Command::new("cp").args(["-r", "--preserve=mode"]).arg(&source).arg(&copy)).ok();
    fresh.nix("nix-store", ["--add".into(), copy.into_os_string()]);
    assert!(check(&env, &fresh)["nix_report"]["files_linked"].as_u64() > Some(0));
    check(&env, &stores.root_optimised.copy(&env, "optimised"));
}

#[test]
fn the_collector_notes_the_same_saving() {
    nix::each_stores(collector_notes);
}

fn collector_notes(stores: &'static nix::Stores) {
    let env = TestEnv::new();
    let store = stores.root_optimised.copy(&env, "store");
    // An unused link, which the collector deletes.
    let links = store.real_store_dir.join(".links");
    fs::write(links.join("0".repeat(52)), "unused").unwrap();
    let unused = &answer(&env, &store, &[])["unused_links"];
    assert_eq!((&unused["entries"], &unused["apparent_size"]), (&1.into(), &6.into()));
    let collected = store.try_nix("nix-store", ["--gc"]);
    let note = collected.stderr.lines().find(|line| line.starts_with("note:")).unwrap();
    let answer = answer(&env, &store, &["--nix-version", &store.nix.version]);
    assert_eq!(answer["already_saved"]["note"], note);
    assert_eq!(answer["unused_links"]["entries"], 0);
}

#[test]
fn a_closure_stands_alone() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    for from in [&stores.root, &stores.root_optimised] {
        let target = from.find("everything-1.0");
        let here = answer(&env, from, &[&target]);
        assert!(here["already_saved"]["note"].is_null());
        if from.dir == stores.root.dir {
            // The same closure in a store of its own.
            let alone = Store::root(from.nix, env.join("alone"));
            fs::create_dir_all(alone.dir.join("conf")).unwrap();
            let to = format!("local?root={}", alone.dir.display());
            from.nix("nix", ["copy", "--no-check-sigs", "--to", &to, &target]);
            // With the hard links it has in itself, which Nix does not copy.
            let paths = alone.valid_paths();
            for path in &paths {
                let path = alone.real_path(path);
                // It fails for a path that is a symlink to nowhere.
                run(Command::new("chmod").args(["-R", "u+w"]).arg(&path));
                run(Command::new("rm").arg("-r").arg(&path)).ok();
            }
            let paths = paths.iter().map(|path| from.real_path(path));
            run(Command::new("cp").arg("-a").args(paths).arg(&alone.real_store_dir)).ok();
            let there = check(&env, &alone);
            // `hard-links-1.0` has one byte in an inode of three names and in one of one
            // name. The file system's order of names decides which of them are linked
            // to the other.
            let differ = |key: &str| {
                let count = |answer: &Value| answer["nix_report"][key].as_u64().unwrap();
                count(&here).abs_diff(count(&there))
            };
            let files = differ("files_linked");
            assert!(files == 0 || files == 2, "{files}");
            assert_eq!(differ("bytes_freed"), files);
            assert_eq!(here["disk_freed"], there["disk_freed"]);
        } else {
            assert_eq!(here["nix_report"]["files_linked"], 0);
            assert!(here["already_saved"]["disk_size"].as_u64() > Some(0));
            assert_eq!(here["bytes_read"], 0, "the names in .links tell it all");
        }
    }
}

#[test]
fn kinds_that_are_never_linked_to_each_other() {
    let Some(empty) = empty() else { return };
    let shape = empty.copy("kinds");
    for path in 0..3 {
        shape.file(path, "plain", b"target", false);
        shape.file(path, "bin/executable", b"target", true);
        shape.symlink(path, "link", "target");
        shape.file(path, "empty", b"", false);
        shape.file(path, "empty-executable", b"", true);
        let writable = shape.file(path, "writable", b"target", false);
        fs::set_permissions(writable, Permissions::from_mode(0o644)).unwrap();
    }
    for i in 0..3000 {
        shape.symlink(i % 2, &format!("links/{i}"), "../target");
    }
    shape.seal();
    let answer = check_each(&empty.env, &shape.store);
    assert_eq!(answer["nix_report"]["files_linked"], 2999 + 5 * 2);
    assert_eq!(answer["nix_report"]["writable"], 3);
}

#[test]
fn a_valid_path_may_be_a_file() {
    let Some(empty) = empty() else { return };
    let env = &empty.env;
    for (name, mode) in [("f0", 0o644), ("f1", 0o644), ("f2", 0o755)] {
        let file = env.join(name);
        fs::write(&file, "the same").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        empty.store.nix("nix-store", ["--add".into(), file.into_os_string()]);
    }
    let shape = empty.copy("files");
    shape.file(4, "a", b"the same", false);
    shape.seal();
    assert_eq!(check_each(env, &shape.store)["nix_report"]["files_linked"], 2);
    assert_eq!(check(env, &shape.store)["nix_report"]["files_linked"], 2);
    assert_eq!(check(env, &shape.store)["nix_report"]["files_linked"], 0);
}

/// How a link's file is spoilt: in place or replaced, of another size or not.
#[derive(Clone, Copy, Debug)]
struct Spoil {
    in_place: bool,
    longer: bool,
    time: bool,
}

fn spoil(link: &Path, how: Spoil) {
    let mut contents = fs::read(link).unwrap();
    contents[0] ^= 1;
    if how.longer {
        contents.push(1);
    }
    let mode = fs::metadata(link).unwrap().permissions();
    if !how.in_place {
        fs::remove_file(link).unwrap();
    } else {
        fs::set_permissions(link, Permissions::from_mode(0o644)).unwrap();
    }
    fs::write(link, contents).unwrap();
    fs::set_permissions(link, mode).unwrap();
    if !how.time {
        touch(link);
    }
}

#[test]
fn corrupted_links() {
    let Some(empty) = empty() else { return };
    let versions = nix::versions();
    // A change in place that left size and time as they were, in the first
    // bytes of a large file, is the one that is not reported without reading all
    // of `.links`.
    for size in [9, 5000] {
        for bits in 0..8 {
            let how = Spoil { in_place: bits & 1 > 0, longer: bits & 2 > 0, time: bits & 4 > 0 };
            if how.in_place && !how.longer && !how.time && size > 4096 {
                continue;
            }
            let mut shape = empty.copy(&format!("corrupted-{size}-{bits}"));
            // The versions take turns.
            shape.store.nix = &versions[bits % versions.len()];
            let contents = vec![7; size];
            shape.file(0, "a", &contents, false);
            shape.file(1, "b", &contents, false);
            shape.file(1, "other", &[8; 77], false);
            shape.seal();
            shape.optimise();
            let link = (shape.links().into_iter())
                .find(|link| fs::metadata(link).unwrap().len() == size as u64)
                .unwrap();
            spoil(&link, how);
            // Unspoilt copies come later.
            shape.file(2, "c", &contents, false);
            shape.file(3, "d", &contents, false);
            shape.file(3, "lone", &[9; 78], false);
            shape.seal_times_of(&["c", "d", "lone"]);
            let answer = check(&empty.env, &shape.store);
            assert_eq!(answer["complete"], true, "{how:?}");
            store_with_roots::remove(&shape.store.dir);
        }
    }
}

impl Shape {
    /// As [`Shape::seal`], but only files of these names have their times set.
    fn seal_times_of(&self, names: &[&str]) {
        for path in &self.paths {
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                if names.iter().any(|name| entry.file_name() == *name) {
                    touch(&entry.path());
                }
            }
            fs::set_permissions(path, Permissions::from_mode(0o555)).unwrap();
            touch(path);
        }
    }
}

#[test]
fn up_to_the_link_limit() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(empty) = empty_in(dir) else { return };
    if rustix::fs::statfs(dir).unwrap().f_type as u32 != 0xef53 {
        return skip("the target directory is on no ext file system");
    }
    let shape = empty.copy("limit");
    shape.file(0, "a", b"many names", false);
    shape.seal();
    shape.optimise();
    // Names in a path that is not valid.
    let link = &shape.links()[0];
    let elsewhere = shape.store.real_store_dir.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for i in 0..65_000 - 4 {
        fs::hard_link(link, elsewhere.join(i.to_string())).unwrap();
    }
    for i in 0..5 {
        shape.file(1, &format!("b{i}"), b"many names", false);
    }
    shape.seal();
    let answer = check(&empty.env, &shape.store);
    assert_eq!(answer["nix_report"]["files_linked"], 2);
    assert_eq!(answer["nix_report"]["at_link_limit"], 3);

    // Without its name in `.links`, and with that name taken elsewhere: Nix
    // cannot link the file there, and fails.
    fs::rename(link, elsewhere.join("taken")).unwrap();
    let args = ["--nix-version", &shape.store.nix.version];
    let predicted = self::answer(&empty.env, &shape.store, &args);
    let nix = shape.store.try_nix("nix-store", ["--optimise"]);
    assert!(predicted["nix_report"]["line"].is_null());
    assert_ne!(nix.status, 0, "{}", nix.stderr);
}

#[test]
fn neither_blocks_nor_fails_on_odd_files() {
    let Some(empty) = empty() else { return };
    let shape = empty.copy("odd");
    shape.file(0, "a", b"the same", false);
    shape.file(1, "\x1b[31m\n", b"the same", false);
    let fifo = shape.place(2, "fifo");
    run(Command::new("mkfifo").arg(&fifo)).ok();
    let links = shape.store.real_store_dir.join(".links");
    fs::create_dir_all(links.join("a directory")).unwrap();
    fs::write(links.join("no hash"), "the same").unwrap();
    shape.seal();
    let mut args = shape.store.args();
    args.push("optimise".into());
    let table = empty.env.run(args);
    assert!(!table.stdout.contains('\x1b'), "{}", table.stdout);
    assert_eq!(check_each(&empty.env, &shape.store)["nix_report"]["files_linked"], 1);
}

#[test]
fn no_last_line_where_nix_stops_at_a_missing_path() {
    let Some(empty) = empty() else { return };
    let shape = empty.copy("missing");
    for path in 0..PATHS {
        shape.file(path, "a", b"the same", false);
    }
    shape.seal();
    store_with_roots::remove(&shape.paths[2]);
    let env = &empty.env;
    let predict = |store: &Store, version: &str| -> Value {
        let mut args = store.args();
        args.extend(["optimise", "--format", "json", "--nix-version", version].map(Into::into));
        let run = env.run(args);
        assert_eq!(run.status, 3, "{}", run.stderr);
        serde_json::from_str(&run.stdout).unwrap()
    };
    nix::each(|nix| {
        let store = Store { nix, ..shape.store.copy(env, "copy") };
        let predicted = predict(&store, &nix.version);
        let (before, links_before) = disk_size(&store);
        let optimised = store.try_nix("nix-store", ["--optimise"]);
        let (after, links_after) = disk_size(&store);
        assert_eq!(optimised.status, 1, "{}", optimised.stderr);
        assert_eq!(predicted["nix_report"]["line"], Value::Null);
        assert_eq!(predicted["complete"], false);
        // What came before has been linked.
        let gain = before as i64 - after as i64 + (links_after as i64 - links_before as i64);
        assert_eq!(predicted["disk_freed"].as_i64(), Some(gain));
        assert_eq!(predicted["nix_report"]["files_linked"], 1);
        store_with_roots::remove(&store.dir);
    });
    // Determinate Nix warns and goes on, since 3.22.1.
    let line = |version| predict(&shape.store, version)["nix_report"]["line"].clone();
    assert_eq!(line("determinate-3.22.0"), Value::Null);
    assert_eq!(line("determinate-3.22.1"), "0.0 KiB freed by hard-linking 3 files");
    assert_eq!(line("lix-2.94"), Value::Null);
}

#[test]
fn determinate_nix_has_ranges_where_threads_decide() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", store_in_code::SCHEMA);
    let place = |id: i64, name: &str| made.store.join(store_in_code::base(id, "p")).join(name);
    for id in 1..=3 {
        fs::create_dir(made.store.join(store_in_code::base(id, "p"))).unwrap();
        fs::write(place(id, "a"), vec![7; 5000]).unwrap();
        store_in_code::insert(&db, id, store_in_code::path(id, "p").as_bytes(), None);
    }
    // One of the three has a second name in another path.
    fs::hard_link(place(1, "a"), place(2, "b")).unwrap();
    for path in [(1, "a"), (2, "a"), (3, "a")] {
        let file = place(path.0, path.1);
        fs::set_permissions(file, Permissions::from_mode(0o444)).unwrap();
    }
    let args = ["optimise", "--nix-version", "determinate-3.22"];
    let (answer, _) = made.json(&env, args);
    let report = &answer["nix_report"];
    assert_eq!((&report["line"], &report["files_linked"]), (&Value::Null, &Value::Null));
    // That one is kept; or one or both of its names are replaced.
    assert_eq!(report["files_linked_least"], 2);
    assert_eq!(report["files_linked_most"], 3);
    assert_eq!(report["bytes_freed_most"], 15_000);
    let table = made.run(&env, args).stdout;
    assert!(table.contains("between 2 and 3 files"), "{table}");
    // One name each: certain.
    fs::remove_file(place(2, "b")).unwrap();
    let (answer, _) = made.json(&env, args);
    assert_eq!(answer["nix_report"]["line"], "9.8 KiB freed by hard-linking 2 files");
}

#[test]
fn a_store_of_determinate_nix_says_so() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "store");
    assert_eq!(made.json(&env, [""; 0]).0["written_by"], Value::Null);
    db.execute_batch("ALTER TABLE ValidPaths ADD COLUMN provenance TEXT").unwrap();
    drop(db);
    let (overview, run) = made.json(&env, [""; 0]);
    assert_eq!((&overview["written_by"], run.status), (&"Determinate Nix".into(), 0));
    let notes = |version| {
        let run = made.run(&env, ["optimise", "--nix-version", version]);
        assert_eq!(run.status, 0);
        run.stderr.lines().filter(|line| line.contains("one of Determinate Nix")).count()
    };
    assert_eq!(["2.34", "lix-2.94", "determinate-3.22"].map(notes), [1, 1, 0]);
}

#[test]
fn overview_and_optimise_tell_the_same_savings() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", store_in_code::SCHEMA);
    let links = made.store.join(".links");
    fs::create_dir(&links).unwrap();
    fs::write(links.join("optimised"), vec![7; 5000]).unwrap();
    let mut paths = Vec::new();
    for id in 1..=3 {
        let path = made.store.join(store_in_code::base(id, "p"));
        fs::create_dir(&path).unwrap();
        fs::hard_link(links.join("optimised"), path.join("a")).unwrap();
        // What a builder linked itself.
        fs::write(path.join("b"), vec![id as u8; 9000]).unwrap();
        fs::hard_link(path.join("b"), path.join("c")).unwrap();
        store_in_code::insert(&db, id, store_in_code::path(id, "p").as_bytes(), Some(id));
        paths.push(path);
    }
    let (overview, _) = made.json(&env, [""; 0]);
    let (optimise, _) = made.json(&env, ["optimise"]);
    let saved = &optimise["already_saved"];
    let blocks = |path: PathBuf| path.metadata().unwrap().blocks() * 512;
    assert_eq!(overview["links_savings"], 2 * blocks(paths[0].join("a")));
    assert_eq!(overview["links_savings"], saved["disk_size"]);
    assert_eq!(overview["other_link_savings"], 3 * blocks(paths[0].join("b")));
    assert_eq!(overview["other_link_savings"], saved["other_disk_size"]);
    assert_eq!(saved["other_apparent_size"], 3 * 9000);
    let du = run(Command::new("du").args(["-lsc", "--block-size=1"]).args(&paths)).ok();
    let total = du.lines().last().unwrap().split_whitespace().next().unwrap();
    assert_eq!(overview["copied_disk_size"].to_string(), total);

    // With nothing of them on disk, the heaviest are those of the largest NARs.
    paths.iter().for_each(|path| store_with_roots::remove(path));
    let (overview, _) = made.json(&env, [""; 0]);
    let heaviest = overview["heaviest"].as_array().unwrap().iter();
    let sizes: Vec<u64> = heaviest.map(|row| row["nar_size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [3, 2, 1]);
}

#[test]
fn what_a_later_nix_leaves_in_the_store_is_warned_of() {
    let env = TestEnv::new();
    let (made, _db) = Made::sound(&env, "store");
    let later = |made: &Made| {
        let (answer, run) = made.json(&env, ["optimise"]);
        let kinds = store_in_code::kinds(&answer);
        assert_eq!(run.status, if kinds.is_empty() { 0 } else { 3 }, "{kinds:?}");
        kinds
    };
    assert!(later(&made).is_empty());
    for dir in [".links-b3", ".links/sha256/0ab"] {
        let dir = made.store.join(dir);
        fs::create_dir_all(&dir).unwrap();
        assert!(later(&made).is_empty(), "an empty directory says nothing");
        fs::write(dir.join("link"), "contents").unwrap();
        assert_eq!(later(&made), ["uncertain"], "{}", dir.display());
        fs::remove_file(dir.join("link")).unwrap();
    }
    let marked = made.store.join(store_in_code::base(3, "tree"));
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&marked, "user.nix.optimised", b"1", flags).is_err() {
        return skip("the temporary directory keeps no extended attributes");
    }
    assert_eq!(later(&made), ["uncertain"]);
}

#[test]
fn unreadable_files_are_told_and_counted() {
    use std::os::unix::process::CommandExt;
    let Some(empty) = empty() else { return };
    if !root() {
        return;
    }
    let shape = empty.copy("unreadable");
    for path in 0..3 {
        shape.file(path, "a", b"the same", false);
        let secret = shape.file(path, "secret", b"of one size", false);
        fs::set_permissions(secret, Permissions::from_mode(0o400)).unwrap();
    }
    // Two that would be compared with each other: both are told.
    for path in 0..2 {
        let large = shape.file(path, "large-secret", &[b'x'; 40_000], false);
        fs::set_permissions(large, Permissions::from_mode(0o400)).unwrap();
    }
    shape.file(3, "lone", b"no other of this size", false);
    shape.seal();
    let env = &empty.env;
    for dir in [env.path(), &shape.store.dir] {
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(program(env));
    command.args(shape.store.args()).args(["optimise", "--format", "json"]);
    command.current_dir(env.path()).env_clear().uid(65_534).gid(65_534);
    let found = run(&mut command);
    assert_eq!(found.status, 3, "{}", found.stderr);
    assert!(found.stderr.contains("/secret"), "{}", found.stderr);
    let answer: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(answer["complete"], false);
    assert_eq!(answer["nix_report"]["files_linked"], 2);
    assert_eq!((&answer["unreadable"], &answer["unreadable_size"]), (&5.into(), &80_033.into()));
}

#[test]
fn reads_little_and_writes_nothing() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "store");
    let snapshot = || {
        let list =
            run(Command::new("find").arg(&store.dir).args(["-printf", "%p %i %n %m %s %T@ %C@\n"]));
        let mut lines: Vec<String> = list.ok().lines().map(Into::into).collect();
        lines.sort();
        lines
    };
    let before = snapshot();
    let answer = answer(&env, &store, &[]);
    assert_eq!(before, snapshot());

    // What may be read: of files that share size and executable bit all where they are
    // small; of others the first bytes, and whole those that share them too.
    let mut groups: HashMap<(u64, bool), HashMap<u64, Vec<u8>>> = HashMap::new();
    for path in store.valid_paths() {
        for entry in walkdir::WalkDir::new(store.real_path(&path)).follow_root_links(false) {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_file() {
                let key = (meta.len(), meta.mode() & 0o100 != 0);
                let mut contents = fs::read(entry.path()).unwrap();
                contents.truncate(4096);
                groups.entry(key).or_default().insert(meta.ino(), contents);
            }
        }
    }
    let (mut first, mut whole) = (0, 0);
    for ((size, _), inodes) in groups.into_iter().filter(|(_, inodes)| inodes.len() > 1) {
        if size <= 32 * 1024 {
            whole += inodes.len() as u64 * size;
            continue;
        }
        let mut alike: HashMap<Vec<u8>, u64> = HashMap::new();
        first += inodes.len() as u64 * size.min(4096);
        inodes.into_values().for_each(|prefix| *alike.entry(prefix).or_default() += 1);
        whole += alike.into_values().filter(|&n| n > 1).map(|n| n * size).sum::<u64>();
    }
    let read = answer["bytes_read"].as_u64().unwrap();
    assert!(whole > 0 && read <= whole * 6 / 5 + first, "{read} read, {whole} + {first} allowed");
}

#[test]
fn refuses_what_it_cannot_mean() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    for wrong in [
        &["--nix-version", "2.91"][..],
        &["--nix-version", "lix-2.18"],
        &["--min-size", "x"],
        &["--no-disk"],
    ] {
        let mut args = stores.root.args();
        args.push("optimise".into());
        args.extend(wrong.iter().map(Into::into));
        assert_eq!(env.run(args).status, 2, "{wrong:?}");
    }
    let limited = answer(&env, &stores.root, &["--limit", "2", "--min-size", "1K"]);
    for list in ["by_path", "by_package", "by_pair", "by_kind"] {
        assert_eq!(limited[list].as_array().unwrap().len(), 2, "{list}");
    }
    let groups = limited["groups"].as_array().unwrap();
    assert!(!groups.is_empty() && groups.iter().all(|g| g["disk_freed"].as_u64() >= Some(1024)));
}

/// A file of a drawn layout.
#[derive(Clone, Debug)]
enum Drawn {
    /// New contents of this number.
    File {
        at: At,
        content: u8,
        executable: bool,
        writable: bool,
    },
    /// A further name of a file or symlink drawn before.
    Name {
        at: At,
        of: usize,
    },
    Symlink {
        at: At,
        target: u8,
    },
}

/// A path and a directory in it.
type At = (usize, u8);

/// What happens between the two halves of a layout.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Optimised,
    /// Optimised, then each n-th entry of `.links` removed.
    Removed(usize),
    /// Optimised, then one link spoilt.
    Spoilt(usize, Spoil),
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let at = || (0..PATHS, 0..4u8);
    prop_oneof![
        4 => (at(), 0..9u8, any::<bool>(), prop::bool::weighted(0.05)).prop_map(
            |(at, content, executable, writable)| Drawn::File { at, content, executable, writable }
        ),
        4 => (at(), any::<usize>()).prop_map(|(at, of)| Drawn::Name { at, of }),
        1 => (at(), 0..3u8).prop_map(|(at, target)| Drawn::Symlink { at, target }),
    ]
}

fn between() -> impl Strategy<Value = Between> {
    let how = (any::<bool>(), any::<bool>());
    prop_oneof![
        Just(Between::Nothing),
        Just(Between::Optimised),
        (2..4usize).prop_map(Between::Removed),
        (any::<usize>(), how).prop_map(|(which, (in_place, longer))| {
            Between::Spoilt(which, Spoil { in_place, longer, time: true })
        }),
    ]
}

/// Contents that differ in size, in the first byte or only in the last.
fn contents(number: u8) -> Vec<u8> {
    let size = [0, 1, 10, 10, 4096, 4097, 40_000, 40_000, 1 << 20][usize::from(number)];
    let mut contents = vec![b'x'; size];
    if let (3 | 7, Some(last)) = (number, contents.last_mut()) {
        *last = b'y';
    }
    contents
}

fn put(shape: &Shape, layout: &[Drawn], made: &mut Vec<PathBuf>) {
    for (i, drawn) in layout.iter().enumerate() {
        // Names that spread over the directory's order, and differ in both halves.
        let name = |dir: u8| {
            let file = format!("f{}-{i}", made.len() * 37 % 101);
            if dir == 0 {
                file
            } else {
                format!("d{dir}/{}{file}", if dir == 3 { "d/" } else { "" })
            }
        };
        let file = match drawn {
            &Drawn::File { at: (path, dir), content, executable, writable } => {
                let file = shape.file(path, &name(dir), &contents(content), executable);
                if writable {
                    let mode = if executable { 0o755 } else { 0o644 };
                    fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
                }
                file
            }
            &Drawn::Symlink { at: (path, dir), target } => {
                shape.symlink(path, &name(dir), ["a", "b", "longer"][usize::from(target)])
            }
            &Drawn::Name { at: (path, dir), of } if !made.is_empty() => {
                shape.hard_link(&made[of % made.len()].clone(), path, &name(dir))
            }
            Drawn::Name { .. } => continue,
        };
        made.push(file);
    }
}

#[test]
fn layouts_drawn_at_random() {
    let Some(empty) = empty() else { return };
    let versions = nix::versions();
    let half = || prop::collection::vec(drawn(), 0..24);
    // Each case runs every version of Nix, on a copy each.
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let config =
        Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let number = std::cell::Cell::new(0);
    let outcome =
        TestRunner::new(config).run(&(half(), between(), half()), |(first, between, second)| {
            number.set(number.get() + 1);
            let mut shape = empty.copy(&format!("drawn-{}", number.get()));
            let mut made = Vec::new();
            put(&shape, &first, &mut made);
            shape.seal();
            if !matches!(between, Between::Nothing) {
                // The versions take turns with the first round.
                shape.store.nix = &versions[number.get() % versions.len()];
                shape.optimise();
            }
            match between {
                Between::Removed(n) => {
                    for link in shape.links().iter().step_by(n) {
                        fs::remove_file(link).unwrap();
                    }
                }
                Between::Spoilt(which, how) => {
                    let links = shape.links();
                    let files = links.iter().filter(|l| {
                        fs::symlink_metadata(l).is_ok_and(|meta| meta.is_file() && meta.len() > 0)
                    });
                    let files: Vec<&PathBuf> = files.collect();
                    if !files.is_empty() {
                        spoil(files[which % files.len()], how);
                    }
                }
                _ => {}
            }
            put(&shape, &second, &mut made);
            if matches!(between, Between::Spoilt(..)) {
                shape.paths.iter().for_each(|path| open(path));
            } else {
                shape.seal();
            }
            check_each(&empty.env, &shape.store);
            store_with_roots::remove(&shape.store.dir);
            Ok(())
        });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
