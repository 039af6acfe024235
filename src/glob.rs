//! Globs over names and paths, as shells have them: `*` and `?` stop at a slash, `**` is any number
//! of directories, `[a-z]` one character of some, `[!a-z]` one of the others, `{a,b}` either, and
//! `\` takes a character for itself.
//!
//! A glob is asked directory by directory, so that each name of a tree is looked at once however
//! deep it lies, and a walk goes only where something may match. What is between two slashes is
//! matched by the glob crate, which knows neither braces nor backslashes: those are taken apart here.

use ::glob::{MatchOptions, Pattern};
use fixedbitset::FixedBitSet;
use std::str::Chars;

/// More alternatives than these are refused: each `{a,b}` doubles them.
const MOST_ALTERNATIVES: usize = 1000;
/// As are braces in more braces than these.
const DEEPEST: usize = 32;

/// Why a text is not a glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// A class is not closed.
    #[error("a '[' is missing its ']' ('\\[' is the character)")]
    UnclosedClass,
    /// A range in a class is none.
    #[error("the range {0}-{1} ends before it begins")]
    Range(char, char),
    /// Alternatives are not closed.
    #[error("a '{{' is missing its '}}' ('\\{{' is the character)")]
    UnclosedAlternatives,
    /// Alternatives are closed that were not opened.
    #[error("a '}}' is missing its '{{' ('\\}}' is the character)")]
    UnopenedAlternatives,
    /// A backslash is the last character.
    #[error("there is nothing after the last '\\' ('\\\\' is the character)")]
    DanglingEscape,
    /// It stands for too many.
    #[error("it has more than {MOST_ALTERNATIVES} alternatives, or too many braces in each other")]
    TooMany,
    /// The glob crate does not take it.
    #[error("{0}")]
    Other(String),
}

/// A glob.
///
/// ```
/// use nix_census::glob::Glob;
///
/// let glob = Glob::new("share/**/*.{html,css}").unwrap();
/// assert!(glob.is_match("share/doc/zlib/index.html"));
/// assert!(!glob.is_match("share/doc/zlib"));
/// ```
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    /// What each alternative has between its slashes, and the end of each.
    parts: Vec<Part>,
    /// The parts with which a match may begin.
    start: After,
    /// Whether names are matched one by one, and not all of a path at once.
    by_name: bool,
}

#[derive(Clone, Debug)]
enum Part {
    /// Any number of directories, or at least one name where the end follows.
    Names,
    /// One name.
    Name(Pattern),
    End,
}

/// What of a glob may follow, after some names of a path: see [`Glob::enter`].
#[derive(Clone, Debug)]
pub(crate) struct After(FixedBitSet);

impl Glob {
    /// A glob in which only `**` goes beyond a slash.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        let mut parts = Vec::new();
        for alternative in alternatives(text)? {
            for name in alternative.split(|piece| matches!(piece, Piece::Slash)) {
                parts.push(match name {
                    [Piece::Stars(2)] => Part::Names,
                    name => Part::Name(pattern(name)?),
                });
            }
            parts.push(Part::End);
        }
        Ok(Self::of(text, parts, true))
    }

    /// A glob in which `*`, `?` and classes go beyond slashes.
    pub(crate) fn across_slashes(text: &str) -> Result<Self, GlobError> {
        let mut parts = Vec::new();
        for alternative in alternatives(text)? {
            parts.extend([Part::Name(pattern(&alternative)?), Part::End]);
        }
        Ok(Self::of(text, parts, false))
    }

    /// What is called exactly so.
    pub(crate) fn exactly(text: &str) -> Result<Self, GlobError> {
        let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
        Ok(Self { text: text.to_owned(), ..Self::new(&escaped)? })
    }

    fn of(text: &str, parts: Vec<Part>, by_name: bool) -> Self {
        let mut start = FixedBitSet::with_capacity(parts.len());
        for at in 0..parts.len() {
            if at == 0 || matches!(parts[at - 1], Part::End) {
                reach(&parts, at, &mut start);
            }
        }
        Self { text: text.to_owned(), parts, start: After(start), by_name }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches a name or path.
    pub fn is_match(&self, path: &str) -> bool {
        match path.rsplit_once('/') {
            Some((above, name)) if self.by_name => {
                let enter = |after, name| self.enter(&after, name);
                self.matches(&above.split('/').fold(self.start(), enter), name)
            }
            _ => self.matches(&self.start, path),
        }
    }

    /// What may follow at the beginning of a path.
    pub(crate) fn start(&self) -> After {
        self.start.clone()
    }

    /// What may follow in the directory of that name, which is in another.
    pub(crate) fn enter(&self, above: &After, name: &str) -> After {
        let mut next = FixedBitSet::with_capacity(self.parts.len());
        for at in above.0.ones() {
            match &self.parts[at] {
                Part::Names => {
                    reach(&self.parts, at, &mut next);
                    // It may end here, where it had to have one name.
                    next.set(at + 1, true);
                }
                Part::Name(pattern) if self.is(pattern, name) => {
                    reach(&self.parts, at + 1, &mut next);
                }
                _ => {}
            }
        }
        After(next)
    }

    /// Whether it matches the entry of that name in the directory to which `above` belongs.
    pub(crate) fn matches(&self, above: &After, name: &str) -> bool {
        above.0.ones().any(|at| match &self.parts[at] {
            Part::Names => matches!(self.parts[at + 1], Part::End),
            Part::Name(pattern) => {
                matches!(self.parts[at + 1], Part::End) && self.is(pattern, name)
            }
            Part::End => false,
        })
    }

    /// Whether something below that directory may match.
    pub(crate) fn leads(&self, after: &After) -> bool {
        after.0.ones().any(|at| !matches!(self.parts[at], Part::End))
    }

    fn is(&self, pattern: &Pattern, name: &str) -> bool {
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: self.by_name,
            require_literal_leading_dot: false,
        };
        pattern.matches_with(name, options)
    }
}

/// That part may be next, and what follows it where it may be nothing.
fn reach(parts: &[Part], mut at: usize, reached: &mut FixedBitSet) {
    reached.insert(at);
    while matches!(parts[at], Part::Names) && !matches!(parts[at + 1], Part::End) {
        at += 1;
        reached.insert(at);
    }
}

/// A piece of an alternative.
#[derive(Clone, Debug)]
enum Piece {
    /// Characters as the glob crate takes them.
    Text(String),
    /// So many `*`.
    Stars(usize),
    Slash,
}

/// As the glob crate takes it. To it, two stars are a name of their own, or wrong.
fn pattern(pieces: &[Piece]) -> Result<Pattern, GlobError> {
    let is_slash = |piece: Option<&Piece>| piece.is_none_or(|piece| matches!(piece, Piece::Slash));
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(more) => text += more,
            Piece::Slash => text.push('/'),
            Piece::Stars(2)
                if is_slash(at.checked_sub(1).map(|before| &pieces[before]))
                    && is_slash(pieces.get(at + 1)) =>
            {
                text += "**";
            }
            Piece::Stars(_) if text.ends_with('*') => {}
            Piece::Stars(_) => text.push('*'),
        }
    }
    Pattern::new(&text).map_err(|error| GlobError::Other(error.msg.to_owned()))
}

/// What a glob stands for, without braces and backslashes.
fn alternatives(text: &str) -> Result<Vec<Vec<Piece>>, GlobError> {
    match sequence(&mut text.chars(), 0)? {
        (found, None) => Ok(found),
        (_, Some(_)) => Err(GlobError::UnopenedAlternatives),
    }
}

/// The alternatives of a text up to its end, or to what ends one of a brace: `,` or `}`.
fn sequence(
    rest: &mut Chars<'_>,
    depth: usize,
) -> Result<(Vec<Vec<Piece>>, Option<char>), GlobError> {
    let mut found = vec![Vec::new()];
    while let Some(c) = rest.next() {
        let piece = match c {
            '}' => return Ok((found, Some(c))),
            ',' if depth > 0 => return Ok((found, Some(c))),
            '*' => {
                let stars = rest.as_str();
                let more = stars.len() - stars.trim_start_matches('*').len();
                *rest = stars[more..].chars();
                Piece::Stars(1 + more)
            }
            '?' => Piece::Text("?".to_owned()),
            '[' => Piece::Text(class(rest)?),
            '{' => {
                let choices = braces(rest, depth + 1)?;
                if found.len() * choices.len() > MOST_ALTERNATIVES {
                    return Err(GlobError::TooMany);
                }
                let with =
                    |before: &Vec<Piece>, choice: &Vec<Piece>| [&before[..], choice].concat();
                let each = |before| choices.iter().map(move |choice| with(before, choice));
                found = found.iter().flat_map(each).collect();
                continue;
            }
            '\\' => literal(rest.next().ok_or(GlobError::DanglingEscape)?),
            c => literal(c),
        };
        found.iter_mut().for_each(|found| found.push(piece.clone()));
    }
    Ok((found, None))
}

/// A character that stands for itself.
fn literal(c: char) -> Piece {
    match c {
        '/' => Piece::Slash,
        c => Piece::Text(Pattern::escape(c.encode_utf8(&mut [0; 4]))),
    }
}

/// The alternatives of all of a brace, whose beginning was taken.
fn braces(rest: &mut Chars<'_>, depth: usize) -> Result<Vec<Vec<Piece>>, GlobError> {
    if depth > DEEPEST {
        return Err(GlobError::TooMany);
    }
    let mut found = Vec::new();
    loop {
        let (more, end) = sequence(rest, depth)?;
        found.extend(more);
        match end {
            None => return Err(GlobError::UnclosedAlternatives),
            Some(_) if found.len() > MOST_ALTERNATIVES => return Err(GlobError::TooMany),
            Some('}') => return Ok(found),
            Some(_) => {}
        }
    }
}

/// A class, whose beginning was taken, as the glob crate takes it: that knows no `^`, and takes
/// ranges that end before they begin for nothing.
fn class(rest: &mut Chars<'_>) -> Result<String, GlobError> {
    let text = rest.as_str();
    let negated = text.starts_with(['!', '^']);
    let inner = &text[usize::from(negated)..];
    let first = inner.chars().next().map_or(0, char::len_utf8);
    let length = first + inner[first..].find(']').ok_or(GlobError::UnclosedClass)?;
    let (inner, after) = (&inner[..length], &inner[length + 1..]);
    let mut characters = inner.chars();
    while let Some(from) = characters.next() {
        let mut range = characters.clone();
        if let (Some('-'), Some(to)) = (range.next(), range.next()) {
            if from > to {
                return Err(GlobError::Range(from, to));
            }
            characters = range;
        }
    }
    *rest = after.chars();
    Ok(format!("[{}{inner}]", if negated { "!" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether a glob matches a path, asked as a walk asks.
    fn by_names(glob: &Glob, path: &str) -> bool {
        let mut after = glob.start();
        let (above, last) = path.rsplit_once('/').map_or((None, path), |(a, last)| (Some(a), last));
        for name in above.into_iter().flat_map(|above| above.split('/')) {
            if !glob.leads(&after) {
                return false;
            }
            after = glob.enter(&after, name);
        }
        glob.leads(&after) && glob.matches(&after, last)
    }

    fn globset(text: &str, by_name: bool) -> Option<globset::GlobMatcher> {
        let mut builder = globset::GlobBuilder::new(text);
        let builder = builder.literal_separator(by_name).empty_alternates(true);
        Some(builder.build().ok()?.compile_matcher())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn as_the_globset_crate_says(
            text in "(a|b|-|é|\\*|\\*|\\*\\*|\\?|/|/|\\\\\\*|\\\\a|,|\\[ab\\]|\\[!a/\\]|\\[\\^b/\\]|\\[\\]a-\\]|\\[!a-b/\\]|\\[b-\\]|\\{a,b\\*x/b\\}|\\{\\{a,b\\},\\?\\}){1,9}",
            names in prop::collection::vec("[abx,*\\]-]{1,3}(/[abx-]{1,2}){0,4}", 1..30),
            by_name: bool,
        ) {
            let glob = match by_name { true => Glob::new(&text), false => Glob::across_slashes(&text) };
            // No name ends so, and the crates differ in what follows `**/`.
            if text.ends_with("**/") {
                return Ok(());
            }
            let judge = globset(&text, by_name);
            prop_assert_eq!(glob.is_ok(), judge.is_some(), "{} {:?}", text, glob);
            let (Ok(glob), Some(judge)) = (glob, judge) else { return Ok(()) };
            for name in names {
                prop_assert_eq!(glob.is_match(&name), judge.is_match(&name), "{} {} {}", text, name, by_name);
                if by_name {
                    prop_assert_eq!(by_names(&glob, &name), glob.is_match(&name), "{} {}", text, name);
                }
            }
        }

        #[test]
        fn any_text_is_a_glob_or_an_error(text in "[ab*?\\[\\]!^{},/\\\\é-]{0,12}", name in "[ab/*é]{0,6}") {
            for by_name in [true, false] {
                let glob = if by_name { Glob::new(&text) } else { Glob::across_slashes(&text) };
                prop_assert_eq!(glob.is_ok(), globset(&text, by_name).is_some(), "{:?}", glob);
                glob.iter().for_each(|glob| _ = glob.is_match(&name));
            }
            prop_assert!(Glob::exactly(&text).unwrap().is_match(&text));
            prop_assert_eq!(Glob::exactly(&text).unwrap().is_match(&name), name == text);
        }
    }

    #[test]
    fn in_what_it_differs_from_the_globset_crate() {
        let is = |text: &str, name| Glob::new(text).unwrap().is_match(name);
        // A character that takes several bytes is one.
        assert!(is("caf?", "café") && is("[é-ü]", "ö") && !is("caf??", "café"));
        // A class ends at a slash too.
        assert!(!is("a[!b]c", "a/c") && !is("a[.-0]c", "a/c"));
        // Braces come before stars, as in bash.
        assert!(is("{a,}**/x", "x") && is("{a/,}**/x", "a/b/x") && is("x{,.drv}", "x"));
    }

    #[test]
    fn a_walk_goes_where_something_may_match() {
        let glob = Glob::new("{usr/,}share/*/man/**").unwrap();
        let leads = |path: &str| {
            let enter = |after, name| glob.enter(&after, name);
            glob.leads(&path.split('/').fold(glob.start(), enter))
        };
        for path in ["usr", "share", "usr/share", "share/x", "share/x/man", "share/x/man/y/z"] {
            assert!(leads(path), "{path}");
        }
        for path in ["lib", "usr/lib", "share/x/doc", "usr/usr"] {
            assert!(!leads(path), "{path}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| Glob::new(text).unwrap_err();
        assert_eq!(error("a[b"), GlobError::UnclosedClass);
        assert_eq!(error("a[z-a]"), GlobError::Range('z', 'a'));
        assert_eq!(error("{a,b"), GlobError::UnclosedAlternatives);
        assert_eq!(error("a}"), GlobError::UnopenedAlternatives);
        assert_eq!(error("a\\"), GlobError::DanglingEscape);
        assert_eq!(error(&"{a,b}".repeat(10)), GlobError::TooMany);
        assert_eq!(error(&"{".repeat(100_000)), GlobError::TooMany);
        assert_eq!(error(&format!("{{{}}}", ",".repeat(2000))), GlobError::TooMany);
        assert_eq!(error("a}").to_string(), "a '}' is missing its '{' ('\\}' is the character)");
    }
}
