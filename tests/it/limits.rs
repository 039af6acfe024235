//! Limits of the system: threads that cannot be started, few open files. The
//! answer is the same with fewer of them; never a panic.

use crate::support::store_in_code::{Made, base, insert, path, refer};
use crate::support::{Run, TestEnv, have, nobody, root, run};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const COMMANDS: [&[&str]; 8] = [
    &["report", "--all"],
    &["optimise"],
    &["audit", "--contents", "--references"],
    &["garbage"],
    &["roots"],
    &["tree", "tree"],
    &["why", "tree", "hello-1.0", "--precise"],
    &["--scan", "report", "--all"],
];

/// Runs each command by `limited`, which gets a program to run, and checks that
/// it answers as without limits.
fn same_answers(limited: impl Fn(&TestEnv) -> Command, check: impl Fn(&Run, &Run)) {
    let env = TestEnv::new();
    fs::set_permissions(env.path(), Permissions::from_mode(0o755)).unwrap();
    let (made, _db) = Made::sound(&env, "store");
    // Pairs that may be equal, each large enough for a thread of its own.
    for i in 0..16 {
        for name in ["one", "other"] {
            let path = made.store.join(base(3, "tree")).join(format!("{name}-{i}"));
            let file = fs::File::create(&path).unwrap();
            file.set_len((1 << 20) + i).unwrap();
            file.set_permissions(Permissions::from_mode(0o444)).unwrap();
        }
    }
    for command in COMMANDS {
        let args = made.args(command.iter().chain(&["--format", "csv"]));
        let expected = run(nobody(&env).args(&args));
        let found = run(limited(&env).args(&args));
        assert!(!found.stderr.contains("panicked"), "{command:?}: {}", found.stderr);
        check(&found, &expected);
    }
}

fn equal(found: &Run, expected: &Run) {
    assert_eq!(
        (found.status, &found.stdout, &found.stderr),
        (expected.status, &expected.stdout, &expected.stderr)
    );
}

/// `nobody` may have other processes, so that the limit may be reached at once
/// or a few threads later; the answer is the same.
#[test]
fn threads_that_cannot_be_started() {
    if !root() || !have(&["setpriv", "prlimit"]) {
        return;
    }
    for most in [1, 2, 3, 5, 9] {
        let limited = |env: &TestEnv| {
            let nobody = nobody(env);
            let mut setpriv = Command::new(nobody.get_program());
            // The limit is set as the user it is for: root has none.
            let (user, program): (Vec<_>, Vec<_>) =
                nobody.get_args().partition(|arg| arg.as_encoded_bytes().starts_with(b"--"));
            setpriv.args(user).arg("prlimit").arg(format!("--nproc={most}")).args(program);
            setpriv
        };
        same_answers(limited, equal);
    }
}

#[test]
fn few_open_files() {
    if !root() || !have(&["setpriv", "prlimit"]) {
        return;
    }
    for most in [16, 24, 40] {
        same_answers(|env| before(env, &format!("--nofile={most}")), equal);
    }
}

/// nobody's program under one more limit.
fn before(env: &TestEnv, limit: &str) -> Command {
    let nobody = nobody(env);
    let mut command = Command::new("prlimit");
    command.arg(limit).arg(nobody.get_program()).args(nobody.get_args());
    command
}

/// With little memory there is an answer or an error, never an abort.
#[test]
fn an_address_space_that_is_too_small_is_an_error() {
    if !have(&["prlimit"]) {
        return;
    }
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "store");
    db.execute_batch("BEGIN").unwrap();
    for id in 10..30_000 {
        insert(&db, id, path(id, "a-path-of-some-length").as_bytes(), Some(120));
        refer(&db, id, 1);
    }
    db.execute_batch("COMMIT").unwrap();
    drop(db);
    let limited = |mebibytes: u64, args: &[&str]| {
        let plain = env.command(made.args(args));
        let mut command = Command::new("prlimit");
        command.arg(format!("--as={}", mebibytes << 20));
        command.arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        run(command.current_dir("/"))
    };
    // What is needed to begin depends on the system and on how the program was built.
    let begins =
        (8..2000).step_by(4).find(|&mebibytes| limited(mebibytes, &["--version"]).status == 0);
    let begins = begins.expect("it begins with two gigabytes");
    let (mut errors, mut answers) = (0, 0);
    for mebibytes in begins..begins + 40 {
        let found = limited(mebibytes, &["report", "--all", "--no-disk", "--format", "csv"]);
        assert!([0, 3].contains(&found.status), "{mebibytes} MiB: {found:?}");
        assert!(!found.stderr.contains("panicked"), "{mebibytes} MiB: {found:?}");
        match found.status {
            0 => answers += 1,
            _ => {
                errors += 1;
                assert!(found.stderr.contains("memory"), "{mebibytes} MiB: {found:?}");
            }
        }
    }
    assert!(errors > 0 && answers > 0, "{errors} errors, {answers} answers from {begins} MiB");
}
