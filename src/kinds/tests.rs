use super::*;

fn named(path: &str, file_type: FileType, executable: bool) -> Named {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    Place::of(directory.as_bytes()).named(name.as_bytes(), file_type, executable)
}

fn file(path: &str) -> &'static str {
    match named(path, FileType::Regular, false) {
        Named::Kind(kind) => kind.key(),
        Named::NeedsHead => "?",
    }
}

#[test]
fn files_are_known_by_place_then_name() {
    for (path, kind) in [
        ("share/man/man1/ls.1.gz", "man"),
        ("share/info/dir", "info"),
        ("share/doc/x/examples/a.c", "doc"),
        ("lib/python3/site-packages/x/README.md", "doc"),
        ("README", "doc"),
        ("README.first", "doc"),
        ("README-not", "other"),
        ("share/locale/de/LC_MESSAGES/a.mo", "locale"),
        ("lib/locale/locale-archive", "locale"),
        ("lib/gcc/x/include/a", "headers"),
        ("lib/x/a.hpp", "headers"),
        ("lib/libz.a", "static"),
        ("lib/pkgconfig/z.pc", "pkgconfig"),
        ("lib/python3/__pycache__/a.txt", "bytecode"),
        ("lib/a.pyc", "bytecode"),
        ("lib/debug/.build-id/a", "debug"),
        ("lib/modules/6.6/modules.dep", "modules"),
        ("lib/firmware/a.bin", "firmware"),
        ("share/fonts/a.txt", "fonts"),
        ("share/icons/a.png", "icons"),
        ("src/a.c", "sources"),
        ("lib/tests/a.py", "tests"),
        ("lib/Test/a.pm", "scripts"),
        ("lib/libz.so", "libraries"),
        ("lib/libz.so.1.2", "libraries"),
        ("lib/libz.so.old", "other"),
        ("lib/libz.1.2", "other"),
        ("lib/.so.1", "other"),
        ("lib/a.py", "scripts"),
        ("share/x/unknown", "data"),
        ("lib/share/unknown", "other"),
        ("etc/unknown", "data"),
        ("lib/x.tar.gz", "sources"),
        ("lib/x.foo.gz", "data"),
        ("lib/.gz", "other"),
        ("initrd-linux", "data"),
        ("a", "other"),
    ] {
        assert_eq!(file(path), kind, "{path}");
    }
}

#[test]
fn places_are_whole_names() {
    for (directory, kind) in [
        ("share/man", Some(FileKind::Man)),
        ("share/manx", None),
        ("xshare/man", None),
        ("man", None),
        ("a/b/share/man/c", Some(FileKind::Man)),
        ("share", None),
        ("", None),
        ("include/tests", Some(FileKind::Headers)),
        ("tests/include", Some(FileKind::Tests)),
    ] {
        assert_eq!(Place::of(directory.as_bytes()).kind(), kind, "{directory}");
    }
}

#[test]
fn first_bytes_are_asked_for_of_executable_files_alone() {
    assert_eq!(named("bin/ls", FileType::Regular, true), Named::NeedsHead);
    assert_eq!(named("bin/ls", FileType::Regular, false), Named::Kind(FileKind::Other));
    assert_eq!(named("bin/ls", FileType::Symlink, true), Named::Kind(FileKind::Symlinks));
    assert_eq!(named("lib/a.so", FileType::Symlink, true), Named::Kind(FileKind::Libraries));
    assert_eq!(named("bin/a.py", FileType::Regular, true), Named::Kind(FileKind::Scripts));
    assert_eq!(named("bin", FileType::Directory, true), Named::Kind(FileKind::Directories));
    assert_eq!(named("bin/fifo", FileType::Other, false), Named::Kind(FileKind::Other));
}

/// An ELF file of that type whose second program header is of that type.
fn elf(wide: bool, little: bool, file_type: u16, program: u32) -> Vec<u8> {
    let mut bytes = vec![0; 256];
    bytes[..4].copy_from_slice(b"\x7fELF");
    (bytes[4], bytes[5]) = (1 + u8::from(wide), 2 - u8::from(little));
    let mut put = |at: usize, value: u64, length: usize| {
        let value = value.to_be_bytes();
        let mut value = value[8 - length..].to_vec();
        if little {
            value.reverse();
        }
        bytes[at..at + length].copy_from_slice(&value);
    };
    put(16, file_type.into(), 2);
    let (header, size, count, start, length) =
        if wide { (32, 54, 56, 64, 8) } else { (28, 42, 44, 52, 4) };
    put(header, start, length);
    put(size, 56, 2);
    put(count, 2, 2);
    put(start as usize + 56, program.into(), 4);
    bytes
}

#[test]
fn first_bytes_tell_programs_from_libraries() {
    let lib = Place::of(b"lib");
    let bin = Place::of(b"bin");
    for (wide, little) in [(true, true), (true, false), (false, true), (false, false)] {
        let of = |place: Place, file_type, program| {
            place.with_head(Head::of(&elf(wide, little, file_type, program))).key()
        };
        assert_eq!(of(lib, 3, 6), "libraries");
        assert_eq!(of(lib, 3, 3), "executables");
        assert_eq!(of(bin, 3, 6), "executables");
        assert_eq!(of(lib, 2, 6), "executables");
        assert_eq!(of(lib, 1, 6), "static");
        assert_eq!(of(lib, 4, 6), "other");
    }
    for (bytes, kind) in [
        (&b"#!/bin/sh"[..], "scripts"),
        (b"MZ\x90", "executables"),
        (b"\0asm\x01", "bytecode"),
        (b"!<arch>\n", "static"),
        (b"\xcf\xfa\xed\xfe\0\0\0\0\0\0\0\0\x02\0\0\0", "executables"),
        (b"\xcf\xfa\xed\xfe\0\0\0\0\0\0\0\0\x06\0\0\0", "libraries"),
        (b"\xcf\xfa\xed\xfe", "other"),
        (b"\x7fELF", "other"),
        (b"#", "other"),
        (b"", "other"),
    ] {
        assert_eq!(lib.with_head(Head::of(bytes)).key(), kind, "{bytes:?}");
    }
    assert_eq!(Place::of(b"share/x").with_head(Head::of(b"text")).key(), "data");
}

#[test]
fn no_first_bytes_are_too_odd() {
    // Each cut of a file, and offsets that lead nowhere.
    let mut whole = elf(true, true, 3, 3);
    whole[32..40].fill(0xff);
    for end in 0..whole.len() {
        Head::of(&whole[..end]);
    }
}

#[test]
fn the_table_has_each_kind_once_and_no_rule_twice() {
    let kinds: Vec<FileKind> = RULES.iter().map(|rule| rule.kind).collect();
    assert_eq!(kinds, FileKind::ALL);
    let mut seen = std::collections::HashSet::new();
    for rule in RULES {
        for text in rule.places.iter().chain(rule.names) {
            assert!(seen.insert(text), "{text} is there twice");
        }
        assert!(rule.places.iter().all(|place| !place.starts_with('/') && !place.contains('*')));
    }
    for kind in FileKind::ALL {
        assert_eq!(FileKind::from_key(kind.key()), Some(*kind));
        assert!(!kind.description().is_empty());
    }
}
