//! What optimising would save, exactly, without touching the store: what
//! `nix-store --optimise` would report, what the disk would gain, what hard
//! linking saves already, and where.
//!
//! | file | holds |
//! |---|---|
//! | `gathered` | all entries in Nix's order |
//! | `gather`, `link_table` | the walk over the paths and over `.links` |
//! | `early` | small files, hashed while the walk is at them |
//! | `classes`, `reader` | which inodes have the same contents |
//! | `simulate` | what Nix would do, on plain data |
//! | `version` | where versions of Nix differ |
//! | `unordered` | what is certain where paths are optimised all at once |
//! | `breakdown`, `kind`, `pairs` | where the savings are |
//! | `document`, `page` | the answer for printing, and for a browser |

mod after;
mod breakdown;
#[cfg(test)]
mod cases;
mod classes;
mod document;
mod early;
mod gather;
mod gathered;
mod kind;
mod link_table;
mod nar_hashes;
mod page;
mod pairs;
mod reader;
mod simulate;
mod unordered;
mod version;

use std::collections::HashMap;
use std::ffi::CString;

use crate::census::{Census, PathIndex, WholeCensus};
use crate::disk::{
    DiskError, EqualExtents, ExtentsOption, Going, GoingExtents, GoingInodes, Progress, Reading,
    Walker, going, kind_of, warn_if_asked,
};
use crate::fs::{SizeIs, StoreFiles};
use crate::graph::saturating_sum;
use crate::threads;
use crate::threads::Pool;
use crate::warning::{WarningKind, Warnings};

pub use after::Deleted;
use breakdown::Tally;
pub use breakdown::{Breakdown, Group, KindSaving, OwnerSaving, Saving};
use classes::{Compared, classify};
pub use document::OptimiseBy;
use gather::{Gathering, warn_missing};
use gathered::GatheredTree;
use kind::KindsOfEntries;
use pairs::PairFiles;
pub use pairs::PairSaving;
use simulate::{Event, simulate};
pub use simulate::{SimulatedResult, Stop};
pub use unordered::{AnyOrder, Range};
pub use version::{Flavour, NixRule, NixRules, NixVersion, VersionError};

/// How to answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptimiseOptions {
    /// The version of Nix whose report is predicted.
    pub nix: NixVersion,
    /// Whether the store is one of Guix, for which no Nix prints a last line.
    pub guix: bool,
    /// How many threads; by default four a core, at least 32.
    pub threads: Option<usize>,
    /// How many names the file system allows an inode; by default what is
    /// known of the file system.
    pub link_limit: Option<u32>,
    /// At most so many paths, packages, kinds and groups are listed; 0 for those who
    /// ask for the sums alone: then no kinds are looked for.
    pub limit: Option<usize>,
    /// How it is found out what the disk gains beneath blocks.
    pub extents: ExtentsOption,
    /// Only groups of files of at least this size, in bytes, are listed.
    pub min_size: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptimiseError {
    /// The store cannot be walked.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The threads cannot be started.
    #[error("cannot start the threads that compare files")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// More entries than can be counted here.
    #[error("the store has more than a thousand million entries")]
    TooLarge,
}

/// What hard linking saves already; sizes in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlreadySaved {
    /// Σ (names - 1) × `st_size` over inodes of several names. Of all paths,
    /// as Nix's collector sums it: over the entries of `.links` in use, their
    /// names there not counted.
    pub apparent_size: u64,
    /// The same sum over blocks.
    pub disk_size: u64,
    /// Of all paths: what other hard links save, those with no name in
    /// `.links`, such as builders make. Σ (names in the paths - 1) × `st_size`.
    pub other_apparent_size: Option<u64>,
    /// The same sum over blocks.
    pub other_disk_size: Option<u64>,
    /// Entries of `.links`.
    pub links_entries: u64,
    /// The blocks of the directory `.links` itself.
    pub links_directory_disk_size: u64,
    /// What the collector would note; `None` of a closure that stands alone.
    pub note: Option<String>,
}

/// Entries of `.links` that are their inode's only name, which a garbage
/// collection deletes; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnusedLinks {
    /// How many there are.
    pub entries: u64,
    /// Their `st_size`.
    pub apparent_size: u64,
    /// Their blocks.
    pub disk_size: u64,
}

/// What deduplicating blocks of the store would free once its files are linked: extents
/// of equal length, compression and checksums. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deduplication {
    /// What goes of them if each is there once.
    pub physical_size: u64,
    /// Whether contents that differ may have equal checksums by chance.
    pub estimated: bool,
    /// Which checksums.
    pub algorithm: &'static str,
    /// Extents as long as another of which it is not known, as they have no checksums.
    pub unchecked_size: u64,
}

impl From<EqualExtents> for Deduplication {
    fn from(of: EqualExtents) -> Self {
        Self {
            physical_size: of.physical_size,
            estimated: !of.strong,
            algorithm: of.algorithm,
            unchecked_size: of.unchecked_size,
        }
    }
}

/// Files that a thread that compares has open at most: two files and their directories, or
/// one directory and the NARs that are hashed at once.
const FILES_OF_THREAD: usize = 6;

/// The length of a name in `.links`: a SHA-256 in nix32.
const LINK_NAME: u64 = 52;

/// The answer. All sizes are in bytes.
#[derive(Debug)]
pub struct Optimise {
    /// Whether the store is one of Guix.
    pub guix: bool,
    /// The version of Nix whose report this is.
    pub nix: NixVersion,
    /// What Nix would do if it went over the paths in their order.
    pub outcome: SimulatedResult,
    /// What is certain, of a version that goes over several paths at once.
    pub any_order: Option<AnyOrder>,
    /// The blocks that the disk would gain under the other rule, if they are
    /// not the same.
    pub other_rule_disk_freed: Option<u64>,
    /// What the disk would gain in extents, if that is known: of some paths alone only where
    /// these are blocks.
    pub freed_physical_size: Option<u64>,
    /// What that size is.
    pub freed_physical_size_is: Option<SizeIs>,
    /// Whether that is not what it would gain in blocks.
    pub has_extents: bool,
    /// Whether files may be in lower layers of an overlay, which copies them before they are
    /// linked: the disk gains no more than is said, or loses.
    pub has_lower_layers: bool,
    /// What new entries of `.links` take in metadata, about; not asked where nothing is listed
    /// and the census knows what goes.
    pub links_metadata_size: Option<u64>,
    /// What block deduplication would free afterwards, if the file system has checksums;
    /// not asked where nothing is listed.
    pub deduplication: Option<Deduplication>,
    /// What hard linking saves already.
    pub already_saved: AlreadySaved,
    /// Unused entries of `.links`.
    pub unused_links: UnusedLinks,
    /// Where the savings are.
    pub breakdown: Breakdown,
    /// How many paths were examined.
    pub paths: u64,
    /// How many directory entries were met.
    pub entries: u64,
    /// How many bytes of files were read.
    pub bytes_read: u64,
    /// How many inodes should have been read and could not be.
    pub unreadable: u64,
    /// Their `st_size`.
    pub unreadable_size: u64,
    /// What was left out, and why; the census's warnings too.
    pub warnings: Warnings,
    /// Where names are found.
    tree: GatheredTree,
}

/// Warns where the file system decides what linking does.
fn warn_of_file_system(files: &StoreFiles, store_dir: &str, warnings: &mut Warnings) {
    if files.has_lower_layers() {
        let message = "on overlayfs a file of a lower layer is copied before it is linked, so \
                       the disk gains less than is said here, or loses; and Nix tells files \
                       apart by their inode numbers, which layers may share";
        warnings.push(WarningKind::Uncertain, store_dir, message);
    }
    let message = match files.facts().mounts_below {
        Some(false) => return,
        Some(true) => "something is mounted in the store, and Nix cannot link across mounts",
        None => {
            "whether something is mounted in the store cannot be found out here \
             (/proc/self/mountinfo), and Nix cannot link across mounts"
        }
    };
    warnings.push(WarningKind::Uncertain, store_dir, message);
}

impl Optimise {
    /// Answers for the paths that a census examines: for all of them as Nix
    /// would go over them now; for a closure as if it stood alone on a disk,
    /// with the hard links it has in itself and no `.links`.
    ///
    /// The census need not have asked the disk: this walks it itself.
    ///
    /// # Errors
    /// If the store directory cannot be read at all. What cannot be read below
    /// it becomes a warning.
    pub fn new(
        census: &Census,
        files: &StoreFiles,
        options: &OptimiseOptions,
        progress: &Progress,
    ) -> Result<Self, OptimiseError> {
        Self::run(census, files, options, progress, None)
    }

    /// The same for all paths of a census of the disk, as if some had been
    /// deleted and the garbage collected before.
    ///
    /// # Errors
    /// As [`Optimise::new`].
    pub fn after(
        census: WholeCensus<'_>,
        deleted: Deleted<'_>,
        files: &StoreFiles,
        options: &OptimiseOptions,
        progress: &Progress,
    ) -> Result<Self, OptimiseError> {
        Self::run(census.census(), files, options, progress, Some(deleted))
    }

    fn run(
        census: &Census,
        files: &StoreFiles,
        options: &OptimiseOptions,
        progress: &Progress,
        deleted: Option<Deleted<'_>>,
    ) -> Result<Self, OptimiseError> {
        let mut warnings = census.warnings.clone();
        let names: Vec<&str> = census.ids().map(|id| census.catalog.base_name(id)).collect();
        let whole = census.is_whole();
        let link_limit = options.link_limit.or(files.facts().link_limit).unwrap_or(u32::MAX);
        let walker = Walker::new(files, options.threads)?;
        let reading = Reading::of(files, options.threads, FILES_OF_THREAD);
        // Of what is deleted before nothing is to be read; nor on a disk that rotates before
        // all is known that lies beside it.
        let early = deleted.is_none() && !reading.in_order;
        let gathering = Gathering { names: &names, whole, link_limit, early };
        let mut tree = gathering
            .run(&walker, progress, &mut warnings)
            .map_err(|gather::TooLarge| OptimiseError::TooLarge)?;
        drop(walker);
        warn_missing(&tree, &names, census.catalog.store_dir(), &mut warnings);
        let pool = Pool::new(reading.threads, "compare").map_err(OptimiseError::Threads)?;
        if let Some(marked) = pool.install(|| marked(&tree, &names, files)) {
            let message = format!(
                "{marked} paths bear the attribute nix.optimised: a later Nix passes over them, \
                 the version mimicked here does not know it"
            );
            warnings.push(WarningKind::Uncertain, census.catalog.store_dir(), message);
        }
        drop(names);
        warn_of_file_system(files, census.catalog.store_dir(), &mut warnings);

        if let Some(deleted) = deleted {
            after::delete(&mut tree, census, deleted);
        }
        Ok(pool.install(|| {
            let compared = classify(&mut tree, !whole, (files, reading), progress, &mut warnings);
            warnings.sort();
            Self::of(tree, census, options, compared, files, warnings)
        }))
    }

    fn of(
        tree: GatheredTree,
        census: &Census,
        options: &OptimiseOptions,
        compared: Compared,
        files: &StoreFiles,
        mut warnings: Warnings,
    ) -> Self {
        let limit = options.limit.unwrap_or(usize::MAX);
        let mut tally = (limit > 0).then(Tally::default);
        let rules = options.nix.rules();
        let mut gone = Vec::new();
        let linked = match rules.linked {
            NixRule::UpTo2_22 => NixRule::From2_23,
            NixRule::From2_23 => NixRule::UpTo2_22,
        };
        let note = |event| {
            if let Some(tally) = &mut tally {
                tally.add(event);
            }
            if let Event::Replaced { inode, last: true, .. }
            | Event::LinkRemoved { inode, last: true } = event
            {
                gone.push(inode);
            }
        };
        let (outcome, other) = threads::join(
            || simulate(&tree.layout, rules, note),
            || simulate(&tree.layout, NixRules { linked, ..rules }, |_| {}).disk_freed,
        );
        let any_order =
            options.nix.has_threads().then(|| unordered::any_order(&tree.layout, &outcome));
        let at = census.catalog.store_dir();
        let unknown = match any_order.is_none_or(|any| any.disk_freed.is_certain()) {
            false => Some("which files go depends on the order of Nix's threads"),
            true if files.has_lower_layers() => {
                Some("on overlayfs files of lower layers are copied before they are linked")
            }
            true if files.facts().mounts_below != Some(false) => {
                Some("files of other file systems may lie in the store")
            }
            true => None,
        };
        let going = match unknown {
            None => scanned(&tree, &gone, census, options).unwrap_or_else(|| {
                physical(&tree, &gone, files, options, (at, !census.is_whole()), &mut warnings)
            }),
            Some(why) => {
                warn_if_asked(options.extents, why, at.as_bytes(), &mut warnings);
                Going::Unknown
            }
        };
        let (freed_physical_size, freed_physical_size_is) = match &going {
            Going::Blocks => (Some(outcome.disk_freed), Some(SizeIs::Exact)),
            Going::Unknown => (None, None),
            Going::Extents(of) => {
                (Some(saturating_sum(of.sizes.iter().copied())), Some(of.sizes_are))
            }
        };
        let has_extents = matches!(going, Going::Extents(_));
        if let Some(tally) = &mut tally {
            tally.physical_sizes = physical_sizes(&tree, &gone, &going);
        }
        let extents = match going {
            Going::Extents(extents) => Some(extents),
            Going::Blocks | Going::Unknown => None,
        };
        let links_metadata_size = extents.as_ref().and_then(|of| of.name_size);
        let links_metadata_size =
            links_metadata_size.map(|size| size.saturating_mul(outcome.links_added));
        let mut breakdown = Breakdown::default();
        if let Some(tally) = tally {
            let (package_of, packages) = number_packages(census);
            let mut kinds = KindsOfEntries::new(&tree, files);
            breakdown =
                tally.finish(&tree, &package_of, packages, limit, options.min_size, &mut kinds);
            warnings.extend(kinds.warnings);
        }
        if census.catalog.has_provenance() && options.nix.flavour() != Flavour::Determinate {
            let message = format!(
                "this store is one of Determinate Nix, the report is that of {} {}",
                options.nix.program(),
                options.nix.number()
            );
            warnings.push(WarningKind::Note, census.catalog.store_dir(), message);
        }
        if outcome.stopped == Some(Stop::LinkLimit) {
            let message = format!(
                "{} would stop with an error: a file has all the names that the file system \
                 allows, and none of them in .links",
                options.nix.program()
            );
            warnings.push(WarningKind::Note, census.catalog.store_dir(), message);
        }
        if let Some(Stop::MissingPath(path)) = outcome.stopped {
            let path = census.catalog.path(census.id(PathIndex::new(path)));
            let message = format!(
                "{} would stop with an error here: a valid path is not on disk. The figures are \
                 of what comes before",
                options.nix.program()
            );
            warnings.push(WarningKind::Note, path, message);
        }
        Self {
            guix: options.guix,
            nix: options.nix,
            outcome,
            any_order,
            other_rule_disk_freed: (other != outcome.disk_freed).then_some(other),
            freed_physical_size,
            freed_physical_size_is,
            has_extents,
            has_lower_layers: files.has_lower_layers(),
            links_metadata_size,
            deduplication: extents.and_then(|of| of.equal).map(Deduplication::from),
            already_saved: already_saved(&tree, census.is_whole(), options.nix),
            unused_links: UnusedLinks {
                entries: tree.links.unused,
                apparent_size: tree.links.unused_apparent_size,
                disk_size: tree.links.unused_disk_size,
            },
            breakdown,
            paths: census.len() as u64,
            entries: tree.entries,
            bytes_read: compared.bytes_read,
            unreadable: compared.unreadable,
            unreadable_size: compared.unreadable_size,
            warnings,
            tree,
        }
    }

    /// The name of one of a pair's files below the store directory; `None` if it has none.
    pub(crate) fn pair_file(&self, files: &PairFiles) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        self.tree.name(files.entry?, &mut name);
        Some(name)
    }

    /// The names of a group's files below the store directory, sorted.
    pub fn names(&self, group: &Group) -> Vec<Vec<u8>> {
        let name = |&entry: &u32| {
            let mut name = Vec::new();
            self.tree.name(entry, &mut name);
            name
        };
        let mut names: Vec<Vec<u8>> = group.entries.iter().map(name).collect();
        names.sort_unstable();
        names
    }

    /// Nix's last line; `None` if it would stop with an error before, or if
    /// the line depends on the order of its threads.
    pub fn line(&self) -> Option<String> {
        let outcome = &self.outcome;
        let certain = self.any_order.is_none_or(|any| any.line_is_certain());
        (certain && outcome.stopped.is_none())
            .then(|| self.nix.line(outcome.bytes_freed, outcome.files_linked))
    }

    /// How much of what Nix would report as freed stays: an inode with further
    /// names does not go with the one that is replaced.
    pub fn overstated(&self) -> u64 {
        self.outcome.bytes_freed.saturating_sub(self.outcome.apparent_freed)
    }
}

/// What goes with inodes, which are indexes, beneath their blocks, as far as the census
/// knows it and no more is asked.
fn scanned(
    tree: &GatheredTree,
    gone: &[u32],
    census: &Census,
    options: &OptimiseOptions,
) -> Option<Going> {
    let disk = census.disk.as_ref().filter(|_| census.is_whole() && options.limit == Some(0))?;
    let gone: Vec<u64> = gone.iter().map(|&inode| tree.numbers[inode as usize]).collect();
    disk.going(&gone)
}

/// What goes with inodes, which are indexes, beneath their blocks; warnings are about `at`.
/// `alone` is whether nothing else is taken to be there.
fn physical(
    tree: &GatheredTree,
    gone: &[u32],
    files: &StoreFiles,
    options: &OptimiseOptions,
    (at, alone): (&str, bool),
    warnings: &mut Warnings,
) -> Going {
    let gone: Vec<u64> = gone.iter().map(|&inode| tree.numbers[inode as usize]).collect();
    let disk_sizes = tree.layout.inodes.iter().map(|inode| inode.disk_size);
    let all: Vec<(u64, u64)> = tree.numbers.iter().copied().zip(disk_sizes).collect();
    let inodes = GoingInodes {
        gone: &gone,
        all: &all,
        alone,
        entries: tree.entries,
        equal: options.limit != Some(0),
        name_length: LINK_NAME,
    };
    going(files, options.extents, inodes, at, warnings).unwrap_or_else(|error| {
        let message = format!("cannot read its extents: {error}");
        warnings.push(kind_of(&error), at, message);
        Going::Unknown
    })
}

/// What goes with each inode of a tree, if that is known.
fn physical_sizes(tree: &GatheredTree, gone: &[u32], going: &Going) -> Vec<u64> {
    match going {
        Going::Unknown => Vec::new(),
        Going::Blocks => tree.layout.inodes.iter().map(|inode| inode.disk_size).collect(),
        Going::Extents(GoingExtents { sizes, .. }) => {
            let mut all = vec![0; tree.layout.inodes.len()];
            gone.iter().zip(sizes).for_each(|(&inode, &size)| all[inode as usize] = size);
            all
        }
    }
}

/// How many paths bear the attribute by which a later Nix would know that they
/// are optimised (NixOS/nix#16458), if any do. It is in the namespace `trusted`,
/// which only root can see.
fn marked(tree: &GatheredTree, names: &[&str], files: &StoreFiles) -> Option<u64> {
    let is_marked = |at: usize| {
        // A list that is longer than the system allows is none of Nix's.
        let Ok(name) = CString::new(names[tree.tops[at] as usize]) else { return false };
        let list = files.directory().xattrs(&name).unwrap_or_default();
        let mut attributes = list.split(|&b| b == 0);
        attributes.any(|name| name.ends_with(b".nix.optimised"))
    };
    let marked = threads::map(tree.tops.len(), 16, is_marked);
    let marked = marked.into_iter().filter(|&marked| marked).count() as u64;
    (marked > 0).then_some(marked)
}

/// A number for each package, and the package of each examined path.
fn number_packages(census: &Census) -> (Vec<u32>, usize) {
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let package_of = census
        .ids()
        .map(|id| {
            let next = numbers.len() as u32;
            let package = census.catalog.package(id).name;
            *numbers.entry(package).or_insert(next)
        })
        .collect();
    (package_of, numbers.len())
}

fn already_saved(tree: &GatheredTree, whole: bool, nix: NixVersion) -> AlreadySaved {
    if whole {
        let links = &tree.links;
        let saved = i128::from(links.saved_apparent_size) - i128::from(links.directory_disk_size);
        let saved = i64::try_from(saved).unwrap_or(i64::MAX);
        let (other_apparent_size, other_disk_size) = other_hard_links(tree);
        return AlreadySaved {
            apparent_size: links.saved_apparent_size,
            disk_size: links.saved_disk_size,
            other_apparent_size: Some(other_apparent_size),
            other_disk_size: Some(other_disk_size),
            links_entries: links.entries,
            links_directory_disk_size: links.directory_disk_size,
            note: Some(nix.saving_note(saved)),
        };
    }
    let mut sums = AlreadySaved::default();
    for inode in &tree.layout.inodes {
        let names = u64::from(inode.nlink.saturating_sub(1));
        sums.apparent_size = sums.apparent_size.saturating_add(names.saturating_mul(inode.size));
        sums.disk_size = sums.disk_size.saturating_add(names.saturating_mul(inode.disk_size));
    }
    sums
}

/// What hard links save that are not made through `.links`: apparent and disk
/// size.
fn other_hard_links(tree: &GatheredTree) -> (u64, u64) {
    let mut names = vec![0u64; tree.layout.inodes.len()];
    tree.names_of_inodes().for_each(|(_, inode)| names[inode as usize] += 1);
    let mut sums = (0u64, 0u64);
    for ((inode, flags), names) in tree.layout.inodes.iter().zip(&tree.flags).zip(names) {
        if !flags.linked() {
            let more = names.saturating_sub(1);
            sums.0 = sums.0.saturating_add(more.saturating_mul(inode.size));
            sums.1 = sums.1.saturating_add(more.saturating_mul(inode.disk_size));
        }
    }
    sums
}
