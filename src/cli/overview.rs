//! `nix-census` with no command.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::{Subject, whole};
use crate::analysis::overview::Overview;
use crate::census::Examine;
use std::time::Instant;

pub(super) fn run(request: &Request, subject: &Subject) -> Result<Exit, Failure> {
    let start = Instant::now();
    subject.need_whole("the overview")?;
    let mut census = subject.census(request, subject.catalog(request)?, &Examine::All, true)?;
    census.needs_column("registrationTime");
    let outside = subject.outside()?;
    census.warnings.extend(outside.warnings.clone());
    let mut overview = Overview::new(whole(&census), start.elapsed());
    overview.outside = Some(outside);
    request.answer(overview.document(&census, &subject.location), Exit::Done)
}
