//! The nix-census command.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;

/// The system's memory. Where there is no more, the program ends with an error and
/// the exit status of one; Rust would abort, as if by a signal.
struct OrExit;

#[global_allocator]
static MEMORY: OrExit = OrExit;

// SAFETY: each call is the system allocator's; what it cannot give ends the program.
#[allow(unsafe_code, reason = "the standard library has no safe hook for it")]
unsafe impl GlobalAlloc for OrExit {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_exit(unsafe { System.alloc(layout) })
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        or_exit(unsafe { System.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        or_exit(unsafe { System.realloc(memory, layout, size) })
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[inline]
fn or_exit(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        nix_census::cli::out_of_memory();
    }
    memory
}

/// The standard library opens `/dev/null` in place of a closed standard output
/// before `main` begins, and every write then seems to succeed. This looks before it.
#[cfg(any(target_os = "linux", target_os = "macos"))]
// Nothing but the section's name is unchecked: the function is plain safe code,
// and calls the system without any help of the standard library.
#[allow(unsafe_code)]
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static AT_START: extern "C" fn() = {
    extern "C" fn look() {
        nix_census::cli::note_standard_output();
    }
    look
};

fn main() -> ExitCode {
    nix_census::cli::main()
}
