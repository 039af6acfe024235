//! Closure sizes and dominators of a generated store of 300,000 paths and
//! 3,000,000 references: `cargo bench --bench graph`.

use criterion::{Criterion, criterion_group, criterion_main};
use nix_census::internals::{Dominators, NodeSet, closure_sizes, roots};

mod generate;

const PATHS: usize = 300_000;
const REFERENCES: usize = 3_000_000;

fn store_like(c: &mut Criterion) {
    let rows = generate::shuffled(&generate::store_like(PATHS, REFERENCES, 1).rows, 1);
    let weights = generate::weights(PATHS, 1);
    let mut group = c.benchmark_group("300,000 paths, 3,000,000 references");
    group.sample_size(10);
    group.bench_function("closure sizes", |b| {
        b.iter(|| closure_sizes(&rows, &weights, PATHS));
    });
    group.bench_function("retained sizes", |b| {
        b.iter(|| {
            let all = NodeSet::from_nodes(PATHS, 0..PATHS as u32);
            let roots = roots(&rows, &all);
            Dominators::new(&rows, &roots).retained(&weights)
        });
    });
    group.finish();
}

criterion_group!(benches, store_like);
criterion_main!(benches);
