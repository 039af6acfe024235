//! What is inside paths, for printing.

use super::{DIRECTORIES, FileSizes, Files, GroupFilesBy, ShowFiles};
use crate::analysis::hard_links;
use crate::analysis::path_names::list_of;
use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::census::Census;
use crate::disk::Inode;
use crate::fs::FileType;

impl Files {
    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let total = vec![
            Field::hidden("disk_size", Cell::Size(self.total.disk_size)),
            Field::hidden("apparent_size", Cell::Size(self.total.apparent_size)),
            Field::hidden("copied_disk_size", Cell::Size(self.total.copied_disk_size)),
            Field::hidden("entries", Cell::Count(self.total.entries)),
            Field::hidden("paths", Cell::Count(census.len() as u64)),
        ];
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
        let head = Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, main)
    }

    fn note<'a>(&self) -> Section<'a> {
        let mut note =
            "Disk size: each inode once; reclaimable: what would go with it, as far as all names \
             of it are there (.links apart)."
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

    fn size_cells<'a>(sizes: &FileSizes) -> Vec<Cell<'a>> {
        vec![
            Cell::Size(sizes.disk_size),
            Cell::Size(sizes.apparent_size),
            Cell::Size(sizes.copied_disk_size),
            Cell::Size(sizes.reclaimable_size),
        ]
    }

    /// Columns of sizes: what takes every name of an inode into account only
    /// where there are such.
    fn size_columns(&self) -> Vec<Column> {
        let linked = self.total.copied_disk_size > self.total.disk_size;
        vec![
            Column::size("disk_size").titled("disk size"),
            Column::size("apparent_size").titled("apparent"),
            Column::size("copied_disk_size").titled("copied").hidden_if(!linked),
            Column::size("reclaimable_size").titled("reclaimable"),
        ]
    }

    fn directories_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let mut columns = self.size_columns();
        columns.extend([
            Column::count("entries"),
            Column::text("kind").hidden(),
            Column::count("depth").hidden(),
            Column::path("path"),
        ]);
        let rows = self.directories.iter().map(move |&node| {
            let (entry, sizes) = (&self.listing.nodes[node as usize], &self.sizes[node as usize]);
            let mut cells = Self::size_cells(sizes);
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
        let mut columns = vec![
            Column::size("disk_size").titled("disk size"),
            Column::size("apparent_size").titled("apparent"),
        ];
        columns.extend(self.link_columns());
        columns.extend([
            Column::text("kind"),
            Column::text("type").hidden(),
            Column::count("depth").hidden(),
            Column::path("path"),
            Column::path("target").titled("leads to").hidden(),
        ]);
        let rows = self.files.iter().map(move |&node| {
            let (entry, sizes) = (&self.listing.nodes[node as usize], &self.sizes[node as usize]);
            let mut cells = vec![Cell::Size(sizes.disk_size), Cell::Size(sizes.apparent_size)];
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
        let mut columns = self.size_columns();
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
        let rows = self.lines.iter().map(move |line| {
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
            let mut cells = Self::size_cells(sizes);
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
        });
        Section::graph("entries", columns, "path", &self.lines, rows)
    }

    fn groups_section<'a>(&'a self, census: &'a Census, by: GroupFilesBy) -> Section<'a> {
        let name = match by {
            GroupFilesBy::Kind => Column::text("kind"),
            GroupFilesBy::Extension => Column::text("extension"),
            GroupFilesBy::Path => Column::path("path"),
        };
        let columns = vec![
            Column::size("disk_size").titled("disk size"),
            Column::size("apparent_size").titled("apparent"),
            Column::count("entries"),
            name,
        ];
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
            vec![
                Cell::Size(group.disk_size),
                Cell::Size(group.apparent_size),
                Cell::Count(group.entries),
                name,
            ]
        });
        let footer = vec![
            Cell::Size(self.total.disk_size),
            Cell::Size(self.total.apparent_size),
            Cell::Count(self.total.entries),
            Cell::text("total, each inode once"),
        ];
        Section::Rows {
            key: "groups",
            title: String::new(),
            columns,
            rows: Box::new(rows),
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
