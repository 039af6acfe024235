//! `nix-census report`.

use super::exit::{Exit, Failure};
use super::near::no_such_column;
use super::request::Request;
use super::roots::find_links;
use super::subject::Subject;
use crate::analysis::derivers::derivations_of;
use crate::analysis::kinds::{Kinds, KindsOptions};
use crate::analysis::report::{Column, GroupBy, GroupedReport, Report, ReportOptions};
use crate::answer::selection::Selection;
use crate::catalog::PathId;
use crate::census::{Examine, filter_names};
use crate::warning::{WarningKind, Warnings};
use clap::{Args, ValueEnum};

/// Show what each path of a closure costs, one row a path
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    /// [default: the running system, else all paths]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Show the targets only, not their closure
    #[arg(long)]
    pub(super) no_closure: bool,
    /// Show sums over groups instead of single paths, each inode once in a group
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "derivers")]
    pub(super) group_by: Option<GroupArg>,
    /// Show the derivations that built the paths instead, with their outputs in the store
    #[arg(long)]
    pub(super) derivers: bool,
}

/// What paths are summed by.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum GroupArg {
    /// The name without version
    Pname,
    /// The output: out, dev, …
    Output,
    /// The kind of each file: see `nix-census help kinds`
    Kind,
    /// The GC roots that refer to it, processes apart
    Root,
    /// The day of registration, in UTC
    Day,
}

fn parse_column(key: &str) -> Result<Column, Failure> {
    Column::from_key(key).ok_or_else(|| no_such_column(key, Column::ALL.iter().map(|c| c.key())))
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &ReportArgs,
) -> Result<Exit, Failure> {
    let disk = subject.walks_disk();
    let rows = request.rows();
    rows.check_examined(&args.targets, args.no_closure)?;
    if let Some(by) = args.group_by {
        return grouped(request, subject, args, by);
    }
    let mut columns = choose_columns(request, subject, args.derivers)?;
    let sort = rows.sort.as_ref().map(|key| parse_column(key)).transpose()?;
    let mut sort = sort.unwrap_or(if disk { Column::DiskSize } else { Column::NarSize });
    let named = |c: &Column| rows.columns.iter().any(|key| key == c.key());
    let asked = columns.iter().filter(|c| named(c));
    if !disk && let Some(c) = std::iter::once(&sort).chain(asked).find(|c| c.needs_disk()) {
        return Err(subject.without_disk(&format!("the column {}", c.key()), "it needs the disk"));
    }
    let catalog = subject.catalog(request)?;
    let targets = subject.targets_or_system(request, &catalog, &args.targets, rows.all)?;
    let all = targets.is_none();
    let mut targets = targets.unwrap_or_default();
    let mut notes = Warnings::new();
    if args.derivers {
        subject.need_whole("--derivers")?;
        let paths: Vec<PathId> = match (all, args.no_closure) {
            (true, _) => catalog.ids().collect(),
            (false, true) => targets,
            (false, false) => catalog.closure_of(targets),
        };
        targets = derivations_of(&catalog, paths, &mut notes);
    }
    let targets_only = args.no_closure || args.derivers;
    // The disk size of a closure needs the walk of all of it, and what a path
    // retains is counted within the closure.
    let wants = |c: Column| sort == c || columns.contains(&c);
    let closure = !targets_only
        || (disk && Column::CLOSURE_ON_DISK.into_iter().any(wants))
        || Column::RETAINED.into_iter().any(wants);
    let examine = match (all && !args.derivers, closure) {
        (true, _) => Examine::All,
        (false, true) => Examine::Closure(targets),
        (false, false) => Examine::Only(targets),
    };
    let needs_disk = columns.iter().chain([&sort]).any(|c| c.needs_disk());
    let mut census = subject.census(request, catalog, &examine, needs_disk)?;
    census.warnings.extend(notes);
    for name in columns.iter().chain([&sort]).filter_map(|c| c.database_column()) {
        census.needs_column(name);
    }
    // Paths listed one by one need no closure.
    if (all || targets_only) && !columns.iter().chain([&sort]).any(|c| c.needs_closure()) {
        census.warnings.demote(WarningKind::UnlistedReference);
    }
    if columns.iter().chain([&sort]).any(|c| c.is_of_freed()) {
        census.warn_where_going_is_unknown();
    }
    // Where blocks do not say what files take, people see what does.
    if census.has_extents() {
        if rows.columns.is_empty() && !request.for_machines() {
            columns = columns.into_iter().map(Column::physical).collect();
        }
        // Rows are in the order of a size that is shown, if one of the two is.
        let physical = sort.physical();
        let shown = columns.contains(&physical) || !columns.contains(&sort);
        if rows.sort.is_none() && shown {
            sort = physical;
        }
    }
    let filter = |text: &String| filter_names(&census.catalog, census.ids(), text);
    let filter = rows.filter.as_ref().map(filter).transpose()?;
    let options =
        ReportOptions { columns, sort, reverse: rows.reverse, limit: None, filter, targets_only };
    let report = Report::new(&census, &options).map_err(|e| Failure::because(&e))?;
    if let (0, Some(text)) = (report.total.paths, &rows.filter) {
        return Err(Failure::usage(format!("--filter {text} matches no path that is examined")));
    }
    // Columns, order and filter are done.
    let left = Selection { limit: rows.limit(), min_size: rows.min_size(), ..Selection::default() };
    request.answer_with(report.document(&census), Exit::Done, &left)
}

/// The report by group.
fn grouped(
    request: &Request,
    subject: &Subject,
    args: &ReportArgs,
    by: GroupArg,
) -> Result<Exit, Failure> {
    let catalog = subject.catalog(request)?;
    let examine = subject.examined(request, &catalog, &args.targets, args.no_closure)?;
    if matches!(by, GroupArg::Kind) {
        if !subject.walks_disk() {
            return Err(subject.without_disk("--group-by kind", "it looks at files"));
        }
        let (census, scan) = subject.census_with_kinds(request, catalog, &examine)?;
        let options = KindsOptions { extents: subject.extents(), ..KindsOptions::default() };
        let kinds = Kinds::new(&census, &scan, &options);
        let report = GroupedReport::of_kinds(&census, &kinds);
        return request.answer(report.document(&census), Exit::Done);
    }
    let mut census = subject.census(request, catalog, &examine, true)?;
    let report = match by {
        GroupArg::Pname => GroupedReport::new(&census, GroupBy::Pname),
        GroupArg::Output => GroupedReport::new(&census, GroupBy::Output),
        GroupArg::Kind => unreachable!("answered above"),
        GroupArg::Root => {
            subject.need_whole("--group-by root")?;
            subject.need_roots()?;
            let found = find_links(subject, &mut census)?;
            GroupedReport::of_roots(&census, &found.roots)
        }
        GroupArg::Day => {
            census.needs_column("registrationTime");
            GroupedReport::new(&census, GroupBy::Day)
        }
    };
    request.answer(report.document(&census), Exit::Done)
}

/// The columns to show: those asked for; else a readable choice for people
/// and all for machines.
fn choose_columns(
    request: &Request,
    subject: &Subject,
    derivers: bool,
) -> Result<Vec<Column>, Failure> {
    let asked = &request.rows().columns;
    if asked.is_empty() && !request.for_machines() && derivers {
        let columns = [Column::NarSize, Column::ClosureNarSize, Column::Outputs, Column::Path];
        return Ok(columns.to_vec());
    }
    if asked.is_empty() && !request.for_machines() {
        let disk = subject.walks_disk();
        let short = request.has_width();
        return Ok(if short { Column::short(disk) } else { Column::readable(disk) });
    }
    if asked.is_empty() {
        return Ok(Column::ALL.to_vec());
    }
    let mut columns = Vec::new();
    for key in asked {
        let added = match key.as_str() {
            "all" => Column::ALL.to_vec(),
            key => vec![parse_column(key)?],
        };
        columns.extend(added.into_iter().filter(|c| !columns.contains(c)).collect::<Vec<_>>());
    }
    Ok(columns)
}
