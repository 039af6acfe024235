//! The model of an answer, apart from any format.
//!
//! An answer becomes a [`Document`]: a head, then sections of named cells.
//! Each format writes any document, so a name is the same everywhere: the
//! JSON key, the CSV column and (unless a shorter heading is given) the
//! table's column.

mod cell;
mod check;
mod column;
mod fields;
mod finding;
mod graph;
pub(crate) mod page;
mod rows;
pub mod selection;

pub use cell::{Cell, Field, LaterCells, PathNames};
pub use check::{Check, CheckStatus};
pub use column::{Column, ColumnType};
pub use fields::field_type;
pub use finding::Finding;
pub use graph::GraphLine;
pub(crate) use rows::Numbered;
pub use rows::{Row, RowIter};

use crate::warning::Warnings;
use std::borrow::Cow;

/// What every answer begins with.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The store directory that was examined.
    pub store_dir: &'a str,
    /// What was left out, and why.
    pub warnings: &'a Warnings,
}

/// One part of a document.
pub enum Section<'a> {
    /// Named values.
    Fields {
        /// The JSON key of the object; `None` puts the values beside the head.
        key: Option<&'static str>,
        /// A heading for people; none if empty.
        title: String,
        /// The values.
        fields: Vec<Field<'a>>,
    },
    /// A list of rows.
    Rows {
        /// The JSON key of the list.
        key: &'static str,
        /// A heading for people; none if empty.
        title: String,
        /// The columns of each row.
        columns: Vec<Column>,
        /// The rows.
        rows: RowIter<'a>,
        /// A last line for people, as wide as the columns; empty for none.
        footer: Vec<Cell<'a>>,
        /// Whether it sums up the answer: such a list is always whole.
        summary: bool,
    },
    /// A graph with a row for each of its lines.
    Graph {
        /// The JSON key of the list.
        key: &'static str,
        /// The columns of each row.
        columns: Vec<Column>,
        /// The key of the column that names the node: people see the branches
        /// of the tree there.
        node: &'static str,
        /// The lines.
        lines: Cow<'a, [GraphLine]>,
        /// A row for each line.
        rows: RowIter<'a>,
    },
    /// What is wrong; an answer has at most one such section.
    Findings {
        /// A heading for people.
        title: String,
        /// The findings.
        findings: Box<dyn Iterator<Item = Finding<'a>> + 'a>,
    },
    /// What the answer was to hold to; at most one such section. It sums up the
    /// answer, and is always whole.
    Checks {
        /// The JSON key of the list.
        key: &'static str,
        /// A heading for people; none if empty.
        title: String,
        /// The columns of each check's row.
        columns: Vec<Column>,
        /// The checks.
        checks: Vec<Check<'a>>,
    },
    /// A paragraph that only people see.
    Note(String),
}

/// A section as a list of rows, whatever kind of list it is.
pub struct List<'a> {
    /// The JSON key.
    pub key: &'static str,
    /// The columns of each row.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: RowIter<'a>,
}

impl<'a> Section<'a> {
    /// The key of a list of findings.
    pub const FINDINGS: &'static str = "findings";

    /// The section as a list of at most so many rows, if it is a list.
    pub fn into_list(self, limit: Option<usize>) -> Option<List<'a>> {
        let limit = match self {
            Self::Rows { summary: true, .. } | Self::Checks { .. } => None,
            _ => limit,
        };
        let list = self.into_whole_list()?;
        let rows: RowIter<'a> = match limit {
            Some(limit) => list.rows.at_most(limit),
            None => list.rows,
        };
        Some(List { rows, ..list })
    }

    fn into_whole_list(self) -> Option<List<'a>> {
        match self {
            Self::Rows { key, columns, rows, .. } | Self::Graph { key, columns, rows, .. } => {
                Some(List { key, columns, rows })
            }
            Self::Findings { findings, .. } => Some(List {
                key: Self::FINDINGS,
                columns: Finding::columns(),
                rows: RowIter::new(findings.map(Finding::row)),
            }),
            Self::Checks { key, columns, checks, .. } => {
                let rows = RowIter::new(checks.into_iter().map(|check| check.row));
                Some(List { key, columns, rows })
            }
            Self::Fields { .. } | Self::Note(_) => None,
        }
    }

    /// Panics if a field is not of its key's type, or the footer of a list not
    /// as wide as its columns and of their types, or words.
    fn check(&self) {
        match self {
            Self::Fields { fields, .. } => {
                for Field { key, cell, .. } in fields {
                    assert!(fields::fits(key, cell), "the field {key} holds {cell:?}");
                }
            }
            Self::Rows { key, columns, footer, .. } if !footer.is_empty() => {
                assert_eq!(footer.len(), columns.len(), "the footer of {key}");
                for (column, cell) in columns.iter().zip(footer) {
                    let fits = column.holds.fits(cell) || matches!(cell, Cell::Text(_));
                    assert!(fits, "the footer of {key}: {column:?} holds {cell:?}");
                }
            }
            Self::Checks { key, columns, checks, .. } => {
                checks.iter().for_each(|check| check_row(key, columns, &check.row));
            }
            _ => {}
        }
    }

    /// A list without a footer that sums up the answer.
    pub fn summary(
        key: &'static str,
        title: impl Into<String>,
        columns: Vec<Column>,
        rows: impl Iterator<Item = Vec<Cell<'a>>> + 'a,
    ) -> Self {
        Self::Rows {
            key,
            title: title.into(),
            columns,
            rows: RowIter::new(rows),
            footer: Vec::new(),
            summary: true,
        }
    }

    /// A list without a footer.
    pub fn rows(
        key: &'static str,
        title: impl Into<String>,
        columns: Vec<Column>,
        rows: impl Iterator<Item = Vec<Cell<'a>>> + 'a,
    ) -> Self {
        Self::Rows {
            key,
            title: title.into(),
            columns,
            rows: RowIter::new(rows),
            footer: Vec::new(),
            summary: false,
        }
    }

    /// A list without a footer with a row for each of these.
    pub fn list<T: Sync>(
        key: &'static str,
        title: impl Into<String>,
        columns: Vec<Column>,
        all: &'a [T],
        row: impl Fn(&'a T) -> Row<'a> + Sync + 'a,
    ) -> Self {
        Self::Rows {
            key,
            title: title.into(),
            columns,
            rows: RowIter::of(all, row),
            footer: Vec::new(),
            summary: false,
        }
    }

    /// A graph with a row for each of its lines; `node` is the key of the column that names
    /// its nodes.
    pub fn graph(
        key: &'static str,
        columns: Vec<Column>,
        node: &'static str,
        lines: &'a [GraphLine],
        row: impl Fn(&'a GraphLine) -> Row<'a> + Sync + 'a,
    ) -> Self {
        Self::Graph { key, columns, node, lines: lines.into(), rows: RowIter::of(lines, row) }
    }

    /// Named values.
    pub fn fields(
        key: Option<&'static str>,
        title: impl Into<String>,
        fields: Vec<Field<'a>>,
    ) -> Self {
        Self::Fields { key, title: title.into(), fields }
    }
}

/// Panics if a row is not as its columns promise.
fn check_row(key: &str, columns: &[Column], row: &[Cell<'_>]) {
    assert_eq!(row.len(), columns.len(), "a row of {key}");
    for (column, cell) in columns.iter().zip(row) {
        assert!(column.holds.fits(cell), "{key}: {column:?} holds {cell:?}");
    }
}

/// An answer, ready to be written in any format.
pub struct Document<'a> {
    /// What every answer begins with.
    pub head: Head<'a>,
    /// The rest, in the order in which people read it.
    pub sections: Vec<Section<'a>>,
    /// The key of the list that answers the question; formats that hold one
    /// list write this one. The answer may turn out to have no such list.
    pub main: &'static str,
    /// At most so many rows of each list but of those that sum up the answer.
    /// Without it all are written, and on a terminal as many as fit.
    pub limit: Option<usize>,
}

impl<'a> Document<'a> {
    /// An answer of which all is written.
    pub fn new(head: Head<'a>, sections: Vec<Section<'a>>, main: &'static str) -> Self {
        Self { head, sections, main, limit: None }
    }

    /// The same document, which panics if a field is not of its key's type, and
    /// when it is written if a row is not as its columns promise.
    #[must_use]
    pub fn checked(mut self) -> Self {
        for section in &mut self.sections {
            section.check();
            let (key, columns, rows) = match section {
                Section::Rows { key, columns, rows, .. }
                | Section::Graph { key, columns, rows, .. } => (*key, columns.clone(), rows),
                Section::Fields { .. }
                | Section::Findings { .. }
                | Section::Checks { .. }
                | Section::Note(_) => continue,
            };
            let unchecked = std::mem::replace(rows, RowIter::new(std::iter::empty()));
            *rows = unchecked.each(move |row| {
                check_row(key, &columns, &row);
                row
            });
        }
        self
    }

    /// Whether the answer is one of findings or checks: a verdict, as continuous
    /// integration reads it.
    pub fn has_verdict(&self) -> bool {
        let verdict = |section: &Section<'_>| {
            matches!(section, Section::Findings { .. } | Section::Checks { .. })
        };
        self.sections.iter().any(verdict)
    }
}
