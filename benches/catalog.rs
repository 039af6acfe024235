//! Loading a generated database of 30,000 paths and 300,000 references:
//! `cargo bench --bench catalog`.

use criterion::{Criterion, criterion_group, criterion_main};
use nix_census::catalog;
use nix_census::fs::{self, Tree};
use std::path::Path;

#[path = "generate/database.rs"]
mod database;
mod generate;

const PATHS: usize = 30_000;

fn load(c: &mut Criterion) {
    let out = tempfile::tempdir().expect("a directory");
    let graph = generate::store_like(PATHS, 10 * PATHS, 1);
    let nix = database::write(&graph, out.path(), 1, 0).expect("a database");
    let store = nix.join("store");
    let store = store.to_str().expect("a plain name");
    let tree = Tree::live(Path::new("/")).expect("the root");
    let location = fs::locate(&tree, store, &nix.join("var/nix"));
    let location = location.expect("a store");
    c.bench_function("database load", |b| {
        b.iter(|| assert_eq!(catalog::load(&location).expect("a catalog").len(), PATHS));
    });
}

criterion_group!(benches, load);
criterion_main!(benches);
