//! What a user may call a store path.

use crate::catalog::Catalog;
use crate::store::{self, NameError, ResolveError, StoreLocation, StorePath};
use crate::warning::WarningKind;
use std::path::{Path, PathBuf};

/// Where relative names begin.
#[derive(Clone, Debug)]
pub struct Place {
    /// The current directory, on this machine.
    pub current_dir: PathBuf,
}

/// A target that is no path, or several.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nothing is called so.
    #[error("no valid path is called ‘{target}’{}", list("; near names:", near))]
    Unknown {
        /// What was asked for, escaped.
        target: String,
        /// Names that are nearly the same.
        near: Vec<String>,
    },
    /// Several paths are called so.
    #[error("‘{target}’ could be any of {total} paths:{}", list("", candidates))]
    Ambiguous {
        /// What was asked for, escaped.
        target: String,
        /// How many paths there are.
        total: usize,
        /// The first of them.
        candidates: Vec<String>,
    },
    /// A path in the store that the database does not know.
    #[error(
        "{path} is not a valid path: the database does not know it{}",
        list("; near names:", near)
    )]
    Invalid {
        /// The full path, escaped.
        path: String,
        /// Names that are nearly the same.
        near: Vec<String>,
    },
    /// A name in the store directory that is not that of a store path.
    #[error(
        "{path} is not a valid path: {problem}{}{}",
        if *row { "; the database has a row of it" } else { "" },
        list("; it is referred to by:", referrers)
    )]
    NotAStorePath {
        /// The full path, escaped.
        path: String,
        /// What is wrong with it.
        problem: NameError,
        /// Whether the database has a row of it all the same.
        row: bool,
        /// The valid paths that refer to it.
        referrers: Vec<String>,
    },
    /// A path that exists but is not among those examined.
    #[error("no examined path is called ‘{target}’{}", list("; near names:", near))]
    NotExamined {
        /// What was asked for, escaped.
        target: String,
        /// Names of examined paths that are nearly the same.
        near: Vec<String>,
    },
    /// A pattern that is none.
    #[error("‘{pattern}’ is no pattern")]
    Pattern {
        /// What was asked for, escaped.
        pattern: String,
        /// Why.
        source: globset::Error,
    },
    /// A file name that leads to no store path.
    #[error("{path} leads to {to}, which is outside the store {store_dir}")]
    Outside {
        /// The name given, escaped.
        path: String,
        /// Where it leads, escaped.
        to: String,
        /// The store.
        store_dir: String,
    },
    /// A file name that leads nowhere.
    #[error("cannot follow {path}")]
    Resolve {
        /// The name given, escaped.
        path: String,
        /// Why.
        source: ResolveError,
    },
}

fn list(before: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("{before}\n  {}", names.join("\n  ")) }
}

/// How many names an error lists.
const LISTED: usize = 12;

/// Finds the one valid path that `target` names: a store path or a path
/// inside one; a base name; a hash part or a unique prefix of one; an exact
/// name or package name (of several outputs the one called `out`; a derivation
/// only where nothing else is called so); or any file name whose symlinks lead
/// into the store.
///
/// # Errors
/// See [`TargetError`].
pub fn resolve_target(
    location: &StoreLocation,
    catalog: &Catalog,
    place: &Place,
    target: &str,
) -> Result<u32, TargetError> {
    if let Some(rest) = target.strip_prefix(&location.store_dir).and_then(|r| r.strip_prefix('/')) {
        let rest = rest.trim_start_matches('/');
        let base = rest.split('/').next().unwrap_or_default();
        return valid(location, catalog, base);
    }
    if target.contains('/') || target == "." || target == ".." {
        return follow(location, catalog, place, target);
    }
    match by_name(catalog, target) {
        Err(TargetError::Unknown { near, target: escaped }) => {
            // A symlink in the current directory, such as `result`.
            let here = place.current_dir.join(target);
            match std::fs::symlink_metadata(&here) {
                Ok(meta) if meta.is_symlink() => follow(location, catalog, place, target),
                _ => Err(TargetError::Unknown { target: escaped, near }),
            }
        }
        found => found,
    }
}

pub(super) fn escaped(text: &str) -> String {
    crate::output::escape(text.as_bytes())
}

fn valid(location: &StoreLocation, catalog: &Catalog, base: &str) -> Result<u32, TargetError> {
    if let Err(problem) = StorePath::parse(base.as_bytes()) {
        return Err(not_a_store_path(catalog, &location.path_of(base), problem));
    }
    catalog.find(base).ok_or_else(|| TargetError::Invalid {
        path: escaped(&location.path_of(base)),
        near: near_names(catalog, base.get(33..).unwrap_or(base)),
    })
}

/// What is known of a name that no store path has, from the warnings of loading.
fn not_a_store_path(catalog: &Catalog, path: &str, problem: NameError) -> TargetError {
    let of = |kind| catalog.warnings.iter().filter(move |w| w.kind == kind);
    let row = of(WarningKind::OddRow).any(|w| w.path == path.as_bytes());
    let end = format!(": {}", path.as_bytes().escape_ascii());
    let referrers = of(WarningKind::DanglingReference).filter(|w| w.message.ends_with(&end));
    let referrers = referrers.take(LISTED).map(|w| crate::output::escape(&w.path)).collect();
    TargetError::NotAStorePath { path: escaped(path), problem, row, referrers }
}

/// Follows a file name: absolute names inside the root, relative ones from the
/// current directory.
fn follow(
    location: &StoreLocation,
    catalog: &Catalog,
    place: &Place,
    target: &str,
) -> Result<u32, TargetError> {
    let given = Path::new(target);
    let inside = if given.is_absolute() {
        given.to_owned()
    } else {
        let whole = place.current_dir.join(given);
        let root = std::fs::canonicalize(&location.root).unwrap_or(location.root.clone());
        match whole.strip_prefix(&root) {
            Ok(rest) => Path::new("/").join(rest),
            Err(_) => Path::new("/").join(given),
        }
    };
    let real_store = location.real_store_dir.strip_prefix(&location.root);
    let store_dir = Path::new("/").join(real_store.unwrap_or(&location.real_store_dir));
    let resolved = store::resolve(&location.root, &inside, Some(&store_dir)).or_else(|e| {
        // `mnt/nix/store/…` and `/mnt/nix/store/…` with `--root mnt` mean the
        // same: the name as this machine has it.
        match given.strip_prefix(&location.root) {
            Ok(rest) if location.root != Path::new("/") => {
                store::resolve(&location.root, &Path::new("/").join(rest), Some(&store_dir))
            }
            _ => Err(e),
        }
    });
    match resolved {
        Ok(store::Place::StorePath { base_name, .. }) => {
            valid(location, catalog, &base_name.to_string_lossy())
        }
        Ok(store::Place::File(to)) => Err(TargetError::Outside {
            path: escaped(target),
            to: escaped(&to.to_string_lossy()),
            store_dir: location.store_dir.clone(),
        }),
        Err(source) => Err(TargetError::Resolve { path: escaped(target), source }),
    }
}

fn by_name(catalog: &Catalog, target: &str) -> Result<u32, TargetError> {
    if let Some(id) = catalog.find(target) {
        return Ok(id);
    }
    let unknown =
        || TargetError::Unknown { target: escaped(target), near: near_names(catalog, target) };
    if target.is_empty() {
        return Err(unknown());
    }
    let ids = 0..catalog.len() as u32;
    let exact: Vec<u32> =
        ids.clone().filter(|&id| catalog.store_path(id).name() == target).collect();
    if !exact.is_empty() {
        return one(catalog, target, &exact);
    }
    let named: Vec<u32> = ids.filter(|&id| catalog.pname_and_version(id).0 == target).collect();
    if !named.is_empty() {
        return one(catalog, target, &named);
    }
    let prefixed: Vec<u32> = (catalog.lower_bound(target)..catalog.len() as u32)
        .take_while(|&id| catalog.store_path(id).hash_part().starts_with(target))
        .collect();
    match prefixed[..] {
        [] => Err(unknown()),
        [id] => Ok(id),
        _ => Err(ambiguous(catalog, target, &prefixed)),
    }
}

/// The one of several: without derivations, then the one whose output is `out`.
fn one(catalog: &Catalog, target: &str, ids: &[u32]) -> Result<u32, TargetError> {
    let built: Vec<u32> =
        ids.iter().copied().filter(|&id| !catalog.store_path(id).is_derivation()).collect();
    let ids = if built.is_empty() { ids } else { &built };
    if let [id] = ids {
        return Ok(*id);
    }
    let out: Vec<u32> = (ids.iter().copied())
        .filter(|&id| catalog.output(id).is_none_or(|output| output == "out"))
        .collect();
    // `systemd-255.6` rather than `systemd-255.6-man`, where that is no output of it.
    let name = |id: u32| catalog.store_path(id).name();
    let mut plain = out.iter().copied().filter(|&id| {
        let longer = |other: u32| {
            name(other).strip_prefix(name(id)).is_some_and(|rest| rest.starts_with('-'))
        };
        out.iter().all(|&other| other == id || longer(other))
    });
    plain.next().ok_or_else(|| ambiguous(catalog, target, ids))
}

fn ambiguous(catalog: &Catalog, target: &str, ids: &[u32]) -> TargetError {
    TargetError::Ambiguous {
        target: escaped(target),
        total: ids.len(),
        candidates: ids.iter().take(LISTED).map(|&id| catalog.path(id)).collect(),
    }
}

/// Names in the catalog that are nearly `text`, best first: those that
/// contain it, then those that are spelled alike.
pub fn near_names(catalog: &Catalog, text: &str) -> Vec<String> {
    near_names_among(catalog, 0..catalog.len() as u32, text)
}

/// [`near_names`] among some paths only.
pub(super) fn near_names_among(
    catalog: &Catalog,
    ids: impl Iterator<Item = u32>,
    text: &str,
) -> Vec<String> {
    let text = text.to_ascii_lowercase();
    let mut scored: Vec<(f64, &str)> = ids
        .filter_map(|id| {
            let name = catalog.store_path(id).name();
            let lower = name.to_ascii_lowercase();
            let pname = store::split_name(&lower).0;
            let contained = text.len() > 1 && lower.contains(&text);
            let score = strsim::jaro_winkler(pname, &text) + f64::from(u8::from(contained));
            (score > 0.84).then_some((score, name))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(LISTED).map(|(_, name)| name.to_owned()).collect()
}
