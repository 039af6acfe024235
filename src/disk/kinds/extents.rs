//! Extents by the kinds of files that use them: all that is needed of them for what kinds
//! take, and far less than extents by inode.

use super::KindScan;
use crate::arrange::Arrange as _;
use crate::disk::extents::{ExtentSizes, ExtentsByInode, InodeOwner};
use crate::kinds::FileKind;
use std::collections::HashMap;

/// Who uses an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KindUser {
    /// Files of a kind in a path, a number of the scan's, that have no other name.
    Path(u32, FileKind),
    /// An inode with several names: the scan's index of it.
    Inode(u32),
}

/// What is used by the same users, these ascending and distinct; no users twice, unless some
/// were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtentsByKind(Vec<(Vec<KindUser>, ExtentSizes)>);

impl ExtentsByKind {
    /// By the kinds of all files with one name.
    pub(super) fn new(kinds: &KindScan, extents: &ExtentsByInode) -> Self {
        let mut of_places: Vec<Option<FileKind>> = vec![None; extents.own().len()];
        for (_, file) in &kinds.files {
            if let Some(place) = extents.place(file.ino) {
                of_places[place as usize] = Some(file.kind);
            }
        }
        let user = |(owner, kind): (_, Option<FileKind>)| match owner? {
            InodeOwner::Path(path) => kind.map(|kind| KindUser::Path(path, kind)),
            InodeOwner::Inode(inode) => Some(KindUser::Inode(inode)),
        };
        let of_places: Vec<Option<KindUser>> = extents.owners().zip(of_places).map(user).collect();
        let mut alone: HashMap<KindUser, ExtentSizes> = HashMap::new();
        for (user, sizes) in of_places.iter().zip(extents.own()) {
            if let Some(user) = user
                && *sizes != ExtentSizes::default()
            {
                alone.entry(*user).or_default().add(*sizes);
            }
        }
        let mut groups: HashMap<Vec<KindUser>, ExtentSizes> =
            alone.into_iter().map(|(user, sizes)| (vec![user], sizes)).collect();
        for (shared, places) in extents.shared() {
            let users = places.iter().filter_map(|&place| of_places[place as usize]);
            let mut users: Vec<KindUser> = users.collect();
            users.arrange();
            users.dedup();
            if !users.is_empty() {
                groups.entry(users).or_default().add(shared.sizes());
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.arrange_by(|(a, _), (b, _)| a.cmp(b));
        Self(groups)
    }

    /// Those are as this has them.
    pub(crate) fn from_groups(groups: Vec<(Vec<KindUser>, ExtentSizes)>) -> Self {
        Self(groups)
    }

    /// All of them, with their users.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = (&[KindUser], ExtentSizes)> {
        self.0.iter().map(|(users, sizes)| (&users[..], *sizes))
    }

    /// The same where paths and inodes have other numbers, or none.
    pub(super) fn restrict(
        &self,
        path: impl Fn(u32) -> Option<u32>,
        inode: impl Fn(u32) -> Option<u32>,
    ) -> Self {
        let renumber = |user: &KindUser| match *user {
            KindUser::Path(of, kind) => path(of).map(|path| KindUser::Path(path, kind)),
            KindUser::Inode(of) => inode(of).map(KindUser::Inode),
        };
        let restrict = |(users, sizes): &(Vec<KindUser>, ExtentSizes)| {
            let mut users: Vec<KindUser> = users.iter().filter_map(renumber).collect();
            users.arrange();
            (!users.is_empty()).then_some((users, *sizes))
        };
        Self(self.0.iter().filter_map(restrict).collect())
    }
}
