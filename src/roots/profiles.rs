//! Profiles and their generations: `default` is a link to `default-7-link`
//! beside it, which is a link into the store (nix: `src/libstore/profiles.cc`);
//! and which of them `nix-collect-garbage` cleans
//! (nix: `src/nix/nix-collect-garbage/nix-collect-garbage.cc`).
use crate::arrange::Arrange as _;

use super::gcroots::{list, modified, target_path};
use super::{Root, RootKind, Users, c_name};
use crate::fs::{Directory, FileType, Resolved, ResolvedEntry, Tree};
use crate::store::StoreLocation;
use crate::warning::{WarningKind, Warnings};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its link, a name inside the examined root, such as
    /// `/nix/var/nix/profiles/system`.
    pub link: Vec<u8>,
    /// The number of the generation that the link points to, as Nix reads it:
    /// `None` unless the link's target is the bare name of a generation that
    /// is there.
    pub current: Option<u64>,
    /// Its generations by number, also those whose path is not valid.
    pub generations: Vec<Generation>,
    /// The user who owns the link.
    pub uid: Option<u32>,
    /// That user's name, if the examined system's `/etc/passwd` has it.
    pub owner: Option<String>,
    /// Who deletes its old generations.
    pub cleaned_by: CleanedBy,
}

/// Whose `nix-collect-garbage` deletes a profile's old generations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CleanedBy {
    /// That of the [`Caller`].
    #[default]
    Caller,
    /// Not the caller's: the profile is another user's, or in a directory
    /// where `nix-collect-garbage` does not look.
    Other,
    /// Nobody's: there is no link, or Nix does not take it for a profile's.
    Nobody,
}

impl CleanedBy {
    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Other => "other",
            Self::Nobody => "nobody",
        }
    }
}

/// Where `nix-collect-garbage` looks for profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProfileRule {
    /// In the state directory's `profiles`.
    UpTo2_14,
    /// In the caller's own profile directory.
    In2_15,
    /// In both, and beside the profile that `~/.nix-profile` points to.
    #[default]
    From2_16,
}

/// The user who calls `nix-collect-garbage`. Names are inside the examined root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where Nix looks.
    pub rule: ProfileRule,
    /// Whether it is the superuser.
    pub is_root: bool,
    /// The home directory.
    pub home: PathBuf,
    /// Nix's directory for the user's state, if not `~/.local/state/nix`.
    pub state_home: Option<PathBuf>,
    /// `use-xdg-base-directories`: the default profile's link is in
    /// `state_home`.
    pub xdg: bool,
    /// Nix's own state directory, in which the user's profiles are, where it is
    /// not the store's: `nix-collect-garbage --store DIR` leaves the profiles
    /// that lie in `DIR` alone.
    pub state_dir: Option<PathBuf>,
    /// Whether to ask the kernel what this process may read and write; not for
    /// an image, which is examined as its superuser would.
    pub ask_access: bool,
}

impl Caller {
    /// The superuser of an image.
    pub fn superuser(rule: ProfileRule) -> Self {
        Self {
            rule,
            is_root: true,
            home: PathBuf::from("/root"),
            state_home: None,
            xdg: false,
            state_dir: None,
            ask_access: false,
        }
    }

    /// The directories that are cleaned (nix: `profilesDir`, `getDefaultProfile`).
    fn directories(&self, tree: &Tree, location: &StoreLocation) -> Vec<PathBuf> {
        let state_dir = self.state_dir.as_ref().unwrap_or(&location.state_dir);
        let all = state_dir.join("profiles");
        let state_home =
            self.state_home.clone().unwrap_or_else(|| self.home.join(".local/state/nix"));
        let own =
            if self.is_root { all.join("per-user/root") } else { state_home.join("profiles") };
        match self.rule {
            ProfileRule::UpTo2_14 => vec![all],
            ProfileRule::In2_15 => vec![own],
            ProfileRule::From2_16 => {
                let link = if self.xdg {
                    state_home.join("profile")
                } else {
                    self.home.join(".nix-profile")
                };
                vec![default_profile_dir(tree, &link, &own), own, all]
            }
        }
    }
}

/// The directory of the profile that the default profile's link points to.
fn default_profile_dir(tree: &Tree, link: &Path, own: &Path) -> PathBuf {
    let (Some(dir), Some(name)) = (link.parent(), link.file_name()) else {
        return own.to_owned();
    };
    // Where there is no link, Nix makes one to `profile` among its own.
    let Ok(parent) = tree.pass_directory(dir) else { return own.to_owned() };
    match c_name(name).and_then(|name| parent.read_link(&name)) {
        Ok(target) => {
            let mut path = target_path(dir, &target);
            path.pop();
            path
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => own.to_owned(),
        // No link: Nix takes it for the profile itself.
        Err(_) => dir.to_owned(),
    }
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
    /// Whether its old generations are deleted: by the caller, or by anybody.
    pub fn is_cleaned(&self, all_users: bool) -> bool {
        match self.cleaned_by {
            CleanedBy::Caller => true,
            CleanedBy::Other => all_users,
            CleanedBy::Nobody => false,
        }
    }

    /// What `nix-collect-garbage -d` deletes: all generations but the current;
    /// all where none is current.
    pub fn old(&self) -> impl Iterator<Item = &Generation> {
        self.generations.iter().filter(|g| Some(g.number) != self.current)
    }

    /// What `--delete-generations +N` deletes: all that are older than the
    /// `keep` newest, counted from the current one backwards; nothing where
    /// none is current. `keep` is at least one
    /// (nix: `deleteGenerationsGreaterThan`).
    pub fn beyond(&self, keep: u64) -> impl Iterator<Item = &Generation> {
        let current = self.current;
        let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
        self.generations.iter().rev().skip_while(move |g| Some(g.number) != current).skip(keep)
    }

    /// What `--delete-older-than` deletes: all that are older than the one that
    /// was active at `time`, but never the current one
    /// (nix: `deleteGenerationsOlderThan`).
    pub fn older_than(&self, time: i64) -> impl Iterator<Item = &Generation> {
        let current = self.current;
        let older = self.generations.iter().rev().skip_while(move |g| g.time >= time);
        older.skip(1).filter(move |g| Some(g.number) != current)
    }

    /// The generation at which Nix stops with an error when it deletes those
    /// before `time`: one that is newer than one of a higher number.
    pub fn stops_at(&self, time: i64) -> Option<u64> {
        let older = self.generations.iter().rev().skip_while(move |g| g.time >= time);
        older.skip(1).find(|g| g.time >= time).map(|g| g.number)
    }
}

/// The generation's number in what follows `<profile>-` in a name, as Nix reads
/// it: what stands before the first `-link`, whatever follows.
fn parse_number(rest: &[u8]) -> Option<u64> {
    let end = rest.windows(5).position(|w| w == b"-link")?;
    let digits = &rest[..end];
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(number.into())
}

/// `default-7-link` is generation 7 of `default`.
fn parse_name(name: &[u8]) -> Option<(&[u8], u64)> {
    let rest = name.strip_suffix(b"-link")?;
    let dash = rest.iter().rposition(|&b| b == b'-')?;
    if dash == 0 {
        return None;
    }
    Some((&name[..dash], parse_number(&name[dash + 1..])?))
}

/// The link that Nix deletes with a generation.
fn link_of(profile: &[u8], number: u64) -> Vec<u8> {
    [profile, format!("-{number}-link").as_bytes()].concat()
}

/// A directory's profiles, and its links that are roots.
#[derive(Default)]
struct Candidates {
    /// The profiles' names.
    profiles: BTreeSet<Vec<u8>>,
    /// The root that each link is, by the link's file name.
    roots: BTreeMap<Vec<u8>, u32>,
}

/// Profiles that the caller's `nix-collect-garbage` cleans.
#[derive(Default)]
struct Cleaned {
    /// Their names by the name of their directory with no symlink in it.
    names: HashMap<PathBuf, BTreeSet<Vec<u8>>>,
    /// The name by which each such directory was found.
    found_as: BTreeMap<PathBuf, PathBuf>,
}

/// A directory still to be looked through for profiles.
struct Pending {
    /// The name by which it was found.
    found_as: PathBuf,
    /// Its name with no symlink in it.
    path: PathBuf,
    /// Where it is found; none for one that is itself open.
    at: DirectoryAt,
}

enum DirectoryAt {
    Entry(ResolvedEntry),
    In(Rc<Directory>, CString),
}

impl DirectoryAt {
    fn open(&self) -> io::Result<Directory> {
        match self {
            Self::Entry(entry) => entry.open_directory(),
            Self::In(parent, name) => parent.open_directory(name),
        }
    }
}

impl Cleaned {
    fn find(
        tree: &Tree,
        location: &StoreLocation,
        caller: &Caller,
        warnings: &mut Warnings,
    ) -> Self {
        let mut cleaned = Self::default();
        let mut seen: HashSet<PathBuf> = HashSet::new();
        let mut todo: Vec<Pending> = Vec::new();
        for dir in caller.directories(tree, location) {
            if let Ok(Resolved::Entry(entry)) = tree.resolve(&dir, None) {
                let path = entry.path.clone();
                todo.push(Pending { found_as: dir, path, at: DirectoryAt::Entry(entry) });
            }
        }
        // Nix asks the kernel by name, and so is it asked here.
        let may = |path: &Path, access: Access| {
            let path = tree.display_path(path);
            !caller.ask_access || accessat(CWD, &path, access, AtFlags::empty()).is_ok()
        };
        while let Some(Pending { found_as, path, at }) = todo.pop() {
            if !may(&path, Access::READ_OK) || !seen.insert(path.clone()) {
                continue;
            }
            let listed = at.open().and_then(|directory| {
                let entries = list(&directory)?;
                Ok((Rc::new(directory), entries))
            });
            // It may be the last that holds the directory above open.
            drop(at);
            let (directory, entries) = match listed {
                Ok(listed) => listed,
                Err(e) => {
                    use io::ErrorKind::{NotADirectory, NotFound};
                    if !matches!(e.kind(), NotFound | NotADirectory) {
                        let message = format!("cannot be read to look for profiles: {e}");
                        let name = found_as.as_os_str().as_bytes();
                        warnings.push(WarningKind::Unreadable, name, message);
                    }
                    continue;
                }
            };
            let can_write = may(&path, Access::WRITE_OK);
            for (name, file_type) in entries {
                match file_type {
                    FileType::Directory => {
                        let file = OsStr::from_bytes(name.to_bytes());
                        todo.push(Pending {
                            found_as: found_as.join(file),
                            path: path.join(file),
                            at: DirectoryAt::In(Rc::clone(&directory), name),
                        });
                    }
                    FileType::Symlink if can_write && looks_like_profile(&directory, &name) => {
                        let names = cleaned.names.entry(path.clone()).or_default();
                        names.insert(name.into_bytes());
                        cleaned.found_as.insert(path.clone(), found_as.clone());
                    }
                    _ => {}
                }
            }
        }
        cleaned
    }
}

/// Whether Nix takes a link for a profile's: its target has the word in it.
fn looks_like_profile(directory: &Directory, link: &CStr) -> bool {
    let target = directory.read_link(link);
    target.is_ok_and(|target| target.windows(4).any(|w| w == b"link"))
}

/// The profiles among the roots, and those that the caller cleans. Generations
/// say by index which root they are.
pub(super) fn find(
    tree: &Tree,
    location: &StoreLocation,
    caller: &Caller,
    roots: &[Root],
    warnings: &mut Warnings,
) -> Vec<Profile> {
    let home = location.state_dir.join("profiles");
    let mut cleaned = Cleaned::find(tree, location, caller, warnings);
    let mut candidates: BTreeMap<PathBuf, Candidates> = BTreeMap::new();
    for (index, root) in (0u32..).zip(roots) {
        let link = Path::new(OsStr::from_bytes(&root.link));
        if matches!(root.kind, RootKind::Link | RootKind::Auto)
            && let (Some(dir), Some(name)) = (link.parent(), link.file_name())
        {
            let here = candidates.entry(dir.to_owned()).or_default();
            if let Some((profile, _)) = parse_name(name.as_bytes()) {
                here.profiles.insert(profile.to_owned());
            }
            here.roots.insert(name.as_bytes().to_owned(), index);
        }
    }
    let users = Users::read(tree);
    let mut profiles: Vec<Profile> = Vec::new();
    let mut look = |dir: &Path, entry: &ResolvedEntry, here, own: Option<&BTreeSet<Vec<u8>>>| {
        if let Ok(directory) = entry.pass_directory() {
            let home = dir.starts_with(&home);
            profiles.extend(profiles_in(&directory, dir, home, here, own, &users));
        }
    };
    let mut more = std::mem::take(&mut cleaned.found_as);
    for (dir, here) in candidates {
        if let Ok(Resolved::Entry(entry)) = tree.resolve(&dir, None) {
            more.remove(&entry.path);
            look(&dir, &entry, here, cleaned.names.get(&entry.path));
        }
    }
    for (path, dir) in more {
        if let Ok(Resolved::Entry(entry)) = tree.resolve(&dir, None) {
            look(&dir, &entry, Candidates::default(), cleaned.names.get(&path));
        }
    }
    profiles.arrange_by(|a, b| a.link.cmp(&b.link));
    profiles
}

/// The profiles in a directory that is called `dir`; `own` are those there
/// that the caller cleans.
fn profiles_in(
    directory: &Directory,
    dir: &Path,
    is_home: bool,
    mut here: Candidates,
    own: Option<&BTreeSet<Vec<u8>>>,
    users: &Users,
) -> Vec<Profile> {
    here.profiles.extend(own.into_iter().flatten().cloned());
    if here.profiles.is_empty() {
        return Vec::new();
    }
    let mut profiles = Vec::new();
    let mut generations = list_generations(directory, &here);
    for name in &here.profiles {
        let Ok(link) = c_name(OsStr::from_bytes(name)) else { continue };
        let target = directory.read_link(&link).ok();
        // Elsewhere than among the profiles a name may look so by chance.
        if target.is_none() && !is_home {
            continue;
        }
        let mut generations = generations.remove(&**name).unwrap_or_default();
        if generations.is_empty() {
            continue;
        }
        generations.arrange_by_key(|g| g.number);
        // 07 and 7 are one number but two links; Nix deletes the second.
        generations.dedup_by_key(|g| g.number);
        let current = target
            .as_deref()
            .and_then(|t| parse_number(t.strip_prefix(&**name)?.strip_prefix(b"-")?));
        let cleaned_by = match (own.is_some_and(|own| own.contains(name)), &target) {
            (true, _) => CleanedBy::Caller,
            (false, Some(_)) if looks_like_profile(directory, &link) => CleanedBy::Other,
            _ => CleanedBy::Nobody,
        };
        let uid = directory.stat(&link).ok().map(|stat| stat.uid);
        let owner = uid.and_then(|uid| users.name(uid).cloned());
        profiles.push(Profile {
            link: dir.join(OsStr::from_bytes(name)).into_os_string().into_vec(),
            current: current.filter(|c| generations.iter().any(|g| g.number == *c)),
            generations,
            uid,
            owner,
            cleaned_by,
        });
    }
    profiles
}

/// The generations in a directory, by profile.
fn list_generations(directory: &Directory, here: &Candidates) -> HashMap<Vec<u8>, Vec<Generation>> {
    // What cannot be listed (a home directory may be searchable only) has at
    // least the generations that are roots.
    let mut files: BTreeSet<Vec<u8>> = here.roots.keys().cloned().collect();
    if let Ok(readable) = directory.open_directory(c".") {
        let _ = readable.read(&mut Vec::new(), |entry| {
            files.insert(entry.name.to_bytes().to_owned());
        });
    }
    let mut generations: HashMap<Vec<u8>, Vec<Generation>> = HashMap::new();
    for file in files {
        let dashes = file.iter().enumerate().filter(|(_, b)| **b == b'-');
        for (dash, _) in dashes {
            let profile = &file[..dash];
            if here.profiles.contains(profile)
                && let Some(number) = parse_number(&file[dash + 1..])
                && let Ok(name) = c_name(OsStr::from_bytes(&file))
                && let Some(time) = modified(directory, &name)
            {
                let root = here.roots.get(&link_of(profile, number)).copied();
                let generation = Generation { number, time, root };
                generations.entry(profile.to_owned()).or_default().push(generation);
            }
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
            ..Profile::default()
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
        let odd = ["default", "default-link", "default-x-link", "-1-link", "default-1-link-x"];
        for odd in odd.into_iter().chain(["default-4294967296-link", "default--1-link-"]) {
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
        assert_eq!((p.stops_at(99), p.stops_at(25)), (None, None));
    }

    #[test]
    fn without_a_current_generation_nothing_is_spared_or_counted_from() {
        let p = profile(&[(1, 10), (2, 20)], None);
        assert_eq!(numbers(p.old()), [1, 2]);
        assert_eq!(numbers(p.beyond(1)), [0u64; 0]);
        assert_eq!(numbers(p.older_than(99)), [1]);
    }

    #[test]
    fn a_generation_newer_than_a_later_one_stops_nix() {
        let p = profile(&[(1, 10), (2, 50), (3, 30), (4, 60)], Some(4));
        assert_eq!((p.stops_at(40), p.stops_at(55)), (Some(2), None));
    }
}
