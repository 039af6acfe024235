//! Small records: each field in the order given here.

use super::codec::{Decoder, Encoder, Field, Odd, choice, record};
use crate::catalog::{MoreParts, PathId};
use crate::census::Examine;
use crate::disk::{Links, Space};
use crate::fs::Capacity;
use crate::store::StoreLocation;
use crate::warning::{Warning, WarningKind, Warnings};
use std::collections::BTreeMap;

choice! {
    WarningKind {
        0 => OddRow,
        1 => UnknownSchema,
        2 => MissingColumn,
        3 => SchemaMismatch,
        4 => UnknownNarSize,
        5 => UnlistedReference,
        6 => DanglingReference,
        7 => MissingPath,
        8 => Unreadable,
        9 => Damaged,
        10 => Unchecked,
        11 => Vanished,
        12 => UnsupportedFile,
        13 => MountPoint,
        14 => NarSizeMismatch,
        15 => Journal,
        16 => Uncertain,
        17 => Note,
    }
}

record! {
    StoreLocation { root, store_dir, state_dir, real_store_dir, real_state_dir, database }
    Warning { kind, path, message }
    Capacity { size, free, available, inodes, free_inodes }
    Links {
        entries,
        later,
        apparent_size,
        disk_size,
        directory_disk_size,
        directories,
        unused,
        unused_apparent_size,
        unused_disk_size,
        saved_apparent_size,
        saved_disk_size,
    }
    MoreParts {
        outputs,
        derivation_outputs,
        outputs_known,
        traces,
        unknown_traces,
        undeletable,
        beside_odd_rows,
        unlisted,
        closure_sizes,
        download_sizes,
        missing_columns,
        schema,
        outside,
        has_provenance,
        is_part,
    }
}

impl Field for PathId {
    fn put(&self, out: &mut Encoder) {
        out.number(self.node().into());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        match from.small()? {
            u32::MAX => Err("a path that is not there".into()),
            n => Ok(Self::new(n)),
        }
    }
}

impl Field for Warnings {
    fn put(&self, out: &mut Encoder) {
        let (kept, more, counts) = self.parts();
        out.list(kept.iter());
        out.list(more.iter());
        out.field(&counts.iter().map(|(&kind, &count)| (kind, count)).collect::<Vec<_>>());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        let (kept, more) = (from.field()?, from.field()?);
        let counts: Vec<(WarningKind, u64)> = from.field()?;
        let counts: BTreeMap<_, _> = counts.into_iter().collect();
        Self::from_parts(kept, more, counts).ok_or_else(|| "warnings that do not add up".into())
    }
}

/// Paths that are examined alone stand for their closure.
impl Field for Examine {
    fn put(&self, out: &mut Encoder) {
        let (scope, targets): (u64, &[PathId]) = match self {
            Self::All => (0, &[]),
            Self::Closure(targets) | Self::Only(targets) => (1, targets),
        };
        out.number(scope);
        out.list(targets.iter());
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        let (scope, targets): (u64, Vec<PathId>) = from.field()?;
        match scope {
            0 if targets.is_empty() => Ok(Self::All),
            1 => Ok(Self::Closure(targets)),
            _ => Err("what it examines is not known".into()),
        }
    }
}

/// Of what lies outside the store, where blocks say it all.
impl Field for Space {
    const LEAST: usize = 2;

    fn put(&self, out: &mut Encoder) {
        out.field(&self.disk_size);
        out.field(&self.inodes);
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        Ok(Self::blocks(from.field()?, from.field()?))
    }
}
