//! JUnit XML: one test case a finding, one for each warning, and a passed one
//! where there is neither. Only documents with a list of findings have it.

use super::show::show;
use crate::answer::{Cell, Document, Section};
use crate::text::escape;
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    let found = document.sections.into_iter().find_map(|section| match section {
        Section::Rows { key: "findings", columns, rows, .. } => Some((columns, rows)),
        _ => None,
    });
    let Some((columns, rows)) = found else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the answer has no findings"));
    };
    let at = |key: &str| columns.iter().position(|c| c.key == key);
    let [kind, severity, path, expected, found, hint] =
        ["kind", "severity", "path", "expected", "found", "hint"].map(at);
    // The number of failures stands before them.
    let rows: Vec<_> = rows.collect();
    let warnings: Vec<_> = document.head.warnings.iter().filter(|w| w.kind.incomplete()).collect();
    let tests = (rows.len() + warnings.len()).max(1);
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuites><testsuite name="nix-census audit of {}" tests="{tests}" failures="{}" errors="{}">"#,
        xml(document.head.store_dir),
        rows.len(),
        warnings.len(),
    )?;
    for row in &rows {
        let value = |at: Option<usize>| at.and_then(|at| row.get(at)).map(text).unwrap_or_default();
        let mut message = Vec::new();
        for (word, at) in [("expected", expected), ("found", found)] {
            let value = value(at);
            if !value.is_empty() {
                message.push(format!("{word} {value}"));
            }
        }
        writeln!(
            out,
            r#"<testcase classname="{}" name="{}"><failure type="{}" message="{}">{}</failure></testcase>"#,
            xml(&value(kind)),
            xml(&value(path)),
            xml(&value(severity)),
            xml(&message.join(", ")),
            xml(&value(hint)),
        )?;
    }
    for warning in &warnings {
        writeln!(
            out,
            r#"<testcase classname="{}" name="{}"><error type="{0}" message="{}"/></testcase>"#,
            xml(warning.kind.name()),
            xml(&escape(&warning.path)),
            xml(&escape(warning.message.as_bytes())),
        )?;
    }
    if rows.is_empty() && warnings.is_empty() {
        writeln!(out, r#"<testcase classname="audit" name="no findings"/>"#)?;
    }
    writeln!(out, "</testsuite></testsuites>")
}

fn text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Missing => String::new(),
        cell => show(cell, &super::Style::default()),
    }
}

/// Text made safe for XML, which has no place for most control characters.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                safe.extend(c.escape_default());
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_breaks_out() {
        assert_eq!(super::xml("a<b>&\"\x1b\n"), "a&lt;b&gt;&amp;&quot;\\u{1b}\\n");
    }
}
