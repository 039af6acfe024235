//! Store paths by their names, with a part of the hash where names are equal.

use super::{Style, show::show};
use crate::answer::selection::store_path_in;
use crate::answer::{Cell, Column, ColumnType};
use crate::arrange::Arrange as _;
use std::borrow::Cow;
use std::collections::HashMap;

/// How many characters of a hash part are shown at least.
const HASH: usize = 7;

/// The names of the paths of one column.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The hash parts of all paths of each name.
    hashes: HashMap<String, Vec<String>>,
    /// Whether anything was shortened.
    pub(super) shortened: bool,
}

impl Names {
    /// The names in a column of these rows.
    pub(super) fn new<'c>(
        column: &Column,
        cells: impl Iterator<Item = &'c Cell<'c>>,
        store_dir: &str,
        style: &Style,
    ) -> Option<Self> {
        if !style.short_paths() || column.holds != ColumnType::Path {
            return None;
        }
        let mut names = Self::default();
        for cell in cells {
            let Some(text) = path_text(cell) else { continue };
            let Some((hash, name)) = short(&text, store_dir) else { continue };
            names.shortened = true;
            names.hashes.entry(name).or_default().push(hash.to_owned());
        }
        for hashes in names.hashes.values_mut() {
            hashes.arrange();
            hashes.dedup();
        }
        names.shortened.then_some(names)
    }

    /// A cell of the column as it is shown.
    pub(super) fn show(&self, cell: &Cell<'_>, store_dir: &str, style: &Style) -> String {
        let shortened = path_text(cell).and_then(|text| {
            let (hash, name) = short(&text, store_dir)?;
            let hashes = self.hashes.get(&name).map(Vec::as_slice).unwrap_or_default();
            let name = show(&Cell::text(name), style);
            Some(match hashes {
                [_] => name,
                hashes => format!("{name} ({})", &hash[..distinct(hashes)]),
            })
        });
        shortened.unwrap_or_else(|| show(cell, style))
    }
}

/// How many characters tell sorted hash parts apart.
fn distinct(hashes: &[String]) -> usize {
    let common = |pair: &[String]| {
        let pairs = pair[0].bytes().zip(pair[1].bytes());
        pairs.take_while(|(a, b)| a == b).count()
    };
    hashes.windows(2).map(|pair| common(pair) + 1).max().unwrap_or(0).max(HASH)
}

fn path_text<'c>(cell: &'c Cell<'_>) -> Option<Cow<'c, str>> {
    match cell {
        Cell::Text(text) => Some(Cow::Borrowed(text)),
        // What is not UTF-8 is shown as it is.
        Cell::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        _ => None,
    }
}

/// The hash part of a store path, and its name with the name of a file in it.
fn short<'t>(text: &'t str, store_dir: &str) -> Option<(&'t str, String)> {
    let base = match text.strip_prefix(store_dir) {
        Some(rest) => rest.strip_prefix('/')?,
        None => Some(text).filter(|text| !text.starts_with('/'))?,
    };
    let (path, file) = store_path_in(base)?;
    // Its name must come first.
    let name = || format!("{}{file}", path.name());
    base.starts_with(path.base_name()).then(|| (path.hash_part(), name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_only_where_names_are_equal() {
        let base = |hash: char, name: &str| format!("/s/{}-{name}", hash.to_string().repeat(32));
        let texts = [
            base('1', "source"),
            base('2', "source"),
            base('3', "ghc-9.0.2"),
            base('3', "ghc-9.0.2"),
            base('4', "a") + "/bin/a",
            "/nix/var/x".to_owned(),
        ];
        let cells: Vec<Cell<'_>> = texts.iter().map(|t| Cell::text(t.as_str())).collect();
        let style = Style { width: Some(80), ..Style::default() };
        let column = Column::path("path");
        let names = Names::new(&column, cells.iter(), "/s", &style).unwrap();
        let shown: Vec<_> = cells.iter().map(|cell| names.show(cell, "/s", &style)).collect();
        let expected = [
            "source (1111111)",
            "source (2222222)",
            "ghc-9.0.2",
            "ghc-9.0.2",
            "a/bin/a",
            "/nix/var/x",
        ];
        assert_eq!(shown, expected);
        let full = Style { full_paths: true, ..style };
        assert!(Names::new(&column, cells.iter(), "/s", &full).is_none());
        assert!(Names::new(&column, cells.iter(), "/s", &Style::default()).is_none());
    }
}
