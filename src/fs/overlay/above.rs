//! What of an overlay lies in its upper layer.
//!
//! Only that layer has to be reached for it, and to be what the overlay shows: its directories
//! are those of the overlay, which shows times and sizes of the topmost. Where the lower layers
//! can be reached too, what they have nothing of need not be looked into.

use super::{
    CHANGED, ExtentSource, Layer, Names, Options, are_all_in, descend, each_in_upper, names, said,
    same, verify,
};
use crate::arrange::Arrange as _;
use crate::fs::live::linux::{Directory, mount_of};
use crate::fs::upper::{InUpper, UpperFile, UpperFiles, UpperSource};
use crate::fs::{FileType, Stat};
use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// How often directories are compared that are written to meanwhile.
const TRIES: usize = 3;

/// What of a directory of an overlay lies in its upper layer.
pub(in crate::fs) fn upper(store: &Directory) -> UpperSource {
    match find(store) {
        Ok(files) => UpperSource::Files(files),
        Err(why) => UpperSource::Unknown(why),
    }
}

/// An error says why it is not known.
pub(super) fn find(store: &Directory) -> Result<UpperFiles, String> {
    let mount = mount_of(store).ok_or("the system does not say how it is mounted")?;
    let options = Options::read(&mount.options);
    // Read from its beginning, wherever others are.
    let store = &said(store.open_directory(c"."))?;
    let shown = said(names(store))?;
    let upper = match &options.upper {
        Some(path) if path.starts_with(b"/") => in_layer(store, path, &mount.below)?,
        Some(_) => return Err("it does not say where its upper layer is".to_owned()),
        None if options.lower.is_empty() => {
            return Err("it does not say where its layers are".to_owned());
        }
        // Nothing can be deleted.
        None => None,
    };
    let Some(upper) = upper else {
        return Ok(UpperFiles { all: shown.is_empty(), blocks: true, ..UpperFiles::default() });
    };
    let lower = names_below(store, &shown, &options, &mount.below);
    let mut files = UpperFiles {
        blocks: matches!(upper.extents(), ExtentSource::Blocks),
        ..UpperFiles::default()
    };
    for (name, (_, file_type)) in said(names(&upper))? {
        // What stands for something deleted is not shown.
        if !shown.contains_key(&name) {
            continue;
        }
        let alone = || lower.as_ref().is_some_and(|lower| !lower.contains(&name));
        let all = file_type != FileType::Directory && !options.metacopy || alone();
        let of_it = match all {
            true => InUpper::All,
            false => below(store, &upper, &name, options.metacopy)?,
        };
        files.entries.insert(name, of_it);
    }
    let all = |name| matches!(files.entries.get(name), Some(InUpper::All));
    files.all = shown.keys().all(all);
    files.nothing =
        shown.keys().filter(|name| !files.entries.contains_key(*name)).cloned().collect();
    files.alone = files.all
        && lower.is_some_and(|lower| shown.keys().all(|name| !lower.contains(name.as_slice())));
    Ok(files)
}

/// The same directory in the upper layer, once that is known to be it; `None` where that has
/// none.
fn in_layer(store: &Directory, path: &[u8], below: &[u8]) -> Result<Option<Directory>, String> {
    let root = said(open(path))?;
    if let Some(directory) = said(descend(&root, below))? {
        return match said(shows(store, &directory))? {
            true => Ok(Some(directory)),
            false => Err(CHANGED.to_owned()),
        };
    }
    // What is above it is in the layer, and shown.
    let mut shown = said(store.open_directory(c"."))?;
    let mut below = below;
    while let Some(at) = below.iter().rposition(|&byte| byte == b'/') {
        below = &below[..at];
        shown = said(shown.open_directory(c".."))?;
        if let Some(directory) = said(descend(&root, below))? {
            return match said(shows(&shown, &directory))? {
                true => Ok(None),
                false => Err(CHANGED.to_owned()),
            };
        }
    }
    Err(CHANGED.to_owned())
}

/// Opens a layer where it was when the overlay was mounted; or, as the first stage of a boot
/// mounts below a directory that becomes the root, there.
fn open(path: &[u8]) -> io::Result<Directory> {
    let root = |path: &[u8]| Directory::root(Path::new(OsStr::from_bytes(path)));
    match root(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let inside = path[1..].iter().position(|&byte| byte == b'/');
            match inside {
                Some(at) => root(&path[1 + at..]).map_err(|_| error),
                None => Err(error),
            }
        }
        opened => opened,
    }
}

/// Whether an overlay shows a directory of its upper layer.
pub(super) fn shows(shown: &Directory, directory: &Directory) -> io::Result<bool> {
    for _ in 0..TRIES {
        if same(&directory.stat(c"")?, &shown.stat(c"")?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names that lower layers have, where these can be reached, and what is below such a name
/// in the upper layer has the same names there. A layer that seems to have none may be covered.
fn names_below(
    store: &Directory,
    shown: &Names,
    options: &Options,
    below: &[u8],
) -> Option<HashSet<Vec<u8>>> {
    if options.metacopy || options.redirects || !options.is_absolute() {
        return None;
    }
    let layers = options.open(below).ok()?;
    let verified = |at: usize| {
        verify(store, &layers[..at], &layers[at], true).is_ok_and(|verified| verified.proven)
    };
    if !are_all_in(shown, &layers) || !(0..layers.len()).all(|at| layers[at].upper || verified(at))
    {
        return None;
    }
    let lower: Vec<Layer> = layers.into_iter().filter(|layer| !layer.upper).collect();
    if lower.len() < options.lower.len() {
        return None;
    }
    Some(lower.into_iter().flat_map(|layer| layer.names.into_keys()).collect())
}

/// What the upper layer has of an entry. Where a file may have its contents below, each has
/// to have its blocks there.
fn below(
    store: &Directory,
    upper: &Directory,
    name: &[u8],
    metacopy: bool,
) -> Result<InUpper, String> {
    let device = said(store.stat(c""))?.dev;
    let files = Mutex::new(Vec::new());
    let (elsewhere, all) = (AtomicBool::new(false), AtomicBool::new(true));
    let add = |shown: &Stat, of_layer: io::Result<Stat>| {
        // Over what is mounted there nothing is known.
        let other = shown.dev != device;
        if other || metacopy && of_layer?.disk_size != shown.disk_size {
            elsewhere.store(true, Ordering::Relaxed);
        }
        let file = UpperFile { ino: shown.ino, disk_size: shown.disk_size };
        files.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        io::Result::Ok(())
    };
    let own = CString::new(name).map_err(|error| error.to_string())?;
    said(store.stat(&own).and_then(|shown| add(&shown, upper.stat(&own))))?;
    if let (Some(of_layer), Some(of_store)) =
        (said(descend(upper, name))?, said(descend(store, name))?)
    {
        let walked =
            each_in_upper(&of_store, &of_layer, &|_| Ok(()), &|[layer, store], entries, shown| {
                if entries.len() < shown {
                    all.store(false, Ordering::Relaxed);
                }
                entries.iter().try_for_each(|entry| match store.stat(&entry.name) {
                    Ok(shown) => add(&shown, layer.stat(&entry.name)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    Err(error) => Err(error),
                })
            });
        said(walked)?;
    }
    let mut files = files.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Several threads found them.
    files.arrange_by_key(|file| (file.ino, file.disk_size));
    match (elsewhere.into_inner(), all.into_inner()) {
        (true, _) => Err("contents of its files may lie in a layer below, or elsewhere".to_owned()),
        (false, true) => Ok(InUpper::All),
        (false, false) => Ok(InUpper::Some(files)),
    }
}
