//! The NAR hash of a single file or symlink: what names an entry of `.links`.

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
        let mut head = Vec::with_capacity(160);
        for part in ["nix-archive-1", "(", "type", "regular"] {
            string(&mut head, part.as_bytes());
        }
        if executable {
            string(&mut head, b"executable");
            string(&mut head, b"");
        }
        string(&mut head, b"contents");
        head.extend(size.to_le_bytes());
        let mut sha = Sha256::new();
        sha.update(&head);
        Self { sha, size }
    }

    /// Adds contents.
    pub(crate) fn update(&mut self, contents: &[u8]) {
        self.sha.update(contents);
    }

    /// The SHA-256. Right only if as many bytes were added as was said.
    pub(crate) fn finish(mut self) -> [u8; 32] {
        let mut tail = vec![0; (self.size.wrapping_neg() % 8) as usize];
        string(&mut tail, b")");
        self.sha.update(&tail);
        self.sha.finalize().into()
    }
}

/// The SHA-256 of the NAR of a symlink.
pub(crate) fn hash_symlink(target: &[u8]) -> [u8; 32] {
    let mut nar = Vec::with_capacity(160);
    for part in ["nix-archive-1", "(", "type", "symlink", "target"] {
        string(&mut nar, part.as_bytes());
    }
    string(&mut nar, target);
    string(&mut nar, b")");
    Sha256::digest(&nar).into()
}

/// Appends a string as a NAR holds it.
fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
    // `out` itself may begin anywhere.
    out.resize(out.len() + text.len().wrapping_neg() % 8, 0);
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
