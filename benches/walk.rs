//! The walk of a store, whole: criterion on a generated tree, or once over a
//! given store with `cargo bench --bench walk -- --store DIR [--threads N] [--targets]`.

use std::path::Path;

use criterion::Criterion;
use nix_census::disk::{self, Progress, ScanOptions};
use nix_census::fs::StoreFiles;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after =
        |flag: &str| arguments.iter().position(|a| a == flag).and_then(|at| arguments.get(at + 1));
    if let Some(store) = after("--store") {
        let threads = after("--threads").map(|n| n.parse().expect("a number of threads"));
        let whole = !arguments.iter().any(|a| a == "--targets");
        once(Path::new(store), &ScanOptions { whole, threads, ..ScanOptions::default() });
        return;
    }
    let store = tempfile::tempdir().expect("a directory");
    generate(store.path());
    let files = StoreFiles::live(store.path(), Path::new("/")).expect("a store");
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    for whole in [true, false] {
        let options = ScanOptions { whole, ..ScanOptions::default() };
        let names: Vec<String> = (0..100).map(|i| format!("{i:03}")).collect();
        let id = if whole { "walk/whole" } else { "walk/targets" };
        criterion.bench_function(id, |bencher| {
            bencher.iter(|| disk::scan(&files, &names, &options, &Progress::default()));
        });
    }
    criterion.final_summary();
}

/// Scans a store once and prints what it took, to be timed as a process.
fn once(store: &Path, options: &ScanOptions) {
    let mut names: Vec<Vec<u8>> = std::fs::read_dir(store)
        .expect("a store directory")
        .map(|entry| entry.expect("an entry").file_name().into_encoded_bytes())
        .filter(|name| name != b".links")
        .collect();
    names.sort();
    let begin = std::time::Instant::now();
    let files = StoreFiles::live(store, Path::new("/")).expect("a store");
    let scan = disk::scan(&files, &names, options, &Progress::default()).expect("a scan");
    let disk_size: u64 = scan.usages.iter().map(|usage| usage.disk_size).sum();
    println!(
        "{} entries, {} calls of stat, {} inodes with several names, {disk_size} bytes in all paths, {:?}",
        scan.entries,
        scan.stat_calls,
        scan.inodes.len(),
        begin.elapsed(),
    );
}

/// A store of 100 paths of 100 files each; half of the files are linked to
/// `.links` and to the path before.
fn generate(store: &Path) {
    let links = store.join(".links");
    std::fs::create_dir(&links).expect("created");
    for path in 0..100 {
        for directory in 0..10 {
            let at = |path: u32| store.join(format!("{path:03}/{directory}"));
            std::fs::create_dir_all(at(path)).expect("created");
            for file in 0..10 {
                let of = |path: u32| at(path).join(format!("file-{file}"));
                if file % 2 == 0 && path % 4 != 0 {
                    std::fs::hard_link(of(path - 1), of(path)).expect("linked");
                } else {
                    std::fs::write(of(path), b"contents").expect("written");
                    if file % 2 == 0 {
                        let name = format!("{path}-{directory}-{file}");
                        std::fs::hard_link(of(path), links.join(name)).expect("linked");
                    }
                }
            }
        }
    }
}
