//! Who owns the tree below the root exchanges a directory with a symlink that leads
//! out, over and over, while the program runs: what lies outside is never told.
//! `NIX_CENSUS_RACE_RUNS=2000` runs each more often.

use super::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::sync::atomic::{AtomicBool, Ordering};

/// A store whose every place holds the canary.
fn outside(env: &TestEnv) -> Made {
    let (made, db) = Made::sound(env, "elsewhere");
    made.file(5, CANARY, &db);
    drop(db);
    let state = made.dir.join("nix/var/nix");
    for dir in ["gcroots", "profiles"] {
        fs::create_dir_all(state.join(dir)).unwrap();
        symlink(path(2, "world-2.0"), state.join(dir).join(format!("{CANARY}-1-link"))).unwrap();
    }
    symlink("/nix/var/nix/profiles", state.join("gcroots/profiles")).unwrap();
    fs::create_dir_all(made.dir.join("etc/nix")).unwrap();
    fs::write(made.dir.join("etc/nix/nix.conf"), format!("keep-outputs = {CANARY}\n")).unwrap();
    made
}

/// Runs a command on a root whose directory `place` is at times a symlink to the
/// same place of another root.
#[track_caller]
fn race(place: &str, command: &[&str]) {
    if !have(&["prlimit", "timeout"]) {
        return;
    }
    let runs: usize = match std::env::var("NIX_CENSUS_RACE_RUNS") {
        Ok(runs) => runs.parse().expect("NIX_CENSUS_RACE_RUNS is a number"),
        Err(_) => 10,
    };
    let case = Case::new("races");
    let elsewhere = outside(&case.env);
    let control = elsewhere.run(&case.env, command);
    let told = control.stdout.contains(CANARY) || control.stderr.contains(CANARY);
    assert!(told, "the command tells nothing of {place}: {control:?}");

    let inside = case.at(place);
    let target = elsewhere.dir.join(place);
    let links = [("absolute", target.clone()), ("relative", relative(&inside, &target))];
    for (name, target) in links {
        let link = case.at(name);
        symlink(target, &link).unwrap();
        assert!(fs::symlink_metadata(&inside).unwrap().is_dir());
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    renameat_with(CWD, &inside, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let args: Vec<OsString> = command.iter().map(Into::into).collect();
            // A failed assertion in here would leave the other thread at work.
            let bad = (0..runs).map(|_| run(&mut case.command(&args))).find(|run| {
                let told = run.stdout.contains(CANARY) || run.stderr.contains(CANARY);
                told || !(0..=3).contains(&run.status) || run.stderr.contains("panicked")
            });
            stop.store(true, Ordering::Relaxed);
            assert!(bad.is_none(), "{place}, {name}: {bad:?}");
        });
        if fs::symlink_metadata(&inside).unwrap().is_symlink() {
            renameat_with(CWD, &inside, CWD, &link, RenameFlags::EXCHANGE).unwrap();
        }
    }
}

/// The way from a symlink's directory to a target, through `..`.
fn relative(link: &Path, target: &Path) -> PathBuf {
    let up = link.parent().unwrap().components().skip(1).map(|_| "..");
    up.collect::<PathBuf>().join(target.strip_prefix("/").unwrap())
}

#[test]
fn of_the_database() {
    race("nix/var/nix/db", &["report", "--all", "--format", "json"]);
}

#[test]
fn of_the_store() {
    race("nix/store", &["report", "--all", "--scan", "--format", "json"]);
}

#[test]
fn of_the_roots() {
    race("nix/var/nix/gcroots", &["roots", "--no-runtime", "--format", "json"]);
}

#[test]
fn of_the_profiles() {
    race("nix/var/nix/profiles", &["roots", "--no-runtime", "--format", "json"]);
}

#[test]
fn of_the_settings() {
    race("etc/nix", &["garbage", "--no-runtime", "--format", "json"]);
}
