//! `nix-census snapshot`.

use super::args::OutputArgs;
use super::destination::Destination;
use super::exit::{Exit, Failure};
use super::request::Request;
use super::roots::{now, survey, trace_outputs};
use super::subject::Subject;
use crate::catalog::Catalog;
use crate::census::{self, Examine};
use crate::disk::{Progress, ScanOptions};
use crate::fs::StoreFiles;
use crate::snapshot::{self, Snapshot, Surroundings};
use crate::warning::Warnings;
use clap::Args;
use std::path::Path;

/// Save what a store holds in a file, to ask it later or elsewhere with --snapshot
///
/// Every command that needs no contents of files answers from it as from the
/// store. With targets it holds their closure alone.
#[derive(Debug, Args)]
pub(super) struct SnapshotArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    /// [default: the whole store]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Store the name of this host, too
    #[arg(long)]
    host_name: bool,
}

/// Refuses formats: a snapshot has its own, whatever its file is called.
pub(super) fn check_output(output: &mut OutputArgs) -> Result<(), Failure> {
    if output.json || output.format.is_some() {
        return Err(Failure::usage(
            "a snapshot has a format of its own: --format and --json do not apply",
        ));
    }
    if output.output.is_none() {
        return Err(Failure::usage("no file is named")
            .hint("name one with --output, or standard output with `--output -`"));
    }
    output.set_table();
    Ok(())
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &SnapshotArgs,
) -> Result<Exit, Failure> {
    request.rows().check_targets(&args.targets)?;
    request.rows().refuse_selection("snapshot", "it holds all of what it is of")?;
    subject.need_files()?;
    if request.writes_to_terminal() {
        return Err(Failure::usage("a snapshot is not for terminals")
            .hint("name a file with --output, or send standard output elsewhere"));
    }
    let catalog = subject.catalog(request)?;
    let targets = subject.targets(request, &catalog, &args.targets)?;
    let examine = if args.targets.is_empty() { Examine::All } else { Examine::Closure(targets) };
    let mut snapshot = take(request, subject, catalog, &examine)?;
    if args.host_name {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        snapshot.host = Some(host);
    }
    let mut warnings = snapshot.catalog.warnings.clone();
    if let Some(scan) = &snapshot.disk {
        warnings.extend(scan.warnings.clone());
    }
    request.write_file(|out| snapshot::write(&snapshot, out), &warnings)
}

/// Saves what was examined in a file beside the answer. What could not be read is in it,
/// and was said.
pub(super) fn save(
    request: &Request,
    subject: &Subject,
    catalog: Catalog,
    examine: &Examine,
    file: &Path,
) -> Result<(), Failure> {
    let destination = Destination::new(request.current_dir(), file)?;
    let examined = subject.keep_off_inputs(|read| destination.keep_off(read));
    if matches!(destination, Destination::StandardOutput) || examined.is_err() {
        let message = format!("a snapshot cannot be written to {}", file.display());
        return Err(Failure::usage(message).hint("name a file elsewhere"));
    }
    let snapshot = take(request, subject, catalog, examine)?;
    destination.write(|out| snapshot::write(&snapshot, out))
}

/// The snapshot of what is to be examined of a catalog.
fn take(
    request: &Request,
    subject: &Subject,
    catalog: Catalog,
    examine: &Examine,
) -> Result<Snapshot, Failure> {
    let (scan, kinds) = match subject.walks_disk() {
        true => {
            let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
                census::scan_kinds_apart(files, &catalog, examine, options, progress)
            };
            let (scan, kinds) = subject.scanned(request, scan)?;
            (Some(scan), Some(kinds))
        }
        false => (None, None),
    };
    let system = subject.running_system(&catalog).map(|id| catalog.base_name(id).to_owned());
    let mut snapshot = Snapshot::new(subject.location.clone(), catalog, examine, scan, now());
    snapshot.running_system = system.and_then(|name| snapshot.catalog.find(&name));
    snapshot.kinds = kinds;
    if *examine == Examine::All {
        snapshot.surroundings = Some(surroundings(subject, &snapshot.catalog)?);
    }
    Ok(snapshot)
}

/// What the answers of a whole store need beside catalog and disk.
fn surroundings(subject: &Subject, catalog: &Catalog) -> Result<Surroundings, Failure> {
    let mut settings_warnings = Warnings::new();
    let settings = subject.warned_settings(&mut settings_warnings).clone();
    Ok(Surroundings {
        roots: subject.need_roots().is_ok().then(|| survey(subject, catalog)),
        lower_store: subject.lower_store().map(Path::to_owned),
        may_be_chroot: subject.may_be_chroot(),
        settings,
        settings_warnings,
        outside: subject.outside()?,
        traces: trace_outputs(subject, catalog),
    })
}
