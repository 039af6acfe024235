//! The files that would be dropped, by name or by kind, found by a walk of their own.

use super::{Change, WhatIfError, WhatIfStep};
use crate::analysis::graph_changes::Dropped;
use crate::census::{Census, PathIndex, parse_glob};
use crate::disk::{
    EntryStat, KindFinder, Progress, Top, Visitor, WalkDirectory, WalkEntry, Walker,
};
use crate::fs::{FileType, StoreFiles};
use crate::kinds::FileKind;
use crate::nar::{name_in_nar, size};
use crate::text::escape;
use crate::warning::{WarningKind, Warnings};
use globset::GlobMatcher;
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
    /// So many bytes of its own: it is the only name.
    Own(u64),
    /// Those of the inode of this device and number, if it is the last name.
    OfInode(u64, u64),
    /// The same of the scan's inode of this index.
    OfScanned(u32),
}

impl File {
    /// Takes it out of its path.
    pub(super) fn take(self, dropped: &mut Dropped) {
        let from = dropped.paths.entry(self.path).or_default();
        from.nar_size += self.nar_size;
        match self.blocks {
            Blocks::Own(disk_size) => {
                from.private_disk_size += disk_size;
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
    Names(&'a GlobMatcher),
    /// Entries of these kinds.
    Kinds(&'a [FileKind]),
}

impl<'a> Asked<'a> {
    fn glob(self) -> Option<&'a GlobMatcher> {
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
    let walked = walker.walk(&tops, &Matching::new(&meant, use_case_hack), &Progress::default());
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
            warnings.push(WarningKind::Unchecked, glob.glob().glob(), message);
        }
        return Ok(found);
    }
    let missed = matched.iter().position(|any| !any).and_then(|missed| asked[missed].glob());
    match missed {
        None => Ok(found),
        Some(missed) => {
            let glob = missed.glob().glob();
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
) -> Vec<Option<GlobMatcher>> {
    let by_text = |asked: &Asked<'_>| {
        let text = asked.glob()?.glob().glob();
        text.contains(['*', '?', '[', '{', '\\'])
            .then(|| parse_glob(&globset::escape(text)).ok())?
    };
    let mut exactly: Vec<Option<GlobMatcher>> = asked.iter().map(by_text).collect();
    let tried: Vec<Asked<'_>> = exactly.iter().flatten().map(Asked::Names).collect();
    if tried.is_empty() {
        return exactly;
    }
    // What cannot be read is warned of by the walk that follows.
    let walked = walker.walk(tops, &Matching::new(&tried, use_case_hack), &Progress::default());
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
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
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
    /// The last directory seen.
    above: Ancestors,
}

/// A directory's name and, for each of those above it and itself, where its name
/// ends and the first step that drops it. The next directory mostly lies in this
/// one: matching all above each anew takes the square of the depth.
#[derive(Default)]
struct Ancestors {
    name: String,
    ends: Vec<(usize, Option<usize>)>,
}

impl Ancestors {
    /// Keeps those that are above this name too; where the last of them ends.
    fn keep_common(&mut self, name: &str) -> usize {
        let (old, new) = (self.name.as_bytes(), name.as_bytes());
        let common = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let is_above = |end: usize| end <= common && new.get(end).is_none_or(|&b| b == b'/');
        while self.ends.pop_if(|&mut (end, _)| !is_above(end)).is_some() {}
        self.ends.last().map_or(0, |&(end, _)| end)
    }
}

struct Matching<'a> {
    asked: &'a [Asked<'a>],
    /// What the names that each glob matches begin with.
    literals: Vec<Vec<&'a str>>,
    /// Finds kinds, if any are asked for.
    finder: Option<KindFinder>,
    use_case_hack: bool,
}

/// The directories that a glob names before its first special character.
fn literal(glob: &str) -> Vec<&str> {
    glob.split('/').take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).collect()
}

impl<'a> Matching<'a> {
    fn new(asked: &'a [Asked<'a>], use_case_hack: bool) -> Self {
        let globs = asked.iter().filter_map(|asked| asked.glob());
        let literals = globs.map(|glob| literal(glob.glob().glob())).collect();
        let kinds = asked.iter().any(|asked| asked.glob().is_none());
        Self { asked, literals, finder: kinds.then(KindFinder::default), use_case_hack }
    }

    /// The first step with a glob that matches a name relative to its store
    /// path, or one of the directories above it.
    fn first(&self, above: &mut Ancestors, name: &str) -> Option<usize> {
        let start = above.keep_common(name);
        let mut first = above.ends.last().and_then(|&(_, first)| first);
        let ends = name.match_indices('/').map(|(end, _)| end).chain([name.len()]);
        for end in ends.skip_while(|&end| end <= start) {
            let matches =
                |asked: &Asked<'_>| asked.glob().is_some_and(|glob| glob.is_match(&name[..end]));
            first = [first, self.asked.iter().position(matches)].into_iter().flatten().min();
            above.ends.push((end, first));
        }
        above.name.replace_range(.., name);
        first
    }

    /// The first step that drops entries of a kind.
    fn of_kind(&self, kind: FileKind) -> Option<usize> {
        self.asked.iter().position(|asked| asked.holds(kind))
    }

    /// Drops an entry with a step; `in_nar`: what its NAR has beside its node.
    fn drop(matches: &mut Matches, step: usize, path: u32, entry: &WalkEntry<'_, ()>, in_nar: u64) {
        let EntryStat::Stat(meta) = entry.stat else { return };
        let node = size::node(entry.file_type, meta.size, meta.executable());
        let Some(node) = node else { return };
        let single = meta.nlink <= 1 || entry.file_type == FileType::Directory;
        let file = File {
            path: PathIndex::new(path),
            nar_size: node.saturating_add(in_nar),
            blocks: match single {
                true => Blocks::Own(meta.disk_size),
                false => Blocks::OfInode(meta.dev, meta.ino),
            },
        };
        matches.files.push((step, file));
    }
}

impl Visitor for Matching<'_> {
    type State = Matches;
    type Tag = ();

    fn state(&self) -> Self::State {
        let matched = vec![false; self.asked.len()];
        Matches {
            files: Vec::new(),
            matched,
            directories: BTreeSet::new(),
            searched: Vec::new(),
            failed: Vec::new(),
            warnings: Warnings::new(),
            above: Ancestors::default(),
        }
    }

    /// Only where something may match; and one level down in any case, to know
    /// what is nearly called as a glob that matches nothing.
    fn descend(&self, directory: &WalkDirectory<'_>, name: &[u8]) -> bool {
        if self.finder.is_some() {
            return true;
        }
        let relative = directory.relative_path();
        let Some(at) = relative.iter().position(|&b| b == b'/') else { return true };
        let name = [&relative[at + 1..], b"/", name].concat();
        let name = String::from_utf8_lossy(&name);
        let leads = |literal: &Vec<&str>| literal.iter().zip(name.split('/')).all(|(a, b)| *a == b);
        self.literals.iter().any(leads)
    }

    fn top(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_>,
        entry: &WalkEntry<'_, ()>,
    ) {
        state.searched.push(directory.path());
        let Some(finder) = &self.finder else { return };
        let kind = finder.top(&mut state.warnings, directory, entry);
        if let Some(step) = self.of_kind(kind) {
            Self::drop(state, step, directory.path(), entry, size::NAR);
        }
    }

    fn directory<'e>(
        &self,
        state: &mut Self::State,
        directory: &WalkDirectory<'_>,
        entries: impl ExactSizeIterator<Item = WalkEntry<'e, ()>> + Clone,
    ) {
        let relative = directory.relative_path();
        let above = relative.iter().position(|&b| b == b'/').map_or(relative.len(), |i| i + 1);
        let above = String::from_utf8_lossy(&relative[above..]).into_owned();
        let whole = (!above.is_empty()).then(|| self.first(&mut state.above, &above)).flatten();
        let mut name = above;
        if !name.is_empty() {
            name.push('/');
        }
        let length = name.len();
        let mut kinds = Vec::new();
        if let Some(finder) = &self.finder {
            let each = |_: &WalkEntry<'e, ()>, kind| kinds.push(kind);
            finder.directory(&mut state.warnings, directory, entries.clone(), each);
        }
        for (at, entry) in entries.enumerate() {
            name.truncate(length);
            name.push_str(&String::from_utf8_lossy(entry.name()));
            if entry.file_type == FileType::Directory
                && name.bytes().filter(|&b| b == b'/').count() < 2
            {
                state.directories.insert(name.clone());
            }
            let of_kind = kinds.get(at).and_then(|&kind| self.of_kind(kind));
            let mut first = [whole, of_kind].into_iter().flatten().min();
            for (i, asked) in self.asked.iter().enumerate() {
                if asked.glob().is_some_and(|glob| glob.is_match(&name)) {
                    state.matched[i] = true;
                    first = Some(first.map_or(i, |f| f.min(i)));
                }
            }
            let Some(step) = first else { continue };
            let in_nar = name_in_nar(entry.name(), self.use_case_hack).len() as u64;
            Self::drop(state, step, directory.path(), &entry, size::entry(in_nar));
        }
    }

    fn failed(&self, state: &mut Self::State, path: u32) {
        state.failed.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever directories come one after another: as if each were matched anew.
        #[test]
        fn what_is_above_is_remembered_rightly(names in prop::collection::vec("[abx](/[abx]{1,2}){0,4}", 1..30)) {
            let globs = ["a/b", "**/x", "ab", "*/bb"].map(|glob| parse_glob(glob).unwrap());
            let asked: Vec<Asked<'_>> = globs.iter().map(Asked::Names).collect();
            let matching = Matching::new(&asked, false);
            let mut above = Ancestors::default();
            for name in names {
                let ends = name.match_indices('/').map(|(end, _)| end).chain([name.len()]);
                let anew =
                    ends.filter_map(|end| globs.iter().position(|g| g.is_match(&name[..end])));
                prop_assert_eq!(matching.first(&mut above, &name), anew.min(), "{}", name);
            }
        }
    }
}
