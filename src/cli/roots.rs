//! `nix-census roots`.

use super::environment;
use super::exit::{Exit, Failure};
use super::near::no_such;
use super::request::Request;
use super::subject::{Subject, whole};
use crate::analysis::liveness::{Keep, alive};
use crate::analysis::optimise::NixVersion;
use crate::analysis::roots::{RootSort, Roots, RootsOf, RootsOptions};
use crate::catalog::build_trace::{self, TraceTable};
use crate::catalog::{Catalog, PathId};
use crate::census::{Census, Examine};
use crate::fs::StoreFiles;
use crate::roots::{
    Caller, CallerKind, FoundRoots, GcSetting, GcSettings, RootKind, RootOptions, RootSurvey,
    StaleReason, find_roots,
};
use crate::snapshot::TraceOutputs;
use crate::warning::{WarningKind, Warnings};
use clap::Args;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Show every GC root, what it keeps alive, and what removing it would free
///
/// "frees" is the disk space that a garbage collection would free if this root
/// alone were removed, beyond today's garbage. What other roots keep too does
/// not count; a process counts with all that it uses.
#[derive(Debug, Args)]
pub(super) struct RootsArgs {
    /// Show only the roots that keep TARGET, each with its chain; exit status 1 if none does
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["shared", "kind", "older_than"])]
    of: Option<String>,
    /// Also show what exactly two or three roots keep together
    #[arg(long)]
    shared: bool,
    /// Show what deleting generations older than N days would free, for each profile
    #[arg(long, value_name = "Nd", default_value = "30d", value_parser = parse_days)]
    older_than: u32,
    /// Show only roots of these kinds: profile, auto, link, file, process, kernel, temporary
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = parse_kind)]
    kind: Vec<RootKind>,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn parse_kind(kind: &str) -> Result<RootKind, String> {
    let names = RootKind::ALL.map(RootKind::name);
    (RootKind::ALL.into_iter().find(|k| k.name() == kind))
        .ok_or_else(|| no_such("kind of root", kind, names, ""))
}

/// `30d`, as `nix-collect-garbage --delete-older-than` has it.
pub(super) fn parse_days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').and_then(|n| n.parse().ok()).filter(|&n| n > 0);
    days.ok_or_else(|| "not a number of days\nhint: write 30d for 30 days".to_owned())
}

/// The time now, in seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn run(request: &Request, subject: &Subject, args: &RootsArgs) -> Result<Exit, Failure> {
    let disk = subject.walks_disk();
    let rows = request.rows();
    // By other columns the answer's rows are sorted.
    let sort = rows.sort.as_deref().and_then(RootSort::from_key);
    let sort = match (sort, disk) {
        (Some(sort), false) if sort.needs_disk() => {
            let what = format!("the column {}", sort.key());
            return Err(subject.without_disk(&what, "it needs the disk"));
        }
        (Some(sort), _) => sort,
        (None, true) => RootSort::FreedDiskSize,
        (None, false) => RootSort::FreedNarSize,
    };
    subject.need_whole("`roots`")?;
    subject.need_roots()?;
    let catalog = subject.catalog(request)?;
    let target =
        args.of.as_ref().map(|of| subject.target(request, &catalog, None, of)).transpose()?;
    let mut census = subject.census(request, catalog, &Examine::All, args.of.is_none())?;
    let found = find(subject, &mut census, &args.settings)?;
    let settings = args.settings.read(subject, &mut census.warnings);
    follow_build_traces(subject, &mut census, &found, &args.settings, &settings);
    if let Some(target) = target {
        let of = RootsOf::new(&census, &found, &settings, target);
        let exit = if of.keepers.is_empty() { Exit::No } else { Exit::Done };
        return request.answer(of.document(&census), exit);
    }
    subject.warn_where_going_is_unknown(&mut census);
    let sort = match rows.sort.is_none() && census.has_extents() {
        true => RootSort::FreedPhysicalSize,
        false => sort,
    };
    let options = RootsOptions {
        settings,
        now: now(),
        older_than_days: args.older_than,
        all_users: args.settings.all_users,
        shared: args.shared,
        kinds: args.kind.clone(),
        sort,
        limit: None,
    };
    let roots = Roots::new(whole(&census), &found, &options).map_err(|e| Failure::because(&e))?;
    request.answer(roots.document(&census), Exit::Done)
}

/// The roots of a census's store; what could not be read joins its warnings.
pub(super) fn find(
    subject: &Subject,
    census: &mut Census,
    settings: &SettingsArgs,
) -> Result<FoundRoots, Failure> {
    let version = settings.nix_version;
    let (runtime, strict) = (!settings.no_runtime, settings.strict);
    let options = RootOptions { runtime, strict, ..without_processes(subject, version) };
    find_with(subject, census, &options, version)
}

/// The roots that are links and files: processes are not asked.
pub(super) fn find_links(subject: &Subject, census: &mut Census) -> Result<FoundRoots, Failure> {
    let version = NixVersion::NEWEST;
    find_with(subject, census, &without_processes(subject, version), version)
}

/// The same for what asks about profiles before anything is walked, with its warnings.
pub(super) fn find_profiles(subject: &Subject, catalog: &Catalog) -> Result<FoundRoots, Failure> {
    let version = NixVersion::NEWEST;
    found_roots(subject, catalog, &without_processes(subject, version), version)
}

/// The roots of a store, or those that a snapshot of it has.
fn found_roots(
    subject: &Subject,
    catalog: &Catalog,
    options: &RootOptions,
    version: NixVersion,
) -> Result<FoundRoots, Failure> {
    let Some(kept) = subject.kept() else {
        return Ok(find_roots(subject.tree(), &subject.location, catalog, options));
    };
    let survey = kept.surroundings()?.roots.as_ref();
    let caller = caller_kind(version);
    survey
        .and_then(|survey| survey.found(&subject.location, options, caller))
        .ok_or_else(|| kept.no_roots())
}

fn without_processes(subject: &Subject, version: NixVersion) -> RootOptions {
    RootOptions {
        runtime: false,
        strict: false,
        caller: caller(subject, version),
        locks_temporary_directories: version.locks_temporary_directories(),
    }
}

fn find_with(
    subject: &Subject,
    census: &mut Census,
    options: &RootOptions,
    version: NixVersion,
) -> Result<FoundRoots, Failure> {
    let mut found = found_roots(subject, &census.catalog, options, version)?;
    found.lower_store = subject.lower_store().map(Path::to_owned);
    census.warnings.extend(std::mem::take(&mut found.warnings));
    let auto = subject.location.state_dir.join("gcroots/auto");
    let gone = found.stale.iter().filter(|stale| {
        stale.reason == StaleReason::Missing
            && Path::new(OsStr::from_bytes(&stale.link)).starts_with(&auto)
    });
    let gone = gone.count();
    if gone > 0 && subject.may_be_chroot() {
        let message = format!(
            "{gone} of the links here are dangling inside the root. Say --root-kind chroot if \
             it is a chroot store (nix --store DIR), whose links lead to files of this machine; \
             say --root-kind image if they are stale"
        );
        census.warnings.push(WarningKind::Unreadable, auto.as_os_str().as_bytes(), message);
    }
    Ok(found)
}

/// Adds the outputs of content-addressed derivations, if Nix would ask for them:
/// with the feature `ca-derivations` and `keep-outputs`.
pub(super) fn follow_build_traces(
    subject: &Subject,
    census: &mut Census,
    found: &FoundRoots,
    args: &SettingsArgs,
    settings: &GcSettings,
) {
    let features = &subject.settings().experimental_features;
    if !settings.keep_outputs.value || !features.iter().any(|f| f == "ca-derivations") {
        return;
    }
    let keep = Keep::from(settings);
    let table = args.nix_version.trace_table();
    let kept = subject.kept_surroundings();
    let TraceOutputs { pairs, mut warnings } = match kept {
        None => outputs_in(subject, &census.catalog, table),
        Some(kept) => {
            let found = TraceTable::ALL.iter().zip(&kept.traces).find(|(of, _)| **of == table);
            found.map(|(_, found)| found.clone()).unwrap_or_default()
        }
    };
    let roots = || found.roots.iter().map(|root| root.path);
    let before = alive(&census.catalog, keep, roots());
    census.catalog.add_derivation_outputs(&pairs);
    let after = alive(&census.catalog, keep, roots());
    // From such an output Nix finds no way back to its derivation.
    for path in after.iter().filter(|&path| !before.contains(path)).map(PathId::new) {
        let message = "content-addressed: Nix keeps it, as its derivation’s output, only if it \
                       comes to the derivation first when it reads the store directory";
        warnings.push(WarningKind::Uncertain, census.catalog.path(path), message);
    }
    census.warnings.extend(warnings);
}

/// What of a caller depends on the version of Nix.
fn caller_kind(version: NixVersion) -> CallerKind {
    CallerKind { rule: version.profile_rule(), knows_state_home: version.has_state_home() }
}

/// All that may be asked of the roots, for a snapshot.
pub(super) fn survey(subject: &Subject, catalog: &Catalog) -> RootSurvey {
    // One version of each kind.
    let versions = ["2.14", "2.15", "2.24", "2.36"].map(|v| v.parse().unwrap_or_default());
    let callers = versions.map(|version| (caller_kind(version), caller(subject, version)));
    RootSurvey::take(subject.tree(), &subject.location, catalog, &callers, (true, true))
}

/// What build traces know, for a snapshot.
pub(super) fn trace_outputs(subject: &Subject, catalog: &Catalog) -> Vec<TraceOutputs> {
    if !catalog.has_traces() {
        return Vec::new();
    }
    TraceTable::ALL.map(|table| outputs_in(subject, catalog, table)).into()
}

/// What a table of build traces knows. Without files it is said which derivations could
/// not be read.
fn outputs_in(subject: &Subject, catalog: &Catalog, table: TraceTable) -> TraceOutputs {
    let files = if subject.walks_disk() { subject.files().ok() } else { None };
    let mut warnings = Warnings::new();
    let store = files.map(StoreFiles::directory);
    let pairs = build_trace::outputs(catalog, table, store, &mut warnings);
    TraceOutputs { pairs, warnings }
}

/// Who is taken to call `nix-collect-garbage`: this user; an image's superuser.
fn caller(subject: &Subject, version: NixVersion) -> Caller {
    let rule = version.profile_rule();
    if subject.location.root != Path::new("/") {
        return Caller::superuser(rule);
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let nix_state_home = variable("NIX_STATE_HOME").filter(|_| version.has_state_home());
    let state_home =
        nix_state_home.or_else(|| variable("XDG_STATE_HOME").map(|dir| dir.join("nix")));
    Caller {
        rule,
        is_root: rustix::process::getuid().is_root(),
        home: environment::home().unwrap_or_else(|| PathBuf::from("/")),
        state_home,
        xdg: subject.settings().xdg_base_directories,
        state_dir: subject.nix_state_dir.clone(),
        ask_access: true,
    }
}

/// What the collector keeps.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// Ignore running processes and temporary roots
    #[arg(long)]
    pub(super) no_runtime: bool,
    /// Call the answer incomplete if a running process could not be checked
    #[arg(long, conflicts_with = "no_runtime")]
    strict: bool,
    /// Include profiles that this user's `nix-collect-garbage` does not clean, such as
    /// other users'
    #[arg(long)]
    pub(super) all_users: bool,
    /// Assume that this Nix version collects: up to 2.14, in 2.15 and from 2.16 it cleans
    /// different profiles
    #[arg(long, value_name = "VERSION", default_value_t = NixVersion::NEWEST)]
    pub(super) nix_version: NixVersion,
    /// Keep outputs of live derivations, or not [default: as in nix.conf]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    keep_outputs: Option<bool>,
    /// Keep derivers of live paths, or not [default: as in nix.conf]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    keep_derivations: Option<bool>,
}

impl SettingsArgs {
    /// The settings: those asked for, else those of the store's own system.
    pub(super) fn read(&self, subject: &Subject, warnings: &mut Warnings) -> GcSettings {
        let asked = |value| GcSetting { value, source: None };
        if let (Some(outputs), Some(derivations)) = (self.keep_outputs, self.keep_derivations) {
            return GcSettings::new(outputs, derivations);
        }
        let mut settings = match subject.location.is_guix() {
            true => guix_settings(subject, warnings),
            false => subject.warned_settings(warnings).gc.clone(),
        };
        if let Some(value) = self.keep_outputs {
            settings.keep_outputs = asked(value);
        }
        if let Some(value) = self.keep_derivations {
            settings.keep_derivations = asked(value);
        }
        settings
    }
}

/// Guix's defaults, which are Nix's too.
fn guix_settings(subject: &Subject, warnings: &mut Warnings) -> GcSettings {
    let message = "guix-daemon’s --gc-keep-outputs and --gc-keep-derivations are in no file: its \
                   defaults are assumed (set --keep-outputs and --keep-derivations)";
    let state_dir = subject.location.state_dir.as_os_str().as_encoded_bytes();
    warnings.push(WarningKind::Note, state_dir, message);
    GcSettings::default()
}
