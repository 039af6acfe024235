//! Some of the dead paths: those registered long ago, those of one closure.
//!
//! Nix deletes a path only together with all that keeps it. So a dead path that
//! a dead path outside the choice keeps is *held*: it stays, as with
//! `nix-store --delete` and `nix store delete --recursive --skip-alive`
//! (nix: `LocalStore::collectGarbage` under `gcDeleteSpecific`).

use super::Fate;
use crate::analysis::physical;
use crate::answer::{Cell, Field, Section};
use crate::catalog::{Catalog, PathId};
use crate::census::{Census, Freeable};
use crate::disk::Space;
use crate::graph::{Cuts, NodeSet, Rows, reachable};
use crate::warning::{WarningKind, Warnings};
use std::borrow::Cow;

/// Which dead paths are meant; both conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Those registered before this time, in seconds since 1970.
    pub registered_before: Option<i64>,
    /// Those in the closure of these paths; of any path if empty.
    pub within: Vec<PathId>,
}

impl Choice {
    /// Whether it leaves anything out.
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

/// What comes of deleting the chosen paths alone. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// What was meant.
    pub choice: Choice,
    /// The dead paths that are chosen, held ones included.
    pub paths: NodeSet,
    /// Those of them that can be deleted, with nothing but each other.
    pub deletable: NodeSet,
    /// The NAR size of the deletable ones; `None` if that of one is unknown.
    pub nar_size: Option<u64>,
    /// What the disk gains by deleting those.
    pub freed: Option<Space>,
}

impl Chosen {
    /// Chooses among the dead: paths that go in some step of `goes`. `graph` is
    /// what keeps what.
    pub(super) fn new(
        catalog: &Catalog,
        graph: &Rows,
        goes: &[Fate],
        freeable: Option<&Freeable>,
        choice: &Choice,
        warnings: &mut Warnings,
    ) -> Self {
        let within = (!choice.within.is_empty()).then(|| {
            let from = choice.within.iter().map(|id| id.node());
            reachable(catalog.references(), from, &Cuts::default())
        });
        let (mut paths, mut others) = (NodeSet::new(goes.len()), Vec::new());
        let mut unknown = 0u64;
        for id in catalog.ids().filter(|id| goes[id.index()].step().is_some()) {
            let old_enough = choice.registered_before.is_none_or(|before| {
                let time = catalog.registration_time(id);
                unknown += u64::from(time.is_none());
                time.is_some_and(|time| time < before)
            });
            if old_enough && within.as_ref().is_none_or(|set| set.contains(id.node())) {
                paths.insert(id.node());
            } else {
                others.push(id.node());
            }
        }
        if unknown > 0 {
            let message = format!("when {unknown} of the dead paths were registered is not known");
            warnings.push(WarningKind::Uncertain, catalog.store_dir(), message);
        }
        let held = reachable(graph, others, &Cuts::default());
        let deletable: Vec<u32> = paths.iter().filter(|&path| !held.contains(path)).collect();
        let deletable = NodeSet::from_nodes(goes.len(), deletable);
        Self {
            choice: choice.clone(),
            nar_size: catalog.sum_nar_sizes(deletable.iter().map(PathId::new)),
            freed: freeable.map(|freeable| freeable.freed(&deletable)),
            paths,
            deletable,
        }
    }

    /// How many of the chosen paths a dead path that is not chosen keeps.
    pub fn held(&self) -> u64 {
        (self.paths.len() - self.deletable.len()) as u64
    }

    /// The answer for printing.
    pub(super) fn section<'a>(&self, census: &'a Census) -> Section<'a> {
        let catalog = &census.catalog;
        let mut fields = Vec::new();
        if let Some(time) = self.choice.registered_before {
            fields.push(Field::new("registered_before", "registered before", Cell::Time(time)));
        }
        if let [first, more @ ..] = &self.choice.within[..] {
            let names = self.choice.within.iter().map(|&id| Cow::Owned(catalog.path(id)));
            let mut label = catalog.store_path(*first).name().to_owned();
            if !more.is_empty() {
                label.push_str(&format!(" and {} more", more.len()));
            }
            let cell = Cell::Both(label.into(), Box::new(Cell::Paths(names.collect())));
            fields.push(Field::new("within", "in the closure of", cell));
        }
        let held = match self.held() {
            0 => String::new(),
            n => format!("and {n} more that dead paths not meant here keep"),
        };
        fields.extend([
            Field::new("paths", "paths", Cell::Count(self.deletable.len() as u64)).remark(held),
            Field::hidden("held_paths", Cell::Count(self.held())),
            Field::new("nar_size", "NAR size", Cell::optional(self.nar_size, Cell::Size)),
        ]);
        let (disk, inodes) = (self.freed.map(|f| f.disk_size), self.freed.map(|f| f.inodes));
        fields.push(physical::freed_field(census, self.freed));
        if self.freed.is_some() {
            fields.extend([
                Field::new("disk_freed", "disk freed", Cell::optional(disk, Cell::Size))
                    .remark("by deleting these alone"),
                Field::new("inodes_freed", "inodes freed", Cell::optional(inodes, Cell::Count)),
            ]);
        } else {
            fields.push(Field::hidden("disk_freed", Cell::Missing));
            fields.push(Field::hidden("inodes_freed", Cell::Missing));
        }
        Section::fields(Some("chosen"), "Of the dead paths, those", fields)
    }
}
