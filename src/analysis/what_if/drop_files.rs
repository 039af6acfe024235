//! The files that would be dropped, by name or by kind, found by a walk of their own.
use crate::arrange::Arrange as _;

use super::{Change, WhatIfError, WhatIfStep};
use crate::analysis::graph_changes::Dropped;
use crate::census::{Census, PathIndex};
use crate::disk::{
    EntryStat, KindFinder, Progress, Top, Visitor, WalkDirectory, WalkEntry, WalkPlace, Walker,
};
use crate::fs::{FileType, StoreFiles};
use crate::glob::{After, Glob};
use crate::kinds::FileKind;
use crate::nar::{name_in_nar, size};
use crate::text::escape;
use crate::warning::{WarningKind, Warnings};
use std::collections::{BTreeSet, HashMap};

/// A name that would be dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    /// Its path.
    pub(super) path: PathIndex,
    /// What the NAR loses, in bytes.
    nar_size: u64,
    blocks: Blocks,
}

/// Whose blocks go with a name.
#[derive(Clone, Copy, Debug)]
enum Blocks {
    /// So many bytes of its own inode: it is the only name. The number of the inode, if
    /// it is of the store's own file system.
    Own(u64, Option<u64>),
    /// Those of the inode of this device and number, if it is the last name.
    OfInode(u64, u64),
    /// The same of the scan's inode of this index.
    OfScanned(u32),
}

impl File {
    /// Takes it out of its path.
    pub(super) fn take(self, dropped: &mut Dropped<'_>) {
        let from = dropped.paths.entry(self.path).or_default();
        from.nar_size = from.nar_size.saturating_add(self.nar_size);
        match self.blocks {
            Blocks::Own(disk_size, number) => {
                from.private_numbers.extend(number);
                from.private_disk_size = from.private_disk_size.saturating_add(disk_size);
                from.private_inodes += 1;
            }
            Blocks::OfScanned(inode) => *from.names.entry(inode).or_default() += 1,
            Blocks::OfInode(..) => {}
        }
    }
}

/// What a step drops.
#[derive(Clone, Copy)]
enum Asked<'a> {
    /// Files whose names match, and directories with all that is in them.
    Names(&'a Glob),
    /// Entries of these kinds.
    Kinds(&'a [FileKind]),
}

impl<'a> Asked<'a> {
    fn glob(self) -> Option<&'a Glob> {
        match self {
            Self::Names(glob) => Some(glob),
            Self::Kinds(_) => None,
        }
    }

    fn holds(self, kind: FileKind) -> bool {
        matches!(self, Self::Kinds(kinds) if kinds.contains(&kind))
    }
}

/// For each step that drops files: which; a file that several steps match goes
/// with the first. What cannot be read becomes a warning.
pub(super) fn find(
    census: &Census,
    files: Option<&StoreFiles>,
    steps: &[WhatIfStep],
    threads: Option<usize>,
    warnings: &mut Warnings,
) -> Result<Vec<Vec<File>>, WhatIfError> {
    let asked: Vec<Asked<'_>> = (steps.iter())
        .filter_map(|step| match &step.change {
            Change::DropFiles(glob) => Some(Asked::Names(glob)),
            Change::DropKinds(kinds) => Some(Asked::Kinds(kinds)),
            _ => None,
        })
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let walker = Walker::new(files.ok_or(WhatIfError::NoFiles)?, threads)?;
    let tops: Vec<Top<'_>> = (census.indexes())
        .map(|index| {
            let name = census.catalog.base_name(census.id(index)).as_bytes();
            Top::named(name, index.node())
        })
        .collect();
    let use_case_hack = census.disk.as_ref().is_some_and(|disk| disk.use_case_hack);
    let exactly = exactly(&walker, &tops, &asked, use_case_hack);
    let meant: Vec<Asked<'_>> = asked
        .iter()
        .zip(&exactly)
        .map(|(&asked, exactly)| exactly.as_ref().map_or(asked, Asked::Names))
        .collect();
    let matching = Matching::new(&meant, walker.files(), use_case_hack);
    let walked = walker.walk(&tops, &matching, &Progress::default());
    let mut found: Vec<Vec<File>> = vec![Vec::new(); meant.len()];
    let mut inodes: HashMap<(u64, u64), u32> = HashMap::new();
    if let Some(disk) = &census.disk {
        let keys = disk.inodes.iter().map(|i| (disk.devices[i.device as usize], i.ino));
        inodes.extend(keys.zip(0..));
    }
    // That there is nothing of a kind is an answer.
    let mut matched: Vec<bool> = meant.iter().map(|asked| asked.glob().is_none()).collect();
    let mut directories = BTreeSet::new();
    let mut searched = vec![false; census.len()];
    let mut failed = Vec::new();
    for state in walked.states {
        state.searched.into_iter().for_each(|path| searched[path as usize] = true);
        failed.extend(state.failed);
        warnings.extend(state.warnings);
        for (step, mut file) in state.files {
            if let Blocks::OfInode(device, number) = file.blocks
                && let Some(&inode) = inodes.get(&(device, number))
            {
                file.blocks = Blocks::OfScanned(inode);
            }
            found[step].push(file);
        }
        matched.iter_mut().zip(state.matched).for_each(|(any, here)| *any |= here);
        directories.extend(state.directories);
    }
    warnings.extend(walked.warnings);
    let missing: Vec<u32> = (0..census.len() as u32)
        .filter(|&path| !searched[path as usize] && !failed.contains(&path))
        .collect();
    if census.disk.is_none() {
        // Else the scan warned of them.
        for &path in &missing {
            let path = census.catalog.path(census.id(PathIndex::new(path)));
            warnings.push(WarningKind::MissingPath, path, "not on disk: not searched");
        }
    }
    if !missing.is_empty() || !failed.is_empty() {
        let unmatched = meant.iter().zip(&matched).filter(|(_, any)| !**any);
        for glob in unmatched.filter_map(|(asked, _)| asked.glob()) {
            let message = "no file matches of those that could be searched";
            warnings.push(WarningKind::Unchecked, glob.text(), message);
        }
        return Ok(found);
    }
    let missed = matched.iter().position(|any| !any).and_then(|missed| asked[missed].glob());
    match missed {
        None => Ok(found),
        Some(missed) => {
            let glob = missed.text();
            let near = near(&directories, glob);
            Err(WhatIfError::NoFile { glob: escape(glob.as_bytes()), near })
        }
    }
}

/// For each glob the one of the file that is called exactly as its text, where
/// there is such a file: then that one is meant.
fn exactly(
    walker: &Walker<'_>,
    tops: &[Top<'_>],
    asked: &[Asked<'_>],
    use_case_hack: bool,
) -> Vec<Option<Glob>> {
    let by_text = |asked: &Asked<'_>| {
        let text = asked.glob()?.text();
        text.contains(['*', '?', '[', '{', '\\']).then(|| Glob::exactly(text).ok())?
    };
    let mut exactly: Vec<Option<Glob>> = asked.iter().map(by_text).collect();
    let tried: Vec<Asked<'_>> = exactly.iter().flatten().map(Asked::Names).collect();
    if tried.is_empty() {
        return exactly;
    }
    // What cannot be read is warned of by the walk that follows.
    let matching = Matching::new(&tried, walker.files(), use_case_hack);
    let walked = walker.walk(tops, &matching, &Progress::default());
    let mut there = vec![false; tried.len()];
    for state in walked.states {
        there.iter_mut().zip(state.matched).for_each(|(any, here)| *any |= here);
    }
    let mut there = there.into_iter();
    for glob in &mut exactly {
        *glob = glob.take().filter(|_| there.next().unwrap_or_default());
    }
    exactly
}

/// Directories that are nearly called as what is literal of a glob, best first.
fn near(directories: &BTreeSet<String>, glob: &str) -> Vec<String> {
    let literal = glob.trim_matches(['*', '/']);
    let mut scored: Vec<(f64, &String)> = (directories.iter())
        .map(|name| (strsim::jaro_winkler(name, literal), name))
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.arrange_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(8).map(|(_, name)| escape(name.as_bytes())).collect()
}

/// What one thread gathers.
struct Matches {
    /// Files, each with the step that drops it.
    files: Vec<(usize, File)>,
    /// Whether anything matched each glob, also what an earlier one drops.
    matched: Vec<bool>,
    /// Names of directories at most two levels below a path.
    directories: BTreeSet<String>,
    /// Paths that are there, and those of which something could not be read.
    searched: Vec<u32>,
    failed: Vec<u32>,
    /// About files whose kinds are not known.
    warnings: Warnings,
}

/// What is known of a directory.
#[derive(Default)]
struct Entered {
    place: WalkPlace,
    /// Of each step with a glob.
    after: Vec<After>,
    /// The first step that drops all of it.
    first: Option<usize>,
}

struct Matching<'a> {
    asked: &'a [Asked<'a>],
    /// The steps with a glob.
    globs: Vec<(usize, &'a Glob)>,
    /// Finds kinds, if any are asked for.
    finder: Option<KindFinder>,
    use_case_hack: bool,
    /// Whether inodes may have more names than they count, directories too.
    mounts_below: bool,
    /// The device of the store directory.
    device: u64,
}

impl<'a> Matching<'a> {
    fn new(asked: &'a [Asked<'a>], files: &StoreFiles, use_case_hack: bool) -> Self {
        let globs = asked.iter().enumerate();
        let globs = globs.filter_map(|(i, asked)| Some((i, asked.glob()?)));
        let kinds = asked.iter().any(|asked| asked.glob().is_none());
        Self {
            asked,
            globs: globs.collect(),
            finder: kinds.then(KindFinder::default),
            use_case_hack,
            mounts_below: files.facts().mounts_below != Some(false),
            device: files.stat().dev,
        }
    }

    /// The steps whose globs match an entry of a directory.
    fn steps_of<'s>(
        &'s self,
        directory: &'s WalkDirectory<'_, Entered>,
        name: &'s str,
    ) -> impl Iterator<Item = usize> + 's {
        let after = directory.context().into_iter().flat_map(|entered| &entered.after);
        let globs = self.globs.iter().zip(after);
        globs.filter(move |((_, glob), after)| glob.matches(after, name)).map(|((i, _), _)| *i)
    }

    /// The first step that drops entries of a kind.
    fn of_kind(&self, kind: FileKind) -> Option<usize> {
        self.asked.iter().position(|asked| asked.holds(kind))
    }

    /// Drops an entry with a step; `in_nar`: what its NAR has beside its node.
    fn drop(
        &self,
        matches: &mut Matches,
        step: usize,
        path: u32,
        entry: &WalkEntry<'_, ()>,
        in_nar: u64,
    ) {
        let EntryStat::Stat(meta) = entry.stat else { return };
        let node = size::node(entry.file_type, meta.size, meta.executable());
        let Some(node) = node else { return };
        let single = meta.nlink <= 1 || entry.file_type == FileType::Directory;
        let single = single && !self.mounts_below;
        let file = File {
            path: PathIndex::new(path),
            nar_size: node.saturating_add(in_nar),
            blocks: match single {
                true => Blocks::Own(meta.disk_size, (meta.dev == self.device).then_some(meta.ino)),
                false => Blocks::OfInode(meta.dev, meta.ino),
            },
        };
        matches.files.push((step, file));
    }
}

impl Visitor for Matching<'_> {
    type State = Matches;
    type Tag = ();
    type Context = Entered;

    fn state(&self) -> Self::State {
        let matched = vec![false; self.asked.len()];
        Matches {
            files: Vec::new(),
            matched,
            directories: BTreeSet::new(),
            searched: Vec::new(),
            failed: Vec::new(),
            warnings: Warnings::new(),
        }
    }

    /// Only where something may match; and one level down in any case, to know
    /// what is nearly called as a glob that matches nothing.
    fn descend(&self, directory: &WalkDirectory<'_, Entered>, name: &[u8]) -> Option<Entered> {
        let Some(above) = directory.context() else {
            let after = self.globs.iter().map(|(_, glob)| glob.start()).collect();
            return Some(Entered { after, ..Entered::default() });
        };
        let text = String::from_utf8_lossy(name);
        let after: Vec<After> = (self.globs.iter().zip(&above.after))
            .map(|((_, glob), after)| glob.enter(after, &text))
            .collect();
        let first = above.first.into_iter().chain(self.steps_of(directory, &text)).min();
        let leads = first.is_some()
            || self.globs.iter().zip(&after).any(|((_, glob), after)| glob.leads(after));
        (self.finder.is_some() || directory.depth() == 1 || leads).then(|| Entered {
            place: above.place.entered(name),
            after,
            first,
        })
    }

    fn top(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_, Entered>,
        entry: &WalkEntry<'_, ()>,
    ) {
        state.searched.push(directory.path());
        let Some(finder) = &self.finder else { return };
        let kind = finder.top(&mut state.warnings, directory, entry);
        if let Some(step) = self.of_kind(kind) {
            self.drop(state, step, directory.path(), entry, size::NAR);
        }
    }

    fn directory<'e>(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_, Entered>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>> + Clone,
    ) {
        let Some(at) = directory.context() else { return };
        let mut kinds = Vec::new();
        if let Some(finder) = &self.finder {
            let each = |_: &WalkEntry<'e, ()>, kind| kinds.push(kind);
            finder.directory(&mut state.warnings, &at.place, directory, entries.clone(), each);
        }
        for (i, entry) in entries.enumerate() {
            let name = String::from_utf8_lossy(entry.name());
            if entry.file_type == FileType::Directory && directory.depth() <= 2 {
                state.directories.insert(match directory.depth() {
                    1 => name.clone().into_owned(),
                    _ => format!("{}/{name}", String::from_utf8_lossy(directory.name())),
                });
            }
            let of_kind = kinds.get(i).and_then(|&kind| self.of_kind(kind));
            let mut first = [at.first, of_kind].into_iter().flatten().min();
            for step in self.steps_of(directory, &name) {
                state.matched[step] = true;
                first = Some(first.map_or(step, |first| first.min(step)));
            }
            let Some(step) = first else { continue };
            let in_nar = name_in_nar(entry.name(), self.use_case_hack).len() as u64;
            self.drop(state, step, directory.path(), &entry, size::entry(in_nar));
        }
    }

    fn failed(&self, state: &mut Self::State, path: u32) {
        state.failed.push(path);
    }
}
