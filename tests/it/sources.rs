//! Catalogs without a database: registrations, path-info JSON, the disk alone.

use crate::support::nix::{self, Store};
use crate::support::{TestEnv, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::process::Command;

/// The rows of a report on the whole store, by path.
fn rows(env: &TestEnv, args: Vec<OsString>) -> BTreeMap<String, Value> {
    let mut args = args;
    args.extend(["report", "--all", "--format", "json"].map(Into::into));
    let answer = env.json(args);
    assert_eq!(answer["complete"], true, "{}", answer["warnings"]);
    let rows = answer["paths"].as_array().unwrap().iter();
    rows.map(|row| (row["path"].as_str().unwrap().to_owned(), row.clone())).collect()
}

fn same(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>, except: &[&str]) {
    assert!(a.keys().eq(b.keys()), "{:?}\n{:?}", a.keys(), b.keys());
    for (path, row) in a {
        for (key, value) in row.as_object().unwrap() {
            if !except.contains(&key.as_str()) {
                assert_eq!(value, &b[path][key], "{path} {key}");
            }
        }
    }
}

fn with(store: &Store, args: &[OsString]) -> Vec<OsString> {
    let mut all = store.args();
    all.extend_from_slice(args);
    all
}

#[test]
fn registrations_and_path_infos_equal_the_database() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    for store in [&stores.fresh, &stores.root_optimised] {
        let expected = rows(&env, store.args());
        let dump = env.join("dump");
        fs::write(&dump, store.nix("nix-store", ["--dump-db"])).unwrap();
        let found = rows(&env, with(store, &["--registration".into(), dump.into()]));
        // What a registration does not have.
        let lost =
            ["registration_time", "ultimate", "signatures", "ca", "output", "version", "pname"];
        same(&expected, &found, &lost);
        let json = env.join("json");
        fs::write(&json, store.nix("nix", ["path-info", "--all", "--json"])).unwrap();
        let found = rows(&env, with(store, &["--path-info".into(), json.into()]));
        same(&expected, &found, &["output", "version", "pname"]);
    }
}

#[test]
fn a_scan_finds_the_references_that_nix_found() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    for store in [&stores.fresh, &stores.optimised, &stores.root_optimised] {
        let expected = rows(&env, store.args());
        let found = rows(&env, with(store, &["--scan".into()]));
        for (path, row) in &expected {
            for key in [
                "references",
                "referrers",
                "nar_size",
                "disk_nar_size",
                "closure_nar_size",
                "disk_size",
            ] {
                assert_eq!(row[key], found[path][key], "{path} {key}");
            }
        }
        assert_eq!(expected.len(), found.len());
    }
}

#[test]
fn registrations_of_images_are_found_by_themselves() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let dump = stores.root.nix("nix-store", ["--dump-db"]);
    let lost = ["registration_time", "ultimate", "signatures", "ca", "output", "version", "pname"];
    for place in ["nix-path-registration", "nix/store/nix-path-registration"] {
        let store = stores.root.copy(&env, "image");
        let expected = rows(&env, store.args());
        fs::remove_dir_all(store.real_state_dir.join("db")).unwrap();
        fs::write(store.dir.join(place), &dump).unwrap();
        same(&expected, &rows(&env, store.args()), &lost);
        fs::remove_dir_all(&store.dir).unwrap();
    }
    // The squashfs of an ISO image: its top is the store.
    let top = env.join("top");
    let copy = run(Command::new("cp").arg("-a").arg(&stores.root.real_store_dir).arg(&top));
    copy.ok();
    let expected = rows(&env, stores.root.args());
    // A copy of a directory may take a block less.
    let disk = ["disk_size", "reclaimable_size", "closure_disk_size", "retained_disk_size"];
    let ignored: Vec<&str> = lost.iter().chain(&disk).copied().collect();
    fs::write(top.join("nix-path-registration"), &dump).unwrap();
    same(&expected, &rows(&env, vec!["--root".into(), top.clone().into()]), &ignored);
    let found = rows(&env, vec!["--root".into(), top.into(), "--scan".into()]);
    assert_eq!(found.len(), expected.len());
}

#[test]
fn two_databases_are_joined() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let (upper, lower) = (stores.root.copy(&env, "upper"), &stores.root);
    let expected = rows(&env, upper.args());
    let db = rusqlite::Connection::open(upper.real_state_dir.join("db/db.sqlite")).unwrap();
    let sql = "DELETE FROM ValidPaths WHERE path LIKE '%.drv'";
    assert!(db.execute("DELETE FROM Refs WHERE referrer IN (SELECT id FROM ValidPaths WHERE path LIKE '%.drv')", []).unwrap() > 0);
    assert!(db.execute(sql, []).unwrap() > 0);
    drop(db);
    let found = rows(&env, with(&upper, &["--lower".into(), lower.dir.clone().into()]));
    same(&expected, &found, &["output", "version", "pname"]);
}

#[test]
fn nonsense_is_told_with_its_line() {
    let env = TestEnv::new();
    fs::create_dir_all(env.join("root/nix/store")).unwrap();
    let file = env.join("file");
    let try_it = |flag: &str, text: &str| {
        fs::write(&file, text).unwrap();
        let root = env.join("root");
        let run = env.run(["--root".as_ref(), root.as_os_str(), flag.as_ref(), file.as_os_str()]);
        assert_eq!(run.status, 3, "{}", run.stderr);
        run.stderr
    };
    assert!(try_it("--registration", "hello\n").contains("line 1: this is no path"));
    assert!(try_it("--path-info", "[\n{}]").contains("line 2"));
    assert!(try_it("--registration", "/gnu/store/x\n\n0\n").contains("none of the paths is in"));
}
