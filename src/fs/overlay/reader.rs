//! The extents of the file systems that the layers of an overlay are in, by the numbers that
//! the overlay shows.
//!
//! Each file system has its own numbers of files, its own trees and its own addresses: here
//! they are told apart. Files in layers of blocks alone are taken to have one extent each.

use super::list::Spend;
use crate::arrange::Arrange as _;
use crate::fs::SizeIs;
use crate::fs::extents::{
    Checksums, Chunk, Compression, ExtentItem, ExtentReader, Stretch, Subvolume, damaged,
};
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The tree that stands for the lower layers, and the one that stands for layers of blocks.
const LOWER: u64 = u64::MAX;
const BLOCKS: u64 = u64::MAX - 1;
/// The number of any file in a lower layer that the overlay does not show, though it shows
/// another by its number; and of any other that it does not show.
const HIDDEN: u64 = u64::MAX;
const OUTSIDE: u64 = u64::MAX - 1;
/// Bits of a tree's number, and of an address, below those that stand for the file system.
const TREE_BITS: u32 = 48;
const ADDRESS_BITS: u32 = 56;
/// How many file systems are told apart by those.
const SYSTEMS: usize = 64;
/// Bits of a file's number below those that stand for its layer, unless the kernel says it.
const LAYER_BITS: u32 = 48;

/// A file system of layers; of btrfs a subvolume.
#[derive(Clone, Copy, Debug)]
pub(super) struct System {
    /// What those have in common that share their addresses on the disk.
    pub(super) disk: u64,
    /// Whether the upper layer is in it.
    pub(super) upper: bool,
    /// What the overlay adds to the numbers of files in lower layers; `None` if there are none.
    pub(super) added: Option<u64>,
}

impl System {
    /// The number by which the overlay shows a file, by its own.
    fn shown(&self, number: u64, upper: &Upper) -> u64 {
        if self.upper
            && let Some(shown) = upper.shown(number)
        {
            return shown;
        }
        match self.added.map(|added| added.checked_add(number)) {
            None => OUTSIDE,
            Some(Some(shown)) if !upper.has(shown) => shown,
            Some(_) => HIDDEN,
        }
    }
}

/// What shows the extents of a file system; nothing where blocks say all.
pub(super) type Shows = Option<Box<dyn ExtentReader>>;

/// Gives the numbers of all that is in the upper layer, as [`numbers`](super::list::numbers)
/// does.
pub(super) type List = dyn Fn(Spend<'_>) -> io::Result<Vec<(u64, u64)>> + Send + Sync;

/// What is in the upper layer.
#[derive(Default)]
struct Upper {
    /// Its number there, and the one shown; ascending.
    numbers: Vec<(u64, u64)>,
    /// Those that are shown, ascending.
    shown: Vec<u64>,
}

impl Upper {
    fn new(numbers: Vec<(u64, u64)>) -> Self {
        let mut shown: Vec<u64> = numbers.iter().map(|&(_, shown)| shown).collect();
        shown.sort_unstable();
        Self { numbers, shown }
    }

    /// The number by which the overlay shows what has another in the upper layer; `None` of
    /// what is not in that.
    fn shown(&self, number: u64) -> Option<u64> {
        let found = self.numbers.binary_search_by_key(&number, |&(number, _)| number);
        found.ok().map(|place| self.numbers[place].1)
    }

    /// Whether the overlay shows something of it by that number.
    fn has(&self, shown: u64) -> bool {
        self.shown.binary_search(&shown).is_ok()
    }
}

/// Reads the layers' file systems.
pub(super) struct Reader {
    /// Those with a reader, the upper layer's first.
    systems: Vec<(System, Box<dyn ExtentReader>)>,
    /// The first of them on the disk of each.
    disks: Vec<usize>,
    /// Whether some files are in layers of blocks alone, and whether the upper layer is one.
    blocks: bool,
    upper_of_blocks: bool,
    /// What is added to numbers of lower layers, ascending, and which file system they are in;
    /// none of blocks alone. All numbers in them are less than `room`.
    added: Vec<(u64, Option<usize>)>,
    room: u64,
    any_lower: bool,
    /// Finds out what is in the upper layer, each time that extents are read.
    list: Box<List>,
    upper: RwLock<Arc<Upper>>,
    /// What a walk met, if there are layers of blocks alone: numbers, ascending, and blocks in
    /// bytes.
    met: Vec<(u64, u64)>,
}

impl Reader {
    /// `None` if their numbers of files are not told apart, or if there are too many.
    /// `own_directories` is whether directories have numbers of the overlay's own.
    pub(super) fn new(
        systems: Vec<(System, Shows)>,
        own_directories: bool,
        list: Box<List>,
    ) -> Option<Self> {
        let any_lower = systems.iter().any(|(system, _)| system.added.is_some());
        let (mut read, mut of_blocks) = (Vec::new(), Vec::new());
        for (system, reader) in systems {
            match reader {
                Some(reader) => read.push((system, reader)),
                None => of_blocks.push(system),
            }
        }
        read.arrange_by_key(|(system, _)| !system.upper);
        let of_read = read.iter().enumerate().map(|(at, (system, _))| (system.added, Some(at)));
        let all = of_read.chain(of_blocks.iter().map(|system| (system.added, None)));
        let mut added: Vec<_> = all.filter_map(|(added, of)| Some((added?, of))).collect();
        if own_directories {
            // Those that have blocks lie in a lower layer, and share nothing.
            added.push((0, None));
        }
        added.arrange();
        let apart = added.windows(2).all(|two| two[0].0 < two[1].0);
        let bits = added.iter().map(|&(added, _)| added.trailing_zeros()).min();
        let bits = bits.filter(|&bits| own_directories || bits < u64::BITS);
        // What the kernel does not add is above these.
        let room = bits.map_or(u64::MAX, |bits| 1 << bits.min(LAYER_BITS));
        let disks = |(system, _): &(System, _)| {
            read.iter().position(|(other, _): &(System, _)| other.disk == system.disk)
        };
        let disks = read.iter().filter_map(disks).collect();
        (apart && read.len() <= SYSTEMS).then(|| Self {
            blocks: own_directories || !of_blocks.is_empty(),
            upper_of_blocks: of_blocks.iter().any(|system| system.upper),
            disks,
            room,
            systems: read,
            added,
            any_lower,
            list,
            upper: RwLock::default(),
            met: Vec::new(),
        })
    }

    fn first(&self) -> &dyn ExtentReader {
        self.systems.first().map_or(&Nothing, |(_, reader)| &**reader)
    }

    fn readers(&self) -> impl Iterator<Item = &dyn ExtentReader> {
        self.systems.iter().map(|(_, reader)| &**reader)
    }

    fn upper(&self) -> RwLockReadGuard<'_, Arc<Upper>> {
        self.upper.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// In which file system something of a lower layer is that has this number; none of blocks
    /// alone.
    fn of_lower(&self, shown: u64) -> Option<Option<usize>> {
        let at = self.added.partition_point(|&(added, _)| added <= shown).checked_sub(1)?;
        let (added, system) = self.added[at];
        (shown - added < self.room).then_some(system)
    }

    /// Shows what was met in layers of blocks alone.
    fn read_blocks(&self, each: &mut dyn FnMut(u64, ExtentItem)) -> io::Result<()> {
        let upper = Arc::clone(&self.upper());
        // Where they lie is not asked: only that they are apart.
        let mut start = 0;
        for &(ino, size) in &self.met {
            let is_there = match upper.has(ino) {
                true => self.upper_of_blocks,
                false => self.of_lower(ino) == Some(None),
            };
            if is_there {
                let item = ExtentItem::whole(start, size, Compression::None);
                each(ino, apart(item, self.systems.len())?);
                start += size;
            }
        }
        Ok(())
    }
}

/// An extent of one file system among several.
fn apart(mut item: ExtentItem, system: usize) -> io::Result<ExtentItem> {
    if let ExtentItem::Extent { start, disk_size, .. } = &mut item {
        let end = start.checked_add(*disk_size);
        if end.is_none_or(|end| end > 1 << ADDRESS_BITS) {
            return Err(damaged("an extent lies where no disk reaches"));
        }
        *start |= (system as u64) << ADDRESS_BITS;
    }
    Ok(item)
}

/// A stretch of one file system among several.
fn stretch_apart(stretch: Stretch, system: usize) -> io::Result<Stretch> {
    match stretch.tree >> TREE_BITS {
        0 => Ok(Stretch { tree: stretch.tree | (system as u64) << TREE_BITS, ..stretch }),
        _ => Err(damaged("a tree has a number that none has")),
    }
}

impl ExtentReader for Reader {
    fn own(&self) -> u64 {
        self.first().own()
    }

    /// What is in a layer of blocks has as many.
    fn block_size(&self) -> u64 {
        self.readers().map(ExtentReader::block_size).max().unwrap_or(1)
    }

    fn allow_half_a_walk(&self, entries: u64) {
        let readers = self.readers().count().max(1) as u64;
        self.readers().for_each(|reader| reader.allow_half_a_walk(entries / readers));
    }

    fn spend(&self, entries: u64) -> io::Result<()> {
        self.first().spend(entries)
    }

    fn met(&mut self, inodes: &mut dyn Iterator<Item = (u64, u64)>) {
        if self.blocks {
            self.met = inodes.filter(|&(_, size)| size > 0).collect();
            self.met.arrange_by_key(|&(ino, _)| ino);
            self.met.dedup_by_key(|&mut (ino, _)| ino);
        }
    }

    fn generation(&self) -> io::Result<u64> {
        // Each of them grows alone.
        self.readers().try_fold(0, |sum: u64, reader| Ok(sum.wrapping_add(reader.generation()?)))
    }

    /// What lies in lower layers stays, whoever else holds it: other subvolumes matter to the
    /// upper one, but for those that are read as layers.
    fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
        let mut subvolumes = match self.upper_of_blocks {
            true => vec![Subvolume { id: self.own(), ..Subvolume::default() }],
            false => self.first().subvolumes()?,
        };
        let other = |at: usize| self.disks[at] == 0 && at > 0;
        let others: Vec<u64> = self
            .readers()
            .enumerate()
            .filter(|(at, _)| other(*at))
            .map(|(_, of)| of.own())
            .collect();
        subvolumes.retain(|subvolume| !others.contains(&subvolume.id));
        if self.any_lower {
            subvolumes.push(Subvolume { id: LOWER, lower: true, ..Subvolume::default() });
        }
        Ok(subvolumes)
    }

    fn chunks(&self) -> io::Result<Vec<Chunk>> {
        let mut all = Vec::new();
        let firsts = self.readers().enumerate().filter(|(at, _)| self.disks[*at] == *at);
        for (system, reader) in firsts {
            let chunks = reader.chunks()?.into_iter();
            // What is beyond is of no extent.
            let within = chunks.filter(|chunk| chunk.start >> ADDRESS_BITS == 0);
            let start = |chunk: Chunk| chunk.start | (system as u64) << ADDRESS_BITS;
            all.extend(within.map(|chunk| Chunk { start: start(chunk), ..chunk }));
        }
        Ok(all)
    }

    fn stretches(&self) -> io::Result<Vec<Stretch>> {
        let upper = Upper::new((self.list)(&|entries| self.spend(entries))?);
        *self.upper.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(upper);
        let mut all = Vec::new();
        for (system, reader) in self.readers().enumerate() {
            for stretch in reader.stretches()? {
                all.push(stretch_apart(stretch, system)?);
            }
        }
        if self.blocks {
            all.push(Stretch::whole(BLOCKS));
        }
        Ok(all)
    }

    fn read(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64, ExtentItem),
    ) -> io::Result<Vec<Stretch>> {
        if stretch.tree == BLOCKS {
            self.read_blocks(each)?;
            return Ok(Vec::new());
        }
        let (at, tree) = ((stretch.tree >> TREE_BITS) as usize, stretch.tree % (1 << TREE_BITS));
        let (system, reader) = self.systems.get(at).ok_or(io::ErrorKind::NotFound)?;
        let upper = Arc::clone(&self.upper());
        let (mut last, mut failed) = ((None, 0), None);
        let rest = reader.read(&Stretch { tree, ..*stretch }, &mut |number, item| {
            if last.0 != Some(number) {
                last = (Some(number), system.shown(number, &upper));
            }
            match apart(item, self.disks[at]) {
                Ok(item) => each(last.1, item),
                Err(error) => failed = Some(error),
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None => rest.into_iter().map(|stretch| stretch_apart(stretch, at)).collect(),
        }
    }

    /// What was copied up is known by the number that it had below, and what has that there is
    /// hidden.
    fn is_lower(&self, ino: u64, met: bool) -> bool {
        let of_other = || match self.of_lower(ino) {
            Some(Some(at)) => !self.systems[at].0.upper,
            _ => false,
        };
        match ino {
            HIDDEN => true,
            OUTSIDE => false,
            _ => self.any_lower && (met || of_other()) && !self.upper().has(ino),
        }
    }

    fn read_starts(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64),
    ) -> io::Result<Vec<Stretch>> {
        self.first().read_starts(stretch, each)
    }

    /// Addresses are those of the file system where that is one alone.
    fn checksums(&self, extents: &[(u64, u64)]) -> io::Result<Option<Checksums>> {
        match self.systems.len() {
            1 => self.first().checksums(extents),
            _ => Ok(None),
        }
    }

    fn name_size(&self, length: u64) -> Option<u64> {
        self.first().name_size(length)
    }

    fn sizes_are(&self) -> SizeIs {
        self.readers().map(ExtentReader::sizes_are).max().unwrap_or_default()
    }

    fn freed_sizes_are(&self) -> Option<SizeIs> {
        self.first().freed_sizes_are()
    }
}

/// A file system without files.
struct Nothing;

impl ExtentReader for Nothing {
    fn block_size(&self) -> u64 {
        1
    }

    fn read(&self, _: &Stretch, _: &mut dyn FnMut(u64, ExtentItem)) -> io::Result<Vec<Stretch>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::extents::Calls;

    struct Tree(Vec<(u64, u64)>, Calls);

    impl ExtentReader for Tree {
        fn own(&self) -> u64 {
            256
        }

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
            stretch: &Stretch,
            each: &mut dyn FnMut(u64, ExtentItem),
        ) -> io::Result<Vec<Stretch>> {
            // In two parts.
            let (from, rest) = match stretch.first.0 {
                0 => (0, vec![Stretch { first: (1, 0, 0), ..*stretch }]),
                from => (from as usize, Vec::new()),
            };
            assert_eq!(stretch.tree, 256);
            let whole = |start| ExtentItem::whole(start, 4096, Compression::None);
            let to = if from == 0 { 1 } else { self.0.len() };
            self.0[from..to].iter().for_each(|&(ino, start)| each(ino, whole(start)));
            Ok(rest)
        }
    }

    fn tree(items: &[(u64, u64)]) -> Shows {
        Some(Box::new(Tree(items.to_vec(), Calls::unlimited(1))))
    }

    /// Each on a disk of its own.
    fn system(upper: bool, added: Option<u64>) -> System {
        System { disk: added.map_or(1, |added| added | 2), upper, added }
    }

    /// All that is shown, by number and address.
    fn shown(reader: &Reader) -> Vec<(u64, u64)> {
        let mut shown = Vec::new();
        let mut stretches = reader.stretches().unwrap();
        while let Some(stretch) = stretches.pop() {
            let each = &mut |ino, item| match item {
                ExtentItem::Extent { start, .. } => shown.push((ino, start)),
                ExtentItem::Inline { .. } => panic!(),
            };
            stretches.extend(reader.read(&stretch, each).unwrap());
        }
        shown.sort_by_key(|&(_, start)| start);
        shown
    }

    /// 5 is in a lower layer, and was copied up to 9; 6 is in a lower layer; 8 is new above.
    #[test]
    fn what_was_copied_up_has_the_extents_of_the_copy() {
        let tree = tree(&[(5, 4096), (6, 8192), (8, 12_288), (9, 16_384)]);
        let list = Box::new(|_: Spend<'_>| Ok(vec![(8, 8), (9, 5)]));
        let reader = Reader::new(vec![(system(true, Some(0)), tree)], false, list).unwrap();
        let shown = shown(&reader);
        assert_eq!(shown, [(HIDDEN, 4096), (6, 8192), (8, 12_288), (5, 16_384)]);
        let subvolumes = reader.subvolumes().unwrap();
        assert!(subvolumes.iter().any(|subvolume| subvolume.lower && subvolume.id == LOWER));
        // Of what is not met the original of a copy alone is known to be in a lower layer.
        let is_lower = [true, false]
            .map(|met| shown.iter().map(|&(ino, _)| reader.is_lower(ino, met)).collect::<Vec<_>>());
        assert_eq!(is_lower, [[true, true, false, false], [true, false, false, false]]);
    }

    /// The same numbers and addresses in three file systems, the last of blocks alone.
    #[test]
    fn file_systems_are_told_apart() {
        const LAYER: u64 = 1 << LAYER_BITS;
        let systems = || {
            let items = [(5, 4096), (6, 8192)];
            vec![
                (system(false, Some(2 * LAYER)), tree(&items)),
                (system(false, Some(3 * LAYER)), None),
                (system(true, None), tree(&[(5, 4096), (6, 8192), (7, 12_288)])),
            ]
        };
        // 5 above is new; 6 above is a copy of what is 6 in blocks; 7 is elsewhere.
        let list = || Box::new(|_: Spend<'_>| Ok(vec![(5, LAYER + 5), (6, 3 * LAYER + 6)]));
        let mut reader = Reader::new(systems(), true, list()).unwrap();
        // A directory has a number of its own; another layer, and what has a large number, are
        // not known.
        let of_blocks = [(3 * LAYER + 6, 512), (3 * LAYER + 9, 1024), (77, 4096)];
        let others = [(4 * LAYER + 1, 4096), ((1 << 59) + 1, 4096), (LAYER + 5, 4096)];
        reader.met(&mut of_blocks.into_iter().chain(others).chain([(2 * LAYER + 5, 4096)]));
        let shown = shown(&reader);
        let far = |system: u64, start: u64| system << ADDRESS_BITS | start;
        let expected = [
            (LAYER + 5, 4096),
            (3 * LAYER + 6, 8192),
            (OUTSIDE, 12_288),
            (2 * LAYER + 5, far(1, 4096)),
            (2 * LAYER + 6, far(1, 8192)),
            (77, far(2, 0)),
            (3 * LAYER + 9, far(2, 4096)),
        ];
        assert_eq!(shown, expected);
        let is_lower = [true, false]
            .map(|met| shown.iter().map(|&(ino, _)| reader.is_lower(ino, met)).collect::<Vec<_>>());
        let expected = [[true; 4], [true, true, false, false]];
        assert_eq!(is_lower, expected.map(|last| [&[false; 3][..], &last].concat()));
        assert_eq!(reader.own(), 256);

        // The upper layer may be the one of blocks.
        let mut systems = systems();
        systems.iter_mut().for_each(|(system, reader)| system.upper = reader.is_none());
        systems.pop();
        let mut reader = Reader::new(systems, true, list()).unwrap();
        reader.met(&mut [(LAYER + 5, 512), (2 * LAYER + 6, 4096)].into_iter());
        let found = self::shown(&reader);
        assert_eq!(found, [(2 * LAYER + 5, 4096), (2 * LAYER + 6, 8192), (LAYER + 5, far(1, 0))]);
        assert!(!reader.is_lower(LAYER + 5, true) && reader.is_lower(2 * LAYER + 5, false));
        assert_eq!(reader.subvolumes().unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_told_apart_is_not_read() {
        let list = || Box::new(|_: Spend<'_>| Ok(Vec::new()));
        let equal = || vec![(system(true, Some(0)), tree(&[])), (system(false, Some(0)), None)];
        assert!(Reader::new(equal(), false, list()).is_none());
        let many = || (0..=SYSTEMS).map(|_| (system(false, None), tree(&[])));
        assert!(Reader::new(many().collect(), false, list()).is_none());
        assert!(Reader::new(many().skip(1).collect(), false, list()).is_some());
        let far = tree(&[(5, 4096), (6, 1 << ADDRESS_BITS)]);
        let reader = Reader::new(vec![(system(true, None), far)], false, list()).unwrap();
        let rest = reader.read(&Stretch::whole(256), &mut |_, _| ()).unwrap();
        let read = reader.read(&rest[0], &mut |_, _| ());
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    /// What is in the upper layer is listed when extents are read and not before, and counts.
    #[test]
    fn listing_the_upper_layer_counts() {
        let list = Box::new(|spend: Spend<'_>| spend(10).map(|()| Vec::new()));
        let reader = Reader::new(vec![(system(true, None), tree(&[]))], false, list).unwrap();
        let read = || reader.stretches().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(read(), Ok(()));
        reader.allow_half_a_walk(20);
        assert_eq!([read(), read()], [Ok(()), Err(io::ErrorKind::QuotaExceeded)]);
    }
}
