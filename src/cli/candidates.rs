//! What may stand for an argument that a shell completes: names of paths and of
//! columns. It has to be quick, and says nothing where it finds nothing.

use super::args::StoreArgs;
use super::demo::Demo;
use super::locate::{Located, locate};
use crate::analysis::report::Column;
use crate::catalog::{find_store_at_top, fold_paths};
use crate::snapshot;
use crate::store::{StoreLocation, StorePath, parse_drv_name};
use clap::{Command, CommandFactory, FromArgMatches};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::Path;

/// How many candidates a shell is given: more than this nobody reads.
const MOST: usize = 1000;

/// Lets the arguments of all commands that name paths, columns and files be completed.
pub(super) fn complete(command: Command) -> Command {
    let command = command.mut_args(completed);
    command.mut_subcommands(|sub| sub.mut_args(completed))
}

fn completed(arg: clap::Arg) -> clap::Arg {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let completer = match (arg.get_id().as_str(), value.as_deref()) {
        ("sort" | "columns", _) => of_columns(),
        ("of" | "from" | "to" | "old" | "new" | "remove" | "filter", _) => of_names(),
        (_, Some("TARGET")) => of_names(),
        (_, Some("FILE")) => ArgValueCompleter::new(PathCompleter::file()),
        (_, Some("DIR")) => ArgValueCompleter::new(PathCompleter::dir()),
        _ => return arg,
    };
    arg.add(completer)
}

fn of_names() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Some(text) = current.to_str() else { return Vec::new() };
        let mut found: Vec<_> =
            names(&asked(), text).into_iter().map(CompletionCandidate::new).collect();
        if text.contains('/') || text.starts_with('.') || text.starts_with('~') {
            found.extend(PathCompleter::any().complete(current));
        }
        found
    })
}

fn of_columns() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Some(text) = current.to_str() else { return Vec::new() };
        let columns = Column::ALL.iter().filter(|c| c.key().starts_with(text));
        let candidate = |c: &Column| {
            CompletionCandidate::new(c.key()).help(Some(c.describe().to_owned().into()))
        };
        columns.map(candidate).collect()
    })
}

/// The command line that is being completed, as the shells' scripts pass it.
fn asked() -> Vec<OsString> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    words.collect()
}

/// The names of store paths that begin with `text`; where it begins a file name,
/// whole paths.
pub(super) fn names(words: &[OsString], text: &str) -> Vec<String> {
    let command = super::Cli::command();
    let matches = command.ignore_errors(true).try_get_matches_from(words);
    let Some(mut store) = matches.ok().and_then(|m| StoreArgs::from_arg_matches(&m).ok()) else {
        return Vec::new();
    };
    if store.registration.is_some() || store.path_info.is_some() || store.scan {
        return Vec::new();
    }
    if let Some(file) = &store.snapshot {
        return of_snapshot(file, text);
    }
    let demo = if store.demo { Demo::choose(&mut store).ok() } else { None };
    let Ok(current) = std::env::current_dir() else { return Vec::new() };
    let Ok(Located { mut location, .. }) = locate(&store, &current) else { return Vec::new() };
    find_store_at_top(&mut location);
    let found = if text.contains('/') { paths(&location, text) } else { named(&location, text) };
    drop(demo);
    found
}

/// The store path that a row names. Other rows are not offered: a shell obeys what
/// is in the words that it completes, and only names that Nix allows hold nothing.
fn checked<'p>(location: &StoreLocation, path: &'p [u8]) -> Option<StorePath<'p>> {
    let base = path.strip_prefix(location.path_of("").as_bytes())?;
    StorePath::parse(base).ok()
}

/// The same from a snapshot in a file.
fn of_snapshot(file: &Path, text: &str) -> Vec<String> {
    // What comes through a pipe is read once, by the command itself.
    let file = File::open(file).ok().filter(|file| file.metadata().is_ok_and(|m| m.is_file()));
    let Some(snapshot) = file.and_then(|mut file| snapshot::read(&mut file, false).ok()) else {
        return Vec::new();
    };
    let catalog = &snapshot.catalog;
    if text.contains('/') {
        let paths = catalog.ids().map(|id| catalog.path(id));
        return paths.filter(|path| path.starts_with(text)).take(MOST).collect();
    }
    let names = catalog.ids().map(|id| catalog.store_path(id));
    let names = names.filter(|path| path.name().starts_with(text));
    let (mut found, mut derivations) = (BTreeSet::new(), BTreeSet::new());
    for path in names {
        match path.is_derivation() {
            true => derivations.insert(path.name().to_owned()),
            false => found.insert(path.name().to_owned()),
        };
    }
    chosen(found, derivations, text)
}

/// Whole paths that begin so.
fn paths(location: &StoreLocation, text: &str) -> Vec<String> {
    // Fewer letters than this do not choose among the paths.
    if !text.starts_with(&*location.path_of("")) {
        return Vec::new();
    }
    let found = fold_paths(location, text, |found: &mut Vec<String>, path| {
        let begins = path.starts_with(text.as_bytes());
        if begins && let Some(path) = checked(location, path) {
            found.push(location.path_of(path.base_name()));
        }
        begins && found.len() < MOST
    });
    found.unwrap_or_default()
}

/// Names and package names that begin so; derivations where there is nothing else.
fn named(location: &StoreLocation, text: &str) -> Vec<String> {
    type Names = (BTreeSet<String>, BTreeSet<String>);
    let all = fold_paths(location, "", |(found, derivations): &mut Names, path| {
        let name = checked(location, path).map(StorePath::name);
        if let Some(name) = name.filter(|name| name.starts_with(text)) {
            let (all, most) = match name.ends_with(".drv") {
                true => (&mut *derivations, MOST),
                false => (&mut *found, usize::MAX),
            };
            if all.len() < most && !all.contains(name) {
                all.insert(name.to_owned());
            }
        }
        // More of them than anybody reads: the next letters choose.
        found.len() < 2 * MOST
    });
    let (found, derivations) = all.unwrap_or_default();
    chosen(found, derivations, text)
}

/// Of names those that are shown, with their packages' names.
fn chosen(found: BTreeSet<String>, derivations: BTreeSet<String>, text: &str) -> Vec<String> {
    if found.is_empty() {
        return derivations.into_iter().take(MOST).collect();
    }
    let mut packages = BTreeSet::new();
    packages.extend(found.iter().map(|name| parse_drv_name(name).0.to_owned()));
    // Among very many names the packages come first.
    if found.len() + packages.len() <= MOST {
        packages.extend(found);
    }
    packages.into_iter().filter(|name| name.starts_with(text)).take(MOST).collect()
}
