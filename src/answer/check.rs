//! Checks: what an answer was to hold to, and whether it does.

use super::Cell;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// Whether it does could not be found out.
    Unknown,
}

impl CheckStatus {
    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check<'a> {
    /// The stable name of what kind of check it is.
    pub kind: &'static str,
    /// What it is called beside others of its kind.
    pub name: String,
    /// How it ended.
    pub status: CheckStatus,
    /// What was found, in a line; may hold anything, and is escaped where it is printed.
    pub message: String,
    /// What did it, a line each.
    pub details: Vec<String>,
    /// Its row in the list of checks.
    pub row: Vec<Cell<'a>>,
}
