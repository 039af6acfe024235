//! Matching names against a glob directory by directory: each byte of a tree's
//! names is looked at once, however deep the tree is.

use globset::GlobMatcher;
use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;

/// The largest automaton of a glob, in bytes; one of a larger is not made.
const LARGEST: usize = 1 << 20;

/// A glob that can be asked part by part of a name.
pub(super) struct GlobOfNames<'a> {
    glob: &'a GlobMatcher,
    /// The automaton and where it starts; a glob that has none of a bearable
    /// size is asked of whole names.
    automaton: Option<(dense::DFA<Vec<u32>>, StateID)>,
    /// The directories that it names before its first special character: what
    /// it matches lies below them.
    literals: Vec<&'a str>,
}

/// What is known of a glob after a directory's name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AfterName {
    state: StateID,
    /// Whether the directory leads to where the literal directories are.
    leads: bool,
}

impl<'a> GlobOfNames<'a> {
    pub(super) fn new(glob: &'a GlobMatcher) -> Self {
        let text = glob.glob().glob();
        let special = |part: &&str| part.contains(['*', '?', '[', '{', '\\']);
        let literals = text.split('/').take_while(|part| !special(part)).collect();
        Self { glob, automaton: automaton(glob), literals }
    }

    /// What is known at a store path, whose own name is not part of any name.
    pub(super) fn start(&self) -> AfterName {
        let state = self.automaton.as_ref().map_or(StateID::ZERO, |&(_, start)| start);
        AfterName { state, leads: true }
    }

    /// Whether the glob matches the entry of that name in a directory. `whole`
    /// gives the name below the store path.
    pub(super) fn matches(&self, above: AfterName, name: &str, whole: impl Fn() -> String) -> bool {
        match &self.automaton {
            Some((automaton, _)) => {
                let state = step(automaton, above.state, name);
                automaton.is_match_state(automaton.next_eoi_state(state))
            }
            None => self.glob.is_match(whole()),
        }
    }

    /// What is known at the directory of that name in another, which lies so
    /// many directories below the store path: 1 for those in it.
    pub(super) fn enter(&self, above: AfterName, name: &str, depth: u32) -> AfterName {
        let state = match &self.automaton {
            Some((automaton, _)) => step(automaton, step(automaton, above.state, name), "/"),
            None => above.state,
        };
        let literal = self.literals.get(depth.saturating_sub(1) as usize);
        AfterName { state, leads: above.leads && literal.is_none_or(|&literal| literal == name) }
    }

    /// Whether something below a directory may match.
    pub(super) fn leads(after: AfterName) -> bool {
        after.leads
    }
}

fn step(automaton: &dense::DFA<Vec<u32>>, from: StateID, text: &str) -> StateID {
    let mut state = from;
    for byte in text.bytes() {
        if automaton.is_dead_state(state) {
            break;
        }
        state = automaton.next_state(state, byte);
    }
    state
}

/// The automaton of the regular expression that globset makes of a glob, which
/// is compiled as globset does it.
fn automaton(glob: &GlobMatcher) -> Option<(dense::DFA<Vec<u32>>, StateID)> {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(LARGEST))
        .determinize_size_limit(Some(LARGEST));
    let automaton = dense::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().utf8(false).dot_matches_new_line(true))
        .build(glob.glob().regex())
        .ok()?;
    let start = automaton.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
    Some((automaton, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::parse_glob;
    use proptest::prelude::*;

    /// Whether a glob matches a name, asked part by part.
    fn by_parts(glob: &GlobOfNames<'_>, name: &str) -> bool {
        let (above, last) = name.rsplit_once('/').map_or(("", name), |(above, last)| (above, last));
        let mut after = glob.start();
        for (depth, part) in (1..).zip(above.split('/').filter(|part| !part.is_empty())) {
            after = glob.enter(after, part, depth);
        }
        let matches = glob.matches(after, last, || name.to_owned());
        assert!(!matches || GlobOfNames::leads(after), "{name}: it would not be looked for");
        matches
    }

    proptest! {
        #[test]
        fn part_by_part_is_as_the_whole_name(
            glob in "(a|b|é|x|\\*|\\*\\*|\\?|/|\\[ab\\]|\\{a,bx/b\\}){1,7}",
            names in prop::collection::vec("[abxé]{1,3}(/[abxé]{1,2}){0,4}", 1..40),
        ) {
            let Ok(glob) = parse_glob(&glob) else { return Ok(()) };
            let parts = GlobOfNames::new(&glob);
            prop_assert!(parts.automaton.is_some());
            for name in names {
                prop_assert_eq!(by_parts(&parts, &name), glob.is_match(&name), "{}", name);
            }
        }
    }

    #[test]
    fn a_glob_without_an_automaton_is_asked_of_whole_names() {
        // Its automaton would remember where each of the last 20 characters was an a.
        let glob = parse_glob(&format!("x/*a{}", "?".repeat(20))).unwrap();
        let parts = GlobOfNames::new(&glob);
        assert!(parts.automaton.is_none());
        let end = "b".repeat(20);
        assert!(by_parts(&parts, &format!("x/aba{end}")));
        assert!(!by_parts(&parts, &format!("x/b{end}")));
        assert!(!by_parts(&parts, &format!("a{end}")));
    }
}
