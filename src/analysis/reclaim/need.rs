//! How much is to come free.

use crate::disk::Space;

/// How much is to come free, beyond what is free already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What is to come free.
    pub measure: Measure,
    /// How much of it.
    pub amount: u64,
}

/// What is to come free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Extents in bytes, where it is known which go; else blocks.
    Disk,
    /// Inodes.
    Inodes,
}

impl Measure {
    /// Its stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk_size",
            Self::Inodes => "inodes",
        }
    }

    /// How much of it.
    pub fn of(self, space: Space) -> u64 {
        match self {
            Self::Disk => space.physical_size,
            Self::Inodes => space.inodes,
        }
    }
}
