//! What reading a database may cost: in proportion to what its files hold.
//!
//! Pages that several rows or several other pages share, or a schema made for
//! it, turn a file of kilobytes into endless rows or gigabytes of memory. Each
//! page of a sound database is read once. So bytes and rows are counted as they
//! are read ([`Quota`]), and steps and memory are looked at while SQLite works.

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode};

/// No text or blob that is longer is read, in bytes, whatever the file holds.
const MAX_LENGTH: u64 = 64 << 20;
/// The same for the text of one table or index. Nix's have some 300 bytes.
const MAX_SQL_LENGTH: i32 = 64 << 10;
/// The longest program that SQLite may make of a query, in instructions; a
/// check of the integrity of Nix's tables has some 500.
const MAX_PROGRAM: i32 = 100_000;
/// SQLite's instructions between two looks at the limits: few while the schema
/// is read, where each may take much memory.
const STEPS: [i32; 2] = [64, 4096];
/// Instructions that any database may take, and those for each byte of it: a
/// row takes one for each column and a few more.
const FREE_STEPS: u64 = 4 << 20;
const STEPS_A_BYTE: u64 = 4;
/// Memory that SQLite may take for any database, in bytes, and as a multiple of
/// its size. The rest of four times the size and 64 MiB is for the catalog.
const FREE_MEMORY: u64 = 16 << 20;
const MEMORY_A_BYTE: u64 = 1;
/// What rows take in the file at least, in bytes: a pointer of two, the length,
/// a key and the header of the record.
const ROW: u64 = 5;

/// What the files of a database hold together, in bytes: the database and the
/// logs that are read along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) struct Weight(pub(super) u64);

impl Weight {
    /// Sets the limits of a connection that read nothing yet.
    pub(super) fn limit(self, c: &mut Connection) -> rusqlite::Result<()> {
        // Nothing in a file is longer than the file.
        let length = self.0.clamp(1 << 20, MAX_LENGTH) as i32;
        c.set_limit(Limit::SQLITE_LIMIT_LENGTH, length)?;
        c.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_LENGTH)?;
        c.set_limit(Limit::SQLITE_LIMIT_VDBE_OP, MAX_PROGRAM)?;
        self.watch(c, STEPS[0])
    }

    /// Looks less often, once the schema was read.
    pub(super) fn relax(self, c: &mut Connection) -> rusqlite::Result<()> {
        self.watch(c, STEPS[1])
    }

    fn watch(self, c: &mut Connection, steps: i32) -> rusqlite::Result<()> {
        let mut left =
            self.0.saturating_mul(STEPS_A_BYTE).saturating_add(FREE_STEPS) / steps as u64;
        let most = (memory_used())
            .saturating_add(self.0.saturating_mul(MEMORY_A_BYTE))
            .saturating_add(FREE_MEMORY);
        let exceeded = move || {
            left = left.saturating_sub(1);
            left == 0 || memory_used() > most
        };
        c.progress_handler(steps, Some(exceeded))
    }

    /// A count of what is read, which ends where it is more than there is.
    pub(super) fn quota(self) -> Quota {
        // A log may grow between the look at it and the beginning of the reading.
        Quota { left: self.0.saturating_mul(2).saturating_add(4 << 20) }
    }

    /// The same of a second connection, without which all can be read too: no more than
    /// the files hold.
    pub(super) fn quota_of_second(self) -> Quota {
        Quota { left: self.0 }
    }
}

/// What SQLite has allocated in this process, in bytes.
#[allow(unsafe_code, reason = "rusqlite has no safe function for it")]
fn memory_used() -> u64 {
    // SAFETY: it takes no argument, and may be called from any thread.
    unsafe { rusqlite::ffi::sqlite3_memory_used() }.try_into().unwrap_or_default()
}

/// Whether SQLite ended what it did because of a limit.
pub(crate) fn is_limit(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// More was read from a database than its files hold, or reading it took more
/// steps or memory than any of its size takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "reading it takes more time or memory than any sound database of its size: it is damaged, or \
     made to do so"
)]
pub struct Exceeded;

/// How many bytes may still be read from a database.
#[derive(Debug)]
pub(crate) struct Quota {
    left: u64,
}

impl Quota {
    /// How many bytes are left.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Counts one row.
    ///
    /// # Errors
    /// [`Exceeded`] if that is more than the files hold.
    #[inline]
    pub(crate) fn row(&mut self) -> Result<(), Exceeded> {
        self.rows(1)
    }

    /// Counts so many rows.
    ///
    /// # Errors
    /// [`Exceeded`] if that is more than the files hold.
    #[inline]
    pub(crate) fn rows(&mut self, count: usize) -> Result<(), Exceeded> {
        self.bytes(count.saturating_mul(ROW as usize))
    }

    /// Counts bytes of text.
    ///
    /// # Errors
    /// [`Exceeded`] if that is more than the files hold.
    #[inline]
    pub(crate) fn bytes(&mut self, count: usize) -> Result<(), Exceeded> {
        self.left = self.left.checked_sub(count as u64).ok_or(Exceeded)?;
        Ok(())
    }
}
