//! The arguments that choose rows and columns, the same for all commands.

use super::args::parse_size;
use super::exit::Failure;
use super::near::no_such_column;
use crate::answer::selection::{Filter, Selection, SelectionError};
use clap::Args;

/// Which rows of the answer are written, and how.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Rows")]
pub(super) struct RowArgs {
    /// Examine the whole store, not the closure of targets
    #[arg(long, global = true)]
    pub(super) all: bool,
    /// Show at most N rows of each list; 0 for all [default: on a terminal what fits, else all]
    #[arg(long, short = 'n', global = true, value_name = "N")]
    limit: Option<usize>,
    /// Sort by this column: numbers from the largest down, texts from A to Z; a sorted
    /// tree is a list
    #[arg(long, global = true, value_name = "COLUMN")]
    pub(super) sort: Option<String>,
    /// Reverse the order
    #[arg(long, global = true)]
    pub(super) reverse: bool,
    /// Show only rows of at least SIZE (500K, 20M, 1G, …)
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    min_size: Option<u64>,
    /// Show only rows whose name, package name or glob matches
    #[arg(long, global = true, value_name = "PATTERN")]
    pub(super) filter: Option<String>,
    /// Show these columns, separated by commas (`help columns` lists them)
    #[arg(long, global = true, value_name = "COLUMN,…", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// Show findings one by one, not a row for each kind and path
    #[arg(long, global = true)]
    pub(super) expand: bool,
    /// Show full store paths on a terminal, too
    #[arg(long, global = true)]
    pub(super) full_paths: bool,
}

impl RowArgs {
    /// What is asked for, of an answer none of whose rows are chosen yet.
    pub(super) fn selection(&self) -> Result<Selection, Failure> {
        Ok(Selection {
            columns: self.columns.clone(),
            sort: self.sort.clone(),
            reverse: self.reverse,
            limit: self.limit(),
            min_size: self.min_size(),
            filter: self.filter()?,
        })
    }

    /// Refuses all that chooses rows and columns, for a command whose answer has none.
    pub(super) fn refuse_selection(&self, command: &str, why: &str) -> Result<(), Failure> {
        let chosen = [
            ("limit", self.limit.is_some()),
            ("sort", self.sort.is_some()),
            ("reverse", self.reverse),
            ("min-size", self.min_size.is_some()),
            ("filter", self.filter.is_some()),
            ("columns", !self.columns.is_empty()),
            ("expand", self.expand),
            ("full-paths", self.full_paths),
        ];
        match chosen.iter().find(|(_, chosen)| *chosen) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("--{flag} cannot be used with {command}: {why}")))
            }
            None => Ok(()),
        }
    }

    /// How many rows of a list at most, if that was said.
    pub(super) fn limit(&self) -> Option<usize> {
        self.limit.map(|limit| if limit == 0 { usize::MAX } else { limit })
    }

    /// How many of the best rows are enough: so many as are asked for, else
    /// `otherwise`. None where a filter or another order chooses among all of them.
    pub(super) fn best(&self, otherwise: Option<usize>) -> Option<usize> {
        let chosen = self.filter.is_some() || self.sort.is_some() || self.reverse;
        if chosen { None } else { self.limit().or(otherwise) }
    }

    /// The smallest size of a row in bytes; 0 for any.
    pub(super) fn min_size(&self) -> u64 {
        self.min_size.unwrap_or(0)
    }

    /// What the names of rows are to be.
    pub(super) fn filter(&self) -> Result<Option<Filter>, Failure> {
        let parse = |text: &String| {
            Filter::new(text)
                .map_err(|e| Failure::usage(format!("invalid --filter {text}")).cause(e))
        };
        self.filter.as_ref().map(parse).transpose()
    }

    /// Refuses `--all` beside targets.
    pub(super) fn check_targets(&self, targets: &[String]) -> Result<(), Failure> {
        match (self.all, targets) {
            (true, [target, ..]) => Err(Failure::usage(format!(
                "--all is the whole store: it cannot be used with the target '{target}'"
            ))),
            _ => Ok(()),
        }
    }

    /// The same, and refuses `--all` beside `--no-closure`.
    pub(super) fn check_examined(
        &self,
        targets: &[String],
        no_closure: bool,
    ) -> Result<(), Failure> {
        self.check_targets(targets)?;
        if self.all && no_closure {
            return Err(Failure::usage(
                "--all is the whole store: it cannot be used with --no-closure",
            ));
        }
        Ok(())
    }

    /// Refuses `--all` beside targets, and neither of both.
    pub(super) fn need_targets(&self, targets: &[String]) -> Result<(), Failure> {
        if !self.all && targets.is_empty() {
            let failure = Failure::usage("no target is given");
            return Err(failure.hint("name a path, or ask for the whole store with --all"));
        }
        self.check_targets(targets)
    }
}

impl From<SelectionError> for Failure {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::Column { key, columns } => no_such_column(&key, columns),
            error => Self::usage(error),
        }
    }
}
