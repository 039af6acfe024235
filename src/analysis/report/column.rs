//! The columns of a report: key, heading, cell and order of each.

use super::Row;
use crate::analysis::hard_links::copied_disk_size;
use crate::analysis::physical;
use crate::answer::{self, Cell};
use crate::census::Census;
use data_encoding::BASE64;
use std::borrow::Cow;
use std::cmp::Reverse;

macro_rules! columns {
    ($(#[doc = $doc:literal] $name:ident $type:ident $key:literal $heading:literal,)*) => {
        /// A column of a report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Column {
            $(#[doc = $doc] $name,)*
        }

        impl Column {
            /// All columns, in the order in which machines get them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The JSON key, CSV column and command-line name.
            pub fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// What it holds, in a line.
            pub fn describe(self) -> &'static str {
                match self { $(Self::$name => $doc.trim_ascii(),)* }
            }

            pub(super) fn output(self) -> answer::Column {
                let column = match self {
                    $(Self::$name => answer::Column::$type($key).titled($heading),)*
                };
                column.rank(self.rank())
            }
        }
    };
}

columns! {
    /// The full store path.
    Path path "path" "path",
    /// The name, without the hash part.
    Name text "name" "name",
    /// The package name by `builtins.parseDrvName`.
    Pname text "pname" "pname",
    /// The version by `builtins.parseDrvName`, the output's suffix included.
    Version text "version" "version",
    /// The package name as people read it, without the output's suffix.
    Package text "package" "package",
    /// The version as people read it, without the output's suffix and `.drv`.
    PackageVersion text "package_version" "package version",
    /// The output's name, where the deriver is known.
    Output text "output" "output",
    /// NAR size in bytes, from the database.
    NarSize size "nar_size" "NAR size",
    /// NAR size in bytes, computed from the disk.
    DiskNarSize size "disk_nar_size" "NAR size (disk)",
    /// Lengths of files and symlinks (`st_size`) in bytes, each inode once.
    ApparentSize size "apparent_size" "apparent size",
    /// Allocated blocks (`st_blocks` × 512) in bytes, each inode once.
    DiskSize size "disk_size" "disk size",
    /// Extents in bytes as they lie on the disk, compressed, each once.
    PhysicalSize size "physical_size" "physical",
    /// What physical sizes are: `exact`, `at least` or `about`.
    PhysicalSizeIs text "physical_size_is" "physical is",
    /// The same extents uncompressed, in bytes.
    UncompressedSize size "uncompressed_size" "uncompressed",
    /// What files show of extents in bytes, every reference counted.
    ReferencedSize size "referenced_size" "referenced",
    /// Contents in bytes that the file system keeps in its metadata.
    InlineSize size "inline_size" "inline",
    /// Disk size in bytes, every name of an inode counted: `du -l`.
    CopiedDiskSize size "copied_disk_size" "copied",
    /// Disk size in bytes of inodes with names in other paths, `.links` aside.
    SharedSize size "shared_size" "shared",
    /// Disk size in bytes that deleting this path alone frees.
    ReclaimableSize size "reclaimable_size" "reclaimable",
    /// Extents in bytes that deleting this path alone frees.
    ReclaimablePhysicalSize size "reclaimable_physical_size" "reclaimable physical",
    /// What the same is: `exact`, `at least` or `about`.
    FreedPhysicalSizeIs text "freed_physical_size_is" "freed is",
    /// NAR size of the closure in bytes.
    ClosureNarSize size "closure_nar_size" "closure NAR",
    /// Disk size of the closure in bytes, each inode once.
    ClosureDiskSize size "closure_disk_size" "closure disk",
    /// Extents of the closure in bytes, each once.
    ClosurePhysicalSize size "closure_physical_size" "closure physical",
    /// NAR size in bytes of what only this path keeps, itself included.
    RetainedNarSize size "retained_nar_size" "retained NAR",
    /// Disk size in bytes of what only this path keeps, itself included.
    RetainedDiskSize size "retained_disk_size" "retained disk",
    /// Extents in bytes of what only this path keeps, itself included.
    RetainedPhysicalSize size "retained_physical_size" "retained physical",
    /// The paths it refers to.
    References paths "references" "references",
    /// The paths that refer to it.
    Referrers paths "referrers" "referrers",
    /// Inodes, each once.
    Inodes count "inodes" "inodes",
    /// Inodes that deleting this path alone frees.
    ReclaimableInodes count "reclaimable_inodes" "reclaimable inodes",
    /// Inodes of the closure, each once.
    ClosureInodes count "closure_inodes" "closure inodes",
    /// Inodes of what only this path keeps, itself included.
    RetainedInodes count "retained_inodes" "retained inodes",
    /// Regular files.
    Files count "files" "files",
    /// Directories.
    Directories count "directories" "directories",
    /// Symlinks.
    Symlinks count "symlinks" "symlinks",
    /// The derivation that built it.
    Deriver path "deriver" "deriver",
    /// Of a derivation its outputs in the store, as far as they are known.
    Outputs paths "outputs" "outputs",
    /// When it was registered.
    RegistrationTime time "registration_time" "registered",
    /// The SHA-256 of its NAR, as Nix's JSON has it (SRI).
    Hash text "hash" "hash",
    /// Whether it was built here.
    Ultimate bool "ultimate" "ultimate",
    /// Its signatures.
    Signatures texts "signatures" "signatures",
    /// Its content address.
    Ca text "ca" "ca",
    /// Size in bytes of what a binary cache serves for it.
    DownloadSize size "download_size" "download",
}

/// The value that a column sorts by; all of one column are of one kind.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey<'a> {
    /// From the largest down, unknown last.
    Number(Reverse<Option<i128>>),
    /// From the first up, unknown last.
    Text(bool, Cow<'a, str>),
}

impl<'a> SortKey<'a> {
    fn number(n: impl Into<i128>) -> Self {
        Self::Number(Reverse(Some(n.into())))
    }

    fn text(text: Cow<'a, str>) -> Self {
        Self::Text(false, text)
    }
}

impl Column {
    /// The column of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.key() == key)
    }

    /// Those of what would go if every reference to the path were cut.
    pub const RETAINED: [Self; 4] = [
        Self::RetainedNarSize,
        Self::RetainedDiskSize,
        Self::RetainedPhysicalSize,
        Self::RetainedInodes,
    ];

    /// Those of its closure that need the walk of all of it.
    pub const CLOSURE_ON_DISK: [Self; 3] =
        [Self::ClosureDiskSize, Self::ClosurePhysicalSize, Self::ClosureInodes];

    /// The column of extents in place of one of blocks.
    pub fn physical(self) -> Self {
        match self {
            Self::DiskSize => Self::PhysicalSize,
            Self::ReclaimableSize => Self::ReclaimablePhysicalSize,
            Self::ClosureDiskSize => Self::ClosurePhysicalSize,
            Self::RetainedDiskSize => Self::RetainedPhysicalSize,
            other => other,
        }
    }

    /// What a table shows by default.
    pub fn readable(disk: bool) -> Vec<Self> {
        let mut columns = vec![Self::NarSize];
        if disk {
            columns.push(Self::DiskSize);
        }
        columns.extend([Self::ClosureNarSize, Self::RetainedNarSize]);
        if disk {
            columns.extend([Self::RetainedDiskSize, Self::ReclaimableSize]);
        }
        columns.extend([Self::Referrers, Self::Path]);
        columns
    }

    /// The same on a terminal, where a bar shows what part of the whole each is.
    pub fn short(disk: bool) -> Vec<Self> {
        match disk {
            true => vec![Self::DiskSize, Self::RetainedDiskSize, Self::Path],
            false => vec![Self::NarSize, Self::RetainedNarSize, Self::Path],
        }
    }

    /// How soon a narrow table does without it.
    fn rank(self) -> u8 {
        match self {
            Self::Path => 0,
            Self::Name | Self::DiskSize => 1,
            Self::RetainedDiskSize | Self::NarSize => 2,
            Self::RetainedNarSize | Self::ClosureDiskSize | Self::ReclaimableSize => 3,
            Self::PhysicalSize | Self::RetainedPhysicalSize => 3,
            Self::Deriver | Self::Hash | Self::Signatures | Self::Ca => 8,
            Self::Pname | Self::Version | Self::Package | Self::PackageVersion => 5,
            _ => 4,
        }
    }

    /// Whether the disk must be walked to fill it.
    pub fn needs_disk(self) -> bool {
        matches!(
            self,
            Self::DiskNarSize
                | Self::ApparentSize
                | Self::DiskSize
                | Self::CopiedDiskSize
                | Self::SharedSize
                | Self::ReclaimableSize
                | Self::ClosureDiskSize
                | Self::RetainedDiskSize
                | Self::Inodes
                | Self::ReclaimableInodes
                | Self::ClosureInodes
                | Self::RetainedInodes
                | Self::PhysicalSize
                | Self::UncompressedSize
                | Self::ReferencedSize
                | Self::InlineSize
                | Self::PhysicalSizeIs
                | Self::ReclaimablePhysicalSize
                | Self::FreedPhysicalSizeIs
                | Self::ClosurePhysicalSize
                | Self::RetainedPhysicalSize
                | Self::Files
                | Self::Directories
                | Self::Symlinks
        )
    }

    /// Whether it says what deleting frees.
    pub fn is_of_freed(self) -> bool {
        matches!(
            self,
            Self::ReclaimableSize | Self::ReclaimablePhysicalSize | Self::ReclaimableInodes
        )
    }

    /// The column of Nix's `ValidPaths` that it shows, where nothing else needs it.
    pub fn database_column(self) -> Option<&'static str> {
        match self {
            Self::RegistrationTime => Some("registrationTime"),
            Self::Hash => Some("hash"),
            Self::Ultimate => Some("ultimate"),
            Self::Signatures => Some("sigs"),
            Self::Ca => Some("ca"),
            _ => None,
        }
    }

    /// Whether it is about more than the path itself, and so needs all of its
    /// closure.
    pub fn needs_closure(self) -> bool {
        matches!(
            self,
            Self::ClosureNarSize
                | Self::ClosureDiskSize
                | Self::RetainedNarSize
                | Self::RetainedDiskSize
                | Self::ClosureInodes
                | Self::RetainedInodes
                | Self::ClosurePhysicalSize
                | Self::RetainedPhysicalSize
                | Self::Referrers
        )
    }

    /// The cell of a row.
    pub fn cell<'a>(self, census: &'a Census, row: &Row) -> Cell<'a> {
        let catalog = &census.catalog;
        let id = census.id(row.index);
        let usage = census.usage(row.index);
        let extents = census.extent_sizes(row.index);
        let size = |n: Option<u64>| Cell::optional(n, Cell::Size);
        let count = |n: Option<u64>| Cell::optional(n, Cell::Count);
        let version = |v: &'a str| if v.is_empty() { Cell::Missing } else { Cell::text(v) };
        match self {
            Self::Path => Cell::text(catalog.path(id)),
            Self::Name => Cell::text(catalog.store_path(id).name()),
            Self::Pname => Cell::text(catalog.store_path(id).pname()),
            Self::Version => version(catalog.store_path(id).version()),
            Self::Package => Cell::text(catalog.package(id).name),
            Self::PackageVersion => version(catalog.package(id).version),
            Self::Output => Cell::optional(catalog.output(id), Cell::text),
            Self::NarSize => size(catalog.nar_size(id)),
            Self::DiskNarSize => size(usage.map(|u| u.nar_size)),
            Self::ApparentSize => size(usage.map(|u| u.apparent_size)),
            Self::DiskSize => size(usage.map(|u| u.disk_size)),
            Self::CopiedDiskSize => size(copied_disk_size(census, row.index)),
            Self::SharedSize => size(row.shared_size),
            Self::ReclaimableSize => size(row.reclaimable_size),
            Self::ClosureNarSize => size(row.closure_nar_size),
            Self::ClosureDiskSize => size(row.closure_disk_size),
            Self::RetainedNarSize => size(row.retained_nar_size),
            Self::RetainedDiskSize => size(row.retained_disk_size),
            Self::PhysicalSize => size(extents.map(|e| e.physical_size)),
            Self::PhysicalSizeIs => physical::is_cell(census.physical_sizes_are()),
            Self::FreedPhysicalSizeIs => physical::is_cell(census.freed_sizes_are()),
            Self::UncompressedSize => size(extents.map(|e| e.uncompressed_size)),
            Self::ReferencedSize => size(extents.map(|e| e.referenced_size)),
            Self::InlineSize => size(extents.map(|e| e.inline_size)),
            Self::ReclaimablePhysicalSize => size(row.reclaimable_physical_size),
            Self::ClosurePhysicalSize => size(row.closure_physical_size),
            Self::RetainedPhysicalSize => size(row.retained_physical_size),
            Self::References if !catalog.unlisted_references(id).is_empty() => {
                Cell::Paths(catalog.reference_paths(id).into_iter().map(Cow::Owned).collect())
            }
            Self::References => {
                Cell::StorePaths(catalog, catalog.references().row(id.node()).into())
            }
            // Who else refers to them, or was built, is not known.
            Self::Referrers | Self::Outputs if catalog.is_part() => Cell::Missing,
            Self::Referrers => Cell::StorePaths(catalog, catalog.referrers().row(id.node()).into()),
            Self::Inodes => count(usage.map(|u| u.inodes)),
            Self::ReclaimableInodes => count(row.reclaimable_inodes),
            Self::ClosureInodes => count(row.closure_inodes),
            Self::RetainedInodes => count(row.retained_inodes),
            Self::Files => count(usage.map(|u| u.files)),
            Self::Directories => count(usage.map(|u| u.directories)),
            Self::Symlinks => count(usage.map(|u| u.symlinks)),
            Self::Deriver => Cell::optional(catalog.deriver(id), Cell::text),
            Self::Outputs if !catalog.store_path(id).is_derivation() => Cell::Missing,
            Self::Outputs => {
                Cell::StorePaths(catalog, catalog.derivation_outputs().row(id.node()).into())
            }
            Self::RegistrationTime => Cell::optional(catalog.registration_time(id), Cell::Time),
            Self::Hash => Cell::optional(catalog.hash(id), |h| {
                Cell::text(format!("sha256-{}", BASE64.encode(h)))
            }),
            Self::Ultimate if catalog.lacks("ultimate") => Cell::Missing,
            Self::Signatures if catalog.lacks("sigs") => Cell::Missing,
            Self::Ultimate => Cell::Bool(catalog.ultimate(id)),
            Self::Signatures => Cell::List(catalog.signatures(id).map(Cow::Borrowed).collect()),
            Self::Ca => Cell::optional(catalog.content_address(id), Cell::text),
            Self::DownloadSize => size(catalog.download_size(id)),
        }
    }

    /// What a row is sorted by.
    pub(super) fn sort_key<'a>(self, census: &'a Census, row: &Row) -> SortKey<'a> {
        let catalog = &census.catalog;
        let id = census.id(row.index);
        match self {
            Self::References => {
                let listed = catalog.references_of(id).len();
                SortKey::number((listed + catalog.unlisted_references(id).len()) as i128)
            }
            Self::Referrers if !catalog.is_part() => {
                SortKey::number(catalog.referrers_of(id).len() as i128)
            }
            Self::Path => SortKey::text(Cow::Borrowed(catalog.base_name(id))),
            _ => match self.cell(census, row) {
                Cell::Size(n) | Cell::Count(n) => SortKey::number(n),
                Cell::Time(t) => SortKey::number(t),
                Cell::Bool(b) => SortKey::number(b),
                Cell::Text(t) => SortKey::text(t),
                Cell::List(l) => SortKey::number(l.len() as i128),
                _ if self.is_text() => SortKey::Text(true, Cow::Borrowed("")),
                _ => SortKey::Number(Reverse(None)),
            },
        }
    }

    /// Whether its values are sizes.
    pub(super) fn is_size(self) -> bool {
        self.output().holds == answer::ColumnType::Size
    }

    fn is_text(self) -> bool {
        matches!(
            self,
            Self::Version
                | Self::PackageVersion
                | Self::Output
                | Self::Deriver
                | Self::Hash
                | Self::Ca
        )
    }
}
