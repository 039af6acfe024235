//! `nix-census what-if`.

use super::exit::{Exit, Failure};
use super::input;
use super::kinds::parse_kind;
use super::request::Request;
use super::subject::Subject;
use crate::analysis::what_if::{Change, FoundIn, WhatIf, WhatIfError, WhatIfStep};
use crate::arrange::Arrange as _;
use crate::catalog::{Catalog, PathId};
use crate::census::{Census, Examine, Named, NamedBy, parse_glob};
use crate::kinds::FileKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::path::Path;

/// Show how much smaller a closure gets without some references or files
///
/// Changes apply in the order given, each on top of those before it. They are
/// simulated: nothing in the store is changed. A scenario file has one change a
/// line, such as `remove perl` or `replace systemd-minimal=systemd`; `#` begins
/// a comment.
#[derive(Debug, Args)]
pub(super) struct WhatIfArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    #[command(flatten)]
    changes: Changes,
}

/// Changes as they were asked for: kind and argument, in order.
#[derive(Debug)]
struct Changes(Vec<(&'static str, String)>);

const SCENARIO: &str = "scenario";

const KINDS: [(&str, &str, &str); 6] = [
    ("remove", "PATTERN", "Cut every reference to the paths that match"),
    ("cut", "FROM:TO", "Cut the references from FROM to TO"),
    ("replace", "OLD=NEW", "Make all references to OLD lead to NEW"),
    (
        "drop-files",
        "GLOB",
        "Drop files by their names below their store paths, such as `share/man/**`; a directory \
         goes with all that is in it",
    ),
    (
        "drop-kind",
        "KIND,…",
        "Drop files of these kinds, such as man,doc,locale (`help kinds` lists them)",
    ),
    (SCENARIO, "FILE", "Read changes from FILE, `-` for standard input"),
];

impl Args for Changes {
    fn augment_args(command: Command) -> Command {
        KINDS.iter().fold(command, |command, (name, value, help)| {
            let arg = Arg::new(*name).long(*name).value_name(*value).help(*help);
            command.arg(arg.action(ArgAction::Append))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Changes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for (kind, ..) in KINDS {
            let values = matches.get_many::<String>(kind).into_iter().flatten();
            let places = matches.indices_of(kind).into_iter().flatten();
            found.extend(places.zip(values).map(|(at, value)| (at, kind, value.clone())));
        }
        found.arrange_by_key(|&(at, ..)| at);
        Ok(Self(found.into_iter().map(|(_, kind, value)| (kind, value)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &WhatIfArgs,
) -> Result<Exit, Failure> {
    request.rows().need_targets(&args.targets)?;
    let mut changes = Vec::new();
    for (kind, value) in &args.changes.0 {
        if *kind == SCENARIO {
            changes.extend(read_scenario(Path::new(value))?);
        } else {
            changes.push((*kind, value.clone()));
        }
    }
    if changes.is_empty() {
        let kinds = "--remove, --cut, --replace, --drop-files, --drop-kind or --scenario";
        return Err(Failure::usage("no change given").hint(format!("use {kinds}")));
    }
    let catalog = subject.catalog(request)?;
    let targets = subject.targets_or_all(request, &catalog, &args.targets)?;
    let among = catalog.closure_of(targets.iter().copied());
    let steps = (changes.iter())
        .map(|(kind, value)| step(request, subject, &catalog, &among, kind, value))
        .collect::<Result<Vec<_>, _>>()?;
    let mut examined = targets.clone();
    examined.extend(steps.iter().filter_map(|step| match step.change {
        Change::Replace(_, new) => Some(new),
        _ => None,
    }));
    let any = |is: fn(&Change) -> bool| steps.iter().any(|step| is(&step.change));
    let examine = Examine::Closure(examined);
    let answer = |census: &Census, found_in| {
        WhatIf::new(census, found_in, &targets, &steps, subject.threads())
    };
    let (census, answer) = if any(|change| matches!(change, Change::DropFiles(_))) {
        let files = subject.files()?;
        let census = subject.census_by_inode(request, catalog, &examine)?;
        let answer = answer(&census, Some(FoundIn::Store(files)));
        (census, answer)
    } else if any(|change| matches!(change, Change::DropKinds(_))) {
        let (census, kinds) = subject.census_with_kinds(request, catalog, &examine)?;
        let answer = answer(&census, Some(FoundIn::Kinds(&kinds)));
        (census, answer)
    } else {
        let census = subject.census(request, catalog, &examine, true)?;
        let answer = answer(&census, None);
        (census, answer)
    };
    let answer = answer.map_err(|e| match e {
        WhatIfError::NoFile { .. } => Failure::usage(e),
        e => Failure::because(&e),
    })?;
    request.answer(answer.document(&census), Exit::Done)
}

/// Finds what a change means; patterns match paths of the targets' closure.
fn step(
    request: &Request,
    subject: &Subject,
    catalog: &Catalog,
    among: &[PathId],
    kind: &str,
    value: &str,
) -> Result<WhatIfStep, Failure> {
    let matches = |pattern: &str| subject.matches(request, catalog, Some(among), pattern);
    let named = |pattern: &str| subject.named(catalog, Some(among), pattern);
    let exactly = |named: &Named| named.by == NamedBy::Exactly;
    let change = match kind {
        "remove" => Change::Remove(matches(value)?),
        "cut" => {
            let both = |from: &str, to: &str| Some([named(from).ok()?, named(to).ok()?]);
            let (from, to) = split(kind, value, ':', |from, to| {
                both(from, to).map(|both| both.iter().all(exactly))
            })?;
            let (from, to) = (matches(from)?, matches(to)?);
            let refers = |&(a, b): &(PathId, PathId)| a != b && catalog.refers(a, b);
            let pairs = from.iter().flat_map(|&a| to.iter().map(move |&b| (a, b)));
            let edges: Vec<_> = pairs.filter(refers).collect();
            if edges.is_empty() {
                let (a, b) = (catalog.path(from[0]), catalog.path(to[0]));
                return Err(Failure::usage(format!("--cut {value}: {a} does not refer to {b}")));
            }
            Change::Cut(edges)
        }
        "replace" => {
            // One path of the closure, else of the whole store.
            let replacement = |new: &str| match named(new) {
                Ok(found) if found.ids.len() == 1 => Ok(found),
                _ => subject.within_first(among, |among| subject.named_target(catalog, among, new)),
            };
            let (old, new) = split(kind, value, '=', |old, new| {
                Some(exactly(&named(old).ok()?) && exactly(&replacement(new).ok()?))
            })?;
            let old = matches(old)?;
            let found = replacement(new)?;
            subject.tell_hash_prefix(request, catalog, new, &found);
            let new = found.ids[0];
            let old: Vec<PathId> = old.into_iter().filter(|&path| path != new).collect();
            if old.is_empty() {
                return Err(Failure::usage(format!(
                    "--replace {value}: both sides are the same path"
                )));
            }
            Change::Replace(old, new)
        }
        _ if !subject.walks_disk() => {
            return Err(subject.without_disk(&format!("--{kind}"), "it reads files"));
        }
        "drop-kind" => Change::DropKinds(kinds(value)?),
        _ => Change::DropFiles(parse_glob(value)?),
    };
    Ok(WhatIfStep { text: format!("{kind} {value}"), change })
}

/// The kinds of a list such as `man,doc`.
fn kinds(value: &str) -> Result<Vec<FileKind>, Failure> {
    let kinds = value.split(',').map(|key| parse_kind(key.trim())).collect::<Result<Vec<_>, _>>();
    let kinds = kinds.map_err(|e| Failure::usage(format!("--drop-kind {value}: {e}")))?;
    if kinds.contains(&FileKind::Directories) {
        let message = "--drop-kind directories: what is in them would have no place";
        return Err(Failure::usage(message));
    }
    Ok(kinds)
}

/// Splits such as `OLD=NEW`. Names may hold the separator too: of several ways
/// to split it, the one whose two parts name something is meant, and first of
/// all the one whose parts name it exactly. `names` says whether two parts name
/// something, and whether exactly.
fn split<'v>(
    kind: &str,
    value: &'v str,
    by: char,
    names: impl Fn(&str, &str) -> Option<bool>,
) -> Result<(&'v str, &'v str), Failure> {
    let ways = value.match_indices(by).map(|(at, _)| (&value[..at], &value[at + by.len_utf8()..]));
    let ways: Vec<(&str, &str)> = ways.collect();
    let first = match ways[..] {
        [] => return Err(Failure::usage(format!("--{kind} {value} has no '{by}'"))),
        [only] => return Ok(only),
        [first, ..] => first,
    };
    let named: Vec<Option<bool>> = ways.iter().map(|&(a, b)| names(a, b)).collect();
    for exactly in [true, false] {
        let meant = || ways.iter().zip(&named).filter(|(_, named)| **named == Some(exactly));
        match (meant().next(), meant().count()) {
            (None, _) => {}
            (Some((&way, _)), 1) => return Ok(way),
            _ => {
                let list: Vec<_> = meant().map(|((a, b), _)| format!("  {a} {by} {b}")).collect();
                let list = list.join("\n");
                let message = format!("--{kind} {value} is ambiguous:\n{list}");
                return Err(Failure::usage(message).hint("use the hash part of one"));
            }
        }
    }
    // Its parts name nothing: an error that lists near names.
    Ok(first)
}

/// One change a line, its kind first.
fn read_scenario(file: &Path) -> Result<Vec<(&'static str, String)>, Failure> {
    let text = if input::is_standard_input(file) {
        input::read("--scenario")?
    } else {
        let failed = |e| Failure::failed(format!("cannot read {}", file.display())).cause(e);
        std::fs::read_to_string(file).map_err(failed)?
    };
    let mut changes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        let (kind, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let kind = kind.trim_start_matches("--");
        let known = KINDS.iter().map(|(name, ..)| *name).find(|name| *name == kind);
        let (Some(kind), false) = (known.filter(|k| *k != SCENARIO), value.trim().is_empty())
        else {
            let place = format!("{}:{number}", file.display());
            let kinds = "remove PATTERN, cut FROM:TO, replace OLD=NEW, drop-files GLOB or \
                         drop-kind KIND";
            return Err(Failure::usage(format!("{place}: '{line}' is not a change"))
                .hint(format!("a change is one of {kinds}")));
        };
        changes.push((kind, value.trim().to_owned()));
    }
    Ok(changes)
}

/// A line without its comment, which begins with a # that begins a word: names
/// of files may hold one.
fn without_comment(line: &str) -> &str {
    let begins =
        |&(at, _): &(usize, &str)| line[..at].chars().last().is_none_or(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_begin_a_word() {
        assert_eq!(without_comment("remove perl  # too large"), "remove perl  ");
        assert_eq!(without_comment("# all of it"), "");
        assert_eq!(without_comment("drop-files share/a#b"), "drop-files share/a#b");
    }

    #[test]
    fn a_pair_is_split_where_both_parts_name_something() {
        let known = ["a", "a=b", "b=c", "d"];
        let names = |a: &str, b: &str| (known.contains(&a) && known.contains(&b)).then_some(true);
        let way = |value| split("replace", value, '=', names).map_err(|_| ());
        assert_eq!(way("a=b=d"), Ok(("a=b", "d")));
        assert_eq!(way("a=b=c"), Ok(("a", "b=c")));
        assert_eq!(way("a=b=b=c"), Ok(("a=b", "b=c")));
        assert_eq!(way("x=y=z"), Ok(("x", "y=z")));
        assert_eq!(way("x"), Err(()));
        // Both `a`, `b=d` and `a=b`, `d`.
        let all = |_: &str, _: &str| Some(true);
        assert!(split("replace", "a=b=d", '=', all).is_err());
        // What names exactly comes first.
        let exactly = |a: &str, _: &str| Some(a == "a=b");
        assert_eq!(split("replace", "a=b=d", '=', exactly).map_err(|_| ()), Ok(("a=b", "d")));
    }
}
