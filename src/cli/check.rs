//! `nix-census check`.

use super::budgets::BudgetArgs;
use super::exit::{Exit, Failure};
use super::kept::is_snapshot;
use super::request::Request;
use super::snapshot;
use super::subject::Subject;
use crate::analysis::check::{Budgets, Checked, Forbidden, PatternBudget};
use crate::analysis::diff::{Diff, Side};
use crate::catalog::PathId;
use crate::census::{Census, Examine, PathIndex, TargetError};
use clap::Args;
use std::path::PathBuf;

/// Check the closure of paths against budgets, and say what broke them
///
/// Exit status: 0 all are kept; 1 one is broken; 3 of one it is not known whether it is
/// kept. Sizes are NAR sizes, which are the same on every machine, but for --max-disk
/// and --max-physical.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    #[command(flatten)]
    budgets: BudgetArgs,
    /// Compare with what was saved in FILE, or with the closure of a TARGET that is still
    /// there: see --max-growth
    #[arg(long, value_name = "FILE|TARGET")]
    baseline: Option<String>,
    /// Save the closure in FILE, a snapshot, for a later --baseline; not if a budget is
    /// broken
    #[arg(long, value_name = "FILE")]
    save_baseline: Option<PathBuf>,
}

pub(super) fn run(request: &Request, subject: &Subject, args: &CheckArgs) -> Result<Exit, Failure> {
    let asked = args.budgets.read(request.current_dir())?;
    if asked.is_empty() && args.save_baseline.is_none() {
        let failure = Failure::usage("no budget is given");
        return Err(failure.hint("`nix-census check --help` lists them"));
    }
    match (asked.max_growth, &args.baseline) {
        (Some(_), None) => {
            let failure = Failure::usage("--max-growth needs a --baseline to compare with");
            return Err(failure);
        }
        (None, Some(_)) => {
            return Err(Failure::usage(
                "--baseline is what --max-growth compares with: it needs that",
            ));
        }
        _ => {}
    }
    let on_disk = [("--max-disk", asked.max_disk), ("--max-physical", asked.max_physical)];
    let on_disk = on_disk.into_iter().find(|(_, limit)| limit.is_some());
    if let Some((flag, _)) = on_disk.filter(|_| !subject.walks_disk()) {
        return Err(subject.without_disk(flag, "it needs the disk"));
    }
    if args.save_baseline.is_some() {
        subject.need_files()?;
    }
    request.rows().need_targets(&args.targets)?;
    let catalog = subject.catalog(request)?;
    // A census takes them among its own.
    let odd = catalog.warnings.clone();
    let targets = subject.targets_or_all(request, &catalog, &args.targets)?;
    let old = args.baseline.as_ref();
    let old = old.map(|name| baseline(request, subject, name)).transpose()?;
    // Other budgets ask nothing that the disk tells.
    let disk = on_disk.is_some();
    let kinds = asked.no_leftovers && subject.walks_disk();
    let examine = Examine::Closure(targets);
    let (census, kinds) = match kinds {
        true => {
            let (census, scan) = subject.census_with_kinds_alone(request, catalog, &examine)?;
            (census, Some(scan))
        }
        false => (subject.census(request, catalog, &examine, disk)?, None),
    };
    let budgets = resolve(request, subject, &census, &asked)?;
    let growth = old.as_ref().map(|old| Diff::new(Side::all(old), Side::all(&census)));
    let growth = growth.transpose().map_err(|e| Failure::because(&e))?;
    let checked = Checked::new(&census, &budgets, kinds.as_ref(), growth.as_ref());
    let checked = checked.map_err(|e| Failure::because(&e))?;
    let exit = match (checked.is_broken(), checked.is_unknown()) {
        (true, _) => Exit::No,
        (false, true) => Exit::Incomplete,
        (false, false) => Exit::Done,
    };
    let exit = request.answer(checked.document(request.units()), exit)?;
    if let Some(file) = &args.save_baseline {
        match exit {
            Exit::Done => {
                let mut catalog = census.catalog;
                catalog.warnings = odd;
                snapshot::save(request, subject, catalog, &examine, file)?;
            }
            _ => request.note(format_args!("{} is not written", file.display())),
        }
    }
    Ok(exit)
}

/// What a closure was: in a snapshot, or that of a path that is still there.
fn baseline(request: &Request, subject: &Subject, name: &str) -> Result<Census, Failure> {
    let file = request.current_dir().join(name);
    if is_snapshot(&file) {
        let saved = subject.of_file(request, &file)?;
        return saved.census(request, saved.catalog(request)?, &saved.everything(), false);
    }
    let catalog = subject.catalog(request)?;
    let target = subject.target(request, &catalog, None, name)?;
    subject.census(request, catalog, &Examine::Closure(vec![target]), false)
}

/// The budgets with the paths that their patterns name in the closure.
fn resolve(
    request: &Request,
    subject: &Subject,
    census: &Census,
    asked: &BudgetArgs,
) -> Result<Budgets, Failure> {
    let examined: Vec<PathId> = census.ids().collect();
    let find = |pattern: &String| -> Result<Vec<PathIndex>, Failure> {
        let found = match subject.matches(request, &census.catalog, Some(&examined), pattern) {
            Ok(ids) => ids,
            // That nothing is called so is an answer.
            Err(TargetError::Unknown { .. } | TargetError::NotExamined { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(found.into_iter().filter_map(|id| census.index_of(id)).collect())
    };
    let of_patterns = |list: &[(String, u64)]| -> Result<Vec<PatternBudget>, Failure> {
        let one = |(pattern, limit): &(String, u64)| {
            Ok(PatternBudget { pattern: pattern.clone(), limit: *limit, paths: find(pattern)? })
        };
        list.iter().map(one).collect()
    };
    let forbidden =
        |pattern: &String| Ok(Forbidden { pattern: pattern.clone(), paths: find(pattern)? });
    Ok(Budgets {
        max_closure: asked.max_closure,
        max_disk: asked.max_disk,
        max_physical: asked.max_physical,
        max_paths: asked.max_paths,
        max_path: of_patterns(&asked.max_path)?,
        max_retained: of_patterns(&asked.max_retained)?,
        forbid: asked.forbid.iter().map(forbidden).collect::<Result<_, Failure>>()?,
        no_variants: asked.no_variants,
        no_leftovers: asked.no_leftovers,
        max_growth: asked.max_growth,
    })
}
