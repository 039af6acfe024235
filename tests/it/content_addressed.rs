//! Outputs of content-addressed derivations, against what real Nix finds.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use crate::support::nix::{Nix, Store, each};
use crate::support::store_with_roots::{list, texts};
use crate::support::{TestEnv, run};

const EXPRESSION: &str = r#"
let
  make = name: attributes: script: derivation ({
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    args = [ "-c" script ];
  } // attributes);
  floating = { __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; };
in rec {
  lib = make "lib" (floating // { outputs = [ "out" "dev" ]; }) "echo lib > $out; echo dev > $dev";
  fixed = make "fixed" {
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed\n";
  } "echo fixed > $out";
  same1 = make "same" (floating // { n = 1; }) "echo same > $out";
  same2 = make "same" (floating // { n = 2; }) "echo same > $out";
  app = make "app" floating "echo app ${lib} ${lib.dev} ${same1} ${fixed} > $out";
  plain = make "plain" { } "echo plain ${lib} > $out";
}
"#;

const SETTINGS: &str = "sandbox = false\nbuild-users-group =\nfilter-syscalls = false\n\
    substitute = false\nfsync-metadata = false\nkeep-outputs = true\nkeep-derivations = false\n\
    experimental-features = nix-command ca-derivations";

#[test]
fn outputs_are_those_that_nix_finds_by_its_build_trace() {
    each(check);
}

fn check(nix: &'static Nix) {
    let mut env = TestEnv::new();
    let store = Store::private(nix, env.join("all"));
    for dir in ["state/gcroots", "state/profiles", "conf", "user"] {
        fs::create_dir_all(store.dir.join(dir)).unwrap();
    }
    let expression = env.join("x.nix");
    fs::write(&expression, EXPRESSION).unwrap();
    let expression = expression.to_str().unwrap();
    let ask = |program: &str, args: &[&str]| {
        let mut command = store.command(program, args);
        run(command.env("NIX_CONFIG", SETTINGS))
    };
    for attribute in ["app", "plain", "same1", "same2"] {
        // A builder killed at its very end lost a race in Nix: build again.
        let args = ["--no-out-link", expression, "-A", attribute];
        let built = (0..3).map(|_| ask("nix-build", &args)).find(|built| built.status == 0);
        built.expect("nix-build");
    }
    let mut drvs = Vec::new();
    for attribute in ["app", "plain", "same2"] {
        let drv = ask("nix-instantiate", &[expression, "-A", attribute]).ok();
        let drv = drv.trim().to_owned();
        symlink(&drv, store.real_state_dir.join("gcroots").join(attribute)).unwrap();
        drvs.push(drv);
    }
    let args: Vec<&str> = ["-q", "--requisites", "--include-outputs"]
        .into_iter()
        .chain(drvs.iter().map(String::as_str))
        .collect();
    let kept: BTreeSet<String> = ask("nix-store", &args).ok().lines().map(str::to_owned).collect();
    let valid: BTreeSet<String> = store.valid_paths().into_iter().collect();

    env.set("NIX_CONFIG", SETTINGS).set("NIX_CONF_DIR", store.dir.join("conf").to_str().unwrap());
    // What a derivation built that names no outputs is known of their derivers alone.
    for question in [&["tree"][..], &["report", "--derivers"]] {
        let mut args = store.args();
        args.extend(question.iter().map(Into::into));
        args.push((&drvs[0]).into());
        let run = env.run(args);
        assert!(run.stderr.contains("or content-addressed"), "{question:?}: {}", run.stderr);
    }
    let mut args: Vec<std::ffi::OsString> = vec!["garbage".into()];
    args.extend(store.args());
    args.extend(["--no-runtime", "--format", "json", "--nix-version"].map(Into::into));
    args.push(nix.version.as_str().into());
    let answer = env.run(args);
    // Whether Nix itself keeps them depends on the order of the directory.
    assert_eq!(answer.status, 3, "{}", answer.stderr);
    let answer: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    let dead = texts(list(&answer, "dead_paths"), "path");
    let alive: BTreeSet<String> = valid.difference(&dead).cloned().collect();
    assert_eq!(alive, kept);
    assert!(alive.iter().any(|path| path.ends_with("-plain")));
}
