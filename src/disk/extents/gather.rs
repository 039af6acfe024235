//! Reading the extents of what a scan met, and finding out who uses which.

use super::by_inode::Building;
use super::holding::{Holding, each_holding};
use super::numbers::Numbers;
use super::stretches::{Shown, add_to, read_store};
use super::{CompressionSizes, ExtentGroup, ExtentSizes, Extents, Holder, WRITTEN_MEANWHILE};
use crate::arrange::Arrange as _;
use crate::disk::inodes::{Inode, blocks};
use crate::fs::{Chunk, Compression, ExtentItem, ExtentReader, SizeIs, Subvolume, damaged};
use crate::graph::Rows;
use crate::text::format_count;
use crate::threads;
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::AtomicU64;

/// A file that a walk met, whose inode has no other name.
#[derive(Clone, Copy, Debug)]
pub(in crate::disk) struct Found {
    pub(in crate::disk) ino: u64,
    /// The number of its path.
    pub(in crate::disk) path: u32,
    /// Its blocks, in units of 512 bytes; as many as fit.
    pub(in crate::disk) blocks: u32,
}

impl Found {
    pub(in crate::disk) fn new(path: u32, ino: u64, disk_size: u64) -> Self {
        Self { ino, path, blocks: blocks(disk_size) }
    }

    /// Whether it may have more blocks than fit.
    fn has_more_blocks(&self) -> bool {
        self.blocks == u32::MAX
    }
}

/// What a scan met.
pub(in crate::disk) struct Met<'a> {
    /// How many paths, those beyond the valid ones included.
    pub(in crate::disk) paths: usize,
    /// How many of them are asked for: the first.
    pub(in crate::disk) asked: usize,
    /// Files with one name.
    pub(in crate::disk) files: Vec<Found>,
    /// How many more there are in other file systems or subvolumes below the store.
    pub(in crate::disk) elsewhere: u64,
    /// Inodes with several names.
    pub(in crate::disk) inodes: &'a [Inode],
    /// For each path its inodes.
    pub(in crate::disk) names: &'a Rows,
    /// How many entries it met, in `.links` too.
    pub(in crate::disk) entries: u64,
    /// Links of `.links` with no other name: number and blocks in bytes.
    pub(in crate::disk) unused_links: Vec<(u64, u64)>,
    /// Whether extents are kept by inode too.
    pub(in crate::disk) by_inode: bool,
}

impl Met<'_> {
    /// All inodes of the store's own file system that have blocks: number and blocks in bytes.
    /// Without files of which only a part is known.
    pub(super) fn with_blocks(&self) -> impl Iterator<Item = (u64, u64)> {
        let files = self.files.iter().filter(|file| !file.has_more_blocks());
        let files = files.map(|file| (file.ino, u64::from(file.blocks) * 512));
        let inodes = super::with_blocks(self.inodes);
        files.chain(inodes).chain(self.unused_links.iter().copied())
    }
}

/// A reference to an extent.
#[derive(Clone, Copy)]
struct Reference {
    start: u64,
    disk_size: u64,
    uncompressed_size: u64,
    /// The owner of the inode; its place in `seen` where extents are kept by inode.
    owner: u32,
    compression: Compression,
}

/// The owner that unused links of `.links` are.
const UNUSED_LINKS: u32 = u32::MAX;
/// How often a tree is read that was written to meanwhile.
const TRIES: usize = 2;
/// More bytes than any disk holds: sums of fewer fit.
const LARGEST: u64 = 1 << 62;

/// Reads the extents of what a scan met. An error is about all of it; what is less
/// is a warning about `at`, the store directory.
///
/// # Errors
/// Those of [`ExtentReader`].
pub(in crate::disk) fn gather(
    reader: &dyn ExtentReader,
    met: &Met<'_>,
    at: &[u8],
    warnings: &mut Warnings,
) -> io::Result<Extents> {
    threads::ready();
    let own = Own::new(met, reader);
    let (found, at_rest) = read_at_rest(reader, || own.read(reader))?;
    if !at_rest {
        warnings.push(WarningKind::Uncertain, at, WRITTEN_MEANWHILE);
    }
    let elsewhere = warn_of_elsewhere(met, at, warnings);
    let unwritten = own.warn_of_unwritten(&found, reader, at, warnings);
    let too_large = warn_of_too_large(reader, met, at, warnings);
    let left_out = elsewhere || unwritten || too_large || own.not_shown > 0;
    let freed_left_out = own.warn_of_links(at, warnings) || left_out;
    let InOwn { references, elsewhere, lower, sizes, unused_links, by_inode, totals, .. } = found;
    let extents = Numbers::from_ascending(references.iter().map(|reference| reference.start));
    let mut holding = Holding::new(extents.len());
    let outside = (&elsewhere[..], &lower[..]);
    let all_read =
        each_holding(reader, &extents, outside, (at, warnings), &mut |subvolume, marked| {
            let Subvolume { id, path, snapshot, unknown, lower, .. } = subvolume;
            let own = id == reader.own();
            holding.add(Holder { path, snapshot, own, unknown, lower }, marked);
        })?;
    drop((extents, elsewhere, lower));
    let chunks = match reader.chunks() {
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => return Err(error),
        chunks => chunks.unwrap_or_default(),
    };
    let Own { numbers, owners, asked, .. } = own;
    let by_inode = by_inode.map(|sizes| Building::new(met.paths as u32, numbers, owners, sizes));
    let mut grouping = Grouping {
        extents: Extents {
            own: sizes,
            holders: std::mem::take(&mut holding.holders),
            unused_links,
            raw_size: Some(0),
            sizes_are: sizes_are(reader.sizes_are(), left_out, at_rest),
            freed_sizes_are: (reader.freed_sizes_are())
                .map(|are| sizes_are(are, freed_left_out, at_rest && all_read)),
            ..Extents::default()
        },
        totals,
        asked,
        chunks,
        numbers: HashMap::new(),
        owners: Vec::new(),
        by_inode,
    };
    let (mut end, mut sum) = (0, 0u64);
    for (extent, set) in references.chunk_by(|a, b| a.start == b.start).zip(&holding.of_extents) {
        let Reference { start, disk_size, uncompressed_size, .. } = extent[0];
        let same =
            |of: &Reference| (of.disk_size, of.uncompressed_size) == (disk_size, uncompressed_size);
        sum = sum.saturating_add(disk_size.max(uncompressed_size));
        if start < end || sum > LARGEST || !extent.iter().all(same) {
            return Err(damaged("its extents overlap"));
        }
        end = start + disk_size;
        grouping.add(extent, &holding.sets[*set as usize]);
    }
    Ok(grouping.finish(met))
}

/// Reads by `read`, again where the file system was written to meanwhile: what came of it
/// at last, and whether nothing was written while that was read.
///
/// # Errors
/// Those of `read` and of [`ExtentReader::generation`].
pub(super) fn read_at_rest<T>(
    reader: &dyn ExtentReader,
    mut read: impl FnMut() -> io::Result<T>,
) -> io::Result<(T, bool)> {
    let mut before = reader.generation()?;
    let mut tries = TRIES;
    loop {
        let found = read()?;
        let after = reader.generation()?;
        tries -= 1;
        let at_rest = std::mem::replace(&mut before, after) == after;
        if at_rest || tries == 0 {
            return Ok((found, at_rest));
        }
    }
}

/// Warns of files that are in no tree that is read for them; whether there are any.
fn warn_of_elsewhere(met: &Met<'_>, at: &[u8], warnings: &mut Warnings) -> bool {
    let several = |inode: &&Inode| inode.device != 0 && inode.disk_size() > 0;
    let files = met.elsewhere + met.inodes.iter().filter(several).count() as u64;
    warn_of_left_out(files, "of other file systems or subvolumes", at, warnings)
}

/// Warns of files of which more blocks are needed than were kept; whether there are any.
fn warn_of_too_large(
    reader: &dyn ExtentReader,
    met: &Met<'_>,
    at: &[u8],
    warnings: &mut Warnings,
) -> bool {
    // Others read extents, and do not go by what `stat` said.
    if reader.tells_unwritten() {
        return false;
    }
    let files = met.files.iter().filter(|file| file.has_more_blocks()).count() as u64;
    warn_of_left_out(files, "of 2 TiB or more", at, warnings)
}

/// Warns of so many files that physical sizes are without; whether there are any.
fn warn_of_left_out(files: u64, which: &str, at: &[u8], warnings: &mut Warnings) -> bool {
    if files > 0 {
        let files = format_count(files);
        let message = format!("{files} files {which}: physical sizes are without them");
        warnings.push(WarningKind::Unchecked, at, message);
    }
    files > 0
}

/// The inodes that a scan met, of the store's tree.
struct Own {
    /// Their numbers …
    numbers: Numbers,
    /// … and, by place among them, whose they are …
    owners: Vec<u32>,
    /// … and the blocks that `stat` reported, in units of 512 bytes.
    blocks: Vec<u32>,
    /// How many with blocks are not shown, and how many unused links of `.links`.
    not_shown: u64,
    links_not_shown: u64,
    /// By owner: whether it is of the paths asked for.
    asked: Vec<bool>,
    /// Whether extents are kept by inode.
    by_inode: bool,
}

/// What the tree of the store says of those inodes, and of others.
struct InOwn {
    /// By address, those to one extent in the order of inodes.
    references: Vec<Reference>,
    /// Extents that files outside the scan refer to.
    elsewhere: Vec<u64>,
    /// Extents that files in lower layers of an overlay refer to.
    lower: Vec<u64>,
    /// By inode: bytes of its contents that have a place in the file system.
    bytes: Vec<u64>,
    /// By owner, without extents.
    sizes: Vec<ExtentSizes>,
    unused_links: ExtentSizes,
    /// By inode, where extents are kept so.
    by_inode: Option<Vec<ExtentSizes>>,
    /// The same by compression, of the paths asked for.
    totals: Vec<CompressionSizes>,
}

/// What is summed by several threads, as [`InOwn`] has it.
struct Sums {
    bytes: Vec<AtomicU64>,
    sizes: Vec<Sizes>,
    by_inode: Option<Vec<Sizes>>,
}

/// What is not of extents.
#[derive(Default)]
struct Sizes {
    referenced: AtomicU64,
    inline: AtomicU64,
}

impl Sizes {
    fn add(&self, sizes: &ExtentSizes) {
        add_to(&self.referenced, sizes.referenced_size);
        add_to(&self.inline, sizes.inline_size);
    }

    fn into_sizes(self) -> ExtentSizes {
        ExtentSizes {
            referenced_size: self.referenced.into_inner(),
            inline_size: self.inline.into_inner(),
            ..ExtentSizes::default()
        }
    }
}

/// What came of a stretch, as [`InOwn`] has it.
struct InStretch {
    references: Vec<Reference>,
    elsewhere: Vec<u64>,
    lower: Vec<u64>,
    unused_links: ExtentSizes,
    totals: Vec<CompressionSizes>,
}

impl Default for InStretch {
    fn default() -> Self {
        let total = |compression| CompressionSizes {
            compression,
            sizes: ExtentSizes::default(),
            inline_uncompressed_size: 0,
        };
        Self {
            references: Vec::new(),
            elsewhere: Vec::new(),
            lower: Vec::new(),
            unused_links: ExtentSizes::default(),
            totals: Compression::ALL.map(total).to_vec(),
        }
    }
}

impl Own {
    /// Those of the inodes that are shown.
    fn new(met: &Met<'_>, reader: &dyn ExtentReader) -> Self {
        let paths = met.paths as u32;
        let mut asked = vec![false; met.paths + met.inodes.len()];
        asked[..met.asked].fill(true);
        for row in met.names.iter().take(met.asked) {
            row.iter().for_each(|&inode| asked[met.paths + inode as usize] = true);
        }
        let files = met.files.iter().map(|file| (file.ino, file.path, file.blocks));
        let inodes = (paths..).zip(met.inodes).filter(|(_, inode)| inode.device == 0);
        let inodes = inodes.map(|(owner, inode)| (inode.ino, owner, blocks(inode.disk_size())));
        let links = met.unused_links.iter();
        let links = links.map(|&(ino, disk_size)| (ino, UNUSED_LINKS, blocks(disk_size)));
        let (mut not_shown, mut links_not_shown) = (0, 0);
        let mut all: Vec<(u64, u32, u32)> = files.chain(inodes).chain(links).collect();
        all.retain(|&(ino, owner, blocks)| {
            let shows = reader.shows(ino);
            match owner {
                _ if shows => {}
                UNUSED_LINKS => links_not_shown += 1,
                _ => not_shown += u64::from(blocks > 0),
            }
            shows
        });
        // Stable: should a file have been met under two names meanwhile, the first counts.
        all.arrange_by_number(|&(ino, ..)| ino);
        all.dedup_by_key(|&mut (ino, ..)| ino);
        Self {
            numbers: Numbers::from_ascending(all.iter().map(|&(ino, ..)| ino)),
            owners: all.iter().map(|&(_, owner, _)| owner).collect(),
            blocks: all.iter().map(|&(.., blocks)| blocks).collect(),
            not_shown,
            links_not_shown,
            asked,
            by_inode: met.by_inode,
        }
    }

    /// Reads the tree.
    fn read(&self, reader: &dyn ExtentReader) -> io::Result<InOwn> {
        let sizes = |count| std::iter::repeat_with(Sizes::default).take(count).collect();
        let sums = Sums {
            bytes: std::iter::repeat_with(AtomicU64::default).take(self.owners.len()).collect(),
            sizes: sizes(self.asked.len()),
            by_inode: self.by_inode.then(|| sizes(self.owners.len())),
        };
        let each = |found: &mut InStretch, shown, item| self.add(found, &sums, shown, item);
        let stretches = read_store(reader, &self.numbers, &each)?;
        let sizes = |sizes: Vec<Sizes>| sizes.into_iter().map(Sizes::into_sizes).collect();
        let mut found = InOwn {
            references: Vec::with_capacity(stretches.iter().map(|of| of.references.len()).sum()),
            elsewhere: Vec::new(),
            lower: Vec::new(),
            bytes: sums.bytes.into_iter().map(AtomicU64::into_inner).collect(),
            sizes: sizes(sums.sizes),
            unused_links: ExtentSizes::default(),
            by_inode: sums.by_inode.map(sizes),
            totals: InStretch::default().totals,
        };
        for stretch in stretches {
            found.references.extend(stretch.references);
            found.elsewhere.extend(stretch.elsewhere);
            found.lower.extend(stretch.lower);
            found.unused_links.add(stretch.unused_links);
            for (sum, total) in found.totals.iter_mut().zip(stretch.totals) {
                sum.sizes.add(total.sizes);
                let inline = &mut sum.inline_uncompressed_size;
                *inline = inline.saturating_add(total.inline_uncompressed_size);
            }
        }
        // Stable: equal ones stay in the order of inodes.
        found.references.arrange_by_number(|reference| reference.start);
        Ok(found)
    }

    fn add(&self, found: &mut InStretch, sums: &Sums, shown: Shown, item: ExtentItem) {
        if let ExtentItem::Extent { start, .. } = item {
            match shown {
                Shown { is_lower: true, .. } => found.lower.push(start),
                Shown { place: None, .. } => found.elsewhere.push(start),
                Shown { place: Some(_), .. } => {}
            }
        }
        let Some(place) = shown.place else { return };
        let owner = self.owners[place as usize];
        let (compression, bytes, sizes) = match item {
            ExtentItem::Inline { compression, size, uncompressed_size } => {
                let sizes = ExtentSizes { inline_size: size, ..ExtentSizes::default() };
                (compression, uncompressed_size, sizes)
            }
            ExtentItem::Extent {
                start,
                disk_size,
                uncompressed_size,
                referenced_size,
                compression,
            } => {
                let owner = if self.by_inode { place } else { owner };
                let reference =
                    Reference { start, disk_size, uncompressed_size, owner, compression };
                found.references.push(reference);
                let sizes = ExtentSizes { referenced_size, ..ExtentSizes::default() };
                (compression, referenced_size, sizes)
            }
        };
        add_to(&sums.bytes[place as usize], bytes);
        match sums.sizes.get(owner as usize) {
            Some(sum) => sum.add(&sizes),
            None => found.unused_links.add(sizes),
        }
        if let Some(by_inode) = &sums.by_inode {
            by_inode[place as usize].add(&sizes);
        }
        if self.asked.get(owner as usize) == Some(&true) {
            let total = &mut found.totals[compression as usize];
            total.sizes.add(sizes);
            if sizes.inline_size > 0 {
                let sum = &mut total.inline_uncompressed_size;
                *sum = sum.saturating_add(bytes);
            }
        }
    }

    /// Warns of unused links of `.links` that are not shown; whether there are any.
    fn warn_of_links(&self, at: &[u8], warnings: &mut Warnings) -> bool {
        if self.links_not_shown > 0 {
            let message = format!(
                "{} unused links of .links are not asked for their extents: physical sizes of \
                 what is freed are without them",
                format_count(self.links_not_shown)
            );
            warnings.push(WarningKind::Unchecked, at, message);
        }
        self.links_not_shown > 0
    }

    /// Warns of files of which the tree and `stat` say different things; whether there are
    /// any.
    fn warn_of_unwritten(
        &self,
        found: &InOwn,
        reader: &dyn ExtentReader,
        at: &[u8],
        warnings: &mut Warnings,
    ) -> bool {
        let files = found.bytes.iter().zip(&self.blocks);
        let differs = |&(&bytes, &blocks): &(&u64, &u32)| is_unwritten(bytes, blocks, reader);
        let files = files.filter(differs).count() as u64;
        warn_of_unwritten(files, at, warnings);
        files > 0
    }
}

/// What sizes are where some files are left out, or where it is not certain that they are
/// of one moment and that all was read.
pub(super) fn sizes_are(are: SizeIs, left_out: bool, certain: bool) -> SizeIs {
    match (left_out, certain) {
        (_, false) => SizeIs::About,
        (true, true) => are.max(SizeIs::AtLeast),
        (false, true) => are,
    }
}

/// Whether the tree and `stat` say different things of a file: of bytes of contents that have
/// a place in the file system, and of blocks in units of 512 bytes.
pub(super) fn is_unwritten(bytes: u64, found: u32, reader: &dyn ExtentReader) -> bool {
    if !reader.tells_unwritten() {
        return false;
    }
    // Of several file systems one may allocate in smaller sizes.
    let exact = Some(bytes).filter(|bytes| bytes.is_multiple_of(512));
    let whole = bytes.checked_next_multiple_of(reader.block_size().max(1));
    !exact.into_iter().chain(whole).any(|bytes| blocks(bytes) == found)
}

/// Warns of files that are [unwritten](is_unwritten), if there are any.
pub(super) fn warn_of_unwritten(files: u64, at: &[u8], warnings: &mut Warnings) {
    if files > 0 {
        let s = if files == 1 { "" } else { "s" };
        let message = format!(
            "{} file{s} with contents that are not written to the disk yet, or changed \
             meanwhile: physical sizes are without them (`sync` writes them)",
            format_count(files)
        );
        warnings.push(WarningKind::Unchecked, at, message);
    }
}

/// What sort of thing an error of a reader is.
pub(crate) fn kind_of(error: &io::Error) -> WarningKind {
    match error.kind() {
        io::ErrorKind::InvalidData => WarningKind::Damaged,
        // What no system said.
        io::ErrorKind::ResourceBusy if error.raw_os_error().is_none() => WarningKind::Uncertain,
        _ => WarningKind::of_error(error),
    }
}

/// Extents as they come to their owners.
struct Grouping {
    /// Inodes follow the paths in `own` until the end.
    extents: Extents,
    totals: Vec<CompressionSizes>,
    asked: Vec<bool>,
    chunks: Vec<Chunk>,
    /// The group of each set of owners and of holders.
    numbers: HashMap<(Vec<u32>, Vec<u32>), usize>,
    owners: Vec<u32>,
    /// Where extents are kept by inode.
    by_inode: Option<Building>,
}

impl Grouping {
    /// Adds an extent, by all references to it; in ascending order of address.
    fn add(&mut self, extent: &[Reference], holders: &[u32]) {
        let Reference { start, disk_size, uncompressed_size, compression, .. } = extent[0];
        let sizes =
            ExtentSizes { physical_size: disk_size, uncompressed_size, ..ExtentSizes::default() };
        self.owners.clear();
        let owners = extent.iter().map(|reference| reference.owner);
        match &mut self.by_inode {
            None => self.owners.extend(owners),
            Some(by_inode) => {
                self.owners.extend(owners.clone().map(|place| by_inode.owner(place)));
                by_inode.add(owners, disk_size, uncompressed_size, !holders.is_empty());
            }
        }
        self.owners.sort_unstable();
        self.owners.dedup();
        // A collection deletes unused links in any case: they keep nothing.
        if self.owners.last() == Some(&UNUSED_LINKS) {
            self.owners.pop();
        }
        if self.owners.iter().any(|&owner| self.asked[owner as usize]) {
            self.totals[compression as usize].sizes.add(sizes);
            let raw = self.raw(start, disk_size);
            let sum = &mut self.extents.raw_size;
            *sum = sum.zip(raw).map(|(sum, raw)| sum.saturating_add(raw));
        }
        match (&self.owners[..], holders) {
            ([], []) => self.extents.unused_links.add(sizes),
            // Of links alone, and held from outside: it stays.
            ([], _) => {}
            (&[owner], []) => self.extents.own[owner as usize].add(sizes),
            (owners, holders) => {
                let next = self.extents.groups.len();
                let key = (owners.to_vec(), holders.to_vec());
                let at = *self.numbers.entry(key).or_insert(next);
                if at == next {
                    let holders = holders.to_vec();
                    let group = ExtentGroup { physical_size: 0, uncompressed_size: 0, holders };
                    self.extents.groups.push(group);
                    self.extents.owners.push(owners);
                }
                // Checked to fit: these are parts of the sum of all.
                let group = &mut self.extents.groups[at];
                group.physical_size += disk_size;
                group.uncompressed_size += uncompressed_size;
            }
        }
    }

    /// What an extent takes on devices, if that is known.
    fn raw(&self, start: u64, size: u64) -> Option<u64> {
        let at = self.chunks.partition_point(|chunk| chunk.start <= start).checked_sub(1)?;
        let chunk = self.chunks[at];
        (start - chunk.start + size <= chunk.length)
            .then(|| size.saturating_mul(chunk.raw) / chunk.data)
    }

    fn finish(mut self, met: &Met<'_>) -> Extents {
        self.extents.inodes = self.extents.own.split_off(met.paths);
        let some = |total: &CompressionSizes| total.sizes != ExtentSizes::default();
        self.extents.totals = self.totals.into_iter().filter(some).collect();
        self.extents.sum(met.names);
        self.extents.by_inode = self.by_inode.map(|by_inode| Box::new(by_inode.finish()));
        self.extents
    }
}

#[cfg(test)]
mod tests;
