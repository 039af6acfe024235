//! The garbage: what `nix-store --gc` would delete, and what the disk would
//! gain; now, and after some roots were gone.

mod chosen;
mod document;
mod removal;
mod why;

use crate::arrange::Arrange as _;
pub use chosen::{Choice, Chosen};
pub use removal::{Removal, RemovalError, RemovalStep};
pub use why::{Why, WhyAlive, WhyAnswer, WhyDead};

use super::liveness::{Keep, alive, freeable, in_store_beneath, keep_graph, kept_entries};
use super::physical::Held;
use super::reclaim::SmallestSet;
use crate::catalog::{Catalog, OddEnd, PathId};
use crate::census::{Freeable, WholeCensus};
use crate::disk::{DiskScan, Space};
use crate::graph::{NodeSet, Rows};
use crate::roots::{FoundRoots, GcSettings};
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

/// What to say about the garbage.
#[derive(Clone, Debug)]
pub struct GarbageOptions {
    /// What the collector keeps beyond references.
    pub settings: GcSettings,
    /// Roots to think away, one step after the other.
    pub steps: Vec<RemovalStep>,
    /// Which of the dead paths are asked about: only those are listed, and what
    /// deleting them alone gives back is summed.
    pub choice: Choice,
    /// Only list dead paths whose name matches; sums count all.
    pub filter: Option<Vec<PathId>>,
    /// Paths to explain.
    pub why: Vec<PathId>,
}

/// What goes. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dead {
    /// Valid paths.
    pub paths: u64,
    /// Their NAR size; `None` if that of one is unknown.
    pub nar_size: Option<u64>,
    /// What the disk gains by deleting them: inodes all of whose names go,
    /// their names in `.links` included.
    pub paths_freed: Option<Space>,
    /// Entries of the store directory that are not valid paths; the collector
    /// deletes them too. Once, in the first step.
    pub invalid_entries: Option<u64>,
    /// What the disk gains by those.
    pub invalid_freed: Option<Space>,
    /// Entries of `.links` that are their inode's only name already.
    pub unused_links: Option<u64>,
    /// What the disk gains by those.
    pub unused_links_freed: Option<Space>,
}

impl Dead {
    /// What the disk gains by all of it.
    pub fn freed(&self) -> Option<Space> {
        Some(self.paths_freed? + self.invalid_freed? + self.unused_links_freed?)
    }

    /// The blocks that the disk gains by all of it, in bytes.
    pub fn disk_freed(&self) -> Option<u64> {
        Some(self.freed()?.disk_size)
    }

    fn add(&mut self, other: &Self) {
        let add = |sum: &mut Option<u64>, part: Option<u64>| {
            *sum = sum.zip(part).map(|(a, b)| a.saturating_add(b));
        };
        self.paths += other.paths;
        add(&mut self.nar_size, other.nar_size);
        add(&mut self.invalid_entries, other.invalid_entries);
        add(&mut self.unused_links, other.unused_links);
        let add = |sum: &mut Option<Space>, part: Option<Space>| {
            *sum = sum.zip(part).map(|(a, b)| a + b);
        };
        add(&mut self.paths_freed, other.paths_freed);
        add(&mut self.invalid_freed, other.invalid_freed);
        add(&mut self.unused_links_freed, other.unused_links_freed);
    }
}

/// What goes in one step, beyond what went before.
#[derive(Clone, Debug)]
pub struct RemovalResult {
    /// What is removed; empty for the garbage there is now.
    pub label: String,
    /// How many roots that are.
    pub roots: u64,
    /// What goes because of it.
    pub dead: Dead,
}

/// A path that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadPath {
    /// The path.
    pub path: PathId,
    /// In which step it goes; 0 now.
    pub step: u32,
    /// What the disk gains by deleting it alone.
    pub freed: Option<Space>,
    /// Whether it would be kept if `keep-outputs` or `keep-derivations` were
    /// set otherwise: what would keep it, without other settings changed.
    pub kept_by: Option<&'static str>,
    /// Whether a dead path that was not chosen keeps it, if some were.
    pub held: bool,
}

impl DeadPath {
    /// The blocks that go with it alone, in bytes.
    pub fn disk_freed(&self) -> Option<u64> {
        self.freed.map(|freed| freed.disk_size)
    }
}

/// What goes of one package name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadPackage {
    /// The package name.
    pub package: String,
    /// How many paths.
    pub paths: u64,
    /// Their NAR size in bytes; `None` if that of one is unknown.
    pub nar_size: Option<u64>,
    /// What the disk gains by deleting them all; inodes that they share with
    /// paths of other names not counted.
    pub freed: Option<Space>,
}

/// What stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alive {
    /// How many paths.
    pub paths: u64,
    /// Their NAR size in bytes; `None` if that of one is unknown.
    pub nar_size: Option<u64>,
    /// Their disk size in bytes, each inode once.
    pub disk_size: Option<u64>,
    /// Their extents, each once; `None` if these are not known.
    pub physical_size: Option<u64>,
    /// Their inodes.
    pub inodes: Option<u64>,
    /// How many of them only the settings keep, as derivers or outputs.
    pub paths_by_settings: u64,
    /// The NAR size of those in bytes; `None` if that of one is unknown.
    pub nar_size_by_settings: Option<u64>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Garbage<'f> {
    /// The roots it follows from.
    pub found: &'f FoundRoots,
    /// All that goes, after all steps.
    pub dead: Dead,
    /// What goes now, then what more goes in each step.
    pub steps: Vec<RemovalResult>,
    /// What deleting the chosen paths alone gives back, if some were chosen.
    pub chosen: Option<Chosen>,
    /// The roots to remove so that enough comes free, if that was asked.
    pub enough: Option<SmallestSet>,
    /// What stays after all steps.
    pub alive: Alive,
    /// The paths that go, heaviest first, filtered.
    pub paths: Vec<DeadPath>,
    /// The package names of which most goes.
    pub packages: Vec<DeadPackage>,
    /// Indexes into the scan's `others` of entries that go, and of those that
    /// a running Nix asked to keep.
    pub invalid: Vec<(u32, bool)>,
    /// The paths asked about.
    pub why: Vec<Why>,
    /// How many dead paths Nix fails to delete: they do not count as dead.
    pub failing: u64,
    /// What is kept of the extents of all that goes by those outside the store.
    pub held: Option<Held>,
    options: GarbageOptions,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
}

/// What becomes of a path or root, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It goes in this step; 0 is now.
    Goes(u32),
    /// It is dead, but Nix fails to delete it.
    Fails,
    /// It does not go.
    Stays,
}

impl Fate {
    /// The step in which it goes, if it does.
    fn step(self) -> Option<u32> {
        match self {
            Self::Goes(step) => Some(step),
            Self::Fails | Self::Stays => None,
        }
    }
}

impl<'f> Garbage<'f> {
    /// Finds what is dead.
    pub fn new(census: WholeCensus<'_>, found: &'f FoundRoots, options: &GarbageOptions) -> Self {
        let catalog = &census.catalog;
        let keep = Keep::from(&options.settings);
        let graph = keep_graph(catalog, keep);
        let removed = removal::steps_of_roots(found, &options.steps);
        let mut goes = goes_in(&graph, found, &removed, options.steps.len());
        let failing = mark_failing(catalog, &graph, &mut goes);
        let kept = kept_entries(census, found);
        let freeable = freeable(census, found, &kept);
        let steps = step_results(census, found, freeable.as_ref(), &kept, &goes, &removed, options);
        let mut dead = steps[0].dead;
        for step in &steps[1..] {
            dead.add(&step.dead);
        }
        let others = alive_otherwise(census, found, keep, &removed);
        let kept_by = |path: PathId| {
            others.iter().find(|(_, set)| set.contains(path.node())).map(|(name, _)| *name)
        };
        let mut paths: Vec<DeadPath> = (catalog.ids())
            .filter_map(|path| {
                Some(DeadPath {
                    path,
                    step: goes[path.index()].step()?,
                    freed: freeable.as_ref().map(|f| f.own_sizes[path.index()]),
                    kept_by: kept_by(path),
                    held: false,
                })
            })
            .collect();
        let packages = packages(census, freeable.as_ref(), &paths, &goes);
        let mut warnings = census.warnings.clone();
        let chosen = (!options.choice.is_any()).then(|| {
            let freeable = freeable.as_ref();
            Chosen::new(catalog, &graph, &goes, freeable, &options.choice, &mut warnings)
        });
        if let Some(chosen) = &chosen {
            paths.retain(|p| chosen.paths.contains(p.path.node()));
            for dead in &mut paths {
                dead.held = !chosen.deletable.contains(dead.path.node());
            }
        }
        if let Some(ids) = &options.filter {
            paths.retain(|p| ids.binary_search(&p.path).is_ok());
        }
        paths.arrange_by_key(|p| {
            let freed = p.freed.map(|freed| freed.physical_size);
            (Reverse(freed), Reverse(census.nar_size(p.path)), p.path)
        });
        let why = options
            .why
            .iter()
            .map(|&path| Why::new(census, found, &removed, &graph, goes[path.index()], path));
        if let Some(lower) = &found.lower_store {
            warn_of_upper_copies(catalog, lower, &goes, &mut warnings);
        }
        let held = census.disk.as_ref().and_then(|disk| {
            let paths = catalog.len();
            Held::new(disk, |user| match (user as usize).checked_sub(paths) {
                None => goes[user as usize].step().is_some(),
                Some(other) => kept.get(other) == Some(&false),
            })
        });
        Self {
            warnings,
            found,
            dead,
            held,
            steps,
            chosen,
            enough: None,
            alive: alive_sums(census, found, &removed, &goes),
            paths,
            packages,
            invalid: (0u32..).zip(kept).collect(),
            why: why.collect(),
            failing,
            options: options.clone(),
        }
    }
}

/// Warns of dead paths that the store beneath an overlay has too: which of them
/// have a copy in the upper layer, which Nix would delete, is not known.
fn warn_of_upper_copies(catalog: &Catalog, lower: &Path, goes: &[Fate], warnings: &mut Warnings) {
    let is_below = in_store_beneath(lower);
    let dead = catalog.ids().filter(|path| goes[path.index()].step().is_some());
    let both = dead.filter(|&path| is_below(catalog.base_name(path).as_bytes())).count();
    if both > 0 {
        let message = format!(
            "the store beneath has {both} of the dead paths too: what Nix frees of copies of them \
             in the upper layer is not counted"
        );
        warnings.push(WarningKind::Uncertain, catalog.store_dir(), message);
    }
}

/// Warns of each live path at which Nix stops with an error, so that it does not
/// collect what is said to be dead: the row at the other end of a reference
/// cannot be read (nix: `LocalStore::collectGarbage`, `markAlive` and
/// `queryReferrers`).
pub(crate) fn warn_where_nix_stops(
    catalog: &Catalog,
    found: &FoundRoots,
    settings: &GcSettings,
    warnings: &mut Warnings,
) {
    if catalog.beside_odd_rows().is_empty() {
        return;
    }
    let roots = || found.roots.iter().map(|root| root.path);
    let alive = alive(catalog, Keep::from(settings), roots());
    for &(path, end) in catalog.beside_odd_rows() {
        let message = match end {
            _ if !alive.contains(path.node()) => continue,
            OddEnd::Reference => {
                "alive, and refers to a row that Nix cannot read: Nix stops with an error when it \
                 comes to this path, and deletes nothing from then on"
            }
            // Nix does not ask who refers to a root.
            OddEnd::Referrer if roots().any(|root| root == path) => continue,
            OddEnd::Referrer => {
                "alive, and a row that Nix cannot read refers to it: unless Nix first comes to a \
                 root that keeps it, it stops with an error here, and deletes nothing from then on"
            }
        };
        warnings.push(WarningKind::Uncertain, catalog.path(path), message);
    }
}

/// Marks what is dead but what Nix fails to delete, and all that it keeps: Nix
/// comes to each such path by those that keep it. How many those are.
fn mark_failing(catalog: &Catalog, graph: &Rows, goes: &mut [Fate]) -> u64 {
    let mut todo: Vec<u32> = catalog.undeletable().iter().map(|id| id.node()).collect();
    let mut failing = 0;
    todo.retain(|&path| goes[path as usize].step().is_some());
    while let Some(path) = todo.pop() {
        if goes[path as usize].step().is_some() {
            goes[path as usize] = Fate::Fails;
            failing += 1;
            todo.extend(graph.row(path));
        }
    }
    failing
}

/// What becomes of each path: it goes in some step, or stays.
///
/// The roots that stay are followed first, then those removed last, and so on
/// backwards: a path belongs to the first that reaches it, so each path and
/// reference is visited once for all steps together.
fn goes_in(graph: &Rows, found: &FoundRoots, removed: &[Fate], steps: usize) -> Vec<Fate> {
    const UNREACHED: Fate = Fate::Goes(0);
    // Those that stay have the place of step 0, in which no root goes.
    let place = |fate: Fate| fate.step().unwrap_or(0) as usize;
    let mut by_step: Vec<Vec<u32>> = vec![Vec::new(); steps + 1];
    for (root, &fate) in found.roots.iter().zip(removed) {
        by_step[place(fate)].push(root.path.node());
    }
    let mut goes = vec![UNREACHED; graph.len()];
    let mut todo = Vec::new();
    let order = std::iter::once(Fate::Stays).chain((1..=steps as u32).rev().map(Fate::Goes));
    for fate in order {
        for &path in &by_step[place(fate)] {
            if goes[path as usize] == UNREACHED {
                goes[path as usize] = fate;
                todo.push(path);
            }
        }
        while let Some(path) = todo.pop() {
            for &next in graph.row(path) {
                if goes[next as usize] == UNREACHED {
                    goes[next as usize] = fate;
                    todo.push(next);
                }
            }
        }
    }
    goes
}

fn step_results(
    census: WholeCensus<'_>,
    found: &FoundRoots,
    freeable: Option<&Freeable>,
    kept: &[bool],
    goes: &[Fate],
    removed: &[Fate],
    options: &GarbageOptions,
) -> Vec<RemovalResult> {
    let (zero, nothing) = (freeable.map(|_| 0), freeable.map(|_| Space::default()));
    let none = Dead {
        nar_size: Some(0),
        paths_freed: nothing,
        invalid_entries: zero,
        invalid_freed: nothing,
        unused_links: zero,
        unused_links_freed: nothing,
        ..Dead::default()
    };
    let mut dead = vec![none; options.steps.len() + 1];
    for (path, fate) in census.catalog.ids().zip(goes) {
        if let Some(step) = fate.step() {
            let dead = &mut dead[step as usize];
            dead.paths += 1;
            dead.nar_size =
                dead.nar_size.and_then(|sum| Some(sum + census.catalog.nar_size(path)?));
            if let (Some(sum), Some(f)) = (&mut dead.paths_freed, freeable) {
                *sum += f.own_sizes[path.index()];
            }
        }
    }
    if let Some(freeable) = freeable {
        // A class goes with the last of its paths.
        let mut last = vec![Fate::Goes(0); freeable.class_sizes.len()];
        for (path, classes) in freeable.classes.iter().enumerate() {
            for &class in classes {
                last[class as usize] = last[class as usize].max(goes[path]);
            }
        }
        for (fate, &size) in last.iter().zip(&freeable.class_sizes) {
            let step = fate.step().map(|step| step as usize);
            if let Some(sum) = step.and_then(|step| dead[step].paths_freed.as_mut()) {
                *sum += size;
            }
        }
        let links = census.disk.as_ref().and_then(|d| d.links).unwrap_or_default();
        let of_links = census.disk.as_ref().map(DiskScan::unused_links_space);
        dead[0].invalid_entries = Some(kept.iter().filter(|kept| !**kept).count() as u64);
        dead[0].invalid_freed = Some(freeable.invalid_size);
        // Those of an overlay store may all lie beneath.
        let overlay = found.lower_store.is_some();
        dead[0].unused_links = Some(links.unused).filter(|_| !overlay);
        dead[0].unused_links_freed =
            Some(if overlay { Space::default() } else { of_links.unwrap_or_default() });
    }
    let mut roots = vec![0; dead.len()];
    for step in removed.iter().filter_map(|fate| fate.step()) {
        roots[step as usize] += 1;
    }
    let labels = std::iter::once("").chain(options.steps.iter().map(|s| s.label.as_str()));
    (labels.zip(roots).zip(dead))
        .map(|((label, roots), dead)| RemovalResult { label: label.to_owned(), roots, dead })
        .collect()
}

/// What would be alive if the settings that are off were on, one by one, and
/// then both; after all steps.
fn alive_otherwise(
    census: WholeCensus<'_>,
    found: &FoundRoots,
    keep: Keep,
    removed: &[Fate],
) -> Vec<(&'static str, NodeSet)> {
    let others = [
        ("keep-derivations", Keep { derivations: true, ..keep }),
        ("keep-outputs", Keep { outputs: true, ..keep }),
        ("keep-derivations and keep-outputs", Keep { outputs: true, derivations: true }),
    ];
    let mut seen = vec![keep];
    let mut sets = Vec::new();
    for (name, other) in others {
        if !seen.contains(&other) {
            seen.push(other);
            sets.push((name, alive(&census.catalog, other, staying(found, removed))));
        }
    }
    sets
}

/// The paths of roots that stay after all steps.
fn staying<'a>(found: &'a FoundRoots, removed: &'a [Fate]) -> impl Iterator<Item = PathId> + 'a {
    found
        .roots
        .iter()
        .zip(removed)
        .filter(|(_, fate)| **fate == Fate::Stays)
        .map(|(root, _)| root.path)
}

fn alive_sums(
    census: WholeCensus<'_>,
    found: &FoundRoots,
    removed: &[Fate],
    goes: &[Fate],
) -> Alive {
    let live = || {
        census
            .catalog
            .ids()
            .zip(goes)
            .filter(|(_, fate)| **fate == Fate::Stays)
            .map(|(path, _)| path)
    };
    let plain = Keep { outputs: false, derivations: false };
    let referenced = alive(&census.catalog, plain, staying(found, removed));
    let by_settings = || live().filter(|&path| !referenced.contains(path.node()));
    let union = census.union_of(live());
    Alive {
        paths: live().count() as u64,
        nar_size: census.catalog.sum_nar_sizes(live()),
        disk_size: union.map(|union| union.disk_size),
        physical_size: union.and_then(|union| census.physical_size(union)),
        inodes: union.map(|union| union.inodes),
        paths_by_settings: by_settings().count() as u64,
        nar_size_by_settings: census.catalog.sum_nar_sizes(by_settings()),
    }
}

fn packages(
    census: WholeCensus<'_>,
    freeable: Option<&Freeable>,
    paths: &[DeadPath],
    goes: &[Fate],
) -> Vec<DeadPackage> {
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut names: Vec<DeadPackage> = Vec::new();
    let mut sizes: Vec<(Option<u64>, Space)> = Vec::new();
    let mut of_path: Vec<Option<u32>> = vec![None; if freeable.is_some() { goes.len() } else { 0 }];
    for dead in paths {
        let package = census.catalog.package(dead.path).name;
        let number = *numbers.entry(package).or_insert_with(|| {
            names.push(DeadPackage { package: package.to_owned(), ..DeadPackage::default() });
            sizes.push((Some(0), Space::default()));
            names.len() as u32 - 1
        });
        names[number as usize].paths += 1;
        let (nar, freed) = &mut sizes[number as usize];
        *nar = nar.and_then(|sum| Some(sum + census.catalog.nar_size(dead.path)?));
        *freed += dead.freed.unwrap_or_default();
        if let Some(of) = of_path.get_mut(dead.path.index()) {
            *of = Some(number);
        }
    }
    if let Some(freeable) = freeable {
        // The one name of a class's paths, once one was met; none if one stays or names differ.
        let mut of_class: Vec<Option<Option<u32>>> = vec![None; freeable.class_sizes.len()];
        for (path, classes) in freeable.classes.iter().enumerate() {
            for &class in classes {
                let of = &mut of_class[class as usize];
                *of = Some(match *of {
                    Some(name) if name != of_path[path] => None,
                    _ => of_path[path],
                });
            }
        }
        for (of, size) in of_class.iter().zip(&freeable.class_sizes) {
            if let Some(sum) = of.flatten().and_then(|name| sizes.get_mut(name as usize)) {
                sum.1 += *size;
            }
        }
    }
    for (name, (nar, freed)) in names.iter_mut().zip(sizes) {
        name.nar_size = nar;
        name.freed = freeable.map(|_| freed);
    }
    names.arrange_by(|a, b| {
        let key =
            |n: &DeadPackage| (Reverse(n.freed.map(|f| f.physical_size)), Reverse(n.nar_size));
        key(a).cmp(&key(b)).then_with(|| a.package.cmp(&b.package))
    });
    names
}

#[cfg(test)]
mod tests;
