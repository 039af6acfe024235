//! What the database says: path infos as columns indexed by a `u32` id, and
//! references in both directions.
//!
//! | file | source |
//! |---|---|
//! | `sqlite` | Nix's own `db.sqlite`, which `open` opens |
//! | `registration` | what `nix-store --dump-db` and `closureInfo` write |
//! | `path_info` | what `nix path-info --json` prints |
//! | `scan` | nothing but the store directory |
//! | `overlay` | two catalogs joined |
//!
//! `source` chooses among them; `sniff` says what other files seem to be; `derivation` reads what derivations refer to.

pub mod build_trace;
mod builder;
pub mod derivation;
mod import;
mod index;
pub mod open;
pub mod overlay;
pub mod path_info;
pub mod registration;
pub mod scan;
mod sniff;
mod source;
pub mod sqlite;
mod strings;

pub use builder::{Builder, Record, TooLarge};
pub use import::{ImportError, PathInfo};
pub use open::{DatabaseFile, Journal, OpenError, Schema};
pub use sniff::{Compression, OtherFormat};
pub use source::{Loaded, STANDARD_INPUT, Source, find_store_at_top, load_over};
pub use sqlite::LoadError;
pub use strings::Strings;

use crate::graph::Rows;
use crate::store::{Package, StoreLocation, StorePath};
use crate::warning::{WarningKind, Warnings};
use index::NameIndex;
use rayon::prelude::*;
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
    #[error("{}", path.display())]
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
    let database = &location.database;
    let file = DatabaseFile::of(location)?;
    let schema = file.schema()?;
    let store_dir = &location.store_dir;
    let (mut catalog, journal) = open::read(&file, |c| {
        sqlite::load(c, store_dir)
            .map_err(|source| CatalogError::Load { path: database.clone(), source })
    })?;
    let name = || database.as_os_str().as_encoded_bytes();
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
                "its schema {number} is newer than the newest known, {}: what is told may be wrong",
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

/// The valid paths of a store. A path's id is its place in the bytewise order
/// of base names, so comparing ids compares names.
#[derive(Debug, Default)]
pub struct Catalog {
    store_dir: String,
    names: Strings,
    nar_sizes: Vec<u64>,
    hashes: Vec<[u8; 32]>,
    registration_times: Vec<i64>,
    derivers: Strings,
    signatures: Strings,
    content_addresses: Strings,
    ultimate: Vec<bool>,
    outputs: HashMap<u32, Box<str>>,
    derivation_outputs: Rows,
    outputs_known: bool,
    traces: Vec<build_trace::Trace>,
    unknown_traces: Vec<String>,
    undeletable: Vec<u32>,
    /// References to paths that the source does not list, by id.
    unlisted: HashMap<u32, Vec<Box<str>>>,
    closure_sizes: HashMap<u32, u64>,
    download_sizes: HashMap<u32, u64>,
    missing_columns: Vec<&'static str>,
    schema: Option<u32>,
    /// The first path that is in another store directory, escaped.
    outside: Option<String>,
    references: Rows,
    referrers: Rows,
    index: OnceLock<NameIndex>,
    deriver_ids: OnceLock<Vec<u32>>,
    all_outputs: OnceLock<Rows>,
    has_provenance: bool,
    /// What was odd about the source.
    pub warnings: Warnings,
}

/// Stands in `nar_sizes` for a NULL or absurd one.
const UNKNOWN_SIZE: u64 = u64::MAX;
/// Stands in `registration_times` for an unknown one.
const UNKNOWN_TIME: i64 = i64::MIN;

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

    /// The base name of a path.
    pub fn base_name(&self, id: u32) -> &str {
        self.names.get(id as usize)
    }

    /// All base names, ascending.
    pub fn base_names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.names.iter()
    }

    /// The parts of a path's base name.
    pub fn store_path(&self, id: u32) -> StorePath<'_> {
        StorePath::checked(self.base_name(id))
    }

    /// The full path, such as `/nix/store/<hash part>-<name>`.
    pub fn path(&self, id: u32) -> String {
        format!("{}/{}", self.store_dir, self.base_name(id))
    }

    /// The path of that base name.
    pub fn find(&self, base_name: &str) -> Option<u32> {
        let index = self.index.get_or_init(|| NameIndex::new(&self.names));
        let range = index.range(base_name);
        let at = self.partition_point(range.clone(), base_name);
        (at < range.end && self.names.get(at) == base_name).then_some(at as u32)
    }

    /// The first id whose base name is not below `prefix`: where a search by
    /// prefix begins.
    pub fn lower_bound(&self, prefix: &str) -> u32 {
        self.partition_point(0..self.len(), prefix) as u32
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
    pub fn nar_size(&self, id: u32) -> Option<u64> {
        Some(self.nar_sizes[id as usize]).filter(|&s| s != UNKNOWN_SIZE)
    }

    /// The SHA-256 of the path's NAR; `None` where the database has none or
    /// has the all-zero one that old images carry.
    pub fn hash(&self, id: u32) -> Option<&[u8; 32]> {
        Some(&self.hashes[id as usize]).filter(|h| **h != [0; 32])
    }

    /// When the path was registered, in seconds since 1970, if the source knows.
    pub fn registration_time(&self, id: u32) -> Option<i64> {
        Some(self.registration_times[id as usize]).filter(|&t| t != UNKNOWN_TIME)
    }

    /// The full path of the derivation that built the path, if known.
    pub fn deriver(&self, id: u32) -> Option<String> {
        self.deriver_base_name(id).map(|d| match d.starts_with('/') {
            true => d.to_owned(),
            false => format!("{}/{d}", self.store_dir),
        })
    }

    /// The base name of the deriver, if known; a full path where it lies in
    /// another store directory.
    pub fn deriver_base_name(&self, id: u32) -> Option<&str> {
        Some(self.derivers.get(id as usize)).filter(|d| !d.is_empty())
    }

    /// The deriver, if it is a valid path itself.
    pub fn deriver_id(&self, id: u32) -> Option<u32> {
        const NONE: u32 = u32::MAX;
        let ids = self.deriver_ids.get_or_init(|| {
            let ids = (0..self.len() as u32).into_par_iter();
            let find = |id| self.deriver_base_name(id).and_then(|name| self.find(name));
            ids.map(|id| find(id).unwrap_or(NONE)).collect()
        });
        Some(ids[id as usize]).filter(|&id| id != NONE)
    }

    /// The signatures, each `<key name>:<base64>`.
    pub fn signatures(&self, id: u32) -> impl Iterator<Item = &str> + '_ {
        self.signatures.get(id as usize).split_ascii_whitespace()
    }

    /// The content address, such as `fixed:r:sha256:…`, if the path has one.
    pub fn content_address(&self, id: u32) -> Option<&str> {
        Some(self.content_addresses.get(id as usize)).filter(|c| !c.is_empty())
    }

    /// Whether the path was built here and so is trusted without signatures.
    pub fn ultimate(&self, id: u32) -> bool {
        self.ultimate[id as usize]
    }

    /// The output name: from the derivation outputs the database holds, else
    /// by comparing the path's name with its deriver's.
    pub fn output(&self, id: u32) -> Option<&str> {
        let known = self.outputs.get(&id).map(|o| &**o);
        known.or_else(|| self.store_path(id).output_of(self.deriver_base_name(id)?))
    }

    /// The path's name as people read it. The output is the known one
    /// ([`output`](Self::output)), else a guess by the name.
    pub fn package(&self, id: u32) -> Package<'_> {
        let name = self.store_path(id).name();
        match self.output(id) {
            Some(output) => Package::of_output(name, output),
            None => Package::guess(name),
        }
    }

    /// The references of each path, ascending; a self reference is among them.
    pub fn references(&self) -> &Rows {
        &self.references
    }

    /// The references of a path that the source states but does not list as
    /// paths of their own: base names, or full paths where they are in another
    /// store directory; ascending. Only files such as `nix path-info --json X`
    /// prints have such references.
    pub fn unlisted_references(&self, id: u32) -> &[Box<str>] {
        self.unlisted.get(&id).map_or(&[], |references| references)
    }

    /// The paths that have unlisted references, by id, in no order.
    pub fn with_unlisted_references(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.unlisted.keys().copied()
    }

    /// Warns that some of these paths refer to what the source does not list,
    /// if so: an answer about their closure leaves something out.
    pub fn warn_of_unlisted(&self, among: impl Fn(u32) -> bool, warnings: &mut Warnings) {
        let mut from: Vec<u32> = self.unlisted.keys().copied().filter(|&id| among(id)).collect();
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
    pub fn reference_paths(&self, id: u32) -> Vec<String> {
        let listed = self.references.row(id).iter().map(|&to| self.path(to));
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
    pub fn stated_closure_size(&self, id: u32) -> Option<u64> {
        self.closure_sizes.get(&id).copied()
    }

    /// The size in bytes of the compressed NAR that a binary cache serves,
    /// where the source states it.
    pub fn download_size(&self, id: u32) -> Option<u64> {
        self.download_sizes.get(&id).copied()
    }

    /// Whether the source has not this column of Nix's `ValidPaths`, so that
    /// its values are unknown.
    pub fn lacks(&self, column: &str) -> bool {
        self.missing_columns.contains(&column)
    }

    /// The number of the database's schema, if the catalog is of one and has one.
    pub fn schema(&self) -> Option<u32> {
        self.schema
    }

    /// Whether values are lost that should be in this column of `ValidPaths`:
    /// it is missing, though the database's schema has it.
    pub fn lost(&self, column: &str) -> bool {
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

    /// The referrers of each path, ascending; a self reference is among them.
    pub fn referrers(&self) -> &Rows {
        &self.referrers
    }

    /// The valid outputs of each derivation, ascending. A database says which
    /// they are, but for those of content-addressed derivations that float;
    /// see [`build_trace`]. Where another source does not say any of a
    /// derivation, the paths that name it as their deriver.
    pub fn derivation_outputs(&self) -> &Rows {
        self.all_outputs.get_or_init(|| {
            let told = |drv: u32| self.derivation_outputs.row(drv);
            let guessed = |drv: &u32| !self.outputs_known && told(*drv).is_empty();
            let untold = |id: u32| self.deriver_id(id).filter(guessed);
            let ids = 0..self.len() as u32;
            let known = ids.clone().flat_map(|drv| told(drv).iter().map(move |&id| (drv, id)));
            let named = ids.clone().filter_map(|id| Some((untold(id)?, id)));
            Rows::from_pairs(self.len(), known.chain(named))
        })
    }

    /// Paths with a reference, to or from them, that Nix cannot follow, because
    /// the row at its other end is odd or gone; ascending. Nix fails when it
    /// would delete such a path, or one that it refers to.
    pub fn undeletable(&self) -> &[u32] {
        &self.undeletable
    }

    /// Adds outputs of derivations: pairs of derivation and output.
    pub fn add_derivation_outputs(&mut self, pairs: &[(u32, u32)]) {
        let mut all: Vec<(u32, u32)> = pairs.to_vec();
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
        self.registration_times.iter().copied().filter(|&t| t != UNKNOWN_TIME).max()
    }
}
