//! `report` and the overview against real Nix, `du`, and nonsense.

use crate::support::nix::{self, Store, Stores};
use crate::support::{TestEnv, du, du_inodes, run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// `nix-census report` with these arguments, by path.
fn report(env: &TestEnv, store: &Store, args: &[&str]) -> (Value, BTreeMap<String, Value>) {
    let mut all = store.args();
    all.extend(["report", "--format", "json"].map(Into::into));
    all.extend(args.iter().map(Into::into));
    let answer = env.json(all);
    assert_eq!(answer["complete"], true, "{}", answer["warnings"]);
    let rows = answer["paths"].as_array().unwrap().iter();
    let rows = rows.map(|row| (row["path"].as_str().unwrap().to_owned(), row.clone())).collect();
    (answer, rows)
}

/// The lines of a command of Nix, as a set.
fn lines(store: &Store, args: &[&str]) -> BTreeSet<String> {
    store.nix("nix-store", args).lines().map(str::to_owned).collect()
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// The stores of every version of Nix.
fn each_store(test: impl Fn(&TestEnv, &Store)) {
    nix::each_stores(|stores| shapes(stores, &test));
}

/// Those of one version, for what does not depend on Nix.
fn each_shape(test: impl Fn(&TestEnv, &Store)) {
    if let Some(stores) = nix::stores() {
        shapes(stores, test);
    }
}

fn shapes(stores: &Stores, test: impl Fn(&TestEnv, &Store)) {
    for store in [&stores.fresh, &stores.root_optimised, &stores.partly] {
        test(&TestEnv::new(), store);
    }
}

#[test]
fn equals_nix_path_info() {
    each_store(|env, store| {
        let (_, rows) = report(env, store, &["--all"]);
        let infos = store.path_infos(&["-S"]);
        assert_eq!(infos.len(), rows.len());
        for (path, info) in infos {
            let row = &rows[&path];
            assert_eq!(row["nar_size"], info["narSize"], "{row}");
            assert_eq!(row["disk_nar_size"], info["narSize"], "{row}");
            assert_eq!(row["closure_nar_size"], info["closureSize"], "{row}");
            assert_eq!(row["hash"], info["narHash"], "{row}");
            assert_eq!(row["registration_time"], info["registrationTime"], "{row}");
            assert_eq!(row["deriver"], *info.get("deriver").unwrap_or(&Value::Null), "{row}");
            assert_eq!(row["ca"], *info.get("ca").unwrap_or(&Value::Null), "{row}");
            assert_eq!(row["ultimate"], *info.get("ultimate").unwrap_or(&false.into()), "{row}");
            assert_eq!(strings(&row["references"]), strings(&info["references"]), "{row}");
            let empty = Value::Array(Vec::new());
            let signatures = info.get("signatures").unwrap_or(&empty);
            assert_eq!(strings(&row["signatures"]), strings(signatures), "{row}");
        }
        let signed = rows.values().any(|row| !strings(&row["signatures"]).is_empty());
        assert!(signed, "some path must be signed for this test to mean anything");
    });
}

#[test]
fn equals_nix_store_queries() {
    nix::each_stores(|stores| {
        // One store is enough: what Nix asks is the database.
        let (env, store) = (&TestEnv::new(), &stores.fresh);
        let (_, rows) = report(env, store, &["--all"]);
        for (path, row) in &rows {
            let referrers = lines(store, &["--query", "--referrers", path]);
            assert_eq!(strings(&row["referrers"]), referrers, "{path}");
        }
        let heaviest = rows.values().max_by_key(|row| row["closure_nar_size"].as_u64()).unwrap();
        let target = heaviest["path"].as_str().unwrap();
        let (_, closure) = report(env, store, &[target, "--columns", "path"]);
        let expected = lines(store, &["--query", "--requisites", target]);
        assert_eq!(closure.into_keys().collect::<BTreeSet<_>>(), expected);
    });
}

#[test]
fn equals_du_by_path_and_in_all() {
    each_shape(|env, store| {
        let (answer, rows) = report(env, store, &["--all"]);
        for (path, row) in &rows {
            assert_eq!(row["disk_size"], du(&[store.real_path(path)]), "{path}");
            assert_eq!(row["inodes"], du_inodes(&[store.real_path(path)]), "{path}");
        }
        let mut args = store.args();
        args.extend(["--format", "json"].map(Into::into));
        let overview = env.json(args);
        assert_eq!(overview["store_disk_size"], du(&[&store.real_store_dir]));
        assert_eq!(overview["disk_size"], answer["total"]["disk_size"]);
        assert_eq!(overview["paths"], rows.len());
        let mut find = Command::new("find");
        let inodes = run(find.arg(&store.real_store_dir).args(["-printf", "%i\\n"])).ok();
        let inodes = inodes.lines().collect::<BTreeSet<_>>().len();
        assert_eq!(overview["store_inodes"], inodes);
        assert_eq!(overview["inodes"], answer["total"]["inodes"]);
        // All paths in one call: du counts each inode once, as the total does.
        let paths: Vec<_> = rows.keys().map(|path| store.real_path(path)).collect();
        assert_eq!(answer["total"]["disk_size"], du(&paths));
        assert_eq!(answer["total"]["inodes"], du_inodes(&paths));
    });
}

#[test]
fn a_closure_on_disk_counts_each_inode_once() {
    each_shape(|env, store| {
        let (_, rows) = report(env, store, &["--all"]);
        for (path, row) in &rows {
            let closure = closure(&rows, path);
            let paths: Vec<_> = closure.iter().map(|path| store.real_path(path)).collect();
            assert_eq!(row["closure_disk_size"], du(&paths), "{path}");
            assert_eq!(row["closure_inodes"], du_inodes(&paths), "{path}");
            // The same from a census of that closure alone.
            if closure.len() > 2 {
                let (answer, alone) = report(env, store, &[path]);
                assert_eq!(answer["total"]["disk_size"], row["closure_disk_size"], "{path}");
                // What is retained is counted within the examined set.
                let mut alone = alone[path].clone();
                assert_eq!(alone["retained_nar_size"], row["closure_nar_size"], "{path}");
                assert_eq!(alone["retained_disk_size"], row["closure_disk_size"], "{path}");
                assert_eq!(alone["retained_inodes"], row["closure_inodes"], "{path}");
                let physical = "retained_physical_size";
                assert_eq!(alone[physical], row["closure_physical_size"], "{path}");
                let retained = ["retained_nar_size", "retained_disk_size", "retained_inodes"];
                for key in retained.into_iter().chain([physical]) {
                    alone[key] = row[key].clone();
                }
                assert_eq!(alone, *row, "{path}");
            }
        }
    });
}

/// The closure of a path; that the references are those of Nix, other tests show.
fn closure(rows: &BTreeMap<String, Value>, path: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        if seen.insert(path.clone()) {
            todo.extend(strings(&rows[&path]["references"]));
        }
    }
    seen
}

/// Reclaimable sizes against the disk itself: delete the path, look how much
/// the store shrank.
#[test]
fn reclaimable_is_what_deleting_frees() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root_optimised.copy(&env, "copy");
    let (_, rows) = report(&env, &store, &["--all"]);
    let links = store.real_store_dir.join(".links");
    for (path, row) in &rows {
        let real = store.real_path(path);
        let before = du(&[&store.real_store_dir]) - du_of_unused(&links);
        let backup = env.join("backup");
        std::fs::rename(&real, &backup).unwrap();
        // What only `.links` still names would go with it.
        let after = du(&[&store.real_store_dir]) - du_of_unused_without(&links, &backup);
        std::fs::rename(&backup, &real).unwrap();
        assert_eq!(row["reclaimable_size"], before - after, "{path}");
    }
}

/// The blocks of entries of `.links` that have no other name.
fn du_of_unused(links: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(links).unwrap().map(|e| e.unwrap().metadata().unwrap());
    entries.filter(|m| m.nlink() == 1).map(|m| m.blocks() * 512).sum()
}

/// The same if the tree `gone`, elsewhere on the file system, did not exist.
fn du_of_unused_without(links: &Path, gone: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut names: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(gone).follow_root_links(false) {
        let meta = entry.unwrap().metadata().unwrap();
        *names.entry(meta.ino()).or_default() += 1;
    }
    let entries = std::fs::read_dir(links).unwrap().map(|e| e.unwrap().metadata().unwrap());
    let left = |m: &std::fs::Metadata| m.nlink() - names.get(&m.ino()).copied().unwrap_or(0);
    entries.filter(|m| left(m) == 1).map(|m| m.blocks() * 512).sum()
}

#[test]
fn every_way_to_name_a_target() {
    let Some(stores) = nix::stores() else { return };
    let store = &stores.fresh;
    let env = TestEnv::new();
    let (_, rows) = report(&env, store, &["--all"]);
    let one = |target: &str| {
        let (_, rows) = report(&env, store, &[target, "--no-closure", "--columns", "path"]);
        rows.into_keys().next().unwrap()
    };
    let directory = rows.values().find(|r| r["directories"].as_u64() > Some(1)).unwrap();
    let path = directory["path"].as_str().unwrap();
    let base = path.rsplit('/').next().unwrap();
    assert_eq!(one(path), path);
    assert_eq!(one(&format!("{path}/some/thing")), path);
    assert_eq!(one(&format!("{path}//")), path);
    assert_eq!(one(base), path);
    assert_eq!(one(&base[..32]), path);
    let unique = (7..32).map(|n| &base[..n]).find(|prefix| {
        rows.keys().filter(|p| p.rsplit('/').next().unwrap().starts_with(prefix)).count() == 1
    });
    assert_eq!(one(unique.unwrap()), path);
    std::os::unix::fs::symlink(path, env.join("result")).unwrap();
    std::os::unix::fs::symlink("result", env.join("again")).unwrap();
    assert_eq!(one("./result"), path);
    assert_eq!(one("result"), path);
    assert_eq!(one("./again/bin"), path);
    assert_eq!(one(env.join("again").to_str().unwrap()), path);
    let profile = store.real_state_dir.join("profiles/system");
    let generation = std::fs::canonicalize(&profile).unwrap();
    assert_eq!(one(profile.to_str().unwrap()), generation.to_str().unwrap());
}

#[test]
fn a_root_is_never_left() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "image");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, store.dir.join(name)).unwrap();
    };
    let path = store.valid_paths().remove(0);
    link(&path, "result");
    link("/result", "absolute");
    link("../../../../result", "dotted");
    link("/etc", "outside");
    for name in ["/result", "/absolute", "/dotted", "result/x"] {
        let (_, rows) = report(&env, &store, &[name, "--no-closure", "--columns", "path"]);
        assert_eq!(rows.into_keys().collect::<Vec<_>>(), std::slice::from_ref(&path), "{name}");
    }
    let mut args = store.args();
    args.extend(["report", "/outside/passwd"].map(Into::into));
    let run = env.run(args);
    assert_eq!(run.status, 2, "{}", run.stderr);
    assert!(run.stderr.contains("/etc does not exist"), "{}", run.stderr);
}

#[test]
fn unknown_and_ambiguous_targets_list_candidates() {
    let Some(stores) = nix::stores() else { return };
    let store = &stores.fresh;
    let env = TestEnv::new();
    let failing = |args: &[&str]| {
        let mut all = store.args();
        all.push("report".into());
        all.extend(args.iter().map(Into::into));
        let run = env.run(all);
        assert_eq!((run.status, &*run.stdout), (2, ""), "{}", run.stderr);
        run.stderr
    };
    let name = "everything-1.0";
    let near = failing(&[&name[..name.len() - 1]]);
    assert!(near.contains(name), "{near}");
    let invalid = failing(&[&format!("{}/nothing", store.store_dir.display())]);
    assert!(invalid.contains("is not a valid path"), "{invalid}");
    // Eleven paths of one package.
    let ambiguous = failing(&["chain"]);
    assert!(ambiguous.contains("could be any of"), "{ambiguous}");
    let escaped = failing(&["\x1b[31mred"]);
    assert!(escaped.contains("\\x1b[31mred") && !escaped.contains('\x1b'), "{escaped}");
    assert!(failing(&["--all", "--sort", "size"]).contains("nar_size, disk_size"));
    assert!(failing(&["--all", "--filter", "no such name"]).contains("no such name"));
    assert!(failing(&["--all", "--filter", "[bad"]).contains("not a valid pattern"));
    assert!(failing(&["--all", "--no-disk", "--sort", "disk_size"]).contains("--no-disk"));
}

#[test]
fn sorts_limits_filters() {
    let Some(stores) = nix::stores() else { return };
    let store = &stores.fresh;
    let env = TestEnv::new();
    let column = |args: &[&str], key: &str| -> Vec<Value> {
        let mut all = store.args();
        all.extend(["report", "--all", "--format", "json"].map(Into::into));
        all.extend(args.iter().map(Into::into));
        let answer = env.json(all);
        answer["paths"].as_array().unwrap().iter().map(|r| r[key].clone()).collect()
    };
    let numbers = |args: &[&str], key: &str| -> Vec<u64> {
        column(args, key).iter().map(|v| v.as_u64().unwrap()).collect()
    };
    let sizes = numbers(&["--sort", "nar_size"], "nar_size");
    assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes.len() > 3);
    let mut reversed = numbers(&["--sort", "nar_size", "--reverse"], "nar_size");
    reversed.reverse();
    assert_eq!(reversed, sizes);
    assert_eq!(numbers(&["--sort", "nar_size", "--limit", "2"], "nar_size"), sizes[..2]);
    let names = column(&["--sort", "name"], "name");
    assert!(names.is_sorted_by_key(|n| n.as_str().unwrap().to_owned()));
    let drvs = column(&["--filter", "*.drv"], "name");
    assert!(!drvs.is_empty() && drvs.iter().all(|n| n.as_str().unwrap().ends_with(".drv")));
}

#[test]
fn formats_agree() {
    let Some(stores) = nix::stores() else { return };
    let store = &stores.fresh;
    let env = TestEnv::new();
    let (_, rows) = report(&env, store, &["--all"]);
    let mut args = store.args();
    args.extend(["report", "--all", "--format", "csv"].map(Into::into));
    let csv = env.ok(args.clone());
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let first = rows.values().next().unwrap().as_object().unwrap();
    assert_eq!(headers.iter().collect::<BTreeSet<_>>(), first.keys().map(|k| &**k).collect());
    let mut count = 0;
    for record in reader.records() {
        let record = record.unwrap();
        let row = &rows[&record[0]];
        for (key, value) in headers.iter().zip(&record) {
            match &row[key] {
                Value::Null => assert_eq!(value, "", "{key}"),
                Value::Array(list) if key != "signatures" => {
                    assert_eq!(value, list.len().to_string(), "{key}");
                }
                Value::Array(_) => {}
                Value::String(text) => assert_eq!(value, text, "{key}"),
                other => assert_eq!(value, other.to_string(), "{key}"),
            }
        }
        count += 1;
    }
    assert_eq!(count, rows.len());
    // A file holds what standard output would.
    let file = env.join("answer.csv");
    args.extend(["--output".into(), file.clone().into()]);
    assert_eq!(env.ok(args), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), csv);
}

#[test]
fn a_full_disk_is_told_and_a_closed_pipe_is_not() {
    let Some(stores) = nix::stores() else { return };
    let store = &stores.fresh;
    let env = TestEnv::new();
    let mut args = store.args();
    args.extend(["report", "--all", "--no-disk", "--output", "/dev/full"].map(Into::into));
    let run_full = env.run(args);
    assert_eq!(run_full.status, 3, "{}", run_full.stderr);
    assert!(run_full.stderr.contains("/dev/full"), "{}", run_full.stderr);
    let mut args = store.args();
    args.extend(["report", "--all", "--format", "json"].map(Into::into));
    let program = env!("CARGO_BIN_EXE_nix-census");
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", "\"$0\" \"$@\" | head -c 10"]).arg(program).args(args);
    let piped = run(&mut shell);
    assert_eq!((piped.status, &*piped.stderr), (0, ""));
}
