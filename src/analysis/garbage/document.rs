//! The garbage for printing.

use super::{Dead, Garbage, Why, WhyAnswer};
use crate::analysis::liveness::{Keep, settings_fields};
use crate::analysis::physical;
use crate::analysis::roots::chain_text;
use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::catalog::PathId;
use crate::census::Census;
use crate::disk::Space;
use crate::text::format_count;
use std::borrow::Cow;

impl Garbage<'_> {
    /// What goes.
    fn dead_fields(&self, census: &Census) -> Vec<Field<'static>> {
        let dead = &self.dead;
        let of = |count: Option<u64>, word: &str| match count {
            Some(count) => format!("{} {word}", format_count(count)),
            None => String::new(),
        };
        let disk = |freed: Option<Space>| freed.map(|f| f.disk_size);
        let inodes = |freed: Option<Space>| freed.map(|f| f.inodes);
        let count = |key, count| Field::hidden(key, Cell::optional(count, Cell::Count));
        // People see what there is.
        let of_some = |key, label, things: Option<u64>, freed| {
            optional(key, label, disk(freed)).hidden_if(things == Some(0))
        };
        let held = self.held.as_ref().map(|held| held.physical_size);
        vec![
            Field::new("paths", "paths", Cell::Count(dead.paths)).remark(match self.failing {
                0 => String::new(),
                n => format!("and {n} dead paths that Nix fails to delete, at which it stops"),
            }),
            Field::hidden("failing_paths", Cell::Count(self.failing)),
            Field::new("nar_size", "NAR size", Cell::optional(dead.nar_size, Cell::Size)),
            optional("disk_freed", "disk freed", dead.disk_freed())
                .remark("what the disk gains, hard links in account"),
            physical::freed_field(census, dead.freed())
                .remark("extents as they lie on the disk, that nothing else uses"),
            optional("held_physical_size", "stays", held)
                .remark(match self.held.as_ref().is_some_and(|held| held.is_by_unknown(census)) {
                    true => "extents that are shared, with whom is not known",
                    false => "extents that something outside the store uses too",
                })
                .hidden_if(held == Some(0)),
            optional_count("inodes_freed", "inodes freed", dead.freed().map(|f| f.inodes)),
            optional("paths_disk_freed", "by dead paths", disk(dead.paths_freed)),
            count("paths_inodes_freed", inodes(dead.paths_freed)),
            of_some(
                "invalid_disk_freed",
                "by invalid entries",
                dead.invalid_entries,
                dead.invalid_freed,
            )
            .remark(of(
                dead.invalid_entries,
                "entries of the store directory that are not valid paths",
            )),
            count("invalid_entries", dead.invalid_entries),
            count("invalid_inodes_freed", inodes(dead.invalid_freed)),
            of_some(
                "unused_links_disk_freed",
                "by unused links",
                dead.unused_links,
                dead.unused_links_freed,
            )
            .remark(of(dead.unused_links, "entries of .links with no other name")),
            count("unused_links", dead.unused_links),
        ]
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let mut sections = vec![
            self.invalid_section(census),
            self.packages_section(census),
            self.paths_section(census),
        ];
        if let (Some(enough), Some(whole)) = (&self.enough, census.whole()) {
            sections.extend(enough.sections(whole, self.found));
        }
        sections.extend(self.chosen.iter().map(|chosen| chosen.section(census)));
        if !self.why.is_empty() {
            sections.push(self.why_section(census));
        }
        if self.steps.len() > 1 {
            sections.push(self.steps_section(census));
        }
        sections.extend([
            Section::fields(Some("settings"), "", settings_fields(&self.options.settings)),
            Section::fields(Some("alive"), "Alive", self.alive_fields()),
        ]);
        if let Some(held) = &self.held {
            let title = "Stays on the disk, though its paths go";
            sections.push(held.section(census, title));
        }
        let known = self.dead.paths_freed.is_some();
        sections.extend(physical::notes_of_freed(census, known));
        let dead = self.dead_fields(census);
        sections.push(Section::fields(Some("dead"), "Garbage", dead));
        Document::new(
            Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings },
            sections,
            "dead_paths",
        )
    }

    fn alive_fields(&self) -> Vec<Field<'static>> {
        let a = &self.alive;
        let runtime = match (self.found.runtime, self.found.hidden_processes) {
            (true, 0) => "",
            (true, _) => "not all running processes examined",
            (false, _) => "running processes not checked",
        };
        vec![
            Field::hidden("runtime", Cell::Bool(self.found.runtime)),
            Field::new("paths", "paths", Cell::Count(a.paths)).remark(runtime),
            Field::new("nar_size", "NAR size", Cell::optional(a.nar_size, Cell::Size)),
            optional("disk_size", "disk size", a.disk_size),
            match self.held {
                Some(_) => optional("physical_size", "physical size", a.physical_size),
                None => Field::hidden("physical_size", Cell::optional(a.physical_size, Cell::Size)),
            },
            optional_count("inodes", "inodes", a.inodes),
            Field::new("paths_by_settings", "kept by settings", Cell::Count(a.paths_by_settings))
                .remark("paths that only keep-derivations or keep-outputs keeps"),
            Field::new(
                "nar_size_by_settings",
                "NAR size of those",
                Cell::optional(a.nar_size_by_settings, Cell::Size),
            ),
        ]
    }

    fn steps_section(&self, census: &Census) -> Section<'_> {
        let disk = census.disk.is_some();
        let pair = |disk, physical, heading| physical::columns(census, disk, physical, heading);
        let [disk_freed, freed] = pair("disk_freed", "freed_physical_size", "frees more");
        let [total_disk, total_freed] =
            pair("total_disk_freed", "total_freed_physical_size", "frees in all");
        let columns = vec![
            Column::count("roots"),
            Column::count("paths").titled("more paths"),
            Column::size("nar_size").titled("more NAR").hidden_if(disk),
            disk_freed,
            freed,
            Column::count("inodes_freed").titled("more inodes").hidden_if(!disk),
            Column::count("total_paths").titled("paths"),
            Column::size("total_nar_size").titled("NAR").hidden_if(disk),
            total_disk,
            total_freed,
            Column::count("total_inodes_freed").titled("inodes").hidden_if(!disk),
            Column::text("removed").titled("after removing").rank(0),
        ];
        let mut total: Option<Dead> = None;
        let rows: Vec<Vec<Cell<'_>>> = (self.steps.iter())
            .map(|step| {
                match &mut total {
                    None => total = Some(step.dead),
                    Some(total) => total.add(&step.dead),
                }
                let total = total.unwrap_or_default();
                let size = |size: Option<u64>| Cell::optional(size, Cell::Size);
                let inodes =
                    |freed: Option<Space>| Cell::optional(freed, |f| Cell::Count(f.inodes));
                let [disk_freed, freed] = physical::cells(census, step.dead.freed());
                let [total_disk, total_freed] = physical::cells(census, total.freed());
                vec![
                    Cell::Count(step.roots),
                    Cell::Count(step.dead.paths),
                    size(step.dead.nar_size),
                    disk_freed,
                    freed,
                    inodes(step.dead.freed()),
                    Cell::Count(total.paths),
                    size(total.nar_size),
                    total_disk,
                    total_freed,
                    inodes(total.freed()),
                    match step.label.as_str() {
                        "" => Cell::Missing,
                        label => Cell::text(label),
                    },
                ]
            })
            .collect();
        Section::summary("steps", "Step by step", columns, rows.into_iter())
    }

    fn packages_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let disk = census.disk.is_some();
        let freed = physical::columns(census, "disk_freed", "freed_physical_size", "frees");
        let [disk_freed, freed] = physical::weight(census, freed);
        let columns = vec![
            disk_freed,
            freed,
            Column::count("inodes_freed").titled("inodes").hidden_if(!disk),
            Column::size("nar_size").titled("NAR size"),
            Column::count("paths").rank(4),
            Column::text("package").rank(0).named(),
        ];
        let rows = self.packages.iter().map(|p| {
            let [disk_freed, freed] = physical::cells(census, p.freed);
            vec![
                disk_freed,
                freed,
                Cell::optional(p.freed, |f| Cell::Count(f.inodes)),
                Cell::optional(p.nar_size, Cell::Size),
                Cell::Count(p.paths),
                Cell::text(p.package.as_str()),
            ]
        });
        let title = if self.packages.is_empty() { "" } else { "Dead packages" };
        Section::rows("dead_packages", title, columns, rows)
    }

    fn paths_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let disk = census.disk.is_some();
        let freed = physical::columns(census, "disk_freed", "freed_physical_size", "frees alone");
        let [disk_freed, freed] = physical::weight(census, freed);
        let [disk_size, physical_size] = physical::own_columns(census);
        let steps = self.steps.len() > 1;
        let held = self.paths.iter().any(|dead| dead.held);
        let dated = self.options.choice.registered_before.is_some();
        let columns = vec![
            disk_freed,
            freed,
            Column::count("inodes_freed").hidden(),
            disk_size,
            physical_size,
            Column::count("inodes").hidden_if(!disk),
            Column::size("nar_size").titled("NAR size").rank(4),
            Column::count("step").rank(2).hidden_if(!steps),
            Column::text("kept_by").hidden(),
            Column::bool("held").hidden_if(!held),
            Column::time("registration_time").titled("registered").hidden_if(!dated),
            Column::path("path"),
        ];
        let catalog = &census.catalog;
        let rows = self.paths.iter().map(move |dead| {
            let [disk_freed, freed] = physical::cells(census, dead.freed);
            let index = census.index_of(dead.path);
            let usage = index.and_then(|index| census.usage(index));
            let [disk_size, physical_size] = physical::own_cells(census, index);
            vec![
                disk_freed,
                freed,
                Cell::optional(dead.freed, |f| Cell::Count(f.inodes)),
                disk_size,
                physical_size,
                Cell::optional(usage, |u| Cell::Count(u.inodes)),
                Cell::optional(catalog.nar_size(dead.path), Cell::Size),
                Cell::Count(dead.step.into()),
                Cell::optional(dead.kept_by, Cell::text),
                Cell::Bool(dead.held),
                Cell::optional(catalog.registration_time(dead.path), Cell::Time),
                Cell::text(catalog.path(dead.path)),
            ]
        });
        let title = if self.paths.is_empty() { "" } else { "Dead paths" };
        Section::rows("dead_paths", title, columns, rows)
    }

    fn invalid_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let columns = vec![
            Column::size("disk_size").titled("disk size"),
            Column::bool("dead").titled("goes"),
            Column::path("name").named(),
        ];
        let others = census.disk.as_ref().map(|d| d.others.as_slice()).unwrap_or_default();
        let rows = self.invalid.iter().filter_map(move |&(index, kept)| {
            let (name, usage) = others.get(index as usize)?;
            let name = Cell::Bytes(Cow::Borrowed(name.as_slice()));
            Some(vec![Cell::Size(usage.disk_size), Cell::Bool(!kept), name])
        });
        let title = match self.invalid.is_empty() {
            true => "",
            false => "In the store directory, but no valid path: a collection deletes it too",
        };
        Section::rows("invalid_entries", title, columns, rows)
    }

    fn why_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let columns = vec![
            Column::bool("alive"),
            Column::path("path").hidden(),
            Column::text("name").rank(0),
            Column::path("root").hidden(),
            Column::count("roots").hidden(),
            Column::paths("chain").hidden(),
            Column::paths("keepers").hidden(),
            Column::count("step").hidden(),
            Column::records("alive_under").hidden(),
            Column::text("because").rank(0),
        ];
        let catalog = &census.catalog;
        let paths = |ids: &[PathId]| {
            Cell::Paths(ids.iter().map(|&id| Cow::Owned(catalog.path(id))).collect())
        };
        let rows = self.why.iter().map(move |why| {
            let (alive, dead) = match &why.answer {
                WhyAnswer::Alive(alive) => (Some(alive), None),
                WhyAnswer::Dead(dead) => (None, Some(dead)),
            };
            let root = alive.map(|a| &*self.found.roots[a.root as usize].link);
            vec![
                Cell::Bool(alive.is_some()),
                Cell::text(catalog.path(why.path)),
                Cell::text(catalog.store_path(why.path).name()),
                Cell::optional(root, |link| Cell::Bytes(Cow::Borrowed(link))),
                Cell::Count(alive.map_or(0, |a| a.roots)),
                Cell::optional(alive, |a| paths(&a.chain)),
                Cell::optional(dead, |d| paths(&d.keepers)),
                Cell::optional(dead.and_then(|d| d.step), |step| Cell::Count(step.into())),
                Cell::Cells(
                    (Keep::ALL.iter().zip(why.under))
                        .map(|(keep, alive)| {
                            Cell::Record(vec![
                                ("keep_outputs", Cell::Bool(keep.outputs)),
                                ("keep_derivations", Cell::Bool(keep.derivations)),
                                ("alive", Cell::Bool(alive)),
                            ])
                        })
                        .collect(),
                ),
                Cell::text(self.because(census, why)),
            ]
        });
        Section::rows("why", "Why", columns, rows)
    }

    /// Why, in words.
    fn because(&self, census: &Census, why: &Why) -> String {
        let mut text = match &why.answer {
            WhyAnswer::Alive(alive) => {
                let link = &self.found.roots[alive.root as usize].link;
                let link = String::from_utf8_lossy(link);
                let more = match alive.roots {
                    1 => String::new(),
                    2 => " (and another root)".to_owned(),
                    n => format!(" (and {} more roots)", n - 1),
                };
                format!("{link} → {}{more}", chain_text(census, &alive.chain))
            }
            WhyAnswer::Dead(dead) => {
                let when = match dead.step {
                    Some(0) => "no root reaches it".to_owned(),
                    None => "no root reaches it, but Nix fails to delete it: a row that refers \
                              to it, or to which it refers, is odd or gone"
                        .to_owned(),
                    Some(step) => {
                        format!(
                            "no root reaches it after removing {}",
                            self.steps[step as usize].label
                        )
                    }
                };
                match dead.keepers.len() {
                    0 => when,
                    1 => format!("{when}; one path would keep it, but is dead too"),
                    n => format!("{when}; {n} paths would keep it, but are dead too"),
                }
            }
        };
        let now = matches!(why.answer, WhyAnswer::Alive(_));
        let otherwise: Vec<String> = (Keep::ALL.iter().zip(why.under))
            .filter(|(_, alive)| *alive != now)
            .map(|(keep, _)| {
                format!("keep-outputs = {}, keep-derivations = {}", keep.outputs, keep.derivations)
            })
            .collect();
        if !otherwise.is_empty() {
            let word = if now { "dead" } else { "alive" };
            text.push_str(&format!("; {word} with {}", otherwise.join(" or ")));
        }
        text
    }
}

fn optional(key: &'static str, label: &'static str, size: Option<u64>) -> Field<'static> {
    match size {
        Some(size) => Field::new(key, label, Cell::Size(size)),
        None => Field::hidden(key, Cell::Missing),
    }
}

fn optional_count(key: &'static str, label: &'static str, count: Option<u64>) -> Field<'static> {
    match count {
        Some(count) => Field::new(key, label, Cell::Count(count)),
        None => Field::hidden(key, Cell::Missing),
    }
}
