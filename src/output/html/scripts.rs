//! The ES modules of the page, joined into one script.

/// The modules, each after those that it imports.
pub(super) const SCRIPT: &[(&str, &str)] = &[
    ("data.js", include_str!("data.js")),
    ("graph.js", include_str!("graph.js")),
    ("format.js", include_str!("format.js")),
    ("colors.js", include_str!("colors.js")),
    ("dom.js", include_str!("dom.js")),
    ("state.js", include_str!("state.js")),
    ("map.js", include_str!("map.js")),
    ("panel.js", include_str!("panel.js")),
    ("search.js", include_str!("search.js")),
    ("table.js", include_str!("table.js")),
    ("network.js", include_str!("network.js")),
    ("app.js", include_str!("app.js")),
];

/// Joins modules into one script: what they import from each other is in scope there,
/// so `import` lines go and `export` is left out. Each of both is a line of its own or
/// begins one; names at the top of modules are unique.
pub(super) fn join(modules: &[(&str, &str)]) -> String {
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
