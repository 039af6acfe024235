//! The arguments that all commands take: which store, and how the answer is written.

use crate::output::{Format, Units};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which store is examined.
#[derive(Debug, Args)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArgs {
    /// Examine the system under DIR, such as a mounted image: DIR/nix/store
    /// and DIR/nix/var/nix. Every symlink is resolved inside DIR
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
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
    /// where NixOS puts it
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "db")]
    pub(super) registration: Option<PathBuf>,
    /// Read the valid paths from FILE, as nix path-info --json prints it
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

/// How the answer is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// The format
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = FormatArg::Table)]
    pub(super) format: FormatArg,
    /// Write the answer to FILE
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Sizes in tables in kB, MB, GB
    #[arg(long, global = true, conflicts_with = "bytes")]
    pub(super) si: bool,
    /// Sizes in tables in bytes
    #[arg(long, global = true)]
    pub(super) bytes: bool,
    /// No progress, and no notes that leave nothing out
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
    pub(super) fn format(&self) -> Format {
        match self.format {
            FormatArg::Table => Format::Table,
            FormatArg::Json => Format::Json,
            FormatArg::Csv => Format::Csv,
            FormatArg::Junit => Format::Junit,
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

/// A size in bytes: digits, perhaps with K, M, G or T (of 1024), perhaps with
/// `iB` or `B` after it.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("‘{text}’ is no size; one is 4096, 500K, 20MiB or 1.5G");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text[digits.len()..].trim().trim_end_matches(['B', 'b']).trim_end_matches('i');
    let factor: u64 = match unit {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        "T" | "t" => 1 << 40,
        _ => return Err(wrong()),
    };
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
    fn sizes() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("20MiB"), Ok(20 << 20));
        assert_eq!(parse_size("1.5 G"), Ok(3 << 29));
        assert_eq!(parse_size("1kB"), Ok(1024));
        for wrong in ["", "x", "-1", "1X", "inf", "nan", "99999999999T", "1e300"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
