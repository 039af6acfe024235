//! What `nix path-info --json` prints, in each of its forms (`pathInfoToJSON`
//! and `UnkeyedValidPathInfo::toJSON` in Nix's sources):
//!
//! | Nix | form |
//! |---|---|
//! | 2.0–2.18, Lix | a list of objects with `path` |
//! | 2.19–2.32 | an object by path; `null` for a path that is not valid |
//! | 2.33 on | `{version, storeDir, info: {…}}` by base name; signatures as text or as `{keyName, sig}` |
//!
//! Nix demands `narHash`, `narSize` and `references` of each valid path, and so
//! does this: other JSON that happens to be an object by path is refused.
//!
//! Read as a stream: memory for one path at a time.

use super::import::{ImportError, Importer, PathInfo};
use super::sniff::{self, OtherFormat, Wanted};
use super::{Catalog, TooLarge};
use crate::nar::hash::Hash;
use crate::warning::WarningKind;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// The newest version of the format that is known.
const NEWEST_VERSION: u64 = 3;

/// One path's object. Keys that are not read are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "the object of one path")]
struct PathInfoEntry {
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
    closure_size: Option<u64>,
    download_size: Option<u64>,
    store_dir: Option<String>,
    // Not in a path info: they show what else the object is.
    builder: Option<IgnoredAny>,
    drv_path: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a hash: text, or an object with algorithm and hash")]
enum HashText {
    Text(String),
    Parts { algorithm: String, hash: String },
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a signature: text, or an object with keyName and sig")]
enum Signature {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Parts {
        key_name: String,
        sig: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a content address: text, or an object with method and hash")]
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

/// The newer formats have base names.
fn full(path: String, store_dir: &str) -> String {
    match path.starts_with('/') || path.is_empty() {
        true => path,
        false => format!("{store_dir}/{path}"),
    }
}

/// What a path's object says, and its references.
struct Stated {
    info: PathInfo,
    references: Vec<String>,
}

impl PathInfoEntry {
    /// The key that a valid path must have and this one has not.
    fn missing(&self) -> Option<&'static str> {
        let present = [
            ("narHash", self.nar_hash.is_some()),
            ("narSize", self.nar_size.is_some()),
            ("references", self.references.is_some()),
        ];
        present.into_iter().find(|(_, present)| !present).map(|(key, _)| key)
    }

    fn stated(self, path: String, store_dir: &str) -> Stated {
        let store_dir = self.store_dir.as_deref().unwrap_or(store_dir);
        let full = |path| full(path, store_dir);
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
            registration_time: self.registration_time,
            deriver: full(self.deriver.unwrap_or_default()).into_bytes(),
            signatures: signatures.join(" "),
            content_address: self.ca.map(Address::text).unwrap_or_default(),
            ultimate: self.ultimate.unwrap_or(false),
            closure_size: self.closure_size,
            download_size: self.download_size,
        };
        Stated { info, references: self.references.unwrap_or_default() }
    }
}

/// What may stand where a path's object is expected.
enum Item {
    /// The object, and the line where it begins.
    Entry(u64, Box<PathInfoEntry>),
    /// `null`: the path is not valid.
    Null,
    Text,
}

struct ReadItem(Rc<Cell<u64>>);

impl<'de> Visitor<'de> for ReadItem {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object of one path")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        let line = self.0.get();
        Ok(Item::Entry(
            line,
            Box::new(PathInfoEntry::deserialize(MapAccessDeserializer::new(map))?),
        ))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Item, E> {
        Ok(Item::Text)
    }

    fn visit_unit<E: Error>(self) -> Result<Item, E> {
        Ok(Item::Null)
    }
}

impl<'de> DeserializeSeed<'de> for ReadItem {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Item, D::Error> {
        d.deserialize_any(self)
    }
}

/// Whether a value is a list of path infos, which builders find in their
/// `.attrs.json`.
struct IsList;

impl<'de> Visitor<'de> for IsList {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum First {
            #[serde(rename_all = "camelCase")]
            Info {
                #[serde(rename = "path")]
                _path: String,
                #[serde(rename = "narHash")]
                _hash: IgnoredAny,
            },
            Other(IgnoredAny),
        }
        let first = seq.next_element::<First>()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(matches!(first, Some(First::Info { .. })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

impl<'de> DeserializeSeed<'de> for IsList {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<bool, D::Error> {
        d.deserialize_any(self)
    }
}

/// What is being made of the file.
struct Import {
    importer: Importer,
    store_dir: String,
    /// The line that is being read.
    line: Rc<Cell<u64>>,
    /// Why reading was given up, if it was not for the JSON itself.
    error: Option<ImportError>,
}

impl Import {
    fn new(store_dir: &str, line: Rc<Cell<u64>>) -> Self {
        let (importer, store_dir) = (Importer::new(store_dir), store_dir.to_owned());
        Self { importer, store_dir, line, error: None }
    }

    /// Gives up.
    fn fail<E: Error>(&mut self, error: ImportError) -> E {
        self.error = Some(error);
        E::custom("given up")
    }

    fn syntax<E: Error>(&mut self, line: u64, problem: String) -> E {
        self.fail(ImportError::Syntax { line, problem })
    }

    fn other<E: Error>(&mut self, line: u64, seen: OtherFormat) -> E {
        self.fail(ImportError::Other { line, wanted: Wanted::PathInfo.name(), seen })
    }

    fn item<E: Error>(&mut self, path: Option<String>, item: Item) -> Result<(), E> {
        let (line, mut entry) = match item {
            Item::Entry(line, entry) => (line, entry),
            Item::Null => {
                match path {
                    Some(path) => self.invalid(full(path, &self.store_dir)),
                    None => self.invalid("null".to_owned()),
                }
                return Ok(());
            }
            Item::Text => {
                return Err(self.other(self.line.get(), OtherFormat::ListOfTexts));
            }
        };
        if entry.nar_hash.is_none() && entry.builder.is_some() {
            return Err(self.other(line, OtherFormat::DerivationShow));
        }
        if entry.nar_hash.is_none() && entry.drv_path.is_some() {
            return Err(self.other(line, OtherFormat::BuildJson));
        }
        let Some(path) = path.or_else(|| entry.path.take()) else {
            return Err(self.syntax(line, "this object names no path".to_owned()));
        };
        if entry.valid == Some(false) {
            self.invalid(full(path, &self.store_dir));
            return Ok(());
        }
        if let Some(key) = entry.missing() {
            let problem = format!("{path} has no {key}: this is not what nix path-info prints");
            return Err(self.syntax(line, problem));
        }
        let stated = entry.stated(path, &self.store_dir);
        self.add(&stated).map_err(|e| self.fail(e.into()))
    }

    fn add(&mut self, stated: &Stated) -> Result<(), TooLarge> {
        let Some(number) = self.importer.add(&stated.info)? else { return Ok(()) };
        let mut references = stated.references.iter();
        references.try_for_each(|r| self.importer.add_reference(number, r.as_bytes()))
    }

    fn invalid(&mut self, path: String) {
        let message = "the file says that it is not valid";
        self.importer.builder().warnings().push(WarningKind::Note, path, message);
    }

    /// The newer formats say which store directory their base names are in.
    fn check_store_dir<E: Error>(&mut self, found: String) -> Result<(), E> {
        if found == self.store_dir {
            return Ok(());
        }
        let store_dir = self.store_dir.clone();
        Err(self.fail(ImportError::StoreDirectory { store_dir, found }))
    }

    fn check_version(&mut self, version: u64) {
        if version > NEWEST_VERSION {
            let message = format!(
                "its version {version} is newer than the newest known, {NEWEST_VERSION}: what is read \
                 from it may be wrong"
            );
            self.importer.builder().warnings().push(WarningKind::UnknownSchema, "version", message);
        }
    }
}

struct Top<'a>(&'a mut Import);
struct Infos<'a>(&'a mut Import);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list or object that nix path-info --json prints")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element_seed(ReadItem(self.0.line.clone()))? {
            self.0.item(None, item)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let import = self.0;
        let mut odd: Option<(u64, String)> = None;
        let (mut outputs, mut list) = (false, None);
        while let Some(key) = map.next_key::<String>()? {
            let line = import.line.get();
            match key.as_str() {
                "info" => map.next_value_seed(Infos(&mut *import))?,
                path if path.starts_with('/') => {
                    let item = map.next_value_seed(ReadItem(import.line.clone()))?;
                    import.item(Some(key), item)?;
                }
                "version" => {
                    let version = map.next_value()?;
                    import.check_version(version);
                }
                "storeDir" => {
                    let store_dir = map.next_value()?;
                    import.check_store_dir(store_dir)?;
                }
                "derivations" => {
                    return Err(import.other(line, OtherFormat::DerivationShow));
                }
                other => {
                    outputs |= other == "outputs";
                    let is_list = map.next_value_seed(IsList)?;
                    if is_list && list.is_none() {
                        list = Some(key.clone());
                    }
                    odd.get_or_insert((line, key));
                }
            }
        }
        match (odd, list) {
            (None, _) => Ok(()),
            (Some((line, _)), Some(list)) if outputs => {
                let problem = format!(
                    "this is a builder’s .attrs.json; its list {list:?} can be read: jq {:?} takes it out",
                    format!(".[{list:?}]")
                );
                Err(import.syntax(line, problem))
            }
            (Some((line, key)), _) => {
                Err(import.syntax(line, format!("the key {key:?} is not a store path")))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Infos<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object by base name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let item = map.next_value_seed(ReadItem(self.0.line.clone()))?;
            self.0.item(Some(name), item)?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Infos<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

/// Counts lines, for messages.
struct Counted<R> {
    input: R,
    line: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buffer)?;
        let lines = buffer[..n].iter().filter(|&&b| b == b'\n').count() as u64;
        self.line.set(self.line.get() + lines);
        Ok(n)
    }
}

/// Reads the catalog of `store_dir` from what `nix path-info --json` printed.
///
/// # Errors
/// See [`ImportError`].
pub fn load(input: impl Read, store_dir: &str) -> Result<Catalog, ImportError> {
    let mut input = io::BufReader::with_capacity(1 << 16, input);
    if let Some(error) = sniff::refuse(input.fill_buf()?, Wanted::PathInfo) {
        return Err(error);
    }
    let line = Rc::new(Cell::new(1));
    let mut import = Import::new(store_dir, line.clone());
    let mut json = serde_json::Deserializer::from_reader(Counted { input, line });
    let result = Top(&mut import).deserialize(&mut json).and_then(|()| json.end());
    if let Some(error) = import.error {
        return Err(error);
    }
    result.map_err(|e| match e.is_io() {
        true => ImportError::Io(e.into()),
        false => {
            let (line, text) = (e.line(), e.to_string());
            // The line is said once.
            let place = format!(" at line {line} column {}", e.column());
            let problem = text.strip_suffix(&place).unwrap_or(&text).to_owned();
            ImportError::Syntax { line: line as u64, problem }
        }
    })?;
    Ok(import.importer.finish()?)
}

/// The same of a file that lies in memory as a whole; faster.
///
/// # Errors
/// See [`ImportError`].
pub(crate) fn load_whole(bytes: &[u8], store_dir: &str) -> Result<Catalog, ImportError> {
    if sniff::refuse(bytes, Wanted::PathInfo).is_none() {
        let mut import = Import::new(store_dir, Rc::new(Cell::new(1)));
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let result = Top(&mut import).deserialize(&mut json).and_then(|()| json.end());
        if result.is_ok() && import.error.is_none() {
            return Ok(import.importer.finish()?);
        }
    }
    // Only a reader counts lines: once more, to say where the error is.
    load(bytes, store_dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::PathId;
    use proptest::prelude::*;

    const A: &str = "0c5b8vw40dy178xlpddw65q9gf1h2186-a";
    const B: &str = "1c5b8vw40dy178xlpddw65q9gf1h2186-b";
    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SRI: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn check(json: &str) {
        for c in [load(json.as_bytes(), "/nix/store"), load_whole(json.as_bytes(), "/nix/store")] {
            check_catalog(json, &c.unwrap());
        }
    }

    fn check_catalog(json: &str, c: &Catalog) {
        assert_eq!(c.len(), 2, "{json}");
        assert_eq!((c.nar_size(PathId::new(0)), c.nar_size(PathId::new(1))), (Some(120), Some(96)));
        assert_eq!(data_encoding::HEXLOWER.encode(c.hash(PathId::new(0)).unwrap()), HEX);
        assert_eq!(c.references().row(0), [0, 1]);
        assert_eq!(c.deriver_base_name(PathId::new(0)), Some(&*format!("{A}.drv")));
        assert_eq!(c.deriver(PathId::new(1)), None);
        assert_eq!(c.signatures(PathId::new(0)).collect::<Vec<_>>(), ["k-1:c2ln"]);
        let text = "fixed:r:sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        assert_eq!(c.content_address(PathId::new(1)), Some(text));
        assert_eq!(
            (c.registration_time(PathId::new(0)), c.registration_time(PathId::new(1))),
            (Some(7), None)
        );
        assert_eq!((c.ultimate(PathId::new(0)), c.ultimate(PathId::new(1))), (true, false));
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

    fn error(json: &str) -> String {
        let error = load(json.as_bytes(), "/nix/store").unwrap_err().to_string();
        let whole = load_whole(json.as_bytes(), "/nix/store").unwrap_err().to_string();
        assert_eq!(whole, error);
        error
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(error("").starts_with("line 1"));
        assert_eq!(
            error("[\n1]"),
            "line 2: invalid type: integer `1`, expected the object of one path"
        );
        assert_eq!(error("[\n\n{}]"), "line 3: this object names no path");
        assert_eq!(error("{\"a\":[],\n\"x\":\n1}"), "line 1: the key \"a\" is not a store path");
        assert_eq!(error("[] x"), "line 1: trailing characters");
        assert!(error(&"[".repeat(100_000)).starts_with("line 1"));
        assert_eq!(load(&b"[]"[..], "/nix/store").unwrap().len(), 0);
        for json in ["[{\"path\":\"/x\",\"ca\":1}]", "[{\"narHash\":[]}]", "{\"info\":[]}"] {
            assert!(!error(json).contains("struct") && !error(json).contains("enum"), "{json}");
        }
    }

    #[test]
    fn other_json_is_named_and_refused() {
        let drv = r#"{"builder":"/bin/sh","env":{},"outputs":{}}"#;
        let shown = "line 2: this is not JSON of nix path-info but what nix derivation show prints";
        assert_eq!(error(&format!("{{\n\"/nix/store/{A}.drv\": {drv}}}")), shown);
        assert_eq!(
            error(&format!("{{\n\"derivations\": {{\"{A}.drv\": {drv}}},\"version\":4}}")),
            shown
        );
        assert!(error(r#"[{"drvPath":"/x","outputs":{}}]"#).ends_with("nix build --json prints"));
        assert!(error(&format!("[\"/nix/store/{A}\"]")).ends_with("but a JSON list of texts"));
        let attrs = r#"{"builder":"/bin/sh","closure":[{"path":"/x","narHash":"","narSize":1}],
            "outputs":{"out":"/x"}}"#;
        assert!(error(attrs).contains("this is a builder’s .attrs.json; its list \"closure\""));
    }

    #[test]
    fn hash_size_and_references_are_demanded() {
        let keys =
            [format!(r#""narHash":"{SRI}""#), r#""narSize":1"#.into(), r#""references":[]"#.into()];
        let json = |keys: &[String]| format!("{{\"/nix/store/{A}\":{{{}}}}}", keys.join(","));
        assert_eq!(load(json(&keys).as_bytes(), "/nix/store").unwrap().len(), 1);
        for left_out in 0..keys.len() {
            let mut keys = keys.to_vec();
            let key = keys.remove(left_out);
            let name = key.split('"').nth(1).unwrap();
            assert!(error(&json(&keys)).contains(&format!("has no {name}")), "{name}");
        }
    }

    #[test]
    fn the_store_directory_of_newer_formats_counts() {
        let one = format!(r#"{{"narHash":"{SRI}","narSize":1,"references":["{B}"]}}"#);
        let text = format!(r#"{{"info":{{"{A}":{one}}},"storeDir":"/gnu/store","version":2}}"#);
        assert_eq!(error(&text), "its store directory is /gnu/store, not /nix/store");
        let c = load(text.as_bytes(), "/gnu/store").unwrap();
        assert_eq!(c.reference_paths(PathId::new(0)), [format!("/gnu/store/{B}")]);
        let newer = text.replace("\"version\":2", "\"version\":99");
        let kinds: Vec<_> =
            load(newer.as_bytes(), "/gnu/store").unwrap().warnings.iter().map(|w| w.kind).collect();
        assert_eq!(kinds, [WarningKind::UnknownSchema]);
    }

    #[test]
    fn what_the_file_does_not_list_is_kept_by_name() {
        let text = format!(
            r#"{{"/nix/store/{A}":{{"narHash":"{SRI}","narSize":8,"closureSize":99,"downloadSize":5,
            "references":["/nix/store/{A}","/nix/store/{B}","/elsewhere/{B}"],"registrationTime":0}}}}"#
        );
        let c = load(text.as_bytes(), "/nix/store").unwrap();
        assert_eq!(
            (c.stated_closure_size(PathId::new(0)), c.download_size(PathId::new(0))),
            (Some(99), Some(5))
        );
        assert_eq!((c.references().row(0), c.registration_time(PathId::new(0))), (&[0][..], None));
        let expected =
            [format!("/elsewhere/{B}"), format!("/nix/store/{A}"), format!("/nix/store/{B}")];
        assert_eq!(c.reference_paths(PathId::new(0)), expected);
        assert_eq!(c.warnings.total(), 0);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]{}:,\"a-c0-9/]{0,80}") {
            let read = load(text.as_bytes(), "/nix/store").map(|c| c.len());
            let whole = load_whole(text.as_bytes(), "/nix/store").map(|c| c.len());
            prop_assert_eq!(read.map_err(|e| e.to_string()), whole.map_err(|e| e.to_string()));
        }
    }
}
