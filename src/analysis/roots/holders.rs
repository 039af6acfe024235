//! The graph of who holds what: profiles, their generations, other roots,
//! paths, and inodes with names in several paths.
//!
//! What removing something would free is what it dominates in this graph: all
//! that only it leads to. So one dominator tree answers for every root alone,
//! for every profile's old generations together, exactly and in linear memory.

use crate::analysis::retained::SizeKind;
use crate::catalog::{Catalog, PathId};
use crate::census::Freeable;
use crate::disk::Space;
use crate::graph::{Components, Cuts, Dominators, Rows, TooHeavy, Weight, reachable, weight};
use crate::roots::{FoundRoots, Generation};
use std::collections::{HashMap, HashSet};

/// What some paths and inodes weigh; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootSizes {
    /// The NAR sizes that are known.
    pub nar: u64,
    /// The disk size; 0 where the disk was not asked.
    pub disk: u64,
    /// How many paths have no known NAR size.
    pub unknown: u64,
    /// How many inodes; 0 where the disk was not asked.
    pub inodes: u64,
    /// Extents as they lie on the disk; blocks where extents are not known.
    pub physical: u64,
}

weight!(RootSizes { nar, disk, unknown, inodes, physical });

impl From<Space> for RootSizes {
    fn from(space: Space) -> Self {
        let Space { disk_size: disk, physical_size: physical, inodes } = space;
        Self { disk, inodes, physical, ..Self::default() }
    }
}

impl RootSizes {
    /// The NAR size of all of it, if that is known.
    pub fn known_nar_size(self) -> Option<u64> {
        (self.unknown == 0).then_some(self.nar)
    }

    /// What they take of the disk.
    pub(in crate::analysis) fn space(self) -> Space {
        Space { disk_size: self.disk, physical_size: self.physical, inodes: self.inodes }
    }

    /// The size of that kind.
    pub(in crate::analysis) fn get(self, kind: SizeKind) -> u64 {
        match kind {
            SizeKind::Nar => self.nar,
            SizeKind::Disk => self.physical,
        }
    }

    /// What both weigh; sizes stop at the largest number.
    pub(in crate::analysis) fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }
}

/// What a path weighs. A path that refers to one that the source does not list
/// has no known size either: with it goes what is not known.
pub(super) fn weight(catalog: &Catalog, path: PathId, disk: Space) -> RootSizes {
    let nar = catalog.nar_size(path);
    let known = nar.is_some() && catalog.unlisted_references(path).is_empty();
    RootSizes { nar: nar.unwrap_or(0), unknown: u64::from(!known), ..disk.into() }
}

/// What is removed as one: a link, or a process with all that it uses.
#[derive(Clone, Debug)]
pub struct Holders {
    /// The holder of each root.
    pub of: Vec<u32>,
    /// The roots of each holder.
    pub roots: Rows,
}

impl Holders {
    /// The holders of roots: those of one process are one.
    pub fn new(found: &FoundRoots) -> Self {
        let mut processes: HashMap<u32, u32> = HashMap::new();
        let mut of: Vec<u32> = Vec::with_capacity(found.roots.len());
        let mut count = 0;
        for (i, root) in found.roots.iter().enumerate() {
            let same_link = i > 0 && found.roots[i - 1].link == root.link;
            let known = match root.pid {
                Some(pid) => *processes.entry(pid).or_insert(count),
                None if same_link => of[i - 1],
                None => count,
            };
            count = count.max(known + 1);
            of.push(known);
        }
        let roots = Rows::from_pairs(count as usize, of.iter().copied().zip(0..));
        Self { of, roots }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }
}

/// The graph, and what each of its nodes weighs.
pub(in crate::analysis) struct HolderGraph<'a> {
    rows: Rows,
    weights: Vec<RootSizes>,
    found: &'a FoundRoots,
    holders: &'a Holders,
    first_class: u32,
    first_holder: u32,
    first_profile: u32,
}

/// What removals would free.
pub(in crate::analysis) struct Freed {
    /// Each holder alone.
    pub(in crate::analysis) holders: Vec<RootSizes>,
    /// Each profile.
    pub(in crate::analysis) profiles: Vec<FreedOfProfile>,
}

/// What removing generations of a profile would free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::analysis) struct FreedOfProfile {
    /// All of them.
    pub(super) all: RootSizes,
    /// All but the current one.
    pub(super) old: RootSizes,
    /// Those that are older than asked.
    pub(super) older: RootSizes,
}

impl<'a> HolderGraph<'a> {
    /// The graph over what keeps what; without `freeable` disk sizes are 0.
    pub(in crate::analysis) fn new(
        catalog: &Catalog,
        keep: &Rows,
        freeable: Option<&Freeable>,
        found: &'a FoundRoots,
        holders: &'a Holders,
        older_than: i64,
    ) -> Self {
        let paths = catalog.len() as u32;
        let classes = freeable.map_or(0, |f| f.class_sizes.len()) as u32;
        let first_holder = paths + classes;
        let first_profile = first_holder + holders.len() as u32;
        let mut rows = Rows::default();
        let mut weights = Vec::with_capacity(first_profile as usize + 3 * found.profiles.len());
        let mut row: Vec<u32> = Vec::new();
        for path in 0..paths {
            row.clear();
            row.extend_from_slice(keep.row(path));
            if let Some(freeable) = freeable {
                row.extend(freeable.classes.row(path).iter().map(|class| paths + class));
            }
            rows.push(&row);
            let disk = freeable.map_or(Space::default(), |f| f.own_sizes[path as usize]);
            weights.push(weight(catalog, PathId::new(path), disk));
        }
        for class in 0..classes {
            rows.push(&[]);
            let disk = freeable.map_or(Space::default(), |f| f.class_sizes[class as usize]);
            weights.push(disk.into());
        }
        for roots in holders.roots.iter() {
            row.clear();
            row.extend(roots.iter().map(|&root| found.roots[root as usize].path.node()));
            rows.push(&row);
            weights.push(RootSizes::default());
        }
        let node = |generation: &Generation| {
            generation.root.map(|root| first_holder + holders.of[root as usize])
        };
        for (profile, at) in found.profiles.iter().zip((first_profile..).step_by(3)) {
            let older = numbers(profile.older_than(older_than));
            let kept = profile.current;
            let members = |wanted: &dyn Fn(&Generation) -> bool| {
                profile.generations.iter().filter(|g| wanted(g)).filter_map(node).collect()
            };
            let is_older = |g: &Generation| older.binary_search(&g.number).is_ok();
            // The profile: its current generation, and the old ones.
            let mut current: Vec<u32> = members(&|g| Some(g.number) == kept);
            current.push(at + 1);
            rows.push(&current);
            // The old ones: those not old enough, and the older ones.
            let mut old: Vec<u32> = members(&|g| Some(g.number) != kept && !is_older(g));
            old.push(at + 2);
            rows.push(&old);
            let oldest: Vec<u32> = members(&is_older);
            rows.push(&oldest);
            weights.extend([RootSizes::default(); 3]);
        }
        Self { rows, weights, found, holders, first_class: paths, first_holder, first_profile }
    }

    /// What every removal would free.
    pub(in crate::analysis) fn freed(&self) -> Result<Freed, TooHeavy> {
        let generation = |holder: &&u32| {
            let roots = self.holders.roots.row(**holder);
            roots.iter().any(|&root| self.found.roots[root as usize].generation.is_some())
        };
        let all: Vec<u32> = (0..self.holders.len() as u32).collect();
        let mut tops: Vec<u32> = (all.iter())
            .filter(|holder| !generation(holder))
            .map(|&holder| self.first_holder + holder)
            .collect();
        tops.extend((self.first_profile..).step_by(3).take(self.found.profiles.len()));
        let retained = Dominators::new(&self.rows, &tops).retained(&self.weights)?;
        let (profiles, _) = retained[self.first_profile as usize..].as_chunks::<3>();
        let profiles = profiles.iter();
        Ok(Freed {
            holders: retained[self.first_holder as usize..self.first_profile as usize].to_vec(),
            profiles: profiles
                .map(|&[all, old, older]| FreedOfProfile { all, old, older })
                .collect(),
        })
    }

    /// What every holder would free if these were gone already.
    pub(in crate::analysis) fn freed_after(
        &self,
        removed: &[u32],
    ) -> Result<Vec<RootSizes>, TooHeavy> {
        let gone: HashSet<u32> = removed.iter().copied().collect();
        let tops: Vec<u32> = (0..self.holders.len() as u32)
            .filter(|holder| !gone.contains(holder))
            .map(|holder| self.first_holder + holder)
            .collect();
        let retained = Dominators::new(&self.rows, &tops).retained(&self.weights)?;
        Ok(retained[self.first_holder as usize..self.first_profile as usize].to_vec())
    }

    /// What removing these holders together frees.
    pub(in crate::analysis) fn freed_by(&self, removed: &[u32]) -> RootSizes {
        let from = |holders: &mut dyn Iterator<Item = u32>| {
            let nodes: Vec<u32> = holders.map(|holder| self.first_holder + holder).collect();
            reachable(&self.rows, nodes, &Cuts::default())
        };
        let gone: HashSet<u32> = removed.iter().copied().collect();
        let stay = from(&mut (0..self.holders.len() as u32).filter(|h| !gone.contains(h)));
        let mut freed = RootSizes::default();
        for node in from(&mut gone.iter().copied()).iter().filter(|&node| !stay.contains(node)) {
            freed = freed.plus(self.weights[node as usize]);
        }
        freed
    }

    /// What each set of two or three holders keeps that no other set keeps:
    /// the set, its paths, and their weight.
    pub(in crate::analysis) fn shared(&self) -> HashMap<HeldBy, Group> {
        let components = Components::new(&self.rows, []);
        let members =
            Rows::from_pairs(components.len(), components.as_slice().iter().copied().zip(0..));
        let mut holders_of = vec![HeldBy::Nobody; components.len()];
        for holder in 0..self.holders.len() as u32 {
            holders_of[components.of(self.first_holder + holder) as usize] = HeldBy::One(holder);
        }
        let mut groups: HashMap<HeldBy, Group> = HashMap::new();
        // Components come after all that they refer to, so the highest first.
        for component in (0..components.len()).rev() {
            let set = holders_of[component];
            for &node in members.row(component as u32) {
                // Profiles and their parts hold nothing themselves.
                if node >= self.first_profile {
                    continue;
                }
                for &next in self.rows.row(node) {
                    let next = components.of(next) as usize;
                    if next != component {
                        holders_of[next].join(set);
                    }
                }
                if node < self.first_holder && set.holders().len() > 1 {
                    let group = groups.entry(set).or_default();
                    group.paths += u64::from(node < self.first_class);
                    group.sizes = group.sizes.plus(self.weights[node as usize]);
                }
            }
        }
        groups
    }
}

/// What a set of holders keeps together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// How many paths.
    pub paths: u64,
    /// Their NAR size, and the disk size that goes with them.
    pub sizes: RootSizes,
}

/// The holders from which something is reached, ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::analysis) enum HeldBy {
    /// None.
    #[default]
    Nobody,
    /// This one alone.
    One(u32),
    /// These two.
    Two([u32; 2]),
    /// These three.
    Three([u32; 3]),
    /// More than three.
    Many,
}

impl HeldBy {
    /// The holders, ascending; none where they are many.
    pub(in crate::analysis) fn holders(&self) -> &[u32] {
        match self {
            Self::Nobody | Self::Many => &[],
            Self::One(holder) => std::slice::from_ref(holder),
            Self::Two(holders) => holders,
            Self::Three(holders) => holders,
        }
    }

    /// Adds the holders of `other`.
    fn join(&mut self, other: Self) {
        if *self == Self::Many || other == Self::Many {
            *self = Self::Many;
        }
        for &holder in other.holders() {
            *self = self.with(holder);
        }
    }

    /// The same with one more.
    fn with(self, holder: u32) -> Self {
        match self {
            _ if self.holders().contains(&holder) => self,
            Self::Nobody => Self::One(holder),
            Self::One(other) => Self::Two([other.min(holder), other.max(holder)]),
            Self::Two([a, b]) => {
                let mut three = [a, b, holder];
                three.sort_unstable();
                Self::Three(three)
            }
            Self::Three(_) | Self::Many => Self::Many,
        }
    }
}

fn numbers<'g>(generations: impl Iterator<Item = &'g Generation>) -> Vec<u64> {
    let mut numbers: Vec<u64> = generations.map(|g| g.number).collect();
    numbers.sort_unstable();
    numbers
}
