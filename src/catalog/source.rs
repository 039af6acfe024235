//! Which source a catalog comes from: asked for, or found where images keep it.

use super::{Catalog, CatalogError, PathId, load, overlay, path_info, registration, scan};
use crate::disk::{DiskError, DiskScan, Progress, ScanOptions};
use crate::fs::StoreFiles;
use crate::store::{Place, StoreLocation, StorePath, resolve};
use crate::warning::WarningKind;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// What a source holds.
#[derive(Debug)]
pub struct Loaded {
    /// What it says of paths.
    pub catalog: Catalog,
    /// What the disk said when the source was made, where it was written down:
    /// a stored census has it. None of the sources so far does, since even
    /// [`Source::Scan`] reads contents and does not count what they share.
    pub disk: Option<DiskScan>,
}

impl From<Catalog> for Loaded {
    fn from(catalog: Catalog) -> Self {
        Self { catalog, disk: None }
    }
}

/// Where a catalog comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The store's own database.
    #[default]
    Database,
    /// A registration: see [`registration`]; [`STANDARD_INPUT`] is one too.
    Registration(PathBuf),
    /// What `nix path-info --json` printed: see [`path_info`];
    /// [`STANDARD_INPUT`] is such a file too.
    PathInfo(PathBuf),
    /// Nothing but the store directory: see [`scan`].
    Scan,
}

/// The name that stands for standard input where a file is to be read.
pub const STANDARD_INPUT: &str = "-";

/// The name that NixOS gives registrations in its images.
const REGISTRATION: &str = "nix-path-registration";

impl Source {
    /// The database if there is one; else the registration that a NixOS image
    /// carries: `/nix-path-registration` in disk images, in the store of ISO
    /// images, and in a squashfs whose top is the store.
    pub fn find(location: &StoreLocation) -> Self {
        let exists = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        if exists(&location.database) || location.root == Path::new("/") {
            return Self::Database;
        }
        let at_top = Path::new("/").join(REGISTRATION);
        let in_store = Path::new(&location.store_dir).join(REGISTRATION);
        let candidates = [&at_top, &in_store].map(|name| resolve(&location.root, name, None));
        for candidate in candidates {
            if let Ok(Place::File(real)) = candidate {
                return Self::Registration(real);
            }
        }
        Self::Database
    }

    /// Reads what the source of a store holds. `options` and `progress` are
    /// those of a scan.
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn load(
        &self,
        location: &StoreLocation,
        options: &ScanOptions,
        progress: &Progress,
    ) -> Result<Loaded, CatalogError> {
        let mut catalog = match self {
            Self::Database => load(location)?,
            Self::Registration(path) => {
                let input = open_input(location, path)?;
                registration::load(input, &location.store_dir)
                    .map_err(|source| CatalogError::Import { path: called(path), source })?
            }
            Self::PathInfo(path) => {
                let input = open_input(location, path)?;
                path_info::load(input, &location.store_dir)
                    .map_err(|source| CatalogError::Import { path: called(path), source })?
            }
            Self::Scan => {
                let files = StoreFiles::of(location)
                    .map_err(|source| DiskError::store_directory(&location.real_store_dir, source));
                scan::scan(location, &files.map_err(scan::ScanError::from)?, options, progress)?
            }
        };
        if catalog.is_empty()
            && let Some(example) = catalog.outside.take()
        {
            let store_dir = location.store_dir.clone();
            return Err(CatalogError::OtherStore { store_dir, example });
        }
        if let Self::Registration(path) | Self::PathInfo(path) = self {
            let message = "read in place of a database";
            let path = called(path).into_os_string().into_encoded_bytes();
            catalog.warnings.push(WarningKind::Note, path, message);
        }
        Ok(catalog.into())
    }
}

/// If the top of the root is itself a store, as in the squashfs of a NixOS
/// ISO image, makes it the store directory.
pub fn find_store_at_top(location: &mut StoreLocation) {
    if location.root == Path::new("/") || location.real_store_dir.exists() {
        return;
    }
    let Ok(mut entries) = std::fs::read_dir(&location.root) else { return };
    let is_path = |name: &std::ffi::OsStr| StorePath::parse(name.as_encoded_bytes()).is_ok();
    if entries.any(|entry| entry.is_ok_and(|entry| is_path(&entry.file_name()))) {
        location.real_store_dir.clone_from(&location.root);
    }
}

/// Reads the catalog of a local-overlay store: `upper` over the store at
/// `lower`, each from its own source.
///
/// # Errors
/// See [`CatalogError`].
pub fn load_over(upper: &Catalog, lower: &Catalog) -> Result<Catalog, CatalogError> {
    if upper.store_dir() != lower.store_dir() {
        let example = match lower.is_empty() {
            true => lower.store_dir().to_owned(),
            false => lower.path(PathId::new(0)),
        };
        return Err(CatalogError::OtherStore { store_dir: upper.store_dir().to_owned(), example });
    }
    Ok(overlay::join(upper, lower).map_err(scan::ScanError::from)?)
}

/// A file as messages call it.
fn called(path: &Path) -> PathBuf {
    match path.as_os_str() == STANDARD_INPUT {
        true => PathBuf::from("standard input"),
        false => path.to_owned(),
    }
}

/// A file that the user names may be a pipe; one found in an image may not.
fn open_input(
    location: &StoreLocation,
    path: &Path,
) -> Result<BufReader<Box<dyn Read>>, CatalogError> {
    if path.as_os_str() == STANDARD_INPUT {
        return Ok(BufReader::with_capacity(1 << 16, Box::new(io::stdin())));
    }
    let found = path.starts_with(&location.root) && location.root != Path::new("/");
    let file = if found { open_regular(path) } else { File::open(path) };
    let error =
        |source: io::Error| CatalogError::Import { path: path.to_owned(), source: source.into() };
    Ok(BufReader::with_capacity(1 << 16, Box::new(file.map_err(error)?)))
}

fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file.into())
}
