//! What the files of an overlay take of the disk: what they take in its layers.
//!
//! The kernel says where the layers were when the overlay was mounted, and nobody says
//! whether they still are: so files are compared with those that the overlay shows. All
//! layers of the store have to be in one file system, of btrfs in one subvolume: there the
//! overlay shows the numbers that files have in their layers, but for what was copied up,
//! which keeps the number that it had below (Linux:
//! `Documentation/filesystems/overlayfs.rst`, "Inode properties").
//!
//! What is in a lower layer stays there whatever is deleted.

mod above;
mod options;

pub(super) use above::upper;

use super::extents::{
    Checksums, Chunk, ExtentItem, ExtentReader, ExtentSource, Stretch, Subvolume,
};
use super::live::linux::{Directory, LayerBeneath, mount_of};
use super::{FileType, SizeIs, Stat};
use crate::threads;
use options::Options;
use rayon::Scope;
use std::collections::{HashMap, HashSet};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Reading a directory of the upper layer, and the same of the overlay, takes as long as a
/// walk over so many entries: eight calls of the system, where a walk over six entries, as many
/// as a directory has on average, takes ten.
const ENTRIES_A_DIRECTORY: u64 = 5;
/// Why sizes are not known where that is more than is allowed.
const LARGE_UPPER: &str = "all directories of the overlay's upper layer have to be read for it, \
                           which takes far longer than the walk; so it is done where exact sizes \
                           are asked for";
/// How many directories of both are open at once; below these, others are opened by a path
/// from the last of them.
const OPEN: usize = 64;
/// The tree that stands for the lower layers.
const LOWER: u64 = u64::MAX;
/// Added to the number of a file that the overlay does not show, where it shows another by
/// that number.
const HIDDEN: u64 = 1 << 63;
/// Bits of a file's number below those that may stand for its layer.
const LAYER_BITS: u32 = 48;
/// How many files of a layer are compared; in how many of its store's entries they are looked
/// for, unless none was found; and at how much is looked for it, below one and in all.
const ENOUGH: usize = 8;
const SAMPLES: usize = 64;
const LOOKS_BELOW: usize = 256;
const LOOKS: usize = 1024;

/// How it is found out what the files below the directory of an overlay take.
pub(super) fn source(store: &Directory) -> ExtentSource {
    ask(store).unwrap_or_else(|why| {
        ExtentSource::Unknown(format!("what the layers of the overlay take is not known: {why}"))
    })
}

/// An error says why it cannot be known.
fn ask(store: &Directory) -> Result<ExtentSource, String> {
    let mount = mount_of(store).ok_or("the system does not say how it is mounted")?;
    let options = Options::parse(&mount.options)?;
    let layers = options.open(&mount.below)?;
    // Read from its beginning, wherever others are.
    let store = &said(store.open_directory(c"."))?;
    let shown = said(names(store))?;
    if !are_all_in(&shown, &layers) {
        return Err(CHANGED.to_owned());
    }
    let Some(first) = layers.first() else { return Ok(ExtentSource::Blocks) };
    let blocks = layers.iter().all(|layer| matches!(layer.beneath, LayerBeneath::Blocks));
    for layer in &layers {
        if let LayerBeneath::Unknown(why) = layer.beneath {
            return Err(why.to_owned());
        }
        if !blocks && layer.stat.dev != first.stat.dev {
            return Err("they are in several file systems or subvolumes".to_owned());
        }
    }
    let mut proven = true;
    for at in 0..layers.len() {
        proven &= verify(store, &layers[..at], &layers[at], blocks)?;
    }
    let any_lower = layers.iter().any(|layer| !layer.upper);
    let are_known = proven && any_lower;
    // What is all in the upper layer needs no other.
    if !are_known && !above::find(store)?.all {
        return Err(match proven {
            true => "something covers a lower layer".to_owned(),
            false => "no file of one of them is found to compare with what it shows".to_owned(),
        });
    }
    if blocks {
        return Ok(ExtentSource::Blocks);
    }
    let reader = match first.directory.extents() {
        ExtentSource::Extents(reader) => reader,
        ExtentSource::Files(files) => return Err(files.why),
        other => return Ok(other),
    };
    for layer in &layers {
        if said(reader.has_below(layer.stat.ino))? {
            return Err(
                "a subvolume lies in one of them, whose files have the same numbers".to_owned()
            );
        }
    }
    if options.metacopy {
        return Err("it may have files whose contents are in a layer below (metacopy)".to_owned());
    }
    let store = said(store.open_directory(c"."))?;
    let upper = layers.into_iter().find(|layer| layer.upper).map(|layer| layer.directory);
    let list = move |spend: Spend<'_>| match &upper {
        Some(upper) => numbers(&store, upper, spend),
        None => Ok(Vec::new()),
    };
    Ok(ExtentSource::Extents(Box::new(Reader::new(reader, Box::new(list), any_lower))))
}

/// Why nothing is known where a layer is not what the overlay shows.
const CHANGED: &str = "what lies at their places is not what it shows";

fn said<T>(read: io::Result<T>) -> Result<T, String> {
    read.map_err(|error| format!("they cannot be read: {error}"))
}

impl Options {
    /// The layers that have a directory at a place in the overlay, the topmost first.
    fn open(&self, below: &[u8]) -> Result<Vec<Layer>, String> {
        let upper = self.upper.iter().map(|path| (path, true));
        let lower = self.lower.iter().map(|path| (path, false));
        let mut layers = Vec::new();
        for (path, upper) in upper.chain(lower) {
            if let Some(layer) = said(Layer::open(path, below, upper))? {
                layers.push(layer);
            }
        }
        Ok(layers)
    }
}

/// The store in a layer.
struct Layer {
    upper: bool,
    directory: Directory,
    stat: Stat,
    beneath: LayerBeneath,
    names: Names,
}

impl Layer {
    /// `None` if it has none.
    fn open(path: &[u8], below: &[u8], upper: bool) -> io::Result<Option<Self>> {
        let root = Directory::root(Path::new(OsStr::from_bytes(path)))?;
        let Some(directory) = descend(&root, below)? else { return Ok(None) };
        let (stat, names) = (directory.stat(c"")?, names(&directory)?);
        let beneath = directory.as_layer();
        Ok((!names.is_empty()).then_some(Self { upper, directory, stat, beneath, names }))
    }

    /// Whether the overlay shows its directory of the store: the times of the upper one; and
    /// in the same file system as that, the number of the one below.
    fn is_shown(&self, store: &Directory, above: &[Self]) -> io::Result<bool> {
        match above {
            [] => above::shows(store, &self.directory),
            [upper] if upper.upper && upper.stat.dev == self.stat.dev => {
                Ok(store.stat(c"")?.ino == self.stat.ino)
            }
            _ => Ok(false),
        }
    }
}

/// A directory below another, to be read; `None` if there is none.
fn descend(from: &Directory, below: &[u8]) -> io::Result<Option<Directory>> {
    let below = below.strip_prefix(b"/").unwrap_or(below);
    let opened = from.pass_path(below).unwrap_or(Err(io::ErrorKind::Unsupported.into()));
    if_there(opened.and_then(|directory| directory.open_directory(c".")))
}

/// `None` where there is no such directory.
fn if_there(opened: io::Result<Directory>) -> io::Result<Option<Directory>> {
    match opened {
        Ok(directory) => Ok(Some(directory)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

type Names = HashMap<Vec<u8>, (u64, FileType)>;

/// The entries of a directory: their numbers and types.
fn names(directory: &Directory) -> io::Result<Names> {
    let mut names = Names::new();
    directory.read(&mut Vec::new(), |entry| {
        names.insert(entry.name.to_bytes().to_vec(), (entry.ino, entry.file_type));
    })?;
    Ok(names)
}

/// Whether each name that the overlay shows is in some layer.
fn are_all_in(shown: &Names, layers: &[Layer]) -> bool {
    shown.keys().all(|name| layers.iter().any(|layer| layer.names.contains_key(name)))
}

/// Compares some files of a layer of which those above have none by that name with what the
/// overlay shows. It has to show their numbers as they are unless `blocks` say it all.
/// Whether anything shows that it is the layer: a file, or its directory of the store.
fn verify(store: &Directory, above: &[Layer], layer: &Layer, blocks: bool) -> Result<bool, String> {
    let mut names: Vec<_> = layer.names.iter().collect();
    // Those first that are in no layer above.
    let hidden = |name: &[u8]| above.iter().any(|layer| layer.names.contains_key(name));
    names.sort_by_key(|&(name, _)| (hidden(name), name));
    let mut search = Search { store, above, layer, looks: 0 };
    let mut shows = 0;
    for (at, (name, (_, file_type))) in names.into_iter().enumerate() {
        if shows == ENOUGH || shows > 0 && at >= SAMPLES {
            break;
        }
        let Some((found, shown)) = said(search.find(name, *file_type))? else { continue };
        shows += 1;
        let number = |found: &Stat| layer.upper || store.agrees(found.ino, &shown);
        let Some(found) = found.filter(|found| same(found, &shown) && number(found)) else {
            return Err(CHANGED.to_owned());
        };
        // Above are bits of the layer, where one of them is in another file system.
        if !blocks && shown.ino >> LAYER_BITS != found.ino >> LAYER_BITS {
            return Err("it numbers files by layer, as some are in another file system".to_owned());
        }
    }
    Ok(shows > 0 || said(layer.is_shown(store, above))?)
}

/// Looks for files of a layer that the overlay shows: such as no layer above has by that name.
struct Search<'a> {
    store: &'a Directory,
    above: &'a [Layer],
    layer: &'a Layer,
    /// At how many entries was looked.
    looks: usize,
}

impl Search<'_> {
    /// One at or below an entry of the store: what `stat` says of it in the layer, and in the
    /// overlay.
    fn find(
        &mut self,
        name: &[u8],
        file_type: FileType,
    ) -> io::Result<Option<(Option<Stat>, Stat)>> {
        let most = (self.looks + LOOKS_BELOW).min(LOOKS);
        let mut entries = vec![(file_type, name.to_vec())];
        while let Some((file_type, path)) = entries.pop() {
            if self.looks == most {
                break;
            }
            self.looks += 1;
            let is_directory = file_type == FileType::Directory;
            let mut merged = false;
            let mut hidden = false;
            for layer in self.above {
                if let Some(other) = stat(&layer.directory, &path)? {
                    merged = true;
                    hidden |= !is_directory || other.file_type() != FileType::Directory;
                }
            }
            if hidden {
                continue;
            }
            if !merged {
                // A directory above may hide all that is below.
                let Some(shown) = stat(self.store, &path)? else { continue };
                if matches!(file_type, FileType::Regular | FileType::Symlink) {
                    return Ok(Some((stat(&self.layer.directory, &path)?, shown)));
                }
            }
            if is_directory && let Some(directory) = descend(&self.layer.directory, &path)? {
                let mut below: Vec<_> = names(&directory)?.into_iter().collect();
                // The first files are the last, and so the next.
                below.sort_by(|(a, (_, of_a)), (b, (_, of_b))| {
                    let is_file = |of: &FileType| *of != FileType::Directory;
                    is_file(of_a).cmp(&is_file(of_b)).then_with(|| b.cmp(a))
                });
                let entry = |(name, (_, file_type)): (Vec<u8>, (u64, FileType))| {
                    (file_type, [&path[..], b"/", &name].concat())
                };
                entries.extend(below.into_iter().map(entry));
            }
        }
        Ok(None)
    }
}

/// Whether a file of a layer is the one that the overlay shows, but for its number: a copy in
/// the upper layer keeps the number that it had.
fn same(found: &Stat, shown: &Stat) -> bool {
    let of = |stat: &Stat| {
        let Stat { size, disk_size, mtime, mtime_nsec, ctime, ctime_nsec, mode, uid, .. } = *stat;
        (size, disk_size, (mtime, mtime_nsec), (ctime, ctime_nsec), mode, uid)
    };
    of(found) == of(shown)
}

/// What `stat` says of a path below a directory; `None` if there is none.
fn stat(from: &Directory, path: &[u8]) -> io::Result<Option<Stat>> {
    let (above, name) = match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&b""[..], path),
    };
    let Some(directory) = descend(from, above)? else { return Ok(None) };
    match directory.stat(&CString::new(name)?) {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts what takes as long as a walk over so many entries.
type Spend<'a> = &'a (dyn Fn(u64) -> io::Result<()> + Sync);
/// Gives what [`numbers`] does.
type List = dyn Fn(Spend<'_>) -> io::Result<Vec<(u64, u64)>> + Send + Sync;

/// The numbers of all that is in the upper layer, ascending; beside each the number by
/// which the overlay shows it.
///
/// # Errors
/// Those of [`each_in_upper`].
fn numbers(store: &Directory, upper: &Directory, spend: Spend<'_>) -> io::Result<Vec<(u64, u64)>> {
    let numbers = Mutex::new(Vec::new());
    each_in_upper(store, upper, spend, &|_, entries, _| {
        let mut numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.extend(entries.iter().map(|entry| (entry.number, entry.shown)));
        Ok(())
    })?;
    let mut numbers = numbers.into_inner().unwrap_or_else(PoisonError::into_inner);
    numbers.sort_unstable();
    numbers.dedup_by_key(|(number, _)| *number);
    Ok(numbers)
}

/// An entry of the upper layer that the overlay shows.
struct InUpper {
    name: CString,
    /// Its number there.
    number: u64,
    /// The number by which the directory of the overlay shows it.
    shown: u64,
}

/// What [`each_in_upper`] gives: a directory of the layer and that of the overlay, entries, and
/// how many the overlay shows.
type EachInUpper<'a> = &'a (dyn Fn([&Directory; 2], &[InUpper], usize) -> io::Result<()> + Sync);

/// Shows all that lies below a directory of the upper layer, which the overlay shows as `store`:
/// by several threads, directory by directory, in no order.
///
/// # Errors
/// `QuotaExceeded` with the reason where `spend` says that; else those of the system and of
/// `each`, of the first path that has any.
fn each_in_upper(
    store: &Directory,
    upper: &Directory,
    spend: Spend<'_>,
    each: EachInUpper<'_>,
) -> io::Result<()> {
    threads::ready();
    let open = AtomicUsize::new(0);
    let directories = [upper.open_directory(c".")?, store.open_directory(c".")?];
    let top = Arc::new(Opened::new(directories, 0, &open));
    let listing = Listing { spend, each, open: &open, failed: Mutex::default() };
    rayon::scope(|scope| listing.directory(scope, top, Vec::new()));
    match listing.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, _, error)) => Err(error),
        None => Ok(()),
    }
}

/// Going over the upper layer.
struct Listing<'a> {
    spend: Spend<'a>,
    each: EachInUpper<'a>,
    /// How many are open.
    open: &'a AtomicUsize,
    /// The first of what failed: whether it is something else than that more would have to be
    /// read than is allowed, and its path.
    failed: Mutex<Option<(bool, Vec<u8>, io::Error)>>,
}

/// A directory of the upper layer and that of the overlay.
struct Opened<'a> {
    directories: [Directory; 2],
    /// How much of a path of something below leads to it.
    length: usize,
    open: &'a AtomicUsize,
}

impl<'a> Opened<'a> {
    fn new(directories: [Directory; 2], length: usize, open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self { directories, length, open }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'a> Listing<'a> {
    /// Shows what is in a directory, by its path, and all below it; one above it is open.
    fn directory<'s>(&'s self, scope: &Scope<'s>, from: Arc<Opened<'s>>, path: Vec<u8>) {
        match self.read(&from, &path) {
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                let other = error.kind() != io::ErrorKind::QuotaExceeded;
                let before =
                    |(kind, first, _): &(bool, Vec<u8>, _)| (*kind, first) < (other, &path);
                if !failed.as_ref().is_some_and(before) {
                    *failed = Some((other, path, error));
                }
            }
            Ok((opened, below)) => {
                let from = opened.map_or(from, Arc::new);
                for name in below {
                    let above = if path.is_empty() { &[][..] } else { b"/" };
                    let path = [&path, above, name.to_bytes()].concat();
                    let from = Arc::clone(&from);
                    scope.spawn(move |scope| self.directory(scope, from, path));
                }
            }
        }
    }

    /// The same without what is below; it, unless too many are open, and the names of the
    /// directories below.
    fn read(
        &self,
        from: &Opened<'_>,
        path: &[u8],
    ) -> io::Result<(Option<Opened<'a>>, Vec<CString>)> {
        (self.spend)(ENTRIES_A_DIRECTORY).map_err(|error| match error.kind() {
            io::ErrorKind::QuotaExceeded => io::Error::new(error.kind(), LARGE_UPPER),
            _ => error,
        })?;
        let below = &path[from.length..];
        let [of_layer, of_store] = from.directories.each_ref().map(|from| match below {
            [] => from.open_directory(c".").map(Some),
            _ if below.contains(&b'/') => descend(from, below),
            _ => if_there(from.open_directory(&CString::new(below)?)),
        });
        let (Some(of_layer), Some(of_store)) = (of_layer?, of_store?) else {
            return Ok((None, Vec::new()));
        };
        let (mut entries, mut directories) = (Vec::new(), Vec::new());
        let shown = names(&of_store)?;
        of_layer.read(&mut Vec::new(), |entry| {
            // What stands for something deleted is not shown.
            if let Some(&(shown, _)) = shown.get(entry.name.to_bytes()) {
                if entry.file_type == FileType::Directory {
                    directories.push(entry.name.to_owned());
                }
                entries.push(InUpper { name: entry.name.to_owned(), number: entry.ino, shown });
            }
        })?;
        (self.each)([&of_layer, &of_store], &entries, shown.len())?;
        let may_be_open = self.open.load(Ordering::Relaxed) < OPEN;
        let length = if path.is_empty() { 0 } else { path.len() + 1 };
        let opened = may_be_open.then(|| Opened::new([of_layer, of_store], length, self.open));
        Ok((opened, directories))
    }
}

/// The extents of the file system that the layers are in, by the numbers that the overlay
/// shows.
struct Reader {
    layers: Box<dyn ExtentReader>,
    /// Finds out what is in the upper layer, each time that extents are read.
    list: Box<List>,
    upper: RwLock<Arc<Upper>>,
    any_lower: bool,
}

/// What is in the upper layer.
#[derive(Default)]
struct Upper {
    /// Its number there, and the one shown; ascending.
    numbers: Vec<(u64, u64)>,
    /// Numbers by which the overlay shows what has another.
    taken: HashSet<u64>,
}

impl Upper {
    fn new(numbers: Vec<(u64, u64)>) -> Self {
        let others = numbers.iter().filter(|(number, shown)| number != shown);
        let taken = others.map(|&(_, shown)| shown).collect();
        Self { numbers, taken }
    }

    /// The number by which the overlay shows what has another in the upper layer; `None` of
    /// what is not in that.
    fn shown(&self, number: u64) -> Option<u64> {
        let found = self.numbers.binary_search_by_key(&number, |&(number, _)| number);
        found.ok().map(|place| self.numbers[place].1)
    }
}

impl Reader {
    fn new(layers: Box<dyn ExtentReader>, list: Box<List>, any_lower: bool) -> Self {
        Self { layers, list, upper: RwLock::default(), any_lower }
    }

    fn upper(&self) -> std::sync::RwLockReadGuard<'_, Arc<Upper>> {
        self.upper.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExtentReader for Reader {
    fn own(&self) -> u64 {
        self.layers.own()
    }

    fn block_size(&self) -> u64 {
        self.layers.block_size()
    }

    fn allow_half_a_walk(&self, entries: u64) {
        self.layers.allow_half_a_walk(entries);
    }

    fn spend(&self, entries: u64) -> io::Result<()> {
        self.layers.spend(entries)
    }

    fn generation(&self) -> io::Result<u64> {
        self.layers.generation()
    }

    fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
        let mut subvolumes = self.layers.subvolumes()?;
        if self.any_lower {
            subvolumes.push(Subvolume { id: LOWER, lower: true, ..Subvolume::default() });
        }
        Ok(subvolumes)
    }

    fn has_below(&self, directory: u64) -> io::Result<bool> {
        self.layers.has_below(directory)
    }

    fn chunks(&self) -> io::Result<Vec<Chunk>> {
        self.layers.chunks()
    }

    fn stretches(&self) -> io::Result<Vec<Stretch>> {
        let upper = Upper::new((self.list)(&|entries| self.layers.spend(entries))?);
        *self.upper.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(upper);
        self.layers.stretches()
    }

    fn read(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64, ExtentItem),
    ) -> io::Result<Vec<Stretch>> {
        let upper = Arc::clone(&self.upper());
        let mut at = (None, 0);
        self.layers.read(stretch, &mut |number, item| {
            if at.0 != Some(number) {
                let shown = match upper.shown(number) {
                    Some(shown) => shown,
                    None if upper.taken.contains(&number) => number | HIDDEN,
                    None => number,
                };
                at = (Some(number), shown);
            }
            each(at.1, item);
        })
    }

    /// What was copied up is known by the number that it had below, and what has that there is
    /// hidden.
    fn is_lower(&self, ino: u64, met: bool) -> bool {
        let upper = self.upper();
        let is_upper = || upper.taken.contains(&ino) || upper.shown(ino).is_some();
        ino & HIDDEN != 0 || met && self.any_lower && !is_upper()
    }

    fn read_starts(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64),
    ) -> io::Result<Vec<Stretch>> {
        self.layers.read_starts(stretch, each)
    }

    fn checksums(&self, extents: &[(u64, u64)]) -> io::Result<Option<Checksums>> {
        self.layers.checksums(extents)
    }

    fn name_size(&self, length: u64) -> Option<u64> {
        self.layers.name_size(length)
    }

    fn sizes_are(&self) -> SizeIs {
        self.layers.sizes_are()
    }

    fn freed_sizes_are(&self) -> Option<SizeIs> {
        self.layers.freed_sizes_are()
    }
}

#[cfg(test)]
mod tests {
    use super::super::extents::Calls;
    use super::*;

    /// Whatever is deep or wide, each directory counts against what is allowed, once extents
    /// are read and not before.
    #[test]
    fn reading_the_upper_layer_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let deep: std::path::PathBuf = (0..OPEN + 10).map(|n| n.to_string()).collect();
        std::fs::create_dir_all(dir.path().join(&deep)).unwrap();
        std::fs::write(dir.path().join(&deep).join("file"), "").unwrap();
        (0..20).for_each(|n| std::fs::create_dir(dir.path().join(format!("wide{n}"))).unwrap());
        let open = || Directory::root(dir.path()).unwrap();
        let directories = (1 + OPEN + 10 + 20) as u64;
        let list = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| numbers(&open(), &open(), &|_| Ok(())).unwrap())
        };
        let all = list(1);
        assert!([2, 3, 8].map(list).iter().all(|again| *again == all));
        assert_eq!(all.len() as u64, directories);
        assert!(all.iter().all(|(number, shown)| number == shown));
        assert!(all.is_sorted());

        let (store, upper) = (open(), open());
        let list = Box::new(move |spend: Spend<'_>| numbers(&store, &upper, spend));
        let reader = Reader::new(Box::new(Tree(Vec::new(), Calls::unlimited(10))), list, false);
        let read = || {
            let read = reader.stretches().map(|_| ());
            read.map_err(|error| (error.kind(), error.to_string()))
        };
        assert_eq!(read(), Ok(()));
        reader.allow_half_a_walk(2 * ENTRIES_A_DIRECTORY * directories);
        assert_eq!(read(), Ok(()));
        let exceeded = Err((io::ErrorKind::QuotaExceeded, LARGE_UPPER.to_owned()));
        assert_eq!(read(), exceeded);
        reader.allow_half_a_walk(2 * ENTRIES_A_DIRECTORY * directories - 2);
        assert_eq!(read(), exceeded);
    }

    /// By however many threads, what failed first by path is the error; that more is not allowed
    /// goes before.
    #[test]
    fn what_fails_in_the_upper_layer_is_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..40 {
            std::fs::create_dir_all(dir.path().join(format!("a{n:02}/b/c"))).unwrap();
        }
        let open = || Directory::root(dir.path()).unwrap();
        let of = |threads, left: u64| {
            let calls = Calls::unlimited(1);
            calls.allow_half_a_walk(0, left);
            let fail = |[layer, _]: [&Directory; 2], _: &[InUpper], _: usize| {
                let ino = layer.stat(c"")?.ino;
                let inos = ["a31/b", "a07", "a07/b", "a12/b/c"].map(|path| {
                    descend(&open(), path.as_bytes()).unwrap().unwrap().stat(c"").unwrap().ino
                });
                match inos.iter().position(|&other| other == ino) {
                    Some(at) => Err(io::Error::other(at.to_string())),
                    None => Ok(()),
                }
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let walked = pool.install(|| {
                each_in_upper(&open(), &open(), &|entries| calls.spend(entries), &fail)
            });
            walked.unwrap_err().to_string()
        };
        for threads in [1, 2, 3, 8] {
            assert_eq!(of(threads, 10_000), "1");
            // What is below a directory that failed is not read: 118 of 121 are.
            assert_eq!(of(threads, 118 * ENTRIES_A_DIRECTORY), "1");
            assert_eq!(of(threads, 117 * ENTRIES_A_DIRECTORY), LARGE_UPPER);
        }
    }

    struct Tree(Vec<(u64, u64)>, Calls);

    impl ExtentReader for Tree {
        fn block_size(&self) -> u64 {
            4096
        }

        fn allow_half_a_walk(&self, entries: u64) {
            self.1.allow_half_a_walk(entries, 0);
        }

        fn spend(&self, entries: u64) -> io::Result<()> {
            self.1.spend(entries)
        }

        fn read(
            &self,
            _: &Stretch,
            each: &mut dyn FnMut(u64, ExtentItem),
        ) -> io::Result<Vec<Stretch>> {
            let whole = |start| ExtentItem::whole(start, 4096, super::super::Compression::None);
            self.0.iter().for_each(|&(ino, start)| each(ino, whole(start)));
            Ok(Vec::new())
        }
    }

    /// 5 is in a lower layer, and was copied up to 9; 6 is in a lower layer; 8 is new above.
    #[test]
    fn what_was_copied_up_has_the_extents_of_the_copy() {
        let tree = Tree(vec![(5, 4096), (6, 8192), (8, 12_288), (9, 16_384)], Calls::unlimited(1));
        let reader = Reader::new(Box::new(tree), Box::new(|_| Ok(vec![(8, 8), (9, 5)])), true);
        let mut shown = Vec::new();
        let each = &mut |ino, item| match item {
            ExtentItem::Extent { start, .. } => shown.push((ino, start)),
            ExtentItem::Inline { .. } => panic!(),
        };
        reader.read(&reader.stretches().unwrap()[0], each).unwrap();
        assert_eq!(shown, [(5 | HIDDEN, 4096), (6, 8192), (8, 12_288), (5, 16_384)]);
        let subvolumes = reader.subvolumes().unwrap();
        assert!(subvolumes.iter().any(|subvolume| subvolume.lower && subvolume.id == LOWER));
        // Of what is not met the original of a copy alone is known to be in a lower layer.
        let is_lower = [true, false]
            .map(|met| shown.iter().map(|&(ino, _)| reader.is_lower(ino, met)).collect::<Vec<_>>());
        assert_eq!(is_lower, [[true, true, false, false], [true, false, false, false]]);
    }
}
