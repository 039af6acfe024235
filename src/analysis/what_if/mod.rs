//! What if some references were not there: sizes before and after, step by
//! step.

mod drop_files;
mod drops;
use crate::arrange::Arrange as _;

use super::graph_changes::{
    Dropped, Edited, change, extents_by_kind, known_nar_change, known_nar_size, measure,
};
use super::path_names::list_of;
use super::physical::{self, main_size};
use super::retained::Sizes;
use crate::answer::{Cell, Column, Document, Field, Head, RowIter, Section};
use crate::catalog::PathId;
use crate::census::{Census, PathIndex};
use crate::disk::{DiskError, EXTENTS_BY_PATH, KindScan};
use crate::fs::StoreFiles;
use crate::glob::Glob;
use crate::graph::{NodeSet, closure};
use crate::kinds::FileKind;
use crate::warning::{WarningKind, Warnings};
use drops::Drops;
use std::cmp::Reverse;

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Every reference to these paths goes.
    Remove(Vec<PathId>),
    /// These references (from, to) go.
    Cut(Vec<(PathId, PathId)>),
    /// Every reference to one of the first goes to the second.
    Replace(Vec<PathId>, PathId),
    /// Files whose names relative to their store path match go from all
    /// paths; a directory goes with all that is in it.
    DropFiles(Glob),
    /// Entries of these kinds go from all paths.
    DropKinds(Vec<FileKind>),
}

/// A change, and how it was asked for.
#[derive(Clone, Debug)]
pub struct WhatIfStep {
    /// Such as `remove perl`.
    pub text: String,
    /// What it does.
    pub change: Change,
}

/// What one step did. Sizes are in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepResult {
    /// NAR size of all that is still held; `None` if that of a path is unknown.
    pub nar_size: Option<u64>,
    /// What that is more than before the step, if known.
    pub nar_change: Option<i64>,
    /// Disk size of it, each inode once; `None` if the disk was not asked.
    pub disk_size: Option<u64>,
    /// Its extents, each once; `None` if they are not known.
    pub physical_size: Option<u64>,
    /// Its inodes; `None` if the disk was not asked.
    pub inodes: Option<u64>,
    /// How many paths are still held.
    pub paths: u64,
    /// Paths that went, heaviest first.
    pub gone: Vec<PathIndex>,
    /// Paths that came: what replaces others and its closure.
    pub added: Vec<PathIndex>,
    /// What the paths concerned hold, but others hold too.
    pub kept: Vec<Kept>,
    /// Names of files dropped.
    pub files: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    /// The files could not be looked for.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Files are to be dropped, and there are none to look at.
    #[error("dropping files needs the files of the store")]
    NoFiles,
    /// No file's name matches.
    #[error("no file of the examined paths matches '{glob}'{}", near_list(near))]
    NoFile {
        /// The glob, escaped.
        glob: String,
        /// Directories that are nearly called so.
        near: Vec<String>,
    },
}

fn near_list(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; near names:\n  {}", near.join("\n  ")) }
}

/// A path that stayed although what was changed holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The path.
    pub path: PathIndex,
    /// Who still refers to it.
    pub held_by: Vec<PathIndex>,
}

/// Where files that are dropped are found.
#[derive(Clone, Copy, Debug)]
pub enum FoundIn<'a> {
    /// In the files of the store, by name and by kind.
    Store(&'a StoreFiles),
    /// In what a scan of the examined paths says of kinds: by kind alone, but of a snapshot
    /// too.
    Kinds(&'a KindScan),
}

/// The answer: how things were, and after each step.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// Before the first step.
    pub before: StepResult,
    /// After each step, and all before it.
    pub after: Vec<StepResult>,
    /// What all steps together change in NAR size, if known.
    pub nar_change: Option<i64>,
    /// What was left out, and why: what the census warns of, and files that
    /// could not be searched.
    pub warnings: Warnings,
    steps: Vec<String>,
}

impl WhatIf {
    /// Goes through the steps. The census must examine the closures of the
    /// targets (ids) and of all that replaces something.
    ///
    /// # Errors
    /// If files are to be dropped and there are none such or nowhere to find them, or the
    /// store directory cannot be read.
    pub fn new(
        census: &Census,
        files: Option<FoundIn<'_>>,
        targets: &[PathId],
        steps: &[WhatIfStep],
        threads: Option<usize>,
    ) -> Result<Self, WhatIfError> {
        let mut warnings = census.warnings.clone();
        let mut drops = Drops::new(census, files, steps, threads, &mut warnings)?;
        let extents;
        let mut dropped = match files {
            Some(FoundIn::Kinds(scan)) => {
                extents = extents_by_kind(census, scan);
                Dropped::by_kind(extents.as_deref())
            }
            _ => Dropped::default(),
        };
        let mut graph = Edited::new(census, targets);
        let mut reached = graph.reached();
        let outcome = |paths: &NodeSet, sizes: Sizes, dropped: &Dropped<'_>| StepResult {
            physical_size: dropped.knows_physical(census).then_some(sizes.physical),
            nar_size: known_nar_size(census, paths, sizes),
            disk_size: census.disk.is_some().then_some(sizes.disk),
            inodes: census.disk.is_some().then_some(sizes.inodes),
            paths: paths.len() as u64,
            ..StepResult::default()
        };
        let first = (reached.clone(), measure(census, &reached, &dropped));
        let mut sizes = first.1;
        let before = StepResult { nar_change: Some(0), ..outcome(&reached, sizes, &dropped) };
        let mut after = Vec::new();
        let weight = |i: PathIndex| main_size(census, i);
        for step in steps {
            let concerned = concerned(census, &step.change);
            let held = closure(&graph.rows, concerned.iter().map(|path| path.node()));
            let index = |id: PathId| census.index_of(id);
            match &step.change {
                Change::Remove(_) => graph.remove(&concerned),
                Change::Cut(edges) => {
                    let edge = |&(a, b): &(PathId, PathId)| Some((index(a)?, index(b)?));
                    graph.cut(&edges.iter().filter_map(edge).collect::<Vec<_>>());
                }
                Change::Replace(_, new) => {
                    if let Some(new) = index(*new) {
                        graph.replace(&concerned, new);
                    }
                }
                Change::DropFiles(_) | Change::DropKinds(_) => {}
            }
            let files = drops.take(census, &step.change, &reached, &mut dropped);
            let now = graph.reached();
            let left = measure(census, &now, &dropped);
            let mut outcome = outcome(&now, left, &dropped);
            outcome.nar_change =
                known_nar_change(census, (&reached, sizes), (&now, left), &dropped);
            outcome.files = files;
            outcome.gone = difference(&reached, &now);
            outcome.gone.arrange_by_key(|&i| (Reverse(weight(i)), i));
            outcome.added = difference(&now, &reached);
            outcome.added.arrange_by_key(|&i| (Reverse(weight(i)), i));
            let referrers = graph.rows.transpose(census.len());
            for path in held.iter().copied().filter(|&i| reached.contains(i) && now.contains(i)) {
                let outside = |&r: &u32| now.contains(r) && held.binary_search(&r).is_err();
                let held_by = referrers.row(path).iter().copied().filter(outside);
                let held_by: Vec<PathIndex> = held_by.map(PathIndex::new).collect();
                if !held_by.is_empty() || graph.roots.contains(&path) {
                    let path = PathIndex::new(path);
                    outcome.kept.push(Kept { path, held_by });
                }
            }
            outcome.kept.arrange_by_key(|k| (Reverse(weight(k.path)), k.path));
            after.push(outcome);
            (reached, sizes) = (now, left);
        }
        if census.knows_physical() && !dropped.knows_physical(census) {
            let message = format!("what is left of extents is not known: {EXTENTS_BY_PATH}");
            warnings.push(WarningKind::Note, census.catalog.store_dir(), message);
        }
        let nar_change = known_nar_change(census, (&first.0, first.1), (&reached, sizes), &dropped);
        let steps = steps.iter().map(|s| s.text.clone()).collect();
        Ok(Self { before, after, nar_change, warnings, steps })
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let last = self.after.last().unwrap_or(&self.before);
        let size = |key, n: Option<u64>| Field::hidden(key, Cell::optional(n, Cell::Size));
        let count = |key, n: Option<u64>| Field::hidden(key, Cell::optional(n, Cell::Count));
        let total = vec![
            size("nar_size_before", self.before.nar_size),
            size("nar_size_after", last.nar_size),
            size("disk_size_before", self.before.disk_size),
            size("disk_size_after", last.disk_size),
            size("physical_size_before", self.before.physical_size),
            size("physical_size_after", last.physical_size),
            count("inodes_before", self.before.inodes),
            count("inodes_after", last.inodes),
            count("paths_before", Some(self.before.paths)),
            count("paths_after", Some(last.paths)),
        ];
        let mut sections = vec![Section::fields(Some("total"), "", total)];
        sections.push(self.paths_section(census, "gone", "What went", |o| &o.gone));
        if self.after.iter().any(|o| !o.added.is_empty()) {
            sections.push(self.paths_section(census, "added", "What came", |o| &o.added));
        }
        sections.push(self.kept_section(census));
        sections.push(self.steps_section(census));
        sections.extend(physical::notes_of_gains(census));
        Document::new(
            Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings },
            sections,
            "steps",
        )
    }

    fn steps_section<'a>(&'a self, census: &Census) -> Section<'a> {
        let disk = census.disk.is_some();
        let shows = census.has_extents();
        let [disk_size, physical_size] = physical::own_columns(census).map(|column| column.rank(2));
        let columns = vec![
            Column::size("nar_size").titled("NAR size").rank(4),
            Column::change("nar_change").titled("change"),
            disk_size,
            Column::change("disk_change").titled("change").rank(1).hidden_if(!disk || shows),
            physical_size,
            Column::change("physical_change").titled("change").rank(1).hidden_if(!shows),
            Column::count("inodes").rank(6).hidden_if(!disk),
            Column::count("paths").rank(7),
            Column::count("gone"),
            Column::count("added").hidden(),
            Column::count("files_dropped").hidden(),
            Column::text("step").rank(0),
        ];
        let row = |from: &StepResult,
                   to: &StepResult,
                   nar_change: Option<i64>,
                   gone: u64,
                   text: String| {
            let disk_change = from.disk_size.zip(to.disk_size).map(|(a, b)| change(a, b));
            let both = from.physical_size.zip(to.physical_size);
            let physical_change = both.map(|(a, b)| change(a, b));
            vec![
                Cell::optional(to.nar_size, Cell::Size),
                Cell::optional(nar_change, Cell::Change),
                Cell::optional(to.disk_size, Cell::Size),
                Cell::optional(disk_change, Cell::Change),
                Cell::optional(to.physical_size, Cell::Size),
                Cell::optional(physical_change, Cell::Change),
                Cell::optional(to.inodes, Cell::Count),
                Cell::Count(to.paths),
                Cell::Count(gone),
                Cell::Count(to.added.len() as u64),
                Cell::Count(to.files),
                Cell::text(text),
            ]
        };
        let last = self.after.last().unwrap_or(&self.before);
        let gone = self.after.iter().map(|o| o.gone.len() as u64).sum();
        let mut rows = vec![row(&self.before, &self.before, Some(0), 0, "before".to_owned())];
        let mut from = &self.before;
        for (outcome, text) in self.after.iter().zip(&self.steps) {
            rows.push(row(
                from,
                outcome,
                outcome.nar_change,
                outcome.gone.len() as u64,
                text.clone(),
            ));
            from = outcome;
        }
        Section::Rows {
            key: "steps",
            title: String::new(),
            columns,
            rows: RowIter::new(rows.into_iter()),
            footer: row(&self.before, last, self.nar_change, gone, "in all".to_owned()),
            summary: true,
        }
    }

    fn paths_section<'a>(
        &'a self,
        census: &'a Census,
        key: &'static str,
        title: &str,
        paths: impl Fn(&'a StepResult) -> &'a [PathIndex],
    ) -> Section<'a> {
        let [disk_size, physical_size] = disk_columns(census);
        let columns = vec![
            nar_column(census),
            disk_size,
            physical_size,
            Column::count("inodes").hidden(),
            Column::path("path"),
            Column::text("step"),
        ];
        let all: Vec<(PathIndex, &str)> = (self.after.iter().zip(&self.steps))
            .flat_map(|(outcome, step)| paths(outcome).iter().map(move |&i| (i, step.as_str())))
            .collect();
        let title = if all.is_empty() { "" } else { title };
        let rows = all.into_iter().map(|(i, step)| {
            let mut row = path_cells(census, i);
            row.push(Cell::text(step));
            row
        });
        Section::rows(key, title, columns, rows)
    }

    fn kept_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let [disk_size, physical_size] = disk_columns(census);
        let columns = vec![
            nar_column(census),
            disk_size,
            physical_size,
            Column::count("inodes").hidden(),
            Column::path("path"),
            Column::text("holder").titled("held by").rank(1),
            Column::paths("held_by").titled("holders"),
            Column::text("step").rank(6),
        ];
        let all: Vec<(&Kept, &str)> = (self.after.iter().zip(&self.steps))
            .flat_map(|(outcome, step)| outcome.kept.iter().map(move |k| (k, step.as_str())))
            .collect();
        let none = all.is_empty();
        let rows = all.into_iter().map(|(kept, step)| {
            let catalog = &census.catalog;
            let held_by = kept.held_by.iter().map(|&i| census.id(i));
            let mut row = path_cells(census, kept.path);
            row.extend([
                Cell::optional(kept.held_by.first(), |i| {
                    Cell::text(catalog.store_path(census.id(*i)).name())
                }),
                list_of(catalog, held_by),
                Cell::text(step),
            ]);
            row
        });
        let title = if none { "" } else { "Still needed by others" };
        Section::rows("kept", title, columns, rows)
    }
}

fn nar_column(census: &Census) -> Column {
    let column = Column::size("nar_size").titled("NAR size");
    if census.disk.is_some() { column.rank(4) } else { column.weight() }
}

fn disk_columns(census: &Census) -> [Column; 2] {
    physical::weight(census, physical::own_columns(census))
}

fn path_cells(census: &Census, index: PathIndex) -> Vec<Cell<'_>> {
    let id = census.id(index);
    let [disk_size, physical_size] = physical::own_cells(census, Some(index));
    vec![
        Cell::optional(census.catalog.nar_size(id), Cell::Size),
        disk_size,
        physical_size,
        Cell::optional(census.usage(index).map(|u| u.inodes), Cell::Count),
        Cell::text(census.catalog.path(id)),
    ]
}

/// The nodes of one set that are not in another.
fn difference(set: &NodeSet, other: &NodeSet) -> Vec<PathIndex> {
    set.iter().filter(|&node| !other.contains(node)).map(PathIndex::new).collect()
}

/// The paths that a change takes references from.
fn concerned(census: &Census, change: &Change) -> Vec<PathIndex> {
    let index = |&id: &PathId| census.index_of(id);
    match change {
        Change::Remove(paths) | Change::Replace(paths, _) => {
            paths.iter().filter_map(index).collect()
        }
        Change::Cut(edges) => edges.iter().filter_map(|(_, to)| index(to)).collect(),
        Change::DropFiles(_) | Change::DropKinds(_) => Vec::new(),
    }
}
