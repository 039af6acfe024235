//! Budgets: which are broken, by how much, and what did it; in the formats that continuous
//! integration reads.

use super::support::store_in_code::{Made, SCHEMA, insert, path, refer};
use super::support::{TestEnv, run};
use serde_json::Value;
use std::fs;
use std::fs::File;
use std::path::Path;

/// A system that needs `lib`, which needs `big`; `lib` is there twice.
fn store(env: &TestEnv) -> Made {
    let (made, db) = Made::with(env, "store", SCHEMA);
    let rows = [
        (1, "system-1", 1000),
        (2, "lib-1.0", 50_000),
        (3, "lib-1.1", 60_000),
        (4, "big-2.0", 900_000),
        (5, "system-0", 1000),
        (6, "zlib-1.3-dev", 3000),
    ];
    for (id, name, size) in rows {
        insert(&db, id, path(id, name).as_bytes(), Some(size));
    }
    for (from, to) in [(1, 2), (1, 3), (3, 4), (5, 2), (1, 6)] {
        refer(&db, from, to);
    }
    made
}

fn check(env: &TestEnv, made: &Made, args: &[&str]) -> (Vec<Value>, Vec<Value>, i32) {
    let (answer, run) = made.json(env, [&["check", "system-1", "--no-disk"], args].concat());
    assert!(run.status < 2, "{}", run.stderr);
    let list = |key: &str| answer[key].as_array().unwrap().clone();
    (list("budgets"), list("culprits"), run.status)
}

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().unwrap_or("-")
}

#[test]
fn budgets_that_are_kept_and_broken() {
    let env = TestEnv::new();
    let made = store(&env);
    // The whole is 1,014,000 bytes in 5 paths.
    for (args, broken, excess) in [
        (&["--max-closure", "1014000"][..], false, Value::Null),
        (&["--max-closure", "1013999"], true, 1.into()),
        (&["--max-path", "big=900000"], false, Value::Null),
        (&["--max-path", "big=899999"], true, 1.into()),
        (&["--max-path", "l*=50K"], true, 8800.into()),
        (&["--max-path", "nothing=1"], false, Value::Null),
        (&["--max-retained", "lib=960000"], false, Value::Null),
        (&["--max-retained", "lib-1.1=950000"], true, 10_000.into()),
        (&["--baseline", "system-0", "--max-growth", "963000"], false, Value::Null),
        (&["--baseline", "system-0", "--max-growth", "962999"], true, 1.into()),
        (&["--baseline", "system-0", "--max-growth", "2000%"], false, Value::Null),
        (&["--baseline", "system-0", "--max-growth", "5%"], true, (963_000 - 2550).into()),
    ] {
        let (budgets, culprits, status) = check(&env, &made, args);
        assert_eq!(status, i32::from(broken), "{args:?}");
        assert_eq!(budgets.len(), 1);
        assert_eq!(text(&budgets[0], "status"), if broken { "broken" } else { "ok" }, "{args:?}");
        assert_eq!(budgets[0]["excess_size"], excess, "{args:?}");
        assert_eq!(culprits.is_empty(), !broken, "{args:?}");
    }
    for (args, found) in [
        (&["--max-paths", "5"][..], 0),
        (&["--max-paths", "4"], 1),
        (&["--forbid", "big"], 1),
        (&["--forbid", "b*"], 1),
        (&["--forbid", "system-0"], 0),
        (&["--forbid", "nothing"], 0),
        (&["--no-variants"], 1),
        (&["--no-leftovers"], 1),
    ] {
        let (budgets, _, status) = check(&env, &made, args);
        assert_eq!(status, i32::from(found > 0), "{args:?}");
        let excess = if found > 0 { found.into() } else { Value::Null };
        assert_eq!(budgets[0]["excess_count"], excess, "{args:?}");
    }
}

#[test]
fn what_did_it_is_said() {
    let env = TestEnv::new();
    let made = store(&env);
    let (_, culprits, _) = check(&env, &made, &["--forbid", "big"]);
    assert_eq!(text(&culprits[0], "path"), path(4, "big-2.0"));
    assert_eq!(text(&culprits[0], "chain"), "system-1 → lib-1.1");
    let (_, culprits, _) = check(&env, &made, &["--baseline", "system-0", "--max-growth", "1K"]);
    let what: Vec<_> = culprits.iter().map(|row| text(row, "what")).collect();
    assert_eq!(what, ["big added 2.0", "lib changed + 1.1", "zlib added 1.3"]);
    let (_, culprits, _) = check(&env, &made, &["--no-leftovers", "--no-variants"]);
    let what: Vec<_> = culprits.iter().map(|row| text(row, "what")).collect();
    assert_eq!(what, ["lib-1.1, lib-1.0", "dev output"]);
}

/// A baseline is a snapshot: it says what grew when the old closure is gone.
#[test]
fn a_baseline_is_kept_in_a_file() {
    let env = TestEnv::new();
    let made = store(&env);
    let file = env.join("main.census");
    let file = file.to_str().unwrap();
    let save = |target: &str, more: &[&str]| {
        let args = ["check", target, "--no-disk", "--save-baseline", file];
        made.run(&env, [&args[..], more].concat())
    };
    let kept = save("system-0", &["--max-closure", "51000"]);
    assert_eq!(kept.status, 0, "{}", kept.stderr);
    let saved = fs::read(file).unwrap();
    let broken = save("system-1", &["--max-closure", "1K"]);
    assert_eq!(broken.status, 1);
    assert!(broken.stderr.contains("main.census is not written"), "{}", broken.stderr);
    assert_eq!(fs::read(file).unwrap(), saved);
    let db = rusqlite::Connection::open(made.dir.join("nix/var/nix/db/db.sqlite")).unwrap();
    db.execute_batch("DELETE FROM Refs WHERE referrer = 5; DELETE FROM ValidPaths WHERE id = 5")
        .unwrap();
    drop(db);
    let (budgets, culprits, status) =
        check(&env, &made, &["--baseline", file, "--max-growth", "900K"]);
    assert_eq!(status, 1);
    assert_eq!(budgets[0]["found_size"], 963_000);
    assert_eq!(text(&culprits[0], "what"), "big added 2.0");
    // It is a snapshot as any other.
    let (answer, run) = made.json(&env, ["diff", file, "system-1", "--no-disk"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(answer["total"]["nar_size_before"], 51_000);
    let (answer, _) = made.json(&env, ["diff", file, file, "--no-disk"]);
    assert!(answer["packages"].as_array().unwrap().is_empty());
    let ask = ["--snapshot", file, "check", "system-0", "--no-disk", "--json"];
    let growth = ["--baseline", "system-0", "--max-growth", "0%"];
    let run = env.run([&ask[..], &growth].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let run = env.run([&ask[..], &["--save-baseline", "other.census"]].concat());
    assert_eq!(run.status, 2, "{}", run.stderr);
    let over = made.dir.join("nix/store/x.census");
    let run = save("system-0", &["--save-baseline", over.to_str().unwrap()]);
    assert_eq!(run.status, 2, "{}", run.stderr);
}

/// What is saved is what was checked: nothing is read again, which from standard input
/// would be nothing.
#[test]
fn a_baseline_of_standard_input() {
    let env = TestEnv::new();
    let (system, lib) = (path(1, "system-1"), path(2, "lib-1.0"));
    let hash = "0".repeat(64);
    let text = format!("{lib}\n{hash}\n500\n\n0\n{system}\n{hash}\n120\n\n1\n{lib}\n");
    fs::write(env.join("registration"), text).unwrap();
    let check = ["check", "system-1", "--registration", "-", "--no-disk", "--max-closure", "620"];
    let save = ["--save-baseline", "main.census"];
    let mut command = env.command([&check[..], &save].concat());
    command.stdin(File::open(env.join("registration")).unwrap());
    run(&mut command).ok();
    let report = env.json(["--snapshot", "main.census", "report", "--no-disk", "--json"]);
    assert_eq!(report["total"]["nar_size"], 620);
}

/// Standard input can be read once: what came through it is checked and saved, and is its
/// own baseline.
#[test]
fn a_baseline_is_of_what_came_through_standard_input() {
    let env = TestEnv::new();
    let made = store(&env);
    let through = |args: &[&str], input: &Path| {
        let mut command = env.command(args);
        run(command.stdin(fs::File::open(input).unwrap()))
    };
    let listed = env.join("path-info.json");
    let hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let info = serde_json::json!({"narHash": hash, "narSize": 1000, "references": []});
    fs::write(&listed, serde_json::json!({path(5, "system-0"): info}).to_string()).unwrap();
    let file = env.join("main.census");
    let root = made.dir.to_str().unwrap();
    let save = ["check", "system-0", "--root", root, "--path-info", "-", "--no-disk"];
    let saved = through(&[&save[..], &["--save-baseline", "main.census"]].concat(), &listed);
    assert_eq!(saved.status, 0, "{}", saved.stderr);
    let ask = ["check", "system-0", "--snapshot", "-", "--no-disk"];
    let growth = ["--baseline", "system-0", "--max-growth", "0%"];
    let kept = through(&[&ask[..], &growth].concat(), &file);
    assert_eq!(kept.status, 0, "{}", kept.stderr);
}

#[test]
fn a_file_has_the_same_budgets() {
    let env = TestEnv::new();
    let made = store(&env);
    let file = env.join("budgets.toml");
    let toml = "max-closure = \"1M\"\nforbid = [\"big\"]\n[max-path]\nlib = \"55K\"\n";
    fs::write(&file, toml).unwrap();
    let args = ["--budgets", file.to_str().unwrap(), "--max-closure", "100K"];
    let (budgets, _, status) = check(&env, &made, &args);
    let said: Vec<_> =
        budgets.iter().map(|b| format!("{} {}", text(b, "budget"), text(b, "status"))).collect();
    assert_eq!(said, ["max-closure broken", "max-path broken", "forbid broken"]);
    assert_eq!(budgets[0]["limit_size"], 102_400);
    assert_eq!(status, 1);
    fs::write(&file, "max-closur = 5\n").unwrap();
    let run = made.run(&env, ["check", "system-1", "--budgets", file.to_str().unwrap()]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("line 1: unknown field `max-closur`"), "{}", run.stderr);
}

#[test]
fn what_is_not_known_has_not_passed() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", SCHEMA);
    insert(&db, 1, path(1, "system-1").as_bytes(), Some(1000));
    insert(&db, 2, path(2, "lib-1.0").as_bytes(), None);
    refer(&db, 1, 2);
    drop(db);
    let run = |args: &[&str]| {
        let all = [&["check", "system-1", "--no-disk", "--format", "junit"], args].concat();
        let run = made.run(&env, all);
        (run.status, run.stdout.contains(" type=\"unknown\""), run.stdout)
    };
    let (status, unknown, text) = run(&["--max-closure", "1G"]);
    assert_eq!((status, unknown), (3, true), "{text}");
    let (status, unknown, text) = run(&["--max-path", "lib=1G"]);
    assert_eq!((status, unknown), (3, true), "{text}");
    for wrong in [
        &["check", "system-1", "--no-disk"][..],
        &["check", "--max-paths", "1"],
        &["check", "system-1", "--max-growth", "5%"],
        &["check", "system-1", "--max-disk", "1K", "--no-disk"],
    ] {
        assert_eq!(made.run(&env, wrong).status, 2, "{wrong:?}");
    }
}

#[test]
fn formats_of_continuous_integration() {
    let env = TestEnv::new();
    let made = store(&env);
    let run = |format: &str, more: &[&str]| {
        let args = ["check", "system-1", "--no-disk", "--forbid", "big", "--max-paths", "9"];
        let run = made.run(&env, [&args[..], &["--format", format], more].concat());
        assert_eq!(run.status, 1, "{}", run.stderr);
        run.stdout
    };
    let junit = run("junit", &[]);
    assert!(
        junit.contains(r#"<testsuites tests="2" skipped="0" failures="1" errors="0">"#),
        "{junit}"
    );
    let cases: Vec<&str> = junit.lines().filter(|line| line.contains("<testcase ")).collect();
    assert!(cases[0].ends_with("/>") && cases[1].contains(r#" name="forbid big" "#), "{junit}");
    assert!(junit.contains("message=\"1 found\"") && junit.contains("→ big-2.0"), "{junit}");
    let big = path(4, "big-2.0");
    let github = run("github", &[]);
    let expected = format!(
        "::error title=nix-census%3A forbid big::1 found%0A{big}, 878.9 KiB, through \
         system-1 → lib-1.1 → big-2.0\n"
    );
    assert_eq!(github, expected);
    let markdown = run("markdown", &[]);
    let expected = "\
|  | status | budget | pattern | limit | found | over |
| --- | --- | --- | --- | --- | --- | --- |
| ✅ | ok | max-paths |  | 9 | 5 |  |
| ❌ | broken | forbid | big | 0 | 1 | 1 |

### What did it

| budget | size | path | because of |
| --- | ---: | --- | --- |
| forbid | 878.9 KiB | `big-2.0` | system-1 → lib-1.1 |
";
    assert_eq!(markdown, expected);
    let diff = ["diff", "system-0", "system-1", "--no-disk", "--format", "markdown"];
    let diff = made.run(&env, diff).ok();
    assert!(diff.starts_with("| NAR size | change | paths |"), "{diff}");
    assert!(diff.contains("| +878.9 KiB |  | 878.9 KiB | added | big | 2.0 |"), "{diff}");
    let wrong = made.run(&env, ["report", "--all", "--format", "github"]);
    assert_eq!(wrong.status, 2);
}
