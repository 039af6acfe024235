//! The NAR of a tree, written out in large pieces: for hashing.
//!
//! Four system calls a file: open, fstat, read, close. What frames the
//! contents is gathered in the buffer that the contents are read into, so
//! whoever takes the pieces sees few and large ones.
//!
//! Only regular files and directories are ever opened, without following a
//! link and without blocking. Trees of any depth are walked without recursion
//! and with few open directories.

use super::hash::{Algorithm, Hash, Hasher};
use super::name_in_nar;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, Stat, fstat, openat, readlinkat, statat,
};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Small enough to stay in a core's cache between reading and hashing.
const BUFFER: usize = 128 << 10;
/// How many directories above the one being read stay open.
const OPEN: usize = 64;

/// Why there is no NAR of a tree.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.escape_ascii())]
pub struct NarError {
    /// What is wrong: a path below the tree's top, empty for the top itself.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub problem: NarProblem,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NarProblem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] Errno),
    /// It is a FIFO, socket or device.
    #[error("is no regular file, directory or symlink")]
    Unsupported,
    /// Two of its entries have the same name but for the suffix that the
    /// setting `use-case-hack` takes off.
    #[error("two of its entries have the same name in the NAR")]
    Collision,
    /// It was longer or shorter than it had said.
    #[error("changed while it was read")]
    Changed,
}

/// Opens what is to be read: no symlink, never waiting for a FIFO, and as long
/// as that is allowed without a time of access left behind.
#[derive(Debug)]
pub(crate) struct Opener {
    /// Whether files may be read without a trace; only their owner may.
    noatime: bool,
}

impl Default for Opener {
    fn default() -> Self {
        Self { noatime: true }
    }
}

impl Opener {
    /// Opens `name` in the directory `dir`; `more` says what else is wanted.
    pub(crate) fn open<N: rustix::path::Arg + Copy>(
        &mut self,
        dir: BorrowedFd<'_>,
        name: N,
        more: OFlags,
    ) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | more;
        if self.noatime {
            match openat(dir, name, flags | OFlags::NOATIME, Mode::empty()) {
                Err(Errno::PERM) => self.noatime = false,
                result => return result,
            }
        }
        openat(dir, name, flags, Mode::empty())
    }
}

/// What is wrong with a file's extended attributes, told from their names.
pub type XattrJudge = Box<dyn Fn(&[u8]) -> Option<String>>;

/// What was told of the extended attributes of a tree. Paths are below its
/// top, empty for the top itself.
#[derive(Debug, Default)]
pub struct Judged {
    /// What the judge said.
    pub said: Vec<(Vec<u8>, String)>,
    /// What could not be asked.
    pub failed: Vec<(Vec<u8>, Errno)>,
}

/// Writes NARs of trees; keeps its buffers between them.
pub struct NarWriter {
    buffer: Box<[u8]>,
    filled: usize,
    target: Vec<u8>,
    written: u64,
    opener: Opener,
    /// What to say of a file's extended attributes, if they are looked at.
    judge: Option<XattrJudge>,
    judged: Judged,
    use_case_hack: bool,
}

impl Default for NarWriter {
    fn default() -> Self {
        Self {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            filled: 0,
            target: Vec::new(),
            written: 0,
            opener: Opener::default(),
            judge: None,
            judged: Judged::default(),
            use_case_hack: false,
        }
    }
}

/// A directory on the way down.
struct Level {
    /// Its entries, sorted.
    entries: Vec<(CString, FileType)>,
    next: usize,
    /// `None` while too many are open.
    fd: Option<OwnedFd>,
    /// Device and inode, to know it again.
    identity: (u64, u64),
}

impl NarWriter {
    /// Has `judge` look at the names of the extended attributes (each followed
    /// by a NUL) of each file and directory that has any.
    pub fn judge_xattrs(&mut self, judge: XattrJudge) {
        self.judge = Some(judge);
    }

    /// Whether names lose the suffix that Nix's setting `use-case-hack` is about.
    pub fn use_case_hack(&mut self, use_it: bool) {
        self.use_case_hack = use_it;
    }

    /// What was said of the extended attributes of the tree written last.
    pub fn take_judged(&mut self) -> Judged {
        std::mem::take(&mut self.judged)
    }

    fn look_at_xattrs(&mut self, fd: &OwnedFd, levels: &[Level]) {
        let Some(judge) = &self.judge else { return };
        let looked = xattr_names(|names| rustix::fs::flistxattr(fd, names), judge);
        match looked {
            Ok(None) => {}
            Ok(Some(said)) => self.judged.said.push((place(levels), said)),
            Err(errno) => self.judged.failed.push((place(levels), errno)),
        }
    }

    /// The size and hash of the NAR of `name` in the directory `dir`.
    ///
    /// # Errors
    /// See [`NarError`].
    pub fn hash(
        &mut self,
        algorithm: Algorithm,
        dir: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(u64, Hash), NarError> {
        let mut hasher = Hasher::new(algorithm);
        let size = self.write(dir, name, |piece| hasher.update(piece))?;
        Ok((size, hasher.finish()))
    }

    /// Writes the NAR of `name` in the directory `dir` to `out`, piece by
    /// piece; its size in bytes.
    ///
    /// # Errors
    /// See [`NarError`]; what was written by then is worth nothing.
    pub fn write(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        mut out: impl FnMut(&[u8]),
    ) -> Result<u64, NarError> {
        (self.filled, self.written) = (0, 0);
        let mut levels: Vec<Level> = Vec::new();
        self.string(b"nix-archive-1", &mut out);
        let result = self.tree(dir, name, &mut levels, &mut out);
        result.map_err(|problem| NarError { path: place(&levels), problem })?;
        self.flush(&mut out);
        Ok(self.written)
    }

    fn tree(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        levels: &mut Vec<Level>,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), NarProblem> {
        self.node(dir, name, FileType::Unknown, levels, out)?;
        while let Some(at) = levels.len().checked_sub(1) {
            let level = &mut levels[at];
            let Some((name, kind)) = level.entries.get(level.next) else {
                self.string(b")", out);
                let below = levels.pop().and_then(|level| level.fd);
                if let Some(parent) = levels.last_mut() {
                    self.string(b")", out);
                    if parent.fd.is_none() {
                        parent.fd = Some(up(below, parent.identity)?);
                    }
                }
                continue;
            };
            level.next += 1;
            self.string(b"entry", out);
            self.string(b"(", out);
            self.string(b"name", out);
            self.string(name_in_nar(name.to_bytes(), self.use_case_hack), out);
            self.string(b"node", out);
            // Taken out for the time in which the levels may grow.
            let (name, kind) = (name.clone(), *kind);
            let fd = level.fd.take().ok_or(NarProblem::Changed)?;
            let result = self.node(fd.as_fd(), &name, kind, levels, out);
            levels[at].fd = Some(fd);
            result?;
            if levels.len() == at + 1 {
                self.string(b")", out);
            } else if let Some(far) = at.checked_sub(OPEN) {
                levels[far].fd = None;
            }
        }
        Ok(())
    }

    /// Writes a file or symlink; of a directory the beginning, and adds a level.
    fn node(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        kind: FileType,
        levels: &mut Vec<Level>,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), NarProblem> {
        let kind = match kind {
            FileType::Unknown => {
                let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        self.string(b"(", out);
        self.string(b"type", out);
        match kind {
            FileType::RegularFile => {
                let file = self.open(dir, name, OFlags::NOCTTY)?;
                let stat = fstat(&file)?;
                // It may have been replaced since its directory was read.
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Err(NarProblem::Changed);
                }
                self.look_at_xattrs(&file, levels);
                self.file(&file, &stat, out)?;
                self.string(b")", out);
            }
            FileType::Symlink => {
                let target = readlinkat(dir, name, std::mem::take(&mut self.target))?.into_bytes();
                self.string(b"symlink", out);
                self.string(b"target", out);
                self.string(&target, out);
                self.target = target;
                self.string(b")", out);
            }
            FileType::Directory => {
                let fd = self.open(dir, name, OFlags::DIRECTORY)?;
                self.look_at_xattrs(&fd, levels);
                self.string(b"directory", out);
                let stat = fstat(&fd)?;
                let entries = read_directory(&fd, self.use_case_hack)?;
                let identity = (stat.st_dev, stat.st_ino);
                levels.push(Level { entries, next: 0, fd: Some(fd), identity });
            }
            _ => return Err(NarProblem::Unsupported),
        }
        Ok(())
    }

    fn open(&mut self, dir: BorrowedFd<'_>, name: &CStr, more: OFlags) -> Result<OwnedFd, Errno> {
        self.opener.open(dir, name, more)
    }

    fn file(
        &mut self,
        file: &OwnedFd,
        stat: &Stat,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), NarProblem> {
        self.string(b"regular", out);
        if stat.st_mode & 0o100 != 0 {
            self.string(b"executable", out);
            self.string(b"", out);
        }
        self.string(b"contents", out);
        let size = stat.st_size as u64;
        self.bytes(&size.to_le_bytes(), out);
        let mut left = size;
        while left > 0 {
            // A small rest of the buffer would cost a system call for little.
            let room = BUFFER - self.filled;
            if room < BUFFER / 2 && (room as u64) < left {
                self.flush(out);
            }
            let end =
                BUFFER.min(self.filled.saturating_add(usize::try_from(left).unwrap_or(BUFFER)));
            match rustix::io::read(file, &mut self.buffer[self.filled..end]) {
                Ok(0) => return Err(NarProblem::Changed),
                Ok(n) => {
                    self.filled += n;
                    left -= n as u64;
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.pad(size, out);
        Ok(())
    }

    fn flush(&mut self, out: &mut impl FnMut(&[u8])) {
        out(&self.buffer[..self.filled]);
        self.written += self.filled as u64;
        self.filled = 0;
    }

    fn bytes(&mut self, mut bytes: &[u8], out: &mut impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.filled == BUFFER {
                self.flush(out);
            }
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.filled));
            self.buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
    }

    fn pad(&mut self, size: u64, out: &mut impl FnMut(&[u8])) {
        let padding = (8 - size % 8) % 8;
        self.bytes(&[0; 8][..padding as usize], out);
    }

    fn string(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) {
        self.bytes(&(bytes.len() as u64).to_le_bytes(), out);
        self.bytes(bytes, out);
        self.pad(bytes.len() as u64, out);
    }
}

/// The SHA-256 of the NAR of an empty file: a name that `.links` often has.
pub fn empty_file_hash(executable: bool) -> [u8; 32] {
    let (mut writer, mut nar) = (NarWriter::default(), Vec::new());
    let mut out = |piece: &[u8]| nar.extend_from_slice(piece);
    let parts: &[&[u8]] = &[b"nix-archive-1", b"(", b"type", b"regular"];
    let mark: &[&[u8]] = if executable { &[b"executable", b""] } else { &[] };
    let rest: &[&[u8]] = &[b"contents", b"", b")"];
    for string in [parts, mark, rest].concat() {
        writer.string(string, &mut out);
    }
    writer.flush(&mut out);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&nar);
    hasher.finish().sha256().unwrap_or_default()
}

/// The path of the entry that is being written.
fn place(levels: &[Level]) -> Vec<u8> {
    let name = |level: &Level| {
        let at = level.next.checked_sub(1)?;
        Some(level.entries.get(at)?.0.to_bytes().to_vec())
    };
    levels.iter().filter_map(name).collect::<Vec<_>>().join(&b'/')
}

/// Asks for the names of extended attributes, as many as there are, and what
/// `judge` says of them. A file system that has no such attributes has no names.
pub(crate) fn xattr_names(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    judge: &dyn Fn(&[u8]) -> Option<String>,
) -> Result<Option<String>, Errno> {
    /// The kernel's limit (`XATTR_LIST_MAX`).
    const LONGEST: usize = 64 << 10;
    let mut short = [0u8; 1024];
    match list(&mut short) {
        Ok(length) => Ok(judge(&short[..length])),
        Err(Errno::RANGE) => {
            let mut long = vec![0; LONGEST];
            let length = list(&mut long)?;
            Ok(judge(&long[..length]))
        }
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The entries of a directory in ascending order, as a NAR has them.
fn read_directory(
    fd: &OwnedFd,
    use_case_hack: bool,
) -> Result<Vec<(CString, FileType)>, NarProblem> {
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut directory = RawDir::new(fd, &mut buffer);
    let mut entries = Vec::new();
    while let Some(entry) = directory.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            entries.push((name.to_owned(), entry.file_type()));
        }
    }
    let name =
        |entry: &(CString, FileType)| -> Vec<u8> { name_in_nar(entry.0.as_bytes(), true).to_vec() };
    if use_case_hack {
        entries.sort_by_cached_key(name);
        if entries.windows(2).any(|pair| name(&pair[0]) == name(&pair[1])) {
            return Err(NarProblem::Collision);
        }
    } else {
        entries.sort_unstable_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    }
    Ok(entries)
}

/// Opens the directory above, which was closed meanwhile, if it is still the same.
fn up(below: Option<OwnedFd>, identity: (u64, u64)) -> Result<OwnedFd, NarProblem> {
    let below = below.ok_or(NarProblem::Changed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(below, c"..", flags, Mode::empty())?;
    let stat = fstat(&fd)?;
    if (stat.st_dev, stat.st_ino) == identity { Ok(fd) } else { Err(NarProblem::Changed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nar::size;
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn nar(parent: &Path, name: &CStr) -> Result<Vec<u8>, NarError> {
        let dir = File::open(parent).unwrap();
        let mut bytes = Vec::new();
        let written = NarWriter::default().write(dir.as_fd(), name, |p| bytes.extend(p))?;
        assert_eq!(written, bytes.len() as u64);
        Ok(bytes)
    }

    /// The plainest way to write a NAR, straight from the manual.
    fn plain(path: &Path, out: &mut Vec<u8>) {
        use std::os::unix::ffi::OsStrExt;
        fn string(out: &mut Vec<u8>, bytes: &[u8]) {
            out.extend((bytes.len() as u64).to_le_bytes());
            out.extend(bytes);
            out.resize(out.len().next_multiple_of(8), 0);
        }
        let meta = fs::symlink_metadata(path).unwrap();
        string(out, b"(");
        string(out, b"type");
        if meta.is_symlink() {
            string(out, b"symlink");
            string(out, b"target");
            string(out, fs::read_link(path).unwrap().as_os_str().as_bytes());
        } else if meta.is_dir() {
            string(out, b"directory");
            let mut names: Vec<_> =
                fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            for name in names {
                for s in [&b"entry"[..], b"(", b"name", name.as_bytes(), b"node"] {
                    string(out, s);
                }
                plain(&path.join(&name), out);
                string(out, b")");
            }
        } else {
            string(out, b"regular");
            if meta.permissions().mode() & 0o100 != 0 {
                string(out, b"executable");
                string(out, b"");
            }
            string(out, b"contents");
            string(out, &fs::read(path).unwrap());
        }
        string(out, b")");
    }

    fn check(parent: &Path, name: &str) -> Vec<u8> {
        let mut expected = Vec::new();
        expected.extend(13u64.to_le_bytes());
        expected.extend(b"nix-archive-1\0\0\0");
        plain(&parent.join(name), &mut expected);
        let found = nar(parent, &CString::new(name).unwrap()).unwrap();
        assert!(found == expected, "{} {}", found.len(), expected.len());
        found
    }

    #[test]
    fn each_kind_and_many_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        fs::create_dir_all(at.join("tree/sub/empty")).unwrap();
        let sizes = [0, 1, 7, 8, 9, 4096, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER + 5];
        for (i, size) in sizes.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..size).map(|b| (b * 31 % 251) as u8).collect();
            fs::write(at.join(format!("tree/{i}")), &bytes).unwrap();
            fs::write(at.join(format!("tree/sub/{size}\n\u{e9}")), bytes).unwrap();
        }
        fs::set_permissions(at.join("tree/3"), fs::Permissions::from_mode(0o555)).unwrap();
        symlink("nowhere/at/all", at.join("tree/link")).unwrap();
        check(at, "tree");
        for name in ["tree/0", "tree/3", "tree/link", "tree/sub/empty"] {
            let (parent, name) = name.rsplit_once('/').unwrap();
            check(&at.join(parent), name);
        }
        let empty = check(&at.join("tree/sub"), "empty").len() as u64;
        assert_eq!(empty, size::NAR + size::DIRECTORY);
    }

    #[test]
    fn deeper_than_there_are_descriptors() {
        let dir = tempfile::tempdir().unwrap();
        let top = rustix::fs::open(dir.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        let mut at = top;
        for _ in 0..3000 {
            rustix::fs::mkdirat(&at, c"d", Mode::RWXU).unwrap();
            let flags = OFlags::WRONLY | OFlags::CREATE;
            openat(&at, c"file", flags, Mode::RUSR).unwrap();
            at = openat(&at, c"d", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let found = nar(dir.path(), c"d").unwrap().len() as u64;
        // The outermost file lies beside the tree; the innermost directory is empty.
        let level = size::entry(1) + size::entry(4) + size::file(0, false);
        assert_eq!(found, size::NAR + 3000 * size::DIRECTORY + 2999 * level);
    }

    #[test]
    fn the_case_hack_is_not_in_the_nar() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["XT.h~nix~case~hack~2", "Xt.h~nix~case~hack~1", "xt.h", "a"];
        for tree in ["hacked/sub~nix~case~hack~1", "plain/sub"] {
            fs::create_dir_all(dir.path().join(tree)).unwrap();
            for name in names {
                let short = name.split('~').next().unwrap();
                let name = if tree.starts_with('p') { short } else { name };
                fs::write(dir.path().join(tree).join(name), short).unwrap();
            }
        }
        let hash = |name: &CStr, use_case_hack| {
            let parent = File::open(dir.path()).unwrap();
            let mut writer = NarWriter::default();
            writer.use_case_hack(use_case_hack);
            writer.hash(Algorithm::Sha256, parent.as_fd(), name)
        };
        let plain = hash(c"plain", false).unwrap();
        assert_eq!(hash(c"plain", true).unwrap(), plain);
        assert_eq!(hash(c"hacked", true).unwrap(), plain);
        assert_ne!(hash(c"hacked", false).unwrap(), plain);
        fs::write(dir.path().join("hacked/sub~nix~case~hack~1/Xt.h"), "").unwrap();
        assert_eq!(hash(c"hacked", true).unwrap_err().problem, NarProblem::Collision);
    }

    #[test]
    fn all_names_of_extended_attributes_are_read() {
        let judge = |names: &[u8]| Some(names.len().to_string());
        let list = |wanted: usize| {
            move |names: &mut [u8]| match names.len() < wanted {
                true => Err(Errno::RANGE),
                false => Ok(wanted),
            }
        };
        for length in [1, 1024, 1025, 60_000] {
            assert_eq!(xattr_names(list(length), &judge), Ok(Some(length.to_string())));
        }
        assert_eq!(xattr_names(|_| Err(Errno::OPNOTSUPP), &judge), Ok(None));
        assert_eq!(xattr_names(|_| Err(Errno::IO), &judge), Err(Errno::IO));
    }

    #[test]
    fn the_empty_file() {
        let name = super::super::nix32::encode(&empty_file_hash(false));
        assert_eq!(name, "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), "").unwrap();
        fs::set_permissions(dir.path().join("x"), fs::Permissions::from_mode(0o555)).unwrap();
        let parent = File::open(dir.path()).unwrap();
        let (_, hash) = NarWriter::default().hash(Algorithm::Sha256, parent.as_fd(), c"x").unwrap();
        assert_eq!(hash.bytes(), empty_file_hash(true));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tree/sub")).unwrap();
        fs::write(dir.path().join("tree/a"), "").unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("tree/sub/fifo"),
            FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        let error = nar(dir.path(), c"tree").unwrap_err();
        assert_eq!((&*error.path, error.problem), (&b"sub/fifo"[..], NarProblem::Unsupported));
        let error = nar(dir.path(), c"none").unwrap_err();
        assert_eq!((&*error.path, error.problem), (&b""[..], NarProblem::Io(Errno::NOENT)));
    }
}
