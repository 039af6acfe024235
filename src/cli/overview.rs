//! `nix-census` with no command.

use super::exit::{Exit, Failure};
use super::request::Request;
use super::subject::{Subject, whole};
use crate::analysis::overview::Overview;
use crate::census::Examine;
use crate::outside::Outside;
use std::time::Instant;

pub(super) fn run(request: &Request, subject: &Subject) -> Result<Exit, Failure> {
    let start = Instant::now();
    let mut census = subject.census(request, subject.catalog(request)?, &Examine::All, true)?;
    census.needs_column("registrationTime");
    let walk = subject.walks_disk();
    let outside = Outside::find(subject.tree(), &subject.location, walk);
    census.warnings.extend(outside.warnings.clone());
    let mut overview = Overview::new(whole(&census), start.elapsed());
    overview.outside = Some(outside);
    request.answer(overview.document(&census, &subject.location), Exit::Done)
}
