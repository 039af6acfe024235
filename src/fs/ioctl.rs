//! Calls of one file system or another that read and fill a struct.

#![allow(unsafe_code, reason = "rustix has no safe function for calls of one file system")]

use rustix::fd::AsFd;
use rustix::io::Errno;
pub(super) use rustix::ioctl::Direction;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use std::ffi::c_void;
use std::io;

/// A call by its number, and the struct that it reads and fills.
struct Call<'a, T> {
    opcode: Opcode,
    args: &'a mut T,
}

// SAFETY: `as_ptr` leads to a `T` borrowed for the call, of which `call` asks that it is
// what the call takes.
unsafe impl<T> Ioctl for Call<'_, T> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(self.args).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> Result<(), Errno> {
        Ok(())
    }
}

/// Makes a call. Its number is made of the parts of its definition; `size` is that of
/// the struct there, without what may follow it.
///
/// # Safety
/// The call takes a `T`, and writes no more than a `T` has room for. Any bytes are valid
/// in each field of a `T`.
///
/// # Errors
/// Those of the system.
pub(super) unsafe fn call<T>(
    fd: impl AsFd,
    (direction, magic, number, size): (Direction, u8, u8, usize),
    args: &mut T,
) -> io::Result<()> {
    let opcode = opcode::from_components(direction, magic, number, size);
    // SAFETY: as the caller says.
    unsafe { ioctl(fd, Call { opcode, args }) }.map_err(Into::into)
}
