//! The demo store that comes with the program, and the examples that `--help`
//! shows with it.
#![allow(clippy::unwrap_used)]

use super::support::TestEnv;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// When the demo's machine made the links outside its store, in seconds since 1970.
const MADE: u64 = 1795404480;

/// The archive of `testdata/demo` as the program has it, not compressed: what is
/// in a store has the modes and times that Nix gives.
fn archive(demo: &Path) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in walkdir::WalkDir::new(demo).min_depth(1).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(demo).unwrap();
        let in_store = name.starts_with("nix/store") && name != Path::new("nix/store");
        let executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
        let kind = entry.file_type();
        let mode = if executable || !kind.is_file() { 0o755 } else { 0o644 };
        let mut header = tar::Header::new_gnu();
        header.set_mode(if in_store { mode & 0o555 } else { mode });
        header.set_mtime(if in_store { 1 } else { MADE });
        header.set_size(0);
        if kind.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            archive.append_data(&mut header, name, &[][..]).unwrap();
        } else if kind.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            archive.append_link(&mut header, name, fs::read_link(entry.path()).unwrap()).unwrap();
        } else {
            let contents = fs::read(entry.path()).unwrap();
            header.set_size(contents.len() as u64);
            archive.append_data(&mut header, name, &contents[..]).unwrap();
        }
    }
    archive.into_inner().unwrap()
}

/// When the demo store changes on purpose:
/// `NIX_CENSUS_UPDATE=1 cargo test --test it demo::`.
#[test]
fn the_program_has_the_demo_store_of_the_sources() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let expected = archive(&testdata.join("demo"));
    let packed = testdata.join("demo.tar.gz");
    if std::env::var_os("NIX_CENSUS_UPDATE").is_some() {
        let mut gz = GzBuilder::new().write(Vec::new(), Compression::best());
        gz.write_all(&expected).unwrap();
        fs::write(&packed, gz.finish().unwrap()).unwrap();
    }
    let mut is = Vec::new();
    GzDecoder::new(&*fs::read(&packed).unwrap()).read_to_end(&mut is).unwrap();
    assert!(is == expected, "testdata/demo.tar.gz is not made of testdata/demo; see this test");
}

#[test]
fn it_is_unpacked_for_the_run_alone() {
    let mut env = TestEnv::new();
    let tmp = env.join("tmp");
    fs::create_dir(&tmp).unwrap();
    env.set("TMPDIR", tmp.to_str().unwrap());
    // As Nix made it: nothing to find in it.
    let audit = env.run(["--demo", "audit", "--contents", "--references", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&audit.stdout).unwrap();
    assert_eq!(answer["findings"], serde_json::json!([]), "{}", audit.stderr);
    let report = env.ok(["--demo", "report", "--format", "csv"]);
    assert_eq!(report.lines().count(), 87);
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
    let run = env.run(["--demo", "report", "--root", "/"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
}

/// Each `nix-census` line of the help is run on the demo store.
#[test]
fn the_examples_of_the_help_work() {
    let mut env = TestEnv::new();
    let tmp = env.path().to_str().unwrap().to_owned();
    env.set("COLUMNS", "200").set("TMPDIR", &tmp);
    let program = env!("CARGO_BIN_EXE_nix-census");
    let commands = env.ok(["--help"]);
    let commands = commands.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter_map(|l| l.strip_prefix("  ")?.split(' ').next());
    let mut pages: Vec<String> = commands
        .filter(|c| !c.is_empty() && *c != "help")
        .map(|command| env.ok([command, "--help"]))
        .collect();
    assert_eq!(pages.len(), 17);
    pages.push(env.ok(["--help"]));
    for page in &pages {
        let examples = page.split("Examples:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let lines: Vec<&str> =
            examples.lines().filter_map(|l| l.trim().strip_prefix("nix-census")).collect();
        assert!((3..=5).contains(&lines.len()), "{examples}");
        for line in lines {
            let mut shell = env.command([""; 0]);
            let script = format!("exec '{program}' --demo {line}");
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &script]).current_dir(env.path()).env_clear();
            command.envs(
                shell
                    .stdin(std::process::Stdio::null())
                    .get_envs()
                    .filter_map(|(n, v)| Some((n, v?))),
            );
            let run = super::support::run(&mut command);
            assert_eq!(run.status, 0, "{line}: {}\n{}", run.stderr, run.stdout);
            assert!(
                line.contains("-o ") || run.stdout.lines().count() > 1,
                "{line}: {}",
                run.stdout
            );
        }
    }
    assert!(env.join("store.csv").exists() && env.join("audit.xml").exists());
}
