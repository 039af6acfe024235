//! Registrations, the text that `nix-store --dump-db` writes and `--load-db`
//! reads, as `closureInfo` puts it into images (`decodeValidPathInfo` in Nix's
//! `store-api.cc`).
//!
//! A record is lines: the path; the hash of its NAR (base16, or with its
//! algorithm before it); the NAR size; the deriver or an empty line; how many
//! references there are; the references. The short form, which
//! `--register-validity` reads, has neither hash nor size.

use super::import::{ImportError, Importer, PathInfo};
use super::sniff::{self, OtherFormat, Wanted};
use super::{Catalog, TooLarge};
use std::io::BufRead;

/// No path is longer: longer lines are nonsense, and are not kept in memory.
const MAX_LINE: usize = 1 << 16;

/// Something that a registration holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A path; its references follow.
    Path(&'a PathInfo),
    /// A reference of that path.
    Reference(&'a [u8]),
}

struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line, without its newline; `None` at the end.
    fn next(&mut self) -> Result<Option<&[u8]>, ImportError> {
        self.line.clear();
        let mut limited = std::io::Read::take(&mut self.input, MAX_LINE as u64);
        if limited.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() == MAX_LINE {
            return Err(self.error("the line is too long"));
        }
        Ok(Some(&self.line))
    }

    /// The next line, which must be there.
    fn need(&mut self, what: &str) -> Result<&[u8], ImportError> {
        // Asked in two steps, since the line borrows all of self.
        if self.next()?.is_none() {
            self.number += 1;
            let problem = format!("the file ends where a registration has {what}");
            return Err(self.error(&problem));
        }
        Ok(&self.line)
    }

    /// A line where something else should be; lists of paths are named.
    fn wrong(&self, what: &str) -> ImportError {
        if self.line.starts_with(b"/") {
            let (seen, wanted) = (OtherFormat::ListOfPaths, Wanted::Registration.name());
            return ImportError::Other { line: self.number, wanted, seen };
        }
        self.error(&format!("this should be {what}"))
    }

    fn error(&self, problem: &str) -> ImportError {
        ImportError::Syntax { line: self.number, problem: problem.to_owned() }
    }
}

/// Reads a registration piece by piece: memory for one record at a time.
///
/// # Errors
/// Of the input, of its syntax, and those of `event`.
pub(crate) fn parse(
    input: impl BufRead,
    mut event: impl FnMut(Event<'_>) -> Result<(), TooLarge>,
) -> Result<(), ImportError> {
    let mut input = input;
    if let Some(error) = sniff::refuse(input.fill_buf()?, Wanted::Registration) {
        return Err(error);
    }
    let mut lines = Lines { input, line: Vec::new(), number: 0 };
    while let Some(path) = lines.next()? {
        if !path.starts_with(b"/") {
            return Err(lines.error("this should be a store path"));
        }
        let mut info = PathInfo { path: path.to_vec(), ..PathInfo::default() };
        let second = lines.need("a hash or a deriver")?;
        if second.is_empty() || second.starts_with(b"/") {
            info.deriver = second.to_vec();
        } else {
            info.hash = String::from_utf8_lossy(second).into_owned();
            info.nar_size = Some(number(&mut lines, "a NAR size")?);
            info.deriver = lines.need("a deriver or an empty line")?.to_vec();
        }
        let count = number(&mut lines, "a number of references")?;
        event(Event::Path(&info))?;
        for _ in 0..count {
            event(Event::Reference(lines.need("a reference")?))?;
        }
    }
    Ok(())
}

fn number<R: BufRead>(lines: &mut Lines<R>, what: &str) -> Result<u64, ImportError> {
    let text = lines.need(what)?;
    let number = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    number.ok_or_else(|| lines.wrong(what))
}

/// Reads the catalog of `store_dir` from a registration.
///
/// # Errors
/// See [`ImportError`].
pub fn load(input: impl BufRead, store_dir: &str) -> Result<Catalog, ImportError> {
    let mut importer = Importer::new(store_dir);
    for column in ["registrationTime", "ultimate", "sigs", "ca"] {
        importer.builder().set_missing_column(column);
    }
    let mut current = None;
    parse(input, |event| {
        match event {
            Event::Path(info) => current = importer.add(info)?,
            Event::Reference(reference) => {
                if let Some(referrer) = current {
                    importer.add_reference(referrer, reference)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(importer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::PathId;
    use proptest::prelude::*;

    const A: &str = "/nix/store/0c5b8vw40dy178xlpddw65q9gf1h2186-a";
    const B: &str = "/nix/store/1c5b8vw40dy178xlpddw65q9gf1h2186-b";
    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn catalog(text: &str) -> Catalog {
        load(text.as_bytes(), "/nix/store").unwrap()
    }

    fn error(text: &str) -> String {
        load(text.as_bytes(), "/nix/store").unwrap_err().to_string()
    }

    #[test]
    fn long_and_short_form() {
        // References may come before the paths they name.
        let c = catalog(&format!(
            "{A}\n{HEX}\n120\n{B}.drv\n2\n{A}\n{B}\n{B}\nsha256:{HEX}\n96\n\n0\n"
        ));
        assert_eq!(
            (c.len(), c.nar_size(PathId::new(0)), c.nar_size(PathId::new(1))),
            (2, Some(120), Some(96))
        );
        assert_eq!(c.hash(PathId::new(0)), c.hash(PathId::new(1)));
        assert!(c.hash(PathId::new(0)).is_some());
        assert_eq!(c.deriver(PathId::new(0)).unwrap(), format!("{B}.drv"));
        assert_eq!(c.deriver(PathId::new(1)), None);
        assert_eq!((c.references().row(0), c.references().row(1)), (&[0, 1][..], &[][..]));
        assert_eq!(c.warnings.total(), 0);
        let c = catalog(&format!("{A}\n\n1\n{B}\n{B}\n{A}.drv\n0\n"));
        assert_eq!((c.len(), c.nar_size(PathId::new(0)), c.hash(PathId::new(0))), (2, None, None));
        assert_eq!(c.references().row(0), [1]);
        assert_eq!(c.deriver(PathId::new(1)).unwrap(), format!("{A}.drv"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert_eq!(catalog("").len(), 0);
        assert!(error("hello\n").starts_with("line 1: this is not a registration but"));
        assert!(error(&format!("{A}\n{B}\n{A}\n")).ends_with("but a list of store paths"));
        assert!(error(&format!("{A}\n\n0\nhello\n")).starts_with("line 4: this should be a store"));
        assert!(error(&format!("{A}\n")).starts_with("line 2: the file ends"));
        assert!(error(&format!("{A}\n{HEX}\nx\n\n0\n")).starts_with("line 3: "));
        assert!(error(&format!("{A}\n{HEX}\n1\n\n-1\n")).starts_with("line 5: "));
        assert!(error(&format!("{A}\n\n1\n")).starts_with("line 4: "));
        assert!(error(&format!("{A}\n\n99999999999999999999\n")).starts_with("line 3: "));
        assert!(error(&format!("/{}", "x".repeat(1 << 17))).starts_with("line 1: the line is too"));
    }

    #[test]
    fn references_that_the_file_does_not_list_are_kept() {
        let c =
            catalog(&format!("{A}\n{HEX}\n8\n\n1\n{B}\n/nix/store/../../etc/passwd\n\n1\n{A}\n"));
        assert_eq!(c.len(), 1);
        assert_eq!(c.reference_paths(PathId::new(0)), [B]);
        let kinds: Vec<_> = c.warnings.iter().map(|w| w.kind).collect();
        assert_eq!(kinds, [crate::warning::WarningKind::OddRow]);
    }

    #[test]
    fn what_a_registration_does_not_have_is_unknown() {
        let c = catalog(&format!("{A}\n\n0\n{B}\n\n0\n"));
        assert_eq!((c.registration_time(PathId::new(0)), c.newest_registration()), (None, None));
        let said =
            |c: &Catalog| -> Vec<String> { c.warnings.iter().map(|w| w.message.clone()).collect() };
        assert_eq!(said(&c), ["the file does not state its NAR size, nor that of another path"]);
        let one = catalog(&format!("{A}\n\n0\n"));
        assert_eq!(said(&one), ["the file does not state its NAR size"]);
        let c = B.replace("-b", "-c");
        assert_ne!(c, B);
        let three = catalog(&format!("{A}\n\n0\n{B}\n\n0\n{c}\n\n0\n"));
        assert_eq!(said(&three), ["the file does not state its NAR size, nor those of 2 others"]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = load(bytes.as_slice(), "/nix/store");
        }

        #[test]
        fn any_lines(lines in prop::collection::vec(
            prop_oneof![Just(A), Just(B), Just(""), Just("0"), Just("1"), Just("2"), Just(HEX)], 0..20,
        )) {
            let text = lines.join("\n");
            if let Ok(c) = load(text.as_bytes(), "/nix/store") {
                prop_assert!(c.len() <= 2);
            }
        }
    }
}
