//! A store that is written to while it is read.
