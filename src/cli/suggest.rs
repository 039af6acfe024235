//! `nix-census suggest`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::suggest::Suggestions;
use crate::census::Examine;
use clap::Args;

/// The cuts that gain most, best first, with the what-if flags to try them
#[derive(Debug, Args)]
pub(super) struct SuggestArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    /// At most N suggestions
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Only those that gain at least SIZE (such as 500K, 20M, 1G)
    #[arg(long, value_name = "SIZE", value_parser = super::args::parse_size, default_value = "0", hide_default_value = true)]
    min_size: u64,
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &SuggestArgs,
) -> Result<Exit, Failure> {
    let catalog = subject.catalog(request)?;
    let targets = subject.targets(request, &catalog, &args.targets)?;
    let census = subject.census(request, catalog, &Examine::Closure(targets), true)?;
    let suggestions =
        Suggestions::new(&census, args.limit, args.min_size).map_err(|e| Failure::because(&e))?;
    request.answer(suggestions.document(&census), Exit::Done)
}
