//! The README's samples are what the program prints.

use crate::support::TestEnv;
use std::fs;
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
    let mut samples: Vec<Sample> = Vec::new();
    for block in text.split("```text\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("\\\n", "");
        for line in block.lines() {
            match (line.strip_prefix("$ "), samples.last_mut()) {
                (Some(command), _) => {
                    samples.push(Sample { command: command.to_owned(), expected: Vec::new() });
                }
                (None, Some(sample)) => sample.expected.push(line.to_owned()),
                (None, None) => {}
            }
        }
    }
    samples
}

/// A line without what is not the same everywhere: time, what the file system has left.
fn masked(line: &str) -> String {
    let line = line.replace(SOURCES, "…");
    let changes = ["examined in", "file system has left", "inodes left"];
    if let Some(label) = changes.iter().find(|label| line.starts_with(**label)) {
        return (*label).to_owned();
    }
    line
}

#[test]
fn samples_are_what_is_printed() {
    let env = TestEnv::new();
    let samples = samples();
    assert!(samples.len() >= 6, "{samples:?}");
    let overview =
        env.run(["--quiet", "--root", &format!("{SOURCES}/testdata/demo"), "--format", "json"]);
    let overview: serde_json::Value = serde_json::from_str(&overview.stdout).unwrap();
    // What the samples were printed on: ext4 with blocks of 4 KiB.
    let blocks = overview["disk_size"] == 10_817_536;
    // On the same file system.
    let copies = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let copy = copies.path().join("demo");
    let mut run_commands = 0;
    for sample in samples {
        let command = sample.command.replace("/tmp/demo", copy.to_str().unwrap());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&command).current_dir(SOURCES);
        let program = Path::new(env!("CARGO_BIN_EXE_nix-census")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{path}", program.display())).env("TZ", "UTC");
        shell.env_remove("COLUMNS").env_remove("NIX_CONFIG");
        let output = shell.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() || !text.is_empty(), "`{command}`");
        let mut printed = text.lines().map(masked);
        run_commands += 1;
        if !blocks {
            continue;
        }
        let mut elided = false;
        for line in &sample.expected {
            if line == "…" {
                elided = true;
                continue;
            }
            let line = masked(line);
            let found = if elided {
                printed.any(|l| l == line)
            } else {
                printed.next() == Some(line.clone())
            };
            assert!(found, "`{command}` does not print {line:?} there; it prints:\n{text}");
            elided = false;
        }
        assert!(elided || printed.next().is_none(), "`{command}` prints more:\n{text}");
    }
    assert!(run_commands > 0);
    let _ = Command::new("chmod").args(["-R", "u+w"]).arg(copies.path()).status();
}
