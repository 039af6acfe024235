//! The arguments of the process.

use super::args::{OutputArgs, StoreArgs};
use super::rows::RowArgs;
use super::{Cli, program};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use std::ffi::OsString;

/// Reads them; with the name of the command among them.
pub(super) fn parse(words: &[OsString]) -> Result<(Cli, String), clap::Error> {
    // To set up the arguments of all commands is most of a start. What is wrong with the words, and
    // what help says, takes all of them.
    match read(few(words), words) {
        Err(error) if error.kind() != ErrorKind::DisplayVersion => read(program(), words),
        read => read,
    }
}

fn read(mut command: Command, words: &[OsString]) -> Result<(Cli, String), clap::Error> {
    let matches = command.try_get_matches_from_mut(words)?;
    refuse_conflicts(&command, &matches)?;
    let name = matches.subcommand_name().unwrap_or_default().to_owned();
    let cli = Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut command))?;
    Ok((cli, name))
}

/// The program with only those commands whose names are among the words: words that it takes, the
/// program takes too, and as the same, as it has no arguments of its own but options.
fn few(words: &[OsString]) -> Command {
    let program = Command::new("nix-census").version(env!("CARGO_PKG_VERSION"));
    let program = program.disable_help_subcommand(true);
    let program = StoreArgs::augment_args(program);
    let mut program = OutputArgs::augment_args(RowArgs::augment_args(program));
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        if program.find_subcommand(word).is_none()
            && let Some(command) = command_of(word)
        {
            program = program.subcommand(command);
        }
    }
    program
}

/// Adds the arguments of a command.
type Add = fn(Command) -> Command;

/// The commands that are asked for often.
const OFTEN: [(&str, Add); 17] = [
    ("report", super::report::ReportArgs::augment_args),
    ("tree", super::tree::TreeArgs::augment_args),
    ("why", super::why::WhyArgs::augment_args),
    ("what-if", super::what_if::WhatIfArgs::augment_args),
    ("suggest", super::suggest::SuggestArgs::augment_args),
    ("optimise", super::optimise::OptimiseArgs::augment_args),
    ("variants", super::variants::VariantsArgs::augment_args),
    ("files", super::files::FilesArgs::augment_args),
    ("html", super::html::HtmlArgs::augment_args),
    ("kinds", super::kinds::KindsArgs::augment_args),
    ("diff", super::diff::DiffArgs::augment_args),
    ("roots", super::roots::RootsArgs::augment_args),
    ("garbage", super::garbage::GarbageArgs::augment_args),
    ("reclaim", super::reclaim::ReclaimArgs::augment_args),
    ("audit", super::audit::AuditArgs::augment_args),
    ("snapshot", super::snapshot::SnapshotArgs::augment_args),
    ("check", super::check::CheckArgs::augment_args),
];

/// The one of them with that name.
fn command_of(word: &str) -> Option<Command> {
    let (name, add) = OFTEN.iter().find(|(name, _)| *name == word)?;
    Some(add(Command::new(*name)))
}

/// Refuses arguments of all commands that cannot be used together: clap does not
/// see both where one stands before the command and one after it.
fn refuse_conflicts(command: &Command, matches: &ArgMatches) -> Result<(), clap::Error> {
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

#[cfg(test)]
mod tests {
    use super::super::help::EXAMPLES;
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn commands_alone_have_the_arguments_of_those_of_the_program() {
        let program = program();
        let alone = program.get_subcommands().filter_map(|command| {
            let alone = command_of(command.get_name())?;
            let ids = |of: &Command| of.get_arguments().map(|a| a.get_id().clone()).collect();
            let (alone, of_program): (Vec<_>, Vec<_>) = (ids(&alone), ids(command));
            assert_eq!(alone, of_program, "{}", command.get_name());
            Some(())
        });
        assert_eq!(alone.count(), OFTEN.len());
    }

    #[test]
    fn what_few_commands_take_all_take_as_the_same() {
        let examples = EXAMPLES.iter().flat_map(|(_, examples)| examples.iter());
        let lines = examples.map(|(_, line)| *line).chain([
            "nix-census --root report report report --all",
            "nix-census why report tree",
            "nix-census tree -- why",
            "nix-census --json audit --contents --threads 2",
            "nix-census -n 3",
            "nix-census reprot",
            "nix-census du",
            "nix-census report --help",
            "nix-census -V",
            "nix-census gc report",
        ]);
        let mut taken = 0;
        for line in lines.filter(|line| line.starts_with("nix-census")) {
            let words = words(line);
            let Ok((cli, name)) = read(few(&words), &words) else { continue };
            let (all, name_of_all) = read(program(), &words).expect(line);
            assert_eq!((format!("{cli:?}"), name), (format!("{all:?}"), name_of_all), "{line}");
            taken += 1;
        }
        assert!(taken > 20, "{taken}");
    }

    #[test]
    fn words_that_few_do_not_take_are_read_with_all() {
        for line in ["reprot", "report --al", "--help", "-V", "--version", "why --version"] {
            let words = words(&format!("nix-census {line}"));
            let few = parse(&words).map(|_| ()).unwrap_err().to_string();
            assert_eq!(few, read(program(), &words).map(|_| ()).unwrap_err().to_string(), "{line}");
        }
        for (line, name) in [("nix-census du", "report"), ("nix-census path-info", "path-info")] {
            assert!(read(few(&words(line)), &words(line)).is_err(), "{line}");
            assert_eq!(parse(&words(line)).unwrap().1, name);
        }
    }
}
