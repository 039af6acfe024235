//! From records that name their references to a [`Catalog`]: what the sources
//! besides a database have in common.

use super::sniff::OtherFormat;
use super::{Builder, Catalog, Record, Strings, TooLarge};
use crate::nar::hash::{Algorithm, Hash};
use crate::warning::WarningKind;
use std::io;

/// Why a source of path infos could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error("line {line}: {problem}")]
    Syntax {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
    /// It is something else.
    #[error("line {line}: this is not {wanted} but {seen}")]
    Other {
        /// The line, from 1.
        line: u64,
        /// What it should be.
        wanted: &'static str,
        /// What it seems to be.
        seen: OtherFormat,
    },
    /// It says that its paths are in another store directory.
    #[error("its store directory is {found}, not {store_dir}")]
    StoreDirectory {
        /// The store directory asked for.
        store_dir: String,
        /// The one of the file.
        found: String,
    },
    /// More than 32 bits can count.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// One path as a source gives it, without its references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathInfo {
    /// The full path.
    pub path: Vec<u8>,
    /// The hash of its NAR, in any of Nix's ways; empty where unknown.
    pub hash: String,
    /// The NAR size in bytes, if known.
    pub nar_size: Option<u64>,
    /// In seconds since 1970, if known.
    pub registration_time: Option<i64>,
    /// The deriver's full path; empty where unknown.
    pub deriver: Vec<u8>,
    /// Signatures, separated by spaces.
    pub signatures: String,
    /// The content address; empty where there is none.
    pub content_address: String,
    /// Whether the path was built here.
    pub ultimate: bool,
    /// The sum of NAR sizes over its closure in bytes, if stated.
    pub closure_size: Option<u64>,
    /// The size in bytes of what a binary cache serves, if stated.
    pub download_size: Option<u64>,
}

/// Collects path infos and makes a catalog of them.
#[derive(Debug)]
pub(super) struct Importer {
    builder: Builder,
    store_dir: String,
    /// Base names of references, and the number of the path that has each.
    references: Strings,
    referrers: Vec<u32>,
    /// The first path of unknown NAR size, and how many there are.
    unknown_size: Option<Vec<u8>>,
    unknown_sizes: u64,
}

impl Importer {
    pub(super) fn new(store_dir: &str) -> Self {
        Self {
            builder: Builder::new(store_dir).of_file(),
            store_dir: store_dir.to_owned(),
            references: Strings::new(),
            referrers: Vec::new(),
            unknown_size: None,
            unknown_sizes: 0,
        }
    }

    pub(super) fn builder(&mut self) -> &mut Builder {
        &mut self.builder
    }

    /// Adds a path; its number, if it is one of this store.
    pub(super) fn add(&mut self, info: &PathInfo) -> Result<Option<u32>, TooLarge> {
        let hash = Hash::parse(&info.hash, Some(Algorithm::Sha256)).and_then(|h| h.sha256());
        if hash.is_none() && !info.hash.is_empty() {
            let message = format!("its hash is odd: {}", info.hash.escape_debug());
            self.builder.warnings().push(WarningKind::OddRow, info.path.as_slice(), message);
        }
        // Nix has 0 for what it does not know: no NAR is empty, no path of 1970.
        let nar_size = info.nar_size.filter(|&n| n != 0);
        let number = self.builder.add(&Record {
            path: &info.path,
            hash,
            nar_size,
            registration_time: info.registration_time.filter(|&t| t != 0),
            deriver: &info.deriver,
            signatures: info.signatures.as_bytes(),
            content_address: info.content_address.as_bytes(),
            ultimate: info.ultimate,
        })?;
        let Some(number) = number else { return Ok(None) };
        if nar_size.is_none() {
            self.unknown_sizes += 1;
            self.unknown_size.get_or_insert_with(|| info.path.clone());
        }
        if let Some(size) = info.closure_size {
            self.builder.set_closure_size(number, size);
        }
        if let Some(size) = info.download_size {
            self.builder.set_download_size(number, size);
        }
        Ok(Some(number))
    }

    /// Adds a reference of the path of that number, a full path or a base name.
    pub(super) fn add_reference(
        &mut self,
        referrer: u32,
        reference: &[u8],
    ) -> Result<(), TooLarge> {
        let base = match reference.strip_prefix(self.store_dir.as_bytes()) {
            Some(rest) => rest.strip_prefix(b"/").unwrap_or(rest),
            None => reference,
        };
        let text = String::from_utf8_lossy(base);
        if !self.references.push(&text) {
            return Err(TooLarge("4 GiB of references or more"));
        }
        self.referrers.push(referrer);
        Ok(())
    }

    /// The catalog. References to paths that were not added are kept by name.
    pub(super) fn finish(mut self) -> Result<Catalog, TooLarge> {
        let mut pairs = Vec::with_capacity(self.referrers.len());
        let mut unlisted = Vec::new();
        {
            let numbers = self.builder.numbers();
            for (&referrer, reference) in self.referrers.iter().zip(self.references.iter()) {
                match numbers.get(reference) {
                    Some(&number) => pairs.push((referrer, number)),
                    None => unlisted.push((referrer, reference)),
                }
            }
        }
        for (from, to) in unlisted {
            self.builder.add_unlisted_reference(from, to);
        }
        for (from, to) in pairs {
            self.builder.add_reference(from, to);
        }
        if let Some(first) = self.unknown_size {
            let message = match self.unknown_sizes {
                1 => "the file does not state its NAR size".to_owned(),
                2 => "the file does not state its NAR size, nor that of another path".to_owned(),
                n => {
                    format!("the file does not state its NAR size, nor those of {} others", n - 1)
                }
            };
            self.builder.warnings().push(WarningKind::UnknownNarSize, first, message);
        }
        self.builder.finish()
    }
}
