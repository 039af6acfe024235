//! What is there in large numbers, as columns: first all values of one field,
//! then all of the next. So they compress better, and are read faster.

use super::codec::{Decoder, Encoder, Odd};
use crate::catalog::{Catalog, CatalogParts, OddParts, Strings};
use crate::disk::{DiskScan, Inode, KindScan, KindSums, Overlay, Physical, SharedName, Usage};
use crate::graph::Rows;
use crate::kinds::FileKind;
use std::cmp::Ordering;

impl From<OddParts> for Odd {
    fn from(odd: OddParts) -> Self {
        Self(format!("it has {}", odd.0))
    }
}

/// One field of so many.
pub(super) fn column<'a, T>(
    from: &mut Decoder<'a>,
    count: usize,
    mut take: impl FnMut(&mut Decoder<'a>) -> Result<T, Odd>,
) -> Result<Vec<T>, Odd> {
    (0..count).map(|_| take(from)).collect()
}

/// Texts: their number, the length of each, then all texts.
fn put_texts(out: &mut Encoder, texts: &Strings) {
    out.number(texts.len() as u64);
    texts.iter().for_each(|text| out.number(text.len() as u64));
    out.bytes(texts.text().as_bytes());
}

fn take_texts(from: &mut Decoder<'_>) -> Result<Strings, Odd> {
    let count = from.count(1)?;
    let mut end = 0u32;
    let ends = column(from, count, |from| {
        end = end.checked_add(from.small()?).ok_or("more than 4 GiB of text")?;
        Ok(end)
    })?;
    let text = from.text()?.to_owned();
    Strings::from_parts(text, ends).ok_or_else(|| "lengths do not fit the text".into())
}

/// An optional number, one higher; 0 for none.
fn put_optional(out: &mut Encoder, n: Option<u64>) {
    // No size is u64::MAX: see `niche`.
    out.number(n.map_or(0, |n| n.saturating_add(1)));
}

fn take_optional(from: &mut Decoder<'_>) -> Result<Option<u64>, Odd> {
    Ok(from.number()?.checked_sub(1))
}

/// Rows in ascending order: their number; the length of each; then of each its
/// first entry and the distances between entries.
pub(super) fn put_rows(out: &mut Encoder, rows: &Rows) {
    out.number(rows.len() as u64);
    rows.iter().for_each(|row| out.number(row.len() as u64));
    for row in rows.iter() {
        let mut last = 0;
        for &entry in row {
            out.number((entry - last).into());
            last = entry;
        }
    }
}

/// All entries must be below `limit`.
pub(super) fn take_rows(from: &mut Decoder<'_>, limit: usize) -> Result<Rows, Odd> {
    let count = from.count(1)?;
    let mut offsets = Vec::with_capacity(count + 1);
    let mut end = 0u32;
    offsets.push(0);
    for _ in 0..count {
        end = end.checked_add(from.small()?).ok_or("2^32 entries or more")?;
        offsets.push(end);
    }
    from.holds(end as usize)?;
    let mut entries = Vec::with_capacity(end as usize);
    for ends in offsets.windows(2) {
        let mut last = 0u64;
        for _ in ends[0]..ends[1] {
            // Both are below 2^32: no sum of theirs is lost.
            last += u64::from(from.small()?);
            if last >= limit as u64 {
                return Err("an entry of a row is beyond the last".into());
            }
            entries.push(last as u32);
        }
    }
    Ok(Rows::from_parts(offsets, entries))
}

/// The paths and what the database says of each.
pub(super) fn put_paths(out: &mut Encoder, catalog: &Catalog) {
    out.bytes(catalog.store_dir().as_bytes());
    let [names, derivers, signatures, content_addresses] = catalog.texts();
    put_texts(out, names);
    let none = [0; 32];
    for id in catalog.ids() {
        out.bytes.extend_from_slice(catalog.hash(id).unwrap_or(&none));
    }
    catalog.ids().for_each(|id| put_optional(out, catalog.nar_size(id)));
    for id in catalog.ids() {
        // No time is i64::MIN.
        out.signed(catalog.registration_time(id).unwrap_or(i64::MIN));
    }
    catalog.ids().for_each(|id| out.field(&catalog.ultimate(id)));
    [derivers, signatures, content_addresses].into_iter().for_each(|texts| put_texts(out, texts));
}

/// The paths without their references.
pub(super) fn take_paths(from: &mut Decoder<'_>) -> Result<CatalogParts, Odd> {
    let store_dir = from.text()?.to_owned();
    let names = take_texts(from)?;
    let count = names.len();
    let hashes = from.take(count.checked_mul(32).ok_or("too many paths")?)?.as_chunks().0.to_vec();
    let nar_sizes = column(from, count, take_optional)?;
    let time = |n: i64| Some(n).filter(|&n| n != i64::MIN);
    let registration_times = column(from, count, |from| from.signed().map(time))?;
    let ultimate = column(from, count, Decoder::field)?;
    Ok(CatalogParts {
        store_dir,
        names,
        nar_sizes,
        hashes,
        registration_times,
        ultimate,
        derivers: take_texts(from)?,
        signatures: take_texts(from)?,
        content_addresses: take_texts(from)?,
        ..CatalogParts::default()
    })
}

/// References by path.
pub(super) fn put_references(out: &mut Encoder, catalog: &Catalog) {
    put_rows(out, catalog.references());
}

pub(super) fn take_references(from: &mut Decoder<'_>) -> Result<Rows, Odd> {
    // The catalog checks that they are paths.
    take_rows(from, u32::MAX as usize)
}

/// Counts are summed all over; no file system has so many of anything.
const MOST_COUNTED: u64 = 1 << 40;

/// The numbers of a usage that others do not give.
type Sums = [u64; 8];

fn sums(usage: &Usage) -> Sums {
    [
        usage.nar_size,
        usage.private_apparent_size,
        usage.private_disk_size,
        usage.private_inodes,
        usage.files,
        usage.directories,
        usage.symlinks,
        usage.unsupported,
    ]
}

/// What each path costs that only it can hold, and what the scan says of itself.
pub(super) fn put_usages(out: &mut Encoder, scan: &DiskScan) {
    let usages = || scan.usages.iter().chain(scan.others.iter().map(|(_, usage)| usage));
    out.number(scan.usages.len() as u64);
    out.list(scan.others.iter().map(|(name, _)| name));
    for column in 0..Sums::default().len() {
        usages().for_each(|usage| out.number(sums(usage)[column]));
    }
    usages().for_each(|u| out.bytes.push(u8::from(u.present) | u8::from(u.complete) << 1));
    out.field(&scan.devices);
    out.field(&scan.links);
    out.field(&scan.store_directory_disk_size);
    out.field(&scan.capacity);
    out.field(&scan.use_case_hack);
    out.field(&scan.entries);
    out.field(&scan.stat_calls);
    out.field(&scan.warnings);
}

/// A scan without inodes of several names.
pub(super) fn take_usages(from: &mut Decoder<'_>) -> Result<DiskScan, Odd> {
    let paths = from.count(Sums::default().len() + 1)?;
    let others: Vec<Vec<u8>> = from.field()?;
    // Such a name is one entry of a directory.
    let is_name = |name: &Vec<u8>| {
        !matches!(&**name, b"" | b"." | b"..") && !name.iter().any(|&b| b == b'/' || b == 0)
    };
    if !others.windows(2).all(|w| w[0] < w[1]) || !others.iter().all(is_name) {
        return Err("names of other entries that are none, or out of order".into());
    }
    let count = paths + others.len();
    from.holds(count)?;
    let mut columns: [Vec<u64>; 8] = Default::default();
    for numbers in &mut columns {
        *numbers = column(from, count, Decoder::number)?;
    }
    let flags = from.take(count)?;
    let usage = |i: usize| {
        if flags[i] > 3 {
            return Err(Odd::from("flags of a path that are not known"));
        }
        Ok(Usage {
            nar_size: columns[0][i],
            private_apparent_size: columns[1][i],
            private_disk_size: columns[2][i],
            private_inodes: columns[3][i],
            files: columns[4][i],
            directories: columns[5][i],
            symlinks: columns[6][i],
            unsupported: columns[7][i],
            present: flags[i] & 1 != 0,
            complete: flags[i] & 2 != 0,
            ..Usage::default()
        })
    };
    let mut usages = (0..count).map(usage).collect::<Result<Vec<_>, _>>()?;
    let counted = |u: &Usage| {
        [u.private_inodes, u.files, u.directories, u.symlinks, u.unsupported].into_iter().max()
    };
    if usages.iter().filter_map(counted).any(|n| n >= MOST_COUNTED) {
        return Err("more files than there can be".into());
    }
    let others = others.into_iter().zip(usages.split_off(paths)).collect();
    Ok(DiskScan {
        physical: Physical::Unknown("the snapshot does not say it".to_owned()),
        overlay: Overlay::No,
        usages,
        others,
        inodes: Vec::new(),
        names: Rows::default(),
        devices: from.field()?,
        links: from.field()?,
        store_directory_disk_size: from.field()?,
        capacity: from.field()?,
        use_case_hack: from.field()?,
        entries: from.field()?,
        stat_calls: from.field()?,
        warnings: from.field()?,
    })
}

/// Blocks of 512 bytes that a file of that many bytes usually takes.
fn usual_blocks(size: u64) -> u64 {
    size.div_ceil(4096) * 8
}

/// The inodes with several names. Numbers as distances from the one before,
/// blocks as what they are beside the usual ones.
pub(super) fn put_inodes(out: &mut Encoder, inodes: &[Inode]) {
    out.number(inodes.len() as u64);
    let mut last = 0;
    for inode in inodes {
        out.signed(inode.ino.wrapping_sub(last) as i64);
        last = inode.ino;
    }
    inodes.iter().for_each(|inode| out.number(inode.size));
    for inode in inodes {
        out.signed(inode.blocks().wrapping_sub(usual_blocks(inode.size)) as i64);
    }
    inodes.iter().for_each(|inode| out.number(inode.nlink.into()));
    inodes.iter().for_each(|inode| out.number(inode.device.into()));
    inodes.iter().for_each(|inode| out.bytes.push(inode.flags()));
}

pub(super) fn take_inodes(from: &mut Decoder<'_>) -> Result<Vec<Inode>, Odd> {
    let count = from.count(6)?;
    let mut last = 0u64;
    let inos = column(from, count, |from| {
        last = last.wrapping_add(from.signed()? as u64);
        Ok(last)
    })?;
    let sizes = column(from, count, Decoder::number)?;
    let blocks = column(from, count, Decoder::signed)?;
    let nlinks = column(from, count, Decoder::small)?;
    let devices = column(from, count, Decoder::small)?;
    let flags = from.take(count)?;
    let inode = |i: usize| {
        let blocks = usual_blocks(sizes[i]).wrapping_add(blocks[i] as u64);
        let key = (devices[i], inos[i]);
        Inode::from_parts(key, sizes[i], blocks, flags[i], nlinks[i])
            .ok_or_else(|| "an inode that cannot be".into())
    };
    (0..count).map(inode).collect()
}

/// Which inodes of several names have some in which path.
pub(super) fn put_names(out: &mut Encoder, scan: &DiskScan) {
    put_rows(out, &scan.names);
}

/// Puts inodes and their names into a scan.
pub(super) fn take_names(from: &mut Decoder<'_>, inodes: usize, paths: usize) -> Result<Rows, Odd> {
    let names = take_rows(from, inodes)?;
    match names.len() == paths {
        true => Ok(names),
        false => Err("names of other paths".into()),
    }
}

/// Joins the parts of a scan.
pub(super) fn with_inodes(
    mut scan: DiskScan,
    inodes: Vec<Inode>,
    names: Rows,
) -> Result<DiskScan, Odd> {
    let devices = scan.devices.len();
    // The store directory's own is the first.
    if devices == 0 || inodes.iter().any(|inode| inode.device as usize >= devices) {
        return Err("an inode of a device that is not there".into());
    }
    if !are_distinct(&inodes) {
        return Err("inodes that are out of order or there twice".into());
    }
    scan.inodes = inodes;
    scan.names = names;
    scan.add_shared();
    Ok(scan)
}

/// Whether inodes are as a scan has them: those of `.links`, then the others,
/// each ascending, and none among both.
fn are_distinct(inodes: &[Inode]) -> bool {
    let ascending = |run: &[Inode]| run.windows(2).all(|w| w[0].key() < w[1].key());
    let descent = inodes.windows(2).position(|w| w[0].key() >= w[1].key());
    let (mut a, mut b) = inodes.split_at(descent.map_or(inodes.len(), |at| at + 1));
    if !ascending(a) || !ascending(b) {
        return false;
    }
    while let ([first, rest @ ..], [other, others @ ..]) = (a, b) {
        match first.key().cmp(&other.key()) {
            Ordering::Less => a = rest,
            Ordering::Greater => b = others,
            Ordering::Equal => return false,
        }
    }
    true
}

/// The kinds by their numbers in a section.
pub(super) struct NumberedKinds(Vec<FileKind>);

impl NumberedKinds {
    /// Their keys.
    pub(super) fn put(out: &mut Encoder) {
        out.field(&FileKind::ALL.iter().map(|kind| kind.key().to_owned()).collect::<Vec<_>>());
    }

    pub(super) fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        let keys: Vec<String> = from.field()?;
        let known = |key: &String| FileKind::from_key(key).ok_or("an unknown kind".into());
        keys.iter().map(known).collect::<Result<_, _>>().map(Self)
    }

    /// The kind of a number.
    pub(super) fn kind(&self, number: u8) -> Result<FileKind, Odd> {
        self.0.get(usize::from(number)).copied().ok_or("an odd kind".into())
    }

    /// The next kinds of a section, one after another.
    pub(super) fn column(
        &self,
        from: &mut Decoder<'_>,
        count: usize,
    ) -> Result<Vec<FileKind>, Odd> {
        from.take(count)?.iter().map(|&number| self.kind(number)).collect()
    }
}

/// What of each path is of which kind: the keys of the kinds, by which they are
/// numbered here; columns over sums of a path and kind; of each name of an
/// inode, as the section of names has them, its kind.
pub(super) fn put_kinds(out: &mut Encoder, kinds: &KindScan, names: &Rows) {
    NumberedKinds::put(out);
    let (own, of_names) = kinds.parts();
    out.number(own.len() as u64);
    let mut last = 0;
    for (path, ..) in own {
        out.number((path - last).into());
        last = *path;
    }
    own.iter().for_each(|(_, kind, _)| out.bytes.push(*kind as u8));
    for column in 0..4 {
        own.iter().for_each(|(.., sums)| out.number(kind_sums(sums)[column]));
    }
    let same = of_names.len() == names.entries()
        && (0u32..)
            .zip(names.iter())
            .flat_map(|(path, row)| row.iter().map(move |&inode| (path, inode)))
            .eq(of_names.iter().map(|(path, name)| (*path, name.inode)));
    out.field(&same);
    if !same {
        let pairs = of_names.iter().map(|(path, name)| (*path, name.inode));
        put_rows(out, &Rows::from_pairs(names.len(), pairs));
    }
    of_names.iter().for_each(|(_, name)| out.bytes.push(name.kind as u8));
    out.field(&kinds.warnings);
}

fn kind_sums(sums: &KindSums) -> [u64; 4] {
    [sums.entries, sums.nar_size, sums.apparent_size, sums.disk_size]
}

pub(super) fn take_kinds(from: &mut Decoder<'_>, scan: &DiskScan) -> Result<KindScan, Odd> {
    let numbered = NumberedKinds::take(from)?;
    let paths = scan.usages.len() + scan.others.len();
    let count = from.count(6)?;
    let mut last = 0u64;
    let of_paths = column(from, count, |from| {
        last += u64::from(from.small()?);
        match last < paths as u64 {
            true => Ok(last as u32),
            false => Err("a path that is not there".into()),
        }
    })?;
    let own_kinds = numbered.column(from, count)?;
    let mut columns: [Vec<u64>; 4] = Default::default();
    for numbers in &mut columns {
        *numbers = column(from, count, Decoder::number)?;
    }
    if columns[0].iter().any(|&n| n >= MOST_COUNTED) {
        return Err("more files than there can be".into());
    }
    let own = (0..count).map(|i| {
        let sums = KindSums {
            entries: columns[0][i],
            nar_size: columns[1][i],
            apparent_size: columns[2][i],
            disk_size: columns[3][i],
        };
        (of_paths[i], own_kinds[i], sums)
    });
    let own = own.collect();
    let other = match from.field::<bool>()? {
        true => None,
        false => Some(take_rows(from, scan.inodes.len())?),
    };
    let rows = other.as_ref().unwrap_or(&scan.names);
    if rows.len() != paths {
        return Err("kinds of names of other paths".into());
    }
    let kinds = numbered.column(from, rows.entries())?;
    let pairs = (0u32..).zip(rows.iter());
    let pairs = pairs.flat_map(|(path, row)| row.iter().map(move |&inode| (path, inode)));
    let names = pairs.zip(kinds).map(|((path, inode), kind)| (path, SharedName { inode, kind }));
    let names = names.collect();
    KindScan::from_parts(own, names, from.field()?).ok_or_else(|| "kinds out of order".into())
}
