//! The users of the examined system.

use crate::fs::{FileType, Tree};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// No list of users is longer, in bytes.
const MAX_USERS: u64 = 16 << 20;

/// The users that a system's `/etc/passwd` names.
#[derive(Debug, Default)]
pub(crate) struct Users {
    names: HashMap<u32, String>,
    homes: BTreeMap<PathBuf, Vec<String>>,
}

impl Users {
    /// Those of the system in a tree; none if it does not say.
    pub(crate) fn read(tree: &Tree) -> Self {
        let text = tree.read_file(Path::new("/etc/passwd"), MAX_USERS).unwrap_or_default();
        let mut users = Self::default();
        for line in String::from_utf8_lossy(&text).lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let Some(uid) = fields.get(2).and_then(|uid| uid.parse().ok()) else { continue };
            users.names.insert(uid, fields[0].to_owned());
            if let Some(home) = fields.get(5).filter(|home| home.starts_with('/')) {
                users.homes.entry(home.into()).or_default().push(fields[0].to_owned());
            }
        }
        users
    }

    /// A user's name.
    pub(crate) fn name(&self, uid: u32) -> Option<&String> {
        self.names.get(&uid)
    }

    /// The home directories, each with its users, by name; and those in `/home`
    /// and `/root` that no user has, as a system that is not running may have no
    /// list of users yet.
    pub(crate) fn homes(self, tree: &Tree) -> BTreeMap<PathBuf, Vec<String>> {
        let mut homes = self.homes;
        homes.entry("/root".into()).or_default();
        let home = Path::new("/home");
        if let Ok(directory) = tree.open_directory(home) {
            let _ = directory.read(&mut Vec::new(), |entry| {
                if entry.file_type == FileType::Directory {
                    let name = OsStr::from_bytes(entry.name.to_bytes());
                    homes.entry(home.join(name)).or_default();
                }
            });
        }
        homes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::MemoryFile;

    #[test]
    fn a_list_without_end_is_not_read() {
        let user = |length: usize| {
            let mut contents = b"u:x:7:7::/home/u:/bin/sh\n".to_vec();
            contents.resize(length, b'\n');
            let passwd = MemoryFile::Regular { contents, executable: false };
            Users::read(&Tree::memory([("/etc/passwd", passwd)])).name(7).cloned()
        };
        assert_eq!(user(1000).as_deref(), Some("u"));
        assert_eq!(user((MAX_USERS + 1) as usize), None);
        const { assert!(MAX_USERS <= 16 << 20) };
    }
}
