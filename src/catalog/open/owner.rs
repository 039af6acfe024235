//! The change time of a write-ahead log.

#![allow(unsafe_code, reason = "rusqlite has no safe function for it")]

use rusqlite::ffi;
use std::ffi::c_int;

/// Takes from the SQLite in this process the means to change the owner of a file.
///
/// Run by root, SQLite gives a log and its index to the database's owner when it
/// opens them. Where they are the owner's already, as they must be to be opened
/// here, that changes nothing but the time of their last change (`ctime`). A
/// program that uses SQLite for nothing else calls this once, before it opens the
/// first database, and leaves not even that.
pub(crate) fn leave_owners_alone() {
    unsafe extern "C" fn leave(_file: c_int, _user: u32, _group: u32) -> c_int {
        0
    }
    // SAFETY: the default VFS is found and changed as `sqlite3_vfs` documents; the
    // function put in the place of `fchown` has its signature.
    unsafe {
        if ffi::sqlite3_initialize() != ffi::SQLITE_OK {
            return;
        }
        let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
        if let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) {
            let leave: unsafe extern "C" fn(c_int, u32, u32) -> c_int = leave;
            let leave: unsafe extern "C" fn() = std::mem::transmute(leave);
            set(vfs, c"fchown".as_ptr(), Some(leave));
        }
    }
}
