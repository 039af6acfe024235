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
