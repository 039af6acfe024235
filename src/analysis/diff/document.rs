//! What is different, for printing.

use super::{ChangeKind, Diff, PackageChange, PackageSide, PathChange, Shown, Side, SideTotal};
use crate::analysis::path_names::{chain_cells, list_of};
use crate::analysis::physical;
use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::census::{Census, PathIndex};
use crate::fs::SizeIs;
use crate::text::{escape, format_count};

/// What the rows of a difference are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiffBy {
    /// Packages.
    #[default]
    Package,
    /// Store paths.
    Path,
}

/// The keys of how many packages each thing happened to.
const COUNTS: [(ChangeKind, &str); 6] = [
    (ChangeKind::Added, "packages_added"),
    (ChangeKind::Removed, "packages_removed"),
    (ChangeKind::Upgraded, "packages_upgraded"),
    (ChangeKind::Downgraded, "packages_downgraded"),
    (ChangeKind::Changed, "packages_changed"),
    (ChangeKind::Rebuilt, "packages_rebuilt"),
];

impl<'a> Diff<'a> {
    /// The answer for printing.
    pub fn document<'d>(&'d self, by: DiffBy) -> Document<'d> {
        let (main, list) = match by {
            DiffBy::Package => ("packages", self.packages_section()),
            DiffBy::Path => ("paths", self.paths_section()),
        };
        let sections = vec![
            self.why_section(),
            list,
            self.sides_section(),
            Section::fields(None, "", vec![physical::is_field(self.physical_sizes_are())]),
            Section::Note(self.sizes_note()),
            Section::Note(self.summary().map(|n| format!("Packages: {n}.")).unwrap_or_default()),
            Section::fields(Some("total"), "", self.total_fields()),
        ];
        let head =
            Head { store_dir: self.new.census.catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, main)
    }

    /// The packages that are not the same, as a list.
    pub fn packages_section<'d>(&'d self) -> Section<'d> {
        let title = if self.packages.is_empty() { "No package is different" } else { "" };
        let rows = self.packages.iter().map(|package| self.package_row(package));
        Section::rows("packages", title, package_columns(self.shown()), rows)
    }

    pub(super) fn package_row<'d>(&'d self, package: &'d PackageChange) -> Vec<Cell<'d>> {
        let size = |n: Option<u64>| Cell::optional(n, Cell::Size);
        let (old, new) = (&package.old, &package.new);
        let versions = |side: &'d PackageSide| {
            Cell::List(side.versions.iter().map(|version| version.as_str().into()).collect())
        };
        let paths = |side: &Side<'d>, paths: &[PathIndex]| {
            list_of(&side.census.catalog, paths.iter().map(|&path| side.census.id(path)))
        };
        vec![
            Cell::optional(package.disk_change(), Cell::Change),
            Cell::optional(package.physical_change(), Cell::Change),
            Cell::optional(package.nar_change(), Cell::Change),
            size(old.disk_size),
            size(new.disk_size),
            size(old.physical_size),
            size(new.physical_size),
            size(old.nar_size),
            size(new.nar_size),
            size(old.closure_disk_size),
            size(new.closure_disk_size),
            size(old.closure_physical_size),
            size(new.closure_physical_size),
            size(old.closure_nar_size),
            size(new.closure_nar_size),
            Cell::text(package.kind.name()),
            Cell::text(package.name.as_str()),
            Cell::text(package.pname.as_str()),
            package.versions_text().map_or(Cell::Missing, Cell::text),
            versions(old),
            versions(new),
            paths(&self.old, &package.removed),
            paths(&self.new, &package.added),
        ]
    }

    fn paths_section<'d>(&'d self) -> Section<'d> {
        let shown = self.shown();
        let mut columns = path_size_columns(shown);
        columns.extend([
            Column::size("closure_disk_size")
                .titled("closure")
                .rank(4)
                .hidden_if(shown != Shown::Disk),
            Column::size("closure_physical_size")
                .titled("closure")
                .rank(4)
                .hidden_if(shown != Shown::Physical),
            Column::size("closure_nar_size")
                .titled("closure NAR")
                .rank(4)
                .hidden_if(shown != Shown::Nar),
            Column::text("change").titled("what").rank(1),
            Column::path("path"),
            Column::text("chain").hidden(),
            Column::paths("chain_paths").hidden(),
        ]);
        let title = if self.paths.is_empty() { "No path is different" } else { "" };
        let rows = self.paths.iter().map(|path| self.path_row(path));
        Section::rows("paths", title, columns, rows)
    }

    fn path_row<'d>(&'d self, change: &PathChange) -> Vec<Cell<'d>> {
        let side = if change.added { &self.new } else { &self.old };
        let (census, path) = (side.census, change.path);
        let kind = if change.added { ChangeKind::Added } else { ChangeKind::Removed };
        let mut row = path_size_cells(census, path);
        row.extend([
            Cell::optional(change.closure_disk_size, Cell::Size),
            Cell::optional(change.closure_physical_size, Cell::Size),
            Cell::optional(change.closure_nar_size, Cell::Size),
            Cell::text(kind.name()),
            Cell::text(census.catalog.path(census.id(path))),
        ]);
        match change.added {
            true => row.extend(chain_cells(census, &self.chain(path))),
            false => row.extend([Cell::Missing, Cell::Missing]),
        }
        row
    }

    fn why_section<'d>(&'d self) -> Section<'d> {
        let mut columns = path_size_columns(self.shown());
        columns.extend([
            Column::path("path"),
            Column::text("chain").titled("because of"),
            Column::paths("chain_paths").hidden(),
        ]);
        let newcomers = self.newcomers();
        let title = if newcomers.is_empty() { "" } else { "Why the largest new ones are there" };
        let rows = newcomers.into_iter().map(|path| {
            let census = self.new.census;
            let mut row = path_size_cells(census, path);
            row.push(Cell::text(census.catalog.path(census.id(path))));
            row.extend(chain_cells(census, &self.chain(path)));
            row
        });
        Section::rows("why", title, columns, rows)
    }

    fn sides_section<'d>(&'d self) -> Section<'d> {
        let mut columns = total_columns(self.shown());
        columns.extend([
            Column::count("paths"),
            Column::text("side").titled("").rank(1),
            Column::path("target").titled("of"),
        ]);
        let row = |name, side: &Side<'d>, diff: Option<&Self>| {
            let mut row = total_cells(&side.total, diff);
            row.extend([
                Cell::Count(side.total.paths),
                Cell::text(name),
                Cell::text(side.target()),
            ]);
            row
        };
        let rows = [row("old", &self.old, None), row("new", &self.new, Some(self))];
        Section::summary("sides", "", columns, rows.into_iter())
    }

    /// What the physical sizes of both sides are; `None` if those of one are not known.
    fn physical_sizes_are(&self) -> Option<SizeIs> {
        let [old, new] = [&self.old, &self.new].map(|side| side.census.physical_sizes_are());
        Some(old?.max(new?))
    }

    /// Which sizes people see, where these are not blocks; or why they are. And what they count
    /// that does not go.
    pub(super) fn sizes_note(&self) -> String {
        let sides = [self.old.census, self.new.census].into_iter();
        let changes = sides.filter(|_| self.has_disk());
        let changes = physical::changes_note(changes).unwrap_or_default();
        [self.physical_note().as_str(), changes].join(" ").trim().to_owned()
    }

    fn physical_note(&self) -> String {
        let sides = [("old", self.old.census), ("new", self.new.census)];
        let unknown =
            sides.iter().find_map(|(name, census)| Some((name, census.physical_unknown()?)));
        match (self.shown(), unknown) {
            (Shown::Physical, _) => physical::note(sides.iter().map(|side| side.1)),
            (Shown::Disk, Some((name, why))) if sides.iter().any(|side| side.1.has_extents()) => {
                let why = escape(why.as_bytes());
                format!(
                    "Physical sizes are not compared: those of the {name} side are not known: {why}."
                )
            }
            _ => String::new(),
        }
    }

    /// What happened to how many packages; `None` if to none.
    pub(super) fn summary(&self) -> Option<String> {
        let counts = COUNTS.iter().map(|&(kind, _)| (kind, self.count(kind)));
        let counts = counts.filter(|&(_, n)| n > 0);
        let counts: Vec<_> =
            counts.map(|(kind, n)| format!("{} {}", format_count(n), kind.name())).collect();
        (!counts.is_empty()).then(|| counts.join(", "))
    }

    fn total_fields<'d>(&self) -> Vec<Field<'d>> {
        let size = |key, n: Option<u64>| Field::hidden(key, Cell::optional(n, Cell::Size));
        let (old, new) = (&self.old.total, &self.new.total);
        let mut fields = vec![
            size("nar_size_before", old.nar_size),
            size("nar_size_after", new.nar_size),
            size("disk_size_before", old.disk_size),
            size("disk_size_after", new.disk_size),
            size("physical_size_before", old.physical_size),
            size("physical_size_after", new.physical_size),
            Field::hidden("paths_before", Cell::Count(old.paths)),
            Field::hidden("paths_after", Cell::Count(new.paths)),
        ];
        let counts =
            COUNTS.iter().map(|&(kind, key)| Field::hidden(key, Cell::Count(self.count(kind))));
        fields.extend(counts);
        fields
    }
}

impl Side<'_> {
    /// What it is of, for people: the one target, or the store.
    pub(super) fn target(&self) -> String {
        let catalog = &self.census.catalog;
        match self.tops.as_slice() {
            [top] => catalog.path(self.census.id(PathIndex::new(*top))),
            _ => catalog.store_dir().to_owned(),
        }
    }
}

/// What a path takes.
fn path_size_columns(shown: Shown) -> Vec<Column> {
    let own = [
        (Shown::Disk, "disk_size", "disk size"),
        (Shown::Physical, "physical_size", "physical"),
        (Shown::Nar, "nar_size", "NAR size"),
    ];
    let column = |(of, key, title)| Column::size(key).titled(title).weight().hidden_if(shown != of);
    own.into_iter().map(column).collect()
}

fn path_size_cells<'a>(census: &Census, path: PathIndex) -> Vec<Cell<'a>> {
    let mut row = physical::own_cells(census, Some(path)).to_vec();
    row.push(Cell::optional(census.known_nar_size(path), Cell::Size));
    row
}

/// What a side takes as a whole.
pub(super) fn total_columns(shown: Shown) -> Vec<Column> {
    let (disk, physical) = (shown != Shown::Disk, shown != Shown::Physical);
    vec![
        Column::size("nar_size").titled("NAR size"),
        Column::change("nar_change").titled("change"),
        Column::size("disk_size").titled("disk size").hidden_if(disk),
        Column::change("disk_change").titled("change").hidden_if(disk),
        Column::size("physical_size").titled("physical").hidden_if(physical),
        Column::change("physical_change").titled("change").hidden_if(physical),
    ]
}

/// The cells of those columns; `diff` is with what was before.
pub(super) fn total_cells<'a, 'd>(total: &SideTotal, diff: Option<&Diff<'d>>) -> Vec<Cell<'a>> {
    let size = |n: Option<u64>| Cell::optional(n, Cell::Size);
    let change = |of: fn(&Diff<'d>) -> Option<i64>| Cell::optional(diff.and_then(of), Cell::Change);
    vec![
        size(total.nar_size),
        change(Diff::nar_change),
        size(total.disk_size),
        change(Diff::disk_change),
        size(total.physical_size),
        change(Diff::physical_change),
    ]
}

pub(super) fn package_columns(shown: Shown) -> Vec<Column> {
    let (disk, physical, nar) =
        (shown != Shown::Disk, shown != Shown::Physical, shown != Shown::Nar);
    vec![
        Column::change("disk_change").titled("size change").weight().hidden_if(disk),
        Column::change("physical_change").titled("size change").weight().hidden_if(physical),
        Column::change("nar_change").titled("NAR change").weight().hidden_if(nar),
        Column::size("disk_size_before").titled("before").rank(5).hidden_if(disk),
        Column::size("disk_size_after").titled("after").rank(4).hidden_if(disk),
        Column::size("physical_size_before").titled("before").rank(5).hidden_if(physical),
        Column::size("physical_size_after").titled("after").rank(4).hidden_if(physical),
        Column::size("nar_size_before").titled("before").rank(5).hidden_if(nar),
        Column::size("nar_size_after").titled("after").rank(4).hidden_if(nar),
        Column::size("closure_disk_size_before").hidden(),
        Column::size("closure_disk_size_after").hidden(),
        Column::size("closure_physical_size_before").hidden(),
        Column::size("closure_physical_size_after").hidden(),
        Column::size("closure_nar_size_before").hidden(),
        Column::size("closure_nar_size_after").hidden(),
        Column::text("change").titled("what").rank(1),
        Column::text("package").named().rank(0),
        Column::text("pname").hidden(),
        Column::text("versions").rank(1),
        Column::texts("versions_before").hidden(),
        Column::texts("versions_after").hidden(),
        Column::paths("removed_paths").hidden(),
        Column::paths("added_paths").hidden(),
    ]
}

impl PackageChange {
    /// What happened to the versions; `None` where there are none.
    pub fn versions_text(&self) -> Option<String> {
        let list = |versions: &[&str]| -> String {
            let versions = versions.iter().copied();
            let called =
                versions.map(|version| if version.is_empty() { "no version" } else { version });
            called.collect::<Vec<_>>().join(", ")
        };
        let all: Vec<&str> =
            self.old.versions.union(&self.new.versions).map(String::as_str).collect();
        if all == [""] {
            return None;
        }
        let (gone, came) = self.versions();
        Some(match self.kind {
            ChangeKind::Added | ChangeKind::Removed | ChangeKind::Rebuilt => list(&all),
            _ if gone.is_empty() => format!("+ {}", list(&came)),
            _ if came.is_empty() => format!("- {}", list(&gone)),
            _ => format!("{} → {}", list(&gone), list(&came)),
        })
    }
}
