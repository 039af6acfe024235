//! How many columns of a terminal texts take, and how they are made to fit.

use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// How many columns a character takes: 2 if it is wide, 0 if it combines.
fn columns_of_char(c: char) -> usize {
    match c {
        // Most of what there is, and the branches of trees.
        ' '..='~' | '\u{2500}'..='\u{257f}' => 1,
        c => c.width().unwrap_or(0),
    }
}

/// How many columns a text without control characters takes.
pub(super) fn columns_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(columns_of_char).sum() }
}

/// The beginning of a text, as much of it as fits.
fn beginning(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns_of_char(c);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// The end of a text, as much of it as fits. It begins with a character that
/// does not combine with what is before it.
fn end(text: &str, columns: usize) -> &str {
    let (mut used, mut from) = (0, text.len());
    for (at, c) in text.char_indices().rev() {
        let width = columns_of_char(c);
        used += width;
        if used > columns {
            break;
        }
        if width > 0 {
            from = at;
        }
    }
    &text[from..]
}

/// A text of at most so many columns: what is too long is cut in the middle, as
/// both ends of a name tell it from others.
pub(super) fn cut(text: &str, columns: usize, ascii: bool) -> Cow<'_, str> {
    cut_to(text, columns, ascii, |left| left - left.div_ceil(2))
}

/// The same, cut at its end: what is read from its beginning.
pub(super) fn cut_end(text: &str, columns: usize, ascii: bool) -> Cow<'_, str> {
    cut_to(text, columns, ascii, |_| 0)
}

/// A text of at most so many columns; `after` says how much of what is left of
/// them is for its end.
fn cut_to(text: &str, columns: usize, ascii: bool, after: fn(usize) -> usize) -> Cow<'_, str> {
    if columns_of(text) <= columns {
        return Cow::Borrowed(text);
    }
    let ellipsis = if ascii { "..." } else { "…" };
    let Some(left) = columns.checked_sub(columns_of(ellipsis)).filter(|&left| left > 1) else {
        return Cow::Borrowed(beginning(text, columns));
    };
    let after = after(left);
    Cow::Owned(format!("{}{ellipsis}{}", beginning(text, left - after), end(text, after)))
}

/// The lines of a text that is wrapped at its spaces; a word that is too long
/// by itself is broken. Lines of the text stay lines.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if columns_of(line) <= columns {
            lines.push(line.to_owned());
            continue;
        }
        let (mut current, mut used) = (String::new(), 0);
        for mut word in line.split(' ') {
            let width = columns_of(word);
            if !current.is_empty() && used + 1 + width <= columns {
                current.push(' ');
                current.push_str(word);
                used += 1 + width;
                continue;
            }
            if !current.is_empty() {
                lines.push(std::mem::take(&mut current));
            }
            while columns_of(word) > columns {
                let mut part = beginning(word, columns);
                if part.is_empty() {
                    // Not even one wide character fits.
                    part = &word[..word.chars().next().map_or(0, char::len_utf8)];
                }
                lines.push(part.to_owned());
                word = &word[part.len()..];
            }
            current.push_str(word);
            used = columns_of(word);
        }
        lines.push(current);
    }
    lines
}

/// The text for a terminal that shows ASCII alone: what is drawn and set by us
/// becomes what looks like it, other characters become escapes.
pub(super) fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '…' => out.push_str("..."),
            '→' => out.push_str("->"),
            '–' | '─' => out.push('-'),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            '│' | '├' => out.push('|'),
            '└' => out.push('`'),
            '×' => out.push('x'),
            '█' => out.push('#'),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wide_and_combining_characters() {
        assert_eq!(columns_of("日本"), 4);
        assert_eq!(columns_of("e\u{301}"), 1);
        assert_eq!(cut("日本語名", 6, false), "日…名");
        assert_eq!(cut("abcdefghij", 5, false), "ab…ij");
        assert_eq!(cut("abcdefghij", 5, true), "a...j");
        assert_eq!(cut("abcdefghij", 3, true), "abc");
        assert_eq!(cut("abcde\u{301}", 3, false), "a…e\u{301}");
    }

    #[test]
    fn words_are_wrapped() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("abcdefg h", 3), ["abc", "def", "g h"]);
        assert_eq!(wrap("a\nb", 9), ["a", "b"]);
        assert_eq!(wrap("", 9), [""]);
    }

    #[test]
    fn names_keep_both_ends_and_sentences_their_beginning() {
        assert_eq!(cut("abcdefghij", 6, false), "abc…ij");
        assert_eq!(cut_end("a sentence", 8, false), "a sente…");
        assert_eq!(cut_end("a sentence", 8, true), "a sen...");
        assert_eq!(cut_end("a sentence", 10, true), "a sentence");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_place(text in "[a-zé日e\u{301} ]{0,60}", columns in 2usize..40) {
            for ascii in [false, true] {
                for cut in [cut, cut_end] {
                    let cut = cut(&text, columns, ascii);
                    prop_assert!(columns_of(&cut) <= columns);
                    prop_assert_eq!(*cut == *text, columns_of(&text) <= columns);
                }
            }
            for line in wrap(&text, columns) {
                prop_assert!(columns_of(&line) <= columns, "{line:?}");
            }
            let words: Vec<_> = wrap(&text, columns).concat().split(' ').collect::<String>().chars().collect();
            let all: Vec<_> = text.chars().filter(|c| *c != ' ').collect();
            prop_assert_eq!(words, all);
        }
    }
}
