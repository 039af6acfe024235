//! The version of Nix whose report is predicted: which rule it follows, and how
//! it words its last line.

use crate::catalog::build_trace::TraceTable;
use crate::roots::ProfileRule;
use std::fmt;
use std::str::FromStr;

/// A version of Nix, Lix or Determinate Nix, as far as optimising depends on it.
///
/// ```
/// use nix_census::analysis::optimise::{NixRule, NixVersion};
/// let old: NixVersion = "2.22.1".parse().unwrap();
/// assert_eq!(old.rule(), NixRule::UpTo2_22);
/// assert_eq!(old.line(158_742_937, 7), "151.39 MiB freed by hard-linking 7 files");
/// assert_eq!(NixVersion::NEWEST.line(158_742_937, 7), "151.4 MiB freed by hard-linking 7 files");
/// let lix: NixVersion = "lix-2.94".parse().unwrap();
/// assert!(lix.rules().breadth_first);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NixVersion {
    flavour: Flavour,
    major: u32,
    minor: u32,
    /// Without one: the last of that minor version.
    patch: Option<u32>,
}

/// Whose Nix it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// The Nix of NixOS.
    Nix,
    /// Lix, numbered from 2.90.
    Lix,
    /// Determinate Nix, numbered from 3.0.
    Determinate,
}

/// Which inodes `nix-store --optimise` takes for linked already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NixRule {
    /// Those with a name in `.links`. All of Lix.
    UpTo2_22,
    /// Those, and each inode of which it has replaced a name, so that further
    /// names are passed over and the inode's blocks stay
    /// (`optimisePath_` in Nix's `optimise-store.cc` since 2.23).
    From2_23,
}

/// All that decides what `nix-store --optimise` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NixRules {
    /// Which inodes count as linked.
    pub linked: NixRule,
    /// Whether the files of a path are visited breadth first (`optimiseTree_`
    /// in Lix's `optimise-store.cc` since 2.94), else depth first.
    pub breadth_first: bool,
    /// Whether it goes on where a valid path is not on disk, else it stops
    /// with an error.
    pub skips_missing: bool,
}

impl From<NixRule> for NixRules {
    fn from(linked: NixRule) -> Self {
        Self { linked, breadth_first: false, skips_missing: false }
    }
}

/// A version that is not known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It does not look like `2.22` or `2.22.1`.
    #[error("write the version as 2.22, 2.22.1, lix-2.94 or determinate-3.22")]
    Form,
    /// One that no release of that name has.
    #[error(
        "known are Nix from 2.0, Lix from 2.90 (as lix-2.94) and Determinate Nix from 3.0 (as \
         determinate-3.22)"
    )]
    Unknown,
}

impl NixVersion {
    /// The newest version this was compared with.
    pub const NEWEST: Self = Self { flavour: Flavour::Nix, major: 2, minor: 36, patch: None };

    /// Whose it is.
    pub fn flavour(self) -> Flavour {
        self.flavour
    }

    /// Which inodes it takes for linked.
    pub fn rule(self) -> NixRule {
        match self.flavour {
            Flavour::Nix if self.minor >= 23 => NixRule::From2_23,
            Flavour::Nix | Flavour::Lix => NixRule::UpTo2_22,
            // The first one was made of Nix 2.26.
            Flavour::Determinate => NixRule::From2_23,
        }
    }

    /// All its rules.
    pub fn rules(self) -> NixRules {
        NixRules {
            linked: self.rule(),
            breadth_first: self.flavour == Flavour::Lix && self.minor >= 94,
            skips_missing: self.flavour == Flavour::Determinate && self.is_from(22, 1),
        }
    }

    /// Whether it goes over several paths at once, so that which of equal
    /// files it meets first is not known (Determinate Nix since 3.21.2).
    pub fn has_threads(self) -> bool {
        self.flavour == Flavour::Determinate && self.is_from(21, 2)
    }

    fn is_from(self, minor: u32, patch: u32) -> bool {
        (self.minor, self.patch.unwrap_or(u32::MAX)) >= (minor, patch)
    }

    /// The last line it prints: `bytes_freed` in MiB with two decimals
    /// (`showBytes`) up to Nix 2.32, Determinate Nix 3.14 and in Lix, later as
    /// `renderSize` does.
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

    /// Whether sizes are printed in K, M, G…iB rather than all in MiB.
    fn has_units(self) -> bool {
        match self.flavour {
            Flavour::Nix => self.minor >= 33,
            Flavour::Lix => false,
            Flavour::Determinate => self.minor >= 15,
        }
    }

    /// The name of the program.
    pub fn program(self) -> &'static str {
        match self.flavour {
            Flavour::Nix => "Nix",
            Flavour::Lix => "Lix",
            Flavour::Determinate => "Determinate Nix",
        }
    }

    /// The number alone, as `2.36`.
    pub fn number(self) -> String {
        let Self { major, minor, patch, .. } = self;
        match patch {
            // Patches of Nix and Lix make no difference.
            Some(patch) if self.flavour == Flavour::Determinate => {
                format!("{major}.{minor}.{patch}")
            }
            _ => format!("{major}.{minor}"),
        }
    }
}

impl NixVersion {
    /// Which profiles its `nix-collect-garbage` cleans.
    pub fn profile_rule(self) -> ProfileRule {
        match (self.flavour, self.minor) {
            (Flavour::Nix, ..15) => ProfileRule::UpTo2_14,
            (Flavour::Nix, 15) => ProfileRule::In2_15,
            // Lix was made of Nix 2.18.
            _ => ProfileRule::From2_16,
        }
    }

    /// The table in which it looks for outputs of content-addressed derivations.
    pub(crate) fn trace_table(self) -> TraceTable {
        match (self.flavour, self.minor) {
            (Flavour::Nix, 35..) => TraceTable::BuildTraceV3,
            _ => TraceTable::Realisations,
        }
    }

    /// Whether it knows the variable `NIX_STATE_HOME`.
    pub fn has_state_home(self) -> bool {
        match self.flavour {
            Flavour::Nix => self.minor >= 25,
            Flavour::Lix => false,
            Flavour::Determinate => true,
        }
    }

    /// Whether its collector leaves what is called `tmp-…` in the store
    /// directory unless it is a directory that it can lock.
    pub fn locks_temporary_directories(self) -> bool {
        self.flavour != Flavour::Nix || self.minor >= 12
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
        let (flavour, numbers) = match text.split_once('-') {
            Some(("lix", rest)) => (Flavour::Lix, rest),
            Some(("determinate", rest)) => (Flavour::Determinate, rest),
            Some(("nix", rest)) => (Flavour::Nix, rest),
            _ => (Flavour::Nix, text),
        };
        let mut parts = numbers.split('.');
        let number = |part: &str| -> Result<u32, VersionError> {
            // `2.24pre20240723_…`, as development versions call themselves.
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse().map_err(|_| VersionError::Form)
        };
        let mut next = || parts.next().ok_or(VersionError::Form).and_then(number);
        let (major, minor) = (next()?, next()?);
        let patch = parts.next().map(number).transpose()?;
        let known = match flavour {
            Flavour::Nix => major == 2 && minor < 90,
            Flavour::Lix => major == 2 && minor >= 90,
            Flavour::Determinate => major == 3,
        };
        if known { Ok(Self { flavour, major, minor, patch }) } else { Err(VersionError::Unknown) }
    }
}

impl fmt::Display for NixVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.flavour {
            Flavour::Nix => "",
            Flavour::Lix => "lix-",
            Flavour::Determinate => "determinate-",
        };
        write!(f, "{prefix}{}", self.number())
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
        assert_eq!(parse("lix-2.94.1").as_deref(), Ok("lix-2.94"));
        assert_eq!(parse("lix-2.18"), Err(VersionError::Unknown));
        assert_eq!(parse("determinate-3.22.1").as_deref(), Ok("determinate-3.22.1"));
        assert_eq!(parse("determinate-2.33"), Err(VersionError::Unknown));
    }

    #[test]
    fn lix_and_determinate_differ_by_version() {
        let of = |text: &str| text.parse::<NixVersion>().unwrap();
        let line = |text: &str| of(text).line(3 << 20, 2);
        let (mib, units) =
            ("3.00 MiB freed by hard-linking 2 files", "3.0 MiB freed by hard-linking 2 files");
        assert_eq!([line("lix-2.93"), line("lix-2.95")], [mib, mib]);
        assert_eq!([line("determinate-3.14"), line("determinate-3.15")], [mib, units]);
        let first = |text| of(text).rules().breadth_first;
        assert_eq!([first("lix-2.93"), first("lix-2.94"), first("2.36")], [false, true, false]);
        let threads = |text| of(text).has_threads();
        let versions = ["determinate-3.21.1", "determinate-3.21.2", "determinate-3.21"];
        assert_eq!(versions.map(threads), [false, true, true]);
        let skips = |text| of(text).rules().skips_missing;
        assert_eq!(
            ["determinate-3.22.0", "determinate-3.22.1", "2.36"].map(skips),
            [false, true, false]
        );
        assert_eq!(of("lix-2.94").rule(), NixRule::UpTo2_22);
    }
}
