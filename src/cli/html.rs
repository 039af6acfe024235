//! `nix-census html`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::page::{PageError, Pages};
use crate::analysis::suggest::Suggestions;
use crate::answer::page::Page;
use crate::catalog::{Catalog, PathId};
use crate::census::{Census, Examine};
use crate::output::html;
use crate::warning::Warnings;
use clap::Args;
use std::collections::HashMap;

/// Write a page for a browser: a map of a closure, its table, its graph
///
/// The page is one file that needs no network: it can be mailed, or kept by
/// continuous integration. It shows what takes room and what goes with what, tells
/// all of a path, walks the graph from path to path, and tries what goes when
/// references are cut. In a very large closure it names the paths that retain most
/// and sums up the rest.
#[derive(Debug, Args)]
pub(super) struct HtmlArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    /// [default: the running system, else all paths]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// The largest page that is written, in bytes, where folding can keep it below.
const LARGEST: usize = 20_000_000;

/// So many paths are named whatever the page takes, so that it shows something.
const FEWEST_NAMED: usize = 500;

/// In closures larger than this nothing is suggested: each suggestion goes over the whole
/// graph many times. Of 300,000 paths with 3,000,000 references that took 27 s of processor
/// time, so of these about 5 s.
const SUGGESTED_UP_TO: usize = 50_000;

/// How many cuts are suggested.
const SUGGESTIONS: usize = 10;

pub(super) fn run(request: &Request, subject: &Subject, args: &HtmlArgs) -> Result<Exit, Failure> {
    request.check_only_page()?;
    request.rows().check_targets(&args.targets)?;
    let catalog = subject.catalog(request)?;
    let examine = subject.examined(request, &catalog, &args.targets, false)?;
    let (census, contents) = if subject.walks_disk() {
        let (census, contents) = subject.census_with_contents(request, catalog, &examine)?;
        (census, Some(contents))
    } else {
        (subject.census(request, catalog, &examine, false)?, None)
    };
    let failed = |e: &dyn std::error::Error| Failure::because(e);
    let suggestions = match census.len() <= SUGGESTED_UP_TO {
        true => Some(Suggestions::new(&census, None, SUGGESTIONS, 0).map_err(|e| failed(&e))?),
        false => None,
    };
    let command = command(subject, &census, &examine);
    let pages = Pages::new(&census, contents.as_ref(), suggestions.as_ref(), &command);
    let pages = pages.map_err(|e| failed(&e))?;
    let page = |named| Ok(pages.page(named));
    write_page(request, census.len(), page, &census.warnings)
}

/// Writes the page that names as many of `all` paths as it can hold.
pub(super) fn write_page(
    request: &Request,
    all: usize,
    page: impl Fn(usize) -> Result<Page, PageError>,
    warnings: &Warnings,
) -> Result<Exit, Failure> {
    let written = largest_page(all, LARGEST, page)?;
    request.write_file(|out| out.write_all(&written), warnings)
}

/// The page that names as many of `all` paths as fit into `largest` bytes.
fn largest_page(
    all: usize,
    largest: usize,
    page: impl Fn(usize) -> Result<Page, PageError>,
) -> Result<Vec<u8>, Failure> {
    let mut named = all.min(largest / BYTES_OF_A_PATH);
    loop {
        let mut written = Vec::new();
        let page = page(named).map_err(|e| Failure::because(&e))?;
        html::write(&page, &mut written).map_err(|e| Failure::because(&e))?;
        if written.len() < largest || named <= FEWEST_NAMED {
            return Ok(written);
        }
        // What retains more has more references: half of the paths take more than half.
        let fitting = (named as u128 * largest as u128 / written.len() as u128) as usize;
        named = (fitting / 10 * 9).max(FEWEST_NAMED);
    }
}

/// What a named path takes in a page at least, in bytes: its hash part alone is random.
const BYTES_OF_A_PATH: usize = 60;

/// The command that changes made on the page are appended to.
fn command(subject: &Subject, census: &Census, examine: &Examine) -> Vec<String> {
    let mut command = vec!["nix-census".to_owned()];
    command.extend(subject.arguments.iter().cloned());
    command.push("what-if".to_owned());
    match examine {
        Examine::All => command.push("--all".to_owned()),
        Examine::Closure(targets) | Examine::Only(targets) => {
            command.extend(handles(&census.catalog, targets));
        }
    }
    command
}

/// For each target a name that means one path of the store: the shortest that is sure to.
fn handles(catalog: &Catalog, targets: &[PathId]) -> impl Iterator<Item = String> {
    let name = |id: PathId| catalog.store_path(id).name();
    let mut times: HashMap<&str, u32> = targets.iter().map(|&id| (name(id), 0)).collect();
    for id in catalog.ids() {
        times.entry(name(id)).and_modify(|times| *times += 1);
    }
    targets.iter().map(move |&id| {
        let plain = !name(id).contains(['?', '=']) && !name(id).starts_with('-');
        match plain && times[name(id)] == 1 {
            true => name(id).to_owned(),
            false => catalog.store_path(id).hash_part().to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::page::Contents;
    use crate::catalog::{Builder, Record};
    use crate::census::scan_contents;
    use crate::disk::{Progress, ScanOptions};
    use crate::fs::{MemoryFile, StoreFiles, Tree};
    use crate::nar::nix32;
    use sha2::{Digest, Sha256};

    /// Numbers that look random and are the same in each run (SplitMix64).
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u32) -> u32 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) % u64::from(end)) as u32
        }
    }

    /// Base names: hash parts that look random, and names as packages have them.
    fn base_name(random: &mut Random, n: u32) -> String {
        const WORDS: [&str; 16] = [
            "lib",
            "python3.12",
            "perl5.40",
            "gtk",
            "kde",
            "system",
            "unit",
            "font",
            "texlive",
            "haskell",
            "util",
            "net",
            "crypt",
            "image",
            "doc",
            "xorg",
        ];
        let digest = Sha256::digest(n.to_le_bytes());
        let mut word = || WORDS[random.below(16) as usize];
        let (first, second) = (word(), word());
        let (a, b) = (random.below(12), random.below(40));
        format!("{}-{first}-{second}{}-{a}.{b}", nix32::encode(&digest[..20]), n % 997)
    }

    /// A store of so many paths, each with so many references to others, mostly the same
    /// few; with files of several kinds, if they are asked for.
    fn store(paths: u32, each: u32, files: bool) -> (Census, Option<Contents>) {
        let mut random = Random(7);
        let mut builder = Builder::new("/nix/store");
        let mut tree = Vec::new();
        // Base names ascend, as a catalog sorts them.
        let mut names: Vec<String> = (0..paths).map(|n| base_name(&mut random, n)).collect();
        names.sort_unstable();
        for (n, base) in (0..).zip(&names) {
            let path = format!("/nix/store/{base}");
            let record = Record {
                path: path.as_bytes(),
                nar_size: Some(u64::from(random.below(1 << (9 + n % 18))) / 8 * 8),
                registration_time: Some(1_700_000_000 + i64::from(random.below(10_000_000))),
                ..Record::default()
            };
            builder.add(&record).unwrap();
            for name in ["bin/tool", "lib/libtool.so", "share/man/man1/tool.1", "share/doc/a.txt"] {
                if files && random.below(3) > 0 {
                    let contents = "x".repeat(1 + random.below(300) as usize);
                    tree.push((format!("{path}/{name}"), MemoryFile::from(contents.as_str())));
                }
            }
            tree.push((path, MemoryFile::Directory));
        }
        for n in 1..paths {
            for _ in 0..each {
                // The lower, the more often.
                let other = random.below(n);
                builder.add_reference(n, random.below(other + 1));
            }
        }
        let catalog = builder.finish().unwrap();
        if !files {
            return (Census::new(catalog, &Examine::All, None).unwrap(), None);
        }
        let files = StoreFiles::open(&Tree::memory(tree), "/nix/store".as_ref()).unwrap();
        let (options, progress) = (ScanOptions::default(), Progress::default());
        let scanned = scan_contents(&files, &catalog, &Examine::All, &options, &progress);
        let (scan, kinds, largest) = scanned.unwrap();
        let census = Census::new(catalog, &Examine::All, Some(scan)).unwrap();
        (census, Some(Contents { kinds, largest }))
    }

    /// The length of the page of a store, and how many of its paths have no names there.
    fn page(census: &Census, contents: Option<&Contents>, largest: usize) -> (usize, u64) {
        let pages = Pages::new(census, contents, None, &[]).unwrap();
        let folded = std::cell::Cell::new(0);
        let written = largest_page(census.len(), largest, |named| {
            let page = pages.page(named);
            let fact = page.facts.iter().find(|(key, _)| *key == "folded_paths");
            folded.set(fact.unwrap().1.as_u64().unwrap());
            Ok(page)
        });
        (written.unwrap().len(), folded.get())
    }

    #[test]
    fn pages_are_small_and_what_retains_least_is_folded() {
        let (census, contents) = store(1300, 12, true);
        let (bytes, folded) = page(&census, contents.as_ref(), LARGEST);
        assert!((150_000..=400_000).contains(&bytes) && folded == 0, "{bytes} bytes, {folded}");
        // 240,000 references.
        let (census, contents) = store(20_000, 12, true);
        assert!(census.references().entries() > 150_000, "some are drawn twice");
        let (bytes, folded) = page(&census, contents.as_ref(), LARGEST);
        assert!((1_000_000..=5_000_000).contains(&bytes) && folded == 0, "{bytes} bytes, {folded}");
        let (bytes, folded) = page(&census, contents.as_ref(), 1_000_000);
        assert!((500_000..1_000_000).contains(&bytes), "{bytes} bytes");
        assert!((10_000..19_500).contains(&folded), "{folded} of 20,000 paths are folded");
    }

    #[test]
    #[ignore = "takes minutes without optimisation: cargo test --release --lib -- --ignored whole_store"]
    fn of_a_whole_store_what_retains_least_is_folded() {
        let (census, _) = store(300_000, 10, false);
        let (bytes, folded) = page(&census, None, LARGEST);
        assert!((10_000_000..LARGEST).contains(&bytes), "{bytes} bytes");
        assert!((100_000..=299_500).contains(&folded), "{folded} of 300,000 paths are folded");
    }
}
