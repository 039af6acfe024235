//! Files linked to an entry of `.links` whose contents are not those of its
//! name (NixOS/nix#14599): all of them have the contents of another file.

use std::collections::{HashMap, HashSet};
use std::io;

use super::{Finding, FindingKind, Gathered, Subject};
use crate::disk::{DiskError, EntryStat, Top, Total, Visitor, WalkDirectory, WalkEntry, Walker};
use crate::fs::{FileType, Stat, StoreFiles};
use crate::warning::WarningKind;

/// Finds them by the inodes of the corrupt entries among `found`. The paths are
/// walked once more, but only where there is such an entry.
pub(super) fn find(
    subject: &Subject<'_>,
    files: &StoreFiles,
    found: &[Finding],
) -> Result<Gathered, DiskError> {
    let mut gathered = Gathered::default();
    if !subject.options.wants(FindingKind::LinkedToCorrupt) {
        return Ok(gathered);
    }
    let corrupt = corrupt_inodes(subject, files, found, &mut gathered);
    if corrupt.is_empty() {
        return Ok(gathered);
    }
    let walker = Walker::new(files, subject.options.threads)?;
    subject.progress.begin("looking for files linked to corrupt entries", Total::Unknown);
    let tops = Top::numbered(subject.ids.iter().map(|&id| subject.catalog.base_name(id)));
    let numbers = corrupt.keys().map(|&(_, number)| number).collect();
    let visitor = Victims { store_dir: subject.catalog.store_dir(), corrupt: &corrupt, numbers };
    let walked = walker.walk(&tops, &visitor, subject.progress);
    gathered.warnings.extend(walked.warnings);
    gathered.findings = walked.states.concat();
    Ok(gathered)
}

/// The names of corrupt entries that are linked, by device and inode.
type Corrupt = HashMap<(u64, u64), String>;

fn corrupt_inodes(
    subject: &Subject<'_>,
    files: &StoreFiles,
    found: &[Finding],
    gathered: &mut Gathered,
) -> Corrupt {
    let mut corrupt = Corrupt::new();
    let kinds = [FindingKind::LinkHash, FindingKind::CorruptLink];
    for finding in found.iter().filter(|finding| kinds.contains(&finding.kind)) {
        let below = finding.path.strip_prefix(subject.catalog.store_dir().as_bytes());
        let Some(below) = below.and_then(|below| below.strip_prefix(b"/")) else { continue };
        match stat_below(files, below) {
            Ok(stat) if stat.file_type() != FileType::Directory && stat.nlink > 1 => {
                let name = String::from_utf8_lossy(below).into_owned();
                corrupt.insert(stat.identity(), name);
            }
            Ok(_) => {}
            Err(e) => {
                let message = format!("what is linked to it is not known: {e}");
                gathered.warnings.push(WarningKind::of_error(&e), &*finding.path, message);
            }
        }
    }
    corrupt
}

/// What `stat` says of a name below the store directory.
fn stat_below(files: &StoreFiles, name: &[u8]) -> io::Result<Stat> {
    let (directory, name) = files.directory().pass_to(name)?;
    directory.stat(&name)
}

struct Victims<'a> {
    store_dir: &'a str,
    corrupt: &'a Corrupt,
    /// Their inode numbers.
    numbers: HashSet<u64>,
}

impl Victims<'_> {
    fn check(
        &self,
        found: &mut Vec<Finding>,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, ()>,
    ) {
        let EntryStat::Stat(meta) = entry.stat else { return };
        let Some(link) = self.corrupt.get(&(meta.dev, meta.ino)) else { return };
        let path = directory.full_path_in(self.store_dir, entry.name());
        let (kind, expected) = (FindingKind::LinkedToCorrupt, "contents of its own");
        found.push(Finding::new(kind, path, expected, format!("those of {link}")));
    }
}

impl Visitor for Victims<'_> {
    type State = Vec<Finding>;
    type Tag = ();
    type Context = ();

    fn state(&self) -> Vec<Finding> {
        Vec::new()
    }

    fn known(&self, _: &mut Vec<Finding>, ino: u64) -> Option<()> {
        (!self.numbers.contains(&ino)).then_some(())
    }

    fn top(
        &self,
        found: &mut Vec<Finding>,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, ()>,
    ) {
        self.check(found, directory, entry);
    }

    fn directory<'e>(
        &self,
        found: &mut Vec<Finding>,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
    ) {
        entries.for_each(|entry| self.check(found, directory, &entry));
    }

    fn failed(&self, _: &mut Vec<Finding>, _: u32) {}
}
