//! Help beyond what clap makes of the arguments: examples, and topics that all
//! commands share.

use super::args::{OutputArgs, StoreArgs};
use super::columns::LISTED;
use super::exit::{Exit, Failure, STYLES, print_styled};
use super::near::{near, similar};
use crate::analysis::report::Column;
use clap::builder::StyledStr;
use clap::{Args, Command};

/// Show the help of a command or of a topic
#[derive(Debug, Args)]
pub(super) struct HelpArgs {
    /// A command, or one of: stores, output, columns, targets, sizes, exit
    #[arg(value_name = "COMMAND or TOPIC")]
    about: Option<String>,
}

/// What a command's help shows last: what each line answers, and the line. All of
/// them work on the demo store.
type Examples = &'static [(&'static str, &'static str)];

/// The examples of each command; those of the program have no command.
pub(super) const EXAMPLES: &[(&str, Examples)] = &[
    (
        "",
        &[
            ("The store in one screen", "nix-census"),
            ("What the running system is made of", "nix-census report"),
            ("What to cut from it", "nix-census suggest /run/current-system"),
        ],
    ),
    (
        "report",
        &[
            (
                "The running system, by what each path keeps",
                "nix-census report --sort retained_disk_size",
            ),
            (
                "One package and all it needs",
                "nix-census report nix --columns disk_size,closure_disk_size,name",
            ),
            ("Every path of the store, for a spreadsheet", "nix-census report --all -o store.csv"),
        ],
    ),
    (
        "tree",
        &[
            (
                "Two levels below the running system",
                "nix-census tree /run/current-system --depth 2",
            ),
            (
                "Only what keeps at least 200 KiB",
                "nix-census tree /run/current-system --min-size 200K",
            ),
            ("Who uses perl", "nix-census tree perl --inverse"),
        ],
    ),
    (
        "why",
        &[
            ("The shortest chain", "nix-census why /run/current-system perl"),
            (
                "The files that hold the references",
                "nix-census why /run/current-system perl --precise",
            ),
            ("Who in the whole store uses it", "nix-census why systemd-minimal"),
        ],
    ),
    (
        "what-if",
        &[
            (
                "Without perl and all that only perl needs",
                "nix-census what-if /run/current-system --remove perl",
            ),
            (
                "With one systemd instead of two",
                "nix-census what-if /run/current-system --replace systemd-minimal=systemd",
            ),
            (
                "Without man pages",
                "nix-census what-if /run/current-system --drop-files 'share/man/**'",
            ),
        ],
    ),
    (
        "suggest",
        &[
            ("The best cuts", "nix-census suggest /run/current-system"),
            (
                "Only what gains at least 500 KiB",
                "nix-census suggest /run/current-system --min-size 500K",
            ),
            ("For a program", "nix-census suggest /run/current-system --json"),
        ],
    ),
    (
        "optimise",
        &[
            ("What `nix-store --optimise` would save now", "nix-census optimise"),
            ("Among the paths of one system", "nix-census optimise /run/current-system"),
            ("What equal files cost, by pair of packages", "nix-census optimise --by pair"),
            ("The same for a browser", "nix-census optimise -o equal-files.html"),
            ("What Nix 2.18 would report", "nix-census optimise --nix-version 2.18"),
        ],
    ),
    (
        "variants",
        &[
            ("What the running system has twice", "nix-census variants"),
            ("For a program", "nix-census variants /run/current-system --json"),
            ("By the database alone", "nix-census variants --no-disk"),
        ],
    ),
    (
        "files",
        &[
            ("The largest files of one path", "nix-census files glibc --no-closure"),
            ("A system as a tree", "nix-census files /run/current-system --tree --depth 3"),
            ("Sums by what names end with", "nix-census files --group-by extension"),
        ],
    ),
    (
        "html",
        &[
            ("The running system", "nix-census html -o report.html"),
            ("One package and all it needs", "nix-census html nix -o nix.html"),
            (
                "The whole store by its database alone",
                "nix-census html --all --no-disk -o store.html",
            ),
        ],
    ),
    (
        "kinds",
        &[
            ("What the running system is made of", "nix-census kinds"),
            ("Man pages and documentation", "nix-census kinds --kind man,info,doc"),
            ("The whole store", "nix-census kinds --all"),
        ],
    ),
    (
        "diff",
        &[
            ("What one package brings beside another", "nix-census diff systemd-minimal systemd"),
            (
                "The same path by path, for a program",
                "nix-census diff systemd-minimal systemd --by path --json",
            ),
            ("For a browser", "nix-census diff systemd-minimal systemd -o diff.html"),
            ("What each generation of the system brought", "nix-census diff --system"),
        ],
    ),
    (
        "roots",
        &[
            ("Every root, by what removing it frees", "nix-census roots"),
            ("Who keeps a path alive", "nix-census roots --of glibc"),
            (
                "Profiles, and what old generations hold",
                "nix-census roots --kind profile --older-than 14d",
            ),
        ],
    ),
    (
        "garbage",
        &[
            ("What `nix-store --gc` would free", "nix-census garbage"),
            ("After old generations are deleted", "nix-census garbage --older-than 30d"),
            ("Why a path is dead or alive", "nix-census garbage perl"),
        ],
    ),
    (
        "reclaim",
        &[
            ("What can be done to get space back", "nix-census reclaim"),
            ("Only until 500 KiB come free", "nix-census reclaim --need 500K"),
            ("Without reading files of equal size", "nix-census reclaim --no-optimise"),
        ],
    ),
    (
        "snapshot",
        &[
            ("The whole store", "nix-census snapshot -o store.census"),
            (
                "One system and all it needs",
                "nix-census snapshot /run/current-system -o system.census",
            ),
            (
                "For a pipe, with the name of this host",
                "nix-census snapshot --host-name -o - >host.census",
            ),
        ],
    ),
    (
        "audit",
        &[
            ("The whole store, without reading files", "nix-census audit"),
            (
                "The files of the running system too",
                "nix-census audit /run/current-system --contents",
            ),
            ("A report for continuous integration", "nix-census audit -o audit.xml"),
        ],
    ),
    (
        "check",
        &[
            (
                "A system of at most 2 GiB, without a compiler",
                "nix-census check /run/current-system --max-closure 2G --forbid 'clang*'",
            ),
            (
                "Sizes of single paths, and of all that only they keep",
                "nix-census check /run/current-system --max-path 'linux*=200M' --max-retained perl=50M",
            ),
            (
                "A report for continuous integration",
                "nix-census check /run/current-system --max-paths 2000 -o check.xml",
            ),
        ],
    ),
];

/// The topics, and what each is about.
const TOPICS: [(&str, &str); 6] = [
    ("stores", "Options that choose a store: --root, --store, --no-disk, …"),
    ("output", "Options for formats and files: --json, -o, --quiet, …"),
    ("columns", "Columns and JSON keys of every command"),
    ("targets", "How to name a path: TARGET and PATTERN"),
    ("sizes", "What each size means"),
    ("exit", "Exit statuses"),
];

/// Adds examples and pointers to the topics, and leaves the options that all
/// commands share to them.
pub(super) fn complete(command: Command) -> Command {
    let command = without_shared(command).after_help(topics_help()).after_long_help(format!(
        "{}\n\n{}",
        examples_of(""),
        topics_help()
    ));
    command.mut_subcommands(|sub| {
        if sub.is_hide_set() || sub.get_name() == "help" {
            return sub;
        }
        let examples = examples_of(sub.get_name());
        let header = STYLES.get_header();
        let more = format!(
            "{header}See also:{header:#} nix-census help stores, output, columns, targets, sizes"
        );
        let own = sub.get_after_long_help().or(sub.get_after_help());
        let own = own.map(|own| format!("{}\n\n", own.ansi())).unwrap_or_default();
        sub.after_help(more.clone()).after_long_help(format!("{examples}\n\n{own}{more}"))
    })
}

/// The same without the options that `help stores` and `help output` explain.
pub(super) fn without_shared(command: Command) -> Command {
    let shared = OutputArgs::augment_args(StoreArgs::augment_args(Command::new("shared")));
    let shared: Vec<_> = shared.get_arguments().map(|arg| arg.get_id().clone()).collect();
    command.mut_args(|arg| if shared.contains(arg.get_id()) { arg.hide(true) } else { arg })
}

fn examples_of(command: &str) -> String {
    let examples = EXAMPLES.iter().find(|(name, _)| *name == command);
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let lines = examples.into_iter().flat_map(|(_, examples)| examples.iter());
    lines.fold(format!("{header}Examples:{header:#}"), |text, (what, line)| {
        format!("{text}\n  {what}:\n      {literal}{line}{literal:#}")
    })
}

fn topics_help() -> String {
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let topics = TOPICS.iter();
    topics.fold(format!("{header}Topics:{header:#}"), |text, (name, about)| {
        format!("{text}\n  {literal}help {name:<9}{literal:#}  {about}")
    })
}

/// What a man page shows after the options: examples, and in that of the program
/// the topics.
pub(super) fn man_sections(page: &str) -> String {
    let command = page.strip_prefix("nix-census").unwrap_or(page).trim_start_matches('-');
    let mut text = String::new();
    let examples = EXAMPLES.iter().filter(|(name, _)| *name == command);
    text += ".SH EXAMPLES\n";
    for (what, line) in examples.flat_map(|(_, examples)| examples.iter()) {
        text += &format!(".TP\n{}\n.nf\n{}\n.fi\n", roff(what), roff(line));
    }
    if command.is_empty() {
        for (title, topic) in [
            ("TARGETS AND PATTERNS", TARGETS.to_owned()),
            ("SIZES", SIZES.to_owned()),
            ("COLUMNS", StyledStr::from(columns()).to_string()),
            ("EXIT STATUS", EXIT.to_owned()),
        ] {
            let lines: Vec<_> = topic.lines().skip(2).map(roff).collect();
            text += &format!(".SH \"{title}\"\n.nf\n{}\n.fi\n", lines.join("\n"));
        }
        text += ".SH \"SEE ALSO\"\n\\fBnix\\-store\\fR(1), \\fBnix\\fR(1), \\fBdu\\fR(1)\n";
    } else {
        text += "Options that choose a store and a format go with every command; \
                 \\fBnix\\-census\\fR(1) has them.\n";
        text += ".SH \"SEE ALSO\"\n\\fBnix\\-census\\fR(1)\n";
    }
    text
}

/// A line as roff shows it unchanged.
fn roff(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

/// Prints what is asked for; `command` is the whole program.
pub(super) fn run(mut command: Command, args: &HelpArgs) -> Result<Exit, Failure> {
    command.build();
    let Some(about) = &args.about else {
        return print_styled(&command.render_long_help());
    };
    if let Some(text) = topic(about) {
        return print_styled(&text);
    }
    if let Some(sub) = command.find_subcommand_mut(about) {
        return print_styled(&sub.render_long_help());
    }
    let names = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    let names: Vec<&str> =
        names.map(Command::get_name).chain(TOPICS.iter().map(|(name, _)| *name)).collect();
    let hint = similar(&near(about, names.iter().copied()))
        .unwrap_or_else(|| format!("there are: {}", names.join(", ")));
    Err(Failure::usage(format!("there is no command or topic '{about}'")).hint(hint))
}

/// The text of a topic.
fn topic(name: &str) -> Option<StyledStr> {
    Some(match name {
        "stores" => options(StoreArgs::augment_args(Command::new("stores")), STORES),
        "output" => options(OutputArgs::augment_args(Command::new("output")), OUTPUT),
        "columns" => columns().into(),
        "targets" => TARGETS.into(),
        "sizes" => SIZES.into(),
        "exit" => EXIT.into(),
        _ => return None,
    })
}

/// Some options with all that is to be said of them.
fn options(command: Command, about: &'static str) -> StyledStr {
    let mut command = command
        .styles(STYLES)
        .max_term_width(100)
        .disable_help_flag(true)
        .long_about(about)
        .help_template("{about}\n\n{options}");
    command.render_long_help()
}

const STORES: &str = "\
Which store is examined.

Without options it is this machine's store, as Nix finds it: NIX_STORE_DIR, NIX_STATE_DIR, \
NIX_REMOTE and the setting `store` are honoured. Where there is none, the demo store is shown. \
Nothing is ever written to a store. These options go with every command.";

const OUTPUT: &str = "\
How the answer is written.

Sizes are bytes in JSON and CSV. JSON begins with `schema_version`, `store_dir`, `complete` and \
`warnings`. What is not known is `-` in tables, `null` in JSON and empty in CSV. These options go \
with every command.";

const TARGETS: &str = "\
How to name a path.

A TARGET is one of, in this order:
  /nix/store/…-hello-2.12/bin/hello   a store path, or a path inside one
  hello-2.12                          the exact name, without the hash
  hello                               the package name
  2yxrjp8y…                           the hash part, or its first 7 characters or more
  ./result, /run/current-system       a symlink that leads into the store
  -                                   targets from standard input, one a line

Where several paths are called so, all of them are listed and nothing is guessed. Where a command
takes several targets, a glob such as 'python3*' means all paths whose names match. What is
called exactly so comes before a glob.

A PATTERN is a TARGET or a glob, and all that match are meant.

In a glob:
  *        any characters but slashes
  ?        one character but a slash
  [a-z]    one of these, and [!a-z] one of the others
  **       any number of directories, between slashes
  {a,b}    either of these
  \\        the next character as it is
";

const SIZES: &str = "\
What each size means. All are bytes in JSON and CSV.

  NAR size            the path written as a NAR, as Nix's database has it
  apparent size       lengths of files and symlinks, each inode once
  disk size           allocated blocks, directories too, each inode once (as `du -s`)
  physical            extents as they lie on the disk, compressed, each once; on btrfs, as root.
                      Where blocks say it all (ext4), the disk size
  shared              blocks whose inodes have names in other paths too
  reclaimable         what deleting this path alone frees: disk size less shared, on an overlay
                      without what is in lower layers
  closure             the path and all it references, transitively
  retained            what would go if every reference to the path were cut: the path and
                      all that only it keeps, within the examined set

Sizes of rows overlap: paths share inodes, closures share paths. Totals count everything once.
";

const EXIT: &str = "\
Exit statuses.

  0  done
  1  done, and the answer is \"no\": an audit with findings, a path that nothing holds,
     a --need that all there is to remove does not meet, a budget that is broken
  2  wrong usage
  3  failed, or the answer is incomplete: what was left out is said on standard error
";

/// The columns of a report, then the lists of all commands.
fn columns() -> String {
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let mut text = format!(
        "Columns, in tables, JSON and CSV by the same names.\n\n\
         {header}nix-census report{header:#} (--columns, --sort)\n"
    );
    for column in Column::ALL {
        text += &format!("  {literal}{:<25}{literal:#}  {}\n", column.key(), column.describe());
    }
    text += "\n";
    text += LISTED;
    text
}
