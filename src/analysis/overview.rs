//! The overview of a store: what `nix-census` prints with no command.
use crate::arrange::Arrange as _;

use super::hard_links;
use super::physical::{self, Held, SizesSaid, main_size};
use super::reclaim::Printed;
use crate::answer::{Cell, Column, Document, Field, Head, RowIter, Section};
use crate::catalog::PathId;
use crate::census::{Census, Union, WholeCensus};
use crate::disk::{CompressionSizes, ExtentSizes, Space};
use crate::fs::Capacity;
use crate::outside::Outside;
use crate::store::StoreLocation;
use crate::text::{Units, escape, format_count, format_size};
use crate::warning::Warnings;
use std::path::Path;
use std::time::Duration;

/// How many paths the list of the heaviest holds.
const HEAVIEST: usize = 10;

/// A store in one screen. All sizes are in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Valid paths.
    pub paths: u64,
    /// Valid paths that are store derivations.
    pub derivations: u64,
    /// References between valid paths, self references among them.
    pub references: u64,
    /// The sum of all NAR sizes in the database; `None` if one is unknown.
    pub nar_size: Option<u64>,
    /// When the newest path was registered, in seconds since 1970.
    pub newest_registration: Option<i64>,
    /// What the disk says; `None` if it was not asked.
    pub disk: Option<DiskOverview>,
    /// The heaviest paths by disk size (by NAR size if the disk was not
    /// asked), heaviest first.
    pub heaviest: Vec<PathId>,
    /// What files take beneath their blocks, where that is known and differs.
    pub extents: Option<ExtentsOverview>,
    /// What lies outside the store, if it was looked for.
    pub outside: Option<Outside>,
    /// How long the census took.
    pub duration: Duration,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
}

/// What all valid paths take in extents. All sizes are in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtentsOverview {
    /// Sums over all valid paths by how extents are compressed.
    pub compressions: Vec<CompressionSizes>,
    /// What the extents take on devices, each copy counted, if that is known.
    pub raw_size: Option<u64>,
    /// What of them those outside the store use too: it stays, whatever goes.
    pub held: Held,
}

/// The disk's part of an [`Overview`]. All sizes are in bytes, each inode once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskOverview {
    /// The apparent size of all valid paths.
    pub apparent_size: u64,
    /// The disk size of all valid paths.
    pub disk_size: u64,
    /// Their extents, each once; `None` if these are not known.
    pub extents: Option<ExtentSizes>,
    /// Entries of the store directory that are not valid paths, `.links` apart.
    pub invalid_entries: u64,
    /// The disk size of those: what would go with them.
    pub invalid_disk_size: u64,
    /// Names beyond the first of inodes with several names in the store,
    /// `.links` apart.
    pub hard_linked_names: u64,
    /// The disk size that those names would take as files of their own.
    pub hard_link_savings: u64,
    /// What links through `.links` save, as `nix-store --optimise` makes them:
    /// Σ (names - 2) × disk size.
    pub links_savings: u64,
    /// Names in valid paths beyond the first of inodes with no name in `.links`.
    pub other_linked_names: u64,
    /// The disk size that those would take as files of their own.
    pub other_link_savings: u64,
    /// The disk size of all valid paths if each name were a file of its own, as
    /// `du -l` has it.
    pub copied_disk_size: u64,
    /// Entries of `.links`.
    pub links_entries: u64,
    /// The blocks of the directory `.links` itself.
    pub links_directory_disk_size: u64,
    /// Entries of `.links` that are the only name of their inode: a garbage
    /// collection deletes them.
    pub unused_links: u64,
    /// The disk size of those.
    pub unused_links_disk_size: u64,
    /// The disk size of the whole store directory, as `du -s` has it.
    pub store_disk_size: u64,
    /// The inodes of all valid paths.
    pub inodes: u64,
    /// The inodes of entries that are not valid paths: what would go with them.
    pub invalid_inodes: u64,
    /// The inodes of the whole store directory, itself included.
    pub store_inodes: u64,
    /// What the store's file system holds and has left, where that is known.
    pub capacity: Option<Capacity>,
    /// Directory entries seen.
    pub entries: u64,
}

impl Overview {
    /// The overview of a store.
    pub fn new(census: WholeCensus<'_>, duration: Duration) -> Self {
        let catalog = &census.catalog;
        let ids = catalog.ids();
        let weight = |id| main_size(census.census(), census.index(id));
        let mut heaviest: Vec<PathId> = ids.clone().collect();
        // Where the disk holds none of them, their NAR sizes are left.
        heaviest.arrange_by_key(|&id| std::cmp::Reverse((weight(id), census.nar_size(id))));
        heaviest.truncate(HEAVIEST);
        Self {
            paths: catalog.len() as u64,
            derivations: ids.clone().filter(|&id| catalog.store_path(id).is_derivation()).count()
                as u64,
            references: catalog.references().entries() as u64,
            nar_size: census.sum_nar_sizes(census.indexes()),
            newest_registration: catalog.newest_registration(),
            disk: disk_overview(census.census()),
            heaviest,
            extents: extents_overview(census.census()),
            outside: None,
            duration,
            warnings: census.warnings.clone(),
        }
    }

    /// The answer for printing; `location` is where the store lies.
    pub fn document<'a>(&'a self, census: &'a Census, location: &StoreLocation) -> Document<'a> {
        let catalog = &census.catalog;
        let mut fields = vec![
            Field::new("paths", "valid paths", Cell::Count(self.paths))
                .remark(format!("{} of them derivations (.drv)", format_count(self.derivations))),
            Field::hidden("derivations", Cell::Count(self.derivations)),
            Field::new("references", "references", Cell::Count(self.references)),
            Field::new("nar_size", "NAR size", Cell::optional(self.nar_size, Cell::Size)),
        ];
        if catalog.has_provenance() {
            fields.push(
                Field::new("written_by", "written by", Cell::text("Determinate Nix"))
                    .remark("its database has the column provenance"),
            );
        }
        if let Some(d) = self.disk {
            fields.extend([
                Field::new("apparent_size", "apparent size", Cell::Size(d.apparent_size))
                    .remark("each inode once"),
                Field::new("disk_size", "disk size", Cell::Size(d.disk_size))
                    .remark("each inode once"),
            ]);
            fields.extend(self.extents_fields(census, d.extents));
            fields.extend([
                size_if("links_savings", "saved through .links", d.links_savings)
                    .remark("by nix-store --optimise"),
                size_if("other_link_savings", "saved by hard links", d.other_link_savings)
                    .remark(format!("{} more names of files", format_count(d.other_linked_names))),
                Field::hidden("other_linked_names", Cell::Count(d.other_linked_names)),
                Field::hidden("hard_link_savings", Cell::Size(d.hard_link_savings)),
                Field::hidden("hard_linked_names", Cell::Count(d.hard_linked_names)),
                Field::new("copied_disk_size", "every name copied", Cell::Size(d.copied_disk_size))
                    .remark("without hard links, as du -l counts")
                    .hidden_if(d.copied_disk_size <= d.disk_size),
                size_if("links_directory_disk_size", ".links itself", d.links_directory_disk_size)
                    .remark(format!("{} entries", format_count(d.links_entries))),
                Field::hidden("links_entries", Cell::Count(d.links_entries)),
                size_if("unused_links_disk_size", "unused links", d.unused_links_disk_size).remark(
                    format!(
                        "{} entries of .links with no other name",
                        format_count(d.unused_links)
                    ),
                ),
                Field::hidden("unused_links", Cell::Count(d.unused_links)),
                count_size(
                    "invalid_disk_size",
                    "other entries",
                    d.invalid_entries,
                    d.invalid_disk_size,
                )
                .remark(format!(
                    "{} entries of the store directory that are not valid paths",
                    format_count(d.invalid_entries)
                )),
                Field::hidden("invalid_entries", Cell::Count(d.invalid_entries)),
                Field::new("store_disk_size", "whole store on disk", Cell::Size(d.store_disk_size)),
                Field::new("inodes", "inodes", Cell::Count(d.inodes)).remark(format!(
                    "{} in the whole store directory",
                    format_count(d.store_inodes)
                )),
                Field::hidden("store_inodes", Cell::Count(d.store_inodes)),
                Field::hidden("invalid_inodes", Cell::Count(d.invalid_inodes)),
            ]);
            fields.extend(capacity_fields(d.capacity));
        }
        if let Some(time) = self.newest_registration {
            fields.push(Field::new("newest_registration", "newest registration", Cell::Time(time)));
        } else {
            fields.push(Field::hidden("newest_registration", Cell::Missing));
        }
        let seconds = self.duration.as_secs_f64();
        let entries = self.disk.map(|d| d.entries);
        fields.push(Field::new("duration", "examined in", Cell::Seconds(seconds)).remark(
            entries.map(|n| format!("{} entries seen", format_count(n))).unwrap_or_default(),
        ));
        fields.push(Field::hidden("entries", Cell::optional(entries, Cell::Count)));
        let disk = self.disk.map(|d| d.disk_size);
        let nar_size = Column::size("nar_size").titled("NAR size");
        let mut columns = vec![];
        columns.push(if disk.is_some() { nar_size.rank(2) } else { nar_size.weight().share() });
        let extents = self.extents.is_some();
        if disk.is_some() {
            let disk_size = Column::size("disk_size").titled("disk size");
            let physical = Column::size("physical_size").titled("physical");
            columns.extend(match extents {
                true => [disk_size.rank(3), physical.weight().share()],
                false => [disk_size.weight().share(), physical.hidden()],
            });
        }
        columns.extend([Column::count("referrers").rank(4), Column::path("path")]);
        let mut footer = vec![Cell::optional(self.nar_size, Cell::Size)];
        if let Some(d) = self.disk {
            let physical = d.extents.map(|sizes| sizes.physical_size);
            footer.extend([Cell::Size(d.disk_size), Cell::optional(physical, Cell::Size)]);
        }
        let all = format!("all {} paths", format_count(self.paths));
        footer.extend([Cell::text(""), Cell::text(all)]);
        let rows = self.heaviest.clone().into_iter().map(move |id| {
            let mut row = vec![Cell::optional(catalog.nar_size(id), Cell::Size)];
            if census.disk.is_some() {
                row.extend(physical::own_cells(census, census.index_of(id)));
            }
            let others = catalog.referrers_of(id).filter(|&r| r != id).count();
            row.extend([Cell::Count(others as u64), Cell::text(catalog.path(id))]);
            row
        });
        let store_dir = catalog.store_dir();
        let title = match location.root.to_str() {
            Some("/") if location.real_store_dir == Path::new(store_dir) => {
                format!("Store {store_dir}")
            }
            Some("/") => format!("Store {store_dir} in {}", location.real_store_dir.display()),
            _ => format!("Store {store_dir} under {}", location.root.display()),
        };
        let heaviest = Section::Rows {
            key: "heaviest",
            title: "Heaviest paths".to_owned(),
            columns,
            rows: RowIter::new(rows),
            footer,
            summary: false,
        };
        let mut sections = vec![heaviest];
        if let Some(extents) = &self.extents {
            sections.push(extents.section());
            let title = "Used from outside the store too: it stays, whatever goes";
            sections.push(extents.held.section(census, title));
        }
        sections.extend(hard_links::notes(census, census.indexes()));
        sections.extend(self.outside.as_ref().map(Printed::section));
        sections.extend(physical::notes(census));
        sections.push(Section::fields(None, title, fields));
        Document::new(Head { store_dir, warnings: &self.warnings }, sections, "heaviest")
    }
}

impl Overview {
    /// What all paths take beneath their blocks; people see it where that differs, or is
    /// not known.
    fn extents_fields<'a>(&self, census: &Census, sizes: Option<ExtentSizes>) -> Vec<Field<'a>> {
        let size = |of: fn(ExtentSizes) -> u64| Cell::optional(sizes.map(of), Cell::Size);
        let why = census.physical_unknown().map(str::to_owned);
        let raw = self.extents.as_ref().and_then(|extents| extents.raw_size);
        let known = self.extents.is_some();
        let copied = raw.is_some() && raw != sizes.map(|sizes| sizes.physical_size);
        let remark = match (&why, physical::sizes_said(std::iter::once(census))) {
            (Some(why), _) => format!("not known: {}", escape(why.as_bytes())),
            (None, SizesSaid::Exact) => {
                "extents as they lie on the disk, each once: what is really used".to_owned()
            }
            (None, SizesSaid::AtLeast) => {
                "at least: extents as they lie on the disk, each once; some files are left out"
                    .to_owned()
            }
            (None, SizesSaid::About) => {
                "about: extents as they lie on the disk, each once; it changed meanwhile".to_owned()
            }
            (None, SizesSaid::AboutToOthers) => {
                "about: extents as they lie on the disk, each once; root sees it exactly".to_owned()
            }
        };
        vec![
            Field::new("physical_size", "physical size", size(|s| s.physical_size))
                .remark(remark)
                .hidden_if(!known && why.is_none()),
            Field::new("uncompressed_size", "uncompressed", size(|s| s.uncompressed_size))
                .remark("the same extents")
                .hidden_if(!known),
            Field::new("referenced_size", "referenced", size(|s| s.referenced_size))
                .remark("every reference counted")
                .hidden_if(!known),
            Field::new("inline_size", "inline", size(|s| s.inline_size))
                .remark("contents in the file system's metadata, not in the physical size")
                .hidden_if(!known),
            Field::new("raw_size", "on devices", Cell::optional(raw, Cell::Size))
                .remark("all copies")
                .hidden_if(!copied),
            Field::hidden("physical_size_unknown", Cell::optional(why, Cell::text)),
        ]
    }
}

impl ExtentsOverview {
    /// The list of ways in which extents are compressed.
    fn section<'a>(&self) -> Section<'a> {
        let columns = vec![
            Column::text("compression"),
            Column::size("physical_size").titled("physical"),
            Column::size("uncompressed_size").titled("uncompressed"),
            Column::size("referenced_size").titled("referenced"),
            Column::size("inline_size").titled("inline"),
            Column::size("inline_uncompressed_size").hidden(),
        ];
        let rows: Vec<Vec<Cell<'a>>> = (self.compressions.iter())
            .map(|total| {
                let ExtentSizes { physical_size, uncompressed_size, referenced_size, inline_size } =
                    total.sizes;
                vec![
                    Cell::text(total.compression.name()),
                    Cell::Size(physical_size),
                    Cell::Size(uncompressed_size),
                    Cell::Size(referenced_size),
                    Cell::Size(inline_size),
                    Cell::Size(total.inline_uncompressed_size),
                ]
            })
            .collect();
        Section::rows("compression", "Extents by compression", columns, rows.into_iter())
    }
}

/// What all valid paths take in extents, where blocks do not say it.
fn extents_overview(census: &Census) -> Option<ExtentsOverview> {
    let extents = census.disk.as_ref()?.extents()?;
    Some(ExtentsOverview {
        compressions: extents.totals.clone(),
        raw_size: extents.raw_size,
        held: Held::new(census.disk.as_ref()?, |_| true).unwrap_or_default(),
    })
}

/// A size that people see where there is any.
fn size_if(key: &'static str, label: &'static str, size: u64) -> Field<'static> {
    count_size(key, label, size, size)
}

/// The size of so many things, which people see where there are any.
fn count_size(key: &'static str, label: &'static str, things: u64, size: u64) -> Field<'static> {
    Field::new(key, label, Cell::Size(size)).hidden_if(things == 0)
}

/// What the store's file system has left. JSON keys are there in any case.
fn capacity_fields(capacity: Option<Capacity>) -> Vec<Field<'static>> {
    let size = |of: fn(Capacity) -> u64| Cell::optional(capacity.map(of), Cell::Size);
    let count =
        |of: fn(Capacity) -> Option<u64>| Cell::optional(capacity.and_then(of), Cell::Count);
    let mut free = Field::hidden("available_size", size(|c| c.available));
    let mut inodes = Field::hidden("free_inodes", count(|c| c.free_inodes));
    if let Some(c) = capacity {
        free.label = "file system has left".into();
        let whole = format_size(c.size, Units::Binary);
        free.remark = format!("{} of {whole}", percent(c.available, c.size)).into();
        inodes.label = "inodes left".into();
        inodes.remark = match (c.free_inodes, c.inodes) {
            (Some(free), Some(all)) => {
                format!("{} of {}", percent(free, all), format_count(all)).into()
            }
            _ => "the file system has no limit on inodes".into(),
        };
    }
    vec![
        free,
        Field::hidden("file_system_size", size(|c| c.size)),
        Field::hidden("free_size", size(|c| c.free)),
        inodes,
        Field::hidden("file_system_inodes", count(|c| c.inodes)),
    ]
}

fn percent(part: u64, whole: u64) -> String {
    match u128::from(part).saturating_mul(100).checked_div(u128::from(whole)) {
        Some(percent) => format!("{percent}%"),
        None => "-".to_owned(),
    }
}

fn disk_overview(census: &Census) -> Option<DiskOverview> {
    let disk = census.disk.as_ref()?;
    let shared = census.shared()?;
    let Union { disk_size, apparent_size, inodes, extents } = shared.union(census.indexes());
    // Names in valid paths, then in all of the store, `.links` apart.
    let mut in_valid = vec![0u32; disk.inodes.len()];
    let mut names = vec![0u32; disk.inodes.len()];
    for (path, row) in disk.names.iter().enumerate() {
        for &inode in row {
            names[inode as usize] += 1;
            in_valid[inode as usize] += u32::from(path < census.len());
        }
    }
    let (mut hard_linked_names, mut hard_link_savings) = (0, 0);
    let mut invalid = disk.others.iter().map(|(_, usage)| usage.private()).sum::<Space>();
    let (mut other_linked_names, mut other_link_savings) = (0u64, 0u64);
    let mut copied_disk_size = disk_size;
    for (i, inode) in disk.inodes.iter().enumerate() {
        let extra = u64::from(names[i].saturating_sub(1));
        hard_linked_names += extra;
        let size = extra.saturating_mul(inode.disk_size());
        hard_link_savings = u64::saturating_add(hard_link_savings, size);
        let extra = u64::from(in_valid[i].saturating_sub(1));
        let size = extra.saturating_mul(inode.disk_size());
        copied_disk_size = copied_disk_size.saturating_add(size);
        if !inode.linked() {
            other_linked_names += extra;
            other_link_savings = other_link_savings.saturating_add(size);
        }
        if names[i] > 0 && in_valid[i] == 0 {
            invalid += Space::inode(inode.disk_size());
        }
    }
    let links = disk.links.unwrap_or_default();
    // Inodes of several names, all outside the paths: in `.links` and beyond
    // the store. Each such name in `.links` counts for the store.
    let only_in_links = (disk.inodes.iter().zip(&names))
        .filter(|(inode, names)| **names == 0 && inode.linked())
        .map(|(inode, _)| Space::inode(inode.disk_size()))
        .sum::<Space>();
    let store_directory = Space::inode(disk.store_directory_disk_size);
    let links_directories = Space::blocks(links.directory_disk_size, links.directories);
    let store = Space::blocks(disk_size, inodes)
        + invalid
        + links_directories
        + links.unused_space()
        + store_directory
        + only_in_links;
    Some(DiskOverview {
        apparent_size,
        disk_size,
        extents: census.knows_physical().then_some(extents),
        invalid_entries: disk.others.len() as u64,
        invalid_disk_size: invalid.disk_size,
        hard_linked_names,
        hard_link_savings,
        links_savings: links.saved_disk_size,
        other_linked_names,
        other_link_savings,
        copied_disk_size,
        links_entries: links.entries,
        links_directory_disk_size: links.directory_disk_size,
        unused_links: links.unused,
        unused_links_disk_size: links.unused_disk_size,
        store_disk_size: store.disk_size,
        inodes,
        invalid_inodes: invalid.inodes,
        store_inodes: store.inodes,
        capacity: disk.capacity,
        entries: disk.entries,
    })
}
