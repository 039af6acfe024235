//! A census in a file: what a store and its disk said at one time, to be asked
//! again later and elsewhere.
//!
//! [`read`] gives a [`Snapshot`], which has all that a
//! [`Census`](crate::census::Census) is made of; [`write()`] writes one. What needs
//! the contents of files cannot be answered from it.
//!
//! ```
//! use nix_census::census::Census;
//! use nix_census::snapshot::{self, Snapshot};
//! # use nix_census::catalog::{Builder, Record};
//! # use nix_census::census::Examine;
//! # use nix_census::store::StoreLocation;
//! # let mut builder = Builder::new("/nix/store");
//! # let path = "/nix/store/00000000000000000000000000000001-hello-1.0";
//! # builder.add(&Record { path: path.as_bytes(), nar_size: Some(120), ..Record::default() })?;
//! # let location = StoreLocation {
//! #     root: "/".into(),
//! #     store_dir: "/nix/store".into(),
//! #     state_dir: "/nix/var/nix".into(),
//! #     real_store_dir: "/nix/store".into(),
//! #     real_state_dir: "/nix/var/nix".into(),
//! #     database: "/nix/var/nix/db/db.sqlite".into(),
//! # };
//! # let taken = Snapshot::new(location, builder.finish()?, &Examine::All, None, 0);
//! let mut file = Vec::new();
//! snapshot::write(&taken, &mut file)?;
//!
//! let snapshot = snapshot::read(&mut file.as_slice(), true)?;
//! let census = Census::new(snapshot.catalog, &snapshot.examine, snapshot.disk)?;
//! assert_eq!(census.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The file
//!
//! Version 1. Numbers of fixed width are little-endian. There is a header, a table of
//! sections, a table of chunks, a checksum of all three, and the chunks, with
//! nothing between and nothing after.
//!
//! | header | |
//! |---|---|
//! | 8 bytes | `89 43 45 4e 53 55 53 0a` |
//! | `u32` | the version |
//! | `u32` | how many sections: at most 64 |
//! | `u64` | the length of the whole file in bytes |
//! | `u32` | how many chunks |
//! | `u32` | 0 |
//!
//! | a section | |
//! |---|---|
//! | `u32` | its kind; none is there twice |
//! | `u32` | how many chunks it has: the next ones |
//! | `u64` | its length in bytes: the sum of theirs |
//!
//! | a chunk | |
//! |---|---|
//! | `u32` | the length of what is stored |
//! | `u32` | the length of what it holds: 1 byte to 1 MiB. If both are the same it is stored as it is, else as one frame of zstd |
//! | 32 bytes | the BLAKE3 of what is stored |
//!
//! The checksum after the tables is the BLAKE3 of all bytes before it. All
//! sections together hold at most 16 MiB, and 64 bytes more for each byte of the
//! file: a file asks for so much memory and no more.
//!
//! In a section numbers are varints: seven bits a byte, the lowest first, the
//! highest bit set in all bytes but the last; signed ones are folded first (0, -1, 1,
//! -2, … are 0, 1, 2, 3, …). Texts and bytes are preceded by their length,
//! lists by their number, options by 0 or 1; a record is its fields in order (see
//! `records`). A *column* is one field of all paths or inodes, in their order.
//!
//! | section | holds |
//! |---|---|
//! | 1 about | version of the program; when it was taken, in seconds since 1970; host name, if asked for; where the store lies (six names); whether it is of all paths (0) or of the closure of some (1); these; the running system |
//! | 2 paths | store directory; columns: base name, NAR hash (32 bytes, zeros if unknown), NAR size (one more; 0 if unknown), registration time (-2^63 if unknown), ultimate (a byte); deriver, signatures, content address. Texts: their number, all lengths, the length of all, all |
//! | 3 references | of each path: how many; then of each the first, and the distance from each to the next |
//! | 4 database | outputs, build traces, odd rows, stated sizes, missing columns, schema; whether it is a part of a database; warnings of reading it |
//! | 5 usages | number of paths; names of other entries of the store directory; columns over both: NAR size, apparent size, disk size and inodes that no other path shares, files, directories, symlinks, other files; a byte: 1 present, 2 complete; then devices, `.links`, the file system, warnings of the walk |
//! | 6 inodes | those with several names; columns: number (distance from the one before), size, blocks (beside those that 4096-byte pages take), names, device, flags (a byte) |
//! | 7 names | of each path, then each other entry: its names' inodes, as references are |
//! | 8 kinds | keys of kinds; columns over sums of a path and kind: path (distance from the one before), kind (a byte), entries, NAR size, apparent size, disk size; whether the names that follow are those of section 7 (1), else these (0); of each a byte: its kind; warnings |
//! | 9 surroundings | roots as links and files, stale links, what runs, `tmp-…`, profiles as each version of Nix cleans them; the store beneath; settings of the collector; what lies outside the store; outputs that build traces know |
//! | 10 store then | what a later scan must know to walk only what changed: when this one began, by which clock, machine and file system (hashes); device, inode number and `ctime` of the store directory, of `.links` and of the files of the database |
//! | 11 directories | number of paths; of each: how many directories; columns over them, each directory before those in it: depth, inode number, seconds and nanoseconds of `ctime` (distances from the one before); lengths of names; names |
//! | 12 single names | of each path: how many inodes have one name; then of each the first number, and the distance from each to the next; then the blocks of all; links of `.links` that nothing uses, as section 6 has inodes; keys of kinds; of each directory of section 11, then of each of these inodes: kind (a byte) |
//! | 13 physical sizes | blocks say all (0), unknown, with why (1), or extents (2; 3: after what the sizes are, and those freed): of each path, then each other entry, and of each inode of section 6, columns: physical, uncompressed, referenced, inline size; of each group of extents its owners, as references are; physical sizes; uncompressed sizes; its holders; then holders, what unused links take, sums by compression, raw size |
//! | 14 layers | where the store is on an overlay: what is in its upper layer is not known, with why (0), or (1) whether that is all and whether blocks say what it takes; of each path, then each other entry, columns: blocks and inodes there that have one name; the inodes of section 6 that are there, as distances; what unused links take there |
//! | 15 physical sizes of kinds | keys of kinds; columns over some kinds in paths, ascending: path (distance from the one before), kind (a byte); of each group of extents who uses it, as references are: these, as files of one name, then inodes of section 6; columns over groups: physical, uncompressed, referenced, inline size |
//!
//! Sections 5 to 8 and 13 are there if the disk was examined, 9 if it is of all paths; 10 to 12
//! if the disk was examined, it is of all paths, and the file system allows to rely on
//! inode numbers; 15 if section 13 has extents.
//!
//! # What a reader checks
//!
//! All checksums before anything else, whatever is asked: so no damaged file gives
//! an answer. Then, since a file can be made on purpose: every length against what is
//! there; base names are store paths, ascending; columns are of one length; every
//! number of a path, inode or device is one that is there; rows ascend; NAR
//! sizes sum to less than 2^64; no inode is there twice; warnings add up to their
//! counts; roots are of paths that are there; nothing is left over in a section. A section that is not known is
//! passed over; a version that is not known is refused.

mod codec;
mod columns;
mod container;
mod physical;
mod records;
mod stamps;
mod surroundings;

#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, PathId};
use crate::census::Examine;
use crate::disk::{DiskScan, KindScan, Overlay, PathStamps};
use crate::store::StoreLocation;
use crate::threads;
use codec::{Decoder, Encoder, Field, Odd};
use container::{Container, SectionKind};
use std::io::{self, Read, Write};

pub(crate) use container::MAGIC;
pub(crate) use stamps::StoreThen;
pub(crate) use surroundings::{Surroundings, TraceOutputs};

/// A census as it is kept in a file.
#[derive(Debug)]
pub struct Snapshot {
    /// The version of the program that took it.
    pub program: String,
    /// When it was taken, in seconds since 1970.
    pub taken: i64,
    /// The host it was taken on, if that was to be told.
    pub host: Option<String>,
    /// Where the store lies on the machine that it was taken on.
    pub location: StoreLocation,
    /// What the census examines: all paths of the store, or the closure of some;
    /// either is all that the catalog has.
    pub examine: Examine,
    /// The running system, where it is among the paths.
    pub running_system: Option<PathId>,
    /// What the database says: of the whole store, or of the examined paths only
    /// ([`Catalog::is_part`]).
    pub catalog: Catalog,
    /// What the disk says of all the catalog's paths; `None` if it was not
    /// examined, or not asked for.
    pub disk: Option<DiskScan>,
    /// Whether the file says what the disk says.
    pub has_disk: bool,
    /// What of each path is of which kind; only for writing.
    pub(crate) kinds: Option<KindScan>,
    /// What a later scan needs to walk only what changed since; only for writing.
    pub(crate) stamps: Option<(StoreThen, PathStamps)>,
    /// Roots, settings and what lies outside the store; `None` for a part.
    pub(crate) surroundings: Option<Surroundings>,
}

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Reading failed.
    #[error("cannot read it")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is not a snapshot")]
    NotASnapshot,
    /// A later version wrote it.
    #[error("its version is {version}, newer than {}, the newest known", container::VERSION)]
    Newer {
        /// The version of the file.
        version: u32,
    },
    /// It is not as it was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It would take more memory than a file of its length may.
    #[error("it would take too much memory for its length")]
    TooLarge,
}

impl Snapshot {
    /// A snapshot of what was found, taken at a time in seconds since 1970. The
    /// scan is of the paths to examine. Paths that are not examined are left out,
    /// too; to be examined alone (`Examine::Only`) stands for the closure.
    pub fn new(
        location: StoreLocation,
        catalog: Catalog,
        examine: &Examine,
        disk: Option<DiskScan>,
        taken: i64,
    ) -> Self {
        let (catalog, examine) = match examine {
            Examine::All => (catalog, Examine::All),
            Examine::Closure(targets) | Examine::Only(targets) => {
                let ids = catalog.closure_of(targets.iter().copied());
                // Each is in its own closure.
                let new = |id: &PathId| PathId::new(ids.partition_point(|other| other < id) as u32);
                let targets = targets.iter().map(new).collect();
                (catalog.part(&ids), Examine::Closure(targets))
            }
        };
        Self {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            taken,
            host: None,
            location,
            examine,
            running_system: None,
            has_disk: disk.is_some(),
            catalog,
            disk,
            kinds: None,
            stamps: None,
            surroundings: None,
        }
    }
}

/// All that is written of a census.
pub(crate) struct Contents<'a> {
    pub(crate) taken: i64,
    pub(crate) host: Option<&'a str>,
    pub(crate) location: &'a StoreLocation,
    pub(crate) examine: &'a Examine,
    pub(crate) running_system: Option<PathId>,
    pub(crate) catalog: &'a Catalog,
    pub(crate) disk: Option<&'a DiskScan>,
    pub(crate) kinds: Option<&'a KindScan>,
    pub(crate) stamps: Option<(&'a StoreThen, &'a PathStamps)>,
    pub(crate) surroundings: Option<&'a Surroundings>,
}

/// Writes a snapshot.
///
/// # Errors
/// If it cannot be written.
pub fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    container::write(&sections(snapshot), out)
}

fn sections(snapshot: &Snapshot) -> Vec<(u32, Vec<u8>)> {
    sections_of(&snapshot.program, &snapshot.contents())
}

/// Writes a snapshot that this version took.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_contents(contents: &Contents<'_>, out: &mut dyn Write) -> io::Result<()> {
    container::write(&sections_of(env!("CARGO_PKG_VERSION"), contents), out)
}

/// The sections of a snapshot.
fn sections_of(program: &str, snapshot: &Contents<'_>) -> Vec<(u32, Vec<u8>)> {
    let mut sections = Vec::new();
    let mut add = |kind: SectionKind, put: &dyn Fn(&mut Encoder)| {
        let mut out = Encoder::default();
        put(&mut out);
        sections.push((kind as u32, out.bytes));
    };
    let catalog = snapshot.catalog;
    add(SectionKind::About, &|out| {
        out.field(&program.to_owned());
        out.field(&snapshot.taken);
        out.field(&snapshot.host.map(str::to_owned));
        out.field(snapshot.location);
        out.field(snapshot.examine);
        out.field(&snapshot.running_system);
    });
    add(SectionKind::Paths, &|out| columns::put_paths(out, catalog));
    add(SectionKind::References, &|out| columns::put_references(out, catalog));
    add(SectionKind::CatalogExtra, &|out| {
        out.field(&catalog.more_parts());
        out.field(&catalog.warnings);
    });
    if let Some(scan) = snapshot.disk {
        add(SectionKind::Usages, &|out| columns::put_usages(out, scan));
        add(SectionKind::Inodes, &|out| columns::put_inodes(out, &scan.inodes));
        add(SectionKind::Names, &|out| columns::put_names(out, scan));
        add(SectionKind::Physical, &|out| physical::put(out, &scan.physical));
        if !matches!(scan.overlay, Overlay::No) {
            add(SectionKind::Overlay, &|out| physical::put_overlay(out, &scan.overlay));
        }
        if let Some(kinds) = snapshot.kinds {
            add(SectionKind::Kinds, &|out| columns::put_kinds(out, kinds, &scan.names));
            let by_inode = scan.extents().map(|extents| extents.by_inode());
            if let Some(extents) = by_inode.and_then(|by_inode| kinds.extents(by_inode)) {
                add(SectionKind::KindExtents, &|out| physical::put_kinds(out, &extents));
            }
        }
    }
    if let Some((store, paths)) = snapshot.stamps {
        add(SectionKind::StoreThen, &|out| out.field(store));
        add(SectionKind::Directories, &|out| stamps::put_directories(out, paths));
        add(SectionKind::Singles, &|out| stamps::put_singles(out, paths));
    }
    if let Some(surroundings) = snapshot.surroundings {
        add(SectionKind::Surroundings, &|out| out.field(surroundings));
    }
    sections
}

/// Reads a snapshot to its end; without what the disk says unless `disk`.
///
/// # Errors
/// If it cannot be read, or is not as it should be.
pub fn read(input: &mut dyn Read, disk: bool) -> Result<Snapshot, SnapshotError> {
    SnapshotFile::read(input)?.snapshot(disk)
}

/// The sections of a file, each with its kind: for those who change them.
///
/// # Errors
/// If it is not as it was written.
#[doc(hidden)]
pub fn unsealed(mut file: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, SnapshotError> {
    let file = Container::read(&mut file)?;
    let damaged = |what: &str| SnapshotError::Damaged(format!("a section {what}"));
    file.kinds().map(|kind| Ok((kind, file.bytes(kind).map_err(damaged)?))).collect()
}

/// A file of such sections, with the checksums that they should have.
///
/// # Errors
/// If they cannot be compressed.
#[doc(hidden)]
pub fn sealed(sections: &[(u32, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut file = Vec::new();
    container::write(sections, &mut file)?;
    Ok(file)
}

/// A file that was read and whose checksums fit.
pub(crate) struct SnapshotFile(Container);

impl SnapshotFile {
    /// Reads a file to its end.
    ///
    /// # Errors
    /// If it cannot be read, or is not as it was written.
    pub(crate) fn read(input: &mut dyn Read) -> Result<Self, SnapshotError> {
        Container::read(input).map(Self)
    }

    /// The snapshot in it; without what the disk says unless `disk`.
    ///
    /// # Errors
    /// If it is not as it should be.
    pub(crate) fn snapshot(&self, disk: bool) -> Result<Snapshot, SnapshotError> {
        snapshot(&self.0, disk)
    }

    /// How store and database were; `None` if the file does not say.
    ///
    /// # Errors
    /// If it is not as it should be.
    pub(crate) fn store_then(&self) -> Result<Option<StoreThen>, SnapshotError> {
        let kinds = [SectionKind::StoreThen, SectionKind::Directories, SectionKind::Singles];
        if !kinds.into_iter().all(|kind| self.0.has(kind)) {
            return Ok(None);
        }
        section(&self.0, SectionKind::StoreThen, Field::take).map(Some)
    }

    /// The stamps of the paths of a scan, which is this file's.
    ///
    /// # Errors
    /// If they are not there, or not as they should be.
    pub(crate) fn path_stamps(&self, scan: &DiskScan) -> Result<PathStamps, SnapshotError> {
        let singles = self.0.section(SectionKind::Singles)?;
        let mut singles = Decoder::new(&singles);
        section(&self.0, SectionKind::Directories, |from| {
            let stamps = stamps::take(from, &mut singles, scan.names.len())?;
            singles.end()?;
            Ok(stamps)
        })
    }

    /// What of each path of a scan, which is this file's, is of which kind; `None` if
    /// the file does not say.
    ///
    /// # Errors
    /// If it is not as it should be.
    pub(crate) fn kinds(&self, scan: &DiskScan) -> Result<Option<KindScan>, SnapshotError> {
        if !self.0.has(SectionKind::Kinds) {
            return Ok(None);
        }
        let take = |from: &mut Decoder<'_>| columns::take_kinds(from, scan);
        let mut kinds = section(&self.0, SectionKind::Kinds, take)?;
        if self.0.has(SectionKind::KindExtents) {
            let take = |from: &mut Decoder<'_>| physical::take_kinds(from, scan, &kinds);
            kinds.kept_extents = Some(section(&self.0, SectionKind::KindExtents, take)?);
        }
        Ok(Some(kinds))
    }
}

fn snapshot(file: &Container, disk: bool) -> Result<Snapshot, SnapshotError> {
    let has_disk = file.has(SectionKind::Usages);
    let (catalog, scan) = threads::join(
        || catalog(file),
        || if disk && has_disk { scan(file).map(Some) } else { Ok(None) },
    );
    let (catalog, disk) = (catalog?, scan?);
    let surroundings = match file.has(SectionKind::Surroundings) {
        true => Some(section(file, SectionKind::Surroundings, Surroundings::take)?),
        false => None,
    };
    let about = |from: &mut Decoder<'_>| {
        Ok(Snapshot {
            program: from.field()?,
            taken: from.field()?,
            host: from.field()?,
            location: from.field()?,
            examine: from.field()?,
            running_system: from.field()?,
            catalog,
            disk,
            has_disk,
            kinds: None,
            stamps: None,
            surroundings,
        })
    };
    let snapshot = section(file, SectionKind::About, about)?;
    match snapshot.fault() {
        None => Ok(snapshot),
        Some(fault) => Err(SnapshotError::Damaged(fault.to_owned())),
    }
}

impl Snapshot {
    /// All that is written of it.
    fn contents(&self) -> Contents<'_> {
        Contents {
            taken: self.taken,
            host: self.host.as_deref(),
            location: &self.location,
            examine: &self.examine,
            running_system: self.running_system,
            catalog: &self.catalog,
            disk: self.disk.as_ref(),
            kinds: self.kinds.as_ref(),
            stamps: self.stamps.as_ref().map(|(store, paths)| (store, paths)),
            surroundings: self.surroundings.as_ref(),
        }
    }

    /// What in it contradicts itself.
    fn fault(&self) -> Option<&'static str> {
        let paths = self.catalog.len();
        if self.disk.as_ref().is_some_and(|scan| scan.usages.len() != paths) {
            return Some("its parts are of different paths");
        }
        let targets = match &self.examine {
            Examine::All => [].as_slice(),
            Examine::Closure(targets) | Examine::Only(targets) => targets,
        };
        if targets.iter().chain(&self.running_system).any(|id| id.index() >= paths) {
            return Some("it is of a path that is not there");
        }
        let whole = self.examine == Examine::All;
        if whole == self.catalog.is_part() {
            return Some("it is of a part of the paths and of all of them");
        }
        if self.examine.ids(&self.catalog).is_some_and(|ids| ids.len() != paths) {
            return Some("it has paths that it is not of");
        }
        if self.location.store_dir != self.catalog.store_dir() {
            return Some("it is of two store directories");
        }
        if let Some(surroundings) = &self.surroundings {
            return match whole {
                true => surroundings.fault(paths),
                false => Some("it has roots of more than it is of"),
            };
        }
        let beyond = !whole && self.disk.as_ref().is_some_and(|scan| !scan.others.is_empty());
        beyond.then_some("it is of a part of the paths and of all of them")
    }
}

/// Reads one section to its end.
fn section<T>(
    file: &Container,
    kind: SectionKind,
    take: impl FnOnce(&mut Decoder<'_>) -> Result<T, Odd>,
) -> Result<T, SnapshotError> {
    let bytes = file.section(kind)?;
    let mut from = Decoder::new(&bytes);
    let read = take(&mut from).and_then(|value| from.end().map(|()| value));
    read.map_err(|odd| SnapshotError::Damaged(format!("{}: {}", kind.name(), odd.0)))
}

fn catalog(file: &Container) -> Result<Catalog, SnapshotError> {
    let (paths, references) = threads::join(
        || section(file, SectionKind::Paths, columns::take_paths),
        || section(file, SectionKind::References, columns::take_references),
    );
    let (more, warnings) = section(file, SectionKind::CatalogExtra, Field::take)?;
    let mut parts = paths?;
    (parts.references, parts.more, parts.warnings) = (references?, more, warnings);
    parts.into_catalog().map_err(|odd| SnapshotError::Damaged(format!("it has {}", odd.0)))
}

fn scan(file: &Container) -> Result<DiskScan, SnapshotError> {
    let scan = section(file, SectionKind::Usages, columns::take_usages)?;
    let inodes = section(file, SectionKind::Inodes, columns::take_inodes)?;
    let paths = scan.usages.len() + scan.others.len();
    let names =
        section(file, SectionKind::Names, |from| columns::take_names(from, inodes.len(), paths))?;
    let with_inodes = columns::with_inodes(scan, inodes, names);
    let mut scan = with_inodes.map_err(|odd| SnapshotError::Damaged(odd.0))?;
    if file.has(SectionKind::Physical) {
        scan.physical = section(file, SectionKind::Physical, |from| physical::take(from, &scan))?;
    }
    if file.has(SectionKind::Overlay) {
        let take = |from: &mut Decoder<'_>| physical::take_overlay(from, &scan);
        scan.overlay = section(file, SectionKind::Overlay, take)?;
    }
    Ok(scan)
}
