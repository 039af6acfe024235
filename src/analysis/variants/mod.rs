//! The same thing twice: several builds of one package in a closure, what each
//! costs, who needs it, and what one in place of all would save.

mod document;
mod groups;
mod identical;
use crate::arrange::Arrange as _;

use super::graph_changes::{Dropped, Edited, Gain, measure, most_tries};
use super::path_names::chain_to;
use super::retained::{Retained, SizeKind, Sizes};
use crate::census::{Census, PathIndex};
use crate::disk::DiskError;
use crate::fs::StoreFiles;
use crate::graph::{NodeSet, ShortestPaths, TooHeavy};
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;

pub use groups::Family;
pub(super) use groups::{families, replacements};
pub use identical::Identical;

/// One build of a package. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The path.
    pub path: PathIndex,
    /// The NAR size of what it alone keeps, itself included; if known.
    pub retained_nar_size: Option<u64>,
    /// The same on disk.
    pub retained_disk_size: Option<u64>,
    /// The same in extents, if these are known.
    pub retained_physical_size: Option<u64>,
    /// What it has in common with other builds; `None` if files were not read.
    pub identical: Option<Identical>,
    /// Who refers to it, itself not among them.
    pub held_by: Vec<PathIndex>,
    /// A shortest chain from a target, or a path that nothing refers to, to it.
    pub chain: Vec<PathIndex>,
    /// The build that could take its place.
    pub replaced_by: Option<PathIndex>,
    /// What that saves, by itself; nothing is known of it where it was not tried.
    pub saves: Gain,
}

/// Several builds of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantGroup {
    /// What they have in common.
    pub family: Family,
    /// The builds, largest first.
    pub variants: Vec<Variant>,
    /// What it saves if each build is replaced that can be; nothing is known of it
    /// where it was not tried.
    pub saves: Gain,
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
        let variant = |(&path, replaced_by): (&PathIndex, Option<PathIndex>)| {
            let others = referrers.row(path.node()).iter().map(|&node| PathIndex::new(node));
            Variant {
                path,
                retained_nar_size: retained.nar_size(path),
                retained_disk_size: retained.disk_size(path),
                retained_physical_size: retained.physical_size(path),
                identical: identical
                    .as_ref()
                    .map(|found| found.get(&path).copied().unwrap_or_default()),
                held_by: others.filter(|&other| other != path).collect(),
                chain: chain_to(&chains, path),
                replaced_by,
                saves: Gain::default(),
            }
        };
        let mut groups: Vec<VariantGroup> = (families.into_iter())
            .map(|(family, builds)| {
                let places = replacements(census, &builds);
                let variants = builds.iter().zip(places).map(variant).collect();
                VariantGroup { family, variants, saves: Gain::default() }
            })
            .collect();
        let by = SizeKind::of(census);
        Tried::new(census, graph).all(&mut groups, by, most_tries(census), &mut warnings);
        groups.arrange_by(|a, b| {
            let order = |group: &VariantGroup| Reverse(group.saves.get(by));
            (order(a), &a.family).cmp(&(order(b), &b.family))
        });
        Ok(Self { groups, warnings })
    }
}

/// Replacements made in thought.
struct Tried<'a> {
    census: &'a Census,
    graph: Edited,
    before: (NodeSet, Sizes),
}

impl<'a> Tried<'a> {
    fn new(census: &'a Census, graph: Edited) -> Self {
        let all = graph.reached();
        let sizes = measure(census, &all, &Dropped::default());
        Self { census, graph, before: (all, sizes) }
    }

    /// Finds what groups save, and each build by itself: those whose builds retain
    /// most first, with `left` tries.
    fn all(
        &self,
        groups: &mut [VariantGroup],
        by: SizeKind,
        mut left: usize,
        warnings: &mut Warnings,
    ) {
        let retained = |variant: &Variant| match by {
            SizeKind::Nar => variant.retained_nar_size,
            SizeKind::Disk => variant.retained_physical_size.or(variant.retained_disk_size),
        };
        let most = |group: &VariantGroup| {
            group.variants.iter().filter(|v| v.replaced_by.is_some()).filter_map(retained).max()
        };
        let mut order: Vec<&mut VariantGroup> = groups.iter_mut().collect();
        order.arrange_by_cached_key(|group| (Reverse(most(group)), group.family.clone()));
        let mut untried = 0u64;
        for group in order {
            let replaced: Vec<(PathIndex, PathIndex)> =
                group.variants.iter().filter_map(|v| Some((v.path, v.replaced_by?))).collect();
            let tries = if replaced.len() > 1 { replaced.len() + 1 } else { replaced.len() };
            if tries > left {
                // Smaller groups after it may still be tried.
                untried += replaced.len() as u64;
                continue;
            }
            left -= tries;
            for variant in &mut group.variants {
                if let Some(new) = variant.replaced_by {
                    variant.saves = self.saves(&[(variant.path, new)]);
                }
            }
            group.saves = match &replaced[..] {
                [] => self.nothing(),
                [_] => (group.variants.iter().find(|v| v.replaced_by.is_some()))
                    .map_or(self.nothing(), |variant| variant.saves),
                _ => self.saves(&replaced),
            };
        }
        if untried > 0 {
            let message = format!(
                "what {untried} replacements save was not tried, as each goes over the whole \
                 graph: those that retain most were tried first"
            );
            warnings.push(WarningKind::Unchecked, self.census.catalog.store_dir(), message);
        }
    }

    /// What is saved when nothing changes.
    fn nothing(&self) -> Gain {
        let zero = self.census.disk.is_some().then_some(0);
        let physical_size = zero.filter(|_| self.census.knows_physical());
        Gain { nar_size: Some(0), disk_size: zero, physical_size, inodes: zero }
    }

    /// What is saved when the second of each pair takes the first's place.
    fn saves(&self, replacements: &[(PathIndex, PathIndex)]) -> Gain {
        let mut graph = self.graph.clone();
        for &(old, new) in replacements {
            graph.replace(&[old], new);
        }
        let reached = graph.reached();
        let nothing = Dropped::default();
        let after = measure(self.census, &reached, &nothing);
        let before = (&self.before.0, self.before.1);
        Gain::between(self.census, before, (&reached, after), &nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_is_unknown_and_said() {
        let census = groups::tests::census(4, &[]);
        let all = Variants::new(&census, None, Some(1)).unwrap();
        let saves = |group: &VariantGroup| group.saves.nar_size;
        assert_eq!(all.groups.iter().map(saves).collect::<Vec<_>>(), [Some(999 + 998 + 997)]);
        assert!(all.warnings.complete());
        let mut groups = all.groups;
        for group in &mut groups {
            group.saves = Gain::default();
            group.variants.iter_mut().for_each(|variant| variant.saves = Gain::default());
        }
        let graph = Edited::new(&census, &census.targets);
        let mut warnings = Warnings::new();
        // Three replacements and all together are four tries.
        Tried::new(&census, graph).all(&mut groups, SizeKind::Nar, 3, &mut warnings);
        assert_eq!(groups[0].saves, Gain::default());
        assert!(groups[0].variants.iter().all(|variant| variant.saves == Gain::default()));
        assert!(!warnings.complete());
        let first = warnings.iter().next().unwrap();
        assert!(first.message.starts_with("what 3 replacements save was not tried"), "{first:?}");
    }
}
