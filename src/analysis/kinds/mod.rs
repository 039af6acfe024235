//! Bytes by kind of file: of all that is examined, and of each path.

mod extents;
use crate::arrange::Arrange as _;

use super::physical;
use crate::answer::{Cell, Column, Document, Field, Head, RowIter, Section};
use crate::census::{Census, PathIndex};
use crate::disk::{
    EXTENTS_BY_PATH, ExtentSizes, ExtentsOption, KindScan, KindSums, physical_unknown,
};
use crate::kinds::FileKind;
use crate::warning::{WarningKind, Warnings};
use extents::KindExtents;
use std::cmp::Reverse;

/// Which rows the answer has.
#[derive(Clone, Debug, Default)]
pub struct KindsOptions {
    /// Only these kinds; all if there are none.
    pub only: Vec<FileKind>,
    /// With [`ExtentsOption::Exact`] the answer is incomplete where physical sizes are not
    /// known.
    pub extents: ExtentsOption,
}

/// What there is of one kind. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindRow {
    /// The kind.
    pub kind: FileKind,
    /// Its sums, each inode once. An inode whose names are of several kinds is
    /// of the last of them in the order of [`FileKind`].
    pub sums: KindSums,
    /// Its extents, each once; `None` if they are not known. One that files of several
    /// kinds use is of the last of them, as an inode is.
    pub extents: Option<ExtentSizes>,
    /// How many paths have some of it.
    pub paths: u64,
}

/// What there is of one kind in one path. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathKind {
    /// The path.
    pub path: PathIndex,
    /// The kind.
    pub kind: FileKind,
    /// Its sums, each inode once within the path.
    pub sums: KindSums,
    /// Its extents, each once within the path; `None` if they are not known.
    pub extents: Option<ExtentSizes>,
}

/// What there is of each kind.
#[derive(Clone, Debug)]
pub struct Kinds {
    /// The kinds that there are, by physical size, else by disk size.
    pub kinds: Vec<KindRow>,
    /// The same by path, largest first.
    pub by_path: Vec<PathKind>,
    /// All kinds, also those that were not asked for: what the examined paths
    /// take on disk, to the byte.
    pub total: KindSums,
    /// The same in extents; `None` if they are not known.
    pub total_extents: Option<ExtentSizes>,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
    /// Whether there are extents to tell of.
    are_extents: bool,
}

impl Kinds {
    /// Sums up kinds: `scan` is of the paths that the census examines. Extents are those of
    /// a census that has them by inode
    /// ([`ScanOptions::inode_extents`](crate::disk::ScanOptions::inode_extents)).
    pub fn new(census: &Census, scan: &KindScan, options: &KindsOptions) -> Self {
        let asked = |kind: FileKind| options.only.is_empty() || options.only.contains(&kind);
        let mut sums = [(KindSums::default(), 0u64); FileKind::COUNT];
        let extents = KindExtents::new(census, scan);
        let mut by_path = Vec::new();
        for path in census.indexes() {
            let of_path = kinds_of_path(census, scan, path);
            for (&kind, sums_of_path) in FileKind::ALL.iter().zip(of_path) {
                if sums_of_path.entries == 0 {
                    continue;
                }
                sums[kind as usize].1 += 1;
                if asked(kind) {
                    let extents = extents.of_path(path.node(), kind, &sums_of_path);
                    by_path.push(PathKind { path, kind, sums: sums_of_path, extents });
                }
            }
            for (kind, own) in scan.own(path.node()) {
                sums[kind as usize].0 += *own;
            }
        }
        add_inodes(census, scan, &mut sums);
        let (mut total, mut total_extents) = (KindSums::default(), Some(ExtentSizes::default()));
        for (&kind, (sums, _)) in FileKind::ALL.iter().zip(&sums) {
            total += *sums;
            total_extents =
                total_extents.zip(extents.of_kind(kind, sums)).map(|(mut sum, more)| {
                    sum.add(more);
                    sum
                });
        }
        let rows = FileKind::ALL.iter().zip(sums);
        let rows = rows.filter(|&(&kind, (sums, _))| sums.entries > 0 && asked(kind));
        let row = |(&kind, (sums, paths)): (&FileKind, (KindSums, u64))| {
            let extents = extents.of_kind(kind, &sums);
            KindRow { kind, sums, extents, paths }
        };
        let mut kinds: Vec<KindRow> = rows.map(row).collect();
        let order = |extents: Option<ExtentSizes>, sums: &KindSums| {
            Reverse((extents.map(|extents| extents.physical_size), sums.disk_size))
        };
        kinds.arrange_by_key(|row| (order(row.extents, &row.sums), row.kind));
        by_path.arrange_by_key(|row| (order(row.extents, &row.sums), row.path, row.kind));
        let mut warnings = census.warnings.clone();
        if census.has_extents() && !extents.are_extents() {
            let kind = match options.extents {
                ExtentsOption::Exact => WarningKind::Unchecked,
                ExtentsOption::Auto | ExtentsOption::Never => WarningKind::Note,
            };
            let message = physical_unknown(EXTENTS_BY_PATH);
            warnings.push(kind, census.catalog.store_dir(), message);
        }
        let are_extents = extents.are_extents();
        Self { kinds, by_path, total, total_extents, warnings, are_extents }
    }

    /// Whether there are extents to tell of, which differ from blocks.
    pub(super) fn are_extents(&self) -> bool {
        self.are_extents
    }

    fn size_columns(&self, census: &Census) -> Vec<Column> {
        let shows = self.are_extents;
        let mut columns = physical::size_columns(census, shows).to_vec();
        let main = &mut columns[usize::from(shows)];
        *main = main.weight().share();
        columns.extend([
            Column::size("apparent_size").titled("apparent").rank(4),
            Column::size("nar_size").titled("NAR size").rank(3),
            Column::count("entries"),
        ]);
        columns
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let mut total = vec![Field::hidden("disk_size", Cell::Size(self.total.disk_size))];
        total.extend(physical::extent_fields(self.total_extents));
        total.extend([
            Field::hidden("apparent_size", Cell::Size(self.total.apparent_size)),
            Field::hidden("nar_size", Cell::Size(self.total.nar_size)),
            Field::hidden("entries", Cell::Count(self.total.entries)),
            Field::hidden("paths", Cell::Count(census.len() as u64)),
        ]);
        let mut columns = self.size_columns(census);
        columns.extend([
            Column::count("paths").rank(6),
            Column::text("kind").rank(0),
            Column::text("description").titled("what it is").describes(),
        ]);
        let rows = self.kinds.iter().map(move |row| {
            let mut cells = size_cells(&row.sums, row.extents);
            cells.extend([
                Cell::Count(row.paths),
                Cell::text(row.kind.key()),
                Cell::text(row.kind.description()),
            ]);
            cells
        });
        let mut footer = size_cells(&self.total, self.total_extents);
        footer.extend([
            Cell::Count(census.len() as u64),
            Cell::text("total"),
            Cell::text("all kinds, each inode once"),
        ]);
        let mut path_columns = self.size_columns(census);
        path_columns.extend([Column::text("kind").rank(1), Column::path("path")]);
        // Of one path there is nothing that the sums by kind do not say.
        let single = census.len() == 1;
        let path_columns =
            (path_columns.into_iter()).map(|column| if single { column.hidden() } else { column });
        let path_rows = self.by_path.iter().map(move |row| {
            let mut cells = size_cells(&row.sums, row.extents);
            cells.extend([
                Cell::text(row.kind.key()),
                Cell::text(census.catalog.path(census.id(row.path))),
            ]);
            cells
        });
        let title = if self.by_path.is_empty() { "" } else { "By path" };
        let mut sections = vec![
            Section::fields(Some("total"), "", total),
            Section::rows("paths", title, path_columns.collect(), path_rows),
            Section::Rows {
                key: "kinds",
                title: String::new(),
                columns,
                rows: RowIter::new(rows),
                footer,
                summary: false,
            },
        ];
        sections.extend(physical::notes_of_files(census, self.are_extents));
        let head = Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, "kinds")
    }
}

fn size_cells<'a>(sums: &KindSums, extents: Option<ExtentSizes>) -> Vec<Cell<'a>> {
    let mut cells = vec![Cell::Size(sums.disk_size)];
    cells.extend(physical::extent_cells(extents));
    cells.extend([
        Cell::Size(sums.apparent_size),
        Cell::Size(sums.nar_size),
        Cell::Count(sums.entries),
    ]);
    cells
}

/// What one path has of each kind, each of its inodes once.
pub(super) fn kinds_of_path(
    census: &Census,
    scan: &KindScan,
    path: PathIndex,
) -> [KindSums; FileKind::COUNT] {
    let mut sums = [KindSums::default(); FileKind::COUNT];
    for (kind, own) in scan.own(path.node()) {
        sums[kind as usize] = *own;
    }
    let Some(disk) = &census.disk else { return sums };
    let mut names = scan.names(path.node()).peekable();
    while let Some(name) = names.next() {
        // Names are sorted: the last one of an inode is of its last kind.
        if names.peek().is_some_and(|next| next.inode == name.inode) {
            continue;
        }
        let inode = &disk.inodes[name.inode as usize];
        sums[name.kind as usize] += KindSums {
            apparent_size: inode.apparent_size(),
            disk_size: inode.disk_size(),
            ..KindSums::default()
        };
    }
    sums
}

/// Adds the sizes of inodes with several names, each once, to the last kind
/// that a name of it is of.
fn add_inodes(census: &Census, scan: &KindScan, sums: &mut [(KindSums, u64); FileKind::COUNT]) {
    let Some(disk) = &census.disk else { return };
    let mut kinds: Vec<Option<FileKind>> = vec![None; disk.inodes.len()];
    for path in census.indexes() {
        for name in scan.names(path.node()) {
            let kind = &mut kinds[name.inode as usize];
            *kind = (*kind).max(Some(name.kind));
        }
    }
    for (inode, kind) in disk.inodes.iter().zip(kinds) {
        if let Some(kind) = kind {
            sums[kind as usize].0 += KindSums {
                apparent_size: inode.apparent_size(),
                disk_size: inode.disk_size(),
                ..KindSums::default()
            };
        }
    }
}
