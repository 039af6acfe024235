//! What a user may call several store paths.

use super::targets::{
    NameContext, Named, NamedBy, Search, TargetError, escaped, exact_names, is_pattern,
    near_names_among,
};
use crate::catalog::{Catalog, PathId};
use crate::glob::Glob;
use crate::store::StoreLocation;

/// Finds all paths that `pattern` names among `among` (ids, ascending; all
/// valid paths if `None`): what is called exactly so (see
/// [`resolve_target`](super::resolve_target)), else a glob over names, base
/// names and full paths, else the beginning of a hash part. Derivations only
/// where nothing else is called so, or the pattern ends in `.drv`.
///
/// # Errors
/// Where nothing matches: see [`TargetError`]. Never an empty answer.
pub(crate) fn match_pattern(
    location: &StoreLocation,
    catalog: &Catalog,
    names: &NameContext,
    among: Option<&[PathId]>,
    pattern: &str,
) -> Result<Named, TargetError> {
    let search = Search { location, catalog, names, among };
    let exactly = search.exactly(pattern)?;
    if !exactly.is_empty() {
        return Ok(Named { ids: built(catalog, pattern, exactly), by: NamedBy::Exactly });
    }
    let found = search.by_pattern(pattern)?;
    if !found.is_empty() {
        return Ok(Named { ids: found, by: NamedBy::Pattern });
    }
    if !is_pattern(pattern)
        && let Some(id) = search.by_hash_prefix(pattern)?
    {
        return Ok(Named { ids: vec![id], by: NamedBy::HashPrefix });
    }
    let near = near_names_among(catalog, search.ids(), pattern.trim_matches(['*', '?']));
    Err(search.not_found(pattern, near))
}

impl Search<'_> {
    /// The paths that a glob matches, ascending; none if `text` is no glob.
    pub(super) fn by_pattern(&self, text: &str) -> Result<Vec<PathId>, TargetError> {
        if !is_pattern(text) {
            return Ok(Vec::new());
        }
        let glob = parse_glob(text)?;
        let full = text.contains('/');
        let matches = |&id: &PathId| match full {
            true => glob.is_match(&self.catalog.path(id)),
            false => {
                let path = self.catalog.store_path(id);
                glob.is_match(path.name()) || glob.is_match(path.base_name())
            }
        };
        Ok(built(self.catalog, text, self.ids().filter(matches).collect()))
    }
}

/// The paths among `ids` that a filter means, in their order: those of that
/// exact name or package name; if there are none, those whose name matches the
/// glob. May be none.
///
/// # Errors
/// If it is neither a name nor a glob.
pub(crate) fn filter_names(
    catalog: &Catalog,
    ids: impl Iterator<Item = PathId> + Clone,
    filter: &str,
) -> Result<Vec<PathId>, TargetError> {
    let exactly = exact_names(catalog, ids.clone(), filter);
    if !exactly.is_empty() {
        return Ok(exactly);
    }
    let glob = parse_glob(filter)?;
    Ok(ids.filter(|&id| glob.is_match(catalog.store_path(id).name())).collect())
}

/// A glob in which `*` and `?` stop at a slash.
///
/// # Errors
/// If it is not a valid one.
pub(crate) fn parse_glob(pattern: &str) -> Result<Glob, TargetError> {
    let wrong = |source| TargetError::Pattern { pattern: escaped(pattern), source };
    Glob::new(pattern).map_err(wrong)
}

/// Without the derivations, unless there is nothing else or they are meant.
fn built(catalog: &Catalog, pattern: &str, found: Vec<PathId>) -> Vec<PathId> {
    let is_built = |id: &PathId| !catalog.store_path(*id).is_derivation();
    if pattern.ends_with(".drv") || !found.iter().any(is_built) {
        return found;
    }
    found.into_iter().filter(is_built).collect()
}
