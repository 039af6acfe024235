//! What equal files cost, by pair of packages: the answer of `optimise`, and its page.

use super::support::TestEnv;
use super::support::browser::Page;
use super::support::store_in_code::{Made, SCHEMA, base, insert, path};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// The SHA-256 of a file's NAR as `.links` has it in names.
fn link_name(contents: &[u8]) -> String {
    let mut nar = Vec::new();
    let mut text = |bytes: &[u8]| {
        nar.extend((bytes.len() as u64).to_le_bytes());
        nar.extend(bytes);
        nar.resize(nar.len().next_multiple_of(8), 0);
    };
    for word in ["nix-archive-1", "(", "type", "regular", "contents"] {
        text(word.as_bytes());
    }
    text(contents);
    text(b")");
    nix_census::internals::nix32::encode(&Sha256::digest(&nar))
}

/// Files of `a`, `b`, `c` and `d`: what `a` has is in it twice, in `b` and in `c`; what
/// `b` has is in `c`; `d` has what only `.links` has besides, and one of its own.
fn store(env: &TestEnv) -> Made {
    let (made, db) = Made::with(env, "store", SCHEMA);
    type File = (&'static str, u8, usize);
    let files: [(i64, &str, &[File]); 4] = [
        (1, "a-1.0", &[("one", 1, 10_000), ("two", 1, 10_000)]),
        (2, "b-1.0", &[("one", 1, 10_000), ("own", 2, 50_000)]),
        (3, "c-1.0", &[("one", 1, 10_000), ("own", 2, 50_000)]),
        (4, "d-1.0", &[("own", 3, 30_000), ("other", 4, 7000)]),
    ];
    for (id, name, files) in files {
        let directory = made.store.join(base(id, name));
        fs::create_dir(&directory).unwrap();
        for &(file, byte, size) in files {
            fs::write(directory.join(file), vec![byte; size]).unwrap();
            fs::set_permissions(directory.join(file), Permissions::from_mode(0o444)).unwrap();
        }
        insert(&db, id, path(id, name).as_bytes(), None);
    }
    let links = made.store.join(".links");
    fs::create_dir(&links).unwrap();
    let link = links.join(link_name(&[3; 30_000]));
    fs::write(&link, vec![3; 30_000]).unwrap();
    fs::set_permissions(link, Permissions::from_mode(0o444)).unwrap();
    made
}

/// The pairs of an answer: files linked and bytes freed.
fn pairs(answer: &Value) -> BTreeMap<String, [u64; 2]> {
    let pair = |row: &Value| {
        let kept = row["kept_package"].as_str().unwrap_or("-");
        let number = |key: &str| row[key].as_u64().unwrap();
        let name = format!("{} {kept}", row["package"].as_str().unwrap());
        (name, [number("files_linked"), number("apparent_freed")])
    };
    answer["by_pair"].as_array().unwrap().iter().map(pair).collect()
}

fn expected() -> BTreeMap<String, [u64; 2]> {
    let pairs = [
        ("a a", [1, 10_000]),
        ("b a", [1, 10_000]),
        ("c a", [1, 10_000]),
        ("c b", [1, 50_000]),
        ("d -", [1, 30_000]),
    ];
    pairs.map(|(pair, sums)| (pair.to_owned(), sums)).into()
}

#[test]
fn each_file_that_is_replaced_counts_in_one_pair() {
    let env = TestEnv::new();
    let made = store(&env);
    let (answer, _) = made.json(&env, ["optimise"]);
    assert_eq!(pairs(&answer), expected());
    for key in ["disk_freed", "apparent_freed", "inodes_freed"] {
        let rows = answer["by_pair"].as_array().unwrap().iter();
        assert_eq!(rows.map(|row| row[key].as_u64().unwrap()).sum::<u64>(), answer[key], "{key}");
    }
    // Of some paths alone: what is kept is among them.
    let (alone, _) = made.json(&env, ["optimise", "c-1.0", "b-1.0", "d-1.0"]);
    let kept: Vec<String> = pairs(&alone).into_keys().collect();
    assert_eq!(kept, ["c b"], "{alone:#}");
}

#[test]
fn one_list_is_chosen_in_all_formats() {
    let env = TestEnv::new();
    let made = store(&env);
    let (answer, _) = made.json(&env, ["optimise", "--by", "pair"]);
    assert_eq!(pairs(&answer), expected());
    assert!(answer["by_path"].is_null() && answer["groups"].is_null(), "{answer:#}");
    let csv =
        made.run(&env, ["optimise", "--by", "pair", "--format", "csv", "--limit", "1"]).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("package,kept_package") && lines[1].ends_with("c,b"), "{csv}");
    let table = made.run(&env, ["optimise", "--by", "pair"]).stdout;
    assert!(table.contains("By pair of packages") && !table.contains("By path"), "{table}");
    let markdown = made.run(&env, ["optimise", "--by", "pair", "--format", "markdown"]).stdout;
    assert!(markdown.contains("| c ") && markdown.contains("What the disk gains"), "{markdown}");
    for (by, list) in
        [("path", "by_path"), ("package", "by_package"), ("kind", "by_kind"), ("file", "groups")]
    {
        let (answer, _) = made.json(&env, ["optimise", "--by", by]);
        assert!(answer[list].is_array() && answer["by_pair"].is_null(), "{by}: {answer:#}");
        assert!(answer["disk_freed"].is_u64());
    }
    let refused = made.run(&env, ["optimise", "--by", "pair", "-o", "x.html"]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("--by cannot be used with html"), "{}", refused.stderr);
}

#[test]
fn the_page_has_the_pairs_and_their_files() {
    const NAME: &str = "<img src=x onerror=\"globalThis.run=1\">, &'";
    let env = TestEnv::new();
    let made = store(&env);
    // One more pair, of a file whose name is hostile.
    for id in [1, 3] {
        let name = if id == 1 { "a-1.0" } else { "c-1.0" };
        let file = made.store.join(base(id, name)).join(NAME);
        fs::write(&file, vec![7; 80_000]).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o444)).unwrap();
    }
    let file = env.join("page.html");
    let run = made.run(&env, ["optimise", "-o", file.to_str().unwrap()]);
    let (answer, json) = made.json(&env, ["optimise"]);
    assert_eq!(run.status, json.status, "{}", run.stderr);
    assert!(!fs::read_to_string(&file).unwrap().contains("onerror"));
    let Some(mut page) = Page::open(&file) else { return };
    // All numbers are those of the answer.
    page.press("t");
    let columns =
        "package,kept_package,disk_freed,files_linked,apparent_freed,inodes_freed,bytes_freed";
    let args = ["optimise", "--by", "pair", "--format", "csv", "--columns", columns];
    let csv = made.run(&env, args).stdout;
    assert_eq!(page.text("nixCensus.views.table.csv()"), csv);
    for key in ["disk_freed", "apparent_freed", "inodes_freed"] {
        assert_eq!(page.eval(&format!("nixCensus.pairs.facts.{key}")), answer[key], "{key}");
    }
    assert_eq!(page.eval("nixCensus.pairs.facts.line"), answer["nix_report"]["line"]);
    let boxes = page.eval(
        "nixCensus.pairs.tops.map((n) => [nixCensus.pairs.name(n), nixCensus.pairs.weights[n]])",
    );
    for package in answer["by_package"].as_array().unwrap() {
        let of = json!([package["package"], package["disk_freed"]]);
        let there = boxes.as_array().unwrap().contains(&of);
        assert_eq!(there, package["disk_freed"] != 0, "{package}");
    }
    // The files of each pair sum to it.
    page.eval(
        "(({ columns: c, pairs }) => {
            for (let pair = 0; pair < pairs; pair++) {
                const files = nixCensus.pairs.filesOf(pair);
                const sum = files.reduce((all, file) => all + c.file_disk_freed[file], 0);
                if (sum !== c.disk_freed[pair]) throw new Error(`${pair}: ${sum}`);
            }
        })(nixCensus.pairs)",
    );
    page.press("p");
    assert_eq!(page.eval("nixCensus.views.table.rows.length"), 6);
    page.eval("nixCensus.focusView()");
    page.press("Home");
    page.press("ArrowDown");
    page.press("ArrowUp");
    // The files of `c` as in `a`: the one of 80,000 bytes is its largest.
    assert_eq!(page.selected(), "c, as in a");
    let text = page.text("document.querySelector('#panel').textContent");
    assert!(text.contains(NAME), "{text}");
    page.press("Enter");
    assert_eq!(page.text("nixCensus.state.now.view"), "map");
    // To the package that keeps them, by a click; back; into a package, out again.
    page.click("[...document.querySelectorAll('#panel .action')].find((b) => b.textContent === 'All of a')");
    assert_eq!(page.selected(), "a");
    page.eval("history.back()");
    page.wait("document.querySelector('#panel h2').textContent === 'c, as in a'");
    let link = page.text("location.href");
    page.visit(&link);
    assert_eq!(page.selected(), "c, as in a");
    page.press("Home");
    page.press("Enter");
    assert_eq!(page.selected(), "c");
    page.press("Enter");
    assert_eq!(page.selected(), "c, as in a");
    page.press("ArrowRight");
    assert_eq!(page.selected(), "c, as in b");
    page.press("Escape");
    assert_eq!(page.selected(), "c");
    page.press("/");
    page.write("d");
    page.press("Enter");
    assert_eq!(page.selected(), "d");
    page.fits_a_phone(&["m", "t", "p"]);
    // What has no names there is said, if it is but files.
    page.eval("nixCensus.pairs.facts.unnamed.files = 1234; nixCensus.state.set({ node: -1 }); nixCensus.panel.draw()");
    let text = page.text("document.querySelector('#panel').textContent");
    assert!(text.contains("0 smaller pairs and 1,234 groups of files have no names"), "{text}");
    page.eval("nixCensus.select(0)");
    // Whatever is called so, it is text.
    page.eval(&format!(
        "(({{ columns, facts }}) => {{
            for (const key of ['package', 'file']) columns[key].fill({0});
            facts.title = facts.store_dir = facts.line = {0};
            facts.warnings = [{{ path: {0}, message: {0} }}];
            facts.warnings_total = 1;
        }})(nixCensus.pairs)",
        json!(NAME)
    ));
    for node in ["-1", "0", "nixCensus.pairs.nodeOf(0)"] {
        for view in ["table", "map"] {
            page.eval(&format!("nixCensus.state.set({{ view: '{view}', node: {node} }})"));
        }
        let text = page.text("document.querySelector('#panel').textContent");
        assert!(text.contains(NAME), "{text}");
    }
    page.all_text_is_text();
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}
