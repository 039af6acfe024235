//! What is certain of an optimisation that goes over several paths at once.
//!
//! Determinate Nix gives the paths to a pool of threads. Each path's files are
//! still met in their order, but which of equal files in several paths is met
//! first, and so kept, is not known. Two files of one inode that lie in two
//! paths may be met in any order too, which decides how many of its names are
//! replaced. So each figure has a least and a greatest value.

use super::simulate::{
    Class, EntryTarget, Event, Layout, LayoutInode, LayoutLink, SimulatedResult, simulate,
};
use super::version::NixRule;
use crate::graph::Node;

/// The least and the greatest value of a figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// It is at least this.
    pub least: u64,
    /// It is at most this.
    pub most: u64,
}

impl Range {
    fn exactly(value: u64) -> Self {
        Self { least: value, most: value }
    }

    fn upto(most: u64) -> Self {
        Self { least: 0, most }
    }

    fn add(&mut self, other: Self) {
        self.least = self.least.saturating_add(other.least);
        self.most = self.most.saturating_add(other.most);
    }

    fn times(self, factor: u64) -> Self {
        Self { least: self.least.saturating_mul(factor), most: self.most.saturating_mul(factor) }
    }

    /// Whether there is but one value.
    pub fn is_certain(self) -> bool {
        self.least == self.most
    }
}

/// What each order of the paths leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnyOrder {
    /// How many files are hard-linked.
    pub files_linked: Range,
    /// How many bytes Nix would say it freed.
    pub bytes_freed: Range,
    /// The blocks of the inodes that lose their last name.
    pub disk_freed: Range,
    /// Their `st_size`.
    pub apparent_freed: Range,
    /// How many inodes those are.
    pub inodes_freed: Range,
}

impl AnyOrder {
    /// The figures of one order.
    fn of(outcome: &SimulatedResult) -> Self {
        Self {
            files_linked: Range::exactly(outcome.files_linked),
            bytes_freed: Range::exactly(outcome.bytes_freed),
            disk_freed: Range::exactly(outcome.disk_freed),
            apparent_freed: Range::exactly(outcome.apparent_freed),
            inodes_freed: Range::exactly(outcome.inodes_freed),
        }
    }

    /// Whether Nix's last line is the same in each order.
    pub fn line_is_certain(&self) -> bool {
        self.files_linked.is_certain() && self.bytes_freed.is_certain()
    }
}

/// Where the names of an inode are.
#[derive(Clone, Copy)]
struct Names {
    /// How many there are in the paths.
    visits: u32,
    /// The path of the last one found.
    path: Option<Node>,
    /// Whether they are in several paths.
    scattered: bool,
}

/// What replacing all that can be replaced of an inode leads to, unless the
/// inode is the one that is kept.
#[derive(Clone, Copy, Default)]
struct Replaced {
    files: Range,
    /// How often (0 or 1) its last name goes.
    gone: Range,
}

/// The figures that hold in whatever order the paths' files are met. `outcome`
/// is that of the order of the paths.
pub(super) fn any_order(layout: &Layout, outcome: &SimulatedResult) -> AnyOrder {
    if layout.paths.iter().flatten().count() < 2 {
        return AnyOrder::of(outcome);
    }
    let classes = layout.classes as usize;
    let mut link_of: Vec<Option<Node>> = vec![None; classes];
    for link in &layout.links {
        if let Some(class) = link.class {
            link_of[class.index()] = Some(Node::new(link.inode));
        }
    }
    let names = names(layout);
    let size_of = sizes(layout);
    let spoilt: Vec<bool> = (0..classes)
        .map(|class| {
            let link_size = link_of[class].map(|link| layout.inodes[link.index()].size);
            size_of[class].zip(link_size).is_some_and(|(size, of_link)| of_link != size)
        })
        .collect();
    // A spoilt link loses a name at some time, which decides whether its
    // inode is passed over.
    let mut unlinked: Vec<u32> = (0..classes)
        .filter(|&class| spoilt[class])
        .filter_map(|class| link_of[class])
        .map(Node::node)
        .collect();
    unlinked.sort_unstable();
    let mut members: Vec<(Class, u32)> = (0..)
        .zip(&layout.inodes)
        .filter(|(index, inode)| !inode.writable && names[*index as usize].visits > 0)
        .filter_map(|(index, inode)| Some((inode.class?, index)))
        .collect();
    members.sort_unstable();
    let mut linked = vec![false; layout.inodes.len()];
    layout.links.iter().for_each(|link| linked[link.inode as usize] = true);
    let replaced = replaced(layout, &names, &size_of, &linked, &unlinked);
    let passed = |inode: u32| linked[inode as usize] && unlinked.binary_search(&inode).is_err();
    let first = firsts(layout, passed, |inode| linked[inode as usize]);
    let stops = outcome.stopped.is_some();
    let mut all = AnyOrder::default();
    for of_class in members.chunk_by(|a, b| a.0 == b.0) {
        let number = of_class[0].0;
        let class = number.index();
        let link = link_of[class].map(Node::node);
        let size = size_of[class].unwrap_or_default();
        let (mut files, mut disk, mut gone) =
            (Range::default(), Range::default(), Range::default());
        let mut kept: [Option<(u64, u64)>; 3] = [None; 3];
        let mut several = 0u64;
        for &(_, index) in of_class {
            let inode = &layout.inodes[index as usize];
            several = several.max(u64::from(inode.nlink));
            if Some(index) == link && !spoilt[class] {
                continue;
            }
            let of = replaced[index as usize];
            let sums = [of.files, of.gone.times(inode.disk_size), of.gone];
            for (sum, of) in [&mut files, &mut disk, &mut gone].into_iter().zip(sums) {
                sum.add(of);
            }
            if first.binary_search(&(number, index)).is_ok() {
                for (kept, of) in kept.iter_mut().zip(sums) {
                    let (least, most) = kept.unwrap_or((of.least, of.most));
                    *kept = Some((least.max(of.least), most.min(of.most)));
                }
            }
        }
        if link.is_none() && !spoilt[class] {
            // One of those that are met first in their paths is kept.
            for (sum, kept) in [&mut files, &mut disk, &mut gone].into_iter().zip(kept) {
                let (least, most) = kept.unwrap_or_default();
                sum.least = sum.least.saturating_sub(least);
                sum.most = sum.most.saturating_sub(most);
            }
        }
        let of_link = link.map_or(0, |link| u64::from(layout.inodes[link as usize].nlink));
        let full = files.most.saturating_add(several.max(of_link)).saturating_add(1);
        if stops || spoilt[class] || full >= u64::from(layout.link_limit) {
            // Whether any is linked depends on what came before.
            files.least = 0;
            disk.least = 0;
            gone.least = 0;
        }
        all.files_linked.add(files);
        all.bytes_freed.add(files.times(size));
        all.disk_freed.add(disk);
        all.apparent_freed.add(gone.times(size));
        all.inodes_freed.add(gone);
        if let Some(link) = link.filter(|_| spoilt[class]) {
            let link = &layout.inodes[link as usize];
            all.disk_freed.add(Range::upto(link.disk_size));
            all.apparent_freed.add(Range::upto(link.size));
            all.inodes_freed.add(Range::upto(1));
        }
    }
    all
}

/// Where the names of each inode are.
fn names(layout: &Layout) -> Vec<Names> {
    let none = Names { visits: 0, path: None, scattered: false };
    let mut names = vec![none; layout.inodes.len()];
    each_entry(layout, |path, inode| {
        let of = &mut names[inode as usize];
        let path = Some(Node::new(path));
        of.scattered |= of.visits > 0 && of.path != path;
        of.visits += 1;
        of.path = path;
    });
    names
}

/// The inodes of each class that may come first in a path, as class and inode;
/// sorted. Those `passed` over never do; after those that `may_be_passed`
/// over, another one may.
fn firsts(
    layout: &Layout,
    passed: impl Fn(u32) -> bool,
    may_be_passed: impl Fn(u32) -> bool,
) -> Vec<(Class, u32)> {
    let mut last_path: Vec<Option<Node>> = vec![None; layout.classes as usize];
    let mut firsts = Vec::new();
    each_entry(layout, |path, index| {
        let inode = &layout.inodes[index as usize];
        let Some(class) = inode.class.filter(|_| !inode.writable && !passed(index)) else { return };
        let (last, path) = (&mut last_path[class.index()], Some(Node::new(path)));
        if *last != path {
            firsts.push((class, index));
        }
        if !may_be_passed(index) {
            *last = path;
        }
    });
    firsts.sort_unstable();
    firsts.dedup();
    firsts
}

/// Calls `on` with path and inode of each entry, in the order of visits.
fn each_entry(layout: &Layout, mut on: impl FnMut(u32, u32)) {
    for (path, &top) in (0..).zip(&layout.paths) {
        let mut pending: Vec<_> = top.into_iter().collect();
        while let Some(entry) = pending.pop() {
            match entry.target() {
                EntryTarget::Inode(inode) => on(path, inode),
                EntryTarget::Directory(directory) => {
                    let (start, end) = layout.directories[directory as usize];
                    pending.extend(layout.entries[start as usize..end as usize].iter().rev());
                }
            }
        }
    }
}

/// The size of the files of each class that has any.
fn sizes(layout: &Layout) -> Vec<Option<u64>> {
    let mut sizes = vec![None; layout.classes as usize];
    for inode in &layout.inodes {
        if let Some(class) = inode.class {
            sizes[class.index()] = Some(inode.size);
        }
    }
    sizes
}

/// What is replaced of each inode where its class has a link already: of an
/// inode with all its names in one path that is known exactly.
fn replaced(
    layout: &Layout,
    names: &[Names],
    size_of: &[Option<u64>],
    linked: &[bool],
    unlinked: &[u32],
) -> Vec<Replaced> {
    let mut with_links = layout.clone();
    with_links.link_limit = u32::MAX;
    with_links.missing = None;
    with_links.links.iter_mut().for_each(|link| link.class = None);
    for (class, &size) in (0..).zip(size_of) {
        let inode = with_links.inodes.len() as u32;
        with_links.inodes.push(LayoutInode {
            size: size.unwrap_or_default(),
            nlink: 1,
            ..LayoutInode::default()
        });
        with_links.links.push(LayoutLink { inode, class: Some(Class::new(class)) });
    }
    let mut exact = vec![(0u64, 0u64); with_links.inodes.len()];
    simulate(&with_links, NixRule::From2_23, |event| {
        if let Event::Replaced { inode, last, .. } = event {
            let of = &mut exact[inode as usize];
            *of = (of.0 + 1, of.1 + u64::from(last));
        }
    });
    (0..)
        .zip(names)
        .map(|(index, of)| {
            let inode = &layout.inodes[index as usize];
            let most = Replaced {
                files: Range { least: 1, most: u64::from(of.visits) },
                gone: Range::upto(u64::from(of.visits >= inode.nlink)),
            };
            let (files, gone) = exact[index as usize];
            if unlinked.binary_search(&index).is_ok() {
                Replaced { files: Range::upto(u64::from(of.visits)), gone: Range::upto(1) }
            } else if of.scattered && !linked[index as usize] {
                most
            } else {
                Replaced { files: Range::exactly(files), gone: Range::exactly(gone) }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::simulate::{LayoutEntry, Pending, Run};
    use super::*;
    use proptest::prelude::*;

    /// A name in a path: which path, which of two directories, which inode.
    type Name = (usize, usize, usize);

    const PATHS: usize = 4;
    const INODES: usize = 8;

    /// Each path has a directory in which there are two others.
    fn layout(names: &[Name], classes: &[u32], outside: &[bool], links: &[(usize, u32)]) -> Layout {
        let mut layout = Layout { classes: 3, link_limit: 1000, ..Layout::default() };
        layout.inodes = classes
            .iter()
            .zip(outside)
            .map(|(&class, &outside)| LayoutInode {
                size: 10 + u64::from(class),
                disk_size: 4096,
                nlink: u32::from(outside),
                class: Some(Class::new(class)),
                writable: false,
            })
            .collect();
        for (i, inode) in layout.inodes.iter_mut().enumerate() {
            inode.disk_size += 512 * i as u64;
        }
        for path in 0..PATHS {
            let mut below = Vec::new();
            for directory in 0..2 {
                let start = layout.entries.len() as u32;
                for &(_, _, inode) in
                    names.iter().filter(|name| (name.0, name.1) == (path, directory))
                {
                    layout.inodes[inode].nlink += 1;
                    layout.entries.push(LayoutEntry::inode(inode as u32));
                }
                layout.directories.push((start, layout.entries.len() as u32));
                below.push(LayoutEntry::directory(layout.directories.len() as u32 - 1));
            }
            let start = layout.entries.len() as u32;
            layout.entries.extend(below);
            layout.directories.push((start, layout.entries.len() as u32));
            layout.paths.push(Some(LayoutEntry::directory(layout.directories.len() as u32 - 1)));
        }
        for &(inode, class) in links {
            let class = Some(Class::new(class));
            if layout.links.iter().all(|link| link.class != class && link.inode != inode as u32) {
                layout.inodes[inode].nlink += 1;
                layout.links.push(LayoutLink { inode: inode as u32, class });
            }
        }
        layout
    }

    /// Lets the paths take turns as `turns` says, then one after the other.
    fn interleaved(layout: &Layout, turns: &[usize]) -> SimulatedResult {
        let mut on = |_| {};
        let mut run = Run::new(layout, NixRule::From2_23, &mut on);
        let mut paths: Vec<Pending> =
            layout.paths.iter().map(|top| Pending(top.iter().copied().collect())).collect();
        for &turn in turns {
            run.step((turn % PATHS) as u32, &mut paths[turn % PATHS], false);
        }
        for (path, pending) in (0..).zip(&mut paths) {
            while run.step(path, pending, false) {}
        }
        run.outcome
    }

    #[test]
    fn equal_files_of_one_name_each_are_certain() {
        let names: Vec<Name> = (0..4).map(|i| (i, 0, i)).collect();
        let layout = layout(&names, &[0; 4], &[false; 4], &[]);
        let outcome = interleaved(&layout, &[]);
        let any = any_order(&layout, &outcome);
        assert!(any.line_is_certain());
        assert_eq!(any.files_linked, Range::exactly(3));
        // Which inode stays decides what the disk gains: they differ in blocks.
        assert_eq!(any.disk_freed, Range { least: 3 * 4096 + 3 * 512, most: 3 * 4096 + 6 * 512 });
    }

    #[test]
    fn an_inode_of_several_names_makes_the_line_uncertain() {
        // Two names in two directories of one path, and one in another path.
        let names = [(0, 0, 0), (0, 1, 0), (1, 0, 1), (2, 0, 0)];
        let layout = layout(&names, &[0, 0], &[false; 2], &[]);
        let any = any_order(&layout, &interleaved(&layout, &[]));
        assert_eq!(any.files_linked, Range { least: 1, most: 3 });
    }

    proptest! {
        #[test]
        fn every_order_of_the_paths_is_within_the_ranges(
            names in prop::collection::vec((0..PATHS, 0..2usize, 0..INODES), 0..20),
            classes in prop::collection::vec(0..3u32, INODES),
            outside in prop::collection::vec(prop::bool::weighted(0.2), INODES),
            links in prop::collection::vec((0..INODES, 0..3u32), 0..3),
            orders in prop::collection::vec(prop::collection::vec(0..PATHS, 0..60), 8),
        ) {
            let layout = layout(&names, &classes, &outside, &links);
            let any = any_order(&layout, &interleaved(&layout, &[]));
            for turns in orders {
                let outcome = interleaved(&layout, &turns);
                for (range, value) in [
                    (any.files_linked, outcome.files_linked),
                    (any.bytes_freed, outcome.bytes_freed),
                    (any.disk_freed, outcome.disk_freed),
                    (any.apparent_freed, outcome.apparent_freed),
                ] {
                    prop_assert!((range.least..=range.most).contains(&value), "{range:?} {value}");
                }
            }
        }
    }
}
