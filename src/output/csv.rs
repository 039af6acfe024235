//! CSV: the main list of an answer.

use super::{Style, show::show_with};
use crate::answer::{Cell, Document, Section};
use crate::text::{Units, escape};
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (main, limit) = (document.main, document.limit);
    let mut writer = csv::Writer::from_writer(out);
    let mut facts = Vec::new();
    for section in document.sections {
        match section {
            Section::Fields { key, fields, .. } => facts.push((key, fields)),
            other => {
                let Some(list) = other.into_list(limit).filter(|list| list.key == main) else {
                    continue;
                };
                writer.write_record(list.columns.iter().map(|c| c.key)).map_err(plain)?;
                for row in list.rows {
                    writer.write_record(row.iter().map(field)).map_err(plain)?;
                }
                return writer.flush();
            }
        }
    }
    // An answer without a list: one line a fact.
    writer.write_record(["key", "value"]).map_err(plain)?;
    for (section, fields) in facts {
        for f in fields {
            let key = section.map_or(f.key.to_owned(), |s| format!("{s}.{}", f.key));
            writer.write_record([key, field(&f.cell)]).map_err(plain)?;
        }
    }
    writer.flush()
}

/// The error of writing as it was: one that says why, such as a broken pipe.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A field: numbers as digits; text that a spreadsheet would run as a formula
/// is defused with a leading apostrophe.
fn field(cell: &Cell<'_>) -> String {
    let style = Style { units: Units::Bytes, ..Style::default() };
    let text = match cell {
        Cell::Missing => String::new(),
        Cell::Time(t) => return t.to_string(),
        Cell::Seconds(x) => return x.to_string(),
        Cell::Size(_)
        | Cell::Change(_)
        | Cell::Count(_)
        | Cell::Paths(_)
        | Cell::StorePaths(..) => {
            return show_with(cell, &style, false);
        }
        // They begin with a dash, and are made of names of store paths, which
        // hold nothing that a formula could be made of.
        Cell::Arguments(_) => return show_with(cell, &style, false),
        Cell::Bool(b) => b.to_string(),
        Cell::Both(_, cell) => return field(cell),
        Cell::BothLater(_, cells) => return field(&cells.make()),
        Cell::Text(t) => escape(t.as_bytes()),
        _ => show_with(cell, &style, false),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defuses_formulas() {
        assert_eq!(field(&Cell::text("=1+1")), "'=1+1");
        assert_eq!(field(&Cell::text("@a")), "'@a");
        assert_eq!(field(&Cell::Change(-5)), "-5");
        assert_eq!(field(&Cell::text("a\nb")), "a\\nb");
    }

    #[test]
    fn arguments_can_be_given_to_a_shell() {
        assert_eq!(field(&Cell::Arguments("--cut a:b".to_owned())), "--cut a:b");
        assert_eq!(field(&Cell::text("--cut a:b")), "'--cut a:b");
    }
}
