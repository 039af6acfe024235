//! What single files and directories take, and what goes with them.

use super::compsize::compsize;
use super::kinds::{application, ask};
use super::{FileSystem, Kind, btrfs, random, reflink, reflink_range, zeros};
use crate::support::{have, store_in_code};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Each entry's row by its path below the store directory; nothing is left out.
fn entries(system: &FileSystem) -> BTreeMap<String, Value> {
    let answer = ask(system, &["files", "--all", "--tree"]);
    let row = |row: &Value| {
        let path = row["path"].as_str().unwrap().strip_prefix("/nix/store/").unwrap();
        (path.to_owned(), row.clone())
    };
    answer["entries"].as_array().unwrap().iter().map(row).collect()
}

fn size(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("{key} of {row:#}"))
}

/// Deletes an entry; what came free.
fn delete(system: &FileSystem, path: &Path) -> u64 {
    let before = system.used();
    match path.is_dir() {
        true => fs::remove_dir_all(path).unwrap(),
        false => fs::remove_file(path).unwrap(),
    }
    before - system.used()
}

#[test]
fn entries_take_what_their_extents_take() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    application(&btrfs);
    let rows = entries(&btrfs);
    let [app, lib] = [(1, "app"), (2, "lib")].map(|(id, name)| store_in_code::base(id, name));
    for (entry, physical, reclaimable) in [
        (app.clone(), 430_080, 32_768 + 131_072),
        (format!("{app}/share"), 32_768 + 131_072, 32_768),
        (format!("{app}/share/man/man1/app.1"), 32_768, 32_768),
        // Shared with a part of another path's file, with another's file, by a hard link.
        (format!("{app}/include"), 65_536, 0),
        (format!("{app}/lib/libapp.so"), 200_704, 0),
        (format!("{app}/lib"), 200_704 + 131_072, 0),
        (lib.clone(), 200_704 + 65_536, 0),
        (format!("{lib}/include/lib.h"), 65_536, 0),
        (format!("{lib}/share/locale/de/lib.mo"), 0, 0),
    ] {
        let row = &rows[&entry];
        assert_eq!(size(row, "physical_size"), physical, "{row:#}");
        assert_eq!(size(row, "reclaimable_physical_size"), reclaimable, "{row:#}");
    }
    let row = |name: &str| &rows[&format!("{lib}/{name}")];
    assert_eq!(size(row("include/lib.h"), "referenced_size"), 8192);
    assert_eq!(size(row("share/locale"), "inline_size"), 100);

    let answer = ask(&btrfs, &["files", "--all"]);
    assert_eq!(answer["total"]["physical_size"], 430_080);
    assert_eq!(answer["physical_size_is"], "exact");
    let report = btrfs.rows();
    for name in ["app", "lib"] {
        let row = &rows[if name == "app" { &app } else { &lib }];
        for key in ["physical_size", "uncompressed_size", "referenced_size", "inline_size"] {
            assert_eq!(row[key], report[name][key], "{key} of {name}");
        }
    }
    // Rows are by what is taken, and left out by it.
    let large = ask(&btrfs, &["files", "--all", "--min-size", "60K"]);
    let files = large["files"].as_array().unwrap().iter();
    let names: Vec<_> = files.map(|row| row["path"].as_str().unwrap()).collect();
    let names: Vec<_> = names.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["libapp.so", "lib.1", "libdoc.so", "app.h", "lib.h"], "{large:#}");
    for (by, groups) in [
        ("kind", &[("libraries", 331_776), ("headers", 65_536), ("man", 32_768)][..]),
        ("extension", &[("", 364_544), ("h", 65_536), ("so", 0)]),
        ("path", &[("app", 430_080), ("lib", 266_240)]),
    ] {
        let answer = ask(&btrfs, &["files", "--all", "--group-by", by]);
        let rows = answer["groups"].as_array().unwrap();
        let found = rows.iter().take(groups.len()).map(|row| {
            let name = row[by].as_str().unwrap();
            (name.rsplit('-').next().unwrap(), size(row, "physical_size"))
        });
        let found: Vec<_> = found.collect();
        assert_eq!(found, groups, "{answer:#}");
        if by != "path" {
            let sum: u64 = rows.iter().map(|row| size(row, "physical_size")).sum();
            assert_eq!(sum, 430_080, "{by}");
        }
    }
    for how in [&[][..], &["--tree"], &["--group-by", "extension"]] {
        let args = [&["--scan", "--width", "80", "files", "--all"], how].concat();
        let table = btrfs.made.run(&btrfs.env, args).ok();
        assert!(table.contains("physical") && table.contains("Sizes are physical"), "{table}");
        assert!(!table.contains("disk size"), "{table}");
    }
    // Unasked of, as before.
    let never = ask(&btrfs, &["--extents", "never", "files", "--all"]);
    assert_eq!(never["total"]["physical_size"], Value::Null);
    assert!(never["files"][0]["path"].as_str().unwrap().ends_with("app.1"), "{never:#}");
    // What a snapshot holds does not go with anything.
    btrfs.btrfs(&["subvolume", "snapshot", "-r", ".", "41"]);
    for (path, row) in entries(&btrfs) {
        assert_eq!(size(&row, "reclaimable_physical_size"), 0, "{path}");
        assert_eq!(row["physical_size"], rows[&path]["physical_size"], "{path}");
    }
}

/// Trees of files that share inodes, extents and parts of these, by a row of numbers that
/// look random.
fn mixed(system: &FileSystem) {
    let on_btrfs = matches!(system.kind, Kind::Btrfs);
    let mut state = 7u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut made: Vec<(PathBuf, usize)> = Vec::new();
    for number in 0..80 {
        let id = next(3);
        let directory = ["", "a", "a/b", "c"][next(4)];
        let directory = system.place(1 + id as i64, ["one", "two", "three"][id]).join(directory);
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join(number.to_string());
        let size = 4096 * (2 + next(60));
        match (next(6), made.len()) {
            (way @ 2.., 1..) => {
                let (of, size) = made[next(made.len())].clone();
                match way {
                    2 => fs::hard_link(&of, &file).unwrap(),
                    3 => {
                        system.sync();
                        reflink(&of, &file);
                    }
                    4 => {
                        system.sync();
                        let blocks = size / 4096;
                        let start = next(blocks);
                        let length = 4096 * (1 + next(blocks - start));
                        let range = [4096 * start, 0, length].map(|n| n as u64);
                        reflink_range(&of, &file, range);
                        let readable = fs::Permissions::from_mode(0o644);
                        fs::set_permissions(&file, readable).unwrap();
                        made.push((file, length));
                        continue;
                    }
                    // XFS reserves more for what is written anew of what is shared.
                    _ if !on_btrfs => continue,
                    _ => {
                        system.sync();
                        let file = fs::OpenOptions::new().write(true).open(&of).unwrap();
                        let at = 4096 * next(size / 4096) as u64;
                        file.write_all_at(&random(4096), at).unwrap();
                        continue;
                    }
                }
                made.push((file, size));
            }
            (0, _) if on_btrfs => {
                fs::write(&file, zeros(size)).unwrap();
                made.push((file, size));
            }
            _ => {
                fs::write(&file, random(size)).unwrap();
                made.push((file, size));
            }
        }
    }
}

/// What every entry takes, as `compsize` has it, and what really comes free with some.
fn entries_go_as_foretold(system: &FileSystem) {
    let mut nothing = 0;
    for round in 0..24 {
        let rows = entries(system);
        if let (Kind::Btrfs, true, true) = (system.kind, round % 8 == 0, have(&["compsize"])) {
            for (path, row) in rows.iter().filter(|(_, row)| size(row, "disk_size") > 0) {
                let says = compsize(&system.made.store.join(path));
                assert_eq!(says["TOTAL"][0], size(row, "physical_size"), "{path}");
            }
        }
        // Mostly small ones first: what shares with others is what is of interest.
        let mut paths: Vec<_> = rows.iter().collect();
        paths.sort_by_key(|(path, row)| (size(row, "entries"), path.len(), (*path).clone()));
        let Some((path, row)) = paths.get(round * 7 % paths.len().max(1)) else { break };
        let foretold = size(row, "reclaimable_physical_size");
        nothing += usize::from(foretold == 0);
        assert_eq!(delete(system, &system.made.store.join(path)), foretold, "{row:#}");
    }
    assert!((3..20).contains(&nothing), "{nothing}");
}

/// What is no valid path keeps what it shares, and takes nothing here.
#[test]
fn entries_that_are_no_paths_keep_what_they_share() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let [file, linked] = [(1, "file"), (2, "linked")].map(|(id, name)| btrfs.place(id, name));
    let junk = btrfs.made.store.join("junk");
    fs::create_dir(&junk).unwrap();
    for (file, size) in [(&file, 65_536), (&linked, 8192), (&junk.join("own"), 16_384)] {
        fs::write(file, random(size)).unwrap();
    }
    btrfs.sync();
    reflink(&file, &junk.join("same"));
    fs::hard_link(&linked, junk.join("linked")).unwrap();
    let db = rusqlite::Connection::open(&btrfs.made.database).unwrap();
    db.execute_batch(store_in_code::SCHEMA).unwrap();
    for (id, name, size) in [(1, "file", 65_536), (2, "linked", 8192)] {
        let path = store_in_code::path(id, name);
        store_in_code::insert(&db, id, path.as_bytes(), Some(96 + 16 + size));
    }
    drop(db);
    btrfs.sync();
    let ask = |args: &[&str]| {
        let (answer, ran) = btrfs.made.json(&btrfs.env, args);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        answer
    };
    let entries = ask(&["files", "--all", "--tree"])["entries"].clone();
    let keys = ["physical_size", "reclaimable_physical_size"];
    let sizes = |row: &Value| keys.map(|key| size(row, key));
    let found: Vec<_> = entries.as_array().unwrap().iter().map(sizes).collect();
    assert_eq!(found, [[65_536, 0], [8192, 0]], "{entries:#}");
    let kinds = ask(&["kinds", "--all"]);
    assert_eq!(
        (&kinds["total"]["physical_size"], kinds["kinds"].as_array().unwrap().len()),
        (&73_728.into(), 1)
    );
    // Of a closure nothing is known of what is beside it, but that it keeps.
    let alone = ask(&["files", "file", "--tree"])["entries"][0].clone();
    assert_eq!(size(&alone, "reclaimable_physical_size"), 0);
    let what_if =
        ask(&["what-if", "file", "--drop-kind", kinds["kinds"][0]["kind"].as_str().unwrap()]);
    assert_eq!(what_if["total"]["physical_size_after"], 0, "{what_if:#}");
}

#[test]
fn deleting_entries_frees_what_was_foretold() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    mixed(&btrfs);
    entries_go_as_foretold(&btrfs);
}

#[test]
fn deleting_entries_on_xfs_frees_what_was_foretold() {
    let Some(xfs) = FileSystem::new(Kind::Xfs, &["-m", "reflink=1,rmapbt=1"], "loop") else {
        return;
    };
    mixed(&xfs);
    let total = |args: &[&str]| ask(&xfs, args)["total"]["physical_size"].clone();
    assert_eq!(total(&["files", "--all"]), total(&["report", "--all"]));
    entries_go_as_foretold(&xfs);
}

#[test]
fn others_than_root_see_about_what_entries_take() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    application(&btrfs);
    let rows = entries(&btrfs);
    let args = ["--scan", "--extents", "exact", "files", "--all", "--tree", "--json"];
    let ran = btrfs.as_nobody(&args);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!((&answer["physical_size_is"], ran.status), (&"about".into(), 3));
    // Of one file of the other path only a part of an extent is seen.
    let of_app = |row: &&Value| row["path"].as_str().unwrap().contains("-app");
    for row in answer["entries"].as_array().unwrap().iter().filter(of_app) {
        let exact = &rows[row["path"].as_str().unwrap().strip_prefix("/nix/store/").unwrap()];
        assert_eq!(row["physical_size"], exact["physical_size"], "{row:#}");
        assert_eq!(row["reclaimable_physical_size"], Value::Null, "{row:#}");
    }
}
