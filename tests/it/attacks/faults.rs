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
            let calls = case.count(call, &ran.command);
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
    fstat_fails "fstat"
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
