//! `nix-census garbage`.

use super::exit::{Exit, Failure};
use super::need::NeedArgs;
use super::request::Request;
use super::roots::{SettingsArgs, find, follow_build_traces, now, parse_days};
use super::subject::{Subject, whole};
use crate::analysis::garbage::{
    Choice, Garbage, GarbageOptions, Removal, RemovalError, warn_where_nix_stops,
};
use crate::analysis::reclaim::Proof;
use crate::answer::selection::Selection;
use crate::census::{Examine, filter_names};
use crate::store::plain_path;
use clap::Args;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Show what a garbage collection would delete, and how much disk space it would free
///
/// The same paths as `nix-store --gc` would delete. "frees" counts an inode only
/// if all its names go, hard links and .links included.
#[derive(Debug, Args)]
pub(super) struct GarbageArgs {
    /// Explain why these paths are dead or alive
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Assume that these roots are removed, one after another: a link, a profile (all
    /// its generations), /proc/PID, or a pattern over links
    #[arg(long, value_name = "ROOT", num_args = 1.., action = clap::ArgAction::Append)]
    if_removed: Vec<String>,
    /// Assume that `nix-collect-garbage --delete-older-than Nd` has deleted this user's
    /// old generations
    #[arg(long, alias = "delete-older-than", value_name = "Nd", value_parser = parse_days)]
    older_than: Option<u32>,
    /// Assume that only the N newest generations of each profile are kept, counted from
    /// the current one (`nix-env --delete-generations +N`)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_generations: Option<u64>,
    /// List only dead paths registered more than N days ago, and what deleting them alone
    /// would free
    #[arg(long, value_name = "Nd", value_parser = parse_days)]
    registered_before: Option<u32>,
    /// List only dead paths in the closure of TARGET, and what deleting them alone would
    /// free, as `nix store delete --recursive --skip-alive` does
    #[arg(long, value_name = "TARGET")]
    within: Vec<String>,
    #[command(flatten)]
    need: NeedArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &GarbageArgs,
) -> Result<Exit, Failure> {
    args.need.check(subject)?;
    if args.need.include_system && !args.need.is_some() {
        return Err(Failure::usage("--include-system says what --need may remove: it needs that"));
    }
    let removes = args.older_than.is_some() || args.keep_generations.is_some();
    if args.need.is_some() && (removes || !args.if_removed.is_empty()) {
        let message = "--need looks for roots itself: --if-removed, --older-than and \
                       --keep-generations cannot be used with it";
        return Err(Failure::usage(message));
    }
    subject.need_whole("`garbage`")?;
    subject.need_roots()?;
    let catalog = subject.catalog(request)?;
    let why = subject.targets(request, &catalog, &args.targets)?;
    let within = subject.targets(request, &catalog, &args.within)?;
    let mut census = subject.census(request, catalog, &Examine::All, true)?;
    subject.warn_where_going_is_unknown(&mut census);
    if args.registered_before.is_some() {
        census.needs_column("registrationTime");
    }
    let found = find(subject, &mut census, &args.settings)?;
    let settings = args.settings.read(subject, &mut census.warnings);
    follow_build_traces(subject, &mut census, &found, &args.settings, &settings);
    warn_where_nix_stops(&census.catalog, &found, &settings, &mut census.warnings);
    let named = args
        .if_removed
        .iter()
        .map(|name| Removal::Named { name: name.clone(), also: also_called(subject, name) });
    let all_users = args.settings.all_users;
    let older = args.older_than.map(|days| Removal::OlderThan { days, all_users, now: now() });
    let keep = args.keep_generations.map(|keep| Removal::KeepGenerations { keep, all_users });
    let removals: Vec<Removal> = named.chain(older).chain(keep).collect();
    for removal in &removals {
        removal.warn(&found, &mut census.warnings);
    }
    let steps = removals.iter().map(|removal| removal.step(&found));
    let steps = steps.collect::<Result<_, RemovalError>>().map_err(|e| {
        let unknown = matches!(e, RemovalError::Unknown(_));
        Failure::usage(e).maybe_hint(unknown.then_some("`nix-census roots` lists the roots"))
    })?;
    let filter = |text: &String| filter_names(&census.catalog, census.catalog.ids(), text);
    let rows = request.rows();
    let filter = rows.filter.as_ref().map(filter).transpose()?;
    let registered_before =
        args.registered_before.map(|days| now().saturating_sub(i64::from(days) * 86_400));
    let choice = Choice { registered_before, within };
    let options = GarbageOptions { choice, settings, steps, filter, why };
    let mut garbage = Garbage::new(whole(&census), &found, &options);
    let freed = garbage.dead.freed().unwrap_or_default();
    if let Some(need) = args.need.need(&census)?.filter(|_| garbage.dead.freed().is_some()) {
        need.warn_of_blocks(&census, &mut garbage.warnings);
    }
    garbage.enough = args.need.smallest(subject, &census, &found, &options.settings, freed)?;
    if let Some(set) = &garbage.enough {
        set.warn_if_unknown(&census, &mut garbage.warnings);
    }
    let enough = garbage.enough.as_ref().is_none_or(|set| set.proof != Proof::NotEnough);
    let left = Selection { filter: None, ..rows.selection()? };
    let exit = if enough { Exit::Done } else { Exit::No };
    request.answer_with(garbage.document(&census), exit, &left)
}

/// What else a name may mean: `result` or `./result` means the link of that
/// name in the current directory; a name on this machine means the one inside
/// the examined root.
fn also_called(subject: &Subject, name: &str) -> Vec<Vec<u8>> {
    let whole = subject.names.current_dir.join(name);
    let plain = plain_path(&whole);
    let mut names = Vec::new();
    if let Ok(inside) = plain.strip_prefix(&subject.location.root) {
        names.push(Path::new("/").join(inside).into_os_string().into_vec());
    }
    // The directory may have been reached through symlinks.
    if let (Some(dir), Some(file)) = (plain.parent(), plain.file_name())
        && let Ok(dir) = std::fs::canonicalize(dir)
        && let Ok(inside) = dir.join(file).strip_prefix(&subject.location.root)
    {
        names.push(Path::new("/").join(inside).into_os_string().into_vec());
    }
    names
}
