//! Workflow commands of GitHub Actions: an annotation for each check that failed, for each
//! finding and for each warning that makes the answer incomplete
//! (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).

use crate::answer::{Check, CheckStatus, Document, Finding, Section};
use crate::text::{escape, format_count};
use std::io::{self, Write};

/// How many lines of details an annotation has.
const DETAILS: usize = 10;

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    for section in document.sections {
        match section {
            Section::Checks { checks, .. } => {
                for check in &checks {
                    write_check(check, out)?;
                }
            }
            Section::Findings { findings, .. } => {
                for finding in findings {
                    write_finding(&finding, out)?;
                }
            }
            Section::Fields { .. }
            | Section::Rows { .. }
            | Section::Graph { .. }
            | Section::Note(_) => {}
        }
    }
    let warnings = document.head.warnings;
    for warning in warnings.iter().filter(|warning| warning.kind.incomplete()) {
        let message = format!("{}: {}", escape(&warning.path), escape(warning.message.as_bytes()));
        command("warning", warning.kind.name(), &message, out)?;
    }
    Ok(())
}

fn write_check(check: &Check<'_>, out: &mut dyn Write) -> io::Result<()> {
    let level = match check.status {
        CheckStatus::Passed => return Ok(()),
        CheckStatus::Failed => "error",
        CheckStatus::Unknown => "warning",
    };
    let lines = std::iter::once(&check.message).chain(check.details.iter().take(DETAILS));
    let mut lines: Vec<String> = lines.map(|line| escape(line.as_bytes())).collect();
    if let Some(more @ 1..) = check.details.len().checked_sub(DETAILS) {
        lines.push(format!("and {} more", format_count(more as u64)));
    }
    command(level, &check.name, &lines.join("\n"), out)
}

fn write_finding(finding: &Finding<'_>, out: &mut dyn Write) -> io::Result<()> {
    let level = match finding.severity {
        level @ ("error" | "warning") => level,
        _ => "notice",
    };
    let mut message = escape(&finding.path);
    for (word, text) in finding.difference() {
        message += &format!(", {word} {}", escape(text.as_bytes()));
    }
    command(level, finding.kind, &message, out)
}

/// One command: a line, so that nothing in it may end the line or begin another.
fn command(level: &str, title: &str, message: &str, out: &mut dyn Write) -> io::Result<()> {
    let title = escape(format!("nix-census: {title}").as_bytes());
    writeln!(out, "::{level} title={}::{}", property(&title), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_as_severe_as_findings() {
        for (severity, level) in [("error", "error"), ("warning", "warning"), ("note", "notice")] {
            let finding = Finding {
                kind: "mode",
                severity,
                path: b"/x"[..].into(),
                expected: Some("444"),
                found: Some("644"),
                hint: "",
            };
            let mut out = Vec::new();
            write_finding(&finding, &mut out).unwrap();
            let expected =
                format!("::{level} title=nix-census%3A mode::/x, expected 444, found 644\n");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn nothing_breaks_out_of_a_command() {
        let check = Check {
            kind: "forbid",
            name: "forbid a,b::error::x\n".into(),
            status: CheckStatus::Failed,
            message: "50% of\r\n::set-output name=x::y".into(),
            details: vec!["::add-mask::z\x1b[31m".into()],
            row: Vec::new(),
        };
        let mut out = Vec::new();
        write_check(&check, &mut out).unwrap();
        let expected = "::error title=nix-census%3A forbid a%2Cb%3A%3Aerror%3A%3Ax\\n::\
                        50%25 of\\r\\n::set-output name=x::y%0A::add-mask::z\\x1b[31m\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
