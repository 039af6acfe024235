//! A path's references (or referrers) as a tree with sizes, heaviest first.

use super::derivers::warn_of_no_outputs;
use super::graph_lines::{list, row_of};
use super::hard_links;
use super::path_names::list_of;
use super::physical::{self, main_size};
use super::retained::{Retained, SizeKind, within};
use crate::answer::{Cell, Column, Document, GraphLine, Head, Section};
use crate::census::{Census, PathIndex};
use crate::graph::{NodeSet, TooHeavy};
use crate::warning::Warnings;
use std::cmp::Reverse;

/// What a tree shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// Levels below the target.
    pub depth: Option<u32>,
    /// Only paths that retain at least so many bytes (on disk, or as NAR where
    /// the disk was not asked), and those that lead to them.
    pub min_size: u64,
    /// Referrers instead of references.
    pub inverse: bool,
}

/// A tree. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct ReferenceTree {
    /// The lines; nodes are indexes of the census.
    pub lines: Vec<GraphLine>,
    /// What was left out, and why: what the census warns of.
    pub warnings: Warnings,
    retained: Retained,
}

impl ReferenceTree {
    /// The trees below the paths at the indexes `targets`, heaviest first.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(
        census: &Census,
        targets: &[PathIndex],
        options: &TreeOptions,
    ) -> Result<Self, TooHeavy> {
        let retained = Retained::new(census)?;
        let transposed;
        let rows = if options.inverse {
            transposed = census.references().transpose(census.len());
            &transposed
        } else {
            census.references()
        };
        let by = SizeKind::of(census);
        let weight = |i: u32| retained.sizes[i as usize].get(by);
        let mut keys = Vec::new();
        let mut heaviest_first = |nodes: &mut [u32]| {
            let key = |&i: &u32| (Reverse((weight(i), main_size(census, PathIndex::new(i)))), i);
            keys.clear();
            keys.extend(nodes.iter().map(key));
            keys.sort_unstable();
            nodes.iter_mut().zip(&keys).for_each(|(node, key)| *node = key.1);
        };
        let mut tops: Vec<u32> = targets.iter().map(|target| target.node()).collect();
        heaviest_first(&mut tops);
        let mut lines = list(census.len(), &tops, options.depth, |node| {
            let mut row = row_of(rows, node);
            heaviest_first(&mut row);
            row
        });
        if options.min_size > 0 {
            lines = prune(lines, |i| weight(i) >= options.min_size);
        }
        let mut warnings = census.warnings.clone();
        let listed = NodeSet::from_nodes(census.len(), lines.iter().map(|line| line.node));
        let listed: Vec<_> = listed.iter().map(|node| census.id(PathIndex::new(node))).collect();
        warn_of_no_outputs(&census.catalog, &listed, &mut warnings);
        Ok(Self { lines, warnings, retained })
    }

    /// The answer for printing.
    pub fn document<'a>(&'a self, census: &'a Census) -> Document<'a> {
        let catalog = &census.catalog;
        let disk = census.disk.is_some();
        let is_derivation = move |line: &GraphLine| {
            catalog.store_path(census.id(PathIndex::new(line.node))).is_derivation()
        };
        let derivations = self.lines.iter().any(is_derivation);
        let [disk_size, physical_size] = physical::own_columns(census).map(|column| column.rank(2));
        let (of_disk, of_extents) = ("retained_disk_size", "retained_physical_size");
        let retained = physical::columns(census, of_disk, of_extents, "retained disk");
        let [retained_disk, retained_physical] = physical::weight(census, retained);
        let mut columns = vec![
            Column::size("nar_size").titled("NAR size").rank(4),
            Column::size("retained_nar_size").titled("retained NAR"),
            disk_size,
            retained_disk,
            physical_size,
            retained_physical.titled("retained physical"),
            Column::count("inodes").hidden(),
            Column::count("retained_inodes").titled("retained inodes").hidden(),
        ];
        if !disk {
            columns[1] = columns[1].weight();
        }
        columns.extend([
            Column::path("path"),
            Column::count("depth").hidden(),
            Column::path("parent").hidden(),
            Column::bool("repeated").hidden(),
            Column::size("outputs_nar_size").titled("outputs NAR").hidden_if(!derivations),
            Column::paths("outputs").hidden_if(!derivations),
        ]);
        let row = move |line: &GraphLine| {
            let index = PathIndex::new(line.node);
            let id = census.id(index);
            let [disk_size, physical_size] = physical::own_cells(census, Some(index));
            let (outputs_nar_size, outputs) = match is_derivation(line) && !catalog.is_part() {
                false => (Cell::Missing, Cell::Missing),
                true => {
                    let sizes = catalog.outputs_of(id).map(|output| catalog.nar_size(output));
                    let sum: Option<u64> = sizes.sum();
                    let none = catalog.outputs_of(id).len() == 0;
                    // None that is known is not none that there is.
                    let sum = sum.filter(|_| !none);
                    (Cell::optional(sum, Cell::Size), list_of(catalog, catalog.outputs_of(id)))
                }
            };
            vec![
                Cell::optional(catalog.nar_size(id), Cell::Size),
                Cell::optional(self.retained.nar_size(index), Cell::Size),
                disk_size,
                Cell::optional(self.retained.disk_size(index), Cell::Size),
                physical_size,
                Cell::optional(self.retained.physical_size(index), Cell::Size),
                Cell::optional(census.usage(index).map(|u| u.inodes), Cell::Count),
                Cell::optional(self.retained.inodes(index), Cell::Count),
                Cell::text(catalog.path(id)),
                Cell::Count(line.depth.into()),
                Cell::optional(line.parent, |node| {
                    Cell::text(catalog.path(census.id(PathIndex::new(node))))
                }),
                Cell::Bool(line.repeated),
                outputs_nar_size,
                outputs,
            ]
        };
        let mut sections = vec![
            Section::graph("lines", columns, "path", &self.lines, row),
            Section::Note(within(census)),
        ];
        sections.extend(physical::notes(census));
        let first = self.lines.iter().filter(|line| !line.repeated);
        sections.extend(hard_links::notes(census, first.map(|line| PathIndex::new(line.node))));
        let head = Head { store_dir: catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, "lines")
    }
}

/// Leaves the target, the lines of heavy nodes, and those that lead to where a
/// heavy node stands with its own references.
fn prune(lines: Vec<GraphLine>, heavy: impl Fn(u32) -> bool) -> Vec<GraphLine> {
    let mut keep = vec![false; lines.len()];
    // Whether a line one level down was kept since the last line of this level.
    let mut below: Vec<bool> = Vec::new();
    let mut met = std::collections::HashSet::new();
    let first: Vec<bool> = lines.iter().map(|l| met.insert(l.node)).collect();
    for (i, line) in lines.iter().enumerate().rev() {
        let depth = line.depth as usize;
        below.resize((depth + 2).max(below.len()), false);
        let leads = std::mem::take(&mut below[depth + 1]);
        keep[i] = depth == 0 || leads || (first[i] && heavy(line.node));
        below[depth] |= keep[i];
    }
    // A heavy node's later lines stay where what is above them stays.
    let mut above: Vec<bool> = Vec::new();
    let mut left = Vec::new();
    for (i, line) in lines.into_iter().enumerate() {
        let depth = line.depth as usize;
        above.truncate(depth);
        let parent = above.last().copied().unwrap_or(true);
        let kept = keep[i] || (parent && heavy(line.node));
        above.push(kept);
        if kept {
            left.push(line);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Rows;

    #[test]
    fn pruning_keeps_what_leads_to_the_heavy() {
        // 0 → 1 → 2, 3; 0 → 4 → 2; 0 → 5. Only 2 is heavy.
        let rows = Rows::from_lists(&[
            vec![1, 4, 5],
            vec![2, 3],
            vec![6],
            vec![],
            vec![2],
            vec![],
            vec![],
        ]);
        let lines = list(rows.len(), &[0], None, |node| row_of(&rows, node));
        let left: Vec<_> =
            prune(lines, |node| node == 2).iter().map(|l| (l.node, l.depth)).collect();
        assert_eq!(left, [(0, 0), (1, 1), (2, 2)]);
    }
}
