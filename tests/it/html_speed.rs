//! How fast pages are in a browser. No tests, as time says nothing where others work too:
//! benches/README.md has the figures and how they are made.

use super::graph::generate;
use super::support::TestEnv;
use super::support::browser::Page;
use super::support::store_in_code::{Made, SCHEMA, base, insert, path, refer};
use serde_json::json;
use std::fs;
use std::path::Path;

/// How often each is measured.
const RUNS: usize = 5;

/// A store of so many paths and references, with up to four files of as many kinds in each.
fn made_up(env: &TestEnv, paths: usize, references: usize) -> Made {
    let (made, db) = Made::with(env, "store", SCHEMA);
    let graph = generate::store_like(paths, references, 7);
    let mut random = generate::Random(7);
    db.execute_batch("BEGIN").unwrap();
    for id in 1..=paths as i64 {
        let name = format!("package-{}-{}.{}", id % 977, random.below(12), random.below(40));
        let directory = made.store.join(base(id, &name));
        for file in ["bin/tool", "lib/libtool.so", "share/man/man1/tool.1", "share/doc/a.txt"] {
            if random.below(3) > 0 {
                let file = directory.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, vec![b'x'; random.low(200_000, 6)]).unwrap();
            }
        }
        fs::create_dir_all(&directory).unwrap();
        insert(&db, id, path(id, &name).as_bytes(), Some(1 + random.low(10_000_000, 3) as i64));
    }
    for (from, row) in (1..).zip(graph.rows.iter()) {
        row.iter().for_each(|&to| refer(&db, from, i64::from(to) + 1));
    }
    db.execute_batch("COMMIT").unwrap();
    made
}

/// What the page's main thread took, in milliseconds of processor time: all, and scripts.
fn taken(page: &mut Page) -> [f64; 2] {
    let metrics = page.call("Performance.getMetrics", &json!({}));
    let of = |name: &str| {
        let metrics = metrics["metrics"].as_array().unwrap();
        let metric = metrics.iter().find(|metric| metric["name"] == name).unwrap();
        metric["value"].as_f64().unwrap() * 1000.0
    };
    [of("TaskDuration"), of("ScriptDuration")]
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The map at first, and the heaviest boxes that can be entered.
const BOXES: &str = "(() => {
    const app = nixCensus;
    app.state.set({ view: 'map', at: -1, path: -1 });
    const kids = app.map.kids(app.root);
    const boxes = kids.filter((kid) => app.census.isPath(kid) && app.map.kids(kid).length > 0);
    boxes.sort((a, b) => app.map.weight(b) - app.map.weight(a));
    return [app.root, ...boxes.slice(0, 4)];
})()";

/// What one frame takes in which something is done, in milliseconds of processor time.
fn frame(page: &mut Page, act: &str) -> f64 {
    let before = taken(page)[0];
    page.eval(&format!(
        "new Promise((done) => {{ {act}; requestAnimationFrame(() => requestAnimationFrame(done)); }})"
    ));
    taken(page)[0] - before
}

fn measure(page: &mut Page, file: &Path) {
    let [mut all, mut scripts, mut zooming, mut panning] = [const { Vec::new() }; 4];
    for _ in 0..RUNS {
        // Each page is a process of its own, which begins at nothing.
        page.visit(&format!("file://{}", file.display()));
        let [whole, of_scripts] = taken(page);
        all.push(whole);
        scripts.push(of_scripts);
        let boxes = page.eval(BOXES);
        let boxes = boxes.as_array().unwrap();
        let mut longest = 0.0f64;
        for kid in &boxes[1..] {
            for at in [kid, &boxes[0]] {
                let enter = format!("nixCensus.state.set({{ at: {at}, path: {kid} }})");
                longest = longest.max(frame(page, &enter));
            }
        }
        zooming.push(longest);
        let middle = boxes.last().unwrap();
        page.eval(&format!("nixCensus.state.set({{ view: 'graph', path: {middle} }})"));
        let mut longest = 0.0f64;
        for x in 0..20 {
            let pan = format!(
                "nixCensus.views.graph.camera.x = {}; nixCensus.views.graph.look()",
                x * 10
            );
            longest = longest.max(frame(page, &pan));
        }
        panning.push(longest);
    }
    println!(
        "{}: {} paths, {} named, {} bytes; until drawn {:.0} ms, in scripts {:.0} ms; the longest \
         frame zooming {:.0} ms, panning {:.0} ms",
        file.display(),
        page.eval("nixCensus.census.facts.total.paths"),
        page.eval("nixCensus.census.paths"),
        fs::metadata(file).unwrap().len(),
        median(all),
        median(scripts),
        median(zooming),
        median(panning),
    );
}

#[test]
#[ignore = "measures: see benches/README.md"]
fn in_a_browser() {
    let env = TestEnv::new();
    let mut files = Vec::new();
    for (paths, references) in [(1300, 15_600), (20_000, 240_000)] {
        let made = made_up(&env, paths, references);
        let file = env.join(format!("{paths}.html"));
        // Sizes in the database are made up: they are not those of the files.
        let run = made.run(&env, ["html", "--all", "-o", file.to_str().unwrap()]);
        assert!(file.is_file(), "{}", run.stderr);
        files.push(file);
        fs::remove_dir_all(&made.dir).unwrap();
    }
    files.extend(std::env::split_paths(&std::env::var_os("NIX_CENSUS_PAGES").unwrap_or_default()));
    for file in files {
        let Some(mut page) = Page::open(&file) else { return };
        page.call("Performance.enable", &json!({ "timeDomain": "threadTicks" }));
        measure(&mut page, &file);
    }
}
