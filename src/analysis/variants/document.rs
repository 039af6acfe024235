//! Variants, for printing.

use super::groups::flavour;
use super::{Variant, VariantGroup, Variants};
use crate::analysis::path_names::{chain_cells, list_of};
use crate::analysis::physical;
use crate::analysis::suggest::{Action, Handles};
use crate::answer::{Cell, Column, Document, Head, Section};
use crate::census::{Census, PathIndex};

impl Variants {
    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let note =
            "Saves: with the replacements given, as what-if counts it. Where nothing can take \
                    a build’s place, larger ones need it themselves, or there is none."
                .to_owned();
        let mut sections = vec![self.groups_section(census), self.variants_section(census)];
        if !self.groups.is_empty() {
            sections.push(Section::Note(note));
        }
        sections.extend(physical::notes_of_gains(census));
        let head = Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, "variants")
    }

    fn groups_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let disk = census.disk.is_some();
        let (of_disk, of_extents) = ("saves_disk_size", "saves_physical_size");
        let saves = physical::columns(census, of_disk, of_extents, "saves disk");
        let [saves_disk, saves_physical] = physical::weight(census, saves);
        let columns = vec![
            Column::size("saves_nar_size").titled("saves NAR").rank(if disk { 4 } else { 0 }),
            saves_disk,
            saves_physical.titled("saves physical"),
            Column::count("saves_inodes").hidden(),
            Column::count("variants"),
            Column::text("package").rank(1),
            Column::text("output"),
            Column::text("flags").titled("what-if flags: one in place of all").rank(0),
        ];
        let handles = Handles::new(census);
        let rows = self.groups.iter().map(move |group| {
            let flags: Vec<String> = (group.variants.iter())
                .filter_map(|v| Some(handles.flags(Action::Replace(v.path, v.replaced_by?))))
                .collect();
            vec![
                Cell::optional(group.saves.nar_size, Cell::Size),
                Cell::optional(group.saves.disk_size, Cell::Size),
                Cell::optional(group.saves.physical_size, Cell::Size),
                Cell::optional(group.saves.inodes, Cell::Count),
                Cell::Count(group.variants.len() as u64),
                Cell::text(group.family.package.as_str()),
                Cell::text(group.family.output.as_deref().unwrap_or("out")),
                match flags.is_empty() {
                    true => Cell::Missing,
                    false => Cell::Arguments(flags.join(" ")),
                },
            ]
        });
        let title = match self.groups.is_empty() {
            true => "No package has several builds",
            false => "Packages with several builds",
        };
        Section::rows("groups", title, columns, rows)
    }

    fn variants_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let disk = census.disk.is_some();
        let on_disk = |column: Column| column.hidden_if(!disk);
        let [disk_size, physical_size] = physical::weight(census, physical::own_columns(census));
        let (of_disk, of_extents) = ("retained_disk_size", "retained_physical_size");
        let [retained_disk, retained_physical] =
            physical::columns(census, of_disk, of_extents, "retained disk");
        let columns = vec![
            Column::size("nar_size").titled("NAR size").rank(if disk { 4 } else { 0 }),
            disk_size,
            physical_size,
            Column::size("retained_nar_size").titled("retained NAR").rank(5),
            retained_disk.rank(2),
            retained_physical.titled("retained physical").rank(2),
            on_disk(Column::size("identical_size").titled("identical").rank(1)),
            on_disk(Column::count("identical_files").titled("files")),
            Column::size("saves_nar_size").titled("saves NAR").hidden(),
            Column::size("saves_disk_size").titled("saves disk").hidden(),
            Column::size("saves_physical_size").hidden(),
            Column::count("saves_inodes").hidden(),
            Column::text("package").hidden(),
            Column::text("output").hidden(),
            Column::text("version").hidden(),
            Column::text("flavour").hidden(),
            Column::path("path"),
            Column::text("holder").titled("held by").rank(3),
            Column::paths("held_by").titled("holders").rank(7),
            Column::text("chain").titled("from the target").rank(6),
            Column::paths("chain_paths").hidden(),
            Column::path("replaced_by").hidden(),
        ];
        let rows = self.groups.iter().flat_map(move |group| {
            group.variants.iter().map(move |variant| row(census, group, variant))
        });
        let title = if self.groups.is_empty() { "" } else { "The builds" };
        Section::rows("variants", title, columns, rows)
    }
}

fn row<'a>(census: &'a Census, group: &'a VariantGroup, variant: &'a Variant) -> Vec<Cell<'a>> {
    let catalog = &census.catalog;
    let id = census.id(variant.path);
    let name = |path: PathIndex| catalog.store_path(census.id(path)).name();
    let identical = variant.identical;
    let [chain, chain_paths] = chain_cells(census, &variant.chain);
    let [disk_size, physical_size] = physical::own_cells(census, Some(variant.path));
    vec![
        Cell::optional(catalog.nar_size(id), Cell::Size),
        disk_size,
        physical_size,
        Cell::optional(variant.retained_nar_size, Cell::Size),
        Cell::optional(variant.retained_disk_size, Cell::Size),
        Cell::optional(variant.retained_physical_size, Cell::Size),
        Cell::optional(identical.map(|i| i.size), Cell::Size),
        Cell::optional(identical.map(|i| i.files), Cell::Count),
        Cell::optional(variant.saves.nar_size, Cell::Size),
        Cell::optional(variant.saves.disk_size, Cell::Size),
        Cell::optional(variant.saves.physical_size, Cell::Size),
        Cell::optional(variant.saves.inodes, Cell::Count),
        Cell::text(group.family.package.as_str()),
        Cell::text(group.family.output.as_deref().unwrap_or("out")),
        Cell::text(catalog.package(id).version),
        match flavour(catalog.package(id).name) {
            "" => Cell::Missing,
            flavour => Cell::text(flavour),
        },
        Cell::text(catalog.path(id)),
        Cell::optional(variant.held_by.first(), |&path| Cell::text(name(path))),
        list_of(catalog, variant.held_by.iter().map(|&path| census.id(path))),
        chain,
        chain_paths,
        Cell::optional(variant.replaced_by, |path| Cell::text(catalog.path(census.id(path)))),
    ]
}
