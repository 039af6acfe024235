//! `nix-census diff`.

use super::exit::{Exit, Failure};
use super::html::write_page;
use super::kept::is_snapshot;
use super::near::similar;
use super::request::Request;
use super::roots::find_profiles;
use super::subject::Subject;
use crate::analysis::diff::{Diff, DiffBy, GenerationSide, History, Side};
use crate::catalog::PathId;
use crate::census::{Census, Examine};
use crate::roots::{FoundRoots, Profile};
use crate::warning::{WarningKind, Warnings};
use clap::{Args, ValueEnum};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where NixOS keeps the generations of its system.
const SYSTEM_PROFILE: &str = "profiles/system";

/// Show what came, what went and what changed between two closures, and what it weighs
///
/// Packages are compared by name, as `nix store diff-closures` does: their versions,
/// builds and sizes. Sizes of rows overlap where paths share inodes; those of the two
/// sides count everything once.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// What was: a path as every TARGET, the directory of another system's root, or a
    /// snapshot
    #[arg(value_name = "OLD")]
    old: Option<String>,
    /// What is
    #[arg(value_name = "NEW")]
    new: Option<String>,
    /// Look for OLD in the store under DIR; without NEW the same name is meant in both
    /// stores, without OLD all of both
    #[arg(long, value_name = "DIR")]
    old_root: Option<PathBuf>,
    /// The same with the store that the snapshot FILE is of, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "old_root")]
    old_snapshot: Option<PathBuf>,
    /// Compare packages, or single paths
    #[arg(long, value_enum, value_name = "WHAT", default_value = "package")]
    by: ByArg,
    /// Show the history of the system profile instead: each generation beside the one before
    #[arg(long, conflicts_with_all = ["old", "new", "old_root", "old_snapshot", "profile", "by"])]
    system: bool,
    /// Show the history of the profile LINK
    #[arg(long, value_name = "LINK", conflicts_with_all = ["old", "new", "old_root", "old_snapshot", "by"])]
    profile: Option<PathBuf>,
    /// Show only generations N to M of the history; N.. and ..M too
    #[arg(long, value_name = "N..M", value_parser = parse_generations)]
    generations: Option<RangeInclusive<u64>>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ByArg {
    /// Packages: all paths of one name together
    Package,
    /// Store paths
    Path,
}

fn parse_generations(text: &str) -> Result<RangeInclusive<u64>, String> {
    let wrong = || "not a range of generations\nhint: write 41..43, 41.. or ..43".to_owned();
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str, otherwise| match text {
        "" => Ok(otherwise),
        _ => text.parse::<u64>().map_err(|_| wrong()),
    };
    let range = number(first, 0)?..=number(last, u64::MAX)?;
    if range.is_empty() || first.is_empty() && last.is_empty() { Err(wrong()) } else { Ok(range) }
}

pub(super) fn run(request: &Request, subject: &Subject, args: &DiffArgs) -> Result<Exit, Failure> {
    if request.wants_page() {
        request.check_page("diff --format html")?;
        if args.system || args.profile.is_some() {
            let failure = Failure::usage("a page is of two closures, not of a history");
            return Err(failure.hint("name two generations: system-41-link system-42-link"));
        }
        if matches!(args.by, ByArg::Path) {
            return Err(Failure::usage("--by cannot be used with html: the page has both"));
        }
    }
    if args.system || args.profile.is_some() {
        return history(request, subject, args);
    }
    if args.generations.is_some() {
        return Err(Failure::usage(
            "--generations is of a history: it needs --system or --profile",
        ));
    }
    let by = match args.by {
        ByArg::Package => DiffBy::Package,
        ByArg::Path => DiffBy::Path,
    };
    let other = match (&args.old_root, &args.old_snapshot) {
        (Some(dir), _) => Some(subject.of_root(request, dir)?),
        (None, Some(file)) => Some(subject.of_file(request, file)?),
        (None, None) => None,
    };
    let (old, new) = match (&args.old, &args.new, &other) {
        (Some(old), Some(new), _) => (Some(old), Some(new)),
        (same, None, Some(_)) => (same.as_ref(), same.as_ref()),
        _ => {
            let failure = Failure::usage("two things are compared: OLD and NEW");
            return Err(failure.hint("--system shows the history of the system"));
        }
    };
    let old = Meant::new(request, other.as_ref().unwrap_or(subject), old)?;
    let new = Meant::new(request, subject, new)?;
    if let (Meant::Target(a, old), Meant::Target(b, new)) = (&old, &new)
        && std::ptr::eq(*a, *b)
    {
        // One store: what both have is walked once.
        let catalog = subject.catalog(request)?;
        let id = |name: &str| subject.target(request, &catalog, None, name);
        let (old, new) = (id(old)?, id(new)?);
        let census = subject.census(request, catalog, &Examine::Closure(vec![old, new]), true)?;
        return answer(request, Side::closure(&census, &[old]), Side::closure(&census, &[new]), by);
    }
    let (old, new) = (old.census(request)?, new.census(request)?);
    answer(request, Side::all(&old), Side::all(&new), by)
}

fn answer(request: &Request, old: Side<'_>, new: Side<'_>, by: DiffBy) -> Result<Exit, Failure> {
    let diff = Diff::new(old, new).map_err(|e| Failure::because(&e))?;
    if request.wants_page() {
        let all = diff.packages.len().max(diff.paths.len());
        return write_page(request, all, |named| diff.page(named), &diff.warnings);
    }
    request.answer(diff.document(by), Exit::Done)
}

/// What a side is meant to be.
enum Meant<'s> {
    /// The closure of a path of a store.
    Target(&'s Subject, &'s str),
    /// All of a store.
    All(&'s Subject),
    /// All of the store under another root or in a snapshot.
    Other(Box<Subject>),
}

impl<'s> Meant<'s> {
    fn new(
        request: &Request,
        subject: &'s Subject,
        name: Option<&'s String>,
    ) -> Result<Self, Failure> {
        let Some(name) = name else { return Ok(Self::All(subject)) };
        let place = request.current_dir().join(name);
        Ok(match () {
            () if name.contains('/') && is_root(&place) => {
                Self::Other(Box::new(subject.of_root(request, &place)?))
            }
            () if is_snapshot(&place) => Self::Other(Box::new(subject.of_file(request, &place)?)),
            () => Self::Target(subject, name),
        })
    }

    fn census(&self, request: &Request) -> Result<Census, Failure> {
        let (subject, name) = match self {
            Self::Target(subject, name) => (*subject, Some(*name)),
            Self::All(subject) => (*subject, None),
            Self::Other(subject) => (&**subject, None),
        };
        let catalog = subject.catalog(request)?;
        let examine = match name {
            Some(name) => Examine::Closure(vec![subject.target(request, &catalog, None, name)?]),
            None => subject.everything(),
        };
        subject.census(request, catalog, &examine, true)
    }
}

/// Whether a directory is the root of a system or of a chroot store.
fn is_root(dir: &Path) -> bool {
    ["nix/store", "nix/var/nix/db"].iter().any(|place| dir.join(place).is_dir())
}

/// Each generation of a profile beside the one before it.
fn history(request: &Request, subject: &Subject, args: &DiffArgs) -> Result<Exit, Failure> {
    let link = match &args.profile {
        Some(link) => request.current_dir().join(link),
        None => subject.location.state_dir.join(SYSTEM_PROFILE),
    };
    let catalog = subject.catalog(request)?;
    let mut found = find_profiles(subject, &catalog)?;
    let profile = profile_of(&found, &link)?;
    let chosen =
        |number: &u64| args.generations.as_ref().is_none_or(|range| range.contains(number));
    let mut generations = Vec::new();
    let mut warnings = Warnings::new();
    for generation in profile.generations.iter().filter(|g| chosen(&g.number)) {
        let Some(root) = generation.root else {
            let message = format!("generation {} is not valid: it is left out", generation.number);
            warnings.push(WarningKind::Unreadable, profile.link.as_slice(), message);
            continue;
        };
        generations.push(GenerationSide {
            number: generation.number,
            time: Some(generation.time),
            path: found.roots[root as usize].path,
            current: profile.current == Some(generation.number),
        });
    }
    if generations.len() < 2 {
        let n = generations.len();
        let message = format!("{} has {n} such generations: two are compared", link.display());
        let numbers: Vec<_> = profile.generations.iter().map(|g| g.number.to_string()).collect();
        return Err(Failure::usage(message).hint(format!("there are: {}", numbers.join(", "))));
    }
    let (profile, near) = (profile.link.clone(), link.parent());
    // What could not be read elsewhere says nothing of this profile.
    let here = |path: &[u8]| near.is_some_and(|dir| path.starts_with(dir.as_os_str().as_bytes()));
    found.warnings.retain(|warning| here(&warning.path));
    warnings.extend(found.warnings);
    let targets: Vec<PathId> = generations.iter().map(|generation| generation.path).collect();
    let mut census = subject.census(request, catalog, &Examine::Closure(targets), true)?;
    census.warnings.extend(warnings);
    let history = History::new(&census, profile, generations).map_err(|e| Failure::because(&e))?;
    request.answer(history.document(), Exit::Done)
}

/// The profile of that link.
fn profile_of<'f>(found: &'f FoundRoots, link: &Path) -> Result<&'f Profile, Failure> {
    let called = |profile: &&Profile| profile.link == link.as_os_str().as_bytes();
    found.profiles.iter().find(called).ok_or_else(|| {
        let names: Vec<String> = found
            .profiles
            .iter()
            .map(|profile| String::from_utf8_lossy(&profile.link).into_owned())
            .collect();
        let failure = Failure::usage(format!("there is no profile {}", link.display()));
        failure.maybe_hint(similar(&names).map(|_| format!("there are: {}", names.join(", "))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_generations() {
        assert_eq!(parse_generations("41..43"), Ok(41..=43));
        assert_eq!(parse_generations("41.."), Ok(41..=u64::MAX));
        assert_eq!(parse_generations("..43"), Ok(0..=43));
        for wrong in ["", "..", "41", "43..41", "a..b", "-1..2"] {
            assert!(parse_generations(wrong).is_err(), "{wrong}");
        }
    }
}
