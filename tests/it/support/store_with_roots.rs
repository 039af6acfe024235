//! A store with roots of every kind, and reading answers about it.

use super::nix::{self, Nix, Store};
use super::{TestEnv, copy_tree, du_inodes, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const EXPRESSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nix/roots.nix");

/// A store with roots of every kind, beside a user's directory.
pub(crate) struct Rooted {
    pub(crate) env: TestEnv,
    pub(crate) store: Store,
}

/// The store that tests take turns with, if Nix is there. They leave it as it was.
#[track_caller]
pub(crate) fn rooted() -> Option<MutexGuard<'static, Rooted>> {
    nix::first().map(rooted_of)
}

/// Runs `test` with the store of every version of Nix in turn; see [`nix::each`].
#[track_caller]
pub(crate) fn each_rooted(mut test: impl FnMut(&Rooted)) {
    nix::each(|nix| test(&rooted_of(nix)));
}

/// The store of one version, held until the guard is dropped.
pub(crate) fn rooted_of(nix: &'static Nix) -> MutexGuard<'static, Rooted> {
    /// The number of a version is its place in `nix::versions()`.
    static ROOTED: [OnceLock<Mutex<Rooted>>; 8] = [const { OnceLock::new() }; 8];
    let place = nix::place(nix);
    let rooted = ROOTED[place].get_or_init(|| {
        let env = TestEnv::new();
        remove_at_the_end(env.path());
        let dir = env.join("roots");
        let rooted = Rooted::new(nix, env, dir);
        copy_tree(&rooted.store.dir, &rooted.beside("pristine"));
        Mutex::new(rooted)
    });
    rooted.lock().unwrap_or_else(|poisoned| {
        // A test failed in the middle.
        rooted.clear_poison();
        let guard = poisoned.into_inner();
        guard.put_back();
        guard
    })
}

/// Removes a directory when this process ends, however it does: no static is dropped.
fn remove_at_the_end(dir: &Path) {
    let mut shell = Command::new("sh");
    // Its standard input is a pipe that ends with this process.
    shell.args(["-c", "cat; chmod -R u+w \"$1\"; rm -rf \"$1\"", "sh"]).arg(dir);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    std::mem::forget(shell.spawn().unwrap());
}

/// Removes a tree whose directories may be read-only.
pub(crate) fn remove(dir: &Path) {
    // Root needs no permission for what is inside.
    if dir.exists() && fs::remove_dir_all(dir).is_err() {
        run(Command::new("chmod").args(["-R", "u+w"]).arg(dir)).ok();
        fs::remove_dir_all(dir).unwrap();
    }
}

impl Rooted {
    /// Builds the store under `dir`.
    pub(crate) fn new(nix: &'static Nix, env: TestEnv, dir: PathBuf) -> Self {
        let store = Store::private(nix, dir);
        let mut env = env;
        env.set("NIX_CONF_DIR", store.dir.join("conf").to_str().unwrap());
        // As Nix has it; see `Store::command`.
        env.set("HOME", store.dir.join("user").to_str().unwrap());
        for dir in ["store", "state/gcroots", "state/profiles", "conf", "user"] {
            fs::create_dir_all(store.dir.join(dir)).unwrap();
        }
        let rooted = Self { env, store };
        rooted.fill();
        rooted
    }

    pub(crate) fn user(&self, name: &str) -> PathBuf {
        self.store.dir.join("user").join(name)
    }

    pub(crate) fn gcroot(&self, name: &str) -> PathBuf {
        self.store.real_state_dir.join("gcroots").join(name)
    }

    /// Builds an attribute; its outputs. A builder killed at its very end lost
    /// a race in Nix: build again.
    pub(crate) fn build(&self, attribute: &str, link: &[&str]) -> Vec<String> {
        let args = [&["--quiet", EXPRESSION, "-A", attribute], link].concat();
        let run = (0..3).map(|_| self.store.try_nix("nix-build", &args)).find(|r| r.status == 0);
        run.expect("nix-build").stdout.lines().map(Into::into).collect()
    }

    pub(crate) fn fill(&self) {
        let store = &self.store;
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let profile = text(store.real_state_dir.join("profiles/default"));
        let generations = self.build("generations", &["--no-out-link"]);
        for (days, path) in [400, 90, 40, 2].into_iter().zip(&generations) {
            store.nix("nix-env", ["-p", &profile, "--set", path]);
            let link = fs::read_link(&profile).unwrap();
            let link = Path::new(&profile).parent().unwrap().join(link);
            // So many times 24 hours, which a calendar with daylight saving does
            // not have; and an hour more, as time goes on.
            let then = SystemTime::now() - Duration::from_secs((24 * days + 1) * 3600);
            let date = format!("@{}", then.duration_since(UNIX_EPOCH).unwrap().as_secs());
            run(Command::new("touch").args(["-h", "-d", &date]).arg(link)).ok();
        }
        // A profile of the user's, rolled back; its links are indirect roots.
        let own = text(self.user("profile"));
        store.nix("nix-env", ["-p", &own, "--set", &generations[3]]);
        store.nix("nix-env", ["-p", &own, "--set", &generations[1]]);
        store.nix("nix-env", ["-p", &own, "--rollback"]);

        let other = self.build("other", &["-o", &text(self.user("result"))]).remove(0);
        self.build("lib.dev", &["-o", &text(self.user("gone"))]);
        fs::remove_file(self.user("gone-dev")).unwrap();
        let solo = self.build("solo", &["--no-out-link"]).remove(0);
        // What was a link is a directory now.
        self.build("solo", &["-o", &text(self.user("copied"))]);
        fs::remove_file(self.user("copied")).unwrap();
        fs::create_dir(self.user("copied")).unwrap();
        self.build("dead", &["--no-out-link"]);

        // A derivation, by a link of its own; a link into a path; a second
        // link to a user's link; a relative one; one that leads too far.
        let drv = store.nix("nix-store", ["-q", "--deriver", &solo]);
        symlink(drv.trim(), self.gcroot("solo.drv")).unwrap();
        fs::create_dir_all(self.gcroot("per-user/me")).unwrap();
        symlink(format!("{other}/share/own"), self.gcroot("per-user/me/inside")).unwrap();
        symlink(self.user("result"), self.gcroot("mine")).unwrap();
        symlink("../../user/./profile-1-link", self.gcroot("relative")).unwrap();
        symlink(self.user("result"), self.user("twice")).unwrap();
        symlink(self.user("twice"), self.gcroot("too-far")).unwrap();
        // A regular file named as a path, and links to nothing.
        let fixed = store.find("fixed-1.0");
        let base = fixed.rsplit('/').next().unwrap();
        fs::write(self.gcroot(base), "").unwrap();
        fs::write(self.gcroot("any file"), "").unwrap();
        let invalid = store.store_dir.join("00000000000000000000000000000000-invalid");
        symlink(invalid, self.gcroot("invalid")).unwrap();
        symlink("/nonexistent/place", self.gcroot("dangling")).unwrap();
        symlink(&store.store_dir, self.gcroot("store")).unwrap();
        symlink("loop", self.gcroot("loop")).unwrap();
    }

    /// Our answer.
    pub(crate) fn json(&self, command: &str, args: &[&str]) -> Value {
        let mut all: Vec<OsString> = vec![command.into()];
        all.extend(self.store.args());
        all.extend(["--no-runtime", "--format", "json"].map(Into::into));
        all.extend(args.iter().map(Into::into));
        self.env.json(all)
    }

    /// Runs `work` on the store and puts everything back.
    pub(crate) fn undone<T>(&self, work: impl FnOnce() -> T) -> T {
        let aside = self.beside("aside");
        remove(&aside);
        copy_tree(&self.store.dir, &aside);
        let done = work();
        remove(&self.store.dir);
        fs::rename(&aside, &self.store.dir).unwrap();
        done
    }

    /// A directory beside the store: `pristine` is the copy that was made at first.
    fn beside(&self, extension: &str) -> PathBuf {
        let mut path = self.store.dir.clone().into_os_string();
        path.push(".");
        path.push(extension);
        path.into()
    }

    /// Makes the store what it was at first.
    pub(crate) fn put_back(&self) {
        remove(&self.store.dir);
        copy_tree(&self.beside("pristine"), &self.store.dir);
    }

    /// Runs `nix-store`; its standard output.
    pub(crate) fn nix_store(&self, args: &[&str]) -> String {
        self.store.nix("nix-store", args)
    }

    /// What Nix calls dead, with `args`. It tidies on the way.
    pub(crate) fn dead(&self, args: &[&str]) -> BTreeSet<String> {
        let text = self.nix_store(&[&["--gc", "--print-dead"], args].concat());
        lines(&text)
    }

    /// The blocks of the store and the user's files in bytes, those of the store
    /// directory and `.links` themselves apart.
    pub(crate) fn disk_size(&self) -> u64 {
        let store = &self.store.real_store_dir;
        let mut du = Command::new("du");
        du.args(["-sc", "--block-size=1"]).arg(store).arg(self.user(""));
        let sizes = run(&mut du).ok();
        let total = sizes.lines().last().unwrap();
        let total: u64 = total.split_whitespace().next().unwrap().parse().unwrap();
        total - blocks(store) - blocks(&store.join(".links"))
    }

    /// The blocks that the disk gains when Nix collects after `before`.
    pub(crate) fn freed_by_nix(&self, before: impl FnOnce()) -> u64 {
        self.space_freed_by_nix(before)[0]
    }

    /// The blocks and the inodes that the disk gains when Nix collects after `before`.
    pub(crate) fn space_freed_by_nix(&self, before: impl FnOnce()) -> [u64; 2] {
        self.space_freed(before, || {
            self.nix_store(&["--gc"]);
        })
    }

    /// The blocks and the inodes that the disk gains by some work after `before`.
    pub(crate) fn space_freed(&self, before: impl FnOnce(), work: impl FnOnce()) -> [u64; 2] {
        let space = || {
            let trees = [self.store.real_store_dir.clone(), self.user("")];
            let links = self.store.real_store_dir.join(".links").exists();
            [self.disk_size(), du_inodes(&trees) - u64::from(links)]
        };
        self.undone(|| {
            before();
            let [disk, inodes] = space();
            work();
            let left = space();
            [disk - left[0], inodes - left[1]]
        })
    }
}

impl Rooted {
    /// As `undone`, but leaves the store where it is for those who use it.
    pub(crate) fn undone_while_running<T>(&self, work: impl FnOnce() -> T) -> T {
        let state = &self.store.real_state_dir.join("gcroots");
        let aside = self.beside("aside");
        remove(&aside);
        copy_tree(state, &aside);
        let done = work();
        fs::remove_dir_all(state).unwrap();
        fs::rename(&aside, state).unwrap();
        done
    }
}

pub(crate) fn blocks(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).map_or(0, |meta| meta.blocks() * 512)
}

pub(crate) fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(Into::into).collect()
}

pub(crate) fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer[key].as_array().map_or_else(|| panic!("no {key}: {answer}"), Vec::as_slice)
}

pub(crate) fn texts(rows: &[Value], key: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The rows of `nix-store --gc --print-roots`, run-time ones apart.
pub(crate) fn print_roots(text: &str) -> BTreeSet<String> {
    let runtime = |line: &&str| {
        let line = line.trim_start_matches('"');
        line.starts_with("/proc/") || line.starts_with('{')
    };
    text.lines().filter(|line| !runtime(line)).map(unquoted).collect()
}

/// A row of `nix-store --gc --print-roots` as it was before Nix 2.34 put the link in quotes.
pub(crate) fn unquoted(row: &str) -> String {
    let parts = row.strip_prefix('"').and_then(|row| row.split_once("\" -> "));
    parts.map_or_else(|| row.to_owned(), |(link, path)| format!("{link} -> {path}"))
}

pub(crate) fn arrows(rows: &[Value]) -> BTreeSet<String> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    rows.iter().map(|r| format!("{} -> {}", text(&r["link"]), text(&r["path"]))).collect()
}

/// Keep-outputs and keep-derivations, for Nix and for us.
pub(crate) const SETTINGS: [[&str; 2]; 4] =
    [["false", "false"], ["false", "true"], ["true", "false"], ["true", "true"]];
