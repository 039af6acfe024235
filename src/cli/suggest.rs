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
}

/// How many suggestions are made by default: each goes over the whole graph.
const SUGGESTED: usize = 20;

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &SuggestArgs,
) -> Result<Exit, Failure> {
    let rows = request.rows();
    rows.need_targets(&args.targets)?;
    let catalog = subject.catalog(request)?;
    let targets = subject.targets_or_all(request, &catalog, &args.targets)?;
    let census = subject.census(request, catalog, &Examine::Closure(targets), true)?;
    let suggestions = Suggestions::new(&census, rows.limit().unwrap_or(SUGGESTED), rows.min_size())
        .map_err(|e| Failure::because(&e))?;
    request.answer(suggestions.document(&census), Exit::Done)
}
