//! Names that are nearly the one that was given.
use crate::arrange::Arrange as _;

use super::exit::Failure;
use strsim::{jaro_winkler, osa_distance};

/// How many names a hint lists.
const LISTED: usize = 6;

/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.8;

/// The names nearest to a wrong one, the nearest first: those that hold it, or
/// a part of it, or that differ in a few letters.
pub(super) fn near<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let wrong = plain(wrong);
    let mut ranked: Vec<(u8, usize, &str)> = Vec::new();
    for name in names {
        let known = plain(name);
        let distance = osa_distance(&wrong, &known);
        let holds = known.split('_').any(|word| word == wrong)
            || wrong.len() >= 3 && (known.contains(&wrong) || wrong.contains(&known));
        let rank = match () {
            () if known == wrong => 0,
            () if distance <= 2 && distance < known.len() => 1,
            () if holds => 2,
            () if jaro_winkler(&wrong, &known) >= ALIKE => 3,
            () => continue,
        };
        ranked.push((rank, distance, name));
    }
    ranked.arrange_by_key(|&(rank, distance, _)| (rank, distance));
    // What differs in a letter or two is what was meant.
    let sure = ranked.first().is_some_and(|&(rank, ..)| rank < 2);
    ranked.retain(|&(rank, ..)| !sure || rank < 2);
    ranked.into_iter().map(|(.., name)| name).take(LISTED).collect()
}

/// A hint at names that are near; `None` if none is.
pub(super) fn similar(near: &[impl AsRef<str>]) -> Option<String> {
    let near: Vec<&str> = near.iter().map(AsRef::as_ref).collect();
    (!near.is_empty()).then(|| format!("similar: {}", near.join(", ")))
}

/// What a parser of values says of a name that does not exist: the cause, and a
/// hint on a line of its own.
pub(super) fn no_such<'a>(
    what: &str,
    wrong: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
    otherwise: &str,
) -> String {
    let hint = similar(&near(wrong, names.clone())).unwrap_or_else(|| match otherwise {
        "" => format!("possible values: {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        _ => otherwise.to_owned(),
    });
    format!("there is no such {what}\nhint: {hint}")
}

/// What is said of a column that the answer does not have.
pub(super) fn no_such_column<'a>(wrong: &str, keys: impl IntoIterator<Item = &'a str>) -> Failure {
    let keys: Vec<&str> = keys.into_iter().collect();
    let hint = match similar(&near(wrong, keys.iter().copied())) {
        // So tables head it where names are short.
        _ if wrong == "name" && keys.contains(&"path") => "it is called path here".to_owned(),
        Some(similar) => similar,
        None => "`nix-census help columns` lists them".to_owned(),
    };
    Failure::usage(format!("there is no column '{wrong}' here")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 6] =
        ["path", "nar_size", "disk_size", "retained_disk_size", "referrers", "references"];

    #[test]
    fn near_names_hold_the_word_or_differ_in_a_few_letters() {
        assert_eq!(near("size", COLUMNS), ["nar_size", "disk_size", "retained_disk_size"]);
        assert_eq!(near("disk-size", COLUMNS), ["disk_size"]);
        assert_eq!(near("narsize", COLUMNS), ["nar_size"]);
        assert_eq!(near("Path", COLUMNS), ["path"]);
        assert_eq!(near("refer", COLUMNS), ["referrers", "references"]);
        assert_eq!(near("colour", COLUMNS), [""; 0]);
    }

    #[test]
    fn where_nothing_is_near_the_hint_says_what_there_is() {
        let all = no_such("kind", "x", ["auto", "file"], "");
        assert_eq!(all, "there is no such kind\nhint: possible values: auto, file");
        let other = no_such("column", "x", COLUMNS, "`nix-census help columns` lists them");
        assert!(other.ends_with("hint: `nix-census help columns` lists them"), "{other}");
    }
}
