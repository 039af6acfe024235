//! How large the snapshot of a very large store is, and how long reading it takes. `paths`,
//! `references` and `inodes` as arguments; each inode has two names in paths and one in `.links`.

use nix_census::catalog::{Builder, Record};
use nix_census::census::Examine;
use nix_census::disk::{DiskScan, Inode, Overlay, Physical, Usage};
use nix_census::fs::Stat;
use nix_census::graph::Rows;
use nix_census::snapshot::{self, Snapshot};
use nix_census::store::StoreLocation;
use nix_census::warning::Warnings;
use std::time::Instant;

/// Numbers that look like chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Small ones more often, up to 2^24.
    fn size(&mut self) -> u64 {
        let bits = 4 + self.below(20);
        self.next() & ((1 << bits) - 1)
    }
}

fn snapshot_of(paths: u32, references: u32, inodes: Option<u32>) -> Snapshot {
    let mut chance = Chance(1);
    let mut builder = Builder::new("/nix/store");
    for number in 0..paths {
        let hash: String = (0..32)
            .map(|_| char::from(b"0123456789abcdfghijklmnpqrsvwxyz"[chance.below(32) as usize]))
            .collect();
        let path = format!("/nix/store/{hash}-package-{}-1.{}", number / 3, number % 40);
        let record = Record {
            path: path.as_bytes(),
            hash: Some(std::array::from_fn(|_| chance.next() as u8)),
            nar_size: Some(120 + chance.size()),
            registration_time: Some(1_700_000_000 + i64::from(number)),
            ..Record::default()
        };
        builder.add(&record).expect("it fits");
    }
    for _ in 0..references {
        builder.add_reference(chance.below(paths.into()) as u32, chance.below(paths.into()) as u32);
    }
    let scan = inodes.map(|inodes| {
        let mut ino = 1000;
        let list = (0..inodes).map(|_| {
            ino += 1 + chance.below(12);
            let size = chance.size();
            let stat = Stat {
                dev: 1,
                ino,
                size,
                disk_size: size.next_multiple_of(4096),
                mtime: 1,
                mtime_nsec: 0,
                ctime: 1,
                ctime_nsec: 0,
                nlink: 3,
                mode: 0o100_444,
                uid: 0,
                gid: 0,
            };
            Inode::new(0, &stat)
        });
        let list: Vec<Inode> = list.collect();
        // What is made together has numbers that follow each other.
        let names: Vec<(u32, u32)> = (0..inodes)
            .flat_map(|inode| {
                let near = u64::from(inode) * u64::from(paths) / u64::from(inodes);
                [near as u32, chance.below(paths.into()) as u32].map(|path| (path, inode))
            })
            .collect();
        DiskScan {
            physical: Physical::Blocks,
            overlay: Overlay::No,
            usages: vec![
                Usage { present: true, complete: true, ..Usage::default() };
                paths as usize
            ],
            others: Vec::new(),
            inodes: list,
            devices: vec![1],
            names: Rows::from_pairs(paths as usize, names.iter().copied()),
            links: None,
            store_directory_disk_size: 4096,
            capacity: None,
            use_case_hack: false,
            entries: 0,
            stat_calls: 0,
            warnings: Warnings::new(),
        }
    });
    let location = StoreLocation {
        root: "/".into(),
        store_dir: "/nix/store".into(),
        state_dir: "/nix/var/nix".into(),
        real_store_dir: "/nix/store".into(),
        real_state_dir: "/nix/var/nix".into(),
        database: "/nix/var/nix/db/db.sqlite".into(),
    };
    Snapshot::new(location, builder.finish().expect("it fits"), &Examine::All, scan, 0)
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u32>().ok());
    let paths = numbers.next().unwrap_or(300_000);
    let references = numbers.next().unwrap_or(3_000_000);
    let inodes = numbers.next().unwrap_or(5_000_000);
    let written = |snapshot: &Snapshot| {
        let start = Instant::now();
        let mut file = Vec::new();
        snapshot::write(snapshot, &mut file).expect("memory");
        (file, start.elapsed())
    };
    let (names, _) = written(&snapshot_of(paths, 0, None));
    let (database, _) = written(&snapshot_of(paths, references, None));
    let (whole, wrote) = written(&snapshot_of(paths, references, Some(inodes)));
    let each = |more: &[u8], less: &[u8], of: u32| (more.len() - less.len()) as f64 / f64::from(of);
    println!("{paths} paths, {references} references, {inodes} inodes: {} bytes", whole.len());
    println!("bytes a path: {:.1}", names.len() as f64 / f64::from(paths));
    println!("bytes a reference: {:.2}", each(&database, &names, references));
    println!("bytes an inode: {:.2}", each(&whole, &database, inodes));
    println!("written in {wrote:.2?}");
    for (disk, what) in [(false, "the database alone"), (true, "all")] {
        let start = Instant::now();
        let read = snapshot::read(&mut &whole[..], disk).expect("it was just written");
        println!("read in {:.2?}: {what}, {} paths", start.elapsed(), read.catalog.len());
    }
}
