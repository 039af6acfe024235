//! What the answer is shown on: how wide and high it is, its colours, its characters.

use super::args::OutputArgs;
use super::destination::Destination;
use super::exit::takes_color;
use std::ffi::OsString;
use std::io::{self, IsTerminal};

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// The least columns that anything is laid out for.
pub(super) const NARROWEST: u16 = 20;

/// What the answer is shown on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Screen {
    /// How many columns; none where lines may be as long as they are.
    pub(super) width: Option<usize>,
    /// How many lines; none where there is room for any.
    pub(super) height: Option<usize>,
    pub(super) color: bool,
    pub(super) ascii: bool,
}

impl Screen {
    /// What the answer to these arguments is shown on.
    pub(super) fn of(args: &OutputArgs, destination: &Destination) -> Self {
        let terminal =
            matches!(destination, Destination::StandardOutput) && io::stdout().is_terminal();
        let size = if terminal { rustix::termios::tcgetwinsize(io::stdout()).ok() } else { None };
        let size = size.map(|size| (size.ws_col, size.ws_row));
        Self::new(args, terminal, size, |name| std::env::var_os(name))
    }

    fn new(
        args: &OutputArgs,
        terminal: bool,
        size: Option<(u16, u16)>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let number = |name: &str| -> Option<u16> { set(name)?.to_str()?.parse().ok() };
        let least = |n: u16| usize::from(n.max(NARROWEST));
        let columns = || {
            let columns = number("COLUMNS").or(size.map(|(columns, _)| columns));
            columns.filter(|&n| n > 0).map_or(COLUMNS, least)
        };
        let width = args.width.map(least).or_else(|| terminal.then(columns));
        let lines = || number("LINES").or(size.map(|(_, lines)| lines)).filter(|&n| n > 0);
        let height = if terminal { lines().map(usize::from) } else { None };
        let color = takes_color(args.color, terminal, &variable);
        // The first that is set decides (POSIX, "Environment Variables").
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_string_lossy().to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self { width, height, color, ascii: terminal && !utf8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        output: OutputArgs,
    }

    fn screen(args: &[&str], size: Option<(u16, u16)>, variables: &[(&str, &str)]) -> Screen {
        let line = Line::parse_from([&["x"], args].concat());
        let terminal = size.is_some();
        Screen::new(&line.output, terminal, size.filter(|s| s.0 > 0), |name| {
            let of_name = variables.iter().find(|(n, _)| *n == name);
            of_name.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_size_is_the_terminals_unless_it_is_said() {
        let of = |args: &[&str], size, variables: &[(&str, &str)]| {
            let screen = screen(args, size, variables);
            (screen.width, screen.height)
        };
        assert_eq!(of(&[], None, &[]), (None, None));
        assert_eq!(of(&[], None, &[("COLUMNS", "90")]), (None, None));
        assert_eq!(of(&["--width", "90"], None, &[]), (Some(90), None));
        assert_eq!(of(&[], Some((100, 30)), &[]), (Some(100), Some(30)));
        assert_eq!(of(&[], Some((100, 30)), &[("COLUMNS", "90")]), (Some(90), Some(30)));
        assert_eq!(of(&[], Some((100, 30)), &[("COLUMNS", "x")]), (Some(100), Some(30)));
        assert_eq!(of(&["--width", "70"], Some((100, 30)), &[]), (Some(70), Some(30)));
        assert_eq!(of(&[], Some((0, 0)), &[]), (Some(80), None));
        assert_eq!(of(&[], Some((5, 3)), &[]), (Some(20), Some(3)));
    }

    #[test]
    fn colours_are_for_terminals_unless_somebody_objects() {
        let terminal = Some((80, 24));
        let color =
            |args: &[&str], size, variables: &[(&str, &str)]| screen(args, size, variables).color;
        assert!(color(&[], terminal, &[("TERM", "xterm")]));
        assert!(!color(&[], None, &[]));
        assert!(!color(&[], terminal, &[("TERM", "dumb")]));
        assert!(!color(&[], terminal, &[("NO_COLOR", "1")]));
        assert!(color(&[], terminal, &[("NO_COLOR", "")]));
        assert!(color(&[], None, &[("CLICOLOR_FORCE", "1")]));
        assert!(!color(&[], None, &[("CLICOLOR_FORCE", "0")]));
        assert!(!color(&[], None, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(color(&["--color", "always"], None, &[("NO_COLOR", "1")]));
        assert!(!color(&["--color", "never"], terminal, &[("CLICOLOR_FORCE", "1")]));
    }

    #[test]
    fn the_first_variable_that_is_set_is_the_locale() {
        let ascii = |variables: &[(&str, &str)]| screen(&[], Some((80, 24)), variables).ascii;
        assert!(ascii(&[]));
        assert!(!ascii(&[("LANG", "de_DE.UTF-8")]));
        assert!(!ascii(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(ascii(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]));
        assert!(!ascii(&[("LC_ALL", ""), ("LANG", "de_DE.UTF-8")]));
        assert!(!screen(&["--width", "80"], None, &[]).ascii);
    }
}
