//! The subject of a command: the store that is meant, its files and settings,
//! its catalog and census, and the paths that names mean in it.

use super::args::{RootKindArg, StoreArgs};
use super::demo::{self, Demo};
use super::environment;
use super::exit::{Exit, Failure, Label, say};
use super::hints;
use super::input;
use super::kept::Kept;
use super::locate::{Located, locate, this_machine};
use super::progress::with_progress;
use super::request::Request;
use super::since::{self, Since, StoreNow};
use super::snapshot;
use crate::analysis::page::Contents;
use crate::catalog::{self, Catalog, CatalogError, DatabaseFile, PathId, Source};
use crate::census::{
    self, Census, Examine, NameContext, Named, NamedBy, TargetError, WholeCensus, match_pattern,
    resolve_target,
};
use crate::disk::{
    DiskError, DiskScan, ExtentsOption, FileStamp, KindScan, LargestFiles, Progress, ScanOptions,
    WholeScan,
};
use crate::fs::{self, StoreFiles, Tree};
use crate::graph::{NodeSet, roots};
use crate::outside::Outside;
use crate::roots::{Settings, SettingsFiles, read_settings};
use crate::snapshot::Surroundings;
use crate::store::StoreLocation;
use crate::text::escape;
use crate::warning::{WarningKind, Warnings};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where NixOS links to the system that runs.
const RUNNING_SYSTEM: &str = "/run/current-system";

/// A store that is examined.
pub(super) struct Subject {
    pub(super) location: StoreLocation,
    /// The store beneath, if it is an overlay.
    lower: Option<StoreLocation>,
    pub(super) source: Source,
    pub(super) names: NameContext,
    store: StoreArgs,
    /// The arguments that chose the store.
    pub(super) arguments: Vec<String>,
    /// Nix's own state directory, where it is not the store's.
    pub(super) nix_state_dir: Option<PathBuf>,
    /// Whether this user's Nix reaches the store through the daemon.
    daemon: bool,
    /// The tree that the settings are in: that of an image, else this machine.
    settings_tree: Tree,
    files: OnceCell<StoreFiles>,
    settings: OnceCell<(Settings, Warnings)>,
    /// The snapshot that is asked in its place.
    kept: Option<Kept>,
    /// The snapshot of it that is taken over where nothing changed.
    since: Option<Since>,
    /// How the files of the database were before they were read.
    database: RefCell<Option<Vec<Option<FileStamp>>>>,
    /// Removed with this, if it is what is examined.
    _demo: Option<Demo>,
}

impl Subject {
    pub(super) fn new(request: &Request, mut store: StoreArgs) -> Result<Self, Failure> {
        let current_dir = request.current_dir().to_owned();
        if let Some(file) = &store.snapshot {
            let kept = Kept::open(request, file, !store.no_disk)?;
            return Self::of_snapshot(kept, store, current_dir);
        }
        let mut arguments = store.arguments();
        let mut demo = if store.demo { Some(Demo::choose(&mut store)?) } else { None };
        let mut located = locate(&store, &current_dir)?;
        if let Some(note) = located.note.take() {
            request.note(note);
        }
        // Only people get the demo unasked: a program that reads JSON wants an error.
        if demo.is_none()
            && !request.for_machines()
            && demo::is_default(&store, &located.location)
            && let Some(lack) = demo::nothing_to_examine(&located.location)
        {
            say(Label::Note, format_args!("{lack}; examining the demo store (--demo)"));
            demo = Some(Demo::choose(&mut store)?);
            arguments = vec!["--demo".to_owned()];
            located = locate(&store, &current_dir)?;
        }
        let Located { tree, mut location, nix_state_dir, daemon, .. } = located;
        catalog::find_store_at_top(&mut location);
        let source = choose_source(&store, &location, &current_dir)?;
        let settings_tree = match (&store.root, store.root_kind) {
            (Some(_), None | Some(RootKindArg::Image)) => tree.clone(),
            _ => this_machine()?,
        };
        let lower =
            store.lower.as_deref().map(|root| lower_location(root, &location)).transpose()?;
        let mut subject = Self {
            location,
            lower,
            source,
            names: NameContext { tree, current_dir },
            store,
            arguments,
            nix_state_dir,
            daemon,
            settings_tree,
            files: OnceCell::new(),
            settings: OnceCell::new(),
            kept: None,
            since: None,
            database: RefCell::new(None),
            _demo: demo,
        };
        subject.keep_off_inputs(|read| request.keep_off(read))?;
        if let Some(file) = &subject.store.since {
            let now = StoreNow {
                location: &subject.location,
                files: subject.files()?,
                use_case_hack: subject.settings().use_case_hack,
                extents: subject.extents(),
                database: subject.database_stamps(),
            };
            let since = Since::open(request, file, subject.store.update, &now)?;
            if since.is_to_be_updated() {
                // Said before all is done.
                snapshot::beside_answer(request, &subject, file)?;
            }
            subject.since = Some(since);
        }
        Ok(subject)
    }

    /// The store that a snapshot is of.
    fn of_snapshot(kept: Kept, store: StoreArgs, current_dir: PathBuf) -> Result<Self, Failure> {
        let tree = this_machine()?;
        Ok(Self {
            location: kept.location.clone(),
            lower: None,
            source: Source::Database,
            names: NameContext { tree: tree.clone(), current_dir },
            arguments: store.arguments(),
            store,
            nix_state_dir: None,
            daemon: false,
            settings_tree: tree,
            files: OnceCell::new(),
            settings: OnceCell::new(),
            kept: Some(kept),
            since: None,
            database: RefCell::new(None),
            _demo: None,
        })
    }

    /// Refuses a snapshot of a closure alone, where `question` is about the whole store.
    pub(super) fn need_whole(&self, question: &str) -> Result<(), Failure> {
        self.kept.as_ref().map_or(Ok(()), |kept| kept.need_whole(question))
    }

    /// The snapshot that is asked, if it is not a store.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// All that there is: the whole store, or what a snapshot is of.
    pub(super) fn everything(&self) -> Examine {
        self.kept.as_ref().map_or(Examine::All, |kept| kept.examine.clone())
    }

    /// What a snapshot of a whole store has beside catalog and disk.
    pub(super) fn kept_surroundings(&self) -> Option<&Surroundings> {
        self.kept.as_ref()?.surroundings().ok()
    }

    /// What Nix keeps outside the store.
    pub(super) fn outside(&self) -> Result<Outside, Failure> {
        let walk = self.walks_disk();
        let Some(kept) = &self.kept else {
            return Ok(Outside::find(self.tree(), &self.location, walk));
        };
        let outside = kept.surroundings()?.outside.clone();
        match walk || !outside.walked {
            true => Ok(outside),
            false => Ok(Outside { database: outside.database, ..Outside::default() }),
        }
    }

    /// Why `what` cannot be had without the disk, for the reason given.
    pub(super) fn without_disk(&self, what: &str, why: &str) -> Failure {
        match &self.kept {
            Some(kept) if !self.store.no_disk => kept.no_disk(what, why),
            _ => Failure::usage(format!("{what} cannot be used with --no-disk: {why}")),
        }
    }

    /// Refuses a snapshot, where files are needed.
    pub(super) fn need_files(&self) -> Result<(), Failure> {
        self.kept.as_ref().map_or(Ok(()), |kept| Err(kept.no_files()))
    }

    /// Where names lead to, on this machine or under the root.
    fn names_location(&self) -> &StoreLocation {
        self.kept.as_ref().map_or(&self.location, |kept| &kept.here)
    }

    /// The store under another root, looked at in the same way.
    pub(super) fn of_root(&self, request: &Request, root: &Path) -> Result<Self, Failure> {
        let StoreArgs { root_kind, no_disk, threads, extents, .. } = self.store;
        let root = Some(self.names.current_dir.join(root));
        Self::new(
            request,
            StoreArgs { root, root_kind, no_disk, threads, extents, ..StoreArgs::default() },
        )
    }

    /// The store that the snapshot in `file` is of, asked in the same way.
    pub(super) fn of_file(&self, request: &Request, file: &Path) -> Result<Self, Failure> {
        let StoreArgs { no_disk, extents, .. } = self.store;
        let snapshot = Some(file.to_owned());
        Self::new(request, StoreArgs { snapshot, no_disk, extents, ..StoreArgs::default() })
    }

    /// The tree that the store lies in.
    pub(super) fn tree(&self) -> &Tree {
        &self.names.tree
    }

    /// The catalog of the store.
    pub(super) fn catalog(&self, request: &Request) -> Result<Catalog, Failure> {
        if let Some(kept) = &self.kept {
            return kept.catalog();
        }
        if let Some(since) = &self.since
            && let Some(catalog) = since.unchanged_catalog()?
        {
            return Ok(catalog);
        }
        *self.database.borrow_mut() = self.database_stamps();
        let mut catalog = self.load(request, &self.location, &self.source)?;
        if let Some(lower) = &self.lower {
            let below = self.load(request, lower, &Source::find(lower))?;
            catalog = catalog::load_over(&catalog, &below).map_err(|e| catalog_failure(&e))?;
        }
        Ok(catalog)
    }

    /// How the files of the database are, if the catalog is of one alone.
    fn database_stamps(&self) -> Option<Vec<Option<FileStamp>>> {
        if self.source != Source::Database || self.lower.is_some() {
            return None;
        }
        DatabaseFile::of(&self.location).ok()?.stamps()
    }

    /// The same before the catalog was read.
    pub(super) fn database_stamps_then(&self) -> Option<Vec<Option<FileStamp>>> {
        self.database.borrow().clone()
    }

    /// The snapshot of which is taken over what has not changed.
    pub(super) fn since(&self) -> Option<&Since> {
        self.since.as_ref()
    }

    /// The store's database file.
    pub(super) fn database(&self) -> Result<DatabaseFile, Failure> {
        self.need_files()?;
        DatabaseFile::of(&self.location).map_err(|e| catalog_failure(&e.into()))
    }

    /// Refuses to write an answer over what it is read from.
    pub(super) fn keep_off_inputs(
        &self,
        keep_off: impl Fn(&Path) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for location in std::iter::once(&self.location).chain(&self.lower) {
            for part in [&location.real_store_dir, &location.real_state_dir, &location.database] {
                keep_off(part)?;
            }
        }
        match self.source.file(&self.location) {
            Some(file) => keep_off(&file),
            None => Ok(()),
        }
    }

    fn load(
        &self,
        request: &Request,
        location: &StoreLocation,
        source: &Source,
    ) -> Result<Catalog, Failure> {
        let scans = *source == Source::Scan;
        let options = ScanOptions {
            threads: self.threads(),
            use_case_hack: scans && self.settings().use_case_hack,
            ..ScanOptions::default()
        };
        let show = request.shows_progress() && scans;
        with_progress(show, |progress| source.load(location, &options, progress))
            .map(|loaded| loaded.catalog)
            .map_err(|e| catalog_failure(&e))
    }

    /// The store directory of the store beneath, if there is one.
    pub(super) fn lower_store(&self) -> Option<&Path> {
        if let Some(kept) = self.kept_surroundings() {
            return kept.lower_store.as_deref();
        }
        self.lower.as_ref().map(|lower| &*lower.real_store_dir)
    }

    /// The ids of targets, each once; a glob means all that it matches.
    pub(super) fn targets(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
    ) -> Result<Vec<PathId>, Failure> {
        let mut ids = Vec::new();
        let mut add = |name: &str| -> Result<(), Failure> {
            if census::is_pattern(name)
                && let Named { ids: all, by: NamedBy::Pattern } = self.named(catalog, None, name)?
            {
                ids.extend(all);
            } else {
                ids.push(self.target(request, catalog, None, name)?);
            }
            Ok(())
        };
        for name in names {
            if input::is_standard_input(name) {
                input::read("targets")?
                    .lines()
                    .filter(|line| !line.is_empty())
                    .try_for_each(&mut add)?;
            } else {
                add(name)?;
            }
        }
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(*id));
        match ids.is_empty() && !names.is_empty() {
            true => Err(Failure::usage("there is no target on standard input")),
            false => Ok(ids),
        }
    }

    /// The same; without names the running system, where there is one; `None` is all
    /// paths. What is taken in place of names is said.
    pub(super) fn targets_or_system(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
        all: bool,
    ) -> Result<Option<Vec<PathId>>, Failure> {
        if all {
            self.need_whole("--all")?;
            return Ok(None);
        }
        if !names.is_empty() {
            return self.targets(request, catalog, names).map(Some);
        }
        if let Some(targets) = self.kept.as_ref().and_then(Kept::targets) {
            request.note("no target given: this is what the snapshot is of");
            return Ok(Some(targets.to_vec()));
        }
        let Some(system) = self.running_system(catalog) else {
            request.note(format_args!(
                "no target given, and no {RUNNING_SYSTEM}: these are all valid paths"
            ));
            return Ok(None);
        };
        let path = catalog.path(system);
        request.note(format_args!(
            "no target given: this is the running system, {RUNNING_SYSTEM}, {path}"
        ));
        Ok(Some(vec![system]))
    }

    /// The running system, where there is one.
    pub(super) fn running_system(&self, catalog: &Catalog) -> Option<PathId> {
        if let Some(kept) = &self.kept {
            return kept.running_system;
        }
        let system = self.named_target(catalog, None, RUNNING_SYSTEM).ok()?;
        (system.by == NamedBy::Exactly).then(|| system.ids[0])
    }

    /// What is examined for targets, the running system or `--all`: closures, or
    /// with `no_closure` the paths alone.
    pub(super) fn examined(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
        no_closure: bool,
    ) -> Result<Examine, Failure> {
        let targets = self.targets_or_system(request, catalog, names, request.rows().all)?;
        Ok(match (targets, no_closure) {
            (None, _) => Examine::All,
            (Some(targets), false) => Examine::Closure(targets),
            (Some(targets), true) => Examine::Only(targets),
        })
    }

    /// The ids of targets; where the whole store is asked for, what nothing else refers to,
    /// from which all of it is reached.
    pub(super) fn targets_or_all(
        &self,
        request: &Request,
        catalog: &Catalog,
        names: &[String],
    ) -> Result<Vec<PathId>, Failure> {
        if !request.rows().all {
            return self.targets(request, catalog, names);
        }
        self.need_whole("--all")?;
        let all = NodeSet::from_nodes(catalog.len(), catalog.ids().map(PathId::node));
        Ok(roots(catalog.references(), &all).into_iter().map(PathId::new).collect())
    }

    /// The id of a target, among some or in all.
    pub(super) fn target(
        &self,
        request: &Request,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        name: &str,
    ) -> Result<PathId, TargetError> {
        let named = self.named_target(catalog, among, name)?;
        self.tell_hash_prefix(request, catalog, name, &named);
        Ok(named.ids[0])
    }

    /// The same as one path, and how it is named.
    pub(super) fn named_target(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        name: &str,
    ) -> Result<Named, TargetError> {
        let name = &self.meant(catalog, name);
        let (id, by) = resolve_target(self.names_location(), catalog, &self.names, among, name)?;
        Ok(Named { ids: vec![id], by })
    }

    /// What a name stands for: the running system of a snapshot is not this machine's.
    fn meant<'n>(&self, catalog: &Catalog, name: &'n str) -> Cow<'n, str> {
        match self.kept.as_ref().and_then(|kept| kept.running_system) {
            Some(system) if name == RUNNING_SYSTEM => catalog.path(system).into(),
            _ => name.into(),
        }
    }

    /// All paths that a pattern names, among some or in all; never none.
    pub(super) fn named(
        &self,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        pattern: &str,
    ) -> Result<Named, TargetError> {
        let pattern = &self.meant(catalog, pattern);
        match_pattern(self.names_location(), catalog, &self.names, among, pattern)
    }

    /// The ids of all paths that a pattern names, among some or in all; never none.
    pub(super) fn matches(
        &self,
        request: &Request,
        catalog: &Catalog,
        among: Option<&[PathId]>,
        pattern: &str,
    ) -> Result<Vec<PathId>, TargetError> {
        let named = self.named(catalog, among, pattern)?;
        self.tell_hash_prefix(request, catalog, pattern, &named);
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
    pub(super) fn tell_hash_prefix(
        &self,
        request: &Request,
        catalog: &Catalog,
        text: &str,
        named: &Named,
    ) {
        if let (NamedBy::HashPrefix, [id]) = (named.by, &named.ids[..]) {
            let (text, path) = (escape(text.as_bytes()), catalog.path(*id));
            request
                .note(format_args!("'{text}' is taken for the beginning of a hash part: {path}"));
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

    /// How it is found out what files take beneath their blocks.
    pub(super) fn extents(&self) -> ExtentsOption {
        self.store.extents.into()
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
    pub(super) fn settings(&self) -> &Settings {
        &self.settings_and_warnings().0
    }

    /// The same, for what must say what is wrong with them.
    pub(super) fn warned_settings(&self, warnings: &mut Warnings) -> &Settings {
        let (settings, found) = self.settings_and_warnings();
        warnings.extend(found.clone());
        settings
    }

    fn settings_and_warnings(&self) -> &(Settings, Warnings) {
        self.settings.get_or_init(|| {
            if let Some(kept) = self.kept_surroundings() {
                return (kept.settings.clone(), kept.settings_warnings.clone());
            }
            let mut warnings = Warnings::new();
            (self.read_settings(&mut warnings), warnings)
        })
    }

    fn read_settings(&self, warnings: &mut Warnings) -> Settings {
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
        if let Some(kept) = self.kept_surroundings() {
            return kept.may_be_chroot;
        }
        self.store.root.is_some()
            && self.store.root_kind.is_none()
            && self.location.root != Path::new("/")
    }

    /// Whether the disk is walked at all.
    pub(super) fn walks_disk(&self) -> bool {
        !self.store.no_disk && self.kept.as_ref().is_none_or(|kept| kept.has_disk)
    }

    /// The files of the store.
    pub(super) fn files(&self) -> Result<&StoreFiles, Failure> {
        self.need_files()?;
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let store_dir = self.location.inside(&self.location.real_store_dir);
        let opened = StoreFiles::open(self.tree(), &store_dir).map_err(|source| {
            let error = DiskError::store_directory(&self.location.real_store_dir, source);
            Failure::because(&error).hint(hints::of_disk(&error))
        })?;
        Ok(self.files.get_or_init(|| opened))
    }

    /// A census, with progress shown; with the disk if `disk` and the user say so.
    pub(super) fn census(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
        disk: bool,
    ) -> Result<Census, Failure> {
        let scan = if disk { self.scan(request, &catalog, examine)? } else { None };
        Census::new(catalog, examine, scan).map_err(|e| Failure::because(&e))
    }

    /// A census with the disk if the user says so, and with extents by inode: for questions
    /// about less than a path.
    pub(super) fn census_by_inode(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<Census, Failure> {
        let scan = self.scan_with(request, &catalog, examine, true)?;
        Census::new(catalog, examine, scan).map_err(|e| Failure::because(&e))
    }

    /// What the disk says of the paths to examine, if the user wants that.
    pub(super) fn scan(
        &self,
        request: &Request,
        catalog: &Catalog,
        examine: &Examine,
    ) -> Result<Option<DiskScan>, Failure> {
        self.scan_with(request, catalog, examine, false)
    }

    fn scan_with(
        &self,
        request: &Request,
        catalog: &Catalog,
        examine: &Examine,
        inode_extents: bool,
    ) -> Result<Option<DiskScan>, Failure> {
        if !self.walks_disk() {
            return Ok(None);
        }
        if let Some(kept) = &self.kept {
            return kept.disk(self.extents());
        }
        if let Some(since) = &self.since {
            if since.is_to_be_updated() {
                let whole = self.whole_scan_with(request, catalog, inode_extents)?;
                return Ok(Some(whole.scan));
            }
            if let Some(scan) = since.unchanged_scan(self.files()?)? {
                return Ok(Some(scan));
            }
            if let Some(earlier) = since.earlier(false)? {
                let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
                    let options = ScanOptions { inode_extents, ..*options };
                    earlier.scan(files, catalog, &options, progress)
                };
                return self.scanned(request, scan).map(Some);
            }
        }
        let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
            let options = ScanOptions { inode_extents, ..*options };
            census::scan(files, catalog, examine, &options, progress)
        };
        self.scanned(request, scan).map(Some)
    }

    /// A census with the disk and its extents by inode, and what of each path is of which
    /// kind; for what does not work without the disk.
    pub(super) fn census_with_kinds(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<(Census, KindScan), Failure> {
        self.kinds_and(request, catalog, examine, true)
    }

    /// The same for what asks nothing of extents.
    pub(super) fn census_with_kinds_alone(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<(Census, KindScan), Failure> {
        self.kinds_and(request, catalog, examine, false)
    }

    fn kinds_and(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
        inode_extents: bool,
    ) -> Result<(Census, KindScan), Failure> {
        let whole = match &self.kept {
            Some(kept) => Some(kept.disk_and_kinds(self.extents())?),
            None => self.kinds_since(request, &catalog, inode_extents)?,
        };
        let (scan, kinds) = match whole {
            Some((mut scan, mut kinds)) => {
                kinds.warn_in(&mut scan);
                let ids = examine.ids(&catalog).filter(|ids| ids.len() < catalog.len());
                if let Some(ids) = ids {
                    let places: Vec<u32> = ids.iter().map(|id| id.node()).collect();
                    kinds = kinds.restrict(&scan, &places);
                }
                (scan, kinds)
            }
            None => self.scanned(request, |files, options, progress| {
                let options = ScanOptions { inode_extents, ..*options };
                census::scan_kinds(files, &catalog, examine, &options, progress)
            })?,
        };
        let census = Census::new(catalog, examine, Some(scan)).map_err(|e| Failure::because(&e))?;
        Ok((census, kinds))
    }

    /// What the disk says of the whole store, and of which kind it is, where something of
    /// it is taken over.
    fn kinds_since(
        &self,
        request: &Request,
        catalog: &Catalog,
        inode_extents: bool,
    ) -> Result<Option<(DiskScan, KindScan)>, Failure> {
        let Some(since) = &self.since else { return Ok(None) };
        if since.is_to_be_updated() {
            let whole = self.whole_scan_with(request, catalog, inode_extents)?;
            return Ok(Some((whole.scan, whole.kinds)));
        }
        if let Some(unchanged) = since.unchanged_kinds(self.files()?)? {
            return Ok(Some(unchanged));
        }
        let Some(earlier) = since.earlier(true)? else { return Ok(None) };
        let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
            let options = ScanOptions { inode_extents, ..*options };
            earlier.scan_kinds(files, catalog, &options, progress)
        };
        self.scanned(request, scan).map(Some)
    }

    /// All that a snapshot of the whole store has of the disk. That of `--update` is
    /// written, if it is not yet.
    pub(super) fn whole_scan(
        &self,
        request: &Request,
        catalog: &Catalog,
    ) -> Result<WholeScan, Failure> {
        self.whole_scan_with(request, catalog, false)
    }

    /// The same, with extents by inode if these are needed.
    fn whole_scan_with(
        &self,
        request: &Request,
        catalog: &Catalog,
        inode_extents: bool,
    ) -> Result<WholeScan, Failure> {
        let earlier = self.since.as_ref().map(|since| since.earlier(true)).transpose()?.flatten();
        let scan = |files: &StoreFiles, options: &ScanOptions, progress: &Progress| {
            let options = ScanOptions { inode_extents, ..*options };
            since::scan_whole(earlier.as_ref(), files, catalog, &options, progress)
        };
        let whole = self.scanned(request, scan)?;
        if let Some(since) = self.since.as_ref().filter(|since| since.is_to_be_updated()) {
            snapshot::update(request, self, since, catalog, &whole)?;
        }
        Ok(whole)
    }

    /// Writes the snapshot of `--update` where the answer needed nothing of the disk, and
    /// says what could not be read for it.
    pub(super) fn update_if_not_done(&self, request: &Request) -> Result<Exit, Failure> {
        if !self.since.as_ref().is_some_and(Since::is_to_be_updated) {
            return Ok(Exit::Done);
        }
        let catalog = self.catalog(request)?;
        Ok(request.end(&self.whole_scan(request, &catalog)?.scan.warnings))
    }

    /// A census with the disk, and what is found in its files; a snapshot keeps kinds
    /// alone.
    pub(super) fn census_with_contents(
        &self,
        request: &Request,
        catalog: Catalog,
        examine: &Examine,
    ) -> Result<(Census, Contents), Failure> {
        if self.kept.is_some() {
            let (census, kinds) = self.census_with_kinds(request, catalog, examine)?;
            return Ok((census, Contents { kinds, largest: LargestFiles::default() }));
        }
        let (scan, kinds, largest) = self.scanned(request, |files, options, progress| {
            census::scan_contents(files, &catalog, examine, options, progress)
        })?;
        let census = Census::new(catalog, examine, Some(scan)).map_err(|e| Failure::because(&e))?;
        Ok((census, Contents { kinds, largest }))
    }

    /// What a scan of the store's files finds, with progress shown.
    pub(super) fn scanned<T: Send>(
        &self,
        request: &Request,
        scan: impl FnOnce(&StoreFiles, &ScanOptions, &Progress) -> Result<T, DiskError> + Send,
    ) -> Result<T, Failure> {
        let files = self.files()?;
        let options = ScanOptions {
            threads: self.threads(),
            // What is wrong with the settings is reported where they decide more.
            use_case_hack: self.settings().use_case_hack,
            extents: self.extents(),
            ..ScanOptions::default()
        };
        with_progress(request.shows_progress(), |progress| scan(files, &options, progress))
            .map_err(|e| Failure::because(&e).hint(hints::of_disk(&e)))
    }
}

/// The store beneath another: its own root, the same names.
fn lower_location(root: &Path, upper: &StoreLocation) -> Result<StoreLocation, Failure> {
    let failed = |e| Failure::usage(format!("cannot open --lower {}", root.display())).cause(e);
    let tree = std::fs::canonicalize(root).and_then(|root| Tree::live(&root)).map_err(failed)?;
    fs::locate(&tree, &upper.store_dir, &upper.state_dir).map_err(|e| Failure::because(&e))
}

/// A census that was taken of all paths.
pub(super) fn whole(census: &Census) -> WholeCensus<'_> {
    census.whole().expect("all paths are examined")
}

fn catalog_failure(e: &CatalogError) -> Failure {
    Failure::because(e).maybe_hint(hints::of_catalog(e))
}

/// The source that the arguments name, else the one that is there.
fn choose_source(
    args: &StoreArgs,
    location: &StoreLocation,
    current: &Path,
) -> Result<Source, Failure> {
    let input = |flag: &str, file: &PathBuf| -> Result<PathBuf, Failure> {
        if input::is_standard_input(file) {
            input::take(flag)?;
            return Ok(file.clone());
        }
        Ok(current.join(file))
    };
    Ok(match (&args.registration, &args.path_info) {
        (Some(file), _) => Source::Registration(input("--registration", file)?),
        (_, Some(file)) => Source::PathInfo(input("--path-info", file)?),
        _ if args.scan => Source::Scan,
        _ => Source::find(location),
    })
}
