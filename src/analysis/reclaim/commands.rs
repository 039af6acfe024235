//! Commands that a person would run, as a shell takes them. They are printed,
//! never run.

use crate::store::StoreLocation;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whose commands they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manager {
    guix: bool,
    /// The directory of a chroot store (`nix --store DIR`).
    chroot: Option<Vec<u8>>,
}

impl Manager {
    /// That of a store.
    pub fn of(location: &StoreLocation) -> Self {
        let real = location.real_store_dir.as_os_str().as_bytes();
        let chroot = real.strip_suffix(location.store_dir.as_bytes());
        let chroot = chroot.filter(|dir| location.root == Path::new("/") && !dir.is_empty());
        Self { guix: location.is_guix(), chroot: chroot.map(<[u8]>::to_vec) }
    }

    /// A program of Nix, which is told where the store is.
    fn nix(&self, program: &str) -> String {
        match &self.chroot {
            Some(dir) => command(&format!("{program} --store"), [dir.as_slice()]),
            None => program.to_owned(),
        }
    }

    /// Collects the garbage.
    pub(super) fn collect(&self) -> String {
        match self.guix {
            true => "guix gc".to_owned(),
            false => self.nix("nix-store") + " --gc",
        }
    }

    /// Links equal files.
    pub(super) fn optimise(&self) -> String {
        match self.guix {
            true => "guix gc --optimize".to_owned(),
            false => self.nix("nix-store") + " --optimise",
        }
    }

    /// Deletes generations of a profile, and of a system's what boots them.
    pub(super) fn delete_generations(&self, profile: &[u8], numbers: &[u64]) -> Vec<String> {
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        let system = profile.ends_with(b"/profiles/system");
        if !self.guix {
            let start = command(&(self.nix("nix-env") + " -p"), [profile]);
            let delete = format!("{start} --delete-generations {}", numbers.join(" "));
            let boot = "/run/current-system/bin/switch-to-configuration boot".to_owned();
            return [delete].into_iter().chain(system.then_some(boot)).collect();
        }
        let numbers = numbers.join(",");
        match system {
            // That installs the boot loader anew itself.
            true => vec![format!("guix system delete-generations {numbers}")],
            false => {
                let start = command("guix package -p", [profile]);
                vec![format!("{start} --delete-generations={numbers}")]
            }
        }
    }
}

/// A word of a command, in printable ASCII alone: tables and CSV escape other
/// characters, and a terminal that shows ASCII alone draws some of them as others,
/// so that a shell would read another name.
pub(super) fn word(bytes: &[u8]) -> String {
    let plain = |&b: &u8| b.is_ascii_alphanumeric() || b"/._-+:=@%,".contains(&b);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Ok(text) if bytes.iter().all(|b| matches!(b, b' '..=b'~')) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => {
            let mut quoted = String::from("$'");
            for &b in bytes {
                match b {
                    b'\'' | b'\\' => quoted.extend(['\\', b.into()]),
                    b' '..=b'~' => quoted.push(b.into()),
                    _ => {
                        let _ = write!(quoted, "\\x{b:02x}");
                    }
                }
            }
            quoted + "'"
        }
    }
}

/// A command of several words after its beginning; a word that could be taken
/// for an option cannot be: all are absolute names.
pub(super) fn command<'a>(start: &str, words: impl IntoIterator<Item = &'a [u8]>) -> String {
    words.into_iter().fold(start.to_owned(), |line, bytes| line + " " + &word(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn store(root: &str, store_dir: &str, real: &str) -> Manager {
        Manager::of(&StoreLocation {
            root: root.into(),
            store_dir: store_dir.to_owned(),
            state_dir: "/nix/var/nix".into(),
            real_store_dir: real.into(),
            real_state_dir: "/nix/var/nix".into(),
            database: "/nix/var/nix/db/db.sqlite".into(),
        })
    }

    #[test]
    fn commands_are_those_of_the_store() {
        let of = |manager: Manager, profile: &str| {
            let mut commands = vec![manager.collect(), manager.optimise()];
            commands.extend(manager.delete_generations(profile.as_bytes(), &[1, 3]));
            commands
        };
        let nix = of(store("/", "/nix/store", "/nix/store"), "/nix/var/nix/profiles/system");
        assert_eq!(
            nix,
            [
                "nix-store --gc",
                "nix-store --optimise",
                "nix-env -p /nix/var/nix/profiles/system --delete-generations 1 3",
                "/run/current-system/bin/switch-to-configuration boot",
            ]
        );
        // Of an image they are to be run inside.
        let image = store("/mnt", "/nix/store", "/mnt/nix/store");
        assert_eq!(of(image, "/nix/var/nix/profiles/system"), nix);
        assert_eq!(
            of(store("/", "/nix/store", "/my stores/a/nix/store"), "/home/u/profile"),
            [
                "nix-store --store '/my stores/a' --gc",
                "nix-store --store '/my stores/a' --optimise",
                "nix-env --store '/my stores/a' -p /home/u/profile --delete-generations 1 3",
            ]
        );
        let guix = || store("/", "/gnu/store", "/gnu/store");
        assert_eq!(
            of(guix(), "/var/guix/profiles/system"),
            ["guix gc", "guix gc --optimize", "guix system delete-generations 1,3"]
        );
        assert_eq!(
            of(guix(), "/home/a b/.guix-profile")[2..],
            ["guix package -p '/home/a b/.guix-profile' --delete-generations=1,3"]
        );
    }

    #[test]
    fn a_shell_reads_the_same_bytes() {
        let names: [&[u8]; 7] =
            [b"/a/b-1.0", b"/a b", b"/it's", b"/$HOME", b"/\n\x1b'\\x", b"/\xff\xfe", b"/\xc3\xa9"];
        // Characters that no format writes as they are, though they are no controls.
        let drawn_otherwise =
            ["/a\u{ad}b", "/\u{202e}x", "/\u{200b}", "/\u{feff}é", "/\u{e0041}", "/’"];
        for name in names.into_iter().chain(drawn_otherwise.map(str::as_bytes)) {
            // As tables and CSV print it.
            let script = text::escape(format!("printf %s {}", word(name)).as_bytes());
            let out = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(out.stdout, name, "{script}");
            assert!(!script.chars().any(char::is_control));
            assert!(script.is_ascii(), "{script}");
        }
    }
}
