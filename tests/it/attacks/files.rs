//! Files of every odd type in every place that is read.

use super::*;
use crate::support::device;

/// Every place at which something is looked for.
const PLACES: [&str; 24] = [
    "nix/var/nix/db/db.sqlite",
    "nix/var/nix/db/db.sqlite-wal",
    "nix/var/nix/db/db.sqlite-shm",
    "nix/var/nix/db/schema",
    "nix/var/nix/db",
    "nix/var/nix/gcroots",
    "nix/var/nix/gcroots/root",
    "nix/var/nix/profiles",
    "nix/var/nix/profiles/default-1-link",
    "nix/var/nix/temproots",
    "etc/nix",
    "etc/nix/nix.conf",
    "nix/store/.links",
    "nix/store/00000000000000000000000000000004-hello-1.0.drv",
    "nix/store/00000000000000000000000000000003-tree/file",
    "boot",
    "boot/loader/entries",
    "boot/loader/entries/nixos-generation-1.conf",
    "boot/EFI/nixos",
    "home",
    "home/u/.cache/nix",
    "home/u/.cache/nix/eval-cache-v5",
    "nix/var/log",
    "nix/var/log/nix/drvs",
];

/// Puts something in each place in turn, and runs what reads it.
fn everywhere(case: &mut Case, put: impl Fn(&Path)) {
    case.only(&[&["garbage", "--no-runtime"], &["audit", "--contents"], &["reclaim"]]);
    for place in PLACES {
        let (at, aside) = (case.at(place), case.env.join("aside"));
        let there = fs::symlink_metadata(&at).is_ok();
        if there {
            fs::rename(&at, &aside).unwrap();
        }
        put(&at);
        case.attack();
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&at).unwrap(),
            Ok(_) => fs::remove_file(&at).unwrap(),
            Err(_) => {}
        }
        if there {
            fs::rename(&aside, &at).unwrap();
        }
    }
}

attacks! {
    fn a_fifo_everywhere(case) {
        everywhere(&mut case, |at| { run(Command::new("mkfifo").arg(at)).ok(); });
    }
    fn a_socket_everywhere(case) {
        let short = tempfile::tempdir().unwrap();
        let socket = short.path().join("s");
        let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        // A name of another file system cannot be linked, and a socket has a short path.
        everywhere(&mut case, |at| { run(Command::new("cp").arg("-a").arg(&socket).arg(at)).ok(); });
    }
    fn a_device_everywhere(case) {
        let one = case.env.join("device");
        if device(&one) {
            fs::remove_file(one).unwrap();
            everywhere(&mut case, |at| assert!(device(at)));
        }
    }
    fn a_directory_everywhere(case) {
        everywhere(&mut case, |at| fs::create_dir(at).unwrap());
    }
    fn a_loop_of_links_everywhere(case) {
        everywhere(&mut case, |at| symlink(at.file_name().unwrap(), at).unwrap());
    }
    fn a_link_that_leads_out_everywhere(case) {
        let out = case.env.join("outside/secret");
        everywhere(&mut case, move |at| symlink(&out, at).unwrap());
    }
    fn a_link_up_and_out_everywhere(case) {
        let out = format!("../../../../../../../../..{}", case.env.join("outside").display());
        everywhere(&mut case, move |at| symlink(&out, at).unwrap());
    }
    fn a_link_to_what_is_not_there_everywhere(case) {
        everywhere(&mut case, |at| symlink("/nothing/at/all", at).unwrap());
    }
    fn an_empty_file_everywhere(case) {
        everywhere(&mut case, |at| fs::write(at, "").unwrap());
    }
    fn noise_everywhere(case) {
        let noise: Vec<u8> = (0..9000u32).map(|i| (i * 31 + i / 251) as u8).collect();
        everywhere(&mut case, move |at| fs::write(at, &noise).unwrap());
    }
    fn a_gigabyte_of_nothing_everywhere(case) {
        case.more_memory = 3 << 30;
        // Its contents are read to be hashed, which takes long here.
        let read = |place: &Path| place.ends_with("file") || place.ends_with("root");
        everywhere(&mut case, |at| {
            let size = if read(at) { 1 << 20 } else { 1 << 30 };
            fs::File::create(at).and_then(|file| file.set_len(size)).unwrap();
        });
    }
    fn what_may_not_be_read_everywhere(case) {
        if !as_nobody(&mut case) {
            return;
        }
        everywhere(&mut case, |at| {
            fs::create_dir(at).and_then(|()| fs::set_permissions(at, PermissionsExt::from_mode(0o000))).unwrap();
        });
    }
    fn nothing_everywhere(case) {
        everywhere(&mut case, |at| assert!(!fs::exists(at).unwrap()));
    }
    fn directories_five_hundred_deep(case) {
        let mut deep = case.made.store.join(base(3, "tree"));
        for _ in 0..500 {
            deep.push("d");
        }
        fs::create_dir_all(deep).unwrap();
        case.attack();
    }
    fn roots_two_hundred_deep(case) {
        let mut deep = case.at("nix/var/nix/gcroots");
        for _ in 0..200 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        symlink(path(1, "hello-1.0"), deep.join("root")).unwrap();
        case.attack();
    }
    fn a_chain_of_a_hundred_links(case) {
        let roots = case.at("nix/var/nix/gcroots");
        for i in 0..100 {
            symlink(format!("link-{}", i + 1), roots.join(format!("link-{i}"))).unwrap();
        }
        symlink(path(1, "hello-1.0"), roots.join("link-100")).unwrap();
        case.attack();
    }
    fn a_root_that_is_its_own_parent(case) {
        symlink(".", case.at("nix/var/nix/gcroots/self")).unwrap();
        symlink("..", case.at("nix/var/nix/gcroots/up")).unwrap();
        symlink("/nix/var/nix/gcroots", case.at("nix/var/nix/profiles/roots")).unwrap();
        case.attack();
    }
    fn ten_thousand_roots(case) {
        let roots = case.at("nix/var/nix/gcroots/auto");
        for i in 0..10_000 {
            symlink(path(i % 4 + 1, "x"), roots.join(i.to_string())).unwrap();
        }
        case.only(&[&["garbage", "--no-runtime"], &["roots", "--no-runtime"]]);
        case.attack();
    }
    fn three_files_of_eight_exbibytes(case) {
        let tree = case.made.store.join(base(3, "tree"));
        for i in 0..3 {
            let file = fs::File::create(tree.join(format!("sparse{i}"))).unwrap();
            // Not every file system has such files.
            if file.set_len(i64::MAX as u64).is_err() {
                return skip("this file system has no files of eight exbibytes");
            }
        }
        case.only(&[&[], &["report", "--all"], &["optimise"], &["garbage", "--no-runtime"], &["tree", "tree"]]);
        let all = case.attack();
        // Nothing wraps: a sum is the largest number, or none, and it is said.
        for ran in all.iter().filter(|ran| ran.run.stdout.contains("apparent_size\":1844")) {
            assert_eq!(ran.run.status, 3, "{:?}", ran.command);
        }
        said(&all, "2^64");
    }
    fn hard_links_out_of_the_store(case) {
        let secret = case.env.join("outside").join(CANARY);
        fs::hard_link(&secret, case.made.store.join(base(3, "tree")).join("linked")).unwrap();
        // The contents are those of the store too; the name outside is not told.
        fs::write(&secret, "not to be told").unwrap();
        case.attack();
    }
    fn attributes_of_every_kind(case) {
        let file = case.made.store.join(base(3, "tree")).join("file");
        for name in ["user.\u{1b}[31m", "user.\u{202e}x", "user.plain"] {
            let _ = rustix::fs::setxattr(&file, name, &[0xff; 500], rustix::fs::XattrFlags::empty());
        }
        case.attack();
    }
    fn derivations_that_are_bombs(case) {
        let drv = case.made.store.join(base(4, "hello-1.0.drv"));
        for text in [
            format!("Derive([{}", "(\"\",".repeat(20_000)),
            format!("Derive({}", "[".repeat(200_000)),
            format!("Derive([],[{}],[],\"\",\"\",[],[])", vec![r#"("/nix/store/00000000000000000000000000000004-hello-1.0.drv",["out"])"#; 5000].join(",")),
            format!("Derive([],[],[{}],\"\",\"\",[],[])", vec![r#""x""#; 50_000].join(",")),
            format!("Derive([(\"{}\",\"\",\"\",\"\")],[],[],\"\",\"\",[],[])", "\\".repeat(50_001)),
        ] {
            fs::write(&drv, text).unwrap();
            case.only(&[&["garbage", "--no-runtime"], &["audit", "--references"]]);
            case.attack();
        }
    }
}

/// A file that the user names in place of a database.
fn source(case: &mut Case, option: &str, bytes: &[u8]) -> Vec<Ran> {
    let file = case.env.join("source");
    fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let commands: Vec<[&str; 4]> = vec![
        ["report", "--all", option, &file],
        ["garbage", "--no-runtime", option, &file],
        ["audit", "--no-disk", option, &file],
    ];
    let commands: Vec<&[&str]> = commands.iter().map(|c| &c[..]).collect();
    case.only(&commands);
    case.attack()
}

attacks! {
    fn a_registration_of_noise(case) {
        source(&mut case, "--registration", &[0xfe; 100_000]);
    }
    fn a_registration_of_endless_references(case) {
        let text = format!("{}\n{:064}\n120\n\n18446744073709551615\n", path(1, "a"), 0);
        source(&mut case, "--registration", text.as_bytes());
    }
    fn a_registration_that_repeats_one_reference(case) {
        let mut text = format!("{}\n{:064}\n120\n\n200000\n", path(1, "a"), 0);
        text.push_str(&format!("{}\n", path(1, "a")).repeat(200_000));
        source(&mut case, "--registration", text.as_bytes());
    }
    fn a_registration_of_one_long_line(case) {
        source(&mut case, "--registration", &[b'x'; 5_000_000]);
    }
    fn path_info_nested_without_end(case) {
        all_ended(&source(&mut case, "--path-info", &[b'['; 1_000_000]), 3);
        all_ended(&source(&mut case, "--path-info", "{\"a\":".repeat(200_000).as_bytes()), 3);
    }
    fn path_info_that_repeats_itself(case) {
        let one = format!(r#"{{"path":"{}","narHash":"sha256:{:064}","narSize":120,"references":["{0}","{0}"]}},"#, path(1, "a"), 0);
        let text = format!("[{}", one.repeat(20_000));
        source(&mut case, "--path-info", format!("{}]", text.trim_end_matches(',')).as_bytes());
    }
    fn path_info_with_numbers_beyond_all(case) {
        for number in ["1e999", "-1", "99999999999999999999999", "1.5", "\"x\"", "null"] {
            let text = format!(r#"[{{"path":"{}","narHash":"sha256:{:064}","narSize":{number},"references":[]}}]"#, path(1, "a"), 0);
            source(&mut case, "--path-info", text.as_bytes());
        }
    }
    fn path_info_with_a_size_of_all_bits(case) {
        let text = format!(r#"[{{"path":"{}","narHash":"sha256:{:064}","narSize":18446744073709551615,"closureSize":18446744073709551615,"downloadSize":18446744073709551615,"references":[]}},{{"path":"{}","narHash":"sha256:{1:064}","narSize":18446744073709551615,"downloadSize":18446744073709551615,"references":[]}}]"#, path(1, "a"), 0, path(2, "b"));
        for ran in source(&mut case, "--path-info", text.as_bytes()) {
            assert_eq!(ran.run.status, 3, "{}", ran.run.stdout);
        }
    }
}
