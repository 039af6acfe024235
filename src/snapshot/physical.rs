//! What files take beneath their blocks.

use super::codec::{Decoder, Encoder, Field, Odd, choice, record};
use super::columns::{NumberedKinds, column, put_rows, take_rows};
use crate::disk::{
    CompressionSizes, DiskScan, ExtentGroup, ExtentSizes, Extents, Holder, Overlay, Physical,
    Space, Upper,
};
use crate::disk::{ExtentsByKind, KindScan, KindUser};
use crate::fs::{Compression, SizeIs};
use crate::graph::{Rows, saturating_sum};

choice! {
    Compression { 0 => None, 1 => Zlib, 2 => Lzo, 3 => Zstd, 4 => Prealloc, 5 => Unknown }
}

choice! {
    SizeIs { 0 => Exact, 1 => About, 2 => AtLeast }
}

record! {
    ExtentSizes { physical_size, uncompressed_size, referenced_size, inline_size }
    CompressionSizes { compression, sizes, inline_uncompressed_size }
}

/// Who it is, as one number: others than the store's subvolume, that, not known, or lower
/// layers.
impl Field for Holder {
    const LEAST: usize = 3;

    fn put(&self, out: &mut Encoder) {
        out.field(&self.path);
        out.field(&self.snapshot);
        out.field(&match self {
            Self { lower: true, .. } => 3u8,
            Self { unknown: true, .. } => 2,
            Self { own, .. } => u8::from(*own),
        });
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        let (path, snapshot) = (from.field()?, from.field()?);
        let who = u8::take(from)?;
        if who > 3 {
            return Err("extents of a holder of no known sort".into());
        }
        Ok(Self { path, snapshot, own: who == 1, unknown: who == 2, lower: who == 3 })
    }
}

/// No disk is larger, in bytes: sums of sizes that are below fit.
const LARGEST: u64 = 1 << 62;

/// How many paths all groups of extents together may have that a file of so many names and
/// users tells of, a path counted in each of its groups. A group is of inodes, each with any
/// number of names: without a limit a small file could ask for the product of both. Files of
/// real stores have a few for each.
fn most_paths(told: usize) -> u64 {
    (told as u64).saturating_mul(256).clamp(1 << 25, u32::MAX.into())
}

/// Refuses groups of more paths than that; `users` says of each user of each group how many
/// paths it stands for.
fn check_paths(told: usize, users: impl Iterator<Item = u64>) -> Result<(), Odd> {
    match saturating_sum(users) <= most_paths(told) {
        true => Ok(()),
        false => Err("extents of more paths than there can be".into()),
    }
}

/// How many names each inode has, of so many.
fn count_names(inodes: usize, names: impl Iterator<Item = u32>) -> Vec<u64> {
    let mut counts = vec![0u64; inodes];
    names.for_each(|inode| counts[inode as usize] += 1);
    counts
}

fn put_sizes(out: &mut Encoder, sizes: &[ExtentSizes]) {
    out.number(sizes.len() as u64);
    for field in 0..4 {
        sizes.iter().for_each(|sizes| out.number(fields(sizes)[field]));
    }
}

fn fields(sizes: &ExtentSizes) -> [u64; 4] {
    let ExtentSizes { physical_size, uncompressed_size, referenced_size, inline_size } = *sizes;
    [physical_size, uncompressed_size, referenced_size, inline_size]
}

fn take_sizes(from: &mut Decoder<'_>, expected: usize) -> Result<Vec<ExtentSizes>, Odd> {
    let count = from.count(4)?;
    if count != expected {
        return Err("extents of other paths or inodes".into());
    }
    let mut columns: [Vec<u64>; 4] = Default::default();
    for numbers in &mut columns {
        *numbers = column(from, count, Decoder::number)?;
    }
    let [physical, uncompressed, referenced, inline] = columns;
    let sizes = |i: usize| ExtentSizes {
        physical_size: physical[i],
        uncompressed_size: uncompressed[i],
        referenced_size: referenced[i],
        inline_size: inline[i],
    };
    Ok((0..count).map(sizes).collect())
}

/// What is known of it.
pub(super) fn put(out: &mut Encoder, physical: &Physical) {
    let extents = match physical {
        Physical::Blocks => return out.number(0),
        Physical::Unknown(why) => {
            out.number(1);
            return out.field(why);
        }
        Physical::Extents(extents) => extents,
    };
    match (extents.sizes_are, extents.freed_sizes_are) {
        (SizeIs::Exact, Some(SizeIs::Exact)) => out.number(2),
        (sizes_are, freed_sizes_are) => {
            out.number(3);
            out.field(&sizes_are);
            out.field(&freed_sizes_are);
        }
    }
    put_sizes(out, &extents.own);
    put_sizes(out, &extents.inodes);
    put_rows(out, &extents.owners);
    extents.groups.iter().for_each(|group| out.number(group.physical_size));
    extents.groups.iter().for_each(|group| out.number(group.uncompressed_size));
    let holders: Vec<&[u32]> = extents.groups.iter().map(|group| &*group.holders).collect();
    put_rows(out, &Rows::from_lists(&holders));
    out.field(&extents.holders);
    out.field(&extents.unused_links);
    out.field(&extents.totals);
    out.field(&extents.raw_size);
}

/// The same of the paths and inodes of a scan.
pub(super) fn take(from: &mut Decoder<'_>, scan: &DiskScan) -> Result<Physical, Odd> {
    let (sizes_are, freed_sizes_are) = match from.number()? {
        0 => return Ok(Physical::Blocks),
        1 => return Ok(Physical::Unknown(from.field()?)),
        2 => (SizeIs::Exact, Some(SizeIs::Exact)),
        3 => (from.field()?, from.field()?),
        _ => return Err("physical sizes of no known sort".into()),
    };
    let mut extents = Extents::default();
    (extents.sizes_are, extents.freed_sizes_are) = (sizes_are, freed_sizes_are);
    extents.own = take_sizes(from, scan.names.len())?;
    extents.inodes = take_sizes(from, scan.inodes.len())?;
    extents.owners = take_rows(from, extents.own.len() + extents.inodes.len())?;
    let count = extents.owners.len();
    from.holds(count)?;
    let physical = column(from, count, Decoder::number)?;
    let uncompressed = column(from, count, Decoder::number)?;
    let holders = take_rows(from, u32::MAX as usize)?;
    extents.holders = from.field()?;
    if holders.len() != count
        || holders.iter().flatten().any(|&h| h as usize >= extents.holders.len())
    {
        return Err("extents of a holder that is not there".into());
    }
    let distinct = |row: &[u32]| row.windows(2).all(|w| w[0] < w[1]);
    if !holders.iter().all(distinct) || !extents.owners.iter().all(distinct) {
        return Err("owners of extents that are none, or there twice".into());
    }
    let names = count_names(scan.inodes.len(), scan.names.iter().flatten().copied());
    let paths = |&owner: &u32| extents.inode(owner).map_or(1, |inode| names[inode as usize]);
    check_paths(
        scan.names.entries() + extents.owners.entries(),
        extents.owners.iter().flatten().map(paths),
    )?;
    let groups = physical.into_iter().zip(uncompressed).zip(holders.iter());
    extents.groups = groups
        .map(|((physical_size, uncompressed_size), holders)| ExtentGroup {
            physical_size,
            uncompressed_size,
            holders: holders.to_vec(),
        })
        .collect();
    extents.unused_links = from.field()?;
    extents.totals = from.field()?;
    extents.raw_size = from.field()?;
    match sums_fit(&extents) {
        true => Ok(Physical::Extents(Box::new(extents.summed(&scan.names)))),
        false => Err("sizes of extents that do not fit".into()),
    }
}

/// What is known of the layers of an overlay.
pub(super) fn put_overlay(out: &mut Encoder, overlay: &Overlay) {
    let upper = match overlay {
        Overlay::Upper(upper) => upper,
        Overlay::Unknown(why) => {
            out.number(0);
            return out.field(why);
        }
        Overlay::No => return,
    };
    out.number(1);
    out.field(&upper.all);
    out.field(&upper.blocks);
    upper.own.iter().for_each(|own| out.number(own.disk_size));
    upper.own.iter().for_each(|own| out.number(own.inodes));
    let there: Vec<u32> =
        (0u32..).zip(&upper.inodes).filter(|(_, there)| **there).map(|(inode, _)| inode).collect();
    put_rows(out, &Rows::from_lists(&[there]));
    out.field(&upper.unused_links);
}

/// The same of the paths and inodes of a scan.
pub(super) fn take_overlay(from: &mut Decoder<'_>, scan: &DiskScan) -> Result<Overlay, Odd> {
    match from.number()? {
        0 => return Ok(Overlay::Unknown(from.field()?)),
        1 => {}
        _ => return Err("layers of no known sort".into()),
    }
    let (all, blocks) = (from.field()?, from.field()?);
    let paths = scan.names.len();
    from.holds(paths)?;
    let disk_sizes = column(from, paths, Decoder::number)?;
    let counts = column(from, paths, Decoder::number)?;
    let own: Vec<Space> = disk_sizes
        .into_iter()
        .zip(counts)
        .map(|(size, count)| Space::blocks(size, count))
        .collect();
    let fits = |(path, own): (usize, &Space)| {
        let most = scan.usage(path).private();
        own.disk_size <= most.disk_size && own.inodes <= most.inodes
    };
    if !own.iter().enumerate().all(fits) {
        return Err("more in a layer than there is".into());
    }
    let there = take_rows(from, scan.inodes.len())?;
    if there.len() != 1 {
        return Err("inodes of layers that are not there".into());
    }
    let mut inodes = vec![false; scan.inodes.len()];
    there.row(0).iter().for_each(|&inode| inodes[inode as usize] = true);
    let unused_links: Space = from.field()?;
    let most = scan.links.unwrap_or_default().unused_space();
    if unused_links.disk_size > most.disk_size || unused_links.inodes > most.inodes {
        return Err("more in a layer than there is".into());
    }
    let mut upper = Upper::default();
    (upper.own, upper.inodes, upper.unused_links) = (own, inodes, unused_links);
    (upper.all, upper.blocks) = (all, blocks);
    Ok(Overlay::Upper(Box::new(upper)))
}

fn sums_fit(extents: &Extents) -> bool {
    let groups: Vec<ExtentSizes> = extents.groups.iter().map(ExtentGroup::sizes).collect();
    let totals = extents.totals.iter().map(|total| {
        let inline_size = total.sizes.inline_size.max(total.inline_uncompressed_size);
        ExtentSizes { inline_size, ..total.sizes }
    });
    let owned = extents.own.iter().chain(&extents.inodes).chain(&groups);
    let mut sums = [0u64; 4];
    for sizes in owned.chain([&extents.unused_links]).copied().chain(totals) {
        for (sum, size) in sums.iter_mut().zip(fields(&sizes)) {
            *sum = sum.saturating_add(size);
        }
    }
    sums.into_iter().chain(extents.raw_size).all(|sum| sum < LARGEST)
}

/// What kinds take: the keys of kinds; columns over some kinds in paths: path (distance from the
/// one before), kind; of each group of extents its users, these and then inodes; its sizes.
pub(super) fn put_kinds(out: &mut Encoder, extents: &ExtentsByKind) {
    NumberedKinds::put(out);
    let users = extents.groups().flat_map(|(users, _)| users);
    let mut of_paths: Vec<KindUser> =
        users.filter(|user| matches!(user, KindUser::Path(..))).copied().collect();
    of_paths.sort_unstable();
    of_paths.dedup();
    out.number(of_paths.len() as u64);
    let mut last = 0;
    for user in &of_paths {
        if let KindUser::Path(path, _) = user {
            out.number((path - last).into());
            last = *path;
        }
    }
    for user in &of_paths {
        if let KindUser::Path(_, kind) = user {
            out.bytes.push(*kind as u8);
        }
    }
    let number = |user: &KindUser| match user {
        KindUser::Inode(inode) => of_paths.len() as u32 + inode,
        of_path => of_paths.partition_point(|other| other < of_path) as u32,
    };
    let rows: Vec<Vec<u32>> =
        extents.groups().map(|(users, _)| users.iter().map(number).collect()).collect();
    put_rows(out, &Rows::from_lists(&rows));
    put_sizes(out, &extents.groups().map(|(_, sizes)| sizes).collect::<Vec<_>>());
}

/// The same of the paths and inodes of a scan, and of the kinds of its files.
pub(super) fn take_kinds(
    from: &mut Decoder<'_>,
    scan: &DiskScan,
    kinds: &KindScan,
) -> Result<ExtentsByKind, Odd> {
    let numbered = NumberedKinds::take(from)?;
    let count = from.count(2)?;
    let mut last = 0u64;
    let paths = column(from, count, |from| {
        last += u64::from(from.small()?);
        match last < scan.names.len() as u64 {
            true => Ok(last as u32),
            false => Err("a path that is not there".into()),
        }
    })?;
    let of_paths = paths.into_iter().zip(numbered.column(from, count)?);
    let mut users: Vec<KindUser> =
        of_paths.map(|(path, kind)| KindUser::Path(path, kind)).collect();
    users.extend((0..scan.inodes.len() as u32).map(KindUser::Inode));
    let rows = take_rows(from, users.len())?;
    let sizes = take_sizes(from, rows.len())?;
    let fits = |row: &[u32]| !row.is_empty() && row.windows(2).all(|w| w[0] < w[1]);
    if !rows.iter().all(fits) || !users.is_sorted_by(|a, b| a < b) {
        return Err("users of extents that are none, or there twice".into());
    }
    let (_, of_names) = kinds.parts();
    let names = count_names(scan.inodes.len(), of_names.iter().map(|(_, name)| name.inode));
    let paths = |&user: &u32| match users[user as usize] {
        KindUser::Path(..) => 1,
        KindUser::Inode(inode) => names[inode as usize],
    };
    check_paths(of_names.len() + rows.entries(), rows.iter().flatten().map(paths))?;
    let mut sum = ExtentSizes::default();
    sizes.iter().for_each(|sizes| sum.add(*sizes));
    if fields(&sum).into_iter().any(|sum| sum >= LARGEST) {
        return Err("sizes of extents that do not fit".into());
    }
    let of_row = |row: &[u32]| row.iter().map(|&user| users[user as usize]).collect();
    Ok(ExtentsByKind::from_groups(rows.iter().map(of_row).zip(sizes).collect()))
}
