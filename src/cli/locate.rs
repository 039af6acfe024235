//! Which store the arguments, the environment and Nix's settings mean.

use super::args::{RootKindArg, StoreArgs};
use super::environment;
use super::exit::Failure;
use super::hints;
use super::image;
use crate::fs::{self, ResolveError, Tree};
use crate::roots::read_settings;
use crate::store::{
    DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreAccess, StoreLocation, StoreUri, plain_path,
};
use crate::warning::Warnings;
use rustix::fs::{Access, access};
use rustix::process::getuid;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The store that is meant.
pub(super) struct Located {
    /// The tree that it lies in.
    pub(super) tree: Tree,
    pub(super) location: StoreLocation,
    /// Nix's own state directory, where it is not the store's: that of a chroot
    /// store is in the store's directory (nix: `settings.nixStateDir`).
    pub(super) nix_state_dir: Option<PathBuf>,
    /// Whether this user's Nix reaches it through the daemon.
    pub(super) daemon: bool,
    /// Why it is not the one at the usual place, if nobody asked for that here.
    pub(super) note: Option<String>,
}

/// The store that the arguments mean, else the one that Nix would use.
pub(super) fn locate(args: &StoreArgs, current: &Path) -> Result<Located, Failure> {
    // Clap does not see both where one stands before the command, one after it.
    if args.root_kind.is_some() && args.root.is_none() {
        return Err(Failure::usage("--root-kind needs --root")
            .hint("`nix-census help stores` explains both"));
    }
    let mut located = match (&args.root, args.root_kind) {
        (Some(root), kind) => {
            let kind = kind.unwrap_or(RootKindArg::Image);
            let nix_state_dir = match kind {
                RootKindArg::Image => None,
                RootKindArg::Chroot => Some(nix_state_dir(None, current)),
            };
            let (tree, location) = below(root, kind, args)?;
            Located { tree, location, nix_state_dir, daemon: false, note: None }
        }
        // Who names directories means a local store.
        (None, _)
            if args.store.is_none()
                && (args.state_dir.is_some() || args.store_dir.is_some() || args.db.is_some()) =>
        {
            local(args, &StoreUri::AUTO, current)?
        }
        (None, _) => of_nix(args, current)?,
    };
    let named = args.store.is_some()
        || args.store_dir.is_some()
        || args.state_dir.is_some()
        || args.db.is_some();
    let location = &located.location;
    if !named
        && location.store_dir == DEFAULT_STORE_DIR
        && location.state_dir == Path::new(DEFAULT_STATE_DIR)
        && let Some(guix) = fs::locate_guix(&located.tree, location)
    {
        located.location = guix;
    }
    if let Some(db) = &args.db {
        // The user's own name for it: a symlink in it counts on this machine,
        // even below the root, inside of which it would be resolved later.
        let db = current.join(db);
        let below = db.starts_with(&located.location.root);
        let real = if below { std::fs::canonicalize(&db).ok() } else { None };
        located.location.database = real.unwrap_or(db);
    }
    Ok(located)
}

/// The store below `--root`.
fn below(
    root: &Path,
    kind: RootKindArg,
    args: &StoreArgs,
) -> Result<(Tree, StoreLocation), Failure> {
    let usage =
        |e: io::Error| Failure::usage(format!("cannot open --root {}", root.display())).cause(e);
    let real_root = std::fs::canonicalize(root).map_err(usage)?;
    if let Some(failure) = image::not_a_directory(&real_root) {
        return Err(failure);
    }
    let named = |dir: PathBuf| plain_path(&Path::new("/").join(dir));
    let store_dir = args.store_dir.as_ref().map_or(DEFAULT_STORE_DIR.into(), PathBuf::from);
    let store_dir = utf8(named(store_dir))?;
    let state_dir = named(args.state_dir.clone().unwrap_or_else(|| DEFAULT_STATE_DIR.into()));
    let (tree, location) = match kind {
        RootKindArg::Image => {
            let tree = Tree::live(&real_root).map_err(usage)?;
            let location = fs::locate(&tree, &store_dir, &state_dir);
            (tree, location)
        }
        RootKindArg::Chroot => {
            let tree = this_machine()?;
            let inside = |dir: &Path| real_root.join(dir.strip_prefix("/").unwrap_or(dir));
            let real = inside(Path::new(&store_dir));
            let location = fs::locate_elsewhere(&tree, &store_dir, &real, &inside(&state_dir));
            (tree, location)
        }
    };
    Ok((tree, location.map_err(|e| because(&e))?))
}

/// This machine as a tree.
pub(super) fn this_machine() -> Result<Tree, Failure> {
    Tree::live(Path::new("/")).map_err(|e| Failure::failed("cannot open /").cause(e))
}

/// The store that Nix would use: `--store`, else the setting `store`, else
/// `NIX_REMOTE`.
fn of_nix(args: &StoreArgs, current: &Path) -> Result<Located, Failure> {
    let tree = this_machine()?;
    let set = || {
        // What is wrong with the settings is reported where they decide an answer.
        let files = environment::settings_files(current);
        let setting = read_settings(&tree, &files, &mut Warnings::new()).store;
        setting.map(|s| (OsString::from(s.value), s.source.display().to_string()))
    };
    let remote = || std::env::var_os("NIX_REMOTE").map(|uri| (uri, "NIX_REMOTE".to_owned()));
    let (uri, source) = match &args.store {
        Some(uri) => (uri.clone(), None),
        None => match set().or_else(remote) {
            Some((uri, source)) => (uri, Some(source)),
            None => (OsString::new(), None),
        },
    };
    // A file of paths without the disk asks nothing of the store.
    let needs_store = !args.no_disk || (args.registration.is_none() && args.path_info.is_none());
    let uri = match StoreUri::parse(&uri, current) {
        Ok(uri) => uri,
        Err(_) if !needs_store && args.store.is_none() => StoreUri::AUTO,
        Err(e) => {
            return Err(match source {
                None => Failure::usage("the store of --store cannot be examined").cause(e),
                Some(source) => {
                    Failure::failed(format!("the store of {source} cannot be examined"))
                        .cause(e)
                        .hint("name a store on this machine with --store, such as --store local")
                }
            });
        }
    };
    let mut located = local(args, &uri, current)?;
    if let Some(source) = source.filter(|_| !uri.is_plain()) {
        let real = located.location.real_store_dir.display();
        located.note = Some(format!("{source} names the store: its files are in {real}"));
    }
    Ok(located)
}

/// A store on this machine (nix: `LocalFSStoreConfig`, `resolveStoreConfig`).
fn local(args: &StoreArgs, uri: &StoreUri, current: &Path) -> Result<Located, Failure> {
    let absolute = |dir: PathBuf| plain_path(&current.join(dir));
    let env = |name: &str| environment::not_empty(name);
    // As Nix: NIX_STORE_DIR, then the older NIX_STORE.
    let store_dir = (args.store_dir.as_ref().map(PathBuf::from))
        .or_else(|| uri.store_dir.clone())
        .or_else(|| env("NIX_STORE_DIR"))
        .or_else(|| env("NIX_STORE"))
        .map_or(DEFAULT_STORE_DIR.into(), absolute);
    let below = |dir: &str| uri.root.as_ref().map(|root| absolute(root.join(dir)));
    let state_dir = (args.state_dir.clone())
        .or_else(|| uri.state.clone())
        .or_else(|| below("nix/var/nix"))
        .map_or_else(|| nix_state_dir(None, current), absolute);
    let nix_state_dir = nix_state_dir(args.state_dir.as_deref(), current);
    let real = uri.real.clone().map(absolute).or_else(|| below("nix/store"));
    let daemon = match uri.access {
        StoreAccess::Local => false,
        StoreAccess::Daemon => true,
        StoreAccess::Auto => {
            let socket = env("NIX_DAEMON_SOCKET_PATH")
                .unwrap_or_else(|| state_dir.join("daemon-socket/socket"));
            access(&state_dir, Access::READ_OK | Access::WRITE_OK).is_err() && socket.exists()
        }
    };
    // Where there is no Nix, an unprivileged user's is a chroot store.
    let asked = args.store_dir.is_some() || args.state_dir.is_some() || args.db.is_some();
    let own = uri.access == StoreAccess::Auto && uri.is_plain() && !asked && !daemon;
    let own = own && !getuid().is_root() && !state_dir.exists();
    let own =
        own && ["NIX_STORE_DIR", "NIX_STATE_DIR"].iter().all(|v| std::env::var_os(v).is_none());
    if own
        && let Some(root) = environment::data_home().map(|home| home.join("root"))
        && root.exists()
    {
        let note = format!(
            "{} does not exist, so Nix uses {} as a chroot store",
            state_dir.display(),
            root.display()
        );
        let uri = StoreUri { access: StoreAccess::Local, root: Some(root), ..StoreUri::AUTO };
        return Ok(Located { note: Some(note), ..local(args, &uri, current)? });
    }
    let store_dir = utf8(store_dir)?;
    let tree = this_machine()?;
    let location = match real {
        Some(real) => fs::locate_elsewhere(&tree, &store_dir, &real, &state_dir),
        None => fs::locate(&tree, &store_dir, &state_dir),
    };
    let location = location.map_err(|e| because(&e))?;
    let nix_state_dir = Some(nix_state_dir).filter(|dir| *dir != location.state_dir);
    Ok(Located { tree, location, nix_state_dir, daemon, note: None })
}

/// Nix's own state directory: as named, else `NIX_STATE_DIR`, else the usual one.
fn nix_state_dir(named: Option<&Path>, current: &Path) -> PathBuf {
    let named = named.map(Path::to_owned).or_else(|| environment::not_empty("NIX_STATE_DIR"));
    plain_path(&current.join(named.unwrap_or_else(|| DEFAULT_STATE_DIR.into())))
}

fn utf8(dir: PathBuf) -> Result<String, Failure> {
    dir.into_os_string().into_string().map_err(|dir| {
        Failure::usage(format!("the store directory {} is not UTF-8", dir.display()))
    })
}

fn because(e: &ResolveError) -> Failure {
    Failure::because(e).hint(hints::of_resolve(e))
}
