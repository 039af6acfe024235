//! The names of paths in answers are those of the catalog.

use crate::answer::{Cell, PathNames};
use crate::catalog::{Catalog, PathId};

impl PathNames for Catalog {
    fn store_dir(&self) -> &str {
        self.store_dir()
    }

    fn base_names(&self, ids: &[u32]) -> Vec<&str> {
        ids.iter().map(|&id| self.base_name(PathId::new(id))).collect()
    }
}

/// A cell that lists some paths.
pub(super) fn list_of(catalog: &Catalog, ids: impl IntoIterator<Item = PathId>) -> Cell<'_> {
    let numbers: Vec<u32> = ids.into_iter().map(PathId::node).collect();
    Cell::StorePaths(catalog, numbers.into())
}
