//! What the system gives: memory, descriptors, threads, file sizes, an output to
//! write to; and signals at any moment.

use super::*;
use crate::support::can_trace;
use std::fs::File;

/// One command under a limit of `prlimit`.
fn under(case: &Case, limit: &str, args: &[&str]) -> Ran {
    let words: Vec<OsString> = args.iter().map(Into::into).collect();
    Ran { run: run(&mut case.command_under(limit, &words)), command: words }
}

const ARGS: [&str; 4] = ["report", "--all", "--format", "json"];

attacks! {
    fn little_memory(case) {
        case.settle();
        for mebibytes in [16, 32, 48, 64, 96, 128, 192, 256] {
            let ran = under(&case, &format!("--as={}", mebibytes << 20), &ARGS);
            case.check_harm(&ran);
            // Without memory there is no answer: the program says so and ends, or cannot begin.
            let short = ["memory allocation of", "cannot allocate memory", "loading shared libraries", "Cannot allocate"];
            match ran.run.status {
                0..=3 => check_agreement(&ran.command, &ran.run),
                status => assert!(
                    short.iter().any(|text| ran.run.stderr.contains(text)) || ran.run.stderr.is_empty(),
                    "{status}: {}", ran.run.stderr
                ),
            }
        }
    }
    fn few_descriptors(case) {
        case.settle();
        for count in [3, 4, 5, 6, 8, 10, 12, 16, 24, 64] {
            let ran = under(&case, &format!("--nofile={count}"), &ARGS);
            case.check_harm(&ran);
            if ran.run.status <= 3 {
                check_agreement(&ran.command, &ran.run);
            }
        }
    }
    fn files_that_may_not_grow(case) {
        case.settle();
        let elsewhere = tempfile::tempdir().unwrap();
        let out = elsewhere.path().join("answer");
        for limit in [0, 1, 100] {
            let args = [&ARGS[..], &["--output", out.to_str().unwrap()]].concat();
            let ran = under(&case, &format!("--fsize={limit}"), &args);
            assert_eq!(ran.run.status, 3, "{}", ran.run.stderr);
            assert!(ran.run.stderr.contains("too large"), "{}", ran.run.stderr);
            case.check_harm(&ran);
            assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        }
    }
    fn an_output_that_is_full(case) {
        case.settle();
        for format in formats() {
            let words = [word("audit"), word("--format"), word(format)];
            let mut command = case.command(&words);
            command.stdout(File::create("/dev/full").unwrap());
            let ran = Ran { run: run(&mut command), command: words.into() };
            assert_eq!(ran.run.status, 3, "{}", ran.run.stderr);
            assert!(ran.run.stderr.contains("No space left"), "{}", ran.run.stderr);
            case.check_harm(&ran);
        }
    }
    fn a_reader_that_goes_away(case) {
        case.settle();
        for command in case.commands.clone() {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut program = case.command(&command);
            program.stdout(writer);
            let ran = Ran { run: run(&mut program), command };
            assert!(ran.run.status <= 1, "{}", ran.run.stderr);
            case.check_harm(&ran);
        }
    }
    fn outputs_that_are_closed(case) {
        case.settle();
        for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let plain = case.command(&ARGS.map(Into::into));
            let mut shell = through(["sh", "-c", &format!("exec \"$@\" {closed}"), "sh"], &plain);
            let ran = Ran { run: run(shell.current_dir("/")), command: vec![word(closed)] };
            let expected = if closed.contains(" >") || closed.starts_with('>') { 3 } else { 0 };
            assert_eq!(ran.run.status, expected, "{closed}: {}", ran.run.stderr);
            case.check_harm(&ran);
        }
    }
    fn messages_that_nobody_takes(case) {
        fs::remove_file(case.made.store.join(base(1, "hello-1.0"))).unwrap();
        case.settle();
        let mut command = case.command(&ARGS.map(Into::into));
        command.stderr(File::create("/dev/full").unwrap());
        let ran = Ran { run: run(&mut command), command: ARGS.map(word).into() };
        assert_eq!(ran.run.status, 3);
        case.check_harm(&ran);
    }
    /// At each file that is opened, with a rollback journal beside the database.
    fn signals_at_any_moment(case) {
        if !can_trace() {
            return;
        }
        fs::write(case.beside("-journal"), [0xd9; 5000]).unwrap();
        case.settle();
        let args = [&ARGS[..], &["--threads", "1"]].concat();
        let args: Vec<OsString> = args.into_iter().map(word).collect();
        let calls = ["openat", "openat2", "statx", "read"].map(|call| (call, case.count(call, &args)));
        let signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGXFSZ", "SIGXCPU", "SIGPIPE", "SIGUSR1"];
        let moments = if sweep() { 0..60 } else { 3..6 };
        for (i, signal) in signals.iter().enumerate() {
            for nth in moments.clone() {
                let (call, calls) = &calls[(i + nth) % 4];
                assert!(calls.any(), "nobody calls {call}");
                let inject = (&*format!("signal={signal}"), &*format!("--- {signal} "));
                let (ran, what) = case.injected(call, (calls, nth * 2), inject, &args);
                case.check_harm(&ran);
                if ["SIGXFSZ", "SIGPIPE"].contains(signal) {
                    assert!(ran.run.status <= 3, "{what}: {}", ran.run.status);
                }
            }
        }
    }
    fn the_terminal_that_is_closed(case) {
        case.settle();
        // No controlling terminal, a group of its own.
        if have(&["setsid"]) {
            case.before = vec![word("setsid"), word("-w")];
            case.attack();
        }
    }
    fn no_home_and_no_names(case) {
        case.settle();
        case.before = vec![word("env"), word("-i")];
        case.only(&[&["report", "--all"], &["garbage", "--no-runtime"], &["audit"]]);
        case.attack();
    }
    fn an_environment_of_noise(case) {
        case.before = ["env", "TZ=\u{1b}[31m/../../etc/passwd", "NIX_CONFIG=include /etc/passwd\nx", "NO_COLOR=", "COLUMNS=99999999999999999999", "NIX_STORE_DIR=../x", "XDG_CONFIG_HOME=/proc/self", "LANG=\u{202e}"].map(word).into();
        case.attack();
    }
    fn a_directory_that_is_gone(case) {
        case.settle();
        let elsewhere = tempfile::tempdir().unwrap();
        let gone = elsewhere.path().join("gone");
        fs::create_dir(&gone).unwrap();
        let plain = case.command(&ARGS.map(Into::into));
        let mut shell = through(["sh", "-c", "rmdir \"$PWD\" && exec \"$@\"", "sh"], &plain);
        let ran = Ran { run: run(shell.current_dir(&gone)), command: vec![word("gone")] };
        assert!(ran.run.status == 3 || ran.run.status == 0, "{}", ran.run.stderr);
        case.check_harm(&ran);
    }
}
