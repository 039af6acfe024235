//! What files take and share, and what goes with them.

use super::{FileSystem, btrfs, extents, freed, random, reflink, reflink_range, sizes, zeros};
use crate::support::run;
use nix_census::disk::{CompressionSizes, Holder};
use nix_census::fs::Compression;
use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

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
