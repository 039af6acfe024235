//! A second connection, so that two threads can read one database.

use super::file::FoundDatabase;
use super::limits::Weight;
use super::{Files, OpenMode, connect, look, odd_table};
use rusqlite::Connection;
use std::path::Path;

/// What a database holds at least that is read by two threads, in bytes: a smaller one
/// is read in a few milliseconds.
const LARGE: Weight = Weight(1 << 20);

/// A connection in a transaction, to be opened before the one that counts; `None` where
/// that is not worth it, cannot be had, or takes locks that the other needs.
pub(super) fn earlier(
    found: &FoundDatabase,
    at: &Path,
    mode: OpenMode,
    weight: Weight,
) -> Option<Connection> {
    let several = matches!(mode, OpenMode::Shared | OpenMode::Immutable);
    (several && weight >= LARGE).then(|| connect(found, at, mode, weight).ok()).flatten()
}

/// Whether a connection that began before another one sees what that one sees: nobody
/// wrote between its two transactions, the second of which it is left in. `files` are how
/// the files were before both.
///
/// `PRAGMA data_version` changes when another connection commits. Without an index in
/// shared memory and with an empty log SQLite takes it for changed each time; then the
/// files say it, as a commit shows in them.
pub(super) fn sees_the_same_still(
    early: &Connection,
    found: &FoundDatabase,
    files: &Files,
    mode: OpenMode,
) -> bool {
    let version = || early.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
    let again = || {
        let before = version()?;
        early.execute_batch("COMMIT; BEGIN")?;
        odd_table(early)?;
        Ok::<_, rusqlite::Error>(before == version()?)
    };
    let written = || look(found).map_or(true, |now| !now.same(files));
    // Of what is taken to be immutable it is looked at afterwards whether it was.
    mode == OpenMode::Immutable || again().is_ok_and(|same| same || !written())
}

#[cfg(test)]
mod tests {
    use super::super::{Database, DatabaseFile, open};
    use super::*;
    use crate::catalog::references::Parts;
    use crate::catalog::sqlite;
    use crate::warning::Warning;
    use std::path::PathBuf;

    const PATHS: u32 = 20_000;

    /// A database of more than [`LARGE`], whose last references are odd, with a
    /// connection that has it open.
    fn database(journal_mode: &str) -> (tempfile::TempDir, PathBuf, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db.sqlite");
        let mut c = Connection::open(&path).unwrap();
        c.pragma_update(None, "journal_mode", journal_mode).unwrap();
        let t = c.transaction().unwrap();
        t.execute_batch(
            "CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY, path TEXT, hash TEXT,
               registrationTime INTEGER, deriver TEXT, narSize INTEGER, ultimate INTEGER,
               sigs TEXT, ca TEXT);
             CREATE TABLE Refs (referrer, reference);",
        )
        .unwrap();
        {
            let sql = "INSERT INTO ValidPaths VALUES
                       (?1, ?2, 'sha256:' || printf('%064d', ?1), 1, ?2 || '.drv', 8, 0, '', '')";
            let mut add = t.prepare(sql).unwrap();
            let mut refer = t.prepare("INSERT INTO Refs VALUES (?1, ?2)").unwrap();
            for id in 1..=PATHS {
                let long = "name".repeat(12);
                add.execute((id, format!("/nix/store/{id:0>32}-{long}"))).unwrap();
                for other in (id..=id + 6).filter(|&other| other <= PATHS) {
                    refer.execute((id, other)).unwrap();
                }
            }
            add.execute((PATHS + 1, "/nix/store/odd")).unwrap();
            refer.execute((1, PATHS + 1)).unwrap();
            refer.execute((PATHS + 1, 2)).unwrap();
            refer.execute((3, PATHS + 2)).unwrap();
            refer.execute((PATHS + 3, 4)).unwrap();
        }
        t.commit().unwrap();
        (dir, path, c)
    }

    fn opened(path: &Path) -> Database {
        open(&DatabaseFile::at(path).unwrap()).unwrap()
    }

    /// References and warnings of the catalog, with or without the second connection.
    fn loaded(path: &Path, with_second: bool) -> (Vec<Vec<u32>>, Vec<Warning>, Vec<u32>) {
        let database = opened(path);
        if !with_second {
            drop(database.take_second());
        }
        let catalog = sqlite::load(&database, "/nix/store").unwrap();
        database.finish().unwrap();
        let undeletable = catalog.undeletable().iter().map(|id| id.index() as u32).collect();
        let warnings = catalog.warnings.iter().cloned().collect();
        (catalog.references().iter().map(<[u32]>::to_vec).collect(), warnings, undeletable)
    }

    #[test]
    fn two_threads_read_what_one_reads() {
        for journal_mode in ["delete", "wal"] {
            let (_dir, path, writer) = database(journal_mode);
            assert!(opened(&path).take_second().is_some(), "{journal_mode}");
            let both = loaded(&path, true);
            assert_eq!(both, loaded(&path, false), "{journal_mode}");
            assert_eq!(both.0.iter().map(Vec::len).sum::<usize>(), 7 * PATHS as usize - 21);
            assert_eq!(both.1.len(), 4, "{:?}", both.1);
            // An id that is none, a number too large for an id here: one thread reads them.
            writer.execute_batch("INSERT INTO Refs VALUES (NULL, 1), (1, 5000000000)").unwrap();
            let both = loaded(&path, true);
            assert_eq!(both, loaded(&path, false), "{journal_mode}");
            assert_eq!(both.1.len(), 6, "{:?}", both.1);
        }
    }

    /// Two threads share the table by the numbers of rows, which may have gaps, be something
    /// else, or not be there.
    #[test]
    fn of_any_table_each_row_is_read_once() {
        let columns = "referrer INTEGER, reference INTEGER";
        let plain = format!("({columns})");
        let key = "PRIMARY KEY (referrer, reference)";
        for (table, number, several) in [
            (plain.clone(), None, true),
            (plain.clone(), Some("row * 65000000000000"), true),
            (plain.clone(), Some("-row"), true),
            (plain, Some("row * 1000"), true),
            (format!("({columns}, RowID)"), None, false),
            (format!("({columns}, rowid INTEGER PRIMARY KEY)"), None, false),
            (format!("({columns}, {key}) WITHOUT ROWID"), None, false),
        ] {
            let (_dir, path, writer) = database("wal");
            let (name, value) = match number {
                Some(number) => (", rowid", format!(", {number}")),
                None => ("", String::new()),
            };
            let sql = format!(
                "CREATE TABLE Others AS SELECT referrer, reference, rowid AS row FROM Refs;
                 DROP TABLE Refs;
                 CREATE TABLE Refs {table};
                 INSERT INTO Refs (referrer, reference{name})
                   SELECT referrer, reference{value} FROM Others;
                 DROP TABLE Others;"
            );
            writer.execute_batch(&sql).unwrap();
            let database = opened(&path);
            let second = database.take_second().unwrap();
            let parts = Parts::of(&second).unwrap();
            let quota = || database.quota_of_second();
            let first = parts.read(&second, quota()).unwrap();
            assert_eq!(first.len() > 1, several, "{table} {number:?}");
            assert_eq!(parts.read(&second, quota()).unwrap(), []);
            assert!(parts.together([Vec::new(), Vec::new()]).is_none());
            let all = parts.together([Vec::new(), first]).unwrap().concat();
            assert_eq!(all.len(), 7 * PATHS as usize - 21 + 4, "{table} {number:?}");
            drop(database);
            let both = loaded(&path, true);
            assert_eq!(both, loaded(&path, false), "{table} {number:?}");
            assert_eq!(both.0.iter().map(Vec::len).sum::<usize>(), all.len() - 4);
        }
    }

    #[test]
    fn without_an_index_in_shared_memory_the_files_say_whether_it_is_the_same() {
        let (dir, path, writer) = database("wal");
        writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        // As a process leaves them that is ended: nobody has these open.
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), elsewhere.path().join(entry.file_name())).unwrap();
        }
        drop(writer);
        let copy = elsewhere.path().join("db.sqlite");
        let database = opened(&copy);
        assert_eq!(database.mode, OpenMode::Shared);
        assert!(database.take_second().is_some());
        drop(database);
        assert_eq!(loaded(&copy, true), loaded(&path, false));
        let found = DatabaseFile::at(&copy).unwrap().find().unwrap();
        let files = look(&found).unwrap();
        let early = || earlier(&found, &copy, OpenMode::Shared, LARGE).unwrap();
        assert!(sees_the_same_still(&early(), &found, &files, OpenMode::Shared));
        let ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
        let log = std::fs::File::options().write(true).open(found.beside("-wal")).unwrap();
        let before = early();
        log.set_modified(ago).unwrap();
        assert!(!sees_the_same_still(&before, &found, &files, OpenMode::Shared));
    }

    #[test]
    fn a_connection_is_not_used_after_a_commit() {
        let (_dir, path, writer) = database("wal");
        let found = DatabaseFile::at(&path).unwrap().find().unwrap();
        let early = || earlier(&found, &path, OpenMode::Shared, LARGE).unwrap();
        let files = look(&found).unwrap();
        let same =
            |early: &Connection| sees_the_same_still(early, &found, &files, OpenMode::Shared);
        assert!(same(&early()));
        let before = early();
        writer.execute("DELETE FROM Refs WHERE referrer = 7", []).unwrap();
        assert!(!same(&before));
        // Nobody wrote since.
        assert!(same(&before));
        let small = Weight(LARGE.0 - 1);
        assert!(earlier(&found, &path, OpenMode::Shared, small).is_none());
        assert!(earlier(&found, &path, OpenMode::Alone, LARGE).is_none());
    }
}
