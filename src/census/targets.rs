//! What a user may call a store path.

use crate::arrange::Arrange as _;
use crate::catalog::{Catalog, PathId};
use crate::fs::{ResolveError, Resolved, Tree};
use crate::glob::GlobError;
use crate::store::{self, NameError, StoreLocation, StorePath};
use crate::warning::WarningKind;
use std::path::{Path, PathBuf};

/// Where names of files are looked up.
#[derive(Clone, Debug)]
pub struct NameContext {
    /// The examined tree, in which absolute names begin.
    pub tree: Tree,
    /// The current directory, on this machine.
    pub current_dir: PathBuf,
}

/// A target that is not a path, or several.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nothing is called so.
    #[error("no valid path is called '{target}'")]
    Unknown {
        /// What was asked for, escaped.
        target: String,
        /// Names that are nearly the same.
        near: Vec<String>,
        /// Whether there is more in the store than was looked at: a snapshot of a closure.
        part: bool,
    },
    /// Several paths are called so.
    #[error("'{target}' is ambiguous: it could be any of {total} paths:{}", list("", candidates))]
    Ambiguous {
        /// What was asked for, escaped.
        target: String,
        /// How many paths there are.
        total: usize,
        /// The first of them.
        candidates: Vec<String>,
    },
    /// A path in the store that the database does not know.
    #[error("{path} is not a valid path: the database does not list it")]
    Invalid {
        /// The full path, escaped.
        path: String,
        /// Names that are nearly the same.
        near: Vec<String>,
        /// As of [`TargetError::Unknown`].
        part: bool,
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
    #[error("no examined path is called '{target}'")]
    NotExamined {
        /// What was asked for, escaped.
        target: String,
        /// Names of examined paths that are nearly the same.
        near: Vec<String>,
    },
    /// A pattern that is none.
    #[error("'{pattern}' is not a valid pattern")]
    Pattern {
        /// What was asked for, escaped.
        pattern: String,
        /// Why.
        source: GlobError,
    },
    /// A file name that leads to no store path.
    #[error("{path} leads to {to}, which is not in the store {store_dir}")]
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

/// The shortest beginning of a hash part that is taken for one.
pub(crate) const HASH_PREFIX: usize = 7;

/// How a text names paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// It is a path, a name, a package name, a hash part or a symlink.
    Exactly,
    /// It is a pattern.
    Pattern,
    /// It is the beginning of a hash part.
    HashPrefix,
}

/// The paths that a text names, ascending and never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Their ids.
    pub ids: Vec<PathId>,
    /// How they are named.
    pub by: NamedBy,
}

/// Finds the one valid path that `target` names, among `among` (ids,
/// ascending; all valid paths if `None`): a store path or a path inside one; a
/// base name; an exact name or package name (of several outputs the one called
/// `out`; a derivation only where nothing else is called so); a hash part; any
/// file name whose symlinks lead into the store; or else a glob that matches one
/// path, or a unique beginning of a hash part, of at least 7 characters.
///
/// # Errors
/// See [`TargetError`].
pub fn resolve_target(
    location: &StoreLocation,
    catalog: &Catalog,
    names: &NameContext,
    among: Option<&[PathId]>,
    target: &str,
) -> Result<(PathId, NamedBy), TargetError> {
    let search = Search { location, catalog, names, among };
    match search.exactly(target)?[..] {
        [] => {}
        [id] => return Ok((id, NamedBy::Exactly)),
        ref ids => return Ok((one(catalog, target, ids)?, NamedBy::Exactly)),
    }
    match search.by_pattern(target)?[..] {
        [] => {}
        [id] => return Ok((id, NamedBy::Pattern)),
        ref ids => return Err(ambiguous(catalog, target, ids)),
    }
    search.by_hash_prefix(target)?.map(|id| (id, NamedBy::HashPrefix)).ok_or_else(|| {
        let near = near_names_among(catalog, search.ids(), target.trim_matches(['*', '?']));
        search.not_found(target, near)
    })
}

/// Where names are looked up.
pub(super) struct Search<'a> {
    pub(super) location: &'a StoreLocation,
    pub(super) catalog: &'a Catalog,
    pub(super) names: &'a NameContext,
    pub(super) among: Option<&'a [PathId]>,
}

impl Search<'_> {
    /// The ids among which names are looked up, ascending.
    pub(super) fn ids(&self) -> Box<dyn Iterator<Item = PathId> + '_> {
        match self.among {
            None => Box::new(self.catalog.ids()),
            Some(among) => Box::new(among.iter().copied()),
        }
    }

    pub(super) fn not_found(&self, text: &str, near: Vec<String>) -> TargetError {
        let target = escaped(text);
        match self.among {
            None => TargetError::Unknown { target, near, part: self.catalog.is_part() },
            Some(_) => TargetError::NotExamined { target, near },
        }
    }

    /// The paths that are called exactly `text`, ascending; may be none.
    pub(super) fn exactly(&self, text: &str) -> Result<Vec<PathId>, TargetError> {
        let id = if text.contains('/') || text == "." || text == ".." {
            match self.file(text) {
                // A pattern over full paths.
                Err(_) if is_pattern(text) => return Ok(Vec::new()),
                found => found?,
            }
        } else if let Some(id) = self.catalog.find(text) {
            id
        } else {
            let named = exact_names(self.catalog, self.ids(), text);
            if !named.is_empty() {
                return Ok(named);
            }
            if let Some(id) = self.hash_part(text) {
                id
            } else if !text.is_empty() && is_symlink(&self.names.current_dir.join(text)) {
                // A symlink in the current directory, such as `result`.
                self.follow(text)?
            } else {
                return Ok(Vec::new());
            }
        };
        if self.among.is_none_or(|among| among.binary_search(&id).is_ok()) {
            return Ok(vec![id]);
        }
        Err(self.not_found(text, Vec::new()))
    }

    /// The path that a file name means.
    fn file(&self, text: &str) -> Result<PathId, TargetError> {
        if text.starts_with('/') {
            let plain = store::plain_path(Path::new(text));
            if let Ok(inside) = plain.strip_prefix(&self.location.store_dir)
                && let Some(base) = inside.components().next()
            {
                return self.valid(&base.as_os_str().to_string_lossy());
            }
        }
        self.follow(text)
    }

    fn hash_part(&self, text: &str) -> Option<PathId> {
        let id = self.catalog.lower_bound(text);
        let found =
            id.index() < self.catalog.len() && self.catalog.store_path(id).hash_part() == text;
        found.then_some(id)
    }

    /// The one path whose hash part begins so.
    pub(super) fn by_hash_prefix(&self, text: &str) -> Result<Option<PathId>, TargetError> {
        if text.len() < HASH_PREFIX {
            return Ok(None);
        }
        let begins = |&id: &PathId| self.catalog.store_path(id).hash_part().starts_with(text);
        let ids: Vec<PathId> = match self.among {
            None => {
                let from = self.catalog.lower_bound(text);
                self.catalog.ids_from(from).take_while(begins).collect()
            }
            Some(among) => among.iter().copied().filter(begins).collect(),
        };
        match ids[..] {
            [] => Ok(None),
            [id] => Ok(Some(id)),
            _ => Err(ambiguous(self.catalog, text, &ids)),
        }
    }

    fn valid(&self, base: &str) -> Result<PathId, TargetError> {
        if let Err(problem) = StorePath::parse(base.as_bytes()) {
            let path = self.location.path_of(base);
            return Err(not_a_store_path(self.catalog, &path, problem));
        }
        self.catalog.find(base).ok_or_else(|| TargetError::Invalid {
            path: escaped(&self.location.path_of(base)),
            near: near_names(self.catalog, base.get(33..).unwrap_or(base)),
            part: self.catalog.is_part(),
        })
    }

    /// Follows a file name: absolute names inside the root, relative ones from
    /// the current directory.
    fn follow(&self, target: &str) -> Result<PathId, TargetError> {
        let location = self.location;
        let given = Path::new(target);
        let inside = if given.is_absolute() {
            given.to_owned()
        } else {
            let whole = self.names.current_dir.join(given);
            let root = std::fs::canonicalize(&location.root).unwrap_or(location.root.clone());
            match whole.strip_prefix(&root) {
                Ok(rest) => Path::new("/").join(rest),
                Err(_) => Path::new("/").join(given),
            }
        };
        let real_store = location.inside(&location.real_store_dir);
        let follow = |name: &Path| {
            let store_dir = Path::new(&location.store_dir);
            self.names.tree.follow_links_to_store(name, store_dir, &real_store)
        };
        let resolved = follow(&inside).or_else(|e| {
            // `mnt/nix/store/…` and `/mnt/nix/store/…` with `--root mnt` mean the
            // same: the name as this machine has it.
            match given.strip_prefix(&location.root) {
                Ok(rest) if location.root != Path::new("/") => follow(&Path::new("/").join(rest)),
                _ => Err(e),
            }
        });
        match resolved {
            Ok(Resolved::StorePath { base_name, .. }) => self.valid(&base_name.to_string_lossy()),
            Ok(Resolved::Entry(to)) => Err(TargetError::Outside {
                path: escaped(target),
                to: escaped(&self.names.tree.display_path(&to.path).to_string_lossy()),
                store_dir: location.store_dir.clone(),
            }),
            Err(source) => Err(TargetError::Resolve { path: escaped(target), source }),
        }
    }
}

/// What is known of a name that no store path has, from the warnings of loading.
fn not_a_store_path(catalog: &Catalog, path: &str, problem: NameError) -> TargetError {
    let of = |kind| catalog.warnings.iter().filter(move |w| w.kind == kind);
    let row = of(WarningKind::OddRow).any(|w| w.path == path.as_bytes());
    let end = format!(": {}", path.as_bytes().escape_ascii());
    let referrers = of(WarningKind::DanglingReference).filter(|w| w.message.ends_with(&end));
    let referrers = referrers.take(LISTED).map(|w| crate::text::escape(&w.path)).collect();
    TargetError::NotAStorePath { path: escaped(path), problem, row, referrers }
}

fn is_symlink(file: &Path) -> bool {
    std::fs::symlink_metadata(file).is_ok_and(|meta| meta.is_symlink())
}

/// Whether a text that names nothing exactly is a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The paths of that name; if there are none, of that package; if there are
/// none, of that name as `builtins.parseDrvName` has it.
pub(super) fn exact_names(
    catalog: &Catalog,
    ids: impl Iterator<Item = PathId>,
    text: &str,
) -> Vec<PathId> {
    let mut found: [Vec<PathId>; 3] = Default::default();
    if text.is_empty() {
        return Vec::new();
    }
    for id in ids {
        let path = catalog.store_path(id);
        // All three begin the name.
        if !path.name().starts_with(text) {
            continue;
        }
        if path.name() == text {
            found[0].push(id);
        } else if catalog.package(id).name == text {
            found[1].push(id);
        } else if path.pname() == text {
            found[2].push(id);
        }
    }
    found.into_iter().find(|ids| !ids.is_empty()).unwrap_or_default()
}

/// The one of several: without derivations, then the one whose output is `out`.
fn one(catalog: &Catalog, target: &str, ids: &[PathId]) -> Result<PathId, TargetError> {
    let built: Vec<PathId> =
        ids.iter().copied().filter(|&id| !catalog.store_path(id).is_derivation()).collect();
    let ids = if built.is_empty() { ids } else { &built };
    if let [id] = ids {
        return Ok(*id);
    }
    let out: Vec<PathId> =
        ids.iter().copied().filter(|&id| catalog.package(id).output.is_none()).collect();
    // `systemd-255.6` rather than `systemd-255.6-man`, where that is not an output of it.
    let name = |id: PathId| catalog.store_path(id).name();
    let mut plain = out.iter().copied().filter(|&id| {
        let longer = |other: PathId| {
            name(other).strip_prefix(name(id)).is_some_and(|rest| rest.starts_with('-'))
        };
        out.iter().all(|&other| other == id || longer(other))
    });
    plain.next().ok_or_else(|| ambiguous(catalog, target, ids))
}

pub(super) fn escaped(text: &str) -> String {
    crate::text::escape(text.as_bytes())
}

fn ambiguous(catalog: &Catalog, target: &str, ids: &[PathId]) -> TargetError {
    TargetError::Ambiguous {
        target: escaped(target),
        total: ids.len(),
        candidates: ids.iter().take(LISTED).map(|&id| catalog.path(id)).collect(),
    }
}

/// Names in the catalog that are nearly `text`, best first: those that
/// contain it, then those that are spelled alike.
pub(crate) fn near_names(catalog: &Catalog, text: &str) -> Vec<String> {
    near_names_among(catalog, catalog.ids(), text)
}

/// [`near_names`] among some paths only.
pub(super) fn near_names_among(
    catalog: &Catalog,
    ids: impl Iterator<Item = PathId>,
    text: &str,
) -> Vec<String> {
    let text = text.to_ascii_lowercase();
    let mut scored: Vec<(f64, &str)> = ids
        .filter_map(|id| {
            let name = catalog.store_path(id).name();
            let lower = name.to_ascii_lowercase();
            let package = store::Package::guess(&lower).name;
            let contained = text.len() > 1 && lower.contains(&text);
            let score = strsim::jaro_winkler(package, &text) + f64::from(u8::from(contained));
            (score > 0.84).then_some((score, name))
        })
        .collect();
    scored.arrange_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(LISTED).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{filter_names, match_pattern};
    use super::*;
    use crate::catalog::{Builder, Record};

    /// A hash part that begins so.
    fn base(begin: &str, name: &str) -> String {
        format!("{begin:0<32}-{name}")
    }

    struct Names {
        location: StoreLocation,
        catalog: Catalog,
        names: NameContext,
        _dir: tempfile::TempDir,
    }

    impl Names {
        fn new(bases: &[String]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut builder = Builder::new("/nix/store");
            for base in bases {
                let path = format!("/nix/store/{base}");
                builder.add(&Record { path: path.as_bytes(), ..Record::default() }).unwrap();
            }
            let state = Path::new("/nix/var/nix");
            let tree = Tree::live(dir.path()).unwrap();
            Self {
                location: crate::fs::locate(&tree, "/nix/store", state).unwrap(),
                catalog: builder.finish().unwrap(),
                names: NameContext { tree, current_dir: dir.path().to_owned() },
                _dir: dir,
            }
        }

        fn link(&self, name: &str, to: &str) {
            std::os::unix::fs::symlink(to, self.names.current_dir.join(name)).unwrap();
        }

        fn target(&self, text: &str) -> Result<(&str, NamedBy), TargetError> {
            let found = resolve_target(&self.location, &self.catalog, &self.names, None, text);
            found.map(|(id, by)| (self.catalog.store_path(id).name(), by))
        }

        fn named(&self, among: Option<&[u32]>, text: &str) -> Result<Vec<&str>, TargetError> {
            let among = among.map(|ids| ids.iter().copied().map(PathId::new).collect::<Vec<_>>());
            let among = among.as_deref();
            let found = match_pattern(&self.location, &self.catalog, &self.names, among, text);
            let names = |ids: Vec<PathId>| {
                ids.iter().map(|&id| self.catalog.store_path(id).name()).collect()
            };
            found.map(|named| names(named.ids))
        }
    }

    #[test]
    fn a_short_name_is_not_taken_for_the_beginning_of_a_hash() {
        let names = Names::new(&[base("bzrh0rn", "libbcel-java.drv"), base("1", "bzip2-1.0")]);
        assert!(matches!(names.target("bzr"), Err(TargetError::Unknown { .. })));
        assert!(matches!(names.target("bzrh0r"), Err(TargetError::Unknown { .. })));
        assert!(names.named(None, "bzrh0r").is_err());
        let by_hash = Ok(("libbcel-java.drv", NamedBy::HashPrefix));
        assert_eq!(names.target("bzrh0rn").map_err(|e| e.to_string()), by_hash);
        assert_eq!(names.named(None, "bzrh0rn").unwrap(), ["libbcel-java.drv"]);
        // A whole hash part is not a guess.
        let whole = &base("bzrh0rn", "")[..32];
        assert_eq!(names.target(whole).unwrap(), ("libbcel-java.drv", NamedBy::Exactly));
    }

    #[test]
    fn names_and_links_come_before_hash_prefixes() {
        let names = Names::new(&[
            base("libfoo0", "other"),
            base("2", "0000000-1.0"),
            base("0000000", "third"),
            base("gcclib7", "fourth"),
        ]);
        assert_eq!(names.target("0000000").unwrap(), ("0000000-1.0", NamedBy::Exactly));
        assert_eq!(names.named(None, "0000000").unwrap(), ["0000000-1.0"]);
        names.link("gcclib7", &format!("/nix/store/{}", base("2", "0000000-1.0")));
        assert_eq!(names.target("gcclib7").unwrap(), ("0000000-1.0", NamedBy::Exactly));
    }

    #[test]
    fn an_exact_name_path_or_link_comes_before_a_pattern() {
        let names = Names::new(&[
            base("1", "fix.patch?h=dfc57"),
            base("2", "fix.patchxh=dfc57"),
            base("3", "fix.patch?h=dfc5"),
        ]);
        assert_eq!(names.named(None, "fix.patch?h=dfc57").unwrap(), ["fix.patch?h=dfc57"]);
        assert_eq!(names.target("fix.patch?h=dfc57").unwrap().0, "fix.patch?h=dfc57");
        assert_eq!(names.named(None, "fix.patch?h=d*").unwrap().len(), 3);
        let path = format!("/nix/store/{}", base("1", "fix.patch?h=dfc57"));
        assert_eq!(names.named(None, &path).unwrap(), ["fix.patch?h=dfc57"]);
        assert_eq!(names.named(None, &format!("{path}/a*")).unwrap(), ["fix.patch?h=dfc57"]);
        assert_eq!(names.named(None, "/nix/store/*-fix.patch?h=dfc57").unwrap().len(), 2);
        names.link("fix*", &path);
        assert_eq!(names.named(None, "fix*").unwrap(), ["fix.patch?h=dfc57"]);
        assert_eq!(names.named(None, "./fix*").unwrap(), ["fix.patch?h=dfc57"]);
        let filter = |text| filter_names(&names.catalog, names.catalog.ids(), text).unwrap();
        assert_eq!(filter("fix.patch?h=dfc57"), [0].map(PathId::new));
        assert_eq!(filter("fix.patch?h=dfc5?"), [0, 1].map(PathId::new));
        assert_eq!(filter("none"), []);
    }

    #[test]
    fn a_name_is_looked_for_among_those_given() {
        let names = Names::new(&[
            base("1", "lib-1.0"),
            base("2", "lib-1.0.drv"),
            base("3", "top.drv"),
            base("4444444", "x"),
            base("4444444a", "y"),
        ]);
        assert_eq!(names.named(None, "lib").unwrap(), ["lib-1.0"]);
        assert_eq!(names.named(Some(&[1, 2]), "lib").unwrap(), ["lib-1.0.drv"]);
        assert_eq!(names.named(Some(&[1, 2]), "lib*").unwrap(), ["lib-1.0.drv"]);
        assert!(matches!(names.named(Some(&[2]), "lib"), Err(TargetError::NotExamined { .. })));
        let path = format!("/nix/store/{}", base("1", "lib-1.0"));
        assert!(matches!(names.named(Some(&[2]), &path), Err(TargetError::NotExamined { .. })));
        assert!(matches!(names.target("4444444"), Err(TargetError::Ambiguous { .. })));
        assert_eq!(names.named(Some(&[4]), "4444444").unwrap(), ["y"]);
    }

    #[test]
    fn a_package_is_found_by_either_of_its_names() {
        let names = Names::new(&[
            base("1", "glibc-2.39"),
            base("2", "glibc-2.39-dev"),
            base("3", "nixos-system-web-01-24.05"),
        ]);
        assert_eq!(names.target("glibc").unwrap().0, "glibc-2.39");
        assert_eq!(names.named(None, "glibc").unwrap().len(), 2);
        assert_eq!(names.target("nixos-system-web-01").unwrap().0, "nixos-system-web-01-24.05");
        assert_eq!(names.target("nixos-system-web").unwrap().0, "nixos-system-web-01-24.05");
    }
}
