//! `nix-census report`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::report::{Column, Report, ReportOptions};
use crate::census::{Examine, filter_names};
use crate::warning::WarningKind;
use clap::Args;

/// One row a path: what each path of the targets' closure costs
#[derive(Debug, Args)]
#[command(
    override_usage = "nix-census report [OPTIONS] <TARGET>...\n       nix-census report [OPTIONS] --all"
)]
#[command(after_help = format!("Columns: {}", keys(Column::ALL)))]
pub(super) struct ReportArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET", required_unless_present = "all")]
    targets: Vec<String>,
    /// Every valid path
    #[arg(long, conflicts_with_all = ["targets", "no_closure"])]
    all: bool,
    /// The targets alone, not their closure
    #[arg(long)]
    no_closure: bool,
    /// The columns, separated by commas; `all` for all of them
    #[arg(long, value_name = "KEY,…", value_delimiter = ',', value_parser = parse_columns)]
    columns: Vec<Columns>,
    /// Sort by this column: sizes and counts from the largest down, texts from the first up
    #[arg(long, value_name = "KEY", value_parser = parse_column)]
    sort: Option<Column>,
    /// Sort the other way round
    #[arg(long)]
    reverse: bool,
    /// At most N rows; the total counts all of them
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only paths of this name or package name, or else whose name (without the
    /// hash part) matches
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,
}

#[derive(Clone, Debug)]
enum Columns {
    All,
    One(Column),
}

fn keys(columns: &[Column]) -> String {
    columns.iter().map(|c| c.key()).collect::<Vec<_>>().join(", ")
}

fn parse_column(key: &str) -> Result<Column, String> {
    Column::from_key(key)
        .ok_or_else(|| format!("there is no such column; there are: {}", keys(Column::ALL)))
}

fn parse_columns(key: &str) -> Result<Columns, String> {
    if key == "all" { Ok(Columns::All) } else { parse_column(key).map(Columns::One) }
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &ReportArgs,
) -> Result<Exit, Failure> {
    let disk = subject.walks_disk();
    let columns = choose_columns(request, subject, args);
    let sort = args.sort.unwrap_or(if disk { Column::DiskSize } else { Column::NarSize });
    if !disk
        && let Some(c) = std::iter::once(&sort).chain(&args_columns(args)).find(|c| c.needs_disk())
    {
        return Err(Failure::usage(format!("{} needs the disk, --no-disk forbids it", c.key())));
    }
    let catalog = subject.catalog(request)?;
    let targets = subject.targets(request, &catalog, &args.targets)?;
    // The disk size of a closure needs the walk of all of it, and what a path
    // retains is counted within the closure.
    let wants = |c: Column| sort == c || columns.contains(&c);
    let closure = !args.no_closure
        || (disk && (wants(Column::ClosureDiskSize) || wants(Column::ClosureInodes)))
        || Column::RETAINED.into_iter().any(wants);
    let examine = match (args.all, closure) {
        (true, _) => Examine::All,
        (false, true) => Examine::Closure(targets),
        (false, false) => Examine::Only(targets),
    };
    let needs_disk = columns.iter().chain([&sort]).any(|c| c.needs_disk());
    let mut census = subject.census(request, catalog, &examine, needs_disk)?;
    for name in columns.iter().chain([&sort]).filter_map(|c| c.database_column()) {
        census.needs_column(name);
    }
    // Paths listed one by one need no closure.
    if (args.all || args.no_closure) && !columns.iter().chain([&sort]).any(|c| c.needs_closure()) {
        census.warnings.demote(WarningKind::UnlistedReference);
    }
    let filter = |text: &String| filter_names(&census.catalog, census.ids(), text);
    let filter = args.filter.as_ref().map(filter).transpose()?;
    let options = ReportOptions {
        columns,
        sort,
        reverse: args.reverse,
        limit: args.limit,
        filter,
        targets_only: args.no_closure,
    };
    let report = Report::new(&census, &options).map_err(|e| Failure::because(&e))?;
    if let (0, Some(text)) = (report.total.paths, &args.filter) {
        return Err(Failure::usage(format!("no examined path has a name that matches ‘{text}’")));
    }
    request.answer(report.document(&census), Exit::Done)
}

/// The columns asked for by name.
fn args_columns(args: &ReportArgs) -> Vec<Column> {
    let one = |c: &Columns| match c {
        Columns::One(c) => Some(*c),
        Columns::All => None,
    };
    args.columns.iter().filter_map(one).collect()
}

/// The columns to show: those asked for; else a readable choice for people
/// and all for machines.
fn choose_columns(request: &Request, subject: &Subject, args: &ReportArgs) -> Vec<Column> {
    let mut columns = Vec::new();
    if args.columns.is_empty() && !request.for_machines() {
        return Column::readable(subject.walks_disk());
    }
    if args.columns.is_empty() {
        return Column::ALL.to_vec();
    }
    for choice in &args.columns {
        match choice {
            Columns::All => columns.extend_from_slice(Column::ALL),
            Columns::One(c) => columns.push(*c),
        }
    }
    let mut seen = Vec::new();
    columns.retain(|c| {
        !seen.contains(c) && {
            seen.push(*c);
            true
        }
    });
    columns
}
