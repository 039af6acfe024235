//! What went wrong without ending the run.
//!
//! Nothing examined is trusted, and one bad file must not end the answer: it
//! becomes a [`Warning`]. An answer with a warning that [leaves something
//! out](WarningKind::incomplete) says `complete: false`, and the exit status
//! is 3.

use crate::arrange::Arrange as _;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io;

/// What sort of thing went wrong. The names are stable: they are printed in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WarningKind {
    /// A row of the database is not a store path of this store.
    OddRow,
    /// The database's schema is none that is known.
    UnknownSchema,
    /// A column that the schema promises is missing; its values read as unknown.
    MissingColumn,
    /// The number of the database's schema does not fit the tables' columns.
    SchemaMismatch,
    /// A valid path has no NAR size in the database.
    UnknownNarSize,
    /// References lead to paths that the file read in place of a database does
    /// not list.
    UnlistedReference,
    /// A reference leads to no valid path.
    DanglingReference,
    /// The database says valid, the disk has nothing of that name.
    MissingPath,
    /// Something could not be read: permission is missing, or the system has
    /// not enough of something.
    Unreadable,
    /// Something could not be read since the file system or the disk is damaged.
    Damaged,
    /// Something could not be checked, for the reason given.
    Unchecked,
    /// Something went away while it was examined.
    Vanished,
    /// A FIFO, socket or device, which no NAR can hold.
    UnsupportedFile,
    /// Another file system, or a subvolume, begins inside the store.
    MountPoint,
    /// The database's NAR size and the one computed from the disk differ.
    NarSizeMismatch,
    /// Committed transactions were read from a write-ahead log or journal.
    Journal,
    /// What Nix would do cannot be said for certain.
    Uncertain,
    /// Anything else worth knowing; the answer is still complete.
    Note,
}

impl WarningKind {
    /// The kind's stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OddRow => "odd_row",
            Self::UnknownSchema => "unknown_schema",
            Self::MissingColumn => "missing_column",
            Self::SchemaMismatch => "schema_mismatch",
            Self::UnknownNarSize => "unknown_nar_size",
            Self::UnlistedReference => "unlisted_reference",
            Self::DanglingReference => "dangling_reference",
            Self::MissingPath => "missing_path",
            Self::Unreadable => "unreadable",
            Self::Damaged => "damaged",
            Self::Unchecked => "unchecked",
            Self::Vanished => "vanished",
            Self::UnsupportedFile => "unsupported_file",
            Self::MountPoint => "mount_point",
            Self::NarSizeMismatch => "nar_size_mismatch",
            Self::Journal => "journal",
            Self::Uncertain => "uncertain",
            Self::Note => "note",
        }
    }

    /// What sort of thing an error of the system is.
    pub(crate) fn of_error(error: &io::Error) -> Self {
        let Some(errno) = rustix::io::Errno::from_io_error(error) else {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Vanished,
                _ => Self::Unreadable,
            };
        };
        match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::LOOP => Self::Vanished,
            // What the kernel answers where an inode, a block or a checksum is wrong.
            Errno::IO | Errno::UCLEAN | Errno::BADMSG | Errno::INVAL => Self::Damaged,
            Errno::NXIO | Errno::NODATA | Errno::REMOTEIO | Errno::BADE => Self::Damaged,
            _ => Self::Unreadable,
        }
    }

    /// Whether an audit makes a finding of it: then none may be lost.
    fn is_finding(self) -> bool {
        matches!(self, Self::OddRow | Self::DanglingReference | Self::UnknownSchema | Self::Damaged)
    }

    /// Whether a warning of this kind means that the answer leaves something out.
    pub fn incomplete(self) -> bool {
        !matches!(self, Self::Journal | Self::Note | Self::MountPoint | Self::SchemaMismatch)
    }
}

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What sort of thing.
    pub kind: WarningKind,
    /// The file, path or row in question, as bytes; escaped when printed.
    pub path: Vec<u8>,
    /// What happened, in words.
    pub message: String,
}

/// The warnings of a run. At most [`Warnings::KEPT`] are kept; all are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    kept: Vec<Warning>,
    /// Those of which an audit makes findings, and for which `kept` had no room.
    more: Vec<Warning>,
    /// How many bytes `more` holds.
    more_bytes: usize,
    counts: BTreeMap<WarningKind, u64>,
}

impl Warnings {
    /// How many warnings are kept in full. A hostile store could make millions.
    pub const KEPT: usize = 1000;
    /// How many more are kept for an audit.
    const MORE: usize = 1 << 17;
    /// How many bytes these may have together.
    const MORE_BYTES: usize = 32 << 20;
    /// How many bytes of a path and of a message are kept: a row of a hostile
    /// database may name megabytes.
    pub const LONGEST: usize = 16 << 10;

    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a warning.
    pub fn push(
        &mut self,
        kind: WarningKind,
        path: impl Into<Vec<u8>>,
        message: impl Into<String>,
    ) {
        self.count(kind);
        if self.has_room(kind) {
            let (mut path, mut message) = (path.into(), message.into());
            if path.len() > Self::LONGEST {
                path.truncate(Self::LONGEST);
                path.extend("…".bytes());
            }
            if message.len() > Self::LONGEST {
                let end = (0..=Self::LONGEST).rev().find(|&at| message.is_char_boundary(at));
                message.truncate(end.unwrap_or_default());
                message.push('…');
            }
            self.keep(Warning { kind, path, message });
        }
    }

    /// Counts a warning for which there is no [room](Self::has_room).
    pub(crate) fn count(&mut self, kind: WarningKind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Whether one more warning of a kind would be kept, not only counted.
    pub(crate) fn has_room(&self, kind: WarningKind) -> bool {
        let more = self.more.len() < Self::MORE && self.more_bytes < Self::MORE_BYTES;
        self.kept.len() < Self::KEPT || kind.is_finding() && more
    }

    fn keep(&mut self, warning: Warning) {
        if self.kept.len() < Self::KEPT {
            self.kept.push(warning);
        } else if self.has_room(warning.kind) {
            self.more_bytes += bytes_of(&warning);
            self.more.push(warning);
        }
    }

    /// Adds all warnings of `other`.
    pub fn extend(&mut self, other: Warnings) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        for warning in other.kept.into_iter().chain(other.more) {
            self.keep(warning);
        }
    }

    /// Takes out all warnings of some kinds. If there were more of them than
    /// could be kept, what is left is incomplete.
    pub(crate) fn split(mut self, which: impl Fn(WarningKind) -> bool) -> (Vec<Warning>, Self) {
        let all = std::mem::take(&mut self.kept).into_iter().chain(std::mem::take(&mut self.more));
        self.more_bytes = 0;
        let (taken, kept): (Vec<_>, Vec<_>) = all.partition(|w| which(w.kind));
        for warning in &taken {
            if let Some(count) = self.counts.get_mut(&warning.kind) {
                *count -= 1;
            }
        }
        self.counts.retain(|_, count| *count > 0);
        for warning in kept {
            self.keep(warning);
        }
        (taken, self)
    }

    /// Keeps only the warnings that `wanted` says. Those that were counted and
    /// not kept stay counted: nobody knows what they are about.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&Warning) -> bool) {
        let counts = &mut self.counts;
        let mut keep = |warning: &Warning| {
            let wanted = wanted(warning);
            if !wanted && let Some(count) = counts.get_mut(&warning.kind) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&warning.kind);
                }
            }
            wanted
        };
        self.kept.retain(&mut keep);
        self.more.retain(&mut keep);
        self.more_bytes = self.more.iter().map(bytes_of).sum();
    }

    /// Without the warnings of a kind, kept or only counted.
    pub(crate) fn without(self, kind: WarningKind) -> Self {
        let (_, mut rest) = self.split(|other| other == kind);
        rest.counts.remove(&kind);
        rest
    }

    /// Makes warnings of a kind notes: the answer at hand does not need what
    /// they miss.
    pub(crate) fn demote(&mut self, kind: WarningKind) {
        let Some(count) = self.counts.remove(&kind) else { return };
        *self.counts.entry(WarningKind::Note).or_default() += count;
        for warning in self.kept.iter_mut().chain(&mut self.more).filter(|w| w.kind == kind) {
            warning.kind = WarningKind::Note;
        }
    }

    /// All of them: those kept, those kept for an audit, and how many there were
    /// of each kind.
    pub(crate) fn parts(&self) -> (&[Warning], &[Warning], &BTreeMap<WarningKind, u64>) {
        (&self.kept, &self.more, &self.counts)
    }

    /// Warnings of such parts; `None` if they do not fit together.
    pub(crate) fn from_parts(
        kept: Vec<Warning>,
        more: Vec<Warning>,
        counts: BTreeMap<WarningKind, u64>,
    ) -> Option<Self> {
        let mut left = counts.clone();
        for warning in kept.iter().chain(&more) {
            let left = left.get_mut(&warning.kind)?;
            *left = left.checked_sub(1)?;
            // As `push` cuts them.
            let longest = Self::LONGEST + '…'.len_utf8();
            if warning.path.len().max(warning.message.len()) > longest {
                return None;
            }
        }
        let more_bytes = more.iter().map(bytes_of).sum();
        let fits = kept.len() <= Self::KEPT
            && more.len() <= Self::MORE
            && more.iter().all(|warning| warning.kind.is_finding())
            && counts.values().all(|&count| (1..1 << 48).contains(&count));
        fits.then_some(Self { kept, more, more_bytes, counts })
    }

    /// Sorts the kept warnings by kind and path, so that a parallel walk gives
    /// them in the same order each time.
    pub(crate) fn sort(&mut self) {
        self.kept
            .arrange_by(|a, b| (a.kind, &a.path, &a.message).cmp(&(b.kind, &b.path, &b.message)));
    }

    /// Whether nothing was left out.
    pub fn complete(&self) -> bool {
        !self.counts.keys().any(|kind| kind.incomplete())
    }

    /// How many of the warnings leave something out, kept or not.
    pub fn incomplete(&self) -> u64 {
        self.counts.iter().filter(|(kind, _)| kind.incomplete()).map(|(_, count)| count).sum()
    }

    /// How many warnings there were, kept or not.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The warnings kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Warning> {
        self.kept.iter()
    }
}

/// How many bytes a warning holds.
fn bytes_of(warning: &Warning) -> usize {
    warning.path.len() + warning.message.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_leaves_nothing_out() {
        let mut w = Warnings::new();
        w.push(WarningKind::UnlistedReference, "x", "y");
        w.demote(WarningKind::UnlistedReference);
        assert_eq!((w.total(), w.complete()), (1, true));
        w.push(WarningKind::Unreadable, "x", "y");
        w.demote(WarningKind::UnlistedReference);
        assert_eq!((w.total(), w.complete()), (2, false));
    }

    #[test]
    fn counts_beyond_what_it_keeps() {
        let mut w = Warnings::new();
        for i in 0..1500 {
            w.push(WarningKind::Note, format!("{i}"), "x");
        }
        assert_eq!((w.total(), w.iter().count(), w.complete()), (1500, 1000, true));
        let mut other = Warnings::new();
        other.push(WarningKind::Unreadable, "y", "no");
        w.extend(other);
        assert_eq!((w.total(), w.iter().count(), w.complete()), (1501, 1000, false));
    }

    #[test]
    fn what_an_audit_tells_is_not_lost_among_others() {
        let mut w = Warnings::new();
        for i in 0..1500 {
            w.push(WarningKind::UnknownNarSize, format!("{i}"), "x");
        }
        w.push(WarningKind::DanglingReference, "referrer", "gone");
        let mut all = Warnings::new();
        all.extend(w);
        let (taken, rest) = all.split(|kind| kind == WarningKind::DanglingReference);
        assert_eq!(taken.iter().map(|w| &*w.path).collect::<Vec<_>>(), [b"referrer"]);
        assert_eq!((rest.total(), rest.iter().count()), (1500, 1000));
        let (taken, rest) = rest.split(|kind| kind == WarningKind::UnknownNarSize);
        assert_eq!((taken.len(), rest.total(), rest.complete()), (1000, 500, false));
        // Nothing else makes what is left incomplete.
        let mut w = Warnings::new();
        w.push(WarningKind::OddRow, "x", "odd");
        w.push(WarningKind::Note, "y", "note");
        let (_, rest) = w.split(|kind| kind == WarningKind::OddRow);
        assert_eq!((rest.total(), rest.complete()), (1, true));
    }

    #[test]
    fn errors_of_damage_are_told_from_others() {
        let kind = |errno: Errno| WarningKind::of_error(&errno.into());
        assert_eq!(kind(Errno::IO), WarningKind::Damaged);
        assert_eq!(kind(Errno::UCLEAN), WarningKind::Damaged);
        assert_eq!(kind(Errno::ACCESS), WarningKind::Unreadable);
        assert_eq!(kind(Errno::MFILE), WarningKind::Unreadable);
        assert_eq!(kind(Errno::NAMETOOLONG), WarningKind::Unreadable);
        assert_eq!(kind(Errno::NOENT), WarningKind::Vanished);
        assert_eq!(WarningKind::of_error(&io::Error::other("x")), WarningKind::Unreadable);
    }

    #[test]
    fn long_ones_are_counted_and_not_all_kept() {
        let mut w = Warnings::new();
        for _ in 0..10_000 {
            w.push(WarningKind::DanglingReference, vec![b'x'; 1 << 14], "gone");
        }
        let bytes: usize = w.kept.iter().chain(&w.more).map(|w| w.path.len()).sum();
        assert!(bytes < 49 << 20, "{bytes}");
        assert!(!w.has_room(WarningKind::DanglingReference));
        w.count(WarningKind::DanglingReference);
        assert_eq!(w.total(), 10_001);
        // What is split off tells that it is not all.
        let (taken, rest) = w.split(|kind| kind == WarningKind::DanglingReference);
        assert_eq!(taken.len() as u64 + rest.total(), 10_001);
        assert!(!rest.complete());
    }

    #[test]
    fn what_is_taken_out_leaves_room() {
        let mut w = Warnings::new();
        for _ in 0..10_000 {
            w.push(WarningKind::DanglingReference, vec![b'x'; 1 << 14], "gone");
        }
        w.retain(|warning| warning.kind != WarningKind::DanglingReference);
        w.kept = vec![
            Warning { kind: WarningKind::Note, path: Vec::new(), message: String::new() };
            Warnings::KEPT
        ];
        assert!(w.has_room(WarningKind::DanglingReference));
    }

    #[test]
    fn cuts_what_is_too_long() {
        let mut w = Warnings::new();
        w.push(WarningKind::OddRow, vec![b'x'; 1 << 20], "ä".repeat(1 << 20));
        let kept = w.iter().next().map(|w| (w.path.len(), w.message.len()));
        assert_eq!(kept, Some((Warnings::LONGEST + 3, Warnings::LONGEST + 3)));
    }
}
