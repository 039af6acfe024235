//! `nix-census files`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::files::{self, Files, FilesOptions, GroupFilesBy, ShowFiles};
use crate::census::Census;
use clap::{Args, ValueEnum};

/// The largest entries of a tree that people see unless they ask for more.
const LINES: usize = 40;

/// Show what is inside paths: the largest directories and files
///
/// Sizes count each inode once; what has names in other paths too is shown.
#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    /// [default: the running system, else all paths]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Show the targets only, not their closure
    #[arg(long)]
    no_closure: bool,
    /// Show the largest entries as a tree
    #[arg(long, conflicts_with = "group_by")]
    tree: bool,
    /// Show only entries at most N levels below their store path; 0 is the path itself
    #[arg(long, value_name = "N", conflicts_with = "group_by")]
    depth: Option<u32>,
    /// Show sums instead of single entries
    #[arg(long, value_enum, value_name = "WHAT")]
    group_by: Option<GroupArg>,
}

/// What entries are summed by.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum GroupArg {
    /// What they are for: see `nix-census help kinds`
    Kind,
    /// What their names end with
    Extension,
    /// The store path they are in
    Path,
}

pub(super) fn run(request: &Request, subject: &Subject, args: &FilesArgs) -> Result<Exit, Failure> {
    if !subject.walks_disk() {
        return Err(subject.without_disk("files", "it looks at files"));
    }
    let rows = request.rows();
    rows.check_examined(&args.targets, args.no_closure)?;
    let catalog = subject.catalog(request)?;
    let examine = subject.examined(request, &catalog, &args.targets, args.no_closure)?;
    let (scan, listing) = subject.scanned(request, |files, options, progress| {
        files::list(files, &catalog, &examine, options, progress)
    })?;
    let mut census =
        Census::new(catalog, &examine, Some(scan)).map_err(|e| Failure::because(&e))?;
    if args.group_by.is_none() {
        census.warn_where_going_is_unknown();
    }
    let show = match (args.group_by, args.tree) {
        (Some(GroupArg::Kind), _) => ShowFiles::Groups(GroupFilesBy::Kind),
        (Some(GroupArg::Extension), _) => ShowFiles::Groups(GroupFilesBy::Extension),
        (Some(GroupArg::Path), _) => ShowFiles::Groups(GroupFilesBy::Path),
        (None, true) => ShowFiles::Tree,
        (None, false) => ShowFiles::Largest,
    };
    // Of a tree the largest entries are shown, and what leads to them.
    let lines = rows.best((!request.for_machines()).then_some(LINES));
    let limit = lines.filter(|_| args.tree);
    let options = FilesOptions { show, depth: args.depth, min_size: rows.min_size(), limit };
    let answer = Files::new(&census, listing, options);
    request.answer(answer.document(&census), Exit::Done)
}
