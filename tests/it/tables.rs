//! Tables of all commands as a terminal shows them: snapshots at three widths, with
//! and without colour; no line wider than the terminal, in a real one too.

use crate::support::{TestEnv, have, run};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use unicode_width::UnicodeWidthStr;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
const SYSTEM: &str = "nixos-system-demo-24.05.2";

/// What is asked of the demo store, each with a name for its snapshot. Only what is
/// the same on every file system.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("report", &["report", SYSTEM, "--limit", "8"]),
    ("report_all_columns", &["report", SYSTEM, "--limit", "4", "--columns", "all"]),
    ("report_full_paths", &["report", SYSTEM, "--limit", "4", "--full-paths"]),
    ("tree", &["tree", SYSTEM, "--limit", "12"]),
    ("tree_inverse", &["tree", "glibc", "--inverse", "--limit", "8"]),
    ("why", &["why", SYSTEM, "source"]),
    ("why_users", &["why", "systemd-minimal"]),
    ("why_all_chains", &["why", SYSTEM, "perl-5.38.2", "--all-chains", "--limit", "9"]),
    ("what_if", &["what-if", SYSTEM, "--remove", "perl", "--remove", "python3", "--limit", "4"]),
    ("suggest", &["suggest", SYSTEM, "--limit", "4"]),
    ("roots_of", &["roots", "--no-runtime", "--of", "openssl"]),
    ("roots", &["roots", "--no-runtime", "--columns", "freed_nar_size,kind,link"]),
    ("garbage", &["garbage", "--no-runtime", "--keep-generations", "1", "--limit", "3"]),
    ("garbage_why", &["garbage", "--no-runtime", "glibc", "hello"]),
    ("audit", &["audit"]),
];

/// The same for what depends on the file system or on time.
const OTHERS: &[&[&str]] = &[
    &[],
    &["report", "--all"],
    &["report", SYSTEM, "--sort", "registration_time", "--columns", "all"],
    &["tree", SYSTEM],
    &["why", SYSTEM, "source", "--precise"],
    &["what-if", SYSTEM, "--replace", "systemd-minimal=systemd", "--drop-files", "share/man/**"],
    &["suggest", SYSTEM],
    &["kinds", SYSTEM],
    &["optimise"],
    &["roots", "--no-runtime", "--shared"],
    &["garbage", "--no-runtime"],
    &["audit", "--contents", "--references"],
    &["audit", "--expand"],
];

fn asked<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [["--quiet", "--root", ROOT, "--root-kind", "image"].as_slice(), args].concat()
}

#[test]
fn at_three_widths_with_and_without_colour() {
    let env = TestEnv::new();
    for (name, question) in QUESTIONS {
        let mut shown = String::new();
        for width in ["80", "120", "200"] {
            for color in ["never", "always"] {
                let how = ["--no-disk", "--width", width, "--color", color];
                let run = env.run([asked(&how), question.to_vec()].concat());
                assert!(run.status <= 1, "{question:?}: {}", run.stderr);
                let text = run.stdout.replace('\x1b', "␛");
                shown.push_str(&format!("== {width} columns, colour {color}\n{text}\n"));
            }
        }
        insta::assert_snapshot!(*name, shown);
    }
}

#[test]
fn no_line_is_wider_than_asked_for() {
    let env = TestEnv::new();
    let questions = QUESTIONS.iter().map(|(_, question)| *question).chain(OTHERS.iter().copied());
    for question in questions {
        for width in [20, 60, 80, 137] {
            let columns = width.to_string();
            let run = env.run([asked(&["--width", &columns]), question.to_vec()].concat());
            assert!(run.status <= 1, "{question:?}: {}", run.stderr);
            for line in run.stdout.lines() {
                assert!(line.width() <= width, "{question:?} at {width}: {line:?}");
            }
        }
    }
}

/// What a terminal of that size shows of a command, and the same with the lines joined
/// that it had to wrap.
fn in_tmux(env: &TestEnv, size: (&str, &str), locale: &str, args: &[&str]) -> [String; 2] {
    // A server is still on its way out when the next one starts.
    static SERVERS: AtomicU32 = AtomicU32::new(0);
    let socket = env.join(format!("tmux-{}", SERVERS.fetch_add(1, Ordering::Relaxed)));
    let tmux = |args: &[&str]| {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-f", "/dev/null", "-S", socket.to_str().unwrap()]).args(args);
        tmux.env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TERM", "xterm-256color");
        run(tmux.env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh")).ok()
    };
    let words: Vec<_> = args.iter().map(|word| format!("'{word}'")).collect();
    let line = format!(
        "env LC_ALL={locale} TZ=UTC HOME=/ '{}' {}; tmux -S '{}' wait-for -S done; exec sleep 60",
        env!("CARGO_BIN_EXE_nix-census"),
        words.join(" "),
        socket.display()
    );
    tmux(&["new-session", "-d", "-x", size.0, "-y", size.1, &line]);
    tmux(&["wait-for", "done"]);
    let lines = |text: String| text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let shown = [
        lines(tmux(&["capture-pane", "-p", "-S", "-"])),
        lines(tmux(&["capture-pane", "-p", "-J", "-S", "-"])),
    ];
    tmux(&["kill-server"]);
    shown
}

#[test]
fn a_real_terminal_wraps_nothing() {
    if !have(&["tmux"]) {
        return;
    }
    let env = TestEnv::new();
    let questions = QUESTIONS.iter().map(|(_, question)| *question).chain(OTHERS.iter().copied());
    for question in questions {
        for size in [("80", "24"), ("60", "24")] {
            let [shown, joined] = in_tmux(&env, size, "C.UTF-8", &asked(question));
            assert!(!shown.trim().is_empty(), "{question:?}");
            assert_eq!(shown, joined, "{question:?} at {size:?}");
        }
    }
}

#[test]
fn a_real_terminal_shows_all_of_a_long_answer_at_once() {
    if !have(&["tmux"]) {
        return;
    }
    let env = TestEnv::new();
    let first = |question: &[&str], locale| {
        let [shown, _] = in_tmux(&env, ("80", "24"), locale, &asked(question));
        (shown.lines().count(), shown)
    };
    for (question, more) in [
        (&["report", SYSTEM][..], "more: --limit 0"),
        (&["tree", SYSTEM], "more: --limit 0"),
        (&["audit", "--only", "writable"], "integrity of the database"),
    ] {
        let (lines, shown) = first(question, "C.UTF-8");
        assert!(lines <= 24 && shown.contains(more), "{lines} {shown}");
        assert!(!shown.starts_with('\n') && shown.contains("name"), "{shown}");
    }
    // Without UTF-8 all of it is ASCII.
    let (_, shown) = first(&["tree", SYSTEM], "C");
    assert!(shown.is_ascii() && shown.contains("|-- ") && shown.contains("`-- "), "{shown}");
    let (_, shown) = first(&["report", SYSTEM], "C");
    assert!(shown.is_ascii() && shown.contains("###"), "{shown}");
}
