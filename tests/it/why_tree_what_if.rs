//! `why`, `tree`, `what-if`, `suggest` and retained sizes against real Nix, the
//! disk, and brute force.

use crate::support::nix::{self, Store};
use crate::support::{Run, TestEnv, run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// A store as these tests know it, from Nix and the disk themselves.
struct Known {
    /// References of each path, itself left out.
    references: BTreeMap<String, BTreeSet<String>>,
    nar_sizes: BTreeMap<String, u64>,
    /// Blocks in bytes of each inode of each path.
    inodes: BTreeMap<String, BTreeMap<u64, u64>>,
}

impl Known {
    fn new(store: &Store) -> Self {
        let mut known = Self {
            references: BTreeMap::new(),
            nar_sizes: BTreeMap::new(),
            inodes: BTreeMap::new(),
        };
        for (path, info) in store.path_infos(&[]) {
            let mut references = strings(&info["references"]);
            references.remove(&path);
            known.references.insert(path.clone(), references);
            known.nar_sizes.insert(path.clone(), info["narSize"].as_u64().unwrap());
            let mut inodes = BTreeMap::new();
            gather(&store.real_path(&path), &mut inodes);
            known.inodes.insert(path, inodes);
        }
        known
    }

    /// The closure of some paths when one path is left out.
    fn closure(&self, roots: &[&str], without: Option<&str>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<&str> = roots.to_vec();
        while let Some(path) = todo.pop() {
            if Some(path) != without && seen.insert(path.to_owned()) {
                todo.extend(self.references[path].iter().map(String::as_str));
            }
        }
        seen
    }

    /// The steps of a shortest chain.
    fn distance(&self, from: &str, to: &str) -> Option<usize> {
        let mut level = BTreeSet::from([from]);
        let mut seen = level.clone();
        for steps in 0.. {
            if level.contains(to) {
                return Some(steps);
            }
            let next = level.iter().flat_map(|path| self.references[*path].iter());
            level = next.map(String::as_str).filter(|path| !seen.contains(path)).collect();
            seen.extend(&level);
            if level.is_empty() {
                return None;
            }
        }
        None
    }

    /// NAR size, disk size and inodes.
    fn sizes(&self, paths: &BTreeSet<String>) -> [u64; 3] {
        let nar = paths.iter().map(|path| self.nar_sizes[path]).sum();
        let inodes: BTreeMap<u64, u64> =
            paths.iter().flat_map(|path| self.inodes[path].clone()).collect();
        [nar, inodes.values().sum(), inodes.len() as u64]
    }

    /// The paths that no other refers to.
    fn tops(&self) -> Vec<&str> {
        let held: BTreeSet<&String> = self.references.values().flatten().collect();
        self.references.keys().filter(|path| !held.contains(path)).map(String::as_str).collect()
    }
}

fn gather(path: &Path, inodes: &mut BTreeMap<u64, u64>) {
    let meta = fs::symlink_metadata(path).unwrap();
    inodes.insert(meta.ino(), meta.blocks() * 512);
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            gather(&entry.unwrap().path(), inodes);
        }
    }
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn ask(env: &TestEnv, store: &Store, args: &[&str]) -> Run {
    let mut all = store.args();
    all.extend(args.iter().map(Into::into));
    env.run(all)
}

fn json(env: &TestEnv, store: &Store, args: &[&str]) -> Value {
    let mut all = vec!["--format", "json"];
    all.extend(args);
    let answer: Value = serde_json::from_str(&ask(env, store, &all).ok()).unwrap();
    assert_eq!(answer["complete"], true, "{}", answer["warnings"]);
    answer
}

/// A store never optimised and an optimised one, with what is known of each.
fn each_store(test: impl Fn(&TestEnv, &Store, &Known)) {
    let Some(stores) = nix::stores() else { return };
    for store in [&stores.fresh, &stores.root_optimised] {
        test(&TestEnv::new(), store, &Known::new(store));
    }
}

/// A store of each version of Nix, for questions that Nix answers from the database.
fn each_nix(test: impl Fn(&TestEnv, &Store, &Known)) {
    nix::each_stores(|stores| {
        test(&TestEnv::new(), &stores.fresh, &Known::new(&stores.fresh));
    });
}

fn find<'a>(known: &'a Known, name: &str) -> &'a str {
    known.references.keys().find(|path| path.ends_with(name)).unwrap()
}

#[test]
fn retained_is_what_goes_without_the_path() {
    each_store(|env, store, known| {
        let everything = find(known, "-everything-1.0");
        for roots in [known.tops(), vec![everything]] {
            let target = if roots.len() == 1 { everything } else { "--all" };
            let columns = "path,retained_nar_size,retained_disk_size,retained_inodes";
            let answer = json(env, store, &["report", target, "--columns", columns]);
            let rows = answer["paths"].as_array().unwrap();
            let before = known.closure(&roots, None);
            assert_eq!(rows.len(), before.len());
            let all = known.sizes(&before);
            let check = |row: &Value| {
                let left = known.sizes(&known.closure(&roots, Some(text(row, "path"))));
                assert_eq!(row["retained_nar_size"], all[0] - left[0], "{row}");
                assert_eq!(row["retained_disk_size"], all[1] - left[1], "{row}");
                assert_eq!(row["retained_inodes"], all[2] - left[2], "{row}");
            };
            rows.iter().for_each(check);
            let tree = json(env, store, &["tree", target]);
            for line in tree["lines"].as_array().unwrap() {
                check(line);
                assert_eq!(line["inodes"], known.inodes[text(line, "path")].len(), "{line}");
            }
        }
    });
}

#[test]
fn chains_are_shortest_and_no_longer_than_nix_s() {
    each_nix(|env, store, known| {
        let from = find(known, "-everything-1.0");
        for to in known.references.keys() {
            let answer = ask(env, store, &["--format", "json", "why", from, to]);
            let Some(steps) = known.distance(from, to) else {
                assert_eq!(answer.status, 1, "{}", answer.stderr);
                continue;
            };
            let answer: Value = serde_json::from_str(&answer.ok()).unwrap();
            let lines = answer["lines"].as_array().unwrap();
            assert_eq!(lines.len(), steps + 1, "{to}");
            assert_eq!((text(&lines[0], "path"), text(&lines[steps], "path")), (from, &**to));
            for pair in lines.windows(2) {
                assert!(known.references[text(&pair[0], "path")].contains(text(&pair[1], "path")));
            }
            let nix = store.nix("nix", ["why-depends", from, to]);
            assert!(nix.lines().count() > steps, "{nix}");
        }
    });
}

/// A text of Nix without its colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut escape = false;
    for c in text.chars() {
        match (escape, c) {
            (false, '\x1b') => escape = true,
            (true, 'm') => escape = false,
            (false, c) => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// The files that `nix why-depends --precise` names, as (file, what it refers to).
fn precise_of_nix(text: &str) -> BTreeSet<(String, String)> {
    let mut files = Vec::new();
    let mut found = BTreeSet::new();
    for line in plain(text).lines() {
        let line = line.trim_start_matches(['│', '├', '└', '─', ' ']);
        if let Some(to) = line.strip_prefix("→ ") {
            found.extend(files.drain(..).map(|file| (file, to.to_owned())));
        } else if let Some((file, _)) = line.split_once(" -> ").or(line.split_once(": ")) {
            // `/` is the path itself.
            files.push(file.trim_start_matches('/').to_owned());
        }
    }
    found
}

#[test]
fn precise_finds_what_nix_finds() {
    each_nix(|env, store, known| {
        let from = find(known, "-everything-1.0");
        let mut compared = 0;
        for to in known.closure(&[from], None).iter().filter(|to| *to != from) {
            let nix = store.nix("nix", ["why-depends", "--precise", "--all", from, to]);
            let expected = precise_of_nix(&nix);
            let answer = json(env, store, &["why", from, to, "--all-chains", "--precise"]);
            let found: BTreeSet<_> = (answer["files"].as_array().unwrap().iter())
                .map(|file| {
                    let name = text(file, "file").strip_prefix(text(file, "referrer")).unwrap();
                    let name = name.trim_start_matches('/').to_owned();
                    (name, text(file, "reference").to_owned())
                })
                .collect();
            let missing: Vec<_> = expected.difference(&found).collect();
            assert!(missing.is_empty(), "{missing:?}\n{nix}\n{found:?}");
            compared += expected.len();
            // The file is there, and holds the hash part where it is said to.
            for file in answer["files"].as_array().unwrap() {
                assert!(known.references[text(file, "referrer")].contains(text(file, "reference")));
                if text(file, "kind") == "contents" {
                    let bytes = fs::read(store.real_path(text(file, "file"))).unwrap();
                    let base = text(file, "reference").rsplit('/').next().unwrap();
                    let at = file["offset"].as_u64().unwrap() as usize;
                    assert_eq!(&bytes[at..at + 32], &base.as_bytes()[..32], "{file}");
                }
            }
        }
        assert!(compared > 50, "{compared}");
    });
}

/// The references that a drawn tree of Nix shows: (referrer, reference).
fn edges_of_nix(text: &str) -> BTreeSet<(String, String)> {
    let mut above: Vec<String> = Vec::new();
    let mut edges = BTreeSet::new();
    for line in text.lines() {
        let start = line.find('/').unwrap();
        let level = line[..start].chars().count() / 4;
        let path = line[start..].trim_end_matches(" [...]").to_owned();
        above.truncate(level);
        if let Some(parent) = above.last() {
            edges.insert((parent.clone(), path.clone()));
        }
        above.push(path);
    }
    edges
}

#[test]
fn the_tree_has_the_references_of_nix_s() {
    each_nix(|env, store, known| {
        for top in known.tops() {
            let nix = store.nix("nix-store", ["--query", "--tree", top]);
            let mut expected = edges_of_nix(&nix);
            expected.retain(|(from, to)| from != to);
            let answer = json(env, store, &["tree", top]);
            let lines = answer["lines"].as_array().unwrap();
            let edge = |line: &Value| {
                Some((line["parent"].as_str()?.to_owned(), text(line, "path").to_owned()))
            };
            let found: BTreeSet<_> = lines.iter().filter_map(edge).collect();
            assert_eq!(found, expected);
            // Each reference once, heaviest first.
            assert_eq!(found.len() + 1, lines.len());
            let shallow = json(env, store, &["tree", top, "--depth", "1"]);
            let sizes: Vec<u64> = (shallow["lines"].as_array().unwrap()[1..].iter())
                .map(|line| line["retained_disk_size"].as_u64().unwrap())
                .collect();
            assert_eq!(sizes.len(), known.references[top].len());
            assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        }
        let note = find(known, "-note.txt");
        let answer = json(env, store, &["tree", note, "--inverse"]);
        let users: BTreeSet<_> = answer["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| text(l, "path").to_owned())
            .collect();
        let expected = store.nix("nix-store", ["--query", "--referrers-closure", note]);
        assert_eq!(users, expected.lines().map(str::to_owned).collect());
    });
}

/// Derivations and outputs, each way, and what a build needs.
#[test]
fn derivers_outputs_and_builds_are_those_of_nix() {
    each_nix(|env, store, known| {
        let top = find(known, "-everything-1.0");
        let deriver = |path: &str| {
            let deriver = store.nix("nix-store", ["--query", "--deriver", path]).trim().to_owned();
            (deriver != "unknown-deriver").then_some(deriver)
        };
        let derivers: BTreeMap<String, Option<String>> = (known.closure(&[top], None).into_iter())
            .map(|path| (path.clone(), deriver(&path)))
            .collect();
        let rows = json(env, store, &["report", top, "--columns", "path,deriver"]);
        for row in rows["paths"].as_array().unwrap() {
            assert_eq!(row["deriver"].as_str(), derivers[text(row, "path")].as_deref(), "{row}");
        }
        let valid = |path: &&String| known.references.contains_key(*path);
        let built: BTreeSet<&String> = derivers.values().flatten().filter(valid).collect();
        assert!(built.len() > 5, "{built:?}");
        let report = json(env, store, &["report", top, "--derivers", "--columns", "path,outputs"]);
        let rows = report["paths"].as_array().unwrap();
        assert_eq!(rows.len(), built.len());
        for row in rows {
            assert!(built.contains(&text(row, "path").to_owned()), "{row}");
            // Nix names those not built too.
            let outputs = store.nix("nix-store", ["--query", "--outputs", text(row, "path")]);
            let outputs: Vec<String> = outputs.lines().map(str::to_owned).collect();
            assert_eq!(strings(&row["outputs"]), outputs.iter().filter(valid).cloned().collect());
        }

        let drv = derivers[top].as_deref().unwrap();
        let tree = json(env, store, &["tree", drv]);
        let mut expected = edges_of_nix(&store.nix("nix-store", ["--query", "--tree", drv]));
        expected.retain(|(from, to)| from != to);
        assert_eq!(edges(&tree), expected);

        let (mut chains, mut longest) = (0, 0);
        for (path, input) in &derivers {
            let Some(input) = input.as_ref().filter(valid) else { continue };
            let Some(steps) = known.distance(drv, input) else { continue };
            let why = json(env, store, &["why", "--build", top, path]);
            let lines = why["lines"].as_array().unwrap();
            assert_eq!(lines.len(), steps + 1, "{path}");
            assert_eq!((text(&lines[0], "path"), text(&lines[steps], "path")), (drv, &**input));
            for pair in lines.windows(2) {
                assert!(known.references[text(&pair[0], "path")].contains(text(&pair[1], "path")));
            }
            if steps == 0 {
                continue;
            }
            let args = ["why-depends", "--all", "--derivation", top, path];
            let nix = plain(&store.nix("nix", args));
            let all = json(env, store, &["why", "--build", "--all-chains", top, path]);
            assert_eq!(edges(&all), edges_of_nix(&nix), "{path}");
            (chains, longest) = (chains + 1, longest.max(steps));
        }
        assert!(chains > 5 && longest > 1, "{chains} {longest}");
    });
}

/// The references that a tree of ours shows.
fn edges(answer: &Value) -> BTreeSet<(String, String)> {
    let lines = answer["lines"].as_array().unwrap().iter();
    let above =
        |line: &Value| line["parent"].as_str().or(line["referrer"].as_str()).map(str::to_owned);
    lines.filter_map(|line| Some((above(line)?, text(line, "path").to_owned()))).collect()
}

#[test]
fn who_in_the_whole_store_uses_it() {
    each_nix(|env, store, known| {
        let note = find(known, "-note.txt");
        let answer = json(env, store, &["why", "note.txt"]);
        let users = answer["users"].as_array().unwrap();
        let expected: Vec<&str> =
            known.tops().into_iter().filter(|top| known.distance(top, note).is_some()).collect();
        assert!(!expected.is_empty());
        assert_eq!(users.len(), expected.len());
        for user in users {
            let steps = known.distance(text(user, "user"), note).unwrap();
            assert_eq!(user["steps"], steps);
            assert_eq!(user["chain"].as_array().unwrap().len(), steps + 1);
        }
        let answer = json(env, store, &["why", "note.txt", "--referrers"]);
        let direct: BTreeSet<_> = (answer["lines"].as_array().unwrap().iter())
            .filter(|line| line["depth"] == 1)
            .map(|line| text(line, "path").to_owned())
            .collect();
        let expected = store.nix("nix-store", ["--query", "--referrers", note]);
        assert_eq!(direct, expected.lines().map(str::to_owned).collect());
    });
}

/// The last row of what-if's steps: NAR size, disk size and inodes, and paths.
fn last_step(answer: &Value) -> ([u64; 3], u64) {
    let last = answer["steps"].as_array().unwrap().last().unwrap();
    let number = |key: &str| last[key].as_u64().unwrap();
    assert_eq!(answer["total"]["nar_size_after"], last["nar_size"]);
    assert_eq!(answer["total"]["disk_size_after"], last["disk_size"]);
    assert_eq!(answer["total"]["inodes_after"], last["inodes"]);
    (["nar_size", "disk_size", "inodes"].map(number), number("paths"))
}

#[test]
fn removing_each_path_leaves_what_brute_force_leaves() {
    each_store(|env, store, known| {
        let top = find(known, "-everything-1.0");
        let all = known.closure(&[top], None);
        let mut stayed = 0;
        for path in all.iter().filter(|path| *path != top) {
            let answer = json(env, store, &["what-if", top, "--remove", path]);
            let left = known.closure(&[top], Some(path));
            assert_eq!(last_step(&answer), (known.sizes(&left), left.len() as u64), "{path}");
            let gone: BTreeSet<String> = (answer["gone"].as_array().unwrap().iter())
                .map(|row| text(row, "path").to_owned())
                .collect();
            assert_eq!(gone, all.difference(&left).cloned().collect());
            // What stayed is held by something that is left and is not below the path.
            let below = known.closure(&[path], None);
            for kept in answer["kept"].as_array().unwrap() {
                stayed += 1;
                assert!(left.contains(text(kept, "path")) && below.contains(text(kept, "path")));
                for holder in strings(&kept["held_by"]) {
                    assert!(left.contains(&holder) && !below.contains(&holder), "{kept}");
                    assert!(known.references[&holder].contains(text(kept, "path")));
                }
            }
        }
        assert!(all.len() > 1 && stayed > 0, "{} paths, {stayed} stayed", all.len());
    });
}

#[test]
fn replacing_and_cutting_equal_a_changed_graph() {
    each_store(|env, store, known| {
        let top = find(known, "-everything-1.0");
        let (old, new) = (find(known, "-twin-1.0"), find(known, "-twin-1.1"));
        let diamond = find(known, "-diamond-1.0");
        let chain = find(known, "-chain-11");
        let steps = ["--replace", "twin-1.0=twin-1.1", "--cut", "diamond:chain-11"];
        let args = [["what-if", top].as_slice(), &steps].concat();
        let answer = json(env, store, &args);
        let mut changed = Known {
            references: known.references.clone(),
            nar_sizes: known.nar_sizes.clone(),
            inodes: known.inodes.clone(),
        };
        for references in changed.references.values_mut() {
            if references.remove(old) {
                references.insert(new.to_owned());
            }
        }
        assert!(changed.references.get_mut(diamond).unwrap().remove(chain));
        let left = changed.closure(&[top], None);
        assert_eq!(last_step(&answer), (changed.sizes(&left), left.len() as u64));
        assert!(!left.contains(old) && !left.contains(chain));

        // The same from a file.
        let file = env.join("scenario");
        fs::write(
            &file,
            "# a try\n\nreplace twin-1.0=twin-1.1  # same thing\n--cut diamond:chain-11\n",
        )
        .unwrap();
        let from_file = json(env, store, &["what-if", top, "--scenario", file.to_str().unwrap()]);
        assert_eq!(from_file, answer);
        fs::write(&file, "remove note.txt\nrename a b\n").unwrap();
        let wrong = ask(env, store, &["what-if", top, "--scenario", file.to_str().unwrap()]);
        assert_eq!(wrong.status, 2);
        assert!(wrong.stderr.contains("scenario:2"), "{}", wrong.stderr);
    });
}

/// Files dropped in thought against files deleted.
#[test]
fn dropping_files_is_what_deleting_them_gains() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root_optimised.copy(&env, "copy");
    let known = Known::new(&store);
    let top = find(&known, "-everything-1.0");
    let remove = find(&known, "-common-a-1.0");
    let steps = ["--drop-files", "share/common-[1-9]*", "--remove", remove];
    let steps = [&steps, ["--drop-files", "{libexec,bin/three,deep}"].as_slice()].concat();
    let answer = json(&env, &store, &[["what-if", top].as_slice(), &steps].concat());
    let (sizes, _) = last_step(&answer);
    let dropped: Vec<u64> = (answer["steps"].as_array().unwrap().iter())
        .map(|step| step["files_dropped"].as_u64().unwrap())
        .collect();
    assert!(dropped[1] > 20 && dropped[2] == 0 && dropped[3] > 40, "{dropped:?}");

    let left = known.closure(&[top], Some(remove));
    let mut inodes = BTreeMap::new();
    let mut nar_sizes = 0;
    for path in &left {
        let real = store.real_path(path);
        let script = r#"chmod -R u+w "$1" 2>/dev/null; cd "$1" 2>/dev/null || exit 0
            rm -rf share/common-[1-9]* libexec bin/three deep"#;
        if fs::symlink_metadata(&real).unwrap().is_dir() {
            run(Command::new("sh").args(["-c", script, "sh"]).arg(&real)).ok();
        }
        gather(&real, &mut inodes);
        let nar = run(store.nix.command("nix-store").arg("--dump").arg(&real));
        nar_sizes += nar.stdout_bytes.len() as u64;
    }
    assert_eq!(sizes, [nar_sizes, inodes.values().sum::<u64>(), inodes.len() as u64]);
}

#[test]
fn suggestions_hold_what_they_promise() {
    each_store(|env, store, known| {
        let top = find(known, "-everything-1.0");
        let answer = json(env, store, &["suggest", top, "--limit", "8"]);
        let list = answer["suggestions"].as_array().unwrap();
        assert_eq!(list.len(), 8);
        let mut args = vec!["what-if", top];
        for suggestion in list {
            args.extend(text(suggestion, "flags").split(' '));
            // Each alone, and all up to here.
            let alone: Vec<&str> = text(suggestion, "flags").split(' ').collect();
            let alone = json(env, store, &[["what-if", top].as_slice(), &alone].concat());
            let (before, step) = (&alone["steps"][0], &alone["steps"][1]);
            let change = |key: &str| -step[key].as_i64().unwrap();
            assert_eq!(suggestion["alone_nar_size"], change("nar_change"), "{suggestion}");
            assert_eq!(suggestion["alone_disk_size"], change("disk_change"), "{suggestion}");
            let inodes = |step: &Value| step["inodes"].as_u64().unwrap();
            assert_eq!(suggestion["alone_inodes"], inodes(before) - inodes(step), "{suggestion}");
        }
        let followed = json(env, store, &args);
        let steps = followed["steps"].as_array().unwrap();
        for ((suggestion, step), before) in list.iter().zip(&steps[1..]).zip(steps) {
            let inodes = |step: &Value| step["inodes"].as_u64().unwrap();
            assert_eq!(suggestion["gain_inodes"], inodes(before) - inodes(step), "{suggestion}");
            let change = |key: &str| -step[key].as_i64().unwrap();
            assert_eq!(suggestion["gain_nar_size"], change("nar_change"), "{suggestion}");
            assert_eq!(suggestion["gain_disk_size"], change("disk_change"), "{suggestion}");
            assert_eq!(suggestion["paths"], step["gone"], "{suggestion}");
        }
        assert_eq!(answer["total"]["disk_size_after"], followed["total"]["disk_size_after"]);
    });
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error_with_near_names() {
    let Some(stores) = nix::stores() else { return };
    let (env, store) = (TestEnv::new(), &stores.root);
    for args in [
        ["what-if", "everything-1.0", "--remove", "symlnks"],
        ["what-if", "everything-1.0", "--replace", "symlnks=note.txt"],
        ["what-if", "everything-1.0", "--cut", "everything:symlnks"],
        ["why", "everything-1.0", "symlnks*", "--all-chains"],
        ["why", "everything-1.0", "symlnks", "--precise"],
        ["tree", "symlnks", "--depth", "1"],
        ["suggest", "symlnks", "--limit", "1"],
    ] {
        let answer = ask(&env, store, &args);
        assert_eq!(answer.status, 2, "{args:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("symlinks-1.0"), "{args:?}: {}", answer.stderr);
    }
    let answer = ask(&env, store, &["what-if", "everything-1.0", "--drop-files", "shar/**"]);
    assert_eq!(answer.status, 2);
    assert!(answer.stderr.contains("share"), "{}", answer.stderr);
    // Both are there, but one does not refer to the other.
    let answer = ask(&env, store, &["what-if", "everything-1.0", "--cut", "note.txt:symlinks"]);
    assert_eq!(answer.status, 2);
    assert!(answer.stderr.contains("does not refer"), "{}", answer.stderr);
}

/// Where a glob begins with plain names, only those directories are looked
/// into; one that says the same otherwise must find the same.
#[test]
fn a_glob_finds_the_same_however_it_is_written() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let dropped = |glob: &str| {
        let args = ["what-if", "everything-1.0", "--drop-files", glob];
        let total = json(&env, &stores.root_optimised, &args)["total"].clone();
        ["nar_size_after", "disk_size_after"].map(|key| total[key].as_u64().unwrap())
    };
    let [before, _] = dropped("share/common-1");
    for (plain, other) in [
        ("share/**", "{share}/**"),
        ("share", "shar[e]"),
        ("dir/inner/**", "*/inner/**"),
        ("share/common-large", "**/common-large"),
        ("share/man/man1", "*/*/man1"),
    ] {
        assert_eq!(dropped(plain), dropped(other), "{plain}");
    }
    let [after, _] = dropped("share/**");
    assert!(after < before);
}

/// A FIFO in a path blocks nothing; it is not a file that could hold a reference.
#[test]
fn a_fifo_blocks_neither_why_nor_what_if() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    let top = store.real_path(&store.find("everything-1.0"));
    run(Command::new("chmod").arg("u+w").arg(&top)).ok();
    run(Command::new("mkfifo").arg(top.join("fifo"))).ok();
    let answer = ask(&env, &store, &["why", "everything-1.0", "note.txt", "--precise"]);
    assert!(answer.ok().contains("-note.txt"));
    let args = ["what-if", "everything-1.0", "--drop-files", "{fifo,share/**}"];
    let answer = ask(&env, &store, &args);
    // The FIFO is warned of, as it has no place in a NAR.
    assert_eq!(answer.status, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("fifo"), "{}", answer.stderr);
}
