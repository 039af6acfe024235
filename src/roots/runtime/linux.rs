//! What `/proc` says. It is this machine's, and not part of what is examined.
//! Nix's rules decide which of its files are read, and how; names in them need
//! not be UTF-8 (`findRuntimeRootsUnchecked`). The `procfs` crate reads `maps` as
//! text and fails at such a name, so that all of that process's files were lost.

use super::Finder;
use crate::roots::RootKind;
use crate::store::StorePath;
use crate::warning::WarningKind;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Where the kernel shows processes.
const PROC: &str = "/proc";

/// No file of it is longer; a longer one is odd.
const MAX_FILE: u64 = 256 << 20;

/// The inode of the PID namespace in which a Linux system starts
/// (`PROC_PID_INIT_INO`); all others are given out from 4026531840 up.
const FIRST_PID_NAMESPACE: &[u8] = b"pid:[4026531836]";

/// Asks all processes but our own, and the kernel; which processes there are,
/// if that is known.
pub(super) fn processes(finder: &mut Finder<'_>) -> Option<HashSet<u32>> {
    let proc = Path::new(PROC);
    let running = finder.processes(proc, std::process::id());
    for name in ["modprobe", "fbsplash", "poweroff_cmd"] {
        let file = proc.join("sys/kernel").join(name);
        if let Ok(target) = read_proc(&file) {
            finder.take(RootKind::Kernel, None, file.as_os_str().as_bytes(), &target);
        }
    }
    running
}

impl Finder<'_> {
    /// Asks all processes but our own; which there are, if that is known.
    fn processes(&mut self, proc: &Path, own: u32) -> Option<HashSet<u32>> {
        let mut running = HashSet::new();
        let mut failed = None;
        match std::fs::read_dir(proc) {
            Ok(entries) => {
                for entry in entries {
                    let entry = match entry {
                        Ok(entry) => entry,
                        Err(e) => {
                            failed = Some(e.to_string());
                            continue;
                        }
                    };
                    let name = entry.file_name();
                    let pid = name.to_str().filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
                    let Some(pid) = pid.and_then(|n| n.parse::<u32>().ok()) else { continue };
                    running.insert(pid);
                    if pid == own {
                        continue;
                    }
                    match self.process(pid, &entry.path()) {
                        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                            self.found.hidden_processes += u64::from(uses_files(&entry.path()));
                        }
                        // It ended meanwhile.
                        Ok(()) | Err(_) => {}
                    }
                }
            }
            Err(e) => failed = Some(e.to_string()),
        }
        if failed.is_none() && !running.contains(&own) {
            failed = Some("no file system of this process is mounted there".to_owned());
        }
        let outside = || match std::fs::read_link(proc.join("self/ns/pid")) {
            Ok(namespace) => namespace.as_os_str().as_bytes() != FIRST_PID_NAMESPACE,
            Err(_) => true,
        };
        let message = if let Some(e) = &failed {
            format!("running processes cannot be listed: {e}")
        } else if !running.contains(&1) {
            // Mounted with hidepid, /proc shows no process of others at all.
            "processes of other users are hidden: what only they use is not among the roots"
                .to_owned()
        } else if outside() {
            "processes outside this PID namespace (a container's) cannot be seen: \
             what only they use is not among the roots"
                .to_owned()
        } else {
            return Some(running);
        };
        self.found.warnings.push(WarningKind::Unreadable, "/proc", message);
        failed.is_none().then_some(running)
    }

    fn process(&mut self, pid: u32, dir: &Path) -> io::Result<()> {
        for name in ["exe", "cwd"] {
            // A process without one has no such link; that says nothing yet.
            match std::fs::read_link(dir.join(name)) {
                Ok(target) => {
                    self.process_link(pid, &dir.join(name), target.as_os_str().as_bytes());
                }
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(e),
                Err(_) => {}
            }
        }
        for entry in std::fs::read_dir(dir.join("fd"))? {
            let link = entry?.path();
            if let Ok(target) = std::fs::read_link(&link) {
                self.process_link(pid, &link, target.as_os_str().as_bytes());
            }
        }
        let maps = dir.join("maps");
        let text = read_proc(&maps)?;
        for line in text.split(|&b| b == b'\n') {
            if let Some(file) = mapped_file(line) {
                self.process_link(pid, &maps, file);
            }
        }
        let environ = dir.join("environ");
        let text = read_proc(&environ)?;
        let mut names = HashSet::new();
        for name in names_in(&text, self.store_dir) {
            if names.insert(name) {
                self.process_link(pid, &environ, name);
            }
        }
        Ok(())
    }

    fn process_link(&mut self, pid: u32, link: &Path, target: &[u8]) {
        self.take(RootKind::Process, Some(pid), link.as_os_str().as_bytes(), target);
    }
}

/// The file in a line of `/proc/<pid>/maps`: the sixth and last word, if it is
/// a path. A deleted file has a seventh word, and is passed over as in Nix.
fn mapped_file(line: &[u8]) -> Option<&[u8]> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
    let file = words.nth(5).filter(|w| w.starts_with(b"/"))?;
    words.next().is_none().then_some(file)
}

/// The store paths named in a text (an environment): what Nix's expression
/// `<store dir>/[0-9a-z]+[0-9a-zA-Z+\-._?=]*` matches.
fn names_in<'t>(text: &'t [u8], store_dir: &str) -> impl Iterator<Item = &'t [u8]> {
    let prefix = format!("{store_dir}/").into_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at + prefix.len() < text.len() {
            if !text[at..].starts_with(&prefix) {
                at += 1;
                continue;
            }
            let start = at;
            let base = at + prefix.len();
            let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"+-._?=".contains(b);
            let length = text[base..].iter().take_while(|b| allowed(b)).count();
            at = base + length.max(1);
            if StorePath::parse(&text[base..base + length]).is_ok() {
                return Some(&text[start..base + length]);
            }
        }
        None
    })
}

/// Whether a process can use files at all: no thread of the kernel, not gone,
/// not about to go. Anybody may read `/proc/<pid>/stat`, unless /proc is
/// mounted with hidepid.
fn uses_files(dir: &Path) -> bool {
    const PF_EXITING: u64 = 0x0000_0004;
    const PF_KTHREAD: u64 = 0x0020_0000;
    let stat = match read_proc(&dir.join("stat")) {
        Ok(stat) => stat,
        Err(e) => return e.kind() == io::ErrorKind::PermissionDenied,
    };
    // The name in parentheses may hold anything; what follows it does not:
    // state, ppid, pgrp, session, tty, tpgid, flags.
    let Some(end) = stat.iter().rposition(|&b| b == b')') else { return true };
    let rest = String::from_utf8_lossy(&stat[end + 1..]);
    let words: Vec<&str> = rest.split_ascii_whitespace().take(7).collect();
    let flags = words.get(6).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    !matches!(words.first(), Some(&("Z" | "X"))) && flags & (PF_KTHREAD | PF_EXITING) == 0
}

/// Reads a file of `/proc`.
fn read_proc(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roots::FoundRoots;

    #[test]
    fn reads_lines_of_maps() {
        let line = b"7f00-7f01 r-xp 00000000 fe:01 123    /nix/store/x/lib/libc.so.6";
        assert_eq!(mapped_file(line), Some(&b"/nix/store/x/lib/libc.so.6"[..]));
        assert_eq!(mapped_file(b"7f00-7f01 r-xp 0 fe:01 123 /nix/store/x (deleted)"), None);
        assert_eq!(mapped_file(b"7f00-7f01 rw-p 0 00:00 0 [heap]"), None);
        assert_eq!(mapped_file(b"7f00-7f01 rw-p 0 00:00 0"), None);
    }

    #[test]
    fn finds_names_in_an_environment() {
        let base = "0c5b8vw40dy178xlpddw65q9gf1h2186-a";
        let text = format!("PATH=/nix/store/{base}/bin:/nix/store/short\0X=/nix/store/{base}+b\0");
        let names: Vec<_> = names_in(text.as_bytes(), "/nix/store").collect();
        let (first, second) = (format!("/nix/store/{base}"), format!("/nix/store/{base}+b"));
        assert_eq!(names, [first.as_bytes(), second.as_bytes()]);
    }

    /// What is found of a /proc with these processes and this PID namespace.
    fn outcome_of(processes: &[&str], namespace: &str) -> (bool, String) {
        let proc = tempfile::tempdir().unwrap();
        for pid in processes {
            std::fs::create_dir_all(proc.path().join(pid).join("fd")).unwrap();
        }
        std::fs::create_dir_all(proc.path().join("self/ns")).unwrap();
        std::os::unix::fs::symlink(namespace, proc.path().join("self/ns/pid")).unwrap();
        let catalog = crate::catalog::Builder::new("/nix/store").finish().unwrap();
        let mut found = FoundRoots::default();
        let mut finder = Finder { store_dir: "/nix/store", catalog: &catalog, found: &mut found };
        let listed = finder.processes(proc.path(), 7).is_some();
        assert_eq!(found.warnings.complete(), found.warnings.total() == 0);
        let message = found.warnings.iter().next().map(|w| w.message.clone());
        (listed, message.unwrap_or_default())
    }

    #[test]
    fn processes_that_cannot_be_asked_are_a_warning() {
        let first = "pid:[4026531836]";
        assert_eq!(outcome_of(&["1", "7"], first), (true, String::new()));
        for (processes, namespace, listed, word) in [
            // Not mounted, or that of another namespace.
            (&[][..], first, false, "cannot be listed"),
            (&["1"], first, false, "cannot be listed"),
            // hidepid=2; a container.
            (&["7"], first, true, "of other users are hidden"),
            (&["1", "7"], "pid:[4026532201]", true, "outside this PID namespace"),
        ] {
            let (is_listed, message) = outcome_of(processes, namespace);
            assert_eq!(is_listed, listed, "{processes:?}");
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn knows_who_uses_files() {
        assert!(uses_files(Path::new("/proc/self")));
        assert!(!uses_files(Path::new("/proc/none")));
        let dir = tempfile::tempdir().unwrap();
        for (stat, uses) in [
            ("2 (a) b) S 0 0 0 0 -1 2129984 0", false),
            ("3 (x) Z 0 0 0 0 -1 4194304 0", false),
            ("4 (x) S 0 0 0 0 -1 4194304 0", true),
            ("5 (x) S 0 0 0 0 -1 4194308 0", false),
        ] {
            std::fs::write(dir.path().join("stat"), stat).unwrap();
            assert_eq!(uses_files(dir.path()), uses, "{stat}");
        }
    }
}
