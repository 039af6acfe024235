//! Who refers from outside a scan to the extents of what it met.

use super::numbers::Numbers;
use super::stretches::{self, ReadStretches};
use super::{Holder, kind_of};
use crate::fs::{ExtentReader, Stretch, Subvolume};
use crate::threads;
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many subvolumes are read at once; each takes a bit for each extent.
const SUBVOLUMES: usize = 64;
/// How many references are looked for in one go.
const REFERENCES: usize = 4096;

/// Some extents, by place.
pub(super) struct Marked(Vec<AtomicU64>);

impl Marked {
    fn new(extents: usize) -> Self {
        Self((0..extents.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    fn mark(&self, place: u32) {
        let (word, bit) = (&self.0[place as usize / 64], 1 << (place % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Marks those at some addresses.
    fn mark_all(&self, extents: &Numbers, addresses: &[u64]) {
        threads::pieces(addresses.len(), REFERENCES, &|places| {
            let mut hand = 0;
            for &start in &addresses[places] {
                extents.place_near(start, &mut hand).into_iter().for_each(|place| self.mark(place));
            }
        });
    }

    /// Their places, ascending.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.0).flat_map(|(at, word)| {
            let mut word = word.load(Ordering::Relaxed);
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

/// Looks for references to extents from files of the store's subvolume outside the scan, from
/// those in lower layers, and from all other subvolumes, and shows which have any, and to what;
/// whether all of them could be read.
///
/// # Errors
/// Those of [`ExtentReader::subvolumes`], and `QuotaExceeded`.
pub(super) fn each_holding(
    reader: &dyn ExtentReader,
    extents: &Numbers,
    (elsewhere, lower): (&[u64], &[u64]),
    (at, warnings): (&[u8], &mut Warnings),
    each: &mut dyn FnMut(Subvolume, &Marked),
) -> io::Result<bool> {
    threads::ready();
    let mut all_read = true;
    let mut rest = subvolumes(reader, at, warnings)?.into_iter();
    loop {
        let together: Vec<Subvolume> = rest.by_ref().take(SUBVOLUMES).collect();
        if together.is_empty() {
            return Ok(all_read);
        }
        let read = |subvolume: &Subvolume| {
            let marked = Marked::new(extents.len());
            let read = if subvolume.id == reader.own() {
                marked.mark_all(extents, elsewhere);
                Ok(())
            } else if subvolume.lower {
                marked.mark_all(extents, lower);
                Ok(())
            } else {
                read_starts(reader, subvolume, extents, &marked)
            };
            (marked, read)
        };
        let mut read = threads::map(together.len(), 1, |at| read(&together[at]));
        let exceeds = |read: &io::Result<()>| read.as_ref().is_err_and(stretches::exceeds);
        if let Some(at) = read.iter().position(|(_, read)| exceeds(read)) {
            read.swap_remove(at).1?;
        }
        for (subvolume, (marked, read)) in together.into_iter().zip(read) {
            if let Err(error) = read {
                let message = format!(
                    "cannot read what this subvolume shares with the store, which is taken to be \
                     nothing more than was read: {error}"
                );
                warnings.push(kind_of(&error), subvolume.path.clone(), message);
                all_read = false;
            }
            if marked.places().next().is_some() {
                each(subvolume, &marked);
            }
        }
    }
}

/// Marks the extents to which another subvolume refers.
fn read_starts(
    reader: &dyn ExtentReader,
    subvolume: &Subvolume,
    extents: &Numbers,
    marked: &Marked,
) -> io::Result<()> {
    let read = |stretch: &Stretch| {
        let mut hand = 0;
        let rest = reader.read_starts(stretch, &mut |start| {
            extents.place_near(start, &mut hand).into_iter().for_each(|place| marked.mark(place));
        })?;
        Ok(((), rest))
    };
    ReadStretches::new(&[Stretch::whole(subvolume.id)], &read).all().map(|_| ())
}

/// The subvolumes that refer to extents; a note is about `at` where some are deleted.
fn subvolumes(
    reader: &dyn ExtentReader,
    at: &[u8],
    warnings: &mut Warnings,
) -> io::Result<Vec<Subvolume>> {
    let mut subvolumes = reader.subvolumes()?;
    let deleted = subvolumes.iter().filter(|subvolume| subvolume.deleted).count();
    if deleted > 0 {
        let s = if deleted == 1 { " is" } else { "s are" };
        let message = format!(
            "{deleted} deleted subvolume{s} not cleaned up by btrfs yet: what only they hold \
             is taken to be free"
        );
        warnings.push(WarningKind::Note, at, message);
    }
    subvolumes.retain(|subvolume| !subvolume.deleted || subvolume.id == reader.own());
    Ok(subvolumes)
}

/// Who holds each extent from outside.
pub(super) struct Holding {
    /// For each extent, a set of holders.
    pub(super) of_extents: Vec<u32>,
    /// Sets of indexes of holders; the first is empty.
    pub(super) sets: Vec<Vec<u32>>,
    /// The set that comes of one by one holder more.
    next: HashMap<(u32, u32), u32>,
    pub(super) holders: Vec<Holder>,
}

impl Holding {
    /// Of so many extents none is held.
    pub(super) fn new(extents: usize) -> Self {
        Self {
            of_extents: vec![0; extents],
            sets: vec![Vec::new()],
            next: HashMap::new(),
            holders: Vec::new(),
        }
    }

    /// Adds a holder of some extents.
    pub(super) fn add(&mut self, holder: Holder, marked: &Marked) {
        let number = self.holders.len() as u32;
        self.holders.push(holder);
        for place in marked.places() {
            let set = &mut self.of_extents[place as usize];
            *set = match self.next.get(&(*set, number)) {
                Some(&next) => next,
                None => {
                    let mut with = self.sets[*set as usize].clone();
                    with.push(number);
                    let next = self.sets.len() as u32;
                    self.sets.push(with);
                    self.next.insert((*set, number), next);
                    next
                }
            };
        }
    }
}
