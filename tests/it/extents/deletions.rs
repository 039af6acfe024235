//! What deleting many paths and what a collection of Nix frees, against what was foretold.

use super::{btrfs, extents, freed, of_nix, random, reflink, reflink_range, zeros};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

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
fn an_unused_link_that_a_snapshot_has_too_frees_nothing() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let links = btrfs.made.store.join(".links");
    fs::create_dir_all(&links).unwrap();
    fs::write(links.join("old"), random(100_000)).unwrap();
    let freed = || {
        btrfs.sync();
        // Incomplete, as there are no roots.
        let (answer, _) = btrfs.made.json(&btrfs.env, ["--scan", "garbage", "--no-runtime"]);
        answer["dead"]["freed_physical_size"].as_u64().unwrap()
    };
    assert_eq!(freed(), 102_400);
    btrfs.btrfs(&["subvolume", "snapshot", ".", "snapshot"]);
    assert_eq!(freed(), 0);
    fs::write(links.join("new"), random(50_000)).unwrap();
    let (foretold, before) = (freed(), btrfs.used());
    fs::remove_dir_all(&links).unwrap();
    assert_eq!((foretold, before - btrfs.used()), (53_248, 53_248));
}
