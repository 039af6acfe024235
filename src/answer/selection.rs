//! Which rows of an answer are written, in which order, and with which columns:
//! the same for every list of every answer.
use crate::arrange::Arrange as _;

use super::{Cell, Column, ColumnType, Document, Finding, GraphLine, RowIter, Section};
use crate::census::{TargetError, parse_glob};
use crate::glob::Glob;
use crate::store::{Package, StorePath};
use std::borrow::Cow;
use std::cmp::Reverse;

/// What is asked for of the rows of an answer. The default asks for all of them.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The keys of the columns to write, in order; empty for the answer's own.
    /// Lists that lack one of them are written as they are.
    pub columns: Vec<String>,
    /// The key of the column to sort by: sizes, counts and times from the
    /// largest down, texts from the first up, unknown last.
    pub sort: Option<String>,
    /// Whether the order is turned round.
    pub reverse: bool,
    /// At most so many rows of each list; see [`Document::limit`].
    pub limit: Option<usize>,
    /// Only rows of at least so many bytes: of the column that is sorted by if it
    /// holds sizes, else of the one that the list is weighed by. What is unknown may
    /// be as large.
    pub min_size: u64,
    /// Only rows of paths that this means: see [`Filter`].
    pub filter: Option<Filter>,
}

/// Why an answer has no such rows.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// No list has all these columns.
    #[error("there is no such column '{key}'; there are: {}", .columns.join(", "))]
    Column {
        /// The key that was asked for.
        key: String,
        /// The keys of the list that answers the question.
        columns: Vec<&'static str>,
    },
    /// There are rows, but of none of them is the name so.
    #[error("no row has a name that matches '{0}'")]
    NoMatch(String),
}

impl Selection {
    /// The answer with the rows and columns asked for.
    ///
    /// # Errors
    /// If no list of it has such a column, or no row a name that matches.
    pub fn apply<'a>(&self, document: Document<'a>) -> Result<Document<'a>, SelectionError> {
        let main = document.main;
        let Document { head, sections, .. } = document;
        self.check_columns(&sections, main)?;
        let (mut before, mut after) = (false, false);
        let mut selected = Vec::with_capacity(sections.len());
        for section in sections {
            selected.push(self.section(section, &mut before, &mut after));
        }
        if let (Some(filter), true, false) = (&self.filter, before, after) {
            return Err(SelectionError::NoMatch(filter.text.clone()));
        }
        Ok(Document { head, sections: selected, main, limit: self.limit })
    }

    fn check_columns(&self, sections: &[Section<'_>], main: &str) -> Result<(), SelectionError> {
        let lists: Vec<_> = sections.iter().filter_map(selectable).collect();
        if lists.is_empty() {
            return Ok(());
        }
        let sorts = self.sort.as_slice();
        for keys in [sorts, &self.columns] {
            let has = |columns: &[Column], key: &String| columns.iter().any(|c| c.key == key);
            if lists.iter().any(|(_, columns)| keys.iter().all(|key| has(columns, key))) {
                continue;
            }
            let (_, columns) = lists.iter().find(|(key, _)| *key == main).unwrap_or(&lists[0]);
            let lacking = keys.iter().find(|key| !has(columns, key)).unwrap_or(&keys[0]);
            return Err(SelectionError::Column {
                key: lacking.clone(),
                columns: columns.iter().map(|c| c.key).collect(),
            });
        }
        Ok(())
    }

    /// One section; says whether it had rows that the filter looked at, and left any.
    fn section<'a>(
        &self,
        section: Section<'a>,
        before: &mut bool,
        after: &mut bool,
    ) -> Section<'a> {
        match section {
            Section::Rows { key, title, columns, mut rows, mut footer, summary: false } => {
                rows = self.rows(&columns, rows, before, after);
                let (kept, columns) = self.columns(columns);
                if let Some(kept) = kept {
                    footer = pick(&footer, &kept);
                    rows = rows.each(move |row| pick(&row, &kept));
                }
                Section::Rows { key, title, columns, rows, footer, summary: false }
            }
            Section::Graph { key, columns, node, lines, rows } => {
                self.graph(key, columns, node, lines, rows, before, after)
            }
            Section::Findings { title, findings } => {
                let findings = self.findings(findings.collect());
                let columns = Finding::columns();
                if self.columns.is_empty() {
                    return Section::Findings { title, findings: Box::new(findings.into_iter()) };
                }
                let rows = findings.into_iter().map(Finding::row);
                let chosen = Self { columns: self.columns.clone(), ..Self::default() };
                let list = Section::rows(Section::FINDINGS, title, columns, rows);
                chosen.section(list, before, after)
            }
            other => other,
        }
    }

    /// The findings that are left, in their order. That nothing is wrong with what the
    /// filter means is an answer.
    fn findings<'a>(&self, mut findings: Vec<Finding<'a>>) -> Vec<Finding<'a>> {
        if let Some(filter) = &self.filter {
            let paths: Vec<_> = findings.iter().map(|f| String::from_utf8_lossy(&f.path)).collect();
            let mut keep = filter.matching(&paths).into_iter();
            findings.retain(|_| keep.next().unwrap_or(false));
        }
        if let Some(at) = self.sort_column(&Finding::columns()) {
            findings.arrange_by_cached_key(|finding| {
                let cell = finding.clone().row().swap_remove(at);
                (matches!(cell, Cell::Missing), text(&cell).into_owned())
            });
        }
        if self.reverse {
            findings.reverse();
        }
        findings
    }

    /// The rows that are left, in their order.
    fn rows<'a>(
        &self,
        columns: &[Column],
        rows: RowIter<'a>,
        before: &mut bool,
        after: &mut bool,
    ) -> RowIter<'a> {
        let sort = self.sort_column(columns);
        let mut rows = rows;
        if let Some(weight) = self.weighed_by(columns) {
            let least = self.min_size;
            rows = RowIter::new(rows.filter(move |row| is_heavy(&row[weight], least)));
        }
        let filter = self.filter.as_ref().filter(|_| columns.iter().any(Column::is_named));
        if sort.is_none() && filter.is_none() && !self.reverse {
            return rows;
        }
        let mut rows: Vec<Vec<Cell<'a>>> = rows.collect();
        if let Some(filter) = filter {
            *before |= !rows.is_empty();
            let mut keep = filter.matching_rows(columns, &rows).into_iter();
            rows.retain(|_| keep.next().unwrap_or(false));
            *after |= !rows.is_empty();
        }
        if let Some(at) = sort {
            sort_rows(&mut rows, at);
        }
        if self.reverse {
            rows.reverse();
        }
        RowIter::new(rows.into_iter())
    }

    /// The columns left, and where they were; `None` if all are. What is sorted by
    /// tables show too.
    fn columns(&self, mut columns: Vec<Column>) -> (Option<Vec<usize>>, Vec<Column>) {
        if self.columns.is_empty() {
            if let Some(at) = self.sort_column(&columns) {
                columns[at] = columns[at].hidden_if(false);
            }
            return (None, columns);
        }
        let place = |key: &String| columns.iter().position(|c| c.key == key);
        let Some(kept) = self.columns.iter().map(place).collect::<Option<Vec<usize>>>() else {
            return (None, columns);
        };
        let columns = kept.iter().map(|&at| columns[at].hidden_if(false)).collect();
        (Some(kept), columns)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a section")]
    fn graph<'a>(
        &self,
        key: &'static str,
        columns: Vec<Column>,
        node: &'static str,
        lines: Cow<'a, [GraphLine]>,
        rows: RowIter<'a>,
        before: &mut bool,
        after: &mut bool,
    ) -> Section<'a> {
        let (sort, weight) = (self.sort_column(&columns), self.weighed_by(&columns));
        let untouched = sort.is_none() && weight.is_none() && self.filter.is_none();
        if untouched && !self.reverse && self.columns.is_empty() {
            return Section::Graph { key, columns, node, lines, rows };
        }
        // A tree that is sorted is a list, with each path once.
        if sort.is_some() || self.reverse {
            let mut met = std::collections::HashSet::new();
            let first: Vec<bool> = lines.iter().map(|line| met.insert(line.node)).collect();
            let rows = rows.zip(first).filter(|(_, first)| *first).map(|(row, _)| row);
            let list = Section::rows(key, "", columns, rows);
            return self.section(list, before, after);
        }
        let rows: Vec<Vec<Cell<'a>>> = rows.collect();
        let mut keep = vec![true; rows.len()];
        if let Some(weight) = weight {
            keep = rows.iter().map(|row| is_heavy(&row[weight], self.min_size)).collect();
        }
        if let Some(filter) = &self.filter {
            *before |= !rows.is_empty();
            let matching = filter.matching_rows(&columns, &rows);
            *after |= matching.contains(&true);
            keep.iter_mut().zip(matching).for_each(|(keep, matches)| *keep &= matches);
        }
        keep_ancestors(&lines, &mut keep);
        let kept = |i: &usize| keep[*i];
        let lines: Vec<GraphLine> = (0..lines.len()).filter(kept).map(|i| lines[i]).collect();
        let mut keep = keep.iter();
        let rows: Vec<_> = rows.into_iter().filter(|_| *keep.next().unwrap_or(&true)).collect();
        let (picked, columns) = self.columns(columns);
        let rows = rows.into_iter().map(move |row| match &picked {
            Some(kept) => pick(&row, kept),
            None => row,
        });
        Section::Graph { key, columns, node, lines: lines.into(), rows: RowIter::new(rows) }
    }

    fn sort_column(&self, columns: &[Column]) -> Option<usize> {
        let sort = self.sort.as_ref()?;
        columns.iter().position(|column| column.key == sort)
    }

    /// The column whose sizes must not be too small, if any are.
    fn weighed_by(&self, columns: &[Column]) -> Option<usize> {
        let size = |at: &usize| is_size(&columns[*at]);
        let weight = || weight_of(columns);
        (self.min_size > 0).then(|| self.sort_column(columns).filter(size).or_else(weight))?
    }
}

/// Whether rows may be weighed by it: by sizes, and by differences said to be what counts.
fn is_size(column: &Column) -> bool {
    column.holds == ColumnType::Size || column.holds == ColumnType::Change && column.weight
}

/// Whether it holds so many bytes, more or less: what is not known may be as large.
fn is_heavy(cell: &Cell<'_>, least: u64) -> bool {
    number(cell).is_none_or(|n| n.unsigned_abs() >= least.into())
}

/// The column that a list is weighed by: the one said to be, else the first of
/// sizes that tables show.
pub(crate) fn weight_of(columns: &[Column]) -> Option<usize> {
    let size = |c: &Column| is_size(c) && !c.hidden;
    (columns.iter().position(|c| c.weight && size(c))).or_else(|| columns.iter().position(size))
}

/// Keeps the lines that are above those to keep.
pub(crate) fn keep_ancestors(lines: &[GraphLine], keep: &mut [bool]) {
    // Whether a line one level down is kept since the last line of this level.
    let mut below: Vec<bool> = Vec::new();
    for (i, line) in lines.iter().enumerate().rev() {
        let depth = line.depth as usize;
        below.resize((depth + 2).max(below.len()), false);
        keep[i] |= std::mem::take(&mut below[depth + 1]);
        below[depth] |= keep[i];
    }
}

/// The key and columns of a list that rows may be chosen of.
fn selectable<'s>(section: &'s Section<'_>) -> Option<(&'static str, Cow<'s, [Column]>)> {
    match section {
        Section::Rows { key, columns, summary: false, .. }
        | Section::Graph { key, columns, .. } => Some((key, columns.into())),
        Section::Findings { .. } => Some((Section::FINDINGS, Finding::columns().into())),
        _ => None,
    }
}

fn pick<'a>(row: &[Cell<'a>], kept: &[usize]) -> Vec<Cell<'a>> {
    kept.iter().filter_map(|&at| row.get(at).cloned()).collect()
}

fn number(cell: &Cell<'_>) -> Option<i128> {
    match cell {
        Cell::Size(n) | Cell::Count(n) => Some((*n).into()),
        Cell::Change(n) | Cell::Time(n) => Some((*n).into()),
        Cell::Bool(b) => Some((*b).into()),
        Cell::List(list) => Some(list.len() as i128),
        Cell::Paths(list) => Some(list.len() as i128),
        Cell::StorePaths(_, list) => Some(list.len() as i128),
        Cell::Cells(list) => Some(list.len() as i128),
        Cell::Both(_, cell) => number(cell),
        Cell::BothLater(_, cells) => Some(cells.count() as i128),
        _ => None,
    }
}

fn text<'c>(cell: &'c Cell<'_>) -> Cow<'c, str> {
    match cell {
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Arguments(text) => Cow::Borrowed(text),
        Cell::Bytes(bytes) => String::from_utf8_lossy(bytes),
        Cell::Both(_, cell) => text(cell),
        _ => Cow::Borrowed(""),
    }
}

/// Sorts stably: numbers from the largest down, texts from the first up, what is
/// missing last.
fn sort_rows(rows: &mut [Vec<Cell<'_>>], at: usize) {
    rows.arrange_by(|a, b| {
        let (a, b) = (&a[at], &b[at]);
        let missing = |cell: &Cell<'_>| matches!(cell, Cell::Missing);
        match (number(a), number(b)) {
            (None, None) => (missing(a), text(a)).cmp(&(missing(b), text(b))),
            (a, b) => Reverse(a).cmp(&Reverse(b)),
        }
    });
}

/// What the name of a row is to be: a name or a package name, else a glob.
///
/// As everywhere, what is called exactly so comes before what matches: of all
/// rows those of that name, else those of that package, else those that the glob
/// matches. Without wildcards a glob matches what is called exactly so.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    glob: Glob,
}

impl Filter {
    /// A filter of that text.
    ///
    /// # Errors
    /// If it is not a valid glob.
    pub fn new(text: &str) -> Result<Self, TargetError> {
        Ok(Self { text: text.to_owned(), glob: parse_glob(text)? })
    }

    /// The text it was made of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which of these names match: store paths, files in them, or other names.
    pub fn matching(&self, names: &[impl AsRef<str>]) -> Vec<bool> {
        let how = names.iter().map(|name| self.rank(name.as_ref()));
        best(how.collect())
    }

    fn matching_rows(&self, columns: &[Column], rows: &[Vec<Cell<'_>>]) -> Vec<bool> {
        let named: Vec<usize> = (0..columns.len()).filter(|&i| columns[i].is_named()).collect();
        let of_row =
            |row: &Vec<Cell<'_>>| named.iter().filter_map(|&at| self.rank_cell(row.get(at)?)).min();
        best(rows.iter().map(of_row).collect())
    }

    fn rank_cell(&self, cell: &Cell<'_>) -> Option<Match> {
        match cell {
            Cell::Cells(cells) => cells.iter().filter_map(|cell| self.rank_cell(cell)).min(),
            Cell::Both(_, cell) => self.rank_cell(cell),
            Cell::BothLater(_, cells) => self.rank_cell(&cells.make()),
            Cell::Paths(names) => names.iter().filter_map(|name| self.rank(name)).min(),
            cell => self.rank(&text(cell)),
        }
    }

    fn rank(&self, name: &str) -> Option<Match> {
        let Some((path, file)) = store_path_in(name) else {
            let found = if name == self.text { Some(Match::Name) } else { None };
            return found.or_else(|| self.glob.is_match(name).then_some(Match::Pattern));
        };
        let calls = [name, path.base_name(), path.name()];
        if calls.contains(&self.text.as_str()) {
            return Some(Match::Name);
        }
        let package = Package::guess(path.name()).name;
        if self.text == package {
            return Some(Match::Package);
        }
        if self.text == path.pname() {
            return Some(Match::Pname);
        }
        let inside = format!("{}{file}", path.name());
        let calls = calls.iter().copied().chain([inside.as_str()]);
        calls.into_iter().any(|call| self.glob.is_match(call)).then_some(Match::Pattern)
    }
}

/// How a name matches, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Name,
    Package,
    Pname,
    Pattern,
}

/// The best way in which anything matches is what is meant.
fn best(how: Vec<Option<Match>>) -> Vec<bool> {
    let best = how.iter().flatten().min().copied();
    how.into_iter().map(|how| how.is_some() && how == best).collect()
}

/// The store path that a text names, by its base name or with a directory before
/// it, and what follows it: empty, or a file below.
pub(crate) fn store_path_in(text: &str) -> Option<(StorePath<'_>, &str)> {
    let (path, file) = store_path_in_bytes(text.as_bytes())?;
    Some((path, &text[text.len() - file.len()..]))
}

/// The same of a name that need not be UTF-8.
pub(crate) fn store_path_in_bytes(name: &[u8]) -> Option<(StorePath<'_>, &[u8])> {
    let mut at = 0;
    loop {
        let end = name[at..].iter().position(|&b| b == b'/').map_or(name.len(), |n| at + n);
        if let Ok(path) = StorePath::parse(&name[at..end]) {
            return Some((path, &name[end..]));
        }
        if end == name.len() {
            return None;
        }
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Head;
    use crate::warning::Warnings;

    const NAMES: [&str; 4] = ["vim-9.1", "vim-full-9.1", "neovim-0.10", "vim-9.1-doc"];

    fn path(name: &str) -> String {
        format!("/nix/store/{:032}-{name}", 1)
    }

    /// The names that are left of a list, in their order.
    fn names(selection: &Selection) -> Result<Vec<String>, String> {
        let warnings = Warnings::new();
        let head = Head { store_dir: "/nix/store", warnings: &warnings };
        let columns = vec![Column::size("size"), Column::path("path"), Column::text("step")];
        let sizes = [Cell::Size(3), Cell::Missing, Cell::Size(7), Cell::Size(1)];
        let rows = sizes.into_iter().zip(NAMES);
        let rows = rows.map(|(size, name)| vec![size, Cell::text(path(name)), Cell::text("x")]);
        let list = Section::rows("paths", "", columns, rows);
        let document = Document::new(head, vec![list], "paths");
        let document = selection.apply(document).map_err(|e| e.to_string())?;
        let limit = document.limit;
        let list = document.sections.into_iter().next().unwrap().into_list(limit).unwrap();
        let at = list.columns.iter().position(|c| c.key == "path").unwrap();
        let name = |row: Vec<Cell<'_>>| text(&row[at])[44..].to_owned();
        Ok(list.rows.map(name).collect())
    }

    fn left(selection: &Selection) -> Vec<String> {
        names(selection).unwrap()
    }

    #[test]
    fn nothing_asked_for_is_all() {
        assert_eq!(left(&Selection::default()), NAMES);
    }

    #[test]
    fn numbers_are_sorted_from_the_largest_and_the_unknown_last() {
        let by = |key: &str, reverse| {
            left(&Selection { sort: Some(key.into()), reverse, ..Selection::default() })
        };
        let sorted = ["neovim-0.10", "vim-9.1", "vim-9.1-doc", "vim-full-9.1"];
        assert_eq!(by("size", false), sorted);
        let mut reversed = sorted;
        reversed.reverse();
        assert_eq!(by("size", true), reversed);
        assert_eq!(by("path", false), ["neovim-0.10", "vim-9.1", "vim-9.1-doc", "vim-full-9.1"]);
    }

    #[test]
    fn a_size_that_is_not_known_may_be_large() {
        let left = left(&Selection { min_size: 3, ..Selection::default() });
        assert_eq!(left, ["vim-9.1", "vim-full-9.1", "neovim-0.10"]);
    }

    #[test]
    fn a_name_comes_before_a_package_and_that_before_a_pattern() {
        let by = |text: &str| {
            let filter = Some(Filter::new(text).unwrap());
            names(&Selection { filter, ..Selection::default() })
        };
        assert_eq!(by("vim-9.1").unwrap(), ["vim-9.1"]);
        assert_eq!(by("vim").unwrap(), ["vim-9.1", "vim-9.1-doc"]);
        assert_eq!(by("*vim*").unwrap(), NAMES);
        assert_eq!(by(&path("neovim-0.10")).unwrap(), ["neovim-0.10"]);
        assert!(by("emacs").unwrap_err().contains("emacs"));
    }

    #[test]
    fn findings_that_are_sorted_and_filtered_stay_findings() {
        let warnings = Warnings::new();
        let left = |selection: &Selection| {
            let head = Head { store_dir: "/nix/store", warnings: &warnings };
            let finding = |kind, name| Finding {
                kind,
                severity: "error",
                path: path(name).into_bytes().into(),
                expected: None,
                found: None,
                hint: "",
            };
            let findings = [finding("b", "two"), finding("a", "one"), finding("c", "two")];
            let findings = Box::new(findings.into_iter());
            let section = Section::Findings { title: String::new(), findings };
            let document = Document::new(head, vec![section], Section::FINDINGS);
            let mut document = selection.apply(document).unwrap();
            let kinds = |finding: Finding<'_>| finding.kind;
            match document.sections.remove(0) {
                Section::Findings { findings, .. } => findings.map(kinds).collect::<String>(),
                list => list
                    .into_list(None)
                    .unwrap()
                    .rows
                    .map(|row| text(&row[0]).into_owned())
                    .collect(),
            }
        };
        let sort = Some("kind".to_owned());
        assert_eq!(left(&Selection { sort: sort.clone(), ..Selection::default() }), "abc");
        assert_eq!(left(&Selection { sort, reverse: true, ..Selection::default() }), "cba");
        for columns in [vec![], vec!["kind".to_owned()]] {
            let by = |filter| {
                let filter = Some(Filter::new(filter).unwrap());
                left(&Selection { filter, columns: columns.clone(), ..Selection::default() })
            };
            assert_eq!((by("two").as_str(), by("three").as_str()), ("bc", ""));
        }
    }

    #[test]
    fn tables_show_what_is_sorted_by() {
        let warnings = Warnings::new();
        let hidden = |sort: Option<&str>| {
            let columns = vec![Column::size("size"), Column::count("inodes").hidden()];
            let row = vec![Cell::Size(1), Cell::Count(2)];
            let list = Section::rows("paths", "", columns, [row].into_iter());
            let head = Head { store_dir: "/nix/store", warnings: &warnings };
            let sort = sort.map(str::to_owned);
            let selection = Selection { sort, ..Selection::default() };
            let document = selection.apply(Document::new(head, vec![list], "paths")).unwrap();
            let list = document.sections.into_iter().next().unwrap().into_list(None).unwrap();
            list.columns[1].hidden
        };
        assert_eq!([hidden(None), hidden(Some("size"))], [true; 2]);
        assert!(!hidden(Some("inodes")));
    }

    #[test]
    fn columns_are_those_of_the_answer() {
        let columns = vec!["path".to_owned(), "size".to_owned()];
        let kept = Selection { columns, limit: Some(1), ..Selection::default() };
        assert_eq!(left(&kept), ["vim-9.1"]);
        let wrong = Selection { sort: Some("colour".into()), ..Selection::default() };
        assert!(names(&wrong).unwrap_err().contains("there are: size, path, step"));
    }

    #[test]
    fn a_filtered_graph_keeps_what_leads_to_what_matches() {
        let line = |node, depth| GraphLine { node, parent: None, depth, repeated: false };
        let lines = [line(0, 0), line(1, 1), line(2, 2), line(3, 1), line(4, 0)];
        let mut keep = [false, false, true, false, false];
        keep_ancestors(&lines, &mut keep);
        assert_eq!(keep, [true, true, true, false, false]);
    }

    #[test]
    fn a_store_path_is_found_in_the_name_of_a_file() {
        let file = format!("{}/bin/vim", path("vim-9.1"));
        let (found, inside) = store_path_in(&file).unwrap();
        assert_eq!((found.name(), inside), ("vim-9.1", "/bin/vim"));
        assert!(store_path_in("/nix/var/nix/profiles/system").is_none());
        assert!(store_path_in("").is_none());
    }
}
