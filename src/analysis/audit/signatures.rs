//! Signatures (`ValidPathInfo::fingerprint` and `checkSignatures` in Nix's
//! `path-info.cc`): ed25519 over path, NAR hash, NAR size and references.

use super::database::is_content_addressed;
use super::{Finding, FindingKind, Gathered, Subject};
use crate::catalog::PathId;
use crate::nar::nix32;
use crate::threads;
use crate::warning::WarningKind;
use data_encoding::BASE64;
use ed25519_compact::Signature;

/// A public key with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: ed25519_compact::PublicKey,
}

/// Why a text is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public key: name, colon, 32 bytes in base64")]
pub struct KeyError;

impl PublicKey {
    /// Reads `<name>:<base64>`, as `trusted-public-keys` has them.
    ///
    /// # Errors
    /// If it is not one.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, key) =
            text.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or(KeyError)?;
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| KeyError)?;
        let key = ed25519_compact::PublicKey::from_slice(&bytes).map_err(|_| KeyError)?;
        key.validate().map_err(|_| KeyError)?;
        Ok(Self { name: name.to_owned(), key })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

pub(super) fn check(subject: &Subject<'_>, keys: &[PublicKey]) -> Gathered {
    if subject.catalog.lacks("sigs") {
        return not_recorded(subject);
    }
    let parts = threads::map(subject.ids.len(), 1, |at| path(subject, keys, subject.ids[at]));
    parts.into_iter().fold(Gathered::default(), |mut all, part| {
        all.extend(part);
        all
    })
}

/// Registrations, scans and schemas up to 7 (so all of Guix) have no signatures:
/// there is nothing to check, and nothing can be said of any path.
fn not_recorded(subject: &Subject<'_>) -> Gathered {
    let mut gathered = Gathered::default();
    let message = match subject.catalog.schema() {
        Some(schema) if !subject.catalog.lost("sigs") => {
            format!("schema {schema} records no signatures: none was checked")
        }
        _ => "no signatures are recorded: none was checked".to_owned(),
    };
    gathered.warnings.push(WarningKind::MissingColumn, "sigs", message);
    gathered
}

fn path(subject: &Subject<'_>, keys: &[PublicKey], id: PathId) -> Gathered {
    let catalog = subject.catalog;
    let mut gathered = Gathered::default();
    let fingerprint = fingerprint(subject, id);
    let mut good = 0;
    for signature in catalog.signatures(id) {
        let Some((name, text)) = signature.split_once(':') else { continue };
        let mut named = keys.iter().filter(|key| key.name == name).peekable();
        // Signed by someone else: neither good nor bad.
        if named.peek().is_none() {
            continue;
        }
        // Nothing to check it against, which is a finding of its own.
        let Some(fingerprint) = &fingerprint else {
            if catalog.hash(id).is_none() {
                gathered.findings.push(Finding::new(
                    FindingKind::UnknownHash,
                    catalog.path(id),
                    "",
                    "",
                ));
            }
            continue;
        };
        let parsed =
            BASE64.decode(text.as_bytes()).ok().and_then(|b| Signature::from_slice(&b).ok());
        let fits = parsed
            .is_some_and(|parsed| named.any(|key| key.key.verify(fingerprint, &parsed).is_ok()));
        if fits {
            good += 1;
        } else {
            let finding = Finding::new(FindingKind::BadSignature, catalog.path(id), "", signature);
            gathered.findings.push(finding);
        }
    }
    gathered.checked.signatures = good;
    // A path whose name follows from its contents needs no signature.
    if good == 0 && !catalog.ultimate(id) && !is_content_addressed(catalog, id) {
        let signed: Vec<&str> =
            catalog.signatures(id).filter_map(|s| s.split(':').next()).collect();
        let found = match signed.is_empty() {
            true => "none".to_owned(),
            false => format!("signed by {}", signed.join(" ")),
        };
        gathered.findings.push(Finding::new(
            FindingKind::Unsigned,
            catalog.path(id),
            "a signature",
            found,
        ));
    }
    gathered
}

/// What is signed; `None` if the hash or size is not known.
fn fingerprint(subject: &Subject<'_>, id: PathId) -> Option<String> {
    let catalog = subject.catalog;
    let (hash, size) = (catalog.hash(id)?, catalog.nar_size(id)?);
    let mut text = format!("1;{};sha256:{};{size};", catalog.path(id), nix32::encode(hash));
    text += &catalog.reference_paths(id).join(",");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roots::DEFAULT_KEY;

    #[test]
    fn reads_keys() {
        assert_eq!(PublicKey::parse(DEFAULT_KEY).unwrap().name(), "cache.nixos.org-1");
        for odd in ["", "x", ":6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", "x:AAAA", "x:%%"] {
            assert_eq!(PublicKey::parse(odd), Err(KeyError), "{odd}");
        }
    }
}
