//! The names in a database, without all else that a catalog holds: for those who
//! cannot wait for one.

use super::open::{self, DatabaseFile, OpenError};
use super::{CatalogError, LoadError};
use crate::store::StoreLocation;

/// Calls `take` with each path of the database, as bytes and in the order of their
/// hash parts, from `first` on (a full path; empty for all) until it says `false`.
/// Nothing is checked.
///
/// # Errors
/// If the database cannot be read.
pub(crate) fn for_each_path(
    location: &StoreLocation,
    first: &str,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<(), CatalogError> {
    let file = DatabaseFile::of(location)?;
    let read = open::read(&file, |db| {
        // The index over paths holds all that is asked for.
        let query = "SELECT path FROM ValidPaths WHERE path >= ?1 ORDER BY path";
        let mut query = db.connection().prepare(query)?;
        let mut rows = query.query([first])?;
        while let Some(row) = rows.next()? {
            if let Ok(path) = row.get_ref(0)?.as_bytes()
                && !take(path)
            {
                break;
            }
        }
        Ok::<_, NamesError>(())
    });
    read.map(drop).map_err(|e| match e {
        NamesError::Open(e) => e.into(),
        NamesError::Sqlite(e) => {
            CatalogError::Load { path: location.database.clone(), source: LoadError::Sqlite(e) }
        }
    })
}

enum NamesError {
    Open(OpenError),
    Sqlite(rusqlite::Error),
}

impl From<OpenError> for NamesError {
    fn from(e: OpenError) -> Self {
        Self::Open(e)
    }
}

impl From<rusqlite::Error> for NamesError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}
