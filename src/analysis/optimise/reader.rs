//! Reading files of the store, whole or their first bytes.

use std::borrow::Cow;
use std::ffi::CStr;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use super::gathered::{Flags, GatheredTree, NamedLink};
use crate::disk::{Progress, Reading};
use crate::fs::{Directory, RegularFile, StoreFiles};
use crate::graph::Node;
use crate::nar::{FileHasher, hash_symlink, nix32};

/// How many first bytes are compared before the whole is.
pub(super) const PREFIX: u64 = 4096;
/// How much of a file is read at once. Mapping large files instead was measured
/// and gains nothing beside the hashing, counts as memory in use, and turns a
/// read error of a damaged disk into the end of the program.
const BUFFER: usize = 128 * 1024;
/// The size of a page of memory on most machines, in bytes.
const PAGE: usize = 4096;
/// How much of each of two files that are compared, where to go from one to the other takes as
/// long as to read a megabyte.
const BUFFER_OF_TWO: usize = 4 << 20;

pub(super) type Hash = [u8; 32];

/// An inode to be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    pub(super) size: u64,
    /// Of the first bytes, once they were read.
    pub(super) prefix: u64,
    /// The kind; none where `.links` has the hash. Those sort first.
    pub(super) kind: Option<Node>,
    /// The inode, or a link whose hash is known.
    pub(super) index: u32,
}

/// What a thread reads with.
#[derive(Default)]
pub(super) struct ReadBuffers {
    buffer: Vec<u8>,
    pub(super) last: LastDirectory,
    /// The same of the other one of two files.
    other: (Vec<u8>, LastDirectory),
}

/// A directory by its number; none for `.links`.
type LinksOr = Option<u32>;

/// The directory that was opened last: files that lie together on a disk are
/// mostly of one, and opened from there at half the cost.
#[derive(Default)]
pub(super) struct LastDirectory {
    open: Option<(LinksOr, Directory)>,
    /// Its name, or that of a file in it with a NUL after it.
    name: Vec<u8>,
}

/// Reads files of the store, and never what is not as the walk saw it.
pub(super) struct ContentsReader<'a> {
    pub(super) tree: &'a GatheredTree,
    files: &'a StoreFiles,
    pub(super) reading: Reading,
    bytes: AtomicU64,
    pub(super) progress: &'a Progress,
}

impl<'t> ContentsReader<'t> {
    pub(super) fn new(
        tree: &'t GatheredTree,
        files: &'t StoreFiles,
        reading: Reading,
        progress: &'t Progress,
    ) -> Self {
        Self { tree, files, reading, bytes: AtomicU64::new(tree.bytes_read), progress }
    }

    /// How many bytes of files were read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where an inode is found, below the store directory.
    pub(super) fn path(&self, inode: u32, link: Option<&NamedLink>) -> Vec<u8> {
        let mut path = Vec::new();
        if let Some(entry) = self.tree.first_entry[inode as usize] {
            self.tree.name(entry.node(), &mut path);
            return path;
        }
        let find = || self.tree.named_links.iter().find(|link| link.inode == inode);
        if let Some(link) = link.or_else(find) {
            path.extend_from_slice(b".links/");
            path.extend_from_slice(nix32::encode(&link.hash).as_bytes());
        }
        path
    }

    fn link(&self, item: &Item) -> Option<&NamedLink> {
        item.kind.is_none().then(|| &self.tree.named_links[item.index as usize])
    }

    pub(super) fn inode(&self, item: &Item) -> u32 {
        self.link(item).map_or(item.index, |link| link.inode)
    }

    /// The directory to look into for an inode, and its name there.
    pub(super) fn place<'a>(
        &'a self,
        inode: u32,
        link: Option<&NamedLink>,
        last: &'a mut LastDirectory,
    ) -> io::Result<(&'a Directory, &'a CStr)> {
        let (directory, name) = match self.tree.first_entry[inode as usize].map(Node::node) {
            Some(entry) => (Some(self.tree.directory_of(entry)), self.tree.base_name(entry).into()),
            None => {
                let path = self.path(inode, link);
                let at = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
                (None, Cow::Owned(path[at..].to_vec()))
            }
        };
        if directory != Some(0) && last.open.as_ref().is_none_or(|&(open, _)| open != directory) {
            match directory {
                Some(directory) => self.tree.directory_name(directory, &mut last.name),
                None => {
                    last.name.clear();
                    last.name.extend_from_slice(b".links");
                }
            }
            last.open = Some((directory, self.files.directory().pass_path(&last.name)?));
        }
        last.name.clear();
        last.name.extend_from_slice(&name);
        last.name.push(0);
        let name = CStr::from_bytes_with_nul(&last.name).unwrap_or_default();
        Ok(match &last.open {
            Some((_, opened)) if directory != Some(0) => (opened, name),
            _ => (self.files.directory(), name),
        })
    }

    fn open_file(
        &self,
        inode: u32,
        link: Option<&NamedLink>,
        last: &mut LastDirectory,
    ) -> io::Result<RegularFile> {
        let (directory, name) = self.place(inode, link, last)?;
        let file = directory.open_file(name)?;
        let stat = file.stat();
        let same = stat.ino == self.tree.numbers[inode as usize]
            && stat.size == self.tree.layout.inodes[inode as usize].size;
        if same { Ok(file) } else { Err(changed()) }
    }

    pub(super) fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.progress.add_bytes(bytes);
    }

    /// A number for the first bytes: the same for the same bytes.
    pub(super) fn prefix(&self, item: &Item, buffers: &mut ReadBuffers) -> io::Result<u64> {
        let inode = self.inode(item);
        if self.tree.flags[inode as usize].symlink() {
            // A link that is a symlink of a large file's size: nothing agrees.
            return Ok(0);
        }
        let (directory, name) = self.place(inode, self.link(item), &mut buffers.last)?;
        let buffer = room(&mut buffers.buffer, PREFIX as usize);
        // Whether it is still the file that was met shows when it is read whole.
        if directory.read_file(name, buffer.len(), buffer)? < buffer.len() {
            return Err(changed());
        }
        self.count(PREFIX);
        use std::hash::{DefaultHasher, Hasher};
        let mut hasher = DefaultHasher::new();
        hasher.write(buffer);
        Ok(hasher.finish())
    }

    /// Whether two inodes of one size have the same contents; or which of them cannot be
    /// read.
    pub(super) fn equal(
        &self,
        one: u32,
        other: u32,
        buffers: &mut ReadBuffers,
    ) -> Result<bool, Vec<(u32, io::Error)>> {
        let ReadBuffers { buffer, last, other: (other_buffer, other_last) } = buffers;
        let opened = (self.open_file(one, None, last), self.open_file(other, None, other_last));
        let mut both = match opened {
            (Ok(file), Ok(other_file)) => [(one, buffer, file), (other, other_buffer, other_file)],
            (opened, other_opened) => {
                let failed = [(one, opened.err()), (other, other_opened.err())];
                let failed = failed.into_iter().filter_map(|(inode, error)| Some((inode, error?)));
                return Err(failed.collect());
            }
        };
        let mut left = self.tree.layout.inodes[one as usize].size;
        // Most that differ do so at once.
        let mut most = PREFIX;
        let then = if self.reading.in_order { BUFFER_OF_TWO } else { BUFFER };
        while left > 0 {
            let want = left.min(most);
            most = then as u64;
            let mut failed = Vec::new();
            for (inode, buffer, file) in &mut both {
                match file.read_exact(room(buffer, want as usize)) {
                    Ok(()) => self.count(want),
                    Err(error) => failed.push((*inode, shorter(error))),
                }
            }
            if !failed.is_empty() {
                return Err(failed);
            }
            let [(_, buffer, _), (_, other_buffer, _)] = &mut both;
            if room(buffer, want as usize) != room(other_buffer, want as usize) {
                return Ok(false);
            }
            left -= want;
        }
        Ok(true)
    }

    /// What stands for an inode's contents: the SHA-256 of its NAR, or where no
    /// link has such a name, the BLAKE3 of its kind and bytes.
    pub(super) fn hash(
        &self,
        inode: u32,
        link: Option<&NamedLink>,
        buffers: &mut ReadBuffers,
    ) -> io::Result<Hash> {
        let size = self.tree.layout.inodes[inode as usize].size;
        let flags = self.tree.flags[inode as usize];
        if flags.symlink() {
            let (directory, name) = self.place(inode, link, &mut buffers.last)?;
            let hash = hash_target(directory, name, size);
            self.progress.add_bytes(size);
            return hash;
        }
        let nar = !self.tree.named_links.is_empty();
        let nar_hasher = || FileHasher::new(size, flags.executable());
        if size < BUFFER as u64 {
            let (directory, name) = self.place(inode, link, &mut buffers.last)?;
            let contents = read_whole(directory, name, size as usize, &mut buffers.buffer)?;
            self.count(size);
            if !nar {
                return Ok(hash_whole(flags, contents));
            }
            let mut hasher = nar_hasher();
            hasher.update(contents);
            return Ok(hasher.finish());
        }
        let mut hasher = match nar {
            true => ContentsHasher::Nar(nar_hasher()),
            false => ContentsHasher::Blake3(Box::new(blake3::Hasher::new_keyed(&key(flags)))),
        };
        let mut file = self.open_file(inode, link, &mut buffers.last)?;
        let mut left = size;
        let buffer = room(&mut buffers.buffer, BUFFER);
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
            let got = file.read(&mut buffer[..want])?;
            if got == 0 {
                return Err(changed());
            }
            hasher.update(&buffer[..got]);
            self.count(got as u64);
            left -= got as u64;
        }
        Ok(hasher.finish())
    }
}

/// The contents of a file that is expected to have that size; none are read if that is 0.
pub(super) fn read_whole<'b>(
    directory: &Directory,
    name: &CStr,
    size: usize,
    buffer: &'b mut Vec<u8>,
) -> io::Result<&'b [u8]> {
    // With room for a byte more: one read shows whether the size is still that.
    let buffer = room(buffer, size + 1);
    if size > 0 && directory.read_file(name, size, buffer)? != size {
        return Err(changed());
    }
    Ok(&buffer[..size])
}

/// What stands for a symlink whose target is expected to have that length.
pub(super) fn hash_target(directory: &Directory, name: &CStr, size: u64) -> io::Result<Hash> {
    let target = directory.read_link(name)?;
    if target.len() as u64 == size { Ok(hash_symlink(&target)) } else { Err(changed()) }
}

/// What stands for such contents where no link has the hash of a NAR as its name.
pub(super) fn hash_whole(flags: Flags, contents: &[u8]) -> Hash {
    blake3::keyed_hash(&key(flags), contents).into()
}

/// The kind as the key: contents stay aligned.
fn key(flags: Flags) -> [u8; blake3::KEY_LEN] {
    [flags.executable().into(); blake3::KEY_LEN]
}

/// So many bytes of a buffer. It only grows: what it would grow by again is zeroed each time.
///
/// They begin with a page, as what is kept of a file in memory does. Where they begin a few
/// bytes after that, as what is allocated does, copying takes half as long again on an AMD
/// EPYC (Zen 4).
fn room(buffer: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    if buffer.len() < bytes + PAGE {
        buffer.resize(bytes + PAGE, 0);
    }
    let start = buffer.as_ptr().align_offset(PAGE).min(PAGE);
    &mut buffer[start..start + bytes]
}

/// Distinguishes the contents of files.
enum ContentsHasher {
    Nar(FileHasher),
    Blake3(Box<blake3::Hasher>),
}

impl ContentsHasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Nar(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    fn finish(self) -> Hash {
        match self {
            Self::Nar(hasher) => hasher.finish(),
            Self::Blake3(hasher) => hasher.finalize().into(),
        }
    }
}

/// The error of a file that ends before its size: it was changed.
fn shorter(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { changed() } else { error }
}

pub(super) fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it was changed while it was examined")
}
