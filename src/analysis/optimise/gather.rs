//! The disk as the simulation wants it: one walk that keeps all entries in the
//! order in which Nix would read them.
//!
//! Memory is bounded by the number of files, so all is kept in flat lists of
//! small numbers. Each thread of the walk keeps what it met as it came;
//! [`Tree`] then puts the directories together, from the store paths down.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::simulate::{Entry, Inode, Layout, Link, UNIQUE};
use crate::disk::{Directory, Entry as Met, Kind, Meta, Progress, Seen, Top, Visitor, Walker};
use crate::nar::nix32;
use crate::warning::{WarningKind, Warnings};

/// A list's numbers that lead nowhere.
pub(super) const NONE: u32 = u32::MAX;

/// What is known of an inode beside what the simulation needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    const SYMLINK: u8 = 1;
    const EXECUTABLE: u8 = 2;
    const LINKED: u8 = 4;
    const TOUCHED: u8 = 8;

    fn new(kind: Kind, meta: &Meta) -> Self {
        let mut flags = 0;
        if kind == Kind::Symlink {
            flags |= Self::SYMLINK;
        } else if meta.executable() {
            flags |= Self::EXECUTABLE;
        }
        // Nix sets the times of all that it stores to 1; some images have 0.
        if meta.mtime > 1 || meta.mtime_nsec != 0 {
            flags |= Self::TOUCHED;
        }
        Self(flags)
    }

    pub(super) fn symlink(self) -> bool {
        self.0 & Self::SYMLINK != 0
    }

    pub(super) fn executable(self) -> bool {
        self.0 & Self::EXECUTABLE != 0
    }

    /// Whether it has a name in `.links`.
    pub(super) fn linked(self) -> bool {
        self.0 & Self::LINKED != 0
    }

    /// Whether its time of modification is not what Nix sets: its contents may
    /// have been changed.
    pub(super) fn touched(self) -> bool {
        self.0 & Self::TOUCHED != 0
    }

    /// What makes two inodes of equal size and bytes different: the kind.
    pub(super) fn kind(self) -> u32 {
        u32::from(self.0 & (Self::SYMLINK | Self::EXECUTABLE))
    }
}

/// An entry of `.links` whose name is a hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedLink {
    /// The SHA-256 that is its name.
    pub(super) hash: [u8; 32],
    /// Its inode, an index.
    pub(super) inode: u32,
}

/// What `.links` costs and saves; sizes in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinksSums {
    pub(super) entries: u64,
    pub(super) directory_disk_size: u64,
    pub(super) unused: u64,
    pub(super) unused_apparent_size: u64,
    pub(super) unused_disk_size: u64,
    /// Σ (nlink - 2) × size over the rest.
    pub(super) saved_apparent_size: u64,
    pub(super) saved_disk_size: u64,
}

/// All entries of the examined paths.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) layout: Layout,
    pub(super) flags: Vec<Flags>,
    /// Inode numbers, which tell where on a disk contents may lie.
    pub(super) numbers: Vec<u64>,
    /// An entry that leads to each inode; `NONE` for one only in `.links`.
    pub(super) first_entry: Vec<u32>,
    /// The entries of `.links` whose names are hashes, by hash. Of a closure
    /// that stands alone: those that a file of it is a name of.
    pub(super) named_links: Vec<NamedLink>,
    /// Of all of `.links`; zero of a closure that stands alone.
    pub(super) links: LinksSums,
    /// Of each directory: the entry that leads to it. The first directory is
    /// the store directory, its entries the paths.
    directory_entry: Vec<u32>,
    /// Of each directory: the directory that entry is in.
    directory_parent: Vec<u32>,
    /// Of each directory: the index of the path it belongs to.
    directory_path: Vec<u32>,
    /// The indexes of the paths that are there.
    tops: Vec<u32>,
    /// Of each entry: where its name begins.
    name_of: Vec<u32>,
    names: Names,
    /// How many entries were met, in `.links` too.
    pub(super) entries: u64,
}

impl Tree {
    /// The directory an entry is in.
    fn directory_of(&self, entry: u32) -> u32 {
        // Directories are numbered in the order of their entries; of several
        // that begin there, all but the last are empty.
        let after = self.layout.directories.partition_point(|&(start, _)| start <= entry);
        after.saturating_sub(1) as u32
    }

    /// The index of the path that an entry belongs to.
    pub(super) fn path_of(&self, entry: u32) -> u32 {
        match self.directory_of(entry) {
            0 => self.tops[entry as usize],
            directory => self.directory_path[directory as usize],
        }
    }

    /// The name of an entry below the store directory, put into `out`.
    pub(super) fn name(&self, entry: u32, out: &mut Vec<u8>) {
        out.clear();
        // From the end to the start, then turned around.
        let mut at = entry;
        let mut directory = self.directory_of(entry);
        loop {
            out.extend(self.names.get(self.name_of[at as usize]).iter().rev());
            if directory == 0 {
                break;
            }
            out.push(b'/');
            at = self.directory_entry[directory as usize];
            directory = self.directory_parent[directory as usize];
        }
        out.reverse();
    }

    /// A tree of nothing but these names, each an inode of its own.
    #[cfg(test)]
    pub(super) fn of_names(names: &[&str]) -> Self {
        let mut tree = Self { directory_path: vec![NONE], ..Self::default() };
        tree.names.starts.push(0);
        tree.names.of_threads.push(Vec::new());
        for (i, name) in (0..).zip(names) {
            let of_thread = &mut tree.names.of_threads[0];
            tree.name_of.push(of_thread.len() as u32);
            of_thread.push(name.len() as u8);
            of_thread.extend_from_slice(name.as_bytes());
            tree.layout.entries.push(Entry::inode(i));
        }
        tree.layout.directories.push((0, names.len() as u32));
        tree
    }

    /// All entries that lead to inodes.
    pub(super) fn names_of_inodes(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let entries = (0u32..).zip(&self.layout.entries);
        entries.filter_map(|(entry, to)| to.get().ok().map(|inode| (entry, inode)))
    }
}

/// More entries than the numbers here can count: a thousand million.
#[derive(Debug)]
pub(super) struct TooLarge;

/// What the walk needs to know.
pub(super) struct Gathering<'a> {
    /// The base names of the paths, sorted.
    pub(super) names: &'a [&'a str],
    /// Whether these are all valid paths; otherwise they stand alone.
    pub(super) whole: bool,
    /// How many names the file system allows an inode.
    pub(super) link_limit: u32,
}

impl Gathering<'_> {
    /// Walks `.links` and the paths.
    ///
    /// # Errors
    /// If there are more entries than the numbers here can count.
    pub(super) fn run(
        &self,
        walker: &Walker,
        progress: &Progress,
        warnings: &mut Warnings,
    ) -> Result<Tree, TooLarge> {
        let device = walker.meta().dev;
        let mut tree = Tree::default();
        tree.layout.link_limit = self.link_limit;
        let links = self.links(walker, device, &mut tree, warnings);
        let tops: Vec<Top<'_>> = (0..)
            .zip(self.names)
            .map(|(path, name)| Top { name: name.as_bytes(), path, ino: 0, kind: Kind::Unknown })
            .collect();
        let visitor = Walk { links: &links, whole: self.whole, device };
        let walked = walker.walk(&tops, &visitor, progress);
        drop(tops);
        tree.entries += walked.entries;
        warnings.extend(walked.warnings);
        let names: usize = walked.states.iter().map(|state| state.names.len()).sum();
        if tree.entries > u64::from(u32::MAX >> 2) || u32::try_from(names).is_err() {
            return Err(TooLarge);
        }
        Ok(Assembly::new(self, tree, &links, walked.states).finish())
    }

    /// Reads `.links`. Of all paths, its inodes become the first ones.
    fn links(
        &self,
        walker: &Walker,
        device: u64,
        tree: &mut Tree,
        warnings: &mut Warnings,
    ) -> LinkTable {
        let top = Top { name: b".links", path: 0, ino: 0, kind: Kind::Unknown };
        let visitor = LinksWalk { stat: self.whole, device };
        let walked = walker.walk(&[top], &visitor, &Progress::default());
        warnings.extend(walked.warnings);
        tree.entries += walked.entries;
        let mut table = LinkTable::default();
        let mut add = |link: MetLink| {
            let next = table.hashes.len() as u32;
            let index = *table.by_number.entry(link.number).or_insert(next);
            if index == next {
                table.hashes.push(link.hash);
                if self.whole {
                    tree.layout.inodes.push(link.inode);
                    tree.flags.push(Flags(link.flags.0 | Flags::LINKED));
                    tree.numbers.push(link.number);
                }
            }
            if self.whole {
                if let Some(hash) = link.hash {
                    tree.named_links.push(NamedLink { hash, inode: index });
                } else {
                    tree.layout.links.push(Link { inode: index, class: UNIQUE });
                }
            }
        };
        let mut sums = LinksSums::default();
        for state in walked.states {
            if let Some(size) = state.directory {
                sums.directory_disk_size = size;
            }
            sums.entries += state.entries;
            for link in state.met {
                if self.whole {
                    sums.count(&link.inode);
                }
                add(link);
            }
        }
        if self.whole {
            tree.links = sums;
        }
        table
    }
}

impl LinksSums {
    fn count(&mut self, inode: &Inode) {
        let (sums, times) = match inode.nlink {
            0 | 1 => {
                self.unused += 1;
                ([&mut self.unused_apparent_size, &mut self.unused_disk_size], 1)
            }
            n => ([&mut self.saved_apparent_size, &mut self.saved_disk_size], u64::from(n) - 2),
        };
        for (sum, size) in sums.into_iter().zip([inode.size, inode.disk_size]) {
            *sum = sum.saturating_add(size.saturating_mul(times));
        }
    }
}

/// The inodes of `.links`, by number.
#[derive(Default)]
struct LinkTable {
    by_number: HashMap<u64, u32, BuildHasherDefault<NumberHasher>>,
    /// The hash that is its name (the first one met).
    hashes: Vec<Option<[u8; 32]>>,
}

/// Spreads inode numbers (the finisher of splitmix64); whoever chooses inode
/// numbers to collide slows down the examination of his own disk.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = x ^ (x >> 31);
    }
}

fn inode(kind: Kind, meta: &Meta) -> Inode {
    Inode {
        size: meta.size,
        disk_size: meta.disk_size,
        nlink: meta.nlink,
        class: UNIQUE,
        writable: kind == Kind::File && meta.mode & 0o200 != 0,
    }
}

/// The walk over `.links`.
struct LinksWalk {
    stat: bool,
    device: u64,
}

struct MetLink {
    number: u64,
    hash: Option<[u8; 32]>,
    inode: Inode,
    flags: Flags,
}

#[derive(Default)]
struct LinksState {
    directory: Option<u64>,
    entries: u64,
    met: Vec<MetLink>,
}

impl Visitor for LinksWalk {
    type State = LinksState;
    type Tag = ();

    fn state(&self) -> LinksState {
        LinksState::default()
    }

    fn known(&self, _: &mut LinksState, _: u64) -> Option<()> {
        (!self.stat).then_some(())
    }

    fn descend(&self) -> bool {
        false
    }

    fn top(&self, state: &mut LinksState, _: &Directory<'_>, entry: &Met<'_, ()>) {
        if let (Kind::Directory, Seen::Stat(meta)) = (entry.kind, entry.seen) {
            state.directory = Some(meta.disk_size);
        }
    }

    fn directory<'e>(
        &self,
        state: &mut LinksState,
        directory: &Directory<'_>,
        entries: impl ExactSizeIterator<Item = Met<'e, ()>>,
    ) {
        if directory.identity().0 != self.device {
            return;
        }
        for entry in entries {
            state.entries += 1;
            if !matches!(entry.kind, Kind::File | Kind::Symlink) {
                continue;
            }
            let (inode, flags) = match entry.seen {
                Seen::Stat(meta) if meta.dev == self.device => {
                    (inode(entry.kind, &meta), Flags::new(entry.kind, &meta))
                }
                Seen::Known(()) => (Inode::default(), Flags::default()),
                _ => continue,
            };
            let hash = std::str::from_utf8(entry.name).ok().and_then(nix32::decode);
            let hash = hash.and_then(|hash| hash.try_into().ok());
            state.met.push(MetLink { number: entry.ino, hash, inode, flags });
        }
    }

    fn failed(&self, _: &mut LinksState, _: u32) {}
}

/// The walk over the paths.
struct Walk<'a> {
    links: &'a LinkTable,
    whole: bool,
    device: u64,
}

/// What an entry leads to, as a thread of the walk keeps it.
#[derive(Clone, Copy)]
struct Child {
    /// Where in the thread's list of that kind; the kind is in the top bits.
    target: u32,
    /// Where in the thread's names.
    name: u32,
}

const KIND: u32 = 3 << 30;
/// An inode of `.links`.
const TO_LINK: u32 = 0;
/// A file the thread has statted.
const TO_FILE: u32 = 1 << 30;
/// A directory.
const TO_DIRECTORY: u32 = 2 << 30;

/// A file as statted.
struct MetFile {
    number: u64,
    inode: Inode,
    flags: Flags,
}

/// Some entries of one directory.
#[derive(Clone, Copy)]
struct Part {
    directory: u64,
    position: u32,
    thread: u32,
    start: u32,
    end: u32,
}

#[derive(Default)]
struct WalkState {
    tops: Vec<(u32, Child)>,
    parts: Vec<Part>,
    children: Vec<Child>,
    files: Vec<MetFile>,
    directories: Vec<u64>,
    names: Vec<u8>,
}

impl WalkState {
    fn child(&mut self, walk: &Walk<'_>, entry: &Met<'_, u32>) -> Option<Child> {
        let target = match (entry.kind, entry.seen) {
            (Kind::File | Kind::Symlink, Seen::Known(link)) => TO_LINK | link,
            (Kind::File | Kind::Symlink, Seen::Stat(meta)) if meta.dev == walk.device => {
                // Where directories do not tell inode numbers truly, an inode
                // of `.links` is known only now.
                match walk.links.by_number.get(&meta.ino).filter(|_| walk.whole) {
                    Some(&link) => TO_LINK | link,
                    None => {
                        self.files.push(MetFile {
                            number: meta.ino,
                            inode: inode(entry.kind, &meta),
                            flags: Flags::new(entry.kind, &meta),
                        });
                        TO_FILE | (self.files.len() - 1) as u32
                    }
                }
            }
            (Kind::Directory, Seen::Stat(meta)) if meta.dev == walk.device => {
                self.directories.push(meta.ino);
                TO_DIRECTORY | (self.directories.len() - 1) as u32
            }
            // Other kinds of files, which Nix passes over; what could not be
            // statted, of which the walk warns; other file systems, where
            // nothing of the store can be linked.
            _ => return None,
        };
        let name = self.names.len() as u32;
        self.names.push(entry.name.len() as u8);
        self.names.extend_from_slice(entry.name);
        Some(Child { target, name })
    }
}

impl Visitor for Walk<'_> {
    type State = WalkState;
    type Tag = u32;

    fn state(&self) -> WalkState {
        WalkState::default()
    }

    fn known(&self, _: &mut WalkState, ino: u64) -> Option<u32> {
        self.whole.then(|| self.links.by_number.get(&ino).copied()).flatten()
    }

    fn top(&self, state: &mut WalkState, directory: &Directory<'_>, entry: &Met<'_, u32>) {
        if let Some(child) = state.child(self, entry) {
            state.tops.push((directory.path(), child));
        }
    }

    fn directory<'e>(
        &self,
        state: &mut WalkState,
        directory: &Directory<'_>,
        entries: impl ExactSizeIterator<Item = Met<'e, u32>>,
    ) {
        let (device, number) = directory.identity();
        if device != self.device {
            return;
        }
        let start = state.children.len() as u32;
        for entry in entries {
            let child = state.child(self, &entry);
            state.children.extend(child);
        }
        state.parts.push(Part {
            directory: number,
            position: directory.position() as u32,
            thread: 0,
            start,
            end: state.children.len() as u32,
        });
    }

    fn failed(&self, _: &mut WalkState, _: u32) {}
}

/// Names as the threads kept them: a length, then the bytes.
#[derive(Debug, Default)]
struct Names {
    of_threads: Vec<Vec<u8>>,
    /// Where those of each thread begin.
    starts: Vec<u32>,
}

impl Names {
    fn get(&self, name: u32) -> &[u8] {
        let thread = self.starts.partition_point(|&start| start <= name).saturating_sub(1);
        let names = &self.of_threads[thread];
        let at = (name - self.starts[thread]) as usize;
        &names[at + 1..][..usize::from(names[at])]
    }
}

/// Puts the parts together.
struct Assembly {
    tree: Tree,
    whole: bool,
    tops: Vec<(u32, u32, Child)>,
    /// By directory and position.
    parts: Vec<Part>,
    /// Whether the directory that begins at this part has been placed: no
    /// directory has two places, whatever a broken file system says.
    placed: Vec<bool>,
    threads: Vec<ThreadLists>,
}

struct ThreadLists {
    children: Vec<Child>,
    /// The inode of each statted file.
    files: Vec<u32>,
    directories: Vec<u64>,
}

impl Assembly {
    fn new(
        gathering: &Gathering<'_>,
        mut tree: Tree,
        links: &LinkTable,
        states: Vec<WalkState>,
    ) -> Self {
        tree.layout.paths = vec![None; gathering.names.len()];
        let mut several: HashMap<u64, u32, BuildHasherDefault<NumberHasher>> = HashMap::default();
        let (mut tops, mut parts, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = 0u32;
        for (thread, state) in (0..).zip(states) {
            tops.extend(state.tops.into_iter().map(|(path, child)| (path, thread, child)));
            parts.extend(state.parts.into_iter().map(|part| Part { thread, ..part }));
            let mut files = Vec::with_capacity(state.files.len());
            for file in state.files {
                let next = tree.layout.inodes.len() as u32;
                let index = match file.inode.nlink {
                    0 | 1 => next,
                    _ => *several.entry(file.number).or_insert(next),
                };
                if index == next {
                    tree.layout.inodes.push(file.inode);
                    tree.flags.push(file.flags);
                    tree.numbers.push(file.number);
                }
                files.push(index);
            }
            tree.names.starts.push(start);
            start += state.names.len() as u32;
            tree.names.of_threads.push(state.names);
            threads.push(ThreadLists {
                children: state.children,
                files,
                directories: state.directories,
            });
        }
        if !gathering.whole {
            // What `.links` says of the files of the closure.
            for (inode, flags) in (0..).zip(&mut tree.flags) {
                let link = links.by_number.get(&tree.numbers[inode as usize]);
                if let Some(hash) = link.and_then(|&link| links.hashes[link as usize]) {
                    flags.0 |= Flags::LINKED;
                    tree.named_links.push(NamedLink { hash, inode });
                }
            }
        }
        tree.named_links.sort_unstable_by_key(|link| (link.hash, link.inode));
        parts.sort_unstable_by_key(|part| (part.directory, part.position));
        tops.sort_unstable_by_key(|&(path, ..)| path);
        let placed = vec![false; parts.len()];
        Self { tree, whole: gathering.whole, tops, parts, placed, threads }
    }

    fn finish(mut self) -> Tree {
        self.tree.first_entry = vec![NONE; self.tree.layout.inodes.len()];
        // A directory's place in this list is its number; the parts of each
        // are put in when its turn comes, after all those above it.
        let mut waiting: Vec<usize> = vec![usize::MAX];
        self.tree.directory_entry.push(NONE);
        self.tree.directory_parent.push(NONE);
        self.tree.directory_path.push(NONE);
        for (path, thread, child) in std::mem::take(&mut self.tops) {
            let entry = self.add(0, path, thread, child, &mut waiting);
            self.tree.tops.push(path);
            self.tree.layout.paths[path as usize] = entry;
        }
        let end = self.tree.layout.entries.len() as u32;
        self.tree.layout.directories.push((0, end));
        let mut turn = 1;
        while let Some(&first) = waiting.get(turn) {
            let path = self.tree.directory_path[turn];
            let start = self.tree.layout.entries.len() as u32;
            let mut at = first;
            while let Some(&part) = self.parts.get(at)
                && part.directory == self.parts[first].directory
            {
                for i in part.start..part.end {
                    let child = self.threads[part.thread as usize].children[i as usize];
                    self.add(turn as u32, path, part.thread, child, &mut waiting);
                }
                at += 1;
            }
            let end = self.tree.layout.entries.len() as u32;
            self.tree.layout.directories.push((start, end));
            turn += 1;
        }
        if !self.whole {
            self.stand_alone();
        }
        self.tree
    }

    /// Makes the number of names of each inode what it is here.
    fn stand_alone(&mut self) {
        let Layout { inodes, entries, .. } = &mut self.tree.layout;
        inodes.iter_mut().for_each(|inode| inode.nlink = 0);
        for inode in entries.iter().filter_map(|entry| entry.get().ok()) {
            inodes[inode as usize].nlink += 1;
        }
    }

    /// Adds an entry. A directory gets a place in `waiting`; one that was never
    /// read (a warning says so), or has a place already, is left out.
    fn add(
        &mut self,
        parent: u32,
        path: u32,
        thread: u32,
        child: Child,
        waiting: &mut Vec<usize>,
    ) -> Option<Entry> {
        let (tree, lists) = (&mut self.tree, &self.threads[thread as usize]);
        let at = (child.target & !KIND) as usize;
        let index = tree.layout.entries.len() as u32;
        let entry = match child.target & KIND {
            TO_DIRECTORY => {
                let number = lists.directories[at];
                let first = self.parts.partition_point(|part| part.directory < number);
                let read = self.parts.get(first).is_some_and(|part| part.directory == number);
                if !read || std::mem::replace(&mut self.placed[first], true) {
                    return None;
                }
                let directory = waiting.len() as u32;
                waiting.push(first);
                tree.directory_entry.push(index);
                tree.directory_parent.push(parent);
                tree.directory_path.push(path);
                Entry::directory(directory)
            }
            kind => {
                let inode = if kind == TO_LINK { at as u32 } else { lists.files[at] };
                let first = &mut tree.first_entry[inode as usize];
                if *first == NONE {
                    *first = index;
                }
                Entry::inode(inode)
            }
        };
        tree.name_of.push(tree.names.starts[thread as usize] + child.name);
        tree.layout.entries.push(entry);
        Some(entry)
    }
}

/// Warns of each path that is valid but not on disk. Nix stops at the first.
pub(super) fn warn_missing(tree: &Tree, names: &[&str], store_dir: &str, warnings: &mut Warnings) {
    for (entry, name) in tree.layout.paths.iter().zip(names) {
        if entry.is_none() {
            let path = format!("{store_dir}/{name}");
            warnings.push(WarningKind::MissingPath, path, "valid, but no such path can be read");
        }
    }
}
