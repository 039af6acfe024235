//! A directory of this machine and all below it.

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod layers;
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
pub(super) mod linux;
pub(super) mod portable;
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod rotation;

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
pub(super) use linux as native;
#[cfg(not(all(target_os = "linux", not(nix_census_portable))))]
pub(super) use portable as native;

use super::{Directory, ExtentSource, XATTR_LIST_MAX};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory of this machine as a tree.
#[derive(Clone, Debug)]
pub struct LiveTree {
    path: PathBuf,
    /// `None` if it is to be read by paths.
    root: Option<Arc<native::Directory>>,
}

impl LiveTree {
    pub(super) fn open(path: &Path, portable: bool) -> io::Result<Self> {
        let root = native::Directory::root(path)?;
        let root = if portable { None } else { Some(Arc::new(root)) };
        Ok(Self { path: path.to_owned(), root })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn root(&self) -> io::Result<Directory> {
        match &self.root {
            Some(root) => root.pass_directory(c".").map(Directory::Native),
            None => portable::Directory::root(&self.path).map(Directory::Portable),
        }
    }

    /// Opens a directory, which need not be readable, by an absolute name with
    /// no symlink in it; `None` if it is none, or has to be opened name by name.
    pub(super) fn pass_plain(&self, name: &Path) -> Option<Directory> {
        let root = self.root.as_ref()?;
        let below = name.strip_prefix("/").ok()?.as_os_str().as_bytes();
        root.pass_path(below)?.ok().map(Directory::Native)
    }

    /// Opens a name with the kernel keeping symlinks inside the root; `None`
    /// where the kernel cannot, and names have to be followed one by one.
    pub(super) fn open_in_root(&self, name: &Path) -> Option<io::Result<native::FoundInRoot>> {
        self.root.as_ref()?.find_in_root(name)
    }
}

/// Where nothing is known of the file system.
pub(super) fn no_extents() -> ExtentSource {
    ExtentSource::Unknown("its extents can be read on Linux only".to_owned())
}

/// The names of an open file's extended attributes.
pub(super) fn open_file_xattrs(file: impl AsFd) -> io::Result<Vec<u8>> {
    let file = file.as_fd();
    // Most have none, and no room has to be made to learn that.
    if rustix::fs::flistxattr_query(file) == Ok(0) {
        return Ok(Vec::new());
    }
    list_xattrs(|buffer| rustix::fs::flistxattr(file, buffer))
}

/// Asks once more with as much room as the system ever needs.
fn list_xattrs(
    list: impl Fn(&mut [u8]) -> Result<usize, rustix::io::Errno>,
) -> io::Result<Vec<u8>> {
    let mut names = vec![0; 1024];
    let length = match list(&mut names) {
        Err(rustix::io::Errno::RANGE) => {
            names.resize(XATTR_LIST_MAX, 0);
            list(&mut names)?
        }
        Err(rustix::io::Errno::NOTSUP) => return Err(io::ErrorKind::Unsupported.into()),
        listed => listed?,
    };
    names.truncate(length);
    Ok(names)
}
