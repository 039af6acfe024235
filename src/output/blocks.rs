//! Putting many rows together on several threads, and writing them in their order.

use crate::answer::{Cell, Numbered, RowIter};
use crate::threads;
use rayon::prelude::*;
use std::io;
use std::ops::Range;

/// Rows that are put together while those before them are written.
const BLOCK: usize = 2048;
/// Rows that a thread puts together at once. Answers of no more start no threads.
const CHUNK: usize = 128;

/// Calls `put` on a few rows at a time and `write` on what comes of them, in the order
/// of the rows.
///
/// # Errors
/// Those of `write`.
pub(super) fn write_in_order<'a, T: Send>(
    rows: RowIter<'a>,
    put: impl Fn(&[Vec<Cell<'a>>]) -> T + Sync,
    mut write: impl FnMut(T) -> io::Result<()>,
) -> io::Result<()> {
    let Numbered { rows, row } = match rows.numbered() {
        Ok(numbered) => numbered,
        // On this thread, as their iterator is not to be sent to another one.
        Err(mut rows) => loop {
            let some: Vec<_> = rows.by_ref().take(CHUNK).collect();
            if some.is_empty() {
                return Ok(());
            }
            write(put(&some))?;
        },
    };
    let mut done: Vec<T> = Vec::new();
    for block in blocks(rows) {
        let chunks: Vec<_> = parts(block, CHUNK).collect();
        let of_chunk = |at: usize| put(&chunks[at].clone().map(&row).collect::<Vec<_>>());
        if chunks.len() == 1 {
            done.drain(..).try_for_each(&mut write)?;
            write(of_chunk(0))?;
            continue;
        }
        threads::ready();
        let mut now: Vec<T> = Vec::new();
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| now = (0..chunks.len()).into_par_iter().map(of_chunk).collect());
            done.drain(..).try_for_each(&mut write)
        })?;
        done = now;
    }
    done.into_iter().try_for_each(write)
}

/// What `of` makes of each of so many rows, by its number, on several threads where
/// there are many.
pub(super) fn map_rows<T: Send>(rows: Range<usize>, of: impl Fn(usize) -> T + Sync) -> Vec<T> {
    if rows.len() <= CHUNK {
        return rows.map(of).collect();
    }
    threads::ready();
    rows.into_par_iter().with_min_len(CHUNK).map(&of).collect()
}

/// The numbers of rows, a block at a time.
pub(super) fn blocks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    parts(rows, BLOCK)
}

fn parts(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(most).map(move |start| start..end.min(start.saturating_add(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(row: &[Cell<'_>]) -> u64 {
        match row[0] {
            Cell::Count(n) => n,
            _ => u64::MAX,
        }
    }

    #[test]
    fn rows_stay_in_their_order_and_an_error_ends_it() {
        for count in [0, 1, CHUNK, CHUNK + 1, BLOCK + 1, BLOCK + CHUNK + 1, 3 * BLOCK + 7] {
            let numbers: Vec<u64> = (0..count as u64).collect();
            let row = |&n: &u64| vec![Cell::Count(n)];
            let one_by_one = || RowIter::new(numbers.iter().map(row));
            let numbered = || RowIter::of(&numbers, row);
            let put =
                |rows: &[Vec<Cell<'_>>]| rows.iter().map(|row| number(row)).collect::<Vec<u64>>();
            for rows in [&one_by_one as &dyn Fn() -> _, &numbered] {
                let mut all = Vec::new();
                write_in_order(rows(), put, |mut some| {
                    all.append(&mut some);
                    Ok(())
                })
                .unwrap();
                assert_eq!(all, numbers);
                for fails_at in [1, 3] {
                    let mut writes = 0;
                    let write = |_| {
                        writes += 1;
                        if writes == fails_at { Err(io::Error::other("full")) } else { Ok(()) }
                    };
                    let failed = write_in_order(rows(), put, write).is_err();
                    assert_eq!(failed, count > (fails_at - 1) * CHUNK, "{count} {fails_at}");
                    assert!(writes <= fails_at);
                }
            }
            let few = numbered().at_most(3).each(|mut row| {
                row.push(Cell::Missing);
                row
            });
            assert_eq!(few.size_hint(), (count.min(3), Some(count.min(3))));
            assert_eq!(few.map(|row| (number(&row), row.len())).last(), {
                let last = count.min(3).checked_sub(1);
                last.map(|last| (last as u64, 2))
            });
        }
    }
}
