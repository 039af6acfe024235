//! The strings that a NAR is made of: the length in 8 bytes (little endian), the bytes, and
//! zeros up to a multiple of 8 (`dumpString` in Nix's `archive.cc`).

use super::size;

/// The zeros behind a string of so many bytes.
pub(super) fn padding(length: u64) -> &'static [u8] {
    &[0; 8][..(length.wrapping_neg() % 8) as usize]
}

/// The bytes of strings that are always the same, put together when the program is built.
macro_rules! strings {
    ($($text:literal),+) => {{
        const TEXTS: &[&str] = &[$($text),+];
        const BYTES: &[u8; $crate::nar::strings::length(TEXTS)] =
            &$crate::nar::strings::bytes(TEXTS);
        BYTES
    }};
}
pub(super) use strings;

/// How many bytes the strings have.
pub(super) const fn length(texts: &[&str]) -> usize {
    let (mut length, mut i) = (0, 0);
    while i < texts.len() {
        length += size::string(texts[i].len() as u64) as usize;
        i += 1;
    }
    length
}

/// These bytes.
pub(super) const fn bytes<const N: usize>(texts: &[&str]) -> [u8; N] {
    let (mut bytes, mut at, mut i) = ([0; N], 0, 0);
    while i < texts.len() {
        let text = texts[i].as_bytes();
        let (length, mut j) = ((text.len() as u64).to_le_bytes(), 0);
        while j < 8 {
            bytes[at + j] = length[j];
            j += 1;
        }
        j = 0;
        while j < text.len() {
            bytes[at + 8 + j] = text[j];
            j += 1;
        }
        at += size::string(text.len() as u64) as usize;
        i += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_filled_up_to_eight_bytes() {
        let expected = b"\x05\0\0\0\0\0\0\0entry\0\0\0\
            \0\0\0\0\0\0\0\0\
            \x08\0\0\0\0\0\0\0contents";
        assert_eq!(strings!("entry", "", "contents"), expected);
        for length in 0..20 {
            let padded = length + padding(length).len() as u64;
            assert_eq!(padded + 8, size::string(length));
        }
    }
}
