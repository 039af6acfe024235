//! What one path costs on disk.

use super::inodes::Inode;
use super::space::Space;
use crate::fs::FileType;

/// What one path costs; sizes in bytes, each inode counted once within the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The size of its NAR, where each name of an inode counts.
    pub nar_size: u64,
    /// `st_size` of regular files and symlinks.
    pub apparent_size: u64,
    /// Blocks of all entries, directories too.
    pub disk_size: u64,
    /// The part of `apparent_size` whose inodes have no other name anywhere.
    pub private_apparent_size: u64,
    /// The part of `disk_size` whose inodes have no other name anywhere, and
    /// directories. The disk size of a set of paths is the sum of these, and
    /// of its inodes with several names.
    pub private_disk_size: u64,
    /// Inodes of all entries, directories too.
    pub inodes: u64,
    /// Those of them that have no other name anywhere, and directories.
    pub private_inodes: u64,
    /// Names of regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Names of symlinks.
    pub symlinks: u64,
    /// Names of FIFOs, sockets and devices: in `disk_size`, not in the NAR.
    pub unsupported: u64,
    /// Whether the path exists.
    pub present: bool,
    /// Whether all of it could be read. If not, all else here is too little.
    pub complete: bool,
}

impl Usage {
    /// What goes with the path alone: inodes that have no other name anywhere,
    /// and directories.
    pub fn private(&self) -> Space {
        Space::blocks(self.private_disk_size, self.private_inodes)
    }

    /// How many entries it has.
    pub(super) fn entries(&self) -> u64 {
        [self.directories, self.symlinks, self.unsupported]
            .into_iter()
            .fold(self.files, u64::saturating_add)
    }

    /// Counts an inode as one that has its only name in the path.
    pub(super) fn add_single(&mut self, inode: &Inode) {
        self.private_inodes += 1;
        self.private_disk_size = self.private_disk_size.saturating_add(inode.disk_size());
        self.private_apparent_size =
            self.private_apparent_size.saturating_add(inode.apparent_size());
    }

    /// Adds up two parts of one path.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.nar_size, other.nar_size),
            (&mut self.private_apparent_size, other.private_apparent_size),
            (&mut self.private_disk_size, other.private_disk_size),
            (&mut self.private_inodes, other.private_inodes),
            (&mut self.files, other.files),
            (&mut self.directories, other.directories),
            (&mut self.symlinks, other.symlinks),
            (&mut self.unsupported, other.unsupported),
        ] {
            *sum = sum.saturating_add(part);
        }
        self.present |= other.present;
        self.complete &= other.complete;
    }

    /// Counts one more entry of this kind, and its node in the NAR.
    pub(super) fn count(&mut self, file_type: FileType, node: u64) {
        match file_type {
            FileType::Regular => self.files += 1,
            FileType::Directory => self.directories += 1,
            FileType::Symlink => self.symlinks += 1,
            FileType::Other | FileType::Unknown => self.unsupported += 1,
        }
        self.nar_size = self.nar_size.saturating_add(node);
    }
}
