//! What of a file system's extents goes with some inodes, and what could go after that
//! because others are equal.

use super::gather::{is_unwritten, read_at_rest, sizes_are, warn_of_unwritten};
use super::holding::{Marked, each_holding};
use super::numbers::Numbers;
use super::stretches::{Shown, add_to, read_store};
use super::{
    ExtentsOption, Physical, WRITTEN_MEANWHILE, far_more, physical_unknown, warn_if_asked,
};
use crate::arrange::Arrange as _;
use crate::disk::DiskScan;
use crate::disk::inodes::blocks;
use crate::fs::{Compression, ExtentItem, ExtentReader, SizeIs, StoreFiles};
use crate::graph::saturating_sum;
use crate::threads;
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// What goes with some inodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// Their blocks.
    Blocks,
    /// That is not known.
    Unknown,
    /// Extents.
    Extents(GoingExtents),
}

/// Extents that go with some inodes; sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoingExtents {
    /// Of each inode: those that nothing else refers to once it goes, and those before it.
    pub(crate) sizes: Vec<u64>,
    /// What those sizes are.
    pub(crate) sizes_are: SizeIs,
    /// What is left that equals something else.
    pub(crate) equal: Option<EqualExtents>,
    /// What a name of so many bytes in a directory takes in metadata, as
    /// [`ExtentReader::name_size`] has it.
    pub(crate) name_size: Option<u64>,
}

/// Extents of equal length, compression and checksums; sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EqualExtents {
    /// What goes if one of each is shared by all that have it.
    pub(crate) physical_size: u64,
    /// Extents of which that is not known, as blocks of them have no checksums.
    pub(crate) unchecked_size: u64,
    /// The name of the checksums.
    pub(crate) algorithm: &'static str,
    /// Whether no two different contents are known to have the same.
    pub(crate) strong: bool,
}

/// Inodes of the store's own file system, by number.
#[derive(Clone, Copy)]
pub(crate) struct GoingInodes<'a> {
    /// Those that go, in their order.
    pub(crate) gone: &'a [u64],
    /// All of the store, those that go too; beside each its blocks in bytes.
    pub(crate) all: &'a [(u64, u64)],
    /// Whether they are taken to be alone on the disk: who else refers to extents, and so what
    /// goes, is not what the file system says.
    pub(crate) alone: bool,
    /// How many entries were met.
    pub(crate) entries: u64,
    /// Whether it is asked what is left that is equal.
    pub(crate) equal: bool,
    /// The length of names that are new, in bytes.
    pub(crate) name_length: u64,
}

/// Finds what goes with inodes of the store's own subvolume. What is uncertain is a warning
/// about `at`, the store directory.
///
/// # Errors
/// If the file system shows its extents, and they cannot be read.
pub(crate) fn going(
    files: &StoreFiles,
    option: ExtentsOption,
    inodes: GoingInodes<'_>,
    at: &str,
    warnings: &mut Warnings,
) -> io::Result<Going> {
    let source = super::source(files, option);
    let (all, entries) = (inodes.all.iter().copied(), inodes.entries);
    let reader = match super::reader(source, option, entries, all, at.as_bytes(), warnings) {
        Ok(reader) => reader,
        Err(Physical::Blocks) => return Ok(Going::Blocks),
        Err(_) => return Ok(Going::Unknown),
    };
    if inodes.alone {
        warn_if_asked(option, ALONE, at.as_bytes(), warnings);
        return Ok(Going::Unknown);
    }
    match read_and_warn(&*reader, inodes, at.as_bytes(), warnings) {
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
            warnings.push(WarningKind::Note, at, physical_unknown(&far_more(&error)));
            Ok(Going::Unknown)
        }
        read => read.map(Going::Extents),
    }
}

/// Why it is not known what goes of some paths that are taken to be alone.
const ALONE: &str = "targets are taken as if nothing else were in the store, and it may share \
                     extents with them";

/// Reads the extents, and warns of what that leaves uncertain.
pub(super) fn read_and_warn(
    reader: &dyn ExtentReader,
    inodes: GoingInodes<'_>,
    at: &[u8],
    warnings: &mut Warnings,
) -> io::Result<GoingExtents> {
    let ((mut extents, said), at_rest) = read_at_rest(reader, || {
        // Of each try alone.
        let mut said = Warnings::new();
        Ok((extents_of(reader, inodes, at, &mut said)?, said))
    })?;
    warnings.extend(said);
    if !at_rest {
        warnings.push(WarningKind::Uncertain, at, WRITTEN_MEANWHILE);
        extents.sizes_are = SizeIs::About;
    }
    Ok(extents)
}

impl DiskScan {
    /// Whether what goes with some paths, by number in `usages` and then `others`, shares
    /// extents with what stays: these go with the last of all that use them, unless something
    /// outside holds them.
    pub(crate) fn shares_extents(&self, goes: impl Fn(u32) -> bool) -> bool {
        let Some(extents) = self.extents() else { return false };
        let mut stays = self.named_elsewhere();
        for (path, inodes) in (0u32..).zip(self.names.iter()) {
            if !goes(path) {
                inodes.iter().for_each(|&inode| stays[inode as usize] = true);
            }
        }
        let is_gone = |&&owner: &&u32| match extents.inode(owner) {
            None => goes(owner),
            Some(inode) => !stays[inode as usize],
        };
        extents.groups.iter().zip(extents.owners.iter()).any(|(group, owners)| {
            let gone = owners.iter().filter(is_gone).count();
            group.holders.is_empty() && gone > 0 && gone < owners.len()
        })
    }
}

/// An extent by who uses it last.
#[derive(Clone, Copy)]
struct Used {
    start: u64,
    disk_size: u64,
    uncompressed_size: u64,
    compression: Compression,
    /// The last to go of the inodes that refer to it, or one of the two below.
    last: u32,
}

/// Files of the store that stay refer to it.
const STAYS: u32 = u32::MAX - 1;
/// Something outside the store refers to it.
const HELD: u32 = u32::MAX;

/// An inode of the store.
struct User {
    /// Its blocks, in units of 512 bytes.
    blocks: u32,
    /// Bytes of its contents that have a place in the file system.
    bytes: AtomicU64,
    /// Where in the order it goes, or [`STAYS`].
    goes: u32,
}

/// Those of the inodes, by number.
fn users(inodes: GoingInodes<'_>) -> (Numbers, Vec<User>) {
    let mut all = inodes.all.to_vec();
    all.arrange_by_number(|&(ino, _)| ino);
    all.dedup_by_key(|&mut (ino, _)| ino);
    let numbers = Numbers::from_ascending(all.iter().map(|&(ino, _)| ino));
    let user = |&(_, disk_size): &(u64, u64)| User {
        blocks: blocks(disk_size),
        bytes: AtomicU64::new(0),
        goes: STAYS,
    };
    let mut users: Vec<User> = all.iter().map(user).collect();
    for (at, &ino) in (0u32..).zip(inodes.gone) {
        if let Some(user) = numbers.place(ino) {
            let goes = &mut users[user as usize].goes;
            *goes = at.min(*goes);
        }
    }
    (numbers, users)
}

/// What came of a stretch.
#[derive(Default)]
struct InStretch {
    used: Vec<Used>,
    /// Extents that others refer to.
    elsewhere: Vec<u64>,
}

/// Notes what an inode holds.
fn add(found: &mut InStretch, users: &[User], shown: Shown, item: ExtentItem) {
    let user = shown.place.map(|place| &users[place as usize]);
    let bytes = match item {
        ExtentItem::Inline { uncompressed_size, .. } => uncompressed_size,
        ExtentItem::Extent {
            start,
            disk_size,
            uncompressed_size,
            referenced_size,
            compression,
        } => {
            if user.is_none() || shown.is_lower {
                found.elsewhere.push(start);
            }
            if let Some(user) = user {
                let last = user.goes;
                let used = Used { start, disk_size, uncompressed_size, compression, last };
                found.used.push(used);
            }
            referenced_size
        }
    };
    if let Some(user) = user {
        add_to(&user.bytes, bytes);
    }
}

fn extents_of(
    reader: &dyn ExtentReader,
    inodes: GoingInodes<'_>,
    at: &[u8],
    warnings: &mut Warnings,
) -> io::Result<GoingExtents> {
    let name_size = reader.name_size(inodes.name_length);
    if inodes.gone.is_empty() && !inodes.equal {
        let sizes_are = SizeIs::Exact;
        return Ok(GoingExtents { sizes: Vec::new(), sizes_are, equal: None, name_size });
    }
    threads::ready();
    let (numbers, users) = users(inodes);
    let each = |found: &mut InStretch, shown, item| add(found, &users, shown, item);
    let (mut extents, mut elsewhere) = (Vec::new(), Vec::new());
    for stretch in read_store(reader, &numbers, &each)? {
        extents.extend(stretch.used);
        elsewhere.extend(stretch.elsewhere);
    }
    drop(numbers);
    // Stable, and each extent once: of several references the first says what it is.
    extents.arrange_by_number(|extent| extent.start);
    extents.dedup_by(|next, extent| {
        let same = next.start == extent.start;
        if same {
            extent.last = extent.last.max(next.last);
            // What is not all written to has no checksums of all of it.
            extent.compression = extent.compression.max(next.compression);
        }
        same
    });
    let places = Numbers::from_ascending(extents.iter().map(|extent| extent.start));
    let mut held = |_, marked: &Marked| {
        marked.places().for_each(|place| extents[place as usize].last = HELD);
    };
    let outside = (&elsewhere[..], &[][..]);
    let all_read = each_holding(reader, &places, outside, (at, warnings), &mut held)?;
    drop((places, elsewhere));
    let unwritten = users
        .iter()
        .filter(|user| is_unwritten(user.bytes.load(Ordering::Relaxed), user.blocks, reader));
    let unwritten = unwritten.count() as u64;
    warn_of_unwritten(unwritten, at, warnings);
    let mut sizes = vec![0u64; inodes.gone.len()];
    extents.retain(|extent| match sizes.get_mut(extent.last as usize) {
        Some(sum) => {
            *sum = sum.saturating_add(extent.disk_size);
            false
        }
        None => true,
    });
    Ok(GoingExtents {
        sizes,
        sizes_are: sizes_are(SizeIs::Exact, unwritten > 0, all_read),
        equal: if inodes.equal { equal(reader, extents)? } else { None },
        name_size,
    })
}

/// How much of some extents goes if those that are equal become one.
fn equal(reader: &dyn ExtentReader, mut extents: Vec<Used>) -> io::Result<Option<EqualExtents>> {
    let shape = |extent: &Used| (extent.disk_size, extent.uncompressed_size, extent.compression);
    // Only of those that are like another are checksums needed.
    extents.retain(|extent| extent.compression != Compression::Prealloc);
    let mut alike: HashMap<_, u32> = HashMap::new();
    extents.iter().for_each(|extent| *alike.entry(shape(extent)).or_default() += 1);
    extents.retain(|extent| alike[&shape(extent)] > 1);
    extents.arrange_by_number(|extent| extent.start);
    let places: Vec<_> = extents.iter().map(|extent| (extent.start, extent.disk_size)).collect();
    let Some(checksums) = reader.checksums(&places)? else { return Ok(None) };
    let unchecked = extents.iter().zip(&checksums.digests).filter(|(_, digest)| digest.is_none());
    let unchecked_size = saturating_sum(unchecked.map(|(extent, _)| extent.disk_size));
    // Of each the size, how many can go, and whether another stays.
    let mut equal: HashMap<_, (u64, u64, bool)> = HashMap::new();
    for (extent, digest) in extents.iter().zip(&checksums.digests) {
        let Some(digest) = digest else { continue };
        let of = equal.entry((shape(extent), digest)).or_insert((extent.disk_size, 0, false));
        match extent.last {
            HELD => of.2 = true,
            _ => of.1 += 1,
        }
    }
    let going = equal.into_values().map(|(size, count, held)| {
        let more = if held { count } else { count.saturating_sub(1) };
        size.saturating_mul(more)
    });
    Ok(Some(EqualExtents {
        physical_size: saturating_sum(going),
        unchecked_size,
        algorithm: checksums.algorithm,
        strong: checksums.strong,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Stretch, Subvolume, damaged};

    /// Inode 10 and 11 of 4 KiB each, 11 with blocks that are in no tree if `unwritten`; and
    /// a second subvolume.
    #[derive(Default)]
    struct Told {
        unwritten: bool,
        unreadable: bool,
        /// How often the generation still grows.
        steps: AtomicU64,
        generation: AtomicU64,
    }

    impl ExtentReader for Told {
        fn block_size(&self) -> u64 {
            4096
        }

        fn generation(&self) -> io::Result<u64> {
            let step = |left: u64| left.checked_sub(1);
            let steps = self.steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
            Ok(self.generation.fetch_add(u64::from(steps.is_ok()), Ordering::Relaxed))
        }

        fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
            Ok([0, 1].map(|id| Subvolume { id, ..Subvolume::default() }).to_vec())
        }

        fn read(
            &self,
            _: &Stretch,
            each: &mut dyn FnMut(u64, ExtentItem),
        ) -> io::Result<Vec<Stretch>> {
            for ino in [10, 11] {
                each(ino, ExtentItem::whole(ino * 4096, 4096, Compression::None));
            }
            Ok(Vec::new())
        }

        fn read_starts(&self, _: &Stretch, each: &mut dyn FnMut(u64)) -> io::Result<Vec<Stretch>> {
            each(11 * 4096);
            if self.unreadable { Err(damaged("")) } else { Ok(Vec::new()) }
        }
    }

    /// What goes with both inodes, and the kinds of warnings.
    fn told(told: &Told) -> (Vec<u64>, SizeIs, Vec<WarningKind>) {
        let inodes = GoingInodes {
            gone: &[10, 11],
            all: &[(10, 4096), (11, if told.unwritten { 8192 } else { 4096 })],
            alone: false,
            entries: 2,
            equal: false,
            name_length: 0,
        };
        let mut warnings = Warnings::new();
        let extents = read_and_warn(told, inodes, b"/nix/store", &mut warnings).unwrap();
        let kinds = warnings.iter().map(|warning| warning.kind).collect();
        (extents.sizes, extents.sizes_are, kinds)
    }

    #[test]
    fn what_is_uncertain_is_said_and_the_rest_counts() {
        let sizes = vec![4096, 0];
        assert_eq!(told(&Told::default()), (sizes.clone(), SizeIs::Exact, vec![]));
        let unreadable = Told { unreadable: true, ..Told::default() };
        let expected = (sizes.clone(), SizeIs::About, vec![WarningKind::Damaged]);
        assert_eq!(told(&unreadable), expected);
        let unwritten = Told { unwritten: true, ..Told::default() };
        let expected = (sizes.clone(), SizeIs::AtLeast, vec![WarningKind::Unchecked]);
        assert_eq!(told(&unwritten), expected);
        // Read once more, and then as it is; what both tries say is said once.
        let steps =
            |steps| Told { steps: AtomicU64::new(steps), unwritten: true, ..Told::default() };
        assert_eq!(told(&steps(1)), expected);
        let kinds = vec![WarningKind::Unchecked, WarningKind::Uncertain];
        assert_eq!(told(&steps(9)), (sizes, SizeIs::About, kinds));
    }
}
