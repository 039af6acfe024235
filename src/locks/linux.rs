//! Linux lists all locks in `/proc/locks`.

use super::FileLock;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No list is longer; a longer one is odd.
const MAX: u64 = 256 << 20;

/// All locks that the kernel lists.
///
/// # Errors
/// If `/proc/locks` cannot be read.
pub(crate) fn list() -> io::Result<Vec<FileLock>> {
    let path = Path::new("/proc/locks");
    read(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

fn read(path: &Path) -> io::Result<Vec<FileLock>> {
    let mut file = File::open(path)?.take(MAX);
    // One read is one moment; between two a lock may move and be missed. The
    // kernel gives as much as there is room for.
    let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(parse(&text)),
            n => text.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Parses lines such as `1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF`; one
/// that waits has `->` before its type.
fn parse(text: &[u8]) -> Vec<FileLock> {
    let lock = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1).skip_while(|&word| word == "->");
        let flock = words.next()? == "FLOCK";
        let inode = words.nth(3)?.rsplit(':').next()?.parse().ok()?;
        let first = words.next()?.parse().ok()?;
        let last = match words.next()? {
            "EOF" => None,
            last => Some(last.parse().ok()?),
        };
        Some(FileLock { inode, flock, bytes: (first, last) })
    };
    String::from_utf8_lossy(text).lines().filter_map(lock).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_locks() {
        let text = b"1: POSIX  ADVISORY  READ 1 08:01:11 128 128\n\
                     2: FLOCK  ADVISORY  WRITE 2 08:01:22 0 EOF\n\
                     2: -> FLOCK  ADVISORY  READ 3 08:01:33 0 EOF\n\
                     3: OFDLCK ADVISORY  READ -1 00:2f:44 7 9\n\
                     4: POSIX\n\n\xff\n";
        let lock = |inode, flock, first, last| FileLock { inode, flock, bytes: (first, last) };
        let expected = [
            lock(11, false, 128, Some(128)),
            lock(22, true, 0, None),
            lock(33, true, 0, None),
            lock(44, false, 7, Some(9)),
        ];
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn a_lock_of_our_own_is_listed() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::tempfile().unwrap();
        file.lock().unwrap();
        let inode = file.metadata().unwrap().ino();
        let own = |lock: &FileLock| (lock.inode, lock.flock) == (inode, true);
        assert!(list().unwrap().iter().any(own));
    }

    #[test]
    fn a_list_that_is_not_there_is_an_error() {
        assert!(read(Path::new("/nowhere/locks")).is_err());
    }
}
