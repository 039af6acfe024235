//! JSON, streamed: one object a document, one line a list element.

use super::SCHEMA_VERSION;
use crate::answer::{Cell, Document, Section};
use crate::text::escape;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"schema_version\":{SCHEMA_VERSION},\"store_dir\":")?;
    serde_json::to_writer(&mut *out, document.head.store_dir)?;
    let warnings = document.head.warnings;
    write!(out, ",\n\"complete\":{},\n\"warnings\":[", warnings.complete())?;
    for (i, warning) in warnings.iter().enumerate() {
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        let cell = Cell::Record(vec![
            ("kind", Cell::text(warning.kind.name())),
            ("path", Cell::Bytes(warning.path.as_slice().into())),
            ("message", Cell::text(warning.message.as_str())),
        ]);
        serde_json::to_writer(&mut *out, &cell)?;
    }
    write!(out, "],\n\"warnings_total\":{}", warnings.total())?;
    for section in document.sections {
        match section {
            Section::Fields { key: Some(key), fields, .. } => {
                write!(out, ",\n\"{key}\":")?;
                let record = fields.into_iter().map(|f| (f.key, f.cell)).collect();
                serde_json::to_writer(&mut *out, &Cell::Record(record))?;
            }
            Section::Fields { key: None, fields, .. } => {
                for field in fields {
                    write!(out, ",\n\"{}\":", field.key)?;
                    serde_json::to_writer(&mut *out, &field.cell)?;
                }
            }
            other => {
                let Some(list) = other.into_list() else { continue };
                write!(out, ",\n\"{}\":[", list.key)?;
                for (i, row) in list.rows.enumerate() {
                    out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
                    let record = list.columns.iter().map(|c| c.key).zip(row).collect();
                    serde_json::to_writer(&mut *out, &Cell::Record(record))?;
                }
                out.write_all(b"]")?;
            }
        }
    }
    out.write_all(b"}\n")
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
