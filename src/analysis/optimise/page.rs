//! What a page for a browser shows of what optimising would save: the pairs of packages
//! and the files that these have in common.

use super::{Breakdown, Optimise, PairFiles, PairSaving, Saving};
use crate::analysis::page::{PageError, title, warnings};
use crate::answer::page::{Page, PageKind, Values};
use crate::arrange::Arrange as _;
use crate::census::{Census, PathIndex};
use crate::graph::saturating_sum;
use crate::text::escape;
use serde_json::{Value, json};
use std::collections::HashMap;

impl Optimise {
    /// How many pairs and files of pairs there are, whichever is more.
    pub(crate) fn most_rows(&self) -> usize {
        self.breakdown.by_pair.len().max(self.breakdown.pair_files.len())
    }

    /// The page that names at most so many pairs and files of pairs, those that save most.
    ///
    /// # Errors
    /// See [`PageError`]; only a forged store is too large.
    pub(crate) fn page(&self, census: &Census, named: usize) -> Result<Page, PageError> {
        let outcome = &self.outcome;
        if outcome.bytes_freed.max(outcome.disk_freed).max(outcome.apparent_freed)
            >= Values::TOO_LARGE
        {
            return Err(PageError::TooLarge);
        }
        let Breakdown { by_pair, pair_files, .. } = &self.breakdown;
        let (pairs, rest) = by_pair.split_at(named.min(by_pair.len()));
        let of_named = pair_files.iter().filter(|of| (of.pair as usize) < pairs.len());
        let mut files: Vec<&PairFiles> = of_named.collect();
        files.arrange_by_key(|of| of.order());
        files.truncate(named);
        // The packages of the pairs, by the path that stands for each.
        let mut packages: Vec<u32> =
            pairs.iter().flat_map(|pair| [Some(pair.path), pair.kept]).flatten().collect();
        packages.arrange();
        packages.dedup();
        let place: HashMap<u32, u64> = packages.iter().copied().zip(0..).collect();
        let name = |path: &u32| {
            let package = census.catalog.package(census.id(PathIndex::new(*path)));
            escape(package.name.as_bytes())
        };
        let mut columns = vec![
            ("package", Values::Texts(packages.iter().map(name).collect())),
            (
                "pair_package",
                Values::Numbers(pairs.iter().map(|pair| Some(place[&pair.path])).collect()),
            ),
            (
                "pair_kept",
                Values::Numbers(pairs.iter().map(|pair| Some(place[&pair.kept?])).collect()),
            ),
        ];
        let of_pairs = |of: fn(&Saving) -> u64| {
            Values::Numbers(pairs.iter().map(|pair| Some(of(&pair.saving))).collect())
        };
        let of_files = |of: fn(&PairFiles) -> u64| {
            Values::Numbers(files.iter().map(|file| Some(of(file))).collect())
        };
        // What copies of files of lower layers take is not known.
        let gained = |values| match values {
            Values::Numbers(numbers) if self.has_lower_layers => {
                Values::Numbers(vec![None; numbers.len()])
            }
            values => values,
        };
        let file = |of: &&PairFiles| self.pair_file(of).map_or_else(String::new, |n| escape(&n));
        columns.extend([
            ("disk_freed", gained(of_pairs(|saving| saving.disk_freed))),
            ("apparent_freed", of_pairs(|saving| saving.apparent_freed)),
            ("inodes_freed", gained(of_pairs(|saving| saving.inodes_freed))),
            ("files_linked", of_pairs(|saving| saving.files_linked)),
            ("bytes_freed", of_pairs(|saving| saving.bytes_freed)),
            ("file", Values::Texts(files.iter().map(file).collect())),
            ("file_pair", of_files(|of| of.pair.into())),
            ("file_size", of_files(|of| of.size)),
            ("file_disk_freed", gained(of_files(|of| of.saving.disk_freed))),
            ("file_apparent_freed", of_files(|of| of.saving.apparent_freed)),
            ("file_files_linked", of_files(|of| of.saving.files_linked)),
        ]);
        if self.has_extents {
            columns.extend([
                ("freed_physical_size", of_pairs(|saving| saving.freed_physical_size)),
                ("file_freed_physical_size", of_files(|of| of.saving.freed_physical_size)),
            ]);
        }
        let title = title(census);
        let mut facts = self.facts(census, rest, pair_files.len() - files.len());
        facts.push(("title", json!(title)));
        Ok(Page { kind: PageKind::Optimise, title, facts, columns })
    }

    fn facts(
        &self,
        census: &Census,
        rest: &[PairSaving],
        files: usize,
    ) -> Vec<(&'static str, Value)> {
        let outcome = &self.outcome;
        let certain = self.any_order.is_none_or(|any| any.disk_freed.is_certain());
        // By what the page's sizes are, and of which of its columns.
        let lower = self.has_lower_layers;
        let (freed_key, freed): (_, fn(&Saving) -> u64) = match (lower, self.has_extents) {
            (true, _) => ("apparent_freed", |saving| saving.apparent_freed),
            (false, true) => ("freed_physical_size", |saving| saving.freed_physical_size),
            (false, false) => ("disk_freed", |saving| saving.disk_freed),
        };
        let gained = |figure: u64| (!lower).then_some(figure);
        let unnamed = saturating_sum(rest.iter().map(|pair| freed(&pair.saving)));
        let mut facts = vec![
            ("store_dir", json!(census.catalog.store_dir())),
            ("paths", json!(self.paths)),
            ("disk_freed", json!(gained(outcome.disk_freed))),
            ("disk_freed_most", json!(lower.then(|| self.most_gained()))),
            ("freed_physical_size", json!(self.freed_physical_size)),
            ("freed_key", json!(freed_key)),
            ("apparent_freed", json!(outcome.apparent_freed)),
            ("inodes_freed", json!(gained(outcome.inodes_freed))),
            ("files_linked", json!(outcome.files_linked)),
            ("has_lower_layers", json!(lower)),
            ("certain", json!(certain)),
            ("already_saved", json!(self.already_saved.disk_size)),
            ("line", json!(self.line().filter(|_| !self.guix))),
            ("nix", json!(format!("{} {}", self.nix.program(), self.nix.number()))),
            ("unnamed", json!({ "pairs": rest.len(), "freed": unnamed, "files": files })),
        ];
        facts.extend(warnings(&self.warnings));
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::super::OptimiseOptions;
    use super::*;
    use crate::catalog::{Builder, Record};
    use crate::census::Examine;
    use crate::disk::Progress;
    use crate::fs::{MemoryFile, StoreFiles, Tree};

    /// `one` has two files of `all`, `other` has one that is larger.
    const FILES: [(&str, &str, u8, usize); 6] = [
        ("00000000000000000000000000000000-all", "a", 1, 20_000),
        ("00000000000000000000000000000000-all", "b", 2, 20_000),
        ("00000000000000000000000000000000-all", "c", 3, 30_000),
        ("11111111111111111111111111111111-one", "a", 1, 20_000),
        ("11111111111111111111111111111111-one", "b", 2, 20_000),
        ("22222222222222222222222222222222-other", "c", 3, 30_000),
    ];

    fn answered() -> (Census, Optimise) {
        let mut builder = Builder::new("/nix/store");
        let mut paths = FILES.map(|(path, ..)| format!("/nix/store/{path}")).to_vec();
        paths.dedup();
        for path in &paths {
            builder.add(&Record { path: path.as_bytes(), ..Record::default() }).unwrap();
        }
        let census = Census::new(builder.finish().unwrap(), &Examine::All, None).unwrap();
        let files = FILES.map(|(path, name, byte, size)| {
            (format!("/nix/store/{path}/{name}"), MemoryFile::from(&vec![byte; size][..]))
        });
        let files = StoreFiles::open(&Tree::memory(files), "/nix/store".as_ref()).unwrap();
        let options = OptimiseOptions { threads: Some(1), ..OptimiseOptions::default() };
        let answer = Optimise::new(&census, &files, &options, &Progress::default()).unwrap();
        (census, answer)
    }

    #[test]
    fn what_has_no_names_on_a_page_is_counted() {
        let (census, answer) = answered();
        let of = |named: usize| {
            let page = answer.page(&census, named).unwrap();
            let unnamed = page.facts.iter().find(|(key, _)| *key == "unnamed").unwrap();
            let files = page.columns.into_iter().find_map(|column| match column {
                ("file", Values::Texts(names)) => Some(names),
                _ => None,
            });
            let end = |name: String| name.rsplit('-').next().unwrap().to_owned();
            (unnamed.1.clone(), files.unwrap().into_iter().map(end).collect::<Vec<_>>())
        };
        let unnamed = |pairs: u64, disk_freed: u64, files: u64| json!({ "pairs": pairs, "freed": disk_freed, "files": files });
        assert_eq!(
            of(3),
            (unnamed(0, 0, 0), vec!["other/c".into(), "one/a".into(), "one/b".into()])
        );
        // Pairs have fewer names than there are files of theirs.
        assert_eq!(of(2), (unnamed(0, 0, 1), vec!["other/c".into(), "one/a".into()]));
        // The largest file is of the pair that has no name.
        assert_eq!(of(1), (unnamed(1, 32_768, 2), vec!["one/a".into()]));
    }

    #[test]
    fn what_goes_is_not_known_of_lower_layers() {
        let (census, mut answer) = answered();
        let mut page = |has_lower_layers| {
            answer.has_lower_layers = has_lower_layers;
            answer.page(&census, 1).unwrap()
        };
        let facts = |page: &Page| {
            ["freed_key", "disk_freed", "disk_freed_most", "inodes_freed", "unnamed"]
                .map(|key| page.facts.iter().find(|(name, _)| *name == key).unwrap().1.clone())
        };
        let numbers = |page: &Page, key| {
            let column = page.columns.iter().find(|(name, _)| *name == key).unwrap();
            let Values::Numbers(numbers) = &column.1 else { panic!("{key}") };
            numbers.clone()
        };
        let unnamed = |freed: u64| json!({ "pairs": 1, "freed": freed, "files": 2 });
        let known = page(false);
        let most = json!(73_728);
        assert_eq!(
            facts(&known),
            [json!("disk_freed"), most.clone(), Value::Null, json!(3), unnamed(32_768)]
        );
        let unknown = page(true);
        assert_eq!(
            facts(&unknown),
            [json!("apparent_freed"), Value::Null, most, Value::Null, unnamed(30_000)]
        );
        for key in ["disk_freed", "inodes_freed", "file_disk_freed"] {
            assert_eq!(numbers(&unknown, key), [None], "{key}");
            assert_ne!(numbers(&known, key), [None], "{key}");
        }
        assert_eq!(numbers(&unknown, "file_apparent_freed"), [Some(20_000)]);
    }
}
