//! The arguments that all commands take: which store, and how the answer is written.

use super::destination::is_open;
use super::exit::Failure;
use super::screen::NARROWEST;
use crate::disk::ExtentsOption;
use crate::output::Format;
use crate::text::Units;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Which store is examined.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArgs {
    /// Examine the small demo store that comes with this program
    #[arg(long, global = true, conflicts_with_all = ["root", "root_kind", "store", "store_dir", "state_dir", "db", "registration", "path_info", "scan", "lower", "snapshot"])]
    pub(super) demo: bool,
    /// Examine the store as it was when FILE was written by `nix-census snapshot`, `-` for
    /// standard input; what needs the contents of files cannot be answered
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["root", "root_kind", "store", "store_dir", "state_dir", "db", "registration", "path_info", "scan", "lower"])]
    pub(super) snapshot: Option<PathBuf>,
    /// Take over from FILE, a snapshot of this store, what has not changed since, and walk
    /// only the rest
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["snapshot", "demo", "scan", "no_disk"])]
    pub(super) since: Option<PathBuf>,
    /// Write what --since found in place of its FILE
    #[arg(long, global = true, requires = "since")]
    pub(super) update: bool,
    /// Examine the system under DIR, such as a mounted image: DIR/nix/store and
    /// DIR/nix/var/nix; symlinks are resolved inside DIR
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Say what the DIR of --root is [default: image]
    #[arg(long, global = true, value_enum, value_name = "KIND")]
    pub(super) root_kind: Option<RootKindArg>,
    /// Examine the store of this URI, such as local?root=DIR, or DIR for a chroot store
    /// [default: NIX_REMOTE, or `store` in nix.conf]
    #[arg(long, global = true, value_name = "URI", conflicts_with_all = ["root", "state_dir"])]
    pub(super) store: Option<OsString>,
    /// Set the store directory [default: /nix/store, or NIX_STORE_DIR without --root]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) store_dir: Option<String>,
    /// Set the state directory [default: /nix/var/nix, or NIX_STATE_DIR without --root]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    /// Set the database file [default: db/db.sqlite in the state directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) db: Option<PathBuf>,
    /// Read the valid paths from FILE as written by nix-store --dump-db or closureInfo,
    /// `-` for standard input. An image without a database is searched for such a file
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "db")]
    pub(super) registration: Option<PathBuf>,
    /// Read the valid paths from FILE as printed by nix path-info --json, `-` for
    /// standard input
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["db", "registration"])]
    pub(super) path_info: Option<PathBuf>,
    /// Use no database: take every store path on disk as valid, and search its files
    /// for references
    #[arg(long, global = true, conflicts_with_all = ["db", "registration", "path_info", "no_disk"])]
    pub(super) scan: bool,
    /// Join the database of the store beneath, whose root is DIR: for a local-overlay
    /// store, mounted at the store directory
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) lower: Option<PathBuf>,
    /// Read the database only: no walk, no disk sizes
    #[arg(long, global = true)]
    pub(super) no_disk: bool,
    /// What files take beneath their blocks, where a file system compresses or shares them:
    /// with exact, the answer is incomplete where that is not known
    #[arg(long, global = true, value_enum, value_name = "HOW", default_value = "auto")]
    pub(super) extents: ExtentsArg,
    /// Walk the disk with N threads [default: 4 a core, at least 32; 1 on disks that rotate]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(super) threads: Option<u16>,
}

impl StoreArgs {
    /// The arguments that chose the store, as they were given.
    pub(super) fn arguments(&self) -> Vec<String> {
        let root_kind = self.root_kind.map(|kind| match kind {
            RootKindArg::Image => "image".into(),
            RootKindArg::Chroot => "chroot".into(),
        });
        let text = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
        let store = self.store.as_ref().map(|uri| uri.display().to_string());
        let mut all = Vec::new();
        for (flag, value) in [
            ("--root", text(&self.root)),
            ("--root-kind", root_kind),
            ("--store", store),
            ("--store-dir", self.store_dir.clone()),
            ("--state-dir", text(&self.state_dir)),
            ("--db", text(&self.db)),
            ("--registration", text(&self.registration)),
            ("--path-info", text(&self.path_info)),
            ("--lower", text(&self.lower)),
            ("--snapshot", text(&self.snapshot)),
        ] {
            all.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        for (flag, given) in
            [("--demo", self.demo), ("--scan", self.scan), ("--no-disk", self.no_disk)]
        {
            all.extend(given.then(|| flag.to_owned()));
        }
        all
    }
}

/// What the directory of `--root` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RootKindArg {
    /// The root of another system: links are followed inside it
    Image,
    /// A chroot store (nix --store DIR): links are followed on this machine, as Nix does
    Chroot,
}

/// How it is found out what files take beneath their blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ExtentsArg {
    /// From the file system, where it says so and reading that is not far longer than the walk
    #[default]
    Auto,
    /// However long it takes, and from each file where nothing else says so; unless that is
    /// exact, the answer is incomplete
    Exact,
    /// Not at all
    Never,
}

impl From<ExtentsArg> for ExtentsOption {
    fn from(arg: ExtentsArg) -> Self {
        match arg {
            ExtentsArg::Auto => Self::Auto,
            ExtentsArg::Exact => Self::Exact,
            ExtentsArg::Never => Self::Never,
        }
    }
}

/// How the answer is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Choose the format [default: that of the ending of --output, else table]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(super) format: Option<FormatArg>,
    /// Write JSON: the same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    pub(super) json: bool,
    /// Write the answer to FILE, `-` for standard output; .json, .csv, .xml (JUnit),
    /// .html, .md (Markdown) and .txt (a table) choose the format
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Show sizes in kB, MB, GB
    #[arg(long, global = true, conflicts_with = "bytes")]
    pub(super) si: bool,
    /// Show sizes in bytes
    #[arg(long, global = true)]
    pub(super) bytes: bool,
    /// Colours: auto is on a terminal, unless NO_COLOR is set or TERM is dumb;
    /// CLICOLOR_FORCE is everywhere
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
    /// Lay tables out for N columns [default: the terminal's width or COLUMNS; not on a
    /// terminal any]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(i64::from(NARROWEST)..))]
    pub(super) width: Option<u16>,
    /// Hide progress and informational notes
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Show all warnings, not only the first 10
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorArg {
    /// On a terminal
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// What a command line says of colours, whatever else is wrong with it.
pub(super) fn color_of(words: impl IntoIterator<Item = OsString>) -> ColorArg {
    let mut words = words.into_iter().take_while(|word| word != "--");
    let mut color = ColorArg::default();
    while let Some(word) = words.next() {
        let value = match word.to_str().and_then(|word| word.strip_prefix("--color=")) {
            Some(value) => Some(value.to_owned()),
            None if word == "--color" => words.next().and_then(|value| value.into_string().ok()),
            None => None,
        };
        color = value.and_then(|value| ColorArg::from_str(&value, false).ok()).unwrap_or(color);
    }
    color
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// For people
    Table,
    /// For programs: one object
    Json,
    /// For spreadsheets: the main list
    Csv,
    /// For continuous integration: the findings of audit or the budgets of check as JUnit XML
    Junit,
    /// For a browser: of `html`, `diff` and `optimise`
    Html,
    /// The same as annotations of GitHub Actions
    Github,
    /// For pull requests: the first rows of each list
    Markdown,
}

impl OutputArgs {
    /// The format asked for; else that of the output file's name. A name
    /// without an ending gets a table.
    pub(super) fn format(&self) -> Result<Format, Failure> {
        Ok(match (self.format, self.json) {
            (_, true) | (Some(FormatArg::Json), _) => Format::Json,
            (Some(FormatArg::Table), _) => Format::Table,
            (Some(FormatArg::Csv), _) => Format::Csv,
            (Some(FormatArg::Junit), _) => Format::Junit,
            (Some(FormatArg::Html), _) => Format::Html,
            (Some(FormatArg::Github), _) => Format::Github,
            (Some(FormatArg::Markdown), _) => Format::Markdown,
            (None, _) => match &self.output {
                Some(file) if !is_open(file) && file.as_os_str() != "-" => format_of_name(file)?,
                _ => Format::Table,
            },
        })
    }

    /// Takes this format, whatever the output file is called.
    pub(super) fn set_table(&mut self) {
        self.format = Some(FormatArg::Table);
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
fn format_of_name(file: &Path) -> Result<Format, Failure> {
    let Some(ending) = file.extension() else { return Ok(Format::Table) };
    match ending.to_str().map(str::to_ascii_lowercase).as_deref() {
        Some("json") => Ok(Format::Json),
        Some("csv") => Ok(Format::Csv),
        Some("xml") => Ok(Format::Junit),
        Some("html" | "htm") => Ok(Format::Html),
        Some("txt") => Ok(Format::Table),
        Some("md") => Ok(Format::Markdown),
        _ => {
            let (name, ending) = (file.display(), ending.display());
            let message = format!("--output {name}: no format has the ending '.{ending}'");
            Err(Failure::usage(message)
                .hint("use .json, .csv, .xml (JUnit), .html, .md or .txt, or choose with --format"))
        }
    }
}

/// A size in bytes, with units as `du --threshold` has them: K, M, G, … and
/// KiB, MiB, GiB, … are powers of 1024; kB, MB, GB, … are powers of 1000.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        "not a size\nhint: write 4096, 500K, 20MiB (units of 1024) or 1.5GB (of 1000)".to_owned()
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

/// The number before `%`, if the text ends so; not a number (NaN) if there is none.
pub(super) fn parse_percent(text: &str) -> Option<f64> {
    let number = text.strip_suffix('%')?.trim_end();
    Some(number.parse().unwrap_or(f64::NAN))
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
            let (json, si, bytes, quiet, verbose) = (false, false, false, false, false);
            let (color, width) = (ColorArg::Auto, None);
            let args = OutputArgs { format, json, output, si, bytes, color, width, quiet, verbose };
            args.format().ok()
        };
        for table in ["", "-", "x", "x.txt", "json", "a.d/x", "/dev/stderr", "/proc/self/fd/1.x"] {
            assert_eq!(format(None, table), Some(Format::Table), "{table}");
        }
        assert_eq!(format(None, "a/x.json"), Some(Format::Json));
        assert_eq!(format(None, "x.JSON"), Some(Format::Json));
        assert_eq!(format(None, "x.csv"), Some(Format::Csv));
        assert_eq!(format(None, "x.xml"), Some(Format::Junit));
        assert_eq!(format(None, "x.html"), Some(Format::Html));
        assert_eq!(format(Some(FormatArg::Csv), "x.json"), Some(Format::Csv));
        assert_eq!(format(Some(FormatArg::Table), "x.json"), Some(Format::Table));
        assert_eq!(format(None, "x.jsn"), None);
        assert_eq!(format(Some(FormatArg::Csv), "x.jsn"), Some(Format::Csv));
    }
}
