//! Writing answers: one module a format, one place for all commands.
//!
//! An answer becomes a [`Document`]: a head, then sections of named cells.
//! Each format writes any document, so a name is the same everywhere: the
//! JSON key, the CSV column and (unless a shorter heading is given) the
//! table's column.

mod cell;
mod csv;
mod json;
mod junit;
mod table;
mod text;

pub use cell::{Cell, Column, Field};
pub use text::{Style, Units, escape, format_size, format_time};

use crate::warning::Warnings;
use std::io::{self, Write};

/// The version of the JSON's shape; raised when a key changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// An output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One object; lists are streamed, one element a line.
    Json,
    /// The document's main list, with a header line.
    Csv,
    /// Findings as JUnit XML, which continuous integration reads.
    Junit,
}

/// What every answer begins with.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The store directory that was examined.
    pub store_dir: &'a str,
    /// What was left out, and why.
    pub warnings: &'a Warnings,
}

/// The rows of a list, made one at a time.
pub type RowIter<'a> = Box<dyn Iterator<Item = Vec<Cell<'a>>> + 'a>;

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
    },
    /// A paragraph that only people see.
    Note(String),
}

impl<'a> Section<'a> {
    /// A list without a footer.
    pub fn rows(
        key: &'static str,
        title: impl Into<String>,
        columns: Vec<Column>,
        rows: impl Iterator<Item = Vec<Cell<'a>>> + 'a,
    ) -> Self {
        Self::Rows { key, title: title.into(), columns, rows: Box::new(rows), footer: Vec::new() }
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

/// An answer, ready to be written in any format.
pub struct Document<'a> {
    /// What every answer begins with.
    pub head: Head<'a>,
    /// The rest, in the order in which people read it.
    pub sections: Vec<Section<'a>>,
    /// Which list CSV writes; by default the first.
    pub csv: Option<&'static str>,
}

/// Writes a document.
///
/// # Errors
/// If writing fails.
pub fn write(
    document: Document<'_>,
    format: Format,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::write(document, style, out),
        Format::Json => json::write(document, out),
        Format::Csv => csv::write(document, out),
        Format::Junit => junit::write(document, out),
    }?;
    out.flush()
}
