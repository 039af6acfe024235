//! The nix-census command.

use std::process::ExitCode;

/// The standard library opens `/dev/null` in place of a closed standard output
/// before `main` begins, and every write then seems to succeed. This looks before it.
#[cfg(any(target_os = "linux", target_os = "macos"))]
// Nothing but the section's name is unchecked: the function is plain safe code,
// and calls the system without any help of the standard library.
#[allow(unsafe_code)]
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static AT_START: extern "C" fn() = {
    extern "C" fn look() {
        nix_census::cli::note_standard_output();
    }
    look
};

fn main() -> ExitCode {
    nix_census::cli::main()
}
