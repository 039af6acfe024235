//! Catalog and disk joined: the census.
//!
//! A census examines all valid paths, or some of them. What it examines is
//! numbered from 0 by name; such a number is called an *index* here, and a
//! catalog's number an *id*. In a census of all paths they are the same.

mod freeable;
mod patterns;
mod shared;
mod targets;

pub use freeable::Freeable;
pub(crate) use patterns::{filter_names, match_pattern, parse_glob};
pub use shared::{SharedInodes, Union};
pub(crate) use targets::{HASH_PREFIX, is_pattern};
pub use targets::{NameContext, Named, NamedBy, TargetError, resolve_target};

use crate::catalog::{Catalog, PathId};
use crate::disk::{
    self, DiskError, DiskScan, ExtentSizes, Inode, KindScan, LargestFiles, Observed, Observer,
    Physical, Progress, ScanOptions, Usage,
};
use crate::fs::{SizeIs, StoreFiles};
use crate::graph::{Cuts, Node, NodeSet, Rows, node_number, reachable};
use crate::warning::{WarningKind, Warnings};
use std::ops::Deref;
use std::sync::OnceLock;

node_number! {
    /// The number of a path among those that a [`Census`] examines.
    pub struct PathIndex
}

/// Which paths a census examines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Examine {
    /// All valid paths, and what else lies in the store directory.
    All,
    /// These paths and all they reference.
    Closure(Vec<PathId>),
    /// These paths alone.
    Only(Vec<PathId>),
}

impl Examine {
    /// The ids examined, ascending; `None` for all.
    pub fn ids(&self, catalog: &Catalog) -> Option<Vec<PathId>> {
        match self {
            Self::All => None,
            Self::Closure(targets) => Some(catalog.closure_of(targets.iter().copied())),
            Self::Only(targets) => Some(sorted(targets)),
        }
    }

    /// The ids asked for, ascending; none for all.
    fn targets(&self) -> Vec<PathId> {
        match self {
            Self::All => Vec::new(),
            Self::Closure(targets) | Self::Only(targets) => sorted(targets),
        }
    }
}

fn sorted(ids: &[PathId]) -> Vec<PathId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A scan of the disk that is not of the paths to examine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scan is of {scanned} paths, {examined} are to be examined")]
pub struct OtherScan {
    /// How many paths the scan is of.
    pub scanned: usize,
    /// How many paths are to be examined.
    pub examined: usize,
}

/// Scans the disk for a census: walks the paths to examine, or the whole store.
///
/// # Errors
/// If the store directory cannot be read at all. What cannot be read below it
/// becomes a warning of the scan.
pub fn scan(
    files: &StoreFiles,
    catalog: &Catalog,
    examine: &Examine,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<DiskScan, DiskError> {
    let (names, options) = scanned(catalog, examine, options);
    disk::scan(files, &names, &options, progress)
}

/// The same, and in the same walk what of each path is of which kind.
///
/// # Errors
/// As [`scan`].
pub fn scan_kinds(
    files: &StoreFiles,
    catalog: &Catalog,
    examine: &Examine,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<(DiskScan, KindScan), DiskError> {
    let (names, options) = scanned(catalog, examine, options);
    disk::scan_kinds(files, &names, &options, progress)
}

/// The same; what kept kinds from being known is among the warnings of the kinds.
///
/// # Errors
/// As [`scan`].
pub(crate) fn scan_kinds_apart(
    files: &StoreFiles,
    catalog: &Catalog,
    examine: &Examine,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<(DiskScan, KindScan), DiskError> {
    let (names, options) = scanned(catalog, examine, options);
    disk::scan_kinds_apart(files, &names, &options, progress)
}

/// The same, and the largest files of each path.
///
/// # Errors
/// As [`scan`].
pub(crate) fn scan_contents(
    files: &StoreFiles,
    catalog: &Catalog,
    examine: &Examine,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<(DiskScan, KindScan, LargestFiles), DiskError> {
    let (names, options) = scanned(catalog, examine, options);
    disk::scan_contents(files, &names, &options, progress)
}

/// The same, and in the same walk what an observer gathers.
///
/// # Errors
/// As [`scan`].
pub(crate) fn scan_observed<O: Observer>(
    files: &StoreFiles,
    catalog: &Catalog,
    examine: &Examine,
    options: &ScanOptions,
    progress: &Progress,
    observer: &O,
) -> Result<(DiskScan, Observed<O::State>), DiskError> {
    let (names, options) = scanned(catalog, examine, options);
    disk::scan_observed(files, &names, &options, progress, observer)
}

/// The base names of the paths to examine, and how to scan them.
fn scanned<'c>(
    catalog: &'c Catalog,
    examine: &Examine,
    options: &ScanOptions,
) -> (Vec<&'c str>, ScanOptions) {
    let examined = examine.ids(catalog);
    let names = match &examined {
        None => catalog.base_names().collect(),
        Some(ids) => ids.iter().map(|&id| catalog.base_name(id)).collect(),
    };
    (names, ScanOptions { whole: examined.is_none(), ..*options })
}

/// A store's database and its disk, joined.
#[derive(Debug)]
pub struct Census {
    /// What the database says.
    pub catalog: Catalog,
    /// The ids of the targets, ascending; empty if all paths are examined.
    pub targets: Vec<PathId>,
    /// What the disk says, by index; `None` if it was not asked.
    pub disk: Option<DiskScan>,
    /// What was left out, and why.
    pub warnings: Warnings,
    /// The ids examined, ascending; `None` for all.
    examined: Option<Vec<PathId>>,
    /// References among the examined paths, by index; `None` for all.
    references: Option<Rows>,
    /// Whether all examined paths have a known NAR size.
    sizes_known: bool,
    /// Whether an examined path refers to one that the source does not list.
    unlisted: bool,
    shared: OnceLock<SharedInodes>,
}

impl Census {
    /// Joins a catalog and what a scan of the disk found, if there was one: of
    /// the paths to examine, or of the whole store, which is then narrowed to them.
    ///
    /// # Errors
    /// If the scan is of other paths.
    pub fn new(
        mut catalog: Catalog,
        examine: &Examine,
        disk: Option<DiskScan>,
    ) -> Result<Self, OtherScan> {
        let mut warnings = std::mem::take(&mut catalog.warnings);
        let targets = examine.targets();
        let examined = examine.ids(&catalog);
        let references = examined.as_ref().map(|ids| restrict(catalog.references(), ids));
        let mut disk = match (disk, &examined) {
            (Some(scan), Some(ids))
                if scan.usages.len() == catalog.len() && ids.len() < catalog.len() =>
            {
                Some(narrow(&scan, &catalog, ids))
            }
            (scan, _) => scan,
        };
        if let Some(scan) = &mut disk {
            let examined = examined.as_ref().map_or(catalog.len(), Vec::len);
            if scan.usages.len() != examined {
                return Err(OtherScan { scanned: scan.usages.len(), examined });
            }
            warnings.extend(std::mem::take(&mut scan.warnings));
            if !scan.sums_fit() {
                let message =
                    "sizes of its files sum to 2^64 bytes or more: such sums are not known";
                warnings.push(WarningKind::Uncertain, catalog.store_dir(), message);
            }
        }
        let is_examined = |id: PathId| match &examined {
            None => true,
            Some(ids) => ids.binary_search(&id).is_ok(),
        };
        let unlisted = catalog.with_unlisted_references().any(is_examined);
        // Paths examined alone are not a closure anyway.
        if unlisted && !matches!(examine, Examine::Only(_)) {
            catalog.warn_of_unlisted(is_examined, &mut warnings);
        }
        let sizes_known = match &examined {
            None => catalog.ids().all(|id| catalog.nar_size(id).is_some()),
            Some(ids) => ids.iter().all(|&id| catalog.nar_size(id).is_some()),
        };
        let mut census = Self {
            catalog,
            targets,
            disk,
            warnings,
            examined,
            references,
            sizes_known,
            unlisted,
            shared: OnceLock::new(),
        };
        census.compare_nar_sizes();
        Ok(census)
    }

    /// Warns of each path whose NAR size in the database is not the disk's.
    fn compare_nar_sizes(&mut self) {
        let Some(disk) = &self.disk else { return };
        for index in self.indexes() {
            let id = self.id(index);
            let usage = &disk.usages[index.index()];
            // An incomplete walk of the path has been warned of already.
            if !usage.present || usage.unsupported > 0 || !usage.complete {
                continue;
            }
            if let Some(size) = self.catalog.nar_size(id)
                && size != usage.nar_size
            {
                let message =
                    format!("its NAR has {} bytes on disk, {size} in the database", usage.nar_size);
                self.warnings.push(WarningKind::NarSizeMismatch, self.catalog.path(id), message);
            }
        }
    }

    /// How many paths are examined.
    pub fn len(&self) -> usize {
        self.examined.as_ref().map_or(self.catalog.len(), Vec::len)
    }

    /// Whether no path is examined.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all valid paths are examined.
    pub fn is_whole(&self) -> bool {
        self.examined.is_none()
    }

    /// The same census as one of all valid paths, if it is one.
    pub fn whole(&self) -> Option<WholeCensus<'_>> {
        self.is_whole().then_some(WholeCensus(self))
    }

    /// Whether all that an examined path refers to is examined too.
    pub fn is_closed(&self) -> bool {
        self.references.as_ref().is_none_or(|rows| {
            let all = self.catalog.references();
            self.indexes().all(|i| rows.row(i.node()).len() == all.row(self.id(i).node()).len())
        })
    }

    /// The id of the path at `index`.
    #[inline]
    pub fn id(&self, index: PathIndex) -> PathId {
        match &self.examined {
            None => PathId::new(index.node()),
            Some(ids) => ids[index.index()],
        }
    }

    /// The index of a path, if it is examined.
    pub fn index_of(&self, id: PathId) -> Option<PathIndex> {
        let index = match &self.examined {
            None => (id.index() < self.catalog.len()).then(|| id.node()),
            Some(ids) => ids.binary_search(&id).ok().map(|i| i as u32),
        };
        index.map(PathIndex::new)
    }

    /// The indexes of all examined paths, ascending.
    pub fn indexes(&self) -> impl DoubleEndedIterator<Item = PathIndex> + Clone + use<> {
        (0..self.len() as u32).map(PathIndex::new)
    }

    /// The ids of all examined paths, ascending.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PathId> + Clone + '_ {
        self.indexes().map(|index| self.id(index))
    }

    /// The references among the examined paths as a graph, whose nodes are the
    /// indexes.
    pub fn references(&self) -> &Rows {
        self.references.as_ref().unwrap_or(self.catalog.references())
    }

    /// What the path at `index` takes on disk, if the disk was asked.
    pub fn usage(&self, index: PathIndex) -> Option<&Usage> {
        self.disk.as_ref().map(|d| &d.usages[index.index()])
    }

    /// Whether it is known what the files take beneath their blocks.
    pub fn knows_physical(&self) -> bool {
        self.disk.as_ref().is_some_and(DiskScan::knows_physical)
    }

    /// Whether that differs from their blocks: whether there are extents to tell of.
    pub fn has_extents(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.extents().is_some())
    }

    /// What physical sizes are; `None` if they are not known.
    pub fn physical_sizes_are(&self) -> Option<SizeIs> {
        self.disk.as_ref().and_then(DiskScan::sizes_are)
    }

    /// What they are of that which is freed; `None` if that is not known.
    pub fn freed_sizes_are(&self) -> Option<SizeIs> {
        self.disk.as_ref().and_then(DiskScan::freed_sizes_are)
    }

    /// Whether it was asked for what the files take beneath their blocks.
    pub(crate) fn asks_physical(&self) -> bool {
        self.disk.as_ref().is_some_and(DiskScan::asks_physical)
    }

    /// Why what the files take beneath their blocks is not known, where the disk was asked.
    pub(crate) fn physical_unknown(&self) -> Option<&str> {
        match &self.disk.as_ref()?.physical {
            Physical::Unknown(why) => Some(why),
            Physical::Blocks | Physical::Extents(_) => None,
        }
    }

    /// Whether files are in lower layers of an overlay, which stay when they are deleted.
    pub(crate) fn stays_in_layers(&self) -> bool {
        self.disk.as_ref().is_some_and(DiskScan::stays_in_layers)
    }

    /// The disk, if it was asked and it is known what goes from it, be it in blocks.
    pub(crate) fn disk_to_free(&self) -> Option<&DiskScan> {
        self.disk.as_ref().filter(|disk| disk.going_unknown().is_none())
    }

    /// Warns if it is not known what goes from the disk, not even in blocks.
    pub(crate) fn warn_where_going_is_unknown(&mut self) {
        let Some(why) = self.disk.as_ref().and_then(DiskScan::going_unknown) else { return };
        let message = format!(
            "what deleting frees is not known: what is in lower layers of the overlay stays, and \
             what that is cannot be found out: {why}"
        );
        self.warnings.push(WarningKind::Unchecked, self.catalog.store_dir(), message);
    }

    /// Why it is not known what of that is freed, if it is not.
    pub(crate) fn freed_unknown(&self) -> Option<&str> {
        let disk = self.disk.as_ref().filter(|disk| disk.freed_sizes_are().is_none())?;
        Some(match (&disk.physical, disk.going_unknown()) {
            (_, Some(why)) => why,
            (Physical::Unknown(why), None) => why,
            (Physical::Blocks, None) => "the overlay's upper layer is on another file system",
            (Physical::Extents(_), None) => "files were asked one by one",
        })
    }

    /// What the path at `index` takes in extents, if that is known.
    #[inline]
    pub fn extent_sizes(&self, index: PathIndex) -> Option<ExtentSizes> {
        self.disk.as_ref()?.extent_sizes(index.index())
    }

    /// What some paths take on disk, each inode and each extent once; its extents if
    /// they are known.
    pub(crate) fn physical_size(&self, union: Union) -> Option<u64> {
        self.knows_physical().then_some(union.extents.physical_size)
    }

    /// Whether every examined path has a known NAR size.
    pub(crate) fn sizes_known(&self) -> bool {
        self.sizes_known
    }

    /// Whether an examined path refers to one that the source does not list, so
    /// that what closures hold is not all known.
    pub(crate) fn has_unlisted_references(&self) -> bool {
        self.unlisted
    }

    /// Whether sums of NAR sizes over closures can be stated.
    pub(crate) fn nar_sums_known(&self) -> bool {
        self.sizes_known && !self.unlisted
    }

    /// The sum of the NAR sizes of paths, by index; `None` if one is unknown.
    pub fn sum_nar_sizes(&self, indexes: impl IntoIterator<Item = PathIndex>) -> Option<u64> {
        indexes.into_iter().map(|index| self.known_nar_size(index)).sum()
    }

    /// The NAR size of the path at `index` in bytes, if known.
    pub(crate) fn known_nar_size(&self, index: PathIndex) -> Option<u64> {
        self.catalog.nar_size(self.id(index))
    }

    /// The examined paths whose closure holds a path of unknown NAR size, or a
    /// reference to a path that the source does not list; by index.
    pub(crate) fn unknown_closures(&self) -> NodeSet {
        if self.nar_sums_known() {
            return NodeSet::new(self.len());
        }
        let unknown = self.indexes().filter(|&index| {
            let id = self.id(index);
            self.catalog.nar_size(id).is_none() || !self.catalog.unlisted_references(id).is_empty()
        });
        let unknown = unknown.map(PathIndex::node);
        let referrers = self.references().transpose(self.len());
        reachable(&referrers, unknown, &Cuts::default())
    }

    /// Warns if the source lacks a column of `ValidPaths` that its schema has
    /// and the answer needs.
    pub(crate) fn needs_column(&mut self, column: &str) {
        if self.catalog.lost(column) {
            let message = format!("the column ValidPaths.{column} is missing");
            self.warnings.push(WarningKind::MissingColumn, column, message);
        }
    }

    /// The NAR size of the path at `index` in bytes, 0 where unknown: for
    /// orders. Sums that are shown need [`Census::sum_nar_sizes`].
    pub fn nar_size(&self, index: PathIndex) -> u64 {
        self.catalog.nar_size(self.id(index)).unwrap_or(0)
    }

    /// The inodes with names in several examined paths, grouped; `None` if the
    /// disk was not asked.
    pub fn shared(&self) -> Option<&SharedInodes> {
        let disk = self.disk.as_ref()?;
        Some(self.shared.get_or_init(|| SharedInodes::new(disk, self.len())))
    }

    /// The inodes of several names that have one in the path at `index`, each
    /// with how many it has there.
    pub fn inodes(&self, index: PathIndex) -> impl Iterator<Item = (&Inode, u32)> + '_ {
        let disk = self.disk.iter();
        disk.flat_map(move |disk| {
            let names = disk.names.row(index.node());
            names.chunk_by(|a, b| a == b).map(|c| (&disk.inodes[c[0] as usize], c.len() as u32))
        })
    }
}

/// A census of all valid paths. Only of such a one are ids and indexes the
/// same, and is known what nobody refers to.
#[derive(Clone, Copy, Debug)]
pub struct WholeCensus<'a>(&'a Census);

impl<'a> WholeCensus<'a> {
    /// The census.
    pub fn census(self) -> &'a Census {
        self.0
    }

    /// The index of a path.
    #[inline]
    pub fn index(self, id: PathId) -> PathIndex {
        PathIndex::new(id.node())
    }

    /// The NAR size of a path in bytes, 0 where unknown: see
    /// [`Census::nar_size`].
    pub fn nar_size(self, id: PathId) -> u64 {
        self.0.nar_size(self.index(id))
    }

    /// What a path takes on disk, if the disk was asked.
    pub fn usage(self, id: PathId) -> Option<&'a Usage> {
        self.0.usage(self.index(id))
    }

    /// What some paths take on disk, each inode once; `None` if the disk was
    /// not asked.
    pub fn union_of(self, ids: impl Iterator<Item = PathId>) -> Option<Union> {
        Some(self.0.shared()?.union(ids.map(|id| self.index(id))))
    }
}

impl Deref for WholeCensus<'_> {
    type Target = Census;

    fn deref(&self) -> &Census {
        self.0
    }
}

/// A scan of the whole store narrowed to some paths, and its warnings to those
/// that are about them or about no path.
fn narrow(scan: &DiskScan, catalog: &Catalog, ids: &[PathId]) -> DiskScan {
    let nodes: Vec<u32> = ids.iter().map(|id| id.node()).collect();
    let mut narrowed = scan.restrict(&nodes);
    let concerns = |path: &[u8]| {
        let mut parts =
            path.split(|&b| b == b'/').filter_map(|part| std::str::from_utf8(part).ok());
        let id = parts.find_map(|part| catalog.find(part));
        id.is_none_or(|id| ids.binary_search(&id).is_ok())
    };
    narrowed.warnings.retain(|warning| concerns(&warning.path));
    narrowed
}

/// The rows of `ids` (ascending), with both ends renumbered by their place in
/// `ids`; entries that are not in `ids` are left out.
fn restrict(rows: &Rows, ids: &[PathId]) -> Rows {
    let mut index: Vec<Option<Node>> = vec![None; rows.len()];
    for (i, &id) in ids.iter().enumerate() {
        index[id.index()] = Some(Node::new(i as u32));
    }
    let mut restricted = Rows::default();
    let mut row = Vec::new();
    for &id in ids {
        row.clear();
        let kept = rows.row(id.node()).iter().filter_map(|&t| index[t as usize]);
        row.extend(kept.map(Node::node));
        restricted.push(&row);
    }
    restricted
}
