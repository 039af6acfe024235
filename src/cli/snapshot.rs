//! `nix-census snapshot`.

use super::args::OutputArgs;
use super::destination::Destination;
use super::exit::{Exit, Failure};
use super::request::Request;
use super::roots::{now, survey, trace_outputs};
use super::since::Since;
use super::subject::Subject;
use crate::catalog::Catalog;
use crate::census::{self, Examine};
use crate::disk::{Progress, ScanOptions, StoreStamp, WholeScan};
use crate::fs::StoreFiles;
use crate::snapshot::{self, Contents, Snapshot, StoreThen, Surroundings};
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

/// Refuses formats: a snapshot has its own, whatever its file is called. Without a file
/// there is only that of `--update`.
pub(super) fn check_output(output: &mut OutputArgs, updates: bool) -> Result<(), Failure> {
    if output.json || output.format.is_some() {
        return Err(Failure::usage(
            "a snapshot has a format of its own: --format and --json do not apply",
        ));
    }
    if output.output.is_none() && !updates {
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
    if subject.since().is_some() && !args.targets.is_empty() {
        let message = "--since is about the whole store, and targets make a snapshot of a closure";
        return Err(Failure::usage(message).hint("leave one of them out"));
    }
    if !request.has_output_file() {
        // Only `--update` does without.
        return update_alone(request, subject, args);
    }
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

/// Writes what was found in place of the snapshot of `--since`, and nothing else.
fn update_alone(
    request: &Request,
    subject: &Subject,
    args: &SnapshotArgs,
) -> Result<Exit, Failure> {
    if args.host_name {
        let message = "--host-name is for a new file: --update keeps what the old one says";
        return Err(Failure::usage(message).hint("name a file with --output"));
    }
    let catalog = subject.catalog(request)?;
    let whole = subject.whole_scan(request, &catalog)?;
    let mut warnings = catalog.warnings.clone();
    warnings.extend(whole.scan.warnings);
    Ok(request.end(&warnings))
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
    let destination = beside_answer(request, subject, file)?;
    let snapshot = take(request, subject, catalog, examine)?;
    destination.write(|out| snapshot::write(&snapshot, out))
}

/// Where a snapshot is written beside the answer: not over what is examined.
pub(super) fn beside_answer(
    request: &Request,
    subject: &Subject,
    file: &Path,
) -> Result<Destination, Failure> {
    let destination = Destination::new(request.current_dir(), file)?;
    let examined = subject.keep_off_inputs(|read| destination.keep_off(read));
    if matches!(destination, Destination::StandardOutput) || examined.is_err() {
        let message = format!("a snapshot cannot be written to {}", file.display());
        return Err(Failure::usage(message).hint("name a file elsewhere"));
    }
    Ok(destination)
}

/// Writes what was found in place of the snapshot of `--since`.
pub(super) fn update(
    request: &Request,
    subject: &Subject,
    since: &Since,
    catalog: &Catalog,
    whole: &WholeScan,
) -> Result<(), Failure> {
    let destination = beside_answer(request, subject, since.file_to_update())?;
    let stamps = whole.stamps.as_ref().map(|(store, paths)| (then(subject, store), paths));
    let surroundings = surroundings(subject, catalog)?;
    let contents = Contents {
        taken: now(),
        host: since.host.as_deref(),
        location: &subject.location,
        examine: &Examine::All,
        running_system: subject.running_system(catalog),
        catalog,
        disk: Some(&whole.scan),
        kinds: Some(&whole.kinds),
        stamps: stamps.as_ref().map(|(store, paths)| (store, *paths)),
        surroundings: Some(&surroundings),
    };
    destination.write(|out| snapshot::write_contents(&contents, out))
}

/// How the store was, with its database.
fn then(subject: &Subject, store: &StoreStamp) -> StoreThen {
    StoreThen { store: store.clone(), database: subject.database_stamps_then() }
}

/// The snapshot of what is to be examined of a catalog.
fn take(
    request: &Request,
    subject: &Subject,
    catalog: Catalog,
    examine: &Examine,
) -> Result<Snapshot, Failure> {
    let (scan, kinds, stamps) = match (subject.walks_disk(), examine) {
        (false, _) => (None, None, None),
        (true, Examine::All) => {
            let WholeScan { scan, kinds, stamps } = subject.whole_scan(request, &catalog)?;
            let stamps = stamps.map(|(store, paths)| (then(subject, &store), paths));
            (Some(scan), Some(kinds), stamps)
        }
        (true, _) => {
            let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
                let options = ScanOptions { inode_extents: true, ..*options };
                census::scan_kinds_apart(files, &catalog, examine, &options, progress)
            };
            let (scan, kinds) = subject.scanned(request, scan)?;
            (Some(scan), Some(kinds), None)
        }
    };
    let system = subject.running_system(&catalog).map(|id| catalog.base_name(id).to_owned());
    let mut snapshot = Snapshot::new(subject.location.clone(), catalog, examine, scan, now());
    snapshot.running_system = system.and_then(|name| snapshot.catalog.find(&name));
    (snapshot.kinds, snapshot.stamps) = (kinds, stamps);
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
