use super::*;
use crate::disk::extents::going::read_and_warn;
use crate::disk::extents::{ExtentsByInode, GoingInodes, InodeOwner};
use crate::fs::{Stretch, Subvolume};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

const OWN: u64 = 256;
const OTHER: u64 = 257;

/// What a file system might say.
#[derive(Default)]
struct Told {
    own: Vec<(u64, ExtentItem)>,
    other: Vec<u64>,
    /// How much the generation grows each time it is asked for.
    step: u64,
    generation: AtomicU64,
    /// Whether the other subvolume is gone.
    gone: bool,
    deleted: bool,
    /// An inode that it does not show.
    hidden: Option<u64>,
    /// How many files a walk met in other subvolumes.
    elsewhere: u64,
    /// Whether nothing is known of the other subvolume.
    unknown: bool,
}

impl ExtentReader for Told {
    fn own(&self) -> u64 {
        OWN
    }

    fn block_size(&self) -> u64 {
        4096
    }

    fn generation(&self) -> io::Result<u64> {
        Ok(self.generation.fetch_add(self.step, Ordering::Relaxed))
    }

    fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
        let own = Subvolume { id: OWN, ..Subvolume::default() };
        let Self { deleted, unknown, .. } = *self;
        let other = Subvolume {
            id: OTHER,
            path: b"other".to_vec(),
            deleted,
            unknown,
            ..Subvolume::default()
        };
        Ok(vec![own, other])
    }

    fn chunks(&self) -> io::Result<Vec<Chunk>> {
        Ok(vec![Chunk { start: 0, length: 1 << 20, raw: 2, data: 1 }])
    }

    fn read(&self, _: &Stretch, each: &mut dyn FnMut(u64, ExtentItem)) -> io::Result<Vec<Stretch>> {
        self.own.iter().for_each(|&(ino, item)| each(ino, item));
        Ok(Vec::new())
    }

    fn read_starts(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64),
    ) -> io::Result<Vec<Stretch>> {
        assert_eq!(stretch.tree, OTHER);
        self.other.iter().for_each(|&start| each(start));
        match self.gone {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(Vec::new()),
        }
    }

    fn shows(&self, ino: u64) -> bool {
        self.hidden != Some(ino)
    }
}

fn extent(start: u64, disk_size: u64) -> ExtentItem {
    ExtentItem::whole(start, disk_size, Compression::None)
}

/// What is found out of two paths of one file each, with inode numbers 10 and 11
/// and as many blocks as their items say; and the kinds of warnings.
fn told(told: &Told) -> (io::Result<Extents>, Vec<WarningKind>) {
    let size = |ino| -> u64 {
        let items = told.own.iter().filter(|item| item.0 == ino);
        items.map(|_| 4096).sum()
    };
    let files = [10, 11].map(|ino| Found::new(ino as u32 - 10, ino, size(ino)));
    let met = Met {
        paths: 2,
        asked: 2,
        files: files.to_vec(),
        elsewhere: told.elsewhere,
        entries: 2,
        inodes: &[],
        names: &Rows::from_lists(&[[0u32; 0]; 2]),
        unused_links: vec![(12, 4096); usize::from(told.hidden == Some(12))],
        by_inode: true,
    };
    let mut warnings = Warnings::new();
    let extents = gather(told, &met, b"/nix/store", &mut warnings);
    // By path all is the same without them by inode.
    let by_path =
        gather(told, &Met { by_inode: false, ..met }, b"/nix/store", &mut Warnings::new());
    if let (Ok(extents), Ok(by_path)) = (&extents, by_path) {
        let all = |extents: &Extents| {
            let Extents { own, groups, owners, sums, totals, .. } = extents.clone();
            (own, groups, owners, sums, totals)
        };
        assert_eq!(all(extents), all(&by_path));
    }
    (extents, warnings.iter().map(|warning| warning.kind).collect())
}

fn physical(extents: &io::Result<Extents>) -> Vec<u64> {
    let extents = extents.as_ref().unwrap();
    extents.sums.iter().map(|sum| sum.physical_size).collect()
}

/// What two files of a path and one of another share.
fn shared() -> Vec<(u64, ExtentItem)> {
    vec![
        (9, extent(4096, 4096)),
        (10, extent(4096, 4096)),
        (10, extent(8192, 4096)),
        (11, extent(8192, 4096)),
        (11, extent(12_288, 4096)),
    ]
}

#[test]
fn what_two_paths_and_a_subvolume_use_is_in_groups() {
    let own = shared();
    let other = vec![8192, 1 << 30];
    let (extents, warnings) = told(&Told { own, other, ..Told::default() });
    assert_eq!((physical(&extents), warnings), (vec![8192, 8192], vec![]));
    let extents = extents.unwrap();
    assert_eq!(extents.own[1].physical_size, 4096);
    let groups: Vec<_> = extents.groups.iter().map(|group| &group.holders[..]).collect();
    assert_eq!(groups, [[0], [1]]);
    assert_eq!(extents.owners, Rows::from_lists(&[vec![0], vec![0, 1]]));
    let holders: Vec<_> = extents.holders.iter().map(|h| (&h.path[..], h.own)).collect();
    assert_eq!(holders, [(&b""[..], true), (b"other", false)]);
    assert_eq!(extents.raw_size, Some(2 * 12_288));
}

#[test]
fn what_no_intact_file_system_says_is_refused() {
    for own in [
        // They overlap; one is of two sizes; sums do not fit.
        vec![(10, extent(4096, 8192)), (11, extent(8192, 4096))],
        vec![(10, extent(4096, 4096)), (11, extent(4096, 8192))],
        vec![(10, extent(4096, 1 << 62)), (11, extent((1 << 62) + 4096, 1 << 62))],
    ] {
        let error = told(&Told { own, ..Told::default() }).0.unwrap_err();
        assert_eq!(kind_of(&error), WarningKind::Damaged);
    }
}

#[test]
fn what_changes_meanwhile_is_said() {
    let own = || vec![(10, extent(4096, 4096))];
    let kinds = |of: Told| told(&of).1;
    assert_eq!(kinds(Told { own: own(), ..Told::default() }), []);
    assert_eq!(kinds(Told { own: own(), step: 1, ..Told::default() }), [WarningKind::Uncertain]);
    assert_eq!(kinds(Told { own: own(), gone: true, ..Told::default() }), [WarningKind::Vanished]);
    // Others may keep more of it than was seen.
    let of = told(&Told { own: own(), gone: true, ..Told::default() }).0.unwrap();
    assert_eq!((of.sizes_are, of.freed_sizes_are), (SizeIs::Exact, Some(SizeIs::About)));
    // Of no one moment.
    let of = told(&Told { own: own(), step: 1, ..Told::default() }).0.unwrap();
    assert_eq!((of.sizes_are, of.freed_sizes_are), (SizeIs::About, Some(SizeIs::About)));
    assert_eq!(kinds(Told { own: own(), deleted: true, ..Told::default() }), [WarningKind::Note]);
    // Blocks that are in no tree.
    let own = vec![(10, extent(4096, 8192))];
    assert_eq!(kinds(Told { own, ..Told::default() }), [WarningKind::Unchecked]);
}

#[test]
fn without_what_is_left_out_sizes_are_no_more_than_at_least() {
    let sizes = |size, hidden| {
        let own = vec![(10, extent(4096, size)), (11, extent(1 << 20, 4096))];
        let (extents, warnings) = told(&Told { own, hidden, ..Told::default() });
        let extents = extents.unwrap();
        (extents.sizes_are, extents.freed_sizes_are, warnings.len())
    };
    let (exact, least) = (SizeIs::Exact, SizeIs::AtLeast);
    assert_eq!(sizes(4096, None), (exact, Some(exact), 0));
    // Not written yet; a file of a path, of which the walk warned; an unused link.
    assert_eq!(sizes(8192, None), (least, Some(least), 1));
    assert_eq!(sizes(4096, Some(11)), (least, Some(least), 0));
    assert_eq!(sizes(4096, Some(12)), (exact, Some(least), 1));
}

/// Files of other subvolumes are left out. That is not that nothing is known of who shares.
#[test]
fn what_is_left_out_is_told_from_what_is_shared_with_others_that_are_not_known() {
    let told_of = |elsewhere, unknown| {
        let own = vec![(10, extent(4096, 4096)), (11, extent(8192, 4096))];
        let other = vec![8192];
        let told = told(&Told { own, other, elsewhere, unknown, ..Told::default() });
        let Extents { sizes_are, freed_sizes_are, holders, groups, .. } = told.0.unwrap();
        assert_eq!((groups.len(), holders.len()), (1, 1));
        (sizes_are, freed_sizes_are, holders[0].unknown, told.1)
    };
    let (exact, least) = (SizeIs::Exact, SizeIs::AtLeast);
    assert_eq!(told_of(0, false), (exact, Some(exact), false, vec![]));
    assert_eq!(told_of(3, false), (least, Some(least), false, vec![WarningKind::Unchecked]));
    // The reader says itself what that makes of sizes.
    assert_eq!(told_of(0, true), (exact, Some(exact), true, vec![]));
}

#[test]
fn by_inode_extents_are_those_of_their_owners() {
    let mut own = shared();
    own.extend([(11, extent(12_288, 4096)), (11, extent(16_384, 8192))]);
    let (extents, _) = told(&Told { own, ..Told::default() });
    let extents = extents.unwrap();
    let by_inode = extents.by_inode().unwrap();
    let of = |ino| by_inode.place(ino).unwrap() as usize;
    assert_eq!(by_inode.place(9), None);
    let owners: Vec<_> = by_inode.owners().collect();
    assert_eq!((owners[of(10)], owners[of(11)]), {
        let path = |path| Some(InodeOwner::Path(path));
        (path(0), path(1))
    });
    let own = by_inode.own();
    assert_eq!((own[of(10)].physical_size, own[of(11)].physical_size), (0, 12_288));
    let shared = |by_inode: &ExtentsByInode| -> Vec<_> {
        let shared = by_inode.shared();
        shared
            .map(|(group, users)| (group.sizes().physical_size, group.held, users.to_vec()))
            .collect()
    };
    let both = vec![of(10) as u32, of(11) as u32];
    assert_eq!(shared(by_inode), [(4096, true, both[..1].to_vec()), (4096, false, both.clone())]);
    for (counts, sum) in [([true, false], 8192), ([false, true], 16_384), ([true, true], 20_480)] {
        let mut by_place = [false; 2];
        (by_place[of(10)], by_place[of(11)]) = counts.into();
        assert_eq!(by_inode.union(&by_place).physical_size, sum);
    }
    assert_eq!(by_inode.union(&[true; 2]).physical_size, extents.physical_size());
    // Of the second path alone, the first one's files are outside.
    let names = Rows::from_lists(&[[0u32; 0]; 1]);
    let second = extents.restrict(&[1], (&[], &[]), &names);
    let by_inode = second.by_inode().unwrap();
    let owners: Vec<_> = by_inode.owners().collect();
    assert_eq!((owners[of(10)], owners[of(11)]), (None, Some(InodeOwner::Path(0))));
    assert_eq!(shared(by_inode), [(4096, true, both[1..].to_vec())]);
}

/// A tree that is shown in stretches of so many items, and another, which may be damaged.
struct Cut {
    told: Told,
    items: usize,
    /// At these inodes of the store's tree, and these addresses of the other.
    damaged: [Vec<u64>; 2],
    /// How many items may still be shown.
    left: AtomicU64,
}

impl Cut {
    /// Shows the beginning of what a stretch has of some items by key.
    fn show<T: Copy>(
        &self,
        stretch: &Stretch,
        all: &[((u64, u8, u64), T)],
        each: &mut dyn FnMut(T) -> io::Result<()>,
    ) -> io::Result<Vec<Stretch>> {
        let within = all.iter().filter(|(key, _)| (stretch.first..=stretch.last).contains(key));
        for (shown, &(key, item)) in within.enumerate() {
            if shown == self.items {
                let last = all.last().map_or(key, |&(last, _)| last).min(stretch.last);
                return Ok(Stretch { last, ..*stretch }.halves(key));
            }
            let less = |left: u64| left.checked_sub(1);
            if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            each(item)?;
        }
        Ok(Vec::new())
    }
}

impl ExtentReader for Cut {
    fn own(&self) -> u64 {
        OWN
    }

    fn block_size(&self) -> u64 {
        4096
    }

    fn subvolumes(&self) -> io::Result<Vec<Subvolume>> {
        let subvolume =
            |id: u64| Subvolume { id, path: id.to_string().into(), ..Subvolume::default() };
        Ok((OWN..OWN + 4).map(subvolume).collect())
    }

    fn read(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64, ExtentItem),
    ) -> io::Result<Vec<Stretch>> {
        let items = (0..).zip(&self.told.own);
        let items: Vec<_> = items.map(|(at, item)| ((item.0, 108, at), *item)).collect();
        self.show(stretch, &items, &mut |(ino, item)| {
            if self.damaged[0].contains(&ino) {
                return Err(damaged(&format!("inode {ino}")));
            }
            each(ino, item);
            Ok(())
        })
    }

    /// Each of the other subvolumes has a part of what is said of them.
    fn read_starts(
        &self,
        stretch: &Stretch,
        each: &mut dyn FnMut(u64),
    ) -> io::Result<Vec<Stretch>> {
        let items = (0u64..).zip(&self.told.other);
        let items = items.filter(|(at, _)| at % (stretch.tree - OWN) == 0);
        let items: Vec<_> = items.map(|(at, start)| ((300, 108, at), *start)).collect();
        self.show(stretch, &items, &mut |start| {
            if self.damaged[1].contains(&start) {
                return Err(damaged(&format!("address {start}")));
            }
            each(start);
            Ok(())
        })
    }
}

/// All that is found out by so many threads, and all warnings.
fn found(threads: usize, cut: &Cut, by_inode: bool) -> String {
    let ino = |place: u64| place * place * place;
    let of_path = |(path, place)| Found::new(path, ino(place), 8192);
    let inode = |nlink, place| Inode::from_parts((0, ino(place)), 0, 8, 4, nlink).unwrap();
    let met = Met {
        paths: 3,
        asked: 2,
        files: (0..3).zip(3..).chain((0..3).zip(7..)).map(of_path).collect(),
        elsewhere: 0,
        entries: 9,
        inodes: &[inode(2, 11), inode(3, 12)],
        names: &Rows::from_lists(&[vec![0u32], vec![0, 1], vec![]]),
        unused_links: vec![(ino(14), 4096)],
        by_inode,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut warnings = Warnings::new();
    let extents = pool.install(|| gather(cut, &met, b"/nix/store", &mut warnings));
    format!("{extents:?} {warnings:?}")
}

/// Items of inodes far apart: some met, some not, of extents that are shared and of which
/// references say different things.
fn items() -> impl Strategy<Value = Vec<(u64, ExtentItem)>> {
    let item = (0u64..16, 0u64..12, any::<bool>()).prop_map(|(place, extent, odd)| {
        let item = match (extent, odd) {
            (0, _) => {
                let compression = Compression::Zstd;
                ExtentItem::Inline { compression, size: 10 + place, uncompressed_size: 100 }
            }
            (_, false) => ExtentItem::whole(extent << 20, 4096 * extent, Compression::None),
            (_, true) => ExtentItem::whole(extent << 20, 4096 * extent, Compression::Prealloc),
        };
        (place * place * place, item)
    });
    vec(item, 0..60).prop_map(|mut items| {
        items.sort_by_key(|&(ino, _)| ino);
        items
    })
}

/// What goes with some inodes, by so many threads, and all warnings.
fn goes(threads: usize, cut: &Cut) -> String {
    let ino = |place: u64| place * place * place;
    let all: Vec<(u64, u64)> = (3..14).map(|place| (ino(place), 8192)).collect();
    let inodes = GoingInodes {
        gone: &[12, 3, 5, 9, 10, 3].map(ino),
        all: &all,
        alone: false,
        entries: 11,
        equal: true,
        name_length: 8,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut warnings = Warnings::new();
    let extents = pool.install(|| read_and_warn(cut, inodes, b"/nix/store", &mut warnings));
    format!("{extents:?} {warnings:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever a tree is cut and by however many threads it is read, what comes of it is the
    /// same; where it is damaged, by however many threads.
    #[test]
    fn threads_and_cuts_make_no_difference(
        own in items(),
        other in vec((0u64..12).prop_map(|extent| extent << 20), 0..60),
        of_own in vec((0u64..16).prop_map(|place| place * place * place), 0..2),
        of_other in vec((1u64..12).prop_map(|extent| extent << 20), 0..3),
        left in 0u64..200,
        by_inode in any::<bool>(),
    ) {
        let cut = |items, damaged: &[Vec<u64>; 2], left| {
            let told = Told { own: own.clone(), other: other.clone(), ..Told::default() };
            Cut { told, items, damaged: damaged.clone(), left: AtomicU64::new(left) }
        };
        let all = |threads, items, damaged: &_, left| {
            let found = found(threads, &cut(items, damaged, left), by_inode);
            found + &goes(threads, &cut(items, damaged, left))
        };
        let (intact, damaged) = (Default::default(), [of_own, of_other]);
        let whole = all(1, usize::MAX, &intact, u64::MAX);
        for items in [1, 4] {
            let first = [all(1, items, &damaged, u64::MAX), all(1, items, &damaged, left)];
            for threads in [1, 2, 3, 8] {
                prop_assert_eq!(&all(threads, items, &intact, u64::MAX), &whole);
                prop_assert_eq!(&all(threads, items, &damaged, u64::MAX), &first[0]);
                prop_assert_eq!(&all(threads, items, &damaged, left), &first[1]);
            }
        }
    }
}
