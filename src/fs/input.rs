//! Files that the user asks to have read; they are not part of an examined tree.

use memmap2::Mmap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Below this many bytes reading is faster than mapping.
const MAPPED_FROM: u64 = 1 << 20;

/// A file that the user names, or standard input.
pub(crate) enum Input {
    /// A large regular file, all of it.
    Mapped(Mmap),
    /// Anything else: a pipe is read as it comes.
    Stream(BufReader<Box<dyn Read>>),
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mapped(_) => "Mapped",
            Self::Stream(_) => "Stream",
        })
    }
}

impl Input {
    /// Opens a file of any type; waits for the other end of a FIFO.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_file()
            && metadata.len() >= MAPPED_FROM
            && let Ok(map) = map(&file)
        {
            return Ok(Self::Mapped(map));
        }
        Ok(Self::stream(file))
    }

    /// Standard input.
    pub(crate) fn standard_input() -> Self {
        Self::stream(io::stdin())
    }

    /// What is read as it comes.
    pub(crate) fn stream(input: impl Read + 'static) -> Self {
        Self::Stream(BufReader::with_capacity(1 << 16, Box::new(input)))
    }
}

/// Maps a regular file. Only for a file that the user names as the input of
/// this very run. Examined files are never mapped: others write to them.
///
/// If the file is cut short while it is read, the system ends the program with
/// SIGBUS: there is no answer rather than a wrong one, and nothing is left behind.
#[allow(unsafe_code, reason = "a map of a file is as safe as those who write to the file")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: nobody may write to the file meanwhile, which is up to the user
    // who named it. What is read from it is checked and copied at once; no
    // reference into the map is kept.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_regular_files_are_mapped() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "small").unwrap();
        let Input::Stream(mut input) = Input::open(&file).unwrap() else { panic!("mapped") };
        let mut text = String::new();
        input.read_to_string(&mut text).unwrap();
        assert_eq!(text, "small");
        let large = vec![b'x'; MAPPED_FROM as usize];
        std::fs::write(&file, &large).unwrap();
        let Input::Mapped(map) = Input::open(&file).unwrap() else { panic!("not mapped") };
        assert!(*map == *large);
        assert!(matches!(Input::open(Path::new("/dev/null")), Ok(Input::Stream(_))));
    }
}
