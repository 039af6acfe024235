//! The settings of Nix that count for the store.

use super::Subject;
use crate::cli::args::RootKindArg;
use crate::cli::environment;
use crate::fs::Tree;
use crate::roots::{Settings, SettingsFiles, read_settings};
use crate::warning::{WarningKind, Warnings};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Subject {
    /// The tree that the settings are in, for the files that they name.
    pub(in crate::cli) fn settings_tree(&self) -> &Tree {
        &self.settings_tree
    }

    /// The settings of the examined system; for this machine's store those
    /// that Nix would have for this user.
    pub(in crate::cli) fn settings(&self) -> &Settings {
        &self.settings_and_warnings().0
    }

    /// The same, for what must say what is wrong with them.
    pub(in crate::cli) fn warned_settings(&self, warnings: &mut Warnings) -> &Settings {
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
}
