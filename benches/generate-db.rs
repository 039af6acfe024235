//! Writes a generated store graph as a real Nix database, to measure on:
//!
//! ```text
//! cargo bench --bench generate-db -- OUTDIR PATHS [--references N] [--dense] [--seed N] [--roots N]
//! ```
//!
//! `OUTDIR/nix/store` stays empty; `OUTDIR/nix/var/nix` gets `db/db.sqlite` and
//! `db/schema` as schema 10 has them, a link in `profiles` for each system
//! generation and, with `--roots`, that many links in `gcroots/generated`. Nix
//! reads it with `NIX_STORE_DIR=OUTDIR/nix/store NIX_STATE_DIR=OUTDIR/nix/var/nix`.

use std::error::Error;
use std::path::PathBuf;

#[path = "generate/database.rs"]
mod database;
mod generate;

struct Options {
    out: PathBuf,
    paths: usize,
    references: usize,
    dense: bool,
    seed: u64,
    roots: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = options()? else {
        eprintln!(
            "usage: cargo bench --bench generate-db -- \
             OUTDIR PATHS [--references N] [--dense] [--seed N] [--roots N]"
        );
        return Ok(());
    };
    let graph = if options.dense {
        generate::dense(options.paths, options.references / options.paths.max(1), options.seed)
    } else {
        generate::store_like(options.paths, options.references, options.seed)
    };
    let nix = database::write(&graph, &options.out, options.seed, options.roots)?;
    println!("{}: {} paths, {} references", nix.display(), options.paths, graph.rows.entries());
    Ok(())
}

fn options() -> Result<Option<Options>, Box<dyn Error>> {
    let mut plain = Vec::new();
    let (mut references, mut dense, mut seed, mut roots) = (None, false, 1, 0);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a number"));
        match arg.as_str() {
            // Given by `cargo bench` itself.
            "--bench" => {}
            "--dense" => dense = true,
            "--references" => references = Some(value()?.parse()?),
            "--seed" => seed = value()?.parse()?,
            "--roots" => roots = value()?.parse()?,
            _ => plain.push(arg),
        }
    }
    let [out, paths] = plain.as_slice() else { return Ok(None) };
    let paths = paths.parse()?;
    let references = references.unwrap_or(10 * paths);
    Ok(Some(Options { out: out.into(), paths, references, dense, seed, roots }))
}
