//! Directories by path, for any Unix: the walkdir crate and what the standard
//! library has. Names are looked up again by each call, so unlike with
//! descriptors, a process that swaps directories meanwhile may lead elsewhere;
//! and a path longer than the system allows fails.

use super::super::upper::UpperSource;
use super::super::{
    Capacity, Compressed, DirEntry, ExtentSource, Facts, FileType, Mapped, Stat, not_regular,
};
use super::list_xattrs;
use rustix::fs::OFlags;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use walkdir::{DirEntryExt, WalkDir};

/// A directory by its path.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

#[allow(dead_code, reason = "some are used where this is the native kind of directory")]
impl Directory {
    pub(crate) fn root(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path)?.is_dir() {
            Ok(Self { path: path.to_owned() })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    fn at(&self, name: &CStr) -> PathBuf {
        if name.is_empty() {
            return self.path.clone();
        }
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }

    pub(crate) fn read(
        &self,
        _: &mut Vec<u8>,
        each: &mut dyn FnMut(DirEntry<'_>),
    ) -> io::Result<()> {
        for entry in WalkDir::new(&self.path).min_depth(1).max_depth(1).follow_root_links(false) {
            let entry = entry.map_err(|error| io_error(&error))?;
            let Ok(name) = CString::new(entry.file_name().as_bytes()) else { continue };
            let file_type = entry.file_type();
            let file_type = match (file_type.is_dir(), file_type.is_file(), file_type.is_symlink())
            {
                (true, ..) => FileType::Directory,
                (_, true, _) => FileType::Regular,
                (.., true) => FileType::Symlink,
                _ => FileType::Unknown,
            };
            each(DirEntry { name: &name, ino: entry.ino(), file_type });
        }
        Ok(())
    }

    pub(crate) fn stat(&self, name: &CStr) -> io::Result<Stat> {
        Ok(Stat::from(&std::fs::symlink_metadata(self.at(name))?))
    }

    pub(crate) fn read_link(&self, name: &CStr) -> io::Result<Vec<u8>> {
        Ok(std::fs::read_link(self.at(name))?.into_os_string().into_vec())
    }

    pub(crate) fn xattrs(&self, name: &CStr) -> io::Result<Vec<u8>> {
        let path = self.at(name);
        list_xattrs(|buffer| rustix::fs::llistxattr(&path, buffer))
    }

    pub(crate) fn open_directory(&self, name: &CStr) -> io::Result<Self> {
        let path = self.at(name);
        if std::fs::symlink_metadata(&path)?.is_dir() {
            Ok(Self { path })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub(crate) fn may_read(&self, name: &CStr) -> io::Result<()> {
        let (access, flags) = (rustix::fs::Access::READ_OK, rustix::fs::AtFlags::EACCESS);
        Ok(rustix::fs::accessat(rustix::fs::CWD, self.at(name), access, flags)?)
    }

    pub(crate) fn pass_directory(&self, name: &CStr) -> io::Result<Self> {
        self.open_directory(name)
    }

    pub(crate) fn open_unknown_file(&self, name: &CStr) -> io::Result<(File, Stat)> {
        match self.stat(name)?.file_type() {
            FileType::Regular => self.open_file(name),
            _ => Err(not_regular()),
        }
    }

    /// Always `None`: names are gone over one by one.
    pub(crate) fn pass_path(&self, _: &[u8]) -> Option<io::Result<Self>> {
        None
    }

    /// Always `None`: names have to be followed one by one.
    pub(crate) fn find_in_root(&self, _: &Path) -> Option<io::Result<FoundInRoot>> {
        None
    }

    /// Always `None`: there is no such path.
    #[allow(clippy::unused_self, reason = "the same call as on Linux")]
    pub(crate) fn path_by_descriptor(&self) -> Option<PathBuf> {
        None
    }

    /// Not asked for: inode numbers are not relied on here.
    #[allow(clippy::unused_self, reason = "the same call as on Linux")]
    pub(crate) fn file_system(&self) -> Option<u64> {
        None
    }

    pub(crate) fn capacity(&self) -> io::Result<Capacity> {
        Ok(rustix::fs::statvfs(self.at(c""))?.into())
    }

    /// The same: there is no overlayfs here.
    pub(crate) fn with_layers(self) -> Self {
        self
    }

    #[allow(clippy::unused_self, reason = "the same call as on Linux")]
    pub(crate) fn agrees(&self, entry: u64, stat: &Stat) -> bool {
        entry == stat.ino
    }

    /// Nobody says it here.
    #[allow(dead_code, clippy::unused_self, reason = "the same method as on Linux")]
    pub(crate) fn rotates(&self) -> bool {
        false
    }

    /// Nobody says it here.
    #[allow(clippy::unused_self, reason = "the same method as on Linux")]
    pub(crate) fn may_be_compressed(&self, _: &CStr) -> bool {
        true
    }

    /// Only Linux has calls for it.
    #[allow(clippy::unused_self, reason = "the same method as on Linux")]
    pub(crate) fn extents(&self) -> ExtentSource {
        super::no_extents()
    }

    /// There is no overlayfs here.
    #[allow(clippy::unused_self, reason = "the same method as on Linux")]
    pub(crate) fn upper(&self) -> UpperSource {
        UpperSource::All
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts {
            trusted_inodes: false,
            mounts_below: Some(false),
            copies_up: false,
            link_limit: None,
        }
    }

    pub(crate) fn open_file(&self, name: &CStr) -> io::Result<(File, Stat)> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(flags.bits() as i32).open(self.at(name))?;
        let metadata = file.metadata()?;
        if metadata.is_file() { Ok((file, Stat::from(&metadata))) } else { Err(not_regular()) }
    }

    pub(crate) fn open_known_file(&self, name: &CStr) -> io::Result<File> {
        self.open_file(name).map(|(file, _)| file)
    }
}

/// Shows the ranges of an open file that are mapped to the disk; there is no such call.
#[allow(dead_code, reason = "used where this is the native kind of directory")]
pub(crate) fn mapped(_: &File, _: &mut dyn FnMut(Mapped)) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads what of an open file is in memory; there is no such call.
#[allow(dead_code, reason = "used where this is the native kind of directory")]
pub(crate) fn read_now(_: &File, _: &mut [u8]) -> Option<usize> {
    None
}

/// How an open file is compressed; there is no such call.
#[allow(dead_code, reason = "used where this is the native kind of directory")]
pub(crate) fn compressed(_: &File, _: &Stat, _: u64) -> io::Result<Option<Compressed>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether this process has a file open; there is no way to ask here.
#[allow(dead_code, reason = "used where this is the native kind of directory")]
pub(crate) fn times_open(_: (u64, u64)) -> Option<usize> {
    None
}

/// A file found by the kernel inside a root; there is no such call here.
#[derive(Debug)]
#[allow(dead_code, reason = "used where this is the native kind of directory")]
pub(crate) enum FoundInRoot {}

#[allow(dead_code, reason = "used where this is the native kind of directory")]
impl FoundInRoot {
    pub(crate) fn pass_directory(self) -> io::Result<Directory> {
        match self {}
    }

    pub(crate) fn into_directory(self) -> io::Result<Directory> {
        match self {}
    }

    pub(crate) fn into_file(self) -> io::Result<(File, Stat)> {
        match self {}
    }
}

/// The system's error; walkdir's own message repeats the path.
fn io_error(error: &walkdir::Error) -> io::Error {
    match error.io_error().and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error.to_string()),
    }
}
