//! `nix-census generate`, for packagers: completions and man pages, made of the
//! arguments as they are.

use super::exit::{Exit, Failure, ignore_closed_pipe, standard_output, unwritten};
use super::{candidates, program_for_completion};
use clap::{Args, Command, Subcommand, ValueEnum};
use clap_complete::env::Shells;
use clap_complete_nushell::Nushell;
use clap_mangen::Man;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The variable by which the shells' scripts ask for completions.
pub(super) const VARIABLE: &str = "NIX_CENSUS_COMPLETE";

const NAME: &str = "nix-census";

/// Print completions for a shell, or write man pages
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write a man page of each command
    Man {
        /// Into this directory
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print names of store paths that begin so, for shells without a way of their own
    Names {
        /// The command line so far
        #[arg(value_name = "WORD", last = true)]
        words: Vec<OsString>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Nushell,
}

pub(super) fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    let text = match &args.what {
        What::Completions { shell } => completions(*shell).map_err(|e| unwritten(&e))?,
        What::Man { dir } => return man(dir),
        What::Names { words } => {
            let mut words = words.clone();
            words.insert(0, NAME.into());
            let text = words.pop().filter(|_| words.len() > 1).unwrap_or_default();
            let names = candidates::names(&words, &text.to_string_lossy());
            names.iter().map(|name| format!("{name}\n")).collect::<String>().into_bytes()
        }
    };
    let written = standard_output().and_then(|mut out| out.write_all(&text));
    written.or_else(ignore_closed_pipe).map_err(|e| unwritten(&e))?;
    Ok(Exit::Done)
}

/// A script for a shell. All but Nushell's ask this program what comes next, so
/// that they know names of store paths, and never go stale.
fn completions(shell: Shell) -> io::Result<Vec<u8>> {
    let mut script = Vec::new();
    let name = match shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Elvish => "elvish",
        Shell::Nushell => {
            clap_complete::generate(Nushell, &mut program_for_completion(), NAME, &mut script);
            return Ok(with_names(&String::from_utf8_lossy(&script)).into_bytes());
        }
    };
    let shells = Shells::builtins();
    let shell = shells.completer(name).ok_or(io::ErrorKind::Unsupported)?;
    shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
    Ok(script)
}

/// Lets Nushell ask for the names of store paths.
fn with_names(script: &str) -> String {
    const NAMES: &str = "  def \"nu-complete nix-census names\" [context: string] {\n    \
        let words = ($context | split row ' ' | skip 1)\n    \
        ^nix-census generate names -- ...$words | lines\n  }\n\n";
    let mut text = script.replacen(
        "module completions {\n\n",
        &format!("module completions {{\n\n{NAMES}"),
        1,
    );
    for arg in ["...targets", "targets", "target", "from", "to", "old", "new", "--of", "--remove"] {
        for optional in ["", "?"] {
            let before = format!("    {arg}{optional}: string");
            let after = format!("{before}@\"nu-complete nix-census names\"");
            text = text.replace(&before, &after);
        }
    }
    text
}

/// Writes `nix-census.1` and a page of each command.
fn man(dir: &Path) -> Result<Exit, Failure> {
    let failed = |file: &Path| {
        let message = format!("cannot write {}", file.display());
        move |e| Failure::failed(message).cause(e)
    };
    fs::create_dir_all(dir).map_err(failed(dir))?;
    let mut program = program_for_completion();
    program.build();
    let mut pages = vec![program.clone().disable_help_flag(true)];
    let commands = program.get_subcommands().filter(|sub| !sub.is_hide_set());
    pages.extend(commands.filter(|sub| sub.get_name() != "help").map(|sub| {
        let name = format!("{NAME}-{}", sub.get_name());
        // What all commands share is in the page of the program.
        let own = super::help::without_shared(sub.clone());
        own.display_name(name)
    }));
    for page in pages {
        let name = page.get_display_name().unwrap_or(NAME).to_owned();
        let file = dir.join(format!("{name}.1"));
        let text = page_of(page, &name).map_err(|e| unwritten(&e))?;
        fs::write(&file, text).map_err(failed(&file))?;
    }
    Ok(Exit::Done)
}

fn page_of(command: Command, name: &str) -> io::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let page = Man::new(command)
        .title(name.to_uppercase())
        .date("")
        .source(format!("{NAME} {version}"))
        .manual("User Commands");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if name == NAME {
        page.render_subcommands_section(&mut text)?;
    }
    text.extend(super::help::man_sections(name).into_bytes());
    Ok(text)
}
