//! `--root` was given a file: what it seems to be, and how to get at a store in it.

use super::exit::Failure;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Where in a file its kind shows, and what to do with it.
const MARKS: &[(u64, &[u8], &str, Then)] = &[
    (0, b"hsqs", "a squashfs image", Then::Mount),
    (1080, b"\x53\xef", "an ext2, ext3 or ext4 image", Then::Mount),
    (1024, b"\xe2\xe1\xf5\xe0", "an erofs image", Then::Mount),
    (0, b"XFSB", "an XFS image", Then::Mount),
    (65600, b"_BHRfS_M", "a btrfs image", Then::Mount),
    (32769, b"CD001", "an ISO image", Then::Iso),
    (0, b"QFI\xfb", "a qcow2 image", Then::Connect),
    (512, b"EFI PART", "an image of a disk with partitions", Then::Partitions),
    (257, b"ustar", "a tar archive", Then::Unpack),
    (0, b"SQLite format 3\0", "an SQLite database", Then::Database),
    (0, b"\x1f\x8b", "a file compressed with gzip", Then::Decompress),
    (0, b"\x28\xb5\x2f\xfd", "a file compressed with zstd", Then::Decompress),
    (0, b"\xfd7zXZ\0", "a file compressed with xz", Then::Decompress),
    // Last: many images begin with a boot sector.
    (510, b"\x55\xaa", "an image of a disk with partitions", Then::Partitions),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Mount,
    Iso,
    Connect,
    Partitions,
    Unpack,
    Database,
    Decompress,
}

impl Then {
    fn hint(self, file: &str) -> String {
        match self {
            Self::Mount => format!("mount it first: mount -o ro,loop {file} DIR, then --root DIR"),
            Self::Iso => format!(
                "mount it first: mount -o ro,loop {file} DIR; the store of a NixOS ISO is in \
                 DIR/nix-store.squashfs, to be mounted likewise"
            ),
            Self::Connect => format!(
                "connect it first: qemu-nbd --read-only --connect=/dev/nbd0 {file}, then mount a \
                 partition read-only at DIR, and --root DIR"
            ),
            Self::Partitions => format!(
                "losetup --read-only --partscan --find --show {file} shows its partitions; mount \
                 one read-only at DIR, then --root DIR"
            ),
            Self::Unpack => "unpack it into a directory DIR first, then --root DIR".to_owned(),
            Self::Database => "--db names a database".to_owned(),
            Self::Decompress => "decompress it first".to_owned(),
        }
    }
}

/// The failure for a root that is not a directory; `None` if it is one, or
/// cannot be looked at.
pub(super) fn not_a_directory(root: &Path) -> Option<Failure> {
    let meta = root.metadata().ok().filter(|meta| !meta.is_dir())?;
    let name = root.display();
    let kind = meta.file_type();
    // Opening a pipe would wait for a writer.
    let file = (kind.is_file() || kind.is_block_device()).then(|| File::open(root).ok()).flatten();
    let seen = file.and_then(|file| {
        MARKS.iter().find(|(at, mark, ..)| {
            let mut bytes = vec![0; mark.len()];
            file.read_exact_at(&mut bytes, *at).is_ok() && bytes == *mark
        })
    });
    Some(match seen {
        Some((_, _, what, then)) => Failure::usage(format!(
            "--root {name}: this is {what}, but the root must be a directory"
        ))
        .hint(then.hint(&name.to_string())),
        None => Failure::usage(format!("--root {name}: this is not a directory"))
            .hint("an image is mounted first: mount -o ro,loop FILE DIR, then --root DIR"),
    })
}
