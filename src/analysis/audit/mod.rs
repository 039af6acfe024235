//! Checks the store for damage. Its findings are reported; nothing is ever repaired.
//!
//! | file | level | looks at |
//! |---|---|---|
//! | `database` | always | rows, references, content addresses against names, `PRAGMA integrity_check` |
//! | `sizes` | always | what `stat` says of every file; entries that no row knows; `.links` |
//! | `contents` | `contents` | NAR hashes, `.links` names, content addresses, all extended attributes |
//! | `victims` | always | files linked to a corrupt entry of `.links` |
//! | `references` | `references` | references found in contents against those declared |
//! | `signatures` | `signatures` | ed25519 signatures against given keys |
//!
//! Nix's own check (`nix-store --verify --check-contents`, `verifyStore` in
//! `local-store.cc`) covers missing paths, `.links` and NAR hashes; it removes
//! rows as it goes.

mod ahead;
mod database;
mod hashes;
mod references;
mod signatures;
mod sizes;
#[cfg(test)]
mod tests;
mod victims;

pub use signatures::{KeyError, PublicKey};

use crate::answer::{self, Cell, Document, Field, Head, Section};
use crate::arrange::Arrange as _;
use crate::catalog::{Catalog, DatabaseFile, PathId, Source};
use crate::disk::{DiskError, Progress};
use crate::fs::StoreFiles;
use crate::roots::Settings;
use crate::threads;
use crate::warning::{WarningKind, Warnings};
use std::path::Path;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Something is not what the database promises.
    Error,
    /// Something is not as Nix leaves it.
    Warning,
    /// Something that takes space or deserves a look.
    Note,
}

impl Severity {
    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident, $name:literal, $severity:ident, $hint:literal;)*) => {
        /// What sort of thing was found. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl FindingKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The stable name, as JSON has it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$kind => Severity::$severity),* }
            }

            /// What can be done about it.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$kind => $hint),* }
            }
        }
    };
}

kinds! {
    /// SQLite finds the database corrupt.
    Database, "database", Error,
        "restore the database from a backup, or dump what can be read and load it anew";
    /// The schema is not one that is known.
    Schema, "schema", Warning, "look with the Nix that wrote it";
    /// The schema's number does not fit the columns of the tables.
    SchemaMismatch, "schema_mismatch", Error,
        "a migration was cut off: restore the database from a backup, or dump what can be read and load it anew";
    /// A row that is not a store path of this store, or says what no row can.
    OddRow, "odd_row", Error,
        "Nix fails at such a row: look at it with sqlite3, and at what refers to it";
    /// A reference leads to no valid path.
    DanglingReference, "dangling_reference", Error,
        "the referrer lacks something that it was built with: build or fetch it again";
    /// A content address that cannot be read.
    OddContentAddress, "odd_content_address", Warning, "no Nix writes such a content address";
    /// The path that follows from the content address has another hash part.
    ContentAddressName, "content_address_name", Error,
        "the claim is false: do not trust the path without its signatures";
    /// The database has no NAR hash, so the contents cannot be checked.
    UnknownHash, "unknown_hash", Warning,
        "nix-store --repair-path fetches or builds it again; nix-store --verify --check-contents records the hash of what is there now";
    /// The database has no NAR size, so it cannot be checked.
    UnknownSize, "unknown_size", Warning, "nix-store --verify --check-contents records it";
    /// The file system or the disk is damaged: something cannot be read.
    Damaged, "damaged", Error,
        "check the file system (fsck) and the disk, then nix-store --repair-path";
    /// A valid path is not on disk.
    MissingPath, "missing_path", Error, "nix-store --verify --repair fetches or builds it again";
    /// The NAR size is not that of the database.
    NarSize, "nar_size", Error, "nix-store --repair-path fetches or builds it again";
    /// A file that no NAR can hold.
    UnsupportedFile, "unsupported_file", Error, "nix-store --repair-path";
    /// A file runs with its owner's or group's rights.
    Setuid, "setuid", Error, "no builder can make such a file: find out who did";
    /// Someone may write to the file.
    Writable, "writable", Warning, "chmod a-w, after a look at its contents";
    /// Other permissions than Nix gives.
    Mode, "mode", Warning, "0444 or 0555 for files, 0555 for directories";
    /// Another time of modification than Nix gives.
    Mtime, "mtime", Warning, "someone touched it; --contents shows whether it changed";
    /// Another owner than nearly all files have.
    Owner, "owner", Warning, "chown it to the owner of the store";
    /// An extended attribute, such as a capability or an ACL.
    Xattr, "xattr", Warning, "Nix strips them: find out who set it";
    /// An entry that looks like a store path but is not a valid one.
    Orphan, "orphan", Note, "nix-store --gc deletes it";
    /// A lock file.
    Lock, "lock", Note, "left by a build that was interrupted; nix-store --gc deletes it";
    /// What a build or an optimisation left unfinished.
    Temporary, "temporary", Note, "left by a build that was interrupted; nix-store --gc deletes it";
    /// What a garbage collection was about to delete.
    Trash, "trash", Note, "nix-store --gc goes on with it";
    /// An entry of another sort.
    UnknownEntry, "unknown_entry", Note, "nothing that Nix makes";
    /// An entry of `.links` that nothing uses.
    UnusedLink, "unused_link", Note, "nix-store --gc deletes it";
    /// An entry of `.links` that is not a link, or empty where its name says otherwise.
    CorruptLink, "corrupt_link", Error, "nix-store --optimise replaces it; files linked to it are broken too";
    /// The NAR hash is not that of the database.
    NarHash, "nar_hash", Error, "nix-store --repair-path fetches or builds it again";
    /// The contents are not those of the content address.
    ContentAddress, "content_address", Error, "nix-store --repair-path";
    /// The contents of an entry of `.links` are not those of its name.
    LinkHash, "link_hash", Error, "nix-store --verify --check-contents --repair replaces it";
    /// A file is linked to an entry of `.links` whose contents are not those of its name.
    LinkedToCorrupt, "linked_to_corrupt", Error,
        "nix-store --verify --check-contents --repair fetches or builds its path again";
    /// A path holds the name of another one without a reference to it.
    UndeclaredReference, "undeclared_reference", Warning,
        "a garbage collection may delete what it needs";
    /// A reference that nothing in the path holds.
    UnusedReference, "unused_reference", Note, "it keeps more alive than needed";
    /// A signature by a known key does not fit.
    BadSignature, "bad_signature", Error, "the path or its row was changed after it was signed";
    /// No known key has signed the path, and it was not built here.
    Unsigned, "unsigned", Warning, "name its key with --signatures, or copy the path again from a cache you trust";
}

impl FindingKind {
    /// What could not be checked because of a finding of this kind.
    fn hinders(self) -> &'static [Self] {
        match self {
            Self::UnknownHash => &[Self::NarHash, Self::BadSignature],
            Self::UnknownSize => &[Self::NarSize, Self::BadSignature],
            _ => &[],
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.name() == name)
    }
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, path or row, as bytes.
    pub path: Vec<u8>,
    /// What sort of thing.
    pub kind: FindingKind,
    /// What should be there; empty where nothing was to be expected.
    pub expected: String,
    /// What is there; empty for nothing.
    pub found: String,
}

impl Finding {
    fn new(
        kind: FindingKind,
        path: impl Into<Vec<u8>>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { kind, path: path.into(), expected: expected.into(), found: found.into() }
    }
}

/// What to audit.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    /// Whether to read the contents of all files and hash them.
    pub contents: bool,
    /// Whether to search the contents of all files for references.
    pub references: bool,
    /// The keys to check signatures against, if signatures are to be checked.
    pub signatures: Option<Vec<PublicKey>>,
    /// Whether the disk is looked at at all.
    pub disk: bool,
    /// The kinds to look for; all if empty.
    pub only: Vec<FindingKind>,
    /// Kinds not to look for.
    pub except: Vec<FindingKind>,
    /// How many threads.
    pub threads: Option<usize>,
    /// What Nix does to every path before it hashes and registers it.
    pub canonical: Canonical,
}

/// The settings of Nix that decide what a path looks like on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// `use-case-hack`: `name~nix~case~hack~N` stands for `name`.
    pub use_case_hack: bool,
    /// `ignored-acls`: the extended attributes that Nix leaves alone.
    pub ignored_acls: Vec<String>,
}

impl Default for Canonical {
    /// Nix's defaults on Linux.
    fn default() -> Self {
        let Settings { use_case_hack, ignored_acls, .. } = Settings::default();
        Self { use_case_hack, ignored_acls }
    }
}

impl Canonical {
    /// Of names of extended attributes, each followed by a NUL, those that Nix
    /// would have stripped.
    fn odd_xattrs(&self, names: &[u8]) -> Option<String> {
        // A later Nix marks optimised paths so (NixOS/nix#16458).
        let ignored = |name: &[u8]| {
            name == b"trusted.nix.optimised"
                || self.ignored_acls.iter().any(|acl| acl.as_bytes() == name)
        };
        let odd: Vec<String> = (names.split(|&b| b == 0))
            .filter(|name| !name.is_empty() && !ignored(name))
            .map(|name| name.escape_ascii().to_string())
            .collect();
        (!odd.is_empty()).then(|| odd.join(" "))
    }
}

impl AuditOptions {
    fn wants(&self, kind: FindingKind) -> bool {
        // A check that was asked for and could not be made is reported.
        let asked = |asked: &FindingKind| *asked == kind || kind.hinders().contains(asked);
        (self.only.is_empty() || self.only.iter().any(asked)) && !self.except.contains(&kind)
    }

    fn wants_any(&self, kinds: &[FindingKind]) -> bool {
        kinds.iter().any(|&kind| self.wants(kind))
    }
}

/// How much was looked at; sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Valid paths.
    pub paths: u64,
    /// Files, directories and symlinks examined or known, `.links` included.
    pub entries: u64,
    /// Entries of `.links`.
    pub links: u64,
    /// NAR hashes compared.
    pub nar_hashes: u64,
    /// Paths whose hash the database does not know.
    pub unknown_hashes: u64,
    /// Bytes hashed.
    pub bytes_hashed: u64,
    /// Paths searched for references.
    pub references: u64,
    /// Bytes searched for references.
    pub bytes_searched: u64,
    /// Signatures verified with success.
    pub signatures: u64,
    /// Whether SQLite checked the database's integrity.
    pub database: bool,
}

/// What an audit found.
#[derive(Debug)]
pub struct Audit {
    /// The findings, by path and kind.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub checked: Checked,
    /// What could not be read, and so not be checked.
    pub warnings: Warnings,
    store_dir: String,
}

/// What is audited: the parts of an audit share it.
struct Subject<'a> {
    catalog: &'a Catalog,
    /// The ids of the paths, ascending.
    ids: Vec<PathId>,
    /// Whether the whole store is audited, not the closure of targets.
    whole: bool,
    source: &'a Source,
    options: &'a AuditOptions,
    progress: &'a Progress,
}

/// What a part of an audit gathered.
#[derive(Debug, Default)]
struct Gathered {
    findings: Vec<Finding>,
    checked: Checked,
    warnings: Warnings,
}

impl Gathered {
    /// What cannot be read since the file system is damaged is a finding.
    fn tell_damage(&mut self, subject: &Subject<'_>, store: Option<&Path>) {
        if !subject.options.wants(FindingKind::Damaged) {
            return;
        }
        let (damaged, rest) =
            std::mem::take(&mut self.warnings).split(|kind| kind == WarningKind::Damaged);
        self.warnings = rest;
        for warning in damaged {
            let below = store
                .and_then(|store| warning.path.strip_prefix(store.as_os_str().as_encoded_bytes()));
            let path = match below {
                Some(below) => [subject.catalog.store_dir().as_bytes(), below].concat(),
                None => warning.path,
            };
            self.findings.push(Finding::new(FindingKind::Damaged, path, "", warning.message));
        }
    }

    fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.warnings.extend(other.warnings);
        let (c, o) = (&mut self.checked, other.checked);
        c.paths += o.paths;
        c.entries += o.entries;
        c.links += o.links;
        c.nar_hashes += o.nar_hashes;
        c.unknown_hashes += o.unknown_hashes;
        c.bytes_hashed += o.bytes_hashed;
        c.references += o.references;
        c.bytes_searched += o.bytes_searched;
        c.signatures += o.signatures;
        c.database |= o.database;
    }
}

impl Audit {
    /// Audits the paths of those ids, or all if `None`: what the catalog says,
    /// and as the options say, what `files` hold. `database` is checked whole
    /// if it is where the catalog came from.
    ///
    /// # Errors
    /// If the store directory cannot be read. What cannot be read below it
    /// becomes a warning.
    pub fn run(
        database: &DatabaseFile,
        files: Option<&StoreFiles>,
        source: &Source,
        mut catalog: Catalog,
        ids: Option<Vec<PathId>>,
        options: &AuditOptions,
        progress: &Progress,
    ) -> Result<Self, DiskError> {
        let warnings = std::mem::take(&mut catalog.warnings);
        let subject = Subject {
            catalog: &catalog,
            whole: ids.is_none(),
            source,
            ids: ids.unwrap_or_else(|| catalog.ids().collect()),
            options,
            progress,
        };
        let mut all = database::rows(&subject, warnings);
        all.checked.paths = subject.ids.len() as u64;
        // The database is checked beside the walk: mostly one is waited for.
        let (integrity, walked) = std::thread::scope(|scope| {
            let check = subject.whole
                && *source == Source::Database
                && options.wants(FindingKind::Database);
            let work = || database::integrity(database);
            let thread = check.then(|| threads::start(scope, work)).flatten();
            let walked = files.map(|files| read(&subject, files));
            let integrity = match thread {
                Some(thread) => Some(database::checked(database.path(), thread.join())),
                // Where no thread can be started, one after the other.
                None => check.then(work),
            };
            (integrity, walked)
        });
        all.extend(integrity.unwrap_or_default());
        if let Some(walked) = walked {
            all.extend(walked?);
        }
        if let Some(files) = files {
            if subject.whole && options.disk {
                let victims = victims::find(&subject, files, &all.findings)?;
                all.extend(victims);
            }
            if options.references {
                all.extend(references::check(&subject, files)?);
            }
        }
        if let Some(keys) = &options.signatures {
            all.extend(signatures::check(&subject, keys));
        }
        all.tell_damage(&subject, files.map(StoreFiles::path));
        let Gathered { mut findings, checked, mut warnings } = all;
        findings.retain(|f| options.wants(f.kind));
        findings.arrange();
        findings.dedup();
        warnings.sort();
        let store_dir = catalog.store_dir().to_owned();
        Ok(Self { findings, checked, warnings, store_dir })
    }

    /// For printing.
    pub fn document(&self) -> Document<'_> {
        fn some(text: &str) -> Option<&str> {
            (!text.is_empty()).then_some(text)
        }
        let findings = self.findings.iter().map(|f| answer::Finding {
            kind: f.kind.name(),
            severity: f.kind.severity().name(),
            path: f.path.as_slice().into(),
            expected: some(&f.expected),
            found: some(&f.found),
            hint: f.kind.hint(),
        });
        let mut sections = Vec::new();
        let title = match self.findings.len() {
            0 => "no findings".to_owned(),
            1 => "1 finding".to_owned(),
            n => format!("{n} findings"),
        };
        sections.push(Section::Findings { title, findings: Box::new(findings) });
        let mut kinds: Vec<FindingKind> = self.findings.iter().map(|f| f.kind).collect();
        kinds.arrange();
        kinds.dedup();
        if !kinds.is_empty() {
            let hints = kinds.iter().map(|k| format!("{}: {}", k.name(), k.hint()));
            sections.push(Section::Note(hints.collect::<Vec<_>>().join("\n")));
        }
        let c = &self.checked;
        let count = |key, label: &'static str, n: u64| match n {
            0 => Field::hidden(key, Cell::Count(n)),
            n => Field::new(key, label, Cell::Count(n)),
        };
        let size = |key, label: &'static str, n: u64| match n {
            0 => Field::hidden(key, Cell::Size(n)),
            n => Field::new(key, label, Cell::Size(n)),
        };
        sections.push(Section::Fields {
            key: Some("checked"),
            title: "checked".to_owned(),
            fields: vec![
                Field::new("paths", "valid paths", Cell::Count(c.paths)),
                count("entries", "files, directories, symlinks", c.entries),
                count("links", "entries of .links", c.links),
                count("nar_hashes", "NAR hashes", c.nar_hashes),
                count("unknown_hashes", "paths without a known hash", c.unknown_hashes),
                size("bytes_hashed", "hashed", c.bytes_hashed),
                count("references", "paths searched for references", c.references),
                size("bytes_searched", "searched", c.bytes_searched),
                count("signatures", "good signatures", c.signatures),
                Field::new("database", "integrity of the database checked", Cell::Bool(c.database)),
            ],
        });
        let head = Head { store_dir: &self.store_dir, warnings: &self.warnings };
        Document::new(head, sections, Section::FINDINGS)
    }
}

/// Hashes contents and looks at what `stat` says, as the options say: where both are
/// wanted, both in one walk.
fn read(subject: &Subject<'_>, files: &StoreFiles) -> Result<Gathered, DiskError> {
    let (mut gathered, mut checked) = (Gathered::default(), Vec::new());
    if subject.options.contents {
        (gathered, checked) = hashes::check(subject, files)?;
    }
    if subject.options.disk {
        gathered.extend(sizes::check(subject, files, &checked)?);
    }
    Ok(gathered)
}

/// Turns warnings of some kinds into findings: an audit reports them as such.
fn take_findings(
    warnings: Warnings,
    kind_of: impl Fn(WarningKind) -> Option<FindingKind>,
) -> Gathered {
    let mut gathered = Gathered::default();
    let (taken, rest) = warnings.split(|kind| kind_of(kind).is_some());
    gathered.warnings = rest;
    for warning in taken {
        if let Some(kind) = kind_of(warning.kind) {
            gathered.findings.push(Finding::new(kind, warning.path, "", warning.message));
        }
    }
    gathered
}
