//! A scan of the whole store that walks only what changed since an earlier one.
//!
//! A path whose directories have their stamps is taken over as it was; all others are
//! walked. What is known of an inode stays, as long as a path that is taken over has a
//! name of it; how many names it has is counted anew: those in all paths and in `.links`,
//! and as many outside the store as it had then. Where that does not say how many names
//! an inode has, or a path holds an inode of one name that has got another, the path is
//! walked after all: there `stat` says what is.

mod merge;

use super::devices::Devices;
use super::engine::Walker;
use super::extents::{self, ByFile, Found};
use super::inodes::{self, Inode};
use super::kinds::{FileOfKind, KindScan, KindSums, SharedName, Sorted, Sorter, found};
use super::links;
use super::observe::{Observed, Observer, Observing, Unobserved};
use super::progress::{Progress, Total};
use super::scan::{DiskScan, ScanOptions, Scanned, add_others, list};
use super::stamps::{DirectoryStamp, PathStamps, Single, StoreStamp, Walked, find, to_walk_again};
use super::summing::Summing;
use super::walk::Top;
use super::{DiskError, scan_observed};
use crate::fs::{FileType, Stat, StoreFiles};
use crate::kinds::FileKind;
use crate::threads;
use crate::warning::Warnings;
use hashbrown::HashMap;
use merge::{LinksNow, Merge};

/// What an earlier scan of the whole store found.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) scan: &'a DiskScan,
    /// The base names of its paths.
    pub(crate) names: &'a [&'a str],
    pub(crate) store: &'a StoreStamp,
    pub(crate) paths: &'a PathStamps,
}

/// What a scan took over from an earlier one.
#[derive(Default)]
struct TakenOver {
    /// Of each path the number that it had, if it was taken over.
    paths: Vec<Option<u32>>,
    /// The new index of each inode of the earlier scan that is still there and has several
    /// names.
    inodes: Vec<Option<u32>>,
    /// The inodes of the earlier scan that have one name left, with the path that has it.
    singles: Vec<(u32, u32)>,
    /// Whether extents are looked at.
    finds_extents: bool,
    /// The directories that have blocks, by path, where extents are looked at.
    directories: Vec<(u32, FileOfKind)>,
}

/// All that a snapshot of the whole store has of the disk.
pub(crate) struct WholeScan {
    pub(crate) scan: DiskScan,
    /// What kept kinds from being known is among its own warnings alone.
    pub(crate) kinds: KindScan,
    /// `None` where no later scan can rely on them.
    pub(crate) stamps: Option<(StoreStamp, PathStamps)>,
}

/// Scans the whole store with the kinds of files, and leaves stamps for a later scan; what
/// is as an earlier scan found it is not walked again.
///
/// # Errors
/// As [`scan`](super::scan).
pub(crate) fn scan_whole<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
    before: Option<(Before<'_>, &KindScan)>,
) -> Result<WholeScan, DiskError> {
    let sorter = Sorter::with_stamps(options);
    let store = StoreStamp::before_scan(files, options.use_case_hack);
    let earlier = before.map(|(before, _)| before);
    let (scan, mut observed, taken) = match earlier {
        Some(before) => scan_observed_since(files, names, options, progress, &sorter, before)?,
        None => {
            let (scan, observed) = scan_observed(files, names, options, progress, &sorter)?;
            (scan, observed, TakenOver::default())
        }
    };
    let walked = Walked::new(observed.states.iter_mut().map(Sorted::take_stamps));
    let mut unused_links = observed.unused_links.clone();
    inodes::in_order(&mut unused_links, Inode::key);
    let mut kinds = found(observed);
    if let Some(before) = before {
        add_kinds(&mut kinds, before, &taken, options);
    }
    let stamps = store.and_then(|mut store| {
        let warnings = [&scan.warnings, &kinds.warnings];
        let again = to_walk_again(&scan, warnings, names, files, &mut store)?;
        let mut stamps = merge_stamps(again, &walked, &taken, before);
        stamps.unused_links = unused_links;
        Some((store, stamps))
    });
    Ok(WholeScan { scan, kinds, stamps })
}

/// Scans the whole store, and what of each path is of which kind; what is as an earlier
/// scan found it is not walked again.
///
/// # Errors
/// As [`scan`](super::scan).
pub(crate) fn scan_kinds_since<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
    before: (Before<'_>, &KindScan),
) -> Result<(DiskScan, KindScan), DiskError> {
    let sorter = Sorter::new(options);
    let (scan, observed, taken) =
        scan_observed_since(files, names, options, progress, &sorter, before.0)?;
    let mut kinds = found(observed);
    add_kinds(&mut kinds, before, &taken, options);
    Ok((scan, kinds))
}

/// Scans the whole store; what is as an earlier scan found it is not walked again.
///
/// # Errors
/// As [`scan`](super::scan).
pub(crate) fn scan_since<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
    before: Before<'_>,
) -> Result<DiskScan, DiskError> {
    scan_observed_since(files, names, options, progress, &Unobserved, before).map(|(scan, ..)| scan)
}

/// The stamps of all paths but those that have to be walked again each time: of those that
/// were taken over as they were before.
fn merge_stamps(
    again: Vec<bool>,
    walked: &Walked,
    taken: &TakenOver,
    before: Option<(Before<'_>, &KindScan)>,
) -> PathStamps {
    let mut stamps = PathStamps::default();
    let mut singles: HashMap<u32, Vec<Single>> = HashMap::new();
    if let Some(before) = before {
        for (path, single) in new_singles(before, taken) {
            singles.entry(path).or_default().push(single);
        }
    }
    for (path, again) in (0u32..).zip(again) {
        let old = taken.paths.get(path as usize).copied().flatten();
        match (old, before) {
            _ if again => stamps.end_path([]),
            (Some(old), Some((before, _))) => {
                for directory in before.paths.directories(old) {
                    let DirectoryStamp { depth, stamp, kind, .. } = directory;
                    stamps.push_directory(depth, stamp, kind, directory.name());
                }
                let mut all = singles.remove(&path).unwrap_or_default();
                all.extend(before.paths.singles(old));
                all.sort_unstable();
                stamps.end_path(all);
            }
            _ => walked.put(path, &mut stamps),
        }
    }
    stamps
}

/// Inodes of an earlier scan that have one name left, with the path that has it.
fn new_singles<'a>(
    (before, kinds): (Before<'a>, &'a KindScan),
    taken: &'a TakenOver,
) -> impl Iterator<Item = (u32, Single)> + 'a {
    taken.singles.iter().map(move |&(path, number)| {
        let old = taken.paths[path as usize];
        let kind = old.and_then(|old| kinds.kind_of(old, number)).unwrap_or(FileKind::Other);
        let inode = &before.scan.inodes[number as usize];
        (path, Single::new(inode.ino, inode.disk_size(), kind))
    })
}

/// Scans the whole store; what is as an earlier scan found it is not walked again.
///
/// # Errors
/// As [`scan`](super::scan).
fn scan_observed_since<N: AsRef<[u8]> + Sync, O: Observer>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
    observer: &O,
    before: Before<'_>,
) -> Result<(DiskScan, Observed<O::State>, TakenOver), DiskError> {
    let walker = Walker::new(files, options.threads)?;
    let devices = Devices::new(files.stat().dev);
    let mut tops = Top::numbered(names);
    let others = list(&walker, &mut tops)?;
    add_others(&mut tops, &others);

    let source = walker.install(|| extents::source(files, options.extents));
    // Files that have to be opened for it are all walked over.
    let by_file = ByFile::new(&source, options.extents);
    let finds_extents = source.needs_files();
    progress.begin("comparing directories", Total::Paths(tops.len() as u64));
    let mut unchanged = match by_file.is_some() {
        true => Unchanged { numbers: vec![None; tops.len()], ..Unchanged::default() },
        false => unchanged(&walker, &tops, before, finds_extents, progress),
    };
    let mut stat_calls = unchanged.stat_calls;
    let mut merge = Merge::new(before, std::mem::take(&mut unchanged.numbers));

    let mut warnings = Warnings::new();
    let mut links = LinksNow::unchanged(before);
    let mut entries = before.scan.links.map_or(0, |links| links.entries + links.directories);
    if !before.store.has_same_links(files) {
        progress.begin("reading .links", Total::Unknown);
        let read = links::read_but(&merge.known_links(), &walker, &devices, progress);
        links = LinksNow {
            links: read.links.map(|links| links.unsummed()),
            known: read.known,
            new: [read.inodes, read.unused].concat(),
            again: true,
        };
        (entries, stat_calls) = (read.entries, stat_calls + read.stat_calls);
        warnings.extend(read.warnings);
    }
    let links_then = merge.count_links(&links);

    let mut visitor = Summing::new(&devices, Vec::new(), tops.len());
    visitor.use_case_hack = options.use_case_hack;
    visitor.finds_extents = finds_extents;
    visitor.by_file = by_file.as_ref();
    let observing = Observing { sums: &visitor, observer };
    let mut states = Vec::new();
    let mut to_walk: Vec<Top<'_>> =
        tops.iter().filter(|top| merge.kept[top.path as usize].is_none()).copied().collect();
    loop {
        let again = merge.to_walk_too(&visitor.met_keys(), &links, &links_then);
        again.iter().for_each(|&path| merge.give_up(path));
        to_walk.extend(again.iter().map(|&path| tops[path as usize]));
        if to_walk.is_empty() {
            break;
        }
        progress.begin("walking the store", Total::Paths(to_walk.len() as u64));
        let walked = walker.walk(&to_walk, &observing, progress);
        states.extend(walked.states);
        (entries, stat_calls) = (entries + walked.entries, stat_calls + walked.stat_calls);
        warnings.extend(walked.warnings);
        to_walk.clear();
    }
    drop(tops);

    let (tallies, states) = states.into_iter().unzip();
    let mut sums = visitor.finish(tallies);
    warnings.extend(std::mem::take(&mut sums.warnings));
    let renumbered = std::mem::take(&mut sums.renumbered);
    let of_files = std::mem::take(&mut sums.by_file);
    let source = extents::with_files(source, by_file, of_files, files, &mut warnings);
    let (mut found, elsewhere) = (std::mem::take(&mut sums.files), sums.elsewhere);
    let merged = merge.finish(sums, &links, &links_then);
    let kept = merge.kept.iter().zip(&merged.usages).filter(|(old, _)| old.is_some());
    entries += kept.map(|(_, usage)| usage.entries()).sum::<u64>();
    if finds_extents {
        found.extend(merge.found_before(&merged.singles));
        unchanged.directories.retain(|(found, _)| merge.kept[found.path as usize].is_some());
        found.extend(unchanged.directories.iter().map(|(found, _)| found));
    }
    let scanned = Scanned {
        usages: merged.usages,
        others,
        inodes: merged.inodes,
        devices,
        names: merged.names,
        links: merged.links,
        unused_links: &merged.unused_links,
        files: found,
        elsewhere,
        upper: walker.install(|| files.directory().upper()),
        entries,
        stat_calls,
        warnings,
    };
    let scan = scanned.finish(&walker, names, options, source, progress);
    let observed = Observed {
        states,
        renumbered: renumbered.then(&merged.walked),
        unused_links: merged.unused_links,
    };
    let directories = unchanged.directories.into_iter();
    let taken = TakenOver {
        paths: merge.kept,
        inodes: merged.taken,
        singles: merged.singles,
        finds_extents,
        directories: directories
            .map(|(found, kind)| (found.path, FileOfKind { ino: found.ino, kind }))
            .collect(),
    };
    Ok((scan, observed, taken))
}

/// What comparing directories with their stamps came to.
#[derive(Default)]
struct Unchanged {
    /// The number that each path had before, if its directories are as they were.
    numbers: Vec<Option<u32>>,
    /// The directories that have blocks, where extents are looked at.
    directories: Vec<(Found, FileKind)>,
    /// How many calls of `stat` that took.
    stat_calls: u64,
}

/// Compares the directories of all paths with their stamps.
fn unchanged(
    walker: &Walker<'_>,
    tops: &[Top<'_>],
    before: Before<'_>,
    finds_extents: bool,
    progress: &Progress,
) -> Unchanged {
    let compare = |top: &Top<'_>| {
        let old = find(before.names, &before.scan.others, top.name);
        let mut directories = Vec::new();
        let found = |directory: &Stat, kind| {
            if finds_extents && directory.disk_size > 0 {
                let found = Found::new(top.path, directory.ino, directory.disk_size);
                directories.push((found, kind));
            }
        };
        let (same, calls) = match old {
            Some(old) if matches!(top.file_type, FileType::Directory | FileType::Unknown) => {
                let moment = &before.store.moment;
                before.paths.is_same(old, moment, walker.files(), top.name, found)
            }
            _ => (false, 0),
        };
        progress.add_path();
        (old.filter(|_| same), directories, calls)
    };
    let compared = walker.install(|| threads::map(tops.len(), 16, |at| compare(&tops[at])));
    let mut unchanged = Unchanged::default();
    for (number, directories, calls) in compared {
        unchanged.numbers.push(number);
        unchanged.directories.extend(directories);
        unchanged.stat_calls += calls;
    }
    unchanged
}

/// Adds the kinds of the paths that were taken over, as they were before.
fn add_kinds(
    found: &mut KindScan,
    (before, kinds): (Before<'_>, &KindScan),
    taken: &TakenOver,
    options: &ScanOptions,
) {
    let (mut own, mut names) = (Vec::new(), Vec::new());
    for (path, old) in (0u32..).zip(&taken.paths) {
        let Some(old) = *old else { continue };
        let start = own.len();
        own.extend(kinds.own(old).map(|(kind, sums)| (path, kind, *sums)));
        for SharedName { inode, kind } in kinds.names(old) {
            if let Some(inode) = taken.inodes[inode as usize] {
                names.push((path, SharedName { inode, kind }));
                continue;
            }
            // Its sizes are the path's own now.
            let inode = &before.scan.inodes[inode as usize];
            let (apparent_size, disk_size) = (inode.apparent_size(), inode.disk_size());
            let more = KindSums { apparent_size, disk_size, ..KindSums::default() };
            if let Some((.., sums)) = own[start..].iter_mut().find(|(_, of, _)| *of == kind) {
                *sums += more;
            }
        }
    }
    let files = match options.inode_extents && taken.finds_extents {
        true => files_of_kinds((before, kinds), taken),
        false => Vec::new(),
    };
    found.add(own, names, files);
}

/// The files and directories that have blocks in the paths that were taken over.
fn files_of_kinds(
    (before, kinds): (Before<'_>, &KindScan),
    taken: &TakenOver,
) -> Vec<(u32, FileOfKind)> {
    let paths = (0u32..).zip(&taken.paths).filter_map(|(path, old)| Some((path, (*old)?)));
    let singles = paths.flat_map(|(path, old)| {
        before.paths.singles(old).iter().map(move |&single| (path, single))
    });
    let singles = singles.chain(new_singles((before, kinds), taken));
    let files = singles.filter(|(_, single)| single.blocks > 0);
    let files = files.map(|(path, Single { ino, kind, .. })| (path, FileOfKind { ino, kind }));
    files.chain(taken.directories.iter().copied()).collect()
}

#[cfg(test)]
mod tests;
