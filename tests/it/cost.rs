//! What a scan costs: how many statx calls, how much memory.
#![allow(clippy::unwrap_used)]

use super::support::store_in_code::{Made, SCHEMA, base, insert, path};
use super::support::{TestEnv, can_trace, nix, run};
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How many statx calls a whole report makes below the store directory.
fn statx_calls(env: &TestEnv, args: &[std::ffi::OsString]) -> u64 {
    let trace = env.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-fqq", "-e", "trace=statx,newfstatat,lstat,stat", "-o"]).arg(&trace);
    strace.arg(env!("CARGO_BIN_EXE_nix-census")).args(args).args(["report", "--all"]);
    let run = run(&mut strace);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let trace = fs::read_to_string(trace).unwrap();
    // Those of the walk are relative to a directory; libraries name whole paths.
    let relative = |line: &&str| {
        line.contains("statx(") && !line.contains("AT_FDCWD") && !line.contains("AT_EMPTY_PATH")
    };
    trace.lines().filter(relative).count() as u64
}

/// The inodes below a directory (directories among them), and the directories.
fn inodes(dir: &Path) -> (u64, u64) {
    let mut seen = HashSet::new();
    let mut directories = 0;
    for entry in walkdir::WalkDir::new(dir) {
        let meta = entry.unwrap().metadata().unwrap();
        seen.insert((meta.dev(), meta.ino()));
        directories += u64::from(meta.is_dir());
    }
    (seen.len() as u64, directories)
}

#[test]
fn stat_is_called_once_for_each_inode() {
    let Some(stores) = nix::stores() else { return };
    if !can_trace() {
        return;
    }
    let env = TestEnv::new();
    for store in [&stores.root_optimised, &stores.partly] {
        let (inodes, directories) = inodes(&store.real_store_dir);
        let entries = walkdir::WalkDir::new(&store.real_store_dir).into_iter().count() as u64;
        let calls = statx_calls(&env, &store.args());
        assert!(calls <= inodes + directories, "{calls} calls, {inodes} + {directories}");
        // The trace shows the walk, and optimising has made names.
        assert!(calls >= inodes / 2 && entries > inodes, "{calls} calls, {entries} entries");
    }
}

/// The largest resident size of a run in bytes, once its answer begins or ends.
fn peak(env: &TestEnv, made: &Made) -> u64 {
    // As many threads on each machine: each has memory of its own.
    let args = ["report", "--all", "--threads", "8", "--format", "json"];
    let mut command = env.command(made.args(args));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut stdout = child.stdout.take().unwrap();
    let (mut largest, mut buffer) = (0, [0; 4096]);
    // It cannot end before the last of its answer is read, and the answer is
    // larger than a pipe; so the last look is at its end.
    while stdout.read(&mut buffer).unwrap() > 0 {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        largest = largest.max(kib * 1024);
    }
    // The made-up NAR sizes are unknown: incomplete.
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(largest > 0);
    largest
}

/// An optimised store: each inode has a name in `.links` and two in paths.
fn optimised(env: &TestEnv, name: &str, inodes: usize, paths: usize) -> Made {
    let (made, db) = Made::with(env, name, SCHEMA);
    let links = made.store.join(".links");
    fs::create_dir(&links).unwrap();
    db.execute_batch("BEGIN").unwrap();
    for id in 0..paths as i64 {
        fs::create_dir(made.store.join(base(id, "path"))).unwrap();
        insert(&db, id, path(id, "path").as_bytes(), None);
    }
    db.execute_batch("COMMIT").unwrap();
    for inode in 0..inodes {
        let link = links.join(format!("{inode:052}"));
        fs::File::create(&link).unwrap();
        for other in 0..2 {
            let path = base(((inode / 50 + other * 7) % paths) as i64, "path");
            fs::hard_link(&link, made.store.join(path).join(format!("{inode}"))).unwrap();
        }
    }
    made
}

/// The bound: 64 bytes an inode with several names, 300 bytes a path, 30 MiB.
#[test]
fn memory_is_bounded() {
    if !Path::new("/proc/self/status").exists() {
        return super::support::skip("there is no /proc");
    }
    let env = TestEnv::new();
    let (inodes, paths) = (60_000, 1000);
    let made = optimised(&env, "large", inodes, paths);
    let found = peak(&env, &made);
    let bound = 64 * inodes as u64 + 300 * paths as u64;
    assert!(found <= bound + (30 << 20), "{found} bytes, {bound} + 30 MiB");
}
