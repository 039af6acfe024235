//! The cuts that gain most, what is left over from building, and kinds of
//! files that could be left out.

mod kinds;
pub(super) mod leftovers;
use crate::arrange::Arrange as _;

use super::graph_changes::{Dropped, Edited, Gain, known_nar_size, measure, most_tries};
use super::path_names::list_of;
use super::physical::{self, main_size};
use super::reference_locations::{self, ReferenceLocations};
use super::retained::{Retained, SizeKind, Sizes};
use super::variants::{self, families};
use super::why::locations_section;
use crate::answer::{Cell, Column, Document, Field, Head, RowIter, Section};
use crate::catalog::PathId;
use crate::census::{Census, HASH_PREFIX, PathIndex};
use crate::disk::{DiskError, EXTENTS_BY_PATH, KindScan};
use crate::fs::StoreFiles;
use crate::graph::{Dominator, NodeSet, TooHeavy};
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

pub use kinds::KindSuggestion;
pub use leftovers::{Leftover, LeftoverReason};

/// A path is a candidate only if it makes up at least this part of what it
/// retains: what lies above (a system's `etc` retains nearly all, itself next
/// to nothing) says little about what to cut.
const OWN_PART: u64 = 20;

/// What to do to a path. All are indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Cut every reference to it.
    Remove(PathIndex),
    /// Cut the one reference (from, to) that keeps it.
    Cut(PathIndex, PathIndex),
    /// Let the second, a fuller build of the same package, take the first's place.
    Replace(PathIndex, PathIndex),
}

impl Action {
    /// The path that would go.
    pub fn path(self) -> PathIndex {
        match self {
            Self::Remove(path) | Self::Cut(_, path) | Self::Replace(path, _) => path,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Remove(_) => "remove",
            Self::Cut(..) => "cut",
            Self::Replace(..) => "replace",
        }
    }
}

/// A suggestion. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What to do.
    pub action: Action,
    /// What it gains when all suggestions above it are followed.
    pub gain: Gain,
    /// What it gains by itself.
    pub gain_alone: Gain,
    /// Who refers to the path.
    pub held_by: Vec<PathIndex>,
    /// How many paths go.
    pub paths: u64,
}

/// A path whose place another build of the same package could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The index of the path that would go.
    pub old: PathIndex,
    /// The index of the one that would take its place.
    pub new: PathIndex,
    /// What it gains by itself.
    pub gain: Gain,
}

/// Suggestions, best first.
#[derive(Clone, Debug)]
pub struct Suggestions {
    /// The suggestions, each given the ones above.
    pub list: Vec<Suggestion>,
    /// All replacements that gain something, each by itself.
    pub replacements: Vec<Replacement>,
    /// What was likely needed to build only.
    pub leftovers: Vec<Leftover>,
    /// What cutting every reference to each leftover gains together.
    pub leftovers_gain: Gain,
    /// Kinds of files that could be left out; empty where no files were looked at.
    pub kinds: Vec<KindSuggestion>,
    /// Which files hold the leftovers, if that was asked.
    pub locations: Option<ReferenceLocations>,
    /// NAR size before, in bytes, if known.
    pub nar_size_before: Option<u64>,
    /// NAR size if all are followed, in bytes, if known.
    pub nar_size_after: Option<u64>,
    /// Disk size before, in bytes; 0 if the disk was not asked.
    pub disk_size_before: u64,
    /// Disk size if all are followed, in bytes; 0 if the disk was not asked.
    pub disk_size_after: u64,
    /// Extents before, in bytes; blocks where they are not known.
    pub physical_size_before: u64,
    /// Extents if all are followed, in bytes; blocks where they are not known.
    pub physical_size_after: u64,
    /// What all of them gain together.
    pub gain: Gain,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
}

impl Suggestions {
    /// Finds at most `limit` suggestions that gain at least `min_size` bytes
    /// each (on disk, or as NAR where the disk was not asked). With a `scan` of the
    /// examined paths also kinds of files that could be left out, and leftovers by
    /// what is in them.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(
        census: &Census,
        scan: Option<&KindScan>,
        limit: usize,
        min_size: u64,
    ) -> Result<Self, TooHeavy> {
        Self::of(census, scan, limit, min_size, most_tries(census))
    }

    /// The same with so many changes tried at most.
    pub(super) fn of(
        census: &Census,
        scan: Option<&KindScan>,
        limit: usize,
        min_size: u64,
        tries: usize,
    ) -> Result<Self, TooHeavy> {
        let mut warnings = census.warnings.clone();
        let by = SizeKind::of(census);
        let nothing = Dropped::default();
        let original = Edited::new(census, &census.targets);
        let siblings = siblings(census);
        let mut graph = original.clone();
        let all = graph.reached();
        let mut reached = all.clone();
        let before = measure(census, &reached, &nothing);
        let replacements =
            replacements(census, &original, (&all, before), &siblings, by, tries, &mut warnings)?;
        let mut now = before;
        let mut list = Vec::new();
        while list.len() < limit {
            if list.len() == tries {
                let message = format!(
                    "no more than {tries} cuts were looked for, as each goes over the whole graph"
                );
                warnings.push(WarningKind::Unchecked, census.catalog.store_dir(), message);
                break;
            }
            let retained = graph.retained(census)?;
            let Some((action, next)) =
                best(census, &graph, &retained, &reached, now, &siblings, by)
            else {
                break;
            };
            let left = next.reached();
            let after = measure(census, &left, &nothing);
            let gain = now.get(by).saturating_sub(after.get(by));
            if gain == 0 || gain < min_size {
                break;
            }
            let alone = apply(&original, action).reached();
            let alone_sizes = measure(census, &alone, &nothing);
            list.push(Suggestion {
                action,
                gain: Gain::between(census, (&reached, now), (&left, after), &nothing),
                gain_alone: Gain::between(census, (&all, before), (&alone, alone_sizes), &nothing),
                held_by: holders(&graph, &reached, action.path()),
                paths: (reached.len() - left.len()) as u64,
            });
            (graph, reached, now) = (next, left, after);
        }
        let (leftovers, leftovers_gain) = leftovers::find(census, scan)?;
        let kinds = scan.map_or_else(Vec::new, |scan| kinds::find(census, scan, min_size));
        if census.has_extents() && kinds.iter().any(|kind| kind.gain.physical_size.is_none()) {
            let message = format!(
                "what leaving kinds of files out gains of extents is not known: {EXTENTS_BY_PATH}"
            );
            warnings.push(WarningKind::Note, census.catalog.store_dir(), message);
        }
        Ok(Self {
            warnings,
            list,
            replacements,
            leftovers,
            leftovers_gain,
            kinds,
            locations: None,
            nar_size_before: known_nar_size(census, &all, before),
            nar_size_after: known_nar_size(census, &reached, now),
            disk_size_before: before.disk,
            disk_size_after: now.disk,
            physical_size_before: before.physical,
            physical_size_after: now.physical,
            gain: Gain::between(census, (&all, before), (&reached, now), &nothing),
        })
    }

    /// Searches the holders of leftovers for the files that hold them. What
    /// cannot be read becomes a warning.
    ///
    /// # Errors
    /// If the store directory cannot be read.
    pub fn find_files(
        &mut self,
        census: &Census,
        files: &StoreFiles,
        threads: Option<usize>,
    ) -> Result<(), DiskError> {
        let edges = leftovers::edges(census, &self.leftovers);
        let catalog = &census.catalog;
        let warnings = &mut self.warnings;
        let mut found = reference_locations::find(files, catalog, &edges, threads, warnings)?;
        let place = |edge: (PathId, PathId)| edges.iter().position(|&other| other == edge);
        found.locations.arrange_by_key(|location| place((location.referrer, location.reference)));
        self.locations = Some(found);
        Ok(())
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let disk = census.disk.is_some();
        let on_disk = move |n: u64| Cell::optional(disk.then_some(n), Cell::Size);
        let physical = |n: u64| Cell::optional(census.knows_physical().then_some(n), Cell::Size);
        let size = |size| Cell::optional(size, Cell::Size);
        let count = |n| Cell::optional(n, Cell::Count);
        let total = vec![
            Field::hidden("nar_size_before", size(self.nar_size_before)),
            Field::hidden("nar_size_after", size(self.nar_size_after)),
            Field::hidden("disk_size_before", on_disk(self.disk_size_before)),
            Field::hidden("disk_size_after", on_disk(self.disk_size_after)),
            Field::hidden("physical_size_before", physical(self.physical_size_before)),
            Field::hidden("physical_size_after", physical(self.physical_size_after)),
        ];
        let pair = |disk, physical, heading| physical::columns(census, disk, physical, heading);
        let gain = pair("gain_disk_size", "gain_physical_size", "gain disk");
        let [gain_disk, gain_physical] = physical::weight(census, gain);
        let gain_physical = gain_physical.titled("gain physical");
        let [alone_disk, alone_physical] = pair("alone_disk_size", "alone_physical_size", "alone");
        let columns = vec![
            Column::size("gain_nar_size").titled("gain NAR").rank(5),
            gain_disk,
            gain_physical,
            if disk {
                Column::size("alone_nar_size").hidden()
            } else {
                Column::size("alone_nar_size").titled("alone")
            },
            alone_disk,
            alone_physical,
            Column::count("gain_inodes").titled("inodes").hidden(),
            Column::count("alone_inodes").hidden(),
            Column::count("paths").rank(4),
            Column::text("action").hidden(),
            Column::path("path").hidden(),
            Column::text("flags").titled("what-if flags to try it").rank(0),
            Column::text("holder").titled("held by").rank(7),
            Column::paths("held_by").titled("holders").rank(6),
        ];
        let handles = Rc::new(Handles::new(census));
        let of_leftovers = Rc::clone(&handles);
        let of_twins = Rc::clone(&handles);
        let catalog = &census.catalog;
        let rows = self.list.iter().map(move |s| {
            let held_by = s.held_by.iter().map(|&i| census.id(i));
            vec![
                size(s.gain.nar_size),
                size(s.gain.disk_size),
                size(s.gain.physical_size),
                size(s.gain_alone.nar_size),
                size(s.gain_alone.disk_size),
                size(s.gain_alone.physical_size),
                count(s.gain.inodes),
                count(s.gain_alone.inodes),
                Cell::Count(s.paths),
                Cell::text(s.action.name()),
                Cell::text(catalog.path(census.id(s.action.path()))),
                Cell::Arguments(handles.flags(s.action)),
                Cell::optional(s.held_by.first(), |&i| {
                    Cell::text(catalog.store_path(census.id(i)).name())
                }),
                list_of(catalog, held_by),
            ]
        });
        let gain = self.gain;
        let mut footer = vec![size(gain.nar_size), size(gain.disk_size), size(gain.physical_size)];
        footer.extend(columns[3..].iter().map(|column| match column.key {
            "gain_inodes" => count(self.gain.inodes),
            "flags" => Cell::text("all of them"),
            _ => Cell::text(""),
        }));
        let suggestions = Section::Rows {
            key: "suggestions",
            title: String::new(),
            columns,
            rows: RowIter::new(rows),
            footer,
            summary: false,
        };
        let columns = vec![
            Column::size("gain_nar_size").titled("gain NAR").rank(5),
            gain_disk,
            gain_physical,
            Column::count("gain_inodes").titled("inodes").hidden(),
            Column::text("flags").titled("what-if flags to try it").rank(0),
            Column::path("old").named().hidden(),
            Column::path("new").named().hidden(),
        ];
        let rows = self.replacements.iter().map(move |r| {
            vec![
                size(r.gain.nar_size),
                size(r.gain.disk_size),
                size(r.gain.physical_size),
                count(r.gain.inodes),
                Cell::Arguments(of_twins.flags(Action::Replace(r.old, r.new))),
                Cell::text(catalog.path(census.id(r.old))),
                Cell::text(catalog.path(census.id(r.new))),
            ]
        });
        let title = "Builds of one package that could take each other’s place, each by itself";
        let twins = Section::rows("replacements", title, columns, rows);
        let note =
            "gain: after the cuts above; alone: this cut only. A path that makes up less than \
             a twentieth of what it holds is not suggested, only what it holds."
                .to_owned();
        // The list that is asked for comes last, next to the prompt.
        let mut sections = vec![
            Section::fields(Some("total"), "", total),
            kinds::section(census, &self.kinds),
            leftovers::section(census, &self.leftovers, &self.leftovers_gain, of_leftovers),
        ];
        if let Some(found) = &self.locations {
            sections.push(locations_section(census, &found.locations));
        }
        sections.extend([twins, suggestions, Section::Note(note)]);
        sections.extend(physical::notes_of_gains(census));
        let head = Head { store_dir: catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, "suggestions")
    }
}

fn apply(graph: &Edited, action: Action) -> Edited {
    let mut graph = graph.clone();
    match action {
        Action::Remove(path) => graph.remove(&[path]),
        Action::Cut(from, to) => graph.cut(&[(from, to)]),
        Action::Replace(old, new) => graph.replace(&[old], new),
    }
    graph
}

/// Who refers to a path, itself not among them.
fn holders(graph: &Edited, reached: &NodeSet, path: PathIndex) -> Vec<PathIndex> {
    let refers =
        |&i: &PathIndex| i != path && graph.rows.row(i.node()).binary_search(&path.node()).is_ok();
    reached.iter().map(PathIndex::new).filter(refers).collect()
}

/// The action that gains most, and the graph after it.
fn best(
    census: &Census,
    graph: &Edited,
    retained: &Retained,
    reached: &NodeSet,
    now: Sizes,
    siblings: &HashMap<PathIndex, PathIndex>,
    by: SizeKind,
) -> Option<(Action, Edited)> {
    let gain = |i: PathIndex| retained.sizes[i.index()].get(by);
    let own = |i: PathIndex| match by {
        SizeKind::Nar => census.nar_size(i),
        SizeKind::Disk => main_size(census, i),
    };
    let candidate = |&i: &PathIndex| {
        !graph.roots.contains(&i.node())
            && gain(i) > 0
            && own(i).saturating_mul(OWN_PART) >= gain(i)
    };
    let examined = reached.iter().map(PathIndex::new);
    let path = examined.filter(candidate).min_by_key(|&i| (Reverse(gain(i)), i))?;
    // Letting a sibling take its place costs nobody anything, so it is
    // preferred where it gains at least half as much.
    let replaced = siblings.get(&path).filter(|new| reached.contains(new.node()));
    let replaced = replaced.map(|&new| {
        let action = Action::Replace(path, new);
        let next = apply(graph, action);
        let left = measure(census, &next.reached(), &Dropped::default());
        (now.get(by).saturating_sub(left.get(by)), action, next)
    });
    if let Some((much, action, next)) = replaced
        && much >= gain(path) / 2
        && much > 0
    {
        return Some((action, next));
    }
    // Referrers that the path itself keeps do not hold it.
    let below = |index: PathIndex| {
        let mut node = index.node();
        loop {
            match retained.dominators.of(node) {
                Dominator::Node(up) if up == path.node() => return true,
                Dominator::Node(up) => node = up,
                _ => return false,
            }
        }
    };
    let holders = holders(graph, reached, path);
    let mut real = holders.into_iter().filter(|&i| !below(i));
    let action = match (real.next(), real.next()) {
        (Some(from), None) => Action::Cut(from, path),
        _ => Action::Remove(path),
    };
    Some((action, apply(graph, action)))
}

/// What each path that a sibling could replace gains, by itself; with so many tries.
fn replacements(
    census: &Census,
    graph: &Edited,
    before: (&NodeSet, Sizes),
    siblings: &HashMap<PathIndex, PathIndex>,
    by: SizeKind,
    tries: usize,
    warnings: &mut Warnings,
) -> Result<Vec<Replacement>, TooHeavy> {
    let retained = graph.retained(census)?.sizes;
    let mut olds: Vec<(&PathIndex, &PathIndex)> = siblings.iter().collect();
    olds.arrange_by_key(|(old, _)| (Reverse(retained[old.index()].get(by)), **old));
    if olds.len() > tries {
        let message = format!(
            "of {} builds that could be replaced the {tries} that retain most were tried, as each \
             try goes over the whole graph",
            olds.len()
        );
        warnings.push(WarningKind::Unchecked, census.catalog.store_dir(), message);
        olds.truncate(tries);
    }
    let nothing = Dropped::default();
    let one = |(&old, &new): (&PathIndex, &PathIndex)| {
        let reached = apply(graph, Action::Replace(old, new)).reached();
        let after = measure(census, &reached, &nothing);
        let gain = Gain::between(census, before, (&reached, after), &nothing);
        let much = before.1.get(by).saturating_sub(after.get(by));
        (much > 0).then_some((much, Replacement { old, new, gain }))
    };
    let mut found: Vec<(u64, Replacement)> = olds.into_iter().filter_map(one).collect();
    found.arrange_by_key(|(gain, r)| (Reverse(*gain), r.old));
    Ok(found.into_iter().map(|(_, replacement)| replacement).collect())
}

/// For each path the examined one that could take its place: a larger build of
/// the same package and output, as [`variants`](super::variants) has it.
fn siblings(census: &Census) -> HashMap<PathIndex, PathIndex> {
    let families = families(census);
    let pairs = families.values().flat_map(|builds| {
        let places = variants::replacements(census, builds);
        builds.iter().zip(places).filter_map(|(&old, new)| Some((old, new?)))
    });
    pairs.collect()
}

/// Short names that mean one examined path each, for `what-if`.
pub(super) struct Handles<'a> {
    census: &'a Census,
    names: BTreeMap<&'a str, u32>,
}

impl<'a> Handles<'a> {
    pub(super) fn new(census: &'a Census) -> Self {
        let mut names = BTreeMap::new();
        for index in census.indexes() {
            let path = census.catalog.store_path(census.id(index));
            *names.entry(path.name()).or_default() += 1;
        }
        Self { census, names }
    }

    /// The name if it is the only one and plain, else the beginning of the hash part.
    fn of(&self, index: PathIndex) -> &'a str {
        let path = self.census.catalog.store_path(self.census.id(index));
        let plain = !path.name().contains(['?', '=']);
        if plain && self.names.get(path.name()) == Some(&1) {
            return path.name();
        }
        // Paths are in the order of their hash parts.
        let common = |other: Option<u32>| {
            let other = other.filter(|&node| (node as usize) < self.census.len());
            let id = other.map(|node| self.census.id(PathIndex::new(node)));
            let other = id.map_or("", |id| self.census.catalog.store_path(id).hash_part());
            other.bytes().zip(path.hash_part().bytes()).take_while(|(a, b)| a == b).count()
        };
        let (before, after) = (index.node().checked_sub(1), index.node().checked_add(1));
        let length = (common(before).max(common(after)) + 1).max(HASH_PREFIX);
        let prefix = path.hash_part().get(..length).unwrap_or(path.hash_part());
        // What is called so comes first.
        let named = self.names.range(prefix..).next().is_some_and(|(n, _)| n.starts_with(prefix));
        if named { path.hash_part() } else { prefix }
    }

    /// The flags of `what-if` for an action.
    pub(super) fn flags(&self, action: Action) -> String {
        match action {
            Action::Remove(path) => format!("--remove {}", self.of(path)),
            Action::Cut(from, to) => format!("--cut {}:{}", self.of(from), self.of(to)),
            Action::Replace(old, new) => format!("--replace {}={}", self.of(old), self.of(new)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Builder, Record};
    use crate::census::Examine;

    #[test]
    fn flags_name_one_path_each() {
        let paths = [
            ("0000000ab", "env"),
            ("0000000abc", "env"),
            ("1111111", "env"),
            ("2222222", "env"),
            ("3333333", "2222222a-1.0"),
            ("4444444", "alone-1.0"),
            ("5555555", "fix.patch?h=1"),
        ];
        let mut builder = Builder::new("/nix/store");
        for (begin, name) in paths {
            let path = format!("/nix/store/{begin:z<32}-{name}");
            builder.add(&Record { path: path.as_bytes(), ..Record::default() }).unwrap();
        }
        let census = Census::new(builder.finish().unwrap(), &Examine::All, None).unwrap();
        let handles = Handles::new(&census);
        let of = |path: u32| handles.flags(Action::Remove(PathIndex::new(path)));
        let expected = [
            "--remove 0000000abc",
            "--remove 0000000abz",
            "--remove 1111111",
            // A name begins so.
            "--remove 2222222zzzzzzzzzzzzzzzzzzzzzzzzz",
            "--remove 2222222a-1.0",
            "--remove alone-1.0",
            "--remove 5555555",
        ];
        assert_eq!((0..7).map(of).collect::<Vec<_>>(), expected);
    }
}
