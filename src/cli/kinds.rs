//! `nix-census kinds`.

use super::exit::{Exit, Failure};
use super::near::no_such;
use super::request::Request;
use super::subject::Subject;
use crate::analysis::kinds::{Kinds, KindsOptions};
use crate::kinds::{FileKind, NIXPKGS_TREE, RULES};
use clap::Args;
use std::fmt::Write;

/// Show bytes by kind of file: man pages, headers, locales, programs, …
///
/// Each entry of a path is of exactly one kind, by one table of rules. The kinds
/// sum to the disk size of all that is examined, each inode once; an inode whose
/// names are of several kinds is of the last of them, and so is an extent that
/// files of several kinds use.
#[derive(Debug, Args)]
#[command(after_long_help = table())]
pub(super) struct KindsArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    /// [default: the running system, else all paths]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Show the targets only, not their closure
    #[arg(long)]
    no_closure: bool,
    /// Show only these kinds, separated by commas
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = parse_kind)]
    kind: Vec<FileKind>,
}

/// The table of rules, for people.
fn table() -> String {
    let mut text = "A file is of the first of these kinds: that of the outermost directory of its \
        path that is a place; that of its name (exact names, then beginnings, then the longest \
        ending; N is a version); that of its first bytes, if it may be executed; that of the \
        directory at the top of its path. All of a directory that holds "
        .to_owned();
    text.push_str(&NIXPKGS_TREE.join(", "));
    text.push_str(" is sources: a tree of nixpkgs.\n");
    for rule in RULES {
        let _ = write!(text, "\n{}: {}\n", rule.kind.key(), rule.kind.description());
        for (title, list) in
            [("places", rule.places), ("names", rule.names), ("top directories", rule.tops)]
        {
            if !list.is_empty() {
                let _ = writeln!(text, "  {title}: {}", list.join(", "));
            }
        }
        if !rule.first_bytes.is_empty() {
            let _ = writeln!(text, "  first bytes: {}", rule.first_bytes);
        }
    }
    text
}

/// A kind by its name.
pub(super) fn parse_kind(key: &str) -> Result<FileKind, String> {
    let keys = FileKind::ALL.iter().map(|kind| kind.key());
    FileKind::from_key(key).ok_or_else(|| no_such("kind of file", key, keys, ""))
}

pub(super) fn run(request: &Request, subject: &Subject, args: &KindsArgs) -> Result<Exit, Failure> {
    if !subject.walks_disk() {
        return Err(subject.without_disk("kinds", "it looks at files"));
    }
    let rows = request.rows();
    rows.check_examined(&args.targets, args.no_closure)?;
    let catalog = subject.catalog(request)?;
    let examine = subject.examined(request, &catalog, &args.targets, args.no_closure)?;
    let (census, scan) = subject.census_with_kinds(request, catalog, &examine)?;
    let options = KindsOptions { only: args.kind.clone(), extents: subject.extents() };
    let kinds = Kinds::new(&census, &scan, &options);
    request.answer(kinds.document(&census), Exit::Done)
}
