//! The investigation this program comes from, step by step on the demo store:
//! what the README shows. NAR sizes only, since disk sizes are the file system's.

use crate::support::TestEnv;
use serde_json::Value;
use std::path::Path;

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
