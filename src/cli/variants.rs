//! `nix-census variants`.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::Subject;
use crate::analysis::variants::Variants;
use crate::warning::WarningKind;
use clap::Args;

/// Show what is there twice: several versions or builds of one package in a closure
///
/// Each with its size, what it retains, what of it is identical in another build,
/// who needs it, and what one in place of all would save, as what-if counts it.
/// Outputs of one derivation are not variants of each other.
#[derive(Debug, Args)]
pub(super) struct VariantsArgs {
    /// Store paths, symlinks to them, hash parts, names or package names
    /// [default: the running system, else all paths]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

pub(super) fn run(
    request: &Request,
    subject: &Subject,
    args: &VariantsArgs,
) -> Result<Exit, Failure> {
    request.rows().check_targets(&args.targets)?;
    let catalog = subject.catalog(request)?;
    let examine = subject.examined(request, &catalog, &args.targets, false)?;
    let census = subject.census(request, catalog, &examine, true)?;
    let kept = subject.kept().is_some();
    let files = if subject.walks_disk() && !kept { Some(subject.files()?) } else { None };
    let mut variants =
        Variants::new(&census, files, subject.threads()).map_err(|e| Failure::because(&e))?;
    if kept && subject.walks_disk() {
        let message = "what builds have in common is not said: a snapshot has no files";
        variants.warnings.push(WarningKind::Note, census.catalog.store_dir(), message);
    }
    request.answer(variants.document(&census), Exit::Done)
}
