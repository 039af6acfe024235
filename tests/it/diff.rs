//! What is different between two closures: as Nix says it, and beyond.

use super::support::nix::{Store, each_stores};
use super::support::store_in_code::{Made, SCHEMA, insert, path, refer};
use super::support::{TestEnv, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

/// A line of `nix store diff-closures`: versions, and the change of size in bytes with
/// how exact it is.
#[derive(Debug, PartialEq)]
struct Line {
    versions: Option<String>,
    size: Option<(f64, f64)>,
}

/// The lines that Nix prints, by name.
fn lines_of_nix(text: &str) -> BTreeMap<String, Line> {
    let plain = text.replace("\x1b[31;1m", "").replace("\x1b[32;1m", "").replace("\x1b[0m", "");
    let line = |line: &str| {
        let (name, what) = line.trim().split_once(": ").unwrap();
        let (versions, size) = match what.rsplit_once(", ") {
            Some((versions, size)) if size.ends_with('B') => (Some(versions), Some(size)),
            _ if what.ends_with('B') && !what.contains('→') => (None, Some(what)),
            _ => (Some(what), None),
        };
        let size = size.map(|size| {
            let (number, unit) = size.split_once(' ').unwrap();
            let unit = 1024_f64.powi("BKMG".find(&unit[..1]).unwrap() as i32);
            (number.parse::<f64>().unwrap() * unit, unit * 0.051)
        });
        (name.to_owned(), Line { versions: versions.map(str::to_owned), size })
    };
    plain.lines().map(line).collect()
}

/// The lines that Nix would print of our answer, by its own rules: `showVersions`, and
/// sizes that changed by at least 8 KiB.
fn lines_of(packages: &[Value]) -> BTreeMap<String, Line> {
    let mut lines = BTreeMap::new();
    for package in packages {
        let texts = |key: &str| -> Vec<&str> {
            package[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
        };
        let (before, after) = (texts("versions_before"), texts("versions_after"));
        let without = |a: &[&str], b: &[&str]| -> String {
            let left = a.iter().filter(|version| !b.contains(version)).copied();
            let mut left: Vec<&str> = left.map(|v| if v.is_empty() { "ε" } else { v }).collect();
            left.sort_unstable();
            if left.is_empty() { "∅".to_owned() } else { left.join(", ") }
        };
        let (gone, came) = (without(&before, &after), without(&after, &before));
        let change = package["nar_change"].as_i64().unwrap();
        let versions = (gone != "∅" || came != "∅").then(|| format!("{gone} → {came}"));
        let size = (change.abs() >= 8 * 1024).then_some((change as f64, 0.0));
        if versions.is_some() || size.is_some() {
            let name = package["pname"].as_str().unwrap().to_owned();
            assert!(lines.insert(name, Line { versions, size }).is_none());
        }
    }
    lines
}

#[track_caller]
fn same(what: &str, ours: &BTreeMap<String, Line>, nixs: &BTreeMap<String, Line>) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), nixs.keys().collect::<Vec<_>>(), "{what}");
    for (name, line) in nixs {
        let our = &ours[name];
        assert_eq!(our.versions, line.versions, "{what}: {name}");
        let near = match (our.size, line.size) {
            (Some((our, _)), Some((size, exact))) => (our - size).abs() <= exact,
            (our, size) => our.is_none() && size.is_none(),
        };
        assert!(near, "{what}: {name}: {our:?} {line:?}");
    }
}

fn packages(env: &TestEnv, store: &Store, args: &[&str]) -> Vec<Value> {
    let mut all = store.args();
    all.extend(["diff", "--no-disk", "--format", "json"].map(Into::into));
    all.extend(args.iter().map(Into::into));
    let answer: Value = serde_json::from_str(&env.ok(all)).unwrap();
    answer["packages"].as_array().unwrap().clone()
}

#[test]
fn versions_and_sizes_are_those_of_diff_closures() {
    let env = TestEnv::new();
    each_stores(|stores| {
        let store = &stores.root;
        let names = [
            "gen-1",
            "gen-2",
            "gen-3",
            "twin-1.0",
            "twin-1.1",
            "common-minimal-1.0",
            "diamond-1.0",
            "chain-3",
            "chain-11",
            "everything-1.0",
        ];
        let paths: Vec<String> = names.iter().map(|name| store.find(name)).collect();
        let mut told = 0;
        for old in &paths {
            for new in &paths {
                let nixs = store.nix("nix", ["store", "diff-closures", old, new]);
                let nixs = lines_of_nix(&nixs);
                told += nixs.len();
                same(
                    &format!("{old} {new}"),
                    &lines_of(&packages(&env, store, &[old, new])),
                    &nixs,
                );
            }
        }
        assert!(told > 200, "{told}");
    });
}

#[test]
fn the_history_of_a_profile_is_that_of_diff_closures() {
    let env = TestEnv::new();
    each_stores(|stores| {
        let store = &stores.root;
        let link = store.real_state_dir.join("profiles/system");
        let args = ["profile", "diff-closures", "--profile", link.to_str().unwrap()];
        let text = run(&mut store.command("nix", args)).ok();
        // `Version 1 -> 2:`, then its lines, further in.
        let mut nixs: BTreeMap<u64, String> = BTreeMap::new();
        let mut generation = 0;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match line.split_once(" -> ") {
                Some((_, number)) if line.starts_with("Version ") => {
                    generation = number.trim_end_matches(':').parse().unwrap();
                    nixs.insert(generation, String::new());
                }
                _ => *nixs.get_mut(&generation).unwrap() += &format!("{line}\n"),
            }
        }
        assert!(nixs.len() >= 2, "{text}");
        let ours = packages(&env, store, &["--system"]);
        for (generation, lines) in &nixs {
            let ours: Vec<Value> =
                ours.iter().filter(|row| row["generation"] == *generation).cloned().collect();
            same(&format!("to {generation}"), &lines_of(&ours), &lines_of_nix(lines));
        }
        let last = nixs.keys().last().unwrap();
        let some =
            packages(&env, store, &["--system", "--generations", &format!("{}..", last - 1)]);
        assert!(!some.is_empty() && some.iter().all(|row| row["generation"] == *last));
    });
}

/// Two systems: `lib` in two versions, `big` new below `lib`, `gone` gone, `etc` built
/// anew.
fn systems(env: &TestEnv) -> Made {
    let (made, db) = Made::with(env, "store", SCHEMA);
    let rows = [
        (1, "system-1", 1000),
        (2, "system-2", 1000),
        (3, "lib-1.9", 50_000),
        (4, "lib-1.10", 80_000),
        (5, "big-2.0", 900_000),
        (6, "gone-1.0", 20_000),
        (7, "set-environment", 300),
        (8, "set-environment", 300),
        (9, "same-1.0", 5000),
    ];
    for (id, name, size) in rows {
        insert(&db, id, path(id, name).as_bytes(), Some(size));
    }
    for (from, to) in
        [(1, 3), (1, 6), (1, 7), (1, 9), (2, 4), (2, 8), (2, 9), (4, 5), (4, 4), (3, 9)]
    {
        refer(&db, from, to);
    }
    let profiles = made.dir.join("nix/var/nix/profiles");
    fs::create_dir_all(&profiles).unwrap();
    symlink(path(1, "system-1"), profiles.join("system-1-link")).unwrap();
    symlink(path(2, "system-2"), profiles.join("system-2-link")).unwrap();
    symlink("system-2-link", profiles.join("system")).unwrap();
    made
}

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().unwrap()
}

#[test]
fn packages_are_added_removed_upgraded_and_rebuilt() {
    let env = TestEnv::new();
    let made = systems(&env);
    let (old, new) = (path(1, "system-1"), path(2, "system-2"));
    let (answer, run) = made.json(&env, ["diff", &old, &new, "--no-disk"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let packages = answer["packages"].as_array().unwrap();
    let short = |row: &Value| {
        let versions = row["versions"].as_str().unwrap_or("-");
        let change = row["nar_change"].as_i64().unwrap();
        format!("{} {} {versions} {change}", text(row, "package"), text(row, "change"))
    };
    let short: Vec<String> = packages.iter().map(short).collect();
    let expected = [
        "big added 2.0 900000",
        "lib upgraded 1.9 → 1.10 30000",
        "gone removed 1.0 -20000",
        "system upgraded 1 → 2 0",
        "set-environment rebuilt - 0",
    ];
    assert_eq!(short, expected);
    assert_eq!(text(&packages[4], "pname"), "set");
    // Closures before and after: lib needs what it did not before.
    assert_eq!(packages[1]["closure_nar_size_before"], 55_000);
    assert_eq!(packages[1]["closure_nar_size_after"], 980_000);
    let why = answer["why"].as_array().unwrap();
    assert_eq!(why.len(), 1);
    assert_eq!(text(&why[0], "chain"), "system-2 → lib-1.10");
    assert_eq!(why[0]["chain_paths"].as_array().unwrap().len(), 3);
    assert_eq!(answer["total"]["nar_size_before"], 76_300);
    assert_eq!(answer["total"]["nar_size_after"], 986_300);
    assert_eq!(answer["total"]["packages_upgraded"], 2);
    let (answer, _) = made.json(&env, ["diff", &old, &new, "--no-disk", "--by", "path"]);
    let paths = answer["paths"].as_array().unwrap();
    let names: Vec<_> =
        paths.iter().map(|row| (text(row, "change"), &text(row, "path")[44..])).collect();
    let expected = [
        ("added", "big-2.0"),
        ("added", "lib-1.10"),
        ("removed", "lib-1.9"),
        ("removed", "gone-1.0"),
        ("removed", "system-1"),
        ("added", "system-2"),
        ("removed", "set-environment"),
        ("added", "set-environment"),
    ];
    assert_eq!(names, expected);
    let turned = made.json(&env, ["diff", &new, &old, "--no-disk", "--min-size", "25000"]).0;
    let turned: Vec<_> = turned["packages"].as_array().unwrap().iter().collect();
    let turned: Vec<_> =
        turned.iter().map(|row| (text(row, "package"), text(row, "change"))).collect();
    assert_eq!(turned, [("big", "removed"), ("lib", "downgraded")]);
}

#[test]
fn the_history_of_the_system_profile() {
    let env = TestEnv::new();
    let made = systems(&env);
    let (answer, run) = made.json(&env, ["diff", "--system", "--no-disk"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(answer["packages"].as_array().unwrap().len(), 5);
    let generations = answer["generations"].as_array().unwrap();
    assert_eq!(generations.len(), 2);
    assert_eq!(generations[1]["nar_change"], 910_000);
    assert_eq!(generations[1]["current"], true);
    let one = made.run(&env, ["diff", "--system", "--generations", "2.."]);
    assert_eq!(one.status, 2);
    assert!(one.stderr.ends_with("hint: there are: 1, 2\n"), "{}", one.stderr);
    let none = made.run(&env, ["diff", "--profile", "/nix/var/nix/profiles/other"]);
    assert!(none.stderr.contains("there are: /nix/var/nix/profiles/system"), "{}", none.stderr);
}

#[test]
fn two_stores_are_compared_by_name() {
    let env = TestEnv::new();
    let made = systems(&env);
    let (other, db) = Made::with(&env, "other", SCHEMA);
    insert(&db, 1, path(1, "system-1").as_bytes(), Some(1000));
    insert(&db, 6, path(6, "gone-1.0").as_bytes(), Some(20_000));
    refer(&db, 1, 6);
    drop(db);
    let root = other.dir.to_str().unwrap();
    let changes = |args: &[&str]| {
        let (answer, run) = made.json(&env, [&["diff", "--no-disk"], args].concat());
        assert_eq!(run.status, 0, "{}", run.stderr);
        let rows = answer["packages"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", text(row, "package"), text(row, "change")))
            .collect::<Vec<_>>()
    };
    let name = path(1, "system-1");
    let more = ["lib added", "same added", "set-environment added"];
    assert_eq!(changes(&[&name, "--old-root", root]), more);
    let to_new = changes(&[&name, &path(2, "system-2"), "--old-root", root]);
    assert!(to_new.contains(&"system upgraded".to_owned()), "{to_new:?}");
    // All of one store beside all of another, named by their directories.
    let all = changes(&["--old-root", root]);
    assert!(all.contains(&"big added".to_owned()), "{all:?}");
    let here = made.dir.to_str().unwrap();
    assert_eq!(changes(&[root, here]), all);
    let same = changes(&[root, root]);
    assert!(same.is_empty(), "{same:?}");
}

#[test]
fn what_grew_is_red_and_what_shrank_is_green() {
    let env = TestEnv::new();
    let made = Made::sound(&env, "root").0;
    let diff = |old: &str, new: &str, color: &str| {
        made.run(&env, ["diff", old, new, "--no-disk", "--color", color, "--width", "100"]).ok()
    };
    let (red, green) = ("\x1b[31m", "\x1b[32m");
    let grown = diff("hello", "tree", "always");
    assert!(grown.contains(&format!("{red}+")) && !grown.contains(green), "{grown:?}");
    let shrunk = diff("tree", "hello", "always");
    assert!(shrunk.contains(&format!("{green}-")) && !shrunk.contains(red), "{shrunk:?}");
    assert!(!diff("hello", "tree", "never").contains('\x1b'));
    // Colours take no room.
    let plain = |text: &str| {
        let codes = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[1;31m", red, green];
        codes.iter().fold(text.to_owned(), |text, code| text.replace(code, ""))
    };
    assert_eq!(plain(&grown), diff("hello", "tree", "never"));
}
