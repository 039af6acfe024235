//! What the disk says of the store, and censuses with it.

use super::Subject;
use crate::analysis::page::Contents;
use crate::catalog::Catalog;
use crate::census::{self, Census, Examine, WholeCensus};
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::with_progress;
use crate::cli::request::Request;
use crate::cli::since::{self, Since};
use crate::cli::{hints, snapshot};
use crate::disk::{DiskError, DiskScan, KindScan, LargestFiles, Progress, ScanOptions, WholeScan};
use crate::fs::StoreFiles;

impl Subject {
    /// The files of the store.
    pub(in crate::cli) fn files(&self) -> Result<&StoreFiles, Failure> {
        self.need_files()?;
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let store_dir = self.location.inside(&self.location.real_store_dir);
        let opened = StoreFiles::open(self.tree(), &store_dir).map_err(|source| {
            let error = DiskError::store_directory(&self.location.real_store_dir, source);
            Failure::because(&error).hint(hints::of_disk(&error))
        })?;
        Ok(self.files.get_or_init(|| opened))
    }

    /// A census, with progress shown; with the disk if `disk` and the user say so.
    pub(in crate::cli) fn census(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
        disk: bool,
    ) -> Result<Census, Failure> {
        let scan = if disk { self.scan(request, &catalog, examine)? } else { None };
        Census::new(catalog, examine, scan).map_err(|e| Failure::because(&e))
    }

    /// Warns if it is not known what a collection frees. Of an overlay store Nix itself deletes
    /// what the store beneath has not, which is known by name.
    pub(in crate::cli) fn warn_where_going_is_unknown(&self, census: &mut Census) {
        if self.lower_store().is_none() {
            census.warn_where_going_is_unknown();
        }
    }

    /// A census with the disk if the user says so, and with extents by inode: for questions
    /// about less than a path.
    pub(in crate::cli) fn census_by_inode(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<Census, Failure> {
        let scan = self.scan_with(request, &catalog, examine, true)?;
        Census::new(catalog, examine, scan).map_err(|e| Failure::because(&e))
    }

    /// What the disk says of the paths to examine, if the user wants that.
    pub(in crate::cli) fn scan(
        &self,
        request: &Request,
        catalog: &Catalog,
        examine: &Examine,
    ) -> Result<Option<DiskScan>, Failure> {
        self.scan_with(request, catalog, examine, false)
    }

    fn scan_with(
        &self,
        request: &Request,
        catalog: &Catalog,
        examine: &Examine,
        inode_extents: bool,
    ) -> Result<Option<DiskScan>, Failure> {
        if !self.walks_disk() {
            return Ok(None);
        }
        if let Some(kept) = &self.kept {
            return kept.disk(self.extents());
        }
        if let Some(since) = &self.since {
            if since.is_to_be_updated() {
                return Ok(Some(self.whole_scan(request, catalog)?.scan));
            }
            if let Some(scan) = since.unchanged_scan(self.files()?)? {
                return Ok(Some(scan));
            }
            if let Some(earlier) = since.earlier(false)? {
                let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
                    let options = ScanOptions { inode_extents, ..*options };
                    earlier.scan(files, catalog, &options, progress)
                };
                return self.scanned(request, scan).map(Some);
            }
        }
        let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
            let options = ScanOptions { inode_extents, ..*options };
            census::scan(files, catalog, examine, &options, progress)
        };
        self.scanned(request, scan).map(Some)
    }

    /// A census with the disk and its extents by inode, and what of each path is of which
    /// kind; for what does not work without the disk.
    pub(in crate::cli) fn census_with_kinds(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<(Census, KindScan), Failure> {
        self.kinds_and(request, catalog, examine, true)
    }

    /// The same for what asks nothing of extents.
    pub(in crate::cli) fn census_with_kinds_alone(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<(Census, KindScan), Failure> {
        self.kinds_and(request, catalog, examine, false)
    }

    fn kinds_and(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
        inode_extents: bool,
    ) -> Result<(Census, KindScan), Failure> {
        let whole = match &self.kept {
            Some(kept) => Some(kept.disk_and_kinds(self.extents())?),
            None => self.kinds_since(request, &catalog, inode_extents)?,
        };
        let (scan, kinds) = match whole {
            Some((mut scan, mut kinds)) => {
                kinds.warn_in(&mut scan);
                let ids = examine.ids(&catalog).filter(|ids| ids.len() < catalog.len());
                if let Some(ids) = ids {
                    let places: Vec<u32> = ids.iter().map(|id| id.node()).collect();
                    kinds = kinds.restrict(&scan, &places);
                }
                (scan, kinds)
            }
            None => self.scanned(request, |files, options, progress| {
                let options = ScanOptions { inode_extents, ..*options };
                census::scan_kinds(files, &catalog, examine, &options, progress)
            })?,
        };
        let census = Census::new(catalog, examine, Some(scan)).map_err(|e| Failure::because(&e))?;
        Ok((census, kinds))
    }

    /// What the disk says of the whole store, and of which kind it is, where something of
    /// it is taken over.
    fn kinds_since(
        &self,
        request: &Request,
        catalog: &Catalog,
        inode_extents: bool,
    ) -> Result<Option<(DiskScan, KindScan)>, Failure> {
        let Some(since) = &self.since else { return Ok(None) };
        if since.is_to_be_updated() {
            let whole = self.whole_scan(request, catalog)?;
            return Ok(Some((whole.scan, whole.kinds)));
        }
        if let Some(unchanged) = since.unchanged_kinds(self.files()?)? {
            return Ok(Some(unchanged));
        }
        let Some(earlier) = since.earlier(true)? else { return Ok(None) };
        let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
            let options = ScanOptions { inode_extents, ..*options };
            earlier.scan_kinds(files, catalog, &options, progress)
        };
        self.scanned(request, scan).map(Some)
    }

    /// All that a snapshot of the whole store has of the disk. That of `--update` is
    /// written, if it is not yet.
    pub(in crate::cli) fn whole_scan(
        &self,
        request: &Request,
        catalog: &Catalog,
    ) -> Result<WholeScan, Failure> {
        let earlier = self.since.as_ref().map(|since| since.earlier(true)).transpose()?.flatten();
        let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
            // Extents by kind are made of them.
            let options = ScanOptions { inode_extents: true, ..*options };
            since::scan_whole(earlier.as_ref(), files, catalog, &options, progress)
        };
        let whole = self.scanned(request, scan)?;
        if let Some(since) = self.since.as_ref().filter(|since| since.is_to_be_updated()) {
            snapshot::update(request, self, since, catalog, &whole)?;
        }
        Ok(whole)
    }

    /// Writes the snapshot of `--update` where the answer needed nothing of the disk, and
    /// says what could not be read for it.
    pub(in crate::cli) fn update_if_not_done(&self, request: &Request) -> Result<Exit, Failure> {
        if !self.since.as_ref().is_some_and(Since::is_to_be_updated) {
            return Ok(Exit::Done);
        }
        let catalog = self.catalog(request)?;
        Ok(request.end(&self.whole_scan(request, &catalog)?.scan.warnings))
    }

    /// A census with the disk, and what is found in its files; a snapshot keeps kinds
    /// alone.
    pub(in crate::cli) fn census_with_contents(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<(Census, Contents), Failure> {
        if self.kept.is_some() {
            let (census, kinds) = self.census_with_kinds(request, catalog, examine)?;
            return Ok((census, Contents { kinds, largest: LargestFiles::default() }));
        }
        let (scan, kinds, largest) = self.scanned(request, |files, options, progress| {
            census::scan_contents(files, &catalog, examine, options, progress)
        })?;
        let census = Census::new(catalog, examine, Some(scan)).map_err(|e| Failure::because(&e))?;
        Ok((census, Contents { kinds, largest }))
    }

    /// What a scan of the store's files finds, with progress shown.
    pub(in crate::cli) fn scanned<T: Send>(
        &self,
        request: &Request,
        scan: impl FnOnce(&StoreFiles, &ScanOptions, &Progress) -> Result<T, DiskError> + Send,
    ) -> Result<T, Failure> {
        let files = self.files()?;
        let options = ScanOptions {
            threads: self.threads(),
            // What is wrong with the settings is reported where they decide more.
            use_case_hack: self.settings().use_case_hack,
            extents: self.extents(),
            ..ScanOptions::default()
        };
        with_progress(request.shows_progress(), |progress| scan(files, &options, progress))
            .map_err(|e| Failure::because(&e).hint(hints::of_disk(&e)))
    }
}

/// A census that was taken of all paths.
pub(in crate::cli) fn whole(census: &Census) -> WholeCensus<'_> {
    census.whole().expect("all paths are examined")
}
