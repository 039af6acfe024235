//! What a later scan needs to walk only what changed since ([`disk::since`](crate::disk)).

use super::codec::{Decoder, Encoder, Field, Odd, record};
use super::columns::{self, NumberedKinds};
use crate::disk::{FileStamp, LinksStamp, PathStamps, Single, Stamp, StoreStamp};
use crate::fs::{Boot, Moment};

/// How store and database were when a snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreThen {
    /// How the store was.
    pub(crate) store: StoreStamp,
    /// How the files of the database were, if the catalog is of one.
    pub(crate) database: Option<Vec<Option<FileStamp>>>,
}

record! {
    Boot { id, elapsed }
    Stamp { ino, seconds, nanoseconds }
    FileStamp { device, size, stamp }
    Moment { seconds, nanoseconds, boot, machine }
    StoreStamp { moment, device, file_system, use_case_hack, store, links }
    StoreThen { store, database }
}

impl Field for LinksStamp {
    fn put(&self, out: &mut Encoder) {
        match self {
            Self::Missing => out.number(0),
            Self::Directory(stamp) => {
                out.number(1);
                out.field(stamp);
            }
            Self::Unknown => out.number(2),
        }
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        match from.number()? {
            0 => Ok(Self::Missing),
            1 => Ok(Self::Directory(from.field()?)),
            2 => Ok(Self::Unknown),
            _ => Err("LinksStamp has no such number".into()),
        }
    }
}

/// The directories of each path, each before those in it.
pub(super) fn put_directories(out: &mut Encoder, stamps: &PathStamps) {
    let paths = 0..stamps.len() as u32;
    out.number(stamps.len() as u64);
    paths.clone().for_each(|path| out.number(stamps.directories(path).count() as u64));
    let all = || paths.clone().flat_map(|path| stamps.directories(path));
    all().for_each(|directory| out.number(directory.depth.into()));
    let mut last = Stamp::default();
    for Stamp { ino, .. } in all().map(|directory| directory.stamp) {
        out.signed(ino.wrapping_sub(last.ino) as i64);
        last.ino = ino;
    }
    // Most are of the same moment as the one before.
    for Stamp { seconds, .. } in all().map(|directory| directory.stamp) {
        out.signed(seconds.wrapping_sub(last.seconds));
        last.seconds = seconds;
    }
    for Stamp { nanoseconds, .. } in all().map(|directory| directory.stamp) {
        out.signed(i64::from(nanoseconds) - i64::from(last.nanoseconds));
        last.nanoseconds = nanoseconds;
    }
    all().for_each(|directory| out.number(directory.name().len() as u64));
    all().for_each(|directory| out.bytes.extend_from_slice(directory.name()));
}

/// The inodes of each path that have one name, and those of `.links`; of which kind they
/// are, and directories.
pub(super) fn put_singles(out: &mut Encoder, stamps: &PathStamps) {
    let paths = 0..stamps.len() as u32;
    paths.clone().for_each(|path| out.number(stamps.singles(path).len() as u64));
    for path in paths {
        let mut last = 0u64;
        for single in stamps.singles(path) {
            out.number(single.ino.wrapping_sub(last));
            last = single.ino;
        }
    }
    let all = (0..stamps.len() as u32).flat_map(|path| stamps.singles(path));
    all.clone().for_each(|single| out.number(single.blocks.into()));
    columns::put_inodes(out, &stamps.unused_links);
    NumberedKinds::put(out);
    let directories = (0..stamps.len() as u32).flat_map(|path| stamps.directories(path));
    out.bytes.extend(directories.map(|directory| directory.kind as u8));
    out.bytes.extend(all.map(|single| single.kind as u8));
}

/// A directory as it is read: depth, stamp, name.
type Directory<'a> = (u32, Stamp, &'a [u8]);

/// Stamps of so many paths, of two sections.
pub(super) fn take(
    directories: &mut Decoder<'_>,
    singles: &mut Decoder<'_>,
    paths: usize,
) -> Result<PathStamps, Odd> {
    let (counts, all) = take_directories(directories)?;
    if counts.len() != paths {
        return Err("directories of other paths".into());
    }
    let single_counts = take_column(singles, paths, Decoder::small)?;
    let single_count = single_counts.iter().map(|&count| count as usize).sum();
    let mut inos = Vec::new();
    singles.holds(single_count)?;
    for &count in &single_counts {
        let mut last = 0u64;
        for _ in 0..count {
            last = last.checked_add(singles.number()?).ok_or("an inode number that cannot be")?;
            inos.push(last);
        }
    }
    let blocks = take_column(singles, single_count, Decoder::small)?;
    let unused_links = columns::take_inodes(singles)?;
    let numbered = NumberedKinds::take(singles)?;
    let kinds = numbered.column(singles, all.len())?;
    let single_kinds = numbered.column(singles, single_count)?;
    let all_singles = inos.into_iter().zip(blocks).zip(single_kinds);
    let mut all_singles = all_singles.map(|((ino, blocks), kind)| Single { ino, blocks, kind });
    let mut stamps = PathStamps::default();
    let mut all = all.into_iter().zip(kinds);
    for (count, single_count) in counts.into_iter().zip(single_counts) {
        let mut next = 0;
        for ((depth, stamp, name), kind) in all.by_ref().take(count as usize) {
            let is_name =
                !matches!(name, b"" | b"." | b"..") && !name.iter().any(|&b| b == b'/' || b == 0);
            // The first is the path itself, the others are in one before.
            if (depth == 0) != (next == 0) || depth > next || (depth > 0) != is_name {
                return Err("directories that make no tree".into());
            }
            next = depth + 1;
            stamps.push_directory(depth, stamp, kind, name);
        }
        stamps.end_path(all_singles.by_ref().take(single_count as usize));
    }
    stamps.unused_links = unused_links;
    match stamps.unused_links.iter().all(|inode| inode.device == 0 && inode.nlink < 2) {
        true => Ok(stamps),
        false => Err("an unused link that is none".into()),
    }
}

fn take_column<'a, T>(
    from: &mut Decoder<'a>,
    count: usize,
    take: impl FnMut(&mut Decoder<'a>) -> Result<T, Odd>,
) -> Result<Vec<T>, Odd> {
    from.holds(count)?;
    columns::column(from, count, take)
}

/// How many directories each path has, and all of them.
fn take_directories<'a>(from: &mut Decoder<'a>) -> Result<(Vec<u32>, Vec<Directory<'a>>), Odd> {
    let paths = from.count(1)?;
    let counts = take_column(from, paths, Decoder::small)?;
    let count = counts.iter().map(|&count| count as usize).sum();
    let depths = take_column(from, count, Decoder::small)?;
    let mut last = Stamp::default();
    let inos = take_column(from, count, |from| {
        last.ino = last.ino.wrapping_add(from.signed()? as u64);
        Ok(last.ino)
    })?;
    let seconds = take_column(from, count, |from| {
        last.seconds = last.seconds.wrapping_add(from.signed()?);
        Ok(last.seconds)
    })?;
    let nanoseconds = take_column(from, count, |from| {
        let sum = i64::from(last.nanoseconds).checked_add(from.signed()?);
        let sum = sum.and_then(|sum| u32::try_from(sum).ok()).filter(|&n| n < 1_000_000_000);
        last.nanoseconds = sum.ok_or("a part of a second that is none")?;
        Ok(last.nanoseconds)
    })?;
    let lengths = take_column(from, count, Decoder::small)?;
    let mut all = Vec::with_capacity(count);
    for i in 0..count {
        let stamp = Stamp { ino: inos[i], seconds: seconds[i], nanoseconds: nanoseconds[i] };
        all.push((depths[i], stamp, from.take(lengths[i] as usize)?));
    }
    Ok((counts, all))
}
