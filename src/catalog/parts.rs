//! A catalog taken apart and put together again, for those who keep one in a
//! file: parts from a file are checked for all that a catalog promises.

use super::build_trace::{Trace, TraceTable};
use super::niche::{Size, Time};
use super::{COLUMNS, Catalog, OddEnd, PathId, Strings};
use crate::arrange::Arrange as _;
use crate::graph::Rows;
use crate::store::StorePath;
use crate::threads;
use crate::warning::Warnings;
use std::collections::HashMap;

/// What a catalog is made of. Numbers are ids.
#[derive(Debug, Default)]
pub(crate) struct CatalogParts {
    pub store_dir: String,
    pub names: Strings,
    pub nar_sizes: Vec<Option<u64>>,
    pub hashes: Vec<[u8; 32]>,
    pub registration_times: Vec<Option<i64>>,
    pub derivers: Strings,
    pub signatures: Strings,
    pub content_addresses: Strings,
    pub ultimate: Vec<bool>,
    pub references: Rows,
    pub more: MoreParts,
    pub warnings: Warnings,
}

/// What most catalogs have little of. Numbers are ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MoreParts {
    /// By path.
    pub outputs: Vec<(u32, Box<str>)>,
    /// Pairs of derivation and output, ascending.
    pub derivation_outputs: Vec<(u32, u32)>,
    pub outputs_known: bool,
    /// Table, key, output, path.
    pub traces: Vec<((bool, String), (String, String))>,
    pub unknown_traces: Vec<String>,
    pub undeletable: Vec<u32>,
    /// With whether the odd row is the referrer.
    pub beside_odd_rows: Vec<(u32, bool)>,
    pub unlisted: Vec<(u32, Vec<Box<str>>)>,
    pub closure_sizes: Vec<(u32, u64)>,
    pub download_sizes: Vec<(u32, u64)>,
    pub missing_columns: Vec<String>,
    pub schema: Option<u32>,
    pub outside: Option<String>,
    pub has_provenance: bool,
    pub is_part: bool,
}

/// Parts that no catalog is made of: what is wrong, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OddParts(pub(crate) &'static str);

impl Catalog {
    /// Whether these are not all valid paths of the store, but the closure of
    /// some: who else refers to them, and what else there is, is not known.
    pub fn is_part(&self) -> bool {
        self.is_part
    }

    /// The columns of texts: names, derivers, signatures, content addresses.
    pub(crate) fn texts(&self) -> [&Strings; 4] {
        [&self.names, &self.derivers, &self.signatures, &self.content_addresses]
    }

    /// What most catalogs have little of.
    pub(crate) fn more_parts(&self) -> MoreParts {
        fn sorted<T>(map: &HashMap<PathId, T>) -> Vec<(u32, &T)> {
            let mut all: Vec<(u32, &T)> =
                map.iter().map(|(id, value)| (id.node(), value)).collect();
            all.arrange_by_key(|&(id, _)| id);
            all
        }
        let sizes = |map| sorted(map).into_iter().map(|(id, &size)| (id, size)).collect();
        let trace = |t: &Trace| {
            let newer = t.table == TraceTable::BuildTraceV3;
            ((newer, t.key.clone()), (t.output.clone(), t.path.clone()))
        };
        let outputs = |drv: u32| self.derivation_outputs.row(drv).iter().map(move |&o| (drv, o));
        MoreParts {
            outputs: sorted(&self.outputs).into_iter().map(|(id, o)| (id, o.clone())).collect(),
            derivation_outputs: (0..self.derivation_outputs.len() as u32)
                .flat_map(outputs)
                .collect(),
            outputs_known: self.outputs_known,
            traces: self.traces.iter().map(trace).collect(),
            unknown_traces: self.unknown_traces.clone(),
            undeletable: self.undeletable.iter().map(|id| id.node()).collect(),
            beside_odd_rows: (self.beside_odd_rows.iter())
                .map(|(id, end)| (id.node(), *end == OddEnd::Referrer))
                .collect(),
            unlisted: sorted(&self.unlisted).into_iter().map(|(id, r)| (id, r.clone())).collect(),
            closure_sizes: sizes(&self.closure_sizes),
            download_sizes: sizes(&self.download_sizes),
            missing_columns: self.missing_columns.iter().map(|&name| name.to_owned()).collect(),
            schema: self.schema,
            outside: self.outside.clone(),
            has_provenance: self.has_provenance,
            is_part: self.is_part,
        }
    }

    /// The catalog of some paths alone, by id, ascending and distinct; with them
    /// must be all that they refer to.
    pub(crate) fn part(&self, ids: &[PathId]) -> Self {
        let order: Vec<u32> = ids.iter().map(|id| id.node()).collect();
        let mut new = vec![u32::MAX; self.len()];
        for (to, &from) in (0u32..).zip(&order) {
            new[from as usize] = to;
        }
        let there = |id: u32| Some(new[id as usize]).filter(|&id| id != u32::MAX);
        let mut references = Rows::default();
        let mut row = Vec::new();
        for &from in &order {
            row.clear();
            row.extend(self.references.row(from).iter().filter_map(|&to| there(to)));
            references.push(&row);
        }
        let more = self.more_parts();
        fn kept<T>(all: Vec<(u32, T)>, there: impl Fn(u32) -> Option<u32>) -> Vec<(u32, T)> {
            all.into_iter().filter_map(|(id, value)| Some((there(id)?, value))).collect()
        }
        let more = MoreParts {
            outputs: kept(more.outputs, there),
            derivation_outputs: (more.derivation_outputs.into_iter())
                .filter_map(|(drv, output)| Some((there(drv)?, there(output)?)))
                .collect(),
            // What the store's other paths are to these is not known any more.
            outputs_known: false,
            traces: Vec::new(),
            unknown_traces: Vec::new(),
            undeletable: more.undeletable.into_iter().filter_map(there).collect(),
            beside_odd_rows: kept(more.beside_odd_rows, there),
            unlisted: kept(more.unlisted, there),
            closure_sizes: kept(more.closure_sizes, there),
            download_sizes: kept(more.download_sizes, there),
            missing_columns: more.missing_columns,
            schema: more.schema,
            outside: more.outside,
            has_provenance: more.has_provenance,
            is_part: true,
        };
        let parts = CatalogParts {
            store_dir: self.store_dir.clone(),
            names: self.names.permuted(&order),
            nar_sizes: ids.iter().map(|&id| self.nar_size(id)).collect(),
            hashes: order.iter().map(|&id| self.hashes[id as usize]).collect(),
            registration_times: ids.iter().map(|&id| self.registration_time(id)).collect(),
            derivers: self.derivers.permuted(&order),
            signatures: self.signatures.permuted(&order),
            content_addresses: self.content_addresses.permuted(&order),
            ultimate: ids.iter().map(|&id| self.ultimate(id)).collect(),
            references,
            more,
            warnings: self.warnings.clone(),
        };
        parts.into_catalog().expect("parts of a catalog are in order")
    }
}

impl CatalogParts {
    /// The catalog of these parts.
    ///
    /// # Errors
    /// If something is not as a catalog has it.
    pub(crate) fn into_catalog(self) -> Result<Catalog, OddParts> {
        let count = self.names.len();
        if count >= u32::MAX as usize {
            return Err(OddParts("too many paths"));
        }
        let lengths = [
            self.nar_sizes.len(),
            self.hashes.len(),
            self.registration_times.len(),
            self.derivers.len(),
            self.signatures.len(),
            self.content_addresses.len(),
            self.ultimate.len(),
            self.references.len(),
        ];
        if lengths != [count; 8] {
            return Err(OddParts("columns of different lengths"));
        }
        if !self.store_dir.starts_with('/') || self.store_dir.len() > 4096 {
            return Err(OddParts("an odd store directory"));
        }
        let name = |i: usize| self.names.get(i);
        let in_order = |i: usize| {
            StorePath::parse(name(i).as_bytes()).is_ok() && (i == 0 || name(i - 1) < name(i))
        };
        if !threads::all(count, 4096, in_order) {
            return Err(OddParts("names that are no store paths or out of order"));
        }
        let sum = self.nar_sizes.iter().flatten().try_fold(0u64, |sum, &n| sum.checked_add(n));
        if sum.is_none() {
            return Err(OddParts("NAR sizes that sum to 2^64 bytes or more"));
        }
        let valid = |row: &[u32]| {
            row.windows(2).all(|w| w[0] < w[1]) && row.last().is_none_or(|&t| (t as usize) < count)
        };
        if !self.references.iter().all(valid) {
            return Err(OddParts("references out of order"));
        }
        let referrers = self.references.transpose(count);
        let mut catalog = Catalog {
            store_dir: self.store_dir,
            names: self.names,
            nar_sizes: self.nar_sizes.iter().map(|n| n.and_then(Size::new)).collect(),
            hashes: self.hashes,
            registration_times: (self.registration_times.iter())
                .map(|n| n.and_then(Time::new))
                .collect(),
            derivers: self.derivers,
            signatures: self.signatures,
            content_addresses: self.content_addresses,
            ultimate: self.ultimate,
            references: self.references,
            referrers,
            warnings: self.warnings,
            ..Catalog::default()
        };
        self.more.put_into(&mut catalog)?;
        Ok(catalog)
    }
}

impl MoreParts {
    fn put_into(self, catalog: &mut Catalog) -> Result<(), OddParts> {
        let count = catalog.len();
        let id = |n: u32| match (n as usize) < count {
            true => Ok(PathId::new(n)),
            false => Err(OddParts("a path that is not there")),
        };
        fn map<T>(
            pairs: Vec<(u32, T)>,
            id: impl Fn(u32) -> Result<PathId, OddParts>,
        ) -> Result<HashMap<PathId, T>, OddParts> {
            pairs.into_iter().map(|(n, value)| Ok((id(n)?, value))).collect()
        }
        if !self.derivation_outputs.windows(2).all(|w| w[0] < w[1]) {
            return Err(OddParts("outputs of derivations out of order"));
        }
        for &(drv, output) in &self.derivation_outputs {
            id(drv)?;
            id(output)?;
        }
        catalog.derivation_outputs =
            Rows::from_pairs(count, self.derivation_outputs.iter().copied());
        catalog.outputs = map(self.outputs, id)?;
        catalog.outputs_known = self.outputs_known;
        catalog.traces = (self.traces.into_iter())
            .map(|((newer, key), (output, path))| {
                let table = if newer { TraceTable::BuildTraceV3 } else { TraceTable::Realisations };
                Trace { table, key, output, path }
            })
            .collect();
        catalog.unknown_traces = self.unknown_traces;
        catalog.undeletable =
            self.undeletable.into_iter().map(id).collect::<Result<_, OddParts>>()?;
        if !catalog.undeletable.windows(2).all(|w| w[0] < w[1]) {
            return Err(OddParts("undeletable paths out of order"));
        }
        let end = |referrer| if referrer { OddEnd::Referrer } else { OddEnd::Reference };
        catalog.beside_odd_rows = (self.beside_odd_rows.into_iter())
            .map(|(n, referrer)| Ok((id(n)?, end(referrer))))
            .collect::<Result<_, OddParts>>()?;
        if !catalog.beside_odd_rows.windows(2).all(|w| w[0] < w[1]) {
            return Err(OddParts("paths beside odd rows out of order"));
        }
        catalog.unlisted = map(self.unlisted, id)?;
        catalog.closure_sizes = map(self.closure_sizes, id)?;
        catalog.download_sizes = map(self.download_sizes, id)?;
        for name in self.missing_columns {
            let known = COLUMNS.iter().find(|known| **known == name);
            catalog.missing_columns.push(known.ok_or(OddParts("a column that is not known"))?);
        }
        catalog.schema = self.schema;
        catalog.outside = self.outside;
        catalog.has_provenance = self.has_provenance;
        catalog.is_part = self.is_part;
        Ok(())
    }
}
