//! What came, what went and what changed between two closures, by package and by path.

mod document;
mod history;
mod names;
mod page;
use crate::arrange::Arrange as _;

use super::graph_changes::change;
use super::path_names::chain_to;
use super::retained::{Sizes, examined_roots, weighted};
use crate::catalog::PathId;
use crate::census::{Census, PathIndex, Union};
use crate::graph::{Cuts, NodeSet, Rows, ShortestPaths, TooHeavy, closure_sizes, reachable};
use crate::warning::Warnings;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

pub use document::DiffBy;
pub use history::{GenerationSide, History};

/// One side of a comparison: the closure of some paths of a census, or all it examines.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    census: &'a Census,
    /// Where chains begin, by index.
    tops: Vec<u32>,
    /// The paths, by index.
    paths: NodeSet,
    /// What it takes as a whole.
    pub total: SideTotal,
}

impl<'a> Side<'a> {
    /// All that a census examines.
    pub fn all(census: &'a Census) -> Self {
        let paths = NodeSet::from_nodes(census.len(), 0..census.len() as u32);
        Self::new(census, examined_roots(census), paths)
    }

    /// The closure of some of the paths that a census examines.
    pub fn closure(census: &'a Census, targets: &[PathId]) -> Self {
        let tops = targets.iter().filter_map(|&id| Some(census.index_of(id)?.node()));
        let tops: Vec<u32> = tops.collect();
        let paths = reachable(census.references(), tops.iter().copied(), &Cuts::default());
        Self::new(census, tops, paths)
    }

    fn new(census: &'a Census, tops: Vec<u32>, paths: NodeSet) -> Self {
        let mut side = Self { census, tops, paths, total: SideTotal::default() };
        side.total = side.sum();
        side
    }

    /// The census that it is of.
    pub fn census(&self) -> &'a Census {
        self.census
    }

    fn indexes(&self) -> impl Iterator<Item = PathIndex> + '_ {
        self.paths.iter().map(PathIndex::new)
    }

    fn name(&self, path: PathIndex) -> &'a str {
        self.census.catalog.store_path(self.census.id(path)).name()
    }

    fn base_name(&self, path: PathIndex) -> &'a str {
        self.census.catalog.base_name(self.census.id(path))
    }

    /// The path of that base name, if it is on this side.
    fn find(&self, base_name: &str) -> Option<PathIndex> {
        let index = self.census.index_of(self.census.catalog.find(base_name)?)?;
        self.paths.contains(index.node()).then_some(index)
    }

    fn sum(&self) -> SideTotal {
        let known = !self.census.has_unlisted_references()
            || self.indexes().all(|path| {
                let catalog = &self.census.catalog;
                catalog.unlisted_references(self.census.id(path)).is_empty()
            });
        let union = self.census.shared().map(|shared| shared.union(self.indexes()));
        SideTotal {
            paths: self.paths.len() as u64,
            nar_size: self.census.sum_nar_sizes(self.indexes()).filter(|_| known),
            disk_size: union.map(|union| union.disk_size).filter(|_| known),
            physical_size: union.and_then(|u| self.census.physical_size(u)).filter(|_| known),
        }
    }
}

/// What a side takes as a whole, each inode once. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTotal {
    /// How many paths.
    pub paths: u64,
    /// The sum of the NAR sizes, if known.
    pub nar_size: Option<u64>,
    /// The disk size, if the disk was asked.
    pub disk_size: Option<u64>,
    /// The extents, if these are known.
    pub physical_size: Option<u64>,
}

/// What happened to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// One version took the place of another, and is newer.
    Upgraded,
    /// The same, and is older.
    Downgraded,
    /// Its versions are others.
    Changed,
    /// The versions are the same, the builds are others.
    Rebuilt,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Added,
        Self::Removed,
        Self::Upgraded,
        Self::Downgraded,
        Self::Changed,
        Self::Rebuilt,
    ];

    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::Changed => "changed",
            Self::Rebuilt => "rebuilt",
        }
    }
}

/// What a package takes on one side. Sizes are in bytes; `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageSide {
    /// Its paths, by index.
    pub paths: Vec<PathIndex>,
    /// Its versions, as Nix splits names; one may be empty.
    pub versions: BTreeSet<String>,
    /// The sum of the NAR sizes of its paths.
    pub nar_size: Option<u64>,
    /// The disk size of its paths, each inode once.
    pub disk_size: Option<u64>,
    /// The extents of its paths, each once.
    pub physical_size: Option<u64>,
    /// The sum of the NAR sizes of all that its paths need, themselves included.
    pub closure_nar_size: Option<u64>,
    /// The disk size of the same, each inode once.
    pub closure_disk_size: Option<u64>,
    /// The extents of the same, each once.
    pub closure_physical_size: Option<u64>,
}

/// A package that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageChange {
    /// The name by which `nix store diff-closures` compares.
    pub pname: String,
    /// The name for people: that of its paths, if they have one and no version.
    pub name: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What it was.
    pub old: PackageSide,
    /// What it is.
    pub new: PackageSide,
    /// Its old paths that are gone.
    pub removed: Vec<PathIndex>,
    /// Its new paths that came.
    pub added: Vec<PathIndex>,
}

impl PackageChange {
    /// How much larger its NARs are, in bytes, if known.
    pub fn nar_change(&self) -> Option<i64> {
        Some(change(self.old.nar_size?, self.new.nar_size?))
    }

    /// How much more it takes on disk, in bytes, if known.
    pub fn disk_change(&self) -> Option<i64> {
        Some(change(self.old.disk_size?, self.new.disk_size?))
    }

    /// How much more it takes in extents, in bytes, if known.
    pub fn physical_change(&self) -> Option<i64> {
        Some(change(self.old.physical_size?, self.new.physical_size?))
    }

    /// How much larger it is of the sizes that are shown.
    fn shown_change(&self, shown: Shown) -> Option<i64> {
        match shown {
            Shown::Nar => self.nar_change(),
            Shown::Disk => self.disk_change(),
            Shown::Physical => self.physical_change(),
        }
    }

    /// The versions that are gone, and those that came.
    pub fn versions(&self) -> (Vec<&str>, Vec<&str>) {
        let gone = self.old.versions.difference(&self.new.versions).map(String::as_str);
        let came = self.new.versions.difference(&self.old.versions).map(String::as_str);
        (gone.collect(), came.collect())
    }
}

/// A path that is on one side only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathChange {
    /// Whether it is new, else it is gone.
    pub added: bool,
    /// The path, by index on its side.
    pub path: PathIndex,
    /// What it needs, itself included: the NAR sizes in bytes, if known.
    pub closure_nar_size: Option<u64>,
    /// The same on disk, each inode once.
    pub closure_disk_size: Option<u64>,
    /// The extents of the same, each once.
    pub closure_physical_size: Option<u64>,
}

/// Which sizes people see of a difference, and rows are weighed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// NAR sizes: a disk was not asked.
    Nar,
    /// Disk sizes.
    Disk,
    /// Extents: of both sides these are known, and blocks do not say it all.
    Physical,
}

impl Shown {
    fn of(sides: [&Census; 2]) -> Self {
        match () {
            () if sides.iter().any(|census| census.disk.is_none()) => Self::Nar,
            () if sides.iter().any(|census| census.has_extents())
                && sides.iter().all(|census| census.knows_physical()) =>
            {
                Self::Physical
            }
            () => Self::Disk,
        }
    }
}

/// What is different between two sides.
#[derive(Clone, Debug)]
pub struct Diff<'a> {
    /// What was.
    pub old: Side<'a>,
    /// What is.
    pub new: Side<'a>,
    /// The packages that are not the same, what weighs first.
    pub packages: Vec<PackageChange>,
    /// The paths that are on one side only, what weighs first.
    pub paths: Vec<PathChange>,
    /// How many packages have the same paths on both sides.
    same_packages: usize,
    /// Chains from the new side's targets, if they were asked for.
    chains: OnceLock<ShortestPaths>,
    /// What was left out on either side, and why.
    pub warnings: Warnings,
}

impl<'a> Diff<'a> {
    /// Compares two sides.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(old: Side<'a>, new: Side<'a>) -> Result<Self, TooHeavy> {
        let mut by_name: BTreeMap<&'a str, [Vec<PathIndex>; 2]> = BTreeMap::new();
        for (at, side) in [&old, &new].into_iter().enumerate() {
            for path in side.indexes() {
                let (name, _) = names::split(side.name(path));
                by_name.entry(name).or_default()[at].push(path);
            }
        }
        // Of a package that is the same on both sides nothing is to be said.
        let all = by_name.len();
        by_name.retain(|_, [before, after]| {
            let gone = before.iter().any(|&path| new.find(old.base_name(path)).is_none());
            gone || after.iter().any(|&path| old.find(new.base_name(path)).is_none())
        });
        let same_packages = all - by_name.len();
        let sets = |at: usize| by_name.values().map(move |paths| paths[at].as_slice()).collect();
        let (old_sides, mut paths) = sides(&old, &new, false, sets(0))?;
        let (new_sides, came) = sides(&new, &old, true, sets(1))?;
        paths.extend(came);
        let mut packages: Vec<PackageChange> = (by_name.keys().zip(old_sides).zip(new_sides))
            .map(|((pname, before), after)| package(&old, &new, pname, before, after))
            .collect();
        let shown = Shown::of([old.census, new.census]);
        packages.arrange_by(|a, b| {
            let sizes = |p: &PackageChange| match shown {
                Shown::Nar => p.old.nar_size.max(p.new.nar_size),
                Shown::Disk => p.old.disk_size.max(p.new.disk_size),
                Shown::Physical => p.old.physical_size.max(p.new.physical_size),
            };
            let order = |p: &PackageChange| {
                Reverse((p.shown_change(shown).map(i64::unsigned_abs), sizes(p)))
            };
            (order(a), &a.pname).cmp(&(order(b), &b.pname))
        });
        let side = |path: &PathChange| if path.added { &new } else { &old };
        paths.arrange_by_cached_key(|path| {
            let weight = side(path).weight(path.path, shown);
            (Reverse(weight), side(path).base_name(path.path), path.added)
        });
        let mut warnings = old.census.warnings.clone();
        if !std::ptr::eq(old.census, new.census) {
            warnings.extend(new.census.warnings.clone());
        }
        let chains = OnceLock::new();
        Ok(Self { old, new, packages, paths, same_packages, chains, warnings })
    }

    /// Whether both disks were asked.
    pub fn has_disk(&self) -> bool {
        self.shown() != Shown::Nar
    }

    fn shown(&self) -> Shown {
        Shown::of([self.old.census, self.new.census])
    }

    /// How much larger all NARs are together, in bytes, if known.
    pub fn nar_change(&self) -> Option<i64> {
        Some(change(self.old.total.nar_size?, self.new.total.nar_size?))
    }

    /// How much more all of it takes on disk, in bytes, if known.
    pub fn disk_change(&self) -> Option<i64> {
        Some(change(self.old.total.disk_size?, self.new.total.disk_size?))
    }

    /// How much more all of it takes in extents, in bytes, if known.
    pub fn physical_change(&self) -> Option<i64> {
        Some(change(self.old.total.physical_size?, self.new.total.physical_size?))
    }

    /// How many packages that happened to.
    pub fn count(&self, kind: ChangeKind) -> u64 {
        self.packages.iter().filter(|package| package.kind == kind).count() as u64
    }

    /// A shortest chain to a path of the new side from its targets, both included.
    pub fn chain(&self, path: PathIndex) -> Vec<PathIndex> {
        let of_new = || ShortestPaths::new(self.new.census.references(), &self.new.tops);
        chain_to(self.chains.get_or_init(of_new), path)
    }

    /// The paths of new packages that make up at least a hundredth of all that came, the
    /// heaviest first: why they are there is worth knowing. Of a package that was there
    /// before in another version that is known.
    pub fn newcomers(&self) -> Vec<PathIndex> {
        const PART: u64 = 100;
        let shown = self.shown();
        let weight = |path: PathIndex| self.new.weight(path, shown);
        let all = self.paths.iter().filter(|path| path.added).map(|path| weight(path.path));
        let least = all.fold(0, u64::saturating_add) / PART;
        let added = self.packages.iter().filter(|package| package.kind == ChangeKind::Added);
        let mut paths: Vec<PathIndex> = added.flat_map(|package| &package.added).copied().collect();
        paths.retain(|&path| weight(path) >= least);
        paths.arrange_by_key(|&path| (Reverse(weight(path)), path));
        paths
    }
}

impl Side<'_> {
    /// What a path weighs in bytes, of the sizes that are shown.
    fn weight(&self, path: PathIndex, shown: Shown) -> u64 {
        let size = match shown {
            Shown::Nar => None,
            Shown::Disk => self.census.usage(path).map(|usage| usage.disk_size),
            Shown::Physical => self.census.extent_sizes(path).map(|sizes| sizes.physical_size),
        };
        size.unwrap_or_else(|| self.census.nar_size(path))
    }
}

/// What happened to a package.
fn package(
    old: &Side<'_>,
    new: &Side<'_>,
    pname: &str,
    before: PackageSide,
    after: PackageSide,
) -> PackageChange {
    let lacking = |from: &Side<'_>, other: &Side<'_>, paths: &[PathIndex]| -> Vec<PathIndex> {
        let paths = paths.iter().copied();
        paths.filter(|&path| other.find(from.base_name(path)).is_none()).collect()
    };
    let removed = lacking(old, new, &before.paths);
    let added = lacking(new, old, &after.paths);
    let called: BTreeSet<&str> = (before.paths.iter().map(|&path| old.name(path)))
        .chain(after.paths.iter().map(|&path| new.name(path)))
        .collect();
    let versioned =
        before.versions.iter().chain(&after.versions).any(|version| !version.is_empty());
    let name = match called.first() {
        Some(only) if called.len() == 1 && !versioned => (*only).to_owned(),
        _ => pname.to_owned(),
    };
    let mut package = PackageChange {
        pname: pname.to_owned(),
        name,
        kind: ChangeKind::Rebuilt,
        old: before,
        new: after,
        removed,
        added,
    };
    package.kind = match package.versions() {
        _ if package.old.paths.is_empty() => ChangeKind::Added,
        _ if package.new.paths.is_empty() => ChangeKind::Removed,
        (gone, came) if gone.is_empty() && came.is_empty() => ChangeKind::Rebuilt,
        (gone, came) => match (gone.as_slice(), came.as_slice()) {
            ([gone], [came]) => match names::compare(gone, came) {
                Ordering::Less => ChangeKind::Upgraded,
                Ordering::Greater => ChangeKind::Downgraded,
                Ordering::Equal => ChangeKind::Changed,
            },
            _ => ChangeKind::Changed,
        },
    };
    package
}

/// What sets of paths of one side take, each set by itself, and all that they need.
fn measure(side: &Side<'_>, sets: &[&[PathIndex]]) -> Result<Vec<PackageSide>, TooHeavy> {
    let census = side.census;
    let unions: Vec<Option<Union>> = match census.shared() {
        Some(shared) => shared.unions(sets).into_iter().map(Some).collect(),
        None => vec![None; sets.len()],
    };
    let closures = closures(census, sets)?;
    let unknown = census.unknown_closures();
    let one = |((paths, union), closure): ((&&[PathIndex], Option<Union>), Sizes)| {
        let known = paths.iter().all(|path| !unknown.contains(path.node()));
        let on_disk = union.is_some() && (known || !census.has_unlisted_references());
        PackageSide {
            paths: paths.to_vec(),
            versions: paths
                .iter()
                .map(|&path| names::split(side.name(path)).1.to_owned())
                .collect(),
            nar_size: census.sum_nar_sizes(paths.iter().copied()),
            disk_size: union.map(|union| union.disk_size),
            physical_size: union.and_then(|union| census.physical_size(union)),
            closure_nar_size: known.then_some(closure.nar),
            closure_disk_size: on_disk.then_some(closure.disk),
            closure_physical_size: (on_disk && census.knows_physical()).then_some(closure.physical),
        }
    };
    Ok(sets.iter().zip(unions).zip(closures).map(one).collect())
}

/// The closure sizes of sets of paths.
fn closures(census: &Census, sets: &[&[PathIndex]]) -> Result<Vec<Sizes>, TooHeavy> {
    // A node for each set, which refers to its paths, before the paths.
    let first = sets.len() as u32;
    let (graph, sizes) = weighted(census);
    let mut rows = Rows::default();
    let mut row = Vec::new();
    for set in sets {
        row.clear();
        row.extend(set.iter().map(|path| path.node() + first));
        rows.push(&row);
    }
    for references in graph.iter() {
        row.clear();
        row.extend(references.iter().map(|node| node + first));
        rows.push(&row);
    }
    let mut weights = vec![Sizes::default(); sets.len()];
    weights.extend(sizes);
    let mut sizes = closure_sizes(&rows, &weights, sets.len())?.sizes;
    sizes.truncate(sets.len());
    Ok(sizes)
}

/// What packages take on one side, whose paths these are, and the paths that the other side
/// lacks. All in one go: most of it is to make the graph ready.
fn sides(
    side: &Side<'_>,
    other: &Side<'_>,
    added: bool,
    mut sets: Vec<&[PathIndex]>,
) -> Result<(Vec<PackageSide>, Vec<PathChange>), TooHeavy> {
    let packages = sets.len();
    let paths = sets.iter().flat_map(|set| set.chunks(1));
    let lacking: Vec<&[PathIndex]> =
        paths.filter(|path| other.find(side.base_name(path[0])).is_none()).collect();
    sets.extend(lacking);
    let mut measured = measure(side, &sets)?;
    let single = measured.split_off(packages);
    let one = |(path, side): (&&[PathIndex], PackageSide)| PathChange {
        added,
        path: path[0],
        closure_nar_size: side.closure_nar_size,
        closure_disk_size: side.closure_disk_size,
        closure_physical_size: side.closure_physical_size,
    };
    Ok((measured, sets[packages..].iter().zip(single).map(one).collect()))
}
