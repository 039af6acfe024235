//! Names and versions as `nix store diff-closures` splits them, and their order.

use crate::store::parse_drv_name;
use std::cmp::Ordering;

/// The name and the version by which Nix compares closures (nix: `getClosureInfo` in
/// `src/nix/diff-closures.cc`): a last word of small letters is taken for an output.
pub(super) fn split(name: &str) -> (&str, &str) {
    let is_output = |word: &str| {
        let small = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        small || matches!(word, "lib32" | "lib64")
    };
    let own = match name.rsplit_once('-') {
        Some((own, word)) if is_output(word) => own,
        _ => name,
    };
    parse_drv_name(own)
}

/// Which of two versions is newer, as `builtins.compareVersions` has it: part by part,
/// numbers as numbers, `pre` before all that is not said.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (parts(a), parts(b));
    loop {
        let (left, right) = (a.next(), b.next());
        if left.is_none() && right.is_none() {
            return Ordering::Equal;
        }
        match compare_parts(left.unwrap_or_default(), right.unwrap_or_default()) {
            Ordering::Equal => {}
            order => return order,
        }
    }
}

/// The parts of a version: runs of digits, and of what is neither a digit nor a `.` or `-`.
fn parts(version: &str) -> impl Iterator<Item = &str> {
    version.split(['.', '-']).flat_map(|run| {
        let mut rest = run;
        std::iter::from_fn(move || {
            let digits = rest.as_bytes().first()?.is_ascii_digit();
            let end = rest.bytes().position(|b| b.is_ascii_digit() != digits);
            let (part, left) = rest.split_at(end.unwrap_or(rest.len()));
            rest = left;
            Some(part)
        })
    })
}

/// nix: `componentsLT` in `src/libstore/names.cc`.
fn compare_parts(a: &str, b: &str) -> Ordering {
    let number = |part: &str| part.parse::<u64>().ok();
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ if a == b => Ordering::Equal,
        (None, Some(_)) if a.is_empty() => Ordering::Less,
        (Some(_), None) if b.is_empty() => Ordering::Greater,
        _ if a == "pre" => Ordering::Less,
        _ if b == "pre" => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_word_of_small_letters_is_an_output() {
        for (name, expected) in [
            ("glibc-2.35-dev", ("glibc", "2.35")),
            ("glibc-2.35", ("glibc", "2.35")),
            ("libX11-1.8-lib64", ("libX11", "1.8")),
            ("set-environment", ("set", "")),
            ("unit-a.service", ("unit-a.service", "")),
            ("hello-2.12.drv", ("hello", "2.12.drv")),
            ("source", ("source", "")),
            ("cpp-12-12.2.0-3", ("cpp", "12-12.2.0-3")),
            ("fuse-2.9-Bin", ("fuse", "2.9-Bin")),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }

    /// The examples of Nix's own tests (`tests/lang/eval-okay-versions.nix`).
    #[test]
    fn versions_are_ordered_as_nix_orders_them() {
        for (a, b) in [
            ("1.0", "2.3"),
            ("2.1", "2.3"),
            ("2.3", "2.5"),
            ("2.3", "3.1"),
            ("2.3", "2.3.1"),
            ("2.3a", "2.3.1"),
            ("2.3pre1", "2.3"),
            ("2.3pre3", "2.3pre12"),
            ("2.3a", "2.3c"),
            ("2.3pre1", "2.3c"),
            ("2.3pre1", "2.3q"),
            ("", "1"),
        ] {
            assert_eq!(compare(a, b), Ordering::Less, "{a} {b}");
            assert_eq!(compare(b, a), Ordering::Greater, "{b} {a}");
        }
        assert_eq!(compare("2.3", "2-3"), Ordering::Equal);
        assert_eq!(compare("99999999999999999999999", "99999999999999999999999"), Ordering::Equal);
    }
}
