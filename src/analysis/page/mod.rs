//! What a page for a browser shows of a census: its graph, and what is known of each path.
//!
//! The page computes nothing of what is examined but what follows from the graph: what
//! each path retains, what goes when references are cut. So it can do both again when
//! the user tries something, by the same rules as [`retained`](super::retained) and
//! [`what_if`](super::what_if).

mod fold;
#[cfg(test)]
mod tests;
use crate::arrange::Arrange as _;

use super::Gain;
use super::physical;
use super::report::{Column, Report, ReportOptions};
use super::retained::{Retained, Sizes, examined_roots, weighted};
use super::suggest::{Action, Suggestions};
use super::variants::families;
use crate::answer::Cell;
use crate::answer::page::{Page, PageKind, Values};
use crate::catalog::PathId;
use crate::census::{Census, PathIndex};
use crate::disk::{KindScan, LargestFiles};
use crate::graph::{Rows, TooHeavy};
use crate::kinds::FileKind;
use crate::text::escape;
use crate::warning::{Warning, Warnings};
use fold::Folded;
use serde_json::{Value, json};
use std::cmp::Reverse;

/// What of a report the page has of each path, beside names; what paths retain it
/// finds itself.
const COLUMNS: [Column; 22] = [
    Column::Package,
    Column::PackageVersion,
    Column::Output,
    Column::NarSize,
    Column::DiskNarSize,
    Column::ApparentSize,
    Column::DiskSize,
    Column::CopiedDiskSize,
    Column::SharedSize,
    Column::ReclaimableSize,
    Column::ClosureNarSize,
    Column::ClosureDiskSize,
    Column::Inodes,
    Column::ReclaimableInodes,
    Column::ClosureInodes,
    Column::Files,
    Column::Directories,
    Column::Symlinks,
    Column::RegistrationTime,
    Column::Deriver,
    Column::Ca,
    Column::DownloadSize,
];

/// What of extents, where blocks do not say it all.
const EXTENTS: [Column; 6] = [
    Column::PhysicalSize,
    Column::UncompressedSize,
    Column::ReferencedSize,
    Column::InlineSize,
    Column::ReclaimablePhysicalSize,
    Column::ClosurePhysicalSize,
];

/// How many files are named in all, the largest.
const FILES: usize = 6000;

/// How many warnings the page shows; it says how many more there are.
const WARNINGS: usize = 20;

/// How many builds that could be replaced are suggested.
const TWINS: usize = 5;

/// What was found in files, in the walk that summed.
pub(crate) struct Contents {
    /// What of each path is of which kind.
    pub(crate) kinds: KindScan,
    /// The largest files of each path.
    pub(crate) largest: LargestFiles,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PageError {
    /// Sizes sum to 2^64 bytes or more.
    #[error(transparent)]
    TooHeavy(#[from] TooHeavy),
    /// Sizes sum to 2^53 bytes or more.
    #[error("sizes sum to 2^53 bytes or more, and a browser does not count further")]
    TooLarge,
}

/// The pages of a census: they differ in how many paths they name, and what they have
/// in common is computed once.
pub(crate) struct Pages<'a> {
    census: &'a Census,
    contents: Option<&'a Contents>,
    suggestions: Option<&'a Suggestions>,
    command: &'a [String],
    report: Report,
    columns: Vec<Column>,
    graph: Rows,
    weights: Vec<Sizes>,
    roots: Vec<u32>,
    retained: Retained,
    families: Vec<Vec<PathIndex>>,
}

impl<'a> Pages<'a> {
    /// Computes what all pages show. `command` is that of `what-if` which changes are
    /// appended to.
    ///
    /// # Errors
    /// See [`PageError`]; only a forged store is too large.
    pub(crate) fn new(
        census: &'a Census,
        contents: Option<&'a Contents>,
        suggestions: Option<&'a Suggestions>,
        command: &'a [String],
    ) -> Result<Self, PageError> {
        let mut columns = COLUMNS.to_vec();
        if census.has_extents() {
            columns.extend(EXTENTS);
        }
        let report = Report::new(
            census,
            &ReportOptions {
                columns: columns.clone(),
                sort: Column::Path,
                reverse: false,
                limit: None,
                filter: None,
                targets_only: false,
            },
        )?;
        check(&report)?;
        let (graph, weights) = weighted(census);
        let roots = examined_roots(census);
        let retained = Retained::of(census, &graph, &weights, &roots)?;
        let families = families(census).into_values().collect();
        Ok(Self {
            census,
            contents,
            suggestions,
            command,
            report,
            columns,
            graph,
            weights,
            roots,
            retained,
            families,
        })
    }

    /// The page that names at most `named` paths; the rest is folded.
    pub(crate) fn page(&self, named: usize) -> Page {
        let Self { census, report, .. } = self;
        let weighted = (&self.graph, &self.weights[..]);
        let folded = Folded::new(census, weighted, &self.retained, &self.roots, named);
        let mut columns = names(census, &folded);
        for &column in &self.columns {
            let cell = |path: &PathIndex| column.cell(census, &report.rows[path.index()]);
            columns.extend(values(folded.named.iter().map(cell)).map(|of| (column.key(), of)));
        }
        columns.extend(nodes(census, &folded));
        if let Some(contents) = self.contents {
            columns.extend(kinds(&folded, &contents.kinds));
            columns.extend(files(&folded, &contents.largest));
        }
        columns.push(("family", family(&folded, &self.families)));

        let title = title(census);
        let mut facts = facts(census, report, &folded);
        facts.push(("command", json!(self.command)));
        facts.push(("title", json!(title)));
        facts.push(("suggestions", suggested(&folded, self.suggestions)));
        Page { kind: PageKind::Closure, title, facts, columns }
    }
}

/// What is examined, in a few words.
pub(super) fn title(census: &Census) -> String {
    let name = |&id: &PathId| census.catalog.store_path(id).name().to_owned();
    match &census.targets[..] {
        [] => census.catalog.store_dir().to_owned(),
        [only] => name(only),
        [first, more @ ..] => format!("{} and {} more", name(first), more.len()),
    }
}

/// Refuses what sums of JavaScript would not be exact for.
fn check(report: &Report) -> Result<(), PageError> {
    let total = &report.total;
    let of_rows = |size: fn(&super::report::Row) -> Option<u64>| {
        report.rows.iter().filter_map(size).max().unwrap_or(0)
    };
    let sizes = [
        total.nar_size,
        total.disk_nar_size,
        total.apparent_size,
        total.disk_size,
        total.extents.map(|extents| extents.physical_size),
        total.extents.map(|extents| extents.uncompressed_size),
        total.extents.map(|extents| extents.referenced_size),
        Some(of_rows(|row| row.closure_nar_size)),
        Some(of_rows(|row| row.closure_disk_size)),
        Some(of_rows(|row| row.closure_physical_size)),
    ];
    match sizes.into_iter().flatten().max().unwrap_or(0) >= Values::TOO_LARGE {
        true => Err(PageError::TooLarge),
        false => Ok(()),
    }
}

fn names(census: &Census, folded: &Folded) -> Vec<(&'static str, Values)> {
    let paths = || folded.named.iter().map(|path| census.catalog.store_path(census.id(*path)));
    vec![
        ("hash_part", Values::Texts(paths().map(|path| path.hash_part().to_owned()).collect())),
        ("name", Values::Texts(paths().map(|path| path.name().to_owned()).collect())),
    ]
}

/// Cells of one column as values; `None` if none of them is known.
fn values<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Option<Values> {
    let cells: Vec<Cell<'_>> = cells.collect();
    let known = cells.iter().find(|cell| !matches!(cell, Cell::Missing))?;
    let number = |cell: &Cell<'_>| match cell {
        Cell::Size(n) | Cell::Count(n) => Some(*n).filter(|&n| n < Values::TOO_LARGE),
        _ => None,
    };
    let time = |cell: &Cell<'_>| match cell {
        Cell::Time(t) => Some(*t).filter(|t| t.unsigned_abs() < Values::TOO_LARGE / 2),
        _ => None,
    };
    let text = |cell: &Cell<'_>| match cell {
        Cell::Text(text) => escape(text.as_bytes()),
        _ => String::new(),
    };
    Some(match known {
        Cell::Size(_) | Cell::Count(_) => Values::Numbers(cells.iter().map(number).collect()),
        Cell::Time(_) => Values::Signed(cells.iter().map(time).collect()),
        _ => Values::Texts(cells.iter().map(text).collect()),
    })
}

/// The graph, and what its nodes weigh.
fn nodes(census: &Census, folded: &Folded) -> Vec<(&'static str, Values)> {
    let shared = census.shared();
    let own = |size: fn(&crate::census::SharedInodes, usize) -> u64| {
        let of = |path: &PathIndex| shared.map_or(0, |shared| size(shared, path.index()));
        folded.named.iter().map(of).collect::<Vec<u64>>()
    };
    let numbers = |named: Vec<u64>, of: fn(&fold::Unnamed) -> u64| {
        let unnamed = folded.groups.iter().chain(&folded.classes).map(of);
        Values::Numbers(named.into_iter().chain(unnamed).map(Some).collect())
    };
    // Of the whole catalog a report shows all referrers.
    let beyond = |path: &PathIndex| {
        let all = census.catalog.referrers_of(census.id(*path));
        Some(all.filter(|&id| census.index_of(id).is_none()).count() as u64)
    };
    let mut columns = vec![
        ("own_disk_size", numbers(own(|s, i| s.own_sizes[i].disk_size), |node| node.disk)),
        ("own_inodes", numbers(own(|s, i| s.own_sizes[i].inodes), |node| node.inodes)),
        ("group_nar_size", Values::Numbers(folded.groups.iter().map(|node| node.nar).collect())),
        (
            "group_paths",
            Values::Numbers(folded.groups.iter().map(|node| Some(node.paths)).collect()),
        ),
        ("classes", Values::Numbers(vec![Some(folded.classes.len() as u64)])),
        ("references", Values::Lists(folded.rows.clone())),
        ("roots", Values::Lists(Rows::from_lists(&[&folded.roots]))),
        ("referrers_beyond", Values::Numbers(folded.named.iter().map(beyond).collect())),
    ];
    if census.has_extents() {
        let own = own(|s, i| s.own_sizes[i].extents.physical_size);
        columns.push(("own_physical_size", numbers(own, |node| node.physical)));
    }
    columns
}

/// Of each path its kinds, and how much of its NAR is of each.
fn kinds(folded: &Folded, scan: &KindScan) -> Vec<(&'static str, Values)> {
    let (mut lists, mut sizes) = (Rows::default(), Vec::new());
    for path in &folded.named {
        let own = scan.own(path.node()).filter(|(_, sums)| sums.nar_size > 0);
        let own: Vec<_> = own.filter(|(_, sums)| sums.nar_size < Values::TOO_LARGE).collect();
        lists.push(&own.iter().map(|&(kind, _)| kind as u32).collect::<Vec<_>>());
        sizes.extend(own.iter().map(|(_, sums)| Some(sums.nar_size)));
    }
    vec![("kinds", Values::Lists(lists)), ("kind_sizes", Values::Numbers(sizes))]
}

/// The largest files: of each path how many are named, then their names and lengths.
fn files(folded: &Folded, largest: &LargestFiles) -> Vec<(&'static str, Values)> {
    let all = || folded.named.iter().flat_map(|path| largest.of(path.node()));
    let mut sizes: Vec<u64> = all().map(|file| file.size).collect();
    sizes.arrange_by_key(|&size| Reverse(size));
    // Some may be as large as the last one that fits: they are left out with it.
    let least = sizes.get(FILES).map_or(0, |&size| size + 1);
    let (mut counts, mut names, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for path in &folded.named {
        let kept = |size: u64| size >= least && size < Values::TOO_LARGE;
        let of_path = largest.of(path.node()).filter(|file| kept(file.size));
        counts.push(Some(of_path.clone().count() as u64));
        for file in of_path {
            names.push(escape(&file.name));
            lengths.push(Some(file.size));
        }
    }
    vec![
        ("file_counts", Values::Numbers(counts)),
        ("file_names", Values::Texts(names)),
        ("file_sizes", Values::Numbers(lengths)),
    ]
}

/// Of each path which builds it is one of: a number that these have in common.
fn family(folded: &Folded, families: &[Vec<PathIndex>]) -> Values {
    let mut of = vec![None; folded.named.len()];
    for (number, builds) in (0..).zip(families) {
        let nodes: Vec<u32> = builds.iter().filter_map(|&path| folded.node_of(path)).collect();
        if nodes.len() > 1 {
            nodes.iter().for_each(|&node| of[node as usize] = Some(number));
        }
    }
    Values::Numbers(of)
}

fn facts(census: &Census, report: &Report, folded: &Folded) -> Vec<(&'static str, Value)> {
    let kind = |kind: &FileKind| json!([kind.key(), kind.description()]);
    let folded_paths: u64 = folded.groups.iter().map(|group| group.paths).sum();
    let total = &report.total;
    let mut facts = vec![
        ("store_dir", json!(census.catalog.store_dir())),
        ("whole", json!(census.is_whole())),
        ("disk", json!(census.disk.is_some())),
        ("physical", json!(census.has_extents())),
        ("sizes_note", json!(sizes_note(census))),
        ("unlisted", json!(census.has_unlisted_references())),
        (
            "total",
            json!({
                "paths": total.paths,
                "nar_size": total.nar_size,
                "disk_size": total.disk_size,
                "physical_size": total.extents.map(|extents| extents.physical_size),
                "apparent_size": total.apparent_size,
                "inodes": total.inodes,
            }),
        ),
        ("folded_paths", json!(folded_paths)),
        ("kinds", json!(FileKind::ALL.iter().map(kind).collect::<Vec<_>>())),
    ];
    facts.extend(warnings(&census.warnings));
    facts
}

/// Which sizes are shown, where these are not blocks; or why they are. And what they count
/// that does not go.
fn sizes_note(census: &Census) -> String {
    let sizes = match census.physical_unknown() {
        Some(why) => format!("Physical sizes are not known: {}.", escape(why.as_bytes())),
        None if census.has_extents() => physical::note(std::iter::once(census)),
        None => String::new(),
    };
    let gains = physical::gains_note(census).unwrap_or_default();
    [sizes.as_str(), gains].join(" ").trim().to_owned()
}

/// What left something out, as far as the page shows it, and how much more.
pub(super) fn warnings(warnings: &Warnings) -> [(&'static str, Value); 2] {
    let warning = |warning: &Warning| {
        json!({
            "path": escape(&warning.path),
            "message": escape(warning.message.as_bytes()),
        })
    };
    let incomplete = warnings.iter().filter(|warning| warning.kind.incomplete());
    [
        ("warnings", json!(incomplete.take(WARNINGS).map(warning).collect::<Vec<_>>())),
        ("warnings_total", json!(warnings.incomplete())),
    ]
}

/// Suggestions about named paths, with the nodes that they are about.
fn suggested(folded: &Folded, suggestions: Option<&Suggestions>) -> Value {
    let Some(suggestions) = suggestions else { return Value::Null };
    let one = |action: Action, gain: Gain| {
        let node = |path| folded.node_of(path);
        let (path, other) = match action {
            Action::Remove(path) => (node(path)?, None),
            Action::Cut(path, other) | Action::Replace(path, other) => {
                (node(path)?, Some(node(other)?))
            }
        };
        Some(json!({
            "action": action.name(),
            "path": path,
            "other": other,
            "gain_nar_size": gain.nar_size,
            "gain_disk_size": gain.disk_size,
            "gain_physical_size": gain.physical_size,
        }))
    };
    let cuts = suggestions.list.iter();
    let cuts = cuts.filter_map(|s| one(s.action, s.gain_alone));
    let twins = suggestions.replacements.iter().take(TWINS);
    let replaced: Vec<PathIndex> = suggestions.list.iter().map(|s| s.action.path()).collect();
    let twins = twins
        .filter(|r| !replaced.contains(&r.old))
        .filter_map(|r| one(Action::Replace(r.old, r.new), r.gain));
    json!(cuts.chain(twins).collect::<Vec<_>>())
}
