//! Names and targets: what they mean, against real Nix where it has the same.

use crate::support::TestEnv;
use crate::support::nix::{self, Nix, Store, Stores};
use crate::support::store_in_code::{Made, base, path, refer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;

/// Names as they are in stores, and odd ones.
const NAMES: &[&str] = &[
    "hello-2.12.1",
    "hello-2.12.1.drv",
    "glibc-2.39-52",
    "glibc-2.39-52-dev",
    "gcc-13.2.0-lib",
    "gcc-13.2.0-libgcc",
    "xz-5.4.6-bin",
    "alsa-lib-1.2.11",
    "font-adobe-100dpi-1.0.4",
    "perl5.38.2-HTML-Parser-3.81",
    "python3.11-zipp-3.17.0",
    "nixos-system-web-01-24.05",
    "nixos-system-demo-24.05.20240601.abcdef0",
    "sbcl-qsci-20210531-git",
    "foo-unstable-2024-01-01",
    "foo-0-unstable-2024-01-01",
    "linux-6.6.32-modules",
    "source",
    "shared-mime-info-2.4",
    "unit-dbus.service",
    "X-Restart-Triggers-sshd",
    "r-CatDataAnalysis-0.1-5",
    "a-",
    "a--b",
    "a-.b",
    "a-_b-1",
    "a-+1",
    "a-?h=1",
    "-1",
    "--",
    "1-2-3",
    ".hidden-1",
    "libfoo-v2",
    "libfoo-v2-3",
];

#[test]
fn pname_and_version_are_those_of_parse_drv_name() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", crate::support::store_in_code::SCHEMA);
    for (id, name) in (1..).zip(NAMES) {
        made.file(id, name, &db);
    }
    drop(db);
    let columns = ["--no-disk", "report", "--all", "--columns", "name,pname,version"];
    let (answer, _) = made.json(&env, columns);
    let ours: BTreeMap<&str, (&str, &str)> = (answer["paths"].as_array().unwrap().iter())
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or_default();
            (text("name"), (text("pname"), text("version")))
        })
        .collect();
    let list: Vec<String> = NAMES.iter().map(|name| format!("{name:?}")).collect();
    let expression = format!("map builtins.parseDrvName [ {} ]", list.join(" "));
    assert_eq!(ours.len(), NAMES.len());
    nix::each(|nix| {
        let store = Store::private(nix, env.join(&nix.version));
        let args = ["--eval", "--strict", "--json", "--expr", &expression];
        let theirs: Value = serde_json::from_str(&store.nix("nix-instantiate", args)).unwrap();
        for (name, theirs) in NAMES.iter().zip(theirs.as_array().unwrap()) {
            let text = |key: &str| theirs[key].as_str().unwrap();
            assert_eq!(ours[name], (text("name"), text("version")), "{name}");
        }
    });
}

/// Two generations, whose differences Nix prints one line a package.
#[test]
fn packages_are_those_of_diff_closures() {
    nix::each(packages_of_diff_closures);
}

fn packages_of_diff_closures(nix: &'static Nix) {
    let env = TestEnv::new();
    let store = Store::private(nix, env.join("nix"));
    fs::create_dir_all(&store.dir).unwrap();
    let kinds = [
        ("before", ["glibc-2.38", "glibc-2.38-dev", "xz-5.4.5-bin", "gcc-12.3.0-libgcc"]),
        ("after", ["glibc-2.39", "glibc-2.39-dev", "xz-5.4.6-bin", "gcc-13.2.0-libgcc"]),
    ];
    let more =
        ["alsa-lib-1.2", "foo-dev", "source", "perl5.38.2-HTML-Parser-3.81", "bzip2-1.0.8-man"];
    // Sources of the store: they have no deriver.
    let mut tops = Vec::new();
    for (top, names) in kinds {
        let names = names.iter().chain(more.iter().filter(|_| top == "after"));
        let files: Vec<String> =
            names.map(|name| format!("(builtins.toFile {name:?} {name:?})")).collect();
        let expression = format!(
            "builtins.toFile {top:?} (builtins.concatStringsSep \" \" [ {} ])",
            files.join(" ")
        );
        let args = ["--eval", "--read-write-mode", "--expr", &expression];
        let path = store.nix("nix-instantiate", args);
        tops.push(path.trim().trim_matches('"').to_owned());
    }
    let lines = store.nix("nix", ["store", "diff-closures", &tops[0], &tops[1]]);
    let theirs: BTreeSet<String> = (lines.lines())
        .map(|line| line.split(':').next().unwrap().to_owned())
        .filter(|package| package != "before" && package != "after")
        .collect();
    let versions: BTreeMap<String, String> = lines
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(package, rest)| (package.to_owned(), rest.split(',').next().unwrap().to_owned()))
        .collect();
    assert_eq!(theirs.len(), 8, "{lines}");
    let ours = |top: &str| -> BTreeMap<String, BTreeSet<String>> {
        let mut all = vec!["--no-disk".into(), "--format".into(), "json".into()];
        all.extend(store.args());
        all.extend(["report", top, "--columns", "package,package_version"].map(Into::into));
        let answer = env.json(all);
        let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in answer["paths"].as_array().unwrap() {
            let version = row["package_version"].as_str().unwrap_or("ε").to_owned();
            packages
                .entry(row["package"].as_str().unwrap().to_owned())
                .or_default()
                .insert(version);
        }
        packages
    };
    let (before, after) = (ours(&tops[0]), ours(&tops[1]));
    let list = |versions: Option<&BTreeSet<String>>| match versions {
        None => "∅".to_owned(),
        Some(versions) => versions.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    for package in &theirs {
        let line = format!("{} → {}", list(before.get(package)), list(after.get(package)));
        assert_eq!(line, versions[package], "{package}");
    }
}

/// As Nix takes file names (`followLinksToStore`), and what holds the file
/// where Nix refuses.
#[test]
fn targets_are_the_store_paths_that_nix_takes_them_for() {
    nix::each_stores(targets_of_nix);
}

fn targets_of_nix(stores: &'static Stores) {
    let env = TestEnv::new();
    let store = &stores.fresh;
    let (links, note) = (store.find("symlinks-1.0"), store.find("note.txt"));
    let everything = store.find("everything-1.0");
    fs::create_dir_all(env.join("farm/bin")).unwrap();
    for (link, to) in [
        ("result", everything.as_str()),
        ("again", "result"),
        ("farm/bin/note", &note),
        ("farm/bin/via", "../../again"),
        ("dir", "farm"),
        ("links", &links),
        ("links-dir", &links),
    ] {
        symlink(to, env.join(link)).unwrap();
    }
    let at = |name: &str| env.join(name).to_str().unwrap().to_owned();
    let mut refused = 0;
    for (target, holder) in [
        (at("result"), &everything),
        (at("again"), &everything),
        (at("farm/bin/note"), &note),
        (at("dir/bin/note"), &note),
        (at("dir/bin/via"), &everything),
        (at("farm/../again"), &everything),
        // Through a symlink to a store path on to another's.
        (at("links/note"), &note),
        (at("links/here/note"), &note),
        (format!("{links}/note"), &links),
        (format!("{links}/here/note"), &links),
        (format!("{links}/../{}", note.rsplit('/').next().unwrap()), &note),
        (format!("{}//{}", store.store_dir.display(), note.rsplit('/').next().unwrap()), &note),
        // Nix refuses what is not a symlink at its end.
        (at("links/dir"), &links),
        (at("links/to-dir"), &links),
        (at(&format!("again/{}/dir", links.rsplit('/').next().unwrap())), &links),
    ] {
        let mut all = vec!["--no-disk".into(), "--format".into(), "json".into()];
        all.extend(store.args());
        all.extend(["report", "--no-closure", target.as_str()].map(Into::into));
        assert_eq!(env.json(all)["paths"][0]["path"], holder.as_str(), "{target}");
        let theirs = store.try_nix("nix-store", ["--query", "--hash", &target]);
        if theirs.status == 0 {
            assert_eq!(theirs.stdout, store.nix("nix-store", ["-q", "--hash", holder]), "{target}");
        } else {
            assert!(theirs.stderr.contains("is not in the Nix store"), "{}", theirs.stderr);
            refused += 1;
        }
    }
    assert_eq!(refused, 3);
}

/// In an image, absolute links lead to what is inside it.
#[test]
fn a_link_into_the_store_of_an_image_is_what_its_end_leads_to() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "image");
    drop(db);
    let tree = made.store.join(base(3, "tree"));
    symlink(path(1, "hello-1.0"), tree.join("hello")).unwrap();
    fs::create_dir(made.dir.join("run")).unwrap();
    symlink(path(3, "tree"), made.dir.join("run/current-system")).unwrap();
    for (target, name) in [
        ("/run/current-system", "tree"),
        ("/run/current-system/hello", "hello-1.0"),
        ("/run/current-system/file", "tree"),
        (&format!("{}/run/current-system/hello", made.dir.display()), "hello-1.0"),
    ] {
        let (answer, _) = made.json(&env, ["--no-disk", "report", "--no-closure", target]);
        assert_eq!(answer["paths"][0]["name"], name, "{target}");
    }
}

#[test]
fn the_beginning_of_a_hash_is_told_on_standard_error() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "store");
    made.file(1_000_000, "far-1.0", &db);
    drop(db);
    let begin = &base(1_000_000, "")[..26];
    let found = made.run(&env, ["report", "--no-disk", "--no-closure", begin]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    assert!(found.stdout.contains("far-1.0"), "{}", found.stdout);
    assert!(found.stderr.contains("is taken for the beginning of a hash part"), "{}", found.stderr);
    let found = made.run(&env, ["what-if", "far", "--no-disk", "--remove", begin]);
    assert!(found.stderr.contains("is taken for the beginning of a hash part"), "{}", found.stderr);
    let named = made.run(&env, ["report", "--no-disk", "--no-closure", "far"]);
    assert_eq!(named.stderr, "");
    let short = made.run(&env, ["report", "--no-disk", "000000"]);
    assert_eq!(short.status, 2, "{}", short.stdout);
}

/// `?`, `=` and `*` may stand in names of paths, files and links.
#[test]
fn an_exact_name_is_meant_although_it_is_a_pattern_too() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", crate::support::store_in_code::SCHEMA);
    let names = ["fix.patch?h=dfc57", "fix.patchxh=dfc57", "fix.patch?h=zzz"];
    for (id, name) in (1..).zip(names) {
        made.file(id, name, &db);
    }
    let tree = made.store.join(base(4, "tree"));
    fs::create_dir(&tree).unwrap();
    for file in ["a?b", "axb", "a[b]c"] {
        fs::write(tree.join(file), "12345678").unwrap();
    }
    crate::support::store_in_code::insert(&db, 4, path(4, "tree").as_bytes(), None);
    for id in 1..=3 {
        refer(&db, 4, id);
    }
    drop(db);
    let gone = |args: &[&str]| {
        let (answer, run) = made.json(&env, [&["what-if", "tree", "--no-disk"], args].concat());
        let gone = answer["gone"].as_array().unwrap_or_else(|| panic!("{run:?}")).clone();
        gone.iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let only = [path(1, names[0])];
    assert_eq!(gone(&["--remove", names[0]]), only);
    assert_eq!(gone(&["--remove", "fix.patch?h=dfc57*"]).len(), 2);
    assert_eq!(gone(&["--cut", "tree:fix.patch?h=dfc57"]), only);
    assert_eq!(gone(&["--replace", "fix.patch?h=dfc57=fix.patch?h=zzz"]), only);
    let (answer, _) = made.json(&env, ["why", "tree", names[0]]);
    assert!(!answer.to_string().contains(names[1]), "{answer}");
    let (answer, _) = made.json(&env, ["report", "tree", "--no-disk", "--filter", names[0]]);
    assert_eq!(answer["total"]["paths"], 1);
    let (answer, _) = made.json(&env, ["report", "tree", "--no-disk", "--filter", "fix.patch?h=*"]);
    assert_eq!(answer["total"]["paths"], 3);
    let (answer, _) =
        made.json(&env, ["garbage", "--no-disk", "--no-runtime", "--filter", names[0]]);
    assert_eq!(answer["dead_paths"].as_array().map(Vec::len), Some(1), "{answer}");
    let dropped = |glob: &str| {
        let (answer, _) = made.json(&env, ["what-if", "tree", "--drop-files", glob]);
        answer["steps"][1]["files_dropped"].as_u64().unwrap()
    };
    assert_eq!(dropped("a?b"), 1);
    assert_eq!(dropped("a??"), 2);
    assert_eq!(dropped("a[b]c"), 1);
    assert_eq!(dropped("{a?b,axb}"), 2);
}

/// A root whose link is called as a pattern.
#[test]
fn a_link_is_meant_although_it_is_a_pattern_too() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "store");
    drop(db);
    let roots = made.dir.join("nix/var/nix/gcroots");
    fs::create_dir_all(&roots).unwrap();
    symlink(path(1, "hello-1.0"), roots.join("r?")).unwrap();
    symlink(path(3, "tree"), roots.join("rx")).unwrap();
    let dead = |link: &str| {
        let args = ["garbage", "--no-disk", "--no-runtime", "--if-removed", link];
        let (answer, run) = made.json(&env, args);
        assert_eq!(run.status, 0, "{}", run.stderr);
        answer["dead_paths"].as_array().unwrap().len()
    };
    // `tree` still keeps all three.
    assert_eq!(dead("/nix/var/nix/gcroots/r?"), 0);
    assert_eq!(dead("/nix/var/nix/gcroots/r[?x]"), 3);
    let listed = |filter: &str| {
        let args = ["roots", "--no-disk", "--no-runtime", "--filter", filter];
        made.json(&env, args).0["roots"].as_array().unwrap().len()
    };
    assert_eq!(listed("/nix/var/nix/gcroots/r?"), 1);
    assert_eq!(listed("/nix/var/nix/gcroots/r[?x]"), 2);
    assert_eq!(listed("hello"), 1);
}

/// A name in the closure is meant, not one elsewhere in the store.
#[test]
fn why_looks_in_the_closure_first() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", crate::support::store_in_code::SCHEMA);
    for (id, name) in (1..).zip(["lib-1.0", "lib-1.0.drv", "top-3.drv", "else-1.0"]) {
        made.file(id, name, &db);
    }
    refer(&db, 3, 2);
    drop(db);
    for name in ["lib", "lib*", "lib-1.0.drv"] {
        let run = made.run(&env, ["why", "top-3.drv", name]);
        assert_eq!(run.status, 0, "{name}: {}", run.stderr);
        assert!(run.stdout.contains(&base(2, "lib-1.0.drv")), "{}", run.stdout);
    }
    // What is elsewhere only is not held.
    assert_eq!(made.run(&env, ["why", "top-3.drv", "else"]).status, 1);
    assert_eq!(made.run(&env, ["why", "top-3.drv", &path(1, "lib-1.0")]).status, 1);
    let unknown = made.run(&env, ["why", "top-3.drv", "nothing"]);
    assert_eq!(unknown.status, 2, "{}", unknown.stderr);
}

/// A glob means all paths that it matches where several targets are taken; where
/// one is meant, several are an error; what is called exactly so comes first.
#[test]
fn globs_are_targets() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "store");
    for (id, name) in [(4, "world-3.0"), (5, "w?rld"), (6, "w?rld")] {
        made.file(id, name, &db);
    }
    drop(db);
    let names = |targets: &[&str]| {
        let columns = ["--no-disk", "report", "--no-closure", "--columns", "name"];
        let (answer, run) = made.json(&env, columns.iter().chain(targets));
        assert_eq!(run.status, 0, "{}", run.stderr);
        let rows = answer["paths"].as_array().unwrap();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names(&["world-*"]), set(&["world-2.0", "world-3.0"]));
    assert_eq!(
        names(&["world-*", "world-2.0", "tr[e]e"]),
        set(&["world-2.0", "world-3.0", "tree"])
    );
    for (args, status, said) in [
        // Two paths of that very name, which is no glob then.
        (&["report", "w?rld"][..], 2, "'w?rld' is ambiguous"),
        (&["report", "nothing-*"], 2, "no valid path is called 'nothing-*'"),
        (&["why", "world-*", "hello"], 2, "'world-*' is ambiguous"),
        (&["roots", "--no-runtime", "--of", "world-*"], 2, "'world-*' is ambiguous"),
        (&["why", "tr*", "hello"], 0, ""),
    ] {
        let run = made.run(&env, [&["--no-disk"], args].concat());
        assert_eq!(run.status, status, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    }
}
