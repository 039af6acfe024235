//! Who refers from outside a scan to the extents of what it met.

use super::{Holder, kind_of};
use crate::disk::inodes::ByNumber;
use crate::fs::{ExtentReader, Subvolume};
use crate::warning::{WarningKind, Warnings};
use std::collections::HashMap;
use std::io;

/// Who refers to extents from outside.
pub(super) struct Holding {
    /// The place of each extent by its address.
    extents: ByNumber,
    /// For each extent, a set of holders.
    pub(super) of_extents: Vec<u32>,
    /// Sets of indexes of holders; the first is empty.
    pub(super) sets: Vec<Vec<u32>>,
    /// The set that comes of one by one holder more.
    next: HashMap<(u32, u32), u32>,
    pub(super) holders: Vec<Holder>,
}

impl Holding {
    pub(super) fn new(starts: impl Iterator<Item = u64>) -> Self {
        let mut extents = ByNumber::default();
        let mut count = 0;
        for start in starts {
            extents.get_or_insert(start, count);
            count += 1;
        }
        Self {
            extents,
            of_extents: vec![0; count as usize],
            sets: vec![Vec::new()],
            next: HashMap::new(),
            holders: Vec::new(),
        }
    }

    /// Looks for references from files of the store's subvolume outside the scan, from those in
    /// lower layers, and from all other subvolumes; whether all of these could be read.
    pub(super) fn read(
        &mut self,
        reader: &dyn ExtentReader,
        (elsewhere, lower): (&[u64], &[u64]),
        at: &[u8],
        warnings: &mut Warnings,
    ) -> io::Result<bool> {
        let mut all_read = true;
        for subvolume in subvolumes(reader, at, warnings)? {
            let own = subvolume.id == reader.own();
            let holder = self.holders.len() as u32;
            let mut found = false;
            if own {
                elsewhere.iter().for_each(|&start| found |= self.hold(start, holder));
            } else if subvolume.lower {
                lower.iter().for_each(|&start| found |= self.hold(start, holder));
            } else {
                let each = &mut |start| found |= self.hold(start, holder);
                all_read &= read_starts(reader, &subvolume, warnings, each)?;
            }
            if found {
                let Subvolume { path, snapshot, unknown, lower, .. } = subvolume;
                self.holders.push(Holder { path, snapshot, own, unknown, lower });
            }
        }
        Ok(all_read)
    }

    /// Notes that a holder refers to the extent at an address, if it is one of these.
    fn hold(&mut self, start: u64, holder: u32) -> bool {
        let Some(extent) = self.extents.get(start) else { return false };
        let set = &mut self.of_extents[extent as usize];
        if self.sets[*set as usize].last() == Some(&holder) {
            return true;
        }
        *set = match self.next.get(&(*set, holder)) {
            Some(&next) => next,
            None => {
                let mut with = self.sets[*set as usize].clone();
                with.push(holder);
                let next = self.sets.len() as u32;
                self.sets.push(with);
                self.next.insert((*set, holder), next);
                next
            }
        };
        true
    }
}

/// The subvolumes that refer to extents; a note is about `at` where some are deleted.
pub(super) fn subvolumes(
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

/// Shows where the extents begin to which another subvolume refers; whether all of it
/// could be read.
pub(super) fn read_starts(
    reader: &dyn ExtentReader,
    subvolume: &Subvolume,
    warnings: &mut Warnings,
    each: &mut dyn FnMut(u64),
) -> io::Result<bool> {
    match reader.read_starts(subvolume.id, each) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => Err(error),
        Err(error) => {
            let message = format!(
                "cannot read what this subvolume shares with the store, which is taken to be \
                 nothing more than was read: {error}"
            );
            warnings.push(kind_of(&error), subvolume.path.clone(), message);
            Ok(false)
        }
    }
}
