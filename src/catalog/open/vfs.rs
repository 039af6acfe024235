//! SQLite's own way to its files, but that a name is taken as it is.
//!
//! SQLite follows each symlink of a name by its text before it opens anything. From
//! `/proc/self/fd/7/db.sqlite`, which is in the directory that is open, it would go
//! back to a path, on which another process may have put another directory.

#![allow(unsafe_code, reason = "rusqlite has no safe function for it")]

use rusqlite::ffi;
use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

/// A way to files that is registered here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Vfs {
    /// As SQLite's `unix`: with locks.
    Locking,
    /// As its `unix-none`: without.
    Alone,
}

impl Vfs {
    /// Its name; `None` if it cannot be registered.
    pub(super) fn name(self) -> Option<&'static CStr> {
        static LOCKING: OnceLock<bool> = OnceLock::new();
        static ALONE: OnceLock<bool> = OnceLock::new();
        let (registered, name) = match self {
            Self::Locking => (&LOCKING, c"census-unix"),
            Self::Alone => (&ALONE, c"census-unix-none"),
        };
        registered.get_or_init(|| register(name, self.like())).then_some(name)
    }

    /// The name of SQLite's own that it is like.
    pub(super) fn like(self) -> &'static CStr {
        match self {
            Self::Locking => c"unix",
            Self::Alone => c"unix-none",
        }
    }
}

/// Registers one like another, which stays for as long as the process runs.
fn register(name: &'static CStr, like: &CStr) -> bool {
    // SAFETY: a VFS that SQLite gives is there for good, and may be copied, as
    // `sqlite3_vfs` documents; what is registered is never freed.
    unsafe {
        if ffi::sqlite3_initialize() != ffi::SQLITE_OK {
            return false;
        }
        let Some(like) = ffi::sqlite3_vfs_find(like.as_ptr()).as_ref() else { return false };
        let copy = Box::leak(Box::new(*like));
        copy.zName = name.as_ptr();
        copy.pNext = std::ptr::null_mut();
        copy.xFullPathname = Some(as_it_is);
        ffi::sqlite3_vfs_register(copy, 0) == ffi::SQLITE_OK
    }
}

/// `xFullPathname`: puts the name into `full`, which has room for `room` bytes.
unsafe extern "C" fn as_it_is(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    full: *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives a C string, and room of that size that does not overlap it.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if usize::try_from(room).is_ok_and(|room| name.len() <= room) {
            std::ptr::copy_nonoverlapping(name.as_ptr().cast(), full, name.len());
            return ffi::SQLITE_OK;
        }
    }
    ffi::SQLITE_CANTOPEN
}
