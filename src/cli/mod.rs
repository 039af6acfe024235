//! The command line: arguments, progress, exit status. One small function a
//! command; what they do is in [`analysis`](crate::analysis).

mod args;
mod audit;
mod context;
mod exit;
mod garbage;
mod optimise;
mod overview;
mod progress;
mod report;
mod roots;
mod suggest;
mod tree;
mod what_if;
mod why;

use args::{Cli, Command};
use clap::Parser;
use context::Context;
use exit::{Exit, Failure};
use std::process::ExitCode;

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    // Help and version exit with 0, wrong usage with 2.
    let cli = Cli::parse();
    progress::install_interrupt_handler();
    let (command, context) = (cli.command, Context::new(cli.store, cli.output));
    let result = context.and_then(|context| run(command, &context));
    ExitCode::from(match result {
        Ok(exit) => exit as u8,
        Err(failure) => failure.report() as u8,
    })
}

fn run(command: Option<Command>, context: &Context) -> Result<Exit, Failure> {
    if context.writes_junit() && !matches!(command, Some(Command::Audit(_))) {
        return Err(Failure::usage("only an audit has findings to write as JUnit XML"));
    }
    match command {
        None => overview::run(context),
        Some(Command::Audit(args)) => audit::run(context, &args),
        Some(Command::Report(args)) => report::run(context, &args),
        Some(Command::Suggest(args)) => suggest::run(context, &args),
        Some(Command::Tree(args)) => tree::run(context, &args),
        Some(Command::WhatIf(args)) => what_if::run(context, &args),
        Some(Command::Why(args)) => why::run(context, &args),
        Some(Command::Roots(args)) => roots::run(context, &args),
        Some(Command::Garbage(args)) => garbage::run(context, &args),
        Some(Command::Optimise(args)) => optimise::run(context, &args),
    }
}
