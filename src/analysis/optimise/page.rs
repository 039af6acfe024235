//! What a page for a browser shows of what optimising would save: the pairs of packages
//! and the files that these have in common.

use super::{Optimise, PairFiles, PairSaving, Saving};
use crate::analysis::page::{PageError, title, warnings};
use crate::answer::page::{Page, PageKind, Values};
use crate::census::{Census, PathIndex};
use crate::text::escape;
use serde_json::{Value, json};
use std::collections::HashMap;

impl Optimise {
    /// How many pairs and files of pairs there are, whichever is more.
    pub(crate) fn most_rows(&self) -> usize {
        self.breakdown.by_pair.len().max(self.breakdown.pair_files.len())
    }

    /// The page that names at most so many pairs and files of pairs, those that save most.
    ///
    /// # Errors
    /// See [`PageError`]; only a forged store is too large.
    pub(crate) fn page(&self, census: &Census, named: usize) -> Result<Page, PageError> {
        let outcome = &self.outcome;
        if outcome.bytes_freed.max(outcome.disk_freed).max(outcome.apparent_freed)
            >= Values::TOO_LARGE
        {
            return Err(PageError::TooLarge);
        }
        let (pairs, rest) = parted(&self.breakdown.by_pair, named);
        let (files, more) = parted(&self.breakdown.pair_files, named);
        let files: Vec<&PairFiles> =
            files.iter().filter(|of| (of.pair as usize) < pairs.len()).collect();
        // The packages of the pairs, by the path that stands for each.
        let mut packages: Vec<u32> =
            pairs.iter().flat_map(|pair| [Some(pair.path), pair.kept]).flatten().collect();
        packages.sort_unstable();
        packages.dedup();
        let place: HashMap<u32, u64> = packages.iter().copied().zip(0..).collect();
        let name = |path: &u32| {
            let package = census.catalog.package(census.id(PathIndex::new(*path)));
            escape(package.name.as_bytes())
        };
        let mut columns = vec![
            ("package", Values::Texts(packages.iter().map(name).collect())),
            (
                "pair_package",
                Values::Numbers(pairs.iter().map(|pair| Some(place[&pair.path])).collect()),
            ),
            (
                "pair_kept",
                Values::Numbers(pairs.iter().map(|pair| Some(place[&pair.kept?])).collect()),
            ),
        ];
        let of_pairs = |of: fn(&Saving) -> u64| {
            Values::Numbers(pairs.iter().map(|pair| Some(of(&pair.saving))).collect())
        };
        let of_files = |of: fn(&PairFiles) -> u64| {
            Values::Numbers(files.iter().map(|file| Some(of(file))).collect())
        };
        let file = |of: &&PairFiles| self.pair_file(of).map_or_else(String::new, |n| escape(&n));
        columns.extend([
            ("disk_freed", of_pairs(|saving| saving.disk_freed)),
            ("apparent_freed", of_pairs(|saving| saving.apparent_freed)),
            ("inodes_freed", of_pairs(|saving| saving.inodes_freed)),
            ("files_linked", of_pairs(|saving| saving.files_linked)),
            ("bytes_freed", of_pairs(|saving| saving.bytes_freed)),
            ("file", Values::Texts(files.iter().map(file).collect())),
            ("file_pair", of_files(|of| of.pair.into())),
            ("file_size", of_files(|of| of.size)),
            ("file_disk_freed", of_files(|of| of.saving.disk_freed)),
            ("file_files_linked", of_files(|of| of.saving.files_linked)),
        ]);
        let title = title(census);
        let mut facts = self.facts(census, rest, more.len());
        facts.push(("title", json!(title)));
        Ok(Page { kind: PageKind::Optimise, title, facts, columns })
    }

    fn facts(
        &self,
        census: &Census,
        rest: &[PairSaving],
        files: usize,
    ) -> Vec<(&'static str, Value)> {
        let outcome = &self.outcome;
        let certain = self.any_order.is_none_or(|any| any.disk_freed.is_certain());
        let unnamed = rest.iter().map(|pair| pair.saving.disk_freed);
        let unnamed = unnamed.fold(0, u64::saturating_add);
        let mut facts = vec![
            ("store_dir", json!(census.catalog.store_dir())),
            ("paths", json!(self.paths)),
            ("disk_freed", json!(outcome.disk_freed)),
            ("apparent_freed", json!(outcome.apparent_freed)),
            ("inodes_freed", json!(outcome.inodes_freed)),
            ("files_linked", json!(outcome.files_linked)),
            ("certain", json!(certain)),
            ("already_saved", json!(self.already_saved.disk_size)),
            ("line", json!(self.line().filter(|_| !self.guix))),
            ("nix", json!(format!("{} {}", self.nix.program(), self.nix.number()))),
            ("unnamed", json!({ "pairs": rest.len(), "disk_freed": unnamed, "files": files })),
        ];
        facts.extend(warnings(&self.warnings));
        facts
    }
}

/// The first so many, and the rest.
fn parted<T>(all: &[T], many: usize) -> (&[T], &[T]) {
    all.split_at(many.min(all.len()))
}
