//! A report by group: sums over the paths of one package name, output, day,
//! GC root, or over the files of one kind.
use crate::arrange::Arrange as _;

use crate::analysis::kinds::Kinds;
use crate::analysis::physical;
use crate::answer::{Cell, Column, Document, Field, Head, RowIter, Section};
use crate::catalog::PathId;
use crate::census::{Census, PathIndex};
use crate::graph::closure;
use crate::roots::Root;
use crate::warning::Warnings;
use jiff::{Timestamp, tz::TimeZone};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What paths are summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The `name` of `builtins.parseDrvName`.
    Pname,
    /// The output: `out`, `dev`, … as far as it is known or shows in the name.
    Output,
    /// The kind of each file.
    Kind,
    /// The GC roots that refer to it, directly or not: a path may have several.
    Root,
    /// The day it was registered on, in UTC.
    Day,
}

impl GroupBy {
    /// The JSON key and CSV column of the group's name.
    pub fn key(self) -> &'static str {
        match self {
            Self::Pname => "pname",
            Self::Output => "output",
            Self::Kind => "kind",
            Self::Root => "root",
            Self::Day => "day",
        }
    }
}

/// Sums over a group, in bytes, each inode once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGroup {
    /// Its name; `None` for what has none: no day, no root.
    pub name: Option<Vec<u8>>,
    /// How many paths are in it, at least in part.
    pub paths: u64,
    /// NAR size; `None` if that of a path is unknown.
    pub nar_size: Option<u64>,
    /// Disk size; `None` if the disk was not asked.
    pub disk_size: Option<u64>,
    /// Extents, each once; `None` if these are not known.
    pub physical_size: Option<u64>,
    /// Apparent size; `None` if the disk was not asked.
    pub apparent_size: Option<u64>,
}

/// A report by group.
#[derive(Clone, Debug)]
pub struct GroupedReport {
    /// The groups, largest first.
    pub groups: Vec<PathGroup>,
    /// All examined paths together: groups may overlap.
    pub total: PathGroup,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
    by: GroupBy,
    /// Whether people see extents in place of blocks.
    shows: bool,
}

impl GroupedReport {
    /// Groups the examined paths by name, output or day. By [`GroupBy::Kind`]
    /// see [`GroupedReport::of_kinds`], by [`GroupBy::Root`]
    /// [`GroupedReport::of_roots`]; here these are one group.
    pub fn new(census: &Census, by: GroupBy) -> Self {
        let catalog = &census.catalog;
        let mut groups: BTreeMap<Option<Vec<u8>>, Vec<PathIndex>> = BTreeMap::new();
        for index in census.indexes() {
            let id = census.id(index);
            let name = match by {
                GroupBy::Pname => Some(catalog.store_path(id).pname().as_bytes().to_vec()),
                GroupBy::Output if catalog.store_path(id).is_derivation() => Some(b"drv".to_vec()),
                GroupBy::Output => {
                    Some(catalog.package(id).output.unwrap_or("out").as_bytes().to_vec())
                }
                GroupBy::Day => catalog.registration_time(id).and_then(day),
                GroupBy::Kind | GroupBy::Root => None,
            };
            groups.entry(name).or_default().push(index);
        }
        Self::of(census, by, groups)
    }

    /// Groups the examined paths by the GC roots that refer to them, directly
    /// or not; what no root refers to has no name.
    pub fn of_roots(census: &Census, roots: &[Root]) -> Self {
        let mut groups: BTreeMap<Option<Vec<u8>>, Vec<PathIndex>> = BTreeMap::new();
        let mut rooted = vec![false; census.len()];
        let mut by_link: BTreeMap<&[u8], Vec<PathId>> = BTreeMap::new();
        for root in roots {
            by_link.entry(&root.link).or_default().push(root.path);
        }
        for (link, paths) in by_link {
            let held = closure(census.catalog.references(), paths.iter().map(|path| path.node()));
            let held = held.into_iter().filter_map(|node| census.index_of(PathId::new(node)));
            let held: Vec<PathIndex> = held.collect();
            held.iter().for_each(|path| rooted[path.index()] = true);
            if !held.is_empty() {
                groups.insert(Some(link.to_vec()), held);
            }
        }
        let rest: Vec<PathIndex> = census.indexes().filter(|path| !rooted[path.index()]).collect();
        if !rest.is_empty() {
            groups.insert(None, rest);
        }
        Self::of(census, GroupBy::Root, groups)
    }

    /// The kinds of files as groups.
    pub fn of_kinds(census: &Census, kinds: &Kinds) -> Self {
        let groups = kinds.kinds.iter().map(|row| PathGroup {
            name: Some(row.kind.key().as_bytes().to_vec()),
            paths: row.paths,
            nar_size: Some(row.sums.nar_size),
            disk_size: Some(row.sums.disk_size),
            physical_size: row.extents.map(|extents| extents.physical_size),
            apparent_size: Some(row.sums.apparent_size),
        });
        let of_all = Self::new(census, GroupBy::Kind);
        Self {
            groups: groups.collect(),
            by: GroupBy::Kind,
            shows: kinds.are_extents(),
            warnings: kinds.warnings.clone(),
            ..of_all
        }
    }

    fn of(census: &Census, by: GroupBy, groups: BTreeMap<Option<Vec<u8>>, Vec<PathIndex>>) -> Self {
        let sum = |name: Option<Vec<u8>>, paths: &[PathIndex]| {
            let union = census.shared().map(|shared| shared.union(paths.iter().copied()));
            PathGroup {
                name,
                paths: paths.len() as u64,
                nar_size: census.sum_nar_sizes(paths.iter().copied()),
                disk_size: union.map(|union| union.disk_size),
                physical_size: union.and_then(|union| census.physical_size(union)),
                apparent_size: union.map(|union| union.apparent_size),
            }
        };
        let all: Vec<PathIndex> = census.indexes().collect();
        let mut groups: Vec<PathGroup> =
            groups.into_iter().map(|(name, paths)| sum(name, &paths)).collect();
        groups.arrange_by(|a, b| {
            let order =
                |group: &PathGroup| Reverse((group.physical_size, group.disk_size, group.nar_size));
            (order(a), &a.name).cmp(&(order(b), &b.name))
        });
        let shows = census.has_extents();
        Self { groups, total: sum(None, &all), warnings: census.warnings.clone(), by, shows }
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let disk = census.disk.is_some();
        let shows = self.shows;
        let size = |n: Option<u64>| Cell::optional(n, Cell::Size);
        let total = vec![
            Field::hidden("paths", Cell::Count(self.total.paths)),
            Field::hidden("nar_size", size(self.total.nar_size)),
            Field::hidden("disk_size", size(self.total.disk_size)),
            Field::hidden("physical_size", size(self.total.physical_size)),
            Field::hidden("apparent_size", size(self.total.apparent_size)),
            Field::hidden("groups", Cell::Count(self.groups.len() as u64)),
        ];
        let name = match self.by {
            GroupBy::Root => Column::path("root"),
            by => Column::text(by.key()),
        };
        let columns = vec![
            Column::size("nar_size").titled("NAR size"),
            Column::size("disk_size").titled("disk size").hidden_if(!disk || shows).weight(),
            Column::size("physical_size").titled("physical").hidden_if(!shows).weight(),
            Column::size("apparent_size").titled("apparent").hidden_if(!disk),
            Column::count("paths"),
            name,
        ];
        let row = move |group: &'a PathGroup, name: Cell<'a>| {
            vec![
                size(group.nar_size),
                size(group.disk_size),
                size(group.physical_size),
                size(group.apparent_size),
                Cell::Count(group.paths),
                name,
            ]
        };
        let rows = self.groups.iter().map(move |group| {
            let name = group.name.as_deref().map(|name| match self.by {
                GroupBy::Root => Cell::Bytes(name.into()),
                _ => Cell::text(String::from_utf8_lossy(name)),
            });
            let unnamed = match self.by {
                GroupBy::Root => Cell::Both("(no root)".into(), Box::new(Cell::Missing)),
                _ => Cell::Missing,
            };
            row(group, name.unwrap_or(unnamed))
        });
        let count = self.groups.len();
        let footer = row(&self.total, Cell::text(format!("total of {count} groups")));
        let mut sections = vec![
            Section::fields(Some("total"), "", total),
            Section::Rows {
                key: "groups",
                title: String::new(),
                columns,
                rows: RowIter::new(rows),
                footer,
                summary: false,
            },
        ];
        let note = match self.by {
            GroupBy::Root => {
                "A path counts for each root that refers to it, the total counts it once. Running \
                 processes are not checked."
            }
            _ => "Each inode counts once in each group; the total counts it once in all.",
        };
        if disk || self.by == GroupBy::Root {
            sections.push(Section::Note(note.to_owned()));
        }
        sections.extend(physical::notes_of_files(census, shows));
        let head = Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, "groups")
    }
}

/// The day of a time in seconds since 1970, in UTC.
fn day(time: i64) -> Option<Vec<u8>> {
    let time = Timestamp::from_second(time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date().to_string().into_bytes())
}
