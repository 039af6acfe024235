//! Why a path is there: what refers to it, through which chain, in which file.
use crate::arrange::Arrange as _;

use super::graph_lines::{list, row_of};
use super::path_names::list_of;
use super::reference_locations::{self, ReferenceLocation, ReferenceLocations};
use crate::answer::{Cell, Column, Document, Field, GraphLine, Head, Section};
use crate::catalog::PathId;
use crate::census::Census;
use crate::disk::DiskError;
use crate::fs::StoreFiles;
use crate::graph::{Cuts, NodeSet, ShortestPaths, between, reachable, roots};
use crate::warning::Warnings;
use std::collections::HashMap;

/// What is shown of the references between two ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// A shortest chain.
    #[default]
    Shortest,
    /// All chains, as one graph.
    All,
    /// The last step alone: who refers to it directly.
    Referrers,
}

/// Why some paths are there.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// Where the chains begin; `None` for the whole store.
    pub from: Option<PathId>,
    /// What was asked about.
    pub to: Vec<PathId>,
    /// Those of `to` that something (or `from`'s closure) holds.
    pub held: Vec<PathId>,
    /// The chains, below each other; nodes are those of the catalog's graph.
    pub lines: Vec<GraphLine>,
    /// Who in the whole store uses each path, from the far end: where chains
    /// begin when no `from` is given.
    pub users: Vec<User>,
    /// Which files hold the references shown; `None` if that was not asked.
    pub locations: Option<ReferenceLocations>,
    /// What was left out, and why: what the census warns of, and files that
    /// could not be searched.
    pub warnings: Warnings,
    show: Show,
}

/// A path nobody refers to, whose closure holds another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The path it uses.
    pub to: PathId,
    /// A shortest chain from the user to that path, both included.
    pub chain: Vec<PathId>,
}

impl Why {
    /// Finds out why `to` is there, within the closure of `from` or in the
    /// whole store.
    pub fn new(census: &Census, from: Option<PathId>, to: &[PathId], show: Show) -> Self {
        let warnings = census.warnings.clone();
        let mut why = Self { from, to: to.to_vec(), warnings, show, ..Self::default() };
        let catalog = &census.catalog;
        let (references, referrers) = (catalog.references(), catalog.referrers());
        let all = || NodeSet::from_nodes(catalog.len(), catalog.ids().map(PathId::node));
        match (show, from) {
            (Show::Shortest, Some(from)) => {
                let paths = ShortestPaths::new(references, &[from.node()]);
                for &to in to {
                    let Some(chain) = paths.to(to.node()) else { continue };
                    why.held.push(to);
                    let mut parent = None;
                    for (depth, &node) in (0..).zip(&chain) {
                        why.lines.push(GraphLine { node, parent, depth, repeated: false });
                        parent = Some(node);
                    }
                }
            }
            (Show::Shortest, None) => {
                let roots = roots(references, &all());
                for &to in to {
                    let paths = ShortestPaths::new(referrers, &[to.node()]);
                    let chains = roots.iter().filter(|&&r| r != to.node());
                    let chains = chains.filter_map(|&r| paths.to(r));
                    let before = why.users.len();
                    why.users.extend(chains.map(|chain| {
                        let chain = chain.into_iter().rev().map(PathId::new).collect();
                        User { to, chain }
                    }));
                    why.users[before..].arrange_by_key(|u| (u.chain.len(), u.chain[0]));
                    if why.users.len() > before || catalog.referrers_of(to).any(|r| r != to) {
                        why.held.push(to);
                    }
                }
            }
            (Show::All, from) => {
                let tops = from.map_or_else(|| roots(references, &all()), |from| vec![from.node()]);
                let ends: Vec<u32> = to.iter().map(|to| to.node()).collect();
                let on_the_way = between(references, referrers, &tops, &ends);
                let held = to.iter().copied().filter(|to| on_the_way.contains(to.node()));
                why.held = held.collect();
                let tops: Vec<u32> = tops.into_iter().filter(|&t| on_the_way.contains(t)).collect();
                why.lines = list(references.len(), &tops, None, |node| {
                    let mut row = row_of(references, node);
                    row.retain(|&reference| on_the_way.contains(reference));
                    row
                });
            }
            (Show::Referrers, from) => {
                let within =
                    from.map(|from| reachable(references, [from.node()], &Cuts::default()));
                let examined =
                    |id: PathId| within.as_ref().is_none_or(|set| set.contains(id.node()));
                for &to in to.iter().filter(|&&to| examined(to)) {
                    let users = catalog.referrers_of(to);
                    let users: Vec<PathId> = users.filter(|&u| u != to && examined(u)).collect();
                    if users.is_empty() && from != Some(to) {
                        continue;
                    }
                    why.held.push(to);
                    let (node, parent) = (to.node(), Some(to.node()));
                    why.lines.push(GraphLine { node, parent: None, depth: 0, repeated: false });
                    let line = |user: PathId| {
                        let node = user.node();
                        GraphLine { node, parent, depth: 1, repeated: false }
                    };
                    why.lines.extend(users.into_iter().map(line));
                }
            }
        }
        why
    }

    /// Whether anything holds what was asked about.
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Searches the referrers' files for the references that are shown; of
    /// the users in the whole store, the last step of each chain. What cannot
    /// be read becomes a warning.
    ///
    /// # Errors
    /// If the store directory cannot be read.
    pub fn find_files(
        &mut self,
        census: &Census,
        files: &StoreFiles,
        threads: Option<usize>,
    ) -> Result<(), DiskError> {
        let id = PathId::new;
        let mut edges: Vec<(PathId, PathId)> = if self.show == Show::Referrers {
            self.lines.iter().filter_map(|l| Some((id(l.node), id(l.parent?)))).collect()
        } else {
            let lines = self.lines.iter().filter_map(|l| Some((id(l.parent?), id(l.node))));
            let last = |user: &User| user.chain.len().checked_sub(2).map(|i| user.chain[i]);
            lines.chain(self.users.iter().filter_map(|u| Some((last(u)?, u.to)))).collect()
        };
        // Files are listed in the order in which their references are shown.
        let mut order = HashMap::new();
        edges.retain(|&edge| {
            let next = order.len();
            *order.entry(edge).or_insert(next) == next
        });
        let mut found =
            reference_locations::find(files, &census.catalog, &edges, threads, &mut self.warnings)?;
        found.locations.arrange_by_key(|location| {
            order.get(&(location.referrer, location.reference)).copied()
        });
        found.without.arrange_by_key(|edge| order.get(edge).copied());
        self.locations = Some(found);
        Ok(())
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let catalog = &census.catalog;
        let path = |id: PathId| Cell::text(catalog.path(id));
        let list = |ids: &'a [PathId]| list_of(catalog, ids.iter().copied());
        let mut sections = vec![Section::fields(
            None,
            "",
            vec![
                Field::hidden("from", Cell::optional(self.from, path)),
                Field::hidden("to", list(&self.to)),
                Field::hidden("held", list(&self.held)),
            ],
        )];
        if self.show == Show::Shortest && self.from.is_none() {
            sections.push(self.users_section(census));
        } else if !self.lines.is_empty() {
            sections.push(self.lines_section(census));
        }
        if !self.is_held() {
            let holder = match self.from {
                Some(from) => format!("the closure of {}", catalog.path(from)),
                None => "no other valid path".to_owned(),
            };
            let what = match self.to[..] {
                [to] => catalog.path(to),
                _ => format!("any of {} paths", self.to.len()),
            };
            let not = if self.from.is_some() { "does not hold" } else { "refers to" };
            sections.push(Section::Note(format!("{holder} {not} {what}")));
        }
        if let Some(locations) = &self.locations {
            sections.push(locations_section(census, &locations.locations));
            sections.push(without_section(census, &locations.without));
        }
        let main = match (&self.locations, self.show, self.from) {
            (Some(_), ..) => "files",
            (None, Show::Shortest, None) => "users",
            _ => "lines",
        };
        Document::new(
            Head { store_dir: catalog.store_dir(), warnings: &self.warnings },
            sections,
            main,
        )
    }

    fn lines_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let catalog = &census.catalog;
        let columns = vec![
            Column::size("nar_size").titled("NAR size"),
            Column::path("path"),
            Column::count("depth").hidden(),
            Column::path(if self.show == Show::Referrers { "refers_to" } else { "referrer" })
                .hidden(),
            Column::bool("repeated").hidden(),
        ];
        let row = |line: &GraphLine| {
            let id = PathId::new(line.node);
            vec![
                Cell::optional(catalog.nar_size(id), Cell::Size),
                Cell::text(catalog.path(id)),
                Cell::Count(line.depth.into()),
                Cell::optional(line.parent, |node| Cell::text(catalog.path(PathId::new(node)))),
                Cell::Bool(line.repeated),
            ]
        };
        Section::graph("lines", columns, "path", &self.lines, row)
    }

    fn users_section<'a>(&'a self, census: &'a Census) -> Section<'a> {
        let catalog = &census.catalog;
        let columns = vec![
            Column::count("steps").rank(4),
            Column::path("user").named(),
            Column::path("referrer").titled("direct user").rank(2),
            Column::path("to").rank(1),
            Column::paths("chain").hidden(),
        ];
        let rows = self.users.iter().map(|user| {
            let last = user.chain.len().saturating_sub(2);
            vec![
                Cell::Count(user.chain.len() as u64 - 1),
                Cell::text(catalog.path(user.chain[0])),
                Cell::text(catalog.base_name(user.chain[last])),
                Cell::text(catalog.base_name(user.to)),
                list_of(catalog, user.chain.iter().copied()),
            ]
        });
        Section::rows("users", "", columns, rows)
    }
}

/// The files that hold references, for printing.
pub(super) fn locations_section<'a>(
    census: &'a Census,
    locations: &'a [ReferenceLocation],
) -> Section<'a> {
    let catalog = &census.catalog;
    let columns = vec![
        Column::path("file").named(),
        Column::count("line").rank(3),
        Column::count("offset").titled("byte"),
        Column::count("count"),
        Column::text("kind").titled("type").rank(4),
        Column::text("excerpt").rank(1),
        Column::path("referrer").hidden(),
        Column::path("reference").hidden(),
    ];
    let rows = locations.iter().map(|location| {
        let mut file = catalog.path(location.referrer).into_bytes();
        if !location.file.is_empty() {
            file.push(b'/');
            file.extend_from_slice(&location.file);
        }
        vec![
            Cell::Bytes(file.into()),
            Cell::optional(location.line, Cell::Count),
            Cell::Count(location.offset),
            Cell::Count(location.count),
            Cell::text(location.kind()),
            Cell::text(location.excerpt.as_str()),
            Cell::text(catalog.path(location.referrer)),
            Cell::text(catalog.path(location.reference)),
        ]
    });
    Section::rows("files", "Files that hold the references", columns, rows)
}

fn without_section<'a>(census: &'a Census, without: &'a [(PathId, PathId)]) -> Section<'a> {
    let catalog = &census.catalog;
    let columns = vec![Column::path("referrer"), Column::path("reference")];
    let rows = without.iter().map(|&(referrer, reference)| {
        vec![Cell::text(catalog.path(referrer)), Cell::text(catalog.path(reference))]
    });
    let title = if without.is_empty() { "" } else { "References that no file holds" };
    Section::rows("without_file", title, columns, rows)
}
