//! What a store's answers need beside catalog and disk: roots, settings, what
//! lies outside the store.

use super::codec::{Decoder, Encoder, Field, Odd, choice, record};
use crate::catalog::PathId;
use crate::outside::{
    Boot, BootEntry, BootFile, CacheKind, DatabaseSpace, Kept, Loader, Outside, UserCache,
};
use crate::roots::{
    CallerKind, CallersProfiles, CleanedBy, GcSetting, GcSettings, Generation, Profile,
    ProfileRule, Root, RootKind, RootSurvey, RuntimeRoots, Settings, StaleReason, StaleRoot, Stays,
    TemporaryEntry,
};
use crate::warning::Warnings;
use std::path::PathBuf;

/// What a store's answers need beside catalog and disk.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Surroundings {
    /// The roots; `None` where it was not said whose they are.
    pub(crate) roots: Option<RootSurvey>,
    /// The store directory of the store beneath, if it is an overlay.
    pub(crate) lower_store: Option<PathBuf>,
    /// Whether links were followed inside the root only because nobody said that
    /// they are those of the machine.
    pub(crate) may_be_chroot: bool,
    /// The settings, as far as answers need them.
    pub(crate) settings: Settings,
    pub(crate) settings_warnings: Warnings,
    pub(crate) outside: Outside,
    /// Outputs that build traces know, and what is to be said of them: of
    /// `Realisations`, then of `BuildTraceV3`; none where there are no traces.
    pub(crate) traces: Vec<TraceOutputs>,
}

/// Outputs that a build trace knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TraceOutputs {
    /// Pairs of derivation and output.
    pub(crate) pairs: Vec<(PathId, PathId)>,
    pub(crate) warnings: Warnings,
}

choice! {
    RootKind {
        0 => Profile,
        1 => Auto,
        2 => Link,
        3 => File,
        4 => Process,
        5 => Kernel,
        6 => Temporary,
    }
    StaleReason { 0 => Missing, 1 => InvalidPath, 2 => Elsewhere }
    CleanedBy { 0 => Caller, 1 => Other, 2 => Nobody }
    ProfileRule { 0 => UpTo2_14, 1 => In2_15, 2 => From2_16 }
    Loader { 0 => SystemdBoot, 1 => Grub }
    CacheKind { 0 => Tarball, 1 => Evaluation, 2 => Fetcher, 3 => BinaryCache, 4 => Other }
}

record! {
    Root { kind, link, via, path, time, pid, generation }
    StaleRoot { reason, link, via, target, would_keep }
    Generation { number, time, root }
    Profile { link, current, generations, uid, owner, cleaned_by }
    CallerKind { rule, knows_state_home }
    CallersProfiles { caller, profiles, warnings }
    RuntimeRoots { roots, temporary_hash_parts, hidden_processes, warnings }
    TemporaryEntry { name, stays }
    RootSurvey { links, stale, warnings, runtime, temporary_entries, profiles }
    GcSetting { value, source }
    GcSettings { keep_outputs, keep_derivations }
    DatabaseSpace { path, size, disk_size, page_size, free_pages, wal_disk_size, device }
    Kept { path, space, newest, device }
    UserCache { users, kind, entries, kept }
    BootFile { path, space, entries }
    BootEntry { name, loader, profile, generation, files, space, own }
    Boot { path, capacity, entries, files }
    Outside { database, logs, caches, unread_homes, boot, walked, warnings }
    TraceOutputs { pairs, warnings }
    Surroundings {
        roots,
        lower_store,
        may_be_chroot,
        settings,
        settings_warnings,
        outside,
        traces,
    }
}

impl Field for Stays {
    fn put(&self, out: &mut Encoder) {
        match self {
            Self::Always => out.number(0),
            Self::Locked => out.number(1),
            Self::Never => out.number(2),
            Self::Unknown(why) => {
                out.number(3);
                out.field(why);
            }
        }
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        Ok(match from.number()? {
            0 => Self::Always,
            1 => Self::Locked,
            2 => Self::Never,
            3 => Self::Unknown(from.field()?),
            _ => return Err("Stays has no such number".into()),
        })
    }
}

/// Those that decide what a collector keeps and how NAR sizes are counted: keys
/// and the like are nobody's business.
impl Field for Settings {
    fn put(&self, out: &mut Encoder) {
        out.field(&self.gc);
        out.field(&self.use_case_hack);
        out.field(&self.experimental_features);
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, Odd> {
        Ok(Self {
            gc: from.field()?,
            use_case_hack: from.field()?,
            experimental_features: from.field()?,
            ..Self::default()
        })
    }
}

impl Surroundings {
    /// What in it cannot be, if the catalog has so many paths.
    pub(super) fn fault(&self, paths: usize) -> Option<&'static str> {
        let there = |id: PathId| id.index() < paths;
        let root = |root: &Root| there(root.path) && root.generation.is_none();
        let roots = |survey: &RootSurvey| {
            let mut all =
                survey.links.iter().chain(survey.runtime.iter().flat_map(|found| &found.roots));
            let generations = (survey.profiles.iter())
                .flat_map(|found| &found.profiles)
                .flat_map(|profile| &profile.generations);
            let mut places = generations.filter_map(|generation| generation.root);
            all.all(root)
                && places.all(|place| (place as usize) < survey.links.len())
                && survey.stale.iter().flat_map(|stale| &stale.would_keep).all(|&id| there(id))
        };
        if !self.roots.iter().all(roots) {
            return Some("a root that is not there");
        }
        let files = |boot: &Boot| {
            let named = boot.entries.iter().flat_map(|entry| &entry.files);
            named.into_iter().all(|&file| file < boot.files.len())
        };
        if !self.outside.boot.iter().all(files) {
            return Some("a boot file that is not there");
        }
        let pair = |&(drv, output): &(PathId, PathId)| there(drv) && there(output);
        match self.traces.iter().all(|trace| trace.pairs.iter().all(pair)) {
            true => None,
            false => Some("an output that is not there"),
        }
    }
}
