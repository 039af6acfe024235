//! Names and places: store paths, and where a store lies.

mod location;
mod package;
mod path;
mod uri;

pub use location::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreLocation};
pub(crate) use location::{GUIX_STATE_DIR, GUIX_STORE_DIR, plain_path};
pub use package::Package;
pub(crate) use path::parse_drv_name;
pub(crate) use path::without_hash_part;
pub use path::{NameError, StorePath};
pub(crate) use uri::{StoreAccess, StoreUri};
