//! The one way in which tests are skipped: the library's use it too.

use std::io::Write;

/// Says that a test, or a part of one, is skipped; panics where nothing may be.
#[track_caller]
pub(crate) fn skip(reason: &str) {
    assert!(!require(), "NIX_CENSUS_REQUIRE_NIX is set, but {reason}");
    // Written as it is: what macros print of a test that passes, nobody sees.
    let thread = std::thread::current();
    let line = format!("skipped {}: {reason}\n", thread.name().unwrap_or("test"));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Whether no test may be skipped.
pub(crate) fn require() -> bool {
    std::env::var_os("NIX_CENSUS_REQUIRE_NIX").is_some_and(|value| value == "1")
}
