//! What commands, limits and pages make of extents.

use super::{FileSystem, btrfs, of_nix, random, reflink, zeros};
use crate::html::{says_what_report_says, written};
use crate::html_diff::says_what_diff_says;
use crate::support::browser::Page;
use crate::support::store_in_code;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

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
