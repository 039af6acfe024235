//! `--since FILE`: a census for the price of what changed since a snapshot.

use super::exit::Failure;
use super::input;
use super::kept::{Opened, failed, open};
use super::request::Request;
use crate::catalog::Catalog;
use crate::census::Examine;
use crate::disk::{self, Before, DiskError, DiskScan, KindScan, PathStamps, Progress, WholeScan};
use crate::disk::{ExtentsOption, FileStamp, Physical, ScanOptions, StoreStamp};
use crate::fs::{Moment, StoreFiles};
use crate::snapshot::{SnapshotError, SnapshotFile, StoreThen};
use crate::store::StoreLocation;
use crate::warning::Warnings;
use std::cell::Cell;
use std::path::Path;

/// A snapshot of the store, of which is taken over what has not changed.
pub(super) struct Since {
    opened: Opened,
    /// How the store was; `None` if nothing can be taken over.
    then: Option<StoreThen>,
    /// What is taken beneath blocks, and what is to be said of that, if the store directory,
    /// `.links` and the database are as they were, so that all is taken over.
    unchanged: Option<(Physical, Warnings)>,
    /// Whether the file is to be written anew, and is not yet.
    update: Cell<bool>,
    /// The host that it is of, if it says so.
    pub(super) host: Option<String>,
}

/// A store as it is now.
pub(super) struct StoreNow<'a> {
    pub(super) location: &'a StoreLocation,
    pub(super) files: &'a StoreFiles,
    pub(super) use_case_hack: bool,
    pub(super) extents: ExtentsOption,
    /// How the files of its database are; `None` if the catalog is not of one alone.
    pub(super) database: Option<Vec<Option<FileStamp>>>,
}

impl Since {
    /// Reads the snapshot in `file`; finds out what of it can be taken over.
    pub(super) fn open(
        request: &Request,
        file: &Path,
        update: bool,
        now: &StoreNow<'_>,
    ) -> Result<Self, Failure> {
        if update && input::is_standard_input(file) {
            let message = "--update has no file to write: --since reads standard input";
            return Err(
                Failure::usage(message).hint("name the file, or write a new one with `snapshot`")
            );
        }
        let read = open(request, file, "--since")?;
        let mut earlier = read.snapshot(true).map_err(|e| failed(file, &e))?;
        let lack = match (&earlier.examine, &earlier.disk) {
            (Examine::All, Some(_)) => None,
            (Examine::All, None) => Some(("was taken with --no-disk", "without --no-disk")),
            _ => Some(("holds only a closure", "without targets")),
        };
        if let Some((lack, how)) = lack {
            let message =
                format!("--since takes over a whole store, and {} {lack}", file.display());
            return Err(Failure::usage(message).hint(format!("take the snapshot {how}")));
        }
        let comparable = comparable(&read, &earlier.program, &earlier.location, now);
        let then = match comparable.map_err(|e| failed(file, &e))? {
            Ok(then) => Some(then),
            Err(why) => {
                let name = file.display();
                request.note(format_args!("{name}: {why}; nothing is taken over from it"));
                None
            }
        };
        let warned = earlier.disk.as_ref().is_none_or(|scan| scan.warnings.total() > 0);
        let same = |then: &StoreThen| {
            then.store.is_same(now.files)
                && then.database.is_some()
                && then.database == now.database
                && are_settled(then)
        };
        let unchanged = !update
            && !warned
            && earlier.location == *now.location
            && then.as_ref().is_some_and(same);
        let beneath = || {
            let mut warnings = Warnings::new();
            let physical = disk::physical_without_files(now.files, now.extents, &mut warnings)?;
            Some((physical, warnings))
        };
        Ok(Self {
            opened: Opened::new(file, read, &mut earlier),
            then,
            unchanged: unchanged.then(beneath).flatten(),
            update: Cell::new(update),
            host: earlier.host,
        })
    }

    /// The catalog, if nothing changed.
    pub(super) fn unchanged_catalog(&self) -> Result<Option<Catalog>, Failure> {
        self.unchanged.is_some().then(|| self.opened.catalog()).transpose()
    }

    /// What the disk says, if nothing changed.
    pub(super) fn unchanged_scan(&self, files: &StoreFiles) -> Result<Option<DiskScan>, Failure> {
        let Some((physical, warnings)) = self.unchanged.clone() else { return Ok(None) };
        let capacity = files.directory().capacity().ok();
        Ok(Some(DiskScan { capacity, physical, warnings, ..self.scan()? }))
    }

    /// The same, and what of each path is of which kind.
    pub(super) fn unchanged_kinds(
        &self,
        files: &StoreFiles,
    ) -> Result<Option<(DiskScan, KindScan)>, Failure> {
        let Some(scan) = self.unchanged_scan(files)? else { return Ok(None) };
        let kinds = self.kinds(&scan)?;
        // What was not known then may be now.
        Ok((kinds.warnings.total() == 0).then_some((scan, kinds)))
    }

    fn scan(&self) -> Result<DiskScan, Failure> {
        let scan = self.opened.disk()?;
        scan.ok_or_else(|| self.opened.failed(&SnapshotError::NotASnapshot))
    }

    fn kinds(&self, scan: &DiskScan) -> Result<KindScan, Failure> {
        let damaged = || SnapshotError::Damaged("it does not say of which kind files are".into());
        let kinds = self.opened.file.kinds(scan).and_then(|kinds| kinds.ok_or_else(damaged));
        kinds.map_err(|e| self.opened.failed(&e))
    }

    /// What can be taken over in a walk; `None` if nothing can.
    pub(super) fn earlier(&self, kinds: bool) -> Result<Option<Earlier>, Failure> {
        let Some(then) = &self.then else { return Ok(None) };
        let names = self.opened.catalog()?;
        let scan = self.scan()?;
        let kinds = if kinds { Some(self.kinds(&scan)?) } else { None };
        let paths = self.opened.file.path_stamps(&scan).map_err(|e| self.opened.failed(&e))?;
        Ok(Some(Earlier { names, scan, kinds, store: then.store.clone(), paths }))
    }

    /// Whether the file is still to be written anew.
    pub(super) fn is_to_be_updated(&self) -> bool {
        self.update.get()
    }

    /// The file that is to be written anew; only once.
    pub(super) fn file_to_update(&self) -> &Path {
        self.update.set(false);
        &self.opened.name
    }
}

/// Whether what changed since in the files of a database would have another stamp.
fn are_settled(then: &StoreThen) -> bool {
    let mut stamps = then.database.iter().flatten().flatten();
    stamps.all(|file| file.stamp.is_settled(&then.store.moment))
}

/// How the store was, or why nothing of it can be taken over.
fn comparable(
    file: &SnapshotFile,
    program: &str,
    location: &StoreLocation,
    now: &StoreNow<'_>,
) -> Result<Result<StoreThen, String>, SnapshotError> {
    if program != env!("CARGO_PKG_VERSION") {
        return Ok(Err(format!("version {program} of nix-census took it")));
    }
    if location.store_dir != now.location.store_dir {
        return Ok(Err(format!("it is of the store {}", location.store_dir)));
    }
    let Some(then) = file.store_then()? else {
        return Ok(Err("it was taken where inode numbers cannot be relied on".to_owned()));
    };
    let compared = then.store.compare(now.files, &Moment::now(), now.use_case_hack);
    Ok(compared.map(|()| then).map_err(|why| why.to_string()))
}

/// What an earlier scan found.
pub(super) struct Earlier {
    names: Catalog,
    scan: DiskScan,
    kinds: Option<KindScan>,
    store: StoreStamp,
    paths: PathStamps,
}

impl Earlier {
    fn before<'a>(&'a self, names: &'a [&'a str]) -> Before<'a> {
        Before { scan: &self.scan, names, store: &self.store, paths: &self.paths }
    }

    /// What the disk says of all paths of a catalog.
    pub(super) fn scan(
        &self,
        files: &StoreFiles,
        catalog: &Catalog,
        options: &ScanOptions,
        progress: &Progress,
    ) -> Result<DiskScan, DiskError> {
        let then: Vec<&str> = self.names.base_names().collect();
        let names: Vec<&str> = catalog.base_names().collect();
        disk::scan_since(files, &names, options, progress, self.before(&then))
    }

    /// The same, and what of each path is of which kind; apart, what kept kinds from being
    /// known.
    pub(super) fn scan_kinds(
        &self,
        files: &StoreFiles,
        catalog: &Catalog,
        options: &ScanOptions,
        progress: &Progress,
    ) -> Result<(DiskScan, KindScan), DiskError> {
        let then: Vec<&str> = self.names.base_names().collect();
        let names: Vec<&str> = catalog.base_names().collect();
        let none = KindScan::default();
        let before = (self.before(&then), self.kinds.as_ref().unwrap_or(&none));
        disk::scan_kinds_since(files, &names, options, progress, before)
    }
}

/// All that a snapshot of the whole store has of the disk.
pub(super) fn scan_whole(
    earlier: Option<&Earlier>,
    files: &StoreFiles,
    catalog: &Catalog,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<WholeScan, DiskError> {
    let then: Vec<&str> = earlier.iter().flat_map(|earlier| earlier.names.base_names()).collect();
    let names: Vec<&str> = catalog.base_names().collect();
    let options = ScanOptions { whole: true, ..*options };
    let before = earlier.and_then(|e| Some((e.before(&then), e.kinds.as_ref()?)));
    disk::scan_whole(files, &names, &options, progress, before)
}
