//! Columns of lists, each of one type.

use super::Cell;

/// What the values of a column are. Each may also be [missing](Cell::Missing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A size in bytes.
    Size,
    /// A difference of sizes in bytes, which may be negative.
    Change,
    /// A whole number.
    Count,
    /// Seconds since 1970.
    Time,
    /// A length of time in seconds.
    Seconds,
    /// Yes or no.
    Bool,
    /// Text.
    Text,
    /// A path or the name of a file, which need not be UTF-8.
    Path,
    /// A list of texts.
    Texts,
    /// A list of paths or names of files.
    Paths,
    /// A list of records.
    Records,
}

impl ColumnType {
    /// Whether a cell may stand in a column of this type.
    pub fn fits(self, cell: &Cell<'_>) -> bool {
        match (self, cell) {
            (_, Cell::Missing) => true,
            (_, Cell::Both(_, cell)) => self.fits(cell),
            (_, Cell::BothLater(_, cells)) => self.fits(&cells.make()),
            (Self::Size, Cell::Size(_))
            | (Self::Change, Cell::Change(_))
            | (Self::Count, Cell::Count(_))
            | (Self::Time, Cell::Time(_))
            | (Self::Seconds, Cell::Seconds(_))
            | (Self::Bool, Cell::Bool(_))
            | (Self::Text, Cell::Text(_) | Cell::Arguments(_))
            | (Self::Path, Cell::Text(_) | Cell::Bytes(_))
            | (Self::Texts, Cell::List(_))
            | (Self::Paths, Cell::Paths(_) | Cell::StorePaths(..)) => true,
            (Self::Paths, Cell::Cells(cells)) => cells.iter().all(|cell| Self::Path.fits(cell)),
            (Self::Records, Cell::Cells(cells)) => {
                cells.iter().all(|cell| matches!(cell, Cell::Record(_)))
            }
            _ => false,
        }
    }
}

/// A column of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The JSON key and CSV column.
    pub key: &'static str,
    /// What its values are.
    pub holds: ColumnType,
    /// The table's heading.
    pub heading: &'static str,
    /// Whether tables leave the column out: it is for machines.
    pub hidden: bool,
    /// Whether rows are weighed by it: it decides what is large.
    pub weight: bool,
    /// Whether a terminal shows what part of the whole each row is; for columns
    /// by which rows are weighed, in lists whose footer has the whole.
    pub share: bool,
    /// Whether it names what the row is about: a filter looks there.
    pub named: bool,
    /// Whether it describes: where it is narrow it is cut at its end. Other texts are
    /// cut in the middle, as both ends of a name tell it from others.
    pub describes: bool,
    /// How soon a narrow table does without it: the highest goes first, 0 stays.
    pub rank: u8,
}

impl Column {
    /// A column whose heading is its key.
    pub const fn new(key: &'static str, holds: ColumnType) -> Self {
        let rank = match holds {
            ColumnType::Path => 0,
            ColumnType::Text | ColumnType::Size | ColumnType::Change => 3,
            _ => 5,
        };
        Self {
            key,
            holds,
            heading: key,
            hidden: false,
            weight: false,
            share: false,
            named: false,
            describes: false,
            rank,
        }
    }

    /// A column of sizes in bytes.
    pub const fn size(key: &'static str) -> Self {
        Self::new(key, ColumnType::Size)
    }

    /// A column of differences of sizes in bytes.
    pub const fn change(key: &'static str) -> Self {
        Self::new(key, ColumnType::Change)
    }

    /// A column of whole numbers.
    pub const fn count(key: &'static str) -> Self {
        Self::new(key, ColumnType::Count)
    }

    /// A column of times.
    pub const fn time(key: &'static str) -> Self {
        Self::new(key, ColumnType::Time)
    }

    /// A column of yes and no.
    pub const fn bool(key: &'static str) -> Self {
        Self::new(key, ColumnType::Bool)
    }

    /// A column of texts.
    pub const fn text(key: &'static str) -> Self {
        Self::new(key, ColumnType::Text)
    }

    /// A column of paths and names of files.
    pub const fn path(key: &'static str) -> Self {
        Self::new(key, ColumnType::Path)
    }

    /// A column whose every value is a list of texts.
    pub const fn texts(key: &'static str) -> Self {
        Self::new(key, ColumnType::Texts)
    }

    /// A column whose every value is a list of paths.
    pub const fn paths(key: &'static str) -> Self {
        Self::new(key, ColumnType::Paths)
    }

    /// A column whose every value is a list of records.
    pub const fn records(key: &'static str) -> Self {
        Self::new(key, ColumnType::Records)
    }

    /// The same with a heading of its own.
    #[must_use]
    pub const fn titled(self, heading: &'static str) -> Self {
        Self { heading, ..self }
    }

    /// The same, by which rows are weighed.
    #[must_use]
    pub const fn weight(self) -> Self {
        Self { weight: true, rank: 0, ..self }
    }

    /// The same, with the part of the whole on a terminal.
    #[must_use]
    pub const fn share(self) -> Self {
        Self { share: true, ..self }
    }

    /// The same, which names what the row is about.
    #[must_use]
    pub const fn named(self) -> Self {
        Self { named: true, ..self }
    }

    /// Whether it names what the row is about.
    pub fn is_named(&self) -> bool {
        self.named || self.key == "path"
    }

    /// The same, which describes what the row is about, in place of a name.
    #[must_use]
    pub const fn describes(self) -> Self {
        Self { describes: true, rank: 1, ..self }
    }

    /// The same with a rank of its own.
    #[must_use]
    pub const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// The same, left out of tables.
    #[must_use]
    pub const fn hidden(self) -> Self {
        self.hidden_if(true)
    }

    /// The same, left out of tables if `hidden`.
    #[must_use]
    pub const fn hidden_if(self, hidden: bool) -> Self {
        Self { hidden, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_fits_a_column_of_its_type_only() {
        let types = [
            ColumnType::Size,
            ColumnType::Change,
            ColumnType::Count,
            ColumnType::Time,
            ColumnType::Bool,
            ColumnType::Text,
            ColumnType::Path,
            ColumnType::Texts,
            ColumnType::Paths,
            ColumnType::Records,
        ];
        let fitting = |cell: &Cell<'_>| types.iter().filter(|t| t.fits(cell)).count();
        assert_eq!(fitting(&Cell::Missing), types.len());
        assert_eq!(fitting(&Cell::Seconds(0.5)), 0);
        for cell in [
            Cell::Size(1),
            Cell::Change(-1),
            Cell::Count(1),
            Cell::Time(1),
            Cell::Bool(true),
            Cell::Bytes(b"\xff".as_slice().into()),
            Cell::List(vec!["a".into()]),
            Cell::Paths(vec!["a".into()]),
            Cell::Cells(vec![Cell::Record(vec![("key", Cell::Count(1))])]),
            Cell::Cells(vec![Cell::text("a")]),
        ] {
            assert_eq!(fitting(&cell), 1, "{cell:?}");
            assert_eq!(fitting(&Cell::Both("a".into(), Box::new(cell))), 1);
        }
        assert!(ColumnType::Text.fits(&Cell::text("a")));
        assert!(ColumnType::Path.fits(&Cell::text("a")));
        assert!(!ColumnType::Records.fits(&Cell::Cells(vec![Cell::Count(1)])));
    }
}
