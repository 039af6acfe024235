//! The model of an answer, apart from any format.
//!
//! An answer becomes a [`Document`]: a head, then sections of named cells.
//! Each format writes any document, so a name is the same everywhere: the
//! JSON key, the CSV column and (unless a shorter heading is given) the
//! table's column.

mod cell;

pub use cell::{Cell, Column, Field};

use crate::warning::Warnings;

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
