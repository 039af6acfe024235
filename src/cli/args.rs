//! The arguments that all commands take: which store, and how the answer is written.

use crate::output::Format;
use crate::text::Units;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Which store is examined.
#[derive(Debug, Args)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArgs {
    /// Examine the system under DIR, such as a mounted image: DIR/nix/store
    /// and DIR/nix/var/nix. Every symlink is resolved inside DIR
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// What DIR of --root is: the root of another system, or a chroot store of this
    /// machine's Nix (nix --store DIR), whose GC roots are links on this machine
    /// [default: image]
    #[arg(long, global = true, value_enum, value_name = "KIND")]
    pub(super) root_kind: Option<RootKindArg>,
    /// Examine the store that Nix means by this URI, such as local?root=DIR, or DIR for
    /// a chroot store [default: NIX_REMOTE or the setting store]
    #[arg(long, global = true, value_name = "URI", conflicts_with_all = ["root", "state_dir"])]
    pub(super) store: Option<OsString>,
    /// The store directory [default: /nix/store, or NIX_STORE_DIR without --root]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) store_dir: Option<String>,
    /// The state directory [default: /nix/var/nix, or NIX_STATE_DIR without --root]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    /// The database file [default: db/db.sqlite in the state directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) db: Option<PathBuf>,
    /// Read the valid paths from FILE, as nix-store --dump-db or closureInfo write it,
    /// not from a database. Where an image has no database, this file is looked for
    /// where NixOS puts it. `-` reads standard input
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "db")]
    pub(super) registration: Option<PathBuf>,
    /// Read the valid paths from FILE, as nix path-info --json prints it; `-` reads
    /// standard input
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["db", "registration"])]
    pub(super) path_info: Option<PathBuf>,
    /// Read the store directory alone: every store path found is taken as valid,
    /// its references are searched for in its contents
    #[arg(long, global = true, conflicts_with_all = ["db", "registration", "path_info", "no_disk"])]
    pub(super) scan: bool,
    /// The root of the store beneath this one, if it is a local-overlay store: both
    /// databases are joined. The store directory is where both are mounted
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) lower: Option<PathBuf>,
    /// Ask the database alone: no walk, no disk sizes
    #[arg(long, global = true)]
    pub(super) no_disk: bool,
    /// How many threads walk the disk [default: 4 a core, at least 8]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(super) threads: Option<u16>,
}

/// What the directory of `--root` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RootKindArg {
    /// The root of a system: every link is followed inside it
    Image,
    /// A chroot store: links are followed on this machine, as Nix does
    Chroot,
}

/// How the answer is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// The format [default: the one that the name of --output ends with, else table]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(super) format: Option<FormatArg>,
    /// Write the answer to FILE, `-` for standard output; .json, .csv and .xml
    /// (JUnit) choose the format
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Sizes in tables in kB, MB, GB
    #[arg(long, global = true, conflicts_with = "bytes")]
    pub(super) si: bool,
    /// Sizes in tables in bytes
    #[arg(long, global = true)]
    pub(super) bytes: bool,
    /// Hide progress and informational notes
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// All warnings, not only the first ones
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// For people
    Table,
    /// One object, its lists streamed one element a line
    Json,
    /// The answer's main list
    Csv,
    /// Findings of an audit, for continuous integration
    Junit,
}

impl OutputArgs {
    /// The format asked for; else that of the output file's name, as far as
    /// its ending is known.
    pub(super) fn format(&self) -> Format {
        match self.format {
            Some(FormatArg::Table) => Format::Table,
            Some(FormatArg::Json) => Format::Json,
            Some(FormatArg::Csv) => Format::Csv,
            Some(FormatArg::Junit) => Format::Junit,
            None => self.output.as_deref().and_then(format_of_name).unwrap_or_default(),
        }
    }

    pub(super) fn units(&self) -> Units {
        match (self.si, self.bytes) {
            (true, _) => Units::Si,
            (_, true) => Units::Bytes,
            _ => Units::Binary,
        }
    }
}

/// The format that a file's name asks for by its ending.
fn format_of_name(file: &Path) -> Option<Format> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "json" => Some(Format::Json),
        "csv" => Some(Format::Csv),
        "xml" => Some(Format::Junit),
        _ => None,
    }
}

/// A size in bytes, with units as `du --threshold` has them: K, M, G, … and
/// KiB, MiB, GiB, … are powers of 1024; kB, MB, GB, … are powers of 1000.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "‘{text}’ is not a size; write 4096, 500K, 20MiB (units of 1024) or 1.5GB (of 1000)"
        )
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text[digits.len()..].trim();
    let (letter, base) = match (unit.strip_suffix("iB"), unit.strip_suffix('B')) {
        (Some(letter), _) if !letter.is_empty() => (letter, 1024),
        (None, Some(letter)) => (letter, 1000),
        (_, _) => (unit, 1024_u64),
    };
    let power = match letter {
        "" => 0,
        "K" | "k" => 1,
        "M" | "m" => 2,
        "G" | "g" => 3,
        "T" | "t" => 4,
        "P" | "p" => 5,
        _ => return Err(wrong()),
    };
    let factor = base.pow(power);
    if let Ok(n) = digits.parse::<u64>() {
        return n.checked_mul(factor).ok_or_else(wrong);
    }
    let n: f64 = digits.parse().map_err(|_| wrong())?;
    let bytes = n * factor as f64;
    if (0.0..9e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_sizes_are_those_of_du() {
        for (text, bytes) in [
            ("4096", 4096),
            ("512B", 512),
            ("1K", 1 << 10),
            ("1k", 1 << 10),
            ("1KiB", 1 << 10),
            ("1kB", 1000),
            ("1KB", 1000),
            ("1M", 1 << 20),
            ("20MiB", 20 << 20),
            ("1MB", 1_000_000),
            ("1.5 G", 3 << 29),
            ("1.5GB", 1_500_000_000),
            ("2T", 2 << 40),
            ("2TB", 2_000_000_000_000),
            ("1P", 1 << 50),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for wrong in [
            "",
            "x",
            "K",
            "-1",
            "1X",
            "1iB",
            "1 i",
            "1Mb",
            "1MIB",
            "1MBB",
            "1b",
            "inf",
            "nan",
            "99999999999T",
            "1e300",
        ] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_output_files_name_chooses_the_format_unless_one_is_asked_for() {
        let format = |format: Option<FormatArg>, file: &str| {
            let output = Some(PathBuf::from(file)).filter(|f| !f.as_os_str().is_empty());
            let (si, bytes, quiet, verbose) = (false, false, false, false);
            OutputArgs { format, output, si, bytes, quiet, verbose }.format()
        };
        assert_eq!(format(None, ""), Format::Table);
        assert_eq!(format(None, "-"), Format::Table);
        assert_eq!(format(None, "x"), Format::Table);
        assert_eq!(format(None, "x.txt"), Format::Table);
        assert_eq!(format(None, "json"), Format::Table);
        assert_eq!(format(None, "a/x.json"), Format::Json);
        assert_eq!(format(None, "x.JSON"), Format::Json);
        assert_eq!(format(None, "x.csv"), Format::Csv);
        assert_eq!(format(None, "x.xml"), Format::Junit);
        assert_eq!(format(Some(FormatArg::Csv), "x.json"), Format::Csv);
        assert_eq!(format(Some(FormatArg::Table), "x.json"), Format::Table);
    }
}
