//! What files take of a file system: blocks, extents and inodes.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// Blocks, extents and inodes, each once. Sums that do not fit stop at the largest
/// number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Blocks, in bytes.
    pub disk_size: u64,
    /// Extents, in bytes; blocks where these are all there is to tell, or [all that is
    /// known](super::DiskScan::knows_physical).
    pub physical_size: u64,
    /// How many inodes.
    pub inodes: u64,
}

impl Space {
    /// Blocks of that many bytes, and inodes, where blocks say it all.
    pub fn blocks(disk_size: u64, inodes: u64) -> Self {
        Self { disk_size, physical_size: disk_size, inodes }
    }

    /// One inode with blocks of that many bytes.
    pub fn inode(disk_size: u64) -> Self {
        Self::blocks(disk_size, 1)
    }
}

impl Add for Space {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            disk_size: self.disk_size.saturating_add(other.disk_size),
            physical_size: self.physical_size.saturating_add(other.physical_size),
            inodes: self.inodes.saturating_add(other.inodes),
        }
    }
}

impl AddAssign for Space {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Space {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Self::add)
    }
}
