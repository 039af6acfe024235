use super::*;
use crate::fs::Tree;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Numbers that are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.below(all.len())].clone())
    }
}

/// A store that is worked on as Nix does, and by hand.
struct History {
    dir: tempfile::TempDir,
    numbers: Numbers,
    made: usize,
    /// The names of valid paths.
    valid: BTreeSet<String>,
}

impl History {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("store/.links")).unwrap();
        let numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut history = Self { dir, numbers, made: 0, valid: BTreeSet::new() };
        (0..6).for_each(|_| history.add());
        // Some files have names outside the store, as a copy of links leaves them.
        for n in 0..3 {
            if let Some(file) = history.numbers.pick(&history.below(false)) {
                fs::hard_link(file, history.dir.path().join(format!("outside{n}"))).unwrap();
            }
        }
        history
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn names(&self) -> Vec<&str> {
        self.valid.iter().map(String::as_str).collect()
    }

    /// A path of that name, of any sort.
    fn fill(&mut self, path: &Path) {
        match self.numbers.below(8) {
            0 => fs::write(path, self.contents()).unwrap(),
            1 => symlink("elsewhere", path).unwrap(),
            _ => {
                fs::create_dir(path).unwrap();
                let mut directories = vec![path.to_owned()];
                for n in 0..self.numbers.below(5) {
                    let directory = self.numbers.pick(&directories).unwrap().join(format!("d{n}"));
                    fs::create_dir(&directory).unwrap();
                    directories.push(directory);
                }
                let mut files: Vec<PathBuf> = Vec::new();
                for n in 0..self.numbers.below(8) {
                    let end = ["", ".h", ".py", ".html"][self.numbers.below(4)];
                    let directory = self.numbers.pick(&directories).unwrap();
                    let file = directory.join(format!("f{n}{end}"));
                    match (self.numbers.below(6), self.numbers.pick(&files)) {
                        (0, Some(other)) => fs::hard_link(other, &file).unwrap(),
                        (1, _) => {
                            symlink("y".repeat(self.numbers.below(3) * 50 + 1), &file).unwrap();
                        }
                        _ => {
                            fs::write(&file, self.contents()).unwrap();
                            let mode = if self.numbers.below(2) == 0 { 0o555 } else { 0o444 };
                            fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
                        }
                    }
                    files.push(file);
                }
            }
        }
    }

    fn contents(&mut self) -> String {
        "x".repeat(self.numbers.below(7) * 2000 + 1)
    }

    fn add(&mut self) {
        self.made += 1;
        let name = format!("{:032}-path-{}", self.made, self.made);
        self.fill(&self.store().join(&name));
        if self.numbers.below(5) > 0 {
            self.valid.insert(name);
        }
    }

    /// What is in the store directory but `.links`.
    fn tops(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.store()).unwrap().map(|entry| entry.unwrap());
        let tops = entries.filter(|entry| entry.file_name() != ".links").map(|entry| entry.path());
        tops.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// All files, or all directories, in the paths.
    fn below(&self, directories: bool) -> Vec<PathBuf> {
        let mut found = BTreeSet::new();
        let mut left = self.tops();
        while let Some(path) = left.pop() {
            let is_directory = path.symlink_metadata().unwrap().is_dir();
            if is_directory {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            if is_directory == directories {
                found.insert(path);
            }
        }
        found.into_iter().collect()
    }

    fn remove(&mut self, path: &Path) {
        match path.symlink_metadata().unwrap().is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
    }

    /// As `nix-store --optimise` does with a file.
    fn optimise(&mut self, file: &Path) {
        let meta = file.symlink_metadata().unwrap();
        let kind = match meta.is_symlink() {
            true => format!("l{}", fs::read_link(file).unwrap().display()),
            false => format!("f{}-{}", meta.len(), meta.mode() & 0o100),
        };
        let number = kind.bytes().fold(7u64, |n, b| n.wrapping_mul(31).wrapping_add(b.into()));
        let link = self.store().join(".links").join(format!("{number:052}"));
        let Ok(found) = link.symlink_metadata() else {
            return fs::hard_link(file, &link).unwrap();
        };
        if found.ino() != meta.ino() {
            let temporary = self.store().join(".tmp-link-1-1");
            fs::hard_link(&link, &temporary).unwrap();
            fs::rename(temporary, file).unwrap();
        }
    }

    /// Something by hand that only directories in a path show. As it may be seen only when
    /// the store directory changes, that does, too.
    fn by_hand(&mut self) {
        let files = self.below(false);
        let inner: Vec<PathBuf> =
            self.below(true).into_iter().filter(|d| d.parent() != Some(&*self.store())).collect();
        match self.numbers.below(6) {
            0 => {
                if let Some(file) = self.numbers.pick(&files) {
                    fs::remove_file(&file).unwrap();
                    fs::write(file, self.contents()).unwrap();
                }
            }
            1 => {
                if let Some(directory) = self.numbers.pick(&inner) {
                    fs::rename(&directory, directory.with_extension("renamed")).unwrap();
                }
            }
            2 => {
                if let Some(directory) = self.numbers.pick(&self.below(true)) {
                    let mode = if self.numbers.below(2) == 0 { 0o555 } else { 0o755 };
                    fs::set_permissions(directory, PermissionsExt::from_mode(mode)).unwrap();
                }
            }
            3 => {
                let all = (self.numbers.pick(&files), self.numbers.pick(&self.below(true)));
                if let (Some(file), Some(directory)) = all {
                    self.made += 1;
                    fs::hard_link(file, directory.join(format!("hand{}", self.made))).unwrap();
                }
            }
            4 => {
                if let Some(file) = self.numbers.pick(&files) {
                    fs::remove_file(file).unwrap();
                }
            }
            _ => {
                if let Some(directory) = self.numbers.pick(&inner) {
                    fs::remove_dir_all(directory).unwrap();
                }
            }
        }
        let touched = self.store().join("touched");
        fs::write(&touched, "").unwrap();
        fs::remove_file(touched).unwrap();
    }

    fn step(&mut self) {
        let tops = self.tops();
        match self.numbers.below(14) {
            0 | 1 | 12 | 13 => self.add(),
            2 | 3 => {
                if let Some(path) = self.numbers.pick(&tops) {
                    self.remove(&path);
                }
            }
            4 => {
                let files = self.below(false);
                files.iter().for_each(|file| self.optimise(file));
            }
            5 | 6 => {
                for _ in 0..3 {
                    if let Some(file) = self.numbers.pick(&self.below(false)) {
                        self.optimise(&file);
                    }
                }
            }
            // As the collector removes unused links.
            7 => {
                for link in fs::read_dir(self.store().join(".links")).unwrap() {
                    let link = link.unwrap().path();
                    if link.symlink_metadata().unwrap().nlink() == 1 {
                        fs::remove_file(link).unwrap();
                    }
                }
            }
            // As a repair does.
            8 => {
                if let Some(path) = self.numbers.pick(&tops) {
                    let old = path.with_extension("old-1-1");
                    fs::rename(&path, &old).unwrap();
                    self.fill(&path);
                    self.remove(&old);
                }
            }
            9 => {
                if let Some(path) = self.numbers.pick(&tops) {
                    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                    if !self.valid.remove(&name) {
                        self.valid.insert(name);
                    }
                }
            }
            10 if self.numbers.below(10) == 0 => {
                fs::remove_dir_all(self.store().join(".links")).unwrap();
                fs::create_dir(self.store().join(".links")).unwrap();
            }
            _ => self.by_hand(),
        }
    }
}

/// All that a scan with stamps gives.
struct Whole {
    names: Vec<String>,
    scan: DiskScan,
    kinds: KindScan,
    stamps: Option<(StoreStamp, PathStamps)>,
}

impl Whole {
    fn of(history: &History, before: Option<&Whole>) -> Self {
        let tree = Tree::live(&history.store()).unwrap();
        let files = StoreFiles::open(&tree, "/".as_ref()).unwrap();
        let names = history.names();
        let options = ScanOptions { whole: true, threads: Some(2), ..ScanOptions::default() };
        let then: Vec<&str> = before
            .map(|before| before.names.iter().map(String::as_str).collect())
            .unwrap_or_default();
        let earlier = before.and_then(|before| {
            let (store, paths) = before.stamps.as_ref()?;
            store.compare(&files, &crate::fs::Moment::now(), false).unwrap();
            Some(Before { scan: &before.scan, names: &then, store, paths })
        });
        let progress = Progress::default();
        let earlier = earlier.zip(before.map(|before| &before.kinds));
        let whole = scan_whole(&files, &names, &options, &progress, earlier).unwrap();
        let WholeScan { scan, kinds, stamps } = whole;
        // Without stamps the same is found.
        if let Some(earlier) = earlier {
            let alone = scan_since(&files, &names, &options, &progress, earlier.0).unwrap();
            assert_eq!((&alone.usages, &alone.inodes), (&scan.usages, &scan.inodes));
            let with_kinds = scan_kinds_since(&files, &names, &options, &progress, earlier);
            assert_eq!(with_kinds.unwrap().1.parts(), kinds.parts());
        }
        let names = names.into_iter().map(str::to_owned).collect();
        Self { names, scan, kinds, stamps }
    }
}

/// Asserts that all figures are those of a scan that took nothing over.
fn assert_same(a: &Whole, b: &Whole, step: &str) {
    assert_eq!(a.scan.usages, b.scan.usages, "{step}");
    assert_eq!(a.scan.others, b.scan.others, "{step}");
    assert_eq!(a.scan.inodes, b.scan.inodes, "{step}");
    assert_eq!(a.scan.names, b.scan.names, "{step}");
    assert_eq!(a.scan.links, b.scan.links, "{step}");
    assert_eq!(a.scan.devices, b.scan.devices, "{step}");
    assert_eq!(a.scan.entries, b.scan.entries, "{step}");
    assert_eq!(a.scan.store_directory_disk_size, b.scan.store_directory_disk_size, "{step}");
    assert_eq!(a.scan.warnings, b.scan.warnings, "{step}");
    assert_eq!(a.kinds.parts(), b.kinds.parts(), "{step}");
    let (a, b) = (a.stamps.as_ref().unwrap(), b.stamps.as_ref().unwrap());
    assert_eq!(a.1, b.1, "{step}");
    assert_eq!((a.0.store, a.0.links), (b.0.store, b.0.links), "{step}");
}

/// In random histories each scan since the one before, and since an older one, gives what
/// a full scan gives, down to the stamps that it leaves.
fn histories(seeds: std::ops::Range<u64>) {
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || {
                let mut history = History::new(seed);
                let first = Whole::of(&history, None);
                let mut last = Whole::of(&history, None);
                let mut taken = 0;
                for step in 0..60 {
                    history.step();
                    let full = Whole::of(&history, None);
                    let next = Whole::of(&history, Some(&last));
                    assert_same(&next, &full, &format!("seed {seed}, step {step}"));
                    let all = Whole::of(&history, Some(&first));
                    assert_same(&all, &full, &format!("seed {seed}, step {step}, since the first"));
                    taken += usize::from(next.scan.stat_calls < full.scan.stat_calls);
                    last = next;
                }
                // Most steps leave something as it was.
                assert!(taken > 20, "seed {seed}: {taken}");
            });
        }
    });
}

#[test]
#[cfg_attr(
    any(not(target_os = "linux"), nix_census_portable),
    ignore = "inode numbers are not relied on there, so nothing is stamped"
)]
fn random_histories_give_what_full_scans_give() {
    histories(1..9);
}
