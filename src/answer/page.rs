//! What a page for a browser shows: facts, and columns of numbers, texts and lists.

use crate::graph::Rows;
use serde_json::Value;

/// What a page for a browser shows. It is written whole into the page, which picks
/// from it what is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Which scripts show it.
    pub(crate) kind: PageKind,
    /// The title of the page.
    pub(crate) title: String,
    /// What there is once, by key.
    pub(crate) facts: Vec<(&'static str, Value)>,
    /// What there is of each path or other node, by key.
    pub(crate) columns: Vec<(&'static str, Values)>,
}

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// A closure or a whole store.
    Closure,
    /// What is different between two.
    Diff,
    /// What equal files cost, by pair of packages.
    Optimise,
}

/// The values of a column.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Whole numbers below 2^53, which is what JavaScript counts to; `None` is not known.
    Numbers(Vec<Option<u64>>),
    /// Whole numbers of either sign, whose magnitude is below 2^52.
    Signed(Vec<Option<i64>>),
    /// Texts without control characters.
    Texts(Vec<String>),
    /// Ascending lists of numbers.
    Lists(Rows),
}

impl Values {
    /// From this on no number is written: JavaScript does not count further.
    pub(crate) const TOO_LARGE: u64 = 1 << 53;
}
