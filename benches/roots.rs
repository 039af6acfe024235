//! What weighing roots and finding garbage takes, without reading a database:
//!
//! ```text
//! cargo bench --bench roots -- PATHS REFERENCES ROOTS
//! ```
//!
//! For each step: seconds, CPU seconds of all threads, and the highest memory
//! since the catalog stands, whose own time is printed first.

use generate::Kind;
use nix_census::analysis::garbage::{Garbage, GarbageOptions};
use nix_census::analysis::roots::{RootSort, Roots, RootsOptions};
use nix_census::catalog::{Builder, Catalog, Record};
use nix_census::census::{Census, Examine};
use nix_census::roots::{FoundRoots, GcSettings, Root, RootKind};
use std::error::Error;
use std::time::Instant;

#[allow(unreachable_pub, reason = "shared with other benches and the tests")]
mod generate;

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let &[paths, references, roots] = numbers.as_slice() else {
        eprintln!("usage: cargo bench --bench roots -- PATHS REFERENCES ROOTS");
        return Ok(());
    };
    let (catalog, found) = step("catalog", || make(paths, references, roots))?;
    let census = Census::new(catalog, &Examine::All, None)?;
    let whole = census.whole().ok_or("all paths are examined")?;
    println!(
        "{} paths, {} references, {} roots",
        census.len(),
        census.references().entries(),
        found.roots.len()
    );
    let options = RootsOptions {
        settings: GcSettings::default(),
        now: 1_700_000_000,
        older_than_days: 30,
        all_users: false,
        shared: true,
        kinds: Vec::new(),
        sort: RootSort::FreedNarSize,
        limit: Some(20),
    };
    let answer = step("roots", || Roots::new(whole, &found, &options))?;
    println!("alive: {} paths", answer.total.alive_paths);
    let options = GarbageOptions {
        settings: GcSettings::default(),
        steps: Vec::new(),
        choice: Default::default(),
        filter: None,
        why: Vec::new(),
    };
    let answer =
        step("garbage", || Ok::<_, Box<dyn Error>>(Garbage::new(whole, &found, &options)))?;
    println!("dead: {} paths", answer.dead.paths);
    Ok(())
}

/// A generated catalog and roots spread evenly over it.
fn make(
    paths: usize,
    references: usize,
    roots: usize,
) -> Result<(Catalog, FoundRoots), Box<dyn Error>> {
    const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
    let graph = generate::store_like(paths, references, 1);
    let weights = generate::weights(paths, 1);
    let mut random = generate::Random(1);
    let mut name = |kind: Kind| {
        let digest: String =
            (0..32).map(|_| char::from(DIGITS[(random.next() >> 59) as usize])).collect();
        let drv = if kind == Kind::Derivation { ".drv" } else { "" };
        format!("/nix/store/{digest}-package-1.{}{drv}", random.below(100))
    };
    let names: Vec<String> = graph.kinds.iter().map(|&kind| name(kind)).collect();
    let mut builder = Builder::new("/nix/store");
    for (i, kind) in graph.kinds.iter().enumerate() {
        let deriver = match *kind {
            Kind::Output(derivation) | Kind::System(derivation) => Some(derivation),
            _ => None,
        };
        let number = builder.add(&Record {
            path: names[i].as_bytes(),
            nar_size: Some(weights[i].nar),
            deriver: deriver.map_or(b"", |d| names[d as usize].as_bytes()),
            ..Record::default()
        })?;
        if let (Some(deriver), Some(number)) = (deriver, number) {
            builder.add_derivation_output(deriver, number);
        }
    }
    for (from, row) in (0u32..).zip(graph.rows.iter()) {
        for &to in row {
            builder.add_reference(from, to);
        }
    }
    drop(graph);
    let catalog = builder.finish()?;
    let root = |i: usize| {
        let target = (i as u128 * paths as u128 / roots as u128) as usize;
        let base = names[target].rsplit('/').next().unwrap_or_default();
        Some(Root {
            kind: RootKind::Auto,
            link: format!("/home/user/project-{i:07}/result").into_bytes(),
            via: None,
            path: catalog.find(base)?,
            time: Some(0),
            pid: None,
            generation: None,
        })
    };
    let found =
        FoundRoots { roots: (0..roots).filter_map(root).collect(), ..FoundRoots::default() };
    Ok((catalog, found))
}

/// Runs a step and tells what it took.
fn step<T, E: Into<Box<dyn Error>>>(
    name: &str,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, Box<dyn Error>> {
    // The highest memory is counted anew.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let (start, cpu) = (Instant::now(), cpu_seconds()?);
    let done = work().map_err(Into::into)?;
    println!(
        "{name}: {:.2} s, {:.2} s of CPU, at most {} MiB, {} MiB after",
        start.elapsed().as_secs_f64(),
        cpu_seconds()? - cpu,
        memory("VmHWM:")?,
        memory("VmRSS:")?,
    );
    Ok(done)
}

/// CPU time of all threads so far, of the user and the kernel.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = rest.split(' ').skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
    // A hundred ticks a second on every Linux.
    Ok(ticks.sum::<f64>() / 100.0)
}

/// A field of `/proc/self/status` in MiB.
fn memory(field: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix(field)).unwrap_or_default();
    let kib: u64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kib / 1024)
}
