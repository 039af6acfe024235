//! What a file seems to be that is not what it should be, for messages.

use super::import::ImportError;
use std::fmt;

/// What a file should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What `nix path-info --json` prints.
    PathInfo,
    /// What `nix-store --dump-db` prints.
    Registration,
}

impl Wanted {
    /// As messages call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PathInfo => "JSON of nix path-info",
            Self::Registration => "a registration",
        }
    }
}

/// What a file turns out to be that should be something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherFormat {
    /// An SQLite database.
    Sqlite,
    /// A compressed file.
    Compressed(Compression),
    /// A NAR.
    Nar,
    /// What a binary cache says of a path.
    NarInfo,
    /// What a binary cache says of itself.
    NixCacheInfo,
    /// A derivation.
    Derivation,
    /// JSON where a registration should be.
    Json,
    /// Nothing at all.
    Empty,
    /// Store paths, one a line.
    ListOfPaths,
    /// A registration.
    Registration,
    /// Not JSON.
    NotJson,
    /// Not a registration: it does not begin with a store path.
    NotARegistration,
    /// A JSON list of texts.
    ListOfTexts,
    /// What `nix derivation show` prints.
    DerivationShow,
    /// What `nix build --json` prints.
    BuildJson,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// By gzip.
    Gzip,
    /// By zstd.
    Zstd,
    /// By xz.
    Xz,
    /// By bzip2.
    Bzip2,
}

impl fmt::Display for OtherFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "an SQLite database",
            Self::Compressed(Compression::Gzip) => "a file compressed with gzip",
            Self::Compressed(Compression::Zstd) => "a file compressed with zstd",
            Self::Compressed(Compression::Xz) => "a file compressed with xz",
            Self::Compressed(Compression::Bzip2) => "a file compressed with bzip2",
            Self::Nar => "a NAR",
            Self::NarInfo => "a narinfo",
            Self::NixCacheInfo => "a nix-cache-info",
            Self::Derivation => "a derivation",
            Self::Json => "JSON",
            Self::Empty => "empty",
            Self::ListOfPaths => "a list of store paths",
            Self::Registration => "a registration",
            Self::NotJson => "something that is not JSON",
            Self::NotARegistration => "something that does not begin with a store path",
            Self::ListOfTexts => "a JSON list of texts",
            Self::DerivationShow => "what nix derivation show prints",
            Self::BuildJson => "what nix build --json prints",
        })
    }
}

/// How files begin, and what they are.
const BEGINNINGS: &[(&[u8], OtherFormat)] = &[
    (b"SQLite format 3\0", OtherFormat::Sqlite),
    (b"\x1f\x8b", OtherFormat::Compressed(Compression::Gzip)),
    (b"\x28\xb5\x2f\xfd", OtherFormat::Compressed(Compression::Zstd)),
    (b"\xfd7zXZ\0", OtherFormat::Compressed(Compression::Xz)),
    (b"BZh", OtherFormat::Compressed(Compression::Bzip2)),
    (b"\r\0\0\0\0\0\0\0nix-archive-1", OtherFormat::Nar),
    (b"StorePath:", OtherFormat::NarInfo),
    (b"StoreDir:", OtherFormat::NixCacheInfo),
    (b"Derive(", OtherFormat::Derivation),
];

/// Why a file that begins so is refused, if it is seen already: it is another
/// kind of file. An empty registration holds no path.
pub(super) fn refuse(start: &[u8], wanted: Wanted) -> Option<ImportError> {
    let seen = seems(start, wanted)?;
    // What counts is the first line with something on it.
    let blank = start.iter().take_while(|b| b.is_ascii_whitespace());
    let line = 1 + blank.filter(|&&b| b == b'\n').count() as u64;
    Some(ImportError::Other { line, wanted: wanted.name(), seen })
}

fn seems(start: &[u8], wanted: Wanted) -> Option<OtherFormat> {
    if let Some(&(_, seen)) = BEGINNINGS.iter().find(|(b, _)| start.starts_with(b)) {
        return Some(seen);
    }
    let first = start.trim_ascii_start().first();
    match (wanted, first) {
        (Wanted::PathInfo, Some(b'{' | b'[')) | (Wanted::Registration, Some(b'/') | None) => None,
        (Wanted::Registration, Some(b'{' | b'[')) => Some(OtherFormat::Json),
        (Wanted::PathInfo, None) => Some(OtherFormat::Empty),
        (Wanted::PathInfo, Some(b'/')) => {
            let mut lines = start.split(|&b| b == b'\n').filter(|line| !line.is_empty());
            match lines.nth(1).is_none_or(|line| line.starts_with(b"/")) {
                true => Some(OtherFormat::ListOfPaths),
                false => Some(OtherFormat::Registration),
            }
        }
        (Wanted::PathInfo, Some(_)) => Some(OtherFormat::NotJson),
        (Wanted::Registration, Some(_)) => Some(OtherFormat::NotARegistration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(start: &str, wanted: Wanted) -> Option<String> {
        refuse(start.as_bytes(), wanted).map(|e| e.to_string())
    }

    #[test]
    fn other_files_are_named() {
        let path_info = |start| said(start, Wanted::PathInfo).unwrap_or_default();
        assert_eq!(
            path_info("StorePath: /nix/store/x\n"),
            "line 1: this is not JSON of nix path-info but a narinfo"
        );
        assert!(path_info("").ends_with("but empty"));
        assert!(path_info("\n\nhello").starts_with("line 3: "));
        assert!(path_info("/nix/store/a\n/nix/store/b\n").ends_with("a list of store paths"));
        assert!(path_info("/nix/store/a\n").ends_with("a list of store paths"));
        assert!(path_info("/nix/store/a\n\n0\n").ends_with("a registration"));
        assert!(path_info("SQLite format 3\0").ends_with("an SQLite database"));
        let registration = |start| said(start, Wanted::Registration);
        assert!(registration("[1]").unwrap_or_default().ends_with("but JSON"));
        assert_eq!((registration(""), registration("/nix/store/a")), (None, None));
        assert_eq!(said(" [", Wanted::PathInfo), None);
    }
}
