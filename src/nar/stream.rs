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
use crate::fs::{Directory, FileType, RegularFile};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io::{self, Read};

/// Small enough to stay in a core's cache between reading and hashing.
const BUFFER: usize = 128 << 10;
/// How many directories above the one being read stay open.
const OPEN: usize = 64;

/// Why there is no NAR of a tree.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.escape_ascii())]
pub(crate) struct NarError {
    /// What is wrong: a path below the tree's top, empty for the top itself.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub problem: NarProblem,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NarProblem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] Errno),
    /// It is a FIFO, socket or device.
    #[error("is not a regular file, directory or symlink")]
    Unsupported,
    /// Two of its entries have the same name but for the suffix that the
    /// setting `use-case-hack` takes off.
    #[error("two of its entries have the same name in the NAR")]
    Collision,
    /// It was longer or shorter than it had said.
    #[error("changed while it was read")]
    Changed,
}

impl From<io::Error> for NarProblem {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => Self::Io(errno),
            // What the directory called a regular file is none any more.
            None if error.kind() == io::ErrorKind::InvalidInput => Self::Changed,
            None => Self::Io(Errno::IO),
        }
    }
}

/// What is wrong with a file's extended attributes, judged by their names.
pub(crate) type XattrJudge = Box<dyn Fn(&[u8]) -> Option<String>>;

/// What was found of the extended attributes of a tree. Paths are below its
/// top, empty for the top itself.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// What the judge said.
    pub said: Vec<(Vec<u8>, String)>,
    /// What could not be asked.
    pub failed: Vec<(Vec<u8>, Errno)>,
}

/// Writes NARs of trees; keeps its buffers between them.
pub(crate) struct NarWriter {
    buffer: Box<[u8]>,
    filled: usize,
    entries: Vec<u8>,
    written: u64,
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
            entries: Vec::new(),
            written: 0,
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
    directory: Option<Directory>,
    /// Device and inode, to know it again.
    identity: (u64, u64),
}

impl NarWriter {
    /// Has `judge` look at the names of the extended attributes (each followed
    /// by a NUL) of each file and directory that has any.
    pub(crate) fn judge_xattrs(&mut self, judge: XattrJudge) {
        self.judge = Some(judge);
    }

    /// Whether names lose the suffix that Nix's setting `use-case-hack` is about.
    pub(crate) fn use_case_hack(&mut self, use_it: bool) {
        self.use_case_hack = use_it;
    }

    /// What was said of the extended attributes of the tree written last.
    pub(crate) fn take_judged(&mut self) -> Judged {
        std::mem::take(&mut self.judged)
    }

    fn look_at_xattrs(&mut self, levels: &[Level], list: impl Fn() -> io::Result<Vec<u8>>) {
        let Some(judge) = &self.judge else { return };
        match judge_xattrs(list(), judge) {
            Ok(None) => {}
            Ok(Some(said)) => self.judged.said.push((place(levels), said)),
            Err(errno) => self.judged.failed.push((place(levels), errno)),
        }
    }

    /// The size and hash of the NAR of `name` in the directory `dir`.
    ///
    /// # Errors
    /// See [`NarError`].
    pub(crate) fn hash(
        &mut self,
        algorithm: Algorithm,
        dir: &Directory,
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
    pub(crate) fn write(
        &mut self,
        dir: &Directory,
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
        dir: &Directory,
        name: &CStr,
        levels: &mut Vec<Level>,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), NarProblem> {
        self.node(dir, name, FileType::Unknown, levels, out)?;
        while let Some(at) = levels.len().checked_sub(1) {
            let level = &mut levels[at];
            let Some((name, kind)) = level.entries.get(level.next) else {
                self.string(b")", out);
                let below = levels.pop().and_then(|level| level.directory);
                if let Some(parent) = levels.last_mut() {
                    self.string(b")", out);
                    if parent.directory.is_none() {
                        parent.directory = Some(up(below, parent.identity)?);
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
            let directory = level.directory.take().ok_or(NarProblem::Changed)?;
            let result = self.node(&directory, &name, kind, levels, out);
            levels[at].directory = Some(directory);
            result?;
            if levels.len() == at + 1 {
                self.string(b")", out);
            } else if let Some(far) = at.checked_sub(OPEN) {
                levels[far].directory = None;
            }
        }
        Ok(())
    }

    /// Writes a file or symlink; of a directory the beginning, and adds a level.
    fn node(
        &mut self,
        dir: &Directory,
        name: &CStr,
        kind: FileType,
        levels: &mut Vec<Level>,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), NarProblem> {
        let kind = match kind {
            FileType::Unknown => dir.stat(name)?.file_type(),
            known => known,
        };
        self.string(b"(", out);
        self.string(b"type", out);
        match kind {
            FileType::Regular => {
                let mut file = dir.open_file(name)?;
                self.look_at_xattrs(levels, || file.xattrs());
                self.file(&mut file, out)?;
                self.string(b")", out);
            }
            FileType::Symlink => {
                let target = dir.read_link(name)?;
                self.string(b"symlink", out);
                self.string(b"target", out);
                self.string(&target, out);
                self.string(b")", out);
            }
            FileType::Directory => {
                let directory = dir.open_directory(name)?;
                self.look_at_xattrs(levels, || directory.xattrs(c""));
                self.string(b"directory", out);
                let identity = directory.stat(c"")?.identity();
                let entries = read_directory(&directory, &mut self.entries, self.use_case_hack)?;
                levels.push(Level { entries, next: 0, directory: Some(directory), identity });
            }
            _ => return Err(NarProblem::Unsupported),
        }
        Ok(())
    }

    fn file(
        &mut self,
        file: &mut RegularFile,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), NarProblem> {
        self.string(b"regular", out);
        if file.stat().executable() {
            self.string(b"executable", out);
            self.string(b"", out);
        }
        self.string(b"contents", out);
        let size = file.stat().size;
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
            match file.read(&mut self.buffer[self.filled..end]) {
                Ok(0) => return Err(NarProblem::Changed),
                Ok(n) => {
                    self.filled += n;
                    left -= n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
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
pub(crate) fn empty_file_hash(executable: bool) -> [u8; 32] {
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

/// What `judge` says of the names of extended attributes. A file system that
/// has no such attributes has no names.
pub(crate) fn judge_xattrs(
    names: io::Result<Vec<u8>>,
    judge: &dyn Fn(&[u8]) -> Option<String>,
) -> Result<Option<String>, Errno> {
    match names {
        Ok(names) => Ok(judge(&names)),
        Err(error) => match Errno::from_io_error(&error) {
            None | Some(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
            Some(errno) => Err(errno),
        },
    }
}

/// The entries of a directory in ascending order, as a NAR has them.
fn read_directory(
    directory: &Directory,
    buffer: &mut Vec<u8>,
    use_case_hack: bool,
) -> Result<Vec<(CString, FileType)>, NarProblem> {
    let mut entries = Vec::new();
    directory.read(buffer, |entry| entries.push((entry.name.to_owned(), entry.file_type)))?;
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
fn up(below: Option<Directory>, identity: (u64, u64)) -> Result<Directory, NarProblem> {
    let directory = below.ok_or(NarProblem::Changed)?.open_directory(c"..")?;
    if directory.stat(c"")?.identity() == identity {
        Ok(directory)
    } else {
        Err(NarProblem::Changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Tree;
    use crate::nar::size;
    use rustix::fs::{Mode, OFlags, openat};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn open(directory: &Path) -> Directory {
        Tree::live(directory).unwrap().open_directory("/".as_ref()).unwrap()
    }

    fn nar(parent: &Path, name: &CStr) -> Result<Vec<u8>, NarError> {
        let dir = open(parent);
        let mut bytes = Vec::new();
        let written = NarWriter::default().write(&dir, name, |p| bytes.extend(p))?;
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
    #[cfg_attr(
        any(not(target_os = "linux"), nix_census_portable),
        ignore = "by paths no file deeper than PATH_MAX is reached"
    )]
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
            let parent = open(dir.path());
            let mut writer = NarWriter::default();
            writer.use_case_hack(use_case_hack);
            writer.hash(Algorithm::Sha256, &parent, name)
        };
        let plain = hash(c"plain", false).unwrap();
        assert_eq!(hash(c"plain", true).unwrap(), plain);
        assert_eq!(hash(c"hacked", true).unwrap(), plain);
        assert_ne!(hash(c"hacked", false).unwrap(), plain);
        fs::write(dir.path().join("hacked/sub~nix~case~hack~1/Xt.h"), "").unwrap();
        assert_eq!(hash(c"hacked", true).unwrap_err().problem, NarProblem::Collision);
    }

    #[test]
    fn a_file_system_without_extended_attributes_has_no_names() {
        let judge = |names: &[u8]| Some(names.len().to_string());
        assert_eq!(judge_xattrs(Ok(vec![0; 60_000]), &judge), Ok(Some("60000".to_owned())));
        let failed = |errno: Errno| judge_xattrs(Err(errno.into()), &judge);
        assert_eq!(failed(Errno::OPNOTSUPP), Ok(None));
        assert_eq!(failed(Errno::IO), Err(Errno::IO));
        assert_eq!(judge_xattrs(Err(io::ErrorKind::Unsupported.into()), &judge), Ok(None));
    }

    #[test]
    fn the_empty_file() {
        let name = super::super::nix32::encode(&empty_file_hash(false));
        assert_eq!(name, "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), "").unwrap();
        fs::set_permissions(dir.path().join("x"), fs::Permissions::from_mode(0o555)).unwrap();
        let parent = open(dir.path());
        let (_, hash) = NarWriter::default().hash(Algorithm::Sha256, &parent, c"x").unwrap();
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
            rustix::fs::FileType::Fifo,
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
