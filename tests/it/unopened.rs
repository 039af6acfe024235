//! Only regular files and directories are ever opened: opening a device can have
//! an effect, and opening a FIFO wakes who waits at its other end.
#![allow(clippy::unwrap_used)]

use crate::support::store_in_code::{Made, base, insert, path};
use crate::support::{TestEnv, have, root, run, skip};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMANDS: [&[&str]; 15] = [
    &[],
    &["report", "--all"],
    &["tree", "tree"],
    &["why", "--precise", "tree", "hello-1.0"],
    &["what-if", "--all", "--drop-files", "**/fifo"],
    &["what-if", "--all", "--drop-kind", "scripts"],
    &["suggest", "tree"],
    &["optimise"],
    &["variants", "--all"],
    &["files", "--all"],
    &["kinds", "--all"],
    &["roots"],
    &["garbage"],
    &["reclaim"],
    &["audit", "--contents", "--references"],
];

/// Files that are read by a name of their own.
const READ: [&str; 10] = [
    "nix/var/nix/db/schema",
    "nix/var/nix/db/db.sqlite-wal",
    "nix/var/nix/db/db.sqlite-journal",
    "nix/var/nix/db/db.sqlite",
    "etc/nix/nix.conf",
    "etc/nix/registry.json",
    "etc/passwd",
    "nix/var/nix/gc.lock",
    "boot/grub/grub.cfg",
    "boot/loader/entries/nixos-generation-1.conf",
];

/// Directories in which anything is looked at.
const SEARCHED: [&str; 9] = [
    "nix/store",
    "nix/store/.links",
    "nix/store/00000000000000000000000000000003-tree",
    "nix/var/nix/gcroots",
    "nix/var/nix/gcroots/auto",
    "nix/var/nix/profiles",
    "nix/var/nix/temproots",
    "nix/var/log/nix/drvs/ab",
    "boot/loader/entries",
];

/// Makes what is to be left alone: a device (the null device, which is harmless),
/// a FIFO or a socket.
fn make(kind: &str, at: &Path) {
    let mode = Mode::from_raw_mode(0o666);
    let _ = fs::remove_file(at);
    match kind {
        "device" => mknodat(CWD, at, FileType::CharacterDevice, mode, makedev(1, 3)).unwrap(),
        "fifo" => mknodat(CWD, at, FileType::Fifo, mode, 0).unwrap(),
        _ => drop(UnixListener::bind(at).unwrap()),
    }
}

/// What of these a run of each command opened, by what the kernel says it opened.
fn opened(env: &TestEnv, made: &Made, commands: &[&[&str]], odd: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    let trace = env.join("trace");
    for &command in commands {
        let plain = env.command(made.args(command));
        let mut strace = Command::new("timeout");
        strace.args(["60", "strace", "-f", "-qq", "-y", "-s", "4096"]);
        strace.args(["-e", "trace=open,openat,openat2,creat", "-o"]).arg(&trace);
        strace.arg(plain.get_program()).args(plain.get_args()).env_clear();
        strace.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let run = run(strace.current_dir("/"));
        assert!((0..=3).contains(&run.status), "{command:?}: {run:?}");
        let trace = fs::read_to_string(&trace).unwrap();
        assert!(trace.contains("O_PATH"), "{trace}");
        for line in whole_calls(&trace).iter().filter(|line| !line.contains("O_PATH")) {
            let Some((_, result)) = line.rsplit_once(" = ") else { continue };
            let is_it = |odd: &&PathBuf| result.contains(&format!("<{}", odd.display()));
            if odd.iter().any(|odd| is_it(&odd)) {
                found.push(format!("{command:?}: {line}"));
            }
        }
    }
    found
}

/// The lines of a trace, each with a whole call: one that ends after another
/// thread's began is in two lines.
fn whole_calls(trace: &str) -> Vec<String> {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(call) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, call);
        } else if let Some((_, end)) = call.split_once(" resumed>") {
            calls.push(format!("{}{end}", begun.remove(thread).unwrap_or_default()));
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}

#[test]
fn calls_in_two_lines_are_put_together() {
    let trace = "7 openat2(3, \"a\", {flags=O_PATH} <unfinished ...>\n\
                 8 openat2(3, \"b\") = 5</b>\n\
                 7 <... openat2 resumed>) = 4</a>\n";
    let calls = ["openat2(3, \"b\") = 5</b>", "openat2(3, \"a\", {flags=O_PATH}) = 4</a>"];
    assert_eq!(whole_calls(trace), calls);
}

fn never_opened(odd_files: &[&str], commands: &[&[&str]]) {
    if !root() || !have(&["strace", "timeout"]) {
        return;
    }
    if run(Command::new("strace").args(["-qqo", "/dev/null", "true"])).status != 0 {
        return skip("strace may not trace here");
    }
    for kind in ["device", "fifo", "socket"] {
        let env = TestEnv::new();
        let (made, db) = Made::sound(&env, "r");
        for dir in SEARCHED {
            fs::create_dir_all(made.dir.join(dir)).unwrap();
        }
        for dir in ["etc/nix", "boot/grub", "nix/var/nix/db"] {
            fs::create_dir_all(made.dir.join(dir)).unwrap();
        }
        let mut odd = Vec::new();
        if odd_files.is_empty() {
            for dir in SEARCHED {
                odd.push(made.dir.join(dir).join(kind));
            }
            // Valid paths, a derivation among them, and what symlinks lead to.
            for (id, name) in [(5, kind), (6, "x.drv")] {
                insert(&db, id, path(id, name).as_bytes(), Some(120));
                odd.push(made.store.join(base(id, name)));
            }
            for dir in ["nix/var/nix/gcroots", "nix/var/nix/gcroots/auto", "nix/var/nix/profiles"] {
                symlink(
                    format!("/nix/var/nix/temproots/{kind}"),
                    made.dir.join(dir).join("a-1-link"),
                )
                .unwrap();
            }
        } else {
            odd.extend(odd_files.iter().map(|file| made.dir.join(file)));
        }
        drop(db);
        odd.iter().for_each(|odd| make(kind, odd));
        let odd: Vec<PathBuf> = odd.iter().map(|odd| fs::canonicalize(odd).unwrap()).collect();
        assert_eq!(opened(&env, &made, commands, &odd), [""; 0], "{kind}");
        // So that it is known to be seen.
        if kind == "fifo" {
            let seen = run(Command::new("strace")
                .args(["-y", "-e", "trace=openat", "sh", "-c"])
                .arg(format!("exec 3<>'{}'", odd[0].display())));
            assert!(seen.stderr.contains(&format!("<{}", odd[0].display())), "{}", seen.stderr);
        }
    }
}

#[test]
fn what_is_found_and_is_no_file_is_not_opened() {
    never_opened(&[], &COMMANDS);
}

#[test]
fn what_is_read_by_name_and_is_no_file_is_not_opened() {
    let commands: [&[&str]; 4] = [&["roots"], &["garbage"], &["reclaim"], &["audit"]];
    // Each alone: what comes first may end the run.
    let (first, rest) = READ.split_at(4);
    for file in first {
        never_opened(&[file], &commands);
    }
    never_opened(rest, &commands);
}
