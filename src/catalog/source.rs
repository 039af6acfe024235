//! Which source a catalog comes from: asked for, or found where images keep it.

use super::{
    Catalog, CatalogError, DatabaseFile, ImportError, PathId, load, overlay, path_info,
    registration, scan,
};
use crate::disk::{DiskError, DiskScan, Progress, ScanOptions};
use crate::fs::{Input, StoreFiles, Tree};
use crate::store::{StoreLocation, StorePath};
use crate::warning::WarningKind;
use std::io;
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
    /// A registration that the user names, as `nix-store --dump-db` writes it;
    /// `-` is standard input.
    Registration(PathBuf),
    /// A registration that was found in the examined tree, by its name there.
    FoundRegistration(PathBuf),
    /// What `nix path-info --json` printed; `-` is standard input.
    PathInfo(PathBuf),
    /// Nothing but the store directory: names are paths, and files that hold a hash part refer.
    Scan,
}

/// The name that stands for standard input where a file is to be read.
pub(crate) const STANDARD_INPUT: &str = "-";

/// The name that NixOS gives registrations in its images.
const REGISTRATION: &str = "nix-path-registration";

impl Source {
    /// The database if there is one; else the registration that a NixOS image
    /// carries: `/nix-path-registration` in disk images, in the store of ISO
    /// images, and in a squashfs whose top is the store.
    pub fn find(location: &StoreLocation) -> Self {
        let database = DatabaseFile::of(location);
        if location.root == Path::new("/") || database.is_ok_and(|file| file.exists()) {
            return Self::Database;
        }
        let Ok(tree) = Tree::live(&location.root) else { return Self::Database };
        let at_top = Path::new("/").join(REGISTRATION);
        let in_store = Path::new(&location.store_dir).join(REGISTRATION);
        let find = |name: &PathBuf| Some(tree.resolve(name, None).ok()?.into_entry()?.path);
        [&at_top, &in_store]
            .into_iter()
            .find_map(find)
            .map_or(Self::Database, Self::FoundRegistration)
    }

    /// The file that is read in place of a database, as this machine names it;
    /// `-` where standard input is read.
    pub fn file(&self, location: &StoreLocation) -> Option<PathBuf> {
        match self {
            Self::Registration(path) | Self::PathInfo(path) => Some(path.clone()),
            Self::FoundRegistration(name) => {
                Some(location.root.join(name.strip_prefix("/").unwrap_or(name)))
            }
            Self::Database | Self::Scan => None,
        }
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
        let file = self.file(location).map(|path| called(&path));
        let import = |source| {
            let path = file.clone().unwrap_or_default();
            CatalogError::Import { path, source }
        };
        let mut catalog = match self {
            Self::Database => load(location)?,
            Self::Registration(path) => {
                let catalog = open_input(path).and_then(|input| match input {
                    Input::Mapped(map) => registration::load(&map[..], &location.store_dir),
                    Input::Stream(input) => registration::load(input, &location.store_dir),
                });
                catalog.map_err(import)?
            }
            Self::FoundRegistration(name) => {
                let open = || Tree::live(&location.root)?.open_file(name);
                let catalog = open().map_err(ImportError::from).and_then(|file| {
                    let input = io::BufReader::with_capacity(1 << 16, file);
                    registration::load(input, &location.store_dir)
                });
                catalog.map_err(import)?
            }
            Self::PathInfo(path) => {
                let catalog = open_input(path).and_then(|input| match input {
                    Input::Mapped(map) => path_info::load_whole(&map, &location.store_dir),
                    Input::Stream(input) => path_info::load(input, &location.store_dir),
                });
                catalog.map_err(import)?
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
        if let Some(path) = file {
            let message = "read in place of a database";
            let path = path.into_os_string().into_encoded_bytes();
            catalog.warnings.push(WarningKind::Note, path, message);
        }
        Ok(catalog.into())
    }
}

/// If the top of the root is itself a store, as in the squashfs of a NixOS
/// ISO image, makes it the store directory.
pub(crate) fn find_store_at_top(location: &mut StoreLocation) {
    if location.root == Path::new("/") {
        return;
    }
    let Ok(tree) = Tree::live(&location.root) else { return };
    let exists = match location.inside_root(&location.real_store_dir) {
        Some(name) => tree.resolve(&name, None).is_ok(),
        None => location.real_store_dir.exists(),
    };
    if exists {
        return;
    }
    let Ok(top) = tree.open_directory(Path::new("/")) else { return };
    let mut found = false;
    // What was listed before an error is there nonetheless.
    let _ = top.read(&mut Vec::new(), |entry| {
        found |= StorePath::parse(entry.name.to_bytes()).is_ok();
    });
    if found {
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

/// Opens a file that the user names, which may be a pipe.
fn open_input(path: &Path) -> Result<Input, ImportError> {
    Ok(match path.as_os_str() == STANDARD_INPUT {
        true => Input::standard_input(),
        false => Input::open(path)?,
    })
}
