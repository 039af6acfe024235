//! Budgets as flags and files say them.

use super::args::{parse_percent, parse_size};
use super::exit::Failure;
use crate::analysis::check::Growth;
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is checked.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Budgets")]
pub(super) struct BudgetArgs {
    /// Allow the closure at most SIZE (500M, 2G, …) of NAR size
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) max_closure: Option<u64>,
    /// Allow it at most SIZE on disk, each inode once
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) max_disk: Option<u64>,
    /// Allow it at most SIZE of physical size: extents as they lie on the disk, each once
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) max_physical: Option<u64>,
    /// Allow each path that PATTERN names at most SIZE of NAR size
    #[arg(long, value_name = "PATTERN=SIZE", value_parser = parse_pattern)]
    pub(super) max_path: Vec<(String, u64)>,
    /// Allow each path that PATTERN names to retain at most SIZE of NAR size: what would go
    /// with it
    #[arg(long, value_name = "PATTERN=SIZE", value_parser = parse_pattern)]
    pub(super) max_retained: Vec<(String, u64)>,
    /// Allow at most N paths
    #[arg(long, value_name = "N")]
    pub(super) max_paths: Option<u64>,
    /// Allow no path that PATTERN names
    #[arg(long, value_name = "PATTERN")]
    pub(super) forbid: Vec<String>,
    /// Allow no package in several versions or builds: see `nix-census variants`
    #[arg(long)]
    pub(super) no_variants: bool,
    /// Allow nothing that is left over from building: see `nix-census suggest`
    #[arg(long)]
    pub(super) no_leftovers: bool,
    /// Allow at most so much more NAR size than the baseline has
    #[arg(long, value_name = "PERCENT|SIZE", value_parser = parse_growth)]
    pub(super) max_growth: Option<Growth>,
    /// Read more budgets from FILE (TOML: the names of these options without --); what is
    /// said here too comes first
    #[arg(long, value_name = "FILE")]
    budgets: Option<PathBuf>,
}

/// `PATTERN=SIZE`; the pattern may hold `=`.
fn parse_pattern(text: &str) -> Result<(String, u64), String> {
    match text.rsplit_once('=') {
        Some((pattern, size)) if !pattern.is_empty() => Ok((pattern.to_owned(), parse_size(size)?)),
        _ => Err("not PATTERN=SIZE\nhint: write firefox=300M or 'python3*'=80M".to_owned()),
    }
}

fn parse_growth(text: &str) -> Result<Growth, String> {
    match parse_percent(text) {
        None => parse_size(text).map(Growth::Bytes),
        Some(percent) if (0.0..f64::INFINITY).contains(&percent) => Ok(Growth::Percent(percent)),
        Some(_) => Err("not a part of the size before\nhint: write 5% or 20M".to_owned()),
    }
}

/// A file of budgets.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct BudgetFile {
    max_closure: Option<Amount>,
    max_disk: Option<Amount>,
    max_physical: Option<Amount>,
    max_paths: Option<u64>,
    #[serde(default)]
    max_path: BTreeMap<String, Amount>,
    #[serde(default)]
    max_retained: BTreeMap<String, Amount>,
    #[serde(default)]
    forbid: Vec<String>,
    #[serde(default)]
    no_variants: bool,
    #[serde(default)]
    no_leftovers: bool,
    max_growth: Option<Allowed>,
}

/// A size: bytes, or a text with a unit.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
struct Amount(u64);

/// A growth: bytes, or a text.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
struct Allowed(Growth);

/// An error in one line, with its hint.
fn in_a_line(error: &str) -> String {
    error.replace("\nhint: ", "; ")
}

fn text_of(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::Integer(n) => Ok(n.to_string()),
        toml::Value::String(text) => Ok(text.clone()),
        _ => Err("neither a number of bytes nor a text".to_owned()),
    }
}

impl TryFrom<toml::Value> for Amount {
    type Error = String;
    fn try_from(value: toml::Value) -> Result<Self, String> {
        parse_size(&text_of(&value)?).map(Self).map_err(|e| in_a_line(&e))
    }
}

impl TryFrom<toml::Value> for Allowed {
    type Error = String;
    fn try_from(value: toml::Value) -> Result<Self, String> {
        parse_growth(&text_of(&value)?).map(Self).map_err(|e| in_a_line(&e))
    }
}

impl BudgetArgs {
    /// All budgets: those of the file after those of the command line.
    pub(super) fn read(&self, current_dir: &Path) -> Result<Self, Failure> {
        let mut all = self.clone();
        let Some(named) = &self.budgets else { return Ok(all) };
        let wrong = || Failure::usage(format!("--budgets {}: cannot be used", named.display()));
        let text =
            std::fs::read_to_string(current_dir.join(named)).map_err(|e| wrong().cause(e))?;
        let file: BudgetFile = toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|span| text[..span.start].matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let message = e.message().replace('\n', " ");
            wrong().cause(format!("{place}{message}"))
        })?;
        let size = |amount: Option<Amount>| amount.map(|Amount(bytes)| bytes);
        all.max_closure = all.max_closure.or(size(file.max_closure));
        all.max_disk = all.max_disk.or(size(file.max_disk));
        all.max_physical = all.max_physical.or(size(file.max_physical));
        all.max_paths = all.max_paths.or(file.max_paths);
        all.max_growth = all.max_growth.or(file.max_growth.map(|Allowed(growth)| growth));
        all.no_variants |= file.no_variants;
        all.no_leftovers |= file.no_leftovers;
        all.forbid.extend(file.forbid);
        all.forbid.dedup();
        for (list, more) in
            [(&mut all.max_path, file.max_path), (&mut all.max_retained, file.max_retained)]
        {
            for (pattern, Amount(bytes)) in more {
                if !list.iter().any(|(known, _)| *known == pattern) {
                    list.push((pattern, bytes));
                }
            }
        }
        Ok(all)
    }

    /// Whether nothing is checked.
    pub(super) fn is_empty(&self) -> bool {
        self.max_closure.is_none()
            && self.max_disk.is_none()
            && self.max_physical.is_none()
            && self.max_paths.is_none()
            && self.max_growth.is_none()
            && !self.no_variants
            && !self.no_leftovers
            && [&self.max_path, &self.max_retained].iter().all(|list| list.is_empty())
            && self.forbid.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, args: BudgetArgs) -> Result<BudgetArgs, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b.toml"), text).unwrap();
        let args = BudgetArgs { budgets: Some("b.toml".into()), ..args };
        args.read(dir.path()).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_file_says_what_flags_say() {
        let text = "max-closure = \"500M\"\nmax-paths = 12\nmax-disk = 4096\nmax-physical = \"2K\"\nno-variants = true\n\
                    forbid = [\"perl\", \"gcc*\"]\nmax-growth = \"5%\"\n\
                    [max-path]\nfirefox = \"300M\"\n[max-retained]\n\"a=b\" = \"1K\"\n";
        let all = read(text, BudgetArgs::default()).unwrap();
        assert_eq!(
            (all.max_closure, all.max_paths, all.max_disk),
            (Some(500 << 20), Some(12), Some(4096))
        );
        assert_eq!(all.max_physical, Some(2048));
        assert!(all.no_variants && !all.no_leftovers);
        assert_eq!(all.forbid, ["perl", "gcc*"]);
        assert_eq!(all.max_growth, Some(Growth::Percent(5.0)));
        assert_eq!(all.max_path, [("firefox".to_owned(), 300 << 20)]);
        assert_eq!(all.max_retained, [("a=b".to_owned(), 1024)]);
        let flags = BudgetArgs {
            max_closure: Some(1),
            max_path: vec![("firefox".to_owned(), 2)],
            ..BudgetArgs::default()
        };
        let both = read(text, flags).unwrap();
        assert_eq!((both.max_closure, both.max_path), (Some(1), vec![("firefox".to_owned(), 2)]));
        assert!(!all.is_empty() && BudgetArgs::default().is_empty());
    }

    #[test]
    fn what_a_file_gets_wrong_is_named_with_its_line() {
        for (text, said) in [
            ("max-closure = \"5Q\"\n", "line 1: not a size"),
            ("\nmax-disc = 5\n", "line 2: unknown field `max-disc`"),
            ("max-paths = -1\n", "line 1: "),
            ("max-growth = true\n", "neither a number of bytes nor a text"),
            ("[max-path\n", "line 1: "),
        ] {
            let error = read(text, BudgetArgs::default()).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn patterns_and_growths() {
        assert_eq!(parse_pattern("a=b=5K"), Ok(("a=b".to_owned(), 5120)));
        assert!(parse_pattern("=5K").is_err() && parse_pattern("a").is_err());
        assert_eq!(parse_growth("20M"), Ok(Growth::Bytes(20 << 20)));
        assert_eq!(parse_growth("0.5 %"), Ok(Growth::Percent(0.5)));
        assert!(parse_growth("-1%").is_err() && parse_growth("nan%").is_err());
    }
}
