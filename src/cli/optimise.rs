//! `nix-census optimise`.

use super::exit::{Exit, Failure};
use super::html::write_page;
use super::progress::with_progress;
use super::request::Request;
use super::subject::Subject;
use crate::analysis::optimise::{NixVersion, Optimise, OptimiseBy, OptimiseOptions};
use crate::census::Examine;
use clap::{Args, ValueEnum};

/// Show what `nix-store --optimise` would save by hard-linking equal files
///
/// Without targets, all valid paths count, in Nix's order. With targets, only
/// their closure counts, as if nothing else were in the store. Nothing is
/// written.
#[derive(Debug, Args)]
pub(super) struct OptimiseArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Mimic this Nix version's report: 2.36, lix-2.94, determinate-3.22, … (Nix
    /// differs up to 2.22, from 2.23 and from 2.33)
    #[arg(long, value_name = "VERSION", default_value_t = NixVersion::NEWEST)]
    nix_version: NixVersion,
    /// Show one list of savings only [default: all]
    #[arg(long, value_enum, value_name = "WHAT")]
    by: Option<ByArg>,
}

/// What savings are listed by.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ByArg {
    /// Store paths
    Path,
    /// Packages
    Package,
    /// Pairs of packages: whose file is kept for whose; they sum to the whole
    Pair,
    /// Kinds of files
    Kind,
    /// Equal files
    File,
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &OptimiseArgs,
) -> Result<Exit, Failure> {
    if !subject.walks_disk() {
        return Err(subject.without_disk("optimise", "it reads files"));
    }
    if subject.lower_store().is_some() {
        let message = "Nix hard-links nothing in an overlay store: it only deletes copies that \
                       the store beneath has too";
        return Err(Failure::usage(message).hint("examine one of the two stores without --lower"));
    }
    if request.wants_page() {
        request.check_page("optimise --format html")?;
        if args.by.is_some() {
            let message = "--by cannot be used with html: the page is by pair of packages";
            return Err(Failure::usage(message));
        }
    }
    request.rows().check_targets(&args.targets)?;
    let catalog = subject.catalog(request)?;
    let targets = subject.targets(request, &catalog, &args.targets)?;
    let examine = if args.targets.is_empty() { Examine::All } else { Examine::Closure(targets) };
    // It walks the disk itself, and keeps more than a census does.
    let census = subject.census(request, catalog, &examine, false)?;
    let files = subject.files()?;
    let options = OptimiseOptions {
        nix: args.nix_version,
        guix: subject.location.is_guix(),
        threads: subject.threads(),
        extents: subject.extents(),
        limit: None,
        min_size: 0,
        ..OptimiseOptions::default()
    };
    let answer = with_progress(request.shows_progress(), |progress| {
        Optimise::new(&census, files, &options, progress)
    })
    .map_err(|e| Failure::because(&e))?;
    if request.wants_page() {
        let page = |named| answer.page(&census, named);
        return write_page(request, answer.most_rows(), page, &answer.warnings);
    }
    let by = args.by.map(|by| match by {
        ByArg::Path => OptimiseBy::Path,
        ByArg::Package => OptimiseBy::Package,
        ByArg::Pair => OptimiseBy::Pair,
        ByArg::Kind => OptimiseBy::Kind,
        ByArg::File => OptimiseBy::File,
    });
    request.answer(answer.document(&census, by), Exit::Done)
}
