//! Steps, against following the roots anew after each.

use super::removal::steps_of_roots;
use super::{Fate, Removal, RemovalError, RemovalStep, goes_in};
use crate::catalog::PathId;
use crate::graph::{Cuts, Rows, reachable};
use crate::roots::{FoundRoots, Generation, Profile, Root, RootKind};
use proptest::prelude::*;

fn root(link: &str, path: u32) -> Root {
    Root {
        kind: RootKind::Link,
        link: link.into(),
        via: None,
        path: PathId::new(path),
        time: None,
        pid: None,
        generation: None,
    }
}

proptest! {
    #[test]
    fn a_path_goes_in_the_step_after_which_nothing_reaches_it(
        (nodes, edges, roots, steps) in (1u32..30).prop_flat_map(|nodes| (
            Just(nodes),
            prop::collection::vec((0..nodes, 0..nodes), 0..80),
            prop::collection::vec(0..nodes, 0..8),
            prop::collection::vec(prop::collection::vec(0u32..8, 0..4), 0..4),
        )),
    ) {
        let graph = Rows::from_pairs(nodes as usize, edges.iter().copied());
        let found = FoundRoots {
            roots: roots.iter().map(|&path| root("/l", path)).collect(),
            ..FoundRoots::default()
        };
        let steps: Vec<RemovalStep> = steps
            .into_iter()
            .map(|mut chosen| {
                chosen.retain(|&r| (r as usize) < roots.len());
                RemovalStep { label: String::new(), roots: chosen }
            })
            .collect();
        let removed = steps_of_roots(&found, &steps);
        let goes = goes_in(&graph, &found, &removed, steps.len());
        for step in 0..=steps.len() as u32 {
            let left = roots.iter().zip(&removed).filter(|(_, at)| **at > Fate::Goes(step)).map(|(p, _)| *p);
            let alive = reachable(&graph, left, &Cuts::default());
            for node in 0..nodes {
                prop_assert_eq!(alive.contains(node), goes[node as usize] > Fate::Goes(step));
            }
        }
    }
}

#[test]
fn roots_by_any_of_their_names() {
    let generation = |number, root| Generation { number, time: number as i64, root: Some(root) };
    let mut found = FoundRoots {
        roots: vec![
            root("/home/u/result", 0),
            root("/p/default-1-link", 1),
            root("/p/default-2-link", 2),
            root("/proc/7/exe", 3),
        ],
        profiles: vec![Profile {
            link: b"/p/default".to_vec(),
            current: Some(2),
            generations: vec![generation(1, 1), generation(2, 2)],
            ..Profile::default()
        }],
        ..FoundRoots::default()
    };
    found.roots[0].via = Some(b"/g/auto/x".to_vec());
    found.roots[1].generation = Some((0, 1));
    found.roots[2].generation = Some((0, 2));
    found.roots[3].pid = Some(7);
    let roots = |removal: Removal| removal.step(&found).map(|step| step.roots);
    let named = |name: &str, also: &[&str]| {
        let also = also.iter().map(|a| a.as_bytes().to_vec()).collect();
        roots(Removal::Named { name: name.to_owned(), also })
    };
    assert_eq!(named("/home/u/result", &[]), Ok(vec![0]));
    assert_eq!(named("result", &["/home/u/result"]), Ok(vec![0]));
    assert_eq!(named("/g/auto/x", &[]), Ok(vec![0]));
    assert_eq!(named("/p/default", &[]), Ok(vec![1, 2]));
    assert_eq!(named("/p/*-1-link", &[]), Ok(vec![1]));
    assert_eq!(named("/proc/7", &[]), Ok(vec![3]));
    assert_eq!(named("/none\x1b", &[]), Err(RemovalError::Unknown("/none\\x1b".to_owned())));
    assert!(matches!(named("/p/[", &[]), Err(RemovalError::Glob(..))));
    assert_eq!(roots(Removal::KeepGenerations { keep: 1, all_users: false }), Ok(vec![1]));
    assert_eq!(roots(Removal::OlderThan { days: 1, all_users: false, now: 86_402 }), Ok(vec![]));
    let steps = [
        RemovalStep { label: String::new(), roots: vec![1, 2] },
        RemovalStep { label: String::new(), roots: vec![2, 3] },
    ];
    let expected = [Fate::Stays, Fate::Goes(1), Fate::Goes(1), Fate::Goes(2)];
    assert_eq!(steps_of_roots(&found, &steps), expected);
}
