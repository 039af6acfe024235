//! Garbage against real Nix: what it calls live and dead, what it deletes, and
//! what the disk gains by that.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::images::Mount;
use crate::support::nix;
use crate::support::store_in_code::{self, Made, SCHEMA, refer};
use crate::support::store_with_roots::{SETTINGS, each_rooted, lines, list, number, texts};
use crate::support::{TestEnv, du, du_inodes, have, root, run, skip};

#[test]
fn live_and_dead_are_those_that_nix_prints_under_all_settings() {
    each_rooted(|rooted| {
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
    });
}

#[test]
fn settings_are_those_of_the_stores_own_nix_conf() {
    each_rooted(|rooted| {
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
    });
}

#[test]
fn what_collecting_frees_is_what_the_disk_gains() {
    each_rooted(|rooted| {
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
            // What is not a valid path: a lock, a half-built output, strange names.
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
            let inodes = number(&now["dead"]["inodes_freed"]);
            let nix = rooted.space_freed_by_nix(|| {});
            assert_eq!([garbage, inodes], nix, "optimised: {optimised}");
            assert_eq!(list(&now, "invalid_entries").len(), 3);
            assert!(number(&now["dead"]["invalid_disk_freed"]) > 0);
            let unused = number(&now["dead"]["unused_links_disk_freed"]);
            assert_eq!(unused > 0, optimised);

            // Each root alone, and by `--if-removed`.
            let roots = rooted.json("roots", &[]);
            for row in list(&roots, "roots") {
                let link = row["link"].as_str().unwrap();
                let freed = number(&row["freed_disk_size"]);
                // The link itself goes before Nix collects.
                let nix = rooted.space_freed_by_nix(|| fs::remove_file(link).unwrap());
                assert_eq!(freed + garbage, nix[0], "optimised: {optimised}, {link}");
                assert_eq!(number(&row["freed_inodes"]) + inodes, nix[1], "{link}");
                let step = rooted.json("garbage", &["--if-removed", link]);
                let dead = &step["dead"];
                assert_eq!([number(&dead["disk_freed"]), number(&dead["inodes_freed"])], nix);
                let step = &list(&step, "steps")[1];
                assert_eq!(number(&step["disk_freed"]), freed);
                assert_eq!(step["inodes_freed"], row["freed_inodes"]);
            }
            assert!(list(&roots, "roots").iter().any(|r| number(&r["freed_disk_size"]) > 0));

            // Generations, as nix-env deletes them.
            for (args, delete, keys) in [
                (&["--older-than", "30d"][..], "30d", Some("older_freed_disk_size")),
                (&["--older-than", "60d"], "60d", None),
                (&["--keep-generations", "2"], "+2", None),
                (&["--keep-generations", "1"], "+1", Some("old_freed_disk_size")),
            ] {
                // One profile lies where only --all-users looks.
                let ours = rooted.json("garbage", &[args, &["--all-users"]].concat());
                let profiles = list(&roots, "profiles");
                assert_eq!(profiles.len(), 2);
                let nix = rooted.freed_by_nix(|| {
                    for profile in profiles {
                        let profile = profile["profile"].as_str().unwrap();
                        rooted
                            .store
                            .nix("nix-env", ["-p", profile, "--delete-generations", delete]);
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
    });
}

/// A store of Nix on a file system of its own, where `df -i` counts nothing else.
#[test]
fn inodes_freed_are_those_that_df_gains() {
    if !root() || !have(&["mount", "umount", "df", "mkfs.ext4"]) {
        return skip("no file system can be made and mounted here");
    }
    let env = TestEnv::new();
    let (image, at) = (env.join("image"), env.join("mnt"));
    fs::create_dir(&at).unwrap();
    fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
    run(Command::new("mkfs.ext4").arg("-q").arg(&image)).ok();
    let mut mount = Command::new("mount");
    let mounted = run(mount.args(["-o", "loop"]).arg(&image).arg(&at));
    if mounted.status != 0 {
        return skip("no loop device can be mounted here");
    }
    let _mount = Mount(at.clone());
    let Some(nix) = nix::first() else { return };
    let store = nix::Store::root(nix, at.join("root"));
    for name in ["one", "two", "three"] {
        let source = env.join(name);
        fs::create_dir_all(source.join("sub")).unwrap();
        for file in ["a", "b", "c"] {
            fs::write(source.join("sub").join(file), name).unwrap();
        }
        store.nix("nix-store", ["--add".into(), source.into_os_string()]);
    }
    let df = |field: &str| {
        let output = format!("--output={field}");
        let out = run(Command::new("df").args(["--block-size=1", &output]).arg(&at)).ok();
        out.lines().nth(1).unwrap().trim().parse::<u64>().unwrap()
    };
    for optimised in [false, true] {
        if optimised {
            store.nix("nix-store", ["--optimise"]);
        }
        let mut args = store.args();
        args.extend(["--format", "json"].map(Into::into));
        let overview = env.json(args.clone());
        for (key, field) in [
            ("file_system_size", "size"),
            ("available_size", "avail"),
            ("file_system_inodes", "itotal"),
            ("free_inodes", "iavail"),
        ] {
            assert_eq!(number(&overview[key]), df(field), "{key}");
        }
        args.push("garbage".into());
        let answer = env.json(args);
        let freed = number(&answer["dead"]["inodes_freed"]);
        assert!(freed > 6, "{answer}");
        if optimised {
            // Beside the store, Nix makes and tidies away files of its own.
            let state = || du_inodes(&[&store.real_state_dir]);
            let before = df("iavail") + state();
            store.nix("nix-collect-garbage", [""; 0]);
            assert_eq!(df("iavail") + state() - before, freed);
        }
    }
}

#[test]
fn dead_paths_of_a_closure_can_be_deleted_alone() {
    each_rooted(|rooted| {
        let dead = texts(list(&rooted.json("garbage", &[]), "dead_paths"), "path");
        let mut held_somewhere = false;
        for path in &dead {
            let answer = rooted.json("garbage", &["--within", path]);
            let rows = list(&answer, "dead_paths");
            let (held, deletable): (Vec<&Value>, Vec<&Value>) =
                rows.iter().partition(|row| row["held"] == true);
            let chosen = &answer["chosen"];
            assert_eq!(chosen["paths"], deletable.len());
            assert_eq!(chosen["held_paths"], held.len());
            let ours = [number(&chosen["disk_freed"]), number(&chosen["inodes_freed"])];
            let mut args = vec!["--delete"];
            args.extend(deletable.iter().map(|row| row["path"].as_str().unwrap()));
            let nix = rooted.space_freed(
                || {},
                || {
                    if args.len() > 1 {
                        rooted.nix_store(&args);
                    }
                    for row in &held {
                        let args = ["--delete", row["path"].as_str().unwrap()];
                        let refused = rooted.store.try_nix("nix-store", args);
                        assert_ne!(refused.status, 0, "{path}: {row} is not held");
                    }
                },
            );
            assert_eq!(ours, nix, "{path}");
            held_somewhere |= !held.is_empty();
        }
        assert!(held_somewhere);
    });
}

#[test]
fn roots_that_are_enough_are_enough() {
    each_rooted(|rooted| {
        let now = rooted.json("garbage", &[]);
        let garbage = number(&now["dead"]["disk_freed"]);
        let all = rooted.json("garbage", &["--if-removed", "*"]);
        let (most, inodes) =
            (number(&all["dead"]["disk_freed"]), number(&all["dead"]["inodes_freed"]));
        for need in [garbage, garbage + 1, (garbage + most) / 2, garbage + (most - garbage) / 8 * 7]
        {
            let answer = rooted.json("garbage", &["--need", &need.to_string()]);
            let roots = list(&answer, "roots_to_remove");
            let nix = rooted.space_freed_by_nix(|| {
                for root in roots {
                    fs::remove_file(root["link"].as_str().unwrap()).unwrap();
                }
            });
            assert!(nix[0] >= need, "{need}: {answer}");
            assert_eq!(number(&answer["need"]["disk_freed"]) + garbage, nix[0]);
            assert_eq!(roots.is_empty(), need == garbage);
        }
        let mut args = rooted.store.args();
        let need = (inodes + 1).to_string();
        args.extend(["garbage", "--no-runtime", "--need-inodes", &need].map(Into::into));
        let refused = rooted.env.run(args);
        assert_eq!(refused.status, 1, "{}", refused.stderr);
        assert!(refused.stdout.contains("are not enough"), "{}", refused.stdout);
        rooted.put_back();
    });
}

#[test]
fn garbage_by_age() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    // `young` refers to `shared`; nothing refers to `old`; of `odd` no time is known.
    for (id, name, time) in [
        (1, "old", now - 100 * 86_400),
        (2, "shared", now - 100 * 86_400),
        (3, "young", now - 80 * 86_400),
        (4, "odd", 0),
    ] {
        made.file(id, name, &db);
        db.execute("UPDATE ValidPaths SET registrationTime = ?1 WHERE id = ?2", [time, id])
            .unwrap();
    }
    refer(&db, 3, 2);
    drop(db);
    let (answer, run) = made.json(&env, ["garbage", "--registered-before", "90d"]);
    let held = |name: &str| {
        let rows = list(&answer, "dead_paths").iter();
        let mut rows = rows.filter(|row| row["path"].as_str().unwrap().ends_with(name));
        rows.next().map(|row| row["held"] == true)
    };
    assert_eq!(held("-old"), Some(false));
    assert_eq!(held("-shared"), Some(true));
    assert_eq!((held("-young"), held("-odd")), (None, None));
    assert_eq!(
        (&answer["chosen"]["paths"], &answer["chosen"]["held_paths"]),
        (&1.into(), &1.into())
    );
    assert_eq!(answer["dead"]["paths"], 4);
    // What is not known leaves something out.
    assert_eq!((run.status, &answer["complete"]), (3, &false.into()));
}

#[test]
fn groups_of_roots_free_what_removing_all_of_them_frees() {
    each_rooted(|rooted| {
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
    });
}

#[test]
fn why_a_path_is_dead_or_alive() {
    each_rooted(|rooted| {
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
        assert!(
            because(2).contains("-link → ") || because(2).contains(" → lib-1.0"),
            "{}",
            because(2)
        );
    });
}

#[test]
fn what_nix_fails_to_delete_does_not_count_as_freed() {
    let env = TestEnv::new();
    // `world` refers to `hello`, `tree` to both; all of it is dead.
    let odd = [(9, 2), (2, 9)];
    for (from, to) in odd {
        let (made, db) = Made::sound(&env, &format!("odd-{from}"));
        store_in_code::insert(
            &db,
            9,
            format!("/nix/store/{}-", "9".repeat(32)).as_bytes(),
            Some(120),
        );
        store_in_code::refer(&db, from, to);
        let (garbage, run) = made.json(&env, ["garbage", "--no-disk", "hello-1.0"]);
        let dead = texts(list(&garbage, "dead_paths"), "path");
        // Nix comes to `world` and `hello` by what refers to them, and stops.
        assert_eq!(dead, BTreeSet::from([store_in_code::path(3, "tree")]), "{from} to {to}");
        assert_eq!(garbage["dead"]["failing_paths"], 2);
        let because = garbage["why"][0]["because"].as_str().unwrap();
        assert!(because.contains("Nix fails to delete it"), "{because}");
        assert_eq!(run.status, 3);
    }
    for (from, to, failing) in [(77, 2, 2), (2, 77, 0)] {
        let (made, db) = Made::sound(&env, &format!("gone-{from}"));
        store_in_code::refer(&db, from, to);
        let (garbage, run) = made.json(&env, ["garbage", "--no-disk"]);
        assert_eq!(garbage["dead"]["failing_paths"], failing, "{from} to {to}");
        assert_eq!(number(&garbage["dead"]["paths"]), 3 - failing);
        assert_eq!(run.status, 3);
    }
}

/// What lives and stands beside a row that Nix cannot read makes its whole
/// collection fail; a root to which such a row refers does not.
#[test]
fn a_live_path_at_which_nix_stops_is_told() {
    nix::each(|nix| {
        for (case, (from, to)) in [
            // Rows: 1 `live`, 2 `root`, which refers to it, 9 an odd one, 77 none.
            ("refers", (1, 9)),
            ("root-refers", (2, 9)),
            ("referred-to", (9, 1)),
            ("root-referred-to", (9, 2)),
            ("gone", (1, 77)),
            ("referrer-gone", (77, 1)),
        ]
        .into_iter()
        {
            let mut env = TestEnv::new();
            let dir = fs::canonicalize(env.path()).unwrap();
            let store = dir.join("chroot");
            let nix_store = |args: &[&str]| {
                let mut command = nix.command("nix-store");
                run(command.arg("--store").arg(&store).args(args).env("HOME", dir.join("home")))
            };
            let add = |name: &str| {
                fs::write(dir.join(name), name).unwrap();
                nix_store(&["--add", dir.join(name).to_str().unwrap()]).ok().trim().to_owned()
            };
            let paths = [add("live"), add("root"), add("dead")];
            let gcroots = store.join("nix/var/nix/gcroots");
            symlink(&paths[1], gcroots.join("root")).unwrap();
            let db = rusqlite::Connection::open(store.join("nix/var/nix/db/db.sqlite")).unwrap();
            db.pragma_update(None, "foreign_keys", "OFF").unwrap();
            store_in_code::refer(&db, 2, 1);
            store_in_code::insert(
                &db,
                9,
                format!("/nix/store/{}-", "9".repeat(32)).as_bytes(),
                Some(120),
            );
            store_in_code::refer(&db, from, to);
            drop(db);
            env.set("HOME", dir.join("home").to_str().unwrap());
            let args = ["--store", store.to_str().unwrap(), "garbage", "--no-runtime"];
            let ours = env.run([&args[..], &["--format=json", "--quiet"]].concat());
            let answer: serde_json::Value = serde_json::from_str(&ours.stdout).unwrap();
            let stops = texts(list(&answer, "warnings"), "message");
            let stops = stops.iter().any(|m| m.contains("stops with an error"));
            // Any of them is odd enough to be reported.
            assert_eq!((ours.status, &answer["complete"]), (3, &false.into()), "{case}");
            let collected = nix_store(&["--gc"]);
            let failed = collected.status != 0;
            // Which of two paths Nix comes to first is chance; where it may stop, we say so.
            assert!(stops || !failed, "{nix}, {case}: {}", collected.stderr);
            if case != "referred-to" {
                assert_eq!(stops, failed, "{nix}, {case}: {}", collected.stderr);
            }
        }
    });
}

#[test]
fn temporary_directories_in_use_stay_as_nix_leaves_them() {
    each_rooted(|rooted| {
        let store = &rooted.store.real_store_dir;
        for name in ["tmp-1-used", "tmp-1-free"] {
            fs::create_dir(store.join(name)).unwrap();
        }
        fs::write(store.join("tmp-file"), "file").unwrap();
        let used = fs::File::open(store.join("tmp-1-used")).unwrap();
        used.lock().unwrap();
        let mut args: Vec<std::ffi::OsString> = vec!["garbage".into()];
        args.extend(rooted.store.args());
        args.extend(["--format", "json", "--nix-version"].map(Into::into));
        args.push(rooted.store.nix.version.as_str().into());
        let ours = rooted.env.run(args);
        let ours: serde_json::Value = serde_json::from_str(&ours.stdout).unwrap();
        let left = rooted.undone_while_running(|| {
            rooted.nix_store(&["--gc"]);
            ["tmp-1-free", "tmp-1-used", "tmp-file"].map(|name| store.join(name).exists())
        });
        drop(used);
        let rows = list(&ours, "invalid_entries");
        let stays: Vec<bool> = rows.iter().map(|row| row["dead"] == false).collect();
        assert_eq!(stays, left);
        assert_eq!(texts(rows, "name").len(), 3);
        assert_eq!(left[1], rooted.store.nix.since("2.12"), "{left:?}");
        rooted.put_back();
    });
}

#[test]
fn files_of_the_store_beneath_an_overlay_are_never_freed() {
    let env = TestEnv::new();
    let (merged, db) = Made::sound(&env, "merged");
    db.execute("DELETE FROM Refs", []).unwrap();
    // Both layers, as they are mounted: `hello-1.0` lies in the lower one.
    let (lower, lower_db) = Made::with(&env, "lower", store_in_code::SCHEMA);
    lower.file(1, "hello-1.0", &lower_db);
    let lower = lower.dir.to_str().unwrap();
    for args in [&["garbage", "--no-runtime"][..], &["garbage", "--no-runtime", "--lower", lower]] {
        let (garbage, _) = merged.json(&env, args.iter().copied());
        assert_eq!(garbage["dead"]["paths"], 3);
        // An upper copy of it would go.
        let uncertain = store_in_code::kinds(&garbage).contains(&"uncertain".to_owned());
        assert_eq!(uncertain, args.contains(&"--lower"));
        let freed = |name: &str| {
            let path = list(&garbage, "dead_paths").iter();
            let mut row = path.filter(|row| row["path"].as_str().unwrap().ends_with(name));
            number(&row.next().unwrap()["disk_freed"])
        };
        assert!(freed("world-2.0") > 0);
        assert_eq!(freed("hello-1.0") == 0, args.contains(&"--lower"));
        let sum = freed("hello-1.0") + freed("world-2.0") + freed("tree");
        assert_eq!(number(&garbage["dead"]["disk_freed"]), sum);
    }
    let run = merged.run(&env, ["optimise", "--lower", lower]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("Nix hard-links nothing"), "{}", run.stderr);
}

/// A store over another by Nix itself, on a mounted overlay.
#[test]
fn collecting_in_a_local_overlay_store_frees_what_the_upper_layer_holds() {
    if !root() || !have(&["mount", "umount", "du"]) {
        return;
    }
    nix::each(|nix| {
        // The experimental feature came with 2.22.
        if !nix.since("2.22") {
            return;
        }
        let env = TestEnv::new();
        let [lower, upper, work, merged] =
            ["lower", "upper", "work", "merged"].map(|name| env.join(name));
        for dir in [&lower.join("nix/store"), &merged.join("nix/store"), &upper, &work] {
            fs::create_dir_all(dir).unwrap();
        }
        let in_store = |store: &str, args: &[&str]| {
            let config = "build-users-group =\nexperimental-features = nix-command \
                          local-overlay-store read-only-local-store";
            let mut command = nix.command("nix-store");
            command.env("HOME", env.join("home")).env("NIX_CONFIG", config);
            command.args(["--store", store]).args(args);
            // As in `Store::try_nix`: another test's process may be where no name reaches.
            let mut runs = (0..100).map(|_| run(&mut command));
            runs.find(|run| !nix::meets_a_name_that_is_too_long(run))
                .unwrap()
                .ok()
                .trim()
                .to_owned()
        };
        let add = |store: &str, name: &str, bytes: usize| {
            let file = env.join(name);
            fs::write(&file, vec![b'x'; bytes]).unwrap();
            in_store(store, &["--add", file.to_str().unwrap()])
        };
        let text = |dir: &Path| dir.to_str().unwrap().to_owned();
        let low = add(&text(&lower), "low", 300_000);
        let Ok(_mount) = mount_overlay(&lower.join("nix/store"), &upper, &work, &merged) else {
            return skip("no overlay can be mounted here");
        };
        let store = format!(
            "local-overlay://?root={}&lower-store={}&upper-layer={}&check-mount=false",
            text(&merged),
            text(&lower),
            text(&upper)
        );
        let up = add(&store, "up", 200_000);
        let (root, beneath) = (text(&merged), text(&lower));
        let args = ["garbage", "--no-runtime", "--root", &root, "--root-kind", "image"];
        let args = [&args[..], &["--lower", &beneath, "--format", "json"]].concat();
        let ours: Value = serde_json::from_str(&env.run(args).stdout).unwrap();
        assert_eq!(texts(list(&ours, "dead_paths"), "path"), [low, up].into());
        let before = du(&[&upper]);
        in_store(&store, &["--gc"]);
        assert!(before > 200_000, "{before}");
        assert_eq!(number(&ours["dead"]["disk_freed"]), before - du(&[&upper]));
    });
}

fn mount_overlay(lower: &Path, upper: &Path, work: &Path, merged: &Path) -> Result<Mount, String> {
    let [lower, upper, work] = [lower, upper, work].map(Path::display);
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let at = merged.join("nix/store");
    let mut mount = Command::new("mount");
    let run = run(mount.args(["-t", "overlay", "-o", &options, "overlay"]).arg(&at));
    if run.status == 0 { Ok(Mount(at)) } else { Err(run.stderr) }
}
