//! The names of paths in answers are those of the catalog.

use crate::answer::{Cell, PathNames};
use crate::catalog::{Catalog, PathId};
use crate::census::{Census, PathIndex};
use crate::graph::ShortestPaths;

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

/// A shortest chain to a path, itself included; empty if none leads there.
pub(super) fn chain_to(chains: &ShortestPaths, path: PathIndex) -> Vec<PathIndex> {
    let chain = chains.to(path.node()).unwrap_or_default();
    chain.into_iter().map(PathIndex::new).collect()
}

/// The names of what leads to the end of a chain, which is in a column beside it, and the
/// whole chain.
pub(super) fn chain_cells<'a>(census: &'a Census, chain: &[PathIndex]) -> [Cell<'a>; 2] {
    let catalog = &census.catalog;
    let before = chain.split_last().map_or(&[][..], |(_, before)| before).iter();
    let names: Vec<&str> = before.map(|&path| catalog.store_path(census.id(path)).name()).collect();
    let names = if names.is_empty() { Cell::Missing } else { Cell::text(names.join(" → ")) };
    [names, list_of(catalog, chain.iter().map(|&path| census.id(path)))]
}
