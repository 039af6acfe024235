//! A catalog of nothing but the disk: every store path found is taken as
//! valid, and its references are searched for in its contents.
//!
//! What no disk can show is unknown: the deriver, the signatures, the time of
//! registration, and the hash that the NAR should have.

use super::{Builder, Catalog, Record, TooLarge, derivation};
use crate::disk::{DiskError, HashParts, Progress, ScanOptions, Walker, find_references};
use crate::fs::StoreFiles;
use crate::store::{StoreLocation, StorePath};
use crate::warning::WarningKind;

/// Why a store cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The store directory cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// More than 32 bits can count.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Reads the catalog of a store from its store directory.
///
/// # Errors
/// See [`ScanError`]. Files that cannot be read are warnings in the catalog.
pub(crate) fn scan(
    location: &StoreLocation,
    files: &StoreFiles,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<Catalog, ScanError> {
    let walker = Walker::new(files, Some(1))?;
    let mut names: Vec<String> = (walker.list()?.into_iter())
        .filter_map(|listed| Some(StorePath::parse(&listed.name).ok()?.base_name().to_owned()))
        // Nix's own leftovers look like store paths but for these endings.
        .filter(|name| ![".lock", ".chroot", ".check", ".tmp"].iter().any(|e| name.ends_with(e)))
        .collect();
    names.sort_unstable();
    let parts = HashParts::new(names.iter().map(|name| &name[..32]));
    let found = find_references(files, &names, &parts, options, progress)?;
    let mut builder = Builder::new(&location.store_dir);
    builder.warnings().extend(found.warnings);
    let store_dir = files.path().as_os_str().as_encoded_bytes();
    let message = "all paths found are taken as valid; derivers, hashes and times are not known";
    builder.warnings().push(WarningKind::Note, store_dir, message);
    for column in ["hash", "registrationTime", "deriver", "ultimate", "sigs", "ca"] {
        builder.set_missing_column(column);
    }
    let mut numbers = Vec::with_capacity(names.len());
    for (name, &nar_size) in names.iter().zip(&found.nar_sizes) {
        let path = location.path_of(name).into_bytes();
        numbers.push(builder.add(&Record { path: &path, nar_size, ..Record::default() })?);
    }
    for (at, from) in numbers.iter().enumerate() {
        let find = |name: &str| {
            let at = names.binary_search_by(|other| other.as_str().cmp(name)).ok()?;
            u32::try_from(at).ok()
        };
        let inputs =
            derivation::inputs_of(files.directory(), &location.store_dir, &names[at], find);
        for &to in inputs.as_ref().unwrap_or(&found.references[at]) {
            if let (Some(from), Some(to)) = (*from, numbers[to as usize]) {
                builder.add_reference(from, to);
            }
        }
    }
    Ok(builder.finish()?)
}
