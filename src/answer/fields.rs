//! What the fields of answers hold.

use super::{Cell, ColumnType};

/// The type of each key that a [`Field`](super::Field) may have: one key is of
/// one type in all answers, as one column is.
const FIELDS: &[(ColumnType, &[&str])] = &[
    (
        ColumnType::Size,
        &[
            "alive_disk_size",
            "alive_nar_size",
            "apparent_freed",
            "apparent_size",
            "available_size",
            "boot_disk_size",
            "bytes_freed",
            "bytes_freed_least",
            "bytes_freed_most",
            "bytes_hashed",
            "bytes_read",
            "bytes_searched",
            "caches_disk_size",
            "copied_disk_size",
            "database_disk_size",
            "database_free_size",
            "deduplication_physical_size",
            "deduplication_unchecked_size",
            "disk_freed",
            "disk_freed_least",
            "disk_freed_most",
            "disk_nar_size",
            "disk_size",
            "disk_size_after",
            "disk_size_before",
            "file_system_size",
            "free_size",
            "freed_physical_size",
            "hard_link_savings",
            "held_physical_size",
            "inline_size",
            "invalid_disk_freed",
            "invalid_disk_size",
            "links_directory_disk_size",
            "links_metadata_size",
            "links_savings",
            "logs_disk_size",
            "nar_size",
            "nar_size_after",
            "nar_size_before",
            "nar_size_by_settings",
            "other_apparent_size",
            "other_disk_size",
            "other_link_savings",
            "other_rule_disk_freed",
            "overstated",
            "paths_disk_freed",
            "physical_size",
            "physical_size_after",
            "physical_size_before",
            "raw_size",
            "referenced_size",
            "store_disk_size",
            "uncompressed_size",
            "unreadable_size",
            "unused_links_disk_freed",
            "unused_links_disk_size",
            "wal_disk_size",
        ],
    ),
    (
        ColumnType::Count,
        &[
            "alive_inodes",
            "alive_paths",
            "at_link_limit",
            "broken",
            "budgets",
            "caches_inodes",
            "derivations",
            "directories",
            "entries",
            "failing_paths",
            "file_system_inodes",
            "files",
            "files_linked",
            "files_linked_least",
            "files_linked_most",
            "free_inodes",
            "groups",
            "hard_linked_names",
            "held_paths",
            "hidden_processes",
            "inodes",
            "inodes_after",
            "inodes_before",
            "inodes_freed",
            "inodes_freed_least",
            "inodes_freed_most",
            "invalid_entries",
            "invalid_inodes",
            "invalid_inodes_freed",
            "keepers",
            "links",
            "links_added",
            "links_entries",
            "links_removed",
            "logs_inodes",
            "nar_hashes",
            "older_than_days",
            "other_linked_names",
            "packages_added",
            "packages_changed",
            "packages_downgraded",
            "packages_rebuilt",
            "packages_removed",
            "packages_upgraded",
            "paths",
            "paths_after",
            "paths_before",
            "paths_by_settings",
            "paths_inodes_freed",
            "references",
            "roots",
            "signatures",
            "stale",
            "store_inodes",
            "symlinks",
            "unknown",
            "unknown_hashes",
            "unread_homes",
            "unreadable",
            "unused_links",
            "writable",
        ],
    ),
    (ColumnType::Time, &["newest_registration", "registered_before"]),
    (ColumnType::Seconds, &["duration"]),
    (
        ColumnType::Bool,
        &[
            "alive",
            "database",
            "deduplication_estimated",
            "enough",
            "keep_derivations",
            "keep_outputs",
            "runtime",
        ],
    ),
    (
        ColumnType::Text,
        &[
            "among",
            "deduplication_checksums",
            "freed_physical_size_is",
            "from",
            "line",
            "measure",
            "nix_version",
            "note",
            "physical_size_is",
            "physical_size_unknown",
            "proof",
            "retained_within",
            "written_by",
        ],
    ),
    (
        ColumnType::Path,
        &["keep_derivations_source", "keep_outputs_source", "path", "profile", "target"],
    ),
    (ColumnType::Paths, &["held", "to", "within"]),
];

/// What fields of that key hold; `None` if no field is called so, or for
/// `needed`, which is bytes or inodes.
pub fn field_type(key: &str) -> Option<ColumnType> {
    FIELDS.iter().find(|(_, keys)| keys.contains(&key)).map(|(holds, _)| *holds)
}

/// Whether a field of that key may have this value.
pub(super) fn fits(key: &str, cell: &Cell<'_>) -> bool {
    // Bytes or inodes, as the field `measure` beside it says.
    if key == "needed" {
        return matches!(cell, Cell::Size(_) | Cell::Count(_));
    }
    field_type(key).is_some_and(|holds| holds.fits(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_type() {
        let mut keys: Vec<_> = FIELDS.iter().flat_map(|(_, keys)| *keys).collect();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert_eq!(field_type("nar_size"), Some(ColumnType::Size));
        assert!(fits("nar_size", &Cell::Missing) && fits("nar_size", &Cell::Size(1)));
        assert!(!fits("nar_size", &Cell::Count(1)) && !fits("no such key", &Cell::Missing));
    }
}
