//! What `nix-store --optimise` would do, on plain data: nothing here reads a
//! disk. Each rule is that of `optimisePath_` in Nix's `optimise-store.cc`.

use std::collections::VecDeque;

use super::version::{NixRule, NixRules};
use crate::graph::{Node, NodeSet, node_number};

/// The files that Nix would meet, in the order in which it would meet them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// Each inode that a name below leads to, once.
    pub inodes: Vec<LayoutInode>,
    /// The entries of all directories, each directory's together and in the
    /// order in which they are read.
    pub entries: Vec<LayoutEntry>,
    /// Where in `entries` those of each directory begin and end.
    pub directories: Vec<(u32, u32)>,
    /// The valid paths in bytewise order; `None` for one that is not examined.
    pub paths: Vec<Option<LayoutEntry>>,
    /// The first of the paths that is not on disk at all.
    pub missing: Option<u32>,
    /// The entries of `.links`.
    pub links: Vec<LayoutLink>,
    /// How many classes of contents there are.
    pub classes: u32,
    /// How many names the file system allows an inode.
    pub link_limit: u32,
}

/// A regular file or symlink; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayoutInode {
    /// `st_size`.
    pub size: u64,
    /// `st_blocks` × 512.
    pub disk_size: u64,
    /// How many names it has, those that Nix does not meet included.
    pub nlink: u32,
    /// Its class: the same for the same kind of file, executable bit and
    /// contents (or target); none if no other inode and no name in `.links`
    /// has its contents.
    pub class: Option<Class>,
    /// Whether it is a regular file that its owner may write to. Nix passes
    /// over such a file.
    pub writable: bool,
}

node_number! {
    /// A class of equal contents.
    pub(crate) struct Class
}

/// An entry of a directory: a file or symlink by its inode, or a directory;
/// other kinds of files are left out, as Nix passes over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayoutEntry(u32);

impl LayoutEntry {
    const DIRECTORY: u32 = 1 << 31;

    /// An entry that leads to `Layout::inodes[index]`.
    pub(crate) fn inode(index: u32) -> Self {
        debug_assert!(index < Self::DIRECTORY, "fewer than 2^31 inodes");
        Self(index)
    }

    /// An entry that is `Layout::directories[index]`.
    pub(crate) fn directory(index: u32) -> Self {
        debug_assert!(index < Self::DIRECTORY, "fewer than 2^31 directories");
        Self(index | Self::DIRECTORY)
    }

    /// What it leads to.
    #[inline]
    pub(crate) fn target(self) -> EntryTarget {
        match self.0 & Self::DIRECTORY {
            0 => EntryTarget::Inode(self.0),
            _ => EntryTarget::Directory(self.0 & !Self::DIRECTORY),
        }
    }

    /// The inode that it leads to, if it is not a directory.
    #[inline]
    pub(crate) fn as_inode(self) -> Option<u32> {
        match self.target() {
            EntryTarget::Inode(inode) => Some(inode),
            EntryTarget::Directory(_) => None,
        }
    }
}

/// What a [`LayoutEntry`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryTarget {
    /// A file or symlink, by its place in [`Layout::inodes`].
    Inode(u32),
    /// A directory, by its place in [`Layout::directories`].
    Directory(u32),
}

/// An entry of `.links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayoutLink {
    /// Its inode: an index into [`Layout::inodes`].
    pub inode: u32,
    /// The class that its *name* stands for, which Nix goes by; none if no
    /// examined file has the hash that is its name.
    pub class: Option<Class>,
}

/// What came of it; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulatedResult {
    /// How many files Nix would say it hard-linked.
    pub files_linked: u64,
    /// How many bytes Nix would say it freed: Σ `st_size` over those files.
    pub bytes_freed: u64,
    /// The blocks of the inodes that would lose their last name.
    pub disk_freed: u64,
    /// Their `st_size`.
    pub apparent_freed: u64,
    /// How many inodes those are.
    pub inodes_freed: u64,
    /// How many entries `.links` would gain.
    pub links_added: u64,
    /// How many entries of `.links` are of another size than the file whose
    /// hash is their name, and would be removed.
    pub links_removed: u64,
    /// How many files would stay as they are because the linked inode has all
    /// the names that the file system allows.
    pub at_link_limit: u64,
    /// How many writable files were passed over.
    pub writable: u64,
    /// Why Nix would stop with an error before it is done, if it would.
    pub stopped: Option<Stop>,
}

/// Why Nix would stop with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A file with all the names that the file system allows, none of them in
    /// `.links`, cannot be linked there.
    LinkLimit,
    /// The path at this position in the order of linking is not on disk.
    MissingPath(u32),
}

/// What happens to a file, as [`simulate`] reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A name of `inode` in the path at position `path` of [`Layout::paths`]
    /// becomes a name of `kept`.
    Replaced {
        /// The path.
        path: u32,
        /// The inode that loses a name.
        inode: u32,
        /// The inode that gains it.
        kept: u32,
        /// Whether it was the last name of `inode`.
        last: bool,
    },
    /// An entry of `.links` is removed because its size is wrong.
    LinkRemoved {
        /// Its inode.
        inode: u32,
        /// Whether it was the inode's last name.
        last: bool,
    },
}

/// Optimises the layout as Nix would, calling `on` for each change.
pub(crate) fn simulate(
    layout: &Layout,
    rules: impl Into<NixRules>,
    mut on: impl FnMut(Event),
) -> SimulatedResult {
    let rules = rules.into();
    let mut run = Run::new(layout, rules.linked, &mut on);
    let mut pending = Pending::default();
    for (path, &top) in (0..).zip(&layout.paths) {
        if layout.missing == Some(path) && !rules.skips_missing {
            run.outcome.stopped = Some(Stop::MissingPath(path));
            break;
        }
        pending.0.extend(top);
        while run.step(path, &mut pending, rules.breadth_first) {
            if run.outcome.stopped.is_some() {
                return run.outcome;
            }
        }
    }
    run.outcome
}

/// What is still to be visited of a path, next first.
#[derive(Default)]
pub(super) struct Pending(pub(super) VecDeque<LayoutEntry>);

pub(super) struct Run<'a> {
    layout: &'a Layout,
    rule: NixRule,
    /// What Nix calls the inode hash.
    linked: NodeSet,
    /// How many names each inode has now.
    names: Vec<u32>,
    /// The inode that is each class's entry of `.links` now.
    link_of: Vec<Option<Node>>,
    pub(super) outcome: SimulatedResult,
    on: &'a mut dyn FnMut(Event),
}

impl<'a> Run<'a> {
    pub(super) fn new(layout: &'a Layout, rule: NixRule, on: &'a mut dyn FnMut(Event)) -> Self {
        let mut run = Self {
            layout,
            rule,
            linked: NodeSet::new(layout.inodes.len()),
            names: layout.inodes.iter().map(|inode| inode.nlink).collect(),
            link_of: vec![None; layout.classes as usize],
            outcome: SimulatedResult::default(),
            on,
        };
        for link in &layout.links {
            run.linked.insert(link.inode);
            if let Some(class) = link.class {
                run.link_of[class.index()] = Some(Node::new(link.inode));
            }
        }
        run
    }

    /// Visits the next entry; `false` if there is none. A directory's entries
    /// are sifted when it is read, which is before any of them is visited.
    pub(super) fn step(&mut self, path: u32, pending: &mut Pending, breadth_first: bool) -> bool {
        let Some(entry) = pending.0.pop_front() else { return false };
        match entry.target() {
            EntryTarget::Inode(inode) => self.visit(path, inode),
            EntryTarget::Directory(directory) => {
                let (start, end) = self.layout.directories[directory as usize];
                let entries = &self.layout.entries[start as usize..end as usize];
                let left =
                    |e: &&LayoutEntry| !e.as_inode().is_some_and(|i| self.linked.contains(i));
                if breadth_first {
                    pending.0.extend(entries.iter().filter(left));
                } else {
                    entries.iter().rev().filter(left).for_each(|&e| pending.0.push_front(e));
                }
            }
        }
        true
    }
}

impl Run<'_> {
    fn visit(&mut self, path: u32, index: u32) {
        let inode = &self.layout.inodes[index as usize];
        // The order of these checks is Nix's and decides which counter a file
        // goes to.
        if inode.writable {
            self.outcome.writable += 1;
            return;
        }
        // Directories were sifted when they were read; but a file that is itself
        // a path was not, and others may have been linked since. An inode with
        // this name alone is not in `.links` any more.
        if self.names[index as usize] > 1 && self.linked.contains(index) {
            return;
        }
        let link = inode.class.and_then(|class| self.link_of[class.index()]).map(Node::node);
        // Nix takes an entry of another size for corrupt, and goes on as if it
        // had not been there.
        let corrupt = |&link: &u32| self.layout.inodes[link as usize].size != inode.size;
        if let Some(link) = link.filter(corrupt) {
            self.outcome.links_removed += 1;
            let last = self.lose_name(link);
            (self.on)(Event::LinkRemoved { inode: link, last });
        }
        let Some(link) = link.filter(|link| !corrupt(link)) else {
            // Making the new entry of `.links` fails, and Nix does not go on.
            if self.names[index as usize] >= self.layout.link_limit {
                self.outcome.stopped = Some(Stop::LinkLimit);
                return;
            }
            self.outcome.links_added += 1;
            self.names[index as usize] += 1;
            self.linked.insert(index);
            if let Some(class) = inode.class {
                self.link_of[class.index()] = Some(Node::new(index));
            }
            return;
        };
        if link == index {
            return;
        }
        // Here linking fails too, but Nix leaves the file as it is.
        if self.names[link as usize] >= self.layout.link_limit {
            self.outcome.at_link_limit += 1;
            return;
        }
        self.names[link as usize] += 1;
        // It is the replaced inode that is noted: its other names are passed over.
        if self.rule == NixRule::From2_23 {
            self.linked.insert(index);
        }
        self.outcome.files_linked += 1;
        self.outcome.bytes_freed = self.outcome.bytes_freed.saturating_add(inode.size);
        let last = self.lose_name(index);
        (self.on)(Event::Replaced { path, inode: index, kept: link, last });
    }

    /// Whether it was the last one.
    fn lose_name(&mut self, index: u32) -> bool {
        let names = &mut self.names[index as usize];
        *names = names.saturating_sub(1);
        let last = *names == 0;
        if last {
            let inode = &self.layout.inodes[index as usize];
            let freed = &mut self.outcome;
            freed.disk_freed = freed.disk_freed.saturating_add(inode.disk_size);
            freed.apparent_freed = freed.apparent_freed.saturating_add(inode.size);
            freed.inodes_freed += 1;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One directory of files, each name an inode.
    fn flat(
        inodes: Vec<LayoutInode>,
        names: &[u32],
        links: Vec<LayoutLink>,
        link_limit: u32,
    ) -> Layout {
        let entries: Vec<LayoutEntry> = names.iter().map(|&i| LayoutEntry::inode(i)).collect();
        Layout {
            directories: vec![(0, entries.len() as u32)],
            entries,
            paths: vec![None, Some(LayoutEntry::directory(0))],
            missing: None,
            links,
            classes: 2,
            link_limit,
            inodes,
        }
    }

    const UNIQUE: Option<Class> = None;
    const EQUAL: Option<Class> = Some(Class::new(0));

    fn file(class: Option<Class>, size: u64, nlink: u32) -> LayoutInode {
        LayoutInode { size, disk_size: 4096, nlink, class, writable: false }
    }

    #[test]
    fn links_up_to_the_limit() {
        let layout = flat(vec![file(EQUAL, 1, 1); 5], &[0, 1, 2, 3, 4], vec![], 3);
        let outcome = simulate(&layout, NixRule::UpTo2_22, |_| {});
        assert_eq!((outcome.files_linked, outcome.at_link_limit, outcome.disk_freed), (1, 3, 4096));
    }

    #[test]
    fn stops_where_nix_fails() {
        let layout = flat(vec![file(UNIQUE, 1, 3), file(EQUAL, 1, 1)], &[0, 1], vec![], 3);
        let stopped = simulate(&layout, NixRule::From2_23, |_| {}).stopped;
        assert_eq!(stopped, Some(Stop::LinkLimit));
    }

    #[test]
    fn stops_at_a_missing_path_but_for_determinate_nix() {
        let mut layout = flat(vec![file(EQUAL, 1, 1); 3], &[0, 1, 2], vec![], 100);
        layout.missing = Some(0);
        let outcome = simulate(&layout, NixRule::From2_23, |_| {});
        assert_eq!((outcome.files_linked, outcome.stopped), (0, Some(Stop::MissingPath(0))));
        let rules = NixRules { skips_missing: true, ..NixRule::From2_23.into() };
        let outcome = simulate(&layout, rules, |_| {});
        assert_eq!((outcome.files_linked, outcome.stopped), (2, None));
    }

    #[test]
    fn breadth_first_keeps_another_file() {
        // A directory with a file, then a file beside that directory.
        let inodes = vec![LayoutInode { disk_size: 8192, ..file(EQUAL, 1, 1) }, file(EQUAL, 1, 1)];
        let mut layout = flat(inodes, &[], vec![], 100);
        layout.entries =
            vec![LayoutEntry::directory(1), LayoutEntry::inode(1), LayoutEntry::inode(0)];
        layout.directories = vec![(0, 2), (2, 3)];
        assert_eq!(simulate(&layout, NixRule::UpTo2_22, |_| {}).disk_freed, 4096);
        let rules = NixRules { breadth_first: true, ..NixRule::UpTo2_22.into() };
        assert_eq!(simulate(&layout, rules, |_| {}).disk_freed, 8192);
    }

    #[test]
    fn replaces_a_corrupted_link() {
        // Inode 0 is the link, of another size; its only name. 1 and 2 are equal.
        let inodes = vec![file(UNIQUE, 7, 1), file(EQUAL, 1, 1), file(EQUAL, 1, 1)];
        let layout = flat(inodes, &[1, 2], vec![LayoutLink { inode: 0, class: EQUAL }], 100);
        let mut events = Vec::new();
        let outcome = simulate(&layout, NixRule::UpTo2_22, |e| events.push(e));
        assert_eq!((outcome.links_removed, outcome.links_added, outcome.files_linked), (1, 1, 1));
        assert_eq!((outcome.bytes_freed, outcome.disk_freed, outcome.apparent_freed), (1, 8192, 8));
        assert_eq!(
            events,
            [
                Event::LinkRemoved { inode: 0, last: true },
                Event::Replaced { path: 1, inode: 2, kept: 1, last: true }
            ]
        );
    }

    #[test]
    fn trusts_a_link_of_the_right_size() {
        // The link's own contents are of no class: only its name counts.
        let inodes = vec![file(UNIQUE, 1, 1), file(EQUAL, 1, 1)];
        let layout = flat(inodes, &[1], vec![LayoutLink { inode: 0, class: EQUAL }], 100);
        assert_eq!(simulate(&layout, NixRule::From2_23, |_| {}).files_linked, 1);
    }

    #[test]
    fn passes_over_writable_files() {
        let inodes = vec![LayoutInode { writable: true, ..file(EQUAL, 1, 1) }, file(EQUAL, 1, 1)];
        let layout = flat(inodes, &[0, 1], vec![], 100);
        let outcome = simulate(&layout, NixRule::UpTo2_22, |_| {});
        assert_eq!((outcome.writable, outcome.files_linked), (1, 0));
    }

    #[test]
    fn is_small() {
        assert_eq!(
            (size_of::<LayoutInode>(), size_of::<LayoutEntry>(), size_of::<LayoutLink>()),
            (32, 4, 8)
        );
    }
}
