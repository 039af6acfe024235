//! What is inside paths, for printing.

use super::{DIRECTORIES, FileGroup, FileSizes, Files, GroupFilesBy, ShowFiles};
use crate::analysis::path_names::list_of;
use crate::analysis::{hard_links, physical};
use crate::answer::{Cell, Column, Document, Field, GraphLine, Head, RowIter, Section};
use crate::census::Census;
use crate::disk::Inode;
use crate::fs::FileType;

impl Files {
    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let extents = self.extents(0).map(|(sizes, _)| sizes);
        let mut total = vec![Field::hidden("disk_size", Cell::Size(self.total.disk_size))];
        total.extend(physical::extent_fields(extents));
        total.extend([
            Field::hidden("apparent_size", Cell::Size(self.total.apparent_size)),
            Field::hidden("copied_disk_size", Cell::Size(self.total.copied_disk_size)),
            Field::hidden("entries", Cell::Count(self.total.entries)),
            Field::hidden("paths", Cell::Count(census.len() as u64)),
        ]);
        let mut sections = vec![Section::fields(Some("total"), "", total)];
        let main = match self.options.show {
            ShowFiles::Largest => {
                sections.push(self.directories_section(census));
                sections.push(self.files_section(census));
                "files"
            }
            ShowFiles::Tree => {
                sections.push(self.tree_section(census));
                "entries"
            }
            ShowFiles::Groups(by) => {
                sections.push(self.groups_section(census, by));
                "groups"
            }
        };
        if !matches!(self.options.show, ShowFiles::Groups(_)) {
            sections.push(self.note());
        }
        sections.extend(hard_links::notes(census, census.indexes()));
        sections.extend(physical::notes_of_files(census, self.are_extents()));
        if !matches!(self.options.show, ShowFiles::Groups(_)) {
            let known = census.disk_to_free().is_some();
            sections.extend(physical::freed_note(census, known));
        }
        let head = Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, main)
    }

    /// Whether people see extents in place of blocks.
    fn are_extents(&self) -> bool {
        self.extents.is_some()
    }

    fn note<'a>(&self) -> Section<'a> {
        let mut note = match self.are_extents() {
            true => {
                "Reclaimable: extents that would go with it, as far as all that uses them is there."
            }
            false => {
                "Disk size: each inode once; reclaimable: what would go with it, as far as all \
                 names of it are there (.links apart)."
            }
        }
        .to_owned();
        if self.total.copied_disk_size > self.total.disk_size {
            note += " Hard links: a file is listed by the first of its names.";
        }
        Section::Note(note)
    }

    /// The full path of an entry.
    fn full_path<'a>(&self, census: &Census, node: u32) -> Cell<'a> {
        let mut path = census.catalog.store_dir().as_bytes().to_vec();
        path.push(b'/');
        path.extend(self.listing.relative_name(node));
        Cell::Bytes(path.into())
    }

    /// The cells of what an entry takes, and of its apparent size.
    fn own_cells<'a>(&self, node: u32) -> Vec<Cell<'a>> {
        let sizes = &self.sizes[node as usize];
        let mut cells = vec![Cell::Size(sizes.disk_size)];
        cells.extend(physical::extent_cells(self.extents(node).map(|(sizes, _)| sizes)));
        cells.push(Cell::Size(sizes.apparent_size));
        cells
    }

    fn own_columns(&self, census: &Census) -> Vec<Column> {
        let mut columns = physical::size_columns(census, self.are_extents()).to_vec();
        columns.push(Column::size("apparent_size").titled("apparent"));
        columns
    }

    /// The same, and of what would go with the entry.
    fn size_cells<'a>(&self, census: &Census, node: u32) -> Vec<Cell<'a>> {
        let sizes = &self.sizes[node as usize];
        let blocks = census.disk_to_free().map(|_| sizes.reclaimable_size);
        let freed = match self.are_extents() {
            true => self.extents(node).map(|(_, reclaimable)| reclaimable),
            false => blocks,
        };
        let freed = freed.filter(|_| census.freed_sizes_are().is_some());
        let mut cells = self.own_cells(node);
        cells.extend([
            Cell::Size(sizes.copied_disk_size),
            Cell::optional(blocks, Cell::Size),
            Cell::optional(freed, Cell::Size),
        ]);
        cells
    }

    /// Columns of sizes: what takes every name of an inode into account only
    /// where there are such.
    fn size_columns(&self, census: &Census) -> Vec<Column> {
        let linked = self.total.copied_disk_size > self.total.disk_size;
        let (shows, freed) = (self.are_extents(), census.freed_sizes_are().is_some());
        let mut columns = self.own_columns(census);
        columns.extend([
            Column::size("copied_disk_size").titled("copied").hidden_if(!linked || shows),
            Column::size("reclaimable_size")
                .titled("reclaimable")
                .hidden_if(shows || census.disk_to_free().is_none()),
            Column::size("reclaimable_physical_size")
                .titled("reclaimable")
                .hidden_if(!shows || !freed),
        ]);
        columns
    }

    fn directories_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let mut columns = self.size_columns(census);
        columns.extend([
            Column::count("entries"),
            Column::text("kind").hidden(),
            Column::count("depth").hidden(),
            Column::path("path"),
        ]);
        let rows = self.directories.iter().map(move |&node| {
            let (entry, sizes) = (&self.listing.nodes[node as usize], &self.sizes[node as usize]);
            let mut cells = self.size_cells(census, node);
            cells.extend([
                Cell::Count(sizes.entries),
                Cell::text(entry.kind.key()),
                Cell::Count((entry.depth - 1).into()),
                self.full_path(census, node),
            ]);
            cells
        });
        let title = if self.directories.is_empty() { "" } else { "Largest directories" };
        Section::rows("directories", title, columns, rows)
    }

    fn files_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let mut columns = self.own_columns(census);
        columns.extend(self.link_columns());
        columns.extend([
            Column::text("kind"),
            Column::text("type").hidden(),
            Column::count("depth").hidden(),
            Column::path("path"),
            Column::path("target").titled("leads to").hidden(),
        ]);
        let rows = self.files.iter().map(move |&node| {
            let entry = &self.listing.nodes[node as usize];
            let mut cells = self.own_cells(node);
            cells.extend(self.link_cells(census, node));
            cells.extend([
                Cell::text(entry.kind.key()),
                Cell::text(type_name(entry.file_type)),
                Cell::Count((entry.depth - 1).into()),
                self.full_path(census, node),
                self.target_cell(node),
            ]);
            cells
        });
        let title = if self.files.is_empty() { "" } else { "Largest files" };
        Section::rows("files", title, columns, rows)
    }

    /// Columns of what other names a file has.
    fn link_columns(&self) -> Vec<Column> {
        let linked = self.listing.nodes.iter().any(|node| node.inode.is_some());
        vec![
            Column::count("names").hidden_if(!linked),
            Column::count("names_elsewhere").titled("elsewhere").hidden_if(!linked),
            Column::bool("in_links").hidden(),
            Column::text("linked_to").titled("also in").hidden_if(!linked),
            Column::paths("linked_paths").hidden(),
        ]
    }

    /// How many names an inode has in what is examined, how many elsewhere
    /// (`.links` apart), whether one is in `.links`, and the other paths.
    fn link_cells<'a>(&self, census: &'a Census, node: u32) -> Vec<Cell<'a>> {
        let catalog = &census.catalog;
        let inode = self.inode(census, node);
        let here = self.listing.nodes[node as usize].inode;
        let here = here.map_or(1, |inode| self.names.row(inode.node()).len() as u64);
        let all = inode.map_or(1, |inode| u64::from(inode.names_outside_links()));
        let others = self.other_paths(node);
        let first = others.first().map(|&path| {
            let name = catalog.store_path(census.id(path)).name();
            match others.len() {
                1 => name.to_owned(),
                more => format!("{name} and {} more", more - 1),
            }
        });
        vec![
            Cell::Count(here),
            Cell::Count(all.saturating_sub(here)),
            Cell::Bool(inode.is_some_and(Inode::linked)),
            Cell::optional(first, Cell::text),
            list_of(catalog, others.iter().map(|&path| census.id(path))),
        ]
    }

    fn target_cell(&self, node: u32) -> Cell<'_> {
        Cell::optional(self.listing.target(node), |target| Cell::Bytes(target.into()))
    }

    fn tree_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let symlinks = self.lines.iter().any(|line| self.listing.target(line.node).is_some());
        let mut columns = self.size_columns(census);
        columns.extend([
            Column::count("entries"),
            Column::text("kind"),
            Column::text("type").hidden(),
            Column::path("path"),
            Column::count("depth").hidden(),
            Column::path("parent").hidden(),
            Column::path("target").titled("leads to").rank(6).hidden_if(!symlinks),
        ]);
        columns.extend(self.link_columns());
        // The paths are listed where each inode stands once.
        columns.pop();
        let row = move |line: &GraphLine| {
            let node = line.node;
            let (entry, sizes) = (&self.listing.nodes[node as usize], &self.sizes[node as usize]);
            let path = self.full_path(census, node);
            let path = match line.parent {
                None => path,
                // Below its directory, the last part says all.
                Some(_) => {
                    let name = String::from_utf8_lossy(self.listing.name(node)).into_owned();
                    let slash = if entry.file_type == FileType::Directory { "/" } else { "" };
                    Cell::Both(format!("{name}{slash}").into(), Box::new(path))
                }
            };
            let mut cells = self.size_cells(census, node);
            cells.extend([
                Cell::Count(sizes.entries),
                Cell::text(entry.kind.key()),
                Cell::text(type_name(entry.file_type)),
                path,
                Cell::Count(line.depth.into()),
                Cell::optional(line.parent, |parent| self.full_path(census, parent)),
                self.target_cell(node),
            ]);
            cells.extend(self.link_cells(census, node));
            cells.pop();
            cells
        };
        Section::graph("entries", columns, "path", &self.lines, row)
    }

    fn groups_section<'a>(&'a self, census: &'a Census, by: GroupFilesBy) -> Section<'a> {
        let name = match by {
            GroupFilesBy::Kind => Column::text("kind"),
            GroupFilesBy::Extension => Column::text("extension"),
            GroupFilesBy::Path => Column::path("path"),
        };
        let mut columns = self.own_columns(census);
        columns.extend([Column::count("entries"), name]);
        let cells = |disk_size, extents, apparent_size, entries, name| {
            let mut cells = vec![Cell::Size(disk_size)];
            cells.extend(physical::extent_cells(extents));
            cells.extend([Cell::Size(apparent_size), Cell::Count(entries), name]);
            cells
        };
        let rows = self.groups.iter().map(move |group| {
            let text = || String::from_utf8_lossy(&group.name).into_owned();
            let name = match by {
                GroupFilesBy::Path => {
                    Cell::text(format!("{}/{}", census.catalog.store_dir(), text()))
                }
                GroupFilesBy::Extension if group.name == DIRECTORIES => {
                    Cell::Both("(directories)".into(), Box::new(Cell::text(text())))
                }
                GroupFilesBy::Extension if group.name.is_empty() => {
                    Cell::Both("(none)".into(), Box::new(Cell::text("")))
                }
                _ => Cell::text(text()),
            };
            let FileGroup { disk_size, extents, apparent_size, entries, .. } = *group;
            cells(disk_size, extents, apparent_size, entries, name)
        });
        let FileSizes { disk_size, apparent_size, entries, .. } = self.total;
        let extents = self.extents(0).map(|(sizes, _)| sizes);
        let name = Cell::text("total, each inode once");
        let footer = cells(disk_size, extents, apparent_size, entries, name);
        Section::Rows {
            key: "groups",
            title: String::new(),
            columns,
            rows: RowIter::new(rows),
            footer,
            summary: false,
        }
    }
}

fn type_name(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Directory => "directory",
        FileType::Regular => "regular",
        FileType::Symlink => "symlink",
        FileType::Other | FileType::Unknown => "other",
    }
}
