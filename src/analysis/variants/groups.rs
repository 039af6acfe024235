//! Which paths are builds of one package.
use crate::arrange::Arrange as _;

use crate::census::{Census, PathIndex};
use crate::graph::{Cuts, reachable};
use crate::store::Package;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Parts of package names that mark a smaller or fuller build of the same:
/// `git-minimal`, `emacs-nox`, `firefox-unwrapped`.
const FLAVOURS: &[&str] = &[
    "minimal",
    "mini",
    "slim",
    "small",
    "light",
    "lite",
    "headless",
    "nox",
    "full",
    "unwrapped",
    "wrapped",
];
/// The same at the end of a name in mixed case: `gitMinimal`.
const CAMEL_FLAVOURS: &[&str] =
    &["Minimal", "Mini", "Slim", "Small", "Light", "Lite", "Headless", "Nox", "Full", "Unwrapped"];

/// What builds of one package have in common: that they are the same output of
/// it, and what follows the version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    /// The package name without words that name a flavour of it.
    pub package: String,
    /// The output; `None` for `out`.
    pub output: Option<String>,
    /// Words of the version: `perl-5.38-env` is not a build of `perl-5.38`.
    words: Vec<String>,
}

/// The examined builds of each package of which there are several, those that
/// have most in their NARs first.
pub(in crate::analysis) fn families(census: &Census) -> BTreeMap<Family, Vec<PathIndex>> {
    let mut families: HashMap<Family, Vec<PathIndex>> = HashMap::new();
    for index in census.indexes() {
        let id = census.id(index);
        if census.catalog.store_path(id).is_derivation() {
            continue;
        }
        let Package { name, version, output } = census.catalog.package(id);
        // Without a version a name says little: `source`, `etc`, `env`.
        if version.is_empty() {
            continue;
        }
        let words = version.split('-').filter(|word| is_word(word)).map(str::to_owned);
        let family = Family {
            package: flavourless(name).to_owned(),
            output: output.map(str::to_owned),
            words: words.collect(),
        };
        families.entry(family).or_default().push(index);
    }
    let mut several: BTreeMap<Family, Vec<PathIndex>> =
        families.into_iter().filter(|(_, builds)| builds.len() > 1).collect();
    for builds in several.values_mut() {
        builds.arrange_by_key(|&index| Reverse((census.nar_size(index), index)));
    }
    several
}

fn is_word(word: &str) -> bool {
    word.starts_with(char::is_alphabetic) && !FLAVOURS.contains(&word)
}

/// For each build of a family, the one that could take its place: the first of
/// those that are larger and do not need it themselves. Every build is followed at
/// most once.
pub(in crate::analysis) fn replacements(
    census: &Census,
    builds: &[PathIndex],
) -> Vec<Option<PathIndex>> {
    let mut found = vec![None; builds.len()];
    for (at, &new) in builds.iter().enumerate() {
        let smaller = &mut found[at + 1..];
        if smaller.iter().all(Option::is_some) {
            break;
        }
        let needs = reachable(census.references(), [new.node()], &Cuts::default());
        for (found, old) in smaller.iter_mut().zip(&builds[at + 1..]) {
            if found.is_none() && !needs.contains(old.node()) {
                *found = Some(new);
            }
        }
    }
    found
}

/// A package name without words that name a flavour of it.
fn flavourless(package: &str) -> &str {
    let mut name = package;
    loop {
        if let Some((before, last)) = name.rsplit_once('-')
            && FLAVOURS.contains(&last)
            && !before.is_empty()
        {
            name = before;
            continue;
        }
        let lower =
            |own: &&str| own.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        match CAMEL_FLAVOURS.iter().find_map(|flavour| name.strip_suffix(flavour).filter(lower)) {
            Some(before) => name = before,
            None => return name,
        }
    }
}

/// What marks a build among those of its package.
pub(super) fn flavour(package: &str) -> &str {
    package[flavourless(package).len()..].trim_start_matches('-')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::catalog::{Builder, Record};
    use crate::census::Examine;
    use proptest::prelude::*;

    #[test]
    fn flavours_are_one_package() {
        for (package, own, mark) in [
            ("systemd-minimal", "systemd", "minimal"),
            ("util-linux-minimal", "util-linux", "minimal"),
            ("systemd-minimal-libs", "systemd-minimal-libs", ""),
            ("minimal", "minimal", ""),
            ("-minimal", "-minimal", ""),
            ("gitMinimal", "git", "Minimal"),
            ("Minimal", "Minimal", ""),
            ("FULLFull", "FULLFull", ""),
            ("firefox-esr-unwrapped", "firefox-esr", "unwrapped"),
            ("ffmpeg-headless-full", "ffmpeg", "headless-full"),
            ("ffmpeg", "ffmpeg", ""),
        ] {
            assert_eq!((flavourless(package), flavour(package)), (own, mark), "{package}");
        }
    }

    /// A store of `builds` builds of one package, whose references are these.
    pub(in crate::analysis::variants) fn census(builds: u32, references: &[(u32, u32)]) -> Census {
        let mut builder = Builder::new("/nix/store");
        for build in 0..builds {
            let path = format!("/nix/store/{build:032}-tool-{build}.0");
            let nar_size = Some(u64::from(1000 - build));
            let record = Record { path: path.as_bytes(), nar_size, ..Record::default() };
            builder.add(&record).unwrap();
        }
        for &(from, to) in references {
            builder.add_reference(from, to);
        }
        Census::new(builder.finish().unwrap(), &Examine::All, None).unwrap()
    }

    proptest! {
        #[test]
        fn the_first_larger_build_that_does_not_need_it_takes_its_place(
            references in prop::collection::vec((0u32..12, 0u32..12), 0..20),
        ) {
            let census = census(12, &references);
            let builds = families(&census).into_values().next().unwrap();
            let needs = |new: PathIndex, old: PathIndex| {
                crate::graph::closure(census.references(), [new.node()]).contains(&old.node())
            };
            let expected: Vec<_> = (0..builds.len())
                .map(|at| builds[..at].iter().copied().find(|&new| !needs(new, builds[at])))
                .collect();
            prop_assert_eq!(replacements(&census, &builds), expected);
        }
    }
}
