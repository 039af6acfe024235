//! The smallest set of roots whose removal frees enough.
//!
//! What a set of holders frees is the sum of what each frees alone, of what
//! exactly two of them keep together, of what exactly three keep, and so on. So
//! the sets of up to three are compared without following any root anew: those
//! with nothing in common are best where each is best alone, and those with
//! something in common are among the groups that [`HolderGraph::shared`] lists.
use crate::arrange::Arrange as _;

use super::{Measure, Need};
use crate::analysis::liveness::{Keep, freeable, keep_graph, kept_entries};
use crate::analysis::physical;
use crate::analysis::roots::{Group, HeldBy, HolderGraph, Holders, RootSizes};
use crate::answer::{Cell, Column, Field, Section};
use crate::catalog::PathId;
use crate::census::{Census, WholeCensus};
use crate::disk::Space;
use crate::fs::SizeIs;
use crate::graph::TooHeavy;
use crate::roots::{FoundRoots, GcSettings, Root, RootKind};
use crate::store::StoreLocation;
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// After how many steps the greedy search takes all that is left: each goes over
/// the whole graph.
const MOST_STEPS: usize = 64;

/// How often it asks whether a set is enough to find what may stay, each time by
/// going over the whole graph.
const MOST_TESTS: usize = 512;

/// How readily a root is removed; the lower are taken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// An old generation, or a link that is no generation.
    Old,
    /// The current generation of a profile.
    Current,
    /// The system that is booted, running, or the current one of the profile
    /// `system`.
    System,
    /// A process, the kernel, a temporary root: these go by themselves.
    Runtime,
}

impl Tier {
    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::Current => "current",
            Self::System => "system",
            Self::Runtime => "runtime",
        }
    }

    /// The tier of each root.
    pub fn of_roots(found: &FoundRoots, location: &StoreLocation) -> Vec<Self> {
        let gcroots = location.state_dir.join("gcroots");
        let system_profile = location.state_dir.join("profiles/system");
        let is = |name: &[u8], path: &std::path::Path| {
            name == std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
        };
        let runs = |root: &Root| {
            ["booted-system", "current-system"].iter().any(|name| {
                let link = std::path::Path::new("/run").join(name);
                let via = gcroots.join(name);
                [Some(&root.link), root.via.as_ref()]
                    .into_iter()
                    .flatten()
                    .any(|found| is(found, &link) || is(found, &via))
            })
        };
        let current = |root: &Root| {
            let (profile, number) = root.generation?;
            let profile = &found.profiles[profile as usize];
            (profile.current == Some(number)).then_some(profile)
        };
        let is_system = |root: &Root| {
            runs(root) || current(root).is_some_and(|profile| is(&profile.link, &system_profile))
        };
        // The same system by another link is the system too.
        let systems: HashSet<PathId> =
            found.roots.iter().filter(|root| is_system(root)).map(|root| root.path).collect();
        let tier = |root: &Root| match root.kind {
            kind if kind.is_runtime() => Self::Runtime,
            _ if systems.contains(&root.path) => Self::System,
            RootKind::Profile if current(root).is_some() => Self::Current,
            // home-manager keeps the home in use by a link of its own.
            _ if root.link.ends_with(b"/home-manager/gcroots/current-home") => Self::Current,
            _ => Self::Old,
        };
        found.roots.iter().map(tier).collect()
    }
}

/// What to look for.
#[derive(Clone, Debug)]
pub struct SmallestOptions {
    /// What the collector keeps beyond references.
    pub settings: GcSettings,
    /// How much is to come free by roots alone, beyond what is garbage now.
    pub need: Need,
    /// Whether the running system may be removed too.
    pub system: bool,
    /// The tier of each root.
    pub tiers: Vec<Tier>,
}

/// What is known of the size of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// No smaller set of the roots considered ([`SmallestSet::among`]) is enough.
    Smallest,
    /// It was put together root by root, and roots found not to be needed were
    /// left out again: a smaller set may exist.
    Greedy,
    /// All roots that may be removed are not enough.
    NotEnough,
    /// It is not known whether the set is enough, or all roots are where there is none: more
    /// may come free than sizes say, or sizes are only about that.
    Unknown,
}

impl Proof {
    /// The stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smallest => "smallest",
            Self::Greedy => "greedy",
            Self::NotEnough => "not_enough",
            Self::Unknown => "unknown",
        }
    }

    /// What is left of it where sizes are this of what really comes free.
    fn by_sizes(self, are: SizeIs) -> Self {
        match (are, self) {
            (SizeIs::Exact, proof) => proof,
            (SizeIs::AtLeast, Self::Smallest | Self::Greedy) => Self::Greedy,
            (SizeIs::AtLeast | SizeIs::About, _) => Self::Unknown,
        }
    }
}

/// A set of roots to remove.
#[derive(Clone, Debug)]
pub struct SmallestSet {
    /// How much was to come free.
    pub need: Need,
    /// What sizes are of what really comes free.
    sizes_are: SizeIs,
    /// A root of each holder, by link: indexes into [`FoundRoots::roots`].
    pub roots: Vec<u32>,
    /// Beside each, the tier it is of.
    pub tiers: Vec<Tier>,
    /// What removing all of them frees, beyond what is garbage now; where they are
    /// not enough, what removing all roots that may be removed frees.
    pub freed: Space,
    /// The NAR size of that in bytes, if known.
    pub nar_size: Option<u64>,
    /// What is known of it.
    pub proof: Proof,
    /// Which roots were considered: those of this tier and of the tiers before it.
    /// Later ones are only where these are not enough, so a smaller set with some
    /// of later tiers may exist.
    pub among: Tier,
}

impl SmallestSet {
    /// The same where `need` is how much is to come free together with what the
    /// garbage there is now frees.
    ///
    /// # Errors
    /// As [`SmallestSet::new`].
    pub fn after_garbage(
        census: WholeCensus<'_>,
        found: &FoundRoots,
        garbage: Space,
        options: &SmallestOptions,
    ) -> Result<Option<Self>, TooHeavy> {
        let need = options.need;
        let amount = need.amount.saturating_sub(need.measure.of(garbage));
        let options = SmallestOptions { need: Need { amount, ..need }, ..options.clone() };
        let set = Self::new(census, found, &options)?;
        Ok(set.map(|set| match set.sizes_are {
            // Neither is it certain that the garbage is enough.
            SizeIs::About if need.amount > 0 => Self { proof: Proof::Unknown, ..set },
            _ => set,
        }))
    }

    /// Looks for it; `None` if the disk was not walked.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(
        census: WholeCensus<'_>,
        found: &FoundRoots,
        options: &SmallestOptions,
    ) -> Result<Option<Self>, TooHeavy> {
        let catalog = &census.catalog;
        let Some(freeable) = freeable(census, found, &kept_entries(census, found)) else {
            return Ok(None);
        };
        let keep = keep_graph(catalog, Keep::from(&options.settings));
        let holders = Holders::new(found);
        let graph = HolderGraph::new(catalog, &keep, Some(&freeable), found, &holders, i64::MIN);
        // A process of several roots is one holder, of one tier.
        let tier_of: Vec<Tier> = (holders.roots.iter())
            .map(|roots| roots.iter().map(|&root| options.tiers[root as usize]).max())
            .map(|tier| tier.unwrap_or(Tier::Runtime))
            .collect();
        let search = Search::new(&graph, options.need)?;
        let most = if options.system { Tier::System } else { Tier::Current };
        let up_to = |tier: Tier| -> Vec<u32> {
            let may = (0u32..).zip(&tier_of).filter(|(_, of)| **of <= tier);
            may.map(|(holder, _)| holder).collect()
        };
        let mut set = (options.need.amount == 0).then(|| (Vec::new(), Proof::Smallest));
        let mut among = Tier::Old;
        for tier in [Tier::Old, Tier::Current, Tier::System] {
            if set.is_none() && tier <= most {
                set = search.smallest(&up_to(tier))?;
                among = tier;
            }
        }
        let (mut members, proof) = set.unwrap_or((Vec::new(), Proof::NotEnough));
        members.sort_unstable();
        let sizes_are = match options.need.measure {
            // That they are not known is said where bytes are judged by blocks.
            Measure::Disk => census.freed_sizes_are().unwrap_or_default(),
            Measure::Inodes => SizeIs::Exact,
        };
        let freed = match proof {
            Proof::NotEnough => search.freed(&up_to(most)),
            _ => search.freed(&members),
        };
        Ok(Some(Self {
            need: options.need,
            roots: members.iter().map(|&holder| holders.roots.row(holder)[0]).collect(),
            tiers: members.iter().map(|&holder| tier_of[holder as usize]).collect(),
            freed: freed.space(),
            nar_size: freed.known_nar_size(),
            proof: if options.need.amount == 0 { proof } else { proof.by_sizes(sizes_are) },
            sizes_are,
            among,
        }))
    }

    /// Warns where it is not known whether it is enough.
    pub fn warn_if_unknown(&self, census: &Census, warnings: &mut Warnings) {
        if self.proof == Proof::Unknown {
            let message = format!("whether removing roots is enough is {}", self.why_unknown());
            warnings.push(WarningKind::Unchecked, census.catalog.store_dir(), message);
        }
    }

    fn why_unknown(&self) -> &'static str {
        match self.sizes_are {
            SizeIs::About => "not known: sizes of what comes free are not exact",
            _ => "not known: more may come free than sizes say",
        }
    }

    /// What is known of it, in words.
    fn says(&self) -> &'static str {
        match (self.proof, self.among) {
            (Proof::Unknown, _) => self.why_unknown(),
            _ if self.need.amount == 0 => "collecting the garbage is enough",
            (Proof::Smallest, Tier::Old) => "no fewer old ones are enough",
            (Proof::Smallest, Tier::Current) => "no fewer old and current ones are enough",
            (Proof::Smallest, _) => "no fewer are enough",
            (Proof::Greedy, _) => "found one by one: fewer may be enough",
            (Proof::NotEnough, _) => "all roots that may be removed are not enough",
        }
    }

    /// The sections for printing: what is known, and the roots.
    pub fn sections<'a>(
        &'a self,
        census: WholeCensus<'a>,
        found: &'a FoundRoots,
    ) -> Vec<Section<'a>> {
        let catalog = &census.census().catalog;
        let amount = match self.need.measure {
            Measure::Disk => Cell::Size(self.need.amount),
            Measure::Inodes => Cell::Count(self.need.amount),
        };
        let count = self.roots.len() as u64;
        let [disk, inodes] = match self.roots.is_empty() && self.need.amount > 0 {
            true => ["disk freed by all", "inodes freed by all"],
            false => ["disk freed by them", "inodes freed by them"],
        };
        let fields = vec![
            Field::new("needed", "more needed than the garbage", amount),
            Field::hidden("measure", Cell::text(self.need.measure.name())),
            Field::new("roots", "roots to remove", Cell::Count(count)).remark(self.says()),
            Field::hidden("proof", Cell::text(self.proof.name())),
            Field::hidden("among", Cell::text(self.among.name())),
            Field::new("disk_freed", disk, Cell::Size(self.freed.disk_size)),
            physical::freed_field(census.census(), Some(self.freed)),
            Field::new("inodes_freed", inodes, Cell::Count(self.freed.inodes)),
            Field::hidden("nar_size", Cell::optional(self.nar_size, Cell::Size)),
        ];
        let columns = vec![
            Column::text("tier"),
            Column::text("kind"),
            Column::time("time").titled("made"),
            Column::path("link"),
            Column::path("path").hidden(),
        ];
        let rows = self.roots.iter().zip(&self.tiers).map(move |(&root, tier)| {
            let root = &found.roots[root as usize];
            vec![
                Cell::text(tier.name()),
                Cell::text(root.kind.name()),
                Cell::optional(root.time, Cell::Time),
                Cell::Bytes(root.link.as_slice().into()),
                Cell::text(catalog.path(root.path)),
            ]
        });
        let title = if self.roots.is_empty() { "" } else { "Roots to remove" };
        let enough = match self.proof {
            Proof::Smallest | Proof::Greedy => "Enough",
            Proof::NotEnough => "Not enough",
            Proof::Unknown => "Not known to be enough",
        };
        vec![
            Section::fields(Some("need"), enough, fields),
            Section::rows("roots_to_remove", title, columns, rows),
        ]
    }
}

/// A search among the holders of a graph.
struct Search<'g> {
    graph: &'g HolderGraph<'g>,
    /// What each holder frees alone.
    alone: Vec<RootSizes>,
    /// What exactly two or three keep together.
    groups: HashMap<HeldBy, Group>,
    need: Need,
    /// How often it may still be asked whether a set is enough.
    tests: std::cell::Cell<usize>,
}

impl<'g> Search<'g> {
    fn new(graph: &'g HolderGraph<'g>, need: Need) -> Result<Self, TooHeavy> {
        let (alone, groups) = (graph.freed()?.holders, graph.shared());
        Ok(Self { graph, alone, groups, need, tests: std::cell::Cell::new(MOST_TESTS) })
    }

    /// What is needed of what is freed.
    fn of(&self, freed: RootSizes) -> u64 {
        match self.need.measure {
            Measure::Disk => freed.physical,
            Measure::Inodes => freed.inodes,
        }
    }

    /// What removing these holders frees, by following all others.
    fn freed(&self, removed: &[u32]) -> RootSizes {
        self.graph.freed_by(removed)
    }

    fn suffices(&self, removed: &[u32]) -> bool {
        self.tests.set(self.tests.get().saturating_sub(1));
        self.of(self.freed(removed)) >= self.need.amount
    }

    /// A smallest set of these holders; `None` if all of them are not enough.
    fn smallest(&self, may: &[u32]) -> Result<Option<(Vec<u32>, Proof)>, TooHeavy> {
        if !self.suffices(may) {
            return Ok(None);
        }
        for best in self.best_of_up_to_three(may) {
            if self.sum(&best) >= self.need.amount {
                return Ok(Some((best, Proof::Smallest)));
            }
        }
        self.greedy(may).map(|set| Some((set, Proof::Greedy)))
    }

    /// What a set of up to three frees.
    fn sum(&self, set: &[u32]) -> u64 {
        let mut set = set.to_vec();
        set.sort_unstable();
        let group = |key| self.groups.get(&key).map_or(0, |g| self.of(g.sizes));
        let mut sum: u64 = set.iter().map(|&h| self.of(self.alone[h as usize])).sum();
        for (i, &a) in set.iter().enumerate() {
            for &b in &set[i + 1..] {
                sum = sum.saturating_add(group(HeldBy::Two([a, b])));
            }
        }
        if let [a, b, c] = set[..] {
            sum = sum.saturating_add(group(HeldBy::Three([a, b, c])));
        }
        sum
    }

    /// The sets of one, two and three that free most; fewer where there are not
    /// so many holders.
    fn best_of_up_to_three(&self, may: &[u32]) -> Vec<Vec<u32>> {
        let mut order = may.to_vec();
        order.arrange_by_key(|&h| (Reverse(self.of(self.alone[h as usize])), h));
        let member: HashSet<u32> = may.iter().copied().collect();
        let mut linked: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut pairs: Vec<[u32; 2]> = Vec::new();
        let mut triples: Vec<[u32; 3]> = Vec::new();
        for &set in self.groups.keys() {
            match set {
                HeldBy::Two([a, b]) if member.contains(&a) && member.contains(&b) => {
                    pairs.push([a, b]);
                    linked.entry(a).or_default().push(b);
                    linked.entry(b).or_default().push(a);
                }
                HeldBy::Three(set) if set.iter().all(|h| member.contains(h)) => triples.push(set),
                _ => {}
            }
        }
        let mut best: Vec<Vec<u32>> = Vec::new();
        for size in 1..=3.min(order.len()) {
            // Those with nothing in common: best where each is best alone.
            let mut candidates = vec![order[..size].to_vec()];
            if size == 2 {
                candidates.extend(pairs.iter().map(|pair| pair.to_vec()));
            }
            if size == 3 {
                candidates.extend(triples.iter().map(|triple| triple.to_vec()));
                for &[a, b] in &pairs {
                    let free = order.iter().copied().find(|h| *h != a && *h != b);
                    let near = [a, b].into_iter().flat_map(|h| linked[&h].iter().copied());
                    let third = near.filter(|&h| h != a && h != b).chain(free);
                    candidates.extend(third.map(|c| vec![a, b, c]));
                }
            }
            // Of equals the first by link, so that the answer is always the same.
            for candidate in &mut candidates {
                candidate.sort_unstable();
            }
            let key = |set: &Vec<u32>| (self.sum(set), Reverse(set.clone()));
            best.extend(candidates.into_iter().max_by_key(key));
        }
        best
    }

    /// A set of these holders, which are enough, put together root by root:
    /// whichever frees most beyond what is chosen comes next. Then what is not
    /// needed is left out.
    fn greedy(&self, may: &[u32]) -> Result<Vec<u32>, TooHeavy> {
        let mut chosen: Vec<u32> = Vec::new();
        let mut left: Vec<u32> = may.to_vec();
        while !self.suffices(&chosen) {
            let gains = self.graph.freed_after(&chosen)?;
            let next =
                left.iter().copied().max_by_key(|&h| (self.of(gains[h as usize]), Reverse(h)));
            match next {
                Some(next) if self.of(gains[next as usize]) > 0 && chosen.len() < MOST_STEPS => {
                    chosen.push(next);
                    left.retain(|&h| h != next);
                }
                // What is left frees something only together.
                _ => chosen.append(&mut left),
            }
        }
        // Those that free most alone are kept rather than others.
        chosen.arrange_by_key(|&h| (Reverse(self.of(self.alone[h as usize])), h));
        self.tests.set(MOST_TESTS);
        Ok(self.needed(&mut Vec::new(), &chosen))
    }

    /// Those of `some` that are needed beside `others`, which are enough together:
    /// none of them can be left out, unless there were too many to ask about each.
    /// Halves first, so that few questions find few needed of many (QuickXplain).
    fn needed(&self, others: &mut Vec<u32>, some: &[u32]) -> Vec<u32> {
        if self.tests.get() == 0 {
            return some.to_vec();
        }
        if self.suffices(others) {
            return Vec::new();
        }
        let (first, rest) = some.split_at(some.len().div_ceil(2));
        if rest.is_empty() {
            return first.to_vec();
        }
        let kept = others.len();
        others.extend_from_slice(first);
        let mut needed = self.needed(others, rest);
        others.truncate(kept);
        others.extend_from_slice(&needed);
        needed.extend(self.needed(others, first));
        others.truncate(kept);
        needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::roots::tests::{Case, case};
    use crate::roots::{Generation, Profile};
    use proptest::prelude::*;
    use std::path::PathBuf;

    #[test]
    fn the_system_is_known_by_its_path_too() {
        let root = |kind, link: &str, path: u32, generation| Root {
            kind,
            link: link.into(),
            via: None,
            path: PathId::new(path),
            time: None,
            pid: None,
            generation,
        };
        let generation = |number, root| Generation { number, time: 0, root: Some(root) };
        let profile = |link: &str, current, generations| Profile {
            link: link.into(),
            current: Some(current),
            generations,
            ..Profile::default()
        };
        let found = FoundRoots {
            roots: vec![
                root(RootKind::Profile, "/nix/var/nix/profiles/system-1-link", 1, Some((0, 1))),
                root(RootKind::Profile, "/nix/var/nix/profiles/system-2-link", 2, Some((0, 2))),
                root(RootKind::Profile, "/nix/var/nix/profiles/system-3-link", 3, Some((0, 3))),
                root(RootKind::Profile, "/home/u/p-1-link", 4, Some((1, 1))),
                root(RootKind::Profile, "/home/u/p-2-link", 5, Some((1, 2))),
                // The second generation was booted.
                root(RootKind::Link, "/run/booted-system", 2, None),
                root(RootKind::Auto, "/home/u/result", 2, None),
                root(RootKind::Auto, "/home/u/result-2", 6, None),
                root(RootKind::Process, "/proc/1/exe", 3, None),
                root(RootKind::Link, "/home/u/home-manager/gcroots/current-home", 7, None),
            ],
            profiles: vec![
                profile(
                    "/nix/var/nix/profiles/system",
                    3,
                    vec![generation(1, 0), generation(2, 1), generation(3, 2)],
                ),
                profile("/home/u/p", 2, vec![generation(1, 3), generation(2, 4)]),
            ],
            ..FoundRoots::default()
        };
        let location = StoreLocation {
            root: PathBuf::from("/"),
            store_dir: "/nix/store".to_owned(),
            state_dir: PathBuf::from("/nix/var/nix"),
            real_store_dir: PathBuf::from("/nix/store"),
            real_state_dir: PathBuf::from("/nix/var/nix"),
            database: PathBuf::from("/nix/var/nix/db/db.sqlite"),
        };
        use Tier::{Current, Old, Runtime, System};
        let expected = [Old, System, System, Old, Current, System, System, Old, Runtime, Current];
        assert_eq!(Tier::of_roots(&found, &location), expected);
    }

    #[test]
    fn what_is_not_exact_proves_less() {
        let all = [Proof::Smallest, Proof::Greedy, Proof::NotEnough];
        let by = |are| all.map(|proof| proof.by_sizes(are));
        assert_eq!(by(SizeIs::Exact), all);
        assert_eq!(by(SizeIs::AtLeast), [Proof::Greedy, Proof::Greedy, Proof::Unknown]);
        assert_eq!(by(SizeIs::About), [Proof::Unknown; 3]);
    }

    #[test]
    fn of_many_roots_that_are_all_needed_not_each_is_asked_about() {
        const ROOTS: u32 = 800;
        let case = Case::apart(ROOTS);
        let (catalog, found, freeable) = (case.catalog(), case.found(), case.freeable());
        let holders = Holders::new(&found);
        let references = catalog.references();
        let graph = HolderGraph::new(&catalog, references, Some(&freeable), &found, &holders, 0);
        let may: Vec<u32> = (0..ROOTS).collect();
        let all = Search::new(&graph, Need { measure: Measure::Disk, amount: 1 }).unwrap();
        let amount = all.of(all.freed(&may)) - 1;
        let search = Search::new(&graph, Need { measure: Measure::Disk, amount }).unwrap();
        let (set, proof) = search.smallest(&may).unwrap().unwrap();
        assert_eq!((set.len() as u32, proof, search.tests.get()), (ROOTS, Proof::Greedy, 0));
    }

    proptest! {
        #[test]
        fn no_smaller_set_is_enough(
            case in case(),
            amount in 1u64..12_000,
            inodes: bool,
            left_out in 0u32..10,
        ) {
            let (catalog, found, freeable) = (case.catalog(), case.found(), case.freeable());
            let holders = Holders::new(&found);
            let graph = HolderGraph::new(
                &catalog, catalog.references(), Some(&freeable), &found, &holders, 0,
            );
            let (measure, amount) = match inodes {
                true => (Measure::Inodes, amount % 20 + 1),
                false => (Measure::Disk, amount),
            };
            let search = Search::new(&graph, Need { measure, amount }).unwrap();
            let may: Vec<u32> = (0..holders.len() as u32).filter(|&h| h != left_out).collect();
            let freed = |set: &[u32]| {
                let roots: Vec<u32> =
                    set.iter().flat_map(|&h| holders.roots.row(h).iter().copied()).collect();
                case.freed(&catalog, &freeable, &roots)
            };
            // Every set of those that may go.
            let sets = (0u32..1 << may.len()).map(|bits| {
                let taken = (0..).zip(&may).filter(|(bit, _)| bits & (1 << bit) != 0);
                taken.map(|(_, &holder)| holder).collect::<Vec<u32>>()
            });
            let enough = sets.filter(|set| search.of(freed(set)) >= amount);
            let least = enough.map(|set| set.len()).min();
            let answer = search.smallest(&may).unwrap();
            prop_assert_eq!(answer.is_some(), least.is_some());
            if let (Some((set, proof)), Some(least)) = (answer, least) {
                prop_assert_eq!(search.freed(&set), freed(&set));
                prop_assert!(search.of(freed(&set)) >= amount);
                prop_assert_eq!(proof == Proof::Smallest, least <= 3);
                if proof == Proof::Smallest {
                    prop_assert_eq!(set.len(), least);
                }
                for left in &set {
                    let rest: Vec<u32> = set.iter().copied().filter(|h| h != left).collect();
                    prop_assert!(search.of(freed(&rest)) < amount, "{left} is not needed");
                }
            }
        }
    }
}
