//! Parts of a disk that inodes share.

use super::extents::damaged;
use crate::arrange::Arrange as _;
use std::io;

/// A part of the disk that one inode refers to, and what is known of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<T> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) inode: u64,
    pub(crate) of: T,
}

/// Into how many parts extents may be cut on average: far more than any file system in
/// use needs, and less than one made for it could ask for.
const MOST_CUTS: usize = 64;

/// Parts that overlap are cut into such as are the same or apart. In the order of
/// inodes, and of the disk in each.
///
/// # Errors
/// `InvalidData` where they overlap in more ways than files of a disk do.
pub(crate) fn apart<T: Copy>(mut parts: Vec<Part<T>>) -> io::Result<Vec<Part<T>>> {
    parts.arrange_by_number(|part| part.start);
    let most = parts.len().saturating_mul(MOST_CUTS).saturating_add(1 << 20);
    let mut all = Vec::with_capacity(parts.len());
    let mut rest = &parts[..];
    let mut ends = Vec::new();
    while let Some(first) = rest.first() {
        // As many as overlap, one with the next.
        let (mut count, mut end) = (1, first.end);
        while let Some(part) = rest.get(count).filter(|part| part.start < end) {
            end = end.max(part.end);
            count += 1;
        }
        let (together, after) = rest.split_at(count);
        rest = after;
        if count == 1 {
            all.push(*first);
            continue;
        }
        ends.clear();
        ends.extend(together.iter().flat_map(|part| [part.start, part.end]));
        ends.sort_unstable();
        ends.dedup();
        for part in together {
            let mut start = part.start;
            let from = ends.partition_point(|&end| end <= start);
            for &end in ends[from..].iter().take_while(|&&end| end <= part.end) {
                all.push(Part { start, end, ..*part });
                start = end;
            }
            if all.len() > most {
                return Err(damaged("its extents are shared in too many ways"));
            }
        }
    }
    all.arrange_by_number(|part| part.inode);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(inode: u64, start: u64, end: u64) -> Part<()> {
        Part { start, end, inode, of: () }
    }

    #[test]
    fn what_overlaps_is_cut_apart() {
        let parts = vec![part(1, 0, 100), part(2, 0, 25), part(3, 50, 150), part(1, 200, 300)];
        let all = [
            part(1, 0, 25),
            part(1, 25, 50),
            part(1, 50, 100),
            part(1, 200, 300),
            part(2, 0, 25),
            part(3, 50, 100),
            part(3, 100, 150),
        ];
        assert_eq!(apart(parts).unwrap(), all);
        assert_eq!(apart::<()>(Vec::new()).unwrap(), []);
    }

    #[test]
    fn a_file_system_made_to_be_cut_often_is_refused() {
        let long = (0..3000).map(|i| part(i, 0, 1 << 30));
        let short = (0..3000).map(|i| part(9000 + i, i * 100, i * 100 + 50));
        assert!(apart(long.chain(short).collect()).is_err());
    }
}
