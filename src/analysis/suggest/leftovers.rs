//! What was needed to build, and is not to run: outputs `-dev`, headers, static
//! libraries, compilers, build tools, sources and derivations in a closure.
use crate::arrange::Arrange as _;

use super::{Action, Handles};
use crate::analysis::graph_changes::{Dropped, Edited, Gain, measure};
use crate::analysis::kinds::kinds_of_path;
use crate::analysis::path_names::list_of;
use crate::analysis::physical;
use crate::analysis::retained::SizeKind;
use crate::answer::{Cell, Column, RowIter, Section};
use crate::catalog::PathId;
use crate::census::{Census, PathIndex};
use crate::disk::KindScan;
use crate::graph::{NodeSet, TooHeavy};
use crate::kinds::FileKind;
use crate::store::Package;
use std::cmp::Reverse;
use std::rc::Rc;

/// Packages that are compilers, as nixpkgs names them; their output `out` alone,
/// since `lib` and the like are for running.
const COMPILERS: &[&str] = &[
    "cargo",
    "clang",
    "clang-wrapper",
    "dmd",
    "dotnet-sdk",
    "fpc",
    "gcc",
    "gcc-wrapper",
    "gfortran",
    "gfortran-wrapper",
    "ghc",
    "gnat",
    "gnat-wrapper",
    "go",
    "ldc",
    "ocaml",
    "rustc",
    "rustc-wrapper",
    "sbcl",
    "zig",
];

/// Packages that are for building.
const BUILD_TOOLS: &[&str] = &[
    "autoconf",
    "automake",
    "binutils",
    "binutils-wrapper",
    "bison",
    "bootstrap-tools",
    "cctools",
    "cmake",
    "cmake-minimal",
    "expand-response-params",
    "flex",
    "gnum4",
    "gnumake",
    "help2man",
    "intltool",
    "libtool",
    "meson",
    "ninja",
    "patchelf",
    "pkg-config",
    "pkg-config-wrapper",
    "pkgconf",
    "scons",
    "stdenv-darwin",
    "stdenv-linux",
    "swig",
    "texinfo",
    "update-autotools-gnu-config-scripts-hook",
];

/// What a leftover of building is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverReason {
    /// A derivation: it holds all that it was built with.
    Derivation,
    /// The output `dev`.
    DevOutput,
    /// The output `static`.
    StaticOutput,
    /// A compiler.
    Compiler,
    /// A tool or hook for building.
    BuildTool,
    /// Sources, by the name or by most of the contents.
    Source,
    /// Most of it is headers, and files for build systems.
    Headers,
    /// Most of it is static libraries.
    StaticLibraries,
}

impl LeftoverReason {
    /// Its stable name.
    pub fn key(self) -> &'static str {
        match self {
            Self::Derivation => "derivation",
            Self::DevOutput => "dev output",
            Self::StaticOutput => "static output",
            Self::Compiler => "compiler",
            Self::BuildTool => "build tool",
            Self::Source => "source",
            Self::Headers => "headers",
            Self::StaticLibraries => "static libraries",
        }
    }
}

/// A path that was likely needed to build only. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The path.
    pub path: PathIndex,
    /// What it is.
    pub reason: LeftoverReason,
    /// What cutting every reference to it gains, by itself.
    pub gain: Gain,
    /// Who refers to it; at least one of them is no leftover itself.
    pub held_by: Vec<PathIndex>,
}

/// The leftovers that something else than a leftover holds, those that gain
/// most first, and what cutting all of them gains.
///
/// # Errors
/// If sizes sum to 2^64 bytes or more.
pub(in crate::analysis) fn find(
    census: &Census,
    scan: Option<&KindScan>,
) -> Result<(Vec<Leftover>, Gain), TooHeavy> {
    let graph = Edited::new(census, &census.targets);
    let all = graph.reached();
    let reasons: Vec<Option<LeftoverReason>> =
        census.indexes().map(|path| reason(census, scan, path)).collect();
    let is_leftover = |node: u32| reasons[node as usize].is_some() && !graph.roots.contains(&node);
    let retained = graph.retained(census)?;
    let referrers = graph.rows.transpose(census.len());
    let mut found = Vec::new();
    for path in census.indexes().filter(|path| all.contains(path.node())) {
        let Some(reason) = reasons[path.index()].filter(|_| is_leftover(path.node())) else {
            continue;
        };
        let held_by = referrers.row(path.node()).iter().copied();
        let held_by: Vec<u32> =
            held_by.filter(|&node| node != path.node() && all.contains(node)).collect();
        if held_by.iter().all(|&node| is_leftover(node)) {
            continue;
        }
        let gain = Gain::of_path(&retained, path);
        let held_by = held_by.into_iter().map(PathIndex::new).collect();
        found.push(Leftover { path, reason, gain, held_by });
    }
    let by = SizeKind::of(census);
    found.arrange_by_key(|leftover| (Reverse(leftover.gain.get(by)), leftover.path));
    let mut without = graph.clone();
    without.remove(&found.iter().map(|leftover| leftover.path).collect::<Vec<_>>());
    let left: NodeSet = without.reached();
    let nothing = Dropped::default();
    let (before, after) = (measure(census, &all, &nothing), measure(census, &left, &nothing));
    Ok((found, Gain::between(census, (&all, before), (&left, after), &nothing)))
}

fn reason(census: &Census, scan: Option<&KindScan>, path: PathIndex) -> Option<LeftoverReason> {
    let id = census.id(path);
    let store_path = census.catalog.store_path(id);
    if store_path.is_derivation() {
        return Some(LeftoverReason::Derivation);
    }
    // A derivation that is called like an output is taken for one here too.
    let package = match census.catalog.package(id) {
        package if package.output.is_none() => Package::guess(store_path.name()),
        package => package,
    };
    match package.output {
        Some("dev") => return Some(LeftoverReason::DevOutput),
        Some("static") => return Some(LeftoverReason::StaticOutput),
        None if COMPILERS.contains(&package.name) && !package.version.is_empty() => {
            return Some(LeftoverReason::Compiler);
        }
        _ if BUILD_TOOLS.contains(&package.name) || store_path.name().ends_with("-hook") => {
            return Some(LeftoverReason::BuildTool);
        }
        _ => {}
    }
    const ARCHIVES: &[&str] = &[".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tgz", ".crate"];
    let name = store_path.name();
    if name == "source"
        || name.ends_with("-source")
        || ARCHIVES.iter().any(|end| name.ends_with(end))
    {
        return Some(LeftoverReason::Source);
    }
    let sums = kinds_of_path(census, scan?, path);
    let of = |kinds: &[FileKind]| -> u64 {
        kinds.iter().map(|&kind| sums[kind as usize].disk_size).fold(0, u64::saturating_add)
    };
    let total = of(FileKind::ALL);
    let most = |kinds: &[FileKind]| total > 0 && of(kinds) > total / 2;
    if most(&[FileKind::Headers, FileKind::Pkgconfig]) {
        Some(LeftoverReason::Headers)
    } else if most(&[FileKind::Static]) {
        Some(LeftoverReason::StaticLibraries)
    } else {
        most(&[FileKind::Sources]).then_some(LeftoverReason::Source)
    }
}

/// The references that hold leftovers, from holder to leftover.
pub(super) fn edges(census: &Census, leftovers: &[Leftover]) -> Vec<(PathId, PathId)> {
    let edges = leftovers.iter().flat_map(|leftover| {
        let to = census.id(leftover.path);
        leftover.held_by.iter().map(move |&from| (census.id(from), to))
    });
    edges.collect()
}

/// The leftovers for printing.
pub(super) fn section<'a>(
    census: &'a Census,
    leftovers: &'a [Leftover],
    all: &Gain,
    handles: Rc<Handles<'a>>,
) -> Section<'a> {
    let (of_disk, of_extents) = ("gain_disk_size", "gain_physical_size");
    let gain = physical::columns(census, of_disk, of_extents, "gain disk");
    let [gain_disk, gain_physical] = physical::weight(census, gain);
    let gain_physical = gain_physical.titled("gain physical");
    let size = |size| Cell::optional(size, Cell::Size);
    let count = |n| Cell::optional(n, Cell::Count);
    let columns = vec![
        Column::size("gain_nar_size").titled("gain NAR"),
        gain_disk,
        gain_physical,
        Column::count("gain_inodes").titled("inodes").hidden(),
        Column::text("reason").titled("what it is").describes(),
        Column::path("path").hidden(),
        Column::text("flags").titled("what-if flags to try it"),
        Column::text("holder").titled("held by"),
        Column::paths("held_by").titled("holders"),
    ];
    let catalog = &census.catalog;
    let rows = leftovers.iter().map(move |leftover| {
        let action = match leftover.held_by[..] {
            [from] => Action::Cut(from, leftover.path),
            _ => Action::Remove(leftover.path),
        };
        vec![
            size(leftover.gain.nar_size),
            size(leftover.gain.disk_size),
            size(leftover.gain.physical_size),
            count(leftover.gain.inodes),
            Cell::text(leftover.reason.key()),
            Cell::text(catalog.path(census.id(leftover.path))),
            Cell::Arguments(handles.flags(action)),
            Cell::optional(leftover.held_by.first(), |&from| {
                Cell::text(catalog.store_path(census.id(from)).name())
            }),
            list_of(catalog, leftover.held_by.iter().map(|&from| census.id(from))),
        ]
    });
    let empty = || Cell::text("");
    let footer = match leftovers.len() {
        0 | 1 => Vec::new(),
        _ => vec![
            size(all.nar_size),
            size(all.disk_size),
            size(all.physical_size),
            count(all.inodes),
            empty(),
            empty(),
            Cell::text("all of them"),
            empty(),
            empty(),
        ],
    };
    Section::Rows {
        key: "leftovers",
        title: if leftovers.is_empty() { "" } else { "Left over from building, each by itself" }
            .to_owned(),
        columns,
        rows: RowIter::new(rows),
        footer,
        summary: false,
    }
}
