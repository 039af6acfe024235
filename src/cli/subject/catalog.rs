//! The catalog of the store, and its database.

use super::Subject;
use crate::catalog::{self, Catalog, CatalogError, DatabaseFile, Source};
use crate::cli::args::StoreArgs;
use crate::cli::exit::Failure;
use crate::cli::progress::with_progress;
use crate::cli::request::Request;
use crate::cli::{hints, input};
use crate::disk::{FileStamp, ScanOptions};
use crate::fs::{self, Tree};
use crate::store::StoreLocation;
use std::path::{Path, PathBuf};

impl Subject {
    /// The catalog of the store.
    pub(in crate::cli) fn catalog(&self, request: &Request) -> Result<Catalog, Failure> {
        if let Some(kept) = &self.kept {
            return kept.catalog();
        }
        if let Some(since) = &self.since
            && let Some(catalog) = since.unchanged_catalog()?
        {
            return Ok(catalog);
        }
        *self.database.borrow_mut() = self.database_stamps();
        let mut catalog = self.load(request, &self.location, &self.source)?;
        if let Some(lower) = &self.lower {
            let below = self.load(request, lower, &Source::find(lower))?;
            catalog = catalog::load_over(&catalog, &below).map_err(|e| catalog_failure(&e))?;
        }
        Ok(catalog)
    }

    /// How the files of the database are, if the catalog is of one alone.
    pub(super) fn database_stamps(&self) -> Option<Vec<Option<FileStamp>>> {
        if self.source != Source::Database || self.lower.is_some() {
            return None;
        }
        DatabaseFile::of(&self.location).ok()?.stamps()
    }

    /// The same before the catalog was read.
    pub(in crate::cli) fn database_stamps_then(&self) -> Option<Vec<Option<FileStamp>>> {
        self.database.borrow().clone()
    }

    /// The store's database file.
    pub(in crate::cli) fn database(&self) -> Result<DatabaseFile, Failure> {
        self.need_files()?;
        DatabaseFile::of(&self.location).map_err(|e| catalog_failure(&e.into()))
    }

    fn load(
        &self,
        request: &Request,
        location: &StoreLocation,
        source: &Source,
    ) -> Result<Catalog, Failure> {
        let scans = *source == Source::Scan;
        let options = ScanOptions {
            threads: self.threads(),
            use_case_hack: scans && self.settings().use_case_hack,
            ..ScanOptions::default()
        };
        let show = request.shows_progress() && scans;
        with_progress(show, |progress| source.load(location, &options, progress))
            .map(|loaded| loaded.catalog)
            .map_err(|e| catalog_failure(&e))
    }

    /// The store directory of the store beneath, if there is one.
    pub(in crate::cli) fn lower_store(&self) -> Option<&Path> {
        if let Some(kept) = self.kept_surroundings() {
            return kept.lower_store.as_deref();
        }
        self.lower.as_ref().map(|lower| &*lower.real_store_dir)
    }
}

/// The store beneath another: its own root, the same names.
pub(super) fn lower_location(root: &Path, upper: &StoreLocation) -> Result<StoreLocation, Failure> {
    let failed = |e| Failure::usage(format!("cannot open --lower {}", root.display())).cause(e);
    let tree = std::fs::canonicalize(root).and_then(|root| Tree::live(&root)).map_err(failed)?;
    fs::locate(&tree, &upper.store_dir, &upper.state_dir).map_err(|e| Failure::because(&e))
}

fn catalog_failure(e: &CatalogError) -> Failure {
    Failure::because(e).maybe_hint(hints::of_catalog(e))
}

/// The source that the arguments name, else the one that is there.
pub(super) fn choose_source(
    args: &StoreArgs,
    location: &StoreLocation,
    current: &Path,
) -> Result<Source, Failure> {
    let input = |flag: &str, file: &PathBuf| -> Result<PathBuf, Failure> {
        if input::is_standard_input(file) {
            input::take(flag)?;
            return Ok(file.clone());
        }
        Ok(current.join(file))
    };
    Ok(match (&args.registration, &args.path_info) {
        (Some(file), _) => Source::Registration(input("--registration", file)?),
        (_, Some(file)) => Source::PathInfo(input("--path-info", file)?),
        _ if args.scan => Source::Scan,
        _ => Source::find(location),
    })
}
