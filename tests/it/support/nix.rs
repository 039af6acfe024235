//! Real Nix: finding it, and the stores that the tests examine.
//!
//! `tests/nix/make-stores.sh` builds the stores once, under `target/tmp` (or
//! `NIX_CENSUS_TEST_STORES`); a lock keeps tests that run at once from building
//! twice, and a stamp lets the next `cargo test` use them again. Nobody writes
//! to them afterwards: a test that changes something takes a [`Store::copy`].
//! Only the Nix of this machine runs on them, with its own settings shut out.

use super::{Run, TestEnv, copy_tree, have, run, skip};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The stores; see `tests/nix/varied.nix` for what is in them.
#[derive(Debug)]
pub(crate) struct Stores {
    /// Never optimised; a store dir of its own.
    pub(crate) fresh: Store,
    /// The same paths, optimised; a store dir of its own.
    pub(crate) optimised: Store,
    /// Optimised, then more paths built; a store dir of its own.
    pub(crate) partly: Store,
    /// Never optimised; store dir `/nix/store` below a directory, for `--root`.
    pub(crate) root: Store,
    /// A copy of `root`, optimised.
    pub(crate) root_optimised: Store,
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
}

/// The stores, built if they are not there; `None`, and the skip printed, without Nix.
#[track_caller]
pub(crate) fn stores() -> Option<&'static Stores> {
    static STORES: OnceLock<Result<Stores, String>> = OnceLock::new();
    if !nix() {
        return None;
    }
    match STORES.get_or_init(build) {
        Ok(stores) => Some(stores),
        Err(reason) => {
            skip(reason);
            None
        }
    }
}

/// Whether Nix is there; the skip is printed if not.
#[track_caller]
pub(crate) fn nix() -> bool {
    have(&["nix", "nix-store", "nix-build", "nix-env", "nix-hash"])
}

fn build() -> Result<Stores, String> {
    let dir = std::env::var_os("NIX_CENSUS_TEST_STORES")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores"), PathBuf::from);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nix");
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let dir = dir.canonicalize().map_err(|e| format!("{}: {e}", dir.display()))?;
    let lock = File::create(dir.join("lock")).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;

    // Everything that the stores depend on, and where they lie.
    let mut stamp = format!("{}\n", dir.display()).into_bytes();
    stamp.extend(run(Command::new("nix").arg("--version")).stdout_bytes);
    for file in ["varied.nix", "make-stores.sh"] {
        stamp.extend(fs::read(sources.join(file)).map_err(|e| format!("{file}: {e}"))?);
    }
    if fs::read(dir.join("stamp")).ok().as_ref() != Some(&stamp) {
        let made = run(Command::new(sources.join("make-stores.sh")).arg(&dir));
        if made.status != 0 {
            return Err(format!("tests/nix/make-stores.sh failed:\n{}", made.stderr));
        }
        fs::write(dir.join("stamp"), &stamp).map_err(|e| e.to_string())?;
    }
    Ok(Stores {
        fresh: Store::private(dir.join("fresh")),
        optimised: Store::private(dir.join("optimised")),
        partly: Store::private(dir.join("partly")),
        root: Store::root(dir.join("root")),
        root_optimised: Store::root(dir.join("root-optimised")),
    })
}

impl Store {
    /// A store with a store dir of its own: `dir/store`, `dir/state`.
    pub(crate) fn private(dir: PathBuf) -> Self {
        Self {
            store_dir: dir.join("store"),
            real_store_dir: dir.join("store"),
            real_state_dir: dir.join("state"),
            is_root: false,
            dir,
        }
    }

    /// A store below a root: `dir/nix/store`, `dir/nix/var/nix`.
    pub(crate) fn root(dir: PathBuf) -> Self {
        Self {
            store_dir: "/nix/store".into(),
            real_store_dir: dir.join("nix/store"),
            real_state_dir: dir.join("nix/var/nix"),
            is_root: true,
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
        Self::root(to)
    }

    /// A command of Nix (`nix`, `nix-store`, …) on this store, not yet run. Arguments
    /// that come after the subcommand of `nix` are the caller's.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.join("user"))
            .env("LC_ALL", "C")
            .env("NIX_CONF_DIR", self.dir.join("conf"))
            .env(
                "NIX_CONFIG",
                "sandbox = false\nbuild-users-group =\nfilter-syscalls = false\nsubstitute = false\nfsync-metadata = false\nexperimental-features = nix-command",
            );
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

    /// Runs a command of Nix on this store.
    #[track_caller]
    pub(crate) fn try_nix<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Run {
        run(&mut self.command(program, args))
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
