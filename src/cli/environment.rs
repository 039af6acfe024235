//! What the environment says of Nix's files, as Nix reads it
//! (nix: `src/libstore/globals.cc`, `src/libutil/users.cc`).

use crate::roots::SettingsFiles;
use crate::store::plain_path;
use rustix::process::{getegid, geteuid};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where this machine's settings are for this user: `NIX_CONF_DIR`, the user's
/// files, `NIX_CONFIG`.
pub(super) fn settings_files(current: &Path) -> SettingsFiles {
    let conf_dir = not_empty("NIX_CONF_DIR").unwrap_or_else(|| "/etc/nix".into());
    let mut user = user_files();
    // The first one has the last word.
    user.reverse();
    SettingsFiles {
        system: vec![plain_path(&current.join(conf_dir).join("nix.conf"))],
        user: user.iter().map(|file| plain_path(&current.join(file))).collect(),
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
        let home = user_field(&std::fs::read("/etc/passwd").ok()?, user, 5)?;
        (!home.is_empty()).then(|| OsStr::from_bytes(&home).into())
    })
}

/// A field of a user's line in `/etc/passwd`.
fn user_field(users: &[u8], id: u32, field: usize) -> Option<Vec<u8>> {
    let mut lines = users.split(|&b| b == b'\n').map(|l| l.split(|&b| b == b':'));
    let id = id.to_string();
    let mut line = lines.find(|l| l.clone().nth(2) == Some(id.as_bytes()))?;
    line.nth(field).map(<[u8]>::to_vec)
}

/// Whether `trusted-users` names this user, or a group of theirs
/// (nix: `matchUser`); `None` if the user's name is not known here.
pub(super) fn is_trusted(trusted: &[String]) -> Option<bool> {
    let read = |file| std::fs::read(file).unwrap_or_default();
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    names_user(trusted, user, group, &read("/etc/passwd"), &read("/etc/group"))
}

fn names_user(
    trusted: &[String],
    user: u32,
    group: u32,
    users: &[u8],
    groups: &[u8],
) -> Option<bool> {
    if trusted.iter().any(|t| t == "*") {
        return Some(true);
    }
    let name = user_field(users, user, 0)?;
    let group = group.to_string();
    let is_in = |wanted: &[u8]| {
        groups.split(|&b| b == b'\n').any(|line| {
            let fields: Vec<&[u8]> = line.split(|&b| b == b':').collect();
            let [of, _, id, members] = *fields else { return false };
            of == wanted
                && (id == group.as_bytes() || members.split(|&b| b == b',').any(|m| m == name))
        })
    };
    Some(trusted.iter().any(|t| match t.strip_prefix('@') {
        Some(group) => is_in(group.as_bytes()),
        None => t.as_bytes() == name,
    }))
}

/// Where this user's Nix keeps its data, such as a chroot store.
pub(super) fn data_home() -> Option<PathBuf> {
    match (std::env::var_os("NIX_DATA_HOME"), std::env::var_os("XDG_DATA_HOME")) {
        (Some(dir), _) => Some(PathBuf::from(dir)),
        (_, Some(dir)) => Some(Path::new(&dir).join("nix")),
        _ => home().map(|home| home.join(".local/share/nix")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_users_are_named_or_in_a_group() {
        let users = b"root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n";
        let groups = b"users:x:100:\nwheel:x:1:bob,ann\nann:x:7:bob\n";
        let trusted = |list: &[&str], user| {
            let list: Vec<String> = list.iter().map(|&t| t.to_owned()).collect();
            names_user(&list, user, 100, users, groups)
        };
        for list in [&["ann"][..], &["root", "@wheel"], &["@users"], &["*"]] {
            assert_eq!(trusted(list, 1000), Some(true), "{list:?}");
        }
        for list in [&[][..], &["root"], &["@ann"], &["wheel"], &["an"]] {
            assert_eq!(trusted(list, 1000), Some(false), "{list:?}");
        }
        assert_eq!((trusted(&["ann"], 2000), trusted(&["*"], 2000)), (None, Some(true)));
        assert_eq!(user_field(users, 1000, 5).as_deref(), Some(&b"/home/ann"[..]));
    }

    #[test]
    fn names_between_colons() {
        assert_eq!(list(OsStr::new("/a::b")), [Path::new("/a"), Path::new("b")]);
    }
}
