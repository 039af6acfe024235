//! What `nix path-info --json` prints, in each of its forms (`pathInfoToJSON`
//! and `UnkeyedValidPathInfo::toJSON` in Nix's sources):
//!
//! | Nix | form |
//! |---|---|
//! | 2.0–2.18, Lix | a list of objects with `path` |
//! | 2.19–2.32 | an object by path; `null` for a path that is not valid |
//! | 2.33 on | `{version, storeDir, info: {…}}` by base name; signatures as text or as `{keyName, sig}` |
//!
//! Read as a stream: memory for one path at a time.

use super::import::{ImportError, Importer, PathInfo};
use super::{Catalog, TooLarge};
use crate::nar::hash::Hash;
use crate::warning::WarningKind;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;
use std::io::{self, Read};

/// One path's object. Keys that are not read are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    path: Option<String>,
    nar_hash: Option<HashText>,
    nar_size: Option<u64>,
    references: Option<Vec<String>>,
    deriver: Option<String>,
    registration_time: Option<i64>,
    ultimate: Option<bool>,
    signatures: Option<Vec<Signature>>,
    ca: Option<Address>,
    valid: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum HashText {
    Text(String),
    Parts { algorithm: String, hash: String },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Signature {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Parts {
        key_name: String,
        sig: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Address {
    Text(String),
    Parts { method: String, hash: HashText },
}

impl HashText {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts { algorithm, hash } => format!("{algorithm}:{hash}"),
        }
    }
}

impl Address {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts { method, hash } => {
                let hash = hash.text();
                let hash = Hash::parse(&hash, None).map_or(hash, |h| h.nix32());
                match method.as_str() {
                    "text" => format!("text:{hash}"),
                    "flat" => format!("fixed:{hash}"),
                    "nar" => format!("fixed:r:{hash}"),
                    other => format!("fixed:{other}:{hash}"),
                }
            }
        }
    }
}

/// What one path's object says, and its references.
type Told = (PathInfo, Vec<String>);

impl Entry {
    fn told(self, path: String, store_dir: &str) -> Told {
        let full = |path: String| match path.starts_with('/') || path.is_empty() {
            true => path,
            false => format!("{store_dir}/{path}"),
        };
        let signatures: Vec<String> = (self.signatures.unwrap_or_default().into_iter())
            .map(|s| match s {
                Signature::Text(text) => text,
                Signature::Parts { key_name, sig } => format!("{key_name}:{sig}"),
            })
            .collect();
        let info = PathInfo {
            path: full(path).into_bytes(),
            hash: self.nar_hash.map(HashText::text).unwrap_or_default(),
            nar_size: self.nar_size,
            registration_time: self.registration_time.unwrap_or(0),
            deriver: full(self.deriver.unwrap_or_default()).into_bytes(),
            signatures: signatures.join(" "),
            content_address: self.ca.map(Address::text).unwrap_or_default(),
            ultimate: self.ultimate.unwrap_or(false),
        };
        (info, self.references.unwrap_or_default())
    }
}

/// Takes each path as it is read: `None` for one that is not valid.
trait Sink {
    fn path(&mut self, told: Told) -> Result<(), TooLarge>;
    fn invalid(&mut self, path: &str);
    fn store_dir(&self) -> &str;
}

struct Top<'a, S>(&'a mut S);
struct Infos<'a, S>(&'a mut S);

impl<S: Sink> Top<'_, S> {
    fn entry<E: serde::de::Error>(&mut self, path: String, entry: Option<Entry>) -> Result<(), E> {
        match entry {
            Some(entry) if entry.valid != Some(false) => {
                let told = entry.told(path, self.0.store_dir());
                self.0.path(told).map_err(E::custom)
            }
            _ => {
                self.0.invalid(&path);
                Ok(())
            }
        }
    }
}

impl<'de, S: Sink> Visitor<'de> for Top<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list or object that nix path-info --json prints")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(mut entry) = seq.next_element::<Entry>()? {
            let path = entry.path.take().ok_or_else(|| A::Error::missing_field("path"))?;
            self.entry(path, Some(entry))?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "info" => map.next_value_seed(Infos(&mut *self.0))?,
                path if path.starts_with('/') => {
                    let entry = map.next_value()?;
                    self.entry(key, entry)?;
                }
                "version" | "storeDir" => {
                    map.next_value::<IgnoredAny>()?;
                }
                other => return Err(A::Error::custom(format!("{other:?} is no path"))),
            }
        }
        Ok(())
    }
}

impl<'de, S: Sink> DeserializeSeed<'de> for Top<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Infos<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object by base name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, entry)) = map.next_entry::<String, Option<Entry>>()? {
            Top(&mut *self.0).entry(name, entry)?;
        }
        Ok(())
    }
}

impl<'de, S: Sink> DeserializeSeed<'de> for Infos<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

struct Import {
    importer: Importer,
    store_dir: String,
    too_large: Option<TooLarge>,
}

impl Sink for Import {
    fn path(&mut self, (info, references): Told) -> Result<(), TooLarge> {
        let mut add = || {
            let Some(number) = self.importer.add(&info)? else { return Ok(()) };
            references.iter().try_for_each(|r| self.importer.add_reference(number, r.as_bytes()))
        };
        add().inspect_err(|e: &TooLarge| self.too_large = Some(TooLarge(e.0)))
    }

    fn invalid(&mut self, path: &str) {
        let message = "the file says that it is not valid";
        self.importer.builder().warnings().push(WarningKind::Note, path, message);
    }

    fn store_dir(&self) -> &str {
        &self.store_dir
    }
}

/// Reads the catalog of `store_dir` from what `nix path-info --json` printed.
///
/// # Errors
/// See [`ImportError`].
pub fn load(input: impl Read, store_dir: &str) -> Result<Catalog, ImportError> {
    let mut import = Import {
        importer: Importer::new(store_dir),
        store_dir: store_dir.to_owned(),
        too_large: None,
    };
    let mut json = serde_json::Deserializer::from_reader(io::BufReader::new(input));
    let result = Top(&mut import).deserialize(&mut json).and_then(|()| json.end());
    if let Some(e) = import.too_large {
        return Err(e.into());
    }
    result.map_err(|e| match e.is_io() {
        true => ImportError::Io(e.into()),
        false => ImportError::Syntax { line: e.line() as u64, problem: e.to_string() },
    })?;
    Ok(import.importer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "0c5b8vw40dy178xlpddw65q9gf1h2186-a";
    const B: &str = "1c5b8vw40dy178xlpddw65q9gf1h2186-b";
    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SRI: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn check(json: &str) {
        let c = load(json.as_bytes(), "/nix/store").unwrap();
        assert_eq!(c.len(), 2, "{json}");
        assert_eq!((c.nar_size(0), c.nar_size(1)), (Some(120), Some(96)));
        assert_eq!(data_encoding::HEXLOWER.encode(c.hash(0).unwrap()), HEX);
        assert_eq!(c.references().row(0), [0, 1]);
        assert_eq!(c.deriver_base_name(0), Some(&*format!("{A}.drv")));
        assert_eq!(c.deriver(1), None);
        assert_eq!(c.signatures(0).collect::<Vec<_>>(), ["k-1:c2ln"]);
        let text = "fixed:r:sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        assert_eq!(c.content_address(1), Some(text));
        assert_eq!((c.registration_time(0), c.ultimate(0), c.ultimate(1)), (7, true, false));
    }

    #[test]
    fn each_form() {
        let s = "/nix/store";
        let ca = "fixed:r:sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        check(&format!(
            r#"[{{"path":"{s}/{A}","narHash":"sha256:{HEX}","narSize":120,"deriver":"{s}/{A}.drv",
            "references":["{s}/{A}","{s}/{B}"],"registrationTime":7,"ultimate":true,
            "signatures":["k-1:c2ln"]}},
            {{"path":"{s}/{B}","narHash":"{SRI}","narSize":96,"references":[],"ca":"{ca}"}},
            {{"path":"{s}/gone","valid":false}}]"#
        ));
        check(&format!(
            r#"{{"{s}/{A}":{{"narHash":"{SRI}","narSize":120,"deriver":"{s}/{A}.drv","ca":null,
            "references":["{s}/{A}","{s}/{B}"],"registrationTime":7,"ultimate":true,
            "signatures":["k-1:c2ln"],"closureSize":5}},
            "{s}/{B}":{{"narHash":"{SRI}","narSize":96,"deriver":null,"references":[],"ca":"{ca}"}},
            "{s}/gone":null}}"#
        ));
        for signature in [r#""k-1:c2ln""#, r#"{"keyName":"k-1","sig":"c2ln"}"#] {
            check(&format!(
                r#"{{"info":{{"{A}":{{"version":2,"narHash":{{"algorithm":"sha256","format":"base16",
                "hash":"{HEX}"}},"narSize":120,"deriver":"{A}.drv","references":["{A}","{B}"],
                "registrationTime":7,"ultimate":true,"signatures":[{signature}]}},
                "{B}":{{"narHash":"{SRI}","narSize":96,"references":[],
                "ca":{{"method":"nar","hash":"{SRI}"}}}},"{A}-gone":null}},
                "storeDir":"/nix/store","version":2}}"#
            ));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = |json: &str| load(json.as_bytes(), "/nix/store").unwrap_err().to_string();
        assert!(error("").starts_with("line 1"));
        assert!(error("[\n1]").starts_with("line 2"));
        assert!(error("[{}]").contains("path"));
        assert!(error("{\"x\":1}").contains("is no path"));
        assert!(error("[] x").contains("trailing"));
        assert!(error(&"[".repeat(100_000)).starts_with("line 1"));
        assert_eq!(load(&b"[]"[..], "/nix/store").unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]{}:,\"a-c0-9/]{0,80}") {
            let _ = load(text.as_bytes(), "/nix/store");
        }
    }
}
