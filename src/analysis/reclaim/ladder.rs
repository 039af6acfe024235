//! The ladder: what can be done, the best and safest first, and what each thing
//! still brings when those above it are done.
use crate::arrange::Arrange as _;

use super::commands::{Manager, command};
use super::{Maker, Measure, Need, SmallestSet, Tier};
use crate::analysis::garbage::{Choice, Dead, Garbage, GarbageOptions, RemovalStep};
use crate::analysis::liveness::kept_entries;
use crate::census::WholeCensus;
use crate::disk::{Overlay, Space};
use crate::fs::SizeIs;
use crate::graph::NodeSet;
use crate::outside::Outside;
use crate::roots::{FoundRoots, GcSettings, RootKind};
use crate::text::{Units, format_size};
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

/// What is done. The names are stable: they are printed in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// Collect the garbage there is now.
    CollectGarbage,
    /// The same collection deletes entries of `.links` that nothing uses.
    UnusedLinks,
    /// Delete the old generations of a profile, then collect.
    OldGenerations,
    /// Remove links that nobody has made anew for long, then collect.
    StaleLinks,
    /// Hard-link equal files.
    Optimise,
    /// Compact the database.
    CompactDatabase,
    /// Remove build logs.
    Logs,
    /// Remove a user's cache.
    Cache,
}

impl ActionKind {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CollectGarbage => "collect_garbage",
            Self::UnusedLinks => "unused_links",
            Self::OldGenerations => "old_generations",
            Self::StaleLinks => "stale_links",
            Self::Optimise => "optimise",
            Self::CompactDatabase => "compact_database",
            Self::Logs => "logs",
            Self::Cache => "cache",
        }
    }

    /// What it is, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::CollectGarbage => "collect the garbage",
            Self::UnusedLinks => "unused entries of .links",
            Self::OldGenerations => "old generations",
            Self::StaleLinks => "old links",
            Self::Optimise => "optimise",
            Self::CompactDatabase => "compact the database",
            Self::Logs => "build logs",
            Self::Cache => "cache",
        }
    }
}

/// One step of the ladder. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct Action {
    /// What is done.
    pub kind: ActionKind,
    /// To what: a profile, who made the links, a kind of cache; empty where the
    /// kind says all.
    pub subject: String,
    /// How many: paths, entries, generations, links, files or pages.
    pub count: u64,
    /// What it still frees when all above is done; `None` if the disk was not
    /// walked. Nothing for a removal of roots that keep only what roots of a later
    /// step keep too: that step counts on it.
    pub freed: Option<Space>,
    /// The NAR size of the paths that go, if known.
    pub nar_size: Option<u64>,
    /// Whether `freed` is a lower bound.
    pub at_least: bool,
    /// Whether it is on the store's file system.
    pub on_store: bool,
    /// What all actions so far free on the store's file system.
    pub total: Option<Space>,
    /// When the oldest and the newest of the links were made, in seconds since
    /// 1970.
    pub times: Option<(i64, i64)>,
    /// The links removed; names inside the examined root.
    pub links: Vec<Vec<u8>>,
    /// What a person would run.
    pub commands: Vec<String>,
    /// What `freed` is of what comes free.
    is: Freed,
}

impl Action {
    /// Whether `freed` is an upper bound.
    pub(super) fn at_most(&self) -> bool {
        matches!(self.is, Freed::UpTo(_)) && !self.at_least
    }
}

/// What a size is of what an action really frees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freed {
    /// The truth.
    Exactly,
    /// No more than it.
    AtLeast,
    /// Near it, or there is no telling.
    About,
    /// Near it; it is no more than so many bytes.
    UpTo(u64),
}

impl Freed {
    fn of(bound: Bound, freed: Space) -> Self {
        match bound {
            Bound::Exactly => Self::Exactly,
            Bound::AtLeast => Self::AtLeast,
            Bound::AtMost => Self::UpTo(freed.physical_size),
            Bound::Unknown => Self::About,
        }
    }

    /// What the file system frees with paths.
    fn with_paths(freed_sizes_are: Option<SizeIs>) -> Self {
        match freed_sizes_are {
            // That it is not known is said where bytes are judged by blocks.
            None | Some(SizeIs::Exact) => Self::Exactly,
            Some(SizeIs::AtLeast) => Self::AtLeast,
            Some(SizeIs::About) => Self::About,
        }
    }

    /// How many bytes come free for certain.
    fn certain(self, freed: Space) -> u64 {
        match self {
            Self::Exactly | Self::AtLeast => freed.physical_size,
            Self::About | Self::UpTo(_) => 0,
        }
    }

    /// How many at most; `None` if there is no telling.
    fn most(self, freed: Space) -> Option<u64> {
        match self {
            Self::Exactly => Some(freed.physical_size),
            Self::AtLeast | Self::About => None,
            Self::UpTo(most) => Some(most),
        }
    }
}

/// What optimising frees after some paths are gone: asked only if the ladder
/// comes so far. It gets the paths that go and, by the scan's `others`, the
/// entries that go. Beside what it frees, what that is of what is really freed.
pub type AskOptimise<'a> = &'a mut dyn FnMut(&NodeSet, &[bool]) -> Option<(Space, Bound)>;

/// What a size is of what really comes free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The same.
    Exactly,
    /// No more than that.
    AtLeast,
    /// No less than that.
    AtMost,
    /// There may be more and there may be less.
    Unknown,
}

/// How to make the ladder.
#[derive(Clone, Debug)]
pub struct LadderOptions {
    /// Whose commands are printed.
    pub manager: Manager,
    /// What the collector keeps beyond references.
    pub settings: GcSettings,
    /// The time now, in seconds since 1970.
    pub now: i64,
    /// Links made before this time, in seconds since 1970, are old.
    pub older_than: i64,
    /// Where to stop.
    pub need: Option<Need>,
    /// Whether the running system may go too.
    pub system: bool,
    /// The tier of each root.
    pub tiers: Vec<Tier>,
}

/// The ladder.
#[derive(Clone, Debug)]
pub struct Reclaim<'f> {
    /// The roots it follows from.
    pub found: &'f FoundRoots,
    /// What lies outside the store.
    pub outside: Outside,
    /// The actions, the first first.
    pub actions: Vec<Action>,
    /// How much was needed.
    pub need: Option<Need>,
    /// Whether the actions free so much; `None` if nothing was asked, the disk was not walked,
    /// or it is not known: what is certain is not enough, and all that may come free is.
    pub enough: Option<bool>,
    /// The smallest set of roots that is enough, if that was asked.
    pub smallest: Option<SmallestSet>,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
    /// What the garbage there is now frees, if the disk was walked.
    pub garbage: Option<Space>,
    /// The time by which links are old, in seconds since 1970.
    pub(super) now: i64,
}

/// A step that removes roots.
struct Removal {
    kind: ActionKind,
    subject: String,
    roots: Vec<u32>,
    before_collecting: Vec<String>,
}

impl<'f> Reclaim<'f> {
    /// Makes the ladder; `optimise` is asked what optimising frees at its place.
    pub fn new(
        census: WholeCensus<'_>,
        found: &'f FoundRoots,
        outside: Outside,
        options: &LadderOptions,
        optimise: AskOptimise<'_>,
    ) -> Self {
        let removals = removals(found, options);
        let steps = removals.iter().map(|removal| RemovalStep {
            label: removal.subject.clone(),
            roots: removal.roots.clone(),
        });
        let garbage = Garbage::new(
            census,
            found,
            &GarbageOptions {
                settings: options.settings.clone(),
                steps: steps.collect(),
                choice: Choice::default(),
                filter: None,
                why: Vec::new(),
            },
        );
        let mut ladder = Ladder {
            actions: Vec::new(),
            total: Space::default(),
            certain: 0,
            most: Some(0),
            with_paths: Freed::with_paths(census.freed_sizes_are()),
            outside: match census.disk.as_ref().map(|disk| &disk.overlay) {
                _ if census.has_extents() => Bound::Unknown,
                Some(Overlay::No) | None => Bound::Exactly,
                Some(_) => Bound::AtMost,
            },
            known: true,
            need: options.need,
            manager: &options.manager,
            awaited: Vec::new(),
        };
        ladder.collect(&garbage);
        for (removal, step) in removals.into_iter().zip(&garbage.steps[1..]) {
            ladder.remove(found, &removal, &step.dead);
        }
        if !ladder.done() {
            let paths = garbage.paths.iter().map(|dead| dead.path.node());
            let gone = NodeSet::from_nodes(census.len(), paths);
            let others: Vec<bool> = kept_entries(census, found).iter().map(|kept| !kept).collect();
            if let Some((space, bound)) = optimise(&gone, &others) {
                ladder.list_what_deletes(space);
                let at_least = bound == Bound::AtLeast;
                let is = match bound {
                    Bound::Exactly => ladder.with_paths,
                    _ => Freed::of(bound, space),
                };
                let commands = vec![options.manager.optimise()];
                let kind = ActionKind::Optimise;
                let action = ladder.action(kind, space.inodes, Some(space), commands);
                ladder.add(Action { at_least, is, ..action });
            }
        }
        let mut warnings = garbage.warnings;
        if let Some(need) = options.need.filter(|_| ladder.known) {
            need.warn_of_blocks(census.census(), &mut warnings);
        }
        let device = census.disk.as_ref().and_then(|disk| disk.devices.first().copied());
        ladder.outside(&outside, device);
        let walked = options.need.filter(|_| census.disk.is_some());
        let enough = walked.filter(|_| ladder.known).and_then(|need| {
            let enough = ladder.enough(need);
            if enough.is_none() {
                warnings.push(
                    WarningKind::Unchecked,
                    census.catalog.store_dir(),
                    ladder.why_not_known(),
                );
            }
            enough
        });
        Self {
            found,
            outside,
            actions: ladder.actions,
            need: options.need,
            enough,
            smallest: None,
            garbage: garbage.steps[0].dead.freed(),
            now: options.now,
            warnings,
        }
    }
}

/// The steps that remove roots: old generations by profile, then old links by
/// who made them.
fn removals(found: &FoundRoots, options: &LadderOptions) -> Vec<Removal> {
    let may = |root: u32| match options.tiers[root as usize] {
        Tier::Old | Tier::Current => true,
        Tier::System => options.system,
        Tier::Runtime => false,
    };
    let mut removals: Vec<Removal> = Vec::new();
    // Without a current generation no profile is known to be in use.
    for profile in found.profiles.iter().filter(|profile| profile.current.is_some()) {
        let old: Vec<_> = profile
            .old()
            .filter_map(|g| Some((g.number, g.root.filter(|&root| may(root))?)))
            .collect();
        if old.is_empty() {
            continue;
        }
        let numbers: Vec<u64> = old.iter().map(|&(number, _)| number).collect();
        removals.push(Removal {
            kind: ActionKind::OldGenerations,
            subject: String::from_utf8_lossy(&profile.link).into_owned(),
            roots: old.into_iter().map(|(_, root)| root).collect(),
            before_collecting: options.manager.delete_generations(&profile.link, &numbers),
        });
    }
    removals.arrange_by_key(|removal| Reverse(removal.roots.len()));
    let mut by_maker: BTreeMap<Maker, Vec<u32>> = BTreeMap::new();
    for (index, root) in (0u32..).zip(&found.roots) {
        let old = root.time.is_some_and(|time| time < options.older_than);
        let tier = options.tiers[index as usize];
        if root.kind == RootKind::Auto && tier == Tier::Old && old {
            by_maker.entry(Maker::of(&root.link)).or_default().push(index);
        }
    }
    removals.extend(by_maker.into_iter().map(|(maker, roots)| {
        let links = roots.iter().map(|&root| found.roots[root as usize].link.as_slice());
        let before_collecting = vec![command("rm", links)];
        let subject = maker.name().to_owned();
        Removal { kind: ActionKind::StaleLinks, subject, roots, before_collecting }
    }));
    removals
}

struct Ladder<'o> {
    actions: Vec<Action>,
    /// What the actions free on the store's file system.
    total: Space,
    /// How many bytes of that come free for certain, and how many at most, if that is known.
    certain: u64,
    most: Option<u64>,
    /// What sizes of paths are of what the file system frees with them.
    with_paths: Freed,
    /// What blocks are of what is freed outside the store: nothing else is known there. On an
    /// overlay they may be in lower layers. Where there are extents others may share them, and
    /// a file may keep whole extents of which it shows a part.
    outside: Bound,
    /// Whether it is known what each action so far frees.
    known: bool,
    need: Option<Need>,
    manager: &'o Manager,
    /// Removals since the last that freed something. The sizes of later steps
    /// are of a store where these are done: they are listed before the next step
    /// that frees something, and left out where none comes.
    ///
    /// Beside each, how many paths it deletes.
    awaited: Vec<(Action, u64)>,
}

impl Ladder<'_> {
    /// Whether no more is needed.
    fn done(&self) -> bool {
        self.need.is_some_and(|need| self.enough(need) == Some(true))
    }

    /// Whether all so far is enough, if that is known.
    fn enough(&self, need: Need) -> Option<bool> {
        let (certain, most) = match need.measure {
            Measure::Disk => (self.certain, self.most),
            Measure::Inodes => (self.total.inodes, Some(self.total.inodes)),
        };
        match most {
            _ if certain >= need.amount => Some(true),
            Some(most) if most < need.amount => Some(false),
            _ => None,
        }
    }

    /// Why it is not known whether that is enough.
    fn why_not_known(&self) -> String {
        let size = |bytes| format_size(bytes, Units::Binary);
        let most = match self.most {
            Some(most) => format!("{} may", size(most)),
            None => "there may be more than is said".to_owned(),
        };
        format!(
            "whether that is enough is not known: {} come free for certain, {most}",
            size(self.certain)
        )
    }

    /// Adds an action that frees something, unless enough is free before it.
    fn add(&mut self, action: Action) {
        if !self.done() && action.freed != Some(Space::default()) {
            self.list(action);
        }
    }

    fn list(&mut self, mut action: Action) {
        self.known &= !action.on_store || action.freed.is_some();
        if action.on_store {
            let freed = action.freed.unwrap_or_default();
            self.total += freed;
            self.certain = self.certain.saturating_add(action.is.certain(freed));
            let most = self.most.zip(action.is.most(freed));
            self.most = most.map(|(most, more)| most.saturating_add(more));
        }
        action.total = action.freed.filter(|_| self.known).map(|_| self.total);
        self.actions.push(action);
    }

    /// One that frees what goes with paths of the store.
    fn action(
        &self,
        kind: ActionKind,
        count: u64,
        freed: Option<Space>,
        commands: Vec<String>,
    ) -> Action {
        Action {
            kind,
            subject: String::new(),
            count,
            freed,
            nar_size: None,
            at_least: false,
            on_store: true,
            total: None,
            times: None,
            links: Vec::new(),
            commands,
            is: self.with_paths,
        }
    }

    fn collect(&mut self, garbage: &Garbage<'_>) {
        let dead = &garbage.steps[0].dead;
        let freed =
            dead.paths_freed.zip(dead.invalid_freed).map(|(paths, invalid)| paths + invalid);
        let commands = || vec![self.manager.collect()];
        let kind = ActionKind::CollectGarbage;
        let collect = self.action(kind, dead.paths, freed, commands());
        let unused = dead.unused_links.filter(|&unused| unused > 0).map(|unused| {
            let kind = ActionKind::UnusedLinks;
            self.action(kind, unused, dead.unused_links_freed, commands())
        });
        self.add(Action { nar_size: dead.nar_size, ..collect });
        if let Some(unused) = unused {
            self.add(unused);
        }
    }

    /// Lists the first removals that await a step that frees something.
    fn list_awaited(&mut self, count: usize) {
        let awaited: Vec<_> = self.awaited.drain(..count).collect();
        awaited.into_iter().for_each(|(removal, _)| self.list(removal));
    }

    /// Lists removals that free nothing but delete paths, and those before
    /// them: what optimising frees, `space`, is of a store without those paths.
    fn list_what_deletes(&mut self, space: Space) {
        let last = self.awaited.iter().rposition(|&(_, paths)| paths > 0);
        if space != Space::default() {
            self.list_awaited(last.map_or(0, |last| last + 1));
        }
    }

    /// Adds a removal of roots; `dead` is what is dead after it and was not before.
    fn remove(&mut self, found: &FoundRoots, removal: &Removal, dead: &Dead) {
        let roots = || removal.roots.iter().map(|&root| &found.roots[root as usize]);
        let times = || roots().filter_map(|root| root.time);
        let mut commands = removal.before_collecting.clone();
        commands.push(self.manager.collect());
        let count = removal.roots.len() as u64;
        let action = Action {
            nar_size: dead.nar_size,
            times: times().min().zip(times().max()),
            links: roots().map(|root| root.link.clone()).collect(),
            subject: removal.subject.clone(),
            ..self.action(removal.kind, count, dead.freed(), commands)
        };
        if self.done() {
            return;
        }
        // Without the disk what deletes a path is taken to free something.
        if dead.freed().map_or(dead.paths == 0, |freed| freed == Space::default()) {
            self.awaited.push((action, dead.paths));
        } else {
            self.list_awaited(self.awaited.len());
            self.list(action);
        }
    }

    /// What lies outside the store: the database, logs, caches.
    fn outside(&mut self, outside: &Outside, store: Option<u64>) {
        let on_store = |device: u64| store == Some(device);
        if let Some(database) = outside.database.as_ref().filter(|d| d.free_pages > 0) {
            let start = command("sqlite3", [database.path.as_os_str().as_bytes()]);
            let freed = Some(Space::blocks(database.free_size(), 0));
            let (kind, pages) = (ActionKind::CompactDatabase, database.free_pages);
            let action = Action {
                at_least: true,
                on_store: on_store(database.device),
                // Its log may grow meanwhile, and stay while Nix has it open.
                is: match self.outside {
                    Bound::Unknown => Freed::About,
                    _ => Freed::UpTo(database.disk_size.saturating_add(database.wal_disk_size)),
                },
                ..self.action(kind, pages, freed, vec![start + " VACUUM"])
            };
            self.add(action);
        }
        let caches = outside.caches.iter().map(|cache| {
            let names = cache.entries.iter().map(|path| path.as_os_str().as_bytes());
            let users = cache.users.join(", ");
            let of = if users.is_empty() { cache.kept.path.display().to_string() } else { users };
            let subject = format!("{} of {of}", cache.kind.name());
            (ActionKind::Cache, subject, &cache.kept, command("rm -r", names))
        });
        let logs = outside.logs.iter().map(|logs| {
            let remove = command("rm -r", [logs.path.as_os_str().as_bytes()]);
            (ActionKind::Logs, String::new(), logs, remove)
        });
        let mut rest: Vec<_> = caches.chain(logs).collect();
        rest.arrange_by_key(|(_, _, kept, _)| Reverse(kept.space.disk_size));
        for (kind, subject, kept, remove) in rest {
            let is = Freed::of(self.outside, kept.space);
            self.add(Action {
                subject,
                on_store: on_store(kept.device),
                is,
                ..self.action(kind, kept.space.inodes, Some(kept.space), vec![remove])
            });
        }
    }
}
