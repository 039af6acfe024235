//! Commands that a person would run, as a shell takes them. They are printed,
//! never run.

use std::fmt::Write;

/// A word of a command, in printable ASCII alone: tables and CSV escape other
/// characters, and a terminal that shows ASCII alone draws some of them as others,
/// so that a shell would read another name.
pub(super) fn word(bytes: &[u8]) -> String {
    let plain = |&b: &u8| b.is_ascii_alphanumeric() || b"/._-+:=@%,".contains(&b);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Ok(text) if bytes.iter().all(|b| matches!(b, b' '..=b'~')) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => {
            let mut quoted = String::from("$'");
            for &b in bytes {
                match b {
                    b'\'' | b'\\' => quoted.extend(['\\', b.into()]),
                    b' '..=b'~' => quoted.push(b.into()),
                    _ => {
                        let _ = write!(quoted, "\\x{b:02x}");
                    }
                }
            }
            quoted + "'"
        }
    }
}

/// A command of several words after its beginning; a word that could be taken
/// for an option cannot be: all are absolute names.
pub(super) fn command<'a>(start: &str, words: impl IntoIterator<Item = &'a [u8]>) -> String {
    words.into_iter().fold(start.to_owned(), |line, bytes| line + " " + &word(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn a_shell_reads_the_same_bytes() {
        let names: [&[u8]; 7] =
            [b"/a/b-1.0", b"/a b", b"/it's", b"/$HOME", b"/\n\x1b'\\x", b"/\xff\xfe", b"/\xc3\xa9"];
        // Characters that no format writes as they are, though they are no controls.
        let drawn_otherwise =
            ["/a\u{ad}b", "/\u{202e}x", "/\u{200b}", "/\u{feff}é", "/\u{e0041}", "/’"];
        for name in names.into_iter().chain(drawn_otherwise.map(str::as_bytes)) {
            // As tables and CSV print it.
            let script = text::escape(format!("printf %s {}", word(name)).as_bytes());
            let out = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(out.stdout, name, "{script}");
            assert!(!script.chars().any(char::is_control));
            assert!(script.is_ascii(), "{script}");
        }
    }
}
