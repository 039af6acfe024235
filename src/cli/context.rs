//! What every command needs: the store that is meant, its catalog and census,
//! and where the answer goes.

use super::args::{OutputArgs, RootKindArg, StoreArgs};
use super::destination::Destination;
use super::environment;
use super::exit::{Exit, Failure, say};
use super::hints;
use super::locate::{Located, locate, this_machine};
use super::progress::with_progress;
use crate::answer::Document;
use crate::catalog::{self, Catalog, CatalogError, DatabaseFile, PathId, STANDARD_INPUT, Source};
use crate::census::{
    self, Census, Examine, NameContext, Named, NamedBy, TargetError, WholeCensus, match_pattern,
    resolve_target,
};
use crate::disk::{DiskError, ScanOptions};
use crate::fs::{self, StoreFiles, Tree};
use crate::output::{self, Format, Style};
use crate::roots::{Settings, SettingsFiles, read_settings};
use crate::store::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreLocation};
use crate::text::escape;
use crate::warning::{WarningKind, Warnings};
use jiff::tz::TimeZone;
use std::cell::OnceCell;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How many warnings are told unless all are asked for.
const WARNINGS_TOLD: usize = 10;

pub(super) struct Context {
    pub(super) location: StoreLocation,
    pub(super) source: Source,
    pub(super) names: NameContext,
    store: StoreArgs,
    /// Nix's own state directory, where it is not the store's.
    pub(super) nix_state_dir: Option<PathBuf>,
    /// Whether this user's Nix reaches the store through the daemon.
    daemon: bool,
    /// The tree that the settings are in: that of an image, else this machine.
    settings_tree: Tree,
    output: OutputArgs,
    destination: Destination,
    files: OnceCell<StoreFiles>,
}

impl Context {
    pub(super) fn new(store: StoreArgs, output: OutputArgs) -> Result<Self, Failure> {
        let current_dir = std::env::current_dir()
            .map_err(|e| Failure::failed(format!("the current directory cannot be read: {e}")))?;
        let Located { mut tree, mut location, nix_state_dir, daemon, note } =
            locate(&store, &current_dir)?;
        if let Some(note) = note.filter(|_| !output.quiet) {
            say(format_args!("note: {note}"));
        }
        // Only people get the demo: a program that reads JSON wants an error.
        if is_default(&store, &location)
            && output.format() == Format::Table
            && let Some(demo) = find_demo(&current_dir)
            && let Some(lack) = nothing_to_examine(&location)
        {
            let name = demo.to_string_lossy();
            say(format_args!("note: {lack}; examining the demo store {name}"));
            tree = Tree::live(&demo).map_err(|e| Failure::failed(format!("{name}: {e}")))?;
            location = fs::locate(&tree, DEFAULT_STORE_DIR, Path::new(DEFAULT_STATE_DIR))
                .map_err(|e| Failure::because(&e))?;
        }
        catalog::find_store_at_top(&mut location);
        let source = choose_source(&store, &location, &current_dir);
        let destination = match &output.output {
            Some(file) => Destination::new(&current_dir, file)?,
            None => Destination::StandardOutput,
        };
        let settings_tree = match (&store.root, store.root_kind) {
            (Some(_), None | Some(RootKindArg::Image)) => tree.clone(),
            _ => this_machine()?,
        };
        let context = Self {
            location,
            source,
            names: NameContext { tree, current_dir },
            store,
            nix_state_dir,
            daemon,
            settings_tree,
            output,
            destination,
            files: OnceCell::new(),
        };
        context.keep_off_inputs()?;
        Ok(context)
    }

    /// The tree that the store lies in.
    pub(super) fn tree(&self) -> &Tree {
        &self.names.tree
    }

    /// The catalog of the store.
    pub(super) fn catalog(&self) -> Result<Catalog, Failure> {
        let mut catalog = self.load(&self.location, &self.source)?;
        if let Some(lower) = &self.store.lower {
            let lower = self.lower_location(lower)?;
            let below = self.load(&lower, &Source::find(&lower))?;
            catalog = catalog::load_over(&catalog, &below).map_err(|e| catalog_failure(&e))?;
        }
        Ok(catalog)
    }

    /// The store's database file.
    pub(super) fn database(&self) -> Result<DatabaseFile, Failure> {
        DatabaseFile::of(&self.location).map_err(|e| catalog_failure(&e.into()))
    }

    /// Refuses to write the answer over what it is read from.
    fn keep_off_inputs(&self) -> Result<(), Failure> {
        let lower = match &self.store.lower {
            Some(lower) => Some(self.lower_location(lower)?),
            None => None,
        };
        for location in std::iter::once(&self.location).chain(&lower) {
            for part in [&location.real_store_dir, &location.real_state_dir, &location.database] {
                self.destination.keep_off(part)?;
            }
        }
        match self.source.file(&self.location) {
            Some(file) => self.destination.keep_off(&file),
            None => Ok(()),
        }
    }

    fn load(&self, location: &StoreLocation, source: &Source) -> Result<Catalog, Failure> {
        let scans = *source == Source::Scan;
        let options = ScanOptions {
            threads: self.threads(),
            use_case_hack: scans && self.settings(&mut Warnings::new()).use_case_hack,
            ..ScanOptions::default()
        };
        let show = self.shows_progress() && scans;
        with_progress(show, |progress| source.load(location, &options, progress))
            .map(|loaded| loaded.catalog)
            .map_err(|e| catalog_failure(&e))
    }

    /// The store directory of the store beneath, if there is one.
    pub(super) fn lower_store(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(lower) = &self.store.lower else { return Ok(None) };
        Ok(Some(self.lower_location(lower)?.real_store_dir))
    }

    /// The store beneath: its own root, the same names.
    fn lower_location(&self, lower: &Path) -> Result<StoreLocation, Failure> {
        let root = std::fs::canonicalize(lower)
            .map_err(|e| Failure::usage(format!("--lower {}: {e}", lower.display())))?;
        let tree = Tree::live(&root)
            .map_err(|e| Failure::usage(format!("--lower {}: {e}", lower.display())))?;
        fs::locate(&tree, &self.location.store_dir, &self.location.state_dir)
            .map_err(|e| Failure::because(&e))
    }

    /// The ids of targets.
    pub(super) fn targets(
        &self,
        catalog: &Catalog,
        names: &[String],
    ) -> Result<Vec<PathId>, Failure> {
        names.iter().map(|name| Ok(self.target(catalog, None, name)?)).collect()
    }

    /// The id of a target, among some or in all.
    pub(super) fn target(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        name: &str,
    ) -> Result<PathId, TargetError> {
        let named = self.named_target(catalog, among, name)?;
        self.tell_hash_prefix(catalog, name, &named);
        Ok(named.ids[0])
    }

    /// The same as one path, and how it is named.
    pub(super) fn named_target(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        name: &str,
    ) -> Result<Named, TargetError> {
        let (id, by) = resolve_target(&self.location, catalog, &self.names, among, name)?;
        Ok(Named { ids: vec![id], by })
    }

    /// All paths that a pattern names, among some or in all; never none.
    pub(super) fn named(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        pattern: &str,
    ) -> Result<Named, TargetError> {
        match_pattern(&self.location, catalog, &self.names, among, pattern)
    }

    /// The ids of all paths that a pattern names, among some or in all; never none.
    pub(super) fn matches(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        pattern: &str,
    ) -> Result<Vec<PathId>, TargetError> {
        let named = self.named(catalog, among, pattern)?;
        self.tell_hash_prefix(catalog, pattern, &named);
        Ok(named.ids)
    }

    /// What is found in a closure, else what is found in the whole store.
    pub(super) fn within_first<T>(
        &self,
        closure: &[PathId],
        find: impl Fn(Option<&[PathId]>) -> Result<T, TargetError>,
    ) -> Result<T, TargetError> {
        match find(Some(closure)) {
            Err(TargetError::NotExamined { .. }) => find(None),
            found => found,
        }
    }

    /// Says so where a text was taken for the beginning of a hash part.
    pub(super) fn tell_hash_prefix(&self, catalog: &Catalog, text: &str, named: &Named) {
        if let (NamedBy::HashPrefix, [id], false) = (named.by, &named.ids[..], self.output.quiet) {
            let (text, path) = (escape(text.as_bytes()), catalog.path(*id));
            say(format_args!("note: ‘{text}’ is the beginning of a hash: {path}"));
        }
    }

    /// Refuses a file of paths that says nothing of whose roots they have:
    /// with this machine's roots, another machine's paths would all be garbage.
    pub(super) fn need_roots(&self) -> Result<(), Failure> {
        let store = &self.store;
        let file = store.registration.as_ref().or(store.path_info.as_ref()).or(store.db.as_ref());
        match file {
            Some(file)
                if [&store.root, &store.state_dir].iter().all(|dir| dir.is_none())
                    && store.store.is_none() =>
            {
                let message = format!("{} does not say where its GC roots are", file.display());
                let hint = "name the system that it is of with --root; \
                            --root / is this machine";
                Err(Failure::usage(message).hint(hint))
            }
            _ => Ok(()),
        }
    }

    /// How many threads walk, if the user says so.
    pub(super) fn threads(&self) -> Option<usize> {
        self.store.threads.map(usize::from)
    }

    /// The tree that the settings are in, for the files that they name.
    pub(super) fn settings_tree(&self) -> &Tree {
        &self.settings_tree
    }

    /// The settings of the examined system; for this machine's store those
    /// that Nix would have for this user.
    pub(super) fn settings(&self, warnings: &mut Warnings) -> Settings {
        let files = match (&self.store.root, self.store.root_kind) {
            (Some(_), None | Some(RootKindArg::Image)) => {
                SettingsFiles::of_image(&self.location, Path::new("/etc/nix"))
            }
            _ => environment::settings_files(&self.names.current_dir),
        };
        let settings = read_settings(&self.settings_tree, &files, warnings);
        if !self.daemon {
            return settings;
        }
        // The daemon reads the system's file, and takes over the rest from those it trusts.
        let system = SettingsFiles { user: Vec::new(), environment: None, ..files };
        let system = read_settings(&self.settings_tree, &system, &mut Warnings::new());
        let trusted = environment::is_trusted(&system.trusted_users);
        if trusted == Some(true) {
            return settings;
        }
        for (name, own, daemons) in [
            ("keep-outputs", &settings.gc.keep_outputs, &system.gc.keep_outputs),
            ("keep-derivations", &settings.gc.keep_derivations, &system.gc.keep_derivations),
        ] {
            if let Some(source) = own.source.as_ref().filter(|_| own.value != daemons.value) {
                let (kind, why) = match trusted {
                    None => (WarningKind::Unreadable, "whether it trusts this user is not known"),
                    _ => (WarningKind::Note, "it does not trust this user"),
                };
                let message = format!("{name} does not count for the Nix daemon: {why}");
                warnings.push(kind, source.as_os_str().as_bytes(), message);
            }
        }
        Settings {
            gc: system.gc,
            use_case_hack: system.use_case_hack,
            ignored_acls: system.ignored_acls,
            ..settings
        }
    }

    /// Whether links are followed inside the root only because nobody said that
    /// they are this machine's.
    pub(super) fn may_be_chroot(&self) -> bool {
        self.store.root.is_some()
            && self.store.root_kind.is_none()
            && self.location.root != Path::new("/")
    }

    /// Whether the disk is walked at all.
    pub(super) fn walks_disk(&self) -> bool {
        !self.store.no_disk
    }

    /// The files of the store.
    pub(super) fn files(&self) -> Result<&StoreFiles, Failure> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let opened = StoreFiles::of(&self.location).map_err(|source| {
            let error = DiskError::store_directory(&self.location.real_store_dir, source);
            Failure::because(&error).hint(hints::of_disk(&error))
        })?;
        Ok(self.files.get_or_init(|| opened))
    }

    /// A census, with progress shown; with the disk if `disk` and the user say so.
    pub(super) fn census(
        &self,
        catalog: Catalog,
        examine: &Examine,
        disk: bool,
    ) -> Result<Census, Failure> {
        let scan = if disk && self.walks_disk() {
            let options = ScanOptions {
                threads: self.threads(),
                // What is wrong with the settings is told where they decide more.
                use_case_hack: self.settings(&mut Warnings::new()).use_case_hack,
                ..ScanOptions::default()
            };
            let files = self.files()?;
            let scan = with_progress(self.shows_progress(), |progress| {
                census::scan(files, &catalog, examine, &options, progress)
            });
            Some(scan.map_err(|e| Failure::because(&e).hint(hints::of_disk(&e)))?)
        } else {
            None
        };
        Census::new(catalog, examine, scan).map_err(|e| Failure::because(&e))
    }

    pub(super) fn shows_progress(&self) -> bool {
        !self.output.quiet && io::stderr().is_terminal()
    }

    /// Whether the format holds nothing but findings.
    pub(super) fn wants_findings(&self) -> bool {
        self.output.format() == Format::Junit
    }

    /// Whether the answer is for machines.
    pub(super) fn for_machines(&self) -> bool {
        self.output.format() != Format::Table
    }

    /// Writes an answer and tells its warnings; incomplete answers end with
    /// that status, whole ones with `exit`.
    pub(super) fn answer(&self, document: Document<'_>, exit: Exit) -> Result<Exit, Failure> {
        if !self.output.format().fits(&document) {
            return Err(no_findings());
        }
        let warnings = document.head.warnings;
        let style = Style {
            units: self.output.units(),
            color: self.destination.takes_color(),
            time_zone: TimeZone::system(),
        };
        let format = self.output.format();
        self.destination.write(|out| output::write(document, format, &style, out))?;
        self.tell(warnings);
        Ok(if warnings.complete() { exit } else { Exit::Incomplete })
    }

    fn tell(&self, warnings: &Warnings) {
        let told = |kind: WarningKind| kind.incomplete() || !self.output.quiet;
        let shown = if self.output.verbose { usize::MAX } else { WARNINGS_TOLD };
        let (mut more, mut more_notes) =
            (warnings.incomplete(), warnings.total() - warnings.incomplete());
        for warning in warnings.iter().filter(|w| told(w.kind)).take(shown) {
            let (word, left) = match warning.kind.incomplete() {
                true => ("warning", &mut more),
                false => ("note", &mut more_notes),
            };
            *left -= 1;
            let path = escape(&warning.path);
            say(format_args!("{word}: {path}: {}", escape(warning.message.as_bytes())));
        }
        let left = match (more, more_notes) {
            (0, 0) => None,
            (more, 0) => Some(format!("warning: {more} more {}", plural("warning", more))),
            (0, notes) => Some(format!("note: {notes} more {}", plural("note", notes))),
            (more, notes) => Some(format!(
                "warning: {more} more {} and {notes} more {}",
                plural("warning", more),
                plural("note", notes)
            )),
        };
        if let Some(left) = left.filter(|_| !self.output.quiet) {
            say(format_args!("{left} (--verbose tells up to {})", Warnings::KEPT));
        }
        if !warnings.complete() {
            // Notes leave nothing out.
            let total = warnings.incomplete();
            let word = plural("warning", total);
            say(format_args!("warning: the answer is incomplete: {total} {word}"));
        }
    }
}

/// A census that was taken of all paths.
pub(super) fn whole(census: &Census) -> WholeCensus<'_> {
    census.whole().expect("all paths are examined")
}

/// Why an answer without findings is not written in a format of findings.
pub(super) fn no_findings() -> Failure {
    Failure::usage("only an audit has findings to write as JUnit XML")
}

/// The word for that many.
fn plural(word: &str, n: u64) -> String {
    format!("{word}{}", if n == 1 { "" } else { "s" })
}

fn catalog_failure(e: &CatalogError) -> Failure {
    let failure = Failure::because(e);
    match hints::of_catalog(e) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The source that the arguments name, else the one that is there.
fn choose_source(args: &StoreArgs, location: &StoreLocation, current: &Path) -> Source {
    let input = |file: &PathBuf| match file.as_os_str() == STANDARD_INPUT {
        true => file.clone(),
        false => current.join(file),
    };
    match (&args.registration, &args.path_info) {
        (Some(file), _) => Source::Registration(input(file)),
        (_, Some(file)) => Source::PathInfo(input(file)),
        _ if args.scan => Source::Scan,
        _ => Source::find(location),
    }
}

/// Whether this machine's own store is meant, at its usual place.
fn is_default(args: &StoreArgs, location: &StoreLocation) -> bool {
    args.root.is_none()
        && args.db.is_none()
        && args.registration.is_none()
        && args.path_info.is_none()
        && !args.scan
        && args.store.is_none()
        && location.store_dir == DEFAULT_STORE_DIR
        && location.state_dir == Path::new(DEFAULT_STATE_DIR)
}

/// Why this machine's store has nothing to show, if that is so.
fn nothing_to_examine(location: &StoreLocation) -> Option<&'static str> {
    /// More than the database of a store with no path takes.
    const EMPTY: u64 = 1 << 20;
    if !location.database.exists() && !location.real_store_dir.exists() {
        return Some("this machine has no Nix store");
    }
    let small = location.database.metadata().is_ok_and(|meta| meta.len() < EMPTY);
    (small && catalog::load(location).is_ok_and(|catalog| catalog.is_empty()))
        .then_some("this machine's Nix store holds no valid path (--root / examines it)")
}

/// The demo store of a checkout: above the current directory, or above the
/// program in `target/`.
fn find_demo(current: &Path) -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    (current.ancestors().chain(program.iter().flat_map(|p| p.ancestors())))
        .map(|dir| dir.join("testdata/demo"))
        .find(|demo| demo.join("nix/var/nix/db/db.sqlite").is_file())
}
