//! The ladder for printing.

use super::outside::Printed;
use super::{Action, Measure, Reclaim};
use crate::analysis::physical;
use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::census::{Census, WholeCensus};
use crate::disk::Space;
use crate::store::StoreLocation;
use std::path::Path;

impl Reclaim<'_> {
    /// The answer for printing.
    pub fn document<'a>(
        &'a self,
        census: WholeCensus<'a>,
        location: &StoreLocation,
    ) -> Document<'a> {
        let disk = census.disk.is_some();
        let mut sections = vec![
            Section::fields(Some("total"), "", self.total_fields(census.census())),
            self.actions_section(census.census()),
            self.commands_section(),
        ];
        if let Some(smallest) = &self.smallest {
            sections.extend(smallest.sections(census, self.found));
        }
        sections.extend([
            self.outside.section(),
            self.outside.caches_section(),
            self.outside.boot_section(self.found),
        ]);
        let known = self.is_known(census.census());
        sections.extend(physical::notes_of_freed(census.census(), known));
        if !disk {
            sections.push(Section::Note(
                "Without the disk, what optimising, caches, logs and /boot take is not known, nor \
                 what the disk gains."
                    .to_owned(),
            ));
        }
        if location.root != Path::new("/") && !self.actions.is_empty() {
            let note = "Commands are to be run inside the examined root (nixos-enter, chroot).";
            sections.push(Section::Note(note.to_owned()));
        }
        let store_dir = census.census().catalog.store_dir();
        Document::new(Head { store_dir, warnings: &self.warnings }, sections, "actions")
    }

    /// Whether it is known what each action frees.
    fn is_known(&self, census: &Census) -> bool {
        let known = |action: &Action| !action.on_store || action.freed.is_some();
        census.disk.is_some() && self.actions.iter().all(known)
    }

    fn total_fields(&self, census: &Census) -> Vec<Field<'static>> {
        let total: Option<Space> = self
            .is_known(census)
            .then(|| self.actions.iter().rev().find_map(|a| a.total).unwrap_or_default());
        let bytes = Cell::optional(total, |total| Cell::Size(total.disk_size));
        let inodes = Cell::optional(total, |total| Cell::Count(total.inodes));
        let mut fields = match total {
            Some(_) => vec![
                Field::new("disk_freed", "disk freed by all below", bytes)
                    .remark("on the store’s file system; nothing is done, only listed"),
                Field::new("inodes_freed", "inodes freed", inodes),
            ],
            None => vec![Field::hidden("disk_freed", bytes), Field::hidden("inodes_freed", inodes)],
        };
        fields.push(
            physical::freed_field(census, total)
                .remark("extents as they lie on the disk, that nothing else uses"),
        );
        if let Some(need) = self.need {
            let amount = match need.measure {
                Measure::Disk => Cell::Size(need.amount),
                Measure::Inodes => Cell::Count(need.amount),
            };
            let enough = match self.enough {
                Some(true) => "this is enough",
                Some(false) => "this is not enough",
                None => "",
            };
            fields.push(Field::new("needed", "needed", amount).remark(enough));
            fields.push(Field::hidden("measure", Cell::text(need.measure.name())));
            fields.push(Field::hidden("enough", Cell::optional(self.enough, Cell::Bool)));
        }
        fields
    }

    fn actions_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let disk = census.disk.is_some();
        let pair = |disk, physical, heading| physical::columns(census, disk, physical, heading);
        let [disk_freed, freed] = pair("disk_freed", "freed_physical_size", "frees");
        let [total_disk, total_freed] =
            pair("total_disk_freed", "total_freed_physical_size", "in all");
        let links = self.actions.iter().any(|action| action.times.is_some());
        let columns = vec![
            Column::count("step"),
            disk_freed,
            freed,
            Column::count("inodes_freed").titled("inodes").hidden_if(!disk),
            Column::size("nar_size").titled("NAR size").hidden_if(disk),
            total_disk,
            total_freed,
            Column::count("total_inodes_freed").hidden(),
            Column::text("action").hidden(),
            Column::text("subject").hidden(),
            Column::text("what").titled("by").rank(0),
            Column::count("oldest_days").titled("days old").hidden_if(!links),
            Column::count("count").hidden(),
            Column::bool("at_least").hidden(),
            Column::bool("at_most").hidden(),
            Column::bool("same_file_system").hidden(),
            Column::time("oldest").hidden(),
            Column::time("newest").hidden(),
            Column::paths("links").hidden(),
            Column::texts("commands").hidden(),
        ];
        let rows = (1u64..).zip(&self.actions).map(|(step, action)| {
            let [disk_freed, freed] = physical::cells(census, action.freed);
            let [total_disk, total_freed] = physical::cells(census, action.total);
            let inodes = |space: Option<Space>| Cell::optional(space, |s| Cell::Count(s.inodes));
            let links = action.links.iter().map(|link| Cell::Bytes(link.as_slice().into()));
            vec![
                Cell::Count(step),
                disk_freed,
                freed,
                inodes(action.freed),
                Cell::optional(action.nar_size, Cell::Size),
                total_disk,
                total_freed,
                inodes(action.total),
                Cell::text(action.kind.name()),
                Cell::text(action.subject.as_str()),
                Cell::text(what(action)),
                Cell::optional(action.times, |(oldest, _)| {
                    Cell::Count(self.now.saturating_sub(oldest).max(0).unsigned_abs() / 86_400)
                }),
                Cell::Count(action.count),
                Cell::Bool(action.at_least),
                Cell::Bool(action.at_most()),
                Cell::Bool(action.on_store),
                Cell::optional(action.times, |(oldest, _)| Cell::Time(oldest)),
                Cell::optional(action.times, |(_, newest)| Cell::Time(newest)),
                Cell::Cells(links.collect()),
                Cell::List(action.commands.iter().map(|c| c.as_str().into()).collect()),
            ]
        });
        let title = match self.actions.is_empty() {
            true => "Nothing can be freed",
            false => "What can be done; each is what it still frees after those above",
        };
        Section::rows("actions", title, columns, rows)
    }

    /// The commands for people; machines have them beside each action.
    fn commands_section(&self) -> Section<'_> {
        let columns = vec![Column::count("step"), Column::text("command")];
        let rows = (1u64..).zip(&self.actions).flat_map(|(step, action)| {
            let commands = action.commands.iter();
            commands.map(move |line| vec![Cell::Count(step), Cell::text(line.as_str())])
        });
        let title = if self.actions.is_empty() { "" } else { "Commands" };
        Section::rows("commands", title, columns, rows)
    }
}

/// In words: what is done to what.
fn what(action: &Action) -> String {
    use super::ActionKind as Kind;
    let words = action.kind.words();
    let count = action.count;
    let s = if count == 1 { "" } else { "s" };
    let mut text = match action.kind {
        Kind::CollectGarbage => format!("{words}: {count} path{s}"),
        Kind::UnusedLinks => format!("{words}: {count}"),
        Kind::OldGenerations => format!("{count} old generation{s} of {}", action.subject),
        Kind::StaleLinks => format!("{count} old link{s} made by {}", action.subject),
        Kind::Optimise | Kind::Logs => words.to_owned(),
        Kind::CompactDatabase => format!("{words}: {count} free page{s}"),
        Kind::Cache => format!("{words}: {}", action.subject),
    };
    if action.freed == Some(Space::default()) {
        text.push_str(": nothing by itself, steps below may count on it");
    }
    if action.at_least {
        text.push_str(", at least");
    }
    if action.at_most() {
        text.push_str(", at most");
    }
    if !action.on_store {
        text.push_str(", on another file system");
    }
    text
}
