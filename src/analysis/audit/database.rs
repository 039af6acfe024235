//! What the database says that cannot be right.

use super::{Finding, Gathered, Kind, Subject, take_findings};
use crate::catalog::{OpenError, open};
use crate::nar::content_address::ContentAddress;
use crate::store::StoreLocation;
use crate::warning::{WarningKind, Warnings};

/// Rows that loading warned of, and content addresses that contradict names.
pub(super) fn rows(subject: &Subject<'_>, warnings: Warnings) -> Gathered {
    let mut gathered = take_findings(warnings, |kind| match kind {
        WarningKind::OddRow => Some(Kind::OddRow),
        WarningKind::DanglingReference => Some(Kind::DanglingReference),
        WarningKind::UnknownSchema => Some(Kind::Schema),
        _ => None,
    });
    if subject.options.wants_any(&[Kind::OddContentAddress, Kind::ContentAddressName]) {
        let found = subject.ids.iter().filter_map(|&id| content_address(subject, id));
        gathered.findings.extend(found);
    }
    gathered
}

fn content_address(subject: &Subject<'_>, id: u32) -> Option<Finding> {
    let catalog = subject.catalog;
    let text = catalog.content_address(id)?;
    let Some(address) = ContentAddress::parse(text) else {
        return Some(Finding::new(Kind::OddContentAddress, catalog.path(id), "", text));
    };
    let references = catalog.references().row(id);
    let others: Vec<String> =
        references.iter().filter(|&&r| r != id).map(|&r| catalog.path(r)).collect();
    let path = catalog.store_path(id);
    let to_self = others.len() < references.len();
    let expected = address.hash_part(catalog.store_dir(), path.name(), &others, to_self)?;
    (expected != path.hash_part()).then(|| {
        let expected = format!("{expected} from {text}");
        Finding::new(Kind::ContentAddressName, catalog.path(id), expected, path.hash_part())
    })
}

/// What SQLite says of the database's structure.
pub(super) fn integrity(location: &StoreLocation) -> Gathered {
    let mut gathered = Gathered::default();
    let name = || location.database.as_os_str().as_encoded_bytes();
    let checked = open::read(&location.database, |connection| {
        let ask = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        ask().map_err(|source| OpenError::Sqlite { path: location.database.clone(), source })
    });
    match checked {
        Ok((lines, _)) => {
            gathered.checked.database = true;
            let bad = lines.into_iter().filter(|line| line != "ok");
            let found = bad.map(|line| Finding::new(Kind::Database, name(), "ok", line));
            gathered.findings.extend(found);
        }
        Err(e) => {
            let source = std::error::Error::source(&e).map(|s| format!(": {s}"));
            let message =
                format!("its integrity was not checked: {e}{}", source.unwrap_or_default());
            gathered.warnings.push(WarningKind::Unreadable, name(), message);
        }
    }
    gathered
}
