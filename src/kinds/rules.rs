//! The table: which kind a file is, by its place, its name, its first bytes.
//!
//! This is data, meant to be read and added to. A file is of the first of these
//! kinds:
//!
//! 1. that of the outermost directory of its path that is a *place*: all below
//!    such a directory is of one kind, whatever it is called;
//! 2. that of its *name*: exact names first, then beginnings, then the longest ending;
//! 3. that of its *first bytes*, if it is a regular file that may be executed:
//!    of no other are they read;
//! 4. that of the directory at the top of its path, if it is one of the *tops*.
//!
//! What none of them decides is `directories`, `symlinks` or `other`.

use super::FileKind;

/// How files of one kind are known.
#[derive(Clone, Copy, Debug)]
pub struct KindRule {
    /// The kind.
    pub kind: FileKind,
    /// Directories, one or more names, anywhere below the store path.
    pub places: &'static [&'static str],
    /// Names of files: with no `*` exactly so; `*.h` ends so; `README*` begins
    /// so; `*.so.N` ends in `.so`, a dot and a version.
    pub names: &'static [&'static str],
    /// What the first bytes of such files are, in words: for people.
    pub first_bytes: &'static str,
    /// Directories at the top of a store path.
    pub tops: &'static [&'static str],
}

const NONE: KindRule =
    KindRule { kind: FileKind::Other, places: &[], names: &[], first_bytes: "", tops: &[] };

/// The rules, one a kind, in the order in which kinds are listed.
#[rustfmt::skip]
pub const RULES: &[KindRule] = &[
    KindRule {
        kind: FileKind::Man,
        places: &["share/man", "share/devman"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Info,
        places: &["share/info"],
        names: &["*.info", "*.info.gz"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Doc,
        places: &[
            "share/doc", "share/gtk-doc", "share/devhelp", "share/help", "share/javadoc",
            "share/licenses", "share/ri", "texmf-dist/doc", "site-packages/docs",
        ],
        names: &[
            "*.md", "*.rst", "*.adoc", "*.pod", "*.pdf",
            "README", "README.*", "LICENSE", "LICENSE.*", "LICENCE", "LICENCE.*", "COPYING",
            "COPYING.*", "CHANGELOG", "CHANGELOG.*", "ChangeLog", "NEWS", "AUTHORS",
        ],
        ..NONE
    },
    KindRule {
        kind: FileKind::Locale,
        places: &["share/locale", "lib/locale", "share/i18n", "lib/gconv", "LC_MESSAGES"],
        names: &["*.mo", "*.gmo", "*.qm", "locale-archive"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Headers,
        places: &["include"],
        names: &["*.h", "*.hh", "*.hpp", "*.hxx", "*.h++", "*.ipp", "*.tcc", "*.inl", "*.pxd", "*.gir", "*.vapi"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Static,
        names: &["*.a", "*.la", "*.o", "*.obj", "*.lib", "*.rlib", "*.syso", "*.bc"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Pkgconfig,
        places: &["pkgconfig", "lib/cmake", "share/cmake", "share/aclocal"],
        names: &["*.pc", "*.cmake", "*.m4", "*.mk"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Bytecode,
        places: &["__pycache__", "ccache"],
        names: &["*.pyc", "*.pyo", "*.elc", "*.eln", "*.beam", "*.luac", "*.class", "*.jar", "*.wasm"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Debug,
        places: &["lib/debug"],
        names: &["*.debug", "*.dwo", "*.dwp", "*.pdb"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Modules,
        places: &["lib/modules"],
        names: &["*.ko", "*.ko.xz", "*.ko.zst", "*.ko.gz"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Firmware,
        places: &["lib/firmware", "share/qemu", "share/seabios"],
        names: &["*.dfu"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Fonts,
        places: &["share/fonts", "share/X11/fonts", "share/consolefonts", "share/ghostscript/fonts", "texmf-dist/fonts"],
        names: &["*.ttf", "*.ttc", "*.otf", "*.woff", "*.woff2", "*.pfb", "*.pfm", "*.afm", "*.bdf", "*.pcf", "*.pcf.gz", "*.psfu.gz", "*.psf.gz"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Icons,
        places: &["share/icons", "share/pixmaps"],
        names: &["*.ico", "*.icns", "*.xpm"],
        ..NONE
    },
    KindRule {
        kind: FileKind::Sources,
        places: &["share/src", "rustlib/src", "go/src", "texmf-dist/source"],
        names: &[
            "*.nix", "*.c", "*.cc", "*.cpp", "*.cxx", "*.m", "*.rs", "*.go", "*.java", "*.hs",
            "*.ml", "*.S", "*.s", "*.f", "*.f90", "*.pyx", "*.zig", "*.y", "*.l",
            "*.patch", "*.diff", "*.crate", "*.tar", "*.tgz", "*.tar.gz", "*.tar.xz", "*.tar.bz2",
            "*.tar.zst", "*.drv",
        ],
        ..NONE
    },
    KindRule {
        kind: FileKind::Tests,
        places: &[
            "test", "tests", "testsuite", "testdata", "test-data", "installed-tests", "examples",
            "samples", "demos",
        ],
        ..NONE
    },
    KindRule {
        kind: FileKind::Executables,
        names: &["*.exe", "*.efi", "bzImage", "vmlinux", "vmlinuz*"],
        first_bytes: "ELF or Mach-O programs (of a shared object: with an interpreter, or in \
                      bin, sbin or libexec), PE",
        ..NONE
    },
    KindRule {
        kind: FileKind::Libraries,
        names: &["*.so", "*.so.N", "*.dylib", "*.node", "*.dll"],
        first_bytes: "other ELF shared objects, Mach-O libraries and bundles",
        ..NONE
    },
    KindRule {
        kind: FileKind::Scripts,
        names: &[
            "*.sh", "*.bash", "*.zsh", "*.fish", "*.py", "*.pyi", "*.pl", "*.pm", "*.rb", "*.lua",
            "*.tcl", "*.js", "*.mjs", "*.cjs", "*.ts", "*.awk", "*.el", "*.scm", "*.vim", "*.php",
            "*.gox", "*.al", "*.ph",
        ],
        first_bytes: "#!",
        ..NONE
    },
    KindRule {
        kind: FileKind::Data,
        places: &["nix-support"],
        names: &[
            "*.json", "*.xml", "*.yaml", "*.yml", "*.toml", "*.ini", "*.conf", "*.cfg", "*.csv",
            "*.txt", "*.html", "*.css", "*.png", "*.svg", "*.gif", "*.jpg", "*.jpeg", "*.webp",
            "*.dat", "*.db", "*.sql", "*.sqlite", "*.bin", "*.zip", "*.gz", "*.xz", "*.zst", "*.bz2",
            "*.img", "*.iso", "*.service", "*.socket", "*.target", "*.timer", "*.mount", "*.path",
            "*.slice", "*.rules", "*.desktop", "*.gschema.xml", "*.typelib", "*.tfm", "*.vf",
            "*.enc", "*.sty", "*.tex", "*.cls", "*.mf", "*.crt", "*.pem", "initrd*",
        ],
        tops: &["share", "etc", "var", "nix-support"],
        ..NONE
    },
    KindRule { kind: FileKind::Directories, ..NONE },
    KindRule { kind: FileKind::Symlinks, ..NONE },
    KindRule { kind: FileKind::Other, ..NONE },
];

/// What the top of a tree of nixpkgs holds: all below such a directory is of
/// the kind `sources`.
pub const NIXPKGS_TREE: &[&str] = &["default.nix", "lib", "nixos", "pkgs"];

/// How many directories below its store path such a tree may lie: a channel has
/// it in a directory.
pub(crate) const NIXPKGS_DEPTH: u32 = 1;
