//! Who keeps it alive: the garbage collector's roots, found as Nix finds them
//! (nix: `src/libstore/gc.cc`, `LocalStore::findRoots`), and its settings.
//! Nothing is deleted: what Nix would tidy away here is listed instead.
//!
//! | file | finds |
//! |---|---|
//! | `gcroots` | links and files in `gcroots` and `profiles` |
//! | `profiles` | profiles and their generations |
//! | `users` | the users of the examined system |
//! | `runtime` | what running processes use, temporary roots |
//! | `survey` | all of these at once, before options choose |
//! | `nix_conf` | Nix's settings, as far as they decide an answer |

mod gcroots;
mod nix_conf;
mod profiles;
mod runtime;
mod survey;
mod users;

#[cfg(test)]
pub(crate) use nix_conf::DEFAULT_KEY;
pub use nix_conf::{GcSetting, GcSettings, Settings, SettingsFiles, TextSetting, read_settings};
pub use profiles::{Caller, CleanedBy, Generation, Profile, ProfileRule};

pub(crate) use survey::{
    CallerKind, CallersProfiles, RootSurvey, RuntimeRoots, Stays, TemporaryEntry,
};
pub(crate) use users::Users;

use crate::catalog::{Catalog, PathId};
use crate::fs::Tree;
use crate::store::{StoreLocation, StorePath};
use crate::warning::Warnings;
use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What sort of root. The names are stable: they are printed in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RootKind {
    /// A generation of a profile.
    Profile,
    /// A user's link that a link in `gcroots/auto` registers, such as `result`.
    Auto,
    /// Another link in `gcroots` or `profiles`.
    Link,
    /// A regular file there whose name is that of a valid path.
    File,
    /// A running process uses the path.
    Process,
    /// A setting of the running kernel names the path.
    Kernel,
    /// A running Nix process asked for the path to be kept.
    Temporary,
}

impl RootKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Profile,
        Self::Auto,
        Self::Link,
        Self::File,
        Self::Process,
        Self::Kernel,
        Self::Temporary,
    ];

    /// The kind's stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Auto => "auto",
            Self::Link => "link",
            Self::File => "file",
            Self::Process => "process",
            Self::Kernel => "kernel",
            Self::Temporary => "temporary",
        }
    }

    /// Whether such a root goes by itself when what runs ends.
    pub fn is_runtime(self) -> bool {
        matches!(self, Self::Process | Self::Kernel | Self::Temporary)
    }
}

/// One root: a link (or what stands for one) that keeps a valid path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What sort of root.
    pub kind: RootKind,
    /// The link's name as `nix-store --gc --print-roots` has it, a name inside
    /// the examined root; `{temp:<pid>}` for a temporary root.
    pub link: Vec<u8>,
    /// The link in `gcroots` or `profiles` by which Nix came to `link`, if
    /// that is another.
    pub via: Option<Vec<u8>>,
    /// The valid path it keeps: an id of the catalog.
    pub path: PathId,
    /// When the link was made, in seconds since 1970; `None` at run time.
    pub time: Option<i64>,
    /// The process that uses the path, for process and temporary roots.
    pub pid: Option<u32>,
    /// The generation it is: an index into [`FoundRoots::profiles`] and a
    /// generation's number.
    pub generation: Option<(u32, u64)>,
}

/// Why a link that looks like a root keeps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StaleReason {
    /// What it points to is gone. Nix deletes such links in `gcroots/auto`.
    Missing,
    /// It points to a store path that is not valid.
    InvalidPath,
    /// It leads to something, but not by one more link into the store, and Nix
    /// follows no further. Listed if it is in `gcroots/auto`, or if it would
    /// keep something.
    Elsewhere,
}

impl StaleReason {
    /// The reason's stable name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::InvalidPath => "invalid_path",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// A link in `gcroots` or `profiles` that keeps nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleRoot {
    /// Why.
    pub reason: StaleReason,
    /// The link, a name inside the examined root.
    pub link: Vec<u8>,
    /// The link in `gcroots` or `profiles` by which Nix came to `link`.
    pub via: Option<Vec<u8>>,
    /// What it points to.
    pub target: Vec<u8>,
    /// The valid paths that it would keep if Nix followed all links: ids of the catalog.
    pub would_keep: Vec<PathId>,
}

/// How to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootOptions {
    /// Whether to ask this machine's processes and look for temporary roots.
    /// Only sensible for the store this machine runs from: it is ignored
    /// unless the examined root is `/`.
    pub runtime: bool,
    /// Whether a single process that may not be examined makes the answer
    /// incomplete; else it is a note.
    pub strict: bool,
    /// Whose `nix-collect-garbage` is meant, which decides what profiles it cleans.
    pub caller: Caller,
    /// Whether Nix leaves what is called `tmp-…` in the store directory unless
    /// it is a directory that it can lock: versions since 2.12.
    pub locks_temporary_directories: bool,
}

impl Default for RootOptions {
    fn default() -> Self {
        Self {
            runtime: true,
            strict: false,
            caller: Caller::superuser(ProfileRule::default()),
            locks_temporary_directories: true,
        }
    }
}

/// All roots of a store.
#[derive(Clone, Debug, Default)]
pub struct FoundRoots {
    /// The roots, by link and path, each pair once.
    pub roots: Vec<Root>,
    /// What looks like a root and is none, by link.
    pub stale: Vec<StaleRoot>,
    /// The profiles, by name.
    pub profiles: Vec<Profile>,
    /// Hash parts of paths that are not valid but that a running Nix asked to
    /// keep: its lock files and half-built outputs.
    pub temporary_hash_parts: HashSet<String>,
    /// Entries of the store directory called `tmp-…` that the collector leaves:
    /// directories that a running Nix has locked, and what is not a directory.
    pub temporary_entries: HashSet<Vec<u8>>,
    /// The store directory of the store beneath, if this is an overlay: the
    /// collector deletes none of its files.
    pub lower_store: Option<PathBuf>,
    /// Processes that could not be examined, kernel threads apart.
    pub hidden_processes: u64,
    /// Whether processes and temporary roots were looked for.
    pub runtime: bool,
    /// What could not be read.
    pub warnings: Warnings,
}

/// Finds all roots of a store in a tree, resolving every name inside its root.
pub fn find_roots(
    tree: &Tree,
    location: &StoreLocation,
    catalog: &Catalog,
    options: &RootOptions,
) -> FoundRoots {
    let kind = CallerKind { rule: options.caller.rule, knows_state_home: false };
    let callers = [(kind, options.caller.clone())];
    let asked = (options.runtime, options.locks_temporary_directories);
    let survey = RootSurvey::take(tree, location, catalog, &callers, asked);
    survey.found(location, options, kind).unwrap_or_default()
}

/// The store path that a name leads to by its spelling alone: the first
/// component below the store directory (nix: `isInStore`, `toStorePath`).
/// `None` if the name is not below it; `Some(Err)` if what is there is no
/// store path.
fn in_store<'a>(store_dir: &str, name: &'a [u8]) -> Option<Result<StorePath<'a>, ()>> {
    let below = name.strip_prefix(store_dir.as_bytes())?.strip_prefix(b"/")?;
    let first = below.split(|&b| b == b'/').next().unwrap_or_default();
    if below.is_empty() {
        return None;
    }
    Some(StorePath::parse(first).map_err(|_| ()))
}

/// A file's name as the system takes it.
fn c_name(name: &OsStr) -> io::Result<CString> {
    Ok(CString::new(name.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Builder, Record};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn store_paths_by_spelling() {
        let base = "0c5b8vw40dy178xlpddw65q9gf1h2186-hello";
        let name = format!("/nix/store/{base}/bin/hello");
        let found = in_store("/nix/store", name.as_bytes()).unwrap().unwrap();
        assert_eq!(found.base_name(), base);
        assert_eq!(in_store("/nix/store", b"/nix/store/.links/x"), Some(Err(())));
        assert_eq!(in_store("/nix/store", b"/nix/store2/x"), None);
        assert_eq!(in_store("/nix/store", b"/nix/store/"), None);
        assert_eq!(in_store("/nix/store", b"nix/store/x"), None);
    }

    const HELLO: &str = "0c5b8vw40dy178xlpddw65q9gf1h2186-hello";

    /// An image with one valid path; `make` fills its state directory.
    fn image(make: impl FnOnce(&Path)) -> FoundRoots {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("nix/var/nix");
        std::fs::create_dir_all(state.join("gcroots/auto")).unwrap();
        std::fs::create_dir_all(state.join("profiles")).unwrap();
        make(dir.path());
        let mut builder = Builder::new("/nix/store");
        let path = format!("/nix/store/{HELLO}");
        let record = Record { path: path.as_bytes(), nar_size: Some(1), ..Record::default() };
        builder.add(&record).unwrap();
        let catalog = builder.finish().unwrap();
        let tree = Tree::live(dir.path()).unwrap();
        let state_dir = Path::new("/nix/var/nix");
        let location = crate::fs::locate(&tree, "/nix/store", state_dir).unwrap();
        find_roots(&tree, &location, &catalog, &RootOptions::default())
    }

    fn links(found: &FoundRoots) -> Vec<String> {
        found.roots.iter().map(|r| String::from_utf8_lossy(&r.link).into_owned()).collect()
    }

    #[test]
    fn names_on_an_image_are_the_images() {
        let found = image(|root| {
            let hello = format!("/nix/store/{HELLO}");
            std::fs::create_dir_all(root.join("var/home/u")).unwrap();
            symlink("/var/home", root.join("home")).unwrap();
            symlink(&hello, root.join("var/home/u/result")).unwrap();
            let auto = root.join("nix/var/nix/gcroots/auto");
            symlink("/home/u/result", auto.join("a")).unwrap();
            // On this machine there is such a file, in the image there is none.
            symlink("/etc/passwd", auto.join("b")).unwrap();
            symlink("/../../../../../etc/hostname", auto.join("c")).unwrap();
            let profiles = root.join("nix/var/nix/profiles");
            symlink("system-3-link", profiles.join("system")).unwrap();
            symlink(&hello, profiles.join("system-3-link")).unwrap();
            symlink("/nix/store/gone", profiles.join("system-2-link")).unwrap();
        });
        assert_eq!(links(&found), ["/home/u/result", "/nix/var/nix/profiles/system-3-link"]);
        let via = found.roots[0].via.as_deref();
        assert_eq!(via, Some(&b"/nix/var/nix/gcroots/auto/a"[..]));
        assert_eq!(found.roots[0].kind, RootKind::Auto);
        assert_eq!(found.roots[1].generation, Some((0, 3)));
        let profile = &found.profiles[0];
        assert_eq!(
            (&*profile.link, profile.current),
            (&b"/nix/var/nix/profiles/system"[..], Some(3))
        );
        let generations: Vec<_> = profile.generations.iter().map(|g| (g.number, g.root)).collect();
        assert_eq!(generations, [(2, None), (3, Some(1))]);
        let reasons: Vec<_> = found.stale.iter().map(|s| s.reason).collect();
        let missing = StaleReason::Missing;
        assert_eq!(reasons, [missing, missing, StaleReason::InvalidPath]);
        assert!(found.warnings.complete());
        assert!(!found.runtime);
    }

    #[test]
    fn links_that_nix_does_not_follow_are_listed_with_what_they_would_keep() {
        let found = image(|root| {
            let hello = format!("/nix/store/{HELLO}");
            let state = root.join("nix/var/nix");
            let gcroots = state.join("gcroots");
            std::fs::create_dir_all(root.join("home/u")).unwrap();
            std::fs::create_dir_all(root.join("nix/store").join(HELLO)).unwrap();
            symlink(&hello, root.join("home/u/p-1-link")).unwrap();
            symlink("p-1-link", root.join("home/u/p")).unwrap();
            symlink("/home/u/p", root.join("home/u/.nix-profile")).unwrap();
            // Over three links; relative.
            symlink("/home/u/.nix-profile", gcroots.join("long")).unwrap();
            symlink(format!("../../../store/{HELLO}"), gcroots.join("relative")).unwrap();
            // These keep nothing, and need not.
            symlink("/home/u", root.join("home/v")).unwrap();
            std::fs::create_dir(root.join("etc")).unwrap();
            symlink("/etc", gcroots.join("etc")).unwrap();
            symlink("../profiles", gcroots.join("profiles")).unwrap();
            symlink("/nix/store", gcroots.join("store")).unwrap();
            // Nix does not enter it.
            std::fs::remove_dir(state.join("profiles")).unwrap();
            std::fs::create_dir_all(root.join("data/per-user/u")).unwrap();
            symlink("/data", state.join("profiles")).unwrap();
            symlink(&hello, root.join("data/per-user/u/x-1-link")).unwrap();
        });
        assert_eq!(links(&found), [""; 0]);
        let listed: Vec<_> = (found.stale.iter())
            .map(|s| (String::from_utf8_lossy(&s.link).into_owned(), s.reason, &*s.would_keep))
            .collect();
        let kept = [PathId::new(0)];
        let elsewhere = |link: &str| (link.to_owned(), StaleReason::Elsewhere, &kept[..]);
        let expected = [
            elsewhere("/home/u/.nix-profile"),
            elsewhere("/nix/var/nix/gcroots/relative"),
            elsewhere("/nix/var/nix/profiles"),
        ];
        assert_eq!(listed, expected);
        assert!(found.warnings.complete());
    }

    #[test]
    fn a_state_directory_without_roots_is_told() {
        let found = image(|root| {
            let state = root.join("nix/var/nix");
            std::fs::remove_dir_all(state.join("profiles")).unwrap();
        });
        assert!(found.warnings.complete());
        let found = image(|root| std::fs::remove_dir_all(root.join("nix/var/nix")).unwrap());
        assert!(!found.warnings.complete());
    }

    #[test]
    fn hostile_directories_end_and_are_told() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let found = image(|root| {
            let gcroots = root.join("nix/var/nix/gcroots");
            symlink("loop", gcroots.join("loop")).unwrap();
            symlink("../up", gcroots.join("up")).unwrap();
            symlink("/a/x", root.join("a")).unwrap();
            symlink("/a/y", gcroots.join("through-a-loop")).unwrap();
            mknodat(CWD, gcroots.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
            let odd = std::ffi::OsStr::from_bytes(b"odd\n\xff\x1b[31m");
            symlink(format!("/nix/store/{HELLO}/bin"), gcroots.join(odd)).unwrap();
            std::fs::write(gcroots.join(HELLO), "").unwrap();
            symlink("/nix/store/.links", gcroots.join("links")).unwrap();
            symlink("/nix/store", gcroots.join("store")).unwrap();
            symlink(".", gcroots.join("self")).unwrap();
            // Nearly as deep as a name may be long.
            let mut deep = gcroots.join("deep");
            while deep.as_os_str().len() < 3800 {
                deep.push("d".repeat(200));
            }
            std::fs::create_dir_all(&deep).unwrap();
        });
        let kinds: Vec<_> = found.roots.iter().map(|r| r.kind).collect();
        assert_eq!(kinds, [RootKind::File, RootKind::Link], "{:?}", links(&found));
        assert_eq!(found.roots[1].link, b"/nix/var/nix/gcroots/odd\n\xff\x1b[31m");
        let paths: Vec<_> = found.warnings.iter().map(|w| w.path.clone()).collect();
        assert_eq!(paths, [b"/nix/var/nix/gcroots/through-a-loop".to_vec()]);
        let invalid: Vec<_> = found.stale.iter().map(|s| (s.reason, &*s.link)).collect();
        assert!(invalid.contains(&(StaleReason::InvalidPath, b"/nix/var/nix/gcroots/links")));
    }
}
