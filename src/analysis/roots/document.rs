//! The roots for printing.

use super::{ProfileRow, RootRow, RootSizes, RootSort, Roots, SharedGroup};
use crate::analysis::liveness::settings_fields;
use crate::analysis::physical;
use crate::analysis::reclaim::Maker;
use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::census::Census;
use std::borrow::Cow;

impl Roots<'_> {
    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let mut settings = settings_fields(&self.options.settings);
        settings.push(Field::hidden(
            "older_than_days",
            Cell::Count(u64::from(self.options.older_than_days)),
        ));
        let mut sections = vec![self.stale_section(census)];
        if let Some(shared) = &self.shared {
            sections.push(self.shared_section(shared));
        }
        sections.extend([
            self.profiles_section(census),
            self.roots(census),
            Section::fields(Some("settings"), "", settings),
            Section::fields(Some("total"), "", self.total_fields()),
        ]);
        sections.extend(physical::notes_of_freed(census, self.disk));
        Document::new(
            Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings },
            sections,
            "roots",
        )
    }

    fn total_fields(&self) -> Vec<Field<'static>> {
        let t = &self.total;
        let stale = self.found.stale.len() as u64;
        let runtime = match (self.found.runtime, self.found.hidden_processes) {
            (true, 0) => "",
            (true, _) => "not all running processes examined",
            (false, _) => "running processes not checked",
        };
        vec![
            Field::new("roots", "roots", Cell::Count(t.roots)).remark(runtime),
            Field::hidden("runtime", Cell::Bool(self.found.runtime)),
            Field::hidden("hidden_processes", Cell::Count(self.found.hidden_processes)),
            Field::new("stale", "stale", Cell::Count(stale)).remark(
                "stale links keep nothing; a collection deletes the missing ones in gcroots/auto",
            ),
            Field::new("alive_paths", "paths alive", Cell::Count(t.alive_paths)),
            Field::new(
                "alive_nar_size",
                "NAR size alive",
                Cell::optional(t.alive_nar_size, Cell::Size),
            ),
            match t.alive_disk_size {
                Some(size) => Field::new("alive_disk_size", "disk size alive", Cell::Size(size)),
                None => Field::hidden("alive_disk_size", Cell::Missing),
            },
            match t.alive_inodes {
                Some(inodes) => Field::new("alive_inodes", "inodes alive", Cell::Count(inodes)),
                None => Field::hidden("alive_inodes", Cell::Missing),
            },
        ]
    }

    fn roots<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let pair = |disk, physical, heading| physical::columns(census, disk, physical, heading);
        let freed = pair("freed_disk_size", "freed_physical_size", "frees");
        let [freed_disk, freed] = physical::weight(census, freed);
        let [closure_disk, closure] = pair("closure_disk_size", "closure_physical_size", "closure");
        // People see them where they are what roots are sorted by.
        let by_inodes =
            matches!(self.options.sort, RootSort::ClosureInodes | RootSort::FreedInodes);
        let columns = vec![
            Column::size("freed_nar_size").titled("frees NAR").weight().hidden_if(self.disk),
            freed_disk,
            freed,
            Column::size("closure_nar_size").titled("closure NAR").hidden_if(census.disk.is_some()),
            closure_disk,
            closure,
            Column::count("freed_inodes").titled("frees inodes").hidden_if(!by_inodes),
            Column::count("closure_inodes").titled("closure inodes").hidden_if(!by_inodes),
            Column::text("kind").rank(4),
            Column::text("made_by").hidden(),
            Column::time("time").titled("made"),
            Column::count("age_days").hidden(),
            Column::path("profile").hidden(),
            Column::count("generation").hidden(),
            Column::bool("current").hidden(),
            Column::count("pid").hidden(),
            Column::path("link").named(),
            Column::path("via").hidden(),
            Column::path("path").hidden(),
            Column::text("name").hidden(),
        ];
        let rows = self.rows.iter().map(move |row| self.root_cells(census, row));
        let title = if self.rows.is_empty() { "Roots: none" } else { "Roots" };
        Section::rows("roots", title, columns, rows)
    }

    fn root_cells<'a>(&'a self, census: &'a Census, row: &RootRow) -> Vec<Cell<'a>> {
        let catalog = &census.catalog;
        let root = &self.found.roots[row.root as usize];
        let generation = root.generation.map(|(profile, number)| {
            let profile = &self.found.profiles[profile as usize];
            (profile, number, profile.current == Some(number))
        });
        let age = |time: i64| self.options.now.saturating_sub(time).max(0) as u64 / 86_400;
        vec![
            Cell::optional(row.freed_nar_size, Cell::Size),
            Cell::optional(row.freed_disk_size, Cell::Size),
            Cell::optional(row.freed_physical_size, Cell::Size),
            Cell::optional(row.closure_nar_size, Cell::Size),
            Cell::optional(row.closure_disk_size, Cell::Size),
            Cell::optional(row.closure_physical_size, Cell::Size),
            Cell::optional(row.freed_inodes, Cell::Count),
            Cell::optional(row.closure_inodes, Cell::Count),
            Cell::text(root.kind.name()),
            Cell::text(Maker::of(&root.link).name()),
            Cell::optional(root.time, Cell::Time),
            Cell::optional(root.time, |time| Cell::Count(age(time))),
            Cell::optional(generation, |(p, ..)| Cell::Bytes(Cow::Borrowed(&p.link))),
            Cell::optional(generation, |(_, number, _)| Cell::Count(number)),
            Cell::optional(generation, |(.., current)| Cell::Bool(current)),
            Cell::optional(root.pid, |pid| Cell::Count(pid.into())),
            Cell::Bytes(Cow::Borrowed(&root.link)),
            Cell::optional(root.via.as_deref(), |via| Cell::Bytes(Cow::Borrowed(via))),
            Cell::text(catalog.path(root.path)),
            Cell::text(catalog.store_path(root.path).name()),
        ]
    }

    fn profiles_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let nar = |key, heading| Column::size(key).titled(heading).hidden_if(self.disk);
        let pair = |disk, physical, heading| physical::columns(census, disk, physical, heading);
        let [old_disk, old] = pair("old_freed_disk_size", "old_freed_physical_size", "old: frees");
        let [older_disk, older] =
            pair("older_freed_disk_size", "older_freed_physical_size", "older: frees");
        let [freed_disk, freed] = pair("freed_disk_size", "freed_physical_size", "all free");
        let columns = vec![
            nar("old_freed_nar_size", "old: frees NAR"),
            old_disk,
            old,
            Column::count("old_freed_inodes").hidden(),
            Column::count("old_generations").titled("old"),
            nar("older_freed_nar_size", "older: frees NAR"),
            older_disk,
            older,
            Column::count("older_freed_inodes").hidden(),
            Column::count("older_generations").titled("older"),
            nar("freed_nar_size", "all free NAR").rank(4),
            freed_disk.rank(4),
            freed.rank(4),
            Column::count("freed_inodes").hidden(),
            Column::count("current").rank(7),
            Column::text("owner").rank(6),
            Column::count("uid").hidden(),
            Column::text("cleaned_by").titled("cleaned by").rank(6),
            Column::path("profile").named(),
            Column::records("generations").hidden(),
        ];
        let rows = self.profiles.iter().map(move |row| self.profile_cells(census, row));
        let days = self.options.older_than_days;
        let title = match self.profiles.is_empty() {
            true => String::new(),
            false => format!(
                "Profiles: old generations (all but the current), and those older than {days} days"
            ),
        };
        Section::rows("profiles", title, columns, rows)
    }

    fn profile_cells<'a>(&'a self, census: &'a Census, row: &ProfileRow) -> Vec<Cell<'a>> {
        let profile = &self.found.profiles[row.profile as usize];
        let sizes = |sizes: Option<RootSizes>| {
            let space = sizes.filter(|_| self.disk).map(RootSizes::space);
            let [disk, physical] = physical::cells(census, space);
            let inodes = Cell::optional(space, |space| Cell::Count(space.inodes));
            [Cell::optional(sizes, nar_size), disk, physical, inodes]
        };
        let generations = profile.generations.iter().map(|generation| {
            let path = generation.root.map(|root| self.found.roots[root as usize].path);
            Cell::Record(vec![
                ("number", Cell::Count(generation.number)),
                ("time", Cell::Time(generation.time)),
                ("path", Cell::optional(path, |id| Cell::text(census.catalog.path(id)))),
            ])
        });
        let mut cells = Vec::new();
        for of in [row.old, row.older] {
            cells.extend(sizes(of.map(|of| of.sizes)));
            cells.push(Cell::optional(of, |of| Cell::Count(of.generations)));
        }
        cells.extend(sizes(Some(row.all.sizes)));
        cells.extend([
            Cell::optional(profile.current, Cell::Count),
            Cell::optional(profile.owner.as_deref(), Cell::text),
            Cell::optional(profile.uid, |uid| Cell::Count(uid.into())),
            Cell::text(profile.cleaned_by.name()),
            Cell::Bytes(Cow::Borrowed(&profile.link)),
            Cell::Cells(generations.collect()),
        ]);
        cells
    }

    fn shared_section<'a>(&'a self, shared: &'a [SharedGroup]) -> Section<'a> {
        let nar = |key, heading| Column::size(key).titled(heading).hidden_if(self.disk);
        let disk = |key, heading| Column::size(key).titled(heading).hidden_if(!self.disk);
        let columns = vec![
            nar("nar_size", "shared NAR"),
            disk("disk_size", "shared"),
            Column::count("paths"),
            nar("freed_nar_size", "all free NAR"),
            disk("freed_disk_size", "all free"),
            Column::count("freed_inodes").hidden(),
            Column::texts("roots"),
        ];
        let size = |size: u64| if self.disk { Cell::Size(size) } else { Cell::Missing };
        let rows = shared.iter().map(move |group| {
            let links = group.roots.iter().map(|&root| {
                let root = &self.found.roots[root as usize];
                String::from_utf8_lossy(&holder_name(root.pid, &root.link)).into_owned().into()
            });
            vec![
                nar_size(group.group.sizes),
                size(group.group.sizes.disk),
                Cell::Count(group.group.paths),
                nar_size(group.freed),
                size(group.freed.disk),
                if self.disk { Cell::Count(group.freed.inodes) } else { Cell::Missing },
                Cell::List(links.collect()),
            ]
        });
        let title = match shared.is_empty() {
            true => "No paths are held by exactly two or three roots",
            false => "Held by exactly two or three roots: all of them must go",
        };
        Section::rows("shared", title, columns, rows)
    }

    fn stale_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let catalog = &census.catalog;
        let ends = self.found.stale.iter().any(|stale| !stale.would_keep.is_empty());
        let columns = vec![
            Column::text("reason"),
            Column::path("link").named(),
            Column::path("via").hidden(),
            Column::path("target").titled("points to").rank(1),
            Column::paths("would_keep").hidden(),
            Column::text("would_keep_text").titled("would keep").hidden_if(!ends),
        ];
        let rows = self.found.stale.iter().map(move |stale| {
            let paths = stale.would_keep.iter().map(|&id| Cow::Owned(catalog.path(id)));
            let text = match *stale.would_keep {
                [] => Cell::Missing,
                [id] => Cell::text(catalog.store_path(id).name()),
                ref ids => Cell::text(format!("{} paths", ids.len())),
            };
            vec![
                Cell::text(stale.reason.name()),
                Cell::Bytes(Cow::Borrowed(&stale.link)),
                Cell::optional(stale.via.as_deref(), |via| Cell::Bytes(Cow::Borrowed(via))),
                Cell::Bytes(Cow::Borrowed(&stale.target)),
                Cell::Paths(paths.collect()),
                text,
            ]
        });
        let title = match (self.found.stale.is_empty(), ends) {
            (true, _) => "",
            (_, true) => "Stale links, and what they would keep if Nix followed them",
            (_, false) => "Stale links",
        };
        Section::rows("stale", title, columns, rows)
    }
}

fn nar_size(sizes: RootSizes) -> Cell<'static> {
    Cell::optional(sizes.known_nar_size(), Cell::Size)
}

/// What is removed as one, by name: a link, or a process.
fn holder_name(pid: Option<u32>, link: &[u8]) -> Cow<'_, [u8]> {
    match pid {
        Some(pid) => Cow::Owned(format!("/proc/{pid}").into_bytes()),
        None => Cow::Borrowed(link),
    }
}
