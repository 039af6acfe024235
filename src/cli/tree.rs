//! `nix-census tree`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::tree::{ReferenceTree, TreeOptions};
use crate::answer::selection::Selection;
use crate::census::Examine;
use clap::Args;

/// Show the references of a path as a tree with sizes, heaviest first
///
/// Retained sizes are what would go if every reference to the path were cut.
/// Paths whose references are shown elsewhere are marked [...].
#[derive(Debug, Args)]
pub(super) struct TreeArgs {
    /// A store path, a symlink to it, a hash part, a name or a package name
    target: Option<String>,
    /// Show at most N levels below the target
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Show who uses it instead, in the whole store
    #[arg(long)]
    inverse: bool,
}

pub(super) fn run(request: &Request, subject: &Subject, args: &TreeArgs) -> Result<Exit, Failure> {
    let rows = request.rows();
    let target = args.target.as_slice();
    rows.need_targets(target)?;
    if rows.all && args.inverse {
        return Err(Failure::usage("--inverse needs a target: who uses what"));
    }
    if args.inverse {
        subject.need_whole("--inverse")?;
    }
    let catalog = subject.catalog(request)?;
    let targets = subject.targets_or_all(request, &catalog, target)?;
    let whole = args.inverse || rows.all;
    let examine = if whole { Examine::All } else { Examine::Closure(targets.clone()) };
    let census = subject.census(request, catalog, &examine, true)?;
    let indexes: Vec<_> = targets.iter().filter_map(|&id| census.index_of(id)).collect();
    let min_size = rows.min_size();
    let options = TreeOptions { depth: args.depth, min_size, inverse: args.inverse };
    let tree = ReferenceTree::new(&census, &indexes, &options).map_err(|e| Failure::because(&e))?;
    // What is large counts for the tree: a list of it has rows of its own size.
    let min_size = if rows.sort.is_some() { min_size } else { 0 };
    let left = Selection { min_size, ..rows.selection()? };
    request.answer_with(tree.document(&census), Exit::Done, &left)
}
