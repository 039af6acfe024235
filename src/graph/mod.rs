//! Pure algorithms over rows of `u32`: no store, no disk, no I/O.

mod rows;

pub use rows::Rows;
