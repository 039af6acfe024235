//! Trees deeper than any path may be long: what they cost grows with what is in
//! them, not with the square of their depth, and nothing beside them is missed.
#![allow(clippy::unwrap_used)]

use crate::support::store_in_code::{Made, SCHEMA, base, insert, path};
use crate::support::{TestEnv, have, run, skip};
use rustix::fs::{Mode, OFlags, XattrFlags, fchmod, fsetxattr, mkdirat, openat};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

/// The longest name that file systems allow.
fn name() -> String {
    "d".repeat(255)
}

/// Makes so many directories in each other, each with a file that may be executed
/// beside the next; the last of them, and then that of what was made before.
fn deep(top: &Path, levels: usize) -> OwnedFd {
    fs::create_dir(top).unwrap();
    let mut dir = OwnedFd::from(fs::File::open(top).unwrap());
    for _ in 0..levels {
        file(&dir, "leaf");
        mkdirat(&dir, name(), Mode::from_raw_mode(0o755)).unwrap();
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        dir = openat(&dir, name(), flags, Mode::empty()).unwrap();
    }
    dir
}

fn file(dir: &OwnedFd, name: &str) -> OwnedFd {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::from_raw_mode(0o755)).unwrap();
    rustix::io::write(&file, b"#!/bin/sh\n").unwrap();
    file
}

/// A store of one such path. It is removed by `rm`, which knows how.
struct Deep {
    env: TestEnv,
    made: Made,
}

impl Deep {
    fn new(levels: usize) -> (Self, OwnedFd) {
        let env = TestEnv::new();
        let (made, db) = Made::with(&env, "root", SCHEMA);
        insert(&db, 1, path(1, "deep").as_bytes(), None);
        let last = deep(&made.store.join(base(1, "deep")), levels);
        (Self { env, made }, last)
    }
}

impl Drop for Deep {
    fn drop(&mut self) {
        let _ = Command::new("rm").arg("-rf").arg(&self.made.dir).status();
    }
}

/// The instructions of a run on one thread; `None` where they cannot be counted.
fn instructions(levels: usize, command: &[&str]) -> Option<i64> {
    let (deep, _) = Deep::new(levels);
    let plain = deep
        .env
        .command(deep.made.args(command).into_iter().chain(["--threads".into(), "1".into()]));
    let mut counted = Command::new("valgrind");
    counted.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    counted.arg(plain.get_program()).args(plain.get_args()).env_clear();
    counted.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = run(counted.current_dir("/"));
    // The NAR size is not in the database.
    assert!([0, 1, 3].contains(&run.status), "{command:?}: {}", run.stderr);
    let line = run.stderr.lines().find_map(|line| line.split_once("Collected : "));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    if count.is_none() {
        skip(&format!("valgrind counts no instructions here: {}", run.stderr));
    }
    count
}

/// Twice as deep costs twice as much, beside what is spent once. Putting together
/// each directory's name from the top takes the square of the depth: three times
/// as much here, or more.
fn in_proportion(command: &[&str]) {
    if !have(&["valgrind"]) {
        return;
    }
    let counts = [100, 300, 500].map(|levels| instructions(levels, command));
    let [Some(few), Some(more), Some(most)] = counts else { return };
    let (first, second) = (more - few, most - more);
    assert!(
        second * 100 < first * 115,
        "{command:?}: 200 directories cost {first} instructions, 200 below those {second}"
    );
}

macro_rules! in_proportion {
    ($($name:ident: $command:expr,)*) => {
        $(#[test] fn $name() { in_proportion(&$command) })*
    };
}

in_proportion! {
    reports_of_deep_trees: ["report", "--all"],
    kinds_of_deep_trees: ["kinds", "--all"],
    files_of_deep_trees: ["files", "--all", "--limit", "1"],
    dropping_files_of_deep_trees: ["what-if", "--all", "--drop-files", "**/leaf"],
    dropping_kinds_of_deep_trees: ["what-if", "--all", "--drop-kind", "scripts"],
    contents_of_deep_trees: ["audit", "--contents", "--references"],
}

/// Two attributes beside a path of 8,000 bytes, where no path can lead.
#[test]
fn attributes_beside_a_long_path_are_found() {
    let (deep, last) = Deep::new(32);
    for name in ["run", "data"] {
        let file = file(&last, name);
        if name == "data" {
            fchmod(&file, Mode::from_raw_mode(0o444)).unwrap();
        }
        if let Err(errno) = fsetxattr(&file, "user.odd", b"1", XattrFlags::empty()) {
            return skip(&format!("no attributes can be set here: {errno}"));
        }
    }
    // Of what can be run they are asked always, of all else with its contents.
    for (flags, expected) in [(&[][..], &["run"][..]), (&["--contents"], &["data", "run"])] {
        let words = ["audit", "--expand"].iter().chain(flags);
        let (answer, run) = deep.made.json(&deep.env, words);
        let findings = answer["findings"].as_array().unwrap().iter();
        let found = findings.filter(|finding| finding["kind"] == "xattr");
        let mut names: Vec<&str> = found
            .map(|finding| {
                assert_eq!(finding["found"], "user.odd", "{finding:#}");
                let path = finding["path"].as_str().unwrap();
                assert!(path.len() > 8000, "{path}");
                path.rsplit('/').next().unwrap()
            })
            .collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{}", run.stderr);
    }
}
