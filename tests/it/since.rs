//! `--since`: the same answers as without, whatever happened to the store.

use super::support::nix::{self, Nix, Store};
use super::support::store_in_code::Made;
use super::support::{Run, TestEnv};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What is asked after each step: all that is summed of the disk is in one of them.
const QUESTIONS: &[&[&str]] = &[
    &[],
    &["report", "--all", "--columns", "all"],
    &["kinds", "--all"],
    &["garbage", "--no-runtime"],
];

/// An answer without what the time and the rest of the file system decide.
fn lasting(run: &Run) -> Value {
    assert!(run.status == 0 || run.status == 3, "{}", run.stderr);
    let mut answer: Value = serde_json::from_str(&run.stdout).unwrap();
    for key in ["duration", "available_size", "free_size", "free_inodes"] {
        answer.as_object_mut().unwrap().remove(key);
    }
    answer
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<OsString> {
    words.into_iter().map(Into::into).collect()
}

fn ask(env: &TestEnv, store: &[OsString], question: &[&str], since: &[&str]) -> Value {
    let question = words(question.iter().chain(since).copied().chain(["--json"]));
    lasting(&env.run([store, &question].concat()))
}

/// Numbers that are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        (!all.is_empty()).then(|| &all[self.below(all.len())])
    }
}

/// A store of a real Nix, and what happens to it.
struct History {
    env: TestEnv,
    store: Store,
    numbers: Numbers,
    made: usize,
}

impl History {
    fn new(nix: &'static Nix, seed: u64) -> Self {
        let env = TestEnv::new();
        let store = Store::private(nix, env.join("nix"));
        for dir in ["store", "state/gcroots", "conf", "user", "log"] {
            fs::create_dir_all(store.dir.join(dir)).unwrap();
        }
        Self { env, store, numbers: Numbers(seed), made: 0 }
    }

    /// A tree of files of few contents, some of them of the same name in all trees.
    fn tree(&mut self, at: &Path) {
        fs::create_dir_all(at.join("share/doc")).unwrap();
        for n in 0..2 + self.numbers.below(6) {
            let directory = ["", "share", "share/doc"][self.numbers.below(3)];
            let contents = "text ".repeat(1 + self.numbers.below(5) * 900);
            let file = at.join(directory).join(format!("file{n}"));
            fs::write(&file, contents).unwrap();
            let mode = if self.numbers.below(3) == 0 { 0o755 } else { 0o644 };
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        }
        symlink("elsewhere", at.join("share/link")).unwrap();
    }

    fn add(&mut self) {
        self.made += 1;
        let tree = self.env.join(format!("tree-{}", self.made));
        self.tree(&tree);
        self.store.nix("nix-store", ["--add".into(), tree.into_os_string()]);
    }

    /// Builds a path that may be repaired, as its derivation stays; half of them are roots.
    fn build(&mut self) {
        self.made += 1;
        let (n, size) = (self.made, 1 + self.numbers.below(5) * 900);
        let script = format!(
            "mkdir -p $out/bin $out/share; for i in 1 2 3; do \
             printf '%0{size}d' $i >$out/share/$i; printf '%0{size}d' $i >$out/bin/same$i; done"
        );
        let script = format!("export PATH=/usr/bin:/bin; {script}");
        let expression = format!(
            "derivation {{ name = \"built-{n}\"; system = builtins.currentSystem; \
             builder = \"/bin/sh\"; args = [ \"-c\" ''{script}'' ]; }}"
        );
        let root = self.store.real_state_dir.join(format!("gcroots/root-{n}"));
        let keep = self.numbers.below(2) == 0;
        let run = (0..3).map(|_| {
            self.store.try_nix("nix-build", ["--no-out-link", "--quiet", "-E", &expression])
        });
        let run = { run }.find(|run| run.status == 0).expect("nix-build");
        if keep {
            symlink(run.stdout.trim(), root).unwrap();
        }
    }

    fn valid(&self) -> Vec<String> {
        self.store.valid_paths()
    }

    fn below(&self, path: &Path, directories: bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let Ok(entries) = fs::read_dir(path) else { return found };
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            let is_directory = entry.symlink_metadata().unwrap().is_dir();
            if is_directory == directories {
                found.push(entry.clone());
            }
            if is_directory {
                found.extend(self.below(&entry, directories));
            }
        }
        found
    }

    /// Damages a built path, and has Nix build it again in its place.
    fn repair(&mut self) {
        let built: Vec<String> = self
            .valid()
            .into_iter()
            .filter(|p| p.contains("-built-") && !p.ends_with(".drv"))
            .collect();
        let Some(path) = self.numbers.pick(&built).cloned() else { return };
        let files = self.below(Path::new(&path), false);
        if let Some(file) = self.numbers.pick(&files) {
            fs::remove_file(file).unwrap();
            fs::write(file, "damaged").unwrap();
        }
        // Its derivation may be gone.
        self.store.try_nix("nix-store", ["--repair-path", &path]);
    }

    /// What only a directory in a path shows; then Nix adds a path.
    fn by_hand(&mut self) {
        let paths = self.valid();
        let Some(path) = self.numbers.pick(&paths).map(PathBuf::from) else { return };
        let (files, directories) = (self.below(&path, false), self.below(&path, true));
        match self.numbers.below(3) {
            0 => {
                if let Some(directory) = self.numbers.pick(&directories) {
                    fs::set_permissions(directory, Permissions::from_mode(0o700)).unwrap();
                }
            }
            1 => {
                if let Some(file) = self.numbers.pick(&files) {
                    fs::remove_file(file).unwrap();
                    fs::write(file, "by hand").unwrap();
                }
            }
            _ => {
                if let Some(directory) = self.numbers.pick(&directories) {
                    fs::rename(directory, directory.with_extension("renamed")).unwrap();
                }
            }
        }
        self.add();
    }

    fn step(&mut self) -> &'static str {
        match self.numbers.below(10) {
            0 | 1 => {
                self.add();
                "add"
            }
            2 | 3 => {
                self.build();
                "build"
            }
            4 => {
                let paths = self.valid();
                if let Some(path) = self.numbers.pick(&paths) {
                    // Others may refer to it.
                    self.store.try_nix("nix-store", ["--delete", path]);
                }
                "delete"
            }
            5 | 6 => {
                self.store.nix("nix-store", ["--optimise"]);
                "optimise"
            }
            7 => {
                self.repair();
                "repair"
            }
            8 => {
                self.store.nix("nix-store", ["--gc"]);
                "gc"
            }
            _ => {
                self.by_hand();
                "by hand"
            }
        }
    }
}

/// After each step of a random history each answer since the step before, and since the
/// beginning, is that of a full census.
#[test]
fn random_histories_of_real_nix() {
    nix::each(|nix| {
        let mut history = History::new(nix, 0x5eed);
        (0..3).for_each(|_| {
            history.add();
            history.build();
        });
        let args = history.store.args();
        let file = |name: &str| history.env.join(name).to_str().unwrap().to_owned();
        let (first, last) = (file("first.census"), file("last.census"));
        for snapshot in [&first, &last] {
            let take = words(["snapshot", "-o", snapshot]);
            assert_eq!(history.env.run([&args[..], &take].concat()).status, 0);
        }
        let mut steps = Vec::new();
        for _ in 0..24 {
            steps.push(history.step());
            for question in QUESTIONS {
                let full = ask(&history.env, &args, question, &[]);
                for since in [&["--since", &first][..], &["--since", &last]] {
                    let answer = ask(&history.env, &args, question, since);
                    assert_eq!(answer, full, "{question:?} {since:?} after {steps:?}");
                }
            }
            let update = ask(&history.env, &args, QUESTIONS[1], &["--since", &last, "--update"]);
            assert_eq!(update, ask(&history.env, &args, QUESTIONS[1], &[]), "{steps:?}");
            // A snapshot that was brought up to date is as one that is taken now.
            let kept = words(["--snapshot", &last]);
            for question in QUESTIONS {
                let now = ask(&history.env, &args, question, &[]);
                assert_eq!(ask(&history.env, &kept, question, &[]), now, "{question:?} {steps:?}");
            }
        }
    });
}

/// A store of a few paths with hard links, made in code.
fn linked(env: &TestEnv) -> Made {
    let (made, db) = Made::sound(env, "root");
    fs::create_dir(made.store.join(".links")).unwrap();
    let tree = made.store.join("00000000000000000000000000000003-tree");
    fs::create_dir(tree.join("directory")).unwrap();
    fs::write(tree.join("directory/file"), "12345678").unwrap();
    fs::hard_link(tree.join("file"), made.store.join(".links/file")).unwrap();
    db.execute("UPDATE ValidPaths SET narSize = 656 WHERE id = 3", []).unwrap();
    drop(db);
    made
}

fn snapshot(env: &TestEnv, made: &Made, args: &[&str]) -> String {
    let file = env.join("store.census").to_str().unwrap().to_owned();
    made.run(env, [&["snapshot", "-o", &file], args].concat()).ok();
    file
}

#[test]
fn what_no_looked_at_directory_shows_is_seen_by_an_update_or_when_the_store_changes() {
    let env = TestEnv::new();
    let made = linked(&env);
    let file = snapshot(&env, &made, &[]);
    // What is done by hand fits no NAR size of the database.
    let csv = |args: &[&str]| {
        let question = ["report", "--all", "--format", "csv", "--columns", "name,disk_size"];
        made.run(&env, [&question[..], args].concat()).stdout
    };
    let before = csv(&[]);
    assert_eq!(csv(&["--since", &file]), before);
    let more = made.store.join("00000000000000000000000000000003-tree/directory/more");
    fs::write(more, "x".repeat(9000)).unwrap();
    let full = csv(&[]);
    assert_ne!(full, before);
    // The store directory is as it was: documented.
    assert_eq!(csv(&["--since", &file]), before);
    assert_eq!(csv(&["--since", &file, "--update"]), full);
    assert_eq!(csv(&["--since", &file]), full);

    let again = made.store.join("00000000000000000000000000000003-tree/directory/again");
    fs::write(again, "x".repeat(9000)).unwrap();
    fs::write(made.store.join("00000000000000000000000000000009-other"), "other").unwrap();
    assert_eq!(csv(&["--since", &file]), csv(&[]));
    assert_ne!(csv(&[]), full);
}

#[test]
fn a_snapshot_that_nothing_can_be_taken_from_is_named_and_all_is_scanned() {
    let env = TestEnv::new();
    let made = linked(&env);
    let version_1 = format!("{}/testdata/snapshot-1.census", env!("CARGO_MANIFEST_DIR"));
    let other = Made::sound(&env, "other").0;
    let of_other = env.join("other.census").to_str().unwrap().to_owned();
    other.run(&env, ["snapshot", "-o", &of_other]).ok();
    let question = ["report", "--all", "--json"];
    let full = made.run(&env, question);
    for (file, why) in [(&version_1, "inode numbers"), (&of_other, "another file system")] {
        let run = made.run(&env, [&question[..], &["--since", file]].concat());
        assert_eq!((run.status, &run.stdout), (full.status, &full.stdout));
        assert!(run.stderr.contains(why), "{}", run.stderr);
        let quiet = made.run(&env, [&question[..], &["--since", file, "--quiet"]].concat());
        assert_eq!((&quiet.stdout, &*quiet.stderr), (&full.stdout, ""));
    }
    // An update makes one of which can be taken over.
    let run = made.run(&env, ["snapshot", "--since", &of_other, "--update"]);
    assert!(run.status == 0 && run.stderr.contains("another file system"), "{}", run.stderr);
    let run = made.run(&env, [&question[..], &["--since", &of_other]].concat());
    assert_eq!(run.stderr, full.stderr);
    assert_eq!(run.stdout, full.stdout);
    // The host's name stays, if it was there.
    let named = snapshot(&env, &made, &["--host-name"]);
    made.run(&env, ["--since", &named, "--update"]).ok();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let sections = nix_census::internals::unsealed_snapshot(&fs::read(named).unwrap()).unwrap();
    assert!(String::from_utf8_lossy(&sections[0].1).contains(&host));
}

#[test]
fn where_it_would_do_nothing_it_is_refused() {
    let env = TestEnv::new();
    let made = linked(&env);
    let file = snapshot(&env, &made, &[]);
    let closure = env.join("closure.census").to_str().unwrap().to_owned();
    made.run(&env, ["snapshot", "tree", "-o", &closure]).ok();
    let no_disk = env.join("no-disk.census").to_str().unwrap().to_owned();
    made.run(&env, ["snapshot", "--no-disk", "-o", &no_disk]).ok();
    let kept = fs::read(&file).unwrap();
    let inside = made.database.with_file_name("inside.census").to_str().unwrap().to_owned();
    fs::copy(&file, &inside).unwrap();
    for (args, why) in [
        (&["audit", "--since", &*file][..], "saves nothing"),
        (&["files", "tree", "--since", &file], "saves nothing"),
        (&["html", "-o", "x.html", "--since", &file], "saves nothing"),
        (&["optimise", "--since", &file], "saves nothing"),
        (&["why", "tree", "--since", &file], "saves nothing"),
        (&["--no-disk", "--since", &file], "cannot be used with"),
        (&["--scan", "--since", &file], "cannot be used with"),
        (&["--update"], "--since"),
        (&["--since", &closure], "a closure"),
        (&["--since", &no_disk, "--update"], "--no-disk"),
        (&["--since", "-", "--update"], "standard input"),
        (&["snapshot", "tree", "-o", "x", "--since", &file], "targets"),
        (&["snapshot", "--since", &file], "no file"),
        (&["snapshot", "--since", &file, "--update", "--host-name"], "--host-name"),
        (&["roots", "--no-runtime", "--since", &inside, "--update"], "cannot be written to"),
        (&["roots", "--of", "tree", "--since", &inside, "--update"], "cannot be written to"),
    ] {
        let run = made.run(&env, args);
        assert_eq!((run.status, &*run.stdout), (2, ""), "{args:?} {}", run.stderr);
        assert!(run.stderr.contains(why), "{args:?} {}", run.stderr);
    }
    for missing in [&["--since", "missing"][..], &["--since", "missing", "--update"]] {
        let run = made.run(&env, missing);
        assert_eq!((run.status, &*run.stdout), (3, ""), "{}", run.stderr);
    }
    assert!(fs::read(&file).unwrap() == kept && !env.join("missing").exists());
}

#[test]
fn an_update_is_made_whatever_the_answer_needs() {
    let env = TestEnv::new();
    let made = linked(&env);
    let file = snapshot(&env, &made, &[]);
    let kept = fs::read(&file).unwrap();
    let new = made.store.join("00000000000000000000000000000007-new");
    fs::write(new, "new").unwrap();
    // Which roots keep a path is not asked of the disk.
    let of = ["roots", "--of", "tree", "--no-runtime"];
    let run = made.run(&env, [&of[..], &["--since", &file, "--update"]].concat());
    assert_eq!(run.stdout, made.run(&env, of).stdout);
    assert_ne!(fs::read(&file).unwrap(), kept);
    let ask = |store: &[&str]| lasting(&env.run([store, &["--json"]].concat()));
    let store = made.dir.to_str().unwrap();
    assert_eq!(ask(&["--snapshot", &file]), ask(&["--root", store]));
    // And a snapshot in another file takes over just as well.
    let other = env.join("other.census").to_str().unwrap().to_owned();
    made.run(&env, ["snapshot", "--since", &file, "-o", &other]).ok();
    assert_eq!(ask(&["--snapshot", &other]), ask(&["--root", store]));
    // What could not be read for it is said, though the answer is whole.
    fs::remove_dir_all(made.store.join("00000000000000000000000000000003-tree")).unwrap();
    fs::create_dir(made.dir.join("nix/var/nix/gcroots")).unwrap();
    let without = made.run(&env, of);
    let run = made.run(&env, [&of[..], &["--since", &file, "--update"]].concat());
    assert_eq!(run.stdout, without.stdout);
    assert!(without.status != 3 && run.status == 3, "{}", run.stderr);
    assert!(run.stderr.contains("valid, but not on disk"), "{}", run.stderr);
}
