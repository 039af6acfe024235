//! Names and places: store paths, where a store lies, and how a symlink is
//! followed without leaving the examined root.

mod location;
mod path;
mod resolve;
mod uri;

pub use location::{DEFAULT_STATE_DIR, DEFAULT_STORE_DIR, StoreLocation};
pub use path::{NameError, StorePath, split_name};
pub use resolve::{Place, ResolveError, resolve};
pub use uri::{StoreAccess, StoreUri, StoreUriError};
