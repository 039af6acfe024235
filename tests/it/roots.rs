//! Roots against real Nix: what it finds, what they keep, and what is seen of
//! running processes, of an image, and by a user without privileges.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::nix;
use crate::support::store_with_roots::{
    EXPRESSION, Rooted, arrows, each_rooted, list, number, print_roots, texts, unquoted,
};
use crate::support::{TestEnv, have, nobody, root, run};

#[test]
fn roots_are_those_that_nix_prints() {
    each_rooted(|rooted| {
        let ours = rooted.json("roots", &[]);
        let nix = rooted.undone(|| rooted.nix_store(&["--gc", "--print-roots"]));
        assert_eq!(arrows(list(&ours, "roots")), print_roots(&nix));

        // Kinds, by the end of the link's name.
        let kind = |end: &str| {
            let rows = list(&ours, "roots").iter();
            let found: Vec<_> =
                rows.filter(|r| r["link"].as_str().unwrap().ends_with(end)).collect();
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
            ("elsewhere", "twice"),
            ("invalid_path", "invalid"),
            ("missing", "auto"),
            ("missing", "dangling"),
        ];
        assert_eq!(stale, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(ours["complete"], true, "{}", ours["warnings"]);
    });
}

#[test]
fn roots_of_a_path_are_those_that_nix_queries() {
    each_rooted(|rooted| {
        for name in ["lib-1.0", "tool-common", "fixed-1.0", "solo.drv", "app-2"] {
            let path = rooted.store.find(name);
            let ours = rooted.json("roots", &["--of", &path, "--keep-derivations=false"]);
            let nix = rooted.undone(|| rooted.nix_store(&["-q", "--roots", &path]));
            assert_eq!(arrows(list(&ours, "roots")), print_roots(&nix), "{name}");
            for row in list(&ours, "roots") {
                let chain = row["chain"].as_array().unwrap();
                assert_eq!(
                    (&chain[0], chain.last().unwrap().as_str()),
                    (&row["path"], Some(&*path))
                );
            }
        }
        let dead = rooted.store.find("dead");
        let mut args: Vec<OsString> =
            ["roots", "--of", &dead, "--no-runtime"].map(Into::into).into();
        args.extend(rooted.store.args());
        assert_eq!(rooted.env.run(args).status, 1);
        // A deriver is kept by its output, and the chain says so.
        let ours = rooted.json("roots", &["--of", "app-2.drv"]);
        let row = &list(&ours, "roots")[0];
        assert_eq!(row["chain_text"], "app-2 –(deriver)→ app-2.drv");
        assert_eq!(row["chain_links"], serde_json::json!(["deriver"]));
    });
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
    each_rooted(|rooted| {
        let store = &rooted.store;
        let solo = store.find("solo");
        let dead = store.find("dead");
        let tool = store.find("tool-dead");
        // A program in the store, mapped and run.
        let lib = store.find("lib-1.0-dev");
        let running = Command::new("sleep")
            .arg("infinity")
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
            nix.lines().map(unquoted).filter(|l| l.starts_with(&prefix)).collect();
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
    });
}

#[test]
fn a_running_nix_holds_temporary_roots() {
    each_rooted(|rooted| {
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
        while !lock() {
            assert!(build.try_wait().unwrap().is_none(), "the build did not begin");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
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
        let of_nix: BTreeSet<String> = (nix.lines().map(unquoted))
            .filter(|l| l.starts_with("{temp:"))
            .filter(|l| valid.contains(l.split(" -> ").nth(1).unwrap()))
            .collect();
        assert_eq!(arrows(&temporary), of_nix);
        assert!(of_nix.iter().any(|l| l.ends_with("-hold.drv")), "{nix}");
        // What is being built is not garbage.
        let entries = list(&garbage, "invalid_entries");
        assert!(!entries.is_empty());
        assert!(entries.iter().all(|e| e["dead"] == false), "{entries:?}");
    });
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
        let mut args: Vec<OsString> = vec![command.into(), "--root-kind=image".into()];
        args.extend(store.args());
        args.extend(["--format".into(), "json".into()]);
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
    let Some(nix) = nix::first() else { return };
    let env = TestEnv::new();
    let dir = env.join("s");
    let rooted = Rooted::new(nix, env, dir);
    // All but the program's own directory may be read.
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&rooted.store.dir)).ok();
    let private = rooted.store.dir.join("user");
    let hidden = rooted.json("roots", &[]);
    run(Command::new("chmod").arg("700").arg(&private)).ok();
    let ours = run(nobody(&rooted.env)
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

/// A store of `nix --store DIR` has its indirect roots on this machine.
#[test]
fn a_chroot_store_keeps_what_nix_keeps_there() {
    nix::each(|nix| {
        let mut env = TestEnv::new();
        let dir = fs::canonicalize(env.path()).unwrap();
        let store = dir.join("chroot");
        let store = store.to_str().unwrap();
        let nix_store = |args: &[&str]| {
            let home = dir.join("home");
            let run =
                run(nix.command("nix-store").args(["--store", store]).args(args).env("HOME", home));
            run.ok().trim().to_owned()
        };
        let add = |name: &str| {
            fs::write(dir.join(name), name).unwrap();
            nix_store(&["--add", dir.join(name).to_str().unwrap()])
        };
        let (kept, dead) = (add("kept"), add("dead"));
        let result = dir.join("work/result").to_str().unwrap().to_owned();
        fs::create_dir(dir.join("work")).unwrap();
        nix_store(&["--add-root", &result, "--indirect", "--realise", &kept]);
        assert_eq!(nix_store(&["--gc", "--print-dead"]), dead);
        assert!(nix_store(&["--gc", "--print-roots"]).contains(&result));

        let local = format!("local?root={store}");
        let ours = |env: &TestEnv, args: &[&str]| {
            let garbage = env.json([&["garbage", "--format=json", "--no-runtime"], args].concat());
            assert_eq!(garbage["complete"], true, "{}", garbage["warnings"]);
            let paths = texts(list(&garbage, "dead_paths"), "path");
            assert_eq!(paths, BTreeSet::from([dead.clone()]), "{args:?}");
            let roots = env.json([&["roots", "--format=json", "--no-runtime"], args].concat());
            assert_eq!(texts(list(&roots, "roots"), "link"), BTreeSet::from([result.clone()]));
        };
        ours(&env, &["--root", store, "--root-kind=chroot"]);
        ours(&env, &["--store", store]);
        ours(&env, &["--store", &local]);
        ours(&env, &["--store-dir=/nix/store", "--store", "./chroot"]);
        env.set("NIX_CONFIG", &format!("store = {store}"));
        ours(&env, &[]);
        env.set("NIX_CONFIG", "").set("NIX_REMOTE", &local);
        ours(&env, &[]);
        // As an image it has nothing at that place, and that is not the whole truth.
        let args = ["--root", store, "garbage", "--format=json"];
        let image = env.run(args);
        assert_eq!(image.status, 3);
        assert!(image.stderr.contains("--root-kind chroot"), "{}", image.stderr);
        let image = env.json([&args[..], &["--root-kind=image"]].concat());
        assert_eq!((&image["complete"], &image["dead"]["paths"]), (&true.into(), &2.into()));
    });
}

/// Stores on other machines and those that are none are refused by name.
#[test]
fn a_remote_store_is_refused_by_name() {
    let mut env = TestEnv::new();
    for uri in ["ssh://host", "https://cache.nixos.org", "dummy://", "s3://bucket?region=x"] {
        let asked = env.run(["--store", uri]);
        assert_eq!((asked.status, asked.stderr.contains(uri)), (2, true), "{}", asked.stderr);
        env.set("NIX_REMOTE", uri);
        let meant = env.run([""; 0]);
        assert_eq!((meant.status, meant.stderr.contains(uri)), (3, true), "{}", meant.stderr);
        assert!(meant.stderr.contains("NIX_REMOTE"), "{}", meant.stderr);
    }
}

/// Nix trusts the public halves of the keys that it signs with.
#[test]
fn public_halves_of_secret_keys_are_those_that_nix_makes() {
    use nix_census::roots::{SettingsFiles, read_settings};
    use nix_census::warning::Warnings;
    nix::each(|nix| {
        let env = TestEnv::new();
        let mut make = nix.command("nix-store");
        make.args(["--generate-binary-cache-key", "test-1", "secret", "public"]);
        run(make.current_dir(env.path()).env("HOME", env.join("home"))).ok();
        fs::write(env.join("nix.conf"), "secret-key-files = /secret\n").unwrap();
        let tree = nix_census::fs::Tree::live(env.path()).unwrap();
        let system = vec!["/nix.conf".into()];
        let files = SettingsFiles { system, ..SettingsFiles::default() };
        let mut warnings = Warnings::new();
        let settings = read_settings(&tree, &files, &mut warnings);
        let halves = settings.public_halves(&tree, &mut warnings);
        assert_eq!(halves, [fs::read_to_string(env.join("public")).unwrap().trim()]);
        assert_eq!(warnings.total(), 0);
    });
}

#[test]
fn flags_that_name_the_store_twice_are_refused() {
    let env = TestEnv::new();
    for (args, word) in [
        (["--store=local", "garbage", "--root=."], "--store"),
        (["--root=.", "garbage", "--store=local"], "--store"),
        (["--store=local", "garbage", "--state-dir=."], "--store"),
        (["--no-disk", "garbage", "--root-kind=chroot"], "--root-kind"),
    ] {
        let run = env.run(args);
        assert_eq!((run.status, run.stderr.contains(word)), (2, true), "{args:?}: {}", run.stderr);
    }
}

/// `nix-collect-garbage --store DIR` cleans the profiles of this machine, and
/// leaves those in `DIR` alone.
#[test]
fn generations_of_a_chroot_store_are_those_that_nix_collect_garbage_deletes() {
    nix::each(|nix| {
        let mut env = TestEnv::new();
        let dir = fs::canonicalize(env.path()).unwrap();
        let (store, state, home) = (dir.join("chroot"), dir.join("state"), dir.join("home"));
        let ours = ["roots", "--format=json", "--no-runtime", "--nix-version", &nix.version];
        env.set("NIX_STATE_DIR", state.to_str().unwrap()).set("HOME", home.to_str().unwrap());
        fs::create_dir_all(state.join("profiles")).unwrap();
        fs::create_dir_all(&home).unwrap();
        let nix_command = |program: &str, args: &[&str]| {
            let mut command = nix.command(program);
            command.arg("--store").arg(&store).args(args);
            let run = run(command.env("HOME", &home).env("NIX_STATE_DIR", &state));
            run.ok().trim().to_owned()
        };
        fs::write(dir.join("file"), "file").unwrap();
        let path = nix_command("nix-store", &["--add", dir.join("file").to_str().unwrap()]);
        let places = [store.join("nix/var/nix/profiles"), state.join("profiles")];
        let auto = store.join("nix/var/nix/gcroots/auto");
        fs::create_dir_all(&auto).unwrap();
        for (profiles, name) in places.iter().zip(["inside", "outside"]) {
            for number in [1, 2] {
                let link = profiles.join(format!("{name}-{number}-link"));
                symlink(&path, &link).unwrap();
                symlink(&link, auto.join(format!("{name}-{number}"))).unwrap();
            }
            symlink(format!("{name}-2-link"), profiles.join(name)).unwrap();
        }
        let roots = env.json([&ours[..], &["--store", store.to_str().unwrap()]].concat());
        let profiles = list(&roots, "profiles").iter();
        let ours: BTreeSet<std::path::PathBuf> = profiles
            .filter(|profile| profile["old_generations"].as_u64().is_some_and(|old| old > 0))
            .map(|profile| profile["profile"].as_str().unwrap().into())
            .collect();
        nix_command("nix-collect-garbage", &["-d"]);
        let exists = |at: usize, name: &str| {
            places[at].join(format!("{name}-1-link")).symlink_metadata().is_ok()
        };
        let deleted = [(0, "inside"), (1, "outside")].into_iter().filter(|&(at, n)| !exists(at, n));
        let deleted: BTreeSet<std::path::PathBuf> =
            deleted.map(|(at, name)| places[at].join(name)).collect();
        assert_eq!(ours, deleted);
        // The superuser's are in the state directory with all versions but 2.15.
        assert!(!deleted.is_empty() || !root());
    });
}

/// The user's files and the environment count as they do for Nix.
#[test]
fn settings_come_from_where_nix_reads_them() {
    nix::each(|nix| {
        let env = TestEnv::new();
        let dir = fs::canonicalize(env.path()).unwrap();
        for (file, text) in [
            (
                "conf/nix.conf",
                "gc-keep-outputs = true\n!include gone.conf\ninclude more.conf # x\n",
            ),
            ("conf/more.conf", "keep-derivations = false\n"),
            ("home/.config/nix/nix.conf", "keep-outputs = false\n"),
            ("xdg/nix/nix.conf", "keep-outputs = yes\nkeep-derivations = true\n"),
            ("other/nix/nix.conf", "keep-derivations = 0\n"),
            ("own.conf", "keep-outputs = 1\n"),
        ] {
            fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
            fs::write(dir.join(file), text).unwrap();
        }
        fs::create_dir_all(dir.join("s/var/gcroots")).unwrap();
        fs::create_dir_all(dir.join("s/store")).unwrap();
        fs::write(dir.join("empty.reg"), "").unwrap();
        let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        let home = path("home");
        let several = format!("{}:{}", path("other"), path("xdg"));
        let files = format!("{}:{}", path("own.conf"), path("xdg/nix/nix.conf"));
        let mut seen = BTreeSet::new();
        for variables in [
            vec![("HOME", &*home)],
            vec![("HOME", &*home), ("XDG_CONFIG_DIRS", &*several)],
            vec![("HOME", "/"), ("XDG_CONFIG_DIRS", &*several)],
            vec![("HOME", &*home), ("XDG_CONFIG_HOME", &*path("xdg"))],
            vec![("HOME", &*home), ("NIX_USER_CONF_FILES", &*files)],
            vec![("HOME", &*home), ("NIX_USER_CONF_FILES", "")],
            vec![("HOME", &*home), ("NIX_CONFIG", "keep-outputs = true\nkeep-derivations = true")],
        ] {
            let conf = path("conf");
            let mut theirs = nix.command("nix");
            theirs.args(["--extra-experimental-features", "nix-command", "show-config"]);
            theirs.env_remove("NIX_CONFIG").env("NIX_CONF_DIR", &conf);
            theirs.env("NIX_STATE_DIR", path("s/var")).env("NIX_STORE_DIR", path("s/store"));
            theirs.envs(variables.iter().copied());
            let theirs = run(&mut theirs).ok();
            let theirs = ["keep-outputs", "keep-derivations"].map(|name| {
                let line = format!("{name} = ");
                theirs.lines().find_map(|l| l.strip_prefix(&line)).unwrap() == "true"
            });
            let mut ours = env.command([
                "--store-dir",
                &path("s/store"),
                "--state-dir",
                &path("s/var"),
                "--registration",
                "empty.reg",
                "--no-disk",
                "garbage",
                "--no-runtime",
                "--format=json",
            ]);
            let ours = run(ours.env("NIX_CONF_DIR", &conf).envs(variables.iter().copied()));
            let ours: Value = serde_json::from_str(&ours.ok()).unwrap();
            let ours = &ours["settings"];
            let found = ["keep_outputs", "keep_derivations"].map(|name| ours[name] == true);
            assert_eq!(found, theirs, "{variables:?}: {ours}");
            let told = |name: &str| ours[name].as_str().unwrap().to_owned();
            seen.insert((told("keep_outputs_source"), told("keep_derivations_source")));
        }
        assert!(seen.contains(&("NIX_CONFIG".to_owned(), "NIX_CONFIG".to_owned())), "{seen:?}");
        assert!(seen.contains(&(path("own.conf"), path("xdg/nix/nix.conf"))), "{seen:?}");
    });
}

/// The daemon takes settings over from users that it trusts, and nobody is not one.
#[test]
fn an_untrusted_users_settings_do_not_count_for_the_daemon() {
    if !root() || !have(&["setpriv"]) {
        return;
    }
    let env = TestEnv::new();
    fs::create_dir_all(env.join("var/gcroots")).unwrap();
    fs::create_dir_all(env.join("conf")).unwrap();
    fs::write(env.join("empty.reg"), "").unwrap();
    // All that matters is that there is one.
    fs::write(env.join("socket"), "").unwrap();
    let keeps_outputs = |system: &str, socket: &str| {
        fs::write(env.join("conf/nix.conf"), system).unwrap();
        let mut ours = nobody(&env);
        run(Command::new("chmod").args(["-R", "a+rX"]).arg(env.path())).ok();
        ours.args(["--store-dir=/nix/store", "--state-dir=var", "--registration=empty.reg"]);
        ours.args(["--no-disk", "garbage", "--no-runtime", "--format=json"]);
        ours.env_clear().env("HOME", "/").env("NIX_CONFIG", "keep-outputs = true");
        ours.env("NIX_CONF_DIR", env.join("conf")).current_dir(env.path());
        let ours = run(ours.env("NIX_DAEMON_SOCKET_PATH", env.join(socket)));
        let answer: Value = serde_json::from_str(&ours.ok()).unwrap();
        let noted = texts(list(&answer, "warnings"), "message");
        let noted = noted.iter().filter(|message| message.contains("keep-outputs"));
        (answer["settings"]["keep_outputs"] == true, noted.count())
    };
    assert_eq!(keeps_outputs("", "none"), (true, 0));
    assert_eq!(keeps_outputs("", "socket"), (false, 1));
    assert_eq!(keeps_outputs("trusted-users = *", "socket"), (true, 0));
    assert_eq!(keeps_outputs("extra-trusted-users = nobody", "socket"), (true, 0));
}

/// One process that may not be examined is a note; with `--strict` it makes the
/// answer incomplete.
#[test]
fn strict_makes_a_process_that_may_not_be_examined_more_than_a_note() {
    // Nobody may not examine this very process.
    if !root() || !have(&["setpriv"]) {
        return;
    }
    let env = TestEnv::new();
    fs::create_dir_all(env.join("var/gcroots")).unwrap();
    fs::write(env.join("empty.reg"), "").unwrap();
    for command in ["garbage", "roots"] {
        let kinds = |strict: &[&str]| {
            let mut ours = nobody(&env);
            run(Command::new("chmod").args(["-R", "a+rX"]).arg(env.path())).ok();
            ours.args(["--store-dir=/nix/store", "--state-dir=var", "--registration=empty.reg"]);
            ours.args(["--no-disk", command, "--format=json"]).args(strict);
            let ours = run(ours.env_clear().env("HOME", "/").current_dir(env.path()));
            let answer: Value = serde_json::from_str(&ours.stdout).unwrap();
            assert_eq!(ours.status == 0, answer["complete"] == true, "{}", ours.stderr);
            let warnings = list(&answer, "warnings").iter();
            let of = warnings.filter(|warning| {
                warning["message"].as_str().unwrap().contains("may not be examined by this user")
            });
            of.map(|warning| warning["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&[]), ["note"], "{command}");
        assert_eq!(kinds(&["--strict"]), ["unreadable"], "{command}");
    }
}

/// A file of paths says nothing of roots; this machine's are not its own.
#[test]
fn a_file_of_paths_needs_a_root_to_tell_garbage() {
    let env = TestEnv::new();
    let file = env.join("paths.json");
    let path = "/nix/store/0c5b8vw40dy178xlpddw65q9gf1h2186-a-1.0";
    let hash = "sha256-LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=";
    let info =
        format!(r#"[{{"path":"{path}","narHash":"{hash}","narSize":4096,"references":[]}}]"#);
    fs::write(&file, info).unwrap();
    for command in ["garbage", "roots"] {
        for flag in ["--path-info", "--registration", "--db"] {
            let ours = env.run([flag.as_ref(), file.as_os_str(), command.as_ref()]);
            assert_eq!((ours.status, &*ours.stdout), (2, ""), "{command} {flag}: {}", ours.stderr);
            assert!(ours.stderr.contains("--root"), "{}", ours.stderr);
        }
    }
    fs::create_dir_all(env.join("root/nix/var/nix/gcroots")).unwrap();
    let ours = env.ok(["--path-info", "paths.json", "--root", "root", "--no-disk", "garbage"]);
    assert!(ours.contains("-a-1.0"), "{ours}");
}

/// What people read, over the demo store; dates of links are those of the
/// checkout and are blanked.
#[test]
fn the_demo_stores_tables() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
    let env = TestEnv::new();
    let show = |args: &[&str]| {
        let text = env.ok(["--root", demo, "--root-kind=image", "--no-disk"].iter().chain(args));
        let mut shown = String::new();
        for line in text.lines() {
            let mut line = line.to_owned();
            // `2026-11-23 03:31`
            let date = |at: &usize| {
                line.as_bytes().get(*at..at + 16).is_some_and(|t| {
                    (t[4], t[7], t[10], t[13]) == (b'-', b'-', b' ', b':') && t[0].is_ascii_digit()
                })
            };
            if let Some(at) = (0..line.len()).find(date) {
                line.replace_range(at..at + 16, "YYYY-MM-DD HH:MM");
            }
            shown.push_str(&line);
            shown.push('\n');
        }
        shown
    };
    insta::assert_snapshot!("roots", show(&["roots", "--shared", "--older-than", "36500d"]));
    insta::assert_snapshot!("roots_of", show(&["roots", "--of", "openssl"]));
    let removed = ["--if-removed", "/home/demo/result", "--keep-generations", "1"];
    let why = ["garbage", "openssl", "hello", "--limit", "5", "--keep-outputs"];
    insta::assert_snapshot!("garbage", show(&[&why[..], &removed].concat()));
}
