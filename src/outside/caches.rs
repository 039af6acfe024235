//! Users' caches: `~/.cache/nix` of root, of every user that the examined
//! system's `/etc/passwd` names, and of every directory in `/home` (nix:
//! `getCacheDir`).
use crate::arrange::Arrange as _;

use super::walk::{Sum, below, names};
use super::{Kept, found};
use crate::fs::Tree;
use crate::roots::Users;
use crate::warning::Warnings;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::ops::Range;
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
    let mut caches: Vec<UserCache> = Vec::new();
    let mut unread = HashSet::new();
    let mut seen: HashMap<(u64, u64), Range<usize>> = HashMap::new();
    let mut homes: Vec<_> = Users::read(tree).homes(tree).into_iter().collect();
    // One home may have several names: that of a user stands for it.
    homes.arrange_by_key(|(_, users)| users.is_empty());
    for (home, users) in homes {
        let path = home.join(".cache/nix");
        let opened = tree.open_directory(&path).and_then(|directory| {
            let names = names(&directory)?;
            Ok((Rc::new(directory), names))
        });
        // Those of others are none of an ordinary user's business.
        if opened.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied) {
            let known = tree.pass_directory(&home).ok().and_then(|home| home.stat(c"").ok());
            unread.insert(known.map(|stat| stat.identity()).ok_or(home));
            continue;
        }
        let Some((directory, names)) = found(opened, &path, warnings) else { continue };
        let stat = directory.stat(c"").ok();
        if let Some(again) = stat.and_then(|stat| seen.get(&stat.identity())) {
            for cache in &mut caches[again.clone()] {
                cache.users.extend(users.iter().cloned());
            }
            continue;
        }
        let device = stat.map_or(0, |stat| stat.dev);
        let first = caches.len();
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
        if let Some(stat) = stat {
            seen.insert(stat.identity(), first..caches.len());
        }
    }
    caches.arrange_by(|a, b| a.kept.path.cmp(&b.kept.path));
    (caches, unread.len() as u64)
}
