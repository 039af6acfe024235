//! The ES modules of the pages, joined into one script for each.

use crate::answer::page::PageKind;

/// A module: its name and text.
type Module = (&'static str, &'static str);

/// The modules that all pages have, each after those that it imports.
const OF_ALL: &[Module] = &[
    ("data.js", include_str!("data.js")),
    ("format.js", include_str!("format.js")),
    ("colors.js", include_str!("colors.js")),
    ("dom.js", include_str!("dom.js")),
    ("state.js", include_str!("state.js")),
    ("search.js", include_str!("search.js")),
    ("tiles.js", include_str!("tiles.js")),
    ("grid.js", include_str!("grid.js")),
    ("details.js", include_str!("details.js")),
    ("page.js", include_str!("page.js")),
];

/// Those of the page of a closure.
const OF_CLOSURE: &[Module] = &[
    ("graph.js", include_str!("graph.js")),
    ("paths.js", include_str!("paths.js")),
    ("map.js", include_str!("map.js")),
    ("panel.js", include_str!("panel.js")),
    ("table.js", include_str!("table.js")),
    ("network.js", include_str!("network.js")),
    ("app.js", include_str!("app.js")),
];

/// Those of the page of a difference.
const OF_DIFF: &[Module] = &[
    ("changes.js", include_str!("changes.js")),
    ("changemap.js", include_str!("changemap.js")),
    ("changepanel.js", include_str!("changepanel.js")),
    ("changetable.js", include_str!("changetable.js")),
    ("diff.js", include_str!("diff.js")),
];

/// Those of the page of what optimising would save.
const OF_OPTIMISE: &[Module] = &[
    ("pairs.js", include_str!("pairs.js")),
    ("pairmap.js", include_str!("pairmap.js")),
    ("pairpanel.js", include_str!("pairpanel.js")),
    ("pairtable.js", include_str!("pairtable.js")),
    ("optimise.js", include_str!("optimise.js")),
];

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
