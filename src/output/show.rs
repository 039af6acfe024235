//! How people read the values of an answer.

use crate::answer::Cell;
use crate::text::{Units, escape, format_size, format_time};
use jiff::tz::TimeZone;

/// How a table is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The unit of sizes.
    pub units: Units,
    /// Whether headings are bold.
    pub color: bool,
    /// The time zone of times. Asked for only where a time is shown: to find the
    /// machine's may mean to read its whole database of time zones.
    pub time_zone: fn() -> TimeZone,
}

impl Default for Style {
    /// Binary units, no colour, UTC.
    fn default() -> Self {
        Self { units: Units::default(), color: false, time_zone: || TimeZone::UTC }
    }
}

/// A cell as a table shows it.
pub(super) fn show(cell: &Cell<'_>, style: &Style) -> String {
    match cell {
        Cell::Missing => "-".to_owned(),
        Cell::Text(t) => escape(t.as_bytes()),
        Cell::Arguments(t) => escape(t.as_bytes()),
        Cell::Bytes(b) => escape(b),
        Cell::Size(n) => format_size(*n, style.units),
        Cell::Change(n) => {
            let sign = if *n < 0 { "-" } else { "" };
            format!("{sign}{}", format_size(n.unsigned_abs(), style.units))
        }
        Cell::Count(n) => n.to_string(),
        Cell::Time(t) => format_time(*t, &(style.time_zone)()),
        Cell::Seconds(s) => format!("{s:.2} s"),
        Cell::Bool(b) => if *b { "yes" } else { "no" }.to_owned(),
        Cell::List(l) => l.iter().map(|t| escape(t.as_bytes())).collect::<Vec<_>>().join(" "),
        Cell::Paths(p) => p.len().to_string(),
        Cell::StorePaths(_, ids) => ids.len().to_string(),
        Cell::Record(r) => {
            let pairs: Vec<_> = r.iter().map(|(k, c)| format!("{k}={}", show(c, style))).collect();
            pairs.join(" ")
        }
        Cell::Both(text, _) => escape(text.as_bytes()),
        Cell::Cells(c) => c.iter().map(|c| show(c, style)).collect::<Vec<_>>().join("; "),
    }
}
