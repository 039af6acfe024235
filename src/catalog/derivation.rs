//! Store derivations: what they refer to. Unlike those of an output, the
//! references of a derivation are not what its text names (it names its own
//! outputs too), but its inputs (`parseDerivation` in Nix's `derivations.cc`).

use crate::fs::Directory;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::io;

/// No derivation is longer.
const MAX: u64 = 64 << 20;

/// The input derivations and sources of a derivation's text, full paths.
/// `None` if it is not a derivation, or of a form that is not known.
pub(crate) fn inputs(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parser = Parser { rest: text.strip_prefix(b"Derive(")? };
    let mut found = Vec::new();
    parser.list(|p| {
        p.expect(b"(")?;
        for i in 0..4 {
            if i > 0 {
                p.expect(b",")?;
            }
            p.string()?;
        }
        p.expect(b")")
    })?;
    parser.expect(b",")?;
    parser.list(|p| {
        p.expect(b"(")?;
        found.push(p.string()?);
        p.expect(b",")?;
        p.list(|p| p.string().map(drop))?;
        p.expect(b")")
    })?;
    parser.expect(b",")?;
    parser.list(|p| {
        found.push(p.string()?);
        Some(())
    })?;
    parser.expect(b",")?;
    Some(found)
}

/// The inputs of a store path that is a derivation: those are its references,
/// though it names its outputs too. Inputs that `find` does not find by their
/// base names are left out. `None` if the path is no derivation, or cannot be
/// read: whoever searched its contents warned of that.
pub(crate) fn inputs_of<T>(
    store: &Directory,
    store_dir: &str,
    base_name: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    if !base_name.ends_with(".drv") {
        return None;
    }
    let inputs = inputs(&text_of(store, base_name).ok()??)?;
    let find = |input: &Vec<u8>| {
        let name = input.strip_prefix(store_dir.as_bytes())?.strip_prefix(b"/")?;
        find(std::str::from_utf8(name).ok()?)
    };
    Some(inputs.iter().filter_map(find).collect())
}

/// The text of a derivation; `None` if it is not a regular file of at most 64 MiB.
///
/// # Errors
/// If it cannot be read.
pub(super) fn text_of(store: &Directory, base_name: &str) -> io::Result<Option<Vec<u8>>> {
    match store.open_unknown_file(&CString::new(base_name)?).and_then(|f| f.read_all(MAX)) {
        Ok(text) => Ok(Some(text)),
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

/// The parts of a derivation that its hash is made of.
struct Parts {
    /// Name, path, method and algorithm, hash.
    outputs: Vec<[Vec<u8>; 4]>,
    /// Input derivations and the names of their outputs.
    inputs: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// What follows the inputs up to the environment, as it is written.
    middle: Vec<u8>,
    /// The environment: names, and each variable as it is written.
    environment: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Parts {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut parser = Parser { rest: text.strip_prefix(b"Derive(")? };
        let (mut outputs, mut inputs, mut environment) = (Vec::new(), Vec::new(), Vec::new());
        parser.list(|p| {
            let mut output: [Vec<u8>; 4] = Default::default();
            for (i, part) in output.iter_mut().enumerate() {
                p.expect(if i == 0 { b"(" } else { b"," })?;
                *part = p.string()?;
            }
            outputs.push(output);
            p.expect(b")")
        })?;
        parser.expect(b",")?;
        parser.list(|p| {
            p.expect(b"(")?;
            let path = p.string()?;
            p.expect(b",")?;
            let mut names = Vec::new();
            p.list(|p| {
                names.push(p.string()?);
                Some(())
            })?;
            inputs.push((path, names));
            p.expect(b")")
        })?;
        let before = parser.rest;
        parser.expect(b",")?;
        parser.list(|p| p.string().map(drop))?;
        for _ in 0..2 {
            parser.expect(b",")?;
            parser.string()?;
        }
        parser.expect(b",")?;
        parser.list(|p| p.string().map(drop))?;
        parser.expect(b",")?;
        let middle = before[..before.len() - parser.rest.len()].to_vec();
        parser.list(|p| {
            let before = p.rest;
            p.expect(b"(")?;
            let name = p.string()?;
            p.expect(b",")?;
            p.string()?;
            p.expect(b")")?;
            environment.push((name, before[..before.len() - p.rest.len()].to_vec()));
            Some(())
        })?;
        parser.expect(b")")?;
        Some(Self { outputs, inputs, middle, environment })
    }

    /// Whether its output's hash is fixed beforehand.
    fn is_fixed(&self) -> bool {
        matches!(&*self.outputs, [[_, _, method, hash]]
            if !method.is_empty() && !hash.is_empty() && hash != b"impure")
    }

    /// The hash of each output, given those of the inputs; with `mask` the
    /// names of its own outputs are left out.
    fn hashes(&self, inputs: &HashMap<Vec<u8>, Hashes>, mask: bool) -> Option<Hashes> {
        let name = |name: &[u8]| String::from_utf8(name.to_vec()).ok();
        if self.is_fixed() {
            let [output, path, method, hash] = self.outputs.first()?;
            let text = [b"fixed:out:", &**method, b":", hash, b":", path].concat();
            return Some(vec![(name(output)?, sha256(&text))]);
        }
        let mut by_hash: BTreeMap<&str, BTreeSet<&[u8]>> = BTreeMap::new();
        for (path, outputs) in &self.inputs {
            let hashes = inputs.get(path)?;
            for output in outputs {
                let (_, hash) = hashes.iter().find(|(name, _)| name.as_bytes() == &**output)?;
                by_hash.entry(hash).or_default().insert(output);
            }
        }
        let quoted = |text: &[u8]| [b"\"", text, b"\""].concat();
        let mut text = b"Derive([".to_vec();
        let outputs = self.outputs.iter().map(|[name, path, method, hash]| {
            let path = if mask { &b""[..] } else { path };
            let parts = [&**name, path, method, hash].map(quoted);
            [b"(", &*parts.join(&b','), b")"].concat()
        });
        text.extend(outputs.collect::<Vec<_>>().join(&b','));
        text.extend(b"],[");
        let inputs = by_hash.iter().map(|(hash, names)| {
            let names: Vec<Vec<u8>> = names.iter().map(|name| quoted(name)).collect();
            [b"(", &*quoted(hash.as_bytes()), b",[", &names.join(&b','), b"])"].concat()
        });
        text.extend(inputs.collect::<Vec<_>>().join(&b','));
        text.extend(b"]");
        text.extend(&self.middle);
        text.extend(b"[");
        let variables = self.environment.iter().map(|(name, written)| {
            let masked = mask && self.outputs.iter().any(|output| output[0] == *name);
            if masked { [b"(", &*quoted(name), b",\"\")"].concat() } else { written.clone() }
        });
        text.extend(variables.collect::<Vec<_>>().join(&b','));
        text.extend(b"])");
        let hash = sha256(&text);
        self.outputs.iter().map(|output| Some((name(&output[0])?, hash.clone()))).collect()
    }
}

/// The outputs of a derivation, each with its hash in base 16.
type Hashes = Vec<(String, String)>;

fn sha256(text: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

/// Hashes of derivations modulo their inputs, each made once
/// (nix: `hashDerivationModulo`, `staticOutputHashes`).
pub(crate) struct Modulo<'a> {
    read: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
    known: HashMap<Vec<u8>, Hashes>,
}

impl<'a> Modulo<'a> {
    /// `read` gives the text of a derivation by its full path.
    pub(crate) fn new(read: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        Self { read, known: HashMap::new() }
    }

    /// The outputs of a derivation and their hashes, by which `Realisations`
    /// knows them; `None` if it, or one of its inputs, cannot be read.
    pub(crate) fn of_outputs(&mut self, drv: &[u8]) -> Option<Hashes> {
        let parts = Parts::parse(&(self.read)(drv)?)?;
        if !parts.is_fixed() {
            for (input, _) in &parts.inputs {
                self.know(input)?;
            }
        }
        parts.hashes(&self.known, true)
    }

    fn know(&mut self, drv: &[u8]) -> Option<()> {
        let mut todo: Vec<(Vec<u8>, Option<Parts>)> = vec![(drv.to_vec(), None)];
        let mut begun: HashSet<Vec<u8>> = HashSet::new();
        while let Some((drv, parts)) = todo.pop() {
            if self.known.contains_key(&drv) {
                continue;
            }
            if let Some(parts) = parts {
                let hashes = parts.hashes(&self.known, false)?;
                self.known.insert(drv, hashes);
                continue;
            }
            // A derivation cannot need itself.
            if !begun.insert(drv.clone()) {
                return None;
            }
            let parts = Parts::parse(&(self.read)(&drv)?)?;
            let inputs: Vec<Vec<u8>> = match parts.is_fixed() {
                true => Vec::new(),
                false => parts.inputs.iter().map(|(input, _)| input.clone()).collect(),
            };
            todo.push((drv, Some(parts)));
            let unknown = inputs.into_iter().filter(|input| !self.known.contains_key(input));
            todo.extend(unknown.map(|input| (input, None)));
        }
        Some(())
    }
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl Parser<'_> {
    fn expect(&mut self, token: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b"[")?;
        if self.expect(b"]").is_some() {
            return Some(());
        }
        loop {
            element(self)?;
            if self.expect(b"]").is_some() {
                return Some(());
            }
            self.expect(b",")?;
        }
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.expect(b"\"")?;
        let mut string = Vec::new();
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(string),
                b'\\' => {
                    let (&byte, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    string.push(match byte {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    });
                }
                byte => string.push(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn inputs_are_derivations_and_sources() {
        let text = br#"Derive([("out","/s/o","","")],[("/s/d.drv",["out","dev"])],["/s/src"],"x","/b",[],[])"#;
        assert_eq!(inputs(text), Some(vec![b"/s/d.drv".to_vec(), b"/s/src".to_vec()]));
        assert_eq!(inputs(b"Derive("), None);
    }

    #[test]
    fn escapes_and_empty_lists() {
        let text = br#"Derive([],[],["a\"b\\c"],"","",[],[])"#;
        assert_eq!(inputs(text), Some(vec![b"a\"b\\c".to_vec()]));
        assert_eq!(inputs(br#"Derive([],[],[],"","",[],[])"#), Some(Vec::new()));
        assert_eq!(inputs(br#"DrvWithVersion("xp-dyn-drv",[])"#), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\[\\](),\"\\\\a]{0,60}") {
            let _ = inputs(format!("Derive({text}").as_bytes());
        }
    }
}
