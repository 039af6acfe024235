//! What keeps what alive: references, and under `keep-derivations` and
//! `keep-outputs` also derivers and outputs
//! (nix: `Store::computeFSClosure`, `LocalStore::collectGarbage`).
//!
//! A path is alive if a root reaches it in this graph. Nix decides the same
//! from the other end, path by path in the order in which it reads the store
//! directory; the two can differ only for a deriver that does not list the
//! path as its output, and then Nix's answer depends on that order.

use crate::answer::{Cell, Field};
use crate::catalog::{Catalog, PathId};
use crate::census::{Freeable, WholeCensus};
use crate::disk::Space;
use crate::fs::Tree;
use crate::graph::{Cuts, NodeSet, Rows, ShortestPaths, reachable};
use crate::roots::{FoundRoots, GcSetting, GcSettings, RootKind};
use crate::store::StorePath;
use crate::text::escape;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What the collector keeps beyond references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Keep {
    /// The outputs of live derivations.
    pub outputs: bool,
    /// The derivers of live paths.
    pub derivations: bool,
}

impl Keep {
    /// All settings.
    pub(crate) const ALL: [Self; 4] = [
        Self { outputs: false, derivations: false },
        Self { outputs: false, derivations: true },
        Self { outputs: true, derivations: false },
        Self { outputs: true, derivations: true },
    ];
}

impl From<&GcSettings> for Keep {
    fn from(settings: &GcSettings) -> Self {
        Self { outputs: settings.keep_outputs.value, derivations: settings.keep_derivations.value }
    }
}

/// Why one live path keeps another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeepReason {
    /// It refers to the other.
    Reference,
    /// The other is its deriver (`keep-derivations`).
    Deriver,
    /// The other is its output (`keep-outputs`).
    Output,
}

impl KeepReason {
    /// The stable name, as JSON has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Deriver => "deriver",
            Self::Output => "output",
        }
    }

    /// Why `from` keeps `to`, which it does.
    pub(crate) fn of(catalog: &Catalog, from: PathId, to: PathId) -> Self {
        if catalog.refers(from, to) {
            Self::Reference
        } else if catalog.derivation_outputs().row(from.node()).binary_search(&to.node()).is_ok() {
            Self::Output
        } else {
            Self::Deriver
        }
    }
}

/// The graph of what keeps what: row `u` lists what is alive if `u` is.
pub(crate) fn keep_graph(catalog: &Catalog, keep: Keep) -> Cow<'_, Rows> {
    let references = catalog.references();
    if !keep.outputs && !keep.derivations {
        return Cow::Borrowed(references);
    }
    let mut graph = Rows::default();
    let mut row = Vec::new();
    for id in catalog.ids() {
        row.clear();
        row.extend_from_slice(references.row(id.node()));
        if keep.derivations {
            row.extend(catalog.deriver_id(id).map(PathId::node));
        }
        if keep.outputs {
            row.extend_from_slice(catalog.derivation_outputs().row(id.node()));
        }
        graph.push(&row);
    }
    Cow::Owned(graph)
}

/// The paths alive under a setting, given the paths that roots keep.
pub(crate) fn alive(
    catalog: &Catalog,
    keep: Keep,
    roots: impl IntoIterator<Item = PathId>,
) -> NodeSet {
    let roots = roots.into_iter().map(PathId::node);
    reachable(&keep_graph(catalog, keep), roots, &Cuts::default())
}

/// For one path, everything that keeps it alive, with a shortest chain from each.
#[derive(Clone, Debug)]
pub(crate) struct Keepers(ShortestPaths);

impl Keepers {
    /// Walks the graph from `target` against its links.
    pub(crate) fn new(graph: &Rows, target: PathId) -> Self {
        Self(ShortestPaths::new(&graph.transpose(graph.len()), &[target.node()]))
    }

    /// A shortest chain from `from` to the target, both included; `None` if
    /// `from` does not keep it.
    pub(crate) fn chain(&self, from: PathId) -> Option<Vec<PathId>> {
        let back = self.0.to(from.node())?;
        Some(back.into_iter().rev().map(PathId::new).collect())
    }
}

/// Which entries of the store directory that are not valid paths the collector
/// leaves: those whose hash part is a temporary root's, as locks and
/// half-built outputs are, and temporary directories in use. In the order of
/// the scan's `others`.
pub(crate) fn kept_entries(census: WholeCensus<'_>, found: &FoundRoots) -> Vec<bool> {
    let Some(disk) = &census.disk else { return Vec::new() };
    let temporary = found.roots.iter().filter(|r| r.kind == RootKind::Temporary);
    let valid: HashSet<&str> =
        temporary.map(|r| census.catalog.store_path(r.path).hash_part()).collect();
    let kept = |name: &[u8]| {
        StorePath::parse(name).is_ok_and(|path| {
            let part = path.hash_part();
            valid.contains(part) || found.temporary_hash_parts.contains(part)
        })
    };
    let kept = |name: &[u8]| found.temporary_entries.contains(name) || kept(name);
    disk.others.iter().map(|(name, _)| kept(name)).collect()
}

/// Whether the store directory of the store beneath has an entry of that name.
/// What cannot be looked at there is taken to be there: it gives nothing back.
pub(super) fn in_store_beneath(lower: &Path) -> impl Fn(&[u8]) -> bool {
    let directory = Tree::live(Path::new("/")).and_then(|tree| tree.open_directory(lower));
    move |name| {
        let (Ok(directory), Ok(name)) = (&directory, CString::new(name)) else { return true };
        !directory.stat(&name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }
}

/// What deleting sets of paths gives back to the disk; `None` if it was not
/// walked, or that is not known. In an overlay store what is in the store beneath gives nothing:
/// Nix deletes files of the upper layer only
/// (nix: `LocalOverlayStore::deleteStorePath`).
pub(super) fn freeable(
    census: WholeCensus<'_>,
    found: &FoundRoots,
    kept: &[bool],
) -> Option<Freeable> {
    let disk = census.disk.as_ref()?;
    let paths = census.catalog.len();
    let mut kept = kept.to_vec();
    let Some(lower) = &found.lower_store else {
        return census.disk_to_free().map(|disk| Freeable::new(disk, paths, &kept));
    };
    let is_below = in_store_beneath(lower);
    for (kept, (name, _)) in kept.iter_mut().zip(&disk.others) {
        *kept |= is_below(name);
    }
    let mut freeable = Freeable::new(disk, paths, &kept);
    for path in census.catalog.ids() {
        if is_below(census.catalog.base_name(path).as_bytes()) {
            freeable.own_sizes[path.index()] = Space::default();
            for &class in freeable.classes.row(path.node()) {
                freeable.class_sizes[class as usize] = Space::default();
            }
        }
    }
    Some(freeable)
}

/// The settings for printing.
pub(super) fn settings_fields(settings: &GcSettings) -> Vec<Field<'static>> {
    let source = |setting: &GcSetting| {
        let file = setting.source.as_ref().map(|f| f.as_os_str().as_bytes().to_vec());
        Cell::optional(file, |f| Cell::Bytes(Cow::Owned(f)))
    };
    let mut fields = Vec::new();
    let pairs = [
        ("keep_outputs", "keep-outputs", "keep_outputs_source", &settings.keep_outputs),
        (
            "keep_derivations",
            "keep-derivations",
            "keep_derivations_source",
            &settings.keep_derivations,
        ),
    ];
    for (key, label, source_key, setting) in pairs {
        let remark = match &setting.source {
            Some(file) => format!("from {}", escape(file.as_os_str().as_bytes())),
            None => String::new(),
        };
        fields.push(Field::new(key, label, Cell::Bool(setting.value)).remark(remark));
        fields.push(Field::hidden(source_key, source(setting)));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Builder, Record};

    #[test]
    fn derivers_and_outputs_keep_each_other_as_the_settings_say() {
        let name = |n: u32, name: &str| format!("/nix/store/{n:032}-{name}");
        let (out, drv, dev) = (name(0, "a"), name(1, "a.drv"), name(2, "a-dev"));
        let mut builder = Builder::new("/nix/store");
        for (path, deriver) in [(&out, drv.as_str()), (&drv, ""), (&dev, &drv)] {
            let (path, deriver) = (path.as_bytes(), deriver.as_bytes());
            builder.add(&Record { path, deriver, ..Record::default() }).unwrap();
        }
        // No outputs are listed: those that name it as their deriver are its.
        let catalog = builder.finish().unwrap();
        let id = PathId::new;
        let alive_of =
            |keep, root| alive(&catalog, keep, [PathId::new(root)]).iter().collect::<Vec<_>>();
        let [neither, derivations, outputs, both] = Keep::ALL;
        for root in 0..3 {
            assert_eq!(alive_of(neither, root), [root]);
            assert_eq!(alive_of(both, root), [0, 1, 2]);
        }
        assert_eq!(alive_of(derivations, 0), [0, 1]);
        assert_eq!(alive_of(derivations, 1), [1]);
        assert_eq!(alive_of(outputs, 0), [0]);
        assert_eq!(alive_of(outputs, 1), [0, 1, 2]);
        assert_eq!(KeepReason::of(&catalog, id(1), id(2)), KeepReason::Output);
        assert_eq!(KeepReason::of(&catalog, id(2), id(1)), KeepReason::Deriver);

        let chains = Keepers::new(&keep_graph(&catalog, both), id(2));
        assert_eq!(chains.chain(id(0)), Some([0, 1, 2].map(id).to_vec()));
        let chains = Keepers::new(&keep_graph(&catalog, derivations), id(2));
        assert_eq!((chains.chain(id(2)), chains.chain(id(0))), (Some(vec![id(2)]), None));
    }
}
