//! Images on loop mounts, read-only, of each file system that images have; and
//! what a hostile one may hold. These need root.

use crate::support::nix::{self, Store};
use crate::support::{Run, TestEnv, du, have, nobody, root, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unmounts when the test ends, however it ends.
pub(crate) struct Mount(pub(crate) PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

/// Mounts in a directory, which is made.
pub(crate) fn mount(options: &str, what: &Path, at: &Path) -> Result<Mount, String> {
    fs::create_dir_all(at).unwrap();
    let mut tries = 0;
    loop {
        let run = run(Command::new("mount").args(["-o", options]).arg(what).arg(at));
        match run.status {
            0 => return Ok(Mount(at.to_owned())),
            // What was unmounted before may be in use for a moment more: another process may
            // have a namespace of mounts of its own.
            _ if run.stderr.contains("busy") && tries < 100 => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            _ => return Err(run.stderr),
        }
    }
}

fn rows(answer: &Value) -> BTreeMap<String, Value> {
    let rows = answer["paths"].as_array().unwrap().iter();
    rows.map(|row| (row["path"].as_str().unwrap().to_owned(), row.clone())).collect()
}

fn without_extents(mut rows: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let beneath = [
        "physical_size",
        "uncompressed_size",
        "referenced_size",
        "inline_size",
        "physical_size_is",
    ];
    for row in rows.values_mut().filter_map(Value::as_object_mut) {
        row.retain(|key, _| !beneath.iter().any(|beneath| key.ends_with(beneath)));
    }
    rows
}

fn report(root: &Path) -> Vec<OsString> {
    let root = ["--root".into(), root.into()];
    root.into_iter().chain(["report", "--all", "--format", "json"].map(Into::into)).collect()
}

/// The program as nobody, from where nobody may run it.
fn as_nobody(env: &TestEnv, args: &[OsString]) -> Option<Run> {
    if !have(&["setpriv"]) {
        return None;
    }
    Some(run(nobody(env).args(args)))
}

const LOG_ONLY: &str = "/nix/store/0c5b8vw40dy178xlpddw65q9gf1h2186-only-in-the-log";

/// A copy of a store as a machine that crashed leaves it: a path that only the
/// write-ahead log knows, and no index beside it.
fn crashed(env: &TestEnv, stores: &nix::Stores) -> Store {
    let store = stores.root_optimised.copy(env, "crashed");
    // Links of people are not part of an image.
    let _ = fs::remove_dir_all(store.dir.join("user"));
    let db = store.real_state_dir.join("db/db.sqlite");
    let c = rusqlite::Connection::open(&db).unwrap();
    let no_checkpoint = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    c.pragma_update(None, "journal_mode", "wal").unwrap();
    c.set_db_config(no_checkpoint, true).unwrap();
    let sql =
        "INSERT INTO ValidPaths (path, hash, registrationTime, narSize) VALUES (?1, ?2, 1, 112)";
    c.execute(sql, [LOG_ONLY, &format!("sha256:{}", "1".repeat(64))]).unwrap();
    drop(c);
    fs::remove_file(db.with_file_name("db.sqlite-shm")).unwrap();
    assert!(fs::metadata(db.with_file_name("db.sqlite-wal")).unwrap().len() > 0);
    let path = store.real_path(LOG_ONLY);
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    run(Command::new("touch").args(["-d", "@1"]).arg(&path)).ok();
    store
}

/// The lengths of files and symlinks below, each inode once.
fn apparent_size(path: &Path) -> u64 {
    let tree = walkdir::WalkDir::new(path).follow_root_links(false);
    let entries = tree.into_iter().map(|e| e.unwrap().metadata().unwrap());
    let inodes: BTreeMap<u64, u64> =
        entries.filter(|m| !m.is_dir()).map(|m| (m.ino(), m.len())).collect();
    inodes.values().sum()
}

fn check(env: &TestEnv, at: &Path, expected: &BTreeMap<String, Value>) {
    let run = env.run(report(at));
    assert_eq!(run.status, 0, "{}", run.stderr);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(answer["warnings"].to_string().contains("write-ahead log"), "{}", answer["warnings"]);
    let found = rows(&answer);
    assert!(found.contains_key(LOG_ONLY));
    assert_eq!(found.len(), expected.len() + 1);
    for (path, row) in expected {
        for key in ["nar_size", "disk_nar_size", "hash", "references", "signatures"] {
            assert_eq!(row[key], found[path][key], "{path} {key}");
        }
        // The image's own: what is linked, and what a block is, was its maker's choice.
        let real = at.join(path.strip_prefix('/').unwrap());
        assert_eq!(found[path]["disk_size"], du(&[&real]), "{path}");
        assert_eq!(found[path]["apparent_size"], apparent_size(&real), "{path}");
    }
    if let Some(nobody) = as_nobody(env, &report(at)) {
        assert_eq!(nobody.status, 0, "{}", nobody.stderr);
        let answer: Value = serde_json::from_str(&nobody.stdout).unwrap();
        // What lies beneath blocks is for root to see.
        assert_eq!(without_extents(rows(&answer)), without_extents(found));
    }
    let audit = ["audit", "--contents", "--references", "--format", "json"].map(Into::into);
    let audit = [OsString::from("--root"), at.into()].into_iter().chain(audit);
    let run = env.run(audit);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    let kinds: Vec<String> = (answer["findings"].as_array().unwrap().iter())
        .map(|f| format!("{} {}", f["kind"].as_str().unwrap(), f["path"].as_str().unwrap()))
        .filter(|text| !text.ends_with("lost+found"))
        .collect();
    // The row made by hand has a hash made by hand.
    assert_eq!(kinds, [format!("nar_hash {LOG_ONLY}")], "{}", run.stderr);
}

fn on(file_system: &str, make: impl Fn(&TestEnv, &Store, &Path) -> bool) {
    let Some(stores) = nix::stores() else { return };
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let store = crashed(&env, stores);
    let image = env.join("image");
    if !make(&env, &store, &image) {
        return;
    }
    let options = if file_system == "xfs" { "loop,ro,nouuid" } else { "loop,ro" };
    let mounted = match mount(options, &image, &env.join("mnt")) {
        Ok(mounted) => mounted,
        Err(e) => return crate::support::skip(&format!("{file_system} cannot be mounted: {e}")),
    };
    let answer = env.json(report(&stores.root_optimised.dir));
    check(&env, &env.join("mnt"), &rows(&answer));
    drop(mounted);
}

/// However large the database is: there is nowhere to copy it to.
#[test]
fn a_write_ahead_log_is_read_without_a_copy() {
    let Some(stores) = nix::stores() else { return };
    let mut env = TestEnv::new();
    let store = crashed(&env, stores);
    env.set("TMPDIR", "/nonexistent");
    let answer = env.json(report(&store.dir));
    assert!(rows(&answer).contains_key(LOG_ONLY));
}

/// Two layers, one over the other: a directory's entries lie in both, and what
/// it says of their inode numbers is not what `stat` says.
#[test]
fn overlayfs() {
    let Some(stores) = nix::stores() else { return };
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let store = crashed(&env, stores);
    let upper = env.join("upper");
    fs::create_dir_all(upper.join("nix/store")).unwrap();
    fs::create_dir(env.join("work")).unwrap();
    // Some paths lie in the upper layer.
    for entry in fs::read_dir(&store.real_store_dir).unwrap().map(Result::unwrap) {
        if entry.file_name().as_encoded_bytes()[0].is_ascii_digit() {
            let to = upper.join("nix/store").join(entry.file_name());
            run(Command::new("mv").arg(entry.path()).arg(to)).ok();
        }
    }
    let dir = |name: &str| env.join(name).display().to_string();
    let (lower, upper, work) = (store.dir.display(), dir("upper"), dir("work"));
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    fs::create_dir(env.join("mnt")).unwrap();
    let mut command = Command::new("mount");
    command.args(["-t", "overlay", "overlay", "-o", &options]).arg(env.join("mnt"));
    let mounted = run(&mut command);
    if mounted.status != 0 {
        return crate::support::skip(&format!("no overlay can be mounted: {}", mounted.stderr));
    }
    let mounted = Mount(env.join("mnt"));
    let answer = env.json(report(&stores.root_optimised.dir));
    check(&env, &env.join("mnt"), &rows(&answer));
    drop(mounted);
}

/// Fills an empty file system by copying.
fn fill(env: &TestEnv, store: &Store, image: &Path, mkfs: &[&str]) -> bool {
    if !have(&mkfs[..1]) {
        return false;
    }
    fs::File::create(image).unwrap().set_len(512 << 20).unwrap();
    let mut command = Command::new(mkfs[0]);
    command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(&mkfs[1..]).arg(image);
    run(&mut command).ok();
    match mount("loop", image, &env.join("fill")) {
        Ok(mounted) => {
            let from = store.dir.join("nix");
            run(Command::new("cp").arg("-a").arg(from).arg(&mounted.0)).ok();
            // Unmounting does not write while a namespace of another test has the mount too.
            run(Command::new("sync").arg("-f").arg(&mounted.0)).ok();
            run(Command::new("umount").arg(&mounted.0)).ok();
            true
        }
        Err(e) => {
            crate::support::skip(&format!("{} cannot be mounted: {e}", mkfs[0]));
            false
        }
    }
}

#[test]
fn squashfs() {
    on("squashfs", |_, store, image| {
        have(&["mksquashfs"]) && {
            let mut command = Command::new("mksquashfs");
            command.arg(&store.dir).arg(image).args(["-noappend", "-quiet", "-no-progress"]);
            // Twice: it takes names for links of one inode only if their access
            // times agree, which its first reading may change.
            run(&mut command).ok();
            run(&mut command).ok();
            true
        }
    });
}

#[test]
fn erofs() {
    on("erofs", |_, store, image| {
        have(&["mkfs.erofs"]) && {
            let mut command = Command::new("mkfs.erofs");
            command
                .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
                .arg("--quiet")
                .arg(image)
                .arg(&store.dir);
            run(&mut command).ok();
            true
        }
    });
}

#[test]
fn ext4() {
    on("ext4", |env, store, image| fill(env, store, image, &["mkfs.ext4", "-q", "-F"]));
}

#[test]
fn xfs() {
    on("xfs", |env, store, image| fill(env, store, image, &["mkfs.xfs", "-q", "-f"]));
}

#[test]
fn btrfs() {
    on("btrfs", |env, store, image| fill(env, store, image, &["mkfs.btrfs", "-q", "-f"]));
}

#[test]
fn a_writable_image_is_left_as_it_was() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = crashed(&env, stores);
    // Names, inodes, modes, owners, sizes, times of modification and of change.
    let look = || -> String {
        let mut find = Command::new("find");
        find.arg(&store.dir).args(["-printf", "%P %i %m %U %G %s %T@ %C@\n"]);
        let sums = run(Command::new("sh")
            .arg("-c")
            .arg("sha256sum \"$0\"/*")
            .arg(store.real_state_dir.join("db")));
        run(&mut find).ok() + &sums.stdout
    };
    let before = look();
    let answer = env.json(report(&store.dir));
    assert!(rows(&answer).contains_key(LOG_ONLY));
    let audit = env.run([
        OsString::from("--root"),
        store.dir.clone().into(),
        "audit".into(),
        "--contents".into(),
    ]);
    assert_eq!(audit.status, 1);
    // SQLite touches the log's owner, not its bytes: its time of change may move.
    let without_log = |text: &str| -> Vec<String> {
        let cut = |line: &str| match line.contains("db.sqlite-wal ") {
            true => line.rsplit_once(' ').unwrap().0.to_owned(),
            false => line.to_owned(),
        };
        text.lines().map(cut).collect()
    };
    assert_eq!(without_log(&look()), without_log(&before));
}

#[test]
fn devices_and_mount_points_in_a_path() {
    let Some(stores) = nix::stores() else { return };
    if !root() || !have(&["mount", "umount", "mknod"]) {
        return;
    }
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    let path = store.real_path(&store.find("files-2.0"));
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    for (name, kind) in [("null", ["c", "1", "3"]), ("disk", ["b", "7", "99"])] {
        let made = run(Command::new("mknod").arg(path.join(name)).args(kind));
        if made.status != 0 {
            return crate::support::skip("devices cannot be made here");
        }
    }
    let inner = path.join("inner");
    fs::create_dir(&inner).unwrap();
    let mounted = run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&inner));
    let _mount = (mounted.status == 0).then(|| Mount(inner.clone()));
    let mut args = store.args();
    args.extend(["audit", "--contents", "--format", "json"].map(Into::into));
    let run = env.run(args);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    let findings = answer["findings"].as_array().unwrap();
    let devices: Vec<&Value> =
        findings.iter().filter(|f| f["kind"] == "unsupported_file").collect();
    assert_eq!(devices.len(), 2, "{findings:?}");
    assert_eq!(devices[0]["found"], "block device");
    if mounted.status == 0 {
        let warnings = answer["warnings"].as_array().unwrap();
        assert!(warnings.iter().any(|w| w["kind"] == "mount_point"), "{warnings:?}");
    }
}

/// Links that lead out of an image lead nowhere else.
#[test]
fn nothing_escapes_the_root() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    let secret = env.join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("nix.conf"), "trusted-public-keys = secret-1:AAAA\n").unwrap();
    fs::create_dir_all(store.dir.join("etc")).unwrap();
    std::os::unix::fs::symlink(&secret, store.dir.join("etc/nix")).unwrap();
    // A result link to the host, one in circles, one that leaves upwards.
    for (name, target) in
        [("host", "/etc/passwd"), ("loop", "loop"), ("up", "../../../../../../../etc")]
    {
        std::os::unix::fs::symlink(target, store.dir.join(name)).unwrap();
        let run = env.run([
            OsString::from("--root"),
            store.dir.clone().into(),
            "report".into(),
            format!("/{name}").into(),
        ]);
        assert_ne!(run.status, 0, "{}", run.stdout);
        assert!(!run.stdout.contains("root:"), "{}", run.stdout);
    }
    let mut args = store.args();
    args.extend(["audit", "--signatures", "--format", "json"].map(Into::into));
    let run = env.run(args);
    assert!(!run.stdout.contains("secret") && !run.stderr.contains("AAAA"), "{}", run.stderr);
    // The database itself behind a link that leads out: not that of the host.
    let db = store.real_state_dir.join("db");
    fs::rename(&db, secret.join("db")).unwrap();
    std::os::unix::fs::symlink(secret.join("db"), &db).unwrap();
    let run = env.run(report(&store.dir));
    assert_eq!(run.status, 3, "{}", run.stdout);
    assert!(run.stderr.contains("does not exist"), "{}", run.stderr);
}

#[test]
fn a_string_too_long_and_a_view_are_refused() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "copy");
    let db = store.real_state_dir.join("db/db.sqlite");
    let c = rusqlite::Connection::open(&db).unwrap();
    let sql = "INSERT INTO ValidPaths (path, hash, registrationTime) VALUES ('x', zeroblob(100000000), 1)";
    c.execute(sql, []).unwrap();
    let run = env.run(report(&store.dir));
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains("too big"), "{}", run.stderr);
    c.execute_batch(
        "PRAGMA foreign_keys = off; DELETE FROM ValidPaths WHERE path = 'x';
         CREATE TABLE Other AS SELECT * FROM Refs; DROP TABLE Refs;
         CREATE VIEW Refs AS SELECT load_extension('x') AS referrer, reference FROM Other",
    )
    .unwrap();
    let run = env.run(report(&store.dir));
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains("Refs is not a table"), "{}", run.stderr);
}
