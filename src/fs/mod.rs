//! Every examined file is reached through here.
//!
//! A [`Tree`] is a root directory and all below it: a live one ([`Tree::live`],
//! this machine's or a mounted image) or one in memory for tests
//! ([`Tree::memory`]). Names that come from outside (the store directory, the
//! database, `gcroots`, `etc/nix`, profiles) are *entry points*: the tree
//! resolves them, with symlinks kept inside the root, to an open [`Directory`]
//! or [`RegularFile`]. Below an entry point every directory is opened from its
//! parent with no symlink followed, so a path of any length works and nothing
//! leads out, even if another process swaps directories meanwhile.
//!
//! Nothing here writes, follows a symlink by accident, waits for a FIFO, or
//! opens a device.
//!
//! ```
//! use nix_census::fs::{FileType, Tree};
//!
//! let tree = Tree::memory([("/nix/store/a/bin/tool", b"contents".as_slice())]);
//! let store = tree.open_directory("/nix/store".as_ref())?;
//! let path = store.open_directory(c"a")?;
//! assert_eq!(path.stat(c"bin")?.file_type(), FileType::Directory);
//! let mut names = Vec::new();
//! path.read(&mut Vec::new(), |entry| names.push(entry.name.to_owned()))?;
//! assert_eq!(names, [c"bin".to_owned()]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A third kind of tree, the file system of an image, fits in beside the two
//! without a change elsewhere. It is one more variant of the three enums, and
//! provides what the memory tree provides:
//!
//! ```text
//! Tree::Image      root() -> Directory          facts() -> Facts
//! Directory::Image read(each entry)  stat(name)  read_link(name)  xattrs(name)
//!                  open_directory(name)          open_file(name)
//! RegularFile::Image  Read, read_at(offset)      stat()
//! ```
//!
//! Symlinks and entry points are resolved by [`Tree::resolve`], over any tree.

// What the variants of the enums hold is theirs alone.
#![allow(unnameable_types)]

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod btrfs;
#[cfg_attr(
    not(all(target_os = "linux", not(nix_census_portable))),
    allow(dead_code, reason = "only Linux has calls that show extents")
)]
mod extents;
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod f2fs;
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod fiemap;
mod input;
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod ioctl;
mod live;
mod locate;
mod memory;
mod moment;
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod overlay;
mod parts;
mod resolve;
mod stat;
mod store_files;
#[cfg_attr(
    not(all(target_os = "linux", not(nix_census_portable))),
    allow(dead_code, reason = "only Linux has overlayfs")
)]
mod upper;
#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod xfs;

use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub(crate) use extents::{
    Chunk, Compressed, ExtentItem, ExtentReader, ExtentSource, FileExtents, InodeBlocks, Mapped,
    Place, Stretch, Subvolume, damaged,
};
pub use extents::{Compression, SizeIs};
pub(crate) use input::Input;
pub use locate::locate;
pub(crate) use locate::{locate_elsewhere, locate_guix};
pub use memory::MemoryFile;
pub(crate) use moment::{Boot, Incomparable, Moment};
pub(crate) use parts::{Part, apart};
pub use resolve::{ResolveError, Resolved, ResolvedEntry};
pub use stat::{Capacity, Facts, FileType, Stat};
pub use store_files::StoreFiles;
#[cfg(test)]
pub(crate) use upper::UpperFile;
pub(crate) use upper::{InUpper, UpperFiles, UpperSource};

use live::{native, portable};

/// The longest list of extended attributes that is read, in bytes: what Linux
/// allows (`XATTR_LIST_MAX`).
const XATTR_LIST_MAX: usize = 64 << 10;

/// A root directory and all below it.
#[derive(Clone, Debug)]
pub enum Tree {
    /// A directory of this machine.
    Live(live::LiveTree),
    /// Files in memory, for tests.
    Memory(memory::MemoryTree),
}

impl Tree {
    /// The directory `root` of this machine; `/` is the machine itself.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a directory.
    pub fn live(root: &Path) -> io::Result<Self> {
        live::LiveTree::open(root, false).map(Self::Live)
    }

    /// The same, read by full paths with the walkdir crate, as on systems other
    /// than Linux: the tests' second opinion.
    ///
    /// # Errors
    /// As [`Tree::live`].
    pub fn live_portable(root: &Path) -> io::Result<Self> {
        live::LiveTree::open(root, true).map(Self::Live)
    }

    /// A tree in memory: absolute names of files and what they are.
    pub fn memory<N, F>(files: impl IntoIterator<Item = (N, F)>) -> Self
    where
        N: AsRef<Path>,
        F: Into<MemoryFile>,
    {
        let files = files.into_iter().map(|(name, file)| (name.as_ref().to_owned(), file.into()));
        Self::Memory(memory::MemoryTree::new(files))
    }

    /// The root as this machine names it, for messages and for what must be
    /// given a path; `None` if it has none.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Live(tree) => Some(tree.path()),
            Self::Memory(_) => None,
        }
    }

    /// A name inside the root as this machine names it, for messages.
    pub fn display_path(&self, inside: &Path) -> PathBuf {
        let below = inside.strip_prefix("/").unwrap_or(inside);
        let mut path = self.path().unwrap_or(Path::new("/")).to_owned();
        // Joining nothing would add a slash.
        path.extend(below);
        path
    }

    /// The root itself.
    ///
    /// # Errors
    /// If it cannot be opened to be read.
    pub fn root(&self) -> io::Result<Directory> {
        match self {
            Self::Live(tree) => tree.root(),
            Self::Memory(tree) => Ok(Directory::Memory(tree.root())),
        }
    }

    /// Opens a directory by its absolute name inside the root. Symlinks are
    /// followed inside the root.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open_directory(&self, name: &Path) -> io::Result<Directory> {
        if let Self::Live(tree) = self
            && let Some(opened) = tree.open_in_root(name)
        {
            return opened.and_then(native::FoundInRoot::into_directory).map(Directory::Native);
        }
        let found = self.resolve(name, None)?;
        found.into_entry().ok_or_else(not_found)?.open_directory()
    }

    /// Opens a directory, which need not be readable (see
    /// [`Directory::pass_directory`]), by its absolute name inside the root.
    /// Symlinks are followed inside the root.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn pass_directory(&self, name: &Path) -> Result<Directory, ResolveError> {
        // What the kernel refuses is followed name by name, to say where it ends.
        if let Self::Live(tree) = self
            && let Some(Ok(found)) = tree.open_in_root(name)
            && let Ok(directory) = found.pass_directory()
        {
            return Ok(Directory::Native(directory));
        }
        let Resolved::Entry(entry) = self.resolve(name, None)? else {
            unreachable!("no store directory was given")
        };
        entry.pass_directory().map_err(|source| match source.kind() {
            io::ErrorKind::NotADirectory => ResolveError::NotADirectory { at: entry.path },
            _ => ResolveError::Io { at: entry.path, source },
        })
    }

    /// Opens a regular file by its absolute name inside the root. Symlinks are
    /// followed inside the root; nothing but a regular file is ever opened.
    ///
    /// # Errors
    /// Those of the system, and `InvalidInput` for anything but a regular file.
    pub fn open_file(&self, name: &Path) -> io::Result<RegularFile> {
        if let Self::Live(tree) = self
            && let Some(opened) = tree.open_in_root(name)
        {
            match opened.and_then(native::FoundInRoot::into_file) {
                // Without /proc: name by name.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                opened => return opened.map(RegularFile::os),
            }
        }
        let found = self.resolve(name, None)?;
        found.into_entry().ok_or_else(not_found)?.open_file()
    }

    /// Reads a whole regular file of at most `longest` bytes.
    ///
    /// # Errors
    /// As [`Tree::open_file`], and `FileTooLarge` beyond `longest`.
    pub fn read_file(&self, name: &Path, longest: u64) -> io::Result<Vec<u8>> {
        self.open_file(name)?.read_all(longest)
    }

    /// Follows `name` (absolute: from the root) through every symlink, never
    /// leaving the root; stops below `store_dir` (a name inside the root with no
    /// symlink in it), if given.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn resolve(&self, name: &Path, store_dir: Option<&Path>) -> Result<Resolved, ResolveError> {
        resolve::resolve(self, name, store_dir)
    }

    /// The store path that `name` (absolute: from the root) means to Nix:
    /// symlinks at its end are followed while the name as written is outside
    /// `store_dir`, the store directory as the system under the root names it
    /// (nix: `Store::followLinksToStore`). Where Nix finds no store path, it is
    /// the one below `real_store_dir` (a name inside the root with no symlink
    /// in it) that holds the file.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn follow_links_to_store(
        &self,
        name: &Path,
        store_dir: &Path,
        real_store_dir: &Path,
    ) -> Result<Resolved, ResolveError> {
        resolve::follow_links_to_store(self, name, store_dir, real_store_dir)
    }
}

/// Whether a path of this machine leads, at this moment and without following
/// a last symlink, to the file of that device and inode number.
pub(crate) fn leads_to(path: &Path, identity: (u64, u64)) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| Stat::from(&found).identity() == identity)
}

/// Whether a library that must be given a path opened the very file that a
/// [`Directory`] shows: the path leads to it, and this process has it open so many
/// `times` at least, as far as the system says.
pub(crate) fn has_open(path: &Path, identity: (u64, u64), times: usize) -> bool {
    leads_to(path, identity) && native::times_open(identity).is_none_or(|open| open >= times)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// An entry of a directory, as the directory itself describes it.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// Its name: any bytes but `/`.
    pub name: &'a CStr,
    /// Its inode number; true only where [`Facts::trusted_inodes`] says so.
    pub ino: u64,
    /// Its type, or unknown.
    pub file_type: FileType,
}

/// An open directory.
#[derive(Debug)]
pub enum Directory {
    /// In the way that is best on this system: on Linux a descriptor.
    Native(native::Directory),
    /// A path, as on any Unix.
    Portable(portable::Directory),
    /// In memory.
    Memory(memory::Node),
}

/// Calls the same method of whichever kind of directory it is.
macro_rules! dispatch {
    ($self:expr, $directory:ident => $call:expr) => {
        match $self {
            Directory::Native($directory) => $call,
            Directory::Portable($directory) => $call,
            Directory::Memory($directory) => $call,
        }
    };
}

impl Directory {
    /// Shows each entry but `.` and `..`, in the order of the file system.
    /// `buffer` is used again from call to call.
    ///
    /// # Errors
    /// Those of the system; entries shown before it are entries nonetheless.
    pub fn read(&self, buffer: &mut Vec<u8>, mut each: impl FnMut(DirEntry<'_>)) -> io::Result<()> {
        dispatch!(self, directory => directory.read(buffer, &mut each))
    }

    /// What `stat` says of an entry; a symlink is not followed. An empty name
    /// is the directory itself.
    ///
    /// # Errors
    /// Those of the system.
    #[inline(always)]
    pub fn stat(&self, name: &CStr) -> io::Result<Stat> {
        dispatch!(self, directory => directory.stat(name))
    }

    /// The target of a symlink.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read_link(&self, name: &CStr) -> io::Result<Vec<u8>> {
        dispatch!(self, directory => directory.read_link(name))
    }

    /// The names of the extended attributes of an entry, each followed by a
    /// NUL; a symlink is not followed. An empty name is the directory itself.
    ///
    /// # Errors
    /// Those of the system; `Unsupported` where the file system has none.
    pub fn xattrs(&self, name: &CStr) -> io::Result<Vec<u8>> {
        dispatch!(self, directory => directory.xattrs(name))
    }

    /// What holds for its file system.
    pub fn facts(&self) -> Facts {
        dispatch!(self, directory => directory.facts())
    }

    /// What its file system holds and has left.
    ///
    /// # Errors
    /// Those of the system; `Unsupported` in memory.
    pub fn capacity(&self) -> io::Result<Capacity> {
        match self {
            Self::Native(directory) => directory.capacity(),
            Self::Portable(directory) => directory.capacity(),
            Self::Memory(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether it lies on disks that rotate, as far as that is known: reading them in the order
    /// of inodes, and nothing else meanwhile, is many times faster than otherwise.
    pub(crate) fn rotates(&self) -> bool {
        match self {
            Self::Native(directory) => directory.rotates(),
            Self::Portable(_) | Self::Memory(_) => false,
        }
    }

    /// How it is found out what files of its file system take of the disk.
    pub(crate) fn extents(&self) -> ExtentSource {
        match self {
            Self::Native(directory) => directory.extents(),
            Self::Portable(_) => live::no_extents(),
            Self::Memory(_) => ExtentSource::Blocks,
        }
    }

    /// What goes from the disk when what is in it is deleted.
    pub(crate) fn upper(&self) -> UpperSource {
        match self {
            Self::Native(directory) => directory.upper(),
            Self::Portable(_) | Self::Memory(_) => UpperSource::All,
        }
    }

    /// A number that stands for its file system among others, where the system has
    /// one: of ext4, btrfs and others it stays from mount to mount.
    pub(crate) fn file_system(&self) -> Option<u64> {
        match self {
            Self::Native(directory) => directory.file_system(),
            Self::Portable(_) | Self::Memory(_) => None,
        }
    }

    /// The same directory; files below it have identities ([`Stat::identity`])
    /// that tell them apart and are in its file system, on overlayfs too, whose
    /// layers have devices and numbers of their own.
    fn with_layers(self) -> Self {
        match self {
            Self::Native(directory) => Self::Native(directory.with_layers()),
            other => other,
        }
    }

    /// Whether the inode number that `stat` says of an entry stands for the one
    /// that the directory itself says, which is that of a layer on overlayfs.
    pub(crate) fn agrees(&self, entry: u64, stat: &Stat) -> bool {
        match self {
            Self::Native(directory) => directory.agrees(entry, stat),
            _ => entry == stat.ino,
        }
    }

    /// A path that leads to this very directory for as long as it is open, for
    /// what must be given a path; `None` where there is none (without /proc).
    pub(crate) fn path_by_descriptor(&self) -> Option<PathBuf> {
        match self {
            Self::Native(directory) => directory.path_by_descriptor(),
            _ => None,
        }
    }

    /// Opens a directory in this one; never through a symlink.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open_directory(&self, name: &CStr) -> io::Result<Self> {
        match self {
            Self::Native(directory) => directory.open_directory(name).map(Self::Native),
            Self::Portable(directory) => directory.open_directory(name).map(Self::Portable),
            Self::Memory(directory) => directory.open_directory(name).map(Self::Memory),
        }
    }

    /// Opens a directory in this one only to go on to what is in it: for that
    /// it need not be readable. [`Directory::read`] fails on it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn pass_directory(&self, name: &CStr) -> io::Result<Self> {
        match self {
            Self::Native(directory) => directory.pass_directory(name).map(Self::Native),
            other => other.open_directory(name),
        }
    }

    /// [`Directory::pass_directory`] over several names with `/` between them; none
    /// lead to this directory itself.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn pass_path(&self, path: &[u8]) -> io::Result<Self> {
        if let Self::Native(directory) = self
            && let Some(opened) = directory.pass_path(path)
        {
            return opened.map(Self::Native);
        }
        let mut at = self.pass_directory(c".")?;
        for name in path.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
            at = at.pass_directory(&CString::new(name)?)?;
        }
        Ok(at)
    }

    /// The directory that what has such a name is in, and its last name there.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn pass_to(&self, path: &[u8]) -> io::Result<(Self, CString)> {
        let at = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
        Ok((self.pass_path(&path[..at])?, CString::new(&path[at..])?))
    }

    /// Opens a regular file of this directory that `stat` showed to be one.
    /// Anything else that took its place meanwhile is an error, and is not
    /// waited for: not a FIFO, device or symlink.
    ///
    /// # Errors
    /// Those of the system, and `InvalidInput` for anything but a regular file.
    pub fn open_file(&self, name: &CStr) -> io::Result<RegularFile> {
        match self {
            Self::Native(directory) => directory.open_file(name).map(RegularFile::os),
            Self::Portable(directory) => directory.open_file(name).map(RegularFile::os),
            Self::Memory(directory) => directory.open_file(name).map(RegularFile::memory),
        }
    }

    /// Reads the beginning of a regular file of this directory, `expected` bytes or
    /// what room there is beyond, in as few calls as can be: the file is not asked
    /// again what it is. How many bytes were read. `expected` and no more, where there
    /// was room for more, means that the file has that size still. What took its place
    /// meanwhile is not waited for.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn read_file(
        &self,
        name: &CStr,
        expected: usize,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let mut file: Box<dyn Read> = match self {
            Self::Native(directory) => {
                return read_to(&mut directory.open_known_file(name)?, expected, buffer);
            }
            Self::Portable(directory) => Box::new(directory.open_file(name)?.0),
            Self::Memory(directory) => Box::new(directory.open_file(name)?.0),
        };
        read_to(&mut file, expected, buffer)
    }

    /// Whether this process may read an entry: asked without opening it, since
    /// closing a file drops the locks that the process holds on it.
    ///
    /// # Errors
    /// `PermissionDenied` if not, and those of the system.
    pub(crate) fn may_read(&self, name: &CStr) -> io::Result<()> {
        dispatch!(self, directory => directory.may_read(name))
    }

    /// Whether an entry is one that its file system compresses, or does not say so.
    pub(crate) fn may_be_compressed(&self, name: &CStr) -> bool {
        match self {
            Self::Native(directory) => directory.may_be_compressed(name),
            Self::Portable(_) | Self::Memory(_) => true,
        }
    }

    /// Opens a regular file of this directory of which nothing is known. What
    /// is not a regular file is not opened at all: opening a device can have
    /// effects.
    ///
    /// # Errors
    /// As [`Directory::open_file`].
    pub(crate) fn open_unknown_file(&self, name: &CStr) -> io::Result<RegularFile> {
        match self {
            Self::Native(directory) => directory.open_unknown_file(name).map(RegularFile::os),
            Self::Portable(directory) => directory.open_unknown_file(name).map(RegularFile::os),
            Self::Memory(directory) => directory.open_file(name).map(RegularFile::memory),
        }
    }
}

/// What opening anything but a regular file says.
fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

/// An open regular file.
#[derive(Debug)]
pub struct RegularFile {
    contents: Contents,
    stat: Stat,
}

#[derive(Debug)]
enum Contents {
    /// A file of this machine.
    Os(std::fs::File),
    /// In memory.
    Memory(memory::Contents),
}

impl RegularFile {
    fn os((file, stat): (std::fs::File, Stat)) -> Self {
        Self { contents: Contents::Os(file), stat }
    }

    fn memory((contents, stat): (memory::Contents, Stat)) -> Self {
        Self { contents: Contents::Memory(contents), stat }
    }

    /// What `stat` said of it when it was opened.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// Whether it changed since it was opened, as far as that can be told.
    pub(crate) fn has_changed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Contents::Os(file) = &self.contents else { return false };
        file.metadata().is_ok_and(|now| {
            let times = (now.mtime(), now.mtime_nsec(), now.ctime(), now.ctime_nsec());
            let Stat { mtime, mtime_nsec, ctime, ctime_nsec, .. } = self.stat;
            (now.size(), now.blocks().saturating_mul(512)) != (self.stat.size, self.stat.disk_size)
                || times != (mtime, mtime_nsec.into(), ctime, ctime_nsec.into())
        })
    }

    /// Reads from an offset, as many bytes as one read gives; 0 at the end.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.contents {
            Contents::Os(file) => std::os::unix::fs::FileExt::read_at(file, buffer, offset),
            Contents::Memory(contents) => Ok(contents.read_at(buffer, offset)),
        }
    }

    /// Goes on reading, but never waits for a disk: as many bytes as are in memory already. `None`
    /// where none are or nobody can tell; then [`Read::read`] has them, or says what is wrong.
    pub(crate) fn read_now(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match &mut self.contents {
            Contents::Os(file) => native::read_now(file, buffer),
            Contents::Memory(contents) => contents.read(buffer).ok(),
        }
    }

    /// Fills the buffer from an offset, as far as the file goes; how many bytes
    /// that were.
    ///
    /// # Errors
    /// Those of the system.
    pub fn fill_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// All of it, if that is at most `longest` bytes.
    ///
    /// # Errors
    /// Those of the system, and `FileTooLarge` beyond `longest`.
    pub fn read_all(self, longest: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > longest {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    /// The names of its extended attributes, each followed by a NUL.
    ///
    /// # Errors
    /// Those of the system; `Unsupported` where the file system has none.
    pub fn xattrs(&self) -> io::Result<Vec<u8>> {
        match &self.contents {
            Contents::Os(file) => live::open_file_xattrs(file),
            Contents::Memory(contents) => Ok(contents.xattrs()),
        }
    }

    /// How it is compressed on f2fs, which allocates in blocks of that size; `None` if nothing of
    /// it is.
    ///
    /// # Errors
    /// Those of the system, `Unsupported` where there is no such call, and `InvalidData`
    /// for what no file has.
    pub(crate) fn compressed(&self, block_size: u64) -> io::Result<Option<Compressed>> {
        match &self.contents {
            Contents::Os(file) => native::compressed(file, &self.stat, block_size),
            Contents::Memory(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Shows the ranges of it that are mapped to the disk, in their order.
    ///
    /// # Errors
    /// Those of the system, `Unsupported` where there is no such call, and `InvalidData`
    /// for what no file has.
    pub(crate) fn mapped(&self, each: &mut dyn FnMut(Mapped)) -> io::Result<()> {
        match &self.contents {
            Contents::Os(file) => native::mapped(file, each),
            Contents::Memory(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Read for RegularFile {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.contents {
            Contents::Os(file) => file.read(buffer),
            Contents::Memory(contents) => contents.read(buffer),
        }
    }
}

/// Reads until `expected` bytes are there, or the end of the file.
fn read_to(file: &mut impl Read, expected: usize, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < expected {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
