//! Systems on which it is not known what processes use: the answer is
//! incomplete.

use super::Finder;
use crate::warning::WarningKind;
use std::collections::HashSet;

/// Warns that processes are not known.
pub(super) fn processes(finder: &mut Finder<'_>) -> Option<HashSet<u32>> {
    let message = "running processes cannot be listed: not known on this system";
    finder.found.warnings.push(WarningKind::Unreadable, finder.store_dir, message);
    None
}
