//! The stores that the other tests examine are what they are said to be.

use crate::support::{TestEnv, nix, run};
use serde_json::Value;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

#[test]
fn nix_finds_nothing_wrong_and_every_variant_holds_the_same_names() {
    nix::each_stores(|stores| {
        let names = |store: &nix::Store| -> Vec<String> {
            let mut names: Vec<_> = store
                .valid_paths()
                .iter()
                .map(|path| path.rsplit('/').next().unwrap()[33..].to_owned())
                .collect();
            names.sort();
            names
        };
        let fresh = names(&stores.fresh);
        assert!(fresh.len() > 70, "{fresh:?}");
        assert_eq!(names(&stores.root), fresh);
        assert_eq!(names(&stores.root_optimised), fresh);
        assert!(names(&stores.partly).len() > fresh.len());
        // On a copy, since Nix writes where it verifies.
        let env = TestEnv::new();
        let copy = stores.root_optimised.copy(&env, "copy");
        copy.nix("nix-store", ["--verify", "--check-contents"]);
    });
}

#[test]
fn a_copy_keeps_hard_links_and_can_be_optimised() {
    nix::each_stores(|stores| {
        let env = TestEnv::new();
        let inodes = |store: &nix::Store| -> usize {
            let seen: HashSet<u64> = walkdir::WalkDir::new(&store.real_store_dir)
                .into_iter()
                .map(|entry| entry.unwrap().metadata().unwrap().ino())
                .collect();
            seen.len()
        };
        let copy = stores.root.copy(&env, "copy");
        assert_eq!(inodes(&copy), inodes(&stores.root));
        let before = inodes(&copy);
        copy.nix("nix-store", ["--optimise"]);
        assert!(inodes(&copy) < before - 1000, "{before} {}", inodes(&copy));
        // Since 2.23 other names of an inode that was replaced are passed over,
        // so a few inodes more or less stay, by the order of directories.
        let (copied, optimised) = (inodes(&copy), inodes(&stores.root_optimised));
        let spread = if copy.nix.since("2.23") { 8 } else { 0 };
        assert!(copied.abs_diff(optimised) <= spread, "{copied} {optimised}");
    });
}

#[test]
fn the_shapes_are_there() {
    nix::each_stores(|stores| {
        let store = &stores.fresh;
        let hard = store.real_path(&store.find("hard-links-1.0"));
        assert_eq!(hard.join("bin/git").metadata().unwrap().nlink(), 41);
        let sparse = store.real_path(&store.find("sparse-1.0")).join("all-hole");
        let meta = sparse.metadata().unwrap();
        assert!(meta.blocks() * 512 < meta.size());
        assert!(store.real_path(&store.find("single-symlink-1.0")).is_symlink());
        assert_eq!(
            store.nix("nix-store", ["-q", "--deriver", &store.find("twin-1.0")]).lines().count(),
            1
        );
        for profile in
            [store.real_state_dir.join("profiles/system"), store.dir.join("user/profile")]
        {
            let base = profile.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(profile.read_link().unwrap().to_str().unwrap(), format!("{base}-3-link"));
        }
        let infos = store.path_infos(&[]);
        // Later versions write what is not there as null, false or an empty list.
        let with = |key: &str| {
            let none =
                |v: &Value| v.is_null() || *v == false || v.as_array().is_some_and(Vec::is_empty);
            infos.values().filter(|info| !none(&info[key])).count()
        };
        assert!(with("ca") > 3 && with("signatures") == 2 && with("ultimate") > 30);
        assert!(with("ultimate") < infos.len());
        let dead = store.find("dead-1.0");
        assert!(store.nix("nix-store", ["--gc", "--print-dead"]).contains(&dead));
    });
}

#[test]
fn the_program_runs_with_nothing_from_outside() {
    let mut env = TestEnv::new();
    env.set("MARK", "1");
    let out = run(Command::new("env")
        .env_clear()
        .envs(env.command([""; 0]).get_envs().filter_map(|(name, value)| Some((name, value?)))));
    let names: Vec<&str> = out.stdout.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["COLUMNS", "HOME", "MARK", "TZ"]);
}

#[test]
fn the_demo_survives_git_and_tells_its_story() {
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo");
    let env = TestEnv::new();
    let root = demo.to_str().unwrap();
    let report = env.json(["report", "--all", "--root", root, "--format", "json"]);
    assert_eq!(report["complete"], true, "{}", report["warnings"]);
    let paths = report["paths"].as_array().unwrap();
    assert!(paths.len() > 150);
    for path in paths {
        assert_eq!(path["disk_nar_size"], path["nar_size"], "{path}");
    }
    // Who keeps the heavy ones: the one reference that the story is about.
    let referrers = |name: &str| -> Vec<&str> {
        let path = paths.iter().find(|path| path["name"] == name).unwrap();
        let mut names: Vec<&str> = path["referrers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|path| &path.as_str().unwrap()["/nix/store/".len() + 33..])
            .filter(|referrer| *referrer != name && !referrer.ends_with(".drv"))
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(referrers("source"), ["etc-nix-registry.json"]);
    assert_eq!(referrers("systemd-minimal-255.6"), ["dbus-1.14.10"]);
    assert_eq!(referrers("python3-3.11.9"), ["systemd-boot-builder.py"]);
    assert_eq!(referrers("aws-sdk-cpp-1.11.318"), ["nix-2.18.2"]);
    for module in ["source", "perl-5.38.2"] {
        assert!(!referrers(module).contains(&"system-path"));
    }
}
