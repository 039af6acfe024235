//! What a report says where something is unknown.

use super::*;
use crate::catalog::{Builder, Record};
use crate::census::Examine;

/// A census of five paths: 0 refers to 1 and 3, 1 to 2; 4 stands alone. The
/// size of 2 is not known.
fn census(change: impl Fn(&mut Builder)) -> Census {
    let mut builder = Builder::new("/nix/store");
    for (n, nar_size) in [Some(1000), Some(200), None, Some(30), Some(4)].into_iter().enumerate() {
        let path = format!("/nix/store/{n:032}-{n}");
        builder.add(&Record { path: path.as_bytes(), nar_size, ..Record::default() }).unwrap();
    }
    for (from, to) in [(0, 1), (0, 3), (1, 2)] {
        builder.add_reference(from, to);
    }
    change(&mut builder);
    let catalog = builder.finish().unwrap();
    Census::new(catalog, &Examine::All, None).unwrap()
}

fn report(census: &Census) -> Report {
    let options = ReportOptions {
        columns: vec![Column::ClosureNarSize, Column::RetainedNarSize, Column::RegistrationTime],
        sort: Column::Path,
        reverse: false,
        limit: None,
        filter: None,
        targets_only: false,
    };
    Report::new(census, &options).unwrap()
}

#[test]
fn a_sum_with_an_unknown_size_is_unknown() {
    let census = census(|_| ());
    let report = report(&census);
    let closures: Vec<_> = report.rows.iter().map(|r| r.closure_nar_size).collect();
    assert_eq!(closures, [None, None, None, Some(30), Some(4)]);
    let retained: Vec<_> = report.rows.iter().map(|r| r.retained_nar_size).collect();
    assert_eq!(retained, [None, None, None, Some(30), Some(4)]);
    assert_eq!(report.total.nar_size, None);
    assert!(!census.warnings.complete());
}

#[test]
fn what_the_source_states_of_a_closure_stands_in() {
    let census = census(|builder| {
        builder.set_closure_size(1, 777);
        // What is known is not asked for.
        builder.set_closure_size(4, 888);
    });
    let report = report(&census);
    let closures: Vec<_> = report.rows.iter().map(|r| r.closure_nar_size).collect();
    assert_eq!(closures, [None, Some(777), None, Some(30), Some(4)]);
}

#[test]
fn a_reference_that_is_not_listed_leaves_closures_unknown() {
    let census = census(|builder| builder.add_unlisted_reference(3, "elsewhere"));
    let report = report(&census);
    let closures: Vec<_> = report.rows.iter().map(|r| r.closure_nar_size).collect();
    assert_eq!(closures, [None, None, None, None, Some(4)]);
    // It may refer to any path, so that nothing is surely kept by one alone.
    assert!(report.rows.iter().all(|r| r.retained_nar_size.is_none()));
}

#[test]
fn an_unknown_time_is_no_time() {
    let census = census(|_| ());
    let report = report(&census);
    let cell = Column::RegistrationTime.cell(&census, &report.rows[0]);
    assert!(matches!(cell, Cell::Missing), "{cell:?}");
}
