//! What optimising frees and takes, and deduplicating after it, against what was foretold.

use super::{FileSystem, btrfs, of_nix, random, reflink, zeros};
use crate::support::browser::Page;
use crate::support::{have, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

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
            share(&first, &file);
        }
    }
    let before = btrfs.used();
    let ask = |how: &str, more: &[&str]| {
        let mut args = store.args();
        args.extend(["--extents", how, "optimise", "--format", "json"].map(Into::into));
        args.extend(more.iter().map(Into::into));
        let ran = btrfs.env.run(args);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
        (answer, ran.status)
    };
    let (optimise, status) = ask("auto", &[]);
    assert_eq!((&optimise["freed_physical_size_is"], status), (&"exact".into(), 0));
    let foretold = optimise["freed_physical_size"].as_u64().unwrap();
    // Of a closure that stands alone it is not known: who asks for it is told so.
    for (how, expected) in [("auto", 0), ("exact", 3), ("never", 0)] {
        let (closure, status) = ask(how, &["one"]);
        assert_eq!(closure["freed_physical_size"], Value::Null, "{how}: {closure:#}");
        assert_eq!((status, closure["complete"] == false), (expected, expected == 3), "{how}");
    }
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
    // What is reclaimed is the same where all is kept.
    let roots = btrfs.at.join("root/nix/var/nix/gcroots");
    for row in optimise["by_path"].as_array().unwrap() {
        let path = Path::new(row["path"].as_str().unwrap());
        std::os::unix::fs::symlink(path, roots.join(path.file_name().unwrap())).unwrap();
    }
    let mut args = store.args();
    args.extend(["reclaim", "--no-runtime", "--format", "json"].map(Into::into));
    let reclaim = btrfs.env.json(args);
    let actions = reclaim["actions"].as_array().unwrap().iter();
    let of_optimise = actions.filter(|action| action["action"] == "optimise");
    let freed: Vec<_> = of_optimise.map(|action| &action["freed_physical_size"]).collect();
    assert_eq!(freed, [&Value::from(foretold)], "{reclaim:#}");
    store.nix("nix-store", ["--optimise"]);
    assert_eq!(before - btrfs.used(), foretold);
}

/// Replaces a file of a store by a copy of another that shares its extents.
fn share(from: &Path, file: &Path) {
    let above = file.parent().unwrap();
    fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(file).unwrap();
    reflink(from, file);
    fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(above, fs::Permissions::from_mode(0o555)).unwrap();
}

/// An extent that a deleted path shares with a file that is linked goes with the latter.
#[test]
fn what_optimising_frees_after_a_collection_is_a_lower_bound_where_both_share() {
    let Some(btrfs) = btrfs(&[], "loop") else { return };
    let Some((store, _var)) = of_nix(&btrfs) else { return };
    let (equal, also) = (random(100_000), random(50_000));
    let roots = btrfs.at.join("root/nix/var/nix/gcroots");
    let [one, two, dead_one, dead_two] = ["one", "two", "dead-one", "dead-two"].map(|name| {
        let from = btrfs.env.join(name);
        fs::create_dir(&from).unwrap();
        fs::write(from.join("equal"), &equal).unwrap();
        if !name.starts_with("dead") {
            fs::write(from.join("also"), &also).unwrap();
        }
        fs::write(from.join("own"), name).unwrap();
        let path = store.nix("nix-store", ["--add".into(), from.into_os_string()]);
        if !name.starts_with("dead") {
            std::os::unix::fs::symlink(path.trim(), roots.join(name)).unwrap();
        }
        store.real_path(path.trim())
    });
    let reclaim = |more: &[&str]| {
        btrfs.sync();
        let mut args = store.args();
        args.extend(["reclaim", "--no-runtime", "--format", "json"].map(Into::into));
        args.extend(more.iter().map(Into::into));
        let ran = btrfs.env.run(args);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        (answer, ran)
    };
    let of_optimise = |answer: &Value| {
        let actions = answer["actions"].as_array().unwrap().iter();
        let action = actions.rev().find(|action| action["action"] == "optimise").unwrap();
        (action["freed_physical_size"].as_u64().unwrap(), action["at_least"] == true)
    };
    // Nothing is shared yet.
    let (answer, ran) = reclaim(&["--need", "1G"]);
    assert_eq!(of_optimise(&answer), (102_400 + 53_248, false), "{answer:#}");
    assert_eq!((&answer["total"]["enough"], ran.status), (&false.into(), 1), "{ran:?}");
    // Whichever of the two is linked, a path that is deleted shares it.
    share(&one.join("equal"), &dead_one.join("equal"));
    share(&two.join("equal"), &dead_two.join("equal"));
    let (answer, ran) = reclaim(&["--need", "100K"]);
    assert_eq!(of_optimise(&answer), (53_248, true), "{answer:#}");
    assert_eq!((&answer["total"]["enough"], ran.status), (&Value::Null, 3), "{ran:?}");
    assert!(ran.stderr.contains("there may be more than is said"), "{}", ran.stderr);
    // What is certain to be enough is, and without a need nothing is left open.
    for more in [&["--need", "50K"][..], &[]] {
        assert_eq!(reclaim(more).1.status, 0, "{more:?}");
    }
    let before = btrfs.used();
    store.nix("nix-store", ["--gc"]);
    assert_eq!(before, btrfs.used());
    store.nix("nix-store", ["--optimise"]);
    assert_eq!(before - btrfs.used(), 102_400 + 53_248);
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
