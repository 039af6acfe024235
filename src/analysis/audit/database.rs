//! What the database says that cannot be right.

use super::{Finding, FindingKind, Gathered, Subject, take_findings};
use crate::catalog::{Catalog, DatabaseFile, OpenError, PathId, open};
use crate::nar::content_address::ContentAddress;
use crate::warning::{WarningKind, Warnings};
use std::path::Path;

/// Rows that loading warned of, and content addresses that contradict names.
pub(super) fn rows(subject: &Subject<'_>, warnings: Warnings) -> Gathered {
    let mut gathered = take_findings(warnings, |kind| match kind {
        WarningKind::OddRow => Some(FindingKind::OddRow),
        WarningKind::DanglingReference => Some(FindingKind::DanglingReference),
        WarningKind::UnknownSchema => Some(FindingKind::Schema),
        WarningKind::SchemaMismatch => Some(FindingKind::SchemaMismatch),
        _ => None,
    });
    // Reported for each path below, however many there are.
    gathered.warnings = std::mem::take(&mut gathered.warnings).without(WarningKind::UnknownNarSize);
    if subject.options.wants(FindingKind::UnknownSize) {
        let unknown = subject.ids.iter().filter(|&&id| subject.catalog.nar_size(id).is_none());
        let finding =
            |&id: &PathId| Finding::new(FindingKind::UnknownSize, subject.catalog.path(id), "", "");
        gathered.findings.extend(unknown.map(finding));
    }
    if subject.options.wants_any(&[FindingKind::OddContentAddress, FindingKind::ContentAddressName])
    {
        let found = subject.ids.iter().filter_map(|&id| content_address(subject, id));
        gathered.findings.extend(found);
    }
    gathered
}

fn content_address(subject: &Subject<'_>, id: PathId) -> Option<Finding> {
    let catalog = subject.catalog;
    let text = catalog.content_address(id)?;
    let Some(address) = ContentAddress::parse(text) else {
        return Some(Finding::new(FindingKind::OddContentAddress, catalog.path(id), "", text));
    };
    let path = catalog.store_path(id);
    let expected = match address_hash_part(catalog, id, &address) {
        Some(expected) if expected == path.hash_part() => return None,
        Some(expected) => format!("{expected} from {text}"),
        None => format!("no store path: Nix makes none from {text} and these references"),
    };
    Some(Finding::new(
        FindingKind::ContentAddressName,
        catalog.path(id),
        expected,
        path.hash_part(),
    ))
}

/// The hash part that a path with this content address has; `None` where Nix
/// makes no such path.
fn address_hash_part(catalog: &Catalog, id: PathId, address: &ContentAddress) -> Option<String> {
    let mut others = catalog.reference_paths(id);
    let (references, own) = (others.len(), catalog.path(id));
    others.retain(|reference| *reference != own);
    let to_self = others.len() < references;
    address.hash_part(catalog.store_dir(), catalog.store_path(id).name(), &others, to_self)
}

/// Whether a path's name follows from its content address and references: such
/// a path needs no signature (nix: `ValidPathInfo::isContentAddressed`).
pub(super) fn is_content_addressed(catalog: &Catalog, id: PathId) -> bool {
    let address = catalog.content_address(id).and_then(ContentAddress::parse);
    address.is_some_and(|address| {
        address_hash_part(catalog, id, &address).as_deref()
            == Some(catalog.store_path(id).hash_part())
    })
}

/// What became of the check that ran beside the others.
pub(super) fn checked(database: &Path, joined: std::thread::Result<Gathered>) -> Gathered {
    joined.unwrap_or_else(|_| {
        let mut gathered = Gathered::default();
        let name = database.as_os_str().as_encoded_bytes();
        let message = "its integrity was not checked: the check ended with a panic";
        gathered.warnings.push(WarningKind::Unchecked, name, message);
        gathered
    })
}

/// What SQLite says of the database's structure.
pub(super) fn integrity(database: &DatabaseFile) -> Gathered {
    let mut gathered = Gathered::default();
    let name = || database.path().as_os_str().as_encoded_bytes();
    let checked = open::read(database, |connection| {
        let ask = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        ask().map_err(|source| OpenError::Sqlite { path: database.path().to_owned(), source })
    });
    match checked {
        Ok((lines, _)) => {
            gathered.checked.database = true;
            let bad = lines.into_iter().filter(|line| line != "ok");
            let found = bad.map(|line| Finding::new(FindingKind::Database, name(), "ok", line));
            gathered.findings.extend(found);
        }
        Err(e) => {
            let source = std::error::Error::source(&e).map(|s| format!(": {s}"));
            let message =
                format!("its integrity was not checked: {e}{}", source.unwrap_or_default());
            gathered.warnings.push(WarningKind::Unchecked, name(), message);
        }
    }
    gathered
}
