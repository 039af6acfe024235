//! Budgets: what a closure may weigh and hold, which are broken, and what did it.

mod document;
use crate::arrange::Arrange as _;

use super::diff::{ChangeKind, Diff, PackageChange};
use super::path_names::chain_to;
use super::retained::{Retained, examined_roots};
use super::suggest::leftovers;
use super::variants::{Variants, VariantsError};
use crate::answer::CheckStatus;
use crate::census::{Census, PathIndex};
use crate::disk::{KindScan, physical_unknown};
use crate::fs::SizeIs;
use crate::graph::{ShortestPaths, TooHeavy};
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;

/// How many of what did it are listed where there may be very many.
const CULPRITS: usize = 10;

/// A size for all paths that a pattern names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternBudget {
    /// The pattern.
    pub pattern: String,
    /// The most that each of the paths may have, in bytes of NAR size.
    pub limit: u64,
    /// The paths that it names; none is allowed.
    pub paths: Vec<PathIndex>,
}

/// A pattern that is to name no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The pattern.
    pub pattern: String,
    /// The paths that it names.
    pub paths: Vec<PathIndex>,
}

/// How much larger the closure may be than it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// So many bytes of NAR size.
    Bytes(u64),
    /// Such a part of the NAR size that it had, in percent.
    Percent(f64),
}

/// What is checked; nothing by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budgets {
    /// The most NAR size of all paths, in bytes.
    pub max_closure: Option<u64>,
    /// The most disk size of all paths, in bytes, each inode once.
    pub max_disk: Option<u64>,
    /// The most physical size of all paths: extents in bytes, each once.
    pub max_physical: Option<u64>,
    /// The most paths.
    pub max_paths: Option<u64>,
    /// The most NAR size of single paths.
    pub max_path: Vec<PatternBudget>,
    /// The most NAR size that single paths retain.
    pub max_retained: Vec<PatternBudget>,
    /// What is not to be there.
    pub forbid: Vec<Forbidden>,
    /// Whether each package is to be there once.
    pub no_variants: bool,
    /// Whether nothing is to be left over from building.
    pub no_leftovers: bool,
    /// How much larger the closure may be than the baseline.
    pub max_growth: Option<Growth>,
}

/// What a budget is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetKind {
    /// The NAR size of all paths.
    MaxClosure,
    /// The disk size of all paths.
    MaxDisk,
    /// The physical size of all paths.
    MaxPhysical,
    /// The number of paths.
    MaxPaths,
    /// The NAR size of single paths.
    MaxPath,
    /// What single paths retain.
    MaxRetained,
    /// What is not to be there.
    Forbid,
    /// What is there twice.
    NoVariants,
    /// What is left over from building.
    NoLeftovers,
    /// How much has been added to a baseline.
    MaxGrowth,
}

impl BudgetKind {
    /// The stable name, as JSON has it and budget files.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxClosure => "max-closure",
            Self::MaxDisk => "max-disk",
            Self::MaxPhysical => "max-physical",
            Self::MaxPaths => "max-paths",
            Self::MaxPath => "max-path",
            Self::MaxRetained => "max-retained",
            Self::Forbid => "forbid",
            Self::NoVariants => "no-variants",
            Self::NoLeftovers => "no-leftovers",
            Self::MaxGrowth => "max-growth",
        }
    }

    /// Whether it counts things, else bytes.
    pub fn counts(self) -> bool {
        matches!(self, Self::MaxPaths | Self::Forbid | Self::NoVariants | Self::NoLeftovers)
    }
}

/// Something that breaks a budget, or weighs most of what does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Culprit {
    /// The path, if it is one.
    pub path: Option<PathIndex>,
    /// What it has of what the budget is of, in bytes, if known.
    pub size: Option<u64>,
    /// What it is: versions, reasons; may be empty.
    pub what: String,
    /// A shortest chain from the targets, the path included.
    pub chain: Vec<PathIndex>,
}

/// A budget, and how it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What it is of.
    pub kind: BudgetKind,
    /// Which paths it is of, if not of all.
    pub pattern: Option<String>,
    /// How it ended.
    pub status: CheckStatus,
    /// The most that is allowed: bytes, or a number of things.
    pub limit: Option<u64>,
    /// What was found; `None` if unknown.
    pub found: Option<u64>,
    /// What did it; empty where the budget is kept.
    pub culprits: Vec<Culprit>,
}

/// Why budgets could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Sizes sum to 2^64 bytes or more, which only a forged store can do.
    #[error(transparent)]
    TooHeavy(#[from] TooHeavy),
    /// Variants could not be found.
    #[error(transparent)]
    Variants(#[from] VariantsError),
}

/// Which budgets are kept.
#[derive(Debug)]
pub struct Checked<'a> {
    census: &'a Census,
    /// The budgets, in the order in which they are declared.
    pub budgets: Vec<Budget>,
    /// What was left out, and why.
    pub warnings: Warnings,
}

impl<'a> Checked<'a> {
    /// Checks the closure that a census examines. Leftovers are known by their names,
    /// and by what is in them where `kinds` says so; `growth` compares the census with the
    /// baseline.
    ///
    /// # Errors
    /// See [`CheckError`].
    ///
    /// # Panics
    /// If the new side of `growth` is of another census.
    pub fn new(
        census: &'a Census,
        budgets: &Budgets,
        kinds: Option<&KindScan>,
        growth: Option<&Diff<'_>>,
    ) -> Result<Self, CheckError> {
        let of_it = |diff: &Diff<'_>| std::ptr::eq(diff.new.census(), census);
        assert!(growth.is_none_or(of_it), "the new side is what is checked");
        let checker = Checker {
            census,
            chains: ShortestPaths::new(census.references(), &examined_roots(census)),
        };
        let mut list = Vec::new();
        list.extend(checker.totals(budgets));
        for budget in &budgets.max_path {
            let size = |path| census.known_nar_size(path);
            list.push(checker.pattern(BudgetKind::MaxPath, budget, size));
        }
        if !budgets.max_retained.is_empty() {
            let retained = Retained::new(census)?;
            for budget in &budgets.max_retained {
                let size = |path| retained.nar_size(path);
                list.push(checker.pattern(BudgetKind::MaxRetained, budget, size));
            }
        }
        list.extend(budgets.forbid.iter().map(|forbidden| checker.forbidden(forbidden)));
        if budgets.no_variants {
            list.push(checker.variants()?);
        }
        if budgets.no_leftovers {
            list.push(checker.leftovers(kinds)?);
        }
        if let (Some(most), Some(diff)) = (budgets.max_growth, growth) {
            list.push(checker.growth(most, diff));
        }
        let mut warnings = census.warnings.clone();
        if budgets.max_physical.is_some() {
            warn_of_inexact(census, &mut warnings);
        }
        if let Some(diff) = growth {
            warnings.extend(diff.old.census().warnings.clone());
        }
        Ok(Self { census, budgets: list, warnings })
    }

    /// Whether one is broken.
    pub fn is_broken(&self) -> bool {
        self.budgets.iter().any(|budget| budget.status == CheckStatus::Failed)
    }

    /// Whether of one it is not known whether it is kept.
    pub fn is_unknown(&self) -> bool {
        self.budgets.iter().any(|budget| budget.status == CheckStatus::Unknown)
    }
}

struct Checker<'a> {
    census: &'a Census,
    chains: ShortestPaths,
}

impl Checker<'_> {
    fn totals(&self, budgets: &Budgets) -> Vec<Budget> {
        let census = self.census;
        let known = !census.has_unlisted_references();
        let nar = census.sum_nar_sizes(census.indexes()).filter(|_| known);
        let union = census.shared().map(|shared| shared.union(census.indexes()));
        let union = union.filter(|_| known);
        let disk = union.map(|union| union.disk_size);
        let physical = union.map(|union| union.extents.physical_size);
        let physical = physical.filter(|&size| match census.physical_sizes_are() {
            Some(SizeIs::Exact) => true,
            // What is at least too large is.
            Some(SizeIs::AtLeast) => budgets.max_physical.is_some_and(|limit| size > limit),
            Some(SizeIs::About) | None => false,
        });
        let paths = Some(census.len() as u64).filter(|_| known);
        let all = [
            (BudgetKind::MaxClosure, budgets.max_closure, nar),
            (BudgetKind::MaxDisk, budgets.max_disk, disk),
            (BudgetKind::MaxPhysical, budgets.max_physical, physical),
            (BudgetKind::MaxPaths, budgets.max_paths, paths),
        ];
        let budget = |(kind, limit, found): (BudgetKind, Option<u64>, Option<u64>)| {
            let limit = limit?;
            let status = status(found, limit);
            let culprits = match status {
                CheckStatus::Failed => self.heaviest(kind),
                _ => Vec::new(),
            };
            Some(Budget { kind, pattern: None, status, limit: Some(limit), found, culprits })
        };
        all.into_iter().filter_map(budget).collect()
    }

    /// The paths that weigh most.
    fn heaviest(&self, kind: BudgetKind) -> Vec<Culprit> {
        let size = |path: PathIndex| match kind {
            BudgetKind::MaxDisk => self.census.usage(path).map(|usage| usage.disk_size),
            BudgetKind::MaxPhysical => {
                self.census.extent_sizes(path).map(|sizes| sizes.physical_size)
            }
            _ => self.census.known_nar_size(path),
        };
        let mut paths: Vec<PathIndex> = self.census.indexes().collect();
        paths.arrange_by_key(|&path| (Reverse(size(path)), path));
        paths.truncate(CULPRITS);
        paths.into_iter().map(|path| self.culprit(path, size(path), String::new())).collect()
    }

    fn pattern(
        &self,
        kind: BudgetKind,
        budget: &PatternBudget,
        size: impl Fn(PathIndex) -> Option<u64>,
    ) -> Budget {
        let sizes: Vec<Option<u64>> = budget.paths.iter().map(|&path| size(path)).collect();
        let largest = sizes.iter().flatten().max().copied();
        let broken = largest.is_some_and(|largest| largest > budget.limit);
        // One that is too large is, whatever the others are.
        let status = match broken {
            true => CheckStatus::Failed,
            false if sizes.contains(&None) => CheckStatus::Unknown,
            false => CheckStatus::Passed,
        };
        let found = if status == CheckStatus::Unknown { None } else { Some(largest.unwrap_or(0)) };
        let over = budget.paths.iter().zip(&sizes);
        let over = over.filter(|(_, size)| size.is_none_or(|size| size > budget.limit));
        let mut culprits: Vec<Culprit> =
            over.map(|(&path, &size)| self.culprit(path, size, String::new())).collect();
        culprits.arrange_by_key(|culprit| (Reverse(culprit.size), culprit.path));
        let (pattern, limit) = (Some(budget.pattern.clone()), Some(budget.limit));
        Budget { kind, pattern, status, limit, found, culprits }
    }

    fn forbidden(&self, forbidden: &Forbidden) -> Budget {
        // What a path that is not listed refers to could be anything.
        let unknown = self.census.has_unlisted_references();
        let paths = forbidden.paths.iter();
        let culprits: Vec<Culprit> = paths
            .map(|&path| self.culprit(path, self.census.known_nar_size(path), String::new()))
            .collect();
        counted(BudgetKind::Forbid, Some(forbidden.pattern.clone()), culprits, unknown)
    }

    fn variants(&self) -> Result<Budget, CheckError> {
        let variants = Variants::new(self.census, None, None)?;
        let catalog = &self.census.catalog;
        let mut culprits = Vec::new();
        for group in &variants.groups {
            let names = group
                .variants
                .iter()
                .map(|variant| catalog.store_path(self.census.id(variant.path)).name());
            let what = names.collect::<Vec<_>>().join(", ");
            // The first is the one that has most: the others are there besides.
            for variant in group.variants.iter().skip(1) {
                let size = variant.retained_nar_size;
                culprits.push(self.culprit(variant.path, size, what.clone()));
            }
        }
        let unknown = self.census.has_unlisted_references();
        Ok(counted(BudgetKind::NoVariants, None, culprits, unknown))
    }

    fn leftovers(&self, kinds: Option<&KindScan>) -> Result<Budget, CheckError> {
        let (found, _) = leftovers::find(self.census, kinds)?;
        let culprits = found.into_iter().map(|leftover| {
            let what = leftover.reason.key().to_owned();
            self.culprit(leftover.path, leftover.gain.nar_size, what)
        });
        let unknown = self.census.has_unlisted_references();
        Ok(counted(BudgetKind::NoLeftovers, None, culprits.collect(), unknown))
    }

    fn growth(&self, most: Growth, diff: &Diff<'_>) -> Budget {
        let limit = match (most, diff.old.total.nar_size) {
            (Growth::Bytes(bytes), _) => Some(bytes),
            (Growth::Percent(percent), Some(before)) => {
                Some((before as f64 * percent / 100.0) as u64)
            }
            (Growth::Percent(_), None) => None,
        };
        let found = diff.nar_change().map(|change| u64::try_from(change).unwrap_or(0));
        let status = limit.map_or(CheckStatus::Unknown, |limit| status(found, limit));
        let mut culprits = Vec::new();
        if status == CheckStatus::Failed {
            let grown = diff.packages.iter().filter(|p| p.nar_change().is_none_or(|n| n > 0));
            let mut grown: Vec<&PackageChange> = grown.collect();
            grown.arrange_by_key(|package| (Reverse(package.nar_change()), &package.pname));
            grown.truncate(CULPRITS);
            culprits.extend(grown.into_iter().map(|package| self.grown(diff, package)));
        }
        Budget { kind: BudgetKind::MaxGrowth, pattern: None, status, limit, found, culprits }
    }

    fn grown(&self, diff: &Diff<'_>, package: &PackageChange) -> Culprit {
        let new = diff.new.census();
        let heaviest =
            package.added.iter().max_by_key(|&&path| (new.nar_size(path), Reverse(path)));
        let size = package.nar_change().and_then(|change| u64::try_from(change).ok());
        let versions = package.versions_text().unwrap_or_default();
        let what = format!("{} {} {versions}", package.name, package.kind.name());
        let what = what.trim_end().to_owned();
        match heaviest {
            // Of what is new it is worth knowing why it is there.
            Some(&path) if package.kind == ChangeKind::Added => self.culprit(path, size, what),
            _ => Culprit { path: heaviest.copied(), size, what, chain: Vec::new() },
        }
    }

    fn culprit(&self, path: PathIndex, size: Option<u64>, what: String) -> Culprit {
        Culprit { path: Some(path), size, what, chain: chain_to(&self.chains, path) }
    }
}

/// Warns where it is not exactly known what the paths take in extents.
fn warn_of_inexact(census: &Census, warnings: &mut Warnings) {
    let message = match (census.physical_unknown(), census.physical_sizes_are()) {
        (Some(why), _) => physical_unknown(why),
        (None, Some(SizeIs::About)) if census.freed_sizes_are().is_none() => {
            "physical sizes are known exactly to root only".to_owned()
        }
        // Of what is left out the scan warned, and of what changed meanwhile.
        (None, _) => return,
    };
    if !warnings.iter().any(|warning| warning.message == message) {
        warnings.push(WarningKind::Unchecked, census.catalog.store_dir(), message);
    }
}

fn status(found: Option<u64>, limit: u64) -> CheckStatus {
    match found {
        None => CheckStatus::Unknown,
        Some(found) if found > limit => CheckStatus::Failed,
        Some(_) => CheckStatus::Passed,
    }
}

/// A budget that is broken by each of those.
fn counted(
    kind: BudgetKind,
    pattern: Option<String>,
    culprits: Vec<Culprit>,
    unknown: bool,
) -> Budget {
    let found = culprits.len() as u64;
    let status = match (found, unknown) {
        (1.., _) => CheckStatus::Failed,
        (0, true) => CheckStatus::Unknown,
        (0, false) => CheckStatus::Passed,
    };
    let found = Some(found).filter(|_| status != CheckStatus::Unknown);
    Budget { kind, pattern, status, limit: Some(0), found, culprits }
}
