//! The report: one row a path.

mod column;
mod groups;
#[cfg(test)]
mod tests;

use crate::arrange::Arrange as _;
pub use column::Column;
pub use groups::{GroupBy, GroupedReport, PathGroup};

use super::hard_links;
use super::physical;
use super::retained::{Retained, Sizes, weighted, within};
use crate::answer::{self, Cell, Document, Field, Head, RowIter, Section};
use crate::catalog::PathId;
use crate::census::{Census, PathIndex};
use crate::disk::{DiskScan, ExtentSizes, Space};
use crate::graph::{TooHeavy, closure_sizes, saturating_sum};
use crate::text::format_count;
use crate::threads;
use crate::warning::Warnings;
use std::cmp::Reverse;

/// Which rows and columns a report has.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// What rows are sorted by: sizes and counts from the largest down, texts
    /// from the first up. Equal rows are sorted by path.
    pub sort: Column,
    /// Whether to sort the other way round.
    pub reverse: bool,
    /// How many rows at most; the total counts all of them.
    pub limit: Option<usize>,
    /// Only these paths, ascending.
    pub filter: Option<Vec<PathId>>,
    /// Only the targets, not all of their closure.
    pub targets_only: bool,
}

/// What is known of a path beyond catalog and usage. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path.
    pub index: PathIndex,
    /// The disk size of its inodes that have names elsewhere, `.links` apart.
    pub shared_size: Option<u64>,
    /// The disk size freed by deleting this path alone.
    pub reclaimable_size: Option<u64>,
    /// The extents freed by deleting this path alone.
    pub reclaimable_physical_size: Option<u64>,
    /// The extents of its closure, each once.
    pub closure_physical_size: Option<u64>,
    /// The extents of what would go if every reference to it were cut.
    pub retained_physical_size: Option<u64>,
    /// The sum of NAR sizes over its closure, as `nix path-info -S` has it.
    pub closure_nar_size: Option<u64>,
    /// The disk size of its closure, each inode once.
    pub closure_disk_size: Option<u64>,
    /// The NAR size of what would go if every reference to it were cut.
    pub retained_nar_size: Option<u64>,
    /// The disk size of what would go if every reference to it were cut.
    pub retained_disk_size: Option<u64>,
    /// The inodes freed by deleting this path alone.
    pub reclaimable_inodes: Option<u64>,
    /// The inodes of its closure, each once.
    pub closure_inodes: Option<u64>,
    /// The inodes that would go if every reference to it were cut.
    pub retained_inodes: Option<u64>,
}

/// Sums over the rows of a report, in bytes, each inode once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// How many paths.
    pub paths: u64,
    /// Their NAR sizes in the database; `None` if one of them is unknown.
    pub nar_size: Option<u64>,
    /// Their NAR sizes from the disk; `None` if it was not asked.
    pub disk_nar_size: Option<u64>,
    /// Their apparent size.
    pub apparent_size: Option<u64>,
    /// Their disk size.
    pub disk_size: Option<u64>,
    /// Their extents; `None` if these are not known.
    pub extents: Option<ExtentSizes>,
    /// Their inodes.
    pub inodes: Option<u64>,
    /// Their regular files.
    pub files: Option<u64>,
    /// Their directories.
    pub directories: Option<u64>,
    /// Their symlinks.
    pub symlinks: Option<u64>,
}

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rows, sorted and limited.
    pub rows: Vec<Row>,
    /// Sums over all rows, also those that the limit cut.
    pub total: Total,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
    columns: Vec<Column>,
    sort: Column,
}

impl Report {
    /// Makes a report of a census.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(census: &Census, options: &ReportOptions) -> Result<Self, TooHeavy> {
        let wants = |c: Column| options.columns.contains(&c) || options.sort == c;
        let mut rows = base_rows(census, options);
        if wants(Column::ReclaimablePhysicalSize)
            && let Some(sizes) = reclaimable_physical_sizes(census)
        {
            for row in &mut rows {
                row.reclaimable_physical_size = Some(sizes[row.index.index()]);
            }
        }
        let of_disk = Column::CLOSURE_ON_DISK.into_iter().any(wants);
        let closures = wants(Column::ClosureNarSize) || of_disk;
        let retains = Column::RETAINED.into_iter().any(wants);
        let (closures, retained) = threads::join(
            || if closures { add_closure_sizes(census, &mut rows, of_disk) } else { Ok(()) },
            || retains.then(|| Retained::new(census)).transpose(),
        );
        closures?;
        if let Some(retained) = retained? {
            for row in &mut rows {
                row.retained_nar_size = retained.nar_size(row.index);
                row.retained_disk_size = retained.disk_size(row.index);
                row.retained_physical_size = retained.physical_size(row.index);
                row.retained_inodes = retained.inodes(row.index);
            }
        }
        let total = total(census, &rows);
        // Rows come by path, and stable sorts keep that among equals.
        let key = |row: &Row| options.sort.sort_key(census, row);
        if options.reverse {
            rows.arrange_by_cached_key(|row| Reverse(key(row)));
        } else {
            rows.arrange_by_cached_key(key);
        }
        rows.truncate(options.limit.unwrap_or(usize::MAX));
        Ok(Self {
            rows,
            total,
            warnings: census.warnings.clone(),
            columns: options.columns.clone(),
            sort: options.sort,
        })
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let columns: Vec<_> = self.columns.iter().map(|c| self.output(*c)).collect();
        if self.columns.contains(&Column::Outputs) {
            // Made once, and not by each thread that makes rows.
            census.catalog.derivation_outputs();
        }
        let cells = |row| self.columns.iter().map(|c| c.cell(census, row)).collect();
        let footer = self.columns.iter().enumerate().map(|(i, c)| self.footer(i, *c)).collect();
        let mut total = self.total.fields();
        let retained = self.columns.iter().any(|c| Column::RETAINED.contains(c));
        if retained {
            let within = if census.is_whole() { "store" } else { "closure" };
            total.push(Field::hidden("retained_within", Cell::text(within)));
        }
        let mut sections = vec![
            Section::fields(Some("total"), "", total),
            Section::Rows {
                key: "paths",
                title: String::new(),
                columns,
                rows: RowIter::of(&self.rows, cells),
                footer,
                summary: false,
            },
        ];
        if retained {
            sections.push(Section::Note(within(census)));
        }
        sections.extend(physical::notes(census));
        if self.columns.iter().any(|column| column.is_of_freed()) {
            let known = census.disk_to_free().is_some();
            sections.extend(physical::freed_note(census, known));
        }
        sections.extend(hard_links::notes(census, self.rows.iter().map(|row| row.index)));
        Document::new(
            Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings },
            sections,
            "paths",
        )
    }

    /// A column of the list. Rows are weighed by what they are sorted by, else by
    /// the size that they have themselves.
    fn output(&self, column: Column) -> answer::Column {
        let output = column.output();
        let own = [Column::PhysicalSize, Column::DiskSize, Column::NarSize];
        let weight = match column.is_size() && column == self.sort {
            true => true,
            false => {
                !self.sort.is_size()
                    && own.iter().find(|c| self.columns.contains(c)) == Some(&column)
            }
        };
        match (weight, own.contains(&column)) {
            (true, true) => output.weight().share(),
            (true, false) => output.weight(),
            (false, _) => output,
        }
    }

    /// The total's cell below a column; the last one says what it is.
    fn footer(&self, at: usize, column: Column) -> Cell<'static> {
        let optional = |size: Option<u64>| size.map_or(Cell::text(""), Cell::Size);
        let count = |n: Option<u64>| n.map_or(Cell::text(""), Cell::Count);
        match column {
            Column::NarSize => Cell::optional(self.total.nar_size, Cell::Size),
            Column::DiskNarSize => optional(self.total.disk_nar_size),
            Column::ApparentSize => optional(self.total.apparent_size),
            Column::DiskSize => optional(self.total.disk_size),
            Column::PhysicalSize => optional(self.total.extents.map(|e| e.physical_size)),
            Column::ReferencedSize => optional(self.total.extents.map(|e| e.referenced_size)),
            Column::UncompressedSize => optional(self.total.extents.map(|e| e.uncompressed_size)),
            Column::InlineSize => optional(self.total.extents.map(|e| e.inline_size)),
            Column::Inodes => count(self.total.inodes),
            Column::Files => count(self.total.files),
            Column::Directories => count(self.total.directories),
            Column::Symlinks => count(self.total.symlinks),
            _ if at + 1 == self.columns.len() || matches!(column, Column::Path | Column::Name) => {
                let paths = self.total.paths;
                let s = if paths == 1 { "" } else { "s" };
                Cell::text(format!("total of {} path{s}", format_count(paths)))
            }
            _ => Cell::text(""),
        }
    }
}

impl Total {
    /// For people the total is the table's last line; these are for machines.
    fn fields(&self) -> Vec<Field<'static>> {
        let size = |key, n| Field::hidden(key, Cell::optional(n, Cell::Size));
        let count = |key, n| Field::hidden(key, Cell::optional(n, Cell::Count));
        vec![
            count("paths", Some(self.paths)),
            size("nar_size", self.nar_size),
            size("disk_nar_size", self.disk_nar_size),
            size("apparent_size", self.apparent_size),
            size("disk_size", self.disk_size),
            size("physical_size", self.extents.map(|e| e.physical_size)),
            size("referenced_size", self.extents.map(|e| e.referenced_size)),
            size("uncompressed_size", self.extents.map(|e| e.uncompressed_size)),
            size("inline_size", self.extents.map(|e| e.inline_size)),
            count("inodes", self.inodes),
            count("files", self.files),
            count("directories", self.directories),
            count("symlinks", self.symlinks),
        ]
    }
}

/// The rows asked for, with what each path's own inodes show.
fn base_rows(census: &Census, options: &ReportOptions) -> Vec<Row> {
    let indexes: Vec<PathIndex> = if options.targets_only {
        census.targets.iter().filter_map(|&id| census.index_of(id)).collect()
    } else {
        census.indexes().collect()
    };
    let matches = |index: PathIndex| {
        let id = census.id(index);
        options.filter.as_ref().is_none_or(|ids| ids.binary_search(&id).is_ok())
    };
    let row = |index: PathIndex| {
        let disk_size = census.usage(index).map(|u| u.disk_size);
        // An inode is shared if it has more names than those here and the
        // one in `.links`, wherever they are.
        let shared_size = disk_size.map(|_| {
            (census.inodes(index))
                .filter(|(inode, names)| inode.names_outside_links() > *names)
                .map(|(inode, _)| inode.disk_size())
                .fold(0, u64::saturating_add)
        });
        let reclaimable = census.disk_to_free().map(|disk| reclaimable(disk, index));
        let reclaimable_size = reclaimable.map(|space| space.disk_size);
        let reclaimable_inodes = reclaimable.map(|space| space.inodes);
        Row {
            index,
            shared_size,
            reclaimable_size,
            reclaimable_physical_size: None,
            closure_physical_size: None,
            retained_physical_size: None,
            closure_nar_size: None,
            closure_disk_size: None,
            retained_nar_size: None,
            retained_disk_size: None,
            reclaimable_inodes,
            closure_inodes: None,
            retained_inodes: None,
        }
    };
    indexes.into_iter().filter(|&i| matches(i)).map(row).collect()
}

/// What deleting a path alone frees, but extents that others use too.
fn reclaimable(disk: &DiskScan, index: PathIndex) -> Space {
    let names = disk.names.row(index.node()).chunk_by(|a, b| a == b);
    let inodes = names.filter(|names| {
        disk.inodes[names[0] as usize].names_outside_links() as usize <= names.len()
    });
    let inodes = inodes.map(|names| disk.inode_space(names[0] as usize));
    inodes.chain([disk.own_space(index.index())]).sum()
}

/// The extents that deleting each path alone frees, if that is known.
fn reclaimable_physical_sizes(census: &Census) -> Option<Vec<u64>> {
    let disk = census.disk.as_ref().filter(|disk| disk.freed_sizes_are().is_some())?;
    let own = |index| reclaimable(disk, index).physical_size;
    let mut sizes: Vec<u64> = census.indexes().map(own).collect();
    for (at, paths) in disk.groups_to_free().iter().enumerate() {
        let group = disk.extents().map(|extents| extents.groups[at].physical_size);
        if let (&[path], Some(group)) = (paths, group)
            && let Some(size) = sizes.get_mut(path as usize)
        {
            *size = size.saturating_add(group);
        }
    }
    Some(sizes)
}

fn add_closure_sizes(census: &Census, rows: &mut [Row], disk: bool) -> Result<(), TooHeavy> {
    let count = census.len();
    let references = census.references();
    if !census.is_closed() {
        // The targets alone were examined: their closures are the catalog's.
        for row in &mut *rows {
            let ids = census.catalog.closure_of([census.id(row.index)]);
            let listed = |&id: &PathId| census.catalog.unlisted_references(id).is_empty();
            let known = ids.iter().all(listed);
            let sum = || ids.iter().map(|&id| census.catalog.nar_size(id)).sum();
            row.closure_nar_size = known.then(sum).flatten();
        }
    } else if disk && census.disk.is_some() {
        let (graph, weights) = weighted(census);
        let sizes = closure_sizes(&graph, &weights, count)?.sizes;
        for row in &mut *rows {
            let Sizes { nar, disk, inodes, physical } = sizes[row.index.index()];
            (row.closure_nar_size, row.closure_disk_size) = (Some(nar), Some(disk));
            row.closure_physical_size = census.knows_physical().then_some(physical);
            row.closure_inodes = Some(inodes);
        }
    } else {
        let weights: Vec<u64> = census.indexes().map(|i| census.nar_size(i)).collect();
        let sizes = closure_sizes(references, &weights, count)?.sizes;
        for row in &mut *rows {
            row.closure_nar_size = Some(sizes[row.index.index()]);
        }
    }
    // Of what is not known to the end, only what the source itself states.
    let unknown = census.unknown_closures();
    for row in rows {
        if unknown.contains(row.index.node()) {
            row.closure_nar_size = None;
        }
        if census.has_unlisted_references() && unknown.contains(row.index.node()) {
            (row.closure_disk_size, row.closure_inodes) = (None, None);
            row.closure_physical_size = None;
        }
        let stated = || census.catalog.stated_closure_size(census.id(row.index));
        row.closure_nar_size = row.closure_nar_size.or_else(stated);
    }
    Ok(())
}

fn total(census: &Census, rows: &[Row]) -> Total {
    let usages = || rows.iter().filter_map(|r| census.usage(r.index));
    let union = census.shared().map(|s| s.union(rows.iter().map(|r| r.index)));
    let of_disk = |value: u64| census.disk.is_some().then_some(value);
    Total {
        paths: rows.len() as u64,
        nar_size: census.sum_nar_sizes(rows.iter().map(|r| r.index)),
        disk_nar_size: of_disk(saturating_sum(usages().map(|u| u.nar_size))),
        apparent_size: union.map(|union| union.apparent_size),
        disk_size: union.map(|union| union.disk_size),
        extents: union.filter(|_| census.knows_physical()).map(|union| union.extents),
        inodes: union.map(|union| union.inodes),
        files: of_disk(usages().map(|u| u.files).sum()),
        directories: of_disk(usages().map(|u| u.directories).sum()),
        symlinks: of_disk(usages().map(|u| u.symlinks).sum()),
    }
}
