//! JUnit XML: one test case a finding or a check, one for each warning, and a passed one
//! where there is none. Only documents with findings or checks have it.

use crate::answer::{Check, CheckStatus, Document, Finding, Section};
use crate::text::escape;
use crate::warning::Warning;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io::{self, Write};

/// A test case.
struct Case {
    class: &'static str,
    name: String,
    /// `None` if it passed.
    trouble: Option<Trouble>,
}

/// Why a case has not passed.
struct Trouble {
    /// `FAILURE` or `ERROR`, the name of its element.
    tag: &'static str,
    kind: &'static str,
    message: String,
    text: Option<String>,
}

const FAILURE: &str = "failure";
const ERROR: &str = "error";

pub(super) fn write(document: Document<'_>, out: &mut dyn Write) -> io::Result<()> {
    let verdict = document.sections.into_iter().find_map(|section| match section {
        Section::Findings { findings, .. } => {
            Some(("audit", findings.map(|finding| failure(&finding)).collect()))
        }
        Section::Checks { checks, .. } => Some(("check", checks.iter().map(of_check).collect())),
        _ => None,
    });
    let Some((command, mut cases)): Option<(_, Vec<Case>)> = verdict else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the answer has no findings"));
    };
    let name = format!("nix-census {command} of {}", safe(document.head.store_dir.as_bytes()));
    let warnings = document.head.warnings.iter();
    cases.extend(warnings.filter(|w| w.kind.incomplete()).map(error));
    if cases.is_empty() {
        cases.push(Case { class: command, name: "no findings".to_owned(), trouble: None });
    }
    let mut xml = Writer::new_with_indent(out, b' ', 4);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    write_suite(&mut xml, &name, &cases)?;
    // A line ends the document.
    xml.write_indent()
}

fn write_suite(xml: &mut Writer<&mut dyn Write>, name: &str, cases: &[Case]) -> io::Result<()> {
    let count = |tag| {
        let of_tag = |case: &&Case| case.trouble.as_ref().is_some_and(|t| t.tag == tag);
        cases.iter().filter(of_tag).count().to_string()
    };
    let tests = ("tests", &*cases.len().to_string());
    let skipped = ("skipped", "0");
    let (failures, errors) = (("failures", &*count(FAILURE)), ("errors", &*count(ERROR)));
    let suites = xml.create_element("testsuites");
    let suites = suites.with_attributes([tests, skipped, failures, errors]);
    suites.write_inner_content(|xml| {
        let suite = xml.create_element("testsuite");
        let suite = suite.with_attributes([("name", name), tests, skipped, errors, failures]);
        suite.write_inner_content(|xml| cases.iter().try_for_each(|case| write_case(xml, case)))?;
        Ok(())
    })?;
    Ok(())
}

fn write_case(xml: &mut Writer<&mut dyn Write>, case: &Case) -> io::Result<()> {
    let element = xml.create_element("testcase");
    let element = element.with_attributes([("name", &*case.name), ("classname", case.class)]);
    let Some(trouble) = &case.trouble else { return element.write_empty().map(|_| ()) };
    element.write_inner_content(|xml| {
        let element = xml.create_element(trouble.tag);
        let element =
            element.with_attributes([("message", &*trouble.message), ("type", trouble.kind)]);
        match &trouble.text {
            Some(text) => element.write_text_content(BytesText::new(text))?,
            None => element.write_empty()?,
        };
        Ok(())
    })?;
    Ok(())
}

fn failure(finding: &Finding<'_>) -> Case {
    let message =
        finding.difference().map(|(word, text)| format!("{word} {}", safe(text.as_bytes())));
    let message: Vec<String> = message.collect();
    let trouble = Trouble {
        tag: FAILURE,
        kind: finding.severity,
        message: message.join(", "),
        text: Some(finding.hint.to_owned()),
    };
    Case { class: finding.kind, name: safe(&finding.path), trouble: Some(trouble) }
}

fn of_check(check: &Check<'_>) -> Case {
    let tag = match check.status {
        CheckStatus::Passed => None,
        CheckStatus::Failed => Some(FAILURE),
        // What is not known has not passed.
        CheckStatus::Unknown => Some(ERROR),
    };
    let trouble = tag.map(|tag| {
        let details: Vec<_> = check.details.iter().map(|line| safe(line.as_bytes())).collect();
        Trouble {
            tag,
            kind: check.status.name(),
            message: safe(check.message.as_bytes()),
            text: Some(details.join("\n")),
        }
    });
    Case { class: check.kind, name: safe(check.name.as_bytes()), trouble }
}

fn error(warning: &Warning) -> Case {
    let kind = warning.kind.name();
    let message = safe(warning.message.as_bytes());
    let trouble = Trouble { tag: ERROR, kind, message, text: None };
    Case { class: kind, name: safe(&warning.path), trouble: Some(trouble) }
}

/// Text without what XML has no place for, which the library would write as it is: it is
/// escaped, as in tables.
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
    use quick_xml::{Reader, XmlVersion};
    use std::collections::BTreeMap;

    fn written<'a>(section: Section<'a>, warnings: &'a Warnings) -> String {
        let head = Head { store_dir: "/nix/<store>", warnings };
        let mut out = Vec::new();
        write(Document::new(head, vec![section], "x"), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn of_findings<'a>(findings: Vec<Finding<'a>>, warnings: &'a Warnings) -> String {
        let findings = Box::new(findings.into_iter());
        written(Section::Findings { title: String::new(), findings }, warnings)
    }

    /// The elements of a document, each with its name and its attributes.
    fn read_back(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
        let mut reader = Reader::from_str(text);
        let mut elements = Vec::new();
        loop {
            let element = match reader.read_event().unwrap() {
                Event::Start(element) | Event::Empty(element) => element,
                Event::Eof => return elements,
                _ => continue,
            };
            let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let attributes = element.attributes().map(|attribute| {
                let attribute = attribute.unwrap();
                let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap();
                (string(attribute.key.as_ref()), value.into_owned())
            });
            elements.push((string(element.name().as_ref()), attributes.collect()));
        }
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
        let text = of_findings(vec![finding], &warnings);
        assert!(!text.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')));
        assert!(text.contains(">a &amp; b</failure>"), "{text}");
        let elements = read_back(&text);
        let names: Vec<&str> = elements.iter().map(|(name, _)| name.as_str()).collect();
        let cases = ["testcase", "failure", "testcase", "error"];
        assert_eq!(names, [&["testsuites", "testsuite"][..], &cases].concat());
        assert_eq!(elements[1].1["name"], "nix-census audit of /nix/<store>");
        let escaped = "a<b>&\"]]>\\x1b[31m\\n\\u{ffff}\\u{202e}";
        for (case, attributes) in &elements[2..] {
            let key = if case == "testcase" { "name" } else { "message" };
            assert!(attributes[key].ends_with(escaped), "{case}: {attributes:?}");
        }
    }

    /// Unpaired surrogates are no characters.
    #[test]
    fn what_xml_has_no_place_for_is_escaped() {
        for c in '\0'..=char::MAX {
            let text = safe(c.to_string().as_bytes());
            let fits = |c| matches!(c, ' '..='\u{fffd}' | '\u{10000}'..);
            assert!(!text.is_empty() && text.chars().all(fits), "{c:?}: {text:?}");
        }
    }

    #[test]
    fn no_findings_is_a_test_that_passed() {
        assert_eq!(
            of_findings(Vec::new(), &Warnings::new()),
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="1" skipped="0" failures="0" errors="0">
    <testsuite name="nix-census audit of /nix/&lt;store&gt;" tests="1" skipped="0" errors="0" failures="0">
        <testcase name="no findings" classname="audit"/>
    </testsuite>
</testsuites>
"#
        );
    }

    /// Which is no failure of the program, and only the kind of the error tells it.
    #[test]
    fn a_closed_pipe_stays_one() {
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        let warnings = Warnings::new();
        let head = Head { store_dir: "/nix/store", warnings: &warnings };
        let findings = Box::new(std::iter::empty());
        let section = Section::Findings { title: String::new(), findings };
        let error = write(Document::new(head, vec![section], "x"), &mut writer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn checks_that_passed_failed_and_are_not_known() {
        let check = |name: &str, status, message: &str, details: &[&str]| Check {
            kind: "forbid",
            name: name.to_owned(),
            status,
            message: message.to_owned(),
            details: details.iter().map(|&line| line.to_owned()).collect(),
            row: Vec::new(),
        };
        let checks = vec![
            check("a", CheckStatus::Passed, "0 found", &["not said"]),
            check("b", CheckStatus::Failed, "2 found", &["/x → \"y\"", "/z"]),
            check("c", CheckStatus::Unknown, "", &[]),
        ];
        let mut warnings = Warnings::new();
        warnings.push(WarningKind::Unreadable, "d", "why");
        let section =
            Section::Checks { key: "checks", title: String::new(), columns: Vec::new(), checks };
        assert_eq!(
            written(section, &warnings),
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" skipped="0" failures="1" errors="2">
    <testsuite name="nix-census check of /nix/&lt;store&gt;" tests="4" skipped="0" errors="2" failures="1">
        <testcase name="a" classname="forbid"/>
        <testcase name="b" classname="forbid">
            <failure message="2 found" type="failed">/x → &quot;y&quot;
/z</failure>
        </testcase>
        <testcase name="c" classname="forbid">
            <error message="" type="unknown"></error>
        </testcase>
        <testcase name="d" classname="unreadable">
            <error message="why" type="unreadable"/>
        </testcase>
    </testsuite>
</testsuites>
"#
        );
    }
}
