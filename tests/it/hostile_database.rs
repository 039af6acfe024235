//! What is broken or hostile: each fault is an error that names the thing and
//! what to do, or a warning with `complete: false`; the exit status is 3 either
//! way. Never a panic, never a control character on a terminal.
#![allow(clippy::unwrap_used)]

use super::support::store_in_code::{
    LOOSE, Made, SCHEMA, base, insert, kinds, limited, path, refer,
};
use super::support::{Run, TestEnv, can_trace, device, have, nobody, root, run};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// The commands that a fault of the database ends alike.
const COMMANDS: [&[&str]; 4] =
    [&[], &["report", "--all"], &["report", "--all", "--no-disk"], &["report", "hello"]];

/// Each command fails: nothing on standard output, and these texts on the other.
#[track_caller]
fn fails(made: &Made, env: &TestEnv, texts: &[&str]) {
    for command in COMMANDS {
        for format in ["table", "json", "csv"] {
            is_failure(&made.run(env, command.iter().chain(&["--format", format])), texts);
        }
    }
}

#[track_caller]
fn is_failure(run: &Run, texts: &[&str]) {
    assert_eq!((run.status, run.stdout.len()), (3, 0), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    for text in texts {
        assert!(run.stderr.contains(text), "no ‘{text}’ in: {}", run.stderr);
    }
    is_safe(&run.stderr);
}

/// Nothing that a terminal would obey.
#[track_caller]
fn is_safe(text: &str) {
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}

/// The command answers, but not wholly: exit status 3 in every format, these
/// kinds of warnings in JSON, and these texts on standard error.
#[track_caller]
fn warns(made: &Made, env: &TestEnv, args: &[&str], expected: &[&str], texts: &[&str]) -> Value {
    let (answer, run) = made.json(env, args);
    assert_eq!(kinds(&answer), expected, "{}", run.stderr);
    assert_eq!((run.status, &answer["complete"]), (3, &json!(false)), "{}", run.stderr);
    for format in ["table", "csv"] {
        let run = made.run(env, args.iter().chain(&["--format", format, "--verbose"]));
        assert_eq!(run.status, 3, "{}", run.stderr);
        assert!(!run.stdout.is_empty());
        for text in texts {
            assert!(run.stderr.contains(text), "no ‘{text}’ in: {}", run.stderr);
        }
        assert!(run.stderr.contains("warning: the answer is incomplete"), "{}", run.stderr);
        is_safe(&run.stderr);
        is_safe(&run.stdout);
    }
    answer
}

fn fifo(path: &Path) {
    run(Command::new("mkfifo").arg(path)).ok();
}

// The database.

#[test]
fn no_database() {
    let env = TestEnv::new();
    let made = Made::bare(&env, "root");
    fails(&made, &env, &["db.sqlite does not exist", "hint: ", "--db"]);
    fs::remove_dir_all(made.dir.join("nix/var")).unwrap();
    fails(&made, &env, &["db.sqlite does not exist", "hint: ", "--db"]);
    // Nothing was made by looking.
    assert!(!made.dir.join("nix/var").exists());
    // A root that is not there is wrong usage.
    let run = env.run(["--root", "nowhere"]);
    assert_eq!((run.status, &*run.stdout), (2, ""));
    assert!(run.stderr.contains("--root nowhere"), "{}", run.stderr);
}

#[test]
fn no_database_but_something_else() {
    let env = TestEnv::new();
    let made = Made::bare(&env, "root");
    let db = &made.database;
    fs::write(db, "").unwrap();
    fails(&made, &env, &["db.sqlite is empty", "hint: "]);
    fs::write(db, "not a database, but as long as a page of one would be\n".repeat(100)).unwrap();
    fails(&made, &env, &["db.sqlite is not an SQLite database", "hint: "]);
    fs::remove_file(db).unwrap();
    fs::create_dir(db).unwrap();
    fails(&made, &env, &["db.sqlite is not a regular file", "hint: "]);
    fs::remove_dir(db).unwrap();
    fifo(db);
    fails(&made, &env, &["db.sqlite is not a regular file", "hint: "]);
    fs::remove_file(db).unwrap();
    symlink("db.sqlite", db).unwrap();
    let run = made.run(&env, ["report", "--all"]);
    is_failure(&run, &["db.sqlite"]);
    // A database of something else.
    fs::remove_file(db).unwrap();
    Connection::open(db).unwrap().execute_batch("CREATE TABLE Songs (title)").unwrap();
    fails(&made, &env, &["db.sqlite", "no ValidPaths", "hint: "]);
    Connection::open(db).unwrap().execute_batch("CREATE TABLE ValidPaths (id, name)").unwrap();
    fails(&made, &env, &["db.sqlite", "no ValidPaths(id, path)", "hint: "]);
}

#[test]
fn a_database_truncated_anywhere() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    db.execute_batch("BEGIN").unwrap();
    for id in 1..200 {
        insert(&db, id, path(id, "some-name-of-a-path").as_bytes(), Some(120));
        refer(&db, id, (id + 1) / 2);
    }
    db.execute_batch("COMMIT").unwrap();
    drop(db);
    let whole = fs::read(&made.database).unwrap();
    let pages = (4096..whole.len()).step_by(4096);
    let parts = (5000..whole.len()).step_by(7001);
    let ends = [1, 15, 16, 99, 100, 511, 4095, whole.len() - 1];
    for length in ends.into_iter().chain(pages).chain(parts) {
        fs::write(&made.database, &whole[..length]).unwrap();
        let run = made.run(&env, ["report", "--all", "--no-disk", "--format", "json"]);
        is_failure(&run, &["db.sqlite", "hint: "]);
    }
    // Cut where a page ends, so that only the header tells.
    fs::write(&made.database, &whole[..whole.len() - 4096]).unwrap();
    fails(&made, &env, &["db.sqlite", "damaged", "hint: "]);
}

/// Bytes changed at random: whatever SQLite makes of it, an error, a warning or
/// nothing (in text that nobody checks), but no panic and no hang.
#[test]
fn a_database_of_flipped_bytes() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let whole = fs::read(&made.database).unwrap();
    let tree = nix_census::fs::Tree::live(&made.dir).unwrap();
    let state_dir = Path::new("/nix/var/nix");
    let location = nix_census::fs::locate(&tree, "/nix/store", state_dir).unwrap();
    let mut state = 1u64;
    let mut next = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % end
    };
    let (mut errors, mut answers) = (0, 0);
    for _ in 0..150 {
        let mut bytes = whole.clone();
        for _ in 0..1 + next(8) {
            // Pages are mostly empty; what matters is at their ends.
            let page = next(bytes.len() / 4096);
            let at = if next(2) == 0 { next(120) } else { 4095 - next(400) };
            bytes[page * 4096 + at] = next(256) as u8;
        }
        fs::write(&made.database, &bytes).unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(&made.database).unwrap().set_modified(long_ago).unwrap();
        match nix_census::catalog::load(&location) {
            Ok(_) => answers += 1,
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 10 && answers > 10, "{errors} errors, {answers} answers");
}

#[test]
fn schemas_too_old_too_new_and_odd() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let schema = made.database.with_file_name("schema");
    for old in ["5", "0", "1\n"] {
        fs::write(&schema, old).unwrap();
        fails(&made, &env, &["db.sqlite has schema", "hint: ", "Nix"]);
    }
    for known in ["6", "10", "10\n"] {
        fs::write(&schema, known).unwrap();
        assert_eq!(made.json(&env, ["report", "--all"]).1.status, 0);
    }
    for (odd, text) in [("11", "schema 11"), ("x", "not a number"), ("", "not a number")] {
        fs::write(&schema, odd).unwrap();
        let answer = warns(&made, &env, &["report", "--all"], &["unknown_schema"], &[text]);
        assert_eq!(answer["paths"].as_array().unwrap().len(), 3);
    }
    fs::remove_file(&schema).unwrap();
    fifo(&schema);
    warns(&made, &env, &[], &["unknown_schema"], &["schema"]);
    fs::remove_file(&schema).unwrap();
    // A database copied alone leaves nothing out.
    let (answer, run) = made.json(&env, ["report", "--all"]);
    assert_eq!((run.status, kinds(&answer)), (0, vec!["note".to_owned()]));
    assert!(run.stderr.contains("note: "), "{}", run.stderr);
}

#[test]
fn columns_missing() {
    let env = TestEnv::new();
    for column in ["hash", "registrationTime", "deriver", "narSize", "ultimate", "sigs", "ca"] {
        let (made, db) = Made::sound(&env, column);
        db.execute_batch(&format!("ALTER TABLE ValidPaths DROP COLUMN {column}")).unwrap();
        drop(db);
        let mut expected = vec!["missing_column"];
        if column == "narSize" {
            expected.push("unknown_nar_size");
        }
        if ["ultimate", "sigs", "ca"].contains(&column) {
            expected.push("schema_mismatch");
        }
        let args = ["report", "--all", "--columns", "all"];
        let text = format!("the column ValidPaths.{column} is missing");
        let answer = warns(&made, &env, &args, &expected, &[&text]);
        assert_eq!(answer["paths"].as_array().unwrap().len(), 3);
        for row in answer["paths"].as_array().unwrap() {
            let key = match column {
                "narSize" => "nar_size",
                "hash" => "hash",
                "deriver" => "deriver",
                "ca" => "ca",
                "registrationTime" => "registration_time",
                "ultimate" => "ultimate",
                _ => "signatures",
            };
            assert_eq!(row[key], Value::Null);
        }
        // Who does not ask for the column misses nothing.
        if !["narSize", "deriver"].contains(&column) {
            let answer = made.json(&env, ["report", "--all", "--columns", "path,nar_size"]).0;
            assert_eq!(answer["complete"], true, "{column}");
        }
    }
    for table in ["Refs", "ValidPaths"] {
        let (made, db) = Made::sound(&env, table);
        db.execute_batch(&format!("DROP TABLE {table}")).unwrap();
        drop(db);
        fails(&made, &env, &["db.sqlite", &format!("no {table}"), "hint: "]);
    }
    // Very old databases have no outputs of derivations.
    let (made, db) = Made::sound(&env, "outputs");
    db.execute_batch("DROP TABLE DerivationOutputs").unwrap();
    drop(db);
    assert_eq!(made.run(&env, ["report", "--all"]).status, 0);
}

#[test]
fn columns_that_newer_databases_add() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    db.execute_batch("ALTER TABLE ValidPaths ADD COLUMN more TEXT DEFAULT 'x'").unwrap();
    drop(db);
    assert_eq!(made.run(&env, ["report", "--all"]).status, 0);
}

/// The columns of Nix 1.3 to 1.11, and of every Guix.
fn make_old(db: &Connection) {
    for column in ["ultimate", "sigs", "ca"] {
        db.execute_batch(&format!("ALTER TABLE ValidPaths DROP COLUMN {column}")).unwrap();
    }
}

#[test]
fn schema_7_is_whole() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    make_old(&db);
    drop(db);
    fs::create_dir(made.dir.join("nix/var/nix/gcroots")).unwrap();
    for schema in ["6", "7"] {
        fs::write(made.database.with_file_name("schema"), schema).unwrap();
        for args in [&["report", "--all"][..], &[], &["garbage", "--no-runtime"], &["tree", "tree"]]
        {
            let (answer, run) = made.json(&env, args);
            assert_eq!(run.status, 0, "{args:?} {}", run.stderr);
            assert_eq!(answer["complete"], true);
        }
        let (answer, _) = made.json(&env, ["report", "--all"]);
        for key in ["ultimate", "signatures", "ca"] {
            assert_eq!(answer["paths"][0][key], Value::Null, "{key}");
        }
        let (answer, _) = made.json(&env, ["audit", "--only", "schema,schema_mismatch"]);
        assert_eq!((&answer["findings"], &answer["complete"]), (&json!([]), &json!(true)));
        // It has no signatures: none is bad, and none was checked.
        let key = "k-1:6XqqC3jQE4zZBuiwRyUW7RMr+5UzP4U7pUt8M8/cnO8=";
        let (answer, run) = made.json(&env, ["audit", "--only", "unsigned", "--signatures", key]);
        assert_eq!((&answer["findings"], run.status), (&json!([]), 3), "{}", run.stderr);
        assert!(run.stderr.contains("records no signatures"), "{}", run.stderr);
    }
}

#[test]
fn a_schema_that_does_not_fit_the_columns_is_a_finding() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    let finding = |schema: &str| {
        fs::write(made.database.with_file_name("schema"), schema).unwrap();
        let (answer, run) = made.json(&env, ["audit", "--only", "schema_mismatch"]);
        let found = answer["findings"].as_array().unwrap();
        assert_eq!(run.status, i32::from(!found.is_empty()), "{}", run.stderr);
        found.first().map_or(String::new(), |f| f["found"].as_str().unwrap().to_owned())
    };
    assert_eq!(finding("10"), "");
    assert!(finding("9").contains("has the newer columns ca:"));
    assert!(finding("7").contains("has the newer columns ultimate, sigs, ca:"));
    make_old(&db);
    drop(db);
    assert!(finding("10").contains("lacks the columns ultimate, sigs, ca:"));
    assert!(finding("8").contains("lacks the columns ultimate, sigs:"));
    assert_eq!(finding("7"), "");
}

#[test]
fn a_store_of_guix_is_found_by_itself() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    make_old(&db);
    db.execute_batch("UPDATE ValidPaths SET path = '/gnu/store' || substr(path, 11)").unwrap();
    drop(db);
    fs::write(made.database.with_file_name("schema"), "7").unwrap();
    fs::create_dir_all(made.dir.join("gnu")).unwrap();
    fs::create_dir_all(made.dir.join("var")).unwrap();
    fs::rename(&made.store, made.dir.join("gnu/store")).unwrap();
    fs::rename(made.dir.join("nix/var/nix"), made.dir.join("var/guix")).unwrap();
    let (answer, run) = made.json(&env, ["report", "--all"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(answer["store_dir"], "/gnu/store");
    assert!(answer["paths"][0]["disk_size"].is_u64());
    let profiles = made.dir.join("var/guix/profiles");
    fs::create_dir_all(&profiles).unwrap();
    fs::create_dir(made.dir.join("var/guix/gcroots")).unwrap();
    symlink("/var/guix/profiles", made.dir.join("var/guix/gcroots/profiles")).unwrap();
    let kept = format!("/gnu/store/{}", base(2, "world-2.0"));
    symlink(kept, profiles.join("guix-profile-1-link")).unwrap();
    symlink("guix-profile-1-link", profiles.join("guix-profile")).unwrap();
    let (answer, run) = made.json(&env, ["garbage", "--no-runtime"]);
    assert_eq!((run.status, kinds(&answer)), (0, vec!["note".to_owned()]), "{}", run.stderr);
    let dead = answer["dead_paths"].as_array().unwrap();
    assert_eq!(dead.len(), 1, "{answer}");
    assert!(dead[0]["path"].as_str().unwrap().ends_with("-tree"), "{answer}");
    assert!(run.stderr.contains("--gc-keep-outputs"), "{}", run.stderr);
    let (answer, _) = made.json(&env, ["reclaim", "--no-runtime"]);
    let commands = |action: &Value| action["commands"].clone();
    let done: Vec<Value> = answer["actions"].as_array().unwrap().iter().map(commands).collect();
    assert_eq!(done[0], serde_json::json!(["guix gc"]), "{answer}");
    let all = serde_json::to_string(&done).unwrap();
    assert!(!all.contains("nix-store") && !all.contains("nix-env"), "{all}");
    let said = ["--keep-outputs=false", "--keep-derivations=true"];
    let run = made.run(&env, ["garbage", "--no-runtime"].into_iter().chain(said));
    assert!(!run.stderr.contains("--gc-keep-outputs"), "{}", run.stderr);
    let (answer, run) = made.json(&env, ["optimise"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(answer["nix_report"]["line"], Value::Null);
    assert_eq!(answer["already_saved"]["note"], Value::Null);
    // Where there is a Nix, it is the one.
    fs::create_dir_all(made.dir.join("nix/store")).unwrap();
    assert!(made.run(&env, ["report", "--all"]).stderr.contains("nix/var/nix/db/db.sqlite"));
}

// Rows.

#[test]
fn rows_with_unknown_nar_size() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    for (id, value) in [(4, "NULL"), (5, "0"), (6, "-1"), (7, "'much'"), (8, "x'00ff'"), (9, "1.5")]
    {
        made.file(id, "odd", &db);
        db.execute_batch(&format!("UPDATE ValidPaths SET narSize = {value} WHERE id = {id}"))
            .unwrap();
    }
    drop(db);
    let args = ["report", "--all", "--sort", "path"];
    let answer = warns(&made, &env, &args, &["unknown_nar_size"], &["NAR size"]);
    let rows = answer["paths"].as_array().unwrap();
    assert_eq!(rows.len(), 9);
    for row in rows {
        let known = !row["path"].as_str().unwrap().ends_with("-odd");
        assert_eq!(row["nar_size"].is_u64(), known, "{row}");
        assert!(row["disk_nar_size"].is_u64(), "{row}");
    }
    assert_eq!(answer["warnings_total"], json!(6));
}

/// A store in which the size of `hello-1.0` and of `lost-1` is not known:
/// `tree` and `alone-1` have a root each, `gone-1` and `lost-1` have none.
fn with_unknown_sizes(env: &TestEnv) -> Made {
    let (made, db) = Made::sound(env, "unknown");
    for (id, name) in [(4, "alone-1"), (5, "gone-1"), (6, "lost-1")] {
        made.file(id, name, &db);
    }
    db.execute_batch("UPDATE ValidPaths SET narSize = NULL WHERE id IN (1, 6)").unwrap();
    let roots = made.dir.join("nix/var/nix/gcroots");
    fs::create_dir_all(&roots).unwrap();
    symlink(path(3, "tree"), roots.join("a")).unwrap();
    symlink(path(4, "alone-1"), roots.join("b")).unwrap();
    made
}

#[test]
fn garbage_of_unknown_size_has_no_sum() {
    let env = TestEnv::new();
    let made = with_unknown_sizes(&env);
    let args = ["garbage", "--no-runtime", "--if-removed", "/nix/var/nix/gcroots/b"];
    let (answer, run) = made.json(&env, args);
    assert_eq!(run.status, 3, "{}", run.stderr);
    for part in ["alive", "dead"] {
        assert_eq!(answer[part]["nar_size"], Value::Null, "{part}");
        assert!(answer[part]["paths"].is_u64(), "{part}");
    }
    let steps = answer["steps"].as_array().unwrap();
    let sizes: Vec<_> = steps.iter().map(|s| [&s["nar_size"], &s["total_nar_size"]]).collect();
    assert_eq!(sizes, [[&Value::Null, &Value::Null], [&json!(120), &Value::Null]]);
    let of = |package: &str| {
        let mut rows = answer["dead_packages"].as_array().unwrap().iter();
        rows.find(|r| r["package"] == package).unwrap()["nar_size"].clone()
    };
    assert_eq!([of("gone"), of("lost"), of("alone")], [json!(120), Value::Null, json!(120)]);
    // People see a dash, never a zero.
    let text = made.run(&env, ["garbage", "--no-runtime", "--no-disk"]).stdout;
    let sum = text.lines().rfind(|l| l.starts_with("NAR size")).unwrap();
    assert!(sum.trim_end().ends_with('-'), "{text}");
}

#[test]
fn roots_that_keep_what_has_no_known_size() {
    let env = TestEnv::new();
    let made = with_unknown_sizes(&env);
    let (answer, run) = made.json(&env, ["roots", "--no-runtime", "--sort", "link"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(answer["total"]["alive_nar_size"], Value::Null);
    let rows = answer["roots"].as_array().unwrap();
    let sizes = rows.iter().map(|r| [&r["closure_nar_size"], &r["freed_nar_size"]]);
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes, [[&Value::Null; 2], [&json!(120); 2]]);
    let csv = made.run(&env, ["roots", "--no-runtime", "--sort", "link", "--format", "csv"]);
    let heading = csv.stdout.lines().next().unwrap();
    let at = heading.split(',').position(|column| column == "closure_nar_size").unwrap();
    let column: Vec<_> = csv.stdout.lines().skip(1).map(|l| l.split(',').nth(at)).collect();
    assert_eq!(column, [Some(""), Some("120")]);
}

#[test]
fn what_if_tells_a_change_only_where_its_sizes_are_known() {
    let env = TestEnv::new();
    let made = with_unknown_sizes(&env);
    let (answer, run) =
        made.json(&env, ["what-if", "tree", "--remove", "world", "--remove", "hello"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(answer["total"]["nar_size_before"], Value::Null);
    // Without hello, the sizes of all that is left are known.
    assert!(answer["total"]["nar_size_after"].is_u64());
    let steps = answer["steps"].as_array().unwrap();
    let changes: Vec<_> = steps.iter().map(|s| &s["nar_change"]).collect();
    assert_eq!(changes, [&json!(0), &json!(-120), &Value::Null]);
    // A file dropped from a path of unknown size.
    let (answer, _) = made.json(&env, ["what-if", "tree", "--drop-files", "file"]);
    assert_eq!(answer["steps"][1]["nar_size"], Value::Null);
    assert_eq!(answer["steps"][1]["nar_change"], json!(-(88 + 8 + 88 + 8)));
}

#[test]
fn suggestions_gain_no_sum_of_what_has_no_known_size() {
    let env = TestEnv::new();
    let made = with_unknown_sizes(&env);
    let (answer, run) = made.json(&env, ["suggest", "tree", "--min-size", "1"]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(answer["total"]["nar_size_before"], Value::Null);
    let rows = answer["suggestions"].as_array().unwrap();
    let gain = |name: &str| {
        let row = rows.iter().find(|r| r["path"].as_str().unwrap().ends_with(name));
        row.map(|r| [r["gain_nar_size"].clone(), r["alone_nar_size"].clone()]).unwrap()
    };
    assert_eq!(gain("world-2.0"), [json!(120), json!(120)], "{rows:?}");
    assert_eq!(gain("hello-1.0"), [Value::Null, Value::Null], "{rows:?}");
}

#[test]
fn rows_with_odd_names() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", LOOSE);
    made.file(1, "hello-1.0", &db);
    let good = format!("/nix/store/{:032}-", 2);
    let long = format!("{good}{}", "n".repeat(5000));
    let odd: Vec<Vec<u8>> = vec![
        format!("{good}new\nline").into(),
        format!("{good}\x1b[31mred\x1b]0;title\x07").into(),
        format!("{good}a/b").into(),
        format!("{good}../../../etc/passwd").into(),
        [good.as_bytes(), b"\xff\xfe"].concat(),
        format!("{good}nul\0after").into(),
        format!("{good}\u{202e}gnp").into(),
        format!("{good}é").into(),
        good.clone().into(),
        long.into(),
        b"/nix/store/".to_vec(),
        b"/nix/store".to_vec(),
        b"/nix/store/.links".to_vec(),
        b"/nix/store/..".to_vec(),
        b"/nix/store/short-name".to_vec(),
        format!("/nix/store/{}-e", "e".repeat(32)).into(),
        b"".to_vec(),
        b"relative".to_vec(),
        b"/other/store/00000000000000000000000000000002-x".to_vec(),
        b"/nix/store//00000000000000000000000000000002-x".to_vec(),
    ];
    for (i, path) in odd.iter().enumerate() {
        insert(&db, 10 + i as i64, path, Some(120));
        refer(&db, 1, 10 + i as i64);
    }
    db.execute_batch("INSERT INTO ValidPaths (id, path, narSize) VALUES (90, NULL, 1), (91, 7, 1)")
        .unwrap();
    drop(db);
    let texts = ["\\n", "\\x1b[31mred", "\\xff"];
    let kinds = &["dangling_reference", "odd_row"];
    let answer = warns(&made, &env, &["report", "--all"], kinds, &texts);
    let paths: Vec<_> = answer["paths"].as_array().unwrap().iter().map(|r| &r["path"]).collect();
    assert_eq!(paths, [&json!(path(1, "hello-1.0"))]);
    // Each odd row, and each reference to one.
    assert_eq!(answer["warnings_total"], json!(2 * odd.len() + 2));
    let overview = warns(&made, &env, &[], kinds, &texts);
    assert_eq!(overview["paths"], json!(1));
}

#[test]
fn every_row_of_another_store() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let run = made.run(&env, ["report", "--all", "--store-dir", "/gnu/store"]);
    is_failure(&run, &["no path in /gnu/store", "/nix/store/0000", "hint: ", "--store-dir"]);
    // One such row among others is a warning.
    let (made, db) = Made::sound(&env, "mixed");
    insert(&db, 9, b"/gnu/store/00000000000000000000000000000009-x", Some(120));
    drop(db);
    warns(&made, &env, &["report", "--all"], &["odd_row"], &["/gnu/store/0000"]);
}

#[test]
fn references_to_no_row() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", LOOSE);
    made.file(1, "hello-1.0", &db);
    made.file(2, "world-2.0", &db);
    db.execute_batch(
        "INSERT INTO Refs VALUES (1, 2), (1, 77), (78, 1), (-5, 1), (1, NULL), ('x', 2),
         (9223372036854775807, 1), (1, 2)",
    )
    .unwrap();
    drop(db);
    let expected = ["dangling_reference"];
    let hello = path(1, "hello-1.0");
    let texts = [
        &*format!("{hello}: refers to what has no row: row 77, which is gone"),
        &format!("{hello}: its referrer has no row: row 78, which is gone"),
        &format!("{hello}: refers to what has no row: no row at all"),
    ];
    let answer = warns(&made, &env, &["report", "--all", "--sort", "path"], &expected, &texts);
    assert_eq!(answer["warnings_total"], json!(6));
    let rows = answer["paths"].as_array().unwrap();
    assert_eq!(rows[0]["references"], json!([path(2, "world-2.0")]));
    assert_eq!(rows[1]["referrers"], json!([path(1, "hello-1.0")]));
}

/// NixOS/nix#6090: an old Nix wrote a row whose path has an empty name.
#[test]
fn an_odd_row_and_who_refers_to_it() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    let odd = format!("/nix/store/{:032}-", 9);
    insert(&db, 9, odd.as_bytes(), Some(120));
    refer(&db, 2, 9);
    refer(&db, 9, 1);
    drop(db);
    let (answer, run) = made.json(&env, ["audit", "--only", "odd_row,dangling_reference"]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    let findings: Vec<_> = answer["findings"].as_array().unwrap().iter().collect();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert_eq!(findings[0]["path"], json!(path(2, "world-2.0")));
    let found = format!("refers to what is not a store path: {odd}");
    assert_eq!(findings[0]["found"], json!(found));
    assert_eq!((&findings[1]["kind"], &findings[1]["path"]), (&json!("odd_row"), &json!(odd)));
    let run = made.run(&env, ["why", &odd]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("is not a valid path: too short"), "{}", run.stderr);
    assert!(run.stderr.contains("the database has a row of it"), "{}", run.stderr);
    assert!(run.stderr.contains(&path(2, "world-2.0")), "{}", run.stderr);
}

/// NixOS/nixpkgs#148383.
#[test]
fn files_of_a_path_that_is_gone_could_not_be_searched() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    // Nothing in `tree` names what it refers to, and that is reported.
    let why = |what: &str| made.json(&env, ["why", "--precise", "tree", what]);
    let (answer, run) = why("hello-1.0");
    assert_eq!((run.status, &answer["complete"]), (0, &json!(true)), "{}", run.stderr);
    let without = json!([{"referrer": path(3, "tree"), "reference": path(1, "hello-1.0")}]);
    assert_eq!((&answer["files"], &answer["without_file"]), (&json!([]), &without));
    let table = made.run(&env, ["why", "--precise", "tree", "hello-1.0"]).stdout;
    assert!(table.contains("References that no file holds"), "{table}");
    fs::remove_dir_all(made.store.join(base(3, "tree"))).unwrap();
    let (answer, run) = why("hello-1.0");
    assert_eq!((run.status, &answer["complete"]), (3, &json!(false)), "{}", run.stderr);
    assert_eq!(kinds(&answer), ["missing_path"]);
    assert_eq!((&answer["files"], &answer["without_file"]), (&json!([]), &json!([])));
    // A file that matches may have been in it: no wrong usage.
    let (answer, run) = made.json(&env, ["what-if", "tree", "--drop-files", "file"]);
    assert_eq!((run.status, &answer["complete"]), (3, &json!(false)), "{}", run.stderr);
    assert!(run.stderr.contains("no file matches of those that could be"), "{}", run.stderr);
}

#[test]
fn ids_and_paths_that_are_not_unique() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "paths", LOOSE);
    made.file(1, "hello-1.0", &db);
    made.file(2, "world-2.0", &db);
    insert(&db, 3, path(1, "hello-1.0").as_bytes(), Some(120));
    refer(&db, 3, 2);
    drop(db);
    let expected = ["odd_row"];
    let answer = warns(&made, &env, &["report", "--all"], &expected, &["more than once"]);
    assert_eq!(answer["total"]["paths"], json!(2));
    assert_eq!(answer["total"]["nar_size"], json!(240));

    // Nobody can tell which of two paths a reference means.
    let (made, db) = Made::with(&env, "ids", LOOSE);
    made.file(1, "hello-1.0", &db);
    made.file(2, "world-2.0", &db);
    fs::write(made.store.join(base(3, "third")), "contents").unwrap();
    insert(&db, 1, path(3, "third").as_bytes(), Some(120));
    refer(&db, 2, 1);
    drop(db);
    let answer = warns(&made, &env, &["report", "--all"], &expected, &["id 1"]);
    assert_eq!(answer["total"]["paths"], json!(3));
}

#[test]
fn ids_of_any_size_and_cycles() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    let ids = [-7, 0, 1, 5_000_000, i64::MAX];
    for (n, id) in ids.into_iter().enumerate() {
        let n = n as i64;
        fs::write(made.store.join(base(n, "x")), "contents").unwrap();
        insert(&db, id, path(n, "x").as_bytes(), Some(120));
        refer(&db, id, ids[(n as usize + 1) % 5]);
    }
    drop(db);
    let (answer, run) = made.json(&env, ["report", "--all"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    for row in answer["paths"].as_array().unwrap() {
        assert_eq!(row["closure_nar_size"], json!(600), "{row}");
    }
}

#[test]
fn nar_sizes_that_cannot_be_added_up() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    for id in 4..6 {
        made.file(id, "huge", &db);
        db.execute("UPDATE ValidPaths SET narSize = ?1 WHERE id = ?2", [i64::MAX, id]).unwrap();
    }
    // The largest sum that fits: 2^64 - 1. The disk says otherwise.
    db.execute_batch(
        "DELETE FROM Refs; DELETE FROM ValidPaths WHERE id IN (2, 3);
         UPDATE ValidPaths SET narSize = 1 WHERE id = 1",
    )
    .unwrap();
    let expected = ["nar_size_mismatch"];
    let answer = warns(&made, &env, &["report", "--all"], &expected, &["in the database"]);
    assert_eq!(answer["total"]["nar_size"].as_u64(), Some(u64::MAX));
    made.file(6, "one-more", &db);
    drop(db);
    fails_all(&made, &env, &["db.sqlite", "2^64", "hint: "]);
}

/// As [`fails`], for databases in which no target is looked up.
#[track_caller]
fn fails_all(made: &Made, env: &TestEnv, texts: &[&str]) {
    for command in &COMMANDS[..3] {
        is_failure(&made.run(env, *command), texts);
    }
}

#[test]
fn hashes_that_are_none() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    let zero = format!("sha256:{:064}", 0);
    db.execute("UPDATE ValidPaths SET hash = ?1 WHERE id = 1", [&zero]).unwrap();
    drop(db);
    let (answer, run) = made.json(&env, ["report", "--all", "--sort", "path"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(answer["paths"][0]["hash"], Value::Null);
    assert!(answer["paths"][1]["hash"].is_string());

    let (made, db) = Made::sound(&env, "odd");
    db.execute("UPDATE ValidPaths SET hash = 'sha256:\x1b[1m' WHERE id = 1", []).unwrap();
    drop(db);
    let args = ["report", "--all", "--sort", "path"];
    let answer = warns(&made, &env, &args, &["odd_row"], &["its hash is odd: sha256:\\x1b[1m"]);
    assert_eq!(answer["paths"][0]["hash"], Value::Null);
}

#[test]
fn other_texts_are_escaped() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    db.execute(
        "UPDATE ValidPaths SET deriver = '/nix/store/\x1b[31m\n', sigs = 'k:\x1b[1m \x07', ca = '\x1b[2J'
         WHERE id = 1",
        [],
    )
    .unwrap();
    db.execute("INSERT INTO DerivationOutputs VALUES (1, '\x1b[5m', ?1)", [path(2, "world-2.0")])
        .unwrap();
    drop(db);
    for format in ["table", "csv", "json"] {
        let run = made.run(&env, ["report", "--all", "--columns", "all", "--format", format]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        is_safe(&run.stdout);
    }
    let (answer, _) = made.json(&env, ["report", "--all", "--sort", "path"]);
    assert_eq!(answer["paths"][0]["ca"], json!("\x1b[2J"));
}

#[test]
fn a_database_without_rows() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    drop(db);
    fs::write(made.store.join("left-over"), "x").unwrap();
    let (answer, run) = made.json(&env, [""; 0]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!((&answer["paths"], &answer["invalid_entries"]), (&json!(0), &json!(1)));
    assert_eq!(answer["newest_registration"], Value::Null);
    assert_eq!(made.run(&env, ["report", "--all"]).status, 0);
    assert_eq!(made.run(&env, ["report", "hello"]).status, 2);
    // Nor is a note about it a reason to refuse it.
    fs::remove_file(made.database.with_file_name("schema")).unwrap();
    let (answer, run) = made.json(&env, ["report", "--all"]);
    assert_eq!((run.status, kinds(&answer)), (0, vec!["note".to_owned()]), "{}", run.stderr);
}

// The disk.

#[test]
fn a_valid_path_gone() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    fs::remove_file(made.store.join(base(1, "hello-1.0"))).unwrap();
    let gone = path(1, "hello-1.0");
    for args in [&["report", "--all", "--sort", "path"][..], &["report", "tree", "--sort", "path"]]
    {
        let answer = warns(&made, &env, args, &["missing_path"], &["hello-1.0", "not on disk"]);
        let row = &answer["paths"][0];
        assert_eq!(row["path"], json!(gone));
        assert_eq!((&row["nar_size"], &row["files"]), (&json!(120), &json!(0)));
    }
    warns(&made, &env, &[], &["missing_path"], &["hello-1.0"]);
    // The database alone is whole, and so is what does not need the path.
    assert_eq!(made.run(&env, ["report", "--all", "--no-disk"]).status, 0);
    let alone = ["report", "tree", "--no-closure", "--columns", "path,disk_size"];
    assert_eq!(made.run(&env, alone).status, 0);
}

#[test]
fn contents_that_the_database_does_not_know() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    fs::write(made.store.join(base(3, "tree")).join("file"), "12345678+").unwrap();
    let text = "its NAR has 296 bytes on disk, 288 in the database";
    warns(&made, &env, &["report", "--all"], &["nar_size_mismatch"], &[text]);
}

/// The program as the user nobody, who must be able to reach it and the store.
fn as_nobody(env: &TestEnv, made: &Made, args: &[&str]) -> Option<Run> {
    if !root() || !have(&["setpriv"]) {
        return None;
    }
    let mut setpriv = nobody(env);
    setpriv.args(made.args(args)).env_clear().env("COLUMNS", "120").current_dir("/");
    let run = run(&mut limited(&setpriv));
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    Some(run)
}

#[test]
fn permission_denied_below_the_store() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let tree = made.store.join(base(3, "tree"));
    let locked = tree.join("locked\x1b[31m");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, PermissionsExt::from_mode(0o700)).unwrap();
    for args in [&["report", "--all"][..], &[], &["report", "tree"]] {
        let Some(run) = as_nobody(&env, &made, args) else { return };
        assert_eq!(run.status, 3, "{}", run.stderr);
        assert!(run.stderr.contains("locked\\x1b[31m: "), "{}", run.stderr);
        assert!(run.stderr.contains("ermission denied"), "{}", run.stderr);
        assert!(!run.stderr.contains("in the database"), "{}", run.stderr);
        is_safe(&run.stderr);
    }
    let run = as_nobody(&env, &made, &["report", "--all", "--format", "json"]).unwrap();
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((kinds(&answer), &answer["complete"]), (vec!["unreadable".into()], &json!(false)));
    // The other paths are reported in full.
    let run = as_nobody(&env, &made, &["report", "world"]).unwrap();
    assert_eq!(run.status, 0, "{}", run.stderr);
}

#[test]
fn a_store_directory_or_database_that_may_not_be_read() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&made.store, 0o700);
    for args in [&["report", "--all"][..], &[], &["report", "--all", "--format", "json"]] {
        let Some(run) = as_nobody(&env, &made, args) else { return };
        is_failure(&run, &["/nix/store", "ermission denied", "hint: ", "--no-disk"]);
    }
    let run = as_nobody(&env, &made, &["report", "--all", "--no-disk"]).unwrap();
    assert_eq!(run.status, 0, "{}", run.stderr);
    mode(&made.store, 0o755);
    mode(&made.database, 0o600);
    let run = as_nobody(&env, &made, &["report", "--all"]).unwrap();
    is_failure(&run, &["cannot read", "db.sqlite", "ermission denied", "hint: ", "root"]);
    mode(&made.database, 0o644);
    mode(made.database.parent().unwrap(), 0o700);
    let run = as_nobody(&env, &made, &["report", "--all"]).unwrap();
    is_failure(&run, &["cannot read", "db.sqlite", "ermission denied", "hint: ", "root"]);
}

#[test]
fn a_store_directory_that_is_none() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    fs::remove_dir_all(&made.store).unwrap();
    let gone = ["cannot read the store directory", "/nix/store", "hint: ", "--no-disk"];
    for command in [&["report", "--all"][..], &[]] {
        is_failure(&made.run(&env, command), &gone);
    }
    fs::write(&made.store, "a file").unwrap();
    for command in [&["report", "--all"][..], &[]] {
        is_failure(&made.run(&env, command), &gone);
    }
    fs::remove_file(&made.store).unwrap();
    fifo(&made.store);
    is_failure(&made.run(&env, ["report", "--all"]), &gone);
    assert_eq!(made.run(&env, ["report", "--all", "--no-disk"]).status, 0);
}

#[test]
fn a_path_deleted_while_it_is_walked() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    let count = 200;
    db.execute_batch("BEGIN").unwrap();
    let fill = |id: i64| {
        let tree = made.store.join(base(id, "tree"));
        for i in 0..6 {
            let dir = tree.join(format!("{i}/below"));
            fs::create_dir_all(&dir).unwrap();
            for j in 0..6 {
                fs::write(dir.join(j.to_string()), "12345678").unwrap();
            }
        }
    };
    let nar = 24 + 72 + 6 * (88 + 8 + 72 + 88 + 8 + 72 + 6 * (88 + 8 + 88 + 8));
    for id in 1..=count {
        fill(id);
        insert(&db, id, path(id, "tree").as_bytes(), Some(nar));
    }
    db.execute_batch("COMMIT").unwrap();
    drop(db);
    assert_eq!(made.run(&env, ["report", "--all"]).status, 0);
    // Whether anything vanishes under the walk is luck; what must be true in
    // either case is asked. `disk::a_directory_deleted_before_it_is_opened` needs none.
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                for id in (1..=count).filter(|id| id % 2 == 0) {
                    fs::remove_dir_all(made.store.join(base(id, "tree"))).unwrap();
                    if end.load(Ordering::Relaxed) {
                        return;
                    }
                }
                for id in (1..=count).filter(|id| id % 2 == 0) {
                    fill(id);
                }
            }
        });
        for _ in 0..6 {
            let (answer, run) = made.json(&env, ["report", "--all", "--threads", "8"]);
            assert_eq!(answer["paths"].as_array().unwrap().len() as i64, count);
            let mut short = 0;
            for row in answer["paths"].as_array().unwrap() {
                let (found, known) = (&row["disk_nar_size"], &row["nar_size"]);
                let number: usize = row["path"].as_str().unwrap()[11..43].parse().unwrap();
                // Nobody touched these.
                assert!(number.is_multiple_of(2) || found == known, "{row}");
                short += usize::from(found != known);
            }
            // What is too small is never reported as complete.
            let complete = answer["complete"].as_bool().unwrap();
            assert!(short == 0 || !complete, "{short} paths fall short: {}", run.stderr);
            assert_eq!(run.status, if complete { 0 } else { 3 });
        }
        end.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_no_nar_can_hold() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    let tree = made.store.join(base(3, "tree"));
    fifo(&tree.join("fifo"));
    let socket = tree.join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut expected = 2;
    expected += u64::from(device(&tree.join("device")));
    // A path that is one itself.
    fifo(&made.store.join(base(4, "pipe")));
    insert(&db, 4, path(4, "pipe").as_bytes(), Some(120));
    drop(db);
    let args = ["report", "--all"];
    let texts = ["fifo: no NAR can hold", "socket: no NAR can hold", "-pipe: no NAR can hold"];
    let answer = warns(&made, &env, &args, &["unsupported_file"], &texts);
    assert_eq!(answer["warnings_total"], json!(expected + 1));
    warns(&made, &env, &[], &["unsupported_file"], &texts);
    warns(&made, &env, &["report", "pipe"], &["unsupported_file"], &texts[2..]);
}

/// What lies in the store directory beside the valid paths is counted, whatever
/// it is, and is not a fault.
#[test]
fn odd_entries_of_the_store_directory() {
    use std::os::unix::ffi::OsStrExt;
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    for name in [&b"\xff\xfe"[..], b"new\nline", b"\x1b[31m", b".hidden", b"x.lock", b".tmp-link-1"]
    {
        fs::write(made.store.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    symlink("/etc", made.store.join("etc")).unwrap();
    fifo(&made.store.join("pipe"));
    let (answer, run) = made.json(&env, [""; 0]);
    assert_eq!(answer["invalid_entries"], json!(8), "{}", run.stderr);
    is_safe(&made.run(&env, [""; 0]).stdout);
}

/// An old kernel does not know the call (ENOSYS), the filter of an older
/// container forbids it (EPERM).
#[test]
fn without_statx() {
    let env = TestEnv::new();
    if !can_trace() {
        return;
    }
    let inject = |error: &str| {
        let mut strace = Command::new("strace");
        let inject = format!("inject=statx:error={error}");
        strace.args(["-fqqo", "/dev/null", "-e", "trace=statx", "-e", &inject]);
        strace
    };
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    let tree = made.store.join(base(3, "tree"));
    fs::hard_link(tree.join("file"), env.join("again")).unwrap();
    for args in [&["report", "--all"][..], &["audit"], &["optimise"]] {
        let args = || made.args(args.iter().copied().chain(["--format", "json"]));
        let with = run(&mut env.command(args()));
        for error in ["ENOSYS", "EPERM"] {
            let without = run(inject(error).arg(env!("CARGO_BIN_EXE_nix-census")).args(args()));
            assert_eq!(without.status, with.status, "{error}: {}", without.stderr);
            assert_eq!(without.stdout, with.stdout, "{error}");
        }
    }
}

// The answer's way out.

#[test]
fn a_full_output_disk() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    for format in ["table", "json", "csv"] {
        for command in &COMMANDS[..3] {
            let args = || command.iter().copied().chain(["--format", format]);
            let run = made.run(&env, args().chain(["--output", "/dev/full"]));
            is_failure(&run, &["/dev/full", "No space left"]);
            let mut full = limited(&env.command(made.args(args())));
            full.stdout(File::create("/dev/full").unwrap());
            let run = full.output().unwrap();
            let stderr = String::from_utf8(run.stderr).unwrap();
            assert_eq!(run.status.code(), Some(3), "{stderr}");
            assert!(stderr.contains("could not be written"), "{stderr}");
            assert!(stderr.contains("No space left"), "{stderr}");
            assert!(!stderr.contains("panicked"), "{stderr}");
        }
    }
    // Messages that cannot be written change nothing else.
    let status = |made: &Made, args: &[&str]| {
        let mut mute = limited(&env.command(made.args(args)));
        mute.stderr(File::create("/dev/full").unwrap());
        mute.output().unwrap().status.code()
    };
    fs::remove_file(made.store.join(base(1, "hello-1.0"))).unwrap();
    assert_eq!(status(&made, &["report", "--all"]), Some(3));
    assert_eq!(status(&made, &["report", "--all", "--no-disk"]), Some(0));
    assert_eq!(status(&made, &["report", "nothing"]), Some(2));
}

#[test]
fn an_output_file_that_cannot_be_made() {
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "root");
    drop(db);
    for name in ["/nowhere/at/all", "/"] {
        let run = made.run(&env, ["report", "--all", "--output", name]);
        is_failure(&run, &[name]);
    }
}
