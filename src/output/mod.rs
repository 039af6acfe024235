//! Writing answers: one module a format, one place for all commands.

mod bars;
mod blocks;
mod branches;
mod csv;
mod fields;
mod findings;
mod github;
mod grid;
mod heaviest;
#[cfg(feature = "html")]
pub(crate) mod html;
mod json;
mod junit;
mod markdown;
mod names;
mod plan;
mod show;
mod table;
mod width;

pub use crate::text::Units;
pub use show::Style;

use crate::answer::Document;
use std::io::{self, Write};

/// The version of the JSON's shape; raised when a key changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// An output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One object; lists are streamed, one element a line.
    Json,
    /// The main list of the answer, with a header line.
    Csv,
    /// Findings or checks as JUnit XML, which continuous integration reads.
    Junit,
    /// A page for a browser. No document is one: see `nix-census html`.
    Html,
    /// The same as workflow commands of GitHub Actions, which become annotations.
    Github,
    /// Tables as forges render them: a summary for a pull request.
    Markdown,
}

impl Format {
    /// Whether an answer can be written in the format.
    pub fn fits(self, document: &Document<'_>) -> bool {
        match self {
            Self::Table | Self::Json | Self::Csv | Self::Markdown => true,
            Self::Junit | Self::Github => document.has_verdict(),
            Self::Html => false,
        }
    }

    /// Whether the format holds nothing but findings or checks.
    pub fn is_verdict(self) -> bool {
        matches!(self, Self::Junit | Self::Github)
    }
}

/// Writes a document.
///
/// # Errors
/// If writing fails, or the format [does not fit](Format::fits).
pub fn write(
    document: Document<'_>,
    format: Format,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let document = if cfg!(debug_assertions) { document.checked() } else { document };
    match format {
        Format::Table => table::write(document, style, out),
        Format::Json => json::write(document, out),
        Format::Csv => csv::write(document, out),
        Format::Junit => junit::write(document, out),
        Format::Html => Err(io::Error::new(io::ErrorKind::Unsupported, "the answer is no page")),
        Format::Github => github::write(document, out),
        Format::Markdown => markdown::write(document, style, out),
    }?;
    out.flush()
}
