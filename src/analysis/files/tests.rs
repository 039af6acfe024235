use super::*;
use crate::catalog::{Builder, Record};
use crate::disk::{Progress, ScanOptions};
use crate::fs::{MemoryFile, Tree};

fn listed(files: Vec<(String, MemoryFile)>, paths: usize) -> (Census, Listing) {
    let mut builder = Builder::new("/nix/store");
    for n in 0..paths {
        let path = format!("/nix/store/{n:032}-p");
        builder.add(&Record { path: path.as_bytes(), ..Record::default() }).unwrap();
    }
    let catalog = builder.finish().unwrap();
    let tree = Tree::memory(files);
    let files = StoreFiles::open(&tree, "/nix/store".as_ref()).unwrap();
    let (scan, listing) = list(
        &files,
        &catalog,
        &Examine::All,
        &ScanOptions { threads: Some(2), ..ScanOptions::default() },
        &Progress::default(),
    )
    .unwrap();
    (Census::new(catalog, &Examine::All, Some(scan)).unwrap(), listing)
}

fn name(path: usize, below: &str) -> String {
    format!("/nix/store/{path:032}-p/{below}")
}

#[test]
fn a_limited_tree_is_made_of_the_largest_entries_and_hangs_together() {
    let file = |n: usize| MemoryFile::from(vec![b'x'; n].as_slice());
    let files = vec![
        (name(0, "a/b/large"), file(100_000)),
        (name(0, "a/b/small"), file(10)),
        (name(0, "c"), file(50_000)),
        (name(1, "d"), file(1000)),
    ];
    let (census, listing) = listed(files, 2);
    let options = FilesOptions { show: ShowFiles::Tree, depth: None, min_size: 0, limit: Some(5) };
    let files = Files::new(&census, listing, options);
    let lines: Vec<(u32, String)> = (files.lines.iter())
        .map(|line| (line.depth, String::from_utf8(files.listing.name(line.node).into()).unwrap()))
        .collect();
    let names: Vec<(u32, &str)> = lines.iter().map(|(d, n)| (*d, n.as_str())).collect();
    let top = format!("{:032}-p", 0);
    assert_eq!(names, [(0, &*top), (1, "a"), (2, "b"), (3, "large"), (1, "c")]);
}

#[test]
fn extensions_are_plain_and_no_versions() {
    for (name, expected) in [
        ("a.py", "py"),
        ("a.tar.gz", "gz"),
        ("a", ""),
        (".hidden", ""),
        ("libz.so.1", ""),
        ("a.", ""),
        ("a.b c", ""),
        ("a.waytoolongforanextension", ""),
    ] {
        assert_eq!(extension(name.as_bytes()), expected.as_bytes(), "{name}");
    }
}
