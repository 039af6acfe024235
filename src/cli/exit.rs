//! Exit statuses, and how each library error becomes one.

use super::args::ColorArg;
use super::hints;
use crate::census::TargetError;
use crate::text::escape;
use clap::builder::StyledStr;
use clap::builder::styling::{AnsiColor, Style, Styles};
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard output was closed when the program started.
static CLOSED: AtomicBool = AtomicBool::new(false);

pub(super) fn note_standard_output() {
    // Before `main` there is no standard library to ask.
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err();
    CLOSED.store(closed, Ordering::Relaxed);
}

#[cold]
#[allow(unsafe_code, reason = "the standard library ends no program without tidying up")]
pub(super) fn out_of_memory() -> ! {
    let _ = rustix::io::write(rustix::stdio::stderr(), b"error: there is not enough memory\n");
    // SAFETY: it takes a number and does not come back.
    unsafe { libc::_exit(Exit::Incomplete as i32) }
}

/// Standard output. Not the library's own handle, which takes a write that is
/// not allowed (EBADF) for one that succeeded.
pub(super) fn standard_output() -> io::Result<File> {
    if CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::other("standard output is closed"));
    }
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Prints help or the version.
pub(super) fn print(text: &clap::Error) -> Exit {
    print_styled(&text.render()).unwrap_or_else(Failure::report)
}

/// Prints a text of ours, with colours where they show.
pub(super) fn print_styled(text: &StyledStr) -> Result<Exit, Failure> {
    let color = takes_color(asked_color(), io::stdout().is_terminal(), variable);
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    let printed = standard_output().and_then(|mut out| writeln!(out, "{}", text.trim_end()));
    printed.or_else(ignore_closed_pipe).map_err(|e| unwritten(&e))?;
    Ok(Exit::Done)
}

/// A reader that went away (`| head`) wants no more; that is not a failure.
pub(super) fn ignore_closed_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// The answer could not be written.
pub(super) fn unwritten(error: &io::Error) -> Failure {
    Failure::failed("the answer could not be written").cause(error)
}

/// How a run ended. The numbers are the process's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Done = 0,
    /// Done, and the answer is "no".
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// Could not be done, or the answer is incomplete.
    Incomplete = 3,
}

/// What a line on standard error begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// It could not be done.
    Error,
    /// Why not.
    Cause,
    /// What the user can do.
    Hint,
    /// Something is left out.
    Warning,
    /// Nothing is left out.
    Note,
}

impl Label {
    fn text(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Cause => "  cause",
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    /// As [`STYLES`] has them.
    fn style(self) -> Style {
        match self {
            Self::Error => *STYLES.get_error(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
            Self::Hint => *STYLES.get_valid(),
            Self::Note => AnsiColor::Green.on_default().bold(),
            Self::Cause => Style::new().bold(),
        }
    }
}

/// The colours of help and of all that is said on standard error.
pub(super) const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold())
    .valid(AnsiColor::Cyan.on_default().bold())
    .invalid(AnsiColor::Yellow.on_default().bold());

/// Says a line on standard error, or several. Where that is gone or full,
/// nothing can be said; the exit status still shows it.
pub(super) fn say(label: Label, line: impl Display) {
    let color = takes_color(asked_color(), io::stderr().is_terminal(), variable);
    let style = if color { label.style() } else { Style::new() };
    let _ = writeln!(io::stderr(), "{style}{}:{style:#} {line}", label.text());
}

/// What `--color` says, once it is known.
static COLOR: OnceLock<ColorArg> = OnceLock::new();

/// Lets all that is said from now on have the colours that `--color` asks for.
pub(super) fn set_color(color: ColorArg) {
    let _ = COLOR.set(color);
}

fn asked_color() -> ColorArg {
    COLOR.get().copied().unwrap_or_default()
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Whether a stream takes colours that is a terminal or is none (<https://no-color.org>,
/// <https://bixense.com/clicolors>).
pub(super) fn takes_color(
    asked: ColorArg,
    terminal: bool,
    variable: impl Fn(&str) -> Option<OsString>,
) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    match asked {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto if set("NO_COLOR").is_some() => false,
        ColorArg::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorArg::Auto => terminal && set("TERM").is_none_or(|term| term != "dumb"),
    }
}

/// Why a command gave no answer: an error, its cause, and a hint.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    message: String,
    cause: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// Wrong usage.
    pub(super) fn usage(message: impl Display) -> Self {
        Self { exit: Exit::Usage, ..Self::failed(message) }
    }

    /// It could not be done.
    pub(super) fn failed(message: impl Display) -> Self {
        Self { exit: Exit::Incomplete, message: message.to_string(), cause: None, hint: None }
    }

    /// It could not be done: an error and all that caused it.
    pub(super) fn because(error: &dyn Error) -> Self {
        let mut failure = Self::failed(error);
        failure.cause = error.source().map(chain);
        failure
    }

    /// The same with why.
    pub(super) fn cause(mut self, cause: impl Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The same with what the user can do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a hint, if there is one.
    pub(super) fn maybe_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into).or(self.hint);
        self
    }

    /// Prints it.
    pub(super) fn report(self) -> Exit {
        let parts = [
            (Label::Error, Some(self.message)),
            (Label::Cause, self.cause),
            (Label::Hint, self.hint),
        ];
        for (label, text) in parts {
            if let Some(text) = text {
                // Lists have lines of their own; each is made safe.
                let safe: Vec<_> = text.lines().map(|l| escape(l.as_bytes())).collect();
                say(label, safe.join("\n"));
            }
        }
        self.exit
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        text = format!("{text}: {e}");
        source = e.source();
    }
    text
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let failure = Self { exit: Exit::Usage, ..Self::because(&error) };
        failure.maybe_hint(hints::of_target(&error))
    }
}
