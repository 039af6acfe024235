//! What others package: the Nix files, the crate, and under which licences.

use super::support::nix::each;
use super::support::run;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const SOURCES: &str = env!("CARGO_MANIFEST_DIR");

/// Real Nix evaluates both, with stubs in place of nixpkgs.
#[test]
fn package_and_flake_evaluate() {
    each(|nix| {
        let mut evaluate = Command::new(nix.bin.join("nix-instantiate"));
        evaluate.args(["--eval", "--strict", "--json", "--readonly-mode"]);
        evaluate.arg(Path::new(SOURCES).join("tests/nix/package.nix"));
        evaluate.args(["--arg", "sources", SOURCES]);
        let value: Value = serde_json::from_str(&run(&mut evaluate).ok()).unwrap();
        let package = &value["package"];
        assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(package["meta"]["mainProgram"], "nix-census");
        assert_eq!(value["overlay"], json!(["nix-census"]));
        for output in ["packages", "apps", "checks", "devShells"] {
            assert!(value["outputs"][output]["aarch64-linux"].is_object(), "{output}");
        }
        let install = package["postInstall"].as_str().unwrap();
        for text in ["installManPage", "installShellCompletion", "generate completions", "nushell"]
        {
            assert!(install.contains(text), "{text}: {install}");
        }
    });
}

/// All that is compiled into the program.
#[test]
fn licences_of_dependencies_go_with_ours() {
    // Those that cargo-deny allows, if it is there.
    let deny = fs::read_to_string(Path::new(SOURCES).join(".ci/deny.toml")).unwrap();
    let (_, allowed) = deny.split_once("allow = [").unwrap();
    let (allowed, _) = allowed.split_once(']').unwrap();
    let taken: Vec<&str> = allowed.split('"').skip(1).step_by(2).collect();
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--format-version=1", "--locked", "--offline"]);
    metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]).current_dir(SOURCES);
    let metadata: Value = serde_json::from_str(&run(&mut metadata).ok()).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} has none"));
        let licence = licence.replace('/', " OR ").replace(['(', ')'], "");
        // Of several to choose from, one will do; where all count, all must.
        let goes = licence
            .split(" AND ")
            .all(|all| all.split(" OR ").any(|one| taken.contains(&one.trim())));
        assert!(goes, "{name}: {licence}");
        assert!(
            package["source"].is_null()
                || package["source"].as_str().unwrap().starts_with("registry+")
        );
    }
}

/// The sources that are published: enough to build, and no test store.
#[test]
fn the_crate_holds_what_it_needs() {
    let mut list = Command::new(env!("CARGO"));
    list.args(["package", "--list", "--locked", "--offline", "--allow-dirty"]).current_dir(SOURCES);
    let list = run(&mut list);
    assert_eq!(list.status, 0, "{}", list.stderr);
    assert!(!list.stderr.contains("ignoring"), "{}", list.stderr);
    let files: Vec<&str> = list.stdout.lines().collect();
    for needed in ["Cargo.lock", "LICENSE", "README.md", "src/main.rs", "src/cli/columns.txt"] {
        assert!(files.contains(&needed), "no {needed}");
    }
    let testdata: Vec<_> = files.iter().filter(|file| file.starts_with("testdata/")).collect();
    assert_eq!(testdata, [&"testdata/demo.tar.gz"]);
}
