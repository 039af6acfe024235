//! One walk that keeps all entries.
//!
//! Memory is bounded by the number of files. Each thread of the walk keeps what
//! it met as it came; [`Assembly`] then puts the directories together, from the
//! store paths down.

use super::early::{EarlyHashes, MetSizes};
use super::gathered::{DirectoryPlace, Flags, GatheredTree, NamedLink, Names, inode};
use super::link_table::LinkTable;
use super::simulate::{Layout, LayoutEntry, LayoutInode};
use crate::arrange::Arrange as _;
use crate::disk::{
    ByNumber, EntryStat, Progress, Top, Total, Visitor, WalkDirectory, WalkEntry, Walker,
};
use crate::fs::{Directory, FileType};
use crate::graph::Node;
use crate::warning::{WarningKind, Warnings};

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
    /// Whether small files may be hashed as they are met.
    pub(super) early: bool,
}

impl Gathering<'_> {
    /// Walks `.links` and the paths.
    ///
    /// # Errors
    /// If there are more entries than the numbers here can count.
    pub(super) fn run(
        &self,
        walker: &Walker<'_>,
        progress: &Progress,
        warnings: &mut Warnings,
    ) -> Result<GatheredTree, TooLarge> {
        let device = walker.files().stat().dev;
        let mut tree = GatheredTree::default();
        tree.layout.link_limit = self.link_limit;
        progress.begin("reading .links", Total::Unknown);
        let links = LinkTable::read(walker, self.whole, &mut tree, progress, warnings);
        let tops = Top::numbered(self.names.iter().copied());
        // Beside a hash of `.links` that of a NAR is wanted, and many files need none.
        let early = self.early && links.hashes.iter().all(Option::is_none);
        let sizes = early.then(MetSizes::new);
        let visitor = Walk { links: &links, whole: self.whole, device, sizes };
        progress.begin("walking the store", Total::Paths(tops.len() as u64));
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
}

/// The walk over the paths.
struct Walk<'a> {
    links: &'a LinkTable,
    whole: bool,
    device: u64,
    /// The sizes of files met, if small ones are hashed.
    sizes: Option<MetSizes>,
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
/// A file that the thread has examined.
const TO_FILE: u32 = 1 << 30;
/// A directory.
const TO_DIRECTORY: u32 = 2 << 30;

/// A file and its `stat`.
struct MetFile {
    number: u64,
    inode: LayoutInode,
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
    /// The paths that are on disk, or may be.
    there: Vec<u32>,
    tops: Vec<(u32, Child)>,
    parts: Vec<Part>,
    children: Vec<Child>,
    files: Vec<MetFile>,
    directories: Vec<u64>,
    names: Vec<u8>,
    early: EarlyHashes,
}

impl WalkState {
    fn child(
        &mut self,
        walk: &Walk<'_>,
        directory: &Directory,
        entry: &WalkEntry<'_, u32>,
    ) -> Option<Child> {
        let target = match (entry.file_type, entry.stat) {
            (FileType::Regular | FileType::Symlink, EntryStat::Known(link)) => TO_LINK | link,
            (FileType::Regular | FileType::Symlink, EntryStat::Stat(meta))
                if meta.dev == walk.device =>
            {
                // Where inode numbers in directories cannot be trusted, an inode
                // of `.links` is known only now.
                match walk.links.by_number.get(meta.ino).filter(|_| walk.whole) {
                    Some(link) => TO_LINK | link,
                    None => {
                        let index = self.files.len() as u32;
                        let (inode, flags) = (inode(&meta), Flags::new(&meta));
                        if let Some(sizes) = &walk.sizes {
                            let place = (directory, entry.c_name());
                            self.early.add(sizes, place, (&inode, flags), index);
                        }
                        self.files.push(MetFile { number: meta.ino, inode, flags });
                        TO_FILE | index
                    }
                }
            }
            (FileType::Directory, EntryStat::Stat(meta)) if meta.dev == walk.device => {
                self.directories.push(meta.ino);
                TO_DIRECTORY | (self.directories.len() - 1) as u32
            }
            // Other kinds of files, which Nix passes over; what could not be
            // stat_calls, of which the walk warns; other file systems, where
            // nothing of the store can be linked.
            _ => return None,
        };
        let name = self.names.len() as u32;
        Names::push(&mut self.names, entry.name());
        Some(Child { target, name })
    }
}

impl Visitor for Walk<'_> {
    type State = WalkState;
    type Tag = u32;
    type Context = ();

    fn state(&self) -> WalkState {
        WalkState::default()
    }

    fn known(&self, _: &mut WalkState, ino: u64) -> Option<u32> {
        self.whole.then(|| self.links.by_number.get(ino)).flatten()
    }

    fn top(
        &self,
        state: &mut WalkState,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, u32>,
    ) {
        state.there.push(directory.path());
        if let Some(child) = state.child(self, directory.files(), entry) {
            state.tops.push((directory.path(), child));
        }
    }

    fn directory<'e>(
        &self,
        state: &mut WalkState,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, u32>>,
    ) {
        let (device, number) = directory.identity();
        if device != self.device {
            return;
        }
        let start = state.children.len() as u32;
        for entry in entries {
            let child = state.child(self, directory.files(), &entry);
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

    fn failed(&self, state: &mut WalkState, path: u32) {
        state.there.push(path);
    }
}

/// Puts the parts together.
struct Assembly {
    tree: GatheredTree,
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
    /// The inode of each examined file.
    files: Vec<u32>,
    directories: Vec<u64>,
}

impl Assembly {
    fn new(
        gathering: &Gathering<'_>,
        mut tree: GatheredTree,
        links: &LinkTable,
        states: Vec<WalkState>,
    ) -> Self {
        tree.layout.paths = vec![None; gathering.names.len()];
        let mut several = ByNumber::default();
        let (mut tops, mut parts, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = 0u32;
        let mut there = vec![false; gathering.names.len()];
        for (thread, state) in (0..).zip(states) {
            state.there.iter().for_each(|&path| there[path as usize] = true);
            tops.extend(state.tops.into_iter().map(|(path, child)| (path, thread, child)));
            parts.extend(state.parts.into_iter().map(|part| Part { thread, ..part }));
            let mut files = Vec::with_capacity(state.files.len());
            for file in state.files {
                let next = tree.layout.inodes.len() as u32;
                let index = match file.inode.nlink {
                    0 | 1 => next,
                    _ => several.get_or_insert(file.number, next),
                };
                if index == next {
                    tree.layout.inodes.push(file.inode);
                    tree.flags.push(file.flags);
                    tree.numbers.push(file.number);
                }
                files.push(index);
            }
            for (hash, file) in state.early.hashes {
                let inode = files[file as usize];
                tree.flags[inode as usize] = tree.flags[inode as usize].with_hash();
                tree.hashed.push((hash, inode));
            }
            tree.bytes_read += state.early.bytes;
            tree.names.starts.push(start);
            start += state.names.len() as u32;
            tree.names.of_threads.push(state.names);
            threads.push(ThreadLists {
                children: state.children,
                files,
                directories: state.directories,
            });
        }
        tree.missing = (0..).zip(&there).filter(|(_, there)| !**there).map(|(i, _)| i).collect();
        tree.layout.missing = tree.missing.first().copied();
        if !gathering.whole {
            // What `.links` says of the files of the closure.
            for (inode, flags) in (0..).zip(&mut tree.flags) {
                let link = links.by_number.get(tree.numbers[inode as usize]);
                if let Some(hash) = link.and_then(|link| links.hashes[link as usize]) {
                    *flags = flags.with_link();
                    tree.named_links.push(NamedLink { hash, inode });
                }
            }
        }
        tree.named_links.sort_unstable_by_key(|link| (link.hash, link.inode));
        parts.arrange_by_number(|part| part.position.into());
        parts.arrange_by_number(|part| part.directory);
        tops.arrange_by_key(|&(path, ..)| path);
        let placed = vec![false; parts.len()];
        Self { tree, whole: gathering.whole, tops, parts, placed, threads }
    }

    fn finish(mut self) -> GatheredTree {
        self.tree.first_entry = vec![None; self.tree.layout.inodes.len()];
        // The directories after the first, in the order of their numbers; the
        // parts of each are put in when its turn comes, after all those above it.
        let mut waiting: Vec<usize> = Vec::new();
        for (path, thread, child) in std::mem::take(&mut self.tops) {
            let entry = self.add(0, path, thread, child, &mut waiting);
            self.tree.tops.push(path);
            self.tree.layout.paths[path as usize] = entry;
        }
        let end = self.tree.layout.entries.len() as u32;
        self.tree.layout.directories.push((0, end));
        let mut turn = 0;
        while let Some(&first) = waiting.get(turn) {
            turn += 1;
            let directory = turn as u32;
            let path = self.tree.place(directory).path;
            let start = self.tree.layout.entries.len() as u32;
            let mut at = first;
            while let Some(&part) = self.parts.get(at)
                && part.directory == self.parts[first].directory
            {
                for i in part.start..part.end {
                    let child = self.threads[part.thread as usize].children[i as usize];
                    self.add(directory, path, part.thread, child, &mut waiting);
                }
                at += 1;
            }
            let end = self.tree.layout.entries.len() as u32;
            self.tree.layout.directories.push((start, end));
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
        for inode in entries.iter().filter_map(|entry| entry.as_inode()) {
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
    ) -> Option<LayoutEntry> {
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
                waiting.push(first);
                tree.places.push(DirectoryPlace { entry: index, parent, path });
                LayoutEntry::directory(waiting.len() as u32)
            }
            kind => {
                let inode = if kind == TO_LINK { at as u32 } else { lists.files[at] };
                let first = &mut tree.first_entry[inode as usize];
                if first.is_none() {
                    *first = Some(Node::new(index));
                }
                LayoutEntry::inode(inode)
            }
        };
        tree.name_of.push(tree.names.starts[thread as usize] + child.name);
        tree.directory_of.push(parent);
        tree.layout.entries.push(entry);
        Some(entry)
    }
}

/// Warns of each path that is valid but not on disk; Nix stops at the first.
pub(super) fn warn_missing(
    tree: &GatheredTree,
    names: &[&str],
    store_dir: &str,
    warnings: &mut Warnings,
) {
    for (path, entry) in (0..).zip(&tree.layout.paths) {
        let message = match entry {
            Some(_) => continue,
            None if tree.missing.binary_search(&path).is_ok() => "valid, but not on disk",
            None => "valid, but left out: it cannot be examined",
        };
        let full = format!("{store_dir}/{}", names[path as usize]);
        warnings.push(WarningKind::MissingPath, full, message);
    }
}
