//! `/boot` by generation: which kernels and initrds each boot entry names.
//!
//! NixOS writes entries for systemd-boot
//! (nixpkgs: `nixos/modules/system/boot/loader/systemd-boot`) and a menu for GRUB
//! (nixpkgs: `nixos/modules/system/boot/loader/grub/install-grub.pl`); files of
//! the name of a store path are copied once and shared by all entries that need
//! them. For systemd-boot a unified kernel image is an entry too, without a file
//! that says so (UAPI.1, Boot Loader Specification: *Type #2 EFI Unified Kernel
//! Images*); those that lanzaboote makes hold names instead of the kernel.
use crate::arrange::Arrange as _;

use super::walk::{below, names};
use super::{capacity, found};
use crate::disk::Space;
use crate::fs::{Capacity, Directory, FileType, Tree};
use crate::warning::Warnings;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Where boot entries are looked for.
const DIRECTORIES: [&str; 5] = ["/boot", "/boot/efi", "/boot/EFI", "/efi", "/esp"];

/// Where kernels and initrds lie in such a directory.
const KERNELS: [&str; 3] = ["EFI/nixos", "EFI/Linux", "kernels"];

/// Where unified kernel images lie in such a directory.
const UNIFIED: &str = "EFI/Linux";

/// No image that names its kernel instead of holding it is longer, in bytes.
const LONGEST_STUB: u64 = 2 << 20;

/// No image names more files: one names a kernel and an initrd.
const MOST_NAMED: usize = 64;

/// No boot entry and no menu is longer, in bytes.
const LONGEST: u64 = 8 << 20;

/// Who reads an entry. The names are stable: they are printed in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// systemd-boot.
    SystemdBoot,
    /// GRUB.
    Grub,
}

impl Loader {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SystemdBoot => "systemd-boot",
            Self::Grub => "grub",
        }
    }
}

/// A file of `/boot` that entries name, or that lies where such files do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFile {
    /// Its name inside the examined root.
    pub path: PathBuf,
    /// What it takes.
    pub space: Space,
    /// How many entries name it.
    pub entries: u64,
}

/// A boot entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootEntry {
    /// Its name: that of its file, or its title in the menu.
    pub name: String,
    /// Who reads it.
    pub loader: Loader,
    /// The profile; `None` for `system`.
    pub profile: Option<String>,
    /// The generation, where the name says so.
    pub generation: Option<u64>,
    /// The files that it names: indexes into [`Boot::files`].
    pub files: Vec<usize>,
    /// What they take.
    pub space: Space,
    /// What of that no other entry names.
    pub own: Space,
}

/// A directory with boot entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Its name inside the examined root.
    pub path: PathBuf,
    /// What its file system holds and has left.
    pub capacity: Option<Capacity>,
    /// The entries; those of a generation by its number, the newest first.
    pub entries: Vec<BootEntry>,
    /// The files that they name, and what else lies where such files do, by
    /// name.
    pub files: Vec<BootFile>,
}

impl Boot {
    /// What all those files take, each once.
    pub fn space(&self) -> Space {
        self.files.iter().map(|file| file.space).sum()
    }

    /// What those take that no entry names.
    pub fn unused(&self) -> Space {
        self.files.iter().filter(|file| file.entries == 0).map(|file| file.space).sum()
    }

    /// What one more generation needs in bytes, if it has a kernel and an
    /// initrd of its own as large as the newest one's; `None` if there is no
    /// generation.
    pub fn next_needs(&self) -> Option<u64> {
        let newest = self.entries.iter().find(|entry| entry.generation.is_some())?;
        Some(newest.space.disk_size)
    }

    /// Whether that fits, where both are known.
    pub fn next_fits(&self) -> Option<bool> {
        Some(self.next_needs()? <= self.capacity?.available)
    }
}

/// The directories with boot entries.
pub(super) fn find(tree: &Tree, warnings: &mut Warnings) -> Vec<Boot> {
    let mut all: Vec<Boot> = Vec::new();
    let mut seen = BTreeSet::new();
    for path in DIRECTORIES.map(Path::new) {
        let Some(directory) = found(tree.open_directory(path), path, warnings) else { continue };
        // One directory may have several names.
        if !directory.stat(c"").is_ok_and(|stat| seen.insert(stat.identity())) {
            continue;
        }
        let mut reading = Reading { tree, path, files: BTreeMap::new(), entries: Vec::new() };
        reading.systemd_boot(warnings);
        reading.unified(warnings);
        reading.grub(warnings);
        if !reading.entries.is_empty() {
            reading.unused();
            all.push(reading.finish(&directory));
        }
    }
    all
}

/// An entry of GRUB's menu.
struct GrubEntry {
    title: String,
    profile: Option<String>,
    lines: String,
}

struct Reading<'a> {
    tree: &'a Tree,
    path: &'a Path,
    /// The files by name, and what they take.
    files: BTreeMap<PathBuf, Space>,
    entries: Vec<(BootEntry, BTreeSet<PathBuf>)>,
}

impl Reading<'_> {
    /// Reads `loader/entries/*.conf`.
    fn systemd_boot(&mut self, warnings: &mut Warnings) {
        let path = self.path.join("loader/entries");
        let Some(directory) = found(self.tree.open_directory(&path), &path, warnings) else {
            return;
        };
        let listed = found(names(&directory), &path, warnings);
        for file in listed.into_iter().flatten() {
            let Some(name) = file.to_str().ok().and_then(|name| name.strip_suffix(".conf")) else {
                continue;
            };
            let full = below(&path, &file);
            let read = directory.open_unknown_file(&file).and_then(|file| file.read_all(LONGEST));
            let Some(text) = found(read, &full, warnings) else { continue };
            self.add(systemd_boot_entry(name), &String::from_utf8_lossy(&text));
        }
    }

    /// Reads `EFI/Linux/*.efi`, as systemd-boot does (systemd:
    /// `boot_entry_add_unified` in `src/boot/efi/boot.c`).
    fn unified(&mut self, warnings: &mut Warnings) {
        let path = self.path.join(UNIFIED);
        let Some(directory) = found(self.tree.open_directory(&path), &path, warnings) else {
            return;
        };
        let listed = found(names(&directory), &path, warnings);
        for file in listed.into_iter().flatten() {
            let name = file.to_bytes();
            let stem = name.len().saturating_sub(b".efi".len());
            let is_image = name[stem..].eq_ignore_ascii_case(b".efi");
            if !is_image || name.starts_with(b".") || name.starts_with(b"auto-") {
                continue;
            }
            let full = below(&path, &file);
            let Some(stat) = found(directory.stat(&file), &full, warnings) else { continue };
            if stat.file_type() != FileType::Regular {
                continue;
            }
            let mut files = BTreeSet::new();
            if stat.size <= LONGEST_STUB {
                let read =
                    directory.open_unknown_file(&file).and_then(|file| file.read_all(LONGEST_STUB));
                let image = found(read, &full, warnings).unwrap_or_default();
                for name in named_kernels(&image).iter().take(MOST_NAMED) {
                    self.add_file(name, &mut files);
                }
            }
            self.files.insert(full.clone(), Space::inode(stat.disk_size));
            files.insert(full);
            self.entries.push((systemd_boot_entry(&String::from_utf8_lossy(name)), files));
        }
    }

    /// Reads `grub/grub.cfg`.
    fn grub(&mut self, warnings: &mut Warnings) {
        let path = self.path.join("grub/grub.cfg");
        let read = self.tree.read_file(&path, LONGEST);
        let Some(text) = found(read, &path, warnings) else { return };
        let text = String::from_utf8_lossy(&text);
        let mut at: Option<GrubEntry> = None;
        // For each brace that is open the profile whose generations are in it.
        let mut open: Vec<Option<String>> = Vec::new();
        for line in text.lines().map(str::trim) {
            let profile = open.last().cloned().flatten();
            let mut inside = profile.clone();
            if let Some(title) = line.strip_prefix("menuentry ").and_then(quoted) {
                self.add_grub(at.take());
                at = Some(GrubEntry { title: title.to_owned(), profile, lines: String::new() });
            } else if let Some(menu) = line.strip_prefix("submenu ") {
                self.add_grub(at.take());
                // A generation with specialisations is a menu in its profile's.
                let own = quoted(menu).and_then(profile_of_menu);
                inside = own.map(str::to_owned).or(profile);
            } else if let Some(entry) = &mut at {
                entry.lines.push_str(line);
                entry.lines.push('\n');
            }
            if line.ends_with('{') {
                open.push(inside);
            } else if line == "}" {
                open.pop();
            }
        }
        self.add_grub(at);
    }

    fn add_grub(&mut self, entry: Option<GrubEntry>) {
        let Some(GrubEntry { title, profile, lines }) = entry else { return };
        let number = title.split_once("Configuration ").and_then(|(_, rest)| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        let entry = BootEntry {
            name: title,
            loader: Loader::Grub,
            profile,
            generation: number,
            files: Vec::new(),
            space: Space::default(),
            own: Space::default(),
        };
        self.add(entry, &lines);
    }

    /// Adds an entry with the files that its lines name.
    fn add(&mut self, entry: BootEntry, lines: &str) {
        let mut files = BTreeSet::new();
        for line in lines.lines() {
            let mut words = line.split_whitespace();
            let named = match words.next() {
                Some("linux" | "initrd" | "efi" | "devicetree" | "linux16" | "initrd16") => words,
                // The kernel below a hypervisor.
                Some("module" | "multiboot" | "module2" | "multiboot2") => words,
                _ => continue,
            };
            for name in named.filter(|name| name.starts_with(['/', '('])) {
                self.add_file(name, &mut files);
            }
        }
        self.entries.push((entry, files));
    }

    /// Adds a file to those of an entry, if it is there.
    fn add_file(&mut self, name: &str, files: &mut BTreeSet<PathBuf>) {
        if let Some((path, space)) = self.file(name) {
            self.files.insert(path.clone(), space);
            files.insert(path);
        }
    }

    /// A file by its name as the loader has it: from the top of the file system
    /// that the directory is on, or of the root's.
    fn file(&self, name: &str) -> Option<(PathBuf, Space)> {
        // `($drive1)/kernels/…`
        let name = match name.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1,
            None => name,
        };
        let relative = Path::new(name.trim_start_matches('/'));
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || relative.as_os_str().is_empty() {
            return None;
        }
        let from_root = Path::new("/").join(relative);
        let candidates = [Some(self.path.join(relative)), Some(from_root)];
        let inside = candidates.into_iter().flatten().filter(|path| path.starts_with(self.path));
        inside.into_iter().find_map(|path| {
            let directory = self.tree.pass_directory(path.parent()?).ok()?;
            let name = std::os::unix::ffi::OsStrExt::as_bytes(path.file_name()?);
            let stat = directory.stat(&std::ffi::CString::new(name).ok()?).ok()?;
            let file = stat.file_type() == FileType::Regular;
            file.then(|| (path.clone(), Space::inode(stat.disk_size)))
        })
    }

    /// Adds what lies where kernels do, and no entry names.
    fn unused(&mut self) {
        for kernels in KERNELS {
            let path = self.path.join(kernels);
            let Ok(directory) = self.tree.open_directory(&path) else { continue };
            for name in names(&directory).unwrap_or_default() {
                if let Ok(stat) = directory.stat(&name)
                    && stat.file_type() == FileType::Regular
                {
                    let space = Space::inode(stat.disk_size);
                    self.files.entry(below(&path, &name)).or_insert(space);
                }
            }
        }
    }

    fn finish(self, directory: &Directory) -> Boot {
        let mut files: Vec<BootFile> = (self.files.into_iter())
            .map(|(path, space)| BootFile { path, space, entries: 0 })
            .collect();
        let mut entries: Vec<BootEntry> = Vec::new();
        for (mut entry, named) in self.entries {
            for path in named {
                if let Ok(at) = files.binary_search_by(|file| file.path.cmp(&path)) {
                    files[at].entries += 1;
                    entry.files.push(at);
                }
            }
            entries.push(entry);
        }
        for entry in &mut entries {
            for file in entry.files.iter().map(|&at| &files[at]) {
                entry.space += file.space;
                if file.entries == 1 {
                    entry.own += file.space;
                }
            }
        }
        // The newest generation first, entries of none last.
        entries.arrange_by(|a, b| (b.generation, &a.name).cmp(&(a.generation, &b.name)));
        Boot { path: self.path.to_owned(), capacity: capacity(directory), entries, files }
    }
}

/// An entry of systemd-boot, by the name of its file.
fn systemd_boot_entry(name: &str) -> BootEntry {
    let (profile, generation) = generation_of(name);
    BootEntry {
        name: name.to_owned(),
        loader: Loader::SystemdBoot,
        profile,
        generation,
        files: Vec::new(),
        space: Space::default(),
        own: Space::default(),
    }
}

/// The kernel and initrd that an image of lanzaboote names
/// (`esp_relative_uefi_path` in its `pe.rs`): `\EFI\nixos\kernel-….efi`, as the
/// loader has names elsewhere.
fn named_kernels(image: &[u8]) -> Vec<String> {
    const BEGINS: &[u8] = br"\EFI\nixos\";
    let mut names = Vec::new();
    let mut rest = image;
    while let Some(at) = rest.windows(BEGINS.len()).position(|bytes| bytes == BEGINS) {
        rest = &rest[at..];
        let end = rest.iter().position(|byte| !byte.is_ascii_graphic()).unwrap_or(rest.len());
        names.push(String::from_utf8_lossy(&rest[..end]).replace('\\', "/"));
        rest = &rest[end..];
    }
    names
}

/// Profile and generation in the name of an entry of systemd-boot:
/// `nixos-generation-7`, `nixos-PROFILE-generation-7`, with
/// `-specialisation-NAME` or a counter of boots (`+3`, `+2-1`) behind it.
fn generation_of(name: &str) -> (Option<String>, Option<u64>) {
    let Some(rest) = name.strip_prefix("nixos-") else { return (None, None) };
    let (profile, number) = match rest.strip_prefix("generation-") {
        Some(number) => (None, number),
        None => match rest.split_once("-generation-") {
            Some((profile, number)) => (Some(profile.to_owned()), number),
            None => return (None, None),
        },
    };
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    (profile, digits.parse().ok())
}

/// The profile whose generations are in a menu of GRUB, by its title:
/// `NixOS - Profile 'test'`. Those of `system` are in `NixOS - All configurations`.
fn profile_of_menu(title: &str) -> Option<&str> {
    let (_, name) = title.split_once("Profile '")?;
    name.strip_suffix('\'')
}

/// What stands in the first pair of quotes.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.find(['"', '\''])?;
    let (mark, rest) = text[quote..].split_at(1);
    rest.split(mark).next()
}
