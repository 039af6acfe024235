//! The command line: arguments, progress, exit status. One small function a
//! command; what they do is in [`analysis`](crate::analysis).

mod args;
mod audit;
mod demo;
mod destination;
mod environment;
mod exit;
mod garbage;
mod hints;
mod image;
mod kinds;
mod locate;
mod need;
mod optimise;
mod overview;
mod progress;
mod report;
mod request;
mod roots;
mod rows;
mod subject;
mod suggest;
mod tree;
mod what_if;
mod why;

use args::{OutputArgs, StoreArgs};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use exit::{Exit, Failure};
use request::Request;
use rows::RowArgs;
use std::process::ExitCode;
use subject::Subject;

/// What is in a Nix store, what it costs on disk, why it is there, and what
/// removing it would gain.
///
/// Without a command: the overview of the store. Nothing is ever written to
/// what is examined.
///
/// Exit status: 0 done; 1 done and the answer is "no"; 2 wrong usage; 3 could
/// not be done, or the answer is incomplete.
#[derive(Debug, Parser)]
#[command(name = "nix-census", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    rows: RowArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Report(report::ReportArgs),
    Tree(tree::TreeArgs),
    Why(why::WhyArgs),
    WhatIf(what_if::WhatIfArgs),
    Suggest(suggest::SuggestArgs),
    Optimise(optimise::OptimiseArgs),
    Kinds(kinds::KindsArgs),
    Roots(roots::RootsArgs),
    Garbage(garbage::GarbageArgs),
    Audit(audit::AuditArgs),
}

/// Remembers whether standard output is open. To be called before the standard
/// library starts, which puts `/dev/null` in the place of a closed one.
pub fn note_standard_output() {
    exit::note_standard_output();
}

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(usage) => return ExitCode::from(exit::usage(&usage) as u8),
    };
    progress::ignore_file_size_signal();
    progress::install_interrupt_handler();
    ExitCode::from(match run(cli) {
        Ok(exit) => exit as u8,
        Err(failure) => failure.report() as u8,
    })
}

/// The process's arguments.
fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    refuse_conflicts(&command, &matches)?;
    Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut command))
}

/// Refuses arguments of all commands that cannot be used together: clap does not
/// see both where one stands before the command and one after it.
fn refuse_conflicts(command: &clap::Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let given = |arg: &clap::Arg| {
        matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    for arg in command.get_arguments().filter(|arg| arg.is_global_set() && given(arg)) {
        if let Some(other) = command.get_arg_conflicts_with(arg).into_iter().find(|arg| given(arg))
        {
            let mut error = clap::Error::new(ErrorKind::ArgumentConflict).with_cmd(command);
            let text = |arg: &clap::Arg| ContextValue::String(arg.to_string());
            error.insert(ContextKind::InvalidArg, text(arg));
            error.insert(ContextKind::PriorArg, text(other));
            return Err(error);
        }
    }
    Ok(())
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let Cli { command, store, rows, output } = cli;
    let request = &Request::new(output, rows)?;
    let subject = &Subject::new(request, store)?;
    // The document is asked too, but only when all work is done.
    if request.wants_findings() && !matches!(command, Some(Command::Audit(_))) {
        return Err(request::no_findings());
    }
    match command {
        None => overview::run(request, subject),
        Some(Command::Report(args)) => report::run(request, subject, &args),
        Some(Command::Tree(args)) => tree::run(request, subject, &args),
        Some(Command::Why(args)) => why::run(request, subject, &args),
        Some(Command::WhatIf(args)) => what_if::run(request, subject, &args),
        Some(Command::Suggest(args)) => suggest::run(request, subject, &args),
        Some(Command::Optimise(args)) => optimise::run(request, subject, &args),
        Some(Command::Kinds(args)) => kinds::run(request, subject, &args),
        Some(Command::Roots(args)) => roots::run(request, subject, &args),
        Some(Command::Garbage(args)) => garbage::run(request, subject, &args),
        Some(Command::Audit(args)) => audit::run(request, subject, &args),
    }
}
