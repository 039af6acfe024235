//! The walk against walkdir, du, and what cannot be read.
#![allow(clippy::unwrap_used)]

use crate::support::{device, du, have, inherited, reachable, root, tempdir};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix_census::disk::{self, DiskScan, ExtentsOption, Progress, ScanOptions, Total, Usage};
use nix_census::fs::{FileType, StoreFiles, Tree};
use nix_census::internals::{EntryStat, Top, Visitor, WalkDirectory, WalkEntry, Walker};
use nix_census::warning::WarningKind;
use proptest::prelude::*;
use rustix::fs::{Mode, OFlags, mkdirat, openat};

const WHOLE: ScanOptions = ScanOptions {
    whole: true,
    threads: Some(3),
    use_case_hack: false,
    extents: ExtentsOption::Auto,
    inode_extents: false,
};
const TARGETS: ScanOptions = ScanOptions { whole: false, ..WHOLE };

/// How files are reached: each is the other's second opinion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Native,
    Portable,
}

impl Engine {
    fn files(self, store: &Path) -> StoreFiles {
        let tree = match self {
            Self::Native => Tree::live(store),
            Self::Portable => Tree::live_portable(store),
        };
        StoreFiles::open(&tree.unwrap(), Path::new("/")).unwrap()
    }

    fn scan(self, store: &Path, names: &[&str], options: ScanOptions) -> DiskScan {
        let files = self.files(store);
        disk::scan(&files, names, &options, &Progress::default()).expect("the store can be read")
    }
}

fn scan(store: &Path, names: &[&str], options: ScanOptions) -> DiskScan {
    Engine::Native.scan(store, names, options)
}

/// Usages of everything in the store directory but `.links`, by name.
fn by_name(scan: &DiskScan, names: &[&str]) -> BTreeMap<Vec<u8>, Usage> {
    names
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .zip(scan.usages.iter().copied())
        .chain(scan.others.iter().cloned())
        .collect()
}

/// What walkdir and the rules of the NAR format say of one path.
fn reference(path: &Path) -> Usage {
    fn padded(n: u64) -> u64 {
        n.div_ceil(8) * 8
    }
    let mut usage = Usage { nar_size: 24, present: true, complete: true, ..Usage::default() };
    let mut seen = std::collections::HashSet::new();
    for entry in walkdir::WalkDir::new(path).follow_root_links(false) {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let kind = meta.file_type();
        if entry.depth() > 0 && (kind.is_file() || kind.is_dir() || kind.is_symlink()) {
            usage.nar_size += 88 + padded(entry.file_name().len() as u64);
        }
        let first = meta.is_dir() || meta.nlink() == 1 || seen.insert((meta.dev(), meta.ino()));
        let private = meta.is_dir() || meta.nlink() == 1;
        let apparent = if kind.is_file() || kind.is_symlink() { meta.size() } else { 0 };
        if first {
            usage.disk_size += meta.blocks() * 512;
            usage.inodes += 1;
            usage.apparent_size += apparent;
        }
        if private {
            usage.private_disk_size += meta.blocks() * 512;
            usage.private_inodes += 1;
            usage.private_apparent_size += apparent;
        }
        if kind.is_dir() {
            usage.directories += 1;
            usage.nar_size += 72;
        } else if kind.is_file() {
            usage.files += 1;
            let executable = if meta.mode() & 0o100 == 0 { 0 } else { 32 };
            usage.nar_size += 88 + padded(meta.size()) + executable;
        } else if kind.is_symlink() {
            usage.symlinks += 1;
            let target = fs::read_link(entry.path()).unwrap();
            usage.nar_size += 88 + padded(target.as_os_str().len() as u64);
        } else {
            usage.unsupported += 1;
        }
    }
    usage
}

/// The disk size of all paths of a scan together, each inode once.
fn union_disk_size(scan: &DiskScan) -> u64 {
    let mut used = vec![false; scan.inodes.len()];
    for row in scan.names.iter() {
        for &index in row {
            used[index as usize] = true;
        }
    }
    let private: u64 = scan
        .usages
        .iter()
        .chain(scan.others.iter().map(|o| &o.1))
        .map(|u| u.private_disk_size)
        .sum();
    let shared: u64 =
        scan.inodes.iter().zip(used).filter(|(_, used)| *used).map(|(i, _)| i.disk_size()).sum();
    private + shared
}

/// Everything of a scan, in a form that does not depend on its order.
fn facts(scan: &DiskScan, names: &[&str]) -> impl PartialEq + std::fmt::Debug + use<> {
    let inodes: Vec<_> = scan
        .inodes
        .iter()
        .map(|i| {
            (i.ino, i.size, i.disk_size(), i.nlink, i.is_symlink(), i.executable(), i.linked())
        })
        .collect();
    (
        by_name(scan, names),
        scan.usages.clone(),
        inodes,
        scan.names.clone(),
        scan.links,
        scan.store_directory_disk_size,
        scan.entries,
        scan.warnings.iter().cloned().collect::<Vec<_>>(),
    )
}

/// Checks a store against walkdir and `du`, whole and by targets, with both engines.
fn check(store: &Path) {
    let mut names: Vec<String> = fs::read_dir(store)
        .unwrap()
        .map(|e| String::from_utf8(e.unwrap().file_name().as_bytes().to_vec()).unwrap())
        .filter(|name| name != ".links")
        .collect();
    names.sort();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    // Every second one is asked for; a whole scan finds the others.
    let some: Vec<&str> = all.iter().copied().step_by(2).collect();
    let expected: BTreeMap<Vec<u8>, Usage> =
        all.iter().map(|n| (n.as_bytes().to_vec(), reference(&store.join(n)))).collect();

    for engine in [Engine::Native, Engine::Portable] {
        let whole = engine.scan(store, &some, WHOLE);
        assert_eq!(by_name(&whole, &some), expected, "{engine:?}");
        let targets = engine.scan(store, &all, TARGETS);
        assert_eq!(by_name(&targets, &all), expected, "{engine:?}");
        assert_eq!(targets.others.len(), 0);
        for (scan, asked) in [(&whole, &some), (&targets, &all)] {
            check_inodes(store, scan, asked);
            if !all.is_empty() {
                let paths: Vec<_> = all.iter().map(|n| store.join(n)).collect();
                assert_eq!(union_disk_size(scan), du(&paths), "{engine:?}");
            }
        }
        if engine == Engine::Native {
            let other = Engine::Portable.scan(store, &some, WHOLE);
            assert_eq!(facts(&whole, &some), facts(&other, &some));
            let other = Engine::Portable.scan(store, &all, TARGETS);
            assert_eq!(facts(&targets, &all), facts(&other, &all));
            // `stat` is called once for each inode. Races between two threads that meet
            // one inode at once aside, which one thread cannot have.
            // Only there are the inode numbers of directories known to be true.
            if cfg!(all(target_os = "linux", not(nix_census_portable))) {
                let one = scan(store, &some, ScanOptions { threads: Some(1), ..WHOLE });
                assert_eq!(one.stat_calls, distinct_inodes(store));
            }
        }
    }
    for (name, usage) in &expected {
        let path = store.join(OsStr::from_bytes(name));
        assert_eq!(usage.disk_size, du(&[path]));
    }
}

/// The number of inodes of a store directory, without itself.
fn distinct_inodes(store: &Path) -> u64 {
    let all = walkdir::WalkDir::new(store).min_depth(1).into_iter();
    let inodes: std::collections::HashSet<u64> =
        all.map(|e| e.unwrap().metadata().unwrap().ino()).collect();
    inodes.len() as u64
}

/// Checks inodes with several names, their rows and `.links`, against walkdir.
fn check_inodes(store: &Path, scan: &DiskScan, asked: &[&str]) {
    let linked: HashMap<u64, fs::Metadata> = walkdir::WalkDir::new(store.join(".links"))
        .min_depth(1)
        .into_iter()
        .filter_map(Result::ok)
        .map(|e| e.metadata().unwrap())
        .map(|m| (m.ino(), m))
        .collect();
    let paths =
        asked.iter().map(|n| n.as_bytes().to_vec()).chain(scan.others.iter().map(|o| o.0.clone()));
    assert_eq!(scan.names.len(), scan.usages.len() + scan.others.len());
    for (path, row) in paths.zip(scan.names.iter()) {
        let mut expected: Vec<u64> = walkdir::WalkDir::new(store.join(OsStr::from_bytes(&path)))
            .follow_root_links(false)
            .into_iter()
            .map(|e| e.unwrap().metadata().unwrap())
            .filter(|m| !m.is_dir() && m.nlink() > 1)
            .map(|m| m.ino())
            .collect();
        expected.sort_unstable();
        assert!(row.is_sorted());
        let mut got: Vec<u64> = row.iter().map(|&i| scan.inodes[i as usize].ino).collect();
        got.sort_unstable();
        assert_eq!(got, expected);
    }
    for inode in &scan.inodes {
        assert_eq!(inode.linked(), linked.contains_key(&inode.ino));
        assert_eq!(inode.device, 0);
        assert!(inode.nlink > 1);
    }
    if let Some(links) = scan.links {
        assert_eq!(
            links.entries as usize,
            walkdir::WalkDir::new(store.join(".links")).into_iter().count() - 1
        );
        assert_eq!(links.disk_size, linked.values().map(|m| m.blocks() * 512).sum::<u64>());
        assert_eq!(links.apparent_size, linked.values().map(MetadataExt::size).sum::<u64>());
        assert_eq!(links.unused as usize, linked.values().filter(|m| m.nlink() == 1).count());
        let saved: u64 =
            linked.values().filter(|m| m.nlink() > 1).map(|m| (m.nlink() - 2) * m.size()).sum();
        assert_eq!(links.saved_apparent_size, saved);
    }
}

/// One thing put into a random store.
#[derive(Clone, Debug)]
enum Put {
    File {
        size: usize,
        executable: bool,
    },
    Sparse(u64),
    Directory,
    Symlink(String),
    Fifo,
    /// A further name of a file put before.
    HardLink(prop::sample::Index),
    /// The same, with a name in `.links` too.
    Optimised(prop::sample::Index),
}

fn put() -> impl Strategy<Value = Put> {
    prop_oneof![
        4 => (0usize..20_000, any::<bool>()).prop_map(|(size, executable)| Put::File { size, executable }),
        1 => (0u64..50_000_000).prop_map(Put::Sparse),
        4 => Just(Put::Directory),
        2 => prop::sample::select(vec!["/nowhere/at/all", "..", ".", "a", "/"]).prop_map(|t| Put::Symlink(t.to_owned())),
        1 => Just(Put::Fifo),
        4 => any::<prop::sample::Index>().prop_map(Put::HardLink),
        2 => any::<prop::sample::Index>().prop_map(Put::Optimised),
    ]
}

/// A name of odd bytes, never one of the store's own.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..20).prop_map(|bytes| {
        bytes.into_iter().map(|b| if b == 0 || b == b'/' || b == b'.' { b'_' } else { b }).collect()
    })
}

/// Puts things into directories put before (the first ones into the store itself).
fn build(store: &Path, puts: &[(Put, prop::sample::Index, Vec<u8>)]) {
    let mut directories = vec![];
    let mut files: Vec<PathBuf> = vec![];
    for (i, (put, into, name)) in puts.iter().enumerate() {
        let path = if i % 5 == 0 || directories.is_empty() {
            store.join(format!("{i:032}-path"))
        } else {
            into.get::<PathBuf>(&directories).join(OsStr::from_bytes(name))
        };
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match put {
            Put::File { size, executable } => {
                fs::write(&path, vec![7; *size]).unwrap();
                let mode = if *executable { 0o555 } else { 0o444 };
                fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))
                    .unwrap();
                files.push(path);
            }
            Put::Sparse(size) => {
                fs::File::create(&path).unwrap().set_len(*size).unwrap();
                files.push(path);
            }
            Put::Directory => {
                fs::create_dir(&path).unwrap();
                directories.push(path);
            }
            Put::Symlink(target) => {
                symlink(target, &path).unwrap();
                files.push(path);
            }
            Put::Fifo => fifo(&path),
            Put::HardLink(of) if !files.is_empty() => {
                fs::hard_link(of.get(&files), &path).unwrap();
            }
            Put::Optimised(of) if !files.is_empty() => {
                let links = store.join(".links");
                fs::create_dir_all(&links).unwrap();
                let file: &PathBuf = of.get(&files);
                let ino = file.symlink_metadata().unwrap().ino();
                let _ = fs::hard_link(file, links.join(format!("{ino:052}")));
                fs::hard_link(file, &path).unwrap();
            }
            Put::HardLink(_) | Put::Optimised(_) => {}
        }
    }
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn equals_walkdir_and_du(puts in prop::collection::vec((put(), any::<prop::sample::Index>(), name()), 1..80)) {
        let store = tempdir();
        build(store.path(), &puts);
        check(store.path());
    }
}

#[test]
fn names_of_one_inode_in_one_directory() {
    let store = tempdir();
    let path = store.path().join("x");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("0"), [1; 5000]).unwrap();
    for i in 1..100 {
        fs::hard_link(path.join("0"), path.join(i.to_string())).unwrap();
    }
    check(store.path());
    // Not counting `x` itself: one statx for a hundred names.
    let scan = scan(store.path(), &["x"], ScanOptions { threads: Some(1), ..TARGETS });
    assert_eq!(scan.entries, 101);
    if cfg!(all(target_os = "linux", not(nix_census_portable))) {
        assert_eq!(scan.stat_calls, 2);
    }
}

#[test]
fn files_symlinks_and_empty_directories_as_paths() {
    let store = tempdir();
    fs::write(store.path().join("a.drv"), "Derive").unwrap();
    symlink("/etc/passwd", store.path().join("b")).unwrap();
    fs::create_dir(store.path().join("c")).unwrap();
    fs::create_dir(store.path().join(".links")).unwrap();
    fs::hard_link(store.path().join("a.drv"), store.path().join(".links/x")).unwrap();
    fs::write(store.path().join(".links/unused"), "unused").unwrap();
    check(store.path());
    let scan = scan(store.path(), &["a.drv", "b", "c"], WHOLE);
    assert_eq!(scan.usages.iter().map(|u| u.nar_size).collect::<Vec<_>>(), [120, 128, 96]);
    assert!(scan.warnings.complete());
    let links = scan.links.unwrap();
    assert_eq!((links.entries, links.unused, links.unused_apparent_size), (2, 1, 6));
}

#[test]
#[cfg_attr(
    any(not(target_os = "linux"), nix_census_portable),
    ignore = "by paths no file deeper than PATH_MAX is reached"
)]
fn a_tree_5000_deep() {
    let store = tempdir();
    // Two directories a level, so that each level waits for the other one.
    deep(&store.path().join("deep"), 5000);
    let threads = Some(2);
    let scan = scan(store.path(), &["deep"], ScanOptions { threads, ..TARGETS });
    assert_eq!(scan.warnings.iter().next(), None);
    assert_eq!((scan.usages[0].directories, scan.usages[0].files), (10_001, 5000));
    assert_eq!(scan.usages[0].disk_size, du(&[store.path().join("deep")]));
    remove_deep(&store.path().join("deep"));
}

/// Makes `levels` levels of directories named `d` with a file and a directory
/// beside each, longer than any path may be.
fn deep(path: &Path, levels: usize) {
    fs::create_dir(path).unwrap();
    let mut dir = OwnedFd::from(fs::File::open(path).unwrap());
    for _ in 0..levels {
        for name in ["e", "d"] {
            mkdirat(&dir, name, Mode::from_raw_mode(0o755)).unwrap();
        }
        let file = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&dir, "f", file, Mode::from_raw_mode(0o644)).unwrap();
        let below = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        dir = openat(&dir, "d", below, Mode::empty()).unwrap();
    }
}

fn remove_deep(path: &Path) {
    assert!(Command::new("rm").arg("-rf").arg(path).status().unwrap().success());
}

#[test]
fn a_directory_of_100000_entries() {
    let store = tempdir();
    let path = store.path().join("x");
    fs::create_dir_all(path.join("d/e")).unwrap();
    for i in 0..100_000 {
        symlink("t", path.join(format!("{i}"))).unwrap();
    }
    let scan = scan(store.path(), &["x"], TARGETS);
    assert_eq!(by_name(&scan, &["x"])[b"x".as_slice()], reference(&path));
    assert_eq!(scan.entries, 100_003);
}

#[test]
fn a_missing_path_is_told() {
    let store = tempdir();
    for engine in [Engine::Native, Engine::Portable] {
        for whole in [true, false] {
            let options = ScanOptions { whole, ..WHOLE };
            let scan = engine.scan(store.path(), &["gone"], options);
            assert_eq!(scan.usages, [Usage { complete: true, ..Usage::default() }]);
            let warning = scan.warnings.iter().next().unwrap();
            assert_eq!(warning.kind, WarningKind::MissingPath);
            assert_eq!(warning.path, store.path().join("gone").as_os_str().as_bytes());
            assert!(!scan.warnings.complete());
        }
    }
    assert!(StoreFiles::live(store.path(), Path::new("/no")).is_err());
}

#[test]
fn no_name_leads_out_of_the_store() {
    let store = tempdir();
    fs::create_dir(store.path().join("x")).unwrap();
    fs::write(store.path().join("x/y"), "contents").unwrap();
    let names: Vec<Vec<u8>> = ["", ".", "..", "../../etc", "/etc", "x/y", "x\0y"]
        .map(|name| name.as_bytes().to_vec())
        .into_iter()
        .chain([vec![b'x'; 300], vec![b'x'; 70_000]])
        .collect();
    for engine in [Engine::Native, Engine::Portable] {
        for whole in [true, false] {
            let options = ScanOptions { whole, ..WHOLE };
            let progress = Progress::default();
            let files = engine.files(store.path());
            let scan = disk::scan(&files, &names, &options, &progress).unwrap();
            assert!(scan.usages.iter().all(|usage| !usage.present && usage.nar_size == 0));
            assert_eq!(scan.warnings.total(), names.len() as u64);
            assert_eq!(scan.others.len(), usize::from(whole));
            let walked = progress.now();
            assert_eq!(walked.total, Total::Paths(walked.paths));
            assert_eq!(walked.paths, (names.len() + scan.others.len()) as u64);
        }
    }
}

/// Deletes a directory when the walk shows the one above it, before it goes there.
struct Deleting<'a> {
    doomed: &'a Path,
}

impl Visitor for Deleting<'_> {
    type State = Vec<u32>;
    type Tag = ();
    type Context = ();

    fn state(&self) -> Vec<u32> {
        Vec::new()
    }

    fn top(&self, _: &mut Vec<u32>, _: &WalkDirectory<'_>, _: &WalkEntry<'_, ()>) {}

    fn descend(&self, _: &WalkDirectory<'_>, name: &[u8]) -> Option<()> {
        if name == b"doomed" {
            fs::remove_dir_all(self.doomed).unwrap();
        }
        Some(())
    }

    fn directory<'e>(
        &self,
        _: &mut Vec<u32>,
        _: &WalkDirectory<'_>,
        _: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
    ) {
    }

    fn failed(&self, state: &mut Vec<u32>, path: u32) {
        state.push(path);
    }
}

#[test]
fn a_directory_deleted_before_it_is_opened() {
    let store = tempdir();
    for engine in [Engine::Native, Engine::Portable] {
        let doomed = store.path().join("x/doomed");
        fs::create_dir_all(doomed.join("below")).unwrap();
        fs::create_dir_all(store.path().join("y")).unwrap();
        let tops = [("x", 7), ("y", 8)].map(|(name, path)| Top::named(name.as_bytes(), path));
        let files = engine.files(store.path());
        let walker = Walker::new(&files, Some(1)).unwrap();
        let walked = walker.walk(&tops, &Deleting { doomed: &doomed }, &Progress::default());
        assert_eq!(walked.states.concat(), [7], "{engine:?}");
        let told: Vec<_> = walked.warnings.iter().map(|w| (w.kind, w.path.clone())).collect();
        let doomed = doomed.as_os_str().as_bytes().to_vec();
        assert_eq!(told, [(WarningKind::Vanished, doomed)], "{engine:?}");
        assert!(!walked.warnings.complete());
    }
}

#[test]
fn special_files_are_told_and_not_opened() {
    let store = tempdir();
    let path = store.path().join("x");
    fs::create_dir(&path).unwrap();
    fifo(&path.join("fifo"));
    fifo(&store.path().join("y"));
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    let count = if device(&path.join("null")) { 3 } else { 2 };
    for engine in [Engine::Native, Engine::Portable] {
        let scan = engine.scan(store.path(), &["x", "y"], WHOLE);
        assert_eq!(scan.usages.iter().map(|u| u.unsupported).collect::<Vec<_>>(), [count, 1]);
        assert_eq!(scan.usages[0].nar_size, 96);
        assert_eq!(scan.warnings.total(), count + 1);
        assert!(scan.warnings.iter().all(|w| w.kind == WarningKind::UnsupportedFile));
    }
}

#[test]
fn what_may_not_be_read_is_told() {
    if !root() || !have(&["setpriv"]) {
        return;
    }
    let store = tempdir();
    let open = |path: &Path, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, mode).unwrap();
    };
    open(store.path(), 0o755);
    for (path, mode) in [("closed/inner", 0o000), ("listed/inner", 0o444), ("open/inner", 0o755)] {
        let path = store.path().join(path);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("file"), "contents").unwrap();
        open(path.parent().unwrap(), 0o755);
        open(&path, mode);
    }
    // This test's own binary scans again, as nobody.
    let inherited = inherited(&std::env::current_exe().unwrap());
    let out = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(reachable(&inherited))
        .args(["--exact", "disk::as_somebody_else", "--ignored", "--nocapture"])
        .env("NIX_CENSUS_TEST_STORE", store.path())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&out.stdout).into_owned();
    let told: Vec<&str> = out.lines().filter(|line| line.contains(": ")).collect();
    let expected: Vec<String> = ["Native", "Portable"]
        .into_iter()
        .flat_map(|engine| {
            let store = store.path().display();
            [
                format!("{engine}: [false, false, true] [1, 1, 1]"),
                format!(
                    "{engine}: Unreadable {store}/closed/inner Permission denied (os error 13)"
                ),
                format!(
                    "{engine}: Unreadable {store}/listed/inner/file Permission denied (os error 13)"
                ),
            ]
        })
        .collect();
    assert_eq!(
        told.iter().filter(|l| l.contains("ive: ") || l.contains("ble: ")).count(),
        6,
        "{out}"
    );
    for line in expected {
        assert!(told.iter().any(|told| told.ends_with(&line)), "{line} in {out}");
    }
}

/// Run by the test above, as another user: prints what that user is shown.
#[test]
#[ignore = "run by what_may_not_be_read_is_told"]
fn as_somebody_else() {
    let Some(store) = std::env::var_os("NIX_CENSUS_TEST_STORE") else { return };
    for engine in [Engine::Native, Engine::Portable] {
        let scan = engine.scan(Path::new(&store), &["closed", "listed", "open"], WHOLE);
        let complete: Vec<bool> = scan.usages.iter().map(|u| u.complete).collect();
        let deeper: Vec<u64> = scan.usages.iter().map(|u| u.directories - 1).collect();
        println!("\n{engine:?}: {complete:?} {deeper:?}");
        for w in scan.warnings.iter() {
            println!("{engine:?}: {:?} {} {}", w.kind, String::from_utf8_lossy(&w.path), w.message);
        }
    }
}

/// Keeps what it is shown and reads every file.
struct Reading;

impl Visitor for Reading {
    type State = BTreeMap<Vec<u8>, (u32, FileType, Option<String>)>;
    type Tag = ();
    type Context = ();

    fn state(&self) -> Self::State {
        BTreeMap::new()
    }

    fn top(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, ()>,
    ) {
        self.directory(state, directory, std::iter::once(*entry));
    }

    fn directory<'e>(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
    ) {
        for entry in entries {
            let mut path = directory.relative_path();
            path.extend([b"/", entry.name()].concat());
            let read = directory.open_file(&entry).and_then(std::io::read_to_string);
            assert_eq!(read.is_ok(), entry.file_type == FileType::Regular);
            assert!(matches!(entry.stat, EntryStat::Stat(_)));
            state.insert(path, (directory.path(), entry.file_type, read.ok()));
        }
    }

    fn failed(&self, _: &mut Self::State, path: u32) {
        panic!("path {path}");
    }
}

#[test]
fn a_visitor_sees_all_and_opens_nothing_but_files() {
    let store = tempdir();
    let path = store.path().join("x");
    fs::create_dir_all(path.join("d/e")).unwrap();
    fs::write(path.join("d/file"), "contents").unwrap();
    fs::write(store.path().join("y"), "a path").unwrap();
    symlink("file", path.join("d/link")).unwrap();
    fifo(&path.join("d/e/fifo"));
    let tops =
        [("x", 7), ("y", 8), ("gone", 9)].map(|(name, path)| Top::named(name.as_bytes(), path));
    for engine in [Engine::Native, Engine::Portable] {
        let files = engine.files(store.path());
        let walker = Walker::new(&files, Some(2)).unwrap();
        let walked = walker.walk(&tops, &Reading, &Progress::default());
        let got: BTreeMap<_, _> = walked.states.into_iter().flatten().collect();
        let got: Vec<_> =
            got.into_iter().map(|(path, of)| (String::from_utf8(path).unwrap(), of)).collect();
        let expected = [
            ("/x", 7, FileType::Directory, None),
            ("/y", 8, FileType::Regular, Some("a path")),
            ("x/d", 7, FileType::Directory, None),
            ("x/d/e", 7, FileType::Directory, None),
            ("x/d/e/fifo", 7, FileType::Other, None),
            ("x/d/file", 7, FileType::Regular, Some("contents")),
            ("x/d/link", 7, FileType::Symlink, None),
        ]
        .map(|(p, path, kind, text)| (p.to_owned(), (path, kind, text.map(str::to_owned))));
        assert_eq!(got, expected);
        assert_eq!(walked.entries, 7);
    }
}

#[test]
fn a_path_deleted_while_it_is_walked() {
    let store = tempdir();
    // Deletes each directory's files when it is shown the one above.
    struct Deleting(PathBuf);
    impl Visitor for Deleting {
        type State = u32;
        type Tag = ();
        type Context = ();
        fn state(&self) -> u32 {
            0
        }
        fn top(&self, _: &mut u32, _: &WalkDirectory<'_>, _: &WalkEntry<'_, ()>) {}
        fn directory<'e>(
            &self,
            _: &mut u32,
            directory: &WalkDirectory<'_>,
            entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>>,
        ) {
            let below = self.0.join(OsStr::from_bytes(&directory.relative_path()));
            for entry in entries {
                fs::remove_dir_all(below.join(OsStr::from_bytes(entry.name()))).unwrap();
            }
        }
        fn failed(&self, state: &mut u32, path: u32) {
            assert_eq!(path, 3);
            *state += 1;
        }
    }
    for engine in [Engine::Native, Engine::Portable] {
        fs::create_dir_all(store.path().join("x/y/z")).unwrap();
        let files = engine.files(store.path());
        let walker = Walker::new(&files, Some(2)).unwrap();
        let top = Top::named(b"x", 3);
        let visitor = Deleting(store.path().to_path_buf());
        let walked = walker.walk(&[top], &visitor, &Progress::default());
        assert_eq!(walked.states.iter().sum::<u32>(), 1);
        let told: Vec<_> = walked.warnings.iter().map(|w| (w.kind, w.path.clone())).collect();
        let y = store.path().join("x/y").as_os_str().as_bytes().to_vec();
        assert_eq!(told, [(WarningKind::Vanished, y)]);
    }
}
