//! How people read the values of an answer.

use super::width::to_ascii;
use crate::answer::Cell;
use crate::text::{Units, escape, format_count, format_size, format_time};
use jiff::tz::TimeZone;

/// How a table is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The unit of sizes.
    pub units: Units,
    /// Whether colours and bold type are used.
    pub color: bool,
    /// The time zone of times. Asked for only where a time is shown: to find the
    /// machine's may mean to read its whole database of time zones.
    pub time_zone: fn() -> TimeZone,
    /// How many columns a line may take. Without it nothing is cut or left out,
    /// and paths are written in full.
    pub width: Option<usize>,
    /// How many lines fit: lists without a limit stop where the answer fits, and
    /// say so.
    pub height: Option<usize>,
    /// Whether all that is drawn is ASCII.
    pub ascii: bool,
    /// Whether paths are written in full although the width is known.
    pub full_paths: bool,
    /// Whether findings are listed one by one although the width is known.
    pub expand: bool,
}

impl Default for Style {
    /// Binary units, no colour, UTC, of any width and height.
    fn default() -> Self {
        Self {
            units: Units::default(),
            color: false,
            time_zone: || TimeZone::UTC,
            width: None,
            height: None,
            ascii: false,
            full_paths: false,
            expand: false,
        }
    }
}

/// What the whole of a text looks like beside others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// A heading or a total.
    Bold,
    /// What is small, known or beside the point.
    Dim,
    /// Among the largest.
    Heavy,
    /// Large.
    Medium,
    /// What has grown.
    Grown,
    /// What has shrunk.
    Shrunk,
}

impl Tone {
    /// That of a change; of all else none of its own.
    pub(super) fn of_change(cell: &Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Change(1..) => Some(Self::Grown),
            Cell::Change(..=-1) => Some(Self::Shrunk),
            _ => None,
        }
    }
}

impl Style {
    /// The text in a tone, if there are colours.
    pub(super) fn paint(&self, text: &str, tone: Tone) -> String {
        let mut painted = String::new();
        self.paint_in(&mut painted, text, tone);
        painted
    }

    /// The same, put at the end of a line.
    pub(super) fn paint_in(&self, line: &mut String, text: &str, tone: Tone) {
        let code = match tone {
            _ if !self.color || text.trim().is_empty() => return line.push_str(text),
            Tone::Plain => return line.push_str(text),
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Heavy => "1;31",
            Tone::Medium => "33",
            Tone::Grown => "31",
            Tone::Shrunk => "32",
        };
        for part in ["\x1b[", code, "m", text, "\x1b[0m"] {
            line.push_str(part);
        }
    }

    /// The text as the terminal can show it.
    pub(super) fn plain(&self, text: String) -> String {
        if self.ascii && !text.is_ascii() { to_ascii(&text).into_owned() } else { text }
    }

    /// Whether paths are shown by their names.
    pub(super) fn short_paths(&self) -> bool {
        self.width.is_some() && !self.full_paths
    }
}

/// A cell as a table shows it.
pub(super) fn show(cell: &Cell<'_>, style: &Style) -> String {
    style.plain(show_with(cell, style, true))
}

/// A cell as text; `grouped`: with commas between thousands.
pub(super) fn show_with(cell: &Cell<'_>, style: &Style, grouped: bool) -> String {
    let count = |n: u64| if grouped { format_count(n) } else { n.to_string() };
    let size = |n: u64| match style.units {
        Units::Bytes => count(n),
        // Something is not nothing.
        units => match format_size(n, units) {
            text if n > 0 && text.starts_with("0.0 ") => format!("<0.1{}", &text[3..]),
            text => text,
        },
    };
    let deep = |cell: &Cell<'_>| show_with(cell, style, grouped);
    match cell {
        Cell::Missing => "-".to_owned(),
        Cell::Text(t) => escape(t.as_bytes()),
        Cell::Arguments(t) => escape(t.as_bytes()),
        Cell::Bytes(b) => escape(b),
        Cell::Size(n) => size(*n),
        Cell::Change(n) => {
            let sign = match n.signum() {
                -1 => "-",
                1 if grouped => "+",
                _ => "",
            };
            format!("{sign}{}", size(n.unsigned_abs()))
        }
        Cell::Count(n) => count(*n),
        Cell::Time(t) => format_time(*t, &(style.time_zone)()),
        Cell::Seconds(s) => format!("{s:.2} s"),
        Cell::Bool(b) => if *b { "yes" } else { "no" }.to_owned(),
        Cell::List(l) => l.iter().map(|t| escape(t.as_bytes())).collect::<Vec<_>>().join(" "),
        Cell::Paths(p) => count(p.len() as u64),
        Cell::StorePaths(_, ids) => count(ids.len() as u64),
        Cell::Record(r) => {
            let pairs: Vec<_> = r.iter().map(|(k, c)| format!("{k}={}", deep(c))).collect();
            pairs.join(" ")
        }
        Cell::Both(text, _) | Cell::BothLater(text, _) => escape(text.as_bytes()),
        Cell::Cells(c) => c.iter().map(deep).collect::<Vec<_>>().join("; "),
    }
}

/// The same in a list, where nothing is shown as nothing: a column of zeros says
/// less than the few numbers in it.
pub(super) fn show_in_row(cell: &Cell<'_>, style: &Style) -> String {
    match cell {
        Cell::Size(0) | Cell::Change(0) => String::new(),
        cell => show(cell, style),
    }
}
