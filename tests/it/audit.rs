//! `audit` against real Nix: what was changed is found, and nothing else.

use crate::support::nix::{self, Store};
use crate::support::{Run, TestEnv, copy_tree, have, nobody, root, run, skip};
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

type Findings = BTreeSet<(String, String)>;

fn audit(env: &TestEnv, store: &Store, args: &[&str]) -> (Run, Findings) {
    let mut all = store.args();
    all.extend(["audit", "--format", "json"].map(Into::into));
    all.extend(args.iter().map(Into::into));
    let run = env.run(all);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}\n{}", run.stdout, run.stderr));
    let prefix = format!("{}/", store.store_dir.display());
    let findings = answer["findings"].as_array().unwrap().iter();
    let findings = findings.map(|f| {
        let text = |key: &str| f[key].as_str().unwrap().to_owned();
        assert!(["error", "warning", "note"].contains(&&*text("severity")));
        assert!(!text("hint").is_empty());
        let path = text("path");
        // Without store directory and hash part: `name/file`.
        let path = path.strip_prefix(&prefix).unwrap_or(&path);
        let path = match path.as_bytes().get(32) {
            Some(b'-') => &path[33..],
            _ => path,
        };
        (text("kind"), path.to_owned())
    });
    (run, findings.collect())
}

fn expect(env: &TestEnv, store: &Store, args: &[&str], expected: &[(&str, &str)]) {
    let (run, found) = audit(env, store, args);
    let expected: Findings =
        expected.iter().map(|&(kind, path)| (kind.to_owned(), path.to_owned())).collect();
    assert_eq!(found, expected, "{}", run.stderr);
    assert_eq!(run.status, i32::from(!expected.is_empty()), "{}", run.stderr);
}

fn key(store: &Store, name: &str) -> String {
    fs::read_to_string(store.dir.join("user").join(name)).unwrap()
}

/// Changes something and leaves the times of it and its directory as they were.
fn quietly<T>(path: &Path, change: impl FnOnce() -> T) -> T {
    let dir = path.parent().unwrap();
    let mode = fs::symlink_metadata(dir).unwrap().permissions();
    let result = change();
    fs::set_permissions(dir, mode).unwrap();
    for path in [path, dir] {
        if fs::symlink_metadata(path).is_ok_and(|m| m.is_file() || m.is_dir()) {
            reset_time(path);
        }
    }
    result
}

fn reset_time(path: &Path) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

fn write_at(path: &Path, change: impl FnOnce(&mut File)) {
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    change(&mut File::options().read(true).write(true).open(path).unwrap());
    fs::set_permissions(path, mode).unwrap();
}

fn flip_bit(path: &Path) {
    quietly(path, || {
        write_at(path, |file| {
            let middle = file.metadata().unwrap().len() / 2;
            let mut byte = [0];
            file.seek(SeekFrom::Start(middle)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(middle)).unwrap();
            file.write_all(&[byte[0] ^ 4]).unwrap();
        });
    });
}

/// A regular file of some size in a path, not executable.
fn some_file(path: &Path) -> PathBuf {
    let found = walkdir::WalkDir::new(path).sort_by_file_name().into_iter().find_map(|entry| {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let plain = meta.is_file() && meta.len() > 10 && meta.mode() & 0o111 == 0;
        plain.then(|| entry.into_path())
    });
    found.unwrap_or_else(|| panic!("no file in {}", path.display()))
}

fn database(store: &Store) -> rusqlite::Connection {
    let c = rusqlite::Connection::open(store.real_state_dir.join("db/db.sqlite")).unwrap();
    c.pragma_update(None, "foreign_keys", false).unwrap();
    c
}

const EVERYTHING: [&str; 3] = ["--sizes", "--contents", "--references"];

#[test]
fn an_untouched_store_has_no_finding() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        for store in [&stores.fresh, &stores.root_optimised, &stores.partly] {
            let key = key(store, "public");
            let mut args = EVERYTHING.to_vec();
            args.extend(["--signatures", &key]);
            expect(&env, store, &args, &[]);
        }
    });
}

#[test]
fn each_change_is_found_and_nothing_else() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    let files = store.find("files-2.0");
    let dead = store.find("dead-1.0");
    let pristine = some_file(&stores.root.real_path(&files));
    let at = pristine.strip_prefix(stores.root.real_path(&files)).unwrap();
    assert_eq!(at.components().count(), 1, "{}", at.display());
    let file = format!("files-2.0/{}", at.display());
    let names = || -> BTreeSet<_> {
        fs::read_dir(&store.real_store_dir).unwrap().map(|e| e.unwrap().file_name()).collect()
    };
    let before = names();
    let check = |change: &dyn Fn(&Store, &Path), expected: &[(&str, &str)]| {
        change(&store, &store.real_path(&files));
        let expected: Vec<_> = (expected.iter())
            .map(|&(kind, path)| (kind, if path == "FILE" { file.as_str() } else { path }))
            .collect();
        expect(&env, &store, &EVERYTHING, &expected);
        // Back to what it was.
        let new = names().into_iter().filter(|name| !before.contains(name));
        let changed = [&files, &dead].map(|path| store.real_path(path));
        for path in new.map(|name| store.real_store_dir.join(name)).chain(changed) {
            if path.is_dir() {
                run(Command::new("chmod").arg("-R").arg("u+w").arg(&path)).ok();
            }
            run(Command::new("rm").arg("-rf").arg(&path)).ok();
        }
        for path in [&files, &dead] {
            copy_tree(&stores.root.real_path(path), &store.real_path(path));
        }
    };

    check(&|_, path| flip_bit(&some_file(path)), &[("nar_hash", "files-2.0")]);
    check(
        &|_, path| {
            let file = some_file(path);
            quietly(&file, || write_at(&file, |f| f.set_len(3).unwrap()));
        },
        &[("nar_hash", "files-2.0"), ("nar_size", "files-2.0")],
    );
    check(
        &|_, path| {
            fs::set_permissions(some_file(path), Permissions::from_mode(0o644)).unwrap();
        },
        &[("writable", "FILE")],
    );
    check(
        &|_, path| {
            fs::set_permissions(some_file(path), Permissions::from_mode(0o555)).unwrap();
        },
        &[("nar_hash", "files-2.0"), ("nar_size", "files-2.0")],
    );
    check(
        &|_, path| {
            fs::set_permissions(some_file(path), Permissions::from_mode(0o400)).unwrap();
        },
        &[("mode", "FILE")],
    );
    check(
        &|_, path| {
            fs::set_permissions(path, Permissions::from_mode(0o2555)).unwrap();
        },
        &[("setuid", "files-2.0")],
    );
    check(
        &|_, path| {
            let now = FileTimes::new().set_modified(SystemTime::now());
            File::open(some_file(path)).unwrap().set_times(now).unwrap();
        },
        &[("mtime", "FILE")],
    );
    check(
        &|_, path| {
            quietly(&path.join("new"), || {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
                fs::write(path.join("new"), "new").unwrap();
                fs::set_permissions(path.join("new"), Permissions::from_mode(0o444)).unwrap();
            });
        },
        &[("nar_hash", "files-2.0"), ("nar_size", "files-2.0")],
    );
    check(
        &|_, path| {
            let file = some_file(path);
            quietly(&file, || {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
                fs::remove_file(&file).unwrap();
            });
        },
        &[("nar_hash", "files-2.0"), ("nar_size", "files-2.0")],
    );
    check(
        &|_, path| {
            let file = some_file(path);
            let size = fs::metadata(&file).unwrap().len();
            quietly(&file, || {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
                fs::remove_file(&file).unwrap();
                symlink("x".repeat(usize::try_from(size).unwrap()), &file).unwrap();
            });
            run(Command::new("touch").args(["-h", "-d", "@1"]).arg(&file)).ok();
        },
        // A symlink takes as much room in a NAR as a file of the target's length.
        &[("nar_hash", "files-2.0")],
    );
    check(
        &|_, path| {
            let fifo = path.join("fifo");
            quietly(&fifo, || {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
                run(Command::new("mkfifo").arg("-m").arg("444").arg(&fifo)).ok();
                run(Command::new("touch").args(["-d", "@1"]).arg(&fifo)).ok();
            });
            assert!(fs::symlink_metadata(fifo).unwrap().file_type().is_fifo());
        },
        &[("unsupported_file", "files-2.0/fifo")],
    );
    check(
        &|_, path| {
            let dir = path.parent().unwrap();
            for name in ["notes.txt", "tmp-1-2", "0c5b8vw40dy178xlpddw65q9gf1h2186-x.lock"] {
                fs::write(dir.join(name), "x").unwrap();
            }
            fs::create_dir(dir.join("0c5b8vw40dy178xlpddw65q9gf1h2186-orphan")).unwrap();
        },
        &[
            ("unknown_entry", "notes.txt"),
            ("temporary", "tmp-1-2"),
            ("lock", "x.lock"),
            ("orphan", "orphan"),
        ],
    );
    check(
        &|store, _| {
            let dead = store.real_path(&dead);
            run(Command::new("rm").arg("-rf").arg(dead)).ok();
        },
        &[("missing_path", "dead-1.0")],
    );
}

#[test]
fn changes_that_need_root() {
    let Some(stores) = nix::stores() else { return };
    if !root() {
        return;
    }
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    let file = some_file(&store.real_path(&store.find("files-2.0")));
    let name = format!("files-2.0/{}", file.file_name().unwrap().to_str().unwrap());
    std::os::unix::fs::lchown(&file, Some(1234), None).unwrap();
    expect(&env, &store, &[], &[("owner", &name)]);
    std::os::unix::fs::lchown(&file, Some(0), None).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    match rustix::fs::setxattr(&file, "user.odd", b"1", flags) {
        Ok(()) => {
            expect(&env, &store, &["--contents"], &[("xattr", &name)]);
            expect(&env, &store, &["--contents", "--except", "xattr"], &[]);
            rustix::fs::removexattr(&file, "user.odd").unwrap();
        }
        Err(e) => skip(&format!("extended attributes cannot be set: {e}")),
    }
    let tool = store.real_path(&store.find("single-executable-1.0"));
    // cap_net_raw=ep, as the kernel keeps it.
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    match rustix::fs::setxattr(&tool, "security.capability", capability, flags) {
        Ok(()) => {
            expect(&env, &store, &[], &[("xattr", "single-executable-1.0")]);
            rustix::fs::removexattr(&tool, "security.capability").unwrap();
        }
        Err(e) => skip(&format!("capabilities cannot be set: {e}")),
    }
    // Something unreadable is named, and ends nothing else.
    flip_bit(&some_file(&store.real_path(&store.find("common-a-1.0"))));
    if !have(&["setpriv"]) {
        return;
    }
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&store.dir)).ok();
    fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
    let unprivileged = run(nobody(&env).args(store.args()).args([
        "audit",
        "--contents",
        "--only",
        "nar_hash",
        "--format",
        "junit",
    ]));
    assert_eq!(unprivileged.status, 3, "{}", unprivileged.stderr);
    let named = file.file_name().unwrap().to_str().unwrap();
    assert!(unprivileged.stderr.contains(named), "{}", unprivileged.stderr);
    assert!(unprivileged.stdout.contains("common-a-1.0\""), "{}", unprivileged.stdout);
    assert!(unprivileged.stdout.contains("<error"), "{}", unprivileged.stdout);
}

#[test]
fn hashes_equal_what_nix_finds() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        let store = stores.root_optimised.copy(&env, "copy");
        for name in ["files-2.0", "big-1.0", "common-a-1.0"] {
            flip_bit(&some_file(&store.real_path(&store.find(name))));
        }
        let mut args = store.args();
        args.extend(["audit", "--contents", "--format", "json"].map(Into::into));
        let run = env.run(args);
        assert_eq!(run.status, 1, "{}", run.stderr);
        let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = answer["findings"].as_array().unwrap();
        let of = |kind: &str| -> BTreeSet<(String, String)> {
            let some = findings.iter().filter(|f| f["kind"] == kind);
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            some.map(|f| (text(&f["path"]), text(&f["found"]))).collect()
        };
        // Nix writes where it verifies: on the copy, and after us.
        let nix = store.try_nix("nix-store", ["--verify", "--check-contents"]);
        let mut modified = BTreeSet::new();
        let mut links = 0;
        for line in nix.stderr.lines() {
            if let Some(rest) = line.strip_prefix("path '") {
                let (path, rest) = rest.split_once("' was modified! expected hash '").unwrap();
                let got = rest.split_once("got '").unwrap().1.trim_end_matches('\'');
                modified.insert((path.to_owned(), got.to_owned()));
            }
            links += usize::from(
                line.contains("was modified! expected hash") && !line.starts_with("path"),
            );
        }
        assert!(modified.len() >= 3, "{}", nix.stderr);
        assert_eq!(of("nar_hash"), modified);
        assert_eq!(of("link_hash").len(), links, "{}", nix.stderr);
        assert!(links >= 3, "{}", nix.stderr);
    });
}

#[test]
fn the_database_is_audited() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    let dead = store.find("dead-1.0");
    let signed = key(&store, "public");
    let base = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let with_ca: String = (database(&store).query_row(
        "SELECT path FROM ValidPaths WHERE ca LIKE 'fixed:r:sha256:%' LIMIT 1",
        [],
        |row| row.get(0),
    ))
    .unwrap();
    let user: String = database(&store)
        .query_row(
            "SELECT path FROM ValidPaths JOIN Refs ON referrer = id WHERE referrer <> reference
             AND path NOT LIKE '%.drv' LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let statements = [
        ("UPDATE ValidPaths SET narSize = narSize + 8 WHERE path = ?1", &dead),
        ("UPDATE ValidPaths SET ca = replace(ca, '0', '1') WHERE path = ?1", &with_ca),
        (
            "UPDATE Refs SET reference = 9999 WHERE referrer <> reference AND
          referrer = (SELECT id FROM ValidPaths WHERE path = ?1)",
            &user,
        ),
    ];
    for (sql, path) in statements {
        assert!(database(&store).execute(sql, [path]).unwrap() > 0, "{sql}");
    }
    let (_, found) = audit(&env, &store, &["--signatures", &signed]);
    let has = |kind: &str, path: &str| found.contains(&(kind.to_owned(), path.to_owned()));
    assert!(has("nar_size", &base(&dead)[33..]), "{found:?}");
    assert!(has("bad_signature", &base(&dead)[33..]), "{found:?}");
    assert!(has("content_address_name", &base(&with_ca)[33..]), "{found:?}");
    assert!(found.iter().any(|(kind, _)| kind == "dangling_reference"), "{found:?}");
    assert_eq!(found.iter().filter(|(kind, _)| kind == "bad_signature").count(), 1, "{found:?}");
    // With a key that nobody used, nothing is signed; built here is enough.
    let unsigned =
        || audit(&env, &store, &["--signatures", &key(&store, "public2"), "--only", "unsigned"]).1;
    let ultimate = "UPDATE ValidPaths SET ultimate = 1";
    assert!(database(&store).execute(ultimate, []).unwrap() > 1);
    assert_eq!(unsigned(), BTreeSet::new());
    let substituted = "UPDATE ValidPaths SET ultimate = NULL WHERE path = ?1";
    assert_eq!(database(&store).execute(substituted, [&dead]).unwrap(), 1);
    assert_eq!(unsigned(), [("unsigned".to_owned(), base(&dead)[33..].to_owned())].into());
    // A row that goes leaves an orphan.
    database(&store).execute("DELETE FROM ValidPaths WHERE path = ?1", [&dead]).unwrap();
    let (_, found) = audit(&env, &store, &["--only", "orphan"]);
    assert_eq!(found, [("orphan".to_owned(), base(&dead)[33..].to_owned())].into());
}

/// The paths that are `unsigned` for us, and those that Nix does not trust.
#[track_caller]
fn trusts_what_nix_trusts(env: &TestEnv, store: &Store, names: &[&str]) -> BTreeSet<String> {
    let keys: Vec<String> = names.iter().map(|name| key(store, name)).collect();
    let mut args = store.args();
    args.extend(["audit", "--only", "unsigned", "--format", "json"].map(Into::into));
    for key in &keys {
        args.extend(["--signatures".into(), key.into()]);
    }
    let run = env.run(args);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let found = answer["findings"].as_array().unwrap().iter();
    let found: BTreeSet<_> = found.map(|f| f["path"].as_str().unwrap().to_owned()).collect();
    let keys = keys.join(" ");
    let args = ["store", "verify", "--all", "--no-contents", "--trusted-public-keys", &keys];
    let nix = store.try_nix("nix", args);
    let untrusted = nix.stderr.lines().filter_map(|line| {
        Some(line.strip_prefix("path '")?.strip_suffix("' is untrusted")?.to_owned())
    });
    let untrusted: BTreeSet<String> = untrusted.collect();
    assert_eq!(nix.status, if untrusted.is_empty() { 0 } else { 2 }, "{}", nix.stderr);
    assert_eq!(found, untrusted, "{names:?}: {}", nix.stderr);
    found
}

#[test]
fn signatures_are_good_where_nix_says_so() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        let store = stores.root.copy(&env, "copy");
        let change = |sql: &str| assert!(database(&store).execute(sql, []).unwrap() > 0, "{sql}");
        let all = [&["public"][..], &["public2"], &["public", "public2"]];
        // All was built here.
        for keys in all {
            assert_eq!(trusts_what_nix_trusts(&env, &store, keys), BTreeSet::new());
        }
        // Nothing was: two paths are signed.
        change("UPDATE ValidPaths SET ultimate = NULL");
        let [one, two, both] = all.map(|keys| trusts_what_nix_trusts(&env, &store, keys));
        assert!(both == one && one.len() + 1 == two.len() && one.len() > 10, "{one:?} {two:?}");
        // All is signed, and each change to what is signed is seen.
        let secret = store.dir.join("user/secret");
        let sign = ["store", "sign", "--all", "-k"].map(Into::into).into_iter();
        store.nix("nix", sign.chain([secret.into_os_string()]));
        assert_eq!(trusts_what_nix_trusts(&env, &store, &["public"]), BTreeSet::new());
        let built = "ca IS NULL AND path LIKE '%-chain-";
        // 64 bytes.
        let other = format!("{}==", "A".repeat(86));
        let users = "SELECT referrer FROM Refs WHERE referrer <> reference";
        let changes = [
            (format!("UPDATE ValidPaths SET narSize = narSize + 8 WHERE {built}1'"), 1),
            (format!("UPDATE ValidPaths SET hash = replace(hash, '1', '2') WHERE {built}2'"), 1),
            (format!("UPDATE ValidPaths SET sigs = sigs || ' test-1:{other}' WHERE {built}3'"), 0),
            (format!("UPDATE ValidPaths SET sigs = 'test-1:{other} ' || sigs WHERE {built}4'"), 0),
            (
                format!(
                    "UPDATE ValidPaths SET sigs = 'other-1' || substr(sigs, 7) WHERE {built}5'"
                ),
                1,
            ),
            (format!("UPDATE ValidPaths SET sigs = NULL WHERE {built}6'"), 1),
            (format!("UPDATE ValidPaths SET deriver = NULL WHERE {built}7'"), 0),
            (format!("UPDATE ValidPaths SET registrationTime = 1 WHERE {built}8'"), 0),
            (
                format!(
                    "DELETE FROM Refs WHERE referrer = (SELECT id FROM ValidPaths
                     WHERE {built}9' AND id IN ({users}))"
                ),
                1,
            ),
            // Nothing is signed of these, since their names follow from their contents.
            ("UPDATE ValidPaths SET sigs = NULL WHERE path LIKE '%-plain.txt'".to_owned(), 0),
            (
                "UPDATE ValidPaths SET sigs = NULL, ca = replace(ca, '0', '1')
                 WHERE path LIKE '%-src' AND ca LIKE '%0%'"
                    .to_owned(),
                1,
            ),
        ];
        let mut untrusted = 0;
        for (sql, more) in changes {
            change(&sql);
            untrusted += more;
            let found = trusts_what_nix_trusts(&env, &store, &["public"]);
            assert_eq!(found.len(), untrusted, "{sql}: {found:?}");
        }
        trusts_what_nix_trusts(&env, &store, &["public", "public2"]);
        // One that is no signature at all is an error for Nix, whatever else signs the path.
        change(&format!("UPDATE ValidPaths SET sigs = sigs || ' test-1:AAAA' WHERE {built}8'"));
        let keys = key(&store, "public");
        let path = store.find("chain-8");
        let args = ["store", "verify", "--no-contents", "--trusted-public-keys", &keys, &path];
        let nix = store.try_nix("nix", args);
        assert_eq!(nix.status, 4, "{}", nix.stderr);
        let args = ["--signatures", &keys, "--no-closure", &path];
        expect(&env, &store, &args, &[("bad_signature", "chain-8")]);
    });
}

#[test]
fn links_are_audited() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root_optimised.copy(&env, "copy");
    let links = store.real_store_dir.join(".links");
    let unused = "1111111111111111111111111111111111111111111111111111";
    fs::write(links.join(unused), "unused").unwrap();
    fs::write(links.join("odd"), "odd").unwrap();
    let empty = "1111111111111111111111111111111111111111111111111112";
    fs::write(links.join(empty), "").unwrap();
    fs::hard_link(links.join(empty), env.join("second")).unwrap();
    let link = |name: &str| format!(".links/{name}");
    let (unused, odd, empty) = (link(unused), link("odd"), link(empty));
    let sizes = [("unused_link", &*unused), ("corrupt_link", &*odd), ("corrupt_link", &*empty)];
    expect(&env, &store, &[], &sizes);
    let mut contents = sizes.to_vec();
    contents.extend([("link_hash", &*unused), ("link_hash", &*empty)]);
    expect(&env, &store, &["--contents"], &contents);
    expect(&env, &store, &["--contents", "--except", "unused_link,corrupt_link,link_hash"], &[]);
}

#[test]
fn targets_and_formats() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    flip_bit(&some_file(&store.real_path(&store.find("files-2.0"))));
    expect(&env, &store, &["--contents", "files-2.0"], &[("nar_hash", "files-2.0")]);
    expect(&env, &store, &["--contents", "--no-closure", "common-a-1.0"], &[]);
    let text = |format: &str| {
        let mut args = store.args();
        args.extend(["audit", "--contents", "--format", format].map(Into::into));
        let run = env.run(args);
        assert_eq!(run.status, 1, "{}", run.stderr);
        run.stdout
    };
    let csv = text("csv");
    assert!(csv.starts_with("kind,severity,path,expected,found,hint\nnar_hash,error,"), "{csv}");
    assert!(text("table").contains("1 finding\n"));
    let junit = text("junit");
    assert!(junit.contains(r#"tests="1" skipped="0" errors="0" failures="1""#), "{junit}");
    let mut args = store.args();
    args.extend(["report", "--all", "--format", "junit"].map(Into::into));
    assert_eq!(env.run(args).status, 2);
    for bad in [["--only", "nonsense"], ["--signatures", "nokey"]] {
        let mut args = store.args();
        args.push("audit".into());
        args.extend(bad.map(Into::into));
        assert_eq!(env.run(args).status, 2);
    }
}

/// Which rule of NixOS/nix#15931 holds depends on the version.
#[test]
fn paths_made_content_addressed_by_nix_hold_what_they_say() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        let store = stores.root.copy(&env, "copy");
        let features = "nix-command ca-derivations";
        let path = store.find("self-reference-1.0");
        let make = ["store", "make-content-addressed", "--extra-experimental-features", features];
        store.nix("nix", make.into_iter().chain([&*path]));
        let made: String = (database(&store).query_row(
            "SELECT path FROM ValidPaths JOIN Refs ON referrer = id AND reference = id
             WHERE ca LIKE 'fixed:r:%'",
            [],
            |row| row.get(0),
        ))
        .unwrap();
        let args = ["--contents", "--only", "content_address,content_address_name", &made];
        expect(&env, &store, &args, &[]);
        flip_bit(&some_file(&store.real_path(&made)));
        expect(&env, &store, &args, &[("content_address", "self-reference-1.0")]);
    });
}

/// NixOS/nix#2001, #2096: an installer left rows whose hash is all zeros.
#[test]
fn a_path_whose_hash_is_unknown_has_not_passed() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        let store = stores.root.copy(&env, "copy");
        let path = store.find("dead-1.0");
        let zeros = format!("sha256:{}", "0".repeat(64));
        let sql = "UPDATE ValidPaths SET hash = ?1 WHERE path = ?2";
        database(&store).execute(sql, [&zeros, &path]).unwrap();
        let nix = store.try_nix("nix", ["store", "verify", "--no-trust", &path]);
        assert_ne!(nix.status, 0, "{}", nix.stderr);
        expect(&env, &store, &["--contents"], &[("unknown_hash", "dead-1.0")]);
    });
}

/// NixOS/nix#6303: stores of macOS hold names with a suffix that is not in the NAR.
#[test]
fn the_case_hack_as_nix_sets_it() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        let store = stores.root.copy(&env, "copy");
        let source = env.join("source");
        for name in ["netfilter/xt_TCPMSS.h", "netfilter/xt_tcpmss.h", "Netfilter/z"] {
            fs::create_dir_all(source.join(name).parent().unwrap()).unwrap();
            fs::write(source.join(name), name).unwrap();
        }
        let hack = |args: &[&str]| {
            let mut command = store.command("nix-store", args);
            let set = |name: &std::ffi::OsStr| name == "NIX_CONFIG";
            let config = command.get_envs().find(|(name, _)| set(name)).unwrap().1.unwrap();
            let config = format!("{}\nuse-case-hack = true", config.to_str().unwrap());
            command.env("NIX_CONFIG", config);
            run(&mut command)
        };
        let path = hack(&["--add", source.to_str().unwrap()]).ok().trim().to_owned();
        let hacked = walkdir::WalkDir::new(store.real_path(&path)).into_iter();
        let hacked = hacked.filter(|e| e.as_ref().unwrap().path().to_string_lossy().contains('~'));
        assert!(hacked.count() >= 2, "Nix makes no such names");
        let size = hack(&["-q", "--size", &path]).ok().trim().to_owned();
        let report = || {
            let mut args = store.args();
            args.extend(["report", &path, "--format", "csv"].map(Into::into));
            args.extend(["--columns", "disk_nar_size"].map(Into::into));
            env.run(args).stdout.lines().last().unwrap().to_owned()
        };
        assert_ne!(report(), size);
        fs::create_dir_all(store.dir.join("etc/nix")).unwrap();
        fs::write(store.dir.join("etc/nix/nix.conf"), "use-case-hack = true\n").unwrap();
        assert_eq!(report(), size);
        // Nothing differs between a scan without the database and the disk.
        let mut args = store.args();
        args.extend(["--scan", "report", &path, "--format", "json"].map(Into::into));
        let scanned: serde_json::Value = serde_json::from_str(&env.ok(args)).unwrap();
        assert_eq!(scanned["paths"][0]["nar_size"].to_string(), size);
        expect(&env, &store, &["--contents"], &[]);
        let verified = hack(&["--verify", "--check-contents"]);
        assert_eq!(verified.status, 0, "{}", verified.stderr);
    });
}
