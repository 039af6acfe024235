//! JSON, streamed: one object a document, one line a list element.

use super::SCHEMA_VERSION;
use super::blocks::write_in_order;
use crate::answer::{Cell, Column, Document, Row, RowIter, Section};
use crate::text::{escape, is_unsafe};
use serde::ser::Serialize;
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut json = Json { out: Some(out), buffer: Vec::with_capacity(2 * BUFFER) };
    json.document(document)?;
    json.empty()
}

/// How many bytes are gathered before they are handed on.
const BUFFER: usize = 16 << 10;

/// JSON being written. Large answers are nearly all texts without a character to
/// escape, and numbers: those are put together here, the rest by serde.
struct Json<'w> {
    /// Where the buffer goes once it is full; without, it holds all of it.
    out: Option<&'w mut dyn Write>,
    buffer: Vec<u8>,
}

impl Json<'_> {
    fn document(&mut self, document: Document<'_>) -> io::Result<()> {
        write!(self.buffer, "{{\"schema_version\":{SCHEMA_VERSION},\"store_dir\":")?;
        self.text(document.head.store_dir)?;
        let (warnings, limit) = (document.head.warnings, document.limit);
        write!(self.buffer, ",\n\"complete\":{},\n\"warnings\":[", warnings.complete())?;
        for (i, warning) in warnings.iter().enumerate() {
            self.buffer.extend_from_slice(if i == 0 { b"\n" } else { b",\n" });
            self.record([
                ("kind", &Cell::text(warning.kind.name())),
                ("path", &Cell::Bytes(warning.path.as_slice().into())),
                ("message", &Cell::text(warning.message.as_str())),
            ])?;
        }
        write!(self.buffer, "],\n\"warnings_total\":{}", warnings.total())?;
        for section in document.sections {
            match section {
                Section::Fields { key: Some(key), fields, .. } => {
                    write!(self.buffer, ",\n\"{key}\":")?;
                    self.record(fields.iter().map(|f| (f.key, &f.cell)))?;
                }
                Section::Fields { key: None, fields, .. } => {
                    for field in fields {
                        write!(self.buffer, ",\n\"{}\":", field.key)?;
                        self.cell(&field.cell)?;
                    }
                }
                other => {
                    let Some(list) = other.into_list(limit) else { continue };
                    write!(self.buffer, ",\n\"{}\":[", list.key)?;
                    self.rows(&list.columns, list.rows)?;
                    self.buffer.push(b']');
                }
            }
        }
        self.buffer.extend_from_slice(b"}\n");
        Ok(())
    }

    fn rows<'a>(&mut self, columns: &[Column], rows: RowIter<'a>) -> io::Result<()> {
        // All up to each cell, which is the same in each row.
        let mut before = Vec::with_capacity(columns.len());
        for (i, column) in columns.iter().enumerate() {
            let mut json = Json { out: None, buffer: Vec::new() };
            json.key(i, column.key)?;
            before.push(json.buffer);
        }
        let put = |row: &Row<'a>, text: &mut Vec<u8>| {
            let mut json = Json { out: None, buffer: std::mem::take(text) };
            json.buffer.extend_from_slice(b",\n{");
            for (before, cell) in before.iter().zip(row) {
                json.buffer.extend_from_slice(before);
                json.cell(cell)?;
            }
            json.buffer.push(b'}');
            *text = json.buffer;
            Ok(())
        };
        self.empty()?;
        let mut first = true;
        write_in_order(rows, put, |text| {
            let text = &text[usize::from(std::mem::take(&mut first))..];
            match &mut self.out {
                Some(out) => out.write_all(text),
                None => self.buffer.write_all(text),
            }
        })
    }

    fn cell(&mut self, cell: &Cell<'_>) -> io::Result<()> {
        match cell {
            Cell::Missing => self.buffer.extend_from_slice(b"null"),
            Cell::Text(text) => return self.text(text),
            Cell::Arguments(text) => return self.text(text),
            // What is UTF-8 stays as it is (JSON escapes it); other bytes
            // have no place in JSON and become \xNN.
            Cell::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => return self.text(text),
                Err(_) => return self.text(&escape(bytes)),
            },
            Cell::Size(n) | Cell::Count(n) => serde_json::to_writer(&mut self.buffer, n)?,
            Cell::Change(n) | Cell::Time(n) => serde_json::to_writer(&mut self.buffer, n)?,
            Cell::Seconds(x) => serde_json::to_writer(&mut self.buffer, x)?,
            Cell::Bool(b) => serde_json::to_writer(&mut self.buffer, b)?,
            Cell::List(all) | Cell::Paths(all) => {
                return self.list(all, |json, text| json.text(text));
            }
            Cell::StorePaths(of, numbers) => {
                let directory = of.store_dir();
                let plain = is_plain(directory);
                let before = ["\"", directory, "/"].concat();
                return self.list(&of.base_names(numbers), |json, name| {
                    if !plain || !is_plain(name) {
                        return json.text(&format!("{directory}/{name}"));
                    }
                    json.buffer.extend_from_slice(before.as_bytes());
                    json.buffer.extend_from_slice(name.as_bytes());
                    json.buffer.push(b'"');
                    json.hand_on()
                });
            }
            Cell::Record(all) => return self.record(all.iter().map(|(key, cell)| (*key, cell))),
            Cell::Both(_, cell) => return self.cell(cell),
            Cell::BothLater(_, cells) => return self.cell(&cells.make()),
            Cell::Cells(cells) => return self.list(cells, |json, cell| json.cell(cell)),
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        all: &[T],
        mut put: impl FnMut(&mut Self, &T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.buffer.push(b'[');
        for (i, one) in all.iter().enumerate() {
            if i > 0 {
                self.buffer.push(b',');
            }
            put(self, one)?;
        }
        self.buffer.push(b']');
        self.hand_on()
    }

    fn record<'c>(
        &mut self,
        cells: impl IntoIterator<Item = (&'c str, &'c Cell<'c>)>,
    ) -> io::Result<()> {
        self.buffer.push(b'{');
        for (i, (key, cell)) in cells.into_iter().enumerate() {
            self.key(i, key)?;
            self.cell(cell)?;
        }
        self.buffer.push(b'}');
        self.hand_on()
    }

    /// A key of a record and all up to its value, so many keys being before it.
    fn key(&mut self, before: usize, key: &str) -> io::Result<()> {
        if before > 0 {
            self.buffer.push(b',');
        }
        self.text(key)?;
        self.buffer.push(b':');
        Ok(())
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        if is_plain(text) {
            self.buffer.push(b'"');
            self.buffer.extend_from_slice(text.as_bytes());
            self.buffer.push(b'"');
        } else {
            let mut json = serde_json::Serializer::with_formatter(&mut self.buffer, Safe);
            text.serialize(&mut json)?;
        }
        self.hand_on()
    }

    /// Hands on what is gathered, once it is enough.
    fn hand_on(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER { self.empty() } else { Ok(()) }
    }

    /// Hands on all that is gathered.
    fn empty(&mut self) -> io::Result<()> {
        if let Some(out) = &mut self.out {
            out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Whether nothing of a text is escaped. All of it is looked at, many bytes at a time.
fn is_plain(text: &str) -> bool {
    let escaped = |b: u8| !matches!(b, b' '..=b'~') | (b == b'"') | (b == b'\\');
    text.bytes().fold(0, |any, b| any | u8::from(escaped(b))) == 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_read_back() {
        let text = "a\u{7f}\u{9b}31m\u{202e}é\u{e0041}\x1b\n\"z";
        let mut json = Json { out: None, buffer: Vec::new() };
        json.text(text).unwrap();
        let json = json.buffer;
        let written = std::str::from_utf8(&json).unwrap();
        assert_eq!(written, r#""a\u007f\u009b31m\u202eé\udb40\udc41\u001b\n\"z""#);
        assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
    }

    /// Each kind of cell, and each character by itself: as serde would write them.
    #[test]
    fn what_is_put_together_here_is_what_serde_reads() {
        for character in (0..0x300).filter_map(char::from_u32) {
            let text = format!("{}{character}", "x".repeat(character as usize % 40));
            let mut json = Json { out: None, buffer: Vec::new() };
            json.cell(&Cell::List(vec![text.as_str().into(), "".into()])).unwrap();
            let read: Vec<String> = serde_json::from_slice(&json.buffer).unwrap();
            assert_eq!(read, [&*text, ""]);
            assert!(json.buffer.iter().all(|&b| b >= b' '));
        }
        let cells = vec![
            Cell::Missing,
            Cell::Change(i64::MIN),
            Cell::Size(u64::MAX),
            Cell::Seconds(0.25),
            Cell::Bool(true),
            Cell::Bytes(b"\xff\"".as_slice().into()),
            Cell::Record(Vec::new()),
            Cell::Both("a".into(), Box::new(Cell::Cells(vec![Cell::Arguments("-x".into())]))),
        ];
        let mut json = Json { out: None, buffer: Vec::new() };
        json.cell(&Cell::Record(vec![
            ("all", Cell::Cells(cells)),
            ("none", Cell::List(Vec::new())),
        ]))
        .unwrap();
        let expected = r#"{"all":[null,-9223372036854775808,18446744073709551615,0.25,true,"\\xff\"",{},["-x"]],"none":[]}"#;
        assert_eq!(String::from_utf8(json.buffer).unwrap(), expected);
    }
}
