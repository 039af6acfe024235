//! The roots: what each keeps, and what removing it would free.

mod document;
mod holders;
mod of;

use crate::arrange::Arrange as _;
pub use holders::{Group, Holders, RootSizes};
pub(crate) use of::chain_text;
pub use of::{Keeper, RootsOf};

use super::liveness::{Keep, freeable, keep_graph, kept_entries};
use super::retained::SizeKind;
use crate::catalog::PathId;
use crate::census::WholeCensus;
use crate::disk::Space;
use crate::graph::{Cuts, Node, Rows, TooHeavy, closure_sizes, reachable};
use crate::roots::{FoundRoots, GcSettings, Root, RootKind};
use crate::warning::Warnings;
use holders::FreedOfProfile;
pub(super) use holders::{HeldBy, HolderGraph};
use std::cmp::Reverse;
use std::collections::HashMap;

/// What roots are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootSort {
    /// The link's name, from the first up.
    Link,
    /// The closure's NAR size, from the largest down.
    ClosureNarSize,
    /// The closure's disk size.
    ClosureDiskSize,
    /// The NAR size freed by removing it alone.
    FreedNarSize,
    /// The disk size freed by removing it alone.
    FreedDiskSize,
    /// The extents of the closure.
    ClosurePhysicalSize,
    /// The extents freed by removing it alone.
    FreedPhysicalSize,
    /// The inodes of the closure.
    ClosureInodes,
    /// The inodes freed by removing it alone.
    FreedInodes,
}

impl RootSort {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Link,
        Self::ClosureNarSize,
        Self::ClosureDiskSize,
        Self::FreedNarSize,
        Self::FreedDiskSize,
        Self::ClosurePhysicalSize,
        Self::FreedPhysicalSize,
        Self::ClosureInodes,
        Self::FreedInodes,
    ];

    /// The JSON key that it sorts by.
    pub fn key(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::ClosureNarSize => "closure_nar_size",
            Self::ClosureDiskSize => "closure_disk_size",
            Self::ClosurePhysicalSize => "closure_physical_size",
            Self::FreedPhysicalSize => "freed_physical_size",
            Self::FreedNarSize => "freed_nar_size",
            Self::FreedDiskSize => "freed_disk_size",
            Self::ClosureInodes => "closure_inodes",
            Self::FreedInodes => "freed_inodes",
        }
    }

    /// The one of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.key() == key)
    }

    /// Whether the disk must be walked for it.
    pub fn needs_disk(self) -> bool {
        matches!(
            self,
            Self::ClosureDiskSize
                | Self::FreedDiskSize
                | Self::ClosurePhysicalSize
                | Self::FreedPhysicalSize
                | Self::ClosureInodes
                | Self::FreedInodes
        )
    }
}

/// What to say about the roots.
#[derive(Clone, Debug)]
pub struct RootsOptions {
    /// What the collector keeps beyond references.
    pub settings: GcSettings,
    /// The time that ages are counted to, in seconds since 1970.
    pub now: i64,
    /// Generations are old if they were gone more days ago than this.
    pub older_than_days: u32,
    /// Whether other users' profiles count as cleaned too.
    pub all_users: bool,
    /// Whether to find what two or three roots keep together.
    pub shared: bool,
    /// Only roots of these kinds; all if empty.
    pub kinds: Vec<RootKind>,
    /// What roots are sorted by.
    pub sort: RootSort,
    /// How many roots, profiles and groups to list at most.
    pub limit: Option<usize>,
}

/// A root and its weight. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootRow {
    /// The root, an index into [`FoundRoots::roots`].
    pub root: u32,
    /// The NAR size of its path's closure, if known.
    pub closure_nar_size: Option<u64>,
    /// The disk size of its path's closure, each inode once.
    pub closure_disk_size: Option<u64>,
    /// The NAR size of what would be garbage without it and is not now. For a
    /// process: without all that the process uses. `None` if that of one path of
    /// it is unknown.
    pub freed_nar_size: Option<u64>,
    /// What the disk would gain by that, hard links in account.
    pub freed_disk_size: Option<u64>,
    /// The extents of its path's closure, each once, if they are known.
    pub closure_physical_size: Option<u64>,
    /// The extents that would go, if they are known.
    pub freed_physical_size: Option<u64>,
    /// The inodes of its path's closure, each once.
    pub closure_inodes: Option<u64>,
    /// The inodes that would go.
    pub freed_inodes: Option<u64>,
}

/// What deleting some generations of a profile would free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FreedGenerations {
    /// How many generations.
    pub generations: u64,
    /// What they weigh.
    pub sizes: RootSizes,
}

/// A profile, and what deleting its generations would free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileRow {
    /// The profile, an index into [`FoundRoots::profiles`].
    pub profile: u32,
    /// All of it.
    pub all: FreedGenerations,
    /// All generations but the current one; `None` if nobody whose
    /// `nix-collect-garbage` is meant cleans the profile.
    pub old: Option<FreedGenerations>,
    /// The generations that are older than asked, as `--delete-older-than`
    /// would delete them.
    pub older: Option<FreedGenerations>,
}

/// A set of two or three holders, and what only the set keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedGroup {
    /// A root of each holder: indexes into [`FoundRoots::roots`].
    pub roots: Vec<u32>,
    /// What goes when all of them go, and not before.
    pub group: Group,
    /// What removing all of them would free: this, and what each of them and
    /// each pair of them keeps.
    pub freed: RootSizes,
}

/// All that the roots keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootsTotal {
    /// How many roots, those that filters left out included.
    pub roots: u64,
    /// How many paths are alive.
    pub alive_paths: u64,
    /// Their NAR size in bytes; `None` if that of one is unknown.
    pub alive_nar_size: Option<u64>,
    /// Their disk size in bytes, each inode once.
    pub alive_disk_size: Option<u64>,
    /// Their inodes.
    pub alive_inodes: Option<u64>,
}

/// The answer: every root, every profile.
#[derive(Clone, Debug)]
pub struct Roots<'f> {
    /// What was found.
    pub found: &'f FoundRoots,
    /// The roots, filtered, sorted and limited.
    pub rows: Vec<RootRow>,
    /// How many roots the filters left.
    pub matched: u64,
    /// The profiles, the one that could free most first.
    pub profiles: Vec<ProfileRow>,
    /// What sets of two or three roots keep together, heaviest first, if asked.
    pub shared: Option<Vec<SharedGroup>>,
    /// Sums.
    pub total: RootsTotal,
    options: RootsOptions,
    disk: bool,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
}

impl<'f> Roots<'f> {
    /// Weighs the roots.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(
        census: WholeCensus<'_>,
        found: &'f FoundRoots,
        options: &RootsOptions,
    ) -> Result<Self, TooHeavy> {
        let catalog = &census.catalog;
        let keep = Keep::from(&options.settings);
        let keep_rows = keep_graph(catalog, keep);
        let freeable = freeable(census, found, &kept_entries(census, found));
        let holders = Holders::new(found);
        let older_than = options.now.saturating_sub(i64::from(options.older_than_days) * 86_400);
        let graph =
            HolderGraph::new(catalog, &keep_rows, freeable.as_ref(), found, &holders, older_than);
        let freed = graph.freed()?;
        // Closures are known where it is not known what of them goes.
        let walked = census.disk.is_some();
        let disk = freeable.is_some();
        let physical = census.knows_physical();
        let freed_physical = census.freed_sizes_are().is_some();
        let profiles = (0u32..).zip(&found.profiles).zip(&freed.profiles);
        let mut profiles: Vec<ProfileRow> = profiles
            .map(|((profile, p), &FreedOfProfile { all, old, older })| {
                let freed = |generations, sizes| FreedGenerations {
                    generations: generations as u64,
                    sizes,
                };
                let cleaned = p.is_cleaned(options.all_users);
                ProfileRow {
                    profile,
                    all: freed(p.generations.len(), all),
                    old: cleaned.then(|| freed(p.old().count(), old)),
                    older: cleaned.then(|| freed(p.older_than(older_than).count(), older)),
                }
            })
            .collect();
        let by = if disk { SizeKind::Disk } else { SizeKind::Nar };
        let heaviest = |p: &ProfileRow| p.old.map(|old| old.sizes.get(by));
        profiles.arrange_by_key(|p| (Reverse(heaviest(p)), p.profile));
        let limit = options.limit.unwrap_or(usize::MAX);
        profiles.truncate(limit);
        let shared = options
            .shared
            .then(|| shared_groups(&graph.shared(), &freed.holders, &holders, by, limit));
        drop(graph);

        let closures = closures(census, found)?;
        let mut rows: Vec<RootRow> = (0u32..)
            .zip(&found.roots)
            .filter(|(_, root)| matches(options, root))
            .map(|(index, root)| {
                let freed = freed.holders[holders.of[index as usize] as usize];
                let closure = closures.of(root.path);
                RootRow {
                    root: index,
                    closure_nar_size: closure.known_nar_size(),
                    closure_disk_size: walked.then_some(closure.disk),
                    freed_nar_size: freed.known_nar_size(),
                    freed_disk_size: disk.then_some(freed.disk),
                    closure_physical_size: physical.then_some(closure.physical),
                    freed_physical_size: freed_physical.then_some(freed.physical),
                    closure_inodes: walked.then_some(closure.inodes),
                    freed_inodes: disk.then_some(freed.inodes),
                }
            })
            .collect();
        let matched = rows.len() as u64;
        sort(&mut rows, options.sort);
        rows.truncate(limit);
        let paths = found.roots.iter().map(|r| r.path.node());
        let live = reachable(&keep_rows, paths, &Cuts::default());
        let live_ids = || live.iter().map(PathId::new);
        let union = census.union_of(live_ids());
        let total = RootsTotal {
            roots: found.roots.len() as u64,
            alive_paths: live.len() as u64,
            alive_nar_size: catalog.sum_nar_sizes(live_ids()),
            alive_disk_size: union.map(|union| union.disk_size),
            alive_inodes: union.map(|union| union.inodes),
        };
        Ok(Self {
            found,
            rows,
            matched,
            profiles,
            shared,
            total,
            options: options.clone(),
            disk,
            warnings: census.warnings.clone(),
        })
    }
}

fn matches(options: &RootsOptions, root: &Root) -> bool {
    options.kinds.is_empty() || options.kinds.contains(&root.kind)
}

fn sort(rows: &mut [RootRow], by: RootSort) {
    rows.arrange_by(|a, b| {
        let order = match by {
            RootSort::Link => std::cmp::Ordering::Equal,
            RootSort::ClosureNarSize => b.closure_nar_size.cmp(&a.closure_nar_size),
            RootSort::ClosureDiskSize => b.closure_disk_size.cmp(&a.closure_disk_size),
            RootSort::FreedNarSize => b.freed_nar_size.cmp(&a.freed_nar_size),
            RootSort::FreedDiskSize => b.freed_disk_size.cmp(&a.freed_disk_size),
            RootSort::ClosurePhysicalSize => b.closure_physical_size.cmp(&a.closure_physical_size),
            RootSort::FreedPhysicalSize => b.freed_physical_size.cmp(&a.freed_physical_size),
            RootSort::ClosureInodes => b.closure_inodes.cmp(&a.closure_inodes),
            RootSort::FreedInodes => b.freed_inodes.cmp(&a.freed_inodes),
        };
        // Roots are in the order of their links.
        order.then(a.root.cmp(&b.root))
    });
}

fn shared_groups(
    groups: &HashMap<HeldBy, Group>,
    alone: &[RootSizes],
    holders: &Holders,
    by: SizeKind,
    limit: usize,
) -> Vec<SharedGroup> {
    let mut sets: Vec<(&HeldBy, &Group)> = groups.iter().collect();
    sets.arrange_by_key(|(set, group)| (Reverse(group.sizes.get(by)), set.holders()));
    sets.truncate(limit);
    let list = sets.into_iter().map(|(set, group)| {
        let members = set.holders();
        let mut freed = group.sizes;
        let mut add = |sizes: RootSizes| freed = freed.plus(sizes);
        for (i, &a) in members.iter().enumerate() {
            add(alone[a as usize]);
            for &b in members[i + 1..].iter().filter(|_| members.len() == 3) {
                add(groups
                    .get(&HeldBy::Two([a, b]))
                    .map_or(RootSizes::default(), |pair| pair.sizes));
            }
        }
        let roots = members.iter().map(|&h| holders.roots.row(h)[0]).collect();
        SharedGroup { roots, group: *group, freed }
    });
    list.collect()
}

/// The closure sizes of the paths that roots keep.
struct Closures {
    /// For each path its place in `sizes`, if a root keeps it.
    place: Vec<Option<Node>>,
    sizes: Vec<RootSizes>,
}

impl Closures {
    /// That of a path that a root names.
    fn of(&self, path: PathId) -> RootSizes {
        let place = self.place[path.index()].expect("the paths of all roots have a place");
        self.sizes[place.index()]
    }
}

fn closures(census: WholeCensus<'_>, found: &FoundRoots) -> Result<Closures, TooHeavy> {
    // The roots' paths come first, so that only their closures are kept apart;
    // what they do not reach is left out.
    let shared = census.shared();
    let extended = shared.filter(|s| !s.is_empty()).map(|s| s.extend(census.references()));
    let rows = extended.as_ref().unwrap_or(census.references());
    let mut place: Vec<Option<Node>> = vec![None; rows.len()];
    let mut order: Vec<u32> = Vec::new();
    let mut reach = |node: u32, order: &mut Vec<u32>| {
        place[node as usize].get_or_insert_with(|| {
            order.push(node);
            Node::new(order.len() as u32 - 1)
        });
    };
    for root in &found.roots {
        reach(root.path.node(), &mut order);
    }
    let sources = order.len();
    let mut at = 0;
    while at < order.len() {
        for &next in rows.row(order[at]) {
            reach(next, &mut order);
        }
        at += 1;
    }
    let mut graph = Rows::default();
    let mut row = Vec::new();
    let mut weights: Vec<RootSizes> = Vec::with_capacity(order.len());
    for &node in &order {
        row.clear();
        row.extend(rows.row(node).iter().filter_map(|&next| place[next as usize]).map(Node::node));
        graph.push(&row);
        weights.push(match node.checked_sub(census.len() as u32) {
            None => {
                let disk = shared.map_or(Space::default(), |s| s.own_sizes[node as usize].space());
                holders::weight(&census.catalog, PathId::new(node), disk)
            }
            Some(class) => {
                shared.map_or(Space::default(), |s| s.class_sizes[class as usize].space()).into()
            }
        });
    }
    let sizes = closure_sizes(&graph, &weights, sources)?.sizes;
    Ok(Closures { place, sizes })
}

#[cfg(test)]
pub(super) mod tests;
