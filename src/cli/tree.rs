//! `nix-census tree`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::tree::{ReferenceTree, TreeOptions};
use crate::census::Examine;
use clap::Args;

/// The references of a path as a tree with sizes, heaviest first
///
/// Retained: what would go if every reference to the path were cut. References
/// that stand elsewhere already are marked [...].
#[derive(Debug, Args)]
pub(super) struct TreeArgs {
    /// A store path, a symlink to it, a hash part, a name or a package name
    target: String,
    /// At most N levels below the target
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Only paths that retain at least SIZE (such as 500K, 20M, 1G), and what leads to them
    #[arg(long, value_name = "SIZE", value_parser = super::args::parse_size, default_value = "0", hide_default_value = true)]
    min_size: u64,
    /// Who uses it, in the whole store
    #[arg(long)]
    inverse: bool,
}

pub(super) fn run(request: &Request, subject: &Subject, args: &TreeArgs) -> Result<Exit, Failure> {
    let catalog = subject.catalog(request)?;
    let target = subject.targets(request, &catalog, std::slice::from_ref(&args.target))?[0];
    let examine = if args.inverse { Examine::All } else { Examine::Closure(vec![target]) };
    let census = subject.census(request, catalog, &examine, true)?;
    let Some(index) = census.index_of(target) else { unreachable!("the target is examined") };
    let options = TreeOptions { depth: args.depth, min_size: args.min_size, inverse: args.inverse };
    let tree = ReferenceTree::new(&census, index, &options).map_err(|e| Failure::because(&e))?;
    request.answer(tree.document(&census), Exit::Done)
}
