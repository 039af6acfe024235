//! Commands that a person would run, as a shell takes them. They are printed,
//! never run.

use std::fmt::Write;

/// A word of a command.
pub(super) fn word(bytes: &[u8]) -> String {
    let plain = |&b: &u8| b.is_ascii_alphanumeric() || b"/._-+:=@%,".contains(&b);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => {
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

    #[test]
    fn a_shell_reads_the_same_bytes() {
        let names: [&[u8]; 7] =
            [b"/a/b-1.0", b"/a b", b"/it's", b"/$HOME", b"/\n\x1b'\\x", b"/\xff\xfe", b"/\xc3\xa9"];
        for name in names {
            let script = format!("printf %s {}", word(name));
            let out = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(out.stdout, name, "{script}");
            assert!(!script.chars().any(char::is_control));
        }
    }
}
