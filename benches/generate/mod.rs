//! Deterministic graphs shaped like real stores, and dense ones, for the
//! benches, the tests and `generate-db`.

#![allow(dead_code, reason = "each user takes what it needs")]

use nix_census::analysis::retained::Sizes;
use nix_census::graph::Rows;

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// A number below `end`, the low ones far more often: `end · u^skew`.
    pub(crate) fn low(&mut self, end: usize, skew: i32) -> usize {
        let u = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        ((u.powi(skew) * end as f64) as usize).min(end - 1)
    }
}

/// What a generated path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A source: a file or a fixed output, referring to nothing.
    Source,
    /// A `.drv`.
    Derivation,
    /// An output of the derivation with this id.
    Output(u32),
    /// The top of a system generation, output of the derivation with this id.
    System(u32),
}

/// A generated store graph: paths in the order in which they were registered,
/// each after all it refers to.
pub(crate) struct Graph {
    /// References of each path, ascending.
    pub(crate) rows: Rows,
    /// What each path is.
    pub(crate) kinds: Vec<Kind>,
}

/// Packages in one revision of the package set, besides each generation's own.
const PACKAGES: usize = 2600;
/// Generations of the system for each revision of the package set.
const GENERATIONS: usize = 12;
/// What a generation has of its own: its units, its `etc`, its top.
const OWN: usize = 90;

/// A graph shaped like the store of a machine with many generations: the
/// package set is renewed now and then, each time with a few generations of the
/// system built from it, with their derivations and sources. Closures of
/// outputs are tens to hundreds of paths, those of systems and derivations
/// thousands. `paths` paths and (if that is ten a path or so) `references`
/// references, self references among them.
pub(crate) fn store_like(paths: usize, references: usize, seed: u64) -> Graph {
    let mut maker =
        Maker { random: Random(seed), lists: Vec::new(), kinds: Vec::new(), sources: Vec::new() };
    while maker.lists.len() < paths {
        maker.revision();
    }
    let Maker { mut random, mut lists, mut kinds, .. } = maker;
    lists.truncate(paths);
    kinds.truncate(paths);
    // The rest are references that others imply, near or far, as real stores
    // are full of.
    let mut missing = references.saturating_sub(lists.iter().map(Vec::len).sum());
    for _ in 0..100 * references {
        if missing == 0 {
            break;
        }
        let node = random.below(paths);
        let mut at = node as u32;
        for _ in 0..2 + random.below(4) {
            let list = &lists[at as usize];
            if let Some(&next) = list.get(random.below(list.len().max(1))) {
                at = next;
            }
        }
        if at != node as u32 && !lists[node].contains(&at) {
            lists[node].push(at);
            missing -= 1;
        }
    }
    lists.iter_mut().for_each(|list| list.sort_unstable());
    Graph { rows: Rows::from_lists(&lists), kinds }
}

struct Maker {
    random: Random,
    lists: Vec<Vec<u32>>,
    kinds: Vec<Kind>,
    sources: Vec<u32>,
}

impl Maker {
    fn add(&mut self, kind: Kind, mut list: Vec<u32>) -> u32 {
        list.sort_unstable();
        list.dedup();
        self.lists.push(list);
        self.kinds.push(kind);
        self.lists.len() as u32 - 1
    }

    /// A source, mostly one that earlier revisions had too.
    fn source(&mut self, earlier: usize) -> u32 {
        if earlier > 0 && self.random.below(10) < 7 {
            return self.sources[self.random.below(earlier)];
        }
        let source = self.add(Kind::Source, Vec::new());
        self.sources.push(source);
        source
    }

    /// What a package needs to run, and to be built, as indices of packages.
    fn needs(&mut self, package: usize) -> (Vec<usize>, Vec<usize>) {
        let random = &mut self.random;
        let mut some = |count: usize, end: usize, skew| -> Vec<usize> {
            (0..if end == 0 { 0 } else { count }).map(|_| random.low(end, skew)).collect()
        };
        let Some(own) = package.checked_sub(PACKAGES).map(|own| own % OWN) else {
            // The basis is needed by all, neighbours by each other.
            let mut run = some(3, package, 4);
            let near = some(2, package.min(80), 1);
            run.extend(near.into_iter().map(|n| package - 1 - n));
            return (run, some(6, package, 2));
        };
        if own < OWN - 1 {
            return (some(2 + own % 5, PACKAGES, 2), some(4, 60, 2));
        }
        // The top of a generation holds its own parts and many packages.
        let mut run = some(220, PACKAGES, 1);
        run.extend(package - own..package);
        (run, Vec::new())
    }

    /// One revision of the package set and its generations.
    fn revision(&mut self) {
        let earlier = self.sources.len();
        let mut made: Vec<(u32, u32)> = Vec::new();
        for package in 0..PACKAGES + GENERATIONS * OWN {
            let (run, build) = self.needs(package);
            let mut inputs: Vec<u32> = run.iter().chain(&build).map(|&need| made[need].0).collect();
            inputs.push(self.source(earlier));
            let derivation = self.add(Kind::Derivation, inputs);
            let mut held: Vec<u32> = run.iter().map(|&need| made[need].1).collect();
            if self.random.below(3) == 0 {
                held.push(self.lists.len() as u32);
            }
            let top = package >= PACKAGES && (package - PACKAGES) % OWN == OWN - 1;
            let kind = if top { Kind::System(derivation) } else { Kind::Output(derivation) };
            let output = self.add(kind, held);
            made.push((derivation, output));
        }
    }
}

/// A random graph without cycles in which nearly every node is reached from
/// nearly every later one: each refers to `each` lower nodes, any of them.
pub(crate) fn dense(paths: usize, each: usize, seed: u64) -> Graph {
    let mut random = Random(seed);
    let mut rows = Rows::default();
    for node in 0..paths {
        let mut list: Vec<u32> = (0..each.min(node)).map(|_| random.below(node) as u32).collect();
        list.sort_unstable();
        list.dedup();
        rows.push(&list);
    }
    Graph { rows, kinds: vec![Kind::Source; paths] }
}

/// The same graph with its nodes in any order, as a catalog has them, which
/// sorts by hash part.
pub(crate) fn shuffled(rows: &Rows, seed: u64) -> Rows {
    let mut random = Random(seed);
    let mut number: Vec<u32> = (0..rows.len() as u32).collect();
    for i in (1..rows.len()).rev() {
        number.swap(i, random.below(i + 1));
    }
    let mut lists = vec![Vec::new(); rows.len()];
    for (node, row) in rows.iter().enumerate() {
        let list: &mut Vec<u32> = &mut lists[number[node] as usize];
        list.extend(row.iter().map(|&reference| number[reference as usize]));
        list.sort_unstable();
    }
    Rows::from_lists(&lists)
}

/// Sizes as stores have them: most small, few large, in bytes.
pub(crate) fn weights(paths: usize, seed: u64) -> Vec<Sizes> {
    let mut random = Random(seed);
    (0..paths)
        .map(|_| {
            let bits = 9 + random.low(18, 2) as u32;
            let nar = 112 + (random.next() % (1 << bits)) / 8 * 8;
            Sizes { nar, disk: nar.div_ceil(4096) * 4096, inodes: 1, physical: 0 }
        })
        .collect()
}
