//! What went wrong without ending the run.
//!
//! Nothing examined is trusted, and one bad file must not end the answer: it
//! becomes a [`Warning`]. An answer with a warning that [leaves something
//! out](WarningKind::incomplete) says `complete: false`, and the exit status
//! is 3.

/// What sort of thing went wrong. The names are stable: they are printed in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WarningKind {
    /// A row of the database is no store path of this store.
    OddRow,
    /// The database's schema is none that is known.
    UnknownSchema,
    /// A column that the schema promises is missing; its values read as unknown.
    MissingColumn,
    /// A valid path has no NAR size in the database.
    UnknownNarSize,
    /// A reference leads to no valid path.
    DanglingReference,
    /// The database says valid, the disk has nothing of that name.
    MissingPath,
    /// Something could not be read (permission, I/O error).
    Unreadable,
    /// Something went away while it was examined.
    Vanished,
    /// A FIFO, socket or device, which no NAR can hold.
    UnsupportedFile,
    /// Another file system is mounted inside the store.
    MountPoint,
    /// The database's NAR size and the one computed from the disk differ.
    NarSizeMismatch,
    /// Committed transactions were read from a write-ahead log or journal.
    Journal,
    /// What Nix would do cannot be said for certain.
    Uncertain,
    /// Anything else worth telling, which leaves nothing out.
    Note,
}

impl WarningKind {
    /// The kind's stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OddRow => "odd_row",
            Self::UnknownSchema => "unknown_schema",
            Self::MissingColumn => "missing_column",
            Self::UnknownNarSize => "unknown_nar_size",
            Self::DanglingReference => "dangling_reference",
            Self::MissingPath => "missing_path",
            Self::Unreadable => "unreadable",
            Self::Vanished => "vanished",
            Self::UnsupportedFile => "unsupported_file",
            Self::MountPoint => "mount_point",
            Self::NarSizeMismatch => "nar_size_mismatch",
            Self::Journal => "journal",
            Self::Uncertain => "uncertain",
            Self::Note => "note",
        }
    }

    /// Whether a warning of this kind means that the answer leaves something out.
    pub fn incomplete(self) -> bool {
        !matches!(self, Self::Journal | Self::Note | Self::MountPoint)
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
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    kept: Vec<Warning>,
    total: u64,
    incomplete: bool,
}

impl Warnings {
    /// How many warnings are kept in full. A hostile store could make millions.
    pub const KEPT: usize = 1000;
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
        self.total += 1;
        self.incomplete |= kind.incomplete();
        if self.kept.len() < Self::KEPT {
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
            self.kept.push(Warning { kind, path, message });
        }
    }

    /// Adds all warnings of `other`.
    pub fn extend(&mut self, other: Warnings) {
        self.total += other.total;
        self.incomplete |= other.incomplete;
        let room = Self::KEPT.saturating_sub(self.kept.len());
        self.kept.extend(other.kept.into_iter().take(room));
    }

    /// Takes out the kept warnings of some kinds. If there were more than are
    /// kept, what is left stays incomplete.
    pub fn split(self, which: impl Fn(WarningKind) -> bool) -> (Vec<Warning>, Self) {
        let lost = self.total - self.kept.len() as u64;
        let (taken, kept): (Vec<_>, Vec<_>) = self.kept.into_iter().partition(|w| which(w.kind));
        let incomplete = lost > 0 && self.incomplete || kept.iter().any(|w| w.kind.incomplete());
        (taken, Self { total: kept.len() as u64 + lost, kept, incomplete })
    }

    /// Sorts the kept warnings by kind and path, so that a parallel walk tells
    /// them in the same order each time.
    pub fn sort(&mut self) {
        self.kept.sort_by(|a, b| (a.kind, &a.path, &a.message).cmp(&(b.kind, &b.path, &b.message)));
    }

    /// Whether nothing was left out.
    pub fn complete(&self) -> bool {
        !self.incomplete
    }

    /// How many warnings there were, kept or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The warnings kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Warning> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn cuts_what_is_too_long() {
        let mut w = Warnings::new();
        w.push(WarningKind::OddRow, vec![b'x'; 1 << 20], "ä".repeat(1 << 20));
        let kept = w.iter().next().map(|w| (w.path.len(), w.message.len()));
        assert_eq!(kept, Some((Warnings::LONGEST + 3, Warnings::LONGEST + 3)));
    }
}
