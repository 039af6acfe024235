//! Exit statuses, and how each library error becomes one.

use crate::census::TargetError;
use crate::text::escape;
use std::error::Error;
use std::fmt::{Arguments, Display};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard output was closed when the program started.
static CLOSED: AtomicBool = AtomicBool::new(false);

pub(super) fn note_standard_output() {
    // Before `main` there is no standard library to ask.
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err();
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Standard output. Not the library's own handle, which takes a write that is
/// not allowed (EBADF) for one that succeeded.
pub(super) fn standard_output() -> io::Result<File> {
    if CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::other("standard output is closed"));
    }
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Prints what clap has to say: help and version, or what is wrong.
pub(super) fn usage(usage: &clap::Error) -> Exit {
    if usage.use_stderr() {
        let _ = usage.print();
        return Exit::Usage;
    }
    let printed = standard_output().and_then(|_| usage.print());
    match printed.or_else(ignore_closed_pipe) {
        Ok(()) => Exit::Done,
        Err(e) => unwritten(&e).report(),
    }
}

/// A reader that went away (`| head`) wants no more; that is not a failure.
pub(super) fn ignore_closed_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// The answer could not be written.
pub(super) fn unwritten(error: &io::Error) -> Failure {
    Failure::failed(format!("the answer could not be written: {error}"))
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

/// Says a line on standard error. Where that is gone or full, nothing can be
/// said; the exit status still shows it.
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

    /// Prints it.
    pub(super) fn report(self) -> Exit {
        // Lists in messages have lines of their own; each is made safe.
        let safe: Vec<_> = self.message.lines().map(|l| escape(l.as_bytes())).collect();
        say(format_args!("error: {}", safe.join("\n")));
        if let Some(hint) = self.hint {
            say(format_args!("hint: {hint}"));
        }
        self.exit
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self { exit: Exit::Usage, ..Self::because(&error) }
    }
}
