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
/// graph many times.
const SUGGESTED_UP_TO: usize = 10_000;

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
    let mut named = all.min(LARGEST / BYTES_OF_A_PATH);
    loop {
        let mut written = Vec::new();
        let page = page(named).map_err(|e| Failure::because(&e))?;
        html::write(&page, &mut written).map_err(|e| Failure::because(&e))?;
        if written.len() < LARGEST || named <= FEWEST_NAMED {
            return request.write_file(|out| out.write_all(&written), warnings);
        }
        named = (named / 2).max(FEWEST_NAMED);
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
