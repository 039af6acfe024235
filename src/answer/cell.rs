//! Cells: the values of a document, each printed by every format in its way.

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// Names store paths that an answer holds by number, on several threads at once.
pub trait PathNames: Debug + Sync {
    /// The store directory.
    fn store_dir(&self) -> &str;

    /// The names below it of all these paths. They are asked for in one go:
    /// names lie far apart in memory, and so many are fetched at a time.
    fn base_names(&self, numbers: &[u32]) -> Vec<&str>;
}

/// One value.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// Unknown or not applicable: `-`, null, an empty field.
    Missing,
    /// Text; may hold anything, and is escaped where it is printed.
    Text(Cow<'a, str>),
    /// Arguments of a command, made of checked names: CSV writes them as they
    /// are, so that a shell can take them.
    Arguments(String),
    /// A name from the disk, which need not be UTF-8.
    Bytes(Cow<'a, [u8]>),
    /// A size in bytes.
    Size(u64),
    /// A difference of sizes in bytes.
    Change(i64),
    /// A number of things.
    Count(u64),
    /// Seconds since 1970; people see a date, machines the number.
    Time(i64),
    /// A length of time in seconds.
    Seconds(f64),
    /// Yes or no.
    Bool(bool),
    /// Several texts: joined by spaces in tables and CSV, a list in JSON.
    List(Vec<Cow<'a, str>>),
    /// Several paths: their number in tables and CSV, a list in JSON.
    Paths(Vec<Cow<'a, str>>),
    /// The same for store paths by number: named only if they are printed.
    StorePaths(&'a dyn PathNames, Cow<'a, [u32]>),
    /// An object in JSON, `key=value` pairs elsewhere.
    Record(Vec<(&'static str, Cell<'a>)>),
    /// A list of cells in JSON; joined by `; ` elsewhere.
    Cells(Vec<Cell<'a>>),
    /// People read the text, machines the cell.
    Both(Cow<'a, str>, Box<Cell<'a>>),
    /// People read the text, machines the cells, which are made only if they are printed.
    BothLater(Cow<'a, str>, LaterCells<'a>),
}

/// Cells that are made when they are asked for.
#[derive(Clone)]
pub struct LaterCells<'a> {
    count: usize,
    // Of owned ones: cells that borrow would tie all answers to one lifetime.
    cells: Arc<dyn Fn() -> Vec<Cell<'static>> + Send + Sync + 'a>,
}

impl<'a> LaterCells<'a> {
    /// So many cells, made so.
    pub fn new(count: usize, cells: impl Fn() -> Vec<Cell<'static>> + Send + Sync + 'a) -> Self {
        Self { count, cells: Arc::new(cells) }
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// They, as [`Cell::Cells`].
    pub fn make(&self) -> Cell<'static> {
        Cell::Cells((self.cells)())
    }
}

impl Debug for LaterCells<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaterCells").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<'a> Cell<'a> {
    /// Text, borrowed or owned.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// The value, or [`Cell::Missing`].
    pub fn optional<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Missing, cell)
    }

    /// Whether tables align it to the right.
    pub fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Size(_)
                | Self::Change(_)
                | Self::Count(_)
                | Self::Seconds(_)
                | Self::Paths(_)
                | Self::StorePaths(..)
        )
    }
}

/// A named value.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The JSON key.
    pub key: &'static str,
    /// What people read; empty leaves the line out of tables.
    pub label: Cow<'a, str>,
    /// The value.
    pub cell: Cell<'a>,
    /// What people read after the value, such as an explanation; may be empty.
    pub remark: Cow<'a, str>,
}

impl<'a> Field<'a> {
    /// A named value.
    pub fn new(key: &'static str, label: impl Into<Cow<'a, str>>, cell: Cell<'a>) -> Self {
        Self { key, label: label.into(), cell, remark: Cow::Borrowed("") }
    }

    /// A value only machines see.
    pub fn hidden(key: &'static str, cell: Cell<'a>) -> Self {
        Self::new(key, "", cell)
    }

    /// The same with a remark.
    #[must_use]
    pub fn remark(mut self, remark: impl Into<Cow<'a, str>>) -> Self {
        self.remark = remark.into();
        self
    }

    /// The same, which only machines see if `hidden`.
    #[must_use]
    pub fn hidden_if(self, hidden: bool) -> Self {
        if hidden { Self { label: Cow::Borrowed(""), ..self } } else { self }
    }
}
