//! `nix-census suggest`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::suggest::Suggestions;
use crate::census::Examine;
use clap::Args;

/// Suggest which references to cut, best first, with the what-if flags to try them
#[derive(Debug, Args)]
pub(super) struct SuggestArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Show which files hold what is left over from building
    #[arg(long)]
    precise: bool,
}

/// How many suggestions are made by default: each goes over the whole graph.
const SUGGESTED: usize = 20;

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &SuggestArgs,
) -> Result<Exit, Failure> {
    if args.precise && !subject.walks_disk() {
        return Err(subject.without_disk("--precise", "it reads files"));
    }
    let rows = request.rows();
    rows.need_targets(&args.targets)?;
    let catalog = subject.catalog(request)?;
    let targets = subject.targets_or_all(request, &catalog, &args.targets)?;
    let examine = Examine::Closure(targets);
    let (census, scan) = match subject.walks_disk() {
        true => {
            let (census, scan) = subject.census_with_kinds(request, catalog, &examine)?;
            (census, Some(scan))
        }
        false => (subject.census(request, catalog, &examine, false)?, None),
    };
    let limit = rows.best(Some(SUGGESTED)).unwrap_or(usize::MAX);
    let suggestions = Suggestions::new(&census, scan.as_ref(), limit, rows.min_size());
    let mut suggestions = suggestions.map_err(|e| Failure::because(&e))?;
    if args.precise {
        let files = subject.files()?;
        let found = suggestions.find_files(&census, files, subject.threads());
        found.map_err(|e| Failure::because(&e))?;
    }
    request.answer(suggestions.document(&census), Exit::Done)
}
