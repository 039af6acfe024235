//! The hash of a NAR that holds the hash part of its own store path.
//!
//! The store path follows from the hash, so the hash cannot depend on it: Nix
//! hashes the NAR with zeros in place of each self-reference (`HashModuloSink`
//! in `references.cc`). Up to 2.16 and since 2.35 the places of the
//! self-references are hashed after it; from 2.17 to 2.34 they were left out by
//! mistake (NixOS/nix#15931). Paths made by either are valid.

use super::hash::{Algorithm, Hash, Hasher};

/// Hashes a NAR, which comes in pieces, without its self-references.
#[derive(Clone, Debug)]
pub(crate) struct SelfReferenceHasher {
    hasher: Hasher,
    hash_part: Vec<u8>,
    /// What may be the beginning of a self-reference.
    rest: Vec<u8>,
    /// How many bytes came before `rest`.
    before: u64,
    places: Vec<u64>,
}

impl SelfReferenceHasher {
    /// Begins a NAR of the store path of that hash part.
    pub(crate) fn new(algorithm: Algorithm, hash_part: &str) -> Self {
        Self {
            hasher: Hasher::new(algorithm),
            hash_part: hash_part.into(),
            rest: Vec::new(),
            before: 0,
            places: Vec::new(),
        }
    }

    /// Takes in more bytes.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        let length = self.hash_part.len();
        self.rest.extend_from_slice(piece);
        let mut at = 0;
        while let Some(part) = self.rest.get(at..at + length) {
            if part == self.hash_part {
                self.places.push(self.before + at as u64);
                self.rest[at..at + length].fill(0);
                at += length;
            } else {
                at += 1;
            }
        }
        let done = self.rest.len().saturating_sub(length.saturating_sub(1));
        self.hasher.update(&self.rest[..done]);
        self.rest.drain(..done);
        self.before += done as u64;
    }

    /// Both hashes: with the places of the self-references, and without.
    pub(crate) fn finish(mut self) -> [Hash; 2] {
        self.hasher.update(&self.rest);
        let without = self.hasher.clone().finish();
        for place in &self.places {
            self.hasher.update(format!("|{place}").as_bytes());
        }
        [self.hasher.finish(), without]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &str = "0c5b8vw40dy178xlpddw65q9gf1h2186";

    fn plain(text: &str) -> Hash {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(text.as_bytes());
        hasher.finish()
    }

    #[test]
    fn self_references_are_hashed_as_zeros_wherever_a_piece_ends() {
        let text = format!("/nix/store/{PART}-x {} {PART}{PART} {}", &PART[..20], &PART[1..]);
        let zeros = text.replace(PART, &"\0".repeat(32));
        let places = "|11|67|99";
        for length in 1..text.len() + 1 {
            let mut hasher = SelfReferenceHasher::new(Algorithm::Sha256, PART);
            for piece in text.as_bytes().chunks(length) {
                hasher.update(piece);
            }
            assert_eq!(hasher.finish(), [plain(&format!("{zeros}{places}")), plain(&zeros)]);
        }
    }

    #[test]
    fn without_any_it_is_the_plain_hash() {
        let mut hasher = SelfReferenceHasher::new(Algorithm::Sha256, PART);
        hasher.update(b"short");
        assert_eq!(hasher.finish(), [plain("short"), plain("short")]);
    }
}
