//! `keep-outputs` and `keep-derivations`, read from the examined system's own
//! `nix.conf` (nix: `src/libutil/configuration.cc`, manual section "nix.conf").
//!
//! Besides these two, the keys that signatures are checked against. All of
//! them decide what an answer says; they never decide what is run or written.

use crate::store::{Place, StoreLocation, resolve};
use crate::warning::{WarningKind, Warnings};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// No settings file is longer.
const MAX_FILE: u64 = 1 << 20;
/// More includes than any system has end a loop through changing names.
const MAX_FILES: usize = 256;

/// One setting, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcSetting {
    /// Its value.
    pub value: bool,
    /// The file that says so, a name inside the examined root; `None` for
    /// Nix's default, or what the caller asked for.
    pub source: Option<PathBuf>,
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

/// Reads the settings of the system in which a store lies: from `nix.conf` in
/// `conf_dir` (a name inside the examined root, such as `/etc/nix`), or where
/// there is none, as in an image that never ran, from `/etc/nix/nix.conf` of
/// the system profile. `nix.custom.conf` is read where that file includes it.
pub fn read_gc_settings(
    location: &StoreLocation,
    conf_dir: &Path,
    warnings: &mut Warnings,
) -> GcSettings {
    read_settings(location, conf_dir, warnings).gc
}

/// Reads `trusted-public-keys` and `extra-trusted-public-keys`, from the same
/// file: the former is `None` where the file does not set it.
pub fn read_trusted_keys(
    location: &StoreLocation,
    conf_dir: &Path,
    warnings: &mut Warnings,
) -> (Option<Vec<String>>, Vec<String>) {
    let settings = read_settings(location, conf_dir, warnings);
    (settings.keys, settings.extra_keys)
}

#[derive(Default)]
struct Settings {
    gc: GcSettings,
    keys: Option<Vec<String>>,
    extra_keys: Vec<String>,
}

fn read_settings(location: &StoreLocation, conf_dir: &Path, warnings: &mut Warnings) -> Settings {
    let mut settings = Settings::default();
    let candidates =
        [conf_dir.join("nix.conf"), location.state_dir.join("profiles/system/etc/nix/nix.conf")];
    for file in candidates {
        let mut reader = Reader {
            root: &location.root,
            settings: &mut settings,
            warnings: &mut *warnings,
            open: Vec::new(),
            files: 0,
        };
        if reader.read(&file, true) {
            break;
        }
    }
    settings
}

struct Reader<'a> {
    root: &'a Path,
    settings: &'a mut Settings,
    warnings: &'a mut Warnings,
    /// The files being read, each included by the one before.
    open: Vec<PathBuf>,
    files: usize,
}

impl Reader<'_> {
    /// Reads a file; whether there is one.
    fn read(&mut self, file: &Path, may_miss: bool) -> bool {
        let real = match resolve(self.root, file, None) {
            Ok(Place::File(real)) => real,
            Ok(Place::StorePath { .. }) => unreachable!("no store directory was given"),
            Err(e) => {
                if !may_miss {
                    self.warn(file, format!("is included but cannot be read: {e}"));
                }
                return false;
            }
        };
        if self.open.contains(&real) || self.files >= MAX_FILES {
            self.warn(file, "includes itself".to_owned());
            return true;
        }
        self.files += 1;
        match read_regular(&real) {
            Ok(text) => {
                self.open.push(real);
                self.parse(file, &text);
                self.open.pop();
            }
            Err(e) => self.warn(file, format!("cannot be read: {e}")),
        }
        true
    }

    fn parse(&mut self, file: &Path, text: &[u8]) {
        for line in text.split(|&b| b == b'\n') {
            let line = line.split(|&b| b == b'#').next().unwrap_or_default();
            let mut words = line.split(|b| b" \t\r".contains(b)).filter(|w| !w.is_empty());
            let Some(name) = words.next() else { continue };
            let Some(second) = words.next() else {
                self.warn(file, "has a line that is no setting".to_owned());
                continue;
            };
            if name == b"include" || name == b"!include" {
                let dir = file.parent().unwrap_or(Path::new("/"));
                self.read(&dir.join(OsStr::from_bytes(second)), name == b"!include");
                continue;
            }
            if second == b"=" {
                let list = || words.clone().map(|w| String::from_utf8_lossy(w).into_owned());
                match name {
                    b"trusted-public-keys" | b"binary-cache-public-keys" => {
                        self.settings.keys = Some(list().collect());
                    }
                    b"extra-trusted-public-keys" => self.settings.extra_keys.extend(list()),
                    _ => {}
                }
            }
            // Other settings are none of our business, right or wrong.
            let setting = match name {
                b"keep-outputs" | b"gc-keep-outputs" => &mut self.settings.gc.keep_outputs,
                b"keep-derivations" | b"gc-keep-derivations" => {
                    &mut self.settings.gc.keep_derivations
                }
                _ => continue,
            };
            let value = match (second, words.next(), words.next()) {
                (b"=", Some(b"true" | b"yes" | b"1"), None) => true,
                (b"=", Some(b"false" | b"no" | b"0"), None) => false,
                _ => {
                    let name = name.escape_ascii();
                    self.warn(file, format!("gives {name} a value that is neither true nor false"));
                    continue;
                }
            };
            *setting = GcSetting { value, source: Some(file.to_owned()) };
        }
    }

    fn warn(&mut self, file: &Path, message: String) {
        self.warnings.push(WarningKind::Unreadable, file.as_os_str().as_bytes(), message);
    }
}

/// The text of a regular file, and of nothing else.
fn read_regular(real: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(real, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::new();
    File::from(file).take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is too long for a settings file"));
    }
    Ok(text)
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

        fn read(&self) -> (bool, bool, Warnings) {
            let mut warnings = Warnings::new();
            let location =
                StoreLocation::new(self.0.path(), "/nix/store", Path::new("/nix/var/nix")).unwrap();
            let s = read_gc_settings(&location, Path::new("/etc/nix"), &mut warnings);
            (s.keep_outputs.value, s.keep_derivations.value, warnings)
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
        assert!(messages[1].contains("gone2 does not exist"), "{messages:?}");
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

    #[test]
    fn trusted_keys() {
        let image = Image::new();
        let location =
            StoreLocation::new(image.0.path(), "/nix/store", Path::new("/nix/var/nix")).unwrap();
        let read = || read_trusted_keys(&location, Path::new("/etc/nix"), &mut Warnings::new());
        assert_eq!(read(), (None, Vec::new()));
        image.write(
            "etc/nix/nix.conf",
            "trusted-public-keys = a:1 b:2\nextra-trusted-public-keys = c:3 # d:4\n",
        );
        assert_eq!(read(), (Some(vec!["a:1".into(), "b:2".into()]), vec!["c:3".into()]));
    }

    #[test]
    fn a_fifo_does_not_block() {
        let image = Image::new();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            image.0.path().join("etc/nix/nix.conf"),
            FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        assert_eq!(image.read().2.total(), 1);
    }
}
