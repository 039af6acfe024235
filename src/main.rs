//! The nix-census command.

use std::process::ExitCode;

fn main() -> ExitCode {
    nix_census::cli::main()
}
