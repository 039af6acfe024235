//! Findings in groups: one row for each kind and store path.

use crate::answer::selection::store_path_in_bytes;
use crate::answer::{Cell, Column, Finding, RowIter};
use std::collections::HashMap;

/// The findings of each kind in each store path as one row, in the order in which
/// they are met. A finding by itself keeps what was expected and found.
pub(super) fn grouped<'a>(
    findings: Box<dyn Iterator<Item = Finding<'a>> + 'a>,
) -> (Vec<Column>, RowIter<'a>) {
    let columns = vec![
        Column::count("files").rank(1),
        Column::text("severity").rank(4),
        Column::text("kind").rank(1),
        Column::path("path"),
        Column::text("expected").rank(6),
        Column::text("found").rank(5),
    ];
    let mut groups: Vec<(u64, Finding<'a>, Vec<u8>)> = Vec::new();
    let mut places: HashMap<(&'static str, Vec<u8>), usize> = HashMap::new();
    for finding in findings {
        let whole = &*finding.path;
        let path = match store_path_in_bytes(whole) {
            Some((_, inside)) => whole[..whole.len() - inside.len()].to_owned(),
            None => whole.to_owned(),
        };
        let next = groups.len();
        match *places.entry((finding.kind, path.clone())).or_insert(next) {
            at if at == next => groups.push((1, finding, path)),
            at => groups[at].0 += 1,
        }
    }
    let row = |(files, finding, path): (u64, Finding<'a>, Vec<u8>)| {
        let mut row = finding.row();
        row.truncate(5);
        let mut cells = row.drain(..);
        let (kind, severity) = (cells.next(), cells.next());
        let (whole, expected, found) = (cells.next(), cells.next(), cells.next());
        let alone = files == 1;
        let of_one = |cell: Option<Cell<'a>>| match cell {
            Some(cell) if alone => cell,
            _ => Cell::text(""),
        };
        let path = if alone { whole } else { Some(Cell::Bytes(path.into())) };
        let of_all = |cell: Option<Cell<'a>>| cell.unwrap_or(Cell::Missing);
        vec![
            Cell::Count(files),
            of_all(severity),
            of_all(kind),
            of_all(path),
            of_one(expected),
            of_one(found),
        ]
    };
    (columns, RowIter::new(groups.into_iter().map(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_bytes_that_are_no_text_are_two() {
        let finding = |path: &'static [u8]| Finding {
            kind: "mode",
            severity: "error",
            path: path.into(),
            expected: None,
            found: None,
            hint: "",
        };
        let findings = [&b"/x/\xfe"[..], b"/x/\xff", b"/x/\xff"].map(finding);
        let (_, rows) = grouped(Box::new(findings.into_iter()));
        let counts: Vec<_> = rows.map(|row| format!("{:?}", row[0])).collect();
        assert_eq!(counts, ["Count(1)", "Count(2)"]);
    }
}
