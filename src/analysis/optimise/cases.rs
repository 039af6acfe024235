//! The simulation against what real Nix reported: 60 small stores, each
//! optimised by Nix 2.8.0 and by 2.23.3. `NIX_CENSUS_CASES` names another file
//! of the same form.

use std::collections::HashMap;

use serde::Deserialize;

use super::simulate::{Class, Layout, LayoutEntry, LayoutInode, LayoutLink, simulate};
use super::version::NixVersion;

#[derive(Deserialize)]
struct Case {
    seed: u64,
    before: Before,
    nix: HashMap<String, Report>,
}

#[derive(Deserialize)]
struct Before {
    paths: Vec<Node>,
    links: Vec<File>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Node {
    Directory { dir: Vec<Node> },
    File(File),
}

#[derive(Deserialize)]
struct File {
    name: String,
    inode: u32,
    content: u32,
    kind: String,
    size: u64,
    blocks: u64,
    #[serde(default)]
    writable: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Report {
    line: String,
    files_linked: u64,
    bytes_freed: u64,
    disk_freed: u64,
}

#[derive(Default)]
struct Builder {
    layout: Layout,
    inodes: HashMap<u32, u32>,
    classes: HashMap<(u32, String), u32>,
}

impl Builder {
    fn file(&mut self, file: &File) -> u32 {
        let classes = self.classes.len() as u32;
        let class = *self.classes.entry((file.content, file.kind.clone())).or_insert(classes);
        let class = Some(Class::new(class));
        let index = *self.inodes.entry(file.inode).or_insert_with(|| {
            self.layout.inodes.push(LayoutInode {
                size: file.size,
                disk_size: file.blocks * 512,
                nlink: 0,
                class,
                writable: file.writable,
            });
            self.layout.inodes.len() as u32 - 1
        });
        self.layout.inodes[index as usize].nlink += 1;
        index
    }

    fn node(&mut self, node: &Node) -> LayoutEntry {
        match node {
            Node::File(file) => LayoutEntry::inode(self.file(file)),
            Node::Directory { dir } => {
                let below: Vec<LayoutEntry> = dir.iter().map(|node| self.node(node)).collect();
                let start = self.layout.entries.len() as u32;
                self.layout.entries.extend(below);
                self.layout.directories.push((start, self.layout.entries.len() as u32));
                LayoutEntry::directory(self.layout.directories.len() as u32 - 1)
            }
        }
    }

    fn layout(mut self, before: &Before) -> Layout {
        self.layout.link_limit = 65_000;
        for path in &before.paths {
            let entry = self.node(path);
            self.layout.paths.push(Some(entry));
        }
        for file in &before.links {
            assert_eq!(file.name.len(), 52);
            let inode = self.file(file);
            let class = self.layout.inodes[inode as usize].class;
            self.layout.links.push(LayoutLink { inode, class });
        }
        self.layout.classes = self.classes.len() as u32;
        self.layout
    }
}

#[test]
fn meets_all_that_nix_reported() {
    let given = std::env::var_os("NIX_CENSUS_CASES");
    let file = given.unwrap_or_else(|| "testdata/optimise-cases.json".into());
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(case.nix.len(), 2, "seed {}", case.seed);
        let layout = Builder::default().layout(&case.before);
        for (version, expected) in &case.nix {
            let nix: NixVersion = version.parse().unwrap();
            let outcome = simulate(&layout, nix.rules(), |_| {});
            let report = Report {
                line: nix.line(outcome.bytes_freed, outcome.files_linked),
                files_linked: outcome.files_linked,
                bytes_freed: outcome.bytes_freed,
                disk_freed: outcome.disk_freed,
            };
            assert_eq!(&report, expected, "seed {}, Nix {version}", case.seed);
        }
    }
}
