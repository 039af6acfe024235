//! What the environment says of Nix's files, as Nix reads it
//! (nix: `src/libstore/globals.cc`, `src/libutil/users.cc`).

use crate::roots::SettingsFiles;
use rustix::process::geteuid;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Where this machine's settings are for this user: `NIX_CONF_DIR`, the user's
/// files, `NIX_CONFIG`.
pub(super) fn settings_files(current: &Path) -> SettingsFiles {
    let conf_dir = not_empty("NIX_CONF_DIR").unwrap_or_else(|| "/etc/nix".into());
    let mut user = user_files();
    // The first one has the last word.
    user.reverse();
    SettingsFiles {
        root: PathBuf::from("/"),
        system: vec![plain(&current.join(conf_dir).join("nix.conf"))],
        user: user.iter().map(|file| plain(&current.join(file))).collect(),
        environment: std::env::var_os("NIX_CONFIG").map(OsString::into_vec),
    }
}

/// The user's settings files, the strongest first.
fn user_files() -> Vec<PathBuf> {
    if let Some(files) = std::env::var_os("NIX_USER_CONF_FILES") {
        return list(&files);
    }
    let home = match (std::env::var_os("NIX_CONFIG_HOME"), std::env::var_os("XDG_CONFIG_HOME")) {
        (Some(dir), _) => Some(PathBuf::from(dir)),
        (_, Some(dir)) => Some(Path::new(&dir).join("nix")),
        _ => home().map(|home| home.join(".config/nix")),
    };
    let others = std::env::var_os("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    let others = list(&others).into_iter().map(|dir| dir.join("nix"));
    home.into_iter().chain(others).map(|dir| dir.join("nix.conf")).collect()
}

/// The user's directory: `HOME`, unless it is another user's (as under sudo).
pub(super) fn home() -> Option<PathBuf> {
    let user = geteuid().as_raw();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let own = |home: &PathBuf| match std::fs::metadata(home) {
        Ok(meta) => meta.uid() == user,
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    };
    home.filter(own).or_else(|| {
        let users = std::fs::read("/etc/passwd").ok()?;
        users.split(|&b| b == b'\n').find_map(|line| {
            let mut fields = line.split(|&b| b == b':').skip(2);
            let id = std::str::from_utf8(fields.next()?).ok()?.parse::<u32>().ok()?;
            let home = fields.nth(2).filter(|home| !home.is_empty())?;
            (id == user).then(|| OsStr::from_bytes(home).into())
        })
    })
}

/// A variable that is set and not empty.
pub(super) fn not_empty(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Names between colons.
fn list(text: &OsStr) -> Vec<PathBuf> {
    let names = text.as_bytes().split(|&b| b == b':').filter(|name| !name.is_empty());
    names.map(|name| OsStr::from_bytes(name).into()).collect()
}

/// An absolute name without `.`, `..` and doubled slashes, taken off by the
/// text alone as Nix does (nix: `canonPath`).
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            _ => {}
        }
    }
    plain
}
