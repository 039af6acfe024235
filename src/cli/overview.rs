//! `nix-census` with no command.

use super::context::{Context, whole};
use super::exit::{Exit, Failure};
use crate::analysis::overview::Overview;
use crate::census::Examine;
use std::time::Instant;

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let start = Instant::now();
    let mut census = context.census(context.catalog()?, &Examine::All, true)?;
    census.needs_column("registrationTime");
    let overview = Overview::new(whole(&census), start.elapsed());
    context.answer(overview.document(&census, &context.location), Exit::Done)
}
