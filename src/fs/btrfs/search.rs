//! The calls by which btrfs shows its trees (Linux: `include/uapi/linux/btrfs.h`,
//! `btrfs_tree.h`). Both need CAP_SYS_ADMIN, but for asking which tree a file is in.

#![allow(unsafe_code, reason = "rustix has no safe function for calls of one file system")]

use super::super::extents::{Calls, TreeKey, damaged};
use super::super::ioctl::{Direction, call};
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd};

/// Of all calls of btrfs (`BTRFS_IOCTL_MAGIC`).
pub(super) const MAGIC: u8 = 0x94;
/// Bytes that one search may fill; with many more each search takes longer than it saves.
const BUFFER: usize = 64 << 10;
/// Bytes before each item: `struct btrfs_ioctl_search_header`.
const HEADER: usize = 32;

/// What orders all items of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) object: u64,
    pub(super) kind: u8,
    pub(super) offset: u64,
}

impl Key {
    pub(super) const fn new(object: u64, kind: u8, offset: u64) -> Self {
        Self { object, kind, offset }
    }

    pub(super) fn of((object, kind, offset): TreeKey) -> Self {
        Self { object, kind, offset }
    }

    pub(super) fn as_tree_key(self) -> TreeKey {
        (self.object, self.kind, self.offset)
    }

    /// The one after it; `None` after the last.
    fn next(self) -> Option<Self> {
        if let Some(offset) = self.offset.checked_add(1) {
            return Some(Self { offset, ..self });
        }
        if let Some(kind) = self.kind.checked_add(1) {
            return Some(Self { kind, offset: 0, ..self });
        }
        Some(Self::new(self.object.checked_add(1)?, 0, 0))
    }
}

/// `struct btrfs_ioctl_search_args_v2` with its buffer.
#[repr(C)]
struct SearchArgs {
    tree: u64,
    min_object: u64,
    max_object: u64,
    min_offset: u64,
    max_offset: u64,
    min_transaction: u64,
    max_transaction: u64,
    min_kind: u32,
    max_kind: u32,
    items: u32,
    unused: u32,
    unused_too: [u64; 4],
    buffer_size: u64,
    buffer: [u8; BUFFER],
}

/// `struct btrfs_ioctl_ino_lookup_args`.
#[repr(C)]
struct LookupArgs {
    tree: u64,
    object: u64,
    name: [u8; 4080],
}

/// `BTRFS_IOC_TREE_SEARCH_V2`.
fn search_once(fd: BorrowedFd<'_>, args: &mut SearchArgs) -> io::Result<()> {
    let size = offset_of!(SearchArgs, buffer);
    // SAFETY: the call takes this struct, and `buffer_size` says how long its buffer is.
    unsafe { call(fd, (Direction::ReadWrite, MAGIC, 17, size), args) }
}

/// `BTRFS_IOC_INO_LOOKUP`: the number of a tree (0 is that of the open file), and
/// the path in it of a directory.
pub(super) fn lookup(fd: impl AsFd, tree: u64, object: u64) -> io::Result<(u64, Vec<u8>)> {
    let mut args = Box::new(LookupArgs { tree, object, name: [0; 4080] });
    let number = (Direction::ReadWrite, MAGIC, 18, size_of::<LookupArgs>());
    // SAFETY: the call takes this struct.
    unsafe { call(fd, number, &mut *args) }?;
    let end = args.name.iter().position(|&b| b == 0).unwrap_or(args.name.len());
    Ok((args.tree, args.name[..end].to_vec()))
}

/// Shows the items of a tree from one key to another, in their order.
///
/// # Errors
/// `QuotaExceeded` when that takes more calls than are left.
pub(super) fn search(
    from: (impl AsFd, &Calls),
    tree: u64,
    (first, last): (Key, Key),
    each: &mut dyn FnMut(Key, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    Search::new(from, tree, last).show(first, usize::MAX, each).map(|_| ())
}

/// Looks for items of a tree, from one key or another up to the last.
pub(super) struct Search<'a, F> {
    fd: F,
    calls: &'a Calls,
    last: Key,
    args: Box<SearchArgs>,
}

impl<'a, F: AsFd> Search<'a, F> {
    pub(super) fn new((fd, calls): (F, &'a Calls), tree: u64, last: Key) -> Self {
        let args = Box::new(SearchArgs {
            tree,
            min_object: 0,
            max_object: last.object,
            min_offset: 0,
            max_offset: last.offset,
            min_transaction: 0,
            max_transaction: u64::MAX,
            min_kind: 0,
            max_kind: u32::from(last.kind),
            items: 0,
            unused: 0,
            unused_too: [0; 4],
            buffer_size: BUFFER as u64,
            buffer: [0; BUFFER],
        });
        Self { fd, calls, last, args }
    }

    /// Shows items from a key on, by so many calls; where it goes on, if there may be more.
    pub(super) fn show(
        &mut self,
        first: Key,
        calls: usize,
        each: &mut dyn FnMut(Key, &[u8]) -> io::Result<()>,
    ) -> io::Result<Option<Key>> {
        let mut from = first;
        for _ in 0..calls {
            let Some(shown) = self.call(from, u32::MAX, each)? else { return Ok(None) };
            match shown.next() {
                Some(next) if next <= self.last => from = next,
                _ => return Ok(None),
            }
        }
        Ok(Some(from))
    }

    /// The first key from one on.
    pub(super) fn first(&mut self, from: Key) -> io::Result<Option<Key>> {
        self.call(from, 1, &mut |_, _| Ok(()))
    }

    /// The last key that an item of the last object from a key on can have, of those up to a
    /// highest; `None` if there is none.
    pub(super) fn last_object(&mut self, from: Key, highest: u64) -> io::Result<Option<Key>> {
        let Some(found) = self.first(from)? else { return Ok(None) };
        let (mut last, mut highest) = (found.object, highest);
        while last < highest {
            let middle = highest - (highest - last) / 2;
            match self.first(Key::new(middle, 0, 0))? {
                Some(found) => last = found.object,
                None => highest = middle - 1,
            }
        }
        Ok(Some(Key::new(last, u8::MAX, u64::MAX)))
    }

    /// Shows as many items as are asked for and fit in the buffer; the last of their keys, if
    /// there are any.
    fn call(
        &mut self,
        from: Key,
        items: u32,
        each: &mut dyn FnMut(Key, &[u8]) -> io::Result<()>,
    ) -> io::Result<Option<Key>> {
        let args = &mut *self.args;
        args.min_object = from.object;
        args.min_kind = u32::from(from.kind);
        args.min_offset = from.offset;
        args.items = items;
        args.buffer_size = BUFFER as u64;
        // What it shows counts; where nothing is left it is not made.
        self.calls.take_part(0, BUFFER)?;
        search_once(self.fd.as_fd(), args)?;
        if args.items == 0 {
            return Ok(None);
        }
        let (last, filled) = show(&args.buffer, args.items, from, each)?;
        self.calls.take_part(filled, BUFFER)?;
        Ok(Some(last))
    }
}

/// Shows what a search filled its buffer with; the last key of it, and how much it filled.
fn show(
    buffer: &[u8],
    items: u32,
    mut from: Key,
    each: &mut dyn FnMut(Key, &[u8]) -> io::Result<()>,
) -> io::Result<(Key, usize)> {
    let odd = || damaged("its trees are in no order");
    let mut rest = buffer;
    let mut last = None;
    for _ in 0..items {
        let (header, after) = rest.split_at_checked(HEADER).ok_or_else(odd)?;
        // In the byte order of this machine, unlike what is in the items.
        let word =
            |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().unwrap_or_default());
        let half =
            |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap_or_default());
        let kind = u8::try_from(half(24)).map_err(|_| odd())?;
        let key = Key::new(word(8), kind, word(16));
        let (item, after) = after.split_at_checked(half(28) as usize).ok_or_else(odd)?;
        // Upward only, or a damaged tree would be read for ever.
        if key < from || last.is_some_and(|last| key <= last) {
            return Err(odd());
        }
        each(key, item)?;
        (last, from, rest) = (Some(key), key, after);
    }
    Ok((last.ok_or_else(odd)?, buffer.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: Key, bytes: &[u8]) -> Vec<u8> {
        let mut all = vec![0; 8];
        all.extend(key.object.to_ne_bytes());
        all.extend(key.offset.to_ne_bytes());
        all.extend(u32::from(key.kind).to_ne_bytes());
        all.extend((bytes.len() as u32).to_ne_bytes());
        all.extend(bytes);
        all
    }

    type Items = Vec<(Key, Vec<u8>)>;

    fn shown(buffer: &[u8], items: u32, from: Key) -> Result<(Key, Items), String> {
        let mut all = Vec::new();
        let last = show(buffer, items, from, &mut |key, bytes| {
            all.push((key, bytes.to_vec()));
            Ok(())
        });
        last.map(|(last, _)| (last, all)).map_err(|e| e.to_string())
    }

    #[test]
    fn items_are_shown_upward_and_within_the_buffer() {
        let (a, b) = (Key::new(256, 1, 0), Key::new(256, 108, 4096));
        let mut buffer = item(a, b"one");
        buffer.extend(item(b, b"two"));
        let both = vec![(a, b"one".to_vec()), (b, b"two".to_vec())];
        assert_eq!(shown(&buffer, 2, a), Ok((b, both)));
        // One that the buffer does not hold, one below what was asked for, the same twice.
        assert!(shown(&buffer, 3, a).is_err());
        assert!(shown(&buffer[..buffer.len() - 1], 2, a).is_err());
        assert!(shown(&buffer, 2, b).is_err());
        assert!(shown(&[item(a, b""), item(a, b"")].concat(), 2, a).is_err());
        assert!(shown(&buffer, 0, a).is_err());
    }

    #[test]
    fn keys_go_on_from_offset_to_kind_to_object() {
        let max = u64::MAX;
        assert_eq!(Key::new(1, 2, 3).next(), Some(Key::new(1, 2, 4)));
        assert_eq!(Key::new(1, 2, max).next(), Some(Key::new(1, 3, 0)));
        assert_eq!(Key::new(1, 255, max).next(), Some(Key::new(2, 0, 0)));
        assert_eq!(Key::new(max, 255, max).next(), None);
    }
}
