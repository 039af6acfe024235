//! From outputs to the derivations that built them.

use crate::catalog::{Catalog, PathId};
use crate::warning::{WarningKind, Warnings};

/// Why no derivation of a path can be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDerivation {
    /// Nobody says what built it: a source, or copied without its deriver.
    #[error("its deriver is not known")]
    Unknown,
    /// Its deriver is not in the store.
    #[error("its deriver {0} is not in the store")]
    NotValid(String),
}

/// The derivation that built a path; a derivation is its own.
///
/// # Errors
/// See [`NoDerivation`].
pub fn derivation_of(catalog: &Catalog, id: PathId) -> Result<PathId, NoDerivation> {
    if catalog.store_path(id).is_derivation() {
        return Ok(id);
    }
    match (catalog.deriver_id(id), catalog.deriver(id)) {
        (Some(derivation), _) => Ok(derivation),
        (None, Some(name)) => Err(NoDerivation::NotValid(name)),
        (None, None) => Err(NoDerivation::Unknown),
    }
}

/// The derivations that built some paths, ascending. What paths have none in
/// the store, and which derivations have no output there, is said.
pub fn derivations_of(
    catalog: &Catalog,
    ids: impl IntoIterator<Item = PathId>,
    warnings: &mut Warnings,
) -> Vec<PathId> {
    let (mut found, mut unknown, mut gone) = (Vec::new(), 0u64, 0u64);
    for id in ids {
        match derivation_of(catalog, id) {
            Ok(derivation) => found.push(derivation),
            Err(NoDerivation::Unknown) => unknown += 1,
            Err(NoDerivation::NotValid(_)) => gone += 1,
        }
    }
    found.sort_unstable();
    found.dedup();
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            let paths = if count == 1 { "path" } else { "paths" };
            let message = format!("of {count} {paths} {what}");
            warnings.push(WarningKind::Note, catalog.store_dir(), message);
        }
    };
    say(unknown, "the deriver is not known: sources, or copied without it");
    say(gone, "the deriver is not in the store");
    warn_of_no_outputs(catalog, &found, warnings);
    found
}

/// Says of how many derivations no output is known.
pub fn warn_of_no_outputs(catalog: &Catalog, derivations: &[PathId], warnings: &mut Warnings) {
    let none = (derivations.iter())
        .filter(|&&id| catalog.store_path(id).is_derivation() && catalog.outputs_of(id).len() == 0)
        .count();
    if none > 0 {
        let of = if none == 1 { "derivation" } else { "derivations" };
        let message = format!(
            "of {none} {of} no output is known: not built, no longer there, or content-addressed, \
             whose outputs the derivation does not name"
        );
        warnings.push(WarningKind::Note, catalog.store_dir(), message);
    }
}
