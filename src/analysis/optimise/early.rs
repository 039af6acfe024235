//! Small files are hashed while the walk is at them: their directory is open, and what the
//! system keeps of them is in the processor's cache. To come back to all of them takes a
//! twentieth longer (benches/README.md).
//!
//! Only files that share their size and kind with one that was met before: so no file is
//! read that cannot have a twin. The first one of each size is left for later.

use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gathered::Flags;
use super::reader::{Hash, hash_target, hash_whole, read_whole};
use super::simulate::LayoutInode;
use crate::fs::Directory;

/// Files up to this size are read whole at once: to open most of them a second time
/// costs more than the bytes of those that differ early.
pub(super) const WHOLE: u64 = 32 * 1024;

/// Of which sizes, of each kind, files were met.
pub(super) struct MetSizes(Vec<AtomicBool>);

/// What one thread hashed.
#[derive(Default)]
pub(super) struct EarlyHashes {
    /// Each with the index of the file among those of the thread.
    pub(super) hashes: Vec<(Hash, u32)>,
    /// How many bytes of files were read.
    pub(super) bytes: u64,
    buffer: Vec<u8>,
}

impl MetSizes {
    pub(super) fn new() -> Self {
        let sizes = (Flags::KINDS as usize) * (WHOLE as usize + 1);
        Self(std::iter::repeat_with(AtomicBool::default).take(sizes).collect())
    }

    /// Whether a file of that size and kind was met before; from now on one was.
    fn again(&self, flags: Flags, size: u64) -> bool {
        let met = &self.0[flags.kind() as usize * (WHOLE as usize + 1) + size as usize];
        // Mostly one was: then nothing is written that other threads read.
        met.load(Ordering::Relaxed) || met.swap(true, Ordering::Relaxed)
    }
}

impl EarlyHashes {
    /// Hashes the file with that index, if it is small, cannot be met again by another
    /// name, and is one that Nix would hash. One that cannot be read is left for later.
    pub(super) fn add(
        &mut self,
        sizes: &MetSizes,
        (directory, name): (&Directory, &CStr),
        (inode, flags): (&LayoutInode, Flags),
        index: u32,
    ) {
        let size = inode.size;
        if size > WHOLE || inode.nlink != 1 || inode.writable || !sizes.again(flags, size) {
            return;
        }
        if let Ok(hash) = self.hash(directory, name, size, flags) {
            self.hashes.push((hash, index));
        }
    }

    fn hash(
        &mut self,
        directory: &Directory,
        name: &CStr,
        size: u64,
        flags: Flags,
    ) -> io::Result<Hash> {
        if flags.symlink() {
            return hash_target(directory, name, size);
        }
        let contents = read_whole(directory, name, size as usize, &mut self.buffer)?;
        self.bytes += size;
        Ok(hash_whole(flags, contents))
    }
}

#[cfg(test)]
mod tests {
    use super::super::classes::Compared;
    use super::super::classes::tests::compare;
    use super::super::simulate::Class;
    use super::*;
    use crate::disk::Reading;
    use crate::fs::StoreFiles;
    use std::collections::BTreeMap;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Of the path "p": which names have the same contents, what was read, and how many
    /// files were hashed early.
    fn found(files: &StoreFiles, early: bool) -> (Vec<Vec<String>>, Compared, usize) {
        let reading = Reading { threads: 3, in_order: false };
        let (tree, compared, hashed) = compare(files, "p", early, reading);
        let mut classes: BTreeMap<Class, Vec<String>> = BTreeMap::new();
        for (entry, inode) in tree.names_of_inodes() {
            if let Some(class) = tree.layout.inodes[inode as usize].class {
                let name = String::from_utf8_lossy(tree.base_name(entry)).into();
                classes.entry(class).or_default().push(name);
            }
        }
        let mut classes: Vec<Vec<String>> = classes.into_values().collect();
        classes.iter_mut().for_each(|names| names.sort());
        classes.sort();
        (classes, compared, hashed)
    }

    #[test]
    fn what_is_hashed_early_is_what_would_be_hashed_later() {
        let store = tempfile::tempdir().unwrap();
        let path = store.path().join("p");
        fs::create_dir(&path).unwrap();
        let file = |name: &str, contents: &[u8], mode: u32| {
            fs::write(path.join(name), contents).unwrap();
            fs::set_permissions(path.join(name), Permissions::from_mode(mode)).unwrap();
        };
        let whole = WHOLE as usize;
        for n in 0..5 {
            file(&format!("same-{n}"), b"same", 0o444);
            file(&format!("empty-{n}"), b"", 0o444);
            file(&format!("largest-{n}"), &vec![1; whole], 0o444);
            file(&format!("larger-{n}"), &vec![1; whole + 1], 0o444);
            symlink("four", path.join(format!("link-{n}"))).unwrap();
        }
        // Of the size of others: with other contents, of another kind, writable, and two
        // names of one inode.
        file("other", b"diff", 0o444);
        file("other-largest", &vec![2; whole], 0o444);
        file("run-1", b"same", 0o555);
        file("run-2", b"same", 0o555);
        file("writable", b"same", 0o644);
        file("twice", b"same", 0o444);
        fs::hard_link(path.join("twice"), path.join("twice-again")).unwrap();
        // Alone of its size; and two names of an inode that is.
        file("alone", b"alone", 0o444);
        file("twice-alone", b"nothing like it", 0o444);
        fs::hard_link(path.join("twice-alone"), path.join("twice-alone-again")).unwrap();

        let files = StoreFiles::live(store.path(), "/".as_ref()).unwrap();
        let (classes, later, none) = found(&files, false);
        let (early_classes, early, hashed) = found(&files, true);
        assert_eq!((classes.len(), none), (6, 0));
        assert_eq!(classes[5].len(), 7, "{classes:?}");
        assert_eq!((early_classes, early), (classes, later));
        // All but one of each size and kind.
        assert_eq!(hashed, 5 + 4 + 5 + 4 + 1);
        assert_eq!(later.bytes_read, 7 * 4 + 2 * 4 + 6 * WHOLE + 5 * (4096 + WHOLE + 1));

        // Beside hashes in `.links` none is.
        let links = store.path().join(".links");
        fs::create_dir(&links).unwrap();
        fs::write(links.join("0".repeat(52)), b"not of that hash").unwrap();
        assert_eq!(found(&files, true).2, 0);
    }
}
