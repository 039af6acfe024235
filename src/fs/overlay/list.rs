//! Going over all that the upper layer of an overlay has, beside what the overlay shows of it.

use super::{descend, if_there, names};
use crate::fs::FileType;
use crate::fs::live::linux::Directory;
use crate::threads;
use rayon::Scope;
use std::ffi::CString;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Reading a directory of the upper layer, and the same of the overlay, takes as long as a
/// walk over so many entries: eight calls of the system, where a walk over six entries, as many
/// as a directory has on average, takes ten.
pub(super) const ENTRIES_A_DIRECTORY: u64 = 5;
/// Why sizes are not known where that is more than is allowed.
pub(super) const LARGE_UPPER: &str = "all directories of the overlay's upper layer have to be read for it, which takes far longer \
     than the walk; so it is done where exact sizes are asked for";
/// How many directories of both are open at once; below these, others are opened by a path
/// from the last of them.
const OPEN: usize = 64;

/// Counts what takes as long as a walk over so many entries.
pub(super) type Spend<'a> = &'a (dyn Fn(u64) -> io::Result<()> + Sync);

/// How the numbers of files are found by which the overlay shows them.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// Whether layers have numbers of their own, so that `stat` has to be asked for each.
    pub(super) numbered: bool,
    /// Whether those of directories are needed where they are asked for so.
    pub(super) directories: bool,
}

/// The numbers of all that is in the upper layer, ascending; beside each the number by which the
/// overlay shows it.
///
/// # Errors
/// Those of [`each_in_upper`]; and if two have the same number where layers have numbers of
/// their own: a copy that keeps the one that it had in another subvolume.
pub(super) fn numbers(
    store: &Directory,
    upper: &Directory,
    How { numbered, directories }: How,
    spend: Spend<'_>,
) -> io::Result<Vec<(u64, u64)>> {
    let numbers = Mutex::new(Vec::new());
    each_in_upper(store, upper, spend, &|[_, store], entries, _| {
        let mut found = Vec::with_capacity(entries.len());
        let of_directory = |entry: &&InUpper| entry.file_type == FileType::Directory;
        for entry in entries.iter().filter(|entry| !numbered || directories || !of_directory(entry))
        {
            let shown = match numbered {
                false => Ok(entry.shown),
                true => spend(1).map_err(too_large).and_then(|()| Ok(store.stat(&entry.name)?.ino)),
            };
            match shown {
                Ok(shown) => found.push((entry.number, shown)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        numbers.lock().unwrap_or_else(PoisonError::into_inner).append(&mut found);
        Ok(())
    })?;
    let mut numbers = numbers.into_inner().unwrap_or_else(PoisonError::into_inner);
    numbers.sort_unstable();
    numbers.dedup_by_key(|(number, _)| *number);
    if numbered {
        let mut shown: Vec<u64> = numbers.iter().map(|&(_, shown)| shown).collect();
        shown.sort_unstable();
        if shown.windows(2).any(|two| two[0] == two[1]) {
            return Err(io::Error::other(
                "the overlay shows two files of its upper layer by one number",
            ));
        }
    }
    Ok(numbers)
}

/// An entry of the upper layer that the overlay shows.
pub(super) struct InUpper {
    pub(super) name: CString,
    file_type: FileType,
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
pub(super) fn each_in_upper(
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
        (self.spend)(ENTRIES_A_DIRECTORY).map_err(too_large)?;
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
        of_layer.read(&mut Vec::new(), &mut |entry| {
            // What stands for something deleted is not shown.
            if let Some(&(shown, _)) = shown.get(entry.name.to_bytes()) {
                if entry.file_type == FileType::Directory {
                    directories.push(entry.name.to_owned());
                }
                entries.push(InUpper {
                    name: entry.name.to_owned(),
                    file_type: entry.file_type,
                    number: entry.ino,
                    shown,
                });
            }
        })?;
        (self.each)([&of_layer, &of_store], &entries, shown.len())?;
        let may_be_open = self.open.load(Ordering::Relaxed) < OPEN;
        let length = if path.is_empty() { 0 } else { path.len() + 1 };
        let opened = may_be_open.then(|| Opened::new([of_layer, of_store], length, self.open));
        Ok((opened, directories))
    }
}

/// Says why more would have to be read than is allowed.
fn too_large(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::QuotaExceeded => io::Error::new(error.kind(), LARGE_UPPER),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::extents::Calls;

    /// Whatever is deep or wide, each directory counts; where numbers are asked for one by one
    /// each entry does.
    #[test]
    fn reading_the_upper_layer_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let deep: std::path::PathBuf = (0..OPEN + 10).map(|n| n.to_string()).collect();
        std::fs::create_dir_all(dir.path().join(&deep)).unwrap();
        std::fs::write(dir.path().join(&deep).join("file"), "").unwrap();
        (0..20).for_each(|n| std::fs::create_dir(dir.path().join(format!("wide{n}"))).unwrap());
        let open = || Directory::root(dir.path()).unwrap();
        let entries = (OPEN + 10 + 20 + 1) as u64;
        let list = |threads, numbered| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let how = How { numbered, directories: true };
            pool.install(|| numbers(&open(), &open(), how, &|_| Ok(())).unwrap())
        };
        let all = list(1, false);
        assert!([2, 3, 8].map(|threads| list(threads, false)).iter().all(|again| *again == all));
        assert_eq!(list(3, true), all);
        assert_eq!(all.len() as u64, entries);
        assert!(all.iter().all(|(number, shown)| number == shown));
        assert!(all.is_sorted());
        let how = How { numbered: true, directories: false };
        assert_eq!(numbers(&open(), &open(), how, &|_| Ok(())).unwrap().len(), 1);

        let calls = Calls::unlimited(1);
        for (numbered, cost) in [(false, 0), (true, entries)] {
            // All but one are directories, and the first is none of them.
            let cost = cost + ENTRIES_A_DIRECTORY * entries;
            for left in [cost, cost - 1] {
                calls.allow_half_a_walk(0, left);
                let how = How { numbered, directories: true };
                let read = numbers(&open(), &open(), how, &|entries| calls.spend(entries));
                let said = read.map(|_| ()).map_err(|error| (error.kind(), error.to_string()));
                let exceeded = Err((io::ErrorKind::QuotaExceeded, LARGE_UPPER.to_owned()));
                assert_eq!(said, if left == cost { Ok(()) } else { exceeded }, "{numbered}");
            }
        }
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
}
