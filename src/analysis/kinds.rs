//! Bytes by kind of file: of all that is examined, and of each path.

use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::census::{Census, PathIndex};
use crate::disk::{KindScan, KindSums};
use crate::kinds::FileKind;
use crate::warning::Warnings;
use std::cmp::Reverse;

/// Which rows the answer has.
#[derive(Clone, Debug, Default)]
pub struct KindsOptions {
    /// Only these kinds; all if there are none.
    pub only: Vec<FileKind>,
}

/// What there is of one kind. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindRow {
    /// The kind.
    pub kind: FileKind,
    /// Its sums, each inode once. An inode whose names are of several kinds is
    /// of the last of them in the order of [`FileKind`].
    pub sums: KindSums,
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
}

/// What there is of each kind.
#[derive(Clone, Debug)]
pub struct Kinds {
    /// The kinds that there are, by disk size.
    pub kinds: Vec<KindRow>,
    /// The same by path, largest first.
    pub by_path: Vec<PathKind>,
    /// All kinds, also those that were not asked for: what the examined paths
    /// take on disk, to the byte.
    pub total: KindSums,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
}

impl Kinds {
    /// Sums up kinds: `scan` is of the paths that the census examines.
    pub fn new(census: &Census, scan: &KindScan, options: &KindsOptions) -> Self {
        let asked = |kind: FileKind| options.only.is_empty() || options.only.contains(&kind);
        let mut sums = [(KindSums::default(), 0u64); FileKind::COUNT];
        let mut by_path = Vec::new();
        for path in census.indexes() {
            let of_path = kinds_of_path(census, scan, path);
            for (&kind, sums_of_path) in FileKind::ALL.iter().zip(of_path) {
                if sums_of_path.entries == 0 {
                    continue;
                }
                sums[kind as usize].1 += 1;
                if asked(kind) {
                    by_path.push(PathKind { path, kind, sums: sums_of_path });
                }
            }
            for (kind, own) in scan.own(path.node()) {
                sums[kind as usize].0 += *own;
            }
        }
        add_inodes(census, scan, &mut sums);
        let mut total = KindSums::default();
        sums.iter().for_each(|(sums, _)| total += *sums);
        let rows = FileKind::ALL.iter().zip(sums);
        let rows = rows.filter(|&(&kind, (sums, _))| sums.entries > 0 && asked(kind));
        let mut kinds: Vec<KindRow> =
            rows.map(|(&kind, (sums, paths))| KindRow { kind, sums, paths }).collect();
        kinds.sort_by_key(|row| (Reverse(row.sums.disk_size), row.kind));
        by_path.sort_by_key(|row| (Reverse(row.sums.disk_size), row.path, row.kind));
        Self { kinds, by_path, total, warnings: census.warnings.clone() }
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let total = vec![
            Field::hidden("disk_size", Cell::Size(self.total.disk_size)),
            Field::hidden("apparent_size", Cell::Size(self.total.apparent_size)),
            Field::hidden("nar_size", Cell::Size(self.total.nar_size)),
            Field::hidden("entries", Cell::Count(self.total.entries)),
            Field::hidden("paths", Cell::Count(census.len() as u64)),
        ];
        let sizes = |sums: &KindSums| {
            vec![
                Cell::Size(sums.disk_size),
                Cell::Size(sums.apparent_size),
                Cell::Size(sums.nar_size),
                Cell::Count(sums.entries),
            ]
        };
        let size_columns = || {
            vec![
                Column::size("disk_size").titled("disk size").weight().share(),
                Column::size("apparent_size").titled("apparent").rank(4),
                Column::size("nar_size").titled("NAR size").rank(3),
                Column::count("entries"),
            ]
        };
        let mut columns = size_columns();
        columns.extend([
            Column::count("paths").rank(6),
            Column::text("kind").rank(0),
            Column::text("description").titled("what it is").describes(),
        ]);
        let rows = self.kinds.iter().map(move |row| {
            let mut cells = sizes(&row.sums);
            cells.extend([
                Cell::Count(row.paths),
                Cell::text(row.kind.key()),
                Cell::text(row.kind.description()),
            ]);
            cells
        });
        let mut footer = sizes(&self.total);
        footer.extend([
            Cell::Count(census.len() as u64),
            Cell::text("total"),
            Cell::text("all kinds, each inode once"),
        ]);
        let mut path_columns = size_columns();
        path_columns.extend([Column::text("kind").rank(1), Column::path("path")]);
        // Of one path there is nothing that the sums by kind do not say.
        let single = census.len() == 1;
        let path_columns = path_columns.into_iter().map(|column| column.hidden_if(single));
        let path_rows = self.by_path.iter().map(move |row| {
            let mut cells = sizes(&row.sums);
            cells.extend([
                Cell::text(row.kind.key()),
                Cell::text(census.catalog.path(census.id(row.path))),
            ]);
            cells
        });
        let title = if self.by_path.is_empty() { "" } else { "By path" };
        Document::new(
            Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings },
            vec![
                Section::fields(Some("total"), "", total),
                Section::rows("paths", title, path_columns.collect(), path_rows),
                Section::Rows {
                    key: "kinds",
                    title: String::new(),
                    columns,
                    rows: Box::new(rows),
                    footer,
                    summary: false,
                },
            ],
            "kinds",
        )
    }
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
