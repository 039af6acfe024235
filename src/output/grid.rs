//! Rows as lines: columns side by side, as wide as the terminal at most.

use super::blocks::{map_rows, write_numbered};
use super::branches::{DRAWN, LEVEL, branches, mark};
use super::names::Names;
use super::show::{Tone, show, show_in_row};
use super::width::{columns_of, cut, cut_end, wrap};
use super::{Style, bars};
use crate::answer::selection::weight_of;
use crate::answer::{Cell, Column, ColumnType, GraphLine};
use std::borrow::Cow;
use std::io::{self, Write};

/// Columns between columns.
const GAP: usize = 2;

/// The least that is left of a name, and of another text, before a column is
/// left out for it.
const NAME: usize = 24;
const TEXT: usize = 16;

/// The least of a name beside a single number.
const SHORTEST: usize = 8;

/// The least of a tree, and of a name in it; of what is to be copied.
const TREE: usize = 44;
const TREE_NAME: usize = 16;
const ARGUMENTS: usize = 52;

/// A list of rows to be drawn.
pub(super) struct Grid<'g, 'a> {
    pub(super) columns: &'g [Column],
    pub(super) rows: &'g [Vec<Cell<'a>>],
    /// The column of a tree's branches, and the lines of the tree.
    pub(super) tree: Option<(usize, &'g [GraphLine])>,
    /// The last line; may be empty.
    pub(super) footer: &'g [Cell<'a>],
    pub(super) store_dir: &'g str,
}

/// A column of texts.
struct Strip {
    heading: String,
    /// The key by which it is asked for.
    key: &'static str,
    rank: u8,
    /// Numbers stand on the right, and are never cut.
    right: bool,
    whole: bool,
    /// Whether texts are cut at their end, not in the middle.
    describes: bool,
    texts: Vec<String>,
    footer: String,
    width: usize,
    /// How wide it would be if there were room.
    wanted: usize,
    least: usize,
    /// The branches before each text, and the mark after it.
    tree: Option<Tree>,
    /// Whether the tone of a row is that of its weight here.
    toned: bool,
    /// Of a column of changes: the tone of each row's.
    changes: Vec<Option<Tone>>,
}

struct Tree {
    before: Vec<String>,
    after: Vec<&'static str>,
}

impl Grid<'_, '_> {
    /// How many lines it takes, but for its rows and what it leaves out.
    pub(super) fn overhead(&self) -> usize {
        1 + usize::from(!self.footer.is_empty())
    }

    /// Writes it.
    pub(super) fn write(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let tones = self.tones();
        let mut strips = self.strips(style);
        let missing = style.width.map(|width| fit(&mut strips, width)).unwrap_or_default();
        for strip in &mut strips {
            // A tree that fits is drawn whole.
            if let (Some(_), Some((_, lines))) = (&strip.tree, self.tree)
                && strip.width < strip.wanted
            {
                strip.tree = Some(tree_within(lines, strip.width, style));
            }
        }
        let mut heading = String::new();
        line(&strips, style, &mut heading, |strip| (Cow::Borrowed(&strip.heading), Tone::Bold));
        out.write_all(heading.as_bytes())?;
        let put = |row: usize, text: &mut String| {
            line(&strips, style, text, |strip| {
                let tone = if strip.toned { tones[row] } else { Tone::Plain };
                let own = strip.changes.get(row).copied().flatten();
                (strip.text(row, style), own.unwrap_or(tone))
            });
            Ok(())
        };
        write_numbered(0..tones.len(), put, |text| out.write_all(text))?;
        if !self.footer.is_empty() {
            let mut footer = String::new();
            line(&strips, style, &mut footer, |strip| (Cow::Borrowed(&strip.footer), Tone::Bold));
            out.write_all(footer.as_bytes())?;
        }
        if !missing.is_empty() {
            let note = format!("too narrow for: {}", missing.join(", "));
            for line in wrap(&note, style.width.unwrap_or(usize::MAX)) {
                writeln!(out, "{}", style.paint(&line, Tone::Dim))?;
            }
        }
        Ok(())
    }

    /// How heavy each row is beside the heaviest.
    fn tones(&self) -> Vec<Tone> {
        let weight = weight_of(self.columns).filter(|&at| self.columns[at].weight);
        let size = |row: &Vec<Cell<'_>>| match row.get(weight?)? {
            Cell::Size(n) => Some(*n),
            _ => None,
        };
        let largest = self.rows.iter().filter_map(size).max().unwrap_or(0);
        let repeated = |row: usize| self.tree.is_some_and(|(_, lines)| lines[row].repeated);
        let tone = |(i, row): (usize, &Vec<Cell<'_>>)| match size(row) {
            _ if repeated(i) => Tone::Dim,
            None => Tone::Plain,
            Some(n) if n >= largest / 2 && n > 0 => Tone::Heavy,
            Some(n) if n >= largest / 10 && n > 0 => Tone::Medium,
            Some(n) if n < largest / 100 => Tone::Dim,
            Some(_) => Tone::Plain,
        };
        self.rows.iter().enumerate().map(tone).collect()
    }

    /// All columns, as wide as they would like to be.
    fn strips(&self, style: &Style) -> Vec<Strip> {
        let weight = weight_of(self.columns);
        let mut strips = Vec::new();
        for (at, column) in self.columns.iter().enumerate().filter(|(_, c)| !c.hidden) {
            strips.push(self.strip(at, column, style));
            if weight == Some(at) && column.share && style.width.is_some() {
                strips.extend(self.share(at, style));
            }
        }
        strips
    }

    fn strip(&self, at: usize, column: &Column, style: &Style) -> Strip {
        let cells = || self.rows.iter().filter_map(move |row| row.get(at));
        let names = Names::new(column, cells(), self.store_dir, style);
        let text = |row: &Vec<Cell<'_>>| match (row.get(at), &names) {
            (None, _) => String::new(),
            (Some(cell), Some(names)) => names.show(cell, self.store_dir, style),
            (Some(cell), None) => show_in_row(cell, style),
        };
        let texts = map_rows(0..self.rows.len(), |row| text(&self.rows[row]));
        let footer = self.footer.get(at).map(|cell| show(cell, style)).unwrap_or_default();
        let right = cells().any(Cell::is_number);
        let whole = right || cells().any(|cell| matches!(cell, Cell::Time(_) | Cell::Bool(_)));
        let heading = match names {
            Some(_) if column.key == "path" => "name",
            _ => column.heading,
        };
        let tree = self.tree.filter(|(place, _)| *place == at);
        let tree = tree.map(|(_, lines)| tree_within(lines, usize::MAX, style));
        let mut strip = Strip {
            heading: style.plain(heading.to_owned()),
            key: column.key,
            rank: column.rank,
            right,
            whole,
            describes: column.describes,
            texts,
            footer,
            width: 0,
            wanted: 0,
            least: 0,
            tree,
            toned: column.weight || column.holds == ColumnType::Path,
            changes: Vec::new(),
        };
        if column.holds == ColumnType::Change {
            let change = |row: &Vec<Cell<'_>>| row.get(at).and_then(Tone::of_change);
            strip.changes = self.rows.iter().map(change).collect();
        }
        let arguments = cells().any(|cell| matches!(cell, Cell::Arguments(_)));
        strip.measure(match column.rank {
            _ if strip.tree.is_some() => TREE,
            _ if arguments => ARGUMENTS,
            0 => NAME,
            _ if column.describes => NAME,
            _ => TEXT,
        });
        strip
    }

    /// What part of the whole each row is, as a bar and a number; nothing if the
    /// whole is not known.
    fn share(&self, at: usize, style: &Style) -> Option<Strip> {
        let size = |cell: &Cell<'_>| match cell {
            Cell::Size(n) => Some(*n),
            _ => None,
        };
        let of = |row: &Vec<Cell<'_>>| row.get(at).and_then(size);
        let whole = self.footer.get(at).and_then(size).filter(|&whole| whole > 0)?;
        let largest = self.rows.iter().filter_map(of).max().unwrap_or(0);
        let long = if style.width.is_some_and(|width| width >= 100) { 12 } else { 6 };
        let text = |row: &Vec<Cell<'_>>| match of(row) {
            Some(0) | None => String::new(),
            Some(n) => bars::share(n, largest, whole, long, style.ascii),
        };
        let mut strip = Strip {
            heading: "share".to_owned(),
            key: "share",
            rank: 4,
            right: false,
            whole: true,
            describes: false,
            texts: self.rows.iter().map(text).collect(),
            footer: String::new(),
            width: 0,
            wanted: 0,
            least: 0,
            tree: None,
            toned: true,
            changes: Vec::new(),
        };
        strip.measure(0);
        Some(strip)
    }
}

impl Strip {
    /// Finds how wide it would like to be, and how narrow it may be.
    fn measure(&mut self, least: usize) {
        let before = |row: usize| {
            self.tree
                .as_ref()
                .map_or(0, |tree| columns_of(&tree.before[row]) + columns_of(tree.after[row]))
        };
        let rows = self.texts.iter().enumerate().map(|(row, text)| before(row) + columns_of(text));
        let ends = [&self.heading, &self.footer].map(|text| columns_of(text));
        let numbers = rows.chain(ends);
        self.wanted = numbers.max().unwrap_or(0);
        self.width = self.wanted;
        self.least = if self.whole { self.width } else { self.width.min(least) };
    }

    /// Whether all of its texts fit.
    fn fits(&self) -> bool {
        self.width >= self.wanted
    }

    /// The text of a row; of a tree with its branches, and no wider than the column.
    fn text(&self, row: usize, style: &Style) -> Cow<'_, str> {
        let text = &self.texts[row];
        let Some(tree) = &self.tree else { return Cow::Borrowed(text) };
        let (before, after) = (&tree.before[row], tree.after[row]);
        if self.fits() {
            return Cow::Owned([before, text, after].concat());
        }
        let taken = columns_of(before) + columns_of(after);
        let name = cut(text, self.width.saturating_sub(taken), style.ascii);
        Cow::Owned([before.as_str(), &name, after].concat())
    }

    /// A text as wide as the column at most.
    fn cut<'t>(&self, text: &'t str, style: &Style) -> Cow<'t, str> {
        let cut = if self.describes { cut_end } else { cut };
        if self.fits() { Cow::Borrowed(text) } else { cut(text, self.width, style.ascii) }
    }
}

/// The branches of a tree that leave room for names in so many columns.
fn tree_within(lines: &[GraphLine], columns: usize, style: &Style) -> Tree {
    let levels = (columns.saturating_sub(TREE_NAME) / LEVEL).clamp(1, DRAWN);
    let before = branches(lines, levels).into_iter().map(|text| style.plain(text)).collect();
    Tree { before, after: lines.iter().map(mark).collect() }
}

/// Makes columns fit: texts shrink as far as they can be read, then the least
/// important columns go. The keys of those.
fn fit(strips: &mut Vec<Strip>, width: usize) -> Vec<&'static str> {
    let needed = |strips: &[Strip]| {
        let sum: usize = strips.iter().map(|strip| strip.least).sum();
        sum + GAP * strips.len().saturating_sub(1)
    };
    let mut missing = Vec::new();
    while strips.len() > 1 && needed(strips) > width {
        // Of equal ones the last; a name last of all, and of names the first.
        let rank = |i: &usize| (strips[*i].rank, strips[*i].whole, *i);
        let goes = (0..strips.len()).max_by_key(rank).unwrap_or(0);
        if strips[goes].rank == 0 {
            // A name may be shorter still beside a number.
            let names: Vec<usize> = (0..strips.len()).filter(|&i| !strips[i].whole).collect();
            let shortest = if names.is_empty() { 0 } else { SHORTEST };
            if names.iter().any(|&i| strips[i].least > shortest) {
                names.into_iter().for_each(|i| strips[i].least = strips[i].least.min(shortest));
                continue;
            }
        }
        missing.push(strips.remove(goes).key);
    }
    if let [only] = strips.as_mut_slice() {
        only.least = only.least.min(width);
    }
    // What is left goes to those that would like more, in equal parts.
    let mut left = width.saturating_sub(needed(strips));
    let mut widths: Vec<usize> = strips.iter().map(|strip| strip.least).collect();
    loop {
        let hungry: Vec<usize> =
            (0..strips.len()).filter(|&i| widths[i] < strips[i].width).collect();
        if left == 0 || hungry.is_empty() {
            break;
        }
        let part = (left / hungry.len()).max(1);
        for i in hungry {
            let more = part.min(strips[i].width - widths[i]).min(left);
            widths[i] += more;
            left -= more;
        }
    }
    for (strip, width) in strips.iter_mut().zip(widths) {
        strip.width = width;
    }
    missing.reverse();
    missing
}

/// Puts a line of a text of each column at the end of `line`.
fn line<'s>(
    strips: &'s [Strip],
    style: &Style,
    line: &mut String,
    text: impl Fn(&'s Strip) -> (Cow<'s, str>, Tone),
) {
    // Blanks are written only before what follows them.
    let mut blanks = 0;
    for (i, strip) in strips.iter().enumerate() {
        let (text, tone) = text(strip);
        let text = strip.cut(&text, style);
        let text = text.trim_end();
        blanks += if i > 0 { GAP } else { 0 };
        if text.is_empty() {
            blanks += strip.width;
            continue;
        }
        let last = i + 1 == strips.len();
        let pad =
            if last && !strip.right { 0 } else { strip.width.saturating_sub(columns_of(text)) };
        let (left, right) = if strip.right { (pad, 0) } else { (0, pad) };
        line.extend(std::iter::repeat_n(' ', blanks + left));
        style.paint_in(line, text, tone);
        blanks = right;
    }
    line.push('\n');
}
