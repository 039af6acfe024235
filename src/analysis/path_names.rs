//! The names of paths in answers are those of the catalog.

use crate::answer::PathNames;
use crate::catalog::Catalog;

impl PathNames for Catalog {
    fn store_dir(&self) -> &str {
        self.store_dir()
    }

    fn base_names(&self, ids: &[u32]) -> Vec<&str> {
        ids.iter().map(|&id| self.base_name(id)).collect()
    }
}
