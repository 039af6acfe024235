//! Programs, libraries and scripts by their first bytes.

use super::FileKind;
use crate::fs::RegularFile;
use std::io;

/// What the first bytes of a file show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The kind where programs lie (`bin`, `libexec`), if they show one.
    among_programs: Option<FileKind>,
    /// The kind elsewhere.
    elsewhere: Option<FileKind>,
}

impl Head {
    /// How many first bytes of a file are read: the program headers of an ELF
    /// file are mostly among them.
    pub const LENGTH: usize = 512;

    /// What these show: [`Head::LENGTH`] of them, or all there are.
    pub fn of(bytes: &[u8]) -> Self {
        Self { among_programs: kind(bytes, true), elsewhere: kind(bytes, false) }
    }

    /// Reads the first bytes of a file.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read(file: &RegularFile) -> io::Result<Self> {
        let mut bytes = [0; Self::LENGTH];
        let length = file.fill_at(&mut bytes, 0)?;
        Ok(Self::of(&bytes[..length]))
    }

    pub(super) fn kind(self, among_programs: bool) -> Option<FileKind> {
        if among_programs { self.among_programs } else { self.elsewhere }
    }
}

fn kind(bytes: &[u8], programs: bool) -> Option<FileKind> {
    match bytes {
        [b'#', b'!', ..] => Some(FileKind::Scripts),
        [0x7f, b'E', b'L', b'F', ..] => elf(bytes, programs),
        [b'M', b'Z', ..] => Some(FileKind::Executables),
        [0, b'a', b's', b'm', ..] => Some(FileKind::Bytecode),
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', ..] => Some(FileKind::Static),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => mach_o(number::<4>(bytes, 12, true)?),
        _ => None,
    }
}

/// `elf(5)`: e_type 1 an object file, 2 a program, 3 a shared object, which is
/// a program too if it has an interpreter (PT_INTERP).
fn elf(bytes: &[u8], programs: bool) -> Option<FileKind> {
    let (wide, little) = (*bytes.get(4)? == 2, *bytes.get(5)? != 2);
    Some(match number::<2>(bytes, 16, little)? {
        1 => FileKind::Static,
        2 => FileKind::Executables,
        3 if programs || interpreted(bytes, wide, little) => FileKind::Executables,
        3 => FileKind::Libraries,
        _ => return None,
    })
}

/// Whether one of the program headers among the first bytes is PT_INTERP.
fn interpreted(bytes: &[u8], wide: bool, little: bool) -> bool {
    const INTERPRETER: u64 = 3;
    let (offset, size, count) = match wide {
        true => (number::<8>(bytes, 32, little), 54, 56),
        false => (number::<4>(bytes, 28, little), 42, 44),
    };
    let header = |at| number::<2>(bytes, at, little);
    let (Some(offset), Some(size), Some(count)) = (offset, header(size), header(count)) else {
        return false;
    };
    (0..count.min(64)).any(|i| {
        let at = size.checked_mul(i).and_then(|at| at.checked_add(offset));
        let at = at.and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| number::<4>(bytes, at, little)) == Some(INTERPRETER)
    })
}

/// `mach-o/loader.h`: 2 a program, 6 a library, 8 a bundle, 1 an object file.
fn mach_o(file_type: u64) -> Option<FileKind> {
    match file_type {
        1 => Some(FileKind::Static),
        2 => Some(FileKind::Executables),
        6 | 8 => Some(FileKind::Libraries),
        _ => None,
    }
}

/// A number of `N` bytes, if they are there.
fn number<const N: usize>(bytes: &[u8], at: usize, little: bool) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(N)?)?;
    let add = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
    Some(match little {
        true => bytes.iter().rev().fold(0, add),
        false => bytes.iter().fold(0, add),
    })
}
