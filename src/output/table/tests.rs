//! Tables of made answers at any width: no line is wider, numbers are whole, every
//! row is one line.

use super::super::{Format, Style, write};
use super::*;
use crate::answer::Head;
use crate::warning::Warnings;
use proptest::prelude::*;

/// What a made answer holds.
#[derive(Clone, Debug)]
struct Made {
    rows: Vec<(u64, u64, u8, String)>,
    depths: Vec<u32>,
    note: String,
}

fn made() -> impl Strategy<Value = Made> {
    let name = "[a-zé日_.+-]{1,40}";
    let row = (any::<u64>(), 0u64..1 << 40, 0u8..20, name);
    (
        proptest::collection::vec(row, 0..30),
        proptest::collection::vec(0u32..20, 0..30),
        "[a-z日 ]{0,200}",
    )
        .prop_map(|(rows, depths, note)| Made { rows, depths, note })
}

fn path(hash: u8, name: &str) -> String {
    let hash = char::from(b'0' + hash % 10).to_string().repeat(32);
    // Names of store paths are ASCII; others stay as they are.
    format!("/nix/store/{hash}-{name}")
}

fn lines_of(depths: &[u32]) -> Vec<GraphLine> {
    let mut above = 0;
    let line = |(i, &depth): (usize, &u32)| {
        let depth = if i == 0 { 0 } else { depth.min(above + 1) };
        above = depth;
        GraphLine { node: i as u32, parent: None, depth, repeated: depth == 3 }
    };
    depths.iter().enumerate().map(line).collect()
}

fn print(made: &Made, style: &Style, limit: Option<usize>) -> String {
    let warnings = Warnings::new();
    let lines = lines_of(&made.depths);
    let head = Head { store_dir: "/nix/store", warnings: &warnings };
    let columns = vec![
        Column::size("disk_size").titled("disk size").weight().share(),
        Column::size("closure_size").titled("closure"),
        Column::count("referrers"),
        Column::time("time").rank(6),
        Column::path("path"),
        Column::text("because"),
    ];
    let cells = |(size, count, hash, name): &(u64, u64, u8, String)| {
        vec![
            Cell::Size(*size),
            Cell::Size(*count),
            Cell::Count(*count),
            Cell::Time((*count >> 10) as i64),
            Cell::text(path(*hash, name)),
            Cell::text(format!("{name} {name}")),
        ]
    };
    let list = Section::Rows {
        key: "paths",
        title: "All of the paths there are".to_owned(),
        columns: columns.clone(),
        rows: RowIter::new(made.rows.iter().map(cells)),
        footer: std::iter::once(Cell::Size(u64::MAX))
            .chain((1..6).map(|_| Cell::text("")))
            .collect(),
        summary: false,
    };
    let row = |line: &GraphLine| cells(&(line.node.into(), 1 << 30, 0, made.note.clone()));
    let graph = Section::graph("lines", columns, "path", &lines, row);
    let fields = vec![
        Field::new("paths", "valid paths", Cell::Count(1_234_567)).remark(made.note.clone()),
        Field::new("disk_size", "whole store on disk", Cell::Size(1 << 40)),
        Field::new("line", "last line", Cell::text(made.note.clone())),
    ];
    let sections = vec![
        list,
        graph,
        Section::fields(None, "Summary", fields),
        Section::Note(made.note.clone()),
    ];
    let document = Document { limit, ..Document::new(head, sections, "paths") };
    let mut out = Vec::new();
    write(document, Format::Table, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        made in made(),
        width in 20usize..=200,
        height in proptest::option::of(5usize..60),
        limit in proptest::option::of(0usize..40),
        ascii in any::<bool>(),
    ) {
        let style = Style { width: Some(width), height, ascii, ..Style::default() };
        let text = print(&made, &style, limit);
        for line in text.lines() {
            prop_assert!(columns_of(line) <= width, "{width}: {line:?}");
            prop_assert!(!ascii || line.is_ascii(), "{line:?}");
        }
        // Colours change nothing else.
        let colored = print(&made, &Style { color: true, ..style }, limit);
        let mut bare = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once('\x1b') {
            bare.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        bare.push_str(rest);
        prop_assert_eq!(bare, text);
    }

    #[test]
    fn numbers_are_whole_and_rows_are_lines(made in made(), width in 20usize..=200) {
        let style = Style { width: Some(width), ..Style::default() };
        let only = Made { depths: Vec::new(), note: String::new(), ..made };
        let text = print(&only, &style, None);
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.trim_start().starts_with("disk size")).unwrap();
        for (row, line) in only.rows.iter().zip(&lines[at + 1..]) {
            let size = super::super::show::show_in_row(&Cell::Size(row.0), &style);
            prop_assert!(line.contains(&size), "{width}: {size}: {line:?}");
        }
        // And the line after them is the total.
        let whole = super::super::show::show(&Cell::Size(u64::MAX), &style);
        prop_assert!(lines[at + 1 + only.rows.len()].contains(&whole));
    }

    #[test]
    fn an_answer_of_one_list_fits_the_screen(made in made(), height in 24usize..60) {
        let style = Style { width: Some(100), height: Some(height), ..Style::default() };
        let only = Made { depths: Vec::new(), note: String::new(), ..made };
        let lines = print(&only, &style, None).lines().count();
        prop_assert!(lines < height, "{lines}");
    }
}

#[test]
fn names_are_cut_in_the_middle_and_numbers_never() {
    let rows = vec![
        (1_310_720, 4096, 1, "a-very-long-name-of-a-package-that-does-not-fit-1.2.3".to_owned()),
        (100, 0, 2, "source".to_owned()),
        (1 << 40, 1 << 20, 3, "source".to_owned()),
    ];
    let made = Made { rows, depths: vec![0, 1, 2, 3, 4, 5, 6], note: "a note".to_owned() };
    for width in [20, 40, 60, 80, 120] {
        let style = Style { width: Some(width), ..Style::default() };
        insta::assert_snapshot!(format!("made_at_{width}"), print(&made, &style, None));
    }
    let narrow =
        Style { width: Some(60), height: Some(16), ascii: true, color: true, ..Style::default() };
    insta::assert_snapshot!("made_in_ascii_with_colour", print(&made, &narrow, None));
    insta::assert_snapshot!("made_in_full", print(&made, &Style::default(), Some(2)));
}

#[test]
fn a_deep_tree_of_short_names_is_drawn_where_it_fits() {
    let warnings = Warnings::new();
    let lines = lines_of(&[0, 1, 2, 3]);
    let print = |width: usize| {
        let head = Head { store_dir: "/nix/store", warnings: &warnings };
        let row = |line: &GraphLine| vec![Cell::text(["a", "b", "c", "d"][line.node as usize])];
        let graph = Section::graph("lines", vec![Column::path("path")], "path", &lines, row);
        let style = Style { width: Some(width), ..Style::default() };
        let mut out = Vec::new();
        write(Document::new(head, vec![graph], "lines"), Format::Table, &style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let drawn = "path\na\n└── b\n    └── c\n        └── d [...]\n";
    assert_eq!(print(80), drawn);
    assert_eq!(print(20), drawn);
}
