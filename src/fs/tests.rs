//! Every kind of tree behaves the same, and none leads out of its root.

use super::*;
use std::os::unix::fs::symlink;

/// A directory of this machine with some files, and the same files in memory.
fn trees() -> (tempfile::TempDir, Vec<Tree>) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("nix/store/x-a/bin")).unwrap();
    std::fs::create_dir_all(at("etc")).unwrap();
    std::fs::write(at("etc/passwd"), "inside").unwrap();
    let links = [
        ("abs", "/etc/passwd"),
        ("up", "../../../../../../etc/passwd"),
        ("other", "nix"),
        ("nix/store/x-link", "/etc"),
        ("result", "/nix/store/x-link/passwd"),
        ("again", "result"),
        ("a", "b"),
        ("b", "a"),
        ("proc-root", "/proc/self/root/etc/passwd"),
    ];
    let mut files = vec![
        ("/nix/store/x-a/bin".to_owned(), MemoryFile::Directory),
        ("/etc/passwd".to_owned(), MemoryFile::from("inside")),
        ("/fifo".to_owned(), MemoryFile::Fifo),
    ];
    for (name, target) in links {
        symlink(target, at(name)).unwrap();
        files.push((format!("/{name}"), MemoryFile::Symlink(target.into())));
    }
    let (mode, kind) = (rustix::fs::Mode::RUSR, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), kind, mode, 0).unwrap();
    let trees = vec![
        Tree::live(dir.path()).unwrap(),
        Tree::live_portable(dir.path()).unwrap(),
        Tree::memory(files),
    ];
    (dir, trees)
}

fn names(directory: &Directory) -> Vec<String> {
    let mut names = Vec::new();
    let mut each = |entry: DirEntry<'_>| names.push(entry.name.to_str().unwrap().to_owned());
    directory.read(&mut Vec::new(), &mut each).unwrap();
    names.sort();
    names
}

#[test]
fn all_names_are_read_however_many_fit_in_the_buffer() {
    let dir = tempfile::tempdir().unwrap();
    for count in [0, 1, 100, 400, 3000] {
        let at = dir.path().join(count.to_string());
        std::fs::create_dir(&at).unwrap();
        let mut expected: Vec<_> = (0..count).map(|n| format!("{n}-{}", "x".repeat(60))).collect();
        expected.iter().for_each(|name| std::fs::write(at.join(name), "").unwrap());
        expected.sort();
        let directory = Tree::live(&at).unwrap().open_directory("/".as_ref()).unwrap();
        assert_eq!(names(&directory), expected);
    }
}

#[test]
fn absolute_and_dotted_links_stay_inside() {
    let (_dir, trees) = trees();
    for tree in &trees {
        for name in ["/abs", "/up", "/../../etc/./passwd", "/etc/../etc/passwd"] {
            let bytes = tree.read_file(name.as_ref(), 100).unwrap();
            assert_eq!(bytes, b"inside", "{name} {tree:?}");
            let entry = tree.resolve(name.as_ref(), None).unwrap().into_entry().unwrap();
            assert_eq!(entry.path, Path::new("/etc/passwd"));
            assert_eq!(entry.stat.size, 6);
        }
        // No magic link of the kernel leads out.
        assert!(tree.read_file("/proc-root".as_ref(), 100).is_err(), "{tree:?}");
        assert_eq!(names(&tree.open_directory("/other/store/../..".as_ref()).unwrap()).len(), 11);
        assert_eq!(names(&tree.open_directory("/".as_ref()).unwrap()).len(), 11);
    }
}

#[test]
fn resolving_stops_in_the_store() {
    let (_dir, trees) = trees();
    for tree in &trees {
        let store = |name: &str| match tree.resolve(name.as_ref(), Some("/nix/store".as_ref())) {
            Ok(Resolved::StorePath { base_name, inside }) => (base_name, inside),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(store("/again"), ("x-link".into(), "passwd".into()));
        assert_eq!(store("/nix/store/x-a/bin/../x"), ("x-a".into(), "bin/../x".into()));
        assert_eq!(store("/nix/store/x-gone"), ("x-gone".into(), "".into()));
        assert_eq!(store("/other/store/x-a"), ("x-a".into(), "".into()));
    }
}

#[test]
fn loops_and_missing_names_end() {
    let (_dir, trees) = trees();
    for tree in &trees {
        let error = |name: &str| tree.resolve(name.as_ref(), None).unwrap_err();
        assert!(matches!(error("/a"), ResolveError::Loop { .. }));
        assert!(matches!(error("/none/x"), ResolveError::Missing { .. }));
        assert!(matches!(error("/etc/passwd/x"), ResolveError::NotADirectory { .. }));
        for (name, kind) in [
            ("/none", io::ErrorKind::NotFound),
            ("/etc/passwd/x", io::ErrorKind::NotADirectory),
            ("/fifo", io::ErrorKind::InvalidInput),
            ("/etc", io::ErrorKind::InvalidInput),
        ] {
            let kind_of = |error: io::Error| error.kind();
            assert_eq!(tree.open_file(name.as_ref()).map_err(kind_of).err(), Some(kind), "{name}");
        }
        assert!(tree.open_directory("/etc/passwd".as_ref()).is_err());
    }
}

#[test]
fn below_an_entry_point_no_symlink_is_followed() {
    let (_dir, trees) = trees();
    for tree in &trees {
        let store = tree.open_directory("/nix/store".as_ref()).unwrap();
        assert_eq!(names(&store), ["x-a", "x-link"]);
        assert!(store.open_directory(c"x-link").is_err(), "{tree:?}");
        assert_eq!(store.stat(c"x-link").unwrap().file_type(), FileType::Symlink);
        assert_eq!(store.read_link(c"x-link").unwrap(), b"/etc");
        assert_eq!(names(&store.open_directory(c"x-a").unwrap()), ["bin"]);
        assert!(store.xattrs(c"x-link").is_ok_and(|names| names.is_empty()), "{tree:?}");
        let root = tree.root().unwrap();
        let identity = |directory: &Directory| directory.stat(c"").unwrap().identity();
        for (from, path) in [(&store, "x-a"), (&root, "nix/store/x-a")] {
            let (directory, name) = from.pass_to(path.as_bytes()).unwrap();
            assert_eq!((identity(&directory), &*name), (identity(&store), c"x-a"), "{tree:?}");
        }
        assert!(root.open_file(c"abs").is_err());
        assert!(root.open_file(c"fifo").is_err());
        assert!(root.open_unknown_file(c"fifo").is_err());
    }
}

#[test]
fn files_are_read_from_anywhere() {
    let (_dir, trees) = trees();
    for tree in &trees {
        let mut file = tree.open_file("/etc/passwd".as_ref()).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(file.read_at(&mut buffer, 4).unwrap(), 2);
        assert_eq!(&buffer[..2], b"de");
        assert_eq!(file.read_at(&mut buffer, 40).unwrap(), 0);
        let mut all = String::new();
        file.read_to_string(&mut all).unwrap();
        assert_eq!((all.as_str(), file.stat().size), ("inside", 6));
        let error = tree.read_file("/etc/passwd".as_ref(), 5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}

#[test]
fn a_path_of_any_length_works_from_parent_to_child() {
    let dir = tempfile::tempdir().unwrap();
    let name = c"deeper-and-deeper-and-deeper-and-deeper";
    let tree = Tree::live(dir.path()).unwrap();
    let flags = rustix::fs::OFlags::DIRECTORY;
    let mut at = rustix::fs::open(dir.path(), flags, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..200 {
        rustix::fs::mkdirat(&at, name, rustix::fs::Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, name, flags, rustix::fs::Mode::empty()).unwrap();
    }
    if cfg!(all(target_os = "linux", not(nix_census_portable))) {
        let mut directory = tree.root().unwrap();
        for _ in 0..200 {
            directory = directory.open_directory(name).unwrap();
        }
        assert!(names(&directory).is_empty());
    }
    // Nobody else could remove it by path.
    std::fs::remove_dir_all(dir.path()).unwrap();
    std::fs::create_dir(dir.path()).unwrap();
}

/// As `nix-store -q` of 2.8, 2.26 and 2.34 takes them.
#[test]
fn a_target_is_what_its_last_link_leads_to() {
    let directories =
        ["/nix/store/x-system", "/nix/store/x-vim/bin", "/run", "/nix/store/x-env/bin"];
    let regular = ["/nix/store/x-vim/bin/vim", "/nix/store/x-coreutils/coreutils", "/etc/passwd"];
    let links = [
        ("/run/current", "/nix/store/x-system"),
        ("/nix/store/x-system/sw", "/nix/store/x-env"),
        ("/nix/store/x-env/bin/vim", "/nix/store/x-vim/bin/vim"),
        ("/nix/store/x-env/core", "/nix/store/x-coreutils"),
        ("/nix/store/x-coreutils/ls", "coreutils"),
        ("/nix/store/x-env/bin/gone", "/nix/store/x-gone/bin/gone"),
        ("/nix/store/x-env/bin/host", "/etc/passwd"),
        ("/nix/store/x-alias", "/etc/passwd"),
        ("/alias", "/nix/store"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(&name[1..]);
    let mut files = Vec::new();
    for name in directories {
        std::fs::create_dir_all(at(name)).unwrap();
        files.push((name, MemoryFile::Directory));
    }
    for name in regular {
        std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        std::fs::write(at(name), "").unwrap();
        files.push((name, MemoryFile::from("")));
    }
    for (name, target) in links {
        symlink(target, at(name)).unwrap();
        files.push((name, MemoryFile::Symlink(target.into())));
    }
    let live = [Tree::live(dir.path()).unwrap(), Tree::live_portable(dir.path()).unwrap()];
    for tree in live.iter().chain([&Tree::memory(files)]) {
        let store = Path::new("/nix/store");
        let follow = |name: &str| tree.follow_links_to_store(name.as_ref(), store, store).unwrap();
        let target = |name: &str| match follow(name) {
            Resolved::StorePath { base_name, inside } => {
                (base_name.into_string().unwrap(), inside.to_str().unwrap().to_owned())
            }
            Resolved::Entry(entry) => (String::new(), entry.path.to_str().unwrap().to_owned()),
        };
        let path = |base: &str, inside: &str| (base.to_owned(), inside.to_owned());
        assert_eq!(target("/run/current"), path("x-system", ""));
        assert_eq!(target("/run/current/sw"), path("x-env", ""));
        assert_eq!(target("/run/current/sw/bin/vim"), path("x-vim", "bin/vim"));
        assert_eq!(target("/run/current/sw/bin/gone"), path("x-gone", "bin/gone"));
        // Inside the store nothing is followed, nor looked at.
        assert_eq!(target("/nix/store/x-env/bin/vim"), path("x-env", "bin/vim"));
        assert_eq!(target("/nix/./store//x-env/../x-vim"), path("x-vim", ""));
        assert_eq!(target("/nix/store/x-alias"), path("x-alias", ""));
        // Nix refuses these: the store path that holds the file.
        assert_eq!(target("/run/current/sw/core/ls"), path("x-coreutils", "coreutils"));
        assert_eq!(target("/run/current/sw/bin"), path("x-env", "bin"));
        assert_eq!(target("/alias/x-vim/bin"), path("x-vim", "bin"));
        assert_eq!(target("/alias/x-gone/bin"), path("x-gone", ""));
        // It leads out of the store again.
        assert_eq!(target("/run/current/sw/bin/host"), path("", "/etc/passwd"));
    }
}

#[test]
fn a_store_is_located_with_its_links_resolved() {
    let files = [
        ("/data/store/x-a", MemoryFile::Directory),
        ("/data/var/nix/db/db.sqlite", MemoryFile::from("")),
        ("/nix", MemoryFile::Symlink("../../data".into())),
        ("/loop", MemoryFile::Symlink("loop".into())),
    ];
    let tree = Tree::memory(files);
    let store = locate(&tree, "/nix/store/", "/nix/var/nix".as_ref()).unwrap();
    assert_eq!((&*store.store_dir, &*store.state_dir), ("/nix/store", Path::new("/nix/var/nix")));
    assert_eq!(store.real_store_dir, Path::new("/data/store"));
    assert_eq!(store.real_state_dir, Path::new("/data/var/nix"));
    assert_eq!(store.database, Path::new("/data/var/nix/db/db.sqlite"));
    // What is missing is named where it would be.
    let missing = locate(&tree, "/nix/other/store", "/nix/gone/nix".as_ref()).unwrap();
    assert_eq!(missing.real_store_dir, Path::new("/data/other/store"));
    assert_eq!(missing.database, Path::new("/data/gone/nix/db/db.sqlite"));
    let looped = locate(&tree, "/loop/store", "/nix/var/nix".as_ref());
    assert!(matches!(looped, Err(ResolveError::Loop { .. })));
    // The files of a chroot store are elsewhere than its name says.
    let real = "/data/store".as_ref();
    let chroot = locate_elsewhere(&tree, "/nix/store", real, "/data/var/nix".as_ref()).unwrap();
    assert_eq!((&*chroot.store_dir, &*chroot.real_store_dir), ("/nix/store", real));
    assert!(locate_guix(&tree, &store).is_none());
    let guix = Tree::memory([("/gnu/store/x-a", MemoryFile::Directory)]);
    let store = locate(&guix, "/nix/store", "/nix/var/nix".as_ref()).unwrap();
    assert_eq!(locate_guix(&guix, &store).unwrap().real_store_dir, Path::new("/gnu/store"));
}

#[test]
fn a_directory_that_is_passed_is_said_where_it_ends() {
    let (_dir, trees) = trees();
    for tree in &trees {
        let at = |name: &str| tree.pass_directory(name.as_ref());
        let store = at("/other/store").unwrap();
        assert_eq!(store.stat(c"x-a").unwrap().file_type(), FileType::Directory);
        assert_eq!(names(&store.open_directory(c".").unwrap()), ["x-a", "x-link"]);
        assert!(matches!(at("/a/x"), Err(ResolveError::Loop { .. })));
        assert!(matches!(at("/gone/x"), Err(ResolveError::Missing { .. })));
        assert!(matches!(at("/etc/passwd"), Err(ResolveError::NotADirectory { .. })));
        assert!(matches!(at("/fifo"), Err(ResolveError::NotADirectory { .. })));
    }
}
