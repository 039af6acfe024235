//! `nix-census audit`.

use super::exit::{Exit, Failure};
use super::progress::with_progress;
use super::request::Request;
use super::subject::Subject;
use crate::analysis::audit::{Audit, AuditOptions, Canonical, FindingKind, PublicKey};
use crate::fs::Tree;
use crate::roots::Settings;
use crate::warning::{WarningKind, Warnings};
use clap::Args;

/// Check the store for damage; nothing is repaired or removed
///
/// What stat shows is always checked; the other levels come on top.
/// Exit status: 0 nothing found; 1 findings; 3 something could not be read.
#[derive(Debug, Args)]
#[command(after_help = format!("Kinds: {}", kinds()))]
pub(super) struct AuditArgs {
    /// Audit the closure of these [default: the whole store]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The targets alone, not their closure
    #[arg(long, requires = "targets")]
    no_closure: bool,
    /// Check what the database and stat show (the default)
    #[arg(long)]
    sizes: bool,
    /// Read all files: NAR hashes, `.links` against its names, content addresses
    #[arg(long)]
    contents: bool,
    /// Read all files: references found in them against those declared
    #[arg(long)]
    references: bool,
    /// Check signatures against these keys, each name:base64 [default: those
    /// the store's own nix.conf trusts]
    #[arg(long, value_name = "KEY", num_args = 0.., value_parser = parse_key)]
    signatures: Option<Vec<PublicKey>>,
    /// Only findings of these kinds, separated by commas
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = parse_kind)]
    only: Vec<FindingKind>,
    /// No findings of these kinds
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = parse_kind)]
    except: Vec<FindingKind>,
}

fn kinds() -> String {
    FindingKind::ALL.iter().map(|k| k.name()).collect::<Vec<_>>().join(", ")
}

fn parse_kind(name: &str) -> Result<FindingKind, String> {
    FindingKind::from_name(name)
        .ok_or_else(|| format!("there is no such kind; there are: {}", kinds()))
}

fn parse_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).map_err(|e| e.to_string())
}

pub(super) fn run(request: &Request, subject: &Subject, args: &AuditArgs) -> Result<Exit, Failure> {
    if !subject.walks_disk() && (args.contents || args.references || args.sizes) {
        return Err(Failure::usage("this reads the disk, --no-disk forbids it"));
    }
    request.rows().check_targets(&args.targets)?;
    let mut catalog = subject.catalog(request)?;
    let ids = match subject.targets(request, &catalog, &args.targets)? {
        targets if targets.is_empty() => None,
        targets if args.no_closure => {
            let mut targets = targets;
            targets.sort_unstable();
            targets.dedup();
            Some(targets)
        }
        targets => {
            let ids = catalog.closure_of(targets);
            let mut unlisted = Warnings::new();
            catalog.warn_of_unlisted(|id| ids.binary_search(&id).is_ok(), &mut unlisted);
            catalog.warnings.extend(unlisted);
            Some(ids)
        }
    };
    let mut warnings = Warnings::new();
    let settings = subject.warned_settings(&mut warnings);
    let signatures = args.signatures.as_ref().map(|keys| match keys.is_empty() {
        true => trusted_keys(subject.settings_tree(), settings, &mut warnings),
        false => keys.clone(),
    });
    catalog.warnings.extend(warnings);
    let options = AuditOptions {
        contents: args.contents,
        references: args.references,
        signatures,
        disk: subject.walks_disk(),
        only: args.only.clone(),
        except: args.except.clone(),
        threads: subject.threads(),
        canonical: Canonical {
            use_case_hack: settings.use_case_hack,
            ignored_acls: settings.ignored_acls.clone(),
        },
    };
    let files = if subject.walks_disk() { Some(subject.files()?) } else { None };
    let source = &subject.source;
    let database = subject.database()?;
    let audit = with_progress(request.shows_progress(), |progress| {
        Audit::run(&database, files, source, catalog, ids, &options, progress)
    })
    .map_err(|e| Failure::because(&e))?;
    let exit = if audit.findings.is_empty() { Exit::Done } else { Exit::No };
    request.answer(audit.document(), exit)
}

/// The keys that the store's own settings trust, or Nix's default.
fn trusted_keys(tree: &Tree, settings: &Settings, warnings: &mut Warnings) -> Vec<PublicKey> {
    let halves = settings.public_halves(tree, warnings);
    let parse = |text: &String| match PublicKey::parse(text) {
        Ok(key) => Some(key),
        Err(e) => {
            warnings.push(WarningKind::Note, text.as_str(), e.to_string());
            None
        }
    };
    settings.trusted_keys.iter().chain(&halves).filter_map(parse).collect()
}
