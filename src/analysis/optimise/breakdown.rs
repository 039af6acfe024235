//! Where the savings are: by path, by package, by kind of file, and the groups
//! of equal files. All sizes are in bytes.
use crate::arrange::Arrange as _;

use std::cmp::Reverse;
use std::collections::HashMap;

use super::gathered::GatheredTree;
use super::kind::KindsOfEntries;
use super::pairs::{PairFiles, PairSaving, Replaced, Replacements};
use super::simulate::{Class, Event};
use crate::graph::Rows;
use crate::kinds::FileKind;
use crate::threads;

/// What optimising changes about some files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saving {
    /// Names that become names of another inode.
    pub files_linked: u64,
    /// Their `st_size`: what Nix calls freed.
    pub bytes_freed: u64,
    /// The blocks of the inodes that lose their last name.
    pub disk_freed: u64,
    /// The extents that go with those inodes; 0 where that is not known.
    pub freed_physical_size: u64,
    /// Their `st_size`.
    pub apparent_freed: u64,
    /// How many inodes those are.
    pub inodes_freed: u64,
}

impl Saving {
    /// Of one name. `physical_sizes` is what goes with each inode in extents; empty where
    /// that is not known.
    pub(super) fn of(replaced: &Replaced, tree: &GatheredTree, physical_sizes: &[u64]) -> Self {
        let inode = &tree.layout.inodes[replaced.inode as usize];
        let name = Self { files_linked: 1, bytes_freed: inode.size, ..Self::default() };
        if !replaced.last {
            return name;
        }
        Self {
            disk_freed: inode.disk_size,
            freed_physical_size: physical_sizes.get(replaced.inode as usize).copied().unwrap_or(0),
            apparent_freed: inode.size,
            inodes_freed: 1,
            ..name
        }
    }

    /// Adds another.
    pub(super) fn add(&mut self, of: &Self) {
        self.files_linked += of.files_linked;
        self.bytes_freed = self.bytes_freed.saturating_add(of.bytes_freed);
        self.disk_freed = self.disk_freed.saturating_add(of.disk_freed);
        self.freed_physical_size = self.freed_physical_size.saturating_add(of.freed_physical_size);
        self.apparent_freed = self.apparent_freed.saturating_add(of.apparent_freed);
        self.inodes_freed += of.inodes_freed;
    }

    /// Larger savings come first.
    pub(super) fn order(&self) -> impl Ord + use<> {
        Reverse((self.freed_physical_size, self.disk_freed, self.bytes_freed, self.files_linked))
    }
}

/// The savings of a path, or of all paths of one package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerSaving {
    /// The index of the path, or of the first path of that package.
    pub path: u32,
    /// How many paths there are.
    pub paths: u64,
    /// The blocks of its files and symlinks, each inode once.
    pub disk_size: u64,
    /// The part of it that lies, as other inodes with the same contents, in
    /// other paths (or packages) too.
    pub also_elsewhere: u64,
    /// What would be saved here: of files that are equal, Nix keeps the one
    /// it meets first.
    pub saving: Saving,
    /// The path (or the first path of the package), and how much of `disk_size`
    /// lies there as other inodes; largest first. May hold itself.
    pub shared_with: Vec<(u32, u64)>,
}

/// A kind of file and its savings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindSaving {
    /// The kind.
    pub kind: FileKind,
    /// Its savings.
    pub saving: Saving,
}

/// Equal files, of which some would be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The size of each.
    pub size: u64,
    /// How many inodes they are now.
    pub inodes: u64,
    /// Whether they are symlinks.
    pub symlink: bool,
    /// Whether they are executable.
    pub executable: bool,
    /// What would be saved.
    pub saving: Saving,
    /// Their entries; [`Optimise::names`](super::Optimise::names) gives the names.
    pub(super) entries: Vec<u32>,
}

/// Where the savings are.
#[derive(Clone, Debug, Default)]
pub struct Breakdown {
    /// Of each path that saves or shares, largest saving first.
    pub by_path: Vec<OwnerSaving>,
    /// The same of each package.
    pub by_package: Vec<OwnerSaving>,
    /// The same by pair: whose file is kept for whose.
    pub by_pair: Vec<PairSaving>,
    /// Which files those pairs have in common, in no order.
    pub(crate) pair_files: Vec<PairFiles>,
    /// Of each kind that saves, largest first.
    pub by_kind: Vec<KindSaving>,
    /// The groups, largest saving first.
    pub groups: Vec<Group>,
}

/// Adds up what the simulation reports.
#[derive(Default)]
pub(super) struct Tally {
    by_path: Vec<Saving>,
    by_class: Vec<Saving>,
    /// Of each inode of which a name was replaced, in their order.
    by_inode: Vec<(u32, Saving)>,
    replacements: Replacements,
    /// The extents that go with each inode; empty where that is not known.
    pub(super) physical_sizes: Vec<u64>,
}

impl Tally {
    pub(super) fn add(&mut self, event: Event) {
        self.replacements.add(event);
    }

    fn sum(&mut self, tree: &GatheredTree) {
        self.by_path = vec![Saving::default(); tree.layout.paths.len()];
        self.by_class = vec![Saving::default(); tree.layout.classes as usize];
        for replaced in &self.replacements.0 {
            let saving = Saving::of(replaced, tree, &self.physical_sizes);
            self.by_path[replaced.path as usize].add(&saving);
            if let Some(class) = tree.layout.inodes[replaced.inode as usize].class {
                self.by_class[class.index()].add(&saving);
            }
            self.by_inode.push((replaced.inode, saving));
        }
        self.by_inode.arrange_by_number(|&(inode, _)| inode.into());
        self.by_inode.dedup_by(|name, kept| {
            let same = name.0 == kept.0;
            if same {
                kept.1.add(&name.1);
            }
            same
        });
    }

    /// `package` of each path is a number below `packages`. Lists at most `limit`
    /// of each, and only groups of files of at least `min_size`.
    pub(super) fn finish(
        mut self,
        tree: &GatheredTree,
        package_of: &[u32],
        packages: usize,
        limit: usize,
        min_size: u64,
        kinds_of_entries: &mut KindsOfEntries<'_>,
    ) -> Breakdown {
        self.sum(tree);
        let classes = classes(tree);
        let class_of = |(entry, inode): (u32, u32)| Some((classes[inode as usize]?.node(), entry));
        let pairs: Vec<(u32, u32)> = tree.names_of_inodes().filter_map(class_of).collect();
        let entries = Rows::from_pairs(tree.layout.classes as usize, pairs.iter().copied());
        drop(pairs);
        let paths = tree.layout.paths.len();
        let mut by_package = vec![Saving::default(); packages];
        for (&package, of) in package_of.iter().zip(&self.by_path) {
            by_package[package as usize].add(of);
        }
        let itself: Vec<u32> = (0..paths as u32).collect();
        let Self { by_path, by_class, by_inode, replacements, physical_sizes } = self;
        let ((by_path, by_package), ((by_pair, pair_files), (by_kind, groups))) = threads::join(
            || {
                threads::join(
                    || owners(tree, &entries, &itself, by_path, limit),
                    || owners(tree, &entries, package_of, by_package, limit),
                )
            },
            || {
                threads::join(
                    || replacements.finish(tree, &physical_sizes, package_of, limit),
                    || {
                        threads::join(
                            || kinds(tree, &by_inode, limit, kinds_of_entries),
                            || groups(tree, &entries, &by_class, limit, min_size),
                        )
                    },
                )
            },
        );
        Breakdown { by_path, by_package, by_pair, pair_files, by_kind, groups }
    }
}

/// The class of each inode; of one in `.links`, the one that its name stands for.
fn classes(tree: &GatheredTree) -> Vec<Option<Class>> {
    let mut classes: Vec<_> = tree.layout.inodes.iter().map(|inode| inode.class).collect();
    for link in tree.layout.links.iter().filter(|link| link.class.is_some()) {
        classes[link.inode as usize] = link.class;
    }
    classes
}

fn inode_of(tree: &GatheredTree, entry: u32) -> Option<u32> {
    tree.layout.entries[entry as usize].as_inode()
}

/// The savings of owners: paths, or what `owner_of` makes of them.
fn owners(
    tree: &GatheredTree,
    entries: &Rows,
    owner_of: &[u32],
    savings: Vec<Saving>,
    limit: usize,
) -> Vec<OwnerSaving> {
    let mut owners: Vec<OwnerSaving> = savings
        .into_iter()
        .map(|saving| OwnerSaving { saving, ..OwnerSaving::default() })
        .collect();
    for (path, &owner) in (0u32..).zip(owner_of) {
        let of = &mut owners[owner as usize];
        if of.paths == 0 {
            of.path = path;
        }
        of.paths += 1;
    }
    add_disk_sizes(tree, owner_of, &mut owners);

    // For each class, the owners and inodes that have it; for each owner, the
    // classes it has.
    let mut of_class = Vec::new();
    let mut pairs = Vec::new();
    let mut starts = vec![0u32];
    for (class, row) in (0u32..).zip(entries.iter()) {
        let start = of_class.len();
        of_class.extend(row.iter().filter_map(|&entry| {
            Some((owner_of[tree.path_of(entry) as usize], inode_of(tree, entry)?))
        }));
        of_class[start..].sort_unstable();
        let mut last = None;
        let mut keep = start;
        for at in start..of_class.len() {
            if last != Some(of_class[at]) {
                last = Some(of_class[at]);
                of_class[keep] = of_class[at];
                keep += 1;
            }
        }
        of_class.truncate(keep);
        let inodes = &of_class[start..];
        let alone = inodes.iter().all(|&(_, inode)| inode == inodes[0].1);
        let disk_size = |inode: u32| tree.layout.inodes[inode as usize].disk_size;
        if alone || inodes.iter().all(|&(_, inode)| disk_size(inode) == 0) {
            of_class.truncate(start);
        }
        pairs.extend(of_class[start..].chunk_by(|a, b| a.0 == b.0).map(|c| (c[0].0, class)));
        starts.push(of_class.len() as u32);
    }
    let class = |class: u32| {
        &of_class[starts[class as usize] as usize..starts[class as usize + 1] as usize]
    };
    let classes_of = Rows::from_pairs(owners.len(), pairs.iter().copied());
    drop(pairs);

    for (owner, of) in (0u32..).zip(&mut owners) {
        for members in classes_of.row(owner).iter().map(|&c| class(c)) {
            let (before, own, after) = split(members, owner);
            let size = twinned(tree, own, before.iter().chain(after));
            of.also_elsewhere = of.also_elsewhere.saturating_add(size);
        }
    }
    let first_path: Vec<u32> = owners.iter().map(|of| of.path).collect();
    let mut rows: Vec<(u32, OwnerSaving)> = (0u32..)
        .zip(owners)
        .filter(|(_, of)| of.saving.files_linked > 0 || of.also_elsewhere > 0)
        .collect();
    rows.arrange_by_key(|(_, of)| (of.saving.order(), Reverse(of.also_elsewhere), of.path));
    rows.truncate(limit);
    // Whom each shares with is asked only for the rows that are listed. A sum for each
    // owner, and which of them are not 0: a hash table took an eighth of the instructions.
    let mut shared = vec![0u64; first_path.len()];
    let mut with: Vec<u32> = Vec::new();
    for (owner, of) in &mut rows {
        for members in classes_of.row(*owner).iter().map(|&c| class(c)) {
            let (_, own, _) = split(members, *owner);
            for others in members.chunk_by(|a, b| a.0 == b.0) {
                let size = twinned(tree, own, others.iter());
                if size > 0 {
                    let sum = &mut shared[others[0].0 as usize];
                    if *sum == 0 {
                        with.push(others[0].0);
                    }
                    *sum = sum.saturating_add(size);
                }
            }
        }
        let size_of = |other: u32| {
            let size = std::mem::take(&mut shared[other as usize]);
            (first_path[other as usize], size)
        };
        of.shared_with = with.drain(..).map(size_of).collect();
        of.shared_with.arrange_by_key(|&(path, size)| (Reverse(size), path));
    }
    rows.into_iter().map(|(_, of)| of).collect()
}

/// An owner and one of its inodes.
type Member = (u32, u32);

/// A class's members before those of one owner, its own, and those after.
fn split(members: &[Member], owner: u32) -> (&[Member], &[Member], &[Member]) {
    let start = members.partition_point(|&(other, _)| other < owner);
    let (before, rest) = members.split_at(start);
    let (own, after) = rest.split_at(rest.partition_point(|&(other, _)| other == owner));
    (before, own, after)
}

/// The blocks of those of `own` that have another inode among `others`.
fn twinned<'a>(
    tree: &GatheredTree,
    own: &[Member],
    mut others: impl Iterator<Item = &'a Member>,
) -> u64 {
    let Some(&(_, first)) = others.next() else { return 0 };
    let all = others.any(|&(_, inode)| inode != first);
    own.iter()
        .filter(|&&(_, inode)| all || inode != first)
        .map(|&(_, inode)| tree.layout.inodes[inode as usize].disk_size)
        .fold(0, u64::saturating_add)
}

/// Adds the blocks of each owner's inodes, each once.
fn add_disk_sizes(tree: &GatheredTree, owner_of: &[u32], owners: &mut [OwnerSaving]) {
    let mut add = |owner: u32, inode: u32| {
        let sum = &mut owners[owner as usize].disk_size;
        *sum = sum.saturating_add(tree.layout.inodes[inode as usize].disk_size);
    };
    let mut several = Vec::new();
    for (entry, inode) in tree.names_of_inodes() {
        let owner = owner_of[tree.path_of(entry) as usize];
        match tree.layout.inodes[inode as usize].nlink {
            0 | 1 => add(owner, inode),
            _ => several.push((owner, inode)),
        }
    }
    several.sort_unstable();
    several.dedup();
    several.into_iter().for_each(|(owner, inode)| add(owner, inode));
}

fn kinds(
    tree: &GatheredTree,
    by_inode: &[(u32, Saving)],
    limit: usize,
    kinds_of_entries: &mut KindsOfEntries<'_>,
) -> Vec<KindSaving> {
    let mut kinds: HashMap<FileKind, Saving> = HashMap::new();
    // In order, so that warnings are in the same order each time.
    for &(inode, ref saving) in by_inode {
        // A name that was replaced leads to it.
        let Some(entry) = tree.first_entry[inode as usize] else { continue };
        let flags = tree.flags[inode as usize];
        let kind = kinds_of_entries.kind(entry.node(), flags.symlink(), flags.executable());
        kinds.entry(kind).or_default().add(saving);
    }
    let mut rows: Vec<KindSaving> =
        kinds.into_iter().map(|(kind, saving)| KindSaving { kind, saving }).collect();
    rows.arrange_by_key(|row| (row.saving.order(), row.kind));
    rows.truncate(limit);
    rows
}

/// The groups to list.
fn groups(
    tree: &GatheredTree,
    entries: &Rows,
    by_class: &[Saving],
    limit: usize,
    min_size: u64,
) -> Vec<Group> {
    let size = |class: u32| {
        let inode = entries.row(class).first().and_then(|&entry| inode_of(tree, entry));
        inode.map_or(0, |inode| tree.layout.inodes[inode as usize].size)
    };
    let mut listed: Vec<u32> = (0..by_class.len() as u32)
        .filter(|&class| by_class[class as usize].files_linked > 0 && size(class) >= min_size)
        .collect();
    listed.arrange_by_cached_key(|&class| {
        (by_class[class as usize].order(), entries.row(class).first().copied())
    });
    listed.truncate(limit);
    listed
        .into_iter()
        .map(|class| {
            let row = entries.row(class);
            let mut inodes: Vec<u32> =
                row.iter().filter_map(|&entry| inode_of(tree, entry)).collect();
            inodes.sort_unstable();
            inodes.dedup();
            let flags = tree.flags[inodes[0] as usize];
            Group {
                size: size(class),
                inodes: inodes.len() as u64,
                symlink: flags.symlink(),
                executable: flags.executable(),
                saving: by_class[class as usize],
                entries: row.to_vec(),
            }
        })
        .collect()
}
