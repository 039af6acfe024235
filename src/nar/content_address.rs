//! Content addresses as the database has them, and the store path that
//! follows from one (`ContentAddress::parse` in Nix's `content-address.cc`,
//! `makeStorePath` in `store-dir-config.cc`).

use super::hash::{Algorithm, Hash, Hasher};
use super::nix32;
use crate::arrange::Arrange as _;
use data_encoding::HEXLOWER;

/// How a path's contents are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// The contents of one file that is text, with references.
    Text,
    /// The contents of one file.
    Flat,
    /// The NAR.
    Nar,
    /// Git's tree or blob.
    Git,
}

/// A content address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentAddress {
    /// How the contents are hashed.
    pub method: Method,
    /// Their hash.
    pub hash: Hash,
}

impl ContentAddress {
    /// Reads `text:<hash>`, `fixed:<hash>`, `fixed:r:<hash>` or `fixed:git:<hash>`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (method, hash) = if let Some(hash) = text.strip_prefix("text:") {
            (Method::Text, hash)
        } else {
            let fixed = text.strip_prefix("fixed:")?;
            if let Some(hash) = fixed.strip_prefix("r:") {
                (Method::Nar, hash)
            } else if let Some(hash) = fixed.strip_prefix("git:") {
                (Method::Git, hash)
            } else {
                (Method::Flat, fixed)
            }
        };
        Some(Self { method, hash: Hash::parse(hash, None)? })
    }

    /// The hash part of the store path that has this content address, this
    /// name and these references (full paths; `to_self` says whether it also
    /// refers to itself). `None` for a combination that Nix makes no path of.
    pub(crate) fn hash_part(
        &self,
        store_dir: &str,
        name: &str,
        references: &[String],
        to_self: bool,
    ) -> Option<String> {
        let mut sorted: Vec<&str> = references.iter().map(String::as_str).collect();
        sorted.arrange();
        let with_references = |mut kind: String| {
            for reference in &sorted {
                kind.push(':');
                kind.push_str(reference);
            }
            if to_self {
                kind.push_str(":self");
            }
            kind
        };
        let sha256 = self.hash.algorithm() == Algorithm::Sha256;
        let (kind, inner) = match self.method {
            Method::Text if sha256 && !to_self => {
                (with_references("text".to_owned()), self.hash.clone())
            }
            Method::Nar if sha256 => (with_references("source".to_owned()), self.hash.clone()),
            Method::Text => return None,
            _ if !references.is_empty() || to_self => return None,
            method => {
                let prefix = match method {
                    Method::Nar => "r:",
                    Method::Git => "git:",
                    _ => "",
                };
                let text = format!("fixed:out:{prefix}{}:", self.hash.base16());
                ("output:out".to_owned(), sha256_of(text.as_bytes()))
            }
        };
        let inner = HEXLOWER.encode(inner.bytes());
        let whole = sha256_of(format!("{kind}:sha256:{inner}:{store_dir}:{name}").as_bytes());
        let mut short = [0u8; 20];
        for (i, byte) in whole.bytes().iter().enumerate() {
            short[i % 20] ^= byte;
        }
        Some(nix32::encode(&short))
    }
}

fn sha256_of(bytes: &[u8]) -> Hash {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form() {
        let hash = "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        for (prefix, method) in [
            ("text:", Method::Text),
            ("fixed:", Method::Flat),
            ("fixed:r:", Method::Nar),
            ("fixed:git:", Method::Git),
        ] {
            let ca = ContentAddress::parse(&format!("{prefix}{hash}")).unwrap();
            assert_eq!((ca.method, ca.hash.to_string()), (method, hash.to_owned()));
        }
        for odd in ["", "fixed", "text:sha256", "other:sha256:00", hash] {
            assert_eq!(ContentAddress::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_path_that_nix_makes() {
        // builtins.toFile "x" "hello" gives this path on any machine.
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"hello");
        let text = ContentAddress { method: Method::Text, hash: hasher.finish() };
        let part = text.hash_part("/nix/store", "x", &[], false).unwrap();
        assert_eq!(part, "4g4g9i669dl63abpww0djbl2jxl6bwiz");
        let flat = ContentAddress { method: Method::Flat, ..text };
        assert_eq!(flat.hash_part("/nix/store", "x", &["/nix/store/y".into()], false), None);
        assert_ne!(flat.hash_part("/nix/store", "x", &[], false).unwrap(), part);
    }
}
