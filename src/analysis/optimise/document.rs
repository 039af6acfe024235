//! The answer for printing.

use super::{AnyOrder, Flavour, Group, NixRule, Optimise, OwnerSaving, Range, Saving, Stop};
use crate::analysis::physical;
use crate::answer::{Cell, Column, Document, Field, Head, LaterCells, Section};
use crate::census::{Census, PathIndex};
use crate::fs::SizeIs;
use crate::store::without_hash_part;
use crate::text::{Units, escape, format_count, format_size};

/// How many partners a table names in one row, and names of one group.
const NAMED: usize = 3;

/// Which list of savings is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimiseBy {
    /// The groups of equal files.
    File,
    /// Kinds of files.
    Kind,
    /// Pairs of packages: whose file is kept for whose.
    Pair,
    /// Packages.
    Package,
    /// Store paths.
    Path,
}

impl OptimiseBy {
    /// All of them, in the order of the answer.
    const ALL: [Self; 5] = [Self::File, Self::Kind, Self::Pair, Self::Package, Self::Path];

    /// The key of the list.
    fn key(self) -> &'static str {
        match self {
            Self::File => "groups",
            Self::Kind => "by_kind",
            Self::Pair => "by_pair",
            Self::Package => "by_package",
            Self::Path => "by_path",
        }
    }
}

impl Optimise {
    /// The answer for printing, with one list of savings, or all of them.
    pub fn document<'a>(&'a self, census: &'a Census, by: Option<OptimiseBy>) -> Document<'a> {
        let guix = self.guix;
        let title = match guix {
            true => "As linked by the rule of Nix".to_owned(),
            false => format!("As {} {} would report", self.nix.program(), self.nix.number()),
        };
        let asked = |list: &OptimiseBy| by.is_none_or(|by| by == *list);
        let list = |list| match list {
            OptimiseBy::File => self.groups_section(),
            OptimiseBy::Kind => self.kinds_section(),
            OptimiseBy::Pair => self.pairs_section(census),
            OptimiseBy::Package => self.packages_section(census),
            OptimiseBy::Path => self.paths_section(census),
        };
        let mut sections: Vec<_> = OptimiseBy::ALL.into_iter().filter(asked).map(list).collect();
        sections.extend([
            Section::fields(Some("unused_links"), "Unused links", self.unused_fields()),
            Section::fields(Some("already_saved"), "Already saved", self.saved_fields(guix)),
            Section::fields(None, "What the disk gains", self.gain_fields()),
        ]);
        if let (Some(note), false) = (self.overstatement(), guix) {
            sections.push(Section::Note(note));
        }
        sections.push(Section::fields(Some("nix_report"), title, self.report_fields(guix)));
        Document::new(
            Head { store_dir: census.catalog.store_dir(), warnings: &self.warnings },
            sections,
            by.unwrap_or(OptimiseBy::Path).key(),
        )
    }

    fn report_fields(&self, guix: bool) -> Vec<Field<'static>> {
        let outcome = &self.outcome;
        let printed = self.line().filter(|_| !guix);
        let line = Field::new("line", "last line", Cell::optional(printed, Cell::text));
        let line = match outcome.stopped {
            _ if guix => line.remark(
                "no Nix works in a store of Guix, whose guix gc --optimize has its own rule",
            ),
            Some(Stop::LinkLimit) => line.remark("it would stop with an error: see the warnings"),
            Some(Stop::MissingPath(_)) => {
                line.remark("it would stop at a path that is not on disk")
            }
            None if self.line().is_none() => line.remark(self.uncertain_line()),
            None => line,
        };
        let range = |of: fn(&AnyOrder) -> Range| self.any_order.as_ref().map(of);
        let files = range(|any| any.files_linked);
        let bytes = range(|any| any.bytes_freed);
        let mut fields = vec![
            line,
            Field::hidden("files_linked", certain(files, Cell::Count(outcome.files_linked))),
            Field::hidden("bytes_freed", certain(bytes, Cell::Size(outcome.bytes_freed))),
            Field::hidden("nix_version", Cell::text(self.nix.to_string())),
            Field::hidden("overstated", Cell::Size(self.overstated())),
            Field::hidden("links_added", Cell::Count(outcome.links_added)),
            Field::hidden("links_removed", Cell::Count(outcome.links_removed)),
            count_if("at_link_limit", "at the link limit", outcome.at_link_limit)
                .remark("files left as they are: no inode may have more names"),
            count_if("writable", "writable files", outcome.writable)
                .remark("passed over as suspicious"),
        ];
        fields.extend(bounds("files_linked_least", "files_linked_most", files, Cell::Count));
        fields.extend(bounds("bytes_freed_least", "bytes_freed_most", bytes, Cell::Size));
        fields
    }

    /// Nix's last line where it depends on the order of its threads.
    fn uncertain_line(&self) -> String {
        let Some(any) = self.any_order else { return String::new() };
        let size = |bytes| format_size(bytes, Units::Binary);
        let (files, bytes) = (any.files_linked, any.bytes_freed);
        format!(
            "it depends on the order of the threads: between {} and {} files, {} and {}",
            files.least,
            files.most,
            size(bytes.least),
            size(bytes.most)
        )
    }

    fn gain_fields(&self) -> Vec<Field<'static>> {
        let outcome = &self.outcome;
        let disk = self.any_order.map(|any| any.disk_freed);
        let apparent = self.any_order.map(|any| any.apparent_freed);
        let inodes = self.any_order.map(|any| any.inodes_freed);
        let lower = self.has_lower_layers;
        let gained = |range, cell| if lower { Cell::Missing } else { certain(range, cell) };
        let most = self.most_gained();
        let at_most = match lower {
            true => format!(
                "at most {}: files of lower layers are copied before they are linked",
                format_size(most, Units::Binary)
            ),
            false => String::new(),
        };
        let between = |range: Option<Range>| match range {
            Some(range) if !range.is_certain() => format!(
                "between {} and {}, by the order of the threads",
                format_size(range.least, Units::Binary),
                format_size(range.most, Units::Binary)
            ),
            _ => String::new(),
        };
        // What new ones take in metadata is said of its own.
        let added = outcome.links_added * u64::from(self.links_metadata_size.is_none());
        let links = match (added, outcome.links_removed) {
            (0, 0) => String::new(),
            (0, removed) => format!("{removed} corrupted entries of .links go"),
            (added, 0) => {
                format!("minus what .links takes for {} new entries", format_count(added))
            }
            (added, removed) => {
                format!(
                    "minus what .links takes for {} new entries; {removed} corrupted ones go",
                    format_count(added)
                )
            }
        };
        let disk_between = if lower { at_most } else { between(disk) };
        let remarks = [disk_between, links].into_iter().filter(|remark| !remark.is_empty());
        let mut fields = vec![
            Field::new("disk_freed", "disk size", gained(disk, Cell::Size(outcome.disk_freed)))
                .remark(remarks.collect::<Vec<_>>().join("; ")),
            Field::new(
                "freed_physical_size",
                "physical size",
                Cell::optional(self.freed_physical_size, Cell::Size),
            )
            .remark(match self.freed_physical_size_is {
                Some(SizeIs::AtLeast) => {
                    "at least: extents that nothing else uses, of the files that are not left out"
                }
                Some(SizeIs::About) => {
                    "about: extents that nothing else uses, as far as could be read"
                }
                Some(SizeIs::Exact) | None => {
                    "extents that nothing else uses: what the disk really gains"
                }
            })
            .hidden_if(!self.has_extents),
            Field::hidden("freed_physical_size_is", physical::is_cell(self.freed_physical_size_is)),
            Field::new(
                "links_metadata_size",
                "metadata of .links",
                Cell::optional(self.links_metadata_size, about),
            )
            .remark(format!("taken by {} new entries", format_count(outcome.links_added)))
            .hidden_if(self.links_metadata_size.unwrap_or(0) == 0),
            Field::new(
                "apparent_freed",
                "apparent size",
                certain(apparent, Cell::Size(outcome.apparent_freed)),
            )
            .remark(between(apparent)),
            Field::new("inodes_freed", "inodes", gained(inodes, Cell::Count(outcome.inodes_freed))),
            Field::hidden(
                "other_rule_disk_freed",
                Cell::optional(self.known_of_other_rule(), Cell::Size),
            ),
            Field::hidden("paths", Cell::Count(self.paths)),
            Field::hidden("entries", Cell::Count(self.entries)),
            Field::hidden("bytes_read", Cell::Size(self.bytes_read)),
            count_if("unreadable", "unreadable files", self.unreadable)
                .remark("taken for unlike any other: the gain may be larger"),
            Field::hidden("unreadable_size", Cell::Size(self.unreadable_size)),
        ];
        fields.extend(self.deduplication_fields());
        if lower {
            fields.push(Field::hidden("disk_freed_most", Cell::Size(most)));
            return fields;
        }
        fields.extend(bounds("disk_freed_least", "disk_freed_most", disk, Cell::Size));
        fields.extend(bounds("inodes_freed_least", "inodes_freed_most", inodes, Cell::Count));
        fields
    }

    /// What the disk would gain under the other rule, if that is known.
    fn known_of_other_rule(&self) -> Option<u64> {
        self.other_rule_disk_freed.filter(|_| !self.has_lower_layers)
    }

    /// The most that the disk may gain.
    pub(super) fn most_gained(&self) -> u64 {
        self.any_order.map_or(self.outcome.disk_freed, |any| any.disk_freed.most)
    }

    fn saving_columns(&self) -> Vec<Column> {
        saving_columns(self.has_extents, self.has_lower_layers)
    }

    fn saving_cells<'a>(&self, saving: &Saving) -> Vec<Cell<'a>> {
        let known = self.freed_physical_size.is_some();
        let gained = |cell| if self.has_lower_layers { Cell::Missing } else { cell };
        vec![
            gained(Cell::Size(saving.disk_freed)),
            if known { Cell::Size(saving.freed_physical_size) } else { Cell::Missing },
            Cell::Size(saving.apparent_freed),
            gained(Cell::Count(saving.inodes_freed)),
            Cell::Count(saving.files_linked),
            Cell::Size(saving.bytes_freed),
        ]
    }

    fn deduplication_fields(&self) -> Vec<Field<'static>> {
        let Some(of) = &self.deduplication else {
            let missing = |key| Field::hidden(key, Cell::Missing);
            return DEDUPLICATION.map(missing).into();
        };
        let mut remark = format!("whole extents of equal length, compression and {}", of.algorithm);
        if of.estimated {
            remark.push_str(", which may be equal by chance");
        }
        if of.unchecked_size > 0 {
            let size = format_size(of.unchecked_size, Units::Binary);
            remark.push_str(&format!("; without {size} that have no checksums"));
        }
        let cell = if of.estimated { about } else { Cell::Size };
        let [size, unchecked, checksums, estimated] = DEDUPLICATION;
        vec![
            Field::new(size, "block deduplication afterwards", cell(of.physical_size))
                .remark(remark),
            Field::hidden(unchecked, Cell::Size(of.unchecked_size)),
            Field::hidden(checksums, Cell::text(of.algorithm)),
            Field::hidden(estimated, Cell::Bool(of.estimated)),
        ]
    }

    /// What people should know where Nix's figure is not the disk's.
    fn overstatement(&self) -> Option<String> {
        let size = |bytes| format_size(bytes, Units::Binary);
        if self.any_order.is_some() {
            return Some(
                "Determinate Nix goes over several paths at once and keeps whichever of equal \
                 files it meets first. The lists below are of the order of the paths."
                    .to_owned(),
            );
        }
        let overstated = self.overstated();
        let mut note = match (overstated, self.nix.rule()) {
            (0, _) => return None,
            (_, NixRule::From2_23) => format!(
                "Nix would report {} more than goes. Where a file has several hard-linked names, \
                 Nix since 2.23 replaces some of them and passes over the rest, so that the file \
                 stays on the disk.",
                size(overstated)
            ),
            (_, NixRule::UpTo2_22) => format!(
                "{} would report {} more than goes: it counts each name of a file that has \
                 several.",
                self.nix.program(),
                size(overstated)
            ),
        };
        if let (Some(other), NixRule::From2_23, Flavour::Nix) =
            (self.known_of_other_rule(), self.nix.rule(), self.nix.flavour())
        {
            note.push_str(&format!(" Nix up to 2.22 would free {} here.", size(other)));
        }
        Some(note)
    }

    fn saved_fields(&self, guix: bool) -> Vec<Field<'_>> {
        let saved = &self.already_saved;
        let note = saved.note.as_deref();
        let printed = note.filter(|_| !guix);
        let apparent = |size| format!("{} in apparent size", format_size(size, Units::Binary));
        let label = match (saved.disk_size, note) {
            (0, _) => "",
            (_, Some(_)) => "through .links",
            (_, None) => "by hard links",
        };
        let other = saved.other_apparent_size;
        vec![
            Field::hidden("apparent_size", Cell::Size(saved.apparent_size)),
            Field::new("disk_size", label, Cell::Size(saved.disk_size))
                .remark(apparent(saved.apparent_size)),
            Field::hidden("other_apparent_size", Cell::optional(other, Cell::Size)),
            Field::new(
                "other_disk_size",
                "by other hard links",
                Cell::optional(saved.other_disk_size, Cell::Size),
            )
            .remark(other.map(apparent).unwrap_or_default())
            .hidden_if(other.unwrap_or(0) == 0),
            Field::hidden("links_entries", Cell::Count(saved.links_entries)),
            Field::new(
                "links_directory_disk_size",
                ".links itself",
                Cell::Size(saved.links_directory_disk_size),
            )
            .remark(format!("{} entries", format_count(saved.links_entries)))
            .hidden_if(saved.links_entries == 0),
            Field::new("note", "as the collector notes", Cell::optional(printed, Cell::text))
                .hidden_if(printed.is_none() || saved.apparent_size == 0),
        ]
    }

    fn unused_fields(&self) -> Vec<Field<'static>> {
        let unused = &self.unused_links;
        let none = unused.entries == 0;
        vec![
            Field::new("entries", "entries", Cell::Count(unused.entries))
                .remark("a garbage collection deletes them")
                .hidden_if(none),
            Field::hidden("apparent_size", Cell::Size(unused.apparent_size)),
            Field::new("disk_size", "disk size", Cell::Size(unused.disk_size)).hidden_if(none),
        ]
    }

    fn paths_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let id = |path: u32| census.id(PathIndex::new(path));
        let name = move |path: u32| census.catalog.path(id(path));
        let label = move |path: u32| census.catalog.store_path(id(path)).name();
        self.owners_section("by_path", "By path", &self.breakdown.by_path, name, label)
    }

    fn pairs_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let mut columns = self.saving_columns();
        columns.extend([
            Column::text("package").rank(0).named(),
            Column::text("kept_package").titled("keeps the file of").rank(1),
        ]);
        let name = |path: u32| census.catalog.package(census.id(PathIndex::new(path))).name;
        let rows = self.breakdown.by_pair.iter().map(move |of| {
            let mut row = self.saving_cells(&of.saving);
            row.push(Cell::text(name(of.path)));
            row.push(Cell::optional(of.kept.map(name), Cell::text));
            row
        });
        let title = if self.breakdown.by_pair.is_empty() { "" } else { "By pair of packages" };
        Section::rows("by_pair", title, columns, rows)
    }

    fn packages_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let id = |path: u32| census.id(PathIndex::new(path));
        let label = move |path: u32| census.catalog.package(id(path)).name;
        let name = move |path: u32| label(path).to_owned();
        self.owners_section("by_package", "By package", &self.breakdown.by_package, name, label)
    }

    fn owners_section<'a>(
        &'a self,
        key: &'static str,
        title: &'static str,
        owners: &'a [OwnerSaving],
        name: impl Fn(u32) -> String + Copy + Send + Sync + 'a,
        label: impl Fn(u32) -> &'a str + Sync + 'a,
    ) -> Section<'a> {
        let by_path = key == "by_path";
        let own = if by_path { "path" } else { "package" };
        let mut columns = self.saving_columns();
        columns.extend([
            Column::size("disk_size").titled("of").rank(1),
            Column::size("also_elsewhere").titled("also elsewhere").rank(4),
            Column::count("paths").hidden_if(by_path),
            if by_path { Column::path(own) } else { Column::text(own).rank(0).named() },
            Column::records("shared_with").titled("shared with").rank(3),
        ]);
        let row = move |of: &'a OwnerSaving| {
            let mut row = self.saving_cells(&of.saving);
            let partners = &of.shared_with;
            let record = move |&(path, size): &(u32, u64)| {
                Cell::Record(vec![(own, Cell::text(name(path))), ("disk_size", Cell::Size(size))])
            };
            let records = move || partners.iter().map(record).collect();
            let shown = partners.iter().take(NAMED).map(|&(path, size)| {
                let other = match path == of.path {
                    true => "itself",
                    false => label(path),
                };
                format!("{other} {}", format_size(size, Units::Binary))
            });
            let mut mostly = shown.collect::<Vec<_>>().join(", ");
            if let Some(more @ 1..) = partners.len().checked_sub(NAMED) {
                mostly.push_str(&format!(", {more} more"));
            }
            row.extend([
                Cell::Size(of.disk_size),
                Cell::Size(of.also_elsewhere),
                Cell::Count(of.paths),
                Cell::text(name(of.path)),
                Cell::BothLater(mostly.into(), LaterCells::new(partners.len(), records)),
            ]);
            row
        };
        Section::list(key, if owners.is_empty() { "" } else { title }, columns, owners, row)
    }

    fn kinds_section(&self) -> Section<'_> {
        let mut columns = self.saving_columns();
        columns.push(Column::text("kind").rank(0));
        let rows = self.breakdown.by_kind.iter().map(|of| {
            let mut row = self.saving_cells(&of.saving);
            row.push(Cell::text(of.kind.key()));
            row
        });
        let title = if self.breakdown.by_kind.is_empty() { "" } else { "By kind of file" };
        Section::rows("by_kind", title, columns, rows)
    }

    fn groups_section(&self) -> Section<'_> {
        let groups = &self.breakdown.groups;
        let title = if groups.is_empty() { "" } else { "Equal files" };
        let mut columns = self.saving_columns();
        columns.extend([
            Column::size("size"),
            Column::count("inodes"),
            Column::text("kind").hidden(),
            Column::paths("names").rank(0).named(),
        ]);
        let row = |group: &Group| {
            let mut row = self.saving_cells(&group.saving);
            let kind = match (group.symlink, group.executable) {
                (true, _) => "symlink",
                (_, true) => "executable",
                _ => "file",
            };
            let names = self.names(group);
            let first = names.iter().take(NAMED).map(|n| escape(without_hash_part(n)));
            let mut first = first.collect::<Vec<_>>().join(" ");
            if let Some(more @ 1..) = names.len().checked_sub(NAMED) {
                first.push_str(&format!(", {more} more"));
            }
            let names = names.into_iter().map(|name| Cell::Bytes(name.into()));
            row.extend([
                Cell::Size(group.size),
                Cell::Count(group.inodes),
                Cell::text(kind),
                Cell::Both(first.into(), Box::new(Cell::Cells(names.collect()))),
            ]);
            row
        };
        Section::list("groups", title, columns, groups, row)
    }
}

/// A figure, unless it depends on the order of threads.
fn certain<'a>(range: Option<Range>, figure: Cell<'a>) -> Cell<'a> {
    if range.is_none_or(Range::is_certain) { figure } else { Cell::Missing }
}

/// The bounds of a figure; none where it does not depend on threads.
fn bounds(
    least: &'static str,
    most: &'static str,
    of: Option<Range>,
    cell: fn(u64) -> Cell<'static>,
) -> Vec<Field<'static>> {
    let Some(of) = of else { return Vec::new() };
    vec![Field::hidden(least, cell(of.least)), Field::hidden(most, cell(of.most))]
}

fn count_if(key: &'static str, label: &'static str, n: u64) -> Field<'static> {
    Field::new(key, label, Cell::Count(n)).hidden_if(n == 0)
}

fn saving_columns(has_extents: bool, has_lower_layers: bool) -> Vec<Column> {
    let [mut disk, mut physical, mut apparent] = [
        Column::size("disk_freed").titled("frees").hidden_if(has_extents || has_lower_layers),
        Column::size("freed_physical_size").titled("frees").hidden_if(!has_extents),
        Column::size("apparent_freed").titled("apparent").hidden_if(!has_lower_layers),
    ];
    match (has_extents, has_lower_layers) {
        (true, _) => physical = physical.weight(),
        (false, true) => apparent = apparent.weight(),
        (false, false) => disk = disk.weight(),
    }
    vec![
        disk,
        physical,
        apparent,
        Column::count("inodes_freed").hidden(),
        Column::count("files_linked").titled("files linked").rank(4),
        Column::size("bytes_freed").hidden(),
    ]
}

/// What is told of block deduplication: of two sizes, a name, and whether it is an estimate.
const DEDUPLICATION: [&str; 4] = [
    "deduplication_physical_size",
    "deduplication_unchecked_size",
    "deduplication_checksums",
    "deduplication_estimated",
];

/// A size that is not exact.
fn about<'a>(size: u64) -> Cell<'a> {
    let text = format!("about {}", format_size(size, Units::Binary));
    Cell::Both(text.into(), Box::new(Cell::Size(size)))
}

#[cfg(test)]
mod tests {
    use super::super::gathered::GatheredTree;
    use super::super::{
        AlreadySaved, Breakdown, Group, KindSaving, NixVersion, PairSaving, SimulatedResult,
        UnusedLinks,
    };
    use super::*;
    use crate::catalog::{Builder, Record};
    use crate::census::Examine;
    use crate::output::{Format, Style, write};
    use crate::warning::Warnings;
    use serde_json::Value;

    fn answer() -> Optimise {
        let saving = |files_linked, bytes_freed, disk_freed| Saving {
            files_linked,
            bytes_freed,
            disk_freed,
            freed_physical_size: disk_freed,
            apparent_freed: bytes_freed,
            inodes_freed: files_linked,
        };
        let owner = |path, saving, shared_with| OwnerSaving {
            path,
            paths: 1,
            disk_size: 10_380_902,
            also_elsewhere: 8_493_465,
            saving,
            shared_with,
        };
        let owners = vec![
            owner(1, saving(412, 8_400_000, 8_493_465), vec![(0, 8_493_465), (1, 4096)]),
            owner(0, saving(0, 0, 0), vec![(1, 8_493_465)]),
        ];
        Optimise {
            freed_physical_size: Some(8_493_465),
            freed_physical_size_is: Some(SizeIs::Exact),
            has_extents: false,
            has_lower_layers: false,
            links_metadata_size: None,
            deduplication: None,
            guix: false,
            nix: NixVersion::NEWEST,
            outcome: SimulatedResult {
                files_linked: 412,
                bytes_freed: 8_400_000,
                disk_freed: 8_493_465,
                apparent_freed: 8_300_000,
                inodes_freed: 400,
                links_added: 1234,
                links_removed: 1,
                at_link_limit: 2,
                writable: 3,
                stopped: None,
            },
            any_order: None,
            other_rule_disk_freed: Some(8_600_000),
            already_saved: AlreadySaved {
                apparent_size: 5 << 20,
                disk_size: 6 << 20,
                other_apparent_size: Some(3 << 20),
                other_disk_size: Some(4 << 20),
                links_entries: 77,
                links_directory_disk_size: 4096,
                note: Some(NixVersion::NEWEST.saving_note((5 << 20) - 4096)),
            },
            unused_links: UnusedLinks { entries: 7, apparent_size: 700, disk_size: 28_672 },
            breakdown: Breakdown {
                by_path: owners.clone(),
                by_package: owners,
                by_pair: vec![
                    PairSaving { path: 1, kept: Some(0), saving: saving(11, 6_000_000, 6_001_088) },
                    PairSaving { path: 1, kept: None, saving: saving(1, 1_000_000, 1_000_000) },
                ],
                pair_files: Vec::new(),
                by_kind: vec![KindSaving {
                    kind: crate::kinds::FileKind::Libraries,
                    saving: saving(12, 7_000_000, 7_001_088),
                }],
                groups: vec![Group {
                    size: 3_500_000,
                    inodes: 4,
                    symlink: false,
                    executable: true,
                    saving: saving(3, 7_000_000, 7_001_088),
                    entries: vec![0, 1, 2, 3],
                }],
            },
            paths: 2,
            entries: 900,
            bytes_read: 9_000_000,
            unreadable: 1,
            unreadable_size: 5,
            warnings: Warnings::new(),
            tree: GatheredTree::of_names(&[
                "00000000000000000000000000000000-systemd-254.6/lib/a.so",
                "11111111111111111111111111111111-systemd-minimal-254.6/lib/a\x1b.so",
                "11111111111111111111111111111111-systemd-minimal-254.6/lib/b.so",
                "11111111111111111111111111111111-systemd-minimal-254.6/lib/c.so",
            ]),
        }
    }

    fn print(format: Format) -> String {
        print_of(&answer(), format)
    }

    fn print_of(answer: &Optimise, format: Format) -> String {
        let mut builder = Builder::new("/nix/store");
        for name in [
            "00000000000000000000000000000000-systemd-254.6",
            "11111111111111111111111111111111-systemd-minimal-254.6",
        ] {
            let path = format!("/nix/store/{name}");
            builder.add(&Record { path: path.as_bytes(), ..Record::default() }).unwrap();
        }
        let catalog = builder.finish().unwrap();
        let census = Census::new(catalog, &Examine::All, None).unwrap();
        let mut out = Vec::new();
        write(answer.document(&census, None), format, &Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_another_rule_frees_is_not_known_of_lower_layers() {
        let said = |has_lower_layers| {
            let answer = Optimise { has_lower_layers, ..answer() };
            let json: Value = serde_json::from_str(&print_of(&answer, Format::Json)).unwrap();
            let note = print_of(&answer, Format::Table).contains("2.22 would free");
            (json["other_rule_disk_freed"].clone(), note)
        };
        assert_eq!(said(false), (8_600_000.into(), true));
        assert_eq!(said(true), (Value::Null, false));
    }

    #[test]
    fn as_people_read_it() {
        insta::assert_snapshot!(print(Format::Table));
    }

    #[test]
    fn as_machines_read_it() {
        insta::assert_snapshot!(print(Format::Json));
        insta::assert_snapshot!(print(Format::Csv));
    }
}
