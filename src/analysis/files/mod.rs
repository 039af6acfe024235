//! What is inside paths: directories with sizes, the largest files, and sums
//! by kind, by extension, by path.

mod document;
mod extents;
mod gather;
#[cfg(test)]
mod tests;
use crate::arrange::Arrange as _;

use crate::answer::GraphLine;
use crate::catalog::Catalog;
use crate::census::{Census, Examine, PathIndex, scan_observed};
use crate::disk::{DiskError, DiskScan, ExtentSizes, Inode, Overlay, Progress, ScanOptions};
use crate::fs::{FileType, StoreFiles};
use crate::graph::{self, Rows, saturating_add};
use crate::warning::Warnings;
use extents::NodeExtents;
use gather::{Gatherer, Node};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

pub use gather::Listing;

/// What entries are summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupFilesBy {
    /// What they are for.
    Kind,
    /// What their names end with.
    Extension,
    /// The store path they are in.
    Path,
}

/// What of the entries is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowFiles {
    /// The largest directories, and the largest files.
    Largest,
    /// A tree.
    Tree,
    /// Sums by group.
    Groups(GroupFilesBy),
}

/// Which rows the answer has.
#[derive(Clone, Copy, Debug)]
pub struct FilesOptions {
    /// What is shown.
    pub show: ShowFiles,
    /// Only entries at most so many levels below their store path.
    pub depth: Option<u32>,
    /// Only entries (or groups) of at least so many bytes on disk: of extents, where these
    /// are known and blocks do not say it all.
    pub min_size: u64,
    /// At most so many rows, the largest; of a list each.
    pub limit: Option<usize>,
}

/// Walks the paths to examine and keeps every entry: what a census is made of,
/// and the listing that [`Files`] is made of.
///
/// # Errors
/// As [`census::scan`](crate::census::scan).
pub fn list(
    files: &StoreFiles,
    catalog: &Catalog,
    examine: &Examine,
    options: &ScanOptions,
    progress: &Progress,
) -> Result<(DiskScan, Listing), DiskError> {
    let gatherer = Gatherer::default();
    let options = ScanOptions { inode_extents: true, ..*options };
    let (mut scan, mut observed) =
        scan_observed(files, catalog, examine, &options, progress, &gatherer)?;
    for state in &mut observed.states {
        scan.warnings.extend(std::mem::take(&mut state.warnings));
    }
    scan.warnings.sort();
    let listing = Listing::new(&observed, scan.usages.len());
    Ok((scan, listing))
}

/// Sizes of an entry with all that is in it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSizes {
    /// Blocks, each inode once: `du -s`.
    pub disk_size: u64,
    /// `st_size` of regular files and symlinks, each inode once.
    pub apparent_size: u64,
    /// Blocks, every name of an inode counted: `du -s -l`.
    pub copied_disk_size: u64,
    /// Blocks that would go with it: of inodes that have all their names in
    /// it, `.links` apart. Not to be believed where it is not known what goes.
    pub reclaimable_size: u64,
    /// Names, its own among them.
    pub entries: u64,
}

/// A group of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileGroup {
    /// The kind's name, the extension, or the path's name below the store
    /// directory.
    pub name: Vec<u8>,
    /// Blocks in bytes, each inode once.
    pub disk_size: u64,
    /// `st_size` in bytes of regular files and symlinks, each inode once.
    pub apparent_size: u64,
    /// Extents, each once; `None` if they are not known. One that entries of several kinds
    /// or extensions use is, as an inode is, of the last kind or the first extension.
    pub extents: Option<ExtentSizes>,
    /// Names.
    pub entries: u64,
}

impl FileGroup {
    /// What it is shown by.
    fn size(&self) -> (Option<u64>, u64) {
        (self.extents.map(|extents| extents.physical_size), self.disk_size)
    }
}

/// The extension that directories are grouped under, as no name ends so.
const DIRECTORIES: &[u8] = b"directories/";

/// What is inside paths.
#[derive(Debug)]
pub struct Files {
    /// What the examined paths take together.
    pub total: FileSizes,
    /// Groups, largest first, if that was asked; limited.
    pub groups: Vec<FileGroup>,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
    listing: Listing,
    /// By node.
    sizes: Vec<FileSizes>,
    /// Where there are extents to tell of.
    extents: Option<NodeExtents>,
    /// Whether blocks say it all.
    blocks: bool,
    /// By inode of the scan: the nodes that are names of it, in the order of names.
    names: Rows,
    /// By inode of the scan: the paths that have such names, ascending.
    paths: Rows,
    options: FilesOptions,
    /// Nodes to show, in order: directories, then files; or those of the tree.
    directories: Vec<u32>,
    files: Vec<u32>,
    lines: Vec<GraphLine>,
}

impl Files {
    /// Sums up the listing of what the census examines.
    pub fn new(census: &Census, listing: Listing, options: FilesOptions) -> Self {
        let inodes = census.disk.as_ref().map_or(0, |disk| disk.inodes.len());
        let pairs = (0u32..).zip(&listing.nodes);
        let pairs = pairs.filter_map(|(at, node)| Some((node.inode?.node(), at)));
        let mut names = Rows::from_pairs(inodes, pairs);
        let mut paths = Rows::default();
        for inode in 0..inodes as u32 {
            let row = names.row_mut(inode);
            row.arrange_by_key(|&node| listing.order[node as usize]);
            let mut of: Vec<u32> =
                row.iter().map(|&node| listing.nodes[node as usize].path.node()).collect();
            of.sort_unstable();
            of.dedup();
            paths.push(&of);
        }
        let sizes = sum(census, &listing, &names);
        let extents = NodeExtents::new(census, &listing, &names);
        let mut files = Self {
            total: sizes[0],
            groups: Vec::new(),
            warnings: census.warnings.clone(),
            listing,
            sizes,
            extents,
            blocks: census.knows_physical() && !census.has_extents(),
            names,
            paths,
            options,
            directories: Vec::new(),
            files: Vec::new(),
            lines: Vec::new(),
        };
        files.total.entries -= 1;
        match options.show {
            ShowFiles::Largest => files.find_largest(),
            ShowFiles::Tree => files.find_lines(),
            ShowFiles::Groups(by) => files.find_groups(census, by),
        }
        files
    }

    /// Sizes and name (below the store directory) of every entry.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, &FileSizes)> + '_ {
        (1..self.sizes.len() as u32)
            .map(|node| (self.listing.relative_name(node), &self.sizes[node as usize]))
    }

    /// What an entry with all that is in it takes in extents, and what of it would go with
    /// it, in bytes; `None` if that is not known.
    fn extents(&self, node: u32) -> Option<(ExtentSizes, u64)> {
        let (node, sizes) = (node as usize, &self.sizes[node as usize]);
        match &self.extents {
            Some(extents) => Some((extents.sizes[node], extents.reclaimable[node])),
            None => {
                let blocks = (ExtentSizes::blocks(sizes.disk_size), sizes.reclaimable_size);
                self.blocks.then_some(blocks)
            }
        }
    }

    /// What an entry is shown by: extents where there are some to tell of, else blocks.
    fn size(&self, node: u32) -> u64 {
        match &self.extents {
            Some(extents) => extents.sizes[node as usize].physical_size,
            None => self.sizes[node as usize].disk_size,
        }
    }

    /// Whether an entry is to be shown, by its depth and size.
    fn shows(&self, node: u32) -> bool {
        let depth = self.listing.nodes[node as usize].depth;
        self.options.depth.is_none_or(|most| depth <= most.saturating_add(1))
            && self.size(node) >= self.options.min_size
    }

    fn find_largest(&mut self) {
        let shown = (1..self.listing.nodes.len() as u32).filter(|&node| self.shows(node));
        let is_directory =
            |node: &u32| self.listing.nodes[*node as usize].file_type == FileType::Directory;
        let (mut directories, mut files): (Vec<u32>, Vec<u32>) = shown.partition(is_directory);
        // Of an inode with several names the first stands for all.
        files.retain(|&node| self.is_first_name(node));
        for list in [&mut directories, &mut files] {
            list.arrange_by_key(|&node| self.order(node));
            list.truncate(self.options.limit.unwrap_or(usize::MAX));
        }
        (self.directories, self.files) = (directories, files);
    }

    /// Largest first, then by name.
    fn order(&self, node: u32) -> (Reverse<u64>, u32) {
        (Reverse(self.size(node)), self.listing.order[node as usize])
    }

    /// Whether an entry is, of the names of its inode, the first in order.
    fn is_first_name(&self, node: u32) -> bool {
        let inode = self.listing.nodes[node as usize].inode;
        inode.is_none_or(|inode| self.names.row(inode.node()).first() == Some(&node))
    }

    /// The tree: the largest entries, each below the directory that it is in,
    /// which is as large or larger.
    fn find_lines(&mut self) {
        let nodes = &self.listing.nodes;
        let mut shown: Vec<u32> =
            (1..nodes.len() as u32).filter(|&node| self.shows(node)).collect();
        if let Some(limit) = self.options.limit.filter(|&limit| limit < shown.len()) {
            // Of equal ones the directory comes first: it leads to the other.
            let key = |&node: &u32| {
                let (size, name) = self.order(node);
                (size, nodes[node as usize].depth, name)
            };
            shown.select_nth_unstable_by_key(limit, key);
            shown.truncate(limit);
        }
        let mut below: Vec<Vec<u32>> = Vec::new();
        let mut place = vec![0u32; nodes.len()];
        below.push(Vec::new());
        shown.sort_unstable();
        for &node in &shown {
            place[node as usize] = below.len() as u32;
            below.push(Vec::new());
        }
        for &node in &shown {
            below[place[nodes[node as usize].parent as usize] as usize].push(node);
        }
        for list in &mut below {
            list.arrange_by_key(|&node| Reverse(self.order(node)));
        }
        // From the last to the first, as each is taken from the end.
        let mut left = std::mem::take(&mut below[0]);
        let mut lines = Vec::new();
        while let Some(node) = left.pop() {
            let Node { parent, depth, .. } = nodes[node as usize];
            let parent = (parent != 0).then_some(parent);
            lines.push(GraphLine { node, parent, depth: depth - 1, repeated: false });
            left.append(&mut below[place[node as usize] as usize]);
        }
        self.lines = lines;
    }

    /// The group of an entry.
    fn group_of(&self, census: &Census, by: GroupFilesBy, node: u32) -> Vec<u8> {
        let entry = &self.listing.nodes[node as usize];
        match by {
            GroupFilesBy::Kind => entry.kind.key().into(),
            GroupFilesBy::Path => {
                census.catalog.base_name(census.id(entry.path)).as_bytes().to_vec()
            }
            GroupFilesBy::Extension if entry.file_type == FileType::Directory => {
                DIRECTORIES.to_vec()
            }
            GroupFilesBy::Extension => extension(self.listing.name(node)).to_ascii_lowercase(),
        }
    }

    /// Those of an inode, or of an extent, that has these names.
    fn groups_of(&self, census: &Census, by: GroupFilesBy, names: &[u32]) -> Vec<Vec<u8>> {
        let all = || names.iter().map(|&name| self.group_of(census, by, name));
        let mut groups: Vec<Vec<u8>> = match by {
            // The last kind in order, as `kinds` counts it.
            GroupFilesBy::Kind => {
                let kinds = names.iter().map(|&name| self.listing.nodes[name as usize].kind);
                kinds.max().map(|kind| kind.key().into()).into_iter().collect()
            }
            // Once in each path.
            GroupFilesBy::Path => all().collect(),
            // The first in order.
            GroupFilesBy::Extension => all().min().into_iter().collect(),
        };
        groups.arrange();
        groups.dedup();
        groups
    }

    fn find_groups(&mut self, census: &Census, by: GroupFilesBy) {
        let mut groups: BTreeMap<Vec<u8>, FileGroup> = BTreeMap::new();
        let mut add = |name: Vec<u8>, disk_size, apparent_size, entries| {
            let group = groups.entry(name).or_insert_with_key(|name| FileGroup {
                name: name.clone(),
                disk_size: 0,
                apparent_size: 0,
                extents: None,
                entries: 0,
            });
            saturating_add(&mut group.disk_size, disk_size);
            saturating_add(&mut group.apparent_size, apparent_size);
            group.entries += entries;
        };
        for (at, node) in (0u32..).zip(&self.listing.nodes).skip(1) {
            add(self.group_of(census, by, at), node.disk_size, node.size, 1);
        }
        let inodes = census.disk.iter().flat_map(|disk| &disk.inodes);
        for (inode, names) in inodes.zip(self.names.iter()) {
            for name in self.groups_of(census, by, names) {
                add(name, inode.disk_size(), inode.apparent_size(), 0);
            }
        }
        if self.extents.is_some() {
            groups.values_mut().for_each(|group| group.extents = Some(ExtentSizes::default()));
            _ = extents::each(census, &self.listing, &self.names, |used| {
                for name in self.groups_of(census, by, used.nodes) {
                    let group = groups.get_mut(&name).and_then(|group| group.extents.as_mut());
                    group.into_iter().for_each(|sum| sum.add(used.sizes));
                }
            });
        } else if self.blocks {
            let blocks = |group: &mut FileGroup| {
                group.extents = Some(ExtentSizes::blocks(group.disk_size));
            };
            groups.values_mut().for_each(blocks);
        }
        let mut groups: Vec<FileGroup> = groups.into_values().collect();
        let min_size = self.options.min_size;
        groups.retain(|group| group.size().0.unwrap_or(group.disk_size) >= min_size);
        groups.arrange_by(|a, b| (b.size(), &a.name).cmp(&(a.size(), &b.name)));
        groups.truncate(self.options.limit.unwrap_or(usize::MAX));
        self.groups = groups;
    }

    /// The inode of an entry, if it has several names.
    fn inode<'c>(&self, census: &'c Census, node: u32) -> Option<&'c Inode> {
        let inode = self.listing.nodes[node as usize].inode?;
        census.disk.as_ref().map(|disk| &disk.inodes[inode.index()])
    }

    /// The other examined paths that have a name of an entry's inode.
    fn other_paths(&self, node: u32) -> Vec<PathIndex> {
        let entry = &self.listing.nodes[node as usize];
        let Some(inode) = entry.inode else { return Vec::new() };
        let paths = self.paths.row(inode.node()).iter().map(|&path| PathIndex::new(path));
        paths.filter(|&path| path != entry.path).collect()
    }
}

/// What follows the last dot of a name, if that is not its first character.
fn extension(name: &[u8]) -> &[u8] {
    let dot = name.iter().rposition(|&b| b == b'.').filter(|&at| at > 0);
    let extension = dot.map_or(&b""[..], |at| &name[at + 1..]);
    let plain = extension.len() <= 16 && extension.iter().all(u8::is_ascii_alphanumeric);
    let version = extension.iter().all(u8::is_ascii_digit);
    if plain && !version { extension } else { b"" }
}

/// The sizes of each node with all below it.
fn sum(census: &Census, listing: &Listing, names: &Rows) -> Vec<FileSizes> {
    let nodes = &listing.nodes;
    let mut sizes: Vec<FileSizes> = (nodes.iter())
        .map(|node| FileSizes {
            disk_size: node.disk_size,
            apparent_size: node.size,
            copied_disk_size: node.disk_size,
            reclaimable_size: node.disk_size,
            entries: 1,
        })
        .collect();
    let upper = census.disk.as_ref().and_then(|disk| match &disk.overlay {
        Overlay::Upper(upper) => Some(&**upper),
        Overlay::No | Overlay::Unknown(_) => None,
    });
    if let Some(upper) = upper {
        let numbers: HashMap<u32, u64> = listing.numbers.iter().copied().collect();
        for ((at, node), sizes) in (0u32..).zip(nodes).zip(&mut sizes) {
            if !upper.has(node.path.index(), numbers.get(&at).copied()) {
                sizes.reclaimable_size = 0;
            }
        }
    }
    let stays = |inode: graph::Node| upper.is_some_and(|upper| !upper.inodes[inode.index()]);
    let inodes = census.disk.iter().flat_map(|disk| &disk.inodes);
    // What inodes with several names add to a directory itself, however many
    // of their names are below it: found by the last inode that it counted.
    let mut once = vec![(0u64, 0u64); nodes.len()];
    let mut counted: Vec<Option<graph::Node>> = vec![None; nodes.len()];
    for ((number, inode), names) in (0..).map(graph::Node::new).zip(inodes).zip(names.iter()) {
        let mut common = names.first().copied();
        for &name in names {
            saturating_add(&mut sizes[name as usize].copied_disk_size, inode.disk_size());
            let mut at = name;
            while counted[at as usize].replace(number) != Some(number) {
                saturating_add(&mut once[at as usize].0, inode.disk_size());
                saturating_add(&mut once[at as usize].1, inode.apparent_size());
                at = nodes[at as usize].parent;
            }
            common = common.map(|common| above_both(nodes, common, name));
        }
        // With the smallest directory that has all its names, its blocks go.
        let goes = names.len() as u32 >= inode.names_outside_links() && !stays(number);
        if let Some(common) = common.filter(|_| goes) {
            saturating_add(&mut sizes[common as usize].reclaimable_size, inode.disk_size());
        }
    }
    // What is below comes after what it is in.
    for at in (1..nodes.len()).rev() {
        let (own, parent) = (sizes[at], nodes[at].parent as usize);
        let above = &mut sizes[parent];
        saturating_add(&mut above.disk_size, own.disk_size);
        saturating_add(&mut above.apparent_size, own.apparent_size);
        saturating_add(&mut above.copied_disk_size, own.copied_disk_size);
        saturating_add(&mut above.reclaimable_size, own.reclaimable_size);
        above.entries += own.entries;
    }
    for (sizes, (disk, apparent)) in sizes.iter_mut().zip(once) {
        saturating_add(&mut sizes.disk_size, disk);
        saturating_add(&mut sizes.apparent_size, apparent);
    }
    sizes
}

/// The entry nearest to both of two that is one of them or has it below it.
fn above_both(nodes: &[Node], a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while a != b {
        let depth = |node: u32| nodes[node as usize].depth;
        if depth(a) >= depth(b) {
            a = nodes[a as usize].parent;
        } else {
            b = nodes[b as usize].parent;
        }
    }
    a
}
