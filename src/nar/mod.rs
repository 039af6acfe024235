//! The Nix archive format: its size from sizes alone, its hash, and nix32.
//!
//! | file | holds |
//! |---|---|
//! | `size` | the size of a NAR from what `stat` says |
//! | `strings` | the strings that a NAR is made of |
//! | `stream` | the NAR of a tree, written out in large pieces |
//! | `hash` | hashes in each way Nix writes them |
//! | `sha256` | SHA-256 of several messages at once |
//! | `lanes` | the SHA-256 of many NARs, a few at once |
//! | `leaf` | the NAR of one file or symlink, as optimising hashes them |
//! | `self_reference` | the hash of a NAR that holds its own store path's hash part |
//! | `nix32` | Nix's alphabet of 32 characters |
//! | `content_address` | content addresses, and the store path that follows from one |

pub(crate) mod content_address;
pub(crate) mod hash;
pub(crate) mod lanes;
mod leaf;
pub mod nix32;
mod self_reference;
pub(crate) mod sha256;
pub(crate) mod size;
pub(crate) mod stream;
mod strings;

pub(crate) use leaf::{FileHasher, hash_symlink};
pub(crate) use self_reference::SelfReferenceHasher;

/// What Nix puts after a name on a file system that does not distinguish upper from
/// lower case, with a number after it (nix: `caseHackSuffix` in `archive.hh`).
const CASE_HACK: &[u8] = b"~nix~case~hack~";

/// The name that an entry of a directory has in the NAR: with Nix's setting
/// `use-case-hack`, what comes before the suffix of such a name.
pub(crate) fn name_in_nar(name: &[u8], use_case_hack: bool) -> &[u8] {
    if !use_case_hack || name.len() < CASE_HACK.len() {
        return name;
    }
    let at = name.windows(CASE_HACK.len()).position(|part| part == CASE_HACK);
    at.map_or(name, |at| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_left_out_where_nix_leaves_it_out() {
        assert_eq!(name_in_nar(b"Xt.h~nix~case~hack~1", true), b"Xt.h");
        assert_eq!(name_in_nar(b"Xt.h~nix~case~hack~1", false), b"Xt.h~nix~case~hack~1");
    }
}
