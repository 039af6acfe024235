//! Catalogs without a database: registrations, path-info JSON, the disk alone.

use crate::support::nix::{self, Store};
use crate::support::{TestEnv, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

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

/// The arguments for each form in which this version prints `nix path-info --json`.
fn path_info_forms(store: &Store) -> Vec<Vec<&'static str>> {
    let mut forms = vec![vec![]];
    if store.nix.since("2.34") {
        forms.extend(["1", "2"].map(|format| vec!["--json-format", format]));
    }
    let sizes = forms.clone().into_iter().map(|mut form| {
        form.push("--closure-size");
        form
    });
    forms.extend(sizes.collect::<Vec<_>>());
    forms
}

#[test]
fn registrations_and_path_infos_equal_the_database() {
    nix::each_stores(|stores| {
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
            for form in path_info_forms(store) {
                let args = ["path-info", "--all", "--json"].iter().chain(&form);
                fs::write(&json, store.nix("nix", args)).unwrap();
                let args = ["--path-info".into(), json.clone().into()];
                let found = rows(&env, with(store, &args));
                same(&expected, &found, &["output", "version", "pname"]);
            }
        }
    });
}

/// Of a binary cache `nix path-info` prints more, and that a path is not in it.
#[test]
fn path_infos_of_a_binary_cache_equal_the_database() {
    nix::each_stores(|stores| {
        let (env, store) = (TestEnv::new(), &stores.root);
        let expected = rows(&env, store.args());
        let path = store.find("everything-1.0");
        let cache = format!("file://{}?compression=none", env.join("cache").display());
        store.nix("nix", ["copy", "--no-check-sigs", "--to", &cache, &path]);
        let not_in_it = store.find("dead-1.0");
        let file = env.join("json");
        for form in path_info_forms(store) {
            let args = ["path-info", "--store", &cache, "--json", "--all"].into_iter();
            let args = args.chain(form.clone());
            fs::write(&file, store.nix("nix", args)).unwrap();
            let mut args: Vec<OsString> = ["--no-disk", "--path-info"].map(Into::into).into();
            args.extend([file.clone().into()]);
            let found = rows(&env, args);
            assert!(found.len() > 10 && found.len() < expected.len());
            for (path, row) in found {
                for key in [
                    "nar_size",
                    "references",
                    "hash",
                    "deriver",
                    "signatures",
                    "ca",
                    "closure_nar_size",
                ] {
                    assert_eq!(row[key], expected[&path][key], "{path} {key} {form:?}");
                }
                assert_eq!(row["download_size"], row["nar_size"], "{path} {form:?}");
            }
            // That one is not in it.
            let args = ["path-info", "--store", &cache, "--json", &path, &not_in_it];
            fs::write(&file, store.nix("nix", args.into_iter().chain(form.clone()))).unwrap();
            let args = ["--no-disk", "--path-info"].map(OsString::from).into_iter();
            let args = args.chain([file.clone().into()]);
            let args = args.chain(
                ["report", "--all", "--columns", "path", "--format", "json"].map(Into::into),
            );
            let answer = env.json(args);
            assert_eq!(answer["paths"].as_array().unwrap().len(), 1);
            assert_eq!(answer["paths"][0]["path"], path);
            let warnings = answer["warnings"].to_string();
            assert!(warnings.contains(&not_in_it), "{warnings}");
            assert!(warnings.contains("the file says that it is not valid"), "{warnings}");
        }
    });
}

#[test]
fn a_scan_finds_the_references_that_nix_found() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        for store in [&stores.fresh, &stores.root_optimised] {
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
    });
}

#[test]
fn registrations_of_images_are_found_by_themselves() {
    nix::each_stores(registrations_of_images);
}

fn registrations_of_images(stores: &'static nix::Stores) {
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
    let disk = [
        "disk_size",
        "copied_disk_size",
        "reclaimable_size",
        "closure_disk_size",
        "retained_disk_size",
        "physical_size",
        "uncompressed_size",
        "referenced_size",
        "reclaimable_physical_size",
        "closure_physical_size",
        "retained_physical_size",
    ];
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
    assert!(try_it("--registration", "hello\n").contains("line 1: this is not a registration"));
    assert!(try_it("--path-info", "[\n{}]").contains("line 2"));
    assert!(try_it("--registration", "/gnu/store/x\n\n0\n").contains("none of the paths is in"));
}

/// `nix path-info` of one path, with and without its closure, in a private store.
#[test]
fn a_path_info_that_is_no_closure_keeps_what_it_states() {
    nix::each_stores(|stores| one_path_info(&stores.root));
}

fn one_path_info(store: &Store) {
    let env = TestEnv::new();
    let expected = rows(&env, store.args());
    // The path with the most references.
    let references = |row: &Value| row["references"].as_array().unwrap().len();
    let (path, row) = expected.iter().max_by_key(|(_, row)| references(row)).unwrap();
    assert!(references(row) > 1);
    let file = env.join("json");
    for form in path_info_forms(store) {
        let closure_size = form.contains(&"--closure-size");
        let args = ["path-info", "--json", path].into_iter().chain(form);
        fs::write(&file, store.nix("nix", args)).unwrap();
        let args = |more: &[&str]| {
            let mut args: Vec<OsString> = ["--no-disk", "--path-info"].map(Into::into).into();
            args.push(file.clone().into());
            args.extend(more.iter().map(Into::into));
            args.extend(["--format", "json"].map(Into::into));
            args
        };
        let run = env.run(args(&["report", "--all"]));
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.status, &answer["complete"]), (3, &false.into()));
        let found = &answer["paths"][0];
        for key in ["path", "nar_size", "references", "hash", "deriver", "signatures"] {
            assert_eq!(found[key], row[key], "{key}");
        }
        let stated = if closure_size { row["closure_nar_size"].clone() } else { Value::Null };
        assert_eq!(found["closure_nar_size"], stated);
        assert_eq!(found["retained_nar_size"], Value::Null);
        // What needs no closure is complete.
        let columns = ["report", "--all", "--columns", "path,nar_size,references"];
        assert_eq!(env.json(args(&columns))["complete"], true);
        let audit = env.run(args(&["audit"]));
        assert_eq!(audit.status, 0, "{}", audit.stderr);
        // Its closure is not all there.
        let audit = env.run(args(&["audit", path]));
        assert_eq!(audit.status, 3, "{}", audit.stderr);
    }
}

#[test]
fn a_dash_is_standard_input() {
    let env = TestEnv::new();
    let path = format!("/nix/store/{:032}-a", 1);
    let registration = format!("{path}\n{:064}\n120\n\n0\n", 1);
    let json = format!(
        r#"[{{"path":"{path}","narHash":"sha256:{:064}","narSize":120,"references":[]}}]"#,
        1
    );
    for (flag, text) in [("--registration", registration), ("--path-info", json)] {
        let args = [flag, "-", "--no-disk", "report", "--all", "--format", "json"];
        let mut command = env.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["paths"][0]["nar_size"], 120, "{flag}");
        assert_eq!(answer["paths"][0]["registration_time"], Value::Null, "{flag}");
    }
}

#[test]
fn a_root_that_is_a_file_is_named_for_what_it_is() {
    let env = TestEnv::new();
    let file = env.join("image");
    let try_it = |at: usize, mark: &[u8]| {
        let mut bytes = vec![0; 4096];
        bytes[at..at + mark.len()].copy_from_slice(mark);
        fs::write(&file, bytes).unwrap();
        let run = env.run(["--root".as_ref(), file.as_os_str()]);
        assert_eq!(run.status, 2, "{}", run.stderr);
        run.stderr
    };
    let squashfs = try_it(0, b"hsqs");
    assert!(squashfs.contains("this is a squashfs image"), "{squashfs}");
    assert!(squashfs.contains("hint: mount it first: mount -o ro,loop"), "{squashfs}");
    assert!(try_it(1080, b"\x53\xef").contains("an ext2, ext3 or ext4 image"));
    assert!(try_it(512, b"EFI PART").contains("losetup"));
    assert!(try_it(0, b"hello").contains("this is not a directory"));
}
