//! What lies outside the store, for printing.

use crate::answer::{Cell, Column, Field, Section};
use crate::disk::Space;
use crate::outside::{Boot, BootEntry, DatabaseSpace, Outside};
use crate::roots::FoundRoots;
use crate::text::{Units, format_size};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn path(path: &Path) -> Cell<'_> {
    Cell::Bytes(Cow::Borrowed(path.as_os_str().as_bytes()))
}

/// What lies outside the store, printed.
pub(in crate::analysis) trait Printed {
    /// The sums in one section.
    fn section<'a>(&self) -> Section<'a>;
    /// The caches, a row each.
    fn caches_section(&self) -> Section<'_>;
    /// The boot entries, a row each.
    fn boot_section<'a>(&'a self, found: &'a FoundRoots) -> Section<'a>;
}

impl Printed for Outside {
    fn section<'a>(&self) -> Section<'a> {
        let database = self.database.as_ref();
        let size = |size: Option<u64>| Cell::optional(size, Cell::Size);
        let mut fields = Vec::new();
        // JSON keys are there in any case; people see what there is.
        let mut field = |key, label: &'static str, value: Option<u64>, remark: String| {
            let field = Field::new(key, label, size(value)).remark(remark);
            fields.push(field.hidden_if(value.unwrap_or(0) == 0));
        };
        field("database_disk_size", "database", database.map(|d| d.disk_size), String::new());
        let pages = database.map(|d| format!("{} pages that compacting gives back", d.free_pages));
        let free = database.map(DatabaseSpace::free_size);
        field("database_free_size", "free in it", free, pages.unwrap_or_default());
        field("wal_disk_size", "its log", database.map(|d| d.wal_disk_size), String::new());
        let logs = self.logs.as_ref().map(|logs| logs.space);
        let files = |space: Space| format!("{} inodes", space.inodes);
        let disk = |space: Space| space.disk_size;
        field("logs_disk_size", "build logs", logs.map(disk), logs.map(files).unwrap_or_default());
        let caches = self.walked.then(|| self.caches_space());
        let homes = self.caches.iter().map(|c| &c.kept.path).collect::<BTreeSet<_>>();
        let mut of_users = format!("of {} users", homes.len());
        if self.unread_homes > 0 {
            of_users.push_str(&format!("; {} homes cannot be read", self.unread_homes));
        }
        field("caches_disk_size", "caches", caches.map(disk), of_users);
        let boot = self.walked.then(|| self.boot.iter().map(Boot::space).sum::<Space>());
        let remarks: Vec<String> = self.boot.iter().map(remark).collect();
        field("boot_disk_size", "kernels in /boot", boot.map(disk), remarks.join("; "));
        let count = |space: Option<Space>| Cell::optional(space, |s| Cell::Count(s.inodes));
        fields.extend([
            Field::hidden("unread_homes", Cell::Count(self.unread_homes)),
            Field::hidden("logs_inodes", count(logs)),
            Field::hidden("caches_inodes", count(caches)),
        ]);
        Section::fields(Some("outside"), "Outside the store", fields)
    }

    fn caches_section(&self) -> Section<'_> {
        let columns = vec![
            Column::size("disk_size").titled("disk size"),
            Column::count("inodes"),
            Column::text("kind"),
            Column::time("newest"),
            Column::texts("users"),
            Column::path("path"),
        ];
        let rows = self.caches.iter().map(|cache| {
            vec![
                Cell::Size(cache.kept.space.disk_size),
                Cell::Count(cache.kept.space.inodes),
                Cell::text(cache.kind.name()),
                Cell::optional(cache.kept.newest, Cell::Time),
                Cell::List(cache.users.iter().map(|user| user.as_str().into()).collect()),
                path(&cache.kept.path),
            ]
        });
        let title = if self.caches.is_empty() { "" } else { "Caches" };
        Section::rows("caches", title, columns, rows)
    }

    fn boot_section<'a>(&'a self, found: &'a FoundRoots) -> Section<'a> {
        let columns = vec![
            Column::size("disk_size").titled("disk size"),
            Column::size("own_disk_size").titled("alone"),
            Column::text("loader"),
            Column::text("profile").hidden(),
            Column::count("generation"),
            Column::bool("generation_exists").titled("exists"),
            Column::text("entry"),
            Column::path("directory").hidden(),
            Column::paths("files"),
        ];
        let rows = self.boot.iter().flat_map(move |boot| {
            boot.entries.iter().map(move |entry| {
                let files = entry.files.iter().map(|&file| path(&boot.files[file].path));
                vec![
                    Cell::Size(entry.space.disk_size),
                    Cell::Size(entry.own.disk_size),
                    Cell::text(entry.loader.name()),
                    Cell::optional(entry.profile.as_deref(), Cell::text),
                    Cell::optional(entry.generation, Cell::Count),
                    Cell::optional(exists(found, entry), Cell::Bool),
                    Cell::text(entry.name.as_str()),
                    path(&boot.path),
                    Cell::Cells(files.collect()),
                ]
            })
        });
        let title = match self.boot.is_empty() {
            true => String::new(),
            false => {
                let remarks: Vec<String> = self.boot.iter().map(remark).collect();
                format!("Boot entries: {}", remarks.join("; "))
            }
        };
        Section::rows("boot", title, columns, rows)
    }
}

/// Whether the generation that an entry boots is still there; `None` where the
/// entry names none, or its profile is not known.
fn exists(found: &FoundRoots, entry: &BootEntry) -> Option<bool> {
    let number = entry.generation?;
    let name = match &entry.profile {
        None => "/profiles/system".to_owned(),
        Some(profile) => format!("/profiles/system-profiles/{profile}"),
    };
    let mut profiles = found.profiles.iter().filter(|p| p.link.ends_with(name.as_bytes()));
    Some(profiles.next()?.generations.iter().any(|generation| generation.number == number))
}

/// In words: what is left, and whether one more generation fits.
fn remark(boot: &Boot) -> String {
    let size = |bytes| format_size(bytes, Units::Binary);
    let generations = boot.entries.iter().filter(|entry| entry.generation.is_some()).count();
    let mut text = format!("{} of {generations} generations", boot.path.display());
    if let Some(capacity) = boot.capacity {
        text.push_str(&format!(", {} left", size(capacity.available)));
    }
    if let (Some(needs), Some(fits)) = (boot.next_needs(), boot.next_fits()) {
        let word = if fits { "fits" } else { "does not fit" };
        text.push_str(&format!(", one more of {} {word}", size(needs)));
    }
    let unused = boot.unused().disk_size;
    if unused > 0 {
        text.push_str(&format!(", {} that no entry names", size(unused)));
    }
    text
}
