//! The page as text; `tests/it/html.rs` opens it in a browser.

use super::*;
use crate::answer::page::PageKind;
use crate::graph::Rows;
use std::collections::HashSet;
use std::io::Read;

const KINDS: [PageKind; 3] = [PageKind::Closure, PageKind::Diff, PageKind::Optimise];

fn page(title: &str) -> Page {
    Page {
        kind: PageKind::Closure,
        title: title.to_owned(),
        facts: vec![("title", json!(title))],
        columns: vec![
            ("numbers", Values::Numbers(vec![Some(0), None, Some(127), Some(1 << 40)])),
            ("signed", Values::Signed(vec![Some(-1), None, Some(1)])),
            ("texts", Values::Texts(vec![title.to_owned(), String::new()])),
            ("lists", Values::Lists(Rows::from_lists(&[vec![3, 4, 300], vec![]]))),
        ],
    }
}

fn html(title: &str) -> String {
    let mut html = Vec::new();
    write(&page(title), &mut html).unwrap();
    String::from_utf8(html).unwrap()
}

#[test]
fn the_island_holds_what_is_described() {
    let html = html("x");
    let island = html.split("id=\"data\">").nth(1).unwrap().split('<').next().unwrap();
    let deflated = BASE64.decode(island.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    flate2::read::DeflateDecoder::new(&*deflated).read_to_end(&mut bytes).unwrap();
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    let head: serde_json::Value = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
    assert_eq!(head["facts"]["title"], "x");
    assert_eq!(
        head["columns"],
        json!([
            ["numbers", "numbers", 10, 4],
            ["signed", "signed", 3, 3],
            ["texts", "texts", 3, 2],
            ["lists", "lists", 6, 2]
        ])
    );
    let body = [
        &[1, 0, 0x80, 1, 0x81, 0x80, 0x80, 0x80, 0x80, 0x20][..],
        &[2, 0, 3],
        b"x\0\0",
        &[3, 3, 1, 0xa8, 2, 0],
    ];
    assert_eq!(bytes[4 + length..], body.concat());
}

#[test]
fn no_text_becomes_markup() {
    let plain = html("title");
    let hostile = html("</title></script><img src=x onerror=alert(1)>&\"'<!--");
    let tags = |html: &str| html.matches('<').count();
    assert_eq!(tags(&plain), tags(&hostile));
    assert!(hostile.contains(
        "<title>&lt;/title&gt;&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;&quot;'&lt;!-- ·"
    ));
}

/// What the page's own parts may not hold, so that each ends where it should and
/// nothing is markup or run that came as text.
#[test]
fn scripts_and_style_can_stand_in_the_page() {
    let scripts = KINDS.map(|kind| join(&modules(kind)));
    let script = scripts.concat();
    for part in [&script, STYLE, TREEMAP] {
        for ends in ["</script", "</style", "<!--", "\r"] {
            assert!(!part.contains(ends), "{ends}");
        }
    }
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
        "fetch(",
        "XMLHttp",
        "import(",
    ] {
        assert!(!script.contains(way), "{way}");
    }
    assert!(!FRAME.contains("http:") && !FRAME.contains("https:") && !STYLE.contains("url("));
    assert!(TREEMAP.contains("Permission to use, copy, modify"));
}

/// Joined, all modules share one scope; apart, each has what it imports.
#[test]
fn modules_can_be_joined() {
    KINDS.into_iter().for_each(|kind| can_be_joined(&modules(kind)));
}

fn can_be_joined(modules: &[(&str, &str)]) {
    let mut names = HashSet::new();
    let mut exported: HashSet<(String, String)> = HashSet::new();
    for (module, text) in modules {
        for line in text.lines() {
            if let Some(import) = line.strip_prefix("import ") {
                let (list, from) = import.split_once(" from ").unwrap();
                let from = from.trim_matches(['"', ';']).trim_start_matches("./");
                for name in list.trim_matches(['{', '}', ' ']).split(',').map(str::trim) {
                    let wanted = (from.to_owned(), name.to_owned());
                    assert!(exported.contains(&wanted), "{module} imports {name} of {from}");
                    let uses = text.matches(name).count();
                    assert!(uses > 1, "{module} does not use {name}");
                }
                continue;
            }
            let (exports, line) = match line.strip_prefix("export ") {
                Some(rest) => (true, rest),
                None => (false, line),
            };
            let words = ["const ", "let ", "class ", "async function ", "function "];
            let Some(rest) = words.iter().find_map(|word| line.strip_prefix(word)) else {
                assert!(!exports, "{module}: {line}");
                continue;
            };
            let end = |c: char| !c.is_alphanumeric() && c != '_';
            let name = rest.split(end).next().unwrap();
            assert!(names.insert(name), "{module} has another {name}");
            if exports {
                exported.insert(((*module).to_owned(), name.to_owned()));
            }
        }
    }
    assert!(names.len() > 20);
}

#[test]
fn the_policy_lets_only_these_scripts_and_this_style() {
    let html = html("x");
    let policy = html.split("Content-Security-Policy\" content=\"").nth(1).unwrap();
    let policy = policy.split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"));
    let parts = |tag: &str, end: &str| -> Vec<String> {
        html.split(tag).skip(1).map(|p| hash(p.split(end).next().unwrap())).collect()
    };
    for part in [
        parts("<style>", "</style>"),
        parts("<script>", "</script>"),
        parts("<script type=\"module\">", "</script>"),
    ] {
        assert_eq!(part.len(), 1);
        assert!(policy.contains(&part[0]), "{part:?}");
    }
}
