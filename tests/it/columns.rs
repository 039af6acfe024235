//! Every value is of its column's type, in the answers of all commands: a
//! program built for tests checks each row that it writes.

#![cfg(debug_assertions)]

use crate::support::TestEnv;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

const SYSTEM: &str = "nixos-system-demo-24.05.2";

#[test]
fn hold_values_of_their_type_in_every_answer() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
    let env = TestEnv::new();
    let questions: [(&[&str], &[&str]); 32] = [
        (&[], &["heaviest"]),
        (&["report", "--all", "--columns", "all"], &["paths"]),
        (&["report", "--all", "--group-by", "pname"], &["groups"]),
        (&["report", "--all", "--group-by", "output"], &["groups"]),
        (&["report", "--all", "--group-by", "kind"], &["groups"]),
        (&["report", "--all", "--group-by", "root"], &["groups"]),
        (&["report", "--all", "--group-by", "day"], &["groups"]),
        (&["tree", SYSTEM], &["lines"]),
        (&["tree", "glibc", "--inverse"], &["lines"]),
        (&["why", "systemd-minimal"], &["users"]),
        (&["why", SYSTEM, "perl-5.38.2", "--precise"], &["lines", "files"]),
        (&["why", SYSTEM, "perl-5.38.2", "--all-chains"], &["lines"]),
        (&["why", SYSTEM, "systemd-minimal", "--referrers"], &["lines"]),
        (
            &[
                "what-if",
                SYSTEM,
                "--remove",
                "perl",
                "--replace",
                "systemd-minimal=systemd",
                "--drop-files",
                "share/man/**",
            ],
            &["steps", "gone", "kept"],
        ),
        (&["suggest", SYSTEM], &["suggestions"]),
        (&["kinds", SYSTEM], &["kinds", "paths"]),
        (&["files", SYSTEM], &["directories", "files"]),
        (&["files", SYSTEM, "--tree"], &["entries"]),
        (&["files", SYSTEM, "--group-by", "extension"], &["groups"]),
        (&["files", SYSTEM, "--group-by", "kind"], &["groups"]),
        (&["files", SYSTEM, "--group-by", "path"], &["groups"]),
        (&["variants", SYSTEM], &["groups", "variants"]),
        (&["diff", "systemd-minimal", "systemd"], &["packages", "sides", "why"]),
        (&["diff", "systemd-minimal", "systemd", "--by", "path"], &["paths"]),
        (
            &["check", SYSTEM, "--max-closure", "1K", "--forbid", "perl", "--max-paths", "1"],
            &["budgets", "culprits"],
        ),
        (&["optimise"], &["by_path", "by_package", "by_pair", "by_kind"]),
        (&["roots", "--no-runtime", "--shared"], &["roots", "profiles"]),
        (&["roots", "--no-runtime", "--of", SYSTEM], &["roots"]),
        (&["garbage", "--no-runtime", "--older-than", "1d"], &["dead_paths", "dead_packages"]),
        (&["garbage", "--no-runtime", "glibc"], &["why"]),
        (&["reclaim", "--no-runtime"], &["actions", "commands"]),
        (&["audit", "--contents", "--references"], &["findings"]),
    ];
    let mut commands: Vec<(&str, Keys)> = Vec::new();
    for (question, lists) in questions {
        let command = question.first().copied().unwrap_or_default();
        if commands.last().is_none_or(|(last, _)| *last != command) {
            commands.push((command, Vec::new()));
        }
        let Some((_, keys)) = commands.last_mut() else { unreachable!() };
        for disk in [&[][..], &["--no-disk"]] {
            let reads =
                ["--precise", "--drop-files", "kinds", "kind", "files", "optimise", "--contents"]
                    .iter()
                    .any(|word| question.contains(word));
            if reads && !disk.is_empty() {
                continue;
            }
            let args = ["--quiet", "--root", root, "--format", "json"];
            let run = env.run([&args, disk, question].concat());
            let json: Value = serde_json::from_str(&run.stdout)
                .unwrap_or_else(|e| panic!("{question:?}: {e}: {}", run.stderr));
            serde_json::from_str::<Shape>(&run.stdout).unwrap().add_to(keys);
            for list in lists {
                let rows = json[list].as_array().unwrap();
                assert!(!rows.is_empty(), "{question:?}: {list}");
            }
        }
    }
    is_documented(&commands);
}

/// Sections of answers, and their keys.
type Keys = Vec<(String, Vec<String>)>;

/// The keys of an answer, in their order.
enum Shape {
    Object(Vec<(String, Shape)>),
    List(Vec<Shape>),
    Value,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Shape::Object(entries))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    elements.push(element);
                }
                Ok(Shape::List(elements))
            }
            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Value)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Value)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Value)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::Value)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Value)
            }
            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::Value)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Shape {
    /// Adds the keys of an answer: of each of its lists and objects, and of
    /// what stands beside them.
    fn add_to(self, all: &mut Keys) {
        const HEAD: [&str; 5] =
            ["schema_version", "store_dir", "complete", "warnings", "warnings_total"];
        let mut add = |section: &str, key: String| {
            let at = all.iter().position(|(name, _)| name == section).unwrap_or_else(|| {
                all.push((section.to_owned(), Vec::new()));
                all.len() - 1
            });
            if !all[at].1.contains(&key) {
                all[at].1.push(key);
            }
        };
        let Self::Object(answer) = self else { return };
        for (key, value) in answer {
            let rows = match value {
                Self::Object(entries) => vec![Self::Object(entries)],
                Self::List(rows) => rows,
                Self::Value if HEAD.contains(&&*key) => continue,
                Self::Value => {
                    add("", key);
                    continue;
                }
            };
            if HEAD.contains(&&*key) {
                continue;
            }
            for row in rows {
                let Self::Object(row) = row else { continue };
                for (column, _) in row {
                    add(&key, column);
                }
            }
        }
    }
}

/// `nix-census help columns` lists the keys of all answers. When they change on
/// purpose, name new columns there, then `NIX_CENSUS_UPDATE=1 cargo test --test it columns::`
/// puts them into their order.
fn is_documented(commands: &[(&str, Keys)]) {
    let mut text = String::new();
    for (command, sections) in commands {
        text += format!("nix-census {command}").trim_end();
        text += "\n";
        for (section, keys) in sections {
            let title = if section.is_empty() { "(beside the lists)" } else { section };
            let mut line = format!("  {title:<14}");
            for key in keys {
                if line.lines().last().unwrap().len() + key.len() > 95 {
                    line += &format!("\n  {:14}", "");
                }
                line += &format!("  {key}");
            }
            text += &line;
            text += "\n";
        }
        text += "\n";
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/columns.txt");
    if std::env::var_os("NIX_CENSUS_UPDATE").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let is = std::fs::read_to_string(file).unwrap();
    assert_eq!(is, text, "src/cli/columns.txt is not what the answers hold; see this test");
}
