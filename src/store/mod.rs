//! Names and places: store paths, where a store lies, and how a symlink is
//! followed without leaving the examined root.

mod location;
mod package;
mod path;
mod resolve;
mod uri;

pub use location::{
    DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, GUIX_STATE_DIR, GUIX_STORE_DIR, StoreLocation,
};
pub use package::Package;
pub use path::{NameError, StorePath, parse_drv_name};
pub use resolve::{Place, ResolveError, follow_links_to_store, plain_path, resolve};
pub use uri::{StoreAccess, StoreUri, StoreUriError};
