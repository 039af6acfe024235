//! A write-ahead log of any bytes beside a sound database: opening it changes
//! nothing and ends. The bytes replace part of a real log, so that some get
//! past its checksums: its header and frames stay unless the input says else.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::catalog::{DatabaseFile, OpenError};
use nix_census::internals::read_database;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

struct Base {
    _dir: tempfile::TempDir,
    path: PathBuf,
    log: Vec<u8>,
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db.sqlite");
        let c = rusqlite::Connection::open(&path).unwrap();
        c.pragma_update(None, "journal_mode", "wal").unwrap();
        let off = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        c.set_db_config(off, true).unwrap();
        c.execute_batch(
            "CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY, path TEXT);
             CREATE TABLE Refs (referrer, reference);
             INSERT INTO ValidPaths (path) VALUES ('main');
             PRAGMA wal_checkpoint(TRUNCATE);
             INSERT INTO ValidPaths (path) VALUES ('log');",
        )
        .unwrap();
        drop(c);
        fs::remove_file(dir.path().join("db.sqlite-shm")).unwrap();
        let log = fs::read(dir.path().join("db.sqlite-wal")).unwrap();
        Base { _dir: dir, path, log }
    })
}

fuzz_target!(|input: (u16, Option<u16>, &[u8])| {
    let base = base();
    let (at, length, bytes) = input;
    let mut log = base.log.clone();
    let at = usize::from(at) % (log.len() + 1);
    log.resize(log.len().max(at + bytes.len()), 0);
    log[at..at + bytes.len()].copy_from_slice(bytes);
    if let Some(length) = length {
        log.truncate(usize::from(length));
    }
    let file = base.path.with_file_name("db.sqlite-wal");
    fs::write(&file, &log).unwrap();
    let main = fs::read(&base.path).unwrap();
    let rows = read_database(&DatabaseFile::at(&base.path).unwrap(), |database| {
        let c = database.connection();
        let count = c.query_row("SELECT count(*) FROM ValidPaths", [], |r| r.get::<_, i64>(0));
        count.map_err(|source| OpenError::Sqlite { path: base.path.clone(), source })
    });
    // Every state of a sound database with a log cut short has one row or two.
    if let (Ok((rows, _)), true) = (&rows, bytes.is_empty()) {
        assert!((1..=2).contains(rows), "{rows}");
    }
    assert!(fs::read(&file).unwrap() == log && fs::read(&base.path).unwrap() == main);
    assert_eq!(fs::read_dir(base.path.parent().unwrap()).unwrap().count(), 2);
});
