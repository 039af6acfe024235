//! From where and how much is read, and what is said where not all can be.

use super::{btrfs, extents, freed, random, reflink, zeros};
use crate::images::Mount;
use crate::support::store_in_code::{Made, base};
use crate::support::{TestEnv, run, store_in_code};
use nix_census::fs::SizeIs;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn what_is_not_known_is_said() {
    let env = TestEnv::new();
    let made = Made::bare(&env, "store");
    fs::write(made.store.join(base(1, "a")), zeros(5000)).unwrap();
    let row = |how: &str| {
        let (report, run) = made.json(&env, ["--scan", "--extents", how, "report", "--all"]);
        (report["paths"][0]["physical_size"].clone(), report["total"].clone(), run.status)
    };
    let (physical, total, status) = row("never");
    assert_eq!((physical, &total["physical_size"], status), (Value::Null, &Value::Null, 0));
    let (overview, _) = made.json(&env, ["--scan", "--extents", "never"]);
    assert_eq!(overview["physical_size_unknown"], "it was not asked for");
    let (physical, _, status) = row("exact");
    assert_eq!(physical.is_null(), status == 3, "{physical}");
}

#[test]
fn what_is_not_written_yet_is_said() {
    let Some(btrfs) = btrfs(&[], "loop,commit=300") else { return };
    fs::write(btrfs.place(1, "old"), random(65_536)).unwrap();
    btrfs.sync();
    fs::write(btrfs.place(2, "new"), random(1 << 20)).unwrap();
    let (report, run) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--all"]);
    assert_eq!(report["complete"], false, "{report:#}");
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains("1 file with contents that are not written"), "{}", run.stderr);
    for key in ["physical_size_is", "freed_physical_size_is"] {
        assert_eq!(report[key], "at least", "{report:#}");
    }
    let (overview, _) = btrfs.made.json(&btrfs.env, ["--scan"]);
    assert_eq!(overview["freed_physical_size_is"], "at least", "{overview:#}");
    let shown = btrfs.made.run(&btrfs.env, ["--scan"]).stdout;
    assert!(shown.contains("at least: extents") && !shown.contains("really used"), "{shown}");
    // Of what is told by blocks alone nothing is missing.
    let never = ["--scan", "--extents", "never", "report", "--all"];
    let (report, run) = btrfs.made.json(&btrfs.env, never);
    assert_eq!((&report["complete"], run.status), (&Value::Bool(true), 0), "{}", run.stderr);
    assert_eq!(btrfs.rows()["new"]["physical_size"], 1 << 20);
}

/// A snapshot answers as the store does; what is taken over from one has its extents read
/// again.
#[test]
fn snapshots_keep_extents_and_since_reads_them_again() {
    let Some(btrfs) = btrfs(&[], "compress=zstd") else { return };
    let (made, env) = (&btrfs.made, &btrfs.env);
    let db = rusqlite::Connection::open(&made.database).unwrap();
    db.execute_batch(store_in_code::SCHEMA).unwrap();
    for id in 1..=3 {
        let at = btrfs.place(id, "tree");
        fs::create_dir_all(at.join("directory")).unwrap();
        fs::write(at.join("directory/file"), "text ".repeat(100_000 * id as usize)).unwrap();
        fs::write(at.join("small"), "inline").unwrap();
        store_in_code::insert(&db, id, store_in_code::path(id, "tree").as_bytes(), None);
    }
    drop(db);
    let reflink = |from: PathBuf, to: PathBuf| {
        run(Command::new("cp").arg("--reflink=always").args([from, to])).ok();
    };
    reflink(btrfs.place(1, "tree/directory/file"), btrfs.place(2, "tree/reflink"));
    reflink(btrfs.place(3, "tree/directory/file"), btrfs.at.join("outside"));
    let links = made.store.join(".links");
    fs::create_dir(&links).unwrap();
    fs::hard_link(btrfs.place(3, "tree/directory/file"), links.join("one")).unwrap();
    fs::write(links.join("unused"), "x".repeat(50_000)).unwrap();
    btrfs.sync();
    let file = env.join("store.census").to_str().unwrap().to_owned();
    made.run(env, ["snapshot", "-o", &file]);
    let question = ["report", "--all", "--json", "--columns", "all"];
    let whole = |more: &[&str]| {
        btrfs.sync();
        let run = made.run(env, [&question[..], more].concat());
        assert!(run.stdout.contains("\"closure_physical_size\":"), "{}", run.stderr);
        run.stdout
    };
    let kept = |more: &[&str]| {
        let args = [&["--snapshot", &file], &question[..], more].concat();
        run(&mut env.command(args)).stdout
    };
    for more in [&[][..], &["--extents", "never"], &["--extents", "exact"]] {
        assert_eq!(kept(more), whole(more), "{more:?}");
        assert_eq!(whole(&[&["--since", &file], more].concat()), whole(more), "{more:?}");
    }
    let before = whole(&[]);
    fs::remove_file(links.join("one")).unwrap();
    reflink(btrfs.place(1, "tree/directory/file"), btrfs.place(1, "tree/reflink"));
    fs::write(btrfs.place(2, "tree/more"), "more ".repeat(50_000)).unwrap();
    fs::remove_file(btrfs.at.join("outside")).unwrap();
    fs::write(btrfs.place(9, "other"), "other").unwrap();
    let after = whole(&[]);
    assert_ne!(after, before);
    assert_eq!(whole(&["--since", &file]), after);
    assert_eq!(whole(&["--since", &file, "--update"]), after);
    assert_eq!(kept(&[]), after);
}

#[test]
fn read_only_and_bound_it_is_the_same() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    fs::write(btrfs.place(1, "zeros"), zeros(1 << 20)).unwrap();
    reflink(&btrfs.place(1, "zeros"), &btrfs.place(2, "again"));
    let before = btrfs.rows();
    run(Command::new("umount").arg(&btrfs.at)).ok();
    let image = btrfs.env.join("image");
    run(Command::new("mount").args(["-o", "loop,ro"]).arg(&image).arg(&btrfs.at)).ok();
    let rows = |root: &Path| {
        let root = root.to_str().unwrap();
        let report = btrfs.env.json(["--root", root, "--scan", "report", "--all", "--json"]);
        let rows = report["paths"].as_array().unwrap().clone();
        rows.into_iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row)).collect()
    };
    assert_eq!(before, rows(&btrfs.at));
    let bound = btrfs.env.join("bound");
    fs::create_dir(&bound).unwrap();
    run(Command::new("mount").arg("--bind").arg(&btrfs.at).arg(&bound)).ok();
    let mount = Mount(bound);
    assert_eq!(before, rows(&mount.0));
}

#[test]
fn a_store_in_a_subvolume_is_read_from_its_own() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    fs::remove_dir_all(&btrfs.made.store).unwrap();
    btrfs.btrfs(&["subvolume", "create", "nix/store"]);
    for id in [1, 2] {
        fs::write(btrfs.place(id, &format!("of-{id}")), random(65_536)).unwrap();
    }
    // The same inode numbers elsewhere are other files.
    for name in ["one", "two", "three", "four", "five"] {
        fs::write(btrfs.at.join(name), random(4096)).unwrap();
    }
    btrfs.sync();
    reflink(&btrfs.place(1, "of-1"), &btrfs.at.join("outside"));
    let scan = btrfs.scan();
    assert_eq!((freed(&scan, &[0]), freed(&scan, &[1])), (0, 65_536));
    let holders = &extents(&scan).holders;
    assert_eq!(holders.len(), 1, "{holders:?}");
    assert!(holders[0].path.is_empty() && !holders[0].own, "{holders:?}");

    // Of a subvolume below the store nothing is known, and that is said.
    btrfs.btrfs(&["subvolume", "create", &format!("nix/store/{}", base(3, "below"))]);
    fs::write(btrfs.place(3, "below/file"), random(65_536)).unwrap();
    let scan = btrfs.scan();
    assert_eq!(extents(&scan).physical_size(), 2 * 65_536);
    assert!(!scan.warnings.complete(), "{:?}", scan.warnings);
    let least = SizeIs::AtLeast;
    assert_eq!((scan.sizes_are(), scan.freed_sizes_are()), (Some(least), Some(least)));
    // Who holds what is known nonetheless.
    assert!(extents(&scan).holders.iter().all(|holder| !holder.unknown));
    let shown = btrfs.made.run(&btrfs.env, ["--scan"]).stdout;
    assert!(shown.contains("the top-level subvolume") && !shown.contains("not known"), "{shown}");
}

#[test]
fn far_more_than_the_store_is_read_only_when_asked() {
    let Some(btrfs) = btrfs(&["-m", "single"], "loop,compress=zstd") else { return };
    fs::write(btrfs.place(1, "zeros"), zeros(1 << 20)).unwrap();
    // 8 MiB of metadata, and the same again in each snapshot.
    btrfs.btrfs(&["subvolume", "create", "home"]);
    let noise = random(2000);
    for n in 0..4000 {
        fs::write(btrfs.at.join(format!("home/{n}")), &noise).unwrap();
    }
    btrfs.sync();
    let ask = |how: &str, command: &[&str]| {
        let args = [&["--scan", "--extents", how], command].concat();
        let (answer, run) = btrfs.made.json(&btrfs.env, args);
        assert_eq!(run.status, 0, "{}", run.stderr);
        (answer, run.stderr)
    };
    let report = ["report", "--all"];
    let physical = |how: &str| {
        let (answer, said) = ask(how, &report);
        (answer["paths"][0]["physical_size"].clone(), said.contains("exact sizes"))
    };
    for n in 0..5 {
        btrfs.btrfs(&["subvolume", "snapshot", "-r", "home", &format!("{n}")]);
    }
    assert_eq!(physical("auto"), (32_768.into(), false));
    for n in 5..25 {
        btrfs.btrfs(&["subvolume", "snapshot", "-r", "home", &format!("{n}")]);
    }
    // The same each time, as it goes by what is read and not by the clock.
    for _ in 0..2 {
        assert_eq!(physical("auto"), (Value::Null, true));
    }
    assert_eq!(physical("exact"), (32_768.into(), false));
    let (overview, _) = ask("auto", &[]);
    assert_eq!(overview["physical_size"], Value::Null);
    let why = overview["physical_size_unknown"].as_str().unwrap();
    assert!(why.contains("exact sizes"), "{why}");
    let freed = |how: &str| ask(how, &["optimise"]).0["freed_physical_size"].clone();
    assert_eq!((freed("auto"), freed("exact")), (Value::Null, 0.into()));
}

/// A tree is cut into stretches, which are read by as many threads as there are: all is the
/// same, each time.
#[test]
fn threads_make_no_difference() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    // Many more items than one stretch shows, and numbers that are far apart.
    for id in 1..=6 {
        let path = btrfs.place(id, "tree");
        fs::create_dir(&path).unwrap();
        for n in 0..400 {
            let at = path.join(format!("{n:0200}"));
            fs::write(&at, format!("{n} ").repeat(if n % 9 == 0 { 5000 } else { n })).unwrap();
            match (n % 16, id) {
                (3, _) => fs::remove_file(&at).unwrap(),
                (5, _) => fs::hard_link(&at, btrfs.place(id, &format!("link{n}"))).unwrap(),
                (9, 2..) => reflink(&btrfs.place(1, &format!("tree/{n:0200}")), &at),
                _ => {}
            }
        }
        (0..500).for_each(|_| {
            fs::write(path.join("gone"), "").unwrap();
            fs::remove_file(path.join("gone")).unwrap();
        });
        if id % 3 == 0 {
            btrfs.btrfs(&["subvolume", "snapshot", ".", &format!("snapshot{id}")]);
        }
    }
    fs::write(btrfs.at.join("outside"), "").unwrap();
    reflink(&btrfs.place(3, &format!("tree/{:0200}", 9)), &btrfs.at.join("outside"));
    btrfs.sync();
    let found = |threads| {
        let scan = super::scan_by(&btrfs.made.store, threads);
        format!("{:?} {:?}", extents(&scan), scan.warnings)
    };
    let alone = found(1);
    for threads in [2, 3, 8] {
        assert!(found(threads) == alone, "{threads}");
    }
}

#[test]
fn a_damaged_tree_is_said() {
    let Some(btrfs) = btrfs(&["-m", "single"], "loop") else { return };
    let path = btrfs.place(1, "many");
    fs::create_dir(&path).unwrap();
    // In the middle: a mount reads the ends of the tree.
    let mark = b"a mark that nothing else in the image has";
    for n in 0..900 {
        fs::write(path.join(format!("file{n}")), "inline".repeat(50)).unwrap();
        if n == 450 {
            fs::write(path.join("marked"), mark).unwrap();
        }
    }
    btrfs.sync();
    run(Command::new("umount").arg(&btrfs.at)).ok();
    let image = btrfs.env.join("image");
    let bytes = fs::read(&image).unwrap();
    let places: Vec<usize> = bytes
        .windows(mark.len())
        .enumerate()
        .filter(|(at, window)| bytes[*at] == mark[0] && window == mark)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
    places.iter().for_each(|&at| file.write_all_at(b"X", at as u64).unwrap());
    drop(file);
    run(Command::new("mount").args(["-o", "loop,ro"]).arg(&image).arg(&btrfs.at)).ok();
    let (report, ran) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--all"]);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert_eq!(report["paths"][0]["physical_size"], Value::Null);
    let warnings = report["warnings"].as_array().unwrap();
    let told = |warning: &Value| {
        let message = warning["message"].as_str().unwrap();
        warning["kind"] == "damaged" && message.contains("cannot read its extents")
    };
    assert!(warnings.iter().any(told), "{warnings:#?}");
}
