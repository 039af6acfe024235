//! What files are for: man pages, headers, fonts, programs, …
//!
//! One [table of rules](RULES) says it by place, name and, where these do not
//! decide, first bytes. Each entry of a store path is of exactly one
//! [`FileKind`], so that the sizes of all kinds sum to the size of the path.
//!
//! ```
//! use nix_census::fs::FileType;
//! use nix_census::kinds::{FileKind, Head, Named, Place};
//!
//! let man = Place::of(b"share/man/man1");
//! assert_eq!(man.named(b"ls.1.gz", FileType::Regular, false), Named::Kind(FileKind::Man));
//! let bin = Place::of(b"bin");
//! assert_eq!(bin.named(b"ls", FileType::Regular, true), Named::NeedsHead);
//! assert_eq!(bin.with_head(Head::of(b"#!/bin/sh\n")), FileKind::Scripts);
//! ```

mod head;
mod rules;

pub use head::Head;
pub(crate) use rules::NIXPKGS_DEPTH;
pub use rules::{KindRule, NIXPKGS_TREE, RULES};

use crate::fs::FileType;
use std::collections::HashMap;
use std::io;
use std::sync::OnceLock;

macro_rules! kinds {
    ($(#[doc = $doc:literal] $name:ident $key:literal,)*) => {
        /// What a file is for. In the order in which kinds are listed: what a
        /// closure can rather do without comes first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FileKind {
            $(#[doc = $doc] $name,)*
        }

        impl FileKind {
            /// All kinds, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its stable name.
            pub fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// What is of this kind, for people.
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }.trim().trim_end_matches('.')
            }
        }
    };
}

kinds! {
    /// Man pages.
    Man "man",
    /// Info manuals.
    Info "info",
    /// Documentation and licences.
    Doc "doc",
    /// Locales and translations.
    Locale "locale",
    /// Headers.
    Headers "headers",
    /// Static libraries and object files.
    Static "static",
    /// What build systems read: pkg-config, CMake, autoconf.
    Pkgconfig "pkgconfig",
    /// Bytecode.
    Bytecode "bytecode",
    /// Debug symbols.
    Debug "debug",
    /// Kernel modules.
    Modules "modules",
    /// Firmware.
    Firmware "firmware",
    /// Fonts.
    Fonts "fonts",
    /// Icons.
    Icons "icons",
    /// Sources: whole trees of nixpkgs, source files and archives, derivations.
    Sources "sources",
    /// Tests and examples.
    Tests "tests",
    /// Programs.
    Executables "executables",
    /// Shared libraries.
    Libraries "libraries",
    /// Scripts and their modules.
    Scripts "scripts",
    /// Data.
    Data "data",
    /// Directories of no other kind.
    Directories "directories",
    /// Symlinks of no other kind.
    Symlinks "symlinks",
    /// All else.
    Other "other",
}

impl FileKind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The kind of that stable name.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.key() == key)
    }
}

/// What a name says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Its kind.
    Kind(FileKind),
    /// Nothing: its first bytes decide, see [`Place::with_head`].
    NeedsHead,
}

/// What a directory says of the files in it. The default is a store path itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The kind of all that is below it.
    kind: Option<FileKind>,
    /// The kind of what nothing else decides.
    top: Option<FileKind>,
    /// Whether it is one for programs.
    programs: bool,
    /// Whether it lies below the store path.
    below: bool,
    /// How far into which place its last names lead: an index into [`Table::steps`].
    step: u16,
}

impl Place {
    /// A directory whose contents are all of one kind.
    pub fn all(kind: FileKind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    /// The directory of that name below its store path: names with `/` between
    /// them, none for the path itself.
    pub fn of(directory: &[u8]) -> Self {
        let names = directory.split(|&b| b == b'/').filter(|name| !name.is_empty());
        names.fold(Self::default(), Self::entered)
    }

    /// The directory of that name in this one.
    #[must_use]
    pub fn entered(self, name: &[u8]) -> Self {
        if self.kind.is_some() {
            return self;
        }
        let table = Table::get();
        let step = table.step(self.step, name);
        Self {
            kind: table.steps[usize::from(step)].kind,
            top: if self.below { self.top } else { table.tops.get(name).copied() },
            programs: self.programs || matches!(name, b"bin" | b"sbin" | b"libexec"),
            below: true,
            step,
        }
    }

    /// The same directory, given what is in it: all of a tree of nixpkgs is
    /// sources. `depth`: how many directories it lies below its store path.
    #[must_use]
    pub(crate) fn holding(self, depth: u32, has: impl Fn(&str) -> bool) -> Self {
        match depth <= NIXPKGS_DEPTH && NIXPKGS_TREE.iter().all(|name| has(name)) {
            true => Self::all(FileKind::Sources),
            false => self,
        }
    }

    /// The kind of an entry of this directory, as [`Place::named`] and
    /// [`Place::with_head`] say it.
    ///
    /// # Errors
    /// Those of reading its first bytes.
    pub(crate) fn kind_of(
        self,
        name: &[u8],
        file_type: FileType,
        executable: bool,
        head: impl FnOnce() -> io::Result<Head>,
    ) -> io::Result<FileKind> {
        match self.named(name, file_type, executable) {
            Named::Kind(kind) => Ok(kind),
            Named::NeedsHead => head().map(|head| self.with_head(head)),
        }
    }

    /// The kind of all that is below it, if its place decides that.
    pub fn kind(self) -> Option<FileKind> {
        self.kind
    }

    /// The kind of an entry of this directory. Of directories the place is
    /// their own, not this one. `executable`: whether its owner may execute it.
    pub fn named(self, name: &[u8], file_type: FileType, executable: bool) -> Named {
        if let Some(kind) = self.kind {
            return Named::Kind(kind);
        }
        let regular = match file_type {
            FileType::Directory => return Named::Kind(FileKind::Directories),
            FileType::Regular => true,
            FileType::Symlink => false,
            FileType::Other | FileType::Unknown => return Named::Kind(FileKind::Other),
        };
        if let Some(kind) = Table::get().by_name(name) {
            return Named::Kind(kind);
        }
        match (regular, executable) {
            (true, true) => Named::NeedsHead,
            (true, false) => Named::Kind(self.top.unwrap_or(FileKind::Other)),
            (false, _) => Named::Kind(FileKind::Symlinks),
        }
    }

    /// The kind of a regular file of this directory of which the name says
    /// nothing, by its first bytes.
    pub fn with_head(self, head: Head) -> FileKind {
        head.kind(self.programs).or(self.top).unwrap_or(FileKind::Other)
    }
}

/// The first names of a place: with each name more they lead on, or back.
#[derive(Default)]
struct Step {
    /// The step that one name more leads to.
    next: HashMap<&'static [u8], u16>,
    /// The step of the same names but the first, or but the first two, …: that
    /// which leads on where this does not.
    shorter: u16,
    /// The kind of a place of these names, or of the last of them.
    kind: Option<FileKind>,
}

/// The rules, ready to be looked up.
struct Table {
    /// An automaton over the names of places (Aho and Corasick's); it begins at 0.
    steps: Vec<Step>,
    tops: HashMap<&'static [u8], FileKind>,
    exact: HashMap<&'static [u8], FileKind>,
    /// By what a name ends with, the dot included.
    endings: HashMap<&'static [u8], FileKind>,
    /// The same of names that a version may follow.
    versioned: HashMap<&'static [u8], FileKind>,
    beginnings: Vec<(&'static [u8], FileKind)>,
}

impl Table {
    fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let mut table = Self {
            steps: vec![Step::default()],
            tops: HashMap::new(),
            exact: HashMap::new(),
            endings: HashMap::new(),
            versioned: HashMap::new(),
            beginnings: Vec::new(),
        };
        for rule in RULES {
            rule.places.iter().for_each(|place| table.add_place(place, rule.kind));
            table.tops.extend(rule.tops.iter().map(|top| (top.as_bytes(), rule.kind)));
            for name in rule.names {
                let (map, text) = match (name.strip_prefix('*'), name.strip_suffix('*')) {
                    (Some(ending), _) => match ending.strip_suffix(".N") {
                        Some(ending) => (&mut table.versioned, ending),
                        None => (&mut table.endings, ending),
                    },
                    (None, Some(beginning)) => {
                        table.beginnings.push((beginning.as_bytes(), rule.kind));
                        continue;
                    }
                    (None, None) => (&mut table.exact, *name),
                };
                map.insert(text.as_bytes(), rule.kind);
            }
        }
        table.find_shorter();
        table
    }

    fn add_place(&mut self, place: &'static str, kind: FileKind) {
        let mut at = 0;
        for name in place.split('/') {
            let next = self.steps[at].next.get(name.as_bytes()).copied();
            at = usize::from(next.unwrap_or_else(|| {
                let new = u16::try_from(self.steps.len()).expect("a table of a few hundred names");
                self.steps[at].next.insert(name.as_bytes(), new);
                self.steps.push(Step::default());
                new
            }));
        }
        self.steps[at].kind.get_or_insert(kind);
    }

    /// Sets where each step leads back to, those of fewer names first.
    fn find_shorter(&mut self) {
        let mut of_length = vec![0u16];
        while !of_length.is_empty() {
            let mut longer = Vec::new();
            for at in of_length {
                let shorter = self.steps[usize::from(at)].shorter;
                let next: Vec<_> = self.steps[usize::from(at)].next.clone().into_iter().collect();
                for (name, next) in next {
                    let back = if at == 0 { 0 } else { self.step(shorter, name) };
                    let kind = self.steps[usize::from(back)].kind;
                    let step = &mut self.steps[usize::from(next)];
                    step.shorter = back;
                    step.kind = step.kind.or(kind);
                    longer.push(next);
                }
            }
            of_length = longer;
        }
    }

    /// Where one name more leads from a step.
    fn step(&self, from: u16, name: &[u8]) -> u16 {
        let mut at = from;
        loop {
            let step = &self.steps[usize::from(at)];
            match step.next.get(name) {
                Some(&next) => return next,
                None if at == 0 => return 0,
                None => at = step.shorter,
            }
        }
    }

    fn by_name(&self, name: &[u8]) -> Option<FileKind> {
        if let Some(&kind) = self.exact.get(name) {
            return Some(kind);
        }
        if let Some(&(_, kind)) = self.beginnings.iter().find(|(text, _)| name.starts_with(text)) {
            return Some(kind);
        }
        // The longest ending is the one with the first dot; a dot at the very
        // beginning hides a file and ends nothing.
        let dots = || name.iter().enumerate().skip(1).filter(|&(_, &b)| b == b'.');
        if let Some(&kind) = dots().find_map(|(at, _)| self.endings.get(&name[at..])) {
            return Some(kind);
        }
        let version = |b: &u8| b.is_ascii_digit() || *b == b'.';
        let digits = name.iter().rev().take_while(|b| version(b)).count();
        if digits > 1 {
            let (own, version) = name.split_at(name.len() - digits);
            if version[0] == b'.'
                && let Some(at) = own.iter().rposition(|&b| b == b'.').filter(|&at| at > 0)
                && let Some(&kind) = self.versioned.get(&own[at..])
            {
                return Some(kind);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
