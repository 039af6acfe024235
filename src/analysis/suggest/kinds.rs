//! Kinds of files that a closure can often do without.
use crate::arrange::Arrange as _;

use crate::analysis::graph_changes::{Dropped, Edited, Gain, extents_by_kind, measure};
use crate::analysis::retained::SizeKind;
use crate::answer::{Cell, Column, Section};
use crate::census::Census;
use crate::disk::KindScan;
use crate::kinds::FileKind;
use std::cmp::Reverse;

/// Kinds that programs run without, those together that one would drop together.
const DROPPABLE: &[&[FileKind]] = &[
    &[FileKind::Man, FileKind::Info, FileKind::Doc],
    &[FileKind::Locale],
    &[FileKind::Headers, FileKind::Static, FileKind::Pkgconfig],
    &[FileKind::Debug],
    &[FileKind::Tests],
];

/// Kinds that could be left out. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindSuggestion {
    /// The kinds.
    pub kinds: &'static [FileKind],
    /// What leaving them out of all paths gains, by itself.
    pub gain: Gain,
    /// How many paths have some of it.
    pub paths: u64,
    /// How many names go.
    pub entries: u64,
}

/// What kinds to leave out, those that gain most first; each gains at least
/// `min_size` bytes, in extents where they are known.
pub(super) fn find(census: &Census, scan: &KindScan, min_size: u64) -> Vec<KindSuggestion> {
    let all = Edited::new(census, &census.targets).reached();
    let before = measure(census, &all, &Dropped::default());
    let extents = extents_by_kind(census, scan);
    let one = |&kinds: &&'static [FileKind]| {
        let mut dropped = Dropped::by_kind(extents.as_deref());
        let paths = census.indexes().filter(|path| all.contains(path.node()));
        let entries = paths.map(|path| dropped.take_kinds(scan, path, kinds)).sum();
        let after = measure(census, &all, &dropped);
        let gain = Gain::between(census, (&all, before), (&all, after), &dropped);
        let paths = dropped.paths.len() as u64;
        // What is in the metadata alone is in no extent.
        let gains = gain.disk_size > Some(0) && gain.get(SizeKind::Disk) >= Some(min_size);
        gains.then_some(KindSuggestion { kinds, gain, paths, entries })
    };
    let mut found: Vec<KindSuggestion> = DROPPABLE.iter().filter_map(one).collect();
    found.arrange_by_key(|suggestion| Reverse(suggestion.gain.get(SizeKind::Disk)));
    found
}

/// The suggestions for printing.
pub(super) fn section<'a>(census: &Census, suggestions: &'a [KindSuggestion]) -> Section<'a> {
    let physical = suggestions.iter().any(|suggestion| suggestion.gain.physical_size.is_some());
    let shows = census.has_extents() && physical;
    let [disk, physical] = [
        Column::size("gain_disk_size").titled("gain disk").hidden_if(shows),
        Column::size("gain_physical_size").titled("gain physical").hidden_if(!shows),
    ];
    let columns = vec![
        Column::size("gain_nar_size").titled("gain NAR"),
        if shows { disk } else { disk.weight() },
        if shows { physical.weight() } else { physical },
        Column::count("gain_inodes").titled("inodes"),
        Column::count("paths"),
        Column::count("entries").hidden(),
        Column::texts("kinds").hidden(),
        Column::text("description").titled("what it is").describes(),
        Column::text("flags").titled("what-if flags to try it"),
    ];
    let rows = suggestions.iter().map(|suggestion| {
        let keys: Vec<&str> = suggestion.kinds.iter().map(|kind| kind.key()).collect();
        let descriptions: Vec<String> =
            suggestion.kinds.iter().map(|kind| kind.description().to_lowercase()).collect();
        vec![
            Cell::optional(suggestion.gain.nar_size, Cell::Size),
            Cell::optional(suggestion.gain.disk_size, Cell::Size),
            Cell::optional(suggestion.gain.physical_size, Cell::Size),
            Cell::optional(suggestion.gain.inodes, Cell::Count),
            Cell::Count(suggestion.paths),
            Cell::Count(suggestion.entries),
            Cell::List(keys.iter().map(|&key| key.into()).collect()),
            Cell::text(descriptions.join("; ")),
            Cell::Arguments(format!("--drop-kind {}", keys.join(","))),
        ]
    });
    let title = match suggestions {
        [] => "",
        _ => "Files that could be left out, each by itself",
    };
    Section::rows("kinds", title, columns, rows)
}
