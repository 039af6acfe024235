//! What `compsize` says of the same files.

use super::{btrfs, extents, random, reflink, zeros};
use crate::support::{have, run};
use nix_census::disk::{CompressionSizes, Extents};
use nix_census::fs::Compression;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

/// Columns of `compsize`, by type: disk usage, uncompressed, referenced.
pub(super) fn compsize(store: &Path) -> BTreeMap<String, [u64; 3]> {
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
