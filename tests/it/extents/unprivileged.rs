//! What others than root see.

use super::{btrfs, incomplete, random, reflink, zeros};
use crate::support::{Run, have, nobody};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

#[test]
fn without_privilege_sizes_are_about_and_only_where_asked_for() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    fs::write(btrfs.place(1, "zeros"), zeros(1 << 20)).unwrap();
    fs::write(btrfs.place(2, "plain"), random(300_000)).unwrap();
    fs::write(btrfs.place(3, "small"), "small").unwrap();
    btrfs.sync();
    // Written after the zeros, and so what bounds them.
    fs::write(btrfs.place(4, "last"), random(8192)).unwrap();
    reflink(&btrfs.place(2, "plain"), &btrfs.place(5, "again"));
    fs::hard_link(btrfs.place(1, "zeros"), btrfs.place(6, "link")).unwrap();
    std::os::unix::fs::symlink("x".repeat(100), btrfs.place(7, "symlink")).unwrap();
    let exact = btrfs.rows();
    let ask = |how: &str, more: &[&str]| {
        btrfs.as_nobody(&[&["--scan", "--extents", how, "report", "--all"], more].concat())
    };
    let json = |how: &str| -> (Value, Run) {
        let ran = ask(how, &["--json"]);
        (serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")), ran)
    };
    let (report, ran) = json("auto");
    assert_eq!((&report["paths"][0]["physical_size"], ran.status), (&Value::Null, 0), "{ran:?}");
    assert_eq!(report["physical_size_is"], Value::Null);
    let overview = btrfs.as_nobody(&["--scan"]);
    assert!(overview.stdout.contains("exact sizes"), "{overview:?}");

    // Zeros take blocks, and next to nothing: blocks do not say that it is enough.
    let need = |how: &str, command: &str| {
        let need = [command, "--no-runtime", "--need", "1M", "--json"];
        btrfs.as_nobody(&[&["--scan", "--extents", how], &need[..]].concat())
    };
    for command in ["garbage", "reclaim"] {
        for how in ["auto", "exact"] {
            let ran = need(how, command);
            assert_eq!(ran.status, 3, "{ran:?}");
            let said = ran.stderr.matches("what comes free is judged by blocks").count();
            assert_eq!(said, 1, "{}", ran.stderr);
        }
        assert!(!need("never", command).stderr.contains("judged"));
    }

    let (report, ran) = json("exact");
    assert_eq!((&report["complete"], ran.status), (&false.into(), 3), "{ran:?}");
    assert_eq!(report["physical_size_is"], "about");
    assert_eq!(report["freed_physical_size_is"], Value::Null);
    assert_eq!(incomplete(&report), ["unchecked"]);
    assert!(ran.stderr.contains("btrfs shows extents to root only"), "{}", ran.stderr);
    for row in report["paths"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        for key in ["physical_size", "referenced_size", "inline_size"] {
            assert_eq!(row[key], exact[name][key], "{key} of {name}");
        }
        assert_eq!(row["physical_size_is"], "about");
        assert_eq!(row["reclaimable_physical_size"], Value::Null, "{row:#}");
    }
    let total = &report["total"]["physical_size"];
    assert_eq!(*total, 32_768 + 303_104 + 8192, "{report:#}");
    let table = ask("exact", &["--width", "120"]).stdout;
    assert!(table.contains("about what is taken") && table.contains("root"), "{table}");
    let csv =
        ask("exact", &["--format", "csv", "--columns", "name,physical_size,physical_size_is"]);
    assert!(csv.stdout.contains("zeros,32768,about"), "{csv:?}");
    // Of what would be freed nothing is said, and a snapshot says the same.
    let args = ["--scan", "--extents", "exact", "snapshot", "-o", "-"];
    let snapshot = btrfs.env.join("snapshot");
    let file = fs::File::create(&snapshot).unwrap();
    let mut command = nobody(&btrfs.env);
    command.arg("--root").arg(&btrfs.at).args(args).stdout(file).status().unwrap();
    let snapshot = snapshot.to_str().unwrap();
    let kept = btrfs.env.run(["--snapshot", snapshot, "report", "--all", "--json"]);
    assert_eq!(kept.status, 3, "{}", kept.stderr);
    let kept: Value = serde_json::from_str(&kept.stdout).unwrap();
    assert_eq!(kept["physical_size_is"], "about", "{kept:#}");
    assert_eq!(kept["paths"], report["paths"]);
}

/// What cannot be opened is not known, nor what was overwritten: root sees both.
#[test]
fn what_only_root_sees_makes_sizes_less() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    let (written, secret) = (btrfs.place(1, "written"), btrfs.place(2, "secret"));
    fs::write(&written, random(1 << 20)).unwrap();
    fs::write(&secret, random(65_536)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    btrfs.sync();
    let file = fs::OpenOptions::new().write(true).open(&written);
    file.unwrap().write_all_at(&random(4096), 8192).unwrap();
    assert_eq!(btrfs.rows()["written"]["physical_size"], 1_052_672);
    let ran = btrfs.as_nobody(&["--scan", "--extents", "exact", "report", "--all", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(ran.status, 3);
    assert_eq!(report["total"]["physical_size"], 1 << 20);
    // Its contents cannot be searched for references either.
    assert_eq!(incomplete(&report), ["unchecked", "unknown_nar_size", "unreadable", "unreadable"]);
    assert!(ran.stderr.contains("its extents are not known: Permission denied"), "{}", ran.stderr);
}
