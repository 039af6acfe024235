//! The command line itself: help, colours, notes, progress, the environment,
//! and what the overview says of a store whose contents are known.
#![allow(clippy::unwrap_used)]

use super::support::store_in_code::{LOOSE, Made, SCHEMA, base, insert, path, refer};
use super::support::{Run, TestEnv, can_trace, du_inodes, have, root, run};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Clap alone sees two flags that stand on one side of the command.
#[test]
fn flags_that_exclude_one_another_do_on_both_sides_of_the_command() {
    let env = TestEnv::new();
    let pairs: [(&str, &[&str]); 8] = [
        ("--store=local", &["--root=.", "--state-dir=."]),
        ("--registration=f", &["--db=f"]),
        ("--path-info=f", &["--db=f", "--registration=f"]),
        ("--scan", &["--db=f", "--registration=f", "--path-info=f", "--no-disk"]),
        ("--si", &["--bytes"]),
        ("--quiet", &["--verbose"]),
        // In short.
        ("-q", &["-v"]),
        ("-v", &["--quiet"]),
    ];
    for (one, others) in pairs {
        for other in others {
            for args in [
                [one, other, "garbage"],
                [one, "garbage", other],
                [other, "garbage", one],
                ["garbage", one, other],
            ] {
                let run = env.run(args);
                assert_eq!((run.status, &*run.stdout), (2, ""), "{args:?}: {}", run.stderr);
                assert!(run.stderr.contains("cannot be used with"), "{args:?}: {}", run.stderr);
            }
        }
    }
    for args in [["--root-kind=image", "garbage"], ["garbage", "--root-kind=chroot"]] {
        let run = env.run(args);
        assert_eq!(run.status, 2, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains("--root-kind needs --root"), "{}", run.stderr);
    }
    // One flag on both sides is not a conflict.
    let run = env.run(["--quiet", "garbage", "--quiet", "--store=dummy://"]);
    assert!(run.stderr.contains("dummy"), "{}", run.stderr);
}

/// The help of every command. When it changes on purpose:
/// `INSTA_UPDATE=always cargo test --test it cli::help`.
#[test]
fn help() {
    let mut env = TestEnv::new();
    env.set("COLUMNS", "100");
    let overview = env.ok(["--help"]);
    let listed = overview.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = listed.lines().filter_map(|l| l.strip_prefix("  ")?.split(' ').next());
    let mut reference = format!("$ nix-census --help\n{overview}");
    for command in commands.filter(|c| !c.is_empty() && *c != "help") {
        reference += &format!("\n$ nix-census {command} --help\n");
        reference += &env.ok([command, "--help"]);
    }
    assert!(reference.contains("$ nix-census report --help"));
    insta::assert_snapshot!("reference", reference);
}

#[test]
fn version_and_wrong_usage() {
    let env = TestEnv::new();
    assert_eq!(env.ok(["--version"]), format!("nix-census {}\n", env!("CARGO_PKG_VERSION")));
    for wrong in [
        &["--nothing"][..],
        &["nothing"],
        &["report", "--json", "--format", "csv"],
        &["report", "-o", "x.jsn"],
        &["report", "--all", "hello"],
        &["report", "--all", "--no-closure"],
        &["report", "--all", "--sort", "colour"],
        &["report", "--all", "--columns", "path,colour"],
        &["report", "--all", "--limit", "-1"],
        &["--si", "--bytes"],
        &["--quiet", "--verbose"],
        &["--threads", "0"],
        &["--threads", "many"],
        &["--format", "xml"],
    ] {
        let run = env.run(wrong);
        assert_eq!((run.status, &*run.stdout), (2, ""), "{wrong:?}: {}", run.stderr);
        assert!(run.stderr.contains("error: "), "{wrong:?}: {}", run.stderr);
    }
}

/// Runs a command line of the program in a terminal; what the terminal got.
fn in_terminal<S: AsRef<OsStr>>(env: &TestEnv, args: impl IntoIterator<Item = S>) -> Run {
    let command = env.command(args);
    let mut script = Command::new("script");
    script.args(["-qec", &line(&command), "/dev/null"]);
    script.env_clear().envs(command.get_envs().filter_map(|(n, v)| Some((n, v?))));
    script.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    script.env("TERM", "xterm").stdin(Stdio::null());
    run(&mut script)
}

/// A command as a shell reads it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quote = |word: &OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    words.map(quote).collect::<Vec<_>>().join(" ")
}

#[test]
fn colours_on_a_terminal_alone() {
    if !have(&["script"]) {
        return;
    }
    let mut env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let bold = |run: &Run| run.stdout.contains("\x1b[1m");
    let args = made.args(["report", "--all", "--no-disk"]);
    let terminal = in_terminal(&env, &args);
    assert_eq!(terminal.status, 0, "{terminal:?}");
    assert!(bold(&terminal), "{terminal:?}");
    assert!(!bold(&env.run(&args)));
    let file = env.join("answer");
    in_terminal(&env, args.iter().cloned().chain(["--output".into(), file.clone().into()]));
    assert!(!fs::read_to_string(file).unwrap().contains('\x1b'));
    // An empty NO_COLOR is none (https://no-color.org).
    env.set("NO_COLOR", "");
    assert!(bold(&in_terminal(&env, &args)));
    env.set("NO_COLOR", "1");
    let plain = in_terminal(&env, &args);
    assert!(!plain.stdout.contains('\x1b') && plain.stdout.contains("world-2.0"), "{plain:?}");
}

#[test]
fn quiet_and_verbose() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    fs::remove_file(made.database.with_file_name("schema")).unwrap();
    let args = ["report", "--all"];
    let run = made.run(&env, args);
    assert!(run.stderr.starts_with("note: ") && run.status == 0, "{}", run.stderr);
    let run = made.run(&env, args.iter().chain(&["--quiet"]));
    assert_eq!((run.status, &*run.stderr), (0, ""));

    let (made, db) = Made::sound(&env, "many");
    for id in 10..40 {
        insert(&db, id, path(id, "gone").as_bytes(), Some(120));
    }
    drop(db);
    let lines = |args: &[&str]| {
        let run = made.run(&env, ["report", "--all"].iter().chain(args));
        assert_eq!(run.status, 3);
        run.stderr
            .lines()
            .filter(|l| l.starts_with("warning: /nix/") || l.contains("-gone: "))
            .count()
    };
    assert_eq!((lines(&[]), lines(&["--verbose"]), lines(&["--quiet"])), (10, 30, 10));
    let run = made.run(&env, args);
    assert!(run.stderr.contains("warning: 20 more warnings"), "{}", run.stderr);
    assert!(run.stderr.ends_with("the answer is incomplete: 30 warnings\n"), "{}", run.stderr);
    // A note is not a warning, and leaves nothing out.
    fs::remove_file(made.database.with_file_name("schema")).unwrap();
    let run = made.run(&env, args);
    assert!(run.stderr.contains("warning: 21 more warnings ("), "{}", run.stderr);
    assert!(run.stderr.ends_with("the answer is incomplete: 30 warnings\n"), "{}", run.stderr);
}

#[test]
fn units_and_threads() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    db.execute("UPDATE ValidPaths SET narSize = 1310720 WHERE id = 1", []).unwrap();
    drop(db);
    let table = |args: &[&str]| {
        let all = ["report", "hello", "--no-disk", "--columns", "nar_size,name"];
        made.run(&env, all.iter().chain(args)).ok()
    };
    assert!(table(&[]).contains("1.2 MiB  hello-1.0"), "{}", table(&[]));
    assert!(table(&["--si"]).contains("1.3 MB  hello-1.0"));
    assert!(table(&["--bytes"]).contains("1,310,720  hello-1.0"));
    // Machines always get bytes.
    for format in ["json", "csv"] {
        assert_eq!(table(&["--format", format, "--si"]), table(&["--format", format]));
        assert!(table(&["--format", format]).contains("1310720"));
    }
    let answers = ["1", "2", "64"].map(|n| made.json(&env, ["report", "--all", "--threads", n]).0);
    assert!(answers[0] == answers[1] && answers[1] == answers[2]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    db.execute_batch("BEGIN").unwrap();
    // More than a pipe holds.
    for id in 1..3000 {
        insert(&db, id, path(id, "some-name-of-a-path").as_bytes(), Some(120));
    }
    db.execute_batch("COMMIT").unwrap();
    drop(db);
    for format in ["table", "json", "csv"] {
        let report = &["report", "--all", "--no-disk", "--format", format][..];
        // All paths are missing on disk: the verdict is "no", read or not.
        let audit = &["audit", "--format", format][..];
        for (args, status) in [(report, 0), (audit, 1)] {
            let mut child = env
                .command(made.args(args))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut first = [0; 10];
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut first).unwrap();
            drop(stdout);
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), &*stderr), (Some(status), ""), "{args:?}");
        }
    }
}

/// GNU `du`, `ls` and `nix-store` fail so too.
#[test]
fn a_closed_standard_output_is_a_failure() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let closed = |redirect: &str, args: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$@\" {redirect}"), "sh"]);
        shell.arg(env!("CARGO_BIN_EXE_nix-census")).args(made.args(args));
        run(&mut shell)
    };
    for args in [&["report", "--all"][..], &["--format", "json"], &["--help"], &["why", "--help"]] {
        let run = closed(">&-", args);
        assert_eq!(run.status, 3, "{args:?} {}", run.stderr);
        assert!(run.stderr.contains("standard output is closed"), "{}", run.stderr);
        assert_eq!(closed(">/dev/null", args).status, 0, "{args:?}");
        // As programs do that start others without an output.
        assert_eq!(closed("1<>/dev/null", args).status, 0, "{args:?}");
    }
    // Open, but not for writing.
    let run = closed("1</dev/null", &["report", "--all"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert!(run.stderr.contains("could not be written"), "{}", run.stderr);
    // What needs no standard output does without.
    let file = env.join("answer");
    let written = closed(">&-", &["report", "--all", "--output", file.to_str().unwrap()]);
    assert_eq!(written.status, 0, "{}", written.stderr);
    assert!(std::fs::read_to_string(file).unwrap().contains("hello-1.0"));
    assert_eq!(closed("2>&-", &["report", "nothing"]).status, 2);
}

#[test]
fn times_are_local_with_their_offset() {
    let mut env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let report = ["report", "hello", "--no-disk", "--columns", "registration_time,name"];
    let mut shows = |zone: &str, time: &str| {
        env.set("TZ", zone);
        let table = made.run(&env, report).ok();
        assert!(table.contains(&format!("{time}  hello-1.0")), "{zone}: {table}");
        let overview = made.run(&env, ["--no-disk"]).ok();
        assert!(overview.contains(time), "{zone}: {overview}");
        // Machines get seconds.
        for format in ["json", "csv"] {
            let answer = made.run(&env, report.iter().chain(&["--format", format])).ok();
            assert!(answer.contains("1000000001"), "{zone}: {answer}");
        }
    };
    shows("UTC", "2001-09-09 01:46 +00:00");
    shows("CET-1CEST,M3.5.0,M10.5.0/3", "2001-09-09 03:46 +02:00");
    shows("XXX3:30", "2001-09-08 22:16 -03:30");
}

/// `du -t` reads them in the same way.
#[test]
fn units_of_sizes_agree_with_those_shown() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    db.execute("UPDATE ValidPaths SET narSize = 1020000 WHERE id = 1", []).unwrap();
    drop(db);
    let shows = |size: &str| {
        let tree = made.run(&env, ["tree", "tree", "--no-disk", "--si", "--min-size", size]).ok();
        assert!(tree.contains("-tree"), "{tree}");
        tree.contains("1.0 MB") && tree.contains("hello-1.0")
    };
    for (size, shown) in [("1MB", true), ("1000kB", true), ("1.02MB", true), ("1.03MB", false)] {
        assert_eq!(shows(size), shown, "{size}");
    }
    assert!(!shows("1MiB") && !shows("1M") && !shows("1000K") && shows("996K"));
}

// Where the answer goes.

#[test]
fn dash_is_standard_output() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let args = ["report", "--all", "--format", "csv"];
    let plain = made.run(&env, args).ok();
    for dash in [&["-o", "-"][..], &["--output=-"], &["--output", "/dev/stdout"]] {
        assert_eq!(made.run(&env, args.iter().chain(dash)).ok(), plain);
    }
    assert!(!env.join("-").exists());
    // Called so, a file is a file.
    made.run(&env, args.iter().chain(&["-o", "./-"])).ok();
    assert_eq!(fs::read_to_string(env.join("-")).unwrap(), plain);
}

#[test]
fn the_output_files_name_chooses_the_format() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let written = |args: &[&str], name: &str| {
        assert_eq!(made.run(&env, args.iter().chain(&["-o", name])).ok(), "");
        fs::read_to_string(env.join(name)).unwrap()
    };
    let report = ["report", "--all", "--no-disk"];
    let answer = |args: &[&str]| made.run(&env, report.iter().chain(args)).ok();
    assert_eq!(written(&report, "x.json"), answer(&["--format", "json"]));
    assert_eq!(written(&report, "x.csv"), answer(&["--format", "csv"]));
    assert_eq!(written(&report, "x.txt"), answer(&[]));
    let explicit = [&report[..], &["--format", "table"]].concat();
    assert_eq!(written(&explicit, "y.json"), answer(&[]));
    let run = made.run(&env, ["audit", "-o", "x.xml"]);
    let junit = fs::read_to_string(env.join("x.xml")).unwrap();
    assert!(junit.starts_with("<?xml") && junit.contains("<testsuites tests="), "{junit}: {run:?}");
    let run = made.run(&env, report.iter().chain(&["-o", "y.xml"]));
    assert_eq!((run.status, env.join("y.xml").exists()), (2, false), "{}", run.stderr);
}

#[test]
fn no_answer_is_written_over_what_is_examined() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let info = env.join("info.json");
    fs::write(&info, "{}").unwrap();
    let link = env.join("link");
    std::os::unix::fs::symlink(made.store.join(base(1, "hello-1.0")), &link).unwrap();
    let state = made.database.parent().unwrap();
    let refused = |args: &[&str], file: &Path| {
        let before = fs::read(file).ok();
        let all = [OsStr::new("-o"), file.as_os_str()];
        let run = made.run(&env, args.iter().map(OsStr::new).chain(all));
        assert_eq!((run.status, &*run.stdout), (2, ""), "{file:?}: {}", run.stderr);
        assert!(run.stderr.contains("what is examined"), "{}", run.stderr);
        assert_eq!(fs::read(file).ok(), before);
    };
    let report = ["report", "--all", "--format=table"];
    for file in [
        made.store.join("new"),
        made.store.join(base(1, "hello-1.0")),
        link,
        made.database.clone(),
        state.join("new"),
        made.store.join("../store/new"),
    ] {
        refused(&report, &file);
    }
    refused(&["report", "--all", "--path-info", "info.json"], &info);
    refused(&["report", "--all", "--registration", "info.json"], &info);
    // Beside it is free, also in the same root.
    let beside = made.dir.join("answer.json");
    made.run(&env, ["report", "--all", "-o", beside.to_str().unwrap()]).ok();
    assert!(beside.exists());
}

#[test]
fn an_output_file_is_replaced_as_a_whole() {
    use std::os::unix::fs::PermissionsExt;
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let dir = env.join("out");
    fs::create_dir(&dir).unwrap();
    let (file, other, link) = (dir.join("file.csv"), dir.join("other"), dir.join("link.csv"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&file, &other).unwrap();
    std::os::unix::fs::symlink("file.csv", &link).unwrap();
    made.run(&env, ["report", "--all", "-o", link.to_str().unwrap()]).ok();
    assert!(fs::read_to_string(&file).unwrap().contains("nar_size"));
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::read_to_string(&other).unwrap(), "old");
    assert!(link.is_symlink());
    // An answer that fails leaves what was there, and nothing beside it.
    let run = made.run(&env, ["report", "nothing", "-o", file.to_str().unwrap()]);
    assert_eq!(run.status, 2);
    assert!(fs::read_to_string(&file).unwrap().contains("nar_size"));
    let names: BTreeSet<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["file.csv", "link.csv", "other"].map(OsString::from).into());
}

/// A store of 200 paths and the program that walks it, halted for so long by
/// `strace` at the statx calls of these numbers (`100+` is all from there on).
fn slow(env: &TestEnv, halt: Duration, calls: &str) -> Option<(Made, Command)> {
    if !have(&["script"]) || !can_trace() {
        return None;
    }
    let (made, db) = Made::with(env, "root", SCHEMA);
    for id in 1..=200 {
        made.file(id, "x", &db);
    }
    let mut strace = Command::new("strace");
    let inject = format!("inject=statx:delay_enter={}:when={calls}", halt.as_micros());
    strace.args(["-fqqo", "/dev/null", "-e", "trace=statx", "-e", &inject]);
    strace.arg(env!("CARGO_BIN_EXE_nix-census")).args(made.args(["--threads", "1"]));
    Some((made, strace))
}

/// A command in a terminal of its own.
fn terminal(line: &str) -> Command {
    let mut terminal = Command::new("script");
    terminal.args(["-qec", line, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null());
    terminal
}

#[test]
fn progress_on_a_terminal_alone() {
    let env = TestEnv::new();
    let Some((_made, mut slow)) = slow(&env, Duration::from_secs(3), "100") else { return };
    let line = line(&slow);
    let (shown, quiet, piped) = std::thread::scope(|scope| {
        let shown = scope.spawn(|| run(&mut terminal(&line)));
        let quiet = scope.spawn(|| run(&mut terminal(&format!("{line} --quiet"))));
        let piped = scope.spawn(|| run(&mut slow));
        (shown.join().unwrap(), quiet.join().unwrap(), piped.join().unwrap())
    });
    assert_eq!(shown.status, 0, "{shown:?}");
    // Wiped before the answer is written.
    let (progress, answer) = shown.stdout.split_once("Heaviest paths").unwrap();
    assert!(progress.ends_with("\x1b[2K\x1b[1m") || progress.ends_with("\x1b[2K"), "{progress:?}");
    assert!(!answer.contains("of 200 paths"));
    // Halted in the middle: some are done, and not all.
    let done = progress.split(" of 200 paths").filter_map(|p| p.rsplit("store: ").next());
    let done: Vec<u32> = done.filter_map(|n| n.parse().ok()).collect();
    assert!(done.is_sorted() && done.iter().any(|&n| n > 0), "{progress:?}");
    assert!(done.iter().all(|&n| n <= 200), "{progress:?}");
    assert!(quiet.status == 0 && !quiet.stdout.contains("of 200 paths"), "{quiet:?}");
    assert_eq!((piped.status, &*piped.stderr), (0, ""));
    assert!(!piped.stdout.contains("of 200 paths"));
}

#[test]
fn an_interrupt_ends_it_at_once() {
    let env = TestEnv::new();
    // Long enough to be interrupted; nobody waits for the end.
    let Some((_made, slow)) = slow(&env, Duration::from_millis(500), "100+") else { return };
    let mut child = terminal(&line(&slow))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while !text(&seen).contains("of 200 paths") {
        let n = stdout.read(&mut buffer).unwrap();
        assert!(n > 0, "no progress: {:?}", text(&seen));
        seen.extend_from_slice(&buffer[..n]);
    }
    stdin.write_all(b"\x03").unwrap();
    stdin.flush().unwrap();
    seen.clear();
    stdout.read_to_end(&mut seen).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{:?}", text(&seen));
    // The progress line is wiped, the cursor is there, and no answer follows.
    let rest = text(&seen);
    assert!(rest.contains("\r\x1b[2K\x1b[?25h"), "{rest:?}");
    assert!(!rest.contains("Store /nix/store"), "{rest:?}");
}

// The environment.

/// A store whose store directory and state directory are anywhere.
fn elsewhere(env: &TestEnv) -> (String, String) {
    let (store, state) = (env.join("else/store"), env.join("else/state"));
    fs::create_dir_all(&store).unwrap();
    fs::create_dir_all(state.join("db")).unwrap();
    fs::write(state.join("db/schema"), "10").unwrap();
    let db = Connection::open(state.join("db/db.sqlite")).unwrap();
    db.execute_batch(LOOSE).unwrap();
    let path = store.join(base(1, "here"));
    fs::write(&path, "contents").unwrap();
    insert(&db, 1, path.as_os_str().as_bytes(), Some(120));
    (store.to_str().unwrap().to_owned(), state.to_str().unwrap().to_owned())
}

#[test]
fn nix_variables_are_honoured() {
    let mut env = TestEnv::new();
    let (store, state) = elsewhere(&env);
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let args = ["report", "--all", "--format", "json"];
    env.set("NIX_STORE_DIR", &store).set("NIX_STATE_DIR", &state);
    assert_eq!(env.json(args)["store_dir"], json!(store));
    // `--root` wins, and so do the flags.
    assert_eq!(made.json(&env, ["report", "--all"]).0["store_dir"], "/nix/store");
    env.set("NIX_STORE_DIR", "/nowhere").set("NIX_STATE_DIR", "/nowhere");
    let flags = ["--store-dir", &store, "--state-dir", &state];
    assert_eq!(env.json(args.iter().chain(&flags))["store_dir"], json!(store));
    let db = format!("{state}/db/db.sqlite");
    let flags = ["--store-dir", &store, "--db", &db];
    assert_eq!(env.json(args.iter().chain(&flags))["store_dir"], json!(store));
    let run = env.run(args);
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains("/nowhere/db/db.sqlite does not exist"), "{}", run.stderr);
    // As Nix reads it: without doubled slashes, `.` and `..`.
    let odd = format!("{store}/.././/store/");
    env.set("NIX_STORE_DIR", &odd).set("NIX_STATE_DIR", &format!("/{state}/"));
    assert_eq!(env.json(args)["store_dir"], json!(store));
    // An empty one is none.
    env.set("NIX_STORE_DIR", "").set("NIX_STATE_DIR", &state);
    let run = env.run(args);
    assert!(run.stderr.contains("no path in /nix/store"), "{}", run.stderr);
}

#[test]
fn variables_that_are_no_utf8_are_not_ignored() {
    let env = TestEnv::new();
    let (store, state) = elsewhere(&env);
    let other = env.join(OsStr::from_bytes(b"state-\xff"));
    fs::rename(&state, &other).unwrap();
    let mut command = env.command(["report", "--all", "--format", "json"]);
    let answer: Value = serde_json::from_str(
        &run(command.env("NIX_STORE_DIR", &store).env("NIX_STATE_DIR", &other)).ok(),
    )
    .unwrap();
    assert_eq!(answer["paths"].as_array().unwrap().len(), 1);
    let run = run(command.env("NIX_STORE_DIR", &other));
    assert_eq!(run.status, 2, "{}", run.stderr);
    assert!(run.stderr.contains("is not UTF-8"), "{}", run.stderr);
}

#[test]
fn the_demo_store_where_there_is_none() {
    let env = TestEnv::new();
    let has_store =
        Path::new("/nix/store").exists() || Path::new("/nix/var/nix/db/db.sqlite").exists();
    if has_store && (!root() || !have(&["unshare", "mount"])) {
        return;
    }
    // The program finds it above itself, or above the current directory where the target
    // directory is elsewhere.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = Path::new(env!("CARGO_BIN_EXE_nix-census")).starts_with(sources);
    let here = if beside { env.path() } else { sources };
    let without_store = |args: &[&str]| {
        let mut command = env.command(args);
        command.current_dir(here);
        if has_store {
            // Where the process looks, an empty directory hides it.
            let script = "mount -t tmpfs tmpfs /nix && exec \"$@\"";
            let mut unshare = Command::new("unshare");
            unshare.args(["--mount", "sh", "-c", script, "sh"]);
            unshare.arg(command.get_program()).args(command.get_args()).current_dir(here);
            unshare.env_clear().envs(command.get_envs().filter_map(|(n, v)| Some((n, v?))));
            unshare.env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command = unshare;
        }
        run(&mut command)
    };
    let run = without_store(&[]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains("demo store"), "{}", run.stderr);
    assert!(run.stdout.contains("valid paths"), "{}", run.stdout);
    // Programs that read the answer want the error.
    let run = without_store(&["--format", "json"]);
    assert_eq!((run.status, &*run.stdout), (3, ""), "{}", run.stderr);
}

// The overview.

#[test]
fn the_overview_of_a_known_store() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    let links = made.store.join(".links");
    fs::create_dir(&links).unwrap();
    made.file(1, "hello-1.0.drv", &db);
    // A file with four names in two paths and one in `.links`.
    for id in [2, 3] {
        let dir = made.store.join(base(id, "shares"));
        fs::create_dir(&dir).unwrap();
        for name in ["one", "two"] {
            match id {
                2 if name == "one" => fs::write(links.join("content"), [7; 10_000]).unwrap(),
                _ => {}
            }
            fs::hard_link(links.join("content"), dir.join(name)).unwrap();
        }
        let nar = 24 + 72 + 2 * (88 + 8 + 88 + 10_000);
        insert(&db, id, path(id, "shares").as_bytes(), Some(nar));
    }
    refer(&db, 2, 1);
    refer(&db, 3, 2);
    refer(&db, 3, 3);
    // An entry of `.links` with no other name.
    fs::write(links.join("unused"), [8; 5000]).unwrap();
    // Two that are not valid paths: one with a name of the shared file.
    let junk = made.store.join(base(9, "junk"));
    fs::create_dir(&junk).unwrap();
    fs::hard_link(links.join("content"), junk.join("shared")).unwrap();
    fs::write(junk.join("own"), [9; 3000]).unwrap();
    fs::write(made.store.join("x.lock"), "").unwrap();
    drop(db);

    let blocks = |path: &Path| path.symlink_metadata().unwrap().blocks() * 512;
    let (content, unused) = (blocks(&links.join("content")), blocks(&links.join("unused")));
    let valid: u64 = blocks(&made.store.join(base(1, "hello-1.0.drv")))
        + blocks(&made.store.join(base(2, "shares")))
        + blocks(&made.store.join(base(3, "shares")))
        + content;
    let du = run(Command::new("du").args(["-s", "--block-size=1"]).arg(&made.store)).ok();
    let du: u64 = du.split_whitespace().next().unwrap().parse().unwrap();
    let entries = walkdir::WalkDir::new(&made.store).min_depth(1).into_iter().count() - 1;
    let nar: u64 = 120 + 2 * (24 + 72 + 2 * (88 + 8 + 88 + 10_000));
    let (answer, first) = made.json(&env, [""; 0]);
    assert_eq!((first.status, &*first.stderr), (0, ""));
    let expected = [
        ("paths", json!(3)),
        ("derivations", json!(1)),
        ("references", json!(3)),
        ("nar_size", json!(nar)),
        ("apparent_size", json!(8 + 10_000)),
        ("disk_size", json!(valid)),
        // Five names in paths, four beyond the first.
        ("hard_link_savings", json!(4 * content)),
        ("hard_linked_names", json!(4)),
        // All of them through `.links`, beside the name there.
        ("links_savings", json!(4 * content)),
        ("other_link_savings", json!(0)),
        ("other_linked_names", json!(0)),
        ("copied_disk_size", json!(valid + 3 * content)),
        ("links_directory_disk_size", json!(blocks(&links))),
        ("links_entries", json!(2)),
        ("unused_links_disk_size", json!(unused)),
        ("unused_links", json!(1)),
        ("invalid_disk_size", json!(blocks(&junk) + blocks(&junk.join("own")))),
        ("invalid_entries", json!(2)),
        ("store_disk_size", json!(du)),
        // Two of the three are directories; all files in them are one inode.
        ("inodes", json!(1 + 2 + 1)),
        ("invalid_inodes", json!(3)),
        ("store_inodes", json!(du_inodes(&[&made.store]))),
        ("newest_registration", json!(1_000_000_003)),
        ("schema_version", json!(1)),
        ("store_dir", json!("/nix/store")),
        ("complete", json!(true)),
        ("warnings", json!([])),
        ("warnings_total", json!(0)),
    ];
    for (key, value) in &expected {
        assert_eq!(&answer[key], value, "{key}");
    }
    assert!(answer["duration"].as_f64().unwrap() > 0.0);
    // What the directory `.links` itself counts is its own matter.
    let told = answer["entries"].as_u64().unwrap();
    assert!(told == entries as u64 || told == entries as u64 + 1, "{told}, {entries}");
    let keys: BTreeSet<&str> = answer.as_object().unwrap().keys().map(|k| &**k).collect();
    // What the file system has left is its own matter, here.
    let left = ["file_system_size", "free_size", "available_size"];
    assert!(left.iter().all(|key| answer[key].is_u64()));
    let inodes = ["file_system_inodes", "free_inodes"];
    // What is beneath blocks depends on the file system.
    let beneath = [
        "physical_size",
        "uncompressed_size",
        "referenced_size",
        "inline_size",
        "raw_size",
        "physical_size_is",
        "freed_physical_size_is",
        "physical_size_unknown",
    ];
    let known = answer["physical_size_unknown"].is_null();
    assert_eq!(answer["physical_size"].is_u64(), known, "{answer:#}");
    let rest = ["duration", "entries", "heaviest", "outside"];
    let rest = [&rest[..], &left, &inodes, &beneath].concat();
    assert_eq!(keys, expected.iter().map(|(k, _)| *k).chain(rest).collect());
    let heaviest: Vec<&Value> =
        answer["heaviest"].as_array().unwrap().iter().map(|r| &r["path"]).collect();
    let paths = [path(2, "shares"), path(3, "shares"), path(1, "hello-1.0.drv")];
    assert_eq!(
        heaviest,
        paths.iter().map(|p| json!(p)).collect::<Vec<_>>().iter().collect::<Vec<_>>()
    );
    let row = json!({"nar_size": (nar - 120) / 2, "disk_size": blocks(&made.store.join(base(2, "shares"))) + content,
        "physical_size": answer["heaviest"][0]["physical_size"], "referrers": 1, "path": paths[0]});
    assert_eq!(answer["heaviest"][0], row);
    assert_eq!(row["physical_size"].is_u64(), known);

    // CSV has the list.
    let csv = made.run(&env, ["--format", "csv"]).ok();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("nar_size,disk_size,physical_size,referrers,path"));
    assert!(lines.next().unwrap().ends_with(&paths[0]) && lines.count() == 2);

    // Without the disk: what it would say is left out, not 0.
    let (answer, _) = made.json(&env, ["--no-disk"]);
    assert_eq!((&answer["nar_size"], &answer["paths"]), (&json!(nar), &json!(3)));
    for key in ["disk_size", "apparent_size", "invalid_entries", "store_disk_size", "entries"] {
        assert!(answer.get(key).is_none_or(Value::is_null), "{key}");
    }

    // People read this; the numbers of this file system are checked above.
    let table = made.run(&env, ["--bytes"]).ok();
    for text in [
        "3  1 of them derivations (.drv)",
        "2 entries of the store directory",
        "2001-09-09 01:46 +00:00",
    ] {
        assert!(table.contains(text), "no ‘{text}’ in {table}");
    }
    assert!(table.lines().count() <= 40, "more than a screen: {table}");
}

/// Arguments in any order: those of the store and the output go anywhere.
#[test]
fn global_arguments_go_anywhere() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let root: OsString = made.dir.clone().into();
    let before = env.ok([
        "--format".into(),
        "csv".into(),
        "--root".into(),
        root.clone(),
        "report".into(),
        "--all".into(),
    ] as [OsString; 6]);
    let after = env.ok([
        "report".into(),
        "--all".into(),
        "--root".into(),
        root,
        "--format".into(),
        "csv".into(),
    ] as [OsString; 6]);
    assert_eq!(before, after);
}
