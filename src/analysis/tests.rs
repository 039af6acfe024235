//! Each question asked of one small store in memory. Every figure is computed
//! by hand, from these files:
//!
//! ```text
//! 0 app   main (100 bytes, executable), link -> main      refers to tool, lib
//! 1 tool  run (5000 bytes, executable), same (4096)       refers to lib, data
//! 2 lib   10 bytes, a file itself
//! 3 data  big (20000 bytes), same (4096)
//! 4 old   big (one more name of data's)                   refers to lib
//! ```
//!
//! A directory takes one block of 4096 bytes, a file as many as it needs, a
//! symlink none. Nothing refers to `app` and `old`.

use super::audit::{Audit, AuditOptions};
use super::garbage::{Garbage, GarbageOptions, RemovalStep};
use super::optimise::{Deleted, Optimise, OptimiseOptions};
use super::overview::{DiskOverview, Overview};
use super::report::{Column, Report, ReportOptions, Row, Total};
use super::retained::Retained;
use super::roots::{RootRow, RootSort, Roots, RootsOptions, RootsTotal};
use super::suggest::{Action, Suggestions};
use super::tree::{ReferenceTree, TreeOptions};
use super::what_if::{self, Change, WhatIf};
use super::why::{Show, User, Why};
use crate::catalog::{Builder, Catalog, DatabaseFile, PathId, Record, Source};
use crate::census::{self, Census, Examine, PathIndex};
use crate::disk::{ExtentSizes, Progress, ScanOptions, Space};
use crate::fs::{self, MemoryFile, StoreFiles};
use crate::graph::NodeSet;
use crate::nar::hash::Algorithm;
use crate::nar::stream::NarWriter;
use crate::roots::{FoundRoots, GcSettings, Root, RootKind};
use std::ffi::CString;
use std::path::Path;
use std::time::Duration;

const APP: u32 = 0;
const TOOL: u32 = 1;
const LIB: u32 = 2;
const DATA: u32 = 3;
const OLD: u32 = 4;

/// The names, and the NAR sizes, of the paths. 24 for the NAR, 72 for a
/// directory; an entry of four letters 96, of three too; a file 80, an
/// executable 112, a symlink 80; contents have 8 bytes for their length and are
/// padded to a multiple of 8.
const PATHS: [(&str, u64); 5] = [
    ("app", 24 + 72 + (96 + 112 + 8 + 104) + (96 + 80 + 8 + 8)),
    ("tool", 24 + 72 + (96 + 112 + 8 + 5000) + (96 + 80 + 8 + 4096)),
    ("lib", 24 + 80 + 8 + 16),
    ("data", 24 + 72 + (96 + 80 + 8 + 20_000) + (96 + 80 + 8 + 4096)),
    ("old", 24 + 72 + (96 + 80 + 8 + 20_000)),
];
const REFERENCES: [(u32, u32); 5] =
    [(APP, TOOL), (APP, LIB), (TOOL, LIB), (TOOL, DATA), (OLD, LIB)];

/// The same by their numbers in the catalog.
fn ids(paths: &[u32]) -> Vec<PathId> {
    paths.iter().copied().map(PathId::new).collect()
}

/// The same by their numbers in a census: those of `app` and of all begin alike.
fn indexes(paths: &[u32]) -> Vec<PathIndex> {
    paths.iter().copied().map(PathIndex::new).collect()
}

fn base(path: u32) -> String {
    format!("{path:032}-{}", PATHS[path as usize].0)
}

fn files() -> StoreFiles {
    let file =
        |size, byte, executable| MemoryFile::Regular { contents: vec![byte; size], executable };
    let name = |path, name| format!("/nix/store/{}{name}", base(path));
    let tree = fs::Tree::memory([
        (name(APP, "/main"), file(100, b'm', true)),
        (name(APP, "/link"), MemoryFile::Symlink(b"main".to_vec())),
        (name(TOOL, "/run"), file(5000, b'r', true)),
        (name(TOOL, "/same"), file(4096, b's', false)),
        (name(LIB, ""), file(10, b'l', false)),
        (name(DATA, "/big"), file(20_000, b'b', false)),
        (name(DATA, "/same"), file(4096, b's', false)),
        (name(OLD, "/big"), MemoryFile::HardLink(name(DATA, "/big").into())),
    ]);
    StoreFiles::open(&tree, Path::new("/nix/store")).unwrap()
}

/// What the database says; `change` may say something else of a path.
fn catalog_but(change: impl Fn(u32, &mut Record<'_>)) -> Catalog {
    let files = files();
    let mut builder = Builder::new("/nix/store");
    for (path, (_, nar_size)) in (0..).zip(PATHS) {
        let name = CString::new(base(path)).unwrap();
        let (_, hash) =
            NarWriter::default().hash(Algorithm::Sha256, files.directory(), &name).unwrap();
        let full = format!("/nix/store/{}", base(path));
        let mut record = Record {
            path: full.as_bytes(),
            hash: hash.sha256(),
            nar_size: Some(nar_size),
            registration_time: Some(1000 + i64::from(path)),
            ..Record::default()
        };
        change(path, &mut record);
        builder.add(&record).unwrap();
    }
    for (from, to) in REFERENCES {
        builder.add_reference(from, to);
    }
    builder.finish().unwrap()
}

fn catalog() -> Catalog {
    catalog_but(|_, _| ())
}

fn census(examine: &Examine) -> Census {
    let (catalog, options) =
        (catalog(), ScanOptions { threads: Some(1), ..ScanOptions::default() });
    let scan = census::scan(&files(), &catalog, examine, &options, &Progress::default()).unwrap();
    Census::new(catalog, examine, Some(scan)).unwrap()
}

fn whole() -> Census {
    census(&Examine::All)
}

fn of_app() -> Census {
    census(&Examine::Closure(ids(&[APP])))
}

/// Roots that keep these paths.
fn rooted(paths: &[u32]) -> FoundRoots {
    let root = |&path: &u32| Root {
        kind: RootKind::Link,
        link: format!("/link/{path}").into_bytes(),
        via: None,
        path: PathId::new(path),
        time: None,
        pid: None,
        generation: None,
    };
    FoundRoots { roots: paths.iter().map(root).collect(), ..FoundRoots::default() }
}

/// The NAR sizes of paths, summed.
fn nar(paths: &[u32]) -> u64 {
    paths.iter().map(|&path| PATHS[path as usize].1).sum()
}

#[test]
fn a_census_joins_the_database_and_the_disk() {
    let census = whole();
    // A NAR size that differed would be a warning.
    assert_eq!(census.warnings.total(), 0);
    let disk_sizes: Vec<u64> =
        census.indexes().map(|i| census.usage(i).unwrap().disk_size).collect();
    let expected = [4096 + 4096, 4096 + 8192 + 4096, 4096, 4096 + 20_480 + 4096, 4096 + 20_480];
    assert_eq!(disk_sizes, expected);
    assert_eq!(census.disk.as_ref().unwrap().inodes.len(), 1);
    // Narrowed, each path is the same.
    let of_app = of_app();
    assert_eq!(of_app.len(), 4);
    for index in of_app.indexes() {
        let whole = census.whole().unwrap();
        assert_eq!(of_app.usage(index), whole.usage(of_app.id(index)));
    }
    // A scan of the whole store serves as one of the closure.
    let scan = whole().disk;
    let narrowed = Census::new(catalog(), &Examine::Closure(ids(&[TOOL])), scan).unwrap();
    assert_eq!(narrowed.ids().collect::<Vec<_>>(), ids(&[TOOL, LIB, DATA]));
    assert_eq!(narrowed.usage(PathIndex::new(2)), census.usage(PathIndex::new(DATA)));
    // One of other paths does not.
    assert!(Census::new(catalog(), &Examine::Closure(ids(&[TOOL])), of_app.disk).is_err());
}

#[test]
fn a_nar_size_that_is_not_the_disks_is_a_warning() {
    let catalog = catalog_but(|path, record| {
        if path == LIB {
            record.nar_size = Some(PATHS[2].1 + 8);
        }
    });
    let (all, options) = (Examine::All, ScanOptions::default());
    let scan = census::scan(&files(), &catalog, &all, &options, &Progress::default()).unwrap();
    let census = Census::new(catalog, &all, Some(scan)).unwrap();
    let warnings: Vec<_> = census.warnings.iter().map(|w| w.message.clone()).collect();
    assert_eq!(warnings, ["its NAR has 128 bytes on disk, 136 in the database"]);
}

#[test]
fn overview() {
    let overview = Overview::new(whole().whole().unwrap(), Duration::ZERO);
    let disk_size = 8192 + 16_384 + 4096 + 28_672 + 4096;
    let expected = Overview {
        extents: None,
        outside: None,
        paths: 5,
        derivations: 0,
        references: 5,
        nar_size: Some(nar(&[APP, TOOL, LIB, DATA, OLD])),
        newest_registration: Some(1004),
        disk: Some(DiskOverview {
            apparent_size: 104 + 9096 + 10 + 24_096,
            disk_size,
            extents: Some(ExtentSizes::blocks(disk_size)),
            hard_linked_names: 1,
            hard_link_savings: 20_480,
            other_linked_names: 1,
            other_link_savings: 20_480,
            copied_disk_size: disk_size + 20_480,
            store_disk_size: disk_size + 4096,
            inodes: 11,
            store_inodes: 12,
            entries: 3 + 3 + 1 + 3 + 2,
            ..DiskOverview::default()
        }),
        heaviest: ids(&[DATA, OLD, TOOL, APP, LIB]),
        duration: Duration::ZERO,
        warnings: crate::warning::Warnings::new(),
    };
    assert_eq!(overview, expected);
}

fn report(census: &Census) -> Report {
    let options = ReportOptions {
        columns: Column::ALL.to_vec(),
        sort: Column::Path,
        reverse: false,
        limit: None,
        filter: None,
        targets_only: false,
    };
    Report::new(census, &options).unwrap()
}

/// A row: shared, alone reclaimable, and its inodes; NAR, disk and inodes of the
/// closure; NAR, disk and inodes retained.
fn row(path: u32, [shared, own, inodes]: [u64; 3], closure: [u64; 3], retained: [u64; 3]) -> Row {
    Row {
        index: PathIndex::new(path),
        shared_size: Some(shared),
        reclaimable_size: Some(own),
        closure_nar_size: Some(closure[0]),
        closure_disk_size: Some(closure[1]),
        retained_nar_size: Some(retained[0]),
        retained_disk_size: Some(retained[1]),
        reclaimable_physical_size: Some(own),
        closure_physical_size: Some(closure[1]),
        retained_physical_size: Some(retained[1]),
        reclaimable_inodes: Some(inodes),
        closure_inodes: Some(closure[2]),
        retained_inodes: Some(retained[2]),
    }
}

#[test]
fn report_of_the_whole_store() {
    let report = report(&whole());
    // `old` too keeps `lib`, and the blocks of `big`.
    let app_keeps = [nar(&[APP, TOOL, DATA]), 8192 + 16_384 + 8192, 8];
    let tool_keeps = [nar(&[TOOL, DATA]), 16_384 + 8192, 5];
    let app_holds = [nar(&[APP, TOOL, LIB, DATA]), 8192 + 16_384 + 4096 + 28_672, 10];
    let tool_holds = [nar(&[TOOL, LIB, DATA]), 16_384 + 4096 + 28_672, 7];
    let lib = [nar(&[LIB]), 4096, 1];
    let old_holds = [nar(&[OLD, LIB]), 24_576 + 4096, 3];
    let expected = [
        row(APP, [0, 8192, 3], app_holds, app_keeps),
        row(TOOL, [0, 16_384, 3], tool_holds, tool_keeps),
        row(LIB, [0, 4096, 1], lib, lib),
        row(DATA, [20_480, 8192, 2], [nar(&[DATA]), 28_672, 3], [nar(&[DATA]), 8192, 2]),
        row(OLD, [20_480, 4096, 1], old_holds, [nar(&[OLD]), 4096, 1]),
    ];
    assert_eq!(report.rows, expected);
    let total = Total {
        paths: 5,
        nar_size: Some(nar(&[APP, TOOL, LIB, DATA, OLD])),
        disk_nar_size: Some(nar(&[APP, TOOL, LIB, DATA, OLD])),
        apparent_size: Some(104 + 9096 + 10 + 24_096),
        disk_size: Some(8192 + 16_384 + 4096 + 28_672 + 4096),
        extents: Some(ExtentSizes::blocks(8192 + 16_384 + 4096 + 28_672 + 4096)),
        inodes: Some(11),
        files: Some(7),
        directories: Some(4),
        symlinks: Some(1),
    };
    assert_eq!(report.total, total);
}

#[test]
fn what_lies_outside_the_closure_keeps_nothing_in_it() {
    let census = of_app();
    let retained = Retained::new(&census).unwrap();
    let sizes = |path| {
        let index = PathIndex::new(path);
        (retained.nar_size(index), retained.disk_size(index))
    };
    let all = 8192 + 16_384 + 4096 + 28_672;
    assert_eq!(sizes(APP), (Some(nar(&[APP, TOOL, LIB, DATA])), Some(all)));
    assert_eq!(sizes(TOOL), (Some(nar(&[TOOL, DATA])), Some(16_384 + 28_672)));
    assert_eq!(sizes(LIB), (Some(nar(&[LIB])), Some(4096)));
    assert_eq!(sizes(DATA), (Some(nar(&[DATA])), Some(28_672)));
}

#[test]
fn tree() {
    let lines = |census: &Census, target, options: TreeOptions| {
        let tree = ReferenceTree::new(census, &[PathIndex::new(target)], &options).unwrap();
        tree.lines.iter().map(|line| (line.depth, line.node)).collect::<Vec<_>>()
    };
    let all = TreeOptions::default();
    let expected = [(0, APP), (1, TOOL), (2, DATA), (2, LIB), (1, LIB)];
    assert_eq!(lines(&of_app(), APP, all), expected);
    let depth = TreeOptions { depth: Some(1), ..all };
    assert_eq!(lines(&of_app(), APP, depth), [(0, APP), (1, TOOL), (1, LIB)]);
    let heavy = TreeOptions { min_size: 4097, ..all };
    assert_eq!(lines(&of_app(), APP, heavy), [(0, APP), (1, TOOL), (2, DATA)]);
    // `app` retains more than `old`.
    let inverse = TreeOptions { inverse: true, ..all };
    let expected = [(0, LIB), (1, APP), (1, TOOL), (2, APP), (1, OLD)];
    assert_eq!(lines(&whole(), LIB, inverse), expected);
}

#[test]
fn why() {
    let census = whole();
    let ask =
        |from: Option<u32>, to, show| Why::new(&census, from.map(PathId::new), &ids(&[to]), show);
    let nodes = |why: &Why| why.lines.iter().map(|line| line.node).collect::<Vec<_>>();
    let why = ask(Some(APP), DATA, Show::Shortest);
    assert_eq!((nodes(&why), why.held), (vec![APP, TOOL, DATA], ids(&[DATA])));
    let why = ask(Some(OLD), DATA, Show::Shortest);
    assert!(!why.is_held());
    let why = ask(None, LIB, Show::Shortest);
    let user = |chain: [u32; 2]| User { to: PathId::new(LIB), chain: ids(&chain) };
    assert_eq!(why.users, [user([APP, LIB]), user([OLD, LIB])]);
    let why = ask(None, LIB, Show::Referrers);
    assert_eq!(nodes(&why), [LIB, APP, TOOL, OLD]);
    let why = ask(Some(APP), LIB, Show::All);
    assert_eq!(nodes(&why), [APP, TOOL, LIB, LIB]);
    // Nothing refers to it.
    assert!(!ask(None, OLD, Show::Shortest).is_held());
}

#[test]
fn what_if_references_go() {
    let disk = Some(8192 + 16_384 + 4096 + 28_672);
    let all = (Some(nar(&[APP, TOOL, LIB, DATA])), disk, Some(10), 4);
    let ask = |change| {
        let step = what_if::WhatIfStep { text: String::new(), change };
        let answer = WhatIf::new(&of_app(), None, &ids(&[APP]), &[step], None).unwrap();
        let before = &answer.before;
        assert_eq!((before.nar_size, before.disk_size, before.inodes, before.paths), all);
        let after = &answer.after[0];
        (after.nar_size, after.disk_size, after.inodes, after.paths, after.gone.clone())
    };
    let cut = |from, to| Change::Cut(vec![(PathId::new(from), PathId::new(to))]);
    // `lib` stays for `app`.
    let left = (Some(nar(&[APP, LIB])), Some(8192 + 4096), Some(4), 2, indexes(&[DATA, TOOL]));
    assert_eq!(ask(Change::Remove(ids(&[TOOL]))), left);
    let disk = Some(8192 + 16_384 + 4096);
    let left = (Some(nar(&[APP, TOOL, LIB])), disk, Some(7), 3, indexes(&[DATA]));
    assert_eq!(ask(cut(TOOL, DATA)), left);
    assert_eq!(ask(cut(APP, LIB)), (all.0, all.1, all.2, all.3, vec![]));
    let left = (Some(nar(&[APP, LIB])), Some(8192 + 4096), Some(4), 2, indexes(&[DATA, TOOL]));
    assert_eq!(ask(Change::Replace(ids(&[TOOL]), PathId::new(LIB))), left);
}

#[test]
fn suggestions() {
    let found = Suggestions::new(&of_app(), None, 10, 4097).unwrap();
    assert_eq!(found.disk_size_before, 8192 + 16_384 + 4096 + 28_672);
    assert_eq!(found.disk_size_after, 8192 + 4096);
    let [best] = &found.list[..] else { panic!("{:?}", found.list) };
    let (app, tool) = (PathIndex::new(APP), PathIndex::new(TOOL));
    assert!([Action::Cut(app, tool), Action::Remove(tool)].contains(&best.action));
    assert_eq!(best.gain.nar_size, Some(nar(&[TOOL, DATA])));
    assert_eq!(best.gain.disk_size, Some(16_384 + 28_672));
    assert_eq!(best.gain.inodes, Some(6));
    assert_eq!(best.gain_alone, best.gain);
    assert_eq!((best.paths, &best.held_by[..]), (2, &[app][..]));
    // The least of them gains as much as asked for.
    assert!(Suggestions::new(&of_app(), None, 10, 16_384 + 28_673).unwrap().list.is_empty());
    assert_eq!(Suggestions::new(&of_app(), None, 10, 4096).unwrap().list.len(), 2);
}

#[test]
fn how_many_suggestions_are_tried_is_bounded_and_said() {
    let found = Suggestions::of(&of_app(), None, 10, 4096, 2).unwrap();
    assert_eq!((found.list.len(), found.warnings.complete()), (2, false));
    assert!(found.warnings.iter().any(|w| w.message.starts_with("no more than 2 cuts")));
    // Whoever asks for no more gets all of that.
    assert!(Suggestions::of(&of_app(), None, 2, 4096, 2).unwrap().warnings.complete());
}

#[test]
fn garbage() {
    let (census, found) = (whole(), rooted(&[APP]));
    let options = GarbageOptions {
        settings: GcSettings::new(false, false),
        steps: vec![RemovalStep { label: "app".to_owned(), roots: vec![0] }],
        choice: Default::default(),
        filter: None,
        why: Vec::new(),
    };
    let now = GarbageOptions { steps: Vec::new(), ..options.clone() };
    let garbage = Garbage::new(census.whole().unwrap(), &found, &now);
    let dead: Vec<PathId> = garbage.paths.iter().map(|p| p.path).collect();
    assert_eq!(
        (dead, garbage.dead.paths, garbage.dead.nar_size),
        (ids(&[OLD]), 1, Some(nar(&[OLD])))
    );
    // `data` keeps the blocks of `big`.
    assert_eq!(garbage.dead.disk_freed(), Some(4096));
    let alive = garbage.alive;
    assert_eq!((alive.paths, alive.nar_size), (4, Some(nar(&[APP, TOOL, LIB, DATA]))));
    assert_eq!(alive.disk_size, Some(8192 + 16_384 + 4096 + 28_672));
    // Without its root `app` goes too, and with the last name the blocks of `big`.
    let garbage = Garbage::new(census.whole().unwrap(), &found, &options);
    let freed: Vec<_> = garbage.steps.iter().map(|step| step.dead.paths_freed).collect();
    let space = |disk_size, inodes| Some(Space::blocks(disk_size, inodes));
    assert_eq!(freed, [space(4096, 1), space(8192 + 16_384 + 4096 + 28_672, 10)]);
    assert_eq!((garbage.dead.paths, garbage.alive.paths), (5, 0));
}

#[test]
fn roots() {
    let (census, found) = (whole(), rooted(&[APP, TOOL]));
    let options = RootsOptions {
        settings: GcSettings::new(false, false),
        now: 0,
        older_than_days: 30,
        all_users: false,
        shared: false,
        kinds: Vec::new(),
        sort: RootSort::Link,
        limit: None,
    };
    let roots = Roots::new(census.whole().unwrap(), &found, &options).unwrap();
    let row = |root, closure: [u64; 3], freed: [u64; 3]| RootRow {
        root,
        closure_nar_size: Some(closure[0]),
        closure_disk_size: Some(closure[1]),
        freed_nar_size: Some(freed[0]),
        freed_disk_size: Some(freed[1]),
        closure_physical_size: Some(closure[1]),
        freed_physical_size: Some(freed[1]),
        closure_inodes: Some(closure[2]),
        freed_inodes: Some(freed[2]),
    };
    let all = [nar(&[APP, TOOL, LIB, DATA]), 8192 + 16_384 + 4096 + 28_672, 10];
    let expected = [
        row(0, all, [nar(&[APP]), 8192, 3]),
        // `app` keeps all that it keeps.
        row(1, [nar(&[TOOL, LIB, DATA]), 16_384 + 4096 + 28_672, 7], [0; 3]),
    ];
    assert_eq!(roots.rows, expected);
    let total = RootsTotal {
        roots: 2,
        alive_paths: 4,
        alive_nar_size: Some(all[0]),
        alive_disk_size: Some(all[1]),
        alive_inodes: Some(all[2]),
    };
    assert_eq!(roots.total, total);
}

#[test]
fn optimise() {
    let census = Census::new(catalog(), &Examine::All, None).unwrap();
    let options = OptimiseOptions { threads: Some(1), ..OptimiseOptions::default() };
    let answer = Optimise::new(&census, &files(), &options, &Progress::default()).unwrap();
    assert!(answer.warnings.complete());
    // Of the two called `same` one goes. `big` is one file already.
    let outcome = answer.outcome;
    assert_eq!((outcome.files_linked, outcome.bytes_freed), (1, 4096));
    assert_eq!((outcome.disk_freed, outcome.apparent_freed), (4096, 4096));
    // main, link, run, same, lib, big.
    assert_eq!((outcome.links_added, outcome.links_removed), (6, 0));
    assert_eq!(answer.already_saved.other_apparent_size, Some(20_000));
    assert_eq!(answer.already_saved.other_disk_size, Some(20_480));
    let groups: Vec<_> = answer.breakdown.groups.iter().map(|g| (g.size, g.inodes)).collect();
    assert_eq!(groups, [(4096, 2)]);
    // No file of another size is read but to be compared.
    assert!(answer.bytes_read <= 2 * 4096, "{}", answer.bytes_read);
    assert!(!answer.breakdown.by_kind.is_empty());
}

#[test]
fn optimise_after_a_deletion_reads_nothing_of_what_went() {
    let census = whole();
    let options = OptimiseOptions { threads: Some(1), ..OptimiseOptions::default() };
    let after = |gone: &[u32], limit| {
        let paths = NodeSet::from_nodes(census.len(), gone.iter().copied());
        let deleted = Deleted { paths: &paths, others: &[] };
        let options = OptimiseOptions { limit, ..options };
        let (census, progress) = (census.whole().unwrap(), Progress::default());
        Optimise::after(census, deleted, &files(), &options, &progress).unwrap()
    };
    let all = after(&[OLD], None);
    assert_eq!((all.outcome.files_linked, all.bytes_read), (1, 2 * 4096));
    assert_eq!(all.breakdown.by_kind.len(), 1);
    // For the sums alone no kinds are looked for.
    let sums = after(&[OLD], Some(0));
    assert_eq!((sums.outcome, sums.breakdown.by_kind.len()), (all.outcome, 0));
    // Without its twin a file is not read, nor is the twin itself.
    let alone = after(&[APP, TOOL], None);
    assert_eq!((alone.outcome.files_linked, alone.bytes_read), (0, 0));
}

fn audit(catalog: Catalog) -> Vec<(&'static str, String, String, String)> {
    let options =
        AuditOptions { contents: true, disk: true, threads: Some(1), ..AuditOptions::default() };
    let source = Source::Registration("registration".into());
    let database = DatabaseFile::at(Path::new("db.sqlite")).unwrap();
    let (files, progress) = (files(), Progress::default());
    let audit =
        Audit::run(&database, Some(&files), &source, catalog, None, &options, &progress).unwrap();
    assert!(audit.warnings.complete());
    assert_eq!(audit.checked.paths, 5);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let found = audit.findings.into_iter();
    found.map(|f| (f.kind.name(), text(&f.path), f.expected, f.found)).collect()
}

#[test]
fn audit_finds_what_is_not_as_the_database_has_it() {
    assert_eq!(audit(catalog()), []);
    let found = audit(catalog_but(|path, record| {
        if path == LIB {
            record.nar_size = Some(120);
        }
        if path == DATA {
            record.hash = Some([1; 32]);
        }
    }));
    let at = |path| format!("/nix/store/{}", base(path));
    let [size, hash] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*size, ("nar_size", at(LIB), "120 bytes".to_owned(), "128 bytes".to_owned()));
    assert_eq!((hash.0, &hash.1), ("nar_hash", &at(DATA)));
    assert_ne!(hash.2, hash.3);
}
