//! Which generations `nix-collect-garbage` deletes, against real Nix: profiles
//! of every shape, in every place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::run;
use crate::support::store_with_roots::{Rooted, each_rooted, list, number, texts};

/// Generations of `name` in `dir`, 400, 90, 40 and 2 days old, each a root of
/// its own, and the profile's link.
fn profile(rooted: &Rooted, dir: &Path, name: &str, link: Option<&str>) {
    fs::create_dir_all(dir).unwrap();
    let valid = rooted.store.valid_paths();
    let mut paths = valid.iter().filter(|p| p.contains("-app-") && !p.ends_with(".drv")).cycle();
    for (number, days) in (1..).zip([400, 90, 40, 2]) {
        let generation = dir.join(format!("{name}-{number}-link"));
        symlink(paths.next().unwrap(), &generation).unwrap();
        let date = format!("{days} days ago");
        run(Command::new("touch").args(["-h", "-d", &date]).arg(&generation)).ok();
        if !generation.starts_with(&rooted.store.real_state_dir) {
            let text = generation.to_str().unwrap().replace('/', "_");
            symlink(&generation, rooted.gcroot("auto").join(text)).unwrap();
        }
    }
    if let Some(link) = link {
        symlink(link, dir.join(name)).unwrap();
    }
}

/// Every kind of place and link, beside those that the store has.
fn fill(rooted: &Rooted) -> Vec<PathBuf> {
    let profiles = rooted.store.real_state_dir.join("profiles");
    let bob = rooted.user("bob/state/profiles");
    let places = [
        profiles.clone(),
        profiles.join("per-user/root"),
        profiles.join("per-user/bob"),
        rooted.user(".local/state/nix/profiles"),
        // Where `~/.nix-profile` leads.
        rooted.user("default"),
        bob.clone(),
    ];
    for dir in &places {
        let text = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        profile(rooted, dir, "plain", Some("plain-4-link"));
        profile(rooted, dir, "back", Some("back-2-link"));
        profile(rooted, dir, "absolute", Some(&text("absolute-4-link")));
        profile(rooted, dir, "dangling", Some("dangling-9-link"));
        profile(rooted, dir, "other", Some("plain-3-link"));
        profile(rooted, dir, "inside", Some("/nix/store/00000000000000000000000000000000-x"));
        profile(rooted, dir, "unlinked", None);
        profile(rooted, dir, "strange", Some("strange-3-link-and-more"));
        // Nix takes it for a third generation too, in either order with the other: were it
        // as new as it is, Nix would fail in one of them.
        let more = dir.join("strange-3-link-and-more");
        symlink("strange-3-link", &more).unwrap();
        run(Command::new("touch").args(["-h", "-d", "40 days ago"]).arg(more)).ok();
    }
    // A directory behind a link is not entered.
    symlink(&bob, profiles.join("bobs-link")).unwrap();
    symlink("default/plain", rooted.user(".nix-profile")).unwrap();
    places.into()
}

/// All links that look like generations' under the store's directory.
fn generations(rooted: &Rooted) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut todo = vec![rooted.user(""), rooted.store.real_state_dir.join("profiles")];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                t if t.is_dir() => todo.push(entry.path()),
                t if t.is_symlink() && entry.file_name().to_string_lossy().ends_with("-link") => {
                    found.insert(entry.path());
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn generations_that_go_are_those_that_nix_collect_garbage_deletes() {
    each_rooted(check_generations);
}

fn check_generations(rooted: &Rooted) {
    let version = rooted.store.nix("nix", ["--version"]);
    let version = version.trim().rsplit(' ').next().unwrap();
    let places = fill(rooted);
    let before = generations(rooted);
    let valid: BTreeSet<String> = rooted.store.valid_paths().into_iter().collect();
    let version = ["--nix-version", version];

    let roots = rooted.json("roots", &version);
    let profiles = list(&roots, "profiles");
    assert!(profiles.iter().any(|p| p["cleaned_by"] == "other"));
    assert!(profiles.iter().any(|p| p["cleaned_by"] == "nobody"));
    for (delete, key) in
        [(&["-d"][..], "old_generations"), (&["--delete-older-than", "30d"], "older_generations")]
    {
        // What it deletes on its way is seen before anything is collected, too.
        let (gone, dead) = rooted.undone(|| {
            rooted.store.nix("nix-collect-garbage", delete);
            let gone: BTreeSet<_> = before.difference(&generations(rooted)).cloned().collect();
            let left: BTreeSet<String> = rooted.store.valid_paths().into_iter().collect();
            (gone, valid.difference(&left).cloned().collect::<BTreeSet<_>>())
        });
        let mut counts: BTreeMap<PathBuf, u64> = BTreeMap::new();
        for link in &gone {
            let name = link.file_name().unwrap().to_str().unwrap().trim_end_matches("-link");
            let (profile, _) = name.rsplit_once('-').unwrap();
            *counts.entry(link.with_file_name(profile)).or_default() += 1;
        }
        let ours: BTreeMap<PathBuf, u64> = (profiles.iter())
            .map(|p| (p["profile"].as_str().unwrap().into(), p[key].as_u64().unwrap_or(0)))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(ours, counts, "{delete:?}");
        if let ["--delete-older-than", days] = delete {
            let ours = rooted.json("garbage", &[&["--older-than", days], &version[..]].concat());
            assert_eq!(texts(list(&ours, "dead_paths"), "path"), dead);
            let label = ours["steps"][1]["roots"].as_u64();
            assert_eq!(label, Some(gone.iter().filter(|l| l.exists()).count() as u64));
        }
    }

    // `nix-env` deletes them by number, in each of the profiles.
    let own = profiles.iter().filter(|p| p["cleaned_by"] == "caller");
    let own: Vec<&str> = own.map(|p| p["profile"].as_str().unwrap()).collect();
    assert!(own.len() >= 5, "{own:?}");
    for keep in ["1", "2", "3"] {
        let dead = rooted.undone(|| {
            for profile in &own {
                let delete = format!("+{keep}");
                let args = ["-p", profile, "--delete-generations", &delete];
                rooted.store.nix("nix-env", args);
            }
            rooted.dead(&[])
        });
        let ours = rooted.json("garbage", &[&["--keep-generations", keep], &version[..]].concat());
        assert_eq!(texts(list(&ours, "dead_paths"), "path"), dead, "+{keep}");
    }

    // Those of others count if asked.
    let all = rooted.json("roots", &[&["--all-users"], &version[..]].concat());
    let mut counted = 0;
    for profile in list(&all, "profiles") {
        let name = Path::new(profile["profile"].as_str().unwrap());
        if places.iter().any(|dir| name == dir.join("plain")) {
            assert_eq!(number(&profile["old_generations"]), 3, "{name:?}");
            counted += 1;
        }
    }
    assert_eq!(counted, places.len());
    rooted.put_back();
}
