//! The ES modules of the pages, joined into one script for each.

use crate::answer::page::PageKind;

/// A module: its name and text.
type Module = (&'static str, &'static str);

/// Modules by their files.
macro_rules! named {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!($name))),*] };
}

/// The modules that all pages have, each after those that it imports.
const OF_ALL: &[Module] = named![
    "data.js",
    "format.js",
    "colors.js",
    "dom.js",
    "state.js",
    "search.js",
    "tiles.js",
    "grid.js",
    "details.js",
    "page.js",
];

/// Those of the page of a closure.
const OF_CLOSURE: &[Module] =
    named!["graph.js", "paths.js", "map.js", "panel.js", "table.js", "network.js", "app.js"];

/// Those of the page of a difference.
const OF_DIFF: &[Module] =
    named!["changes.js", "changemap.js", "changepanel.js", "changetable.js", "diff.js"];

/// Those of the page of what optimising would save.
const OF_OPTIMISE: &[Module] =
    named!["pairs.js", "pairmap.js", "pairpanel.js", "pairtable.js", "optimise.js"];

/// The modules of a kind of page.
pub(super) fn modules(kind: PageKind) -> Vec<Module> {
    let own = match kind {
        PageKind::Closure => OF_CLOSURE,
        PageKind::Diff => OF_DIFF,
        PageKind::Optimise => OF_OPTIMISE,
    };
    [OF_ALL, own].concat()
}

/// Joins modules into one script: what they import from each other is in scope there,
/// so `import` lines go and `export` is left out. Each of both is a line of its own or
/// begins one; names at the top of modules are unique.
pub(super) fn join(modules: &[Module]) -> String {
    let mut script = String::new();
    for (name, text) in modules {
        script += &format!("// {name}\n");
        for line in text.lines().filter(|line| !line.starts_with("import ")) {
            script += line.strip_prefix("export ").unwrap_or(line);
            script.push('\n');
        }
    }
    script
}
