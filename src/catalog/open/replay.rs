//! What SQLite does with the logs beside a database, done on an image of it in
//! memory: a rollback journal is rolled back, and the committed transactions of
//! a write-ahead log are applied. SQLite itself would need files with names, in
//! a directory that it may write to, and whatever ends the program at the wrong
//! moment would leave them there.
//!
//! The formats are those of SQLite's "Database File Format", sections 3 and 4;
//! the order of the checks is that of `pager_playback` and `walIndexRecover`.

use std::io;

/// What a rollback journal begins with, and each further header in it.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// The length of a journal's header, without what fills its sector.
const HEADER: usize = 28;
const FRAME_HEADER: usize = 24;
/// The length of a write-ahead log without a frame.
pub(super) const WAL_HEADER: usize = 32;
/// The byte that SQLite locks; no data is in its page.
const LOCK_BYTE: u64 = 1 << 30;

/// The big-endian number at an offset.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

fn odd(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A page size that SQLite has.
fn page_size(size: u32) -> Option<usize> {
    (size.is_power_of_two() && (512..=65536).contains(&size)).then_some(size as usize)
}

/// Writes a page at its place; pages beyond the end make the image longer, to
/// at most `longest` bytes.
fn put(image: &mut Vec<u8>, number: u32, page: &[u8], longest: u64) -> io::Result<()> {
    let at = u64::from(number - 1) * page.len() as u64;
    if at + page.len() as u64 > longest {
        return Err(odd("its log has pages far beyond its end"));
    }
    let at = at as usize;
    if image.len() < at + page.len() {
        image.resize(at + page.len(), 0);
    }
    image[at..at + page.len()].copy_from_slice(page);
    Ok(())
}

/// Undoes the transaction that a rollback journal is of.
///
/// # Errors
/// If the transaction spanned several databases, or the journal is odd.
pub(crate) fn roll_back(image: &mut Vec<u8>, journal: &[u8]) -> io::Result<()> {
    // The name of a super-journal, its length and a checksum.
    if journal.ends_with(&JOURNAL_MAGIC) && journal.len() > HEADER {
        return Err(odd("its journal is of a transaction over several databases"));
    }
    let longest = (image.len() + journal.len()) as u64;
    let Some(sector) = word(journal, 20).map(|s| s as usize) else { return Ok(()) };
    let page = match (word(journal, 24), word(journal, 20)) {
        (Some(0), _) => return Err(odd("its journal is of a very old SQLite")),
        (Some(page), Some(sector))
            if sector.is_power_of_two() && (32..=65536).contains(&sector) =>
        {
            match page_size(page) {
                Some(page) => page,
                None => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    let mut at = 0;
    let mut pages = 0;
    loop {
        at = usize::next_multiple_of(at, sector);
        if journal.get(at..at + 8) != Some(&JOURNAL_MAGIC[..]) {
            return Ok(());
        }
        let words = [8, 12, 16].map(|offset| word(journal, at + offset));
        let [Some(mut records), Some(nonce), Some(size)] = words else { return Ok(()) };
        let first = at == 0;
        at += sector;
        let record = page + 8;
        if records == u32::MAX {
            records = (journal.len().saturating_sub(sector) / record) as u32;
        }
        if first {
            pages = size;
            let length = u64::from(size) * page as u64;
            if length > longest {
                return Err(odd("its journal is of a much longer database"));
            }
            image.resize(length as usize, 0);
        }
        for _ in 0..records {
            let Some(bytes) = journal.get(at..at + record) else { return Ok(()) };
            at += record;
            let number = word(bytes, 0).unwrap_or_default();
            let (data, check) = (&bytes[4..4 + page], word(bytes, 4 + page));
            if number == 0 || u64::from(number - 1) == LOCK_BYTE / page as u64 {
                return Ok(());
            }
            if number > pages {
                continue;
            }
            let samples = (1..page).rev().skip(199).step_by(200).map(|i| u32::from(data[i]));
            if check != Some(samples.fold(nonce, u32::wrapping_add)) {
                return Ok(());
            }
            put(image, number, data, longest)?;
        }
    }
}

/// Applies the transactions that a write-ahead log says were committed.
///
/// # Errors
/// If the log is of a form that is not known, or odd.
pub(crate) fn apply_log(image: &mut Vec<u8>, log: &[u8]) -> io::Result<()> {
    let Some(header) = log.get(..WAL_HEADER) else { return Ok(()) };
    let word = |bytes, at| word(bytes, at).unwrap_or_default();
    let magic = word(header, 0);
    let Some(page) = page_size(word(header, 8)).filter(|_| magic & !1 == 0x377f_0682) else {
        return Ok(());
    };
    let big_endian = magic & 1 == 1;
    let mut sum = checksum(big_endian, [0, 0], &header[..24]);
    if sum != [word(header, 24), word(header, 28)] {
        return Ok(());
    }
    if word(header, 4) != 3_007_000 {
        return Err(odd("its write-ahead log is of a version that is not known"));
    }
    let longest = (image.len() + log.len()) as u64;
    // All pages, and how many of them the last end of a transaction made count, with
    // how many pages the database has then. The image is written once: transactions
    // that make it shorter and longer in turn would fill it anew for each.
    let mut pages: Vec<(u32, &[u8])> = Vec::new();
    let mut committed = None;
    for frame in log[WAL_HEADER..].chunks_exact(FRAME_HEADER + page) {
        let (head, data) = frame.split_at(FRAME_HEADER);
        let (number, size) = (word(head, 0), word(head, 4));
        if head[8..16] != header[16..24] || number == 0 {
            break;
        }
        sum = checksum(big_endian, sum, &head[..8]);
        sum = checksum(big_endian, sum, data);
        if sum != [word(head, 16), word(head, 20)] {
            break;
        }
        pages.push((number, data));
        if size != 0 {
            let length = u64::from(size) * page as u64;
            if length > longest {
                return Err(odd("its log is of a much longer database"));
            }
            committed = Some((pages.len(), size, length));
        }
    }
    let Some((count, size, length)) = committed else { return Ok(()) };
    for &(number, data) in pages[..count].iter().filter(|&&(number, _)| number <= size) {
        put(image, number, data, longest)?;
    }
    image.resize(length as usize, 0);
    Ok(())
}

/// SQLite's checksum of a write-ahead log (`walChecksumBytes`).
pub(super) fn checksum(big_endian: bool, [mut a, mut b]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        let word = |at| {
            let word: [u8; 4] = std::array::from_fn(|i| pair[at + i]);
            if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        a = a.wrapping_add(word(0)).wrapping_add(b);
        b = b.wrapping_add(word(4)).wrapping_add(a);
    }
    [a, b]
}
