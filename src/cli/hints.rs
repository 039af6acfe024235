//! What the user can do about an error of the library, which knows no flag.

use super::near::similar;
use crate::catalog::{CatalogError, ImportError, LoadError, OpenError, OtherFormat};
use crate::census::TargetError;
use crate::disk::DiskError;
use crate::fs::ResolveError;
use std::io;

const RUN_AS_ROOT: &str = "run as a user who may read it, such as root";

fn denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// For a name that is none of a path, or of several.
pub(super) fn of_target(error: &TargetError) -> Option<String> {
    Some(match error {
        TargetError::Unknown { near, part, .. } | TargetError::Invalid { near, part, .. } => {
            let outside = "the snapshot holds only a closure: this may be outside of it";
            similar(near).or_else(|| part.then(|| outside.to_owned()))?
        }
        TargetError::NotExamined { near, .. } => similar(near)?,
        TargetError::Ambiguous { .. } => "name one by its hash part".to_owned(),
        TargetError::Pattern { .. } => "`nix-census help targets` explains patterns".to_owned(),
        TargetError::NotAStorePath { .. }
        | TargetError::Outside { .. }
        | TargetError::Resolve { .. } => return None,
    })
}

/// For a catalog that could not be read.
pub(super) fn of_catalog(error: &CatalogError) -> Option<&'static str> {
    match error {
        CatalogError::Open(error) => of_open(error),
        CatalogError::Load { source, .. } => Some(match source {
            LoadError::Schema(_) => "name the store's database with --db or --state-dir",
            LoadError::StoreDirectory { .. } => "name the store directory with --store-dir",
            LoadError::Sqlite(_) | LoadError::Exceeded(_) | LoadError::TooLarge(_) => {
                "--scan reads the store without its database"
            }
        }),
        CatalogError::OtherStore { .. } => Some("name the store directory with --store-dir"),
        CatalogError::Import { source, .. } => of_import(source),
        CatalogError::Scan(_) => None,
    }
}

/// For a database that could not be opened.
fn of_open(error: &OpenError) -> Option<&'static str> {
    Some(match error {
        OpenError::Missing { .. } => {
            "name the store with --root, --state-dir or --db; for an image without a database, \
             --registration, --path-info or --scan"
        }
        OpenError::Unreadable { source, .. } if denied(source) => RUN_AS_ROOT,
        OpenError::OldSchema { .. } => "any Nix since 1.0 upgrades it when it opens the store",
        OpenError::Changed { .. } => {
            "try again while nothing builds, or as a user who may read -shm"
        }
        OpenError::Empty { .. }
        | OpenError::NotAFile { .. }
        | OpenError::NotADatabase { .. }
        | OpenError::NotATable { .. } => "name the store's database with --db or --state-dir",
        OpenError::Damaged { .. }
        | OpenError::Limit { .. }
        | OpenError::Unreadable { .. }
        | OpenError::Sqlite { .. } => "--scan reads the store without its database",
        OpenError::Copy { .. } => {
            "any command of Nix that opens the store ends what was left undone"
        }
    })
}

/// For a registration or the like that could not be read.
fn of_import(error: &ImportError) -> Option<&'static str> {
    match error {
        ImportError::Other { seen, .. } => Some(of_format(*seen)),
        ImportError::StoreDirectory { .. } => Some("name the store directory with --store-dir"),
        ImportError::Io(_) | ImportError::Syntax { .. } | ImportError::TooLarge(_) => None,
    }
}

/// For a file that is something else than it should be.
fn of_format(seen: OtherFormat) -> &'static str {
    match seen {
        OtherFormat::Sqlite => "name it with --db",
        OtherFormat::Compressed(_) => "decompress it first",
        OtherFormat::Nar => "it holds the files of a path, not what is known of it",
        OtherFormat::NarInfo => "nix path-info --json --store CACHE PATH prints it as JSON",
        OtherFormat::NixCacheInfo => "nix path-info --json --store CACHE PATH reads such a cache",
        OtherFormat::Derivation => "nix path-info --json prints what is known of its store path",
        OtherFormat::Json => "--path-info reads what nix path-info --json prints",
        OtherFormat::Empty => "was the command that wrote it successful?",
        OtherFormat::ListOfPaths => "xargs nix path-info --json <FILE prints what is known of them",
        OtherFormat::Registration => "--registration reads it",
        OtherFormat::NotJson => "nix path-info --json writes JSON",
        OtherFormat::NotARegistration => "nix-store --dump-db and closureInfo write registrations",
        OtherFormat::ListOfTexts => "nix path-info --json prints what is known of such paths",
        OtherFormat::DerivationShow => {
            "nix path-info --json prints path infos, also those of derivations"
        }
        OtherFormat::BuildJson => "nix path-info --json prints what is known of the outputs",
    }
}

/// For a disk that could not be walked.
pub(super) fn of_disk(error: &DiskError) -> &'static str {
    match error {
        DiskError::StoreDirectory { source, .. } if denied(source) => {
            "run as a user who may read it, such as root; --no-disk asks the database alone"
        }
        DiskError::StoreDirectory { .. } => {
            "name the store with --root or --store-dir; --no-disk asks the database alone"
        }
        DiskError::Threads(_) => "--threads asks for fewer",
    }
}

/// For a store that was not found by its names.
pub(super) fn of_resolve(error: &ResolveError) -> &'static str {
    match error {
        ResolveError::Io { source, .. } if denied(source) => RUN_AS_ROOT,
        _ => "name the store with --root, --store-dir and --state-dir",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_may_not_be_read_has_a_hint() {
        let source = io::ErrorKind::PermissionDenied.into();
        let error = CatalogError::Open(OpenError::Unreadable { path: "db".into(), source });
        assert_eq!(of_catalog(&error), Some(RUN_AS_ROOT));
    }
}
