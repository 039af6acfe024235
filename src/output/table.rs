//! Tables and lists of facts, for people.

use super::branches::{branches, mark};
use super::{Style, show::show};
use crate::answer::{Cell, Column, Document, Field, Finding, Section};
use crate::text::escape;
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let (mut first, limit) = (true, document.limit.unwrap_or(usize::MAX));
    for mut section in document.sections {
        if is_empty(&mut section) {
            continue;
        }
        if !std::mem::take(&mut first) {
            writeln!(out)?;
        }
        match section {
            Section::Fields { title, fields, .. } => {
                heading(&title, style, out)?;
                write_fields(&fields, style, out)?;
            }
            Section::Rows { title, columns, rows, footer, summary, .. } => {
                heading(&title, style, out)?;
                let limit = if summary { usize::MAX } else { limit };
                let mut rows = rows.take(limit).peekable();
                // A heading says of an empty list all there is to say.
                if title.is_empty() || rows.peek().is_some() || !footer.is_empty() {
                    let lines = rows.map(|row| Line { row, tree: None });
                    write_rows(&columns, lines, &footer, style, out)?;
                }
            }
            Section::Graph { columns, node, lines, rows, .. } => {
                let at = columns.iter().position(|column| column.key == node);
                let drawn = lines.iter().zip(branches(&lines)).zip(rows);
                let lines = drawn.take(limit).map(|((line, before), row)| Line {
                    row,
                    tree: at.map(|at| (at, before, mark(line))),
                });
                write_rows(&columns, lines, &[], style, out)?;
            }
            Section::Findings { title, findings } => {
                heading(&title, style, out)?;
                let mut lines = findings
                    .take(limit)
                    .map(|finding| Line { row: finding.row(), tree: None })
                    .peekable();
                if lines.peek().is_some() {
                    write_rows(&Finding::columns(), lines, &[], style, out)?;
                }
            }
            Section::Note(note) => writeln!(out, "{note}")?,
        }
    }
    Ok(())
}

/// Whether a section has nothing for people: fields without labels, or a list
/// that has no rows and neither heading nor footer.
fn is_empty(section: &mut Section<'_>) -> bool {
    match section {
        Section::Fields { fields, .. } => fields.iter().all(|f| f.label.is_empty()),
        Section::Rows { title, rows, footer, .. } => {
            if !title.is_empty() || !footer.is_empty() {
                return false;
            }
            let first = rows.next();
            let empty = first.is_none();
            let rest = std::mem::replace(rows, Box::new(std::iter::empty()));
            *rows = Box::new(first.into_iter().chain(rest));
            empty
        }
        Section::Graph { lines, .. } => lines.is_empty(),
        Section::Findings { .. } | Section::Note(_) => false,
    }
}

fn bold(text: &str, style: &Style) -> String {
    if style.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

fn heading(title: &str, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if title.is_empty() {
        Ok(())
    } else {
        writeln!(out, "{}", bold(&escape(title.as_bytes()), style))
    }
}

fn write_fields(fields: &[Field<'_>], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<_> = fields.iter().filter(|f| !f.label.is_empty()).collect();
    let width = shown.iter().map(|f| columns_of(&f.label)).max().unwrap_or(0);
    let values: Vec<_> = shown.iter().map(|f| show(&f.cell, style)).collect();
    let number_width = (shown.iter().zip(&values))
        .filter(|(f, _)| f.cell.is_number())
        .map(|(_, v)| columns_of(v))
        .max()
        .unwrap_or(0);
    for (field, value) in shown.iter().zip(values) {
        let left = if field.cell.is_number() { number_width } else { 0 };
        let pad = left.saturating_sub(columns_of(&value));
        write!(out, "{}{}", field.label, " ".repeat(width - columns_of(&field.label) + 2))?;
        write!(out, "{}{value}", " ".repeat(pad))?;
        if !field.remark.is_empty() {
            write!(out, "  {}", field.remark)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A row, and where a tree is drawn: the column, what stands before its text
/// and what after it.
struct Line<'a> {
    row: Vec<Cell<'a>>,
    tree: Option<(usize, String, &'static str)>,
}

fn write_rows<'a>(
    columns: &[Column],
    rows: impl Iterator<Item = Line<'a>>,
    footer: &[Cell<'_>],
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let shown: Vec<usize> = (0..columns.len()).filter(|&i| !columns[i].hidden).collect();
    let mut right = vec![false; shown.len()];
    let mut widths: Vec<usize> = shown.iter().map(|&i| columns_of(columns[i].heading)).collect();
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut add = |row: &[Cell<'_>], tree: Option<(usize, String, &str)>| {
        let mut line = Vec::with_capacity(shown.len());
        for (at, &i) in shown.iter().enumerate() {
            let mut value = row.get(i).map(|c| show(c, style)).unwrap_or_default();
            if let Some((_, before, after)) = tree.as_ref().filter(|(column, ..)| *column == i) {
                value = format!("{before}{value}{after}");
            }
            right[at] |= row.get(i).is_some_and(Cell::is_number);
            widths[at] = widths[at].max(columns_of(&value));
            line.push(value);
        }
        lines.push(line);
    };
    rows.for_each(|line| add(&line.row, line.tree));
    let has_footer = !footer.is_empty();
    if has_footer {
        add(footer, None);
    }
    let headings: Vec<String> = shown.iter().map(|&i| columns[i].heading.to_owned()).collect();
    let head = join(&headings, &widths, &right);
    writeln!(out, "{}", bold(&head, style))?;
    for (i, line) in lines.iter().enumerate() {
        let line = join(line, &widths, &right);
        let is_footer = has_footer && i + 1 == lines.len();
        writeln!(out, "{}", if is_footer { bold(&line, style) } else { line })?;
    }
    Ok(())
}

fn join(cells: &[String], widths: &[usize], right: &[bool]) -> String {
    let mut line = String::new();
    for (i, cell) in cells.iter().enumerate() {
        let pad = " ".repeat(widths[i].saturating_sub(columns_of(cell)));
        if i > 0 {
            line.push_str("  ");
        }
        if right[i] {
            line.push_str(&pad);
            line.push_str(cell);
        } else {
            line.push_str(cell);
            line.push_str(&pad);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// How many columns a text takes; good enough for names that are ASCII but
/// for rare exceptions.
fn columns_of(text: &str) -> usize {
    text.chars().count()
}
