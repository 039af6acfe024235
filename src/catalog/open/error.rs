//! What can be wrong with a database file.

use super::{Exceeded, OLDEST_SCHEMA};
use std::io;
use std::path::PathBuf;

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// A directory, FIFO or the like, or a symlink beside the database.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What is not a file.
        path: PathBuf,
    },
    /// A database of no bytes, as `touch` makes and Nix never leaves.
    #[error("{} is empty", path.display())]
    Empty {
        /// The database.
        path: PathBuf,
    },
    /// The database or what lies beside it cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file that cannot be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is not an SQLite database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// SQLite finds the file truncated or corrupt.
    #[error("the database {} is damaged", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Reading it takes more than it may.
    #[error("{}: {Exceeded}", path.display())]
    Limit {
        /// The database.
        path: PathBuf,
    },
    /// A view or virtual table has the name of one of Nix's tables.
    #[error("{}: {name} is not a table", path.display())]
    NotATable {
        /// The database.
        path: PathBuf,
        /// The table's name.
        name: String,
    },
    /// The schema is one that nobody uses any more.
    #[error("{} has schema {schema}, and none older than {OLDEST_SCHEMA} can be read", path.display())]
    OldSchema {
        /// The database.
        path: PathBuf,
        /// The number in the file `schema` beside it.
        schema: u32,
    },
    /// Something wrote to the database each time it was read.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// The database.
        path: PathBuf,
    },
    /// The image that a log has to be replayed in could not be made.
    #[error("cannot read {} into memory", path.display())]
    Copy {
        /// The file to be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite cannot open the database for another reason.
    #[error("cannot open {}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}
