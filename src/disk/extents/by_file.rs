//! What a file system shows by file alone, extents or how it compresses: each is opened as a
//! walk meets it.
//!
//! On XFS that is all that files take, and what nobody shares is freed with them: that
//! is the least. On btrfs it says how much of a file is compressed, but not to what; the
//! next extent on the disk bounds that. What is kept of an extent that is shown in part
//! is not seen, nor who else keeps it: the sizes are near the truth.

use super::ExtentsOption;
use super::gather::kind_of;
use crate::arrange::Arrange as _;
use crate::disk::devices::Devices;
use crate::disk::inodes::ByNumber;
use crate::disk::observe::Shared;
use crate::disk::walk::{EntryStat, WalkDirectory, WalkEntry};
use crate::fs::{
    Compressed, Compression, ExtentItem, ExtentReader, ExtentSource, FileExtents, FileType,
    InodeBlocks, Mapped, Part, Place, RegularFile, SizeIs, Stat, Stretch, Subvolume, apart,
    damaged,
};
use crate::warning::{WarningKind, Warnings};
use hashbrown::HashSet;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Reads the extents of the files that a walk meets.
pub(in crate::disk) struct ByFile {
    asked: Asked,
    /// The numbers of inodes with several names that were met, in shards.
    met: Vec<Mutex<HashSet<u32>>>,
}

/// What files are asked.
enum Asked {
    Extents(FileExtents),
    /// Whether they lie in the metadata and, if that is asked, how they are compressed.
    Inodes {
        source: InodeBlocks,
        compression: bool,
    },
}

const SHARDS: usize = 64;
/// The tree that stands for all files that share extents of the store's.
const OTHER: u64 = 1;
/// Where what lies at no known place on the disk is taken to lie.
const NOWHERE: u64 = 1 << 63;
/// The longest range of a file that btrfs compresses as one (`BTRFS_MAX_UNCOMPRESSED`).
const LONGEST: u64 = 128 << 10;

/// What one thread gathers.
#[derive(Default)]
pub(in crate::disk) struct FileTally {
    /// What a file shows of the disk.
    parts: Vec<Part<Shown>>,
    /// What lies elsewhere.
    rest: Vec<(u64, ExtentItem)>,
    /// The inodes that were read.
    read: Vec<u64>,
    /// Those that are compressed.
    compressed: Vec<(u64, Compressed)>,
    /// Those that lie in the metadata with as many blocks as if they did not.
    inline: Vec<u64>,
    warnings: Warnings,
}

/// How a file shows a part of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    /// Where the range begins.
    start: u64,
    length: u64,
    compressed: bool,
    preallocated: bool,
    shared: bool,
}

impl ByFile {
    /// If files have to be opened for it.
    pub(in crate::disk) fn new(source: &ExtentSource, option: ExtentsOption) -> Option<Self> {
        let asked = match source {
            ExtentSource::Files(source) => Asked::Extents(source.clone()),
            ExtentSource::Inodes(source) => {
                let exact = option == ExtentsOption::Exact;
                if !exact && !source.large_inline {
                    return None;
                }
                let compression = exact && source.compressed.is_none();
                Asked::Inodes { source: source.clone(), compression }
            }
            _ => return None,
        };
        let met = (0..SHARDS).map(|_| Mutex::default()).collect();
        Some(Self { asked, met })
    }

    /// Reads an entry of the store's own file system, unless its inode was read before.
    pub(in crate::disk) fn met<C>(
        &self,
        tally: &mut FileTally,
        directory: &WalkDirectory<'_, C>,
        entry: &WalkEntry<'_, Shared>,
        devices: &Devices,
    ) {
        let stat = match entry.stat {
            EntryStat::Stat(stat) if stat.disk_size == 0 => return,
            EntryStat::Stat(stat) => Some(stat),
            EntryStat::Known(shared) => {
                let met = &self.met[shared.number() as usize % SHARDS];
                let mut met = met.lock().unwrap_or_else(PoisonError::into_inner);
                if !met.insert(shared.number()) {
                    return;
                }
                None
            }
            EntryStat::Failed => return,
        };
        if let Err(error) = self.read(tally, directory, entry, stat, devices) {
            let message = format!("its extents are not known: {error}");
            directory.warn(&mut tally.warnings, kind_of(&error), entry.name(), message);
        }
    }

    fn read<C>(
        &self,
        tally: &mut FileTally,
        directory: &WalkDirectory<'_, C>,
        entry: &WalkEntry<'_, Shared>,
        stat: Option<Stat>,
        devices: &Devices,
    ) -> io::Result<()> {
        let own = |stat: &Stat| devices.index(stat.dev) == 0;
        if stat.is_some_and(|stat| !own(&stat)) {
            return Ok(());
        }
        let asked = match &self.asked {
            Asked::Extents(source) => source,
            Asked::Inodes { source, compression } => {
                return ask_inode((source, *compression), tally, directory, entry, stat, own);
            }
        };
        if entry.file_type != FileType::Regular {
            let stat = match stat {
                Some(stat) => stat,
                None => directory.files().stat(entry.c_name())?,
            };
            if own(&stat) {
                tally.read.push(stat.ino);
                add_other(asked, tally, &stat);
            }
            return Ok(());
        }
        let file = open(directory, entry, stat)?;
        let found = *file.stat();
        if !own(&found) {
            return Ok(());
        }
        let mut mapped = Vec::new();
        believed(&file, file.mapped(&mut |range| mapped.push(range)))?;
        tally.read.push(found.ino);
        add(asked, tally, &found, &mapped);
        Ok(())
    }

    /// Turns what was gathered into a source of all of it; warnings are about `at`, the
    /// store directory.
    pub(in crate::disk) fn finish(
        self,
        tallies: impl IntoIterator<Item = FileTally>,
        at: &[u8],
        warnings: &mut Warnings,
    ) -> ExtentSource {
        let mut all = FileTally::default();
        for mut tally in tallies {
            all.parts.append(&mut tally.parts);
            all.rest.append(&mut tally.rest);
            all.read.append(&mut tally.read);
            all.compressed.append(&mut tally.compressed);
            all.inline.append(&mut tally.inline);
            warnings.extend(tally.warnings);
        }
        let source = match self.asked {
            Asked::Extents(source) => source,
            Asked::Inodes { source, compression } => {
                let compressed = if compression { Some(all.compressed) } else { source.compressed };
                let inline = all.inline;
                return ExtentSource::Inodes(InodeBlocks { compressed, inline, ..source });
            }
        };
        match Reader::new(&source, all) {
            Ok(reader) => {
                warn(&source.why, &reader, at, warnings);
                ExtentSource::Extents(Box::new(reader))
            }
            Err(error) => ExtentSource::Unknown(format!("cannot read its extents: {error}")),
        }
    }
}

/// Warns of what the sizes are not.
fn warn(why: &str, reader: &Reader, at: &[u8], warnings: &mut Warnings) {
    let what = match reader.freed_sizes_are() {
        None => Some(
            "physical sizes are about what is taken, and what goes with a path is not known \
             (as root both are exact)",
        ),
        Some(SizeIs::AtLeast) => Some(
            "of what goes with a path, physical sizes are at least that, without what others \
             may share",
        ),
        Some(_) => None,
    };
    if let Some(what) = what {
        warnings.push(WarningKind::Unchecked, at, format!("{why}: {what}"));
    }
    if reader.contradicts {
        let message = "extents moved while they were read: physical sizes may be of no one \
                       moment";
        warnings.push(WarningKind::Uncertain, at, message);
    }
}

/// Opens the file that was met.
fn open<C>(
    directory: &WalkDirectory<'_, C>,
    entry: &WalkEntry<'_, Shared>,
    met: Option<Stat>,
) -> io::Result<RegularFile> {
    let file = directory.open_file(entry)?;
    if met.is_some_and(|met| met.identity() != file.stat().identity()) {
        return Err(io::Error::new(io::ErrorKind::NotFound, "another file took its place"));
    }
    Ok(file)
}

/// What a file said. What no file has is damage, unless it changed while it was asked.
fn believed<T>(file: &RegularFile, said: io::Result<T>) -> io::Result<T> {
    said.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData if file.has_changed() => {
            io::Error::new(io::ErrorKind::ResourceBusy, "it changed while it was asked")
        }
        _ => error,
    })
}

/// Asks a file whether it lies in the metadata where `stat` does not tell, and how it is
/// compressed where that is asked.
fn ask_inode<C>(
    (source, compression): (&InodeBlocks, bool),
    tally: &mut FileTally,
    directory: &WalkDirectory<'_, C>,
    entry: &WalkEntry<'_, Shared>,
    met: Option<Stat>,
    own: impl Fn(&Stat) -> bool,
) -> io::Result<()> {
    let stat = match met {
        Some(stat) => stat,
        None => directory.files().stat(entry.c_name())?,
    };
    let may_be_inline = own(&stat) && source.may_be_inline(stat.size, stat.disk_size);
    match stat.file_type() {
        // Others than those have blocks of their own.
        FileType::Directory if may_be_inline => tally.inline.push(stat.ino),
        FileType::Regular => {
            let may_be_compressed =
                || compression && directory.files().may_be_compressed(entry.c_name());
            if !may_be_inline && !may_be_compressed() {
                return Ok(());
            }
            let file = open(directory, entry, met)?;
            if !own(file.stat()) {
                return Ok(());
            }
            let ino = file.stat().ino;
            if source.may_be_inline(file.stat().size, file.stat().disk_size) {
                let (mut there, mut elsewhere) = (false, false);
                let each = &mut |range: Mapped| match range.place {
                    Place::Inline => there = true,
                    Place::Disk | Place::Pending => elsewhere = true,
                };
                believed(&file, file.mapped(each))?;
                if there && !elsewhere {
                    tally.inline.push(ino);
                    return Ok(());
                }
            }
            if compression
                && let Some(compressed) = believed(&file, file.compressed(source.block_size))?
            {
                tally.compressed.push((ino, compressed));
            }
        }
        _ => {}
    }
    Ok(())
}

/// What is not a regular file shares nothing.
fn add_other(source: &FileExtents, tally: &mut FileTally, stat: &Stat) {
    let whole = match (source.exact, stat.file_type()) {
        (true, _) => nowhere(stat.disk_size),
        // The target is in the metadata, and never compressed.
        (false, FileType::Symlink) => inline(stat.size, false),
        (false, _) => return,
    };
    tally.rest.push((stat.ino, whole));
}

/// Notes the ranges of a file.
fn add(source: &FileExtents, tally: &mut FileTally, stat: &Stat, mapped: &[Mapped]) {
    let inode = stat.ino;
    let (mut sum, mut pending) = (0u64, false);
    for range in mapped {
        let Mapped { start, length, compressed, preallocated, shared, .. } = *range;
        match range.place {
            Place::Pending => pending = true,
            Place::Inline => {
                tally.rest.push((inode, inline(length.min(stat.size), compressed)));
            }
            Place::Disk => {
                let of = Shown { start, length, compressed, preallocated, shared };
                sum = sum.saturating_add(length);
                tally.parts.push(Part { start, end: start + length, inode, of });
            }
        }
    }
    // Blocks of its attributes and of lists of its extents: nobody shares these.
    if source.exact
        && !pending
        && let Some(rest @ 1..) = stat.disk_size.checked_sub(sum)
    {
        tally.rest.push((inode, nowhere(rest)));
    }
}

fn inline(size: u64, compressed: bool) -> ExtentItem {
    let compression = if compressed { Compression::Unknown } else { Compression::None };
    ExtentItem::Inline { compression, size, uncompressed_size: size }
}

/// An extent that only one inode has, at a place that [`Reader::new`] gives it.
fn nowhere(size: u64) -> ExtentItem {
    ExtentItem::whole(NOWHERE, size, Compression::None)
}

/// What all files together show.
struct Reader {
    block_size: u64,
    exact: bool,
    read: ByNumber,
    items: Vec<(u64, ExtentItem)>,
    /// Where extents begin that are shared, with whom is not known.
    shared: Vec<u64>,
    /// Whether files show the same part and say that nobody shares it.
    contradicts: bool,
}

impl Reader {
    fn new(source: &FileExtents, all: FileTally) -> io::Result<Self> {
        let FileTally { mut parts, rest: mut items, read, .. } = all;
        let mut place = NOWHERE;
        for (_, item) in &mut items {
            if let ExtentItem::Extent { start, disk_size, .. } = item {
                *start = place;
                let next = place.checked_add(*disk_size);
                place = next.ok_or_else(|| damaged("its blocks are too many"))?;
            }
        }
        if parts.iter().any(|part| part.end > NOWHERE) {
            return Err(damaged("its extents are beyond any disk"));
        }
        let sizes = bound(&mut parts, source.block_size);
        let parts = apart(parts)?;
        let mut places: Vec<(u64, u64, bool)> =
            parts.iter().map(|part| (part.start, part.inode, part.of.shared)).collect();
        places.arrange_by_number(|place| place.0);
        let contradicts = source.exact
            && places.windows(2).any(|two| two[0].0 == two[1].0 && !(two[0].2 && two[1].2));
        // Should they contradict each other, it is shared.
        places.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.2 |= same && next.2;
            same
        });
        let shared = places.iter().filter(|place| place.2).map(|place| place.0).collect();
        items.extend(parts.iter().map(|part| (part.inode, item(part, &sizes))));
        let mut numbers = ByNumber::default();
        read.into_iter().for_each(|ino| _ = numbers.get_or_insert(ino, 0));
        Ok(Self {
            block_size: source.block_size,
            exact: source.exact,
            read: numbers,
            items,
            shared,
            contradicts,
        })
    }
}

/// Ends compressed extents where the next one on the disk begins, or where one of its
/// length ends at the latest. For each of them, ascending, where it begins and how long it
/// is uncompressed, as far as files show it.
fn bound(parts: &mut [Part<Shown>], block_size: u64) -> Vec<(u64, u64)> {
    let mut sizes: Vec<(u64, u64)> = Vec::new();
    if !parts.iter().any(|part| part.of.compressed) {
        return sizes;
    }
    parts.arrange_by_number(|part| part.start);
    let mut next = u64::MAX;
    for same in parts.chunk_by_mut(|a, b| a.start == b.start).rev() {
        let start = same[0].start;
        let compressed = same.iter().filter(|part| part.of.compressed);
        if let Some(length) = compressed.map(|part| part.of.length).max() {
            // What is compressed is shorter by a block at least.
            let most = length.min(LONGEST).saturating_sub(block_size).max(block_size);
            let end = start.saturating_add(most).min(next).max(start + 1);
            let compressed = same.iter_mut().filter(|part| part.of.compressed);
            compressed.for_each(|part| part.end = end);
            sizes.push((start, length));
        }
        next = start;
    }
    sizes.reverse();
    sizes
}

/// A part as a reader shows it.
fn item(part: &Part<Shown>, sizes: &[(u64, u64)]) -> ExtentItem {
    let &Part { start, end, of, .. } = part;
    let found = sizes.binary_search_by_key(&start, |&(start, _)| start);
    ExtentItem::Extent {
        start,
        disk_size: end - start,
        uncompressed_size: found.map_or(end - start, |at| sizes[at].1),
        referenced_size: match (of.compressed, of.start == start) {
            (false, _) => end - start,
            (true, true) => of.length,
            (true, false) => 0,
        },
        compression: match (of.compressed, of.preallocated) {
            (true, _) => Compression::Unknown,
            (false, true) => Compression::Prealloc,
            (false, false) => Compression::None,
        },
    }
}

/// All was read before, and changes no more. How data lie on devices is not shown to
/// everybody.
impl ExtentReader for Reader {
    fn block_size(&self) -> u64 {
        self.block_size
    }

    fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
        let subvolume = |id| Subvolume { id, unknown: id == OTHER, ..Subvolume::default() };
        Ok([self.own(), OTHER].map(subvolume).to_vec())
    }

    fn read(&self, _: &Stretch, each: &mut dyn FnMut(u64, ExtentItem)) -> io::Result<Vec<Stretch>> {
        self.items.iter().for_each(|&(ino, item)| each(ino, item));
        Ok(Vec::new())
    }

    fn read_starts(&self, _: &Stretch, each: &mut dyn FnMut(u64)) -> io::Result<Vec<Stretch>> {
        self.shared.iter().for_each(|&start| each(start));
        Ok(Vec::new())
    }

    fn sizes_are(&self) -> SizeIs {
        if self.exact { SizeIs::Exact } else { SizeIs::About }
    }

    fn freed_sizes_are(&self) -> Option<SizeIs> {
        match (self.exact, self.shared.is_empty()) {
            (false, _) => None,
            (true, false) => Some(SizeIs::AtLeast),
            (true, true) => Some(SizeIs::Exact),
        }
    }

    fn shows(&self, ino: u64) -> bool {
        self.read.get(ino).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(exact: bool) -> FileExtents {
        FileExtents { why: String::new(), block_size: 4096, exact }
    }

    fn part(inode: u64, start: u64, length: u64, compressed: bool, shared: bool) -> Part<Shown> {
        let of = Shown { start, length, compressed, preallocated: false, shared };
        Part { start, end: start + length, inode, of }
    }

    fn reader(exact: bool, parts: Vec<Part<Shown>>) -> io::Result<Reader> {
        Reader::new(&source(exact), FileTally { parts, ..FileTally::default() })
    }

    /// Inode, start, size on the disk, uncompressed and referenced size of each item.
    fn items(reader: &Reader) -> Vec<[u64; 5]> {
        let shown = |&(ino, item): &(u64, ExtentItem)| match item {
            ExtentItem::Extent { start, disk_size, uncompressed_size, referenced_size, .. } => {
                [ino, start, disk_size, uncompressed_size, referenced_size]
            }
            ExtentItem::Inline { .. } => panic!("{item:?}"),
        };
        reader.items.iter().map(shown).collect()
    }

    #[test]
    fn what_no_file_has_is_damage_unless_the_file_changed() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("file");
        std::fs::write(&at, "contents").unwrap();
        let tree = crate::fs::Tree::live(dir.path()).unwrap();
        let file = tree.open_file("/file".as_ref()).unwrap();
        let kind = || {
            let odd = Compressed::new(4096, Some(8192), (0, false));
            kind_of(&believed(&file, odd).unwrap_err())
        };
        assert_eq!(kind(), WarningKind::Damaged);
        std::fs::write(&at, "more than that").unwrap();
        assert_eq!(kind(), WarningKind::Uncertain);
        assert!(believed(&file, Ok(())).is_ok());
    }

    #[test]
    fn what_is_compressed_ends_where_the_next_begins() {
        let parts = vec![
            part(1, 4096, 131_072, true, false),
            part(2, 12_288, 131_072, true, true),
            part(3, 12_288, 65_536, true, true),
            part(4, 1 << 20, 8192, false, false),
            part(5, 2 << 20, 4096, true, false),
        ];
        let reader = reader(false, parts).unwrap();
        let expected = [
            [1, 4096, 8192, 131_072, 131_072],
            [2, 12_288, 126_976, 131_072, 131_072],
            [3, 12_288, 126_976, 131_072, 65_536],
            [4, 1 << 20, 8192, 8192, 8192],
            [5, 2 << 20, 4096, 4096, 4096],
        ];
        assert_eq!(items(&reader), expected);
        assert_eq!((reader.sizes_are(), reader.freed_sizes_are()), (SizeIs::About, None));
        assert!(!reader.contradicts);
    }

    #[test]
    fn what_is_shared_by_whom_is_not_known_is_held() {
        let parts = vec![part(1, 4096, 8192, false, false), part(1, 12_288, 4096, false, true)];
        let reader = reader(true, parts).unwrap();
        assert_eq!((&reader.shared[..], reader.contradicts), (&[12_288][..], false));
        assert_eq!(reader.freed_sizes_are(), Some(SizeIs::AtLeast));
        let alone = super::Reader::new(&source(true), FileTally::default()).unwrap();
        assert_eq!(alone.freed_sizes_are(), Some(SizeIs::Exact));
    }

    #[test]
    fn what_contradicts_itself_is_said() {
        let twice =
            |shared| vec![part(1, 0, 8192, false, true), part(2, 4096, 8192, false, shared)];
        let odd = reader(true, twice(false)).unwrap();
        assert!(odd.contradicts && odd.shared == [0, 4096]);
        let odd = vec![part(1, 0, 4096, false, false), part(2, 0, 4096, false, true)];
        assert_eq!(reader(true, odd).unwrap().shared, [0]);
        assert!(!reader(true, twice(true)).unwrap().contradicts);
        // An extent within another, compressed; no end, no panic.
        let within = vec![part(1, 0, 131_072, false, false), part(2, 8192, 131_072, true, false)];
        assert_eq!(items(&reader(false, within).unwrap()).len(), 4);
        let beyond = vec![part(1, NOWHERE - 4096, 8192, false, false)];
        assert!(reader(true, beyond).is_err());
    }
}
