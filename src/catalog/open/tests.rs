use super::*;
use crate::skip::skip;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const CHILD: &str = "NIX_CENSUS_TEST_CHILD";

fn at(path: &Path) -> DatabaseFile {
    DatabaseFile::at(path).unwrap()
}

fn writer(path: &Path) -> Connection {
    let c = Connection::open(path).unwrap();
    c.pragma_update(None, "journal_mode", "wal").unwrap();
    c.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    c.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    c
}

/// A database whose row `main` is in the main file and, if `log`, whose row
/// `log` is in the write-ahead log alone. In a directory whose name a URI
/// would misread.
fn database(log: bool) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::Builder::new().prefix("odd %20?mode=rw#é").tempdir().unwrap();
    let path = dir.path().join("db.sqlite");
    let c = writer(&path);
    c.execute_batch(
        "CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY, path TEXT);
         CREATE TABLE Refs (referrer, reference);
         INSERT INTO ValidPaths (path) VALUES ('main');
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    if log {
        c.execute("INSERT INTO ValidPaths (path) VALUES ('log')", []).unwrap();
    }
    drop(c);
    (dir, path)
}

fn rows_of(c: &Connection) -> rusqlite::Result<Vec<String>> {
    c.prepare("SELECT path FROM ValidPaths ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
}

fn rows(path: &Path) -> (Vec<String>, Option<Journal>) {
    let load = |d: &Database| {
        rows_of(d.connection())
            .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })
    };
    read(&at(path), load).unwrap()
}

type Snapshot = BTreeMap<OsString, (Vec<u8>, u32, (u32, u32), u64, (i64, i64))>;

fn snapshot(dir: &Path) -> Snapshot {
    let mut all = BTreeMap::new();
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
    for name in names.chain([OsString::from(".")]) {
        let path = dir.join(&name);
        let meta = fs::symlink_metadata(&path).unwrap();
        let bytes = if meta.is_file() { fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let owner = (meta.uid(), meta.gid());
        all.insert(
            name,
            (bytes, meta.mode(), owner, meta.ino(), (meta.mtime(), meta.mtime_nsec())),
        );
    }
    all
}

/// Runs this test binary's `child` test as `user`, which does `what`.
fn child(user: Option<&str>, what: &str, path: &Path) -> Option<Child> {
    // By a name that anybody can run, wherever the file lies: what is open stays
    // open in the child.
    static EXE: std::sync::LazyLock<fs::File> = std::sync::LazyLock::new(|| {
        let exe = fs::File::open(std::env::current_exe().unwrap()).unwrap();
        rustix::io::fcntl_setfd(&exe, rustix::io::FdFlags::empty()).unwrap();
        exe
    });
    let exe = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&*EXE));
    let mut command = match user {
        Some(user) => {
            let mut c = Command::new("setpriv");
            c.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups");
            c.arg(exe);
            c
        }
        None => Command::new(exe),
    };
    command.args(["--exact", "catalog::open::tests::role_of_child", "--nocapture"]);
    command.env(CHILD, what).env("CHILD_DB", path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
}

/// What nobody reads; to be asked by root.
#[track_caller]
fn read_by_nobody(path: &Path) -> Option<String> {
    let child = child(Some("65534"), "read", path);
    if child.is_none() {
        skip("there is no setpriv");
    }
    child.map(said)
}

/// What the child said between `<` and `>`.
fn said(child: Child) -> String {
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let text = text.split_once('<').unwrap_or_else(|| panic!("no answer: {text}")).1;
    text.rsplit_once('>').unwrap().0.to_owned()
}

/// Does nothing by itself: this is what [`child`] runs.
#[test]
fn role_of_child() {
    let Some(what) = std::env::var_os(CHILD) else { return };
    let path = PathBuf::from(std::env::var_os("CHILD_DB").unwrap());
    match what.to_str().unwrap() {
        "read" => {
            let load = |d: &Database| {
                rows_of(d.connection())
                    .map_err(|source| OpenError::Sqlite { path: path.clone(), source })
            };
            match read(&at(&path), load) {
                Ok((rows, journal)) => println!("<{} {}>", rows.join(","), journal.is_some()),
                Err(e) => println!("<{e}>"),
            }
        }
        // Holds the database open, as a daemon does, until stdin ends.
        "hold" => {
            let c = writer(&path);
            c.execute("INSERT INTO ValidPaths (path) VALUES ('held')", []).unwrap();
            println!("<ready>");
            let _ = io::stdin().read(&mut [0; 1]);
        }
        // Writes pairs and checkpoints until stdin ends.
        "write" => {
            let c = writer(&path);
            let stop = std::thread::spawn(|| io::stdin().read(&mut [0; 1]));
            for round in 0.. {
                if stop.is_finished() {
                    break;
                }
                c.execute_batch(
                    "BEGIN IMMEDIATE;
                     INSERT INTO ValidPaths (path) VALUES ('a');
                     INSERT INTO ValidPaths (path) VALUES ('b');
                     COMMIT; PRAGMA wal_checkpoint(PASSIVE);",
                )
                .unwrap();
                if round == 0 {
                    println!("<ready>");
                }
                sleep(Duration::from_micros(200));
            }
        }
        other => panic!("{other}"),
    }
}

/// Waits until the child has said that it is ready.
fn wait_ready(child: &mut Child) {
    let out = child.stdout.as_mut().unwrap();
    let mut all = Vec::new();
    while !all.ends_with(b"<ready>") {
        let mut byte = [0; 1];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "the child ended");
        all.push(byte[0]);
    }
}

fn stop(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Reads as this user and, if that is root, as nobody; both times nothing
/// beside the database may change.
#[track_caller]
fn check(path: &Path, expected: &[&str], journal: bool) {
    let dir = path.parent().unwrap();
    let before = snapshot(dir);
    let (found, error) = rows(path);
    assert_eq!(
        (found, error.is_some()),
        (expected.iter().map(|s| (*s).to_owned()).collect(), journal)
    );
    assert_eq!(snapshot(dir), before);
    if is_root() {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let before = snapshot(dir);
        if let Some(said) = read_by_nobody(path) {
            assert_eq!(said, format!("{} {journal}", expected.join(",")));
        }
        assert_eq!(snapshot(dir), before);
    }
}

#[test]
fn closed_cleanly() {
    let (dir, path) = database(false);
    for name in ["db.sqlite-wal", "db.sqlite-shm"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    check(&path, &["main"], false);
    // A lone -shm.
    fs::write(dir.path().join("db.sqlite-shm"), [0; 32768]).unwrap();
    check(&path, &["main"], false);
}

#[test]
fn empty_log() {
    let (dir, path) = database(false);
    assert_eq!(fs::metadata(dir.path().join("db.sqlite-wal")).unwrap().len(), 0);
    check(&path, &["main"], false);
    fs::remove_file(dir.path().join("db.sqlite-shm")).unwrap();
    check(&path, &["main"], false);
    // SQLite would give an empty log the mode of the database.
    fs::set_permissions(dir.path().join("db.sqlite-wal"), fs::Permissions::from_mode(0o600))
        .unwrap();
    check(&path, &["main"], false);
}

#[test]
fn log_with_frames() {
    let (dir, path) = database(true);
    check(&path, &["main", "log"], true);
    // An index that does not belong to the log.
    fs::write(dir.path().join("db.sqlite-shm"), [7; 32768]).unwrap();
    check(&path, &["main", "log"], true);
    fs::set_permissions(dir.path().join("db.sqlite-shm"), fs::Permissions::from_mode(0o600))
        .unwrap();
    check(&path, &["main", "log"], true);
    fs::remove_file(dir.path().join("db.sqlite-shm")).unwrap();
    check(&path, &["main", "log"], true);
}

#[test]
fn log_of_another_owner_is_not_given_away() {
    if !is_root() {
        return skip("this needs root");
    }
    let (dir, path) = database(true);
    fs::remove_file(dir.path().join("db.sqlite-shm")).unwrap();
    std::os::unix::fs::chown(dir.path().join("db.sqlite-wal"), Some(1234), None).unwrap();
    check(&path, &["main", "log"], true);
}

#[test]
fn torn_log() {
    let (dir, path) = database(true);
    let wal = dir.path().join("db.sqlite-wal");
    let whole = fs::read(&wal).unwrap();
    let c = writer(&path);
    c.execute("INSERT INTO ValidPaths (path) VALUES ('second')", []).unwrap();
    drop(c);
    let two = fs::read(&wal).unwrap();
    assert!(two.len() > whole.len());
    fs::remove_file(dir.path().join("db.sqlite-shm")).unwrap();
    check(&path, &["main", "log", "second"], true);
    for cut in [two.len() - 1, two.len() - 4000, whole.len() + 1, whole.len() + 24] {
        fs::write(&wal, &two[..cut]).unwrap();
        check(&path, &["main", "log"], true);
    }
    let mut flipped = two.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&wal, flipped).unwrap();
    check(&path, &["main", "log"], true);
    fs::write(&wal, &two[..20]).unwrap();
    check(&path, &["main"], true);
    fs::write(&wal, b"no log at all").unwrap();
    check(&path, &["main"], true);
}

#[test]
fn hot_journal() {
    let (dir, path) = database(false);
    let journal = dir.path().join("db.sqlite-journal");
    let c = Connection::open(&path).unwrap();
    c.pragma_update(None, "journal_mode", "delete").unwrap();
    c.pragma_update(None, "cache_size", 2).unwrap();
    c.pragma_update(None, "synchronous", "full").unwrap();
    c.execute_batch("BEGIN; DELETE FROM ValidPaths;").unwrap();
    // More than the cache holds, so that pages of the unfinished transaction
    // are in the main file.
    for i in 0..200 {
        c.execute("INSERT INTO ValidPaths (path) VALUES (?1 || hex(zeroblob(2000)))", [i]).unwrap();
    }
    let crashed = tempfile::tempdir().unwrap();
    let copy = crashed.path().join("db.sqlite");
    fs::copy(&path, &copy).unwrap();
    fs::copy(&journal, crashed.path().join("db.sqlite-journal")).unwrap();
    drop(c);
    assert_ne!(fs::read(&path).unwrap(), fs::read(&copy).unwrap());
    check(&copy, &["main"], true);
    // Finished: emptied, or with a header of zeros.
    fs::write(crashed.path().join("db.sqlite-journal"), [0; 4096]).unwrap();
    fs::copy(&path, &copy).unwrap();
    check(&copy, &["main"], false);
    fs::write(crashed.path().join("db.sqlite-journal"), []).unwrap();
    check(&copy, &["main"], false);
}

/// Whether it can be known here that a process has a log open.
fn knows_locks() -> bool {
    locks::list().is_ok()
}

#[test]
fn live() {
    let (dir, path) = database(true);
    let mut holder = child(None, "hold", &path).unwrap();
    wait_ready(&mut holder);
    check(&path, &["main", "log", "held"], !knows_locks());
    // No index to read: the log is read without it.
    fs::set_permissions(dir.path().join("db.sqlite-shm"), fs::Permissions::from_mode(0o600))
        .unwrap();
    if is_root()
        && let Some(said) = read_by_nobody(&path)
    {
        assert_eq!(said, "main,log,held true");
    }
    stop(holder);
}

#[test]
fn live_and_written() {
    let (dir, path) = database(true);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut busy = child(None, "write", &path).unwrap();
    wait_ready(&mut busy);
    let mut last = 2;
    for _ in 0..50 {
        let (found, journal) = rows(&path);
        assert!(journal.is_none() || !knows_locks(), "{journal:?}");
        assert!(found.len() >= last && found.len().is_multiple_of(2), "{}", found.len());
        assert!(found[2..].chunks(2).all(|pair| pair == ["a", "b"]));
        last = found.len();
    }
    if is_root()
        && let Some(said) = read_by_nobody(&path)
    {
        assert!(said.starts_with("main,log,a,b"), "{said}");
    }
    assert!(last > 2);
    stop(busy);
}

#[test]
fn a_change_is_seen() {
    let (dir, path) = database(false);
    for name in ["db.sqlite-wal", "db.sqlite-shm"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    let d = open(&at(&path)).unwrap();
    assert!(!d.changed());
    let c = writer(&path);
    c.execute("INSERT INTO ValidPaths (path) VALUES ('new')", []).unwrap();
    drop(c);
    assert!(d.changed());
    assert!(matches!(d.finish(), Err(OpenError::Changed { .. })));
    let mut tries = 0;
    let (found, _) = read(&at(&path), |d| {
        tries += 1;
        let found = rows_of(d.connection()).unwrap();
        if tries == 1 {
            let _ = fs::remove_file(dir.path().join("db.sqlite-shm"));
        }
        Ok::<_, OpenError>(found)
    })
    .unwrap();
    assert_eq!(found, ["main", "new"]);
}

#[test]
fn what_is_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.sqlite");
    assert!(matches!(open(&at(&path)), Err(OpenError::Missing { .. })));
    fs::create_dir(&path).unwrap();
    assert!(matches!(open(&at(&path)), Err(OpenError::NotAFile { .. })));
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "").unwrap();
    assert!(matches!(open(&at(&path)), Err(OpenError::Empty { .. })));
    fs::write(&path, "x".repeat(5000)).unwrap();
    assert!(matches!(open(&at(&path)), Err(OpenError::NotADatabase { .. })));
    fs::write(&path, "short").unwrap();
    assert!(matches!(open(&at(&path)), Err(OpenError::NotADatabase { .. })));
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    assert!(matches!(open(&at(&path)), Err(OpenError::NotAFile { .. })));
}

#[test]
fn what_lies_beside_may_not_lead_elsewhere() {
    let (dir, path) = database(false);
    let wal = dir.path().join("db.sqlite-wal");
    fs::remove_file(&wal).unwrap();
    symlink("/etc/passwd", &wal).unwrap();
    assert!(
        matches!(open(&at(&path)), Err(OpenError::NotAFile { path }) if path.ends_with("db.sqlite-wal"))
    );
    fs::remove_file(&wal).unwrap();
    symlink("/etc/passwd", dir.path().join("db.sqlite-journal")).unwrap();
    assert!(matches!(open(&at(&path)), Err(OpenError::NotAFile { .. })));
}

#[test]
fn truncated() {
    let (_dir, path) = database(false);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..4096]).unwrap();
    let load = |d: &Database| rows_of(d.connection()).map_err(|e| translate(e, &path));
    assert!(matches!(read(&at(&path), load), Err(OpenError::Damaged { .. })));
}

#[test]
fn unreadable() {
    let (dir, path) = database(true);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let ask = || match is_root() {
        true => read_by_nobody(&path),
        false => Some(open(&at(&path)).unwrap_err().to_string()),
    };
    let _ = fs::remove_file(dir.path().join("db.sqlite-shm"));
    let wal = dir.path().join("db.sqlite-wal");
    fs::set_permissions(&wal, fs::Permissions::from_mode(0o000)).unwrap();
    let Some(said) = ask() else { return };
    assert_eq!(said, format!("cannot read {}", wal.display()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(ask().unwrap(), format!("cannot read {}", path.display()));
}

/// Seen when it was looked at, and removed by who had it open before it was read.
#[test]
fn a_log_that_goes_meanwhile_is_a_change() {
    let (dir, path) = database(true);
    let found = at(&path).find().unwrap();
    assert!(look(&found).unwrap().wal.is_some());
    fs::remove_file(dir.path().join("db.sqlite-wal")).unwrap();
    assert!(matches!(found.check_readable("-wal"), Err(OpenError::Changed { .. })));
    assert!(matches!(found.read_start("-wal"), Err(OpenError::Changed { .. })));
}

#[test]
fn views_and_the_like() {
    let (_dir, path) = database(false);
    let c = Connection::open(&path).unwrap();
    c.execute_batch("ALTER TABLE Refs RENAME TO Other; CREATE VIEW rEFs AS SELECT * FROM Other")
        .unwrap();
    drop(c);
    assert!(matches!(open(&at(&path)), Err(OpenError::NotATable { name, .. }) if name == "rEFs"));
    let c = Connection::open(&path).unwrap();
    // Of a module that this SQLite may not have.
    c.execute_batch(
        "DROP VIEW rEFs; PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('table', 'Refs',
         'Refs', 0, 'CREATE VIRTUAL TABLE Refs USING fts5(referrer, reference)')",
    )
    .unwrap();
    drop(c);
    assert!(matches!(open(&at(&path)), Err(OpenError::NotATable { name, .. }) if name == "Refs"));
}

#[test]
fn nothing_can_be_written_or_called() {
    let (_dir, path) = database(false);
    let d = open(&at(&path)).unwrap();
    for sql in [
        "INSERT INTO ValidPaths (path) VALUES ('x')",
        "CREATE TEMP TABLE t (x)",
        "ATTACH ':memory:' AS other",
        "SELECT load_extension('x')",
        "SELECT length(zeroblob(70000000))",
    ] {
        assert!(d.connection().query_row(sql, [], |_| Ok(())).is_err(), "{sql}");
    }
}

#[test]
fn schemas() {
    let (dir, path) = database(false);
    let file = dir.path().join("schema");
    assert_eq!(at(&path).schema().unwrap(), Schema::Missing);
    for (text, known) in [("10", 10), ("6\n", 6)] {
        fs::write(&file, text).unwrap();
        assert_eq!(at(&path).schema().unwrap(), Schema::Known(known));
    }
    fs::write(&file, "11").unwrap();
    assert_eq!(at(&path).schema().unwrap(), Schema::Newer(11));
    fs::write(&file, "5").unwrap();
    assert!(matches!(at(&path).schema(), Err(OpenError::OldSchema { schema: 5, .. })));
    for odd in ["", "ten", "99999999999", "-1"] {
        fs::write(&file, odd).unwrap();
        assert!(matches!(at(&path).schema(), Ok(Schema::Odd(_))), "{odd}");
    }
    fs::remove_file(&file).unwrap();
    symlink("/etc/passwd", &file).unwrap();
    assert!(matches!(at(&path).schema(), Ok(Schema::Odd(_))));
}

/// A root with a database at /db/db.sqlite, and another elsewhere that only the
/// row `outside` is in.
fn rooted() -> (tempfile::TempDir, PathBuf, tempfile::TempDir, PathBuf) {
    let (root, database_path) = database(false);
    let (elsewhere, outside) = database(false);
    let c = writer(&outside);
    c.execute("UPDATE ValidPaths SET path = 'outside'", []).unwrap();
    c.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    drop(c);
    let dir = root.path().join("db");
    fs::create_dir(&dir).unwrap();
    for (from, to) in [(&database_path, dir.join("db.sqlite")), (&outside, outside.clone())] {
        if *from != to {
            fs::rename(from, to).unwrap();
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(from.with_file_name(format!("db.sqlite{suffix}")));
        }
    }
    (root, dir, elsewhere, outside)
}

fn in_root(root: &Path) -> DatabaseFile {
    DatabaseFile::new(&crate::fs::Tree::live(root).unwrap(), Path::new("/db/db.sqlite"))
}

#[test]
fn a_symlink_on_the_way_stays_inside_the_root() {
    let (root, dir, elsewhere, outside) = rooted();
    fs::rename(&dir, root.path().join("real")).unwrap();
    symlink(elsewhere.path(), &dir).unwrap();
    assert!(matches!(open(&in_root(root.path())), Err(OpenError::Missing { .. })));
    // Named by the user, it counts as this machine sees it.
    assert_eq!(rows(&outside).0, ["outside"]);
    assert_eq!(rows(&dir.join("db.sqlite")).0, ["outside"]);
    fs::remove_file(&dir).unwrap();
    symlink("/real", &dir).unwrap();
    let found =
        read(&in_root(root.path()), |d| Ok::<_, OpenError>(rows_of(d.connection()).unwrap()))
            .unwrap();
    assert_eq!(found.0, ["main"]);
}

#[test]
fn a_directory_put_in_the_way_of_sqlite_is_seen() {
    let (root, dir, elsewhere, _) = rooted();
    let found = in_root(root.path()).find().unwrap();
    let files = look(&found).unwrap();
    // After the database was found, and before SQLite is given its path.
    fs::rename(&dir, root.path().join("real")).unwrap();
    symlink(elsewhere.path(), &dir).unwrap();
    let connection = by_path(&found, OpenMode::Immutable).unwrap();
    assert_eq!(rows_of(&connection).unwrap(), ["outside"]);
    assert!(!found.is_what_sqlite_opened(&files.db, 1));
    // The path leads to the right file again, but that is not what is open.
    fs::remove_file(&dir).unwrap();
    fs::rename(root.path().join("real"), &dir).unwrap();
    assert!(crate::fs::leads_to(found.path(), files.db.identity()));
    if cfg!(all(target_os = "linux", not(nix_census_portable))) {
        assert!(!found.is_what_sqlite_opened(&files.db, 1));
    }
    drop(connection);
    let connection = by_path(&found, OpenMode::Immutable).unwrap();
    assert_eq!(rows_of(&connection).unwrap(), ["main"]);
    assert!(found.is_what_sqlite_opened(&files.db, 1));
}

/// Opens it as where SQLite must be given a path.
fn by_path(found: &FoundDatabase, mode: OpenMode) -> Result<Connection, OpenError> {
    let vfs = if mode == OpenMode::Alone { Vfs::Alone } else { Vfs::Locking };
    connect_to(found.path(), vfs.like(), found.path(), mode, Weight(0))
}

#[test]
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
fn a_directory_put_in_the_way_of_sqlite_is_not_entered() {
    for (mode, log) in [
        (OpenMode::Immutable, false),
        (OpenMode::Alone, true),
        // Also with an index that a writer made.
        (OpenMode::Shared, true),
    ] {
        let (dir, path) = database(log);
        let writer = (mode == OpenMode::Shared).then(|| {
            let writer = writer(&path);
            assert_eq!(rows_of(&writer).unwrap(), ["main", "log"]);
            writer
        });
        let found = at(&path).find().unwrap();
        let (elsewhere, outside) = database(false);
        let c = Connection::open(&outside).unwrap();
        c.execute("UPDATE ValidPaths SET path = 'outside'", []).unwrap();
        drop(c);
        let away = dir.path().with_extension("away");
        fs::rename(dir.path(), &away).unwrap();
        symlink(elsewhere.path(), dir.path()).unwrap();
        let connection = connect(&found, found.path(), mode, Weight(1 << 20)).unwrap();
        let expected: &[&str] = if log { &["main", "log"] } else { &["main"] };
        assert_eq!(rows_of(&connection).unwrap(), expected, "{mode:?}");
        drop((connection, writer));
        fs::remove_file(dir.path()).unwrap();
        fs::rename(&away, dir.path()).unwrap();
    }
}

#[test]
fn a_directory_swapped_while_reading_is_seen() {
    let (root, dir, elsewhere, _) = rooted();
    let d = open(&in_root(root.path())).unwrap();
    assert!(!d.changed());
    fs::rename(&dir, root.path().join("real")).unwrap();
    symlink(elsewhere.path(), &dir).unwrap();
    assert!(d.changed());
    assert!(matches!(d.finish(), Err(OpenError::Changed { .. })));
}

#[test]
#[cfg_attr(nix_census_portable, ignore = "directories are reached by path, which leads elsewhere")]
fn a_log_put_in_the_way_of_sqlite_is_seen() {
    let (_dir, path) = database(true);
    let found = at(&path).find().unwrap();
    let files = look(&found).unwrap();
    let connection = by_path(&found, OpenMode::Alone).unwrap();
    assert!(found.is_what_sqlite_opened(&files.db, 1));
    drop(connection);
    let real = path.with_file_name("real");
    fs::create_dir(&real).unwrap();
    // The database is there in both directories, the log is another.
    let other = real.join("db.sqlite");
    fs::hard_link(&path, &other).unwrap();
    fs::copy(path.with_file_name("db.sqlite-wal"), real.join("db.sqlite-wal")).unwrap();
    let parent = path.parent().unwrap().to_owned();
    let away = parent.with_extension("away");
    fs::rename(&parent, &away).unwrap();
    symlink(away.join("real"), &parent).unwrap();
    let connection = by_path(&found, OpenMode::Alone).unwrap();
    assert!(!found.is_what_sqlite_opened(&files.db, 1));
    drop(connection);
    fs::remove_file(&parent).unwrap();
    fs::rename(&away, &parent).unwrap();
}

#[test]
fn a_database_without_a_path_is_read_by_a_copy() {
    let (_dir, path) = database(true);
    let bytes = |name: &str| fs::read(path.with_file_name(name)).unwrap();
    let files = ["db.sqlite", "db.sqlite-wal", "db.sqlite-shm"];
    let mut files: Vec<(String, crate::fs::MemoryFile)> =
        files.map(|name| (format!("/db/{name}"), bytes(name).as_slice().into())).into();
    files.push(("/db/schema".into(), "10".into()));
    let tree = crate::fs::Tree::memory(files);
    let db = DatabaseFile::new(&tree, Path::new("/db/db.sqlite"));
    assert_eq!(db.schema().unwrap(), Schema::Known(10));
    let load = |d: &Database| Ok::<_, OpenError>(rows_of(d.connection()).unwrap());
    let (found, journal) = read(&db, load).unwrap();
    assert_eq!(found, ["main", "log"]);
    assert!(matches!(journal, Some(Journal::WriteAheadLog { .. })));
    let missing = DatabaseFile::new(&tree, Path::new("/nowhere/db.sqlite"));
    assert!(!missing.exists());
    assert!(matches!(open(&missing), Err(OpenError::Missing { .. })));
}

/// What SQLite itself leaves of a database and its log, and the image; whether
/// both could be had.
#[track_caller]
fn compare_with_sqlite(path: &Path, what: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("db.sqlite");
    for suffix in ["", "-wal", "-journal"] {
        let from = path.with_file_name(format!("db.sqlite{suffix}"));
        if from.exists() {
            fs::copy(from, dir.path().join(format!("db.sqlite{suffix}"))).unwrap();
        }
    }
    let found = at(path).find().unwrap();
    let made = image(&found, &look(&found).unwrap());
    let c = Connection::open(&copy).unwrap();
    let sql = "PRAGMA wal_checkpoint(TRUNCATE); SELECT count(*) FROM sqlite_master";
    let read = c.execute_batch(sql);
    drop(c);
    let (Ok(mut made), Ok(())) = (made, read) else { return false };
    let mut theirs = fs::read(&copy).unwrap();
    for image in [&mut made, &mut theirs] {
        image[18..20].fill(0);
    }
    assert_eq!(made.len(), theirs.len(), "{what}");
    let differs = made.chunks(512).zip(theirs.chunks(512)).position(|(a, b)| a != b);
    assert_eq!(differs, None, "{what}");
    true
}

/// A log as a crash leaves it, cut and changed anywhere.
#[test]
fn logs_are_replayed_as_sqlite_does() {
    for log in ["-wal", "-journal"] {
        let dir = tempfile::tempdir().unwrap();
        let (path, crashed) = (dir.path().join("live.sqlite"), dir.path().join("db.sqlite"));
        let c = Connection::open(&path).unwrap();
        c.pragma_update(None, "page_size", 512).unwrap();
        let mode = if log == "-wal" { "wal" } else { "delete" };
        c.pragma_update(None, "journal_mode", mode).unwrap();
        c.pragma_update(None, "cache_size", 4).unwrap();
        c.execute_batch("CREATE TABLE t (x); BEGIN").unwrap();
        for i in 0..60 {
            c.execute("INSERT INTO t VALUES (?1 || hex(randomblob(200)))", [i]).unwrap();
        }
        c.execute_batch("COMMIT; DELETE FROM t WHERE rowid > 40; BEGIN; DELETE FROM t").unwrap();
        for i in 0..80 {
            c.execute("INSERT INTO t VALUES (?1 || hex(randomblob(300)))", [i]).unwrap();
        }
        fs::copy(&path, &crashed).unwrap();
        let beside = |path: &Path| path.with_file_name(format!("db.sqlite{log}"));
        let whole = fs::read(path.with_file_name(format!("live.sqlite{log}"))).unwrap();
        fs::write(beside(&crashed), &whole).unwrap();
        assert!(compare_with_sqlite(&crashed, "whole"));
        assert!(whole.len() > 10_000);
        let (mut state, mut compared) = (7u64, 0);
        for i in 0..150 {
            let mut next = |end: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as usize % end
            };
            let mut bytes = whole.clone();
            match i % 3 {
                0 => bytes.truncate(1 + next(whole.len())),
                1 => bytes[next(whole.len())] ^= 1 << next(8),
                _ => bytes[next(64)] = next(256) as u8,
            }
            fs::write(beside(&crashed), &bytes).unwrap();
            // Nothing is to be rolled back, and SQLite looks at the first byte alone.
            if bytes[0] != 0 {
                compared += u32::from(compare_with_sqlite(&crashed, &format!("{log} {i}")));
            }
        }
        assert!(compared > 100, "{log}: {compared}");
    }
}

/// A write-ahead log of these pages: number, data, and how many pages the database
/// has where a transaction ends.
fn log_of(pages: &[(u32, &[u8], u32)]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
    let mut log = words(&[0x377f_0683, 3_007_000, 512, 0, 1, 2]);
    let mut sum = replay::checksum(true, [0, 0], &log);
    log.extend(words(&sum));
    for &(number, data, size) in pages {
        let head = words(&[number, size]);
        sum = replay::checksum(true, replay::checksum(true, sum, &head), data);
        log.extend(head.into_iter().chain(words(&[1, 2])).chain(words(&sum)));
        log.extend(data);
    }
    log
}

/// Of a page that one transaction cut off, what an earlier one wrote counts again
/// where a later one makes the database longer: SQLite looks for the last frame.
#[test]
fn pages_that_are_cut_off_and_come_back() {
    let (dir, path) = database(false);
    let _ = dir;
    let c = Connection::open(&path).unwrap();
    c.execute_batch(
        "PRAGMA journal_mode = delete; PRAGMA page_size = 512; VACUUM; CREATE TABLE more (x)",
    )
    .unwrap();
    for i in 0..9 {
        c.execute("INSERT INTO more VALUES (?1 || hex(zeroblob(200)))", [i]).unwrap();
    }
    drop(c);
    let whole = fs::read(&path).unwrap();
    let count = (whole.len() / 512) as u32;
    assert!(count > 6, "{count}");
    let (first, other) = (&whole[..512], [7u8; 512]);
    let wal = path.with_file_name("db.sqlite-wal");
    for (what, log) in [
        ("comes back", log_of(&[(4, &other, count), (1, first, 1), (1, first, count)])),
        ("stays away", log_of(&[(4, &other, count), (1, first, count), (1, first, 3)])),
        ("never ended", log_of(&[(4, &other, 0), (1, first, count), (5, &other, 0)])),
        ("in turn", log_of(&[(1, first, 2), (1, first, count)].repeat(40))),
    ] {
        fs::write(&wal, log).unwrap();
        let known = compare_with_sqlite(&path, what);
        assert!(known || what == "stays away", "{what}");
    }
}
