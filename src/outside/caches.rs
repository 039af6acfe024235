//! Users' caches: `~/.cache/nix` of every user that the examined system's
//! `/etc/passwd` names (nix: `getCacheDir`).

use super::walk::{Sum, below, names};
use super::{Kept, found};
use crate::fs::Tree;
use crate::roots::Users;
use crate::warning::Warnings;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

/// What a cache is of. The names are stable: they are printed in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheKind {
    /// Unpacked and downloaded tarballs.
    Tarball,
    /// What evaluations of flakes came to.
    Evaluation,
    /// Git repositories, and what was fetched from where.
    Fetcher,
    /// What binary caches have.
    BinaryCache,
    /// Anything else.
    Other,
}

impl CacheKind {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tarball => "tarball",
            Self::Evaluation => "evaluation",
            Self::Fetcher => "fetcher",
            Self::BinaryCache => "binary_cache",
            Self::Other => "other",
        }
    }

    /// The kind of an entry of `~/.cache/nix`, by its name (nix:
    /// `libfetchers/cache.cc`, `git-utils.cc`, `eval-cache.cc`,
    /// `nar-info-disk-cache.cc`).
    pub fn of(name: &[u8]) -> Self {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p.as_bytes()));
        if begins(&["tarball"]) {
            Self::Tarball
        } else if begins(&["eval-cache"]) {
            Self::Evaluation
        } else if begins(&["fetcher-", "git", "hg", "flake-registry"]) {
            Self::Fetcher
        } else if begins(&["binary-cache"]) {
            Self::BinaryCache
        } else {
            Self::Other
        }
    }
}

/// One kind of cache of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCache {
    /// The users with that home directory.
    pub users: Vec<String>,
    /// What it is of.
    pub kind: CacheKind,
    /// The entries of `~/.cache/nix` that it is, by name.
    pub entries: Vec<PathBuf>,
    /// The directory `~/.cache/nix`, and what the entries take.
    pub kept: Kept,
}

/// The caches of all users that can be read, and of how many homes they cannot.
pub(super) fn find(tree: &Tree, warnings: &mut Warnings) -> (Vec<UserCache>, u64) {
    let (mut caches, mut unread) = (Vec::new(), 0);
    for (home, users) in Users::read(tree).homes() {
        let path = home.join(".cache/nix");
        let opened = tree.open_directory(&path).and_then(|directory| {
            let names = names(&directory)?;
            Ok((Rc::new(directory), names))
        });
        // Those of others are none of an ordinary user's business.
        if opened.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied) {
            unread += 1;
            continue;
        }
        let Some((directory, names)) = found(opened, &path, warnings) else { continue };
        let device = directory.stat(c"").map_or(0, |stat| stat.dev);
        let mut kinds: BTreeMap<CacheKind, (Sum, Vec<PathBuf>)> = BTreeMap::new();
        for name in names {
            let (sum, entries) = kinds.entry(CacheKind::of(name.to_bytes())).or_default();
            sum.add(&directory, &name);
            entries.push(below(&path, &name));
        }
        caches.extend(kinds.into_iter().map(|(kind, (sum, entries))| UserCache {
            users: users.clone(),
            kind,
            entries,
            kept: sum.finish(&path, device, warnings),
        }));
    }
    (caches, unread)
}
