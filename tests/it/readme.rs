//! The README's samples are what the program prints.

use crate::support::{run, skip};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

const SOURCES: &str = env!("CARGO_MANIFEST_DIR");

/// A command of the README, and what is said that it prints.
#[derive(Debug)]
struct Sample {
    command: String,
    expected: Vec<String>,
}

fn samples() -> Vec<Sample> {
    let text = fs::read_to_string(Path::new(SOURCES).join("README.md")).unwrap();
    let mut samples = Vec::new();
    for block in text.split("```text\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("\\\n", "");
        // What stands before the first command of a block is no command's.
        let mut sample: Option<Sample> = None;
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                samples.extend(sample.take());
                sample = Some(Sample { command: command.to_owned(), expected: Vec::new() });
            } else if let Some(sample) = &mut sample {
                sample.expected.push(line.to_owned());
            }
        }
        samples.extend(sample);
    }
    samples
}

/// A line without what is not the same everywhere: where the store is, time, what the
/// file system has left.
fn masked(line: &str, dir: &Path) -> String {
    let line = line.replace(dir.to_str().unwrap(), "…");
    let changes = ["examined in", "file system has left", "inodes left"];
    if let Some(label) = changes.iter().find(|label| line.starts_with(**label)) {
        return (*label).to_owned();
    }
    // When a generation was made, `2026-11-25 21:03 +00:00`, is last.
    if line.contains("old generations") && line.ends_with(" +00:00") {
        let before = line.chars().count() - "2026-11-25 21:03 +00:00".len();
        return line.chars().take(before).chain("(time)".chars()).collect();
    }
    line
}

/// Whether everything below a directory takes the blocks that it takes on ext4 with
/// blocks of 4 KiB, on which the samples were printed. How many blocks the store
/// directory itself has depends on more; no sample shows it so exactly.
fn takes_the_same_blocks(dir: &Path) -> Result<(), String> {
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let usual = match entry.file_type() {
            kind if kind.is_dir() && entry.path().ends_with("nix/store") => continue,
            kind if kind.is_dir() => 4096,
            kind if kind.is_symlink() && meta.size() < 60 => 0,
            _ => meta.size().next_multiple_of(4096),
        };
        if meta.blocks() * 512 != usual {
            let name = entry.path().display();
            return Err(format!("{name} takes {} bytes, not {usual}", meta.blocks() * 512));
        }
    }
    Ok(())
}

#[test]
fn samples_are_what_is_printed() {
    let samples = samples();
    assert!(samples.len() >= 8, "{samples:?}");
    // A new copy: directories that once held more do not get smaller, and links are
    // older or younger than what is asked for by the time of the checkout.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("testdata")).unwrap();
    let demo = dir.join("testdata/demo");
    let mut copy = Command::new("cp");
    copy.args(["-R", "-P", "--preserve=mode,links"]);
    run(copy.arg(Path::new(SOURCES).join("testdata/demo")).arg(&demo)).ok();
    if let Err(other) = takes_the_same_blocks(&demo) {
        return skip(&format!("the samples are of ext4 with blocks of 4 KiB: {other}"));
    }
    let mut compared = 0;
    for sample in samples {
        let command = sample.command.replace("/tmp/demo", dir.join("demo").to_str().unwrap());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&command).current_dir(dir);
        let program = Path::new(env!("CARGO_BIN_EXE_nix-census")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{path}", program.display())).env("TZ", "UTC");
        shell.env_remove("COLUMNS").env_remove("NIX_CONFIG");
        let text = run(&mut shell).ok();
        let mut printed = text.lines().map(|line| masked(line, dir));
        let mut elided = false;
        for line in &sample.expected {
            if line == "…" {
                elided = true;
                continue;
            }
            let line = masked(line, dir);
            let found = if elided {
                printed.any(|l| l == line)
            } else {
                printed.next() == Some(line.clone())
            };
            assert!(found, "`{command}` does not print {line:?} there; it prints:\n{text}");
            elided = false;
            compared += 1;
        }
        assert!(elided || printed.next().is_none(), "`{command}` prints more:\n{text}");
    }
    assert!(compared > 100, "{compared} lines");
    let _ = Command::new("chmod").args(["-R", "u+w"]).arg(dir).status();
}
