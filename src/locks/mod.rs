//! Which files of this machine processes hold locked. It is not part of what is
//! examined, and nothing is opened or locked to find out.

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
mod linux;
#[cfg(not(all(target_os = "linux", not(nix_census_portable))))]
mod portable;

#[cfg(all(target_os = "linux", not(nix_census_portable)))]
pub(crate) use linux::list;
#[cfg(not(all(target_os = "linux", not(nix_census_portable))))]
pub(crate) use portable::list;

/// A lock that is held, or waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileLock {
    /// The inode of the file. The device is left out: on some file systems
    /// (btrfs) the one listed is not the one that stat reports.
    pub inode: u64,
    /// Whether it is one of `flock`, which Nix uses, and not of `fcntl`, which
    /// SQLite uses.
    pub flock: bool,
    /// Its first and last byte; `None` as the last for the end of the file.
    pub bytes: (u64, Option<u64>),
}
