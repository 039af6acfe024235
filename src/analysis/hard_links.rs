//! Paths whose own hard links make them small on this disk alone: in a NAR, and
//! copied, every name counts.
use crate::arrange::Arrange as _;

use crate::answer::Section;
use crate::census::{Census, PathIndex};
use crate::text::{Units, format_size};
use std::cmp::Reverse;

/// How many paths are pointed out at most, those that would grow most.
const NAMED: usize = 3;

/// By how many bytes a path must grow to be pointed out, and how many times its
/// disk size its NAR must be.
const LEAST: u64 = 1 << 20;
const TIMES: u64 = 2;

/// The disk size in bytes of a path if every name of an inode were a file of its
/// own: `du -l`.
pub(super) fn copied_disk_size(census: &Census, path: PathIndex) -> Option<u64> {
    let usage = census.usage(path)?;
    let more = census
        .inodes(path)
        .map(|(inode, names)| inode.disk_size().saturating_mul(u64::from(names.saturating_sub(1))));
    Some(more.fold(usage.disk_size, u64::saturating_add))
}

/// Points out such paths among some.
pub(super) fn notes<'a>(
    census: &Census,
    paths: impl IntoIterator<Item = PathIndex>,
) -> Vec<Section<'a>> {
    let mut found: Vec<(u64, u64, PathIndex)> = (paths.into_iter())
        .filter_map(|path| {
            let disk = census.usage(path)?.disk_size;
            let more = copied_disk_size(census, path)?.saturating_sub(disk);
            // To the nearest.
            let times =
                (census.known_nar_size(path)?.saturating_add(disk / 2)).checked_div(disk)?;
            (more >= LEAST && times >= TIMES).then_some((more, times, path))
        })
        .collect();
    found.arrange_by_key(|&(more, _, path)| (Reverse(more), path));
    let note = |&(more, times, path): &(u64, u64, PathIndex)| {
        let name = census.catalog.store_path(census.id(path)).name();
        let more = format_size(more, Units::default());
        Section::Note(format!(
            "Hard links inside {name}: its NAR is {times} times its disk size; copying it unpacks \
             {more} more, unless that store is optimised."
        ))
    };
    found.iter().take(NAMED).map(note).collect()
}
