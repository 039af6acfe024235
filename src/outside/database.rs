//! What the database's file holds beside its rows.

use crate::fs::{RegularFile, Tree};
use std::path::{Path, PathBuf};

/// The database's files. Sizes are in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseSpace {
    /// The file's name inside the examined root.
    pub path: PathBuf,
    /// Its length.
    pub size: u64,
    /// Its blocks.
    pub disk_size: u64,
    /// The length of a page.
    pub page_size: u64,
    /// How many pages of it are free: compacting it gives back at least these.
    /// As of the last checkpoint, where there is a write-ahead log.
    pub free_pages: u64,
    /// The blocks of the write-ahead log beside it; 0 if there is none.
    pub wal_disk_size: u64,
    /// The device that it is on.
    pub device: u64,
}

impl DatabaseSpace {
    /// The free pages in bytes.
    pub fn free_size(&self) -> u64 {
        self.free_pages.saturating_mul(self.page_size)
    }
}

/// How many bytes of a database's header are looked at.
const HEADER: usize = 100;

/// Reads the header of the database (SQLite: *Database File Format*, section
/// 1.3). The file is opened and closed, which drops the locks that this process
/// may hold on it: it must not be open otherwise.
pub(super) fn find(tree: &Tree, name: &Path) -> Option<DatabaseSpace> {
    let file = tree.open_file(name).ok()?;
    let (page_size, free_pages) = read_header(&file)?;
    let stat = *file.stat();
    let mut wal = name.as_os_str().to_owned();
    wal.push("-wal");
    let wal = tree.open_file(Path::new(&wal)).map_or(0, |wal| wal.stat().disk_size);
    Some(DatabaseSpace {
        path: name.to_owned(),
        size: stat.size,
        disk_size: stat.disk_size,
        page_size,
        // A file that says otherwise is not to be believed.
        free_pages: free_pages.min(stat.size / page_size),
        wal_disk_size: wal,
        device: stat.dev,
    })
}

/// The length of a page, and how many are free.
fn read_header(file: &RegularFile) -> Option<(u64, u64)> {
    let mut header = [0; HEADER];
    file.fill_at(&mut header, 0).ok().filter(|&read| read == HEADER)?;
    if !header.starts_with(b"SQLite format 3\0") {
        return None;
    }
    let page_size = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        size if size.is_power_of_two() && size >= 512 => size,
        _ => return None,
    };
    let free = u32::from_be_bytes([header[36], header[37], header[38], header[39]]);
    Some((page_size, free.into()))
}
