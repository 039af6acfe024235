//! What of a file system's extents goes with some inodes.

use crate::disk::ByNumber;
use crate::fs::{ExtentItem, ExtentReader, ExtentSource, StoreFiles};
use std::io;

/// What goes with some inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// Their blocks.
    Blocks,
    /// That is not known.
    Unknown,
    /// Extents of so many bytes, which nothing else refers to.
    Extents(u64),
}

/// Finds what goes with inodes of the store's own subvolume, by number.
///
/// # Errors
/// If the file system shows its extents, and they cannot be read.
pub(crate) fn going(files: &StoreFiles, inodes: &[u64]) -> io::Result<Going> {
    match files.directory().extents() {
        ExtentSource::Blocks => Ok(Going::Blocks),
        ExtentSource::Unknown(_) => Ok(Going::Unknown),
        ExtentSource::Extents(reader) => extents_of(&*reader, inodes).map(Going::Extents),
    }
}

fn extents_of(reader: &dyn ExtentReader, inodes: &[u64]) -> io::Result<u64> {
    let mut goes = ByNumber::default();
    inodes.iter().for_each(|&ino| _ = goes.get_or_insert(ino, 0));
    // Each extent once, by its address: its size, or nothing once it is seen to stay.
    let (mut places, mut sizes) = (ByNumber::default(), Vec::<u64>::new());
    let mut others = Vec::new();
    reader.read(reader.own(), &mut |ino, item| {
        let ExtentItem::Extent { start, disk_size, .. } = item else { return };
        if goes.get(ino).is_none() {
            others.push(start);
        } else if places.get_or_insert(start, sizes.len() as u32) as usize == sizes.len() {
            sizes.push(disk_size);
        }
    })?;
    let mut stays = |start: u64| {
        if let Some(at) = places.get(start) {
            sizes[at as usize] = 0;
        }
    };
    others.into_iter().for_each(&mut stays);
    for subvolume in reader.subvolumes()? {
        if subvolume.id != reader.own() && !subvolume.deleted {
            reader.read(subvolume.id, &mut |_, item| {
                if let ExtentItem::Extent { start, .. } = item {
                    stays(start);
                }
            })?;
        }
    }
    Ok(sizes.into_iter().fold(0, u64::saturating_add))
}
