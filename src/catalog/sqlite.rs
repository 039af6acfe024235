//! Nix's own database: `ValidPaths`, `Refs`, `DerivationOutputs`.
//!
//! The tables are read whole, in plain scans inside the one transaction that
//! opening began; references by two threads where opening found that a second
//! connection sees the same. Columns are found by name, since older schemas
//! lack some and other Nix implementations add some (nix: `src/libstore/schema.sql`).

use super::build_trace::{Trace, TraceTable};
use super::open::{Database, Exceeded, Quota, is_limit};
use super::references::{Parts, References};
use super::{Builder, COLUMNS, Catalog, Record, TooLarge};
use crate::nar::hash::Hash;
use crate::threads;
use crate::warning::{WarningKind, Warnings};
use data_encoding::HEXLOWER;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::collections::HashMap;

/// Why the tables could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// SQLite said no: the database is damaged, or cannot be read.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    /// Reading it takes more than it may.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// A table or column without which nothing can be said is missing, or a
    /// view stands in its place.
    #[error("the database has no {0}: is it a Nix store's?")]
    Schema(&'static str),
    /// No path of the database is in the store directory.
    #[error("the database has no path in {store_dir}; its paths are like {example}")]
    StoreDirectory {
        /// The store directory looked for.
        store_dir: String,
        /// The first path, escaped.
        example: String,
    },
    /// More than can be counted.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl From<rusqlite::Error> for LoadError {
    fn from(error: rusqlite::Error) -> Self {
        if is_limit(&error) { Self::Exceeded(Exceeded) } else { Self::Sqlite(error) }
    }
}

/// Row ids to builder numbers: ids are nearly dense, so a vector serves.
pub(super) enum Numbers {
    Dense(Vec<u32>),
    Sparse(HashMap<i64, u32>),
}

// Two marks among the numbers: an enum would take eight bytes for each id up to
// the largest, which a hostile database chooses.
/// No row has that id.
pub(super) const NONE: u32 = u32::MAX;
/// The row with that id is odd, and was warned of.
pub(super) const ODD: u32 = u32::MAX - 1;

impl Numbers {
    /// For ids up to `max_id`, of which a vector may hold `room`.
    fn new(max_id: i64, room: u64) -> Self {
        if u64::try_from(max_id).is_ok_and(|max_id| max_id < room) {
            Self::Dense(vec![NONE; max_id as usize + 1])
        } else {
            Self::Sparse(HashMap::new())
        }
    }

    #[inline]
    fn set(&mut self, id: i64, number: u32) {
        match self {
            Self::Dense(v) => {
                if let Some(slot) = usize::try_from(id).ok().and_then(|i| v.get_mut(i)) {
                    *slot = number;
                }
            }
            Self::Sparse(map) => {
                map.insert(id, number);
            }
        }
    }

    #[inline]
    pub(super) fn get(&self, id: i64) -> u32 {
        match self {
            Self::Dense(v) => usize::try_from(id).ok().and_then(|i| v.get(i)).copied(),
            Self::Sparse(map) => Self::find(map, id),
        }
        .unwrap_or(NONE)
    }

    /// By itself, so that what nearly all databases take is short enough to be inlined.
    #[inline(never)]
    fn find(map: &HashMap<i64, u32>, id: i64) -> Option<u32> {
        map.get(&id).copied()
    }
}

/// Reads the catalog of `store_dir` from a database that
/// [`open`](super::open::open) opened.
///
/// # Errors
/// See [`LoadError`]. Odd rows are warnings in the catalog instead.
pub(crate) fn load(database: &Database, store_dir: &str) -> Result<Catalog, LoadError> {
    let mut builder = Builder::new(store_dir);
    let mut reader = Reader { connection: database.connection(), quota: database.quota() };
    let second = database.take_second();
    let parts = second.as_ref().and_then(Parts::of);
    let (numbers, odd, pairs) = std::thread::scope(|scope| {
        // Together they read no more than one thread may, or else one reads all of it.
        let quota = || database.quota_of_second();
        let parts = parts.as_ref();
        let second = second.zip(parts).and_then(|(second, parts)| {
            let quota = quota();
            threads::start(scope, move || parts.read(&second, quota))
        });
        let others = (reader.load_paths(&mut builder)).and_then(|(numbers, odd)| {
            reader.load_outputs(&mut builder, &numbers)?;
            reader.load_traces(&mut builder, &numbers)?;
            Ok((numbers, odd))
        });
        if let (Err(_), Some(parts)) = (&others, parts) {
            parts.end();
        }
        let (numbers, odd) = others?;
        let pairs = second.zip(parts).and_then(|(second, parts)| {
            let own = parts.read(reader.connection, quota());
            parts.together([own?, second.join().ok()??])
        });
        Ok::<_, LoadError>((numbers, odd, pairs))
    })?;
    let mut references = References { builder: &mut builder, numbers: &numbers, odd: &odd };
    match pairs {
        Some(pairs) => {
            for pairs in pairs {
                reader.quota.rows(pairs.len())?;
                references.take(pairs);
            }
        }
        None => references.load(reader.connection, &mut reader.quota)?,
    }
    Ok(builder.finish()?)
}

/// Reads the tables one after the other. Each page is in one of them, so one
/// count of what is read serves for all.
struct Reader<'c> {
    connection: &'c Connection,
    quota: Quota,
}

/// The columns of a table; an error if it is missing or is not a table.
pub(super) fn columns(
    connection: &Connection,
    table: &'static str,
) -> Result<Vec<String>, LoadError> {
    let kind = connection.query_row(
        "SELECT iif(rootpage > 0, type, '') FROM sqlite_master WHERE name = ?1 COLLATE NOCASE",
        [table],
        |row| row.get::<_, String>(0),
    );
    match kind {
        Ok(kind) if kind == "table" => {}
        Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => return Err(LoadError::Schema(table)),
        Err(e) => return Err(e.into()),
    }
    let mut statement = connection.prepare(&format!("PRAGMA table_info({table})"))?;
    let names = statement.query_map([], |row| row.get::<_, String>(1))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// The paths of the odd rows, by row id; empty for those beyond [`ODD_ROWS`].
pub(super) type OddRows = HashMap<i64, Vec<u8>>;

/// How many odd rows are told by name where something refers to them.
const ODD_ROWS: usize = 1 << 16;

impl Reader<'_> {
    fn load_paths(&mut self, builder: &mut Builder) -> Result<(Numbers, OddRows), LoadError> {
        let present = columns(self.connection, "ValidPaths")?;
        let has = |name: &str| present.iter().any(|c| c.eq_ignore_ascii_case(name));
        if !has("id") || !has("path") {
            return Err(LoadError::Schema("ValidPaths(id, path)"));
        }
        if has("provenance") {
            builder.set_has_provenance();
        }
        // In the order in which the row is read below.
        let wanted = COLUMNS.map(|name| {
            if !has(name) {
                builder.set_missing_column(name);
            }
            if has(name) { name } else { "NULL" }
        });
        let sql = "SELECT max(id) FROM ValidPaths";
        let max_id = self.connection.query_row(sql, [], |row| integer(row, 0))?.unwrap_or_default();
        // A row has far more than eight bytes: nearly every table is dense enough.
        let mut numbers = Numbers::new(max_id, self.quota.left() / 16);
        let sql = format!("SELECT id, path, {} FROM ValidPaths", wanted.join(", "));
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut outside = None;
        let mut odd = OddRows::new();
        while let Some(row) = rows.next()? {
            let path = bytes(row, 1)?;
            let hash_text = bytes(row, 2)?;
            let (deriver, signatures, content_address) =
                (bytes(row, 4)?, bytes(row, 7)?, bytes(row, 8)?);
            let texts = [path, hash_text, deriver, signatures, content_address];
            self.quota.row()?;
            self.quota.bytes(texts.iter().map(|text| text.len()).sum())?;
            let hash = parse_hash(hash_text);
            if hash.is_none() && !hash_text.is_empty() {
                let message = format!("its hash is odd: {}", hash_text.escape_ascii());
                builder.warnings().push(WarningKind::OddRow, path, message);
            }
            let number = builder.add(&Record {
                path,
                hash,
                // NULL and 0 both mean unknown (nix: ValidPathInfo::narSize): no NAR is empty.
                nar_size: integer(row, 5)?.and_then(|n| u64::try_from(n).ok()).filter(|&n| n != 0),
                // As a NAR size: Nix has 0 for what it does not know.
                registration_time: integer(row, 3)?.filter(|&t| t != 0),
                deriver,
                ultimate: integer(row, 6)?.is_some_and(|n| n != 0),
                signatures,
                content_address,
            })?;
            if let Some(id) = integer(row, 0)? {
                // Only where the constraints are missing.
                if numbers.get(id) != NONE {
                    let message =
                        format!("another row has its id {id}: their references are mixed up");
                    builder.warnings().push(WarningKind::OddRow, path, message);
                }
                numbers.set(id, number.unwrap_or(ODD));
                if number.is_none() && odd.len() < ODD_ROWS {
                    odd.insert(id, path[..path.len().min(Warnings::LONGEST)].to_vec());
                }
            }
            if number.is_none() && outside.is_none() {
                let start = &path[..path.len().min(Warnings::LONGEST)];
                outside = Some(start.escape_ascii().to_string());
            }
        }
        match outside {
            Some(example) if builder.is_empty() => Err(LoadError::StoreDirectory {
                store_dir: builder.store_dir().to_owned(),
                example,
            }),
            _ => Ok((numbers, odd)),
        }
    }

    /// Output names. Older databases have no such table; then none is known.
    fn load_outputs(&mut self, builder: &mut Builder, drvs: &Numbers) -> Result<(), LoadError> {
        let present = match columns(self.connection, "DerivationOutputs") {
            Err(LoadError::Schema(_)) => return Ok(()),
            present => present?,
        };
        if !["id", "path"].iter().all(|c| present.iter().any(|p| p.eq_ignore_ascii_case(c))) {
            return Ok(());
        }
        let drv =
            if present.iter().any(|c| c.eq_ignore_ascii_case("drv")) { "drv" } else { "NULL" };
        if drv != "NULL" {
            builder.set_outputs_known();
        }
        let mut found = Vec::new();
        let mut made = Vec::new();
        {
            let numbers = builder.numbers();
            let sql = format!("SELECT id, path, {drv} FROM DerivationOutputs");
            let mut statement = self.connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (output, path) = (bytes(row, 0)?, bytes(row, 1)?);
                self.quota.row()?;
                self.quota.bytes(output.len() + path.len())?;
                let base = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
                let number = std::str::from_utf8(base).ok().and_then(|b| numbers.get(b));
                let valid = |b: &u8| b.is_ascii_alphanumeric() || b"+-._?=".contains(b);
                if let (Some(&number), Some(drv)) =
                    (number, integer(row, 2)?.map(|id| drvs.get(id)).filter(|&n| n < ODD))
                {
                    made.push((drv, number));
                }
                if let (Some(&number), Ok(output)) = (number, std::str::from_utf8(output))
                    && output.bytes().all(|b| valid(&b))
                {
                    found.push((number, output.to_owned()));
                }
            }
        }
        for (number, output) in found {
            builder.set_output(number, &output);
        }
        for (drv, output) in made {
            builder.add_derivation_output(drv, output);
        }
        Ok(())
    }

    /// What content-addressed derivations were found to make; not in most stores.
    fn load_traces(&mut self, builder: &mut Builder, numbers: &Numbers) -> Result<(), LoadError> {
        let sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')
                   AND (name LIKE 'Realisations%' OR name LIKE 'BuildTrace%')";
        let mut statement = self.connection.prepare(sql)?;
        let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
        for table in tables.collect::<Result<Vec<_>, _>>()? {
            let kind = match &*table {
                "RealisationsRefs" => continue,
                "Realisations" => TraceTable::Realisations,
                "BuildTraceV3" => TraceTable::BuildTraceV3,
                _ => {
                    builder.add_unknown_trace(table);
                    continue;
                }
            };
            let wanted = ["drvPath", "outputName", "outputPath"];
            let known = match columns(self.connection, kind.name()) {
                Err(LoadError::Schema(_)) => false,
                present => {
                    let present = present?;
                    wanted.iter().all(|w| present.iter().any(|p| p.eq_ignore_ascii_case(w)))
                }
            };
            if !known {
                builder.add_unknown_trace(table);
                continue;
            }
            let sql = format!("SELECT {} FROM {}", wanted.join(", "), kind.name());
            let mut statement = self.connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (key, output, path) = (bytes(row, 0)?, bytes(row, 1)?, bytes(row, 2)?);
                self.quota.row()?;
                self.quota.bytes(key.len() + output.len() + path.len())?;
                let base = |name: &[u8]| {
                    let name = String::from_utf8_lossy(name);
                    name.rsplit_once('/').map_or(&*name, |(_, base)| base).to_owned()
                };
                // The older table has the row of the path.
                let path = match kind {
                    TraceTable::BuildTraceV3 => base(path),
                    TraceTable::Realisations => {
                        let number = integer(row, 2)?.map_or(NONE, |id| numbers.get(id));
                        if number >= ODD {
                            continue;
                        }
                        builder.path(number).rsplit('/').next().unwrap_or_default().to_owned()
                    }
                };
                let key = base(key);
                // A hash and a base name are longer: nothing looks for these.
                if key.len().min(path.len()) < 32 {
                    continue;
                }
                let output = String::from_utf8_lossy(output).into_owned();
                builder.add_trace(Trace { table: kind, key, output, path });
            }
        }
        Ok(())
    }
}

/// Text as bytes whatever type the row has; empty for NULL and numbers.
fn bytes<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(b) | ValueRef::Blob(b) => b,
        _ => b"",
    })
}

pub(super) fn integer(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(i) => Some(i),
        ValueRef::Text(t) => std::str::from_utf8(t).ok().and_then(|t| t.parse().ok()),
        _ => None,
    })
}

/// The database's form, `sha256:<64 hex>`, or any other that Nix reads.
fn parse_hash(text: &[u8]) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let hex = text.strip_prefix(b"sha256:").filter(|hex| hex.len() == 64);
    if hex.is_some_and(|hex| HEXLOWER.decode_mut(hex, &mut hash).is_ok()) {
        return Some(hash);
    }
    Hash::parse(std::str::from_utf8(text).ok()?, None)?.sha256()
}
