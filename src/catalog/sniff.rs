//! What a file seems to be that is not what it should be, for messages.

use super::import::ImportError;

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

/// How files begin, what they are, and what to do with them.
const BEGINNINGS: &[(&[u8], &str, &str)] = &[
    (b"SQLite format 3\0", "an SQLite database", "name it with --db"),
    (b"\x1f\x8b", "a file compressed with gzip", "decompress it first"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", "decompress it first"),
    (b"\xfd7zXZ\0", "a file compressed with xz", "decompress it first"),
    (b"BZh", "a file compressed with bzip2", "decompress it first"),
    (
        b"\r\0\0\0\0\0\0\0nix-archive-1",
        "a NAR",
        "it holds the files of a path, not what is known of it",
    ),
    (b"StorePath:", "a narinfo", "nix path-info --json --store CACHE PATH prints it as JSON"),
    (
        b"StoreDir:",
        "a nix-cache-info",
        "nix path-info --json --store CACHE PATH reads such a cache",
    ),
    (b"Derive(", "a derivation", "nix path-info --json prints what is known of its store path"),
];

/// Why a file that begins so is refused, if it is seen already: it is another
/// kind of file. An empty registration holds no path.
pub(super) fn refuse(start: &[u8], wanted: Wanted) -> Option<ImportError> {
    let (seen, hint) = seems(start, wanted)?;
    // What counts is the first line with something on it.
    let blank = start.iter().take_while(|b| b.is_ascii_whitespace());
    let line = 1 + blank.filter(|&&b| b == b'\n').count() as u64;
    Some(ImportError::Other { line, wanted: wanted.name(), seen, hint })
}

fn seems(start: &[u8], wanted: Wanted) -> Option<(&'static str, &'static str)> {
    if let Some((_, seen, hint)) = BEGINNINGS.iter().find(|(b, ..)| start.starts_with(b)) {
        return Some((seen, hint));
    }
    let first = start.trim_ascii_start().first();
    match (wanted, first) {
        (Wanted::PathInfo, Some(b'{' | b'[')) | (Wanted::Registration, Some(b'/') | None) => None,
        (Wanted::Registration, Some(b'{' | b'[')) => {
            Some(("JSON", "--path-info reads what nix path-info --json prints"))
        }
        (Wanted::PathInfo, None) => Some(("empty", "was the command that wrote it successful?")),
        (Wanted::PathInfo, Some(b'/')) => {
            let mut lines = start.split(|&b| b == b'\n').filter(|line| !line.is_empty());
            match lines.nth(1).is_none_or(|line| line.starts_with(b"/")) {
                true => Some(LIST_OF_PATHS),
                false => Some(("a registration", "--registration reads it")),
            }
        }
        (Wanted::PathInfo, Some(_)) => {
            Some(("something that is not JSON", "nix path-info --json writes JSON"))
        }
        (Wanted::Registration, Some(_)) => Some((
            "something that does not begin with a store path",
            "nix-store --dump-db and closureInfo write registrations",
        )),
    }
}

/// A list of store paths, one a line.
pub(super) const LIST_OF_PATHS: (&str, &str) =
    ("a list of store paths", "xargs nix path-info --json <FILE prints what is known of them");

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
