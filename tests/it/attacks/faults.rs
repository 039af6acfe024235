//! System calls that fail, one at a time: an answer that is called complete is the
//! one that is given when nothing fails.

use super::*;

const ERRORS: [&str; 6] = ["EIO", "ESTALE", "ENOMEM", "EACCES", "EMFILE", "EINTR"];
const ASKS: [&[&str]; 3] = [
    &["report", "--all", "--threads", "1"],
    &["garbage", "--no-runtime", "--threads", "1"],
    &["audit", "--contents", "--threads", "1"],
];

/// The calls of one kind fail in turn, each with another error.
fn failing(case: &mut Case, call: &str) {
    if !have(&["strace"]) {
        return;
    }
    case.settle();
    let whole: Vec<Ran> = ASKS
        .iter()
        .map(|args| case.run_once(&args.iter().map(Into::into).collect::<Vec<_>>(), "json"))
        .collect();
    let tries = if sweep() { 60 } else { 3 };
    for nth in 0..tries {
        // The first calls are those of the loader; some come late.
        let when = if sweep() { nth + 1 } else { 3 + nth * 7 };
        let error = ERRORS[(nth + call.len()) % ERRORS.len()];
        let plain = &whole[nth % ASKS.len()];
        let inject = format!("inject={call}:error={error}:when={when}");
        let mut strace = Command::new("strace");
        strace.args(["-fqqo", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
        strace.arg(env!("CARGO_BIN_EXE_nix-census")).args(case.made.args(&plain.command));
        strace.env_clear().env("TMPDIR", case.env.join("tmp")).env("HOME", case.env.join("home"));
        strace.current_dir(case.env.path()).stdin(Stdio::null());
        let ran = Ran { run: run(&mut strace), command: plain.command.clone() };
        let context = format!("{call} {error} {when}: {}", ran.run.stderr);
        // The runtime of the language, before the program begins.
        if ran.run.stderr.contains("failed to allocate an alternative stack") {
            continue;
        }
        case.check_harm(&ran);
        match ran.run.status {
            // Said to be whole: then it is.
            0 | 1 => assert_eq!(ran.run.stdout, plain.run.stdout, "{context}"),
            2 => assert!(ran.run.stderr.starts_with("error: "), "{context}"),
            3 => check_agreement(&ran.command, &ran.run),
            // Before the program began, or without memory.
            other => assert!(
                when < 4
                    || ran.run.stderr.contains("memory")
                    || ran.run.stderr.contains("loading shared"),
                "{other}: {context}"
            ),
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
}
