//! What a page for a browser shows of a difference: the packages that are not the same,
//! their paths that came and went, and why those that came are there.

use super::{ChangeKind, Diff, PackageChange, PackageSide, PathChange, Shown, Side};
use crate::analysis::page::{PageError, warnings};
use crate::answer::page::{Page, PageKind, Values};
use crate::census::{Census, PathIndex};
use crate::graph::Rows;
use crate::store::StorePath;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A package or path by its place among those that the page has.
type Place = u32;

/// The paths that the page names: those that came or went, then those that only chains
/// lead over.
#[derive(Default)]
struct PathsOfPage {
    /// The side of each, and its index there.
    paths: Vec<(bool, PathIndex)>,
    /// Those of the new side.
    new: HashMap<PathIndex, Place>,
    /// The one before it in a chain from the target.
    before: HashMap<Place, Place>,
}

impl PathsOfPage {
    /// The place of a path of the new side.
    fn add_new(&mut self, path: PathIndex) -> Place {
        *self.new.entry(path).or_insert_with(|| {
            self.paths.push((true, path));
            self.paths.len() as Place - 1
        })
    }
}

impl Diff<'_> {
    /// The page that names at most so many packages and paths, those that weigh most.
    ///
    /// # Errors
    /// See [`PageError`]; only a forged store is too large.
    pub(crate) fn page(&self, named: usize) -> Result<Page, PageError> {
        self.check()?;
        let packages = &self.packages[..named.min(self.packages.len())];
        let changes = &self.paths[..named.min(self.paths.len())];
        let mut paths = PathsOfPage::default();
        for change in changes {
            match change.added {
                true => _ = paths.add_new(change.path),
                false => paths.paths.push((false, change.path)),
            }
        }
        for change in changes.iter().filter(|change| change.added) {
            let chain = self.chain(change.path);
            let places: Vec<Place> = chain.iter().map(|&path| paths.add_new(path)).collect();
            paths.before.extend(places.windows(2).map(|pair| (pair[1], pair[0])));
        }
        let physical = self.shown() == Shown::Physical;
        let mut columns = package_columns(packages, physical);
        columns.extend(self.path_columns(&paths, packages, changes.len()));
        let title = format!("{} → {}", self.old.label(), self.new.label());
        let mut facts = self.facts(packages.len(), changes.len());
        let newcomers = self.newcomers().into_iter();
        let newcomers: Vec<Place> =
            newcomers.filter_map(|path| paths.new.get(&path).copied()).collect();
        facts.push(("newcomers", json!(newcomers)));
        facts.push(("title", json!(title)));
        Ok(Page { kind: PageKind::Diff, title, facts, columns })
    }

    /// Refuses what sums of JavaScript would not be exact for.
    fn check(&self) -> Result<(), PageError> {
        let of_package = |side: &PackageSide| {
            [
                side.nar_size,
                side.disk_size,
                side.physical_size,
                side.closure_nar_size,
                side.closure_disk_size,
                side.closure_physical_size,
            ]
        };
        let of_packages = self.packages.iter().flat_map(|p| [&p.old, &p.new]).flat_map(of_package);
        let totals = [&self.old.total, &self.new.total];
        let totals = totals.map(|t| [t.nar_size, t.disk_size, t.physical_size]);
        let all = of_packages.chain(totals.into_iter().flatten());
        match all.flatten().max().unwrap_or(0) >= Values::TOO_LARGE / 2 {
            true => Err(PageError::TooLarge),
            false => Ok(()),
        }
    }

    fn facts(&self, packages: usize, paths: usize) -> Vec<(&'static str, Value)> {
        let side = |side: &Side<'_>| {
            json!({
                "target": side.target(),
                "store_dir": side.census.catalog.store_dir(),
                "paths": side.total.paths,
                "nar_size": side.total.nar_size,
                "disk_size": side.total.disk_size,
                "physical_size": side.total.physical_size,
            })
        };
        let [old, new] = self.same();
        let kinds: Vec<_> =
            ChangeKind::ALL.iter().map(|&kind| json!([kind.name(), self.count(kind)])).collect();
        let rest = &self.packages[packages..];
        let mut facts = vec![
            ("disk", json!(self.has_disk())),
            ("physical", json!(self.shown() == Shown::Physical)),
            ("sizes_note", json!(self.sizes_note())),
            ("sides", json!([side(&self.old), side(&self.new)])),
            ("kinds", json!(kinds)),
            ("same", json!({ "packages": self.same_packages, "before": old, "after": new })),
            ("unnamed_packages", json!(rest.len())),
            ("unnamed", self.unnamed(rest, &self.paths[paths..])),
            ("unnamed_paths", json!(self.paths.len() - paths)),
        ];
        facts.extend(warnings(&self.warnings));
        facts
    }

    /// What of the packages grew, and what shrank; of the paths came, and went.
    fn unnamed(&self, packages: &[PackageChange], paths: &[PathChange]) -> Value {
        type Change = fn(&PackageChange) -> Option<i64>;
        type Size = fn(&Census, PathIndex) -> Option<u64>;
        let sums = |change: Change, size: Size| {
            let mut sums = [0u64; 4];
            let mut add = |at: usize, n: u64| sums[at] = sums[at].saturating_add(n);
            for n in packages.iter().filter_map(change) {
                add(usize::from(n < 0), n.unsigned_abs());
            }
            for path in paths {
                let side = if path.added { &self.new } else { &self.old };
                add(if path.added { 2 } else { 3 }, size(side.census, path.path).unwrap_or(0));
            }
            sums
        };
        json!({
            "disk": sums(PackageChange::disk_change, |census, path| Some(census.usage(path)?.disk_size)),
            "physical": sums(PackageChange::physical_change, |census, path| {
                Some(census.extent_sizes(path)?.physical_size)
            }),
            "nar": sums(PackageChange::nar_change, Census::known_nar_size),
        })
    }

    /// What the paths of packages that are the same on both sides take, on either.
    fn same(&self) -> [Value; 2] {
        let rest = |side: &Side<'_>, of: fn(&PackageChange) -> &PackageSide| {
            let mut same = vec![true; side.census.len()];
            let different = self.packages.iter().flat_map(|package| &of(package).paths);
            different.for_each(|path| same[path.index()] = false);
            let paths = || side.indexes().filter(|path| same[path.index()]);
            let union = side.census.shared().map(|shared| shared.union(paths()));
            json!({
                "nar_size": side.census.sum_nar_sizes(paths()),
                "disk_size": union.map(|union| union.disk_size),
                "physical_size": union.and_then(|union| side.census.physical_size(union)),
            })
        };
        [rest(&self.old, |package| &package.old), rest(&self.new, |package| &package.new)]
    }

    fn path_columns(
        &self,
        paths: &PathsOfPage,
        packages: &[PackageChange],
        changed: usize,
    ) -> Vec<(&'static str, Values)> {
        let mut package_of = HashMap::new();
        for (place, package) in (0u64..).zip(packages) {
            for (added, changed) in [(false, &package.removed), (true, &package.added)] {
                package_of.extend(changed.iter().map(|&path| ((added, path), place)));
            }
        }
        let side = |new: bool| if new { &self.new } else { &self.old };
        let all = || paths.paths.iter().map(|&(new, path)| (side(new), path));
        let texts = |of: fn(&Side<'_>, PathIndex) -> String| {
            Values::Texts(all().map(|(side, path)| of(side, path)).collect())
        };
        let numbers = |of: fn(&Side<'_>, PathIndex) -> Option<u64>| {
            Values::Numbers(all().map(|(side, path)| of(side, path).filter(small)).collect())
        };
        let closures = |of: fn(&PathChange) -> Option<u64>| {
            Values::Numbers(
                self.paths[..changed].iter().map(|path| of(path).filter(small)).collect(),
            )
        };
        let before = |place: usize| paths.before.get(&(place as Place)).map(|&n| u64::from(n));
        let mut columns = vec![
            ("hash_part", texts(|side, path| side.store_path(path).hash_part().to_owned())),
            ("name", texts(|side, path| side.store_path(path).name().to_owned())),
            ("nar_size", numbers(|side, path| side.census.known_nar_size(path))),
            ("disk_size", numbers(|side, path| Some(side.census.usage(path)?.disk_size))),
            ("closure_nar_size", closures(|path| path.closure_nar_size)),
            ("closure_disk_size", closures(|path| path.closure_disk_size)),
            (
                "added",
                Values::Numbers(paths.paths.iter().map(|&(new, _)| Some(new.into())).collect()),
            ),
            (
                "package_of",
                Values::Numbers(paths.paths.iter().map(|at| package_of.get(at).copied()).collect()),
            ),
            ("before", Values::Numbers((0..paths.paths.len()).map(before).collect())),
        ];
        if self.shown() == Shown::Physical {
            let own = |side: &Side<'_>, path| Some(side.census.extent_sizes(path)?.physical_size);
            columns.push(("physical_size", numbers(own)));
            columns.push(("closure_physical_size", closures(|path| path.closure_physical_size)));
        }
        columns
    }
}

impl Side<'_> {
    fn store_path(&self, path: PathIndex) -> StorePath<'_> {
        self.census.catalog.store_path(self.census.id(path))
    }

    /// What it is of, in few words: the name of the one target, or the store.
    fn label(&self) -> String {
        match self.tops.as_slice() {
            [top] => self.name(PathIndex::new(*top)).to_owned(),
            _ => self.census.catalog.store_dir().to_owned(),
        }
    }
}

/// Whether JavaScript counts so far.
fn small(n: &u64) -> bool {
    *n < Values::TOO_LARGE
}

fn package_columns(packages: &[PackageChange], physical: bool) -> Vec<(&'static str, Values)> {
    let texts = |of: fn(&PackageChange) -> String| Values::Texts(packages.iter().map(of).collect());
    let sizes = |of: fn(&PackageSide) -> Option<u64>| {
        let side = |side: fn(&PackageChange) -> &PackageSide| {
            Values::Numbers(packages.iter().map(|package| of(side(package))).collect())
        };
        [side(|package| &package.old), side(|package| &package.new)]
    };
    let kind = |package: &PackageChange| {
        ChangeKind::ALL.iter().position(|&kind| kind == package.kind).map(|at| at as u64)
    };
    let [nar_before, nar_after] = sizes(|side| side.nar_size);
    let [disk_before, disk_after] = sizes(|side| side.disk_size);
    let [closure_nar_before, closure_nar_after] = sizes(|side| side.closure_nar_size);
    let [closure_disk_before, closure_disk_after] = sizes(|side| side.closure_disk_size);
    // All versions end to end; of each package and side where they are.
    let mut versions = Vec::new();
    let mut lists = [Rows::default(), Rows::default()];
    for package in packages {
        for (side, list) in [&package.old, &package.new].into_iter().zip(&mut lists) {
            let start = versions.len() as u32;
            versions.extend(side.versions.iter().cloned());
            list.push(&(start..versions.len() as u32).collect::<Vec<_>>());
        }
    }
    let [versions_before, versions_after] = lists;
    let mut columns = vec![
        ("package", texts(|package| package.name.clone())),
        ("pname", texts(|package| package.pname.clone())),
        ("versions", texts(|package| package.versions_text().unwrap_or_default())),
        ("change", Values::Numbers(packages.iter().map(kind).collect())),
        ("nar_size_before", nar_before),
        ("nar_size_after", nar_after),
        ("disk_size_before", disk_before),
        ("disk_size_after", disk_after),
        ("closure_nar_size_before", closure_nar_before),
        ("closure_nar_size_after", closure_nar_after),
        ("closure_disk_size_before", closure_disk_before),
        ("closure_disk_size_after", closure_disk_after),
        ("version_texts", Values::Texts(versions)),
        ("versions_before", Values::Lists(versions_before)),
        ("versions_after", Values::Lists(versions_after)),
    ];
    if physical {
        let [before, after] = sizes(|side| side.physical_size);
        let [closure_before, closure_after] = sizes(|side| side.closure_physical_size);
        columns.extend([
            ("physical_size_before", before),
            ("physical_size_after", after),
            ("closure_physical_size_before", closure_before),
            ("closure_physical_size_after", closure_after),
        ]);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::diff::DiffBy;
    use crate::answer::Section;
    use crate::catalog::Builder;
    use crate::census::Examine;
    use crate::disk::{DiskScan, Overlay};

    /// A store without paths, with its disk if it says what layers it is on.
    fn census(overlay: Option<Overlay>) -> Census {
        let scan = overlay.map(|overlay| DiskScan { overlay, ..DiskScan::empty() });
        Census::new(Builder::new("/nix/store").finish().unwrap(), &Examine::All, scan).unwrap()
    }

    #[test]
    fn what_changes_count_of_lower_layers_is_said() {
        let unknown = || Some(Overlay::Unknown("why".to_owned()));
        let note = |old, new| {
            let (old, new) = (census(old), census(new));
            let diff = Diff::new(Side::all(&old), Side::all(&new)).unwrap();
            let page = diff.page(1).unwrap();
            let fact = page.facts.iter().find(|(key, _)| *key == "sizes_note");
            let note = fact.unwrap().1.as_str().unwrap().to_owned();
            // As it is printed.
            let same =
                |section: &Section<'_>| matches!(section, Section::Note(text) if *text == note);
            assert!(diff.document(DiffBy::Package).sections.iter().any(same), "{note}");
            note
        };
        let lower = "Changes count what is in lower layers of the overlay too, which stays on the \
                     disk when it is deleted.";
        let upper = || Some(Overlay::Upper(Box::default()));
        assert_eq!(note(unknown(), Some(Overlay::No)), lower);
        assert_eq!(note(Some(Overlay::No), upper()), lower);
        assert_eq!(note(Some(Overlay::No), Some(Overlay::No)), "");
        // Sizes of NARs lie nowhere.
        assert_eq!(note(unknown(), None), "");
    }
}
