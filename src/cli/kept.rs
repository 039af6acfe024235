//! A snapshot in place of a store: what it can answer, and what not.

use super::exit::Failure;
use super::input;
use super::request::Request;
use crate::catalog::{Catalog, PathId};
use crate::census::Examine;
use crate::disk::{DiskScan, ExtentsOption, KindScan};
use crate::snapshot::{MAGIC, Snapshot, SnapshotError, SnapshotFile, Surroundings};
use crate::store::StoreLocation;
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// A snapshot's file, and what was read of it. Catalog and disk are large: they are given
/// away, and read again for whom asks again.
pub(super) struct Opened {
    /// The file, as it was named.
    pub(super) name: PathBuf,
    pub(super) file: SnapshotFile,
    catalog: RefCell<Option<Catalog>>,
    disk: RefCell<Option<DiskScan>>,
}

impl Opened {
    /// What was read of a file, which keeps no catalog and no disk.
    pub(super) fn new(name: &Path, file: SnapshotFile, read: &mut Snapshot) -> Self {
        Self {
            name: name.to_owned(),
            file,
            catalog: RefCell::new(Some(std::mem::take(&mut read.catalog))),
            disk: RefCell::new(read.disk.take()),
        }
    }

    pub(super) fn catalog(&self) -> Result<Catalog, Failure> {
        match self.catalog.take() {
            Some(catalog) => Ok(catalog),
            None => {
                self.file.snapshot(false).map(|again| again.catalog).map_err(|e| self.failed(&e))
            }
        }
    }

    /// What the disk said; `None` if the file does not say.
    pub(super) fn disk(&self) -> Result<Option<DiskScan>, Failure> {
        match self.disk.take() {
            Some(scan) => Ok(Some(scan)),
            None => self.file.snapshot(true).map(|again| again.disk).map_err(|e| self.failed(&e)),
        }
    }

    /// Why it cannot be read.
    pub(super) fn failed(&self, error: &SnapshotError) -> Failure {
        failed(&self.name, error)
    }
}

/// A snapshot that was read.
pub(super) struct Kept {
    opened: Opened,
    /// Where the store lies on the machine that it was taken on.
    pub(super) location: StoreLocation,
    /// The same names as this machine would have them.
    pub(super) here: StoreLocation,
    /// What it is of.
    pub(super) examine: Examine,
    pub(super) running_system: Option<PathId>,
    /// Whether it says what the disk says.
    pub(super) has_disk: bool,
    surroundings: Option<Surroundings>,
}

impl Kept {
    /// Reads the snapshot in `file`, without what the disk says unless `disk`.
    pub(super) fn open(request: &Request, file: &Path, disk: bool) -> Result<Self, Failure> {
        let read = open(request, file, "--snapshot")?;
        let mut snapshot = read.snapshot(disk).map_err(|e| failed(file, &e))?;
        let opened = Opened::new(file, read, &mut snapshot);
        let Snapshot { location, examine, running_system, has_disk, surroundings, .. } = snapshot;
        let store = PathBuf::from(&location.store_dir);
        let here = StoreLocation {
            root: PathBuf::from("/"),
            store_dir: location.store_dir.clone(),
            real_store_dir: store,
            state_dir: location.state_dir.clone(),
            real_state_dir: location.state_dir.clone(),
            database: location.database.clone(),
        };
        Ok(Self { opened, location, here, examine, running_system, has_disk, surroundings })
    }

    pub(super) fn catalog(&self) -> Result<Catalog, Failure> {
        self.opened.catalog()
    }

    /// What the disk said; `None` if the snapshot does not say.
    pub(super) fn disk(&self, extents: ExtentsOption) -> Result<Option<DiskScan>, Failure> {
        let mut scan = self.opened.disk()?;
        if let Some(scan) = &mut scan {
            let at = self.location.real_store_dir.as_os_str().as_encoded_bytes();
            scan.ask_extents(extents, at);
        }
        Ok(scan)
    }

    /// The same, and what of each path is of which kind.
    pub(super) fn disk_and_kinds(
        &self,
        extents: ExtentsOption,
    ) -> Result<(DiskScan, KindScan), Failure> {
        let Some(disk) = self.disk(extents)? else { return Err(self.no_files()) };
        let kinds = self.opened.file.kinds(&disk).map_err(|e| self.opened.failed(&e))?;
        Ok((disk, kinds.ok_or_else(|| self.no_files())?))
    }

    /// Roots, settings and what lies outside the store; an error if it is of a part
    /// of the store.
    pub(super) fn surroundings(&self) -> Result<&Surroundings, Failure> {
        self.need_whole("this")?;
        self.surroundings.as_ref().ok_or_else(|| self.no_files())
    }

    /// Why its roots are not known.
    pub(super) fn no_roots(&self) -> Failure {
        let name = self.opened.name.display();
        Failure::usage(format!("{name} does not say which GC roots there are"))
            .hint("it was taken of a file of paths, without --root")
    }

    /// What it is of, unless it is of the whole store.
    pub(super) fn targets(&self) -> Option<&[PathId]> {
        match &self.examine {
            Examine::All => None,
            Examine::Closure(targets) | Examine::Only(targets) => Some(targets),
        }
    }

    /// Refuses a question about the whole store where this is a part of it.
    pub(super) fn need_whole(&self, question: &str) -> Result<(), Failure> {
        if self.targets().is_none() {
            return Ok(());
        }
        let name = self.opened.name.display();
        let message =
            format!("{question} is about the whole store, and {name} holds only a closure");
        Err(Failure::usage(message).hint("take the snapshot without targets"))
    }

    /// Why `what` cannot be had where the snapshot does not say what the disk says.
    pub(super) fn no_disk(&self, what: &str, why: &str) -> Failure {
        let name = self.opened.name.display();
        Failure::usage(format!("{what}: {why}, and {name} was taken with --no-disk"))
            .hint("take the snapshot without --no-disk")
    }

    /// Why files cannot be looked at.
    pub(super) fn no_files(&self) -> Failure {
        let name = self.opened.name.display();
        Failure::usage(format!("this needs the files of the store, and {name} is a snapshot"))
            .hint("ask the store itself, where it is")
    }
}

/// Whether a file is a snapshot, by how it begins.
pub(super) fn is_snapshot(file: &Path) -> bool {
    // What is no file, such as a pipe, could not be read again.
    let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
    let mut beginning = [0; MAGIC.len()];
    is_file
        && File::open(file).is_ok_and(|mut file| file.read_exact(&mut beginning).is_ok())
        && beginning == MAGIC
}

/// Reads the file of a snapshot that an argument names.
pub(super) fn open(
    request: &Request,
    file: &Path,
    argument: &str,
) -> Result<SnapshotFile, Failure> {
    let read = if input::is_standard_input(file) {
        input::take(argument)?;
        SnapshotFile::read(&mut std::io::stdin().lock())
    } else {
        let path = request.current_dir().join(file);
        request.keep_off(&path)?;
        File::open(path)
            .map_err(SnapshotError::Io)
            .and_then(|file| SnapshotFile::read(&mut BufReader::new(file)))
    };
    read.map_err(|e| failed(file, &e))
}

/// Why a snapshot cannot be read.
pub(super) fn failed(file: &Path, error: &SnapshotError) -> Failure {
    let failure = Failure::failed(format!("cannot read the snapshot {}", file.display()));
    match error {
        SnapshotError::Io(e) => failure.cause(e),
        SnapshotError::NotASnapshot => {
            failure.cause(error).hint("`nix-census snapshot -o FILE` writes one")
        }
        SnapshotError::Newer { .. } => failure.cause(error).hint("a newer nix-census can read it"),
        e => failure.cause(e),
    }
}
