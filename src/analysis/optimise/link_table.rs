//! `.links`: what is linked already.

use super::gathered::{Flags, GatheredTree, NamedLink, inode};
use super::simulate::{LayoutInode, LayoutLink};
use crate::disk::{
    ByNumber, EntryStat, LINKS_DIRECTORIES, Links, LinksPlace, LinksReader, Progress, WalkEntry,
    Walker, read_links,
};
use crate::fs::{FileType, Stat};
use crate::nar::nix32;
use crate::warning::{WarningKind, Warnings};

/// The inodes of `.links`, by number.
#[derive(Default)]
pub(super) struct LinkTable {
    pub(super) by_number: ByNumber,
    /// The hash that is its name (the first one met).
    pub(super) hashes: Vec<Option<[u8; 32]>>,
}

impl LinkTable {
    /// Reads `.links`. Of all paths (`whole`), its inodes become the first ones.
    pub(super) fn read(
        walker: &Walker<'_>,
        whole: bool,
        tree: &mut GatheredTree,
        progress: &Progress,
        warnings: &mut Warnings,
    ) -> Self {
        let reader = LinksGatherer { stat: whole, device: walker.files().stat().dev };
        let walked = read_links(walker, &reader, progress);
        warnings.extend(walked.warnings);
        tree.entries += walked.entries;
        let mut table = Self::default();
        let mut add = |link: MetLink| {
            let next = table.hashes.len() as u32;
            let index = table.by_number.get_or_insert(link.number, next);
            if index == next {
                table.hashes.push(link.hash);
                if whole {
                    tree.layout.inodes.push(link.inode);
                    tree.flags.push(link.flags.with_link());
                    tree.numbers.push(link.number);
                }
            }
            if whole {
                if let Some(hash) = link.hash {
                    tree.named_links.push(NamedLink { hash, inode: index });
                } else {
                    tree.layout.links.push(LayoutLink { inode: index, class: None });
                }
            }
        };
        let mut sums = Links::default();
        let mut later = 0u64;
        for state in walked.states {
            later += state.later;
            if let Some(size) = state.directory {
                sums.directory_disk_size = size;
            }
            sums.entries += state.entries;
            for link in state.met {
                if whole {
                    sums.count(link.inode.nlink, link.inode.size, link.inode.disk_size);
                }
                add(link);
            }
        }
        if later > 0 && whole {
            let message = format!(
                "{later} links in .links-b3 or in directories below .links are of a later Nix, \
                 which would not link their files anew; the version mimicked here would"
            );
            warnings.push(WarningKind::Uncertain, LINKS_DIRECTORIES[0], message);
        }
        if whole {
            tree.links = sums;
        }
        table
    }
}

/// Gathers the links that Nix knows.
struct LinksGatherer {
    stat: bool,
    device: u64,
}

struct MetLink {
    number: u64,
    hash: Option<[u8; 32]>,
    inode: LayoutInode,
    flags: Flags,
}

#[derive(Default)]
struct LinksState {
    directory: Option<u64>,
    entries: u64,
    /// Links that no Nix up to 2.36 reads.
    later: u64,
    met: Vec<MetLink>,
}

impl LinksReader for LinksGatherer {
    type State = LinksState;

    fn state(&self) -> LinksState {
        LinksState::default()
    }

    fn known(&self, _: &mut LinksState, _: u64) -> bool {
        !self.stat
    }

    fn directory(&self, state: &mut LinksState, at: &LinksPlace<'_>, stat: Option<&Stat>) {
        if at.directory.is_empty() && at.name == LINKS_DIRECTORIES[0] {
            state.directory = stat.map(|stat| stat.disk_size);
        }
        // Nix takes a directory in there for an entry like others.
        state.entries += u64::from(at.in_links() && at.device == self.device);
    }

    fn link(&self, state: &mut LinksState, at: &LinksPlace<'_>, entry: &WalkEntry<'_, ()>) {
        if at.device != self.device {
            return;
        }
        let is_link = matches!(entry.file_type, FileType::Regular | FileType::Symlink);
        if !at.in_links() {
            state.later += u64::from(is_link);
            return;
        }
        state.entries += 1;
        if !is_link {
            return;
        }
        let (inode, flags) = match entry.stat {
            EntryStat::Stat(meta) if meta.dev == self.device => (inode(&meta), Flags::new(&meta)),
            EntryStat::Known(()) => (LayoutInode::default(), Flags::default()),
            _ => return,
        };
        let hash = std::str::from_utf8(entry.name()).ok().and_then(nix32::decode);
        let hash = hash.and_then(|hash| hash.try_into().ok());
        state.met.push(MetLink { number: entry.ino, hash, inode, flags });
    }
}
