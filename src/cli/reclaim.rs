//! `nix-census reclaim`.

use super::exit::{Exit, Failure};
use super::need::NeedArgs;
use super::progress::with_progress;
use super::request::Request;
use super::roots::{SettingsArgs, find, follow_build_traces, now, parse_days};
use super::subject::{Subject, whole};
use crate::analysis::garbage::warn_where_nix_stops;
use crate::analysis::optimise::{Deleted, Optimise, OptimiseError, OptimiseOptions};
use crate::analysis::reclaim::{Bound, LadderOptions, Manager, Reclaim, Tier};
use crate::census::{Census, Examine};
use crate::disk::{DiskScan, Space};
use crate::fs::SizeIs;
use crate::graph::NodeSet;
use crate::warning::{Warning, WarningKind, Warnings};
use clap::Args;

/// How to get space back: what can be done, the best and safest first, and what each thing
/// still frees when those above it are done
///
/// Commands are printed and never run. Amounts do not overlap: their sum is what the disk
/// gains. The booted and the running system are left alone.
#[derive(Debug, Args)]
pub(super) struct ReclaimArgs {
    #[command(flatten)]
    need: NeedArgs,
    /// Links such as `result` are old if they were made more than N days ago
    #[arg(long, value_name = "Nd", default_value = "30d", value_parser = parse_days)]
    older_than: u32,
    /// Leave optimising out: to say what it saves, files of equal size are read
    #[arg(long)]
    no_optimise: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &ReclaimArgs,
) -> Result<Exit, Failure> {
    let disk = subject.walks_disk();
    args.need.check(subject)?;
    subject.need_whole("`reclaim`")?;
    subject.need_roots()?;
    let catalog = subject.catalog(request)?;
    let mut census = subject.census_by_inode(request, catalog, &Examine::All)?;
    subject.warn_where_going_is_unknown(&mut census);
    let found = find(subject, &mut census, &args.settings)?;
    let settings = args.settings.read(subject, &mut census.warnings);
    follow_build_traces(subject, &mut census, &found, &args.settings, &settings);
    warn_where_nix_stops(&census.catalog, &found, &settings, &mut census.warnings);
    let outside = subject.outside()?;
    census.warnings.extend(outside.warnings.clone());
    let need = args.need.need(&census)?;
    let now = now();
    let options = LadderOptions {
        manager: Manager::of(&subject.location),
        settings: settings.clone(),
        now,
        older_than: now.saturating_sub(i64::from(args.older_than) * 86_400),
        need,
        system: args.need.include_system,
        tiers: Tier::of_roots(&found, &subject.location),
    };
    let mut optimised = Ok(None);
    let mut ask = |gone: &NodeSet, others: &[bool]| {
        if !disk || args.no_optimise || subject.lower_store().is_some() || subject.kept().is_some()
        {
            return None;
        }
        optimised = optimise(request, subject, args, &census, Deleted { paths: gone, others });
        optimised.as_ref().ok().and_then(|found| found.as_ref()).map(|(freed, _)| *freed)
    };
    let mut reclaim = Reclaim::new(whole(&census), &found, outside, &options, &mut ask);
    if let Some((_, warnings)) = optimised? {
        reclaim.warnings.extend(warnings);
    }
    if disk && !args.no_optimise && subject.kept().is_some() {
        let message =
            "optimising is left out: what it saves is in the files, which a snapshot has not";
        reclaim.warnings.push(WarningKind::Note, census.catalog.store_dir(), message);
    }
    let freed = reclaim.garbage.unwrap_or_default();
    reclaim.smallest = args.need.smallest(subject, &census, &found, &settings, freed)?;
    if let Some(set) = &reclaim.smallest {
        set.warn_if_unknown(&census, &mut reclaim.warnings);
    }
    let exit = if reclaim.enough == Some(false) { Exit::No } else { Exit::Done };
    request.answer(reclaim.document(whole(&census), &subject.location), exit)
}

/// What optimising frees, and what that is of what is really freed.
type Freed = (Space, Bound);

/// What optimising frees after a collection, and what is to be said of it.
fn optimise(
    request: &Request,
    subject: &Subject,
    args: &ReclaimArgs,
    census: &Census,
    deleted: Deleted<'_>,
) -> Result<Option<(Freed, Warnings)>, Failure> {
    let files = subject.files()?;
    let options = OptimiseOptions {
        nix: args.settings.nix_version,
        guix: subject.location.is_guix(),
        threads: subject.threads(),
        limit: Some(0),
        extents: subject.extents(),
        ..OptimiseOptions::default()
    };
    let answer = with_progress(request.shows_progress(), |progress| {
        Optimise::after(whole(census), deleted, files, &options, progress)
    })
    .map_err(|e: OptimiseError| Failure::because(&e))?;
    let outcome = answer.outcome;
    let mut warnings = Warnings::new();
    if answer.unreadable > 0 {
        let message =
            format!("{} files cannot be read: optimising may save more", answer.unreadable);
        warnings.push(WarningKind::Unreadable, census.catalog.store_dir(), message);
    }
    // What makes the amount uncertain, and not what was counted before.
    let of_amount = |warning: &&Warning| {
        warning.kind == WarningKind::Uncertain && !census.warnings.iter().any(|w| w == *warning)
    };
    if outcome.files_linked > 0 {
        for Warning { kind, path, message } in answer.warnings.iter().filter(of_amount) {
            warnings.push(*kind, path.as_slice(), message.as_str());
        }
    }
    if outcome.stopped.is_some() {
        let message = "optimising would stop with an error: what it saves is of what comes before";
        warnings.push(WarningKind::Uncertain, census.catalog.store_dir(), message);
    }
    if census.has_extents() && answer.freed_physical_size.is_none() {
        let message = "what optimising frees of extents is not known: it counts as nothing";
        warnings.push(WarningKind::Unchecked, census.catalog.store_dir(), message);
    }
    let unknown = if census.has_extents() { 0 } else { outcome.disk_freed };
    let physical_size = answer.freed_physical_size.unwrap_or(unknown);
    let blocks = Space::blocks(outcome.disk_freed, outcome.inodes_freed);
    // What it shares with paths deleted before is counted with neither.
    let shares = |disk: &DiskScan| {
        disk.shares_extents(|path| match (path as usize).checked_sub(census.len()) {
            None => deleted.paths.contains(path),
            Some(other) => deleted.others.get(other) == Some(&true),
        })
    };
    let at_least = || {
        census.has_extents()
            && outcome.files_linked > 0
            && (answer.freed_physical_size_is.is_none_or(|is| is == SizeIs::AtLeast)
                || census.disk.as_ref().is_some_and(shares))
    };
    let about = answer.freed_physical_size_is == Some(SizeIs::About);
    let bound = match !files.has_lower_layers() {
        true if at_least() => Bound::AtLeast,
        true => Bound::Exactly,
        // Files of lower layers are copied before they are linked: there may be less. There
        // may be more too, as blocks bound no extents.
        false if about || at_least() => Bound::Unknown,
        false => Bound::AtMost,
    };
    Ok(Some(((Space { physical_size, ..blocks }, bound), warnings)))
}
