//! The names in a database, without all else that a catalog holds: for those who
//! cannot wait for one.

use super::open::{self, Database, DatabaseFile};
use super::{CatalogError, LoadError};
use crate::store::StoreLocation;

/// What `take` makes of the paths of the database: it gets each, as bytes and in the
/// order of their hash parts, from `first` on (a full path; empty for all) until it
/// says `false`. Nothing is checked.
///
/// # Errors
/// If the database cannot be read.
pub(crate) fn fold_paths<T: Default>(
    location: &StoreLocation,
    first: &str,
    take: impl Fn(&mut T, &[u8]) -> bool,
) -> Result<T, CatalogError> {
    let file = DatabaseFile::of(location)?;
    let fold = |db: &Database| -> Result<T, LoadError> {
        // Anew for each try.
        let mut all = T::default();
        // The index over paths holds all that is asked for.
        let query = "SELECT path FROM ValidPaths WHERE path >= ?1 ORDER BY path";
        let mut query = db.connection().prepare(query)?;
        let mut rows = query.query([first])?;
        while let Some(row) = rows.next()? {
            if let Ok(path) = row.get_ref(0)?.as_bytes()
                && !take(&mut all, path)
            {
                break;
            }
        }
        Ok(all)
    };
    let path = &location.database;
    let read = open::read(&file, |db| {
        fold(db).map_err(|source| CatalogError::Load { path: path.clone(), source })
    });
    read.map(|(all, _)| all)
}
