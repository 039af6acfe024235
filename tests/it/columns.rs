//! Every value is of its column's type, in the answers of all commands: a
//! program built for tests checks each row that it writes.

#![cfg(debug_assertions)]

use crate::support::TestEnv;
use serde_json::Value;

const SYSTEM: &str = "nixos-system-demo-24.05.2";

#[test]
fn hold_values_of_their_type_in_every_answer() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo");
    let env = TestEnv::new();
    let questions: [(&[&str], &[&str]); 17] = [
        (&[], &["heaviest"]),
        (&["report", "--all", "--columns", "all"], &["paths"]),
        (&["tree", SYSTEM], &["lines"]),
        (&["tree", "glibc", "--inverse"], &["lines"]),
        (&["why", "systemd-minimal"], &["users"]),
        (&["why", SYSTEM, "perl-5.38.2", "--precise"], &["lines", "files"]),
        (&["why", SYSTEM, "perl-5.38.2", "--all-chains"], &["lines"]),
        (&["why", SYSTEM, "systemd-minimal", "--referrers"], &["lines"]),
        (
            &[
                "what-if",
                SYSTEM,
                "--remove",
                "perl",
                "--replace",
                "systemd-minimal=systemd",
                "--drop-files",
                "share/man/**",
            ],
            &["steps", "gone", "kept"],
        ),
        (&["suggest", SYSTEM], &["suggestions"]),
        (&["kinds", SYSTEM], &["kinds", "paths"]),
        (&["optimise"], &["by_path", "by_package", "by_kind"]),
        (&["roots", "--no-runtime", "--shared"], &["roots", "profiles"]),
        (&["roots", "--no-runtime", "--of", SYSTEM], &["roots"]),
        (&["garbage", "--no-runtime", "--older-than", "1d"], &["dead_paths", "dead_packages"]),
        (&["garbage", "--no-runtime", "glibc"], &["why"]),
        (&["audit", "--contents", "--references"], &["findings"]),
    ];
    for (question, lists) in questions {
        for disk in [&[][..], &["--no-disk"]] {
            let reads = ["--precise", "--drop-files", "kinds", "optimise", "--contents"]
                .iter()
                .any(|word| question.contains(word));
            if reads && !disk.is_empty() {
                continue;
            }
            let args = ["--quiet", "--root", root, "--format", "json"];
            let run = env.run([&args, disk, question].concat());
            let json: Value = serde_json::from_str(&run.stdout)
                .unwrap_or_else(|e| panic!("{question:?}: {e}: {}", run.stderr));
            for list in lists {
                let rows = json[list].as_array().unwrap();
                assert!(!rows.is_empty(), "{question:?}: {list}");
            }
        }
    }
}
