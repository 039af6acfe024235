//! The columns that each command's answers may have, known before anything is examined.

use super::exit::Failure;
use super::near::no_such_column;
use crate::answer::{Column, Document, Section};
use std::collections::HashSet;

/// What the help says of the lists of all commands; a test makes it of the answers to
/// questions about the demo store.
pub(super) const LISTED: &str = include_str!("columns.txt");

/// The columns of lists that are empty in those answers.
const OTHERS: &[(&str, &[&str])] = &[
    ("", &["compression", "physical_size", "uncompressed_size", "referenced_size", "inline_size"]),
    ("", &["inline_uncompressed_size"]),
    ("", HELD_EXTENTS),
    ("garbage", HELD_EXTENTS),
    ("diff", &["generation", "time", "current", "packages"]),
    ("garbage", &["dead", "name"]),
    ("garbage", ROOTS_TO_REMOVE),
    ("reclaim", ROOTS_TO_REMOVE),
    ("suggest", &["file", "line", "offset", "count", "kind", "excerpt", "referrer", "reference"]),
    ("reclaim", &["disk_size", "inodes", "kind", "newest", "users", "path"]),
    ("reclaim", &["own_disk_size", "loader", "profile", "generation", "generation_exists"]),
    ("reclaim", &["entry", "directory", "files"]),
];

/// Those of what stays whatever goes.
const HELD_EXTENTS: &[&str] = &["physical_size", "holder", "snapshot", "subvolume"];

/// Those of what `--need` finds.
const ROOTS_TO_REMOVE: &[&str] = &["tier", "kind", "time", "link", "path"];

/// The columns of a command's lists; none for a command that has no lists of its own.
/// `command` is empty for the program without one.
fn columns_of(command: &str) -> Vec<&'static str> {
    let heading = format!("nix-census {command}");
    let lines = LISTED.lines().skip_while(|line| *line != heading.trim_end()).skip(1);
    let mut keys = Vec::new();
    let mut is_list = true;
    for line in lines.take_while(|line| line.starts_with("  ")) {
        // The list's key, then its columns; more of them are further in.
        let columns = match line.strip_prefix("   ") {
            Some(more) => more,
            None => {
                is_list = !line.starts_with("  (");
                line.trim_start().split_once("  ").map_or("", |(_, columns)| columns)
            }
        };
        keys.extend(columns.split_whitespace().filter(|_| is_list));
    }
    let others = OTHERS.iter().filter(|(name, _)| *name == command);
    keys.extend(others.flat_map(|(_, columns)| columns.iter()));
    let mut met = HashSet::new();
    keys.retain(|key| met.insert(*key));
    keys
}

/// Refuses columns that no list of a command has. Whether the answer has them is seen
/// when it is there.
pub(super) fn check<'k>(
    command: &str,
    asked: impl IntoIterator<Item = &'k String>,
) -> Result<(), Failure> {
    let known = columns_of(command);
    match asked.into_iter().find(|key| !known.contains(&key.as_str()) && *key != "all") {
        Some(wrong) if !known.is_empty() => Err(no_such_column(wrong, known)),
        _ => Ok(()),
    }
}

/// Panics if an answer has columns that would be refused.
pub(super) fn check_answer(command: &str, document: &Document<'_>) {
    let known = columns_of(command);
    for section in &document.sections {
        let (key, columns): (_, &[Column]) = match section {
            Section::Rows { key, columns, .. } | Section::Graph { key, columns, .. } => {
                (*key, columns)
            }
            Section::Checks { key, columns, .. } => (*key, columns),
            Section::Fields { .. } | Section::Findings { .. } | Section::Note(_) => continue,
        };
        for column in columns {
            let known = known.is_empty() || known.contains(&column.key);
            let column = column.key;
            assert!(known, "columns.txt: '{command}' has a list {key} with the column {column}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_command() {
        let known = |command, key| columns_of(command).contains(&key);
        assert!(known("", "nar_size") && known("report", "retained_inodes"));
        assert!(known("audit", "severity") && !known("audit", "disk_size"));
        assert!(!known("why", "from"), "it is beside the lists");
        assert!(columns_of("help").is_empty());
        assert!(check("audit", &["kind".to_owned()]).is_ok());
        assert!(check("audit", &["kinds".to_owned()]).is_err());
    }
}
