//! From records that name their references to a [`Catalog`]: what the sources
//! besides a database have in common.

use super::{Builder, Catalog, Record, Strings, TooLarge};
use crate::nar::hash::{Algorithm, Hash};
use crate::warning::WarningKind;
use std::io;

/// Why a source of path infos could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Reading failed.
    #[error("cannot read it")]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error("line {line}: {problem}")]
    Syntax {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
    /// More than 32 bits can count.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// One path as a source tells it, its references told apart from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathInfo {
    /// The full path.
    pub path: Vec<u8>,
    /// The hash of its NAR, in any of Nix's ways; empty where unknown.
    pub hash: String,
    /// The NAR size in bytes, if known.
    pub nar_size: Option<u64>,
    /// In seconds since 1970; 0 where unknown.
    pub registration_time: i64,
    /// The deriver's full path; empty where unknown.
    pub deriver: Vec<u8>,
    /// Signatures, separated by spaces.
    pub signatures: String,
    /// The content address; empty where there is none.
    pub content_address: String,
    /// Whether the path was built here.
    pub ultimate: bool,
}

/// Collects path infos and makes a catalog of them.
#[derive(Debug)]
pub(super) struct Importer {
    builder: Builder,
    store_dir: String,
    /// Base names of references, and the number of the path that has each.
    references: Strings,
    referrers: Vec<u32>,
}

impl Importer {
    pub(super) fn new(store_dir: &str) -> Self {
        Self {
            builder: Builder::new(store_dir),
            store_dir: store_dir.to_owned(),
            references: Strings::new(),
            referrers: Vec::new(),
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
        self.builder.add(&Record {
            path: &info.path,
            hash,
            nar_size: info.nar_size.filter(|&n| n != 0),
            registration_time: info.registration_time,
            deriver: &info.deriver,
            signatures: info.signatures.as_bytes(),
            content_address: info.content_address.as_bytes(),
            ultimate: info.ultimate,
        })
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

    /// The catalog. A reference to a path that was not added becomes a warning.
    pub(super) fn finish(mut self) -> Result<Catalog, TooLarge> {
        let mut pairs = Vec::with_capacity(self.referrers.len());
        let mut dangling = Vec::new();
        {
            let numbers = self.builder.numbers();
            let names: Vec<&str> = self.builder.base_names().collect();
            for (&referrer, reference) in self.referrers.iter().zip(self.references.iter()) {
                match numbers.get(reference) {
                    Some(&number) => pairs.push((referrer, number)),
                    None => {
                        dangling.push((names[referrer as usize].to_owned(), reference.to_owned()));
                    }
                }
            }
        }
        for (from, to) in dangling {
            let message = format!("its reference {to} is no valid path");
            let path = format!("{}/{from}", self.store_dir);
            self.builder.warnings().push(WarningKind::DanglingReference, path, message);
        }
        for (from, to) in pairs {
            self.builder.add_reference(from, to);
        }
        self.builder.finish()
    }
}
