//! What files of an overlay take in its layers, and what deleting them frees.

use super::{FileSystem, Kind, btrfs, extents, freed, random, reflink, scan, zeros};
use crate::images::Mount;
use crate::support::store_in_code::base;
use crate::support::{TestEnv, have, root, run, skip};
use nix_census::disk::{DiskScan, Physical};
use nix_census::fs::SizeIs;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An overlay over directories, the first the upper one.
pub(super) struct Overlay {
    pub(super) at: PathBuf,
    pub(super) layers: Vec<PathBuf>,
    _mount: Mount,
}

impl Overlay {
    /// Each layer's store is filled before it is mounted.
    pub(super) fn new(env: &TestEnv, layers: &[PathBuf], options: &str) -> Option<Self> {
        let at = env.join("merged");
        let work = layers[0].with_file_name("work");
        for dir in [&at, &work] {
            fs::create_dir_all(dir).unwrap();
        }
        layers.iter().for_each(|layer| fs::create_dir_all(layer.join("nix/store")).unwrap());
        let lower: Vec<_> = layers[1..].iter().map(|layer| layer.display().to_string()).collect();
        let (upper, work) = (layers[0].display(), work.display());
        let options =
            format!("lowerdir={},upperdir={upper},workdir={work}{options}", lower.join(":"));
        let mounted =
            run(Command::new("mount").args(["-t", "overlay", "none", "-o", &options]).arg(&at));
        if mounted.status != 0 {
            skip(&format!("no overlay can be mounted: {}", mounted.stderr));
            return None;
        }
        Some(Self { _mount: Mount(at.clone()), at, layers: layers.to_vec() })
    }

    /// The place of a path that is shown.
    pub(super) fn place(&self, id: i64, name: &str) -> PathBuf {
        place(&self.at, id, name)
    }

    pub(super) fn scan(&self) -> DiskScan {
        scan(&self.at.join("nix/store"))
    }

    /// A report as JSON, with its exit status.
    pub(super) fn report(&self, env: &TestEnv, how: &str) -> (Value, i32) {
        let at = self.at.to_str().unwrap();
        let args = ["--root", at, "--scan", "--extents", how, "report", "--all", "--json"];
        let ran = env.run(args);
        (serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")), ran.status)
    }

    /// Why nothing is known.
    pub(super) fn unknown(&self) -> String {
        match self.scan().physical {
            Physical::Unknown(why) => why,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn place(root: &Path, id: i64, name: &str) -> PathBuf {
    root.join("nix/store").join(base(id, name))
}

pub(super) fn filled(layer: &Path, id: i64, name: &str, contents: &[u8]) {
    fs::create_dir_all(layer.join("nix/store")).unwrap();
    fs::write(place(layer, id, name), contents).unwrap();
}

/// An upper and a lower layer in directories, of which one has a file in each of two paths.
fn in_directories(env: &TestEnv) -> Option<Overlay> {
    if !root() || !have(&["mount", "umount"]) {
        return None;
    }
    let layers = ["upper", "lower"].map(|name| env.join(name));
    filled(&layers[1], 1, "a", &random(9000));
    filled(&layers[1], 2, "b", &random(500));
    Overlay::new(env, &layers, "")
}

#[test]
fn files_take_what_they_take_in_their_layers() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let layers = ["upper", "middle", "lower"].map(|name| btrfs.at.join(name));
    filled(&layers[2], 1, "zeros", &zeros(1 << 20));
    filled(&layers[2], 2, "copied", &zeros(1 << 20));
    filled(&layers[2], 3, "hidden", &random(200_000));
    filled(&layers[1], 3, "hidden", &random(8192));
    filled(&layers[1], 4, "tree", b"");
    fs::remove_file(place(&layers[1], 4, "tree")).unwrap();
    let inner = place(&layers[1], 4, "tree").join("inner");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("file"), random(65_536)).unwrap();
    symlink("target", inner.join("link")).unwrap();
    let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
    // Made, copied up with other contents and beside what stays below.
    fs::write(overlay.place(5, "new"), random(131_072)).unwrap();
    let copied = overlay.place(2, "copied");
    let number = fs::metadata(&copied).unwrap().ino();
    fs::set_permissions(&copied, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&copied, random(1 << 20)).unwrap();
    fs::write(overlay.place(4, "tree/inner/beside"), random(16_384)).unwrap();
    assert_eq!(fs::metadata(&copied).unwrap().ino(), number);
    btrfs.sync();
    assert_ne!(fs::metadata(place(&layers[0], 2, "copied")).unwrap().ino(), number);

    let (report, status) = overlay.report(&btrfs.env, "auto");
    assert_eq!(status, 0, "{report:#}");
    let row = |name: &str| {
        let rows = report["paths"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        ["physical_size", "reclaimable_physical_size"].map(|key| row[key].as_u64().unwrap())
    };
    assert_eq!(row("zeros"), [32_768, 0]);
    assert_eq!(row("copied"), [1 << 20, 1 << 20]);
    assert_eq!(row("hidden"), [8192, 0]);
    assert_eq!(row("tree"), [65_536 + 16_384, 16_384]);
    assert_eq!(row("new"), [131_072, 131_072]);
    let scan = overlay.scan();
    let (exact, found) = (Some(SizeIs::Exact), extents(&scan));
    assert_eq!((scan.sizes_are(), scan.freed_sizes_are()), (exact, exact));
    assert!(found.holders.iter().any(|holder| holder.lower), "{:?}", found.holders);
    let foretold = freed(&scan, &[0, 1, 2, 3, 4]);
    assert_eq!(foretold, (1 << 20) + 16_384 + 131_072);
    let at = overlay.at.to_str().unwrap();
    let shown = btrfs.env.run(["--root", at, "--scan"]).stdout;
    assert!(shown.contains("lower layers of the overlay, which stay"), "{shown}");
    let kept = btrfs.env.join("kept");
    let kept = kept.to_str().unwrap();
    btrfs.env.run(["--root", at, "--scan", "snapshot", "-o", kept]).ok();
    assert_eq!(
        btrfs.env.json(["--snapshot", kept, "report", "--all", "--json"])["paths"],
        report["paths"]
    );
    // Of less than a path it is the same.
    let ask =
        |args: &[&str]| btrfs.env.json([&["--root", at, "--scan"], args, &["--json"]].concat());
    for args in [&["kinds", "--all"][..], &["files", "--all"]] {
        assert_eq!(ask(args)["total"]["physical_size"], report["total"]["physical_size"]);
    }
    let files = ask(&["files", "--all", "--tree"]);
    for (name, expected) in [
        ("zeros", [32_768, 0]),
        ("copied", [1 << 20, 1 << 20]),
        ("file", [65_536, 0]),
        ("inner", [65_536 + 16_384, 16_384]),
    ] {
        let entries = files["entries"].as_array().unwrap().iter();
        let is = |row: &&Value| row["path"].as_str().unwrap().ends_with(name);
        let row = entries.clone().find(is).unwrap();
        let sizes = ["physical_size", "reclaimable_physical_size"].map(|key| row[key].as_u64());
        assert_eq!(sizes, expected.map(Some), "{row:#}");
    }
    let what_if = ask(&["what-if", "tree", "--drop-files", "inner/beside"]);
    assert_eq!(what_if["total"]["physical_size_after"], 65_536, "{what_if:#}");
    // Linking copies.
    let optimise =
        btrfs.env.run(["--root", at, "--scan", "--extents", "exact", "optimise", "--json"]);
    let optimise: Value = serde_json::from_str(&optimise.stdout).unwrap();
    assert_eq!(optimise["freed_physical_size"], Value::Null, "{optimise:#}");
    // Deleting does what was foretold.
    let before = btrfs.used();
    for (id, name) in [(1, "zeros"), (3, "hidden")] {
        fs::remove_file(overlay.place(id, name)).unwrap();
    }
    assert_eq!(btrfs.used(), before);
    for (id, name) in [(2, "copied"), (5, "new")] {
        fs::remove_file(overlay.place(id, name)).unwrap();
    }
    fs::remove_dir_all(overlay.place(4, "tree")).unwrap();
    assert_eq!(before - btrfs.used(), foretold);
    assert_eq!(overlay.layers.len(), 3);
}

/// A copy outside the store is no lower layer, and its extents go with it.
/// Blocks bound no extents: there is no telling that what linking frees is too little, nor what
/// is outside the store.
#[test]
fn what_goes_by_blocks_where_there_are_extents_may_free_anything() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let layers = ["upper", "lower"].map(|name| btrfs.at.join(name));
    let equal = random(50_000);
    filled(&layers[1], 1, "below", &equal);
    // What may be written to is not linked.
    let read_only = |file: &Path| {
        fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    };
    read_only(&place(&layers[1], 1, "below"));
    let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
    for above in [overlay.place(2, "above"), overlay.place(3, "beside")] {
        fs::write(&above, &equal).unwrap();
        read_only(&above);
    }
    let roots = overlay.at.join("nix/var/nix/gcroots");
    fs::create_dir_all(&roots).unwrap();
    for (id, name) in [(1, "below"), (2, "above"), (3, "beside")] {
        symlink(format!("/nix/store/{}", base(id, name)), roots.join(name)).unwrap();
    }
    btrfs.sync();
    let at = overlay.at.to_str().unwrap();
    let check = |kind: &str, more: &[&str]| {
        let args = ["--root", at, "--scan", "reclaim", "--no-runtime", "--json", "--need", "1G"];
        let ran = btrfs.env.run([&args, more].concat());
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        let actions = answer["actions"].as_array().unwrap();
        assert_eq!(actions.len(), 1, "{answer:#}");
        assert_eq!((&actions[0]["action"], &actions[0]["at_most"]), (&kind.into(), &false.into()));
        assert_eq!((&answer["total"]["enough"], ran.status), (&Value::Null, 3), "{answer:#}");
    };
    check("optimise", &[]);
    let logs = overlay.at.join("nix/var/log/nix/drvs/ab");
    fs::create_dir_all(&logs).unwrap();
    fs::write(logs.join("log.drv"), random(9000)).unwrap();
    btrfs.sync();
    check("logs", &["--no-optimise"]);
}

#[test]
fn who_holds_what_is_above_is_told_from_lower_layers() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let layers = ["upper", "lower"].map(|name| btrfs.at.join(name));
    filled(&layers[1], 1, "below", &random(65_536));
    filled(&layers[1], 2, "copied", &random(131_072));
    let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
    fs::write(overlay.place(3, "new"), random(262_144)).unwrap();
    btrfs.sync();
    // A copy up shares all of its original, which it hides.
    fs::set_permissions(overlay.place(2, "copied"), fs::Permissions::from_mode(0o600)).unwrap();
    let home = btrfs.at.join("home");
    reflink(&place(&layers[0], 3, "new"), &home);
    btrfs.sync();
    let held = || -> Vec<(String, u64)> {
        let at = overlay.at.to_str().unwrap();
        // Incomplete, as there are no roots.
        let ran = btrfs.env.run(["--root", at, "--scan", "garbage", "--no-runtime", "--json"]);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
        let rows = answer["held_extents"].as_array().unwrap().iter();
        let row = |row: &Value| {
            let size = row["physical_size"].as_u64().unwrap();
            (row["holder"].as_str().unwrap().to_owned(), size)
        };
        rows.map(row).collect()
    };
    let lower = ("lower layers of the overlay, which stay".to_owned(), 65_536 + 131_072);
    let other = ("other files of the store's subvolume".to_owned(), 262_144);
    assert_eq!(held(), [other, lower.clone()]);
    fs::remove_file(home).unwrap();
    btrfs.sync();
    assert_eq!(held(), [lower]);
    let before = btrfs.used();
    let foretold = freed(&overlay.scan(), &[0, 1, 2]);
    for (id, name) in [(1, "below"), (2, "copied"), (3, "new")] {
        fs::remove_file(overlay.place(id, name)).unwrap();
    }
    assert_eq!((before - btrfs.used(), foretold), (262_144, 262_144));
}

/// Where blocks say all of each layer they do so of the overlay; what is below stays.
#[test]
fn over_layers_of_which_blocks_say_all_these_are_physical_sizes() {
    let env = TestEnv::new();
    let Some(overlay) = in_directories(&env) else { return };
    if !matches!(scan(&overlay.layers[1].join("nix/store")).physical, Physical::Blocks) {
        return skip("the directory of tests is on a file system with extents");
    }
    fs::write(overlay.place(3, "new"), random(5000)).unwrap();
    for how in ["auto", "exact"] {
        let (report, status) = overlay.report(&env, how);
        assert_eq!(status, 0, "{report:#}");
        let rows = report["paths"].as_array().unwrap();
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_eq!(row["physical_size"], row["disk_size"], "{row:#}");
            let freed = if row["name"] == "new" { row["disk_size"].clone() } else { 0.into() };
            assert_eq!(row["reclaimable_physical_size"], freed, "{row:#}");
            assert_eq!(row["reclaimable_size"], freed, "{row:#}");
        }
        assert_eq!(report["physical_size_is"], "exact");
        assert_eq!(report["freed_physical_size_is"], "exact");
    }
    let at = overlay.at.to_str().unwrap();
    let shown = env.run(["--root", at, "--scan", "garbage", "--no-runtime"]).stdout;
    assert!(shown.contains("in lower layers of the overlay stays"), "{shown}");
    let kept = env.join("kept");
    let kept = kept.to_str().unwrap();
    env.run(["--root", at, "--scan", "snapshot", "-o", kept]).ok();
    let of_kept = env.json(["--snapshot", kept, "report", "--all", "--json"]);
    assert_eq!(of_kept["paths"], overlay.report(&env, "auto").0["paths"]);
}

/// Numbers of files are shown with those of their layers.
#[test]
fn over_two_file_systems_of_which_blocks_say_all_it_is_the_same() {
    let env = TestEnv::new();
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let [above, below] = ["above", "below"].map(|name| env.join(name));
    let mut mounts = Vec::new();
    for at in [&above, &below] {
        fs::create_dir(at).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(at)).ok();
        mounts.push(Mount(at.clone()));
    }
    let layers = [above.join("upper"), below.join("lower")];
    filled(&layers[1], 1, "a", &random(9000));
    for options in ["", ",xino=off", ",xino=on", ",metacopy=on"] {
        let Some(overlay) = Overlay::new(&env, &layers, options) else { return };
        fs::write(overlay.place(3, "new"), random(5000)).unwrap();
        let (report, status) = overlay.report(&env, "exact");
        assert_eq!(status, 0, "{options}: {report:#}");
        let rows = report["paths"].as_array().unwrap();
        assert!(rows.len() == 2 && rows.iter().all(|row| row["physical_size"] == row["disk_size"]));
    }
    while mounts.pop().is_some() {}
}

#[test]
fn layers_that_are_not_what_is_shown_are_not_believed() {
    let env = TestEnv::new();
    let Some(overlay) = in_directories(&env) else { return };
    assert!(!matches!(overlay.scan().physical, Physical::Unknown(_)));
    let lower = &overlay.layers[1];
    let cover = |fill: &dyn Fn(&Path)| {
        run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(lower)).ok();
        let mount = Mount(lower.clone());
        fill(lower);
        let why = overlay.unknown();
        drop(mount);
        why
    };
    // Something else by the same names, less, and nothing at all.
    let other = cover(&|lower| {
        filled(lower, 1, "a", &random(9000));
        filled(lower, 2, "b", &random(500));
    });
    assert!(other.contains("is not what it shows"), "{other}");
    let less = cover(&|lower| filled(lower, 1, "a", &random(9000)));
    assert!(less.contains("is not what it shows"), "{less}");
    let none = cover(&|_| ());
    assert!(none.contains("is not what it shows"), "{none}");
    let moved = lower.with_file_name("moved");
    fs::rename(lower, &moved).unwrap();
    assert!(overlay.unknown().contains("cannot be read"), "{}", overlay.unknown());
    let (report, status) = overlay.report(&env, "exact");
    assert_eq!((status, &report["paths"][0]["physical_size"]), (3, &Value::Null), "{report:#}");
}

/// A layer of which no file is shown is known by what it hides.
#[test]
fn a_layer_that_only_hides_is_what_hides() {
    let env = TestEnv::new();
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let layers = ["upper", "first", "hides", "lower"].map(|name| env.join(name));
    filled(&layers[1], 3, "c", &random(500));
    filled(&layers[3], 1, "a", &random(9000));
    filled(&layers[3], 2, "b", &random(500));
    let hide = |store: &Path, id, name| {
        fs::create_dir_all(store.join("nix/store")).unwrap();
        run(Command::new("mknod").arg(place(store, id, name)).args(["c", "0", "0"])).ok();
    };
    hide(&layers[2], 2, "b");
    let Some(overlay) = Overlay::new(&env, &layers, "") else { return };
    fs::write(overlay.place(4, "d"), random(500)).unwrap();
    assert!(!overlay.place(2, "b").exists());
    let scan = overlay.scan();
    assert!(matches!(scan.physical, Physical::Blocks), "{:?}", scan.physical);
    // What would hide something that is shown does not.
    run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&layers[2])).ok();
    let mount = Mount(layers[2].clone());
    hide(&layers[2], 1, "a");
    let why = overlay.unknown();
    drop(mount);
    assert!(why.contains("is found to compare") || why.contains("something covers"), "{why}");
}

/// All that lies in the store of the lower layer is above it too, but not all that is below.
#[test]
fn what_directories_of_two_layers_show_of_the_lower_one_is_compared() {
    let env = TestEnv::new();
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let layers = ["upper", "lower"].map(|name| env.join(name));
    let fill = |lower: &Path| {
        let tree = place(lower, 1, "tree");
        let deep = tree.join("deep");
        fs::create_dir_all(&deep).unwrap();
        fs::write(tree.join("file"), random(500)).unwrap();
        fs::write(deep.join("file"), random(9000)).unwrap();
    };
    fill(&layers[1]);
    let Some(overlay) = Overlay::new(&env, &layers, "") else { return };
    fs::write(overlay.place(1, "tree/file"), random(500)).unwrap();
    fs::write(overlay.place(1, "tree/deep/above"), random(500)).unwrap();
    assert!(!matches!(overlay.scan().physical, Physical::Unknown(_)));
    // The same names, other files.
    let lower = &overlay.layers[1];
    run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(lower)).ok();
    let mount = Mount(lower.clone());
    fill(lower);
    let other = overlay.unknown();
    drop(mount);
    assert!(other.contains("is not what it shows"), "{other}");
    // Nothing of the layer is shown.
    fs::remove_file(overlay.place(1, "tree/deep/file")).unwrap();
    assert!(!matches!(overlay.scan().physical, Physical::Unknown(_)));
}

/// A subvolume beside the store of a layer is none of it, one below is.
#[test]
fn a_subvolume_in_a_layer_is_said() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let layers = ["upper", "lower"].map(|name| btrfs.at.join(name));
    filled(&layers[0], 2, "above", &random(65_536));
    filled(&layers[1], 1, "below", &random(65_536));
    btrfs.sync();
    for (name, expected) in [("lower/nix/store-beside", false), ("lower/nix/store/below", true)] {
        btrfs.btrfs(&["subvolume", "create", name]);
        let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
        match overlay.scan().physical {
            Physical::Unknown(why) => {
                assert!(expected && why.contains("a subvolume lies"), "{why}");
            }
            _ => assert!(!expected),
        }
    }
}

/// On XFS directories have blocks of their own, too.
#[test]
fn on_xfs_it_is_the_same() {
    let Some(xfs) = FileSystem::new(Kind::Xfs, &["-m", "reflink=1,rmapbt=1"], "loop") else {
        return;
    };
    let layers = ["upper", "lower"].map(|name| xfs.at.join(name));
    for (id, name) in [(1, "tree"), (2, "copied")] {
        let tree = place(&layers[1], id, name);
        fs::create_dir_all(&tree).unwrap();
        for n in 0..300 {
            fs::write(tree.join(format!("{n:0>60}")), format!("{n}")).unwrap();
        }
    }
    let Some(overlay) = Overlay::new(&xfs.env, &layers, "") else { return };
    let copied = overlay.place(2, "copied");
    for n in 0..200 {
        let file = copied.join(format!("{n:0>60}"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(overlay.place(3, "new"), random(100_000)).unwrap();
    xfs.sync();
    let (report, status) = overlay.report(&xfs.env, "auto");
    assert_eq!(status, 0, "{report:#}");
    let rows = report["paths"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for name in ["tree", "copied", "new"] {
        assert_eq!(row(name)["physical_size"], row(name)["disk_size"], "{:#}", row(name));
    }
    let freed = |name: &str| row(name)["reclaimable_physical_size"].as_u64().unwrap();
    assert_eq!((freed("tree"), freed("new")), (0, 102_400));
    let before = xfs.used();
    fs::remove_file(overlay.place(3, "new")).unwrap();
    assert_eq!(before - xfs.used(), 102_400);
    let before = xfs.used();
    fs::remove_dir_all(overlay.place(2, "copied")).unwrap();
    let gone = before - xfs.used();
    // Blocks full of inodes are the file system's own.
    assert!((freed("copied")..freed("copied") + (256 << 10)).contains(&gone), "{gone}");
}

/// Going over the upper layer counts too: `auto` gives that up where it takes far longer than
/// the walk, and says so.
#[test]
fn a_large_upper_layer_is_gone_over_only_when_asked() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let layers = ["upper", "lower"].map(|name| btrfs.at.join(name));
    filled(&layers[0], 1, "zeros", &zeros(1 << 20));
    filled(&layers[1], 2, "below", &random(4096));
    let many = place(&layers[0], 3, "many");
    // As many as may be read of any store would be enough for some fewer.
    for n in 0..18_000 {
        fs::create_dir_all(many.join(n.to_string())).unwrap();
    }
    let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
    btrfs.sync();
    let physical = |how: &str| {
        let (report, status) = overlay.report(&btrfs.env, how);
        let rows = report["paths"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == "zeros").unwrap();
        (row["physical_size"].clone(), status, report["warnings"].to_string())
    };
    // The same each time, as it goes by what is read and not by the clock.
    for _ in 0..2 {
        let (unknown, status, said) = physical("auto");
        assert_eq!((unknown, status), (Value::Null, 0), "{said}");
        assert!(said.contains("directories of the overlay's upper layer"), "{said}");
    }
    let (known, status, said) = physical("exact");
    assert_eq!((known, status), (32_768.into(), 0), "{said}");
    fs::remove_dir_all(overlay.place(3, "many")).unwrap();
    btrfs.sync();
    assert_eq!(physical("auto").0, 32_768);
}
