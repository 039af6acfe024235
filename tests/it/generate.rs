//! Completions and man pages: whole, and taken by the shells and by man.

use super::support::store_in_code::{Made, SCHEMA, insert, path};
use super::support::{TestEnv, have, run};
use std::fs;
use std::process::Command;

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "nushell"];

/// The commands that help lists.
fn commands(env: &TestEnv) -> Vec<String> {
    let help = env.ok(["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter_map(|l| l.strip_prefix("  ")?.split(' ').next());
    commands.filter(|c| !c.is_empty() && *c != "help").map(str::to_owned).collect()
}

#[test]
fn each_shell_takes_its_completions() {
    let env = TestEnv::new();
    for (shell, checks) in SHELLS.iter().zip([
        &["bash", "-n"][..],
        &["zsh", "-n"],
        &["fish", "-n"],
        &["elvish", "-compileonly"],
        &["nu", "--ide-check", "10"],
    ]) {
        let script = env.ok(["generate", "completions", shell]);
        assert!(script.contains("nix-census"), "{shell}: {script}");
        // No package of Debian has Nushell: it is asked where it happens to be.
        let may_lack = checks[0] == "nu" && run(Command::new("which").arg("nu")).status != 0;
        if may_lack {
            println!("not checked: {shell} is not installed");
        }
        if may_lack || !have(&[checks[0]]) {
            continue;
        }
        let file = env.join(format!("script.{shell}"));
        // Only elvish at a terminal has the module that the script sets something in.
        let before = match *shell {
            "elvish" => "var edit: = (ns [&completion:=(ns [&arg-completer=[&]])])\n",
            _ => "",
        };
        fs::write(&file, format!("{before}{script}")).unwrap();
        let checked = run(Command::new(checks[0]).args(&checks[1..]).arg(&file));
        assert_eq!(checked.status, 0, "{shell}: {checked:?}");
        assert!(!checked.stdout.contains("\"severity\":\"Error\""), "{shell}: {checked:?}");
    }
}

/// What bash would offer for the last word.
fn offered(env: &TestEnv, words: &[&str]) -> Vec<String> {
    let mut command = env.command(["--", "nix-census"].iter().chain(words));
    command.env("NIX_CENSUS_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "false");
    run(&mut command).ok().lines().map(str::to_owned).collect()
}

#[test]
fn commands_options_columns_and_names_are_completed() {
    let mut env = TestEnv::new();
    let tmp = env.path().to_str().unwrap().to_owned();
    env.set("TMPDIR", &tmp);
    assert_eq!(offered(&env, &["rep"]), ["report"]);
    assert_eq!(offered(&env, &["report", "--sor"]), ["--sort"]);
    assert_eq!(
        offered(&env, &["report", "--columns", "name,retained_d"]),
        ["name,retained_disk_size"]
    );
    assert_eq!(offered(&env, &["report", "--json", "--root-kind", "c"]), ["chroot"]);
    let named = |words: &[&str]| offered(&env, &[&["--demo"], words].concat());
    assert_eq!(named(&["report", "perl"])[..2], ["perl", "perl-5.38.2"]);
    assert_eq!(named(&["why", "nixos-system-demo", "systemd-min"]).len(), 4);
    assert_eq!(named(&["report", "hello-2.12.1.d"]), ["hello-2.12.1.drv"]);
    let paths = named(&["report", "/nix/store/1z3msw"]);
    assert_eq!(paths, ["/nix/store/1z3msw5kcnlfn6mhcmmibwq4nx27kf7q-perl-5.38.2"]);
    assert!(named(&["report", "no-such"]).is_empty());
    // Nushell asks in its own way.
    assert_eq!(
        env.ok(["generate", "names", "--", "--demo", "report", "perl-5.38.2-"]),
        "perl-5.38.2-env\n"
    );
}

#[test]
fn rows_that_a_shell_would_obey_are_not_offered() {
    let env = TestEnv::new();
    let (made, db) = Made::with(&env, "store", SCHEMA);
    let names = ["hello;curl x|sh", "hello$(id)", "hello\nid", "hello\x1b[31m", "hello\u{202e}"];
    for (id, name) in (1..).zip(names) {
        insert(&db, id, path(id, name).as_bytes(), Some(120));
    }
    insert(&db, 8, b"/nix/store/`id;;;;;;;;;;;;;;;;;;;;;;;;;;;;;`-hello-2", Some(120));
    insert(&db, 9, path(9, "hello-1.0").as_bytes(), Some(120));
    drop(db);
    let root = made.dir.to_str().unwrap();
    let named = |text: &str| offered(&env, &["--root", root, "report", text]);
    assert_eq!(named("hello"), ["hello", "hello-1.0"]);
    assert_eq!(named("/nix/store/0"), [path(9, "hello-1.0")]);
    assert!(named("/nix/store/`").is_empty());
    let nushell = env.ok(["generate", "names", "--", "--root", root, "report", "hello"]);
    assert_eq!(nushell, "hello\nhello-1.0\n");
}

#[test]
fn every_command_has_a_man_page() {
    let env = TestEnv::new();
    let dir = env.join("man");
    env.ok(["generate", "man", dir.to_str().unwrap()]);
    let commands = commands(&env);
    let pages = fs::read_dir(&dir).unwrap().count();
    assert_eq!(pages, commands.len() + 1);
    let page = |name: &str| fs::read_to_string(dir.join(name)).unwrap().replace("\\-", "-");
    let whole = page("nix-census.1");
    for text in ["--root", "--json", "EXIT STATUS", "retained_disk_size", "nix-census-report(1)"] {
        assert!(whole.contains(text), "no {text}: {whole}");
    }
    for command in &commands {
        let name = format!("nix-census-{command}.1");
        let text = page(&name);
        assert!(text.contains(".SH EXAMPLES") && text.contains("SEE ALSO"), "{text}");
        for option in env.ok([command, "-h"]).lines().filter_map(|l| l.trim().strip_prefix("--")) {
            let option = option.split([' ', '[']).next().unwrap();
            assert!(text.contains(&format!("--{option}")), "{name} has no {option}");
        }
        if have(&["man"]) {
            let mut man = Command::new("man");
            man.env("MANWIDTH", "80")
                .env("LC_ALL", "C.UTF-8")
                .args(["--warnings", "-l"])
                .arg(dir.join(&name));
            let shown = run(&mut man);
            assert_eq!((shown.status, &*shown.stderr), (0, ""), "{name}");
        }
    }
}
