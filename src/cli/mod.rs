//! The command line: arguments, progress, exit status. One small function a
//! command; what they do is in [`analysis`](crate::analysis).

mod args;
mod audit;
mod budgets;
mod candidates;
mod check;
mod columns;
mod demo;
mod destination;
mod diff;
mod environment;
mod exit;
mod files;
mod garbage;
mod generate;
mod help;
mod hints;
mod html;
mod image;
mod input;
mod kept;
mod kinds;
mod locate;
mod near;
mod need;
mod optimise;
mod overview;
mod parse;
mod path_info;
mod progress;
mod reclaim;
mod report;
mod request;
mod roots;
mod rows;
mod screen;
mod since;
mod snapshot;
mod subject;
mod suggest;
mod tree;
mod usage;
mod variants;
mod what_if;
mod why;

use args::{OutputArgs, StoreArgs};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::CompleteEnv;
use exit::{Exit, Failure};
use request::Request;
use rows::RowArgs;
use std::process::ExitCode;
use subject::Subject;

/// Find out what is in a Nix store, what it costs on disk, and what keeps it there
///
/// Without a command: the overview of the store. Nothing is ever written to
/// what is examined.
#[derive(Debug, Parser)]
#[command(
    name = "nix-census",
    version,
    styles = exit::STYLES,
    max_term_width = 100,
    disable_help_subcommand = true
)]
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
    #[command(alias = "du")]
    Report(report::ReportArgs),
    Tree(tree::TreeArgs),
    Why(why::WhyArgs),
    #[command(hide = true)]
    WhyDepends(why::WhyArgs),
    WhatIf(what_if::WhatIfArgs),
    Suggest(suggest::SuggestArgs),
    #[command(alias = "optimize")]
    Optimise(optimise::OptimiseArgs),
    Variants(variants::VariantsArgs),
    Files(files::FilesArgs),
    Html(html::HtmlArgs),
    Kinds(kinds::KindsArgs),
    Diff(diff::DiffArgs),
    Roots(roots::RootsArgs),
    #[command(alias = "gc")]
    Garbage(garbage::GarbageArgs),
    Reclaim(reclaim::ReclaimArgs),
    Audit(audit::AuditArgs),
    Snapshot(snapshot::SnapshotArgs),
    Check(check::CheckArgs),
    #[command(hide = true, disable_help_flag = true)]
    PathInfo(path_info::PathInfoArgs),
    Help(help::HelpArgs),
    #[command(hide = true)]
    Generate(generate::GenerateArgs),
}

/// The program's arguments, with help.
fn program() -> clap::Command {
    help::complete(Cli::command())
}

/// The same with all options shown, and what may stand for each argument.
fn program_for_completion() -> clap::Command {
    candidates::complete(Cli::command())
}

/// Remembers whether standard output is open. To be called before the standard
/// library starts, which puts `/dev/null` in the place of a closed one.
pub fn note_standard_output() {
    exit::note_standard_output();
}

/// Ends the program where the system has no memory left. Nothing is allocated, and
/// nothing is tidied up: that could need memory too.
#[cold]
pub fn out_of_memory() -> ! {
    exit::out_of_memory()
}

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    // Before the first database is opened: completions open one too.
    progress::ignore_file_size_signal();
    crate::catalog::open::leave_owners_alone();
    let completion = CompleteEnv::with_factory(program_for_completion).var(generate::VARIABLE);
    match completion.try_complete(std::env::args_os(), None) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return ExitCode::from(usage::failure(&error).report() as u8),
    }
    exit::set_color(args::color_of(std::env::args_os()));
    let (cli, name) = match parse::parse(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(parsed) => parsed,
        Err(error) if !error.use_stderr() => return ExitCode::from(exit::print(&error) as u8),
        Err(error) => return ExitCode::from(usage::failure(&error).report() as u8),
    };
    progress::install_interrupt_handler();
    ExitCode::from(match run(cli, &name) {
        Ok(exit) => exit as u8,
        Err(failure) => failure.report() as u8,
    })
}

/// Why a command has no use for what was found on disk before.
fn reads_files(command: &Command) -> Option<&'static str> {
    match command {
        Command::Audit(_) => Some("`audit` looks at the store as it is"),
        Command::Files(_) | Command::Html(_) => Some("this looks at every file"),
        Command::Optimise(_) => Some("`optimise` compares files, and counts nothing else"),
        Command::Why(_) => Some("`why` asks the database, or reads files"),
        _ => None,
    }
}

fn run(cli: Cli, name: &str) -> Result<Exit, Failure> {
    let Cli { command, store, mut rows, mut output } = cli;
    let command = match command {
        Some(Command::Help(args)) => return help::run(program(), &args),
        Some(Command::Generate(args)) => return generate::run(&args),
        Some(Command::PathInfo(args)) => {
            output.bytes |= !args.human_readable && !output.si;
            Some(Command::Report(args.into_report(&mut rows)))
        }
        // There it means all chains.
        Some(Command::WhyDepends(mut args)) => {
            args.all_chains |= std::mem::take(&mut rows.all);
            Some(Command::Why(args))
        }
        command => command,
    };
    if let Some(Command::Snapshot(_)) = command {
        snapshot::check_output(&mut output, store.update)?;
    }
    if store.since.is_some()
        && let Some(why) = command.as_ref().and_then(reads_files)
    {
        return Err(Failure::usage(format!("--since saves nothing here: {why}")));
    }
    let request = &Request::new(output, rows, name)?;
    let subject = &Subject::new(request, store)?;
    // The document is asked too, but only when all work is done.
    if request.wants_findings() && !matches!(command, Some(Command::Audit(_) | Command::Check(_))) {
        return Err(request::no_findings());
    }
    let is_page = |command: &Command| {
        matches!(command, Command::Html(_) | Command::Diff(_) | Command::Optimise(_))
    };
    if request.wants_page() && !command.as_ref().is_some_and(is_page) {
        return Err(request::no_page());
    }
    let exit = answer(command, request, subject)?;
    Ok(match subject.update_if_not_done(request)? {
        Exit::Done => exit,
        incomplete => incomplete,
    })
}

/// Runs a command on what is examined.
fn answer(command: Option<Command>, request: &Request, subject: &Subject) -> Result<Exit, Failure> {
    match command {
        None => overview::run(request, subject),
        Some(Command::Report(args)) => report::run(request, subject, &args),
        Some(Command::Tree(args)) => tree::run(request, subject, &args),
        Some(Command::Why(args)) => why::run(request, subject, &args),
        Some(Command::WhatIf(args)) => what_if::run(request, subject, &args),
        Some(Command::Suggest(args)) => suggest::run(request, subject, &args),
        Some(Command::Optimise(args)) => optimise::run(request, subject, &args),
        Some(Command::Variants(args)) => variants::run(request, subject, &args),
        Some(Command::Files(args)) => files::run(request, subject, &args),
        Some(Command::Html(args)) => html::run(request, subject, &args),
        Some(Command::Kinds(args)) => kinds::run(request, subject, &args),
        Some(Command::Diff(args)) => diff::run(request, subject, &args),
        Some(Command::Roots(args)) => roots::run(request, subject, &args),
        Some(Command::Garbage(args)) => garbage::run(request, subject, &args),
        Some(Command::Reclaim(args)) => reclaim::run(request, subject, &args),
        Some(Command::Check(args)) => check::run(request, subject, &args),
        Some(Command::Audit(args)) => audit::run(request, subject, &args),
        Some(Command::Snapshot(args)) => snapshot::run(request, subject, &args),
        Some(
            Command::Help(_) | Command::Generate(_) | Command::PathInfo(_) | Command::WhyDepends(_),
        ) => {
            unreachable!("they are done above")
        }
    }
}
