//! Markdown as GitHub, GitLab and Forgejo render it: a summary for a pull request.

use super::Style;
use super::names::Names;
use super::show::{show, show_in_row};
use crate::answer::{Cell, CheckStatus, Column, ColumnType, Document, Field, List, Section};
use crate::text::{escape, format_count};
use std::io::{self, Write};

/// How many rows of a list are written without a limit: a comment that is longer is not
/// read, and forges refuse comments of more than 65,536 characters.
const ROWS: usize = 20;

/// How many warnings are written.
const WARNINGS: usize = 10;

pub(super) fn write(document: Document<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let (head, limit) = (document.head, document.limit);
    // Paths by their names, as on a terminal, but whole.
    let style = Style { width: Some(usize::MAX), color: false, ascii: false, ..*style };
    let mut first = true;
    // What sums up the answer comes first: what follows may be long.
    let sums_up = |section: &Section<'_>| {
        matches!(section, Section::Checks { .. } | Section::Rows { summary: true, .. })
    };
    let (summary, rest): (Vec<_>, Vec<_>) = document.sections.into_iter().partition(sums_up);
    for section in summary.into_iter().chain(rest) {
        let Some(text) = section_text(section, limit, head.store_dir, &style) else { continue };
        if !std::mem::take(&mut first) {
            writeln!(out)?;
        }
        out.write_all(text.as_bytes())?;
    }
    let warnings = head.warnings;
    if !warnings.complete() {
        let blank = if first { "" } else { "\n" };
        writeln!(out, "{blank}**The answer is incomplete:**\n")?;
        let incomplete = warnings.iter().filter(|warning| warning.kind.incomplete());
        for warning in incomplete.take(WARNINGS) {
            let message = plain(&escape(warning.message.as_bytes()));
            writeln!(out, "- {}: {message}", code(&escape(&warning.path)))?;
        }
        if let Some(more @ 1..) = warnings.incomplete().checked_sub(WARNINGS as u64) {
            writeln!(out, "- and {} more", format_count(more))?;
        }
    }
    Ok(())
}

/// A section, ending with a line break; nothing if it is for machines.
fn section_text(
    section: Section<'_>,
    limit: Option<usize>,
    store_dir: &str,
    style: &Style,
) -> Option<String> {
    let (title, footer, summary) = match &section {
        Section::Fields { title, fields, .. } => return fields_text(title, fields, style),
        Section::Note(note) => {
            let text = plain(&escape(note.as_bytes()));
            return (!note.is_empty()).then(|| format!("{text}\n"));
        }
        Section::Rows { title, footer, summary, .. } => (title.clone(), footer.clone(), *summary),
        Section::Graph { .. } => (String::new(), Vec::new(), false),
        Section::Findings { title, .. } => (title.clone(), Vec::new(), false),
        Section::Checks { title, .. } => (title.clone(), Vec::new(), true),
    };
    let mut statuses = None;
    if let Section::Checks { checks, .. } = &section {
        statuses = Some(checks.iter().map(|check| check.status).collect::<Vec<_>>());
    }
    let list = section.into_list(None)?;
    let most = if summary { usize::MAX } else { limit.unwrap_or(ROWS) };
    list_text(list, &title, &footer, most, statuses.as_deref(), store_dir, style)
}

fn fields_text(title: &str, fields: &[Field<'_>], style: &Style) -> Option<String> {
    let mut text = heading(title);
    let shown = fields.iter().filter(|field| !field.label.is_empty());
    let before = text.len();
    for field in shown {
        let remark = if field.remark.is_empty() { "" } else { " – " };
        let remark = format!("{remark}{}", plain(&escape(field.remark.as_bytes())));
        let label = plain(&escape(field.label.as_bytes()));
        text += &format!("- {label}: {}{remark}\n", plain(&show(&field.cell, style)));
    }
    (text.len() > before).then_some(text)
}

fn list_text(
    list: List<'_>,
    title: &str,
    footer: &[Cell<'_>],
    most: usize,
    statuses: Option<&[CheckStatus]>,
    store_dir: &str,
    style: &Style,
) -> Option<String> {
    let shown: Vec<usize> = (0..list.columns.len()).filter(|&i| !list.columns[i].hidden).collect();
    if shown.is_empty() {
        return None;
    }
    let mut rows = list.rows;
    let first: Vec<Vec<Cell<'_>>> = rows.by_ref().take(most).collect();
    let more = rows.count() as u64;
    if first.is_empty() && footer.is_empty() {
        return (!title.is_empty()).then(|| heading(title).trim_end().to_owned() + "\n");
    }
    let names: Vec<Option<Names>> = (shown.iter())
        .map(|&at| {
            let cells = first.iter().filter_map(move |row| row.get(at));
            Names::new(&list.columns[at], cells, store_dir, style)
        })
        .collect();
    let mut text = heading(title);
    let title_of = |&at: &usize| plain(list.columns[at].heading);
    text += &line(statuses.map(|_| String::new()), shown.iter().map(title_of));
    let rule = |&at: &usize| {
        let number = first.iter().filter_map(|row| row.get(at)).any(Cell::is_number);
        if number { "---:".to_owned() } else { "---".to_owned() }
    };
    text += &line(statuses.map(|_| "---".to_owned()), shown.iter().map(rule));
    for (i, row) in first.iter().enumerate() {
        let mark = statuses.map(|statuses| mark(statuses[i]).to_owned());
        let cells = shown.iter().zip(&names).map(|(&at, names)| match (row.get(at), names) {
            (None, _) => String::new(),
            (Some(cell), Some(names)) => code(&names.show(cell, store_dir, style)),
            (Some(cell), None) => cell_text(cell, &list.columns[at], style),
        });
        text += &line(mark, cells);
    }
    if !footer.is_empty() {
        let cells = shown.iter().map(|&at| match footer.get(at) {
            Some(Cell::Text(text)) if text.is_empty() => String::new(),
            Some(cell) => format!("**{}**", plain(&show(cell, style))),
            None => String::new(),
        });
        text += &line(statuses.map(|_| String::new()), cells);
    }
    if more > 0 {
        text += &format!("\n… and {} more\n", format_count(more));
    }
    Some(text)
}

fn heading(title: &str) -> String {
    let title = title.replace('\n', " ");
    if title.is_empty() {
        String::new()
    } else {
        format!("### {}\n\n", plain(&escape(title.as_bytes())))
    }
}

fn line(mark: Option<String>, cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = mark.into_iter().chain(cells).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn mark(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Passed => "✅",
        CheckStatus::Failed => "❌",
        CheckStatus::Unknown => "❔",
    }
}

fn cell_text(cell: &Cell<'_>, column: &Column, style: &Style) -> String {
    let text = show_in_row(cell, style);
    match (cell, column.holds) {
        (Cell::Missing, _) => String::new(),
        (_, ColumnType::Path) if !text.is_empty() => code(&text),
        _ => plain(&text),
    }
}

/// A text in which nothing is markup. What might be is set as code, where nothing is,
/// not even a name that somebody would be notified of.
fn plain(text: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || " .,:;+-→–…%()/'?=".contains(c);
    let begins = text.starts_with(['-', '+', '=']) && text[1..].starts_with([' ', '-', '=']);
    let is_link = text.contains("://") || text.contains("www.");
    if text.chars().all(harmless) && !begins && !is_link { text.to_owned() } else { code(text) }
}

/// A text as code: between more backticks than it holds in a row.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    // In a table a bar ends the cell, in code too.
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_markup_is_code() {
        for text in ["hello 1.0 → 1.1", "+12.3 MiB", "-1.0 KiB", "a (b)"] {
            assert_eq!(plain(text), text);
        }
        for (text, expected) in [
            ("a|b", "`a\\|b`"),
            ("<script>", "`<script>`"),
            ("*x*", "`*x*`"),
            ("@someone", "`@someone`"),
            ("fixes #1", "`fixes #1`"),
            ("https://x.y", "`https://x.y`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("- x", "`- x`"),
            ("[a](b)", "`[a](b)`"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }
}
