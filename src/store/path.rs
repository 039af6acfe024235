//! Store path base names: `<hash part>-<name>`.

use std::fmt;

/// The length of the hash part: 160 bits in nix32 (Nix's `StorePath::HashLen`).
const HASH_LEN: usize = 32;

/// What a byte may be part of: names are checked a million at a time.
const HASH: u8 = 1;
const NAME: u8 = 2;
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 128u8 {
        // Nix's checkName: letters, digits and +-._?=
        if b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'?' | b'=') {
            classes[b as usize] |= NAME;
        }
        // nix32: digits and lower-case letters without e, o, t, u.
        if b.is_ascii_digit() || b.is_ascii_lowercase() && !matches!(b, b'e' | b'o' | b't' | b'u') {
            classes[b as usize] |= HASH;
        }
        b += 1;
    }
    classes
};

/// The base name of a store path, checked: `<hash part>-<name>`.
///
/// The check is as tolerant as old stores need (a leading dot, a long name)
/// and as strict as safety needs: no slash, no control character, ASCII only.
///
/// ```
/// use nix_census::store::StorePath;
/// let p = StorePath::parse(b"0c5b8vw40dy178xlpddw65q9gf1h2186-glibc-2.35-dev").unwrap();
/// assert_eq!(p.hash_part(), "0c5b8vw40dy178xlpddw65q9gf1h2186");
/// assert_eq!((p.name(), p.pname(), p.version()), ("glibc-2.35-dev", "glibc", "2.35-dev"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath<'a>(&'a str);

/// Why a name is not a store path base name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Shorter than a hash part, a dash and one character.
    #[error("too short for a hash part and a name")]
    Short,
    /// The first 32 characters are not nix32.
    #[error("its first 32 characters are not a hash part")]
    HashPart,
    /// No dash after the hash part.
    #[error("no dash after its hash part")]
    Dash,
    /// The name holds a character that Nix allows in none.
    #[error("its name holds the byte {0:#04x}, which no store path has")]
    Byte(u8),
    /// Longer than a file name can be.
    #[error("its name is longer than 255 bytes")]
    Long,
}

/// What follows the hash part of a base name, or of a name below the store
/// directory; all of a name that has none.
pub(crate) fn without_hash_part(name: &[u8]) -> &[u8] {
    match name.get(HASH_LEN) {
        Some(b'-') => &name[HASH_LEN + 1..],
        _ => name,
    }
}

impl<'a> StorePath<'a> {
    /// Checks a base name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(base: &'a [u8]) -> Result<Self, NameError> {
        if base.len() < HASH_LEN + 2 {
            return Err(NameError::Short);
        }
        if base.len() > 255 {
            return Err(NameError::Long);
        }
        if !base[..HASH_LEN].iter().all(|&b| CLASSES[b as usize] & HASH != 0) {
            return Err(NameError::HashPart);
        }
        if base[HASH_LEN] != b'-' {
            return Err(NameError::Dash);
        }
        let allowed = |b: u8| CLASSES[b as usize] & NAME != 0;
        if let Some(&b) = base[HASH_LEN + 1..].iter().find(|&&b| !allowed(b)) {
            return Err(NameError::Byte(b));
        }
        // All bytes are ASCII by the checks above.
        std::str::from_utf8(base).map(Self).map_err(|_| NameError::HashPart)
    }

    /// A base name that was checked before, as all names of a catalog are.
    pub(crate) fn checked(base: &'a str) -> Self {
        Self(base)
    }

    /// The whole base name.
    pub fn base_name(self) -> &'a str {
        self.0
    }

    /// The first 32 characters.
    pub fn hash_part(self) -> &'a str {
        &self.0[..HASH_LEN]
    }

    /// What follows the hash part and its dash.
    #[inline]
    pub fn name(self) -> &'a str {
        &self.0[HASH_LEN + 1..]
    }

    /// The `name` of Nix's `builtins.parseDrvName`.
    pub fn pname(self) -> &'a str {
        parse_drv_name(self.name()).0
    }

    /// The `version` of Nix's `builtins.parseDrvName`, empty where the name has
    /// none.
    pub fn version(self) -> &'a str {
        parse_drv_name(self.name()).1
    }

    /// Whether the path is a store derivation.
    pub fn is_derivation(self) -> bool {
        self.0.ends_with(".drv")
    }

    /// The output that this path is of a derivation of that base name, by
    /// Nix's naming rule (`outputPathName`): `out` has the derivation's name,
    /// any other output has `-<output>` after it. `None` if the names differ.
    pub fn output_of(self, deriver: &str) -> Option<&'a str> {
        let drv = deriver.get(HASH_LEN + 1..)?.strip_suffix(".drv")?;
        match self.name().strip_prefix(drv)? {
            "" => Some("out"),
            rest => rest.strip_prefix('-').filter(|o| !o.is_empty()),
        }
    }
}

impl fmt::Display for StorePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Splits a name as Nix's `builtins.parseDrvName` does: at the first dash that
/// is followed by something other than a letter. The suffix of an output and
/// `.drv` stay in the version; [`Package`](super::Package) takes them off.
pub(crate) fn parse_drv_name(name: &str) -> (&str, &str) {
    let bytes = name.as_bytes();
    for i in 0..bytes.len().saturating_sub(1) {
        if bytes[i] == b'-' && !bytes[i + 1].is_ascii_alphabetic() {
            return (&name[..i], &name[i + 1..]);
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions() {
        assert_eq!(parse_drv_name("systemd-minimal-libs-253.5"), ("systemd-minimal-libs", "253.5"));
        assert_eq!(parse_drv_name("glibc-2.35-dev"), ("glibc", "2.35-dev"));
        assert_eq!(parse_drv_name("hello-2.12.drv"), ("hello", "2.12.drv"));
        assert_eq!(parse_drv_name("source"), ("source", ""));
        assert_eq!(parse_drv_name("odd-"), ("odd-", ""));
    }

    const H: &str = "0c5b8vw40dy178xlpddw65q9gf1h2186";

    #[test]
    fn refuses_what_could_escape_or_paint() {
        let odd = |tail: &str| StorePath::parse(format!("{H}{tail}").as_bytes()).unwrap_err();
        assert_eq!(odd("-a/../../etc/passwd"), NameError::Byte(b'/'));
        assert_eq!(odd("-a\x1b[31m"), NameError::Byte(0x1b));
        assert_eq!(odd("-\n"), NameError::Byte(b'\n'));
        assert_eq!(odd("xa"), NameError::Dash);
        assert_eq!(odd(""), NameError::Short);
        assert_eq!(odd(&format!("-{}", "x".repeat(250))), NameError::Long);
        assert_eq!(StorePath::parse(&[b'e'; 40]), Err(NameError::HashPart));
        assert_eq!(StorePath::parse(format!("{H}-a\u{e9}").as_bytes()), Err(NameError::Byte(0xc3)));
    }

    #[test]
    fn tolerates_old_names() {
        let name = format!("{H}-.hidden");
        assert_eq!(StorePath::parse(name.as_bytes()).unwrap().name(), ".hidden");
    }

    #[test]
    fn tells_outputs_from_the_deriver() {
        let p = |name: &str| format!("{H}-{name}");
        let output = |name: &str, drv: &str| {
            let (name, drv) = (p(name), p(drv));
            StorePath::checked(&name).output_of(&drv).map(str::to_owned)
        };
        assert_eq!(output("glibc-2.35", "glibc-2.35.drv").as_deref(), Some("out"));
        assert_eq!(output("glibc-2.35-dev", "glibc-2.35.drv").as_deref(), Some("dev"));
        assert_eq!(output("other", "glibc-2.35.drv"), None);
        assert_eq!(output("glibc-2.351", "glibc-2.35.drv"), None);
    }
}
