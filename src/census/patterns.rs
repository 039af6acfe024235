//! What a user may call several store paths.

use super::targets::{Place, TargetError, escaped, near_names_among, resolve_target};
use crate::catalog::Catalog;
use crate::store::StoreLocation;
use globset::GlobBuilder;

/// Finds all paths that `pattern` names among `among` (ids, ascending; all
/// valid paths if `None`), ascending: a glob over names, base names and full
/// paths; an exact name or package name; or anything that
/// [names one path](resolve_target). Derivations only where nothing else is
/// called so, or the pattern ends in `.drv`.
///
/// # Errors
/// Where nothing matches: see [`TargetError`]. Never an empty answer.
pub fn match_pattern(
    location: &StoreLocation,
    catalog: &Catalog,
    place: &Place,
    among: Option<&[u32]>,
    pattern: &str,
) -> Result<Vec<u32>, TargetError> {
    let all = 0..catalog.len() as u32;
    let ids = || -> Box<dyn Iterator<Item = u32> + '_> {
        match among {
            None => Box::new(all.clone()),
            Some(among) => Box::new(among.iter().copied()),
        }
    };
    let not_examined = || {
        let near = near_names_among(catalog, ids(), pattern.trim_matches(['*', '?']));
        let target = escaped(pattern);
        match among {
            None => TargetError::Unknown { target, near },
            Some(_) => TargetError::NotExamined { target, near },
        }
    };
    if pattern.contains(['*', '?', '[', '{']) {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|source| TargetError::Pattern { pattern: escaped(pattern), source })?
            .compile_matcher();
        let full = pattern.contains('/');
        let matches = |&id: &u32| match full {
            true => glob.is_match(catalog.path(id)),
            false => {
                let path = catalog.store_path(id);
                glob.is_match(path.name()) || glob.is_match(path.base_name())
            }
        };
        let found = built(catalog, pattern, ids().filter(matches).collect());
        return if found.is_empty() { Err(not_examined()) } else { Ok(found) };
    }
    for test in [
        |catalog: &Catalog, id, pattern| catalog.store_path(id).name() == pattern,
        |catalog: &Catalog, id, pattern| catalog.pname_and_version(id).0 == pattern,
    ] {
        let found: Vec<u32> = ids().filter(|&id| test(catalog, id, pattern)).collect();
        if !pattern.is_empty() && !found.is_empty() {
            return Ok(built(catalog, pattern, found));
        }
    }
    let id = match resolve_target(location, catalog, place, pattern) {
        Err(TargetError::Unknown { .. }) => return Err(not_examined()),
        found => found?,
    };
    if among.is_none_or(|among| among.binary_search(&id).is_ok()) {
        Ok(vec![id])
    } else {
        Err(not_examined())
    }
}

/// Without the derivations, unless there is nothing else or they are meant.
fn built(catalog: &Catalog, pattern: &str, found: Vec<u32>) -> Vec<u32> {
    let is_built = |id: &u32| !catalog.store_path(*id).is_derivation();
    if pattern.ends_with(".drv") || !found.iter().any(is_built) {
        return found;
    }
    found.into_iter().filter(is_built).collect()
}
