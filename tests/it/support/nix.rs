//! Real Nix: finding its versions, and the stores that the tests examine.
//!
//! The first version is the Nix of `PATH`. `NIX_CENSUS_NIXES` is a directory of
//! others: each `NIXES/NAME/bin` holds `nix`, `nix-store` and the rest (`.ci/nixes`
//! makes such a directory). A test that compares with Nix runs with all of them:
//!
//! - [`each_stores`] gives a test the ready-built stores of each version,
//! - [`each`] gives it the [`Nix`], for stores that it makes itself
//!   ([`Store::private`] and [`Store::root`] take one),
//! - [`stores`] gives the stores of the first version, for a test that needs some
//!   real store but compares nothing with Nix.
//!
//! `tests/nix/make-stores.sh` builds the stores once for each version, under
//! `target/tmp` (or `NIX_CENSUS_TEST_STORES`); a lock keeps tests that run at once
//! from building twice. The next `cargo test` uses them again. Nobody writes to them
//! afterwards: a test that changes something takes a [`Store::copy`]. Only the Nix
//! that built them runs on them, without the settings of this machine.

use super::{Run, TestEnv, copy_tree, have, require, run, skip};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// One version of Nix. It is displayed as its version.
#[derive(Debug)]
pub(crate) struct Nix {
    /// As `nix --version` has it: `2.8.0`.
    pub(crate) version: String,
    /// Where its programs are.
    pub(crate) bin: PathBuf,
    stores: OnceLock<Result<Stores, String>>,
}

/// Whether Nix stopped at a process of this machine that is where no name reaches:
/// `reading symlink '"/proc/1/fd/4"': File name too long`, in other versions without
/// the name or as `read_symlink`.
pub(crate) fn meets_a_name_that_is_too_long(run: &Run) -> bool {
    run.stderr.contains("symlink") && run.stderr.contains("File name too long")
}

/// The stores; see `tests/nix/varied.nix` for what is in them.
#[derive(Debug)]
pub(crate) struct Stores {
    /// The Nix that built them.
    pub(crate) nix: &'static Nix,
    /// Never optimised; a store dir of its own.
    pub(crate) fresh: Store,
    /// Never optimised; store dir `/nix/store` below a directory, for `--root`.
    pub(crate) root: Store,
    /// A copy of `root`, optimised.
    pub(crate) root_optimised: Store,
    /// A copy of that, then more paths built.
    pub(crate) partly: Store,
}

/// One store and how to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// The directory that holds all of it.
    pub(crate) dir: PathBuf,
    /// The store dir as the database names it.
    pub(crate) store_dir: PathBuf,
    /// Where the store dir lies; differs from `store_dir` below a root.
    pub(crate) real_store_dir: PathBuf,
    /// Where the state dir (`db`, `gcroots`, `profiles`) lies.
    pub(crate) real_state_dir: PathBuf,
    /// Whether it is reached by `--root`.
    pub(crate) is_root: bool,
    /// The Nix that runs on it.
    pub(crate) nix: &'static Nix,
}

/// The stores of the first version, built if they are not there; `None`, and the skip
/// printed, without Nix.
#[track_caller]
pub(crate) fn stores() -> Option<&'static Stores> {
    stores_of(first()?)
}

/// The stores of one version; `None`, and the skip printed, if they cannot be built.
#[track_caller]
pub(crate) fn stores_of(nix: &'static Nix) -> Option<&'static Stores> {
    match nix.stores.get_or_init(|| build(nix)) {
        Ok(stores) => Some(stores),
        Err(reason) => {
            skip(reason);
            None
        }
    }
}

/// Whether Nix is in `PATH`; the skip is printed if not.
#[track_caller]
pub(crate) fn nix() -> bool {
    have(&["nix", "nix-store", "nix-build", "nix-env", "nix-hash"])
}

/// The Nix of `PATH`; `None`, and the skip printed, if there is none.
#[track_caller]
pub(crate) fn first() -> Option<&'static Nix> {
    if nix() { all().first() } else { None }
}

/// Every version, the Nix of `PATH` first; none, and the skip printed, if `PATH` has none.
#[track_caller]
pub(crate) fn versions() -> &'static [Nix] {
    if first().is_none() {
        return &[];
    }
    if require() && all().len() < 2 {
        skip("NIX_CENSUS_NIXES names no directory of other versions of Nix");
    }
    all()
}

/// Runs `test` with every version in turn. When one fails, its version is printed.
#[track_caller]
pub(crate) fn each(mut test: impl FnMut(&'static Nix)) {
    for nix in versions() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(nix))) {
            // Captured as the message of the panic is, and printed with it.
            eprintln!("this failed with Nix {nix} of {}", nix.bin.display());
            resume_unwind(panic);
        }
    }
}

/// As [`each`], with the stores that this version built.
#[track_caller]
pub(crate) fn each_stores(mut test: impl FnMut(&'static Stores)) {
    each(|nix| {
        if let Some(stores) = stores_of(nix) {
            test(stores);
        }
    });
}

/// Where it stands among all versions.
pub(crate) fn place(nix: &'static Nix) -> usize {
    all().iter().position(|other| std::ptr::eq(nix, other)).unwrap()
}

fn all() -> &'static [Nix] {
    static ALL: OnceLock<Vec<Nix>> = OnceLock::new();
    ALL.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).find(|dir| dir.join("nix-store").is_file());
        let mut others: Vec<PathBuf> = Vec::new();
        if let Some(dir) = std::env::var_os("NIX_CENSUS_NIXES").filter(|dir| !dir.is_empty()) {
            let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
            others.extend(entries.map(|entry| entry.unwrap().path().join("bin")));
            others.retain(|bin| bin.join("nix-store").is_file());
        }
        let mut others: Vec<Nix> = others.into_iter().map(Nix::new).collect();
        others.sort_by(|a, b| compare(&a.version, &b.version));
        on_path.map(Nix::new).into_iter().chain(others).collect()
    })
}

/// The order of two versions: `2.8.0` comes before `2.26.3`.
fn compare(a: &str, b: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u32> {
        version.split('.').map_while(|part| part.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b))
}

impl fmt::Display for Nix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

impl Nix {
    fn new(bin: PathBuf) -> Self {
        let text = run(Command::new(bin.join("nix")).arg("--version")).ok();
        let version = text.split_whitespace().last().unwrap_or_default().to_owned();
        assert!(version.starts_with("2."), "{}: {text}", bin.display());
        Self { version, bin, stores: OnceLock::new() }
    }

    /// Whether it is this version or a newer one: `nix.since("2.34")`.
    pub(crate) fn since(&self, version: &str) -> bool {
        compare(&self.version, version).is_ge()
    }

    /// One of its programs, with an environment that holds only what it needs, and
    /// none of this machine's settings. See [`Store::command`] for one on a store.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().env("PATH", self.path()).env("LC_ALL", "C").env(
            "NIX_CONFIG",
            "sandbox = false\nbuild-users-group =\nfilter-syscalls = false\nsubstitute = false\nfsync-metadata = false\nexperimental-features = nix-command",
        );
        command
    }

    /// `PATH` with its programs before any other Nix.
    fn path(&self) -> OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs = std::iter::once(self.bin.clone()).chain(std::env::split_paths(&path));
        std::env::join_paths(dirs).unwrap()
    }
}

fn build(nix: &'static Nix) -> Result<Stores, String> {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores");
    let given = std::env::var_os("NIX_CENSUS_TEST_STORES").map(PathBuf::from);
    let all = given.as_ref().unwrap_or(&own);
    fs::create_dir_all(all).map_err(|e| format!("{}: {e}", all.display()))?;
    let all = all.canonicalize().map_err(|e| format!("{}: {e}", all.display()))?;

    // Other sources make other stores, in a directory of their own.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nix");
    let mut hash = DefaultHasher::new();
    for file in ["varied.nix", "make-stores.sh"] {
        fs::read(sources.join(file)).map_err(|e| format!("{file}: {e}"))?.hash(&mut hash);
    }
    let dir = all.join(format!("{nix}-{:016x}", hash.finish()));
    // The database names the directory: a moved one is built again.
    let stamp = dir.as_os_str().as_encoded_bytes();

    let lock = File::create(all.join(format!("lock-{nix}"))).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    if fs::read(dir.join("stamp")).ok().as_deref() != Some(stamp) {
        if given.is_none() {
            remove_others(&all, nix)?;
        }
        let mut make = Command::new(sources.join("make-stores.sh"));
        let made = run(make.arg(&dir).env("PATH", nix.path()));
        if made.status != 0 {
            return Err(format!("tests/nix/make-stores.sh failed with {nix}:\n{}", made.stderr));
        }
        fs::write(dir.join("stamp"), stamp).map_err(|e| e.to_string())?;
    }
    Ok(Stores {
        nix,
        fresh: Store::private(nix, dir.join("fresh")),
        root: Store::root(nix, dir.join("root")),
        root_optimised: Store::root(nix, dir.join("root-optimised")),
        partly: Store::root(nix, dir.join("partly")),
    })
}

/// Removes the stores that a version built from older sources.
fn remove_others(all: &Path, nix: &Nix) -> Result<(), String> {
    for entry in fs::read_dir(all).map_err(|e| e.to_string())? {
        let entry = entry.map_err(|e| e.to_string())?;
        if entry.file_name().to_string_lossy().starts_with(&format!("{nix}-")) {
            super::store_with_roots::remove(&entry.path());
        }
    }
    Ok(())
}

impl Store {
    /// A store with a store dir of its own: `dir/store`, `dir/state`.
    pub(crate) fn private(nix: &'static Nix, dir: PathBuf) -> Self {
        Self {
            store_dir: dir.join("store"),
            real_store_dir: dir.join("store"),
            real_state_dir: dir.join("state"),
            is_root: false,
            nix,
            dir,
        }
    }

    /// A store below a root: `dir/nix/store`, `dir/nix/var/nix`.
    pub(crate) fn root(nix: &'static Nix, dir: PathBuf) -> Self {
        Self {
            store_dir: "/nix/store".into(),
            real_store_dir: dir.join("nix/store"),
            real_state_dir: dir.join("nix/var/nix"),
            is_root: true,
            nix,
            dir,
        }
    }

    /// `db.sqlite`.
    pub(crate) fn database(&self) -> PathBuf {
        self.real_state_dir.join("db/db.sqlite")
    }

    /// The arguments that point nix-census at this store.
    pub(crate) fn args(&self) -> Vec<OsString> {
        if self.is_root {
            vec!["--root".into(), self.dir.clone().into()]
        } else {
            vec![
                "--store-dir".into(),
                self.store_dir.clone().into(),
                "--state-dir".into(),
                self.real_state_dir.clone().into(),
            ]
        }
    }

    /// A copy in a test's own directory, to change at will: hard links, holes, modes
    /// and times kept. Only stores below a root can be copied, since the database of
    /// any other names the directory it was built in.
    pub(crate) fn copy(&self, env: &TestEnv, name: &str) -> Self {
        assert!(self.is_root, "a database names its store dir: copy `root` or `root_optimised`");
        let to = env.join(name);
        copy_tree(&self.dir, &to);
        Self::root(self.nix, to)
    }

    /// A command of Nix (`nix`, `nix-store`, …) on this store, not yet run. Arguments
    /// that come after the subcommand of `nix` are the caller's.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = self.nix.command(program);
        command
            .args(args)
            .env("HOME", self.dir.join("user"))
            .env("NIX_CONF_DIR", self.dir.join("conf"));
        if self.is_root {
            // Unlike `--store`, this holds for every program alike.
            command.env("NIX_REMOTE", format!("local?root={}", self.dir.display()));
        } else {
            command
                .env("NIX_STORE_DIR", &self.store_dir)
                .env("NIX_STATE_DIR", &self.real_state_dir)
                .env("NIX_LOG_DIR", self.dir.join("log"));
        }
        command
    }

    /// Runs a command of Nix on this store; its standard output, when it succeeded.
    #[track_caller]
    pub(crate) fn nix<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> String {
        self.try_nix(program, args).ok()
    }

    /// Runs a command of Nix on this store. When it looks for roots it gives up if some
    /// process of this machine is in a directory or has a file whose name is too long, as
    /// other tests may be, so it is run again.
    #[track_caller]
    pub(crate) fn try_nix<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Run {
        let mut command = self.command(program, args);
        for _ in 0..100 {
            let run = run(&mut command);
            if run.status == 0 || !meets_a_name_that_is_too_long(&run) {
                return run;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("some process keeps {program} from looking for roots");
    }

    /// What `nix path-info --all --json` says, by path. `args` come after it.
    #[track_caller]
    pub(crate) fn path_infos(&self, args: &[&str]) -> BTreeMap<String, Value> {
        let mut all = vec!["path-info", "--all", "--json"];
        if self.nix.since("2.34") {
            all.extend(["--json-format", "1"]);
        }
        all.extend(args);
        match serde_json::from_str(&self.nix("nix", all)).unwrap() {
            // Before Nix 2.19.
            Value::Array(infos) => {
                infos.into_iter().map(|i| (i["path"].as_str().unwrap().into(), i)).collect()
            }
            Value::Object(infos) => infos.into_iter().collect(),
            other => panic!("{other}"),
        }
    }

    /// Every valid path, sorted.
    #[track_caller]
    pub(crate) fn valid_paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.nix("nix", ["path-info", "--all"]).lines().map(Into::into).collect();
        paths.sort();
        paths
    }

    /// The one valid path of this exact name (what follows the hash part).
    #[track_caller]
    pub(crate) fn find(&self, name: &str) -> String {
        let mut found = self.valid_paths();
        found.retain(|path| {
            path.rsplit('/').next().is_some_and(|base| base.get(33..) == Some(name))
        });
        assert_eq!(found.len(), 1, "paths named {name}: {found:?}");
        found.remove(0)
    }

    /// Where a path of the database lies on this machine.
    pub(crate) fn real_path(&self, path: &str) -> PathBuf {
        self.real_store_dir.join(Path::new(path).strip_prefix(&self.store_dir).unwrap())
    }
}
