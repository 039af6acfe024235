//! How much is to come free.

use crate::census::Census;
use crate::disk::Space;
use crate::warning::{WarningKind, Warnings};

/// How much is to come free, beyond what is free already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What is to come free.
    pub measure: Measure,
    /// How much of it.
    pub amount: u64,
}

impl Need {
    /// Warns, once, where bytes are judged by blocks, as what really comes free is not known;
    /// not where nobody wanted to know.
    pub fn warn_of_blocks(&self, census: &Census, warnings: &mut Warnings) {
        if self.measure != Measure::Disk || !census.asks_physical() {
            return;
        }
        let Some(why) = census.freed_unknown() else { return };
        let message = format!(
            "what comes free is judged by blocks: what the file system really frees is not known \
             ({why})"
        );
        if !warnings.iter().any(|warning| warning.message == message) {
            warnings.push(WarningKind::Unchecked, census.catalog.store_dir(), message);
        }
    }
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
