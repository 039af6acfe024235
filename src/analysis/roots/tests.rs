//! What removals free, against following every root anew.

use super::holders::{FreedOfProfile, HeldBy, HolderGraph, Holders};
use super::{RootSizes, RootSort, Roots, RootsOptions, shared_groups};
use crate::analysis::retained::SizeKind;
use crate::catalog::{Builder, Catalog, PathId, Record};
use crate::census::{Census, Examine, Freeable};
use crate::disk::{DiskScan, Overlay, Space, Usage};
use crate::graph::{Cuts, Rows, reachable};
use crate::roots::{FoundRoots, GcSettings, Generation, Profile, Root, RootKind};
use proptest::prelude::*;

/// A store of paths, its roots, and classes of inodes.
#[derive(Clone, Debug)]
pub(in crate::analysis) struct Case {
    references: Vec<(u32, u32)>,
    paths: u32,
    /// For each root its path, and its profile or process.
    roots: Vec<(u32, Group)>,
    /// The paths of each class.
    classes: Vec<Vec<u32>>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::analysis) enum Group {
    None,
    Profile(u32),
    Process(u32),
}

pub(in crate::analysis) fn case() -> impl Strategy<Value = Case> {
    (1u32..24).prop_flat_map(|paths| {
        let group = prop_oneof![
            2 => Just(Group::None),
            2 => (0u32..3).prop_map(Group::Profile),
            1 => (0u32..2).prop_map(Group::Process),
        ];
        (
            prop::collection::vec((0..paths, 0..paths), 0..50),
            prop::collection::vec((0..paths, group), 0..10),
            prop::collection::vec(prop::collection::vec(0..paths, 2..5), 0..6),
        )
            .prop_map(move |(references, roots, classes)| Case {
                references,
                paths,
                roots,
                classes,
            })
    })
}

impl Case {
    /// So many roots, each of a path of its own.
    pub(in crate::analysis) fn apart(roots: u32) -> Self {
        Self {
            references: Vec::new(),
            paths: roots,
            roots: (0..roots).map(|path| (path, Group::None)).collect(),
            classes: Vec::new(),
        }
    }

    pub(in crate::analysis) fn catalog(&self) -> Catalog {
        let mut builder = Builder::new("/nix/store");
        for path in 0..self.paths {
            let nar_size = (path % 7 != 3).then_some(1000);
            let path = format!("/nix/store/{path:032}-p");
            let record = Record { path: path.as_bytes(), nar_size, ..Record::default() };
            builder.add(&record).unwrap();
        }
        for &(from, to) in &self.references {
            builder.add_reference(from, to);
        }
        builder.finish().unwrap()
    }

    pub(in crate::analysis) fn found(&self) -> FoundRoots {
        let profile = |p| Profile { link: vec![p], ..Profile::default() };
        let mut found =
            FoundRoots { profiles: (0..3).map(profile).collect(), ..FoundRoots::default() };
        for (i, &(path, group)) in (0u32..).zip(&self.roots) {
            let number = u64::from(i);
            let mut root = Root {
                kind: RootKind::Link,
                link: format!("/link/{i:04}").into_bytes(),
                via: None,
                path: PathId::new(path),
                time: None,
                pid: None,
                generation: None,
            };
            match group {
                Group::None => {}
                Group::Process(pid) => root.pid = Some(pid),
                Group::Profile(profile) => {
                    root.generation = Some((profile, number));
                    let generation = Generation { number, time: i64::from(i), root: Some(i) };
                    found.profiles[profile as usize].generations.push(generation);
                }
            }
            found.roots.push(root);
        }
        found
    }

    pub(in crate::analysis) fn freeable(&self) -> Freeable {
        let mut lists = vec![Vec::new(); self.paths as usize];
        for (class, paths) in (0u32..).zip(&self.classes) {
            for &path in paths {
                lists[path as usize].push(class);
            }
        }
        for list in &mut lists {
            list.dedup();
        }
        Freeable {
            classes: Rows::from_lists(&lists),
            class_sizes: (0..self.classes.len() as u64)
                .map(|c| Space::blocks(1 << c, 1 + c % 3))
                .collect(),
            own_sizes: (0..u64::from(self.paths))
                .map(|p| Space::blocks(1000 + p * p, 1 + p % 5))
                .collect(),
            invalid_size: Space::default(),
        }
    }

    /// What removing these roots frees, by following all others.
    pub(in crate::analysis) fn freed(
        &self,
        catalog: &Catalog,
        freeable: &Freeable,
        removed: &[u32],
    ) -> RootSizes {
        let alive = |skip: &[u32]| {
            let left = (0u32..).zip(&self.roots).filter(|(i, _)| !skip.contains(i));
            let paths: Vec<u32> = left.map(|(_, (path, _))| *path).collect();
            reachable(catalog.references(), paths, &Cuts::default())
        };
        let (before, after) = (alive(&[]), alive(removed));
        let mut freed = RootSizes::default();
        for path in before.iter().filter(|&p| !after.contains(p)) {
            match catalog.nar_size(PathId::new(path)) {
                Some(size) => freed.nar += size,
                None => freed.unknown += 1,
            }
            freed = freed.plus(freeable.own_sizes[path as usize].into());
        }
        for (paths, size) in self.classes.iter().zip(&freeable.class_sizes) {
            let was = paths.iter().any(|&p| before.contains(p));
            if was && !paths.iter().any(|&p| after.contains(p)) {
                freed = freed.plus((*size).into());
            }
        }
        freed
    }
}

proptest! {
    #[test]
    fn every_removal_frees_what_following_the_rest_says(case in case(), older_than in 0i64..10) {
        let (catalog, found, freeable) = (case.catalog(), case.found(), case.freeable());
        let holders = Holders::new(&found);
        let graph = HolderGraph::new(
            &catalog,
            catalog.references(),
            Some(&freeable),
            &found,
            &holders,
            older_than,
        );
        let freed = graph.freed().unwrap();
        for (holder, roots) in holders.roots.iter().enumerate() {
            let expected = case.freed(&catalog, &freeable, roots);
            prop_assert_eq!(freed.holders[holder], expected, "holder {}", holder);
        }
        let roots = |generations: Vec<&Generation>| -> Vec<u32> {
            generations.iter().filter_map(|g| g.root).collect()
        };
        for (profile, freed) in found.profiles.iter().zip(&freed.profiles) {
            let sets = [
                roots(profile.generations.iter().collect()),
                roots(profile.old().collect()),
                roots(profile.older_than(older_than).collect()),
            ];
            let [all, old, older] = sets.map(|set| case.freed(&catalog, &freeable, &set));
            let expected = FreedOfProfile { all, old, older };
            prop_assert_eq!(*freed, expected);
        }

        let groups = graph.shared();
        let listed = shared_groups(&groups, &freed.holders, &holders, SizeKind::Disk, usize::MAX);
        for group in &listed {
            let removed: Vec<u32> = (group.roots.iter())
                .flat_map(|&root| holders.roots.row(holders.of[root as usize]).to_vec())
                .collect();
            prop_assert_eq!(group.freed, case.freed(&catalog, &freeable, &removed));
        }
        // No pair is left out: without a group it frees what each frees alone.
        for a in 0..holders.len() as u32 {
            for b in a + 1..holders.len() as u32 {
                let removed = [holders.roots.row(a), holders.roots.row(b)].concat();
                let mut sum = groups.get(&HeldBy::Two([a, b])).map_or(RootSizes::default(), |g| g.sizes);
                for h in [a, b] {
                    sum = sum.plus(freed.holders[h as usize]);
                }
                prop_assert_eq!(sum, case.freed(&catalog, &freeable, &removed));
            }
        }
    }
}

/// On an overlay of which it is not known what goes.
#[test]
fn closures_are_known_where_what_goes_is_not() {
    let case = Case { references: vec![(1, 0)], ..Case::apart(2) };
    let usage = |private_disk_size| Usage {
        private_disk_size,
        private_inodes: 3,
        present: true,
        complete: true,
        ..Usage::default()
    };
    let scan = DiskScan {
        usages: vec![usage(4096), usage(8192)],
        names: Rows::from_lists(&[Vec::<u32>::new(), Vec::new()]),
        overlay: Overlay::Unknown("why".to_owned()),
        ..DiskScan::empty()
    };
    let census = Census::new(case.catalog(), &Examine::All, Some(scan)).unwrap();
    let found = case.found();
    let options = RootsOptions {
        settings: GcSettings::default(),
        now: 0,
        older_than_days: 30,
        all_users: false,
        shared: false,
        kinds: Vec::new(),
        sort: RootSort::ClosureInodes,
        limit: None,
    };
    for (sort, expected) in [
        (RootSort::ClosureDiskSize, [(1, 12_288), (0, 4096)]),
        (RootSort::ClosureInodes, [(1, 6), (0, 3)]),
    ] {
        let options = RootsOptions { sort, ..options.clone() };
        let answer = Roots::new(census.whole().unwrap(), &found, &options).unwrap();
        let closures = answer.rows.iter().map(|row| {
            assert_eq!((row.freed_disk_size, row.freed_inodes), (None, None));
            let sizes = (row.closure_disk_size.unwrap(), row.closure_inodes.unwrap());
            (row.root, if sort == RootSort::ClosureInodes { sizes.1 } else { sizes.0 })
        });
        assert_eq!(closures.collect::<Vec<_>>(), expected);
    }
}
