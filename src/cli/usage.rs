//! What is wrong with the arguments, said as all errors are: error, cause, hint.

use super::exit::Failure;
use clap::error::{ContextKind, ErrorKind};
use std::error::Error;

/// What clap found wrong.
pub(super) fn failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let (said, usage) = text.split_once("\nUsage: ").unwrap_or((&text, ""));
    let usage = usage.split("\n\n").next().unwrap_or_default().trim();
    let mut message = Vec::new();
    let (mut tip, mut values) = (None, None);
    for line in said.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("For more information") {
            continue;
        }
        if let Some(hint) = line.strip_prefix("tip: ") {
            // Of several the first is about the name given.
            tip.get_or_insert(hint);
        } else if let Some(listed) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            values = Some(listed);
        } else {
            message.push(line.strip_prefix("error: ").unwrap_or(line));
        }
    }
    let help = || format!("`{} --help` lists the options", command(usage));
    match (error.kind(), error.source()) {
        // A parser of ours says why, and may have a hint.
        (ErrorKind::ValueValidation, Some(source)) => {
            let why = source.to_string();
            let (why, ours) = why.split_once("\nhint: ").unwrap_or((&why, ""));
            let value = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
            let (value, arg) = (value(ContextKind::InvalidValue), value(ContextKind::InvalidArg));
            let failure = Failure::usage(format!("invalid value '{value}' for '{arg}'")).cause(why);
            failure.hint(if ours.is_empty() { help() } else { ours.to_owned() })
        }
        (ErrorKind::MissingRequiredArgument, _) if message.len() > 1 => {
            let missing = message[1..].join(", ");
            Failure::usage(format!("missing arguments: {missing}")).hint(format!("usage: {usage}"))
        }
        _ => {
            Failure::usage(message.join(" ")).hint(tip.or(values).map_or_else(help, str::to_owned))
        }
    }
}

/// The command that a usage line is of: the words before its arguments.
fn command(usage: &str) -> String {
    let words = usage.split_whitespace().take_while(|word| !word.starts_with(['[', '<', '-', '(']));
    let words: Vec<_> = words.collect();
    if words.is_empty() { "nix-census".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_line_begins_with_its_command() {
        assert_eq!(command("nix-census report [OPTIONS] <TARGET>..."), "nix-census report");
        assert_eq!(command("nix-census <--all|--of>"), "nix-census");
        assert_eq!(command(""), "nix-census");
    }
}
