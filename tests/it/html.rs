//! The page for a browser: opened in one, clicked through, and compared with the program.

use super::support::TestEnv;
use super::support::browser::Page;
use super::support::store_in_code::{Made, SCHEMA, base, insert, path, refer};
use nix_census::analysis::what_if::{Change, WhatIf, WhatIfStep};
use nix_census::catalog::{self, PathId};
use nix_census::census::{self, Census, Examine};
use nix_census::disk::{Progress, ScanOptions};
use nix_census::fs::{StoreFiles, Tree, locate};
use nix_census::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
const SYSTEM: &str = "nixos-system-demo-24.05.2";

/// A page that the program writes.
#[track_caller]
pub(crate) fn written(env: &TestEnv, args: &[&str]) -> PathBuf {
    let file = env.join("page.html");
    env.ok(args.iter().copied().chain(["-o", file.to_str().unwrap()]));
    file
}

/// The demo's system.
#[track_caller]
fn demo(env: &TestEnv) -> PathBuf {
    written(env, &["--root", DEMO, "html", SYSTEM])
}

/// The number of a path by its name.
fn node(page: &mut Page, name: &str) -> u64 {
    let names = format!("nixCensus.census.columns.name.indexOf('{name}')");
    page.eval(&names).as_u64().unwrap_or_else(|| panic!("no {name}"))
}

/// What is shown.
fn now(page: &mut Page, key: &str) -> Value {
    page.eval(&format!("nixCensus.state.now.{key}"))
}

/// Every row of the page, by path, as JSON has it.
fn rows(page: &mut Page) -> BTreeMap<String, Value> {
    let rows = page.text(
        "JSON.stringify((({ census, state }) => Array.from({ length: census.paths }, (_, i) => {
            const row = { path: nixCensus.paths.full(i) };
            for (const [key, values] of Object.entries(census.columns))
                if (Array.isArray(values) || values instanceof Float64Array)
                    if (values.length === census.paths) row[key] = values[i];
            const left = census.original;
            row.retained_nar_size = census.retainedSize(left, 'nar', i);
            row.retained_disk_size = census.retainedSize(left, 'disk', i);
            row.retained_inodes = census.retainedSize(left, 'inodes', i);
            if (census.physical) row.retained_physical_size = census.retainedSize(left, 'physical', i);
            return row;
        }))(nixCensus))",
    );
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    rows.into_iter().map(|row| (row["path"].as_str().unwrap().to_owned(), row)).collect()
}

/// Compares all that a page says of each path with what `report` says.
#[track_caller]
pub(crate) fn says_what_report_says(page: &mut Page, report: &Value) {
    const KEYS: [&str; 21] = [
        "name",
        "package",
        "package_version",
        "output",
        "nar_size",
        "disk_nar_size",
        "apparent_size",
        "disk_size",
        "copied_disk_size",
        "shared_size",
        "reclaimable_size",
        "closure_nar_size",
        "closure_disk_size",
        "retained_nar_size",
        "retained_disk_size",
        "inodes",
        "reclaimable_inodes",
        "closure_inodes",
        "retained_inodes",
        "registration_time",
        "deriver",
    ];
    const EXTENTS: [&str; 7] = [
        "physical_size",
        "uncompressed_size",
        "referenced_size",
        "inline_size",
        "reclaimable_physical_size",
        "closure_physical_size",
        "retained_physical_size",
    ];
    let rows = rows(page);
    let physical = page.eval("nixCensus.census.physical") == true;
    let of_extents = EXTENTS.iter().filter(|_| physical);
    let keys: Vec<&str> = KEYS.iter().chain(of_extents).copied().collect();
    let paths = report["paths"].as_array().unwrap();
    assert_eq!(rows.len(), paths.len());
    let mut numbers = 0;
    for expected in paths {
        let row = &rows[expected["path"].as_str().unwrap()];
        for &key in &keys {
            // A column of which nothing is known is not in the page, nor is an empty text.
            let found = match &row[key] {
                Value::String(text) if text.is_empty() => &Value::Null,
                value => value,
            };
            assert_eq!(found, &expected[key], "{key} of {}", expected["path"]);
            numbers += u32::from(found.is_u64());
        }
    }
    assert!(numbers as usize > 3 * paths.len());
    let total = page.text("JSON.stringify(nixCensus.census.facts.total)");
    let total: Value = serde_json::from_str(&total).unwrap();
    for key in ["paths", "nar_size", "disk_size", "apparent_size", "inodes"] {
        assert_eq!(total[key], report["total"][key], "{key}");
    }
    let left = page.text("JSON.stringify(nixCensus.census.original.total)");
    let left: Value = serde_json::from_str(&left).unwrap();
    for (key, of) in [("paths", "paths"), ("nar", "nar_size"), ("disk", "disk_size")] {
        if !report["total"][of].is_null() {
            assert_eq!(left[key], report["total"][of], "{key}");
        }
    }
    if physical {
        assert_eq!(total["physical_size"], report["total"]["physical_size"]);
        assert_eq!(left["physical"], report["total"]["physical_size"]);
    }
}

#[test]
fn every_number_is_that_of_report() {
    let env = TestEnv::new();
    let file = demo(&env);
    let Some(mut page) = Page::open(&file) else { return };
    let report = env.json(["--root", DEMO, "report", SYSTEM, "--json"]);
    says_what_report_says(&mut page, &report);
    // And what is shown is what is known.
    let source = node(&mut page, "source");
    page.eval(&format!("nixCensus.state.set({{ path: {source} }})"));
    let paths = report["paths"].as_array().unwrap();
    let row = paths.iter().find(|row| row["name"] == "source").unwrap();
    let shown = page.text(
        "JSON.stringify(Object.fromEntries([...document.querySelectorAll('#panel dl.sizes dt')]
            .map((dt) => [dt.textContent, dt.nextSibling.querySelector('data')?.value])))",
    );
    let shown: Value = serde_json::from_str(&shown).unwrap();
    for (label, key) in [
        ("Retained on disk", "retained_disk_size"),
        ("Retained NAR", "retained_nar_size"),
        ("Disk size", "disk_size"),
        ("NAR size", "nar_size"),
        ("Shared with others", "shared_size"),
        ("Freed by deleting it", "reclaimable_size"),
        ("Closure on disk", "closure_disk_size"),
        ("Closure NAR", "closure_nar_size"),
    ] {
        assert_eq!(shown[label], row[key].to_string(), "{label}");
    }
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);

    let file = written(&env, &["--root", DEMO, "html", "--all", "--no-disk"]);
    page.visit(&format!("file://{}", file.display()));
    let report = env.json(["--root", DEMO, "report", "--all", "--no-disk", "--json"]);
    says_what_report_says(&mut page, &report);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

#[test]
fn the_map_is_searched_zoomed_and_left_again() {
    let env = TestEnv::new();
    let file = demo(&env);
    let Some(mut page) = Page::open(&file) else { return };
    assert_eq!(page.text("document.title"), format!("{SYSTEM} · nix-census"));
    assert_eq!(page.selected(), SYSTEM);
    // Search: marks as one types, and jumps.
    page.press("/");
    page.write("python3-3");
    page.wait("nixCensus.search.found.length > 0");
    let python = node(&mut page, "python3-3.11.9");
    assert_eq!(page.eval("nixCensus.search.found[0]"), python);
    assert_eq!(page.eval("nixCensus.map.marked.has(nixCensus.search.found[0])"), true);
    page.press("Enter");
    assert_eq!(page.selected(), "python3-3.11.9");
    assert_eq!(page.eval("nixCensus.map.root"), python);
    let chain = page
        .text("[...document.querySelectorAll('.chain li')].map((li) => li.textContent).join(' ')");
    let why = env.json(["--root", DEMO, "why", SYSTEM, "python3-3.11.9", "--json"]);
    assert_eq!(chain.split(' ').count(), why["lines"].as_array().unwrap().len(), "{chain}");
    assert!(chain.starts_with(SYSTEM) && chain.ends_with("python3-3.11.9"), "{chain}");
    // The trail leads back, and so does the browser's history.
    page.click("document.querySelector('#trail button')");
    assert_eq!(now(&mut page, "path"), node(&mut page, SYSTEM));
    page.eval("history.back()");
    page.wait("document.querySelector('#panel h2').textContent === 'python3-3.11.9'");
    // A click in the map enters a box.
    page.eval("nixCensus.state.set({ at: -1, path: -1, query: '' })");
    let place = page.eval(
        "(() => { const box = nixCensus.map.boxes.find((b) => b.inner && b.depth === 1);
            const r = nixCensus.shell.overlay.getBoundingClientRect();
            return [box.node, r.x + (box.x0 + box.x1) / 2, r.y + box.y0 + 6]; })()",
    );
    page.click_at(place[1].as_f64().unwrap(), place[2].as_f64().unwrap());
    assert_eq!(page.eval("nixCensus.map.root"), place[0]);
    // The largest files are those that `files` lists.
    let source = node(&mut page, "source");
    let files = page.text(&format!("JSON.stringify(nixCensus.filesOf({source}))"));
    let files: Vec<Value> = serde_json::from_str(&files).unwrap();
    let listed = env.json([
        "--root",
        DEMO,
        "files",
        "source",
        "--no-closure",
        "--sort",
        "apparent_size",
        "--json",
    ]);
    let listed = listed["files"].as_array().unwrap();
    assert_eq!(files.len(), 5);
    for file in &files {
        let end = format!("-source/{}", file["name"].as_str().unwrap());
        let same = listed.iter().find(|l| l["path"].as_str().unwrap().ends_with(&end)).unwrap();
        assert_eq!(file["size"], same["apparent_size"]);
    }
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// A store of paths that refer to each other at random, some with files that several have
/// as hard links; the first refers to so many that the rest is reached.
fn tangled(env: &TestEnv, paths: i64) -> Made {
    let (made, db) = Made::with(env, "root", SCHEMA);
    let mut random = Random(7);
    let name = |n: i64| format!("tangle-{n}.0");
    for n in 1..=paths {
        let directory = made.store.join(base(n, &name(n)));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("own"), vec![b'x'; random.below(40_000) as usize]).unwrap();
        for link in 0..random.below(3) {
            let other = made.store.join(base(1 + random.below(n as u64) as i64, "*"));
            let start = &other.file_name().unwrap().as_bytes()[..32];
            let found = fs::read_dir(&made.store).unwrap().map(|entry| entry.unwrap().path());
            let other =
                found.into_iter().find(|p| p.file_name().unwrap().as_bytes().starts_with(start));
            let _ =
                fs::hard_link(other.unwrap().join("own"), directory.join(format!("link{link}")));
        }
    }
    let source = Tree::live(&made.dir).unwrap();
    let files = StoreFiles::open(&source, DEFAULT_STORE_DIR.as_ref()).unwrap();
    let names: Vec<String> = (1..=paths).map(|n| base(n, &name(n))).collect();
    let scan =
        nix_census::disk::scan(&files, &names, &ScanOptions::default(), &Progress::default());
    for (n, usage) in (1..=paths).zip(&scan.unwrap().usages) {
        insert(&db, n, path(n, &name(n)).as_bytes(), Some(usage.nar_size as i64));
    }
    let mut pairs: Vec<(i64, i64)> = (2..=paths).map(|n| (1 + (n - 2) / 3, n)).collect();
    pairs.extend((0..paths * 2).map(|_| {
        let mut any = || 1 + random.below(paths as u64) as i64;
        (any(), any())
    }));
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().for_each(|(from, to)| refer(&db, from, to));
    made
}

#[test]
fn what_if_on_the_page_is_what_the_program_says() {
    const PATHS: i64 = 60;
    let env = TestEnv::new();
    let made = tangled(&env, PATHS);
    let root = made.dir.to_str().unwrap();
    let file = written(&env, &["--root", root, "html", "tangle-1.0"]);
    let Some(mut page) = Page::open(&file) else { return };
    assert!(page.eval("nixCensus.census.classes").as_u64().unwrap() > 5);
    let report = env.json(["--root", root, "report", "tangle-1.0", "--json"]);
    says_what_report_says(&mut page, &report);

    let tree = Tree::live(&made.dir).unwrap();
    let location = locate(&tree, DEFAULT_STORE_DIR, DEFAULT_STATE_DIR.as_ref()).unwrap();
    let catalog = catalog::load(&location).unwrap();
    let (target, references) = (PathId::new(0), catalog.references().clone());
    let examine = Examine::Closure(vec![target]);
    let files = StoreFiles::of(&location).unwrap();
    let options = ScanOptions::default();
    let scan = census::scan(&files, &catalog, &examine, &options, &Progress::default()).unwrap();
    let census = Census::new(catalog, &examine, Some(scan)).unwrap();
    assert_eq!(census.len() as i64, PATHS);

    // All of the closure are numbered alike: by their hash parts.
    let mut random = Random(3);
    let mut tries = Vec::new();
    let mut expected = Vec::new();
    for round in 0..200u64 {
        let mut steps = Vec::new();
        let mut changes = Vec::new();
        for _ in 0..1 + round % 4 {
            let from = 1 + random.below(PATHS as u64 - 1) as u32;
            let row = references.row(from);
            let to = row.get(random.below(row.len().max(1) as u64) as usize).copied();
            let other = random.below(PATHS as u64) as u32;
            let (change, json) = match (random.below(4), to) {
                (0, Some(to)) if to != from => (
                    Change::Cut(vec![(PathId::new(from), PathId::new(to))]),
                    json!({ "action": "cut", "path": from, "other": to }),
                ),
                (1, _) if other != from => (
                    Change::Replace(vec![PathId::new(from)], PathId::new(other)),
                    json!({ "action": "replace", "path": from, "other": other }),
                ),
                _ => (
                    Change::Remove(vec![PathId::new(from)]),
                    json!({ "action": "remove", "path": from }),
                ),
            };
            steps.push(WhatIfStep { text: String::new(), change });
            changes.push(json);
        }
        let answer = WhatIf::new(&census, None, &[target], &steps, None).unwrap();
        let last = answer.after.last().unwrap();
        expected.push(json!([last.nar_size, last.disk_size, last.paths]));
        tries.push(changes);
    }
    let reckoned = page.eval(&format!(
        "{}.map((changes) => {{ const {{ total }} = nixCensus.census.reckon(changes);
            return [total.nar, total.disk, total.paths]; }})",
        json!(tries)
    ));
    for ((found, expected), tried) in reckoned.as_array().unwrap().iter().zip(&expected).zip(&tries)
    {
        assert_eq!(found, expected, "{tried:?}");
    }
    let different: std::collections::HashSet<String> =
        expected.iter().map(Value::to_string).collect();
    assert!(different.len() > 100, "the tries say too little: {}", different.len());
}

/// Removes, restores, and runs the command that the page shows.
#[test]
fn what_is_removed_goes_and_comes_back() {
    let env = TestEnv::new();
    let file = demo(&env);
    let Some(mut page) = Page::open(&file) else { return };
    let total = |page: &mut Page| page.eval("nixCensus.left.total.disk").as_u64().unwrap();
    let before = total(&mut page);
    let systemd = node(&mut page, "systemd-minimal-255.6");
    page.eval(&format!("nixCensus.jump({systemd})"));
    page.press("x");
    assert_eq!(page.eval("document.querySelector('#changes').hidden"), false);
    assert!(total(&mut page) < before);
    assert!(
        page.text("document.querySelector('#panel').textContent").contains("This path is gone")
    );
    // A suggestion by a click, a reference cut in the graph.
    page.press("Home");
    page.click("document.querySelector('.suggestion')");
    let perl = node(&mut page, "perl-5.38.2-env");
    let holder = node(&mut page, SYSTEM);
    page.eval(&format!("nixCensus.state.set({{ view: 'graph', path: {holder} }})"));
    page.eval(&format!("nixCensus.views.graph.nodes.get({perl})?.focus() ?? nixCensus.toggleChange({{ action: 'cut', path: {holder}, other: {perl} }})"));
    if now(&mut page, "changes").as_array().unwrap().len() < 3 {
        page.press("k");
    }
    assert_eq!(now(&mut page, "changes").as_array().unwrap().len(), 3);
    let command = page.text("document.querySelector('#command').textContent");
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], "nix-census");
    let answer = env.json(words[1..].iter().copied().chain(["--json"]));
    assert_eq!(answer["total"]["disk_size_after"], total(&mut page));
    assert_eq!(answer["total"]["nar_size_after"], page.eval("nixCensus.left.total.nar"));
    assert_eq!(answer["total"]["paths_after"], page.eval("nixCensus.left.total.paths"));
    // The link shows the same, to somebody else too.
    let link = page.text("location.href");
    let left = total(&mut page);
    page.visit(&link);
    assert_eq!(total(&mut page), left);
    assert_eq!(now(&mut page, "view"), "graph");
    page.press("u");
    assert_eq!(now(&mut page, "changes").as_array().unwrap().len(), 2);
    page.click("document.querySelector('#changes .all')");
    assert_eq!(total(&mut page), before);
    assert_eq!(page.eval("document.querySelector('#changes').hidden"), true);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

#[test]
fn the_table_is_what_report_has() {
    let env = TestEnv::new();
    let file = demo(&env);
    let Some(mut page) = Page::open(&file) else { return };
    page.press("t");
    assert_eq!(page.eval("nixCensus.views.table.rows.length"), 86);
    page.click("[...document.querySelectorAll('.toolbar .action')].find((b) => b.textContent === 'Copy as CSV')");
    page.wait("nixCensus.copied !== undefined");
    let csv = page.text("nixCensus.copied");
    let columns = csv.lines().next().unwrap();
    for column in ["disk_size", "retained_disk_size", "closure_nar_size", "deriver", "path"] {
        assert!(columns.split(',').any(|c| c == column), "{column}: {columns}");
    }
    let report = |more: &[&str]| {
        let args = ["--root", DEMO, "report", SYSTEM, "--format", "csv", "--columns", columns];
        env.ok(args.iter().chain(more))
    };
    // Times are for people there, and numbers here.
    let expected = report(&["--sort", "disk_size"]);
    assert_eq!(csv.lines().count(), expected.lines().count());
    for (found, expected) in csv.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    // Sorted by a click, filtered by a glob and by size.
    page.click("[...document.querySelectorAll('th button')].find((b) => b.textContent.startsWith('NAR size'))");
    page.eval("nixCensus.state.set({ filter: '*-2.39*', least: '100K' }, false)");
    let csv = page.text("nixCensus.views.table.csv()");
    let expected = report(&["--sort", "nar_size", "--filter", "*-2.39*"]);
    let names = |csv: &str| -> Vec<String> {
        csv.lines().skip(1).map(|l| l.split(',').next().unwrap().to_owned()).collect()
    };
    let mut expected = names(&expected);
    expected.retain(|name| names(&csv).contains(name));
    assert_eq!(names(&csv), expected);
    assert_eq!(names(&csv).len(), 3);
    // What is selected is summed, each inode once; by the keyboard.
    page.eval("nixCensus.focusView()");
    for key in ["Home", " ", "ArrowDown", " "] {
        page.press(key);
    }
    let rows = |page: &mut Page| page.eval("[...nixCensus.views.table.picked]");
    let picked = rows(&mut page);
    assert_eq!(picked.as_array().unwrap().len(), 2);
    let sum = page.text("document.querySelector('.sum').textContent");
    assert!(sum.starts_with("2 paths selected"), "{sum}");
    page.press("ArrowUp");
    page.press(" ");
    assert_eq!(rows(&mut page).as_array().unwrap().len(), 1);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

#[test]
fn one_walks_in_the_graph_with_keys_alone() {
    let env = TestEnv::new();
    let file = demo(&env);
    let Some(mut page) = Page::open(&file) else { return };
    // Into the heaviest box and out again, with keys.
    page.eval("nixCensus.focusView()");
    page.press("Enter");
    let first = page.selected();
    page.press("ArrowRight");
    let second = page.selected();
    assert!(first != second && first != SYSTEM, "{first} {second}");
    page.press("ArrowLeft");
    assert_eq!(page.selected(), first);
    page.press("Escape");
    assert_eq!(page.selected(), SYSTEM);
    // Help is there and goes.
    page.press("?");
    assert_eq!(page.eval("document.querySelector('#help').open"), true);
    page.press("Escape");
    page.wait("!document.querySelector('#help').open");
    // The graph: search a path, then walk to what it refers to.
    page.press("/");
    page.write("nix-2.18.2");
    page.press("Enter");
    page.press("g");
    let nix = node(&mut page, "nix-2.18.2");
    assert_eq!(page.eval("nixCensus.views.graph.middle"), nix);
    let references = env.json(["--root", DEMO, "report", "nix-2.18.2", "--no-closure", "--json"]);
    let references = references["paths"][0]["references"].as_array().unwrap().len();
    let shown =
        page.eval("[...nixCensus.views.graph.place].filter(([, p]) => p.level === 1).length");
    assert_eq!(shown.as_u64().unwrap() as usize, references.min(12));
    page.press("ArrowRight");
    let target = page.eval("nixCensus.views.graph.target");
    assert_ne!(target, nix);
    page.press("Enter");
    assert_eq!(page.eval("nixCensus.views.graph.middle"), target);
    assert_eq!(now(&mut page, "path"), target);
    page.eval("history.back()");
    page.wait(&format!("nixCensus.views.graph.middle === {nix}"));
    // All ways to it are those of `why --all-chains`.
    page.press("w");
    let drawn = page.eval("nixCensus.views.graph.place.size").as_u64().unwrap() as usize;
    let why = env.json(["--root", DEMO, "why", SYSTEM, "nix-2.18.2", "--all-chains", "--json"]);
    let mut paths: Vec<&str> =
        why["lines"].as_array().unwrap().iter().map(|l| l["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(drawn, paths.len());
    // Dark, light, and every view in a narrow window.
    let theme = |page: &mut Page| page.text("document.documentElement.dataset.theme");
    assert_eq!(theme(&mut page), "light");
    page.press("d");
    assert_eq!(theme(&mut page), "dark");
    page.fits_a_phone(&["m", "t", "g"]);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

/// Whatever is called so, it is text: in files, in warnings, in the store's own name.
#[test]
fn hostile_names_are_text() {
    const HOSTILE: &str = "</script><img src=x onerror=\"globalThis.run=1\">";
    let env = TestEnv::new();
    let (made, db) = Made::sound(&env, "<img onerror=alert(1)>&\"'");
    let tree = made.store.join(base(3, "tree"));
    let name = HOSTILE.replace('/', "\u{2215}");
    fs::write(tree.join(&name), vec![b'x'; 5000]).unwrap();
    // No store path may be called so: each is left out, with a warning that names it. The
    // thirty-first is about the size of the tree.
    for n in 9..39 {
        insert(&db, n, format!("/nix/store/{n:032}-{HOSTILE}").as_bytes(), Some(120));
    }
    drop(db);
    let file = env.join("page.html");
    let run = made.run(&env, ["html", "--all", "-o", file.to_str().unwrap()]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    let html = fs::read_to_string(&file).unwrap();
    assert!(!html.contains("onerror"), "names are in the island alone");
    let Some(mut page) = Page::open(&file) else { return };
    let text = page.text("document.querySelector('#panel').textContent");
    assert!(text.contains("This page is incomplete") && text.contains("onerror"), "{text}");
    let warnings =
        page.eval("[...document.querySelectorAll('.warnings li')].map((li) => li.textContent)");
    let warnings = warnings.as_array().unwrap();
    assert_eq!((warnings.len(), &warnings[20]), (21, &json!("and 11 more")));
    let tree = node(&mut page, "tree");
    page.eval(&format!("nixCensus.jump({tree})"));
    let text = page.text("document.querySelector('#panel').textContent");
    assert!(text.contains(&name), "{text}");
    for view in ["table", "graph", "map"] {
        page.eval(&format!("nixCensus.state.set({{ view: '{view}' }})"));
    }
    page.eval("nixCensus.toggleRemoved(nixCensus.state.now.path)");
    let command = page.text("document.querySelector('#command').textContent");
    assert!(command.contains("'"), "{command}");
    page.all_text_is_text();
    // And if something were markup, it would not run.
    page.eval(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"globalThis.run=1\">')",
    );
    page.wait("document.querySelector('img').complete");
    assert_eq!(page.eval("globalThis.run === undefined"), true);
}

/// In the title, in tooltips, in what is found and drawn, and as CSV, too.
#[test]
fn hostile_names_are_text_wherever_they_are_shown() {
    const STORE: &str = "/<img src=x onerror=globalThis.run=1>&\"";
    const NAME: &str = "</title></script><img src=x onerror=\"globalThis.run=1\">, &'";
    let env = TestEnv::new();
    let registration = env.join("registration");
    fs::write(&registration, format!("{STORE}/{:032}-tree\n{:064}\n120\n\n0\n", 1, 1)).unwrap();
    let registration = registration.to_str().unwrap();
    let store = ["--registration", registration, "--store-dir", STORE];
    let file = written(&env, &[&store[..], &["html", "--all", "--no-disk"]].concat());
    let Some(mut page) = Page::open(&file) else { return };
    assert_eq!(page.text("document.title"), format!("{STORE} · nix-census"));
    assert_eq!(page.text("document.querySelector('h1').textContent"), STORE);
    // No store path is called so; the page does not rely on that.
    page.eval(&format!("nixCensus.census.columns.name[0] = {}", json!(NAME)));
    page.eval("nixCensus.jump(0)");
    assert_eq!(page.selected(), NAME);
    page.point_at_the_map();
    page.wait("!document.querySelector('#tip').hidden");
    assert_eq!(page.text("document.querySelector('#tip').firstChild.textContent"), NAME);
    page.press("/");
    page.write("img");
    assert_eq!(page.text("document.querySelector('#results .name').textContent"), NAME);
    page.press("Enter");
    page.press("g");
    let title = page.text("document.querySelector('#graph .node title').textContent");
    assert!(title.starts_with(&format!("{STORE}/{:032}-{NAME}\n", 1)), "{title}");
    page.press("t");
    assert_eq!(page.text("document.querySelector('tbody td[title]').title"), NAME);
    page.click("[...document.querySelectorAll('.toolbar .action')].find((b) => b.textContent === 'Copy as CSV')");
    page.wait("nixCensus.copied !== undefined");
    let csv = page.text("nixCensus.copied");
    let row = csv.lines().nth(1).unwrap();
    let field = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    assert!(row.starts_with(&format!("{},", field(NAME))), "{csv}");
    assert!(row.ends_with(&format!(",{}", field(&format!("{STORE}/{:032}-{NAME}", 1)))), "{csv}");
    page.all_text_is_text();
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}

#[test]
fn a_page_is_a_page() {
    let env = TestEnv::new();
    let refused = |args: &[&str], said: &str| {
        let run = env.run(["--root", DEMO].iter().chain(args));
        assert_eq!(run.status, 2, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    };
    refused(&["html", "--json"], "in no other format");
    refused(&["html", "-o", "page.csv"], "in no other format");
    refused(&["html", "--format", "table"], "in no other format");
    refused(&["html", "--sort", "nar_size", "-o", "x.html"], "--sort cannot be used with html");
    refused(&["report", "-o", "x.html"], "write a page for a browser");
    refused(&["html", SYSTEM, "--all", "-o", "x.html"], "--all is the whole store");
    let html = env.ok(["--root", DEMO, "html", SYSTEM]);
    // Where paths are folded, the page says so.
    if let Some(mut page) = Page::open(&demo(&env)) {
        page.press("Home");
        page.eval("nixCensus.census.facts.folded_paths = 1234; nixCensus.panel.draw()");
        let text = page.text("document.querySelector('#panel').textContent");
        assert!(text.contains("names the 86 paths that retain most. The other 1,234"), "{text}");
    }
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert_eq!(html, fs::read_to_string(demo(&env)).unwrap());
}

/// What the README's picture was made from: the parts of the page, and the demo store.
fn made_from() -> String {
    let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(sources.join("src/output/html"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|file| file.extension().is_some_and(|e| e == "js" || e == "css" || e == "html"))
        .collect();
    files.push(sources.join("testdata/demo.tar.gz"));
    files.sort();
    assert!(files.len() > 10);
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&fs::read(file).unwrap());
    }
    format!("{}\n", hasher.finalize().to_hex())
}

/// When the page changes on purpose: `NIX_CENSUS_UPDATE=1 cargo test --test it html::`, and
/// look at the picture.
#[test]
fn the_readme_shows_the_page_as_it_is() {
    let testdata = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let (picture, digest) = (testdata.join("page.png"), testdata.join("page.png.made-from"));
    if std::env::var_os("NIX_CENSUS_UPDATE").is_some() {
        let env = TestEnv::new();
        let Some(mut page) = Page::open(&demo(&env)) else { return };
        let python = node(&mut page, "python3-3.11.9");
        page.eval(&format!("nixCensus.state.set({{ path: {python} }})"));
        fs::write(&picture, page.screenshot()).unwrap();
        fs::write(&digest, made_from()).unwrap();
    }
    let readme = fs::read_to_string(testdata.with_file_name("README.md")).unwrap();
    assert!(readme.contains("(testdata/page.png)"));
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    let said = "testdata/page.png shows an older page: make it anew as this test says";
    assert!(fs::read_to_string(&digest).unwrap() == made_from(), "{said}");
}
