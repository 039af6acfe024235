//! All entries of the examined paths, kept by the walk that sums.

use crate::census::PathIndex;
use crate::disk::{EntryStat, KindFinder, Observed, Observer, Shared, WalkDirectory, WalkEntry};
use crate::fs::FileType;
use crate::kinds::FileKind;
use crate::warning::Warnings;
use std::collections::HashMap;

/// Says that an entry has no inode with several names.
pub(super) const OWN: u32 = u32::MAX;

/// An entry of a path, as it was met. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    name: (u32, u32),
    pub(super) file_type: FileType,
    pub(super) kind: FileKind,
    /// Of an inode with several names these are the scan's.
    size: u64,
    disk_size: u64,
    /// During the walk its number, then the index of the scan's inode; or [`OWN`].
    inode: u32,
}

/// The entries of a directory, or some of them.
struct Part {
    path: u32,
    /// The directory's name below the store directory; none for the store
    /// directory itself, whose entries are the paths.
    directory: Vec<u8>,
    entries: std::ops::Range<usize>,
}

/// What one thread gathers.
pub(super) struct Gathered {
    parts: Vec<Part>,
    met: Vec<Met>,
    names: Vec<u8>,
    warnings: Warnings,
}

/// The observer that keeps all entries.
#[derive(Default)]
pub(super) struct Gatherer {
    finder: KindFinder,
}

impl Gathered {
    fn push(&mut self, entry: &WalkEntry<'_, Shared>, kind: FileKind) {
        let start = self.names.len() as u32;
        self.names.extend_from_slice(entry.name());
        let (size, disk_size, inode) = match entry.stat {
            EntryStat::Known(shared) => (0, 0, shared.number()),
            EntryStat::Stat(stat) => {
                let counts = matches!(entry.file_type, FileType::Regular | FileType::Symlink);
                (if counts { stat.size } else { 0 }, stat.disk_size, OWN)
            }
            EntryStat::Failed => (0, 0, OWN),
        };
        self.met.push(Met {
            name: (start, self.names.len() as u32),
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

    fn state(&self) -> Gathered {
        Gathered {
            parts: Vec::new(),
            met: Vec::new(),
            names: Vec::new(),
            warnings: Warnings::new(),
        }
    }

    fn top(
        &self,
        state: &mut Gathered,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, Shared>,
    ) {
        let kind = self.finder.top(&mut state.warnings, directory, entry);
        let start = state.met.len();
        state.push(entry, kind);
        state.parts.push(Part {
            path: directory.path(),
            directory: Vec::new(),
            entries: start..start + 1,
        });
    }

    fn directory<'e>(
        &self,
        state: &mut Gathered,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, Shared>> + Clone,
    ) {
        let start = state.met.len();
        let mut warnings = std::mem::take(&mut state.warnings);
        self.finder.directory(&mut warnings, directory, entries, |entry, kind| {
            state.push(entry, kind);
        });
        state.warnings = warnings;
        state.parts.push(Part {
            path: directory.path(),
            directory: directory.relative_path(),
            entries: start..state.met.len(),
        });
    }

    fn warnings(&self, state: &mut Gathered) -> Warnings {
        std::mem::take(&mut state.warnings)
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
    /// The scan's inode, if it has several names, else [`OWN`].
    pub(super) inode: u32,
    name: (u32, u32),
}

/// The tree of all that was met: a directory comes before what is in it.
#[derive(Clone, Debug)]
pub struct Listing {
    pub(super) nodes: Vec<Node>,
    names: Vec<u8>,
}

impl Listing {
    /// What an observed scan gathered.
    pub(super) fn new(observed: &Observed<Gathered>) -> Self {
        let mut names = Vec::new();
        let mut bases = Vec::new();
        for state in &observed.states {
            bases.push(names.len() as u32);
            names.extend_from_slice(&state.names);
        }
        let states = observed.states.iter().zip(bases);
        let mut parts: Vec<(&Part, &Gathered, u32)> = states
            .flat_map(|(state, base)| state.parts.iter().map(move |part| (part, state, base)))
            .collect();
        // Each directory after the one it is in, whose name its own begins with.
        parts.sort_by(|(a, ..), (b, ..)| (&a.directory, a.path).cmp(&(&b.directory, b.path)));
        let root = Node {
            parent: 0,
            path: PathIndex::new(0),
            depth: 0,
            file_type: FileType::Directory,
            kind: FileKind::Directories,
            size: 0,
            disk_size: 0,
            inode: OWN,
            name: (0, 0),
        };
        let mut listing = Self { nodes: vec![root], names };
        let mut directories: HashMap<Vec<u8>, u32> = HashMap::from([(Vec::new(), 0)]);
        for (part, state, base) in parts {
            let Some(&parent) = directories.get(&part.directory) else { continue };
            for met in &state.met[part.entries.clone()] {
                let name = (met.name.0 + base, met.name.1 + base);
                if met.file_type == FileType::Directory {
                    let mut directory = part.directory.clone();
                    if parent != 0 {
                        directory.push(b'/');
                    }
                    directory.extend_from_slice(&listing.names[name.0 as usize..name.1 as usize]);
                    directories.insert(directory, listing.nodes.len() as u32);
                }
                listing.nodes.push(Node {
                    parent,
                    path: PathIndex::new(part.path),
                    depth: listing.nodes[parent as usize].depth + 1,
                    file_type: met.file_type,
                    kind: met.kind,
                    size: met.size,
                    disk_size: met.disk_size,
                    inode: match met.inode {
                        OWN => OWN,
                        number => observed.inode(number),
                    },
                    name,
                });
            }
        }
        listing
    }

    /// The last part of an entry's name.
    pub(super) fn name(&self, node: u32) -> &[u8] {
        let (start, end) = self.nodes[node as usize].name;
        &self.names[start as usize..end as usize]
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
