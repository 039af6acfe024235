//! What deleting frees on an overlay: what lies in its upper layer. Compared with what `df` says
//! of that layer before and after.

use super::{random, scan};
use crate::images::{Mount, mount};
use crate::support::store_in_code::base;
use crate::support::{Run, TestEnv, have, nobody, root, run, skip};
use nix_census::census::Freeable;
use nix_census::disk::{DiskScan, Overlay, Space};
use nix_census::fs::SizeIs;
use nix_census::internals::NodeSet;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A store on an overlay, as live images have it: one layer read only, the other of a file
/// system of its own.
struct Live {
    store: PathBuf,
    /// Where the file system of the upper layer is mounted.
    above: PathBuf,
    /// Where the lower layer is.
    below: PathBuf,
    /// Whether the upper layer's file system can be frozen.
    freezes: bool,
    /// Undone in this order.
    _overlay: Mount,
    _above: Mount,
    _below: Option<Mount>,
    env: TestEnv,
}

impl Live {
    /// By the file systems of both layers; `None` below is a directory.
    fn new(below: Option<&str>, above: &str, options: &str) -> Option<Self> {
        if !root() || !have(&["mount", "umount"]) {
            return None;
        }
        let env = TestEnv::new();
        let source = env.join("source");
        fill(&source);
        let (at, _below) = match below {
            None => (source, None),
            Some(kind) => {
                let (image, at) = (env.join("below.img"), env.join("below"));
                let mut make = match kind {
                    "squashfs" if have(&["mksquashfs"]) => Command::new("mksquashfs"),
                    "erofs" if have(&["mkfs.erofs"]) => Command::new("mkfs.erofs"),
                    _ => return None,
                };
                let (from, to) =
                    if kind == "erofs" { (&image, &source) } else { (&source, &image) };
                run(make.arg(from).arg(to)).ok();
                (at.clone(), Some(mounted(mount("loop,ro", &image, &at))?))
            }
        };
        let above_at = env.join("above");
        fs::create_dir(&above_at).unwrap();
        let _above = match above {
            "tmpfs" => {
                run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&above_at)).ok();
                Mount(above_at.clone())
            }
            kind => {
                let image = env.join("above.img");
                fs::File::create(&image).unwrap().set_len(320 << 20).unwrap();
                let mkfs = format!("mkfs.{kind}");
                if !have(&[&mkfs]) {
                    return None;
                }
                run(Command::new(mkfs).arg("-q").arg(&image)).ok();
                mounted(mount("loop", &image, &above_at))?
            }
        };
        let store = env.join("root/nix/store");
        for dir in [&store, &above_at.join("store"), &above_at.join("work")] {
            fs::create_dir_all(dir).unwrap();
        }
        let dir = |of: &Path| of.display().to_string();
        let options = format!(
            "lowerdir={},upperdir={}/store,workdir={}/work{options}",
            dir(&at),
            dir(&above_at),
            dir(&above_at)
        );
        let overlay =
            run(Command::new("mount").args(["-t", "overlay", "none", "-o", &options]).arg(&store));
        if overlay.status != 0 {
            skip(&format!("no overlay can be mounted: {}", overlay.stderr));
            return None;
        }
        let _overlay = Mount(store.clone());
        let freezes = above != "tmpfs";
        Some(Self { store, above: above_at, below: at, freezes, _overlay, _above, _below, env })
    }

    fn place(&self, id: i64, name: &str) -> PathBuf {
        self.store.join(base(id, name))
    }

    /// Makes something new, copies up, adds to what is below, and hides it.
    fn change(&self) {
        let new = self.place(5, "new");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("file"), random(50_000)).unwrap();
        symlink("file", new.join("link")).unwrap();
        let other = self.place(6, "other");
        fs::create_dir(&other).unwrap();
        fs::hard_link(new.join("file"), other.join("file")).unwrap();
        fs::write(other.join("own"), random(9000)).unwrap();
        let copied = self.place(2, "tree").join("copied");
        fs::set_permissions(copied, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(self.place(2, "tree").join("inner/beside"), random(30_000)).unwrap();
        fs::remove_file(self.place(3, "hidden")).unwrap();
        fs::write(self.place(3, "hidden"), random(20_000)).unwrap();
        run(&mut Command::new("sync")).ok();
    }

    fn scan(&self) -> DiskScan {
        scan(&self.store)
    }

    /// Bytes and inodes that are used of the file system of the upper layer.
    fn used(&self) -> [u64; 2] {
        // Freezing waits for what is deleted to be gone, too; tmpfs cannot be.
        if self.freezes {
            for flag in ["-f", "-u"] {
                run(Command::new("fsfreeze").arg(flag).arg(&self.above)).ok();
            }
        }
        let text = run(Command::new("stat").args(["-f", "-c", "%b %f %S %c %d"]).arg(&self.above));
        let numbers: Vec<u64> =
            text.ok().split_whitespace().map(|number| number.parse().unwrap()).collect();
        [(numbers[0] - numbers[1]) * numbers[2], numbers[3] - numbers[4]]
    }

    fn ask(&self, args: &[&str]) -> (Value, Run) {
        let root = self.env.join("root");
        let all = [&["--root", root.to_str().unwrap(), "--scan"], args, &["--json"]].concat();
        let ran = self.env.run(all);
        (serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")), ran)
    }

    /// The names of all paths in order.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.store)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }
}

fn mounted(mounted: Result<Mount, String>) -> Option<Mount> {
    mounted.map_err(|why| skip(&format!("the file system cannot be mounted here: {why}"))).ok()
}

/// Two files, a tree, and two trees that share a file; a link of `.links` that nothing uses.
fn fill(store: &Path) {
    let place = |id, name: &str| store.join(base(id, name));
    fs::create_dir_all(place(2, "tree").join("inner")).unwrap();
    fs::write(place(1, "below"), random(100_000)).unwrap();
    fs::write(place(2, "tree").join("inner/file"), random(40_000)).unwrap();
    fs::write(place(2, "tree").join("copied"), random(10_000)).unwrap();
    fs::write(place(3, "hidden"), random(60_000)).unwrap();
    fs::create_dir(place(4, "one")).unwrap();
    fs::write(place(4, "one").join("shared"), random(70_000)).unwrap();
    fs::hard_link(place(4, "one").join("shared"), place(4, "one").join("again")).unwrap();
    fs::create_dir(place(8, "equal")).unwrap();
    for name in ["one", "two"] {
        let file = place(8, "equal").join(name);
        fs::write(&file, "equal ".repeat(3000)).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::create_dir(store.join(".links")).unwrap();
    fs::write(store.join(".links/unused"), random(5000)).unwrap();
}

/// What deleting some paths frees, by number.
fn freed(scan: &DiskScan, paths: &[u32]) -> Space {
    let all = scan.usages.len();
    let gone = NodeSet::from_nodes(all, paths.iter().copied());
    Freeable::new(scan, all, &vec![false; scan.others.len()]).freed(&gone)
}

fn remove(path: &Path) {
    run(Command::new("rm").arg("-rf").arg(path)).ok();
}

const SYSTEMS: [(Option<&str>, &str); 4] = [
    (Some("squashfs"), "ext4"),
    (Some("erofs"), "tmpfs"),
    (Some("squashfs"), "tmpfs"),
    (None, "tmpfs"),
];

#[test]
fn deleting_frees_what_is_in_the_upper_layer() {
    for (below, above) in SYSTEMS {
        for options in ["", ",xino=off", ",redirect_dir=on", ",redirect_dir=on,metacopy=on"] {
            let Some(live) = Live::new(below, above, options) else { return };
            live.change();
            let case = format!("{above} over {below:?}{options}");
            let scan = live.scan();
            if options.contains("metacopy") {
                // A file of which the mode alone was changed is still below.
                assert!(matches!(scan.overlay, Overlay::Unknown(_)), "{case}: {:?}", scan.overlay);
                continue;
            }
            assert_eq!(scan.freed_sizes_are(), Some(SizeIs::Exact), "{case}: {:?}", scan.overlay);
            let names = live.names();
            let total = freed(&scan, &[0, 1, 2, 3, 4, 5, 6]);
            let start = live.used();
            // Two paths that share a file go at once: the kernel keeps the directory of one of its
            // names for as long as it knows the other.
            for gone in [&names[..1], &names[1..2], &names[2..3], &names[3..4], &names[4..]] {
                let now = live.scan();
                let places = 0..gone.len() as u32;
                let foretold = freed(&now, &places.collect::<Vec<_>>());
                assert_eq!(foretold.disk_size, foretold.physical_size, "{case}");
                let before = live.used();
                gone.iter().for_each(|name| remove(&live.store.join(name)));
                assert_eq!(before[0] - live.used()[0], foretold.disk_size, "{case}: {gone:?}");
                let stays = gone[0].ends_with("-below") || gone[0].ends_with("-one");
                assert_eq!(foretold == Space::default(), stays, "{case}: {gone:?}");
            }
            assert_eq!(start[0] - live.used()[0], total.disk_size, "{case}");
        }
    }
}

#[test]
fn every_command_says_what_is_freed_there() {
    let Some(live) = Live::new(Some("squashfs"), "ext4", "") else { return };
    live.change();
    let size = |name: &str| fs::symlink_metadata(live.store.join(name)).unwrap().blocks() * 512;
    let file = |id, name: &str, of: &str| size(&format!("{}/{of}", base(id, name)));
    let own = |id, name: &str| size(&base(id, name));
    // The file that two of them share goes with neither alone.
    let expected = [
        ("below", 0),
        (
            "tree",
            own(2, "tree")
                + file(2, "tree", "inner")
                + file(2, "tree", "inner/beside")
                + file(2, "tree", "copied"),
        ),
        ("hidden", own(3, "hidden")),
        ("one", 0),
        ("new", own(5, "new")),
        ("other", own(6, "other") + file(6, "other", "own")),
        ("equal", 0),
    ];
    let shared = file(5, "new", "file");
    assert!(shared > 50_000 && expected[1].1 > 40_000);
    let all = shared + expected.iter().map(|(_, size)| size).sum::<u64>();

    let (report, ran) = live.ask(&["report", "--all"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(report["physical_size_is"], Value::Null);
    assert_eq!(report["freed_physical_size_is"], "exact");
    for (name, freed) in expected {
        let rows = report["paths"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        assert!(row["disk_size"].as_u64().unwrap() >= freed);
        for key in ["reclaimable_size", "reclaimable_physical_size"] {
            assert_eq!(row[key], freed, "{key} of {name}");
        }
    }
    // Nothing is alive here.
    let (garbage, ran) = live.ask(&["garbage", "--no-runtime", "--need", "1M"]);
    assert!(!ran.stderr.contains("frees is not") && !ran.stderr.contains("judged"), "{ran:?}");
    assert_eq!(garbage["dead"]["disk_freed"], all, "{garbage:#}");
    assert_eq!(garbage["dead"]["freed_physical_size"], all);
    assert_eq!(garbage["dead"]["unused_links_disk_freed"], 0);
    assert_eq!(garbage["dead"]["unused_links"], 1);
    assert_eq!(garbage["need"]["proof"], "not_enough");
    let (reclaim, _) = live.ask(&["reclaim", "--no-runtime", "--no-optimise"]);
    assert_eq!(reclaim["actions"][0]["disk_freed"], all, "{reclaim:#}");
    let (files, ran) = live.ask(&["files", "--all", "--tree"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let freed_of = |end: &str| {
        let rows = files["entries"].as_array().unwrap().iter();
        let row = rows.clone().find(|row| row["path"].as_str().unwrap().ends_with(end)).unwrap();
        assert_eq!(row["reclaimable_size"], row["reclaimable_physical_size"]);
        row["reclaimable_size"].as_u64().unwrap()
    };
    for (name, freed) in expected {
        assert_eq!(freed_of(&format!("-{name}")), freed, "{name}");
    }
    assert_eq!(freed_of("inner/file"), 0);
    assert_eq!(freed_of("inner/beside"), file(2, "tree", "inner/beside"));
    // Linking copies what is below: it gains no more than what the files take.
    let (optimise, ran) = live.ask(&["optimise"]);
    assert_eq!(ran.status, 3, "{ran:?}");
    for key in ["disk_freed", "freed_physical_size", "inodes_freed"] {
        assert_eq!(optimise[key], Value::Null, "{key}: {optimise:#}");
    }
    assert_eq!(optimise["disk_freed_most"], file(8, "equal", "one"));
    let (reclaim, ran) = live.ask(&["reclaim", "--no-runtime", "--need", "1G"]);
    assert_eq!((&reclaim["total"]["enough"], ran.status), (&false.into(), 3), "{reclaim:#}");
    let root = live.env.join("root");
    let root = root.to_str().unwrap();
    for args in [&[][..], &["tree", "tree"], &["report", "--all", "--columns", "name"]] {
        let shown = live.env.run([&["--root", root, "--scan"][..], args].concat()).stdout;
        assert!(!shown.contains("in lower layers of the overlay stays"), "{shown}");
    }
    let shown = live.env.run(["--root", root, "--scan", "garbage", "--no-runtime"]).stdout;
    assert!(shown.contains("in lower layers of the overlay stays"), "{shown}");

    // Gains are of closures, wherever they lie.
    let what_if = ["--root", root, "--scan", "what-if", "tree", "--remove", "tree"];
    let shown = live.env.run(what_if);
    assert!(shown.stdout.contains("Gains count what is in lower layers"), "{shown:?}");
    let diff = live.env.run(["--root", root, "--scan", "diff", "tree", "new"]);
    assert!(diff.stdout.contains("Changes count what is in lower layers"), "{diff:?}");

    // A snapshot says the same.
    let kept = live.env.join("kept");
    let kept = kept.to_str().unwrap();
    live.env.run(["--root", root, "--scan", "snapshot", "-o", kept]).ok();
    assert_eq!(
        live.env.json(["--snapshot", kept, "report", "--all", "--json"])["paths"],
        report["paths"]
    );
    // All of it was foretold.
    let before = live.used();
    live.names().iter().for_each(|name| remove(&live.store.join(name)));
    remove(&live.store.join(".links"));
    assert_eq!(before[0] - live.used()[0], all);
}

/// What cannot be reached is not guessed at, in any way of asking for extents.
#[test]
fn where_the_upper_layer_is_not_reached_nothing_is_said_to_be_freed() {
    let Some(live) = Live::new(None, "tmpfs", "") else { return };
    live.change();
    let cover = Mount(live.above.clone());
    run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&live.above)).ok();
    for how in ["auto", "exact", "never"] {
        let ask = |args: &[&str]| live.ask(&[&["--extents", how], args].concat());
        let check = |ran: &Run| {
            assert_eq!(ran.status, 3, "{ran:?}");
            assert!(ran.stderr.contains("what deleting frees is not known"), "{}", ran.stderr);
        };
        let (report, ran) = ask(&["report", "--all"]);
        check(&ran);
        for row in report["paths"].as_array().unwrap() {
            let keys = ["reclaimable_size", "reclaimable_physical_size", "reclaimable_inodes"];
            assert!(keys.iter().all(|key| row[*key].is_null()), "{row:#}");
            assert!(row["disk_size"].as_u64().unwrap() > 0);
        }
        let (garbage, ran) = ask(&["garbage", "--no-runtime", "--need", "1K"]);
        check(&ran);
        for key in ["disk_freed", "freed_physical_size", "inodes_freed", "invalid_disk_freed"] {
            assert_eq!(garbage["dead"][key], Value::Null, "{key}");
        }
        assert_eq!(garbage["dead"]["paths"], 7);
        let (reclaim, ran) = ask(&["reclaim", "--no-runtime", "--need", "1K"]);
        check(&ran);
        assert_eq!(reclaim["actions"][0]["disk_freed"], Value::Null, "{reclaim:#}");
        for key in ["disk_freed", "inodes_freed", "enough"] {
            assert_eq!(reclaim["total"][key], Value::Null, "{key}");
        }
        let (roots, ran) = ask(&["roots", "--no-runtime"]);
        check(&ran);
        assert!(roots["total"].is_object());
        let (files, ran) = ask(&["files", "--all"]);
        check(&ran);
        for row in files["directories"].as_array().unwrap() {
            assert_eq!(row["reclaimable_size"], Value::Null, "{row:#}");
        }
        // What says nothing of it is complete.
        let (_, ran) = ask(&["report", "--all", "--columns", "name,disk_size"]);
        assert_eq!(ran.status, if how == "exact" { 3 } else { 0 }, "{ran:?}");
        assert!(!ran.stderr.contains("what deleting frees"), "{}", ran.stderr);
    }
    drop(cover);
    // Nor without privilege to look.
    fs::set_permissions(&live.above, fs::Permissions::from_mode(0o700)).unwrap();
    let ran = run(nobody(&live.env)
        .args(["--root", live.env.join("root").to_str().unwrap(), "--scan"])
        .args(["report", "--all", "--json"]));
    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.stderr.contains("what deleting frees is not known"), "{}", ran.stderr);
}

/// The lower layer may be out of reach, as when it was mounted before the root was: what lies in
/// the upper one is known nonetheless.
#[test]
fn the_lower_layer_need_not_be_reached() {
    let Some(live) = Live::new(None, "tmpfs", "") else { return };
    live.change();
    let with_lower = live.scan();
    let cover = Mount(live.below.clone());
    run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&live.below)).ok();
    let without = live.scan();
    drop(cover);
    assert_eq!(without.freed_sizes_are(), Some(SizeIs::Exact), "{:?}", without.overlay);
    let (Overlay::Upper(one), Overlay::Upper(other)) = (&with_lower.overlay, &without.overlay)
    else {
        panic!("{:?}", without.overlay);
    };
    assert_eq!((&one.own, &one.inodes), (&other.own, &other.inodes));
    assert!(!one.all && !other.all);
}

/// A store that is wholly in the upper layer is as on no overlay.
#[test]
fn where_all_is_in_the_upper_layer_all_of_it_goes() {
    let Some(live) = Live::new(None, "tmpfs", "") else { return };
    live.change();
    for entry in fs::read_dir(&live.store).unwrap() {
        let path = entry.unwrap().path();
        if ["-below", "-tree", "-hidden", "-one", "-equal"]
            .iter()
            .any(|end| path.to_str().unwrap().ends_with(end))
            || path.ends_with(".links")
        {
            remove(&path);
        }
    }
    let scan = live.scan();
    let Overlay::Upper(upper) = &scan.overlay else { panic!("{:?}", scan.overlay) };
    assert!(upper.all && upper.inodes.iter().all(|&there| there));
    let own: Vec<u64> = upper.own.iter().map(|own| own.disk_size).collect();
    let usages = scan.usages.iter().map(|usage| usage.private_disk_size);
    assert_eq!(own, usages.collect::<Vec<_>>());
    // Nothing of the lower layer is shown any more, so its names are not believed: something may
    // have been copied up.
    let (optimise, _) = live.ask(&["optimise"]);
    assert_eq!(optimise["freed_physical_size"], Value::Null, "{optimise:#}");
}

/// In one file system the directory of the store itself shows that the lower layer is what it was.
#[test]
fn where_nothing_can_have_been_copied_up_linking_frees_all_of_it() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let below = env.join("lower/nix/store");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join(base(1, "old")), random(3000)).unwrap();
    for (options, expected) in
        [(",redirect_dir=nofollow", Value::from(0)), (",redirect_dir=follow", Value::Null)]
    {
        let Some(mount) = at_root(&env, options) else { return };
        let store = mount.0.join("nix/store");
        remove(&store.join(base(1, "old")));
        fs::write(store.join(base(2, "new")), random(9000)).unwrap();
        let at = mount.0.to_str().unwrap();
        let ran = env.run(["--root", at, "--scan", "optimise", "--json"]);
        let optimise: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(optimise["freed_physical_size"], expected, "{options}: {optimise:#}");
    }
}

/// An overlay over directories of the tests, mounted at a root.
fn at_root(env: &TestEnv, options: &str) -> Option<Mount> {
    let dir = |name: &str| env.join(name).display().to_string();
    let at = env.join("merged");
    for name in ["upper/nix/store", "lower", "work", "merged"] {
        fs::create_dir_all(env.join(name)).unwrap();
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={}{options}",
        dir("lower"),
        dir("upper"),
        dir("work")
    );
    let ran = run(Command::new("mount").args(["-t", "overlay", "none", "-o", &options]).arg(&at));
    if ran.status != 0 {
        skip(&format!("no overlay can be mounted: {}", ran.stderr));
        return None;
    }
    Some(Mount(at))
}

/// As in a container that Nix was installed in: no other layer has a store.
#[test]
fn over_layers_without_a_store_all_of_it_goes() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let Some(mount) = at_root(&env, "") else { return };
    let store = mount.0.join("nix/store");
    let tree = store.join(base(1, "tree"));
    fs::create_dir_all(tree.join("inner")).unwrap();
    fs::write(tree.join("inner/file"), random(9000)).unwrap();
    fs::hard_link(tree.join("inner/file"), tree.join("again")).unwrap();
    let scan = scan(&store);
    let Overlay::Upper(upper) = &scan.overlay else { panic!("{:?}", scan.overlay) };
    assert!(upper.all, "{upper:?}");
    assert_eq!(freed(&scan, &[0]).disk_size, scan.usages[0].disk_size);
    let at = mount.0.to_str().unwrap();
    let report = env.run(["--root", at, "--scan", "report", "--all"]);
    assert!(!report.stdout.contains("lower layers"), "{report:?}");
}

/// All names of the store are in the upper layer, and not all that is below them.
#[test]
fn a_lower_layer_that_is_covered_is_not_taken_for_none() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    for (options, other) in [
        ("", false),
        ("", true),
        (",redirect_dir=nofollow", false),
        (",redirect_dir=nofollow", true),
    ] {
        let env = TestEnv::new();
        let below = env.join("lower/nix/store").join(base(1, "tree"));
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("below"), random(9000)).unwrap();
        let Some(mount) = at_root(&env, options) else { return };
        let store = mount.0.join("nix/store");
        fs::write(store.join(base(1, "tree")).join("above"), random(5000)).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(env.join("lower"))).ok();
        let cover = Mount(env.join("lower"));
        // A store of which the overlay shows nothing proves nothing.
        if other {
            let other = env.join("lower/nix/store").join(base(2, "other"));
            fs::create_dir_all(other.parent().unwrap()).unwrap();
            fs::write(other, random(3000)).unwrap();
        }
        let scan = scan(&store);
        drop(cover);
        assert!(!scan.knows_physical(), "{options} {other}: {:?}", scan.physical);
        let blocks = |name: &str| {
            fs::symlink_metadata(store.join(base(1, "tree")).join(name)).unwrap().blocks() * 512
        };
        let Overlay::Upper(upper) = &scan.overlay else { panic!("{:?}", scan.overlay) };
        assert!(!upper.all, "{options} {other}");
        assert_eq!(upper.own[0].disk_size, blocks("above") + blocks(""));
        drop(mount);
    }
}

/// Kernels follow redirects though nothing makes them, unless told otherwise: what a directory
/// shows of another name below does not go with it.
#[test]
fn what_a_directory_shows_of_another_name_below_stays() {
    if !root() || !have(&["mount", "umount"]) {
        return;
    }
    let env = TestEnv::new();
    let lower = env.join("lower/nix/store");
    let old = lower.join(base(1, "old"));
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("below"), random(9000)).unwrap();
    fs::write(lower.join(base(2, "beside")), random(3000)).unwrap();
    let Some(mount) = at_root(&env, ",redirect_dir=on") else { return };
    let store = mount.0.join("nix/store");
    let tree = store.join(base(3, "new"));
    fs::rename(store.join(base(1, "old")), &tree).unwrap();
    drop(mount);
    let Some(_mount) = at_root(&env, "") else { return };
    if fs::metadata(tree.join("below")).is_err() {
        return skip("this kernel does not follow redirects");
    }
    let scan = scan(&store);
    let Overlay::Upper(upper) = &scan.overlay else { panic!("{:?}", scan.overlay) };
    assert!(!upper.all);
    let of_directory = fs::metadata(&tree).unwrap().blocks() * 512;
    let own: Vec<u64> = upper.own.iter().map(|own| own.disk_size).collect();
    assert_eq!(own, [0, of_directory]);
}
