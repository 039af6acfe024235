//! What users of other tools type without thinking, and how mistakes are answered.

use super::support::TestEnv;
use super::support::store_in_code::Made;
use std::fs;
use std::io::Write;
use std::process::Stdio;

fn store(env: &TestEnv) -> Made {
    let (made, db) = Made::sound(env, "root");
    drop(db);
    made
}

#[test]
fn commands_of_other_tools_are_known() {
    let env = TestEnv::new();
    let made = store(&env);
    let same = |ours: &[&str], theirs: &[&str]| {
        let (ours, theirs) = (made.run(&env, ours), made.run(&env, theirs));
        assert_eq!(ours.stdout, theirs.stdout, "{theirs:?}");
        assert_eq!(ours.status, theirs.status, "{theirs:?}");
    };
    same(&["report", "hello", "--no-disk"], &["du", "hello", "--no-disk"]);
    same(&["garbage", "--no-runtime"], &["gc", "--no-runtime"]);
    same(
        &["garbage", "--no-runtime", "--older-than=1d"],
        &["gc", "--no-runtime", "--delete-older-than=1d"],
    );
    same(&["optimise"], &["optimize"]);
    same(&["why", "tree", "hello"], &["why-depends", "tree", "hello"]);
    same(
        &["why", "tree", "hello", "--all-chains", "--precise"],
        &["why-depends", "tree", "hello", "--all", "--precise"],
    );
    same(&["report", "--all", "--format=json"], &["report", "--all", "--json"]);
}

#[test]
fn path_info_shows_what_that_of_nix_shows() {
    let env = TestEnv::new();
    let made = store(&env);
    let csv = |args: &[&str]| made.run(&env, args.iter().chain(&["--format=csv"])).ok();
    let one = csv(&["path-info", "tree"]);
    assert!(one.starts_with("path\n/nix/store/") && one.lines().count() == 2, "{one}");
    let report =
        csv(&["report", "tree", "--columns=path,nar_size,closure_nar_size", "--sort=path"]);
    assert_eq!(csv(&["path-info", "-rsS", "tree"]), report);
    let sizes = made.run(&env, ["path-info", "-s", "hello"]).ok();
    assert!(sizes.contains(" 120") || sizes.contains("120 "), "{sizes}");
    assert!(made.run(&env, ["path-info", "-sh", "hello"]).ok().contains("KiB"));
    assert_eq!(
        csv(&["path-info", "--all"]).lines().count(),
        csv(&["report", "--all"]).lines().count()
    );
}

#[test]
fn without_a_target_the_running_system_is_meant() {
    let env = TestEnv::new();
    let made = store(&env);
    let run = made.run(&env, ["report", "--no-disk", "--format=csv", "--columns=name"]);
    assert!(run.stderr.contains("no target given, and no /run/current-system"), "{}", run.stderr);
    let all = made.run(&env, ["report", "--all", "--no-disk", "--format=csv", "--columns=name"]);
    assert_eq!(run.stdout, all.stdout);
    fs::create_dir(made.dir.join("run")).unwrap();
    let hello = super::support::store_in_code::path(1, "hello-1.0");
    std::os::unix::fs::symlink(hello, made.dir.join("run/current-system")).unwrap();
    let run = made.run(&env, ["report", "--no-disk", "--format=csv", "--columns=name"]);
    assert_eq!(run.stdout, "name\nhello-1.0\n");
    assert!(run.stderr.contains("this is the running system"), "{}", run.stderr);
}

#[test]
fn dash_is_standard_input_once() {
    let env = TestEnv::new();
    let made = store(&env);
    let fed = |args: &[&str], input: &str| {
        let mut command = env.command(made.args(args));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let report = ["report", "-", "--no-disk", "--no-closure", "--columns=name", "--format=csv"];
    let (status, names, said) = fed(&report, "hello\n\ntree\n");
    assert_eq!((status, names.lines().count()), (Some(0), 3), "{names}{said}");
    let (status, _, said) = fed(&report, "");
    assert_eq!(status, Some(2), "{said}");
    let (status, answer, said) = fed(&["what-if", "tree", "--scenario", "-"], "remove hello\n");
    assert!(status == Some(0) && answer.contains("remove hello"), "{answer}{said}");
    let (status, _, said) = fed(&["what-if", "-", "--scenario", "-"], "remove hello\n");
    assert!(status == Some(2) && said.contains("read for something else"), "{said}");
}

/// `--color` decides for errors too, also for those of the arguments themselves.
#[test]
fn errors_are_coloured_as_asked() {
    let env = TestEnv::new();
    let made = store(&env);
    let is_coloured = |args: &[&str]| {
        let run = made.run(&env, args);
        assert!(run.stderr.contains("error"), "{}", run.stderr);
        run.stderr.contains('\x1b')
    };
    for wrong in [&["report", "nothing"][..], &["repot"], &["report", "--colums", "x"]] {
        assert!(!is_coloured(wrong), "{wrong:?}");
        assert!(is_coloured(&[&["--color", "always"], wrong].concat()), "{wrong:?}");
        assert!(is_coloured(&[wrong, &["--color=always"]].concat()), "{wrong:?}");
    }
}

/// A column that no answer of the command has is refused before anything is read.
#[test]
fn wrong_columns_are_found_before_the_store_is_read() {
    let env = TestEnv::new();
    for args in [
        &["audit", "--sort", "severty"][..],
        &["tree", "x", "--columns", "name"],
        &["files", "--sort", "size"],
        &["report", "--group-by", "pname", "--columns", "pnam"],
    ] {
        let run = env.run([&["--root", "/nowhere"], args].concat());
        assert_eq!(run.status, 2, "{}", run.stderr);
        assert!(run.stderr.contains("there is no column"), "{}", run.stderr);
    }
    let run = env.run(["tree", "x", "--columns", "name"]);
    assert!(run.stderr.ends_with("hint: it is called path here\n"), "{}", run.stderr);
}

/// Sorted and filtered findings are findings: they can be written as JUnit XML.
#[test]
fn sorted_findings_are_junit() {
    let env = TestEnv::new();
    let made = store(&env);
    let plain = made.run(&env, ["audit", "--no-disk", "--format", "junit"]);
    let sorted = made.run(&env, ["audit", "--no-disk", "--format", "junit", "--sort", "kind"]);
    assert!(plain.stdout.starts_with("<?xml"), "{}", plain.stderr);
    assert_eq!(sorted.status, plain.status, "{}", sorted.stderr);
    assert!(sorted.stdout.starts_with("<?xml"), "{}", sorted.stderr);
    let filtered = ["audit", "--no-disk", "--sort", "kind", "--filter", "nothing"];
    assert_eq!(made.run(&env, filtered).status, 0);
    let columns = ["audit", "--no-disk", "--format", "junit", "--columns", "kind"];
    assert_eq!(made.run(&env, columns).status, 2);
}

/// An error, its cause, a hint: in this order, each a line of its own.
#[test]
fn mistakes_are_answered_with_what_is_near() {
    let env = TestEnv::new();
    let made = store(&env);
    for (args, said) in [
        (
            &["report", "--sort", "size"][..],
            "error: there is no column 'size' here\nhint: similar: nar_size, ",
        ),
        (
            &["report", "--columns", "path,narsize"],
            "error: there is no column 'narsize' here\nhint: similar: nar_size\n",
        ),
        (&["report", "--sort", "colour"], "hint: `nix-census help columns` lists them\n"),
        (
            &["roots", "--kind", "proces"],
            "  cause: there is no such kind of root\nhint: similar: process\n",
        ),
        (&["audit", "--only", "mtim"], "hint: similar: mtime\n"),
        (
            &["report", "--colums", "path"],
            "error: unexpected argument '--colums' found\nhint: a similar argument exists: '--columns'\n",
        ),
        (&["repot"], "error: unrecognized subcommand 'repot'\nhint: "),
        (
            &["--format", "pdf"],
            "hint: possible values: table, json, csv, junit, html, github, markdown\n",
        ),
        (&["--format", "jsn"], "hint: a similar value exists: 'json'\n"),
        (&["why"], "error: missing arguments: <TO>\nhint: usage: nix-census why"),
        (
            &["report", "--si", "--bytes"],
            "error: the argument '--si' cannot be used with '--bytes'\nhint: `nix-census report --help` lists the options\n",
        ),
        (&["tree", "x", "--min-size", "5Q"], "  cause: not a size\nhint: write 4096, "),
        (&["-o", "x.yaml"], "error: --output x.yaml: no format has the ending '.yaml'\nhint: "),
        (&["report", "helo"], "error: no valid path is called 'helo'\nhint: similar: hello-1.0"),
        (
            &["help", "colums"],
            "error: there is no command or topic 'colums'\nhint: similar: columns\n",
        ),
    ] {
        let run = made.run(&env, args);
        assert_eq!((run.status, &*run.stdout), (2, ""), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: "), "{args:?}: {}", run.stderr);
    }
    let run = env.run(["--root", "/nowhere"]);
    let said =
        "error: cannot open --root /nowhere\n  cause: No such file or directory (os error 2)\n";
    assert_eq!((run.status, &*run.stderr), (2, said));
}

#[test]
fn errors_are_coloured_where_colours_are_forced() {
    let mut env = TestEnv::new();
    assert!(!env.run(["repot"]).stderr.contains('\x1b'));
    env.set("CLICOLOR_FORCE", "1");
    for wrong in [&["repot"][..], &["--root", "/nowhere"]] {
        assert!(env.run(wrong).stderr.starts_with("\x1b[1m\x1b[31merror:\x1b[0m "), "{wrong:?}");
    }
    env.set("NO_COLOR", "1");
    assert!(!env.run(["repot"]).stderr.contains('\x1b'));
}

#[test]
fn topics_of_the_help() {
    let env = TestEnv::new();
    let shows = |args: &[&str], text: &str| {
        let help = env.ok(args);
        assert!(help.contains(text), "{args:?}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{args:?}: {help}");
    };
    shows(&["help"], "Topics:");
    shows(&["help", "stores"], "--root <DIR>");
    shows(&["help", "output"], "--json");
    shows(&["help", "columns"], "retained_disk_size");
    shows(&["help", "columns"], "nix-census garbage");
    shows(&["help", "targets"], "hash part");
    shows(&["help", "sizes"], "retained");
    shows(&["help", "exit"], "wrong usage");
    shows(&["help", "optimize"], "nix-census optimise");
    assert_eq!(env.ok(["help", "report"]), env.ok(["report", "--help"]));
    assert!(!env.ok(["report", "--help"]).contains("--root"));
}
