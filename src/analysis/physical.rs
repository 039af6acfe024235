//! Sizes of extents beside those of blocks. People see one of the two: extents
//! where they are known and blocks do not say it all. Machines get both.
use crate::arrange::Arrange as _;

use crate::answer::{Cell, Column, Field, Section};
use crate::census::{Census, PathIndex};
use crate::disk::{DiskScan, ExtentSizes, Space};
use crate::fs::SizeIs;

/// A column of blocks and the same of extents, with the same heading.
pub(super) fn columns(
    census: &Census,
    disk: &'static str,
    physical: &'static str,
    heading: &'static str,
) -> [Column; 2] {
    let shows = census.has_extents();
    [
        Column::size(disk).titled(heading).hidden_if(census.disk.is_none() || shows),
        Column::size(physical).titled(heading).hidden_if(!shows),
    ]
}

/// The columns of what a path takes.
pub(super) fn own_columns(census: &Census) -> [Column; 2] {
    let [disk, physical] = columns(census, "disk_size", "physical_size", "disk size");
    let about = census.physical_sizes_are() == Some(SizeIs::About);
    [disk, physical.titled(if about { "physical, about" } else { "physical" })]
}

/// The cells of those columns; `None` is a path that is not examined.
pub(super) fn own_cells<'a>(census: &Census, path: Option<PathIndex>) -> [Cell<'a>; 2] {
    let usage = path.and_then(|path| census.usage(path));
    let sizes = path.and_then(|path| census.extent_sizes(path));
    [
        Cell::optional(usage, |usage| Cell::Size(usage.disk_size)),
        Cell::optional(sizes, |sizes| Cell::Size(sizes.physical_size)),
    ]
}

/// Columns of what files take, in blocks and in extents, of which people see the latter if
/// `shows`.
pub(super) fn size_columns(census: &Census, shows: bool) -> [Column; 5] {
    let about = census.physical_sizes_are() == Some(SizeIs::About);
    let physical = if about { "physical, about" } else { "physical" };
    [
        Column::size("disk_size").titled("disk size").hidden_if(shows),
        Column::size("physical_size").titled(physical).hidden_if(!shows),
        Column::size("uncompressed_size").hidden(),
        Column::size("referenced_size").hidden(),
        Column::size("inline_size").hidden(),
    ]
}

/// The cells of those columns that are of extents.
pub(super) fn extent_cells<'a>(sizes: Option<ExtentSizes>) -> [Cell<'a>; 4] {
    let size = |size: fn(ExtentSizes) -> u64| Cell::optional(sizes.map(size), Cell::Size);
    [
        size(|sizes| sizes.physical_size),
        size(|sizes| sizes.uncompressed_size),
        size(|sizes| sizes.referenced_size),
        size(|sizes| sizes.inline_size),
    ]
}

/// The same as fields beside the lists.
pub(super) fn extent_fields<'a>(sizes: Option<ExtentSizes>) -> [Field<'a>; 4] {
    let [physical, uncompressed, referenced, inline] = extent_cells(sizes);
    [
        Field::hidden("physical_size", physical),
        Field::hidden("uncompressed_size", uncompressed),
        Field::hidden("referenced_size", referenced),
        Field::hidden("inline_size", inline),
    ]
}

/// Columns of blocks and extents, by which rows are weighed.
pub(super) fn weight(census: &Census, [disk, physical]: [Column; 2]) -> [Column; 2] {
    match census.has_extents() {
        true => [disk, physical.weight()],
        false => [disk.weight(), physical],
    }
}

/// The cells of columns of blocks and extents that are freed.
pub(super) fn cells<'a>(census: &Census, space: Option<Space>) -> [Cell<'a>; 2] {
    let physical = space.filter(|_| census.freed_sizes_are().is_some());
    [
        Cell::optional(space, |space| Cell::Size(space.disk_size)),
        Cell::optional(physical, |space| Cell::Size(space.physical_size)),
    ]
}

/// What is freed of extents, where people see blocks beside it.
pub(super) fn freed_field<'a>(census: &Census, freed: Option<Space>) -> Field<'a> {
    let [_, freed] = cells(census, freed);
    Field::new("freed_physical_size", "really freed", freed).hidden_if(!census.has_extents())
}

/// What a path takes, by extents where these are known, else by blocks; by its NAR
/// where the disk was not asked.
pub(super) fn main_size(census: &Census, path: PathIndex) -> u64 {
    match (census.extent_sizes(path), census.usage(path)) {
        (Some(sizes), _) => sizes.physical_size,
        (None, Some(usage)) => usage.disk_size,
        (None, None) => census.nar_size(path),
    }
}

/// The cell of what physical sizes are.
pub(super) fn is_cell<'a>(sizes_are: Option<SizeIs>) -> Cell<'a> {
    Cell::optional(sizes_are, |is| Cell::text(is.name()))
}

/// What physical sizes are, beside the lists.
pub(super) fn is_field<'a>(sizes_are: Option<SizeIs>) -> Field<'a> {
    Field::hidden("physical_size_is", is_cell(sizes_are))
}

/// What physical sizes are, in words for people.
pub(super) enum SizesSaid {
    /// As they are.
    Exact,
    /// Some files are left out.
    AtLeast,
    /// The file system changed meanwhile.
    About,
    /// Root is shown what they are.
    AboutToOthers,
}

/// The same of some censuses together.
pub(super) fn sizes_said<'c>(censuses: impl Iterator<Item = &'c Census> + Clone) -> SizesSaid {
    // Of those alone that are: another may not know what is freed for reasons of its own.
    let of_files = |census: &Census| {
        census.physical_sizes_are() == Some(SizeIs::About) && census.freed_sizes_are().is_none()
    };
    match censuses.clone().filter_map(Census::physical_sizes_are).max() {
        Some(SizeIs::About) if censuses.into_iter().any(of_files) => SizesSaid::AboutToOthers,
        Some(SizeIs::About) => SizesSaid::About,
        Some(SizeIs::AtLeast) => SizesSaid::AtLeast,
        Some(SizeIs::Exact) | None => SizesSaid::Exact,
    }
}

/// For people, where they see extents: that they do, and what these sizes are.
pub(super) fn note<'c>(censuses: impl Iterator<Item = &'c Census> + Clone) -> String {
    let mut note =
        "Sizes are physical: extents as they lie on the disk, compressed, each once.".to_owned();
    note += match sizes_said(censuses) {
        SizesSaid::Exact => "",
        SizesSaid::AtLeast => " They are at least what is taken: some files are left out.",
        SizesSaid::About => " They are about what is taken: it changed while it was read.",
        SizesSaid::AboutToOthers => " They are about what is taken; root sees exactly what.",
    };
    note
}

/// What physical sizes are, and a note where people see extents.
pub(super) fn notes<'a>(census: &Census) -> Vec<Section<'a>> {
    let fields = vec![
        is_field(census.physical_sizes_are()),
        Field::hidden("freed_physical_size_is", is_cell(census.freed_sizes_are())),
    ];
    let mut sections = vec![Section::fields(None, "", fields)];
    if census.has_extents() {
        let mut note = note(std::iter::once(census));
        match census.freed_sizes_are() {
            None => note += " What is freed is not known.",
            Some(SizeIs::AtLeast) => note += " What is freed is at least what is said.",
            Some(SizeIs::About) => {
                note += " What is freed may be less: not all that keeps extents is known.";
            }
            Some(SizeIs::Exact) => {}
        }
        sections.push(Section::Note(note));
    }
    sections
}

/// The same beside what deleting frees, if that is known.
pub(super) fn notes_of_freed<'a>(census: &Census, known: bool) -> Vec<Section<'a>> {
    let mut sections = notes(census);
    sections.extend(freed_note(census, known));
    sections
}

/// What people should know of lower layers of an overlay beside what deleting frees, if that
/// is known.
pub(super) fn freed_note<'a>(census: &Census, known: bool) -> Option<Section<'a>> {
    let note = match (known, has_lower_layers(census)) {
        (_, false) => return None,
        (false, true) => {
            "What deleting frees is not known: what is in lower layers of the overlay stays."
        }
        (true, true) if census.stays_in_layers() => {
            "What is in lower layers of the overlay stays when it is deleted, and does not count \
             as freed."
        }
        (true, true) => return None,
    };
    Some(Section::Note(note.to_owned()))
}

/// The same beside gains: what closures are smaller by, wherever it lies.
pub(super) fn notes_of_gains<'a>(census: &Census) -> Vec<Section<'a>> {
    let mut sections = notes(census);
    sections.extend(gains_note(census).map(|note| Section::Note(note.to_owned())));
    sections
}

/// What people should know of lower layers of an overlay beside gains.
pub(super) fn gains_note(census: &Census) -> Option<&'static str> {
    has_lower_layers(census).then_some(
        "Gains count what is in lower layers of the overlay too, which stays on the disk when it \
         is deleted.",
    )
}

/// The same beside what some censuses differ by.
pub(super) fn changes_note<'c>(
    mut censuses: impl Iterator<Item = &'c Census>,
) -> Option<&'static str> {
    censuses.any(has_lower_layers).then_some(
        "Changes count what is in lower layers of the overlay too, which stays on the disk when \
         it is deleted.",
    )
}

/// Whether files are in lower layers of an overlay, or may be.
fn has_lower_layers(census: &Census) -> bool {
    let unknown = census.disk.is_some() && census.disk_to_free().is_none();
    unknown || census.stays_in_layers()
}

/// The same where sizes are of less than paths, which only some answers know of extents.
pub(super) fn notes_of_files<'a>(census: &Census, shows: bool) -> Vec<Section<'a>> {
    match shows || !census.has_extents() {
        true => notes(census),
        false => vec![Section::fields(
            None,
            "",
            vec![is_field(None), Field::hidden("freed_physical_size_is", is_cell(None))],
        )],
    }
}

/// What those outside the store keep of the extents that would go with some paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// All of it in bytes, each extent once.
    pub physical_size: u64,
    /// What each of them keeps, most first: an index into
    /// [`Extents::holders`](crate::disk::Extents::holders), and bytes.
    pub by_holder: Vec<(u32, u64)>,
}

impl Held {
    /// What is kept of the paths that `goes` says, by number in the scan's `usages` and
    /// then `others`. `None` where there are no extents to tell of.
    pub(super) fn new(disk: &DiskScan, goes: impl Fn(u32) -> bool) -> Option<Self> {
        let extents = disk.extents().filter(|extents| extents.freed_sizes_are.is_some())?;
        let mut held = Self::default();
        let mut sums = vec![0u64; extents.holders.len()];
        let users = extents.paths_of_groups(&disk.names);
        for (group, users) in extents.groups.iter().zip(users.iter()) {
            if group.holders.is_empty() || !users.iter().all(|&user| goes(user)) {
                continue;
            }
            held.physical_size = held.physical_size.saturating_add(group.physical_size);
            for &holder in &group.holders {
                let sum = &mut sums[holder as usize];
                *sum = sum.saturating_add(group.physical_size);
            }
        }
        held.by_holder = (0u32..).zip(sums).filter(|&(_, size)| size > 0).collect();
        held.by_holder.arrange_by_key(|&(holder, size)| (std::cmp::Reverse(size), holder));
        Some(held)
    }

    /// Whether nothing is known of some who keep it but that they do.
    pub(super) fn is_by_unknown(&self, census: &Census) -> bool {
        let extents = census.disk.as_ref().and_then(DiskScan::extents);
        extents.is_some_and(|extents| {
            let holder = |of: &(u32, u64)| extents.holders.get(of.0 as usize);
            self.by_holder.iter().filter_map(holder).any(|holder| holder.unknown)
        })
    }

    /// The list of them for printing.
    pub(super) fn section<'a>(&self, census: &'a Census, title: &str) -> Section<'a> {
        let columns = vec![
            Column::size("physical_size").titled("stays").weight(),
            Column::text("holder").titled("held by").rank(0).named(),
            Column::bool("snapshot").hidden(),
            Column::path("subvolume").hidden(),
        ];
        let extents = census.disk.as_ref().and_then(DiskScan::extents);
        let unknown = self.is_by_unknown(census);
        let rows: Vec<Vec<Cell<'a>>> = (self.by_holder.iter())
            .filter_map(|&(holder, size)| {
                let holder = extents?.holders.get(holder as usize)?;
                let path = String::from_utf8_lossy(&holder.path);
                let words = match (holder.own, holder.snapshot, holder.path.is_empty()) {
                    _ if holder.unknown => {
                        "files that are not known, of the store or not".to_owned()
                    }
                    _ if holder.lower => "lower layers of the overlay, which stay".to_owned(),
                    (true, ..) => "other files of the store's subvolume".to_owned(),
                    (false, true, _) => format!("snapshot {path}"),
                    (false, false, true) => "the top-level subvolume".to_owned(),
                    (false, false, false) => format!("subvolume {path}"),
                };
                Some(vec![
                    Cell::Size(size),
                    Cell::text(words),
                    Cell::Bool(holder.snapshot),
                    Cell::Bytes(holder.path.as_slice().into()),
                ])
            })
            .collect();
        let title = match (rows.is_empty(), unknown) {
            (true, _) => "",
            (false, true) => "Shared, with whom is not known: taken to stay",
            (false, false) => title,
        };
        Section::rows("held_extents", title, columns, rows.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::{SizesSaid, freed_note, sizes_said};
    use crate::analysis::report::{Column, Report, ReportOptions};
    use crate::catalog::Builder;
    use crate::census::{Census, Examine};
    use crate::disk::{DiskScan, Extents, Overlay, Physical};
    use crate::fs::SizeIs;
    use crate::output::{Format, Style, write};

    fn census(physical: Physical, overlay: Overlay) -> Census {
        let scan = DiskScan { physical, overlay, ..DiskScan::empty() };
        let catalog = Builder::new("/nix/store").finish().unwrap();
        Census::new(catalog, &Examine::All, Some(scan)).unwrap()
    }

    /// An overlay does not know what is freed either.
    #[test]
    fn root_is_said_to_see_more_only_where_it_does() {
        let about = |freed_sizes_are| {
            let mut extents = Extents::default();
            (extents.sizes_are, extents.freed_sizes_are) = (SizeIs::About, freed_sizes_are);
            census(Physical::Extents(Box::new(extents)), Overlay::No)
        };
        let layers = census(Physical::Blocks, Overlay::Unknown("why".to_owned()));
        let said = |of: &Census| sizes_said([of, &layers].into_iter());
        assert!(matches!(said(&about(Some(SizeIs::About))), SizesSaid::About));
        assert!(matches!(said(&about(None)), SizesSaid::AboutToOthers));
        assert!(matches!(said(&layers), SizesSaid::Exact));
    }

    fn said_with(column: Column, overlay: Overlay) -> String {
        let census = census(Physical::Blocks, overlay);
        let options = ReportOptions {
            columns: vec![column],
            sort: Column::Path,
            reverse: false,
            limit: None,
            filter: None,
            targets_only: false,
        };
        let report = Report::new(&census, &options).unwrap();
        let mut out = Vec::new();
        write(report.document(&census), Format::Table, &Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_lower_layers_keep_is_said_beside_what_is_freed() {
        let unknown = || Overlay::Unknown("why".to_owned());
        let upper = || Overlay::Upper(Box::default());
        assert!(said_with(Column::ReclaimableSize, unknown()).contains("frees is not known"));
        assert!(said_with(Column::ReclaimableSize, upper()).contains("does not count as freed"));
        for overlay in [unknown(), upper()] {
            let said = said_with(Column::Name, overlay);
            assert!(!said.contains("lower layers"), "{said}");
        }
        let layers = census(Physical::Blocks, unknown());
        assert!(freed_note(&layers, false).is_some());
        // Of a store over another store it is known.
        assert!(freed_note(&layers, true).is_none());
    }
}
