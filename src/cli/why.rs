//! `nix-census why`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::why::{Show, Why};
use crate::census::Examine;
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
}

pub(super) fn run(request: &Request, subject: &Subject, args: &WhyArgs) -> Result<Exit, Failure> {
    request.rows().check_targets(args.from.as_slice())?;
    let catalog = subject.catalog(request)?;
    let from =
        args.from.as_ref().map(|from| subject.target(request, &catalog, None, from)).transpose()?;
    let to = match from {
        None => subject.matches(request, &catalog, None, &args.to)?,
        Some(from) => {
            let within = catalog.closure_of([from]);
            subject.within_first(&within, |among| {
                subject.matches(request, &catalog, among, &args.to)
            })?
        }
    };
    let show = match (args.all_chains, args.referrers) {
        (true, _) => Show::All,
        (_, true) => Show::Referrers,
        _ => Show::Shortest,
    };
    if args.precise && !subject.walks_disk() {
        return Err(Failure::usage("--precise cannot be used with --no-disk: it reads files"));
    }
    let census = subject.census(request, catalog, &Examine::All, false)?;
    let mut why = Why::new(&census, from, &to, show);
    if args.precise {
        let files = subject.files()?;
        why.find_files(&census, files, subject.threads()).map_err(|e| Failure::because(&e))?;
    }
    let exit = if why.is_held() { Exit::Done } else { Exit::No };
    request.answer(why.document(&census), exit)
}
