#![allow(clippy::unwrap_used)]

use super::*;
use crate::catalog::{Builder, DatabaseFile, Record};
use crate::nar::hash::{Algorithm, Hash, Hasher};
use crate::nar::size;
use crate::nar::stream::NarWriter;
use crate::roots::DEFAULT_KEY;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::ffi::CString;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A store made by the test: files on disk, rows in a catalog.
struct Made {
    dir: TempDir,
    builder: Builder,
}

impl Made {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("nix/store")).unwrap();
        Self { dir, builder: Builder::new("/nix/store") }
    }

    fn real(&self, base: &str) -> PathBuf {
        self.dir.path().join("nix/store").join(base)
    }

    /// Makes a path of one file, as Nix leaves it.
    fn file(&self, base: &str, contents: &[u8]) {
        fs::write(self.real(base), contents).unwrap();
        seal(&self.real(base), 0o444);
    }

    /// Adds the row of a path.
    fn row(&mut self, base: &str, hash: Option<[u8; 32]>, nar_size: Option<u64>, ca: &str) -> u32 {
        let path = format!("/nix/store/{base}");
        let record = Record {
            path: path.as_bytes(),
            hash,
            nar_size,
            content_address: ca.as_bytes(),
            ..Record::default()
        };
        self.builder.add(&record).unwrap().unwrap()
    }

    /// Adds the true row of a path on disk.
    fn true_row(&mut self, base: &str, use_case_hack: bool, ca: &str) -> u32 {
        let files = self.files();
        let mut writer = NarWriter::default();
        writer.use_case_hack(use_case_hack);
        let name = CString::new(base).unwrap();
        let (size, hash) = writer.hash(Algorithm::Sha256, files.directory(), &name).unwrap();
        self.row(base, hash.sha256(), Some(size), ca)
    }

    fn files(&self) -> StoreFiles {
        StoreFiles::live(self.dir.path(), Path::new("/nix/store")).unwrap()
    }

    fn audit(self, options: AuditOptions) -> Audit {
        let (files, none) = (self.files(), DatabaseFile::at(Path::new("db.sqlite")).unwrap());
        let options = AuditOptions { disk: true, threads: Some(1), ..options };
        let source = Source::Registration(PathBuf::from("registration"));
        let catalog = self.builder.finish().unwrap();
        Audit::run(&none, Some(&files), &source, catalog, None, &options, &Progress::default())
            .unwrap()
    }
}

fn seal(path: &Path, mode: u32) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn base(number: u32, name: &str) -> String {
    format!("{number:032}-{name}")
}

fn contents() -> AuditOptions {
    AuditOptions { contents: true, ..AuditOptions::default() }
}

/// Kinds, base names, what was expected and found.
fn findings(audit: &Audit) -> Vec<(&'static str, String, &str, &str)> {
    let row = |f: &'_ Finding| String::from_utf8(f.path.clone()).unwrap();
    let all = audit.findings.iter();
    all.map(|f| {
        let path = row(f);
        let path = path.strip_prefix("/nix/store/").unwrap_or(&path).to_owned();
        (f.kind.name(), path, &*f.expected, &*f.found)
    })
    .collect()
}

#[test]
fn what_could_not_be_checked_is_a_finding() {
    let mut made = Made::new();
    let (a, b) = (base(1, "a"), base(2, "b"));
    made.file(&a, b"changed since");
    made.file(&b, b"sound");
    made.row(&a, None, None, "");
    made.true_row(&b, false, "");
    let audit = made.audit(contents());
    let expected = [("unknown_hash", a.clone(), "", ""), ("unknown_size", a, "", "")];
    assert_eq!(findings(&audit), expected);
    assert!(audit.warnings.complete());
    // Asking for one check alone also reports that it could not be made.
    for (kind, expected) in
        [(FindingKind::NarHash, "unknown_hash"), (FindingKind::NarSize, "unknown_size")]
    {
        let mut made = Made::new();
        made.file(&b, b"sound");
        made.row(&b, None, None, "");
        let audit = made.audit(AuditOptions { only: vec![kind], ..contents() });
        assert_eq!(findings(&audit), [(expected, b.clone(), "", "")]);
    }
}

#[test]
fn a_signature_without_a_hash_to_check_is_not_called_bad() {
    let mut made = Made::new();
    let a = base(1, "a");
    made.file(&a, b"");
    let path = format!("/nix/store/{a}");
    let record = Record {
        path: path.as_bytes(),
        nar_size: Some(112),
        signatures: b"cache.nixos.org-1:AAAA",
        ..Record::default()
    };
    made.builder.add(&record).unwrap();
    let keys = vec![PublicKey::parse(DEFAULT_KEY).unwrap()];
    let audit = made.audit(AuditOptions { signatures: Some(keys), ..AuditOptions::default() });
    let kinds: Vec<&str> = findings(&audit).into_iter().map(|f| f.0).collect();
    assert_eq!(kinds, ["unknown_hash", "unsigned"]);
}

#[test]
fn a_content_address_that_nix_makes_no_path_of_is_false() {
    let mut made = Made::new();
    let (a, b) = (base(1, "a"), base(2, "b"));
    made.file(&a, b"forged");
    made.file(&b, b"");
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(b"forged");
    // The contents are as it says, but such a path has no references.
    let address = format!("fixed:{}", hasher.finish());
    let from = made.true_row(&a, false, &address);
    let to = made.true_row(&b, false, "");
    made.builder.add_reference(from, to);
    let keys = Some(Vec::new());
    let audit = made.audit(AuditOptions { signatures: keys, ..contents() });
    let mut found = findings(&audit).into_iter().filter(|f| f.1 == a).map(|f| (f.0, f.2));
    let expected = format!("no store path: Nix makes none from {address} and these references");
    assert_eq!(found.next(), Some(("content_address_name", &*expected)));
    // And so it needs a signature as any other.
    assert_eq!(found.next(), Some(("unsigned", "a signature")));
    assert_eq!(found.next(), None);
}

/// Both ways to hash a path that holds its own name, from NixOS/nix#15931.
#[test]
fn content_addresses_of_paths_that_hold_their_own_name_are_checked() {
    for with_places in [true, false] {
        for damaged in [false, true] {
            let mut made = Made::new();
            let text = |part: &str| format!("#!/bin/sh\nexec /nix/store/{part}-own/bin/x {part}\n");
            // The NAR with zeros, plainly.
            let zeros = text(&"\0".repeat(32));
            let zeroed = base(9, "zeroed");
            made.file(&zeroed, zeros.as_bytes());
            let mut nar = Vec::new();
            let name = CString::new(&*zeroed).unwrap();
            NarWriter::default().write(made.files().directory(), &name, |p| nar.extend(p)).unwrap();
            fs::remove_file(made.real(&zeroed)).unwrap();
            if with_places {
                let at =
                    |n: usize| nar.windows(32).enumerate().filter(|(_, w)| *w == [0; 32]).nth(n);
                for place in [at(0).unwrap().0, at(1).unwrap().0] {
                    nar.extend(format!("|{place}").bytes());
                }
            }
            let mut hasher = Hasher::new(Algorithm::Sha256);
            hasher.update(&nar);
            let hash = hasher.finish();
            let method = crate::nar::content_address::Method::Nar;
            let address =
                crate::nar::content_address::ContentAddress { method, hash: hash.clone() };
            let part = address.hash_part("/nix/store", "own", &[], true).unwrap();
            let own = format!("{part}-own");
            let mut text = text(&part);
            if damaged {
                text = text.replace("exec", "EXEC");
            }
            made.file(&own, text.as_bytes());
            let id = made.true_row(&own, false, &format!("fixed:r:{hash}"));
            made.builder.add_reference(id, id);
            let audit = made.audit(contents());
            let kinds: Vec<_> = findings(&audit).iter().map(|f| (f.0, f.1.clone())).collect();
            let expected = damaged.then_some(("content_address", own));
            assert_eq!(kinds, Vec::from_iter(expected), "{with_places}");
        }
    }
}

#[test]
fn a_flat_content_address_of_a_directory_is_false() {
    let mut made = Made::new();
    let address = format!("fixed:{}", Hash::new(Algorithm::Sha256, vec![7; 32]).unwrap());
    let parsed = crate::nar::content_address::ContentAddress::parse(&address).unwrap();
    let own = format!("{}-own", parsed.hash_part("/nix/store", "own", &[], false).unwrap());
    fs::create_dir(made.real(&own)).unwrap();
    seal(&made.real(&own), 0o555);
    made.true_row(&own, false, &address);
    let audit = made.audit(contents());
    assert_eq!(findings(&audit)[0].0, "content_address");
    assert_eq!(findings(&audit)[0].3, "not a regular file");
}

#[test]
fn modes_are_expected_as_nix_gives_them() {
    let mut made = Made::new();
    let tree = base(1, "tree");
    fs::create_dir_all(made.real(&tree).join("sub")).unwrap();
    // Nix asks for the owner's bit alone.
    for (name, mode) in [("group", 0o454), ("owner", 0o544), ("plain", 0o444)] {
        let file = made.real(&tree).join(name);
        fs::write(&file, "").unwrap();
        seal(&file, mode);
    }
    seal(&made.real(&tree).join("sub"), 0o444);
    seal(&made.real(&tree), 0o555);
    let nar = size::NAR
        + 2 * size::DIRECTORY
        + size::entry(3)
        + 3 * size::entry(5)
        + 2 * size::file(0, false)
        + size::file(0, true);
    made.row(&tree, Some([1; 32]), Some(nar), "");
    let audit = made.audit(AuditOptions::default());
    let expected = [
        ("mode", format!("{tree}/group"), "0444", "0454"),
        ("mode", format!("{tree}/owner"), "0555", "0544"),
        ("mode", format!("{tree}/sub"), "0555", "0444"),
    ];
    assert_eq!(findings(&audit), expected);
}

#[test]
fn the_case_hack_is_not_in_sizes_and_hashes() {
    for use_case_hack in [true, false] {
        let mut made = Made::new();
        let tree = base(1, "tree");
        fs::create_dir_all(made.real(&tree)).unwrap();
        for name in ["xt.h", "Xt.h~nix~case~hack~1"] {
            let file = made.real(&tree).join(name);
            fs::write(&file, name).unwrap();
            seal(&file, 0o444);
        }
        seal(&made.real(&tree), 0o555);
        made.true_row(&tree, true, "");
        let canonical = Canonical { use_case_hack, ..Canonical::default() };
        let audit = made.audit(AuditOptions { canonical, ..contents() });
        let kinds: Vec<&str> = findings(&audit).into_iter().map(|f| f.0).collect();
        let expected = if use_case_hack { &[][..] } else { &["nar_size", "nar_hash"] };
        assert_eq!(kinds, expected);
    }
}

#[test]
fn attributes_that_the_settings_leave_alone_are_not_odd() {
    let mut canonical = Canonical::default();
    let names = b"security.selinux\0user.x\0system.nfs4_acl\0";
    assert_eq!(canonical.odd_xattrs(names).as_deref(), Some("user.x"));
    canonical.ignored_acls = vec!["user.x".to_owned()];
    let odd = canonical.odd_xattrs(names);
    assert_eq!(odd.as_deref(), Some("security.selinux system.nfs4_acl"));
    assert_eq!(canonical.odd_xattrs(b"user.x\0"), None);
    // The mark of a later Nix is none that it would strip; others like it are.
    assert_eq!(canonical.odd_xattrs(b"trusted.nix.optimised\0"), None);
    assert!(canonical.odd_xattrs(b"user.nix.optimised\0").is_some());
}

/// An executable deeper than any name can say, and others after it.
#[test]
#[cfg_attr(
    any(not(target_os = "linux"), nix_census_portable),
    ignore = "by paths no file deeper than PATH_MAX is reached"
)]
fn one_failed_call_does_not_end_the_check_of_attributes() {
    let mut made = Made::new();
    let tree = base(1, "deep");
    fs::create_dir(made.real(&tree)).unwrap();
    let mark = |at: &std::os::fd::OwnedFd| {
        let flags = OFlags::WRONLY | OFlags::CREATE;
        let file = openat(at, c"run", flags, Mode::RWXU).unwrap();
        rustix::fs::fsetxattr(&file, c"user.x", b"", rustix::fs::XattrFlags::empty())
    };
    let mut at = openat(CWD, made.real(&tree), OFlags::DIRECTORY, Mode::empty()).unwrap();
    if let Err(e) = mark(&at) {
        eprintln!("skipped: the file system has no extended attributes: {e}");
        return;
    }
    let name = "d".repeat(200);
    for _ in 0..30 {
        rustix::fs::mkdirat(&at, &*name, Mode::RWXU).unwrap();
        at = openat(&at, &*name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    mark(&at).unwrap();
    made.row(&tree, Some([1; 32]), None, "");
    let audit =
        made.audit(AuditOptions { only: vec![FindingKind::Xattr], ..AuditOptions::default() });
    let found: Vec<_> = findings(&audit).into_iter().map(|f| (f.0, f.3)).collect();
    assert_eq!(found, [("xattr", "user.x"); 2]);
    assert!(audit.warnings.complete());
}

#[test]
fn no_finding_is_lost_among_many() {
    let mut made = Made::new();
    for number in 0..1500 {
        made.row(&base(number, "a"), Some([1; 32]), None, "");
    }
    for number in 0..1200 {
        let path = format!("referrer {number}");
        made.builder.warnings().push(WarningKind::DanglingReference, path, "gone");
    }
    let audit = made.audit(AuditOptions::default());
    let count = |kind| audit.findings.iter().filter(|f| f.kind == kind).count();
    assert_eq!(count(FindingKind::UnknownSize), 1500);
    assert_eq!(count(FindingKind::DanglingReference), 1200);
    assert_eq!((audit.warnings.total(), audit.warnings.complete()), (0, true));
}

#[test]
fn damage_is_a_finding_where_the_database_has_the_path() {
    let store = Path::new("/mnt/nix/store");
    let catalog = Builder::new("/nix/store").finish().unwrap();
    let gather = |options: &AuditOptions| {
        let subject = Subject {
            catalog: &catalog,
            ids: Vec::new(),
            whole: true,
            source: &Source::Database,
            options,
            progress: &Progress::default(),
        };
        let mut gathered = Gathered::default();
        for _ in 0..1500 {
            gathered.warnings.push(WarningKind::Unreadable, "x", "forbidden");
        }
        let path = store.join("a/b");
        let path = path.as_os_str().as_encoded_bytes();
        gathered.warnings.push(WarningKind::Damaged, path, "Structure needs cleaning");
        gathered.tell_damage(&subject, Some(store));
        gathered
    };
    let gathered = gather(&AuditOptions::default());
    let path = "/nix/store/a/b";
    let expected = Finding::new(FindingKind::Damaged, path, "", "Structure needs cleaning");
    assert_eq!(gathered.findings, [expected]);
    assert_eq!(gathered.warnings.total(), 1500);
    // Who does not want to know of it has an incomplete answer.
    let gathered =
        gather(&AuditOptions { only: vec![FindingKind::Mode], ..AuditOptions::default() });
    assert_eq!((gathered.findings.len(), gathered.warnings.total()), (0, 1501));
}

#[test]
fn a_check_of_the_database_that_panics_has_not_passed() {
    let gathered = database::checked(Path::new("db.sqlite"), Err(Box::new("a panic")));
    assert!(!gathered.checked.database && !gathered.warnings.complete());
}

/// Files of these contents under all names, one inode.
fn linked(made: &Made, contents: &[u8], names: &[&str]) {
    fs::create_dir_all(made.real(names[0]).parent().unwrap()).unwrap();
    made.file(names[0], contents);
    for name in &names[1..] {
        fs::create_dir_all(made.real(name).parent().unwrap()).unwrap();
        fs::hard_link(made.real(names[0]), made.real(name)).unwrap();
    }
}

#[test]
fn every_file_linked_to_a_corrupt_entry_is_named() {
    // The name of the empty file (NixOS/nix#14599), and that of other contents.
    let empty = ".links/0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p";
    let other = ".links/1111111111111111111111111111111111111111111111111111";
    let (a, b, c, d) = (base(1, "a"), base(2, "b"), base(3, "c"), base(4, "d"));
    let of = |contents: bool| {
        let mut made = Made::new();
        linked(&made, b"not empty", &[&a, &b, empty]);
        linked(&made, b"not those", &[&c, other]);
        made.file(&d, b"alone");
        for base in [&a, &b, &c, &d] {
            made.true_row(base, false, "");
        }
        let only = vec![FindingKind::LinkedToCorrupt];
        made.audit(AuditOptions { contents, only, ..AuditOptions::default() })
    };
    let from = |link: &str| format!("those of {link}");
    let row = |path: &String, link: &str| (path.clone(), from(link));
    let found = |audit: &Audit| -> Vec<(String, String)> {
        findings(audit).into_iter().map(|(_, path, _, found)| (path, found.to_owned())).collect()
    };
    // Sizes alone show the first; only contents show the other.
    assert_eq!(found(&of(false)), [row(&a, empty), row(&b, empty)]);
    assert_eq!(found(&of(true)), [row(&a, empty), row(&b, empty), row(&c, other)]);
}

#[test]
fn links_of_a_later_nix_are_audited() {
    let made = Made::new();
    let sha256 = |contents: &[u8]| {
        fs::write(made.real("scratch"), contents).unwrap();
        let files = made.files();
        let mut writer = NarWriter::default();
        let hashed = writer.hash(Algorithm::Sha256, files.directory(), c"scratch");
        fs::remove_file(made.real("scratch")).unwrap();
        crate::nar::nix32::encode(&hashed.unwrap().1.sha256().unwrap())
    };
    let blake3 = |contents: &[u8]| crate::nar::nix32::encode(blake3::hash(contents).as_bytes());
    let good = [
        format!(".links/sha256/0ab/{}", sha256(b"a")),
        format!(".links/sha256/overflow/{}.001", sha256(b"a")),
        format!(".links-b3/{}-r", blake3(b"a")),
    ];
    for link in &good {
        // With a second name, so as not to be unused.
        linked(&made, b"a", &[link, &format!("../{}", link.replace('/', "-"))]);
    }
    let bad = [
        format!(".links-b3/{}-r", blake3(b"b")),
        format!(".links-b3/{}-x", blake3(b"a")),
        format!(".links/sha256/0ab/{}", sha256(b"b")),
    ];
    for link in &bad {
        linked(&made, b"a", &[link, &format!("../{}", link.replace('/', "-"))]);
    }
    let audit = made.audit(contents());
    let mut found: Vec<(&str, String)> =
        findings(&audit).into_iter().map(|(kind, path, ..)| (kind, path)).collect();
    found.sort();
    let mut expected = bad.map(|link| ("link_hash", link));
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(audit.checked.links, 6);
}

/// Hashing looks at what `stat` says on its way, and leaves to the walk what cannot be
/// hashed.
#[test]
fn whether_contents_are_hashed_or_not_stat_shows_the_same() {
    let of = |contents: bool| {
        let mut made = Made::new();
        let [tree, fifo, size, gone, unknown] =
            ["tree", "fifo", "size", "gone", "unknown"].map(|name| base(name.len() as u32, name));
        let deep = made.real(&tree).join("one/two/three");
        fs::create_dir_all(&deep).unwrap();
        for (at, name) in (0..12).zip(["one", "one/two", "one/two/three"].into_iter().cycle()) {
            fs::write(made.real(&tree).join(name).join(format!("file {at}")), "text").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", deep.join("link")).unwrap();
        made.file(&format!("{tree}/good"), b"good");
        fs::create_dir(made.real(&fifo)).unwrap();
        let file_type = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(CWD, made.real(&fifo).join("fifo"), file_type, Mode::RUSR, 0).unwrap();
        fs::write(made.real(&fifo).join("then"), "more").unwrap();
        made.file(&size, b"size");
        made.file(&unknown, b"unknown");
        made.true_row(&tree, false, "");
        made.row(&fifo, Some([1; 32]), Some(1), "");
        made.row(&size, Some([2; 32]), Some(1), "");
        made.row(&gone, Some([3; 32]), Some(1), "");
        made.row(&unknown, None, None, "");
        let except = vec![FindingKind::NarHash, FindingKind::UnknownHash];
        made.audit(AuditOptions { contents, except, ..AuditOptions::default() })
    };
    let (mut without, mut with) = (of(false), of(true));
    // Each was made at a time of its own.
    for finding in without.findings.iter_mut().chain(&mut with.findings) {
        if finding.kind == FindingKind::Mtime && !finding.expected.is_empty() {
            finding.found = "another".to_owned();
        }
    }
    assert_eq!(findings(&with), findings(&without));
    assert_eq!(with.checked.entries, without.checked.entries);
    assert_eq!(with.checked.nar_hashes, 2);
    let kinds: std::collections::BTreeSet<_> = findings(&with).into_iter().map(|f| f.0).collect();
    let expected =
        ["missing_path", "mtime", "nar_size", "unknown_size", "unsupported_file", "writable"];
    assert_eq!(kinds, expected.into());
    let more = findings(&with).into_iter().find(|f| f.0 == "writable" && f.3.contains("more"));
    assert_eq!(more.map(|f| f.3), Some("11 more files"));
}
