//! The NAR hash of a single file or symlink: what names an entry of `.links`.

use super::strings::{padding, strings};
use sha2::{Digest, Sha256};

/// Hashes the NAR of one regular file, whose contents come in pieces.
#[derive(Clone, Debug)]
pub(crate) struct FileHasher {
    sha: Sha256,
    size: u64,
}

impl FileHasher {
    /// Begins a file of `size` bytes; `executable` is mode & 0100.
    pub(crate) fn new(size: u64, executable: bool) -> Self {
        let mut sha = Sha256::new();
        sha.update(strings!("nix-archive-1", "(", "type", "regular"));
        if executable {
            sha.update(strings!("executable", ""));
        }
        sha.update(strings!("contents"));
        sha.update(size.to_le_bytes());
        Self { sha, size }
    }

    /// Adds contents.
    pub(crate) fn update(&mut self, contents: &[u8]) {
        self.sha.update(contents);
    }

    /// The SHA-256. Right only if as many bytes were added as was said.
    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.sha.update(padding(self.size));
        self.sha.update(strings!(")"));
        self.sha.finalize().into()
    }
}

/// The SHA-256 of the NAR of a symlink.
pub(crate) fn hash_symlink(target: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(strings!("nix-archive-1", "(", "type", "symlink", "target"));
    sha.update((target.len() as u64).to_le_bytes());
    sha.update(target);
    sha.update(padding(target.len() as u64));
    sha.update(strings!(")"));
    sha.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nar::nix32;

    #[test]
    fn the_empty_file() {
        use crate::nar::nix32;
        let empty = FileHasher::new(0, false).finish();
        assert_eq!(nix32::encode(&empty), "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p");
    }

    /// `nix-hash --type sha256 --base32` of such files.
    #[test]
    fn as_nix_says() {
        let hash = |contents: &[u8], executable| {
            let mut hasher = FileHasher::new(contents.len() as u64, executable);
            hasher.update(contents);
            nix32::encode(&hasher.finish())
        };
        assert_eq!(hash(b"hello\n", false), "04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw");
        assert_eq!(hash(b"hello\n", true), "1yhh619m3cy1mird7f0l7zsmiv9rayqn075zinda2g7rscwn0hv5");
        assert_eq!(
            hash(b"12345678", false),
            "0g7mwcdnivpkvcv7aydv8b9a4qp0nc3daxhdl95fciv488ik5mi2"
        );
        assert_eq!(
            nix32::encode(&hash_symlink(b"target")),
            "0x67g3311ihxwarw846p2jc8wbxmv9bd8ryh7qjpp6d8yb56536b"
        );
    }
}
