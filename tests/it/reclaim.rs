//! `reclaim`: each step of the ladder, by doing it with real Nix on a store.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use serde_json::Value;

use crate::support::store_in_code::{Made, SCHEMA, base, path};
use crate::support::store_with_roots::{Rooted, each_rooted, list, number};
use crate::support::{TestEnv, du, du_inodes, run};

/// Runs a command of the ladder as a person would, with the store's Nix.
fn do_it(rooted: &Rooted, line: &str) {
    let nix = rooted.store.command("nix-store", [""; 0]);
    let mut shell = Command::new("bash");
    shell.args(["-ec", line]).env_clear().current_dir("/");
    shell.envs(nix.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = run(&mut shell);
    assert_eq!(run.status, 0, "{line}: {}", run.stderr);
}

/// What the store and the user's files take, the directory `.links` apart.
fn space(rooted: &Rooted) -> [u64; 2] {
    let trees = [rooted.store.real_store_dir.clone(), rooted.user("")];
    let links = rooted.store.real_store_dir.join(".links").exists();
    [rooted.disk_size(), du_inodes(&trees) - u64::from(links)]
}

/// Makes every link that a user has a hundred days old.
fn age_links(rooted: &Rooted) {
    for entry in fs::read_dir(rooted.user("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            run(Command::new("touch").args(["-h", "-d", "100 days ago"]).arg(path)).ok();
        }
    }
}

/// Does each step of the ladder in turn, and compares what it frees. The kinds of
/// the steps.
fn kinds_done<'a>(rooted: &Rooted, answer: &'a Value) -> Vec<&'a str> {
    let mut kinds: Vec<&str> = Vec::new();
    rooted.undone(|| {
        let start = space(rooted);
        for action in list(answer, "actions") {
            let kind = action["action"].as_str().unwrap();
            // What lies outside the store is this machine's.
            if matches!(kind, "cache" | "logs" | "compact_database") {
                continue;
            }
            kinds.push(kind);
            let before = space(rooted);
            for line in action["commands"].as_array().unwrap() {
                do_it(rooted, line.as_str().unwrap());
            }
            let after = space(rooted);
            // Some of the links themselves lie among the user's files.
            let links = action["links"].as_array().unwrap().iter();
            let user = rooted.user("");
            let links =
                links.filter(|link| link.as_str().unwrap().starts_with(user.to_str().unwrap()));
            let removed = links.count() as u64;
            let mut freed = [before[0] - after[0], before[1] - after[1] - removed];
            let unused = |action: &&Value| action["action"] == "unused_links";
            // One collection does both.
            if kind == "collect_garbage"
                && let Some(unused) = list(answer, "actions").iter().find(unused)
            {
                freed[0] -= number(&unused["disk_freed"]);
                freed[1] -= number(&unused["inodes_freed"]);
            }
            if kind != "unused_links" {
                let ours = [number(&action["disk_freed"]), number(&action["inodes_freed"])];
                assert_eq!(ours, freed, "{action:#}");
            }
            // The sum is what all steps have freed.
            if kind != "collect_garbage" {
                assert_eq!(number(&action["total_disk_freed"]), start[0] - after[0]);
            }
        }
    });
    kinds
}

#[test]
fn each_step_frees_what_doing_it_frees() {
    each_rooted(|rooted| {
        for partly_optimised in [false, true] {
            let store = &rooted.store.real_store_dir;
            if partly_optimised {
                rooted.store.nix("nix-store", ["--optimise"]);
                fs::write(store.join(".links/unused"), "unused".repeat(2000)).unwrap();
                // Not linked yet: what optimising still has to do.
                let source = rooted.user("added");
                fs::create_dir(&source).unwrap();
                for name in ["a", "b"] {
                    fs::write(source.join(name), "common ".repeat(3000)).unwrap();
                }
                rooted.store.nix("nix-store", ["--add".into(), source.clone().into_os_string()]);
                let path = rooted.store.find("added");
                let args = ["--realise", &path, "--add-root", "keep", "--indirect"];
                let link = rooted.user("keep");
                let args = args.map(|arg| match arg {
                    "keep" => link.to_str().unwrap(),
                    other => other,
                });
                rooted.store.nix("nix-store", args);
                fs::remove_dir_all(source).unwrap();
            }
            let half = store.join("00000000000000000000000000000000-half");
            fs::create_dir_all(&half).unwrap();
            fs::write(half.join("file"), "half".repeat(3000)).unwrap();
            // What only an old link keeps.
            rooted.build("dead", &["-o", rooted.user("result-old").to_str().unwrap()]);
            age_links(rooted);
            // One link is young, and stays.
            let young = rooted.user("keep");
            if young.exists() {
                run(Command::new("touch").args(["-h", "-d", "1 day ago"]).arg(young)).ok();
            }

            let answer =
                rooted.json("reclaim", &["--nix-version", rooted.store.nix.version.as_str()]);
            let kinds = kinds_done(rooted, &answer);
            for kind in ["collect_garbage", "old_generations", "stale_links", "optimise"] {
                assert!(kinds.contains(&kind), "no {kind} in {kinds:?}");
            }
            assert_eq!(kinds.contains(&"unused_links"), partly_optimised);
        }
        rooted.put_back();
    });
}

#[test]
fn a_removal_that_frees_nothing_is_listed_before_those_that_count_on_it() {
    each_rooted(|rooted| {
        // An old generation and an old link keep the same path.
        let kept = rooted.build("dead", &["-o", rooted.user("result-old").to_str().unwrap()]);
        let other = rooted.build("other", &["--no-out-link"]);
        let profile = rooted.store.real_state_dir.join("profiles/double");
        for path in [&kept[0], &other[0]] {
            rooted.store.nix("nix-env", ["-p", profile.to_str().unwrap(), "--set", path]);
        }
        age_links(rooted);
        let answer = rooted.json("reclaim", &["--no-optimise"]);
        kinds_done(rooted, &answer);
        let actions = list(&answer, "actions");
        let place = |end: &str| {
            let of = |a: &Value| a["subject"].as_str().unwrap().ends_with(end);
            actions.iter().position(of).unwrap_or_else(|| panic!("no {end}: {answer:#}"))
        };
        let [generation, link] = [place("/profiles/double"), place("result")];
        assert!(generation < link);
        assert_eq!(number(&actions[generation]["disk_freed"]), 0);
        assert!(number(&actions[link]["disk_freed"]) > 0);
        rooted.put_back();
    });
}

/// `reclaim` on a store with no Nix: old generations of two profiles, an old
/// link, a young one, and what lies outside the store.
fn made(env: &TestEnv) -> Made {
    let (made, db) = Made::with(env, "root", SCHEMA);
    for (id, name) in [(1, "old"), (2, "new"), (3, "linked"), (4, "young"), (5, "dead")] {
        made.file(id, name, &db);
        // Nix passes over files that may be written to.
        let file = made.store.join(base(id, name));
        fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    }
    drop(db);
    let link = |id, name: &str, place: &str, days: u32| {
        let place = made.dir.join(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(path(id, name), &place).unwrap();
        let date = format!("{days} days ago");
        run(Command::new("touch").args(["-h", "-d", &date]).arg(place)).ok();
    };
    let state = made.dir.join("nix/var/nix");
    link(1, "old", "nix/var/nix/profiles/system-1-link", 90);
    link(2, "new", "nix/var/nix/profiles/system-2-link", 80);
    symlink("system-2-link", state.join("profiles/system")).unwrap();
    link(3, "linked", "home/u/p/.direnv/flake-profile-1", 70);
    link(4, "young", "home/u/p/result", 1);
    fs::create_dir_all(state.join("gcroots/auto")).unwrap();
    for (name, to) in [("a", "/home/u/p/.direnv/flake-profile-1"), ("b", "/home/u/p/result")] {
        symlink(to, state.join("gcroots/auto").join(name)).unwrap();
    }
    let write = |name: &str, contents: &[u8]| {
        let place = made.dir.join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, contents).unwrap();
    };
    write("home/u/.cache/nix/eval-cache-v5/x.sqlite", &[1; 9000]);
    write("nix/var/log/nix/drvs/ab/c.drv.bz2", &[1; 5000]);
    for generation in 1..=3 {
        let entry = format!("linux /EFI/nixos/k.efi\ninitrd /EFI/nixos/i{generation}.efi\n");
        write(&format!("boot/loader/entries/nixos-generation-{generation}.conf"), entry.as_bytes());
        write(&format!("boot/EFI/nixos/i{generation}.efi"), &[1; 9000]);
    }
    write("boot/EFI/nixos/k.efi", &[1; 9000]);
    made
}

#[test]
fn the_ladder_of_a_known_store() {
    let env = TestEnv::new();
    let made = made(&env);
    let (answer, first) = made.json(&env, ["reclaim"]);
    assert_eq!((first.status, &*first.stderr), (0, ""));
    let steps = |answer: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let actions = list(answer, "actions").iter();
        actions.map(|a| (text(&a["action"]), text(&a["subject"]))).collect()
    };
    let step = |action: &str, subject: &str| (action.to_owned(), subject.to_owned());
    let all = [
        step("collect_garbage", ""),
        step("old_generations", "/nix/var/nix/profiles/system"),
        step("stale_links", "nix-direnv"),
        step("optimise", ""),
        step("cache", "evaluation of /home/u/.cache/nix"),
        step("logs", ""),
    ];
    assert_eq!(steps(&answer), all);
    let block = du(&[&made.store.join(base(1, "old"))]);
    for action in &list(&answer, "actions")[..3] {
        assert_eq!((number(&action["disk_freed"]), number(&action["inodes_freed"])), (block, 1));
    }
    // Of two equal files that stay, one goes.
    assert_eq!(number(&list(&answer, "actions")[3]["disk_freed"]), block);
    let cache = made.dir.join("home/u/.cache/nix/eval-cache-v5");
    assert_eq!(number(&list(&answer, "actions")[4]["disk_freed"]), du(&[&cache]));
    let sum: u64 = list(&answer, "actions").iter().map(|a| number(&a["disk_freed"])).sum();
    assert_eq!(number(&answer["total"]["disk_freed"]), sum);
    let commands = &list(&answer, "actions")[1]["commands"];
    let delete = "nix-env -p /nix/var/nix/profiles/system --delete-generations 1";
    assert_eq!(commands[0], delete);

    // Kernels once; a generation that is gone still has an entry.
    let boot = list(&answer, "boot");
    let generations: Vec<_> =
        boot.iter().map(|b| (number(&b["generation"]), b["generation_exists"] == true)).collect();
    assert_eq!(generations, [(3, false), (2, true), (1, true)]);
    let kernels = du(&[&made.dir.join("boot/EFI/nixos/k.efi")]);
    assert!(boot.iter().all(|b| number(&b["disk_size"]) == number(&b["own_disk_size"]) + kernels));

    // It stops where that is enough.
    for (need, count, status) in
        [(block, 1, 0), (block + 1, 2, 0), (3 * block, 3, 0), (1 << 40, 6, 1)]
    {
        let (answer, run) = made.json(&env, ["reclaim", "--need", &need.to_string()]);
        assert_eq!(steps(&answer), all[..count], "{need}");
        assert_eq!(run.status, status, "{need}: {}", run.stderr);
        assert_eq!(answer["total"]["enough"], status == 0);
    }
    let (answer, _) = made.json(&env, ["reclaim", "--need", &(2 * block).to_string()]);
    assert_eq!(
        (&answer["need"]["proof"], &answer["need"]["roots"]),
        (&"smallest".into(), &1.into())
    );
    let (answer, _) = made.json(&env, ["reclaim", "--need-inodes", "3"]);
    assert_eq!(steps(&answer), all[..3]);

    // Nothing of the disk is made up.
    let (answer, run) = made.json(&env, ["reclaim", "--no-disk"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(steps(&answer), all[..3]);
    for action in list(&answer, "actions") {
        assert_eq!((&action["disk_freed"], &action["nar_size"]), (&Value::Null, &120.into()));
    }

    // Removals that free nothing are steps only where one follows that may count on them.
    for (number, to) in [(1, path(4, "young")), (3, path(2, "new"))] {
        let place = made.dir.join(format!("nix/var/nix/profiles/zero-{number}-link"));
        symlink(to, place).unwrap();
    }
    symlink("zero-3-link", made.dir.join("nix/var/nix/profiles/zero")).unwrap();
    let zero = step("old_generations", "/nix/var/nix/profiles/zero");
    for disk in [&["--no-optimise"][..], &["--no-disk"]] {
        let ladder = |days| made.json(&env, [&["reclaim", "--older-than", days], disk].concat()).0;
        let kinds = steps(&ladder("30d"));
        assert!(kinds.iter().position(|s| *s == zero) < kinds.iter().position(|s| *s == all[2]));
        assert!(kinds.contains(&zero));
        let kinds = steps(&ladder("200d"));
        assert!(kinds.contains(&all[1]) && !kinds.contains(&zero), "{kinds:?}");
    }
    let refused = made.run(&env, ["reclaim", "--no-disk", "--need", "1G"]);
    assert_eq!(refused.status, 2, "{}", refused.stderr);
}

/// What compacting the database gives back is an estimate: it never decides alone.
#[test]
fn what_is_not_certain_to_come_free_does_not_count_as_enough() {
    let env = TestEnv::new();
    let made = made(&env);
    let db = rusqlite::Connection::open(&made.database).unwrap();
    db.execute_batch(
        "CREATE TABLE Junk (a); INSERT INTO Junk VALUES (zeroblob(100000)); DROP TABLE Junk;",
    )
    .unwrap();
    drop(db);
    let (answer, _) = made.json(&env, ["reclaim"]);
    let actions = list(&answer, "actions");
    let is_compact = |a: &&Value| a["action"] == "compact_database";
    let compact = number(&actions.iter().find(is_compact).unwrap()["disk_freed"]);
    assert!(compact >= 100_000);
    let all = number(&answer["total"]["disk_freed"]);
    let certain = all - compact;
    let most = certain + du(&[&made.database]);
    assert!(most > all);
    for (need, enough, status) in [
        (certain, Value::from(true), 0),
        (certain + 1, Value::Null, 3),
        (all, Value::Null, 3),
        (most, Value::Null, 3),
        (most + 1, Value::from(false), 1),
    ] {
        let (answer, run) = made.json(&env, ["reclaim", "--need", &need.to_string()]);
        assert_eq!((&answer["total"]["enough"], run.status), (&enough, status), "{need}");
        assert_eq!(run.stderr.contains("whether that is enough is not known"), status == 3);
        assert_eq!(answer["complete"], status != 3);
    }
    let (answer, run) = made.json(&env, ["reclaim", "--need-inodes", "1000"]);
    assert_eq!((&answer["total"]["enough"], run.status), (&false.into(), 1));
}
