//! What files take beneath their blocks, on btrfs file systems made on the spot.
//! These need root and a loop device; `compsize` is the second opinion.

mod answers;
mod compsize;
mod deletions;
mod entries;
mod files;
mod kinds;
mod optimise;
mod overlay;
mod reading;
mod since;
mod systems;
mod unprivileged;
mod upper;

use crate::images::{Mount, mount};
use crate::support::store_in_code::{Made, base};
use crate::support::{Run, TestEnv, have, nix, nobody, root, run, skip};
use nix_census::census::Freeable;
use nix_census::disk::{self, DiskScan, Extents, Progress, ScanOptions};
use nix_census::fs::StoreFiles;
use nix_census::internals::NodeSet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
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

    /// Asks the program, not as root.
    pub(crate) fn as_nobody(&self, args: &[&str]) -> Run {
        run(nobody(&self.env).arg("--root").arg(&self.at).args(args))
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
    scan_by(store, 2)
}

/// The same by so many threads, with extents by inode too.
fn scan_by(store: &Path, threads: usize) -> DiskScan {
    let mut names: Vec<_> =
        fs::read_dir(store).unwrap().map(|e| e.unwrap().file_name().into_encoded_bytes()).collect();
    names.retain(|name| !name.starts_with(b"."));
    names.sort();
    let files = StoreFiles::live(Path::new("/"), store).unwrap();
    let options = ScanOptions {
        whole: true,
        threads: Some(threads),
        inode_extents: true,
        ..ScanOptions::default()
    };
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
