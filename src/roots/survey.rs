//! All that the answers to any options are made of, found once.
use crate::arrange::Arrange as _;

use super::{
    Caller, FoundRoots, Generation, Profile, ProfileRule, Root, RootKind, RootOptions, StaleRoot,
    gcroots, profiles, runtime,
};
use crate::catalog::Catalog;
use crate::fs::Tree;
use crate::locks;
use crate::store::StoreLocation;
use crate::warning::{WarningKind, Warnings};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What was found of the roots of a store, before options choose from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RootSurvey {
    /// Links and files, by link and path, each pair once. Generations are not
    /// marked.
    pub(crate) links: Vec<Root>,
    pub(crate) stale: Vec<StaleRoot>,
    /// What could not be read of these.
    pub(crate) warnings: Warnings,
    /// What runs, if that was asked.
    pub(crate) runtime: Option<RuntimeRoots>,
    /// What is called `tmp-…` in the store directory.
    pub(crate) temporary_entries: Vec<TemporaryEntry>,
    /// The profiles as each caller has them.
    pub(crate) profiles: Vec<CallersProfiles>,
}

/// What running processes keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RuntimeRoots {
    /// In the order they were met.
    pub(crate) roots: Vec<Root>,
    pub(crate) temporary_hash_parts: HashSet<String>,
    pub(crate) hidden_processes: u64,
    pub(crate) warnings: Warnings,
}

/// An entry of the store directory that is called `tmp-…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemporaryEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) stays: Stays,
}

/// Whether the collector leaves such an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// It is not a directory.
    Always,
    /// It is a directory that somebody has locked.
    Locked,
    /// It is one that nobody has locked, or nobody was asked.
    Never,
    /// Whether somebody has is not known, for this reason.
    Unknown(String),
}

/// The profiles as one caller has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallersProfiles {
    pub(crate) caller: CallerKind,
    /// Generations are indexes into [`RootSurvey::links`].
    pub(crate) profiles: Vec<Profile>,
    pub(crate) warnings: Warnings,
}

/// What of a [`Caller`] depends on the version of Nix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallerKind {
    pub(crate) rule: ProfileRule,
    /// Whether it knows the variable `NIX_STATE_HOME`.
    pub(crate) knows_state_home: bool,
}

impl RootSurvey {
    /// Looks for all of it; for processes and temporary roots only if `runtime`,
    /// and only of this machine's own store; for `tmp-…` only if `locks`.
    pub(crate) fn take(
        tree: &Tree,
        location: &StoreLocation,
        catalog: &Catalog,
        callers: &[(CallerKind, Caller)],
        (runtime, locks): (bool, bool),
    ) -> Self {
        let mut found = FoundRoots::default();
        gcroots::find(tree, location, catalog, &mut found);
        let FoundRoots { roots: mut links, mut stale, warnings, .. } = found;
        links.arrange_by(order);
        links.dedup_by(|later, first| later.link == first.link && later.path == first.path);
        stale.arrange_by(|a, b| (&a.link, &a.via).cmp(&(&b.link, &b.via)));
        // What stands there itself needs not be listed again by way of another.
        stale.dedup_by(|later, first| later.link == first.link && first.via.is_none());
        let runtime = (runtime && location.root == Path::new("/")).then(|| {
            let mut found = FoundRoots::default();
            runtime::find(tree, location, catalog, &mut found);
            RuntimeRoots {
                roots: found.roots,
                temporary_hash_parts: found.temporary_hash_parts,
                hidden_processes: found.hidden_processes,
                warnings: found.warnings,
            }
        });
        let temporary_entries = match locks {
            true => {
                let asked = runtime.is_some();
                runtime::temporary_entries(tree, location, asked, locks::list)
            }
            false => Vec::new(),
        };
        let profiles = callers.iter().map(|(kind, caller)| {
            let mut warnings = Warnings::new();
            let profiles = profiles::find(tree, location, caller, &links, &mut warnings);
            CallersProfiles { caller: *kind, profiles, warnings }
        });
        let profiles = profiles.collect();
        Self { links, stale, warnings, runtime, temporary_entries, profiles }
    }

    /// The roots for some options, where such a caller was asked for; `options`
    /// must not ask for what was not looked for.
    pub(crate) fn found(
        &self,
        location: &StoreLocation,
        options: &RootOptions,
        caller: CallerKind,
    ) -> Option<FoundRoots> {
        let callers = self.profiles.iter().find(|found| found.caller == caller)?;
        let mut found = FoundRoots { stale: self.stale.clone(), ..FoundRoots::default() };
        found.warnings.extend(self.warnings.clone());
        let mut roots: Vec<(Root, Option<usize>)> =
            self.links.iter().cloned().zip((0..).map(Some)).collect();
        if let Some(runtime) = self.runtime.as_ref().filter(|_| options.runtime) {
            found.runtime = true;
            roots.extend(runtime.roots.iter().map(|root| (root.clone(), None)));
            found.temporary_hash_parts = runtime.temporary_hash_parts.clone();
            found.hidden_processes = runtime.hidden_processes;
            found.warnings.extend(runtime.warnings.clone());
            runtime::warn_of_hidden(options.strict, &mut found);
        }
        if options.locks_temporary_directories {
            found.keep_temporary_entries(location, &self.temporary_entries);
        }
        roots.arrange_by(|(a, _), (b, _)| order(a, b));
        roots.dedup_by(|(later, at), (first, _)| {
            at.is_none() && later.link == first.link && later.path == first.path
        });
        let mut places = vec![0u32; self.links.len()];
        for (place, (_, index)) in (0u32..).zip(&roots) {
            if let Some(index) = index {
                places[*index] = place;
            }
        }
        found.roots = roots.into_iter().map(|(root, _)| root).collect();
        found.profiles = callers.profiles.clone();
        for (index, profile) in (0u32..).zip(&mut found.profiles) {
            for Generation { number, root, .. } in &mut profile.generations {
                if let Some(root) = root {
                    *root = places[*root as usize];
                    let root = &mut found.roots[*root as usize];
                    root.kind = RootKind::Profile;
                    root.generation = Some((index, *number));
                }
            }
        }
        found.warnings.extend(callers.warnings.clone());
        found.warnings.sort();
        Some(found)
    }
}

/// Of the ways to one link the shortest is reported, then that by `auto`.
fn order(a: &Root, b: &Root) -> Ordering {
    let key = |r: &Root| (r.path, r.via.is_some(), r.kind);
    a.link.cmp(&b.link).then_with(|| key(a).cmp(&key(b)))
}

impl FoundRoots {
    /// Notes which of the entries called `tmp-…` stay.
    pub(super) fn keep_temporary_entries(
        &mut self,
        location: &StoreLocation,
        entries: &[TemporaryEntry],
    ) {
        for TemporaryEntry { name, stays } in entries {
            let stays = match stays {
                Stays::Always => true,
                Stays::Never => false,
                // Whoever locks it is on this machine.
                Stays::Locked | Stays::Unknown(_) if !self.runtime => false,
                Stays::Locked => true,
                Stays::Unknown(why) => {
                    let message = format!(
                        "whether a running Nix has it locked, so that it stays, \
                             cannot be said: {why}"
                    );
                    let path: PathBuf =
                        Path::new(&location.store_dir).join(std::ffi::OsStr::from_bytes(name));
                    let path = path.into_os_string().into_vec();
                    self.warnings.push(WarningKind::Uncertain, path, message);
                    true
                }
            };
            if stays {
                self.temporary_entries.insert(name.clone());
            }
        }
    }
}
