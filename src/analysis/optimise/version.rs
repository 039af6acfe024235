//! The version of Nix whose report is foretold: which rule it follows, and how
//! it words its last line.

use std::fmt;
use std::str::FromStr;

/// A version of Nix, as far as optimising depends on it.
///
/// ```
/// use nix_census::analysis::optimise::{NixRule, NixVersion};
/// let old: NixVersion = "2.22.1".parse().unwrap();
/// assert_eq!(old.rule(), NixRule::UpTo2_22);
/// assert_eq!(old.line(158_742_937, 7), "151.39 MiB freed by hard-linking 7 files");
/// assert_eq!(NixVersion::NEWEST.line(158_742_937, 7), "151.4 MiB freed by hard-linking 7 files");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NixVersion {
    major: u32,
    minor: u32,
}

/// Which inodes `nix-store --optimise` takes for linked already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NixRule {
    /// Those with a name in `.links`.
    UpTo2_22,
    /// Those, and each inode of which it has replaced a name, so that further
    /// names are passed over and the inode's blocks stay
    /// (`optimisePath_` in Nix's `optimise-store.cc` since 2.23).
    From2_23,
}

/// A version that is not known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It does not look like `2.22` or `2.22.1`.
    #[error("no version of Nix looks like that: write it as 2.22 or 2.22.1")]
    Form,
    /// Before 2.0, or one of Lix.
    #[error("versions from 2.0 to 2.89 are known (Lix 2.90 and later are not Nix's)")]
    Unknown,
}

impl NixVersion {
    /// The newest version this was compared with.
    pub const NEWEST: Self = Self { major: 2, minor: 36 };

    /// The rule it follows.
    pub fn rule(self) -> NixRule {
        if self < (Self { major: 2, minor: 23 }) { NixRule::UpTo2_22 } else { NixRule::From2_23 }
    }

    /// The last line it prints: `bytes_freed` in MiB with two decimals up to
    /// 2.32 (`showBytes`), from 2.33 as `renderSize` does.
    pub fn line(self, bytes_freed: u64, files_linked: u64) -> String {
        let size = if self.has_units() {
            render_size(i64::try_from(bytes_freed).unwrap_or(i64::MAX))
        } else {
            mebibytes(bytes_freed as f64)
        };
        format!("{size} freed by hard-linking {files_linked} files")
    }

    /// What the collector notes (`removeUnusedLinks` in Nix's `gc.cc`): how
    /// many bytes hard linking saves, less the blocks of `.links` itself.
    pub fn saving_note(self, saved: i64) -> String {
        if self.has_units() {
            format!("note: hard linking is currently saving {}", render_size(saved))
        } else {
            format!("note: currently hard linking saves {}", mebibytes(saved as f64))
        }
    }

    /// Whether sizes are told in K, M, G…iB rather than all in MiB.
    fn has_units(self) -> bool {
        self >= Self { major: 2, minor: 33 }
    }
}

/// As `showBytes` in Nix's `util.cc` up to 2.32.
fn mebibytes(bytes: f64) -> String {
    format!("{:.2} MiB", bytes / (1024.0 * 1024.0))
}

/// As `renderSize` in Nix's `util.cc`: the unit is found by whole division, so
/// 1 MiB and one byte is still `1024.0 KiB`.
fn render_size(bytes: i64) -> String {
    let (mut unit, mut rest) = (0, bytes.unsigned_abs());
    while rest > 1024 {
        unit += 1;
        rest /= 1024;
    }
    let value = bytes as f64 / 1024f64.powi(unit.max(1));
    let suffix = ["K", "K", "M", "G", "T", "P", "E"][unit as usize];
    format!("{value:.1} {suffix}iB")
}

impl Default for NixVersion {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl FromStr for NixVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut parts = text.split('.');
        let mut number = || -> Result<u32, VersionError> {
            let part = parts.next().ok_or(VersionError::Form)?;
            // `2.24pre20240723_…`, as development versions call themselves.
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse().map_err(|_| VersionError::Form)
        };
        let version = Self { major: number()?, minor: number()? };
        if version.major != 2 || version.minor >= 90 {
            return Err(VersionError::Unknown);
        }
        Ok(version)
    }
}

impl fmt::Display for NixVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_as_nix_does() {
        // As the unit tests of Nix 2.33 have them (src/libutil-tests/util.cc).
        assert_eq!(render_size(0), "0.0 KiB");
        assert_eq!(render_size(100), "0.1 KiB");
        assert_eq!(render_size(972), "0.9 KiB");
        assert_eq!(render_size(973), "1.0 KiB");
        assert_eq!(render_size(-1024), "-1.0 KiB");
        assert_eq!(render_size(1024 * 1024), "1024.0 KiB");
        assert_eq!(render_size(1100 * 1024), "1.1 MiB");
        assert_eq!(render_size(2100 << 30), "2.1 TiB");
        // Ours.
        assert_eq!(render_size(1024 * 1024 + 1), "1024.0 KiB");
        assert_eq!(render_size(1024 * 1024 + 1024), "1.0 MiB");
        assert_eq!(render_size(i64::MAX), "8.0 EiB");
    }

    #[test]
    fn reads_versions() {
        let parse = |text: &str| text.parse::<NixVersion>().map(|v| v.to_string());
        assert_eq!(parse("2.8.0").as_deref(), Ok("2.8"));
        assert_eq!(parse("2.24pre20240723_abc").as_deref(), Ok("2.24"));
        assert_eq!(parse("2"), Err(VersionError::Form));
        assert_eq!(parse("2.-1"), Err(VersionError::Form));
        assert_eq!(parse("2.99999999999"), Err(VersionError::Form));
        assert_eq!(parse("1.11"), Err(VersionError::Unknown));
        assert_eq!(parse("2.91.1"), Err(VersionError::Unknown));
    }
}
