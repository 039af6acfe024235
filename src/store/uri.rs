//! Store URIs: which store Nix means by `NIX_REMOTE`, by its setting `store`,
//! or by `--store` (nix: `src/libstore/store-reference.cc`,
//! `store-registration.cc`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How Nix reaches the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreAccess {
    /// As it finds: directly if it may, else through the daemon.
    Auto,
    /// Directly.
    Local,
    /// Through the daemon of this machine; the files are the same.
    Daemon,
}

/// A store on this machine, as a URI names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreUri {
    /// How Nix reaches it.
    pub access: StoreAccess,
    /// `root`: the directory of a chroot store, below which `nix/store` and
    /// `nix/var/nix` are. The store keeps its name, usually `/nix/store`.
    pub root: Option<PathBuf>,
    /// `store`: the name of the store directory.
    pub store_dir: Option<PathBuf>,
    /// `real`: where the store directory's files are.
    pub real: Option<PathBuf>,
    /// `state`: the state directory.
    pub state: Option<PathBuf>,
}

/// Why a URI names no store that can be examined here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreUriError {
    /// It is on another machine, or is a binary cache.
    #[error("{0} is a remote store; only a store on this machine can be examined")]
    Remote(String),
    /// It holds nothing.
    #[error("{0} is a dummy store, which holds nothing")]
    Dummy(String),
    /// Its layers must be named one by one.
    #[error("{0} is a local-overlay store; name its layers with --root and --lower")]
    Overlay(String),
    /// Nix knows no such store either.
    #[error("{0} is not a store URI")]
    Unknown(String),
    /// A directory in it is not an absolute name.
    #[error("{0}: the directory '{1}' is not absolute")]
    Relative(String, String),
}

impl StoreUri {
    /// What Nix uses by default.
    pub(crate) const AUTO: Self =
        Self { access: StoreAccess::Auto, root: None, store_dir: None, real: None, state: None };

    /// Reads a URI; a path in it may be relative to `current`.
    ///
    /// # Errors
    /// If it names no store on this machine.
    pub(crate) fn parse(uri: &OsStr, current: &Path) -> Result<Self, StoreUriError> {
        let shown = || uri.to_string_lossy().into_owned();
        let text = uri.as_bytes();
        let (base, query) = match text.iter().position(|&b| b == b'?') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &text[text.len()..]),
        };
        let mut root = None;
        let scheme_end = base.windows(3).position(|w| w == b"://");
        let access = match (base, scheme_end) {
            (b"" | b"auto", _) => StoreAccess::Auto,
            (b"local", _) => StoreAccess::Local,
            (b"daemon", _) => StoreAccess::Daemon,
            (_, Some(at)) => match (&base[..at], &base[at + 3..]) {
                (b"local", b"") => StoreAccess::Local,
                (b"local", path) => {
                    root = Some(OsString::from_vec(decode(path)));
                    StoreAccess::Local
                }
                (b"unix", _) => StoreAccess::Daemon,
                (b"dummy", _) => return Err(StoreUriError::Dummy(shown())),
                (b"local-overlay", _) => return Err(StoreUriError::Overlay(shown())),
                (
                    b"ssh" | b"ssh-ng" | b"mounted-ssh-ng" | b"http" | b"https" | b"s3" | b"file",
                    _,
                ) => return Err(StoreUriError::Remote(shown())),
                _ => return Err(StoreUriError::Unknown(shown())),
            },
            (path, None) if path.contains(&b'/') => {
                root = Some(current.join(OsStr::from_bytes(path)).into_os_string());
                StoreAccess::Local
            }
            _ => return Err(StoreUriError::Unknown(shown())),
        };
        let mut found = Self { access, ..Self::AUTO };
        let absolute = |value: OsString| match value.as_bytes() {
            [] => Ok(None),
            [b'/', ..] => Ok(Some(PathBuf::from(value))),
            _ => Err(StoreUriError::Relative(shown(), value.to_string_lossy().into_owned())),
        };
        for pair in query.split(|&b| b == b'&') {
            let mut sides = pair.splitn(2, |&b| b == b'=');
            let name = sides.next().unwrap_or_default();
            let value = OsString::from_vec(decode(sides.next().unwrap_or_default()));
            match name {
                b"root" => root = Some(value),
                b"store" => found.store_dir = absolute(value)?,
                b"real" => found.real = absolute(value)?,
                b"state" => found.state = absolute(value)?,
                _ => {}
            }
        }
        found.root = root.map_or(Ok(None), absolute)?;
        Ok(found)
    }

    /// Whether it names any directory.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self { access: self.access, ..Self::AUTO }
    }
}

/// Takes `%2F` and the like for what they stand for.
fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|&b| char::from(b).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<StoreUri, StoreUriError> {
        StoreUri::parse(OsStr::new(uri), Path::new("/here"))
    }

    fn plain(access: StoreAccess) -> StoreUri {
        StoreUri { access, ..StoreUri::AUTO }
    }

    #[test]
    fn stores_on_this_machine() {
        let local = plain(StoreAccess::Local);
        let rooted = |root: &str| StoreUri { root: Some(root.into()), ..local.clone() };
        for (uri, expected) in [
            ("", plain(StoreAccess::Auto)),
            ("auto", plain(StoreAccess::Auto)),
            ("local", local.clone()),
            ("daemon", plain(StoreAccess::Daemon)),
            ("unix://", plain(StoreAccess::Daemon)),
            ("unix:///nix/var/nix/daemon-socket/socket", plain(StoreAccess::Daemon)),
            ("local?root=/a%20b&read-only=true", rooted("/a b")),
            ("local://?root=/a", rooted("/a")),
            ("local:///a%2520b", rooted("/a%20b")),
            ("/a%20b", rooted("/a%20b")),
            ("./a", rooted("/here/./a")),
            ("/a?root=/b", rooted("/b")),
            ("auto?root=/b", StoreUri { access: StoreAccess::Auto, ..rooted("/b") }),
            ("local?root=", local.clone()),
        ] {
            assert_eq!(parse(uri), Ok(expected), "{uri}");
        }
        let all = parse("local?store=/s&real=/r&state=/v").unwrap();
        assert_eq!(all.store_dir.as_deref(), Some(Path::new("/s")));
        assert_eq!(all.real.as_deref(), Some(Path::new("/r")));
        assert_eq!(all.state.as_deref(), Some(Path::new("/v")));
        assert!(!all.is_plain() && local.is_plain());
    }

    #[test]
    fn other_stores_are_named() {
        let message = |uri: &str| parse(uri).unwrap_err().to_string();
        for uri in
            ["ssh://u@host", "ssh-ng://h", "https://cache.nixos.org", "s3://b?x=y", "file:///c"]
        {
            assert!(message(uri).starts_with(&format!("{uri} is a remote store")), "{uri}");
        }
        assert!(message("dummy://").contains("dummy store"));
        assert!(message("local-overlay://?root=/x").contains("--lower"));
        for uri in ["here", "x://y", "local?root=rel"] {
            assert!(message(uri).starts_with(uri), "{uri}");
        }
    }
}
