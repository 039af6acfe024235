//! Which budgets are kept, for printing.

use super::{Budget, BudgetKind, Checked, Culprit};
use crate::analysis::path_names::chain_cells;
use crate::answer::{Cell, Check, CheckStatus, Column, Document, Field, Head, Section};
use crate::text::{Units, format_count, format_size};

impl Checked<'_> {
    /// The answer for printing; `units` are those of sizes in sentences.
    pub fn document(&self, units: Units) -> Document<'_> {
        let checks: Vec<Check<'_>> =
            self.budgets.iter().map(|budget| self.check(budget, units)).collect();
        let of = |status| self.budgets.iter().filter(|b| b.status == status).count() as u64;
        let total = vec![
            Field::hidden("budgets", Cell::Count(self.budgets.len() as u64)),
            Field::hidden("broken", Cell::Count(of(CheckStatus::Failed))),
            Field::hidden("unknown", Cell::Count(of(CheckStatus::Unknown))),
        ];
        let sections = vec![
            self.culprits_section(),
            Section::Checks { key: "budgets", title: String::new(), columns: columns(), checks },
            Section::fields(Some("total"), "", total),
        ];
        let head = Head { store_dir: self.census.catalog.store_dir(), warnings: &self.warnings };
        Document::new(head, sections, "budgets")
    }

    fn check(&self, budget: &Budget, units: Units) -> Check<'_> {
        let counts = budget.kind.counts();
        let amount = |n: u64| if counts { format_count(n) } else { format_size(n, units) };
        let excess = budget.found.zip(budget.limit).and_then(|(found, limit)| {
            (budget.status == CheckStatus::Failed).then(|| found.saturating_sub(limit))
        });
        let [limit, found, over] = [budget.limit, budget.found, excess].map(|n| n.map(amount));
        let message = match (budget.status, &limit, &found, &over) {
            (CheckStatus::Unknown, ..) => "not known: see the warnings".to_owned(),
            (CheckStatus::Failed, Some(limit), Some(found), Some(over)) => match budget.kind {
                kind if kind.counts() && budget.limit == Some(0) => format!("{found} found"),
                BudgetKind::MaxGrowth => format!("{found} more: {over} over the limit of {limit}"),
                _ => format!("{found}: {over} over the limit of {limit}"),
            },
            _ => format!(
                "{} of {}",
                found.as_deref().unwrap_or("-"),
                limit.as_deref().unwrap_or("-")
            ),
        };
        let details = budget.culprits.iter().map(|culprit| self.detail(culprit, units)).collect();
        let bytes = |n: Option<u64>| Cell::optional(n.filter(|_| !counts), Cell::Size);
        let count = |n: Option<u64>| Cell::optional(n.filter(|_| counts), Cell::Count);
        let text = |text: Option<String>| Cell::optional(text, Cell::text);
        Check {
            kind: budget.kind.name(),
            name: name(budget),
            status: budget.status,
            message,
            details,
            row: vec![
                Cell::text(match budget.status {
                    CheckStatus::Passed => "ok",
                    CheckStatus::Failed => "broken",
                    CheckStatus::Unknown => "unknown",
                }),
                Cell::text(budget.kind.name()),
                Cell::optional(budget.pattern.clone(), Cell::text),
                text(limit),
                text(found),
                text(over),
                bytes(budget.limit),
                bytes(budget.found),
                bytes(excess),
                count(budget.limit),
                count(budget.found),
                count(excess),
            ],
        }
    }

    /// What did it, in a line.
    fn detail(&self, culprit: &Culprit, units: Units) -> String {
        let name = |path| self.census.catalog.store_path(self.census.id(path)).name();
        let mut parts = Vec::new();
        match (culprit.what.as_str(), culprit.path) {
            ("", Some(path)) => parts.push(self.census.catalog.path(self.census.id(path))),
            (what, Some(path)) if culprit.chain.is_empty() => {
                parts.push(format!("{what} ({})", name(path)));
            }
            (what, Some(path)) => {
                parts.push(format!("{} ({what})", self.census.catalog.path(self.census.id(path))));
            }
            (what, None) => parts.push(what.to_owned()),
        }
        parts.extend(culprit.size.map(|size| format_size(size, units)));
        if culprit.chain.len() > 1 {
            let names: Vec<&str> = culprit.chain.iter().map(|&path| name(path)).collect();
            parts.push(format!("through {}", names.join(" → ")));
        }
        parts.join(", ")
    }

    fn culprits_section(&self) -> Section<'_> {
        let has = |size: &str| {
            let mut budgets = self.budgets.iter();
            budgets.any(|budget| size_key(budget.kind) == size && !budget.culprits.is_empty())
        };
        let [nar, disk, physical] = SIZES.map(has);
        let culprits = || self.budgets.iter().flat_map(|budget| &budget.culprits);
        let columns = vec![
            Column::text("budget").rank(1),
            Column::text("pattern").hidden(),
            Column::size("nar_size").titled("size").rank(0).hidden_if(!nar && (disk || physical)),
            Column::size("disk_size").titled("disk size").hidden_if(!disk),
            Column::size("physical_size").titled("physical").hidden_if(!physical),
            Column::path("path"),
            Column::text("what").rank(2).hidden_if(culprits().all(|of| of.what.is_empty())),
            Column::text("chain")
                .titled("because of")
                .rank(2)
                .hidden_if(culprits().all(|of| of.chain.len() < 2)),
            Column::paths("chain_paths").hidden(),
        ];
        let all = self.budgets.iter();
        let all =
            all.flat_map(|budget| budget.culprits.iter().map(move |culprit| (budget, culprit)));
        let title = if self.budgets.iter().all(|budget| budget.culprits.is_empty()) {
            ""
        } else {
            "What did it"
        };
        let rows = all.map(|(budget, culprit)| self.culprit_row(budget, culprit));
        Section::rows("culprits", title, columns, rows)
    }

    fn culprit_row<'d>(&'d self, budget: &Budget, culprit: &'d Culprit) -> Vec<Cell<'d>> {
        let (census, catalog) = (self.census, &self.census.catalog);
        let size = |key: &str| {
            Cell::optional(culprit.size.filter(|_| size_key(budget.kind) == key), Cell::Size)
        };
        let [nar, disk, physical] = SIZES.map(size);
        let [chain, chain_paths] = chain_cells(census, &culprit.chain);
        vec![
            Cell::text(budget.kind.name()),
            Cell::optional(budget.pattern.clone(), Cell::text),
            nar,
            disk,
            physical,
            Cell::optional(culprit.path, |path| Cell::text(catalog.path(census.id(path)))),
            if culprit.what.is_empty() { Cell::Missing } else { Cell::text(culprit.what.as_str()) },
            chain,
            chain_paths,
        ]
    }
}

/// The sizes of which something may be too large.
const SIZES: [&str; 3] = ["nar_size", "disk_size", "physical_size"];

/// Which of them a budget is of.
fn size_key(kind: BudgetKind) -> &'static str {
    match kind {
        BudgetKind::MaxDisk => "disk_size",
        BudgetKind::MaxPhysical => "physical_size",
        _ => "nar_size",
    }
}

/// What a budget is called: as on the command line.
fn name(budget: &Budget) -> String {
    match &budget.pattern {
        Some(pattern) => format!("{} {pattern}", budget.kind.name()),
        None => budget.kind.name().to_owned(),
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::text("status").rank(0),
        Column::text("budget").rank(0),
        Column::text("pattern").rank(0),
        Column::text("limit").rank(1),
        Column::text("found").rank(1),
        Column::text("over").rank(0),
        Column::size("limit_size").hidden(),
        Column::size("found_size").hidden(),
        Column::size("excess_size").hidden(),
        Column::count("limit_count").hidden(),
        Column::count("found_count").hidden(),
        Column::count("excess_count").hidden(),
    ]
}
