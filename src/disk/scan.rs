//! What paths cost on disk: the visitor that sums, and what becomes of the sums.
//!
//! Three phases. A scan of the whole store first stats `.links`, into a table
//! that no longer changes. The walk then sums for each path what only that path
//! can hold, and notes a number for each name of an inode with several names;
//! `stat` is called once for such an inode, by its name in `.links` or by whichever name
//! comes first. At last the noted numbers are gathered into rows, and each path
//! gets what its inodes with several names cost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::DiskError;
use super::devices::Devices;
use super::engine::Walker;
use super::extents::{self, ByFile, ExtentsOption, FileTally, Found, Met, Physical};
use super::inodes::{Inode, InodeTable, spread};
use super::links::{self, LINKS_DIRECTORIES, Links};
use super::observe::{Observed, Observer, Observing, Renumbered, Shared, Unobserved};
use super::overlay::{Overlay, overlay};
use super::progress::{Progress, Total};
use super::space::Space;
use super::walk::{EntryStat, Listed, Top, WalkDirectory, WalkEntry};
use crate::fs::{Capacity, ExtentSource, FileType, Stat, StoreFiles, UpperSource};
use crate::graph::{Node, Rows};
use crate::nar::{name_in_nar, size};
use crate::warning::{WarningKind, Warnings};

/// What one path costs; sizes in bytes, each inode counted once within the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The size of its NAR, where each name of an inode counts.
    pub nar_size: u64,
    /// `st_size` of regular files and symlinks.
    pub apparent_size: u64,
    /// Blocks of all entries, directories too.
    pub disk_size: u64,
    /// The part of `apparent_size` whose inodes have no other name anywhere.
    pub private_apparent_size: u64,
    /// The part of `disk_size` whose inodes have no other name anywhere, and
    /// directories. The disk size of a set of paths is the sum of these, and
    /// of its inodes with several names.
    pub private_disk_size: u64,
    /// Inodes of all entries, directories too.
    pub inodes: u64,
    /// Those of them that have no other name anywhere, and directories.
    pub private_inodes: u64,
    /// Names of regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Names of symlinks.
    pub symlinks: u64,
    /// Names of FIFOs, sockets and devices: in `disk_size`, not in the NAR.
    pub unsupported: u64,
    /// Whether the path exists.
    pub present: bool,
    /// Whether all of it could be read. If not, all else here is too little.
    pub complete: bool,
}

impl Usage {
    /// What goes with the path alone: inodes that have no other name anywhere,
    /// and directories.
    pub fn private(&self) -> Space {
        Space::blocks(self.private_disk_size, self.private_inodes)
    }

    /// How many entries it has.
    pub(super) fn entries(&self) -> u64 {
        [self.directories, self.symlinks, self.unsupported]
            .into_iter()
            .fold(self.files, u64::saturating_add)
    }

    /// Counts an inode as one that has its only name in the path.
    pub(super) fn add_single(&mut self, inode: &Inode) {
        self.private_inodes += 1;
        self.private_disk_size = self.private_disk_size.saturating_add(inode.disk_size());
        self.private_apparent_size =
            self.private_apparent_size.saturating_add(inode.apparent_size());
    }

    /// Adds up two parts of one path.
    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.nar_size, other.nar_size),
            (&mut self.private_apparent_size, other.private_apparent_size),
            (&mut self.private_disk_size, other.private_disk_size),
            (&mut self.private_inodes, other.private_inodes),
            (&mut self.files, other.files),
            (&mut self.directories, other.directories),
            (&mut self.symlinks, other.symlinks),
            (&mut self.unsupported, other.unsupported),
        ] {
            *sum = sum.saturating_add(part);
        }
        self.present |= other.present;
        self.complete &= other.complete;
    }

    /// Counts one more entry of this kind, and its node in the NAR.
    fn count(&mut self, file_type: FileType, node: u64) {
        match file_type {
            FileType::Regular => self.files += 1,
            FileType::Directory => self.directories += 1,
            FileType::Symlink => self.symlinks += 1,
            FileType::Other | FileType::Unknown => self.unsupported += 1,
        }
        self.nar_size = self.nar_size.saturating_add(node);
    }
}

/// How to scan.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanOptions {
    /// Whether the whole store is meant: the names are all valid paths, all
    /// other entries of the store directory are found and scanned too, and
    /// `.links` is read first. Faster than going over the same paths without.
    pub whole: bool,
    /// How many threads; by default four a core, at least eight, but one on disks that rotate.
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
        let mut names: Vec<u32> = self.inodes.iter().map(Inode::links).collect();
        self.names.iter().flatten().for_each(|&inode| names[inode as usize] += 1);
        names
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

    let source = extents::source(files, options.extents);
    let by_file = ByFile::new(&source, options.extents);
    let upper = files.directory().upper();
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
    others.sort_by(|a, b| a.name.cmp(&b.name));
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

/// The visitor that sums.
pub(super) struct Summing<'a> {
    devices: &'a Devices,
    /// The inodes of `.links` with several names.
    links: InodeTable,
    /// A bit for each of some hashes of an inode number: set if such an inode
    /// is in a shard. Most inodes have one name, and find their bit clear.
    filter: Vec<AtomicU64>,
    /// All other inodes with several names, spread by number.
    shards: Vec<Mutex<InodeTable>>,
    usages: Mutex<Vec<Usage>>,
    pub(super) use_case_hack: bool,
    /// Whether inodes may have more names than they count, directories too:
    /// all of them are told apart by number.
    pub(super) mounts_below: bool,
    /// Whether files with one name are noted.
    pub(super) finds_extents: bool,
    /// Who opens files to read their extents.
    pub(super) by_file: Option<&'a ByFile>,
}

const SHARDS: u32 = 64;
const FILTER_BITS: u32 = 22;

/// What one thread gathers.
pub(super) struct Tally {
    /// The path at hand, and what was summed of it since it is.
    path: u32,
    usage: Usage,
    /// Numbers of inodes with several names, one a name, as they come.
    numbers: Vec<u32>,
    /// Where in `numbers` those of a path begin.
    runs: Vec<(u32, usize)>,
    /// Files with one name, where their extents are looked at.
    files: Vec<Found>,
    /// How many such files are not in the store's own file system.
    elsewhere: u64,
    /// The extents of those that were opened.
    by_file: FileTally,
    /// About what the walk met; of what it could not read it warns itself.
    warnings: Warnings,
}

/// What the walk came to.
pub(super) struct Sums {
    /// Without what inodes with several names cost.
    pub(super) usages: Vec<Usage>,
    /// Those inodes: of `.links` first, then the rest, each sorted.
    pub(super) inodes: Vec<Inode>,
    pub(super) names: Rows,
    pub(super) files: Vec<Found>,
    pub(super) elsewhere: u64,
    pub(super) by_file: Vec<FileTally>,
    pub(super) renumbered: Renumbered,
    pub(super) warnings: Warnings,
}

impl<'a> Summing<'a> {
    pub(super) fn new(devices: &'a Devices, links: Vec<Inode>, paths: usize) -> Self {
        Self {
            devices,
            links: InodeTable::from_distinct(links),
            filter: (0..1usize << (FILTER_BITS - 6)).map(|_| AtomicU64::new(0)).collect(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            usages: Mutex::new(vec![Usage { complete: true, ..Usage::default() }; paths]),
            use_case_hack: false,
            mounts_below: false,
            finds_extents: false,
            by_file: None,
        }
    }

    fn bit(hash: u64) -> (usize, u64) {
        let bit = hash >> (64 - FILTER_BITS);
        ((bit >> 6) as usize, 1 << (bit & 63))
    }

    fn shard(&self, hash: u64) -> (u32, std::sync::MutexGuard<'_, InodeTable>) {
        // The table looks by the lowest bits and the highest, the filter too.
        let shard = ((hash >> 32) % u64::from(SHARDS)) as u32;
        (shard, self.shards[shard as usize].lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn shared(number: u32, inode: &Inode) -> Shared {
        let node = if inode.is_file() {
            size::file(inode.size, inode.executable())
        } else if inode.is_symlink() {
            size::symlink(inode.size)
        } else {
            0
        };
        Shared { number, executable: inode.executable(), node }
    }

    fn number(&self, shard: u32, index: u32) -> u32 {
        (self.links.len() as u32)
            .checked_add(index.checked_mul(SHARDS).expect("fewer than 2^26 inodes a shard"))
            .and_then(|n| n.checked_add(shard))
            .expect("fewer than 2^32 inodes")
    }

    /// The device whose extents are looked at, if any are.
    pub(super) fn device_of_extents(&self) -> Option<u64> {
        self.finds_extents.then(|| self.devices.first())
    }

    /// Makes `path` the one that the tally sums for.
    fn turn_to(&self, tally: &mut Tally, path: u32) {
        if tally.path != path {
            self.settle(tally);
            tally.path = path;
            tally.runs.push((path, tally.numbers.len()));
        }
    }

    fn settle(&self, tally: &mut Tally) {
        let part =
            std::mem::replace(&mut tally.usage, Usage { complete: true, ..Usage::default() });
        let mut usages = self.usages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(usage) = usages.get_mut(tally.path as usize) {
            usage.add(&part);
        }
    }

    fn sum(&self, tally: &mut Tally, entry: &WalkEntry<'_, Shared>) {
        let usage = &mut tally.usage;
        match entry.stat {
            EntryStat::Known(shared) => {
                usage.count(entry.file_type, shared.node);
                tally.numbers.push(shared.number);
            }
            EntryStat::Stat(meta) => {
                let node = size::node(entry.file_type, meta.size, meta.executable()).unwrap_or(0);
                usage.count(entry.file_type, node);
                usage.private_inodes += 1;
                usage.private_disk_size = usage.private_disk_size.saturating_add(meta.disk_size);
                if matches!(entry.file_type, FileType::Regular | FileType::Symlink) {
                    usage.private_apparent_size =
                        usage.private_apparent_size.saturating_add(meta.size);
                }
                // Directories too: on XFS they have blocks.
                if self.finds_extents && meta.disk_size > 0 {
                    match self.devices.index(meta.dev) {
                        0 => tally.files.push(Found::new(tally.path, meta.ino, meta.disk_size)),
                        _ => tally.elsewhere += 1,
                    }
                }
            }
            EntryStat::Failed => usage.complete = false,
        }
    }

    /// The same entry; where a directory may be met in two places, one is known
    /// by its number as any inode with several names.
    pub(super) fn told_apart<'e>(&self, mut entry: WalkEntry<'e, Shared>) -> WalkEntry<'e, Shared> {
        if let (FileType::Directory, EntryStat::Stat(meta)) = (entry.file_type, entry.stat) {
            // Of a directory, the number of names says how many are in it.
            let shared = self.share(&Stat { nlink: 1, ..meta });
            entry.stat = EntryStat::Known(Shared { node: size::DIRECTORY, ..shared });
        }
        entry
    }

    /// Finds an inode that is not for one path alone, or puts it in.
    fn share(&self, meta: &Stat) -> Shared {
        let device = self.devices.index(meta.dev);
        if let Some(index) = self.links.find(device, meta.ino) {
            return Self::shared(index, self.links.get(index));
        }
        let hash = spread(meta.ino);
        let (shard, mut table) = self.shard(hash);
        let index = table.find_or_insert(Inode::new(device, meta));
        let shared = Self::shared(self.number(shard, index), table.get(index));
        drop(table);
        let (word, bit) = Self::bit(hash);
        self.filter[word].fetch_or(bit, Ordering::Relaxed);
        shared
    }

    /// Device and number of each inode with several names met so far, but those of
    /// `.links`.
    pub(super) fn met_keys(&self) -> Vec<(u32, u64)> {
        let shards = self.shards.iter().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner));
        shards.flat_map(|shard| shard.inodes().iter().map(Inode::key).collect::<Vec<_>>()).collect()
    }

    /// Gathers what the threads did.
    pub(super) fn finish(self, tallies: Vec<Tally>) -> Sums {
        let mut tallies = tallies;
        let mut warnings = Warnings::new();
        let (mut files, mut elsewhere) = (Vec::new(), 0);
        let mut by_file = Vec::new();
        for tally in &mut tallies {
            self.settle(tally);
            files.append(&mut tally.files);
            elsewhere += tally.elsewhere;
            by_file.push(std::mem::take(&mut tally.by_file));
            warnings.extend(std::mem::take(&mut tally.warnings));
        }
        let usages = self.usages.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut inodes = self.links.into_inodes();
        let linked = inodes.len();

        // New numbers for those of the shards.
        let shards: Vec<Vec<Inode>> = self
            .shards
            .into_iter()
            .map(|s| s.into_inner().unwrap_or_else(PoisonError::into_inner).into_inodes())
            .collect();
        let mut order: Vec<(u32, u32)> = (0..SHARDS)
            .zip(&shards)
            .flat_map(|(shard, inodes)| (0..inodes.len() as u32).map(move |i| (shard, i)))
            .collect();
        let inode = |&(shard, i): &(u32, u32)| &shards[shard as usize][i as usize];
        radsort::sort_by_cached_key(&mut order, |at| inode(at).key());
        let mut renumbered: Vec<Vec<u32>> = shards.iter().map(|s| vec![0; s.len()]).collect();
        for at in &order {
            renumbered[at.0 as usize][at.1 as usize] = inodes.len() as u32;
            inodes.push(*inode(at));
        }
        drop((shards, order));
        let renumbered = Renumbered { linked, shards: renumbered };
        let index = |number: u32| renumbered.index(number);

        let pairs = tallies.iter().flat_map(|tally| {
            let ends = tally.runs.iter().skip(1).map(|&(_, start)| start);
            tally.runs.iter().zip(ends.chain([tally.numbers.len()])).flat_map(
                move |(&(path, start), end)| {
                    tally.numbers[start..end].iter().map(move |&number| (path, index(number)))
                },
            )
        });
        let mut names = Rows::from_pairs(usages.len(), pairs);
        for path in 0..usages.len() as u32 {
            names.row_mut(path).sort_unstable();
        }
        Sums { usages, inodes, names, files, elsewhere, by_file, renumbered, warnings }
    }
}

/// As those of a visitor, which [`Observing`] is.
impl Summing<'_> {
    pub(super) fn state(&self) -> Tally {
        Tally {
            path: u32::MAX,
            usage: Usage { complete: true, ..Usage::default() },
            numbers: Vec::new(),
            runs: Vec::new(),
            files: Vec::new(),
            elsewhere: 0,
            by_file: FileTally::default(),
            warnings: Warnings::new(),
        }
    }

    #[inline]
    pub(super) fn known(&self, ino: u64) -> Option<Shared> {
        if let Some(index) = self.links.find(0, ino) {
            return Some(Self::shared(index, self.links.get(index)));
        }
        let hash = spread(ino);
        let (word, bit) = Self::bit(hash);
        if self.filter[word].load(Ordering::Relaxed) & bit == 0 {
            return None;
        }
        let (shard, table) = self.shard(hash);
        let index = table.find(0, ino)?;
        Some(Self::shared(self.number(shard, index), table.get(index)))
    }

    #[inline]
    pub(super) fn met(&self, meta: &Stat) -> Option<Shared> {
        if meta.nlink <= 1 && !self.mounts_below {
            return None;
        }
        Some(self.share(meta))
    }

    pub(super) fn top<C>(
        &self,
        tally: &mut Tally,
        directory: &WalkDirectory<'_, C>,
        entry: &WalkEntry<'_, Shared>,
    ) {
        self.turn_to(tally, directory.path());
        tally.usage.present = true;
        tally.usage.nar_size = tally.usage.nar_size.saturating_add(size::NAR);
        self.sum(tally, entry);
        self.read_extents(tally, directory, entry);
        warn_unsupported(tally, directory, entry);
    }

    pub(super) fn directory<'e, C>(
        &self,
        tally: &mut Tally,
        directory: &WalkDirectory<'_, C>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>>,
    ) {
        self.turn_to(tally, directory.path());
        for entry in entries {
            if entry.file_type < FileType::Other {
                let name = name_in_nar(entry.name(), self.use_case_hack).len();
                tally.usage.nar_size =
                    tally.usage.nar_size.saturating_add(size::entry(name as u64));
            }
            self.sum(tally, &entry);
            self.read_extents(tally, directory, &entry);
            warn_unsupported(tally, directory, &entry);
        }
    }

    /// Opens a file for its extents, where that is the way to them.
    #[inline]
    fn read_extents<C>(
        &self,
        tally: &mut Tally,
        directory: &WalkDirectory<'_, C>,
        entry: &WalkEntry<'_, Shared>,
    ) {
        if let Some(by_file) = self.by_file {
            by_file.met(&mut tally.by_file, directory, entry, self.devices);
        }
    }

    pub(super) fn failed(&self, tally: &mut Tally, path: u32) {
        self.turn_to(tally, path);
        tally.usage.complete = false;
    }
}

#[inline]
fn warn_unsupported<C>(
    tally: &mut Tally,
    directory: &WalkDirectory<'_, C>,
    entry: &WalkEntry<'_, Shared>,
) {
    if entry.file_type == FileType::Other {
        let message = "no NAR can hold such a file";
        directory.warn(&mut tally.warnings, WarningKind::UnsupportedFile, entry.name(), message);
    }
}
