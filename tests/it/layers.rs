//! Stores on overlayfs over several file systems, where inode numbers and
//! devices are those of layers, and what is mounted inside a store. These need
//! root.

use crate::images::Mount;
use crate::support::nix::{self, Store};
use crate::support::store_in_code::{Made, SCHEMA, base, insert, path};
use crate::support::{TestEnv, du, du_inodes, have, root, run, skip};
use nix_census::disk::{self, Progress, ScanOptions};
use nix_census::fs::{StoreFiles, Tree};
use nix_census::outside::Outside;
use nix_census::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreLocation};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

fn mounted(args: &[&str], at: &Path) -> Option<Mount> {
    fs::create_dir_all(at).unwrap();
    let mounted = run(Command::new("mount").args(args).arg(at));
    if mounted.status == 0 {
        return Some(Mount(at.to_owned()));
    }
    skip(&format!("mount {args:?}: {}", mounted.stderr));
    None
}

/// Adds a path of three files that each such path has, one of its own, and a symlink.
fn add(env: &TestEnv, store: &Store, name: &str) {
    let from = env.join(name);
    fs::create_dir(&from).unwrap();
    for i in 0..3 {
        fs::write(from.join(format!("f{i}")), format!("equal contents {i}").repeat(99)).unwrap();
    }
    fs::write(from.join("own"), name).unwrap();
    symlink("target", from.join("link")).unwrap();
    store.nix("nix-store", ["--add".as_ref(), from.as_os_str()]);
}

/// The answers for a store on overlayfs, against `du` and what Nix then reports;
/// whether one inode shows as several.
fn check(env: &TestEnv, store: &Store, optimise: bool) -> bool {
    let ask = |args: &[&str]| -> Value {
        let mut all = store.args();
        all.extend(args.iter().map(Into::into));
        all.extend(["--format".into(), "json".into()]);
        let run = env.run(all);
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr))
    };
    let report = ask(&["report", "--all"]);
    let paths = report["paths"].as_array().unwrap();
    let on_disk: Vec<_> =
        paths.iter().map(|row| store.real_path(row["path"].as_str().unwrap())).collect();
    for (row, path) in paths.iter().zip(&on_disk) {
        assert_eq!(row["disk_size"], du(&[path]), "{row:#}");
    }
    assert_eq!(report["total"]["disk_size"], du(&on_disk), "{:#}", report["total"]);
    if !optimise {
        return false;
    }
    let answer = ask(&["optimise", "--nix-version", &store.nix.version]);
    // Where one inode shows as several, that is said, of both answers.
    let torn = |answer: &Value| {
        let warnings = answer["warnings"].as_array().unwrap();
        warnings.iter().any(|w| w["message"].as_str().unwrap().contains("as several inodes"))
    };
    assert_eq!(torn(&answer), torn(&report), "{answer:#}");
    assert_eq!(report["complete"], !torn(&report));
    // What the disk gains depends on what is copied up.
    assert_eq!(answer["complete"], false);
    // So does what `reclaim` says of it, where all is kept.
    for row in paths {
        let path = Path::new(row["path"].as_str().unwrap());
        let root = store.dir.join("nix/var/nix/gcroots").join(path.file_name().unwrap());
        _ = symlink(path, root);
    }
    let reclaim = ask(&["reclaim", "--no-runtime", "--nix-version", &store.nix.version]);
    let actions = reclaim["actions"].as_array().unwrap();
    let of_copies = |w: &Value| w["message"].as_str().unwrap().contains("copied before");
    assert_eq!(
        actions.iter().any(|action| action["action"] == "optimise"),
        reclaim["warnings"].as_array().unwrap().iter().any(of_copies),
        "{reclaim:#}"
    );
    assert!(!actions.is_empty(), "{reclaim:#}");
    if torn(&answer) {
        // Some versions of Nix fail here: "Stale file handle".
        return true;
    }
    let nix = store.try_nix("nix-store", ["--optimise"]);
    if nix.stderr.contains("Stale file handle") {
        // Nix's own failure in files that it copied up itself: 2.26 at times.
        return false;
    }
    assert_eq!(nix.status, 0, "{}", nix.stderr);
    let line = nix.stderr.lines().last().unwrap_or_default();
    assert_eq!(answer["nix_report"]["line"], line, "{answer:#}");
    false
}

/// Runs the checks on a store of three paths below, with what is added above.
fn on_layers(below: &str, options: &str) {
    if !root() || !nix::nix() || !have(&["mount", "umount", "mksquashfs"]) {
        return;
    }
    nix::each(|nix| {
        let env = TestEnv::new();
        let lower = Store::root(nix, env.join("lower"));
        for name in ["a", "b", "c"] {
            add(&env, &lower, name);
        }
        let (mut from, mut mounts) = (lower.dir.clone(), Vec::new());
        if below == "squashfs" {
            let image = env.join("image");
            let mut command = Command::new("mksquashfs");
            command.arg(&lower.dir).arg(&image).args(["-noappend", "-quiet", "-no-progress"]);
            run(&mut command).ok();
            from = env.join("squashfs");
            let image = image.to_str().unwrap();
            let Some(mount) = mounted(&["-o", "loop,ro", image], &from) else { return };
            mounts.push(mount);
        }
        let Some(mount) = mounted(&["-t", "tmpfs", "none"], &env.join("above")) else { return };
        mounts.push(mount);
        for name in ["upper", "work"] {
            fs::create_dir(env.join("above").join(name)).unwrap();
        }
        let above = env.join("above").display().to_string();
        let from = from.display();
        let options =
            format!("lowerdir={from},upperdir={above}/upper,workdir={above}/work{options}");
        let merged = env.join("merged");
        let overlay = mounted(&["-t", "overlay", "overlay", "-o", &options], &merged);
        let Some(overlay) = overlay else { return };
        let store = Store::root(nix, merged);
        assert!(!check(&env, &store, true), "nothing is copied up yet");
        // Now with `.links` and files in both layers.
        add(&env, &store, "d");
        check(&env, &store, true);
        check(&env, &store, false);
        drop(overlay);
        while let Some(mount) = mounts.pop() {
            drop(mount);
        }
    });
}

#[test]
fn squashfs_below_tmpfs() {
    on_layers("squashfs", "");
}

#[test]
fn squashfs_below_tmpfs_without_xino() {
    on_layers("squashfs", ",xino=off");
}

#[test]
fn squashfs_below_tmpfs_with_xino() {
    on_layers("squashfs", ",xino=on");
}

#[test]
fn a_directory_below_tmpfs_with_an_index_or_metacopy() {
    on_layers("directory", ",index=on,xino=off");
    on_layers("directory", ",metacopy=on,xino=off");
}

/// A directory mounted a second time has its files twice, with one name each.
#[test]
fn a_path_bound_into_another_counts_once() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let store = env.join("store");
    for name in ["a/inner", "b/inner"] {
        fs::create_dir_all(store.join(name)).unwrap();
    }
    for i in 0..5 {
        fs::write(store.join(format!("a/inner/{i}")), "x".repeat(5000 * i)).unwrap();
    }
    fs::write(store.join("a/file"), "contents").unwrap();
    let (from, at) = (store.join("a"), store.join("b/inner"));
    let bound = run(Command::new("mount").arg("--bind").arg(&from).arg(&at));
    if bound.status != 0 {
        return skip(&format!("nothing can be bound here: {}", bound.stderr));
    }
    let mount = Mount(at);
    let files = StoreFiles::live(&store, Path::new("/")).unwrap();
    for whole in [true, false] {
        let options = ScanOptions { whole, ..ScanOptions::default() };
        let scan = disk::scan(&files, &["a", "b"], &options, &Progress::default()).unwrap();
        let private: u64 = scan.usages.iter().map(|usage| usage.private_disk_size).sum();
        let shared: u64 = scan.inodes.iter().map(disk::Inode::disk_size).sum();
        // `du` leaves out what is mounted again: here of the paths, named both.
        let once =
            du(&[&store.join("a")]) + fs::metadata(store.join("b")).map_or(0, |b| b.blocks() * 512);
        assert_eq!(private + shared, once);
        assert_eq!(scan.usages[0].disk_size, du(&[&store.join("a")]));
        let private: u64 = scan.usages.iter().map(|usage| usage.private_inodes).sum();
        let inodes = du_inodes(&[&store.join("a")]) + 1;
        assert_eq!(private + scan.inodes.len() as u64, inodes);
    }
    drop(mount);
}

/// The same for those who look at each entry in the walk: kinds and files.
#[test]
fn a_path_bound_into_another_is_one_to_kinds_and_files() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "root", SCHEMA);
    let place = |id, name: &str| made.store.join(base(id, name));
    for (id, name) in [(1, "a"), (2, "b")] {
        insert(&db, id, path(id, name).as_bytes(), None);
        fs::create_dir_all(place(id, name).join("inner/deeper")).unwrap();
    }
    fs::write(place(1, "a").join("inner/deeper/file.h"), "x".repeat(9000)).unwrap();
    drop(db);
    let at = place(2, "b").join("inner");
    let bound = run(Command::new("mount").arg("--bind").arg(place(1, "a")).arg(&at));
    if bound.status != 0 {
        return skip(&format!("nothing can be bound here: {}", bound.stderr));
    }
    let mount = Mount(at);
    let own = |id, name| fs::metadata(place(id, name)).unwrap().blocks() * 512;
    let once = du(&[&place(1, "a")]) + own(2, "b");
    let ask = |args: &[&str]| made.json(&env, args).0;
    assert_eq!(ask(&["report", "--all"])["total"]["disk_size"], once);
    for command in [&["files", "--all"][..], &["kinds", "--all"]] {
        let answer = ask(command);
        assert_eq!(answer["total"]["disk_size"], once, "{command:?}: {answer:#}");
    }
    // Each kind is a part of it.
    let sum = |answer: &Value| -> u64 {
        let kinds = answer["kinds"].as_array().unwrap().iter();
        kinds.map(|kind| kind["disk_size"].as_u64().unwrap()).sum()
    };
    assert_eq!(sum(&ask(&["kinds", "--all"])), once);
    // Of what is dropped, too, blocks go with the last of the names.
    let dropped = ask(&["what-if", "--all", "--drop-files", "**"]);
    let total = &dropped["total"];
    assert_eq!(total["disk_size_before"], once, "{dropped:#}");
    assert_eq!(total["disk_size_after"], own(1, "a") + own(2, "b"), "{dropped:#}");
    drop(mount);
}

/// Files of an overlay over two file systems have their layer's device, and are
/// in the overlay's file system nonetheless.
#[test]
fn logs_and_caches_on_layers_are_counted() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let (logs, caches) = ("nix/var/log/nix/drvs/ab", "root/.cache/nix/gitv3");
    let add = |root: &Path, name: &str, size: usize| {
        for dir in [logs, caches] {
            fs::create_dir_all(root.join(dir)).unwrap();
            fs::write(root.join(dir).join(name), "x".repeat(size)).unwrap();
        }
    };
    let tmpfs = |name: &str| mounted(&["-t", "tmpfs", "none"], &env.join(name));
    let (Some(lower), Some(upper)) = (tmpfs("lower"), tmpfs("upper")) else { return };
    add(&env.join("lower"), "below", 50_000);
    for name in ["upper/upper", "upper/work"] {
        fs::create_dir(env.join(name)).unwrap();
    }
    let dir = env.join("").display().to_string();
    let options = format!(
        "lowerdir={dir}/lower,upperdir={dir}/upper/upper,workdir={dir}/upper/work,xino=off"
    );
    let root = env.join("merged");
    let Some(merged) = mounted(&["-t", "overlay", "overlay", "-o", &options], &root) else {
        return;
    };
    add(&root, "above", 20_000);
    // What is mounted in there is no part of it.
    let Some(other) = mounted(&["-t", "tmpfs", "none"], &root.join(caches).join("other")) else {
        return;
    };
    fs::write(root.join(caches).join("other/file"), "x".repeat(9000)).unwrap();

    let inside = |name: &str| root.join(name.trim_start_matches('/'));
    let location = StoreLocation {
        root: root.clone(),
        store_dir: DEFAULT_STORE_DIR.to_owned(),
        state_dir: DEFAULT_STATE_DIR.into(),
        real_store_dir: inside(DEFAULT_STORE_DIR),
        real_state_dir: inside(DEFAULT_STATE_DIR),
        database: inside("/nix/var/nix/db/db.sqlite"),
    };
    let outside = Outside::find(&Tree::live(&root).unwrap(), &location, true);
    drop(other);
    let unmounted = root.join(caches).join("other");
    let empty = fs::metadata(&unmounted).unwrap().blocks() * 512;
    assert_eq!(outside.logs.unwrap().space.disk_size, du(&[&root.join("nix/var/log/nix/drvs")]));
    let kept: Vec<_> = outside.caches.iter().map(|cache| cache.kept.space.disk_size).collect();
    assert_eq!(kept, [du(&[&root.join(caches)]) - empty]);
    drop((merged, upper, lower));
}
