//! What the database says: path infos as columns indexed by a `u32` id, and
//! references in both directions.
//!
//! | file | source |
//! |---|---|
//! | `sqlite`, `references` | Nix's own `db.sqlite`, which `open` opens |
//! | `registration` | what `nix-store --dump-db` and `closureInfo` write |
//! | `path_info` | what `nix path-info --json` prints |
//! | `scan` | nothing but the store directory |
//! | `overlay` | two catalogs joined |
//!
//! `source` chooses among them; `sniff` says what other files seem to be; `derivation` reads what derivations refer to.

pub(crate) mod build_trace;
mod builder;
pub(crate) mod derivation;
mod import;
mod index;
#[cfg(feature = "cli")]
mod names;
mod niche;
pub(crate) mod open;
pub(crate) mod overlay;
mod parts;
pub(crate) mod path_info;
mod references;
pub(crate) mod registration;
pub(crate) mod scan;
mod sniff;
mod source;
pub(crate) mod sqlite;
mod strings;

pub use builder::{Builder, Record, TooLarge};
pub use import::{ImportError, PathInfo};
#[cfg(feature = "cli")]
pub(crate) use names::fold_paths;
pub use open::{DatabaseFile, Exceeded, Journal, OpenError, Schema};
pub(crate) use parts::{CatalogParts, MoreParts, OddParts};
pub use scan::ScanError;
pub use sniff::{Compression, OtherFormat};
pub use source::{Loaded, Source, load_over};
pub(crate) use source::{STANDARD_INPUT, find_store_at_top};
pub use sqlite::LoadError;
pub(crate) use strings::Strings;

use crate::graph::{Rows, closure, node_number};
use crate::store::{Package, StoreLocation, StorePath};
use crate::threads;
use crate::warning::{WarningKind, Warnings};
use index::NameIndex;
use niche::{Size, Time};
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Why there is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its tables could not be read.
    #[error("cannot read the database {}", path.display())]
    Load {
        /// The database.
        path: PathBuf,
        /// Why.
        source: LoadError,
    },
    /// A registration or the like could not be read.
    #[error("cannot read {}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ImportError,
    },
    /// All paths of the source are in another store directory.
    #[error("none of the paths is in {store_dir}; they are like {example}")]
    OtherStore {
        /// The store directory asked for.
        store_dir: String,
        /// The first path, escaped.
        example: String,
    },
    /// The store directory could not be scanned.
    #[error(transparent)]
    Scan(#[from] scan::ScanError),
}

/// Reads the catalog of a store from its database.
///
/// # Errors
/// See [`CatalogError`].
pub fn load(location: &StoreLocation) -> Result<Catalog, CatalogError> {
    let path = &location.database;
    let file = DatabaseFile::of(location)?;
    let schema = file.schema()?;
    let store_dir = &location.store_dir;
    let (mut catalog, journal) = open::read(&file, |database| {
        sqlite::load(database, store_dir)
            .map_err(|source| CatalogError::Load { path: path.clone(), source })
    })?;
    let name = || path.as_os_str().as_encoded_bytes();
    let number = match schema {
        Schema::Known(number) => Some(number),
        // Newer ones have gained columns so far, and lost none.
        Schema::Newer(_) => Some(open::NEWEST_SCHEMA),
        Schema::Missing | Schema::Odd(_) => None,
    };
    catalog.schema = number;
    catalog.check_columns(name());
    match schema {
        Schema::Known(_) => {}
        Schema::Missing => {
            let message = "no file “schema” is beside it; read as if it were the newest known";
            catalog.warnings.push(WarningKind::Note, name(), message);
        }
        Schema::Newer(number) => {
            let message = format!(
                "its schema {number} is newer than the newest known, {}: this answer may be wrong",
                open::NEWEST_SCHEMA
            );
            catalog.warnings.push(WarningKind::UnknownSchema, name(), message);
        }
        Schema::Odd(why) => {
            let message = format!("the file “schema” beside it {why}");
            catalog.warnings.push(WarningKind::UnknownSchema, name(), message);
        }
    }
    if let Some(journal) = journal {
        catalog.warnings.push(WarningKind::Journal, name(), journal.to_string());
    }
    Ok(catalog)
}

node_number! {
    /// The number of a valid path in its [`Catalog`]. Ids are in the bytewise
    /// order of base names, so comparing ids compares names.
    pub struct PathId
}

/// At which end of a reference a row is that Nix cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OddEnd {
    /// The row is what a path refers to.
    Reference,
    /// The row refers to a path.
    Referrer,
}

/// The valid paths of a store. A path's id is its place in the bytewise order
/// of base names, so comparing ids compares names.
#[derive(Debug, Default)]
pub struct Catalog {
    store_dir: String,
    names: Strings,
    nar_sizes: Vec<Option<Size>>,
    hashes: Vec<[u8; 32]>,
    registration_times: Vec<Option<Time>>,
    derivers: Strings,
    signatures: Strings,
    content_addresses: Strings,
    ultimate: Vec<bool>,
    outputs: HashMap<PathId, Box<str>>,
    derivation_outputs: Rows,
    outputs_known: bool,
    traces: Vec<build_trace::Trace>,
    unknown_traces: Vec<String>,
    undeletable: Vec<PathId>,
    beside_odd_rows: Vec<(PathId, OddEnd)>,
    /// References to paths that the source does not list.
    unlisted: HashMap<PathId, Vec<Box<str>>>,
    closure_sizes: HashMap<PathId, u64>,
    download_sizes: HashMap<PathId, u64>,
    missing_columns: Vec<&'static str>,
    schema: Option<u32>,
    /// The first path that is in another store directory, escaped.
    outside: Option<String>,
    references: Rows,
    referrers: Rows,
    index: OnceLock<NameIndex>,
    deriver_ids: OnceLock<Vec<Option<PathId>>>,
    all_outputs: OnceLock<Rows>,
    has_provenance: bool,
    is_part: bool,
    /// What was odd about the source.
    pub warnings: Warnings,
}

/// The columns of `ValidPaths` that a source may lack.
const COLUMNS: [&str; 7] =
    ["hash", "registrationTime", "deriver", "narSize", "ultimate", "sigs", "ca"];

/// The schema that brought each column of `ValidPaths` that older schemas lack
/// (nix: `upgradeDBSchema` in `local-store.cc`). Guix stays at schema 7.
const SINCE_SCHEMA: [(&str, u32); 3] = [("ultimate", 8), ("sigs", 8), ("ca", 10)];

impl Catalog {
    /// The store directory whose paths these are, such as `/nix/store`.
    pub fn store_dir(&self) -> &str {
        &self.store_dir
    }

    /// Whether the database has the column `provenance`, which only Determinate
    /// Nix makes.
    pub fn has_provenance(&self) -> bool {
        self.has_provenance
    }

    /// The number of valid paths.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no valid path.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The ids of all paths, ascending.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PathId> + Clone + use<> {
        (0..self.len() as u32).map(PathId::new)
    }

    /// The ids from this one on, ascending.
    pub(crate) fn ids_from(&self, first: PathId) -> impl Iterator<Item = PathId> + use<> {
        (first.node()..self.len() as u32).map(PathId::new)
    }

    /// The base name of a path.
    #[inline]
    pub fn base_name(&self, id: PathId) -> &str {
        self.names.get(id.index())
    }

    /// All base names, ascending.
    pub fn base_names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.names.iter()
    }

    /// The parts of a path's base name.
    pub fn store_path(&self, id: PathId) -> StorePath<'_> {
        StorePath::checked(self.base_name(id))
    }

    /// The full path, such as `/nix/store/<hash part>-<name>`.
    pub fn path(&self, id: PathId) -> String {
        [self.store_dir(), "/", self.base_name(id)].concat()
    }

    /// The path of that base name.
    pub fn find(&self, base_name: &str) -> Option<PathId> {
        let index = self.index.get_or_init(|| NameIndex::new(&self.names));
        let range = index.range(base_name);
        let at = self.partition_point(range.clone(), base_name);
        (at < range.end && self.names.get(at) == base_name).then(|| PathId::new(at as u32))
    }

    /// The first id whose base name is not below `prefix`: where a search by
    /// prefix begins.
    pub(crate) fn lower_bound(&self, prefix: &str) -> PathId {
        PathId::new(self.partition_point(0..self.len(), prefix) as u32)
    }

    /// The first place in a range where the name is not below `prefix`.
    fn partition_point(&self, range: Range<usize>, prefix: &str) -> usize {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let mid = low + (high - low) / 2;
            if self.names.get(mid) < prefix {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        low
    }

    /// The NAR size in bytes, if the database knows it.
    pub fn nar_size(&self, id: PathId) -> Option<u64> {
        self.nar_sizes[id.index()].map(Size::get)
    }

    /// The sum of the NAR sizes of some paths in bytes; `None` if one is unknown.
    pub fn sum_nar_sizes(&self, ids: impl IntoIterator<Item = PathId>) -> Option<u64> {
        ids.into_iter().map(|id| self.nar_size(id)).sum()
    }

    /// The SHA-256 of the path's NAR; `None` where the database has none or
    /// has the all-zero one that old images carry.
    pub fn hash(&self, id: PathId) -> Option<&[u8; 32]> {
        Some(&self.hashes[id.index()]).filter(|h| **h != [0; 32])
    }

    /// When the path was registered, in seconds since 1970, if the source knows.
    pub fn registration_time(&self, id: PathId) -> Option<i64> {
        self.registration_times[id.index()].map(Time::get)
    }

    /// The full path of the derivation that built the path, if known.
    pub fn deriver(&self, id: PathId) -> Option<String> {
        self.deriver_base_name(id).map(|d| match d.starts_with('/') {
            true => d.to_owned(),
            false => format!("{}/{d}", self.store_dir),
        })
    }

    /// The base name of the deriver, if known; a full path where it lies in
    /// another store directory.
    pub(crate) fn deriver_base_name(&self, id: PathId) -> Option<&str> {
        Some(self.derivers.get(id.index())).filter(|d| !d.is_empty())
    }

    /// The deriver, if it is a valid path itself.
    pub fn deriver_id(&self, id: PathId) -> Option<PathId> {
        threads::filled(&self.deriver_ids, || {
            threads::map(self.len(), 1024, |at| {
                let name = self.deriver_base_name(PathId::new(at as u32));
                name.and_then(|name| self.find(name))
            })
        })[id.index()]
    }

    /// The signatures, each `<key name>:<base64>`.
    pub fn signatures(&self, id: PathId) -> std::str::SplitAsciiWhitespace<'_> {
        self.signatures.get(id.index()).split_ascii_whitespace()
    }

    /// The content address, such as `fixed:r:sha256:…`, if the path has one.
    pub fn content_address(&self, id: PathId) -> Option<&str> {
        Some(self.content_addresses.get(id.index())).filter(|c| !c.is_empty())
    }

    /// Whether the path was built here and so is trusted without signatures.
    pub fn ultimate(&self, id: PathId) -> bool {
        self.ultimate[id.index()]
    }

    /// The output name: from the derivation outputs the database holds, else
    /// by comparing the path's name with its deriver's.
    pub fn output(&self, id: PathId) -> Option<&str> {
        let known = self.outputs.get(&id).map(|o| &**o);
        known.or_else(|| self.store_path(id).output_of(self.deriver_base_name(id)?))
    }

    /// The path's name as people read it. The output is the known one
    /// ([`output`](Self::output)), else a guess by the name.
    pub fn package(&self, id: PathId) -> Package<'_> {
        let name = self.store_path(id).name();
        match self.output(id) {
            Some(output) => Package::of_output(name, output),
            None => Package::guess(name),
        }
    }

    /// The references of a path, ascending; a self reference is among them.
    pub fn references_of(&self, id: PathId) -> impl ExactSizeIterator<Item = PathId> + '_ {
        paths(&self.references, id)
    }

    /// The paths that refer to a path, ascending; itself among them if it does.
    pub fn referrers_of(&self, id: PathId) -> impl ExactSizeIterator<Item = PathId> + '_ {
        paths(&self.referrers, id)
    }

    /// The closure of some paths: they and all they refer to, transitively,
    /// ascending.
    pub fn closure_of(&self, ids: impl IntoIterator<Item = PathId>) -> Vec<PathId> {
        let nodes = closure(&self.references, ids.into_iter().map(PathId::node));
        nodes.into_iter().map(PathId::new).collect()
    }

    /// Whether a path refers to another.
    pub fn refers(&self, from: PathId, to: PathId) -> bool {
        self.references.row(from.node()).binary_search(&to.node()).is_ok()
    }

    /// The valid outputs of a derivation, ascending; see
    /// [`derivation_outputs`](Self::derivation_outputs).
    pub fn outputs_of(&self, drv: PathId) -> impl ExactSizeIterator<Item = PathId> + '_ {
        paths(self.derivation_outputs(), drv)
    }

    /// The references of each path as a graph, whose nodes are the ids.
    pub fn references(&self) -> &Rows {
        &self.references
    }

    /// The references of a path that the source states but does not list as
    /// paths of their own: base names, or full paths where they are in another
    /// store directory; ascending. Only files such as `nix path-info --json X`
    /// prints have such references.
    pub(crate) fn unlisted_references(&self, id: PathId) -> &[Box<str>] {
        self.unlisted.get(&id).map_or(&[], |references| references)
    }

    /// The paths that have unlisted references, by id, in no order.
    pub(crate) fn with_unlisted_references(&self) -> impl ExactSizeIterator<Item = PathId> + '_ {
        self.unlisted.keys().copied()
    }

    /// Warns that some of these paths refer to what the source does not list,
    /// if so: an answer about their closure leaves something out.
    pub(crate) fn warn_of_unlisted(&self, among: impl Fn(PathId) -> bool, warnings: &mut Warnings) {
        let mut from: Vec<PathId> = self.unlisted.keys().copied().filter(|&id| among(id)).collect();
        from.sort_unstable();
        let Some(&first) = from.first() else { return };
        let mut names: Vec<&str> =
            from.iter().flat_map(|&id| self.unlisted_references(id)).map(|name| &**name).collect();
        let example = names.first().copied().unwrap_or_default();
        names.sort_unstable();
        names.dedup();
        let more = match names.len() {
            1 => String::new(),
            2 => ", nor is another".to_owned(),
            n => format!(", nor are {} others", n - 1),
        };
        let message = format!(
            "its reference {example} is not in the file{more}: the file is not a closure \
             (nix path-info --recursive writes one)"
        );
        warnings.push(WarningKind::UnlistedReference, self.path(first), message);
    }

    /// The full paths of all references of a path as the source states them,
    /// ascending.
    pub(crate) fn reference_paths(&self, id: PathId) -> Vec<String> {
        let listed = self.references_of(id).map(|to| self.path(to));
        let unlisted = self.unlisted_references(id);
        let full = |name: &str| match name.starts_with('/') {
            true => name.to_owned(),
            false => format!("{}/{name}", self.store_dir),
        };
        let mut paths: Vec<String> = listed.chain(unlisted.iter().map(|name| full(name))).collect();
        // Ids are in the order of names already.
        if !unlisted.is_empty() {
            paths.sort_unstable();
        }
        paths
    }

    /// The sum of NAR sizes over the closure of a path in bytes, where the
    /// source states it.
    pub fn stated_closure_size(&self, id: PathId) -> Option<u64> {
        self.closure_sizes.get(&id).copied()
    }

    /// The size in bytes of the compressed NAR that a binary cache serves,
    /// where the source states it.
    pub fn download_size(&self, id: PathId) -> Option<u64> {
        self.download_sizes.get(&id).copied()
    }

    /// Whether the source has not this column of Nix's `ValidPaths`, so that
    /// its values are unknown.
    pub(crate) fn lacks(&self, column: &str) -> bool {
        self.missing_columns.contains(&column)
    }

    /// The number of the database's schema, if the catalog is of one and has one.
    pub fn schema(&self) -> Option<u32> {
        self.schema
    }

    /// Whether values are lost that should be in this column of `ValidPaths`:
    /// it is missing, though the database's schema has it.
    pub(crate) fn lost(&self, column: &str) -> bool {
        let since = SINCE_SCHEMA.iter().find(|(name, _)| *name == column).map_or(0, |(_, n)| *n);
        self.lacks(column) && self.schema.is_some_and(|schema| schema >= since)
    }

    /// Warns of columns that nearly every answer needs, and of a schema whose
    /// number does not fit the columns: a migration was cut off.
    fn check_columns(&mut self, database: &[u8]) {
        for name in ["deriver", "narSize"] {
            if !self.lacks(name) {
                continue;
            }
            let message = format!("the column ValidPaths.{name} is missing");
            self.warnings.push(WarningKind::MissingColumn, database, message);
        }
        let Some(schema) = self.schema else { return };
        let odd = |promised: bool| {
            let names = SINCE_SCHEMA.iter().filter(|(name, since)| {
                (schema >= *since) == promised && self.lacks(name) == promised
            });
            names.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        };
        let (missing, early) = (odd(true), odd(false));
        let message = match (missing.as_str(), early.as_str()) {
            ("", "") => return,
            ("", early) => format!(
                "the file “schema” beside it says {schema}, but ValidPaths has the newer columns {early}: \
                 a migration was cut off"
            ),
            (missing, _) => format!(
                "the file “schema” beside it says {schema}, but ValidPaths lacks the columns {missing}: \
                 a migration was cut off, and Nix cannot open the store"
            ),
        };
        self.warnings.push(WarningKind::SchemaMismatch, database, message);
    }

    /// The referrers of each path as a graph, whose nodes are the ids.
    pub fn referrers(&self) -> &Rows {
        &self.referrers
    }

    /// The valid outputs of each derivation, ascending. A database says which
    /// they are, but for those of content-addressed derivations that float;
    /// see `build_trace`. Where another source does not say any of a
    /// derivation, the paths that name it as their deriver.
    pub fn derivation_outputs(&self) -> &Rows {
        threads::filled(&self.all_outputs, || {
            let listed = |drv: PathId| self.derivation_outputs.row(drv.node());
            let guessed = |drv: &PathId| listed(*drv).is_empty();
            let untold = |id: PathId| self.deriver_id(id).filter(guessed);
            let ids = self.ids();
            let known = ids.clone();
            let known = known.flat_map(|drv| listed(drv).iter().map(move |&id| (drv.node(), id)));
            let ids = ids.filter(|_| !self.outputs_known);
            let named = ids.filter_map(|id| Some((untold(id)?.node(), id.node())));
            Rows::from_pairs(self.len(), known.chain(named))
        })
    }

    /// Paths with a reference, to or from them, that Nix cannot follow, because
    /// the row at its other end is odd or gone; ascending. Nix fails when it
    /// would delete such a path, or one that it refers to.
    pub(crate) fn undeletable(&self) -> &[PathId] {
        &self.undeletable
    }

    /// Paths with a reference, to or from them, whose other end is a row that
    /// Nix cannot read; ascending. Nix fails even where such a path is alive.
    pub(crate) fn beside_odd_rows(&self) -> &[(PathId, OddEnd)] {
        &self.beside_odd_rows
    }

    /// Whether the source has a build trace.
    pub(crate) fn has_traces(&self) -> bool {
        !self.traces.is_empty() || !self.unknown_traces.is_empty()
    }

    /// Adds outputs of derivations: pairs of derivation and output.
    pub(crate) fn add_derivation_outputs(&mut self, pairs: &[(PathId, PathId)]) {
        let pairs = pairs.iter().map(|(drv, output)| (drv.node(), output.node()));
        let mut all: Vec<(u32, u32)> = pairs.collect();
        for drv in 0..self.len() as u32 {
            all.extend(self.derivation_outputs.row(drv).iter().map(|&output| (drv, output)));
        }
        all.sort_unstable();
        all.dedup();
        self.derivation_outputs = Rows::from_pairs(self.len(), all.into_iter());
        self.all_outputs = OnceLock::new();
    }

    /// The time of the newest registration, in seconds since 1970.
    pub fn newest_registration(&self) -> Option<i64> {
        self.registration_times.iter().flatten().map(|time| time.get()).max()
    }
}

/// The row of a path in a graph of all paths.
fn paths(rows: &Rows, id: PathId) -> impl ExactSizeIterator<Item = PathId> + '_ {
    rows.row(id.node()).iter().copied().map(PathId::new)
}
