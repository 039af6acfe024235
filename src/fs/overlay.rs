//! What the files of an overlay take of the disk: what they take in its layers.
//!
//! The kernel says where the layers were when the overlay was mounted, and nobody says
//! whether they still are: so files are compared with those that the overlay shows. It shows
//! the number that a file has in its layer, with something added where layers are in several
//! file systems; but what was copied up keeps the number that it had below (Linux:
//! `Documentation/filesystems/overlayfs.rst`, "Inode properties"). Several subvolumes of one
//! btrfs are one file system to it: there we add something, where the kernel says which of them
//! a file is in.
//!
//! What is in a lower layer stays there whatever is deleted.

mod above;
mod list;
mod options;
mod reader;

pub(super) use above::upper;

use super::extents::ExtentSource;
use super::live::linux::{Directory, LayerBeneath, mount_of};
use super::{FileType, Stat};
use crate::arrange::Arrange as _;
use list::{How, each_in_upper, numbers};
use options::Options;
use reader::{Reader, Shows, System};
use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The kernel adds nothing smaller than a power of two with this exponent to numbers of files,
/// nor do we.
const ADDED_BITS: u32 = 33;
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
    for layer in &layers {
        if let LayerBeneath::Unknown(why) = layer.beneath {
            return Err(why.to_owned());
        }
    }
    let blocks = layers.iter().all(|layer| matches!(layer.beneath, LayerBeneath::Blocks));
    let verified = |at: usize| verify(store, &layers[..at], &layers[at], blocks);
    let verified = (0..layers.len()).map(verified).collect::<Result<Vec<_>, _>>()?;
    // Whether a layer of which nothing is found shows nothing, or its file system is known anyhow.
    let known = |at: usize| {
        let same = |layer: &Layer| layer.stat.dev == layers[at].stat.dev;
        let mut all = layers.iter().zip(&verified);
        blocks
            || verified[at].whole
            || all.any(|(layer, of)| same(layer) && (layer.upper || of.added.is_some()))
    };
    let is_proven = |at: usize| (verified[at].proven || hides(&shown, &layers, at)) && known(at);
    let proven = (0..layers.len()).all(is_proven);
    let are_known = proven && layers.iter().any(|layer| !layer.upper);
    // What is all in the upper layer needs no other.
    if !layers.is_empty() && !are_known && !above::find(store)?.all {
        return Err(match proven {
            true => "something covers a lower layer".to_owned(),
            false => "no file of one of them is found to compare with what it shows".to_owned(),
        });
    }
    if blocks {
        return Ok(ExtentSource::Blocks);
    }
    if options.metacopy {
        return Err("it may have files whose contents are in a layer below (metacopy)".to_owned());
    }
    let added: Vec<_> = verified.iter().map(|verified| verified.added).collect();
    read_all(store, layers, &added)
}

/// Reads layers of which not all are of blocks alone; `added` is what the overlay adds to
/// numbers in each, as far as it was found.
fn read_all(
    store: &Directory,
    layers: Vec<Layer>,
    added: &[Option<u64>],
) -> Result<ExtentSource, String> {
    let own_directories = store.tells_layers_apart();
    let upper = layers.iter().find(|layer| layer.upper);
    if own_directories && upper.is_some_and(|upper| upper.directory.may_have_blocks()) {
        return Err("directories in its upper layer have other numbers each time they are looked \
                    at (unless it is mounted with xino=on)"
            .to_owned());
    }
    let mut systems = systems_of(&layers, added, own_directories)?;
    // The others show nothing.
    systems.retain(|(system, _)| system.upper || system.added.is_some());
    if systems.iter().all(|(_, shows)| shows.is_none()) {
        return Ok(ExtentSource::Blocks);
    }
    let directories = upper.is_none_or(|upper| upper.directory.may_have_blocks());
    let how = How { numbered: own_directories || systems.len() > 1, directories };
    let store = said(store.open_directory(c"."))?;
    let upper = layers.into_iter().find(|layer| layer.upper).map(|layer| layer.directory);
    let list = move |spend: list::Spend<'_>| match &upper {
        Some(upper) => numbers(&store, upper, how, spend),
        None => Ok(Vec::new()),
    };
    let reader = Reader::new(systems, own_directories, Box::new(list));
    Ok(ExtentSource::Extents(Box::new(reader.ok_or(NOT_APART)?)))
}

/// The file systems that layers are in.
fn systems_of(
    layers: &[Layer],
    added: &[Option<u64>],
    own_directories: bool,
) -> Result<Vec<(System, Shows)>, String> {
    let (mut first, mut systems): (Vec<&Layer>, Vec<(System, Shows)>) = (Vec::new(), Vec::new());
    for (layer, added) in layers.iter().zip(added) {
        let dev = layer.stat.dev;
        let known = first.iter().position(|other| other.stat.dev == dev);
        let at = known.unwrap_or(systems.len());
        if known.is_none() {
            let id = layer.directory.btrfs_id();
            let same = |other: &&&Layer| id.is_some() && other.directory.btrfs_id() == id;
            let disk = first.iter().find(same).map_or(dev, |other| other.stat.dev);
            first.push(layer);
            systems.push((System { disk, upper: false, added: None }, layer.shows()?));
        }
        let (system, shows) = &mut systems[at];
        if let Some(reader) = shows
            && said(reader.has_below(layer.stat.ino))?
        {
            return Err(
                "a subvolume lies in one of them, whose files have the same numbers".to_owned()
            );
        }
        system.upper |= layer.upper;
        if !layer.upper {
            // Nothing is added to those of the upper layer's file system.
            let as_above = system.upper && !own_directories;
            let added = added.or(as_above.then_some(0));
            if system.added.is_some_and(|other| added.is_some_and(|added| added != other)) {
                return Err(NOT_APART.to_owned());
            }
            system.added = system.added.or(added);
        }
    }
    let of_btrfs = |layer: &Layer| layer.upper && layer.directory.btrfs_id().is_some();
    are_apart(&systems, layers.iter().any(of_btrfs))?;
    Ok(systems)
}

/// Whether numbers of files in several subvolumes of one btrfs are told apart: those of copies in
/// the upper layer, too, which are shown with its subvolume, if it has one, and the number that
/// they had in another.
///
/// # Errors
/// Why they are not.
fn are_apart(systems: &[(System, Shows)], of_btrfs: bool) -> Result<(), String> {
    for (at, (system, _)) in systems.iter().enumerate() {
        let beside = |other: &&(usize, &System)| other.0 != at && other.1.disk == system.disk;
        let others = systems.iter().map(|(system, _)| system).enumerate();
        let others: Vec<_> = others.filter(|other| beside(&other)).collect();
        if others.is_empty() {
            continue;
        }
        let same = |other: &System| other.upper || other.added == Some(0);
        if !system.upper && system.added == Some(0) && others.iter().any(|(_, other)| same(other)) {
            return Err("they are in several subvolumes of one btrfs, whose files have the same \
                        numbers (Linux tells them apart since 6.10)"
                .to_owned());
        }
        let with_upper = system.upper || others.iter().any(|(_, other)| other.upper);
        if system.upper && system.added.is_some() || of_btrfs && !with_upper {
            return Err(NOT_APART.to_owned());
        }
    }
    Ok(())
}

/// Why nothing is known where files of different layers may have the same number.
const NOT_APART: &str = "the numbers of their files are not told apart";

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

    fn shows(&self) -> Result<Shows, String> {
        match self.directory.extents() {
            ExtentSource::Blocks => Ok(None),
            ExtentSource::Extents(reader) => Ok(Some(reader)),
            ExtentSource::Files(files) => Err(files.why),
            ExtentSource::Unknown(why) | ExtentSource::Failed(why) => Err(why),
            ExtentSource::Inodes(_) => Err("a layer may compress files".to_owned()),
        }
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
    directory.read(&mut Vec::new(), &mut |entry| {
        names.insert(entry.name.to_bytes().to_vec(), (entry.ino, entry.file_type));
    })?;
    Ok(names)
}

/// Whether each name that the overlay shows is in some layer.
fn are_all_in(shown: &Names, layers: &[Layer]) -> bool {
    shown.keys().all(|name| layers.iter().any(|layer| layer.names.contains_key(name)))
}

/// What a comparison of a layer with what the overlay shows came to.
#[derive(Clone, Copy, Debug)]
struct Verified {
    /// Whether anything shows that it is the layer: a file, or its directory of the store.
    proven: bool,
    /// What the overlay adds to the numbers of its files, where that was found: of a lower layer.
    added: Option<u64>,
    /// Whether all of it was looked at that may be a file which the overlay shows, unless one was
    /// found.
    whole: bool,
}

/// Compares some files of a layer of which those above have none by that name with what the
/// overlay shows. It has to add the same to all their numbers, unless `blocks` say it all.
fn verify(
    store: &Directory,
    above: &[Layer],
    layer: &Layer,
    blocks: bool,
) -> Result<Verified, String> {
    let mut names: Vec<_> = layer.names.iter().collect();
    // Those first that are in no layer above.
    let hidden = |name: &[u8]| above.iter().any(|layer| layer.names.contains_key(name));
    names.arrange_by_key(|&(name, _)| (hidden(name), name));
    let mut search = Search { store, above, layer, looks: 0, whole: true };
    let (mut shows, mut added) = (0, None);
    for (at, (name, (_, file_type))) in names.into_iter().enumerate() {
        if shows == ENOUGH || shows > 0 && at >= SAMPLES {
            break;
        }
        let Some((found, shown)) = said(search.find(name, *file_type))? else { continue };
        shows += 1;
        let more = found.and_then(|found| added_to(found.ino, shown.ino));
        // A copy in the upper layer keeps the number that it had.
        let number =
            |found: &Stat| layer.upper || more.is_some() || store.agrees(found.ino, &shown);
        if !found.is_some_and(|found| same(&found, &shown) && number(&found)) {
            return Err(CHANGED.to_owned());
        }
        if !blocks && !layer.upper && (more.is_none() || *added.get_or_insert(more) != more) {
            return Err(NOT_APART.to_owned());
        }
    }
    let proven = shows > 0 || said(layer.is_shown(store, above))?;
    Ok(Verified { proven, added: added.flatten(), whole: search.whole })
}

/// Whether a layer hides something that one below has, by what stands for something deleted: a
/// device, of which no store has any.
fn hides(shown: &Names, layers: &[Layer], at: usize) -> bool {
    let any_has = |layers: &[Layer], name| layers.iter().any(|of| of.names.contains_key(name));
    layers[at].names.iter().any(|(name, (_, file_type))| {
        *file_type == FileType::Other
            && !shown.contains_key(name)
            && !any_has(&layers[..at], name)
            && any_has(&layers[at + 1..], name)
    })
}

/// What was added to a number, if it may be something that stands for a layer.
fn added_to(number: u64, shown: u64) -> Option<u64> {
    let added = shown.checked_sub(number)?;
    let bits = added.trailing_zeros();
    let is_below = number.checked_shr(bits).unwrap_or(0) == 0;
    (bits >= ADDED_BITS && is_below).then_some(added)
}

/// Looks for files of a layer that the overlay shows: such as no layer above has by that name.
struct Search<'a> {
    store: &'a Directory,
    above: &'a [Layer],
    layer: &'a Layer,
    /// At how many entries was looked.
    looks: usize,
    /// Whether none was left out.
    whole: bool,
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
                self.whole = false;
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
                below.arrange_by(|(a, (_, of_a)), (b, (_, of_b))| {
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
