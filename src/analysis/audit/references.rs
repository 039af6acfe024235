//! References that contents hold, against those that the database declares.

use super::{Finding, FindingKind, Gathered, Subject};
use crate::catalog::{PathId, derivation};
use crate::disk::{DiskError, HashParts, ScanOptions, find_references};
use crate::fs::StoreFiles;

pub(super) fn check(subject: &Subject<'_>, files: &StoreFiles) -> Result<Gathered, DiskError> {
    let mut gathered = Gathered::default();
    if !subject.options.wants_any(&[FindingKind::UndeclaredReference, FindingKind::UnusedReference])
    {
        return Ok(gathered);
    }
    let catalog = subject.catalog;
    let names: Vec<&str> = subject.ids.iter().map(|&id| catalog.base_name(id)).collect();
    // All valid paths may be named. Those that share a hash part count as one.
    let parts = HashParts::new(catalog.base_names().map(|name| &name[..32]));
    let options = ScanOptions { threads: subject.options.threads, ..ScanOptions::default() };
    let found = find_references(files, &names, &parts, &options, subject.progress)?;
    gathered.checked.bytes_searched = found.bytes;
    let hash_part = |id: PathId| catalog.store_path(id).hash_part();
    for (index, &id) in subject.ids.iter().enumerate() {
        let declared: Vec<PathId> = catalog.references_of(id).collect();
        let find = |name: &str| catalog.find(name);
        let base_name = catalog.base_name(id);
        let inputs = derivation::inputs_of(files.directory(), catalog.store_dir(), base_name, find);
        let held = inputs
            .unwrap_or_else(|| found.references[index].iter().copied().map(PathId::new).collect());
        for &to in &held {
            if !declared.iter().any(|&d| hash_part(d) == hash_part(to)) {
                let finding = Finding::new(
                    FindingKind::UndeclaredReference,
                    catalog.path(id),
                    "",
                    catalog.path(to),
                );
                gathered.findings.push(finding);
            }
        }
        // What could not be read whole may hold the others.
        if found.nar_sizes[index].is_none() {
            continue;
        }
        gathered.checked.references += 1;
        for &to in &declared {
            if !held.iter().any(|&h| hash_part(h) == hash_part(to)) {
                let finding = Finding::new(
                    FindingKind::UnusedReference,
                    catalog.path(id),
                    catalog.path(to),
                    "",
                );
                gathered.findings.push(finding);
            }
        }
    }
    // Missing paths and unsupported files are findings already.
    let (_, rest) =
        found.warnings.split(|kind| kind == crate::warning::WarningKind::UnsupportedFile);
    gathered.warnings.extend(rest);
    Ok(gathered)
}
