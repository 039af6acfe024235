//! Where the answer is written: standard output or a file.

use super::exit::{Failure, ignore_closed_pipe, standard_output, unwritten};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file that an answer is being written to before it takes its name.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Where the answer is written.
#[derive(Debug)]
pub(super) enum Destination {
    StandardOutput,
    /// A device, a pipe or what a process has open: written to as it is.
    Open {
        named: PathBuf,
        file: PathBuf,
    },
    /// A regular file, all symlinks resolved. It appears when it is whole.
    File {
        named: PathBuf,
        file: PathBuf,
    },
}

/// Whether a name is that of what a process has open. What it leads to may have a name
/// of its own, but has to be written as it is open.
pub(super) fn is_open(file: &Path) -> bool {
    const PLACES: [&str; 5] = ["/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/proc"];
    PLACES.iter().any(|place| file.starts_with(place))
}

impl Destination {
    /// The file called `named`; `-` is standard output.
    pub(super) fn new(current_dir: &Path, named: &Path) -> Result<Self, Failure> {
        if matches!(named.to_str(), Some("-" | "/dev/stdout")) {
            return Ok(Self::StandardOutput);
        }
        let failed =
            |e: io::Error| Failure::failed(format!("cannot write to {}", named.display())).cause(e);
        let file = current_dir.join(named);
        let metadata = fs::metadata(&file).ok();
        let named = named.to_owned();
        match metadata {
            Some(m) if m.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
            Some(m) if is_open(&file) || !m.is_file() => Ok(Self::Open { named, file }),
            Some(_) => Ok(Self::File { file: fs::canonicalize(&file).map_err(failed)?, named }),
            None => {
                let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
                    return Err(failed(io::ErrorKind::InvalidInput.into()));
                };
                let directory = fs::canonicalize(directory).map_err(failed)?;
                Ok(Self::File { file: directory.join(name), named })
            }
        }
    }

    /// Refuses to be written over a file that is read, or inside a directory
    /// that is examined.
    pub(super) fn keep_off(&self, read: &Path) -> Result<(), Failure> {
        let Self::File { named, file } = self else { return Ok(()) };
        let read = fs::canonicalize(read).unwrap_or_else(|_| read.to_owned());
        if !file.starts_with(&read) {
            return Ok(());
        }
        let (named, read) = (named.display(), read.display());
        let message = format!("--output {named} would be written to what is examined, {read}");
        Err(Failure::usage(message).hint("name a file elsewhere"))
    }

    /// Lets `answer` write the answer there.
    pub(super) fn write(
        &self,
        answer: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        const BUFFER: usize = 1 << 16;
        match self {
            Self::StandardOutput => {
                let write_to = |out: File| {
                    let mut out = BufWriter::with_capacity(BUFFER, out);
                    answer(&mut out)?;
                    out.flush()
                };
                // Even if nobody reads on, the exit status says what the answer is.
                let written = standard_output().and_then(write_to).or_else(ignore_closed_pipe);
                written.map_err(|e| unwritten(&e))
            }
            Self::Open { named, file } | Self::File { named, file } => {
                let write_to = |mut file: &File| {
                    let mut out = BufWriter::with_capacity(BUFFER, &mut file);
                    answer(&mut out)?;
                    out.flush()
                };
                let written = match self {
                    Self::Open { .. } => {
                        let written = File::create(file).and_then(|file| write_to(&file));
                        written.or_else(ignore_closed_pipe)
                    }
                    _ => replace(file, write_to),
                };
                written.map_err(|e| {
                    Failure::failed(format!("cannot write to {}", named.display())).cause(e)
                })
            }
        }
    }
}

/// Writes a file beside `file`, then gives it that name: nobody finds half an
/// answer, and other names of a file that was there keep its contents.
fn replace(file: &Path, write_to: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    let old = fs::metadata(file).ok();
    if old.is_some() {
        // A file that may not be written to is not replaced either.
        OpenOptions::new().write(true).open(file)?;
    }
    let mut builder = tempfile::Builder::new();
    // The umask takes from these.
    builder.prefix(".nix-census-").permissions(Permissions::from_mode(0o666));
    let unfinished = builder.tempfile_in(directory)?;
    remember(Some(unfinished.path().to_owned()));
    let result = write_to(unfinished.as_file()).and_then(|()| {
        if let Some(old) = old {
            // Only root may give files away.
            let _ = fchown(unfinished.as_file(), Some(old.uid()), Some(old.gid()));
            unfinished.as_file().set_permissions(old.permissions())?;
        }
        // A full disk may be noticed only now.
        unfinished.as_file().sync_all()?;
        unfinished.persist(file).map(drop).map_err(|e| e.error)
    });
    remember(None);
    result
}

fn remember(unfinished: Option<PathBuf>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = unfinished;
}

/// Removes what is left of an answer that is not written to its end.
pub(super) fn remove_unfinished() {
    super::demo::remove();
    if let Some(file) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = fs::remove_file(file);
    }
}
