//! Findings: what an answer says is wrong.

use super::{Cell, Column};
use std::borrow::Cow;

/// Something that is not as it should be.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// The stable name of what kind of thing it is.
    pub kind: &'static str,
    /// The stable name of how bad it is.
    pub severity: &'static str,
    /// Where: a file, a path or a row, which need not be UTF-8.
    pub path: Cow<'a, [u8]>,
    /// What should be there.
    pub expected: Option<&'a str>,
    /// What is there.
    pub found: Option<&'a str>,
    /// What can be done about it.
    pub hint: &'static str,
}

impl<'a> Finding<'a> {
    /// The columns of a list of findings.
    pub fn columns() -> Vec<Column> {
        vec![
            Column::text("kind").rank(1),
            Column::text("severity").rank(4),
            Column::path("path"),
            Column::text("expected"),
            Column::text("found").rank(2),
            Column::text("hint").hidden(),
        ]
    }

    /// What was expected and what was found, each with its word, as far as it is known.
    pub fn difference(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let both = [("expected", self.expected), ("found", self.found)];
        both.into_iter().filter_map(|(word, text)| Some((word, text?)))
    }

    /// Its row in such a list.
    pub fn row(self) -> Vec<Cell<'a>> {
        vec![
            Cell::text(self.kind),
            Cell::text(self.severity),
            Cell::Bytes(self.path),
            Cell::optional(self.expected, Cell::text),
            Cell::optional(self.found, Cell::text),
            Cell::text(self.hint),
        ]
    }
}
