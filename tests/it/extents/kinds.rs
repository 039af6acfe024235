//! What sets of files smaller than a path take, and what goes with them.

use super::{FileSystem, Kind, btrfs, incomplete, random, reflink, reflink_range, zeros};
use crate::images::Mount;
use crate::support::store_in_code::Made;
use crate::support::{TestEnv, have, run, store_in_code};
use nix_census::internals::{sealed_snapshot, unsealed_snapshot};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two paths. What they take in extents, by kind: man pages 32,768 bytes of their own and
/// a library that is one's man page too; headers 65,536, shared in part; a document that is
/// a library too; a locale in the metadata.
pub(super) fn application(btrfs: &FileSystem) -> [PathBuf; 2] {
    let [app, lib] = [(1, "app"), (2, "lib")].map(|(id, name)| btrfs.place(id, name));
    for (at, bytes) in [
        (app.join("share/man/man1/app.1"), zeros(1 << 20)),
        (app.join("lib/libapp.so"), random(200_704)),
        (app.join("include/app.h"), random(65_536)),
        (app.join("share/doc/manual"), random(131_072)),
        (lib.join("share/locale/de/lib.mo"), random(100)),
    ] {
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, bytes).unwrap();
    }
    btrfs.sync();
    fs::hard_link(app.join("share/doc/manual"), app.join("lib/libdoc.so")).unwrap();
    for directory in ["share/man/man1", "include"] {
        fs::create_dir_all(lib.join(directory)).unwrap();
    }
    reflink(&app.join("lib/libapp.so"), &lib.join("share/man/man1/lib.1"));
    reflink_range(&app.join("include/app.h"), &lib.join("include/lib.h"), [0, 0, 8192]);
    let readable = fs::Permissions::from_mode(0o444);
    fs::set_permissions(lib.join("include/lib.h"), readable).unwrap();
    [app, lib]
}

/// A complete answer.
pub(super) fn ask(system: &FileSystem, args: &[&str]) -> Value {
    system.sync();
    let (answer, ran) = system.made.json(&system.env, [&["--scan"], args].concat());
    assert_eq!(ran.status, 0, "{args:?} {}", ran.stderr);
    answer
}

/// Rows of a list by one of their columns.
fn by<'a>(list: &'a Value, key: &str) -> BTreeMap<&'a str, &'a Value> {
    let rows = list.as_array().unwrap_or_else(|| panic!("{list:#}")).iter();
    rows.map(|row| (row[key].as_str().unwrap(), row)).collect()
}

/// The sum of a column.
fn sum<'a>(rows: impl IntoIterator<Item = &'a Value>, key: &str) -> u64 {
    rows.into_iter().map(|row| row[key].as_u64().unwrap()).sum()
}

#[test]
fn kinds_take_what_their_extents_take() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let [app, _] = application(&btrfs);
    // Of two kinds in one path.
    btrfs.sync();
    reflink(&app.join("include/app.h"), &app.join("share/man/man1/app.2"));
    btrfs.sync();
    // As which nothing takes more or less.
    btrfs.btrfs(&["subvolume", "snapshot", "-r", ".", "41"]);
    let answer = ask(&btrfs, &["kinds", "--all"]);
    let kinds = by(&answer["kinds"], "kind");
    for (kind, physical, referenced, inline) in [
        ("man", 32_768, (1 << 20) + 200_704 + 65_536, 0),
        ("headers", 65_536, 65_536 + 8192, 0),
        ("libraries", 200_704 + 131_072, 200_704 + 131_072, 0),
        ("locale", 0, 0, 100),
        ("directories", 0, 0, 0),
    ] {
        let row = kinds[kind];
        assert_eq!(row["physical_size"], physical, "{row:#}");
        assert_eq!(row["referenced_size"], referenced, "{row:#}");
        assert_eq!(row["inline_size"], inline, "{row:#}");
    }
    assert_eq!(kinds["man"]["uncompressed_size"], 1 << 20);
    // Rows are by what is taken, and sum to the whole.
    assert_eq!(answer["kinds"][0]["kind"], "libraries");
    let report = btrfs.rows();
    let total = &answer["total"];
    for key in ["physical_size", "uncompressed_size", "referenced_size", "inline_size"] {
        assert_eq!(sum(kinds.values().copied(), key), total[key], "{key}");
    }
    assert_eq!(total["physical_size"], 32_768 + 65_536 + 200_704 + 131_072);
    assert_eq!(answer["physical_size_is"], "exact");
    // In a path an extent is of the last kind that it has there.
    let rows = answer["paths"].as_array().unwrap();
    let of = |name: &str| -> Vec<&Value> {
        let end = format!("-{name}");
        rows.iter().filter(|row| row["path"].as_str().unwrap().ends_with(&end)).collect()
    };
    let size = |name: &str, kind: &str| {
        of(name).iter().find(|row| row["kind"] == kind).unwrap()["physical_size"].as_u64().unwrap()
    };
    assert_eq!(size("app", "man"), 32_768);
    assert_eq!(size("app", "libraries"), 200_704 + 131_072);
    assert_eq!(size("lib", "man"), 200_704);
    assert_eq!((size("app", "headers"), size("lib", "headers")), (65_536, 65_536));
    for name in ["app", "lib"] {
        for key in ["physical_size", "uncompressed_size", "referenced_size", "inline_size"] {
            assert_eq!(sum(of(name), key), report[name][key], "{key} of {name}");
        }
    }
    // One path alone, then by group, then what is asked for of all.
    let alone = ask(&btrfs, &["kinds", "lib", "--no-closure"]);
    assert_eq!(by(&alone["kinds"], "kind")["man"]["physical_size"], 200_704);
    let grouped = ask(&btrfs, &["report", "--all", "--group-by", "kind"]);
    for (kind, row) in by(&grouped["groups"], "kind") {
        assert_eq!(row["physical_size"], kinds[kind]["physical_size"], "{kind}");
    }
    assert_eq!(grouped["total"]["physical_size"], total["physical_size"]);
    let few =
        ["kinds", "--all", "--kind", "man", "--format", "csv", "--columns", "kind,physical_size"];
    let few = btrfs.made.run(&btrfs.env, [&["--scan"], &few[..]].concat()).ok();
    assert!(few.contains("man,32768"), "{few}");
    for args in [&["kinds", "--all"][..], &["report", "--all", "--group-by", "kind"]] {
        let all = [&["--scan", "--width", "80"], args].concat();
        let table = btrfs.made.run(&btrfs.env, all).ok();
        assert!(table.contains("physical") && table.contains("Sizes are physical"), "{table}");
        assert!(!table.contains("disk size"), "{table}");
    }
}

/// Those of some paths out of a snapshot's walk of all are the same; of a snapshot alone
/// they are not known.
#[test]
fn kinds_are_known_where_a_snapshot_spares_the_walk() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    application(&btrfs);
    let rows = btrfs.rows();
    let db = rusqlite::Connection::open(&btrfs.made.database).unwrap();
    db.execute_batch(store_in_code::SCHEMA).unwrap();
    for (id, name) in [(1, "app"), (2, "lib")] {
        let path = store_in_code::path(id, name);
        let nar_size = rows[name]["disk_nar_size"].as_i64();
        store_in_code::insert(&db, id, path.as_bytes(), nar_size);
    }
    drop(db);
    btrfs.sync();
    let kept = btrfs.env.join("kept");
    let kept = kept.to_str().unwrap();
    let taken = btrfs.made.run(&btrfs.env, ["snapshot", "-o", kept]);
    assert_eq!(taken.status, 0, "{}", taken.stderr);
    for args in [
        &["kinds", "--all"][..],
        &["kinds", "lib", "--no-closure"],
        &["what-if", "app", "lib", "--drop-kind", "headers,man"],
        &["what-if", "lib", "--drop-files", "include"],
        &["suggest", "app"],
    ] {
        let list = if args[0] == "kinds" { "kinds" } else { "total" };
        let [plain, since, updated] = [&[][..], &["--since", kept], &["--since", kept, "--update"]]
            .map(|how| {
                let (answer, ran) = btrfs.made.json(&btrfs.env, [how, args].concat());
                assert_eq!(ran.status, 0, "{how:?} {args:?} {}", ran.stderr);
                answer[list].clone()
            });
        assert_eq!((&since, &updated), (&plain, &plain), "{args:?}");
    }
    // A snapshot of a whole walk keeps them, of a part of its paths too; so does one of a closure.
    let part = btrfs.env.join("part");
    let part = part.to_str().unwrap();
    for (kept, taken, args) in [
        (kept, &["snapshot", "-o", kept][..], &["kinds", "--all"][..]),
        (kept, &[], &["kinds", "lib", "--no-closure"]),
        (kept, &[], &["report", "--all", "--group-by", "kind"]),
        (part, &["snapshot", "lib", "-o", part], &["kinds", "lib"]),
    ] {
        if !taken.is_empty() {
            let taken = btrfs.made.run(&btrfs.env, taken);
            assert_eq!(taken.status, 0, "{}", taken.stderr);
        }
        for how in ["auto", "exact"] {
            let (mut plain, ran) =
                btrfs.made.json(&btrfs.env, [args, &["--extents", how]].concat());
            assert_eq!(ran.status, 0, "{args:?} {}", ran.stderr);
            let asked = [&["--snapshot", kept, "--extents", how], args, &["--json"]].concat();
            let mut answer = btrfs.env.json(asked);
            assert!(answer.to_string().contains("\"physical_size\":"), "{answer:#}");
            for answer in [&mut plain, &mut answer] {
                answer.as_object_mut().unwrap().retain(|key, _| key != "snapshot");
            }
            assert_eq!(answer, plain, "{args:?}");
        }
    }
    // Of one that lacks them they are not.
    let mut sections = unsealed_snapshot(&fs::read(kept).unwrap()).unwrap();
    sections.retain(|&(section, _)| section != 15);
    fs::write(kept, sealed_snapshot(&sections).unwrap()).unwrap();
    let answer = btrfs.env.json(["--snapshot", kept, "kinds", "--all", "--json"]);
    for row in answer["kinds"].as_array().unwrap().iter().chain([&answer["total"]]) {
        assert_eq!(row["physical_size"], Value::Null, "{row:#}");
        assert!(row["disk_size"].is_u64());
    }
    assert_eq!(answer["physical_size_is"], Value::Null);
    let notes = answer["warnings"].as_array().unwrap();
    let note = notes.last().unwrap_or_else(|| panic!("{answer:#}"));
    assert!(note["message"].as_str().unwrap().contains("a snapshot keeps"), "{answer:#}");
    for args in [&["kinds", "--all"][..], &["report", "--all", "--group-by", "kind"]] {
        let how = ["--snapshot", kept, "--extents", "exact"];
        let asked = btrfs.env.run([&how, args].concat());
        assert_eq!(asked.status, 3, "{asked:?}");
        assert!(
            asked.stderr.contains("physical sizes are not known: extents are known by path"),
            "{asked:?}"
        );
    }
    for asked in [&["suggest", "app"][..], &["what-if", "app", "--drop-kind", "man"]] {
        let asked = btrfs.env.run([&["--snapshot", kept], asked, &["--json"]].concat());
        assert!(asked.stderr.contains("a snapshot keeps"), "{asked:?}");
    }
    let table = btrfs.env.run(["--snapshot", kept, "kinds", "--all"]);
    assert!(table.stdout.contains("disk size") && table.status == 0, "{table:?}");
}

/// Where files are met twice, and directories too.
#[test]
fn kinds_count_once_what_is_mounted_twice() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let [app, lib] = application(&btrfs);
    let at = lib.join("share");
    run(Command::new("mount").arg("--bind").arg(app.join("share")).arg(&at)).ok();
    let _mount = Mount(at);
    let total = |args: &[&str]| ask(&btrfs, args)["total"].clone();
    let report = total(&["report", "--all"]);
    // What lies beneath the mount is out of sight.
    assert_eq!(report["physical_size"], 430_080);
    assert_eq!(report["inline_size"], 0);
    for args in [&["kinds", "--all"][..], &["files", "--all"]] {
        for key in ["physical_size", "referenced_size", "inline_size", "disk_size"] {
            assert_eq!(total(args)[key], report[key], "{key} of {args:?}");
        }
    }
    let kinds = ask(&btrfs, &["kinds", "--all"]);
    assert_eq!(sum(kinds["kinds"].as_array().unwrap(), "physical_size"), 430_080);
    assert_eq!(
        total(&["what-if", "app", "lib", "--drop-kind", "doc,man"])["physical_size_after"],
        430_080 - 32_768
    );
}

/// What dropping files changes, and what really comes free.
#[test]
fn dropping_files_gains_what_deleting_them_frees() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let [app, lib] = application(&btrfs);
    // A file of which a part was written anew, and one that shares its first extent.
    let file = app.join("share/info/app.info");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, random(1 << 20)).unwrap();
    btrfs.sync();
    fs::OpenOptions::new().write(true).open(&file).unwrap().write_all_at(&random(4096), 0).unwrap();
    btrfs.sync();
    let total = |args: &[&str]| {
        let args = [&["what-if", "app", "lib"], args].concat();
        let total = ask(&btrfs, &args)["total"].clone();
        let size = |key: &str| total[key].as_u64().unwrap_or_else(|| panic!("{total:#}"));
        (size("physical_size_before"), size("physical_size_after"))
    };
    let delete = |files: &[&Path]| {
        let before = btrfs.used();
        files.iter().for_each(|file| fs::remove_file(file).unwrap());
        before - btrfs.used()
    };
    // A man page keeps the extent of a library, and so on.
    let (before, after) = total(&["--drop-files", "lib"]);
    assert_eq!(before - after, 0);
    let (before, after) = total(&["--drop-files", "lib/libapp.so"]);
    assert_eq!((before - after, delete(&[&app.join("lib/libapp.so")])), (0, 0));
    let pages = [app.join("share/man/man1/app.1"), lib.join("share/man/man1/lib.1")];
    let (before, after) = total(&["--drop-kind", "man"]);
    let gain = before - after;
    assert_eq!((gain, delete(&pages.each_ref().map(|page| &**page))), (32_768 + 200_704, gain));
    // A hard link keeps its inode; a part keeps its extent.
    let (before, after) = total(&["--drop-kind", "doc"]);
    assert_eq!((before - after, delete(&[&app.join("share/doc/manual")])), (0, 0));
    let (before, after) = total(&["--drop-files", "include/app.h"]);
    assert_eq!(before - after, 0);
    let suggest = ask(&btrfs, &["suggest", "app", "lib"]);
    let kinds = suggest["kinds"].as_array().unwrap();
    let of = |kind: &str| {
        let has = |row: &&Value| row["kinds"].as_array().unwrap().contains(&kind.into());
        kinds.iter().find(has).unwrap_or_else(|| panic!("{suggest:#}"))
    };
    assert_eq!(of("info")["gain_physical_size"], 1_052_672);
    assert_eq!(of("headers")["gain_physical_size"], 65_536);
    // Only what is in the metadata goes.
    assert_eq!(of("locale")["gain_physical_size"], 0);
    // Step by step, of the path that stays as well.
    let args = ["--drop-kind", "headers", "--drop-files", "share/info", "--remove", "lib"];
    let (before, after) = total(&args);
    let steps = &ask(&btrfs, &[&["what-if", "app", "lib"], &args[..]].concat())["steps"];
    let changes: Vec<_> = (1..=3).map(|i| steps[i]["physical_change"].as_i64().unwrap()).collect();
    assert_eq!(changes, [-65_536, -1_052_672, 0]);
    let info = app.join("share/info/app.info");
    let files = [&*info, &app.join("include/app.h"), &lib.join("include/lib.h")];
    assert_eq!((before - after, delete(&files)), (1_118_208, 1_118_208));
    assert_eq!(total(&["--drop-kind", "libraries"]), (131_072, 0));
}

#[test]
fn others_than_root_see_about_what_kinds_take() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    application(&btrfs);
    let exact = ask(&btrfs, &["kinds", "--all"]);
    let json = |how: &str, args: &[&str]| -> (Value, i32) {
        let ran = btrfs.as_nobody(&[&["--scan", "--extents", how], args, &["--json"]].concat());
        (serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")), ran.status)
    };
    let (auto, status) = json("auto", &["kinds", "--all"]);
    assert_eq!((&auto["total"]["physical_size"], status), (&Value::Null, 0), "{auto:#}");
    let (about, status) = json("exact", &["kinds", "--all"]);
    assert_eq!((&about["physical_size_is"], status), (&"about".into(), 3));
    assert_eq!(incomplete(&about), ["unchecked"]);
    let exact = by(&exact["kinds"], "kind");
    for (kind, row) in by(&about["kinds"], "kind") {
        // What is compressed ends where the next extent begins.
        if kind != "man" {
            assert_eq!(row["physical_size"], exact[kind]["physical_size"], "{kind}");
        }
    }
    let (what_if, _) = json("exact", &["what-if", "app", "lib", "--drop-kind", "headers"]);
    let total = &what_if["total"];
    let size = |key: &str| total[key].as_u64().unwrap();
    assert_eq!(size("physical_size_before") - size("physical_size_after"), 65_536);
}

/// On XFS the unit is the block: a part that is not shared goes at once.
#[test]
fn on_xfs_kinds_share_ranges() {
    let Some(xfs) = FileSystem::new(Kind::Xfs, &["-m", "reflink=1,rmapbt=1"], "loop") else {
        return;
    };
    let [app, lib] = application(&xfs);
    let answer = ask(&xfs, &["kinds", "--all"]);
    let kinds = by(&answer["kinds"], "kind");
    assert_eq!(kinds["man"]["physical_size"], 1 << 20);
    assert_eq!(kinds["headers"]["physical_size"], 65_536);
    assert_eq!(kinds["libraries"]["physical_size"], 200_704 + 131_072);
    assert_eq!(kinds["locale"]["physical_size"], 4096);
    assert_eq!(sum(kinds.values().copied(), "physical_size"), answer["total"]["physical_size"]);
    let files = [app.join("include/app.h"), lib.join("include/lib.h")];
    for (file, expected) in files.iter().zip([57_344, 8192]) {
        let name = format!("include/{}", file.file_name().unwrap().to_str().unwrap());
        let answer = ask(&xfs, &["what-if", "app", "lib", "--drop-files", &name]);
        let size = |key: &str| answer["total"][key].as_u64().unwrap();
        let gain = size("physical_size_before") - size("physical_size_after");
        let before = xfs.used();
        fs::remove_file(file).unwrap();
        assert_eq!((gain, before - xfs.used()), (expected, expected), "{name}");
    }
}

/// Where blocks say it all.
#[test]
fn where_there_are_no_extents_kinds_take_their_blocks() {
    let env = TestEnv::new();
    let made = Made::bare(&env, "root");
    let tree = made.store.join(store_in_code::base(1, "tree"));
    fs::create_dir_all(tree.join("include")).unwrap();
    fs::write(tree.join("include/a.h"), random(10_000)).unwrap();
    let (kinds, ran) = made.json(&env, ["--scan", "kinds", "--all"]);
    // What the tests' own file system is, is not known here.
    if kinds["physical_size_is"] != "exact" || ran.status != 0 {
        return;
    }
    for row in kinds["kinds"].as_array().unwrap() {
        assert_eq!(row["physical_size"], row["disk_size"], "{row:#}");
    }
    let (files, _) = made.json(&env, ["--scan", "files", "--all", "--tree"]);
    for row in files["entries"].as_array().unwrap() {
        assert_eq!(row["physical_size"], row["disk_size"], "{row:#}");
        assert_eq!(row["reclaimable_physical_size"], row["reclaimable_size"], "{row:#}");
    }
    let (groups, _) = made.json(&env, ["--scan", "files", "--all", "--group-by", "kind"]);
    for row in groups["groups"].as_array().unwrap().iter().chain([&groups["total"]]) {
        assert_eq!(row["physical_size"], row["disk_size"], "{row:#}");
    }
    let (what_if, _) = made.json(&env, ["--scan", "what-if", "tree", "--drop-kind", "headers"]);
    for when in ["before", "after"] {
        let total = &what_if["total"];
        assert_eq!(total[format!("physical_size_{when}")], total[format!("disk_size_{when}")]);
    }
}
