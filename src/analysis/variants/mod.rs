//! The same thing twice: several builds of one package in a closure, what each
//! costs, who needs it, and what one in place of all would save.

mod document;
mod groups;
mod identical;

use super::graph_changes::{Dropped, Edited, known_nar_change, measure};
use super::retained::{Retained, SizeKind};
use crate::census::{Census, PathIndex};
use crate::disk::DiskError;
use crate::fs::StoreFiles;
use crate::graph::{ShortestPaths, TooHeavy};
use crate::warning::Warnings;
use std::cmp::Reverse;

pub use groups::Family;
pub(super) use groups::{families, in_place_of};
pub use identical::Identical;

/// What variants cost and save. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saving {
    /// NAR size; `None` if that of a path that goes is unknown.
    pub nar_size: Option<u64>,
    /// Disk size; `None` if the disk was not asked.
    pub disk_size: Option<u64>,
}

/// One build of a package. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The path.
    pub path: PathIndex,
    /// The NAR size of what it alone keeps, itself included; if known.
    pub retained_nar_size: Option<u64>,
    /// The same on disk.
    pub retained_disk_size: Option<u64>,
    /// What it has in common with other builds; `None` if files were not read.
    pub identical: Option<Identical>,
    /// Who refers to it, itself not among them.
    pub held_by: Vec<PathIndex>,
    /// A shortest chain from a target, or a path that nothing refers to, to it.
    pub chain: Vec<PathIndex>,
    /// The build that could take its place.
    pub replaced_by: Option<PathIndex>,
    /// What that saves, by itself.
    pub saves: Saving,
}

/// Several builds of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantGroup {
    /// What they have in common.
    pub family: Family,
    /// The builds, largest first.
    pub variants: Vec<Variant>,
    /// What it saves if each build is replaced that can be.
    pub saves: Saving,
}

/// All packages of which several builds are examined.
#[derive(Debug)]
pub struct Variants {
    /// The packages, those that save most first.
    pub groups: Vec<VariantGroup>,
    /// What was left out, and why.
    pub warnings: Warnings,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum VariantsError {
    /// Sizes sum to 2^64 bytes or more.
    #[error(transparent)]
    TooHeavy(#[from] TooHeavy),
    /// Files could not be compared.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Variants {
    /// Finds the variants among the examined paths; `files` are read to find
    /// which of them are identical.
    ///
    /// # Errors
    /// See [`VariantsError`].
    pub fn new(
        census: &Census,
        files: Option<&StoreFiles>,
        threads: Option<usize>,
    ) -> Result<Self, VariantsError> {
        let mut warnings = census.warnings.clone();
        let families = families(census);
        let builds: Vec<Vec<PathIndex>> = families.values().cloned().collect();
        let identical = match files {
            Some(files) if census.disk.is_some() => {
                Some(identical::find(census, files, &builds, threads, &mut warnings)?)
            }
            _ => None,
        };
        let retained = Retained::new(census)?;
        let graph = Edited::new(census, &census.targets);
        let chains = ShortestPaths::new(census.references(), &graph.roots);
        let referrers = census.references().transpose(census.len());
        let tried = Tried::new(census, graph);
        let variant = |builds: &[PathIndex], path: PathIndex| {
            let replaced_by = in_place_of(census, builds, path);
            let others = referrers.row(path.node()).iter().map(|&node| PathIndex::new(node));
            let chain = chains.to(path.node()).unwrap_or_default();
            Variant {
                path,
                retained_nar_size: retained.nar_size(path),
                retained_disk_size: retained.disk_size(path),
                identical: identical
                    .as_ref()
                    .map(|found| found.get(&path).copied().unwrap_or_default()),
                held_by: others.filter(|&other| other != path).collect(),
                chain: chain.into_iter().map(PathIndex::new).collect(),
                replaced_by,
                saves: replaced_by.map(|new| tried.saves(&[(path, new)])).unwrap_or_default(),
            }
        };
        let mut groups: Vec<VariantGroup> = (families.into_iter())
            .map(|(family, builds)| {
                let variants: Vec<Variant> =
                    builds.iter().map(|&path| variant(&builds, path)).collect();
                let all: Vec<(PathIndex, PathIndex)> =
                    variants.iter().filter_map(|v| Some((v.path, v.replaced_by?))).collect();
                VariantGroup { family, variants, saves: tried.saves(&all) }
            })
            .collect();
        let by = SizeKind::of(census);
        let order = |saves: &Saving| match by {
            SizeKind::Disk => saves.disk_size,
            SizeKind::Nar => saves.nar_size,
        };
        groups.sort_by(|a, b| {
            (Reverse(order(&a.saves)), &a.family).cmp(&(Reverse(order(&b.saves)), &b.family))
        });
        Ok(Self { groups, warnings })
    }
}

/// Replacements made in thought.
struct Tried<'a> {
    census: &'a Census,
    graph: Edited,
    before: (crate::graph::NodeSet, super::retained::Sizes),
}

impl<'a> Tried<'a> {
    fn new(census: &'a Census, graph: Edited) -> Self {
        let all = graph.reached();
        let sizes = measure(census, &all, &Dropped::default());
        Self { census, graph, before: (all, sizes) }
    }

    /// What is saved when the second of each pair takes the first's place.
    fn saves(&self, replacements: &[(PathIndex, PathIndex)]) -> Saving {
        let mut graph = self.graph.clone();
        for &(old, new) in replacements {
            graph.replace(&[old], new);
        }
        let reached = graph.reached();
        let after = measure(self.census, &reached, &Dropped::default());
        let (all, before) = (&self.before.0, self.before.1);
        let nar =
            known_nar_change(self.census, (all, before), (&reached, after), &Dropped::default());
        Saving {
            nar_size: nar.map(|change| change.min(0).unsigned_abs()),
            disk_size: self.census.disk.is_some().then(|| before.disk.saturating_sub(after.disk)),
        }
    }
}
