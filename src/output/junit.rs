//! JUnit XML: one test case a finding, one for each warning, and a passed one
//! where there is neither. Only documents with findings have it.

use crate::answer::{Document, Section};
use crate::text::{escape, is_unsafe};
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    let findings = document.sections.into_iter().find_map(|section| match section {
        Section::Findings { findings, .. } => Some(findings),
        _ => None,
    });
    let Some(findings) = findings else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the answer has no findings"));
    };
    // The number of failures stands before them.
    let findings: Vec<_> = findings.collect();
    let warnings: Vec<_> = document.head.warnings.iter().filter(|w| w.kind.incomplete()).collect();
    let tests = (findings.len() + warnings.len()).max(1);
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuites><testsuite name="nix-census audit of {}" tests="{tests}" failures="{}" errors="{}">"#,
        xml(document.head.store_dir),
        findings.len(),
        warnings.len(),
    )?;
    for finding in &findings {
        let mut message = Vec::new();
        for (word, text) in [("expected", finding.expected), ("found", finding.found)] {
            if let Some(text) = text {
                message.push(format!("{word} {}", escape(text.as_bytes())));
            }
        }
        writeln!(
            out,
            r#"<testcase classname="{}" name="{}"><failure type="{}" message="{}">{}</failure></testcase>"#,
            xml(finding.kind),
            xml(&escape(&finding.path)),
            xml(finding.severity),
            xml(&message.join(", ")),
            xml(finding.hint),
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
    if findings.is_empty() && warnings.is_empty() {
        writeln!(out, r#"<testcase classname="audit" name="no findings"/>"#)?;
    }
    writeln!(out, "</testsuite></testsuites>")
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
            c if is_unsafe(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
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
