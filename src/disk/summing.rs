//! The visitor that sums what the walk meets, on several threads at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::devices::Devices;
use super::extents::{ByFile, FileTally, Found};
use super::inodes::{self, Inode, InodeTable, spread};
use super::observe::{Renumbered, Shared};
use super::usage::Usage;
use super::walk::{EntryStat, WalkDirectory, WalkEntry};
use crate::fs::{FileType, Stat};
use crate::graph::Rows;
use crate::nar::{name_in_nar, size};
use crate::warning::{WarningKind, Warnings};

/// The visitor that sums.
pub(super) struct Summing<'a> {
    devices: &'a Devices,
    /// The inodes of `.links` with several names.
    links: InodeTable,
    /// A bit for each of some inode numbers: set if such an inode is in a shard. Most
    /// inodes have one name, and find their bit clear. Numbers in one directory are mostly
    /// near each other, and so are their bits; groups of numbers are spread, as those of
    /// several allocation groups differ in their highest bits alone.
    filter: Vec<[AtomicU64; GROUP_WORDS]>,
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
/// Bits of inode numbers that are together in a cache line: 64 bytes of 512 numbers.
const GROUP_WORDS: usize = 8;
const FILTER_GROUPS: usize = 1 << 13;

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
            filter: (0..FILTER_GROUPS).map(|_| Default::default()).collect(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            usages: Mutex::new(vec![Usage { complete: true, ..Usage::default() }; paths]),
            use_case_hack: false,
            mounts_below: false,
            finds_extents: false,
            by_file: None,
        }
    }

    /// The word of the filter that has a number's bit, and the bit.
    #[inline]
    fn bit(&self, ino: u64) -> (&AtomicU64, u64) {
        let word = ino / 64;
        let group = spread(word / GROUP_WORDS as u64) as usize % FILTER_GROUPS;
        (&self.filter[group][word as usize % GROUP_WORDS], 1 << (ino % 64))
    }

    fn shard(&self, hash: u64) -> (u32, std::sync::MutexGuard<'_, InodeTable>) {
        // The table looks by the lowest bits and the highest.
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
        let (word, bit) = self.bit(meta.ino);
        word.fetch_or(bit, Ordering::Relaxed);
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
        inodes::in_order(&mut order, |at| inode(at).key());
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
        let (word, bit) = self.bit(ino);
        if word.load(Ordering::Relaxed) & bit == 0 {
            return None;
        }
        let (shard, table) = self.shard(spread(ino));
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
