//! What is taken over and what was walked, put together.

use super::super::extents::Found;
use super::super::inodes::{self, Inode, InodeTable};
use super::super::links::Links;
use super::super::scan::add_shared;
use super::super::stamps::Single;
use super::super::summing::Sums;
use super::super::usage::Usage;
use super::Before;
use crate::arrange::Arrange as _;
use crate::graph::Rows;
use hashbrown::{HashMap, HashSet};

/// What is in `.links` now.
pub(super) struct LinksNow {
    /// Of which nothing need be summed; `None` if there are none.
    pub(super) links: Option<Links>,
    /// The numbers of inodes known before, one for each of their names here.
    pub(super) known: Vec<u64>,
    /// Inodes that `stat` was called for, one for each of their names here.
    pub(super) new: Vec<Inode>,
    /// Whether it was read again.
    pub(super) again: bool,
}

impl LinksNow {
    /// What was there before.
    pub(super) fn unchanged(before: Before<'_>) -> Self {
        let links = before.scan.links.map(|links| links.unsummed());
        // They have gained names since, or are unused still.
        let new = before.paths.unused_links.clone();
        Self { links, known: Vec::new(), new, again: false }
    }
}

/// Puts together what is taken over and what was walked.
pub(super) struct Merge<'a> {
    before: Before<'a>,
    /// Of each path the number that it had before, if it is taken over.
    pub(super) kept: Vec<Option<u32>>,
    /// How many names each inode had before, in all paths and in `.links`.
    names_then: Vec<u32>,
    /// How many names it has in paths that are taken over.
    in_kept: Vec<u32>,
}

/// What was put together.
pub(super) struct Merged {
    pub(super) usages: Vec<Usage>,
    pub(super) inodes: Vec<Inode>,
    pub(super) names: Rows,
    pub(super) links: Option<Links>,
    pub(super) unused_links: Vec<Inode>,
    /// The new index of each inode that was walked.
    pub(super) walked: Vec<u32>,
    /// See [`TakenOver`].
    pub(super) taken: Vec<Option<u32>>,
    pub(super) singles: Vec<(u32, u32)>,
}

/// An inode, and how many names it has in `.links`.
struct Slot {
    inode: Inode,
    links: u32,
}

impl<'a> Merge<'a> {
    pub(super) fn new(before: Before<'a>, kept: Vec<Option<u32>>) -> Self {
        let names_then = before.scan.count_names();
        let mut in_kept = vec![0; names_then.len()];
        for &old in kept.iter().flatten() {
            before.scan.names.row(old).iter().for_each(|&inode| in_kept[inode as usize] += 1);
        }
        Self { before, kept, names_then, in_kept }
    }

    /// Paths that are taken over, with the numbers that they had.
    fn kept_paths(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0u32..).zip(&self.kept).filter_map(|(path, old)| Some((path, (*old)?)))
    }

    /// Takes a path over no longer.
    pub(super) fn give_up(&mut self, path: u32) {
        if let Some(old) = self.kept[path as usize].take() {
            let names = self.before.scan.names.row(old);
            names.iter().for_each(|&inode| self.in_kept[inode as usize] -= 1);
        }
    }

    /// The inodes that had a name in `.links` and have one in a path that is taken over: no
    /// other inode has got such a number.
    pub(super) fn known_links(&self) -> InodeTable {
        let inodes = self.before.scan.inodes.iter().zip(&self.in_kept);
        let known = inodes.filter(|(inode, in_kept)| **in_kept > 0 && inode.linked());
        InodeTable::from_distinct(known.map(|(inode, _)| *inode).collect())
    }

    /// How many names each inode of before has in `.links` now, of those that are known
    /// without `stat`.
    pub(super) fn count_links(&self, links: &LinksNow) -> Vec<u32> {
        let inodes = &self.before.scan.inodes;
        if !links.again {
            return inodes.iter().map(Inode::links).collect();
        }
        let mut counts: HashMap<u64, u32> = HashMap::with_capacity(links.known.len());
        links.known.iter().for_each(|&ino| *counts.entry(ino).or_default() += 1);
        let count = |inode: &Inode| counts.get(&inode.ino).copied().unwrap_or(0);
        inodes.iter().map(|inode| if inode.linked() { count(inode) } else { 0 }).collect()
    }

    /// The paths that are taken over and have to be walked after all, as inodes that were
    /// met elsewhere, or are in `.links` now, are theirs alone as far as is known, or as
    /// the names of an inode of theirs do not add up.
    pub(super) fn to_walk_too(
        &self,
        met: &[(u32, u64)],
        links: &LinksNow,
        links_then: &[u32],
    ) -> Vec<u32> {
        let inodes = &self.before.scan.inodes;
        let met: HashSet<(u32, u64)> = met.iter().copied().collect();
        let in_links: HashSet<(u32, u64)> = match links.again {
            true => links.new.iter().filter(|inode| inode.nlink > 1).map(Inode::key).collect(),
            false => HashSet::new(),
        };
        let mut strange: HashSet<u64> = HashSet::new();
        strange.extend(met.iter().chain(&in_links).filter(|key| key.0 == 0).map(|key| key.1));
        let mut odd = vec![false; inodes.len()];
        let mut any_odd = false;
        for (i, inode) in inodes.iter().enumerate().filter(|&(i, _)| self.in_kept[i] > 0) {
            strange.remove(&inode.ino);
            let names = self.in_kept[i] + links_then[i];
            odd[i] = names != self.names_then[i]
                && inode.nlink != self.names_then[i]
                && !met.contains(&inode.key())
                && !in_links.contains(&inode.key());
            any_odd |= odd[i];
        }
        if strange.is_empty() && !any_odd {
            return Vec::new();
        }
        let is_strange = |old: u32| {
            let singles = self.before.paths.singles(old);
            !strange.is_empty() && singles.iter().any(|single| strange.contains(&single.ino))
        };
        let is_odd = |old| self.before.scan.names.row(old).iter().any(|&inode| odd[inode as usize]);
        let too = self.kept_paths().filter(|&(_, old)| is_strange(old) || is_odd(old));
        too.map(|(path, _)| path).collect()
    }

    /// The files of one name in paths that are taken over, of which some had more; without
    /// directories.
    pub(super) fn found_before(&self, singles: &[(u32, u32)]) -> Vec<Found> {
        let found =
            |path, single: &Single| Found::new(path, single.ino, u64::from(single.blocks) * 512);
        let kept = self.kept_paths().flat_map(|(path, old)| {
            self.before.paths.singles(old).iter().map(move |single| found(path, single))
        });
        let new = singles.iter().map(|&(path, inode)| {
            let inode = &self.before.scan.inodes[inode as usize];
            Found::new(path, inode.ino, inode.disk_size())
        });
        kept.chain(new).filter(|found| found.blocks > 0).collect()
    }

    pub(super) fn finish(&self, sums: Sums, links: &LinksNow, links_then: &[u32]) -> Merged {
        let Sums { mut usages, inodes: walked, names: walked_names, .. } = sums;
        let walked_count = walked.len();
        let table = InodeTable::from_distinct(walked.clone());
        let mut slots: Vec<Slot> =
            walked.into_iter().map(|inode| Slot { inode, links: 0 }).collect();
        // What `stat` was called for in `.links`, or what was unused there.
        let mut of_links: HashMap<(u32, u64), u32> = HashMap::new();
        for inode in &links.new {
            let key = inode.key();
            let slot = match table.find(key.0, key.1) {
                Some(slot) => slot,
                None => *of_links.entry(key).or_insert_with(|| {
                    slots.push(Slot { inode: *inode, links: 0 });
                    slots.len() as u32 - 1
                }),
            };
            slots[slot as usize].links += 1;
        }
        let mut taken_slots = vec![None; self.in_kept.len()];
        for (i, inode) in self.before.scan.inodes.iter().enumerate() {
            if self.in_kept[i] == 0 && links_then[i] == 0 {
                continue;
            }
            let (device, ino) = inode.key();
            let found = table.find(device, ino).or_else(|| of_links.get(&(device, ino)).copied());
            let slot = found.unwrap_or_else(|| {
                // As many names outside the store as there were.
                let outside = i64::from(inode.nlink) - i64::from(self.names_then[i]);
                let names = i64::from(self.in_kept[i]) + i64::from(links_then[i]);
                let nlink = u32::try_from(names + outside).unwrap_or(0);
                slots.push(Slot { inode: inode.named(nlink, 0), links: 0 });
                slots.len() as u32 - 1
            });
            slots[slot as usize].links += links_then[i];
            taken_slots[i] = Some(slot);
        }
        let Numbered { inodes, numbers, links, unused_links } = number(&slots, links.links);

        let taken: Vec<Option<u32>> =
            taken_slots.iter().map(|slot| numbers[(*slot)? as usize]).collect();
        let mut singles = Vec::new();
        let mut names = Rows::default();
        let mut row = Vec::new();
        for (path, old) in (0u32..).zip(&self.kept) {
            row.clear();
            if let Some(old) = *old {
                let usage = &mut usages[path as usize];
                *usage = *self.before.scan.usage(old as usize);
                for &inode in self.before.scan.names.row(old) {
                    match taken[inode as usize] {
                        Some(number) => row.push(number),
                        None => {
                            usage.add_single(&self.before.scan.inodes[inode as usize]);
                            singles.push((path, inode));
                        }
                    }
                }
            } else {
                let walked = walked_names.row(path).iter();
                row.extend(walked.filter_map(|&inode| numbers[inode as usize]));
            }
            row.sort_unstable();
            names.push(&row);
        }
        add_shared(&mut usages, &inodes, names.iter());
        let walked = numbers[..walked_count].iter().map(|number| number.unwrap_or(0)).collect();
        Merged { usages, inodes, names, links, unused_links, walked, taken, singles }
    }
}

/// Inodes in the order of a scan.
struct Numbered {
    inodes: Vec<Inode>,
    /// The index of each slot's; `None` for inodes of one name.
    numbers: Vec<Option<u32>>,
    links: Option<Links>,
    unused_links: Vec<Inode>,
}

/// Puts inodes in order: those of `.links`, then the others; and sums those of `.links`.
fn number(slots: &[Slot], mut links: Option<Links>) -> Numbered {
    let mut unused_links = Vec::new();
    let mut order: Vec<u32> = Vec::with_capacity(slots.len());
    for (slot, Slot { inode, links: in_links }) in (0u32..).zip(slots) {
        if let Some(links) = links.as_mut().filter(|_| *in_links > 0) {
            links.sum(inode, *in_links);
        }
        match inode.nlink > 1 {
            true => order.push(slot),
            false if *in_links > 0 => unused_links.push(*inode),
            false => {}
        }
    }
    let slot = |&slot: &u32| &slots[slot as usize];
    inodes::in_order(&mut order, |at| slot(at).inode.key());
    // Those with links in `.links` first.
    order.arrange_by_number(|at| u64::from(slot(at).links == 0));
    let mut numbers = vec![None; slots.len()];
    let mut inodes = Vec::with_capacity(order.len());
    for (number, slot) in (0u32..).zip(order) {
        let Slot { inode, links } = &slots[slot as usize];
        numbers[slot as usize] = Some(number);
        inodes.push(inode.named(inode.nlink, *links));
    }
    Numbered { inodes, numbers, links, unused_links }
}
