//! Snapshots come back as they were taken, and damaged ones do not.

use super::codec::{Decoder, Encoder};
use super::container::{Container, SectionKind};
use super::physical::{put, put_kinds, take, take_kinds};
use super::surroundings::{Surroundings, TraceOutputs};
use super::{Snapshot, SnapshotError, read, sealed, sections, unsealed, write};
use crate::catalog::{self, Builder, Catalog, PathId, Record};
use crate::census::{self, Census, Examine};
use crate::disk::{
    DiskScan, ExtentGroup, ExtentSizes, Extents, ExtentsByKind, KindScan, KindUser, Physical,
    Progress, ScanOptions, SharedName,
};
use crate::fs::{self, StoreFiles, Tree};
use crate::graph::Rows;
use crate::kinds::FileKind;
use crate::roots::{
    CallerKind, CallersProfiles, CleanedBy, Generation, Profile, ProfileRule, Root, RootKind,
    RootOptions, RootSurvey, RuntimeRoots, StaleReason, StaleRoot, Stays, TemporaryEntry,
};
use crate::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreLocation};
use crate::warning::{WarningKind, Warnings};
use std::cmp::Reverse;
use std::path::Path;

/// The demo store, of which `examine` chooses some paths.
fn demo(examine: impl Fn(&Catalog) -> Examine) -> (StoreLocation, Catalog, Examine, DiskScan) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo");
    let tree = Tree::live(&root).unwrap();
    let location = fs::locate(&tree, DEFAULT_STORE_DIR, DEFAULT_STATE_DIR.as_ref()).unwrap();
    let catalog = catalog::load(&location).unwrap();
    let files = StoreFiles::of(&location).unwrap();
    let examine = examine(&catalog);
    let (options, progress) = (ScanOptions::default(), Progress::default());
    let scan = census::scan(&files, &catalog, &examine, &options, &progress).unwrap();
    (location, catalog, examine, scan)
}

/// The closure of one path that has one.
fn closure(catalog: &Catalog) -> Examine {
    let most = catalog.ids().max_by_key(|&id| catalog.references_of(id).len()).unwrap();
    Examine::Closure(vec![most])
}

fn file(examine: impl Fn(&Catalog) -> Examine) -> Vec<u8> {
    let (location, catalog, examine, scan) = demo(examine);
    let mut file = Vec::new();
    write(&Snapshot::new(location, catalog, &examine, Some(scan), 1_700_000_000), &mut file)
        .unwrap();
    file
}

fn loaded(file: &[u8]) -> Result<Snapshot, SnapshotError> {
    read(&mut &file[..], true)
}

/// What a census says of its paths, and of all of them together.
fn said(census: &Census) -> String {
    let paths = census.indexes().map(|index| {
        let id = census.id(index);
        let path = (census.catalog.path(id), census.catalog.nar_size(id), census.usage(index));
        format!("{path:?} {:?}\n", census.inodes(index).collect::<Vec<_>>())
    });
    let paths: String = paths.collect();
    let union = census.shared().map(|shared| shared.union(census.indexes()));
    format!("{paths}{union:?} {:?} {:?}", census.references(), census.warnings)
}

#[test]
fn a_whole_store_comes_back() {
    let (location, catalog, examine, scan) = demo(|_| Examine::All);
    let snapshot = loaded(&file(|_| Examine::All)).unwrap();
    assert_eq!((&snapshot.location, snapshot.taken), (&location, 1_700_000_000));
    assert_eq!(snapshot.catalog.more_parts(), catalog.more_parts());
    assert_eq!(snapshot.catalog.referrers(), catalog.referrers());
    assert_eq!(snapshot.catalog.warnings, catalog.warnings);
    let kept = snapshot.disk.unwrap();
    assert_eq!(kept.usages, scan.usages);
    assert_eq!(
        (&kept.others, &kept.inodes, &kept.names),
        (&scan.others, &scan.inodes, &scan.names)
    );
    assert_eq!((kept.links, &kept.devices), (scan.links, &scan.devices));
    assert_eq!((kept.entries, kept.warnings.total()), (scan.entries, scan.warnings.total()));
    let store = Census::new(catalog, &examine, Some(scan)).unwrap();
    let again = loaded(&file(|_| Examine::All)).unwrap();
    let again = Census::new(again.catalog, &again.examine, again.disk).unwrap();
    assert_eq!(said(&again), said(&store));
}

#[test]
fn a_closure_is_answered_from_itself_and_from_the_whole_store() {
    let (_, catalog, examine, scan) = demo(closure);
    let of_whole = loaded(&file(|_| Examine::All)).unwrap();
    let of_whole = Census::new(of_whole.catalog, &examine, of_whole.disk).unwrap();
    let store = Census::new(catalog, &examine, Some(scan)).unwrap();
    assert_eq!(said(&of_whole), said(&store));
    let own = loaded(&file(closure)).unwrap();
    assert!(own.catalog.is_part() && own.catalog.len() == store.len());
    let own = Census::new(own.catalog, &own.examine, own.disk).unwrap();
    assert_eq!(said(&own), said(&store));
}

#[test]
fn without_the_disk_only_the_database_is_read() {
    let file = file(|_| Examine::All);
    let snapshot = read(&mut &file[..], false).unwrap();
    assert!(snapshot.disk.is_none() && snapshot.has_disk && snapshot.catalog.len() > 1);
}

#[test]
fn no_change_of_a_byte_goes_unseen() {
    let file = file(closure);
    let mut copy = file.clone();
    let bits = (0..8).map(|bit| 1u8 << bit);
    for (at, bit) in (0..copy.len()).zip(bits.cycle()) {
        copy[at] ^= bit;
        // What is not asked for is checked, too.
        assert!(read(&mut &copy[..], false).is_err(), "{at}");
        copy[at] ^= bit;
    }
    for length in 0..file.len() {
        assert!(loaded(&file[..length]).is_err(), "{length}");
    }
    assert!(loaded(&[&file[..], b"\0"].concat()).is_err());
}

#[test]
fn a_newer_version_is_refused_by_name_and_other_files_are_none() {
    let mut file = file(closure);
    file[8..12].copy_from_slice(&2u32.to_le_bytes());
    let error = loaded(&file).unwrap_err();
    assert_eq!(error.to_string(), "its version is 2, newer than 1, the newest known");
    for other in [&b""[..], b"SQLite format 3\0 and so on, and some more of it"] {
        assert!(matches!(loaded(other), Err(SnapshotError::NotASnapshot)));
    }
}

/// A small store with hard links inside a path, between paths, in `.links` and
/// from outside.
fn linked() -> Snapshot {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("nix/store");
    let names = ["a", "b", "c"].map(|name| format!("{name:0>32}-{name}"));
    for name in &names {
        std::fs::create_dir_all(store.join(name)).unwrap();
    }
    let file = |path: usize, name: &str| store.join(&names[path]).join(name);
    std::fs::create_dir(store.join(".links")).unwrap();
    for (path, name) in [(0, "x"), (1, "y"), (2, "z")] {
        std::fs::write(file(path, name), name.repeat(5000)).unwrap();
    }
    let link = |from, to| std::fs::hard_link(from, to).unwrap();
    link(file(0, "x"), store.join(".links/one"));
    link(file(0, "x"), file(1, "x"));
    link(file(0, "x"), file(0, "again"));
    link(file(1, "y"), file(2, "y"));
    link(file(2, "z"), dir.path().join("outside"));
    std::fs::create_dir(store.join("leftover")).unwrap();
    let mut builder = Builder::new("/nix/store");
    for name in &names {
        let path = format!("/nix/store/{name}");
        let record = Record {
            path: path.as_bytes(),
            nar_size: Some(7),
            deriver: b"/nix/store/x.drv",
            signatures: b"key:signature",
            ..Record::default()
        };
        builder.add(&record).unwrap();
    }
    for (from, to) in [(0, 0), (1, 0), (2, 0), (2, 1)] {
        builder.add_reference(from, to);
    }
    let tree = Tree::live(dir.path()).unwrap();
    let location = fs::locate(&tree, DEFAULT_STORE_DIR, DEFAULT_STATE_DIR.as_ref()).unwrap();
    let catalog = builder.finish().unwrap();
    let files = StoreFiles::of(&location).unwrap();
    let (options, progress) = (ScanOptions::default(), Progress::default());
    let scan = census::scan(&files, &catalog, &Examine::All, &options, &progress).unwrap();
    assert_eq!((scan.inodes.len(), scan.others.len(), scan.links.is_some()), (3, 1, true));
    let mut snapshot = Snapshot::new(location, catalog, &Examine::All, Some(scan), 0);
    snapshot.surroundings = Some(surroundings());
    snapshot
}

/// Roots and the like of all sorts, of a store of three paths.
fn surroundings() -> Surroundings {
    let root = |kind, link: &str, path| Root {
        kind,
        link: link.into(),
        via: Some(b"/via\xff".to_vec()),
        path: PathId::new(path),
        time: Some(-5),
        pid: Some(7),
        generation: None,
    };
    let stale = StaleRoot {
        reason: StaleReason::Elsewhere,
        link: b"/stale".to_vec(),
        via: None,
        target: b"/target".to_vec(),
        would_keep: vec![PathId::new(2)],
    };
    let generation = |root| Generation { number: 3, time: 4, root };
    let profile = Profile {
        link: b"/profile".to_vec(),
        current: Some(3),
        generations: vec![generation(Some(1)), generation(None)],
        uid: Some(1000),
        owner: Some("u".to_owned()),
        cleaned_by: CleanedBy::Other,
    };
    let caller = CallerKind { rule: ProfileRule::In2_15, knows_state_home: true };
    let mut warnings = Warnings::new();
    warnings.push(WarningKind::Uncertain, "path", "message");
    let entry = |name: &str, stays| TemporaryEntry { name: name.into(), stays };
    let roots = RootSurvey {
        links: vec![root(RootKind::Link, "/a", 0), root(RootKind::Auto, "/b", 1)],
        stale: vec![stale],
        warnings: warnings.clone(),
        runtime: Some(RuntimeRoots {
            roots: vec![root(RootKind::Process, "/proc/7/exe", 2)],
            temporary_hash_parts: ["x".to_owned()].into(),
            hidden_processes: 3,
            warnings: warnings.clone(),
        }),
        temporary_entries: vec![
            entry("tmp-1", Stays::Always),
            entry("tmp-2", Stays::Locked),
            entry("tmp-3", Stays::Never),
            entry("tmp-4", Stays::Unknown("why".to_owned())),
        ],
        profiles: vec![CallersProfiles {
            caller,
            profiles: vec![profile],
            warnings: warnings.clone(),
        }],
    };
    Surroundings {
        roots: Some(roots),
        lower_store: Some("/lower".into()),
        may_be_chroot: true,
        settings_warnings: warnings.clone(),
        traces: vec![TraceOutputs { pairs: vec![(PathId::new(0), PathId::new(2))], warnings }],
        ..Surroundings::default()
    }
}

#[test]
fn what_is_beside_the_store_comes_back() {
    let taken = linked();
    let mut file = Vec::new();
    write(&taken, &mut file).unwrap();
    let back = loaded(&file).unwrap().surroundings.unwrap();
    assert_eq!(back, surroundings());
    // Options choose from it.
    let survey = back.roots.unwrap();
    let caller = survey.profiles[0].caller;
    let options = RootOptions { runtime: false, ..RootOptions::default() };
    let without = survey.found(&taken.location, &options, caller).unwrap();
    let kinds: Vec<_> = without.roots.iter().map(|root| (root.kind, root.generation)).collect();
    assert_eq!(kinds, [(RootKind::Link, None), (RootKind::Profile, Some((0, 3)))]);
    assert_eq!((without.temporary_entries.len(), without.warnings.total()), (1, 2));
    let options = RootOptions { strict: true, ..RootOptions::default() };
    let all = survey.found(&taken.location, &options, caller).unwrap();
    assert_eq!((all.roots.len(), all.hidden_processes, all.runtime), (3, 3, true));
    assert_eq!((all.temporary_entries.len(), all.warnings.incomplete()), (3, 5));
    let other = CallerKind { knows_state_home: false, ..caller };
    assert!(survey.found(&taken.location, &options, other).is_none());
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let mut sections = sections(&linked());
    sections.push((1000, b"new".to_vec()));
    let file = resealed(&sections);
    assert!(loaded(&file).is_ok());
    assert_eq!(unsealed(&file).unwrap(), sections);
}

/// Sections that somebody made on purpose, with the right checksums.
fn resealed(sections: &[(u32, Vec<u8>)]) -> Vec<u8> {
    sealed(sections).unwrap()
}

#[test]
fn sections_made_on_purpose_do_no_harm() {
    let whole = sections(&linked());
    let mut read = 0;
    for section in 0..whole.len() {
        let length = whole[section].1.len();
        for at in 0..length {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut sections = whole.clone();
                if std::mem::replace(&mut sections[section].1[at], value) == value {
                    continue;
                }
                let Ok(snapshot) = loaded(&resealed(&sections)) else { continue };
                read += 1;
                // What is read can be asked.
                let census = Census::new(snapshot.catalog, &snapshot.examine, snapshot.disk);
                said(&census.unwrap());
            }
        }
        for end in [0, length / 2, length - 1] {
            let mut sections = whole.clone();
            sections[section].1.truncate(end);
            assert!(loaded(&resealed(&sections)).is_err(), "{section} {end}");
        }
        let mut sections = whole.clone();
        sections[section].1.push(0);
        assert!(loaded(&resealed(&sections)).is_err(), "{section}");
    }
    assert!(read > 100, "sizes may be any: {read}");
}

/// Three paths, an entry that is none, and three inodes of several names.
#[test]
fn extents_of_kinds_come_back_and_do_no_harm() {
    let Snapshot { catalog, examine, disk, .. } = linked();
    let mut scan = disk.unwrap();
    let sizes = |physical_size| ExtentSizes { physical_size, ..ExtentSizes::default() };
    let [first, last] = [FileKind::ALL[0], FileKind::ALL[FileKind::COUNT - 1]];
    let groups = vec![
        (vec![KindUser::Path(0, first)], sizes(4096)),
        (vec![KindUser::Path(0, first), KindUser::Path(2, last), KindUser::Inode(2)], sizes(8192)),
        (vec![KindUser::Path(3, last)], sizes(1 << 40)),
        (vec![KindUser::Inode(0), KindUser::Inode(1)], sizes(16_384)),
    ];
    let extents = ExtentsByKind::from_groups(groups.clone());
    let put = |extents: &ExtentsByKind| {
        let mut out = Encoder::default();
        put_kinds(&mut out, extents);
        out.bytes
    };
    let take = |bytes: &[u8], scan: &DiskScan| {
        let mut from = Decoder::new(bytes);
        let taken = take_kinds(&mut from, scan, &KindScan::default());
        taken.and_then(|taken| from.end().map(|()| taken)).ok()
    };
    let bytes = put(&extents);
    assert_eq!(take(&bytes, &scan), Some(extents));
    // Of other paths or inodes; sizes that do not fit; users that are none, or there twice.
    for odd in [
        (vec![KindUser::Path(4, first)], sizes(1)),
        (vec![KindUser::Inode(3)], sizes(1)),
        (vec![KindUser::Inode(0)], sizes(1 << 62)),
        (vec![], sizes(1)),
        (vec![KindUser::Inode(0); 2], sizes(1)),
    ] {
        let odd = ExtentsByKind::from_groups([groups.clone(), vec![odd]].concat());
        assert_eq!(take(&put(&odd), &scan), None);
    }
    let mut all = Extents::default();
    all.own = vec![sizes(0); scan.names.len()];
    all.inodes = vec![sizes(0); 3];
    all = all.summed(&scan.names);
    scan.physical = Physical::Extents(Box::new(all));
    let part = scan.restrict(&[0, 2]);
    let census = Census::new(catalog, &examine, Some(scan)).unwrap();
    let scan = census.disk.as_ref().unwrap();
    let mut read = 0;
    for at in 0..bytes.len() {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let Some(extents) = take(&bytes, scan) else { continue };
            read += 1;
            let mut kinds = KindScan::default();
            // Whoever answers from them looks these up.
            let known = |user: &KindUser| match *user {
                KindUser::Path(path, _) => (path as usize) < scan.names.len(),
                KindUser::Inode(inode) => (inode as usize) < scan.inodes.len(),
            };
            assert!(extents.groups().all(|(users, _)| users.iter().all(known)));
            kinds.kept_extents = Some(extents);
            // Those of some paths are of these.
            let kept = kinds.restrict(scan, &[0, 2]).kept_extents.unwrap();
            assert_eq!(take(&put(&kept), &part), Some(kept));
        }
    }
    assert!(read > 20, "{read}");
}

/// Of one inode with so many names, which is in as many groups.
#[test]
fn a_file_asks_for_no_more_paths_of_extents_than_its_length_allows() {
    let mut scan = linked().disk.unwrap();
    let mut reads = |count: usize| {
        scan.names = Rows::from_lists(&vec![[0u32]; count]);
        let mut extents = Extents::default();
        extents.own = vec![ExtentSizes::default(); count];
        extents.inodes = vec![ExtentSizes::default(); 3];
        extents.owners = Rows::from_lists(&vec![[count as u32]; count]);
        let group = ExtentGroup { physical_size: 4096, uncompressed_size: 0, holders: Vec::new() };
        extents.groups = vec![group; count];
        let mut out = Encoder::default();
        put(&mut out, &Physical::Extents(Box::new(extents)));
        let all = take(&mut Decoder::new(&out.bytes), &scan).is_ok();
        let name = SharedName { inode: 0, kind: FileKind::Other };
        let names = (0..count as u32).map(|path| (path, name)).collect();
        let kinds = KindScan::from_parts(Vec::new(), names, Warnings::new()).unwrap();
        let group = (vec![KindUser::Inode(0)], ExtentSizes::default());
        let mut out = Encoder::default();
        put_kinds(&mut out, &ExtentsByKind::from_groups(vec![group; count]));
        let by_kind = take_kinds(&mut Decoder::new(&out.bytes), &scan, &kinds).is_ok();
        [all, by_kind]
    };
    assert_eq!(reads(1000), [true; 2]);
    assert_eq!(reads(6000), [false; 2]);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let taken = linked();
    assert!(loaded(&resealed(&sections(&taken))).is_ok());
    let of = |change: &dyn Fn(&mut Snapshot)| {
        let mut snapshot = loaded(&resealed(&sections(&taken))).unwrap();
        change(&mut snapshot);
        loaded(&resealed(&sections(&snapshot)))
    };
    assert!(of(&|_| {}).is_ok());
    let all = || vec![PathId::new(2)];
    assert!(of(&|s| s.examine = Examine::Closure(all())).is_err(), "it is no part");
    let part = |examine: Examine| {
        of(&|s| {
            s.catalog = s.catalog.part(&s.catalog.closure_of(all()));
            s.disk.as_mut().unwrap().others.clear();
            let scan = s.disk.take().unwrap();
            s.disk = Some(scan.restrict(&[0, 1, 2]));
            s.surroundings = None;
            s.examine = examine.clone();
        })
    };
    assert!(part(Examine::Closure(all())).is_ok());
    assert!(part(Examine::All).is_err());
    assert!(part(Examine::Closure(Vec::new())).is_err());
    assert!(part(Examine::Closure(vec![PathId::new(1)])).is_err());
    assert!(part(Examine::Closure(vec![PathId::new(3)])).is_err());
    assert!(of(&|s| s.running_system = Some(PathId::new(3))).is_err());
    let roots = |change: &dyn Fn(&mut RootSurvey)| {
        of(&|s| change(s.surroundings.as_mut().unwrap().roots.as_mut().unwrap()))
    };
    assert!(roots(&|r| r.links[0].path = PathId::new(3)).is_err());
    assert!(roots(&|r| drop(r.links.pop())).is_err());
    assert!(roots(&|r| r.links[0].generation = Some((9, 9))).is_err());
    assert!(roots(&|r| r.stale[0].would_keep.push(PathId::new(3))).is_err());
    assert!(of(&|s| s.location.store_dir = "/gnu/store".to_owned()).is_err());
    let disk = |change: &dyn Fn(&mut DiskScan)| of(&|s| change(s.disk.as_mut().unwrap()));
    assert!(disk(&|d| d.usages.truncate(2)).is_err());
    let descending = |d: &mut DiskScan| d.inodes.sort_by_key(|inode| Reverse(inode.key()));
    assert!(disk(&descending).is_err());
    assert!(disk(&|d| d.inodes[1] = d.inodes[0]).is_err());
    assert!(disk(&|d| d.inodes.truncate(2)).is_err());
    assert!(disk(&|d| d.devices.clear()).is_err());
    assert!(disk(&|d| d.usages[0].files = 1 << 50).is_err());
}

#[test]
fn a_file_asks_for_no_more_memory_than_its_length_allows() {
    let zeros = vec![0; 32 << 20];
    // The writer leaves as it is what would be too little.
    let file = resealed(&[(SectionKind::Names as u32, zeros.clone())]);
    let container = Container::read(&mut &file[..]).unwrap();
    assert_eq!(container.section(SectionKind::Names).unwrap().len(), zeros.len());
    assert!(file.len() > 200_000);
}
