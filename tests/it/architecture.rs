//! The order of rooms that `src/lib.rs` promises is the order in the code.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in the order of the table in `src/lib.rs`.
fn rooms() -> Vec<String> {
    let text = fs::read_to_string(src().join("lib.rs")).unwrap();
    let name = |line: &str| {
        // In brackets where it is public.
        let rest = line.strip_prefix("//! | ")?.trim_start_matches('[').strip_prefix('`')?;
        Some(rest.split('`').next()?.to_owned())
    };
    text.lines().filter_map(name).collect()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms that a source file names, outside of comments and of its tests,
/// which may print what they look at.
fn named(text: &str, rooms: &[String]) -> Vec<String> {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = code.collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        // `crate::{a, b::c}` names several.
        let list = match rest.strip_prefix('{') {
            Some(list) => list,
            None => rest,
        };
        let mut depth = 0;
        let mut word = String::new();
        for c in list.chars() {
            match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => word.push(c),
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                _ => {}
            }
            let ends = !(c.is_alphanumeric() || c == '_');
            if ends && !word.is_empty() {
                if depth == 0 && rooms.contains(&word) {
                    found.push(word.clone());
                }
                word.clear();
                if !rest.starts_with('{') {
                    break;
                }
            }
            if c == ';' || (c == '}' && depth == 0) {
                break;
            }
        }
    }
    found
}

#[test]
fn no_room_knows_one_that_comes_after_it() {
    let rooms = rooms();
    assert!(rooms.len() >= 10, "{rooms:?}");
    let mut upward = Vec::new();
    let mut files = 0;
    for entry in walkdir::WalkDir::new(src()) {
        let path = entry.unwrap().into_path();
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let inside = path.strip_prefix(src()).unwrap();
        let room = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = room.trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let order = rooms.iter().position(|name| name == room);
        let order = order.unwrap_or_else(|| panic!("{room} is not in the table of src/lib.rs"));
        files += 1;
        for other in named(&fs::read_to_string(&path).unwrap(), &rooms) {
            if rooms.iter().position(|name| *name == other) > Some(order) {
                upward.push(format!("{} names {other}", inside.display()));
            }
        }
    }
    upward.sort();
    upward.dedup();
    assert!(files > 100);
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn rooms_named_in_code_are_found() {
    let rooms = ["disk", "fs", "store", "output"].map(str::to_owned);
    let text = "use crate::disk::{Inode, fs};\n// crate::store\nuse crate::{fs::Tree, store};
#[cfg(test)]
mod tests {
    use crate::output;
}
";
    assert_eq!(named(text, &rooms), ["disk", "fs", "store"]);
}
