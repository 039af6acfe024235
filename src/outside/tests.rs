//! On trees in memory and on the disk, against `du` by other means.

use super::*;
use crate::fs::MemoryFile;
use crate::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR};

fn file(size: usize) -> MemoryFile {
    MemoryFile::Regular { contents: vec![7; size], executable: false }
}

fn text(text: &str) -> MemoryFile {
    MemoryFile::Regular { contents: text.as_bytes().to_vec(), executable: false }
}

fn location(root: &Path) -> StoreLocation {
    let inside = |name: &str| root.join(name.trim_start_matches('/'));
    StoreLocation {
        root: root.to_owned(),
        store_dir: DEFAULT_STORE_DIR.to_owned(),
        state_dir: DEFAULT_STATE_DIR.into(),
        real_store_dir: inside(DEFAULT_STORE_DIR),
        real_state_dir: inside(DEFAULT_STATE_DIR),
        database: inside("/nix/var/nix/db/db.sqlite"),
    }
}

fn find(files: Vec<(&str, MemoryFile)>) -> Outside {
    Outside::find(&Tree::memory(files), &location(Path::new("/")), true)
}

#[test]
fn a_machine_with_nothing_of_it() {
    let outside = find(vec![("/nix/store/x", file(1)), ("/etc/passwd", file(20))]);
    assert_eq!((outside.database, outside.logs), (None, None));
    assert!(outside.caches.is_empty() && outside.boot.is_empty());
    assert!(outside.warnings.iter().next().is_none());
}

#[test]
fn caches_by_user_and_kind() {
    let passwd = "root:x:0:0::/root:/bin/sh\nu:x:1000:100::/home/u:/bin/sh\nv:x:1:1::/home/u:\n";
    let outside = find(vec![
        ("/etc/passwd", text(passwd)),
        ("/home/u/.cache/nix/tarball-cache/objects/x", file(9000)),
        ("/home/u/.cache/nix/eval-cache-v5/a.sqlite", file(100)),
        ("/home/u/.cache/nix/eval-cache-v5/b.sqlite", file(5000)),
        ("/home/u/.cache/nix/binary-cache-v6.sqlite", file(100)),
        ("/home/w/.cache/nix/fetcher-cache-v3.sqlite", file(100)),
        ("/home/u/.cache/other", file(100)),
        ("/nix/var/log/nix/drvs/ab/c.drv.bz2", file(5000)),
    ]);
    let caches: Vec<_> = (outside.caches.iter())
        .map(|c| (c.users.join(","), c.kind.name(), c.kept.space.disk_size, c.kept.space.inodes))
        .collect();
    let of = |users: &str, kind, disk_size, inodes| (users.to_owned(), kind, disk_size, inodes);
    // Directories take a block of 4096 bytes in such a tree too.
    let expected = [
        of("u,v", "tarball", 12_288 + 2 * 4096, 3),
        of("u,v", "evaluation", 4096 + 8192 + 4096, 3),
        of("u,v", "binary_cache", 4096, 1),
        of("", "fetcher", 4096, 1),
    ];
    assert_eq!(caches, expected);
    let logs = outside.logs.unwrap();
    assert_eq!(logs.space, Space::blocks(8192 + 2 * 4096, 3));
    assert_eq!(logs.path, Path::new("/nix/var/log/nix/drvs"));
}

#[test]
fn a_home_of_two_names_is_counted_once() {
    let root = tempfile::tempdir().unwrap();
    let of = |name: &str| root.path().join(name);
    for home in ["var/home/u", "var/home/nobody"] {
        std::fs::create_dir_all(of(home).join(".cache/nix/gitv3")).unwrap();
        std::fs::write(of(home).join(".cache/nix/gitv3/x"), [1; 10_000]).unwrap();
    }
    std::os::unix::fs::symlink("var/home", of("home")).unwrap();
    std::fs::create_dir(of("etc")).unwrap();
    let passwd = "u:x:7:7::/var/home/u:/bin/sh\nv:x:8:8::/home/u:/bin/sh\n";
    std::fs::write(of("etc/passwd"), passwd).unwrap();
    let outside = Outside::find(&Tree::live(root.path()).unwrap(), &location(root.path()), true);
    let caches: Vec<_> = (outside.caches.iter())
        .map(|c| (c.users.join(","), c.kept.path.to_str().unwrap()))
        .collect();
    let expected = [("", "/home/nobody/.cache/nix"), ("v,u", "/home/u/.cache/nix")];
    assert_eq!(caches, expected.map(|(users, path)| (users.to_owned(), path)));
    assert_eq!(outside.caches_space().inodes, 4);
}

#[test]
fn entries_of_systemd_boot_share_kernels() {
    let entry = |kernel: &str, initrd: &str| {
        text(&format!(
            "title NixOS\nversion x\nlinux /EFI/nixos/{kernel}.efi\ninitrd /EFI/nixos/{initrd}.efi\n\
             options init=/nix/store/x/init\n"
        ))
    };
    let outside = find(vec![
        ("/boot/loader/entries/nixos-generation-9.conf", entry("k", "i9")),
        ("/boot/loader/entries/nixos-generation-10.conf", entry("k", "i10")),
        ("/boot/loader/entries/nixos-test-generation-3+2-1.conf", entry("k3", "../../../etc/x")),
        ("/boot/loader/entries/windows.conf", text("efi /EFI/windows.efi\n")),
        ("/boot/EFI/nixos/k.efi", file(4096)),
        ("/boot/EFI/nixos/i9.efi", file(8192)),
        ("/boot/EFI/nixos/i10.efi", file(12_288)),
        ("/boot/EFI/nixos/k3.efi", file(4096)),
        ("/boot/EFI/nixos/gone.efi", file(20_480)),
        ("/etc/x.efi", file(4096)),
    ]);
    let [boot] = &outside.boot[..] else { panic!("{:?}", outside.boot) };
    let entries: Vec<_> = (boot.entries.iter())
        .map(|e| (e.profile.as_deref(), e.generation, e.space.disk_size, e.own.disk_size))
        .collect();
    let expected = [
        (None, Some(10), 4096 + 12_288, 12_288),
        (None, Some(9), 4096 + 8192, 8192),
        (Some("test"), Some(3), 4096, 4096),
        (None, None, 0, 0),
    ];
    assert_eq!(entries, expected);
    assert_eq!(boot.space().disk_size, 4096 + 8192 + 12_288 + 4096 + 20_480);
    assert_eq!(boot.unused().disk_size, 20_480);
    assert_eq!(boot.next_needs(), Some(4096 + 12_288));
    // What the file system has left is not known in memory.
    assert_eq!(boot.next_fits(), None);
}

#[test]
fn the_menu_of_grub() {
    let menu = r#"
        menuentry "NixOS" --class nixos {
          linux ($drive1)/kernels/k init=/nix/store/x/init
          initrd ($drive1)/kernels/i2
        }
        submenu "NixOS - All configurations" {
        menuentry "NixOS - Configuration 2 (2024-06-01 - 24.05)" {
          linux ($drive1)/boot/kernels/k init=/nix/store/x/init
          initrd ($drive1)/kernels/i2
        }
        menuentry 'NixOS - Configuration 1 (2024-05-01 - 24.05)' {
          linux ($drive1)/kernels/k init=/nix/store/y/init
          initrd ($drive1)/kernels/i1 ($drive1)//kernels/../../etc/passwd
        }
        }
    "#;
    let outside = find(vec![
        ("/boot/grub/grub.cfg", text(menu)),
        ("/boot/kernels/k", file(4096)),
        ("/boot/kernels/i1", file(8192)),
        ("/boot/kernels/i2", file(12_288)),
        ("/etc/passwd", file(4096)),
    ]);
    let [boot] = &outside.boot[..] else { panic!("{:?}", outside.boot) };
    let entries: Vec<_> = (boot.entries.iter())
        .map(|e| (e.generation, e.space.disk_size, e.own.disk_size, e.loader.name()))
        .collect();
    let expected = [
        (Some(2), 4096 + 12_288, 0, "grub"),
        (Some(1), 4096 + 8192, 8192, "grub"),
        (None, 4096 + 12_288, 0, "grub"),
    ];
    assert_eq!(entries, expected);
    assert_eq!(boot.unused(), Space::default());
}

#[test]
fn a_menu_of_grub_names_the_profile() {
    // As install-grub.pl writes them, with an entry of the user's own at the end.
    let menu = r#"
        if [ "$saved" ]; then
          set x="${saved}"
        fi
        function load {
          insmod x
        }
        menuentry "NixOS" --class nixos {
          linux ($drive1)/kernels/k
        }
        submenu "NixOS - All configurations" --class submenu {
        menuentry "NixOS - Configuration 3 (2024-06-01 - 24.05)" --class nixos {
          linux ($drive1)/kernels/k
        }
        }
        submenu "NixOS - Profile 'test'" --class submenu {
        submenu "> NixOS - Configuration 4 (2024-06-02 - 24.05)" --class submenu {
        menuentry "NixOS - Configuration 4 - Default (2024-06-02 - 24.05)" --class nixos {
          linux ($drive1)/kernels/k
        }
        }
        menuentry "NixOS - Configuration 3 (2024-05-01 - 24.05)" --class nixos {
          linux ($drive1)/kernels/k
        }
        }
        menuentry "Configuration 2, by hand" {
          linux ($drive1)/kernels/k
        }
    "#;
    let outside = find(vec![("/boot/grub/grub.cfg", text(menu)), ("/boot/kernels/k", file(4096))]);
    let [boot] = &outside.boot[..] else { panic!("{:?}", outside.boot) };
    let entries: Vec<_> = (boot.entries.iter())
        .map(|e| (e.generation, e.profile.as_deref(), e.name.contains("05-01")))
        .collect();
    let expected = [
        (Some(4), Some("test"), false),
        (Some(3), Some("test"), true),
        (Some(3), None, false),
        (Some(2), None, false),
        (None, None, false),
    ];
    assert_eq!(entries, expected);
}

#[test]
fn unified_kernel_images_are_entries() {
    let stub = |kernel: &str| {
        let sections = format!("MZ\0.linux\0\\EFI\\nixos\\{kernel}.efi\0\0.initrd\0\\EFI\\..\\x\0");
        text(&sections)
    };
    let outside = find(vec![
        ("/boot/EFI/Linux/nixos-generation-7-abc.efi", stub("k7")),
        ("/boot/EFI/Linux/arch.EFI", file(8192)),
        ("/boot/EFI/Linux/auto-x.efi", file(4096)),
        ("/boot/EFI/Linux/.hidden.efi", file(4096)),
        ("/boot/EFI/Linux/dir.efi/x", file(4096)),
        ("/boot/EFI/nixos/k7.efi", file(12_288)),
        ("/boot/EFI/nixos/k6.efi", file(16_384)),
    ]);
    let [boot] = &outside.boot[..] else { panic!("{:?}", outside.boot) };
    let entries: Vec<_> = (boot.entries.iter())
        .map(|e| (e.name.as_str(), e.generation, e.space.disk_size, e.loader.name()))
        .collect();
    let expected = [
        ("nixos-generation-7-abc.efi", Some(7), 4096 + 12_288, "systemd-boot"),
        ("arch.EFI", None, 8192, "systemd-boot"),
    ];
    assert_eq!(entries, expected);
    assert_eq!(boot.unused().disk_size, 4096 + 4096 + 16_384);
}

#[test]
fn free_pages_are_those_that_sqlite_counts() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("nix/var/nix/db/db.sqlite");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA page_size = 1024; CREATE TABLE t (x); BEGIN;").unwrap();
    for _ in 0..200 {
        db.execute("INSERT INTO t VALUES (zeroblob(900))", []).unwrap();
    }
    db.execute_batch("COMMIT; DELETE FROM t WHERE rowid % 2;").unwrap();
    let count = |db: &rusqlite::Connection, pragma: &str| -> u64 {
        db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, u32>(0)).unwrap().into()
    };
    let free = count(&db, "freelist_count");
    assert!(free > 50, "{free}");
    drop(db);
    let tree = Tree::live(root.path()).unwrap();
    let found = || Outside::find(&tree, &location(root.path()), false).database;
    let before = found().unwrap();
    assert_eq!((before.page_size, before.free_pages), (1024, free));
    assert_eq!(before.size, std::fs::metadata(&path).unwrap().len());
    // Compacting gives back that at least.
    rusqlite::Connection::open(&path).unwrap().execute_batch("VACUUM").unwrap();
    let after = found().unwrap();
    assert_eq!(after.free_pages, 0);
    assert!(before.size - after.size >= before.free_size());
    // What is no database, or says nonsense, is none.
    for header in [&b"SQLite format 3\0"[..], b"SQLite format 3\0\0\x07", b"x"] {
        std::fs::write(&path, [header, &[0; 200]].concat()).unwrap();
        assert_eq!(found(), None);
    }
}

#[test]
fn a_directory_takes_what_du_says() {
    let root = tempfile::tempdir().unwrap();
    let cache = root.path().join("root/.cache/nix/gitv3/x");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("a"), [1; 10_000]).unwrap();
    std::fs::hard_link(cache.join("a"), cache.join("b")).unwrap();
    std::os::unix::fs::symlink("/etc", cache.join("link")).unwrap();
    let tree = Tree::live(root.path()).unwrap();
    let outside = Outside::find(&tree, &location(root.path()), true);
    let du = |option: &str| {
        let mut du = std::process::Command::new("du");
        du.args(["-s", option]).arg(root.path().join("root/.cache/nix/gitv3"));
        let out = String::from_utf8(du.output().unwrap().stdout).unwrap();
        out.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(outside.caches.len(), 1);
    assert_eq!(outside.caches_space(), Space::blocks(du("-B1"), du("--inodes")));
}
