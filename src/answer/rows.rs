//! The rows of a list, made when a format asks for them.

use super::Cell;
use std::ops::Range;

/// The cells of one row.
pub type Row<'a> = Vec<Cell<'a>>;

/// Makes a row, by its number.
type ByNumber<'a> = Box<dyn Fn(usize) -> Row<'a> + Sync + 'a>;

/// The rows of a list, made one at a time; or by number, so that several threads may
/// make some each.
pub struct RowIter<'a>(Kind<'a>);

enum Kind<'a> {
    OneByOne(Box<dyn Iterator<Item = Row<'a>> + 'a>),
    Numbered(Numbered<'a>),
}

/// Rows that are made by number.
pub(crate) struct Numbered<'a> {
    /// The numbers of those that are left.
    pub(crate) rows: Range<usize>,
    /// Makes one.
    pub(crate) row: ByNumber<'a>,
}

impl<'a> RowIter<'a> {
    /// Rows that come one after the other.
    pub fn new(rows: impl Iterator<Item = Row<'a>> + 'a) -> Self {
        Self(Kind::OneByOne(Box::new(rows)))
    }

    /// A row for each of these, by several threads at once: none may wait for work that
    /// they share.
    pub fn of<T: Sync>(all: &'a [T], row: impl Fn(&'a T) -> Row<'a> + Sync + 'a) -> Self {
        let row = Box::new(move |number: usize| row(&all[number]));
        Self(Kind::Numbered(Numbered { rows: 0..all.len(), row }))
    }

    /// At most so many of them.
    #[must_use]
    pub fn at_most(self, count: usize) -> Self {
        match self.0 {
            Kind::OneByOne(rows) => Self::new(rows.take(count)),
            Kind::Numbered(Numbered { rows, row }) => {
                let end = rows.end.min(rows.start.saturating_add(count));
                Self(Kind::Numbered(Numbered { rows: rows.start..end, row }))
            }
        }
    }

    /// What `change` makes of each.
    #[must_use]
    pub fn each(self, change: impl Fn(Row<'a>) -> Row<'a> + Sync + 'a) -> Self {
        match self.0 {
            Kind::OneByOne(rows) => Self::new(rows.map(change)),
            Kind::Numbered(Numbered { rows, row }) => {
                let row = Box::new(move |number| change(row(number)));
                Self(Kind::Numbered(Numbered { rows, row }))
            }
        }
    }

    /// The rows by number, or all the same if they come one after the other.
    pub(crate) fn numbered(self) -> Result<Numbered<'a>, Self> {
        match self.0 {
            Kind::Numbered(numbered) => Ok(numbered),
            one_by_one => Err(Self(one_by_one)),
        }
    }
}

impl<'a> Iterator for RowIter<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        match &mut self.0 {
            Kind::OneByOne(rows) => rows.next(),
            Kind::Numbered(Numbered { rows, row }) => rows.next().map(row),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Kind::OneByOne(rows) => rows.size_hint(),
            Kind::Numbered(Numbered { rows, .. }) => rows.size_hint(),
        }
    }
}
