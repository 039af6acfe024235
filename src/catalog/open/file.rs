//! Where a database lies, and what lies beside it.

use super::{NEWEST_SCHEMA, OLDEST_SCHEMA, OpenError, Schema};
use crate::disk::FileStamp;
use crate::fs::{self, Directory, FileType, Stat, Tree};
use crate::store::StoreLocation;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// No larger database is read into memory, in bytes: SQLite allocates no more.
const LARGEST_IMAGE: u64 = (1 << 31) - (1 << 20);

/// A database file, by its name in a tree.
#[derive(Clone, Debug)]
pub struct DatabaseFile {
    tree: Tree,
    name: PathBuf,
    path: PathBuf,
}

impl DatabaseFile {
    /// The database called `name` (absolute) inside a tree. It can be read from
    /// a tree of any kind; from one in memory as an image.
    pub fn new(tree: &Tree, name: &Path) -> Self {
        Self { tree: tree.clone(), name: name.to_owned(), path: tree.display_path(name) }
    }

    /// A database at a path of this machine, with any symlink on the way.
    ///
    /// # Errors
    /// [`OpenError::Unreadable`] if `/` cannot be opened.
    pub fn at(path: &Path) -> Result<Self, OpenError> {
        let tree = live(Path::new("/"), path)?;
        Ok(Self { tree, name: path.to_owned(), path: path.to_owned() })
    }

    /// The database of a store. One outside its root is a file that the user
    /// names: it is looked for on this machine.
    ///
    /// # Errors
    /// [`OpenError`] if the root cannot be opened.
    pub fn of(location: &StoreLocation) -> Result<Self, OpenError> {
        let path = &location.database;
        match location.inside_root(path) {
            Some(name) => Ok(Self { tree: live(&location.root, path)?, name, path: path.clone() }),
            None => Self::at(path),
        }
    }

    /// Its path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is such a file.
    pub fn exists(&self) -> bool {
        self.find().is_ok()
    }

    /// What the file `schema` beside the database says.
    ///
    /// # Errors
    /// [`OpenError::OldSchema`] if the database is older than can be read, and
    /// those of looking for it.
    pub fn schema(&self) -> Result<Schema, OpenError> {
        let text = match read_start(&self.find()?.directory, c"schema") {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Schema::Missing),
            Err(e) => return Ok(Schema::Odd(format!("cannot be read: {e}"))),
        };
        let number = std::str::from_utf8(&text).ok().and_then(|t| t.trim().parse().ok());
        match number {
            None => Ok(Schema::Odd("is not a number".to_owned())),
            Some(schema) if schema < OLDEST_SCHEMA => {
                Err(OpenError::OldSchema { path: self.path.clone(), schema })
            }
            Some(schema) if schema > NEWEST_SCHEMA => Ok(Schema::Newer(schema)),
            Some(schema) => Ok(Schema::Known(schema)),
        }
    }

    /// How the database and the files that decide what it says are at the moment, `None`
    /// where there is none. `None` if that cannot be found out.
    pub(crate) fn stamps(&self) -> Option<Vec<Option<FileStamp>>> {
        let found = self.find().ok()?;
        let beside = ["", "-wal", "-journal"].map(|suffix| found.look_at(suffix).ok());
        let schema = match found.directory.stat(c"schema") {
            Ok(stat) => Some(Some(stat)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Some(None),
            Err(_) => None,
        };
        let stamp = |stat: Stat| FileStamp::of(&stat);
        beside.into_iter().chain([schema]).map(|found| Some(found?.map(stamp))).collect()
    }

    /// Finds it, with symlinks kept inside the tree.
    pub(super) fn find(&self) -> Result<FoundDatabase, OpenError> {
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => OpenError::Missing { path: self.path.clone() },
            _ => OpenError::Unreadable { path: self.path.clone(), source: e },
        };
        // On this machine itself the kernel says where a name leads, through
        // what only it can follow too (/dev/fd).
        let name = match self.tree.path() == Some(Path::new("/")) {
            true => std::fs::canonicalize(&self.name).map_err(failed)?,
            false => self.name.clone(),
        };
        let resolved = self.tree.resolve(&name, None).map_err(|e| failed(e.into()))?;
        let entry = resolved.into_entry().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let path = self.tree.display_path(&entry.path);
        let live = self.tree.path().is_some();
        let (directory, name) = entry.into_parent();
        Ok(FoundDatabase { directory, name, path, live })
    }
}

fn live(root: &Path, path: &Path) -> Result<Tree, OpenError> {
    Tree::live(root).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path.to_owned() },
        _ => OpenError::Unreadable { path: path.to_owned(), source },
    })
}

/// A database that was found: its directory, open, and its name there.
#[derive(Debug)]
pub(super) struct FoundDatabase {
    directory: Directory,
    name: CString,
    path: PathBuf,
    live: bool,
}

impl FoundDatabase {
    /// Its path with no symlink in it, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What SQLite can be given; `None` where this machine has no path for it.
    pub(super) fn path_for_sqlite(&self) -> Option<&Path> {
        self.live.then_some(&*self.path)
    }

    /// The same by the directory that is open, whatever leads to it meanwhile; for
    /// as long as this is kept, and by [`Vfs`](super::vfs::Vfs) alone. `None` where
    /// the system has no such names.
    pub(super) fn path_by_directory(&self) -> Option<PathBuf> {
        let directory = self.directory.path_by_descriptor()?;
        Some(directory.join(OsStr::from_bytes(self.name.to_bytes())))
    }

    fn name_beside(&self, suffix: &str) -> CString {
        let mut name = self.name.clone().into_bytes();
        name.extend(suffix.bytes());
        CString::new(name).expect("neither half has a NUL")
    }

    /// The path of what lies beside it; with no suffix, of the database.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(suffix);
        name.into()
    }

    /// What lies there. `None` if there is nothing; an error if it is not a
    /// regular file.
    pub(super) fn look_at(&self, suffix: &str) -> Result<Option<Stat>, OpenError> {
        match self.directory.stat(&self.name_beside(suffix)) {
            Ok(stat) if stat.file_type() == FileType::Regular => Ok(Some(stat)),
            Ok(_) => Err(OpenError::NotAFile { path: self.beside(suffix) }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(OpenError::Unreadable { path: self.beside(suffix), source }),
        }
    }

    /// Checked by asking, not by opening: closing a file would drop the locks that
    /// another connection of this process holds on it.
    pub(super) fn check_readable(&self, suffix: &str) -> Result<(), OpenError> {
        self.directory
            .may_read(&self.name_beside(suffix))
            .map_err(|source| self.unreadable(suffix, source))
    }

    /// The first bytes of it.
    pub(super) fn read_start(&self, suffix: &str) -> Result<Vec<u8>, OpenError> {
        read_start(&self.directory, &self.name_beside(suffix))
            .map_err(|source| self.unreadable(suffix, source))
    }

    /// Why what was seen there cannot be read: if it is gone, someone else removed it, as
    /// a connection that is the last one to close does with the log.
    fn unreadable(&self, suffix: &str, source: io::Error) -> OpenError {
        match source.kind() {
            io::ErrorKind::NotFound => OpenError::Changed { path: self.path.clone() },
            _ => OpenError::Unreadable { path: self.beside(suffix), source },
        }
    }

    /// All of it, as far as memory may hold it.
    pub(super) fn read_all(&self, suffix: &str) -> io::Result<Vec<u8>> {
        self.directory.open_file(&self.name_beside(suffix))?.read_all(LARGEST_IMAGE)
    }

    /// Whether SQLite, which was given the path, has that very file open so many times
    /// at least, and reads the log that lies beside it: another process may have put another
    /// directory in the way of the path.
    pub(super) fn is_what_sqlite_opened(&self, database: &Stat, times: usize) -> bool {
        let log = match self.look_at("-wal") {
            Ok(Some(stat)) => fs::leads_to(&self.beside("-wal"), stat.identity()),
            Ok(None) => true,
            Err(_) => false,
        };
        log && fs::has_open(&self.path, database.identity(), times)
    }
}

/// The first bytes of a regular file.
fn read_start(directory: &Directory, name: &std::ffi::CStr) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    directory.open_unknown_file(name)?.take(64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
