//! Stores made by the test itself, without Nix: a database written with
//! rusqlite, so that it may hold what Nix never writes, and files beside it.
#![allow(clippy::unwrap_used)]

use super::{Run, TestEnv, run, through};
use rusqlite::{Connection, params};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Tables and columns as Nix's schema 10 has them.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE ValidPaths (
        id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT UNIQUE NOT NULL,
        hash TEXT NOT NULL, registrationTime INTEGER NOT NULL, deriver TEXT,
        narSize INTEGER, ultimate INTEGER, sigs TEXT, ca TEXT);
    CREATE TABLE Refs (
        referrer INTEGER NOT NULL, reference INTEGER NOT NULL, PRIMARY KEY (referrer, reference));
    CREATE INDEX IndexReference ON Refs(reference);
    CREATE TABLE DerivationOutputs (
        drv INTEGER NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (drv, id));";

/// The same columns without any constraint, for rows that no Nix would write.
pub(crate) const LOOSE: &str = "
    CREATE TABLE ValidPaths (id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca);
    CREATE TABLE Refs (referrer, reference);
    CREATE TABLE DerivationOutputs (drv, id, path);";

/// A store below a root: `dir/nix/store`, `dir/nix/var/nix`.
pub(crate) struct Made {
    pub(crate) dir: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) database: PathBuf,
}

impl Made {
    /// Directories and the file `schema`; no database yet.
    pub(crate) fn bare(env: &TestEnv, name: &str) -> Self {
        let dir = env.join(name);
        let made = Self {
            store: dir.join("nix/store"),
            database: dir.join("nix/var/nix/db/db.sqlite"),
            dir,
        };
        fs::create_dir_all(&made.store).unwrap();
        fs::create_dir_all(made.database.parent().unwrap()).unwrap();
        fs::write(made.database.with_file_name("schema"), "10").unwrap();
        made
    }

    /// With a database of these tables.
    pub(crate) fn with(env: &TestEnv, name: &str, tables: &str) -> (Self, Connection) {
        let made = Self::bare(env, name);
        let db = Connection::open(&made.database).unwrap();
        // Not on the disk at once: the tests need no durability.
        db.pragma_update(None, "synchronous", "OFF").unwrap();
        db.execute_batch(tables).unwrap();
        (made, db)
    }

    /// Three sound paths: a file `hello-1.0`, `world-2.0` that refers to it and to
    /// itself, and the directory `tree` that holds `tree/file` and refers to both.
    pub(crate) fn sound(env: &TestEnv, name: &str) -> (Self, Connection) {
        let (made, db) = Self::with(env, name, SCHEMA);
        made.file(1, "hello-1.0", &db);
        made.file(2, "world-2.0", &db);
        let tree = made.store.join(base(3, "tree"));
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("file"), "12345678").unwrap();
        let nar = 24 + 72 + (88 + 8) + (88 + 8);
        insert(&db, 3, path(3, "tree").as_bytes(), Some(nar));
        for (from, to) in [(2, 1), (2, 2), (3, 1), (3, 2)] {
            refer(&db, from, to);
        }
        (made, db)
    }

    /// A path that is a file of 8 bytes, on the disk and in the database.
    pub(crate) fn file(&self, id: i64, name: &str, db: &Connection) {
        fs::write(self.store.join(base(id, name)), "contents").unwrap();
        insert(db, id, path(id, name).as_bytes(), Some(120));
    }

    /// The arguments that point nix-census at it.
    pub(crate) fn args<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Vec<OsString> {
        let mut all = vec!["--root".into(), self.dir.clone().into()];
        all.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        all
    }

    /// Runs nix-census on it. Ten minutes are never needed: then it hangs.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        env: &TestEnv,
        args: impl IntoIterator<Item = S>,
    ) -> Run {
        let run = run(&mut limited(&env.command(self.args(args))));
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        assert_ne!(run.status, 124, "it hangs");
        run
    }

    /// What it answers in JSON, with its exit status.
    #[track_caller]
    pub(crate) fn json<S: AsRef<OsStr>>(
        &self,
        env: &TestEnv,
        args: impl IntoIterator<Item = S>,
    ) -> (Value, Run) {
        let args = args.into_iter().map(|a| a.as_ref().to_owned());
        let run = self.run(env, args.chain(["--format".into(), "json".into()]));
        match serde_json::from_str(&run.stdout) {
            Ok(value) => (value, run),
            Err(e) => panic!("{e}: {run:?}"),
        }
    }
}

/// The same command, killed after ten minutes.
pub(crate) fn limited(command: &Command) -> Command {
    through(["timeout", "-k", "5", "600"], command)
}

/// The base name of a path: its number is its hash part.
pub(crate) fn base(id: i64, name: &str) -> String {
    format!("{id:032}-{name}")
}

/// The full path.
pub(crate) fn path(id: i64, name: &str) -> String {
    format!("/nix/store/{}", base(id, name))
}

/// A row of `ValidPaths`; its path may be any bytes.
pub(crate) fn insert(db: &Connection, id: i64, path: &[u8], nar_size: Option<i64>) {
    db.execute(
        "INSERT INTO ValidPaths (id, path, hash, registrationTime, narSize)
         VALUES (?1, CAST(?2 AS TEXT), ?3, ?4, ?5)",
        params![
            id,
            path,
            format!("sha256:{id:064x}"),
            1_000_000_000i64.saturating_add(id),
            nar_size
        ],
    )
    .unwrap();
}

/// A row of `Refs`.
pub(crate) fn refer(db: &Connection, from: i64, to: i64) {
    db.execute("INSERT INTO Refs VALUES (?1, ?2)", params![from, to]).unwrap();
}

/// The kinds of an answer's warnings, each once, sorted.
pub(crate) fn kinds(answer: &Value) -> Vec<String> {
    let warnings = answer["warnings"].as_array().unwrap().iter();
    let mut kinds: Vec<String> = warnings.map(|w| w["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}
