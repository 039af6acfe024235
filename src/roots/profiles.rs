//! Profiles and their generations: `default` is a link to `default-7-link`
//! beside it, which is a link into the store (nix: `src/libstore/profiles.cc`).

use super::links::{Dirs, modified, read_link};
use super::{FoundRoots, RootKind};
use crate::store::StoreLocation;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its link, a name inside the examined root, such as
    /// `/nix/var/nix/profiles/system`.
    pub link: Vec<u8>,
    /// The number of the generation that the link points to.
    pub current: Option<u64>,
    /// Its generations by number, also those whose path is not valid.
    pub generations: Vec<Generation>,
}

/// One generation of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// The root it is, by index; `None` if its path is not valid, or if
    /// nothing registers its link.
    pub root: Option<u32>,
}

impl Profile {
    /// The generation that deleting generations never deletes: the current
    /// one, or the newest where none is current.
    pub fn kept(&self) -> Option<u64> {
        self.current.or_else(|| self.generations.last().map(|g| g.number))
    }

    /// What `nix-collect-garbage -d` deletes: all generations but the current.
    pub fn old(&self) -> impl Iterator<Item = &Generation> {
        self.generations.iter().filter(|g| Some(g.number) != self.kept())
    }

    /// What `--delete-generations +N` deletes: all that are older than the
    /// `keep` newest, counted from the current one backwards. `keep` is at
    /// least one (nix: `deleteGenerationsGreaterThan`).
    pub fn beyond(&self, keep: u64) -> impl Iterator<Item = &Generation> {
        let kept = self.kept();
        let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
        self.generations.iter().rev().skip_while(move |g| Some(g.number) != kept).skip(keep)
    }

    /// What `--delete-older-than` deletes: all that are older than the one that
    /// was active at `time`, but never the current one
    /// (nix: `deleteGenerationsOlderThan`).
    pub fn older_than(&self, time: i64) -> impl Iterator<Item = &Generation> {
        let kept = self.kept();
        let older = self.generations.iter().rev().skip_while(move |g| g.time >= time);
        older.skip(1).filter(move |g| Some(g.number) != kept)
    }
}

/// `default-7-link` is generation 7 of `default`.
fn parse_name(name: &[u8]) -> Option<(&[u8], u64)> {
    let rest = name.strip_suffix(b"-link")?;
    let dash = rest.iter().rposition(|&b| b == b'-')?;
    let digits = &rest[dash + 1..];
    if dash == 0 || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((&rest[..dash], std::str::from_utf8(digits).ok()?.parse().ok()?))
}

/// A directory's generations that are roots.
#[derive(Default)]
struct Candidates<'a> {
    /// The profiles' names.
    profiles: BTreeSet<&'a [u8]>,
    /// The root that each link is, by the link's file name.
    roots: BTreeMap<&'a [u8], u32>,
}

/// Finds the profiles among the roots, and marks the roots that are
/// generations.
pub(super) fn find(location: &StoreLocation, dirs: &Dirs, found: &mut FoundRoots) {
    let home = location.state_dir.join("profiles");
    let mut candidates: BTreeMap<&Path, Candidates<'_>> = BTreeMap::new();
    for (index, root) in (0u32..).zip(&found.roots) {
        let link = Path::new(OsStr::from_bytes(&root.link));
        if matches!(root.kind, RootKind::Link | RootKind::Auto)
            && let (Some(dir), Some(name)) = (link.parent(), link.file_name())
            && let Some((profile, _)) = parse_name(name.as_bytes())
        {
            let here = candidates.entry(dir).or_default();
            here.profiles.insert(profile);
            here.roots.insert(name.as_bytes(), index);
        }
    }
    let mut profiles: Vec<Profile> = Vec::new();
    for (dir, here) in &candidates {
        let Some(real) = dirs.get(*dir) else { continue };
        let mut generations = list(real, here);
        for &name in &here.profiles {
            let target = read_link(&real.join(OsStr::from_bytes(name))).ok();
            // Elsewhere than among the profiles a name may look so by chance.
            if target.is_none() && !dir.starts_with(&home) {
                continue;
            }
            let mut generations = generations.remove(name).unwrap_or_default();
            generations.sort_by_key(|g| g.number);
            // 07 and 7 are one number but two links; the second stays a plain link.
            generations.dedup_by_key(|g| g.number);
            let current = target.as_deref().and_then(|t| {
                let file = t.rsplit(|&b| b == b'/').next()?;
                parse_name(file).filter(|(profile, _)| *profile == name).map(|(_, n)| n)
            });
            profiles.push(Profile {
                link: dir.join(OsStr::from_bytes(name)).into_os_string().into_vec(),
                current: current.filter(|c| generations.iter().any(|g| g.number == *c)),
                generations,
            });
        }
    }
    profiles.sort_by(|a, b| a.link.cmp(&b.link));
    for (index, profile) in (0u32..).zip(&profiles) {
        for generation in &profile.generations {
            if let Some(root) = generation.root {
                let root = &mut found.roots[root as usize];
                root.kind = RootKind::Profile;
                root.generation = Some((index, generation.number));
            }
        }
    }
    found.profiles = profiles;
}

/// The generations in a directory, by profile.
fn list<'a>(real: &Path, here: &Candidates<'a>) -> HashMap<&'a [u8], Vec<Generation>> {
    // What cannot be listed (a home directory may be searchable only) has at
    // least the generations that are roots.
    let listed = std::fs::read_dir(real).into_iter().flatten();
    let listed = listed.filter_map(|entry| Some(entry.ok()?.file_name().into_vec()));
    let roots = here.roots.keys().map(|name| name.to_vec());
    let files: BTreeSet<Vec<u8>> = listed.chain(roots).collect();
    let mut generations: HashMap<&[u8], Vec<Generation>> = HashMap::new();
    for file in files {
        if let Some((profile, number)) = parse_name(&file)
            && let Some(&profile) = here.profiles.get(profile)
            && let Some(time) = modified(&real.join(OsStr::from_bytes(&file)))
        {
            let root = here.roots.get(&*file).copied();
            generations.entry(profile).or_default().push(Generation { number, time, root });
        }
    }
    generations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(times: &[(u64, i64)], current: Option<u64>) -> Profile {
        let generation = |&(number, time)| Generation { number, time, root: None };
        Profile {
            link: b"/p".to_vec(),
            current,
            generations: times.iter().map(generation).collect(),
        }
    }

    fn numbers<'a>(generations: impl Iterator<Item = &'a Generation>) -> Vec<u64> {
        let mut numbers: Vec<_> = generations.map(|g| g.number).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn generations_by_name() {
        assert_eq!(parse_name(b"default-7-link"), Some((&b"default"[..], 7)));
        assert_eq!(parse_name(b"a-b-12-link"), Some((&b"a-b"[..], 12)));
        for odd in ["default", "default-link", "default-x-link", "-1-link", "default-1-link-x"] {
            assert_eq!(parse_name(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn deletes_what_nix_deletes() {
        let p = profile(&[(1, 10), (2, 20), (3, 30), (4, 40)], Some(4));
        assert_eq!(numbers(p.old()), [1, 2, 3]);
        assert_eq!(numbers(p.beyond(1)), [1, 2, 3]);
        assert_eq!(numbers(p.beyond(3)), [1]);
        assert_eq!(numbers(p.beyond(u64::MAX)), [0u64; 0]);
        // At 25 generation 2 was active.
        assert_eq!(numbers(p.older_than(25)), [1]);
        assert_eq!(numbers(p.older_than(30)), [1]);
        assert_eq!(numbers(p.older_than(99)), [1, 2, 3]);
        assert_eq!(numbers(p.older_than(10)), [0u64; 0]);
    }

    #[test]
    fn a_profile_rolled_back_keeps_its_current_generation() {
        let p = profile(&[(1, 10), (2, 20), (3, 30)], Some(1));
        assert_eq!(numbers(p.old()), [2, 3]);
        assert_eq!(numbers(p.beyond(1)), [0u64; 0]);
        assert_eq!(numbers(p.older_than(99)), [2]);
        let nobody = profile(&[(1, 10), (2, 20)], None);
        assert_eq!(numbers(nobody.old()), [1]);
    }
}
