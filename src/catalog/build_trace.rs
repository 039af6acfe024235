//! Which outputs content-addressed derivations were found to have: the tables
//! that Nix keeps with the experimental feature `ca-derivations`
//! (nix: `queryPartialDerivationOutputMap`).
//!
//! Nix up to 2.34 has the table `Realisations`, whose key is the hash of the
//! derivation modulo its inputs (`hashDerivationModulo` in Nix's
//! `derivations.cc`); from 2.35 `BuildTraceV3`, whose key is the derivation.

use super::{Catalog, PathId, derivation};
use crate::arrange::Arrange as _;
use crate::fs::Directory;
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;

/// The table that a row is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceTable {
    /// That of Nix 2.4 to 2.34.
    Realisations,
    /// That of Nix from 2.35.
    BuildTraceV3,
}

impl TraceTable {
    /// All tables.
    pub(crate) const ALL: [Self; 2] = [Self::Realisations, Self::BuildTraceV3];

    /// Its name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Realisations => "Realisations",
            Self::BuildTraceV3 => "BuildTraceV3",
        }
    }
}

/// One row: an output that a derivation was found to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The table.
    pub table: TraceTable,
    /// What stands for the derivation: `sha256:<hex>`, or its base name.
    pub key: String,
    /// The output's name.
    pub output: String,
    /// The base name of the output's path.
    pub path: String,
}

/// The valid outputs that a Nix which reads `table` finds for the valid
/// derivations: pairs of derivation and output. Derivations are read in
/// `store`, the store directory's files; without it none can be.
pub(crate) fn outputs(
    catalog: &Catalog,
    table: TraceTable,
    store: Option<&Directory>,
    warnings: &mut Warnings,
) -> Vec<(PathId, PathId)> {
    for unknown in &catalog.unknown_traces {
        let message = "a table of a form that is not known: \
                       outputs of content-addressed derivations may be missing";
        warnings.push(WarningKind::UnknownSchema, unknown.as_bytes(), message);
    }
    let mut found: HashMap<(&str, &str), PathId> = HashMap::new();
    let mut others = false;
    for trace in &catalog.traces {
        if trace.table != table {
            others = true;
        } else if let Some(path) = catalog.find(&trace.path) {
            // In an overlay store the upper row comes first, and counts.
            found.entry((&trace.key, &trace.output)).or_insert(path);
        }
    }
    if found.is_empty() {
        if others {
            let message = "the outputs of content-addressed derivations are in a table that \
                           this version of Nix does not read: name the one that is used with \
                           --nix-version";
            warnings.push(WarningKind::Uncertain, table.name(), message);
        }
        return Vec::new();
    }
    let drvs = catalog.ids().filter(|&id| catalog.base_name(id).ends_with(".drv"));
    let mut pairs = Vec::new();
    match table {
        TraceTable::BuildTraceV3 => {
            let ids: HashMap<&str, PathId> = drvs.map(|id| (catalog.base_name(id), id)).collect();
            let of = |(&(key, _), &path): (&(&str, &str), &PathId)| Some((*ids.get(key)?, path));
            pairs.extend(found.iter().filter_map(of));
        }
        TraceTable::Realisations => {
            let prefix = format!("{}/", catalog.store_dir());
            let read = |path: &[u8]| {
                let base = std::str::from_utf8(path).ok()?.strip_prefix(&*prefix)?;
                catalog.find(base)?;
                derivation::text_of(store?, base).ok()?
            };
            let mut hashes = derivation::Modulo::new(&read);
            for drv in drvs {
                let path = catalog.path(drv);
                let Some(outputs) = hashes.of_outputs(path.as_bytes()) else {
                    let message = "it, or a derivation that it needs, cannot be read: \
                                   its outputs are not known";
                    warnings.push(WarningKind::Uncertain, path.as_bytes(), message);
                    continue;
                };
                for (output, hash) in outputs {
                    let key = format!("sha256:{hash}");
                    if let Some(&path) = found.get(&(&*key, &*output)) {
                        pairs.push((drv, path));
                    }
                }
            }
        }
    }
    pairs.arrange();
    pairs
}
