//! What the database says that cannot be right.

use super::{Finding, FindingKind, Gathered, Subject, take_findings};
use crate::catalog::open::{self, Exceeded};
use crate::catalog::{Catalog, DatabaseFile, OpenError, PathId};
use crate::nar::content_address::ContentAddress;
use crate::warning::{WarningKind, Warnings};
use rusqlite::{Connection, OptionalExtension};
use std::fmt::Display;
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
    let checked = open::read(database, |opened| {
        integrity_check(opened.connection()).or_else(|e| match e {
            // Said of what is damaged or made for it, whatever its reader took.
            e if open::is_limit(&e) => Ok(Integrity::not_to_the_end(Vec::new(), Exceeded)),
            source => Err(OpenError::Sqlite { path: database.path().to_owned(), source }),
        })
    });
    let unchecked = match checked {
        Ok((integrity, _)) => {
            gathered.checked.database = integrity.unchecked.is_none();
            let bad = integrity.lines.into_iter().filter(|line| line != "ok");
            let found = bad.map(|line| Finding::new(FindingKind::Database, name(), "ok", line));
            gathered.findings.extend(found);
            integrity.unchecked
        }
        Err(e) => {
            let source = std::error::Error::source(&e).map(|s| format!(": {s}"));
            Some(format!("its integrity was not checked: {e}{}", source.unwrap_or_default()))
        }
    };
    if let Some(why) = unchecked {
        gathered.warnings.push(WarningKind::Unchecked, name(), why);
    }
    gathered
}

/// What came of a check of a database's integrity.
struct Integrity {
    /// What SQLite says, a line each.
    lines: Vec<String>,
    /// Why not all of it was checked.
    unchecked: Option<String>,
}

impl Integrity {
    fn not_to_the_end(lines: Vec<String>, why: impl Display) -> Self {
        Self { lines, unchecked: Some(format!("its integrity cannot be checked: {why}")) }
    }
}

fn integrity_check(connection: &Connection) -> rusqlite::Result<Integrity> {
    if let Some(program) = program(connection)? {
        let why = format!("that would run code of the database, {program}");
        return Ok(Integrity::not_to_the_end(Vec::new(), why));
    }
    let mut lines = Vec::new();
    let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
    let mut rows = statement.query([])?;
    loop {
        match rows.next() {
            Ok(Some(row)) => lines.push(row.get::<_, String>(0)?),
            Ok(None) => return Ok(Integrity { lines, unchecked: None }),
            // What was found is told.
            Err(e) if open::is_limit(&e) => return Ok(Integrity::not_to_the_end(lines, Exceeded)),
            Err(e) => return Err(e),
        }
        // What follows would read such pages over and over.
        if lines.last().is_some_and(|line| line.contains("reference to page")) {
            let why = "pages of it are used more than once";
            return Ok(Integrity::not_to_the_end(lines, why));
        }
        // What follows would call missing what is on that page.
        if let Some(unread) = lines.last().and_then(|text| text.lines().position(is_unread)) {
            let text = lines.pop().unwrap_or_default();
            // The first line says which database it is.
            if unread > 1 {
                lines.push(text.lines().take(unread).collect::<Vec<_>>().join("\n"));
            }
            let why = text.lines().nth(unread).unwrap_or_default();
            return Ok(Integrity::not_to_the_end(lines, why));
        }
    }
}

/// Whether a line says that the system did not let a page be read (`SQLITE_IOERR` and
/// its kinds) or that there was no memory for it (`SQLITE_NOMEM`): nothing is known of
/// the page. What lies beyond the end of the file is damage.
fn is_unread(line: &str) -> bool {
    const SHORT_READ: u32 = 522;
    let Some((_, code)) = line.split_once("unable to get the page. error code=") else {
        return false;
    };
    code.parse().is_ok_and(|code: u32| code != SHORT_READ && matches!(code & 0xff, 7 | 10))
}

/// What a check of the integrity would have to evaluate: code that is not
/// SQLite's but the database's. Nix's own schema has none. (Of constraints SQLite
/// keeps only the text where a database is opened to be read.)
fn program(connection: &Connection) -> rusqlite::Result<Option<String>> {
    const TABLES: &str = "FROM sqlite_master t";
    let (column, index) = ("pragma_table_xinfo(t.name)", "pragma_index_list(t.name)");
    let sql = format!(
        "SELECT 'the virtual table ' || name FROM sqlite_master
             WHERE type = 'table' AND coalesce(rootpage, 0) < 1
         UNION ALL SELECT 'the generated column ' || c.name {TABLES}, {column} c
             WHERE t.type = 'table' AND c.hidden > 1
         UNION ALL SELECT 'the condition of the index ' || i.name {TABLES}, {index} i
             WHERE t.type = 'table' AND i.partial
         UNION ALL SELECT 'the expression of the index ' || i.name
             {TABLES}, {index} i, pragma_index_xinfo(i.name) x
             WHERE t.type = 'table' AND x.cid = -2
         UNION ALL SELECT 'a CHECK constraint of the table ' || name FROM sqlite_master
             WHERE type = 'table' AND sql LIKE '%check%(%'
         LIMIT 1"
    );
    connection.query_row(&sql, [], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_the_system_gives_are_damaged_and_others_unread() {
        let unread = |code: u32| {
            is_unread(&format!("Tree 5 page 5: unable to get the page. error code={code}"))
        };
        // SQLITE_IOERR_READ, _CORRUPTFS, SQLITE_NOMEM.
        assert!([266, 8458, 7].into_iter().all(unread));
        // SQLITE_IOERR_SHORT_READ, SQLITE_CORRUPT.
        assert!(![522, 11].into_iter().any(unread));
        assert!(!is_unread("Tree 5 page 5: btreeInitPage() returns error code 11"));
    }

    #[test]
    fn what_a_check_would_run_is_found() {
        let found = |sql: &str| {
            // As it is opened: its settings decide what SQLite would do.
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("db.sqlite");
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            let opened = open::open(&DatabaseFile::at(&path).unwrap()).unwrap();
            program(opened.connection()).unwrap()
        };
        let table = "CREATE TABLE t (a TEXT, b INTEGER UNIQUE";
        assert_eq!(found(&format!("{table}); CREATE INDEX i ON t(a, b DESC)")), None);
        for (sql, expected) in [
            (format!("{table}, CHECK (length(a) > 0))"), "a CHECK constraint of the table t"),
            (
                format!("{table}, CHECK (length(hex(zeroblob(b * 0))) = 0))"),
                "a CHECK constraint of the table t",
            ),
            (format!("{table}, c AS (a || b))"), "the generated column c"),
            (format!("{table}, c AS (a || b) STORED)"), "the generated column c"),
            (
                format!("{table}); CREATE INDEX i ON t(a) WHERE b > 1"),
                "the condition of the index i",
            ),
            (format!("{table}); CREATE INDEX i ON t(hex(a))"), "the expression of the index i"),
            // Of a module that this SQLite may not have.
            (
                "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema
                     VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING fts5(x)')"
                    .to_owned(),
                "the virtual table v",
            ),
        ] {
            assert_eq!(found(&sql).as_deref(), Some(expected), "{sql}");
        }
    }
}
