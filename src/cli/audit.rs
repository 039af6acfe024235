//! `nix-census audit`.

use super::exit::{Exit, Failure};
use super::near::no_such;
use super::progress::with_progress;
use super::request::Request;
use super::subject::Subject;
use crate::analysis::audit::{Audit, AuditOptions, Canonical, FindingKind, PublicKey};
use crate::fs::Tree;
use crate::roots::Settings;
use crate::warning::{WarningKind, Warnings};
use clap::Args;

/// Check the store for damage, without changing it
///
/// Sizes, modes, owners and the database are always checked; --contents,
/// --references and --signatures check more. Exit status: 0 nothing found;
/// 1 findings; 3 something could not be read.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Check the closure of these paths [default: the whole store]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Check the targets only, not their closure
    #[arg(long, requires = "targets")]
    no_closure: bool,
    /// Check the database and what stat shows (the default)
    #[arg(long)]
    sizes: bool,
    /// Read all files and check NAR hashes, content addresses and .links
    #[arg(long)]
    contents: bool,
    /// Read all files and compare the references found with those declared
    #[arg(long)]
    references: bool,
    /// Check signatures, against these keys (name:base64) or those that nix.conf
    /// trusts
    #[arg(long, value_name = "KEY", num_args = 0.., value_parser = parse_key)]
    signatures: Option<Vec<PublicKey>>,
    /// Show only findings of these kinds, separated by commas
    #[arg(long, long_help = only_help(), value_name = "KIND,…", value_delimiter = ',', value_parser = parse_kind)]
    only: Vec<FindingKind>,
    /// Hide findings of these kinds
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = parse_kind)]
    except: Vec<FindingKind>,
}

fn only_help() -> String {
    let kinds: Vec<_> = FindingKind::ALL.iter().map(|k| k.name()).collect();
    format!("Show only findings of these kinds, separated by commas: {}", kinds.join(", "))
}

fn parse_kind(name: &str) -> Result<FindingKind, String> {
    let names = FindingKind::ALL.iter().map(|k| k.name());
    FindingKind::from_name(name).ok_or_else(|| {
        no_such("kind of finding", name, names, "`nix-census audit --help` lists them")
    })
}

fn parse_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).map_err(|e| e.to_string())
}

pub(super) fn run(request: &Request, subject: &Subject, args: &AuditArgs) -> Result<Exit, Failure> {
    if !subject.walks_disk() && (args.contents || args.references || args.sizes) {
        return Err(Failure::usage(
            "--sizes, --contents and --references cannot be used with --no-disk",
        ));
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
