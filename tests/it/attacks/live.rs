//! A store at work: a real Nix builds, deletes and optimises beside us. For some
//! seconds; `NIX_CENSUS_LIVE_SECONDS` says for how many.

use super::*;
use crate::support::nix;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What Nix does in a loop. Each path it makes refers to nothing, and is one of
/// a few that come and go.
const WORK: [&str; 3] = ["add", "optimise", "delete"];

#[test]
fn a_store_at_work() {
    let Some(stores) = nix::stores() else { return };
    let seconds = std::env::var("NIX_CENSUS_LIVE_SECONDS").ok().and_then(|s| s.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(4));
    let env = TestEnv::new();
    let store = stores.root.copy(&env, "image");
    let known: HashSet<String> = store.valid_paths().into_iter().collect();
    let names: Vec<PathBuf> = (0..6)
        .map(|i| {
            let file = env.join(format!("made-{i}"));
            fs::write(&file, format!("{i}").repeat(3000)).unwrap();
            file
        })
        .collect();
    let end = AtomicBool::new(false);
    let start = Instant::now();
    let beside = |suffix: &str| store.real_state_dir.join(format!("db/db.sqlite{suffix}"));
    let alone = work(&store, &names, &AtomicBool::new(true));
    let (slowest, made, answers) = std::thread::scope(|scope| {
        let working = scope.spawn(|| work(&store, &names, &end));
        let mut answers = Vec::new();
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut round = 0;
            while start.elapsed() < length || round < 3 {
                for args in
                    [&["report", "--all"][..], &["audit", "--only", "database"], &["optimise"]]
                {
                    let mut all = store.args();
                    all.extend(args.iter().map(Into::into));
                    all.extend(["--format", "json"].map(Into::into));
                    let run = env.run(&all);
                    assert!((0..=3).contains(&run.status), "{}", run.stderr);
                    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
                    check_agreement(&[word("json")], &run);
                    if run.stdout.is_empty() {
                        assert!(run.stderr.contains("changed while it was read"), "{}", run.stderr);
                    } else if args[0] == "report" {
                        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
                        answers.push((answer, run.status));
                    }
                }
                round += 1;
            }
        }));
        end.store(true, Ordering::Relaxed);
        let (slowest, made) = working.join().unwrap();
        if let Err(failure) = asked {
            std::panic::resume_unwind(failure);
        }
        (slowest, made, answers)
    });
    assert!(!answers.is_empty());
    for (answer, status) in &answers {
        let rows = answer["paths"].as_array().unwrap();
        let found: HashSet<&str> = rows.iter().map(|row| row["path"].as_str().unwrap()).collect();
        // What nobody touched is there; what comes and goes is one of what was made.
        assert!(known.iter().all(|path| found.contains(&**path)));
        assert!(found.iter().all(|path| known.contains(*path) || made.contains(*path)));
        for row in rows {
            // What fell short of its size is never called complete.
            let whole = row["nar_size"] == row["disk_nar_size"];
            assert!(whole || *status == 3, "{row}");
        }
    }
    // Nix never waited for a lock of ours: SQLite's wait for one is at least a second here.
    let (alone, _) = alone;
    println!("slowest command of Nix: {slowest:?} beside us, {alone:?} alone");
    assert!(
        slowest < alone * 20 + Duration::from_secs(20),
        "{slowest:?} beside us, {alone:?} alone"
    );
    // Nothing of ours is left where Nix left nothing.
    let nix_left = ["-wal", "-shm"].map(|suffix| beside(suffix).exists());
    store.nix(
        "nix-store",
        ["--check-validity"]
            .map(OsStr::new)
            .into_iter()
            .chain([OsStr::new(known.iter().next().unwrap())]),
    );
    let ours = ["-wal", "-shm"].map(|suffix| beside(suffix).exists());
    env.run(store.args().into_iter().chain(["report".into(), "--all".into()]));
    assert_eq!(
        ours,
        ["-wal", "-shm"].map(|suffix| beside(suffix).exists()),
        "before: {nix_left:?}"
    );
}

/// Adds, optimises and deletes until told to end, at least once; the slowest of
/// the commands, and the paths that were ever made.
fn work(store: &nix::Store, names: &[PathBuf], end: &AtomicBool) -> (Duration, HashSet<String>) {
    let (mut slowest, mut made) = (Duration::ZERO, HashSet::new());
    let mut round = 0;
    loop {
        for what in WORK {
            let start = Instant::now();
            let name = &names[round % names.len()];
            match what {
                "add" => {
                    let path = store.nix("nix-store", [OsStr::new("--add"), name.as_os_str()]);
                    made.insert(path.trim().to_owned());
                }
                "optimise" => drop(store.nix("nix-store", [OsStr::new("--optimise")])),
                _ => {
                    let path = made.iter().next().unwrap().clone();
                    let _ = store.try_nix(
                        "nix-store",
                        [
                            OsStr::new("--delete"),
                            OsStr::new("--ignore-liveness"),
                            OsStr::new(&path),
                        ],
                    );
                }
            }
            slowest = slowest.max(start.elapsed());
        }
        round += 1;
        if end.load(Ordering::Relaxed) {
            return (slowest, made);
        }
    }
}
