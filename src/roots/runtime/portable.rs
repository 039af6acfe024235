//! Systems on which it is not known what processes use: the answer is
//! incomplete.

use super::Finder;
use crate::warning::WarningKind;
use std::collections::HashSet;
use std::io;

/// Warns that processes are not known.
pub(super) fn processes(finder: &mut Finder<'_>) -> Option<HashSet<u32>> {
    let message = "running processes cannot be listed: not known on this system";
    finder.found.warnings.push(WarningKind::Unreadable, finder.store_dir, message);
    None
}

/// Which files are locked is not known either.
///
/// # Errors
/// Always.
pub(in crate::roots) fn locked_inodes() -> io::Result<HashSet<u64>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "locks are not known on this system"))
}
