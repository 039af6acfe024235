//! Which roots a user thinks away.

use super::Fate;
use crate::glob::Glob;
use crate::roots::{CleanedBy, FoundRoots, Generation, Profile};
use crate::text::escape;
use crate::warning::{WarningKind, Warnings};

/// Roots to think away together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovalStep {
    /// What it is called.
    pub label: String,
    /// The roots: indexes into [`FoundRoots::roots`].
    pub roots: Vec<u32>,
}

/// What to think away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Roots by name: a link, the link in `gcroots` that leads to it, a
    /// profile (all its generations), `/proc/<pid>`, or a glob over links.
    Named {
        /// The name as given.
        name: String,
        /// Other names of the same link: what a relative name means.
        also: Vec<Vec<u8>>,
    },
    /// In every profile that is cleaned what `--delete-older-than` deletes.
    OlderThan {
        /// How many days.
        days: u32,
        /// Whether other users clean theirs too.
        all_users: bool,
        /// The time to count from, in seconds since 1970.
        now: i64,
    },
    /// In every profile that is cleaned what `--delete-generations +N` deletes.
    KeepGenerations {
        /// How many generations are kept.
        keep: u64,
        /// Whether other users clean theirs too.
        all_users: bool,
    },
}

/// A name that means no root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemovalError {
    /// Nothing is called so.
    #[error("no root is called '{0}'")]
    Unknown(String),
    /// The glob is wrong.
    #[error("'{0}' is not a pattern: {1}")]
    Glob(String, String),
}

/// The time so many days before another, both in seconds since 1970.
fn time_before(now: i64, days: u32) -> i64 {
    now.saturating_sub(i64::from(days) * 86_400)
}

impl Removal {
    /// What must be known of the profiles it does not touch, or where Nix would
    /// stop half-way.
    pub fn warn(&self, found: &FoundRoots, warnings: &mut Warnings) {
        let (Self::OlderThan { all_users, .. } | Self::KeepGenerations { all_users, .. }) = self
        else {
            return;
        };
        for profile in &found.profiles {
            let link = profile.link.clone();
            if !profile.is_cleaned(*all_users) && self.chosen(profile).next().is_some() {
                let message = match profile.cleaned_by {
                    CleanedBy::Nobody => "not counted: Nix does not take it for a profile",
                    _ => {
                        "not counted: this user’s nix-collect-garbage does not clean it (--all-users)"
                    }
                };
                warnings.push(WarningKind::Note, link, message);
            } else if profile.is_cleaned(*all_users)
                && let Self::OlderThan { days, now, .. } = self
                && let Some(number) = profile.stops_at(time_before(*now, *days))
            {
                let message = format!(
                    "its generation {number} is newer than a later one: \
                     Nix stops with an error there, and collects nothing"
                );
                warnings.push(WarningKind::Uncertain, link, message);
            }
        }
    }

    /// The generations of a profile that it means, whoever cleans it.
    fn chosen<'p>(&self, profile: &'p Profile) -> Box<dyn Iterator<Item = &'p Generation> + 'p> {
        match self {
            Self::Named { .. } => Box::new(std::iter::empty()),
            Self::OlderThan { days, now, .. } => {
                Box::new(profile.older_than(time_before(*now, *days)))
            }
            Self::KeepGenerations { keep, .. } => Box::new(profile.beyond(*keep)),
        }
    }

    /// The roots it means.
    ///
    /// # Errors
    /// If a name means none.
    pub fn step(&self, found: &FoundRoots) -> Result<RemovalStep, RemovalError> {
        let generations = |label: String, all_users: bool| {
            let cleaned = found.profiles.iter().filter(|p| p.is_cleaned(all_users));
            let label = if all_users { format!("{label}, of all users") } else { label };
            RemovalStep {
                label,
                roots: cleaned.flat_map(|p| self.chosen(p)).filter_map(|g| g.root).collect(),
            }
        };
        Ok(match self {
            Self::Named { name, also } => named(found, name, also)?,
            Self::OlderThan { days, all_users, .. } => {
                generations(format!("generations older than {days} days"), *all_users)
            }
            Self::KeepGenerations { keep, all_users } => {
                let label = format!("each profile’s generations but the newest {keep}");
                generations(label, *all_users)
            }
        })
    }
}

fn named(found: &FoundRoots, name: &str, also: &[Vec<u8>]) -> Result<RemovalStep, RemovalError> {
    let called = |given: &[u8]| given == name.as_bytes() || also.iter().any(|a| a == given);
    let process = name.strip_prefix("/proc/").and_then(|pid| pid.parse::<u32>().ok());
    let profile = |root: Option<(u32, u64)>| {
        root.is_some_and(|(profile, _)| called(&found.profiles[profile as usize].link))
    };
    let roots = || (0u32..).zip(&found.roots);
    let meant = roots().filter(|(_, root)| {
        called(&root.link)
            || root.via.as_deref().is_some_and(called)
            || (process.is_some() && root.pid == process)
            || profile(root.generation)
    });
    let mut meant_roots: Vec<u32> = meant.map(|(index, _)| index).collect();
    // What is called exactly so is meant, even if a pattern would match it and more.
    if meant_roots.is_empty() && name.contains(['*', '?', '[', '{']) && !name.starts_with("{temp:")
    {
        let glob = Glob::across_slashes(name)
            .map_err(|e| RemovalError::Glob(escape(name.as_bytes()), e.to_string()))?;
        let matching =
            roots().filter(|(_, root)| glob.is_match(&String::from_utf8_lossy(&root.link)));
        meant_roots = matching.map(|(index, _)| index).collect();
    }
    if meant_roots.is_empty() {
        return Err(RemovalError::Unknown(escape(name.as_bytes())));
    }
    Ok(RemovalStep { label: escape(name.as_bytes()), roots: meant_roots })
}

/// What becomes of each root: it goes in a step, from 1, or stays. A root
/// goes in the first step that names it.
pub(super) fn steps_of_roots(found: &FoundRoots, steps: &[RemovalStep]) -> Vec<Fate> {
    let mut of = vec![Fate::Stays; found.roots.len()];
    for (number, step) in (1u32..).zip(steps) {
        for &root in &step.roots {
            let at = &mut of[root as usize];
            *at = (*at).min(Fate::Goes(number));
        }
    }
    of
}
