//! What paths cost on disk: the visitor that sums, and what becomes of the sums.
//!
//! Three phases. A scan of the whole store first stats `.links`, into a table
//! that no longer changes. The walk then sums for each path what only that path
//! can hold, and notes a number for each name of an inode with several names;
//! `stat` is called once for such an inode, by its name in `.links` or by whichever name
//! comes first. At last the noted numbers are gathered into rows, and each path
//! gets what its inodes with several names cost.

use super::DiskError;
use super::devices::Devices;
use super::engine::Walker;
use super::extents::{self, ByFile, ExtentsOption, Found, Met, Physical};
use super::inodes::{Inode, InodeTable};
use super::links::{self, LINKS_DIRECTORIES, Links};
use super::observe::{Observed, Observer, Observing, Unobserved};
use super::overlay::{Overlay, overlay};
use super::progress::{Progress, Total};
use super::summing::{Summing, Sums, Tally};
use super::usage::Usage;
use super::walk::{Listed, Top};
use crate::arrange::Arrange as _;
use crate::fs::{Capacity, ExtentSource, StoreFiles, UpperSource};
use crate::graph::{Node, Rows};
use crate::text::format_count;
use crate::warning::{WarningKind, Warnings};

/// How to scan.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanOptions {
    /// Whether the whole store is meant: the names are all valid paths, all
    /// other entries of the store directory are found and scanned too, and
    /// `.links` is read first. Faster than going over the same paths without.
    pub whole: bool,
    /// How many threads; by default four a core, at least 32, but one on disks that rotate.
    pub threads: Option<usize>,
    /// Nix's setting `use-case-hack`: whether names lose its suffix in the NAR.
    pub use_case_hack: bool,
    /// How it is found out what files take beneath their blocks.
    pub extents: ExtentsOption,
    /// Whether that is kept by inode too, for questions about less than a path.
    pub inode_extents: bool,
}

/// What a scan found; sizes in bytes.
#[derive(Debug)]
pub struct DiskScan {
    /// What each asked path costs, in the order of their names.
    pub usages: Vec<Usage>,
    /// Entries of the store directory that were not asked for, by name, but
    /// `.links`; none unless the whole store was scanned.
    pub others: Vec<(Vec<u8>, Usage)>,
    /// The inodes with several names met in the paths, and those of `.links`
    /// when the whole store was scanned. In the same order each time.
    pub inodes: Vec<Inode>,
    /// The devices that [`Inode::device`] means; the store directory's is the first.
    pub devices: Vec<u64>,
    /// For each path of `usages`, then each of `others`: indexes into `inodes`,
    /// ascending, one for each name: repeated where an inode has several names
    /// in the path.
    pub names: Rows,
    /// What `.links` holds, if the whole store was scanned and has one.
    pub links: Option<Links>,
    /// The blocks of the store directory itself.
    pub store_directory_disk_size: u64,
    /// What its file system holds and has left, where the system says so.
    pub capacity: Option<Capacity>,
    /// What files take beneath their blocks.
    pub physical: Physical,
    /// Whether they are on an overlay, and what of them goes when it is deleted.
    pub overlay: Overlay,
    /// Whether NAR sizes are those with Nix's setting `use-case-hack`.
    pub use_case_hack: bool,
    /// How many entries were met, in `.links` too.
    pub entries: u64,
    /// How many calls of `stat` that took.
    pub stat_calls: u64,
    /// What went wrong.
    pub warnings: Warnings,
}

impl DiskScan {
    /// One that met nothing.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            usages: Vec::new(),
            others: Vec::new(),
            inodes: Vec::new(),
            devices: vec![0],
            names: Rows::default(),
            links: None,
            store_directory_disk_size: 0,
            capacity: None,
            physical: Physical::Blocks,
            overlay: Overlay::No,
            use_case_hack: false,
            entries: 0,
            stat_calls: 0,
            warnings: Warnings::new(),
        }
    }

    /// Whether every sum of sizes fits in 64 bits, even if each name of an inode
    /// were a file of its own.
    pub(crate) fn sums_fit(&self) -> bool {
        let usages = self.usages.iter().chain(self.others.iter().map(|(_, usage)| usage));
        let (mut nar, mut apparent, mut disk) = (0u128, 0u128, 0u128);
        for usage in usages {
            nar += u128::from(usage.nar_size);
            apparent += u128::from(usage.private_apparent_size);
            disk += u128::from(usage.private_disk_size);
        }
        for inode in &self.inodes {
            let names = u128::from(inode.nlink);
            apparent += names * u128::from(inode.apparent_size());
            disk += names * u128::from(inode.disk_size());
        }
        [nar, apparent, disk].iter().all(|&sum| sum < u128::from(u64::MAX))
    }

    /// What a path costs, by its place in `usages` and then `others`.
    pub(crate) fn usage(&self, path: usize) -> &Usage {
        match path.checked_sub(self.usages.len()) {
            None => &self.usages[path],
            Some(other) => &self.others[other].1,
        }
    }

    /// How many names of each inode were met, in paths and in `.links`.
    pub(super) fn count_names(&self) -> Vec<u32> {
        count_names(&self.inodes, &self.names)
    }

    /// Whether each inode has names that were not met, neither in paths nor in `.links`.
    pub(crate) fn named_elsewhere(&self) -> Vec<bool> {
        let met = self.count_names();
        self.inodes.iter().zip(met).map(|(inode, names)| inode.nlink > names).collect()
    }

    /// Sums anew what each path costs with its inodes of several names.
    pub(crate) fn add_shared(&mut self) {
        add_shared(&mut self.usages, &self.inodes, self.names.iter());
        let others = &mut self.others;
        let mut usages: Vec<Usage> = others.iter().map(|(_, usage)| *usage).collect();
        let beyond = self.names.iter().skip(self.usages.len());
        add_shared(&mut usages, &self.inodes, beyond);
        others.iter_mut().zip(usages).for_each(|((_, usage), sum)| *usage = sum);
    }

    /// The inodes that some paths have names of, as a scan of these paths would
    /// have them, and the new number of each inode; none for all others.
    pub(super) fn inodes_of(&self, paths: &[u32]) -> (Vec<u32>, Vec<Option<Node>>) {
        let mut kept: Vec<u32> =
            paths.iter().flat_map(|&path| self.names.row(path).iter().copied()).collect();
        kept.sort_unstable();
        kept.dedup();
        // As a scan of these paths would have them: by device and number.
        kept.sort_by_key(|&index| self.inodes[index as usize].key());
        let mut renumbered = vec![None; self.inodes.len()];
        for (new, &old) in (0..).zip(&kept) {
            renumbered[old as usize] = Some(Node::new(new));
        }
        (kept, renumbered)
    }

    /// The scan of some of its paths alone, given by their places in
    /// [`usages`](Self::usages), ascending and distinct. What only a scan of the
    /// whole store has (`.links`, other entries) is left out.
    pub fn restrict(&self, paths: &[u32]) -> Self {
        let (kept, renumbered) = self.inodes_of(paths);
        let mut names = Rows::default();
        for &path in paths {
            let row = self.names.row(path).iter().filter_map(|&index| renumbered[index as usize]);
            let mut row: Vec<u32> = row.map(Node::node).collect();
            row.sort_unstable();
            names.push(&row);
        }
        let physical = match &self.physical {
            Physical::Extents(extents) => {
                Physical::Extents(Box::new(extents.restrict(paths, (&kept, &renumbered), &names)))
            }
            other => other.clone(),
        };
        let overlay = match &self.overlay {
            Overlay::Upper(upper) => Overlay::Upper(Box::new(upper.restrict(paths, &kept))),
            other => other.clone(),
        };
        let usages: Vec<Usage> = paths.iter().map(|&path| self.usages[path as usize]).collect();
        let entries = usages.iter().map(Usage::entries);
        Self {
            entries: entries.sum(),
            usages,
            others: Vec::new(),
            inodes: kept.iter().map(|&index| self.inodes[index as usize]).collect(),
            devices: self.devices.clone(),
            names,
            links: None,
            store_directory_disk_size: self.store_directory_disk_size,
            capacity: self.capacity,
            physical,
            overlay,
            use_case_hack: self.use_case_hack,
            stat_calls: self.stat_calls,
            warnings: self.warnings.clone(),
        }
    }
}

/// Scans paths: entries of the store directory called `names`, which are
/// sorted and distinct.
///
/// A path that does not exist is not an error: [`Usage::present`] is false, and a
/// warning says so.
///
/// # Errors
/// When the store directory cannot be read or threads not be started.
pub fn scan<N: AsRef<[u8]> + Sync>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
) -> Result<DiskScan, DiskError> {
    scan_observed(files, names, options, progress, &Unobserved).map(|(scan, _)| scan)
}

/// The same in one walk with an observer, which is shown all that is summed.
///
/// # Errors
/// As [`scan`].
pub(crate) fn scan_observed<N: AsRef<[u8]> + Sync, O: Observer>(
    files: &StoreFiles,
    names: &[N],
    options: &ScanOptions,
    progress: &Progress,
    observer: &O,
) -> Result<(DiskScan, Observed<O::State>), DiskError> {
    let walker = Walker::new(files, options.threads)?;
    let devices = Devices::new(files.stat().dev);
    let mut tops = Top::numbered(names);
    let mut others = Vec::new();
    let mut read = links::LinksRead::default();
    if options.whole {
        others = list(&walker, &mut tops)?;
        add_others(&mut tops, &others);
        progress.begin("reading .links", Total::Unknown);
        read = links::read(&walker, &devices, progress);
    }
    let stage = if options.whole { "walking the store" } else { "walking store paths" };
    progress.begin(stage, Total::Paths(tops.len() as u64));

    // An overlay's upper layer is gone over, by as many threads as walk.
    let (source, upper) =
        walker.install(|| (extents::source(files, options.extents), files.directory().upper()));
    let by_file = ByFile::new(&source, options.extents);
    let mut visitor = Summing::new(&devices, read.inodes, tops.len());
    // Files of an overlay are told by number, too.
    visitor.finds_extents = source.needs_files() || matches!(upper, UpperSource::Files(_));
    visitor.by_file = by_file.as_ref();
    visitor.use_case_hack = options.use_case_hack;
    visitor.mounts_below = files.facts().mounts_below != Some(false);
    let walked = walker.walk(&tops, &Observing { sums: &visitor, observer }, progress);
    drop(tops);
    let (mut entries, mut stat_calls) =
        (walked.entries + read.entries, walked.stat_calls + read.stat_calls);
    let mut warnings = read.warnings;
    warnings.extend(walked.warnings);

    let (tallies, states): (Vec<Tally>, Vec<O::State>) = walked.states.into_iter().unzip();
    let Sums {
        mut usages,
        mut inodes,
        names: names_of,
        files: found,
        elsewhere,
        by_file: of_files,
        renumbered,
        warnings: also,
    } = visitor.finish(tallies);
    warnings.extend(also);
    let source = extents::with_files(source, by_file, of_files, files, &mut warnings);
    if !options.whole && !inodes.is_empty() {
        let table = InodeTable::from_distinct(inodes);
        progress.begin("reading .links", Total::Unknown);
        let (members, met, looked, also) = links::members(&walker, &devices, &table, progress);
        inodes = table.into_inodes();
        for member in members {
            inodes[member as usize].add_link();
        }
        entries += met;
        stat_calls += looked;
        warnings.extend(also);
    }
    add_shared(&mut usages, &inodes, names_of.iter());
    let scanned = Scanned {
        usages,
        others,
        inodes,
        devices,
        names: names_of,
        links: read.links,
        unused_links: &read.unused,
        files: found,
        elsewhere,
        upper,
        entries,
        stat_calls,
        warnings,
    };
    let scan = scanned.finish(&walker, names, options, source, progress);
    Ok((scan, Observed { states, renumbered, unused_links: read.unused }))
}

/// What a scan found, but for what files take beneath their blocks.
pub(super) struct Scanned<'a> {
    /// Those of the paths that were asked for, then those of `others`.
    pub(super) usages: Vec<Usage>,
    pub(super) others: Vec<Listed>,
    pub(super) inodes: Vec<Inode>,
    pub(super) devices: Devices,
    pub(super) names: Rows,
    pub(super) links: Option<Links>,
    /// The inodes that have a name in `.links` and no other.
    pub(super) unused_links: &'a [Inode],
    /// Files with one name, if extents are looked at.
    pub(super) files: Vec<Found>,
    /// How many more there are that are not in the store's own file system.
    pub(super) elsewhere: u64,
    /// What goes from the disk when it is deleted.
    pub(super) upper: UpperSource,
    pub(super) entries: u64,
    pub(super) stat_calls: u64,
    pub(super) warnings: Warnings,
}

impl Scanned<'_> {
    /// Finds out the rest. `asked` are the names of the paths that were asked for.
    pub(super) fn finish<N: AsRef<[u8]>>(
        self,
        walker: &Walker<'_>,
        asked: &[N],
        options: &ScanOptions,
        source: ExtentSource,
        progress: &Progress,
    ) -> DiskScan {
        let files = walker.files();
        let Self { mut usages, inodes, names, mut warnings, .. } = self;
        let met = Met {
            paths: usages.len(),
            asked: asked.len(),
            files: self.files,
            elsewhere: self.elsewhere,
            entries: self.entries,
            inodes: &inodes,
            names: &names,
            unused_links: extents::with_blocks(self.unused_links),
            by_inode: options.inode_extents,
        };
        let physical = walker.install(|| {
            extents::physical(files, source, options.extents, &met, progress, &mut warnings)
        });
        warn_of_missing(files, asked, &usages, &mut warnings);
        warn_of_merged(files, &inodes, &names, &mut warnings);
        warnings.sort();
        let all = asked.iter().map(AsRef::as_ref).chain(self.others.iter().map(|of| &*of.name));
        let all = all.zip(usages.iter().map(Usage::private));
        let overlay = overlay(self.upper, all, (&inodes, &names), self.unused_links);
        let other_usages = usages.split_off(asked.len());
        let other_names = self.others.into_iter().map(|listed| listed.name);
        DiskScan {
            usages,
            others: other_names.zip(other_usages).collect(),
            inodes,
            devices: self.devices.into_list(),
            names,
            links: self.links,
            store_directory_disk_size: files.stat().disk_size,
            capacity: files.directory().capacity().ok(),
            physical,
            overlay,
            use_case_hack: options.use_case_hack,
            entries: self.entries,
            stat_calls: self.stat_calls,
            warnings,
        }
    }
}

/// Lists the store directory: what is known of tops from it is put in, the other entries
/// are given by name.
pub(super) fn list(walker: &Walker<'_>, tops: &mut [Top<'_>]) -> Result<Vec<Listed>, DiskError> {
    let mut others = Vec::new();
    for listed in walker.list()? {
        match tops.binary_search_by(|top| top.name.cmp(&listed.name)) {
            Ok(at) => (tops[at].ino, tops[at].file_type) = (listed.ino, listed.file_type),
            Err(_) if !LINKS_DIRECTORIES.contains(&&*listed.name) => others.push(listed),
            Err(_) => {}
        }
    }
    others.arrange_by(|a, b| a.name.cmp(&b.name));
    Ok(others)
}

/// Adds the other entries of the store directory to the paths that were asked for.
pub(super) fn add_others<'t>(tops: &mut Vec<Top<'t>>, others: &'t [Listed]) {
    let first = tops.len() as u32;
    tops.extend((first..).zip(others).map(|(path, listed)| Top {
        name: &listed.name,
        path,
        ino: listed.ino,
        file_type: listed.file_type,
    }));
}

/// Warns of each path that was asked for and is not there.
fn warn_of_missing<N: AsRef<[u8]>>(
    files: &StoreFiles,
    names: &[N],
    usages: &[Usage],
    warnings: &mut Warnings,
) {
    for (usage, name) in usages.iter().zip(names) {
        if !usage.present && usage.complete {
            let path = files.path_of(name.as_ref());
            warnings.push(WarningKind::MissingPath, path, "valid, but not on disk");
        }
    }
}

/// Warns of inodes that overlayfs shows as one, as far as their names tell: those of several
/// subvolumes of one btrfs have the same numbers.
fn warn_of_merged(files: &StoreFiles, inodes: &[Inode], names: &Rows, warnings: &mut Warnings) {
    let facts = files.facts();
    // What is mounted twice is met by more names than it has.
    if !facts.copies_up || facts.mounts_below != Some(false) {
        return;
    }
    let met = count_names(inodes, names);
    let merged = inodes.iter().zip(met).filter(|(inode, met)| *met > inode.nlink).count() as u64;
    if merged > 0 {
        let message = format!(
            "overlayfs shows several inodes as one: {} with more names than links",
            format_count(merged)
        );
        warnings.push(WarningKind::Uncertain, files.path_of(b""), message);
    }
}

fn count_names(inodes: &[Inode], names: &Rows) -> Vec<u32> {
    let mut met: Vec<u32> = inodes.iter().map(Inode::links).collect();
    names.iter().flatten().for_each(|&inode| met[inode as usize] += 1);
    met
}

/// Adds to each path what its inodes with several names cost, each once.
pub(super) fn add_shared<'r>(
    usages: &mut [Usage],
    inodes: &[Inode],
    names: impl Iterator<Item = &'r [u32]>,
) {
    for (usage, row) in usages.iter_mut().zip(names) {
        usage.apparent_size = usage.private_apparent_size;
        usage.disk_size = usage.private_disk_size;
        usage.inodes = usage.private_inodes;
        let mut last = None;
        for &index in row {
            if last != Some(index) {
                let inode = &inodes[index as usize];
                usage.apparent_size = usage.apparent_size.saturating_add(inode.apparent_size());
                usage.disk_size = usage.disk_size.saturating_add(inode.disk_size());
                usage.inodes += 1;
                last = Some(index);
            }
        }
    }
}
