//! The graph room on graphs shaped like real stores: how the work grows, and
//! that results at that size are right.

use nix_census::analysis::retained::Sizes;
use nix_census::internals::{closure, closure_sizes};

#[path = "../../benches/generate/mod.rs"]
pub(crate) mod generate;

/// What the closure sizes of a store-like graph cost, in references followed,
/// checked against plain walks of a few closures.
fn work(paths: usize) -> u64 {
    let graph = generate::store_like(paths, 10 * paths, 7);
    assert_eq!((graph.rows.len(), graph.rows.entries()), (paths, 10 * paths));
    let weights = generate::weights(paths, 7);
    let rows = generate::shuffled(&graph.rows, 7);
    let found = closure_sizes(&rows, &weights, paths).unwrap();
    for node in (0..paths).step_by(paths / 20) {
        let closure = closure(&rows, [node as u32]);
        let weights = || closure.iter().map(|&n| weights[n as usize]);
        let sum = Sizes {
            nar: weights().map(|w| w.nar).sum(),
            disk: weights().map(|w| w.disk).sum(),
            inodes: closure.len() as u64,
            physical: 0,
        };
        assert_eq!(found.sizes[node], sum, "closure of {node}");
    }
    found.work
}

#[test]
fn work_for_closure_sizes_grows_as_the_store_does() {
    let [once, fourfold, sixteenfold] = [10_000, 40_000, 160_000].map(work);
    assert!(fourfold <= 6 * once, "{once} {fourfold}");
    assert!(sixteenfold <= 6 * fourfold, "{fourfold} {sixteenfold}");
    // Far from a walk of each closure, which would follow paths times closure.
    assert!(sixteenfold <= 160_000 * 50, "{sixteenfold}");
}
