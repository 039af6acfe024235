//! The exact weight of the closure of every node at once.
//!
//! Closures overlap, so their weights cannot be summed from one another; each
//! closure has to be kept apart. Sources are taken in blocks of [`BLOCK`]
//! neighbours: every node gets a mask of the sources of the block that reach
//! it, masks are handed from referrers to references in topological order, and
//! each node's weight goes to the sources in its mask. Neighbours share most of
//! their closures, so a block costs little more than its largest closure, and
//! memory stays linear in the graph however dense it is.
//!
//! Before that, the graph is made small without changing any closure: cycles
//! become one node, a reference that another one implies goes, and a node
//! left with at most one reference needs no place in a block.

use crate::threads;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::node_set::Bits;
use super::weights::check;
use super::{Components, Node, Rows, TooHeavy, Weight};

/// Words in a mask: 512 bits are one cache line.
const WORDS: usize = 8;

/// Sources taken at once.
const BLOCK: usize = 64 * WORDS;

/// Masks with at most this many bits (or all but so many) are handled bit by
/// bit, others byte by byte.
const FEW: u32 = 24;

/// Rows longer than this are not searched for implied references, to bound the
/// time it takes.
const LONG: usize = 64;

/// How many masks are kept in the hope to meet them again.
const RECENT: usize = 512;

type Mask = [u64; WORDS];

/// What [`closure_sizes`] found.
#[derive(Clone, Debug)]
pub struct ClosureSizes<W: Weight> {
    /// The weight of the closure of each source.
    pub sizes: Vec<W>,
    /// How much had to be done: references followed, for all blocks together.
    pub work: u64,
}

/// The weights of the closures of nodes `0..sources`, each node of a closure
/// counted once, each size of `weights` summed apart. Nodes from `sources` on have
/// weight but the size of their own closure is not asked for: what several nodes hold in
/// common (an inode with names in several paths) can be such a node.
///
/// Runs on the current rayon pool. Memory: 64 bytes a node for each thread, and
/// twice the graph.
///
/// # Errors
/// `TooHeavy` if sizes sum to 2^64 or more.
///
/// # Panics
/// If there is not one weight a row, or there are fewer rows than sources.
pub fn closure_sizes<W: Weight>(
    rows: &Rows,
    weights: &[W],
    sources: usize,
) -> Result<ClosureSizes<W>, TooHeavy> {
    assert_eq!(weights.len(), rows.len(), "one weight a node");
    assert!(sources <= rows.len(), "sources are nodes");
    check(weights)?;
    let components = Components::new(rows, unreferred(rows));
    let (graph, weight) = condense(rows, &components, weights);
    let neighbours = neighbourhoods(&graph);
    let graph = without_implied(&graph);

    let mut needed = vec![false; graph.len()];
    for &component in &components.as_slice()[..sources] {
        needed[component as usize] = true;
    }
    // Downward, as references go to lower numbers: the size of a node with one
    // reference is its own and that of the other, which is needed then.
    for component in (0..graph.len()).rev() {
        if let ([only], true) = (graph.row(component as u32), needed[component]) {
            needed[*only as usize] = true;
        }
    }
    let mut hard: Vec<u32> = (0u32..)
        .zip(graph.iter().zip(&needed))
        .filter(|(_, (row, needed))| **needed && row.len() > 1)
        .map(|(component, _)| component)
        .collect();
    hard.sort_by_key(|&component| neighbours[component as usize]);
    let (found, work) = in_blocks(&graph, &weight, &hard);

    let mut size = weight;
    for (component, closure) in hard.into_iter().zip(found) {
        size[component as usize] = closure;
    }
    // Upward, so that the one below has its size already.
    for component in 0..graph.len() {
        if let &[only] = graph.row(component as u32) {
            let below = size[only as usize];
            size[component].add(&below);
        }
    }
    let of = &components.as_slice()[..sources];
    Ok(ClosureSizes { sizes: of.iter().map(|&c| size[c as usize]).collect(), work })
}

/// The graph of the components and their weights, without self references and
/// repeated entries.
fn condense<W: Weight>(rows: &Rows, components: &Components, weights: &[W]) -> (Rows, Vec<W>) {
    let of = components.as_slice();
    let members = Rows::from_pairs(components.len(), of.iter().copied().zip(0..));
    let mut graph = Rows::default();
    let mut weight = vec![W::ZERO; components.len()];
    let mut seen_by: Vec<Option<Node>> = vec![None; components.len()];
    let mut row = Vec::new();
    for (component, nodes) in (0u32..).zip(members.iter()) {
        row.clear();
        let own = Some(Node::new(component));
        seen_by[component as usize] = own;
        for &node in nodes {
            weight[component as usize].add(&weights[node as usize]);
            for &reference in rows.row(node) {
                let reference = of[reference as usize];
                if seen_by[reference as usize] != own {
                    seen_by[reference as usize] = own;
                    row.push(reference);
                }
            }
        }
        graph.push(&row);
    }
    (graph, weight)
}

/// The graph without the references that one of their neighbours implies:
/// from `u`, when some `v` that `u` refers to refers to the same.
fn without_implied(graph: &Rows) -> Rows {
    let mut implied_for: Vec<Option<Node>> = vec![None; graph.len()];
    let mut left = Rows::default();
    let mut kept = Vec::new();
    for (node, row) in (0u32..).zip(graph.iter()) {
        kept.clear();
        let own = Some(Node::new(node));
        if row.len() > 1 {
            for &reference in row {
                let next = graph.row(reference);
                if next.len() <= LONG {
                    for &implied in next {
                        implied_for[implied as usize] = own;
                    }
                }
            }
            kept.extend(row.iter().filter(|&&r| implied_for[r as usize] != own));
        } else {
            kept.extend(row);
        }
        left.push(&kept);
    }
    left
}

/// The nodes that nothing else refers to. A walk that begins with them leaves
/// all that only one of them holds next to each other.
fn unreferred(rows: &Rows) -> Vec<u32> {
    let mut referred = vec![false; rows.len()];
    for (node, row) in (0u32..).zip(rows.iter()) {
        for &reference in row {
            referred[reference as usize] |= reference != node;
        }
    }
    (0..rows.len() as u32).filter(|&node| !referred[node as usize]).collect()
}

/// For each node of an acyclic graph in the order of a walk a number, such that
/// nodes of near numbers share much of their closures.
///
/// The walk left nodes in stretches, each ending with a node that nothing
/// refers to: what that node holds and none before did. A stretch (the twelfth
/// generation of a system) mostly refers to one other (the first generation,
/// which came with the packages), and shall come next to it.
fn neighbourhoods(graph: &Rows) -> Vec<Option<Node>> {
    let mut referred = vec![false; graph.len()];
    graph.iter().flatten().for_each(|&reference| referred[reference as usize] = true);
    let mut stretch = Vec::with_capacity(graph.len());
    let mut stretches = 0;
    for referred in referred {
        stretch.push(stretches);
        stretches += u32::from(!referred);
    }
    let stretches = stretches as usize + 1;

    // The stretch that most references of each stretch lead to; always an earlier one.
    let mut count = vec![0u32; stretches];
    let mut to: Vec<u32> = Vec::new();
    let mut below: Vec<(u32, u32)> = Vec::new();
    let mut nodes = 0u32;
    for own in 0..stretches as u32 {
        while stretch.get(nodes as usize) == Some(&own) {
            for &reference in graph.row(nodes) {
                let other = stretch[reference as usize];
                if other != own {
                    if count[other as usize] == 0 {
                        to.push(other);
                    }
                    count[other as usize] += 1;
                }
            }
            nodes += 1;
        }
        if let Some(&most) = to.iter().max_by_key(|&&other| (count[other as usize], other)) {
            below.push((most, own));
        }
        to.drain(..).for_each(|other| count[other as usize] = 0);
    }
    let below = Rows::from_pairs(stretches, below.iter().copied());

    // Each stretch, then those that lead to it. None but a first one leads nowhere.
    let mut numbers: Vec<Option<Node>> = vec![None; stretches];
    let mut next = 0;
    for first in 0..stretches as u32 {
        let mut todo = vec![first];
        while let Some(own) = todo.pop() {
            if numbers[own as usize].is_none() {
                numbers[own as usize] = Some(Node::new(next));
                next += 1;
                todo.extend(below.row(own).iter().rev());
            }
        }
    }
    stretch.into_iter().map(|own| numbers[own as usize]).collect()
}

/// The closure weights of `sources` in an acyclic graph whose references go to
/// lower nodes, and the references followed.
fn in_blocks<W: Weight>(graph: &Rows, weight: &[W], sources: &[u32]) -> (Vec<W>, u64) {
    let next = AtomicUsize::new(0);
    let blocks: Vec<&[u32]> = sources.chunks(BLOCK).collect();
    threads::ready();
    let workers = rayon::current_num_threads().min(blocks.len());
    let found = threads::map(workers, 1, |_| {
        let mut scratch = Scratch::new(graph.len());
        let mut found = Vec::new();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            let Some(sources) = blocks.get(block) else { break };
            found.push((block, scratch.block(graph, weight, sources)));
        }
        (found, scratch.work)
    });
    let mut sizes = vec![W::ZERO; sources.len()];
    let mut work = 0;
    for (blocks, done) in found {
        work += done;
        for (block, found) in blocks {
            sizes[block * BLOCK..][..found.len()].copy_from_slice(&found);
        }
    }
    (sizes, work)
}

/// What one thread needs. Between blocks all masks and bits are zero.
struct Scratch<W: Weight> {
    masks: Vec<Mask>,
    /// A bit for each node with a mask.
    touched: Vec<u64>,
    sums: Sums<W>,
    work: u64,
}

impl<W: Weight> Scratch<W> {
    fn new(nodes: usize) -> Self {
        let touched = vec![0; nodes.div_ceil(64)];
        Self { masks: vec![[0; WORDS]; nodes], touched, sums: Sums::new(), work: 0 }
    }

    fn block(&mut self, graph: &Rows, weight: &[W], sources: &[u32]) -> Vec<W> {
        let Self { masks, touched, sums, work } = self;
        let mut words = 0;
        for (i, &source) in sources.iter().enumerate() {
            let node = source as usize;
            masks[node][i / 64] |= 1 << (i % 64);
            touched[node / 64] |= 1 << (node % 64);
            words = words.max(node / 64 + 1);
        }
        for word in (0..words).rev() {
            // References go to lower nodes, which may lie in this very word.
            while touched[word] != 0 {
                let bit = 63 - touched[word].leading_zeros() as usize;
                touched[word] &= !(1 << bit);
                let node = word * 64 + bit;
                let mask = std::mem::take(&mut masks[node]);
                let row = graph.row(node as u32);
                *work += row.len() as u64;
                for &reference in row {
                    let reference = reference as usize;
                    for (to, from) in masks[reference].iter_mut().zip(&mask) {
                        *to |= from;
                    }
                    touched[reference / 64] |= 1 << (reference % 64);
                }
                sums.add(&mask, &weight[node]);
            }
        }
        let mut sizes = sums.take();
        sizes.truncate(sources.len());
        sizes
    }
}

/// Sums of weights, one for each bit of a mask.
struct Sums<W: Weight> {
    bits: Vec<W>,
    /// What goes to every bit.
    all: W,
    /// What goes to the bits of each byte: 256 sums for each byte of a mask.
    bytes: Vec<[W; 256]>,
    /// Recent masks and the weight not yet added to their bits, each in the slot
    /// of its hash: a few masks occur often.
    recent: Vec<(Mask, W)>,
}

impl<W: Weight> Sums<W> {
    fn new() -> Self {
        Self {
            bits: vec![W::ZERO; BLOCK],
            all: W::ZERO,
            bytes: vec![[W::ZERO; 256]; BLOCK / 8],
            recent: vec![([0; WORDS], W::ZERO); RECENT],
        }
    }

    #[inline]
    fn add(&mut self, mask: &Mask, weight: &W) {
        let hash = mask.iter().fold(0u64, |hash, word| {
            (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        let (recent, pending) = &mut self.recent[(hash >> 32) as usize % RECENT];
        if recent == mask {
            pending.add(weight);
        } else {
            let mask = std::mem::replace(recent, *mask);
            let pending = std::mem::replace(pending, *weight);
            self.spread(&mask, &pending);
        }
    }

    /// Adds a weight to each bit of a mask.
    fn spread(&mut self, mask: &Mask, weight: &W) {
        if *weight == W::ZERO {
            return;
        }
        let ones: u32 = mask.iter().map(|word| word.count_ones()).sum();
        if ones <= FEW {
            for (word, bits) in mask.iter().zip(self.bits.chunks_exact_mut(64)) {
                for bit in Bits(*word) {
                    bits[bit as usize].add(weight);
                }
            }
        } else if ones >= BLOCK as u32 - FEW {
            self.all.add(weight);
            for (word, bits) in mask.iter().zip(self.bits.chunks_exact_mut(64)) {
                for bit in Bits(!*word) {
                    bits[bit as usize].subtract(weight);
                }
            }
        } else {
            for (word, bytes) in mask.iter().zip(self.bytes.chunks_exact_mut(8)) {
                if *word != 0 {
                    for (byte, sums) in word.to_le_bytes().into_iter().zip(bytes) {
                        sums[byte as usize].add(weight);
                    }
                }
            }
        }
    }

    /// The sums of all bits; all is zero afterwards.
    fn take(&mut self) -> Vec<W> {
        for slot in 0..RECENT {
            let (mask, pending) = std::mem::replace(&mut self.recent[slot], ([0; WORDS], W::ZERO));
            self.spread(&mask, &pending);
        }
        for (sums, bits) in self.bytes.iter_mut().zip(self.bits.chunks_exact_mut(8)) {
            // The upper half of the sums has the highest bit set: it gets
            // their sum, and they are folded onto the lower half.
            for bit in (0..8).rev() {
                let (lower, upper) = sums[..2 << bit].split_at_mut(1 << bit);
                for (low, high) in lower.iter_mut().zip(upper) {
                    bits[bit].add(high);
                    low.add(high);
                    *high = W::ZERO;
                }
            }
            sums[0] = W::ZERO;
        }
        let all = std::mem::replace(&mut self.all, W::ZERO);
        let mut sizes = std::mem::replace(&mut self.bits, vec![W::ZERO; BLOCK]);
        for size in &mut sizes {
            size.add(&all);
        }
        sizes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::closure;

    fn brute<W: Weight>(rows: &Rows, weights: &[W]) -> Vec<W> {
        (0..rows.len() as u32)
            .map(|node| {
                let mut sum = W::ZERO;
                closure(rows, [node]).iter().for_each(|&n| sum.add(&weights[n as usize]));
                sum
            })
            .collect()
    }

    #[test]
    fn a_diamond_a_cycle_and_a_leaf_that_is_no_source() {
        // 0 → 1, 2; 1 → 3; 2 → 3, 2; 3 ⇄ 4; 5 is held by 1 and 3.
        let lists = [vec![1, 2], vec![3, 5], vec![3, 2], vec![4, 5], vec![3], vec![]];
        let rows = Rows::from_lists(&lists);
        let weights: Vec<_> = (0..6).map(|i| [1 << i, 1]).collect();
        let sizes = closure_sizes(&rows, &weights, 5).unwrap().sizes;
        assert_eq!(sizes, [[63, 6], [58, 4], [60, 4], [56, 3], [56, 3]]);
    }

    #[test]
    fn more_sources_than_a_block_and_no_nodes_at_all() {
        // Each node refers to the two below it, and every third to node 0.
        let row = |i: u32| match i {
            0 => vec![],
            1 => vec![0],
            i if i % 3 == 0 => vec![i - 1, i - 2, 0],
            i => vec![i - 2, i - 1],
        };
        let rows = Rows::from_lists(&(0..2000).map(row).collect::<Vec<_>>());
        let weights: Vec<_> = (0..2000u64).map(|i| [i * i + 1]).collect();
        assert_eq!(closure_sizes(&rows, &weights, 2000).unwrap().sizes, brute(&rows, &weights));
        assert!(closure_sizes::<u64>(&Rows::default(), &[], 0).unwrap().sizes.is_empty());
    }

    #[test]
    fn weights_beyond_u64_are_refused() {
        let rows = Rows::from_lists(&[vec![1], vec![]]);
        assert_eq!(closure_sizes(&rows, &[[u64::MAX], [1]], 2).unwrap_err(), TooHeavy);
    }

    #[test]
    fn sums_of_masks_of_every_density() {
        let mut sums = Sums::new();
        let mut expected = vec![[0u64; 1]; BLOCK];
        for i in 0..600u32 {
            let mut mask = [0; WORDS];
            for bit in 0..BLOCK as u32 {
                // From no bit to all bits.
                if (bit.wrapping_mul(2_654_435_761) ^ i.wrapping_mul(40_503)) % 600 < i {
                    mask[bit as usize / 64] |= 1 << (bit % 64);
                    expected[bit as usize][0] += u64::from(i) + 1;
                }
            }
            sums.add(&mask, &[u64::from(i) + 1]);
        }
        assert_eq!(sums.take(), expected);
        assert_eq!(sums.take(), vec![[0]; BLOCK]);
    }

    proptest! {
        #[test]
        fn equal_to_walking_each_closure(
            nodes in 1u32..1200,
            edges in prop::collection::vec((any::<u32>(), any::<u32>(), any::<bool>()), 0..4000),
            weights in prop::collection::vec(any::<[u32; 2]>(), 1200),
            sources in any::<prop::sample::Index>(),
        ) {
            // Mostly downwards, so that not all is one cycle.
            let edges = edges.iter().map(|&(a, b, any)| {
                let (a, b) = (a % nodes, b % nodes);
                if any && (a ^ b) % 16 == 0 { (a, b) } else { (a.max(b), a.min(b)) }
            });
            let rows = Rows::from_pairs(nodes as usize, edges);
            let weights: Vec<_> =
                weights[..nodes as usize].iter().map(|w| w.map(u64::from)).collect();
            let sources = sources.index(nodes as usize + 1);
            let sizes = closure_sizes(&rows, &weights, sources).unwrap().sizes;
            prop_assert_eq!(&sizes[..], &brute(&rows, &weights)[..sources]);
        }
    }
}
