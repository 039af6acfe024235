//! What paths take in extents, where blocks do not say it.
//!
//! An extent is kept whole by any reference to any part of it, from any file. To
//! paths it is what an inode with several names is: extents that one path's own
//! files use, or one inode with several names, fold into it; all others are in
//! *groups*, by who uses them, and a group goes when all of them go. What is
//! referred to from outside the paths is *held*, and stays.
//!
//! Of sets of files that are less than a path the same is known where it was asked for: by
//! inode, which takes memory for each of them.

mod by_blocks;
mod by_file;
mod by_inode;
mod gather;
mod going;
mod holding;
mod numbers;
mod stretches;

use by_blocks::ByBlocks;
pub(super) use by_file::{ByFile, FileTally};
pub(crate) use by_inode::{ExtentsByInode, InodeOwner};
use gather::gather;
pub(crate) use gather::kind_of;
pub(super) use gather::{Found, Met};
pub(crate) use going::{EqualExtents, Going, GoingExtents, GoingInodes, going};

use super::inodes::Inode;
use super::overlay::Overlay;
use super::progress::{Progress, Total};
use super::scan::DiskScan;
use super::space::Space;
use crate::fs::{Compression, ExtentReader, ExtentSource, FileExtents, SizeIs, StoreFiles};
use crate::graph::{Node, Rows, saturating_sum};
use crate::warning::{WarningKind, Warnings};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Why physical sizes are not known where nobody asked for them.
const NOT_ASKED: &str = "it was not asked for";
const NOT_KEPT: &str = "it was not asked for when the snapshot was taken";

/// Why physical sizes are not known where reading extents takes far longer than the walk.
pub(super) const FAR_MORE: &str = "the file system holds far more than was walked, in \
                                   snapshots or elsewhere; all of it is read where exact \
                                   sizes are asked for";

/// Why they are not where an error says that more would have to be read than is allowed.
fn far_more(error: &io::Error) -> String {
    error.get_ref().map_or_else(|| FAR_MORE.to_owned(), ToString::to_string)
}

/// The warning that a file system was written to meanwhile.
const WRITTEN_MEANWHILE: &str = "the file system was written to while its extents were read: \
                                 physical sizes may be of no one moment";

/// How a scan knows what paths take beneath their blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtentsOption {
    /// From the file system itself, where it shows that at once, and reading it takes not
    /// far longer than the walk: by what is read, not by the clock.
    #[default]
    Auto,
    /// The same, however long it takes, or else from each file; where that is not exact
    /// either, the answer is incomplete.
    Exact,
    /// Not at all.
    Never,
}

/// What files take of the disk, beneath the blocks that `stat` reports.
#[derive(Clone, Debug)]
pub enum Physical {
    /// Their blocks.
    Blocks,
    /// That is not known, for this reason.
    Unknown(String),
    /// Their extents.
    Extents(Box<Extents>),
}

/// What a set of files takes in extents, each extent and each inode once. Sizes are
/// in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtentSizes {
    /// Extents as they lie on the disk, each whole.
    pub physical_size: u64,
    /// The same extents uncompressed.
    pub uncompressed_size: u64,
    /// What the files show of extents: each reference counts.
    pub referenced_size: u64,
    /// Contents that lie in the file system's metadata, as they lie there.
    pub inline_size: u64,
}

impl ExtentSizes {
    /// Where blocks say it all.
    pub(crate) fn blocks(disk_size: u64) -> Self {
        Self {
            physical_size: disk_size,
            uncompressed_size: disk_size,
            referenced_size: disk_size,
            inline_size: 0,
        }
    }

    /// Adds, and stops at the largest number.
    pub(crate) fn add(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.physical_size, other.physical_size),
            (&mut self.uncompressed_size, other.uncompressed_size),
            (&mut self.referenced_size, other.referenced_size),
            (&mut self.inline_size, other.inline_size),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Sums over the extents of all paths of a scan that are compressed in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionSizes {
    /// The way. An extent that is written to in part is not preallocated.
    pub compression: Compression,
    /// Sums, each extent and each inode once.
    pub sizes: ExtentSizes,
    /// What is in the metadata, uncompressed.
    pub inline_uncompressed_size: u64,
}

/// Who refers to extents from outside the paths of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its path below the file system's top level; empty for the top level itself.
    pub path: Vec<u8>,
    /// Whether it is a snapshot.
    pub snapshot: bool,
    /// Whether it is the subvolume of the store: files elsewhere in it.
    pub own: bool,
    /// Whether it stands for files of which nothing is known but that they share extents:
    /// of the store or not.
    pub unknown: bool,
    /// Whether it stands for the lower layers of an overlay, which stay as they are.
    pub lower: bool,
}

/// Extents that the same paths and inodes use together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtentGroup {
    /// Those extents on the disk, in bytes.
    pub physical_size: u64,
    /// The same uncompressed.
    pub uncompressed_size: u64,
    /// Who refers to them from outside: indexes of [`Extents::holders`], ascending.
    pub holders: Vec<u32>,
}

impl ExtentGroup {
    /// What it takes.
    pub fn sizes(&self) -> ExtentSizes {
        let Self { physical_size, uncompressed_size, .. } = *self;
        ExtentSizes { physical_size, uncompressed_size, ..ExtentSizes::default() }
    }
}

/// The extents of a scan.
#[derive(Clone, Debug, Default)]
pub struct Extents {
    /// What each path takes that no other path and no inode of several names uses: those
    /// of the scan's `usages`, then `others`.
    pub own: Vec<ExtentSizes>,
    /// What each inode of several names takes alone, as the scan's `inodes`.
    pub inodes: Vec<ExtentSizes>,
    /// Extents of several owners, or held from outside.
    pub groups: Vec<ExtentGroup>,
    /// The owners of each group, ascending: numbers of paths as in `own`, then, after
    /// all of these, of inodes. Unused links of `.links` are no owners.
    pub owners: Rows,
    /// Who holds extents from outside.
    pub holders: Vec<Holder>,
    /// What unused links of `.links` take that nothing else uses.
    pub unused_links: ExtentSizes,
    /// All extents of the scan's `usages`, by how they are compressed.
    pub totals: Vec<CompressionSizes>,
    /// What those take on devices, each copy counted, if that is known.
    pub raw_size: Option<u64>,
    /// What physical sizes are.
    pub sizes_are: SizeIs,
    /// What they are of that which goes with some paths; `None` if that is not known. What
    /// [`holders`](Self::holders) have is taken to stay, also those that are
    /// [unknown](Holder::unknown).
    pub freed_sizes_are: Option<SizeIs>,
    /// What each path takes, as in `own`: each extent once in it.
    sums: Vec<ExtentSizes>,
    /// The same by inode, if that was asked for.
    by_inode: Option<Box<ExtentsByInode>>,
}

impl Extents {
    /// The extents by inode, if that was asked for: snapshots do not keep them.
    pub(crate) fn by_inode(&self) -> Option<&ExtentsByInode> {
        self.by_inode.as_deref()
    }

    /// All extents of the scan's `usages` on the disk, each once, in bytes.
    pub fn physical_size(&self) -> u64 {
        saturating_sum(self.totals.iter().map(|total| total.sizes.physical_size))
    }

    /// The paths that use each group, ascending: numbers as in `own`. `names` are the
    /// scan's, the inodes of each path.
    pub(crate) fn paths_of_groups(&self, names: &Rows) -> Rows {
        let mut rows = Rows::default();
        self.each_paths(names, |_, paths| rows.push(paths));
        rows
    }

    /// Gives the paths that use each group, ascending, one group after another.
    fn each_paths(&self, names: &Rows, mut each: impl FnMut(usize, &[u32])) {
        let holders = names.transpose(self.inodes.len());
        let mut row = Vec::new();
        for (group, owners) in self.owners.iter().enumerate() {
            row.clear();
            for &owner in owners {
                match self.inode(owner) {
                    None => row.push(owner),
                    Some(inode) => row.extend_from_slice(holders.row(inode)),
                }
            }
            row.sort_unstable();
            row.dedup();
            each(group, &row);
        }
    }

    /// The inode that an owner is, unless it is a path.
    pub(crate) fn inode(&self, owner: u32) -> Option<u32> {
        owner.checked_sub(self.own.len() as u32)
    }

    /// The same, with what each path takes summed.
    pub(crate) fn summed(mut self, names: &Rows) -> Self {
        self.sum(names);
        self
    }

    /// Sums anew what each path takes.
    pub(super) fn sum(&mut self, names: &Rows) {
        let mut sums = self.own.clone();
        for (sum, row) in sums.iter_mut().zip(names.iter()) {
            for inode in row.chunk_by(|a, b| a == b) {
                sum.add(self.inodes[inode[0] as usize]);
            }
        }
        self.each_paths(names, |group, paths| {
            let sizes = self.groups[group].sizes();
            paths.iter().for_each(|&path| sums[path as usize].add(sizes));
        });
        self.sums = sums;
    }

    /// What is left of them in a scan of some paths alone: `inodes` are those that the
    /// scan keeps, `renumbered` gives their new numbers. What other paths of the store
    /// use is held from outside.
    pub(super) fn restrict(
        &self,
        paths: &[u32],
        (inodes, renumbered): (&[u32], &[Option<Node>]),
        names: &Rows,
    ) -> Self {
        let mut number = vec![None; self.own.len()];
        for (new, &old) in (0u32..).zip(paths) {
            number[old as usize] = Some(new);
        }
        let mut holders = self.holders.clone();
        let own = holders.iter().position(|holder| holder.own).unwrap_or_else(|| {
            holders.push(Holder {
                path: Vec::new(),
                snapshot: false,
                own: true,
                unknown: false,
                lower: false,
            });
            holders.len() - 1
        }) as u32;
        let renumber = |owner: u32| match self.inode(owner) {
            None => number[owner as usize],
            Some(inode) => renumbered[inode as usize].map(|new| new.node() + paths.len() as u32),
        };
        let mut restricted = Self {
            sizes_are: self.sizes_are,
            freed_sizes_are: self.freed_sizes_are,
            own: paths.iter().map(|&path| self.own[path as usize]).collect(),
            inodes: inodes.iter().map(|&inode| self.inodes[inode as usize]).collect(),
            holders,
            by_inode: (self.by_inode.as_deref())
                .map(|by_inode| Box::new(by_inode.restrict(paths.len() as u32, renumber))),
            ..Self::default()
        };
        for (group, owners) in self.groups.iter().zip(self.owners.iter()) {
            let mut row: Vec<u32> = owners.iter().filter_map(|&owner| renumber(owner)).collect();
            if row.is_empty() {
                continue;
            }
            row.sort_unstable();
            let mut group = group.clone();
            if row.len() < owners.len() && !group.holders.contains(&own) {
                group.holders.push(own);
                group.holders.sort_unstable();
            }
            restricted.groups.push(group);
            restricted.owners.push(&row);
        }
        restricted.sum(names);
        restricted
    }
}

/// The source, with what was read of each file where it is those.
pub(super) fn with_files(
    source: ExtentSource,
    by_file: Option<ByFile>,
    tallies: Vec<FileTally>,
    files: &StoreFiles,
    warnings: &mut Warnings,
) -> ExtentSource {
    match by_file {
        Some(by_file) => by_file.finish(tallies, store_directory(files), warnings),
        None => source,
    }
}

/// Where it is found out what files take beneath their blocks.
pub(super) fn source(files: &StoreFiles, option: ExtentsOption) -> ExtentSource {
    match option {
        ExtentsOption::Never => ExtentSource::Unknown(NOT_ASKED.to_owned()),
        ExtentsOption::Exact => files.directory().extents(),
        ExtentsOption::Auto => match files.directory().extents() {
            ExtentSource::Files(FileExtents { why, .. }) => ExtentSource::Unknown(format!(
                "{why}; each file is asked where exact sizes are asked for, which takes several \
                 times a walk"
            )),
            source => source,
        },
    }
}

/// What files take beneath their blocks where the files that were met are not needed for
/// it; `None` where they are.
pub(crate) fn physical_without_files(
    files: &StoreFiles,
    option: ExtentsOption,
    warnings: &mut Warnings,
) -> Option<Physical> {
    let source = source(files, option);
    match source.needs_files() {
        true => None,
        false => {
            let at = store_directory(files);
            reader(source, option, 0, std::iter::empty(), at, warnings).err()
        }
    }
}

/// Who reads the extents after a walk over so many entries that met such inodes, each with its
/// blocks in bytes, or else what is known without.
fn reader(
    source: ExtentSource,
    option: ExtentsOption,
    entries: u64,
    mut inodes: impl Iterator<Item = (u64, u64)>,
    at: &[u8],
    warnings: &mut Warnings,
) -> Result<Box<dyn ExtentReader>, Physical> {
    match source {
        ExtentSource::Extents(mut reader) => {
            reader.met(&mut inodes);
            if option != ExtentsOption::Exact {
                reader.allow_half_a_walk(entries);
            }
            Ok(reader)
        }
        ExtentSource::Inodes(source) => {
            if source.compressed.is_none() && option != ExtentsOption::Exact {
                warnings.push(WarningKind::Note, at, COMPRESSION_NOT_ASKED);
            }
            Ok(Box::new(ByBlocks::new(source, inodes)))
        }
        ExtentSource::Blocks => Err(Physical::Blocks),
        // Files that were not opened.
        ExtentSource::Files(FileExtents { why, .. }) | ExtentSource::Unknown(why) => {
            warn_if_asked(option, &why, at, warnings);
            Err(Physical::Unknown(why))
        }
        ExtentSource::Failed(why) => {
            warn_of_unknown(&why, at, warnings);
            Err(Physical::Unknown(why))
        }
    }
}

/// The note that sizes are exact, but not what is compressed.
const COMPRESSION_NOT_ASKED: &str = "f2fs may compress files, and keep the blocks reserved that \
                                     this saves: how much that is each file says where exact \
                                     sizes are asked for";

fn warn_of_unknown(why: &str, at: &[u8], warnings: &mut Warnings) {
    warnings.push(WarningKind::Unchecked, at, physical_unknown(why));
}

/// Warns that nothing is known beneath blocks, and why, where that was asked for.
pub(crate) fn warn_if_asked(option: ExtentsOption, why: &str, at: &[u8], warnings: &mut Warnings) {
    if option == ExtentsOption::Exact {
        warn_of_unknown(why, at, warnings);
    }
}

/// Why nothing is known of extents of less than a path where they are known of paths.
pub(crate) const EXTENTS_BY_PATH: &str =
    "extents are known by path, not by file (a snapshot keeps no more)";

/// The warning that nothing is known beneath blocks, and why.
pub(crate) fn physical_unknown(why: &str) -> String {
    format!("physical sizes are not known: {why}")
}

fn store_directory(files: &StoreFiles) -> &[u8] {
    files.path().as_os_str().as_bytes()
}

/// What the files that were met take beneath their blocks.
pub(super) fn physical(
    files: &StoreFiles,
    source: ExtentSource,
    option: ExtentsOption,
    met: &Met<'_>,
    progress: &Progress,
    warnings: &mut Warnings,
) -> Physical {
    let at = store_directory(files);
    let reader = match reader(source, option, met.entries, met.with_blocks(), at, warnings) {
        Ok(reader) => reader,
        Err(physical) => return physical,
    };
    progress.begin("reading extents", Total::Unknown);
    match gather(&*reader, met, at, warnings) {
        Ok(extents) => Physical::Extents(Box::new(extents)),
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
            let why = far_more(&error);
            warnings.push(WarningKind::Note, at, physical_unknown(&why));
            Physical::Unknown(why)
        }
        Err(error) => {
            let message = format!("cannot read its extents: {error}");
            warnings.push(kind_of(&error), at, message.clone());
            Physical::Unknown(message)
        }
    }
}

/// Those of some inodes that have blocks in the store's own file system: number and blocks
/// in bytes.
pub(super) fn with_blocks(inodes: &[Inode]) -> Vec<(u64, u64)> {
    let own = inodes.iter().filter(|inode| inode.device == 0 && inode.disk_size() > 0);
    own.map(|inode| (inode.ino, inode.disk_size())).collect()
}

impl DiskScan {
    /// Answers with what a snapshot knows of physical sizes as much as is asked for.
    pub(crate) fn ask_extents(&mut self, option: ExtentsOption, at: &[u8]) {
        if !self.asks_physical() {
            self.physical = Physical::Unknown(NOT_KEPT.to_owned());
        }
        match (option, &self.physical) {
            (ExtentsOption::Never, _) => {
                self.physical = Physical::Unknown(NOT_ASKED.to_owned());
            }
            (ExtentsOption::Exact, Physical::Unknown(why)) => {
                warn_of_unknown(why, at, &mut self.warnings);
                self.warnings.sort();
            }
            _ => {}
        }
    }

    /// Whether it was asked for what files take beneath their blocks.
    pub(crate) fn asks_physical(&self) -> bool {
        !matches!(&self.physical, Physical::Unknown(why) if why == NOT_ASKED)
    }

    /// What goes with some inodes of the store's own file system, by number and in their
    /// order, as far as this scan knows it; `None` if extents were not kept by inode.
    pub(crate) fn going(&self, gone: &[u64]) -> Option<Going> {
        let extents = match (&self.physical, &self.overlay) {
            (Physical::Extents(extents), _) => extents,
            (Physical::Blocks, Overlay::No) => return Some(Going::Blocks),
            (_, Overlay::Upper(upper)) if upper.all && upper.blocks => return Some(Going::Blocks),
            (Physical::Blocks | Physical::Unknown(_), _) => return Some(Going::Unknown),
        };
        let by_inode = extents.by_inode()?;
        let Some(sizes_are) = extents.freed_sizes_are else { return Some(Going::Unknown) };
        let sizes = by_inode.going(gone);
        Some(Going::Extents(GoingExtents { sizes, sizes_are, equal: None, name_size: None }))
    }

    /// The extents, where blocks do not say what files take.
    pub fn extents(&self) -> Option<&Extents> {
        match &self.physical {
            Physical::Extents(extents) => Some(extents),
            Physical::Blocks | Physical::Unknown(_) => None,
        }
    }

    /// Whether it is known what files take of the disk beneath their blocks.
    pub fn knows_physical(&self) -> bool {
        !matches!(self.physical, Physical::Unknown(_))
    }

    /// What physical sizes are of that which is freed; `None` if that is not known.
    pub fn freed_sizes_are(&self) -> Option<SizeIs> {
        match (&self.physical, &self.overlay) {
            (_, Overlay::Unknown(_)) => None,
            (Physical::Extents(extents), _) => extents.freed_sizes_are,
            // Whatever lies below stays.
            (_, Overlay::Upper(upper)) => upper.blocks.then_some(SizeIs::Exact),
            (Physical::Blocks, Overlay::No) => Some(SizeIs::Exact),
            (Physical::Unknown(_), Overlay::No) => None,
        }
    }

    /// Whether some of it is in lower layers of an overlay, and stays when it is deleted.
    pub(crate) fn stays_in_layers(&self) -> bool {
        matches!(&self.overlay, Overlay::Upper(upper) if !upper.all)
    }

    /// Why it is not known what goes when it is deleted, not even in blocks, if it is not.
    pub(crate) fn going_unknown(&self) -> Option<&str> {
        match &self.overlay {
            Overlay::Unknown(why) => Some(why),
            Overlay::No | Overlay::Upper(_) => None,
        }
    }

    /// What physical sizes are; `None` if they are not known.
    pub fn sizes_are(&self) -> Option<SizeIs> {
        match &self.physical {
            Physical::Blocks => Some(SizeIs::Exact),
            Physical::Unknown(_) => None,
            Physical::Extents(extents) => Some(extents.sizes_are),
        }
    }

    /// What goes with a path's own inodes: those with no other name, and directories;
    /// blocks where nothing else is known.
    pub(crate) fn own_space(&self, path: usize) -> Space {
        let blocks = match &self.overlay {
            Overlay::Upper(upper) => upper.own[path],
            Overlay::No | Overlay::Unknown(_) => self.usage(path).private(),
        };
        match self.extents_to_free() {
            Some(extents) => Space { physical_size: extents.own[path].physical_size, ..blocks },
            None => blocks,
        }
    }

    /// What goes with an inode with several names; blocks where nothing else is known.
    pub(crate) fn inode_space(&self, inode: usize) -> Space {
        let blocks = match &self.overlay {
            Overlay::Upper(upper) if !upper.inodes[inode] => Space::default(),
            _ => Space::inode(self.inodes[inode].disk_size()),
        };
        match self.extents_to_free() {
            Some(extents) => Space { physical_size: extents.inodes[inode].physical_size, ..blocks },
            None => blocks,
        }
    }

    /// What goes with unused links of `.links`; blocks where nothing else is known.
    pub(crate) fn unused_links_space(&self) -> Space {
        let blocks = match &self.overlay {
            Overlay::Upper(upper) => upper.unused_links,
            Overlay::No | Overlay::Unknown(_) => self.links.unwrap_or_default().unused_space(),
        };
        match self.extents() {
            Some(extents) => Space { physical_size: extents.unused_links.physical_size, ..blocks },
            None => blocks,
        }
    }

    /// The extents, if it is known which of them go.
    fn extents_to_free(&self) -> Option<&Extents> {
        self.extents().filter(|extents| extents.freed_sizes_are.is_some())
    }

    /// For each group of extents, the paths with which it goes, ascending: numbers of
    /// `usages`, then `others`; none where something outside keeps it.
    pub(crate) fn groups_to_free(&self) -> Rows {
        let Some(extents) = self.extents() else { return Rows::default() };
        if extents.freed_sizes_are.is_none() {
            return Rows::from_lists(&vec![[0u32; 0]; extents.groups.len()]);
        }
        let elsewhere = self.named_elsewhere();
        let stays =
            |&owner: &u32| extents.inode(owner).is_some_and(|inode| elsewhere[inode as usize]);
        let mut rows = Rows::default();
        let users = extents.paths_of_groups(&self.names);
        let groups = extents.groups.iter().zip(extents.owners.iter());
        for ((group, owners), users) in groups.zip(users.iter()) {
            let held = !group.holders.is_empty() || owners.iter().any(stays);
            rows.push(if held { &[] } else { users });
        }
        rows
    }

    /// What a path takes, by its place in `usages` and then `others`; `None` where that
    /// is not known.
    #[inline]
    pub fn extent_sizes(&self, path: usize) -> Option<ExtentSizes> {
        match &self.physical {
            Physical::Unknown(_) => None,
            Physical::Blocks => Some(ExtentSizes::blocks(self.usage(path).disk_size)),
            Physical::Extents(extents) => Some(extents.sums[path]),
        }
    }

    /// What goes with a path alone of the sizes of its own inodes; blocks where nothing
    /// else is known.
    pub(crate) fn own_extents(&self, path: usize) -> ExtentSizes {
        match &self.physical {
            Physical::Extents(extents) => extents.own[path],
            _ => ExtentSizes::blocks(self.usage(path).private_disk_size),
        }
    }

    /// The same of an inode with several names.
    pub(crate) fn inode_extents(&self, inode: usize) -> ExtentSizes {
        match &self.physical {
            Physical::Extents(extents) => extents.inodes[inode],
            _ => ExtentSizes::blocks(self.inodes[inode].disk_size()),
        }
    }
}
