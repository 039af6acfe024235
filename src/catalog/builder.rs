//! From rows in any order to a [`Catalog`].

use super::build_trace::Trace;
use super::niche::{Size, Time};
use super::{Catalog, OddEnd, PathId, Strings};
use crate::graph::Rows;
use crate::store::StorePath;
use crate::threads;
use crate::warning::{WarningKind, Warnings};
use rayon::slice::ParallelSliceMut;
use std::collections::HashMap;

/// One valid path, as a source gives it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// The full path, as bytes: the source is not trusted.
    pub path: &'a [u8],
    /// The SHA-256 of the NAR, if known.
    pub hash: Option<[u8; 32]>,
    /// The NAR size in bytes, if known.
    pub nar_size: Option<u64>,
    /// In seconds since 1970, if known.
    pub registration_time: Option<i64>,
    /// The deriver's full path; empty where unknown.
    pub deriver: &'a [u8],
    /// Signatures, separated by spaces.
    pub signatures: &'a [u8],
    /// The content address; empty where there is none.
    pub content_address: &'a [u8],
    /// Whether the path was built here.
    pub ultimate: bool,
}

/// There are more paths, references or bytes than can be counted.
#[derive(Debug, thiserror::Error)]
#[error("the store is too large: {0}")]
pub struct TooLarge(pub &'static str);

/// Collects records and references, each record under the number it was
/// added as, and makes a [`Catalog`] of them.
#[derive(Debug)]
pub struct Builder {
    catalog: Catalog,
    prefix: Vec<u8>,
    references: Vec<(u32, u32)>,
    outputs: Vec<(u32, Box<str>)>,
    derivation_outputs: Vec<(u32, u32)>,
    undeletable: Vec<u32>,
    beside_odd_rows: Vec<(u32, OddEnd)>,
    unlisted: Vec<(u32, Box<str>)>,
    closure_sizes: Vec<(u32, u64)>,
    download_sizes: Vec<(u32, u64)>,
    scratch: String,
    nar_size: u64,
    /// What the records come from, as warnings call it.
    source: &'static str,
    /// Whether each path of unknown NAR size gets a warning of its own.
    names_unknown_sizes: bool,
}

impl Builder {
    /// A builder for the paths of `store_dir`.
    pub fn new(store_dir: &str) -> Self {
        Self {
            catalog: Catalog { store_dir: store_dir.to_owned(), ..Catalog::default() },
            prefix: format!("{store_dir}/").into_bytes(),
            references: Vec::new(),
            outputs: Vec::new(),
            derivation_outputs: Vec::new(),
            undeletable: Vec::new(),
            beside_odd_rows: Vec::new(),
            unlisted: Vec::new(),
            closure_sizes: Vec::new(),
            download_sizes: Vec::new(),
            scratch: String::new(),
            nar_size: 0,
            source: "the database",
            names_unknown_sizes: true,
        }
    }

    /// Says that the records come from a file, not from a database. A file may
    /// know no NAR size at all, so its reader warns of unknown ones once.
    pub(super) fn of_file(mut self) -> Self {
        self.source = "the file";
        self.names_unknown_sizes = false;
        self
    }

    /// The store directory whose paths are collected.
    pub(crate) fn store_dir(&self) -> &str {
        &self.catalog.store_dir
    }

    /// Notes that the database has the column `provenance`.
    pub(crate) fn set_has_provenance(&mut self) {
        self.catalog.has_provenance = true;
    }

    /// The warnings so far, to add to.
    pub(crate) fn warnings(&mut self) -> &mut Warnings {
        &mut self.catalog.warnings
    }

    /// The number of records added.
    pub fn len(&self) -> usize {
        self.catalog.names.len()
    }

    /// Whether no record was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes a path that Nix cannot delete: see [`Catalog::undeletable`].
    pub(crate) fn set_undeletable(&mut self, number: u32) {
        self.undeletable.push(number);
    }

    /// Notes a path with a reference whose other end is a row that Nix cannot
    /// read: see [`Catalog::beside_odd_rows`].
    pub(crate) fn set_beside_odd_row(&mut self, number: u32, end: OddEnd) {
        self.beside_odd_rows.push((number, end));
    }

    /// Says that all outputs of derivations that Nix knows are added.
    pub(super) fn set_outputs_known(&mut self) {
        self.catalog.outputs_known = true;
    }

    /// Adds a row of a build trace.
    pub(super) fn add_trace(&mut self, trace: Trace) {
        self.catalog.traces.push(trace);
    }

    /// Notes a table of a build trace whose form is not known.
    pub(super) fn add_unknown_trace(&mut self, table: String) {
        self.catalog.unknown_traces.push(table);
    }

    /// Adds a record; its number, or `None` with a warning if its path is no
    /// path of this store.
    ///
    /// # Errors
    /// If the store is too large.
    pub fn add(&mut self, record: &Record<'_>) -> Result<Option<u32>, TooLarge> {
        let c = &mut self.catalog;
        let number = u32::try_from(c.names.len())
            .ok()
            .filter(|&n| n < u32::MAX)
            .ok_or(TooLarge("2^32 paths or more"))?;
        let Some(base) = record.path.strip_prefix(&*self.prefix) else {
            let message = format!("{} names a path outside {}", self.source, c.store_dir);
            c.warnings.push(WarningKind::OddRow, record.path, message);
            c.outside.get_or_insert_with(|| record.path.escape_ascii().to_string());
            return Ok(None);
        };
        let name = match StorePath::parse(base) {
            Ok(path) => path.base_name(),
            Err(e) => {
                let message =
                    format!("{} names something that is not a store path: {e}", self.source);
                c.warnings.push(WarningKind::OddRow, record.path, message);
                return Ok(None);
            }
        };
        if record.nar_size.is_none() && self.names_unknown_sizes {
            let message = format!("{} does not know its NAR size", self.source);
            c.warnings.push(WarningKind::UnknownNarSize, record.path, message);
        }
        // Sums of NAR sizes are taken all over; this makes them safe.
        self.nar_size = (self.nar_size)
            .checked_add(record.nar_size.unwrap_or(0))
            .ok_or(TooLarge("its NAR sizes sum to 2^64 bytes or more"))?;
        let deriver = record.deriver.strip_prefix(&*self.prefix).unwrap_or(record.deriver);
        let room = c.names.push(name)
            && push_text(&mut c.derivers, deriver, &mut self.scratch)
            && push_text(&mut c.signatures, record.signatures, &mut self.scratch)
            && push_text(&mut c.content_addresses, record.content_address, &mut self.scratch);
        if !room {
            return Err(TooLarge("4 GiB of text or more"));
        }
        c.nar_sizes.push(record.nar_size.and_then(Size::new));
        c.hashes.push(record.hash.unwrap_or([0; 32]));
        c.registration_times.push(record.registration_time.and_then(Time::new));
        c.ultimate.push(record.ultimate);
        Ok(Some(number))
    }

    /// Adds a reference between two records.
    #[inline]
    pub fn add_reference(&mut self, referrer: u32, reference: u32) {
        self.references.push((referrer, reference));
    }

    /// Adds references between records.
    pub(super) fn add_references(&mut self, mut pairs: Vec<(u32, u32)>) {
        match self.references.is_empty() {
            true => self.references = pairs,
            false => self.references.append(&mut pairs),
        }
    }

    /// Adds a reference of a record to a path that is not among the records: a
    /// base name, or a full path where it is in another store directory.
    pub(crate) fn add_unlisted_reference(&mut self, referrer: u32, reference: &str) {
        self.unlisted.push((referrer, reference.into()));
    }

    /// Says what the source knows of the sum of NAR sizes over the closure of a
    /// record.
    pub(crate) fn set_closure_size(&mut self, number: u32, size: u64) {
        self.closure_sizes.push((number, size));
    }

    /// Says how large the file is that a binary cache serves for a record.
    pub(crate) fn set_download_size(&mut self, number: u32, size: u64) {
        self.download_sizes.push((number, size));
    }

    /// Says that the source has not this column of a path info.
    pub(crate) fn set_missing_column(&mut self, column: &'static str) {
        self.catalog.missing_columns.push(column);
    }

    /// Says which output of its derivation a record is.
    pub fn set_output(&mut self, number: u32, output: &str) {
        self.outputs.push((number, output.into()));
    }

    /// Says that a record is an output of a derivation, another record.
    pub fn add_derivation_output(&mut self, derivation: u32, output: u32) {
        self.derivation_outputs.push((derivation, output));
    }

    /// The full path of the record of that number.
    pub(crate) fn path(&self, number: u32) -> String {
        self.catalog.path(PathId::new(number))
    }

    /// The number of each path added so far, by base name: for sources that
    /// name their references.
    pub(crate) fn numbers(&self) -> HashMap<&str, u32> {
        self.catalog.names.iter().zip(0u32..).collect()
    }

    /// The catalog: records by name, references and referrers ascending and
    /// each once. A second record of one path is dropped with a warning.
    ///
    /// # Errors
    /// If the store is too large.
    pub fn finish(self) -> Result<Catalog, TooLarge> {
        let Self {
            catalog: mut c, mut references, outputs, mut derivation_outputs, source, ..
        } = self;
        let (undeletable, beside_odd_rows) = (self.undeletable, self.beside_odd_rows);
        let count = c.names.len();
        // Half of the hash part is enough to distinguish nearly all names, without a look
        // at the text.
        let prefix = |number: u32| {
            let name = c.names.get(number as usize).as_bytes();
            u128::from_be_bytes(std::array::from_fn(|i| name[i]))
        };
        let mut order: Vec<(u128, u32)> =
            (0..count as u32).map(|number| (prefix(number), number)).collect();
        threads::ready();
        order.par_sort_unstable_by(|(a, m), (b, n)| {
            let names = || c.names.get(*m as usize).cmp(c.names.get(*n as usize));
            a.cmp(b).then_with(names).then(m.cmp(n))
        });
        // Where each number went; a repeated name goes where its first went.
        let mut ids = vec![0u32; count];
        let mut kept: Vec<u32> = Vec::with_capacity(count);
        for &(_, number) in &order {
            let name = c.names.get(number as usize);
            if kept.last().is_some_and(|&last| c.names.get(last as usize) == name) {
                let path = format!("{}/{name}", c.store_dir);
                let message = format!("{source} has it more than once");
                c.warnings.push(WarningKind::OddRow, path, message);
            } else {
                kept.push(number);
            }
            ids[number as usize] = kept.len() as u32 - 1;
        }
        c.names = c.names.permuted(&kept);
        c.derivers = c.derivers.permuted(&kept);
        c.signatures = c.signatures.permuted(&kept);
        c.content_addresses = c.content_addresses.permuted(&kept);
        c.nar_sizes = permuted(&c.nar_sizes, &kept);
        c.hashes = permuted(&c.hashes, &kept);
        c.registration_times = permuted(&c.registration_times, &kept);
        c.ultimate = permuted(&c.ultimate, &kept);
        let sizes = |sizes: Vec<(u32, u64)>| {
            sizes.into_iter().map(|(n, size)| (PathId::new(ids[n as usize]), size)).collect()
        };
        c.closure_sizes = sizes(self.closure_sizes);
        c.download_sizes = sizes(self.download_sizes);
        for (number, reference) in self.unlisted {
            c.unlisted.entry(PathId::new(ids[number as usize])).or_default().push(reference);
        }
        for references in c.unlisted.values_mut() {
            references.sort_unstable();
            references.dedup();
        }
        c.outputs = outputs.into_iter().map(|(n, o)| (PathId::new(ids[n as usize]), o)).collect();
        for pair in &mut derivation_outputs {
            *pair = (ids[pair.0 as usize], ids[pair.1 as usize]);
        }
        let id = |number: u32| PathId::new(ids[number as usize]);
        c.undeletable = undeletable.into_iter().map(id).collect();
        c.undeletable.sort_unstable();
        c.undeletable.dedup();
        c.beside_odd_rows = beside_odd_rows.into_iter().map(|(n, end)| (id(n), end)).collect();
        c.beside_odd_rows.sort_unstable();
        c.beside_odd_rows.dedup();
        derivation_outputs.sort_unstable();
        derivation_outputs.dedup();
        c.derivation_outputs = Rows::from_pairs(kept.len(), derivation_outputs.iter().copied());
        u32::try_from(references.len()).map_err(|_| TooLarge("2^32 references or more"))?;
        for pair in &mut references {
            *pair = (ids[pair.0 as usize], ids[pair.1 as usize]);
        }
        // By referrer, then by reference; transposing twice sorts the rows.
        let rows = Rows::from_pairs(kept.len(), references.iter().copied());
        drop(references);
        let referrers = rows.transpose(kept.len());
        drop(rows);
        c.references = referrers.transpose(kept.len());
        c.referrers = referrers;
        if c.references.iter().any(|row| row.windows(2).any(|w| w[0] == w[1])) {
            let lists: Vec<Vec<u32>> = (c.references.iter())
                .map(|row| {
                    let mut row = row.to_vec();
                    row.dedup();
                    row
                })
                .collect();
            c.references = Rows::from_lists(&lists);
            c.referrers = c.references.transpose(kept.len());
        }
        Ok(c)
    }
}

fn permuted<T: Copy>(column: &[T], order: &[u32]) -> Vec<T> {
    order.iter().map(|&i| column[i as usize]).collect()
}

/// Appends text that should be UTF-8; what is not is escaped.
fn push_text(column: &mut Strings, bytes: &[u8], scratch: &mut String) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(text) => column.push(text),
        Err(_) => {
            scratch.clear();
            scratch.push_str(&bytes.escape_ascii().to_string());
            column.push(scratch)
        }
    }
}
