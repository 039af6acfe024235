//! Which roots keep a path, each with the chain.
use crate::arrange::Arrange as _;

use crate::analysis::liveness::{Keep, KeepReason, Keepers, keep_graph};
use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::catalog::PathId;
use crate::census::Census;
use crate::roots::{FoundRoots, GcSettings};
use crate::warning::Warnings;
use std::borrow::Cow;

/// A root that keeps the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// The root, an index into [`FoundRoots::roots`].
    pub root: u32,
    /// A shortest chain from the root's path to the target, both included.
    pub chain: Vec<PathId>,
}

/// The roots that keep a path, nearest first.
#[derive(Clone, Debug)]
pub struct RootsOf<'f> {
    /// What was found.
    pub found: &'f FoundRoots,
    /// The path.
    pub target: PathId,
    /// The roots that keep it.
    pub keepers: Vec<Keeper>,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
}

impl<'f> RootsOf<'f> {
    /// Finds the roots that keep `target`, a valid path.
    pub fn new(
        census: &Census,
        found: &'f FoundRoots,
        settings: &GcSettings,
        target: PathId,
    ) -> Self {
        let graph = keep_graph(&census.catalog, Keep::from(settings));
        let chains = Keepers::new(&graph, target);
        let mut keepers: Vec<Keeper> = (0u32..)
            .zip(&found.roots)
            .filter_map(|(root, r)| Some(Keeper { root, chain: chains.chain(r.path)? }))
            .collect();
        keepers.arrange_by_key(|k| (k.chain.len(), k.root));
        Self { found, target, keepers, warnings: census.warnings.clone() }
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let catalog = &census.catalog;
        let columns = vec![
            Column::text("kind").rank(4),
            Column::path("link").named(),
            Column::path("via").hidden(),
            Column::path("path").hidden(),
            Column::paths("chain").hidden(),
            Column::texts("chain_links").hidden(),
            Column::text("chain_text").titled("chain").rank(1),
        ];
        let rows = self.keepers.iter().map(move |keeper| {
            let root = &self.found.roots[keeper.root as usize];
            let chain = keeper.chain.iter().map(|&id| Cow::Owned(catalog.path(id))).collect();
            vec![
                Cell::text(root.kind.name()),
                Cell::Bytes(Cow::Borrowed(&root.link)),
                Cell::optional(root.via.as_deref(), |via| Cell::Bytes(Cow::Borrowed(via))),
                Cell::text(catalog.path(root.path)),
                Cell::Paths(chain),
                Cell::List(chain_links(census, &keeper.chain)),
                Cell::text(chain_text(census, &keeper.chain)),
            ]
        });
        let count = self.keepers.len() as u64;
        let path = catalog.path(self.target);
        let alive = !self.keepers.is_empty();
        let title = if alive { "Roots that keep it" } else { "" };
        let mut sections = vec![Section::fields(
            None,
            "",
            vec![
                Field::new("target", "path", Cell::text(path)),
                Field::new("alive", "alive", Cell::Bool(alive)),
                Field::new("keepers", "roots", Cell::Count(count)),
            ],
        )];
        sections.push(Section::rows("roots", title, columns, rows));
        Document::new(
            Head { store_dir: catalog.store_dir(), warnings: &self.warnings },
            sections,
            "roots",
        )
    }
}

/// Why each path of a chain keeps the next.
fn chain_links(census: &Census, chain: &[PathId]) -> Vec<Cow<'static, str>> {
    let link = |pair: &[PathId]| KeepReason::of(&census.catalog, pair[0], pair[1]).name().into();
    chain.windows(2).map(link).collect()
}

/// A chain for people: names, with an arrow that says why one keeps the next
/// where it is not a reference.
pub(crate) fn chain_text(census: &Census, chain: &[PathId]) -> String {
    let catalog = &census.catalog;
    let mut text = String::new();
    for (i, &id) in chain.iter().enumerate() {
        if i > 0 {
            text.push_str(match KeepReason::of(catalog, chain[i - 1], id) {
                KeepReason::Reference => " → ",
                KeepReason::Deriver => " –(deriver)→ ",
                KeepReason::Output => " –(output)→ ",
            });
        }
        text.push_str(catalog.store_path(id).name());
    }
    text
}
