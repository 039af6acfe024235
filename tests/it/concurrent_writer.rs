//! A store that is written to while it is read: every answer is one moment of
//! the store, and reading it leaves no trace.
#![allow(clippy::unwrap_used)]

use super::support::store_in_code::{Made, base, insert, limited, path, refer};
use super::support::{Run, TestEnv, have, nix, nobody, program, run};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Who reads: the user of this process, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Own,
    Nobody,
}

/// The users that can be tried here.
fn users() -> Vec<User> {
    let root = rustix::process::geteuid().is_root();
    if root && have(&["setpriv"]) { vec![User::Own, User::Nobody] } else { vec![User::Own] }
}

fn read<S: AsRef<OsStr>>(env: &TestEnv, user: User, args: impl IntoIterator<Item = S>) -> Run {
    let mut command = match user {
        User::Own => Command::new(program(env)),
        User::Nobody => nobody(env),
    };
    command.args(args).env_clear().current_dir("/");
    run(&mut limited(&command))
}

/// A connection as Nix's: a write-ahead log, checkpointed now and then.
fn writer(database: &Path) -> Connection {
    let db = Connection::open(database).unwrap();
    db.pragma_update(None, "journal_mode", "wal").unwrap();
    db.pragma_update(None, "synchronous", "OFF").unwrap();
    db.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    db
}

/// Each path refers to the one before, and each transaction registers two:
/// an odd number of paths, or a gap, is not a moment of the store.
#[track_caller]
fn is_a_moment(run: &Run) -> u64 {
    assert_eq!(run.status, 0, "{}", run.stderr);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["complete"], true);
    let rows = answer["paths"].as_array().unwrap();
    let count = rows.len() as u64;
    assert!(count > 0 && count.is_multiple_of(2), "{count} paths");
    assert_eq!(answer["total"]["nar_size"], 120 * count);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row["path"], path(i as i64 + 1, "x"));
        assert_eq!(row["closure_nar_size"], 120 * (i as u64 + 1));
        assert_eq!(row["references"].as_array().unwrap().len(), usize::from(i > 0));
    }
    count
}

#[test]
fn a_writer_beside() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", super::support::store_in_code::SCHEMA);
    drop(db);
    let db = writer(&made.database);
    let register = |id: i64| {
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for id in [id, id + 1] {
            fs::write(made.store.join(base(id, "x")), "contents").unwrap();
            insert(&db, id, path(id, "x").as_bytes(), Some(120));
            if id > 1 {
                refer(&db, id, id - 1);
            }
        }
        db.execute_batch("COMMIT").unwrap();
    };
    register(1);
    // How many paths are registered: the reader waits for more each time.
    let registered = AtomicU64::new(2);
    let end = AtomicBool::new(false);
    let args = made.args(["report", "--all", "--sort", "path", "--format", "json"]);
    let columns = ["--columns", "path,nar_size,closure_nar_size,references", "--no-disk"];
    let args: Vec<OsString> = args.into_iter().chain(columns.map(Into::into)).collect();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // Also when an assertion fails.
            struct End<'a>(&'a AtomicBool);
            impl Drop for End<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            let _end = End(&end);
            let mut last = 0;
            for user in users().into_iter().cycle().take(24) {
                let mut before = registered.load(Ordering::SeqCst);
                while before <= last {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    before = registered.load(Ordering::SeqCst);
                }
                let count = is_a_moment(&read(&env, user, &args));
                // What was there when it began is there.
                assert!(count >= before, "{count} paths, {before} were registered");
                last = count;
            }
        });
        // The reader ends even if this fails.
        struct Registered<'a>(&'a AtomicU64);
        impl Drop for Registered<'_> {
            fn drop(&mut self) {
                self.0.store(u64::MAX, Ordering::SeqCst);
            }
        }
        let registered = Registered(&registered);
        let mut id = 3;
        while !end.load(Ordering::Relaxed) {
            register(id);
            id += 2;
            registered.0.store(id as u64 - 1, Ordering::SeqCst);
            if id % 400 == 1 {
                db.pragma_query(None, "wal_checkpoint", |_| Ok(())).unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        reader.join().unwrap();
    });
    // The whole store, disk and all, once more at rest.
    let args = made.args(["report", "--all", "--format", "json"]);
    assert_eq!(read(&env, User::Own, &args).status, 0);
}

/// Contents, mode, owner, mtime and inode by name. Not the ctime: SQLite, run by
/// root, gives the log to the database's owner, who has it already.
type Everything = BTreeMap<PathBuf, (Vec<u8>, u32, (u32, u32), (i64, i64), u64)>;

/// All below a directory, itself among it.
fn everything(dir: &Path) -> Everything {
    let entries = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap);
    let state = |entry: walkdir::DirEntry| {
        let meta = entry.metadata().unwrap();
        let bytes = if meta.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        let (owner, mtime) = ((meta.uid(), meta.gid()), (meta.mtime(), meta.mtime_nsec()));
        (entry.into_path(), (bytes, meta.mode(), owner, mtime, meta.ino()))
    };
    entries.map(state).collect()
}

/// What lies beside the database when nobody has it open.
#[derive(Clone, Copy, Debug)]
enum Left {
    /// Closed as it should be.
    Nothing,
    /// A log and its index, as a killed daemon leaves them.
    LogAndIndex,
    /// A log alone, as a careless copy has it.
    Log,
    /// An empty log, as a checkpoint that truncates leaves it.
    EmptyLog,
}

/// A store whose last two paths are in the log, if one is left.
fn left(env: &TestEnv, left: Left) -> Made {
    let (made, db) = Made::with(env, &format!("{left:?}"), super::support::store_in_code::SCHEMA);
    drop(db);
    let db = writer(&made.database);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    for id in 1..=4 {
        made.file(id, "x", &db);
        if id > 1 {
            refer(&db, id, id - 1);
        }
        if id == 2 {
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
    }
    let beside = |suffix: &str| made.database.with_file_name(format!("db.sqlite-{suffix}"));
    let (log, index) = (fs::read(beside("wal")).unwrap(), fs::read(beside("shm")).unwrap());
    assert!(!log.is_empty());
    if matches!(left, Left::Nothing | Left::EmptyLog) {
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
    drop(db);
    let put = |suffix: &str, bytes: Option<&[u8]>| match bytes {
        Some(bytes) => fs::write(beside(suffix), bytes).unwrap(),
        None => drop(fs::remove_file(beside(suffix))),
    };
    put(
        "wal",
        match left {
            Left::Nothing => None,
            Left::EmptyLog => Some(b""),
            Left::Log | Left::LogAndIndex => Some(&log),
        },
    );
    put("shm", matches!(left, Left::LogAndIndex).then_some(&*index));
    made
}

#[test]
fn reading_leaves_no_trace() {
    let env = TestEnv::new();
    program(&env);
    for state in [Left::Nothing, Left::LogAndIndex, Left::Log, Left::EmptyLog] {
        let made = left(&env, state);
        // As on NixOS, and where the user may write everything.
        for mode in [0o755, 0o777] {
            for entry in walkdir::WalkDir::new(&made.dir) {
                let entry = entry.unwrap();
                // A log and an index of another owner than the database's.
                if mode == 0o777 && entry.path().extension().is_some_and(|e| e != "sqlite") {
                    let _ = std::os::unix::fs::chown(entry.path(), Some(65534), Some(65534));
                }
                let mode = if entry.file_type().is_dir() { mode } else { mode & 0o666 };
                fs::set_permissions(entry.path(), PermissionsExt::from_mode(mode)).unwrap();
            }
            let before = everything(&made.dir);
            for user in users() {
                for args in [&["report", "--all", "--sort", "path"][..], &[]] {
                    let run = read(&env, user, made.args(args.iter().chain(&["--format", "json"])));
                    assert_eq!(run.status, 0, "{state:?} {user:?}: {}", run.stderr);
                    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
                    let found = answer["total"]["paths"].as_u64().or(answer["paths"].as_u64());
                    // What only the log holds is never left out.
                    assert_eq!(found, Some(4), "{state:?} {user:?}");
                    let logged = matches!(state, Left::Log | Left::LogAndIndex);
                    let kinds = super::support::store_in_code::kinds(&answer);
                    assert_eq!(kinds.contains(&"journal".to_owned()), logged, "{state:?} {user:?}");
                }
            }
            let after = everything(&made.dir);
            let names = |all: &Everything| all.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&after), names(&before), "{state:?} {mode:o}");
            for (name, was) in &before {
                let is = &after[name];
                assert!(is == was, "{state:?} {mode:o}: {} has changed", name.display());
            }
        }
    }
}

/// Real Nix adds paths all the while.
#[test]
fn nix_store_add_beside() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "image");
    program(&env);
    let known: HashSet<String> = store.valid_paths().into_iter().collect();
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| {
            let mut added = HashSet::new();
            while !end.load(Ordering::Relaxed) {
                let file = env.join(format!("added-{}", added.len()));
                fs::write(&file, format!("{}", added.len())).unwrap();
                added.insert(store.nix("nix-store", [OsStr::new("--add"), file.as_os_str()]));
            }
            added.into_iter().map(|path| path.trim().to_owned()).collect::<HashSet<_>>()
        });
        let mut answers: Vec<HashSet<String>> = Vec::new();
        let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..5 {
                for user in users() {
                    let mut args = store.args();
                    args.extend(["report", "--all", "--format", "json"].map(Into::into));
                    let run = read(&env, user, &args);
                    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
                    // What the database calls valid is on the disk already.
                    assert_eq!(run.status, 0, "{user:?}: {}", run.stderr);
                    let rows = answer["paths"].as_array().unwrap();
                    let path = |row: &Value| row["path"].as_str().unwrap().to_owned();
                    answers.push(rows.iter().map(path).collect());
                }
            }
        }));
        end.store(true, Ordering::Relaxed);
        let added = adding.join().unwrap();
        if let Err(failure) = failure {
            std::panic::resume_unwind(failure);
        }
        for (earlier, later) in answers.iter().zip(&answers[1..]) {
            assert!(earlier.is_subset(later));
        }
        for answer in &answers {
            assert!(known.is_subset(answer));
            assert!(answer.iter().all(|path| known.contains(path) || added.contains(path)));
        }
    });
}
