//! Tables and lists of facts, for people.

use super::blocks::map_rows;
use super::fields::write_fields;
use super::findings::grouped;
use super::grid::Grid;
use super::plan::{Demand, plan};
use super::show::Tone;
use super::width::{columns_of, wrap};
use super::{Style, heaviest};
use crate::answer::selection::weight_of;
use crate::answer::{
    Cell, Column, Document, Field, Finding, GraphLine, Numbered, Row, RowIter, Section,
};
use crate::text::{escape, format_count};
use std::borrow::Cow;
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let store_dir = document.head.store_dir;
    let (main, limit) = (document.main, document.limit);
    // Without a limit of the user's own, what fits.
    let height = style.height.filter(|_| limit.is_none());
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for section in document.sections {
        blocks.extend(Block::of(section, main, limit, height, style));
    }
    let Some(height) = height else { return write_blocks(&blocks, store_dir, style, out) };
    fit_height(&mut blocks, height, style)?;
    let mut text = Vec::new();
    write_blocks(&blocks, store_dir, style, &mut text)?;
    // Lines that name what is left out were not known of, and one is the prompt's.
    let lines = text.iter().filter(|&&b| b == b'\n').count();
    if let Some(excess @ 1..) = (lines + 1).checked_sub(height)
        && let Some(list) = blocks.iter_mut().find_map(Block::main_list)
        && list.shown > LEAST
    {
        // A line that says how many more there are comes with the first one left out.
        let excess = excess + usize::from(list.shown == list.total);
        list.show(list.shown.saturating_sub(excess).max(LEAST));
        text.clear();
        write_blocks(&blocks, store_dir, style, &mut text)?;
    }
    out.write_all(&text)
}

fn write_blocks(
    blocks: &[Block<'_>],
    store_dir: &str,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut before: Option<&Block<'_>> = None;
    for block in blocks {
        if before.is_some_and(|before| !(before.is_a_line() && block.is_a_line())) {
            writeln!(out)?;
        }
        block.write(store_dir, style, out)?;
        before = Some(block);
    }
    Ok(())
}

/// The least rows of the list that answers the question.
const LEAST: usize = 3;

/// A part of a table as it is written.
enum Block<'a> {
    Fields { title: String, fields: Vec<Field<'a>> },
    Note(String),
    List(List<'a>),
}

/// A list whose first rows are read.
struct List<'a> {
    title: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell<'a>>>,
    tree: Option<(usize, Vec<GraphLine>)>,
    footer: Vec<Cell<'a>>,
    /// How many rows there are in all.
    total: usize,
    /// How many rows are written.
    shown: usize,
    main: bool,
    summary: bool,
    /// Whether a single line stands for it.
    collapsed: bool,
}

impl<'a> Block<'a> {
    /// What is written of a section; nothing if there is nothing for people.
    fn of(
        section: Section<'a>,
        main: &str,
        limit: Option<usize>,
        height: Option<usize>,
        style: &Style,
    ) -> Option<Self> {
        // No more are read than can be written.
        let read = limit.or(height).unwrap_or(usize::MAX);
        match section {
            Section::Fields { title, fields, .. } => {
                let any = fields.iter().any(|field| !field.label.is_empty());
                any.then_some(Self::Fields { title, fields })
            }
            Section::Note(note) => (!note.is_empty()).then_some(Self::Note(note)),
            Section::Rows { key, title, columns, rows, footer, summary } => {
                let (columns, rows, footer) = drawn(columns, rows, footer);
                let read = if summary { usize::MAX } else { read };
                let (rows, total) = read_rows(rows, read);
                // A heading says of an empty list all there is to say.
                let empty = rows.is_empty() && title.is_empty() && footer.is_empty();
                if empty || columns.is_empty() {
                    return None;
                }
                let list = List { footer, summary, main: key == main, ..List::new(title, columns) };
                Some(Self::List(list.with(rows, total)))
            }
            Section::Graph { key, columns, node, lines, rows } => {
                if lines.is_empty() {
                    return None;
                }
                let (columns, rows, _) = drawn(columns, rows, Vec::new());
                let at = columns.iter().position(|column| column.key == node);
                let main = key == main;
                let (rows, lines, total) = match height {
                    Some(height) => heaviest::lines(rows, &lines, weight_of(&columns), height),
                    None => {
                        let lines = lines.iter().copied().take(read).collect();
                        let (rows, total) = read_rows(rows, read);
                        (rows, lines, total)
                    }
                };
                let tree = at.map(|at| (at, lines));
                let list = List { tree, main, ..List::new(String::new(), columns) };
                Some(Self::List(list.with(rows, total)))
            }
            Section::Findings { title, findings } => {
                let whole = style.width.is_none() || style.expand || limit == Some(usize::MAX);
                let (columns, rows): (_, RowIter<'a>) = if whole {
                    (Finding::columns(), RowIter::new(findings.map(Finding::row)))
                } else {
                    grouped(findings)
                };
                let (rows, total) = read_rows(rows, read);
                let list = List { main: true, ..List::new(title, columns) };
                Some(Self::List(list.with(rows, total)))
            }
            Section::Checks { key, title, columns, checks } => {
                let rows: Vec<_> = checks.into_iter().map(|check| check.row).collect();
                let total = rows.len();
                let list = List { main: key == main, summary: true, ..List::new(title, columns) };
                (total > 0).then(|| Self::List(list.with(rows, total)))
            }
        }
    }

    /// Whether a single line stands for it.
    fn is_a_line(&self) -> bool {
        matches!(self, Self::List(list) if list.collapsed)
    }

    fn main_list(&mut self) -> Option<&mut List<'a>> {
        match self {
            Self::List(list) if list.main && !list.summary => Some(list),
            _ => None,
        }
    }

    fn write(&self, store_dir: &str, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Fields { title, fields } => {
                heading(title, style, out)?;
                write_fields(fields, style, out)
            }
            Self::Note(note) => write_text(note, Tone::Plain, style, out),
            Self::List(list) => list.write(store_dir, style, out),
        }
    }
}

/// A list without what tables leave out: rows are kept until all are known.
fn drawn<'a>(
    columns: Vec<Column>,
    rows: RowIter<'a>,
    footer: Row<'a>,
) -> (Vec<Column>, RowIter<'a>, Row<'a>) {
    let kept: Vec<bool> = columns.iter().map(|column| !column.hidden).collect();
    let columns = columns.into_iter().filter(|column| !column.hidden).collect();
    let pick = move |mut row: Row<'a>| {
        let mut kept = kept.iter();
        row.retain(|_| *kept.next().unwrap_or(&false));
        row.shrink_to_fit();
        for cell in &mut row {
            if let Cell::Both(_, for_machines) = cell {
                **for_machines = Cell::Missing;
            }
        }
        row
    };
    let footer = pick(footer);
    (columns, rows.each(pick), footer)
}

/// The first rows, and how many there are.
fn read_rows<'a>(rows: RowIter<'a>, read: usize) -> (Vec<Vec<Cell<'a>>>, usize) {
    let mut rows = match rows.numbered() {
        Ok(Numbered { rows, row }) => {
            let read = rows.end.min(rows.start.saturating_add(read));
            return (map_rows(rows.start..read, row), rows.len());
        }
        Err(rows) => rows,
    };
    let first: Vec<_> = rows.by_ref().take(read).collect();
    let rest = match rows.size_hint() {
        _ if first.len() < read => 0,
        (least, Some(most)) if least == most => least,
        _ => rows.count(),
    };
    let total = first.len() + rest;
    (first, total)
}

impl<'a> List<'a> {
    fn new(title: String, columns: Vec<Column>) -> Self {
        Self {
            title,
            columns,
            rows: Vec::new(),
            tree: None,
            footer: Vec::new(),
            total: 0,
            shown: 0,
            main: false,
            summary: false,
            collapsed: false,
        }
    }

    fn with(self, rows: Vec<Vec<Cell<'a>>>, total: usize) -> Self {
        Self { shown: rows.len(), rows, total, ..self }
    }

    fn grid<'l>(&'l self, store_dir: &'l str) -> Grid<'l, 'a> {
        Grid {
            columns: &self.columns,
            rows: &self.rows[..self.shown],
            tree: self.tree.as_ref().map(|(at, lines)| (*at, &lines[..self.shown])),
            footer: &self.footer,
            store_dir,
        }
    }

    fn write(&self, store_dir: &str, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        if self.collapsed {
            let title = if self.title.is_empty() { "more" } else { &self.title };
            let rows = format_count(self.total as u64);
            return write_text(&format!("{title}: {rows} (--limit 0)"), Tone::Dim, style, out);
        }
        heading(&self.title, style, out)?;
        if self.rows.is_empty() && self.footer.is_empty() && !self.title.is_empty() {
            return Ok(());
        }
        self.grid(store_dir).write(style, out)?;
        match self.total - self.shown {
            0 => Ok(()),
            more => {
                let line = format!("{} more: --limit 0", format_count(more as u64));
                write_text(&line, Tone::Dim, style, out)
            }
        }
    }
}

/// Chooses how many rows of each list fit on the screen.
fn fit_height(blocks: &mut [Block<'_>], height: usize, style: &Style) -> io::Result<()> {
    // The line of the prompt, and the blank lines between the blocks.
    let mut fixed = blocks.len();
    let mut demands = Vec::new();
    for block in blocks.iter() {
        match block {
            Block::List(list) if !list.summary => {
                let title = wrapped(&list.title, style);
                let overhead = title + list.grid("").overhead();
                demands.push(Demand { rows: list.total, overhead, main: list.main });
            }
            Block::List(list) => {
                fixed += wrapped(&list.title, style) + list.grid("").overhead() + list.rows.len();
            }
            Block::Note(note) => fixed += wrapped(note, style),
            Block::Fields { title, fields } => {
                let mut lines = Vec::new();
                write_fields(fields, style, &mut lines)?;
                fixed += wrapped(title, style) + lines.iter().filter(|&&b| b == b'\n').count();
            }
        }
    }
    let chosen = plan(height.saturating_sub(fixed), &demands);
    let lists = blocks.iter_mut().filter_map(|block| match block {
        Block::List(list) if !list.summary => Some(list),
        _ => None,
    });
    for (list, rows) in lists.zip(chosen) {
        match rows {
            Some(rows) => list.show(rows),
            None => list.collapsed = true,
        }
    }
    Ok(())
}

impl List<'_> {
    /// Writes so many rows.
    fn show(&mut self, rows: usize) {
        if let Some((_, lines)) = &mut self.tree {
            heaviest::keep(&mut self.rows, lines, weight_of(&self.columns), rows);
        }
        self.shown = rows.min(self.rows.len());
    }
}

/// How many lines a text takes.
fn wrapped(text: &str, style: &Style) -> usize {
    match (text.is_empty(), style.width) {
        (true, _) => 0,
        (_, Some(width)) => wrap(text, width).len(),
        (_, None) => text.split('\n').count(),
    }
}

fn heading(title: &str, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if title.is_empty() { Ok(()) } else { write_text(title, Tone::Bold, style, out) }
}

/// A paragraph.
fn write_text(text: &str, tone: Tone, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<_> = text.split('\n').map(|line| escape(line.as_bytes())).collect();
    let text = style.plain(lines.join("\n"));
    let lines: Vec<Cow<'_, str>> = match style.width {
        Some(width) if columns_of(&text) > width || text.contains('\n') => {
            wrap(&text, width).into_iter().map(Cow::Owned).collect()
        }
        _ => vec![Cow::Borrowed(&text)],
    };
    for line in lines {
        writeln!(out, "{}", style.paint(&line, tone))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
