//! What kinds, leftovers, groups and derivations add to other questions.
#![allow(clippy::unwrap_used)]

use crate::support::store_in_code::{Made, SCHEMA, base, insert, path, refer};
use crate::support::{TestEnv, du};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
const SYSTEM: &str = "nixos-system-demo-24.05.2";

fn demo(env: &TestEnv, args: &[&str]) -> Value {
    let run = env.run([&["--root", ROOT, "--format", "json", "--quiet"][..], args].concat());
    assert!([0, 3].contains(&run.status), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

fn rows<'a>(answer: &'a Value, list: &str) -> &'a [Value] {
    answer[list].as_array().unwrap_or_else(|| panic!("{list}: {answer}"))
}

fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("{key}: {row}"))
}

/// Disk and NAR size after what-if's steps, less than before.
fn saved(answer: &Value) -> (u64, u64) {
    let of = |size: &str| {
        let when = |when: &str| number(&answer["total"], &format!("{size}_{when}"));
        when("before") - when("after")
    };
    (of("disk_size"), of("nar_size"))
}

#[test]
fn dropping_a_kind_saves_what_kinds_says_of_it() {
    let env = TestEnv::new();
    let kinds = demo(&env, &["kinds", SYSTEM]);
    for row in rows(&kinds, "kinds") {
        let kind = row["kind"].as_str().unwrap();
        if kind == "directories" {
            continue;
        }
        let dropped = demo(&env, &["what-if", SYSTEM, "--drop-kind", kind]);
        // The demo store has no hard links.
        assert_eq!(saved(&dropped), (number(row, "disk_size"), number(row, "nar_size")), "{kind}");
        let step = rows(&dropped, "steps").last().unwrap();
        assert_eq!(number(step, "files_dropped"), number(row, "entries"), "{kind}");
    }
    // What two steps drop goes once, with the first.
    let once = demo(&env, &["what-if", SYSTEM, "--drop-kind", "man"]);
    for steps in [
        ["--drop-files", "share/man/**", "--drop-kind", "man"],
        ["--drop-kind", "man", "--drop-files", "share/man/**"],
    ] {
        let both = demo(&env, &[&["what-if", SYSTEM][..], &steps].concat());
        assert_eq!(saved(&both), saved(&once), "{steps:?}");
    }
    for wrong in ["directories", "nothing", "man,"] {
        let args = ["--root", ROOT, "what-if", SYSTEM, "--drop-kind", wrong];
        assert_eq!(env.run(args).status, 2, "{wrong}");
    }
    let args = ["--root", ROOT, "what-if", SYSTEM, "--drop-kind", "man", "--no-disk"];
    assert_eq!(env.run(args).status, 2);
}

#[test]
fn suggested_kinds_and_leftovers_gain_what_what_if_says() {
    let env = TestEnv::new();
    let suggested = demo(&env, &["suggest", SYSTEM]);
    let kinds = rows(&suggested, "kinds");
    assert!(!kinds.is_empty());
    for row in kinds {
        let flags: Vec<&str> = row["flags"].as_str().unwrap().split(' ').collect();
        let tried = demo(&env, &[&["what-if", SYSTEM][..], &flags].concat());
        let gains = (number(row, "gain_disk_size"), number(row, "gain_nar_size"));
        assert_eq!(saved(&tried), gains, "{row}");
    }
    let leftovers = rows(&suggested, "leftovers");
    let source = leftovers.iter().find(|row| row["reason"] == "source").unwrap();
    assert!(source["path"].as_str().unwrap().ends_with("-source"));
    for row in leftovers {
        let flags: Vec<&str> = row["flags"].as_str().unwrap().split(' ').collect();
        let tried = demo(&env, &[&["what-if", SYSTEM][..], &flags].concat());
        let gains = (number(row, "gain_disk_size"), number(row, "gain_nar_size"));
        assert_eq!(saved(&tried), gains, "{row}");
    }
    let precise = demo(&env, &["suggest", SYSTEM, "--precise"]);
    assert!(rows(&precise, "files").iter().any(|row| row["reference"] == source["path"]));
    let nothing = demo(&env, &["suggest", SYSTEM, "--no-disk"]);
    assert!(rows(&nothing, "kinds").is_empty());
    assert!(rows(&nothing, "leftovers").iter().any(|row| row["reason"] == "source"));
}

#[test]
fn what_is_left_over_from_building_is_known_by_output_name_and_contents() {
    let env = TestEnv::new();
    let (store, db) = Made::with(&env, "store", SCHEMA);
    // Name, who refers to it, files.
    let paths: &[(&str, i64, &[&str])] = &[
        ("app-1.0", 0, &["bin/app"]),
        ("zlib-1.3-dev", 1, &["include/zlib.h"]),
        ("gcc-13.2.0", 1, &["bin/gcc"]),
        ("gcc-13.2.0-lib", 1, &["lib/libstdc++.so.6"]),
        ("cmake-3.29", 3, &["bin/cmake"]),
        ("wrap-hook", 1, &["nix-support/setup-hook"]),
        ("boost-1.84", 1, &["include/boost/a.hpp", "include/boost/b.hpp"]),
        ("archive-1", 1, &["lib/liba.a"]),
        ("foo-1.0.tar.gz", 1, &["foo"]),
        ("tool-1.0", 1, &["bin/tool", "include/tool.h"]),
    ];
    for (id, (name, by, files)) in (1..).zip(paths) {
        for file in *files {
            let file = store.store.join(base(id, name)).join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let size = if file.extension().is_some() { 50_000 } else { 100_000 };
            fs::write(file, vec![b'x'; size]).unwrap();
        }
        insert(&db, id, path(id, name).as_bytes(), Some(1000));
        if *by > 0 {
            refer(&db, *by, id);
        }
    }
    drop(db);
    let (answer, _) = store.json(&env, ["suggest", "app", "--quiet"]);
    let found: BTreeMap<String, &str> = (rows(&answer, "leftovers").iter())
        .map(|row| {
            (row["path"].as_str().unwrap()[44..].to_owned(), row["reason"].as_str().unwrap())
        })
        .collect();
    // cmake is held by the compiler alone: it goes with it.
    let expected = BTreeMap::from([
        ("zlib-1.3-dev".to_owned(), "dev output"),
        ("gcc-13.2.0".to_owned(), "compiler"),
        ("wrap-hook".to_owned(), "build tool"),
        ("boost-1.84".to_owned(), "headers"),
        ("archive-1".to_owned(), "static libraries"),
        ("foo-1.0.tar.gz".to_owned(), "source"),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn a_filter_chooses_among_all_suggestions_and_all_files() {
    let env = TestEnv::new();
    let (store, db) = Made::with(&env, "store", SCHEMA);
    insert(&db, 1, path(1, "app").as_bytes(), Some(120));
    let app = store.store.join(base(1, "app"));
    fs::create_dir(&app).unwrap();
    for n in 1..=60 {
        let size = 100_000 + n * 5000;
        fs::write(app.join(format!("f{n}")), vec![b'x'; size]).unwrap();
        let id = n as i64 + 1;
        insert(&db, id, path(id, &format!("p{n}-1.0")).as_bytes(), Some(size as i64));
        refer(&db, 1, id);
    }
    drop(db);
    let suggested = |args: &[&str]| {
        let all = [&["suggest", "app", "--no-disk"], args].concat();
        let (answer, run) = store.json(&env, all);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let name = |row: &Value| row["path"].as_str().unwrap()[44..].to_owned();
        rows(&answer, "suggestions").iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(suggested(&[]).len(), 20);
    assert_eq!(suggested(&["--filter", "p1"]), ["p1-1.0"]);
    assert_eq!(suggested(&["--reverse", "--limit", "2"]), ["p1-1.0", "p2-1.0"]);
    let tree = |args: &[&str]| {
        let all = [&["files", "app", "--tree", "--no-closure", "--quiet"], args].concat();
        store.run(&env, all).stdout
    };
    assert!(!tree(&[]).contains("f1\n"));
    assert!(tree(&["--filter", "app/f1"]).contains("f1\n"));
    assert!(tree(&["--filter", "app/f1", "--limit", "5"]).contains("f1\n"));
}

#[test]
fn groups_of_a_report_count_each_inode_once() {
    let env = TestEnv::new();
    let report = demo(&env, &["report", SYSTEM]);
    for (by, key) in [("pname", "pname"), ("output", "output"), ("day", "day")] {
        let groups = demo(&env, &["report", SYSTEM, "--group-by", by]);
        let sum = |size: &str| rows(&groups, "groups").iter().map(|g| number(g, size)).sum::<u64>();
        for size in ["nar_size", "disk_size", "paths"] {
            assert_eq!(sum(size), number(&report["total"], size), "{by} {size}");
            assert_eq!(groups["total"][size], report["total"][size], "{by} {size}");
        }
        assert!(rows(&groups, "groups").iter().all(|group| group[key].is_string()));
        if by == "pname" {
            let mut names: BTreeMap<&str, (u64, Vec<PathBuf>)> = BTreeMap::new();
            for row in rows(&report, "paths") {
                let of = names.entry(row["pname"].as_str().unwrap()).or_default();
                of.0 += number(row, "nar_size");
                of.1.push(format!("{ROOT}{}", row["path"].as_str().unwrap()).into());
            }
            assert_eq!(names.len(), rows(&groups, "groups").len());
            for group in rows(&groups, "groups").iter().take(8) {
                let (nar, paths) = &names[group["pname"].as_str().unwrap()];
                assert_eq!(
                    (number(group, "nar_size"), number(group, "disk_size")),
                    (*nar, du(paths))
                );
            }
        }
    }
    let kinds = demo(&env, &["kinds", SYSTEM]);
    let groups = demo(&env, &["report", SYSTEM, "--group-by", "kind"]);
    let pairs = |answer: &Value, list: &str| -> Vec<(Value, Value)> {
        let rows = rows(answer, list).iter();
        rows.map(|row| (row["kind"].clone(), row["disk_size"].clone())).collect()
    };
    assert_eq!(pairs(&groups, "groups"), pairs(&kinds, "kinds"));
    // Each root has its closure, as report has it; the rest has no root.
    let roots = demo(&env, &["report", "--all", "--group-by", "root"]);
    let listed = demo(&env, &["roots", "--no-runtime"]);
    let named = rows(&roots, "groups").iter().filter(|group| group["root"].is_string());
    let mut links = 0;
    for group in named {
        links += 1;
        let of = rows(&listed, "roots").iter().find(|row| row["link"] == group["root"]).unwrap();
        let closure = demo(&env, &["report", of["path"].as_str().unwrap()]);
        assert_eq!(group["disk_size"], closure["total"]["disk_size"], "{group}");
    }
    assert!(links > 0);
    let status = |by: &str| {
        env.run(["--root", ROOT, "report", SYSTEM, "--group-by", by, "--no-disk"]).status
    };
    assert_eq!((status("kind"), status("pname")), (2, 0));
}

#[test]
fn derivations_and_outputs_lead_to_one_another() {
    let env = TestEnv::new();
    let report = demo(&env, &["report", SYSTEM]);
    let derivers = demo(&env, &["report", SYSTEM, "--derivers"]);
    let mut expected: Vec<&str> =
        rows(&report, "paths").iter().filter_map(|row| row["deriver"].as_str()).collect();
    expected.sort_unstable();
    expected.dedup();
    let all = demo(&env, &["report", "--all"]);
    let valid: BTreeMap<&str, &Value> =
        rows(&all, "paths").iter().map(|row| (row["path"].as_str().unwrap(), row)).collect();
    expected.retain(|path| valid.contains_key(path));
    let mut found: Vec<&str> =
        rows(&derivers, "paths").iter().map(|row| row["path"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert!(!found.is_empty());
    assert_eq!(found, expected);
    let row = rows(&derivers, "paths").iter().find(|row| !rows(row, "outputs").is_empty()).unwrap();
    for output in rows(row, "outputs") {
        assert_eq!(valid[output.as_str().unwrap()]["deriver"], row["path"]);
    }
    // Each step of the chain is a reference from derivation to derivation.
    let why = demo(&env, &["why", "--build", SYSTEM, "glibc-2.39-52"]);
    let lines = rows(&why, "lines");
    assert!(lines.len() > 1, "{why}");
    assert_eq!(lines[0]["path"], valid_deriver(&valid, SYSTEM));
    for pair in lines.windows(2) {
        let references = rows(valid[pair[0]["path"].as_str().unwrap()], "references");
        assert!(references.contains(&pair[1]["path"]), "{pair:?}");
    }
    let last = lines.last().unwrap()["path"].as_str().unwrap();
    assert!(last.ends_with(".drv"));
    // The tree of a derivation names what each built.
    let tree = demo(&env, &["tree", last]);
    let top = &rows(&tree, "lines")[0];
    let sum: u64 = (rows(top, "outputs").iter())
        .map(|output| number(valid[output.as_str().unwrap()], "nar_size"))
        .sum();
    assert_eq!(number(top, "outputs_nar_size"), sum);
}

fn valid_deriver(valid: &BTreeMap<&str, &Value>, name: &str) -> Value {
    valid.values().find(|row| row["name"] == name).unwrap()["deriver"].clone()
}

#[test]
fn hard_links_inside_a_path_are_pointed_out() {
    let env = TestEnv::new();
    let (store, db) = Made::with(&env, "store", SCHEMA);
    let top = store.store.join(base(1, "linked-1.0"));
    fs::create_dir(&top).unwrap();
    fs::write(top.join("0"), vec![b'x'; 1 << 20]).unwrap();
    for n in 1..5 {
        fs::hard_link(top.join("0"), top.join(n.to_string())).unwrap();
    }
    insert(&db, 1, path(1, "linked-1.0").as_bytes(), Some(5 << 20));
    drop(db);
    let (answer, _) = store.json(&env, ["report", "linked", "--columns", "all"]);
    let row = &rows(&answer, "paths")[0];
    let all = std::process::Command::new("du").args(["-sl", "--block-size=1"]).arg(&top).output();
    let all = String::from_utf8(all.unwrap().stdout).unwrap();
    assert_eq!(number(row, "copied_disk_size").to_string(), all.split_whitespace().next().unwrap());
    let table = store.run(&env, ["report", "linked"]).stdout;
    let note = "Hard links inside linked-1.0: its NAR is";
    assert!(table.contains(note) && table.contains("unpacks 4.0 MiB more"), "{table}");
}
