//! Putting many rows together on several threads, and writing them in their order.

use crate::answer::{Numbered, Row, RowIter};
use crate::threads;
use std::io;
use std::ops::Range;

/// Rows that a thread puts together at once, at most. Answers of no more start no threads.
const CHUNK: usize = 128;
/// Bytes that those may become, about: fewer rows are taken where they become more.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that are put together while those before them are written.
const CHUNKS: usize = 16;

/// Puts rows together by `put`, which adds one to a text, and hands texts of several rows
/// to `write`, in the order of the rows. What waits to be written is a few MiB, if rows do
/// not grow much from one to the next.
///
/// # Errors
/// Those of `put` and `write`.
pub(super) fn write_in_order<'a>(
    rows: RowIter<'a>,
    put: impl Fn(&Row<'a>, &mut Vec<u8>) -> io::Result<()> + Sync,
    write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let Numbered { rows, row } = match rows.numbered() {
        Ok(numbered) if numbered.rows.len() > CHUNK => numbered,
        Ok(Numbered { rows, row }) => return write_one_by_one(rows.map(row), put, write),
        // On this thread, as their iterator is not to be sent to another one.
        Err(rows) => return write_one_by_one(rows, put, write),
    };
    write_numbered(rows, |number, text: &mut Vec<u8>| put(&row(number), text), write)
}

/// The same of rows that `put` knows by their numbers, with any kind of text.
///
/// # Errors
/// Those of `put` and `write`.
pub(super) fn write_numbered<T: AsRef<[u8]> + Default + Send>(
    mut rows: Range<usize>,
    put: impl Fn(usize, &mut T) -> io::Result<()> + Sync,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let together = |mut rows: Range<usize>| {
        let mut text = T::default();
        rows.try_for_each(|number| put(number, &mut text))?;
        Ok(text)
    };
    if rows.len() <= CHUNK {
        return if rows.is_empty() { Ok(()) } else { write(together(rows)?.as_ref()) };
    }
    threads::ready();
    let mut chunk = 1;
    let mut done: io::Result<Vec<T>> = Ok(Vec::new());
    while !rows.is_empty() {
        let block = rows.start..rows.end.min(rows.start + CHUNKS * chunk);
        rows.start = block.end;
        let chunks: Vec<_> = parts(block, chunk).collect();
        let mut now = Ok(Vec::new());
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| {
                let made = threads::map(chunks.len(), 1, |at| together(chunks[at].clone()));
                now = made.into_iter().collect();
            });
            done?.iter().try_for_each(|text| write(text.as_ref()))
        })?;
        let lengths = now.iter().flatten().map(|text| text.as_ref().len());
        let longest = lengths.max().unwrap_or(0).max(1);
        chunk = (chunk * CHUNK_BYTES / longest).clamp(1, CHUNK.min(4 * chunk));
        done = now;
    }
    done?.iter().try_for_each(|text| write(text.as_ref()))
}

fn write_one_by_one<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    put: impl Fn(&Row<'a>, &mut Vec<u8>) -> io::Result<()>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut text = Vec::new();
    for row in rows {
        put(&row, &mut text)?;
        if text.len() >= CHUNK_BYTES / CHUNKS {
            write(&text)?;
            text.clear();
        }
    }
    if text.is_empty() { Ok(()) } else { write(&text) }
}

/// What `of` makes of each of so many rows, by its number, on several threads where
/// there are many.
pub(super) fn map_rows<T: Send>(rows: Range<usize>, of: impl Fn(usize) -> T + Sync) -> Vec<T> {
    if rows.len() <= CHUNK {
        return rows.map(of).collect();
    }
    threads::map(rows.len(), CHUNK, |at| of(rows.start + at))
}

fn parts(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(most).map(move |start| start..end.min(start.saturating_add(most)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Cell;
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn number(row: &[Cell<'_>]) -> u64 {
        match row[0] {
            Cell::Count(n) => n,
            _ => u64::MAX,
        }
    }

    fn put(row: &Row<'_>, text: &mut Vec<u8>) -> io::Result<()> {
        writeln!(text, "{}", number(row))
    }

    #[test]
    fn rows_stay_in_their_order_and_an_error_ends_it() {
        for count in [0, 1, CHUNK, CHUNK + 1, CHUNKS * CHUNK + 1, 5 * CHUNKS * CHUNK + 7] {
            let numbers: Vec<u64> = (0..count as u64).collect();
            let row = |&n: &u64| vec![Cell::Count(n)];
            let one_by_one = || RowIter::new(numbers.iter().map(row));
            let numbered = || RowIter::of(&numbers, row);
            let expected: String = numbers.iter().map(|n| format!("{n}\n")).collect();
            for rows in [&one_by_one as &dyn Fn() -> _, &numbered] {
                let mut all = Vec::new();
                let write = |text: &[u8]| all.write_all(text);
                write_in_order(rows(), put, write).unwrap();
                assert_eq!(String::from_utf8(all).unwrap(), expected);
                let mut writes = 0;
                let full = |_: &[u8]| {
                    writes += 1;
                    Err(io::Error::other("full"))
                };
                assert_eq!(write_in_order(rows(), put, full).is_err(), count > 0);
                assert_eq!(writes, count.min(1));
                // What cannot be put together is an error too, after all before it.
                let odd = |row: &Row<'_>, text: &mut Vec<u8>| match number(row) {
                    130 => Err(io::Error::other("odd")),
                    _ => put(row, text),
                };
                assert_eq!(write_in_order(rows(), odd, |_| Ok(())).is_err(), count > 130);
            }
            let few = numbered().at_most(3).each(|mut row| {
                row.push(Cell::Missing);
                row
            });
            assert_eq!(few.size_hint(), (count.min(3), Some(count.min(3))));
            let last = count.min(3).checked_sub(1).map(|last| (last as u64, 2));
            assert_eq!(few.map(|row| (number(&row), row.len())).last(), last);
        }
    }

    #[test]
    fn texts_of_rows_stay_in_their_order_and_an_error_ends_it() {
        for count in [0, 1, CHUNK, CHUNK + 1, CHUNKS * CHUNK + 1, 3 * CHUNKS * CHUNK + 7] {
            let expected: String = (0..count).map(|n| format!("{n}\n")).collect();
            let put = |row: usize, text: &mut String| {
                text.push_str(&format!("{row}\n"));
                Ok(())
            };
            let mut all = Vec::new();
            write_numbered(0..count, put, |text| all.write_all(text)).unwrap();
            assert_eq!(String::from_utf8(all).unwrap(), expected);
            let mut none: &mut [u8] = &mut [];
            let full = write_numbered(0..count, put, |text| none.write_all(text));
            assert_eq!(full.is_err(), count > 0);
        }
    }

    #[test]
    fn long_rows_are_put_together_a_few_at_a_time() {
        let numbers: Vec<u64> = (0..2000).collect();
        let rows = RowIter::of(&numbers, |&n| vec![Cell::Count(n)]);
        let (made, mut written, mut most) = (AtomicUsize::new(0), 0, 0);
        let long = |_: &Row<'_>, text: &mut Vec<u8>| {
            made.fetch_add(1, Ordering::Relaxed);
            text.resize(text.len() + CHUNK_BYTES, b'x');
            Ok(())
        };
        write_in_order(rows, long, |text| {
            most = most.max(made.load(Ordering::Relaxed) * CHUNK_BYTES - written);
            written += text.len();
            Ok(())
        })
        .unwrap();
        assert_eq!(written, numbers.len() * CHUNK_BYTES);
        // Those that are written, and those that are put together meanwhile.
        assert!(most <= 2 * CHUNKS * CHUNK_BYTES, "{most}");
    }
}
