//! Standard input, which `-` names. It can be read once.

use super::exit::Failure;
use std::ffi::OsStr;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who reads it has said so.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether a name means standard input.
pub(super) fn is_standard_input(name: impl AsRef<OsStr>) -> bool {
    name.as_ref() == crate::catalog::STANDARD_INPUT
}

/// Takes it for `who`.
///
/// # Errors
/// If something else has taken it.
pub(super) fn take(who: &str) -> Result<(), Failure> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        let message = format!("{who}: standard input is read for something else already");
        return Err(Failure::usage(message).hint("name a file in place of one `-`"));
    }
    Ok(())
}

/// All of it, as text.
pub(super) fn read(who: &str) -> Result<String, Failure> {
    take(who)?;
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|e| Failure::failed(format!("{who}: cannot read standard input")).cause(e))?;
    Ok(text)
}
