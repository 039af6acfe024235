//! What a file is: its type, and what `stat` says of it.

/// What type of file an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileType {
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// A symlink. It is never followed below an entry point.
    Symlink,
    /// A FIFO, socket or device, which no NAR can hold.
    Other,
    /// Unknown: the directory did not say, or `stat` failed.
    Unknown,
}

impl FileType {
    /// The type in `st_mode`.
    pub fn from_mode(mode: u32) -> Self {
        rustix::fs::FileType::from_raw_mode(mode as _).into()
    }
}

impl From<rustix::fs::FileType> for FileType {
    fn from(file_type: rustix::fs::FileType) -> Self {
        match file_type {
            rustix::fs::FileType::Directory => Self::Directory,
            rustix::fs::FileType::RegularFile => Self::Regular,
            rustix::fs::FileType::Symlink => Self::Symlink,
            rustix::fs::FileType::Unknown => Self::Unknown,
            _ => Self::Other,
        }
    }
}

/// What `stat` says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The device: with `ino`, the identity of the inode.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// `st_size` in bytes; of a symlink, the length of its target.
    pub size: u64,
    /// Blocks in bytes: `st_blocks` × 512.
    pub disk_size: u64,
    /// Time of last modification, in seconds since 1970.
    pub mtime: i64,
    /// The rest of it, in nanoseconds.
    pub mtime_nsec: u32,
    /// Time of the last change of the inode or, of a directory, of its entries, in
    /// seconds since 1970.
    pub ctime: i64,
    /// The rest of it, in nanoseconds.
    pub ctime_nsec: u32,
    /// The number of names of the inode.
    pub nlink: u32,
    /// `st_mode`: type and permissions.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Stat {
    /// The type of the file.
    pub fn file_type(&self) -> FileType {
        FileType::from_mode(self.mode)
    }

    /// Whether the owner may execute it: what a NAR calls executable.
    pub fn executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// Device and inode number.
    pub fn identity(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// Whether both describe the same inode with the same size and time: the
    /// file was not replaced or written to in between, as far as `stat` shows.
    pub fn same_file(&self, other: &Self) -> bool {
        self.identity() == other.identity()
            && self.size == other.size
            && (self.mtime, self.mtime_nsec) == (other.mtime, other.mtime_nsec)
    }
}

impl From<&std::fs::Metadata> for Stat {
    fn from(found: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            dev: found.dev(),
            ino: found.ino(),
            size: found.size(),
            disk_size: found.blocks().saturating_mul(512),
            mtime: found.mtime(),
            mtime_nsec: u32::try_from(found.mtime_nsec()).unwrap_or(0),
            ctime: found.ctime(),
            ctime_nsec: u32::try_from(found.ctime_nsec()).unwrap_or(0),
            nlink: u32::try_from(found.nlink()).unwrap_or(u32::MAX),
            mode: found.mode(),
            uid: found.uid(),
            gid: found.gid(),
        }
    }
}

/// What a file system holds and has left, as `df` and `df -i` have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Its size in bytes.
    pub size: u64,
    /// What is left of it, in bytes, what is kept for the superuser included.
    pub free: u64,
    /// What is left of it for all users, in bytes.
    pub available: u64,
    /// How many inodes it can hold; `None` if it has no such limit, as btrfs.
    pub inodes: Option<u64>,
    /// How many of those are left; `None` if there is no limit.
    pub free_inodes: Option<u64>,
}

impl From<rustix::fs::StatVfs> for Capacity {
    fn from(found: rustix::fs::StatVfs) -> Self {
        let limit = found.f_files > 0;
        Self {
            size: found.f_blocks.saturating_mul(found.f_frsize),
            free: found.f_bfree.saturating_mul(found.f_frsize),
            available: found.f_bavail.saturating_mul(found.f_frsize),
            inodes: limit.then_some(found.f_files),
            free_inodes: limit.then_some(found.f_ffree),
        }
    }
}

/// What holds for all files of a directory's file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether directories report the inode numbers that `stat` reports. If
    /// not, every entry has to be asked itself.
    /// Not where something may be mounted below: a directory reports the number
    /// of what is covered.
    pub trusted_inodes: bool,
    /// Whether something is mounted below; `None` where that cannot be found
    /// out. On Linux a directory may be mounted a second time, and then has files
    /// with more names than their inodes count.
    pub mounts_below: Option<bool>,
    /// Whether it is overlayfs, which copies a file of a lower layer before it
    /// gives it a name more.
    pub copies_up: bool,
    /// How many names the file system allows an inode, where that is known.
    pub link_limit: Option<u32>,
}
