//! A tree in memory, for tests: what it holds is said once and never changes.

use super::{DirEntry, Facts, FileType, Stat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, PathBuf};
use std::sync::Arc;

/// What a file in memory is.
#[derive(Clone, Debug)]
pub enum MemoryFile {
    /// A regular file with these bytes.
    Regular {
        /// Its contents.
        contents: Vec<u8>,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symlink with this target.
    Symlink(Vec<u8>),
    /// One more name of the file of that (absolute) name, given before.
    HardLink(PathBuf),
    /// An empty directory.
    Directory,
    /// A FIFO.
    Fifo,
    /// A name that is there, but whatever is asked of it fails with this error
    /// of the system (`EIO` is 5).
    Fails(i32),
}

impl From<&[u8]> for MemoryFile {
    fn from(contents: &[u8]) -> Self {
        Self::Regular { contents: contents.to_vec(), executable: false }
    }
}

impl From<&str> for MemoryFile {
    fn from(contents: &str) -> Self {
        contents.as_bytes().into()
    }
}

/// A tree in memory.
#[derive(Clone, Debug)]
pub struct MemoryTree {
    nodes: Arc<Vec<MemoryInode>>,
}

#[derive(Debug)]
struct MemoryInode {
    stat: Stat,
    /// Of a directory: the one above it.
    parent: usize,
    file: File,
}

#[derive(Debug)]
enum File {
    Directory(BTreeMap<CString, usize>),
    Regular(Arc<Vec<u8>>),
    Symlink(Vec<u8>),
    Fifo,
    Fails(i32),
}

/// A directory of a tree in memory.
#[derive(Clone, Debug)]
pub struct Node {
    tree: MemoryTree,
    at: usize,
}

/// An open file of a tree in memory.
#[derive(Debug)]
pub(super) struct Contents {
    bytes: Arc<Vec<u8>>,
    position: usize,
}

/// Disk sizes are those of a file system of blocks of 4 KiB.
const BLOCK: u64 = 4096;

fn stat(ino: usize, mode: u32, size: u64, disk_size: u64) -> Stat {
    Stat {
        dev: 1,
        ino: ino as u64 + 1,
        size,
        disk_size,
        mtime: 1,
        mtime_nsec: 0,
        ctime: 1,
        ctime_nsec: 0,
        nlink: 1,
        mode,
        uid: 0,
        gid: 0,
    }
}

impl MemoryTree {
    /// Directories on the way are made as needed. A name given twice keeps what
    /// was given last.
    pub(super) fn new(files: impl IntoIterator<Item = (PathBuf, MemoryFile)>) -> Self {
        let mut nodes = vec![directory(0)];
        for (name, file) in files {
            let mut parts: Vec<CString> = name.components().filter_map(normal).collect();
            let Some(last) = parts.pop() else { continue };
            let mut parent = 0;
            for part in parts {
                parent = match child(&nodes, parent, &part) {
                    Some(at) => at,
                    None => put(&mut nodes, parent, part, directory),
                };
            }
            if let MemoryFile::HardLink(other) = &file {
                let mut other = other.components().filter_map(normal);
                let at = other.try_fold(0, |at, part| child(&nodes, at, &part));
                let at = at.expect("a hard link is to a file given before");
                nodes[at].stat.nlink += 1;
                if let File::Directory(entries) = &mut nodes[parent].file {
                    entries.insert(last, at);
                }
            } else {
                put(&mut nodes, parent, last, |ino| inode(ino, file));
            }
        }
        Self { nodes: Arc::new(nodes) }
    }

    pub(super) fn root(&self) -> Node {
        Node { tree: self.clone(), at: 0 }
    }
}

fn normal(component: Component<'_>) -> Option<CString> {
    match component {
        Component::Normal(part) => CString::new(part.as_bytes()).ok(),
        _ => None,
    }
}

fn child(nodes: &[MemoryInode], parent: usize, name: &CStr) -> Option<usize> {
    match &nodes[parent].file {
        File::Directory(entries) => entries.get(name).copied(),
        _ => None,
    }
}

fn put(
    nodes: &mut Vec<MemoryInode>,
    parent: usize,
    name: CString,
    make: impl FnOnce(usize) -> MemoryInode,
) -> usize {
    let at = nodes.len();
    nodes.push(MemoryInode { parent, ..make(at) });
    if let File::Directory(entries) = &mut nodes[parent].file {
        entries.insert(name, at);
    }
    at
}

fn directory(ino: usize) -> MemoryInode {
    MemoryInode {
        parent: 0,
        stat: stat(ino, 0o040_555, BLOCK, BLOCK),
        file: File::Directory(BTreeMap::new()),
    }
}

fn inode(ino: usize, file: MemoryFile) -> MemoryInode {
    match file {
        MemoryFile::Regular { contents, executable } => {
            let mode = if executable { 0o100_555 } else { 0o100_444 };
            let size = contents.len() as u64;
            let stat = stat(ino, mode, size, size.next_multiple_of(BLOCK));
            MemoryInode { parent: 0, stat, file: File::Regular(Arc::new(contents)) }
        }
        MemoryFile::Symlink(target) => {
            let stat = stat(ino, 0o120_777, target.len() as u64, 0);
            MemoryInode { parent: 0, stat, file: File::Symlink(target) }
        }
        MemoryFile::Directory | MemoryFile::HardLink(_) => directory(ino),
        MemoryFile::Fifo => {
            MemoryInode { parent: 0, stat: stat(ino, 0o010_444, 0, 0), file: File::Fifo }
        }
        MemoryFile::Fails(code) => {
            MemoryInode { parent: 0, stat: stat(ino, 0, 0, 0), file: File::Fails(code) }
        }
    }
}

impl Node {
    fn entry(&self, name: &CStr) -> io::Result<(usize, &MemoryInode)> {
        let at = match name.to_bytes() {
            b"" | b"." => Some(self.at),
            b".." => Some(self.tree.nodes[self.at].parent),
            _ => child(&self.tree.nodes, self.at, name),
        };
        let at = at.ok_or(Errno::NOENT)?;
        match self.tree.nodes[at].file {
            File::Fails(code) => Err(io::Error::from_raw_os_error(code)),
            _ => Ok((at, &self.tree.nodes[at])),
        }
    }

    pub(super) fn read(
        &self,
        _: &mut Vec<u8>,
        each: &mut dyn FnMut(DirEntry<'_>),
    ) -> io::Result<()> {
        let File::Directory(entries) = &self.tree.nodes[self.at].file else {
            return Err(Errno::NOTDIR.into());
        };
        for (name, &at) in entries {
            let stat = &self.tree.nodes[at].stat;
            let file_type =
                if stat.mode == 0 { FileType::Unknown } else { FileType::from_mode(stat.mode) };
            each(DirEntry { name, ino: stat.ino, file_type });
        }
        Ok(())
    }

    pub(super) fn stat(&self, name: &CStr) -> io::Result<Stat> {
        Ok(self.entry(name)?.1.stat)
    }

    pub(super) fn read_link(&self, name: &CStr) -> io::Result<Vec<u8>> {
        match &self.entry(name)?.1.file {
            File::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::INVAL.into()),
        }
    }

    pub(super) fn xattrs(&self, name: &CStr) -> io::Result<Vec<u8>> {
        self.entry(name).map(|_| Vec::new())
    }

    pub(super) fn may_read(&self, name: &CStr) -> io::Result<()> {
        self.entry(name).map(|_| ())
    }

    #[allow(clippy::unused_self, reason = "the same call as of other kinds of directory")]
    pub(super) fn facts(&self) -> Facts {
        Facts {
            trusted_inodes: true,
            mounts_below: Some(false),
            copies_up: false,
            link_limit: None,
        }
    }

    pub(super) fn open_directory(&self, name: &CStr) -> io::Result<Self> {
        match self.entry(name)? {
            (at, MemoryInode { file: File::Directory(_), .. }) => {
                Ok(Self { tree: self.tree.clone(), at })
            }
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    pub(super) fn open_file(&self, name: &CStr) -> io::Result<(Contents, Stat)> {
        let inode = self.entry(name)?.1;
        match &inode.file {
            File::Regular(bytes) => {
                Ok((Contents { bytes: Arc::clone(bytes), position: 0 }, inode.stat))
            }
            _ => Err(super::not_regular()),
        }
    }
}

impl Contents {
    #[allow(clippy::unused_self, reason = "the same call as of an open file of this machine")]
    pub(super) fn xattrs(&self) -> Vec<u8> {
        Vec::new()
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let from = usize::try_from(offset).map_or(self.bytes.len(), |at| at.min(self.bytes.len()));
        let length = buffer.len().min(self.bytes.len() - from);
        buffer[..length].copy_from_slice(&self.bytes[from..from + length]);
        length
    }
}

impl io::Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.read_at(buffer, self.position as u64);
        self.position += length;
        Ok(length)
    }
}
