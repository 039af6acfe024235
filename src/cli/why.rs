//! `nix-census why`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::derivers::{derivation_of, warn_of_no_outputs};
use crate::analysis::why::{Show, Why};
use crate::catalog::{Catalog, PathId};
use crate::census::Examine;
use crate::warning::{WarningKind, Warnings};
use clap::Args;

/// Show why a path is in a closure: the shortest chain of references to it
///
/// Exit status 1 if nothing refers to it.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(super) struct WhyArgs {
    /// Where the chain begins [default: show who uses TO in the whole store]
    from: Option<String>,
    /// What to explain: a path, name, package name or glob, looked up in the closure
    /// of FROM first
    #[arg(required = true)]
    to: String,
    /// Show all chains as one graph, each reference once
    #[arg(long)]
    pub(super) all_chains: bool,
    /// Show the files that contain the references, too
    #[arg(long)]
    precise: bool,
    /// Show only the direct users
    #[arg(long, conflicts_with = "all_chains")]
    referrers: bool,
    /// Go over derivations: which build input brings it in; FROM and TO are derivations, or
    /// paths whose derivers are in the store
    #[arg(long, conflicts_with = "precise")]
    build: bool,
}

pub(super) fn run(request: &Request, subject: &Subject, args: &WhyArgs) -> Result<Exit, Failure> {
    request.rows().check_targets(args.from.as_slice())?;
    if args.from.is_none() {
        subject.need_whole("who uses a path")?;
    }
    if args.build {
        subject.need_whole("--build")?;
    }
    let catalog = subject.catalog(request)?;
    let from =
        args.from.as_ref().map(|from| subject.target(request, &catalog, None, from)).transpose()?;
    let from = match (args.build, from) {
        (true, Some(from)) => Some(derivation_of(&catalog, from).map_err(|e| {
            Failure::failed(format!("{}: {e}: --build needs it", catalog.path(from)))
        })?),
        (_, from) => from,
    };
    let mut to = match from {
        None => subject.matches(request, &catalog, None, &args.to)?,
        Some(from) => {
            let mut within = catalog.closure_of([from]);
            if args.build {
                // What was built on the way is named by its own name.
                let outputs: Vec<PathId> =
                    within.iter().flat_map(|&drv| catalog.outputs_of(drv)).collect();
                within.extend(outputs);
                within.sort_unstable();
                within.dedup();
            }
            subject.within_first(&within, |among| {
                subject.matches(request, &catalog, among, &args.to)
            })?
        }
    };
    let mut notes = Warnings::new();
    if args.build {
        to = built(&catalog, &to, &mut notes);
    }
    let show = match (args.all_chains, args.referrers) {
        (true, _) => Show::All,
        (_, true) => Show::Referrers,
        _ => Show::Shortest,
    };
    if args.precise && !subject.walks_disk() {
        return Err(subject.without_disk("--precise", "it reads files"));
    }
    let census = subject.census(request, catalog, &Examine::All, false)?;
    let mut why = Why::new(&census, from, &to, show);
    why.warnings.extend(notes);
    if args.precise {
        let files = subject.files()?;
        why.find_files(&census, files, subject.threads()).map_err(|e| Failure::because(&e))?;
    }
    let exit = if why.is_held() { Exit::Done } else { Exit::No };
    request.answer(why.document(&census), exit)
}

/// The derivations of some paths; what has none stands for itself, as sources do.
fn built(catalog: &Catalog, paths: &[PathId], notes: &mut Warnings) -> Vec<PathId> {
    let mut built = Vec::new();
    for &path in paths {
        built.push(derivation_of(catalog, path).unwrap_or_else(|e| {
            let message = format!("{e}: taken for an input itself, as a source is");
            notes.push(WarningKind::Note, catalog.path(path), message);
            path
        }));
    }
    built.sort_unstable();
    built.dedup();
    warn_of_no_outputs(catalog, &built, notes);
    built
}
