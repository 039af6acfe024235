//! What of a directory lies in the upper layer of an overlay: that alone goes from the disk
//! when it is deleted. What is in lower layers stays, and is hidden.

use std::collections::{HashMap, HashSet};

/// What goes from the disk when what is in a directory is deleted.
pub(crate) enum UpperSource {
    /// All of it: it is on no overlay.
    All,
    /// What is in the upper layer.
    Files(UpperFiles),
    /// That is not known, for this reason.
    Unknown(String),
}

/// What of a directory lies in the upper layer.
#[derive(Debug, Default)]
pub(crate) struct UpperFiles {
    /// Entries of the directory, by name, of which it has something.
    pub(crate) entries: HashMap<Vec<u8>, InUpper>,
    /// Other entries that the directory shows, by name, of which it has nothing.
    pub(crate) nothing: HashSet<Vec<u8>>,
    /// Whether it has all that the directory shows.
    pub(crate) all: bool,
    /// Whether no lower layer has anything by the names that the directory shows, so that
    /// nothing was copied up.
    pub(crate) alone: bool,
    /// Whether blocks say what its files take on its file system.
    pub(crate) blocks: bool,
}

/// What it has of an entry.
#[derive(Debug)]
pub(crate) enum InUpper {
    /// All of it.
    All,
    /// These files and directories of it.
    Some(Vec<UpperFile>),
}

/// A file in the upper layer, as the overlay shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpperFile {
    /// Its number.
    pub(crate) ino: u64,
    /// Its blocks, in bytes.
    pub(crate) disk_size: u64,
}
