//! All entries of the examined paths, kept by the walk that sums.
use crate::arrange::Arrange as _;

use crate::census::PathIndex;
use crate::disk::{
    EntryStat, KindFinder, Observed, Observer, Shared, WalkDirectory, WalkEntry, WalkPlace,
};
use crate::fs::FileType;
use crate::graph::{self, Rows};
use crate::kinds::FileKind;
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a name, or the target of a symlink, is among others.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    start: usize,
    length: u32,
}

impl Name {
    fn of(self, names: &[u8]) -> &[u8] {
        &names[self.start..self.start + self.length as usize]
    }

    /// The same where those names begin elsewhere.
    fn after(self, base: usize) -> Self {
        Self { start: self.start + base, ..self }
    }
}

/// An entry of a path, as it was met. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    name: Name,
    /// Of a symlink.
    target: Option<Name>,
    pub(super) file_type: FileType,
    pub(super) kind: FileKind,
    /// Of an inode with several names these are the scan's.
    size: u64,
    disk_size: u64,
    /// The number of its inode during the walk, if that has several names.
    inode: Option<graph::Node>,
}

/// The number of a directory in the walk, which stands for its name: names may
/// be long, and there may be many. The store directory's is 0.
type Number = u64;

/// What a directory is given by the one above it.
#[derive(Default)]
pub(super) struct Numbered {
    number: Number,
    /// That of the directory above.
    above: Number,
    place: WalkPlace,
}

/// The entries of a directory, or some of them.
struct Part {
    path: u32,
    /// How many directories are above it; 0 for the store directory, whose
    /// entries are the paths.
    depth: u32,
    directory: Number,
    /// The directory above it, and its name there.
    above: Number,
    name: Name,
    position: usize,
    entries: Range<usize>,
}

/// What one thread gathers.
pub(super) struct Gathered {
    parts: Vec<Part>,
    met: Vec<Met>,
    names: Vec<u8>,
    /// The device whose extents are looked at, if any are.
    device: Option<u64>,
    /// Where in `met` files of it are that have one name, with the numbers of their inodes.
    numbers: Vec<(usize, u64)>,
    pub(super) warnings: Warnings,
}

/// The observer that keeps all entries.
#[derive(Default)]
pub(super) struct Gatherer {
    finder: KindFinder,
    /// How many directories have a number.
    numbered: AtomicU64,
}

impl Gathered {
    fn name(&mut self, text: &[u8]) -> Name {
        let name = Name { start: self.names.len(), length: text.len() as u32 };
        self.names.extend_from_slice(text);
        name
    }

    fn push(
        &mut self,
        directory: &WalkDirectory<'_, Numbered>,
        entry: &WalkEntry<'_, Shared>,
        kind: FileKind,
    ) {
        let name = self.name(entry.name());
        let target = match (entry.file_type, &entry.stat) {
            (FileType::Symlink, EntryStat::Known(_) | EntryStat::Stat(_)) => {
                directory.read_link(entry).map(Some)
            }
            _ => Ok(None),
        };
        let target = target.unwrap_or_else(|error| {
            let message = format!("where it leads is not known: {error}");
            let kind = WarningKind::of_error(&error);
            directory.warn(&mut self.warnings, kind, entry.name(), message);
            None
        });
        let target = target.map(|target| self.name(&target));
        let (size, disk_size, inode) = match entry.stat {
            EntryStat::Known(shared) => (0, 0, Some(graph::Node::new(shared.number()))),
            EntryStat::Stat(stat) => {
                if self.device == Some(stat.dev) && stat.disk_size > 0 {
                    self.numbers.push((self.met.len(), stat.ino));
                }
                let counts = matches!(entry.file_type, FileType::Regular | FileType::Symlink);
                (if counts { stat.size } else { 0 }, stat.disk_size, None)
            }
            EntryStat::Failed => (0, 0, None),
        };
        self.met.push(Met {
            name,
            target,
            file_type: entry.file_type,
            kind,
            size,
            disk_size,
            inode,
        });
    }
}

impl Observer for Gatherer {
    type State = Gathered;
    type Context = Numbered;

    fn state(&self, device: Option<u64>) -> Gathered {
        Gathered {
            parts: Vec::new(),
            met: Vec::new(),
            names: Vec::new(),
            device,
            numbers: Vec::new(),
            warnings: Warnings::new(),
        }
    }

    fn top(
        &self,
        state: &mut Gathered,
        directory: &WalkDirectory<'_, Numbered>,
        entry: &WalkEntry<'_, Shared>,
    ) {
        let kind = self.finder.top(&mut state.warnings, directory, entry);
        let start = state.met.len();
        state.push(directory, entry, kind);
        state.parts.push(Part {
            path: directory.path(),
            depth: 0,
            directory: 0,
            above: 0,
            name: Name::default(),
            position: 0,
            entries: start..start + 1,
        });
    }

    fn descend(&self, directory: &WalkDirectory<'_, Numbered>, name: &[u8]) -> Option<Numbered> {
        let number = 1 + self.numbered.fetch_add(1, Ordering::Relaxed);
        Some(match directory.context() {
            Some(above) => {
                Numbered { number, above: above.number, place: above.place.entered(name) }
            }
            None => Numbered { number, ..Numbered::default() },
        })
    }

    fn directory<'e>(
        &self,
        state: &mut Gathered,
        directory: &WalkDirectory<'_, Numbered>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>> + Clone,
    ) {
        let Some(at) = directory.context() else { return };
        let start = state.met.len();
        let mut warnings = std::mem::take(&mut state.warnings);
        self.finder.directory(&mut warnings, &at.place, directory, entries, |entry, kind| {
            state.push(directory, entry, kind);
        });
        warnings.extend(std::mem::take(&mut state.warnings));
        state.warnings = warnings;
        let name = state.name(directory.name());
        state.parts.push(Part {
            path: directory.path(),
            depth: directory.depth(),
            directory: at.number,
            above: at.above,
            name,
            position: directory.position(),
            entries: start..state.met.len(),
        });
    }
}

/// An entry of the tree of all that was met. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The directory it is in; 0, which stands for the store directory, is in
    /// itself.
    pub(super) parent: u32,
    pub(super) path: PathIndex,
    pub(super) depth: u32,
    pub(super) file_type: FileType,
    pub(super) kind: FileKind,
    pub(super) size: u64,
    pub(super) disk_size: u64,
    /// The scan's inode, if it has several names.
    pub(super) inode: Option<graph::Node>,
    name: Name,
    target: Option<Name>,
}

/// The tree of all that was met: a directory comes before what is in it.
#[derive(Clone, Debug)]
pub struct Listing {
    pub(super) nodes: Vec<Node>,
    /// The place of each node in the order of names.
    pub(super) order: Vec<u32>,
    /// Files with one name, with the numbers of their inodes, where extents are looked at.
    pub(super) numbers: Vec<(u32, u64)>,
    names: Vec<u8>,
}

impl Listing {
    /// What an observed scan gathered of its first paths, so many.
    pub(super) fn new(observed: &Observed<Gathered>, paths: usize) -> Self {
        let mut names = Vec::new();
        let mut bases = Vec::new();
        for state in &observed.states {
            bases.push(names.len());
            names.extend_from_slice(&state.names);
        }
        let states = observed.states.iter().zip(bases);
        let mut parts: Vec<(&Part, &Gathered, usize)> = states
            .flat_map(|(state, base)| state.parts.iter().map(move |part| (part, state, base)))
            .collect();
        // What is no valid path is not examined.
        parts.retain(|(part, ..)| (part.path as usize) < paths);
        // Each directory after the one it is in.
        parts.sort_by_key(|(part, ..)| part.depth);
        let root = Node {
            parent: 0,
            path: PathIndex::new(0),
            depth: 0,
            file_type: FileType::Directory,
            kind: FileKind::Directories,
            size: 0,
            disk_size: 0,
            inode: None,
            name: Name::default(),
            target: None,
        };
        let mut listing = Self { nodes: vec![root], names, order: Vec::new(), numbers: Vec::new() };
        // By the directory that each is in, and its name there. One name comes
        // twice in a directory that was changed meanwhile: the first is kept.
        let mut directories: HashMap<(Number, &[u8]), u32> = HashMap::new();
        for level in parts.chunk_by(|(one, ..), (other, ..)| one.depth == other.depth) {
            let mut level: Vec<_> = level
                .iter()
                .filter_map(|&(part, state, base)| {
                    let parent = match part.depth {
                        0 => 0,
                        _ => *directories.get(&(part.above, part.name.of(&state.names)))?,
                    };
                    Some((parent, part, state, base))
                })
                .collect();
            level.sort_by_key(|(parent, part, ..)| (*parent, part.path, part.position));
            for (parent, part, state, base) in level {
                let first = state.numbers.partition_point(|&(at, _)| at < part.entries.start);
                let mut numbers = state.numbers[first..].iter().peekable();
                for (at, met) in part.entries.clone().zip(&state.met[part.entries.clone()]) {
                    let node = u32::try_from(listing.nodes.len()).expect("fewer than 2^32 entries");
                    if met.file_type == FileType::Directory {
                        let own = met.name.of(&state.names);
                        directories.entry((part.directory, own)).or_insert(node);
                    }
                    if let Some(&(_, ino)) = numbers.next_if(|&&(of, _)| of == at) {
                        listing.numbers.push((node, ino));
                    }
                    listing.nodes.push(Node {
                        parent,
                        path: PathIndex::new(part.path),
                        depth: listing.nodes[parent as usize].depth + 1,
                        file_type: met.file_type,
                        kind: met.kind,
                        size: met.size,
                        disk_size: met.disk_size,
                        inode: met
                            .inode
                            .map(|number| graph::Node::new(observed.inode(number.node()))),
                        name: met.name.after(base),
                        target: met.target.map(|target| target.after(base)),
                    });
                }
            }
        }
        listing.order = listing.by_name();
        listing
    }

    /// The place of each node in the order of names: what is in a directory
    /// comes after it, by name.
    fn by_name(&self) -> Vec<u32> {
        let pairs = (1u32..).zip(self.nodes.iter().skip(1)).map(|(at, node)| (node.parent, at));
        let mut below = Rows::from_pairs(self.nodes.len(), pairs);
        for node in 0..self.nodes.len() as u32 {
            below.row_mut(node).arrange_by_key(|&entry| Reverse(self.name(entry)));
        }
        let mut order = vec![0; self.nodes.len()];
        let mut left = vec![0];
        let mut next = 0;
        while let Some(node) = left.pop() {
            order[node as usize] = next;
            next += 1;
            left.extend_from_slice(below.row(node));
        }
        order
    }

    /// The last part of an entry's name.
    pub(super) fn name(&self, node: u32) -> &[u8] {
        self.nodes[node as usize].name.of(&self.names)
    }

    /// Where a symlink leads, as it says; `None` for what is no symlink.
    pub(super) fn target(&self, node: u32) -> Option<&[u8]> {
        self.nodes[node as usize].target.map(|target| target.of(&self.names))
    }

    /// The name of an entry below the store directory.
    pub(super) fn relative_name(&self, node: u32) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut at = node;
        while at != 0 {
            parts.push(self.name(at));
            at = self.nodes[at as usize].parent;
        }
        parts.reverse();
        parts.join(&b'/')
    }
}
