//! Exit statuses, and how each library error becomes one.

use crate::census::TargetError;
use crate::output::escape;
use std::error::Error;
use std::fmt::{Arguments, Display};
use std::io::{self, Write};

/// How a run ended. The numbers are the process's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Done = 0,
    /// Done, and the answer is "no".
    #[allow(dead_code)]
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// Could not be done, or the answer is incomplete.
    Incomplete = 3,
}

/// Says a line on standard error. Where that is gone or full, nothing can be
/// said; the exit status still tells.
pub(super) fn say(line: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Why a command gave no answer.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// Wrong usage.
    pub(super) fn usage(message: impl Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string(), hint: None }
    }

    /// It could not be done.
    pub(super) fn failed(message: impl Display) -> Self {
        Self { exit: Exit::Incomplete, message: message.to_string(), hint: None }
    }

    /// It could not be done: an error and all that caused it.
    pub(super) fn because(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(e) = source {
            message = format!("{message}: {e}");
            source = e.source();
        }
        Self::failed(message)
    }

    /// The same with what the user can do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints it; a reader that went away (`| head`) is no error.
    pub(super) fn report(self) -> Exit {
        if self.message.is_empty() {
            return Exit::Done;
        }
        // Lists in messages have lines of their own; each is made safe.
        let safe: Vec<_> = self.message.lines().map(|l| escape(l.as_bytes())).collect();
        say(format_args!("error: {}", safe.join("\n")));
        if let Some(hint) = self.hint {
            say(format_args!("hint: {hint}"));
        }
        self.exit
    }
}

impl From<io::Error> for Failure {
    /// An error of writing the answer.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::Done, message: String::new(), hint: None };
        }
        Self::failed(format!("the answer could not be written: {error}"))
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self { exit: Exit::Usage, ..Self::because(&error) }
    }
}
