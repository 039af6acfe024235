use super::*;
use crate::disk::extents::{ExtentsByInode, InodeOwner};
use crate::fs::Subvolume;
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

    fn read(&self, each: &mut dyn FnMut(u64, ExtentItem)) -> io::Result<()> {
        self.own.iter().for_each(|&(ino, item)| each(ino, item));
        Ok(())
    }

    fn read_starts(&self, tree: u64, each: &mut dyn FnMut(u64)) -> io::Result<()> {
        assert_eq!(tree, OTHER);
        self.other.iter().for_each(|&start| each(start));
        match self.gone {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(()),
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
