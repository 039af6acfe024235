//! Opening `db.sqlite` for reading in every state it can be found in, without
//! changing anything beside it and never answering from a stale main file.
//!
//! SQLite's plain ways all fail somewhere. `mode=ro` makes `-wal` and `-shm`
//! where it may write, and cannot open without them where it may not;
//! `immutable=1` silently loses what only the write-ahead log holds. So the
//! files beside the database decide:
//!
//! | beside `db.sqlite` | opened |
//! |---|---|
//! | a rollback journal with a header | as an image in memory, in which it is rolled back |
//! | `-wal` and a readable `-shm` | shared: `mode=ro&readonly_shm=1`, locks as any reader's; where nobody else has it open, SQLite ignores the `-shm` and builds an index of its own in memory |
//! | `-wal` with frames and no `-shm` to read, or without frames | alone: no locks and no shared memory, the log read where it is |
//! | anything else | `immutable=1` |
//!
//! The last two and the image take no lock, so [`Database::finish`] looks again
//! whether the files are still those that were read; if not, the caller reads
//! again ([`read`] does that).
//!
//! All of these files are found through the examined tree, whose directories are
//! opened and never looked up again. SQLite must be given a path: one through the
//! open directory (`/proc/self/fd`), where there is /proc; only the last name is
//! looked up then, and no symlink followed. After it opened the database, and again
//! before an answer is given, it is checked that what it has open is the file that
//! the directory shows.
//!
//! The database is not trusted: no view or virtual table stands for a table,
//! no trigger runs, no function of its schema is called, no row of more than
//! 64 MiB is read, and [`limits`] bound the time and memory that reading takes.

use crate::fs::Stat;
use crate::locks::{self, FileLock};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::cell::RefCell;
use std::ffi::CStr;
use std::fmt;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

mod error;
mod file;
mod limits;
#[cfg(feature = "cli")]
mod owner;
mod replay;
mod second;
#[cfg(test)]
mod tests;
mod vfs;

pub use error::OpenError;
pub use file::DatabaseFile;
use file::FoundDatabase;
pub use limits::Exceeded;
pub(crate) use limits::Quota;
use limits::Weight;
pub(crate) use limits::is_limit;
#[cfg(feature = "cli")]
pub(crate) use owner::leave_owners_alone;
pub(crate) use replay::{apply_log, roll_back};
use vfs::Vfs;

/// The oldest database schema that is read: Nix 1.0's.
pub(crate) const OLDEST_SCHEMA: u32 = 6;
/// The newest database schema known: that of Nix 2.0 and later.
pub(crate) const NEWEST_SCHEMA: u32 = 10;

/// How often a database that changes under the reading is read again.
const TRIES: u32 = 8;
/// Two writes within one tick of the kernel's clock leave the same mtime. Beside a fuzz
/// target nobody writes.
const TICK: Duration = Duration::from_millis(if cfg!(fuzzing) { 0 } else { 20 });

/// Committed transactions, or ones undone, that are not in the main file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journal {
    /// A write-ahead log that nobody had open was read along.
    WriteAheadLog {
        /// The log's size in bytes.
        bytes: u64,
    },
    /// A transaction that never ended was rolled back, in memory.
    Rollback {
        /// The journal's size in bytes.
        bytes: u64,
    },
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteAheadLog { bytes } => {
                write!(f, "a write-ahead log of {bytes} bytes was left beside it and is read along")
            }
            Self::Rollback { bytes } => write!(
                f,
                "a rollback journal of {bytes} bytes was left beside it; its unfinished \
                 transaction is not counted"
            ),
        }
    }
}

/// How the file says the database's schema stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// A number that is known, 6 to 10.
    Known(u32),
    /// A later number: what this program reads may mean something else there.
    Newer(u32),
    /// There is no such file, as beside a database that was copied alone.
    Missing,
    /// The file is not a number, or cannot be read; says why.
    Odd(String),
}

/// The database and what lies beside it, as they were when looked at.
#[derive(Clone, Debug)]
struct Files {
    db: Stat,
    wal: Option<Stat>,
    journal: Option<Stat>,
}

impl Files {
    /// What they hold together.
    fn weight(&self) -> Weight {
        let all = std::iter::once(&self.db).chain(&self.wal).chain(&self.journal);
        Weight(all.fold(0, |sum: u64, file| sum.saturating_add(file.size)))
    }

    /// Whether nothing was written or put in another's place in between.
    fn same(&self, other: &Self) -> bool {
        let same = |a: &Option<Stat>, b: &Option<Stat>| match (a, b) {
            (Some(a), Some(b)) => a.same_file(b),
            (None, None) => true,
            _ => false,
        };
        self.db.same_file(&other.db)
            && same(&self.wal, &other.wal)
            && same(&self.journal, &other.journal)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenMode {
    Shared,
    Alone,
    Immutable,
    InMemory,
}

/// A database opened for reading, in one read transaction.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// One more that sees the same.
    second: RefCell<Option<Connection>>,
    found: FoundDatabase,
    mode: OpenMode,
    files: Files,
    journal: Option<Journal>,
}

impl Database {
    /// The connection, in its read transaction.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A second connection for another thread, whose transaction sees the same; `None`
    /// where there is none, as of a small database, or it was taken already.
    pub(crate) fn take_second(&self) -> Option<Connection> {
        self.second.take()
    }

    /// Counts what is read over the connection.
    pub(crate) fn quota(&self) -> Quota {
        self.files.weight().quota()
    }

    /// Counts what is read over the second connection, which may be less.
    pub(crate) fn quota_of_second(&self) -> Quota {
        self.files.weight().quota_of_second()
    }

    /// Whether the files changed since they were opened without a lock, or
    /// others were put in their place, so that what was read may be wrong.
    pub(crate) fn changed(&self) -> bool {
        let Ok(now) = look(&self.found) else { return true };
        let kept = match self.mode {
            // SQLite's locks see to the rest.
            OpenMode::Shared => now.db.identity() == self.files.db.identity(),
            OpenMode::Alone | OpenMode::Immutable | OpenMode::InMemory => now.same(&self.files),
        };
        let own = self.mode == OpenMode::InMemory || self.found.is_what_sqlite_opened(&now.db, 1);
        !(kept && own)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`OpenError::Changed`] if what was read may be wrong: read again.
    pub(crate) fn finish(self) -> Result<(), OpenError> {
        match self.changed() {
            true => Err(OpenError::Changed { path: self.found.path().to_owned() }),
            false => Ok(()),
        }
    }
}

/// Opens a database and begins a read transaction.
///
/// # Errors
/// See [`OpenError`].
pub(crate) fn open(db: &DatabaseFile) -> Result<Database, OpenError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match db.find().and_then(attempt) {
            // A log made, emptied or removed by someone else in the meantime,
            // or an index that its writer is about to finish.
            Err(
                OpenError::Sqlite { .. } | OpenError::Damaged { .. } | OpenError::Changed { .. },
            ) if tries < TRIES && (tries < 3 || moving(db)) => {
                sleep(TICK * tries);
            }
            result => return result,
        }
    }
}

/// Whether the files change while one waits a little.
fn moving(db: &DatabaseFile) -> bool {
    let look = || db.find().and_then(|found| look(&found)).ok();
    let before = look();
    sleep(TICK);
    match (before, look()) {
        (Some(before), Some(after)) => !before.same(&after),
        (before, after) => before.is_some() || after.is_some(),
    }
}

/// Reads a database, again if it changed meanwhile; also the journal read along.
///
/// # Errors
/// Those of `load`, and of opening.
pub fn read<T, E: From<OpenError>>(
    db: &DatabaseFile,
    mut load: impl FnMut(&Database) -> Result<T, E>,
) -> Result<(T, Option<Journal>), E> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut database = open(db)?;
        let loaded = load(&database);
        let journal = database.journal.take();
        // A failure in a file that was changing is none.
        match (database.finish(), loaded) {
            (Ok(()), loaded) => return Ok((loaded?, journal)),
            (Err(e), _) if tries == TRIES => return Err(e.into()),
            (Err(_), _) => sleep(TICK * tries),
        }
    }
}

fn look(found: &FoundDatabase) -> Result<Files, OpenError> {
    let missing = || OpenError::Missing { path: found.path().to_owned() };
    let db = found.look_at("")?.ok_or_else(missing)?;
    Ok(Files { db, wal: found.look_at("-wal")?, journal: found.look_at("-journal")? })
}

/// Looks at the files when a later write would show in their mtimes.
fn look_settled(found: &FoundDatabase) -> Result<Files, OpenError> {
    let files = look(found)?;
    let recent = |stat: &Stat| {
        let since = Duration::new(stat.mtime.max(0) as u64, stat.mtime_nsec);
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + since);
        age.is_ok_and(|age| age < TICK)
    };
    if std::iter::once(&files.db).chain(&files.wal).chain(&files.journal).any(recent) {
        sleep(TICK);
        return look(found);
    }
    Ok(files)
}

fn attempt(found: FoundDatabase) -> Result<Database, OpenError> {
    let files = look_settled(&found)?;
    let path = found.path();
    if files.db.size == 0 {
        return Err(OpenError::Empty { path: path.to_owned() });
    }
    found.check_readable("")?;
    let wal_bytes = files.wal.as_ref().map_or(0, |w| w.size);
    if wal_bytes > 0 {
        found.check_readable("-wal")?;
    }
    // SQLite, run by root, gives what lies beside the database to the database's
    // owner. (Where it is the owner's already, that moves its ctime alone: see
    // [`leave_owners_alone`].)
    let root = rustix::process::geteuid().is_root();
    let owner = |stat: &Stat| (stat.uid, stat.gid);
    let same_owner = |stat: &Stat| !root || owner(stat) == owner(&files.db);
    // Of a log that is a header alone SQLite waits half a minute for the rest,
    // where an index tells of frames.
    let mut journal = None;
    let mode = if let Some(bytes) = hot_journal(&found, &files)? {
        journal = Some(Journal::Rollback { bytes });
        OpenMode::InMemory
    } else if found.path_for_sqlite().is_some()
        && wal_bytes != replay::WAL_HEADER as u64
        && files.wal.as_ref().is_some_and(same_owner)
        && found.look_at("-shm")?.as_ref().is_some_and(same_owner)
        && found.check_readable("-shm").is_ok()
        && found.check_readable("-wal").is_ok()
    {
        if wal_bytes > 0 && !held(&found) {
            journal = Some(Journal::WriteAheadLog { bytes: wal_bytes });
        }
        OpenMode::Shared
    } else if let Some(wal) = files.wal.as_ref().filter(|w| w.size > 0) {
        journal = Some(Journal::WriteAheadLog { bytes: wal_bytes });
        if same_owner(wal) { OpenMode::Alone } else { OpenMode::InMemory }
    } else {
        OpenMode::Immutable
    };
    let (mode, connection, second) =
        match found.path_for_sqlite().filter(|_| mode != OpenMode::InMemory) {
            Some(at) => {
                let early = second::earlier(&found, at, mode, files.weight());
                let connection = connect(&found, at, mode, files.weight())?;
                let same = |early: &_| second::sees_the_same_still(early, &found, &files, mode);
                (mode, connection, early.filter(same))
            }
            None => (OpenMode::InMemory, connect_to_image(&found, &files)?, None),
        };
    if mode == OpenMode::Immutable {
        check_whole_pages(&connection, path, files.db.size)?;
    }
    let times = 1 + usize::from(second.is_some());
    if mode != OpenMode::InMemory && !found.is_what_sqlite_opened(&files.db, times) {
        return Err(OpenError::Changed { path: path.to_owned() });
    }
    Ok(Database { connection, second: RefCell::new(second), found, mode, files, journal })
}

/// SQLite reads zeros where the last page is cut off. No transaction ends so,
/// and without a log there is none to mend it.
fn check_whole_pages(c: &Connection, path: &Path, size: u64) -> Result<(), OpenError> {
    let page: u32 = c
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .map_err(|e| translate(e, path))?;
    if size.is_multiple_of(u64::from(page.max(1))) {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let source =
        rusqlite::Error::SqliteFailure(corrupt, Some("its last page is cut off".to_owned()));
    Err(OpenError::Damaged { path: path.to_owned(), source })
}

/// The size of a journal that holds a transaction to roll back. SQLite empties
/// a journal, or fills its header with zeros, when a transaction ends.
fn hot_journal(found: &FoundDatabase, files: &Files) -> Result<Option<u64>, OpenError> {
    let Some(journal) = files.journal.as_ref().filter(|j| j.size > 0) else { return Ok(None) };
    let start = found.read_start("-journal")?;
    Ok(start.first().is_some_and(|&b| b != 0).then_some(journal.size))
}

/// Whether a process has the write-ahead log open: each one that has holds a
/// lock on byte 128 of the `-shm` (SQLite's `UNIX_SHM_DMS`). Only decides
/// whether the log is worth telling of.
fn held(found: &FoundDatabase) -> bool {
    let Ok(Some(shm)) = found.look_at("-shm") else { return false };
    let locked = |lock: &FileLock| (lock.inode, lock.bytes) == (shm.ino, (128, Some(128)));
    // A list read in several pieces may miss a lock that moved between them.
    (0..3).any(|_| locks::list().is_ok_and(|locks| locks.iter().any(locked)))
}

/// The database with its logs replayed, in memory: no file is made that a run
/// which is ended could leave behind.
fn image(found: &FoundDatabase, files: &Files) -> Result<Vec<u8>, OpenError> {
    let failed = |suffix: &str, source| OpenError::Copy { path: found.beside(suffix), source };
    let mut image = found.read_all("").map_err(|e| failed("", e))?;
    if files.journal.as_ref().is_some_and(|journal| journal.size > 0) {
        let journal = found.read_all("-journal").map_err(|e| failed("-journal", e))?;
        if journal.first().is_some_and(|&byte| byte != 0) {
            replay::roll_back(&mut image, &journal).map_err(|e| failed("-journal", e))?;
        }
    }
    if files.wal.as_ref().is_some_and(|wal| wal.size > 0) {
        let log = found.read_all("-wal").map_err(|e| failed("-wal", e))?;
        replay::apply_log(&mut image, &log).map_err(|e| failed("-wal", e))?;
    }
    // What SQLite reads and writes this file with: no log any more.
    if let Some(versions) = image.get_mut(18..20) {
        versions.fill(1);
    }
    Ok(image)
}

fn connect_to_image(found: &FoundDatabase, files: &Files) -> Result<Connection, OpenError> {
    let image = image(found, files)?;
    let path = found.path();
    let start = || {
        let mut c = Connection::open_in_memory()?;
        c.deserialize_read_exact(rusqlite::MAIN_DB, &*image, image.len(), true)?;
        drop(image);
        Ok(c)
    };
    begin(start().map_err(|e| translate(e, path))?, path, false, files.weight())
}

/// A `file:` URI; everything but letters, digits and `/-._~` is encoded.
fn uri(path: &Path, query: &str) -> String {
    let mut uri = String::from("file:");
    for &b in path.as_os_str().as_bytes() {
        if b.is_ascii_alphanumeric() || b"/-._~".contains(&b) {
            uri.push(b.into());
        } else {
            let _ = write!(uri, "%{b:02X}");
        }
    }
    uri + "?" + query
}

/// Opens a database through its directory, which is open; else by the path `at`.
fn connect(
    found: &FoundDatabase,
    at: &Path,
    mode: OpenMode,
    weight: Weight,
) -> Result<Connection, OpenError> {
    let vfs = if mode == OpenMode::Alone { Vfs::Alone } else { Vfs::Locking };
    match found.path_by_directory().zip(vfs.name()) {
        Some((target, vfs)) => connect_to(&target, vfs, found.path(), mode, weight),
        None => connect_to(at, vfs.like(), found.path(), mode, weight),
    }
}

/// Opens `target`; `path` is for messages.
fn connect_to(
    target: &Path,
    vfs: &CStr,
    path: &Path,
    mode: OpenMode,
    weight: Weight,
) -> Result<Connection, OpenError> {
    let query = match mode {
        OpenMode::Shared => "mode=ro&readonly_shm=1",
        OpenMode::Alone => "mode=ro",
        OpenMode::Immutable | OpenMode::InMemory => "mode=ro&immutable=1",
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(uri(target, query), flags, vfs)
        .map_err(|e| translate(e, path))?;
    begin(connection, path, mode == OpenMode::Alone, weight)
}

/// Begins the read transaction.
fn begin(
    mut c: Connection,
    path: &Path,
    alone: bool,
    weight: Weight,
) -> Result<Connection, OpenError> {
    let mut start = || {
        weight.limit(&mut c)?;
        harden(&c)?;
        // Needed where there is no shared memory, and never given up.
        if alone {
            c.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        }
        c.execute_batch("BEGIN")?;
        let odd = odd_table(&c)?;
        weight.relax(&mut c)?;
        Ok(odd)
    };
    match start().map_err(|e| translate(e, path))? {
        None => Ok(c),
        Some(name) => Err(OpenError::NotATable { path: path.to_owned(), name }),
    }
}

/// See SQLite's "Defense Against The Dark Arts".
fn harden(c: &Connection) -> rusqlite::Result<()> {
    c.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    c.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1)?;
    c.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    c.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    c.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    c.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    // Closing must not move the log's frames into the main file.
    c.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    c.pragma_update(None, "cell_size_check", true)?;
    c.pragma_update(None, "query_only", true)?;
    c.pragma_update(None, "temp_store", "MEMORY")
}

/// One of Nix's tables that is a view or the like. Also the first read of the
/// transaction, which fixes what it sees.
fn odd_table(c: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM sqlite_master \
               WHERE lower(name) IN ('validpaths', 'refs', 'derivationoutputs') \
               AND (type <> 'table' OR rootpage IS NULL OR rootpage < 1)";
    match c.query_row(sql, [], |row| row.get(0)) {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        other => other.map(Some),
    }
}

fn translate(error: rusqlite::Error, path: &Path) -> OpenError {
    if is_limit(&error) {
        return OpenError::Limit { path: path.to_owned() };
    }
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, source: error },
        _ => OpenError::Sqlite { path, source: error },
    }
}
