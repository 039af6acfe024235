//! Attacks on the program: what it examines is made to harm it, its surroundings
//! fail, or it is ended. One function a kind; each runs every command, and after
//! every run the same must hold ([`Case::check`]):
//!
//! - it ends by itself, within limits of time and memory, without a panic;
//! - nothing that a terminal would obey is written, in any format;
//! - exit status, `complete` and what is said on standard error agree;
//! - nothing examined has changed: names, bytes, modes, owners, times, attributes;
//! - nothing that lies outside the root is told, and nothing is left in `TMPDIR`.
//!
//! With `NIX_CENSUS_SWEEP=1` each kind is tried in all formats, and system calls
//! fail at more places.
#![allow(clippy::unwrap_used)]

mod databases;
mod faults;
mod files;
mod limits;
mod live;
mod logs;
mod names;
mod races;
mod settings;
mod snapshots;

use super::support::store_in_code::{Made, base, insert, path, refer};
use super::support::{Run, TestEnv, have, run, skip, tempdir, through};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What lies outside the root, in a file's name and its contents.
const CANARY: &str = "canary-5be1";
/// Characters that do something to a terminal, change how others are drawn, or
/// are not seen.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c as u32, 0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e)
        || matches!(c as u32, 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

/// Seconds of processor time that no run needs; the program is not optimised here.
const CPU: u64 = 40;
/// Address space that no run needs, beside what the database weighs. Most of it is
/// reserved alone.
const MEMORY: u64 = 768 << 20;

/// Every command, with what it needs to have something to do.
const COMMANDS: [&[&str]; 25] = [
    &[],
    &["report", "--all"],
    &["report", "tree"],
    &["tree", "tree"],
    &["why", "tree", "hello"],
    &["why", "--precise", "tree", "hello"],
    &["what-if", "tree", "--remove", "hello"],
    &["suggest", "tree"],
    &["optimise"],
    &["roots", "--no-runtime"],
    &["garbage", "--no-runtime"],
    &["files", "tree"],
    &["files", "--all", "--group-by", "kind"],
    &["variants", "--all"],
    &["kinds", "--all"],
    &["reclaim"],
    &["report", "--all", "--group-by", "pname"],
    &["report", "--all", "--derivers"],
    &["why", "--build", "hello-1.0.drv", "hello-1.0.drv"],
    &["suggest", "--precise", "tree"],
    &["what-if", "tree", "--drop-files", "**", "--drop-kind", "other"],
    &["diff", "hello", "tree"],
    &["check", "tree", "--max-disk", "1GiB", "--forbid", "absent*", "--no-variants"],
    &["audit"],
    &["audit", "--contents", "--references"],
];

/// Whether everything is to be tried.
fn sweep() -> bool {
    std::env::var_os("NIX_CENSUS_SWEEP").is_some_and(|value| value == "1")
}

/// The formats that there are.
fn formats() -> Vec<String> {
    // Said wherever a value is none of them.
    let run = TestEnv::new().run(["report", "--format", "none of them"]);
    let (_, values) = run.stderr.split_once("possible values: ").unwrap();
    let values = values.split([']', '\n']).next().unwrap();
    let values = values.split(',').map(|value| value.split_whitespace().collect());
    // A page is what one command writes, not one of the formats of all.
    values.filter(|value: &String| value != "html").collect()
}

/// Whether only findings and checks are written in a format.
fn of_findings(format: &str) -> bool {
    ["junit", "github"].contains(&format)
}

/// A sound store that is about to be attacked.
struct Case {
    /// What the attack is called.
    name: &'static str,
    env: TestEnv,
    made: Made,
    /// What may be asked of it.
    commands: Vec<Vec<OsString>>,
    /// Put before the program.
    before: Vec<OsString>,
    /// Whether the store is named to the program.
    rooted: bool,
    /// More memory than others get, in bytes.
    more_memory: u64,
    before_attack: Option<Manifest>,
}

/// All that can be said of each file below a directory.
type Manifest = BTreeMap<PathBuf, (Vec<u8>, [u64; 6], [i64; 4], Vec<Vec<u8>>)>;

/// What a run was, and what it gave.
struct Ran {
    command: Vec<OsString>,
    run: Run,
}

impl Case {
    /// Three paths and a derivation, roots, settings, links of equal files, what lies
    /// outside the store; and beside the root what must never be told.
    fn new(name: &'static str) -> Self {
        let env = TestEnv::new();
        let (made, db) = Made::sound(&env, "root");
        let drv = r#"Derive([("out","/nix/store/00000000000000000000000000000001-hello-1.0","","")],[],[],"x","/b",[],[])"#;
        fs::write(made.store.join(base(4, "hello-1.0.drv")), drv).unwrap();
        let nar = 112 + drv.len().next_multiple_of(8) as i64;
        insert(&db, 4, path(4, "hello-1.0.drv").as_bytes(), Some(nar));
        db.execute_batch("UPDATE ValidPaths SET deriver = '/nix/store/00000000000000000000000000000004-hello-1.0.drv' WHERE id = 1")
            .unwrap();
        drop(db);
        let state = made.dir.join("nix/var/nix");
        for dir in ["gcroots/auto", "profiles", "temproots"] {
            fs::create_dir_all(state.join(dir)).unwrap();
        }
        symlink(path(2, "world-2.0"), state.join("gcroots/root")).unwrap();
        symlink("/nix/var/nix/profiles", state.join("gcroots/profiles")).unwrap();
        symlink(path(1, "hello-1.0"), state.join("profiles/default-1-link")).unwrap();
        symlink("default-1-link", state.join("profiles/default")).unwrap();
        fs::create_dir_all(made.dir.join("etc/nix")).unwrap();
        fs::write(made.dir.join("etc/nix/nix.conf"), "keep-outputs = false\n").unwrap();
        for (file, contents) in [
            ("boot/loader/entries/nixos-generation-1.conf", "linux /EFI/nixos/kernel.efi\n"),
            ("boot/EFI/nixos/kernel.efi", "kernel"),
            ("home/u/.cache/nix/eval-cache-v5/x.sqlite", "cache"),
            ("nix/var/log/nix/drvs/00/x.drv.bz2", "log"),
        ] {
            fs::create_dir_all(made.dir.join(file).parent().unwrap()).unwrap();
            fs::write(made.dir.join(file), contents).unwrap();
        }
        fs::create_dir(made.store.join(".links")).unwrap();
        let link = made.store.join(".links/0q5nsnzzpxdv8a0rwyk0gmlvpbfhqd9y21ch3mzsj5kvd1bm0000");
        fs::hard_link(made.store.join(base(2, "world-2.0")), link).unwrap();
        let outside = env.join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join(CANARY), CANARY).unwrap();
        fs::write(outside.join("secret"), CANARY).unwrap();
        fs::create_dir(env.join("tmp")).unwrap();
        let words = |words: &[&str]| words.iter().map(Into::into).collect();
        let commands = COMMANDS.iter().map(|command| words(command)).collect();
        Self {
            name,
            env,
            made,
            commands,
            before: Vec::new(),
            rooted: true,
            more_memory: 0,
            before_attack: None,
        }
    }

    /// A connection that changes the database.
    fn db(&self) -> Connection {
        let db = Connection::open(&self.made.database).unwrap();
        db.pragma_update(None, "synchronous", "OFF").unwrap();
        db
    }

    /// Runs SQL on the database.
    fn sql(&self, sql: &str) {
        self.db().execute_batch(sql).unwrap();
    }

    /// Writes the tables of the schema as they are, whatever SQLite thinks of it.
    fn edit_schema(&self, sql: &str) {
        let db = self.db();
        db.execute_batch(&format!("PRAGMA writable_schema = ON; {sql}")).unwrap();
    }

    /// A name inside the root.
    fn at(&self, name: &str) -> PathBuf {
        self.made.dir.join(name)
    }

    /// A name beside the database.
    fn beside(&self, suffix: &str) -> PathBuf {
        self.made.database.with_file_name(format!("db.sqlite{suffix}"))
    }

    /// The database's bytes, changed.
    fn bytes(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(&self.made.database).unwrap();
        change(&mut bytes);
        fs::write(&self.made.database, bytes).unwrap();
    }

    /// Only these commands.
    fn only(&mut self, commands: &[&[&str]]) {
        let words = |words: &&[&str]| words.iter().map(Into::into).collect();
        self.commands = commands.iter().map(words).collect();
    }

    /// Runs commands on what was attacked; each must end well. In a sweep that is
    /// all of them in all formats, otherwise the report and the audit, and one more
    /// that is another for each kind.
    #[track_caller]
    fn attack(&mut self) -> Vec<Ran> {
        self.settle();
        if sweep() {
            let formats = formats();
            let pairs = self.commands.iter().flat_map(|c| formats.iter().map(move |f| (c, f)));
            let audits = |command: &[OsString]| command.first().is_some_and(|word| word == "audit");
            return pairs
                .filter(|(command, format)| !of_findings(format) || audits(command))
                .map(|(command, format)| self.run_once(command, format))
                .collect();
        }
        if self.commands.len() <= 3 {
            return self.commands.iter().map(|command| self.run_once(command, "json")).collect();
        }
        let last = self.commands.len() - 1;
        let other = self.name.bytes().fold(0, |sum, b| (sum * 31 + usize::from(b)) % 1009);
        let format = ["table", "csv"][other % 2];
        [(1, "json"), (last, "json"), (other % last, format)]
            .map(|(command, format)| self.run_once(&self.commands[command], format))
            .into()
    }

    /// Notes what is there before a run; file times a while back, as of a store
    /// that nobody writes to.
    fn settle(&mut self) {
        let ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
        for name in [&self.made.database, &self.beside("-wal"), &self.beside("-journal")] {
            if fs::symlink_metadata(name).is_ok_and(|m| m.is_file()) {
                let _ = fs::File::options().write(true).open(name).map(|f| f.set_modified(ago));
            }
        }
        self.before_attack = Some(manifest(self.env.path()));
    }

    #[track_caller]
    fn run_once(&self, command: &[OsString], format: &str) -> Ran {
        // First, for what follows `--` is a name.
        let args = [&["--format".into(), format.into()], command].concat();
        let ran = Ran { run: run(&mut self.command(&args)), command: args };
        self.check(&ran);
        ran
    }

    /// The program with its limits. A run ends after two minutes, whatever it waits for.
    fn command(&self, args: &[OsString]) -> Command {
        self.command_under(&format!("--as={}", MEMORY + self.more_memory), args)
    }

    /// The same under another limit of `prlimit` than that of memory.
    fn command_under(&self, limit: &str, args: &[OsString]) -> Command {
        let cpu = format!("--cpu={CPU}");
        let bounds = ["prlimit", limit, &cpu, "--core=0", "timeout", "-k1", "120"].map(word);
        let args = if self.rooted { self.made.args(args) } else { args.to_vec() };
        let plain = self.env.command(args);
        let mut command = through(bounds.iter().chain(&self.before), &plain);
        command.env("TMPDIR", self.env.join("tmp")).env("MALLOC_ARENA_MAX", "1");
        command
    }

    /// A run under the same limits whose calls of one kind (or of several) are traced,
    /// and made to fail or to bring a signal as `inject` says; and the trace.
    #[track_caller]
    fn strace(&self, calls: &str, inject: &str, args: &[OsString]) -> (Ran, String) {
        // Not where it would be a file that the run has left.
        let dir = tempdir();
        let trace = dir.path().join("trace");
        let plain = self.command(args);
        let words: Vec<&OsStr> =
            [plain.get_program()].into_iter().chain(plain.get_args()).collect();
        let program = words.iter().position(|word| *word == env!("CARGO_BIN_EXE_nix-census"));
        let (before, program) = words.split_at(program.unwrap());
        let mut strace = vec![word("strace"), word("-fqqo"), trace.clone().into(), word("-e")];
        strace.push(word(format!("trace={calls},rt_sigaction")));
        if !inject.is_empty() {
            strace.extend([word("-e"), word(format!("inject={calls}:{inject}"))]);
        }
        let mut traced = Command::new(program[0]);
        traced.args(&program[1..]).current_dir(self.env.path());
        traced.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let before = before.iter().copied().chain(strace.iter().map(|word| &**word));
        let ran = Ran { run: run(&mut through(before, &traced)), command: args.to_vec() };
        (ran, fs::read_to_string(trace).unwrap_or_default())
    }

    /// How often a run makes calls of one kind.
    #[track_caller]
    fn count(&self, call: &str, args: &[OsString]) -> Calls {
        Calls::of(&self.strace(call, "", args).1)
    }

    /// A run in which the Nth call after its start brings what `inject` says, which
    /// leaves `mark` in the trace. Where threads share the work no number of calls is
    /// sure: then it is an earlier one, at last the first.
    #[track_caller]
    fn injected(
        &self,
        call: &str,
        (calls, nth): (&Calls, usize),
        (inject, mark): (&str, &str),
        args: &[OsString],
    ) -> (Ran, String) {
        let mut when = (calls.before + 1 + nth).min(calls.most.max(calls.before + 1));
        loop {
            let what = format!("{inject}:when={when}");
            let (ran, trace) = self.strace(call, &what, args);
            if trace.contains(mark) || ran.run.status == 128 + 9 {
                return (ran, format!("{call}:{what}"));
            }
            let ended = (args, ran.run.status, &ran.run.stderr);
            assert!(when > calls.before + 1, "{call}:{what} never came, {ended:?}: {trace}");
            when = calls.before + (when - calls.before) / 2;
        }
    }

    /// What must hold of every run.
    #[track_caller]
    fn check(&self, ran: &Ran) {
        let Ran { command, run } = ran;
        let context = || format!("{command:?}\n{}\n{}", run.stdout, run.stderr);
        assert!((0..=3).contains(&run.status), "status {}: {}", run.status, context());
        self.check_harm(ran);
        check_agreement(command, run);
    }

    /// What must hold of every run, however it ended.
    #[track_caller]
    fn check_harm(&self, ran: &Ran) {
        let Ran { command, run } = ran;
        let context = || format!("{command:?}\n{}\n{}", run.stdout, run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", context());
        for text in [&run.stdout, &run.stderr] {
            let unsafe_char = text.chars().find(|&c| c != '\n' && is_unsafe(c));
            assert_eq!(unsafe_char, None, "{}", context());
            assert!(!text.contains(CANARY), "{}", context());
        }
        let (before, after) = (self.before_attack.as_ref(), manifest(self.env.path()));
        for (name, was) in before.unwrap() {
            let is = after.get(name);
            assert!(
                is == Some(was),
                "{} changed: {is:?}\nwas {was:?}\n{}",
                name.display(),
                context()
            );
        }
        let new = after.keys().find(|name| !before.unwrap().contains_key(*name));
        assert_eq!(new, None, "{}", context());
    }
}

/// Calls of one kind, as `strace` counts them: those of each thread.
struct Calls {
    /// Before the program begins: its first thread's, by loader and runtime.
    before: usize,
    /// Of the thread that makes the most.
    most: usize,
}

impl Calls {
    fn of(trace: &str) -> Self {
        let mut threads: BTreeMap<&str, usize> = BTreeMap::new();
        let mut before = None;
        for line in trace.lines().filter(|line| line.contains('(') && !line.contains(" resumed>")) {
            let (thread, call) = line.split_once(' ').unwrap();
            if !call.trim_start().starts_with("rt_sigaction(") {
                *threads.entry(thread).or_default() += 1;
            } else if call.contains("SIGXFSZ") {
                // The first that the program does itself.
                before = Some(threads.values().sum());
            }
        }
        let before = before.expect("the program sets what SIGXFSZ does");
        Self { before, most: threads.into_values().max().unwrap_or(0) }
    }

    /// Whether the program makes any.
    fn any(&self) -> bool {
        self.most > self.before
    }
}

/// Whether status, document and messages say the same.
#[track_caller]
fn check_agreement(command: &[OsString], run: &Run) {
    let context = || format!("{command:?}\n{}\n{}", run.stdout, run.stderr);
    let warned = run.stderr.contains("the answer is incomplete");
    if run.stdout.is_empty() && run.status > 1 {
        assert!(run.stderr.starts_with("error: "), "{}", context());
        return;
    }
    assert_eq!(warned, run.status == 3, "{}", context());
    assert_ne!(run.status, 2, "{}", context());
    if command.iter().any(|word| word == "json") {
        let answer: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", context()));
        assert_eq!(answer["complete"], run.status != 3, "{}", context());
    }
}

/// Some run said this on standard error, or in its answer.
#[track_caller]
fn said(all: &[Ran], text: &str) {
    let found =
        all.iter().any(|ran| ran.run.stderr.contains(text) || ran.run.stdout.contains(text));
    let first = all.first().map(|ran| (&ran.command, &ran.run.stderr));
    assert!(found, "nobody said ‘{text}’: {first:?}");
}

/// Every run ended with this status.
#[track_caller]
fn all_ended(all: &[Ran], status: i32) {
    for ran in all {
        let Ran { command, run } = ran;
        assert_eq!(run.status, status, "{command:?}\n{}\n{}", run.stdout, run.stderr);
    }
}

/// All below a directory: contents, or of large files and odd ones what they are;
/// numbers and times that `stat` has, but for the time of the last access; the
/// names and values of extended attributes.
fn manifest(dir: &Path) -> Manifest {
    let entries = walkdir::WalkDir::new(dir).into_iter().filter_map(Result::ok);
    let state = |entry: walkdir::DirEntry| {
        let path = entry.into_path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let contents = match meta.file_type() {
            kind if kind.is_file() && meta.len() <= 4 << 20 => fs::read(&path).unwrap_or_default(),
            kind if kind.is_symlink() => {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            }
            _ => Vec::new(),
        };
        let numbers = [
            u64::from(meta.mode()),
            u64::from(meta.uid()),
            u64::from(meta.gid()),
            meta.ino(),
            meta.nlink(),
            meta.size(),
        ];
        let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
        let mut list = vec![0; 4096];
        let length = rustix::fs::llistxattr(&path, &mut list).unwrap_or(0);
        let names = list[..length].split(|&b| b == 0).filter(|name| !name.is_empty());
        let value = |name: &[u8]| {
            let mut value = vec![0; 4096];
            let length = rustix::fs::lgetxattr(&path, name, &mut value).unwrap_or(0);
            [name, b"=", &value[..length]].concat()
        };
        let attributes = names.map(value).collect();
        (path, (contents, numbers, times, attributes))
    };
    entries.map(state).collect()
}

/// One test for each kind of attack. Without the programs that bound a run there
/// is none.
macro_rules! attacks {
    ($($(#[$attribute:meta])* fn $name:ident($case:ident) $body:block)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            if !crate::support::have(&["prlimit", "timeout"]) {
                return;
            }
            #[allow(unused_mut)]
            let mut $case = $crate::attacks::Case::new(stringify!($name));
            $body
        }
    )*};
}
use attacks;

attacks! {
    /// What all others start from: every command answers, and nothing is incomplete.
    fn nothing(case) {
        case.settle();
        let commands = case.commands.iter();
        let mut all: Vec<Ran> = commands.map(|command| case.run_once(command, "json")).collect();
        all.extend(case.attack());
        for ran in &all {
            let Ran { command, run } = ran;
            let audit = command.iter().any(|word| word == "audit");
            assert_eq!(run.status, i32::from(audit), "{command:?}\n{}\n{}", run.stdout, run.stderr);
        }
    }
}

/// As the user nobody; the root must be one that he can enter.
fn as_nobody(case: &mut Case) -> bool {
    if !super::support::root() || !have(&["setpriv"]) {
        return false;
    }
    fs::set_permissions(case.env.path(), fs::Permissions::from_mode(0o755)).unwrap();
    case.before =
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(Into::into).into();
    true
}

/// A word as an argument.
fn word(text: impl AsRef<OsStr>) -> OsString {
    text.as_ref().to_owned()
}
