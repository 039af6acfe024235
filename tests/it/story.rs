//! The investigation this program comes from, step by step on the demo store:
//! what the README shows. NAR sizes only, since disk sizes are the file system's.

use crate::support::store_with_roots::{list, number};
use crate::support::{TestEnv, copy_tree, du, du_inodes, run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const SYSTEM: &str = "nixos-system-demo-24.05.2";

fn demo<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
    assert!(Path::new(root).join("nix/var/nix/db/db.sqlite").is_file());
    [["--quiet", "--root", root].as_slice(), args].concat()
}

fn ask(args: &[&str]) -> String {
    TestEnv::new().ok(demo(args))
}

#[test]
fn why_nixpkgs_is_there() {
    insta::assert_snapshot!(ask(&["why", SYSTEM, "source", "--precise"]));
}

#[test]
fn why_perl_is_there() {
    insta::assert_snapshot!(ask(&["why", SYSTEM, "perl-5.38.2", "--all-chains"]));
    let files = ask(&["--format", "json", "why", SYSTEM, "perl-5.38.2*", "--precise"]);
    let files: Value = serde_json::from_str(&files).unwrap();
    let names: Vec<&str> = (files["files"].as_array().unwrap().iter())
        .filter_map(|f| f["file"].as_str()?.rsplit_once("demo-24.05.2/").map(|(_, name)| name))
        .collect();
    for name in ["activate", "dry-activate", "bin/switch-to-configuration"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn who_uses_systemd_minimal() {
    insta::assert_snapshot!(ask(&["why", SYSTEM, "systemd-minimal", "--referrers"]));
    insta::assert_snapshot!(ask(&["why", "systemd-minimal"]));
}

#[test]
fn the_tree_of_the_system() {
    let shown = ask(&["--no-disk", "tree", SYSTEM, "--min-size", "100K", "--depth", "3"]);
    insta::assert_snapshot!(shown);
}

#[test]
fn what_if_the_story_is_followed() {
    let steps = [
        ["--remove", "source"],
        ["--remove", "perl"],
        ["--remove", "python3"],
        ["--replace", "systemd-minimal=systemd"],
    ]
    .concat();
    let args = [["what-if", SYSTEM].as_slice(), &steps].concat();
    insta::assert_snapshot!(ask(&[["--no-disk"].as_slice(), &args].concat()));

    // And without man pages and locales, which are files of paths that stay.
    let more = ["--drop-files", "share/man/**", "--drop-files", "share/locale/**"];
    let json = ask(&[["--format", "json"].as_slice(), &args, &more].concat());
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(answer["complete"], true);
    let steps = answer["steps"].as_array().unwrap();
    let sizes: Vec<u64> = steps.iter().map(|s| s["nar_size"].as_u64().unwrap()).collect();
    assert_eq!(sizes.len(), 7);
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
    let dropped: Vec<bool> = steps.iter().map(|s| s["files_dropped"] != 0).collect();
    assert_eq!(dropped, [false, false, false, false, false, true, true]);
    let gone = answer["gone"].as_array().unwrap().iter();
    let by_step: Vec<&str> = gone.filter_map(|g| g["step"].as_str()).collect();
    assert_eq!(by_step.iter().filter(|s| **s == "remove source").count(), 1);
    assert!(by_step.contains(&"replace systemd-minimal=systemd"));
}

#[test]
fn what_to_cut() {
    let shown = ask(&["--no-disk", "suggest", SYSTEM, "--limit", "6"]);
    insta::assert_snapshot!(shown);
}

#[test]
fn headings_stand_above_rows_alone() {
    let shown = ask(&["--no-disk", "what-if", SYSTEM, "--remove", "source"]);
    assert!(shown.contains("What went") && !shown.contains("Still needed"), "{shown}");
    let shown = ask(&["--no-disk", "what-if", SYSTEM, "--remove", "perl-5.38.2"]);
    assert!(shown.contains("Still needed by others"), "{shown}");
    let shown = ask(&["--no-disk", "variants", "glibc-2.39-52"]);
    assert_eq!(shown, "No package has several builds\n");
}

/// The answer as a program reads it.
fn json(args: &[&str]) -> Value {
    let answer: Value =
        serde_json::from_str(&ask(&[&["--format", "json"], args].concat())).unwrap();
    assert_eq!(answer["complete"], true, "{answer}");
    answer
}

/// What follows the hash part.
fn name(path: &Value) -> &str {
    &path.as_str().unwrap().rsplit('/').next().unwrap()[33..]
}

fn names(paths: &Value) -> Vec<&str> {
    paths.as_array().unwrap().iter().map(name).collect()
}

/// The row of that name.
fn row<'a>(rows: &'a [Value], wanted: &str) -> &'a Value {
    rows.iter().find(|row| name(&row["path"]) == wanted).unwrap_or_else(|| panic!("no {wanted}"))
}

/// Where a store path lies in the sources.
fn place(path: &Value) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo");
    root.join(path.as_str().unwrap().trim_start_matches('/'))
}

/// What one change frees: NAR size, disk size, inodes.
fn freed(change: &[&str]) -> [u64; 3] {
    let total = &json(&[&["what-if", SYSTEM], change].concat())["total"];
    ["nar_size", "disk_size", "inodes"].map(|size| {
        number(&total[format!("{size}_before")]) - number(&total[format!("{size}_after")])
    })
}

/// The story from its first question to its last; each answer leads to the next.
#[test]
fn the_six_questions() {
    // 1. A list by size, in which the users of each path can be found.
    let report = json(&["report", SYSTEM, "--columns", "all", "--sort", "disk_size"]);
    let paths = list(&report, "paths");
    assert_eq!(name(&paths[0]["path"]), "source");
    assert_eq!(number(&paths[0]["disk_size"]), du(&[&place(&paths[0]["path"])]));
    assert_eq!(number(&paths[0]["inodes"]), du_inodes(&[&place(&paths[0]["path"])]));
    let tree = json(&["tree", SYSTEM]);
    assert_eq!(list(&tree, "lines")[0]["retained_disk_size"], report["total"]["disk_size"]);

    // 2. One small file keeps it: which reference, how much, what goes along?
    let why = json(&["why", SYSTEM, "source", "--precise"]);
    let chain: Vec<&str> = list(&why, "lines").iter().map(|line| name(&line["path"])).collect();
    assert_eq!(chain, [SYSTEM, "etc", "etc-nix-registry.json", "source"]);
    let file = list(&why, "files").last().unwrap();
    assert_eq!((name(&file["referrer"]), &file["line"]), ("etc-nix-registry.json", &1.into()));
    let retained = ["retained_nar_size", "retained_disk_size", "retained_inodes"];
    let retained = |name| retained.map(|size| number(&row(paths, name)[size]));
    assert_eq!(retained("source"), freed(&["--cut", "etc-nix-registry.json:source"]));
    // Nix is the only user of the SDK, which goes with it.
    let nix = json(&["what-if", SYSTEM, "--remove", "nix-2.18.2"]);
    let gone: Vec<&str> = list(&nix, "gone").iter().map(|gone| name(&gone["path"])).collect();
    assert!(gone.contains(&"aws-sdk-cpp-1.11.318"), "{gone:?}");
    assert_eq!(retained("nix-2.18.2"), freed(&["--remove", "nix-2.18.2"]));
    let users = json(&["why", SYSTEM, "aws-sdk-cpp", "--referrers"]);
    let users: Vec<&str> = list(&users, "lines")[1..].iter().map(|l| name(&l["path"])).collect();
    assert_eq!(users, ["nix-2.18.2"]);

    // 3. Python for a boot loader's script alone; perl in three files of the system
    // (above), and its man pages are still there.
    let why = json(&["why", SYSTEM, "python3"]);
    let chain: Vec<&str> = list(&why, "lines").iter().map(|line| name(&line["path"])).collect();
    assert!(chain.contains(&"systemd-boot-builder.py"), "{chain:?}");
    let perl = row(paths, "perl-5.38.2");
    let kinds = json(&["kinds", "perl-5.38.2", "--no-closure"]);
    assert_eq!(kinds["total"]["disk_size"], perl["disk_size"]);
    let man = list(&kinds, "kinds").iter().find(|row| row["kind"] == "man").unwrap();
    let files = json(&["files", "perl-5.38.2", "--no-closure"]);
    let directory = list(&files, "directories").iter();
    let directory = directory.clone().find(|d| d["path"].as_str().unwrap().ends_with("/share/man"));
    assert_eq!(directory.unwrap()["disk_size"], man["disk_size"]);
    assert_eq!(number(&man["disk_size"]), du(&[&place(&perl["path"]).join("share/man")]));
    assert!(freed(&["--drop-kind", "man"])[1] > number(&man["disk_size"]));

    // 4. One thing twice: who uses the smaller one, and what the other in its place saves.
    let variants = json(&["variants", SYSTEM]);
    let minimal = row(list(&variants, "variants"), "systemd-minimal-255.6");
    assert_eq!(names(&minimal["held_by"]), ["dbus-1.14.10"]);
    assert_eq!(name(&minimal["replaced_by"]), "systemd-255.6");
    assert!(number(&minimal["identical_files"]) > 0, "{minimal}");
    let saves = ["saves_nar_size", "saves_disk_size", "saves_inodes"];
    assert_eq!(
        saves.map(|size| number(&minimal[size])),
        freed(&["--replace", "systemd-minimal=systemd-255.6"])
    );

    // 5. What was left for lack of insight: more twins, kernel modules, locales, leftovers.
    let groups = list(&variants, "groups").iter();
    let packages: Vec<&str> = groups.map(|g| g["package"].as_str().unwrap()).collect();
    assert!(packages.contains(&"util-linux"), "{packages:?}");
    let kinds = json(&["kinds", SYSTEM]);
    assert_eq!(kinds["total"]["disk_size"], report["total"]["disk_size"]);
    let of = |rows: &[Value], kind: &str| {
        number(&rows.iter().find(|row| row["kind"] == kind).unwrap()["disk_size"])
    };
    let by_kind = json(&["files", SYSTEM, "--group-by", "kind"]);
    for kind in ["modules", "locale", "man", "sources"] {
        assert_eq!(of(list(&kinds, "kinds"), kind), of(list(&by_kind, "groups"), kind), "{kind}");
    }
    let suggested = json(&["suggest", SYSTEM, "--precise"]);
    let leftover = row(list(&suggested, "leftovers"), "source");
    assert_eq!(leftover["reason"], "source");
    assert_eq!(names(&leftover["held_by"]), ["etc-nix-registry.json"]);
    for row in list(&suggested, "kinds").iter().chain(list(&suggested, "leftovers")) {
        let flags: Vec<&str> = row["flags"].as_str().unwrap().split(' ').collect();
        let gain = ["gain_nar_size", "gain_disk_size", "gain_inodes"];
        assert_eq!(gain.map(|size| number(&row[size])), freed(&flags), "{row}");
    }

    // 6. What the twins could share, before doing it, on what cannot be written to.
    let env = TestEnv::new();
    let copy = env.join("demo");
    copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo"), &copy);
    run(Command::new("chmod").args(["-R", "a-w"]).arg(copy.join("nix/store"))).ok();
    let copy = copy.to_str().unwrap();
    let optimised = env.json(["--root", copy, "--format", "json", "optimise", SYSTEM]);
    let twins = list(&optimised, "by_package").iter();
    let twin = twins.clone().find(|row| row["package"] == "systemd-minimal").unwrap();
    let others: Vec<&str> = (list(twin, "shared_with").iter())
        .map(|other| other["package"].as_str().unwrap())
        .collect();
    assert!(others.contains(&"systemd") && number(&twin["disk_freed"]) > 0, "{twin}");
    assert!(number(&optimised["disk_freed"]) >= number(&twin["disk_freed"]));
    run(Command::new("chmod").args(["-R", "u+w"]).arg(copy)).ok();
}
