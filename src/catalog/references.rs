//! The table of references of Nix's own database, which two threads may share.

use super::open::Quota;
use super::sqlite::{LoadError, NONE, Numbers, ODD, OddRows, columns, integer};
use super::{Builder, OddEnd};
use crate::warning::WarningKind;
use rusqlite::Connection;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Parts that a table is read in, at most, and row numbers that are a part at least: looking at
/// the number of each row takes 8 % more instructions.
const PARTS: u64 = 64;
const LEAST: u64 = 1 << 15;

/// Parts of the table, to be read by several threads, each over a connection of its own.
pub(super) struct Parts {
    query: &'static str,
    /// The last row number of each part but the last; all are one part where rows are few or
    /// have no numbers.
    ends: Option<Vec<i64>>,
    begun: AtomicUsize,
}

/// References by the ids of rows.
type Pairs = Vec<(u32, u32)>;

impl Parts {
    /// The parts of the table; `None` if nothing can be read.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let present = columns(connection, "Refs").ok()?;
        let query = query_of(&present).ok()?;
        // A column of that name may hold anything. A table without row numbers has none.
        let numbered = !present.iter().any(|name| name.eq_ignore_ascii_case(ROW_NUMBER));
        let end = |end: &str| -> Option<i64> {
            let sql = format!("SELECT {end}({ROW_NUMBER}) FROM Refs");
            connection.query_row(&sql, [], |row| row.get(0)).ok()
        };
        let range = if numbered { end("min").zip(end("max")) } else { None };
        let ends = range.map(|(first, last)| ends(first, last)).filter(|ends| !ends.is_empty());
        Some(Self { query, ends, begun: AtomicUsize::new(0) })
    }

    fn count(&self) -> usize {
        self.ends.as_ref().map_or(0, Vec::len) + 1
    }

    /// Reads parts that nobody began, one after the other, each with its place; `None` if a
    /// reference has no such id, or cannot be read: [`References::load`] is to find what it is
    /// then.
    pub(super) fn read(
        &self,
        connection: &Connection,
        mut quota: Quota,
    ) -> Option<Vec<(usize, Pairs)>> {
        let read = self.read_each(connection, &mut quota);
        if read.is_none() {
            self.end();
        }
        read
    }

    fn read_each(&self, connection: &Connection, quota: &mut Quota) -> Option<Vec<(usize, Pairs)>> {
        let mut statement = match &self.ends {
            None => connection.prepare(self.query),
            Some(_) => {
                let range = format!("WHERE {ROW_NUMBER} BETWEEN ?1 AND ?2");
                connection.prepare(&format!("{} {range}", self.query))
            }
        }
        .ok()?;
        let mut read = Vec::new();
        loop {
            let at = self.begun.fetch_add(1, Ordering::Relaxed);
            if at >= self.count() {
                return Some(read);
            }
            let rows = match &self.ends {
                None => statement.query([]),
                Some(ends) => {
                    let first = at.checked_sub(1).map_or(i64::MIN, |before| ends[before] + 1);
                    statement.query([first, ends.get(at).copied().unwrap_or(i64::MAX)])
                }
            };
            let mut rows = rows.ok()?;
            let mut pairs = Vec::new();
            while let Some(row) = rows.next().ok()? {
                quota.row().ok()?;
                let id = |column| u32::try_from(integer(row, column).ok()??).ok();
                pairs.push((id(0)?, id(1)?));
            }
            read.push((at, pairs));
        }
    }

    /// Has no part begun any more.
    pub(super) fn end(&self) {
        self.begun.store(self.count(), Ordering::Relaxed);
    }

    /// What both threads read, in the order of the table; `None` if that is not all.
    pub(super) fn together(&self, read: [Vec<(usize, Pairs)>; 2]) -> Option<Vec<Pairs>> {
        let mut all: Vec<_> = (0..self.count()).map(|_| None).collect();
        for (at, pairs) in read.into_iter().flatten() {
            all[at] = Some(pairs);
        }
        all.into_iter().collect()
    }
}

/// What SQLite calls the number of a row.
const ROW_NUMBER: &str = "rowid";

/// Where parts of rows of these numbers end, but for the last, which ends with the table.
fn ends(first: i64, last: i64) -> Vec<i64> {
    let rows = u128::from(last.abs_diff(first)) + 1;
    let part = rows.div_ceil(PARTS.into()).max(LEAST.into());
    let end = |at: u128| i64::try_from(i128::from(first) + (at * part) as i128 - 1).ok();
    (1..rows.div_ceil(part)).filter_map(end).collect()
}

/// The query of both columns of the table, which has these.
fn query_of(present: &[String]) -> Result<&'static str, LoadError> {
    let has = |name: &&str| present.iter().any(|column| column.eq_ignore_ascii_case(name));
    match ["referrer", "reference"].iter().all(has) {
        true => Ok("SELECT referrer, reference FROM Refs"),
        false => Err(LoadError::Schema("Refs(referrer, reference)")),
    }
}

/// Makes references of ids of rows.
pub(super) struct References<'b> {
    pub(super) builder: &'b mut Builder,
    pub(super) numbers: &'b Numbers,
    pub(super) odd: &'b OddRows,
}

impl References<'_> {
    /// Reads all of them, whatever their ends are.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub(super) fn load(
        &mut self,
        connection: &Connection,
        quota: &mut Quota,
    ) -> Result<(), LoadError> {
        let mut statement = connection.prepare(query_of(&columns(connection, "Refs")?)?)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            quota.row()?;
            let (referrer, reference) = (integer(row, 0)?, integer(row, 1)?);
            if let Some((from, to)) = self.numbers(referrer, reference) {
                self.builder.add_reference(from, to);
            }
        }
        Ok(())
    }

    /// Gives these to the builder.
    pub(super) fn take(&mut self, mut pairs: Vec<(u32, u32)>) {
        pairs.retain_mut(|pair| {
            let numbers = self.numbers(Some(pair.0.into()), Some(pair.1.into()));
            *pair = numbers.unwrap_or_default();
            numbers.is_some()
        });
        self.builder.add_references(pairs);
    }

    /// The numbers of both ends; warns where one has none.
    #[inline]
    fn numbers(&mut self, referrer: Option<i64>, reference: Option<i64>) -> Option<(u32, u32)> {
        let number = |id: Option<i64>| id.map_or(NONE, |id| self.numbers.get(id));
        let (from, to) = (number(referrer), number(reference));
        if from < ODD && to < ODD {
            return Some((from, to));
        }
        self.warn((referrer, from), (reference, to));
        None
    }

    /// Tells of a reference with an end that is odd or gone, by the id and the number of
    /// each end.
    #[cold]
    fn warn(&mut self, (referrer, from): (Option<i64>, u32), (reference, to): (Option<i64>, u32)) {
        let Self { builder, odd, .. } = self;
        // Nix cannot read the odd row, and SQLite deletes nothing to which a
        // row that is gone refers; a reference to what is gone goes unseen.
        if to < ODD {
            builder.set_undeletable(to);
        } else if from < ODD && to == ODD {
            builder.set_undeletable(from);
        }
        if from < ODD && to == ODD {
            builder.set_beside_odd_row(from, OddEnd::Reference);
        } else if from == ODD && to < ODD {
            builder.set_beside_odd_row(to, OddEnd::Referrer);
        }
        let what = match to {
            ODD => "refers to what is not a store path",
            NONE => "refers to what has no row",
            _ if from == NONE => "its referrer has no row",
            // An odd row is reported already; that it refers to something adds nothing.
            _ => return,
        };
        let kind = WarningKind::DanglingReference;
        if !builder.warnings().has_room(kind) {
            builder.warnings().count(kind);
            return;
        }
        // What is at an end of the reference: a path, or words for what is none.
        let name = |id: Option<i64>, number: u32| match (id, number) {
            (_, number) if number < ODD => builder.path(number).into_bytes(),
            (Some(id), ODD) => odd
                .get(&id)
                .cloned()
                .unwrap_or_else(|| format!("row {id}, which is odd").into_bytes()),
            (Some(id), _) => format!("row {id}, which is gone").into_bytes(),
            (None, _) => b"no row at all".to_vec(),
        };
        let (referrer, reference) = (name(referrer, from), name(reference, to));
        let (path, other) = if to < ODD { (reference, referrer) } else { (referrer, reference) };
        let message = format!("{what}: {}", other.escape_ascii());
        builder.warnings().push(kind, path, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_in_one_part() {
        let ranges = [
            (1, 1),
            (1, LEAST as i64),
            (1, LEAST as i64 + 1),
            (-50_000, 50_000),
            (7, 3_000_000),
            (i64::MIN, i64::MAX),
            (i64::MAX - 90_000, i64::MAX),
        ];
        for (first, last) in ranges {
            let ends = ends(first, last);
            assert!(ends.is_sorted_by(|a, b| a < b), "{ends:?}");
            assert!(ends.len() < PARTS as usize);
            assert!(ends.iter().all(|&end| first <= end && end < last), "{first} {last} {ends:?}");
            let rows = last.abs_diff(first);
            assert_eq!(ends.is_empty(), rows < LEAST, "{first} {last}");
        }
    }
}
