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
use super::strings::{padding, strings};
use super::{FileHasher, name_in_nar};
use crate::arrange::Arrange as _;
use crate::fs::{Directory, FileType, RegularFile, Stat};
use crate::threads::Reserve;
use rustix::io::Errno;
use std::ffi::CStr;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Small enough that those of several NARs stay in a core's cache between reading
/// and hashing.
const BUFFER: usize = 128 << 10;
/// What frames the contents of an entry mostly fits in.
const FRAME: usize = 1024;
/// How many directories above the one being read stay open.
const OPEN: usize = 16;
/// How many files are open at most while a NAR is written.
pub(super) const OPEN_FILES: usize = OPEN + 4;

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

/// Who looks at what `stat` says of each entry while its NAR is written.
pub(crate) trait Look: Clone {
    /// Whether anybody looks: for a symlink `stat` has to be called then.
    const LOOKS: bool;

    /// Shown each entry, with how many directories of the tree it lies in, and the
    /// path below the tree's top, empty for the top itself.
    fn look(&mut self, stat: &Stat, depth: u32, place: impl Fn() -> Vec<u8>);
}

/// Nobody.
impl Look for () {
    const LOOKS: bool = false;

    fn look(&mut self, _: &Stat, _: u32, _: impl Fn() -> Vec<u8>) {}
}

/// Writes NARs of trees, as much at a time as its buffer holds; keeps its buffers
/// between them.
pub(crate) struct NarWriter<L = ()> {
    /// What was written and not taken yet lies between these two.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The size of the NAR so far.
    written: u64,
    /// The directories on the way down.
    levels: Vec<Level>,
    /// The file whose contents are being written.
    file: Option<OpenFile>,
    whole: bool,
    /// What the system says of a directory's entries.
    listed: Vec<u8>,
    /// The name of the entry that is being written, and the NUL that ends it.
    name: Vec<u8>,
    /// What to say of a file's extended attributes, if they are looked at.
    judge: Option<XattrJudge>,
    judged: Judged,
    /// Who looks at the tree, and who looks at the next.
    looker: L,
    blank: L,
    use_case_hack: bool,
    /// Threads to be called once a read would wait for the disk.
    reserve: Option<Arc<Reserve>>,
}

impl Default for NarWriter {
    fn default() -> Self {
        Self::looking(())
    }
}

/// A directory on the way down.
struct Level {
    entries: Entries,
    next: usize,
    /// `None` while too many are open.
    directory: Option<Directory>,
    /// Device and inode, to know it again.
    identity: (u64, u64),
}

/// The entries of a directory, sorted.
struct Entries {
    /// Their names, each ended by a NUL.
    names: Vec<u8>,
    /// Where the name of each is, without its NUL, and what it is.
    sorted: Vec<(Range<usize>, FileType)>,
}

impl Entries {
    fn name(&self, at: usize) -> Option<&[u8]> {
        let (name, _) = self.sorted.get(at)?;
        self.names.get(name.clone())
    }
}

/// A file that is being read.
struct OpenFile {
    file: RegularFile,
    size: u64,
    /// How many bytes of it are still to come.
    left: u64,
}

impl<L: Look> NarWriter<L> {
    /// One whose entries somebody looks at.
    pub(crate) fn looking(blank: L) -> Self {
        Self {
            buffer: vec![0; BUFFER + FRAME],
            start: 0,
            end: 0,
            written: 0,
            levels: Vec::new(),
            file: None,
            whole: false,
            listed: Vec::new(),
            name: Vec::new(),
            judge: None,
            judged: Judged::default(),
            looker: blank.clone(),
            blank,
            use_case_hack: false,
            reserve: None,
        }
    }

    /// Calls a thread that is held back each time a read would wait for the disk.
    pub(crate) fn call_when_it_waits(&mut self, reserve: Arc<Reserve>) {
        self.reserve = Some(reserve);
    }

    /// Who looked at the tree begun last.
    pub(crate) fn take_looker(&mut self) -> L {
        std::mem::replace(&mut self.looker, self.blank.clone())
    }

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

    fn look(&mut self, stat: &Stat) {
        self.looker.look(stat, self.levels.len() as u32, || place(&self.levels));
    }

    fn look_at_xattrs(&mut self, list: impl Fn() -> io::Result<Vec<u8>>) {
        let Some(judge) = &self.judge else { return };
        match judge_xattrs(list(), judge) {
            Ok(None) => {}
            Ok(Some(said)) => self.judged.said.push((place(&self.levels), said)),
            Err(errno) => self.judged.failed.push((place(&self.levels), errno)),
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
        self.begin(dir, name, FileType::Unknown)?;
        loop {
            self.fill()?;
            out(self.piece());
            self.take(self.piece().len());
            if self.whole {
                return Ok(self.written);
            }
        }
    }

    /// Begins the NAR of `name` in the directory `dir`, whatever was begun before.
    /// The type may be unknown.
    ///
    /// # Errors
    /// See [`NarError`].
    pub(crate) fn begin(
        &mut self,
        dir: &Directory,
        name: &CStr,
        file_type: FileType,
    ) -> Result<(), NarError> {
        (self.start, self.end, self.written) = (0, 0, 0);
        (self.file, self.whole) = (None, false);
        (self.looker, self.judged) = (self.blank.clone(), Judged::default());
        self.levels.clear();
        self.add(strings!("nix-archive-1"));
        let begun = self.node(dir, name, file_type);
        begun.map_err(|problem| NarError { path: place(&self.levels), problem })
    }

    /// Goes on with the NAR until the buffer is full or the NAR whole.
    ///
    /// # Errors
    /// See [`NarError`]; what was written by then is worth nothing.
    pub(crate) fn fill(&mut self) -> Result<(), NarError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let filled = self.steps();
        filled.map_err(|problem| NarError { path: place(&self.levels), problem })
    }

    /// What was written and not taken yet.
    #[inline]
    pub(crate) fn piece(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes the first bytes of the piece.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.start = self.end.min(self.start + bytes);
    }

    /// The size of the NAR, once all of it was written.
    pub(crate) fn whole(&self) -> Option<u64> {
        self.whole.then_some(self.written)
    }

    /// Puts more behind what is written.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        if end > self.buffer.len() {
            self.buffer.resize(end, 0);
        }
        self.buffer[self.end..end].copy_from_slice(bytes);
        self.end = end;
        self.written += bytes.len() as u64;
    }

    fn steps(&mut self) -> Result<(), NarProblem> {
        while self.end < BUFFER && !self.whole {
            if let Some(file) = self.file.take() {
                // A small rest of the buffer would cost a system call for little.
                let room = BUFFER - self.end;
                if room < BUFFER / 2 && (room as u64) < file.left {
                    self.file = Some(file);
                    return Ok(());
                }
                self.contents(file)?;
            } else if let Some(at) = self.levels.len().checked_sub(1) {
                self.entry(at)?;
            } else {
                self.whole = true;
            }
        }
        Ok(())
    }

    /// Writes the next entry of the directory at that level, or its end.
    fn entry(&mut self, at: usize) -> Result<(), NarProblem> {
        let level = &mut self.levels[at];
        let Some((name, kind)) = level.entries.sorted.get(level.next) else {
            let below = self.levels.pop().and_then(|level| level.directory);
            if let Some(parent) = self.levels.last_mut()
                && parent.directory.is_none()
            {
                parent.directory = Some(up(below, parent.identity)?);
            }
            self.close();
            return Ok(());
        };
        level.next += 1;
        // Name and directory are taken out for the time in which the levels may grow.
        let mut name_and_nul = std::mem::take(&mut self.name);
        name_and_nul.clear();
        name_and_nul.extend_from_slice(&level.entries.names[name.start..=name.end]);
        let kind = *kind;
        let directory = level.directory.take().ok_or(NarProblem::Changed)?;
        let name = CStr::from_bytes_with_nul(&name_and_nul).map_err(|_| NarProblem::Changed)?;
        self.add(strings!("entry", "(", "name"));
        self.string(name_in_nar(name.to_bytes(), self.use_case_hack));
        self.add(strings!("node"));
        let result = self.node(&directory, name, kind);
        self.levels[at].directory = Some(directory);
        self.name = name_and_nul;
        result?;
        if self.levels.len() > at + 1
            && let Some(far) = at.checked_sub(OPEN)
        {
            self.levels[far].directory = None;
        }
        Ok(())
    }

    /// Writes a symlink, the beginning of a file, or that of a directory, and then
    /// adds a level.
    fn node(&mut self, dir: &Directory, name: &CStr, kind: FileType) -> Result<(), NarProblem> {
        let kind = match kind {
            FileType::Unknown => dir.stat(name)?.file_type(),
            known => known,
        };
        match kind {
            FileType::Regular => {
                let file = dir.open_file(name)?;
                self.look(file.stat());
                self.look_at_xattrs(|| file.xattrs());
                if file.stat().executable() {
                    self.add(strings!("(", "type", "regular", "executable", "", "contents"));
                } else {
                    self.add(strings!("(", "type", "regular", "contents"));
                }
                let size = file.stat().size;
                self.add(&size.to_le_bytes());
                self.file = Some(OpenFile { file, size, left: size });
            }
            FileType::Symlink => {
                if L::LOOKS {
                    self.look(&dir.stat(name)?);
                }
                let target = dir.read_link(name)?;
                self.add(strings!("(", "type", "symlink", "target"));
                self.string(&target);
                self.close();
            }
            FileType::Directory => {
                let directory = dir.open_directory(name)?;
                self.look_at_xattrs(|| directory.xattrs(c""));
                self.add(strings!("(", "type", "directory"));
                let stat = directory.stat(c"")?;
                self.look(&stat);
                let identity = stat.identity();
                let entries = read_directory(&directory, &mut self.listed, self.use_case_hack)?;
                self.levels.push(Level { entries, next: 0, directory: Some(directory), identity });
            }
            _ => return Err(NarProblem::Unsupported),
        }
        Ok(())
    }

    /// Writes of a file's contents what the buffer has room for.
    fn contents(&mut self, mut open: OpenFile) -> Result<(), NarProblem> {
        while open.left > 0 && self.end < BUFFER {
            let room = usize::try_from(open.left).unwrap_or(BUFFER).min(BUFFER - self.end);
            let into = &mut self.buffer[self.end..self.end + room];
            match read(&mut open.file, into, self.reserve.as_deref()) {
                Ok(0) => return Err(NarProblem::Changed),
                Ok(n) => {
                    self.end += n;
                    self.written += n as u64;
                    open.left -= n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        if open.left > 0 {
            self.file = Some(open);
        } else {
            self.pad(open.size);
            self.close();
        }
        Ok(())
    }

    /// Ends a node, and the entry that it is.
    fn close(&mut self) {
        if self.levels.is_empty() {
            self.add(strings!(")"));
        } else {
            self.add(strings!(")", ")"));
        }
    }

    fn pad(&mut self, size: u64) {
        self.add(padding(size));
    }

    fn string(&mut self, bytes: &[u8]) {
        self.add(&(bytes.len() as u64).to_le_bytes());
        self.add(bytes);
        self.pad(bytes.len() as u64);
    }
}

/// The SHA-256 of the NAR of an empty file: a name that `.links` often has.
pub(crate) fn empty_file_hash(executable: bool) -> [u8; 32] {
    FileHasher::new(0, executable).finish()
}

/// Reads on in a file. One of the reserve is called where that waits for the disk, or nobody can
/// tell.
fn read(file: &mut RegularFile, into: &mut [u8], reserve: Option<&Reserve>) -> io::Result<usize> {
    if let Some(reserve) = reserve.filter(|reserve| !reserve.is_used_up()) {
        match file.read_now(into) {
            Some(read) => return Ok(read),
            None => reserve.call(),
        }
    }
    file.read(into)
}

/// The path of the entry that is being written.
fn place(levels: &[Level]) -> Vec<u8> {
    let name = |level: &Level| Some(level.entries.name(level.next.checked_sub(1)?)?.to_vec());
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
) -> Result<Entries, NarProblem> {
    let (mut names, mut sorted) = (Vec::new(), Vec::new());
    directory.read(buffer, |entry| {
        let start = names.len();
        names.extend_from_slice(entry.name.to_bytes_with_nul());
        sorted.push((start..names.len() - 1, entry.file_type));
    })?;
    let name = |(name, _): &(Range<usize>, FileType)| -> &[u8] { &names[name.clone()] };
    if use_case_hack {
        let in_nar = |entry: &_| name_in_nar(name(entry), true);
        sorted.arrange_by(|a, b| in_nar(a).cmp(in_nar(b)));
        if sorted.windows(2).any(|pair| in_nar(&pair[0]) == in_nar(&pair[1])) {
            return Err(NarProblem::Collision);
        }
    } else {
        sorted.sort_unstable_by(|a, b| name(a).cmp(name(b)));
    }
    Ok(Entries { names, sorted })
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
    use std::ffi::CString;
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
