//! The page of a difference: opened in a browser, clicked through, and compared with what
//! `diff` says.

use super::html::written;
use super::support::TestEnv;
use super::support::browser::Page;
use super::support::store_in_code::{Made, SCHEMA, base, insert, path, refer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");

/// Two systems: `lib` in two versions and larger, `big` new below it and with a file in
/// common, `gone` gone, `tool` built anew and smaller, `etc` built anew and as large.
fn systems(env: &TestEnv) -> Made {
    let (made, db) = Made::with(env, "store", SCHEMA);
    let rows = [
        (1, "system-1", 1000),
        (2, "system-2", 1000),
        (3, "lib-1.9", 50_000),
        (4, "lib-1.10", 120_000),
        (5, "big-2.0", 900_000),
        (6, "gone-1.0", 400_000),
        (7, "etc", 300),
        (8, "etc", 300),
        (9, "same-1.0", 70_000),
        (10, "tool-3.0", 200_000),
        (11, "tool-3.0", 60_000),
        (12, "lib-1.10-doc", 30_000),
    ];
    for (id, name, size) in rows {
        let directory = made.store.join(base(id, name));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("own"), vec![id as u8; size]).unwrap();
    }
    let (big, lib) = (made.store.join(base(5, "big-2.0")), made.store.join(base(4, "lib-1.10")));
    fs::hard_link(big.join("own"), lib.join("linked")).unwrap();
    for (id, name, size) in rows {
        // What a directory and its one file take beside the contents, which are padded.
        let nar_size = |size: i64| 280 + (size + 7) / 8 * 8;
        let linked = if id == 4 { nar_size(900_000) - 96 } else { 0 };
        insert(&db, id, path(id, name).as_bytes(), Some(nar_size(size as i64) + linked));
    }
    for (from, to) in [
        (1, 3),
        (1, 6),
        (1, 7),
        (1, 9),
        (1, 10),
        (2, 4),
        (2, 8),
        (2, 9),
        (2, 11),
        (4, 5),
        (4, 4),
        (4, 12),
        (3, 9),
    ] {
        refer(&db, from, to);
    }
    made
}

/// The packages or paths of a page, by a key, as JSON has them.
fn rows(page: &mut Page, what: &str, key: &str) -> BTreeMap<String, Value> {
    let rows = page.text(&format!(
        "JSON.stringify((({{ changes, views: {{ table }} }}) => {{
            nixCensus.state.set({{ view: 'table', by: '{}', filter: '', least: '', kind: '' }});
            return table.rows.map((row) => {{
                const all = Object.fromEntries(table.columns.map(([key]) => [key, table.value(key, row)]));
                if (table.ofPaths) {{
                    all.chain_paths = changes.chain(row).map((at) => changes.full(at));
                    return all;
                }}
                all.pname = changes.columns.pname[row];
                for (const side of ['before', 'after']) all[`versions_${{side}}`] = changes.versions(side, row);
                for (const [key, added] of [['removed_paths', false], ['added_paths', true]])
                    all[key] = changes.pathsOf(row, added).map((path) => changes.full(path)).sort();
                return all;
            }});
        }})(nixCensus))",
        if what == "paths" { "path" } else { "" }
    ));
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    rows.into_iter().map(|row| (row[key].as_str().unwrap().to_owned(), row)).collect()
}

/// Compares rows of the page with those of an answer, all keys of these.
#[track_caller]
fn same_rows(found: &BTreeMap<String, Value>, expected: &Value, key: &str, physical: bool) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    let mut numbers = 0;
    for row in expected {
        let name = row[key].as_str().unwrap();
        for (key, value) in row.as_object().unwrap() {
            // Where blocks say it all, the page says it once.
            if !physical && key.contains("physical") {
                assert_eq!(*value, row[key.replace("physical", "disk")], "{key} of {name}");
                continue;
            }
            let found = match &found[name][key] {
                Value::String(text) if text.is_empty() => &Value::Null,
                found => found,
            };
            // Columns of what is not known are not shown, nor are chains of no length.
            let mut value = value.clone();
            if key.ends_with("_paths") {
                let list = value.as_array_mut();
                let mut list = list.map(std::mem::take).unwrap_or_default();
                if key != "chain_paths" {
                    list.sort_by_key(Value::to_string);
                }
                value = Value::Array(list);
            }
            assert_eq!(*found, value, "{key} of {name}");
            numbers += u32::from(value.is_number());
        }
    }
    assert!(numbers as usize >= 2 * expected.len(), "{numbers}");
}

/// Compares all that a page says with what `diff` says.
#[track_caller]
pub(crate) fn says_what_diff_says(env: &TestEnv, page: &mut Page, args: &[&str]) {
    let diff = env.json(args.iter().copied().chain(["--json"]));
    let physical = page.eval("nixCensus.changes.physical") == true;
    let packages = rows(page, "packages", "pname");
    same_rows(&packages, &diff["packages"], "pname", physical);
    let by_path = env.json(args.iter().copied().chain(["--by", "path", "--json"]));
    let paths = rows(page, "paths", "path");
    same_rows(&paths, &by_path["paths"], "path", physical);
    let facts = page.text("JSON.stringify(nixCensus.changes.facts)");
    let facts: Value = serde_json::from_str(&facts).unwrap();
    for (at, side) in ["before", "after"].into_iter().enumerate() {
        for key in ["paths", "nar_size", "disk_size", "physical_size"] {
            assert_eq!(facts["sides"][at][key], diff["total"][format!("{key}_{side}")], "{key}");
        }
        assert_eq!(facts["sides"][at]["target"], diff["sides"][at]["target"]);
        // What is the same and what is not is all there is.
        let all: u64 = facts["same"][side]["nar_size"].as_u64().unwrap()
            + (diff["packages"].as_array().unwrap().iter())
                .map(|package| package[format!("nar_size_{side}")].as_u64().unwrap())
                .sum::<u64>();
        assert_eq!(all, diff["total"][format!("nar_size_{side}")]);
    }
    for kind in facts["kinds"].as_array().unwrap() {
        let key = format!("packages_{}", kind[0].as_str().unwrap());
        assert_eq!(kind[1], diff["total"][&key], "{key}");
    }
    let newcomers = page.text(
        "JSON.stringify(nixCensus.changes.facts.newcomers.map((path) => nixCensus.changes.full(path)))",
    );
    let newcomers: Vec<Value> = serde_json::from_str(&newcomers).unwrap();
    let why: Vec<Value> =
        diff["why"].as_array().unwrap().iter().map(|row| row["path"].clone()).collect();
    assert_eq!(newcomers, why);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

#[test]
fn every_number_is_that_of_diff() {
    let env = TestEnv::new();
    let made = systems(&env);
    let root = made.dir.to_str().unwrap();
    let mut page: Option<Page> = None;
    for args in [
        &["--root", DEMO, "diff", "systemd-minimal-255.6", "systemd-255.6"][..],
        &["--root", DEMO, "diff", "nixos-system-demo-24.05.1", "nixos-system-demo-24.05.2"],
        &["--root", root, "diff", "system-1", "system-2"],
        &["--root", root, "diff", "system-2", "system-1", "--no-disk"],
        // All of one store beside all of another.
        &["--root", root, "diff", "--old-root", DEMO],
    ] {
        let file = written(&env, args);
        match &mut page {
            None => page = Page::open(&file),
            Some(page) => page.visit(&format!("file://{}", file.display())),
        }
        let Some(page) = &mut page else { return };
        says_what_diff_says(&env, page, args);
    }
}

/// The map's boxes by name, with what is written in them.
fn boxes(page: &mut Page) -> Vec<(String, String)> {
    let boxes = page.eval(
        "nixCensus.map.boxes.filter((b) => b.part === 0)
            .map((b) => [nixCensus.map.name(b.node), nixCensus.map.notes(b)[0]])",
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    boxes.as_array().unwrap().iter().map(|b| (text(&b[0]), text(&b[1]))).collect()
}

fn written_in(boxes: &[(String, String)], name: &str) -> Option<String> {
    boxes.iter().find(|b| b.0 == name).map(|b| b.1.clone())
}

/// A size of this store as the page has it.
fn kib(bytes: i64, change: bool) -> String {
    let sign = match (bytes, change) {
        (1.., true) => "+",
        (..=-1, _) => "−",
        _ => "",
    };
    let kib = bytes.unsigned_abs() as f64 / 1024.0;
    match kib < 1024.0 {
        true => format!("{sign}{kib:.1} KiB"),
        false => format!("{sign}{:.1} MiB", kib / 1024.0),
    }
}

#[test]
fn what_grew_and_shrank_is_clicked_through() {
    let env = TestEnv::new();
    let made = systems(&env);
    let root = made.dir.to_str().unwrap();
    let file = written(&env, &["--root", root, "diff", "system-1", "system-2"]);
    let Some(mut page) = Page::open(&file) else { return };
    assert_eq!(page.text("document.title"), "system-1 → system-2 · nix-census");
    // By the change: what grew beside what shrank.
    let diff = env.json(["--root", root, "diff", "system-1", "system-2", "--json"]);
    let package = |name: &str| -> &Value {
        diff["packages"].as_array().unwrap().iter().find(|p| p["package"] == name).unwrap()
    };
    let by_change = boxes(&mut page);
    for name in ["big", "lib", "gone", "tool"] {
        let change = package(name)["disk_change"].as_i64().unwrap();
        assert_eq!(written_in(&by_change, name), Some(kib(change, true)), "{name}");
    }
    assert_eq!(written_in(&by_change, "etc"), None);
    let grew = page.eval("(({ changes, tree }) => tree.kids.get(changes.packages).map((n) => changes.name(n)))(nixCensus)");
    assert_eq!(grew, json!(["lib", "big"]));
    // What is too small for a box of its own is counted.
    let small = page.text(
        "(() => { const tip = document.createElement('div');
            nixCensus.map.describe(tip, { node: -1, part: 2, count: 3 }); return tip.textContent; })()",
    );
    assert_eq!(small, "3 parts too small to draw");
    // A click tells all of a package, its paths and why they are there.
    let place = page.eval(
        "(() => { const box = nixCensus.map.boxes.find((b) => nixCensus.map.name(b.node) === 'big');
            const r = nixCensus.shell.overlay.getBoundingClientRect();
            return [r.x + box.x0 + 20, r.y + box.y0 + 20]; })()",
    );
    page.click_at(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    assert_eq!(page.selected(), "big");
    let chain = |page: &mut Page| {
        page.text(
            "[...document.querySelectorAll('.chain li')].map((li) => li.textContent).join(' ')",
        )
    };
    assert_eq!(chain(&mut page), "system-2 lib-1.10 big-2.0");
    let sizes = page.text(
        "[...document.querySelectorAll('#panel dl.sides data')].map((d) => d.value).join(' ')",
    );
    let of = |key: &str| package("big")[key].to_string();
    let expected: Vec<String> = ["disk_size", "nar_size", "closure_disk_size", "closure_nar_size"]
        .iter()
        .flat_map(|key| {
            let after = of(&format!("{key}_after"));
            [of(&format!("{key}_before")), after.clone(), after]
        })
        .collect();
    assert_eq!(sizes, expected.join(" "));
    // To a path and back.
    page.click("[...document.querySelectorAll('#panel .chain .path')].find((p) => p.textContent === 'lib-1.10')");
    assert_eq!(page.selected(), "lib-1.10");
    assert_eq!(chain(&mut page), "system-2 lib-1.10");
    page.eval("history.back()");
    page.wait("document.querySelector('#panel h2').textContent === 'big'");
    // What came and went, then the whole, by the key; the parts that grew are coloured.
    page.press("a");
    let by_path = boxes(&mut page);
    let args = ["--root", root, "diff", "system-1", "system-2", "--by", "path", "--json"];
    for path in env.json(args)["paths"].as_array().unwrap() {
        let size = path["disk_size"].as_i64().unwrap();
        let size = if path["change"] == "added" { size } else { -size };
        let name = &path["path"].as_str().unwrap()["/nix/store/".len() + 33..];
        let all: Vec<&str> = by_path.iter().filter(|b| b.0 == name).map(|b| &*b.1).collect();
        assert!(size.abs() < 20_000 || all.contains(&&*kib(size, true)), "{name}: {all:?}");
    }
    page.press("a");
    let whole = boxes(&mut page);
    for (name, side) in [("lib", "after"), ("gone", "before"), ("tool", "before")] {
        let size = package(name)[format!("disk_size_{side}")].as_i64().unwrap();
        assert_eq!(written_in(&whole, name), Some(kib(size, false)), "{name}");
    }
    // The link shows the same to somebody else.
    let link = page.text("location.href");
    assert!(link.contains("package=big") && link.contains("area=whole"), "{link}");
    page.visit(&link);
    assert_eq!(page.selected(), "big");
    assert_eq!(page.eval("nixCensus.area"), "whole");
    // Hard links: what the packages come to is more than the whole.
    page.press("Home");
    let note = page.text("document.querySelector('#panel').textContent");
    assert!(note.contains("count in each of them"), "{note}");
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

#[test]
fn the_list_is_that_of_diff_and_keys_do_everything() {
    let env = TestEnv::new();
    let made = systems(&env);
    let root = made.dir.to_str().unwrap();
    let file = written(&env, &["--root", root, "diff", "system-1", "system-2"]);
    let Some(mut page) = Page::open(&file) else { return };
    let csv = |page: &mut Page| page.text("nixCensus.views.table.csv()");
    let diff = |more: &[&str], columns: &str| {
        let args = ["--root", root, "diff", "system-1", "system-2", "--format", "csv"];
        let columns = ["--columns", columns];
        env.ok(args.iter().chain(more).chain(&columns))
    };
    page.press("t");
    let packages = csv(&mut page);
    let columns = packages.lines().next().unwrap();
    assert_eq!(packages, diff(&[], columns));
    // Sorted by a click, filtered by name, size and what happened.
    page.click("[...document.querySelectorAll('th button')].find((b) => b.textContent.startsWith('NAR change'))");
    assert_eq!(csv(&mut page), diff(&["--sort", "nar_change"], columns));
    page.click("[...document.querySelectorAll('.filters button')].find((b) => b.textContent.startsWith('rebuilt'))");
    let names = |page: &mut Page| {
        page.eval(
            "nixCensus.views.table.rows.map((row) => nixCensus.changes.name(row)).sort().join(' ')",
        )
    };
    assert_eq!(names(&mut page), "etc tool");
    page.eval("nixCensus.state.set({ kind: '', least: '300K' }, false)");
    assert_eq!(names(&mut page), "big gone lib");
    page.eval("nixCensus.state.set({ least: '', filter: 'l*' }, false)");
    assert_eq!(names(&mut page), "lib");
    page.eval("nixCensus.state.set({ filter: '', sort: '' }, false)");
    // The paths.
    page.press("p");
    let paths = csv(&mut page);
    let listed = diff(&["--by", "path"], "disk_size,nar_size,change,path,chain");
    assert_eq!(paths.lines().count(), listed.lines().count());
    page.press("p");
    // Rows by the arrow keys; Enter goes to the map.
    page.eval("nixCensus.focusView()");
    page.press("Home");
    page.press("ArrowDown");
    let second = page.text("nixCensus.changes.name(nixCensus.views.table.rows[1])");
    assert_eq!(page.selected(), second);
    page.press("Enter");
    assert_eq!(page.text("nixCensus.state.now.view"), "map");
    assert_eq!(page.selected(), second);
    // In the map: out, into the other half, next and previous.
    page.press("Home");
    page.press("Enter");
    page.press("Enter");
    assert_eq!(page.selected(), "lib");
    page.press("ArrowRight");
    assert_eq!(page.selected(), "big");
    page.press("Escape");
    page.press("Escape");
    assert_eq!(page.eval("nixCensus.root"), -1);
    // Search, the other size, the keys, dark, narrow.
    page.press("/");
    page.write("gon");
    page.press("Enter");
    assert_eq!(page.selected(), "gone");
    page.press("s");
    assert_eq!(page.text("nixCensus.size"), "nar");
    page.press("?");
    assert_eq!(page.eval("document.querySelector('#help').open"), true);
    page.press("Escape");
    page.wait("!document.querySelector('#help').open");
    page.press("d");
    assert_eq!(page.text("document.documentElement.dataset.theme"), "dark");
    page.fits_a_phone(&["m", "a", "t", "p"]);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

/// Whatever is called so, it is text.
#[test]
fn hostile_names_are_text() {
    const NAME: &str = "</title></script><img src=x onerror=\"globalThis.run=1\">, &'";
    let env = TestEnv::new();
    let made = systems(&env);
    let root = made.dir.to_str().unwrap();
    let file = written(&env, &["--root", root, "diff", "system-1", "system-2"]);
    let Some(mut page) = Page::open(&file) else { return };
    // No store path is called so; the page does not rely on that.
    page.eval(&format!(
        "(({{ columns, facts }}) => {{
            for (const key of ['package', 'pname', 'versions', 'version_texts', 'name', 'hash_part']) columns[key].fill({0});
            facts.title = facts.sides[0].target = facts.sides[1].store_dir = {0};
            facts.warnings = [{{ path: {0}, message: {0} }}];
            facts.warnings_total = 1;
        }})(nixCensus.changes)",
        json!(NAME)
    ));
    for area in ["change", "paths", "whole"] {
        page.eval(&format!("nixCensus.state.set({{ view: 'map', area: '{area}', package: -1 }})"));
        page.point_at_the_map();
    }
    page.eval("nixCensus.select(0)");
    assert_eq!(page.selected(), NAME);
    page.press("Home");
    let text = page.text("document.querySelector('#panel').textContent");
    assert!(text.contains("This page is incomplete") && text.contains(NAME), "{text}");
    page.eval("nixCensus.showPath(0)");
    assert_eq!(page.selected(), NAME);
    page.press("/");
    page.write("img");
    assert_eq!(page.text("document.querySelector('#results .name').textContent"), NAME);
    page.press("Enter");
    for by in ["", "path"] {
        page.eval(&format!("nixCensus.state.set({{ view: 'table', by: '{by}' }})"));
        assert_eq!(page.text("document.querySelector('tbody td[title]').title"), NAME);
        let csv = page.text("nixCensus.views.table.csv()");
        assert!(csv.contains(&format!("\"{}\"", NAME.replace('"', "\"\""))), "{csv}");
    }
    page.all_text_is_text();
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

#[test]
fn a_page_is_of_two_closures() {
    let env = TestEnv::new();
    let refused = |args: &[&str], said: &str| {
        let run = env.run(["--root", DEMO, "diff"].iter().chain(args));
        assert_eq!(run.status, 2, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    };
    let two = ["systemd-minimal-255.6", "systemd-255.6"];
    refused(&["--system", "--format", "html"], "not of a history");
    refused(&[two[0], two[1], "--by", "path", "-o", "x.html"], "--by cannot be used with html");
    refused(&[two[0], two[1], "--limit", "3", "-o", "x.html"], "--limit cannot be used with");
    let html = env.ok(["--root", DEMO, "diff", two[0], two[1], "--format", "html"]);
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    let file = written(&env, &["--root", DEMO, "diff", two[0], two[1]]);
    assert_eq!(html, fs::read_to_string(file).unwrap());
}
