//! Which inodes have the same contents, reading as little as can be.
//!
//! A file can have a twin only among those of its size, kind and executable
//! bit; among those, of its first bytes; and only what agrees in these is read
//! whole. Two contents are the same when the SHA-256 of their NARs is, which is
//! how Nix decides, and is the name of an entry of `.links`: so an inode with a
//! name there need not be read at all. Where no such name is there to be met,
//! BLAKE3 decides the same in a third of the time, and two large files of a size that no
//! other has are compared with each other, up to where they differ.
//!
//! Nix goes by that name even where the contents have changed since. What can
//! be known of such a link without reading all of `.links` is reported: files that
//! agree with a link in size and first bytes are hashed and looked up by name;
//! and links that look changed, by their time of modification, or that have no
//! other name, are read, and if one lies, every file not in `.links` is hashed.

use crate::arrange::{self, Arrange as _};
use crate::threads;
use std::cmp::Reverse;
use std::io;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::early::WHOLE;
use super::gathered::{GatheredTree, NamedLink};
use super::nar_hashes::nar_hashes;
use super::reader::{ContentsReader, Hash, Item, PREFIX, ReadBuffers};
use super::simulate::{Class, LayoutLink};
use crate::disk::{Progress, Reading, Total};
use crate::fs::StoreFiles;
use crate::graph::Node;
use crate::warning::{WarningKind, Warnings};

/// Files from this size on are hashed first, the largest before others.
const LARGE: u64 = 1 << 20;
/// How many files are hashed before their hashes are put by.
const BATCH: usize = 1 << 17;
/// How many small files a thread takes at once: mostly those of a directory.
const FEW: usize = 32;

/// What came of comparing; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// How many bytes of files were read.
    pub(super) bytes_read: u64,
    /// How many inodes could not be read, and so were taken for unlike any other.
    pub(super) unreadable: u64,
    /// Their size.
    pub(super) unreadable_size: u64,
}

/// Finds the classes of contents of `tree`, and what the names in `.links`
/// stand for. `alone` means that `.links` is not part of what is examined. To be called
/// in the pool of threads that is to read.
pub(super) fn classify(
    tree: &mut GatheredTree,
    alone: bool,
    (files, reading): (&StoreFiles, Reading),
    progress: &Progress,
    warnings: &mut Warnings,
) -> Compared {
    let hashes = std::mem::take(&mut tree.hashed);
    let reader = ContentsReader::new(tree, files, reading, progress);
    let mut run = Run { reader: &reader, alone, hashes, failed: Vec::new() };
    let candidates = run.candidates();
    let mut again = Vec::new();
    if !candidates.is_empty() {
        run.compare(&candidates);
        let lies = !alone && run.links_may_lie(&candidates);
        if lies || run.has_corrupted_link(&mut again) {
            run.hash_rest(&candidates, &mut again);
        }
    }
    let Run { mut hashes, mut failed, .. } = run;
    hashes.par_sort_unstable();
    failed.arrange_by_key(|&(inode, _)| inode);
    failed.dedup_by_key(|&mut (inode, _)| inode);
    let mut compared = Compared { bytes_read: reader.bytes(), ..Compared::default() };
    for (inode, error) in failed {
        compared.unreadable += 1;
        let size = reader.tree.layout.inodes[inode as usize].size;
        compared.unreadable_size = compared.unreadable_size.saturating_add(size);
        let path = files.path_of(&reader.path(inode, None));
        let kind = match error.kind() {
            io::ErrorKind::InvalidData => WarningKind::Vanished,
            _ => WarningKind::of_error(&error),
        };
        let message = format!("taken for unlike any other file: {error}");
        warnings.push(kind, path, message);
    }
    assign(tree, alone, &hashes);
    compared
}

/// Numbers the classes: contents of several inodes, or that a name in `.links`
/// stands for. `hashes` is sorted.
fn assign(tree: &mut GatheredTree, alone: bool, hashes: &[(Hash, u32)]) {
    let mut links = tree.named_links.as_slice();
    let mut classes = 0;
    let layout = &mut tree.layout;
    let add = |link: &NamedLink, class| LayoutLink { inode: link.inode, class };
    for group in hashes.chunk_by(|a, b| a.0 == b.0) {
        let mut named = None;
        if !alone {
            let below = links.partition_point(|link| link.hash < group[0].0);
            layout.links.extend(links[..below].iter().map(|link| add(link, None)));
            links = &links[below..];
            named = links.first().filter(|link| link.hash == group[0].0);
        }
        if named.is_none() && group.len() == 1 {
            continue;
        }
        let class = Some(Class::new(classes));
        for &(_, inode) in group {
            layout.inodes[inode as usize].class = class;
        }
        if let Some(link) = named {
            layout.links.push(add(link, class));
            links = &links[1..];
        }
        classes += 1;
    }
    if !alone {
        layout.links.extend(links.iter().map(|link| add(link, None)));
    }
    layout.classes = classes;
}

/// Of sorted items: those whose hash `.links` has, and the others.
fn known_and_others(items: &[Item]) -> (&[Item], &[Item]) {
    items.split_at(items.partition_point(|item| item.kind.is_none()))
}

/// Items of which each thread takes the next few when it is done with its last, of
/// large ones one at a time: to deal them out beforehand left most of the bytes to one
/// thread.
pub(super) struct Queue<'a, T> {
    rest: Mutex<&'a [T]>,
    large: &'a (dyn Fn(&T) -> bool + Sync),
}

impl<'a, T: Copy + Send + Sync> Queue<'a, T> {
    fn new(items: &'a [T], large: &'a (dyn Fn(&T) -> bool + Sync)) -> Self {
        Self { rest: Mutex::new(items), large }
    }

    /// The next few; none if all are taken.
    pub(super) fn take(&self) -> &'a [T] {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let few = if rest.first().is_some_and(self.large) { 1 } else { FEW };
        let (taken, left) = rest.split_at(few.min(rest.len()));
        *rest = left;
        taken
    }

    /// Does the work of each on the threads of the pool it is called in.
    fn each<R: Send>(
        &self,
        work: impl Fn(&T, &mut ReadBuffers) -> R + Sync,
    ) -> impl Iterator<Item = (T, R)> {
        let done = rayon::broadcast(|_| {
            let (mut buffers, mut done) = (ReadBuffers::default(), Vec::new());
            loop {
                let taken = self.take();
                if taken.is_empty() {
                    return done;
                }
                done.extend(taken.iter().map(|item| (*item, work(item, &mut buffers))));
            }
        });
        done.into_iter().flatten()
    }
}

struct Run<'a> {
    reader: &'a ContentsReader<'a>,
    alone: bool,
    /// The hashes found, each with its inode.
    hashes: Vec<(Hash, u32)>,
    failed: Vec<(u32, io::Error)>,
}

impl Run<'_> {
    /// The inodes that Nix would hash.
    fn candidates(&self) -> Vec<u32> {
        let tree = self.reader.tree;
        (0..tree.layout.inodes.len() as u32)
            .filter(|&i| {
                let examined = tree.first_entry[i as usize].is_some();
                let flags = tree.flags[i as usize];
                // What `.links` says of a changed file says nothing.
                let known = flags.linked() && (!self.alone || !flags.touched());
                examined && !known && !tree.layout.inodes[i as usize].writable
            })
            .collect()
    }

    fn item(&self, inode: u32) -> Item {
        let tree = self.reader.tree;
        let kind = Some(Node::new(tree.flags[inode as usize].kind()));
        Item { size: tree.layout.inodes[inode as usize].size, prefix: 0, kind, index: inode }
    }

    /// Hashes what may have the contents of another inode or of a link.
    fn compare(&mut self, candidates: &[u32]) {
        let tree = self.reader.tree;
        let mut items: Vec<Item> = candidates.iter().map(|&i| self.item(i)).collect();
        for (link, named) in (0..).zip(&tree.named_links) {
            let inode = named.inode as usize;
            if self.alone {
                if tree.flags[inode].touched() || tree.layout.inodes[inode].writable {
                    continue;
                }
                self.hashes.push((named.hash, named.inode));
            }
            let size = tree.layout.inodes[inode].size;
            items.push(Item { size, prefix: 0, kind: None, index: link });
        }
        items.par_sort_unstable();

        // Of one size: small ones are hashed, of others the first bytes come next.
        // Beside `.links`, whose hashes cost more than to open a file again, fewer.
        let whole_up_to = if tree.named_links.is_empty() { WHOLE } else { PREFIX };
        let (mut whole, mut first, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        for group in items.chunk_by(|a, b| a.size == b.size) {
            let (known, others) = known_and_others(group);
            let before = first.len();
            for like in others.chunk_by(|a, b| a.kind == b.kind) {
                let small =
                    like[0].size <= whole_up_to || tree.flags[like[0].index as usize].symlink();
                match like {
                    [_] if known.is_empty() => {}
                    [one, other] if !small && tree.named_links.is_empty() => {
                        pairs.push((one.index, other.index));
                    }
                    _ => if small { &mut whole } else { &mut first }.extend_from_slice(like),
                }
            }
            // Only to be compared with files that may be alike.
            if first.len() > before {
                first.extend_from_slice(known);
            }
        }
        drop(items);
        self.compare_pairs(pairs);
        self.read_first(&mut first);
        first.par_sort_unstable();
        for group in first.chunk_by(|a, b| (a.size, a.prefix) == (b.size, b.prefix)) {
            let (known, others) = known_and_others(group);
            for like in others.chunk_by(|a, b| a.kind == b.kind) {
                if like.len() > 1 || !known.is_empty() {
                    whole.extend_from_slice(like);
                }
            }
        }
        drop(first);
        let whole = whole.into_iter().map(|item| item.index);
        let whole = whole.filter(|&inode| !tree.flags[inode as usize].hashed()).collect();
        self.hash(whole, "comparing files");
    }

    /// Compares files two by two.
    fn compare_pairs(&mut self, mut pairs: Vec<(u32, u32)>) {
        let reader = self.reader;
        let size = |inode: u32| reader.tree.layout.inodes[inode as usize].size;
        let sum = pairs.iter().fold(0, |sum: u64, &(inode, _)| sum.saturating_add(size(inode)));
        reader.progress.begin("comparing large files", Total::Bytes(sum.saturating_mul(2)));
        self.in_disk_order(&mut pairs, |&(inode, _)| inode);
        let equal = |&(one, other): &(u32, u32), buffers: &mut ReadBuffers| {
            reader.equal(one, other, buffers)
        };
        let large = |&(inode, _): &(u32, u32)| size(inode) >= LARGE;
        for ((one, other), result) in Queue::new(&pairs, &large).each(equal) {
            match result {
                Ok(true) => {
                    // A number of their own, as no BLAKE3 is but by a chance of 2^-224.
                    let mut hash = Hash::default();
                    hash[..4].copy_from_slice(&one.to_le_bytes());
                    self.hashes.extend([(hash, one), (hash, other)]);
                }
                Ok(false) => {}
                Err(failed) => self.failed.extend(failed),
            }
        }
    }

    /// Reads the first bytes of each, and forgets those that cannot be read.
    fn read_first(&mut self, items: &mut Vec<Item>) {
        let reader = self.reader;
        reader
            .progress
            .begin("comparing the beginnings of files", Total::Bytes(items.len() as u64 * PREFIX));
        self.in_disk_order(items, |item| reader.inode(item));
        let read = |at: usize, buffers: &mut ReadBuffers| reader.prefix(&items[at], buffers);
        let results = threads::map_with(items.len(), FEW, ReadBuffers::default, read);
        let mut results = results.into_iter();
        items.retain_mut(|item| match results.next() {
            Some(Ok(prefix)) => {
                item.prefix = prefix;
                true
            }
            Some(Err(error)) => {
                self.failed.push((reader.inode(item), error));
                false
            }
            None => false,
        });
    }

    /// Large ones first, so that none is left to one thread at the end; the rest in the
    /// order in which they may lie on the disk, but those of a directory together, so
    /// that it is opened once.
    fn in_disk_order<T>(&self, items: &mut [T], inode: impl Fn(&T) -> u32) {
        let inodes: Vec<u32> = items.iter().map(inode).collect();
        arrange::put(items, self.disk_order(&inodes));
    }

    /// The places of these inodes in that order.
    fn disk_order(&self, inodes: &[u32]) -> Vec<usize> {
        let tree = self.reader.tree;
        let place = |at: usize| {
            let inode = inodes[at];
            let large = Reverse(tree.layout.inodes[inode as usize].size / LARGE);
            // After all others, those of `.links` alone.
            let directory = tree.first_entry[inode as usize]
                .map_or(tree.layout.directories.len() as u32, |e| tree.directory_of(e.node()));
            (large, u64::MAX, directory, tree.numbers[inode as usize], at)
        };
        let mut placed = threads::map(inodes.len(), 4096, place);
        let mut first = vec![u64::MAX; tree.layout.directories.len() + 1];
        for &(_, _, directory, number, _) in &placed {
            first[directory as usize] = number.min(first[directory as usize]);
        }
        placed.iter_mut().for_each(|place| place.1 = first[place.2 as usize]);
        placed.par_sort_unstable();
        placed.into_iter().map(|(.., at)| at).collect()
    }

    /// Hashes inodes whole; `stage` is what progress shows.
    fn hash(&mut self, mut inodes: Vec<u32>, stage: &'static str) {
        let reader = self.reader;
        let size = |inode: u32| reader.tree.layout.inodes[inode as usize].size;
        let to_read = inodes.iter().map(|&i| size(i)).fold(0, u64::saturating_add);
        reader.progress.begin(stage, Total::Bytes(to_read));
        self.in_disk_order(&mut inodes, |&inode| inode);
        self.hashes.reserve_exact(inodes.len());
        let large = |&inode: &u32| size(inode) >= LARGE;
        // In batches: what the threads hand over takes more than what is kept.
        for batch in inodes.chunks(BATCH) {
            let queue = Queue::new(batch, &large);
            if reader.tree.named_links.is_empty() {
                let hash =
                    |&inode: &u32, buffers: &mut ReadBuffers| reader.hash(inode, None, buffers);
                self.note(queue.each(hash));
            } else {
                self.note(nar_hashes(reader, &queue));
            }
        }
    }

    fn note(&mut self, hashed: impl Iterator<Item = (u32, io::Result<Hash>)>) {
        for (inode, result) in hashed {
            match result {
                Ok(hash) => self.hashes.push((hash, inode)),
                Err(error) => self.failed.push((inode, error)),
            }
        }
    }

    /// Whether the names in `.links` may stand for other contents than theirs.
    fn links_may_lie(&self, candidates: &[u32]) -> bool {
        let tree = self.reader.tree;
        let size = |inode: u32| tree.layout.inodes[inode as usize].size;
        let suspects: Vec<&NamedLink> = tree
            .named_links
            .iter()
            .filter(|link| {
                let inode = link.inode as usize;
                tree.flags[inode].touched() || tree.layout.inodes[inode].nlink <= 1
            })
            .collect();
        if suspects.is_empty() {
            return false;
        }
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.fold(0, u64::saturating_add);
        let to_read = sum(&mut suspects.iter().map(|link| size(link.inode)));
        let done = sum(&mut self.hashes.iter().map(|&(_, inode)| size(inode)));
        let rest = sum(&mut candidates.iter().map(|&inode| size(inode))).saturating_sub(done);
        if to_read > rest {
            // To hash the files costs less.
            return true;
        }
        let reader = self.reader;
        reader.progress.begin("checking .links", Total::Bytes(to_read));
        let holds = |at: usize, buffers: &mut ReadBuffers| {
            let link = suspects[at];
            // One that cannot be read may say anything.
            reader.hash(link.inode, Some(link), buffers).is_ok_and(|hash| hash == link.hash)
        };
        !threads::all_with(suspects.len(), 1, ReadBuffers::default, holds)
    }

    /// Whether a link has another size than the contents its name stands for.
    /// Its inode, linked until then, is like any other afterwards: it is put
    /// into `inodes` if it has a name in a path.
    fn has_corrupted_link(&self, inodes: &mut Vec<u32>) -> bool {
        let tree = self.reader.tree;
        if self.alone {
            return false;
        }
        for &(hash, inode) in &self.hashes {
            let found = tree.named_links.binary_search_by(|link| link.hash.cmp(&hash));
            let Ok(at) = found else { continue };
            let link = tree.named_links[at].inode as usize;
            let size = |inode: usize| tree.layout.inodes[inode].size;
            let examined = tree.first_entry[link].is_some() && !tree.layout.inodes[link].writable;
            if size(link) != size(inode as usize) && examined {
                inodes.push(link as u32);
            }
        }
        !inodes.is_empty()
    }

    /// Hashes all candidates that were not yet, and the inodes of corrupted
    /// links until no more are found.
    fn hash_rest(&mut self, candidates: &[u32], again: &mut Vec<u32>) {
        let done = |run: &Self| -> Vec<u32> {
            let hashed = run.hashes.iter().map(|&(_, inode)| inode);
            let mut done: Vec<u32> = hashed.chain(run.failed.iter().map(|f| f.0)).collect();
            done.sort_unstable();
            done
        };
        again.extend_from_slice(candidates);
        loop {
            again.sort_unstable();
            again.dedup();
            let done = done(self);
            again.retain(|inode| done.binary_search(inode).is_err());
            if again.is_empty() {
                break;
            }
            self.hash(std::mem::take(again), "hashing the other files");
            self.has_corrupted_link(again);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::gather::Gathering;
    use super::*;
    use crate::disk::Walker;
    use crate::fs::{MemoryFile, Tree};
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Compares the files of a path, some of them early or none; with how many those were.
    pub(in super::super) fn compare(
        files: &StoreFiles,
        name: &str,
        early: bool,
        reading: Reading,
    ) -> (GatheredTree, Compared, usize) {
        let walker = Walker::new(files, Some(3)).unwrap();
        let gathering = Gathering { names: &[name], whole: true, link_limit: u32::MAX, early };
        let (progress, mut warnings) = (Progress::default(), Warnings::new());
        let Ok(mut tree) = gathering.run(&walker, &progress, &mut warnings) else {
            panic!("a few files are too many");
        };
        let hashed = tree.hashed.len();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(reading.threads).build().unwrap();
        let compared =
            pool.install(|| classify(&mut tree, false, (files, reading), &progress, &mut warnings));
        assert_eq!((warnings.total(), compared.unreadable), (0, 0));
        (tree, compared, hashed)
    }

    /// The classes of files by name, the same in any order, and how many bytes were read.
    fn classes(contents: &[(&str, Vec<u8>)]) -> (BTreeMap<String, Option<Class>>, u64) {
        let found = classified(contents, Reading { threads: 3, in_order: false });
        assert_eq!(classified(contents, Reading { threads: 1, in_order: true }).0, found.0);
        found
    }

    fn classified(
        contents: &[(&str, Vec<u8>)],
        reading: Reading,
    ) -> (BTreeMap<String, Option<Class>>, u64) {
        let store = Path::new("/nix/store");
        let base = "0".repeat(32) + "-p";
        let file = |(name, contents): &(&str, Vec<u8>)| {
            let executable = name.starts_with("bin");
            let file = MemoryFile::Regular { contents: contents.clone(), executable };
            (store.join(&base).join(name), file)
        };
        let files: Vec<_> = contents.iter().map(file).collect();
        let files = StoreFiles::open(&Tree::memory(files), store).unwrap();
        let (tree, compared, _) = compare(&files, &base, !reading.in_order, reading);
        let class = |(entry, inode): (u32, u32)| {
            let name = String::from_utf8(tree.base_name(entry).to_vec()).unwrap();
            (name, tree.layout.inodes[inode as usize].class)
        };
        (tree.names_of_inodes().map(class).collect(), compared.bytes_read)
    }

    #[test]
    fn two_large_files_are_compared_up_to_where_they_differ() {
        let size = 3 * 128 * 1024 + 5;
        let other_at = |size: usize, at: usize| {
            let mut bytes = vec![7; size];
            bytes[at] = 8;
            bytes
        };
        let (early, late, last) = (size + 1, size + 2, size + 3);
        let (found, read) = classes(&[
            ("equal-1", vec![7; size]),
            ("equal-2", vec![7; size]),
            ("early-1", vec![7; early]),
            ("early-2", other_at(early, 100)),
            ("late-1", vec![7; late]),
            ("late-2", other_at(late, 5000)),
            ("last-1", vec![7; last]),
            ("last-2", other_at(last, last - 1)),
            // Of one size, but not of one kind.
            ("bin-1", vec![7; size + 4]),
            ("lib-1", vec![7; size + 4]),
            // Alone.
            ("lone", vec![7; size + 5]),
        ]);
        let class = found["equal-1"];
        assert!(class.is_some() && found["equal-2"] == class);
        assert_eq!(found.values().flatten().count(), 2, "{found:?}");
        let (prefix, buffer) = (PREFIX as usize, 128 * 1024);
        let expected = 2 * (size + prefix + (prefix + buffer) + last);
        assert_eq!(read, expected as u64);
    }

    #[test]
    fn small_files_are_read_once_and_of_many_large_ones_first_their_beginnings() {
        let small = WHOLE as usize;
        let large = small + 1;
        let (found, read) = classes(&[
            ("small-1", vec![1; small]),
            ("small-2", vec![1; small]),
            ("small-3", vec![2; small]),
            ("large-1", vec![1; large]),
            ("large-2", vec![1; large]),
            ("large-3", vec![2; large]),
        ]);
        let (of_small, of_large) = (found["small-1"], found["large-1"]);
        assert!(of_small.is_some() && of_large.is_some() && of_small != of_large);
        assert_eq!((found["small-2"], found["large-2"]), (of_small, of_large));
        assert_eq!((found["small-3"], found["large-3"]), (None, None));
        assert_eq!(read, (3 * small + 3 * PREFIX as usize + 2 * large) as u64);
    }
}
