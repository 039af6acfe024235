//! Store derivations: what they refer to. Unlike those of an output, the
//! references of a derivation are not what its text names (it names its own
//! outputs too), but its inputs (`parseDerivation` in Nix's `derivations.cc`).

use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No derivation is longer.
const MAX: u64 = 64 << 20;

/// The input derivations and sources of a derivation's text, full paths.
/// `None` if it is no derivation, or of a form that is not known.
///
/// ```
/// use nix_census::catalog::derivation::inputs;
/// let text = br#"Derive([("out","/s/o","","")],[("/s/d.drv",["out","dev"])],["/s/src"],"x","/b",[],[])"#;
/// assert_eq!(inputs(text), Some(vec![b"/s/d.drv".to_vec(), b"/s/src".to_vec()]));
/// assert_eq!(inputs(b"Derive("), None);
/// ```
pub fn inputs(text: &[u8]) -> Option<Vec<Vec<u8>>> {
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

/// The inputs of the derivation in a file.
///
/// # Errors
/// If it cannot be read. `None` as for [`inputs`].
pub fn inputs_of(file: &Path) -> io::Result<Option<Vec<Vec<u8>>>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, file, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.take(MAX).read_to_end(&mut text)?;
    Ok(inputs(&text))
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
