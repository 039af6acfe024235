//! System calls that fail, one at a time: an answer that is called complete is the
//! one that is given when nothing fails.

use super::*;
use crate::support::can_trace;

const ERRORS: [&str; 6] = ["EIO", "ESTALE", "ENOMEM", "EACCES", "EMFILE", "EINTR"];
const ASKS: [[&str; 4]; 3] = [
    ["report", "--all", "--threads", "1"],
    ["garbage", "--no-runtime", "--threads", "1"],
    ["audit", "--contents", "--threads", "1"],
];

/// The calls of one kind fail in turn, each with another error.
fn failing(case: &mut Case, call: &str) {
    if !can_trace() {
        return;
    }
    case.settle();
    let whole: Vec<(Ran, Calls)> = ASKS
        .iter()
        .map(|args| {
            let ran = case.run_once(&args.map(word), "json");
            // Twice: some are made only where something is mounted or renamed meanwhile.
            let twice = [(); 2].map(|()| case.count(call, &ran.command)).into_iter();
            let calls = twice.min_by_key(|calls| calls.most).unwrap();
            (ran, calls)
        })
        .filter(|(_, calls)| calls.any())
        .collect();
    // What no command does cannot be made to fail.
    assert!(!whole.is_empty(), "nobody calls {call}");
    let tries = if sweep() { 60 } else { 3 };
    for nth in 0..tries {
        let (plain, calls) = &whole[nth % whole.len()];
        let error = ERRORS[(nth + call.len()) % ERRORS.len()];
        // Some come late.
        let place = (calls, if sweep() { nth } else { nth * 7 });
        let inject = (&*format!("error={error}"), "(INJECTED)");
        let (ran, what) = case.injected(call, place, inject, &plain.command);
        let context = format!("{what}: {}", ran.run.stderr);
        // The language's runtime when a thread begins; and what it says where directories
        // of /proc cannot be closed, which never fails.
        let not_ours = ["failed to allocate an alternative stack", "error during closedir"];
        if not_ours.iter().any(|text| ran.run.stderr.contains(text)) {
            continue;
        }
        case.check_harm(&ran);
        match ran.run.status {
            // Said to be whole: then it is, but for what an audit says that it found.
            0 | 1 => assert!(
                ran.run.stdout == plain.run.stdout || ran.run.stdout.contains(" (os error "),
                "{context}: {}\n{}",
                ran.run.stdout,
                plain.run.stdout
            ),
            2 => assert!(ran.run.stderr.starts_with("error: "), "{context}"),
            // An answer that is cut off says no more.
            3 if ran.run.stderr.contains("the answer could not be written") => {}
            3 => check_agreement(&ran.command, &ran.run),
            other => assert!(ran.run.stderr.contains("memory"), "{other}: {context}"),
        }
    }
}

macro_rules! calls {
    ($($name:ident $call:literal)*) => { attacks! {$(
        fn $name(case) {
            failing(&mut case, $call);
        }
    )*} };
}

calls! {
    openat_fails "openat"
    openat2_fails "openat2"
    statx_fails "statx"
    reading_a_directory_fails "getdents64"
    reading_a_link_fails "readlinkat"
    read_fails "read"
    pread_fails "pread64"
    locking_fails "fcntl"
    mapping_fails "mmap"
    listing_attributes_fails "llistxattr,listxattr,flistxattr"
    asking_for_access_fails "faccessat2"
    asking_the_file_system_fails "fstatfs,statfs"
    writing_fails "write"
    closing_fails "close"
    seeking_fails "lseek"
    starting_a_thread_fails "clone3"
}

/// What a run said that something failed in: either it is what is said where nothing
/// fails, or it is called incomplete, or an audit's finding.
#[track_caller]
fn honest(case: &Case, plain: &Ran, ran: &Ran, what: &str) {
    case.check(ran);
    assert!(
        ran.run.status == 3
            || ran.run.stdout == plain.run.stdout
            || ran.run.stdout.contains(" (os error "),
        "{what}: {}\n{}",
        ran.run.stdout,
        plain.run.stdout
    );
}

/// Calls of one kind fail from the Nth on, as where a disk or a server has gone, or only
/// the Nth, as where a block is bad. All of them are tried in a sweep, else some.
fn gone_half_way(case: &mut Case, call: &str) {
    if !can_trace() {
        return;
    }
    case.only(&[
        &["report", "--all"],
        &["audit", "--contents"],
        &["optimise"],
        &["kinds", "--all"],
    ]);
    case.settle();
    for command in &case.commands {
        let args = [&command[..], &["--threads", "1"].map(word)].concat();
        let plain = case.run_once(&args, "json");
        let calls = case.count(call, &plain.command);
        let last = calls.most.saturating_sub(calls.before);
        for nth in (0..last).rev().step_by(if sweep() { 1 } else { (last / 3).max(1) }) {
            for (error, more) in [("EIO", ""), ("ESTALE", "+"), ("EIO", "+")] {
                let what = format!("error={error}:when={}{more}", calls.before + 1 + nth);
                let (ran, _) = case.strace(call, &what, &plain.command);
                honest(case, &plain, &ran, &what);
            }
        }
    }
}

attacks! {
    fn media_that_fail_in_the_middle_of_a_directory(case) {
        let tree = case.made.store.join(base(3, "tree"));
        for i in 0..1500 {
            fs::write(tree.join(format!("{i:040}")), "").unwrap();
        }
        gone_half_way(&mut case, "getdents64");
    }
    fn media_that_fail_in_the_middle_of_a_file(case) {
        let tree = case.made.store.join(base(3, "tree"));
        for name in ["one", "other"] {
            fs::write(tree.join(name), vec![b'x'; 1 << 20]).unwrap();
        }
        gone_half_way(&mut case, "read");
    }
    fn media_that_fail_in_the_middle_of_a_database(case) {
        case.sql("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3000)
                  INSERT INTO DerivationOutputs SELECT 4, n, hex(zeroblob(50)) FROM r");
        gone_half_way(&mut case, "pread64");
    }
    /// As under `RLIMIT_NPROC`, whoever runs this and whatever else he runs.
    fn threads_that_never_start(case) {
        if !can_trace() {
            return;
        }
        case.settle();
        // The overview says how long it took, and what the disk has left.
        for command in case.commands.iter().filter(|command| !command.is_empty()) {
            let plain = case.run_once(command, "json");
            let (ran, trace) = case.strace("clone3", "error=EAGAIN", &plain.command);
            assert!(trace.contains("(INJECTED)") || !trace.contains("clone3("), "{trace}");
            case.check(&ran);
            assert_eq!((&ran.run.stdout, ran.run.status), (&plain.run.stdout, plain.run.status));
        }
    }
}
