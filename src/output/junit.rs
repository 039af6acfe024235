//! JUnit XML: one test case a finding or a check, one for each warning, and a passed one
//! where there is none. Only documents with findings or checks have it.

use crate::answer::{Check, CheckStatus, Document, Finding, Section};
use crate::text::escape;
use crate::warning::Warning;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    let verdict = document.sections.into_iter().find_map(|section| match section {
        Section::Findings { findings, .. } => {
            Some(("audit", findings.map(|finding| failure(&finding)).collect()))
        }
        Section::Checks { checks, .. } => Some(("check", checks.iter().map(of_check).collect())),
        _ => None,
    });
    let Some((command, cases)): Option<(_, Vec<TestCase>)> = verdict else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the answer has no findings"));
    };
    let name = format!("nix-census {command} of {}", safe(document.head.store_dir.as_bytes()));
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(cases);
    let warnings = document.head.warnings.iter();
    suite.add_test_cases(warnings.filter(|w| w.kind.incomplete()).map(error));
    if suite.tests == 0 {
        suite.add_test_case(case(command, "no findings", TestCaseStatus::success()));
    }
    let mut report = Report::unnamed();
    report.add_test_suite(suite);
    report.serialize(out).map_err(io::Error::other)
}

fn case(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn failure(finding: &Finding<'_>) -> TestCase {
    let message =
        finding.difference().map(|(word, text)| format!("{word} {}", safe(text.as_bytes())));
    let message: Vec<String> = message.collect();
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(finding.severity).set_message(message.join(", "));
    status.set_description(finding.hint);
    case(finding.kind, &safe(&finding.path), status)
}

fn of_check(check: &Check<'_>) -> TestCase {
    let mut status = match check.status {
        CheckStatus::Passed => TestCaseStatus::success(),
        CheckStatus::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        // What is not known has not passed.
        CheckStatus::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if check.status != CheckStatus::Passed {
        let details: Vec<_> = check.details.iter().map(|line| safe(line.as_bytes())).collect();
        status.set_type(check.status.name()).set_message(safe(check.message.as_bytes()));
        status.set_description(details.join("\n"));
    }
    case(check.kind, &safe(check.name.as_bytes()), status)
}

fn error(warning: &Warning) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(warning.kind.name()).set_message(safe(warning.message.as_bytes()));
    case(warning.kind.name(), &safe(&warning.path), status)
}

/// Text without what XML has no place for, which the library would take out of
/// names: it is escaped, as in tables.
fn safe(text: &[u8]) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '\u{fffe}' | '\u{ffff}' => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Head;
    use crate::warning::{WarningKind, Warnings};

    fn read_back(findings: Vec<Finding<'_>>, warnings: &Warnings) -> (String, Report) {
        let head = Head { store_dir: "/nix/<store>", warnings };
        let section =
            Section::Findings { title: String::new(), findings: Box::new(findings.into_iter()) };
        let mut out = Vec::new();
        write(Document::new(head, vec![section], "findings"), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let report = Report::deserialize_from_str(&text).unwrap();
        (text, report)
    }

    #[test]
    fn nothing_breaks_out() {
        let name = "a<b>&\"]]>\x1b[31m\n\u{ffff}\u{202e}";
        let finding = Finding {
            kind: "mode",
            severity: "error",
            path: name.as_bytes().into(),
            expected: Some(name),
            found: None,
            hint: "a & b",
        };
        let mut warnings = Warnings::new();
        warnings.push(WarningKind::Unreadable, name, name);
        let (text, report) = read_back(vec![finding], &warnings);
        assert!(!text.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')));
        assert_eq!((report.tests, report.failures, report.errors), (2, 1, 1));
        let escaped = "a<b>&\"]]>\\x1b[31m\\n\\u{ffff}\\u{202e}";
        let cases = &report.test_suites[0].test_cases;
        for case in cases {
            assert_eq!(case.name.as_str(), escaped);
            let TestCaseStatus::NonSuccess { message, .. } = &case.status else { panic!() };
            assert!(message.as_ref().unwrap().as_str().ends_with(escaped));
        }
    }

    #[test]
    fn no_findings_is_a_test_that_passed() {
        let (_, report) = read_back(Vec::new(), &Warnings::new());
        assert_eq!((report.tests, report.failures, report.errors), (1, 0, 0));
    }
}
