//! What files take beneath their blocks, on btrfs file systems made on the spot.
//! These need root and a loop device; `compsize` is the second opinion.

use crate::html::{says_what_report_says, written};
use crate::html_diff::says_what_diff_says;
use crate::images::{Mount, mount};
use crate::support::browser::Page;
use crate::support::nix;
use crate::support::store_in_code::{self, Made, base};
use crate::support::{Run, TestEnv, have, nobody, root, run, skip};
use nix_census::census::Freeable;
use nix_census::disk::{self, CompressionSizes, DiskScan, Extents, Holder, Progress, ScanOptions};
use nix_census::fs::{Compression, StoreFiles};
use nix_census::internals::NodeSet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own, and a store in it.
pub(crate) struct FileSystem {
    pub(crate) made: Made,
    _mount: Mount,
    pub(crate) at: PathBuf,
    pub(crate) env: TestEnv,
    kind: Kind,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Btrfs,
    Xfs,
}

impl Kind {
    /// Whether one can be made here.
    fn can_be_made(self) -> bool {
        let programs = match self {
            Self::Btrfs => ["mkfs.btrfs", "btrfs"],
            Self::Xfs => ["mkfs.xfs", "xfs_io"],
        };
        root() && have(&programs) && have(&["mount", "umount", "losetup"])
    }

    /// Makes one on some devices.
    fn make<D: AsRef<OsStr>>(self, options: &[&str], devices: &[D]) {
        let mkfs = match self {
            Self::Btrfs => "mkfs.btrfs",
            Self::Xfs => "mkfs.xfs",
        };
        run(Command::new(mkfs).arg("-q").args(options).args(devices)).ok();
    }
}

/// A btrfs by the options of `mkfs.btrfs` and of `mount`.
fn btrfs(mkfs: &[&str], options: &str) -> Option<FileSystem> {
    FileSystem::new(Kind::Btrfs, mkfs, options)
}

impl FileSystem {
    /// `None`, and said, where none can be made.
    pub(crate) fn new(kind: Kind, mkfs: &[&str], options: &str) -> Option<Self> {
        if !kind.can_be_made() {
            return None;
        }
        let env = TestEnv::new();
        let image = env.join("image");
        fs::File::create(&image).unwrap().set_len(320 << 20).unwrap();
        kind.make(mkfs, &[&image]);
        Self::mounted(kind, env, options, &image)
    }

    /// A btrfs on two devices.
    fn on_two(mkfs: &[&str], options: &str) -> Option<(Self, Loops)> {
        if !Kind::Btrfs.can_be_made() {
            return None;
        }
        let env = TestEnv::new();
        let mut loops = Loops(Vec::new());
        for name in ["one", "two"] {
            let image = env.join(name);
            fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
            let made = run(Command::new("losetup").args(["--find", "--show"]).arg(&image));
            if made.status != 0 {
                skip(&format!("no loop device: {}", made.stderr));
                return None;
            }
            loops.0.push(made.stdout.trim().to_owned());
        }
        Kind::Btrfs.make(mkfs, &loops.0);
        let options = format!("{options},device={}", loops.0[1]);
        let mounted = Self::mounted(Kind::Btrfs, env, &options, Path::new(&loops.0[0]))?;
        Some((mounted, loops))
    }

    fn mounted(kind: Kind, env: TestEnv, options: &str, device: &Path) -> Option<Self> {
        let at = env.join("mnt");
        let _mount = match mount(options, device, &at) {
            Ok(mount) => mount,
            Err(why) => {
                skip(&format!("the file system cannot be mounted here: {why}"));
                return None;
            }
        };
        let made = Made::bare(&env, "mnt");
        Some(Self { made, _mount, at, env, kind })
    }

    /// The place of a store path in the file system.
    pub(crate) fn place(&self, id: i64, name: &str) -> PathBuf {
        self.made.store.join(base(id, name))
    }

    fn btrfs(&self, args: &[&str]) -> String {
        run(Command::new("btrfs").args(args).current_dir(&self.at)).ok()
    }

    /// Writes all to the disk.
    pub(crate) fn sync(&self) {
        match self.kind {
            Kind::Btrfs => _ = self.btrfs(&["filesystem", "sync", "."]),
            // Freezing waits for what is deleted to be gone, too.
            Kind::Xfs => {
                for flag in ["-f", "-u"] {
                    run(Command::new("fsfreeze").arg(flag).arg(&self.at)).ok();
                }
            }
        }
    }

    /// A scan after what was written is on the disk.
    pub(crate) fn scan(&self) -> DiskScan {
        self.sync();
        scan(&self.made.store)
    }

    /// Each store path's row of a report, by name, after what was written is on the disk.
    pub(crate) fn rows(&self) -> BTreeMap<String, Value> {
        self.sync();
        let (report, run) = self.made.json(&self.env, ["--scan", "report", "--all"]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let rows = report["paths"].as_array().unwrap().iter();
        rows.map(|row| (row["name"].as_str().unwrap().to_owned(), row.clone())).collect()
    }

    /// Bytes that the file system says are used; of btrfs those of data.
    pub(crate) fn used(&self) -> u64 {
        self.sync();
        match self.kind {
            Kind::Btrfs => {
                let text = self.btrfs(&["filesystem", "df", "--raw", "."]);
                let line = text.lines().find(|line| line.starts_with("Data")).unwrap();
                line.rsplit("used=").next().unwrap().trim().parse().unwrap()
            }
            Kind::Xfs => {
                let mut stat = Command::new("stat");
                let text = run(stat.args(["-f", "-c", "%b %f %S"]).arg(&self.at)).ok();
                let numbers: Vec<u64> =
                    text.split_whitespace().map(|n| n.parse().unwrap()).collect();
                (numbers[0] - numbers[1]) * numbers[2]
            }
        }
    }

    /// Deletes paths that are files one after the other, and compares what each frees with
    /// what was foretold of it; what that was.
    pub(crate) fn delete_each(&self, paths: &[(&str, i64)]) -> Vec<u64> {
        let delete = |&(name, id): &(&str, i64)| {
            let foretold = self.rows()[name]["reclaimable_physical_size"].as_u64().unwrap();
            let before = self.used();
            fs::remove_file(self.place(id, name)).unwrap();
            assert_eq!(before - self.used(), foretold, "{name}");
            foretold
        };
        paths.iter().map(delete).collect()
    }
}

/// Loop devices, detached at the end.
struct Loops(Vec<String>);

impl Drop for Loops {
    fn drop(&mut self) {
        for device in &self.0 {
            run(Command::new("losetup").args(["--detach", device]));
        }
    }
}

/// A scan of all paths of a store.
pub(crate) fn scan(store: &Path) -> DiskScan {
    let mut names: Vec<_> =
        fs::read_dir(store).unwrap().map(|e| e.unwrap().file_name().into_encoded_bytes()).collect();
    names.retain(|name| !name.starts_with(b"."));
    names.sort();
    let files = StoreFiles::live(Path::new("/"), store).unwrap();
    let options = ScanOptions { whole: true, threads: Some(2), ..ScanOptions::default() };
    disk::scan(&files, &names, &options, &Progress::default()).unwrap()
}

fn zeros(size: usize) -> Vec<u8> {
    vec![0; size]
}

/// Bytes that no compression makes smaller.
pub(crate) fn random(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

/// The kinds of warnings that make an answer incomplete.
pub(crate) fn incomplete(answer: &Value) -> Vec<&str> {
    let kinds = answer["warnings"].as_array().unwrap().iter();
    let mut kinds: Vec<_> = kinds.map(|warning| warning["kind"].as_str().unwrap()).collect();
    kinds.retain(|&kind| kind != "note");
    kinds.sort_unstable();
    kinds
}

pub(crate) fn sizes(row: &Value) -> [u64; 4] {
    ["disk_size", "physical_size", "referenced_size", "reclaimable_physical_size"]
        .map(|key| row[key].as_u64().unwrap_or_else(|| panic!("{key} of {row:#}")))
}

/// What deleting some paths of a scan, by number, frees in extents.
pub(crate) fn freed(scan: &DiskScan, paths: &[u32]) -> u64 {
    let all = scan.usages.len();
    let gone = NodeSet::from_nodes(all, paths.iter().copied());
    Freeable::new(scan, all, &vec![false; scan.others.len()]).freed(&gone).physical_size
}

/// What a scan says of all its paths together.
pub(crate) fn extents(scan: &DiskScan) -> &Extents {
    scan.extents().unwrap_or_else(|| panic!("{:?} {:?}", scan.physical, scan.warnings))
}

pub(crate) fn reflink(from: &Path, to: &Path) {
    run(Command::new("cp").arg("--reflink=always").arg(from).arg(to)).ok();
}

/// Makes `to` from `at` on share a range of `from` that begins there at `offset`.
pub(crate) fn reflink_range(from: &Path, to: &Path, [offset, at, length]: [u64; 3]) {
    let command = format!("reflink {} {offset} {at} {length}", from.display());
    run(Command::new("xfs_io").args(["-f", "-c", &command]).arg(to)).ok();
}

#[test]
fn compressed_files_take_what_their_extents_take() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    fs::write(btrfs.place(1, "zeros"), zeros(1 << 20)).unwrap();
    let nocow = btrfs.place(2, "nocow");
    fs::File::create(&nocow).unwrap();
    run(Command::new("chattr").arg("+C").arg(&nocow)).ok();
    fs::write(&nocow, zeros(1 << 20)).unwrap();
    let rows = btrfs.rows();
    assert_eq!(sizes(&rows["zeros"]), [1 << 20, 32_768, 1 << 20, 32_768]);
    assert_eq!(sizes(&rows["nocow"]), [1 << 20; 4]);
    // Their blocks are equal: rows are sorted by extents.
    let (report, _) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--all"]);
    assert_eq!(report["paths"][0]["name"], "nocow");
    // Where blocks alone are shown, by these.
    for (columns, first) in
        [("name,disk_size", "zeros"), ("name,disk_size,physical_size", "nocow"), ("name", "nocow")]
    {
        let args = ["--scan", "report", "--all", "--columns", columns];
        let (report, _) = btrfs.made.json(&btrfs.env, args);
        assert_eq!(report["paths"][0]["name"], first, "{columns}");
    }
    // Of people, who see extents in place of blocks.
    let table = btrfs.made.run(&btrfs.env, ["--scan", "report", "--all", "--width", "100"]).ok();
    assert!(table.contains("physical") && table.contains("32.0 KiB"), "{table}");
    let table = btrfs.made.run(&btrfs.env, ["--scan", "tree", "zeros", "--width", "100"]).ok();
    assert!(table.contains("physical  retained physical"), "{table}");
    assert!(!table.contains("disk size"), "{table}");
}

#[test]
fn an_extent_is_kept_whole_by_any_part_of_it() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let (written, cut) = (btrfs.place(1, "written"), btrfs.place(2, "cut"));
    for file in [&written, &cut] {
        fs::write(file, random(1 << 20)).unwrap();
    }
    btrfs.sync();
    let file = fs::OpenOptions::new().write(true).open(&written);
    file.unwrap().write_all_at(&random(4096), 8192).unwrap();
    fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(4096).unwrap();
    let rows = btrfs.rows();
    assert_eq!(sizes(&rows["written"]), [1 << 20, 1_052_672, 1 << 20, 1_052_672]);
    assert_eq!(sizes(&rows["cut"]), [4096, 1 << 20, 4096, 1 << 20]);
    btrfs.delete_each(&[("written", 1), ("cut", 2)]);
}

#[test]
fn what_files_share_goes_with_the_last_of_them() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let [a, b, c] = [(1, "a"), (2, "b"), (3, "c")].map(|(id, name)| btrfs.place(id, name));
    fs::write(&a, random(1 << 20)).unwrap();
    btrfs.sync();
    reflink(&a, &b);
    fs::write(&c, random(65_536)).unwrap();
    let scan = btrfs.scan();
    assert_eq!(extents(&scan).physical_size(), 1_114_112);
    assert_eq!(freed(&scan, &[0]), 0);
    assert_eq!(freed(&scan, &[1]), 0);
    assert_eq!(freed(&scan, &[2]), 65_536);
    assert_eq!(freed(&scan, &[0, 1]), 1 << 20);
    btrfs.delete_each(&[("a", 1), ("c", 3), ("b", 2)]);
}

#[test]
fn a_part_that_is_shared_keeps_all_of_its_extent() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let (a, b) = (btrfs.place(1, "a"), btrfs.place(2, "b"));
    fs::write(&a, random(1 << 20)).unwrap();
    btrfs.sync();
    reflink_range(&a, &b, [0, 0, 262_144]);
    let rows = btrfs.rows();
    assert_eq!(sizes(&rows["a"]), [1 << 20, 1 << 20, 1 << 20, 0]);
    assert_eq!(sizes(&rows["b"]), [262_144, 1 << 20, 262_144, 0]);
    btrfs.delete_each(&[("a", 1), ("b", 2)]);
}

#[test]
fn a_file_that_shares_with_itself_takes_its_extent_once() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let file = btrfs.place(1, "twice");
    fs::write(&file, random(131_072)).unwrap();
    btrfs.sync();
    reflink_range(&file, &file, [0, 131_072, 131_072]);
    assert_eq!(sizes(&btrfs.rows()["twice"]), [262_144, 131_072, 262_144, 131_072]);
}

#[test]
fn what_is_reserved_is_told_from_what_is_written() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let file = btrfs.place(1, "reserved");
    run(Command::new("fallocate").args(["-l", "1M"]).arg(&file)).ok();
    btrfs.sync();
    let written = fs::OpenOptions::new().write(true).open(&file).unwrap();
    written.write_all_at(&random(65_536), 0).unwrap();
    assert_eq!(sizes(&btrfs.rows()["reserved"]), [1 << 20; 4]);
    let scan = btrfs.scan();
    let shown = |total: &CompressionSizes| (total.compression, total.sizes.referenced_size);
    let shown: Vec<_> = extents(&scan).totals.iter().map(shown).collect();
    assert_eq!(shown, [(Compression::None, 65_536), (Compression::Prealloc, 983_040)]);
}

#[test]
fn hard_links_take_their_extents_once() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    for (id, name, size) in [(1, "large", 1 << 20), (2, "small", 1000)] {
        let (file, link) = (btrfs.place(id, name), btrfs.place(id + 2, &format!("{name}-link")));
        fs::write(&file, random(size)).unwrap();
        fs::hard_link(&file, &link).unwrap();
    }
    let rows = btrfs.rows();
    assert_eq!(sizes(&rows["large"]), [1 << 20, 1 << 20, 1 << 20, 0]);
    assert_eq!(rows["small"]["inline_size"], 1000);
    let (report, _) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--all"]);
    let total = &report["total"];
    assert_eq!((&total["physical_size"], &total["inline_size"]), (&(1 << 20).into(), &1000.into()));
    let scan = btrfs.scan();
    assert_eq!((freed(&scan, &[0]), freed(&scan, &[0, 2])), (0, 1 << 20));
}

#[test]
fn a_snapshot_keeps_what_it_shares_and_is_named() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let (a, b) = (btrfs.place(1, "a"), btrfs.place(2, "b"));
    fs::write(&a, random(1 << 20)).unwrap();
    fs::create_dir(btrfs.at.join(".snapshots")).unwrap();
    btrfs.btrfs(&["subvolume", "snapshot", "-r", ".", ".snapshots/41"]);
    fs::write(&b, random(524_288)).unwrap();
    let scan = btrfs.scan();
    assert_eq!((freed(&scan, &[0]), freed(&scan, &[1])), (0, 524_288));
    let holders = &extents(&scan).holders;
    assert_eq!(holders.len(), 1, "{holders:?}");
    assert_eq!(holders[0].path, b".snapshots/41");
    assert!(holders[0].snapshot && !holders[0].own);
    btrfs.delete_each(&[("a", 1), ("b", 2)]);
}

#[test]
fn files_outside_the_store_keep_what_they_share() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    btrfs.btrfs(&["subvolume", "create", "other"]);
    let files = [(1, "a"), (2, "b"), (3, "c")].map(|(id, name)| btrfs.place(id, name));
    for file in &files {
        fs::write(file, random(65_536)).unwrap();
    }
    btrfs.sync();
    reflink(&files[0], &btrfs.at.join("other/a"));
    reflink(&files[1], &btrfs.at.join("b"));
    let scan = btrfs.scan();
    let each: Vec<_> = (0..3).map(|path| freed(&scan, &[path])).collect();
    assert_eq!(each, [0, 0, 65_536]);
    let named = |holder: &Holder| (holder.path.clone(), holder.snapshot, holder.own);
    let holders: Vec<_> = extents(&scan).holders.iter().map(named).collect();
    assert_eq!(holders, [(Vec::new(), false, true), (b"other".to_vec(), false, false)]);
    // A closure alone: other paths of the store hold what they share with it.
    reflink(&files[2], &btrfs.place(4, "d"));
    assert_eq!(sizes(&btrfs.rows()["c"]), [65_536, 65_536, 65_536, 0]);
    let (alone, _) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--no-closure", "c"]);
    assert_eq!(sizes(&alone["paths"][0]), [65_536, 65_536, 65_536, 0]);
    btrfs.btrfs(&["subvolume", "delete", "other"]);
    let (after, told) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--no-closure", "a"]);
    assert_eq!(sizes(&after["paths"][0]), [65_536; 4], "{}", told.stderr);
}

#[test]
fn copies_are_those_of_the_profile() {
    let Some((btrfs, _loops)) =
        FileSystem::on_two(&["-d", "raid1", "-m", "raid1"], "compress=zstd")
    else {
        return;
    };
    fs::write(btrfs.place(1, "random"), random(1 << 20)).unwrap();
    fs::write(btrfs.place(2, "zeros"), zeros(1 << 20)).unwrap();
    let scan = btrfs.scan();
    let found = extents(&scan);
    assert_eq!((found.physical_size(), found.raw_size), (1_081_344, Some(2 * 1_081_344)));
}

#[test]
fn what_is_not_known_is_said() {
    let env = TestEnv::new();
    let made = Made::bare(&env, "store");
    fs::write(made.store.join(base(1, "a")), zeros(5000)).unwrap();
    let row = |how: &str| {
        let (report, run) = made.json(&env, ["--scan", "--extents", how, "report", "--all"]);
        (report["paths"][0]["physical_size"].clone(), report["total"].clone(), run.status)
    };
    let (physical, total, status) = row("never");
    assert_eq!((physical, &total["physical_size"], status), (Value::Null, &Value::Null, 0));
    let (overview, _) = made.json(&env, ["--scan", "--extents", "never"]);
    assert_eq!(overview["physical_size_unknown"], "it was not asked for");
    let (physical, _, status) = row("exact");
    assert_eq!(physical.is_null(), status == 3, "{physical}");
}

#[test]
fn what_is_not_written_yet_is_said() {
    let Some(btrfs) = btrfs(&[], "loop,commit=300") else { return };
    fs::write(btrfs.place(1, "old"), random(65_536)).unwrap();
    btrfs.sync();
    fs::write(btrfs.place(2, "new"), random(1 << 20)).unwrap();
    let (report, run) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--all"]);
    assert_eq!(report["complete"], false, "{report:#}");
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains("1 file with contents that are not written"), "{}", run.stderr);
    // Of what is told by blocks alone nothing is missing.
    let (files, run) = btrfs.made.json(&btrfs.env, ["--scan", "files"]);
    assert_eq!((&files["complete"], run.status), (&Value::Bool(true), 0), "{}", run.stderr);
    assert_eq!(btrfs.rows()["new"]["physical_size"], 1 << 20);
}

/// Columns of `compsize`, by type: disk usage, uncompressed, referenced.
fn compsize(store: &Path) -> BTreeMap<String, [u64; 3]> {
    let text = run(Command::new("compsize").arg("-b").arg(store)).ok();
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, _, numbers @ ..] = &words[..] else { return None };
        let numbers: Vec<u64> = numbers.iter().flat_map(|n| n.parse()).collect();
        Some(((*name).to_owned(), numbers.try_into().ok()?))
    };
    text.lines().skip(2).filter_map(row).collect()
}

#[test]
fn compsize_says_the_same_of_files_with_one_name() {
    if !have(&["compsize"]) {
        return;
    }
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let text = |n: usize, size: usize| {
        let words = (0..).flat_map(|i| format!("{n} word {} ", i * i % 977 + n).into_bytes());
        words.take(size).collect::<Vec<_>>()
    };
    for (id, way) in (1..).zip(["zstd", "zlib", "lzo", "none"]) {
        let dir = btrfs.place(id, way);
        fs::create_dir(&dir).unwrap();
        run(Command::new("btrfs").args(["property", "set"]).arg(&dir).args(["compression", way]))
            .ok();
        for (n, size) in [10, 1000, 3000, 5000, 70_000, 300_000].into_iter().enumerate() {
            fs::write(dir.join(format!("text{n}")), text(n, size)).unwrap();
            fs::write(dir.join(format!("random{n}")), random(size)).unwrap();
        }
        btrfs.sync();
        reflink(&dir.join("text5"), &dir.join("again"));
        let written = fs::OpenOptions::new().write(true).open(dir.join("text4")).unwrap();
        written.write_all_at(&text(9, 8000), 4096).unwrap();
    }
    let scan = btrfs.scan();
    let says = compsize(&btrfs.made.store);
    assert_eq!(says.len(), 5, "{says:?}");
    assert_eq!(says, as_compsize(extents(&scan)));
}

/// The rows that `compsize` prints, of files with one name and no symlinks.
fn as_compsize(extents: &Extents) -> BTreeMap<String, [u64; 3]> {
    let mut rows = BTreeMap::new();
    let mut all = [0; 3];
    for CompressionSizes { compression, sizes, inline_uncompressed_size } in &extents.totals {
        let row = [
            sizes.physical_size + sizes.inline_size,
            sizes.uncompressed_size + inline_uncompressed_size,
            sizes.referenced_size + inline_uncompressed_size,
        ];
        (0..3).for_each(|i| all[i] += row[i]);
        rows.insert(compression.name().to_owned(), row);
    }
    rows.insert("TOTAL".to_owned(), all);
    rows
}

/// `compsize` counts references and inline contents once for each name, and no symlinks.
#[test]
fn compsize_says_more_of_hard_links_and_nothing_of_symlinks() {
    if !have(&["compsize"]) {
        return;
    }
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let [one, two] = [1, 2].map(|id| btrfs.place(id, "tree"));
    let links = btrfs.made.store.join(".links");
    for dir in [&one, &two, &links] {
        fs::create_dir(dir).unwrap();
    }
    let files = [
        ("zeros", zeros(1 << 20), Compression::Zstd),
        ("random", random(200_000), Compression::None),
        ("small", random(700), Compression::None),
    ];
    for (name, bytes, _) in &files {
        fs::write(one.join(name), bytes).unwrap();
        fs::hard_link(one.join(name), two.join(name)).unwrap();
        fs::hard_link(one.join(name), two.join(format!("{name}-again"))).unwrap();
        fs::hard_link(one.join(name), links.join(name)).unwrap();
    }
    let target = "a/target/of/a/symlink";
    std::os::unix::fs::symlink(target, one.join("symlink")).unwrap();
    let scan = btrfs.scan();
    let extents = extents(&scan);
    let mut rows = as_compsize(extents);
    for (name, _, compression) in &files {
        let stat = fs::metadata(one.join(name)).unwrap();
        let at = scan.inodes.iter().position(|inode| inode.ino == stat.ino()).unwrap();
        let of = extents.inodes[at];
        for row in [compression.name(), "TOTAL"] {
            let row = rows.get_mut(row).unwrap();
            let again = stat.nlink() - 1;
            assert_eq!(again, 3);
            row[0] += again * of.inline_size;
            row[1] += again * of.inline_size;
            row[2] += again * (of.inline_size + of.referenced_size);
        }
    }
    for row in ["none", "TOTAL"] {
        rows.get_mut(row).unwrap().iter_mut().for_each(|sum| *sum -= target.len() as u64);
    }
    assert_eq!(compsize(&btrfs.made.store), rows);
}

#[test]
fn deleting_paths_of_many_files_frees_what_was_foretold() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let empty = btrfs.used();
    let places = [1, 2, 3, 4, 5].map(|id| btrfs.place(id, "tree"));
    for (n, place) in places.iter().enumerate() {
        fs::create_dir_all(place.join("directory")).unwrap();
        fs::write(place.join("directory/text"), "text ".repeat(40_000 + 10_000 * n)).unwrap();
        fs::write(place.join("directory/random"), random(50_000 + 10_000 * n)).unwrap();
        fs::write(place.join("small"), "inline").unwrap();
        std::os::unix::fs::symlink("small", place.join("symlink")).unwrap();
    }
    btrfs.sync();
    let [one, two, three, four, five] = &places;
    let links = btrfs.made.store.join(".links");
    fs::create_dir(&links).unwrap();
    // Two paths share an inode, two an extent, two a part of one; one path has a file twice.
    fs::hard_link(two.join("directory/random"), three.join("random")).unwrap();
    fs::hard_link(two.join("directory/random"), links.join("random")).unwrap();
    reflink(&one.join("directory/text"), &two.join("text"));
    reflink_range(&four.join("directory/random"), &five.join("part"), [0, 0, 8192]);
    fs::hard_link(one.join("directory/random"), one.join("random")).unwrap();
    // The whole of what the image holds.
    let scan = btrfs.scan();
    assert_eq!(btrfs.used() - empty, extents(&scan).physical_size());
    // Held by something outside, as which it takes nothing more.
    reflink(&three.join("directory/random"), &btrfs.at.join("outside"));
    assert_eq!(btrfs.used() - empty, extents(&scan).physical_size());

    // By number in a scan: a closure of which a path outside it shares a file, then the
    // rest of it, then a path alone, then all.
    let mut present: Vec<&PathBuf> = places.iter().collect();
    for gone in [&[one, two][..], &[three], &[five], &[four]] {
        let scan = btrfs.scan();
        let number = |place: &PathBuf| present.iter().position(|at| *at == place).unwrap() as u32;
        let foretold = freed(&scan, &gone.iter().map(|place| number(place)).collect::<Vec<_>>());
        let before = btrfs.used();
        present.retain(|place| !gone.contains(place));
        gone.iter().for_each(|place| fs::remove_dir_all(place).unwrap());
        // As a collection does.
        for link in fs::read_dir(&links).unwrap().map(Result::unwrap) {
            if link.metadata().unwrap().nlink() == 1 {
                fs::remove_file(link.path()).unwrap();
            }
        }
        assert!(foretold > 0);
        assert_eq!(before - btrfs.used(), foretold, "{gone:?}");
    }
    // What is held outside alone is left.
    assert_eq!(btrfs.used() - empty, 73_728);
}

/// A store of Nix on a btrfs; its database lies elsewhere, so that data used are those of
/// the store alone.
fn of_nix(btrfs: &FileSystem) -> Option<(nix::Store, Mount)> {
    let nix = nix::first()?;
    let (var, at) = (btrfs.env.join("var"), btrfs.at.join("root/nix/var"));
    fs::create_dir_all(&at).unwrap();
    fs::create_dir(&var).unwrap();
    run(Command::new("mount").arg("--bind").arg(&var).arg(&at)).ok();
    let mount = Mount(at);
    Some((nix::Store::root(nix, btrfs.at.join("root")), mount))
}

#[test]
fn a_real_collection_frees_what_was_foretold() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let Some((store, _var)) = of_nix(&btrfs) else { return };
    let add = |name: &str, files: &[(&str, Vec<u8>)]| {
        let from = btrfs.env.join(name);
        fs::create_dir(&from).unwrap();
        files.iter().for_each(|(file, bytes)| fs::write(from.join(file), bytes).unwrap());
        store.nix("nix-store", ["--add".into(), from.into_os_string()]).trim().to_owned()
    };
    let both = random(300_000);
    let one = add("one", &[("zeros", zeros(1 << 20)), ("random", random(1 << 20))]);
    let two = add("two", &[("small", random(500)), ("both", both.clone())]);
    let live = add("live", &[("both", both), ("own", random(10_000))]);
    let root = btrfs.at.join("root/nix/var/nix/gcroots/live");
    std::os::unix::fs::symlink(&live, root).unwrap();
    btrfs.sync();
    // What a live path, a file outside and a snapshot share with dead ones stays.
    let files = [store.real_path(&two).join("both"), store.real_path(&live).join("both")];
    let mode = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(files[1].parent().unwrap(), mode(0o755)).unwrap();
    fs::remove_file(&files[1]).unwrap();
    reflink(&files[0], &files[1]);
    fs::set_permissions(files[1].parent().unwrap(), mode(0o555)).unwrap();
    reflink(&store.real_path(&one).join("random"), &btrfs.at.join("random"));
    let last = add("last", &[("random", random(200_000))]);
    btrfs.sync();
    btrfs.btrfs(&["subvolume", "snapshot", "-r", ".", "41"]);
    let free = add("free", &[("random", random(123_456))]);

    let before = btrfs.used();
    let ask = |args: &[&str]| -> Value {
        let mut all = store.args();
        all.extend(args.iter().map(Into::into));
        all.extend(["--format".into(), "json".into()]);
        let run = btrfs.env.run(all);
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr))
    };
    let garbage = ask(&["garbage", "--no-runtime"]);
    let dead = &garbage["dead"];
    assert_eq!(dead["paths"], 4, "{one} {last} {free}");
    let foretold = dead["freed_physical_size"].as_u64().unwrap();
    // The snapshot holds all but the newest path.
    assert_eq!(foretold, 126_976);
    assert_eq!(dead["held_physical_size"], 1_048_576 + 32_768 + 200_704);
    let held = garbage["held_extents"].as_array().unwrap();
    let holders: Vec<_> = held.iter().map(|row| row["holder"].as_str().unwrap()).collect();
    assert_eq!(holders, ["snapshot 41", "other files of the store's subvolume"], "{held:#?}");
    let table = btrfs.env.run({
        let mut all = store.args();
        all.extend(["garbage".into(), "--no-runtime".into()]);
        all
    });
    assert!(table.stdout.contains("held by"), "{}", table.stdout);
    assert!(table.stdout.contains("Sizes are physical"), "{}", table.stdout);

    store.nix("nix-store", ["--gc"]);
    assert_eq!(before - btrfs.used(), foretold);
    // Without the snapshot, what it alone held is free; the other file still holds its own.
    btrfs.btrfs(&["subvolume", "delete", "--commit-after", "41"]);
    btrfs.btrfs(&["subvolume", "sync", "."]);
    let held = 32_768 + 200_704;
    assert_eq!(before - btrfs.used(), foretold + held);
}

#[test]
fn every_command_goes_by_extents() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let Some((store, _var)) = of_nix(&btrfs) else { return };
    let from = btrfs.env.join("zeros");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("zeros"), zeros(1 << 20)).unwrap();
    let path = store.nix("nix-store", ["--add".into(), from.into_os_string()]);
    let path = path.trim();
    let root = btrfs.at.join("root/nix/var/nix/gcroots/zeros");
    std::os::unix::fs::symlink(path, root).unwrap();
    btrfs.sync();
    let ask = |args: &[&str]| -> Value {
        let mut all = store.args();
        all.extend(args.iter().map(Into::into));
        all.extend(["--format".into(), "json".into()]);
        let run = btrfs.env.run(all);
        // 1 where no action alone gives what is needed.
        assert!(run.status <= 1, "{}", run.stderr);
        serde_json::from_str(&run.stdout).unwrap()
    };
    let physical = |value: &Value, keys: &[&str]| {
        let mut at = value;
        for key in keys {
            at = match key.parse::<usize>() {
                Ok(index) => &at[index],
                Err(_) => &at[*key],
            };
        }
        at.as_u64().unwrap_or_else(|| panic!("{keys:?} of {value:#}"))
    };
    for (args, keys) in [
        (&[][..], &["physical_size"][..]),
        (&[], &["heaviest", "0", "physical_size"]),
        (&["tree", path], &["lines", "0", "physical_size"]),
        (&["tree", path], &["lines", "0", "retained_physical_size"]),
        (&["report", path], &["paths", "0", "closure_physical_size"]),
        (&["report", path], &["total", "physical_size"]),
        (&["what-if", path, "--remove", path], &["total", "physical_size_before"]),
        (&["suggest", path], &["total", "physical_size_before"]),
        (&["roots", "--no-runtime"], &["roots", "0", "freed_physical_size"]),
        (&["roots", "--no-runtime"], &["roots", "0", "closure_physical_size"]),
        (&["garbage", "--no-runtime"], &["alive", "physical_size"]),
        (
            &["garbage", "--no-runtime", "--if-removed", "*zeros"],
            &["dead_paths", "0", "freed_physical_size"],
        ),
        (&["reclaim", "--no-runtime", "--need", "1K"], &["need", "freed_physical_size"]),
    ] {
        assert_eq!(physical(&ask(args), keys), 32_768, "{args:?}");
    }
}

#[test]
fn a_real_optimisation_frees_what_was_foretold() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    let Some((store, _var)) = of_nix(&btrfs) else { return };
    let (equal, shared) = (random(100_000), random(200_000));
    for name in ["one", "two", "three"] {
        let from = btrfs.env.join(name);
        fs::create_dir(&from).unwrap();
        fs::write(from.join("equal"), &equal).unwrap();
        fs::write(from.join("shared"), &shared).unwrap();
        fs::write(from.join("zeros"), zeros(1 << 20)).unwrap();
        fs::write(from.join("small"), "small").unwrap();
        fs::write(from.join("own"), name.repeat(3000)).unwrap();
        let path = store.nix("nix-store", ["--add".into(), from.into_os_string()]);
        // Copies of one of the files share their extents already.
        let [file, first] = [path.trim(), "first"].map(|name| match name {
            "first" => btrfs.at.join("first"),
            path => store.real_path(path).join("shared"),
        });
        if name == "one" {
            btrfs.sync();
            reflink(&file, &first);
        } else {
            let above = file.parent().unwrap();
            fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
            fs::remove_file(&file).unwrap();
            reflink(&first, &file);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
            fs::set_permissions(above, fs::Permissions::from_mode(0o555)).unwrap();
        }
    }
    let before = btrfs.used();
    let mut args = store.args();
    args.extend(["optimise", "--format", "json"].map(Into::into));
    let optimise = btrfs.env.json(args);
    let foretold = optimise["freed_physical_size"].as_u64().unwrap();
    assert!(optimise["disk_freed"].as_u64().unwrap() > 2 << 20, "{optimise:#}");
    // Two copies of what no other shares, the zeros compressed.
    assert_eq!(foretold, 2 * (102_400 + 32_768));
    for list in ["by_path", "by_package", "by_pair", "by_kind", "groups"] {
        let rows = optimise[list].as_array().unwrap().iter();
        let sizes = rows.map(|row| row["freed_physical_size"].as_u64().unwrap());
        assert_eq!(sizes.sum::<u64>(), foretold, "{list} of {optimise:#}");
    }
    // The zeros are large, and free little.
    let sizes = |row: &Value| (row["size"].clone(), row["freed_physical_size"].clone());
    assert_eq!(sizes(&optimise["groups"][0]), (100_000.into(), (2 * 102_400).into()));
    assert_eq!(sizes(&optimise["groups"][1]), (1_048_576.into(), (2 * 32_768).into()));
    let file = btrfs.env.join("equal.html");
    let mut args = store.args();
    args.extend(["optimise", "--format", "html", "--output"].map(Into::into));
    args.push(file.clone().into());
    btrfs.env.run(args).ok();
    if let Some(mut page) = Page::open(&file) {
        let weights = "nixCensus.pairs.tops.map((node) => nixCensus.pairs.weights[node])";
        let weights: Vec<u64> = serde_json::from_value(page.eval(weights)).unwrap();
        assert_eq!(weights.into_iter().sum::<u64>(), foretold);
        let gain = "document.querySelector('#panel dl dd data').value";
        assert_eq!(page.eval(gain), foretold.to_string());
        page.press("p");
        let keys = page.eval("nixCensus.views.table.columns.map(([key]) => key)");
        assert!(keys.as_array().unwrap().contains(&"freed_physical_size".into()), "{keys}");
        assert!(!keys.as_array().unwrap().contains(&"disk_freed".into()), "{keys}");
        assert!(page.complaints.is_empty(), "{:?}", page.complaints);
    }
    store.nix("nix-store", ["--optimise"]);
    assert_eq!(before - btrfs.used(), foretold);
}

/// Makes a file of a store anew, each part in extents of its own.
fn rewrite(btrfs: &FileSystem, file: &Path, parts: &[&[u8]]) {
    let above = file.parent().unwrap();
    let mode = fs::metadata(file).unwrap().permissions();
    fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(file).unwrap();
    let new = fs::File::create(file).unwrap();
    let mut at = 0;
    for part in parts {
        new.write_all_at(part, at).unwrap();
        at += part.len() as u64;
        btrfs.sync();
    }
    fs::set_permissions(file, mode).unwrap();
    fs::set_permissions(above, fs::Permissions::from_mode(0o555)).unwrap();
}

/// Makes a range of one file share the extents of another.
fn deduplicate(from: &Path, to: &Path, [offset, at, length]: [u64; 3]) {
    let command = format!("dedupe {} {offset} {at} {length}", from.display());
    run(Command::new("xfs_io").args(["-c", &command]).arg(to)).ok();
}

#[test]
fn real_deduplication_after_optimising_frees_what_was_foretold() {
    for (mkfs, algorithm) in [(&[][..], "crc32c"), (&["--csum", "blake2"], "blake2b")] {
        let Some(btrfs) = btrfs(mkfs, "loop,compress=zstd") else { return };
        let Some((store, _var)) = of_nix(&btrfs) else { return };
        if !have(&["xfs_io"]) {
            return;
        }
        let equal = random(1 << 18);
        let part = random(1 << 17);
        let places = ["one", "two"].map(|name| {
            let from = btrfs.env.join(name);
            fs::create_dir(&from).unwrap();
            // Linked by optimising, and not there twice afterwards.
            fs::write(from.join("equal"), &equal).unwrap();
            // Not linked, as one is executable.
            for file in ["zeros", "nocow", "held"] {
                fs::write(from.join(file), zeros(1 << 20)).unwrap();
                let mode = if name == "one" { 0o444 } else { 0o555 };
                fs::set_permissions(from.join(file), fs::Permissions::from_mode(mode)).unwrap();
            }
            fs::write(from.join("parts"), name).unwrap();
            store.real_path(store.nix("nix-store", ["--add".into(), from.into_os_string()]).trim())
        });
        let [one, two] = &places;
        for (place, last) in [(one, random(8192)), (two, random(8192))] {
            rewrite(&btrfs, &place.join("parts"), &[&part, &last]);
        }
        // Equal data that something outside keeps, once.
        let held = random(1 << 16);
        places.iter().for_each(|place| rewrite(&btrfs, &place.join("held"), &[&held]));
        reflink(&one.join("held"), &btrfs.at.join("outside"));
        // Equal data without checksums.
        let nocow = random(1 << 15);
        for place in &places {
            let file = place.join("nocow");
            rewrite(&btrfs, &file, &[]);
            run(Command::new("chattr").arg("+C").arg(&file)).ok();
            fs::File::options().write(true).open(&file).unwrap().write_all_at(&nocow, 0).unwrap();
        }
        btrfs.sync();
        let mut args = store.args();
        args.extend(["optimise", "--format", "json"].map(Into::into));
        let optimise = btrfs.env.json(args);
        let foretold = optimise["deduplication_physical_size"].as_u64().unwrap();
        // Of 16 extents of zeros, 128 KiB each, one is left.
        assert_eq!(foretold, (1 << 17) + 15 * 4096 + (1 << 16), "{optimise:#}");
        assert_eq!(optimise["deduplication_unchecked_size"], 2 << 15);
        assert_eq!(optimise["deduplication_checksums"], algorithm);
        assert_eq!(optimise["deduplication_estimated"], algorithm == "crc32c");
        let mut args = store.args();
        args.extend(["optimise"].map(Into::into));
        let table = btrfs.env.run(args).stdout;
        let size = if algorithm == "crc32c" { "about 252.0 KiB" } else { "252.0 KiB" };
        let line = table.lines().find(|line| line.contains("block deduplication")).unwrap();
        assert!(line.contains(size) && line.contains(algorithm), "{line}");
        assert_eq!(line.contains("about"), algorithm == "crc32c");

        store.nix("nix-store", ["--optimise"]);
        let before = btrfs.used();
        for at in 0..8u64 {
            let at = at << 17;
            deduplicate(&one.join("zeros"), &two.join("zeros"), [0, at, 1 << 17]);
            if at > 0 {
                deduplicate(&one.join("zeros"), &one.join("zeros"), [0, at, 1 << 17]);
            }
        }
        deduplicate(&one.join("parts"), &two.join("parts"), [0, 0, 1 << 17]);
        deduplicate(&one.join("held"), &two.join("held"), [0, 0, 1 << 16]);
        assert_eq!(before - btrfs.used(), foretold);
    }
}

#[test]
fn what_links_take_in_metadata_is_about_what_was_foretold() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let Some((store, _var)) = of_nix(&btrfs) else { return };
    let from = btrfs.env.join("many");
    fs::create_dir(&from).unwrap();
    // As many as make a node of a tree, 16 KiB, little of it.
    for n in 0..12_000 {
        fs::write(from.join(format!("{n}")), format!("{n}").repeat(5)).unwrap();
    }
    store.nix("nix-store", ["--add".into(), from.into_os_string()]);
    let metadata = || {
        btrfs.sync();
        let text = btrfs.btrfs(&["filesystem", "df", "--raw", "."]);
        let line = text.lines().find(|line| line.starts_with("Metadata")).unwrap();
        line.rsplit("used=").next().unwrap().trim().parse::<u64>().unwrap()
    };
    let before = metadata();
    let mut args = store.args();
    args.extend(["optimise", "--format", "json"].map(Into::into));
    let optimise = btrfs.env.json(args);
    let foretold = optimise["links_metadata_size"].as_u64().unwrap();
    assert_eq!(optimise["nix_report"]["links_added"], 12_000);
    assert_eq!(foretold, 12_000 * 451);
    store.nix("nix-store", ["--optimise"]);
    // Measured: 1.09 of it. Leaves are taken whole.
    let taken = metadata() - before;
    assert!((foretold * 3 / 4..foretold * 5 / 4).contains(&taken), "{taken} of {foretold}");
}

/// A snapshot answers as the store does; what is taken over from one has its extents read
/// again.
#[test]
fn snapshots_keep_extents_and_since_reads_them_again() {
    let Some(btrfs) = btrfs(&[], "compress=zstd") else { return };
    let (made, env) = (&btrfs.made, &btrfs.env);
    let db = rusqlite::Connection::open(&made.database).unwrap();
    db.execute_batch(store_in_code::SCHEMA).unwrap();
    for id in 1..=3 {
        let at = btrfs.place(id, "tree");
        fs::create_dir_all(at.join("directory")).unwrap();
        fs::write(at.join("directory/file"), "text ".repeat(100_000 * id as usize)).unwrap();
        fs::write(at.join("small"), "inline").unwrap();
        store_in_code::insert(&db, id, store_in_code::path(id, "tree").as_bytes(), None);
    }
    drop(db);
    let reflink = |from: PathBuf, to: PathBuf| {
        run(Command::new("cp").arg("--reflink=always").args([from, to])).ok();
    };
    reflink(btrfs.place(1, "tree/directory/file"), btrfs.place(2, "tree/reflink"));
    reflink(btrfs.place(3, "tree/directory/file"), btrfs.at.join("outside"));
    let links = made.store.join(".links");
    fs::create_dir(&links).unwrap();
    fs::hard_link(btrfs.place(3, "tree/directory/file"), links.join("one")).unwrap();
    fs::write(links.join("unused"), "x".repeat(50_000)).unwrap();
    btrfs.sync();
    let file = env.join("store.census").to_str().unwrap().to_owned();
    made.run(env, ["snapshot", "-o", &file]);
    let question = ["report", "--all", "--json", "--columns", "all"];
    let whole = |more: &[&str]| {
        btrfs.sync();
        let run = made.run(env, [&question[..], more].concat());
        assert!(run.stdout.contains("\"closure_physical_size\":"), "{}", run.stderr);
        run.stdout
    };
    let kept = |more: &[&str]| {
        let args = [&["--snapshot", &file], &question[..], more].concat();
        run(&mut env.command(args)).stdout
    };
    for more in [&[][..], &["--extents", "never"], &["--extents", "exact"]] {
        assert_eq!(kept(more), whole(more), "{more:?}");
        assert_eq!(whole(&[&["--since", &file], more].concat()), whole(more), "{more:?}");
    }
    let before = whole(&[]);
    fs::remove_file(links.join("one")).unwrap();
    reflink(btrfs.place(1, "tree/directory/file"), btrfs.place(1, "tree/reflink"));
    fs::write(btrfs.place(2, "tree/more"), "more ".repeat(50_000)).unwrap();
    fs::remove_file(btrfs.at.join("outside")).unwrap();
    fs::write(btrfs.place(9, "other"), "other").unwrap();
    let after = whole(&[]);
    assert_ne!(after, before);
    assert_eq!(whole(&["--since", &file]), after);
    assert_eq!(whole(&["--since", &file, "--update"]), after);
    assert_eq!(kept(&[]), after);
}

#[test]
fn read_only_and_bound_it_is_the_same() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    fs::write(btrfs.place(1, "zeros"), zeros(1 << 20)).unwrap();
    reflink(&btrfs.place(1, "zeros"), &btrfs.place(2, "again"));
    let before = btrfs.rows();
    run(Command::new("umount").arg(&btrfs.at)).ok();
    let image = btrfs.env.join("image");
    run(Command::new("mount").args(["-o", "loop,ro"]).arg(&image).arg(&btrfs.at)).ok();
    let rows = |root: &Path| {
        let root = root.to_str().unwrap();
        let report = btrfs.env.json(["--root", root, "--scan", "report", "--all", "--json"]);
        let rows = report["paths"].as_array().unwrap().clone();
        rows.into_iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row)).collect()
    };
    assert_eq!(before, rows(&btrfs.at));
    let bound = btrfs.env.join("bound");
    fs::create_dir(&bound).unwrap();
    run(Command::new("mount").arg("--bind").arg(&btrfs.at).arg(&bound)).ok();
    let mount = Mount(bound);
    assert_eq!(before, rows(&mount.0));
}

#[test]
fn a_store_in_a_subvolume_is_read_from_its_own() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    fs::remove_dir_all(&btrfs.made.store).unwrap();
    btrfs.btrfs(&["subvolume", "create", "nix/store"]);
    for id in [1, 2] {
        fs::write(btrfs.place(id, &format!("of-{id}")), random(65_536)).unwrap();
    }
    // The same inode numbers elsewhere are other files.
    for name in ["one", "two", "three", "four", "five"] {
        fs::write(btrfs.at.join(name), random(4096)).unwrap();
    }
    btrfs.sync();
    reflink(&btrfs.place(1, "of-1"), &btrfs.at.join("outside"));
    let scan = btrfs.scan();
    assert_eq!((freed(&scan, &[0]), freed(&scan, &[1])), (0, 65_536));
    let holders = &extents(&scan).holders;
    assert_eq!(holders.len(), 1, "{holders:?}");
    assert!(holders[0].path.is_empty() && !holders[0].own, "{holders:?}");

    // Of a subvolume below the store nothing is known, and that is said.
    btrfs.btrfs(&["subvolume", "create", &format!("nix/store/{}", base(3, "below"))]);
    fs::write(btrfs.place(3, "below/file"), random(65_536)).unwrap();
    let scan = btrfs.scan();
    assert_eq!(extents(&scan).physical_size(), 2 * 65_536);
    assert!(!scan.warnings.complete(), "{:?}", scan.warnings);
}

#[test]
fn without_privilege_sizes_are_about_and_only_where_asked_for() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    fs::write(btrfs.place(1, "zeros"), zeros(1 << 20)).unwrap();
    fs::write(btrfs.place(2, "plain"), random(300_000)).unwrap();
    fs::write(btrfs.place(3, "small"), "small").unwrap();
    btrfs.sync();
    // Written after the zeros, and so what bounds them.
    fs::write(btrfs.place(4, "last"), random(8192)).unwrap();
    reflink(&btrfs.place(2, "plain"), &btrfs.place(5, "again"));
    fs::hard_link(btrfs.place(1, "zeros"), btrfs.place(6, "link")).unwrap();
    std::os::unix::fs::symlink("x".repeat(100), btrfs.place(7, "symlink")).unwrap();
    let exact = btrfs.rows();
    let ask = |how: &str, more: &[&str]| {
        let args = ["--scan", "--extents", how, "report", "--all"];
        run(nobody(&btrfs.env).arg("--root").arg(&btrfs.at).args(args).args(more))
    };
    let json = |how: &str| -> (Value, Run) {
        let ran = ask(how, &["--json"]);
        (serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")), ran)
    };
    let (report, ran) = json("auto");
    assert_eq!((&report["paths"][0]["physical_size"], ran.status), (&Value::Null, 0), "{ran:?}");
    assert_eq!(report["physical_size_is"], Value::Null);
    let overview = run(nobody(&btrfs.env).arg("--root").arg(&btrfs.at).arg("--scan"));
    assert!(overview.stdout.contains("--extents exact"), "{overview:?}");

    // Zeros take blocks, and next to nothing: blocks do not say that it is enough.
    let need = |how: &str| {
        let args = ["--scan", "--extents", how, "garbage", "--no-runtime", "--need", "1M"];
        run(nobody(&btrfs.env).arg("--root").arg(&btrfs.at).args(args).arg("--json"))
    };
    for how in ["auto", "exact"] {
        let ran = need(how);
        assert_eq!(ran.status, 3, "{ran:?}");
        assert!(ran.stderr.contains("what comes free is judged by blocks"), "{}", ran.stderr);
    }
    assert!(!need("never").stderr.contains("judged"));

    let (report, ran) = json("exact");
    assert_eq!((&report["complete"], ran.status), (&false.into(), 3), "{ran:?}");
    assert_eq!(report["physical_size_is"], "about");
    assert_eq!(report["freed_physical_size_is"], Value::Null);
    assert_eq!(incomplete(&report), ["unchecked"]);
    assert!(ran.stderr.contains("btrfs shows extents to root only"), "{}", ran.stderr);
    for row in report["paths"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        for key in ["physical_size", "referenced_size", "inline_size"] {
            assert_eq!(row[key], exact[name][key], "{key} of {name}");
        }
        assert_eq!(row["physical_size_is"], "about");
        assert_eq!(row["reclaimable_physical_size"], Value::Null, "{row:#}");
    }
    let total = &report["total"]["physical_size"];
    assert_eq!(*total, 32_768 + 303_104 + 8192, "{report:#}");
    let table = ask("exact", &["--width", "120"]).stdout;
    assert!(table.contains("about what is taken") && table.contains("root"), "{table}");
    let csv =
        ask("exact", &["--format", "csv", "--columns", "name,physical_size,physical_size_is"]);
    assert!(csv.stdout.contains("zeros,32768,about"), "{csv:?}");
    // Of what would be freed nothing is said, and a snapshot says the same.
    let args = ["--scan", "--extents", "exact", "snapshot", "-o", "-"];
    let snapshot = btrfs.env.join("snapshot");
    let file = fs::File::create(&snapshot).unwrap();
    let mut command = nobody(&btrfs.env);
    command.arg("--root").arg(&btrfs.at).args(args).stdout(file).status().unwrap();
    let snapshot = snapshot.to_str().unwrap();
    let kept = btrfs.env.run(["--snapshot", snapshot, "report", "--all", "--json"]);
    assert_eq!(kept.status, 3, "{}", kept.stderr);
    let kept: Value = serde_json::from_str(&kept.stdout).unwrap();
    assert_eq!(kept["physical_size_is"], "about", "{kept:#}");
    assert_eq!(kept["paths"], report["paths"]);
}

/// What cannot be opened is not known, nor what was overwritten: root sees both.
#[test]
fn what_only_root_sees_makes_sizes_less() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    if !have(&["setpriv"]) {
        return;
    }
    let (written, secret) = (btrfs.place(1, "written"), btrfs.place(2, "secret"));
    fs::write(&written, random(1 << 20)).unwrap();
    fs::write(&secret, random(65_536)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    btrfs.sync();
    let file = fs::OpenOptions::new().write(true).open(&written);
    file.unwrap().write_all_at(&random(4096), 8192).unwrap();
    assert_eq!(btrfs.rows()["written"]["physical_size"], 1_052_672);
    let args = ["--scan", "--extents", "exact", "report", "--all", "--json"];
    let ran = run(nobody(&btrfs.env).arg("--root").arg(&btrfs.at).args(args));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(ran.status, 3);
    assert_eq!(report["total"]["physical_size"], 1 << 20);
    // Its contents cannot be searched for references either.
    assert_eq!(incomplete(&report), ["unchecked", "unknown_nar_size", "unreadable", "unreadable"]);
    assert!(ran.stderr.contains("its extents are not known: Permission denied"), "{}", ran.stderr);
}

#[test]
fn far_more_than_the_store_is_read_only_when_asked() {
    let Some(btrfs) = btrfs(&["-m", "single"], "loop,compress=zstd") else { return };
    fs::write(btrfs.place(1, "zeros"), zeros(1 << 20)).unwrap();
    // 8 MiB of metadata, and the same again in each snapshot.
    btrfs.btrfs(&["subvolume", "create", "home"]);
    let noise = random(2000);
    for n in 0..4000 {
        fs::write(btrfs.at.join(format!("home/{n}")), &noise).unwrap();
    }
    btrfs.sync();
    let ask = |how: &str, command: &[&str]| {
        let args = [&["--scan", "--extents", how], command].concat();
        let (answer, run) = btrfs.made.json(&btrfs.env, args);
        assert_eq!(run.status, 0, "{}", run.stderr);
        (answer, run.stderr)
    };
    let report = ["report", "--all"];
    let physical = |how: &str| {
        let (answer, said) = ask(how, &report);
        (answer["paths"][0]["physical_size"].clone(), said.contains("--extents exact"))
    };
    for n in 0..5 {
        btrfs.btrfs(&["subvolume", "snapshot", "-r", "home", &format!("{n}")]);
    }
    assert_eq!(physical("auto"), (32_768.into(), false));
    for n in 5..25 {
        btrfs.btrfs(&["subvolume", "snapshot", "-r", "home", &format!("{n}")]);
    }
    // The same each time, as it goes by what is read and not by the clock.
    for _ in 0..2 {
        assert_eq!(physical("auto"), (Value::Null, true));
    }
    assert_eq!(physical("exact"), (32_768.into(), false));
    let (overview, _) = ask("auto", &[]);
    assert_eq!(overview["physical_size"], Value::Null);
    let why = overview["physical_size_unknown"].as_str().unwrap();
    assert!(why.contains("--extents exact"), "{why}");
    let freed = |how: &str| ask(how, &["optimise"]).0["freed_physical_size"].clone();
    assert_eq!((freed("auto"), freed("exact")), (Value::Null, 0.into()));
}

#[test]
fn a_damaged_tree_is_said() {
    let Some(btrfs) = btrfs(&["-m", "single"], "loop") else { return };
    let path = btrfs.place(1, "many");
    fs::create_dir(&path).unwrap();
    // In the middle: a mount reads the ends of the tree.
    let mark = b"a mark that nothing else in the image has";
    for n in 0..900 {
        fs::write(path.join(format!("file{n}")), "inline".repeat(50)).unwrap();
        if n == 450 {
            fs::write(path.join("marked"), mark).unwrap();
        }
    }
    btrfs.sync();
    run(Command::new("umount").arg(&btrfs.at)).ok();
    let image = btrfs.env.join("image");
    let bytes = fs::read(&image).unwrap();
    let places: Vec<usize> = bytes
        .windows(mark.len())
        .enumerate()
        .filter(|(at, window)| bytes[*at] == mark[0] && window == mark)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
    places.iter().for_each(|&at| file.write_all_at(b"X", at as u64).unwrap());
    drop(file);
    run(Command::new("mount").args(["-o", "loop,ro"]).arg(&image).arg(&btrfs.at)).ok();
    let (report, ran) = btrfs.made.json(&btrfs.env, ["--scan", "report", "--all"]);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert_eq!(report["paths"][0]["physical_size"], Value::Null);
    let warnings = report["warnings"].as_array().unwrap();
    let told = |warning: &Value| {
        let message = warning["message"].as_str().unwrap();
        warning["kind"] == "damaged" && message.contains("cannot read its extents")
    };
    assert!(warnings.iter().any(told), "{warnings:#?}");
}

/// Two systems: of the first an application of a MiB of zeros and a library; of the second
/// another application, which shares the library's extent.
fn systems(btrfs: &FileSystem) {
    let db = rusqlite::Connection::open(&btrfs.made.database).unwrap();
    db.execute_batch(store_in_code::SCHEMA).unwrap();
    let names = [
        ("system-1", 288),
        ("system-2", 288),
        ("app-1.0", 1_049_048),
        ("app-2.0", 197_264),
        ("lib-1.0", 131_544),
    ];
    for (id, (name, nar_size)) in (1..).zip(names) {
        fs::create_dir(btrfs.place(id, name)).unwrap();
        fs::write(btrfs.place(id, name).join("small"), name).unwrap();
        let path = store_in_code::path(id, name);
        store_in_code::insert(&db, id, path.as_bytes(), Some(nar_size));
    }
    fs::write(btrfs.place(3, "app-1.0/zeros"), zeros(1 << 20)).unwrap();
    fs::write(btrfs.place(4, "app-2.0/random"), random(65_536)).unwrap();
    fs::write(btrfs.place(5, "lib-1.0/random"), random(131_072)).unwrap();
    btrfs.sync();
    reflink(&btrfs.place(5, "lib-1.0/random"), &btrfs.place(4, "app-2.0/reflink"));
    for (from, to) in [(1, 3), (1, 5), (2, 4), (2, 5)] {
        store_in_code::refer(&db, from, to);
    }
    btrfs.sync();
}

#[test]
fn differences_and_limits_are_of_extents() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    systems(&btrfs);
    let (made, env) = (&btrfs.made, &btrfs.env);
    let diff = made.json(env, ["diff", "system-1", "system-2"]).0;
    let total = &diff["total"];
    assert_eq!(
        (&total["physical_size_before"], &total["physical_size_after"]),
        (&163_840.into(), &196_608.into())
    );
    let app = diff["packages"].as_array().unwrap().iter().find(|row| row["pname"] == "app");
    let app = app.unwrap();
    let key = |key: &str| app[key].as_i64().unwrap();
    assert_eq!(
        ["physical_change", "physical_size_before", "closure_physical_size_after"].map(key),
        [163_840, 32_768, 196_608]
    );
    // What shrank by its blocks grew, and people see that.
    assert!(key("disk_change") < 0);
    let table = made.run(env, ["diff", "system-1", "system-2", "--width", "80"]).ok();
    assert!(table.contains("+160.0 KiB") && table.contains("Sizes are physical"), "{table}");
    assert!(!table.contains("disk size"), "{table}");
    let paths = made.json(env, ["diff", "system-1", "system-2", "--by", "path"]).0;
    let gone = paths["paths"].as_array().unwrap().iter();
    let gone: Vec<_> = gone.filter(|row| row["physical_size"] == 32_768).collect();
    assert_eq!((gone.len(), &gone[0]["closure_physical_size"]), (1, &32_768.into()));

    // One application in place of the other saves what nothing else has of it: the extent
    // of the library stays.
    let variants = made.json(env, ["variants", "--all"]).0;
    let of = |list: &str, key: &str, name: &str| {
        let row = variants[list].as_array().unwrap().iter().find(|row| row[key] == name);
        row.unwrap_or_else(|| panic!("{name} of {variants:#}")).clone()
    };
    let newer = of("variants", "version", "2.0");
    assert_eq!(
        (&newer["physical_size"], &newer["retained_physical_size"]),
        (&196_608.into(), &65_536.into())
    );
    assert_eq!(newer["saves_physical_size"], 65_536);
    assert_eq!(of("groups", "package", "app")["saves_physical_size"], 65_536);

    // By group each extent once, in all too.
    let groups = made.json(env, ["report", "--all", "--group-by", "pname"]).0;
    let sizes: BTreeMap<_, _> = (groups["groups"].as_array().unwrap().iter())
        .map(|row| (row["pname"].as_str().unwrap(), row["physical_size"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, BTreeMap::from([("app", 229_376), ("lib", 131_072), ("system", 0)]));
    assert_eq!(groups["total"]["physical_size"], 229_376);

    // A snapshot keeps what was.
    let file = env.join("before.census").to_str().unwrap().to_owned();
    made.run(env, ["snapshot", "-o", &file]);
    fs::write(btrfs.place(3, "app-1.0/more"), random(65_536)).unwrap();
    btrfs.sync();
    let total = made.json(env, ["diff", "--old-snapshot", &file]).0["total"].clone();
    let [before, after] =
        ["physical_size_before", "physical_size_after"].map(|key| total[key].as_u64().unwrap());
    assert_eq!((before, after), (229_376, 229_376 + 65_536));

    let check = |args: &[&str]| {
        let (answer, ran) = made.json(env, [&["check", "system-2"], args].concat());
        (answer["budgets"][0].clone(), answer["culprits"].clone(), ran)
    };
    let (kept, _, ran) = check(&["--max-physical", "192K"]);
    assert_eq!(
        (&kept["status"], &kept["found_size"], ran.status),
        (&"ok".into(), &196_608.into(), 0)
    );
    let (broken, culprits, ran) = check(&["--max-physical", "128K"]);
    assert_eq!((&broken["excess_size"], ran.status), (&65_536.into(), 1));
    assert_eq!(culprits[0]["physical_size"], 196_608);
    assert_eq!(culprits[0]["disk_size"], Value::Null);
    let (unknown, _, ran) = check(&["--max-physical", "1G", "--extents", "never"]);
    assert_eq!((&unknown["status"], ran.status), (&"unknown".into(), 3));
    assert!(ran.stderr.contains("physical sizes are not known"), "{}", ran.stderr);
}

#[test]
fn pages_say_the_same_of_extents() {
    let Some(btrfs) = btrfs(&[], "loop,compress=zstd") else { return };
    systems(&btrfs);
    let (env, root) = (&btrfs.env, btrfs.at.to_str().unwrap());
    let file = written(env, &["--root", root, "html", "system-2"]);
    let Some(mut page) = Page::open(&file) else { return };
    let report = env.json(["--root", root, "report", "system-2", "--json"]);
    says_what_report_says(&mut page, &report);
    // The map is by extents, and any other size can be chosen.
    assert_eq!(page.eval("nixCensus.size"), "physical");
    let weights = "nixCensus.map.boxes.filter((box) => box.inner).map((box) => nixCensus.map.weight(box.node))";
    assert_eq!(page.eval(weights)[0], 196_608);
    let sizes = "[...document.querySelectorAll('#controls .choice')[0].querySelectorAll('button')].map((b) => b.textContent).join(' ')";
    assert_eq!(page.text(sizes), "Physical Disk NAR");
    for size in ["disk", "nar", "physical"] {
        page.press("s");
        assert_eq!(page.eval("nixCensus.size"), size);
    }
    // Without the library what the application shares with it stays.
    page.eval("nixCensus.toggleRemoved(nixCensus.census.columns.name.indexOf('lib-1.0'))");
    let left = page.eval("document.querySelector('#changes [data-key=physical] data').value");
    assert_eq!(left, "196608");
    let what_if = ["--root", root, "what-if", "system-2", "--remove", "lib-1.0", "--json"];
    assert_eq!(env.json(what_if)["total"]["physical_size_after"], 196_608);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);

    let args = ["--root", root, "diff", "system-1", "system-2"];
    let file = written(env, &args);
    page.visit(&format!("file://{}", file.display()));
    says_what_diff_says(env, &mut page, &args);
    assert_eq!(page.eval("nixCensus.size"), "physical");
    page.eval("nixCensus.state.set({ view: 'map', package: -1, path: -1 })");
    assert!(
        page.text("document.querySelector('#panel').textContent").contains("Sizes are physical")
    );
}
