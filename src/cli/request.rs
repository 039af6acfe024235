//! What was asked of the program, whatever is examined: the format of the
//! answer, where it goes, and how much is said on the way.

use super::args::{FormatArg, OutputArgs};
use super::columns;
use super::destination::Destination;
use super::exit::{Exit, Failure, Label, say};
use super::rows::RowArgs;
use super::screen::Screen;
use crate::answer::Document;
use crate::answer::selection::Selection;
use crate::output::{self, Format, Style};
use crate::text::{Units, escape};
use crate::warning::{WarningKind, Warnings};
use jiff::tz::TimeZone;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// How many warnings are shown unless all are asked for.
const WARNINGS_TOLD: usize = 10;

/// What was asked of the program.
pub(super) struct Request {
    /// The name of the command, empty for none.
    command: String,
    /// Where it was asked: names are meant from there.
    current_dir: PathBuf,
    args: OutputArgs,
    rows: RowArgs,
    format: Format,
    destination: Destination,
    screen: Screen,
}

impl Request {
    /// `command` is the name of the command, empty for none.
    pub(super) fn new(args: OutputArgs, rows: RowArgs, command: &str) -> Result<Self, Failure> {
        columns::check(command, rows.columns.iter().chain(&rows.sort))?;
        let current_dir = std::env::current_dir()
            .map_err(|e| Failure::failed("cannot read the current directory").cause(e))?;
        let destination = match &args.output {
            Some(file) => Destination::new(&current_dir, file)?,
            None => Destination::StandardOutput,
        };
        let format = args.format()?;
        if format.is_verdict() && !rows.columns.is_empty() {
            return Err(Failure::usage("--columns cannot be used with this format: it has none"));
        }
        let command = command.to_owned();
        let screen = Screen::of(&args, &destination);
        Ok(Self { command, current_dir, args, rows, format, destination, screen })
    }

    /// The current directory.
    pub(super) fn current_dir(&self) -> &Path {
        &self.current_dir
    }

    /// Refuses to write the answer over what is read.
    pub(super) fn keep_off(&self, read: &Path) -> Result<(), Failure> {
        self.destination.keep_off(read)
    }

    /// Says something that leaves nothing out, unless it is to be quiet.
    pub(super) fn note(&self, note: impl Display) {
        if !self.args.quiet {
            say(Label::Note, note);
        }
    }

    pub(super) fn shows_progress(&self) -> bool {
        !self.args.quiet && io::stderr().is_terminal()
    }

    /// Whether the format holds nothing but findings.
    pub(super) fn wants_findings(&self) -> bool {
        self.format.is_verdict()
    }

    /// Whether the format is that of a page.
    pub(super) fn wants_page(&self) -> bool {
        self.format == Format::Html
    }

    /// Refuses what the answer of `html` cannot be: another format, and what no page is.
    pub(super) fn check_only_page(&self) -> Result<(), Failure> {
        // A table is what is written where no format is named.
        let named = matches!(self.args.format, Some(format) if format != FormatArg::Html);
        if named || !matches!(self.format, Format::Html | Format::Table) {
            let failure = Failure::usage("`html` writes a page for a browser, in no other format");
            return Err(failure.hint("name it report.html; `report` has JSON and CSV"));
        }
        self.check_page("html")
    }

    /// Refuses what no page is: some rows, for a terminal.
    pub(super) fn check_page(&self, of: &str) -> Result<(), Failure> {
        self.rows.refuse_selection(of, "the page holds all, and has its own")?;
        if self.writes_to_terminal() {
            let failure = Failure::usage("a page is not for a terminal");
            return Err(failure.hint("name a file for it: -o report.html"));
        }
        Ok(())
    }

    /// Whether the answer is for machines.
    pub(super) fn for_machines(&self) -> bool {
        !matches!(self.format, Format::Table | Format::Markdown | Format::Html)
    }

    /// The unit of sizes in sentences.
    pub(super) fn units(&self) -> Units {
        self.args.units()
    }

    /// Whether tables are laid out for a width.
    pub(super) fn has_width(&self) -> bool {
        self.screen.width.is_some()
    }

    /// Which rows are asked for.
    pub(super) fn rows(&self) -> &RowArgs {
        &self.rows
    }

    /// Writes the rows of an answer that are asked for, and shows its warnings;
    /// incomplete answers end with that status, whole ones with `exit`.
    pub(super) fn answer(&self, document: Document<'_>, exit: Exit) -> Result<Exit, Failure> {
        self.answer_with(document, exit, &self.rows.selection()?)
    }

    /// The same with another selection: what is left of it where the answer was
    /// made of what is asked for.
    pub(super) fn answer_with(
        &self,
        document: Document<'_>,
        exit: Exit,
        selection: &Selection,
    ) -> Result<Exit, Failure> {
        if !self.format.fits(&document) {
            return Err(if self.wants_page() { no_page() } else { no_findings() });
        }
        if cfg!(debug_assertions) {
            columns::check_answer(&self.command, &document);
        }
        let document = selection.apply(document)?;
        let warnings = document.head.warnings;
        let style = Style {
            units: self.args.units(),
            time_zone: TimeZone::system,
            color: self.screen.color,
            width: self.screen.width,
            height: self.screen.height,
            ascii: self.screen.ascii,
            full_paths: self.rows.full_paths,
            expand: self.rows.expand,
        };
        let format = self.format;
        self.destination.write(|out| output::write(document, format, &style, out))?;
        self.show_warnings(warnings);
        Ok(if warnings.complete() { exit } else { Exit::Incomplete })
    }

    /// Writes what is no document, and shows warnings about it.
    pub(super) fn write_file(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
        warnings: &Warnings,
    ) -> Result<Exit, Failure> {
        self.destination.write(write)?;
        Ok(self.end(warnings))
    }

    /// Shows warnings about what was done without an answer.
    pub(super) fn end(&self, warnings: &Warnings) -> Exit {
        self.show_warnings(warnings);
        if warnings.complete() { Exit::Done } else { Exit::Incomplete }
    }

    /// Whether a file is named for the answer; `-` is standard output.
    pub(super) fn has_output_file(&self) -> bool {
        self.args.output.is_some()
    }

    /// Whether what is written goes to a terminal.
    pub(super) fn writes_to_terminal(&self) -> bool {
        matches!(self.destination, Destination::StandardOutput) && io::stdout().is_terminal()
    }

    fn show_warnings(&self, warnings: &Warnings) {
        let shown_kind = |kind: WarningKind| kind.incomplete() || !self.args.quiet;
        let shown = if self.args.verbose { usize::MAX } else { WARNINGS_TOLD };
        let (mut more, mut more_notes) =
            (warnings.incomplete(), warnings.total() - warnings.incomplete());
        for warning in warnings.iter().filter(|w| shown_kind(w.kind)).take(shown) {
            let (label, left) = match warning.kind.incomplete() {
                true => (Label::Warning, &mut more),
                false => (Label::Note, &mut more_notes),
            };
            *left -= 1;
            let path = escape(&warning.path);
            say(label, format_args!("{path}: {}", escape(warning.message.as_bytes())));
        }
        let left = match (more, more_notes) {
            (0, 0) => None,
            (more, 0) => Some((Label::Warning, counted(more, "more warning"))),
            (0, notes) => Some((Label::Note, counted(notes, "more note"))),
            (more, notes) => {
                let (more, notes) = (counted(more, "more warning"), counted(notes, "more note"));
                Some((Label::Warning, format!("{more} and {notes}")))
            }
        };
        if let Some((label, left)) = left.filter(|_| !self.args.quiet) {
            say(label, format_args!("{left} (--verbose shows up to {})", Warnings::KEPT));
        }
        if !warnings.complete() {
            // Notes leave nothing out.
            let total = counted(warnings.incomplete(), "warning");
            say(Label::Warning, format_args!("the answer is incomplete: {total}"));
        }
    }
}

/// Why an answer is not written as a page.
pub(super) fn no_page() -> Failure {
    Failure::usage("only `html`, `diff` and `optimise` write a page for a browser")
        .hint("choose table, json, csv or markdown with --format")
}

/// Why an answer without findings is not written in a format of findings.
pub(super) fn no_findings() -> Failure {
    Failure::usage("only `audit` and `check` can be written in this format")
        .hint("choose table, json, csv or markdown with --format")
}

/// That many of something.
fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
