//! Overlays whose layers lie on several file systems: what files take in each, and what deleting
//! them frees, compared with what the file system of the upper layer says before and after.

use super::compsize::compsize;
use super::overlay::{Overlay, filled, place};
use super::{FileSystem, Kind, freed, random, reflink, scan, zeros};
use crate::images::{Mount, mount};
use crate::support::{TestEnv, du, have, root, run, skip};
use nix_census::disk::Physical;
use nix_census::fs::SizeIs;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const MIB: u64 = 1 << 20;

/// A file system that a layer is in.
enum Layer {
    WithExtents(FileSystem),
    OfBlocks { at: PathBuf, _mount: Mount, _env: TestEnv },
}

impl Layer {
    fn new(kind: &str) -> Option<Self> {
        if !root() || !have(&["mount", "umount"]) {
            return None;
        }
        let with_extents = match kind {
            "btrfs" => super::btrfs(&[], "loop,compress=zstd"),
            "xfs" => FileSystem::new(Kind::Xfs, &["-m", "reflink=1,rmapbt=1"], "loop"),
            _ => {
                let env = TestEnv::new();
                let at = env.join("at");
                let mounted = match kind {
                    "ext4" if have(&["mkfs.ext4"]) => {
                        let image = env.join("image");
                        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
                        // Smaller sizes than those of the others.
                        run(Command::new("mkfs.ext4").args(["-q", "-b", "1024"]).arg(&image)).ok();
                        mount("loop", &image, &at)
                    }
                    "ext4" => return None,
                    _ => {
                        fs::create_dir(&at).unwrap();
                        run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&at)).ok();
                        Ok(Mount(at.clone()))
                    }
                };
                return match mounted {
                    Ok(_mount) => Some(Self::OfBlocks { at, _mount, _env: env }),
                    Err(why) => {
                        skip(&format!("the file system cannot be mounted here: {why}"));
                        None
                    }
                };
            }
        };
        with_extents.map(Self::WithExtents)
    }

    fn at(&self) -> &Path {
        match self {
            Self::WithExtents(system) => &system.at,
            Self::OfBlocks { at, .. } => at,
        }
    }

    /// Whether what it holds is compressed.
    fn compresses(&self) -> bool {
        matches!(self, Self::WithExtents(FileSystem { kind: Kind::Btrfs, .. }))
    }

    /// Bytes that are used, after all was written.
    fn used(&self) -> u64 {
        match self {
            Self::WithExtents(system) => system.used(),
            Self::OfBlocks { at, .. } => {
                run(Command::new("sync").arg("-f").arg(at)).ok();
                let text = run(Command::new("stat").args(["-f", "-c", "%b %f %S"]).arg(at)).ok();
                let numbers: Vec<u64> =
                    text.split_whitespace().map(|number| number.parse().unwrap()).collect();
                (numbers[0] - numbers[1]) * numbers[2]
            }
        }
    }
}

/// Two file systems, and an overlay over a directory of each.
struct Both {
    overlay: Overlay,
    above: Layer,
    below: Layer,
    env: TestEnv,
}

impl Both {
    /// By their kinds; the store below is filled.
    fn new(above: &str, below: &str, options: &str) -> Option<Self> {
        let env = TestEnv::new();
        let (above, below) = (Layer::new(above)?, Layer::new(below)?);
        let layers = [above.at().join("upper"), below.at().join("lower")];
        let lower = &layers[1];
        filled(lower, 1, "zeros", &zeros(1 << 20));
        filled(lower, 2, "copied", &random(200_000));
        filled(lower, 4, "hidden", &random(60_000));
        let inner = place(lower, 3, "tree").join("inner");
        fs::create_dir_all(inner.join("deeper")).unwrap();
        for n in 0..100 {
            fs::write(inner.join(format!("{n:0>60}")), random(3000)).unwrap();
        }
        fs::write(inner.join("deeper/file"), random(9000)).unwrap();
        fs::hard_link(inner.join("deeper/file"), inner.join("again")).unwrap();
        fs::create_dir(lower.join("nix/store/.links")).unwrap();
        fs::write(lower.join("nix/store/.links/unused"), random(5000)).unwrap();
        let overlay = Overlay::new(&env, &layers, options)?;
        Some(Self { overlay, above, below, env })
    }

    /// Copies up, hides, adds to what is below, and makes something new: files of which the
    /// numbers in the upper layer are those of files below, too.
    fn change(&self) {
        let overlay = &self.overlay;
        let copied = overlay.place(2, "copied");
        fs::set_permissions(&copied, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&copied, random(1 << 20)).unwrap();
        fs::write(overlay.place(3, "tree").join("beside"), random(16_384)).unwrap();
        fs::remove_file(overlay.place(4, "hidden")).unwrap();
        fs::write(overlay.place(4, "hidden"), random(65_536)).unwrap();
        let [new, other] = [(5, "new"), (6, "other")].map(|(id, name)| overlay.place(id, name));
        fs::create_dir(&new).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(new.join("a"), random(131_072)).unwrap();
        fs::hard_link(new.join("a"), other.join("c")).unwrap();
        for n in 0..100 {
            fs::write(other.join(n.to_string()), random(4096)).unwrap();
        }
        self.above.used();
        self.below.used();
        if let Layer::WithExtents(_) = self.above {
            let at = place(&overlay.layers[0], 5, "new");
            reflink(&at.join("a"), &at.join("b"));
            self.above.used();
        }
    }

    /// Each path by name: what it takes, and what deleting it alone frees.
    fn expected(&self) -> [(&'static str, i64, [u64; 2]); 6] {
        let below = du(&[&place(&self.overlay.layers[1], 3, "tree").join("inner")]);
        // As its own file system says: where it is written out meanwhile it takes a bit more.
        let lower = scan(&self.overlay.layers[1].join("nix/store"));
        let zeros = lower.extent_sizes(0).unwrap().physical_size;
        assert!(if self.below.compresses() { zeros < 100_000 } else { zeros == MIB });
        // Directories of XFS have blocks.
        let of = |id, name| {
            let metadata = fs::metadata(self.overlay.place(id, name)).unwrap();
            metadata.blocks() * 512
        };
        let (tree, new, other) = (of(3, "tree"), of(5, "new"), of(6, "other"));
        [
            ("zeros", 1, [zeros, 0]),
            ("copied", 2, [MIB; 2]),
            ("tree", 3, [tree + below + 16_384, tree + 16_384]),
            ("hidden", 4, [65_536; 2]),
            ("new", 5, [new + 131_072, new]),
            ("other", 6, [other + 131_072 + 409_600, other + 409_600]),
        ]
    }

    fn ask(&self, args: &[&str]) -> Value {
        let at = self.overlay.at.to_str().unwrap();
        let ran = self.env.run([&["--root", at, "--scan"], args, &["--json"]].concat());
        assert_eq!(ran.status, 0, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Compares what is said of each path, and what deleting them then frees.
    fn check(&self, case: &str) {
        let exact = Some(SizeIs::Exact);
        let scan = self.overlay.scan();
        let are = (scan.sizes_are(), scan.freed_sizes_are());
        assert_eq!(are, (exact, exact), "{case}: {:?} {:?}", scan.physical, scan.warnings);
        let report = self.ask(&["report", "--all"]);
        let rows = report["paths"].as_array().unwrap();
        assert_eq!(rows.len(), 6);
        for (name, id, expected) in self.expected() {
            let row = rows.iter().find(|row| row["name"] == name).unwrap();
            let sizes = ["physical_size", "reclaimable_physical_size"];
            assert_eq!(sizes.map(|key| row[key].as_u64().unwrap()), expected, "{case}: {row:#}");
            assert_eq!(row["disk_size"], du(&[&self.overlay.place(id, name)]), "{case}: {row:#}");
        }
        // Of less than a path it is the same, and of a snapshot.
        for args in [&["kinds", "--all"][..], &["files", "--all"]] {
            let total = &self.ask(args)["total"]["physical_size"];
            assert_eq!(total, &report["total"]["physical_size"], "{case}: {args:?}");
        }
        let kept = self.env.join("kept");
        let at = self.overlay.at.to_str().unwrap();
        self.env.run(["--root", at, "--scan", "snapshot", "-o", kept.to_str().unwrap()]).ok();
        let of_kept =
            self.env.json(["--snapshot", kept.to_str().unwrap(), "report", "--all", "--json"]);
        assert_eq!(of_kept["paths"], report["paths"], "{case}");
        // The order of names is that of their numbers.
        let foretold = freed(&scan, &[0, 1, 2, 3, 4, 5]);
        let start = self.above.used();
        for (name, id, [_, frees]) in self.expected() {
            let before = self.above.used();
            run(Command::new("rm").arg("-rf").arg(self.overlay.place(id, name))).ok();
            let gone = before - self.above.used();
            // Blocks full of inodes are the file system's own; the other name of a file is gone.
            let more = if name == "other" { 131_072 } else { 0 };
            let own = if let Layer::WithExtents(FileSystem { kind: Kind::Xfs, .. }) = self.above {
                256 << 10
            } else {
                1
            };
            assert!((frees + more..frees + more + own).contains(&gone), "{case}: {name}: {gone}");
        }
        // All but directories.
        let all = MIB + 16_384 + 65_536 + 131_072 + 409_600;
        let gone = start - self.above.used();
        assert!(foretold <= gone && foretold >= all, "{case}: {foretold} {gone}");
    }
}

#[test]
fn files_take_what_they_take_in_their_file_system() {
    for (above, below) in [("btrfs", "ext4"), ("btrfs", "tmpfs"), ("btrfs", "btrfs")] {
        for options in ["", ",xino=off", ",xino=on"] {
            let Some(both) = Both::new(above, below, options) else { return };
            both.change();
            both.check(&format!("{above} over {below}{options}"));
        }
    }
}

#[test]
fn the_upper_layer_may_be_of_blocks() {
    for options in ["", ",xino=on"] {
        let Some(both) = Both::new("tmpfs", "btrfs", options) else { return };
        both.change();
        both.check(&format!("tmpfs over btrfs{options}"));
    }
}

/// Without `xino` directories have other numbers whenever the kernel forgot them: where they have
/// blocks nothing is known.
#[test]
fn directories_need_numbers_that_stay() {
    for above in ["xfs", "ext4"] {
        let Some(both) = Both::new(above, "btrfs", ",xino=off") else { return };
        both.change();
        let why = both.overlay.unknown();
        assert!(why.contains("xino=on"), "{why}");
    }
    let Some(both) = Both::new("xfs", "btrfs", ",xino=on") else { return };
    both.change();
    both.check("XFS over btrfs");
    // Below they stay, whatever their numbers are.
    let Some(both) = Both::new("btrfs", "xfs", ",xino=off") else { return };
    both.change();
    both.check("btrfs over XFS");
}

/// All that lies on two file systems is what `compsize` says of both.
#[test]
fn compsize_says_the_same_of_both_layers() {
    if !have(&["compsize"]) {
        return;
    }
    let Some(both) = Both::new("btrfs", "btrfs", "") else { return };
    let overlay = &both.overlay;
    fs::write(overlay.place(7, "zeros-above"), zeros(3 << 20)).unwrap();
    fs::write(overlay.place(3, "tree").join("beside"), random(50_000)).unwrap();
    both.above.used();
    both.below.used();
    let paths = |layer: &Path| compsize(&layer.join("nix/store"))["TOTAL"][0];
    let [above, below] = [0, 1].map(|at| paths(&overlay.layers[at]));
    // An unused link is of no path.
    let link = compsize(&overlay.layers[1].join("nix/store/.links"))["TOTAL"][0];
    let total = &both.ask(&["report", "--all"])["total"];
    assert_eq!(total["physical_size"], above + below - link, "{total:#}");
    assert_eq!(total["inline_size"], 0);
}

/// A layer that has no store is of another file system, which makes numbers differ.
#[test]
fn a_layer_without_a_store_is_a_layer_nonetheless() {
    let Some(btrfs) = super::btrfs(&[], "loop,compress=zstd") else { return };
    let env = TestEnv::new();
    let layers = [btrfs.at.join("upper"), env.join("empty"), btrfs.at.join("lower")];
    filled(&layers[2], 1, "below", &random(32_768));
    filled(&layers[0], 2, "above", &random(65_536));
    btrfs.sync();
    for options in [",xino=off", ",xino=on"] {
        let Some(overlay) = Overlay::new(&env, &layers, options) else { return };
        fs::write(overlay.place(3, "new"), random(131_072)).unwrap();
        btrfs.sync();
        let scan = overlay.scan();
        let Physical::Extents(extents) = &scan.physical else { panic!("{:?}", scan.physical) };
        assert_eq!(extents.physical_size(), 32_768 + 65_536 + 131_072);
        assert_eq!(freed(&scan, &[0, 1, 2]), 65_536 + 131_072, "{options}");
    }
}

/// What hides something is a layer, but not one that shows nothing, unless all of it was looked at.
#[test]
fn a_file_that_is_not_found_may_be_shown_nonetheless() {
    let Some(btrfs) = super::btrfs(&[], "loop,compress=zstd") else { return };
    let Some(other) = Layer::new("tmpfs") else { return };
    let layers = [other.at().join("upper"), btrfs.at.join("lower"), other.at().join("lower")];
    filled(&layers[2], 1, "hidden", &random(4096));
    filled(&layers[2], 2, "shown", &random(4096));
    fs::create_dir_all(layers[1].join("nix/store")).unwrap();
    let hides = place(&layers[1], 1, "hidden");
    run(Command::new("mknod").arg(hides).args(["c", "0", "0"])).ok();
    let deep = place(&layers[1], 3, "deep");
    let directories = |numbers: std::ops::Range<u32>| {
        numbers.for_each(|n| fs::create_dir_all(deep.join(format!("{n:0>3}"))).unwrap());
    };
    directories(0..100);
    fs::write(deep.join("099/zeros"), zeros(1 << 20)).unwrap();
    btrfs.sync();
    let overlay = || Overlay::new(&btrfs.env, &layers, ",xino=off");
    let Some(found) = overlay() else { return };
    let physical = found.scan().extent_sizes(1).unwrap().physical_size;
    assert!(physical < 100_000, "{physical}");
    drop(found);
    fs::rename(deep.join("099/zeros"), deep.join("zeros")).unwrap();
    directories(100..400);
    fs::rename(deep.join("zeros"), deep.join("399/zeros")).unwrap();
    let Some(overlay) = overlay() else { return };
    let why = overlay.unknown();
    assert!(why.contains("is found to compare"), "{why}");
    // Nothing of it is shown.
    fs::remove_dir_all(overlay.place(3, "deep")).unwrap();
    assert!(matches!(overlay.scan().physical, Physical::Blocks));
}

/// Twenty files with two names each, in a directory of a layer's store.
fn linked(layer: &Path, id: i64, size: usize) {
    let dir = place(layer, id, "linked");
    fs::create_dir_all(&dir).unwrap();
    for n in 0..20 {
        fs::write(dir.join(format!("a{n}")), random(size)).unwrap();
        fs::hard_link(dir.join(format!("a{n}")), dir.join(format!("b{n}"))).unwrap();
    }
}

/// Numbers of the files with two names that [`linked`] made.
fn numbers(layer: &Path, id: i64) -> BTreeSet<u64> {
    let dir = fs::read_dir(place(layer, id, "linked")).unwrap();
    dir.map(|entry| entry.unwrap().metadata().unwrap().ino()).collect()
}

/// `None` where the kernel does not say which subvolume of a btrfs a file is in.
fn in_subvolumes() -> Option<FileSystem> {
    let btrfs = super::btrfs(&[], "loop,compress=zstd")?;
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    if (parts.next(), parts.next()) < (Some(6), Some(10)) {
        skip("the kernel does not tell subvolumes apart on an overlay");
        return None;
    }
    for name in ["below", "above"] {
        btrfs.btrfs(&["subvolume", "create", name]);
    }
    Some(btrfs)
}

/// Files of both have the same numbers, and share extents.
#[test]
fn subvolumes_of_one_btrfs_are_told_apart() {
    let Some(btrfs) = in_subvolumes() else { return };
    let below = btrfs.at.join("below/lower");
    filled(&below, 1, "alone", &random(200_000));
    filled(&below, 3, "shared", &random(262_144));
    linked(&below, 2, 8192);
    btrfs.sync();
    btrfs.btrfs(&["subvolume", "snapshot", "-r", "below", "snap"]);
    let layers = [btrfs.at.join("above/upper"), btrfs.at.join("snap/lower")];
    fs::create_dir_all(layers[0].join("nix/store")).unwrap();
    reflink(&place(&layers[1], 3, "shared"), &place(&layers[0], 5, "clone"));
    let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
    linked(&overlay.at, 4, 16_384);
    fs::write(overlay.place(6, "new"), random(131_072)).unwrap();
    btrfs.sync();
    let both = [numbers(&layers[0], 4), numbers(&layers[1], 2)];
    assert!(both[0].intersection(&both[1]).count() > 0, "{both:?}");

    let (report, status) = overlay.report(&btrfs.env, "auto");
    assert_eq!(status, 0, "{report:#}");
    let mut rows = report["paths"].as_array().unwrap().clone();
    rows.sort_by_key(|row| row["path"].to_string());
    let sizes = ["disk_size", "physical_size", "reclaimable_physical_size"];
    let found: Vec<_> =
        rows.iter().map(|row| sizes.map(|key| row[key].as_u64().unwrap())).collect();
    let expected = [
        [200_704, 200_704, 0],
        [163_840, 163_840, 0],
        [262_144, 262_144, 0],
        [327_680, 327_680, 327_680],
        [262_144, 262_144, 0],
        [131_072, 131_072, 131_072],
    ];
    assert_eq!(found, expected);
    let total = &report["total"];
    assert_eq!(total["physical_size"], 200_704 + 163_840 + 262_144 + 327_680 + 131_072);
    if have(&["compsize"]) {
        let all = run(Command::new("compsize").arg("-b").args(&layers)).ok();
        let line = all.lines().find(|line| line.starts_with("TOTAL")).unwrap();
        let used = line.split_whitespace().nth(2).unwrap();
        assert_eq!(total["physical_size"].to_string(), used, "{all}");
    }
    // What is below stays, in the subvolume of which the layer is a snapshot, too.
    let scan = overlay.scan();
    let Physical::Extents(extents) = &scan.physical else { panic!("{:?}", scan.physical) };
    let mut holders: Vec<_> = extents.holders.iter().map(|of| (of.lower, &of.path[..])).collect();
    holders.sort();
    assert_eq!(holders, [(false, &b"below"[..]), (true, b"")]);
    let foretold = freed(&scan, &[0, 1, 2, 3, 4, 5]);
    let before = btrfs.used();
    for (id, name) in
        [(1, "alone"), (2, "linked"), (3, "shared"), (4, "linked"), (5, "clone"), (6, "new")]
    {
        run(Command::new("rm").arg("-rf").arg(overlay.place(id, name))).ok();
    }
    assert_eq!((before - btrfs.used(), foretold), (327_680 + 131_072, 327_680 + 131_072));
}

/// Two layers in subvolumes of one btrfs whose files have the same numbers, and share extents.
fn equal_numbers(btrfs: &FileSystem) -> [PathBuf; 2] {
    let layers = ["below/lower", "above/lower"].map(|name| btrfs.at.join(name));
    for (id, layer) in [(1, &layers[0]), (2, &layers[1])] {
        linked(layer, id, 8192);
    }
    assert_eq!(numbers(&layers[0], 1), numbers(&layers[1], 2));
    reflink(&place(&layers[0], 1, "linked").join("a0"), &place(&layers[1], 3, "clone"));
    btrfs.sync();
    layers
}

/// Without an upper layer the files of one keep their numbers.
#[test]
fn two_subvolumes_may_be_all_there_is() {
    let Some(btrfs) = in_subvolumes() else { return };
    let layers = equal_numbers(&btrfs);
    let at = btrfs.env.join("merged");
    fs::create_dir(&at).unwrap();
    let options = format!("lowerdir={}:{}", layers[0].display(), layers[1].display());
    run(Command::new("mount").args(["-t", "overlay", "none", "-o", &options]).arg(&at)).ok();
    let _mount = Mount(at.clone());
    let scan = scan(&at.join("nix/store"));
    let Physical::Extents(extents) = &scan.physical else { panic!("{:?}", scan.physical) };
    assert_eq!(extents.physical_size(), 2 * 163_840);
    let sizes = [0, 1, 2].map(|path| scan.extent_sizes(path).unwrap().physical_size);
    assert_eq!(sizes, [163_840, 163_840, 8192]);
    assert_eq!(freed(&scan, &[0, 1, 2]), 0);
}

/// A copy keeps the number that it had in another subvolume: that may be one of the upper layer's
/// own.
#[test]
fn copies_from_another_subvolume_are_told_apart_by_number() {
    for apart in [true, false] {
        let Some(btrfs) = in_subvolumes() else { return };
        let layers = [btrfs.at.join("above/upper"), btrfs.at.join("below/lower")];
        filled(&layers[1], 1, "below", &random(65_536));
        linked(&layers[1], 2, 4096);
        filled(&layers[1], 3, "copied", &random(262_144));
        let burn = |at: &str, count| {
            (0..count).for_each(|n| {
                fs::write(btrfs.at.join(format!("{at}/burn{n}")), "").unwrap();
            });
        };
        if apart {
            burn("above", 200);
        }
        let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
        let copied = overlay.place(3, "copied");
        let many = overlay.place(4, "many");
        fs::create_dir(&many).unwrap();
        for n in 0..100 {
            fs::write(many.join(n.to_string()), random(4096)).unwrap();
        }
        btrfs.sync();
        let number = fs::metadata(&copied).unwrap().ino();
        let all = fs::read_dir(place(&layers[0], 4, "many")).unwrap();
        let same = all.filter(|file| file.as_ref().unwrap().metadata().unwrap().ino() == number);
        assert_eq!(same.count() == 0, apart);
        // It shares all of its extents.
        fs::set_permissions(&copied, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(fs::metadata(&copied).unwrap().ino(), number);
        btrfs.sync();
        if !apart {
            let (report, status) = overlay.report(&btrfs.env, "auto");
            assert_eq!((status, &report["paths"][2]["physical_size"]), (3, &Value::Null));
            assert!(report["warnings"].to_string().contains("by one number"), "{report:#}");
            continue;
        }
        let sizes = || {
            let scan = overlay.scan();
            assert_eq!(scan.freed_sizes_are(), Some(SizeIs::Exact), "{:?}", scan.warnings);
            [scan.extent_sizes(2).unwrap().physical_size, freed(&scan, &[2])]
        };
        assert_eq!(sizes(), [262_144, 0]);
        fs::write(&copied, random(131_072)).unwrap();
        btrfs.sync();
        assert_eq!(sizes(), [131_072; 2]);
        let before = btrfs.used();
        fs::remove_file(&copied).unwrap();
        assert_eq!(before - btrfs.used(), 131_072);
    }
}

/// Nothing tells them apart where the copies have several names: that is said.
#[test]
fn several_inodes_that_are_shown_as_one_are_said() {
    for same in [false, true] {
        let Some(btrfs) = in_subvolumes() else { return };
        let layers = [btrfs.at.join("above/upper"), btrfs.at.join("below/lower")];
        linked(&layers[1], 1, 8192);
        let Some(overlay) = Overlay::new(&btrfs.env, &layers, ",index=on") else { return };
        linked(&overlay.at, 2, 16_384);
        let files = |id| {
            fs::read_dir(overlay.place(id, "linked")).unwrap().map(|file| file.unwrap().path())
        };
        for file in files(1).filter(|_| same) {
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        btrfs.sync();
        let (report, status) = overlay.report(&btrfs.env, "auto");
        let said = report["warnings"].to_string().contains("shows several inodes as one");
        assert_eq!((said, status), (same, if same { 3 } else { 0 }), "{report:#}");
    }
}

/// Below another file system, too, unless the kernel adds the same to the numbers of both.
#[test]
fn two_subvolumes_below_another_file_system() {
    let Some(btrfs) = in_subvolumes() else { return };
    let Some(above) = Layer::new("tmpfs") else { return };
    let layers = equal_numbers(&btrfs);
    let layers = [above.at().join("upper"), layers[0].clone(), layers[1].clone()];
    for (options, known) in [(",xino=off", true), (",xino=on", false)] {
        let Some(overlay) = Overlay::new(&btrfs.env, &layers, options) else { return };
        fs::write(overlay.place(4, "new"), random(65_536)).unwrap();
        if !known {
            assert!(overlay.unknown().contains("not told apart"), "{}", overlay.unknown());
            continue;
        }
        let scan = overlay.scan();
        let Physical::Extents(extents) = &scan.physical else { panic!("{:?}", scan.physical) };
        assert_eq!(extents.physical_size(), 2 * 163_840 + 65_536);
        assert_eq!(freed(&scan, &[0, 1, 2, 3]), 65_536);
        let sizes = [0, 1, 2, 3].map(|path| scan.extent_sizes(path).unwrap().physical_size);
        assert_eq!(sizes, [163_840, 163_840, 8192, 65_536]);
    }
    // A copy of one would be shown with the subvolume of the upper layer, and the number that a
    // file of the other may have.
    let Some(other) = super::btrfs(&[], "loop") else { return };
    for upper in [other.at.join("upper"), btrfs.at.join("above/upper")] {
        let layers = [upper, layers[1].clone(), layers[2].clone()];
        let Some(overlay) = Overlay::new(&btrfs.env, &layers, "") else { return };
        fs::write(overlay.place(4, "new"), random(65_536)).unwrap();
        assert!(overlay.unknown().contains("not told apart"), "{}", overlay.unknown());
    }
}
