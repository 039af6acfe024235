//! Names and texts that a terminal, a spreadsheet or a parser would obey, in every
//! place where a name is told, and in every format.

use super::*;
use std::os::unix::ffi::OsStrExt;

/// Puts a name wherever there is one, and asks for everything in all formats.
fn named(case: &mut Case, name: &[u8]) {
    let os = OsStr::from_bytes(name);
    let tree = case.made.store.join(base(3, "tree"));
    fs::write(tree.join(os), "x").unwrap();
    fs::write(case.made.store.join(os), "x").unwrap();
    let roots = case.at("nix/var/nix/gcroots");
    symlink(path(1, "hello-1.0"), roots.join(os)).unwrap();
    let _ = symlink(os, roots.join("to-it"));
    let _ = symlink(os, tree.join("to-it"));
    let db = case.db();
    let sql = "UPDATE ValidPaths SET deriver = CAST(?1 AS TEXT), sigs = CAST(?1 AS TEXT),
               ca = CAST(?1 AS TEXT) WHERE id = 2";
    db.execute(sql, [name]).unwrap();
    let sql = "INSERT INTO ValidPaths (path, hash, registrationTime, narSize)
               VALUES (CAST(?1 AS TEXT), CAST(?2 AS TEXT), 1, 120)";
    let odd = [b"/nix/store/00000000000000000000000000000009-", name].concat();
    db.execute(sql, [&odd[..], name]).unwrap();
    db.execute("INSERT INTO DerivationOutputs VALUES (4, CAST(?1 AS TEXT), 'x')", [name]).unwrap();
    db.execute_batch("INSERT INTO Refs SELECT 3, max(id) FROM ValidPaths").unwrap();
    drop(db);
    let settings = [b"keep-outputs = ", name, b"\n", name, b" = x\ninclude ", name, b"\n"].concat();
    fs::write(case.at("etc/nix/nix.conf"), settings).unwrap();
    case.settle();
    let commands: [&[&str]; 3] = [
        &["report", "--all", "--columns", "all"],
        &["roots", "--no-runtime"],
        &["audit", "--contents"],
    ];
    for format in formats() {
        for command in commands {
            if of_findings(&format) && command[0] != "audit" {
                continue;
            }
            let words: Vec<OsString> = command.iter().map(Into::into).collect();
            case.run_once(&words, &format);
        }
    }
}

attacks! {
    fn escape_sequences(case) {
        named(&mut case, b"\x1b[31mred\x1b]0;title\x07\x1b[2J");
    }
    fn controls_of_eight_bits(case) {
        named(&mut case, "a\u{9b}31m\u{85}\u{90}z".as_bytes());
    }
    fn text_that_runs_backwards(case) {
        named(&mut case, "gnp\u{202e}exe\u{2066}\u{200f}\u{61c}".as_bytes());
    }
    fn text_that_is_not_seen(case) {
        named(&mut case, "a\u{200b}\u{feff}\u{2060}\u{ad}\u{e0041}b".as_bytes());
    }
    fn bytes_that_are_not_utf8(case) {
        named(&mut case, b"\xff\xfe\xc3\x28\xed\xa0\x80");
    }
    fn lines_and_tabs(case) {
        named(&mut case, b"one\ntwo\r\tthree\x0b\x0c");
    }
    fn names_of_255_bytes(case) {
        named(&mut case, &[b'n'; 255]);
    }
    fn formulas(case) {
        named(&mut case, b"=cmd|' !A1'");
    }
    fn options(case) {
        named(&mut case, b"--output=x");
    }
    fn markup(case) {
        named(&mut case, b"<![CDATA[]]>&x;\"'<script>");
    }
    fn the_end_of_a_json_text(case) {
        named(&mut case, b"\"},{\"complete\":true}]}\\u0000\\");
    }
    fn commands_of_a_workflow(case) {
        named(&mut case, b"::error file=x::y%0A::set-output name=a::b");
    }
    fn the_character_of_deletion(case) {
        named(&mut case, b"a\x7f\x08\x08b");
    }
    fn what_the_user_names(case) {
        case.settle();
        for target in ["\x1b[31m", "\u{202e}", "/nix/store/../../outside", "a\nb"] {
            let ran = case.run_once(&["report", "--", target].map(word), "json");
            assert_eq!(ran.run.status, 2, "{target:?}: {}", ran.run.stderr);
            assert!(ran.run.stdout.is_empty() && ran.run.stderr.starts_with("error: "), "{}", ran.run.stderr);
        }
        // All paths; and the names on standard input, of which there are none.
        for (target, status) in [("*", 0), ("-", 2)] {
            let ran = case.run_once(&["report", "--", target].map(word), "json");
            assert_eq!(ran.run.status, status, "{target:?}: {}", ran.run.stderr);
        }
    }
}
