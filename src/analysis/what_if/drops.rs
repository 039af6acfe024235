//! What steps drop, one after the other.

use super::drop_files::{self, File};
use super::{Change, FoundIn, WhatIfError, WhatIfStep};
use crate::analysis::graph_changes::Dropped;
use crate::arrange::Arrange as _;
use crate::census::Census;
use crate::disk::KindScan;
use crate::graph::NodeSet;
use crate::kinds::FileKind;
use crate::warning::Warnings;

/// What is left for steps to drop.
pub(super) enum Drops<'a> {
    /// Files, for each step that drops some.
    Files(std::vec::IntoIter<Vec<File>>),
    /// Kinds but those that are gone, by what a scan says of them.
    Kinds(&'a KindScan, Vec<FileKind>),
}

impl<'a> Drops<'a> {
    /// What cannot be read becomes a warning.
    pub(super) fn new(
        census: &Census,
        found_in: Option<FoundIn<'a>>,
        steps: &[WhatIfStep],
        threads: Option<usize>,
        warnings: &mut Warnings,
    ) -> Result<Self, WhatIfError> {
        let files = match found_in {
            Some(FoundIn::Kinds(scan)) => {
                let by_name = |step: &WhatIfStep| matches!(step.change, Change::DropFiles(_));
                return match steps.iter().any(by_name) {
                    true => Err(WhatIfError::NoFiles),
                    false => Ok(Self::Kinds(scan, Vec::new())),
                };
            }
            Some(FoundIn::Store(files)) => Some(files),
            None => None,
        };
        let found = drop_files::find(census, files, steps, threads, warnings)?;
        Ok(Self::Files(found.into_iter()))
    }

    /// Drops what the next step does; how many names of it are in paths that are reached: a
    /// file that only a path gone before held is not a gain.
    pub(super) fn take(
        &mut self,
        census: &Census,
        change: &Change,
        reached: &NodeSet,
        dropped: &mut Dropped<'_>,
    ) -> u64 {
        match (self, change) {
            (Self::Files(found), Change::DropFiles(_) | Change::DropKinds(_)) => {
                let found = found.next().unwrap_or_default();
                let names = found.iter().filter(|f| reached.contains(f.path.node())).count();
                found.into_iter().for_each(|file| file.take(dropped));
                names as u64
            }
            (Self::Kinds(scan, gone), Change::DropKinds(kinds)) => {
                let mut kinds = kinds.clone();
                kinds.arrange();
                kinds.dedup();
                kinds.retain(|kind| !gone.contains(kind));
                gone.extend(&kinds);
                let mut names = 0;
                for path in census.indexes() {
                    let of_path = dropped.take_kinds(scan, path, &kinds);
                    names += if reached.contains(path.node()) { of_path } else { 0 };
                }
                names
            }
            _ => 0,
        }
    }
}
