//! Nix's settings, as far as they decide what an answer says
//! (nix: `src/libutil/configuration.cc`, `src/libstore/globals.cc`,
//! `loadConfFile`; manual section "nix.conf").
//!
//! None of them ever decides what is run or written. Lines that every version
//! of Nix refuses are warnings: with such a line Nix itself would do nothing.

use crate::fs::{ResolveError, Resolved, Tree};
use crate::store::StoreLocation;
use crate::warning::{WarningKind, Warnings};
use data_encoding::BASE64;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// No settings are longer, all files together, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// No system's settings include more files, counting those that are not there: a
/// few that include each other would have millions read.
const MAX_FILES: usize = 256;

/// The key that Nix trusts unless its settings say otherwise.
pub(crate) const DEFAULT_KEY: &str =
    "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
/// The extended attributes that Nix leaves alone unless its settings say otherwise.
pub(crate) const DEFAULT_IGNORED_ACLS: [&str; 3] =
    ["security.csm", "security.selinux", "system.nfs4_acl"];

/// One setting, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcSetting {
    /// Its value.
    pub value: bool,
    /// The file that says so, a name inside the examined root, or
    /// `NIX_CONFIG`; `None` for Nix's default, or what the caller asked for.
    pub source: Option<PathBuf>,
}

/// A setting that is a text, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSetting {
    /// Its value.
    pub value: String,
    /// The file that says so, or `NIX_CONFIG`.
    pub source: PathBuf,
}

/// The two settings that decide what the garbage collector keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcSettings {
    /// Whether the outputs of derivations that are kept are kept too.
    pub keep_outputs: GcSetting,
    /// Whether the derivers of paths that are kept are kept too.
    pub keep_derivations: GcSetting,
}

impl GcSettings {
    /// Settings that the caller asks for.
    pub fn new(keep_outputs: bool, keep_derivations: bool) -> Self {
        let setting = |value| GcSetting { value, source: None };
        Self { keep_outputs: setting(keep_outputs), keep_derivations: setting(keep_derivations) }
    }
}

impl Default for GcSettings {
    /// Nix's defaults: derivations are kept, outputs are not.
    fn default() -> Self {
        Self::new(false, true)
    }
}

/// The settings that decide what an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `keep-outputs` and `keep-derivations`.
    pub gc: GcSettings,
    /// `trusted-public-keys`: the keys that signatures are checked against.
    pub trusted_keys: Vec<String>,
    /// `secret-key-files`: Nix trusts their public halves too.
    pub secret_key_files: Vec<PathBuf>,
    /// `use-case-hack`: `name~nix~case~hack~N` on disk stands for `name`.
    pub use_case_hack: bool,
    /// `store`: the URI of the store that Nix uses.
    pub store: Option<TextSetting>,
    /// `trusted-users`: whose settings the daemon takes over.
    pub trusted_users: Vec<String>,
    /// `ignored-acls`: the extended attributes that Nix leaves alone.
    pub ignored_acls: Vec<String>,
    /// `use-xdg-base-directories`: the default profile's link is not in the
    /// home directory itself.
    pub xdg_base_directories: bool,
    /// `experimental-features` that are enabled.
    pub experimental_features: Vec<String>,
}

impl Default for Settings {
    /// Nix's defaults on Linux.
    fn default() -> Self {
        Self {
            gc: GcSettings::default(),
            trusted_keys: vec![DEFAULT_KEY.to_owned()],
            secret_key_files: Vec::new(),
            use_case_hack: false,
            store: None,
            trusted_users: vec!["root".to_owned()],
            ignored_acls: DEFAULT_IGNORED_ACLS.map(str::to_owned).into(),
            xdg_base_directories: false,
            experimental_features: Vec::new(),
        }
    }
}

impl Settings {
    /// The public halves of `secret-key-files` (names in the tree that the
    /// settings are of), which Nix trusts too (nix: `getDefaultPublicKeys`). It passes over files that its user may
    /// not read: they are notes.
    pub fn public_halves(&self, tree: &Tree, warnings: &mut Warnings) -> Vec<String> {
        let mut keys = Vec::new();
        for file in &self.secret_key_files {
            let mut warn = |kind, message| {
                warnings.push(kind, file.as_os_str().as_bytes(), message);
            };
            let text = match tree.resolve(file, None) {
                Ok(found) => read_settings_file(found, MAX_FILE).map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            match text.as_deref().map(public_half) {
                Ok(Some(key)) => keys.push(key),
                Ok(None) => warn(WarningKind::Unreadable, "is not a secret key".to_owned()),
                Err(e) => warn(WarningKind::Note, format!("its public key is not used: {e}")),
            }
        }
        keys
    }
}

/// `name:` and the last half of the 64 bytes of an ed25519 key.
fn public_half(text: &[u8]) -> Option<String> {
    let (name, key) = std::str::from_utf8(text).ok()?.trim_ascii().split_once(':')?;
    let key = BASE64.decode(key.as_bytes()).ok().filter(|key| key.len() == 64)?;
    (!name.is_empty()).then(|| format!("{name}:{}", BASE64.encode(&key[32..])))
}

/// Where settings are looked for in a tree. A later file has the last word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsFiles {
    /// The system's file: the first of these that is there.
    pub system: Vec<PathBuf>,
    /// The user's files, all that are there. Nix passes over what this user
    /// may not read.
    pub user: Vec<PathBuf>,
    /// The text of `NIX_CONFIG`.
    pub environment: Option<Vec<u8>>,
}

impl SettingsFiles {
    /// The files of the system in which a store lies: `nix.conf` in `conf_dir`
    /// (a name inside the examined root, such as `/etc/nix`), or where there is
    /// none, as in an image that never ran, `/etc/nix/nix.conf` of the system
    /// profile. `nix.custom.conf` is read where that file includes it.
    pub fn of_image(location: &StoreLocation, conf_dir: &Path) -> Self {
        let profile = location.state_dir.join("profiles/system/etc/nix/nix.conf");
        let system = vec![conf_dir.join("nix.conf"), profile];
        Self { system, ..Self::default() }
    }
}

/// Reads the settings from files of a tree.
pub fn read_settings(tree: &Tree, files: &SettingsFiles, warnings: &mut Warnings) -> Settings {
    let mut settings = Settings::default();
    let mut reader = SettingsReader {
        tree,
        settings: &mut settings,
        warnings,
        open: Vec::new(),
        files: 0,
        bytes: 0,
        user: false,
    };
    for file in &files.system {
        if reader.read(file) {
            break;
        }
    }
    reader.user = true;
    for file in &files.user {
        reader.read(file);
    }
    if let Some(text) = &files.environment {
        reader.parse(Path::new("NIX_CONFIG"), text);
    }
    settings
}

struct SettingsReader<'a> {
    tree: &'a Tree,
    settings: &'a mut Settings,
    warnings: &'a mut Warnings,
    /// The files being read, each included by the one before.
    open: Vec<PathBuf>,
    /// How many were looked for, and how many bytes were read.
    files: usize,
    bytes: u64,
    /// Whether the file is one of the user's.
    user: bool,
}

impl SettingsReader<'_> {
    /// Reads a file; whether there is one.
    fn read(&mut self, file: &Path) -> bool {
        if self.files >= MAX_FILES {
            // Said once, at the file that is the first beyond them.
            if self.files == MAX_FILES {
                self.warn(file, format!("is not read: more files than {MAX_FILES} are included"));
            }
            self.files += 1;
            return true;
        }
        self.files += 1;
        let found = match self.tree.resolve(file, None) {
            Ok(found) => found,
            Err(ResolveError::Missing { .. } | ResolveError::NotADirectory { .. }) => return false,
            Err(e) => {
                self.unreadable(file, format!("cannot be read: {e}"));
                return true;
            }
        };
        let real = match &found {
            Resolved::Entry(entry) => entry.path.clone(),
            Resolved::StorePath { .. } => unreachable!("no store directory was given"),
        };
        if self.open.contains(&real) {
            self.warn(file, "includes itself".to_owned());
            return true;
        }
        match read_settings_file(found, MAX_FILE - self.bytes) {
            Ok(text) => {
                self.bytes += text.len() as u64;
                self.open.push(real);
                self.parse(file, &text);
                self.open.pop();
            }
            Err(e) => self.unreadable(file, format!("cannot be read: {e}")),
        }
        true
    }

    fn parse(&mut self, file: &Path, text: &[u8]) {
        for (number, line) in (1..).zip(text.split(|&b| b == b'\n')) {
            if self.files > MAX_FILES {
                return;
            }
            let line = line.split(|&b| b == b'#').next().unwrap_or_default();
            let words = line.split(|b| b" \t\r".contains(b)).filter(|w| !w.is_empty());
            let words: Vec<&[u8]> = words.collect();
            let refused = match *words {
                [] => false,
                [b"include", name] => !self.include(file, name, false),
                [b"!include", name] => !self.include(file, name, true),
                [b"include" | b"!include", ..] => true,
                [name, b"=", ref value @ ..] => !self.set(file, name, value),
                _ => true,
            };
            if refused {
                let line = line.trim_ascii().escape_ascii();
                self.warn(file, format!("Nix refuses line {number}: {line}"));
            }
        }
    }

    /// Reads an included file; whether Nix would go on.
    fn include(&mut self, file: &Path, name: &[u8], may_miss: bool) -> bool {
        let dir = file.parent().unwrap_or(Path::new("/"));
        // In NIX_CONFIG there is no directory for a name to start from.
        if dir.as_os_str().is_empty() && !name.starts_with(b"/") {
            return false;
        }
        self.read(&dir.join(OsStr::from_bytes(name))) || may_miss
    }

    /// Takes a setting, if it is one of ours; whether Nix accepts the value.
    fn set(&mut self, file: &Path, name: &[u8], value: &[&[u8]]) -> bool {
        let boolean = match *value {
            [b"true" | b"yes" | b"1"] => Some(true),
            [b"false" | b"no" | b"0"] => Some(false),
            _ => None,
        };
        let gc = boolean.map(|value| GcSetting { value, source: Some(file.to_owned()) });
        // Before a list's name it adds to what is already set; Nix ignores it elsewhere.
        let (extra, name) = match name.strip_prefix(b"extra-") {
            Some(name) => (true, name),
            None => (false, name),
        };
        let text = |word: &&[u8]| String::from_utf8_lossy(word).into_owned();
        let settings = &mut *self.settings;
        match (name, extra) {
            (b"keep-outputs" | b"gc-keep-outputs", false) => put(&mut settings.gc.keep_outputs, gc),
            (b"keep-derivations" | b"gc-keep-derivations", false) => {
                put(&mut settings.gc.keep_derivations, gc)
            }
            (b"use-case-hack", false) => put(&mut settings.use_case_hack, boolean),
            (b"use-xdg-base-directories", false) => {
                put(&mut settings.xdg_base_directories, boolean)
            }
            (b"experimental-features", _) => {
                list(&mut settings.experimental_features, extra, value.iter().map(text))
            }
            (b"trusted-public-keys" | b"binary-cache-public-keys", _) => {
                list(&mut settings.trusted_keys, extra, value.iter().map(text))
            }
            (b"ignored-acls", _) => list(&mut settings.ignored_acls, extra, value.iter().map(text)),
            (b"trusted-users", _) => {
                list(&mut settings.trusted_users, extra, value.iter().map(text))
            }
            (b"store", false) => {
                let value = value.iter().map(text).collect::<Vec<_>>().join(" ");
                put(&mut settings.store, Some(Some(TextSetting { value, source: file.to_owned() })))
            }
            (b"secret-key-files", _) => {
                let files = value.iter().map(|file| OsStr::from_bytes(file).into());
                list(&mut settings.secret_key_files, extra, files)
            }
            // Other settings decide nothing here.
            _ => true,
        }
    }

    /// Nix passes over a file that its user may not read; but the daemon, or
    /// another user, reads the system's.
    fn unreadable(&mut self, file: &Path, message: String) {
        let kind = if self.user { WarningKind::Note } else { WarningKind::Unreadable };
        self.warnings.push(kind, file.as_os_str().as_bytes(), message);
    }

    fn warn(&mut self, file: &Path, message: String) {
        self.warnings.push(WarningKind::Unreadable, file.as_os_str().as_bytes(), message);
    }
}

/// Takes a value over, if there is one.
fn put<T>(setting: &mut T, value: Option<T>) -> bool {
    value.map(|value| *setting = value).is_some()
}

/// Sets a list, or adds to it.
fn list<T>(setting: &mut Vec<T>, extra: bool, values: impl Iterator<Item = T>) -> bool {
    if !extra {
        setting.clear();
    }
    setting.extend(values);
    true
}

/// The text of a file that is short enough.
fn read_settings_file(found: Resolved, longest: u64) -> io::Result<Vec<u8>> {
    let entry = found.into_entry().ok_or(io::ErrorKind::NotFound)?;
    entry.open_file()?.read_all(longest).map_err(|e| match e.kind() {
        io::ErrorKind::FileTooLarge => io::Error::other("it is too long for a settings file"),
        _ => e,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Image(tempfile::TempDir);

    impl Image {
        fn new() -> Self {
            let image = Self(tempfile::tempdir().unwrap());
            std::fs::create_dir_all(image.0.path().join("etc/nix")).unwrap();
            image
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn tree(&self) -> Tree {
            Tree::live(self.0.path()).unwrap()
        }

        fn read(&self) -> (bool, bool, Warnings) {
            let mut warnings = Warnings::new();
            let (tree, state_dir) = (self.tree(), Path::new("/nix/var/nix"));
            let location = crate::fs::locate(&tree, "/nix/store", state_dir).unwrap();
            let files = SettingsFiles::of_image(&location, Path::new("/etc/nix"));
            let gc = read_settings(&tree, &files, &mut warnings).gc;
            (gc.keep_outputs.value, gc.keep_derivations.value, warnings)
        }
    }

    #[test]
    fn defaults_without_a_file() {
        let (outputs, derivations, warnings) = Image::new().read();
        assert_eq!((outputs, derivations, warnings.total()), (false, true, 0));
    }

    #[test]
    fn the_last_word_counts_and_old_names_do_too() {
        let image = Image::new();
        image.write(
            "etc/nix/nix.conf",
            "keep-outputs = false # no\ngc-keep-outputs=true\n\
             gc-keep-outputs = true\nkeep-derivations = 0\nsubstituters = a b\n",
        );
        let (outputs, derivations, warnings) = image.read();
        assert_eq!((outputs, derivations), (true, false));
        // Nix wants blanks around the equals sign.
        assert_eq!(warnings.total(), 1);
    }

    #[test]
    fn includes_stay_inside_and_end() {
        let image = Image::new();
        image.write("etc/nix/nix.conf", "!include nix.custom.conf\n!include gone\ninclude gone2\n");
        symlink("/../../../x/custom", image.0.path().join("etc/nix/nix.custom.conf")).unwrap();
        image.write("x/custom", "keep-outputs = yes\ninclude /etc/nix/nix.conf\n");
        let (outputs, _, warnings) = image.read();
        assert!(outputs);
        let messages: Vec<_> = warnings.iter().map(|w| w.message.as_str()).collect();
        assert!(messages[0].contains("includes itself"), "{messages:?}");
        assert_eq!(messages[1], "Nix refuses line 3: include gone2");
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn an_image_that_never_ran_has_its_system_profile() {
        let image = Image::new();
        std::fs::create_dir_all(image.0.path().join("nix/var/nix/profiles")).unwrap();
        symlink("/nix/store/sys", image.0.path().join("nix/var/nix/profiles/system")).unwrap();
        image.write("nix/store/sys/etc/nix/nix.conf", "keep-outputs = true\n");
        assert!(image.read().0);
    }

    fn system() -> SettingsFiles {
        SettingsFiles { system: vec!["/etc/nix/nix.conf".into()], ..SettingsFiles::default() }
    }

    #[test]
    fn a_list_replaces_all_before_it_and_extra_adds() {
        let image = Image::new();
        let keys = |text: &str| {
            image.write("etc/nix/nix.conf", text);
            read_settings(&image.tree(), &system(), &mut Warnings::new()).trusted_keys.join(" ")
        };
        assert_eq!(keys(""), DEFAULT_KEY);
        assert_eq!(keys("extra-trusted-public-keys = c:3 # d:4"), format!("{DEFAULT_KEY} c:3"));
        assert_eq!(keys("extra-binary-cache-public-keys = c:3"), format!("{DEFAULT_KEY} c:3"));
        assert_eq!(keys("extra-trusted-public-keys = a:1\ntrusted-public-keys = b:2"), "b:2");
        assert_eq!(
            keys("binary-cache-public-keys = a:1 b:2\nextra-trusted-public-keys = c:3"),
            "a:1 b:2 c:3"
        );
        assert_eq!(keys("trusted-public-keys ="), "");
    }

    #[test]
    fn what_is_canonical_is_a_setting() {
        let image = Image::new();
        image.write(
            "etc/nix/nix.conf",
            "use-case-hack = true\nextra-ignored-acls = user.x\nsecret-key-files = /a /b\n",
        );
        let settings = read_settings(&image.tree(), &system(), &mut Warnings::new());
        assert!(settings.use_case_hack);
        let acls = ["security.csm", "security.selinux", "system.nfs4_acl", "user.x"];
        assert_eq!(settings.ignored_acls, acls);
        assert_eq!(settings.secret_key_files, [Path::new("/a"), Path::new("/b")]);
    }

    #[test]
    fn lines_that_every_nix_refuses_are_warnings_with_their_number() {
        for line in [
            "keep-outputs: true",
            "keep-outputs",
            "keep-outputs = maybe",
            "keep-outputs =",
            "use-case-hack = true false",
            "sandbox =true",
            "; keep-outputs = true",
            "include a.conf b.conf",
            "!include a.conf b.conf",
            "include gone.conf",
        ] {
            let image = Image::new();
            image.write("etc/nix/nix.conf", &format!("cores = 1\n{line}\nkeep-derivations = no\n"));
            image.write("etc/nix/a.conf", "keep-outputs = true\n");
            let (outputs, derivations, warnings) = image.read();
            assert_eq!(
                (outputs, derivations, warnings.complete()),
                (false, false, false),
                "{line}"
            );
            let warning = warnings.iter().next().unwrap();
            assert_eq!(warning.path, b"/etc/nix/nix.conf");
            assert_eq!(warning.message, format!("Nix refuses line 2: {line}"));
        }
        for line in ["", " # x", "no-such-setting = a b", "extra-keep-outputs = true", "cores ="] {
            let image = Image::new();
            image.write("etc/nix/nix.conf", line);
            assert_eq!(image.read().2.total(), 0, "{line}");
        }
    }

    #[test]
    fn the_users_files_and_the_environment_have_the_last_word() {
        let image = Image::new();
        image.write("etc/nix/nix.conf", "keep-outputs = true\ntrusted-public-keys = a:1\n");
        image.write("xdg/nix.conf", "keep-outputs = false\nextra-trusted-public-keys = b:2\n");
        image.write("home/nix.conf", "keep-outputs = true\nkeep-derivations = false\n");
        let files = SettingsFiles {
            user: vec!["/xdg/nix.conf".into(), "/home/gone.conf".into(), "/home/nix.conf".into()],
            environment: Some(b"keep-derivations = true".to_vec()),
            ..system()
        };
        let mut warnings = Warnings::new();
        let settings = read_settings(&image.tree(), &files, &mut warnings);
        assert_eq!(warnings.total(), 0);
        assert_eq!(settings.trusted_keys, ["a:1", "b:2"]);
        let found = |setting: &GcSetting| (setting.value, setting.source.clone().unwrap());
        assert_eq!(found(&settings.gc.keep_outputs), (true, "/home/nix.conf".into()));
        assert_eq!(found(&settings.gc.keep_derivations), (true, "NIX_CONFIG".into()));
    }

    #[test]
    fn the_environment_includes_absolute_names_alone() {
        let image = Image::new();
        image.write("more.conf", "keep-outputs = true\n");
        let read = |text: &str| {
            let environment = Some(text.as_bytes().to_vec());
            let mut warnings = Warnings::new();
            let files = SettingsFiles { environment, ..system() };
            let settings = read_settings(&image.tree(), &files, &mut warnings);
            (settings.gc.keep_outputs.value, warnings.complete())
        };
        assert_eq!(read("include /more.conf"), (true, true));
        for line in ["include more.conf", "!include more.conf", "!include ./gone"] {
            assert_eq!(read(line), (false, false), "{line}");
        }
    }

    #[test]
    fn a_file_that_is_no_secret_key_is_a_warning() {
        let image = Image::new();
        image.write("bad", "name:AAAA\n");
        let read = |name: &str| {
            let secret_key_files = vec![name.into()];
            let settings = Settings { secret_key_files, ..Settings::default() };
            let mut warnings = Warnings::new();
            assert_eq!(settings.public_halves(&image.tree(), &mut warnings), [""; 0]);
            (warnings.total(), warnings.complete())
        };
        assert_eq!((read("/bad"), read("/gone")), ((1, false), (1, true)));
    }

    #[test]
    fn a_loop_of_links_is_no_missing_file() {
        let image = Image::new();
        symlink("nix.conf", image.0.path().join("etc/nix/nix.conf")).unwrap();
        assert!(!image.read().2.complete());
    }

    #[test]
    fn a_fifo_does_not_block() {
        let image = Image::new();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            image.0.path().join("etc/nix/nix.conf"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert_eq!(image.read().2.total(), 1);
    }
}
