//! A store at work: a real Nix adds, builds, optimises and deletes beside us. For some
//! seconds; `NIX_CENSUS_LIVE_SECONDS` says for how many, all versions of Nix together.

use super::*;
use crate::support::{can_trace, nix};
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Names of what comes and goes.
const NAMES: usize = 5;

#[test]
fn a_store_at_work() {
    let seconds = std::env::var("NIX_CENSUS_LIVE_SECONDS").ok().and_then(|s| s.parse().ok());
    let versions = u32::try_from(nix::versions().len()).unwrap();
    let length = Duration::from_secs(seconds.unwrap_or(4)) / versions.max(1);
    nix::each_stores(|stores| at_work(&stores.root, length));
}

fn at_work(original: &nix::Store, length: Duration) {
    let env = TestEnv::new();
    let store = original.copy(&env, "image");
    let known: BTreeSet<String> = store.valid_paths().into_iter().collect();
    let mut worker = Worker::new(&env, store.clone(), known.clone());
    // Everything once, with nobody beside it.
    worker.round();
    worker.round();
    let beside = || {
        ["-wal", "-shm"]
            .map(|suffix| store.database().with_extension(format!("sqlite{suffix}")).exists())
    };
    let left_by_nix = beside();
    let alone = std::mem::take(&mut worker.locks);

    let end = AtomicBool::new(false);
    let (mut worker, answers) = std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                worker.round();
            }
            worker
        });
        let asked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&env, &store, length)));
        end.store(true, Ordering::Relaxed);
        let worker = working.join().unwrap();
        (worker, asked.unwrap_or_else(|failure| std::panic::resume_unwind(failure)))
    });
    let complete = answers.iter().filter(|answer| answer.complete).count();
    println!(
        "Nix {}: {} answers, {complete} complete, beside {} commands; locks beside us: {:?}; alone: {alone:?}",
        store.nix,
        answers.len(),
        worker.commands,
        worker.locks,
    );
    for answer in &answers {
        let other = |moment: &BTreeSet<String>| -> Vec<String> {
            moment.symmetric_difference(&answer.paths).cloned().collect()
        };
        let others: Vec<_> = worker.moments(answer).map(other).collect();
        assert!(others.iter().any(Vec::is_empty), "other than at any moment by: {others:#?}");
    }
    // SQLite in Nix tries again after a while, for an hour if need be.
    assert_eq!(worker.locks.waits, 0, "Nix waited for us: {:?}", worker.locks);
    // A log that Nix could not remove as we read it goes with the next command.
    worker.round();
    assert_eq!(beside(), left_by_nix, "-wal, -shm");
    ask(&env, &store, Duration::ZERO);
    assert_eq!(beside(), left_by_nix, "-wal, -shm");
}

/// What a report said, and when it was asked.
struct Answer {
    from: Instant,
    to: Instant,
    paths: BTreeSet<String>,
    complete: bool,
}

/// Asks over and over, at least three times. What must hold whatever Nix does is
/// checked at once.
fn ask(env: &TestEnv, store: &nix::Store, length: Duration) -> Vec<Answer> {
    const ASKS: [&[&str]; 3] =
        [&["report", "--all"], &["audit", "--only", "database"], &["optimise"]];
    let mut answers = Vec::new();
    let start = Instant::now();
    while start.elapsed() < length || answers.len() < 3 {
        for args in ASKS {
            let mut all = store.args();
            all.extend(args.iter().map(Into::into));
            all.extend(["--format", "json"].map(Into::into));
            let from = Instant::now();
            let run = env.run(&all);
            let to = Instant::now();
            assert!((0..=3).contains(&run.status), "{}", run.stderr);
            assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
            check_agreement(&[word("json")], &run);
            if run.stdout.is_empty() {
                assert!(run.stderr.contains("changed while it was read"), "{}", run.stderr);
                continue;
            }
            let answer: Value = serde_json::from_str(&run.stdout).unwrap();
            let complete = run.status != 3;
            match args[0] {
                "report" => {
                    let rows = answer["paths"].as_array().unwrap();
                    for row in rows {
                        // What fell short of its size is never called complete.
                        assert!(!complete || row["nar_size"] == row["disk_nar_size"], "{row}");
                    }
                    let sum: u64 = rows.iter().map(|row| row["nar_size"].as_u64().unwrap()).sum();
                    assert_eq!(answer["total"]["nar_size"], sum);
                    let paths = rows.iter().map(|row| row["path"].as_str().unwrap().to_owned());
                    answers.push(Answer { from, to, paths: paths.collect(), complete });
                }
                // The database is sound at every moment.
                "audit" => assert!(!complete || run.status == 0, "{}", run.stdout),
                _ => {}
            }
        }
    }
    answers
}

/// Locks that Nix asked for.
#[derive(Debug, Default)]
struct Locks {
    asked: usize,
    /// Locks of the database and its log that were not given. Where Nix does not need one,
    /// as to remove its log when it ends, it goes on without.
    refused: usize,
    /// How often it waited for one that it needs.
    waits: usize,
    /// All calls together.
    took: Duration,
}

/// Who runs Nix, one command after the other.
struct Worker {
    store: nix::Store,
    /// Files to add, and expressions to build.
    names: Vec<[PathBuf; 2]>,
    trace: Option<PathBuf>,
    locks: Locks,
    commands: usize,
    rounds: usize,
    /// What the last round made.
    made: Vec<String>,
    /// The valid paths after each step, and when the command began and ended that
    /// made it.
    history: Vec<(Instant, Instant, BTreeSet<String>)>,
}

impl Worker {
    fn new(env: &TestEnv, store: nix::Store, known: BTreeSet<String>) -> Self {
        let names = (0..NAMES).map(|i| {
            let [file, expression] = ["made", "build"].map(|what| env.join(format!("{what}-{i}")));
            fs::write(&file, format!("{i}").repeat(3000)).unwrap();
            let derivation = format!(
                r#"derivation {{ name = "built-{i}"; system = builtins.currentSystem;
                   builder = "/bin/sh"; args = [ "-c" "echo {i} > $out" ]; }}"#
            );
            fs::write(&expression, derivation).unwrap();
            [file, expression]
        });
        let now = Instant::now();
        let trace = can_trace().then(|| env.join("trace"));
        Self {
            names: names.collect(),
            store,
            trace,
            locks: Locks::default(),
            commands: 0,
            rounds: 0,
            made: Vec::new(),
            history: vec![(now, now, known)],
        }
    }

    /// The valid paths of each moment at which an answer may have been taken.
    fn moments<'a>(&'a self, answer: &Answer) -> impl Iterator<Item = &'a BTreeSet<String>> {
        let next_ends = self.history[1..].iter().map(|(_, end, _)| Some(*end)).chain([None]);
        let (from, to) = (answer.from, answer.to);
        self.history
            .iter()
            .zip(next_ends)
            .filter(move |((start, ..), end)| *start <= to && end.is_none_or(|end| end >= from))
            .map(|((.., paths), _)| paths)
    }

    /// Adds and builds one name, optimises, and deletes what the round before made.
    fn round(&mut self) {
        let [file, expression] = self.names[self.rounds % NAMES].clone();
        self.rounds += 1;
        let before = std::mem::take(&mut self.made);
        self.nix("nix-store", &["--add".as_ref(), file.as_os_str()], |run| {
            vec![Step::Add(run.stdout.trim().to_owned())]
        });
        // Where the store directory is not where its name says, Nix builds in a sandbox
        // only, which has no shell of its own.
        let shell =
            ["/bin", "/usr", "/lib", "/lib64"].into_iter().filter(|dir| Path::new(dir).exists());
        let shell = shell.collect::<Vec<_>>().join(" ");
        let sandbox = ["--option", "sandbox", "true", "--option", "sandbox-paths", &*shell];
        let args = sandbox.into_iter().chain(["--no-out-link"]).map(OsStr::new);
        let args: Vec<_> = args.chain([expression.as_os_str()]).collect();
        self.nix("nix-build", &args, |run| {
            let drv = run.stderr.split_whitespace().find(|word| word.ends_with(".drv"));
            let drv = drv.expect("nix-build says what it builds").to_owned();
            vec![Step::Add(drv), Step::Add(run.stdout.trim().to_owned())]
        });
        self.nix("nix-store", &["--optimise".as_ref()], |_| Vec::new());
        // The output before its derivation.
        for path in before.into_iter().rev() {
            let args = ["--delete", "--ignore-liveness", &path].map(OsStr::new);
            self.nix("nix-store", &args, |_| vec![Step::Delete(path.clone())]);
        }
    }

    /// Runs a command of Nix that takes these steps, each in one transaction.
    fn nix(&mut self, program: &str, args: &[&OsStr], steps: impl FnOnce(&Run) -> Vec<Step>) {
        let mut command = self.store.command(program, args);
        if let Some(trace) = &self.trace {
            let strace =
                ["strace", "-fqqyT", "-e", "trace=fcntl,flock,clock_nanosleep,nanosleep", "-o"]
                    .map(word);
            command = through(strace.into_iter().chain([trace.clone().into()]), &command);
        }
        let start = Instant::now();
        let mut tries = 0;
        let run = loop {
            tries += 1;
            let run = run(&mut command);
            self.locks.add(self.trace.as_deref());
            // Some process of another test is where no name reaches, or a builder that was
            // killed at its very end lost a race in Nix.
            let again = nix::meets_a_name_that_is_too_long(&run) || program == "nix-build";
            if run.status == 0 || !again || tries == 20 {
                break run;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(run.status, 0, "{program} {args:?}: {}", run.stderr);
        let end = Instant::now();
        self.commands += 1;
        for step in steps(&run) {
            let (.., mut paths) = self.history.last().unwrap().clone();
            match step {
                Step::Add(path) => {
                    assert!(paths.insert(path.clone()), "{path} was there");
                    self.made.push(path);
                }
                Step::Delete(path) => assert!(paths.remove(&path), "{path} was not there"),
            }
            self.history.push((start, end, paths));
        }
    }
}

enum Step {
    Add(String),
    Delete(String),
}

impl Locks {
    /// Counts those of a trace.
    fn add(&mut self, trace: Option<&Path>) {
        let Some(trace) = trace else { return };
        // Threads that were not given a lock of the database since they last slept.
        let mut refused: HashSet<String> = HashSet::new();
        for line in fs::read_to_string(trace).unwrap().lines() {
            let (thread, call) = line.split_once(' ').unwrap();
            let took = call.rsplit_once('<').and_then(|(_, took)| took.strip_suffix('>'));
            let took = took.and_then(|took| took.parse::<f64>().ok()).unwrap_or_default();
            if call.contains("nanosleep") {
                if refused.remove(thread) {
                    self.waits += 1;
                }
            } else if call.contains("SETLK") || call.contains("flock(") {
                self.asked += 1;
                self.took += Duration::from_secs_f64(took);
                if call.contains("db.sqlite") && call.contains("-1 E") {
                    self.refused += 1;
                    refused.insert(thread.to_owned());
                }
            }
        }
    }
}
