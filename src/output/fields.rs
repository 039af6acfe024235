//! Named values, one a line, with remarks.

use super::Style;
use super::show::{Tone, show};
use super::width::{columns_of, wrap};
use crate::answer::Field;
use std::io::{self, Write};

/// The narrowest column that a remark is wrapped in.
const REMARK: usize = 20;

/// Writes those that people see.
pub(super) fn write_fields(
    fields: &[Field<'_>],
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let shown: Vec<_> = fields.iter().filter(|f| !f.label.is_empty()).collect();
    let text = |text: &str| style.plain(text.to_owned());
    let labels: Vec<_> = shown.iter().map(|f| text(&f.label)).collect();
    let values: Vec<_> = shown.iter().map(|f| show(&f.cell, style)).collect();
    let label_width = labels.iter().map(|label| columns_of(label)).max().unwrap_or(0);
    let number_width = (shown.iter().zip(&values))
        .filter(|(f, _)| f.cell.is_number())
        .map(|(_, v)| columns_of(v))
        .max()
        .unwrap_or(0);
    for ((field, label), value) in shown.iter().zip(labels).zip(values) {
        let left = if field.cell.is_number() { number_width } else { 0 };
        let pad = left.saturating_sub(columns_of(&value));
        let begin = format!("{label}{}", " ".repeat(label_width - columns_of(&label) + 2));
        let value = format!("{}{value}", " ".repeat(pad));
        let tone = Tone::of_change(&field.cell).unwrap_or_default();
        write_field(&begin, (&value, tone), &text(&field.remark), style, out)?;
    }
    Ok(())
}

/// A label with the blanks behind it, a value, and what is said of it.
fn write_field(
    label: &str,
    (value, tone): (&str, Tone),
    remark: &str,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let remarked = |remark: &str| style.paint(remark, Tone::Dim);
    let (at, end) = (columns_of(label), columns_of(label) + columns_of(value));
    let Some(width) = style.width.filter(|width| end + 2 + columns_of(remark) > *width) else {
        let gap = if remark.is_empty() { "" } else { "  " };
        let value = style.paint(value, tone);
        return writeln!(out, "{label}{value}{gap}{}", remarked(remark));
    };
    // The value beside its label, else below it.
    let mut column = end + 2;
    if end <= width {
        write!(out, "{label}{}", style.paint(value, tone))?;
    } else if at + REMARK <= width {
        let mut begin = label.to_owned();
        for line in wrap(value.trim_start(), width - at) {
            writeln!(out, "{begin}{line}")?;
            begin = " ".repeat(at);
        }
        column = at;
    } else {
        for line in wrap(label.trim_end(), width) {
            writeln!(out, "{line}")?;
        }
        for line in wrap(value.trim_start(), width.saturating_sub(2)) {
            writeln!(out, "  {line}")?;
        }
        column = 2;
    }
    let beside = end <= width && column + REMARK <= width;
    if !beside && end <= width {
        writeln!(out)?;
        column = if at + REMARK <= width { at } else { 2 };
    }
    if remark.is_empty() {
        return if beside { writeln!(out) } else { Ok(()) };
    }
    for (i, line) in wrap(remark, width.saturating_sub(column)).iter().enumerate() {
        let indent = if i == 0 && beside { 2 } else { column };
        writeln!(out, "{}{}", " ".repeat(indent), remarked(line))?;
    }
    Ok(())
}
