//! The subject of a command: the store that is meant, its files and settings,
//! its catalog and census, and the paths that names mean in it.

mod catalog;
mod scan;
mod settings;
mod targets;

pub(super) use scan::whole;

use super::args::{RootKindArg, StoreArgs};
use super::demo::{self, Demo};
use super::exit::{Failure, Label, say};
use super::kept::Kept;
use super::locate::{Located, locate, this_machine};
use super::request::Request;
use super::since::{Since, StoreNow};
use super::snapshot;
use crate::catalog::{Source, find_store_at_top};
use crate::census::{Examine, NameContext};
use crate::disk::{ExtentsOption, FileStamp};
use crate::fs::{StoreFiles, Tree};
use crate::outside::Outside;
use crate::roots::Settings;
use crate::snapshot::Surroundings;
use crate::store::StoreLocation;
use crate::warning::Warnings;
use catalog::{choose_source, lower_location};
use std::cell::{OnceCell, RefCell};
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
        find_store_at_top(&mut location);
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

    /// The snapshot of which is taken over what has not changed.
    pub(super) fn since(&self) -> Option<&Since> {
        self.since.as_ref()
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
}
