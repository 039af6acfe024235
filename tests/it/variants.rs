//! Variants: against brute force over closures, what-if, and what suggest says.
#![allow(clippy::unwrap_used)]

use crate::support::TestEnv;
use crate::support::store_in_code::{Made, SCHEMA, base, insert, path, refer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
const SYSTEM: &str = "nixos-system-demo-24.05.2";

fn rows<'a>(answer: &'a Value, list: &str) -> &'a [Value] {
    answer[list].as_array().unwrap()
}

#[test]
fn what_variants_save_is_what_what_if_and_suggest_say() {
    let env = TestEnv::new();
    let json = |args: &[&str]| env.json([&["--root", ROOT, "--format", "json"][..], args].concat());
    let answer = json(&["variants", SYSTEM]);
    let groups = rows(&answer, "groups");
    assert!(groups.len() >= 3, "{groups:?}");
    for group in groups.iter().filter(|group| !group["flags"].is_null()) {
        let flags: Vec<&str> = group["flags"].as_str().unwrap().split(' ').collect();
        let what_if = json(&[&["what-if", SYSTEM][..], &flags].concat());
        for size in ["nar_size", "disk_size", "inodes"] {
            let of = |when: &str| what_if["total"][format!("{size}_{when}")].as_u64().unwrap();
            assert_eq!(group[format!("saves_{size}")], of("before") - of("after"), "{group}");
        }
    }
    let suggested = json(&["suggest", SYSTEM]);
    let replacements = |list: &[Value], old: &str, new: &str, gain: &str| {
        let pairs = list.iter().filter(|row| !row[new].is_null() && row[gain] != 0);
        pairs
            .map(|row| {
                let text = |key: &str| row[key].as_str().unwrap().to_owned();
                (text(old), (text(new), row[gain].as_u64().unwrap()))
            })
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(
        replacements(rows(&answer, "variants"), "path", "replaced_by", "saves_disk_size"),
        replacements(rows(&suggested, "replacements"), "old", "new", "gain_disk_size"),
    );
}

#[test]
fn outputs_are_no_variants_and_a_wrapper_does_not_take_the_place_of_what_it_wraps() {
    let env = TestEnv::new();
    let (store, db) = Made::with(&env, "store", SCHEMA);
    let names = [
        "top-1.0",
        "gcc-13.2.0-lib",
        "gcc-13.2.0-libgcc",
        "glibc-2.39-dev",
        "glibc-2.39",
        "other-1.0",
        "gitMinimal-2.44",
        "git-2.44",
        "openssl-1.1.1w",
        "openssl-3.0.14",
        "tool-1.0",
        "tool-unwrapped-1.0",
    ];
    for (id, name) in (1..).zip(names) {
        let contents = format!("{name}{}", "x".repeat(100 * id as usize));
        fs::create_dir(store.store.join(base(id, name))).unwrap();
        fs::write(store.store.join(base(id, name)).join("own"), contents).unwrap();
        fs::write(store.store.join(base(id, name)).join("same"), "the same in all").unwrap();
        insert(&db, id, path(id, name).as_bytes(), Some(1000 + id));
        if id > 1 {
            refer(&db, 1, id);
        }
    }
    // The wrapper is smaller here, as wrappers are, and needs what it wraps.
    refer(&db, 11, 12);
    drop(db);
    let (answer, run) = store.json(&env, ["variants", "top", "--quiet"]);
    let groups: Vec<(&str, u64, bool)> = (rows(&answer, "groups").iter())
        .map(|group| {
            let variants = group["variants"].as_u64().unwrap();
            (group["package"].as_str().unwrap(), variants, group["flags"].is_null())
        })
        .collect();
    let mut sorted = groups.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [("git", 2, false), ("openssl", 2, false), ("tool", 2, false)], "{run:?}");
    for row in rows(&answer, "variants") {
        assert_eq!((&row["identical_files"], &row["identical_size"]), (&1.into(), &15.into()));
        assert!(!rows(row, "held_by").is_empty());
        let chain = rows(row, "chain_paths");
        assert_eq!(chain[0], path(1, "top-1.0"));
        assert_eq!(chain[chain.len() - 1], row["path"]);
    }
    // The larger of both is what is wrapped, which does not need the wrapper.
    let tool = rows(&answer, "variants").iter().find(|row| row["path"] == path(11, "tool-1.0"));
    assert_eq!(tool.unwrap()["replaced_by"], path(12, "tool-unwrapped-1.0"));
    // The database alone: nothing of files.
    let (answer, _) = store.json(&env, ["variants", "top", "--no-disk"]);
    let row = &rows(&answer, "variants")[0];
    assert!(row["identical_size"].is_null() && row["disk_size"].is_null(), "{row}");
    assert!(row["saves_nar_size"].is_null() || row["saves_nar_size"].is_u64());
}

#[test]
fn a_larger_build_that_needs_the_smaller_one_does_not_replace_it() {
    let env = TestEnv::new();
    let (store, db) = Made::with(&env, "store", SCHEMA);
    for (id, name) in [(1, "top-1.0"), (2, "tool-1.0"), (3, "tool-unwrapped-1.0")] {
        store.file(id, name, &db);
    }
    db.execute("UPDATE ValidPaths SET narSize = 5000 WHERE id = 2", []).unwrap();
    refer(&db, 1, 2);
    refer(&db, 2, 3);
    drop(db);
    let (answer, _) = store.json(&env, ["variants", "top", "--no-disk"]);
    assert_eq!(rows(&answer, "variants").len(), 2);
    assert!(rows(&answer, "variants").iter().all(|row| row["replaced_by"].is_null()));
    assert_eq!(rows(&answer, "groups")[0]["saves_nar_size"], 0);
}

#[test]
fn builds_that_are_single_files_are_compared() {
    let env = TestEnv::new();
    let (store, db) = Made::with(&env, "store", SCHEMA);
    for (id, name) in [(1, "top-1.0"), (2, "tool-1.0"), (3, "tool-2.0")] {
        fs::write(store.store.join(base(id, name)), "the same in both").unwrap();
        insert(&db, id, path(id, name).as_bytes(), Some(1000 + id));
    }
    refer(&db, 1, 2);
    refer(&db, 1, 3);
    drop(db);
    let (answer, run) = store.json(&env, ["variants", "top", "--quiet"]);
    assert_eq!(rows(&answer, "variants").len(), 2, "{run:?}");
    for row in rows(&answer, "variants") {
        assert_eq!((&row["identical_files"], &row["identical_size"]), (&1.into(), &16.into()));
    }
}
