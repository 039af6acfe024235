//! JSON, streamed: one object a document, one line a list element.

use super::SCHEMA_VERSION;
use crate::answer::{Cell, Document, Section};
use crate::text::{escape, is_unsafe};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"schema_version\":{SCHEMA_VERSION},\"store_dir\":")?;
    put(out, document.head.store_dir)?;
    let (warnings, limit) = (document.head.warnings, document.limit);
    write!(out, ",\n\"complete\":{},\n\"warnings\":[", warnings.complete())?;
    for (i, warning) in warnings.iter().enumerate() {
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        let cell = Cell::Record(vec![
            ("kind", Cell::text(warning.kind.name())),
            ("path", Cell::Bytes(warning.path.as_slice().into())),
            ("message", Cell::text(warning.message.as_str())),
        ]);
        put(out, &cell)?;
    }
    write!(out, "],\n\"warnings_total\":{}", warnings.total())?;
    for section in document.sections {
        match section {
            Section::Fields { key: Some(key), fields, .. } => {
                write!(out, ",\n\"{key}\":")?;
                let record = fields.into_iter().map(|f| (f.key, f.cell)).collect();
                put(out, &Cell::Record(record))?;
            }
            Section::Fields { key: None, fields, .. } => {
                for field in fields {
                    write!(out, ",\n\"{}\":", field.key)?;
                    put(out, &field.cell)?;
                }
            }
            other => {
                let Some(list) = other.into_list(limit) else { continue };
                write!(out, ",\n\"{}\":[", list.key)?;
                for (i, row) in list.rows.enumerate() {
                    out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
                    let record = list.columns.iter().map(|c| c.key).zip(row).collect();
                    put(out, &Cell::Record(record))?;
                }
                out.write_all(b"]")?;
            }
        }
    }
    out.write_all(b"}\n")
}

/// Writes a value.
fn put(out: &mut dyn Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    let mut json = serde_json::Serializer::with_formatter(out, Safe);
    value.serialize(&mut json).map_err(Into::into)
}

/// Compact JSON in which what a terminal would obey is escaped, although JSON
/// would take it as it is.
struct Safe;

impl serde_json::ser::Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly all there is; JSON itself escapes other control characters.
        if fragment.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| is_unsafe(c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => s.serialize_none(),
            Self::Text(t) => s.serialize_str(t),
            Self::Arguments(t) => s.serialize_str(t),
            // What is UTF-8 stays as it is (JSON escapes it); other bytes
            // have no place in JSON and become \xNN.
            Self::Bytes(b) => match std::str::from_utf8(b) {
                Ok(t) => s.serialize_str(t),
                Err(_) => s.serialize_str(&escape(b)),
            },
            Self::Size(n) | Self::Count(n) => s.serialize_u64(*n),
            Self::Change(n) | Self::Time(n) => s.serialize_i64(*n),
            Self::Seconds(x) => s.serialize_f64(*x),
            Self::Bool(b) => s.serialize_bool(*b),
            Self::List(l) | Self::Paths(l) => s.collect_seq(l),
            Self::StorePaths(of, numbers) => {
                let names = of.base_names(numbers);
                let mut path = format!("{}/", of.store_dir());
                let directory = path.len();
                let mut seq = s.serialize_seq(Some(names.len()))?;
                for name in names {
                    path.truncate(directory);
                    path.push_str(name);
                    seq.serialize_element(&path)?;
                }
                seq.end()
            }
            Self::Record(r) => {
                let mut map = s.serialize_map(Some(r.len()))?;
                for (key, cell) in r {
                    map.serialize_entry(key, cell)?;
                }
                map.end()
            }
            Self::Both(_, cell) => cell.serialize(s),
            Self::Cells(cells) => {
                let mut seq = s.serialize_seq(Some(cells.len()))?;
                for cell in cells {
                    seq.serialize_element(cell)?;
                }
                seq.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_read_back() {
        let text = "a\u{7f}\u{9b}31m\u{202e}é\u{e0041}\x1b\n\"z";
        let mut json = Vec::new();
        put(&mut json, text).unwrap();
        let written = std::str::from_utf8(&json).unwrap();
        assert_eq!(written, r#""a\u007f\u009b31m\u202eé\udb40\udc41\u001b\n\"z""#);
        assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
    }
}
