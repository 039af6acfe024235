//! `nix-census report`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::report::{Column, Report, ReportOptions};
use crate::answer::selection::Selection;
use crate::census::{Examine, filter_names};
use crate::warning::WarningKind;
use clap::Args;

/// One row a path: what each path of the targets' closure costs
#[derive(Debug, Args)]
#[command(after_help = format!("Columns: {}", keys(Column::ALL)))]
pub(super) struct ReportArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The targets alone, not their closure
    #[arg(long)]
    no_closure: bool,
}

fn keys(columns: &[Column]) -> String {
    columns.iter().map(|c| c.key()).collect::<Vec<_>>().join(", ")
}

fn parse_column(option: &str, key: &str) -> Result<Column, Failure> {
    Column::from_key(key).ok_or_else(|| {
        let columns = keys(Column::ALL);
        Failure::usage(format!("--{option}: there is no column ‘{key}’; there are: {columns}"))
    })
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &ReportArgs,
) -> Result<Exit, Failure> {
    let disk = subject.walks_disk();
    let rows = request.rows();
    rows.need_targets(&args.targets)?;
    if rows.all && args.no_closure {
        return Err(Failure::usage(
            "--all is the whole store: it cannot be used with --no-closure",
        ));
    }
    let columns = choose_columns(request, subject)?;
    let sort = rows.sort.as_ref().map(|key| parse_column("sort", key)).transpose()?;
    let sort = sort.unwrap_or(if disk { Column::DiskSize } else { Column::NarSize });
    let named = |c: &Column| rows.columns.iter().any(|key| key == c.key());
    let asked = columns.iter().filter(|c| named(c));
    if !disk && let Some(c) = std::iter::once(&sort).chain(asked).find(|c| c.needs_disk()) {
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
    let examine = match (rows.all, closure) {
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
    if (rows.all || args.no_closure) && !columns.iter().chain([&sort]).any(|c| c.needs_closure()) {
        census.warnings.demote(WarningKind::UnlistedReference);
    }
    let filter = |text: &String| filter_names(&census.catalog, census.ids(), text);
    let filter = rows.filter.as_ref().map(filter).transpose()?;
    let options = ReportOptions {
        columns,
        sort,
        reverse: rows.reverse,
        limit: None,
        filter,
        targets_only: args.no_closure,
    };
    let report = Report::new(&census, &options).map_err(|e| Failure::because(&e))?;
    if let (0, Some(text)) = (report.total.paths, &rows.filter) {
        return Err(Failure::usage(format!("no examined path has a name that matches ‘{text}’")));
    }
    // Columns, order and filter are done.
    let left = Selection { limit: rows.limit(), min_size: rows.min_size(), ..Selection::default() };
    request.answer_with(report.document(&census), Exit::Done, &left)
}

/// The columns to show: those asked for; else a readable choice for people
/// and all for machines.
fn choose_columns(request: &Request, subject: &Subject) -> Result<Vec<Column>, Failure> {
    let asked = &request.rows().columns;
    if asked.is_empty() && !request.for_machines() {
        return Ok(Column::readable(subject.walks_disk()));
    }
    if asked.is_empty() {
        return Ok(Column::ALL.to_vec());
    }
    let mut columns = Vec::new();
    for key in asked {
        let added = match key.as_str() {
            "all" => Column::ALL.to_vec(),
            key => vec![parse_column("columns", key)?],
        };
        columns.extend(added.into_iter().filter(|c| !columns.contains(c)).collect::<Vec<_>>());
    }
    Ok(columns)
}
