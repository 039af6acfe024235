//! `snapshot`, and `--snapshot` in place of a store: the same answers.

use super::images::Mount;
use super::support::{Run, TestEnv, have, nix, root, run, skip, through};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is asked: of the whole store and of closures, without files' contents.
const QUESTIONS: &[&[&str]] = &[
    &["report", "--all"],
    &["report", "--all", "--no-disk"],
    &["report", "perl", "nix", "--columns", "all"],
    &["report", "perl", "--no-closure"],
    &["report", "--group-by", "pname"],
    &["report", "--group-by", "day", "--all"],
    &["report", "--derivers", "perl"],
    &["tree", "/run/current-system"],
    &["tree", "perl", "--inverse"],
    &["why", "systemd-minimal"],
    &["why", "/run/current-system", "perl", "--all-chains"],
    &["what-if", "/run/current-system", "--remove", "perl"],
    &["what-if", "perl", "--drop-kind", "man,doc", "--remove", "glibc", "--drop-kind", "doc"],
    &["suggest", "/run/current-system"],
    &["suggest", "/run/current-system", "--no-disk"],
    &["variants", "--no-disk"],
    &["kinds"],
    &["kinds", "--all"],
    &["report", "--group-by", "kind", "perl"],
    &["report", "--group-by", "root", "--all"],
    &["roots"],
    &["roots", "--no-disk", "--shared"],
    &["roots", "--of", "perl"],
    &["roots", "--nix-version", "2.14", "--all-users", "--strict"],
    &["roots", "--nix-version", "2.15", "--older-than", "1d"],
    &["garbage"],
    &["garbage", "--no-disk", "perl"],
    &["garbage", "--older-than", "1d", "--keep-outputs", "--keep-derivations=false"],
    &["garbage", "--keep-generations", "1", "--nix-version", "2.14", "--no-runtime"],
    &["garbage", "--nix-version", "2.8", "--need", "1M"],
    &["reclaim", "--no-optimise"],
    &["reclaim", "--no-optimise", "--need", "10%"],
    &["reclaim", "--no-disk"],
    // It is not in that closure.
    &["why", "coreutils-9.5", "/run/current-system"],
];

/// The demo store, and a snapshot of what the arguments say.
fn taken(env: &mut TestEnv, args: &[&str]) -> String {
    let tmp = env.path().to_str().unwrap().to_owned();
    env.set("COLUMNS", "200").set("TMPDIR", &tmp);
    let file = format!("{tmp}/demo.census");
    let run = env.run([&["--demo", "snapshot", "-o", &file], args].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    file
}

fn ask(env: &TestEnv, store: &[&str], question: &[&str], format: &str) -> Run {
    env.run([store, question, &["--format", format]].concat())
}

#[test]
fn answers_are_those_of_the_store() {
    let mut env = TestEnv::new();
    let file = taken(&mut env, &[]);
    for (i, question) in QUESTIONS.iter().enumerate() {
        // Each question makes the demo store anew, which takes longest.
        for format in ["json", ["table", "csv", "markdown"][i % 3]] {
            let store = ask(&env, &["--demo"], question, format);
            let kept = ask(&env, &["--snapshot", &file], question, format);
            assert!(kept.stdout == store.stdout, "{question:?} {format} {}", kept.stderr);
            assert_eq!((kept.status, &kept.stderr), (store.status, &store.stderr), "{question:?}");
        }
    }
}

#[test]
fn a_closure_says_no_more_than_it_knows() {
    let mut env = TestEnv::new();
    let file = taken(&mut env, &["perl"]);
    let kept = |question: &[&str]| ask(&env, &["--snapshot", &file], question, "json");
    let store = ask(&env, &["--demo"], &["report", "perl"], "json");
    let mut store: serde_json::Value = serde_json::from_str(&store.stdout).unwrap();
    for row in store["paths"].as_array_mut().unwrap() {
        row["referrers"] = serde_json::Value::Null;
        row["outputs"] = serde_json::Value::Null;
    }
    for question in [&["report", "perl"][..], &["report"]] {
        let own: serde_json::Value = serde_json::from_str(&kept(question).stdout).unwrap();
        assert_eq!(own, store);
    }
    for whole in [
        &[][..],
        &["report", "--all"],
        &["report", "--derivers"],
        &["report", "--group-by", "root"],
        &["tree", "perl", "--inverse"],
        &["tree", "--all"],
        &["why", "perl"],
        &["why", "perl", "perl", "--build"],
        &["roots"],
        &["garbage"],
        &["reclaim"],
    ] {
        let run = kept(whole);
        assert_eq!((run.status, &*run.stdout), (2, ""), "{whole:?} {}", run.stderr);
        assert!(run.stderr.contains("about the whole store"), "{whole:?} {}", run.stderr);
    }
}

#[test]
fn what_needs_files_says_so() {
    let mut env = TestEnv::new();
    let file = taken(&mut env, &[]);
    for question in [
        &["audit"][..],
        &["optimise"],
        &["files", "perl"],
        &["why", "/run/current-system", "perl", "--precise"],
        &["suggest", "/run/current-system", "--precise"],
        &["what-if", "/run/current-system", "--drop-files", "share/man/**"],
        &["what-if", "/run/current-system", "--drop-kind", "man", "--drop-files", "share"],
        &["snapshot", "-o", "again"],
    ] {
        let run = env.run([&["--snapshot", &file], question].concat());
        assert_eq!((run.status, &*run.stdout), (2, ""), "{question:?} {}", run.stderr);
        assert!(run.stderr.contains("is a snapshot"), "{question:?} {}", run.stderr);
    }
    assert!(!env.join("again").exists());
}

#[test]
fn a_snapshot_goes_through_a_pipe_and_is_whole_or_absent() {
    let mut env = TestEnv::new();
    let file = taken(&mut env, &[]);
    let program = env!("CARGO_BIN_EXE_nix-census");
    let script =
        format!("'{program}' --demo snapshot -o - | '{program}' --snapshot - report --all --json");
    let mut piped = env.command([""; 0]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).env_clear();
    shell.envs(
        piped.stdin(std::process::Stdio::null()).get_envs().filter_map(|(n, v)| Some((n, v?))),
    );
    let run = super::support::run(&mut shell);
    let store = ask(&env, &["--demo"], &["report", "--all"], "json");
    assert_eq!((run.status, run.stdout), (0, store.stdout));

    // A damaged one is an error, and takes nobody's place.
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let run = env.run(["--snapshot", &*file, "report", "--all"]);
    assert_eq!((run.status, &*run.stdout), (3, ""));
    assert!(run.stderr.contains("damaged"), "{}", run.stderr);
    let run = env.run(["--demo", "snapshot", "no-such-path", "-o", &*file]);
    assert_eq!(run.status, 2);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    for wrong in [
        &["snapshot"][..],
        &["snapshot", "-o", "x", "--json"],
        &["snapshot", "-o", "x", "--filter", "glibc"],
        &["snapshot", "-o", "x", "--limit", "3"],
    ] {
        let run = env.run([&["--demo"], wrong].concat());
        assert_eq!((run.status, env.join("x").exists()), (2, false), "{}", run.stderr);
    }
}

#[test]
fn the_overview_is_that_of_the_store_but_for_time() {
    let mut env = TestEnv::new();
    let file = taken(&mut env, &[]);
    let overview = |store: &[&str]| {
        let mut answer = env.json([store, &["--json"]].concat());
        // How long it took, what the file system has left now, and the blocks of the store
        // directory, which the demo has anew each time.
        for key in ["duration", "available_size", "free_size", "free_inodes", "store_disk_size"] {
            answer.as_object_mut().unwrap().remove(key);
        }
        answer
    };
    assert_eq!(overview(&["--snapshot", &file]), overview(&["--demo"]));
    assert_eq!(
        overview(&["--snapshot", &file, "--no-disk"])["outside"],
        overview(&["--demo", "--no-disk"])["outside"]
    );
}

#[test]
fn what_each_version_wrote_is_read() {
    let env = TestEnv::new();
    let file = format!("{}/testdata/snapshot-1.census", env!("CARGO_MANIFEST_DIR"));
    let ask =
        |question: &[&str]| env.json([&["--snapshot", &*file], question, &["--json"]].concat());
    let overview = ask(&[]);
    let of = |key: &str| overview[key].as_u64();
    assert_eq!((of("paths"), of("references")), (Some(181), Some(539)));
    assert_eq!((of("nar_size"), of("disk_size")), (Some(4_889_592), Some(9_801_728)));
    assert_eq!((of("inodes"), of("hard_linked_names")), (Some(1961), Some(147)));
    let rows = |command: &str, list: &str| {
        let answer = ask(&[command]);
        assert_eq!(answer["complete"], true, "{command}");
        answer[list].as_array().unwrap().len()
    };
    assert_eq!((rows("roots", "roots"), rows("garbage", "dead_paths")), (4, 2));
    assert_eq!((rows("kinds", "kinds"), rows("report", "paths")), (16, 86));
}

#[test]
fn names_are_completed_from_a_snapshot() {
    let mut env = TestEnv::new();
    let file = taken(&mut env, &["perl"]);
    let names = |text| env.ok(["generate", "names", "--", "--snapshot", &file, "report", text]);
    assert_eq!(names("perl"), "perl\nperl-5.38.2\n");
    assert_eq!(names("systemd"), "", "it is not in this closure");
}

/// The same answers of a real store whose files are hard-linked, paths and `.links`.
#[test]
fn answers_are_those_of_an_optimised_store() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let file = env.join("store.census").to_str().unwrap().to_owned();
    let store: Vec<OsString> = stores.root_optimised.args();
    let take = ["snapshot", "-o", &file].map(OsString::from);
    env.run([&store[..], &take].concat()).ok();
    let valid = stores.root_optimised.valid_paths();
    let target = valid.iter().find(|path| path.ends_with("-everything")).unwrap_or(&valid[0]);
    let name = &target[target.len().min("/nix/store/".len())..];
    let mut asked = 0;
    for question in [
        &["report", "--all", "--columns", "all"][..],
        &["report", name, "--columns", "all"],
        &["report", name, "--no-closure"],
        &["report", "--group-by", "pname", "--all"],
        &["report", "--group-by", "kind", "--all"],
        &["tree", name],
        &["why", name],
        &["what-if", name, "--remove", "*-1.0"],
        &["suggest", name],
        &["variants", "--no-disk", "--all"],
        &["kinds", "--all"],
        &["kinds", name],
        &["roots", "--no-runtime", "--shared"],
        &["garbage", "--no-runtime"],
        &["reclaim", "--no-optimise", "--no-runtime"],
        &["diff", name, name, "--by", "path"],
        &["check", name, "--max-closure", "1", "--max-disk", "1"],
    ] {
        for format in ["json", "table"] {
            let question: Vec<OsString> =
                question.iter().chain(&["--format", format]).map(OsString::from).collect();
            let of_store = env.run([&store[..], &question].concat());
            let kept = [OsString::from("--snapshot"), OsString::from(&file)];
            let of_file = env.run([&kept[..], &question].concat());
            asked += usize::from(of_store.status < 2);
            assert_eq!(of_file.stdout, of_store.stdout, "{question:?}");
            assert_eq!(of_file.status, of_store.status, "{question:?} {}", of_file.stderr);
        }
    }
    assert!(asked > 24, "{asked}");
}

/// Files that are not whole yet.
fn unfinished(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_string_lossy().starts_with(".nix-census-")).count()
}

/// On a full disk there is no file, or the one that was there.
#[test]
fn on_a_full_disk_a_snapshot_is_absent_or_as_it_was() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let made = super::support::store_in_code::Made::sound(&env, "root").0;
    let small = env.join("small");
    fs::create_dir(&small).unwrap();
    let mut mount = Command::new("mount");
    let mounted = run(mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(&small));
    if mounted.status != 0 {
        return skip(&format!("no tmpfs can be mounted here: {}", mounted.stderr));
    }
    let _mount = Mount(small.clone());
    let file = small.join("store.census").to_str().unwrap().to_owned();
    made.run(&env, ["snapshot", "-o", &file]).ok();
    let kept = fs::read(&file).unwrap();
    // No page is left.
    let filler = (0..).map(|n| small.join(format!("filler-{n}")));
    filler.take_while(|file| fs::write(file, vec![1; 4096]).is_ok()).count();
    let new = small.join("new.census").to_str().unwrap().to_owned();
    for args in [
        &["snapshot", "-o", &*new][..],
        &["snapshot", "-o", &file],
        &["report", "--all", "--since", &file, "--update"],
        &["snapshot", "--since", &file, "--update"],
    ] {
        let run = made.run(&env, args);
        assert_eq!(run.status, 3, "{args:?} {}", run.stderr);
        assert!(run.stderr.contains("cannot write"), "{args:?} {}", run.stderr);
        assert!(fs::read(&file).unwrap() == kept && !Path::new(&new).exists(), "{args:?}");
        assert_eq!(unfinished(&small), 0, "{args:?}");
    }
}

/// A signal while the file is written, or just before it takes its name, leaves a whole
/// file, none, or the one that was there.
#[test]
fn a_signal_leaves_a_snapshot_absent_or_as_it_was() {
    if !have(&["strace"]) {
        return;
    }
    let env = TestEnv::new();
    let made = super::support::store_in_code::Made::sound(&env, "root").0;
    let directory = env.join("files");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("store.census").to_str().unwrap().to_owned();
    let new = directory.join("new.census").to_str().unwrap().to_owned();
    made.run(&env, ["snapshot", "-o", &file]).ok();
    let is_whole = |file: &str| env.run(["--snapshot", file, "report", "--all"]).status == 0;
    let mut stopped = 0;
    for signal in ["SIGINT", "SIGTERM"] {
        for args in [
            &["snapshot", "-o", &*new][..],
            &["snapshot", "-o", &file],
            &["report", "--all", "--since", &file, "--update"],
        ] {
            let kept = fs::read(&file).unwrap();
            let inject = format!("inject=fsync:signal={signal}:when=1");
            let plain = env.command(made.args(args));
            let log = env.join("trace").to_str().unwrap().to_owned();
            let run = run(&mut through(["strace", "-f", "-o", &log, "-e", &inject], &plain));
            if run.stderr.contains("PTRACE") {
                return skip("strace may not trace here");
            }
            let trace = fs::read_to_string(&log).unwrap();
            assert!(trace.contains(&format!("--- {signal} ")), "{args:?}");
            stopped += usize::from(run.status >= 128);
            assert!(fs::read(&file).unwrap() == kept || is_whole(&file), "{args:?}");
            assert!(!Path::new(&new).exists() || is_whole(&new), "{args:?}");
            assert_eq!(unfinished(&directory), 0, "{args:?}");
            let _ = fs::remove_file(&new);
        }
    }
    assert!(stopped > 0);
}

#[test]
fn what_a_snapshot_has_not_is_said() {
    let mut env = TestEnv::new();
    let closure = taken(&mut env, &["perl"]);
    for name in ["systemd-minimal", "/nix/store/00000000000000000000000000000000-x"] {
        let run = env.run(["--snapshot", &*closure, "report", name]);
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains("may be outside of it"), "{}", run.stderr);
    }
    let no_disk = taken(&mut env, &["--no-disk"]);
    for question in [
        &["kinds", "--all"][..],
        &["report", "--all", "--columns", "disk_size"],
        &["report", "--all", "--group-by", "kind"],
        &["check", "perl", "--max-disk", "1G"],
        &["garbage", "--need", "1M"],
        &["roots", "--sort", "freed_disk_size"],
    ] {
        let run = env.run([&["--snapshot", &*no_disk], question].concat());
        assert_eq!((run.status, &*run.stdout), (2, ""), "{question:?} {}", run.stderr);
        let says = run.stderr.contains("was taken with --no-disk");
        assert!(says && run.stderr.contains("take the snapshot without"), "{}", run.stderr);
    }
}

/// Of two snapshots as of one: what `--extents exact` asks for is in neither.
#[test]
fn snapshots_that_are_compared_are_asked_for_extents() {
    let mut env = TestEnv::new();
    let file = taken(&mut env, &["--extents", "never"]);
    for question in [&["diff", &file, &file][..], &["--snapshot", &file, "report", "--all"]] {
        let ran = env.run([question, &["--json"]].concat());
        assert_eq!(ran.status, 0, "{question:?} {}", ran.stderr);
        let ran = env.run([question, &["--json", "--extents", "exact"]].concat());
        assert_eq!(ran.status, 3, "{question:?} {}", ran.stderr);
        assert!(ran.stderr.contains("physical sizes are not known"), "{}", ran.stderr);
    }
}
