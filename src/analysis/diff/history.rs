//! What came and went from one generation of a profile to the next.

use super::document::{package_columns, total_cells, total_columns};
use super::{Diff, Shown, Side, SideTotal};
use crate::analysis::physical;
use crate::answer::{Cell, Column, Document, Field, Head, Section};
use crate::catalog::PathId;
use crate::census::Census;
use crate::graph::TooHeavy;

/// A generation that is compared with the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationSide {
    /// Its number.
    pub number: u64,
    /// When it was made, in seconds since 1970.
    pub time: Option<i64>,
    /// What it is of.
    pub path: PathId,
    /// Whether the profile's link points to it.
    pub current: bool,
}

/// The generations of a profile, each beside the one before it.
#[derive(Clone, Debug)]
pub struct History<'a> {
    /// The profile's link.
    pub profile: Vec<u8>,
    /// The generations, the oldest first.
    pub generations: Vec<GenerationSide>,
    /// What each takes as a whole.
    pub totals: Vec<SideTotal>,
    /// What is different from each to the next.
    pub steps: Vec<Diff<'a>>,
    census: &'a Census,
}

impl<'a> History<'a> {
    /// Compares generations, the oldest first, of a census that examines all of them.
    ///
    /// # Errors
    /// If sizes sum to 2^64 bytes or more, which only a forged store can do.
    pub fn new(
        census: &'a Census,
        profile: Vec<u8>,
        generations: Vec<GenerationSide>,
    ) -> Result<Self, TooHeavy> {
        let sides = generations.iter().map(|generation| Side::closure(census, &[generation.path]));
        let sides: Vec<Side<'a>> = sides.collect();
        let steps = sides.windows(2).map(|pair| Diff::new(pair[0].clone(), pair[1].clone()));
        let steps: Vec<Diff<'a>> = steps.collect::<Result<_, _>>()?;
        let totals = sides.iter().map(|side| side.total).collect();
        Ok(Self { profile, generations, totals, steps, census })
    }

    /// The answer for printing.
    pub fn document<'d>(&'d self) -> Document<'d> {
        let sizes_are = self.census.physical_sizes_are();
        let mut sections = vec![
            self.packages_section(),
            self.generations_section(),
            Section::fields(
                Some("total"),
                "",
                vec![Field::hidden("profile", Cell::Bytes(self.profile.as_slice().into()))],
            ),
            Section::fields(None, "", vec![physical::is_field(sizes_are)]),
        ];
        if self.shown() == Shown::Physical {
            sections.push(Section::Note(physical::note(std::iter::once(self.census))));
        }
        let changes = physical::changes_note(std::iter::once(self.census));
        sections.extend(changes.map(|note| Section::Note(note.to_owned())));
        let head =
            Head { store_dir: self.census.catalog.store_dir(), warnings: &self.census.warnings };
        Document::new(head, sections, "packages")
    }

    fn shown(&self) -> Shown {
        Shown::of([self.census; 2])
    }

    fn packages_section<'d>(&'d self) -> Section<'d> {
        let mut columns = vec![Column::count("generation").titled("in").rank(0)];
        columns.extend(package_columns(self.shown()));
        let steps = self.generations.iter().skip(1).zip(&self.steps);
        let rows = steps.flat_map(|(generation, diff)| {
            diff.packages.iter().map(|package| {
                let mut row = vec![Cell::Count(generation.number)];
                row.extend(diff.package_row(package));
                row
            })
        });
        let none = self.steps.iter().all(|diff| diff.packages.is_empty());
        let title = if none { "No package is different" } else { "What came and went" };
        Section::rows("packages", title, columns, rows)
    }

    fn generations_section<'d>(&'d self) -> Section<'d> {
        let mut columns =
            vec![Column::count("generation"), Column::time("time").titled("made").rank(5)];
        columns.extend(total_columns(self.shown()));
        columns.extend([
            Column::count("paths").rank(6),
            Column::bool("current").hidden(),
            Column::text("packages").rank(2),
            Column::path("path").hidden(),
        ]);
        let steps = std::iter::once(None).chain(self.steps.iter().map(Some));
        let rows = self.generations.iter().zip(&self.totals).zip(steps);
        let rows = rows.map(|((generation, total), step)| {
            let summary = step.and_then(Diff::summary);
            let mut row =
                vec![Cell::Count(generation.number), Cell::optional(generation.time, Cell::Time)];
            row.extend(total_cells(total, step));
            row.extend([
                Cell::Count(total.paths),
                Cell::Bool(generation.current),
                Cell::optional(summary, Cell::text),
                Cell::text(self.census.catalog.path(generation.path)),
            ]);
            row
        });
        Section::summary("generations", "", columns, rows)
    }
}
