//! What of a file system's extents goes with some inodes, and what could go after that
//! because others are equal.

use super::{ExtentsOption, FAR_MORE, Physical, WRITTEN_MEANWHILE, physical_unknown};
use crate::disk::ByNumber;
use crate::fs::{Compression, ExtentItem, ExtentReader, StoreFiles};
use crate::graph::saturating_sum;
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;
use std::io;

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
    /// All of the store, those that go too.
    pub(crate) all: &'a [u64],
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
    let reader = match super::reader(source, option, inodes.entries, at.as_bytes(), warnings) {
        Ok(reader) => reader,
        Err(Physical::Blocks) => return Ok(Going::Blocks),
        Err(_) => return Ok(Going::Unknown),
    };
    let read = || {
        let before = reader.generation()?;
        let extents = extents_of(&*reader, inodes)?;
        Ok::<_, io::Error>((extents, reader.generation()? != before))
    };
    let (extents, changed) = match read() {
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
            warnings.push(WarningKind::Note, at, physical_unknown(FAR_MORE));
            return Ok(Going::Unknown);
        }
        read => read?,
    };
    if changed {
        warnings.push(WarningKind::Uncertain, at, WRITTEN_MEANWHILE);
    }
    Ok(Going::Extents(extents))
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

fn extents_of(reader: &dyn ExtentReader, inodes: GoingInodes<'_>) -> io::Result<GoingExtents> {
    let name_size = reader.name_size(inodes.name_length);
    if inodes.gone.is_empty() && !inodes.equal {
        return Ok(GoingExtents { sizes: Vec::new(), equal: None, name_size });
    }
    let mut users = ByNumber::default();
    for (at, &ino) in (0u32..).zip(inodes.gone) {
        users.get_or_insert(ino, at.min(STAYS));
    }
    inodes.all.iter().for_each(|&ino| _ = users.get_or_insert(ino, STAYS));
    // Each extent once, by its address.
    let (mut places, mut extents) = (ByNumber::default(), Vec::<Used>::new());
    let mut elsewhere = Vec::new();
    reader.read(&mut |ino, item| {
        let ExtentItem::Extent { start, disk_size, uncompressed_size, compression, .. } = item
        else {
            return;
        };
        let Some(last) = users.get(ino) else { return elsewhere.push(start) };
        let place = places.get_or_insert(start, extents.len() as u32) as usize;
        match extents.get_mut(place) {
            Some(extent) => {
                extent.last = extent.last.max(last);
                // What is not all written to has no checksums of all of it.
                extent.compression = extent.compression.max(compression);
            }
            None => extents.push(Used { start, disk_size, uncompressed_size, compression, last }),
        }
    })?;
    let mut hold = |start: u64| {
        if let Some(at) = places.get(start) {
            extents[at as usize].last = HELD;
        }
    };
    elsewhere.into_iter().for_each(&mut hold);
    for subvolume in reader.subvolumes()? {
        if subvolume.id != reader.own() && !subvolume.deleted {
            reader.read_starts(subvolume.id, &mut hold)?;
        }
    }
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
    radsort::sort_by_key(&mut extents, |extent| extent.start);
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
