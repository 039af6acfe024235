//! `nix-census path-info`, for those whose fingers know Nix's: a report of the
//! paths alone.

use super::report::ReportArgs;
use super::rows::RowArgs;
use clap::{ArgAction, Args};

/// Show sizes of paths, as `nix path-info` does; `report` shows more
#[derive(Debug, Args)]
pub(super) struct PathInfoArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Show the whole closure
    #[arg(long, short)]
    recursive: bool,
    /// Show NAR sizes
    #[arg(long, short)]
    size: bool,
    /// Show NAR sizes of closures
    #[arg(long, short = 'S')]
    closure_size: bool,
    /// Show sizes in KiB, MiB, GiB
    #[arg(long, short = 'h')]
    pub(super) human_readable: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl PathInfoArgs {
    /// The report that shows the same, and its rows.
    pub(super) fn into_report(self, rows: &mut RowArgs) -> ReportArgs {
        if rows.columns.is_empty() {
            rows.columns.push("path".to_owned());
            rows.columns.extend(self.size.then(|| "nar_size".to_owned()));
            rows.columns.extend(self.closure_size.then(|| "closure_nar_size".to_owned()));
        }
        rows.sort.get_or_insert_with(|| "path".to_owned());
        ReportArgs {
            targets: self.targets,
            no_closure: !rows.all && !self.recursive,
            group_by: None,
            derivers: false,
        }
    }
}
