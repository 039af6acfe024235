//! What a page says of a census of which it names but some paths, against the program.

use super::Pages;
use super::fold::{Folded, Unnamed};
use crate::analysis::graph_changes::{Dropped, Edited, measure};
use crate::analysis::retained::{Retained, Sizes, examined_roots, weighted};
use crate::catalog::{Builder, PathId, Record};
use crate::census::{Census, Examine, PathIndex};
use crate::disk::{DiskScan, ExtentGroup, ExtentSizes, Extents, Inode, Overlay, Physical, Usage};
use crate::fs::Stat;
use crate::graph::{Cuts, NodeSet, Rows, reachable};
use crate::warning::WarningKind;
use proptest::prelude::*;
use serde_json::json;

/// A census of paths that refer to each other, with inodes and extents that some of them
/// share. Without such extents blocks say it all.
fn census(
    paths: u32,
    references: &[(u32, u32)],
    (shared, extents): (&[Vec<u32>], &[Vec<u32>]),
    whole: bool,
) -> Census {
    let mut builder = Builder::new("/nix/store");
    for n in 0..paths {
        let path = format!("/nix/store/{n:032}-path-{n}");
        let nar_size = Some(1000 + u64::from(n) * 7);
        builder.add(&Record { path: path.as_bytes(), nar_size, ..Record::default() }).unwrap();
    }
    references.iter().for_each(|&(from, to)| builder.add_reference(from, to));
    let usage = |n: u32| Usage {
        nar_size: 1000 + u64::from(n) * 7,
        private_disk_size: 4096 * u64::from(n % 5 + 1),
        private_inodes: 3,
        present: true,
        complete: true,
        ..Usage::default()
    };
    let inode = |n: usize| {
        let stat = Stat {
            dev: 0,
            ino: n as u64,
            size: 0,
            disk_size: 512 << n,
            mtime: 1,
            mtime_nsec: 0,
            ctime: 1,
            ctime_nsec: 0,
            nlink: 9,
            mode: 0o10_0444,
            uid: 0,
            gid: 0,
        };
        Inode::new(0, &stat)
    };
    let names =
        (0..).zip(shared).flat_map(|(inode, owners)| owners.iter().map(move |&o| (o, inode)));
    let names: Vec<(u32, u32)> = names.collect();
    let names = Rows::from_pairs(paths as usize, names.into_iter());
    let size = |physical_size| ExtentSizes { physical_size, ..ExtentSizes::default() };
    let groups = extents.iter().zip(1..).map(|(_, n)| ExtentGroup {
        physical_size: 100 * n,
        uncompressed_size: 4096 * n,
        holders: Vec::new(),
    });
    let mut found = Extents::default();
    found.own = (0..paths).map(|n| size(u64::from(n) * 3)).collect();
    found.inodes = (0..shared.len() as u64).map(|n| size(64 << n)).collect();
    found.groups = groups.collect();
    found.owners = Rows::from_lists(extents);
    let physical = match extents {
        [] => Physical::Blocks,
        _ => Physical::Extents(Box::new(found.summed(&names))),
    };
    let scan = DiskScan {
        physical,
        usages: (0..paths).map(usage).collect(),
        inodes: (0..shared.len()).map(inode).collect(),
        names,
        ..DiskScan::empty()
    };
    let examine = if whole { Examine::All } else { Examine::Closure(vec![PathId::new(0)]) };
    Census::new(builder.finish().unwrap(), &examine, Some(scan)).unwrap()
}

fn folded(census: &Census, most: usize) -> Folded {
    let (graph, weights) = weighted(census);
    let roots = examined_roots(census);
    let retained = Retained::of(census, &graph, &weights, &roots).unwrap();
    Folded::new(census, (&graph, &weights), &retained, &roots, most)
}

/// What is left of a page's graph without some nodes, as the page sums it up.
fn left(census: &Census, folded: &Folded, without: &[u32]) -> (Sizes, u64) {
    let nodes = NodeSet::from_nodes(folded.rows.len(), without.iter().copied());
    let roots = folded.roots.iter().copied();
    let reached = reachable(&folded.rows, roots, &Cuts { nodes, ..Cuts::default() });
    let shared = census.shared().unwrap();
    let (mut sizes, mut paths) = (Sizes::default(), 0);
    for node in reached.iter().map(|node| node as usize) {
        let own = match folded.named.get(node) {
            Some(path) => Unnamed {
                nar: census.known_nar_size(*path),
                disk: shared.own_sizes[path.index()].disk_size,
                physical: shared.own_sizes[path.index()].extents.physical_size,
                inodes: shared.own_sizes[path.index()].inodes,
                paths: 1,
            },
            None => {
                let at = node - folded.named.len();
                *folded.groups.iter().chain(&folded.classes).nth(at).unwrap()
            }
        };
        sizes.nar += own.nar.unwrap();
        sizes.disk += own.disk;
        sizes.physical += own.physical;
        sizes.inodes += own.inodes;
        paths += own.paths;
    }
    (sizes, paths)
}

proptest! {
    #[test]
    fn folding_changes_no_sum(
        paths in 4u32..40,
        references in prop::collection::vec((any::<u32>(), any::<u32>()), 0..120),
        shared in prop::collection::vec(prop::collection::btree_set(any::<u32>(), 2..4), 0..12),
        most in 1usize..45,
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        whole in any::<bool>(),
        extents in any::<bool>(),
    ) {
        // All are reached from the first one, if it is the target.
        let chain = (1..paths).map(|n| (n / 2, n));
        let random = references.iter().map(|&(a, b)| (a % paths, b % paths));
        let references: Vec<_> = chain.filter(|&(_, n)| !whole || n % 3 != 0).chain(random).collect();
        let shared: Vec<Vec<u32>> = (shared.iter())
            .map(|owners| {
                let mut owners: Vec<u32> = owners.iter().map(|owner| owner % paths).collect();
                owners.sort_unstable();
                owners.dedup();
                owners
            })
            .collect();
        let extents = if extents { &shared[..shared.len() / 2] } else { &[] };
        let census = census(paths, &references, (&shared, extents), whole);
        let folded = folded(&census, most);
        prop_assert!(folded.named.len() <= most.max(1));
        let named: Vec<u32> = removed.iter()
            .filter(|_| !folded.named.is_empty())
            .map(|pick| pick.index(folded.named.len()) as u32)
            .collect();
        let mut graph = Edited::new(&census, &census.targets);
        let without: Vec<PathIndex> =
            named.iter().map(|&node| folded.named[node as usize]).collect();
        graph.remove(&without);
        let reached = graph.reached();
        let expected = measure(&census, &reached, &Dropped::default());
        prop_assert_eq!(left(&census, &folded, &named), (expected, reached.len() as u64));
    }
}

#[test]
fn those_that_retain_most_are_named() {
    // 0 → 1 → 2, 3; 0 → 4, 5
    let references = [(0, 1), (1, 2), (1, 3), (0, 4), (0, 5)];
    let census = census(6, &references, (&[vec![2, 3], vec![3, 4]], &[]), false);
    let all = folded(&census, 6);
    assert_eq!((all.named.len(), all.groups.len(), all.classes.len()), (6, 0, 2));
    let few = folded(&census, 2);
    assert_eq!(few.named, [0, 1].map(PathIndex::new));
    // What 1 alone keeps, and what 0 keeps, are one group each.
    assert_eq!(few.groups.iter().map(|group| group.paths).collect::<Vec<_>>(), [2, 2]);
    // The inode of 2 and 3 goes with their group, that of 3 and 4 does not.
    assert_eq!(few.classes.len(), 1);
}

/// Notes come first among warnings, and leave nothing out.
#[test]
fn what_leaves_something_out_is_not_crowded_out_by_notes() {
    let mut census = census(1, &[], (&[], &[]), true);
    for n in 0..150 {
        census.warnings.push(WarningKind::MountPoint, format!("/mount/{n}"), "mounted");
    }
    census.warnings.push(WarningKind::Uncertain, "/odd", "not certain");
    let page = Pages::new(&census, None, None, &[]).unwrap().page(1);
    let fact = |key| &page.facts.iter().find(|(k, _)| *k == key).unwrap().1;
    assert_eq!(*fact("warnings"), json!([{ "path": "/odd", "message": "not certain" }]));
    assert_eq!(*fact("warnings_total"), 1);
}

#[test]
fn what_gains_count_of_lower_layers_is_said() {
    let note = |overlay| {
        let mut census = census(1, &[], (&[], &[]), true);
        census.disk.as_mut().unwrap().overlay = overlay;
        let page = Pages::new(&census, None, None, &[]).unwrap().page(1);
        let note = page.facts.into_iter().find(|(key, _)| *key == "sizes_note");
        note.unwrap().1.as_str().unwrap().to_owned()
    };
    assert_eq!(note(Overlay::No), "");
    let note = note(Overlay::Unknown("why".to_owned()));
    assert!(note.starts_with("Gains count what is in lower layers"), "{note}");
}
