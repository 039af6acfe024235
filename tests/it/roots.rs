//! Roots and garbage against real Nix: what it finds, what it keeps, what it
//! deletes, and what the disk gains by that.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};

use serde_json::Value;

use crate::support::nix::{self, Store};
use crate::support::{TestEnv, copy_tree, have, root, run};

const EXPRESSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nix/roots.nix");

/// A store with roots of every kind, beside a user's directory.
struct Rooted {
    env: TestEnv,
    store: Store,
}

/// The store that tests take turns with, if Nix is there. They leave it as it was.
#[track_caller]
fn rooted() -> Option<MutexGuard<'static, Rooted>> {
    static ROOTED: OnceLock<Mutex<Rooted>> = OnceLock::new();
    if !nix::nix() {
        return None;
    }
    let rooted = ROOTED.get_or_init(|| {
        // A static is never dropped, so this one is not in a directory that goes.
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("roots");
        remove(&dir);
        remove(&dir.with_extension("pristine"));
        let rooted = Rooted::new(TestEnv::new(), dir);
        copy_tree(&rooted.store.dir, &rooted.pristine());
        Mutex::new(rooted)
    });
    let guard = rooted.lock().unwrap_or_else(|poisoned| {
        // A test failed in the middle.
        rooted.clear_poison();
        let guard = poisoned.into_inner();
        guard.put_back();
        guard
    });
    Some(guard)
}

/// Removes a tree whose directories may be read-only.
fn remove(dir: &Path) {
    if dir.exists() {
        run(Command::new("chmod").args(["-R", "u+w"]).arg(dir)).ok();
        fs::remove_dir_all(dir).unwrap();
    }
}

impl Rooted {
    /// Builds the store under `dir`.
    fn new(env: TestEnv, dir: PathBuf) -> Self {
        let store = Store::private(dir);
        let mut env = env;
        env.set("NIX_CONF_DIR", store.dir.join("conf").to_str().unwrap());
        for dir in ["store", "state/gcroots", "state/profiles", "conf", "user"] {
            fs::create_dir_all(store.dir.join(dir)).unwrap();
        }
        let rooted = Self { env, store };
        rooted.fill();
        rooted
    }

    fn user(&self, name: &str) -> PathBuf {
        self.store.dir.join("user").join(name)
    }

    fn gcroot(&self, name: &str) -> PathBuf {
        self.store.real_state_dir.join("gcroots").join(name)
    }

    /// Builds an attribute; its outputs. A builder killed at its very end lost
    /// a race in Nix: build again.
    fn build(&self, attribute: &str, link: &[&str]) -> Vec<String> {
        let args = [&["--quiet", EXPRESSION, "-A", attribute], link].concat();
        let run = (0..3).map(|_| self.store.try_nix("nix-build", &args)).find(|r| r.status == 0);
        run.expect("nix-build").stdout.lines().map(Into::into).collect()
    }

    fn fill(&self) {
        let store = &self.store;
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let profile = text(store.real_state_dir.join("profiles/default"));
        let generations = self.build("generations", &["--no-out-link"]);
        for (days, path) in [400, 90, 40, 2].into_iter().zip(&generations) {
            store.nix("nix-env", ["-p", &profile, "--set", path]);
            let link = fs::read_link(&profile).unwrap();
            let link = Path::new(&profile).parent().unwrap().join(link);
            let date = format!("{days} days ago");
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
    fn json(&self, command: &str, args: &[&str]) -> Value {
        let mut all: Vec<OsString> = vec![command.into()];
        all.extend(self.store.args());
        all.extend(["--no-runtime", "--format", "json"].map(Into::into));
        all.extend(args.iter().map(Into::into));
        self.env.json(all)
    }

    /// Runs `work` on the store and puts everything back.
    fn undone<T>(&self, work: impl FnOnce() -> T) -> T {
        let aside = self.store.dir.with_extension("aside");
        remove(&aside);
        copy_tree(&self.store.dir, &aside);
        let done = work();
        remove(&self.store.dir);
        fs::rename(&aside, &self.store.dir).unwrap();
        done
    }

    /// The copy that was made at first.
    fn pristine(&self) -> PathBuf {
        self.store.dir.with_extension("pristine")
    }

    /// Makes the store what it was at first.
    fn put_back(&self) {
        remove(&self.store.dir);
        copy_tree(&self.pristine(), &self.store.dir);
    }

    /// Runs `nix-store`. Looking for roots it gives up when some process of this
    /// machine is in a directory whose name is too long, as tests of others may be.
    fn nix_store(&self, args: &[&str]) -> String {
        for _ in 0..100 {
            let run = self.store.try_nix("nix-store", args);
            if !run.stderr.contains("reading symlink: File name too long") {
                return run.ok();
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("some process keeps nix-store from looking for roots");
    }

    /// What Nix calls dead, with `args`. It tidies on the way.
    fn dead(&self, args: &[&str]) -> BTreeSet<String> {
        let text = self.nix_store(&[&["--gc", "--print-dead"], args].concat());
        lines(&text)
    }

    /// The blocks of the store and the user's files in bytes, those of the store
    /// directory and `.links` themselves apart.
    fn disk_size(&self) -> u64 {
        let store = &self.store.real_store_dir;
        let mut du = Command::new("du");
        du.args(["-sc", "--block-size=1"]).arg(store).arg(self.user(""));
        let sizes = run(&mut du).ok();
        let total = sizes.lines().last().unwrap();
        let total: u64 = total.split_whitespace().next().unwrap().parse().unwrap();
        total - blocks(store) - blocks(&store.join(".links"))
    }

    /// What the disk gains when Nix collects after `before`.
    fn freed_by_nix(&self, before: impl FnOnce()) -> u64 {
        self.undone(|| {
            before();
            let size = self.disk_size();
            self.nix_store(&["--gc"]);
            size - self.disk_size()
        })
    }
}

fn blocks(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).map_or(0, |meta| meta.blocks() * 512)
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(Into::into).collect()
}

fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer[key].as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("no {key}: {answer}"))
}

fn texts(rows: &[Value], key: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The rows of `nix-store --gc --print-roots`, run-time ones apart.
fn print_roots(text: &str) -> BTreeSet<String> {
    let runtime = |line: &&str| line.starts_with("/proc/") || line.starts_with('{');
    text.lines().filter(|line| !runtime(line)).map(Into::into).collect()
}

fn arrows(rows: &[Value]) -> BTreeSet<String> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    rows.iter().map(|r| format!("{} -> {}", text(&r["link"]), text(&r["path"]))).collect()
}

/// Keep-outputs and keep-derivations, for Nix and for us.
const SETTINGS: [[&str; 2]; 4] =
    [["false", "false"], ["false", "true"], ["true", "false"], ["true", "true"]];

#[test]
fn roots_are_those_that_nix_prints() {
    let Some(rooted) = rooted() else { return };
    let ours = rooted.json("roots", &[]);
    let nix = rooted.undone(|| rooted.nix_store(&["--gc", "--print-roots"]));
    assert_eq!(arrows(list(&ours, "roots")), print_roots(&nix));

    // Kinds, by the end of the link's name.
    let kind = |end: &str| {
        let rows = list(&ours, "roots").iter();
        let found: Vec<_> = rows.filter(|r| r["link"].as_str().unwrap().ends_with(end)).collect();
        assert_eq!(found.len(), 1, "{end}");
        found[0].clone()
    };
    assert_eq!(kind("/default-4-link")["kind"], "profile");
    assert_eq!(kind("/default-4-link")["current"], true);
    assert_eq!(kind("/default-2-link")["generation"], 2);
    assert_eq!(kind("/default-2-link")["age_days"], 90);
    assert_eq!(kind("/user/profile-1-link")["kind"], "profile");
    assert_eq!(kind("/user/profile-1-link")["current"], true);
    assert_eq!(kind("/user/result")["kind"], "auto");
    assert!(kind("/user/result")["via"].as_str().unwrap().contains("/gcroots/auto/"));
    assert_eq!(kind("/gcroots/solo.drv")["kind"], "link");
    assert_eq!(kind("-fixed-1.0")["kind"], "file");

    let stale: BTreeSet<(String, String)> = (list(&ours, "stale").iter())
        .map(|s| {
            let link = s["link"].as_str().unwrap();
            let last =
                if link.contains("/auto/") { "auto" } else { link.rsplit('/').next().unwrap() };
            (s["reason"].as_str().unwrap().to_owned(), last.to_owned())
        })
        .collect();
    let expected = [
        ("elsewhere", "auto"),
        ("invalid_path", "invalid"),
        ("missing", "auto"),
        ("missing", "dangling"),
    ];
    assert_eq!(stale, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!(ours["complete"], true, "{}", ours["warnings"]);
}

#[test]
fn live_and_dead_are_those_that_nix_prints_under_all_settings() {
    let Some(rooted) = rooted() else { return };
    let mut answers = BTreeSet::new();
    for [outputs, derivations] in SETTINGS {
        let flags =
            [format!("--keep-outputs={outputs}"), format!("--keep-derivations={derivations}")];
        let ours = rooted.json("garbage", &[&flags[0], &flags[1]]);
        let options =
            ["--option", "keep-outputs", outputs, "--option", "keep-derivations", derivations];
        let (live, dead) = rooted.undone(|| {
            let live = [&["--gc", "--print-live"], &options[..]].concat();
            (lines(&rooted.nix_store(&live)), rooted.dead(&options))
        });
        let ours_dead = texts(list(&ours, "dead_paths"), "path");
        assert_eq!(ours_dead, dead, "keep-outputs {outputs}, keep-derivations {derivations}");
        assert_eq!(number(&ours["dead"]["paths"]), dead.len() as u64);
        assert_eq!(number(&ours["alive"]["paths"]), live.len() as u64);
        let valid: BTreeSet<String> = rooted.store.valid_paths().into_iter().collect();
        assert_eq!(valid.difference(&ours_dead).cloned().collect::<BTreeSet<_>>(), live);
        answers.insert(dead);
    }
    assert_eq!(answers.len(), 4, "the settings must make a difference here");
}

#[test]
fn settings_are_those_of_the_stores_own_nix_conf() {
    let Some(rooted) = rooted() else { return };
    let conf = rooted.store.dir.join("conf");
    fs::write(conf.join("nix.conf"), "!include nix.custom.conf\ngc-keep-derivations = false\n")
        .unwrap();
    fs::write(conf.join("nix.custom.conf"), "keep-outputs = true\nkeep-derivations = true\n")
        .unwrap();
    let ours = rooted.json("garbage", &[]);
    let nix = rooted.undone(|| rooted.dead(&[]));
    assert_eq!(texts(list(&ours, "dead_paths"), "path"), nix);
    assert_eq!(ours["settings"]["keep_outputs"], true);
    assert_eq!(ours["settings"]["keep_derivations"], false);
    let source = ours["settings"]["keep_outputs_source"].as_str().unwrap();
    assert!(source.ends_with("/nix.custom.conf"), "{source}");
    rooted.put_back();
}

#[test]
fn what_collecting_frees_is_what_the_disk_gains() {
    let Some(rooted) = rooted() else { return };
    if !have(&["du"]) {
        return;
    }
    for optimised in [false, true] {
        if optimised {
            rooted.store.nix("nix-store", ["--optimise"]);
            // An unused entry of `.links`.
            let path = rooted.store.real_store_dir.join(".links/unused");
            fs::write(path, "unused".repeat(2000)).unwrap();
        }
        // What is no valid path: a lock, a half-built output, strange names.
        let store = &rooted.store.real_store_dir;
        fs::write(store.join("00000000000000000000000000000000-gone.lock"), "").unwrap();
        let half = store.join("00000000000000000000000000000000-half");
        fs::create_dir_all(half.join("sub")).unwrap();
        fs::write(half.join("sub/file"), "half".repeat(3000)).unwrap();
        fs::write(store.join("stray"), "stray".repeat(3000)).unwrap();
        // A file that has a name outside the store, and one that what is no
        // valid path has too.
        if !optimised {
            let large = |name| Path::new(&rooted.store.find(name)).join("share/own");
            fs::hard_link(large("dead"), rooted.user("backup")).unwrap();
            fs::hard_link(large("app-2"), rooted.user("backup-2")).unwrap();
            fs::hard_link(large("tool-dead"), half.join("linked")).unwrap();
            fs::hard_link(large("app-1"), half.join("linked-1")).unwrap();
        }

        let now = rooted.json("garbage", &[]);
        let garbage = number(&now["dead"]["disk_freed"]);
        assert_eq!(garbage, rooted.freed_by_nix(|| {}), "optimised: {optimised}");
        assert_eq!(list(&now, "invalid_entries").len(), 3);
        assert!(number(&now["dead"]["invalid_disk_freed"]) > 0);
        let unused = number(&now["dead"]["unused_links_disk_freed"]);
        assert_eq!(unused > 0, optimised);

        // Each root alone, and by `--if-removed`.
        let roots = rooted.json("roots", &[]);
        for row in list(&roots, "roots") {
            let link = row["link"].as_str().unwrap();
            let freed = number(&row["freed_disk_size"]);
            let nix = rooted.freed_by_nix(|| fs::remove_file(link).unwrap());
            assert_eq!(freed + garbage, nix, "optimised: {optimised}, {link}");
            let step = rooted.json("garbage", &["--if-removed", link]);
            assert_eq!(number(&step["dead"]["disk_freed"]), nix, "{link}");
            assert_eq!(number(&list(&step, "steps")[1]["disk_freed"]), freed);
        }
        assert!(list(&roots, "roots").iter().any(|r| number(&r["freed_disk_size"]) > 0));

        // Generations, as nix-env deletes them.
        for (args, delete, keys) in [
            (&["--older-than", "30d"][..], "30d", Some("older_freed_disk_size")),
            (&["--older-than", "60d"], "60d", None),
            (&["--keep-generations", "2"], "+2", None),
            (&["--keep-generations", "1"], "+1", Some("old_freed_disk_size")),
        ] {
            let ours = rooted.json("garbage", args);
            let profiles = list(&roots, "profiles");
            assert_eq!(profiles.len(), 2);
            let nix = rooted.freed_by_nix(|| {
                for profile in profiles {
                    let profile = profile["profile"].as_str().unwrap();
                    rooted.store.nix("nix-env", ["-p", profile, "--delete-generations", delete]);
                }
            });
            assert_eq!(number(&ours["dead"]["disk_freed"]), nix, "{delete}");
            let Some(key) = keys else { continue };
            // The profile in the state directory alone; the other's current
            // generation is not its newest.
            let profile = (profiles.iter())
                .find(|p| p["profile"].as_str().unwrap().ends_with("/default"))
                .unwrap();
            let name = profile["profile"].as_str().unwrap();
            let nix = rooted.freed_by_nix(|| {
                rooted.store.nix("nix-env", ["-p", name, "--delete-generations", delete]);
            });
            assert_eq!(number(&profile[key]) + garbage, nix, "{delete}");
        }
    }
    rooted.put_back();
}

#[test]
fn groups_of_roots_free_what_removing_all_of_them_frees() {
    let Some(rooted) = rooted() else { return };
    rooted.store.nix("nix-store", ["--optimise"]);
    let answer = rooted.json("roots", &["--shared"]);
    let groups = list(&answer, "shared");
    assert!(groups.iter().any(|g| g["roots"].as_array().unwrap().len() == 2));
    let garbage = number(&rooted.json("garbage", &[])["dead"]["disk_freed"]);
    for group in groups {
        let links: Vec<&str> =
            group["roots"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
        let nix = rooted.freed_by_nix(|| {
            for link in &links {
                fs::remove_file(link).unwrap();
            }
        });
        assert_eq!(number(&group["freed_disk_size"]) + garbage, nix, "{links:?}");
        // Without any one of them, what they share stays.
        assert!(number(&group["nar_size"]) > 0 || number(&group["disk_size"]) > 0);
    }
    rooted.put_back();
}

#[test]
fn roots_of_a_path_are_those_that_nix_queries() {
    let Some(rooted) = rooted() else { return };
    for name in ["lib-1.0", "tool-common", "fixed-1.0", "solo.drv", "app-2"] {
        let path = rooted.store.find(name);
        let ours = rooted.json("roots", &["--of", &path, "--keep-derivations=false"]);
        let nix = rooted.undone(|| rooted.nix_store(&["-q", "--roots", &path]));
        assert_eq!(arrows(list(&ours, "roots")), print_roots(&nix), "{name}");
        for row in list(&ours, "roots") {
            let chain = row["chain"].as_array().unwrap();
            assert_eq!((&chain[0], chain.last().unwrap().as_str()), (&row["path"], Some(&*path)));
        }
    }
    let dead = rooted.store.find("dead");
    let mut args: Vec<OsString> = ["roots", "--of", &dead, "--no-runtime"].map(Into::into).into();
    args.extend(rooted.store.args());
    assert_eq!(rooted.env.run(args).status, 1);
    // A deriver is kept by its output, and the chain says so.
    let ours = rooted.json("roots", &["--of", "app-2.drv"]);
    let chain = list(&ours, "roots")[0]["chain_links"].as_str().unwrap().to_owned();
    assert_eq!(chain, "app-2 –(deriver)→ app-2.drv");
}

#[test]
fn why_a_path_is_dead_or_alive() {
    let Some(rooted) = rooted() else { return };
    let ours = rooted.json("garbage", &["dead", "solo", "lib-1.0", "--keep-derivations=true"]);
    let why = list(&ours, "why");
    let because = |i: usize| why[i]["because"].as_str().unwrap();
    assert_eq!(why[0]["alive"], false);
    assert!(because(0).starts_with("no root reaches it"), "{}", because(0));
    // Its derivation is a root, so keep-outputs would keep it.
    assert_eq!(why[1]["alive"], false);
    assert!(because(1).contains("alive with keep-outputs = true"), "{}", because(1));
    let solo = rooted.store.find("solo");
    let row = list(&ours, "dead_paths").iter().find(|r| r["path"] == *solo).unwrap();
    assert_eq!(row["kept_by"], "keep-outputs");
    assert_eq!(why[2]["alive"], true);
    assert!(because(2).contains("-link → ") || because(2).contains(" → lib-1.0"), "{}", because(2));
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn running_processes_hold_what_nix_says_they_hold() {
    let Some(rooted) = rooted() else { return };
    let store = &rooted.store;
    let solo = store.find("solo");
    let dead = store.find("dead");
    let tool = store.find("tool-dead");
    // A program in the store, mapped and run.
    let lib = store.find("lib-1.0-dev");
    let running = Command::new("sleep")
        .arg("60")
        .current_dir(Path::new(&solo).join("share"))
        .stdin(Stdio::from(fs::File::open(Path::new(&dead).join("share/own")).unwrap()))
        .env("SOME_PATH", format!("/usr/bin:{tool}/bin:{lib}"))
        .spawn()
        .unwrap();
    let running = Running(running);
    let pid = running.0.id();
    let arguments = || {
        let mut args: Vec<OsString> = vec!["roots".into(), "--format".into(), "json".into()];
        args.extend(store.args());
        args
    };
    let ours: Value = serde_json::from_str(&rooted.env.run(arguments()).stdout).unwrap();
    let nix = rooted.undone_while_running(|| rooted.nix_store(&["--gc", "--print-roots"]));
    let prefix = format!("/proc/{pid}/");
    let of_nix: BTreeSet<String> =
        nix.lines().filter(|l| l.starts_with(&prefix)).map(Into::into).collect();
    let rows = list(&ours, "roots");
    let of_us: Vec<Value> =
        rows.iter().filter(|r| r["pid"].as_u64() == Some(pid.into())).cloned().collect();
    assert_eq!(arrows(&of_us), of_nix);
    assert_eq!(of_us.len(), 4, "{of_us:?}");
    assert!(of_us.iter().all(|r| r["kind"] == "process"));
    // Ending it frees all that it uses, and each row says so.
    let freed: BTreeSet<u64> = of_us.iter().map(|r| number(&r["freed_disk_size"])).collect();
    assert_eq!(freed.len(), 1);
    assert!(freed.first() > Some(&0));
}

#[test]
fn a_running_nix_holds_temporary_roots() {
    let Some(rooted) = rooted() else { return };
    let store = &rooted.store;
    let go = rooted.env.join("go");
    let expression = format!("(import {EXPRESSION}).hold \"{}\"", go.display());
    let mut build = store
        .command("nix-build", ["--no-out-link", "-E", &expression])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Until it builds, its derivation is registered and its output's lock taken.
    let lock = || {
        let entries = fs::read_dir(&store.real_store_dir).unwrap();
        let mut names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.any(|name| name.ends_with("-hold.lock") || name.ends_with("-hold"))
    };
    let waited = (0..300).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        lock()
    });
    assert!(waited, "the build did not begin");
    let mut args: Vec<OsString> = ["garbage", "--format", "json"].map(Into::into).into();
    args.extend(store.args());
    let garbage: Value = serde_json::from_str(&rooted.env.run(args).stdout).unwrap();
    let mut args: Vec<OsString> = ["roots", "--format", "json"].map(Into::into).into();
    args.extend(store.args());
    let ours: Value = serde_json::from_str(&rooted.env.run(args).stdout).unwrap();
    let nix = rooted.nix_store(&["--gc", "--print-roots"]);
    let valid: BTreeSet<String> = store.valid_paths().into_iter().collect();
    fs::write(go, "").unwrap();
    build.wait().unwrap();
    rooted.put_back();
    let link = |row: &&Value| row["kind"] == "temporary";
    let temporary: Vec<Value> = list(&ours, "roots").iter().filter(link).cloned().collect();
    // Nix also prints those that are not valid (yet).
    let of_nix: BTreeSet<String> = (nix.lines())
        .filter(|l| l.starts_with("{temp:"))
        .filter(|l| valid.contains(l.split(" -> ").nth(1).unwrap()))
        .map(Into::into)
        .collect();
    assert_eq!(arrows(&temporary), of_nix);
    assert!(of_nix.iter().any(|l| l.ends_with("-hold.drv")), "{nix}");
    // What is being built is not garbage.
    let entries = list(&garbage, "invalid_entries");
    assert!(!entries.is_empty());
    assert!(entries.iter().all(|e| e["dead"] == false), "{entries:?}");
}

impl Rooted {
    /// As `undone`, but leaves the store where it is for those who use it.
    fn undone_while_running<T>(&self, work: impl FnOnce() -> T) -> T {
        let state = &self.store.real_state_dir.join("gcroots");
        let aside = self.env.join("aside");
        copy_tree(state, &aside);
        let done = work();
        fs::remove_dir_all(state).unwrap();
        fs::rename(&aside, state).unwrap();
        done
    }
}

#[test]
fn an_image_is_resolved_inside_its_root_and_left_alone() {
    let Some(stores) = nix::stores() else { return };
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "image");
    let gcroots = store.real_state_dir.join("gcroots");
    // What a NixOS image has: links to /run, which is empty, and escapes.
    symlink("/run/current-system", gcroots.join("current-system")).unwrap();
    symlink("../../../../../../etc/passwd", gcroots.join("up")).unwrap();
    fs::create_dir_all(store.dir.join("etc/nix")).unwrap();
    fs::write(store.dir.join("etc/nix/nix.conf"), "keep-outputs = true\n").unwrap();
    let before = listing(&store.dir);
    let run = |command: &str| -> Value {
        let mut args: Vec<OsString> = vec![command.into(), "--format".into(), "json".into()];
        args.extend(store.args());
        env.json(args)
    };
    let roots = run("roots");
    let garbage = run("garbage");
    assert_eq!(listing(&store.dir), before, "nothing on the image may change");

    let rows = list(&roots, "roots");
    let links = texts(rows, "link");
    assert!(links.contains("/home/user/result"), "{links:?}");
    assert!(links.contains("/nix/var/nix/profiles/system-1-link"), "{links:?}");
    assert!(rows.iter().all(|r| r["pid"].is_null()), "an image has no processes");
    let stale = texts(list(&roots, "stale"), "link");
    assert!(stale.contains("/nix/var/nix/gcroots/current-system"), "{stale:?}");
    assert!(stale.contains("/nix/var/nix/gcroots/up"), "{stale:?}");
    assert_eq!(garbage["settings"]["keep_outputs"], true);
    assert_eq!(garbage["settings"]["keep_outputs_source"], "/etc/nix/nix.conf");
    assert!(number(&garbage["dead"]["disk_freed"]) > 0);
}

/// Every name below a directory with what a change would change.
fn listing(dir: &Path) -> String {
    run(Command::new("find").arg(dir).args(["-printf", "%P %y %s %T@ %C@ %l\\n"])).ok()
}

#[test]
fn an_unprivileged_user_is_told_what_could_not_be_seen() {
    if !root() || !have(&["setpriv"]) {
        return;
    }
    if !nix::nix() {
        return;
    }
    let env = TestEnv::new();
    let dir = env.join("s");
    let rooted = Rooted::new(env, dir);
    // All but the program's own directory may be read.
    let program = rooted.env.join("nix-census");
    fs::copy(env!("CARGO_BIN_EXE_nix-census"), &program).unwrap();
    run(Command::new("chmod").arg("a+rx").arg(rooted.env.path())).ok();
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&rooted.store.dir)).ok();
    let private = rooted.store.dir.join("user");
    let hidden = rooted.json("roots", &[]);
    run(Command::new("chmod").arg("700").arg(&private)).ok();
    let ours = run(Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["roots", "--format", "json"])
        .args(rooted.store.args())
        .env_clear()
        .current_dir("/"));
    assert_eq!(ours.status, 3, "{}", ours.stderr);
    let answer: Value = serde_json::from_str(&ours.stdout).unwrap();
    assert_eq!(answer["complete"], false);
    assert!(number(&answer["total"]["hidden_processes"]) > 0, "{}", answer["total"]);
    assert!(ours.stderr.contains("may not be examined"), "{}", ours.stderr);
    let warned = texts(list(&answer, "warnings"), "kind");
    assert!(warned.contains("unreadable"), "{warned:?}");
    // The links that lead into that directory are missing, the others are not.
    let all = texts(list(&hidden, "roots"), "link");
    let seen = texts(list(&answer, "roots"), "link");
    let lost: Vec<_> = all.difference(&seen).collect();
    assert!(!lost.is_empty() && lost.iter().all(|l| l.contains("/user/")), "{lost:?}");
}
